//! Refunds of both reference systems: the shop gives money back, the ERP books it.

use super::erp::{ErpState, ReferenceErp};
use super::feed::{FeedSpec, Row, feed};
use super::shop::{COMMIT_LAG_MAX, ReferenceShop, ShopState};
use async_trait::async_trait;
use erp_core::error::FieldError;
use erp_core::model::{
    Allowance, Components, HeldLine, HeldState, Holding, Order, Refund, RefundLine, RefundSubmission,
};
use erp_core::outcome::Outcomes;
use erp_core::prelude::*;

fn part(money: Dual, quantity: Decimal, of: Decimal) -> Dual {
    let share = |amount: Decimal| {
        let part = amount.checked_mul(quantity).and_then(|amount| amount.checked_div(of));
        Money::new(part.unwrap_or_default(), Currency::EUR).rounded().amount
    };
    Dual::new(share(money.order), share(money.base))
}

/// A refund of so much of an order's lines, back to stock.
pub(super) fn refund_of(key: Key, order: &Order, lines: &[(LineId, Decimal)], at: Timestamp) -> Refund {
    let line = |(id, quantity): &(LineId, Decimal)| {
        let line = order.lines.iter().find(|line| line.id == *id)?;
        let of = line.quantity.value;
        let refund = RefundLine::new(id.clone(), line.sku.clone(), *quantity, part(line.net, *quantity, of));
        Some(refund.with_tax(part(line.tax, *quantity, of)).with_restock(true))
    };
    let native = NativeId::from(order.key.as_str().rsplit(':').next().unwrap_or_default());
    let number = key.as_str().rsplit(':').next().unwrap_or_default().to_owned();
    let order_id = (order.key.clone(), native);
    Refund::new(key, number, order_id, order.channel.clone(), at, order.currency)
        .with_base_currency(order.base_currency)
        .with_lines(lines.iter().filter_map(line).collect())
}

impl ShopState {
    fn refund_rows(&self) -> Vec<Row<Refund>> {
        let row = |(index, refund): (usize, &Refund)| Row {
            id: u64::try_from(index).unwrap_or(u64::MAX),
            key: refund.key.clone(),
            label: refund.number.clone(),
            updated_at: refund.refunded_at,
            version: Some(Version::of_time(refund.refunded_at)),
            body: Ok(refund.clone()),
        };
        self.refunds.iter().enumerate().map(row).collect()
    }
}

impl ReferenceShop {
    /// Gives money back for so much of an order's lines, whose goods go back to stock; returns the refund's key.
    pub fn refund(&self, order: &Key, lines: &[(LineId, Decimal)]) -> Option<Key> {
        let system = self.system.id().clone();
        self.system.look(|shop, now| {
            let order = shop.find(order)?.order.clone();
            let key = Key::of(&system, format!("R{}", shop.refunds.len() + 1));
            shop.refunds.push(refund_of(key.clone(), &order, lines, now));
            Some(key)
        })
    }

    /// All refunds that were given, in order.
    pub fn refunds_now(&self) -> Vec<Refund> {
        self.system.look(|shop, _| shop.refunds.clone())
    }

    /// A falsifier: a refund becomes another one after it was given.
    pub fn change_refund(&self, key: &Key, change: impl FnOnce(&mut Refund)) -> bool {
        self.system.look(|shop, now| {
            let Some(refund) = shop.refunds.iter_mut().find(|refund| refund.key == *key) else {
                return false;
            };
            change(refund);
            refund.refunded_at = now;
            true
        })
    }
}

#[async_trait]
impl RefundSource for ReferenceShop {
    fn refund_changes(&self, cx: &Context, since: Option<Watermark>) -> Feed<Refund> {
        let spec = self.system.look(|shop, _| FeedSpec {
            op: "refunds.page",
            issuer: Watermark::issuer_of(self.system.id(), "refunds", &()),
            page: shop.page,
            overlap: COMMIT_LAG_MAX,
            oldest: Timestamp::MIN,
        });
        feed(self.system.clone(), cx.clone(), spec, since, |shop: &ShopState, _| shop.refund_rows())
    }
}

impl ErpState {
    /// Proof of a refund that was booked: its figures in the order's currency, or the ERP's own if it prices anew.
    fn refund_receipt(&self, index: usize, at: Timestamp) -> Receipt {
        let number = format!("9{:09}", index + 1);
        let receipt = Receipt::new(NativeId::from(number.as_str()), number, at);
        let Some(RefundSubmission { refund, .. }) = self.refunds.get(index) else { return receipt };
        let line = |(index, line): (usize, &RefundLine)| {
            let native = format!("{:06}", (index + 1) * 10);
            HeldLine::new(native, line.sku.clone(), line.quantity, line.net.order, line.tax.order)
                .with_line(Some(line.line.clone()))
        };
        let totals = Components {
            goods: refund.lines.iter().map(|line| line.net.order).sum::<Decimal>() + self.rules.reprice,
            shipping: refund.shipping.order,
            fees: refund.adjustment().order,
            tax: refund.tax.order,
            total: refund.total.order + self.rules.reprice,
        };
        let lines = refund.lines.iter().enumerate().map(line).collect();
        receipt.with_holding(Holding::new(HeldState::Complete, refund.currency, lines, totals))
    }

    /// The ERP's own create. It keeps no key unique.
    fn give_back(&mut self, item: &RefundSubmission, at: Timestamp) -> Result<Receipt> {
        item.refund.check(Allowance::rounding)?;
        let id = item.order.as_str().parse().unwrap_or(0u64);
        let doc = self.docs.get(&id).ok_or_else(|| {
            Error::invalid("order", "refund.order_unknown", format!("there is no order {}", item.order))
        })?;
        let mut refused = Vec::new();
        for (index, line) in item.refund.lines.iter().enumerate() {
            let native = item.lines.iter().find(|link| link.line == line.line).map(|link| &link.native_line);
            let before: Decimal = self
                .refunds
                .iter()
                .filter(|known| known.order == item.order)
                .flat_map(|known| known.refund.lines.iter().filter(|known| known.line == line.line))
                .map(|known| known.quantity)
                .sum();
            let shipped = native.and_then(|native| doc.shipped.get(native)).copied().unwrap_or_default();
            if before + line.quantity > shipped {
                let text = format!("{} to refund, {before} of {shipped} refunded before", line.quantity);
                refused.push(FieldError::new(format!("lines[{index}].quantity"), "refund.over", text));
            }
        }
        if !refused.is_empty() {
            return Err(Error::invalid_fields("the refund is refused", refused));
        }
        self.refunds.push(item.clone());
        Ok(self.refund_receipt(self.refunds.len() - 1, at))
    }
}

impl ReferenceErp {
    /// All refunds that were booked, in order.
    pub fn refunds(&self) -> Vec<RefundSubmission> {
        self.system.look(|erp, _| erp.refunds.clone())
    }

    /// A falsifier: what was booked is gone.
    pub fn lose_refund(&self, key: &Key) -> bool {
        self.system.look(|erp, _| {
            let before = erp.refunds.len();
            erp.refunds.retain(|held| held.refund.key != *key);
            erp.refunds.len() < before
        })
    }

    /// A falsifier: what was booked is there twice.
    pub fn duplicate_refund(&self, key: &Key) -> bool {
        self.system.look(|erp, _| {
            let twin = erp.refunds.iter().find(|held| held.refund.key == *key).cloned();
            erp.refunds.extend(twin.clone());
            twin.is_some()
        })
    }

    /// A falsifier: what was booked gives back so much more.
    pub fn skew_refund(&self, key: &Key, by: Decimal) -> bool {
        self.system.look(|erp, _| {
            let Some(held) = erp.refunds.iter_mut().find(|held| held.refund.key == *key) else {
                return false;
            };
            held.refund.total = held.refund.total + Dual::same(by);
            true
        })
    }

    async fn refund(&self, cx: &Context, item: &RefundSubmission) -> Result<Receipt> {
        let key = &item.refund.key;
        match self.find_refund(cx, key, &item.order).await? {
            Found::Absent => {
                let item = item.clone();
                let write = self.system.write(cx, "refunds.create", Some(key.clone()), move |erp, moment| {
                    erp.give_back(&item, moment.at)
                });
                write.await
            }
            Found::Partial(receipt) | Found::Whole(receipt) => Ok(receipt),
            Found::Several(_) => Err(Error::new(ErrorKind::Conflict, "several refunds under one key")),
        }
    }
}

#[async_trait]
impl RefundSink for ReferenceErp {
    async fn submit_refunds(&self, cx: &Context, items: &[RefundSubmission]) -> Vec<Outcome> {
        let mut outcomes = Outcomes::with_capacity(items.len());
        for item in items {
            outcomes.push(self.refund(cx, item).await);
        }
        outcomes.into_vec()
    }

    async fn find_refund(&self, cx: &Context, key: &Key, _: &NativeId) -> Result<Found> {
        let wanted = key.clone();
        let read = self.system.read(cx, "refunds.find", Some(key.clone()), move |erp, moment| {
            let held = erp.refunds.iter().enumerate().filter(|(_, held)| held.refund.key == wanted);
            Ok(held.map(|(index, _)| erp.refund_receipt(index, moment.at)).collect::<Vec<_>>())
        });
        let mut receipts = read.await?;
        Ok(match receipts.len() {
            0 => Found::Absent,
            1 => Found::Whole(receipts.remove(0)),
            _ => Found::Several(receipts),
        })
    }
}
