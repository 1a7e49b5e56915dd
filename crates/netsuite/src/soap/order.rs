//! A sales order as SOAP spells it: the same body that REST would get, element by element in the schema's order.
//!
//! Names and their order are those of the schemas transactions.sales and platform.common, which 2023.2 and 2025.2 share.

use super::country;
use super::xml::Element;
use crate::wire::{Body, Node, RecordRef};
use erp_core::error::{Error, Result};
use erp_core::time::{Timestamp, Zone};

/// How a field is spelled.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Text,
    /// A reference: attributes instead of content.
    Ref,
    /// A day, which SOAP wants as an instant.
    Day,
    /// The letter of an order's status.
    Status,
    Address,
    Lines,
}

const HEAD: &[(&str, &str, Shape)] = &[
    ("customForm", "sales:customForm", Shape::Ref),
    ("entity", "sales:entity", Shape::Ref),
    ("currency", "sales:currency", Shape::Ref),
    ("tranDate", "sales:tranDate", Shape::Day),
    ("orderStatus", "sales:orderStatus", Shape::Status),
    ("otherRefNum", "sales:otherRefNum", Shape::Text),
    ("memo", "sales:memo", Shape::Text),
    ("discountItem", "sales:discountItem", Shape::Ref),
    ("discountRate", "sales:discountRate", Shape::Text),
    ("email", "sales:email", Shape::Text),
    ("billingAddress", "sales:billingAddress", Shape::Address),
    ("shippingAddress", "sales:shippingAddress", Shape::Address),
    ("shipMethod", "sales:shipMethod", Shape::Ref),
    ("shippingCost", "sales:shippingCost", Shape::Text),
    ("shippingTax1Rate", "sales:shippingTax1Rate", Shape::Text),
    ("shippingTaxCode", "sales:shippingTaxCode", Shape::Ref),
    ("class", "sales:class", Shape::Ref),
    ("department", "sales:department", Shape::Ref),
    ("subsidiary", "sales:subsidiary", Shape::Ref),
    ("location", "sales:location", Shape::Ref),
    ("terms", "sales:terms", Shape::Ref),
    ("item", "sales:itemList", Shape::Lines),
];

const LINE: &[(&str, &str, Shape)] = &[
    ("item", "sales:item", Shape::Ref),
    ("quantity", "sales:quantity", Shape::Text),
    ("units", "sales:units", Shape::Ref),
    ("description", "sales:description", Shape::Text),
    ("price", "sales:price", Shape::Ref),
    ("rate", "sales:rate", Shape::Text),
    ("amount", "sales:amount", Shape::Text),
    ("isTaxable", "sales:isTaxable", Shape::Text),
    ("department", "sales:department", Shape::Ref),
    ("class", "sales:class", Shape::Ref),
    ("location", "sales:location", Shape::Ref),
    ("taxCode", "sales:taxCode", Shape::Ref),
    ("taxRate1", "sales:taxRate1", Shape::Text),
];

const ADDRESS: &[(&str, &str)] = &[
    ("attention", "common:attention"),
    ("addressee", "common:addressee"),
    ("addrPhone", "common:addrPhone"),
    ("addr1", "common:addr1"),
    ("addr2", "common:addr2"),
    ("addr3", "common:addr3"),
    ("city", "common:city"),
    ("state", "common:state"),
    ("zip", "common:zip"),
];

/// The order as a record of `upsertList`.
///
/// # Errors
/// `Invalid` for a country that SOAP has no word for; `Unexpected` for a field that has no place here, because what is
/// left out silently is lost.
pub(super) fn sales_order(body: &Body, zone: Option<&Zone>) -> Result<Element> {
    let Some(Node::Text(external)) = body.get("externalId") else {
        let text = "an order needs an external id: without it the same order could be made twice";
        return Err(Error::invalid("externalId", "netsuite.no_external_id", text));
    };
    let record = Element::new("msgs:record").attr("xsi:type", "sales:SalesOrder");
    fields(record.attr("externalId", external.as_str()), HEAD, body, "", zone)
}

fn fields(
    mut element: Element,
    shapes: &[(&str, &'static str, Shape)],
    body: &Body,
    path: &str,
    zone: Option<&Zone>,
) -> Result<Element> {
    let known = |name: &str| name == "externalId" || shapes.iter().any(|(field, ..)| *field == name);
    let own = |name: &str| name.starts_with("custbody") || name.starts_with("custcol");
    if let Some((stray, _)) = body.fields().find(|(name, _)| !known(name) && !own(name)) {
        return Err(Error::unexpected(format!("{path}{stray} has no place in a sales order by SOAP")));
    }
    for (field, name, shape) in shapes {
        let Some(node) = body.get(field).filter(|node| **node != Node::Null) else { continue };
        let misfit = || Error::unexpected(format!("{path}{field} does not fit what SOAP holds there"));
        let child = match shape {
            Shape::Text => Element::of(name, plain(node).ok_or_else(misfit)?),
            Shape::Ref => reference(name, node).ok_or_else(misfit)?,
            Shape::Day => Element::of(name, day(node, zone).ok_or_else(misfit)?),
            Shape::Status => Element::of(name, status(node).ok_or_else(misfit)?),
            Shape::Address => match node {
                Node::Record(address) => address_element(name, address, field)?,
                _ => return Err(misfit()),
            },
            Shape::Lines => match node {
                Node::Lines(lines) => lines_element(name, lines, zone)?,
                _ => return Err(misfit()),
            },
        };
        element.push(child);
    }
    let mut custom = Element::new("sales:customFieldList");
    for (field, node) in body.fields().filter(|(field, _)| own(field)) {
        let misfit = || Error::unexpected(format!("{path}{field} is no text"));
        let value = Element::of("core:value", plain(node).ok_or_else(misfit)?);
        let held = Element::new("core:customField").attr("xsi:type", "core:StringCustomFieldRef");
        custom.push(held.attr("scriptId", field).with(value));
    }
    if !custom.is_empty() {
        element.push(custom);
    }
    Ok(element)
}

/// Lines replace those that are there: a request that comes twice must not double the goods.
fn lines_element(name: &'static str, lines: &[Body], zone: Option<&Zone>) -> Result<Element> {
    let mut list = Element::new(name).attr("replaceAll", "true");
    for (at, line) in lines.iter().enumerate() {
        let path = format!("item.items[{at}].");
        list.push(fields(Element::new("sales:item"), LINE, line, &path, zone)?);
    }
    Ok(list)
}

fn address_element(name: &'static str, address: &Body, field: &str) -> Result<Element> {
    let mut element = Element::new(name);
    for (part, node) in address.fields() {
        let known = part == "country" || ADDRESS.iter().any(|(known, _)| *known == part);
        if !known || (part != "country" && plain(node).is_none()) {
            return Err(Error::unexpected(format!("{field}.{part} has no place in an address by SOAP")));
        }
    }
    if let Some(Node::Record(country)) = address.get("country")
        && let Some(Node::Text(iso)) = country.get("id")
    {
        let word = country::word(iso).ok_or_else(|| {
            let text = format!("{iso:?} is no country that NetSuite's SOAP schema has a word for");
            Error::invalid(format!("{field}.country"), "netsuite.country_unknown", text)
        })?;
        element.push(Element::of("common:country", word));
    }
    for (part, name) in ADDRESS {
        if let Some(text) = address.get(part).and_then(plain) {
            element.push(Element::of(name, text));
        }
    }
    Ok(element)
}

fn plain(node: &Node) -> Option<String> {
    Some(match node {
        Node::Text(text) => text.clone(),
        Node::Number(number) => number.normalize().to_string(),
        Node::Flag(flag) => flag.to_string(),
        _ => return None,
    })
}

fn reference(name: &'static str, node: &Node) -> Option<Element> {
    let element = Element::new(name);
    Some(match node {
        Node::Ref(RecordRef::Id(id)) | Node::Text(id) => element.attr("internalId", id.as_str()),
        Node::Ref(RecordRef::External(id)) => element.attr("externalId", id.as_str()),
        _ => return None,
    })
}

/// Noon UTC: the day of an instant is that in the integration user's time zone, and noon is the same day almost everywhere
/// (Oracle's online help, section 1521451348). Where the account is too far east for that, it is noon there.
fn day(node: &Node, zone: Option<&Zone>) -> Option<String> {
    const NOON: i64 = 12 * 3600;
    let Node::Text(date) = node else { return None };
    let noon = Timestamp::parse(&format!("{date}T12:00:00Z")).ok()?;
    let ahead = zone.map(|zone| zone.offset_at(noon)).filter(|ahead| *ahead >= NOON).unwrap_or_default();
    Some(Timestamp::from_secs(noon.as_secs() - ahead).to_string())
}

fn status(node: &Node) -> Option<&'static str> {
    let Node::Record(body) = node else { return None };
    match body.get("id")? {
        Node::Text(letter) if letter == "A" => Some("_pendingApproval"),
        Node::Text(letter) if letter == "B" => Some("_pendingFulfillment"),
        _ => None,
    }
}

/// Which field of the body a sentence is about: SOAP names no path. Empty where that cannot be told.
pub(super) fn place(body: &Body, sentence: &str) -> String {
    let after = |start: &str| sentence.split_once(start).map(|(_, rest)| rest);
    if let Some((name, rest)) = after("Invalid ").and_then(|rest| rest.split_once(" reference key ")) {
        let id: String = rest.chars().take_while(|c| c.is_ascii_digit() || *c == '-').collect();
        return found(body, name, Some(&id));
    }
    let word = |rest: &str| rest.trim().split([' ', ',', '.']).next().unwrap_or_default().to_owned();
    after("for element ").map(|rest| found(body, &word(rest), None)).unwrap_or_default()
}

fn found(body: &Body, name: &str, id: Option<&str>) -> String {
    let fits = |field: &str, node: &Node| {
        let held = match node {
            Node::Ref(RecordRef::Id(held)) | Node::Text(held) => Some(held.as_str()),
            _ => None,
        };
        field.eq_ignore_ascii_case(name) && id.is_none_or(|id| held == Some(id))
    };
    if let Some((field, _)) = body.fields().find(|(field, node)| fits(field, node)) {
        return field.to_owned();
    }
    let Some(Node::Lines(lines)) = body.get("item") else { return String::new() };
    let mut places = lines.iter().enumerate().filter_map(|(at, line)| {
        let (field, _) = line.fields().find(|(field, node)| fits(field, node))?;
        Some(format!("item.items[{at}].{field}"))
    });
    places.next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use erp_core::Decimal;

    fn order() -> Body {
        let address = Body::new()
            .with("addressee", "Müller & Söhne <GmbH>")
            .with("city", "Berlin")
            .with("country", Body::new().with("id", "DE"));
        let line = Body::new()
            .with("item", RecordRef::id("100"))
            .with("quantity", Decimal::new(1_500, 3))
            .with("price", RecordRef::id("-1"))
            .with("rate", Decimal::new(96_666_667, 7))
            .with("amount", Decimal::new(1450, 2))
            .with("units", "3")
            .with("custcol_line", "11")
            .with("taxCode", RecordRef::id("19"))
            .with("taxRate1", Decimal::from(19));
        Body::new()
            .with("externalId", "shop_1")
            .with("custbody_key", "shop:1")
            .with("entity", RecordRef::id("500"))
            .with("item", vec![line])
            .with("tranDate", "2026-11-27")
            .with("orderStatus", Body::new().with("id", "B"))
            .with("billingAddress", address)
            .with("shippingCost", Decimal::new(500, 2))
    }

    fn xml(body: &Body) -> String {
        String::from_utf8(sales_order(body, None).unwrap().to_xml().unwrap()).unwrap()
    }

    #[test]
    fn an_order_in_the_schemas_order() {
        insta::assert_snapshot!(xml(&order()).replace("><", ">\n<"), @r#"
        <msgs:record xsi:type="sales:SalesOrder" externalId="shop_1">
        <sales:entity internalId="500"/>
        <sales:tranDate>2026-11-27T12:00:00Z</sales:tranDate>
        <sales:orderStatus>_pendingFulfillment</sales:orderStatus>
        <sales:billingAddress>
        <common:country>_germany</common:country>
        <common:addressee>Müller &amp; Söhne &lt;GmbH&gt;</common:addressee>
        <common:city>Berlin</common:city>
        </sales:billingAddress>
        <sales:shippingCost>5</sales:shippingCost>
        <sales:itemList replaceAll="true">
        <sales:item>
        <sales:item internalId="100"/>
        <sales:quantity>1.5</sales:quantity>
        <sales:units internalId="3"/>
        <sales:price internalId="-1"/>
        <sales:rate>9.6666667</sales:rate>
        <sales:amount>14.5</sales:amount>
        <sales:taxCode internalId="19"/>
        <sales:taxRate1>19</sales:taxRate1>
        <sales:customFieldList>
        <core:customField xsi:type="core:StringCustomFieldRef" scriptId="custcol_line">
        <core:value>11</core:value>
        </core:customField>
        </sales:customFieldList>
        </sales:item>
        </sales:itemList>
        <sales:customFieldList>
        <core:customField xsi:type="core:StringCustomFieldRef" scriptId="custbody_key">
        <core:value>shop:1</core:value>
        </core:customField>
        </sales:customFieldList>
        </msgs:record>
        "#);
    }

    #[test]
    fn what_has_no_place_is_an_error_and_not_lost() {
        for (body, says) in [
            (order().with("taxDetailsOverride", true), "taxDetailsOverride"),
            (order().with("memo", Body::new()), "memo"),
            (
                order().with("item", vec![Body::new().with("grossAmt", Decimal::ONE)]),
                "item.items[0].grossAmt",
            ),
            (order().with("billingAddress", Body::new().with("override", true)), "billingAddress.override"),
            (order().with("orderStatus", Body::new().with("id", "C")), "orderStatus"),
        ] {
            let error = sales_order(&body, None).unwrap_err();
            assert!(error.code() == "erp.unexpected" && error.message().contains(says), "{says}: {error}");
        }
        let nowhere = Body::new().with("country", Body::new().with("id", "XX"));
        let error = sales_order(&order().with("billingAddress", nowhere), None).unwrap_err();
        assert_eq!(error.fields()[0].path, "billingAddress.country");
        let error = sales_order(&Body::new(), None).unwrap_err();
        assert_eq!(error.fields()[0].code, "netsuite.no_external_id");
    }

    #[test]
    fn a_day_is_that_day_for_the_user_wherever_he_is() {
        let date = Node::Text("2026-11-27".to_owned());
        for zone in ["America/Los_Angeles", "UTC", "Asia/Tokyo", "Pacific/Auckland", "Pacific/Kiritimati"] {
            let zone = Zone::named(zone).unwrap();
            let sent = Timestamp::parse(&day(&date, Some(&zone)).unwrap()).unwrap();
            assert_eq!(sent.date_in(&zone).to_string(), "2026-11-27");
        }
        let sent = day(&date, Some(&Zone::named("America/Los_Angeles").unwrap())).unwrap();
        assert_eq!(sent, "2026-11-27T12:00:00Z", "the same day from the Azores to Tokyo");
        assert_eq!(day(&Node::Text("soon".to_owned()), None), None);
    }

    #[test]
    fn sentences_are_about_fields() {
        let body = order();
        for (sentence, expected) in [
            ("Invalid entity reference key 500.", "entity"),
            ("Invalid item reference key 100 for subsidiary 1.", "item.items[0].item"),
            ("Invalid taxcode reference key 19.", "item.items[0].taxCode"),
            ("Invalid item reference key 999.", ""),
            ("You do not have permissions to set a value for element tranDate due to one of", "tranDate"),
            ("Please enter value(s) for: Item", ""),
        ] {
            assert_eq!(place(&body, sentence), expected, "{sentence}");
        }
    }
}
