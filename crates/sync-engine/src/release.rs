//! When an order may leave the shop, and from when on a flow takes orders at all.

use crate::entry::{Admission, Cause};
use erp_core::model::{Order, PaymentClass, PaymentProgress, Standing};
use erp_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Which orders a flow takes. Without it an order flow does not build: the first run on a live shop must not post years of
/// history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// Those placed after the flow first ran. A lost ledger forgets when that was: where that matters, name a time.
    Now,
    /// Those placed at this instant or later.
    At(Timestamp),
    /// Per store code (or `*`), those whose number is greater. Numbers of one store are compared by length, then text.
    AfterNumber(BTreeMap<String, String>),
}

impl Start {
    /// The rule that excludes `order`, if one does. `began` is when the flow first ran.
    #[must_use]
    pub fn excludes(&self, order: &Order, began: Timestamp) -> Option<Cause> {
        let before = match self {
            Self::Now => order.placed_at < began,
            Self::At(start) => order.placed_at < *start,
            Self::AfterNumber(numbers) => {
                let last = numbers.get(&order.channel.store).or_else(|| numbers.get("*"))?;
                (order.number.len(), order.number.as_str()) <= (last.len(), last.as_str())
            }
        };
        before.then(|| Cause::new("before the flow's start", "placed before the flow's start", ""))
    }
}

/// When an order is due, by how it is paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReleasePolicy {
    /// Orders on account.
    pub terms: ReleaseWhen,
    /// Cheque, transfer, cash on delivery.
    pub offline: ReleaseWhen,
    /// Cards and wallets.
    pub card: ReleaseWhen,
}

impl Default for ReleasePolicy {
    fn default() -> Self {
        Self { terms: ReleaseWhen::Placed, offline: ReleaseWhen::Placed, card: ReleaseWhen::Authorized }
    }
}

/// What must have happened before an order is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReleaseWhen {
    /// It was placed.
    Placed,
    /// The gateway promised the money.
    Authorized,
    /// The money was taken.
    Captured,
}

impl ReleasePolicy {
    /// May it go?
    #[must_use]
    pub fn admit(&self, order: &Order) -> Admission {
        let not_yet = |why: &str| {
            Admission::NotYet(Cause::new(why, why, "it goes by itself when the shop releases it"))
        };
        match order.standing {
            Standing::InReview => return not_yet("in review"),
            Standing::OnHold => return not_yet("on hold in the shop"),
            Standing::PendingPayment => return not_yet("waiting for payment"),
            // A cancelled order has nothing to wait for; whether there is anything to cancel is the ledger's to know.
            // And what the shop has shipped and invoiced was released, whatever the gateway said.
            Standing::Cancelled | Standing::Complete | Standing::Closed => return Admission::Due,
            _ => {}
        }
        let needed = match order.payment.class {
            PaymentClass::Terms => self.terms,
            PaymentClass::Offline => self.offline,
            _ => self.card,
        };
        match (needed, order.payment.progress) {
            (ReleaseWhen::Placed, _)
            | (ReleaseWhen::Authorized, PaymentProgress::Authorized | PaymentProgress::Captured)
            | (ReleaseWhen::Captured, PaymentProgress::Captured) => Admission::Due,
            (ReleaseWhen::Authorized, PaymentProgress::Nothing) => not_yet("payment not authorised"),
            (ReleaseWhen::Captured, _) => not_yet("payment not captured"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use erp_core::id::Key;
    use erp_core::model::{Channel, Payment};
    use erp_core::money::Currency;
    use erp_core::time::Zone;

    fn order(class: PaymentClass, progress: PaymentProgress) -> Order {
        let channel = Channel::new("base", "default", Zone::UTC);
        Order::new(Key::new("shop:1"), "000000101", channel, Timestamp::from_secs(100), Currency::USD)
            .with_payment(Payment::new("m", class, progress))
    }

    #[test]
    fn payment_decides_and_standing_overrules() {
        let policy = ReleasePolicy::default();
        let due = |order: &Order| policy.admit(order) == Admission::Due;
        assert!(due(&order(PaymentClass::Terms, PaymentProgress::Nothing)));
        assert!(due(&order(PaymentClass::Offline, PaymentProgress::Nothing)));
        assert!(!due(&order(PaymentClass::Card, PaymentProgress::Nothing)));
        assert!(due(&order(PaymentClass::Card, PaymentProgress::Authorized)));
        for standing in [Standing::InReview, Standing::OnHold, Standing::PendingPayment] {
            assert!(
                !due(&order(PaymentClass::Card, PaymentProgress::Captured).with_standing(standing)),
                "{standing:?}"
            );
        }
    }

    #[test]
    fn a_start_excludes_what_came_before() {
        let order = order(PaymentClass::Terms, PaymentProgress::Nothing);
        let began = Timestamp::from_secs(200);
        assert!(Start::Now.excludes(&order, began).is_some());
        assert!(
            Start::At(Timestamp::from_secs(100)).excludes(&order, began).is_none(),
            "the instant itself is in"
        );
        let after = |number: &str| Start::AfterNumber([("*".to_owned(), number.to_owned())].into());
        assert!(after("000000101").excludes(&order, began).is_some());
        assert!(after("000000100").excludes(&order, began).is_none());
        assert!(after("99999999").excludes(&order, began).is_none(), "a shorter number is a smaller one");
    }
}
