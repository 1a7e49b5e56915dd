//! Movements of a warehouse: what came in for a purchase order or a return becomes an item receipt, what went from one place
//! to another an inventory transfer.
//!
//! A movement is a difference and not a figure, so it must not be booked twice: its document has an external id that is made
//! of its key, and is looked for before one is made. What stands under that id is believed only if it is of this movement:
//! received for the same document, or moved between the same places.

mod body;

use crate::client::NetsuiteClient;
use crate::config::InventoryConfig;
use crate::key::external_id;
use crate::lookup::Item;
use crate::posting::{Document, Posted};
use crate::wire::{Body, Record, RecordRef};
use async_trait::async_trait;
use erp_core::Decimal;
use erp_core::context::Context;
use erp_core::error::{Effect, Error, ErrorKind, Result};
use erp_core::id::Sku;
use erp_core::model::{MovementRoute, ReceiptOf, StockMovement};
use erp_core::outcome::{Found, Outcome, Outcomes, Receipt};
use erp_core::roles::MovementSink;
use std::collections::{BTreeMap, BTreeSet};

/// As many differences as one warning names.
const NAMED_MAX: usize = 5;

/// From where to where, in NetSuite's ids.
#[derive(Debug)]
enum Way<'a> {
    /// Out of a record of this kind.
    Receipt {
        from: &'static str,
        document: &'a str,
        to: String,
    },
    Transfer {
        from: String,
        to: String,
    },
}

impl<'a> Way<'a> {
    fn of(config: &InventoryConfig, movement: &'a StockMovement) -> Result<Self> {
        match &movement.route {
            MovementRoute::Receipt { of, document, to } => {
                let from = match of {
                    ReceiptOf::PurchaseOrder => "purchaseOrder",
                    ReceiptOf::Return => "returnAuthorization",
                    other => return Err(unknown_route(&format!("{other:?}"))),
                };
                let to = config.location_of(to, "route.to")?;
                Ok(Self::Receipt { from, document: document.as_str(), to })
            }
            MovementRoute::Transfer { from, to } => {
                let (here, there) =
                    (config.location_of(from, "route.from")?, config.location_of(to, "route.to")?);
                if here == there {
                    let text = format!(
                        "{from} and {to} are both location {here}; nothing moves in NetSuite. Make them locations of their own, or do not send what moves between them"
                    );
                    return Err(Error::invalid("route.to", "netsuite.one_location", text));
                }
                Ok(Self::Transfer { from: here, to: there })
            }
            other => Err(unknown_route(&format!("{other:?}"))),
        }
    }

    /// The record that is made.
    const fn kind(&self) -> &'static str {
        match self {
            Self::Receipt { .. } => "itemReceipt",
            Self::Transfer { .. } => "inventoryTransfer",
        }
    }

    /// Its sublist, and the field of a line that says how many.
    const fn sublist(&self) -> (&'static str, &'static str) {
        match self {
            Self::Receipt { .. } => ("item", "quantity"),
            Self::Transfer { .. } => ("inventory", "adjustQtyBy"),
        }
    }

    /// Whether a record goes this way.
    fn is_of(&self, record: &Record) -> Result<bool> {
        let at = |field: &str, id: &str| Ok::<_, Error>(record.ref_id(field)?.as_deref() == Some(id));
        match self {
            Self::Receipt { document, .. } => at("createdFrom", document),
            Self::Transfer { from, to } => Ok(at("location", from)? && at("transferLocation", to)?),
        }
    }
}

fn unknown_route(route: &str) -> Error {
    Error::unsupported(format!("nothing here says what a movement {route} is in NetSuite"))
}

#[async_trait]
impl MovementSink for NetsuiteClient {
    async fn submit_movements(&self, cx: &Context, items: &[StockMovement]) -> Vec<Outcome> {
        let mut outcomes = Outcomes::with_capacity(items.len());
        for item in items {
            let result = Box::pin(self.book(cx, item)).await;
            let key = item.key.as_str();
            outcomes.push(
                result.map_err(|e| e.with_operation("netsuite.book_movement").with_context("key", key)),
            );
        }
        outcomes.into_vec()
    }

    async fn find_movement(&self, cx: &Context, movement: &StockMovement) -> Result<Found> {
        let way = Way::of(&self.config().inventory, movement)?;
        Ok(match self.booked(cx, &way, &external_id(&movement.key)?).await? {
            Some(document) => Found::Whole(self.proof(cx, movement, &way, &document).await?),
            None => Found::Absent,
        })
    }
}

impl NetsuiteClient {
    /// The document of a movement. One that stands under its id and goes another way is none.
    async fn booked(&self, cx: &Context, way: &Way<'_>, external: &str) -> Result<Option<Document>> {
        let Some(document) = self.document(cx, way.kind(), external).await? else { return Ok(None) };
        if way.is_of(&document.record)? {
            return Ok(Some(document));
        }
        let text = format!(
            "{} {} has the external id {external} and is of another movement, with another source or other places; each movement needs a key of its own",
            way.kind(),
            document.id
        );
        Err(Error::new(ErrorKind::Conflict, text))
    }

    async fn book(&self, cx: &Context, movement: &StockMovement) -> Result<Receipt> {
        movement.check()?;
        let way = &Way::of(&self.config().inventory, movement)?;
        let external = &external_id(&movement.key)?;
        let applied = |error: Error| error.with_effect(Effect::Applied);
        // A document that is received in whole refuses a second receipt for its quantities, not for the key.
        if let Some(document) = self.booked(cx, way, external).await? {
            return self.proof(cx, movement, way, &document).await.map_err(applied);
        }
        let items = self.items(cx, &movement.lines.iter().map(|line| &line.sku).collect()).await?;
        let posted = match way {
            Way::Receipt { from, document, to } => {
                let source = RecordRef::id(*document);
                let Some((record, _)) = self.record(cx, from, &source).await? else {
                    return Err(body::unknown_document(from, document));
                };
                let units = self.stock_units(cx, &body::measured(&record)?).await?;
                let origin = (*from, *document, &record);
                let body = body::receipt(movement, external, origin, to, (&items, &units))?;
                let source = &source;
                let post = |body: Body| async move {
                    self.transform_record(cx, from, source, way.kind(), &body).await
                };
                let find = || self.booked(cx, way, external);
                self.post_once(cx, movement.moved_at, &body, post, find).await
            }
            Way::Transfer { from, to } => {
                let body = body::transfer(&self.config().movements, movement, external, (from, to), &items)?;
                let post = |body: Body| async move { self.create_record(cx, way.kind(), &body).await };
                let find = || self.booked(cx, way, external);
                self.post_once(cx, movement.moved_at, &body, post, find).await
            }
        };
        let Posted { what, mut warnings } = match posted {
            Ok(posted) => posted,
            Err(error) if *error.kind() == ErrorKind::Conflict && error.effect() == Effect::None => {
                return Err(self.taken(cx, external, error).await);
            }
            Err(error) => {
                if matches!(error.kind(), ErrorKind::Invalid { .. }) {
                    self.forget_items(items.into_keys());
                }
                return Err(error);
            }
        };
        let receipt = self.proof(cx, movement, way, &what).await.map_err(applied)?;
        warnings.extend(receipt.warnings.iter().cloned());
        Ok(receipt.with_warnings(warnings))
    }

    /// Proof of a document, with what it holds otherwise than the movement says.
    async fn proof(
        &self,
        cx: &Context,
        movement: &StockMovement,
        way: &Way<'_>,
        document: &Document,
    ) -> Result<Receipt> {
        let (sublist, field) = way.sublist();
        let mut held: BTreeMap<String, Decimal> = BTreeMap::new();
        let mut elsewhere = None;
        for line in document.record.expanded(sublist)? {
            // What a kit is made of stands beside it.
            if line.filled("kitMemberOf")?.is_none() {
                let held: &mut Decimal = held.entry(line.ref_id("item")?.unwrap_or_default()).or_default();
                *held = held.saturating_add(line.amount(field)?);
            }
            if let Way::Receipt { to, .. } = way {
                elsewhere = elsewhere.or(line.ref_id("location")?.filter(|place| place != to));
            }
        }
        let skus: BTreeSet<&Sku> = movement.lines.iter().map(|line| &line.sku).collect();
        let items = self.items(cx, &skus).await?;
        let receipt = document.receipt()?;
        let (label, number) = (&movement.number, &receipt.number);
        let told = elsewhere.map(|place| {
            format!("movement {label}: {number} came in at location {place}, and not where the movement says; compare the two")
        });
        let told = told.into_iter().chain(difference(movement, number, held, &items)).collect();
        Ok(receipt.with_warnings(told))
    }

    /// Says who has an external id that was refused.
    async fn taken(&self, cx: &Context, external: &str, refused: Error) -> Error {
        let Some(holder) = self.holder_of(cx, external).await else { return refused };
        let text = format!(
            "{holder} has the external id {external} already; each movement needs a key that nothing else has"
        );
        let told = Error::new(ErrorKind::Conflict, text);
        refused.upstream().cloned().into_iter().fold(told, Error::with_upstream)
    }
}

/// What a document holds otherwise than its movement says: changed by hand, or sent twice under one key.
fn difference(
    movement: &StockMovement,
    number: &str,
    mut held: BTreeMap<String, Decimal>,
    items: &BTreeMap<Sku, Item>,
) -> Option<String> {
    let mut wanted: BTreeMap<&str, (&Sku, Decimal)> = BTreeMap::new();
    for line in &movement.lines {
        // An item that has another name by now cannot be compared.
        let item = items.get(&line.sku)?;
        let (_, wanted) = wanted.entry(&item.id).or_insert((&line.sku, Decimal::ZERO));
        *wanted = wanted.saturating_add(line.quantity);
    }
    let mut differences = Vec::new();
    for (id, (sku, quantity)) in wanted {
        let there = held.remove(id).unwrap_or_default();
        if there != quantity {
            differences.push(format!("{} of {sku} instead of {}", there.normalize(), quantity.normalize()));
        }
    }
    let beside = held.into_iter().filter(|(_, quantity)| !quantity.is_zero());
    differences.extend(beside.map(|(id, quantity)| format!("{} of item {id} beside", quantity.normalize())));
    if differences.is_empty() {
        return None;
    }
    differences.truncate(NAMED_MAX);
    Some(format!("movement {}: {number} holds {}; compare the two", movement.number, differences.join(", ")))
}
