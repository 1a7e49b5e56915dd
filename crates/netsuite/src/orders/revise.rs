//! Cancel and amend.
//!
//! REST has no cancel: an order is closed line by line, and NetSuite then calls it closed. Both are absolute: they make
//! NetSuite equal to what is wanted and change nothing that is equal already, so that doing them again is harmless.

use super::deposit::Settled;
use super::{Document, order_status};
use crate::client::NetsuiteClient;
use crate::map::{self, Held, OrderParts, Status, status_of};
use crate::wire::{Body, Node, RecordRef};
use erp_core::context::Context;
use erp_core::error::{Effect, Error, ErrorKind, FieldError, Result};
use erp_core::id::Sku;
use erp_core::model::{OrderChange, OrderRevision};
use erp_core::outcome::Receipt;
use erp_core::{Decimal, id::LineId};
use std::collections::{BTreeMap, BTreeSet};

impl NetsuiteClient {
    pub(super) async fn revise_one(&self, cx: &Context, revision: &OrderRevision) -> Result<Receipt> {
        let id = revision.receipt.native_id.as_str();
        let Some(document) = self.read_order(cx, id).await? else {
            return Err(Error::new(ErrorKind::Conflict, format!("NetSuite holds no order {id} any more")));
        };
        let expected = crate::key::external_id(&revision.desired.order.key)?;
        if document.record.text("externalId")? != expected {
            let text = format!("order {id} holds another external id now; somebody changed it");
            return Err(Error::new(ErrorKind::Conflict, text));
        }
        let settled = match revision.change {
            OrderChange::Cancel => {
                self.close(cx, id, &document).await?;
                Settled::default()
            }
            OrderChange::Amend => {
                let amended = self.amend(cx, id, &document, revision).await?;
                let order = &revision.desired.order;
                let settled = self.settle_deposits(cx, order, &document, order.updated_at).await;
                settled.map_err(|error| if amended { changed(error) } else { error })?
            }
        };
        let Some(document) = self.read_order(cx, id).await? else {
            return Err(Error::new(ErrorKind::Conflict, format!("NetSuite holds no order {id} any more")));
        };
        let mut receipt = self.receipt_with(cx, &document, settled.deposits.as_deref()).await?;
        receipt.warnings.extend(settled.warnings);
        Ok(self.linked(&revision.desired, receipt))
    }

    /// Closes every line that is open.
    async fn close(&self, cx: &Context, id: &str, document: &Document) -> Result<()> {
        let status = status_of(&order_status(&document.record)?);
        if matches!(status, Status::Cancelled | Status::Closed) {
            return Ok(());
        }
        let lines = Held::of(&self.config().orders, &document.record)?;
        if let Some(shipped) = lines.iter().find(|line| !line.fulfilled.is_zero()) {
            let text = format!(
                "line {} has shipped; close the rest in NetSuite, and take the goods back with a return",
                shipped.number
            );
            return Err(Error::invalid("lines", "netsuite.shipped_already", text));
        }
        let open: Vec<Body> = lines
            .iter()
            .filter(|line| !line.closed)
            .map(|line| line_number(line).with("isClosed", true))
            .collect();
        if open.is_empty() {
            return Ok(());
        }
        let body = Body::new().with("item", open);
        self.update_record(cx, self.order_path(), &RecordRef::id(id), &body, &[]).await
    }

    /// Makes lines, quantities and money equal to what is wanted; `false` if they are already, and nothing is sent. Lines that
    /// nobody wants any more are closed, so that what happened stays visible.
    async fn amend(
        &self,
        cx: &Context,
        id: &str,
        document: &Document,
        revision: &OrderRevision,
    ) -> Result<bool> {
        let config = &self.config().orders;
        let submission = &revision.desired;
        let held = self.receipt_with(cx, document, None).await?.holding;
        if let Some(held) = &held
            && map::is_as_wanted(config, &submission.order, &document.record, held)?
        {
            return Ok(false);
        }
        let skus: BTreeSet<&Sku> = submission.order.lines.iter().map(|line| &line.sku).collect();
        let items = self.items(cx, &skus).await?;
        let field = |name: &str| document.record.ref_id(name).map(Option::unwrap_or_default);
        let (entity, currency) = (field("entity")?, field("currency")?);
        let external = crate::key::external_id(&submission.order.key)?;
        let parts =
            OrderParts { external_id: &external, entity: &entity, currency: &currency, items: &items };
        let wanted = map::order_body(config, submission, &parts)?;
        let held = Held::of(config, &document.record)?;
        let lines = Self::changed_lines(&held, revision, &wanted)?;
        let mut body = Body::new();
        for name in [
            "otherRefNum",
            "shipMethod",
            "shippingCost",
            "discountItem",
            "discountRate",
            "taxDetailsOverride",
            "taxDetails",
        ] {
            body.put_some(name, wanted.get(name).cloned());
        }
        let replace: &[&str] = if body.get("taxDetails").is_some() { &["taxDetails"] } else { &[] };
        if !lines.is_empty() {
            body.put("item", lines);
        }
        let update = self.update_record(cx, self.order_path(), &RecordRef::id(id), &body, replace).await;
        update.map_err(|error| super::fields::in_the_orders_words(config, submission, error))?;
        Ok(true)
    }

    /// What must change about the lines: each wanted line beside the one that holds it, fees and tax beside theirs.
    fn changed_lines(held: &[Held], revision: &OrderRevision, wanted: &Body) -> Result<Vec<Body>> {
        let order = &revision.desired.order;
        let by_line = Self::native_lines(held, revision);
        let Some(Node::Lines(bodies)) = wanted.get("item") else { return Ok(Vec::new()) };
        let goods = map::wanted_lines(order);
        let mut used: BTreeSet<&str> = BTreeSet::new();
        let (mut lines, mut problems) = (Vec::new(), Vec::new());
        for (at, body) in bodies.iter().enumerate() {
            let native = match goods.get(at) {
                Some((index, line)) => {
                    let native = by_line.get(&line.id).copied();
                    problems
                        .extend(native.and_then(|native| less_than_shipped(*index, native, line.wanted())));
                    native
                }
                // A fee or the tax: the first line of its item that is not taken yet.
                None => held.iter().find(|line| {
                    body.get("item") == Some(&Node::Ref(RecordRef::id(&line.item)))
                        && !used.contains(line.number.as_str())
                }),
            };
            match native {
                Some(native) => {
                    used.insert(native.number.as_str());
                    lines.extend(change(native, body));
                }
                // REST knows codes at most, and no rates of its own.
                None => lines.push(body.clone().without("taxRate1")),
            }
        }
        if !problems.is_empty() {
            let text = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            return Err(Error::invalid_fields(text, problems));
        }
        let open =
            |line: &&Held| line.quantity.is_some() && !line.closed && !used.contains(line.number.as_str());
        lines.extend(held.iter().filter(open).map(|gone| line_number(gone).with("isClosed", true)));
        Ok(lines)
    }

    /// Which of NetSuite's lines is which of ours: by the line's own field, else by what the receipt says.
    fn native_lines<'a>(held: &'a [Held], revision: &OrderRevision) -> BTreeMap<LineId, &'a Held> {
        let mut known: BTreeMap<LineId, &Held> = BTreeMap::new();
        for link in &revision.receipt.lines {
            if let Some(line) = held.iter().find(|line| line.number == link.native_line) {
                known.insert(link.line.clone(), line);
            }
        }
        for line in held {
            if let Some(id) = &line.line {
                known.insert(id.clone(), line);
            }
        }
        known
    }
}

/// The order was changed before something else failed.
fn changed(error: Error) -> Error {
    match error.effect() {
        Effect::None => error.with_effect(Effect::Partial),
        _ => error,
    }
}

fn line_number(line: &Held) -> Body {
    match line.number.parse::<i64>() {
        Ok(number) => Body::new().with("line", Decimal::from(number)),
        Err(_) => Body::new().with("line", line.number.as_str()),
    }
}

/// What differs on a line that is there already; nothing if it is equal.
fn change(native: &Held, wanted: &Body) -> Option<Body> {
    let same_item = wanted.get("item") == Some(&Node::Ref(RecordRef::id(&native.item)));
    let same_amount = wanted.get("amount") == Some(&Node::Number(native.amount));
    let same_quantity = wanted.get("quantity") == native.quantity.map(Node::Number).as_ref();
    if same_item && same_amount && same_quantity && !native.closed {
        return None;
    }
    let mut body = line_number(native);
    if native.closed {
        body.put("isClosed", false);
    }
    for name in ["item", "quantity", "price", "rate", "amount"] {
        if name != "item" || !same_item {
            body.put_some(name, wanted.get(name).cloned());
        }
    }
    Some(body)
}

fn less_than_shipped(index: usize, native: &Held, wanted: Decimal) -> Option<FieldError> {
    (wanted < native.fulfilled).then(|| {
        let text =
            format!("{} have shipped already; take them back with a return", native.fulfilled.normalize());
        FieldError::new(format!("lines[{index}].quantity"), "netsuite.shipped_already", text)
    })
}
