use super::address::too_long;
use super::{book, book_update, cut, new_book};
use crate::config::CustomerConfig;
use crate::key::key_of;
use crate::wire::{Body, Node, Record, RecordRef};
use erp_core::error::{Error, FieldError, Result};
use erp_core::id::{Key, NativeId, SystemId};
use erp_core::model::{Customer, CustomerKind};
use serde_json::json;

/// How many characters a name holds.
const NAME_MAX: usize = 32;
const COMPANY_MAX: usize = 83;
const EMAIL_MAX: usize = 254;

/// A customer's record as our model. Its key is NetSuite's own id; the external id tells whose it is elsewhere.
pub(crate) fn customer(system: &SystemId, config: &CustomerConfig, record: &Record) -> Result<Customer> {
    let id = record.required("id")?;
    let person = record.flag("isPerson")?;
    let kind = if person { CustomerKind::Person } else { CustomerKind::Company };
    let last = if person { record.text("lastName")? } else { record.text("companyName")? };
    // What a company keeps in the fields of a person is no name of the company.
    let first = if person { record.text("firstName")? } else { String::new() };
    let entries = book(record)?.into_iter().filter(super::book::Entry::is_placed);
    let mut customer = Customer::new(Key::of(system, &id), kind, record.text("email")?)
        .with_name(first, last)
        .with_addresses(entries.map(|entry| entry.address).collect());
    customer.native_id = Some(NativeId::new(&id));
    customer.scope = config.scope_of(record.ref_id("subsidiary")?.as_deref());
    customer.group = record.ref_id("priceLevel")?;
    customer.tax_id = record.filled(config.tax_field())?;
    // What another integration wrote there is no key of ours, and no number of the other system.
    let ours = record.filled("externalId")?.and_then(|id| key_of(&id));
    customer.external_id = ours.map(|key| key.to_string()).filter(|key| key.contains(':'));
    customer.updated_at = record.instant("lastModifiedDate")?;
    Ok(customer)
}

/// Whether a record is a lead or a prospect: somebody who has bought nothing yet and whom no shop is to greet.
pub(crate) fn is_prospect(record: &Record) -> Result<bool> {
    let stage = record.ref_id("stage")?.unwrap_or_default().to_lowercase();
    Ok(matches!(stage.trim_start_matches('_'), "lead" | "prospect"))
}

/// Refuses what NetSuite's fields do not hold and what must not be cut: an e-mail that lost its end is another mailbox.
///
/// # Errors
/// `Invalid` at each field that is too long.
pub(crate) fn checked(customer: &Customer) -> Result<()> {
    let mut fields = Vec::new();
    let length = customer.email.trim().chars().count();
    if length > EMAIL_MAX {
        let text = format!("has {length} characters; NetSuite holds {EMAIL_MAX}");
        fields.push(FieldError::new("email", "netsuite.too_long", text));
    }
    for (at, address) in customer.addresses.iter().enumerate() {
        fields.extend(too_long(address, &format!("addresses[{at}]")));
    }
    if fields.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = fields.iter().map(|field| field.path.as_str()).collect();
    let text = format!("longer than NetSuite's fields: {}; shorten it where it comes from", names.join(", "));
    Err(Error::invalid_fields(text, fields))
}

/// A new customer's record.
///
/// # Errors
/// `Invalid` if a field is too long, or the group is no price level.
pub(crate) fn customer_body(config: &CustomerConfig, customer: &Customer, external_id: &str) -> Result<Body> {
    checked(customer)?;
    let mut body = Body::new().with("externalId", external_id);
    body.put_some("customForm", config.form.as_ref().map(RecordRef::id));
    let subsidiary = config.subsidiaries.get(&customer.scope).or(config.subsidiary.as_ref());
    body.put_some("subsidiary", subsidiary.map(RecordRef::id));
    body.put("isPerson", customer.kind == CustomerKind::Person);
    if let Some(field) = &config.key_field {
        body.put(field.as_str(), customer.key.as_str());
    }
    names(customer, &mut body);
    let lines = new_book(&customer.addresses);
    if !lines.is_empty() {
        body.put("addressBook", lines);
    }
    facts(config, customer, &mut body)?;
    Ok(body)
}

/// What differs from the record, and nothing that is not stated: an empty field leaves the record's own.
///
/// # Errors
/// `Invalid` if a field is too long, the group is no price level, or one of the two is a person and the other a company.
pub(crate) fn customer_update(
    config: &CustomerConfig,
    record: &Record,
    held: &Customer,
    customer: &Customer,
) -> Result<Body> {
    checked(customer)?;
    let mut wanted = Body::new();
    facts(config, customer, &mut wanted)?;
    let same_tax = held.tax_id.as_deref().map(str::trim) == customer.tax_id.as_deref().map(str::trim);
    if same_tax {
        wanted = wanted.without(config.tax_field());
    }
    let level = held.group.as_ref().map(|id| Node::from(RecordRef::id(id)));
    if wanted.get("priceLevel") == level.as_ref() {
        wanted = wanted.without("priceLevel");
    }
    let mut known = Body::new();
    names(held, &mut known);
    let mut body = Body::new();
    for (name, node) in changed_names(held, customer)?.fields().chain(wanted.fields()) {
        // Mailboxes are told apart without letter case; another spelling is no change.
        let same = match (known.get(name), node) {
            (Some(Node::Text(known)), Node::Text(text)) if name == "email" => {
                known.to_lowercase() == text.to_lowercase()
            }
            (known, node) => known == Some(node),
        };
        if !same {
            body.put(name, node.clone());
        }
    }
    let lines = book_update(&book(record)?, &customer.addresses);
    if !lines.is_empty() {
        body.put("addressBook", lines);
    }
    Ok(body)
}

/// The names to be written. NetSuite keeps persons and companies apart for good, and a contact of a company who shops under
/// its number must not write a person's name over it.
fn changed_names(held: &Customer, customer: &Customer) -> Result<Body> {
    let mut body = Body::new();
    names(customer, &mut body);
    if held.kind == customer.kind {
        return Ok(body);
    }
    let whole = |customer: &Customer| {
        format!("{} {}", customer.first_name.trim(), customer.last_name.trim()).trim().to_lowercase()
    };
    let (own, stated) = (whole(held), whole(customer));
    let stated_last = customer.last_name.trim().to_lowercase();
    if stated.is_empty() || own == stated || (customer.first_name.trim().is_empty() && own == stated_last) {
        return Ok(["firstName", "lastName", "companyName"].into_iter().fold(body, Body::without));
    }
    let (there, here) = match held.kind {
        CustomerKind::Company => ("a company", "a person"),
        CustomerKind::Person => ("a person", "a company"),
    };
    let text = format!(
        "customer {} is {there} in NetSuite and {here} where it comes from, and NetSuite turns none into the other; link it \
         to a customer of its own kind, or leave the company's contact out of this flow",
        held.native_id.as_ref().map_or("", NativeId::as_str),
    );
    Err(Error::invalid("kind", "netsuite.kind_differs", text))
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
    body.put_some("email", some(&customer.email, EMAIL_MAX));
}

fn facts(config: &CustomerConfig, customer: &Customer, body: &mut Body) -> Result<()> {
    if let Some(group) = customer.group.as_deref().map(str::trim).filter(|group| !group.is_empty()) {
        body.put("priceLevel", RecordRef::id(config.level_of(group)?));
    }
    if let Some(field) = &config.tax_field {
        let tax = customer.tax_id.as_deref().map(str::trim).filter(|tax| !tax.is_empty());
        body.put_some(field.as_str(), tax);
    }
    Ok(())
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

    fn record(body: &Body, id: &str) -> Record {
        let body = body.clone().with("id", id);
        serde_json::from_slice(&body.to_json().unwrap()).unwrap()
    }

    fn read(config: &CustomerConfig, body: &Body, id: &str) -> (Record, Customer) {
        let record = record(body, id);
        let held = customer(&SystemId::new("ns"), config, &record).unwrap();
        (record, held)
    }

    fn json(body: &Body) -> String {
        String::from_utf8(body.to_json().unwrap()).unwrap()
    }

    #[test]
    fn a_customer_comes_back_as_it_went() {
        let config = CustomerConfig {
            subsidiaries: [("base".to_owned(), "2".to_owned())].into(),
            tax_field: Some("custentity_vat".to_owned()),
            ..CustomerConfig::default()
        };
        let mut wanted = Sample::new(1).customer();
        wanted.scope = "base".to_owned();
        wanted.tax_id = Some("DE 123".to_owned());
        for address in &mut wanted.addresses {
            address.email = None;
        }
        wanted.addresses[0].default_billing = true;
        wanted.addresses[0].default_shipping = true;
        for kind in [CustomerKind::Person, CustomerKind::Company] {
            wanted.kind = kind;
            if kind == CustomerKind::Company {
                wanted.first_name.clear();
            }
            let (record, held) = read(&config, &customer_body(&config, &wanted, "shop_7").unwrap(), "12");
            assert_eq!((held.kind, &held.email), (kind, &wanted.email));
            assert_eq!((&held.first_name, &held.last_name), (&wanted.first_name, &wanted.last_name));
            assert_eq!(held.addresses, wanted.addresses);
            assert_eq!((held.key.as_str(), held.external_id.as_deref()), ("ns:12", Some("shop:7")));
            assert_eq!((held.scope.as_str(), &held.tax_id), ("base", &wanted.tax_id));
            let update = customer_update(&config, &record, &held, &wanted).unwrap();
            assert!(update.is_empty(), "nothing differs: {}", json(&update));
        }
    }

    #[test]
    fn what_is_not_stated_stays() {
        let config = CustomerConfig::default();
        let wanted = Sample::new(1).customer();
        let (record, held) = read(&config, &customer_body(&config, &wanted, "x").unwrap(), "1");
        let mut patch = wanted;
        "Grace".clone_into(&mut patch.first_name);
        patch.last_name.clear();
        patch.addresses.clear();
        patch.email = patch.email.to_uppercase();
        let body = customer_update(&config, &record, &held, &patch).unwrap();
        assert_eq!(json(&body), r#"{"firstName":"Grace"}"#, "a mailbox has no letter case");
    }

    #[test]
    fn a_tax_number_in_a_field_of_ones_own_is_changed_there() {
        let config =
            CustomerConfig { tax_field: Some("custentity_vat".to_owned()), ..CustomerConfig::default() };
        let mut wanted =
            Customer::new("shop:7".into(), CustomerKind::Company, "a@b.test").with_name("", "Lane Ltd");
        wanted.tax_id = Some("GB1".to_owned());
        let (record, held) = read(&config, &customer_body(&config, &wanted, "x").unwrap(), "1");
        wanted.tax_id = Some("GB2".to_owned());
        let body = customer_update(&config, &record, &held, &wanted).unwrap();
        assert_eq!(json(&body), r#"{"custentity_vat":"GB2"}"#);
    }

    #[test]
    fn an_external_id_that_is_not_ours_is_no_number_of_the_shop() {
        let of = |id: &str| {
            let body = Body::new().with("companyName", "Lane Ltd").with("externalId", id);
            read(&CustomerConfig::default(), &body, "1").1.external_id
        };
        assert_eq!(of("shop_7").as_deref(), Some("shop:7"));
        for foreign in ["M2-7", "guest-0a", "CUST|7", "7"] {
            assert_eq!(of(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn a_group_is_a_price_level_or_is_refused() {
        let mut wanted = Sample::new(1).customer();
        wanted.group = Some("7".to_owned());
        let mut config = CustomerConfig::default();
        let level = |config: &CustomerConfig, wanted: &Customer| {
            customer_body(config, wanted, "x").map(|body| body.get("priceLevel").cloned())
        };
        assert_eq!(level(&config, &wanted).unwrap(), Some(RecordRef::id("7").into()));
        config.price_levels.insert("wholesale".to_owned(), "3".to_owned());
        assert_eq!(level(&config, &wanted).unwrap_err().fields()[0].path, "group");
        wanted.group = Some("wholesale".to_owned());
        assert_eq!(level(&config, &wanted).unwrap(), Some(RecordRef::id("3").into()));
    }

    #[test]
    fn a_person_is_never_written_over_a_company() {
        let config = CustomerConfig::default();
        let company =
            Customer::new("shop:7".into(), CustomerKind::Company, "a@b.test").with_name("", "Lane Ltd");
        let (record, held) = read(&config, &customer_body(&config, &company, "x").unwrap(), "12");
        let person = |first: &str, last: &str| {
            Customer::new("shop:7".into(), CustomerKind::Person, "a@b.test").with_name(first, last)
        };
        let refused = customer_update(&config, &record, &held, &person("Ada", "Lane")).unwrap_err();
        assert_eq!(refused.fields()[0].code, "netsuite.kind_differs");
        assert!(refused.message().contains("12") && !refused.message().contains("Lane"), "{refused}");
        for (first, last) in [("", "lane ltd"), ("Lane", "Ltd"), ("", "")] {
            let body = customer_update(&config, &record, &held, &person(first, last)).unwrap();
            assert!(body.is_empty(), "{first} {last}: {}", json(&body));
        }
    }

    #[test]
    fn what_must_not_be_cut_is_refused_at_its_field() {
        let config = CustomerConfig::default();
        let mut wanted = Sample::new(1).customer();
        wanted.email = format!("{}@example.test", "é".repeat(250));
        wanted.addresses[0].street = vec!["x".repeat(150), "y".repeat(151)];
        let refused = customer_body(&config, &wanted, "x").unwrap_err();
        let paths: Vec<_> = refused.fields().iter().map(|field| field.path.as_str()).collect();
        assert_eq!(paths, ["email", "addresses[0].street[1]"]);
        assert!(!refused.to_string().contains("yyy"), "no value is told");
    }

    #[test]
    fn a_subsidiary_is_a_website_again_where_only_one_has_it() {
        let of = |pairs: &[(&str, &str)]| CustomerConfig {
            subsidiary: Some("1".to_owned()),
            subsidiaries: pairs.iter().map(|(site, id)| ((*site).to_owned(), (*id).to_owned())).collect(),
            ..CustomerConfig::default()
        };
        let config = of(&[("us", "2"), ("eu", "3"), ("uk", "3")]);
        let scopes = [Some("1"), Some("2"), Some("3"), Some("4"), None].map(|id| config.scope_of(id));
        assert_eq!(scopes, ["", "us", "3", "4", ""]);
        assert_eq!(CustomerConfig::default().scope_of(Some("4")), "", "without OneWorld there is one");
    }
}
