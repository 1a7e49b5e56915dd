//! A warehouse beside an ERP: its movements are documents of their own, and a count is posted as what they leave over.

use crate::world::{Bench, MINUTE};
use async_trait::async_trait;
use erp_core::model::{
    Basis, Fulfillment, FulfillmentLine, FulfillmentSubmission, InventoryLevel, InventoryPut, InventoryQuery,
};
use erp_core::prelude::*;
use erp_core::roles::{self, pick};
use futures_executor::block_on;
use futures_util::{StreamExt as _, stream};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;
use std::time::Duration;
use sync_engine::ledger::{Ledger as _, Select};
use sync_engine::narrate::{Narrate, Note, Silent};
use sync_engine::step::{Policy, Verb};
use sync_engine::tie_out::{Category, TieOut};
use sync_engine::{Flow, SqliteLedger, Start, State, SyncEngine};

const SKU: &str = "24-MB01";
const HALL: &str = "hall-4";

fn identity(system: &str) -> Identity {
    let environment = Environment::Sandbox;
    Identity { system: system.into(), kind: "own".into(), environment, fingerprint: system.into() }
}

/// What both systems hold of one product, and how the ERP behaves.
#[derive(Debug, Default)]
struct Truth {
    shelf: Decimal,
    shipments: Vec<Fulfillment>,
    books: Decimal,
    posted: BTreeMap<Key, Decimal>,
    adjustments: Vec<Decimal>,
    /// The keys of all counts that were put.
    keys: BTreeSet<Key>,
    /// Shipments that the ERP refuses for now.
    refuse: bool,
    /// Shipments whose answer gets lost after they were posted.
    lose: u32,
    /// The ERP takes its time for a count.
    slow: bool,
    /// The ERP does not answer.
    down: bool,
    /// So often goods leave at the very moment at which somebody counts.
    rush: u32,
}

#[derive(Debug, Clone)]
struct Hall {
    truth: Arc<Mutex<Truth>>,
    clock: Arc<dyn Clock>,
}

/// The warehouse's side.
#[derive(Debug, Clone)]
struct Wms(Hall);

/// The ERP's side.
#[derive(Debug, Clone)]
struct Books(Hall);

impl Hall {
    fn truth(&self) -> MutexGuard<'_, Truth> {
        self.truth.lock().unwrap()
    }

    fn books(&self) -> Decimal {
        self.truth().books
    }

    fn posted(&self) -> usize {
        self.truth().posted.len()
    }

    fn adjustments(&self) -> Vec<Decimal> {
        self.truth().adjustments.clone()
    }

    fn ship(&self, quantity: i64) {
        let number = self.truth().shipments.len();
        self.ship_of(&format!("SO{number}"), quantity);
    }

    fn ship_of(&self, order: &str, quantity: i64) {
        let now = self.clock.now();
        let mut truth = self.truth();
        let number = truth.shipments.len();
        let quantity = Decimal::from(quantity);
        truth.shelf -= quantity;
        let line = FulfillmentLine { native_line: "1".into(), line: None, sku: SKU.into(), quantity };
        let shipped =
            Fulfillment::new(format!("wms:{number}").into(), format!("S{number}"), NativeId::new(order), now);
        truth.shipments.push(shipped.with_lines(vec![line]).with_location(Some(HALL.into())));
    }

    fn level(&self, quantity: Decimal) -> InventoryLevel {
        InventoryLevel::new(SKU, HALL, Quantity::new(quantity), Basis::OnHand, self.clock.now())
    }
}

impl Connector for Wms {
    fn identity(&self) -> Identity {
        identity("wms")
    }
}

#[async_trait]
impl InventorySource for Wms {
    fn inventory(&self, _: &Context, _: InventoryQuery) -> Items<InventoryLevel> {
        if self.0.truth().rush > 0 {
            self.0.truth().rush -= 1;
            self.0.ship(5);
        }
        let shelf = self.0.truth().shelf;
        stream::iter([Ok(self.0.level(shelf))]).boxed()
    }

    async fn inventory_of(&self, cx: &Context, skus: &[Sku]) -> Result<Vec<InventoryLevel>> {
        pick(self.inventory(cx, InventoryQuery::new()), skus).await
    }
}

impl FulfillmentSource for Wms {
    fn fulfillment_changes(&self, _: &Context, _: Option<Watermark>) -> Feed<Fulfillment> {
        let now = self.0.clock.now();
        let all = self.0.truth().shipments.clone();
        let events = all.into_iter().map(move |shipped| {
            let (key, number) = (shipped.key.clone(), shipped.number.clone());
            Ok(FeedEvent::Upsert(Box::new(Observed::new(key, number, now, shipped))))
        });
        stream::iter(events.collect::<Vec<_>>()).boxed()
    }
}

impl Connector for Books {
    fn identity(&self) -> Identity {
        identity("erp")
    }

    fn capabilities(&self) -> Capabilities {
        let sink = SinkCapability::new(Idempotency::UniqueExternalId, Duration::from_secs(60));
        let mut capabilities = Capabilities::default();
        capabilities.inventory_sink = Some(sink.clone().with_bulk(10, 1));
        capabilities.fulfillment_sink = Some(sink.with_bulk(1, 2));
        capabilities
    }
}

#[async_trait]
impl InventorySink for Books {
    async fn put_inventory(&self, _: &Context, puts: &[InventoryPut]) -> Vec<Outcome> {
        let slow = self.0.truth().slow;
        self.0.clock.sleep(Duration::from_secs(if slow { 140 } else { 2 })).await;
        let mut truth = self.0.truth();
        let post = |put: &InventoryPut| {
            let difference = put.quantity.value - truth.books;
            // A difference must not be posted twice: what came under this key before is not posted again.
            let new = truth.keys.insert(put.key.clone().expect("a count has a key"));
            if new && !difference.is_zero() {
                truth.adjustments.push(difference);
                truth.books = put.quantity.value;
            }
            Outcome::Applied(Receipt::new(NativeId::new("1"), SKU, self.0.clock.now()))
        };
        puts.iter().map(post).collect()
    }

    fn inventory_statement(&self, _: &Context, _: InventoryQuery) -> Items<InventoryLevel> {
        let books = self.0.truth().books;
        stream::iter([Ok(self.0.level(books))]).boxed()
    }
}

#[async_trait]
impl FulfillmentSink for Books {
    async fn submit_fulfillments(&self, _: &Context, items: &[FulfillmentSubmission]) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for item in items {
            self.0.clock.sleep(Duration::from_secs(1)).await;
            let mut truth = self.0.truth();
            let (key, of) = (&item.fulfillment.key, &item.fulfillment.lines[0]);
            outcomes.push(if truth.down {
                Outcome::Failed(Error::transient("the connection broke"))
            } else if truth.refuse {
                Outcome::Failed(Error::new(ErrorKind::Throttled, "locked by another user"))
            } else {
                assert_eq!(item.order, item.fulfillment.order, "the order is the sink's own");
                // As every sink of shipments it looks before it creates.
                if truth.posted.insert(key.clone(), of.quantity).is_none() {
                    truth.books -= of.quantity;
                }
                if truth.lose > 0 {
                    truth.lose -= 1;
                    Outcome::Failed(Error::transient("the answer was lost").with_effect(Effect::Unknown))
                } else {
                    Outcome::Applied(Receipt::new(NativeId::new(key.as_str()), "F", self.0.clock.now()))
                }
            });
        }
        outcomes
    }

    async fn find_fulfillment(&self, _: &Context, key: &Key, _: &NativeId) -> Result<Found> {
        if self.0.truth().down {
            return Err(Error::transient("the connection broke"));
        }
        let posted = self.0.truth().posted.contains_key(key);
        let receipt = || Receipt::new(NativeId::new(key.as_str()), "F", self.0.clock.now());
        Ok(if posted { Found::Whole(receipt()) } else { Found::Absent })
    }
}

fn start(bench: &Bench) -> (Hall, SyncEngine) {
    start_telling(bench, Arc::new(Silent))
}

/// Movements are read before counts, as far as that is decided by their order.
fn start_telling(bench: &Bench, narrate: Arc<dyn Narrate>) -> (Hall, SyncEngine) {
    let truth = Truth { shelf: 1000.into(), books: 1000.into(), ..Truth::default() };
    let hall = Hall { truth: Arc::new(Mutex::new(truth)), clock: bench.clock.shared() };
    let engine = engine_on(bench, bench.ledger.clone(), &hall, narrate);
    (hall, engine)
}

fn engine_on(bench: &Bench, ledger: SqliteLedger, hall: &Hall, narrate: Arc<dyn Narrate>) -> SyncEngine {
    let (wms, books) = (Wms(hall.clone()), Books(hall.clone()));
    SyncEngine::builder()
        .ledger(ledger)
        .clock(bench.clock.shared())
        .narrate(narrate)
        .flow(
            Flow::fulfillments(&wms, &books)
                .named("shipments")
                .orders_of_the_sink()
                .starting(Start::At(bench.start))
                .every(10 * MINUTE),
        )
        .flow(Flow::inventory(&wms, &books).movements_by("shipments").every(10 * MINUTE))
        .build()
        .unwrap()
}

fn tied(engine: &SyncEngine) -> TieOut {
    block_on(engine.tie_out(Window::ALL)).unwrap().pop().unwrap()
}

#[test]
fn a_count_never_takes_off_what_a_movement_in_flight_will_take_off() {
    let bench = Bench::new();
    let (hall, engine) = start(&bench);
    assert!(bench.run(&engine, 5 * MINUTE).is_none());
    hall.truth().refuse = true;
    hall.ship(5);
    assert!(bench.run(&engine, 65 * MINUTE).is_none());
    assert_eq!((hall.books(), hall.adjustments().len()), (1000.into(), 0), "it waits to be posted");
    let tie = tied(&engine);
    assert_eq!((tie.unexplained(), tie.items.len()), (0, 0), "what is in flight explains the difference");
    // Something breaks meanwhile: that alone is a difference.
    hall.truth().shelf -= Decimal::from(3);
    assert!(bench.run(&engine, 25 * MINUTE).is_none());
    assert_eq!(hall.adjustments(), [Decimal::from(-3)]);
    assert_eq!(tied(&engine).unexplained(), 0);
    hall.truth().refuse = false;
    assert!(bench.run(&engine, 60 * MINUTE).is_none());
    assert_eq!((hall.books(), hall.adjustments().len()), (992.into(), 1));
    let tie = tied(&engine);
    assert_eq!((tie.unexplained(), tie.rows[&Category::Agreed].source.count), (0, 1));
    // Somebody touches the books past every document.
    hall.truth().books += Decimal::TWO;
    assert_eq!(tied(&engine).unexplained(), 1);
}

#[test]
fn a_figure_waits_while_nobody_knows_whether_a_shipment_was_posted() {
    let bench = Bench::new();
    let (hall, engine) = start(&bench);
    hall.truth().lose = 1;
    hall.ship(5);
    assert!(bench.run(&engine, 25 * MINUTE).is_none());
    assert_eq!((hall.books(), hall.adjustments().len()), (995.into(), 0));
    assert_eq!(tied(&engine).unexplained(), 0);
}

#[test]
fn a_lost_answer_does_not_keep_the_other_parcel_of_its_order() {
    let bench = Bench::new();
    let (hall, engine) = start(&bench);
    hall.truth().lose = 1;
    hall.ship_of("SO7", 5);
    hall.ship_of("SO7", 2);
    assert!(bench.run(&engine, 25 * MINUTE).is_none());
    assert_eq!((hall.posted(), hall.books()), (2, 993.into()));
    assert_eq!(tied(&engine).unexplained(), 0);
}

/// Nobody says where it left from: it would be taken for missing wherever it is counted.
#[test]
fn a_shipment_without_a_place_keeps_counts_waiting_until_it_is_posted() {
    let bench = Bench::new();
    let (hall, engine) = start(&bench);
    assert!(bench.run(&engine, 5 * MINUTE).is_none());
    hall.truth().refuse = true;
    hall.ship(5);
    hall.truth().shipments[0].location = None;
    assert!(bench.run(&engine, 65 * MINUTE).is_none());
    assert_eq!((hall.books(), hall.adjustments().len()), (1000.into(), 0));
    let mut causes = Vec::new();
    let mut steps = 0;
    let ended = bench.live(&engine, || {
        steps += 1;
        causes.extend(bench.view(&roles::level_key(&SKU.into(), HALL)).entry.cause);
        // It is looked at again every five seconds; between these looks it says why it waits.
        (steps < 20).then_some(Duration::from_secs(32))
    });
    assert!(ended.is_none(), "{ended:?}");
    assert!(causes.iter().any(|cause| cause.message.contains("nothing says at which place")), "{causes:?}");
    hall.truth().refuse = false;
    assert!(bench.run(&engine, 60 * MINUTE).is_none());
    assert_eq!((hall.books(), hall.adjustments().len()), (995.into(), 0));
}

#[test]
fn what_left_before_the_start_is_not_posted() {
    let bench = Bench::new();
    let (hall, engine) = start(&bench);
    hall.ship(5);
    hall.truth().shelf += Decimal::from(5);
    hall.truth().shipments[0].shipped_at = bench.start.minus(MINUTE);
    hall.ship(2);
    assert!(bench.run(&engine, 65 * MINUTE).is_none());
    assert_eq!((hall.posted(), hall.books(), hall.adjustments().len()), (1, 998.into(), 0));
}

#[test]
fn shipments_are_of_orders_that_some_flow_brings_or_have_a_start() {
    let bench = Bench::new();
    let hall = Hall { truth: Arc::default(), clock: bench.clock.shared() };
    let shipments = || Flow::fulfillments(&Wms(hall.clone()), &Books(hall.clone())).every(10 * MINUTE);
    let refused = |flow| SyncEngine::builder().ledger(bench.ledger.clone()).flow(flow).build().unwrap_err();
    let nobody = refused(shipments().orders_by("bestellungen"));
    assert!(nobody.message().contains("bestellungen, which must be a flow of orders"), "{nobody}");
    let history = refused(shipments().orders_of_the_sink());
    assert!(history.message().contains("has no start"), "{history}");
}

/// What leaves between the reading of movements and the count, at one and the same instant, is in the count and not among
/// the movements.
#[test]
fn what_leaves_while_somebody_counts_is_not_taken_off_twice() {
    let bench = Bench::new();
    let (hall, engine) = start(&bench);
    assert!(bench.run(&engine, 25 * MINUTE).is_none());
    hall.truth().rush = 3;
    assert!(bench.run(&engine, 65 * MINUTE).is_none());
    assert_eq!((hall.posted(), hall.books(), hall.adjustments()), (3, 985.into(), Vec::new()));
}

/// A count that changes while the one before it is on its way is another wish, and so is one that changes back.
#[test]
fn each_figure_is_put_under_a_key_of_its_own() {
    let bench = Bench::new();
    let (hall, _) = start(&bench);
    let (wms, books) = (Wms(hall.clone()), Books(hall.clone()));
    let engine = SyncEngine::builder()
        .ledger(bench.ledger.clone())
        .clock(bench.clock.shared())
        .flow(Flow::inventory(&wms, &books).every(MINUTE))
        .build()
        .unwrap();
    // Each put takes longer than it takes until the next count, and the shelf changes meanwhile, there and back.
    hall.truth().slow = true;
    let mut changes = [-4, -1, 1, -1, 4, -4, 1, -1, 0, 0, 0, 0, 0, 0, 0, 0].into_iter();
    let ended = bench.live(&engine, || {
        hall.truth().shelf += Decimal::from(changes.next()?);
        Some(MINUTE + Duration::from_secs(7))
    });
    assert!(ended.is_none(), "{ended:?}");
    assert_eq!(hall.books(), 995.into());
    assert_eq!(tied(&engine).unexplained(), 0);
}

/// A ledger that was put back does not know what the lost one has posted.
#[test]
fn an_older_copy_of_the_ledger_does_not_post_what_is_posted_already() {
    let bench = Bench::new();
    let (hall, engine) = start(&bench);
    assert!(bench.run(&engine, 25 * MINUTE).is_none());
    let copy = bench.ledger.snapshot().unwrap();
    for quantity in 1..=4 {
        hall.ship(quantity);
        assert!(bench.run(&engine, 12 * MINUTE).is_none());
    }
    hall.truth().shelf -= Decimal::TWO;
    let restored = bench.ledger.restore(&copy).unwrap();
    let engine = engine_on(&bench, restored, &hall, Arc::new(Silent));
    for refuse in [true, false] {
        hall.truth().refuse = refuse;
        assert!(bench.run(&engine, 45 * MINUTE).is_none());
    }
    assert_eq!((hall.books(), hall.adjustments()), (988.into(), vec![Decimal::from(-2)]));
    assert_eq!(tied(&engine).unexplained(), 0);
}

/// Remembers when a system was said to be down, or up again.
#[derive(Debug, Default)]
struct Doors(Mutex<Vec<&'static str>>);

impl Narrate for Doors {
    fn tell(&self, _: Timestamp, note: &Note) {
        match note {
            Note::Down { .. } => self.0.lock().unwrap().push("down"),
            Note::Up { .. } => self.0.lock().unwrap().push("up"),
            _ => {}
        }
    }
}

/// A count that waits for its movements asks the ERP nothing, so it cannot know that the ERP is back.
#[test]
fn a_count_that_waits_says_nothing_about_the_system() {
    let bench = Bench::new();
    let doors = Arc::new(Doors::default());
    let (hall, engine) = start_telling(&bench, Arc::clone(&doors) as Arc<dyn Narrate>);
    hall.truth().lose = 1;
    hall.ship(5);
    // Posted, and then nobody can ask whether it was: the next count waits for it, again and again.
    let mut steps = [(false, 65), (true, 90 * 60), (false, 3600)].into_iter();
    let ended = bench.live(&engine, || {
        let (down, seconds) = steps.next()?;
        hall.truth().down = down;
        (0..3).filter(|_| down).for_each(|_| hall.ship(5));
        Some(Duration::from_secs(seconds))
    });
    assert!(ended.is_none(), "{ended:?}");
    assert_eq!(*doors.0.lock().unwrap(), ["down", "up"]);
    assert_eq!((hall.posted(), hall.books()), (4, 980.into()));
}

/// Who asks why a count is not there yet reads what it waits for, and whoever finds it held after its deadline too.
#[test]
fn a_count_that_waits_names_the_movement_that_it_waits_for() {
    let bench = Bench::new();
    let (hall, _) = start(&bench);
    let (wms, books) = (Wms(hall.clone()), Books(hall.clone()));
    let policy = Policy { deadline: 60 * MINUTE, ..Policy::default() };
    let engine = SyncEngine::builder()
        .ledger(bench.ledger.clone())
        .clock(bench.clock.shared())
        .flow(
            Flow::fulfillments(&wms, &books)
                .named("shipments")
                .orders_of_the_sink()
                .starting(Start::At(bench.start))
                .every(10 * MINUTE),
        )
        .flow(Flow::inventory(&wms, &books).movements_by("shipments").policy(policy).every(10 * MINUTE))
        .build()
        .unwrap();
    let count = || bench.view(&roles::level_key(&SKU.into(), HALL)).entry;
    hall.truth().lose = 1;
    hall.ship(5);
    let mut steps = [(false, 65), (true, 30 * 60), (true, 60 * 60)].into_iter();
    let mut seen = Vec::new();
    let ended = bench.live(&engine, || {
        seen.push(block_on(bench.ledger.entries(Select::default())).unwrap().len());
        if seen.len() == 3 {
            let entry = count();
            let cause = entry.cause.unwrap();
            assert_eq!(entry.state, State::Waiting);
            assert_eq!(cause.message, "waits for S0 of flow shipments, which is in doubt");
        }
        let (down, seconds) = steps.next()?;
        hall.truth().down = down;
        Some(Duration::from_secs(seconds))
    });
    assert!(ended.is_none(), "{ended:?}");
    let entry = count();
    let told = entry.cause.unwrap().message;
    assert_eq!(entry.state, State::Held);
    assert!(told.contains("deadline passed: waits for S0 of flow shipments"), "{told}");
    // A person retries when the ERP is back.
    hall.truth().down = false;
    assert!(bench.operate(&entry.key, Verb::Retry));
    assert!(bench.run(&engine, 30 * MINUTE).is_none());
    let entry = count();
    assert_eq!((entry.state, entry.cause, hall.books()), (State::Settled, None, 995.into()));
}

/// A count that takes long keeps the movements waiting for longer than half of their lease: the ERP was not asked, and is
/// not blamed.
#[test]
fn a_turn_that_does_not_come_is_put_back_and_neither_tried_nor_lost() {
    let bench = Bench::new();
    let doors = Arc::new(Doors::default());
    let (hall, _) = start(&bench);
    let (wms, books) = (Wms(hall.clone()), Books(hall.clone()));
    let policy = Policy { lease: MINUTE, ..Policy::default() };
    let shipments = Flow::fulfillments(&wms, &books)
        .named("shipments")
        .orders_of_the_sink()
        .starting(Start::At(bench.start))
        .policy(policy);
    let engine = SyncEngine::builder()
        .ledger(bench.ledger.clone())
        .clock(bench.clock.shared())
        .narrate(Arc::clone(&doors) as Arc<dyn Narrate>)
        .flow(shipments.every(MINUTE))
        .flow(Flow::inventory(&wms, &books).movements_by("shipments").every(10 * MINUTE))
        .build()
        .unwrap();
    let entries = || {
        let select = Select { flow: Some("shipments".to_owned()), ..Select::default() };
        block_on(bench.ledger.entries(select)).unwrap().into_iter().map(|view| view.entry)
    };
    let mut step = 0;
    let ended = bench.live(&engine, || {
        step += 1;
        match step {
            1 => return Some(5 * MINUTE),
            // Something breaks, and the next count, which tells it, takes two minutes and more.
            2 => {
                hall.truth().slow = true;
                hall.truth().shelf -= Decimal::ONE;
                return Some(5 * MINUTE + Duration::from_secs(30));
            }
            3 => {
                (1..=3).for_each(|quantity| hall.ship(quantity));
                return Some(Duration::from_secs(95));
            }
            4 => {
                assert_eq!((hall.adjustments().len(), hall.posted()), (0, 0), "the count is under way");
                assert!(entries().filter(|entry| entry.fence >= 2).count() >= 2, "put back, and taken again");
                hall.truth().slow = false;
                return Some(5 * MINUTE);
            }
            _ => {}
        }
        None
    });
    assert!(ended.is_none(), "{ended:?}");
    assert_eq!((hall.posted(), hall.books(), hall.adjustments()), (3, 993.into(), vec![-Decimal::ONE]));
    for entry in entries() {
        assert_eq!((entry.state, entry.tries, entry.lost_leases), (State::Settled, 0, 0), "{}", entry.label);
    }
    assert_eq!(*doors.0.lock().unwrap(), Vec::<&str>::new(), "the ERP was never called out of reach");
}

/// Whatever happens in whatever order: the books end as the shelf is, and what was adjusted is what broke, no more.
#[test]
fn what_is_adjusted_is_what_broke_whatever_else_moves() {
    for seed in 1..=12u64 {
        let bench = Bench::new();
        let (hall, engine) = start(&bench);
        let mut dice = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut roll = |sides: u64| {
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            dice % sides
        };
        let mut broken = 0;
        let mut steps = 0..82;
        let ended = bench.live(&engine, || {
            let step = steps.next()?;
            let tie = tied(&engine);
            assert_eq!(tie.unexplained(), 0, "seed {seed}: {:?}", tie.items);
            if step >= 80 {
                hall.truth().refuse = false;
                return Some(60 * MINUTE);
            }
            match roll(10) {
                0 => {
                    hall.truth().shelf -= Decimal::ONE;
                    broken += 1;
                }
                1 => hall.truth().refuse = true,
                2 | 3 => hall.truth().refuse = false,
                4 => hall.truth().lose += 1,
                _ => hall.ship(1 + i64::try_from(roll(4)).unwrap()),
            }
            // Now and then something happens at the very instant at which counts and movements are read.
            let now = bench.clock.now().as_secs();
            let wait = if roll(3) == 0 { 600 - now.rem_euclid(600) } else { 1 + roll(400) as i64 };
            Some(Duration::from_secs(wait as u64))
        });
        assert!(ended.is_none(), "seed {seed}: {ended:?}");
        let truth = hall.truth();
        assert_eq!(truth.books, truth.shelf, "seed {seed}");
        assert_eq!(truth.posted.len(), truth.shipments.len(), "seed {seed}");
        let adjusted: Decimal = truth.adjustments.iter().map(Decimal::abs).sum();
        assert_eq!(adjusted, Decimal::from(broken), "seed {seed}: {:?}", truth.adjustments);
    }
}

#[test]
fn one_run_reads_counts_before_movements_and_posts_both() {
    let bench = Bench::new();
    let (hall, engine) = start(&bench);
    let once = || {
        let mut run = Box::pin(engine.run_once());
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        loop {
            match run.as_mut().poll(&mut cx) {
                Poll::Ready(ended) => return ended.unwrap(),
                Poll::Pending => bench.clock.advance_to(bench.clock.now().plus(Duration::from_secs(1))),
            }
        }
    };
    once();
    hall.ship(5);
    hall.truth().shelf -= Decimal::ONE;
    bench.clock.advance_to(bench.clock.now().plus(10 * MINUTE));
    once();
    assert_eq!((hall.books(), hall.adjustments()), (994.into(), vec![-Decimal::ONE]));
}

#[test]
fn counts_beside_movements_that_no_flow_moves_are_refused() {
    let bench = Bench::new();
    let hall = Hall { truth: Arc::default(), clock: bench.clock.shared() };
    let build = |flow| SyncEngine::builder().ledger(bench.ledger.clone()).flow(flow).build();
    let counts = Flow::inventory(&Wms(hall.clone()), &Books(hall)).movements_by("shipments");
    let error = build(counts.every(10 * MINUTE)).unwrap_err();
    assert!(error.message().contains("which must be a flow of fulfillments"), "{error}");
}
