//! Prices out of price levels, their quantity breaks, and what single customers pay.
//!
//! The columns of `pricing` and `customeritempricing` are published nowhere (unverified): the doctor tries them.

use crate::client::NetsuiteClient;
use crate::suiteql::scan::{Scan, Scanning};
use crate::suiteql::{Row, SuiteQl};
use erp_core::Decimal;
use erp_core::context::Context;
use erp_core::error::{Error, Result};
use erp_core::feed::Items;
use erp_core::id::Sku;
use erp_core::model::{Price, PriceQuery, PriceScope};
use erp_core::money::Money;
use erp_core::roles::PriceSource;
use futures_util::{StreamExt as _, stream};
use std::collections::VecDeque;

/// The base price, by custom of all accounts (unverified).
const BASE_LEVEL: &str = "1";

impl PriceSource for NetsuiteClient {
    fn prices(&self, cx: &Context, query: PriceQuery) -> Items<Price> {
        // NetSuite's prices hold from now on: whatever day is asked for, they are the ones that hold today.
        let _ = query;
        let customers = self.config().prices.customers.then(|| of_customers().start());
        let mut scans = VecDeque::from([of_levels(self).start()]);
        scans.extend(customers);
        let walk =
            Walk { client: self.clone(), cx: cx.clone(), scans, ready: VecDeque::new(), failed: false };
        stream::unfold(walk, |mut walk| async move {
            loop {
                if let Some(price) = walk.ready.pop_front() {
                    return Some((Ok(price), walk));
                }
                if walk.failed || walk.scans.is_empty() {
                    return None;
                }
                if let Err(error) = Box::pin(walk.next_page()).await {
                    walk.failed = true;
                    return Some((Err(error.with_operation("netsuite.prices")), walk));
                }
            }
        })
        .boxed()
    }
}

fn of_levels(client: &NetsuiteClient) -> Scan {
    let levels = &client.config().prices.levels;
    let ids: Vec<&str> = if levels.is_empty() {
        vec![BASE_LEVEL]
    } else {
        levels.iter().map(|level| level.id.as_str()).collect()
    };
    Scan {
        operation: "netsuite.prices",
        select: SuiteQl::new("SELECT p.item, i.itemid, p.pricelevel, p.currency, p.quantity, p.unitprice"),
        from: SuiteQl::new(
            " FROM pricing p JOIN item i ON i.id = p.item WHERE NVL(i.isinactive, 'F') = 'F' AND p.unitprice IS NOT NULL AND p.pricelevel IN ",
        )
        .bind_list(ids),
        keys: &[("p.item", "item")],
        repeats: true,
        counted: true,
    }
}

fn of_customers() -> Scan {
    Scan {
        operation: "netsuite.prices",
        select: SuiteQl::new("SELECT p.item, i.itemid, p.customer, p.currency, p.unitprice"),
        from: SuiteQl::new(
            " FROM customeritempricing p JOIN item i ON i.id = p.item WHERE NVL(i.isinactive, 'F') = 'F' AND p.unitprice IS NOT NULL",
        ),
        keys: &[("p.item", "item")],
        repeats: true,
        counted: true,
    }
}

struct Walk {
    client: NetsuiteClient,
    cx: Context,
    scans: VecDeque<Scanning>,
    ready: VecDeque<Price>,
    failed: bool,
}

impl Walk {
    async fn next_page(&mut self) -> Result<()> {
        let Some(scanning) = self.scans.front_mut() else { return Ok(()) };
        let (rows, _) = scanning.next(&self.client, &self.cx).await?;
        if scanning.is_done() {
            self.scans.pop_front();
        }
        for row in &rows {
            if let Some(price) = self.price(row).await? {
                self.ready.push_back(price);
            }
        }
        Ok(())
    }

    async fn price(&self, row: &Row) -> Result<Option<Price>> {
        let config = &self.client.config().prices;
        let currency = self.client.currency_of(&self.cx, row.required("currency")?).await?;
        if !config.currencies.is_empty() && !config.currencies.contains(&currency) {
            return Ok(None);
        }
        let amount = row.decimal("unitprice")?.ok_or_else(|| Error::malformed("unitprice is not there"))?;
        let scope = match (row.get("customer"), row.get("pricelevel")) {
            (Some(customer), _) => PriceScope::Customer(customer.to_owned()),
            (None, level) => {
                let level = level.unwrap_or(BASE_LEVEL);
                let group = config.levels.iter().find(|known| known.id == level);
                group.and_then(|known| known.group.clone()).map_or(PriceScope::Everybody, PriceScope::Group)
            }
        };
        // The first break counts from nothing on; a price holds from one piece on.
        let from = row.amount("quantity")?.max(Decimal::ONE);
        let price = Price::new(Sku::new(row.required("itemid")?), Money::new(amount, currency));
        Ok(Some(price.with_scope(scope).with_quantities(from, Decimal::ONE)))
    }
}
