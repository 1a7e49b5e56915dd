use crate::support::{dec, filter, noon, shop, wish, with};
use commerce_emulator::rows::Order;
use commerce_emulator::sample::{self, Broken, DayOptions, Facts, OrderScript};
use commerce_emulator::{Integration, Quirk, Quirks, ShopWorld};
use erp_core::Decimal;
use erp_core::money::Dual;
use erp_core::time::{Date, Zone};
use erp_testkit::clock::VirtualClock;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

fn adds_up(order: &Order) {
    let sums = &order.sums;
    let rows = || order.items.iter().filter(|item| !item.under_configurable && item.product_type != "bundle");
    let total = |f: fn(&commerce_emulator::rows::Item) -> Dual| rows().map(f).sum::<Dual>();
    assert_eq!(total(|row| row.row_total), sums.subtotal);
    assert_eq!(total(|row| row.discount), Dual::ZERO - sums.discount);
    assert_eq!(total(|row| row.tax) + sums.shipping_tax, sums.tax);
    assert_eq!(
        sums.subtotal + sums.discount + sums.shipping + sums.tax - sums.gift_cards,
        sums.grand_total,
        "order {}",
        order.entity_id
    );
    for row in rows() {
        assert!(row.discount.order <= row.row_total.order && row.discount.order >= Decimal::ZERO);
        for part in [row.row_total, row.discount, row.tax] {
            assert_eq!(
                (part.order.round_dp(2), part.base.round_dp(2)),
                (part.order, part.base),
                "whole cents"
            );
        }
    }
    assert!(sums.grand_total.order >= Decimal::ZERO);
}

fn play(seed: u64, orders: usize) -> crate::support::Shop {
    let shop = shop();
    let day = DayOptions::new(Date::parse("2026-11-24").unwrap()).with_orders(orders);
    for scheduled in OrderScript::day(seed, &day) {
        shop.clock.advance_to(scheduled.at);
        shop.world.place_order(scheduled.order).unwrap();
    }
    shop
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn every_generated_order_adds_up_and_stock_ties(seed in any::<u64>()) {
        let shop = play(seed, 40);
        shop.world.orders().iter().for_each(adds_up);
        prop_assert!(shop.world.orders().iter().any(|order| !order.reserved().is_empty()));
        // Live it a little: ship one in three, cancel one in five.
        for order in shop.world.orders() {
            if order.entity_id % 3 == 0 {
                let source = if order.stock_id == 1 { "dc_east" } else { "dc_wholesale" };
                let _ = shop.world.ship(order.entity_id, source, "1Z");
            } else if order.entity_id % 5 == 0 {
                let _ = shop.world.cancel(order.entity_id);
            } else if order.entity_id % 7 == 0 {
                let _ = shop.world.edit(order.entity_id, |order| order.lines.truncate(1));
            }
        }
        let mut open = BTreeMap::<(i64, String), Decimal>::new();
        for order in shop.world.orders() {
            for (sku, quantity) in order.reserved() {
                *open.entry((order.stock_id, sku)).or_default() += quantity;
            }
        }
        for ((stock, sku), quantity) in open {
            let sources: &[&str] = if stock == 1 { &["dc_east", "dc_west"] } else { &["dc_wholesale"] };
            let held: Decimal = sources
                .iter()
                .filter_map(|source| shop.world.source_item(&sku, source))
                .filter(|item| item.status == 1)
                .map(|item| item.quantity)
                .sum();
            prop_assert_eq!(shop.world.salable(&sku, stock), held - quantity, "{}", sku);
        }
    }
}

#[test]
fn a_day_is_what_it_should_be() {
    let zone = Zone::named("America/New_York").unwrap();
    let day = DayOptions::new(Date::parse("2026-11-24").unwrap()).in_zone(zone.clone());
    let orders = OrderScript::day(7, &day);
    assert_eq!(orders, OrderScript::day(7, &day), "the same seed, the same day");
    assert_ne!(orders, OrderScript::day(8, &day));
    assert_eq!(orders.len(), 500);
    let hour = |n: usize| {
        let name = format!("{n:02}:");
        orders.iter().filter(|order| order.at.clock_in(&zone).starts_with(&name)).count()
    };
    assert!(hour(11) + hour(12) > 3 * (hour(6) + hour(17)), "noon is the peak");
    let of = |store: &str| orders.iter().filter(|order| order.order.store == store).count();
    assert!(of("wholesale") > 50 && of("luma_ca") > 15 && of("default") > 300);
    assert!(orders.iter().filter(|order| order.pays_at.is_some()).count() > 10);
    assert!(orders.iter().all(|order| order.pays_at.is_none_or(|at| at > order.at)));
    let wholesale: Vec<_> = orders.iter().filter(|order| order.order.store == "wholesale").collect();
    assert!(
        wholesale
            .iter()
            .all(|order| order.order.po_number.is_some() && order.order.shipping.erp_party.is_some())
    );
    let names: String = orders.iter().map(|order| order.order.billing.lastname.clone()).collect();
    assert!(names.chars().any(|c| u32::from(c) > 0x4e00) && names.contains('\''));
}

#[test]
fn the_facts_agree_with_the_shop() {
    let facts = Facts::of_the_sample_shop();
    let seed = sample::shop();
    assert_eq!(facts.materials.len(), 1891 + 6);
    assert_eq!((facts.companies.len(), seed.companies.len()), (12, 12));
    for (fact, company) in facts.companies.iter().zip(&seed.companies) {
        assert_eq!(Some(&fact.account), company.reseller_id.as_ref());
        let parties: BTreeSet<_> = fact.ship_tos.iter().map(|to| to.party.clone()).collect();
        let held: BTreeSet<_> = seed
            .customers
            .iter()
            .filter(|customer| customer.company_id == Some(company.id))
            .flat_map(|customer| &customer.addresses)
            .filter_map(|address| address.erp_party.clone())
            .collect();
        assert_eq!(parties, held);
    }
    let ids: BTreeSet<i64> =
        seed.customers.iter().flat_map(|one| &one.addresses).map(|address| address.id).collect();
    assert_eq!(
        ids.len(),
        seed.customers.iter().map(|one| one.addresses.len()).sum::<usize>(),
        "address ids are unique"
    );
    assert!(facts.taxes.iter().any(|tax| tax.code == "US-TX" && tax.on_shipping));
}

#[test]
fn a_company_pays_its_own_price_and_gets_its_break() {
    let shop = shop();
    let wish = |quantity: i64| {
        let lines = vec![commerce_emulator::NewLine::new("24-MB01", Decimal::from(quantity))];
        commerce_emulator::NewOrder::new("wholesale", "b@example.test", lines).with_customer(1)
    };
    let price = |quantity: i64| {
        let id = shop.world.place_order(wish(quantity)).unwrap();
        shop.world.order(id).unwrap().items[0].price.base
    };
    assert_eq!((price(12), price(24)), (dec("27.2"), dec("25.5")), "Gold: 20 % off 34, 25 % from 24 pieces");
    let order = shop.world.order(1).unwrap();
    assert_eq!(order.ext_customer_id.as_deref(), Some("0010100001"));
    let (_, json) = shop.get("orders/1");
    assert_eq!(
        json["extension_attributes"]["company_order_attributes"]["company_name"],
        "Åkerlund & Söhne Sports GmbH"
    );
    assert_eq!(json["ext_customer_id"], "0010100001");
}

#[test]
fn a_late_commit_appears_with_an_older_time() {
    let shop = shop();
    let late = shop.world.place_order_late(wish(), Duration::from_secs(90)).unwrap();
    shop.clock.advance(Duration::from_secs(10));
    let next = shop.place();
    assert!(next > late);
    let seen = || shop.get("orders?searchCriteria=").1["total_count"].clone();
    assert_eq!(seen(), 1);
    assert_eq!(shop.get(&format!("orders/{late}")).0, 404);
    shop.clock.advance(Duration::from_secs(80));
    assert_eq!(seen(), 2);
    assert_eq!(shop.get(&format!("orders/{late}")).1["updated_at"], "2026-11-23 12:00:00");
    let quirky = with(&[Quirk::LateCommit]);
    for _ in 0..8 {
        quirky.place();
    }
    assert_eq!(quirky.get("orders?searchCriteria=").1["total_count"], 7);
}

#[test]
fn falsifiers_are_seen() {
    let shop = shop();
    let id = shop.place();
    shop.world.skew_cent(id).unwrap();
    assert_eq!(shop.get(&format!("orders/{id}")).1["grand_total"], serde_json::json!(143.01));
    let twin = shop.world.duplicate(id).unwrap();
    assert_eq!(shop.get(&format!("orders/{twin}")).1["increment_id"], "000000002");
    let salable = shop.world.salable("24-MB01", 1);
    shop.world.lose(twin).unwrap();
    assert_eq!(shop.get(&format!("orders/{twin}")).0, 404);
    assert_eq!(shop.world.salable("24-MB01", 1), salable + Decimal::ONE);
    assert_eq!(shop.place(), twin + 1, "the lost order's id does not come back");
}

#[test]
fn broken_orders_are_broken_as_named() {
    let shop = shop();
    let ids: Vec<i64> = Broken::ALL.iter().map(|kind| kind.place(&shop.world).unwrap()).collect();
    let order = |n: usize| shop.get(&format!("orders/{}", ids[n])).1;
    assert_eq!(order(0)["grand_total"], 40, "34 + 5 and a dollar");
    assert_eq!(order(1)["ext_customer_id"], "0099999999");
    assert_eq!(order(2)["customer_group_id"], 9999);
    assert_eq!(order(3)["items"][1]["sku"], "NO-SUCH-SKU");
    assert_eq!(order(4)["items"][1]["qty_ordered"], -1);
    assert_eq!(shop.world.order(ids[5]).unwrap().items.len(), 10_000);
    assert!(order(6)["billing_address"]["street"][0].as_str().unwrap().contains('🏠'));
    assert_eq!(order(7)["items"].as_array().map(Vec::len), Some(0));
    assert_eq!(order(8)["order_currency_code"], "Taler");
    assert_eq!(order(9)["grand_total"], 41, "34 + 5, and a fee of 2 that no field tells");
}

#[test]
fn a_killed_shop_finds_everything_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.ndjson");
    let clock = VirtualClock::new(noon());
    let open =
        || ShopWorld::open(&path, clock.shared(), Quirks::new(), vec![Integration::named("erp")]).unwrap();
    let before = {
        let world = open();
        assert!(world.is_empty());
        world.seed(sample::shop());
        let id = world.place_order(wish()).unwrap();
        world.place_order(wish()).unwrap();
        world.ship(id, "dc_east", "1Z").unwrap();
        world.edit(2, |order| order.lines.truncate(1)).unwrap();
        world.set_acl("erp-consumer-key", Some(&[]));
        picture(&world)
    };
    // A kill in the middle of a write leaves a torn line.
    std::io::Write::write_all(
        &mut std::fs::File::options().append(true).open(&path).unwrap(),
        b"[{\"Order\":{\"ent",
    )
    .unwrap();
    let world = open();
    assert_eq!(picture(&world), before);
    assert_eq!(world.place_order(wish()).unwrap(), 4);
    assert_eq!(world.order(4).unwrap().increment_id, "000000003");
}

const JOURNAL: &str = "COMMERCE_EMULATOR_JOURNAL";

/// Started and killed by the next test; by itself it has nothing to do.
#[test]
fn places_orders_until_it_is_killed() {
    let Some(path) = std::env::var_os(JOURNAL) else { return };
    let clock = VirtualClock::new(noon());
    let world = ShopWorld::open(path.as_ref(), clock.shared(), Quirks::new(), Vec::new()).unwrap();
    world.seed(sample::shop());
    loop {
        println!("placed {}", world.place_order(wish()).unwrap());
    }
}

#[test]
fn what_was_told_before_a_sigkill_is_there_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.ndjson");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "world::places_orders_until_it_is_killed", "--nocapture"])
        .env(JOURNAL, &path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let told: Vec<i64> = lines
        .map_while(Result::ok)
        .filter_map(|line| line.rsplit_once("placed ")?.1.parse().ok())
        .take(25)
        .collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(told, (1..=25).collect::<Vec<i64>>());
    let clock = VirtualClock::new(noon());
    let world = ShopWorld::open(&path, clock.shared(), Quirks::new(), Vec::new()).unwrap();
    let orders = world.orders();
    assert!(told.iter().all(|id| world.order(*id).is_some()), "told, so it is there");
    orders.iter().for_each(adds_up);
    let held = world.source_item("24-MB01", "dc_east").unwrap().quantity
        + world.source_item("24-MB01", "dc_west").unwrap().quantity;
    assert_eq!(
        world.salable("24-MB01", 1),
        held - Decimal::from(orders.len()),
        "order and reservation are one commit"
    );
}

fn picture(world: &ShopWorld) -> (String, Vec<commerce_emulator::rows::SourceItem>, Decimal, usize) {
    let orders = format!("{:?}", world.orders());
    (orders, world.source_items(), world.salable("MH01-XL-Black", 1), world.shipments().len())
}

#[test]
fn unstable_sorting_moves_rows_between_pages() {
    let shop = with(&[Quirk::UnstableSort]);
    for _ in 0..30 {
        shop.place();
    }
    let mut seen = BTreeSet::new();
    for page in 1..=3 {
        let target = format!(
            "orders?searchCriteria[pageSize]=10&searchCriteria[currentPage]={page}&{}&fields=items[entity_id]",
            filter("state", "eq", "new")
        );
        let (_, body) = shop.get(&target);
        seen.extend(
            body["items"].as_array().unwrap().iter().map(|order| order["entity_id"].as_i64().unwrap()),
        );
    }
    assert!(seen.len() < 30, "without a unique sort some rows are never seen: {}", seen.len());
}
