//! Prices of the day, from an ERP into a shop.

use crate::world::{Bench, MINUTE};
use erp_core::model::{Price, PriceScope};
use erp_core::money::Money;
use erp_core::prelude::*;
use erp_core::time::Date;
use erp_testkit::reference::CallFault;
use futures_executor::block_on;
use futures_util::TryStreamExt as _;
use std::time::Duration;
use sync_engine::ledger::{Ledger as _, Select};
use sync_engine::tie_out::{Category, TieOut};
use sync_engine::{Flow, State, SyncEngine};

const DAY: Duration = Duration::from_secs(86_400);

fn price(sku: &str, cents: i64) -> Price {
    Price::new(sku, Money::new(Decimal::new(cents, 2), Currency::USD))
}

fn wholesale(price: Price) -> Price {
    price.with_scope(PriceScope::Group("10".to_owned()))
}

fn engine(bench: &Bench) -> SyncEngine {
    let flow = Flow::prices(&bench.world.erp, &bench.world.shop)
        .scope(PriceScope::Group("10".to_owned()), PriceScope::Group("Wholesale".to_owned()))
        .currency(Currency::USD)
        .every(60 * MINUTE);
    bench.engine_of(flow)
}

fn held(bench: &Bench) -> Vec<(String, PriceScope, Decimal)> {
    let list = bench.world.shop.price_statement(&Context::new(), Default::default());
    let prices: Vec<Price> = block_on(list.try_collect()).unwrap();
    prices.into_iter().map(|price| (price.sku.to_string(), price.scope, price.price.amount)).collect()
}

fn tied(engine: &SyncEngine) -> TieOut {
    block_on(engine.tie_out(Window::ALL)).unwrap().remove(0)
}

fn count(report: &TieOut, category: Category) -> u64 {
    report.rows.get(&category).map_or(0, |row| row.source.count)
}

fn work(bench: &Bench, engine: &SyncEngine, span: Duration) {
    assert!(bench.run(engine, span).is_none(), "a run ended");
}

#[test]
fn what_holds_today_reaches_the_shop_in_the_shops_words_and_a_change_follows() {
    let bench = Bench::new();
    let engine = engine(&bench);
    for one in [price("24-MB01", 3400), wholesale(price("24-MB01", 2900)), price("24-MB02", 5900)] {
        bench.world.erp.set_price(one);
    }
    work(&bench, &engine, 10 * MINUTE);
    let wholesale_group = PriceScope::Group("Wholesale".to_owned());
    let mut now = held(&bench);
    now.sort();
    assert_eq!(
        now,
        [
            ("24-MB01".to_owned(), PriceScope::Everybody, Decimal::new(3400, 2)),
            ("24-MB01".to_owned(), wholesale_group, Decimal::new(2900, 2)),
            ("24-MB02".to_owned(), PriceScope::Everybody, Decimal::new(5900, 2)),
        ]
    );
    let report = tied(&engine);
    assert_eq!((count(&report, Category::Agreed), report.unexplained()), (3, 0));
    let puts = bench.world.shop.calls("prices.put");
    work(&bench, &engine, 130 * MINUTE);
    assert_eq!(bench.world.shop.calls("prices.put"), puts, "what is equal is not sent again");
    bench.world.erp.set_price(price("24-MB01", 3900));
    assert_eq!(count(&tied(&engine), Category::OnTheWay), 1, "moved since the last read");
    work(&bench, &engine, 70 * MINUTE);
    assert!(held(&bench).contains(&("24-MB01".to_owned(), PriceScope::Everybody, Decimal::new(3900, 2))));
    assert_eq!(tied(&engine).unexplained(), 0);
}

#[test]
fn a_price_begins_on_its_day_and_not_before() {
    let bench = Bench::new();
    let engine = engine(&bench);
    let tomorrow = Date::parse("2026-11-24").unwrap();
    bench
        .world
        .erp
        .set_price(price("24-MB01", 3400).with_validity(None, Some(Date::parse("2026-11-23").unwrap())));
    bench.world.erp.set_price(price("24-MB01", 4400).with_validity(Some(tomorrow), None));
    work(&bench, &engine, 10 * MINUTE);
    assert_eq!(held(&bench)[0].2, Decimal::new(3400, 2));
    work(&bench, &engine, DAY);
    assert_eq!(held(&bench).iter().map(|one| one.2).collect::<Vec<_>>(), [Decimal::new(4400, 2)]);
}

#[test]
fn what_goes_nowhere_is_counted_and_what_contradicts_itself_is_held() {
    let bench = Bench::new();
    let engine = engine(&bench);
    bench.world.erp.set_price(price("24-MB01", 3400).with_scope(PriceScope::Customer("4711".to_owned())));
    bench.world.erp.set_price(Price::new("24-MB02", Money::new(Decimal::TEN, Currency::EUR)));
    let mut boxed = price("24-WG080", 990);
    boxed.unit = Some("BOX".to_owned());
    bench.world.erp.set_price(price("24-WG080", 100));
    bench.world.erp.set_price(boxed);
    bench.world.erp.set_price(price("NOBODY-KNOWS", 100));
    work(&bench, &engine, 10 * MINUTE);
    let report = tied(&engine);
    assert_eq!(count(&report, Category::Excluded), 2);
    assert_eq!((count(&report, Category::Held), report.unexplained()), (2, 0), "{:?}", report.items);
    let texts: Vec<&str> = report.items.iter().map(|item| item.text.as_str()).collect();
    assert!(
        texts.iter().any(|text| text.contains("two prices at once: 1.00 USD per 1 and 9.90 USD per 1 BOX")),
        "{texts:?}"
    );
    assert!(texts.iter().any(|text| text.contains("NOBODY-KNOWS")), "{texts:?}");
    assert!(held(&bench).is_empty(), "none of them was written");
}

#[test]
fn a_price_that_the_source_no_longer_has_and_one_that_somebody_changed_are_named() {
    let bench = Bench::new();
    let engine = engine(&bench);
    let today = Date::parse("2026-11-23").unwrap();
    bench.world.erp.set_price(price("24-MB01", 3400).with_validity(None, Some(today)));
    bench.world.erp.set_price(price("24-MB02", 5900));
    work(&bench, &engine, 10 * MINUTE);
    let outcomes = block_on(bench.world.shop.put_prices(&Context::new(), &[price("24-MB02", 1)]));
    assert!(outcomes[0].error().is_none());
    let report = tied(&engine);
    assert_eq!(report.unexplained(), 1);
    assert!(report.items[0].text.contains("the source asks 59 USD, the shop 0.01 USD"), "{:?}", report.items);
    let select = Select { name: Some("24-MB02".to_owned()), ..Select::default() };
    let key = block_on(bench.ledger.entries(select)).unwrap()[0].entry.key.clone();
    assert!(bench.operate(&key, sync_engine::step::Verb::Retry));
    work(&bench, &engine, DAY);
    let report = tied(&engine);
    assert_eq!(report.unexplained(), 1, "{:?}", report.items);
    assert!(report.items[0].text.contains("the source asks nothing, the shop 34 USD"), "{:?}", report.items);
}

#[test]
fn an_answer_that_was_lost_is_sent_again_and_settles() {
    let bench = Bench::new();
    let engine = engine(&bench);
    bench.world.erp.set_price(price("24-MB01", 3400));
    let faults = erp_testkit::reference::ScriptedFaults::new();
    bench.world.shop.set_faults(std::sync::Arc::new(faults.clone()));
    faults.once("prices.put", CallFault::AnswerLost);
    work(&bench, &engine, 30 * MINUTE);
    let entries = block_on(bench.ledger.entries(Select::default())).unwrap();
    assert_eq!(entries.iter().map(|view| view.entry.state).collect::<Vec<_>>(), [State::Settled]);
    assert_eq!((held(&bench).len(), tied(&engine).unexplained()), (1, 0));
}

#[test]
fn a_second_price_beside_a_settled_one_is_held_although_the_first_is_in_the_shop() {
    let bench = Bench::new();
    let engine = engine(&bench);
    bench.world.erp.set_price(price("24-MB01", 3400));
    work(&bench, &engine, 10 * MINUTE);
    let key = Key::from("24-MB01@*@1".to_owned());
    assert_eq!(bench.state(&key), State::Settled);
    let since = Some(Date::parse("2026-01-01").unwrap());
    bench.world.erp.set_price(price("24-MB01", 3300).with_validity(since, None));
    work(&bench, &engine, 70 * MINUTE);
    assert_eq!((bench.state(&key), bench.cause(&key)), (State::Held, "two prices at once".to_owned()));
}
