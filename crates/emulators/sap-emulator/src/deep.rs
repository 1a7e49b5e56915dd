//! Request bodies: parsed strictly against the tables.

use crate::meta::{Nav, SetMeta};
use crate::refusal::Refusal;
use crate::value::{Row, Val};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// An entity of a deep insert with what hangs below it.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) row: Row,
    pub(crate) children: Vec<(&'static Nav, Vec<Self>)>,
}

impl Node {
    /// The children under a navigation.
    pub(crate) fn children(&self, nav: &str) -> &[Self] {
        self.children.iter().find(|(found, _)| found.name == nav).map_or(&[], |(_, nodes)| nodes)
    }
}

/// Sets that may not be posted by themselves, but come to be under their parent.
const BORN_OF_PARENT: [&str; 1] = ["A_Customer"];

fn object(body: &Value) -> Result<&Map<String, Value>, Refusal> {
    body.as_object().ok_or_else(|| Refusal::bad("The request body must be a JSON object"))
}

fn unknown(set: &SetMeta, name: &str) -> Refusal {
    Refusal::new(
        400,
        "/IWBEP/CM_MGW_RT/021",
        format!("Property '{name}' is invalid for type '{}.{}'", set.namespace, set.type_name()),
    )
    .on(name)
}

fn read_only(set: &SetMeta, name: &str, verb: &str) -> Refusal {
    Refusal::new(
        400,
        "/IWBEP/CM_MGW_RT/174",
        format!("Property '{name}' of '{}' cannot be {verb}", set.type_name()),
    )
    .on(name)
}

/// The body of a create.
pub(crate) fn create(set: &'static SetMeta, body: &Value) -> Result<Node, Refusal> {
    let mut node = Node { row: Row::new(), children: Vec::new() };
    for (name, value) in object(body)? {
        if name == "__metadata" {
            continue;
        }
        if let Some(nav) = set.nav(name) {
            node.children.push((nav, children(nav, value)?));
            continue;
        }
        let prop = set.prop(name).ok_or_else(|| unknown(set, name))?;
        if !prop.creatable {
            return Err(read_only(set, name, "set on creation"));
        }
        if let Some(value) = prop.read(value)? {
            node.row.insert(prop.name.to_owned(), value);
        }
    }
    Ok(node)
}

fn children(nav: &'static Nav, value: &Value) -> Result<Vec<Node>, Refusal> {
    let target = nav.target();
    if !target.creatable && !BORN_OF_PARENT.contains(&target.name) {
        return Err(Refusal::new(
            400,
            "/IWBEP/CM_MGW_RT/175",
            format!("Entities of '{}' cannot be created; '{}' is not allowed", target.name, nav.name),
        )
        .on(nav.name));
    }
    let rows = match value {
        Value::Object(object) if nav.many => match (object.get("results"), object.len()) {
            (Some(Value::Array(rows)), 1) => rows.iter().collect(),
            _ => return Err(Refusal::bad(format!("'{}' must be an array", nav.name)).on(nav.name)),
        },
        Value::Array(rows) if nav.many => rows.iter().collect(),
        Value::Object(_) => vec![value],
        _ => return Err(Refusal::bad(format!("'{}' has the wrong form", nav.name)).on(nav.name)),
    };
    rows.into_iter().map(|row| create(target, row)).collect()
}

/// The body of an update: what each named property is to be. With `replace`, what is not named becomes initial.
pub(crate) fn update(
    set: &SetMeta,
    current: &Row,
    body: &Value,
    replace: bool,
) -> Result<BTreeMap<String, Option<Val>>, Refusal> {
    let mut patch = BTreeMap::new();
    if replace {
        let reset = set.props.iter().filter(|prop| prop.updatable);
        patch.extend(reset.map(|prop| (prop.name.to_owned(), None)));
    }
    for (name, value) in object(body)? {
        if name == "__metadata" {
            continue;
        }
        if set.nav(name).is_some() {
            return Err(Refusal::new(
                400,
                "/IWBEP/CM_MGW_RT/177",
                format!("Deep update is not supported: '{name}' must be changed by itself"),
            )
            .on(name));
        }
        let prop = set.prop(name).ok_or_else(|| unknown(set, name))?;
        let value = prop.read(value)?;
        let same = prop.order(value.as_ref(), current.get(name)) == std::cmp::Ordering::Equal;
        if prop.key && same {
            continue;
        }
        if !prop.updatable {
            return Err(read_only(set, name, "changed"));
        }
        patch.insert(prop.name.to_owned(), value);
    }
    Ok(patch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::set;
    use crate::value::Fields as _;
    use serde_json::json;

    fn refused(body: &Value) -> String {
        create(set("A_SalesOrder"), body).map(|_| ()).unwrap_err().property.unwrap_or_default()
    }

    #[test]
    fn both_forms_of_children() {
        for items in [json!([{"Material": "tg11"}]), json!({"results": [{"Material": "tg11"}]})] {
            let node = create(set("A_SalesOrder"), &json!({"to_Item": items})).unwrap();
            assert_eq!(node.children("to_Item")[0].row.text("Material"), "TG11", "materials are upper case");
        }
    }

    #[test]
    fn what_a_body_must_not_hold() {
        assert_eq!(refused(&json!({"Nonsense": "1"})), "Nonsense");
        assert_eq!(refused(&json!({"TotalNetAmount": "1"})), "TotalNetAmount");
        assert_eq!(refused(&json!({"ExternalDocumentID": "1"})), "ExternalDocumentID");
        assert_eq!(refused(&json!({"to_Item": [{"NetAmount": "1"}]})), "NetAmount");
        assert_eq!(refused(&json!({"to_Item": {"x": []}})), "to_Item");
        let address = json!({"to_Partner": [{"PartnerFunction": "SH", "to_Address": [{"CityName": "X"}]}]});
        assert_eq!(refused(&address), "to_Address", "addresses are update-only");
        assert!(create(set("A_SalesOrder"), &json!([])).is_err());
    }

    #[test]
    fn an_update_names_only_what_may_change() {
        let order = set("A_SalesOrder");
        let mut row = Row::new();
        row.set_text("SalesOrder", "7");
        let patch =
            update(order, &row, &json!({"SalesOrder": "0000000007", "DeliveryBlockReason": "01"}), false);
        assert_eq!(patch.unwrap().len(), 1);
        assert!(update(order, &row, &json!({"SalesOrder": "8"}), false).is_err());
        assert!(update(order, &row, &json!({"to_Item": []}), false).is_err());
        assert!(update(order, &row, &json!({}), true).unwrap()["DeliveryBlockReason"].is_none());
    }
}
