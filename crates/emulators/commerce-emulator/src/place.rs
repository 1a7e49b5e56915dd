//! Placing an order: what is asked for, and the money that it comes to.
//!
//! Prices are without tax. Rows are rounded to cents one by one, percentage discounts carry their rounding remainder to
//! the next row, a fixed discount is spread by row value with the remainder on the last row, tax is computed per row
//! after the discount, and the order's sums are the sums of its rows. Both currencies are computed side by side.

use crate::rows::{Address, Item, Product, StoreView, Sums};
use crate::state::Shop;
use erp_core::Decimal;
use erp_core::money::{Currency, Dual, Money};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One line that somebody puts into the cart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NewLine {
    /// What; the child's SKU for a configurable.
    pub sku: String,
    /// How many.
    pub quantity: Decimal,
    /// Price of one in the base currency; `None` asks the catalogue and the tier prices.
    pub price: Option<Decimal>,
    /// What a bundle is made of, per bundle.
    pub parts: Vec<(String, Decimal)>,
}

impl NewLine {
    /// So many of this at the catalogue's price.
    pub fn new(sku: impl Into<String>, quantity: impl Into<Decimal>) -> Self {
        Self { sku: sku.into(), quantity: quantity.into(), price: None, parts: Vec::new() }
    }

    /// At this price of one, in the base currency.
    #[must_use]
    pub fn with_price(mut self, price: Decimal) -> Self {
        self.price = Some(price);
        self
    }

    /// As a bundle with dynamic price, made of these per bundle.
    #[must_use]
    pub fn with_parts(mut self, parts: Vec<(String, Decimal)>) -> Self {
        self.parts = parts;
        self
    }
}

/// What is taken off.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub enum Discount {
    /// Nothing.
    #[default]
    None,
    /// So many per cent of every row.
    Percent(Decimal),
    /// This much of the whole cart, in the base currency.
    Fixed(Decimal),
}

/// A sales tax.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TaxRate {
    /// Code, such as `US-TX`.
    pub code: String,
    /// Title.
    pub title: String,
    /// Per cent.
    pub percent: Decimal,
    /// Whether shipping is taxed too.
    pub on_shipping: bool,
}

impl TaxRate {
    /// A tax on goods alone.
    pub fn new(code: impl Into<String>, percent: Decimal) -> Self {
        let code = code.into();
        Self { title: code.clone(), code, percent, on_shipping: false }
    }

    /// On shipping too.
    #[must_use]
    pub fn on_shipping(mut self) -> Self {
        self.on_shipping = true;
        self
    }
}

/// How an order is to be paid, and how far that is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Pay {
    /// Offline or on terms: state `new`.
    Offline,
    /// A card, promised by the gateway: state `processing`.
    Authorized,
    /// A card, taken at once: state `processing`, paid and invoiced.
    Captured,
    /// Nobody has paid yet: state `pending_payment` until [`crate::ShopWorld::pay`].
    Later,
    /// Suspected: state `payment_review`.
    Review,
}

/// An order as somebody places it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NewOrder {
    /// Store view's code.
    pub store: String,
    /// Registered customer; `None` for a guest.
    pub customer: Option<i64>,
    /// E-mail.
    pub email: String,
    /// Lines.
    pub lines: Vec<NewLine>,
    /// Who pays.
    pub billing: Address,
    /// Where it goes.
    pub shipping: Address,
    /// Method and cost in the base currency.
    pub delivery: (String, String, Decimal),
    /// Coupon's code.
    pub coupon: Option<String>,
    /// What is taken off.
    pub discount: Discount,
    /// Tax.
    pub tax: Option<TaxRate>,
    /// Method of payment.
    pub method: String,
    /// How far the payment is.
    pub pay: Pay,
    /// The buyer's own order number.
    pub po_number: Option<String>,
    /// Paid by gift card, in the base currency, at most the total.
    pub gift_card: Decimal,
}

impl fmt::Debug for NewOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewOrder({}, {} lines, {})", self.store, self.lines.len(), self.method)
    }
}

impl NewOrder {
    /// A guest's order with flat rate shipping, paid offline, without tax.
    pub fn new(store: impl Into<String>, email: impl Into<String>, lines: Vec<NewLine>) -> Self {
        let address = Address {
            firstname: "Ada".to_owned(),
            lastname: "Guest".to_owned(),
            street: vec!["1 Main Street".to_owned()],
            city: "Austin".to_owned(),
            region: Some("Texas".to_owned()),
            region_code: Some("TX".to_owned()),
            region_id: Some(57),
            postcode: Some("78701".to_owned()),
            country_id: "US".to_owned(),
            telephone: "512-555-0100".to_owned(),
            ..Address::default()
        };
        Self {
            store: store.into(),
            customer: None,
            email: email.into(),
            lines,
            billing: address.clone(),
            shipping: address,
            delivery: ("flatrate_flatrate".to_owned(), "Flat Rate - Fixed".to_owned(), Decimal::new(5, 0)),
            coupon: None,
            discount: Discount::None,
            tax: None,
            method: "checkmo".to_owned(),
            pay: Pay::Offline,
            po_number: None,
            gift_card: Decimal::ZERO,
        }
    }

    /// Placed by a registered customer.
    #[must_use]
    pub fn with_customer(mut self, id: i64) -> Self {
        self.customer = Some(id);
        self
    }

    /// To and from these addresses.
    #[must_use]
    pub fn with_addresses(mut self, billing: Address, shipping: Address) -> Self {
        self.billing = billing;
        self.shipping = shipping;
        self
    }

    /// With this shipping method, title and cost in the base currency.
    #[must_use]
    pub fn with_delivery(
        mut self,
        method: impl Into<String>,
        title: impl Into<String>,
        cost: Decimal,
    ) -> Self {
        self.delivery = (method.into(), title.into(), cost);
        self
    }

    /// With something taken off, and the coupon that did it.
    #[must_use]
    pub fn with_discount(mut self, coupon: Option<String>, discount: Discount) -> Self {
        self.coupon = coupon;
        self.discount = discount;
        self
    }

    /// With a tax.
    #[must_use]
    pub fn with_tax(mut self, tax: TaxRate) -> Self {
        self.tax = Some(tax);
        self
    }

    /// Paid like this.
    #[must_use]
    pub fn with_payment(mut self, method: impl Into<String>, pay: Pay) -> Self {
        self.method = method.into();
        self.pay = pay;
        self
    }

    /// With the buyer's own order number.
    #[must_use]
    pub fn with_po_number(mut self, number: impl Into<String>) -> Self {
        self.po_number = Some(number.into());
        self
    }

    /// Partly paid by gift card.
    #[must_use]
    pub fn with_gift_card(mut self, amount: Decimal) -> Self {
        self.gift_card = amount;
        self
    }
}

/// Rounded to cents, half away from zero.
pub(crate) fn cents(value: Decimal) -> Decimal {
    Money::new(value, Currency::USD).rounded().amount
}

fn both(value: Dual, f: impl Fn(Decimal) -> Decimal) -> Dual {
    Dual::new(f(value.order), f(value.base))
}

fn percent_of(value: Decimal, percent: Decimal) -> Decimal {
    value * percent / Decimal::ONE_HUNDRED
}

/// The rows and sums that a wish comes to. `first_id` is the first row's id.
pub(crate) fn price(
    shop: &Shop,
    store: &StoreView,
    group_id: i64,
    wish: &NewOrder,
    first_id: i64,
) -> (Vec<Item>, Sums) {
    let mut items = Vec::new();
    for line in &wish.lines {
        let next = first_id + i64::try_from(items.len()).unwrap_or_default();
        items.extend(rows_of(shop, store, group_id, line, next));
    }
    discount(&mut items, store, &wish.discount);
    let mut sums = Sums::default();
    show_bundles(&mut items);
    if let Some(tax) = &wish.tax {
        for item in items.iter_mut().filter(|item| carries_money(item)) {
            item.tax_percent = tax.percent;
            item.tax = both(item.row_total - item.discount, |net| cents(percent_of(net, tax.percent)));
        }
    }
    if items.iter().any(|item| !item.is_virtual) {
        let cost = wish.delivery.2;
        sums.shipping = Dual::new(cents(cost * store.rate), cents(cost));
        if let Some(tax) = wish.tax.as_ref().filter(|tax| tax.on_shipping) {
            sums.shipping_tax = both(sums.shipping, |net| cents(percent_of(net, tax.percent)));
        }
    }
    for item in items.iter().filter(|item| carries_money(item)) {
        sums.subtotal = sums.subtotal + item.row_total;
        sums.discount = sums.discount - item.discount;
        sums.tax = sums.tax + item.tax;
    }
    sums.tax = sums.tax + sums.shipping_tax;
    let total = sums.subtotal + sums.discount + sums.shipping + sums.tax;
    let card = wish.gift_card;
    let card = Dual::new(cents(card * store.rate), cents(card));
    sums.gift_cards = Dual::new(card.order.min(total.order), card.base.min(total.base));
    sums.grand_total = total - sums.gift_cards;
    (items, sums)
}

/// The parent of a dynamic bundle shows what its children come to; that money is not its own.
fn show_bundles(items: &mut [Item]) {
    let children: Vec<(i64, Dual)> =
        items.iter().filter_map(|item| Some((item.parent_item_id?, item.row_total))).collect();
    for item in items.iter_mut().filter(|item| item.product_type == "bundle") {
        item.row_total =
            children.iter().filter(|(parent, _)| *parent == item.item_id).map(|(_, total)| *total).sum();
        let quantity = if item.qty_ordered.is_zero() { Decimal::ONE } else { item.qty_ordered };
        item.price = both(item.row_total, |total| cents(total / quantity));
        item.original_price = item.price;
    }
}

/// Whether a row's money counts: all but the children of configurables and the parents of dynamic bundles.
pub(crate) fn carries_money(item: &Item) -> bool {
    item.product_type != "bundle" && !item.under_configurable
}

fn rows_of(shop: &Shop, store: &StoreView, group_id: i64, line: &NewLine, id: i64) -> Vec<Item> {
    let product = shop.product(&line.sku);
    if !line.parts.is_empty() {
        let mut rows = vec![row(store, product, line, "bundle", id, Decimal::ZERO)];
        for (sku, per) in &line.parts {
            let part = NewLine::new(sku.clone(), *per * line.quantity);
            let child = shop.product(sku);
            let price = price_of(shop, child, group_id, store.website_id, part.quantity);
            let next = id + i64::try_from(rows.len()).unwrap_or_default();
            let mut row = row(store, child, &part, "simple", next, price);
            row.parent_item_id = Some(id);
            rows.push(row);
        }
        return rows;
    }
    let price =
        line.price.unwrap_or_else(|| price_of(shop, product, group_id, store.website_id, line.quantity));
    let parent = product.and_then(|product| product.parent.as_deref()).and_then(|sku| shop.product(sku));
    match parent {
        None => {
            let kind = product.map_or("simple", |product| product.kind.as_str());
            vec![row(store, product, line, kind, id, price)]
        }
        Some(parent) => {
            let mut top = row(store, Some(parent), line, "configurable", id, price);
            // Both rows carry the child's SKU.
            line.sku.clone_into(&mut top.sku);
            top.weight = product.map_or(Decimal::ZERO, |product| product.weight);
            let list = product.and_then(|product| product.price).unwrap_or(price);
            top.original_price = Dual::new(cents(list * store.rate), cents(list));
            let mut child = row(store, product, line, "simple", id + 1, Decimal::ZERO);
            child.parent_item_id = Some(id);
            child.under_configurable = true;
            child.original_price = Dual::ZERO;
            vec![top, child]
        }
    }
}

fn row(
    store: &StoreView,
    product: Option<&Product>,
    line: &NewLine,
    kind: &str,
    id: i64,
    price: Decimal,
) -> Item {
    let price = Dual::new(cents(price * store.rate), cents(price));
    let list = product.and_then(|product| product.price).unwrap_or(price.base);
    Item {
        item_id: id,
        parent_item_id: None,
        under_configurable: false,
        product_id: product.map_or(0, |product| product.id),
        product_type: kind.to_owned(),
        sku: product.map_or_else(|| line.sku.clone(), |product| product.sku.clone()),
        name: product.map_or_else(|| line.sku.clone(), |product| product.name.clone()),
        is_virtual: product.is_some_and(Product::is_virtual),
        weight: product.map_or(Decimal::ZERO, |product| product.weight),
        qty_ordered: line.quantity,
        qty_invoiced: Decimal::ZERO,
        qty_shipped: Decimal::ZERO,
        qty_canceled: Decimal::ZERO,
        qty_refunded: Decimal::ZERO,
        original_price: Dual::new(cents(list * store.rate), cents(list)),
        price,
        row_total: both(price, |one| cents(one * line.quantity)),
        discount: Dual::ZERO,
        discount_percent: Decimal::ZERO,
        tax: Dual::ZERO,
        tax_percent: Decimal::ZERO,
        ext_order_item_id: None,
    }
}

/// The catalogue's price, or the best tier that the group reaches with this quantity.
fn price_of(
    shop: &Shop,
    product: Option<&Product>,
    group_id: i64,
    website_id: i64,
    quantity: Decimal,
) -> Decimal {
    let Some(product) = product else { return Decimal::ZERO };
    let base = product.price.unwrap_or_default();
    let group = shop.groups.get(&group_id).map_or("", |group| group.code.as_str());
    let tiers = shop.tier_prices.get(&product.sku.to_lowercase());
    tiers
        .into_iter()
        .flatten()
        .filter(|tier| tier.website_id == 0 || tier.website_id == website_id)
        .filter(|tier| tier.group == "all groups" || tier.group.eq_ignore_ascii_case(group))
        .filter(|tier| quantity >= tier.quantity)
        .map(|tier| match tier.price_type.as_str() {
            "fixed" => tier.price,
            _ => base - percent_of(base, tier.price),
        })
        .fold(base, Decimal::min)
}

fn discount(items: &mut [Item], store: &StoreView, discount: &Discount) {
    match discount {
        Discount::None => {}
        Discount::Percent(percent) => {
            let mut carry = Dual::ZERO;
            for item in items.iter_mut().filter(|item| carries_money(item)) {
                let exact = both(item.row_total, |total| percent_of(total, *percent)) + carry;
                let whole = both(exact, cents);
                item.discount =
                    Dual::new(whole.order.min(item.row_total.order), whole.base.min(item.row_total.base));
                item.discount_percent = *percent;
                carry = exact - whole;
            }
        }
        Discount::Fixed(amount) => {
            let base =
                items.iter().filter(|item| carries_money(item)).map(|item| item.row_total).sum::<Dual>();
            let wanted =
                Dual::new(cents(*amount * store.rate).min(base.order), cents(*amount).min(base.base));
            let mut left = wanted;
            let count = items.iter().filter(|item| carries_money(item)).count();
            for (index, item) in items.iter_mut().filter(|item| carries_money(item)).enumerate() {
                let share = |wanted: Decimal, row: Decimal, all: Decimal| {
                    if all.is_zero() { Decimal::ZERO } else { cents(wanted * row / all) }
                };
                let part = if index + 1 == count {
                    left
                } else {
                    Dual::new(
                        share(wanted.order, item.row_total.order, base.order).min(left.order),
                        share(wanted.base, item.row_total.base, base.base).min(left.base),
                    )
                };
                let part =
                    Dual::new(part.order.min(item.row_total.order), part.base.min(item.row_total.base));
                item.discount = part;
                left = left - part;
            }
        }
    }
}
