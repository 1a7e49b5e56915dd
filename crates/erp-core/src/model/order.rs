use super::{Address, Components, Holding};
use crate::custom::CustomFields;
use crate::id::{Key, LineId, NativeId, Sku};
use crate::money::{Currency, Dual, Quantity};
use crate::outcome::Receipt;
use crate::time::{Timestamp, Zone};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The kind of a tender that is no money yet.
const TERMS: &str = "terms";

/// An order as the shop holds it now: parents and children already resolved to what ships, money in both currencies.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Order {
    /// Its key in all systems.
    pub key: Key,
    /// What people call it. Not unique across shops, perhaps not even within one.
    pub number: String,
    /// Where it was placed.
    pub channel: Channel,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// When the shop last changed it.
    pub updated_at: Timestamp,
    /// Where it stands in the shop.
    pub standing: Standing,
    /// Who buys.
    pub buyer: Buyer,
    /// The company that buys, in B2B.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company: Option<Company>,
    /// The buyer's own purchase order number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purchase_order: Option<String>,
    /// Who pays.
    pub billing: Address,
    /// Where it goes; `None` if nothing ships.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipping: Option<Address>,
    /// What is bought.
    pub lines: Vec<OrderLine>,
    /// What shipping costs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Charge>,
    /// Further charges: gift wrap, custom fees.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fees: Vec<Charge>,
    /// How it is paid.
    pub payment: Payment,
    /// The currency that the buyer saw.
    pub currency: Currency,
    /// The shop's base currency.
    pub base_currency: Currency,
    /// What the shop says it all adds up to.
    pub totals: Totals,
    /// The order that this one replaces, after an edit in the shop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Key>,
    /// The order that replaced this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<Key>,
    /// Coupon codes, for the record.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub coupons: Vec<String>,
    /// What only this merchant has.
    #[serde(default, skip_serializing_if = "CustomFields::is_empty")]
    pub custom: CustomFields,
}

impl Order {
    /// An open order without lines. Everything else is set on the fields' `with_*`.
    pub fn new(
        key: Key,
        number: impl Into<String>,
        channel: Channel,
        placed_at: Timestamp,
        currency: Currency,
    ) -> Self {
        Self {
            key,
            number: number.into(),
            channel,
            placed_at,
            updated_at: placed_at,
            standing: Standing::Open,
            buyer: Buyer::Guest { email: String::new() },
            company: None,
            purchase_order: None,
            billing: Address::default(),
            shipping: None,
            lines: Vec::new(),
            delivery: None,
            fees: Vec::new(),
            payment: Payment::new("", PaymentClass::Offline, PaymentProgress::Nothing),
            currency,
            base_currency: currency,
            totals: Totals::default(),
            replaces: None,
            replaced_by: None,
            coupons: Vec::new(),
            custom: CustomFields::new(),
        }
    }

    /// Sets the lines.
    #[must_use]
    pub fn with_lines(mut self, lines: Vec<OrderLine>) -> Self {
        self.lines = lines;
        self
    }

    /// Sets shipping costs.
    #[must_use]
    pub fn with_delivery(mut self, delivery: Charge) -> Self {
        self.delivery = Some(delivery);
        self
    }

    /// Sets totals.
    #[must_use]
    pub fn with_totals(mut self, totals: Totals) -> Self {
        self.totals = totals;
        self
    }

    /// Sets the payment.
    #[must_use]
    pub fn with_payment(mut self, payment: Payment) -> Self {
        self.payment = payment;
        self
    }

    /// Sets the standing.
    #[must_use]
    pub fn with_standing(mut self, standing: Standing) -> Self {
        self.standing = standing;
        self
    }

    /// Whether the shop has cancelled it.
    pub fn is_cancelled(&self) -> bool {
        self.standing == Standing::Cancelled
    }

    /// How much money was taken for it so far.
    pub fn taken(&self) -> Dual {
        let payment = &self.payment;
        match (payment.tenders.as_slice(), payment.class, payment.progress) {
            ([], PaymentClass::Terms, _) => Dual::ZERO,
            ([], _, PaymentProgress::Captured) => self.totals.total,
            ([], ..) => Dual::ZERO,
            (tenders, ..) => tenders.iter().fold(Dual::ZERO, |sum, tender| sum + payment.taken(tender)),
        }
    }

    /// How many units are ordered and not cancelled, over all lines.
    pub fn units(&self) -> rust_decimal::Decimal {
        self.lines.iter().map(OrderLine::wanted).sum()
    }
}

impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Order")
            .field("key", &self.key)
            .field("number", &self.number)
            .field("channel", &self.channel)
            .field("standing", &self.standing)
            .field("lines", &self.lines.len())
            .field("total", &self.totals.total)
            .finish_non_exhaustive()
    }
}

/// Where an order was placed. Routes look at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Channel {
    /// The website's code, or the distributor's name.
    pub website: String,
    /// The store view's code.
    pub store: String,
    /// The store's time zone: the order's own date is a date in it.
    pub zone: Zone,
}

impl Channel {
    /// A store of a website, with its zone.
    pub fn new(website: impl Into<String>, store: impl Into<String>, zone: Zone) -> Self {
        Self { website: website.into(), store: store.into(), zone }
    }
}

/// Where an order stands in the shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Standing {
    /// Placed and alive.
    Open,
    /// Waits for a payment that has not been made.
    PendingPayment,
    /// Under review, or suspected of fraud.
    InReview,
    /// A person put it on hold.
    OnHold,
    /// Everything shipped and invoiced.
    Complete,
    /// Refunded.
    Closed,
    /// Cancelled.
    Cancelled,
}

/// Who buys.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Buyer {
    /// Somebody without an account.
    Guest {
        /// E-mail.
        email: String,
    },
    /// A customer with an account.
    Registered {
        /// The customer's key.
        key: Key,
        /// E-mail.
        email: String,
        /// The customer's number in the target, where the shop carries it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        external_id: Option<String>,
    },
}

impl Buyer {
    /// E-mail.
    pub fn email(&self) -> &str {
        match self {
            Self::Guest { email } | Self::Registered { email, .. } => email,
        }
    }
}

impl fmt::Debug for Buyer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Guest { .. } => f.write_str("Guest"),
            Self::Registered { key, .. } => write!(f, "Registered({key})"),
        }
    }
}

/// The company that buys, in B2B.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Company {
    /// Its key.
    pub key: Key,
    /// Its name.
    pub name: String,
    /// Its account number in the target, where the shop carries it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
}

impl Company {
    /// A company by key and name.
    pub fn new(key: Key, name: impl Into<String>) -> Self {
        Self { key, name: name.into(), external_id: None }
    }

    /// Adds its account number in the target.
    #[must_use]
    pub fn with_external_id(mut self, id: impl Into<String>) -> Self {
        self.external_id = Some(id.into());
        self
    }
}

/// A line: something that ships (or is virtual), with its own money.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OrderLine {
    /// The source's id of the line.
    pub id: LineId,
    /// What ships.
    pub sku: Sku,
    /// What it is called.
    pub name: String,
    /// How many were ordered.
    pub quantity: Quantity,
    /// How many of them were cancelled or refunded before shipping.
    #[serde(default)]
    pub cancelled: rust_decimal::Decimal,
    /// How many have shipped, by the shop.
    #[serde(default)]
    pub shipped: rust_decimal::Decimal,
    /// Price of one, without tax, before discounts.
    pub unit_price: Dual,
    /// Price of all, without tax, before discounts.
    pub gross: Dual,
    /// What is taken off, positive, without tax.
    pub discount: Dual,
    /// What remains: gross less discount.
    pub net: Dual,
    /// The tax on it.
    pub tax: Dual,
    /// What only this merchant has.
    #[serde(default, skip_serializing_if = "CustomFields::is_empty")]
    pub custom: CustomFields,
}

impl OrderLine {
    /// A line without discount or tax at `unit_price` apiece in a one-currency shop; the rest is set on the fields.
    pub fn new(id: impl Into<LineId>, sku: impl Into<Sku>, quantity: Quantity, unit_price: Dual) -> Self {
        let gross = Dual::new(
            unit_price.order.saturating_mul(quantity.value),
            unit_price.base.saturating_mul(quantity.value),
        );
        Self {
            id: id.into(),
            sku: sku.into(),
            name: String::new(),
            quantity,
            cancelled: rust_decimal::Decimal::ZERO,
            shipped: rust_decimal::Decimal::ZERO,
            unit_price,
            gross,
            discount: Dual::ZERO,
            net: gross,
            tax: Dual::ZERO,
            custom: CustomFields::new(),
        }
    }

    /// Sets discount and tax; the net follows.
    #[must_use]
    pub fn with_money(mut self, discount: Dual, tax: Dual) -> Self {
        self.discount = discount;
        self.net = self.gross - discount;
        self.tax = tax;
        self
    }

    /// Ordered less cancelled.
    pub fn wanted(&self) -> rust_decimal::Decimal {
        self.quantity.value.saturating_sub(self.cancelled)
    }

    /// Ordered less cancelled less shipped: what the shop still reserves.
    pub fn open(&self) -> rust_decimal::Decimal {
        self.wanted().saturating_sub(self.shipped)
    }
}

/// A charge that is no line: shipping, gift wrap, a fee.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Charge {
    /// What for: a shipping method such as `flatrate_flatrate`, or a fee's code.
    pub code: String,
    /// What it costs after its own discount, without tax.
    pub net: Dual,
    /// What was taken off, positive.
    pub discount: Dual,
    /// The tax on it.
    pub tax: Dual,
}

impl Charge {
    /// A charge of `net` without discount, with its tax.
    pub fn new(code: impl Into<String>, net: Dual, tax: Dual) -> Self {
        Self { code: code.into(), net, discount: Dual::ZERO, tax }
    }

    /// States what was taken off; `net` is after it.
    #[must_use]
    pub fn with_discount(mut self, discount: Dual) -> Self {
        self.discount = discount;
        self
    }
}

/// What the shop says an order adds up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Totals {
    /// Goods after discounts, without tax.
    pub goods: Dual,
    /// Shipping after discounts, without tax.
    pub shipping: Dual,
    /// Further charges, without tax.
    pub fees: Dual,
    /// All tax.
    pub tax: Dual,
    /// Everything, before gift cards and store credit are taken off: those are payments.
    pub total: Dual,
    /// All discounts, positive; already taken off above.
    pub discounts: Dual,
}

impl Default for Dual {
    fn default() -> Self {
        Self::ZERO
    }
}

impl Totals {
    /// The parts; the total is their sum until [`Totals::with_total`] states what the shop says.
    #[must_use]
    pub fn new(goods: Dual, shipping: Dual, fees: Dual, tax: Dual) -> Self {
        Self { goods, shipping, fees, tax, total: goods + shipping + fees + tax, discounts: Dual::ZERO }
    }

    /// States the total as the shop says it.
    #[must_use]
    pub fn with_total(mut self, total: Dual) -> Self {
        self.total = total;
        self
    }

    /// States the discounts, positive, already taken off.
    #[must_use]
    pub fn with_discounts(mut self, discounts: Dual) -> Self {
        self.discounts = discounts;
        self
    }

    /// One side of them, as tie-out compares them.
    #[must_use]
    pub fn components(&self, side: crate::money::Side) -> Components {
        Components {
            goods: self.goods.side(side),
            shipping: self.shipping.side(side),
            fees: self.fees.side(side),
            tax: self.tax.side(side),
            total: self.total.side(side),
        }
    }
}

/// How an order is paid, as far as release depends on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Payment {
    /// The shop's method code: `purchaseorder`, `checkmo`, `braintree`.
    pub method: String,
    /// What kind of method it is.
    pub class: PaymentClass,
    /// How far the money has come.
    pub progress: PaymentProgress,
    /// What it is paid with, by allow-list.
    pub tenders: Vec<Tender>,
}

impl Payment {
    /// A payment without tenders.
    pub fn new(method: impl Into<String>, class: PaymentClass, progress: PaymentProgress) -> Self {
        Self { method: method.into(), class, progress, tenders: Vec::new() }
    }

    /// Adds the tenders.
    #[must_use]
    pub fn with_tenders(mut self, tenders: Vec<Tender>) -> Self {
        self.tenders = tenders;
        self
    }

    /// How much of one of its tenders was taken so far. What is bought on terms is not: that the shop has invoiced it is no
    /// money.
    #[must_use]
    pub fn taken(&self, tender: &Tender) -> Dual {
        match (tender.captured, self.progress) {
            _ if tender.kind == TERMS => Dual::ZERO,
            (_, PaymentProgress::Captured) => tender.amount,
            (Some(captured), _) => captured,
            (None, _) => Dual::ZERO,
        }
    }
}

/// What kind of payment method it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PaymentClass {
    /// On account: the buyer has payment terms.
    Terms,
    /// Cheque, transfer, cash on delivery, free.
    Offline,
    /// A card or wallet through a gateway.
    Card,
}

/// How far the money has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentProgress {
    /// Not at all.
    Nothing,
    /// Promised by the gateway.
    Authorized,
    /// Taken.
    Captured,
}

/// One thing it is paid with. Never more than these fields: no card number, no token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Tender {
    /// `card`, `offline`, `terms`, `gift-card`, `store-credit`, `points`.
    pub kind: String,
    /// How much of the order it covers.
    pub amount: Dual,
    /// How much of it was taken so far, where that is neither nothing nor all; else the payment's progress says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub captured: Option<Dual>,
    /// The gateway's reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The last four digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_four: Option<String>,
}

impl Tender {
    /// A tender that covers `amount`.
    pub fn new(kind: impl Into<String>, amount: Dual) -> Self {
        Self { kind: kind.into(), amount, captured: None, reference: None, last_four: None }
    }

    /// States how much of it was taken so far, where that is a part.
    #[must_use]
    pub fn with_captured(mut self, captured: Dual) -> Self {
        self.captured = Some(captured);
        self
    }

    /// Adds the gateway's reference.
    #[must_use]
    pub fn with_reference(mut self, reference: impl Into<String>) -> Self {
        self.reference = Some(reference.into());
        self
    }

    /// Adds the last four digits; anything longer is cut to its last four.
    #[must_use]
    pub fn with_last_four(mut self, digits: &str) -> Self {
        let skip = digits.chars().count().saturating_sub(4);
        self.last_four = Some(digits.chars().skip(skip).collect());
        self
    }
}

impl fmt::Debug for Tender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tender({}, …)", self.kind)
    }
}

/// Where an order goes in the target: the target's own words, such as `sales_area = 1710/10/00`. The sink checks them
/// when the flow is built.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RouteTarget(pub BTreeMap<String, String>);

impl RouteTarget {
    /// Nothing said.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Says one thing.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.insert(name.into(), value.into());
        self
    }

    /// Reads one thing.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// Which orders a feed or list is about.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OrderQuery {
    /// Only orders placed in this window, if stated.
    pub placed: Option<(Timestamp, Timestamp)>,
    /// Only these stores' codes; empty means all.
    pub stores: Vec<String>,
    /// At most so many, for a person who looks; `None` means all.
    pub limit: Option<u32>,
}

impl OrderQuery {
    /// All orders.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Only orders placed in `window`.
    #[must_use]
    pub fn placed_in(mut self, window: crate::feed::Window) -> Self {
        self.placed = Some((window.from, window.to));
        self
    }
}

/// An order on its way to a sink, with what only the engine knows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OrderSubmission {
    /// What the source wants.
    pub order: Order,
    /// Where it goes.
    pub route: RouteTarget,
    /// The buyer's native id in the target, if a customer flow linked it.
    pub customer: Option<NativeId>,
    /// The native id of the order that this one replaces.
    pub replaces: Option<NativeId>,
}

impl OrderSubmission {
    /// An order on a route.
    #[must_use]
    pub fn new(order: Order, route: RouteTarget) -> Self {
        Self { order, route, customer: None, replaces: None }
    }

    /// States the buyer's native id.
    #[must_use]
    pub fn with_customer(mut self, customer: Option<NativeId>) -> Self {
        self.customer = customer;
        self
    }

    /// States which native order is replaced.
    #[must_use]
    pub fn with_replaces(mut self, replaces: Option<NativeId>) -> Self {
        self.replaces = replaces;
        self
    }
}

/// A change to an order that the target holds.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct OrderRevision {
    /// What the target was last proven to hold.
    pub receipt: Receipt,
    /// What the source wants now.
    pub desired: OrderSubmission,
    /// What kind of change it is.
    pub change: OrderChange,
}

impl OrderRevision {
    /// A change of what `receipt` proves into what is `desired`.
    #[must_use]
    pub fn new(receipt: Receipt, desired: OrderSubmission, change: OrderChange) -> Self {
        Self { receipt, desired, change }
    }
}

/// What kind of change to a held order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderChange {
    /// Cancel all of it.
    Cancel,
    /// Make lines and quantities equal.
    Amend,
}

/// A shop order and what it became, to be written back onto the shop's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderLink {
    /// The order's key.
    pub key: Key,
    /// What it became.
    pub receipt: Receipt,
}

/// One record of a sink's statement, listed by our key, as a bank does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StatementEntry {
    /// Our key as the target stores it.
    pub key: Key,
    /// The target's document.
    pub native_id: NativeId,
    /// What people call it.
    pub number: String,
    /// When the target says the order was placed or created, if it says so.
    pub dated: Option<Timestamp>,
    /// What it holds.
    pub holding: Holding,
}

impl StatementEntry {
    /// What `native_id` holds under our `key`.
    pub fn new(key: Key, native_id: NativeId, number: impl Into<String>, holding: Holding) -> Self {
        Self { key, native_id, number: number.into(), dated: None, holding }
    }
}
