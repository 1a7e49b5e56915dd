//! What orders refer to by name and NetSuite by internal id: items and currencies. Kept for an hour; what was not found is
//! asked again each time.

use crate::client::NetsuiteClient;
use crate::suiteql::SuiteQl;
use crate::suiteql::scan::Scan;
use erp_core::context::Context;
use erp_core::error::{Error, Result};
use erp_core::id::Sku;
use erp_core::money::Currency;
use erp_core::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const KEPT: Duration = Duration::from_secs(3600);
/// As many items as are kept; beyond it all are forgotten.
const ITEMS_MAX: usize = 200_000;
/// As many SKUs as one question names.
const ASKED_AT_ONCE: usize = 500;

/// An item as an order needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) id: String,
    pub(crate) sku: Sku,
    /// `InvtPart`, `Kit`, `NonInvtPart` …
    pub(crate) kind: String,
    pub(crate) inactive: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Lookups(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    items: BTreeMap<String, (Item, Timestamp)>,
    currencies: Option<(Arc<BTreeMap<Currency, String>>, Timestamp)>,
}

impl Lookups {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl NetsuiteClient {
    /// The items of these SKUs, by SKU; those that NetSuite does not know are missing.
    pub(crate) async fn items(&self, cx: &Context, skus: &BTreeSet<&Sku>) -> Result<BTreeMap<Sku, Item>> {
        let fresh = self.now().minus(KEPT);
        let mut found = BTreeMap::new();
        let mut asked = Vec::new();
        {
            let kept = self.0.lookups.kept();
            for sku in skus {
                match kept.items.get(sku.as_str().trim()) {
                    Some((item, at)) if *at > fresh => drop(found.insert((*sku).clone(), item.clone())),
                    _ => asked.push(*sku),
                }
            }
        }
        for part in asked.chunks(ASKED_AT_ONCE) {
            let names = part.iter().map(|sku| sku.as_str().trim());
            let query = SuiteQl::new("SELECT id, itemid, itemtype, isinactive FROM item WHERE itemid IN ")
                .bind_list(names)
                .then(" ORDER BY id");
            let page = self.suiteql_page(cx, "netsuite.items", &query, 1000, 0).await?;
            let now = self.now();
            let mut kept = self.0.lookups.kept();
            if kept.items.len() > ITEMS_MAX {
                kept.items.clear();
            }
            for row in &page.rows {
                let item = Item {
                    id: row.required("id")?.to_owned(),
                    sku: Sku::new(row.required("itemid")?),
                    kind: row.text("itemtype").to_owned(),
                    inactive: row.flag("isinactive"),
                };
                if !item.inactive {
                    kept.items.insert(item.sku.to_string(), (item.clone(), now));
                }
                if let Some(sku) = part.iter().find(|sku| sku.as_str().trim() == item.sku.as_str())
                    // An item that was replaced may still have its name.
                    && (!item.inactive || found.get(*sku).is_none_or(|held: &Item| held.inactive))
                {
                    found.insert((*sku).clone(), item);
                }
            }
        }
        Ok(found)
    }

    /// The SKUs of these items, by internal id.
    pub(crate) async fn skus(&self, cx: &Context, ids: &BTreeSet<String>) -> Result<BTreeMap<String, Sku>> {
        let mut found = BTreeMap::new();
        let mut asked: Vec<&String> = Vec::new();
        {
            let fresh = self.now().minus(KEPT);
            let kept = self.0.lookups.kept();
            let by_id: BTreeMap<&str, &Item> = kept
                .items
                .values()
                .filter(|(_, at)| *at > fresh)
                .map(|(item, _)| (item.id.as_str(), item))
                .collect();
            for id in ids {
                match by_id.get(id.as_str()) {
                    Some(item) => drop(found.insert(id.clone(), item.sku.clone())),
                    None => asked.push(id),
                }
            }
        }
        for part in asked.chunks(ASKED_AT_ONCE) {
            let query = SuiteQl::new("SELECT id, itemid FROM item WHERE id IN ")
                .bind_list(part.iter().copied())
                .then(" ORDER BY id");
            let page = self.suiteql_page(cx, "netsuite.items", &query, 1000, 0).await?;
            for row in &page.rows {
                found.insert(row.required("id")?.to_owned(), Sku::new(row.required("itemid")?));
            }
        }
        Ok(found)
    }

    /// The units in which stock of these items is kept, by internal id. Asked only where a document names units: accounts
    /// without them have no such column.
    pub(crate) async fn stock_units(
        &self,
        cx: &Context,
        ids: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, String>> {
        let mut units = BTreeMap::new();
        for part in ids.iter().collect::<Vec<_>>().chunks(ASKED_AT_ONCE) {
            let query = SuiteQl::new("SELECT id, stockunit FROM item WHERE id IN ")
                .bind_list(part.iter().copied())
                .then(" ORDER BY id");
            let page = self.suiteql_page(cx, "netsuite.stock_units", &query, 1000, 0).await?;
            for row in &page.rows {
                units.insert(row.required("id")?.to_owned(), row.text("stockunit").to_owned());
            }
        }
        Ok(units)
    }

    /// Forgets an item that NetSuite refused: it may have been replaced or made inactive.
    pub(crate) fn forget_items(&self, skus: impl IntoIterator<Item = Sku>) {
        let mut kept = self.0.lookups.kept();
        for sku in skus {
            kept.items.remove(sku.as_str().trim());
        }
    }

    /// The internal id of a currency.
    pub(crate) async fn currency_id(&self, cx: &Context, currency: Currency) -> Result<String> {
        if let Some(id) = self.config().orders.currencies.get(currency.as_str()) {
            return Ok(id.clone());
        }
        self.currencies(cx).await?.get(&currency).cloned().ok_or_else(|| {
            let text = format!("the account has no currency {currency}; add it at Lists > Accounting > Currencies, or set orders.currencies");
            Error::invalid("currency", "netsuite.currency_unknown", text)
        })
    }

    /// The ISO code of a currency's internal id.
    pub(crate) async fn currency_of(&self, cx: &Context, id: &str) -> Result<Currency> {
        let configured = self.config().orders.currencies.iter().find(|(_, known)| *known == id);
        if let Some((code, _)) = configured {
            return Currency::new(code);
        }
        let known = self.currencies(cx).await?;
        let found = known.iter().find(|(_, known)| *known == id).map(|(currency, _)| *currency);
        found.ok_or_else(|| {
            Error::malformed(format!("NetSuite names currency {id}, which is not in its list"))
        })
    }

    async fn currencies(&self, cx: &Context) -> Result<Arc<BTreeMap<Currency, String>>> {
        let fresh = self.now().minus(KEPT);
        if let Some((known, at)) = &self.0.lookups.kept().currencies
            && *at > fresh
        {
            return Ok(Arc::clone(known));
        }
        let scan = Scan {
            operation: "netsuite.currencies",
            select: SuiteQl::new("SELECT id, symbol"),
            from: SuiteQl::new(" FROM currency WHERE 1 = 1"),
            keys: &[("id", "id")],
            repeats: false,
            counted: false,
        };
        let mut scanning = scan.start();
        let mut known = BTreeMap::new();
        while !scanning.is_done() {
            let (rows, _) = scanning.next(self, cx).await?;
            for row in rows {
                if let (Some(symbol), Ok(id)) = (row.get("symbol"), row.required("id"))
                    && let Ok(currency) = Currency::new(symbol)
                {
                    known.insert(currency, id.to_owned());
                }
            }
        }
        let known = Arc::new(known);
        self.0.lookups.kept().currencies = Some((Arc::clone(&known), self.now()));
        Ok(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::NetsuiteAuth;
    use erp_http::script::{Script, Step};
    use erp_testkit::clock::VirtualClock;

    /// An item that was replaced under its old name: the one that can be ordered is meant, whenever it is asked for.
    #[tokio::test]
    async fn an_inactive_item_of_the_same_name_takes_no_place() {
        let clock = VirtualClock::new(Timestamp::from_secs(1_795_392_000));
        let script = Script::new(clock.shared());
        let client = NetsuiteClient::builder("ns", "4100002")
            .auth(NetsuiteAuth::tba("c", "s", "t", "s"))
            .clock(clock.shared())
            .transport(script.transport())
            .build()
            .unwrap();
        let row = |id: u8, sku: &str, inactive: &str| {
            format!(r#"{{"id":"{id}","itemid":"{sku}","itemtype":"InvtPart","isinactive":"{inactive}"}}"#)
        };
        let rows = [row(1, "A", "F"), row(2, "A", "T"), row(3, "B", "T"), row(4, "B", "F"), row(5, "C", "T")];
        let body = format!("{{\"items\":[{}]}}", rows.join(","));
        script.expect(Step::post(crate::client::SUITEQL_PATH).with_json(200, body));
        let skus = ["A", "B", "C"].map(Sku::new);
        let found = client.items(&Context::new(), &skus.iter().collect()).await.unwrap();
        let ids: Vec<_> = found.values().map(|item| (item.id.as_str(), item.inactive)).collect();
        assert_eq!(ids, [("1", false), ("4", false), ("5", true)]);
        script.assert_done();
    }
}
