//! What went wrong, told by what can be done about it.
//!
//! An [`Error`] is eight bytes. It states a [`ErrorKind`] (who should act), an [`Effect`] (did the write happen?)
//! and, where a vendor answered, its own words in [`Upstream`]. Retry is decided from kind and effect, in one place
//! of the HTTP plumbing and in one table of the sync engine; nothing else looks at status codes.

use crate::id::{Key, SystemId};
use std::fmt;
use std::time::Duration;

/// The result of everything in this family of crates.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error that says what can be done about it. Its `Display` is one line and never prints its source; [`Report`]
/// prints the chain.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    effect: Effect,
    operation: &'static str,
    message: String,
    context: Vec<(&'static str, String)>,
    upstream: Option<Upstream>,
    retry_after: Option<Duration>,
    exhausted: bool,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What kind of trouble this is. Each kind's text ends with who should act.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The network or the system hiccuped: connection refused, 502, a lock held by somebody. Nobody acts; it is
    /// tried again.
    Transient,
    /// Too many calls. Nobody acts; it is tried again after the wait, and never counts as a failure.
    Throttled,
    /// The credentials were refused. The operator renews them; the whole system pauses meanwhile.
    Auth,
    /// The credentials are good but a permission is missing. The administrator of the target grants what is named.
    Permission {
        /// Roles, scopes or resources, in the vendor's own words.
        missing: Vec<String>,
    },
    /// The named thing is not there. The caller decides.
    NotFound,
    /// Somebody else changed it, or it exists already. The engine reads again and decides anew.
    Conflict,
    /// The target refuses the data, or it does not pass our own check. The owner of the data mends the fields.
    Invalid {
        /// The fields at fault; may be empty where the vendor names none.
        fields: Vec<FieldError>,
    },
    /// The system cannot do this. The developer chooses another way.
    Unsupported,
    /// A feed position is too old or belongs to somebody else. The engine takes a new snapshot.
    WatermarkExpired,
    /// The answer could not be understood. We, the authors, should be told; the record waits.
    Malformed,
    /// The configuration is wrong. The operator mends it.
    Config,
    /// A bug or a limit that should never be met. We, the authors, should be told.
    Unexpected,
}

/// The 12 kinds without their data, for tables and statistics.
pub const KIND_CODES: [&str; 12] = [
    "erp.transient",
    "erp.throttled",
    "erp.auth",
    "erp.permission",
    "erp.not_found",
    "erp.conflict",
    "erp.invalid",
    "erp.unsupported",
    "erp.watermark_expired",
    "erp.malformed",
    "erp.config",
    "erp.unexpected",
];

impl ErrorKind {
    /// A stable code for logs, metrics and programs; never changes once released.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Transient => "erp.transient",
            Self::Throttled => "erp.throttled",
            Self::Auth => "erp.auth",
            Self::Permission { .. } => "erp.permission",
            Self::NotFound => "erp.not_found",
            Self::Conflict => "erp.conflict",
            Self::Invalid { .. } => "erp.invalid",
            Self::Unsupported => "erp.unsupported",
            Self::WatermarkExpired => "erp.watermark_expired",
            Self::Malformed => "erp.malformed",
            Self::Config => "erp.config",
            Self::Unexpected => "erp.unexpected",
        }
    }

    /// Whether trying the same again later may succeed without anybody acting.
    #[must_use]
    pub fn heals_by_itself(&self) -> bool {
        matches!(self, Self::Transient | Self::Throttled)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Permission { missing } if !missing.is_empty() => {
                write!(f, "permission missing: {}", missing.join(", "))
            }
            other => f.write_str(other.code().trim_start_matches("erp.")),
        }
    }
}

/// Did the write that failed have an effect in the target?
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// Certainly nothing happened there.
    None,
    /// Some of it happened: a look-up tells what.
    Partial,
    /// It happened, and what failed came after.
    Applied,
    /// The request may have arrived and its answer was lost. Look up before anything is sent again.
    Unknown,
}

/// The four effects, for tables.
pub const EFFECTS: [Effect; 4] = [Effect::None, Effect::Partial, Effect::Applied, Effect::Unknown];

/// One field at fault.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FieldError {
    /// Where, in our model's or the vendor's words: `lines[3].sku`.
    pub path: String,
    /// The vendor's code, or ours.
    pub code: String,
    /// What is wrong and what would be right; holds no personal data.
    pub message: String,
}

impl FieldError {
    /// A field error with its path, code and message.
    pub fn new(path: impl Into<String>, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), code: code.into(), message: message.into() }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// What the vendor's system said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Upstream {
    /// Which system answered.
    pub system: Option<SystemId>,
    /// The HTTP status, if it was HTTP.
    pub status: Option<u16>,
    /// The vendor's own code, for example an ABAP message `V1/042`.
    pub code: Option<String>,
    /// The vendor's own sentence, bounded and redacted.
    pub message: Option<String>,
    /// The id to quote to the vendor's support: SAP's transaction id, Commerce's report id.
    pub request_id: Option<String>,
}

impl Upstream {
    /// What `system` said with HTTP status `status`.
    pub fn http(system: SystemId, status: u16) -> Self {
        Self { system: Some(system), status: Some(status), ..Self::default() }
    }

    /// Adds the vendor's code.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// Adds the vendor's sentence, cut at 500 characters.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.message = Some(cut(message.into(), 500));
        self
    }

    /// Adds the id that the vendor's support asks for.
    #[must_use]
    pub fn with_request_id(mut self, id: impl Into<String>) -> Self {
        self.request_id = Some(id.into());
        self
    }
}

fn cut(mut text: String, limit: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(limit) {
        text.truncate(end);
        text.push('…');
    }
    text
}

impl Error {
    /// An error of `kind` with a sentence for a person. The effect is [`Effect::None`] until stated otherwise.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            effect: Effect::None,
            operation: "",
            message: message.into(),
            context: Vec::new(),
            upstream: None,
            retry_after: None,
            exhausted: false,
            source: None,
        }))
    }

    /// [`ErrorKind::Transient`].
    pub fn transient(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Transient, message)
    }

    /// [`ErrorKind::Invalid`] with one field.
    pub fn invalid(path: impl Into<String>, code: impl Into<String>, message: impl Into<String>) -> Self {
        let field = FieldError::new(path, code, message);
        let text = field.to_string();
        Self::new(ErrorKind::Invalid { fields: vec![field] }, text)
    }

    /// [`ErrorKind::Invalid`] with many fields, or none that the vendor would name.
    pub fn invalid_fields(message: impl Into<String>, fields: Vec<FieldError>) -> Self {
        Self::new(ErrorKind::Invalid { fields }, message)
    }

    /// [`ErrorKind::Unsupported`].
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    /// One record of a list that cannot be understood: [`malformed`](Self::malformed), with the record's key as context.
    pub fn unreadable(key: &Key, message: impl Into<String>) -> Self {
        Self::malformed(message).with_context("key", key.to_string())
    }

    /// [`ErrorKind::Malformed`].
    pub fn malformed(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Malformed, message)
    }

    /// [`ErrorKind::Config`].
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Config, message)
    }

    /// [`ErrorKind::Unexpected`].
    pub fn unexpected(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unexpected, message)
    }

    /// States what the failed write did to the target.
    #[must_use]
    pub fn with_effect(mut self, effect: Effect) -> Self {
        self.0.effect = effect;
        self
    }

    /// Names the operation, once: the innermost name stays.
    #[must_use]
    pub fn with_operation(mut self, operation: &'static str) -> Self {
        if self.0.operation.is_empty() {
            self.0.operation = operation;
        }
        self
    }

    /// Adds a fact such as `("order", "000000123")`; never a secret nor personal data.
    #[must_use]
    pub fn with_context(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.context.push((name, value.into()));
        self
    }

    /// Adds what the vendor said.
    #[must_use]
    pub fn with_upstream(mut self, upstream: Upstream) -> Self {
        self.0.upstream = Some(upstream);
        self
    }

    /// Adds how long the server asked us to wait.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// Marks that the plumbing has spent its tries, so that no outer loop starts again at once.
    #[must_use]
    pub fn with_exhausted(mut self) -> Self {
        self.0.exhausted = true;
        self
    }

    /// Adds what lies beneath.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Replaces the kind, when an outer layer knows better than HTTP does.
    #[must_use]
    pub fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// What can be done about it.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// Whether the write happened.
    pub fn effect(&self) -> Effect {
        self.0.effect
    }

    /// The kind's stable code.
    pub fn code(&self) -> &'static str {
        self.0.kind.code()
    }

    /// What was being done, for example `sap.submit_order`.
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// The sentence for a person, without the context.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Which record of a list could not be read, if it is that and nothing worse: the others follow behind the error. See
    /// [`Error::unreadable`].
    pub fn unreadable_key(&self) -> Option<Key> {
        let key =
            || self.0.context.iter().find(|(name, _)| *name == "key").map(|(_, key)| key.as_str().into());
        matches!(self.kind(), ErrorKind::Malformed).then(key).flatten()
    }

    /// The facts, in the order in which they were added.
    pub fn context(&self) -> &[(&'static str, String)] {
        &self.0.context
    }

    /// What the vendor said.
    pub fn upstream(&self) -> Option<&Upstream> {
        self.0.upstream.as_ref()
    }

    /// How long the server asked us to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Whether the plumbing has spent its tries on it already.
    pub fn is_exhausted(&self) -> bool {
        self.0.exhausted
    }

    /// The fields at fault; empty unless the kind is `Invalid`.
    pub fn fields(&self) -> &[FieldError] {
        match &self.0.kind {
            ErrorKind::Invalid { fields } => fields,
            _ => &[],
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        if !inner.operation.is_empty() {
            write!(f, "{}: ", inner.operation)?;
        }
        f.write_str(&inner.message)?;
        for (name, value) in &inner.context {
            write!(f, " [{name} {value}]")?;
        }
        if let Some(up) = &inner.upstream
            && let Some(status) = up.status
        {
            write!(f, " (status {status}")?;
            if let Some(code) = &up.code {
                write!(f, ", code {code}")?;
            }
            if let Some(id) = &up.request_id {
                write!(f, ", request {id}")?;
            }
            f.write_str(")")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        f.debug_struct("Error")
            .field("kind", &inner.kind)
            .field("effect", &inner.effect)
            .field("operation", &inner.operation)
            .field("message", &inner.message)
            .field("context", &inner.context)
            .field("upstream", &inner.upstream)
            .field("retry_after", &inner.retry_after)
            .field("exhausted", &inner.exhausted)
            .field("source", &inner.source)
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|s| s as _)
    }
}

/// Prints an error with everything beneath it, one cause a line.
#[derive(Debug)]
pub struct Report<'a>(pub &'a (dyn std::error::Error + 'static));

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut next = self.0.source();
        while let Some(cause) = next {
            write!(f, "\n  because: {cause}")?;
            next = cause.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_eight_bytes_and_travels_between_threads() {
        fn travels<T: Send + Sync + 'static>() {}
        travels::<Error>();
        assert_eq!(size_of::<Error>(), 8);
        assert_eq!(size_of::<Result<(), Error>>(), 8);
    }

    #[test]
    fn display_is_one_line_without_source() {
        let error = Error::transient("connection refused")
            .with_operation("sap.find_order")
            .with_context("order", "000000007")
            .with_source(std::io::Error::other("deep cause"));
        assert_eq!(error.to_string(), "sap.find_order: connection refused [order 000000007]");
        assert!(Report(&error).to_string().ends_with("because: deep cause"));
    }

    #[test]
    fn every_kind_has_its_code_in_the_list() {
        let kinds = [
            ErrorKind::Transient,
            ErrorKind::Throttled,
            ErrorKind::Auth,
            ErrorKind::Permission { missing: vec![] },
            ErrorKind::NotFound,
            ErrorKind::Conflict,
            ErrorKind::Invalid { fields: vec![] },
            ErrorKind::Unsupported,
            ErrorKind::WatermarkExpired,
            ErrorKind::Malformed,
            ErrorKind::Config,
            ErrorKind::Unexpected,
        ];
        let codes: Vec<_> = kinds.iter().map(ErrorKind::code).collect();
        assert_eq!(codes, KIND_CODES);
    }

    #[test]
    fn a_vendor_sentence_is_cut_between_characters() {
        let up = Upstream::default().with_message("ü".repeat(600));
        assert_eq!(up.message.as_deref().map(|m| m.chars().count()), Some(501));
    }
}
