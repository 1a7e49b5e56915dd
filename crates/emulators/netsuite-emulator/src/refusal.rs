//! What NetSuite answers when it does not do what it is asked.

use crate::doc::quoted;
use erp_testkit::emulator::Reply;

/// A refusal before it is rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    details: Vec<Detail>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Detail {
    code: &'static str,
    text: String,
    path: Option<(&'static str, String)>,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let texts: Vec<String> =
            self.details.iter().map(|detail| format!("{}: {}", detail.code, detail.text)).collect();
        f.write_str(&texts.join("; "))
    }
}

impl Refusal {
    pub(crate) fn new(status: u16, code: &'static str, text: impl Into<String>) -> Self {
        let detail = Detail { code, text: text.into(), path: None };
        Self { status, details: vec![detail] }
    }

    /// At a place in the body.
    pub(crate) fn at(path: impl Into<String>, text: impl Into<String>) -> Self {
        let mut refusal = Self::new(400, "INVALID_CONTENT", text);
        refusal.point("o:errorPath", path);
        refusal
    }

    /// More than is open to be received. The code is NetSuite's; its sentence nobody publishes.
    pub(crate) fn over(path: impl Into<String>, text: impl Into<String>) -> Self {
        let mut refusal = Self::new(400, "OVER_FULFILL_RECEIV_DISALLWD", text);
        refusal.point("o:errorPath", path);
        refusal
    }

    /// At a parameter of the query.
    pub(crate) fn query(name: &str, code: &'static str, text: impl Into<String>) -> Self {
        let mut refusal = Self::new(400, code, text);
        refusal.point("o:errorQueryParam", name);
        refusal
    }

    pub(crate) fn user(text: impl Into<String>) -> Self {
        Self::new(400, "USER_ERROR", text)
    }

    /// A document of nothing.
    pub(crate) fn no_line() -> Self {
        Self::new(
            400,
            "VALID_LINE_ITEM_REQD",
            "You must have at least one valid line item for this transaction.",
        )
    }

    pub(crate) fn locked() -> Self {
        Self::new(400, "RCRD_LOCKED_BY_WF", "This record has been locked by a user defined workflow.")
    }

    pub(crate) fn login() -> Self {
        Self::new(
            401,
            "INVALID_LOGIN",
            "Invalid login attempt. For more details, see the Login Audit Trail in the NetSuite UI at Setup > Users/Roles > User Management > View Login Audit Trail.",
        )
    }

    /// Its first code and sentence.
    pub(crate) fn said(&self) -> (&'static str, &str) {
        self.details.first().map_or(("UNEXPECTED_ERROR", ""), |detail| (detail.code, &detail.text))
    }

    fn point(&mut self, kind: &'static str, path: impl Into<String>) {
        if let Some(first) = self.details.first_mut() {
            first.path = Some((kind, path.into()));
        }
    }

    pub(crate) fn reply(&self) -> Reply {
        let title = match self.status {
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "Not Found",
            500 => "Internal Server Error",
            _ => "Bad Request",
        };
        let details: Vec<String> = self
            .details
            .iter()
            .map(|detail| {
                let path =
                    detail.path.as_ref().map(|(kind, path)| format!(",{}:{}", quoted(kind), quoted(path)));
                format!(
                    "{{\"detail\":{},\"o:errorCode\":{}{}}}",
                    quoted(&detail.text),
                    quoted(detail.code),
                    path.unwrap_or_default()
                )
            })
            .collect();
        let body = format!(
            "{{\"type\":\"https://www.rfc-editor.org/rfc/rfc9110.html#section-15\",\"title\":{},\"status\":{},\"o:errorDetails\":[{}]}}",
            quoted(title),
            self.status,
            details.join(",")
        );
        let mut reply =
            Reply::status(self.status).with_body("application/vnd.oracle.resource+json; type=error", body);
        if self.status == 401 {
            reply =
                reply.with_header("www-authenticate", "Bearer realm=\"NetSuite\", error=\"invalid_token\"");
        }
        reply
    }
}
