//! The metadata catalogue: which records there are, and the schema of each, with the account's own fields.

use crate::doc::{object_of, quoted};
use crate::meta::{self, Family, Kind, RecordMeta};
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

fn property(kind: Kind, read_only: bool, custom: bool) -> String {
    let (shape, filterable) = match kind {
        Kind::Text | Kind::Enum => ("\"type\":\"string\"", true),
        Kind::Number => ("\"type\":\"number\",\"format\":\"double\"", true),
        Kind::Flag => ("\"type\":\"boolean\"", true),
        Kind::Date => ("\"type\":\"string\",\"format\":\"date\"", true),
        Kind::Ref(_) => ("\"type\":\"object\"", true),
        Kind::Sub(_) | Kind::Lines(_) => ("\"type\":\"object\"", false),
    };
    format!(
        "{{{shape},\"nullable\":true,\"readOnly\":{read_only},\"x-ns-custom-field\":{custom},\"x-ns-filterable\":{filterable}}}"
    )
}

impl System {
    fn schema_of(&self, record: &RecordMeta) -> String {
        let number = self.asked.load(Ordering::Relaxed);
        let bare = self.options.quirks.contains(&Quirk::SchemaWithoutFields) && number.is_multiple_of(2);
        let custom: Vec<String> = self.store.read(|world| {
            let fields = world.settings("field/").map(|(name, _)| name.to_owned());
            fields.filter(|field| belongs(field, record)).collect()
        });
        let fields: Vec<(String, String)> = record
            .fields
            .iter()
            .map(|(name, field)| ((*name).to_owned(), property(field.kind, field.read_only, false)))
            .chain(custom.into_iter().map(|name| (name, property(Kind::Text, false, true))))
            .collect();
        let mut parts = vec![("type".to_owned(), quoted("object"))];
        if !bare {
            parts.push(("properties".to_owned(), object_of(&fields)));
        }
        object_of(&parts)
    }

    /// One record's schema, those that are selected, or the list of all.
    pub(crate) fn catalog(&self, exchange: &Exchange, name: Option<&str>) -> Result<Reply, Refusal> {
        if let Some(name) = name {
            return Ok(
                Reply::status(200).with_body("application/schema+json", self.schema_of(self.record(name)?))
            );
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
            schemas.push((record.name.to_owned(), self.schema_of(record)));
        }
        let body = object_of(&[
            ("openapi".to_owned(), quoted("3.0.1")),
            ("components".to_owned(), object_of(&[("schemas".to_owned(), object_of(&schemas))])),
        ]);
        Ok(Reply::status(200).with_body("application/swagger+json", body))
    }
}
