//! What comes into a warehouse, and what is moved about in it, is booked in the ERP once, and counts know of it.

use crate::world::{Bench, MINUTE};
use async_trait::async_trait;
use erp_core::model::{
    Basis, Fulfillment, FulfillmentLine, FulfillmentSubmission, InventoryLevel, InventoryPut, InventoryQuery,
    MovementLine, MovementRoute, ReceiptOf, StockMovement,
};
use erp_core::prelude::*;
use erp_testkit::model::{LOCATION, SKUS};
use erp_testkit::reference::{CallFault, ReferenceErp, ReferenceWarehouse};
use futures_executor::block_on;
use futures_util::{StreamExt as _, stream};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use sync_engine::flow::{InventoryFlow, MovementFlow};
use sync_engine::step::Verb;
use sync_engine::tie_out::TieOut;
use sync_engine::{Flow, IntoFlow as _, Start, State, SyncEngine};

const SKU: &str = SKUS[0];
const ANNEX: &str = "annex";

/// The warehouse with what left it.
#[derive(Debug, Clone)]
struct Hall {
    shelves: ReferenceWarehouse,
    left: Arc<Mutex<Vec<Fulfillment>>>,
    clock: Arc<dyn Clock>,
}

/// The ERP with the roles that the reference ERP lacks: counts become adjustments, and shipments are posted.
#[derive(Debug, Clone)]
struct Books {
    erp: ReferenceErp,
    clock: Arc<dyn Clock>,
    adjustments: Arc<Mutex<Vec<Decimal>>>,
    keys: Arc<Mutex<BTreeSet<Key>>>,
}

impl Connector for Hall {
    fn identity(&self) -> Identity {
        self.shelves.identity()
    }
}

impl FulfillmentSource for Hall {
    fn fulfillment_changes(&self, _: &Context, _: Option<Watermark>) -> Feed<Fulfillment> {
        let now = self.clock.now();
        let all = self.left.lock().unwrap().clone();
        let event = move |shipped: Fulfillment| {
            let (key, number) = (shipped.key.clone(), shipped.number.clone());
            Ok(FeedEvent::Upsert(Box::new(Observed::new(key, number, now, shipped))))
        };
        stream::iter(all.into_iter().map(event).collect::<Vec<_>>()).boxed()
    }
}

impl Connector for Books {
    fn identity(&self) -> Identity {
        self.erp.identity()
    }

    fn capabilities(&self) -> Capabilities {
        let sink = SinkCapability::new(Idempotency::UniqueExternalId, Duration::from_secs(60));
        let mut capabilities = Capabilities::default();
        capabilities.inventory_sink = Some(sink.clone().with_bulk(10, 1));
        capabilities.fulfillment_sink = Some(sink);
        capabilities
    }
}

impl Books {
    /// Whether nothing came under this key before.
    fn is_new(&self, key: &Key) -> bool {
        self.keys.lock().unwrap().insert(key.clone())
    }

    fn add(&self, sku: &Sku, place: &LocationId, change: Decimal) {
        let before = self.erp.stock_now(sku, place).unwrap_or_default();
        self.erp.stock(sku.clone(), place.clone(), before + change);
    }

    fn receipt(&self) -> Receipt {
        Receipt::new(NativeId::new("1"), "1", self.clock.now())
    }
}

#[async_trait]
impl InventorySink for Books {
    async fn put_inventory(&self, _: &Context, puts: &[InventoryPut]) -> Vec<Outcome> {
        self.clock.sleep(Duration::from_secs(2)).await;
        let post = |put: &InventoryPut| {
            let held = self.erp.stock_now(&put.sku, &put.location).unwrap_or_default();
            let difference = put.quantity.value - held;
            if self.is_new(put.key.as_ref().expect("a count has a key")) && !difference.is_zero() {
                self.adjustments.lock().unwrap().push(difference);
                self.add(&put.sku, &put.location, difference);
            }
            Outcome::Applied(self.receipt())
        };
        puts.iter().map(post).collect()
    }

    fn inventory_statement(&self, _: &Context, _: InventoryQuery) -> Items<InventoryLevel> {
        let level = |place: &str| {
            let (sku, place) = (Sku::from(SKU), LocationId::from(place));
            let quantity = Quantity::new(self.erp.stock_now(&sku, &place)?);
            Some(Ok(InventoryLevel::new(sku, place, quantity, Basis::OnHand, self.clock.now())))
        };
        stream::iter([LOCATION, ANNEX].into_iter().filter_map(level).collect::<Vec<_>>()).boxed()
    }
}

#[async_trait]
impl FulfillmentSink for Books {
    async fn submit_fulfillments(&self, _: &Context, items: &[FulfillmentSubmission]) -> Vec<Outcome> {
        self.clock.sleep(Duration::from_secs(1)).await;
        let post = |item: &FulfillmentSubmission| {
            let place = item.location.as_ref().expect("it says what it left");
            if self.is_new(&item.fulfillment.key) {
                item.fulfillment.lines.iter().for_each(|line| self.add(&line.sku, place, -line.quantity));
            }
            Outcome::Applied(self.receipt())
        };
        items.iter().map(post).collect()
    }

    async fn find_fulfillment(&self, _: &Context, key: &Key, _: &NativeId) -> Result<Found> {
        let posted = self.keys.lock().unwrap().contains(key);
        Ok(if posted { Found::Whole(self.receipt()) } else { Found::Absent })
    }
}

/// A warehouse and books of one product at two places, and an engine that joins them.
struct Stage {
    bench: Bench,
    hall: Hall,
    books: Books,
    engine: SyncEngine,
}

impl Stage {
    fn new() -> Self {
        let bench = Bench::new();
        let (shelves, erp) = (bench.world.warehouse.clone(), bench.world.erp.clone());
        SKUS[1..].iter().for_each(|sku| shelves.forget_sku(&(*sku).into()));
        shelves.stock(SKU, ANNEX, 100);
        erp.stock(SKU, ANNEX, 100);
        let clock = bench.clock.shared();
        let hall = Hall { shelves, left: Arc::default(), clock: Arc::clone(&clock) };
        let books = Books { erp, clock, adjustments: Arc::default(), keys: Arc::default() };
        let engine = SyncEngine::builder()
            .ledger(bench.ledger.clone())
            .clock(bench.clock.shared())
            .flow(movements(&bench).starting(Start::At(bench.start)))
            .flow(
                Flow::fulfillments(&hall, &books)
                    .named("shipments")
                    .orders_of_the_sink()
                    .starting(Start::At(bench.start))
                    .every(10 * MINUTE),
            )
            .flow(counts(&hall, &books).movements_by("shipments").movements_by("movements"))
            .build()
            .unwrap();
        Self { bench, hall, books, engine }
    }

    fn work(&self, minutes: u32) {
        let ended = self.bench.run(&self.engine, minutes * MINUTE);
        assert!(ended.is_none(), "{ended:?}");
    }

    /// Goods go from the one place to the other. Something is always a little off the beat at which sources are read.
    fn transfer(&self, quantity: i64) -> Key {
        self.bench.clock.advance(Duration::from_secs(7));
        self.hall.shelves.record(transfer((LOCATION, ANNEX), quantity))
    }

    /// Goods are ordered, and so many of them come.
    fn receive(&self, ordered: i64, quantity: i64) -> Key {
        self.bench.clock.advance(Duration::from_secs(7));
        let document = self.order(ordered);
        self.hall.shelves.record(receipt(document, quantity))
    }

    fn order(&self, quantity: i64) -> NativeId {
        self.books.erp.await_goods(ReceiptOf::PurchaseOrder, &[(SKU.into(), quantity.into())])
    }

    fn ship(&self, quantity: i64) {
        self.lose(LOCATION, quantity);
        let now = self.bench.clock.now();
        let mut left = self.hall.left.lock().unwrap();
        let number = format!("S{}", left.len());
        let line = FulfillmentLine {
            native_line: "1".into(),
            line: None,
            sku: SKU.into(),
            quantity: quantity.into(),
        };
        let order = NativeId::from(format!("SO{number}"));
        let shipped = Fulfillment::new(Key::from(format!("warehouse:{number}")), number, order, now);
        left.push(shipped.with_lines(vec![line]).with_location(Some(LOCATION.into())));
    }

    /// Goods are gone, and no movement says so.
    fn lose(&self, place: &str, quantity: i64) {
        let (sku, place) = (Sku::from(SKU), LocationId::from(place));
        let lies = self.hall.shelves.stock_now(&sku, &place).unwrap_or_default();
        self.hall.shelves.stock(sku, place, lies - Decimal::from(quantity));
    }

    /// The ERP books no movement until its faults are cleared.
    fn refuse(&self) {
        self.bench.faults.times("movements.create", 0, usize::MAX, CallFault::Throttled(None));
    }

    /// What the ERP holds at both places.
    fn held(&self) -> [i64; 2] {
        places(|sku, place| self.books.erp.stock_now(sku, place))
    }

    /// What lies at both places.
    fn lies(&self) -> [i64; 2] {
        places(|sku, place| self.hall.shelves.stock_now(sku, place))
    }

    fn adjusted(&self) -> Vec<Decimal> {
        self.books.adjustments.lock().unwrap().clone()
    }

    fn booked(&self) -> Vec<Key> {
        self.books.erp.movements().into_iter().map(|movement| movement.key).collect()
    }

    fn tied(&self) -> TieOut {
        block_on(self.engine.tie_out(Window::ALL)).unwrap().pop().unwrap()
    }
}

fn places(stock: impl Fn(&Sku, &LocationId) -> Option<Decimal>) -> [i64; 2] {
    [LOCATION, ANNEX].map(|place| {
        let figure = stock(&SKU.into(), &place.into()).unwrap();
        i64::try_from(figure).unwrap()
    })
}

fn movements(bench: &Bench) -> MovementFlow {
    Flow::movements(&bench.world.warehouse, &bench.world.erp).every(10 * MINUTE)
}

fn counts(hall: &Hall, books: &Books) -> InventoryFlow {
    Flow::inventory(&hall.shelves, books).every(10 * MINUTE)
}

fn transfer(route: (&str, &str), quantity: i64) -> StockMovement {
    let movement = StockMovement::transfer("w".into(), "w", route, Timestamp::EPOCH);
    movement.with_lines(vec![MovementLine::new(SKU, quantity.into())])
}

fn receipt(document: NativeId, quantity: i64) -> StockMovement {
    let of = (ReceiptOf::PurchaseOrder, document);
    let movement = StockMovement::receipt("w".into(), "w", of, LOCATION, Timestamp::EPOCH);
    movement.with_lines(vec![MovementLine::new(SKU, quantity.into())])
}

#[test]
fn a_receipt_and_a_transfer_are_booked_once_though_their_answers_are_lost() {
    let stage = Stage::new();
    stage.work(5);
    stage.bench.faults.times("movements.create", 0, 2, CallFault::AnswerLost);
    let both = BTreeSet::from([stage.transfer(3), stage.receive(5, 5)]);
    stage.work(60);
    assert!(stage.bench.faults.is_spent(), "both answers were lost");
    assert_eq!(
        (stage.booked().len(), stage.booked().into_iter().collect::<BTreeSet<_>>()),
        (2, both.clone())
    );
    assert!(both.iter().all(|key| stage.bench.state(key) == State::Settled));
    assert_eq!((stage.held(), stage.lies()), ([1002, 103], [1002, 103]));
    assert_eq!(stage.adjusted(), []);
}

#[test]
fn what_moved_before_the_start_is_never_booked_and_a_start_must_be_said() {
    let bench = Bench::new();
    bench.world.erp.stock(SKU, ANNEX, 0);
    let before = bench.world.warehouse.record(transfer((LOCATION, ANNEX), 3));
    bench.clock.advance(MINUTE);
    for start in [None, Some(Start::AfterNumber(Default::default()))] {
        let flow = start.into_iter().fold(movements(&bench), MovementFlow::starting);
        assert!(flow.into_flow().unwrap_err().message().contains("no start"));
    }
    let engine = bench.engine_of(movements(&bench).starting(Start::Now));
    assert!(bench.run(&engine, 5 * MINUTE).is_none());
    let after = bench.world.warehouse.record(transfer((LOCATION, ANNEX), 4));
    assert!(bench.run(&engine, 60 * MINUTE).is_none());
    let booked: Vec<_> = bench.world.erp.movements().into_iter().map(|movement| movement.key).collect();
    assert_eq!((bench.state(&before), booked), (State::Excluded, vec![after]));
}

#[test]
fn a_count_that_contains_a_transfer_which_the_erp_has_not_been_told_is_no_difference() {
    let stage = Stage::new();
    stage.work(5);
    stage.refuse();
    let moved = stage.transfer(3);
    stage.ship(2);
    stage.work(65);
    assert_eq!((stage.held(), stage.lies(), stage.adjusted()), ([998, 100], [995, 103], vec![]));
    assert_eq!((stage.tied().unexplained(), stage.tied().items.len()), (0, 0), "it is on its way");
    // What breaks meanwhile is a difference, and nothing else is.
    stage.lose(ANNEX, 1);
    stage.work(25);
    assert_eq!((stage.held(), stage.adjusted()), ([998, 99], vec![-Decimal::ONE]));
    stage.bench.faults.clear();
    stage.work(60);
    assert_eq!((stage.held(), stage.adjusted().len(), stage.booked()), ([995, 102], 1, vec![moved]));
    assert_eq!(stage.tied().unexplained(), 0);
}

#[test]
fn a_movement_that_changes_after_it_was_booked_is_held_and_counts_of_it_wait() {
    let stage = Stage::new();
    stage.work(5);
    let moved = stage.transfer(3);
    stage.work(25);
    assert_eq!(stage.bench.state(&moved), State::Settled);
    // One piece more had been moved: it lies there, and the warehouse says so.
    stage.lose(LOCATION, 1);
    stage.lose(ANNEX, -1);
    let more = |movement: &mut StockMovement| movement.lines[0].quantity += Decimal::ONE;
    assert!(stage.hall.shelves.change_movement(&moved, more));
    stage.work(25);
    let view = stage.bench.view(&moved);
    assert_eq!((view.entry.state, stage.booked().len()), (State::Held, 1));
    let cause = format!("{:?}", view.entry.cause);
    assert!(cause.contains("changed this movement after it was booked as 7000000001"), "{cause}");
    assert_eq!(stage.adjusted(), [], "a person corrects the document: nothing else must");
    for _ in 0..3 {
        assert!(stage.bench.operate(&moved, Verb::Retry));
        stage.work(25);
        assert_eq!(stage.bench.state(&moved), State::Held, "asking again makes it no other document");
    }
}

/// The answer was lost, and the movement was another one before anybody looked.
#[test]
fn a_movement_that_changes_while_nobody_knows_whether_it_was_booked_is_not_taken_for_done() {
    let stage = Stage::new();
    stage.work(5);
    stage.bench.faults.once("movements.create", CallFault::AnswerLost);
    stage.bench.faults.times("movements.find", 1, 6, CallFault::NeverSent);
    let moved = stage.transfer(3);
    stage.work(6);
    assert_eq!((stage.bench.state(&moved), stage.booked().len()), (State::InDoubt, 1));
    stage.lose(LOCATION, 1);
    stage.lose(ANNEX, -1);
    let more = |movement: &mut StockMovement| movement.lines[0].quantity += Decimal::ONE;
    assert!(stage.hall.shelves.change_movement(&moved, more));
    stage.work(60);
    assert_eq!((stage.bench.state(&moved), stage.booked().len()), (State::Held, 1));
    assert_eq!(stage.adjusted(), []);
}

/// It had not been sent: what counts is where the goods went in the end.
#[test]
fn a_movement_that_changes_before_it_is_booked_is_booked_as_it_is_and_leaves_no_trace_in_counts() {
    let stage = Stage::new();
    stage.books.erp.stock(SKU, "yard", 0);
    stage.work(5);
    stage.refuse();
    let moved = stage.transfer(3);
    stage.work(25);
    stage.lose(ANNEX, 3);
    let elsewhere = |movement: &mut StockMovement| {
        movement.route = MovementRoute::Transfer { from: LOCATION.into(), to: "yard".into() };
    };
    assert!(stage.hall.shelves.change_movement(&moved, elsewhere));
    stage.work(35);
    assert_eq!((stage.held(), stage.adjusted()), ([1000, 100], vec![]));
    stage.bench.faults.clear();
    stage.work(30);
    assert_eq!((stage.held(), stage.adjusted(), stage.booked().len()), ([997, 100], vec![], 1));
    assert_eq!(stage.books.erp.stock_now(&SKU.into(), &"yard".into()), Some(3.into()));
}

#[test]
fn receipts_for_one_document_wait_for_a_lost_answer_and_not_for_one_that_is_held() {
    let stage = Stage::new();
    stage.work(5);
    let document = stage.order(9);
    let receive = |quantity| {
        stage.bench.clock.advance(Duration::from_secs(7));
        stage.hall.shelves.record(receipt(document.clone(), quantity))
    };
    let too_many = receive(10);
    stage.work(20);
    assert_eq!(stage.bench.state(&too_many), State::Held);
    stage.bench.faults.once("movements.create", CallFault::AnswerLost);
    let (first, second) = (receive(4), receive(5));
    stage.work(60);
    assert_eq!(stage.booked(), [first, second]);
    assert_eq!(stage.bench.state(&too_many), State::Held);
}

#[test]
fn places_are_told_in_the_naming_of_the_sink_and_one_place_there_moves_nothing() {
    let bench = Bench::new();
    bench.world.erp.stock(SKU, ANNEX, 0);
    let flow = movements(&bench).location("hall-1", LOCATION).location("hall-2", LOCATION);
    let engine = bench.engine_of(flow.starting(Start::At(bench.start)));
    let record = |route| bench.world.warehouse.record(transfer(route, 2));
    let (inside, out) = (record(("hall-1", "hall-2")), record(("hall-2", ANNEX)));
    let nowhere = record((ANNEX, ANNEX));
    assert!(bench.run(&engine, 30 * MINUTE).is_none());
    let booked = bench.world.erp.movements();
    assert_eq!(booked.len(), 1);
    let route = MovementRoute::Transfer { from: LOCATION.into(), to: ANNEX.into() };
    assert_eq!((&booked[0].key, &booked[0].route), (&out, &route));
    assert_eq!((bench.state(&inside), bench.state(&nowhere)), (State::Excluded, State::Held));
    assert_eq!(bench.cause(&inside), "one place in the target");
}

#[test]
fn counts_go_beside_flows_of_movements_and_of_nothing_else() {
    let stage = Stage::new();
    let build = |name: &str| {
        let flow = Flow::inventory(&stage.hall.shelves, &stage.books).named("others").movements_by(name);
        SyncEngine::builder()
            .ledger(stage.bench.ledger.clone())
            .flow(counts(&stage.hall, &stage.books))
            .flow(flow.every(10 * MINUTE))
            .build()
    };
    for name in ["inventory", "movements"] {
        let error = build(name).unwrap_err();
        assert!(error.message().contains("a flow of fulfillments or movements"), "{error}");
    }
}

/// What came in made the books higher, and what broke made the shelf lower: the figure is the one that was told before.
#[test]
fn a_figure_that_is_what_it_was_is_told_again_when_something_moved_since() {
    let stage = Stage::new();
    stage.work(15);
    stage.receive(5, 5);
    stage.lose(LOCATION, 5);
    stage.work(45);
    assert_eq!((stage.held(), stage.lies()), ([1000, 100], [1000, 100]));
    assert_eq!((stage.adjusted(), stage.tied().unexplained()), (vec![Decimal::from(-5)], 0));
}

/// Whatever happens in whatever order: the books end as the shelves are, and what was adjusted is what broke, no more.
#[test]
fn what_is_adjusted_is_what_broke_whatever_is_shipped_received_and_moved() {
    for seed in 1..=8u64 {
        let stage = Stage::new();
        let mut dice = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut roll = |sides: u64| {
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            dice % sides
        };
        let (mut broken, mut moved) = (0, 0);
        let mut steps = 0..62;
        let ended = stage.bench.live(&stage.engine, || {
            let step = steps.next()?;
            if step >= 60 {
                stage.bench.faults.clear();
                return Some(60 * MINUTE);
            }
            let some = 1 + i64::try_from(roll(4)).unwrap();
            match roll(10) {
                0 => {
                    stage.lose(if roll(2) == 0 { LOCATION } else { ANNEX }, 1);
                    broken += 1;
                }
                1 => stage.bench.faults.times("movements.create", 0, 40, CallFault::Throttled(None)),
                2 => stage.bench.faults.clear(),
                3 => stage.bench.faults.once("movements.create", CallFault::AnswerLost),
                4 => stage.bench.faults.once("movements.find", CallFault::NeverSent),
                5 | 6 => stage.ship(some),
                7 => {
                    stage.receive(some + 1, some);
                    moved += 1;
                }
                _ => {
                    stage.transfer(some);
                    moved += 1;
                }
            }
            // Now and then something happens at the very instant at which counts and movements are read.
            let now = stage.bench.clock.now().as_secs();
            let wait = if roll(3) == 0 { 600 - now.rem_euclid(600) } else { 1 + roll(400) as i64 };
            Some(Duration::from_secs(wait as u64))
        });
        assert!(ended.is_none(), "seed {seed}: {ended:?}");
        assert_eq!((stage.held(), stage.tied().unexplained()), (stage.lies(), 0), "seed {seed}");
        assert_eq!(stage.booked().len(), moved, "seed {seed}");
        let adjusted: Decimal = stage.adjusted().iter().map(Decimal::abs).sum();
        assert_eq!(adjusted, Decimal::from(broken), "seed {seed}: {:?}", stage.adjusted());
    }
}
