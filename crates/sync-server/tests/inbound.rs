//! Requests over real connections, genuine and otherwise.

#![expect(clippy::pedantic, clippy::unwrap_used, reason = "test code fails loudly")]

use erp_core::capability::{Capabilities, ReceiverCapability};
use erp_core::model::RouteTarget;
use erp_core::prelude::*;
use erp_core::roles::{Received, RecordKind, RequestParts};
use erp_testkit::clock::VirtualClock;
use erp_testkit::reference::{EVENT_BODY_MAX, ReferenceWorld};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use sync_engine::{Flow, Narrate, Note, SqliteLedger, Start, SyncEngine};
use sync_server::{CONNECTIONS_MAX, HEAD_MAX, Inbound, TIME_MAX, bind};

/// What was told, in words.
#[derive(Debug, Default)]
struct Notes(Mutex<Vec<Note>>);

impl Narrate for Notes {
    fn tell(&self, _: Timestamp, note: &Note) {
        self.0.lock().unwrap().push(note.clone());
    }
}

impl Notes {
    fn refusals(&self) -> Vec<String> {
        let notes = self.0.lock().unwrap();
        let refused = |note: &Note| match note {
            Note::AnnouncementRefused { system, text } => Some(format!("{system}: {text}")),
            _ => None,
        };
        notes.iter().filter_map(refused).collect()
    }

    /// Hints of kinds that no flow reads: each shows that a hint reached the engine.
    fn unused(&self) -> usize {
        let notes = self.0.lock().unwrap();
        notes.iter().filter(|note| matches!(note, Note::HintUnused { .. })).count()
    }
}

struct Town {
    clock: VirtualClock,
    world: ReferenceWorld,
    notes: Arc<Notes>,
    engine: SyncEngine,
}

impl Town {
    fn new() -> Self {
        let clock = VirtualClock::new(Timestamp::parse("2026-11-23T08:00:00Z").unwrap());
        let world = ReferenceWorld::stocked(clock.shared());
        let notes = Arc::new(Notes::default());
        let orders = Flow::orders(&world.shop, &world.erp)
            .starting(Start::Now)
            .route("*", RouteTarget::new())
            .every(Duration::from_secs(3600));
        let engine = SyncEngine::builder()
            .ledger(SqliteLedger::in_memory(Arc::new(Quiet)).unwrap())
            .clock(clock.shared())
            .narrate(Arc::clone(&notes) as Arc<dyn Narrate>)
            .flow(orders)
            .build()
            .unwrap();
        Self { clock, world, notes, engine }
    }

    /// Serves the ERP and whoever else while `senders` work on a thread of their own.
    fn open<T: Send + 'static>(
        &self,
        inbound: &Inbound,
        senders: impl FnOnce(SocketAddr) -> T + Send + 'static,
    ) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let (told, done) = tokio::sync::oneshot::channel::<()>();
            let thread = std::thread::spawn(move || {
                let result = senders(address);
                drop(told);
                result
            });
            let stop = async { drop(done.await) };
            inbound.serve(listener, &self.engine, stop).await.unwrap();
            thread.join().unwrap()
        })
    }

    fn doors(&self) -> Inbound {
        Inbound::new().system(&self.world.erp).unwrap()
    }

    /// A genuine announcement of a change of prices, as bytes.
    fn announcement(&self) -> Vec<u8> {
        let (parts, body) = self.world.erp.event(RecordKind::Prices);
        request("/hooks/erp", &parts, &body)
    }
}

#[derive(Debug)]
struct Quiet;

impl sync_engine::ledger::CommitHook for Quiet {
    fn before_commit(&self) -> sync_engine::ledger::Verdict {
        sync_engine::ledger::Verdict::Live
    }
    fn after_commit(&self) -> sync_engine::ledger::Verdict {
        sync_engine::ledger::Verdict::Live
    }
}

fn request(path: &str, parts: &RequestParts, body: &[u8]) -> Vec<u8> {
    let mut text =
        format!("{} {path} HTTP/1.1\r\nhost: here\r\ncontent-length: {}\r\n", parts.method, body.len());
    for (name, value) in parts.headers() {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    let mut bytes = format!("{text}\r\n").into_bytes();
    bytes.extend(body);
    bytes
}

/// All that is answered, until the other side ends the connection.
fn send(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    // The other side may have answered and gone before all was written.
    let _ = stream.write_all(bytes);
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

#[test]
fn a_genuine_announcement_becomes_a_hint_once() {
    let town = Town::new();
    let genuine = town.announcement();
    let answers = town.open(&town.doors(), move |address| [send(address, &genuine), send(address, &genuine)]);
    assert_eq!((status(&answers[0]), status(&answers[1])), (202, 409), "{answers:?}");
    assert!(answers[0].ends_with("thank you"), "the connector's own reply: {answers:?}");
    assert_eq!(town.notes.unused(), 1);
    assert_eq!(town.notes.refusals().len(), 1);
}

#[test]
fn a_stranger_is_refused_and_told_of_once_an_hour() {
    let town = Town::new();
    let (parts, body) = town.world.erp.event(RecordKind::Prices);
    let forged = request("/hooks/erp", &parts, &body.to_ascii_uppercase());
    let bare = request("/hooks/erp", &RequestParts::new("POST", "/", town.clock.now()), &body);
    let elsewhere = [request("/hooks/shop", &parts, &body), request("/hooks/", &parts, &body)];
    let got = town.open(&town.doors(), move |address| {
        let strangers = [forged, bare].map(|bytes| status(&send(address, &bytes)));
        (strangers, elsewhere.map(|bytes| status(&send(address, &bytes))))
    });
    assert_eq!(got, ([401, 401], [404, 404]));
    assert_eq!(town.notes.unused(), 0);
    let refusals = town.notes.refusals();
    assert_eq!(refusals.len(), 1, "{refusals:?}");
    assert!(refusals[0].starts_with("erp: "), "{refusals:?}");
}

#[test]
fn what_is_too_long_is_not_read() {
    let town = Town::new();
    let post = RequestParts::new("POST", "/", town.clock.now());
    let long = request("/hooks/erp", &post, &vec![b'x'; EVENT_BODY_MAX + 1]);
    let head = request("/hooks/erp", &post.clone().with_header("x-much", "x".repeat(2 * HEAD_MAX)), b"");
    let genuine = town.announcement();
    let got = town.open(&town.doors(), move |address| {
        [long, head, genuine].map(|bytes| status(&send(address, &bytes)))
    });
    assert_eq!(got[0], 413);
    assert!(got[1] == 431 || got[1] == 0, "{got:?}");
    assert_eq!(got[2], 202, "and the next one is served");
}

/// Somebody who opens all connections and says nothing keeps others out until his time is over.
#[test]
fn silence_does_not_keep_others_out_for_ever() {
    let town = Town::new();
    let genuine = town.announcement();
    let clock = town.clock.clone();
    let got = town.open(&town.doors(), move |address| {
        let silent: Vec<_> = (0..CONNECTIONS_MAX).map(|_| TcpStream::connect(address).unwrap()).collect();
        let mut late = TcpStream::connect(address).unwrap();
        late.write_all(&genuine).unwrap();
        late.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let mut answer = [0; 64];
        // Time passes only here, so however slow this machine is, nobody is let in before.
        let mut waited = Duration::ZERO;
        let read = loop {
            if let Ok(read) = late.read(&mut answer) {
                break read;
            }
            clock.advance(Duration::from_secs(1));
            waited += Duration::from_secs(1);
            assert!(waited < 100 * TIME_MAX, "nobody was ever let in");
        };
        drop(silent);
        (status(&String::from_utf8_lossy(&answer[..read])), waited)
    });
    assert_eq!(got.0, 202);
    assert!(got.1 >= TIME_MAX, "let in after {:?}, beside {CONNECTIONS_MAX} others", got.1);
}

/// A connector that is broken.
#[derive(Debug)]
struct Broken;

#[async_trait::async_trait]
impl Connector for Broken {
    fn identity(&self) -> Identity {
        let environment = Environment::Sandbox;
        Identity { system: "broken".into(), kind: "broken".into(), environment, fingerprint: String::new() }
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.event_receiver = Some(ReceiverCapability::new(vec![RecordKind::Orders], 100));
        capabilities
    }

    fn event_receiver(&self) -> Option<Arc<dyn EventReceiver>> {
        Some(Arc::new(Self))
    }
}

#[async_trait::async_trait]
impl EventReceiver for Broken {
    async fn receive(&self, _: &Context, _: &RequestParts, _: &[u8]) -> Received {
        panic!("a fault of the connector")
    }
}

#[test]
fn a_connector_that_panics_ends_nothing() {
    let town = Town::new();
    let inbound = town.doors().system(&Broken).unwrap();
    let post = request("/hooks/broken", &RequestParts::new("POST", "/", town.clock.now()), b"");
    let genuine = town.announcement();
    let got = town.open(&inbound, move |address| [post, genuine].map(|bytes| status(&send(address, &bytes))));
    assert_eq!(got, [500, 202]);
    assert!(town.notes.refusals()[0].contains("panicked"), "{:?}", town.notes.refusals());
}

#[test]
fn doors_are_checked_before_they_open() {
    let town = Town::new();
    assert_eq!(town.doors().paths().collect::<Vec<_>>(), ["/hooks/erp"]);
    let twice = town.doors().system(&town.world.erp).unwrap_err();
    assert!(twice.message().contains("already"), "{twice}");
    let nowhere = bind("nowhere").unwrap_err();
    assert!(nowhere.message().contains("nowhere") && nowhere.code() == "erp.config", "{nowhere}");
}
