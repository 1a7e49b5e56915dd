//! What NetSuite holds of an order, read by the record service.

use crate::config::OrderConfig;
use crate::wire::Record;
use erp_core::Decimal;
use erp_core::error::Result;
use erp_core::id::{LineId, Sku};
use erp_core::model::{Components, HeldLine, HeldState, Holding};
use erp_core::money::Currency;
use erp_core::outcome::LineLink;
use std::collections::{BTreeMap, BTreeSet};

/// Where an order stands, by the letter that all of NetSuite's interfaces agree on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    PendingApproval,
    Open,
    Cancelled,
    Billed,
    Closed,
    Unknown,
}

/// Reads `B`, `SalesOrd:B`, `Pending Fulfillment`, `pendingFulfillment` and `_pendingFulfillment`.
pub(crate) fn status_of(text: &str) -> Status {
    let bare = text.rsplit(':').next().unwrap_or_default().trim();
    let word: String = bare.chars().filter(char::is_ascii_alphabetic).collect::<String>().to_lowercase();
    match word.as_str() {
        "a" | "pendingapproval" => Status::PendingApproval,
        "b"
        | "d"
        | "e"
        | "f"
        | "pendingfulfillment"
        | "partiallyfulfilled"
        | "pendingbilling"
        | "pendingbillingpartfulfilled"
        | "pendingbillingpartiallyfulfilled" => Status::Open,
        "c" | "cancelled" => Status::Cancelled,
        "g" | "billed" | "fullybilled" => Status::Billed,
        "h" | "closed" => Status::Closed,
        _ => Status::Unknown,
    }
}

/// A line as both the record service and SuiteQL tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) number: String,
    pub(crate) item: String,
    /// `None` for lines that have no quantity: discounts, subtotals.
    pub(crate) quantity: Option<Decimal>,
    pub(crate) fulfilled: Decimal,
    pub(crate) amount: Decimal,
    pub(crate) closed: bool,
    pub(crate) line: Option<LineId>,
}

impl Held {
    /// The lines of a record's sublist.
    pub(crate) fn of(config: &OrderConfig, order: &Record) -> Result<Vec<Self>> {
        let lines = order.expanded("item")?;
        lines
            .iter()
            .map(|line| {
                let key = config.line_key_field.as_deref().map(|field| line.filled(field)).transpose()?;
                Ok(Self {
                    number: line.number("line")?,
                    item: line.ref_id("item")?.unwrap_or_default(),
                    quantity: line.decimal("quantity")?,
                    fulfilled: line.amount("quantityFulfilled")?,
                    amount: line.amount("amount")?,
                    closed: line.flag("isClosed")?,
                    line: key.flatten().map(LineId::from),
                })
            })
            .collect()
    }

    /// What is left of the line when what is closed and did not ship is taken off.
    fn alive(&self) -> Decimal {
        match self.quantity {
            Some(_) if self.closed => self.fulfilled,
            Some(quantity) => quantity,
            None => Decimal::ZERO,
        }
    }

    fn share(&self, amount: Decimal) -> Decimal {
        match self.quantity {
            Some(quantity) if self.closed && !quantity.is_zero() => {
                amount.checked_mul(self.fulfilled).and_then(|a| a.checked_div(quantity)).unwrap_or_default()
            }
            _ => amount,
        }
    }
}

/// What a document's head tells of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Head {
    pub(crate) discount: Decimal,
    pub(crate) shipping: Decimal,
    pub(crate) handling: Decimal,
    pub(crate) tax: Decimal,
    pub(crate) total: Decimal,
}

impl Head {
    pub(crate) fn of(order: &Record) -> Result<Self> {
        Ok(Self {
            discount: order.amount("discountTotal")?,
            shipping: order.amount("shippingCost")?,
            handling: order.amount("handlingCost")?,
            tax: order.amount("taxTotal")?.saturating_add(order.amount("tax2Total")?),
            total: order.amount("total")?,
        })
    }
}

/// The ids of items whose SKU must be known to tell the holding.
pub(crate) fn item_ids(lines: &[Held]) -> BTreeSet<String> {
    lines.iter().filter(|line| line.quantity.is_some()).map(|line| line.item.clone()).collect()
}

/// What the document holds, in its own currency.
///
/// Fees and tax that travel as lines are told apart by their items. A closed line holds what shipped of it, and no more.
pub(crate) fn holding(
    config: &OrderConfig,
    status: Status,
    currency: Currency,
    head: Head,
    lines: &[Held],
    skus: &BTreeMap<String, Sku>,
) -> Holding {
    let is = |line: &Held, item: &Option<String>| item.as_deref() == Some(line.item.as_str());
    let own =
        |line: &&Held| !is(line, &config.fee_item) && !is(line, &config.tax.item) && line.quantity.is_some();
    let any_closed =
        lines.iter().filter(own).any(|line| line.closed && line.alive() != line.quantity.unwrap_or_default());
    let held: Vec<HeldLine> = lines
        .iter()
        .filter(own)
        .map(|line| {
            let sku =
                skus.get(&line.item).cloned().unwrap_or_else(|| Sku::from(format!("(item {})", line.item)));
            // SuiteQL tells the tax of a document and not of its lines, so that lines tell none here either.
            HeldLine::new(line.number.as_str(), sku, line.alive(), line.share(line.amount), Decimal::ZERO)
                .with_line(line.line.clone())
        })
        .collect();
    let alive = held.iter().any(|line| !line.quantity.is_zero());
    let state = match status {
        Status::Cancelled => HeldState::Cancelled,
        Status::Billed => HeldState::Complete,
        Status::PendingApproval if alive => HeldState::Blocked,
        Status::Closed if alive => HeldState::Complete,
        _ if alive => HeldState::Open,
        _ => HeldState::Cancelled,
    };
    if state == HeldState::Cancelled {
        let none = |line: HeldLine| {
            HeldLine::new(line.native_line, line.sku, Decimal::ZERO, Decimal::ZERO, Decimal::ZERO)
                .with_line(line.line)
        };
        return Holding::new(state, currency, held.into_iter().map(none).collect(), Components::default());
    }
    let sum = |wanted: &dyn Fn(&Held) -> bool| -> Decimal {
        lines.iter().filter(|line| wanted(line)).map(|line| line.share(line.amount)).sum()
    };
    let fees = sum(&|line| is(line, &config.fee_item)).saturating_add(head.handling);
    let tax_lines = sum(&|line| is(line, &config.tax.item));
    let goods = sum(&|line| !is(line, &config.fee_item) && !is(line, &config.tax.item))
        .saturating_sub(head.discount.abs());
    // The tax is the document's own, also where somebody closed a line by hand: NetSuite leaves it as it was.
    let tax = head.tax.saturating_add(tax_lines);
    // Closing a line leaves the document's own total as it was.
    let parts = goods.saturating_add(head.shipping).saturating_add(fees).saturating_add(tax);
    let total = if any_closed { parts } else { head.total };
    let totals = Components { goods, shipping: head.shipping, fees, tax, total };
    Holding::new(state, currency, held, totals)
}

/// Which of our lines became which of NetSuite's.
pub(crate) fn links(lines: &[Held]) -> Vec<LineLink> {
    lines
        .iter()
        .filter_map(|line| Some(LineLink { line: line.line.clone()?, native_line: line.number.clone() }))
        .collect()
}

/// What a person should know about an order that NetSuite holds.
pub(crate) fn warnings(number: &str, status: Status) -> Vec<String> {
    match status {
        Status::PendingApproval => vec![format!("order {number} waits for approval")],
        Status::Unknown => vec![format!("order {number} has a status that is not known here")],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(json: &str) -> Record {
        serde_json::from_str(json).unwrap()
    }

    fn config() -> OrderConfig {
        OrderConfig {
            fee_item: Some("77".to_owned()),
            line_key_field: Some("custcol_line".to_owned()),
            ..OrderConfig::default()
        }
    }

    const SAMPLE: &str = r#"{"discountTotal":-3.00,"shippingCost":5.0,"taxTotal":13.00,"total":87.50,
        "item":{"items":[
          {"line":1,"item":{"id":"100"},"quantity":2.0,"amount":50.00,"custcol_line":"11","taxDetailsReference":"line-11"},
          {"line":2,"item":{"id":"101"},"quantity":1.0,"amount":20.00,"custcol_line":"12","taxDetailsReference":"line-12","isClosed":false},
          {"line":4,"item":{"id":"77"},"quantity":1.0,"amount":2.50}]}}"#;

    fn held(json: &str, status: Status) -> Holding {
        let (config, order) = (config(), order(json));
        let lines = Held::of(&config, &order).unwrap();
        let skus = [("100", "A"), ("101", "B")].map(|(id, sku)| (id.to_owned(), Sku::from(sku))).into();
        holding(&config, status, Currency::EUR, Head::of(&order).unwrap(), &lines, &skus)
    }

    #[test]
    fn components_add_up_to_the_document() {
        let held = held(SAMPLE, Status::Open);
        let totals = held.totals;
        assert_eq!(totals.goods, Decimal::new(6700, 2));
        assert_eq!((totals.fees, totals.shipping), (Decimal::new(250, 2), Decimal::from(5)));
        assert_eq!(totals.total, totals.goods + totals.shipping + totals.fees + totals.tax);
        assert_eq!(held.lines.len(), 2, "a fee is no line of goods");
        assert_eq!(held.state, HeldState::Open);
    }

    #[test]
    fn a_closed_line_holds_what_shipped_of_it() {
        let closed = SAMPLE.replace("\"isClosed\":false", "\"isClosed\":true,\"quantityFulfilled\":0");
        let held = held(&closed, Status::Open);
        assert_eq!((held.lines[1].quantity, held.lines[1].net), (Decimal::ZERO, Decimal::ZERO));
        assert_eq!(held.totals.goods, Decimal::from(47));
        assert_eq!(
            held.totals.total,
            held.totals.goods + held.totals.shipping + held.totals.fees + held.totals.tax
        );
    }

    #[test]
    fn all_closed_is_cancelled_unless_something_shipped() {
        let closed = SAMPLE
            .replace("\"quantity\":2.0", "\"quantity\":2.0,\"isClosed\":true")
            .replace("\"isClosed\":false", "\"isClosed\":true");
        let held_none = held(&closed, Status::Closed);
        assert_eq!(held_none.state, HeldState::Cancelled);
        assert!(held_none.totals.is_zero() && held_none.units().is_empty());
        let shipped = closed.replace(
            "\"quantity\":1.0,\"amount\":20.00",
            "\"quantity\":1.0,\"quantityFulfilled\":1,\"amount\":20.00",
        );
        assert_eq!(held(&shipped, Status::Closed).state, HeldState::Complete);
    }

    #[test]
    fn a_status_is_read_in_all_its_spellings() {
        for text in ["B", "SalesOrd:B", "Pending Fulfillment", "pendingFulfillment", "_pendingFulfillment"] {
            assert_eq!(status_of(text), Status::Open, "{text}");
        }
        assert_eq!(status_of("Sales Order : Closed"), Status::Closed);
        assert_eq!(status_of("Z"), Status::Unknown);
        assert_eq!(held(SAMPLE, Status::PendingApproval).state, HeldState::Blocked);
    }
}
