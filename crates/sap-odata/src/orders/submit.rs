//! Look up, create, complete, read back.

use crate::client::SapClient;
use crate::config::GuestPolicy;
use crate::map;
use crate::route::SalesArea;
use crate::wire::{OrderAddress, Row, SalesOrder};
use erp_core::context::Context;
use erp_core::error::{Effect, Error, ErrorKind, FieldError, Result};
use erp_core::model::{Buyer, Order, OrderSubmission};
use erp_core::outcome::Receipt;
use erp_core::time::Timestamp;
use odata_client::{Filter, IfMatch, KeyPredicate, Literal, Query, ResourcePath, ServiceMessage, Severity};
use serde_json::{Value, json};

/// The sales area of a submission's route.
pub(super) fn area_of(submission: &OrderSubmission) -> Result<SalesArea> {
    crate::route::check(&submission.route)?;
    SalesArea::parse(submission.route.get("sales_area").unwrap_or_default())
}

impl SapClient {
    pub(super) async fn submit_one(&self, cx: &Context, submission: &OrderSubmission) -> Result<Receipt> {
        let area = area_of(submission)?;
        if let Some(number) = submission.route.get("one_time_customer") {
            self.remember_one_time(number);
        }
        let found = self.look_up(cx, &submission.order.key).await?;
        match found.as_slice() {
            [] => {}
            [(order, at)] => return self.adopt(cx, submission, order, *at).await,
            several => {
                let numbers: Vec<_> = several.iter().map(|(order, _)| order.sales_order.as_str()).collect();
                let text = format!("SAP holds several documents under this key: {}", numbers.join(", "));
                return Err(Error::new(ErrorKind::Conflict, text));
            }
        }
        let (sold_to, one_time) = self.sold_to(cx, &area, submission).await?;
        if one_time && submission.order.buyer.email().trim().is_empty() {
            // The e-mail on the order is what proves that the guest's address was written.
            return Err(Error::invalid(
                "buyer.email",
                "sap.guest_without_email",
                "a guest's order needs an e-mail",
            ));
        }
        let body = map::order_body(&self.0.config, &area, submission, &sold_to, one_time)?;
        let (number, said) = self.create_order(cx, submission, &body).await?;
        self.finish(cx, submission, &number, said, one_time).await
    }

    /// What SAP holds already: completed if it is not, and proven.
    async fn adopt(
        &self,
        cx: &Context,
        submission: &OrderSubmission,
        order: &SalesOrder,
        at: Timestamp,
    ) -> Result<Receipt> {
        if !self.is_partial(cx, order).await? {
            return self.receipt(order, at, self.unsent_address(submission, order));
        }
        let one_time = self.is_one_time(&order.sold_to_party);
        let said = self.unsent_address(submission, order);
        self.finish(cx, submission, &order.sales_order, said, one_time).await
    }

    async fn create_order(
        &self,
        cx: &Context,
        submission: &OrderSubmission,
        body: &Value,
    ) -> Result<(String, Vec<String>)> {
        let call = self.create_call("sap.create_order");
        let created = self.0.sales_orders.create::<Row, _>(cx, call, "A_SalesOrder", body).await;
        let written =
            created.map_err(|error| super::fields::in_the_orders_words(&self.0.config, submission, error))?;
        let said = warnings_of(&written.messages);
        let number = match &written.entity {
            Some(entity) => {
                entity.value.required("SalesOrder").map_err(|e| e.with_effect(Effect::Applied))?
            }
            None => {
                return Err(Error::malformed("SAP created an order and did not say which")
                    .with_effect(Effect::Unknown));
            }
        };
        Ok((number, said))
    }

    /// Writes what a create cannot carry, and reads the order back. The order exists: whatever fails here says so.
    async fn finish(
        &self,
        cx: &Context,
        submission: &OrderSubmission,
        number: &str,
        said: Vec<String>,
        one_time: bool,
    ) -> Result<Receipt> {
        self.complete(cx, submission, number, said, one_time).await.map_err(|error| {
            let happened = if error.effect() == Effect::Partial { Effect::Partial } else { Effect::Applied };
            error.with_effect(happened).with_context("sales_order", number)
        })
    }

    async fn complete(
        &self,
        cx: &Context,
        submission: &OrderSubmission,
        number: &str,
        said: Vec<String>,
        one_time: bool,
    ) -> Result<Receipt> {
        self.write_addresses(cx, &submission.order, number, one_time)
            .await
            .map_err(|error| error.with_effect(Effect::Partial))?;
        self.lift_completion_block(cx, submission, number)
            .await
            .map_err(|error| error.with_effect(Effect::Partial))?;
        let Some((order, at)) = self.read_order(cx, number).await? else {
            return Err(Error::new(ErrorKind::Conflict, "the order was created and is not there any more"));
        };
        let mut said = said;
        for text in self.unsent_address(submission, &order) {
            if !said.contains(&text) {
                said.push(text);
            }
        }
        self.receipt(&order, at, said)
    }

    /// Writes each address that SAP does not hold yet, the sold-to's last.
    async fn write_addresses(&self, cx: &Context, order: &Order, number: &str, one_time: bool) -> Result<()> {
        let config = &self.0.config;
        let wanted = map::guest_addresses(&config.orders, order, one_time);
        if wanted.is_empty() {
            return Ok(());
        }
        let held = self.order_addresses(cx, number).await?;
        for (function, address) in wanted {
            let patch = map::address_patch(address, order.buyer.email(), &config.language);
            let known = held.iter().find(|held| held.partner_function == function);
            if known.is_some_and(|held| map::address_matches(held, &patch)) {
                continue;
            }
            let representation = known.map(|held| held.representation.as_str()).unwrap_or_default();
            let key = KeyPredicate::composite([
                ("SalesOrder", Literal::string(number)),
                ("PartnerFunction", Literal::string(function)),
                ("AddressRepresentationCode", Literal::string(representation)),
            ]);
            let if_match = known.and_then(|held| held.etag.clone()).map_or(IfMatch::None, IfMatch::Tag);
            let call = self.update_call("sap.write_order_address");
            let path = ResourcePath::set("A_SalesOrderPartnerAddress").key(&key);
            self.0.sales_orders.update::<Row, _>(cx, call, path, &if_match, &patch).await.map(drop)?;
        }
        Ok(())
    }

    async fn lift_completion_block(
        &self,
        cx: &Context,
        submission: &OrderSubmission,
        number: &str,
    ) -> Result<()> {
        let orders = &self.0.config.orders;
        let Some(block) = orders.completion_block.as_deref() else { return Ok(()) };
        let Some((order, _)) = self.read_order(cx, number).await? else { return Ok(()) };
        if order.delivery_block_reason != block {
            return Ok(());
        }
        let held = map::is_held(&submission.order);
        let next = orders.hold_block.as_deref().filter(|_| held).unwrap_or_default();
        self.patch_header(cx, &order, &json!({"DeliveryBlockReason": next})).await
    }

    /// Changes the header under the state that was read.
    pub(super) async fn patch_header(&self, cx: &Context, order: &SalesOrder, change: &Value) -> Result<()> {
        let path = ResourcePath::set("A_SalesOrder").key(&KeyPredicate::single(order.sales_order.as_str()));
        let if_match = order.etag.clone().map_or(IfMatch::Any, IfMatch::Tag);
        let call = self.update_call("sap.change_order");
        self.0.sales_orders.update::<Row, _>(cx, call, path, &if_match, change).await.map(drop)
    }

    async fn order_addresses(&self, cx: &Context, number: &str) -> Result<Vec<OrderAddress>> {
        let query = Query::new("A_SalesOrderPartnerAddress").filter(Filter::eq("SalesOrder", number));
        let call = self.read_call("sap.order_addresses");
        let rows = self.rows(&self.0.sales_orders, cx, call, &query).await?;
        rows.iter().map(|(row, _)| OrderAddress::read(row)).collect()
    }

    /// Whether a document was begun and not completed: it still has the completion block, or its sold-to stands for many
    /// and nobody has written the guest's address.
    pub(super) async fn is_partial(&self, cx: &Context, order: &SalesOrder) -> Result<bool> {
        let orders = &self.0.config.orders;
        if is_cancelled(order) {
            return Ok(false);
        }
        if let Some(block) = &orders.completion_block {
            return Ok(order.delivery_block_reason == *block);
        }
        if !self.is_one_time(&order.sold_to_party) {
            return Ok(false);
        }
        let held = self.order_addresses(cx, &order.sales_order).await?;
        // The master's own e-mail is on every function until it is written over; those that are never written still have it.
        let ours = [&orders.sold_to_function, &orders.ship_to_function, &orders.bill_to_function];
        let is_masters = |email: &str| {
            held.iter().any(|other| !ours.contains(&&other.partner_function) && other.email_address == email)
        };
        let written = held.iter().any(|address| {
            let email = address.email_address.trim();
            address.partner_function == orders.sold_to_function && !email.is_empty() && !is_masters(email)
        });
        Ok(!written)
    }

    /// A warning where the shop's own address did not go along, because the customer has a number and the address none.
    fn unsent_address(&self, submission: &OrderSubmission, order: &SalesOrder) -> Vec<String> {
        let one_time = self.is_one_time(&order.sold_to_party);
        let unsent = map::guest_addresses(&self.0.config.orders, &submission.order, one_time).is_empty()
            && map::ship_to_needs_address(&submission.order);
        let text = "the shop's shipping address has no customer number, so SAP ships to the customer's own; set orders.completion_block to have it written onto the order";
        if unsent { vec![text.to_owned()] } else { Vec::new() }
    }

    /// The customer number that is known without asking SAP, and whether it stands for many. `None` if one must be made.
    ///
    /// In this order: the number that a customer flow linked, the company's, the customer's own, the one-time customer.
    pub(super) fn known_sold_to(
        &self,
        area: &SalesArea,
        submission: &OrderSubmission,
    ) -> Result<Option<(String, bool)>> {
        let order = &submission.order;
        let registered = match &order.buyer {
            Buyer::Registered { external_id, .. } => external_id.as_deref(),
            Buyer::Guest { .. } => None,
        };
        let linked = submission.customer.as_ref().map(erp_core::id::NativeId::as_str);
        let company = order.company.as_ref();
        let number =
            linked.or_else(|| company.and_then(|company| company.external_id.as_deref())).or(registered);
        if let Some(number) = number.map(str::trim).filter(|number| !number.is_empty()) {
            return Ok(Some((map::alpha(number).to_owned(), false)));
        }
        if company.is_some() {
            let text = "the company has no customer number in SAP; link it, or write its number onto the company in the shop";
            return Err(Error::invalid("company", "sap.company_unknown", text));
        }
        let orders = &self.0.config.orders;
        if orders.guests != GuestPolicy::OneTime {
            return Ok(None);
        }
        let area = area.to_string();
        let one_time = submission
            .route
            .get("one_time_customer")
            .or_else(|| orders.one_time_customers.get(&area).map(String::as_str));
        match one_time {
            Some(number) => Ok(Some((map::alpha(number).to_owned(), true))),
            None => Err(Error::invalid(
                "buyer",
                "sap.no_one_time_customer",
                format!(
                    "the buyer has no customer number, and sales area {area} has no one-time customer; set orders.one_time_customers"
                ),
            )),
        }
    }

    async fn sold_to(
        &self,
        cx: &Context,
        area: &SalesArea,
        submission: &OrderSubmission,
    ) -> Result<(String, bool)> {
        match self.known_sold_to(area, submission)? {
            Some(known) => Ok(known),
            None => self.guest_partner(cx, area, &submission.order).await.map(|number| (number, false)),
        }
    }

    /// The order's materials that SAP does not know.
    pub(super) async fn missing_materials(&self, cx: &Context, order: &Order) -> Result<Vec<FieldError>> {
        let config = &self.0.config;
        let wanted = map::wanted_lines(order);
        let names: std::collections::BTreeSet<String> =
            wanted.iter().map(|wanted| map::material(config, &wanted.line.sku)).collect();
        let mut known = std::collections::BTreeSet::new();
        for filter in Filter::any_of("Product", names) {
            let query = Query::new("A_Product").filter(filter).select(&["Product"]);
            let call = self.read_call("sap.products");
            let rows = match self.rows(&self.0.products, cx, call, &query).await {
                Ok(rows) => rows,
                // The product service is no need of this flow: without it nothing is said about materials.
                Err(error) if matches!(error.kind(), ErrorKind::Permission { .. } | ErrorKind::Config) => {
                    return Ok(Vec::new());
                }
                Err(error) => return Err(error),
            };
            for (row, _) in rows {
                known.insert(row.text("Product")?.to_uppercase());
            }
        }
        let missing =
            wanted.iter().filter(|w| !known.contains(&map::material(config, &w.line.sku).to_uppercase()));
        Ok(missing
            .map(|w| {
                let text = format!("SAP knows no material {}", map::material(config, &w.line.sku));
                FieldError::new(format!("lines[{}].sku", w.index), "sap.material_unknown", text)
            })
            .collect())
    }
}

fn is_cancelled(order: &SalesOrder) -> bool {
    !order.items().is_empty() && order.items().iter().all(crate::wire::SalesOrderItem::is_rejected)
}

/// What came with a success and is more than a greeting.
fn warnings_of(messages: &[ServiceMessage]) -> Vec<String> {
    let grave = messages.iter().filter(|message| message.severity >= Severity::Warning);
    grave
        .map(|message| {
            if message.code.is_empty() {
                message.message.clone()
            } else {
                format!("{}: {}", message.code, message.message)
            }
        })
        .collect()
}
