//! The query service.

use crate::access::{self, Level};
use crate::doc::{object_of, quoted};
use crate::product::{ROWS_MAX, System, paging, query_of};
use crate::quirk::Quirk;
use crate::refusal::Refusal;
use crate::sql::{SqlErrorKind, Value, run};
use crate::tables::Tables;
use erp_core::time::Timestamp;
use erp_testkit::emulator::{Exchange, Reply};
use serde::Deserialize;

impl System {
    /// Runs a query and brings one page of its rows.
    pub(crate) fn suiteql(&self, exchange: &Exchange) -> Result<Reply, Refusal> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Body {
            q: String,
            #[serde(default)]
            params: Vec<String>,
        }
        let transient = exchange.header("prefer").is_some_and(|prefer| prefer.contains("transient"));
        if !transient {
            return Err(Refusal::new(400, "INVALID_HEADER", "The Prefer header must be transient."));
        }
        if self.is_off("analytics") {
            return Err(Refusal::new(400, "FEATURE_DISABLED", "SuiteAnalytics Workbook is not enabled."));
        }
        let body: Body = serde_json::from_slice(&exchange.body)
            .map_err(|_| Refusal::new(400, "INVALID_CONTENT", "Invalid content in the request body."))?;
        let (limit, offset) = paging(&query_of(exchange))?;
        let params: Vec<Value> = body.params.iter().map(|text| Value::text(text)).collect();
        let quirks = &self.options.quirks;
        let audit = self.door.audit();
        let format = self.store.read(|world| world.setting("date-format").map(str::to_owned));
        let answer = self.store.read(|world| {
            if !access::may(world, "REPO_ANALYTICS", Level::Edit) {
                return Err(Refusal::new(403, "INSUFFICIENT_PERMISSION", access::sentence(world, "REPO_ANALYTICS")));
            }
            let tables = Tables { world, now: exchange.at, quirks, audit: &audit };
            run(&tables, &body.q, &params).map_err(|error| match error.kind {
                SqlErrorKind::Permission => Refusal::new(403, "INSUFFICIENT_PERMISSION", error.text),
                SqlErrorKind::Query => {
                    let text = format!("Invalid search query. Detailed unprocessed description follows. Search error occurred: {error}");
                    Refusal::query("q", "INVALID_PARAMETER", text)
                }
            })
        })?;
        let total = answer.rows.len().min(ROWS_MAX);
        let names: Vec<String> = answer
            .columns
            .iter()
            .map(
                |name| {
                    if quirks.contains(&Quirk::CapitalColumns) { name.to_uppercase() } else { name.clone() }
                },
            )
            .collect();
        let rows: Vec<String> = answer
            .rows
            .iter()
            .take(total)
            .skip(offset)
            .take(limit)
            .map(|row| row_json(&names, row, format.as_deref()))
            .collect();
        let more = offset + rows.len() < total;
        let body = format!(
            "{{\"links\":[],\"count\":{},\"hasMore\":{more},\"items\":[{}],\"offset\":{offset},\"totalResults\":{total}}}",
            rows.len(),
            rows.join(",")
        );
        Ok(Reply::status(200)
            .with_body("application/vnd.oracle.resource+json; type=collection", body)
            .with_header("preference-applied", "transient"))
    }
}

/// A row's columns; those that are null are left out.
fn row_json(names: &[String], row: &[Value], format: Option<&str>) -> String {
    let mut fields = vec![("links".to_owned(), "[]".to_owned())];
    for (name, value) in names.iter().zip(row) {
        let text = match (value, format) {
            (Value::Moment(at), Some(format)) => Some(day(*at, format)),
            _ => value.shown(),
        };
        if let Some(text) = text {
            fields.push((name.clone(), quoted(&text)));
        }
    }
    object_of(&fields)
}

/// A date in the user's own format, such as `DD.MM.YYYY`; the time of day is not shown.
fn day(at: Timestamp, format: &str) -> String {
    let text = at.to_utc_text();
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    format.replace("YYYY", part(0, 4)).replace("MM", part(5, 7)).replace("DD", part(8, 10))
}
