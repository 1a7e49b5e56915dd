use super::{Head, Held};
use crate::config::{NetsuiteConfig, OrderRecord};
use crate::wire::Record;
use erp_core::Decimal;
use erp_core::error::Result;
use erp_core::id::{Key, NativeId, Sku, SystemId};
use erp_core::model::{Invoice, InvoiceLine};
use erp_core::money::Currency;
use erp_core::time::Timestamp;
use std::collections::BTreeMap;

/// Where a document stands that bills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Billing {
    /// Somebody must approve it first, or has refused to.
    Waits,
    Done,
    Voided,
}

/// Reads `A`, `CustInvc:A`, `Paid In Full`, `paidInFull` and `_paidInFull`.
pub(crate) fn billing_of(record: &Record) -> Result<Billing> {
    let status = record.ref_id("status")?.unwrap_or_default();
    let bare = status.rsplit(':').next().unwrap_or_default();
    let word: String = bare.chars().filter(char::is_ascii_alphabetic).collect::<String>().to_lowercase();
    let approval = record.ref_id("approvalStatus")?;
    Ok(match word.as_str() {
        "v" | "voided" => Billing::Voided,
        "d" | "e" | "pendingapproval" | "rejected" => Billing::Waits,
        _ if matches!(approval.as_deref(), Some("1" | "3")) => Billing::Waits,
        _ => Billing::Done,
    })
}

/// What a document says that NetSuite tells elsewhere.
#[derive(Debug)]
pub(crate) struct Told {
    /// The order that is billed, by NetSuite's id and by ours.
    pub(crate) order: (NativeId, Option<Key>),
    pub(crate) currency: Currency,
    pub(crate) skus: BTreeMap<String, Sku>,
    pub(crate) billed_at: Timestamp,
    pub(crate) voided: bool,
}

/// An invoice, or a cash sale that bills.
///
/// Fees and tax that travel as lines are told apart by their items, as on orders. Lines without a quantity are discounts, or
/// surcharges if they come to more.
pub(crate) fn invoice(
    system: &SystemId,
    config: &NetsuiteConfig,
    record: &Record,
    told: Told,
) -> Result<Invoice> {
    let id = record.required("id")?;
    let orders = &config.orders;
    let is = |held: &Held, item: &Option<String>| item.as_deref() == Some(held.item.as_str());
    // A cash sale that is the order has the order's own lines.
    let number = if orders.record == OrderRecord::CashSale { "line" } else { "orderLine" };
    let head = Head::of(record)?;
    let (mut fees, mut tax, mut beside) = (head.handling, head.tax, Decimal::ZERO);
    let mut lines = Vec::new();
    for (line, held) in record.expanded("item")?.iter().zip(Held::of(orders, record)?) {
        let quantity = held.quantity.unwrap_or_default();
        if is(&held, &orders.fee_item) {
            fees = fees.saturating_add(held.amount);
        } else if is(&held, &orders.tax.item) {
            tax = tax.saturating_add(held.amount);
        } else if quantity.is_zero() {
            beside = beside.saturating_add(held.amount);
        } else {
            let unknown = || Sku::from(format!("(item {})", held.item));
            let sku = told.skus.get(&held.item).cloned().unwrap_or_else(unknown);
            let billed = InvoiceLine::new(line.number(number)?, sku, quantity, held.amount);
            lines.push(billed.with_line(held.line));
        }
    }
    let discount = head.discount.abs().saturating_sub(beside);
    fees = fees.saturating_sub(discount.min(Decimal::ZERO));
    let tran_id = record.filled("tranId")?.unwrap_or_else(|| id.clone());
    let (order, order_key) = told.order;
    Ok(Invoice::new(Key::of(system, &id), tran_id, order, told.billed_at, told.currency)
        .with_order_key(order_key)
        .with_lines(lines)
        .with_charges(head.shipping, fees, discount.max(Decimal::ZERO), tax)
        .with_total(head.total)
        .with_voided(told.voided))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::AccountId;
    use crate::auth::NetsuiteAuth;
    use erp_core::model::Allowance;

    const SAMPLE: &str = r#"{"id":"900","tranId":"INV9","status":{"id":"A"},"discountTotal":-3.00,"shippingCost":5.0,
        "handlingCost":1.0,"taxTotal":13.00,"total":85.50,"item":{"items":[
          {"line":1,"orderLine":1.0,"item":{"id":"100"},"quantity":2.0,"amount":50.00,"custcol_line":"11"},
          {"line":2,"orderLine":3,"item":{"id":"101"},"quantity":1.0,"amount":20.00},
          {"line":3,"item":{"id":"5"},"amount":-3.00},
          {"line":4,"orderLine":4,"item":{"id":"77"},"quantity":1.0,"amount":2.50}]}}"#;

    fn record(json: &str) -> Record {
        serde_json::from_str(json).unwrap()
    }

    fn read(json: &str, change: impl FnOnce(&mut NetsuiteConfig)) -> Invoice {
        let auth = NetsuiteAuth::oauth2("client", "certificate", "key");
        let mut config = NetsuiteConfig::new(AccountId::new("1234567").unwrap(), auth);
        config.orders.fee_item = Some("77".to_owned());
        config.orders.line_key_field = Some("custcol_line".to_owned());
        change(&mut config);
        let skus = [("100", "A"), ("101", "B")].map(|(id, sku)| (id.to_owned(), Sku::from(sku))).into();
        let order = (NativeId::from("55"), Some(Key::from("shop:7")));
        let told = Told { order, currency: Currency::EUR, skus, billed_at: Timestamp::EPOCH, voided: false };
        invoice(&"ns".into(), &config, &record(json), told).unwrap()
    }

    #[test]
    fn its_parts_make_its_total_and_lines_are_the_orders() {
        let read = read(SAMPLE, |_| {});
        read.check(Allowance::NONE).unwrap();
        assert_eq!((read.fees, read.discount), (Decimal::new(350, 2), Decimal::from(6)));
        let lines: Vec<_> =
            read.lines.iter().map(|line| (line.native_line.as_str(), line.sku.as_str())).collect();
        assert_eq!(lines, [("1", "A"), ("3", "B")], "spelled as orders and fulfilments spell them");
        assert_eq!(read.lines[0].line, Some("11".into()));
    }

    #[test]
    fn a_tax_line_is_tax_and_a_surcharge_is_a_fee() {
        let taxed = read(SAMPLE, |config| {
            config.orders.tax.item = Some("101".to_owned());
        });
        assert_eq!((taxed.lines.len(), taxed.tax), (1, Decimal::from(33)));
        taxed.check(Allowance::NONE).unwrap();
        let dearer = SAMPLE.replace("\"amount\":-3.00", "\"amount\":4.00").replace("85.50", "92.50");
        let dearer = read(&dearer, |_| {});
        assert_eq!((dearer.discount, dearer.fees), (Decimal::ZERO, Decimal::new(450, 2)));
        dearer.check(Allowance::NONE).unwrap();
    }

    #[test]
    fn a_cash_sale_that_is_the_order_has_its_own_lines() {
        let read = read(SAMPLE, |config| config.orders.record = OrderRecord::CashSale);
        let lines: Vec<_> = read.lines.iter().map(|line| line.native_line.as_str()).collect();
        assert_eq!(lines, ["1", "2"]);
    }

    #[test]
    fn what_waits_for_approval_is_not_billed_and_what_is_voided_is_not_any_more() {
        for (status, more, billing) in [
            ("A", "", Billing::Done),
            ("CustInvc:B", "", Billing::Done),
            ("paidInFull", r#","approvalStatus":{"id":"2"}"#, Billing::Done),
            ("Pending Approval", "", Billing::Waits),
            ("CustInvc:D", "", Billing::Waits),
            ("A", r#","approvalStatus":{"id":"1"}"#, Billing::Waits),
            ("_rejected", "", Billing::Waits),
            ("CustInvc:V", "", Billing::Voided),
            ("Voided", r#","approvalStatus":{"id":"2"}"#, Billing::Voided),
        ] {
            let json = format!(r#"{{"status":{{"id":"{status}"}}{more}}}"#);
            assert_eq!(billing_of(&record(&json)).unwrap(), billing, "{json}");
        }
    }
}
