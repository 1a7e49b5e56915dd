//! Prices: base prices, and tier prices for quantities and customer groups.
//!
//! The shop's prices hold for one unit, in the base currency, at once and until they are changed. What it cannot hold is
//! refused with the field, never rounded or left out. A price list, or the prices of one company, is a customer group.
//!
//! The facts are from the shop's REST schema (`products/base-prices`, `products/tier-prices`).

use crate::client::{CommerceClient, to_json};
use crate::error::{again, learned_max};
use crate::inventory::{COMPOSITE, chunk_limit, number};
use crate::products::{Product, fold};
use crate::wire::catalog::{BasePrice, PriceFailure, TierPrice};
use async_trait::async_trait;
use erp_core::Decimal;
use erp_core::context::Context;
use erp_core::error::{Effect, Error, ErrorKind, Result};
use erp_core::feed::Items;
use erp_core::id::{NativeId, Sku};
use erp_core::model::{Price, PriceQuery, PriceScope};
use erp_core::money::{Currency, Money};
use erp_core::outcome::{Outcome, Receipt};
use erp_core::roles::PriceSink;
use erp_core::time::Timestamp;
use erp_http::{Call, json};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::Method;
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering;

const PUT: &str = "commerce.put_prices";
const READ: &str = "commerce.read_prices";
/// The name of everybody in a tier price.
const ALL_GROUPS: &str = "ALL GROUPS";
/// How many products one call asks the prices of.
const ASKED: usize = 100;

#[async_trait]
impl PriceSink for CommerceClient {
    /// Sets prices for all websites. A price for everybody from one unit on is the base price; all others are tier prices.
    async fn put_prices(&self, cx: &Context, prices: &[Price]) -> Vec<Outcome> {
        put(self, cx, prices).await
    }

    /// What buyers are asked: base prices and tier prices for all websites. A tier in per cent comes as what it makes of the
    /// base price, and one for everybody from one unit on in place of the base price if it is lower. The shop knows no days,
    /// so `query` leaves nothing out.
    fn price_statement(&self, cx: &Context, query: PriceQuery) -> Items<Price> {
        let _ = query;
        statement(self.clone(), cx.clone())
    }
}

/// One row of a write, in the vendor's names: a base price has a store, a tier price all the rest.
#[derive(Debug, Clone, Serialize)]
struct Row {
    price: Box<RawValue>,
    sku: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    store_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    price_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    website_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quantity: Option<Box<RawValue>>,
}

impl Row {
    fn base(sku: String, price: Box<RawValue>) -> Self {
        Self {
            price,
            sku,
            store_id: Some(0),
            price_type: None,
            website_id: None,
            customer_group: None,
            quantity: None,
        }
    }

    const fn path(&self) -> &'static str {
        if self.customer_group.is_some() { "products/tier-prices" } else { "products/base-prices" }
    }

    fn id(&self) -> NativeId {
        match (&self.customer_group, &self.quantity) {
            (Some(group), Some(quantity)) => NativeId::from(format!("{}@{group}@{quantity}", self.sku)),
            _ => NativeId::from(self.sku.as_str()),
        }
    }
}

#[derive(Serialize)]
struct Body<'a> {
    prices: &'a [Row],
}

#[derive(Serialize)]
struct Asked<'a> {
    skus: &'a [String],
}

async fn put(client: &CommerceClient, cx: &Context, prices: &[Price]) -> Vec<Outcome> {
    let mut outcomes: Vec<Option<Outcome>> = prices.iter().map(|_| None).collect();
    let rows = match rows(client, cx, prices, &mut outcomes).await {
        Ok(rows) => rows,
        Err(error) => {
            return prices.iter().map(|_| Outcome::Failed(again(&error).with_operation(PUT))).collect();
        }
    };
    let mut queue = chunks(rows, chunk_limit(client));
    while let Some(chunk) = queue.pop_front() {
        match send(client, cx, &chunk).await {
            Ok((failures, at)) => settle(&mut outcomes, &chunk, &failures, at),
            Err(error) => {
                let Some(max) = learned_max(&error).filter(|max| *max < chunk.len()) else {
                    for (index, _) in &chunk {
                        outcomes[*index] = Some(Outcome::Failed(again(&error)));
                    }
                    continue;
                };
                client.caches().max_items.store(max, Ordering::Relaxed);
                let rest = chunk.into_iter().chain(std::mem::take(&mut queue).into_iter().flatten());
                queue = chunks(rest.collect(), max);
            }
        }
    }
    let missing = || Outcome::Failed(Error::unexpected("this price was not handled").with_operation(PUT));
    outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(missing)).collect()
}

/// The rows of the prices that can go; the outcomes of the others.
async fn rows(
    client: &CommerceClient,
    cx: &Context,
    prices: &[Price],
    outcomes: &mut [Option<Outcome>],
) -> Result<Vec<(usize, Row)>> {
    if prices.is_empty() {
        return Ok(Vec::new());
    }
    let skus: Vec<&Sku> = prices.iter().map(|price| &price.sku).collect();
    let products = client.products(cx, &skus).await?;
    let currency = client.stores(cx).await?.base_currency()?;
    let mut rows = Vec::new();
    for (index, price) in prices.iter().enumerate() {
        match row(price, products.get(&fold(price.sku.as_str())), currency) {
            Ok(row) => rows.push((index, row)),
            Err(error) => outcomes[index] = Some(Outcome::Failed(error.with_operation(PUT))),
        }
    }
    Ok(rows)
}

fn row(price: &Price, product: Option<&Product>, currency: Currency) -> Result<Row> {
    let sku = &price.sku;
    let product = match product {
        None => {
            let text = format!("the shop has no product {sku}; create it, or leave it out of the flow");
            return Err(Error::invalid("sku", "commerce.unknown_sku", text));
        }
        Some(product) if COMPOSITE.contains(&product.type_id.as_str()) => {
            let text = format!("{sku} is a {} product; its parts have prices, it has none", product.type_id);
            return Err(Error::invalid("sku", "commerce.composite", text));
        }
        Some(product) => product,
    };
    let amount = amount(price, currency)?;
    let group = match &price.scope {
        PriceScope::Everybody => ALL_GROUPS,
        PriceScope::Group(code) => code.as_str(),
        PriceScope::Customer(_) => {
            let text = "the shop has no price for one customer; map it to a customer group, such as that of a shared catalogue";
            return Err(Error::invalid("scope", "commerce.customer_price", text));
        }
    };
    let sku = product.sku.clone();
    if price.scope == PriceScope::Everybody && price.from_quantity == Decimal::ONE {
        return Ok(Row::base(sku, amount));
    }
    Ok(Row {
        price: amount,
        sku,
        store_id: None,
        price_type: Some("fixed"),
        website_id: Some(0),
        customer_group: Some(group.to_owned()),
        quantity: Some(quantity(price.from_quantity)?),
    })
}

/// What one unit costs. The shop's column holds fourteen digits before and six after the point, but it reads numbers as
/// floats, which keep fifteen in all.
fn amount(price: &Price, currency: Currency) -> Result<Box<RawValue>> {
    if price.price.currency != currency {
        let text =
            format!("the price is in {}, and the shop's base currency is {currency}", price.price.currency);
        return Err(Error::invalid("price.currency", "commerce.currency", text));
    }
    for (field, day) in [("valid_from", price.valid_from), ("valid_to", price.valid_to)] {
        if let Some(day) = day {
            let text = format!(
                "the shop's prices hold at once and until they are changed, not from or to {day}; send what holds today"
            );
            return Err(Error::invalid(field, "commerce.validity", text));
        }
    }
    let per_unit = price.price.amount.checked_div(price.per).map(|unit| unit.normalize());
    let unit =
        per_unit.filter(|unit| unit.checked_mul(price.per) == Some(price.price.amount) && unit.scale() <= 6);
    let Some(unit) = unit else {
        let text =
            format!("{} per {} is no price of one unit in six decimals", price.price.amount, price.per);
        return Err(Error::invalid("per", "commerce.price_unit", text));
    };
    let digits = unit.mantissa().unsigned_abs().checked_ilog10().unwrap_or_default() + 1;
    if unit.is_sign_negative() && !unit.is_zero()
        || digits > 15
        || unit >= Decimal::from(100_000_000_000_000_i64)
    {
        let text = format!("{unit} is no price that the shop can hold");
        return Err(Error::invalid("price.amount", "commerce.price", text));
    }
    number(unit)
}

fn quantity(from: Decimal) -> Result<Box<RawValue>> {
    let from = from.normalize();
    if from < Decimal::ONE || from.scale() > 4 || from >= Decimal::from(100_000_000) {
        let text = format!(
            "a tier from {from} on is none that the shop can hold; one to eight digits and four decimals are"
        );
        return Err(Error::invalid("from_quantity", "commerce.tier_quantity", text));
    }
    number(from)
}

/// In order, each of one kind and with each product once: the shop names a refused row by its product.
fn chunks(rows: Vec<(usize, Row)>, limit: usize) -> VecDeque<Vec<(usize, Row)>> {
    let mut open: BTreeMap<(&'static str, usize), Vec<(usize, Row)>> = BTreeMap::new();
    let mut count: BTreeMap<(&'static str, String), usize> = BTreeMap::new();
    let mut full = VecDeque::new();
    for (index, row) in rows {
        let path = row.path();
        let turn = count.entry((path, fold(&row.sku))).or_default();
        let chunk = open.entry((path, *turn)).or_default();
        *turn += 1;
        chunk.push((index, row));
    }
    for chunk in open.into_values() {
        let mut rest = chunk.into_iter().peekable();
        while rest.peek().is_some() {
            full.push_back(rest.by_ref().take(limit.max(1)).collect());
        }
    }
    full
}

async fn send(
    client: &CommerceClient,
    cx: &Context,
    chunk: &[(usize, Row)],
) -> Result<(Vec<PriceFailure>, Timestamp)> {
    let rows: Vec<Row> = chunk.iter().map(|(_, row)| row.clone()).collect();
    let path = rows.first().map_or("products/base-prices", Row::path);
    let body = to_json(&Body { prices: &rows })?;
    let response = client.send(cx, Call::idempotent(PUT), Method::POST, path, "", Some(body)).await?;
    let failures = json::decode(PUT, &response).map_err(|error| error.with_effect(Effect::Unknown))?;
    Ok((failures, response.started))
}

fn settle(
    outcomes: &mut [Option<Outcome>],
    chunk: &[(usize, Row)],
    failures: &[PriceFailure],
    at: Timestamp,
) {
    let named: Vec<_> = failures.iter().map(|failure| (failure, failure.words())).collect();
    let stray = named.iter().any(|(_, words)| !chunk.iter().any(|(_, row)| words.contains(&fold(&row.sku))));
    for (index, row) in chunk {
        let failure = named.iter().find(|(_, words)| words.contains(&fold(&row.sku)));
        outcomes[*index] = Some(match failure {
            Some((failure, _)) => {
                let text = format!("the shop refused the price of {}: {}", row.sku, failure.text());
                Outcome::Failed(Error::invalid("price", "commerce.price_refused", text).with_operation(PUT))
            }
            // Some row was refused, and nobody can say which: none is believed.
            None if stray => Outcome::Failed(
                Error::malformed("the shop refused a price and does not say of which product")
                    .with_effect(Effect::Unknown)
                    .with_operation(PUT),
            ),
            None => Outcome::Applied(Receipt::new(row.id(), row.sku.as_str(), at)),
        });
    }
}

fn statement(client: CommerceClient, cx: Context) -> Items<Price> {
    let first: Option<i64> = Some(0);
    stream::try_unfold((client, cx, first), |(client, cx, after)| async move {
        let Some(after) = after else { return Ok(None) };
        let (products, more) = client.products_after(&cx, after, ASKED).await?;
        let next = products.iter().map(|product| product.id).max().filter(|_| more);
        let prices = prices_of(&client, &cx, &products).await?;
        Ok(Some((stream::iter(prices.into_iter().map(Ok)), (client, cx, next))))
    })
    .try_flatten()
    .map_err(|error: Error| error.with_operation(READ))
    .boxed()
}

/// The rows of both kinds. A product that was deleted since it was listed fails the whole call: halves find it, and it has
/// no price any more.
async fn asked(
    client: &CommerceClient,
    cx: &Context,
    skus: Vec<String>,
) -> Result<(Vec<BasePrice>, Vec<TierPrice>)> {
    let (mut bases, mut tiers) = (Vec::new(), Vec::new());
    let mut queue = vec![skus];
    while let Some(skus) = queue.pop() {
        let body = to_json(&Asked { skus: &skus })?;
        let ask = |path| client.send(cx, Call::read(READ), Method::POST, path, "", Some(body.clone()));
        let answers = match ask("products/base-prices-information").await {
            Ok(base) => ask("products/tier-prices-information").await.map(|tier| (base, tier)),
            Err(error) => Err(error),
        };
        match answers {
            Ok((base, tier)) => {
                bases.extend(json::decode::<Vec<BasePrice>>(READ, &base)?);
                tiers.extend(json::decode::<Vec<TierPrice>>(READ, &tier)?);
            }
            Err(error) if matches!(error.kind(), ErrorKind::NotFound) && skus.len() > 1 => {
                let (left, right) = skus.split_at(skus.len() / 2);
                queue.extend([left.to_vec(), right.to_vec()]);
            }
            Err(error) if matches!(error.kind(), ErrorKind::NotFound) => {}
            Err(error) => return Err(error),
        }
    }
    Ok((bases, tiers))
}

async fn prices_of(client: &CommerceClient, cx: &Context, products: &[Product]) -> Result<Vec<Price>> {
    let priced = products.iter().filter(|product| !COMPOSITE.contains(&product.type_id.as_str()));
    let skus: Vec<String> = priced.map(|product| product.sku.clone()).collect();
    if skus.is_empty() {
        return Ok(Vec::new());
    }
    let currency = client.stores(cx).await?.base_currency()?;
    let (bases, tiers) = asked(client, cx, skus).await?;
    let lacks = |what: &str| Error::malformed(format!("a price lacks its {what}"));
    // By product: the base price, of which percentages are taken, and what everybody pays.
    let mut ones: BTreeMap<String, (String, Decimal, Decimal)> = BTreeMap::new();
    for base in bases {
        let (sku, amount) =
            (base.sku.ok_or_else(|| lacks("sku"))?, base.price.ok_or_else(|| lacks("price"))?);
        // One row for each store view that has a price of its own; that of all is the one that we write.
        let of_all = base.store_id.unwrap_or_default() == 0;
        if of_all || !ones.contains_key(&fold(&sku)) {
            ones.insert(fold(&sku), (sku, amount, amount));
        }
    }
    let mut prices = Vec::new();
    // Those of one website are not ours: we write for all of them.
    for tier in tiers.into_iter().filter(|tier| tier.website_id.unwrap_or_default() == 0) {
        let sku = tier.sku.ok_or_else(|| lacks("sku"))?;
        let group = tier.customer_group.ok_or_else(|| lacks("customer_group"))?;
        let stated = tier.price.ok_or_else(|| lacks("price"))?;
        let from = tier.quantity.ok_or_else(|| lacks("quantity"))?;
        let base = ones.get_mut(&fold(&sku));
        let amount = match (tier.price_type.as_deref(), &base) {
            (Some("fixed"), _) => stated,
            (_, Some((_, base, _))) => {
                let part = base.checked_mul(Decimal::ONE_HUNDRED - stated).ok_or_else(|| lacks("amount"))?;
                part / Decimal::ONE_HUNDRED
            }
            // A percentage of nothing is no price.
            (_, None) => continue,
        };
        let everybody = group.eq_ignore_ascii_case(ALL_GROUPS);
        if let Some((_, _, pays)) = base
            && everybody
            && from == Decimal::ONE
        {
            // Everybody pays the lower one.
            *pays = amount.min(*pays);
            continue;
        }
        let scope = if everybody { PriceScope::Everybody } else { PriceScope::Group(group) };
        let price = Price::new(sku, Money::new(amount.normalize(), currency));
        prices.push(price.with_scope(scope).with_quantities(from.normalize(), Decimal::ONE));
    }
    let ones = ones.into_values();
    prices.extend(ones.map(|(sku, _, pays)| Price::new(sku, Money::new(pays.normalize(), currency))));
    Ok(prices)
}

#[cfg(test)]
mod tests {
    use super::*;
    use erp_core::time::Date;

    fn product(type_id: &str) -> Product {
        Product { id: 1, sku: "24-MB01".into(), type_id: type_id.into() }
    }

    fn price(amount: &str) -> Price {
        Price::new("24-mb01", Money::new(amount.parse().unwrap(), Currency::USD))
    }

    fn made(price: &Price) -> Result<Row> {
        row(price, Some(&product("simple")), Currency::USD)
    }

    #[test]
    fn rows_are_what_the_shop_takes() {
        let json = |price: &Price| serde_json::to_string(&made(price).unwrap()).unwrap();
        assert_eq!(json(&price("34.00")), r#"{"price":34,"sku":"24-MB01","store_id":0}"#);
        let hundred = price("1990").with_quantities(Decimal::TEN, Decimal::ONE_HUNDRED);
        assert_eq!(
            json(&hundred),
            r#"{"price":19.9,"sku":"24-MB01","price_type":"fixed","website_id":0,"customer_group":"ALL GROUPS","quantity":10}"#
        );
        let group = price("30.5").with_scope(PriceScope::Group("Wholesale".into()));
        assert!(json(&group).contains(r#""customer_group":"Wholesale","quantity":1"#), "{}", json(&group));
    }

    #[test]
    fn what_the_shop_cannot_hold_is_refused_with_its_field() {
        let day = Some(Date::parse("2026-12-01").unwrap());
        let eur = Price::new("24-MB01", Money::new(Decimal::ONE, Currency::EUR));
        let table = [
            (eur, "price.currency"),
            (price("1").with_validity(day, None), "valid_from"),
            (price("1").with_validity(None, day), "valid_to"),
            (price("10").with_quantities(Decimal::ONE, Decimal::from(3)), "per"),
            (price("0.0000001"), "per"),
            (price("10").with_quantities(Decimal::ONE, Decimal::ZERO), "per"),
            (price("-1"), "price.amount"),
            (price("1").with_quantities(Decimal::new(5, 1), Decimal::ONE), "from_quantity"),
            (price("1").with_scope(PriceScope::Customer("10100001".into())), "scope"),
        ];
        for (price, field) in table {
            let error = made(&price).unwrap_err();
            assert_eq!(error.fields()[0].path, field, "{error}");
            assert_eq!(error.effect(), Effect::None);
        }
        let code = |product: Option<&Product>| {
            row(&price("1"), product, Currency::USD).unwrap_err().fields()[0].code.clone()
        };
        assert_eq!(code(None), "commerce.unknown_sku");
        assert_eq!(code(Some(&product("configurable"))), "commerce.composite");
    }

    #[test]
    fn more_digits_than_the_shop_reads_back_are_refused() {
        // The shop reads numbers as floats: the last digits would change on their way.
        let error = made(&price("12345678901.123456")).unwrap_err();
        assert_eq!(error.fields()[0].path, "price.amount", "{error}");
        assert!(made(&price("123456789.123456")).is_ok());
    }

    #[test]
    fn six_places_are_read_back_as_they_were_written() {
        let base: BasePrice =
            serde_json::from_str(r#"{"sku":"A","store_id":0,"price":0.12345600000000001}"#).unwrap();
        assert_eq!(base.price.unwrap().to_string(), "0.123456");
        let tier: TierPrice = serde_json::from_str(r#"{"sku":"A","price":0.175001,"quantity":5}"#).unwrap();
        assert_eq!(tier.price.unwrap().to_string(), "0.175001");
    }

    #[test]
    fn a_call_names_each_product_once_and_holds_one_kind() {
        let tier = |from: i64| price("1").with_quantities(Decimal::from(from), Decimal::ONE);
        let rows = [price("2"), tier(5), tier(10)];
        let rows = rows.iter().enumerate().map(|(index, price)| (index, made(price).unwrap())).collect();
        let sent: Vec<Vec<usize>> =
            chunks(rows, 500).iter().map(|chunk| chunk.iter().map(|(index, _)| *index).collect()).collect();
        assert_eq!(sent, [vec![0], vec![1], vec![2]]);
    }

    #[test]
    fn refusals_go_to_their_rows_and_one_that_names_nobody_to_all() {
        let one = made(&price("1")).unwrap();
        let two = Row::base("WS12".into(), number(Decimal::ONE).unwrap());
        let chunk = vec![(0, one), (1, two)];
        let judged = |failures: &str| {
            let failures: Vec<PriceFailure> = serde_json::from_str(failures).unwrap();
            let mut outcomes = vec![None, None];
            settle(&mut outcomes, &chunk, &failures, Timestamp::EPOCH);
            outcomes.into_iter().map(|one| one.unwrap().error().map(Error::effect)).collect::<Vec<_>>()
        };
        let map = r#"[{"message":"Invalid %fieldName. SKU = %SKU","parameters":{"fieldName":"Price","SKU":"ws12"}}]"#;
        assert_eq!(judged(map), [None, Some(Effect::None)]);
        let list = r#"[{"message":"Invalid %1. SKU = %2","parameters":["Price","24-MB01"]}]"#;
        assert_eq!(judged(list), [Some(Effect::None), None]);
        let quantity = r#"[{"message":"No %qty","parameters":{"qty":"ws12","SKU":"24-MB01"}}]"#;
        assert_eq!(judged(quantity), [Some(Effect::None), None], "what looks like a SKU and is none");
        let nobody = r#"[{"message":"No.","parameters":[]}]"#;
        assert_eq!(judged(nobody), [Some(Effect::Unknown), Some(Effect::Unknown)]);
        assert_eq!(judged("[]"), [None, None]);
    }
}
