//! One table: what SAP answered → what can be done about it.
//!
//! The vendor's code and header come before the HTTP status; the effect is what the answer proves. A refusal by
//! SAP's own gateway (an OData error below 500) means that nothing was stored, because a change set is rolled back as a
//! whole. Anything from 500 up, or from a proxy, proves nothing about a write.

use erp_core::error::{Effect, Error, ErrorKind, FieldError};
use erp_core::id::SystemId;
use erp_http::{Call, Classify, Response, Safety};
use odata_client::ODataError;
use std::time::Duration;

/// The table of one system.
#[derive(Debug)]
pub(crate) struct SapErrors {
    system: SystemId,
}

impl SapErrors {
    pub(crate) fn new(system: SystemId) -> Self {
        Self { system }
    }

    fn error(&self, kind: ErrorKind, effect: Effect, said: &ODataError, text: impl Into<String>) -> Error {
        Error::new(kind, text).with_effect(effect).with_upstream(said.upstream(self.system.clone()))
    }
}

impl Classify for SapErrors {
    fn classify(&self, call: &Call, response: &Response) -> Option<Error> {
        let status = response.status.as_u16();
        if response.status.is_success() && !hides_an_error(response) {
            return None;
        }
        let said = ODataError::of(response);
        // A write that SAP itself refused was rolled back; of any other answer nothing is known.
        let unknown = if call.safety == Safety::Read { Effect::None } else { Effect::Unknown };
        let wait = retry_after(response);
        let make = |kind, effect, text: String| Some(self.error(kind, effect, &said, text));
        let token_refused =
            response.header("x-csrf-token").is_some_and(|value| value.eq_ignore_ascii_case("required"));
        match status {
            // A success that holds an error (a gateway in between, or a function that reports in its body), or a page for
            // people where data was asked for: a log-on form.
            200..=299 if said.is_odata => make(ErrorKind::Unexpected, unknown, sentence(&said)),
            200..=299 => make(ErrorKind::Malformed, unknown, "SAP answered with a page for people, not with data".into()),
            // The host of the user interface sends to a log-on page.
            300..=399 => make(
                ErrorKind::Config,
                Effect::None,
                "SAP redirects; base_url must be the API host, and the log-on method must be allowed there".into(),
            ),
            // User or password wrong, locked, or the communication arrangement has another method.
            401 => make(ErrorKind::Auth, Effect::None, "SAP refuses the credentials".into()),
            // The CSRF session was refused twice: session cookies get lost on the way (SAP KBA 3048103, 3339155).
            403 if token_refused => make(
                ErrorKind::Transient,
                Effect::None,
                "SAP refuses the CSRF session again; a load balancer may be losing its cookies".into(),
            ),
            // Missing authorisation (S_SERVICE or the business role), or the communication scenario is not granted.
            403 => make(
                ErrorKind::Permission { missing: vec![sentence(&said)] },
                Effect::None,
                format!("SAP denies access: {}", sentence(&said)),
            ),
            // /IWFND/MED/170 "no service found": not activated in the service catalogue. Without an OData body it is the
            // web server that knows no such path.
            404 if !said.is_odata || said.has_code(|code| code.starts_with("/IWFND/MED/")) => make(
                ErrorKind::Config,
                Effect::None,
                "the service is not there; activate it (on premise) or grant its communication scenario (cloud)".into(),
            ),
            404 => make(ErrorKind::NotFound, Effect::None, sentence(&said)),
            // VL/045, V1/042, MC/601 and others: "… is currently being processed by user …". The document is locked by a
            // person or by SAP's own follow-up workflow (SAP KBA 3645227); nothing was done.
            400 | 409 | 423 | 500 if is_lock(&said) => {
                make(ErrorKind::Transient, Effect::None, format!("locked: {}", sentence(&said)))
            }
            423 => make(ErrorKind::Transient, Effect::None, format!("locked: {}", sentence(&said))),
            // Somebody else changed it between our read and our write.
            409 | 412 => make(ErrorKind::Conflict, Effect::None, sentence(&said)),
            // Our own mistake: the service wants If-Match.
            428 => make(ErrorKind::Unexpected, Effect::None, "SAP wants an ETag that was not sent".into()),
            // A policy of API management, or no free work process.
            429 => Some(patient(self.error(ErrorKind::Throttled, Effect::None, &said, "SAP asks to slow down"), wait)),
            405 | 501 => make(ErrorKind::Unsupported, Effect::None, format!("SAP does not do this: {}", sentence(&said))),
            413 | 414 => make(ErrorKind::Unexpected, Effect::None, "the request is larger than SAP takes".into()),
            // The business refuses: unknown material, sales area, incomplete data.
            400..=499 if said.is_odata => make(ErrorKind::Invalid { fields: fields(&said) }, Effect::None, sentence(&said)),
            400..=499 => make(ErrorKind::Malformed, Effect::None, format!("something before SAP refuses with status {status}")),
            // Maintenance or overload: a gateway may answer so while SAP goes on working.
            _ => Some(patient(self.error(ErrorKind::Transient, unknown, &said, trouble(status, &said)), wait)),
        }
    }
}

fn patient(error: Error, wait: Option<Duration>) -> Error {
    match wait {
        Some(wait) => error.with_retry_after(wait),
        None => error,
    }
}

fn trouble(status: u16, said: &ODataError) -> String {
    if said.is_odata {
        format!("SAP failed inside: {}", sentence(said))
    } else {
        format!("SAP or something before it is in trouble (status {status})")
    }
}

fn hides_an_error(response: &Response) -> bool {
    let body = response.body.trim_ascii_start();
    body.starts_with(b"{\"error\"") || body.starts_with(b"<error") || is_page(body)
}

/// A page of HTML where data was asked for.
fn is_page(body: &[u8]) -> bool {
    let head: Vec<u8> = body.iter().take(15).map(u8::to_ascii_lowercase).collect();
    head.starts_with(b"<!doctype html") || head.starts_with(b"<html")
}

/// The vendor's first sentence that says something.
fn sentence(said: &ODataError) -> String {
    let detail = said.errors().map(|detail| detail.message.as_str()).find(|text| !text.is_empty());
    let text = if said.message.is_empty() { detail.unwrap_or("no reason given") } else { &said.message };
    text.chars().take(300).collect()
}

/// Whether the refusal says that somebody else holds the document. Message numbers differ by object and release, so the
/// English text counts; that is why the logon language is always sent.
fn is_lock(said: &ODataError) -> bool {
    const CODES: [&str; 5] = ["V1/042", "V1/045", "VL/045", "VL/046", "MC/601"];
    const TEXTS: [&str; 5] = [
        "is currently being processed by",
        "is being processed by",
        "currently locked by",
        "is locked by",
        "already being processed",
    ];
    let texts = std::iter::once(&said.message).chain(said.details.iter().map(|detail| &detail.message));
    let speaks = |text: &String| TEXTS.iter().any(|lock| text.to_lowercase().contains(lock));
    said.has_code(|code| CODES.contains(&code)) || texts.into_iter().any(speaks)
}

/// The properties that SAP names, in SAP's words; the order sink turns them into the order's own.
fn fields(said: &ODataError) -> Vec<FieldError> {
    let mut fields: Vec<FieldError> = said
        .errors()
        .map(|detail| FieldError::new(detail.target.trim_start_matches('/'), &detail.code, &detail.message))
        .collect();
    if fields.is_empty() {
        fields.push(FieldError::new(said.target.trim_start_matches('/'), &said.code, &said.message));
    }
    fields
}

/// `Retry-After` in seconds. SAP and the gateways before it do not send dates.
fn retry_after(response: &Response) -> Option<Duration> {
    let secs: u64 = response.header("retry-after")?.trim().parse().ok()?;
    Some(Duration::from_secs(secs.min(3600)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use erp_core::time::Timestamp;
    use http::{HeaderMap, HeaderValue, StatusCode};

    /// Status, headers and body, and what becomes of a create so answered.
    type Case<'a> = (u16, &'a [(&'static str, &'static str)], &'a str, &'a str, Effect);

    const READ: Call = Call::read("t");
    const CREATE: Call = Call::once("t");

    fn answer(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Response {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, HeaderValue::from_static(value));
        }
        let body = Bytes::copy_from_slice(body.as_bytes());
        Response {
            status: StatusCode::from_u16(status).unwrap(),
            headers: map,
            body,
            started: Timestamp::EPOCH,
        }
    }

    fn classify(call: Call, response: &Response) -> Error {
        SapErrors::new("sap".into()).classify(&call, response).unwrap()
    }

    fn odata(code: &str, text: &str) -> String {
        serde_json::json!({"error": {"code": code, "message": {"lang": "en", "value": text}}}).to_string()
    }

    #[test]
    fn the_table() {
        let lock = odata("VL/045", "Sales document 1 is currently being processed by user WF-BATCH");
        let other_lock = odata("XY/001", "Transaction is being processed by user SAP_WFRT");
        let bad = odata("V1/382", "Material X is not defined for sales org. 1710");
        let none = odata("/IWFND/MED/170", "No service found for namespace '', name 'API_X', version '0001'");
        let absent = odata("/IWBEP/CM_MGW_RT/020", "Resource not found for the segment 'A_SalesOrder'");
        let page = "<html><body>Service Unavailable</body></html>";
        let cases: [Case<'_>; 19] = [
            (400, &[], &lock, "erp.transient", Effect::None),
            (423, &[], "", "erp.transient", Effect::None),
            (400, &[], &other_lock, "erp.transient", Effect::None),
            (400, &[], &bad, "erp.invalid", Effect::None),
            (400, &[], page, "erp.malformed", Effect::None),
            (401, &[], "", "erp.auth", Effect::None),
            (403, &[("x-csrf-token", "Required")], "CSRF-Token-Validierung", "erp.transient", Effect::None),
            (403, &[], &odata("/IWFND/CM_CONSUMER/101", "No authorization"), "erp.permission", Effect::None),
            (404, &[], &none, "erp.config", Effect::None),
            (404, &[], "", "erp.config", Effect::None),
            (404, &[], &absent, "erp.not_found", Effect::None),
            (302, &[], "", "erp.config", Effect::None),
            (412, &[], "", "erp.conflict", Effect::None),
            (428, &[], "", "erp.unexpected", Effect::None),
            (429, &[("retry-after", "60")], "", "erp.throttled", Effect::None),
            (500, &[], &odata("SY/530", "Short dump"), "erp.transient", Effect::Unknown),
            (503, &[("retry-after", "7")], page, "erp.transient", Effect::Unknown),
            (200, &[], &bad, "erp.unexpected", Effect::Unknown),
            (200, &[], page, "erp.malformed", Effect::Unknown),
        ];
        for (status, headers, body, code, effect) in cases {
            let response = answer(status, headers, body);
            let error = classify(CREATE, &response);
            assert_eq!((error.code(), error.effect()), (code, effect), "{status} {body}");
            assert_eq!(
                classify(READ, &response).effect(),
                Effect::None,
                "a read has no effect: {status} {body}"
            );
        }
    }

    #[test]
    fn waits_are_passed_on_and_bounded() {
        assert_eq!(
            classify(READ, &answer(429, &[("retry-after", "60")], "")).retry_after(),
            Some(Duration::from_secs(60))
        );
        assert_eq!(
            classify(READ, &answer(503, &[("retry-after", "99999")], "")).retry_after(),
            Some(Duration::from_secs(3600))
        );
        assert_eq!(classify(READ, &answer(503, &[("retry-after", "soon")], "")).retry_after(), None);
    }

    #[test]
    fn successes_are_successes() {
        for (status, body) in
            [(200, "{\"d\":{\"results\":[]}}"), (201, "{\"d\":{}}"), (204, ""), (202, "--b\r\n")]
        {
            assert!(
                SapErrors::new("sap".into()).classify(&CREATE, &answer(status, &[], body)).is_none(),
                "{status}"
            );
        }
    }

    #[test]
    fn the_property_and_the_transaction_are_kept() {
        let body = serde_json::json!({"error": {"code": "V1/382", "message": {"value": "Material X is not defined"},
            "innererror": {"transactionid": "T1", "errordetails": [
                {"code": "V1/382", "message": "Material X is not defined", "propertyref": "Material", "severity": "error"},
                {"code": "/IWBEP/CX_MGW_BUSI_EXCEPTION", "message": "An exception was raised", "severity": "error"}]}}});
        let error = classify(CREATE, &answer(400, &[], &body.to_string()));
        assert_eq!(error.fields().len(), 1);
        assert_eq!(error.fields()[0].path, "Material");
        assert_eq!(error.upstream().unwrap().request_id.as_deref(), Some("T1"));
    }
}
