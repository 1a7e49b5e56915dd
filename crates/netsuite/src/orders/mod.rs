//! Orders: the order sink.
//!
//! By REST NetSuite refuses a second record under one external id, so a create needs no look-up before it: where the external
//! id is taken, what holds it is read and taken for what it is. By SOAP (legacy tax) a second create would overwrite the
//! first, so there a look-up comes first. An order that lacks its deposit is *partial*, and submitting it
//! again completes it.

mod create;
mod deposit;
mod fields;
mod guest;
mod revise;
mod statement;

use crate::client::NetsuiteClient;
use crate::config::{TaxMode, check_route_word};
use crate::key::external_id;
use crate::map::{self, Head, Held, OrderParts, item_ids, status_of};
use crate::suiteql::SuiteQl;
use crate::wire::{Record, RecordRef};
use async_trait::async_trait;
use create::Created;
use deposit::Deposit;
use erp_core::context::Context;
use erp_core::error::{Effect, Error, ErrorKind, FieldError, Result};
use erp_core::feed::{Items, Window};
use erp_core::id::{EntityTag, Key, NativeId, Sku};
use erp_core::model::{OrderRevision, OrderSubmission, RouteTarget, StatementEntry};
use erp_core::outcome::{Found, LineLink, Outcome, Outcomes, Receipt};
use erp_core::roles::{OrderPreview, OrderSink};
use erp_core::time::Timestamp;
use futures_util::{StreamExt as _, stream};
use std::collections::BTreeSet;

/// A document as it was read.
pub(super) struct Document {
    pub(super) record: Record,
    pub(super) at: Timestamp,
}

#[async_trait]
impl OrderSink for NetsuiteClient {
    fn check_route(&self, route: &RouteTarget) -> Result<()> {
        route.0.iter().try_for_each(|(word, value)| check_route_word(word, value))
    }

    async fn submit_orders(&self, cx: &Context, orders: &[OrderSubmission]) -> Vec<Outcome> {
        // Two submissions of one key go one after the other: the second finds what the first made.
        let keys: BTreeSet<&Key> = orders.iter().map(|submission| &submission.order.key).collect();
        let at_once = if keys.len() == orders.len() { self.config().concurrency } else { 1 };
        let jobs: Vec<_> =
            orders.iter().map(|submission| Box::pin(self.submit_one(cx, submission))).collect();
        let results: Vec<_> = stream::iter(jobs).buffered(at_once).collect().await;
        let mut outcomes = Outcomes::with_capacity(orders.len());
        for (result, submission) in results.into_iter().zip(orders) {
            outcomes.push(result.map_err(|e| named(e, "netsuite.submit_order", &submission.order.key)));
        }
        outcomes.into_vec()
    }

    async fn find_order(&self, cx: &Context, key: &Key) -> Result<Found> {
        let found = self.look_up(cx, key).await?;
        match found.as_slice() {
            [] => Ok(Found::Absent),
            [document] => {
                let deposits = self.deposits(cx, document).await?;
                let receipt = self.receipt_with(cx, document, deposits.as_deref()).await?;
                let whole = deposit::are_whole(document, deposits.as_deref())?;
                Ok(if whole { Found::Whole(receipt) } else { Found::Partial(receipt) })
            }
            several => {
                let mut receipts = Vec::with_capacity(several.len());
                for document in several {
                    receipts.push(self.receipt(cx, document).await?);
                }
                Ok(Found::Several(receipts))
            }
        }
    }

    async fn revise_orders(&self, cx: &Context, revisions: &[OrderRevision]) -> Vec<Outcome> {
        let mut outcomes = Outcomes::with_capacity(revisions.len());
        for revision in revisions {
            let result = Box::pin(self.revise_one(cx, revision)).await;
            outcomes.push(result.map_err(|e| named(e, "netsuite.revise_order", &revision.desired.order.key)));
        }
        outcomes.into_vec()
    }

    async fn preview_order(&self, cx: &Context, order: &OrderSubmission) -> Result<OrderPreview> {
        self.preview(cx, order).await
    }

    fn order_statement(&self, cx: &Context, window: Window) -> Items<StatementEntry> {
        statement::statement(self.clone(), cx.clone(), window)
    }
}

fn named(error: Error, operation: &'static str, key: &Key) -> Error {
    error.with_operation(operation).with_context("key", key.as_str())
}

impl NetsuiteClient {
    fn order_path(&self) -> &'static str {
        self.config().orders.record.path()
    }

    /// The documents that hold `key`: the one with the external id, and copies that carry the key in its own field.
    async fn look_up(&self, cx: &Context, key: &Key) -> Result<Vec<Document>> {
        let own = self.own_document(cx, &external_id(key)?).await?;
        let mut found: Vec<Document> = own.into_iter().collect();
        for id in self.copies(cx, key).await? {
            let known = |document: &Document| document.record.text("id").is_ok_and(|held| held == id);
            if found.iter().any(known) {
                continue;
            }
            if let Some((record, at)) = self.record(cx, self.order_path(), &RecordRef::id(id)).await? {
                found.push(Document { record, at });
            }
        }
        Ok(found)
    }

    /// The document with this external id.
    async fn own_document(&self, cx: &Context, external: &str) -> Result<Option<Document>> {
        let found = self.record(cx, self.order_path(), &RecordRef::external(external)).await?;
        let Some((record, at)) = found else { return Ok(None) };
        // A service that ignores the id would make every order look like ours.
        if record.text("externalId")? != external {
            return Err(Error::malformed("NetSuite answered with another order than was asked for"));
        }
        Ok(Some(Document { record, at }))
    }

    /// The ids of documents that carry the key in the configured field; three are enough to know that there are several.
    async fn copies(&self, cx: &Context, key: &Key) -> Result<Vec<String>> {
        let orders = &self.config().orders;
        let Some(field) = &orders.key_field else { return Ok(Vec::new()) };
        let column = crate::suiteql::Column::new(field)?;
        let query = SuiteQl::new("SELECT id FROM transaction WHERE type = ")
            .bind(orders.record.kind())
            .then(" AND ")
            .column(&column)
            .then(" = ")
            .bind(key.as_str())
            .then(" ORDER BY id");
        let page = self.suiteql_page(cx, "netsuite.find_order", &query, 3, 0).await?;
        page.rows.iter().map(|row| row.required("id").map(str::to_owned)).collect()
    }

    async fn read_order(&self, cx: &Context, id: &str) -> Result<Option<Document>> {
        let found = self.record(cx, self.order_path(), &RecordRef::id(id)).await?;
        Ok(found.map(|(record, at)| Document { record, at }))
    }

    /// Proof of what NetSuite holds.
    async fn receipt(&self, cx: &Context, document: &Document) -> Result<Receipt> {
        let deposits = self.deposits(cx, document).await?;
        self.receipt_with(cx, document, deposits.as_deref()).await
    }

    async fn receipt_with(
        &self,
        cx: &Context,
        document: &Document,
        deposits: Option<&[Deposit]>,
    ) -> Result<Receipt> {
        let (config, record) = (&self.config().orders, &document.record);
        let lines = Held::of(config, record)?;
        let currency = match record.ref_id("currency")? {
            Some(id) => self.currency_of(cx, &id).await?,
            None => return Err(Error::malformed("currency in NetSuite's answer is not there")),
        };
        let skus = self.skus(cx, &item_ids(&lines)).await?;
        let status = status_of(&order_status(record)?);
        let paid = deposits.filter(|_| config.deposits.is_some());
        let paid = paid.map(|deposits| deposits.iter().map(|deposit| deposit.amount).sum());
        let holding =
            map::holding(config, status, currency, Head::of(record)?, &lines, &skus).with_paid(paid);
        let number = record.filled("tranId")?.unwrap_or_else(|| "(no number)".to_owned());
        let receipt = Receipt::new(NativeId::new(record.required("id")?), number.as_str(), document.at)
            .with_lines(map::links(&lines))
            .with_holding(holding)
            .with_warnings(map::warnings(&number, status));
        Ok(match record.filled("lastModifiedDate")? {
            Some(changed) => receipt.with_revision(EntityTag::from(changed)),
            None => receipt,
        })
    }

    async fn submit_one(&self, cx: &Context, submission: &OrderSubmission) -> Result<Receipt> {
        self.check_route(&submission.route)?;
        let key = &submission.order.key;
        let external = external_id(key)?;
        let config = &self.config().orders;
        // The external id refuses a second order; a copy that carries the key in its field is found here.
        if let Some(several) = self.second_document(cx, key, &external).await? {
            return Err(several);
        }
        // By SOAP nothing refuses a second order: it would overwrite the first.
        if config.tax.mode == TaxMode::Legacy
            && let Some(document) = self.own_document(cx, &external).await?
        {
            return self.take(cx, submission, &document).await;
        }
        let skus: BTreeSet<&Sku> = submission.order.lines.iter().map(|line| &line.sku).collect();
        let items = self.items(cx, &skus).await?;
        let currency = map::document_currency(config.currency_side, &submission.order);
        let currency = self.currency_id(cx, currency).await?;
        let entity = self.entity_of(cx, submission).await?;
        let parts =
            OrderParts { external_id: &external, entity: &entity, currency: &currency, items: &items };
        let body = map::order_body(config, submission, &parts)?;
        match self.create_order(cx, &body).await {
            Ok(created) => self.finish(cx, submission, &created, submission.order.placed_at).await,
            Err(error) if *error.kind() == ErrorKind::Conflict => self.adopt(cx, submission, error).await,
            Err(error) => {
                self.forget_items(skus.into_iter().cloned());
                Err(fields::in_the_orders_words(config, submission, error))
            }
        }
    }

    async fn second_document(&self, cx: &Context, key: &Key, external: &str) -> Result<Option<Error>> {
        let copies = self.copies(cx, key).await?;
        if copies.is_empty() {
            return Ok(None);
        }
        let path = self.order_path();
        let own = self.record(cx, path, &RecordRef::external(external)).await?;
        let own = own.map(|(record, _)| record.required("id")).transpose()?;
        if copies.iter().all(|copy| Some(copy) == own.as_ref()) {
            return Ok(None);
        }
        let text = format!("NetSuite holds several documents under this key: {}", copies.join(", "));
        Ok(Some(Error::new(ErrorKind::Conflict, text)))
    }

    /// The external id is taken: by this order, which was sent before, or by a record of another kind.
    async fn adopt(&self, cx: &Context, submission: &OrderSubmission, refusal: Error) -> Result<Receipt> {
        let found = self.look_up(cx, &submission.order.key).await?;
        match found.as_slice() {
            [document] => self.take(cx, submission, document).await,
            [] => {
                let said = refusal.upstream().and_then(|up| up.message.clone()).unwrap_or_default();
                let text = format!(
                    "the external id is taken by a record that is no {}: {said}; free it there, or give this system another name",
                    self.order_path()
                );
                let field = FieldError::new("key", "netsuite.external_id_taken", text.clone());
                Err(refusal.with_kind(ErrorKind::Invalid { fields: vec![field] }).with_context("why", text))
            }
            several => {
                let ids = several.iter().map(|document| document.record.text("id").unwrap_or_default());
                let text = format!(
                    "NetSuite holds several documents under this key: {}",
                    ids.collect::<Vec<_>>().join(", ")
                );
                Err(Error::new(ErrorKind::Conflict, text))
            }
        }
    }

    /// An order that is there already, for what it is; what it lacks is made.
    async fn take(&self, cx: &Context, submission: &OrderSubmission, document: &Document) -> Result<Receipt> {
        let created = Created::known(document.record.required("id")?);
        self.finish(cx, submission, &created, submission.order.updated_at).await
    }

    /// Makes what comes after the create, and reads the order back. The order exists: whatever fails here says so.
    async fn finish(
        &self,
        cx: &Context,
        submission: &OrderSubmission,
        created: &Created,
        paid_at: Timestamp,
    ) -> Result<Receipt> {
        let id = created.id.as_str();
        let gone = || Error::new(ErrorKind::Conflict, "the order was created and is not there any more");
        let done = async {
            let document = self.read_order(cx, id).await?.ok_or_else(gone)?;
            let settled = self
                .settle_deposits(cx, &submission.order, &document, paid_at)
                .await
                .map_err(|error| error.with_effect(Effect::Partial))?;
            // What was read before a deposit was made may be of another revision.
            let document =
                if settled.made { self.read_order(cx, id).await?.ok_or_else(gone)? } else { document };
            let mut receipt = self.receipt_with(cx, &document, settled.deposits.as_deref()).await?;
            receipt.warnings.extend(created.warnings(&document)?);
            receipt.warnings.extend(settled.warnings);
            Ok(receipt)
        };
        let receipt = done.await.map_err(|error: Error| {
            let happened = if error.effect() == Effect::Partial { Effect::Partial } else { Effect::Applied };
            error.with_effect(happened).with_context("internal_id", id)
        })?;
        Ok(self.linked(submission, receipt))
    }

    /// Without a field for our line ids, lines are told apart by their order, which NetSuite keeps.
    fn linked(&self, submission: &OrderSubmission, receipt: Receipt) -> Receipt {
        if self.config().orders.line_key_field.is_some() {
            return receipt;
        }
        let wanted = map::wanted_lines(&submission.order);
        let held = receipt.holding.as_ref().map(|holding| holding.lines.as_slice()).unwrap_or_default();
        let same = held.len() == wanted.len()
            && wanted.iter().zip(held).all(|((_, line), held)| line.sku.as_str().trim() == held.sku.as_str());
        if !same {
            return receipt;
        }
        let links = wanted.iter().zip(held).map(|((_, line), held)| LineLink {
            line: line.id.clone(),
            native_line: held.native_line.clone(),
        });
        let links = links.collect();
        receipt.with_lines(links)
    }

    /// What would keep NetSuite from taking the order.
    async fn preview(&self, cx: &Context, submission: &OrderSubmission) -> Result<OrderPreview> {
        self.check_route(&submission.route)?;
        let config = &self.config().orders;
        let mut problems = Vec::new();
        let mut collect = |error: Error| match error.kind() {
            ErrorKind::Invalid { fields } => {
                problems.extend(fields.clone());
                Ok("0".to_owned())
            }
            _ => Err(error),
        };
        let entity = match self.known_entity(submission) {
            Ok(known) => known.unwrap_or_else(|| "0".to_owned()),
            Err(error) => collect(error)?,
        };
        let currency = map::document_currency(config.currency_side, &submission.order);
        let currency = match self.currency_id(cx, currency).await {
            Ok(id) => id,
            Err(error) => collect(error)?,
        };
        let skus: BTreeSet<&Sku> = submission.order.lines.iter().map(|line| &line.sku).collect();
        let items = self.items(cx, &skus).await?;
        let parts =
            OrderParts { external_id: "preview", entity: &entity, currency: &currency, items: &items };
        if let Err(error) = map::order_body(config, submission, &parts) {
            collect(error)?;
        }
        Ok(OrderPreview::new(None, problems))
    }
}

/// The letter of an order's status: `orderStatus` where the record has one, else its name.
fn order_status(record: &Record) -> Result<String> {
    for name in ["orderStatus", "status"] {
        if let Some(reference) = record.reference(name)? {
            return Ok(reference.id);
        }
    }
    // A cash sale has no status: it is done.
    Ok("G".to_owned())
}
