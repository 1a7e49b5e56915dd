//! A sales order by SOAP: read as strictly as the schema says, and made what the record service would get.
//!
//! Elements and their order are those of the schemas transactions.sales and platform.common; those that integrations of a
//! shop do not send are not here.

use super::tree::{Name, Node};
use super::{COMMON, CORE, SALES, country};
use crate::doc::{object_of, quoted};
use crate::refusal::Refusal;
use crate::state::World;
use erp_core::exact;
use erp_core::time::Timestamp;

/// What the reader of XML refuses: it ends the whole request.
pub(super) struct Unreadable(pub(super) String);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Text,
    Number,
    Flag,
    Day,
    Ref,
    Status,
    Address,
    Items,
    Custom,
}

/// Elements in the order in which they must come. `itemList` is called `item` by REST.
const ORDER: &[(&str, Shape)] = &[
    ("customForm", Shape::Ref),
    ("entity", Shape::Ref),
    ("currency", Shape::Ref),
    ("tranDate", Shape::Day),
    ("orderStatus", Shape::Status),
    ("otherRefNum", Shape::Text),
    ("memo", Shape::Text),
    ("discountItem", Shape::Ref),
    ("discountRate", Shape::Number),
    ("email", Shape::Text),
    ("billingAddress", Shape::Address),
    ("shippingAddress", Shape::Address),
    ("shipMethod", Shape::Ref),
    ("shippingCost", Shape::Number),
    ("shippingTax1Rate", Shape::Number),
    ("shippingTaxCode", Shape::Ref),
    ("handlingCost", Shape::Number),
    ("paymentMethod", Shape::Ref),
    ("class", Shape::Ref),
    ("department", Shape::Ref),
    ("subsidiary", Shape::Ref),
    ("location", Shape::Ref),
    ("terms", Shape::Ref),
    ("itemList", Shape::Items),
    ("customFieldList", Shape::Custom),
];

const ITEM: &[(&str, Shape)] = &[
    ("item", Shape::Ref),
    ("quantity", Shape::Number),
    ("units", Shape::Ref),
    ("description", Shape::Text),
    ("price", Shape::Ref),
    ("rate", Shape::Number),
    ("amount", Shape::Number),
    ("isTaxable", Shape::Flag),
    ("department", Shape::Ref),
    ("class", Shape::Ref),
    ("location", Shape::Ref),
    ("isClosed", Shape::Flag),
    ("grossAmt", Shape::Number),
    ("line", Shape::Number),
    ("taxCode", Shape::Ref),
    ("taxRate1", Shape::Number),
    ("customFieldList", Shape::Custom),
];

const ADDRESS: [&str; 10] =
    ["country", "attention", "addressee", "addrPhone", "addr1", "addr2", "addr3", "city", "state", "zip"];

/// Rates that REST does not know, beside the body that it does.
#[derive(Debug, Default)]
pub(super) struct Rates {
    pub(super) shipping: Option<String>,
    pub(super) lines: Vec<Option<String>>,
}

/// An order as it was sent.
pub(super) struct Sent {
    pub(super) external: String,
    /// What the record service would get.
    pub(super) json: String,
    pub(super) rates: Rates,
    pub(super) replace: bool,
    /// What is wrong with this record alone.
    pub(super) wrong: Option<Refusal>,
}

struct Reading<'a> {
    world: &'a World,
    rates: Rates,
    replace: bool,
    wrong: Option<Refusal>,
}

pub(super) fn read(world: &World, record: &Node) -> Result<Sent, Unreadable> {
    let expected = Name { space: SALES.to_owned(), local: "SalesOrder".to_owned() };
    if record.kind.as_ref() != Some(&expected) {
        let kind = record.kind.as_ref().map_or("nothing", |kind| kind.local.as_str());
        return Err(Unreadable(format!("org.xml.sax.SAXException: {kind} is no record that is emulated")));
    }
    if record.attribute("internalId").is_some() {
        return Err(Unreadable("upsertList does not take internal ids".to_owned()));
    }
    let external = record.attribute("externalId").unwrap_or_default().to_owned();
    let mut reading = Reading { world, rates: Rates::default(), replace: true, wrong: None };
    if external.is_empty() {
        reading.wrong = Some(Refusal::new(400, "EXTERNALID_REQD", "An external ID is required."));
    }
    let mut fields = reading.fields(record, ORDER, "SalesOrder")?;
    fields.push(("externalId".to_owned(), quoted(&external)));
    let Reading { rates, replace, wrong, .. } = reading;
    Ok(Sent { external, json: object_of(&fields), rates, replace, wrong })
}

fn stray(owner: &str, name: &str) -> Unreadable {
    Unreadable(format!(
        "org.xml.sax.SAXException: Invalid element in com.netledger.webservices.transactions.sales_2025_2.{owner} - {name}"
    ))
}

impl Reading<'_> {
    fn fields(
        &mut self,
        node: &Node,
        shapes: &[(&str, Shape)],
        owner: &str,
    ) -> Result<Vec<(String, String)>, Unreadable> {
        let mut fields = Vec::new();
        let mut last = None;
        for child in &node.children {
            let name = child.name.local.as_str();
            let at = shapes.iter().position(|(known, _)| *known == name && child.name.space == SALES);
            // Each once, and in the order of the schema.
            let at = at.filter(|at| last.is_none_or(|last| last < *at)).ok_or_else(|| stray(owner, name))?;
            last = Some(at);
            let Some((_, shape)) = shapes.get(at) else { continue };
            match shape {
                Shape::Custom => fields.extend(self.custom(child)?),
                Shape::Items => fields.push(("item".to_owned(), self.items(child)?)),
                _ if name == "taxRate1" => {
                    let rate = number(child)?;
                    if let Some(slot) = self.rates.lines.last_mut() {
                        *slot = Some(rate);
                    }
                }
                _ if name == "shippingTax1Rate" => self.rates.shipping = Some(number(child)?),
                shape => fields.push((name.to_owned(), self.value(child, *shape)?)),
            }
        }
        Ok(fields)
    }

    fn value(&mut self, node: &Node, shape: Shape) -> Result<String, Unreadable> {
        let name = node.name.local.as_str();
        let wrong = || Unreadable(format!("org.xml.sax.SAXException: Bad value for {name}"));
        if shape != Shape::Address && !node.children.is_empty() {
            return Err(stray(name, node.children.first().map_or("", |child| &child.name.local)));
        }
        Ok(match shape {
            Shape::Number => number(node)?,
            Shape::Flag => match node.text() {
                flag @ ("true" | "false") => flag.to_owned(),
                _ => return Err(wrong()),
            },
            // The day is that of the instant in the user's time zone.
            Shape::Day => {
                let at = Timestamp::parse(node.text()).map_err(|_| wrong())?;
                quoted(&at.date_in(&self.world.zone()).to_string())
            }
            Shape::Ref => {
                if !node.text().is_empty() {
                    return Err(wrong());
                }
                match (node.attribute("internalId"), node.attribute("externalId")) {
                    (Some(id), None) => object_of(&[("id".to_owned(), quoted(id))]),
                    (None, Some(id)) => object_of(&[("externalId".to_owned(), quoted(id))]),
                    _ => return Err(wrong()),
                }
            }
            Shape::Status => {
                let letter = match node.text() {
                    "_pendingApproval" => "A",
                    "_pendingFulfillment" => "B",
                    "_cancelled" => "C",
                    "_closed" => "H",
                    _ => return Err(wrong()),
                };
                object_of(&[("id".to_owned(), quoted(letter))])
            }
            Shape::Address => address(node)?,
            Shape::Text | Shape::Items | Shape::Custom => quoted(node.text()),
        })
    }

    fn items(&mut self, list: &Node) -> Result<String, Unreadable> {
        self.replace = list.attribute("replaceAll") != Some("false");
        let mut lines = Vec::new();
        for line in &list.children {
            if !line.is(SALES, "item") {
                return Err(stray("SalesOrderItemList", &line.name.local));
            }
            self.rates.lines.push(None);
            let fields = self.fields(line, ITEM, "SalesOrderItem")?;
            lines.push(object_of(&fields));
        }
        Ok(format!("{{\"items\":[{}]}}", lines.join(",")))
    }

    fn custom(&mut self, list: &Node) -> Result<Vec<(String, String)>, Unreadable> {
        let mut fields = Vec::new();
        for field in &list.children {
            let kind = field.kind.as_ref().filter(|kind| kind.space == CORE).map(|kind| kind.local.as_str());
            if !field.is(CORE, "customField") || kind != Some("StringCustomFieldRef") {
                return Err(stray("CustomFieldList", &field.name.local));
            }
            let value = field.child(CORE, "value").map(Node::text).unwrap_or_default();
            let name = field.attribute("scriptId").unwrap_or_default();
            if self.world.has(&format!("field/{name}")) {
                fields.push((name.to_owned(), quoted(value)));
            } else {
                let text = format!("Invalid custom field reference {name}.");
                self.wrong = Some(Refusal::new(400, "INVALID_CSTM_FIELD_REF", text));
            }
        }
        Ok(fields)
    }
}

fn number(node: &Node) -> Result<String, Unreadable> {
    let wrong = || Unreadable(format!("java.lang.NumberFormatException: {}", node.name.local));
    exact::parse(node.text()).map(|number| number.to_string()).map_err(|_| wrong())
}

fn address(node: &Node) -> Result<String, Unreadable> {
    let mut fields = Vec::new();
    let mut last = None;
    for part in &node.children {
        let name = part.name.local.as_str();
        let at = ADDRESS.iter().position(|known| *known == name && part.name.space == COMMON);
        let at = at.filter(|at| last.is_none_or(|last| last < *at)).ok_or_else(|| stray("Address", name))?;
        last = Some(at);
        let json = if name == "country" {
            let iso = country::iso(part.text())
                .ok_or_else(|| Unreadable("org.xml.sax.SAXException: Bad value for country".to_owned()))?;
            object_of(&[("id".to_owned(), quoted(iso))])
        } else {
            quoted(part.text())
        };
        fields.push((name.to_owned(), json));
    }
    Ok(object_of(&fields))
}
