//! RESTlets: scripts of the account, answered by whatever the world has registered for them.

use crate::doc::quoted;
use crate::product::{System, query_of};
use crate::quirk::Quirk;
use erp_testkit::emulator::{Exchange, Reply};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// The largest text that a script is given, or gives.
const TEXT_MAX: usize = 10 << 20;

/// A call as a script sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RestletCall {
    /// The verb.
    pub method: String,
    /// The parameters, with `script` and `deploy`; the last of several of one name.
    pub query: BTreeMap<String, String>,
    /// The JSON that was sent, as it was written; empty for GET and DELETE.
    pub body: String,
}

/// An error that a script does not catch.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScriptError {
    /// Its name, such as `SSS_MISSING_REQD_ARGUMENT`.
    pub name: String,
    /// What it says.
    pub message: String,
}

impl ScriptError {
    /// An error of this name that says this.
    pub fn new(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self { name: name.into(), message: message.into() }
    }
}

/// Answers with JSON text, so that numbers keep their digits.
pub(crate) type Script = Arc<dyn Fn(&RestletCall) -> Result<String, ScriptError> + Send + Sync>;

/// The deployed scripts, by script and deployment.
#[derive(Default)]
pub(crate) struct Scripts(Mutex<BTreeMap<(String, String), Script>>);

impl fmt::Debug for Scripts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scripts")
    }
}

impl Scripts {
    pub(crate) fn deploy(&self, script: String, deploy: String, handler: Script) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert((script, deploy), handler);
    }

    fn find(&self, query: &BTreeMap<String, String>) -> Option<Script> {
        let key = (query.get("script")?.clone(), query.get("deploy")?.clone());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).map(Arc::clone)
    }
}

/// Errors of the script service have a shape of their own.
pub(crate) fn failed(status: u16, code: &str, message: &str) -> Reply {
    let body = format!("{{\"error\":{{\"code\":{},\"message\":{}}}}}", quoted(code), quoted(message));
    Reply::status(status).with_body("application/json", body)
}

/// A call that the account has no lane for.
pub(crate) fn too_many() -> Reply {
    failed(400, "SSS_REQUEST_LIMIT_EXCEEDED", "Concurrent request limit exceeded. Request blocked.")
}

/// A call without a log-on.
pub(crate) fn unknown() -> Reply {
    failed(401, "INVALID_LOGIN_ATTEMPT", "Invalid login attempt.")
}

impl System {
    /// Calls a script.
    pub(crate) fn restlet(&self, exchange: &Exchange) -> Reply {
        let method = exchange.method.as_str();
        let bare = matches!(method, "GET" | "DELETE");
        if !bare && !matches!(method, "POST" | "PUT") {
            return failed(405, "SSS_INVALID_METHOD", "A RESTlet takes GET, POST, PUT and DELETE.");
        }
        if bare && !exchange.body.is_empty() {
            return failed(400, "UNEXPECTED_ERROR", "A body is not allowed here.");
        }
        let kind = exchange.header("content-type").unwrap_or_default();
        if !bare && !kind.starts_with("application/json") {
            return failed(415, "UNSUPPORTED_MEDIA_TYPE", "Send application/json.");
        }
        if exchange.body.len() > TEXT_MAX {
            return failed(400, "SSS_FILE_CONTENT_SIZE_EXCEEDED", "The request is too large.");
        }
        let query = query_of(exchange);
        let Some(script) = self.scripts.find(&query) else {
            return failed(
                400,
                "SSS_INVALID_SCRIPTLET_ID",
                "No such script is deployed here, or it is disabled.",
            );
        };
        let body = String::from_utf8_lossy(&exchange.body).into_owned();
        if !bare && serde_json::from_str::<&RawValue>(&body).is_err() {
            return failed(400, "SSS_INVALID_JSON", "The body is not JSON.");
        }
        match script(&RestletCall { method: method.to_owned(), query, body }) {
            Ok(json) if json.len() > TEXT_MAX => {
                failed(400, "SSS_FILE_CONTENT_SIZE_EXCEEDED", "The answer is too large.")
            }
            Ok(json) => Reply::status(200).with_body("application/json", json),
            Err(error) if self.options.quirks.contains(&Quirk::ShortScriptErrors) => {
                failed(400, &error.name, &error.message)
            }
            Err(error) => {
                let body = format!(
                    "{{\"type\":\"error.SuiteScriptError\",\"name\":{},\"message\":{},\"stack\":[]}}",
                    quoted(&error.name),
                    quoted(&error.message)
                );
                Reply::status(400).with_body("application/json", body)
            }
        }
    }
}
