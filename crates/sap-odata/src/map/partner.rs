//! Business partners as customers, and back.

use super::cut;
use crate::config::SapConfig;
use crate::route::SalesArea;
use crate::wire::{PartnerAddress, PartnerRecord};
use erp_core::error::{Error, Result};
use erp_core::id::{Key, NativeId, SystemId};
use erp_core::model::{Address, Customer, CustomerKind};
use erp_core::time::{Timestamp, Zone};
use odata_client::Literal;
use serde_json::{Map, Value, json};

/// How much `BusinessPartnerIDByExtSystem` holds.
const EXTERNAL_ID_MAX: usize = 20;

/// Our key as SAP stores it: in capitals, and never cut.
pub(crate) fn external_id(key: &Key) -> Result<String> {
    let id = key.as_str().to_uppercase();
    if id.chars().count() > EXTERNAL_ID_MAX {
        let text = format!(
            "the key has more than the {EXTERNAL_ID_MAX} characters of BusinessPartnerIDByExtSystem; shorten the system's name"
        );
        return Err(Error::invalid("key", "sap.key_too_long", text));
    }
    Ok(id)
}

/// When the partner was last changed; SAP tells day and time in its own zone.
pub(crate) fn changed_at(partner: &PartnerRecord, zone: &Zone) -> Option<Timestamp> {
    let day = partner.last_change_date?;
    let minutes = partner.last_change_time.unwrap_or_default().as_secs() / 60;
    let (hour, minute) = (i8::try_from(minutes / 60 % 24).ok()?, i8::try_from(minutes % 60).ok()?);
    let at = day.at_in(hour, minute, zone).ok()?;
    let seconds = partner.last_change_time.unwrap_or_default().as_secs() % 60;
    Some(at.plus(std::time::Duration::from_secs(seconds)))
}

/// A partner as a customer. Its key is where it was born: here.
pub(crate) fn customer(system: &SystemId, zone: &Zone, partner: &PartnerRecord) -> Customer {
    let company = partner.business_partner_category == "2";
    let kind = if company { CustomerKind::Company } else { CustomerKind::Person };
    let email =
        partner.addresses.iter().find_map(|address| address.email_address.clone()).unwrap_or_default();
    let last = if company { &partner.organization_bp_name1 } else { &partner.last_name };
    let mut customer = Customer::new(Key::of(system, &partner.customer), kind, email)
        .with_name(partner.first_name.as_str(), last.as_str())
        .with_addresses(partner.addresses.iter().map(|held| address(partner, held)).collect());
    customer.native_id = Some(NativeId::new(&partner.customer));
    customer.tax_id.clone_from(&partner.tax_number);
    customer.external_id =
        Some(partner.business_partner_id_by_ext_system.clone()).filter(|id| !id.trim().is_empty());
    customer.updated_at = changed_at(partner, zone);
    customer
}

fn address(partner: &PartnerRecord, held: &PartnerAddress) -> Address {
    let mut address =
        Address::new(&held.country).with_name(partner.first_name.as_str(), partner.last_name.as_str());
    let street = format!("{} {}", held.street_name, held.house_number).trim().to_owned();
    let lines = [street, held.street_suffix_name.trim().to_owned()];
    address = address.with_place(
        lines.into_iter().filter(|line| !line.is_empty()).collect(),
        held.city_name.as_str(),
        held.postal_code.as_str(),
    );
    let filled = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    address.company = filled(&partner.organization_bp_name1);
    address.region = filled(&held.region);
    address.phone.clone_from(&held.phone_number);
    address.email.clone_from(&held.email_address);
    address
}

/// A new partner as one deep insert, extended to the sales areas.
pub(crate) fn partner_body(
    config: &SapConfig,
    customer: &Customer,
    external_id: &str,
    areas: &[SalesArea],
) -> Value {
    let settings = &config.customers;
    let mut body = Map::new();
    let company = customer.kind == CustomerKind::Company;
    body.insert("BusinessPartnerCategory".to_owned(), json!(if company { "2" } else { "1" }));
    body.insert("BusinessPartnerIDByExtSystem".to_owned(), json!(external_id));
    body.insert("CorrespondenceLanguage".to_owned(), json!(config.language));
    if !settings.grouping.is_empty() {
        body.insert("BusinessPartnerGrouping".to_owned(), json!(settings.grouping));
    }
    for (name, text) in names(customer) {
        body.insert(name.to_owned(), json!(text));
    }
    let roles: Vec<Value> = settings.roles.iter().map(|role| json!({"BusinessPartnerRole": role})).collect();
    body.insert("to_BusinessPartnerRole".to_owned(), json!(roles));
    let addresses: Vec<Value> = customer
        .addresses
        .iter()
        .enumerate()
        .map(|(at, address)| address_body(customer, address, at == 0))
        .collect();
    body.insert("to_BusinessPartnerAddress".to_owned(), json!(addresses));
    if let (Some(kind), Some(number)) = (&settings.tax_type, &customer.tax_id) {
        body.insert("to_BusinessPartnerTax".to_owned(), json!([{"BPTaxType": kind, "BPTaxNumber": number}]));
    }
    let mut sales = Map::new();
    let areas: Vec<Value> = areas
        .iter()
        .map(|area| {
            let mut fields = Map::new();
            fields.insert("SalesOrganization".to_owned(), json!(area.organization));
            fields.insert("DistributionChannel".to_owned(), json!(area.channel));
            fields.insert("Division".to_owned(), json!(area.division));
            if let Some(currency) = &settings.currency {
                fields.insert("Currency".to_owned(), json!(currency));
            }
            if let Some(group) = &customer.group {
                fields.insert("CustomerPriceGroup".to_owned(), json!(cut(group, 2)));
            }
            Value::Object(fields)
        })
        .collect();
    sales.insert("to_CustomerSalesArea".to_owned(), json!(areas));
    if let Some(code) = &settings.company_code {
        let account = settings.reconciliation_account.as_deref().unwrap_or_default();
        sales.insert(
            "to_CustomerCompany".to_owned(),
            json!([{"CompanyCode": code, "ReconciliationAccount": account}]),
        );
    }
    body.insert("to_Customer".to_owned(), Value::Object(sales));
    Value::Object(body)
}

fn names(customer: &Customer) -> Vec<(&'static str, String)> {
    match customer.kind {
        CustomerKind::Company => vec![("OrganizationBPName1", cut(&customer.last_name, 40))],
        CustomerKind::Person => {
            vec![("FirstName", cut(&customer.first_name, 40)), ("LastName", cut(&customer.last_name, 40))]
        }
    }
}

fn address_body(customer: &Customer, address: &Address, default: bool) -> Value {
    let mut body = address_fields(address);
    if default {
        body.insert("to_AddressUsage".to_owned(), json!([{"AddressUsage": "XXDEFAULT"}]));
    }
    // The first address carries the customer's own e-mail, which is its identity in a shop, as the default one.
    let own = Some(customer.email.as_str()).filter(|email| default && !email.is_empty());
    let other = address.email.as_deref().filter(|email| !email.is_empty() && own != Some(email));
    let emails: Vec<Value> = [own, other]
        .into_iter()
        .flatten()
        .enumerate()
        .map(|(at, email)| json!({"EmailAddress": cut(email, 241), "IsDefaultEmailAddress": at == 0}))
        .collect();
    if !emails.is_empty() {
        body.insert("to_EmailAddress".to_owned(), json!(emails));
    }
    if let Some(phone) = &address.phone {
        body.insert("to_PhoneNumber".to_owned(), json!([{"PhoneNumber": cut(phone, 30)}]));
    }
    Value::Object(body)
}

fn address_fields(address: &Address) -> Map<String, Value> {
    let mut fields = Map::new();
    let street = address.street.first().map(String::as_str).unwrap_or_default();
    let suffix = address.street.get(1..).unwrap_or_default().join(", ");
    let pairs: [(&str, &str, usize); 6] = [
        ("StreetName", street, 60),
        ("StreetSuffixName", &suffix, 40),
        ("CityName", &address.city, 40),
        ("PostalCode", address.postcode.as_deref().unwrap_or_default(), 10),
        ("Region", address.region.as_deref().unwrap_or_default(), 3),
        ("Country", &address.country, 3),
    ];
    for (name, text, max) in pairs {
        if !text.trim().is_empty() {
            fields.insert(name.to_owned(), json!(cut(text.trim(), max)));
        }
    }
    fields
}

/// One change of a partner.
#[derive(Debug)]
pub(crate) struct PartnerChange {
    /// The set.
    pub(crate) set: &'static str,
    /// Which entity of it.
    pub(crate) key: Vec<(&'static str, Literal)>,
    /// The navigation below which something is added; `None` changes the entity itself.
    pub(crate) add_to: Option<&'static str>,
    /// The properties.
    pub(crate) body: Value,
}

impl PartnerChange {
    fn of(set: &'static str, key: Vec<(&'static str, Literal)>, body: Value) -> Self {
        Self { set, key, add_to: None, body }
    }
}

/// What must change so that the partner has the customer's names and its first address: each set by itself, because SAP
/// has no deep update. What is equal already is left alone; an empty value of ours erases nothing.
pub(crate) fn partner_update(partner: &PartnerRecord, customer: &Customer) -> Vec<PartnerChange> {
    let mut changes: Vec<PartnerChange> = Vec::new();
    let held = |name: &str| match name {
        "FirstName" => partner.first_name.as_str(),
        "LastName" => partner.last_name.as_str(),
        _ => partner.organization_bp_name1.as_str(),
    };
    let names: Map<String, Value> = names(customer)
        .into_iter()
        .filter(|(name, text)| !text.is_empty() && held(name) != text)
        .map(|(name, text)| (name.to_owned(), json!(text)))
        .collect();
    if !names.is_empty() {
        let key = vec![("BusinessPartner", Literal::string(&partner.business_partner))];
        changes.push(PartnerChange::of("A_BusinessPartner", key, Value::Object(names)));
    }
    if let (Some(wanted), Some(held)) = (customer.addresses.first(), partner.addresses.first()) {
        let now = [
            ("StreetName", format!("{} {}", held.street_name, held.house_number).trim().to_owned()),
            ("StreetSuffixName", held.street_suffix_name.clone()),
            ("CityName", held.city_name.clone()),
            ("PostalCode", held.postal_code.clone()),
            ("Region", held.region.clone()),
            ("Country", held.country.clone()),
        ];
        let mut fields = address_fields(wanted);
        fields.retain(|name, value| !now.iter().any(|(known, text)| known == name && value == text.as_str()));
        if fields.contains_key("StreetName") && !held.house_number.is_empty() {
            fields.insert("HouseNumber".to_owned(), json!(""));
        }
        if !fields.is_empty() {
            let key = vec![
                ("BusinessPartner", Literal::string(&partner.business_partner)),
                ("AddressID", Literal::string(&held.address_id)),
            ];
            changes.push(PartnerChange::of("A_BusinessPartnerAddress", key, Value::Object(fields)));
        }
    }
    changes.extend(email_update(partner, customer));
    changes
}

/// Makes the first address's e-mail the customer's.
fn email_update(partner: &PartnerRecord, customer: &Customer) -> Option<PartnerChange> {
    let held = partner.addresses.first()?;
    let same = held.email_address.as_deref().unwrap_or_default().eq_ignore_ascii_case(&customer.email);
    if same || customer.email.is_empty() {
        return None;
    }
    let body = json!({"EmailAddress": cut(&customer.email, 241)});
    Some(match &held.email_key {
        Some((person, ordinal)) => {
            let key = vec![
                ("AddressID", Literal::string(&held.address_id)),
                ("Person", Literal::string(person)),
                ("OrdinalNumber", Literal::string(ordinal)),
            ];
            PartnerChange::of("A_AddressEmailAddress", key, body)
        }
        None => {
            let key = vec![
                ("BusinessPartner", Literal::string(&partner.business_partner)),
                ("AddressID", Literal::string(&held.address_id)),
            ];
            PartnerChange { set: "A_BusinessPartnerAddress", key, add_to: Some("to_EmailAddress"), body }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::SapAuth;
    use proptest::prelude::*;

    fn sample() -> Customer {
        let address = Address::new("DE").with_name("Ada", "Lovelace").with_place(
            vec!["Long Street 1".to_owned()],
            "Berlin",
            "10115",
        );
        Customer::new("shop:7".into(), CustomerKind::Person, "ada@example.com")
            .with_name("Ada", "Lovelace")
            .with_addresses(vec![address])
    }

    /// What SAP would answer when it holds what was sent.
    fn held(body: &Value) -> PartnerRecord {
        let list = |value: &Value| json!({"results": value});
        let mut row = body.clone();
        row["BusinessPartner"] = json!("1");
        row["Customer"] = json!("1");
        let mut addresses = row["to_BusinessPartnerAddress"].clone();
        for address in addresses.as_array_mut().unwrap() {
            for nav in ["to_EmailAddress", "to_PhoneNumber"] {
                if !address[nav].is_null() {
                    address[nav] = list(&address[nav]);
                }
            }
        }
        row["to_BusinessPartnerAddress"] = list(&addresses);
        for nav in ["to_BusinessPartnerTax", "to_BusinessPartnerRole", "to_Customer"] {
            row[nav] = Value::Null;
        }
        PartnerRecord::read(&serde_json::from_str(&row.to_string()).unwrap()).unwrap()
    }

    #[test]
    fn a_partner_comes_back_as_the_customer_that_was_sent() {
        let config = SapConfig::new("https://x", SapAuth::bearer("t"));
        let areas = [SalesArea::parse("1710/10/00").unwrap()];
        let body = partner_body(&config, &sample(), "SHOP:7", &areas);
        assert_eq!(body["to_Customer"]["to_CustomerSalesArea"][0]["Division"], "00");
        let back = customer(&"sap".into(), &Zone::UTC, &held(&body));
        assert_eq!((back.email.as_str(), back.last_name.as_str()), ("ada@example.com", "Lovelace"));
        assert_eq!(back.external_id.as_deref(), Some("SHOP:7"));
        assert_eq!(back.addresses[0].street, ["Long Street 1"]);
        assert!(partner_update(&held(&body), &sample()).is_empty(), "what is equal is not written");
    }

    #[test]
    fn only_what_differs_is_written() {
        let config = SapConfig::new("https://x", SapAuth::bearer("t"));
        let partner = held(&partner_body(&config, &sample(), "SHOP:7", &[]));
        let mut moved = sample();
        moved.addresses[0].city = "Potsdam".to_owned();
        moved.first_name = String::new();
        let changes = partner_update(&partner, &moved);
        assert_eq!(changes.len(), 1);
        assert_eq!(
            (changes[0].set, &changes[0].body),
            ("A_BusinessPartnerAddress", &json!({"CityName": "Potsdam"}))
        );
    }

    #[test]
    fn a_new_e_mail_replaces_the_default_one_or_is_added() {
        let config = SapConfig::new("https://x", SapAuth::bearer("t"));
        let mut partner = held(&partner_body(&config, &sample(), "SHOP:7", &[]));
        let mut wanted = sample();
        wanted.email = "new@example.com".to_owned();
        let changes = partner_update(&partner, &wanted);
        assert_eq!((changes.len(), changes[0].set, changes[0].add_to), (1, "A_AddressEmailAddress", None));
        partner.addresses[0].email_address = None;
        partner.addresses[0].email_key = None;
        assert_eq!(partner_update(&partner, &wanted)[0].add_to, Some("to_EmailAddress"));
    }

    #[test]
    fn the_customers_own_e_mail_is_the_default_one() {
        let config = SapConfig::new("https://x", SapAuth::bearer("t"));
        let mut wanted = sample();
        wanted.addresses[0].email = Some("dock@example.com".to_owned());
        let body = partner_body(&config, &wanted, "SHOP:7", &[]);
        assert_eq!(body["to_BusinessPartnerAddress"][0]["to_EmailAddress"].as_array().unwrap().len(), 2);
        assert_eq!(customer(&"sap".into(), &Zone::UTC, &held(&body)).email, "ada@example.com");
    }

    #[test]
    fn keys_are_capitals_and_never_cut() {
        assert_eq!(external_id(&"shop-eu:1042".into()).unwrap(), "SHOP-EU:1042");
        assert!(external_id(&"a-long-shop-name:123456".into()).is_err());
    }

    proptest! {
        #[test]
        fn writing_what_was_read_changes_nothing(
            first in "[A-Za-z]{1,20}", last in "[A-Za-z]{1,20}", street in "[A-Za-z]{1,20} [0-9]{1,3}", city in "[A-Za-z]{1,30}",
        ) {
            let config = SapConfig::new("https://x", SapAuth::bearer("t"));
            let mut wanted = sample().with_name(first, last);
            wanted.addresses[0].street = vec![street];
            wanted.addresses[0].city = city;
            let partner = held(&partner_body(&config, &wanted, "S:1", &[]));
            let back = customer(&"sap".into(), &Zone::UTC, &partner);
            prop_assert!(partner_update(&partner, &back).is_empty());
            prop_assert!(partner_update(&partner, &wanted).is_empty());
        }
    }
}
