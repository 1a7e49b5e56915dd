use crate::connector::Connector;
use crate::context::Context;
use crate::error::Error;
use crate::id::NativeId;
use crate::time::Timestamp;
use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// The most hints that one request gives. What is beyond becomes one hint for each kind of record.
pub const HINTS_MAX: usize = 1000;

/// Where a system's announcements are understood. A server hands over what came in and sends back the reply; which vendor
/// it came from, how it is signed and what a handshake looks like is the connector's to know.
///
/// ```
/// use erp_core::prelude::*;
/// use erp_core::roles::{Hint, Reply, RequestParts};
///
/// async fn handle(system: &dyn Connector, parts: RequestParts, body: &[u8], hint: impl Fn(&Hint)) -> Reply {
///     let Some(receiver) = system.event_receiver() else { return Reply::text(404, "") };
///     let received = receiver.receive(&Context::new(), &parts, body).await;
///     if let Some(refusal) = &received.refusal {
///         eprintln!("{}: {refusal}", system.identity().system);
///     }
///     received.hints.iter().for_each(hint); // such as SyncEngine::hint
///     received.reply
/// }
/// ```
///
/// # Contract
/// * **A hint is no truth.** It carries no data to write, and makes a feed be read earlier than it would be. A lost, late,
///   repeated or invented hint changes nothing but when the source is read.
/// * Unsigned is refused, not warned about. What is refused gives no hints, and its reply tells a stranger nothing that
///   helps to forge the next one.
/// * Signatures are compared in constant time; a request that was taken once is not taken again.
/// * No reply, error or `Debug` shows a secret, a header's value or the body.
/// * It answers at once: whoever announces a change may be waiting in the middle of saving it.
#[async_trait]
pub trait EventReceiver: Connector {
    /// What came in, judged. `body` is at most as long as the stated
    /// [limit](crate::capability::ReceiverCapability::body_limit); the server stops reading there, and a longer one is
    /// refused here too.
    async fn receive(&self, cx: &Context, parts: &RequestParts, body: &[u8]) -> Received;
}

/// A kind of record, as flows name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum RecordKind {
    /// Orders.
    Orders,
    /// Customers.
    Customers,
    /// Stock.
    Inventory,
    /// Prices.
    Prices,
    /// Fulfilments.
    Fulfillments,
}

impl RecordKind {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Orders, Self::Customers, Self::Inventory, Self::Prices, Self::Fulfillments];

    /// Its name: `orders`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Customers => "customers",
            Self::Inventory => "inventory",
            Self::Prices => "prices",
            Self::Fulfillments => "fulfillments",
        }
    }
}

impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// That something may have changed, and no more.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Hint {
    /// What kind of record.
    pub record: RecordKind,
    /// Which one, in the announcing system's own numbering, if it said.
    pub reference: Option<NativeId>,
    /// When it changed, by the announcing system's clock, if it said. Never used to decide what is newer.
    pub changed_at: Option<Timestamp>,
}

impl Hint {
    /// Some record of this kind changed.
    #[must_use]
    pub const fn new(record: RecordKind) -> Self {
        Self { record, reference: None, changed_at: None }
    }

    /// Says which one.
    #[must_use]
    pub fn with_reference(mut self, reference: impl Into<NativeId>) -> Self {
        self.reference = Some(reference.into());
        self
    }

    /// Says when.
    #[must_use]
    pub const fn with_changed_at(mut self, at: Timestamp) -> Self {
        self.changed_at = Some(at);
        self
    }
}

/// The head of a request that came in.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestParts {
    /// `POST`.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// What follows the question mark, as it came.
    pub query: Option<String>,
    /// When it came in, by the server's clock.
    pub received_at: Timestamp,
    headers: Vec<(String, String)>,
}

impl RequestParts {
    /// The head of a request for `target`, a path with or without a query.
    pub fn new(method: impl Into<String>, target: &str, received_at: Timestamp) -> Self {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (target, None),
        };
        Self { method: method.into(), path: path.to_owned(), query, received_at, headers: Vec::new() }
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// All headers, in the order in which they came.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of a header, whatever the case of its name. One that came twice has none: which of the two was meant, and
    /// which one somebody before us has checked, cannot be known.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(given, _)| given.eq_ignore_ascii_case(name));
        let (_, value) = values.next()?;
        values.next().is_none().then_some(value.as_str())
    }
}

impl fmt::Debug for RequestParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("RequestParts")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("query", &self.query.as_ref().map(String::len))
            .field("received_at", &self.received_at)
            .field("headers", &names)
            .finish()
    }
}

/// What the sender is told.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// What the body is.
    pub content_type: &'static str,
    /// The body.
    pub body: Bytes,
}

impl Reply {
    /// A sentence.
    pub fn text(status: u16, text: impl Into<String>) -> Self {
        Self { status, content_type: "text/plain; charset=utf-8", body: Bytes::from(text.into()) }
    }

    /// A JSON document.
    pub fn json(status: u16, value: &serde_json::Value) -> Self {
        Self { status, content_type: "application/json", body: Bytes::from(value.to_string()) }
    }
}

/// What became of a request.
#[derive(Debug)]
#[non_exhaustive]
pub struct Received {
    /// What to read earlier; nothing if it was refused, or a handshake.
    pub hints: Vec<Hint>,
    /// What to send back.
    pub reply: Reply,
    /// For the operator, why it was refused. It says more than the reply does, and holds no secret either.
    pub refusal: Option<Error>,
}

impl Received {
    /// It is genuine. The same hint twice is one, and of more than [`HINTS_MAX`] one for each kind stays.
    pub fn accepted(hints: Vec<Hint>, reply: Reply) -> Self {
        let mut once: BTreeSet<Hint> = hints.into_iter().collect();
        if once.len() > HINTS_MAX {
            once = once.into_iter().map(|hint| Hint::new(hint.record)).collect();
        }
        Self { hints: once.into_iter().collect(), reply, refusal: None }
    }

    /// It is not taken.
    pub const fn refused(reply: Reply, refusal: Error) -> Self {
        Self { hints: Vec::new(), reply, refusal: Some(refusal) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_found_in_any_case_and_never_when_it_came_twice() {
        let parts = RequestParts::new("POST", "/events/erp?challenge=x", Timestamp::EPOCH)
            .with_header("X-Signature", "one")
            .with_header("Host", "a")
            .with_header("host", "b");
        assert_eq!(parts.header("x-signature"), Some("one"));
        assert_eq!(parts.header("HOST"), None, "nobody knows which one a proxy has checked");
        assert_eq!(parts.header("x-other"), None);
        assert_eq!((parts.path.as_str(), parts.query.as_deref()), ("/events/erp", Some("challenge=x")));
    }

    #[test]
    fn debug_shows_neither_values_nor_the_query() {
        let parts = RequestParts::new("POST", "/events?token=hunter2", Timestamp::EPOCH)
            .with_header("authorization", "hunter2");
        let shown = format!("{parts:?}");
        assert!(!shown.contains("hunter2") && shown.contains("authorization"), "{shown}");
    }

    #[test]
    fn more_hints_than_the_limit_become_one_for_each_kind() {
        let of = |kind, number: usize| Hint::new(kind).with_reference(number.to_string());
        let mut hints: Vec<Hint> = (0..HINTS_MAX).map(|number| of(RecordKind::Orders, number)).collect();
        hints.push(of(RecordKind::Orders, 0));
        let taken = Received::accepted(hints.clone(), Reply::text(202, ""));
        assert_eq!(taken.hints.len(), HINTS_MAX, "the same one twice is one");
        hints.push(of(RecordKind::Prices, 1));
        let taken = Received::accepted(hints, Reply::text(202, ""));
        assert_eq!(taken.hints, [Hint::new(RecordKind::Orders), Hint::new(RecordKind::Prices)]);
    }

    #[test]
    fn kinds_are_written_as_flows_name_them() {
        for kind in RecordKind::ALL {
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{kind}\""));
        }
    }
}
