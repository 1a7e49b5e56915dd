//! Condition records as prices.

use crate::wire::{ConditionRecord, Validity};
use erp_core::Decimal;
use erp_core::id::Sku;
use erp_core::model::{Price, PriceScope};
use erp_core::money::{Currency, Money};
use erp_core::time::Date;

/// The prices of one condition record and one of its validities: the base, and one for each step of its scale. None if
/// the record is deleted, not released, no amount (a percentage), or not about a material.
pub(crate) fn prices(validity: &Validity, record: &ConditionRecord) -> Vec<Price> {
    let released = record.release_status.trim().is_empty();
    let Ok(currency) = Currency::new(&record.currency) else { return Vec::new() };
    if record.deleted || !released || validity.material.trim().is_empty() {
        return Vec::new();
    }
    let price = |from: Decimal, rate: Decimal| {
        let mut price = Price::new(Sku::new(&validity.material), Money::new(rate, currency))
            .with_scope(scope(validity))
            .with_quantities(from, record.per)
            .with_validity(validity.start, validity.end.filter(|end| !is_forever(*end)));
        price.unit = Some(record.unit.clone()).filter(|unit| !unit.is_empty());
        price
    };
    let mut prices = Vec::new();
    let steps_at_one = record.scales.iter().any(|scale| scale.quantity <= Decimal::ONE);
    if !steps_at_one {
        prices.push(price(Decimal::ONE, record.rate));
    }
    prices.extend(record.scales.iter().map(|scale| price(scale.quantity.max(Decimal::ONE), scale.rate)));
    prices
}

/// SAP writes 9999-12-31 for "until further notice".
fn is_forever(day: Date) -> bool {
    day.to_string().starts_with("9999")
}

fn scope(validity: &Validity) -> PriceScope {
    if !validity.customer.is_empty() {
        PriceScope::Customer(validity.customer.clone())
    } else if !validity.customer_price_group.is_empty() {
        PriceScope::Group(validity.customer_price_group.clone())
    } else if !validity.price_list_type.is_empty() {
        PriceScope::Group(validity.price_list_type.clone())
    } else {
        PriceScope::Everybody
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Row;

    fn row(json: &str) -> Row {
        serde_json::from_str(json).unwrap()
    }

    fn record(json: &str) -> ConditionRecord {
        ConditionRecord::read(&row(json)).unwrap()
    }

    fn validity(extra: &str) -> Validity {
        let json = format!(
            r#"{{"ConditionRecord":"1","ConditionType":"PPR0","Material":"TG11","ConditionValidityStartDate":"/Date(1767225600000)/","ConditionValidityEndDate":"/Date(253402214400000)/"{extra}}}"#
        );
        Validity::read(&row(&json)).unwrap()
    }

    const BASE: &str = r#"{"ConditionRecord":"1","ConditionRateValue":"1750.000","ConditionRateValueUnit":"EUR","ConditionQuantity":"100","ConditionQuantityUnit":"PC","to_SlsPrcgCndnRecordScale":{"results":[
        {"ConditionScaleQuantity":"0.000","ConditionRateValue":"1750.000"},{"ConditionScaleQuantity":"50.000","ConditionRateValue":"1600.000"}]}}"#;

    #[test]
    fn a_scale_makes_a_price_for_each_step() {
        let prices = prices(&validity(""), &record(BASE));
        let steps: Vec<_> = prices
            .iter()
            .map(|p| (p.from_quantity.to_string(), p.price.amount.normalize().to_string()))
            .collect();
        assert_eq!(steps, [("1".to_owned(), "1750".to_owned()), ("50.000".to_owned(), "1600".to_owned())]);
        assert_eq!(prices[0].per, Decimal::ONE_HUNDRED);
        assert_eq!((prices[0].valid_to, prices[0].scope.clone()), (None, PriceScope::Everybody));
    }

    #[test]
    fn the_narrowest_key_is_the_scope() {
        let of = |extra: &str| prices(&validity(extra), &record(BASE))[0].scope.clone();
        assert_eq!(
            of(r#","Customer":"17100001","CustomerPriceGroup":"01""#),
            PriceScope::Customer("17100001".to_owned())
        );
        assert_eq!(of(r#","CustomerPriceGroup":"01""#), PriceScope::Group("01".to_owned()));
        assert_eq!(of(r#","PriceListType":"02""#), PriceScope::Group("02".to_owned()));
    }

    #[test]
    fn percentages_deleted_and_unreleased_records_are_no_prices() {
        for (from, to) in [
            ("\"EUR\"", "\"%\""),
            (r#""ConditionQuantity""#, r#""ConditionIsDeleted":true,"ConditionQuantity""#),
            (r#""ConditionQuantity""#, r#""ConditionReleaseStatus":"A","ConditionQuantity""#),
        ] {
            assert!(prices(&validity(""), &record(&BASE.replacen(from, to, 1))).is_empty(), "{to}");
        }
    }
}
