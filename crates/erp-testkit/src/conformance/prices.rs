//! Rules of prices, both ways.

use super::{Bench, Failure, Rule, Spot, Verdict, ensure, rules};
use crate::fault::Fault;
use erp_core::capability::Capabilities;
use erp_core::error::{Effect, ErrorKind};
use erp_core::feed::Items;
use erp_core::model::{Price, PriceQuery};
use erp_core::outcome::Outcome;
use futures_util::StreamExt as _;

const fn sources(capabilities: &Capabilities) -> bool {
    capabilities.price_source.is_some()
}

const fn sinks(capabilities: &Capabilities) -> bool {
    capabilities.price_sink.is_some()
}

pub(super) const RULES: &[Rule] = rules![
    "price_source::each_price_once_and_as_it_is", sources, each_price_once;
    "price_source::a_broken_scan_says_so", sources, broken_scan;
    "price_sink::put_then_statement_equal", sinks, put_then_statement;
    "price_sink::unknown_product_is_refused_alone", sinks, unknown_is_refused_alone;
    "price_sink::lost_answer_is_unknown", sinks, lost_answer;
];

async fn read(mut list: Items<Price>) -> Verdict<Vec<Price>> {
    let mut prices = Vec::new();
    while let Some(price) = list.next().await {
        prices.push(price?);
    }
    Ok(prices)
}

/// How often a price of this product, buyer, quantity and amount is among `prices`.
fn times(prices: &[Price], wanted: &Price) -> usize {
    let same = |price: &&Price| {
        price.sku == wanted.sku
            && price.scope == wanted.scope
            && price.from_quantity == wanted.from_quantity
            && price.price == wanted.price
            && price.per == wanted.per
    };
    prices.iter().filter(same).count()
}

async fn each_price_once(bench: &Bench) -> Verdict {
    let source = Bench::open(bench.connector.price_source())?;
    let samples = bench.harness.sample_prices();
    ensure!(samples.len() > 1, "the harness has no sample prices");
    for price in &samples {
        bench.harness.set_price(price.clone()).await?;
    }
    let prices = read(source.prices(&bench.cx, PriceQuery::new())).await?;
    for wanted in &samples {
        let times = times(&prices, wanted);
        ensure!(times == 1, "{} from {} comes {times} times", wanted.sku, wanted.from_quantity);
    }
    Ok(())
}

async fn broken_scan(bench: &Bench) -> Verdict {
    let source = Bench::open(bench.connector.price_source())?;
    bench.inject(Spot::ReadPrices, 0, 1000, Fault::DropBeforeSend)?;
    let prices = read(source.prices(&bench.cx, PriceQuery::new())).await;
    ensure!(prices.is_err(), "a scan that broke looks like a whole one");
    Ok(())
}

async fn put(bench: &Bench, prices: &[Price]) -> Verdict<Vec<Outcome>> {
    let sink = Bench::open(bench.connector.price_sink())?;
    let outcomes = sink.put_prices(&bench.cx, prices).await;
    ensure!(outcomes.len() == prices.len(), "{} outcomes for {} prices", outcomes.len(), prices.len());
    Ok(outcomes)
}

async fn statement(bench: &Bench) -> Verdict<Vec<Price>> {
    let sink = Bench::open(bench.connector.price_sink())?;
    read(sink.price_statement(&bench.cx, PriceQuery::new())).await
}

/// Put twice, each is there once.
async fn put_then_statement(bench: &Bench) -> Verdict {
    let samples = bench.harness.sample_prices();
    ensure!(samples.len() > 1, "the harness has no sample prices");
    for _ in 0..2 {
        let outcomes = put(bench, &samples).await?;
        let failed = outcomes.iter().find_map(Outcome::error);
        ensure!(failed.is_none(), "a good price was refused: {failed:?}");
        let held = statement(bench).await?;
        for wanted in &samples {
            let times = times(&held, wanted);
            ensure!(times == 1, "{} from {} is held {times} times", wanted.sku, wanted.from_quantity);
        }
    }
    ensure!(put(bench, &[]).await?.is_empty(), "an outcome of nothing");
    Ok(())
}

async fn unknown_is_refused_alone(bench: &Bench) -> Verdict {
    let mut samples = bench.harness.sample_prices();
    samples.truncate(3);
    if let Some(price) = samples.get_mut(1) {
        price.sku = bench.harness.unknown_sku();
    }
    for (index, outcome) in put(bench, &samples).await?.iter().enumerate() {
        match (index, outcome) {
            (1, Outcome::Failed(error)) => {
                let told = matches!(error.kind(), ErrorKind::Invalid { .. } | ErrorKind::NotFound);
                ensure!(told, "an unknown product is {}: {error}", error.code());
                ensure!(error.effect() == Effect::None, "a refused price has effect {:?}", error.effect());
            }
            (0 | 2, Outcome::Applied(_)) => {}
            _ => return Err(Failure(format!("outcome {index} is {outcome:?}"))),
        }
    }
    let held = statement(bench).await?;
    for (index, price) in samples.iter().enumerate() {
        let (times, wanted) = (times(&held, price), usize::from(index != 1));
        ensure!(times == wanted, "price {index} is held {times} times");
    }
    Ok(())
}

async fn lost_answer(bench: &Bench) -> Verdict {
    let samples = bench.harness.sample_prices();
    let Some(price) = samples.first() else { return Ok(()) };
    bench.inject(Spot::PutPrice, 0, 1000, Fault::DropAfterCommit)?;
    for outcome in put(bench, std::slice::from_ref(price)).await? {
        let honest = outcome.error().is_none_or(|error| error.effect() == Effect::Unknown);
        ensure!(honest, "all answers were lost, and the outcome is {outcome:?}");
    }
    bench.harness.clear_faults();
    ensure!(times(&statement(bench).await?, price) == 1, "the price that was set is not held");
    Ok(())
}
