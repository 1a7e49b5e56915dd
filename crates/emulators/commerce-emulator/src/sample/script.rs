use super::random::{Random, hash};
use super::{catalog, companies, people};
use crate::place::{Discount, NewLine, NewOrder, Pay, TaxRate};
use crate::rows::{Address, Customer, Product};
use erp_core::Decimal;
use erp_core::time::{Date, Timestamp, Zone};
use std::time::Duration;

/// A day of orders, the same for the same seed.
#[derive(Debug, Clone, Copy)]
pub struct OrderScript;

/// What a day is like.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DayOptions {
    /// Which day.
    pub date: Date,
    /// In which zone its business hours are.
    pub zone: Zone,
    /// How many orders.
    pub orders: usize,
    /// How many of a hundred are wholesale.
    pub wholesale: usize,
    /// How many of a hundred retail orders are paid late.
    pub late_payments: usize,
}

impl DayOptions {
    /// 500 orders on this day in UTC, 18 of a hundred wholesale, 6 of a hundred paid late.
    pub fn new(date: Date) -> Self {
        Self { date, zone: Zone::UTC, orders: 500, wholesale: 18, late_payments: 6 }
    }

    /// In this zone.
    #[must_use]
    pub fn in_zone(mut self, zone: Zone) -> Self {
        self.zone = zone;
        self
    }

    /// So many orders.
    #[must_use]
    pub fn with_orders(mut self, orders: usize) -> Self {
        self.orders = orders;
        self
    }
}

/// An order that somebody will place.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ScheduledOrder {
    /// When.
    pub at: Timestamp,
    /// What.
    pub order: NewOrder,
    /// When the payment comes, if it comes late: then call [`crate::ShopWorld::pay`].
    pub pays_at: Option<Timestamp>,
}

/// What can be bought, read once per script.
struct Shelf {
    simple: Vec<Product>,
    accessories: Vec<Product>,
    buyers: Vec<Customer>,
    customers: Vec<Customer>,
}

impl OrderScript {
    /// The orders of a day, in the order of their times. Most are placed around noon: the hours run from six to
    /// eighteen, with a peak at twelve.
    #[must_use]
    pub fn day(seed: u64, options: &DayOptions) -> Vec<ScheduledOrder> {
        let mut random = Random::new(seed);
        let created = Timestamp::from_secs(super::CREATED);
        let products = catalog::products(created);
        let sold = |product: &&Product| product.kind == "simple" && product.price.is_some();
        let shelf = Shelf {
            simple: products.iter().filter(sold).cloned().collect(),
            accessories: products
                .iter()
                .filter(sold)
                .filter(|p| catalog::is_accessory(&p.sku))
                .cloned()
                .collect(),
            buyers: companies::all(created).1,
            customers: people::customers(created),
        };
        let opening = options.date.at_in(6, 0, &options.zone).unwrap_or(created);
        let mut orders: Vec<ScheduledOrder> = (0..options.orders)
            .map(|_| {
                // The mean of two even draws peaks in the middle.
                let seconds = u64::try_from(usize::midpoint(random.below(43_200), random.below(43_200)))
                    .unwrap_or_default();
                let at = opening.plus(Duration::from_secs(seconds));
                if random.chance(options.wholesale) {
                    ScheduledOrder { at, order: wholesale(&mut random, &shelf), pays_at: None }
                } else {
                    retail(&mut random, &shelf, at, options.late_payments)
                }
            })
            .collect();
        orders.sort_by_key(|scheduled| scheduled.at);
        orders
    }
}

/// About one product in nine is on sale at four fifths of its price.
fn sale_price(product: &Product) -> Option<Decimal> {
    let price = product.price?;
    hash(&product.sku).is_multiple_of(9).then(|| crate::place::cents(price * Decimal::new(8, 1)))
}

fn retail(random: &mut Random, shelf: &Shelf, at: Timestamp, late_payments: usize) -> ScheduledOrder {
    let canadian = random.chance(8);
    let count = 1 + random.below(4);
    let lines: Vec<NewLine> = (0..count)
        .map(|_| {
            let list = if random.chance(30) { &shelf.accessories } else { &shelf.simple };
            let product = random.pick(list);
            let line = NewLine::new(product.sku.clone(), Decimal::from(1 + random.below(3)));
            match sale_price(product) {
                Some(price) => line.with_price(price),
                None => line,
            }
        })
        .collect();
    let registered = random.chance(45).then(|| random.pick(&shelf.customers).clone());
    let (email, billing) = match &registered {
        Some(customer) => (customer.email.clone(), own_address(customer, 0)),
        None => (format!("guest{}@mail.example.test", random.below(1_000_000)), people::address(random)),
    };
    let shipping = if random.chance(85) { billing.clone() } else { people::address(random) };
    let store = if canadian { "luma_ca" } else { "default" };
    let mut order = NewOrder::new(store, email, lines).with_addresses(billing, shipping.clone());
    order.customer = registered.map(|customer| customer.id);
    order = match random.below(10) {
        0..6 => order,
        6..8 => order.with_delivery("ups_GND", "United Parcel Service - Ground", Decimal::new(987, 2)),
        8 => order.with_delivery("tablerate_bestway", "Best Way - Table Rate", Decimal::new(15, 0)),
        _ => order.with_delivery("freeshipping_freeshipping", "Free Shipping - Free", Decimal::ZERO),
    };
    order = match random.below(20) {
        0..3 => order.with_discount(Some("SPRING10".to_owned()), Discount::Percent(Decimal::from(10))),
        3 => order.with_discount(Some("WELCOME5".to_owned()), Discount::Fixed(Decimal::from(5))),
        4 => order.with_discount(Some("THIRD".to_owned()), Discount::Percent(Decimal::new(3333, 2))),
        _ => order,
    };
    let region = shipping.region_code.clone().unwrap_or_default();
    if let Some((percent, on_shipping)) = people::tax_of(&region) {
        let tax = TaxRate::new(format!("US-{region}"), percent);
        order = order.with_tax(if on_shipping { tax.on_shipping() } else { tax });
    }
    if random.chance(3) {
        order = order.with_gift_card(Decimal::from(25));
    }
    if random.chance(late_payments) {
        let wait = Duration::from_secs(600 + 60 * u64::try_from(random.below(240)).unwrap_or_default());
        return ScheduledOrder {
            at,
            order: order.with_payment("braintree", Pay::Later),
            pays_at: Some(at.plus(wait)),
        };
    }
    let order = match random.below(20) {
        0..12 => order.with_payment("braintree", Pay::Authorized),
        12..17 => order.with_payment("braintree", Pay::Captured),
        17..19 => order.with_payment("checkmo", Pay::Offline),
        _ => order.with_payment("banktransfer", Pay::Offline),
    };
    ScheduledOrder { at, order, pays_at: None }
}

fn own_address(customer: &Customer, index: usize) -> Address {
    let mut address =
        customer.addresses.get(index).or(customer.addresses.first()).cloned().unwrap_or_default();
    address.customer_address_id = Some(address.id);
    address
}

fn wholesale(random: &mut Random, shelf: &Shelf) -> NewOrder {
    let buyer = random.pick(&shelf.buyers).clone();
    let count = 3 + random.below(10);
    let lines: Vec<NewLine> = (0..count)
        .map(|_| {
            let list = if random.chance(50) { &shelf.accessories } else { &shelf.simple };
            let quantity = *random.pick(&[6, 12, 12, 24, 24, 36, 48]);
            NewLine::new(random.pick(list).sku.clone(), Decimal::from(quantity))
        })
        .collect();
    let billing = own_address(&buyer, 0);
    let shipping = own_address(&buyer, random.below(buyer.addresses.len()));
    let method = if random.chance(70) { "companycredit" } else { "purchaseorder" };
    let order = NewOrder::new("wholesale", buyer.email.clone(), lines)
        .with_customer(buyer.id)
        .with_addresses(billing, shipping)
        .with_payment(method, Pay::Offline)
        .with_po_number(format!("PO-{:06}", random.below(1_000_000)));
    match random.below(4) {
        0 => order.with_delivery("freeshipping_freeshipping", "Freight - Collect", Decimal::ZERO),
        _ => order.with_delivery("tablerate_bestway", "Best Way - Table Rate", Decimal::new(4990, 2)),
    }
}
