//! One table: what NetSuite answered → what can be done about it. The vendor's code counts before the status, because
//! NetSuite writes 400 for a missing transaction, for a locked record and (RESTlets) for too many calls, and 401 for
//! everything that is wrong with a log-on.
//!
//! | answer | kind | effect of a write |
//! | --- | --- | --- |
//! | 429, or 400 with `SSS_REQUEST_LIMIT_EXCEEDED` and its like | `Throttled` | none: a blocked request did nothing |
//! | 401 (any code) | `Auth`; the reason stands in the Login Audit Trail only | none |
//! | 403, or any `…PERMISSION…` code or sentence | `Permission` naming id, level and menu path | none |
//! | `DUP_RCRD` and its like, "already exists" | `Conflict` | none |
//! | 400 `IDEMPOTENCY_ERROR` | `Conflict`; `Location` is the earlier job | none |
//! | `RCRD_HAS_BEEN_CHANGED` | `Conflict` | none |
//! | `RCRD_LOCKED_BY_WF`, `RCRD_UNEDITABLE`, 400 `USER_ERROR` "locked" | `Invalid`: a person unlocks it | none |
//! | `CLOSED_TRAN_PRD` and its like | `Invalid` at the date | none |
//! | 404 `NONEXISTENT_ID` "Record type … does not exist" | `Config`: the feature is off, or not granted | none |
//! | 404, 400 "Transaction type specified is incorrect" | `NotFound` | none |
//! | 400 `INVALID_HEADER` Accept-Language | `Config`: the user's language is not the company's | none |
//! | other 400 | `Invalid` with the paths it names | none |
//! | 302 (RESTlet of another data centre) | `Config` | none |
//! | 500 `UNEXPECTED_ERROR`, 502, 503, 504 | `Transient` | unknown |
//! | 2xx with a web page | `Malformed` | unknown |
//!
//! SOAP takes its codes from the same list; its faults have a table of their own (the module `soap`).
//!
//! Source: Oracle's online help, section 156570709583 (codes and statuses) and 4634920277 (RESTlets).

use crate::jobs::{JOB, job_at};
use crate::permission::{self, Lack};
use erp_core::error::{Effect, Error, ErrorKind, FieldError, Upstream};
use erp_core::id::SystemId;
use erp_http::{Call, Classify, Response, Safety, redact};
use serde::Deserialize;

/// The table of one account.
#[derive(Debug)]
pub(crate) struct NetsuiteErrors {
    system: SystemId,
}

impl NetsuiteErrors {
    pub(crate) fn new(system: SystemId) -> Self {
        Self { system }
    }
}

/// `{"type":…,"title":…,"status":…,"o:errorDetails":[…]}`, or what a RESTlet answers.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Body {
    title: Option<String>,
    #[serde(rename = "o:errorDetails")]
    details: Vec<Detail>,
    #[serde(rename = "o:errorCode")]
    code: Option<String>,
    /// A script's error, in either of its two forms.
    error: Option<ScriptError>,
    name: Option<String>,
    message: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ScriptError {
    code: Option<String>,
    message: Option<String>,
}

/// One thing that NetSuite says is wrong.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Detail {
    #[serde(rename = "detail")]
    text: String,
    #[serde(rename = "o:errorCode")]
    code: String,
    #[serde(rename = "o:errorPath")]
    path: Option<String>,
    #[serde(rename = "o:errorQueryParam")]
    query: Option<String>,
    #[serde(rename = "o:errorHeader")]
    header: Option<String>,
}

impl Detail {
    fn place(&self) -> String {
        let query = self.query.as_ref().map(|name| format!("?{name}"));
        self.path.clone().or(query).or_else(|| self.header.clone()).unwrap_or_default()
    }

    fn sentence(&self) -> String {
        sentence(&self.text)
    }
}

/// NetSuite's sentence, with nothing in it that looks like a person's address.
fn sentence(text: &str) -> String {
    redact::text(text).chars().take(400).collect()
}

/// A code or a path, as long as one may be.
fn name(text: &str) -> String {
    text.chars().take(200).collect()
}

/// One thing that SOAP says is wrong.
#[cfg(feature = "soap")]
#[derive(Debug, Clone)]
pub(crate) struct Word {
    pub(crate) code: String,
    pub(crate) text: String,
    /// What it is about, as a path into the body that REST would get; empty if that is not known.
    pub(crate) place: String,
}

#[cfg(feature = "soap")]
impl Word {
    pub(crate) fn sentence(&self) -> String {
        let text = if self.text.is_empty() { &self.code } else { &self.text };
        sentence(text)
    }
}

/// What can be done about what SOAP says, by the codes that it shares with REST.
#[cfg(feature = "soap")]
pub(crate) fn judge(words: Vec<Word>, lost: Effect) -> Error {
    let detail = |word: Word| {
        let path = Some(word.place).filter(|place| !place.is_empty());
        Detail { text: word.text, code: word.code, path, ..Detail::default() }
    };
    let said = Said { details: words.into_iter().map(detail).collect(), title: String::new() };
    by_code(&said, 0, lost).unwrap_or_else(|| Error::invalid_fields(said.sentence(), said.fields()))
}

/// What an answer says is wrong, whichever of NetSuite's three forms it has.
#[derive(Debug, Default)]
struct Said {
    details: Vec<Detail>,
    title: String,
}

impl Said {
    fn of(response: &Response) -> Self {
        let Ok(body) = serde_json::from_slice::<Body>(&response.body) else { return Self::default() };
        let title = body.title.unwrap_or_default();
        if !body.details.is_empty() {
            return Self { details: body.details, title };
        }
        let script = body.error.unwrap_or_default();
        let code = body.code.or(script.code).or(body.name).unwrap_or_default();
        let detail = script.message.or(body.message).unwrap_or_default();
        if code.is_empty() && detail.is_empty() {
            return Self { details: Vec::new(), title };
        }
        Self { details: vec![Detail { text: detail, code, ..Detail::default() }], title }
    }

    fn has(&self, codes: &[&str]) -> bool {
        self.details.iter().any(|detail| codes.contains(&detail.code.as_str()))
    }

    fn speaks(&self, words: &[&str]) -> bool {
        self.details.iter().any(|detail| {
            let text = detail.text.to_lowercase();
            words.iter().any(|word| text.contains(word))
        })
    }

    fn first(&self) -> Option<&Detail> {
        self.details.iter().find(|detail| !detail.text.is_empty()).or(self.details.first())
    }

    fn sentence(&self) -> String {
        match self.first().map(Detail::sentence).filter(|text| !text.is_empty()) {
            Some(text) => text,
            None if self.title.is_empty() => "no reason given".to_owned(),
            None => sentence(&self.title),
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        self.details
            .iter()
            .take(50)
            .map(|detail| FieldError::new(name(&detail.place()), name(&detail.code), detail.sentence()))
            .collect()
    }

    fn lack(&self) -> Option<Lack> {
        self.details.iter().find_map(|detail| permission::parse(&detail.text))
    }
}

const THROTTLED: &[&str] = &[
    "CONCURRENCY_LIMIT_EXCEEDED",
    "SSS_REQUEST_LIMIT_EXCEEDED",
    "WS_REQUEST_BLOCKED",
    "WS_CONCUR_SESSION_DISALLWD",
    "EXCEEDED_MAX_CONCUR_RQST",
];
const PERMISSION: &[&str] = &[
    "INSUFFICIENT_PERMISSION",
    "INSUFFICIENT_FLD_PERMISSION",
    "NOT_ENOUGH_PERMISSIONS",
    "PERMISSION_VIOLATION",
    "APPROVAL_PERMS_REQD",
    "PRIVATE_RCRD_ACCESS_DISALLWD",
    "INACTIVE_RCRD_FOR_ROLE",
    "WS_PERMISSION_REQD",
    "OI_PERMISSION_REQD",
    "ROLE_REQUIRED",
];
const FEATURE: &[&str] = &[
    "WS_FEATURE_REQD",
    "OI_FEATURE_REQD",
    "FEATURE_DISABLED",
    "FEATURE_UNAVAILABLE",
    "REQUIRED_FEATURE_IS_NOT_ENABLED",
];
const DUPLICATE: &[&str] =
    &["DUP_RCRD", "DUP_ENTITY", "DUP_ITEM", "DUP_NAME", "DUP_TRANS", "CANT_CREATE_NON_UNIQUE_RCRD"];
const LOCKED: &[&str] = &["RCRD_LOCKED_BY_WF", "RCRD_UNEDITABLE", "CANT_MODIFY_LOCKED_FLD"];
const PERIOD: &[&str] = &["CLOSED_TRAN_PRD", "TRAN_PRD_CLOSED", "TRAN_PERIOD_CLOSED"];
/// A job runs under this key already; `Location` says which.
const KEY_USED: &str = "IDEMPOTENCY_ERROR";
const SCRIPT_LIMIT: &[&str] = &["SSS_TIME_LIMIT_EXCEEDED", "SSS_REQUEST_TIME_EXCEEDED"];

impl Classify for NetsuiteErrors {
    fn classify(&self, call: &Call, response: &Response) -> Option<Error> {
        let status = response.status.as_u16();
        let page = response.body.trim_ascii_start().starts_with(b"<");
        if response.status.is_success() && !page {
            return None;
        }
        let said = Said::of(response);
        let lost = if call.safety == Safety::Read { Effect::None } else { Effect::Unknown };
        let error = match by_code(&said, status, lost) {
            Some(error) if !response.status.is_success() => error,
            _ => by_status(status, &said, page, lost),
        };
        let error = error.with_upstream(self.upstream(status, &said, response));
        let earlier = said.has(&[KEY_USED]).then(|| job_at(response.header("location"))).flatten();
        Some(earlier.into_iter().fold(error, |error, job| error.with_context(JOB, job)))
    }
}

impl NetsuiteErrors {
    fn upstream(&self, status: u16, said: &Said, response: &Response) -> Upstream {
        let mut upstream = Upstream::http(self.system.clone(), status);
        if let Some(first) = said.first() {
            upstream = upstream.with_code(name(&first.code)).with_message(first.sentence());
        }
        // What NetSuite's support asks for.
        match response.header("x-n-operationid").or_else(|| response.header("x-netsuite-jobid")) {
            Some(id) => upstream.with_request_id(id),
            None => upstream,
        }
    }
}

fn by_code(said: &Said, status: u16, lost: Effect) -> Option<Error> {
    let text = || said.sentence();
    if status == 429 || said.has(THROTTLED) {
        return Some(Error::new(ErrorKind::Throttled, "the account's concurrent requests are used up"));
    }
    if status == 401 {
        return Some(Error::new(
            ErrorKind::Auth,
            "NetSuite refuses the log-on; the reason stands only in Setup > Users/Roles > View Login Audit Trail, column Detail",
        ));
    }
    if let Some(lack) = said.lack() {
        return Some(refused(&lack));
    }
    if said.has(PERMISSION) || status == 403 {
        let text = format!("NetSuite refuses access and names no permission: {}", text());
        return Some(Error::new(ErrorKind::Permission { missing: Vec::new() }, text));
    }
    if said.has(FEATURE) {
        return Some(Error::config(format!("a feature of the account is off: {}", text())));
    }
    if said.has(DUPLICATE) || said.speaks(&["already exists", "already been used"]) {
        return Some(Error::new(ErrorKind::Conflict, text()));
    }
    if said.has(&[KEY_USED]) {
        return Some(Error::new(ErrorKind::Conflict, "the idempotency key was used before"));
    }
    if said.has(&["RCRD_HAS_BEEN_CHANGED"]) {
        return Some(Error::new(ErrorKind::Conflict, "somebody changed the record meanwhile"));
    }
    if said.has(LOCKED) || said.speaks(&["locked by a workflow", "record is locked", "has been locked"]) {
        let remedy =
            "; unlock the record, or exclude the REST context from the workflow's Lock Record action";
        return Some(Error::invalid_fields(
            format!("{}{remedy}", text()),
            vec![FieldError::new("record", "netsuite.locked", text())],
        ));
    }
    if said.has(PERIOD) {
        let remedy = "; open the period (Setup > Accounting > Manage Accounting Periods), or let posting follow the first open day";
        return Some(Error::invalid_fields(
            format!("{}{remedy}", text()),
            vec![FieldError::new("tranDate", "netsuite.period_closed", text())],
        ));
    }
    if said.has(&["INVALID_HEADER"]) && said.speaks(&["accept-language", "language"]) {
        return Some(Error::config(
            "the integration user's language is not the company's; set it at Home > Set Preferences",
        ));
    }
    if said.has(SCRIPT_LIMIT) {
        return Some(Error::transient("a script in the account ran out of time or units").with_effect(lost));
    }
    by_absence(said)
}

/// A record type that is unknown here, a record that is not there.
fn by_absence(said: &Said) -> Option<Error> {
    let kind_unknown = said.details.iter().any(|detail| {
        detail.code == "NONEXISTENT_ID"
            && detail.text.starts_with("Record type")
            && detail.text.contains("does not exist")
    });
    if kind_unknown {
        let remedy = "; the feature is off, or the role lacks every permission on it";
        return Some(Error::config(format!("{}{remedy}", said.sentence())));
    }
    let absent = ["NONEXISTENT_ID", "RCRD_DSNT_EXIST", "TRANS_DOES_NOT_EXIST", "NONEXISTENT_EXTERNAL_ID"];
    // A transaction that is not there, or is another kind, is a 400 without a code of its own.
    if said.speaks(&["transaction type specified is incorrect"])
        || said.details.iter().any(|d| d.path.is_none() && absent.contains(&d.code.as_str()))
    {
        return Some(Error::new(
            ErrorKind::NotFound,
            "not there, or hidden from this role by a restriction on subsidiaries, locations or owners",
        ));
    }
    None
}

fn by_status(status: u16, said: &Said, page: bool, lost: Effect) -> Error {
    match status {
        200..=299 => {
            Error::malformed("NetSuite answered with a page for people, not with data").with_effect(lost)
        }
        300..=399 => Error::config(
            "NetSuite redirects: the host belongs to another data centre; take the domains from Setup > Company > Company Information > Company URLs",
        ),
        404 | 410 if page => Error::config("no service answers at this address; base_url is wrong"),
        404 | 410 => Error::new(ErrorKind::NotFound, said.sentence()),
        405 | 406 | 415 | 501 => {
            Error::unsupported(format!("NetSuite does not do this: {}", said.sentence()))
        }
        408 => Error::transient("NetSuite waited too long for the request").with_effect(lost),
        409 | 412 => Error::new(ErrorKind::Conflict, said.sentence()),
        413 => Error::invalid("body", "netsuite.too_large", "the request is larger than NetSuite takes"),
        400..=499 if page => {
            Error::malformed(format!("something before NetSuite refuses with status {status}"))
        }
        400..=499 => Error::invalid_fields(said.sentence(), said.fields()),
        // Java exceptions, maintenance, a data base that is away: NetSuite may go on working after it answered.
        _ => Error::transient(format!("NetSuite is in trouble (status {status}): {}", said.sentence()))
            .with_effect(lost),
    }
}

/// A missing permission, with where it is granted.
fn refused(lack: &Lack) -> Error {
    Error::new(
        ErrorKind::Permission { missing: vec![lack.to_string()] },
        format!("the role lacks {lack}; {}", lack.remedy()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use erp_core::time::Timestamp;
    use http::{HeaderMap, StatusCode};

    const READ: Call = Call::read("t");
    const CREATE: Call = Call::once("t");

    fn answer(status: u16, body: &str) -> Response {
        Response {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            started: Timestamp::EPOCH,
        }
    }

    fn classify(call: Call, response: &Response) -> Error {
        NetsuiteErrors::new("ns".into()).classify(&call, response).unwrap()
    }

    fn body(status: u16, code: &str, detail: &str) -> String {
        serde_json::json!({"type": "https://www.rfc-editor.org/rfc/rfc9110.html", "title": "Bad Request",
            "status": status, "o:errorDetails": [{"detail": detail, "o:errorCode": code}]})
        .to_string()
    }

    #[test]
    fn the_table() {
        let b = body;
        let cases: Vec<(u16, String, &str, Effect)> = vec![
            (
                429,
                b(429, "CONCURRENCY_LIMIT_EXCEEDED", "Concurrent request limit exceeded. Request blocked."),
                "erp.throttled",
                Effect::None,
            ),
            (
                400,
                r#"{"error":{"code":"SSS_REQUEST_LIMIT_EXCEEDED","message":"Request Limit Exceeded"}}"#
                    .into(),
                "erp.throttled",
                Effect::None,
            ),
            (
                400,
                r#"{"type":"error.SuiteScriptError","name":"SSS_REQUEST_LIMIT_EXCEEDED","message":"x"}"#
                    .into(),
                "erp.throttled",
                Effect::None,
            ),
            (401, b(401, "INVALID_LOGIN", "Invalid login attempt."), "erp.auth", Effect::None),
            (
                403,
                b(
                    403,
                    "INSUFFICIENT_PERMISSION",
                    "Permission Violation: You need  the 'Lists -> Currency' permission to access this page.",
                ),
                "erp.permission",
                Effect::None,
            ),
            (
                400,
                b(
                    400,
                    "USER_ERROR",
                    "Permission Violation: You need a higher level of permission for Sales Order to access this page.",
                ),
                "erp.permission",
                Effect::None,
            ),
            (400, b(400, "DUP_RCRD", "This record already exists."), "erp.conflict", Effect::None),
            (
                400,
                b(400, "USER_ERROR", "A record with externalId X already exists"),
                "erp.conflict",
                Effect::None,
            ),
            (400, b(400, "IDEMPOTENCY_ERROR", "Conflict"), "erp.conflict", Effect::None),
            (400, b(400, "RCRD_HAS_BEEN_CHANGED", "Record has been changed"), "erp.conflict", Effect::None),
            (
                400,
                b(400, "RCRD_LOCKED_BY_WF", "This record has been locked by a user defined workflow."),
                "erp.invalid",
                Effect::None,
            ),
            (
                400,
                b(400, "CLOSED_TRAN_PRD", "You cannot post into a closed period."),
                "erp.invalid",
                Effect::None,
            ),
            (
                404,
                b(404, "NONEXISTENT_ID", "Record type 'taxItem' does not exist."),
                "erp.config",
                Effect::None,
            ),
            (
                404,
                b(
                    404,
                    "NONEXISTENT_ID",
                    "The record instance does not exist. Provide a valid record instance ID.",
                ),
                "erp.not_found",
                Effect::None,
            ),
            (
                400,
                b(
                    400,
                    "USER_ERROR",
                    "Error while accessing a resource. Transaction type specified is incorrect.",
                ),
                "erp.not_found",
                Effect::None,
            ),
            (400, b(400, "INVALID_HEADER", "Invalid Accept-Language"), "erp.config", Effect::None),
            (400, b(400, "INVALID_CONTENT", "Invalid value"), "erp.invalid", Effect::None),
            (302, String::new(), "erp.config", Effect::None),
            (500, b(500, "UNEXPECTED_ERROR", "Error ID: x"), "erp.transient", Effect::Unknown),
            (503, "<html>maintenance</html>".into(), "erp.transient", Effect::Unknown),
            (200, "<html>log on</html>".into(), "erp.malformed", Effect::Unknown),
        ];
        for (status, body, code, effect) in cases {
            let response = answer(status, &body);
            let error = classify(CREATE, &response);
            assert_eq!((error.code(), error.effect()), (code, effect), "{status} {body}");
            assert_eq!(
                classify(READ, &response).effect(),
                Effect::None,
                "a read has no effect: {status} {body}"
            );
        }
        assert!(NetsuiteErrors::new("ns".into()).classify(&CREATE, &answer(204, "")).is_none());
    }

    #[test]
    fn a_path_into_the_body_becomes_the_field() {
        let text = r#"{"title":"Bad Request","status":400,"o:errorDetails":[
            {"detail":"Invalid Field Value 99 for the following field: item","o:errorCode":"INVALID_CONTENT","o:errorPath":"item.items[1].item"},
            {"detail":"anna@example.test is no date","o:errorCode":"INVALID_PARAMETER","o:errorQueryParam":"q"}]}"#;
        let error = classify(CREATE, &answer(400, text));
        let paths: Vec<_> = error.fields().iter().map(|field| field.path.as_str()).collect();
        assert_eq!(paths, ["item.items[1].item", "?q"]);
        assert!(!format!("{error:?}").contains("anna@"), "no person is in it");
    }

    #[test]
    fn a_refusal_names_permission_level_and_menu() {
        let sentence = "Permission Violation: You need  the 'Transactions -> Sales Order' permission to access this page. Please contact your account administrator.";
        let error = classify(CREATE, &answer(403, &body(403, "INSUFFICIENT_PERMISSION", sentence)));
        let ErrorKind::Permission { missing } = error.kind() else { panic!("{error}") };
        assert!(missing[0].contains("TRAN_SALESORD"), "{missing:?}");
        assert!(
            error.message().contains("Manage Roles") && error.message().contains("Transactions"),
            "{error}"
        );
    }
}
