use super::{address, address_body, cut};
use crate::config::CustomerConfig;
use crate::key::key_of;
use crate::wire::{Body, Record, RecordRef};
use erp_core::error::Result;
use erp_core::id::{Key, NativeId, SystemId};
use erp_core::model::{Address, Customer, CustomerKind};
use serde_json::json;

/// How many characters a name holds.
const NAME_MAX: usize = 32;
const COMPANY_MAX: usize = 83;

/// A customer's record as our model. Its key is NetSuite's own id; the external id tells whose it is elsewhere.
pub(crate) fn customer(system: &SystemId, record: &Record) -> Result<Customer> {
    let id = record.required("id")?;
    let person = record.flag("isPerson")?;
    let kind = if person { CustomerKind::Person } else { CustomerKind::Company };
    let last = if person { record.text("lastName")? } else { record.text("companyName")? };
    let mut customer = Customer::new(Key::of(system, &id), kind, record.text("email")?)
        .with_name(record.text("firstName")?, last)
        .with_addresses(addresses(record)?);
    customer.native_id = Some(NativeId::new(&id));
    customer.scope = record.ref_id("subsidiary")?.unwrap_or_default();
    customer.group = record.ref_id("priceLevel")?;
    customer.tax_id = record.filled("vatRegNumber")?;
    customer.external_id =
        record.filled("externalId")?.map(|id| key_of(&id).map_or(id, |key| key.to_string()));
    customer.updated_at = record.instant("lastModifiedDate")?;
    Ok(customer)
}

fn addresses(record: &Record) -> Result<Vec<Address>> {
    let lines = record.lines("addressBook")?.unwrap_or_default();
    let held = lines.iter().map(|line| line.record("addressBookAddress")?.as_ref().map(address).transpose());
    Ok(held.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
}

/// A new customer's record.
pub(crate) fn customer_body(config: &CustomerConfig, customer: &Customer, external_id: &str) -> Body {
    let mut body = Body::new().with("externalId", external_id);
    body.put_some("customForm", config.form.as_ref().map(RecordRef::id));
    let subsidiary = config.subsidiaries.get(&customer.scope).or(config.subsidiary.as_ref());
    body.put_some("subsidiary", subsidiary.map(RecordRef::id));
    body.put("isPerson", customer.kind == CustomerKind::Person);
    if let Some(field) = &config.key_field {
        body.put(field.as_str(), customer.key.as_str());
    }
    names(customer, &mut body);
    let lines: Vec<Body> =
        (0..).zip(&customer.addresses).map(|(at, address)| line(address, at == 0)).collect();
    if !lines.is_empty() {
        body.put("addressBook", lines);
    }
    facts(config, customer, &mut body);
    body
}

/// What differs from the record, and nothing that is not stated: an empty field leaves the record's own.
pub(crate) fn customer_update(config: &CustomerConfig, held: &Customer, customer: &Customer) -> Body {
    let mut wanted = Body::new();
    names(customer, &mut wanted);
    facts(config, customer, &mut wanted);
    let mut known = Body::new();
    names(held, &mut known);
    let mut body = Body::new();
    for name in ["firstName", "lastName", "companyName", "email", "vatRegNumber"] {
        let tax = name == "vatRegNumber" && held.tax_id == customer.tax_id;
        if wanted.get(name) != known.get(name) && !tax {
            body.put_some(name, wanted.get(name).cloned());
        }
    }
    if let Some(level) = wanted.get("priceLevel")
        && held.group.as_ref().map(|id| RecordRef::id(id).into()).as_ref() != Some(level)
    {
        body.put("priceLevel", level.clone());
    }
    let missing: Vec<Body> = customer
        .addresses
        .iter()
        .filter(|wanted| !held.addresses.iter().any(|held| same_place(held, wanted)))
        .map(|wanted| line(wanted, false))
        .collect();
    if !missing.is_empty() {
        body.put("addressBook", missing);
    }
    body
}

/// Whether two addresses send a parcel to the same door, as far as NetSuite keeps them.
fn same_place(a: &Address, b: &Address) -> bool {
    // Both in NetSuite's own words, so that what it cuts or joins is no difference.
    address_body(a) == address_body(b)
}

fn names(customer: &Customer, body: &mut Body) {
    let some = |text: &str, max| Some(cut(text.trim(), max)).filter(|text| !text.is_empty());
    match customer.kind {
        CustomerKind::Person => {
            body.put_some("firstName", some(&customer.first_name, NAME_MAX));
            body.put_some("lastName", some(&customer.last_name, NAME_MAX));
        }
        CustomerKind::Company => body.put_some("companyName", some(&customer.last_name, COMPANY_MAX)),
    }
    body.put_some("email", some(&customer.email, 254));
}

fn facts(config: &CustomerConfig, customer: &Customer, body: &mut Body) {
    let level = customer.group.as_ref().and_then(|group| config.price_levels.get(group));
    body.put_some("priceLevel", level.map(RecordRef::id));
    if let Some(field) = &config.tax_field {
        body.put_some(field.as_str(), customer.tax_id.as_deref());
    }
}

fn line(address: &Address, default: bool) -> Body {
    Body::new()
        .with("defaultBilling", default)
        .with("defaultShipping", default)
        .with("addressBookAddress", address_body(address))
}

/// What of a customer a revision covers: all that this connector reads, and no time stamp.
pub(crate) fn customer_projection(customer: &Customer) -> serde_json::Value {
    json!([
        customer.email,
        customer.first_name,
        customer.last_name,
        customer.scope,
        customer.group,
        customer.tax_id,
        customer.external_id,
        customer.addresses,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use erp_testkit::model::Sample;

    fn read(body: &Body, id: &str) -> Customer {
        let body = body.clone().with("id", id);
        let record: Record = serde_json::from_slice(&body.to_json().unwrap()).unwrap();
        customer(&SystemId::new("ns"), &record).unwrap()
    }

    #[test]
    fn a_customer_comes_back_as_it_went() {
        let config = CustomerConfig { subsidiary: Some("2".to_owned()), ..CustomerConfig::default() };
        let mut wanted = Sample::new(1).customer();
        for address in &mut wanted.addresses {
            address.email = None;
        }
        for kind in [CustomerKind::Person, CustomerKind::Company] {
            wanted.kind = kind;
            if kind == CustomerKind::Company {
                wanted.first_name.clear();
            }
            let held = read(&customer_body(&config, &wanted, "shop_7"), "12");
            assert_eq!((held.kind, &held.email), (kind, &wanted.email));
            assert_eq!((&held.first_name, &held.last_name), (&wanted.first_name, &wanted.last_name));
            assert_eq!(held.addresses, wanted.addresses);
            assert_eq!((held.key.as_str(), held.external_id.as_deref()), ("ns:12", Some("shop:7")));
            assert!(customer_update(&config, &held, &wanted).is_empty(), "nothing differs");
        }
    }

    #[test]
    fn what_is_not_stated_stays() {
        let config = CustomerConfig::default();
        let wanted = Sample::new(1).customer();
        let held = read(&customer_body(&config, &wanted, "x"), "1");
        let mut patch = wanted;
        "Grace".clone_into(&mut patch.first_name);
        patch.last_name.clear();
        patch.addresses.clear();
        let body = customer_update(&config, &held, &patch);
        assert_eq!(String::from_utf8(body.to_json().unwrap()).unwrap(), r#"{"firstName":"Grace"}"#);
    }
}
