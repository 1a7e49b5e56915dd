//! Customers, both ways: from the shop's row to the model's, and a patch onto the shop's own object.
//!
//! A write sends the whole object back as it was read, with only what the patch states changed: the shop deletes addresses
//! that a write does not name, and forgets which ones are the defaults.

use super::{Reason, attribute, filled, instant};
use crate::config::Fields;
use crate::wire::customer::{CustomerAddressRow, CustomerRow};
use erp_core::error::{Error, ErrorKind, Result};
use erp_core::id::{Key, NativeId, SystemId};
use erp_core::model::{Address, Customer, CustomerKind};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Maps a customer. A shop's customer is always somebody's login, so it is a person also where it buys for a company.
///
/// # Errors
/// The field that is missing or not understood.
pub fn customer(
    row: &CustomerRow,
    system: &SystemId,
    website: &str,
    fields: &Fields,
) -> Result<Customer, Reason> {
    let id = row.id.ok_or("id is missing")?;
    let email = filled(row.email.as_deref()).ok_or("email is missing")?;
    let mut customer = Customer::new(Key::of(system, id), CustomerKind::Person, email).with_name(
        filled(row.firstname.as_deref()).unwrap_or_default(),
        filled(row.lastname.as_deref()).unwrap_or_default(),
    );
    customer.native_id = Some(NativeId::from(id.to_string()));
    website.clone_into(&mut customer.scope);
    customer.group = row.group_id.map(|group| group.to_string());
    customer.tax_id = filled(row.taxvat.as_deref());
    let number = fields.customer_number.as_deref();
    customer.external_id = number.and_then(|name| attribute(name, &BTreeMap::new(), &row.custom_attributes));
    customer.addresses = row.addresses.iter().map(|held| address(held, fields)).collect();
    customer.updated_at = Some(instant("updated_at", row.updated_at.as_deref())?);
    Ok(customer)
}

fn address(row: &CustomerAddressRow, fields: &Fields) -> Address {
    let text = |text: &Option<String>| filled(text.as_deref());
    let mut mapped = Address::new(row.country_id.clone().unwrap_or_default())
        .with_name(text(&row.firstname).unwrap_or_default(), text(&row.lastname).unwrap_or_default())
        .with_place(
            row.street.iter().filter_map(|line| filled(Some(line))).collect(),
            text(&row.city).unwrap_or_default(),
            text(&row.postcode).unwrap_or_default(),
        );
    mapped.company = text(&row.company);
    mapped.region = text(&row.region.region_code).or_else(|| text(&row.region.region));
    mapped.phone = text(&row.telephone);
    mapped.vat_id = text(&row.vat_id);
    mapped.default_billing = row.default_billing.unwrap_or_default();
    mapped.default_shipping = row.default_shipping.unwrap_or_default();
    let party = fields.ship_to_party.as_deref();
    mapped.party = party.and_then(|name| attribute(name, &BTreeMap::new(), &row.custom_attributes));
    mapped
}

/// Puts what `wanted` states onto the shop's object: an empty text or list states nothing. `key` is written where the shop
/// keeps it.
///
/// # Errors
/// `Conflict` if the object carries another customer's key; `Invalid` if the group is none of the shop's.
pub fn apply(held: &mut Value, wanted: &Customer, key: Option<&Key>, fields: &Fields) -> Result<()> {
    let text = held.to_string();
    let row: CustomerRow =
        serde_json::from_str(&text).map_err(|_| Error::malformed("the shop's customer cannot be read"))?;
    let Value::Object(object) = held else {
        return Err(Error::malformed("the shop's customer is no object"));
    };
    // An account is a person's: a company that is linked to it has a name, and no surname of that person.
    let named = wanted.kind != CustomerKind::Company || row.id.is_none();
    let name = |name: &'_ str| named.then(|| name.to_owned());
    let (first, last) = (name(&wanted.first_name), name(&wanted.last_name));
    let texts = [
        ("email", Some(wanted.email.as_str()), row.email.as_deref()),
        ("firstname", first.as_deref(), row.firstname.as_deref()),
        ("lastname", last.as_deref(), row.lastname.as_deref()),
        ("taxvat", wanted.tax_id.as_deref(), row.taxvat.as_deref()),
    ];
    for (name, stated, known) in texts {
        // The shop compares e-mails without letter case; another spelling is no change.
        let same = |stated: &str| match name {
            "email" => known.is_some_and(|known| known.eq_ignore_ascii_case(stated)),
            _ => known == Some(stated),
        };
        if let Some(stated) = filled(stated).filter(|stated| !same(stated)) {
            object.insert(name.to_owned(), stated.into());
        }
    }
    if let Some(group) = &wanted.group {
        let id: i64 = group.trim().parse().map_err(|_| {
            Error::invalid("group", "commerce.group", "the shop's customer groups are named by their ids")
        })?;
        object.insert("group_id".to_owned(), id.into());
    }
    if let (Some(name), Some(key)) = (&fields.customer_key, key) {
        let known = attribute(name, &BTreeMap::new(), &row.custom_attributes);
        if known.as_deref().is_some_and(|known| known != key.as_str()) {
            let text = "the shop's customer carries another key; it is not overwritten";
            return Err(Error::new(ErrorKind::Conflict, text).with_context("customer", key.to_string()));
        }
        set_attribute(object, name, key.as_str());
    }
    if let (Some(name), Some(number)) = (&fields.customer_number, number_elsewhere(wanted, key)) {
        set_attribute(object, name, number);
    }
    merge_addresses(object, &row, &wanted.addresses, fields)
}

/// The customer's number in the other system: its own there, if it was read there, else the one that it carries. The key by
/// which the other system knows the shop's customer is no number of the other system.
fn number_elsewhere<'a>(wanted: &'a Customer, key: Option<&Key>) -> Option<&'a str> {
    let own = wanted.native_id.as_ref().map(NativeId::as_str);
    let carried = wanted.external_id.as_deref().filter(|number| !number.contains(':'));
    own.filter(|_| key.is_some()).or(carried)
}

/// Addresses are merged: one of the same ship-to party is changed, one with the same content stays, any other is added.
/// None is ever left out.
fn merge_addresses(
    object: &mut Map<String, Value>,
    row: &CustomerRow,
    wanted: &[Address],
    fields: &Fields,
) -> Result<()> {
    if wanted.is_empty() {
        return Ok(());
    }
    if row.id.is_some() && !object.contains_key("addresses") {
        // Without the list that is there, a list of ours would delete it.
        return Err(Error::malformed("the shop's customer comes without its addresses"));
    }
    let mut known: Vec<Address> = row.addresses.iter().map(|held| address(held, fields)).collect();
    let mut list = match object.remove("addresses") {
        Some(Value::Array(list)) => list,
        None | Some(Value::Null) => Vec::new(),
        Some(_) => return Err(Error::malformed("the shop's addresses are no list")),
    };
    if list.len() != known.len() {
        return Err(Error::malformed("an address of the shop's customer cannot be read"));
    }
    let any_default = wanted.iter().any(|address| address.default_billing || address.default_shipping);
    keep_one_default(&mut list, wanted);
    for wanted in wanted {
        let party = known.iter().position(|held| held.party.is_some() && held.party == wanted.party);
        let at = party.or_else(|| known.iter().position(|held| is_same_place(held, wanted)));
        let slot = at.and_then(|at| list.get_mut(at));
        if let Some(Value::Object(slot)) = slot {
            let held = at.and_then(|at| known.get(at)).cloned().unwrap_or_default();
            write_address(slot, wanted, &held, fields);
            if let Some(known) = at.and_then(|at| known.get_mut(at))
                && wanted.party.is_some()
            {
                // It is that party's now, and no second party's too.
                known.party.clone_from(&wanted.party);
            }
        } else {
            let mut slot = Map::new();
            write_address(&mut slot, wanted, &Address::default(), fields);
            if list.is_empty() && !any_default {
                slot.insert("default_billing".to_owned(), true.into());
                slot.insert("default_shipping".to_owned(), true.into());
            }
            list.push(Value::Object(slot));
            known.push(wanted.clone());
        }
    }
    object.insert("addresses".to_owned(), list.into());
    Ok(())
}

/// A default that is stated takes the mark from whichever address had it.
fn keep_one_default(list: &mut [Value], wanted: &[Address]) {
    let stated = [
        ("default_billing", wanted.iter().any(|address| address.default_billing)),
        ("default_shipping", wanted.iter().any(|address| address.default_shipping)),
    ];
    for (name, _) in stated.iter().filter(|(_, stated)| *stated) {
        for slot in list.iter_mut().filter_map(Value::as_object_mut) {
            slot.remove(*name);
        }
    }
}

/// The same person at the same place, whatever its telephone; two different ship-to parties are never the same.
fn is_same_place(held: &Address, wanted: &Address) -> bool {
    let parties_differ = held.party.is_some() && wanted.party.is_some() && held.party != wanted.party;
    let folded = |address: &Address| {
        let mut texts = vec![
            address.country.clone(),
            address.postcode.clone().unwrap_or_default(),
            address.city.clone(),
            // Where a name is one text, nobody knows which part of it was the family's.
            address.full_name(),
            address.company.clone().unwrap_or_default(),
        ];
        texts.extend(address.street.iter().cloned());
        texts.iter().map(|text| text.trim().to_lowercase()).collect::<Vec<_>>()
    };
    !parties_differ && folded(held) == folded(wanted)
}

/// Writes what is stated and differs from what is held, so that an equal address stays as the shop spells it.
fn write_address(slot: &mut Map<String, Value>, wanted: &Address, held: &Address, fields: &Fields) {
    let renamed = wanted.full_name() != held.full_name();
    let name = |name: fn(&Address) -> &String| renamed.then(|| name(wanted));
    let texts = [
        ("firstname", name(|address| &address.first_name), Some(&held.first_name)),
        ("lastname", name(|address| &address.last_name), Some(&held.last_name)),
        ("company", wanted.company.as_ref(), held.company.as_ref()),
        ("city", Some(&wanted.city), Some(&held.city)),
        ("postcode", wanted.postcode.as_ref(), held.postcode.as_ref()),
        ("country_id", Some(&wanted.country), Some(&held.country)),
        ("telephone", wanted.phone.as_ref(), held.phone.as_ref()),
        ("vat_id", wanted.vat_id.as_ref(), held.vat_id.as_ref()),
    ];
    for (name, stated, known) in texts {
        let stated = stated.and_then(|stated| filled(Some(stated)));
        if let Some(stated) = stated.filter(|stated| Some(stated) != known) {
            slot.insert(name.to_owned(), stated.into());
        }
    }
    if !wanted.street.is_empty() && wanted.street != held.street {
        slot.insert("street".to_owned(), json!(wanted.street));
    }
    if let Some(region) = wanted.region.as_ref().filter(|region| held.region.as_ref() != Some(region)) {
        slot.insert("region".to_owned(), json!({"region_code": region, "region": region}));
        slot.remove("region_id");
    }
    for (name, stated) in
        [("default_billing", wanted.default_billing), ("default_shipping", wanted.default_shipping)]
    {
        if stated {
            slot.insert(name.to_owned(), true.into());
        }
    }
    if let (Some(name), Some(party)) = (&fields.ship_to_party, &wanted.party)
        && held.party.as_ref() != Some(party)
    {
        set_attribute(slot, name, party);
    }
}

fn set_attribute(object: &mut Map<String, Value>, name: &str, value: &str) {
    let list = object.entry("custom_attributes").or_insert_with(|| json!([]));
    if !list.is_array() {
        *list = json!([]);
    }
    let Value::Array(list) = list else { return };
    let named = |item: &&mut Value| item.get("attribute_code").and_then(Value::as_str) == Some(name);
    if let Some(Value::Object(held)) = list.iter_mut().find(named) {
        held.insert("value".to_owned(), value.into());
    } else {
        list.push(json!({"attribute_code": name, "value": value}));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields() -> Fields {
        let named = |name: &str| Some(name.to_owned());
        Fields {
            customer_key: named("our_key"),
            customer_number: named("erp_number"),
            ship_to_party: named("erp_party"),
            ..Fields::default()
        }
    }

    fn held() -> Value {
        json!({
            "id": 7, "group_id": 1, "website_id": 1, "email": "Ada@example.test", "firstname": "Ada",
            "lastname": "Lane", "updated_at": "2026-01-02 03:04:05", "default_billing": "9", "unheard_of": {"a": 1},
            "addresses": [
                {"id": 9, "firstname": "Ada", "lastname": "Lane", "street": ["Main 1"], "city": "Bonn",
                 "postcode": "53111", "country_id": "DE", "telephone": "1", "default_billing": true},
                {"id": 10, "firstname": "Ada", "lastname": "Lane", "street": ["Quay 2"], "city": "Kiel",
                 "postcode": "24103", "country_id": "DE", "telephone": "2",
                 "custom_attributes": [{"attribute_code": "erp_party", "value": "P1"}]},
            ],
            "custom_attributes": [{"attribute_code": "theirs", "value": "x"}],
        })
    }

    fn wanted() -> Customer {
        Customer::new("erp:7".into(), CustomerKind::Person, "ada@EXAMPLE.test")
    }

    fn place(street: &str, city: &str, postcode: &str) -> Address {
        let address = Address::new("DE").with_name("Ada", "Lane");
        address.with_place(vec![street.to_owned()], city, postcode)
    }

    #[test]
    fn a_patch_that_states_nothing_changes_nothing() {
        let mut object = held();
        apply(&mut object, &wanted(), None, &fields()).unwrap();
        assert_eq!(object, held());
    }

    #[test]
    fn what_is_stated_is_written_and_the_rest_kept() {
        let mut wanted = wanted().with_name("Grace", "");
        wanted.external_id = Some("0000000042".to_owned());
        let mut object = held();
        apply(&mut object, &wanted, Some(&wanted.key), &fields()).unwrap();
        let mut expected = held();
        expected["firstname"] = "Grace".into();
        expected["custom_attributes"] = json!([
            {"attribute_code": "theirs", "value": "x"},
            {"attribute_code": "our_key", "value": "erp:7"},
            {"attribute_code": "erp_number", "value": "0000000042"},
        ]);
        assert_eq!(object, expected);
        // A customer that was born here comes back with our own key for a number, and with its own there.
        wanted.external_id = Some("shop:7".to_owned());
        wanted.native_id = Some(NativeId::from("43"));
        apply(&mut object, &wanted, Some(&wanted.key), &fields()).unwrap();
        expected["custom_attributes"][2]["value"] = "43".into();
        assert_eq!(object, expected);
        wanted.native_id = None;
        apply(&mut object, &wanted, Some(&wanted.key), &fields()).unwrap();
        assert_eq!(object, expected, "a key is no number");
        let other = Key::from("erp:8");
        let refused = apply(&mut object, &wanted, Some(&other), &fields()).unwrap_err();
        assert_eq!(refused.kind(), &ErrorKind::Conflict);
    }

    #[test]
    fn addresses_are_merged_and_none_is_dropped() {
        let mut moved = place("Pier 3", "Kiel", "24105");
        moved.party = Some("P1".to_owned());
        let same = place("MAIN 1", "Bonn", "53111");
        let mut fresh = place("Hill 4", "Ulm", "89073");
        fresh.region = Some("BW".to_owned());
        let mut object = held();
        let wanted = wanted().with_addresses(vec![moved, same, fresh.clone(), fresh]);
        apply(&mut object, &wanted, None, &fields()).unwrap();
        let list = object["addresses"].as_array().unwrap();
        let ids: Vec<_> = list.iter().map(|address| address["id"].as_i64()).collect();
        assert_eq!(ids, [Some(9), Some(10), None], "one was added, once");
        assert_eq!(list[0]["default_billing"], true);
        assert_eq!((&list[1]["city"], &list[1]["street"]), (&json!("Kiel"), &json!(["Pier 3"])));
        assert_eq!(list[1]["telephone"], "2");
        assert_eq!(list[2]["region"]["region_code"], "BW");
    }

    #[test]
    fn a_company_that_is_linked_to_an_account_renames_nobody() {
        let mut object = held();
        let before = (object["firstname"].clone(), object["lastname"].clone());
        let mut company = wanted().with_name("", "Lane Ltd");
        company.kind = CustomerKind::Company;
        apply(&mut object, &company, None, &fields()).unwrap();
        assert_eq!((object["firstname"].clone(), object["lastname"].clone()), before);
    }

    /// The other system keeps a name as one text, and splits it where it can.
    #[test]
    fn a_name_that_is_split_elsewhere_is_the_same_and_stays_as_the_shop_has_it() {
        let mut shown = place("Gate 1", "Bonn", "53111");
        (shown.first_name, shown.last_name) = ("Receiving".to_owned(), "Dock 1".to_owned());
        let mut object = held();
        apply(&mut object, &wanted().with_addresses(vec![shown.clone()]), None, &fields()).unwrap();
        let before = object.clone();
        (shown.first_name, shown.last_name) = ("Receiving Dock".to_owned(), "1".to_owned());
        let mut other = shown.clone();
        shown.party = Some("P7".to_owned());
        other.party = Some("P8".to_owned());
        let wanted = wanted().with_addresses(vec![shown, other]);
        for _ in 0..3 {
            apply(&mut object, &wanted, None, &fields()).unwrap();
        }
        let (list, old) = (object["addresses"].as_array().unwrap(), before["addresses"].as_array().unwrap());
        assert_eq!(list.len(), old.len() + 1, "a second party's is another one, once");
        let named = &list[old.len() - 1];
        assert_eq!((&named["firstname"], &named["lastname"]), (&json!("Receiving"), &json!("Dock 1")));
    }

    #[test]
    fn a_default_moves_only_where_one_is_stated() {
        let mut quay = place("Quay 2", "Kiel", "24103");
        quay.default_shipping = true;
        let mut object = held();
        object["addresses"][0]["default_shipping"] = true.into();
        apply(&mut object, &wanted().with_addresses(vec![quay]), None, &fields()).unwrap();
        let list = &object["addresses"];
        assert_eq!((&list[0]["default_billing"], list[0].get("default_shipping")), (&json!(true), None));
        assert_eq!((list[1].get("default_billing"), &list[1]["default_shipping"]), (None, &json!(true)));
        let row: CustomerRow = serde_json::from_str(&object.to_string()).unwrap();
        let read = customer(&row, &"shop".into(), "base", &fields()).unwrap();
        let marks: Vec<_> = read
            .addresses
            .iter()
            .map(|address| (address.default_billing, address.default_shipping))
            .collect();
        assert_eq!(marks, [(true, false), (false, true)]);
    }

    #[test]
    fn a_row_is_read_with_its_numbers() {
        let mut object = held();
        set_attribute(object.as_object_mut().unwrap(), "erp_number", "42");
        let row: CustomerRow = serde_json::from_str(&object.to_string()).unwrap();
        let read = customer(&row, &"shop".into(), "base", &fields()).unwrap();
        assert_eq!((read.key.as_str(), read.scope.as_str()), ("shop:7", "base"));
        assert_eq!(read.external_id.as_deref(), Some("42"));
        assert_eq!(read.addresses[1].party.as_deref(), Some("P1"));
        let nameless = CustomerRow { email: None, ..row };
        assert!(customer(&nameless, &"shop".into(), "base", &fields()).unwrap_err().contains("email"));
    }
}
