use crate::config::NetsuiteConfig;
use crate::wire::Record;
use erp_core::error::Result;
use erp_core::id::{Key, NativeId, Sku, SystemId};
use erp_core::model::{Fulfillment, FulfillmentLine, Tracking};
use erp_core::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// The five sublists that may hold parcels: the plain one, one for each carrier that NetSuite is integrated with, and the
/// newer one. Each has its own field for the number.
const PACKAGES: [(&str, &str, &str); 5] = [
    ("package", "packageTrackingNumber", ""),
    ("packageUps", "packageTrackingNumberUps", "ups"),
    ("packageUsps", "packageTrackingNumberUsps", "usps"),
    ("packageFedEx", "packageTrackingNumberFedEx", "fedex"),
    ("shipmentPackage", "trackingNumber", ""),
];

/// Whether the goods have left: `C`, `Shipped` or `_shipped`.
pub(crate) fn has_shipped(record: &Record) -> Result<bool> {
    let status = match record.ref_id("shipStatus")? {
        Some(status) => status,
        None => record.ref_id("status")?.unwrap_or_default(),
    };
    let bare: String = status.chars().filter(char::is_ascii_alphabetic).collect::<String>().to_lowercase();
    Ok(matches!(bare.as_str(), "c" | "shipped"))
}

/// The items on its lines, whose SKUs must be known.
pub(crate) fn shipped_items(record: &Record) -> Result<BTreeSet<String>> {
    let lines = record.expanded("item")?;
    Ok(lines
        .iter()
        .map(|line| line.ref_id("item"))
        .collect::<Result<Vec<_>>>()?
        .into_iter()
        .flatten()
        .collect())
}

/// An item fulfilment whose goods have left.
pub(crate) fn fulfillment(
    system: &SystemId,
    config: &NetsuiteConfig,
    record: &Record,
    order_key: Option<Key>,
    skus: &BTreeMap<String, Sku>,
    shipped_at: Timestamp,
) -> Result<Fulfillment> {
    let id = record.required("id")?;
    let order = record.ref_id("createdFrom")?.unwrap_or_default();
    let mut location = record.ref_id("inventoryLocation")?;
    let mut lines = Vec::new();
    for line in record.expanded("item")? {
        let quantity = line.amount("quantity")?;
        if quantity.is_zero() {
            continue;
        }
        let item = line.ref_id("item")?.unwrap_or_default();
        location = location.or(line.ref_id("location")?);
        let sku = skus.get(&item).cloned().unwrap_or_else(|| Sku::from(format!("(item {item})")));
        lines.push(FulfillmentLine { native_line: line.number("orderLine")?, line: None, sku, quantity });
    }
    let carrier =
        record.ref_id("shipMethod")?.and_then(|method| config.fulfillments.carriers.get(&method).cloned());
    let number = record.filled("tranId")?.unwrap_or_else(|| id.clone());
    let fulfillment = Fulfillment::new(Key::of(system, &id), number, NativeId::new(order), shipped_at);
    Ok(fulfillment
        .with_lines(lines)
        .with_order_key(order_key)
        .with_location(location.map(|location| config.inventory.name_of(&location)))
        .with_tracking(tracking(record, carrier.as_deref())?))
}

fn tracking(record: &Record, carrier: Option<&str>) -> Result<Vec<Tracking>> {
    let mut found: Vec<Tracking> = Vec::new();
    for (list, field, own) in PACKAGES {
        for package in record.lines(list)?.unwrap_or_default() {
            let Some(numbers) = package.filled(field)? else { continue };
            // One field may hold several numbers.
            for number in numbers.split([',', ' ', '\n']).filter(|number| !number.is_empty()) {
                let code = if own.is_empty() { carrier.unwrap_or("custom") } else { own };
                if !found.iter().any(|known| known.number == number) {
                    let (carrier, title) = (code.to_owned(), code.to_uppercase());
                    found.push(Tracking { carrier, title, number: number.to_owned() });
                }
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::AccountId;
    use crate::auth::NetsuiteAuth;
    use crate::config::StockPlace;
    use erp_core::id::LocationId;

    fn record(more: &str) -> Record {
        let text = format!(
            r#"{{"id":"900","tranId":"IF9","createdFrom":{{"id":"55"}},"shipStatus":{{"id":"C"}},"shipMethod":{{"id":"5"}},
            "item":{{"items":[{{"orderLine":1.0,"item":{{"id":"100"}},"location":{{"id":"2"}},"quantity":2.0}},
            {{"orderLine":3,"item":{{"id":"101"}},"quantity":0}}]}}{more}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    fn read(more: &str) -> Fulfillment {
        let auth = NetsuiteAuth::oauth2("client", "certificate", "key");
        let mut config = NetsuiteConfig::new(AccountId::new("1234567").unwrap(), auth);
        config.fulfillments.carriers = [("5".to_owned(), "dhl".to_owned())].into();
        config.inventory.places =
            vec![StockPlace::new("everywhere", &["1", "2"]), StockPlace::new("west", &["2"])];
        let skus = [("100".to_owned(), Sku::from("A"))].into();
        fulfillment(&"ns".into(), &config, &record(more), None, &skus, Timestamp::EPOCH).unwrap()
    }

    #[test]
    fn lines_keep_the_orders_numbers_and_nothing_is_no_line() {
        let read = read("");
        assert_eq!(
            (read.order.as_str(), read.location.as_ref().map(LocationId::as_str)),
            ("55", Some("west"))
        );
        assert_eq!(read.lines.len(), 1);
        assert_eq!((read.lines[0].native_line.as_str(), read.lines[0].sku.as_str()), ("1", "A"));
    }

    #[test]
    fn parcels_are_found_in_all_five_places() {
        let more = r#","package":{"items":[{"packageTrackingNumber":"P1, P2"},{"packageWeight":1.0}]},
            "packageUps":{"items":[{"packageTrackingNumberUps":"1Z9"}]},"packageUsps":{"items":[{"packageTrackingNumberUsps":"94"}]},
            "packageFedEx":{"items":[{"packageTrackingNumberFedEx":"77"}]},"shipmentPackage":{"items":[{"trackingNumber":"P1"}]}"#;
        let found: Vec<_> =
            read(more).tracking.iter().map(|t| format!("{} {}", t.carrier, t.number)).collect();
        assert_eq!(found, ["dhl P1", "dhl P2", "ups 1Z9", "usps 94", "fedex 77"]);
    }

    #[test]
    fn only_what_has_left_has_shipped() {
        for (status, left) in [("A", false), ("B", false), ("C", true), ("Shipped", true), ("_packed", false)]
        {
            let text = record("").evidence();
            let text = String::from_utf8(text.to_vec())
                .unwrap()
                .replace("{\"id\":\"C\"}", &format!("{{\"id\":\"{status}\"}}"));
            assert_eq!(has_shipped(&serde_json::from_str(&text).unwrap()).unwrap(), left, "{status}");
        }
    }
}
