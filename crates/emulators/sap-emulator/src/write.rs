//! Writing: which verb does what to which resource.

use crate::deep;
use crate::env::{Answer, Env};
use crate::meta::{ServiceMeta, SetMeta};
use crate::orders;
use crate::partners;
use crate::quirk::Quirk;
use crate::read::{Resource, View, etag, resolve, sent};
use crate::refusal::Refusal;
use crate::state::{Draft, merged};
use crate::target::{Options, segments};
use crate::value::{Fields as _, Row};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// One operation on a service: a request of its own or a part of a batch.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) method: String,
    /// Below the service root, still percent-encoded, without leading slash.
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) if_match: Option<String>,
    pub(crate) if_none_match: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) body: Vec<u8>,
}

impl Operation {
    pub(crate) fn is_read(&self) -> bool {
        self.method == "GET" || self.method == "HEAD"
    }
}

/// Performs an operation on the draft. On a refusal the draft is to be thrown away.
pub(crate) fn perform(
    draft: &mut Draft<'_>,
    env: &Env<'_>,
    service: &'static ServiceMeta,
    operation: &Operation,
) -> Result<Answer, Refusal> {
    let options = Options::parse(&operation.query)?;
    let path = segments(&operation.path)?;
    if let Some(func) =
        path.first().and_then(|first| service.funcs.iter().find(|func| func.name == first.name))
    {
        if func.method != operation.method {
            return Err(not_allowed(&operation.method));
        }
        let body =
            crate::availability::call(draft, func, &options.custom, env.now.as_micros().div_euclid(1000))?;
        let body = if body.get("results").is_some() { body } else { json!(body) };
        return Ok(Answer::json(200, json!({"d": body})));
    }
    let resource = resolve(draft, service, &path)?;
    match operation.method.as_str() {
        "GET" | "HEAD" => {
            if let Resource::Entity(set, row) = &resource
                && operation.if_none_match.is_some()
                && operation.if_none_match == etag(set, row)
            {
                return Ok(Answer::empty(304));
            }
            View { draft, env }.get(resource, &options, &operation.path)
        }
        "POST" => {
            if !options.expand.is_empty() || options.filter.is_some() || !options.select.is_empty() {
                return Err(Refusal::bad("System query options are not allowed in a POST request"));
            }
            create(draft, env, &resource, &json_body(operation)?)
        }
        "PATCH" | "MERGE" | "PUT" => match resource {
            Resource::Entity(set, row) => {
                if !set.updatable {
                    return Err(not_allowed(&operation.method));
                }
                check_version(env, set, &row, operation)?;
                let patch = deep::update(set, &row, &json_body(operation)?, operation.method == "PUT")?;
                change(draft, env, set, &row, &patch)?;
                let stored = draft.get(set.name, &set.key(&row));
                Ok(tagged(Answer::empty(204), set, stored.as_deref().unwrap_or(&row)))
            }
            _ => Err(not_allowed(&operation.method)),
        },
        "DELETE" => match resource {
            Resource::Entity(set, row) => {
                if !set.deletable {
                    return Err(not_allowed("DELETE"));
                }
                check_version(env, set, &row, operation)?;
                remove(draft, env, set, &row)?;
                Ok(Answer::empty(204))
            }
            _ => Err(not_allowed("DELETE")),
        },
        other => Err(not_allowed(other)),
    }
}

fn not_allowed(method: &str) -> Refusal {
    Refusal::new(405, "/IWFND/CM_MGW/096", format!("Method {method} is not allowed for this resource"))
}

fn tagged(answer: Answer, set: &SetMeta, row: &Row) -> Answer {
    match etag(set, row) {
        Some(etag) => answer.with("etag", etag),
        None => answer,
    }
}

fn json_body(operation: &Operation) -> Result<Value, Refusal> {
    let essence = operation.content_type.as_deref().unwrap_or("").split(';').next().unwrap_or("").trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        let text = format!("Content type '{essence}' is not supported; send application/json");
        return Err(Refusal::new(415, "/IWFND/CM_MGW/415", text));
    }
    serde_json::from_slice(&operation.body)
        .map_err(|error| Refusal::bad(format!("Malformed JSON in the request body at line {}", error.line())))
}

fn check_version(env: &Env<'_>, set: &SetMeta, row: &Row, operation: &Operation) -> Result<(), Refusal> {
    let Some(current) = etag(set, row) else { return Ok(()) };
    match operation.if_match.as_deref() {
        None if env.has(Quirk::IfMatch400) => {
            Err(Refusal::new(400, "/IWBEP/CM_MGW_RT/033", "The If-Match header is missing"))
        }
        None => Err(Refusal::new(428, "/IWBEP/CM_MGW_RT/033", "The request requires an If-Match header")),
        Some("*") => Ok(()),
        Some(sent) if sent == current => Ok(()),
        Some(_) => Err(Refusal::new(
            412,
            "/IWBEP/CM_MGW_RT/034",
            "The entity was changed in the meantime: precondition failed",
        )),
    }
}

fn created(draft: &Draft<'_>, env: &Env<'_>, set: &SetMeta, row: &Row, node: &deep::Node) -> Answer {
    let view = View { draft, env };
    let stored = draft.get(set.name, &set.key(row));
    let row = stored.as_deref().unwrap_or(row);
    let entity = view.entity(set, row, &sent(node), None);
    let d = if env.has(Quirk::ResultsEnvelope) { json!({"results": entity}) } else { entity };
    tagged(Answer::json(201, json!({"d": d})).with("location", view.uri(set, row)), set, row)
}

fn create(
    draft: &mut Draft<'_>,
    env: &Env<'_>,
    resource: &Resource,
    body: &Value,
) -> Result<Answer, Refusal> {
    match resource {
        Resource::Set(set) => {
            if !set.creatable {
                return Err(not_allowed("POST"));
            }
            let node = deep::create(set, body)?;
            let row = match set.name {
                "A_SalesOrder" => {
                    let number = orders::create(draft, env, &node)?;
                    let mut row = Row::new();
                    row.set_text("SalesOrder", number);
                    row
                }
                name if set.service == "API_BUSINESS_PARTNER" => partners::create(draft, env, name, &node)?,
                name => {
                    let text = format!("'{name}' cannot be created by itself; create it with its parent");
                    return Err(Refusal::new(400, "/IWBEP/CM_MGW_RT/035", text));
                }
            };
            let answer = created(draft, env, set, &row, &node);
            Ok(with_warnings(draft, &row, set, answer))
        }
        Resource::Children { parent, parent_set, nav } => {
            let set = nav.target();
            if !set.creatable {
                return Err(not_allowed("POST"));
            }
            let node = deep::create(set, body)?;
            let row = match parent_set.service {
                "API_SALES_ORDER_SRV" => orders::insert(draft, env, parent, nav.name, &node)?,
                "API_BUSINESS_PARTNER" => partners::insert(draft, env, parent, nav, &node)?,
                _ => return Err(not_allowed("POST")),
            };
            Ok(created(draft, env, set, &row, &node))
        }
        _ => Err(not_allowed("POST")),
    }
}

/// SAP saves what it can and says what is wrong with it.
fn with_warnings(draft: &Draft<'_>, row: &Row, set: &SetMeta, answer: Answer) -> Answer {
    if set.name != "A_SalesOrder" {
        return answer;
    }
    let order = row.text("SalesOrder");
    let mut details = Vec::new();
    for item in draft.scan("A_SalesOrderItem", &[order]) {
        let number = item.text("SalesOrderItem");
        let conditions = draft.scan("A_SalesOrderItemPrElement", &[order, number]);
        if !conditions.iter().any(|condition| condition.text("ConditionClass") == "B") {
            details.push(("VE/108", format!("Mandatory condition PPR0 is missing in item {number}")));
        }
        if item.dec("ConfdDelivQtyInOrderQtyUnit") < item.dec("RequestedQuantity") {
            details.push(("V4/083", format!("Item {number} cannot be confirmed in full")));
        }
    }
    let blocked =
        draft.find("A_SalesOrder", &[order]).is_some_and(|row| row.text("TotalCreditCheckStatus") == "B");
    if blocked {
        details.push(("VU/013", "Credit check: the credit limit is exceeded".to_owned()));
    }
    let Some((code, text)) = details.first().cloned() else { return answer };
    let rest: Vec<Value> = details[1..]
        .iter()
        .map(|(code, text)| json!({"code": code, "message": text, "target": "", "severity": "warning"}))
        .collect();
    let message =
        json!({"code": code, "message": text, "severity": "warning", "target": "", "details": rest});
    answer.with("sap-message", message.to_string())
}

fn change(
    draft: &mut Draft<'_>,
    env: &Env<'_>,
    set: &'static SetMeta,
    row: &Row,
    patch: &BTreeMap<String, Option<crate::value::Val>>,
) -> Result<(), Refusal> {
    match set.service {
        "API_SALES_ORDER_SRV" => orders::change(draft, env, set, row, patch),
        "API_BUSINESS_PARTNER" => {
            partners::change(draft, env, set, merged(row, patch));
            Ok(())
        }
        _ => {
            Err(Refusal::new(501, "/IWBEP/CM_MGW_RT/501", format!("Updating '{}' is not emulated", set.name)))
        }
    }
}

fn remove(draft: &mut Draft<'_>, env: &Env<'_>, set: &'static SetMeta, row: &Row) -> Result<(), Refusal> {
    match set.service {
        "API_SALES_ORDER_SRV" => orders::remove(draft, env, set, row),
        "API_BUSINESS_PARTNER" => {
            draft.remove(set.name, row);
            Ok(())
        }
        _ => {
            Err(Refusal::new(501, "/IWBEP/CM_MGW_RT/501", format!("Deleting '{}' is not emulated", set.name)))
        }
    }
}
