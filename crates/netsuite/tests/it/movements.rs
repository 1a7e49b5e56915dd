//! Movements of a warehouse: what comes in and what goes from hall to hall.

use crate::orders::driven;
use crate::world::{LOCATIONS, LogOn, World};
use erp_core::model::{MovementLine, MovementRoute, ReceiptOf, StockMovement};
use erp_core::prelude::*;
use erp_testkit::conformance::Harness as _;
use erp_testkit::fault::{Fault, Rule};
use erp_testkit::model::SKUS;
use netsuite::config::StockPlace;
use netsuite::wire::{Body, Record, RecordRef};
use netsuite::{NetsuiteClient, external_id};
use netsuite_emulator::{Item, NetsuiteSeed, PurchaseOrder};
use std::time::Duration;

async fn submit(world: &World, client: &NetsuiteClient, item: &StockMovement) -> Outcome {
    driven(world, client.submit_movements(&Context::new(), std::slice::from_ref(item))).await.remove(0)
}

async fn applied(world: &World, client: &NetsuiteClient, item: &StockMovement) -> Receipt {
    match submit(world, client, item).await {
        Outcome::Applied(receipt) => receipt,
        other => panic!("{other:?}"),
    }
}

async fn failed(world: &World, client: &NetsuiteClient, item: &StockMovement) -> Error {
    match submit(world, client, item).await {
        Outcome::Failed(error) => error,
        other => panic!("{other:?}"),
    }
}

async fn find(world: &World, client: &NetsuiteClient, item: &StockMovement) -> Result<Found> {
    driven(world, client.find_movement(&Context::new(), item)).await
}

async fn record(world: &World, client: &NetsuiteClient, kind: &str, item: &StockMovement) -> Record {
    let external = RecordRef::external(external_id(&item.key).expect("a key is an id"));
    let found = driven(world, client.record(&Context::new(), kind, &external)).await.expect("it is read");
    found.unwrap_or_else(|| panic!("no {kind}")).0
}

/// The field, the code and the sentence of a refusal that left nothing behind.
fn told(error: &Error) -> (String, String, String) {
    assert_eq!(error.effect(), Effect::None, "{error}");
    let field = error.fields().first().unwrap_or_else(|| panic!("no field is named: {error}"));
    (field.path.clone(), field.code.clone(), error.to_string())
}

/// What lies in both halls of the first two products.
fn stock(world: &World) -> [[Decimal; 2]; 2] {
    let of = |sku| {
        let item = world.emulator.world.item_id(sku).expect("the item is there");
        LOCATIONS.map(|hall| world.emulator.world.stock(item, hall))
    };
    [of(SKUS[0]), of(SKUS[1])]
}

fn pieces(of: [[i64; 2]; 2]) -> [[Decimal; 2]; 2] {
    of.map(|halls| halls.map(|more| Decimal::from(1000 + more)))
}

fn documents(world: &World) -> [usize; 2] {
    ["itemReceipt", "inventoryTransfer"].map(|kind| world.emulator.world.count(kind))
}

fn status(world: &World) -> String {
    world.emulator.world.purchase_orders().remove(0).status
}

/// Another movement with the same route: a key of its own.
fn again(item: &StockMovement, key: &str, lines: Vec<MovementLine>) -> StockMovement {
    let mut other = item.clone().with_lines(lines);
    other.key = Key::from(key.to_owned());
    other
}

fn line(sku: &str, quantity: i64) -> MovementLine {
    MovementLine::new(sku, Decimal::from(quantity))
}

#[tokio::test]
async fn a_delivery_comes_in_by_parts_and_nothing_else_with_it() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let whole = world.receipt_of(world.ordered([4, 5]), [4, 5]);
    let first = again(&whole, "hall:p1", vec![line(SKUS[0], 3)]);
    let receipt = applied(&world, &client, &first).await;
    assert!(receipt.warnings.is_empty(), "{:?}", receipt.warnings);
    // NetSuite would receive the second line too, were it not left out by name.
    assert_eq!((stock(&world), status(&world).as_str()), (pieces([[0, 3], [0, 0]]), "D"));
    let rest = again(&whole, "hall:p2", vec![line(SKUS[1], 5), line(SKUS[0], 1)]);
    applied(&world, &client, &rest).await;
    assert_eq!((stock(&world), status(&world).as_str()), (pieces([[0, 4], [0, 5]]), "F"));
    let held = record(&world, &client, "itemReceipt", &rest).await;
    assert_eq!(held.text("memo").unwrap(), rest.number);
    assert_eq!(
        held.text("tranDate").unwrap(),
        rest.moved_at.date_in(&Zone::named(crate::world::ZONE).unwrap()).to_string()
    );
    // The same key and another place: it is there, and not where this one says.
    let mut moved = rest.clone();
    let MovementRoute::Receipt { to, .. } = &mut moved.route else { unreachable!() };
    *to = LOCATIONS[0].to_string().into();
    let told = applied(&world, &client, &moved).await.warnings.join(" ");
    assert!(told.contains("at location 2"), "{told}");
    // What is received in whole refuses more, and is still found under its key.
    let found = find(&world, &client, &first).await.unwrap();
    assert!(matches!(found, Found::Whole(found) if found.native_id == receipt.native_id));
    assert_eq!(applied(&world, &client, &first).await.native_id, receipt.native_id);
    assert_eq!(documents(&world), [2, 0]);
}

#[tokio::test]
async fn several_lines_of_one_product_are_filled_in_order_and_a_named_line_first() {
    let world = World::start(LogOn::Tba, &[]).await;
    let client = world.client();
    let books = &world.emulator.world;
    let (id, item) = (books.next_id(), books.item_id(SKUS[0]).unwrap());
    let order = PurchaseOrder::new(id, crate::world::VENDOR, LOCATIONS[0]);
    books
        .put_purchase_order(&order.with_line(item, 2, 7).with_line(item, 3, 7).with_line(item, 4, 7))
        .unwrap();
    let received = || -> Vec<Decimal> {
        books.purchase_orders().remove(0).lines.iter().map(|line| line.received).collect()
    };
    let whole = world.receipt_of(NativeId::from(id.to_string()), [1, 1]);
    let named = line(SKUS[0], 1).with_native_line("2");
    applied(&world, &client, &again(&whole, "hall:n1", vec![line(SKUS[0], 4), named])).await;
    assert_eq!(received(), [2, 3, 0].map(Decimal::from));
    let more = again(&whole, "hall:n2", vec![line(SKUS[0], 3), line(SKUS[0], 2)]);
    let (path, code, text) = told(&failed(&world, &client, &more).await);
    assert_eq!((path.as_str(), code.as_str()), ("lines[1].quantity", "netsuite.more_than_open"));
    assert!(text.contains("1 open on line 1, 2, 3") && text.contains("raise the quantity"), "{text}");
    let beyond = again(&whole, "hall:n3", vec![line(SKUS[0], 1).with_native_line("2")]);
    assert_eq!(told(&failed(&world, &client, &beyond).await).1, "netsuite.more_than_open");
    assert_eq!((received(), documents(&world)), ([2, 3, 0].map(Decimal::from).to_vec(), [1, 0]));
}

#[tokio::test]
async fn a_line_that_is_none_and_a_product_that_was_not_ordered_are_named() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let whole = world.receipt_of(world.ordered([4, 5]), [4, 5]);
    let cases = [
        (line(SKUS[0], 1).with_native_line("9"), "lines[0].native_line", "netsuite.unknown_line"),
        (line(SKUS[0], 1).with_native_line("2"), "lines[0].native_line", "netsuite.other_item"),
        (line(SKUS[2], 1), "lines[0].sku", "netsuite.not_ordered"),
        (line("no-such-product", 1), "lines[0].sku", "netsuite.item_unknown"),
    ];
    for (line, path, code) in cases {
        let error = failed(&world, &client, &again(&whole, "hall:w", vec![line])).await;
        let told = told(&error);
        assert_eq!((told.0.as_str(), told.1.as_str()), (path, code), "{error}");
    }
    assert_eq!((documents(&world), stock(&world)), ([0, 0], pieces([[0, 0], [0, 0]])));
}

#[tokio::test]
async fn a_line_that_counts_dozens_is_not_received_as_pieces() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let cx = Context::new();
    let (pieces, dozens) = ("1", "12");
    let order = async |unit: &str| {
        let line = Body::new().with("item", RecordRef::id("100")).with("quantity", Decimal::TWO);
        let line = line.with("rate", Decimal::TEN).with("units", unit);
        let order = Body::new().with("entity", RecordRef::id(crate::world::VENDOR.to_string()));
        let order = order.with("location", RecordRef::id("1")).with("item", vec![line]);
        driven(&world, client.create_record(&cx, "purchaseOrder", &order)).await.expect("it is ordered")
    };
    let stock_unit = Body::new().with("stockUnit", pieces);
    let item = RecordRef::id("100");
    driven(&world, client.update_record(&cx, "inventoryItem", &item, &stock_unit, &[])).await.unwrap();
    let come = async |key: &str, order: String| {
        let whole = world.receipt_of(NativeId::from(order), [2, 1]);
        submit(&world, &client, &again(&whole, key, vec![line(SKUS[0], 2)])).await
    };
    let refused = come("hall:dozens", order(dozens).await).await;
    let (path, code, text) = told(refused.error().expect("a dozen is no piece"));
    assert_eq!((path.as_str(), code.as_str()), ("route.document", "netsuite.other_unit"));
    assert!(text.contains("unit 12") && text.contains("kept in 1"), "{text}");
    let received = come("hall:pieces", order(pieces).await).await;
    assert!(received.receipt().is_some(), "{received:?}");
    assert_eq!(documents(&world), [1, 0]);
}

#[tokio::test]
async fn a_document_of_another_kind_is_none_that_goods_are_received_for() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let mut item = world.receipt_of(world.ordered([1, 1]), [1, 1]);
    let MovementRoute::Receipt { of, .. } = &mut item.route else { unreachable!() };
    *of = ReceiptOf::Return;
    let (path, code, text) = told(&failed(&world, &client, &item).await);
    assert_eq!((path.as_str(), code.as_str()), ("route.document", "netsuite.document_unknown"));
    assert!(text.contains("no return authorisation") && text.contains("internal id"), "{text}");
}

#[tokio::test]
async fn what_goes_from_hall_to_hall_is_one_document_on_its_own_day() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client_with(|config| {
        let place = |name, at: &str| StockPlace::new(name, &[at]);
        config.inventory.places = vec![place("east", "1"), place("west", "2"), place("annex", "2")];
        config.inventory.places.push(StockPlace::new("all", &["1", "2"]));
        config.movements.subsidiary = Some("1".to_owned());
    });
    let mut item = world.transfer();
    let route = |from: &str, to: &str| MovementRoute::Transfer { from: from.into(), to: to.into() };
    for (route, path, code) in [
        (route("east", "nowhere"), "route.to", "netsuite.location_unknown"),
        (route("all", "west"), "route.from", "netsuite.place_of_several"),
        (route("west", "annex"), "route.to", "netsuite.one_location"),
    ] {
        item.route = route;
        let told = told(&failed(&world, &client, &item).await);
        assert_eq!((told.0.as_str(), told.1.as_str()), (path, code));
    }
    item.route = route("east", "west");
    world.clock.advance(Duration::from_secs(5 * 24 * 3600));
    let receipt = applied(&world, &client, &item).await;
    assert!(receipt.warnings.is_empty(), "{:?}", receipt.warnings);
    assert_eq!((stock(&world), documents(&world)), (pieces([[-3, 3], [-1, 1]]), [0, 1]));
    let held = record(&world, &client, "inventoryTransfer", &item).await;
    let day = item.moved_at.date_in(&Zone::named(crate::world::ZONE).unwrap()).to_string();
    assert_eq!(held.text("tranDate").unwrap(), day);
    assert_eq!(held.text("memo").unwrap(), item.number);
    assert_eq!(held.ref_id("subsidiary").unwrap().as_deref(), Some("1"));
}

#[tokio::test]
async fn a_movement_of_a_closed_month_is_posted_on_the_first_open_day_and_said_so() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let items = [world.transfer(), world.receipt_of(world.ordered([4, 5]), [4, 5])];
    let month = items[0].moved_at.date_in(&Zone::UTC).to_string()[..7].to_owned();
    world.emulator.world.close_period(&month, true);
    let shut = failed(&world, &client, &items[0]).await;
    assert_eq!(told(&shut).1, "netsuite.period_closed", "no day is open yet");
    world.clock.advance(Duration::from_secs(40 * 24 * 3600));
    for (item, kind) in items.iter().zip(["inventoryTransfer", "itemReceipt"]) {
        let receipt = applied(&world, &client, item).await;
        assert!(receipt.warnings[0].contains("closed"), "{:?}", receipt.warnings);
        let held = record(&world, &client, kind, item).await;
        assert!(!held.text("tranDate").unwrap().starts_with(&month));
        assert!(held.text("memo").unwrap().contains(&format!("dated {month}")));
    }
    assert_eq!(documents(&world), [1, 1]);
}

#[tokio::test]
async fn a_lost_answer_books_one_document_however_often_it_is_sent() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let paths = ["/record/v1/inventoryTransfer", "/!transform/itemReceipt"];
    for (item, path) in [world.transfer(), world.receipt_of(world.ordered([4, 5]), [4, 5])].iter().zip(paths)
    {
        for fault in [Fault::DropBeforeSend, Fault::LateOriginal(Duration::from_secs(300))] {
            world.emulator.server.faults().add(Rule::once(Some("POST"), path, fault));
            let lost = failed(&world, &client, item).await;
            assert_eq!(lost.effect(), Effect::Unknown, "{lost}");
            world.clear_faults();
        }
        // The late original comes while it is sent again, or before: either way there is one.
        let receipt = applied(&world, &client, item).await;
        world.clock.advance(Duration::from_secs(900));
        let found = find(&world, &client, item).await.unwrap();
        assert!(matches!(found, Found::Whole(found) if found.native_id == receipt.native_id));
    }
    assert_eq!((documents(&world), stock(&world)), ([1, 1], pieces([[-3, 7], [-1, 6]])));
}

#[tokio::test]
async fn an_external_id_of_something_else_is_told_with_whose_it_is() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let cx = Context::new();
    let moved = world.transfer();
    let came =
        again(&world.receipt_of(world.ordered([4, 5]), [4, 5]), moved.key.as_str(), vec![line(SKUS[0], 1)]);
    let first = applied(&world, &client, &moved).await;
    // Another record's.
    let error = failed(&world, &client, &came).await;
    assert_eq!((error.kind(), error.effect()), (&ErrorKind::Conflict, Effect::None));
    let text = error.to_string();
    assert!(text.contains("inventorytransfer") && text.contains(first.native_id.as_str()), "{text}");
    assert_eq!(find(&world, &client, &came).await.unwrap(), Found::Absent);
    // The same record's, moved otherwise.
    let mut back = moved.clone();
    let [to, from] = LOCATIONS.map(|id| LocationId::from(id.to_string()));
    back.route = MovementRoute::Transfer { from, to };
    for error in [failed(&world, &client, &back).await, find(&world, &client, &back).await.unwrap_err()] {
        assert_eq!((error.kind(), error.effect()), (&ErrorKind::Conflict, Effect::None));
        assert!(error.to_string().contains("another movement"), "{error}");
    }
    // The same movement, and somebody changed it.
    let id = RecordRef::id(first.native_id.as_str());
    let other = Body::new().with("item", RecordRef::id("100")).with("adjustQtyBy", Decimal::TWO);
    let change = Body::new().with("inventory", vec![other]);
    driven(&world, client.update_record(&cx, "inventoryTransfer", &id, &change, &["inventory"]))
        .await
        .unwrap();
    let receipt = applied(&world, &client, &moved).await;
    let told = receipt.warnings.join(" ");
    assert!(told.contains(&format!("2 of {} instead of 3", SKUS[0])) && told.contains("compare"), "{told}");
    assert_eq!((documents(&world), stock(&world)), ([0, 1], pieces([[-2, 2], [0, 0]])));
}

#[tokio::test]
async fn an_inactive_item_and_an_item_of_another_subsidiary_stay_where_they_are() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let books = &world.emulator.world;
    let elsewhere = NetsuiteSeed::new().with_subsidiary(2, "Elsewhere");
    books.seed(&elsewhere.with_item(Item::new(190, "THEIRS").of_subsidiary(2)).with_stock(190, 1, 10));
    let client = world.client();
    let mut item = world.transfer();
    let without = failed(&world, &client, &item).await;
    assert_eq!(told(&without).0, "subsidiary", "OneWorld wants to know whose goods they are");
    let client = world.client_with(|config| {
        config.movements.subsidiary = Some("1".to_owned());
        config.movements.subsidiaries.insert("3".into(), "2".to_owned());
    });
    let theirs = failed(&world, &client, &again(&item, "hall:o", vec![line("THEIRS", 1)])).await;
    assert!(told(&theirs).2.contains("for subsidiary 1"), "{theirs}");
    let mut abroad = item.clone();
    abroad.route = MovementRoute::Transfer { from: "1".into(), to: "3".into() };
    let (path, code, text) = told(&failed(&world, &client, &abroad).await);
    assert_eq!((path.as_str(), code.as_str()), ("route.to", "netsuite.other_subsidiary"));
    assert!(text.contains("intercompany"), "{text}");
    let id = books.item_id(SKUS[1]).unwrap();
    books.set_inactive(id, true);
    item.lines.swap(0, 1);
    // What was looked up a moment ago is refused by NetSuite, and looked up again after that.
    let (path, _, text) = told(&failed(&world, &client, &item).await);
    assert!(path == "inventory.items[0].item" && text.contains("inactive"), "{path}: {text}");
    let (path, code, text) = told(&failed(&world, &client, &item).await);
    assert_eq!((path.as_str(), code.as_str()), ("lines[0].sku", "netsuite.item_inactive"));
    assert!(text.contains("activate it"), "{text}");
    books.set_inactive(id, false);
    applied(&world, &client, &item).await;
    assert_eq!(documents(&world), [0, 1]);
}

#[tokio::test]
async fn whoever_lacks_a_permission_is_told_which() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let receipt = world.receipt_of(world.ordered([4, 5]), [4, 5]);
    let transfer = world.transfer();
    let cases = [
        // Before its items are known.
        ("LIST_ITEM", &transfer),
        ("TRAN_PURCHORD", &receipt),
        ("TRAN_ITEMRCPT", &receipt),
        ("TRAN_INVTRNFR", &transfer),
    ];
    for (permission, item) in cases {
        world.emulator.world.deny(permission);
        let error = failed(&world, &client, item).await;
        let ErrorKind::Permission { missing } = error.kind() else { panic!("{permission}: {error}") };
        assert!(missing[0].contains(permission), "{missing:?}");
        world.emulator.world.grant(permission, netsuite_emulator::Level::Full);
    }
    assert_eq!(documents(&world), [0, 0]);
}
