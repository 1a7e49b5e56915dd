//! The doctor: logs in, and tries each need for real.
//!
//! Reads ask for one row. Writes send a request that the shop refuses for its content *after* it has checked the right
//! to make it (an empty body, an order that cannot exist), so that nothing is ever written.

use crate::client::{CommerceClient, Page};
use crate::wire::page::Search;
use bytes::Bytes;
use erp_core::capability::Capabilities;
use erp_core::connector::{Connector as _, Finding, Need};
use erp_core::context::Context;
use erp_core::error::{Error, ErrorKind, Result};
use erp_core::time::Timestamp;
use erp_http::{Call, json};
use http::Method;
use std::time::Duration;

/// From this much on, a clock is worth a word; the shop itself refuses signatures 600 s ahead of its own time.
const SKEW_NOTED: Duration = Duration::from_secs(30);
const SKEW_REFUSED: Duration = Duration::from_secs(600);

/// One thing to try, and the right that it needs.
struct Trial {
    check: &'static str,
    resource: &'static str,
    how: How,
}

enum How {
    /// Ask for one row.
    List(&'static str),
    /// Send this, and be refused for the content.
    Refused(Method, &'static str, &'static str),
}

const fn list(check: &'static str, resource: &'static str, path: &'static str) -> Trial {
    Trial { check, resource, how: How::List(path) }
}

const fn refused(check: &'static str, resource: &'static str, method: Method, path: &'static str) -> Trial {
    Trial { check, resource, how: How::Refused(method, path, "{}") }
}

const ORDERS: &str = "Magento_Sales::actions_view";
const PRODUCTS: &str = "Magento_Catalog::products";
const SOURCES: &str = "Magento_InventoryApi::source";

fn trials(need: Need) -> Vec<Trial> {
    match need {
        Need::ReadOrders => vec![list("read orders", ORDERS, "orders")],
        Need::WriteBackOrders => vec![
            list("read orders", ORDERS, "orders"),
            refused("write numbers back", "Magento_Sales::create", Method::POST, "orders"),
        ],
        Need::ReadInventory => vec![list("read stock", SOURCES, "inventory/source-items")],
        Need::WriteInventory => vec![
            list("read sources", SOURCES, "inventory/sources"),
            list("read products", PRODUCTS, "products"),
            refused(
                "write stock",
                "Magento_InventoryApi::stock_source_item_assign",
                Method::POST,
                "inventory/source-items",
            ),
        ],
        Need::WritePrices => vec![
            list("read products", PRODUCTS, "products"),
            refused("write prices", "Magento_Catalog::catalog", Method::POST, "products/base-prices"),
        ],
        Need::ReadCustomers => {
            vec![list("read customers", "Magento_Customer::customer", "customers/search")]
        }
        Need::WriteCustomers => vec![
            list("read customers", "Magento_Customer::customer", "customers/search"),
            refused("write customers", "Magento_Customer::manage", Method::PUT, "customers/0"),
        ],
        Need::WriteFulfillments => vec![
            list("read orders", ORDERS, "orders"),
            list("read shipments", "Magento_Sales::shipment", "shipments"),
            refused("write shipments", "Magento_Sales::ship", Method::POST, "order/0/ship"),
        ],
        Need::WriteInvoices => vec![
            list("read orders", ORDERS, "orders"),
            list("read invoices", "Magento_Sales::sales_invoice", "invoices"),
            refused("write invoices", "Magento_Sales::invoice", Method::POST, "order/0/invoice"),
        ],
        Need::ReadRefunds => vec![
            list("read orders", ORDERS, "orders"),
            list("read credit memos", "Magento_Sales::sales_creditmemo", "creditmemos"),
        ],
        _ => Vec::new(),
    }
}

/// Whether the connector has the role that a need is about: what is not there cannot be found good.
const fn has_role(can: &Capabilities, need: Need) -> bool {
    match need {
        Need::ReadOrders | Need::WriteBackOrders => can.order_source.is_some(),
        Need::ReadInventory => can.inventory_source.is_some(),
        Need::WriteInventory => can.inventory_sink.is_some(),
        Need::WritePrices => can.price_sink.is_some(),
        Need::ReadCustomers | Need::WriteCustomers => can.customer_store.is_some(),
        Need::WriteFulfillments => can.fulfillment_sink.is_some(),
        Need::ReadRefunds => can.refund_source.is_some(),
        Need::WriteInvoices => can.invoice_sink.is_some(),
        _ => false,
    }
}

/// How the right is called on the page where it is granted.
fn label(resource: &str) -> &'static str {
    match resource {
        "Magento_Sales::actions_view" => "Sales > Operations > Orders > Actions > View",
        "Magento_Sales::create" => "Sales > Operations > Orders > Actions > Create",
        "Magento_Sales::ship" => "Sales > Operations > Orders > Actions > Ship",
        "Magento_Sales::invoice" => "Sales > Operations > Orders > Actions > Invoice",
        "Magento_Sales::sales_invoice" => "Sales > Operations > Invoices",
        "Magento_Sales::shipment" => "Sales > Operations > Shipments",
        "Magento_Sales::sales_creditmemo" => "Sales > Operations > Credit Memos",
        "Magento_Catalog::catalog" => "Catalog",
        "Magento_Catalog::products" => "Catalog > Inventory > Products",
        "Magento_Customer::customer" => "Customers",
        "Magento_Customer::manage" => "Customers > All Customers",
        "Magento_Backend::store" => "Stores > Settings > All Stores",
        _ => "",
    }
}

impl CommerceClient {
    pub(crate) async fn doctor(&self, cx: &Context, needs: &[Need]) -> Vec<Finding> {
        let mut findings = self.examine_stores(cx).await;
        findings.push(self.examine_modules(cx, needs).await);
        let mut tried: Vec<&'static str> = Vec::new();
        let mut needs = needs.to_vec();
        needs.sort_unstable();
        needs.dedup();
        for need in needs {
            if !has_role(&self.capabilities(), need) {
                let text = "this connector has no such role";
                findings.push(Finding::bad(format!("{need:?}"), text, "use another system for it"));
                continue;
            }
            let trials = trials(need);
            if need == Need::WriteBackOrders && !self.config().write_back {
                let detail = "write_back is off, so nothing is ever written onto orders";
                findings.push(Finding::warning("write-back", detail, "set write_back = true if you want it"));
            }
            for trial in trials {
                if !tried.contains(&trial.check) {
                    tried.push(trial.check);
                    findings.push(self.try_out(cx, &trial).await);
                }
            }
        }
        findings
    }

    async fn try_out(&self, cx: &Context, trial: &Trial) -> Finding {
        const OP: &str = "commerce.doctor";
        match &trial.how {
            How::List(path) => {
                let search = Search::new().page(1, 1);
                let answer = self.page(cx, OP, path, &search).await;
                judge(trial, answer.map(|page| counted(&page)))
            }
            How::Refused(method, path, body) => {
                let body = Some(Bytes::from_static(body.as_bytes()));
                let call = Call::once(OP);
                let answer = self.send(cx, call, method.clone(), path, "", body).await;
                let refused_for_content = |error: &Error| {
                    matches!(
                        error.kind(),
                        ErrorKind::Invalid { .. } | ErrorKind::NotFound | ErrorKind::Conflict
                    )
                };
                match answer {
                    Err(error) if refused_for_content(&error) => {
                        judge(trial, Ok("granted; the trial itself was refused, as it should be".to_owned()))
                    }
                    Ok(_) => judge(trial, Ok("granted; the shop took an empty request".to_owned())),
                    Err(error) => judge(trial, Err(error)),
                }
            }
        }
    }

    /// Login, clock and stores: what every flow needs.
    async fn examine_stores(&self, cx: &Context) -> Vec<Finding> {
        const OP: &str = "commerce.doctor";
        let trial = Trial {
            check: "read stores",
            resource: "Magento_Backend::store",
            how: How::List("store/storeConfigs"),
        };
        let answer = self.send(cx, Call::read(OP), Method::GET, "store/storeConfigs", "", None).await;
        let mut findings = Vec::new();
        if let Ok(response) = &answer {
            let theirs = response.header("date").and_then(crate::clock::http_date);
            findings.extend(theirs.map(|theirs| clock(self.clock().now(), theirs)));
        }
        if let Err(error) = answer {
            findings.push(judge(&trial, Err(error)));
            return findings;
        }
        let zones = self.stores(cx).await.map(|directory| {
            let stores: Vec<_> =
                directory.stores().map(|store| format!("{} in {}", store.store, store.zone.name())).collect();
            stores.join(", ")
        });
        findings.push(judge(&trial, zones));
        findings
    }

    /// Which modules the shop has: multi-source inventory above all.
    async fn examine_modules(&self, cx: &Context, needs: &[Need]) -> Finding {
        const OP: &str = "commerce.doctor";
        let answer = self.send(cx, Call::read(OP), Method::GET, "modules", "", None).await;
        // A bare array of names, by the schemas of PaaS and SaaS.
        let names: Result<Vec<String>> = answer.and_then(|response| json::decode(OP, &response));
        let check = "modules";
        match names {
            Err(error) => Finding::warning(
                check,
                format!("the list cannot be read: {}", error.message()),
                "nothing, unless something else is amiss",
            ),
            Ok(names) => {
                let has = |name: &str| names.iter().any(|item| item == name);
                let stock =
                    needs.iter().any(|need| matches!(need, Need::ReadInventory | Need::WriteInventory));
                let parts: Vec<_> = [("Magento_InventoryApi", "stock by source"), ("Magento_Company", "B2B")]
                    .into_iter()
                    .map(|(name, what)| format!("{what}: {}", if has(name) { "yes" } else { "no" }))
                    .collect();
                let detail = format!("{} modules; {}", names.len(), parts.join(", "));
                if stock && !has("Magento_InventoryApi") {
                    let remedy =
                        "enable the Inventory modules (Magento_InventoryApi); stock is written by source";
                    return Finding::bad(check, detail, remedy);
                }
                Finding::good(check, detail)
            }
        }
    }
}

fn counted(page: &Page) -> String {
    page.total.map_or_else(|| "works".to_owned(), |total| format!("works; {total} in all"))
}

fn clock(ours: Timestamp, theirs: Timestamp) -> Finding {
    let check = "clock";
    let (skew, way) =
        if ours > theirs { (ours.since(theirs), "ahead of") } else { (theirs.since(ours), "behind") };
    let detail = format!("this machine is {} s {way} the shop", skew.as_secs());
    let remedy = "set this machine's clock by the network";
    if ours > theirs && skew > SKEW_REFUSED {
        Finding::bad(check, format!("{detail}; it refuses signatures more than 600 s ahead"), remedy)
    } else if skew > SKEW_NOTED {
        Finding::warning(check, detail, remedy)
    } else {
        Finding::good(check, detail)
    }
}

fn judge(trial: &Trial, answer: Result<String>) -> Finding {
    let error = match answer {
        Ok(detail) => return Finding::good(trial.check, detail),
        Err(error) => error,
    };
    let detail = error.message().to_owned();
    match error.kind() {
        ErrorKind::Permission { missing } => {
            let named = if missing.is_empty() { vec![trial.resource.to_owned()] } else { missing.clone() };
            let rights: Vec<_> = named
                .iter()
                .map(|resource| match label(resource) {
                    "" => resource.clone(),
                    label => format!("{resource} ({label})"),
                })
                .collect();
            let remedy = format!(
                "System > Extensions > Integrations > the integration > API: tick {}, save, and reauthorize",
                rights.join(", ")
            );
            Finding::bad(trial.check, detail, remedy)
        }
        ErrorKind::Auth => {
            let remedy = "compare the four secrets with System > Extensions > Integrations; is the integration active?";
            Finding::bad(trial.check, detail, remedy)
        }
        ErrorKind::Throttled => {
            Finding::warning(trial.check, detail, "the shop could not answer just now; try again")
        }
        ErrorKind::Transient => {
            let remedy = "see that the shop is up, out of maintenance and reachable from here; try again";
            Finding::bad(trial.check, detail, remedy)
        }
        _ => Finding::bad(trial.check, detail, "see base_url, store and the shop's modules"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use erp_core::connector::Verdict;

    #[test]
    fn a_missing_right_is_named_as_where_it_is_granted() {
        let trial = list("read orders", ORDERS, "orders");
        let missing = vec![ORDERS.to_owned()];
        let finding = judge(&trial, Err(Error::new(ErrorKind::Permission { missing }, "refused")));
        assert_eq!(finding.verdict, Verdict::Bad);
        assert!(finding.remedy.contains("Magento_Sales::actions_view (Sales > Operations"), "{finding:?}");
    }

    #[test]
    fn clocks_are_compared_both_ways() {
        let at = Timestamp::from_secs;
        assert_eq!(clock(at(1000), at(1000)).verdict, Verdict::Good);
        assert_eq!(clock(at(1100), at(1000)).verdict, Verdict::Warning);
        assert_eq!(clock(at(1700), at(1000)).verdict, Verdict::Bad);
        assert_eq!(clock(at(1000), at(9000)).verdict, Verdict::Warning, "behind is tolerated by the shop");
    }
}
