//! The metadata catalogue: which records the account has, and which fields of them, custom ones included.
//!
//! It tells what this account has with the features that are on (Oracle's online help, section 1540810174). The whole document
//! is very large, so one record is asked for at a time.

use crate::client::{NetsuiteClient, RECORD_PATH};
use crate::requests::check_kind;
use crate::wire::record::is_plain;
use erp_core::context::Context;
use erp_core::error::{Error, Result};
use erp_http::{Request, json};
use http::header::ACCEPT;
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const OPERATION: &str = "netsuite.metadata";
/// As often as a schema is asked for that comes without fields.
const TRIES: usize = 3;
/// As deep as subrecords and sublists within each other are read, and as many schemas as are followed to one.
const DEPTH_MAX: usize = 4;
const RECORD_TYPES_MAX: usize = 10_000;

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldShape {
    /// A text, or an enumeration's id.
    Text,
    /// A day.
    Date,
    /// An instant.
    Instant,
    /// A number without fraction.
    Integer,
    /// A number, which travels as an exact decimal.
    Number,
    /// A truth value.
    Flag,
    /// Another record, or an enumeration with its name.
    Reference,
    /// An object of its own, such as an address.
    Subrecord,
    /// Lines.
    Sublist,
    /// Anything else, in the catalogue's own words.
    Other(String),
}

/// One field of a record, as the catalogue tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FieldInfo {
    /// What people call it.
    pub title: Option<String>,
    /// What it holds.
    pub shape: FieldShape,
    /// Whether NetSuite fills it itself and ignores what comes.
    pub read_only: bool,
    /// Whether the account made it.
    pub custom: bool,
    /// Whether a [`RecordFilter`](crate::RecordFilter) may name it.
    pub filterable: bool,
    /// What an enumeration may be; empty if it is none, or the catalogue does not say.
    pub values: Vec<String>,
    /// The fields of a subrecord or of a sublist's lines; empty if the catalogue tells them elsewhere.
    pub fields: BTreeMap<String, FieldInfo>,
    /// The schema that tells them, if they are told elsewhere.
    pub schema: Option<String>,
}

/// A record of the account and its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordType {
    /// Its name, as in paths.
    pub name: String,
    /// Its fields by name.
    pub fields: BTreeMap<String, FieldInfo>,
}

impl NetsuiteClient {
    /// The names of all records that the account has for this role.
    ///
    /// # Errors
    /// Whatever keeps NetSuite from answering; `Malformed` if no name came.
    pub async fn record_types(&self, cx: &Context) -> Result<BTreeSet<String>> {
        #[derive(Deserialize)]
        struct Listed {
            name: String,
        }
        #[derive(Deserialize)]
        struct List {
            items: Vec<Listed>,
        }
        let path = format!("{RECORD_PATH}/metadata-catalog");
        let request = Request::get(self.0.http.rebase(&path)?).with_header(ACCEPT, "application/json");
        let response = self.0.http.execute(cx, self.read_call(OPERATION), request).await?;
        let list: List = json::decode(OPERATION, &response)?;
        if list.items.is_empty() || list.items.len() > RECORD_TYPES_MAX {
            let text = format!("the catalogue lists {} records", list.items.len());
            return Err(Error::malformed(text).with_operation(OPERATION));
        }
        Ok(list.items.into_iter().map(|listed| listed.name).collect())
    }

    /// A record's fields in this account, custom ones included. Now and then a schema comes without fields; it is asked for
    /// again then.
    ///
    /// # Errors
    /// `NotFound`, `Config` or `Permission` if the account has no such record, or the role may not see it.
    pub async fn record_type(&self, cx: &Context, kind: &str) -> Result<RecordType> {
        check_kind("record", kind)?;
        let fields = self.schema(cx, kind).await?.fields;
        Ok(RecordType { name: kind.to_owned(), fields })
    }

    /// The names of a record's fields in this account, custom ones included.
    ///
    /// # Errors
    /// As [`record_type`](NetsuiteClient::record_type).
    pub async fn record_fields(&self, cx: &Context, kind: &str) -> Result<BTreeSet<String>> {
        Ok(self.record_type(cx, kind).await?.fields.into_keys().collect())
    }

    /// The fields of a subrecord or of a sublist's lines, wherever the catalogue tells them; `None` if it does not.
    ///
    /// # Errors
    /// As [`record_type`](NetsuiteClient::record_type).
    pub async fn fields_within(
        &self,
        cx: &Context,
        field: &FieldInfo,
    ) -> Result<Option<BTreeMap<String, FieldInfo>>> {
        let mut field = field.clone();
        for _ in 0..DEPTH_MAX {
            if !field.fields.is_empty() {
                return Ok(Some(field.fields));
            }
            let Some(name) = &field.schema else { return Ok(None) };
            field = self.schema(cx, name).await?;
        }
        Ok(None)
    }

    async fn schema(&self, cx: &Context, name: &str) -> Result<FieldInfo> {
        let path = format!("{RECORD_PATH}/metadata-catalog/{name}");
        for _ in 0..TRIES {
            let request =
                Request::get(self.0.http.rebase(&path)?).with_header(ACCEPT, "application/schema+json");
            let response = self.0.http.execute(cx, self.read_call(OPERATION), request).await?;
            let schema: Value = json::decode(OPERATION, &response)?;
            let info = FieldInfo::read(name, &schema, DEPTH_MAX);
            if !info.fields.is_empty() || info.schema.is_some() {
                return Ok(info);
            }
        }
        Err(Error::transient(format!("the schema of {name} came without fields {TRIES} times"))
            .with_operation(OPERATION))
    }
}

fn truth(json: &Value, name: &str) -> bool {
    json.get(name).and_then(Value::as_bool).unwrap_or_default()
}

fn text<'a>(json: &'a Value, name: &str) -> Option<&'a str> {
    json.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// The type, whether it is told as one or as a list with `null` in it.
fn type_of(json: &Value) -> &str {
    match json.get("type") {
        Some(Value::Array(types)) => {
            types.iter().filter_map(Value::as_str).find(|name| *name != "null").unwrap_or_default()
        }
        other => other.and_then(Value::as_str).unwrap_or_default(),
    }
}

/// The name at the end of a `$ref`; nothing if it could lead anywhere but into the catalogue.
fn referred(json: &Value) -> Option<String> {
    let name = text(json, "$ref")?.rsplit('/').next().unwrap_or_default();
    is_plain(name).then(|| name.to_owned())
}

fn values(json: &Value) -> Vec<String> {
    let inner = json.pointer("/properties/id/enum");
    let listed = json.get("enum").or(inner).and_then(Value::as_array).into_iter().flatten();
    listed.filter_map(|value| value.as_str().map(str::to_owned)).collect()
}

impl FieldInfo {
    fn read(name: &str, json: &Value, depth: usize) -> Self {
        let properties = json.get("properties").and_then(Value::as_object);
        let has = |name: &str| properties.is_some_and(|known| known.contains_key(name));
        let lines = match (type_of(json), properties.and_then(|known| known.get("items"))) {
            ("array", _) => json.get("items"),
            (_, Some(items)) if type_of(items) == "array" => items.get("items"),
            _ => None,
        };
        let listed = type_of(json) == "array" || lines.is_some();
        let schema = referred(lines.unwrap_or(json));
        let collection = schema.as_deref().is_some_and(|name| name.ends_with("Collection"));
        let shape = match (type_of(json), text(json, "format").unwrap_or_default()) {
            _ if listed || collection => FieldShape::Sublist,
            _ if has("refName") => FieldShape::Reference,
            _ if properties.is_some() => FieldShape::Subrecord,
            ("string", "date") => FieldShape::Date,
            ("string", "date-time") => FieldShape::Instant,
            ("string", _) => FieldShape::Text,
            ("integer", _) => FieldShape::Integer,
            ("number", _) => FieldShape::Number,
            ("boolean", _) => FieldShape::Flag,
            ("", _) => FieldShape::Other("object".to_owned()),
            (other, _) => FieldShape::Other(other.to_owned()),
        };
        let within = match shape {
            FieldShape::Sublist => lines.and_then(|lines| lines.get("properties")).and_then(Value::as_object),
            FieldShape::Subrecord => properties,
            _ => None,
        };
        let fields = match depth.checked_sub(1) {
            Some(depth) => within
                .into_iter()
                .flatten()
                .filter(|(name, _)| *name != "links")
                .map(|(name, json)| (name.clone(), Self::read(name, json, depth)))
                .collect(),
            None => BTreeMap::new(),
        };
        Self {
            title: text(json, "title").map(str::to_owned),
            shape,
            read_only: truth(json, "readOnly"),
            custom: truth(json, "x-ns-custom-field") || name.starts_with("cust") && name.contains('_'),
            filterable: truth(json, "x-ns-filterable"),
            values: values(json),
            fields,
            schema,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn a_schema_is_read_in_each_of_its_forms() {
        let schema = json!({"type": "object", "properties": {
            "links": {"type": "array"},
            "id": {"type": "string", "readOnly": true, "title": "Internal ID"},
            "tranDate": {"type": "string", "format": "date", "nullable": true, "x-ns-filterable": true},
            "createdDate": {"type": ["string", "null"], "format": "date-time"},
            "total": {"type": "number", "format": "double"},
            "count": {"type": "integer"},
            "toBePrinted": {"type": "boolean"},
            "custbody_key": {"type": "string", "x-ns-custom-field": true},
            "entity": {"type": "object", "properties": {"id": {"type": "string"}, "refName": {"type": "string"}}},
            "orderStatus": {"type": "object", "properties": {"id": {"type": "string", "enum": ["A", "B"]}, "refName": {}}},
            "source": {"type": "string", "enum": ["web", "phone"]},
            "billingAddress": {"type": "object", "properties": {"city": {"type": "string"}}},
            "item": {"type": "object", "properties": {"totalResults": {"type": "integer"}, "items": {"type": "array",
                "items": {"type": "object", "properties": {"custcol_line": {"type": "string"}}}}}},
            "taxDetails": {"$ref": "/services/rest/record/v1/metadata-catalog/salesOrder-taxDetailsCollection"},
            "apply": {"type": "object", "properties": {"items": {"type": "array", "items": {"$ref": "#/components/schemas/x-apply"}}}},
        }});
        let fields = FieldInfo::read("salesOrder", &schema, DEPTH_MAX).fields;
        let shape = |name: &str| fields[name].shape.clone();
        assert!(!fields.contains_key("links"));
        assert!(fields["id"].read_only && fields["id"].title.as_deref() == Some("Internal ID"));
        assert!(fields["tranDate"].filterable && !fields["id"].filterable);
        assert!(fields["custbody_key"].custom && !fields["total"].custom);
        assert_eq!((shape("tranDate"), shape("createdDate")), (FieldShape::Date, FieldShape::Instant));
        assert_eq!((shape("total"), shape("count")), (FieldShape::Number, FieldShape::Integer));
        assert_eq!((shape("toBePrinted"), shape("entity")), (FieldShape::Flag, FieldShape::Reference));
        assert_eq!(
            (&*fields["orderStatus"].values, &*fields["source"].values),
            (&["A", "B"].map(str::to_owned)[..], &["web", "phone"].map(str::to_owned)[..])
        );
        assert!(
            shape("billingAddress") == FieldShape::Subrecord
                && fields["billingAddress"].fields.contains_key("city")
        );
        assert!(shape("item") == FieldShape::Sublist && fields["item"].fields["custcol_line"].custom);
        assert_eq!(
            (shape("taxDetails"), fields["taxDetails"].schema.as_deref()),
            (FieldShape::Sublist, Some("salesOrder-taxDetailsCollection"))
        );
        assert_eq!(
            (shape("apply"), fields["apply"].schema.as_deref()),
            (FieldShape::Sublist, Some("x-apply"))
        );
    }

    #[test]
    fn a_schema_cannot_lead_elsewhere_or_for_ever() {
        assert_eq!(referred(&json!({"$ref": "https://evil.test/?x=/.."})), None);
        let mut deep = json!({"type": "string"});
        for _ in 0..50 {
            deep = json!({"type": "object", "properties": {"a": deep}});
        }
        let mut info = &FieldInfo::read("deep", &deep, DEPTH_MAX);
        let mut levels = 0;
        while let Some(next) = info.fields.get("a") {
            (info, levels) = (next, levels + 1);
        }
        assert_eq!(levels, DEPTH_MAX);
    }

    fn any_schema() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "object|array|string|integer|null|/a/b-Collection|\\PC{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 64, 5, |inner| {
            let name = "type|properties|items|enum|\\$ref|refName|id|links|readOnly|format|[a-z_]{1,8}";
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(name, inner, 0..5).prop_map(Value::from_iter),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_answer_is_read_without_panic_and_leads_into_the_catalogue_only(json in any_schema()) {
            let info = FieldInfo::read("any", &json, DEPTH_MAX);
            prop_assert!(info.schema.is_none_or(|name| is_plain(&name)));
            prop_assert!(!info.fields.contains_key("links"));
        }
    }
}
