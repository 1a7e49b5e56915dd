//! Business partners, and the customers that they become.

use crate::deep::Node;
use crate::env::Env;
use crate::meta::{Nav, SetMeta};
use crate::refusal::Refusal;
use crate::state::Draft;
use crate::value::{FOREVER, Fields as _, Row, Val, day_of, time_of};

/// The roles that make a partner a customer.
const CUSTOMER_ROLES: [&str; 2] = ["FLCU00", "FLCU01"];

/// Creates a business partner with what hangs below it, or one of the parts that may be posted by themselves.
pub(crate) fn create(draft: &mut Draft<'_>, env: &Env<'_>, set: &str, node: &Node) -> Result<Row, Refusal> {
    if set != "A_BusinessPartner" {
        return part(draft, env, set, node);
    }
    let mut row = node.row.clone();
    match row.text("BusinessPartnerCategory") {
        "1" if row.text("LastName").is_empty() => return Err(required("LastName")),
        "2" if row.text("OrganizationBPName1").is_empty() => return Err(required("OrganizationBPName1")),
        "1" | "2" | "3" => {}
        _ => return Err(required("BusinessPartnerCategory")),
    }
    if !row.text("BusinessPartner").is_empty() {
        let text = "The number range of this grouping does not allow external numbers";
        return Err(Refusal::business("R1/104", text).on("BusinessPartner"));
    }
    let number = draft.next("partner", 10_000_000).to_string();
    row.set_text("BusinessPartner", &number);
    let name = match row.text("BusinessPartnerCategory") {
        "1" => format!("{} {}", row.text("FirstName"), row.text("LastName")).trim().to_owned(),
        _ => row.text("OrganizationBPName1").to_owned(),
    };
    row.set_text("BusinessPartnerFullName", &name);
    row.set_text("BusinessPartnerName", &name);
    row.set_text("CreatedByUser", env.user);
    row.set_date("CreationDate", day_of(env.now));
    row.insert("CreationTime".to_owned(), Val::T(time_of(env.now)));
    stamp(&mut row, env);
    let roles = node.children("to_BusinessPartnerRole");
    let customer = roles.iter().any(|role| CUSTOMER_ROLES.contains(&role.row.text("BusinessPartnerRole")));
    if !customer && !node.children("to_Customer").is_empty() {
        let text = "Customer data needs the role FLCU00 or FLCU01";
        return Err(Refusal::business("CVI_API/009", text).on("to_Customer"));
    }
    if customer {
        row.set_text("Customer", &number);
        make_customer(draft, env, &number, &name);
    }
    draft.put("A_BusinessPartner", row.clone());
    below(draft, env, &row, node)?;
    Ok(row)
}

fn required(name: &str) -> Refusal {
    Refusal::business("R11/401", format!("{name} is a required field")).on(name)
}

fn stamp(row: &mut Row, env: &Env<'_>) {
    row.set_date("LastChangeDate", day_of(env.now));
    row.insert("LastChangeTime".to_owned(), Val::T(time_of(env.now)));
    row.set_text("LastChangedByUser", env.user);
    row.set_text(
        "ETag",
        format!("{}{:06}", env.user, env.now.as_micros()).chars().take(26).collect::<String>(),
    );
}

fn make_customer(draft: &mut Draft<'_>, env: &Env<'_>, number: &str, name: &str) {
    if draft.find("A_Customer", &[number]).is_some() {
        return;
    }
    let mut customer = Row::new();
    customer.set_text("Customer", number);
    customer.set_text("CustomerName", name);
    customer.set_text("CustomerFullName", name);
    customer.set_text("CustomerAccountGroup", "CUST");
    customer.set_text("CreatedByUser", env.user);
    customer.set_date("CreationDate", day_of(env.now));
    draft.put("A_Customer", customer);
}

fn below(draft: &mut Draft<'_>, env: &Env<'_>, parent: &Row, node: &Node) -> Result<(), Refusal> {
    for (nav, nodes) in &node.children {
        for child in nodes {
            insert(draft, env, parent, nav, child)?;
        }
    }
    Ok(())
}

/// Adds an entity under its parent; answers it.
pub(crate) fn insert(
    draft: &mut Draft<'_>,
    env: &Env<'_>,
    parent: &Row,
    nav: &Nav,
    node: &Node,
) -> Result<Row, Refusal> {
    let mut row = node.row.clone();
    for (from, to) in &nav.join {
        let given = row.text(to);
        if !given.is_empty() && given != parent.text(from) {
            return Err(Refusal::business("R11/402", format!("{to} differs from its parent")).on(to));
        }
        row.set_text(to, parent.text(from));
    }
    if nav.target == "A_Customer" {
        let stored = draft.find("A_Customer", &[parent.text("Customer")]).unwrap_or_default();
        let mut customer = Row::clone(&stored);
        customer.extend(row);
        draft.put("A_Customer", customer.clone());
        below(draft, env, &customer, node)?;
        return Ok(customer);
    }
    let complete = Node { row, children: Vec::new() };
    let row = part(draft, env, nav.target, &complete)?;
    below(draft, env, &row, node)?;
    Ok(row)
}

fn part(draft: &mut Draft<'_>, env: &Env<'_>, name: &str, node: &Node) -> Result<Row, Refusal> {
    let mut row = node.row.clone();
    let owner = row.text("BusinessPartner").to_owned();
    if crate::meta::set(name).prop("BusinessPartner").is_some_and(|prop| prop.key)
        && draft.find("A_BusinessPartner", &[&owner]).is_none()
    {
        return Err(Refusal::business("R11/012", format!("Business partner {owner} does not exist"))
            .on("BusinessPartner"));
    }
    match name {
        "A_BusinessPartnerAddress" => {
            if row.text("Country").is_empty() {
                return Err(required("Country"));
            }
            if row.text("AddressID").is_empty() {
                row.set_text("AddressID", draft.next("address", 20_000).to_string());
            }
        }
        "A_AddressEmailAddress" | "A_AddressPhoneNumber" => {
            let taken = draft.scan(name, &[row.text("AddressID")]).len();
            if row.text("OrdinalNumber").is_empty() {
                row.set_text("OrdinalNumber", (taken + 1).to_string());
            }
            if name == "A_AddressEmailAddress" {
                let search: String = row.text("EmailAddress").to_uppercase().chars().take(20).collect();
                row.set_text("SearchEmailAddress", search);
            }
        }
        "A_BuPaAddressUsage" if !row.contains_key("ValidityEndDate") => {
            row.insert("ValidityEndDate".to_owned(), Val::Off(FOREVER * 1000));
        }
        "A_BusinessPartnerRole" => become_customer(draft, env, &owner, row.text("BusinessPartnerRole")),
        "A_CustomerSalesArea" => sales_area(draft, &row)?,
        _ => {}
    }
    let set = crate::meta::set(name);
    if let Some(missing) =
        set.keys().find(|prop| row.text(prop.name).is_empty() && !may_be_empty(prop.name, &row))
    {
        return Err(required(missing.name));
    }
    if draft.get(name, &set.key(&row)).is_some() {
        return Err(Refusal::business("R11/404", format!("The entry exists already in {name}")));
    }
    draft.put(name, row.clone());
    Ok(row)
}

/// Keys that are initial by right, or are no text.
fn may_be_empty(name: &str, row: &Row) -> bool {
    matches!(name, "Person" | "PartnerCounter") || row.contains_key(name)
}

fn become_customer(draft: &mut Draft<'_>, env: &Env<'_>, owner: &str, role: &str) {
    let Some(partner) = draft.find("A_BusinessPartner", &[owner]) else { return };
    if CUSTOMER_ROLES.contains(&role) && partner.text("Customer").is_empty() {
        let mut partner = Row::clone(&partner);
        partner.set_text("Customer", owner);
        stamp(&mut partner, env);
        make_customer(draft, env, owner, partner.text("BusinessPartnerFullName"));
        draft.put("A_BusinessPartner", partner);
    }
}

/// A customer's sales area: it must be one of the company's, and its partners default to the customer itself.
fn sales_area(draft: &mut Draft<'_>, row: &Row) -> Result<(), Refusal> {
    let customer = row.text("Customer");
    let area = [row.text("SalesOrganization"), row.text("DistributionChannel"), row.text("Division")];
    if draft.setting(&format!("area/{}", area.join("/"))).is_none() {
        let text = format!("Sales area {} is not defined", area.join(" "));
        return Err(Refusal::business("V1/312", text).on("SalesOrganization"));
    }
    if draft.find("A_Customer", &[customer]).is_none() {
        return Err(Refusal::business("F2/153", format!("Customer {customer} does not exist")).on("Customer"));
    }
    if row.text("Currency").is_empty() {
        return Err(required("Currency"));
    }
    Ok(())
}

/// Stores a changed entity and marks its partner as changed.
pub(crate) fn change(draft: &mut Draft<'_>, env: &Env<'_>, set: &SetMeta, mut row: Row) {
    if set.name == "A_BusinessPartner" {
        stamp(&mut row, env);
    }
    draft.put(set.name, row);
}
