//! What the account announces by itself: the requests of a user event script, verified and turned into hints.
//!
//! NetSuite has no webhooks for records. A script that runs when a record was saved posts its type and id
//! ([`SUITESCRIPT`] is that script, with notes on how to deploy it at its head); [`EventReceiver`] says which feeds to read
//! earlier. Polling stays the truth: a script is not run for everything that changes a record, may not reach us, and
//! repeats nothing. Scripts do not run for what another user event script saves, and for a CSV import only if the
//! account's preferences say so (Oracle's online help, sections 4490073437 and 157960811083).
//!
//! # What is sent
//!
//! ```text
//! POST /…
//! content-type: application/json
//! x-commerce-sync-time: 1795392000123                  milliseconds since 1970
//! x-commerce-sync-signature: v1=f560594a…              HMAC-SHA256 of time, full stop and body, in hex
//!
//! {"record":"itemfulfillment","id":"4711","type":"ship","at":"2026-11-23T00:00:00.123Z"}
//! ```
//!
//! or a list of at most [`EVENTS_MAX`] such objects, for a script of one's own that drains an outbox. `id` and `at` may be
//! missing; what else is in an object is not looked at.
//!
//! # What is answered
//!
//! | status | when |
//! | --- | --- |
//! | 202 | taken |
//! | 400 | genuine, and not understood: the field is named |
//! | 401 | not signed, signed with another secret, or the clocks are further apart than [`max_age`](crate::config::EventConfig::max_age) |
//! | 405, 413 | no POST; a body longer than [`BODY_MAX`] |
//! | 409 | taken before |
//! | 422 | genuine, and of a type of record that hints at nothing: name it in [`records`](crate::config::EventConfig::records) |
//! | 503 | our own secret cannot be read |

use crate::client::NetsuiteClient;
use crate::config::EventConfig;
use crate::config::is_record_type;
use async_trait::async_trait;
use erp_core::capability::ReceiverCapability;
use erp_core::context::Context;
use erp_core::error::{Error, ErrorKind, Result};
use erp_core::id::NativeId;
use erp_core::roles::{EventReceiver, Hint, Received, RecordKind, Reply, RequestParts};
use erp_core::time::Timestamp;
use erp_http::auth::inbound::{self, SharedSecrets};
use erp_http::auth::secret::Secret;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

/// The script to deploy in the account, with the steps to do so at its head (SuiteScript 2.1, user event, after submit).
pub const SUITESCRIPT: &str = include_str!("../suitescript/commerce_sync_hint.js");
/// The longest request, in bytes.
pub const BODY_MAX: usize = 64 * 1024;
/// The most events in one request.
pub const EVENTS_MAX: usize = 500;
/// The header with the time of sending.
pub const TIME_HEADER: &str = "x-commerce-sync-time";
/// The header with the signature.
pub const SIGNATURE_HEADER: &str = "x-commerce-sync-signature";

const SCHEME: &str = "v1=";
const TAG_LEN: usize = 32;
/// How many requests are remembered, so that none is taken twice.
const TAKEN_MAX: usize = 10_000;

/// The head of the request that a sender makes for `body`: for tests, and for senders of one's own.
pub fn signed(secret: &Secret, target: &str, at: Timestamp, body: &[u8]) -> RequestParts {
    let time = (at.as_micros() / 1000).to_string();
    let mut signature = SCHEME.to_owned();
    for byte in inbound::sign(secret, &[time.as_bytes(), b".", body]) {
        let _ = write!(signature, "{byte:02x}");
    }
    RequestParts::new("POST", target, at)
        .with_header(TIME_HEADER, time)
        .with_header(SIGNATURE_HEADER, signature)
}

/// What is remembered of requests.
#[derive(Debug)]
pub(crate) struct Events {
    secrets: SharedSecrets,
    taken: Mutex<Taken>,
}

impl Events {
    /// # Errors
    /// `Config` if a secret cannot be read or is too short.
    pub(crate) fn new(config: &EventConfig) -> Result<Self> {
        let sources = [Some(config.secret.clone()), config.previous_secret.clone()];
        let secrets = SharedSecrets::new(sources.into_iter().flatten());
        secrets.check()?;
        Ok(Self { secrets, taken: Mutex::default() })
    }

    pub(crate) fn capability(config: &EventConfig) -> ReceiverCapability {
        ReceiverCapability::new(config.all_kinds(), BODY_MAX)
    }

    fn judge(&self, config: &EventConfig, parts: &RequestParts, body: &[u8]) -> Result<Heard, Refusal> {
        if parts.method != "POST" {
            return Err(Refusal::stranger(405, "no POST"));
        }
        if body.len() > BODY_MAX {
            return Err(Refusal::stranger(413, "the body is longer than allowed"));
        }
        let time =
            parts.header(TIME_HEADER).ok_or(Refusal::stranger(401, "the time is missing, or came twice"))?;
        let tag = parts.header(SIGNATURE_HEADER).and_then(tag);
        let tag =
            tag.ok_or(Refusal::stranger(401, "the signature is missing, came twice or has another form"))?;
        let genuine = self.secrets.verify(parts.received_at, &[time.as_bytes(), b".", body], &tag);
        if !genuine.map_err(Refusal::ours)? {
            return Err(Refusal::stranger(401, "the signature fits none of our secrets"));
        }
        let millis =
            millis(time).ok_or_else(|| Refusal::sender(401, "the time is no number of milliseconds"))?;
        let (sent, now) = (Timestamp::from_millis(millis), parts.received_at);
        if now.since(sent).max(sent.since(now)) > config.max_age {
            let text = "sent too long ago, or in the future: compare the clocks of both sides";
            return Err(Refusal::sender(401, text));
        }
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if !taken.take(sent, tag, now.minus(config.max_age)) {
            return Err(Refusal::sender(409, "taken before"));
        }
        drop(taken);
        hints(config, body)
    }
}

/// Requests that were taken, as long as they could come again.
#[derive(Debug)]
struct Taken {
    seen: BTreeSet<(Timestamp, [u8; TAG_LEN])>,
    /// Nothing sent until then is taken any more: of what was sent before it, not all is remembered.
    forgotten: Timestamp,
}

impl Default for Taken {
    fn default() -> Self {
        Self { seen: BTreeSet::new(), forgotten: Timestamp::MIN }
    }
}

impl Taken {
    /// `false` if it was taken before. What was sent before `oldest` is refused by its age.
    fn take(&mut self, sent: Timestamp, tag: [u8; TAG_LEN], oldest: Timestamp) -> bool {
        let kept = self.seen.split_off(&(oldest, [0; TAG_LEN]));
        // A clock that is set back must not make good again what was taken.
        if let Some((last, _)) = self.seen.last() {
            self.forgotten = self.forgotten.max(*last);
        }
        self.seen = kept;
        if sent <= self.forgotten || !self.seen.insert((sent, tag)) {
            return false;
        }
        if self.seen.len() > TAKEN_MAX
            && let Some((sent, _)) = self.seen.pop_first()
        {
            self.forgotten = sent;
        }
        true
    }
}

/// Why a request is refused: what its sender is told, and what the operator is.
struct Refusal {
    status: u16,
    reply: String,
    error: Error,
}

impl Refusal {
    /// Of somebody who has not proven to be ours: the reply says nothing.
    fn stranger(status: u16, text: &str) -> Self {
        Self { status, reply: "refused".to_owned(), error: Error::new(ErrorKind::Auth, text) }
    }

    /// Of a genuine sender, who may know.
    fn sender(status: u16, text: impl Into<String>) -> Self {
        let text = text.into();
        let kind = match status {
            401 => ErrorKind::Auth,
            409 => ErrorKind::Conflict,
            _ => ErrorKind::Invalid { fields: Vec::new() },
        };
        Self { status, reply: text.clone(), error: Error::new(kind, text) }
    }

    fn ours(error: Error) -> Self {
        Self { status: 503, reply: "not ready".to_owned(), error }
    }
}

fn tag(text: &str) -> Option<[u8; TAG_LEN]> {
    let hex = text.strip_prefix(SCHEME)?.as_bytes();
    if hex.len() != 2 * TAG_LEN {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut tag = [0; TAG_LEN];
    for (byte, pair) in tag.iter_mut().zip(hex.chunks_exact(2)) {
        *byte = digit(pair[0])? * 16 + digit(pair[1])?;
    }
    Some(tag)
}

fn millis(text: &str) -> Option<i64> {
    let digits = (1..=15).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// The hints, and a type of record that hints at nothing, if there was one.
type Heard = (Vec<Hint>, Option<String>);

fn hints(config: &EventConfig, body: &[u8]) -> Result<Heard, Refusal> {
    let body: Value =
        serde_json::from_slice(body).map_err(|_| Refusal::sender(400, "the body is no JSON document"))?;
    let events = match body {
        Value::Array(events) => events,
        one => vec![one],
    };
    if events.len() > EVENTS_MAX {
        return Err(Refusal::sender(
            413,
            format!("more than {EVENTS_MAX} events in one request; send fewer"),
        ));
    }
    let (mut hints, mut unknown) = (Vec::new(), None);
    for (index, event) in events.iter().enumerate() {
        let event = Event::read(event).map_err(|field| {
            Refusal::sender(400, format!("event {index}: {field} is missing or cannot be read"))
        })?;
        match config.kinds(&event.record) {
            Some(kinds) => hints.extend(kinds.into_iter().map(|kind| event.hint(kind))),
            None => unknown = unknown.or(Some(event.record)),
        }
    }
    match unknown {
        Some(record) if hints.is_empty() => {
            let text = format!(
                "a {record} hints at nothing; name it in events.records, or undeploy the script there"
            );
            Err(Refusal::sender(422, text))
        }
        unknown => Ok((hints, unknown)),
    }
}

struct Event {
    record: String,
    id: Option<NativeId>,
    at: Option<Timestamp>,
}

impl Event {
    /// The event, or its field at fault.
    fn read(event: &Value) -> Result<Self, &'static str> {
        let text = |name: &'static str| match event.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(name),
        };
        let record = text("record")?.map(str::to_ascii_lowercase).filter(|name| is_record_type(name));
        let id = text("id")?;
        if id.is_some_and(|id| !(1..=19).contains(&id.len()) || id.bytes().any(|b| !b.is_ascii_digit())) {
            return Err("id");
        }
        let at = text("at")?.map(Timestamp::parse).transpose().map_err(|_| "at")?;
        Ok(Self { record: record.ok_or("record")?, id: id.map(NativeId::new), at })
    }

    fn hint(&self, kind: RecordKind) -> Hint {
        let mut hint = Hint::new(kind);
        hint.reference.clone_from(&self.id);
        hint.changed_at = self.at;
        hint
    }
}

#[async_trait]
impl EventReceiver for NetsuiteClient {
    async fn receive(&self, _: &Context, parts: &RequestParts, body: &[u8]) -> Received {
        let judged = match (&self.0.events, &self.0.config.events) {
            (Some(events), Some(config)) => events.judge(config, parts, body),
            _ => Err(Refusal {
                status: 404,
                reply: "refused".to_owned(),
                error: Error::unsupported("events are not configured for this account"),
            }),
        };
        match judged {
            Ok((hints, unknown)) => {
                let reply = Reply::json(202, &json!({ "hints": hints.len(), "unknown": unknown }));
                Received::accepted(hints, reply)
            }
            Err(Refusal { status, reply, error }) => {
                Received::refused(Reply::text(status, reply), error.with_operation("netsuite.receive"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn taken(taken: &mut Taken, sent: i64, tag: u16, now: i64) -> bool {
        let mut bytes = [0; TAG_LEN];
        bytes[..2].copy_from_slice(&tag.to_be_bytes());
        let oldest = Timestamp::from_secs(now).minus(Duration::from_secs(300));
        taken.take(Timestamp::from_secs(sent), bytes, oldest)
    }

    #[test]
    fn what_was_taken_is_remembered_within_limits_and_never_taken_again() {
        let mut memory = Taken::default();
        for tag in 0..10_000 {
            assert!(taken(&mut memory, 1000 + i64::from(tag) / 100, tag, 1100), "{tag}");
        }
        assert!(taken(&mut memory, 1100, 60_000, 1100), "there is always room for another one");
        assert_eq!(memory.seen.len(), TAKEN_MAX);
        for tag in (0..10_000).step_by(7) {
            assert!(!taken(&mut memory, 1000 + i64::from(tag) / 100, tag, 1100), "{tag}");
        }
        assert!(!taken(&mut memory, 1000, 50_000, 1100), "of that second not all is remembered any more");
        assert!(taken(&mut memory, 1001, 50_001, 1100));
    }

    #[test]
    fn a_clock_that_is_set_back_makes_nothing_good_again() {
        let mut memory = Taken::default();
        assert!(taken(&mut memory, 1000, 1, 1000));
        assert!(taken(&mut memory, 2000, 2, 2000));
        assert_eq!(memory.seen.len(), 1, "the first is too old to come again");
        assert!(!taken(&mut memory, 1000, 1, 1000), "even when the clock says otherwise");
    }

    #[test]
    fn a_signature_is_hex_of_either_case_and_of_its_length() {
        assert_eq!(tag(&format!("v1={}", "fF".repeat(32))), Some([255; 32]));
        for text in ["", "v1=", "v2=00", &"00".repeat(32), &format!("v1={}", "0g".repeat(32)), "v1=é"] {
            assert_eq!(tag(text), None, "{text}");
        }
        assert_eq!(tag(&format!("v1={}", "00".repeat(33))), None);
        assert_eq!(
            (millis("1795392000123"), millis("-1"), millis(" 1"), millis("")),
            (Some(1_795_392_000_123), None, None, None)
        );
    }

    #[test]
    fn the_script_says_what_the_receiver_reads() {
        let script = SUITESCRIPT.to_ascii_lowercase();
        for word in [
            TIME_HEADER,
            SIGNATURE_HEADER,
            SCHEME,
            "hashalg.sha256",
            "encoding.hex",
            "aftersubmit",
            "@napiversion 2.1",
        ] {
            assert!(script.contains(word), "{word}");
        }
        assert!(script.matches("try {").count() == 2 && script.matches("catch (").count() == 2);
    }
}
