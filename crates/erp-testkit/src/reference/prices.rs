//! The prices of either reference system.

use super::erp::ReferenceErp;
use super::shop::ReferenceShop;
use super::system::items;
use async_trait::async_trait;
use erp_core::model::{Price, PriceQuery};
use erp_core::outcome::Outcomes;
use erp_core::prelude::*;

/// Puts a price in the place of the one that it replaces.
pub(super) fn set(prices: &mut Vec<Price>, price: Price) {
    let place = |known: &&mut Price| {
        known.sku == price.sku
            && known.scope == price.scope
            && known.from_quantity == price.from_quantity
            && known.unit == price.unit
            && known.valid_from == price.valid_from
            && known.price.currency == price.price.currency
    };
    match prices.iter_mut().find(place) {
        Some(known) => *known = price,
        None => prices.push(price),
    }
}

fn matching(prices: &[Price], query: &PriceQuery) -> Vec<Price> {
    let holds = |price: &&Price| {
        query.on.is_none_or(|day| {
            price.valid_from.is_none_or(|from| from <= day) && price.valid_to.is_none_or(|to| day <= to)
        })
    };
    prices.iter().filter(holds).cloned().collect()
}

#[async_trait]
impl PriceSource for ReferenceErp {
    fn prices(&self, cx: &Context, query: PriceQuery) -> Items<Price> {
        let (erp, cx) = (self.clone(), cx.clone());
        items(async move {
            let read = erp.system.read(&cx, "prices.list", None, move |erp, moment| {
                Ok((matching(&erp.prices, &query), moment.twist))
            });
            read.await
        })
    }
}

#[async_trait]
impl PriceSink for ReferenceShop {
    async fn put_prices(&self, cx: &Context, prices: &[Price]) -> Vec<Outcome> {
        let mut outcomes = Outcomes::with_capacity(prices.len());
        for price in prices.iter().cloned() {
            let key = Key::from(format!("price:{}", price.sku));
            let write = self.system.write(cx, "prices.put", Some(key.clone()), move |shop, moment| {
                if !shop.knows(&price.sku) {
                    let text = format!("{} is no product here", price.sku);
                    return Err(Error::invalid("sku", "sku.unknown", text));
                }
                set(&mut shop.prices, price);
                Ok(Receipt::new(NativeId::from(key.as_str()), "", moment.at))
            });
            outcomes.push(write.await);
        }
        outcomes.into_vec()
    }

    fn price_statement(&self, cx: &Context, query: PriceQuery) -> Items<Price> {
        let (shop, cx) = (self.clone(), cx.clone());
        items(async move {
            let read = shop.system.read(&cx, "prices.statement", None, move |shop, moment| {
                Ok((matching(&shop.prices, &query), moment.twist))
            });
            read.await
        })
    }
}
