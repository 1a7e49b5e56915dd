//! The rows that a shop is made of, as its database keeps them. The control API hands them out.

use erp_core::Decimal;
use erp_core::money::Dual;
use erp_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

use crate::place::NewOrder;

/// A website.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Website {
    /// Id; 0 is the admin's.
    pub id: i64,
    /// Code.
    pub code: String,
    /// Name.
    pub name: String,
}

/// A store view.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoreView {
    /// Id; 0 is the admin's.
    pub id: i64,
    /// Code, as it stands in paths.
    pub code: String,
    /// Name.
    pub name: String,
    /// Its website.
    pub website_id: i64,
    /// IANA time zone.
    pub timezone: String,
    /// What the books are kept in.
    pub base_currency: String,
    /// What the buyer sees.
    pub currency: String,
    /// Base to order currency.
    pub rate: Decimal,
}

/// A place that holds stock.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Source {
    /// Code.
    pub code: String,
    /// Name.
    pub name: String,
    /// Whether its items count.
    pub enabled: bool,
    /// ISO 3166 country.
    pub country_id: String,
    /// Postcode.
    pub postcode: String,
}

/// What a website sells from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stock {
    /// Id; 1 is the default.
    pub id: i64,
    /// Name.
    pub name: String,
    /// Codes of the websites that sell from it.
    pub websites: Vec<String>,
    /// Codes of its sources, best first.
    pub sources: Vec<String>,
}

/// A product.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Product {
    /// Id.
    pub id: i64,
    /// SKU.
    pub sku: String,
    /// Name.
    pub name: String,
    /// `simple`, `configurable`, `bundle`, `downloadable`, `virtual`.
    pub kind: String,
    /// Base price; composites have none.
    pub price: Option<Decimal>,
    /// In pounds.
    pub weight: Decimal,
    /// The configurable that it is a child of.
    pub parent: Option<String>,
    /// Per store id, a price that overrides the base price.
    pub store_prices: BTreeMap<i64, Decimal>,
    /// Creation.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
}

impl Product {
    /// Whether nothing of it ships.
    pub fn is_virtual(&self) -> bool {
        matches!(self.kind.as_str(), "virtual" | "downloadable")
    }
}

/// A row of source stock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceItem {
    /// SKU as it was first written.
    pub sku: String,
    /// Source.
    pub source_code: String,
    /// On hand.
    pub quantity: Decimal,
    /// 1 in stock, 0 not.
    pub status: i64,
}

/// A tier price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TierPrice {
    /// SKU.
    pub sku: String,
    /// 0 means all.
    pub website_id: i64,
    /// Group code as stored; `all groups` means all.
    pub group: String,
    /// From how many on.
    pub quantity: Decimal,
    /// Price or per cent.
    pub price: Decimal,
    /// `fixed` or `discount`.
    pub price_type: String,
}

/// A customer group.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Group {
    /// Id; 0 is not logged in.
    pub id: i64,
    /// Code.
    pub code: String,
}

/// A B2B company.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Company {
    /// Id.
    pub id: i64,
    /// Name.
    pub name: String,
    /// E-mail.
    pub email: String,
    /// The account's number in the ERP, on REST as `reseller_id`.
    pub reseller_id: Option<String>,
    /// Its customer group, which carries its prices.
    pub group_id: i64,
    /// Its first user.
    pub super_user_id: i64,
    /// Where it sits.
    pub address: Address,
}

/// A name and an address. Also carries, where the merchant's own module adds it, the ERP's party number.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Address {
    /// Row id: of the customer's address or of the order's.
    pub id: i64,
    /// The customer's address that it was copied from.
    pub customer_address_id: Option<i64>,
    /// First name.
    pub firstname: String,
    /// Last name.
    pub lastname: String,
    /// Company.
    pub company: Option<String>,
    /// Street lines.
    pub street: Vec<String>,
    /// City.
    pub city: String,
    /// Region's name.
    pub region: Option<String>,
    /// Region's code.
    pub region_code: Option<String>,
    /// Region's id.
    pub region_id: Option<i64>,
    /// Postcode.
    pub postcode: Option<String>,
    /// ISO 3166 country.
    pub country_id: String,
    /// Telephone.
    pub telephone: String,
    /// The ship-to party's number in the ERP.
    pub erp_party: Option<String>,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({}, {})", self.id, self.country_id)
    }
}

/// A customer.
#[derive(Clone, Serialize, Deserialize)]
pub struct Customer {
    /// Id.
    pub id: i64,
    /// Website.
    pub website_id: i64,
    /// Store view in which it registered.
    pub store_id: i64,
    /// Group.
    pub group_id: i64,
    /// E-mail, unique per website.
    pub email: String,
    /// First name.
    pub firstname: String,
    /// Last name.
    pub lastname: String,
    /// Tax number.
    pub taxvat: Option<String>,
    /// Addresses.
    pub addresses: Vec<Address>,
    /// Id of the billing address.
    pub default_billing: Option<i64>,
    /// Id of the shipping address.
    pub default_shipping: Option<i64>,
    /// Custom attributes, `erp_account` among them.
    pub custom_attributes: BTreeMap<String, String>,
    /// The company that it belongs to.
    pub company_id: Option<i64>,
    /// Creation.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
}

impl fmt::Debug for Customer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Customer({}, website {})", self.id, self.website_id)
    }
}

/// A row of an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Id.
    pub item_id: i64,
    /// The parent's row.
    pub parent_item_id: Option<i64>,
    /// Whether the parent is a configurable, which carries the money and the quantities.
    pub under_configurable: bool,
    /// The product; 0 if the catalogue does not know the SKU.
    pub product_id: i64,
    /// Its kind.
    pub product_type: String,
    /// SKU; both rows of a configurable carry the child's.
    pub sku: String,
    /// Name.
    pub name: String,
    /// Whether nothing ships.
    pub is_virtual: bool,
    /// Weight of one.
    pub weight: Decimal,
    /// Ordered.
    pub qty_ordered: Decimal,
    /// Invoiced.
    pub qty_invoiced: Decimal,
    /// Shipped.
    pub qty_shipped: Decimal,
    /// Cancelled.
    pub qty_canceled: Decimal,
    /// Refunded.
    pub qty_refunded: Decimal,
    /// List price of one.
    pub original_price: Dual,
    /// Price of one.
    pub price: Dual,
    /// Price of all, before the discount, as the database keeps it.
    pub row_total: Dual,
    /// What is taken off, positive.
    pub discount: Dual,
    /// Per cent of the discount.
    pub discount_percent: Decimal,
    /// Tax.
    pub tax: Dual,
    /// Per cent of the tax.
    pub tax_percent: Decimal,
    /// The ERP's number of the row.
    pub ext_order_item_id: Option<String>,
}

impl Item {
    /// What could still be shipped.
    pub fn open_to_ship(&self) -> Decimal {
        self.qty_ordered - self.qty_shipped.max(self.qty_refunded) - self.qty_canceled
    }

    /// What could still be invoiced.
    pub fn open_to_invoice(&self) -> Decimal {
        self.qty_ordered - self.qty_invoiced - self.qty_canceled
    }
}

/// An order's payment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Payment {
    /// Method.
    pub method: String,
    /// The buyer's own order number.
    pub po_number: Option<String>,
    /// Card's last four digits.
    pub last_four: Option<String>,
    /// The gateway's reference.
    pub last_trans_id: Option<String>,
    /// What the gateway promised.
    pub authorized: Option<Dual>,
    /// What was taken.
    pub paid: Option<Dual>,
}

/// An entry of an order's history.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// Id.
    pub id: i64,
    /// Comment.
    pub comment: Option<String>,
    /// Status that it set.
    pub status: Option<String>,
    /// Whether the customer was told.
    pub is_customer_notified: i64,
    /// Whether the customer can see it.
    pub is_visible_on_front: i64,
    /// When.
    pub created_at: Timestamp,
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "History({}, {:?})", self.id, self.status)
    }
}

/// An order's sums. All but `discount` are positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sums {
    /// Rows before discounts.
    pub subtotal: Dual,
    /// Discounts, negative or zero, on goods.
    pub discount: Dual,
    /// Shipping, after its own discount.
    pub shipping: Dual,
    /// Tax on shipping.
    pub shipping_tax: Dual,
    /// All tax.
    pub tax: Dual,
    /// Paid by gift card.
    pub gift_cards: Dual,
    /// To be paid.
    pub grand_total: Dual,
    /// Paid.
    pub paid: Dual,
    /// Invoiced.
    pub invoiced: Dual,
    /// Cancelled.
    pub canceled: Dual,
}

/// How an order is related to those before and after an edit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Relation {
    /// The number that the first order of the chain has.
    pub original_increment_id: Option<String>,
    /// How many edits there were.
    pub edit_increment: Option<i64>,
    /// The order that this one replaces: id and number.
    pub parent: Option<(i64, String)>,
    /// The order that replaced this one: id and number.
    pub child: Option<(i64, String)>,
}

/// An order.
#[derive(Clone, Serialize, Deserialize)]
pub struct Order {
    /// Id.
    pub entity_id: i64,
    /// Number.
    pub increment_id: String,
    /// Place in its store's sequence.
    pub sequence: i64,
    /// State.
    pub state: String,
    /// Status; a comment can blank it.
    pub status: Option<String>,
    /// State and status before a hold.
    pub before_hold: Option<(String, Option<String>)>,
    /// Store view.
    pub store_id: i64,
    /// The stock that it reserves from.
    pub stock_id: i64,
    /// When it was placed.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When its transaction commits; before that nobody sees it.
    pub visible_at: Timestamp,
    /// Customer, absent for guests.
    pub customer_id: Option<i64>,
    /// Customer group.
    pub group_id: i64,
    /// E-mail.
    pub email: String,
    /// Company: id and name.
    pub company: Option<(i64, String)>,
    /// The customer's number in the ERP.
    pub ext_customer_id: Option<String>,
    /// The order's number in the ERP, written back.
    pub ext_order_id: Option<String>,
    /// Base currency, order currency, rate.
    pub currency: (String, String, Decimal),
    /// Sums.
    pub sums: Sums,
    /// Coupon.
    pub coupon: Option<String>,
    /// Shipping method and its description.
    pub shipping_method: Option<(String, String)>,
    /// The tax: code, title, per cent.
    pub tax_rate: Option<(String, String, Decimal)>,
    /// Rows, parents before children.
    pub items: Vec<Item>,
    /// Who pays.
    pub billing: Address,
    /// Where it goes.
    pub shipping: Option<Address>,
    /// Payment.
    pub payment: Payment,
    /// History, newest last.
    pub histories: Vec<History>,
    /// Edits.
    pub relation: Relation,
    /// What was asked for, so that it can be edited.
    pub wish: NewOrder,
}

impl Order {
    /// Whether nothing ships.
    pub fn is_virtual(&self) -> bool {
        self.items.iter().all(|item| item.is_virtual)
    }

    /// Rows that carry quantity of their own: no child rows of configurables.
    pub fn top_rows(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|item| item.parent_item_id.is_none())
    }

    /// What it still reserves, by SKU of what ships.
    pub fn reserved(&self) -> BTreeMap<String, Decimal> {
        let mut open = BTreeMap::new();
        for item in self.shippable() {
            let quantity = item.open_to_ship();
            if !quantity.is_zero() {
                let sum: &mut Decimal = open.entry(item.sku.to_lowercase()).or_default();
                *sum += quantity;
            }
        }
        open
    }

    /// The rows whose quantity ships: simples, configurable parents, and the children of bundles.
    pub fn shippable(&self) -> impl Iterator<Item = &Item> {
        self.items
            .iter()
            .filter(|item| !item.is_virtual && item.product_type != "bundle" && !item.under_configurable)
    }
}

impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Order")
            .field("entity_id", &self.entity_id)
            .field("increment_id", &self.increment_id)
            .field("state", &self.state)
            .field("status", &self.status)
            .field("items", &self.items.len())
            .field("grand_total", &self.sums.grand_total.order)
            .finish_non_exhaustive()
    }
}

/// A parcel's number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Track {
    /// Id.
    pub id: i64,
    /// Number.
    pub number: String,
    /// Title.
    pub title: String,
    /// Carrier.
    pub carrier_code: String,
}

/// A shipment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Shipment {
    /// Id.
    pub entity_id: i64,
    /// Number.
    pub increment_id: String,
    /// Order.
    pub order_id: i64,
    /// Store view.
    pub store_id: i64,
    /// Source.
    pub source_code: String,
    /// Order item ids and quantities.
    pub items: Vec<(i64, Decimal)>,
    /// Tracks.
    pub tracks: Vec<Track>,
    /// Comment.
    pub comment: Option<String>,
    /// When.
    pub created_at: Timestamp,
}

/// An invoice.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Invoice {
    /// Id.
    pub entity_id: i64,
    /// Number.
    pub increment_id: String,
    /// Order.
    pub order_id: i64,
    /// Store view.
    pub store_id: i64,
    /// 1 open, 2 paid.
    pub state: i64,
    /// Base currency and order currency.
    #[serde(default)]
    pub currency: (String, String),
    /// Order item ids and quantities.
    pub items: Vec<(i64, Decimal)>,
    /// Sum to pay.
    pub grand_total: Dual,
    /// Paid by gift card.
    #[serde(default)]
    pub gift_cards: Dual,
    /// Whether the money was to be taken with it.
    #[serde(default)]
    pub capture: bool,
    /// Whether the buyer was told.
    #[serde(default)]
    pub notified: bool,
    /// Comment.
    #[serde(default)]
    pub comment: Option<String>,
    /// When.
    pub created_at: Timestamp,
}

/// A credit memo: money that was given back.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CreditMemo {
    /// Id.
    pub entity_id: i64,
    /// Number.
    pub increment_id: String,
    /// Order.
    pub order_id: i64,
    /// Store view.
    pub store_id: i64,
    /// 1 open, 2 refunded, 3 cancelled.
    pub state: i64,
    /// Base currency and order currency.
    pub currency: (String, String),
    /// Rows, with what is given back for each.
    pub items: Vec<CreditItem>,
    /// Shipping given back, after its own discount.
    pub shipping: Dual,
    /// Tax on it.
    pub shipping_tax: Dual,
    /// Given back beyond.
    pub adjustment_positive: Dual,
    /// Kept.
    pub adjustment_negative: Dual,
    /// When.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// A row of a credit memo.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CreditItem {
    /// The order's row.
    pub order_item_id: i64,
    /// SKU.
    pub sku: String,
    /// How many.
    pub quantity: Decimal,
    /// Price of one.
    pub price: Dual,
    /// Price of all, before the discount.
    pub row_total: Dual,
    /// What is taken off, positive.
    pub discount: Dual,
    /// Tax.
    pub tax: Dual,
}

impl CreditMemo {
    /// What of the rows adds up to the whole.
    fn sum(&self, of: impl Fn(&CreditItem) -> Dual) -> Dual {
        self.items.iter().map(of).sum()
    }

    /// All rows before discounts.
    pub fn subtotal(&self) -> Dual {
        self.sum(|item| item.row_total)
    }

    /// All discounts, positive.
    pub fn discount(&self) -> Dual {
        self.sum(|item| item.discount)
    }

    /// All tax.
    pub fn tax(&self) -> Dual {
        self.sum(|item| item.tax) + self.shipping_tax
    }

    /// Everything that is given back.
    pub fn grand_total(&self) -> Dual {
        self.subtotal() - self.discount() + self.tax() + self.shipping + self.adjustment_positive
            - self.adjustment_negative
    }
}
