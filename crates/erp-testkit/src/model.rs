//! Sample records from a seed: orders whose money adds up in two currencies, stock levels, customers.

use crate::rng::Rng;
use erp_core::Decimal;
use erp_core::id::{Key, Sku};
use erp_core::model::{
    Address, Basis, Buyer, Channel, Charge, Customer, CustomerKind, InventoryLevel, Order, OrderLine,
    Payment, PaymentClass, PaymentProgress, Standing, Tender, Totals,
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
            (0..lines).map(|index| self.line(index + 1, SKUS[(first + index) % SKUS.len()])).collect();
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
        order.delivery = Some(self.delivery());
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

    /// The next line: a price in cents in both currencies, one to nine pieces, perhaps a discount, perhaps tax.
    fn line(&mut self, number: usize, sku: &str) -> OrderLine {
        let quantity = Quantity::new(self.rng.between(1, 9));
        let price = i64::try_from(self.rng.between(100, 50_000)).unwrap_or(100);
        let unit = Dual::new(Decimal::new(price, 2), Decimal::new(price * 11 / 10, 2));
        let line = OrderLine::new(number.to_string(), sku, quantity, unit);
        let percent = Decimal::from(if self.rng.chance(1, 3) { self.rng.between(1, 30) } else { 0 });
        let tax = Decimal::from(if self.rng.chance(4, 5) { 19 } else { 0 });
        let discount = share(line.gross, percent);
        let taxed = share(line.gross - discount, tax);
        line.with_money(discount, taxed)
    }

    fn delivery(&mut self) -> Charge {
        let net = i64::try_from(self.rng.between(0, 2_000)).unwrap_or(0);
        let net = Dual::new(Decimal::new(net, 2), Decimal::new(net * 11 / 10, 2));
        Charge::new("flatrate_flatrate", net, share(net, Decimal::from(19)))
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

/// So many per cent of both sides, each rounded to its cent.
fn share(of: Dual, percent: Decimal) -> Dual {
    let part = |value: Decimal| (value * percent / Decimal::ONE_HUNDRED).round_dp(2);
    Dual::new(part(of.order), part(of.base))
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
        assert_eq!(Sample::new(5).order(), Sample::new(5).order());
        assert_ne!(Sample::new(5).order(), Sample::new(6).order());
    }
}
