//! The metadata catalogue: which records there are, and the schema of each, with the account's own fields.

use crate::access::Level;
use crate::doc::{object_of, quoted};
use crate::meta::{self, Family, Field, Kind, RecordMeta, list};
use crate::product::{RECORDS, System, query_of};
use crate::quirk::Quirk;
use crate::refusal::Refusal;
use erp_testkit::emulator::{Exchange, Reply};
use std::sync::atomic::Ordering;

fn belongs(field: &str, record: &RecordMeta) -> bool {
    let prefix = match record.family {
        Family::Transaction => "custbody",
        Family::Entity => "custentity",
        _ => "custitem",
    };
    field.starts_with(prefix)
}

/// What an enumeration may be, where integrations care.
fn values(name: &str) -> &'static [&'static str] {
    match name {
        "orderStatus" => &["A", "B", "C", "D", "E", "F", "G", "H"],
        "shipStatus" => &["A", "B", "C"],
        _ => &[],
    }
}

fn typed(name: &str) -> Field {
    Field { kind: if name == "totalResults" { Kind::Number } else { Kind::Text }, read_only: false }
}

/// The account's own fields.
struct Customs<'a> {
    /// Of the record itself.
    body: Vec<&'a str>,
    /// Of the lines of its items.
    lines: Vec<&'a str>,
}

fn property(name: &str, field: Field, custom: bool, customs: &Customs<'_>) -> String {
    let object =
        |fields: &[(String, String)]| format!("\"type\":\"object\",\"properties\":{}", object_of(fields));
    let plain = |name: &str| (name.to_owned(), property(name, typed(name), false, customs));
    let within = |of: &str, more: &[&str]| {
        let own = list(of).iter().map(|(name, field)| (*name, *field, false));
        let more = more.iter().map(|name| (*name, typed(name), true));
        let all = own.chain(more);
        all.map(|(name, field, custom)| (name.to_owned(), property(name, field, custom, customs)))
            .collect::<Vec<_>>()
    };
    let (shape, filterable) = match field.kind {
        Kind::Text => ("\"type\":\"string\"".to_owned(), true),
        Kind::Enum if values(name).is_empty() => ("\"type\":\"string\"".to_owned(), true),
        Kind::Enum => {
            let values: Vec<String> = values(name).iter().map(|value| quoted(value)).collect();
            (format!("\"type\":\"string\",\"enum\":[{}]", values.join(",")), true)
        }
        Kind::Number => ("\"type\":\"number\",\"format\":\"double\"".to_owned(), true),
        Kind::Flag => ("\"type\":\"boolean\"".to_owned(), true),
        Kind::Date => ("\"type\":\"string\",\"format\":\"date\"".to_owned(), true),
        Kind::Ref(_) => (object(&["id", "externalId", "refName"].map(plain)), true),
        Kind::Sub(of) => (object(&within(of, &[])), false),
        Kind::Lines(of) => {
            let more = if name == "item" { customs.lines.as_slice() } else { &[] };
            let items = format!("{{\"type\":\"array\",\"items\":{{{}}}}}", object(&within(of, more)));
            (object(&[plain("totalResults"), ("items".to_owned(), items)]), false)
        }
    };
    let read_only = field.read_only;
    format!(
        "{{{shape},\"nullable\":true,\"readOnly\":{read_only},\"x-ns-custom-field\":{custom},\"x-ns-filterable\":{filterable}}}"
    )
}

impl System {
    fn schema_of(&self, record: &RecordMeta) -> String {
        let number = self.asked.load(Ordering::Relaxed);
        let bare = self.options.quirks.contains(&Quirk::SchemaWithoutFields) && number.is_multiple_of(2);
        let fields: Vec<(String, String)> = self.store.read(|world| {
            let all: Vec<&str> = world.settings("field/").map(|(name, _)| name).collect();
            let starting =
                |fits: &dyn Fn(&str) -> bool| all.iter().copied().filter(|name| fits(name)).collect();
            let customs = Customs {
                body: starting(&|name| belongs(name, record)),
                lines: starting(&|name| record.family == Family::Transaction && name.starts_with("custcol")),
            };
            let own = record.fields.iter().map(|(name, field)| (*name, *field, false));
            let custom = customs.body.iter().map(|name| (*name, typed(name), true));
            let all = own.chain(custom);
            all.map(|(name, field, custom)| (name.to_owned(), property(name, field, custom, &customs)))
                .collect()
        });
        let mut parts = vec![("type".to_owned(), quoted("object"))];
        if !bare {
            parts.push(("properties".to_owned(), object_of(&fields)));
        }
        object_of(&parts)
    }

    /// One record's schema, those that are selected, or the list of all.
    pub(crate) fn catalog(&self, exchange: &Exchange, name: Option<&str>) -> Result<Reply, Refusal> {
        if let Some(name) = name {
            let record = self.record(name)?;
            self.store.read(|world| self.check(world, record, Level::View))?;
            return Ok(Reply::status(200).with_body("application/schema+json", self.schema_of(record)));
        }
        let query = query_of(exchange);
        let Some(selected) = query.get("select") else {
            let items: Vec<String> = meta::all()
                .filter(|record| !self.is_off(record.name))
                .map(|record| {
                    let href = format!("{RECORDS}/metadata-catalog/{}", record.name);
                    format!(
                        "{{\"name\":{},\"links\":[{{\"rel\":\"canonical\",\"href\":{}}}]}}",
                        quoted(record.name),
                        quoted(&href)
                    )
                })
                .collect();
            return Ok(Reply::status(200)
                .with_body("application/json", format!("{{\"items\":[{}]}}", items.join(","))));
        };
        let mut schemas = Vec::new();
        for name in selected.split(',').map(str::trim) {
            let record = self.record(name)?;
            self.store.read(|world| self.check(world, record, Level::View))?;
            schemas.push((record.name.to_owned(), self.schema_of(record)));
        }
        let body = object_of(&[
            ("openapi".to_owned(), quoted("3.0.1")),
            ("components".to_owned(), object_of(&[("schemas".to_owned(), object_of(&schemas))])),
        ]);
        Ok(Reply::status(200).with_body("application/swagger+json", body))
    }
}
