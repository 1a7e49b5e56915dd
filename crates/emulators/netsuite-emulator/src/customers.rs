//! Customers: what NetSuite fills in, refuses and keeps in order, and what people do with them in the interface.

use crate::doc::{Doc, Val};
use crate::records::Ask;
use crate::refusal::Refusal;
use crate::state::{Change, Stored};
use crate::world::NetsuiteWorld;
use erp_core::Decimal;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many characters the fields hold.
const LENGTHS: [(&str, usize); 4] =
    [("firstName", 32), ("lastName", 32), ("companyName", 83), ("email", 254)];
const ADDRESS_LENGTHS: [(&str, usize); 6] =
    [("addressee", 150), ("attention", 150), ("addr1", 150), ("addr2", 150), ("addr3", 150), ("city", 150)];
/// With this setting people number customers themselves, and a customer's name is its number if nobody states one.
pub(crate) const OWN_NUMBERS: &str = "own-customer-numbers";

/// What of a customer follows from the rest.
pub(crate) fn settle(ask: Ask<'_>, id: u64, doc: &mut Doc, before: Option<&Doc>) -> Result<(), Refusal> {
    let person = doc.flag("isPerson");
    let name = if person {
        if doc.text("lastName").is_empty() {
            return Err(Refusal::at("lastName", "Please enter value(s) for: Last Name."));
        }
        format!("{} {}", doc.text("firstName"), doc.text("lastName"))
    } else {
        doc.text("companyName").to_owned()
    };
    if name.trim().is_empty() {
        return Err(Refusal::at("companyName", "Please enter value(s) for: Company Name."));
    }
    measure(doc)?;
    if doc.text("subsidiary").is_empty() {
        if ask.world.table("subsidiary").count() > 1 {
            return Err(Refusal::at("subsidiary", "Please enter value(s) for: Primary Subsidiary."));
        }
        if let Some((id, _)) = ask.world.table("subsidiary").next() {
            doc.set("subsidiary", Val::Ref(id.to_string()));
        }
    }
    if doc.text("currency").is_empty()
        && let Some((id, _)) = ask.world.table("currency").next()
    {
        doc.set("currency", Val::Ref(id.to_string()));
    }
    if doc.text("stage").is_empty() {
        doc.set("stage", Val::Ref("CUSTOMER".to_owned()));
    }
    number(ask, id, doc, name.trim())?;
    settle_book(id, doc, before);
    Ok(())
}

fn too_long(path: String, field: &str, most: usize) -> Refusal {
    Refusal::at(
        path,
        format!("The field {field} contained more than the maximum number ( {most} ) of characters allowed."),
    )
}

fn measure(doc: &Doc) -> Result<(), Refusal> {
    for (field, most) in LENGTHS {
        if doc.text(field).chars().count() > most {
            return Err(too_long(field.to_owned(), field, most));
        }
    }
    for (at, line) in doc.lines("addressBook").iter().enumerate() {
        let Some(Val::Sub(address)) = line.0.get("addressBookAddress") else { continue };
        for (field, most) in ADDRESS_LENGTHS {
            if address.text(field).chars().count() > most {
                let path = format!("addressBook.items[{at}].addressBookAddress.{field}");
                return Err(too_long(path, field, most));
            }
        }
    }
    Ok(())
}

fn number(ask: Ask<'_>, id: u64, doc: &mut Doc, name: &str) -> Result<(), Refusal> {
    if !doc.text("entityId").is_empty() {
        return Ok(());
    }
    if !ask.world.has(OWN_NUMBERS) {
        doc.set("entityId", Val::Text(format!("CUST{id} {name}")));
        return Ok(());
    }
    let taken = |(at, stored): (u64, &Arc<Stored>)| {
        at != id && stored.doc.text("entityId").eq_ignore_ascii_case(name)
    };
    if ask.world.table("customer").any(taken) {
        return Err(Refusal::new(
            400,
            "UNIQUE_CUST_ID_REQD",
            "A customer record with this ID already exists. You must enter a unique customer ID for each record you create.",
        ));
    }
    doc.set("entityId", Val::Text(name.to_owned()));
    Ok(())
}

/// Ids of lines, unique in the account; and at most one default of each kind, the one that was marked last.
fn settle_book(id: u64, doc: &mut Doc, before: Option<&Doc>) {
    let held = before.map(|before| before.lines("addressBook").to_vec()).unwrap_or_default();
    let lines = doc.lines_mut("addressBook");
    let mut next = Decimal::from(id) * Decimal::ONE_THOUSAND + Decimal::ONE;
    for line in lines.iter() {
        next = next.max(line.num("id") + Decimal::ONE);
    }
    for line in lines.iter_mut().filter(|line| !line.has("id")) {
        line.set("id", Val::Num(next));
        next += Decimal::ONE;
    }
    for line in lines.iter_mut() {
        let own = line.num("id");
        line.set("internalId", Val::Num(own));
        line.set("addressId", Val::Text(own.normalize().to_string()));
    }
    for name in ["defaultBilling", "defaultShipping"] {
        let had = |line: &Doc| held.iter().any(|old| old.num("id") == line.num("id") && old.flag(name));
        let marked: Vec<Decimal> =
            lines.iter().filter(|line| line.flag(name)).map(|line| line.num("id")).collect();
        let fresh = lines.iter().rev().find(|line| line.flag(name) && !had(line)).map(|line| line.num("id"));
        let Some(keeps) = fresh.or(marked.first().copied()) else { continue };
        for line in lines.iter_mut().filter(|line| line.flag(name) && line.num("id") != keeps) {
            line.set(name, Val::Flag(false));
        }
    }
}

/// A customer as it stands in the account.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CustomerView {
    /// Internal id.
    pub id: u64,
    /// Fields that are texts or references, by their vendor's names.
    pub fields: BTreeMap<String, String>,
    /// Whether it is a person.
    pub person: bool,
    /// Whether it is inactive.
    pub inactive: bool,
    /// Its address book.
    pub book: Vec<BookLine>,
}

impl CustomerView {
    /// A field's text, `""` if it has none.
    pub fn text(&self, field: &str) -> &str {
        self.fields.get(field).map_or("", String::as_str)
    }
}

/// A line of an address book.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BookLine {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub label: String,
    /// Whether bills go there.
    pub billing: bool,
    /// Whether parcels go there.
    pub shipping: bool,
    /// The address's fields, by their vendor's names.
    pub address: BTreeMap<String, String>,
}

fn texts(doc: &Doc) -> BTreeMap<String, String> {
    let text = |(name, value): (&String, &Val)| match value {
        Val::Text(text) | Val::Ref(text) => Some((name.clone(), text.clone())),
        _ => None,
    };
    doc.0.iter().filter_map(text).collect()
}

fn view(id: u64, doc: &Doc) -> CustomerView {
    let line = |line: &Doc| BookLine {
        id: line.text("addressId").to_owned(),
        label: line.text("label").to_owned(),
        billing: line.flag("defaultBilling"),
        shipping: line.flag("defaultShipping"),
        address: match line.0.get("addressBookAddress") {
            Some(Val::Sub(address)) => texts(address),
            _ => BTreeMap::new(),
        },
    };
    CustomerView {
        id,
        fields: texts(doc),
        person: doc.flag("isPerson"),
        inactive: doc.flag("isInactive"),
        book: doc.lines("addressBook").iter().map(line).collect(),
    }
}

impl NetsuiteWorld {
    /// All customers, leads and prospects, by internal id.
    pub fn customers(&self) -> Vec<CustomerView> {
        self.0.store.read(|world| world.table("customer").map(|(id, stored)| view(id, &stored.doc)).collect())
    }

    /// The customer of this internal id.
    pub fn customer(&self, id: u64) -> Option<CustomerView> {
        self.0.store.read(|world| world.get("customer", id).map(|stored| view(id, &stored.doc)))
    }

    /// Changes a text of a customer by hand; an empty one clears the field.
    ///
    /// # Errors
    /// What NetSuite would say.
    pub fn set_customer(&self, id: u64, field: &str, text: &str) -> Result<(), String> {
        self.by_hand(id, |doc| doc.set(field, Val::Text(text.to_owned())))
    }

    /// Makes a customer inactive, or active.
    ///
    /// # Errors
    /// What NetSuite would say.
    pub fn set_customer_inactive(&self, id: u64, inactive: bool) -> Result<(), String> {
        self.by_hand(id, |doc| doc.set("isInactive", Val::Flag(inactive)))
    }

    /// Sets how far somebody is on the way to buying: `LEAD`, `PROSPECT` or `CUSTOMER`.
    ///
    /// # Errors
    /// What NetSuite would say.
    pub fn set_stage(&self, id: u64, stage: &str) -> Result<(), String> {
        self.by_hand(id, |doc| doc.set("stage", Val::Ref(stage.to_owned())))
    }

    /// Adds an address to a customer's book by hand, with fields by their vendor's names.
    ///
    /// # Errors
    /// What NetSuite would say.
    pub fn add_address(&self, id: u64, label: &str, fields: &[(&str, &str)]) -> Result<(), String> {
        let address = fields.iter().fold(Doc::default(), |doc, (name, text)| match *name {
            "country" => doc.with_ref(name, text),
            _ => doc.with_text(name, text),
        });
        let line = Doc::default().with_text("label", label).with("addressBookAddress", Val::Sub(address));
        self.by_hand(id, |doc| doc.lines_mut("addressBook").push(line))
    }

    /// Merges a customer into another, as the page for duplicates does: it is deleted, its book and its external id with it.
    pub fn merge_customer(&self, id: u64) {
        self.delete("customer", id);
    }

    /// Takes a column away from a table of SuiteQL, as a feature that is switched off does, or gives it back.
    pub fn hide_column(&self, table: &str, column: &str, hidden: bool) {
        self.set(format!("column/{table}/{column}"), hidden.then_some("yes"));
    }

    fn by_hand(&self, id: u64, with: impl FnOnce(&mut Doc)) -> Result<(), String> {
        self.decide(|ask| {
            let held = ask.world.get("customer", id).ok_or_else(|| Refusal::user("no such customer"))?;
            let mut doc = held.doc.clone();
            with(&mut doc);
            doc.strip();
            settle(ask, id, &mut doc, Some(&held.doc))?;
            let stored = Stored { doc, created: held.created, modified: ask.now };
            Ok((vec![Change::Put("customer".to_owned(), id, Box::new(stored))], ()))
        })
    }
}
