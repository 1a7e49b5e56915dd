//! What SOAP says is wrong: faults, which end a request, and statuses, which an answer of HTTP 200 carries for each record.
//!
//! | answer | kind | effect of a write |
//! | --- | --- | --- |
//! | `exceededConcurrentRequestLimitFault`, `exceededRequestLimitFault`, or the sentence about concurrent requests | `Throttled` | none: a blocked request did nothing |
//! | `invalidCredentialsFault`, whatever its code; `invalidAccountFault`, `invalidSessionFault`; codes of log-on | `Auth` | none |
//! | `insufficientPermissionFault`, `WS_PERMISSION_REQD` | `Permission` | none |
//! | `WS_FEATURE_REQD` | `Config`: the feature SOAP Web Services is off | none |
//! | `invalidVersionFault` and its codes | `Config`: the endpoint is not served any more | none |
//! | `exceededRecordCountFault`, `exceededRequestSizeFault` | `Invalid` | none |
//! | `ACCT_TEMP_UNAVAILABLE`, maintenance, a session that is ending | `Transient` | none: the request was not let in |
//! | `unexpectedErrorFault`, a Java exception, a data base that is away | `Transient` | unknown |
//! | a fault of the XML's reader | `Unexpected` | none |
//! | a status that is no success | as REST's errors: both take their codes from one list | none, or as above |
//!
//! The name of a fault counts before its code: a refused log-on has been seen with `UNEXPECTED_ERROR` inside
//! `invalidCredentialsFault`, and five more of it lock the user.
//!
//! Sources: Oracle's online help, sections N3539420 (faults) and 1525252812 (concurrency); the texts of passing trouble are
//! those that the NetSweet client repeats.

use super::xml::Element;
use crate::error::{Word, judge};
use crate::permission::{self, Lack, Level};
use erp_core::error::{Effect, Error, ErrorKind, Result, Upstream};
use erp_core::id::SystemId;

/// What ended a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// The name of the fault's element; empty if it is none of NetSuite's own.
    kind: String,
    code: String,
    text: String,
}

const BUSY: &[&str] = &[
    "concurrent request limit exceeded",
    "only one request may be made against a session",
    "maximum number of concurrent requests",
];
/// Texts of passing trouble where the request was not let in.
const OUTSIDE: &[&str] = &["regularly scheduled maintenance", "session invalidation is in progress"];
/// Texts of passing trouble where it may have been.
const PASSING: &[&str] = &[
    "java.util.concurrentmodificationexception",
    "java.lang.nullpointerexception",
    "java.lang.illegalstateexception",
    "java.lang.reflect.invocationtargetexception",
    "nldatabaseofflineexception",
    "cacheunavailableexception",
    "an unexpected error occurred",
];
const LOG_ON: &[&str] = &[
    "INVALID_LOGIN_CREDENTIALS",
    "INVALID_LOGIN_ATTEMPT",
    "INVALID_LOGIN",
    "INVALID_LOGIN_IP",
    "INVALID_ACCT",
    "INVALID_ROLE",
    "LOGIN_DISABLED",
    "CANT_LOGIN_WITH_OAUTH",
    "WS_LOG_IN_REQD",
    "SESSION_TIMED_OUT",
];
const FEATURE: &[&str] = &["WS_FEATURE_REQD", "OI_FEATURE_REQD"];
const VERSION: &[&str] = &["INVALID_WS_VERSION", "UNSUPPORTED_WS_VERSION", "UPGRADE_WS_VERSION"];

fn speaks(text: &str, words: &[&str]) -> bool {
    let text = text.to_lowercase();
    words.iter().any(|word| text.contains(word))
}

/// Trouble that passes by itself, whichever way it is told.
fn passing(code: &str, text: &str, lost: Effect) -> Option<Error> {
    if speaks(text, BUSY) {
        return Some(throttled());
    }
    if code == "ACCT_TEMP_UNAVAILABLE" || speaks(text, OUTSIDE) {
        return Some(Error::transient("NetSuite lets nobody in at the moment").with_effect(Effect::None));
    }
    if code == "UNEXPECTED_ERROR" || speaks(text, PASSING) {
        return Some(Error::transient("NetSuite is in trouble").with_effect(lost));
    }
    None
}

fn throttled() -> Error {
    Error::new(ErrorKind::Throttled, "the account's concurrent requests are used up")
}

impl Fault {
    /// The fault in a SOAP body.
    pub(super) fn of(body: &Element) -> Option<Self> {
        let fault = body.child("Fault")?;
        let own = fault
            .child("detail")
            .and_then(|detail| detail.children().find(|child| child.local().ends_with("Fault")));
        let said = |name: &str| own.and_then(|own| own.say(name)).unwrap_or_default().to_owned();
        let text = Some(said("message")).filter(|text| !text.is_empty());
        Some(Self {
            kind: own.map(Element::local).unwrap_or_default().to_owned(),
            code: said("code"),
            text: text.unwrap_or_else(|| fault.say("faultstring").unwrap_or_default().to_owned()),
        })
    }

    fn word(&self) -> Word {
        Word { code: self.code.clone(), text: self.text.clone(), place: String::new() }
    }

    /// What can be done about it. `lost` is the effect of a request that may have been executed.
    pub(super) fn error(&self, lost: Effect) -> Error {
        let (kind, code) = (self.kind.as_str(), self.code.as_str());
        match kind {
            "exceededConcurrentRequestLimitFault" | "exceededRequestLimitFault" => return throttled(),
            "invalidCredentialsFault" | "invalidAccountFault" => return refused_log_on(),
            _ => {}
        }
        if let Some(error) = passing(code, &self.text, lost) {
            return error;
        }
        match kind {
            _ if LOG_ON.contains(&code) => refused_log_on(),
            "invalidSessionFault" => refused_log_on(),
            "invalidVersionFault" => old_version(),
            _ if VERSION.contains(&code) => old_version(),
            _ if FEATURE.contains(&code) => judge(vec![self.word()], Effect::None),
            "insufficientPermissionFault" => self.permission(),
            _ if code == "WS_PERMISSION_REQD" => self.permission(),
            "exceededRecordCountFault" => too_many(),
            _ if code == "MAX_RCRDS_EXCEEDED" => too_many(),
            "exceededRequestSizeFault" => {
                Error::invalid("body", "netsuite.too_large", "the request is larger than NetSuite takes")
            }
            "unexpectedErrorFault" | "exceededUsageLimitFault" => {
                Error::transient(format!("NetSuite is in trouble: {}", self.word().sentence()))
                    .with_effect(lost)
            }
            "" if speaks(
                &self.text,
                &["saxexception", "saxparseexception", "invalid element", "soapaction"],
            ) =>
            {
                let text = format!("NetSuite's XML reader refuses the request: {}", self.word().sentence());
                Error::unexpected(text).with_effect(Effect::None)
            }
            "" => Error::unexpected(format!("a SOAP fault of no kind: {}", self.word().sentence()))
                .with_effect(lost),
            _ => judge(vec![self.word()], lost),
        }
    }

    /// What was not permitted: by the sentence where it names something, else the web services as such.
    fn permission(&self) -> Error {
        if permission::parse(&self.text).is_some() {
            return judge(vec![self.word()], Effect::None);
        }
        let lack = permission::by_id("ADMI_WEBSERVICES").map(|permission| Lack::of(permission, Level::Full));
        let missing = lack.iter().map(ToString::to_string).collect();
        let remedy = lack.as_ref().map(Lack::remedy).unwrap_or_default();
        let text = format!("NetSuite refuses access by SOAP: {}; {remedy}", self.word().sentence());
        Error::new(ErrorKind::Permission { missing }, text)
    }

    pub(super) fn upstream(&self, system: &SystemId, status: u16) -> Upstream {
        upstream(system, status, &self.word())
    }
}

fn upstream(system: &SystemId, status: u16, word: &Word) -> Upstream {
    Upstream::http(system.clone(), status).with_code(word.code.clone()).with_message(word.sentence())
}

fn refused_log_on() -> Error {
    Error::new(
        ErrorKind::Auth,
        "NetSuite refuses the token passport; the reason stands only in Setup > Users/Roles > View Login Audit Trail, column Detail",
    )
}

fn old_version() -> Error {
    Error::config(format!(
        "NetSuite does not serve the SOAP endpoint {} any more ({}); carry tax without SOAP: orders.tax.mode = \"item\", \"netsuite\" or, with SuiteTax, \"override\"",
        super::VERSION,
        super::SOAP_ENDS
    ))
}

fn too_many() -> Error {
    Error::invalid("records", "netsuite.too_many_records", "NetSuite takes fewer records in one request")
}

/// How a record or an operation fared, inside an answer that is no fault.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Status {
    success: bool,
    details: Vec<Detail>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Detail {
    /// `ERROR`, `WARN` or `INFO`.
    kind: String,
    code: String,
    text: String,
    after_submit: bool,
}

impl Status {
    /// The status among an element's children.
    ///
    /// # Errors
    /// `Malformed` if there is none: an answer without a status says nothing.
    pub(super) fn of(element: &Element) -> Result<Self> {
        let status = element.child("status").ok_or_else(|| {
            Error::malformed(format!("{} in NetSuite's answer has no status", element.local()))
        })?;
        let success = matches!(status.attribute("isSuccess"), Some("true" | "1"));
        let detail = |detail: &Element| Detail {
            kind: detail.attribute("type").unwrap_or("ERROR").to_owned(),
            code: detail.say("code").unwrap_or_default().to_owned(),
            text: detail.say("message").unwrap_or_default().to_owned(),
            after_submit: matches!(detail.say("afterSubmitFailed"), Some("true" | "1")),
        };
        Ok(Self { success, details: status.all("statusDetail").map(detail).collect() })
    }

    /// Whether the record was saved: also where a script failed after it.
    pub(super) fn is_saved(&self) -> bool {
        self.success || self.details.iter().any(|detail| detail.after_submit)
    }

    pub(super) fn is_success(&self) -> bool {
        self.success
    }

    /// What a person should know about a record that was saved.
    pub(super) fn warnings(&self) -> Vec<String> {
        let said = self.details.iter().filter(|detail| detail.kind != "INFO");
        said.map(|detail| {
            let sentence = detail.word(&|_| String::new()).sentence();
            if detail.after_submit {
                format!("saved, and a script failed after it: {sentence}")
            } else {
                format!("NetSuite warns: {sentence}")
            }
        })
        .collect()
    }

    /// What is wrong, in the words and kinds of REST's errors. `place` tells what a sentence is about.
    pub(super) fn error(&self, system: &SystemId, lost: Effect, place: &dyn Fn(&str) -> String) -> Error {
        let errors = self.details.iter().any(|detail| detail.kind == "ERROR");
        let wrong = |detail: &&Detail| detail.kind == "ERROR" || !errors;
        let words: Vec<Word> = self.details.iter().filter(wrong).map(|detail| detail.word(place)).collect();
        let Some(first) = words.first().cloned() else {
            return Error::unexpected("NetSuite says that it did not succeed, and not why");
        };
        let error = words
            .iter()
            .find_map(|word| passing(&word.code, &word.text, lost))
            .unwrap_or_else(|| judge(words, lost));
        error.with_upstream(upstream(system, 200, &first))
    }
}

impl Detail {
    fn word(&self, place: &dyn Fn(&str) -> String) -> Word {
        Word { code: self.code.clone(), text: self.text.clone(), place: place(&self.text) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(kind: &str, code: &str, text: &str) -> Fault {
        let detail = if kind.is_empty() {
            String::new()
        } else {
            format!(
                "<f:{kind} xmlns:f=\"urn:faults_2025_2.platform.webservices.netsuite.com\"><f:code>{code}</f:code><f:message>{text}</f:message></f:{kind}>"
            )
        };
        let body = format!(
            "<Body><s:Fault><faultcode>s:Server.userException</faultcode><faultstring>{text}</faultstring><detail>{detail}<h:hostname>x</h:hostname></detail></s:Fault></Body>"
        );
        Fault::of(&Element::parse(body.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn the_table_of_faults() {
        let none = Effect::None;
        for (kind, code, text, expected, effect) in [
            ("exceededConcurrentRequestLimitFault", "WS_REQUEST_BLOCKED", "blocked", "erp.throttled", none),
            (
                "exceededRequestLimitFault",
                "WS_CONCUR_SESSION_DISALLWD",
                "Only one request may be made",
                "erp.throttled",
                none,
            ),
            (
                "unexpectedErrorFault",
                "UNEXPECTED_ERROR",
                "SuiteTalk concurrent request limit exceeded. Request blocked.",
                "erp.throttled",
                none,
            ),
            (
                "invalidCredentialsFault",
                "INVALID_LOGIN_CREDENTIALS",
                "Invalid login attempt.",
                "erp.auth",
                none,
            ),
            // Seen in the field: retried as trouble, it would lock the user.
            (
                "invalidCredentialsFault",
                "UNEXPECTED_ERROR",
                "An unexpected error occurred.",
                "erp.auth",
                none,
            ),
            ("invalidAccountFault", "INVALID_ACCT", "no such account", "erp.auth", none),
            ("invalidSessionFault", "SESSION_TIMED_OUT", "Your connection has timed out.", "erp.auth", none),
            ("insufficientPermissionFault", "WS_PERMISSION_REQD", "no", "erp.permission", none),
            ("insufficientPermissionFault", "WS_FEATURE_REQD", "no", "erp.config", none),
            ("unexpectedErrorFault", "WS_FEATURE_REQD", "off", "erp.config", none),
            ("invalidVersionFault", "UNSUPPORTED_WS_VERSION", "no", "erp.config", none),
            ("exceededRecordCountFault", "MAX_RCRDS_EXCEEDED", "no", "erp.invalid", none),
            ("exceededRequestSizeFault", "USER_ERROR", "no", "erp.invalid", none),
            ("unexpectedErrorFault", "ACCT_TEMP_UNAVAILABLE", "no", "erp.transient", none),
            (
                "unexpectedErrorFault",
                "X",
                "The account is currently unavailable while we undergo our regularly scheduled maintenance.",
                "erp.transient",
                none,
            ),
            (
                "unexpectedErrorFault",
                "UNEXPECTED_ERROR",
                "An unexpected error occurred.",
                "erp.transient",
                Effect::Unknown,
            ),
            ("", "", "java.lang.NullPointerException", "erp.transient", Effect::Unknown),
            (
                "",
                "",
                "com.netledger.common.exceptions.NLDatabaseOfflineException: offline",
                "erp.transient",
                Effect::Unknown,
            ),
            ("", "", "Session invalidation is in progress with different thread", "erp.transient", none),
            (
                "",
                "",
                "org.xml.sax.SAXException: Invalid element in com.netledger.x - y",
                "erp.unexpected",
                none,
            ),
            ("", "", "something else", "erp.unexpected", Effect::Unknown),
            ("asyncFault", "USER_ERROR", "no", "erp.invalid", none),
        ] {
            let error = fault(kind, code, text).error(Effect::Unknown);
            assert_eq!((error.code(), error.effect()), (expected, effect), "{kind} {code} {text}: {error}");
        }
    }

    #[test]
    fn a_missing_permission_names_the_web_services_and_the_way_out() {
        let error = fault("insufficientPermissionFault", "WS_PERMISSION_REQD", "You are not allowed.")
            .error(Effect::None);
        let ErrorKind::Permission { missing } = error.kind() else { panic!("{error}") };
        assert!(missing[0].contains("ADMI_WEBSERVICES"), "{missing:?}");
        assert!(error.message().contains("Manage Roles"), "{error}");
    }

    fn status(inner: &str) -> Status {
        Status::of(&Element::parse(format!("<writeResponse>{inner}</writeResponse>").as_bytes()).unwrap())
            .unwrap()
    }

    fn judged(inner: &str) -> Error {
        status(inner).error(&"ns".into(), Effect::Unknown, &|_| "entity".to_owned())
    }

    #[test]
    fn a_status_says_what_is_wrong_though_the_answer_is_200() {
        let wrong = |code: &str, text: &str| {
            judged(&format!(
                "<c:status isSuccess=\"false\"><c:statusDetail type=\"ERROR\"><c:code>{code}</c:code><c:message>{text}</c:message></c:statusDetail></c:status>"
            ))
        };
        let sentence = "Permission Violation: You need  the 'Lists -&gt; Currency' permission to access this page. Please contact your account administrator.";
        let error = wrong("INSUFFICIENT_PERMISSION", sentence);
        let ErrorKind::Permission { missing } = error.kind() else { panic!("{error}") };
        assert!(missing[0].contains("LIST_CURRENCY"), "{missing:?}");
        assert_eq!(wrong("DUP_RCRD", "This record already exists.").code(), "erp.conflict");
        assert_eq!(wrong("WS_REQUEST_BLOCKED", "x").code(), "erp.throttled");
        let error = wrong("UNEXPECTED_ERROR", "An unexpected error occurred.");
        assert_eq!((error.code(), error.effect()), ("erp.transient", Effect::Unknown));
        let error = wrong("INVALID_KEY_OR_REF", "Invalid entity reference key 7 of anna@example.test");
        assert_eq!((error.code(), error.effect()), ("erp.invalid", Effect::None));
        assert_eq!(error.fields()[0].path, "entity");
        assert_eq!(error.upstream().and_then(|up| up.code.as_deref()), Some("INVALID_KEY_OR_REF"));
        assert!(!format!("{error:?}").contains("anna@"), "no person is in it");
        assert_eq!(judged("<status isSuccess=\"false\"/>").code(), "erp.unexpected");
        let bare = Element::parse(b"<writeResponse/>").unwrap();
        assert_eq!(Status::of(&bare).unwrap_err().code(), "erp.malformed");
    }

    /// `xs:boolean` may be written as a digit; a reason that is called a warning is the reason all the same.
    #[test]
    fn what_is_said_in_another_form_is_heard() {
        let saved = status(
            "<status isSuccess=\"0\"><statusDetail type=\"ERROR\"><code>SSS_X</code><afterSubmitFailed>1</afterSubmitFailed></statusDetail></status>",
        );
        assert!(saved.is_saved() && !saved.is_success());
        let error = judged(
            "<status isSuccess=\"false\"><statusDetail type=\"WARN\"><code>DUP_RCRD</code><message>This record already exists.</message></statusDetail></status>",
        );
        assert_eq!(error.code(), "erp.conflict");
        let error = judged(
            "<status isSuccess=\"false\"><statusDetail type=\"WARN\"><code>DUP_RCRD</code></statusDetail><statusDetail type=\"ERROR\"><code>USER_ERROR</code><message>no</message></statusDetail></status>",
        );
        assert_eq!((error.code(), error.message()), ("erp.invalid", "no"), "a warning beside it is none");
    }

    #[test]
    fn a_record_whose_script_failed_afterwards_is_saved() {
        let saved = status(
            "<status isSuccess=\"false\"><statusDetail><code>SSS_X</code><message>oops</message><afterSubmitFailed>true</afterSubmitFailed></statusDetail></status>",
        );
        assert!(saved.is_saved() && !saved.is_success());
        assert!(saved.warnings()[0].contains("script failed after it: oops"), "{:?}", saved.warnings());
        let warned = status(
            "<status isSuccess=\"true\"><statusDetail type=\"WARN\"><message>low stock</message></statusDetail><statusDetail type=\"INFO\"><message>x</message></statusDetail></status>",
        );
        assert_eq!(
            (warned.is_saved(), warned.warnings()),
            (true, vec!["NetSuite warns: low stock".to_owned()])
        );
    }
}
