//! What the reference systems announce by themselves: signed with a secret, and with the time under the signature.

use super::erp::ReferenceErp;
use super::shop::ReferenceShop;
use super::system::{System, World};
use async_trait::async_trait;
use erp_core::digest::Digest;
use erp_core::prelude::*;
use erp_core::roles::{Hint, Received, RecordKind, Reply, RequestParts};
use std::collections::BTreeSet;
use std::time::Duration;

/// What the reference systems sign with; no reply and no error shows it.
pub const EVENT_SECRET: &str = "reference-event-secret";
/// How old an announcement may be.
pub const EVENT_AGE_MAX: Duration = Duration::from_secs(300);
/// The longest announcement, in bytes.
pub const EVENT_BODY_MAX: usize = 4096;

const TIME: &str = "x-reference-time";
const SIGNATURE: &str = "x-reference-signature";

pub(super) const SHOP_RECORDS: [RecordKind; 2] = [RecordKind::Orders, RecordKind::Customers];
pub(super) const ERP_RECORDS: [RecordKind; 4] =
    [RecordKind::Customers, RecordKind::Inventory, RecordKind::Prices, RecordKind::Fulfillments];

/// Announcements that were made and taken.
#[derive(Debug, Default)]
pub(super) struct Announced {
    made: u64,
    taken: BTreeSet<(Timestamp, String)>,
}

pub(super) fn capability(records: &[RecordKind]) -> ReceiverCapability {
    ReceiverCapability::new(records.to_vec(), EVENT_BODY_MAX)
}

fn signature(time: Timestamp, body: &[u8]) -> String {
    Digest::of(&(EVENT_SECRET, time, body)).to_string()
}

impl<S: World> System<S> {
    fn announce(&self, record: RecordKind) -> (RequestParts, Vec<u8>) {
        let now = self.now();
        let number = self.announced(|announced| {
            announced.made += 1;
            announced.made
        });
        let body = serde_json::json!({ "record": record, "id": number.to_string() }).to_string().into_bytes();
        let parts = RequestParts::new("POST", &format!("/events/{}", self.id()), now)
            .with_header(TIME, now.to_string())
            .with_header(SIGNATURE, signature(now, &body));
        (parts, body)
    }

    fn listen(&self, records: &[RecordKind], parts: &RequestParts, body: &[u8]) -> Received {
        let refuse = |status, text: &str| {
            let error = Error::new(ErrorKind::Auth, text).with_operation("reference.receive");
            Received::refused(Reply::text(status, "refused"), error)
        };
        if parts.method != "POST" {
            return refuse(405, "announcements are posted");
        }
        if body.len() > EVENT_BODY_MAX {
            return refuse(413, "the announcement is too long");
        }
        let time = parts.header(TIME).and_then(|text| Timestamp::parse(text).ok());
        let (Some(time), Some(given)) = (time, parts.header(SIGNATURE)) else {
            return refuse(401, "the announcement is not signed");
        };
        if given != signature(time, body) {
            return refuse(401, "the signature is another one");
        }
        let now = parts.received_at;
        if now.since(time).max(time.since(now)) > EVENT_AGE_MAX {
            return refuse(401, "the announcement is too old");
        }
        let fresh = self.announced(|announced| {
            announced.taken = announced.taken.split_off(&(now.minus(EVENT_AGE_MAX), String::new()));
            announced.taken.insert((time, given.to_owned()))
        });
        if !fresh {
            return refuse(409, "the announcement was taken before");
        }
        let hint = read(body).filter(|hint| records.contains(&hint.record));
        match hint {
            Some(hint) => Received::accepted(vec![hint.with_changed_at(time)], Reply::text(202, "thank you")),
            None => refuse(400, "the announcement is about nothing known"),
        }
    }
}

fn read(body: &[u8]) -> Option<Hint> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let record = serde_json::from_value(body.get("record")?.clone()).ok()?;
    Some(Hint::new(record).with_reference(body.get("id")?.as_str()?))
}

impl ReferenceShop {
    /// A genuine announcement of the shop that such a record changed, as it travels: another one each time.
    pub fn event(&self, record: RecordKind) -> (RequestParts, Vec<u8>) {
        self.system.announce(record)
    }
}

impl ReferenceErp {
    /// As [`ReferenceShop::event`].
    pub fn event(&self, record: RecordKind) -> (RequestParts, Vec<u8>) {
        self.system.announce(record)
    }
}

#[async_trait]
impl EventReceiver for ReferenceShop {
    async fn receive(&self, _: &Context, parts: &RequestParts, body: &[u8]) -> Received {
        self.system.listen(&SHOP_RECORDS, parts, body)
    }
}

#[async_trait]
impl EventReceiver for ReferenceErp {
    async fn receive(&self, _: &Context, parts: &RequestParts, body: &[u8]) -> Received {
        self.system.listen(&ERP_RECORDS, parts, body)
    }
}
