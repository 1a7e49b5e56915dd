//! The hand behind the engine's back: what people and other systems do in SAP.

use crate::access::Access;
use crate::availability::{available, unrestricted};
use crate::deep::Node;
use crate::deliveries;
use crate::env::Env;
use crate::lanes::Pace;
use crate::load;
use crate::meta::set;
use crate::orders;
use crate::product::System;
use crate::quirk::Quirk;
use crate::seed::{Price, SapSeed, Stock};
use crate::state::Draft;
use crate::value::{Fields as _, Row, civil};
use erp_core::Decimal;
use erp_core::time::{Date, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

/// An order as it stands in the books.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OrderView {
    /// `SalesOrder`.
    pub number: String,
    /// `PurchaseOrderByCustomer`.
    pub reference: String,
    /// `SoldToParty`.
    pub sold_to: String,
    /// `TransactionCurrency`.
    pub currency: String,
    /// `PricingDate`, as `2026-11-23`.
    pub pricing_date: String,
    /// `TotalNetAmount`.
    pub net: Decimal,
    /// The tax of all items that are not rejected.
    pub tax: Decimal,
    /// `OverallDeliveryStatus`: `A`, `B` or `C`.
    pub delivery_status: String,
    /// `TotalCreditCheckStatus`: `B` is blocked.
    pub credit_status: String,
    /// `OverallSDDocumentRejectionSts`: `C` is wholly rejected.
    pub rejection_status: String,
    /// The items by number.
    pub items: Vec<OrderItemView>,
    /// Header fields that the order holds, by their vendor's names, for what the rest leaves out.
    pub header: BTreeMap<String, String>,
}

impl fmt::Debug for OrderView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrderView")
            .field("number", &self.number)
            .field("reference", &self.reference)
            .field("net", &self.net)
            .field("tax", &self.tax)
            .field("items", &self.items)
            .finish_non_exhaustive()
    }
}

/// An item of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OrderItemView {
    /// `SalesOrderItem`.
    pub number: String,
    /// `UnderlyingPurchaseOrderItem`.
    pub reference: String,
    /// `Material`.
    pub material: String,
    /// `RequestedQuantity`.
    pub quantity: Decimal,
    /// What is delivered.
    pub delivered: Decimal,
    /// `NetAmount`.
    pub net: Decimal,
    /// `TaxAmount`.
    pub tax: Decimal,
    /// Whether it has a `SalesDocumentRjcnReason`.
    pub rejected: bool,
}

/// A handle to the emulated system, cheap to clone. What it changes is journalled like what requests change.
#[derive(Clone)]
pub struct SapWorld(pub(crate) Arc<System>);

impl fmt::Debug for SapWorld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SapWorld")
    }
}

impl SapWorld {
    fn read<R>(&self, look: impl FnOnce(&Draft<'_>) -> R) -> R {
        self.0.store.read(|world| look(&Draft::new(world)))
    }

    fn commit<R>(&self, act: impl FnOnce(&mut Draft<'_>) -> Result<R, String>) -> Result<R, String> {
        self.0.store.commit(|world| {
            let mut draft = Draft::new(world);
            let result = act(&mut draft)?;
            Ok((draft.into_changes(), result))
        })
    }

    fn change(&self, act: impl FnOnce(&mut Draft<'_>)) {
        let done: Result<(), String> = self.commit(|draft| {
            act(draft);
            Ok(())
        });
        debug_assert!(done.is_ok());
    }

    fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Loads a seed.
    pub fn seed(&self, seed: &SapSeed) {
        self.change(|draft| load::load(draft, seed, self.now()));
    }

    /// Whether this system was never seeded: a journal that was reopened is not.
    pub fn is_empty(&self) -> bool {
        self.read(|draft| draft.setting("order-type/OR").is_none())
    }

    /// All orders, by number.
    pub fn orders(&self) -> Vec<OrderView> {
        self.read(|draft| draft.scan("A_SalesOrder", &[]).iter().map(|row| view(draft, row)).collect())
    }

    /// How many orders there are.
    pub fn order_count(&self) -> usize {
        self.read(|draft| draft.scan("A_SalesOrder", &[]).len())
    }

    /// The order of this number.
    pub fn order(&self, number: &str) -> Option<OrderView> {
        self.read(|draft| draft.find("A_SalesOrder", &[number]).map(|row| view(draft, &row)))
    }

    /// All orders whose header field is this text, such as `PurchaseOrderByCustomer`.
    pub fn order_by_key(&self, field: &str, value: &str) -> Vec<OrderView> {
        self.read(|draft| {
            draft.scan_by("A_SalesOrder", field, value).iter().map(|row| view(draft, row)).collect()
        })
    }

    /// A row of any set by its key, as vendor's name to text; for tests of what the views leave out.
    pub fn row(&self, entity_set: &str, key: &[&str]) -> Option<BTreeMap<String, String>> {
        crate::meta::find_set(entity_set)?;
        self.read(|draft| draft.find(entity_set, key).map(|row| texts(entity_set, &row)))
    }

    /// All rows of a set whose key begins so.
    pub fn rows(&self, entity_set: &str, key: &[&str]) -> Vec<BTreeMap<String, String>> {
        if crate::meta::find_set(entity_set).is_none() {
            return Vec::new();
        }
        self.read(|draft| draft.scan(entity_set, key).iter().map(|row| texts(entity_set, row)).collect())
    }

    /// Sets a list price from a day on, in the currency that the material's price had.
    ///
    /// # Errors
    /// If the material has no price yet; use [`SapWorld::put_price`].
    pub fn set_price(&self, material: &str, price: Decimal, from: Date) -> Result<(), String> {
        let currency = self.read(|draft| {
            let rows = draft.scan_by("A_SlsPrcgCndnRecdValidity", "Material", material);
            rows.iter().filter(|row| row.text("ConditionType") == "PPR0").find_map(|row| {
                let record = draft.find("A_SlsPrcgConditionRecord", &[row.text("ConditionRecord")])?;
                Some(record.text("ConditionRateValueUnit").to_owned())
            })
        });
        let currency = currency.ok_or_else(|| format!("material {material} has no price yet"))?;
        self.put_price(&Price::list(material, price, &currency).from(from));
        Ok(())
    }

    /// Adds a condition record; what was valid for the same key ends the day before.
    pub fn put_price(&self, price: &Price) {
        self.change(|draft| {
            let areas = load::known_areas(draft);
            load::put_price(draft, price, &areas, self.now());
        });
    }

    /// Sets the unrestricted stock of one storage location.
    pub fn set_stock(&self, stock: &Stock) {
        self.change(|draft| load::put_stock(draft, stock));
    }

    /// Adds a row of special or blocked stock, which is nobody's to sell.
    pub fn set_other_stock(&self, stock: &Stock, stock_type: &str, special: &str) {
        self.change(|draft| {
            let mut row = Row::new();
            row.set_text("Material", &stock.material);
            row.set_text("Plant", &stock.plant);
            row.set_text("StorageLocation", &stock.location);
            row.set_text("InventoryStockType", stock_type);
            row.set_text("InventorySpecialStockType", special);
            row.set_dec("MatlWrhsStkQtyInMatlBaseUnit", stock.quantity);
            draft.put("A_MatlStkInAcctMod", row);
        });
    }

    /// Takes stock away, as a distributor does who collects goods past every shop.
    pub fn draw_stock(&self, material: &str, plant: &str, quantity: impl Into<Decimal>) {
        let quantity = quantity.into();
        self.change(|draft| deliveries::draw(draft, &material.to_uppercase(), plant, quantity));
    }

    /// Physical, unrestricted stock of a material in a plant.
    pub fn stock(&self, material: &str, plant: &str) -> Decimal {
        self.read(|draft| unrestricted(draft, material, plant))
    }

    /// Unrestricted stock less what open orders ask for; may be negative.
    pub fn available(&self, material: &str, plant: &str) -> Decimal {
        self.read(|draft| available(draft, material, plant, None))
    }

    /// Books an order of a distributor who has an API of its own; answers its number.
    ///
    /// # Errors
    /// What SAP would say.
    pub fn place_distributor_order(
        &self,
        customer: &str,
        reference: &str,
        lines: &[(&str, Decimal)],
    ) -> Result<String, String> {
        let quirks: BTreeSet<Quirk> = BTreeSet::new();
        let env =
            Env { now: self.now(), user: "DISTRIBUTOR", quirks: &quirks, base: String::new(), page_size: 1 };
        self.commit(|draft| {
            let area = draft.scan("A_CustomerSalesArea", &[customer]).into_iter().next();
            let area = area.ok_or_else(|| format!("customer {customer} has no sales area"))?;
            let mut header = Row::new();
            header.set_text("SalesOrderType", "OR");
            header.set_text("SalesOrganization", area.text("SalesOrganization"));
            header.set_text("DistributionChannel", area.text("DistributionChannel"));
            header.set_text("OrganizationDivision", area.text("Division"));
            header.set_text("SoldToParty", customer);
            header.set_text("PurchaseOrderByCustomer", reference);
            header.set_text("CustomerPurchaseOrderType", "DIST");
            let items = lines.iter().map(|(material, quantity)| {
                let mut row = Row::new();
                row.set_text("Material", material.to_uppercase());
                row.set_dec("RequestedQuantity", *quantity);
                Node { row, children: Vec::new() }
            });
            let nav = set("A_SalesOrder").nav("to_Item").ok_or("no items")?;
            let node = Node { row: header, children: vec![(nav, items.collect())] };
            orders::create(draft, &env, &node).map_err(|refusal| refusal.text)
        })
    }

    /// From now on this customer fails the credit check; orders that are there keep their status until they change.
    pub fn block_credit(&self, customer: &str) {
        self.change(|draft| draft.set(format!("credit/{customer}"), Some(String::new())));
    }

    /// Ends what [`SapWorld::block_credit`] began, and releases the customer's orders.
    pub fn unblock_credit(&self, customer: &str) {
        self.change(|draft| {
            draft.set(format!("credit/{customer}"), None);
            for order in draft.scan_by("A_SalesOrder", "SoldToParty", customer) {
                let number = order.text("SalesOrder").to_owned();
                orders::set_statuses(draft, &number);
                orders::touch(draft, self.now(), &number);
            }
        });
    }

    /// Somebody opens an order in a dialog; `None` holds it until [`SapWorld::unlock_order`].
    pub fn lock_order(&self, number: &str, user: &str, held: Option<Duration>) {
        let until = held.map_or(i64::MAX, |held| self.now().plus(held).as_micros());
        self.change(|draft| draft.set(orders::lock_name(number), Some(format!("{until}|{user}"))));
    }

    /// The dialog is left.
    pub fn unlock_order(&self, number: &str) {
        self.change(|draft| draft.set(orders::lock_name(number), None));
    }

    /// Delivers all that is open of an order and posts goods issue; answers the delivery's number.
    ///
    /// # Errors
    /// What is in the way: a block, or nothing open.
    pub fn post_goods_issue(&self, order: &str) -> Result<String, String> {
        self.deliver(order, None, "")
    }

    /// Delivers these quantities by item and posts goods issue, with a tracking number; answers the delivery's number.
    ///
    /// # Errors
    /// What is in the way: a block, or less open than asked.
    pub fn post_partial_goods_issue(
        &self,
        order: &str,
        quantities: &[(&str, Decimal)],
        tracking: &str,
    ) -> Result<String, String> {
        let quantities = quantities.iter().map(|(item, quantity)| ((*item).to_owned(), *quantity)).collect();
        self.deliver(order, Some(&quantities), tracking)
    }

    fn deliver(
        &self,
        order: &str,
        quantities: Option<&BTreeMap<String, Decimal>>,
        tracking: &str,
    ) -> Result<String, String> {
        self.commit(|draft| deliveries::post_goods_issue(draft, self.now(), order, quantities, tracking))
    }

    /// An order vanishes from the books. `false` if there was none.
    pub fn lose_order(&self, number: &str) -> bool {
        let there = self.order(number).is_some();
        self.change(|draft| orders::erase(draft, number));
        there
    }

    /// An order is booked a second time; answers the double's number.
    pub fn duplicate_order(&self, number: &str) -> Option<String> {
        self.commit(|draft| orders::duplicate(draft, number).ok_or_else(String::new)).ok()
    }

    /// An order's first item and total are off by one cent. `false` if there is no such order.
    pub fn skew_cent(&self, number: &str) -> bool {
        let cent = Decimal::new(1, 2);
        self.commit(|draft| {
            let header = draft.find("A_SalesOrder", &[number]).ok_or_else(String::new)?;
            let item =
                draft.scan("A_SalesOrderItem", &[number]).into_iter().next().ok_or_else(String::new)?;
            let (mut header, mut item) = (Row::clone(&header), Row::clone(&item));
            header.set_dec("TotalNetAmount", header.dec("TotalNetAmount") + cent);
            item.set_dec("NetAmount", item.dec("NetAmount") + cent);
            draft.put("A_SalesOrder", header);
            draft.put("A_SalesOrderItem", item);
            Ok(())
        })
        .is_ok()
    }

    /// The services, by the names that [`permissions`](Self::permissions) takes.
    pub fn services() -> Vec<&'static str> {
        crate::meta::services()
            .iter()
            .map(|service| service.path.split(';').next().unwrap_or(service.path))
            .collect()
    }

    /// What the communication user may do with a service, such as `API_SALES_ORDER_SRV`.
    pub fn permissions(&self, service: &str, access: Access) {
        self.change(|draft| draft.set(format!("access/{service}"), Some(access.store().to_owned())));
    }

    /// How long answers take, in milliseconds of the emulator's clock, and how many are worked on at once.
    pub fn set_latency(&self, millis: RangeInclusive<u64>, lanes: usize) {
        let pace = Pace { millis, lanes: lanes.max(1) };
        self.change(|draft| draft.set("latency", Some(pace.store())));
    }

    /// All sessions end, as after a restart of the application server.
    pub fn end_sessions(&self) {
        self.0.sessions.forget();
    }
}

fn view(draft: &Draft<'_>, row: &Row) -> OrderView {
    let number = row.text("SalesOrder").to_owned();
    let items: Vec<OrderItemView> = draft
        .scan("A_SalesOrderItem", &[&number])
        .iter()
        .map(|item| {
            let line = draft.find("A_SalesOrderScheduleLine", &[&number, item.text("SalesOrderItem"), "1"]);
            OrderItemView {
                number: item.text("SalesOrderItem").to_owned(),
                reference: item.text("UnderlyingPurchaseOrderItem").to_owned(),
                material: item.text("Material").to_owned(),
                quantity: item.dec("RequestedQuantity"),
                delivered: line.map_or(Decimal::ZERO, |line| line.dec("DeliveredQtyInOrderQtyUnit")),
                net: item.dec("NetAmount"),
                tax: item.dec("TaxAmount"),
                rejected: !item.text("SalesDocumentRjcnReason").is_empty(),
            }
        })
        .collect();
    OrderView {
        reference: row.text("PurchaseOrderByCustomer").to_owned(),
        sold_to: row.text("SoldToParty").to_owned(),
        currency: row.text("TransactionCurrency").to_owned(),
        pricing_date: row
            .date("PricingDate")
            .map(|millis| civil(millis)[..10].to_owned())
            .unwrap_or_default(),
        net: row.dec("TotalNetAmount"),
        tax: items.iter().filter(|item| !item.rejected).map(|item| item.tax).sum(),
        delivery_status: row.text("OverallDeliveryStatus").to_owned(),
        credit_status: row.text("TotalCreditCheckStatus").to_owned(),
        rejection_status: row.text("OverallSDDocumentRejectionSts").to_owned(),
        items,
        header: texts("A_SalesOrder", row),
        number,
    }
}

fn texts(entity_set: &str, row: &Row) -> BTreeMap<String, String> {
    let props = set(entity_set).props.iter().filter(|prop| row.contains_key(prop.name));
    props
        .map(|prop| {
            let value = prop.write(row.get(prop.name), 2, false);
            (prop.name.to_owned(), value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        })
        .collect()
}
