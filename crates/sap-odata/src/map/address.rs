//! Addresses that are written onto an order whose sold-to stands for many.

use super::cut;
use crate::config::OrderConfig;
use crate::wire::OrderAddress;
use erp_core::model::{Address, Order};
use serde_json::{Map, Value, json};

/// Which partner functions get an address of their own, in the order in which they are written. The sold-to comes last:
/// its e-mail proves that all were written.
pub(crate) fn guest_addresses<'a>(
    config: &'a OrderConfig,
    order: &'a Order,
    one_time: bool,
) -> Vec<(&'a str, &'a Address)> {
    let ship_to = order.shipping.as_ref().filter(|address| address.party.is_none());
    let mut wanted = Vec::new();
    if one_time {
        wanted.push((config.ship_to_function.as_str(), ship_to.unwrap_or(&order.billing)));
        wanted.push((config.bill_to_function.as_str(), &order.billing));
        wanted.push((config.sold_to_function.as_str(), &order.billing));
    } else if let Some(ship_to) = ship_to.filter(|_| config.completion_block.is_some()) {
        wanted.push((config.ship_to_function.as_str(), ship_to));
    }
    wanted
}

/// What is written onto `A_SalesOrderPartnerAddress`. Texts longer than SAP's field are cut: the street's rest goes into
/// the suffixes first.
pub(crate) fn address_patch(address: &Address, buyers_email: &str, language: &str) -> Value {
    let mut fields = Map::new();
    let mut set = |name: &str, text: &str, max: usize| {
        let text = text.trim();
        if !text.is_empty() {
            fields.insert(name.to_owned(), json!(cut(text, max)));
        }
    };
    set("CorrespondenceLanguage", language, 2);
    let person = address.full_name();
    let company = address.company.as_deref().unwrap_or_default().trim();
    set("AddresseeFullName", if person.is_empty() { company } else { &person }, 80);
    if company.is_empty() {
        set("OrganizationName1", &person, 40);
    } else {
        set("OrganizationName1", company, 40);
        set("OrganizationName2", &person, 40);
    }
    let mut street = address.street.iter().map(|line| line.trim()).filter(|line| !line.is_empty());
    let first = street.next().unwrap_or_default();
    set("StreetName", first, 60);
    let rest: String = first.chars().skip(60).collect();
    let mut suffixes = std::iter::once(rest.as_str()).filter(|rest| !rest.is_empty()).chain(street);
    set("StreetSuffixName1", suffixes.next().unwrap_or_default(), 40);
    set("StreetSuffixName2", &suffixes.collect::<Vec<_>>().join(", "), 40);
    set("CityName", &address.city, 40);
    set("PostalCode", address.postcode.as_deref().unwrap_or_default(), 10);
    set("Country", &address.country, 3);
    set("Region", address.region.as_deref().unwrap_or_default(), 3);
    set("PhoneNumber", address.phone.as_deref().unwrap_or_default(), 30);
    set("EmailAddress", address.email.as_deref().unwrap_or(buyers_email), 241);
    Value::Object(fields)
}

/// Whether SAP holds what [`address_patch`] would write.
pub(crate) fn address_matches(held: &OrderAddress, patch: &Value) -> bool {
    let text = |name: &str| patch.get(name).and_then(Value::as_str).unwrap_or_default();
    let lines = crate::wire::ADDRESS_LINES.iter().zip(&held.lines);
    held.email_address.eq_ignore_ascii_case(text("EmailAddress"))
        && lines
            .into_iter()
            .all(|(name, held)| text(name).is_empty() || held.to_lowercase() == text(name).to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use erp_core::model::Channel;
    use erp_core::money::Currency;
    use erp_core::time::{Timestamp, Zone};

    fn address() -> Address {
        Address::new("DE").with_name("Ada", "Lovelace").with_place(
            vec!["Long Street 1".to_owned(), "c/o Byron".to_owned()],
            "Berlin",
            "10115",
        )
    }

    fn held(patch: &Value) -> OrderAddress {
        let row = serde_json::from_str(&patch.to_string()).unwrap();
        OrderAddress::read(&row).unwrap()
    }

    #[test]
    fn what_was_written_is_recognised_and_anything_else_is_not() {
        let patch = address_patch(&address(), "ada@example.com", "EN");
        assert!(address_matches(&held(&patch), &patch));
        assert_eq!(patch["EmailAddress"], "ada@example.com");
        assert_eq!(patch["StreetSuffixName1"], "c/o Byron");
        for field in ["AddresseeFullName", "StreetName", "PostalCode", "CityName", "Country", "EmailAddress"]
        {
            let mut other = patch.clone();
            other[field] = json!("ZZ");
            assert!(!address_matches(&held(&other), &patch), "{field}");
        }
    }

    #[test]
    fn a_long_street_runs_over_into_the_suffix() {
        let mut address = address();
        address.street = vec!["x".repeat(70)];
        let patch = address_patch(&address, "", "EN");
        assert_eq!(patch["StreetName"].as_str().unwrap().len(), 60);
        assert_eq!(patch["StreetSuffixName1"].as_str().unwrap().len(), 10);
    }

    #[test]
    fn the_sold_to_is_written_last() {
        let channel = Channel::new("eu", "de", Zone::UTC);
        let mut order = Order::new("s:1".into(), "1", channel, Timestamp::EPOCH, Currency::EUR);
        order.shipping = Some(address());
        let mut config = OrderConfig::default();
        let functions: Vec<_> = guest_addresses(&config, &order, true).into_iter().map(|(f, _)| f).collect();
        assert_eq!(functions, ["SH", "BP", "SP"]);
        assert!(guest_addresses(&config, &order, false).is_empty());
        config.completion_block = Some("01".to_owned());
        assert_eq!(guest_addresses(&config, &order, false).len(), 1);
    }
}
