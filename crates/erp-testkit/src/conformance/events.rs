//! Rules of what a system announces by itself.

use super::{Bench, Failure, Rule, Verdict, connector::scan, ensure, rules};
use crate::model::EMAIL_MARKER;
use erp_core::capability::{Capabilities, ReceiverCapability};
use erp_core::error::Report;
use erp_core::roles::{EventReceiver, Received, RecordKind, RequestParts};
use std::sync::Arc;
use std::time::Duration;

const fn receives(capabilities: &Capabilities) -> bool {
    capabilities.event_receiver.is_some()
}

pub(super) const RULES: &[Rule] = rules![
    "event_receiver::a_genuine_event_gives_hints_of_its_kind", receives, genuine;
    "event_receiver::a_stranger_gives_no_hint_and_learns_nothing", receives, strangers;
    "event_receiver::a_changed_body_gives_no_hint", receives, changed_body;
    "event_receiver::the_same_event_twice_counts_once", receives, twice;
    "event_receiver::an_old_event_is_refused", receives, old;
    "event_receiver::a_body_beyond_the_limit_is_refused", receives, too_long;
];

struct Door {
    receiver: Arc<dyn EventReceiver>,
    stated: ReceiverCapability,
}

fn door(bench: &Bench) -> Verdict<Door> {
    let receiver = Bench::open(bench.connector.event_receiver())?;
    let stated = bench.connector.capabilities().event_receiver;
    let stated = stated.ok_or_else(|| Failure("the capability went away".to_owned()))?;
    ensure!(!stated.records.is_empty() && stated.body_limit > 0, "a receiver that can receive nothing");
    Ok(Door { receiver, stated })
}

async fn event(bench: &Bench, door: &Door) -> Verdict<(RequestParts, Vec<u8>)> {
    let record = door.stated.records.first().copied().unwrap_or(RecordKind::Orders);
    bench.harness.event(record).await
}

async fn genuine(bench: &Bench) -> Verdict {
    let door = door(bench)?;
    for record in &door.stated.records {
        let (parts, body) = bench.harness.event(*record).await?;
        let received = door.receiver.receive(&bench.cx, &parts, &body).await;
        let (status, refusal) = (received.reply.status, &received.refusal);
        ensure!((200..300).contains(&status), "{record}: answered {status}: {refusal:?}");
        let kinds: Vec<RecordKind> = received.hints.iter().map(|hint| hint.record).collect();
        ensure!(kinds.contains(record), "an event of {record} hints at {kinds:?}");
        let stated = kinds.iter().all(|kind| door.stated.records.contains(kind));
        ensure!(stated, "hints at {kinds:?}, stated are {:?}", door.stated.records);
    }
    Ok(())
}

/// No hint, a status that says no, a reason for the operator, and nothing shown to anybody.
fn refused(bench: &Bench, what: &str, parts: &RequestParts, received: &Received) -> Verdict {
    ensure!(received.hints.is_empty(), "{what}: gave {} hints", received.hints.len());
    let status = received.reply.status;
    ensure!((400..500).contains(&status), "{what}: answered {status}");
    let Some(refusal) = &received.refusal else {
        return Err(Failure(format!("{what}: refused without a reason for the operator")));
    };
    let reply = String::from_utf8_lossy(&received.reply.body);
    let shown = format!("{reply} {refusal} {refusal:?} {}", Report(refusal));
    for (name, value) in parts.headers().filter(|(_, value)| value.len() > 7) {
        ensure!(!shown.contains(value), "{what}: shows the value of {name}");
    }
    scan(bench, &shown)
}

async fn strangers(bench: &Bench) -> Verdict {
    let door = door(bench)?;
    let (parts, body) = event(bench, &door).await?;
    let bare = RequestParts::new(parts.method.clone(), &parts.path, parts.received_at);
    let garbled = parts.headers().fold(bare.clone(), |bare, (name, value)| {
        bare.with_header(name, value.chars().rev().collect::<String>())
    });
    for (what, parts) in [("a request without headers", bare), ("one with other headers", garbled)] {
        let received = door.receiver.receive(&bench.cx, &parts, &body).await;
        refused(bench, what, &parts, &received)?;
    }
    Ok(())
}

async fn changed_body(bench: &Bench) -> Verdict {
    let door = door(bench)?;
    let (parts, body) = event(bench, &door).await?;
    let flipped: Vec<u8> = body.iter().map(|byte| if *byte == b'1' { b'2' } else { *byte }).collect();
    let person = format!("{{\"mail\":\"{EMAIL_MARKER}\"}}").into_bytes();
    let longer = [body.as_slice(), b" "].concat();
    for (what, other) in [
        ("another body", flipped),
        ("a blank more", longer),
        ("no body", Vec::new()),
        ("no text", vec![0xff, 0xfe, 0]),
        ("a body that never ends", b"[".repeat(2000)),
        ("a body with a person", person),
    ] {
        if other == body {
            continue;
        }
        let received = door.receiver.receive(&bench.cx, &parts, &other).await;
        refused(bench, what, &parts, &received)?;
    }
    Ok(())
}

async fn twice(bench: &Bench) -> Verdict {
    let door = door(bench)?;
    let (parts, body) = event(bench, &door).await?;
    let first = door.receiver.receive(&bench.cx, &parts, &body).await;
    ensure!(!first.hints.is_empty(), "the first time gave no hint: {:?}", first.refusal);
    let second = door.receiver.receive(&bench.cx, &parts, &body).await;
    ensure!(second.hints.is_empty(), "the second time gave {} hints", second.hints.len());
    Ok(())
}

async fn old(bench: &Bench) -> Verdict {
    let door = door(bench)?;
    for (what, later) in [("a day later", true), ("a day earlier", false)] {
        let (mut parts, body) = event(bench, &door).await?;
        let day = Duration::from_secs(86_400);
        parts.received_at = if later { parts.received_at.plus(day) } else { parts.received_at.minus(day) };
        let received = door.receiver.receive(&bench.cx, &parts, &body).await;
        refused(bench, what, &parts, &received)?;
    }
    Ok(())
}

async fn too_long(bench: &Bench) -> Verdict {
    let door = door(bench)?;
    let (parts, mut body) = event(bench, &door).await?;
    body.resize(door.stated.body_limit + 1, b' ');
    let received = door.receiver.receive(&bench.cx, &parts, &body).await;
    ensure!(received.reply.status == 413, "answered {}, not 413", received.reply.status);
    refused(bench, "a body beyond the limit", &parts, &received)
}
