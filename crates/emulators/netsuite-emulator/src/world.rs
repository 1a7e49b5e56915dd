//! The hand behind the engine's back: what people and other systems do in NetSuite.

use crate::access::Level;
use crate::auth::{KeyKind, TbaKeys};
use crate::doc::{Doc, Val};
use crate::lanes::LaneCount;
use crate::meta;
use crate::posting;
use crate::product::System;
use crate::purchase;
use crate::records::{self, Ask};
use crate::refusal::Refusal;
use crate::restlet::{RestletCall, ScriptError};
use crate::sales;
use crate::seed::{Customer, NetsuiteSeed, Price, PurchaseOrder};
use crate::state::{Change, PriceKey, Stored, World};
use erp_core::Decimal;
use erp_core::time::Timestamp;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

/// An order as it stands in the books.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OrderView {
    /// Internal id.
    pub id: u64,
    /// `tranId`.
    pub number: String,
    /// `externalId`.
    pub external_id: String,
    /// The customer's internal id.
    pub entity: String,
    /// The status letter.
    pub status: String,
    /// `tranDate`.
    pub date: String,
    /// The currency's internal id.
    pub currency: String,
    /// The subsidiary's internal id.
    pub subsidiary: String,
    /// What the lines cost together.
    pub subtotal: Decimal,
    /// The discount on the whole order; negative.
    pub discount: Decimal,
    /// What is to be paid.
    pub total: Decimal,
    /// All tax.
    pub tax: Decimal,
    /// What shipping costs.
    pub shipping: Decimal,
    /// The lines.
    pub lines: Vec<LineView>,
    /// Body fields that are texts, by their vendor's names.
    pub body: BTreeMap<String, String>,
}

/// A line of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LineView {
    /// `line`.
    pub number: String,
    /// The item's internal id.
    pub item: String,
    /// How many.
    pub quantity: Decimal,
    /// The price of one.
    pub rate: Decimal,
    /// What they cost.
    pub amount: Decimal,
    /// The location's internal id.
    pub location: String,
    /// How many are billed.
    pub billed: Decimal,
    /// Custom columns that are texts.
    pub custom: BTreeMap<String, String>,
    /// How many have shipped.
    pub fulfilled: Decimal,
    /// How many have come in.
    pub received: Decimal,
    /// Whether it is closed.
    pub closed: bool,
}

/// A parcel: carrier list and number.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Parcel {
    /// `package`, `packageUps`, `packageUsps`, `packageFedEx` or `shipmentPackage`.
    pub list: String,
    /// The number.
    pub number: String,
}

impl Parcel {
    /// A parcel without a carrier's own list.
    pub fn new(number: impl Into<String>) -> Self {
        Self { list: "package".to_owned(), number: number.into() }
    }
}

/// A handle to the emulated account, cheap to clone. What it changes is journalled like what requests change.
#[derive(Clone)]
pub struct NetsuiteWorld(pub(crate) Arc<System>);

impl fmt::Debug for NetsuiteWorld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NetsuiteWorld")
    }
}

impl NetsuiteWorld {
    fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    fn commit(&self, changes: Vec<Change>) {
        let done: Result<(), ()> = self.0.store.commit(|_| Ok((changes, ())));
        debug_assert!(done.is_ok());
    }

    pub(crate) fn set(&self, name: String, value: Option<&str>) {
        self.commit(vec![Change::Setting(name, value.map(str::to_owned))]);
    }

    fn put(&self, kind: &str, id: u64, doc: Doc) -> Change {
        let now = self.now();
        let doc = doc.with_text("id", &id.to_string());
        Change::Put(kind.to_owned(), id, Box::new(Stored { doc, created: now, modified: now }))
    }

    /// Whether this account was never seeded: a journal that was reopened is not.
    pub fn is_empty(&self) -> bool {
        self.0.store.read(|world| world.table("currency").next().is_none())
    }

    /// Loads a seed, and gives the integration's role all permissions if it has none yet.
    pub fn seed(&self, seed: &NetsuiteSeed) {
        let mut changes: Vec<Change> = Vec::new();
        if self.0.store.read(|world| world.settings("permission/").next().is_none()) {
            let full = Level::Full.number().to_string();
            changes.extend(
                crate::access::all()
                    .map(|id| Change::Setting(format!("permission/{id}"), Some(full.clone()))),
            );
        }
        for (name, value) in &seed.settings {
            changes.push(Change::Setting(name.clone(), Some(value.clone())));
        }
        for (kind, id, fields) in &seed.simple {
            let doc = fields.iter().fold(Doc::default(), |doc, (name, value)| doc.with_text(name, value));
            changes.push(self.put(kind, *id, doc));
        }
        for item in &seed.items {
            let doc = Doc::default()
                .with_text("itemId", &item.sku)
                .with_ref("itemType", &item.kind)
                .with("isInactive", Val::Flag(false))
                .with_ref("subsidiary", &stated(item.subsidiary));
            let member = |(id, times): &(u64, Decimal)| {
                Doc::default().with_ref("item", &id.to_string()).with("quantity", Val::Num(*times))
            };
            let doc = if item.members.is_empty() {
                doc
            } else {
                doc.with("member", Val::Lines(item.members.iter().map(member).collect()))
            };
            changes.push(self.put(meta::item_record(&item.kind), item.id, doc));
        }
        self.commit(changes);
        for customer in &seed.customers {
            self.put_customer(customer);
        }
        for price in &seed.prices {
            self.put_price(price);
        }
        let stock =
            seed.stock.iter().map(|(item, location, quantity)| Change::Stock(*item, *location, *quantity));
        self.commit(stock.collect());
        for order in &seed.purchases {
            let done = self.put_purchase_order(order);
            debug_assert!(done.is_ok(), "{done:?}");
        }
    }

    /// Adds a purchase order, as a buyer does.
    ///
    /// # Errors
    /// What NetSuite would say.
    pub fn put_purchase_order(&self, order: &PurchaseOrder) -> Result<(), String> {
        let meta = meta::record("purchaseOrder").ok_or("no such record")?;
        self.decide(|ask| {
            let (id, mut doc) = (order.id, purchase::of(order));
            doc.set("tranDate", Val::Text(ask.now.date_in(&ask.world.zone()).to_string()));
            doc.set("tranId", Val::Text(format!("{}{id}", sales::prefix(meta.name))));
            purchase::settle(ask, &mut doc, None)?;
            let stored = Stored { doc, created: ask.now, modified: ask.now };
            Ok((vec![Change::Put(meta.name.to_owned(), id, Box::new(stored))], ()))
        })
    }

    /// Adds or overwrites a customer.
    pub fn put_customer(&self, customer: &Customer) {
        let first = |kind: &str| self.0.store.read(|world| world.table(kind).next().map(|(id, _)| id));
        let or_first = |id: u64, kind: &str| if id == 0 { first(kind).unwrap_or_default() } else { id };
        let mut doc = Doc::default()
            .with("isPerson", Val::Flag(customer.person))
            .with_ref("stage", "CUSTOMER")
            .with_text("email", &customer.email)
            .with_text("entityId", &format!("CUST{}", customer.id))
            .with_ref("priceLevel", &stated(customer.level))
            .with_ref("subsidiary", &or_first(customer.subsidiary, "subsidiary").to_string())
            .with_ref("currency", &or_first(customer.currency, "currency").to_string());
        doc = if customer.person {
            doc.with_text("firstName", &customer.first).with_text("lastName", &customer.last)
        } else {
            doc.with_text("companyName", &customer.last)
        };
        self.commit(vec![self.put("customer", customer.id, doc)]);
    }

    /// The next internal id.
    pub fn next_id(&self) -> u64 {
        self.0.store.read(World::next_id)
    }

    fn price_key(price: &Price) -> PriceKey {
        PriceKey {
            item: price.item,
            level: price.level,
            customer: price.customer,
            currency: price.currency,
            from: price.from,
        }
    }

    /// Sets a price.
    pub fn put_price(&self, price: &Price) {
        self.commit(vec![Change::Price(Box::new(Self::price_key(price)), Some(price.price))]);
    }

    /// Removes a price.
    pub fn remove_price(&self, price: &Price) {
        self.commit(vec![Change::Price(Box::new(Self::price_key(price)), None)]);
    }

    /// The internal id of the item with this name.
    pub fn item_id(&self, sku: &str) -> Option<u64> {
        self.0.store.read(|world| {
            world
                .items_from(0)
                .into_iter()
                .find(|(_, _, stored)| stored.doc.text("itemId") == sku)
                .map(|(_, id, _)| id)
        })
    }

    /// Sets what lies at a location.
    pub fn set_stock(&self, item: u64, location: u64, quantity: Decimal) {
        self.commit(vec![Change::Stock(item, location, quantity)]);
    }

    /// What lies at a location.
    pub fn stock(&self, item: u64, location: u64) -> Decimal {
        self.0.store.read(|world| world.stock.get(&(item, location)).copied().unwrap_or_default())
    }

    /// All orders, by internal id.
    pub fn orders(&self) -> Vec<OrderView> {
        self.views("salesOrder", |_| true)
    }

    /// All purchase orders.
    pub fn purchase_orders(&self) -> Vec<OrderView> {
        self.views("purchaseOrder", |_| true)
    }

    /// All cash sales.
    pub fn cash_sales(&self) -> Vec<OrderView> {
        self.views("cashSale", |_| true)
    }

    /// The orders with this text in a body field.
    pub fn orders_by(&self, field: &str, text: &str) -> Vec<OrderView> {
        self.views("salesOrder", |doc| doc.text(field) == text)
    }

    fn views(&self, kind: &str, wanted: impl Fn(&Doc) -> bool) -> Vec<OrderView> {
        self.0.store.read(|world| {
            world
                .table(kind)
                .filter(|(_, stored)| wanted(&stored.doc))
                .map(|(id, stored)| view(id, &stored.doc))
                .collect()
        })
    }

    /// How many transactions of a kind have this external id.
    pub fn count_by_external(&self, record: &str, external_id: &str) -> usize {
        self.0.store.read(|world| {
            world.table(record).filter(|(_, stored)| stored.doc.text("externalId") == external_id).count()
        })
    }

    /// How many transactions of a kind there are, such as `customerDeposit`.
    pub fn count(&self, record: &str) -> usize {
        self.0.store.read(|world| world.table(record).count())
    }

    /// Makes a copy of an order, as somebody does with the button: everything but number and external id.
    pub fn duplicate_order(&self, id: u64) -> Option<u64> {
        let (new, doc) = self.0.store.read(|world| {
            let mut doc = world.get("salesOrder", id)?.doc.clone();
            doc.0.remove("externalId");
            let new = world.next_id();
            doc.set("tranId", Val::Text(format!("SO{new}")));
            Some((new, doc))
        })?;
        self.commit(vec![self.put("salesOrder", new, doc)]);
        Some(new)
    }

    /// Changes a body field of an order by hand.
    pub fn change_order(&self, id: u64, field: &str, text: &str) {
        let now = self.now();
        let changed = self.0.store.read(|world| {
            let held = world.get("salesOrder", id)?;
            let mut stored = (**held).clone();
            stored.doc.set(field, Val::Text(text.to_owned()));
            stored.modified = now;
            Some(stored)
        });
        if let Some(stored) = changed {
            self.commit(vec![Change::Put("salesOrder".to_owned(), id, Box::new(stored))]);
        }
    }

    /// Ships everything that is open on an order from a location; returns the fulfilment's internal id.
    ///
    /// # Errors
    /// What NetSuite would say.
    pub fn fulfil(&self, order: u64, location: u64, parcels: &[Parcel]) -> Result<u64, String> {
        self.fulfil_as(order, location, parcels, "C")
    }

    /// Picks (`A`), packs (`B`) or ships (`C`) everything that is open on an order; returns the fulfilment's internal id.
    ///
    /// # Errors
    /// What NetSuite would say.
    pub fn fulfil_as(
        &self,
        order: u64,
        location: u64,
        parcels: &[Parcel],
        status: &str,
    ) -> Result<u64, String> {
        let mut body = Doc::default()
            .with_ref("inventoryLocation", &location.to_string())
            .with_ref("shipStatus", status);
        for parcel in parcels {
            let field = match parcel.list.as_str() {
                "packageUps" => "packageTrackingNumberUps",
                "packageUsps" => "packageTrackingNumberUsps",
                "packageFedEx" => "packageTrackingNumberFedEx",
                "shipmentPackage" => "trackingNumber",
                _ => "packageTrackingNumber",
            };
            body.lines_mut(&parcel.list).push(Doc::default().with_text(field, &parcel.number));
        }
        self.decide(|ask| {
            let held = ask.world.get("salesOrder", order).ok_or_else(|| Refusal::user("no such order"))?;
            sales::fulfil(ask, order, held, body).map(|(id, changes)| (changes, id))
        })
    }

    /// Moves a fulfilment on to packed (`B`) or shipped (`C`).
    ///
    /// # Errors
    /// What NetSuite would say.
    pub fn set_ship_status(&self, fulfilment: u64, status: &str) -> Result<(), String> {
        self.change("itemFulfillment", fulfilment, |doc| doc.set("shipStatus", Val::Ref(status.to_owned())))
    }

    /// Moves a bill to another status: `D` waits for approval, `V` is voided, which takes all of its amounts away.
    ///
    /// # Errors
    /// What NetSuite would say.
    pub fn set_bill_status(&self, record: &str, id: u64, status: &str) -> Result<(), String> {
        const SUMS: [&str; 7] = [
            "subtotal",
            "discountTotal",
            "shippingCost",
            "handlingCost",
            "taxTotal",
            "total",
            "amountRemaining",
        ];
        self.change(record, id, |doc| {
            doc.set("status", Val::Ref(status.to_owned()));
            if status == "V" {
                for name in SUMS {
                    doc.set(name, Val::Num(Decimal::ZERO));
                }
                for line in doc.lines_mut("item") {
                    line.set("amount", Val::Num(Decimal::ZERO));
                }
            }
        })
    }

    /// Makes a record from another by the transform between them; everything that is open is taken. Returns its internal id.
    ///
    /// # Errors
    /// What NetSuite would say.
    pub fn transform(&self, record: &str, id: u64, target: &str) -> Result<u64, String> {
        self.decide(|ask| {
            let unknown = || Refusal::user("no such record");
            let from = meta::record(record).ok_or_else(unknown)?;
            let made = meta::record(target).ok_or_else(unknown)?;
            let held = ask.world.get(from.name, id).ok_or_else(unknown)?;
            posting::make(ask, id, made, (from, held), (Doc::default(), false))
                .map(|(id, changes)| (changes, id))
        })
    }

    /// Closes all lines of an order.
    ///
    /// # Errors
    /// What NetSuite would say.
    pub fn close_order(&self, id: u64) -> Result<(), String> {
        self.change("salesOrder", id, |doc| {
            for line in doc.lines_mut("item") {
                line.set("isClosed", Val::Flag(true));
            }
        })
    }

    /// Cancels an order, as a person can before it is approved.
    ///
    /// # Errors
    /// What NetSuite would say.
    pub fn cancel_order(&self, id: u64) -> Result<(), String> {
        self.decide(|ask| {
            let held = ask.world.get("salesOrder", id).ok_or_else(|| Refusal::user("no such order"))?;
            let mut doc = held.doc.clone();
            doc.set("orderStatus", Val::Ref("C".to_owned()));
            sales::restatus("salesOrder", &mut doc);
            let stored = Stored { doc, created: held.created, modified: ask.now };
            Ok((vec![Change::Put("salesOrder".to_owned(), id, Box::new(stored))], ()))
        })
    }

    fn change(&self, record: &str, id: u64, with: impl FnOnce(&mut Doc)) -> Result<(), String> {
        self.decide(|ask| {
            let unknown = || Refusal::user("no such record");
            let meta = meta::record(record).ok_or_else(unknown)?;
            let held = ask.world.get(meta.name, id).ok_or_else(unknown)?;
            let mut doc = held.doc.clone();
            with(&mut doc);
            let replace: Vec<String> = doc.0.keys().cloned().collect();
            records::update(ask, meta, id, held, doc, &replace).map(|changes| (changes, ()))
        })
    }

    pub(crate) fn decide<R>(
        &self,
        with: impl FnOnce(Ask<'_>) -> Result<(Vec<Change>, R), Refusal>,
    ) -> Result<R, String> {
        let now = self.now();
        let quirks = &self.0.options.quirks;
        let done = self.0.store.commit(|world| with(Ask { world, now, quirks, codes: true }));
        done.map_err(|refusal| refusal.to_string())
    }

    /// Deletes a record, as somebody does in the interface.
    pub fn delete(&self, record: &str, id: u64) {
        self.commit(vec![Change::Remove(record.to_owned(), id, self.now())]);
    }

    /// Locks a record, as a workflow does, or unlocks it.
    pub fn lock(&self, record: &str, id: u64, locked: bool) {
        self.set(format!("lock/{record}/{id}"), locked.then_some("yes"));
    }

    /// Hides a record from the integration's role, as a restriction does.
    pub fn hide(&self, record: &str, id: u64, hidden: bool) {
        self.set(format!("hidden/{record}/{id}"), hidden.then_some("yes"));
    }

    /// Closes the accounting period of a month, `2026-10`, or opens it.
    pub fn close_period(&self, month: &str, closed: bool) {
        self.set(format!("closed/{month}"), closed.then_some("yes"));
    }

    /// Switches a feature on or off: `oauth2`, `tba`, `soap`, `analytics`, or a record that comes with one, such as `invoice`.
    pub fn set_feature(&self, feature: &str, on: bool) {
        self.set(format!("off/{feature}"), (!on).then_some("yes"));
    }

    /// Sets the zone in which the account writes times.
    pub fn set_zone(&self, zone: &str) {
        self.set("zone".to_owned(), Some(zone));
    }

    /// Makes an item inactive, or active.
    pub fn set_inactive(&self, item: u64, inactive: bool) {
        let changed = self.0.store.read(|world| {
            let (kind, held) = world.item(item)?;
            let mut stored = (**held).clone();
            stored.doc.set("isInactive", Val::Flag(inactive));
            Some((kind, stored))
        });
        if let Some((kind, stored)) = changed {
            self.commit(vec![Change::Put(kind.to_owned(), item, Box::new(stored))]);
        }
    }

    /// The ids of all permissions that the integration's role begins with.
    pub fn permissions() -> Vec<&'static str> {
        crate::access::all().collect()
    }

    /// Takes a permission away from the integration's role.
    pub fn deny(&self, permission: &str) {
        self.set(format!("permission/{permission}"), None);
    }

    /// Gives a permission to the integration's role at a level.
    pub fn grant(&self, permission: &str, level: Level) {
        self.set(format!("permission/{permission}"), Some(&level.number().to_string()));
    }

    /// Sets how many requests of the account may run at the same time; another integration takes `strangers` of them.
    pub fn set_lanes(&self, limit: usize, strangers: usize) {
        self.0.lanes.set(Some(limit), Some(strangers), None);
    }

    /// Sets how long a request takes.
    pub fn set_pace(&self, millis: RangeInclusive<u64>) {
        self.0.lanes.set(None, None, Some(millis));
    }

    /// What the account's lanes were used for.
    pub fn lanes(&self) -> LaneCount {
        self.0.lanes.count()
    }

    /// The reasons of refused log-ons, as the audit trail shows them, newest last.
    pub fn audit(&self) -> Vec<String> {
        let refused = self.0.door.audit().into_iter().filter(|attempt| !attempt.granted);
        refused.map(|attempt| attempt.detail).collect()
    }

    /// The client id, the certificate id and the private key (PEM, for ES256) of the integration.
    pub fn oauth2(&self) -> (&str, &str, &str) {
        let own = &self.0.door.credentials;
        (&own.client_id, &own.certificate_id, &own.private_key)
    }

    /// Maps one more certificate to the integration, under this certificate id.
    pub fn map_certificate(&self, id: impl Into<String>, kind: KeyKind, public_key: Vec<u8>) {
        self.0.door.map_certificate(id.into(), kind, public_key);
    }

    /// Ticks a box of the integration record (`rest_webservices`, `restlets`, `suite_analytics`), or takes the tick away.
    pub fn tick_scope(&self, scope: &str, ticked: bool) {
        self.0.door.tick(scope, ticked);
    }

    /// Sets the integration record to blocked, or to enabled.
    pub fn block_integration(&self, blocked: bool) {
        self.0.door.block(blocked);
    }

    /// Ends all bearer tokens.
    pub fn revoke_tokens(&self) {
        self.0.door.revoke();
    }

    /// Sets how long an asynchronous job takes until it is worked off; two seconds if nothing is said.
    pub fn set_job_delay(&self, delay: Duration) {
        self.0.jobs.set_delay(delay);
    }

    /// Deploys a script, which answers calls with JSON text.
    pub fn deploy_restlet(
        &self,
        script: impl Into<String>,
        deploy: impl Into<String>,
        handler: impl Fn(&RestletCall) -> Result<String, ScriptError> + Send + Sync + 'static,
    ) {
        self.0.scripts.deploy(script.into(), deploy.into(), Arc::new(handler));
    }

    /// The keys of token-based authentication.
    pub fn tba(&self) -> &TbaKeys {
        &self.0.door.credentials.tba
    }
}

fn texts(doc: &Doc) -> impl Iterator<Item = (String, String)> {
    doc.0.iter().filter_map(|(name, value)| match value {
        Val::Text(text) | Val::Ref(text) => Some((name.clone(), text.clone())),
        _ => None,
    })
}

fn stated(id: u64) -> String {
    if id == 0 { String::new() } else { id.to_string() }
}

fn view(id: u64, doc: &Doc) -> OrderView {
    let line = |line: &Doc| LineView {
        number: line.num("line").normalize().to_string(),
        item: line.text("item").to_owned(),
        quantity: line.num("quantity"),
        rate: line.num("rate"),
        amount: line.num("amount"),
        location: line.text("location").to_owned(),
        billed: line.num("quantityBilled"),
        custom: texts(line).filter(|(name, _)| name.starts_with("custcol")).collect(),
        fulfilled: line.num("quantityFulfilled"),
        received: line.num("quantityReceived"),
        closed: line.flag("isClosed"),
    };
    OrderView {
        id,
        number: doc.text("tranId").to_owned(),
        external_id: doc.text("externalId").to_owned(),
        entity: doc.text("entity").to_owned(),
        status: doc.text("status").to_owned(),
        date: doc.text("tranDate").to_owned(),
        currency: doc.text("currency").to_owned(),
        subsidiary: doc.text("subsidiary").to_owned(),
        subtotal: doc.num("subtotal"),
        discount: doc.num("discountTotal"),
        total: doc.num("total"),
        tax: doc.num("taxTotal"),
        shipping: doc.num("shippingCost"),
        lines: doc.lines("item").iter().map(line).collect(),
        body: texts(doc).collect(),
    }
}
