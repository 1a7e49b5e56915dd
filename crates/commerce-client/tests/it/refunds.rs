//! Credit memos as refunds, against the emulator.

use commerce_client::CommerceClient;
use commerce_emulator::sample::{DayOptions, OrderScript};
use commerce_emulator::{CommerceEmulator, Options, RefundWish};
use erp_core::model::{Allowance, OrderQuery, Refund};
use erp_core::prelude::*;
use futures_util::{StreamExt as _, TryStreamExt as _};
use std::collections::BTreeMap;

async fn shop(orders: usize) -> (CommerceEmulator, CommerceClient, Vec<i64>) {
    let emulator = commerce_emulator::start(Options::new()).await.expect("loopback can be listened on");
    let keys = &emulator.integration;
    let client = CommerceClient::builder("shop")
        .base_url(emulator.base_url())
        .integration(&keys.consumer_key, &keys.consumer_secret, &keys.access_token, &keys.access_token_secret)
        .with(|config| config.page_size = 20)
        .build()
        .expect("the config is right");
    let day = DayOptions::new(Date::parse("2026-11-20").expect("a day")).with_orders(orders);
    let placed = OrderScript::day(7, &day)
        .into_iter()
        .map(|scheduled| emulator.world.place_order(scheduled.order).expect("the shop takes it"));
    let placed = placed.collect();
    (emulator, client, placed)
}

/// Every row that carries money.
fn all_rows(emulator: &CommerceEmulator, order: i64) -> Vec<(i64, Decimal)> {
    let order = emulator.world.order(order).expect("it was placed");
    let rows = order.items.iter().filter(|item| item.product_type != "bundle" && !item.under_configurable);
    rows.map(|item| (item.item_id, item.qty_ordered)).collect()
}

/// Refunds and poisons of one read, and where the next begins.
async fn read(
    client: &CommerceClient,
    since: Option<Watermark>,
) -> (Vec<Observed<Refund>>, Vec<Key>, Option<Watermark>) {
    let mut feed = client.refund_changes(&Context::new(), since);
    let (mut refunds, mut poisons, mut mark) = (Vec::new(), Vec::new(), None);
    while let Some(event) = feed.next().await {
        match event.expect("the feed goes on") {
            FeedEvent::Upsert(observed) => refunds.push(*observed),
            FeedEvent::Poison(poison) => poisons.push(poison.key),
            FeedEvent::Checkpoint(at) => mark = Some(at),
            _ => {}
        }
    }
    (refunds, poisons, mark)
}

#[tokio::test]
async fn whole_refunds_of_the_sample_orders_add_up_to_them_line_by_line() {
    let (emulator, client, placed) = shop(80).await;
    let cx = Context::new();
    let orders: Vec<_> = client.orders(&cx, OrderQuery::new()).try_collect().await.unwrap();
    let orders: BTreeMap<_, _> = orders.into_iter().map(|order| (order.key.clone(), order.record)).collect();
    let mut given = 0;
    for id in &placed {
        if emulator.world.pay(*id).is_ok() {
            let wish = RefundWish::new(all_rows(&emulator, *id));
            emulator.world.refund(*id, &wish.with_charges(true, Decimal::ZERO, Decimal::ZERO)).unwrap();
            given += 1;
        }
    }
    let (refunds, poisons, _) = read(&client, None).await;
    assert_eq!((refunds.len(), poisons.len()), (given, 0));
    assert!(given > 60, "{given}");
    for observed in &refunds {
        let refund = &observed.record;
        refund.check(Allowance::rounding).unwrap();
        let order = &orders[&refund.order_key];
        assert_eq!(refund.order_key.as_str(), format!("shop:{}", refund.order));
        assert_eq!((refund.total, refund.tax), (order.totals.total, order.totals.tax), "{}", refund.number);
        assert_eq!(refund.channel, order.channel);
        let of_order = order.lines.iter().map(|line| (&line.id, &line.sku, line.net, line.quantity.value));
        let of_refund = refund.lines.iter().map(|line| (&line.line, &line.sku, line.net, line.quantity));
        assert_eq!(of_refund.collect::<Vec<_>>(), of_order.collect::<Vec<_>>(), "{}", refund.number);
        assert!(refund.lines.iter().all(|line| line.restock.is_none()), "the shop does not say");
    }
}

#[tokio::test]
async fn what_is_kept_and_given_beyond_is_told_apart() {
    let (emulator, client, placed) = shop(1).await;
    emulator.world.pay(placed[0]).unwrap();
    let wish = RefundWish::new(all_rows(&emulator, placed[0]));
    emulator.world.refund(placed[0], &wish.with_charges(false, Decimal::TWO, Decimal::TEN)).unwrap();
    let (refunds, ..) = read(&client, None).await;
    let refund = &refunds[0].record;
    refund.check(Allowance::rounding).unwrap();
    let (beyond, kept) = (refund.adjustment_positive.base, refund.adjustment_negative.base);
    assert_eq!((beyond, kept), (Decimal::TWO, Decimal::TEN));
    assert_eq!(refund.shipping, Dual::ZERO);
}

#[tokio::test]
async fn a_credit_memo_comes_when_its_money_was_given_back_and_a_cancelled_one_never() {
    let (emulator, client, placed) = shop(12).await;
    let mut memos = Vec::new();
    for id in placed {
        if emulator.world.pay(id).is_ok() {
            let wish = RefundWish::new(all_rows(&emulator, id));
            memos.push(emulator.world.refund(id, &wish).unwrap());
        }
    }
    assert!(emulator.world.tamper_credit(memos[1], |memo| memo.state = 1));
    assert!(emulator.world.tamper_credit(memos[2], |memo| memo.state = 3));
    let keys = |refunds: &[Observed<Refund>]| {
        refunds.iter().map(|refund| refund.key.clone()).collect::<std::collections::BTreeSet<_>>()
    };
    let key = |memo: i64| Key::from(format!("shop:{memo}"));
    let (refunds, _, mark) = read(&client, None).await;
    assert_eq!(refunds.len(), memos.len() - 2);
    assert!(!keys(&refunds).contains(&key(memos[1])) && !keys(&refunds).contains(&key(memos[2])));
    assert!(emulator.world.tamper_credit(memos[1], |memo| memo.state = 2));
    let (later, ..) = read(&client, mark).await;
    assert!(keys(&later).contains(&key(memos[1])) && !keys(&later).contains(&key(memos[2])));
}

#[tokio::test]
async fn one_that_cannot_be_read_does_not_hide_the_others() {
    let (emulator, client, placed) = shop(3).await;
    let mut memos = Vec::new();
    for id in placed {
        if emulator.world.pay(id).is_ok() {
            memos.push(emulator.world.refund(id, &RefundWish::new(all_rows(&emulator, id))).unwrap());
        }
    }
    assert!(emulator.world.tamper_credit(memos[0], |memo| memo.currency.1 = "nothing".to_owned()));
    let (refunds, poisons, _) = read(&client, None).await;
    assert_eq!((refunds.len(), poisons), (memos.len() - 1, vec![Key::from(format!("shop:{}", memos[0]))]));
}

#[tokio::test]
async fn the_doctor_names_the_right_for_credit_memos() {
    let (emulator, client, _) = shop(1).await;
    let cx = Context::new();
    let well = client.probe(&cx, &[Need::ReadRefunds]).await;
    assert!(well.iter().all(|finding| finding.verdict == Verdict::Good), "{well:?}");
    let rights = ["Magento_Backend::store", "Magento_Sales::actions_view"];
    emulator.world.set_acl(&emulator.integration.consumer_key, Some(&rights));
    let findings = client.probe(&cx, &[Need::ReadRefunds]).await;
    let named = |finding: &Finding| finding.remedy.contains("Magento_Sales::sales_creditmemo");
    let bad: Vec<_> = findings.iter().filter(|finding| finding.verdict == Verdict::Bad).collect();
    assert!(bad.len() == 1 && named(bad[0]), "{bad:?}");
}
