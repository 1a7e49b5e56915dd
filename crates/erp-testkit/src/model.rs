//! Sample records from a seed: orders whose money adds up in two currencies, stock levels, customers. A property test
//! draws a seed and makes a [`Sample::wild_order`] of it.

use crate::rng::Rng;
use erp_core::Decimal;
use erp_core::id::{Key, Sku};
use erp_core::model::{
    Address, Basis, Buyer, Channel, Charge, Company, Customer, CustomerKind, InventoryLevel, Order,
    OrderLine, Payment, PaymentClass, PaymentProgress, Standing, Tender, Totals,
};
use erp_core::money::{Currency, Dual, Quantity};
use erp_core::time::{Timestamp, Zone};

/// The sample products.
pub const SKUS: [&str; 5] = ["24-MB01", "24-MB02", "24-WG080", "WS12-M-Blue", "240-LV05"];
/// The sample place.
pub const LOCATION: &str = "main";
/// Family name of every sample person; no error and no `Debug` may show it.
pub const SURNAME_MARKER: &str = "Pii-Surname-Marker";
/// Part of every sample e-mail address; no error and no `Debug` may show it.
pub const EMAIL_MARKER: &str = "pii-mail-marker";

/// Makes sample records; the same seed makes the same records.
#[derive(Debug, Clone)]
pub struct Sample {
    rng: Rng,
    made: u64,
}

impl Sample {
    /// Samples from `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { rng: Rng::new(seed), made: 0 }
    }

    /// The next order: open, one to four lines of different products, euro for the buyer, dollar in the books, paid by
    /// terms, cheque or authorised card. Its key is `sample:<n>`; a shop gives it its own.
    pub fn order(&mut self) -> Order {
        let lines = self.rng.between(1, 4);
        self.order_of(usize::try_from(lines).unwrap_or(1))
    }

    /// The next order with exactly so many lines.
    pub fn order_of(&mut self, lines: usize) -> Order {
        self.made += 1;
        let first = usize::try_from(self.rng.below(SKUS.len() as u64)).unwrap_or(0);
        let lines: Vec<_> =
            (0..lines).map(|index| self.line(index + 1, SKUS[(first + index) % SKUS.len()], CENTS)).collect();
        let placed_at = Timestamp::from_secs(1_767_225_600 + i64::try_from(self.made).unwrap_or(0) * 60);
        let channel = Channel::new("base", "default", Zone::UTC);
        let mut order = Order::new(
            Key::from(format!("sample:{}", self.made)),
            format!("{:09}", self.made),
            channel,
            placed_at,
            Currency::EUR,
        );
        order.base_currency = Currency::USD;
        order.buyer = Buyer::Guest { email: self.email() };
        order.billing = self.address();
        order.shipping = Some(self.address());
        order.delivery = Some(self.charge("flatrate_flatrate", CENTS));
        order.payment = self.payment();
        let order = order.with_lines(lines);
        let totals = totals_of(&order);
        order.with_totals(totals)
    }

    /// The next order, waiting for its card to be charged.
    pub fn unpaid_order(&mut self) -> Order {
        let mut order = self.order().with_standing(Standing::PendingPayment);
        order.payment = Payment::new("braintree", PaymentClass::Card, PaymentProgress::Nothing);
        order
    }

    /// The next order out of all that an order can be, for property tests: currencies with 0, 2 or 3 digits, one to sixty
    /// lines of repeated products, cancelled parts, fees, companies, every standing and payment, names beyond ASCII. Its
    /// money adds up exactly.
    pub fn wild_order(&mut self) -> Order {
        let (yen, dinar) = (currency("JPY"), currency("KWD"));
        let pairs = [
            (Currency::EUR, Currency::USD),
            (yen, Currency::EUR),
            (dinar, yen),
            (Currency::USD, Currency::USD),
        ];
        let (currency, base) = self.rng.pick(&pairs).copied().unwrap_or((Currency::EUR, Currency::USD));
        let digits = (currency.minor_digits(), base.minor_digits());
        let mut order = self.order_of(1);
        (order.currency, order.base_currency) = (currency, base);
        let count = usize::try_from(self.rng.between(1, 60)).unwrap_or(1);
        order.lines = (1..=count).map(|number| self.wild_line(number, digits)).collect();
        order.delivery = self.rng.chance(3, 4).then(|| self.charge("flatrate_flatrate", digits));
        order.fees = (0..self.rng.below(3)).map(|fee| self.charge(&format!("fee-{fee}"), digits)).collect();
        order.standing = self.rng.pick(&STANDINGS).copied().unwrap_or(Standing::Open);
        order.payment = self.payment();
        order.purchase_order = self.rng.chance(1, 3).then(|| "PO \u{2116} 7/ü".to_owned());
        order.billing.company = self.rng.chance(1, 4).then(|| "Grüße & Söhne \u{5c3a}\u{5bf8}".to_owned());
        if self.rng.chance(1, 2) {
            let (key, email) = (Key::from(format!("shop:c{}", self.rng.below(50))), self.email());
            order.buyer = Buyer::Registered { key, email, external_id: None };
        }
        if self.rng.chance(1, 4) {
            order.company = Some(Company::new(Key::from("shop:b7"), "Söhne"));
        }
        let totals = totals_of(&order);
        order.with_totals(totals)
    }

    fn wild_line(&mut self, number: usize, digits: (u32, u32)) -> OrderLine {
        let sku = self.rng.pick(&SKUS).copied().unwrap_or(SKUS[0]);
        let mut line = self.line(number, sku, digits);
        if self.rng.chance(1, 5) {
            let ordered = u64::try_from(line.quantity.value.trunc().mantissa()).unwrap_or(1);
            line.cancelled = Decimal::from(self.rng.between(0, ordered));
        }
        line
    }

    fn charge(&mut self, code: &str, digits: (u32, u32)) -> Charge {
        let net = self.rng.between(0, 2_000);
        let net = both(net, digits);
        Charge::new(code, net, share(net, Decimal::from(19), digits))
    }

    /// The next line: a price in coins of both currencies, one to nine pieces, perhaps a discount, perhaps tax.
    fn line(&mut self, number: usize, sku: &str, digits: (u32, u32)) -> OrderLine {
        let quantity = Quantity::new(self.rng.between(1, 9));
        let unit = both(self.rng.between(100, 50_000), digits);
        let line = OrderLine::new(number.to_string(), sku, quantity, unit);
        let percent = Decimal::from(if self.rng.chance(1, 3) { self.rng.between(1, 30) } else { 0 });
        let tax = Decimal::from(if self.rng.chance(4, 5) { 19 } else { 0 });
        let discount = share(line.gross, percent, digits);
        let taxed = share(line.gross - discount, tax, digits);
        line.with_money(discount, taxed)
    }

    fn payment(&mut self) -> Payment {
        match self.rng.below(3) {
            0 => Payment::new("purchaseorder", PaymentClass::Terms, PaymentProgress::Nothing),
            1 => Payment::new("checkmo", PaymentClass::Offline, PaymentProgress::Nothing),
            _ => {
                let tender = Tender::new("card", Dual::ZERO).with_last_four("4242");
                Payment::new("braintree", PaymentClass::Card, PaymentProgress::Authorized)
                    .with_tenders(vec![tender])
            }
        }
    }

    fn email(&mut self) -> String {
        format!("{EMAIL_MARKER}.{}@example.test", self.rng.below(100_000))
    }

    fn address(&mut self) -> Address {
        let street = vec![format!("{} Sample Street", self.rng.between(1, 99))];
        let mut address =
            Address::new("DE").with_name("Ada", SURNAME_MARKER).with_place(street, "Berlin", "10115");
        address.email = Some(self.email());
        address
    }

    /// The next customer, a person with one address. Its key is empty until a store gives it one.
    pub fn customer(&mut self) -> Customer {
        let address = self.address();
        Customer::new(Key::from(""), CustomerKind::Person, self.email())
            .with_name("Ada", SURNAME_MARKER)
            .with_addresses(vec![address])
    }

    /// Levels of all sample products at the sample place.
    pub fn levels(&mut self, basis: Basis, as_of: Timestamp) -> Vec<InventoryLevel> {
        SKUS.iter()
            .map(|sku| {
                let quantity = Quantity::new(self.rng.between(0, 500));
                InventoryLevel::new(Sku::from(*sku), LOCATION, quantity, basis, as_of)
            })
            .collect()
    }
}

/// A euro's and a dollar's digits after the point.
const CENTS: (u32, u32) = (2, 2);

const STANDINGS: [Standing; 7] = [
    Standing::Open,
    Standing::PendingPayment,
    Standing::InReview,
    Standing::OnHold,
    Standing::Complete,
    Standing::Closed,
    Standing::Cancelled,
];

fn currency(code: &str) -> Currency {
    Currency::new(code).unwrap_or(Currency::EUR)
}

/// So many coins, and a tenth more of the base currency's coins.
fn both(coins: u64, digits: (u32, u32)) -> Dual {
    let coins = i64::try_from(coins).unwrap_or(0);
    Dual::new(Decimal::new(coins, digits.0), Decimal::new(coins * 11 / 10, digits.1))
}

/// So many per cent of both sides, each rounded to its coin.
fn share(of: Dual, percent: Decimal, digits: (u32, u32)) -> Dual {
    let part = |value: Decimal, digits| (value * percent / Decimal::ONE_HUNDRED).round_dp(digits);
    Dual::new(part(of.order, digits.0), part(of.base, digits.1))
}

/// The totals that an order's parts make.
#[must_use]
pub fn totals_of(order: &Order) -> Totals {
    let charges: Vec<&Charge> = order.delivery.iter().chain(&order.fees).collect();
    let tax = order.lines.iter().map(|line| line.tax).chain(charges.iter().map(|charge| charge.tax)).sum();
    let discounts = order.lines.iter().map(|line| line.discount).sum();
    let shipping = order.delivery.iter().map(|charge| charge.net).sum();
    let fees = order.fees.iter().map(|charge| charge.net).sum();
    let goods = order.lines.iter().map(|line| line.net).sum();
    Totals::new(goods, shipping, fees, tax).with_discounts(discounts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use erp_core::model::Allowance;

    #[test]
    fn sample_orders_add_up_to_the_cent_in_both_currencies() {
        let mut sample = Sample::new(3);
        for _ in 0..200 {
            let mut order = sample.order();
            order.check(|_| Allowance::NONE).unwrap();
            assert_ne!(order.totals.total.order, order.totals.total.base);
            order.totals.total.base += Decimal::new(1, 2);
            assert!(order.check(|_| Allowance::NONE).is_err(), "a cent is found");
        }
        for seed in 0..300 {
            let order = Sample::new(seed).wild_order();
            order.check(|_| Allowance::NONE).unwrap();
            let text = serde_json::to_string(&order).unwrap();
            assert_eq!(serde_json::from_str::<Order>(&text).unwrap(), order, "seed {seed}");
        }
        assert_eq!(Sample::new(5).order(), Sample::new(5).order());
        assert_ne!(Sample::new(5).order(), Sample::new(6).order());
    }
}
