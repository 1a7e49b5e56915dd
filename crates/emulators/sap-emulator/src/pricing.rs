//! Pricing and tax: SAP's own, from its own condition records.

use crate::availability::{available, open_quantity};
use crate::state::Draft;
use crate::value::{Fields as _, Row};
use erp_core::Decimal;
use erp_core::money::Currency;
use rust_decimal::RoundingStrategy;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a condition type is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ConditionClass {
    /// A unit price.
    Price,
    /// A discount: always subtracted, whatever sign is sent.
    Discount,
    /// A surcharge such as freight.
    Surcharge,
    /// Tax: determined by SAP, never entered.
    Tax,
}

/// How a condition's rate becomes an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Calculation {
    /// Rate times quantity, per `ConditionQuantity` units.
    PerUnit,
    /// Percent of the net value so far.
    Percent,
    /// A fixed amount; on the header it is spread over the items by value.
    Fixed,
}

impl Calculation {
    fn code(self) -> &'static str {
        match self {
            Self::PerUnit => "C",
            Self::Percent => "A",
            Self::Fixed => "B",
        }
    }
}

/// A condition type of the pricing procedure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ConditionType {
    /// The type's code, such as `PPR0`.
    pub code: String,
    /// What it is for.
    pub class: ConditionClass,
    /// How it is calculated.
    pub calculation: Calculation,
    /// Whether it may be entered.
    pub manual: bool,
    /// Whether it is statistical: shown, but in no sum, and no input field.
    pub statistical: bool,
    /// Its step in the procedure.
    pub step: u32,
}

impl ConditionType {
    /// A type that may be entered by hand.
    #[must_use]
    pub fn new(code: &str, class: ConditionClass, calculation: Calculation, step: u32) -> Self {
        let manual = class != ConditionClass::Tax;
        Self { code: code.to_owned(), class, calculation, manual, statistical: false, step }
    }

    /// The types that every emulated system knows. Which there are is customizing, so that a seed may add its own.
    #[must_use]
    pub fn standard() -> Vec<Self> {
        use Calculation::{Fixed, PerUnit, Percent};
        use ConditionClass::{Discount, Price, Surcharge, Tax};
        let mut types = vec![
            Self::new("PPR0", Price, PerUnit, 10),
            Self::new("PR00", Price, PerUnit, 11),
            Self::new("PMP0", Price, PerUnit, 20),
            Self::new("K004", Discount, PerUnit, 103),
            Self::new("K005", Discount, PerUnit, 104),
            Self::new("K007", Discount, Percent, 105),
            Self::new("RA00", Discount, Percent, 110),
            Self::new("RA01", Discount, Percent, 111),
            Self::new("RB00", Discount, Fixed, 112),
            Self::new("RC00", Discount, PerUnit, 113),
            Self::new("HA00", Discount, Percent, 120),
            Self::new("HB00", Discount, Fixed, 121),
            Self::new("HD00", Surcharge, Fixed, 130),
            Self::new("MWST", Tax, Percent, 800),
            Self::new("TTX1", Tax, Percent, 801),
        ];
        let mut cost = Self::new("VPRS", Surcharge, PerUnit, 900);
        (cost.manual, cost.statistical) = (false, true);
        types.push(cost);
        types
    }
}

/// The condition type of this code, if the procedure has it.
pub(crate) fn condition_type(draft: &Draft<'_>, code: &str) -> Option<ConditionType> {
    draft.setting(&format!("condition/{code}")).and_then(|json| serde_json::from_str(json).ok())
}

/// A record found by the access sequence.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) record: String,
    pub(crate) rate: Decimal,
    pub(crate) per: Decimal,
}

/// What a price is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) organization: &'a str,
    pub(crate) channel: &'a str,
    pub(crate) customer: &'a str,
    pub(crate) price_list: &'a str,
    pub(crate) material: &'a str,
    /// Records in another currency are not found: there is no conversion.
    pub(crate) currency: &'a str,
    pub(crate) quantity: Decimal,
    pub(crate) date: i64,
}

/// Finds the record of a type: customer and material first, then price list and material, then material, then customer.
pub(crate) fn find_record(draft: &Draft<'_>, code: &str, asked: Asked<'_>) -> Option<Found> {
    let mut rows = draft.scan_by("A_SlsPrcgCndnRecdValidity", "Material", asked.material);
    rows.extend(
        draft
            .scan_by("A_SlsPrcgCndnRecdValidity", "Customer", asked.customer)
            .into_iter()
            .filter(|row| row.text("Material").is_empty()),
    );
    let applies = |row: &Row| {
        let is = |name: &str, wanted: &str| row.text(name).is_empty() || row.text(name) == wanted;
        row.text("ConditionType") == code
            && is("SalesOrganization", asked.organization)
            && is("DistributionChannel", asked.channel)
            && is("Customer", asked.customer)
            && is("PriceListType", asked.price_list)
            && row.date("ConditionValidityStartDate").is_none_or(|start| start <= asked.date)
            && row.date("ConditionValidityEndDate").is_none_or(|end| asked.date <= end)
            && draft.find("A_SlsPrcgConditionRecord", &[row.text("ConditionRecord")]).is_some_and(|record| {
                let unit = record.text("ConditionRateValueUnit");
                !record.flag("ConditionIsDeleted") && [asked.currency, "%"].contains(&unit)
            })
    };
    let rank = |row: &Row| {
        let has = |name: &str| !row.text(name).is_empty();
        (
            has("Customer") && has("Material"),
            has("PriceListType"),
            has("Material"),
            row.date("ConditionValidityStartDate"),
            row.text("ConditionRecord").to_owned(),
        )
    };
    let best = rows.iter().filter(|row| applies(row)).max_by_key(|row| rank(row))?;
    let number = best.text("ConditionRecord");
    let record = draft.find("A_SlsPrcgConditionRecord", &[number])?;
    let scales = draft.scan("A_SlsPrcgCndnRecordScale", &[number]);
    let reached = scales.iter().filter(|line| line.dec("ConditionScaleQuantity") <= asked.quantity);
    let rate = reached
        .max_by_key(|line| line.dec("ConditionScaleQuantity"))
        .map_or_else(|| record.dec("ConditionRateValue"), |line| line.dec("ConditionRateValue"));
    let per = record.dec("ConditionQuantity");
    Some(Found { record: number.to_owned(), rate, per: if per.is_zero() { Decimal::ONE } else { per } })
}

fn digits(currency: &str) -> u32 {
    Currency::new(currency).map_or(2, Currency::minor_digits)
}

fn rounded(value: Decimal, digits: u32) -> Decimal {
    value.round_dp_with_strategy(digits, RoundingStrategy::MidpointAwayFromZero)
}

/// Spreads an amount by weights; the rounding difference goes to the heaviest.
pub(crate) fn spread(amount: Decimal, weights: &[Decimal], digits: u32) -> Vec<Decimal> {
    let total: Decimal = weights.iter().sum();
    let count = Decimal::from(weights.len().max(1));
    let mut shares: Vec<Decimal> = weights
        .iter()
        .map(|weight| rounded(if total.is_zero() { amount / count } else { amount * weight / total }, digits))
        .collect();
    let rest = amount - shares.iter().sum::<Decimal>();
    let heaviest = (0..weights.len()).max_by_key(|index| (weights[*index], std::cmp::Reverse(*index)));
    if let Some(share) = heaviest.and_then(|index| shares.get_mut(index)) {
        *share += rest;
    }
    shares
}

/// The percentage of a country, the state where it has its own, and a material's tax class.
pub(crate) fn tax_rate(draft: &Draft<'_>, country: &str, region: &str, class: &str) -> Decimal {
    let rate = |region: &str| draft.setting(&format!("tax/{country}/{region}/{class}"))?.parse().ok();
    rate(region).or_else(|| rate("")).unwrap_or(Decimal::ZERO)
}

struct Priced {
    item: Row,
    conditions: Vec<(ConditionType, Row)>,
    net: Decimal,
}

struct Frame {
    header: Row,
    order: String,
    currency: String,
    digits: u32,
    customer: String,
    country: String,
    region: String,
}

/// Prices and taxes an order anew, and confirms its quantities.
pub(crate) fn reprice(draft: &mut Draft<'_>, order: &str) {
    let Some(header) = draft.find("A_SalesOrder", &[order]) else { return };
    let header = Row::clone(&header);
    let ship_to = draft.find("A_SalesOrderPartnerAddress", &[order, "SH", ""]).unwrap_or_default();
    let currency = header.text("TransactionCurrency").to_owned();
    let frame = Frame {
        order: order.to_owned(),
        digits: digits(&currency),
        customer: header.text("SoldToParty").to_owned(),
        country: ship_to.text("Country").to_owned(),
        region: ship_to.text("Region").to_owned(),
        currency,
        header,
    };
    let items = draft.scan("A_SalesOrderItem", &[order]);
    let mut priced: Vec<Priced> = items.iter().map(|item| frame.item(draft, item)).collect();
    frame.header_conditions(draft, &mut priced);
    let mut total = Decimal::ZERO;
    let mut shelf = Shelf::default();
    for entry in &mut priced {
        frame.tax(draft, entry);
        if entry.item.text("SalesDocumentRjcnReason").is_empty() {
            total += entry.net;
        }
        frame.store(draft, entry, &mut shelf);
    }
    let mut header = frame.header.clone();
    header.set_dec("TotalNetAmount", total);
    draft.put("A_SalesOrder", header);
}

/// What is left for the items of one order: by material and plant what others leave, by material what earlier items took.
#[derive(Debug, Default)]
struct Shelf {
    others: BTreeMap<(String, String), Decimal>,
    earlier: BTreeMap<String, Decimal>,
}

impl Shelf {
    fn left(&mut self, draft: &Draft<'_>, order: &str, item: &Row) -> Decimal {
        let (material, plant) = (item.text("Material"), item.text("ProductionPlant"));
        let others = self
            .others
            .entry((material.to_owned(), plant.to_owned()))
            .or_insert_with(|| available(draft, material, plant, Some(order)));
        *others - self.earlier.get(material).copied().unwrap_or_default()
    }

    fn take(&mut self, item: &Row) {
        *self.earlier.entry(item.text("Material").to_owned()).or_default() += open_quantity(item);
    }
}

impl Frame {
    fn condition(&self, kind: &ConditionType, rate: Decimal, per: Decimal, amount: Decimal) -> Row {
        let mut row = Row::new();
        row.set_text("SalesOrder", &self.order);
        row.set_text("ConditionType", &kind.code);
        row.set_text("ConditionCalculationType", kind.calculation.code());
        row.set_dec("ConditionRateValue", rate);
        row.set_dec(
            "ConditionQuantity",
            if kind.calculation == Calculation::PerUnit { per } else { Decimal::ZERO },
        );
        if kind.calculation != Calculation::Percent {
            row.set_text("ConditionCurrency", &self.currency);
        }
        row.set_text("TransactionCurrency", &self.currency);
        row.set_dec("ConditionAmount", amount);
        row.set_text(
            "ConditionClass",
            match kind.class {
                ConditionClass::Price => "B",
                ConditionClass::Discount | ConditionClass::Surcharge => "A",
                ConditionClass::Tax => "D",
            },
        );
        row.set_flag("ConditionIsForStatistics", kind.statistical);
        row
    }

    fn amount(
        &self,
        kind: &ConditionType,
        rate: Decimal,
        per: Decimal,
        quantity: Decimal,
        net: Decimal,
    ) -> Decimal {
        let raw = match kind.calculation {
            Calculation::PerUnit => rate * quantity / per,
            Calculation::Percent => net * rate / Decimal::ONE_HUNDRED,
            Calculation::Fixed => rate,
        };
        let raw = rounded(raw, self.digits);
        if kind.class == ConditionClass::Discount { -raw.abs() } else { raw }
    }

    fn item(&self, draft: &Draft<'_>, item: &Row) -> Priced {
        let number = item.text("SalesOrderItem");
        let quantity = item.dec("RequestedQuantity");
        let date = item.date("PricingDate").or_else(|| self.header.date("PricingDate")).unwrap_or_default();
        let asked = Asked {
            organization: self.header.text("SalesOrganization"),
            channel: self.header.text("DistributionChannel"),
            customer: &self.customer,
            price_list: self.header.text("PriceListType"),
            material: item.text("Material"),
            currency: &self.currency,
            quantity,
            date,
        };
        let stored = draft.scan("A_SalesOrderItemPrElement", &[&self.order, number]);
        let manual: Vec<_> = stored
            .iter()
            .filter(|row| row.flag("ConditionIsManuallyChanged"))
            .filter_map(|row| {
                condition_type(draft, row.text("ConditionType")).map(|kind| (kind, Row::clone(row)))
            })
            .collect();
        let by_hand = |code: &str| manual.iter().any(|(kind, _)| kind.code == code);
        let priced_by_hand = manual.iter().any(|(kind, _)| kind.class == ConditionClass::Price);
        let mut entry = Priced { item: item.clone(), conditions: Vec::new(), net: Decimal::ZERO };
        for code in ["PPR0", "PR00", "K004", "K005", "K007"] {
            let (Some(kind), false) = (condition_type(draft, code), by_hand(code)) else { continue };
            let Some(found) = find_record(draft, code, asked) else { continue };
            let inactive =
                kind.class == ConditionClass::Price && (priced_by_hand || entry.net != Decimal::ZERO);
            let amount = self.amount(&kind, found.rate, found.per, quantity, entry.net);
            let mut row = self.condition(&kind, found.rate, found.per, amount);
            row.set_text("ConditionRecord", found.record);
            if inactive {
                row.set_text("ConditionInactiveReason", "A");
            }
            if kind.class == ConditionClass::Price && !inactive {
                entry.net += amount;
            }
            entry.conditions.push((kind, row));
        }
        entry.conditions.extend(manual);
        entry.conditions.sort_by_key(|(kind, _)| kind.step);
        self.sum(&mut entry, quantity);
        entry
    }

    /// Goes down the procedure and makes every amount and the net value anew.
    fn sum(&self, entry: &mut Priced, quantity: Decimal) {
        entry.net = Decimal::ZERO;
        let mut price = None;
        for (kind, row) in &mut entry.conditions {
            let per = row.dec("ConditionQuantity");
            let per = if per.is_zero() { Decimal::ONE } else { per };
            let base = if kind.calculation == Calculation::PerUnit { quantity } else { entry.net };
            let amount = self.amount(kind, row.dec("ConditionRateValue"), per, quantity, entry.net);
            let manual = row.flag("ConditionIsManuallyChanged");
            let mut fresh = self.condition(kind, row.dec("ConditionRateValue"), per, amount);
            for name in ["ConditionRecord", "ConditionInactiveReason"] {
                fresh.set_text(name, row.text(name));
            }
            fresh.set_dec("ConditionBaseValue", base);
            fresh.set_flag("ConditionIsManuallyChanged", manual);
            fresh.set_text("ConditionOrigin", if manual { "C" } else { "A" });
            *row = fresh;
            if row.text("ConditionInactiveReason").is_empty() && !kind.statistical {
                if kind.class == ConditionClass::Price {
                    // A second price replaces the first: there is one active price.
                    entry.net -= price.replace(amount).unwrap_or_default();
                }
                entry.net += amount;
            }
        }
    }

    fn header_conditions(&self, draft: &mut Draft<'_>, priced: &mut [Priced]) {
        let rows = draft.scan("A_SalesOrderHeaderPrElement", &[&self.order]);
        for row in rows {
            let Some(kind) = condition_type(draft, row.text("ConditionType")) else { continue };
            let live: Vec<usize> = (0..priced.len())
                .filter(|index| priced[*index].item.text("SalesDocumentRjcnReason").is_empty())
                .collect();
            let weights: Vec<Decimal> = live.iter().map(|index| priced[*index].net).collect();
            let rate = row.dec("ConditionRateValue");
            let shares = match kind.calculation {
                Calculation::Fixed => {
                    let amount = self.amount(&kind, rate, Decimal::ONE, Decimal::ONE, Decimal::ZERO);
                    spread(amount, &weights, self.digits)
                }
                _ => weights
                    .iter()
                    .map(|net| self.amount(&kind, rate, Decimal::ONE, Decimal::ONE, *net))
                    .collect(),
            };
            let mut sum = Decimal::ZERO;
            for (index, share) in live.into_iter().zip(shares) {
                let mut part = self.condition(&kind, rate, Decimal::ONE, share);
                part.set_dec("ConditionBaseValue", priced[index].net);
                part.set_text("ConditionOrigin", "D");
                priced[index].net += share;
                priced[index].conditions.push((kind.clone(), part));
                sum += share;
            }
            let mut row = Row::clone(&row);
            row.set_dec("ConditionAmount", sum);
            draft.put("A_SalesOrderHeaderPrElement", row);
        }
    }

    fn tax(&self, draft: &Draft<'_>, entry: &mut Priced) {
        let Some(kind) = condition_type(draft, "TTX1") else { return };
        let material = entry.item.text("Material");
        let taxes = draft.scan("A_ProductSalesTax", &[material]);
        let own = taxes.iter().find(|row| row.text("Country") == self.country).or_else(|| taxes.first());
        let class = own.map_or("1", |row| row.text("TaxClassification")).to_owned();
        let exempt = self.header.text("CustomerTaxClassification1") == "0";
        let rate = if exempt { Decimal::ZERO } else { tax_rate(draft, &self.country, &self.region, &class) };
        let amount = rounded(entry.net * rate / Decimal::ONE_HUNDRED, self.digits);
        let mut row = self.condition(&kind, rate, Decimal::ONE, amount);
        row.set_dec("ConditionBaseValue", entry.net);
        row.set_text("TaxCode", if rate.is_zero() { "O0" } else { "O1" });
        entry.item.set_text("ProductTaxClassification1", class);
        entry.item.set_dec("TaxAmount", amount);
        entry.conditions.push((kind, row));
    }

    fn store(&self, draft: &mut Draft<'_>, entry: &mut Priced, shelf: &mut Shelf) {
        let number = entry.item.text("SalesOrderItem").to_owned();
        for old in draft.scan("A_SalesOrderItemPrElement", &[&self.order, &number]) {
            draft.remove("A_SalesOrderItemPrElement", &old);
        }
        let mut counters = BTreeMap::new();
        for (kind, row) in &mut entry.conditions {
            let counter = counters.entry(kind.step).or_insert(0u32);
            *counter += 1;
            row.set_text("SalesOrderItem", &number);
            row.set_text("PricingProcedureStep", kind.step.to_string());
            row.set_text("PricingProcedureCounter", counter.to_string());
            draft.put("A_SalesOrderItemPrElement", row.clone());
        }
        let item = &mut entry.item;
        item.set_dec("NetAmount", entry.net);
        item.set_text("TransactionCurrency", &self.currency);
        let gross: Decimal = entry
            .conditions
            .iter()
            .filter(|(kind, row)| {
                kind.class == ConditionClass::Price && row.text("ConditionInactiveReason").is_empty()
            })
            .map(|(_, row)| row.dec("ConditionAmount"))
            .sum();
        item.set_dec("Subtotal1Amount", gross);
        let rejected = !item.text("SalesDocumentRjcnReason").is_empty();
        let wanted = item.dec("RequestedQuantity");
        let old = draft.find("A_SalesOrderScheduleLine", &[&self.order, &number, "1"]).unwrap_or_default();
        let confirmed = if rejected {
            old.dec("DeliveredQtyInOrderQtyUnit")
        } else if old.dec("ScheduleLineOrderQuantity") == wanted {
            // What was promised stays promised, whoever orders later.
            old.dec("ConfdOrderQtyByMatlAvailCheck")
        } else {
            wanted.min(shelf.left(draft, &self.order, item).max(Decimal::ZERO))
        };
        shelf.take(item);
        item.set_dec("ConfdDelivQtyInOrderQtyUnit", confirmed);
        let mut line = Row::clone(&old);
        line.set_text("SalesOrder", &self.order);
        line.set_text("SalesOrderItem", &number);
        line.set_text("ScheduleLine", "1");
        if let Some(date) = self.header.date("RequestedDeliveryDate") {
            line.set_date("RequestedDeliveryDate", date);
            if confirmed > Decimal::ZERO {
                line.set_date("ConfirmedDeliveryDate", date);
            }
        }
        line.set_text("OrderQuantityUnit", item.text("RequestedQuantityUnit"));
        line.set_dec("ScheduleLineOrderQuantity", wanted);
        line.set_dec("ConfdOrderQtyByMatlAvailCheck", confirmed);
        line.set_dec("OpenConfdDelivQtyInOrdQtyUnit", confirmed - line.dec("DeliveredQtyInOrderQtyUnit"));
        draft.put("A_SalesOrderScheduleLine", line);
        draft.put("A_SalesOrderItem", item.clone());
    }
}
