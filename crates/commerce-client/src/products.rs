//! Which products the shop has: asked before stock or prices are written, because the shop itself takes stock for
//! products that do not exist.

use crate::client::CommerceClient;
use crate::wire::catalog::ProductHead;
use crate::wire::page::{Filter, INDEX_MAX, Search};
use erp_core::context::Context;
use erp_core::error::{Error, Result};
use erp_core::id::Sku;
use erp_core::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long a product that was there is believed to be there, and one that was not, not.
const THERE_FOR: Duration = Duration::from_secs(60 * 60);
const ABSENT_FOR: Duration = Duration::from_secs(60);
/// How many products are remembered.
const REMEMBERED: usize = 500_000;
/// How many SKUs one call asks for: an address has room for about eight thousand characters.
const SKUS_PER_CALL: usize = 50;
/// How long a query's SKUs may be together, encoded.
const QUERY_MAX: usize = 4_000;

/// A product as it was seen, or not.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    at: Timestamp,
    product: Option<Product>,
}

/// How the shop spells a SKU, and what type it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Product {
    pub(crate) id: i64,
    pub(crate) sku: String,
    pub(crate) type_id: String,
}

/// The shop's data base compares SKUs without regard to case.
pub(crate) fn fold(sku: &str) -> String {
    sku.to_lowercase()
}

impl CommerceClient {
    /// What the shop knows of these SKUs, by folded SKU; one that is not in the answer is not in the shop.
    pub(crate) async fn products(&self, cx: &Context, skus: &[&Sku]) -> Result<BTreeMap<String, Product>> {
        let now = self.clock().now();
        let mut known = BTreeMap::new();
        let mut asked = BTreeSet::new();
        let mut cache = self.caches().products.lock().await;
        for sku in skus {
            let folded = fold(sku.as_str());
            match cache.get(&folded).filter(|seen| seen.is_fresh(now)) {
                Some(Seen { product: Some(product), .. }) => {
                    known.insert(folded, product.clone());
                }
                Some(_) => {}
                None => {
                    asked.insert(sku.as_str());
                }
            }
        }
        if cache.len() + asked.len() > REMEMBERED {
            cache.clear();
        }
        for search in searches(&asked) {
            for product in self.read_products(cx, search).await? {
                known.insert(fold(&product.sku), product);
            }
        }
        for sku in asked {
            let folded = fold(sku);
            let product = known.get(&folded).cloned();
            cache.insert(folded, Seen { at: now, product });
        }
        Ok(known)
    }

    /// The next products by id, at most `count`, and whether more come after them: for lists of all.
    pub(crate) async fn products_after(
        &self,
        cx: &Context,
        id: i64,
        count: usize,
    ) -> Result<(Vec<Product>, bool)> {
        let size = u32::try_from(count).unwrap_or(u32::MAX);
        let search = Search::new().and("entity_id", "gt", id).fields("items[id,sku,type_id],total_count");
        let (found, total) = self.product_page(cx, search.ascending("entity_id").page(size, 1)).await?;
        let more = total.map_or(found.len() >= count, |total| {
            usize::try_from(total).is_ok_and(|total| total > found.len())
        });
        // A page may be shorter than was asked for and not be the last.
        if found.iter().any(|product| product.id <= id) || more && found.is_empty() {
            return Err(Error::malformed("the list of products does not go on to its end"));
        }
        Ok((found, more))
    }

    async fn read_products(&self, cx: &Context, search: Search) -> Result<Vec<Product>> {
        let search = search.fields("items[id,sku,type_id],total_count");
        // Twice as large as what is asked for, so that one page holds it, however the shop folds case.
        let (found, total) = self.product_page(cx, search.ascending("entity_id").page(2 * 50, 1)).await?;
        if total.is_some_and(|total| usize::try_from(total).is_ok_and(|total| total > found.len())) {
            return Err(Error::malformed("the shop found more products than were asked for"));
        }
        Ok(found)
    }

    /// A page of products, whole, and how many match in all.
    async fn product_page(&self, cx: &Context, search: Search) -> Result<(Vec<Product>, Option<i64>)> {
        const OP: &str = "commerce.read_products";
        let mut found = Vec::new();
        let page = self.page(cx, OP, "products", &search).await?;
        for row in &page.rows {
            let head: ProductHead = erp_http::json::decode_bytes(OP, &row.raw)?;
            let (Some(id), Some(sku)) = (head.id, head.sku) else {
                return Err(Error::malformed("a product lacks its id or sku").with_operation(OP));
            };
            found.push(Product { id, sku, type_id: head.type_id.unwrap_or_default() });
        }
        Ok((found, page.total))
    }
}

impl Seen {
    fn is_fresh(&self, now: Timestamp) -> bool {
        now.since(self.at) < if self.product.is_some() { THERE_FOR } else { ABSENT_FOR }
    }
}

/// SKUs by list, but those with a comma one by one: a list has no way to escape it.
fn searches(skus: &BTreeSet<&str>) -> Vec<Search> {
    let (odd, plain): (Vec<&str>, Vec<&str>) = skus.iter().partition(|sku| sku.contains(','));
    let mut searches = Vec::new();
    let mut list: Vec<&str> = Vec::new();
    for sku in plain {
        let length: usize = list.iter().map(|sku| sku.len() * 3 + 3).sum();
        if list.len() == SKUS_PER_CALL || length + sku.len() * 3 > QUERY_MAX {
            searches.push(Search::new().and("sku", "in", std::mem::take(&mut list).join(",")));
        }
        list.push(sku);
    }
    if !list.is_empty() {
        searches.push(Search::new().and("sku", "in", list.join(",")));
    }
    let by_ten = odd
        .chunks(INDEX_MAX)
        .map(|skus| Search::new().any(skus.iter().map(|sku| Filter::new("sku", "eq", sku)).collect()));
    searches.extend(by_ten);
    searches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_bounded_and_commas_stand_alone() {
        let names: Vec<String> = (0..120).map(|n| format!("SKU-{n:03}")).collect();
        let mut skus: BTreeSet<&str> = names.iter().map(String::as_str).collect();
        skus.insert("A,B");
        let searches = searches(&skus);
        assert_eq!(searches.len(), 4, "50 + 50 + 20, and the odd one");
        assert!(searches[3].to_query().contains("A%2CB"));
        assert!(searches[3].to_query().ends_with("%5Bcondition_type%5D=eq"));
        assert!(searches.iter().all(|search| search.to_query().len() < 8_000));
    }
}
