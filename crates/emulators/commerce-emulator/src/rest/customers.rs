//! Customers, groups and companies.

use super::input::Input;
use super::{Call, object};
use crate::php::Refusal;
use crate::rows::{Address, Company, Customer, Group};
use crate::search::{Cell, Row};
use crate::state::{Change, Shop};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const CUSTOMER: &str = "Magento\\Customer\\Api\\Data\\CustomerInterface";
const KNOWN: &[&str] = &[
    "id",
    "group_id",
    "default_billing",
    "default_shipping",
    "confirmation",
    "created_at",
    "updated_at",
    "created_in",
    "dob",
    "email",
    "firstname",
    "lastname",
    "middlename",
    "prefix",
    "suffix",
    "gender",
    "store_id",
    "taxvat",
    "website_id",
    "addresses",
    "disable_auto_group_change",
    "custom_attributes",
];
const ADDRESS: &str = "Magento\\Customer\\Api\\Data\\AddressInterface";
const ADDRESS_KNOWN: &[&str] = &[
    "id",
    "customer_id",
    "region",
    "region_id",
    "country_id",
    "street",
    "company",
    "telephone",
    "fax",
    "postcode",
    "city",
    "firstname",
    "lastname",
    "middlename",
    "prefix",
    "suffix",
    "vat_id",
    "default_shipping",
    "default_billing",
    "custom_attributes",
];

pub(super) fn search(call: &Call<'_>) -> Result<Value, Refusal> {
    call.read(|shop| call.search(shop.customers.values(), false, |customer| customer_json(shop, customer)))
}

pub(super) fn get(call: &Call<'_>, id: i64) -> Result<Value, Refusal> {
    call.read(|shop| {
        let customer = shop.customers.get(&id).ok_or_else(|| no_such("customerId", id))?;
        Ok(customer_json(shop, customer))
    })
}

fn no_such(field: &str, value: i64) -> Refusal {
    Refusal::new(404, "No such entity with %fieldName = %fieldValue")
        .with(json!({ "fieldName": field, "fieldValue": value }))
}

pub(super) fn create(call: &Call<'_>) -> Result<Value, Refusal> {
    let body = call.body()?;
    let input = Input::nested(body.need("customer")?, CUSTOMER, KNOWN)?;
    let id = call.world.commit(|shop| {
        let store_id = input.int("store_id")?.unwrap_or(1);
        let website_id =
            input.int("website_id")?.or_else(|| shop.store_by_id(store_id).map(|store| store.website_id));
        let now = call.world.now();
        let blank = Customer {
            id: shop.customers.keys().next_back().copied().unwrap_or_default() + 1,
            website_id: website_id.unwrap_or(1),
            store_id,
            group_id: 1,
            email: String::new(),
            firstname: String::new(),
            lastname: String::new(),
            taxvat: None,
            addresses: Vec::new(),
            default_billing: None,
            default_shipping: None,
            custom_attributes: BTreeMap::new(),
            company_id: None,
            created_at: now,
            updated_at: now,
        };
        let customer = fill(shop, blank, &input)?;
        let id = customer.id;
        Ok::<_, Refusal>((vec![Change::Customer(Box::new(customer))], id))
    })?;
    get(call, id)
}

pub(super) fn update(call: &Call<'_>, id: i64) -> Result<Value, Refusal> {
    let body = call.body()?;
    let input = Input::nested(body.need("customer")?, CUSTOMER, KNOWN)?;
    call.world.commit(|shop| {
        let old = shop.customers.get(&id).ok_or_else(|| no_such("customerId", id))?;
        let mut customer = fill(shop, old.clone(), &input)?;
        customer.updated_at = call.world.now();
        Ok::<_, Refusal>((vec![Change::Customer(Box::new(customer))], ()))
    })?;
    get(call, id)
}

fn fill(shop: &Shop, mut customer: Customer, input: &Input) -> Result<Customer, Refusal> {
    let mut missing = Vec::new();
    for (name, slot) in [
        ("email", &mut customer.email),
        ("firstname", &mut customer.firstname),
        ("lastname", &mut customer.lastname),
    ] {
        if let Some(text) = input.text(name)? {
            *slot = text;
        }
        if slot.trim().is_empty() {
            missing.push(Refusal::required(name).body);
        }
    }
    match missing.len() {
        0 => {}
        1 => return Err(Refusal { status: 400, body: missing.remove(0) }),
        _ => return Err(Refusal::bad("One or more input exceptions have occurred.").with_errors(missing)),
    }
    if !customer.email.contains('@') {
        return Err(Refusal::bad("\"%fieldName\" is not a valid email address.")
            .with(json!({ "fieldName": "email" })));
    }
    let taken = shop.customers.values().any(|other| {
        other.id != customer.id
            && other.website_id == customer.website_id
            && other.email.eq_ignore_ascii_case(&customer.email)
    });
    if taken {
        return Err(Refusal::bad(
            "A customer with the same email address already exists in an associated website.",
        ));
    }
    if let Some(group) = input.int("group_id")? {
        if !shop.groups.contains_key(&group) {
            return Err(no_such("id", group));
        }
        customer.group_id = group;
    }
    if let Some(taxvat) = input.text("taxvat")? {
        customer.taxvat = Some(taxvat).filter(|text| !text.is_empty());
    }
    for attribute in input.list("custom_attributes")? {
        let attribute = Input::nested(
            attribute,
            "Magento\\Framework\\Api\\AttributeValue",
            &["attribute_code", "value"],
        )?;
        let code = attribute.text("attribute_code")?.unwrap_or_default();
        let Some(value) = attribute.text("value")? else {
            return Err(Refusal::bad("Value is not set for attribute code \"%1\"").with(json!([code])));
        };
        if value.is_empty() {
            customer.custom_attributes.remove(&code);
        } else {
            customer.custom_attributes.insert(code, value);
        }
    }
    if input.get("addresses").is_some() {
        replace_addresses(shop, &mut customer, input.list("addresses")?)?;
    }
    Ok(customer)
}

/// The list that is given is the final state: addresses that it does not name are deleted.
fn replace_addresses(shop: &Shop, customer: &mut Customer, rows: &[Value]) -> Result<(), Refusal> {
    let mut next = shop.next_customer_address();
    let mut list = Vec::new();
    customer.default_billing = None;
    customer.default_shipping = None;
    for row in rows {
        let input = Input::nested(row, ADDRESS, ADDRESS_KNOWN)?;
        let id = match input.int("id")? {
            Some(id) if customer.addresses.iter().any(|address| address.id == id) => id,
            Some(id) => return Err(no_such("addressId", id)),
            None => {
                next += 1;
                next - 1
            }
        };
        if input.flag("default_billing")? {
            customer.default_billing = Some(id);
        }
        if input.flag("default_shipping")? {
            customer.default_shipping = Some(id);
        }
        list.push(read_address(&input, id)?);
    }
    customer.addresses = list;
    Ok(())
}

fn read_address(input: &Input, id: i64) -> Result<Address, Refusal> {
    let need = |name: &str| {
        input.text(name)?.filter(|text| !text.trim().is_empty()).ok_or_else(|| Refusal::required(name))
    };
    let street: Vec<String> =
        input.list("street")?.iter().filter_map(|line| line.as_str().map(str::to_owned)).collect();
    if street.iter().all(|line| line.trim().is_empty()) {
        return Err(Refusal::required("street"));
    }
    let region = input.get("region").cloned().unwrap_or_default();
    let text = |name: &str| region.get(name).and_then(Value::as_str).map(str::to_owned);
    let mut erp_party = None;
    for attribute in input.list("custom_attributes")? {
        if attribute.get("attribute_code").and_then(Value::as_str) == Some("erp_party") {
            erp_party = attribute.get("value").and_then(Value::as_str).map(str::to_owned);
        }
    }
    Ok(Address {
        id,
        customer_address_id: None,
        firstname: need("firstname")?,
        lastname: need("lastname")?,
        company: input.text("company")?,
        street,
        city: need("city")?,
        region: text("region"),
        region_code: text("region_code"),
        region_id: input.int("region_id")?.or_else(|| region.get("region_id").and_then(Value::as_i64)),
        postcode: input.text("postcode")?,
        country_id: need("country_id")?,
        telephone: need("telephone")?,
        erp_party,
    })
}

fn customer_json(shop: &Shop, customer: &Customer) -> Value {
    let addresses: Vec<Value> =
        customer.addresses.iter().map(|address| address_json(customer, address)).collect();
    let attributes: Vec<Value> = customer
        .custom_attributes
        .iter()
        .map(|(code, value)| json!({ "attribute_code": code, "value": value }))
        .collect();
    let mut extension = json!({ "is_subscribed": false });
    if let Some(company_id) = customer.company_id {
        extension["company_attributes"] = json!({
            "customer_id": customer.id,
            "company_id": company_id,
            "status": 1,
            "is_default": true,
        });
    }
    let store = shop.store_by_id(customer.store_id).map(|store| store.name.clone());
    Value::Object(object([
        ("id", customer.id.into()),
        ("group_id", customer.group_id.into()),
        // Address ids are strings here.
        ("default_billing", customer.default_billing.map(|id| id.to_string()).into()),
        ("default_shipping", customer.default_shipping.map(|id| id.to_string()).into()),
        ("created_at", customer.created_at.to_utc_text().into()),
        ("updated_at", customer.updated_at.to_utc_text().into()),
        ("created_in", store.into()),
        ("email", customer.email.as_str().into()),
        ("firstname", customer.firstname.as_str().into()),
        ("lastname", customer.lastname.as_str().into()),
        ("taxvat", customer.taxvat.clone().into()),
        ("store_id", customer.store_id.into()),
        ("website_id", customer.website_id.into()),
        ("addresses", addresses.into()),
        ("disable_auto_group_change", 0.into()),
        ("extension_attributes", extension),
        ("custom_attributes", if attributes.is_empty() { Value::Null } else { attributes.into() }),
    ]))
}

fn address_json(customer: &Customer, address: &Address) -> Value {
    let is = |id: Option<i64>| if id == Some(address.id) { Value::Bool(true) } else { Value::Null };
    let party =
        address.erp_party.as_ref().map(|party| json!([{ "attribute_code": "erp_party", "value": party }]));
    Value::Object(object([
        ("id", address.id.into()),
        ("customer_id", customer.id.into()),
        (
            "region",
            json!({
                "region_code": address.region_code,
                "region": address.region,
                "region_id": address.region_id.unwrap_or_default(),
            }),
        ),
        ("region_id", address.region_id.unwrap_or_default().into()),
        ("country_id", address.country_id.as_str().into()),
        ("street", address.street.clone().into()),
        ("company", address.company.clone().into()),
        ("telephone", address.telephone.as_str().into()),
        ("postcode", address.postcode.clone().into()),
        ("city", address.city.as_str().into()),
        ("firstname", address.firstname.as_str().into()),
        ("lastname", address.lastname.as_str().into()),
        ("default_shipping", is(customer.default_shipping)),
        ("default_billing", is(customer.default_billing)),
        ("custom_attributes", party.unwrap_or_default()),
    ]))
}

pub(super) fn groups(call: &Call<'_>) -> Result<Value, Refusal> {
    call.read(|shop| {
        call.search(shop.groups.values(), false, |group| {
            json!({ "id": group.id, "code": group.code, "tax_class_id": 3, "tax_class_name": "Retail Customer" })
        })
    })
}

pub(super) fn companies(call: &Call<'_>) -> Result<Value, Refusal> {
    call.read(|shop| call.search(shop.companies.values(), false, company_json))
}

pub(super) fn company(call: &Call<'_>, id: i64) -> Result<Value, Refusal> {
    call.read(|shop| shop.companies.get(&id).map(company_json).ok_or_else(|| no_such("id", id)))
}

fn company_json(company: &Company) -> Value {
    let address = &company.address;
    json!({
        "id": company.id,
        "status": 1,
        "company_name": company.name,
        "legal_name": company.name,
        "company_email": company.email,
        "reseller_id": company.reseller_id,
        "street": address.street,
        "city": address.city,
        "country_id": address.country_id,
        "region": address.region,
        "region_id": address.region_id.map(|id| id.to_string()),
        "postcode": address.postcode,
        "telephone": address.telephone,
        "customer_group_id": company.group_id,
        "sales_representative_id": 1,
        "reject_reason": null,
        "rejected_at": null,
        "super_user_id": company.super_user_id,
        "extension_attributes": {
            "applicable_payment_method": 2,
            "available_payment_methods": "companycredit,purchaseorder",
            "is_purchase_order_enabled": true,
        },
    })
}

impl Row for Customer {
    fn cell(&self, column: &str) -> Option<Cell> {
        let billing =
            self.default_billing.and_then(|id| self.addresses.iter().find(|address| address.id == id));
        Some(match column {
            "entity_id" | "id" => self.id.into(),
            "email" => self.email.as_str().into(),
            "firstname" => self.firstname.as_str().into(),
            "lastname" => self.lastname.as_str().into(),
            "group_id" => self.group_id.into(),
            "website_id" => self.website_id.into(),
            "store_id" => self.store_id.into(),
            "taxvat" => self.taxvat.as_deref().into(),
            "created_at" => self.created_at.to_utc_text().as_str().into(),
            "updated_at" => self.updated_at.to_utc_text().as_str().into(),
            "billing_postcode" => billing.and_then(|address| address.postcode.as_deref()).into(),
            "billing_telephone" => billing.map(|address| address.telephone.as_str()).into(),
            other => {
                return self
                    .custom_attributes
                    .get(other)
                    .map(|value| value.as_str().into())
                    .or_else(|| (other == "erp_account").then_some(Cell::Null));
            }
        })
    }

    fn id(&self) -> i64 {
        self.id
    }
}

impl Row for Group {
    fn cell(&self, column: &str) -> Option<Cell> {
        Some(match column {
            "id" | "customer_group_id" => self.id.into(),
            "code" | "customer_group_code" => self.code.as_str().into(),
            _ => return None,
        })
    }

    fn id(&self) -> i64 {
        self.id
    }
}

impl Row for Company {
    fn cell(&self, column: &str) -> Option<Cell> {
        Some(match column {
            "entity_id" | "id" => self.id.into(),
            "company_name" => self.name.as_str().into(),
            "company_email" => self.email.as_str().into(),
            "reseller_id" => self.reseller_id.as_deref().into(),
            "customer_group_id" => self.group_id.into(),
            "status" => 1.into(),
            _ => return None,
        })
    }

    fn id(&self) -> i64 {
        self.id
    }
}
