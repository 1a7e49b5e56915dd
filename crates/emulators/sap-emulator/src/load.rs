//! From a seed to rows.

use crate::pricing::ConditionType;
use crate::seed::{Customer, Material, Price, SapSeed, Stock};
use crate::state::Draft;
use crate::value::{FOREVER, Fields as _, Row, Val, day_of};
use erp_core::Decimal;
use erp_core::time::{Date, Timestamp, Zone};
use std::collections::BTreeSet;

/// Loads a seed.
pub(crate) fn load(draft: &mut Draft<'_>, seed: &SapSeed, now: Timestamp) {
    for kind in ConditionType::standard().iter().chain(&seed.condition_types) {
        if let Ok(json) = serde_json::to_string(kind) {
            draft.set(format!("condition/{}", kind.code), Some(json));
        }
    }
    for order_type in seed.order_types.iter().map(String::as_str).chain(["OR"]) {
        draft.set(format!("order-type/{order_type}"), Some(String::new()));
    }
    let mut areas = known_areas(draft);
    for area in &seed.areas {
        let area = (area.organization.clone(), area.channel.clone(), area.division.clone());
        draft.set(format!("area/{}/{}/{}", area.0, area.1, area.2), Some(String::new()));
        areas.insert(area);
    }
    for plant in &seed.plants {
        draft.set(format!("plant/{plant}"), Some(String::new()));
    }
    for tax in &seed.taxes {
        let name = format!("tax/{}/{}/{}", tax.country, tax.region, tax.class);
        draft.set(name, Some(tax.percent.to_string()));
    }
    seed.materials.iter().for_each(|material| put_material(draft, material, &areas, now));
    seed.customers.iter().for_each(|customer| put_customer(draft, customer, &areas, now));
    seed.stock.iter().for_each(|stock| put_stock(draft, stock));
    seed.prices.iter().for_each(|price| put_price(draft, price, &areas, now));
}

type Areas = BTreeSet<(String, String, String)>;

/// The areas that are stored already.
pub(crate) fn known_areas(draft: &Draft<'_>) -> Areas {
    draft
        .settings("area/")
        .filter_map(|(name, _)| {
            let mut parts = name.split('/').map(str::to_owned);
            Some((parts.next()?, parts.next()?, parts.next()?))
        })
        .collect()
}

fn put_material(draft: &mut Draft<'_>, material: &Material, areas: &Areas, now: Timestamp) {
    let mut product = Row::new();
    product.set_text("Product", &material.number);
    product.set_text("ProductType", "HAWA");
    product.set_text("BaseUnit", &material.unit);
    product.set_text("WeightUnit", "KG");
    product.set_dec("GrossWeight", material.weight);
    product.set_dec("NetWeight", material.weight);
    product.set_text("ItemCategoryGroup", "NORM");
    product.set_date("CreationDate", day_of(now));
    product.set_date("LastChangeDate", day_of(now));
    product.insert("LastChangeDateTime".to_owned(), Val::Off(now.as_micros()));
    draft.put("A_Product", product);
    draft.set(format!("iso-unit/{}", material.unit), Some(material.iso_unit.clone()));
    let mut description = Row::new();
    description.set_text("Product", &material.number);
    description.set_text("Language", "EN");
    description.set_text("ProductDescription", &material.description);
    draft.put("A_ProductDescription", description);
    let mut unit = Row::new();
    unit.set_text("Product", &material.number);
    unit.set_text("AlternativeUnit", &material.unit);
    unit.set_text("BaseUnit", &material.unit);
    unit.set_dec("QuantityNumerator", Decimal::ONE);
    unit.set_dec("QuantityDenominator", Decimal::ONE);
    draft.put("A_ProductUnitsOfMeasure", unit);
    for (organization, channel, _) in areas {
        let mut sales = Row::new();
        sales.set_text("Product", &material.number);
        sales.set_text("ProductSalesOrg", organization);
        sales.set_text("ProductDistributionChnl", channel);
        sales.set_text("SupplyingPlant", &material.plant);
        sales.set_text("BaseUnit", &material.unit);
        sales.set_text("ItemCategoryGroup", "NORM");
        draft.put("A_ProductSalesDelivery", sales);
    }
    for country in ["US", "DE"] {
        let mut tax = Row::new();
        tax.set_text("Product", &material.number);
        tax.set_text("Country", country);
        tax.set_text("TaxCategory", "TTX1");
        tax.set_text("TaxClassification", &material.tax_class);
        draft.put("A_ProductSalesTax", tax);
    }
    let mut stock = Row::new();
    stock.set_text("Material", &material.number);
    stock.set_text("MaterialBaseUnit", &material.unit);
    draft.put("A_MaterialStock", stock);
}

fn put_customer(draft: &mut Draft<'_>, customer: &Customer, areas: &Areas, now: Timestamp) {
    let mut partner = Row::new();
    partner.set_text("BusinessPartner", &customer.number);
    partner.set_text("Customer", &customer.number);
    partner.set_text("BusinessPartnerCategory", "2");
    partner.set_text("OrganizationBPName1", customer.name.chars().take(40).collect::<String>());
    partner.set_text("BusinessPartnerFullName", &customer.name);
    partner.set_text("BusinessPartnerName", &customer.name);
    partner.set_date("CreationDate", day_of(now));
    partner.set_date("LastChangeDate", day_of(now));
    draft.put("A_BusinessPartner", partner);
    for role in ["FLCU00", "FLCU01"] {
        let mut row = Row::new();
        row.set_text("BusinessPartner", &customer.number);
        row.set_text("BusinessPartnerRole", role);
        draft.put("A_BusinessPartnerRole", row);
    }
    let id = draft.next("address", 20_000).to_string();
    let mut address = Row::new();
    address.set_text("BusinessPartner", &customer.number);
    address.set_text("AddressID", &id);
    address.set_text("Country", &customer.country);
    address.set_text("Region", &customer.region);
    address.set_text("Language", "EN");
    draft.put("A_BusinessPartnerAddress", address);
    if !customer.email.is_empty() {
        let mut mail = Row::new();
        mail.set_text("AddressID", id);
        mail.set_text("OrdinalNumber", "1");
        mail.set_text("EmailAddress", &customer.email);
        draft.put("A_AddressEmailAddress", mail);
    }
    let mut row = Row::new();
    row.set_text("Customer", &customer.number);
    row.set_text("CustomerName", &customer.name);
    row.set_text("CustomerFullName", &customer.name);
    row.set_text("CustomerAccountGroup", if customer.one_time { "CPD" } else { "CUST" });
    draft.put("A_Customer", row);
    for (organization, channel, division) in areas {
        let mut area = Row::new();
        area.set_text("Customer", &customer.number);
        area.set_text("SalesOrganization", organization);
        area.set_text("DistributionChannel", channel);
        area.set_text("Division", division);
        area.set_text("Currency", &customer.currency);
        area.set_text("PriceListType", &customer.price_list);
        area.set_text("ShippingCondition", "01");
        area.set_text("CustomerPaymentTerms", "0001");
        draft.put("A_CustomerSalesArea", area);
        for (counter, function) in ["SP", "SH", "BP", "PY"].iter().enumerate() {
            let mut row = Row::new();
            row.set_text("Customer", &customer.number);
            row.set_text("SalesOrganization", organization);
            row.set_text("DistributionChannel", channel);
            row.set_text("Division", division);
            row.set_text("PartnerCounter", counter.to_string());
            row.set_text("PartnerFunction", *function);
            row.set_text("BPCustomerNumber", &customer.number);
            draft.put("A_CustSalesPartnerFunc", row);
        }
    }
}

/// Sets the unrestricted stock of one storage location.
pub(crate) fn put_stock(draft: &mut Draft<'_>, stock: &Stock) {
    let unit = draft.find("A_Product", &[&stock.material]).map(|row| row.text("BaseUnit").to_owned());
    let mut row = Row::new();
    row.set_text("Material", &stock.material);
    row.set_text("Plant", &stock.plant);
    row.set_text("StorageLocation", &stock.location);
    row.set_text("InventoryStockType", "01");
    row.set_text("MaterialBaseUnit", unit.unwrap_or_default());
    row.set_dec("MatlWrhsStkQtyInMatlBaseUnit", stock.quantity);
    draft.put("A_MatlStkInAcctMod", row);
}

fn midnight(date: Date) -> i64 {
    date.start_in(&Zone::UTC).map_or(0, |at| at.as_micros().div_euclid(1000))
}

/// Adds a condition record per sales organisation and channel; what was valid before ends the day before.
pub(crate) fn put_price(draft: &mut Draft<'_>, price: &Price, areas: &Areas, now: Timestamp) {
    let markets: BTreeSet<_> =
        areas.iter().map(|(organization, channel, _)| (organization, channel)).collect();
    let start = price.from.map_or(0, midnight);
    let end = price.to.map_or(FOREVER, midnight);
    for (organization, channel) in markets {
        let mut validity = Row::new();
        validity.set_text("ConditionApplication", "V");
        validity.set_text("ConditionType", &price.condition_type);
        validity.set_text("SalesOrganization", organization);
        validity.set_text("DistributionChannel", channel);
        validity.set_text("Material", price.material.as_deref().unwrap_or_default());
        validity.set_text("Customer", price.customer.as_deref().unwrap_or_default());
        validity.set_text("PriceListType", price.price_list.as_deref().unwrap_or_default());
        validity.set_date("ConditionValidityStartDate", start);
        validity.set_date("ConditionValidityEndDate", end);
        end_before(draft, &validity, start);
        let number = draft.next("condition", 100_000).to_string();
        let mark = format!("{}{number}", now.as_micros());
        validity.set_text("ConditionRecord", &number);
        validity.set_text("ETag", &mark);
        draft.put("A_SlsPrcgCndnRecdValidity", validity);
        draft.put("A_SlsPrcgConditionRecord", record(price, &number, &mark, (start, end), now));
        for (line, (quantity, rate)) in price.scales.iter().enumerate() {
            let mut scale = Row::new();
            scale.set_text("ConditionRecord", &number);
            scale.set_text("ConditionSequentialNumber", "1");
            scale.set_text("ConditionScaleLine", (line + 1).to_string());
            scale.set_dec("ConditionScaleQuantity", *quantity);
            scale.set_dec("ConditionRateValue", *rate);
            scale.set_text("ConditionRateValueUnit", &price.currency);
            scale.set_text("ETag", &mark);
            draft.put("A_SlsPrcgCndnRecordScale", scale);
        }
    }
}

fn record(price: &Price, number: &str, mark: &str, validity: (i64, i64), now: Timestamp) -> Row {
    let percent = price.currency.is_empty();
    let mut row = Row::new();
    row.set_text("ConditionRecord", number);
    row.set_text("ConditionSequentialNumber", "1");
    row.set_text(
        "ConditionTable",
        match (&price.customer, &price.price_list) {
            (Some(_), _) => "305",
            (None, Some(_)) => "306",
            (None, None) => "304",
        },
    );
    row.set_text("ConditionApplication", "V");
    row.set_text("ConditionType", &price.condition_type);
    row.set_date("ConditionValidityStartDate", validity.0);
    row.set_date("ConditionValidityEndDate", validity.1);
    row.set_date("CreationDate", day_of(now));
    row.set_text("ConditionCalculationType", if percent { "A" } else { "C" });
    row.set_dec("ConditionRateValue", price.rate);
    row.set_text("ConditionRateValueUnit", if percent { "%" } else { &price.currency });
    if percent {
        row.set_dec("ConditionRateRatio", price.rate);
        row.set_text("ConditionRateRatioUnit", "%");
    } else {
        row.set_dec("ConditionRateAmount", price.rate);
        row.set_text("ConditionCurrency", &price.currency);
        row.set_dec("ConditionQuantity", Decimal::from(price.per));
        row.set_text("ConditionQuantityUnit", "PC");
    }
    if !price.scales.is_empty() {
        row.set_text("PricingScaleType", "A");
        row.set_text("PricingScaleBasis", "C");
    }
    row.insert("LastChangeDateTime".to_owned(), Val::Off(now.as_micros()));
    row.set_text("ETag", mark);
    row
}

/// Ends what is valid for the same key from `start` on.
fn end_before(draft: &mut Draft<'_>, new: &Row, start: i64) {
    let (property, text) = match new.text("Material") {
        "" => ("Customer", new.text("Customer")),
        material => ("Material", material),
    };
    for old in draft.scan_by("A_SlsPrcgCndnRecdValidity", property, text) {
        let same = [
            "ConditionType",
            "SalesOrganization",
            "DistributionChannel",
            "Material",
            "Customer",
            "PriceListType",
        ]
        .iter()
        .all(|name| old.text(name) == new.text(name));
        let end = old.date("ConditionValidityEndDate").unwrap_or(FOREVER);
        if !same || end < start {
            continue;
        }
        draft.remove("A_SlsPrcgCndnRecdValidity", &old);
        let record =
            draft.find("A_SlsPrcgConditionRecord", &[old.text("ConditionRecord")]).unwrap_or_default();
        let mut record = Row::clone(&record);
        if old.date("ConditionValidityStartDate").unwrap_or(0) >= start {
            record.set_flag("ConditionIsDeleted", true);
        } else {
            let mut old = Row::clone(&old);
            old.set_date("ConditionValidityEndDate", start - 86_400_000);
            record.set_date("ConditionValidityEndDate", start - 86_400_000);
            draft.put("A_SlsPrcgCndnRecdValidity", old);
        }
        draft.put("A_SlsPrcgConditionRecord", record);
    }
}
