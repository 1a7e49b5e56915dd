use super::body_of;
use super::fault::Status;
use super::xml::Element;
use crate::client::NetsuiteClient;
use crate::wire::RecordRef;
use erp_core::Decimal;
use erp_core::context::Context;
use erp_core::error::{Effect, Error, Result};
use erp_core::exact;
use erp_core::time::Timestamp;
use erp_http::Call;

/// As many items as one question names: with ten locations each, answers stay below the 10,000 rows that NetSuite brings.
const ITEMS_MAX: usize = 1000;

/// What NetSuite says of one item at one location. A quantity that it does not tell is `None`: of a location without stock
/// it names nothing but the location.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ItemAvailability {
    /// The item's internal id.
    pub item: String,
    /// The location's internal id; `None` in accounts without locations.
    pub location: Option<String>,
    /// What lies there; below zero where more was shipped than was known to be there.
    pub on_hand: Option<Decimal>,
    /// What can be promised.
    pub available: Option<Decimal>,
    /// What open orders have taken.
    pub committed: Option<Decimal>,
    /// What is on its way from vendors.
    pub on_order: Option<Decimal>,
    /// What is ordered and not there.
    pub back_ordered: Option<Decimal>,
    /// Below which more is bought.
    pub reorder_point: Option<Decimal>,
    /// Up to which it is bought.
    pub preferred_stock_level: Option<Decimal>,
    /// When what is available changed last.
    pub changed: Option<Timestamp>,
}

impl NetsuiteClient {
    /// What is available of these items at each location, by `getItemAvailability`. With `changed_since` only what changed
    /// since then comes: a change of stock does not show on the item's own time of change. Needs the permissions SOAP Web
    /// Services and Items; quantities are in the item's stock unit.
    ///
    /// # Errors
    /// `Config` unless the client logs on with tokens; `Invalid` for no items, or more than a thousand; `Permission` where
    /// the role lacks one, which NetSuite says inside an answer of HTTP 200.
    pub async fn get_item_availability(
        &self,
        cx: &Context,
        items: &[RecordRef],
        changed_since: Option<Timestamp>,
    ) -> Result<Vec<ItemAvailability>> {
        let call = Call::read("netsuite.get_item_availability").with_timeout(self.config().read_timeout);
        if items.is_empty() || items.len() > ITEMS_MAX {
            let text = format!("{} items; name 1 to {ITEMS_MAX}", items.len());
            return Err(Error::invalid("items", "netsuite.items", text).with_operation(call.operation));
        }
        let response =
            self.soap_call(cx, call, "getItemAvailability", &question(items, changed_since)).await?;
        let told = self.availability_in(&response.body);
        told.map_err(|error| error.with_operation(call.operation))
    }

    fn availability_in(&self, answer: &[u8]) -> Result<Vec<ItemAvailability>> {
        let body = body_of(answer, "getItemAvailabilityResponse")?;
        let result = body
            .child("getItemAvailabilityResult")
            .ok_or_else(|| Error::malformed("getItemAvailabilityResult in NetSuite's answer is not there"))?;
        let status = Status::of(result)?;
        if !status.is_success() {
            return Err(status.error(&self.0.system, Effect::None, &|_| String::new()));
        }
        let list = result.child("itemAvailabilityList");
        list.into_iter().flat_map(|list| list.all("itemAvailability")).map(row).collect()
    }
}

fn question(items: &[RecordRef], changed_since: Option<Timestamp>) -> Element {
    let mut list = Element::new("core:item");
    for item in items {
        let element = Element::new("core:recordRef");
        list.push(match item {
            RecordRef::Id(id) => element.attr("internalId", id.as_str()),
            RecordRef::External(id) => element.attr("externalId", id.as_str()),
        });
    }
    let mut filter = Element::new("msgs:itemAvailabilityFilter").with(list);
    if let Some(since) = changed_since {
        filter.push(Element::of("core:lastQtyAvailableChange", since.to_string()));
    }
    Element::new("msgs:getItemAvailability").with(filter)
}

fn row(element: &Element) -> Result<ItemAvailability> {
    let misfit =
        |name: &str, what: &str| Error::malformed(format!("{name} in NetSuite's answer is not {what}"));
    let id = |name: &str| element.child(name).and_then(|child| child.attribute("internalId"));
    let number = |name: &str| {
        let read = |text: &str| exact::parse(text).map_err(|_| misfit(name, "a decimal number"));
        element.say(name).map(read).transpose()
    };
    let changed = element.say("lastQtyAvailableChange");
    let read =
        |text: &str| Timestamp::parse(text).map_err(|_| misfit("lastQtyAvailableChange", "an instant"));
    Ok(ItemAvailability {
        item: id("item").ok_or_else(|| misfit("item", "a reference"))?.to_owned(),
        location: id("locationId").map(str::to_owned),
        on_hand: number("quantityOnHand")?,
        available: number("quantityAvailable")?,
        committed: number("quantityCommitted")?,
        on_order: number("quantityOnOrder")?,
        back_ordered: number("quantityBackOrdered")?,
        reorder_point: number("reorderPoint")?,
        preferred_stock_level: number("preferredStockLevel")?,
        changed: changed.map(read).transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_names_its_items() {
        let since = Timestamp::parse("2026-11-27T08:00:00Z").unwrap();
        let asked = question(&[RecordRef::id("57"), RecordRef::external("a_1")], Some(since));
        let text = String::from_utf8(asked.to_xml().unwrap()).unwrap();
        assert_eq!(
            text,
            "<msgs:getItemAvailability><msgs:itemAvailabilityFilter><core:item><core:recordRef internalId=\"57\"/><core:recordRef externalId=\"a_1\"/></core:item><core:lastQtyAvailableChange>2026-11-27T08:00:00Z</core:lastQtyAvailableChange></msgs:itemAvailabilityFilter></msgs:getItemAvailability>"
        );
    }

    #[test]
    fn quantities_are_exact_and_may_be_negative_large_or_missing() {
        let read = |inner: &str| {
            let text = format!(
                "<c:itemAvailability><c:item internalId=\"57\"><c:name>CD</c:name></c:item>{inner}</c:itemAvailability>"
            );
            row(&Element::parse(text.as_bytes()).unwrap())
        };
        let full = read("<c:lastQtyAvailableChange>2022-05-05T03:40:06.000-07:00</c:lastQtyAvailableChange><c:locationId internalId=\"2\"/><c:quantityOnHand>-1.0</c:quantityOnHand><c:quantityOnOrder>1.2E7</c:quantityOnOrder><c:quantityAvailable/>").unwrap();
        assert_eq!((full.item.as_str(), full.location.as_deref()), ("57", Some("2")));
        assert_eq!((full.on_hand, full.available), (Some(-Decimal::ONE), None));
        assert_eq!(full.on_order, Some(Decimal::from(12_000_000)));
        assert_eq!(full.changed.unwrap().to_string(), "2022-05-05T10:40:06Z");
        let bare = read("<c:locationId internalId=\"3\"/>").unwrap();
        assert_eq!((bare.on_hand, bare.changed), (None, None));
        assert!(
            read("<c:quantityOnHand>many</c:quantityOnHand>")
                .unwrap_err()
                .message()
                .contains("quantityOnHand")
        );
        let nameless = Element::parse(b"<itemAvailability/>").unwrap();
        assert!(row(&nameless).unwrap_err().message().starts_with("item "));
    }
}
