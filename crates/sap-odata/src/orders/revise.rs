//! Cancel and amend: SAP has no deep update, so items are changed one by one.
//!
//! Both are absolute: they make SAP equal to what is wanted and change nothing that is equal already, so that doing them
//! again is harmless. A revision that stops half-way says `Partial`.

use crate::client::SapClient;
use crate::config::PricingMode;
use crate::map::{self, Wanted};
use crate::wire::{PricingElement, Row, SalesOrder, SalesOrderItem};
use erp_core::Decimal;
use erp_core::context::Context;
use erp_core::error::{Effect, Error, ErrorKind, Result};
use erp_core::id::{LineId, Sku};
use erp_core::model::{HeldState, OrderChange, OrderRevision};
use erp_core::outcome::Receipt;
use odata_client::{IfMatch, KeyPredicate, Literal, ResourcePath};
use serde_json::{Value, json};

impl SapClient {
    pub(super) async fn revise_one(&self, cx: &Context, revision: &OrderRevision) -> Result<Receipt> {
        let orders = &self.0.config.orders;
        let number = revision.receipt.native_id.as_str();
        let Some((order, _)) = self.read_order(cx, number).await? else {
            return Err(Error::new(ErrorKind::Conflict, format!("SAP holds no order {number} any more")));
        };
        let key = order.row.text(&orders.key_field)?;
        if key != revision.desired.order.key.as_str() {
            let text = format!("order {number} holds another key now; somebody changed {}", orders.key_field);
            return Err(Error::new(ErrorKind::Conflict, text));
        }
        let mut changes = Changes { client: self, cx, done: 0 };
        let result = match revision.change {
            OrderChange::Cancel => changes.cancel(&order).await,
            OrderChange::Amend => changes.amend(&order, revision).await,
        };
        let done = changes.done;
        result.map_err(|error| after(done, error))?;
        let (order, at) = self
            .read_order(cx, number)
            .await
            .map_err(|error| error.with_effect(Effect::Applied))?
            .ok_or_else(|| Error::new(ErrorKind::Conflict, "the order is not there any more"))?;
        let receipt = self.receipt(&order, at, Vec::new())?;
        let alive = receipt.holding.as_ref().is_some_and(|holding| holding.state != HeldState::Cancelled);
        if revision.change == OrderChange::Cancel && alive {
            let text = format!("SAP did not cancel all of order {number}");
            return Err(Error::new(ErrorKind::Conflict, text).with_effect(Effect::Partial));
        }
        Ok(receipt)
    }
}

/// A revision that stopped: what was changed before stays changed.
fn after(done: usize, error: Error) -> Error {
    match error.effect() {
        Effect::None if done > 0 => error.with_effect(Effect::Partial),
        _ => error,
    }
}

struct Changes<'a> {
    client: &'a SapClient,
    cx: &'a Context,
    /// How many changes SAP took.
    done: usize,
}

impl Changes<'_> {
    async fn cancel(&mut self, order: &SalesOrder) -> Result<()> {
        for item in order.items().iter().filter(|item| !item.is_component() && !item.is_rejected()) {
            self.reject(order, item).await?;
        }
        Ok(())
    }

    async fn reject(&mut self, order: &SalesOrder, item: &SalesOrderItem) -> Result<()> {
        let reason = &self.client.config().orders.rejection_reason;
        self.patch_item(order, item, &json!({"SalesDocumentRjcnReason": reason})).await
    }

    async fn amend(&mut self, order: &SalesOrder, revision: &OrderRevision) -> Result<()> {
        let desired = &revision.desired.order;
        let wanted = map::wanted_lines(desired);
        self.amend_header(order, revision).await?;
        for wanted in &wanted {
            let held = self.held(order, &wanted.line.id);
            let same = held.filter(|item| self.is_same_material(item, &wanted.line.sku));
            if let (Some(other), None) = (held.filter(|item| !item.is_rejected()), same) {
                self.reject(order, other).await?;
            }
            match same {
                Some(item) => self.amend_item(order, item, *wanted, revision).await?,
                None => self.add_item(order, *wanted, revision).await?,
            }
        }
        for item in order.items().iter().filter(|item| !item.is_rejected()) {
            let line = map::line_of(&self.client.config().orders, order, item);
            let gone = line.is_some_and(|line| !wanted.iter().any(|wanted| wanted.line.id == line));
            if gone {
                self.reject(order, item).await?;
            }
        }
        Ok(())
    }

    /// The item of a line; one that is alive before one that was rejected.
    fn held<'o>(&self, order: &'o SalesOrder, line: &LineId) -> Option<&'o SalesOrderItem> {
        let orders = &self.client.config().orders;
        let of_line = |item: &&SalesOrderItem| map::line_of(orders, order, item).as_ref() == Some(line);
        order.items().iter().filter(of_line).min_by_key(|item| item.is_rejected())
    }

    fn is_same_material(&self, item: &SalesOrderItem, sku: &Sku) -> bool {
        item.material.to_uppercase() == map::material(self.client.config(), sku).to_uppercase()
    }

    async fn amend_item(
        &mut self,
        order: &SalesOrder,
        item: &SalesOrderItem,
        wanted: Wanted<'_>,
        revision: &OrderRevision,
    ) -> Result<()> {
        let config = self.client.config();
        let mut change = serde_json::Map::new();
        if item.is_rejected() {
            change.insert("SalesDocumentRjcnReason".to_owned(), json!(""));
        }
        if item.requested_quantity != wanted.quantity {
            change.insert("RequestedQuantity".to_owned(), map::decimal_json(wanted.quantity));
        }
        if !change.is_empty() {
            self.patch_item(order, item, &Value::Object(change)).await?;
        }
        if config.orders.pricing.mode == PricingMode::SendManualConditions {
            let body = map::item_body(config, &revision.desired.order, wanted, None)?;
            let elements =
                body.get("to_PricingElement").and_then(Value::as_array).cloned().unwrap_or_default();
            let parent = item_path(order, item);
            let key = vec![
                ("SalesOrder", Literal::string(&order.sales_order)),
                ("SalesOrderItem", Literal::string(&item.sales_order_item)),
            ];
            let codes = [&config.orders.pricing.price, &config.orders.pricing.discount];
            let codes: Vec<&str> = codes.into_iter().flatten().map(String::as_str).collect();
            self.amend_prices(&item.pricing, &elements, &codes, "A_SalesOrderItemPrElement", key, parent)
                .await?;
        }
        Ok(())
    }

    async fn amend_header(&mut self, order: &SalesOrder, revision: &OrderRevision) -> Result<()> {
        let config = self.client.config();
        let orders = &config.orders;
        if let Some(block) = orders.hold_block.as_deref() {
            let held = map::is_held(&revision.desired.order);
            let next = if held { block } else { "" };
            let ours = order.delivery_block_reason.is_empty() || order.delivery_block_reason == block;
            if ours && order.delivery_block_reason != next {
                self.client.patch_header(self.cx, order, &json!({"DeliveryBlockReason": next})).await?;
                self.done += 1;
            }
        }
        if orders.pricing.mode == PricingMode::SendManualConditions {
            let elements = map::header_elements(config, &revision.desired.order)?;
            let parent =
                ResourcePath::set("A_SalesOrder").key(&KeyPredicate::single(order.sales_order.as_str()));
            let key = vec![("SalesOrder", Literal::string(&order.sales_order))];
            let codes = [&orders.pricing.shipping, &orders.pricing.fee];
            let codes: Vec<&str> = codes.into_iter().flatten().map(String::as_str).collect();
            self.amend_prices(&order.pricing, &elements, &codes, "A_SalesOrderHeaderPrElement", key, parent)
                .await?;
        }
        Ok(())
    }

    /// Makes the manual conditions of a header or an item equal to `wanted`; one that is not wanted any more becomes zero.
    async fn amend_prices(
        &mut self,
        held: &[PricingElement],
        wanted: &[Value],
        codes: &[&str],
        set: &str,
        key: Vec<(&'static str, Literal)>,
        parent: ResourcePath,
    ) -> Result<()> {
        for code in codes {
            let of_code = |element: &&PricingElement| element.condition_type == *code && element.counts;
            let known = held.iter().find(of_code);
            let want = wanted.iter().find(|element| element["ConditionType"] == *code);
            match (known, want) {
                (None, None) => {}
                (None, Some(element)) => {
                    let call = self.client.create_call("sap.add_condition");
                    let path = parent.clone().then("to_PricingElement");
                    let created =
                        self.client.0.sales_orders.create::<Row, _>(self.cx, call, path, element).await;
                    created.map(drop)?;
                    self.done += 1;
                }
                (Some(known), want) => {
                    let zero = json!({"ConditionRateValue": "0"});
                    let want = want.unwrap_or(&zero);
                    if !known.is_at(want) {
                        self.patch_price(known, want, set, key.clone()).await?;
                    }
                }
            }
        }
        Ok(())
    }

    async fn patch_price(
        &mut self,
        known: &PricingElement,
        want: &Value,
        set: &str,
        mut key: Vec<(&'static str, Literal)>,
    ) -> Result<()> {
        key.push(("PricingProcedureStep", Literal::string(&known.step)));
        key.push(("PricingProcedureCounter", Literal::string(&known.counter)));
        let path = ResourcePath::set(set).key(&KeyPredicate::composite(key));
        let mut change = want.clone();
        if let Value::Object(fields) = &mut change {
            fields.remove("ConditionType");
            if known.condition_quantity > Decimal::ONE {
                fields.entry("ConditionQuantity").or_insert_with(|| json!("1"));
            }
        }
        let if_match = known.etag.clone().map_or(IfMatch::None, IfMatch::Tag);
        let call = self.client.update_call("sap.change_condition");
        self.client
            .0
            .sales_orders
            .update::<Row, _>(self.cx, call, path, &if_match, &change)
            .await
            .map(drop)?;
        self.done += 1;
        Ok(())
    }

    async fn add_item(
        &mut self,
        order: &SalesOrder,
        wanted: Wanted<'_>,
        revision: &OrderRevision,
    ) -> Result<()> {
        let client = self.client;
        let body = map::item_body(client.config(), &revision.desired.order, wanted, None)?;
        let parent = ResourcePath::set("A_SalesOrder").key(&KeyPredicate::single(order.sales_order.as_str()));
        let call = client.create_call("sap.add_item");
        let created =
            client.0.sales_orders.create::<Row, _>(self.cx, call, parent.then("to_Item"), &body).await;
        created
            .map(drop)
            .map_err(|error| super::fields::in_the_orders_words(client.config(), &revision.desired, error))?;
        self.done += 1;
        Ok(())
    }

    async fn patch_item(&mut self, order: &SalesOrder, item: &SalesOrderItem, change: &Value) -> Result<()> {
        let if_match = item.etag.clone().map_or(IfMatch::None, IfMatch::Tag);
        let call = self.client.update_call("sap.change_item");
        let path = item_path(order, item);
        self.client
            .0
            .sales_orders
            .update::<Row, _>(self.cx, call, path, &if_match, change)
            .await
            .map(drop)?;
        self.done += 1;
        Ok(())
    }
}

fn item_path(order: &SalesOrder, item: &SalesOrderItem) -> ResourcePath {
    let key = [
        ("SalesOrder", Literal::string(&order.sales_order)),
        ("SalesOrderItem", Literal::string(&item.sales_order_item)),
    ];
    ResourcePath::set("A_SalesOrderItem").key(&KeyPredicate::composite(key))
}
