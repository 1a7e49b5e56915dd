//! One table: what the shop answered → what can be done about it. The vendor's own text counts before the status,
//! because the shop writes 401 for a missing permission, 400 for a deadlock and 404 for a wrong address.
//!
//! | answer | kind | effect of a write |
//! | --- | --- | --- |
//! | 2xx with a web page instead of JSON | `Transient` | unknown |
//! | "isn't authorized to access %resources" (any status) | `Permission` naming the resource | none |
//! | deadlock, lock wait, "stock item was unable to be saved" | `Transient` | unknown |
//! | "nonce is already being used" | `Transient` | none |
//! | "Maximum items of type", "Maximum SearchCriteria pageSize" | `Invalid`, with the limit | none |
//! | "Request does not match any route", 404 without JSON | `Config` | none |
//! | "already exists" | `Conflict` | none |
//! | other 400 | `Invalid` with the fields it names | none |
//! | other 401 | `Auth` | none |
//! | 403 | `Permission` | none |
//! | 404 with JSON | `NotFound` | none |
//! | 405, 406 | `Unsupported` | none |
//! | 409, 412 | `Conflict` | none |
//! | 413 | `Invalid` | none |
//! | 429 | `Throttled`, with `Retry-After` or 5 s | none |
//! | 500 (masked; the report id is the request id), 502, 503, 504 | `Transient` | unknown |
//! | 3xx | `Config`: the base URL leads elsewhere | none |

use erp_core::error::{Effect, Error, ErrorKind, FieldError, Upstream};
use erp_core::id::SystemId;
use erp_http::{Call, Classify, Response, Safety};
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

/// The field code of "Maximum items of type": the limit is the message's only number.
pub(crate) const MAX_ITEMS: &str = "commerce.max_items";

/// The table, for one shop.
#[derive(Debug, Clone)]
pub struct CommerceErrors {
    system: SystemId,
    bearer: bool,
}

impl CommerceErrors {
    /// The table for `system`; `bearer` adds the hint that integration tokens are refused as bearer by default.
    pub fn new(system: SystemId, bearer: bool) -> Self {
        Self { system, bearer }
    }
}

/// `{"message":…,"parameters":…,"errors":[…]}`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Body {
    message: Option<String>,
    parameters: Value,
    errors: Option<Vec<Body>>,
}

impl Body {
    fn raw(&self) -> &str {
        self.message.as_deref().unwrap_or_default()
    }

    /// The sentence with its placeholders filled, and with nothing in it that looks like a person's address.
    fn rendered(&self) -> String {
        let mut text = self.raw().to_owned();
        match &self.parameters {
            Value::Array(values) => {
                // From the highest on, so that %1 does not eat the beginning of %10.
                for (index, value) in values.iter().enumerate().take(50).rev() {
                    text = text.replace(&format!("%{}", index + 1), &plain(value));
                }
            }
            Value::Object(values) => {
                let mut names: Vec<_> = values.iter().take(50).collect();
                names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
                for (name, value) in names {
                    text = text.replace(&format!("%{name}"), &plain(value));
                }
            }
            _ => {}
        }
        without_addresses(&text)
    }

    fn parameter(&self, name: &str) -> Option<String> {
        self.parameters.get(name).or_else(|| self.parameters.get(0)).map(plain)
    }

    fn fields(&self) -> Vec<FieldError> {
        let one = |body: &Self| {
            let named = body.parameters.get("fieldName").or_else(|| body.parameters.get("field"));
            let path = named.map(plain).unwrap_or_default();
            FieldError::new(path, "commerce.invalid", body.rendered())
        };
        match &self.errors {
            Some(errors) if !errors.is_empty() => errors.iter().take(50).map(one).collect(),
            _ if self.raw().is_empty() => Vec::new(),
            _ => vec![one(self)],
        }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn without_addresses(text: &str) -> String {
    if !text.contains('@') {
        return text.to_owned();
    }
    let words: Vec<_> =
        text.split(' ').map(|word| if word.contains('@') { "(e-mail)" } else { word }).collect();
    words.join(" ")
}

impl Classify for CommerceErrors {
    fn classify(&self, call: &Call, response: &Response) -> Option<Error> {
        let status = response.status.as_u16();
        let page = looks_like_a_page(&response.body);
        if response.status.is_success() && !page {
            return None;
        }
        let body: Body = serde_json::from_slice(&response.body).unwrap_or_default();
        let mut upstream = Upstream::http(self.system.clone(), status);
        if !body.raw().is_empty() {
            upstream = upstream.with_message(body.rendered());
        }
        if let Some(report) = report_id(body.raw()) {
            upstream = upstream.with_request_id(report);
        }
        let lost = if call.safety == Safety::Read { Effect::None } else { Effect::Unknown };
        let error = if response.status.is_success() {
            Error::transient("the shop answered with a web page instead of data").with_effect(lost)
        } else {
            self.by_text(&body, lost).unwrap_or_else(|| by_status(status, &body, response, page, lost))
        };
        Some(error.with_upstream(upstream))
    }
}

impl CommerceErrors {
    fn by_text(&self, body: &Body, lost: Effect) -> Option<Error> {
        let nested = body.errors.iter().flatten().map(Body::raw);
        let all = std::iter::once(body.raw()).chain(nested).collect::<Vec<_>>().join("\n");
        let says = |texts: &[&str]| texts.iter().any(|text| all.contains(text));
        if says(&["isn't authorized to access", "is not authorized to access"]) {
            return Some(self.not_authorized(body));
        }
        if says(&[
            "Deadlock found",
            "deadlock found",
            "Lock wait timeout exceeded",
            "The stock item was unable to be saved",
            "Unable to save product",
        ]) {
            return Some(Error::transient("the shop's data base was busy (lock)").with_effect(lost));
        }
        if says(&["nonce is already being used", "nonce_used"]) {
            return Some(Error::transient("the shop saw this nonce before; a new one will do"));
        }
        if says(&["Maximum items of type"]) {
            let limit = body.parameter("max").unwrap_or_default();
            return Some(Error::invalid("items", MAX_ITEMS, format!("at most {limit} items a call")));
        }
        if says(&["Maximum SearchCriteria pageSize"]) {
            return Some(Error::invalid(
                "page_size",
                "commerce.max_page_size",
                format!("{}; lower page_size", body.rendered()),
            ));
        }
        if says(&["Request does not match any route"]) {
            return Some(Error::config(
                "the shop has no such route: a module is missing, or base_url or store is wrong",
            ));
        }
        if says(&["imestamp"]) && says(&["oauth", "refused", "too far"]) {
            return Some(Error::new(
                ErrorKind::Auth,
                "the shop refuses the signature's time; this machine's clock may be wrong",
            ));
        }
        if says(&["already exists", "same email address"]) {
            return Some(Error::new(ErrorKind::Conflict, body.rendered()));
        }
        None
    }

    fn not_authorized(&self, body: &Body) -> Error {
        let resource = body.parameter("resources").or_else(|| body.parameter("resource"));
        let missing: Vec<String> = resource
            .map(|names| names.split(',').map(|name| name.trim().to_owned()).collect())
            .unwrap_or_default();
        let hint = if self.bearer {
            "; an integration's token works as bearer only if the shop sets oauth/consumer/enable_integration_as_bearer, \
             otherwise use type = \"integration\""
        } else {
            ""
        };
        let text = format!(
            "the shop refuses access to {}: not granted, or the token is not valid; see System > Extensions > \
             Integrations > API{hint}",
            if missing.is_empty() { "this resource".to_owned() } else { missing.join(", ") }
        );
        Error::new(ErrorKind::Permission { missing }, text)
    }
}

fn by_status(status: u16, body: &Body, response: &Response, page: bool, lost: Effect) -> Error {
    let said = if body.raw().is_empty() {
        format!("the shop answered {status} without a message")
    } else {
        body.rendered()
    };
    match status {
        300..=399 => Error::config("the shop redirects; base_url must be the address that it redirects to"),
        401 => Error::new(ErrorKind::Auth, said),
        403 if page || body.raw().is_empty() => {
            let missing = vec!["passage through the web server or firewall".to_owned()];
            Error::new(
                ErrorKind::Permission { missing },
                "a web server or firewall before the shop refuses us",
            )
        }
        403 => Error::new(ErrorKind::Permission { missing: Vec::new() }, said),
        404 | 410 if body.raw().is_empty() => {
            Error::config("no REST API answers at this address; base_url is wrong, or rewrites are off")
        }
        404 | 410 => Error::new(ErrorKind::NotFound, said),
        405 | 406 => Error::unsupported(said),
        408 => Error::transient(said).with_effect(lost),
        409 | 412 => Error::new(ErrorKind::Conflict, said),
        413 => Error::invalid("body", "commerce.too_large", "the web server takes no body of this size"),
        429 => {
            let wait = response.header("retry-after").and_then(|text| text.trim().parse().ok()).unwrap_or(5);
            Error::new(ErrorKind::Throttled, said).with_retry_after(Duration::from_secs(wait))
        }
        400..=499 => Error::invalid_fields(said, body.fields()),
        500..=599 => {
            let error = Error::transient(said).with_effect(lost);
            match response.header("retry-after").and_then(|text| text.trim().parse().ok()) {
                Some(wait) => error.with_retry_after(Duration::from_secs(wait)),
                None => error,
            }
        }
        _ => Error::unexpected(said).with_effect(lost),
    }
}

fn looks_like_a_page(body: &[u8]) -> bool {
    body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'<')
}

/// `… Report ID: webapi-5f…` of a masked internal error.
fn report_id(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("Report ID: ")?;
    Some(rest.split_whitespace().next()?.trim_end_matches(['.', '"']))
}

/// The limit that a "Maximum items" error told, if it is one.
pub(crate) fn learned_max(error: &Error) -> Option<usize> {
    let field = error.fields().iter().find(|field| field.code == MAX_ITEMS)?;
    field.message.split_whitespace().find_map(|word| word.parse().ok()).filter(|max| *max > 0)
}

/// The same error once more, for the next item of a call that failed as a whole.
pub(crate) fn again(error: &Error) -> Error {
    let mut copy = Error::new(error.kind().clone(), error.message())
        .with_effect(error.effect())
        .with_operation(error.operation());
    for (name, value) in error.context() {
        copy = copy.with_context(name, value.clone());
    }
    if let Some(upstream) = error.upstream() {
        copy = copy.with_upstream(upstream.clone());
    }
    if let Some(wait) = error.retry_after() {
        copy = copy.with_retry_after(wait);
    }
    if error.is_exhausted() { copy.with_exhausted() } else { copy }
}

#[cfg(test)]
mod tests {
    use super::*;
    use erp_core::time::Timestamp;

    fn judge(call: Call, status: u16, body: &str) -> Error {
        let response = Response {
            status: http::StatusCode::from_u16(status).unwrap(),
            headers: http::HeaderMap::new(),
            body: bytes::Bytes::copy_from_slice(body.as_bytes()),
            started: Timestamp::EPOCH,
        };
        CommerceErrors::new("shop".into(), true).classify(&call, &response).unwrap()
    }

    const READ: Call = Call::read("t");
    const ONCE: Call = Call::once("t");

    #[test]
    fn the_table() {
        let cases: &[(Call, u16, &str, &str, Effect)] = &[
            (READ, 200, "<html>maintenance</html>", "erp.transient", Effect::None),
            (ONCE, 200, " <html>", "erp.transient", Effect::Unknown),
            (
                READ,
                401,
                r#"{"message":"The signature is invalid. Verify and try again."}"#,
                "erp.auth",
                Effect::None,
            ),
            (
                ONCE,
                400,
                r#"{"message":"SQLSTATE[40001]: 1213 Deadlock found when trying"}"#,
                "erp.transient",
                Effect::Unknown,
            ),
            (
                READ,
                401,
                r#"{"message":"The nonce is already being used by the consumer with ID %1.","parameters":["1"]}"#,
                "erp.transient",
                Effect::None,
            ),
            (READ, 404, r#"{"message":"Request does not match any route."}"#, "erp.config", Effect::None),
            (READ, 404, "<html>not found</html>", "erp.config", Effect::None),
            (
                READ,
                404,
                r#"{"message":"No such entity with %fieldName = %fieldValue","parameters":{"fieldName":"id","fieldValue":9}}"#,
                "erp.not_found",
                Effect::None,
            ),
            (
                ONCE,
                400,
                r#"{"message":"A customer with the same email address already exists in an associated website."}"#,
                "erp.conflict",
                Effect::None,
            ),
            (ONCE, 503, "<html>maintenance</html>", "erp.transient", Effect::Unknown),
            (READ, 503, "", "erp.transient", Effect::None),
            (ONCE, 429, r#"{"message":"Too Many Requests","trace":null}"#, "erp.throttled", Effect::None),
            (READ, 302, "", "erp.config", Effect::None),
            (READ, 403, "<html>", "erp.permission", Effect::None),
            (ONCE, 413, "<html>", "erp.invalid", Effect::None),
        ];
        for (call, status, body, code, effect) in cases {
            let error = judge(*call, *status, body);
            assert_eq!((error.code(), error.effect()), (*code, *effect), "{status} {body}");
        }
    }

    #[test]
    fn a_missing_permission_is_named_and_the_bearer_hint_given() {
        let body = r#"{"message":"The consumer isn't authorized to access %resources.","parameters":{"resources":"Magento_Sales::actions_view"}}"#;
        let error = judge(READ, 401, body);
        let missing = vec!["Magento_Sales::actions_view".to_owned()];
        assert_eq!(error.kind(), &ErrorKind::Permission { missing });
        assert!(error.message().contains("enable_integration_as_bearer"), "{error}");
    }

    #[test]
    fn a_masked_error_keeps_the_id_for_support() {
        let body = r#"{"message":"Internal Error. Details are available in Magento log file. Report ID: webapi-5f3e1c"}"#;
        let error = judge(ONCE, 500, body);
        assert_eq!(error.upstream().unwrap().request_id.as_deref(), Some("webapi-5f3e1c"));
        assert_eq!(error.effect(), Effect::Unknown);
    }

    #[test]
    fn placeholders_are_filled_and_addresses_of_people_left_out() {
        let body = r#"{"message":"No such entity with %fieldName = %fieldValue","parameters":{"fieldName":"email","fieldValue":"jane@example.test"}}"#;
        let error = judge(READ, 404, body);
        assert!(error.to_string().contains("email = (e-mail)"), "{error}");
        assert!(!format!("{error:?}").contains("jane"), "{error:?}");
        let many = r#"{"message":"%1 and %10","parameters":["a","b","c","d","e","f","g","h","i","j"]}"#;
        assert!(judge(READ, 400, many).message().contains("a and j"));
    }

    #[test]
    fn the_learned_limit_and_the_fields_survive() {
        let body =
            r#"{"message":"Maximum items of type \"%type\" is %max","parameters":{"type":"X","max":20}}"#;
        let error = judge(ONCE, 400, body);
        assert_eq!(learned_max(&error), Some(20));
        assert_eq!(learned_max(&again(&error)), Some(20));
        let body = r#"{"message":"Validation Failed","errors":[{"message":"\"%field\" should be numeric.","parameters":{"field":"quantity"}}]}"#;
        let error = judge(ONCE, 400, body);
        assert_eq!(error.fields()[0].path, "quantity");
        assert_eq!(error.fields()[0].message, "\"quantity\" should be numeric.");
    }
}
