use super::customers;
use super::erp::{ErpState, Job, ReferenceErp, cancelled, native};
use super::events;
use super::feed::{FeedSpec, feed};
use super::system::{Moment, Twist, items};
use async_trait::async_trait;
use erp_core::model::{
    Basis, Customer, CustomerIdentity, CustomerPatch, Fulfillment, HeldState, InventoryLevel, InventoryQuery,
    OrderChange, OrderRevision, OrderSubmission, StatementEntry,
};
use erp_core::outcome::Outcomes;
use erp_core::prelude::*;
use erp_core::roles::OrderPreview;
use std::sync::Arc;

#[async_trait]
impl Connector for ReferenceErp {
    fn identity(&self) -> Identity {
        self.system.identity().clone()
    }

    fn capabilities(&self) -> Capabilities {
        let (page, idempotency, accepts, payments) = self
            .system
            .look(|erp, _| (erp.page, erp.rules.idempotency, erp.rules.queue.is_some(), erp.rules.payments));
        let page = u32::try_from(page).unwrap_or(u32::MAX);
        let horizon = self.system.horizon();
        let mut orders = SinkCapability::new(idempotency, horizon).with_bulk(20, 4).with_revise();
        orders.accepts = accepts;
        orders.payments = payments;
        let mut capabilities = Capabilities::default();
        capabilities.order_sink = Some(orders);
        capabilities.inventory_source = Some(SourceCapability::new(DeltaKind::FullScan, false, page));
        capabilities.fulfillment_source = Some(SourceCapability::new(DeltaKind::ModifiedSince, true, page));
        capabilities.refund_sink = Some(SinkCapability::new(Idempotency::LookupThenCreate, horizon));
        capabilities.movement_sink = Some(SinkCapability::new(Idempotency::LookupThenCreate, horizon));
        capabilities.invoice_source = Some(SourceCapability::new(DeltaKind::ModifiedSince, true, page));
        capabilities.price_source = Some(SourceCapability::new(DeltaKind::FullScan, false, page));
        capabilities.customer_store =
            Some(SinkCapability::new(Idempotency::UniqueExternalId, horizon).with_revise());
        capabilities.event_receiver = Some(events::capability(&events::ERP_RECORDS));
        capabilities
    }

    async fn probe(&self, cx: &Context, needs: &[Need]) -> Vec<Finding> {
        super::probe(&self.system, cx, needs).await
    }

    fn order_sink(&self) -> Option<Arc<dyn OrderSink>> {
        Some(Arc::new(self.clone()))
    }
    fn inventory_source(&self) -> Option<Arc<dyn InventorySource>> {
        Some(Arc::new(self.clone()))
    }
    fn fulfillment_source(&self) -> Option<Arc<dyn FulfillmentSource>> {
        Some(Arc::new(self.clone()))
    }
    fn refund_sink(&self) -> Option<Arc<dyn RefundSink>> {
        Some(Arc::new(self.clone()))
    }
    fn movement_sink(&self) -> Option<Arc<dyn MovementSink>> {
        Some(Arc::new(self.clone()))
    }
    fn invoice_source(&self) -> Option<Arc<dyn InvoiceSource>> {
        Some(Arc::new(self.clone()))
    }
    fn price_source(&self) -> Option<Arc<dyn PriceSource>> {
        Some(Arc::new(self.clone()))
    }
    fn customer_store(&self) -> Option<Arc<dyn CustomerStore>> {
        Some(Arc::new(self.clone()))
    }
    fn event_receiver(&self) -> Option<Arc<dyn EventReceiver>> {
        Some(Arc::new(self.clone()))
    }
}

impl ErpState {
    /// What keeps a document from being taken.
    fn problems(&self, submission: &OrderSubmission) -> Vec<erp_core::error::FieldError> {
        let lines = submission.order.lines.iter().enumerate();
        lines
            .filter(|(_, line)| !self.knows(&line.sku))
            .map(|(index, line)| {
                let text = format!("{} is no product here", line.sku);
                erp_core::error::FieldError::new(format!("lines[{index}].sku"), "sku.unknown", text)
            })
            .collect()
    }

    /// The ERP's own create: it checks the data, and the key only if it keeps keys unique.
    pub(super) fn take(&mut self, submission: OrderSubmission, moment: Moment) -> Result<Receipt> {
        let problems = self.problems(&submission);
        if !problems.is_empty() {
            return Err(Error::invalid_fields("the order is refused", problems));
        }
        let key = submission.order.key.clone();
        if self.rules.idempotency == Idempotency::UniqueExternalId && !self.under(&key).is_empty() {
            return Err(Error::new(ErrorKind::Conflict, "a document with this key exists"));
        }
        let half = moment.twist == Twist::Half && submission.order.lines.len() > 1;
        let id = self.create(submission, half);
        if half {
            return Err(
                Error::transient("the connection broke between the lines").with_effect(Effect::Partial)
            );
        }
        self.receipt(id, moment.at)
    }

    fn receipt(&self, id: u64, at: Timestamp) -> Result<Receipt> {
        let doc =
            self.docs.get(&id).ok_or_else(|| Error::new(ErrorKind::NotFound, "there is no such document"))?;
        Ok(doc.receipt(id, at))
    }

    /// Makes an existing document hold what is wanted.
    fn rewrite(&mut self, id: u64, submission: OrderSubmission, at: Timestamp) -> Result<Receipt> {
        let problems = self.problems(&submission);
        if !problems.is_empty() {
            return Err(Error::invalid_fields("the change is refused", problems));
        }
        let holding = self.holding_of(&submission);
        if let Some(doc) = self.docs.get_mut(&id) {
            doc.holding = holding;
            doc.submission = submission;
            doc.partial = false;
            doc.revision += 1;
        }
        self.receipt(id, at)
    }

    fn revise(&mut self, revision: OrderRevision, at: Timestamp) -> Result<Receipt> {
        let id = revision.receipt.native_id.as_str().parse().unwrap_or(0u64);
        let missing = || Error::new(ErrorKind::NotFound, "there is no such document");
        let doc = self.docs.get_mut(&id).ok_or_else(missing)?;
        if revision.change == OrderChange::Cancel && doc.holding.state == HeldState::Cancelled {
            return self.receipt(id, at);
        }
        let tag = EntityTag::from(doc.revision.to_string());
        if revision.receipt.revision.is_some_and(|expected| expected != tag) {
            return Err(Error::new(ErrorKind::Conflict, "the document was changed by somebody else"));
        }
        if doc.is_shipped() || matches!(doc.holding.state, HeldState::Complete) {
            return Err(Error::new(ErrorKind::Conflict, "goods have left; the document cannot be changed"));
        }
        match revision.change {
            OrderChange::Amend => self.rewrite(id, revision.desired, at),
            OrderChange::Cancel => {
                doc.holding = cancelled(&doc.holding);
                doc.revision += 1;
                self.receipt(id, at)
            }
        }
    }

    fn found(&self, key: &Key, at: Timestamp) -> Found {
        match self.under(key).as_slice() {
            [] => Found::Absent,
            [(id, doc)] if doc.partial => Found::Partial(doc.receipt(*id, at)),
            [(id, doc)] => Found::Whole(doc.receipt(*id, at)),
            several => Found::Several(several.iter().map(|(id, doc)| doc.receipt(*id, at)).collect()),
        }
    }

    fn levels(&self, query: &InventoryQuery, at: Timestamp) -> Vec<InventoryLevel> {
        let mut levels = Vec::new();
        let mut last: Option<&Sku> = None;
        for ((sku, place), on_hand) in &self.stock {
            // Open documents are taken off the first place at which a product lies.
            let first = last != Some(sku);
            last = Some(sku);
            let taken = match self.rules.basis {
                Basis::Available if first => self.committed(sku),
                Basis::Available | Basis::OnHand => Decimal::ZERO,
            };
            if query.locations.is_empty() || query.locations.contains(place) {
                let quantity = Quantity::new(*on_hand - taken);
                levels.push(InventoryLevel::new(sku.clone(), place.clone(), quantity, self.rules.basis, at));
            }
        }
        levels
    }
}

impl ReferenceErp {
    /// Looks up, then creates or completes: the sequential idempotence that is a connector's duty.
    async fn submit_one(&self, cx: &Context, submission: &OrderSubmission) -> Outcome {
        let (naive, unique, queue) = self.system.look(|erp, _| {
            let rules = &erp.rules;
            (rules.naive_submit, rules.idempotency == Idempotency::UniqueExternalId, rules.queue)
        });
        if !naive && !unique {
            match self.find_order(cx, &submission.order.key).await {
                Ok(Found::Absent) => {}
                Ok(found) => return outcome(self.complete(cx, found, submission).await),
                Err(error) => return Outcome::Failed(error),
            }
        }
        if let Some(wait) = queue {
            return self.enqueue(cx, submission, wait).await;
        }
        match self.create(cx, submission).await {
            Err(error) if unique && *error.kind() == ErrorKind::Conflict => {
                match self.find_order(cx, &submission.order.key).await {
                    Ok(found) => outcome(self.complete(cx, found, submission).await),
                    Err(error) => Outcome::Failed(error),
                }
            }
            created => outcome(created),
        }
    }

    async fn create(&self, cx: &Context, submission: &OrderSubmission) -> Result<Receipt> {
        let (key, submission) = (submission.order.key.clone(), submission.clone());
        let write = self
            .system
            .write(cx, "orders.create", Some(key), move |erp, moment| erp.take(submission, moment));
        let claims_no_effect = self.system.look(|erp, _| erp.rules.claims_no_effect);
        write.await.map_err(|error| if claims_no_effect { error.with_effect(Effect::None) } else { error })
    }

    async fn complete(&self, cx: &Context, found: Found, submission: &OrderSubmission) -> Result<Receipt> {
        match found {
            Found::Whole(receipt) => Ok(receipt),
            Found::Partial(receipt) => {
                let (key, submission) = (submission.order.key.clone(), submission.clone());
                let id = receipt.native_id.as_str().parse().unwrap_or(0u64);
                let write = self.system.write(cx, "orders.complete", Some(key), move |erp, moment| {
                    erp.rewrite(id, submission, moment.at)
                });
                write.await
            }
            Found::Several(receipts) => {
                let text = format!("{} documents lie under one key", receipts.len());
                Err(Error::new(ErrorKind::Conflict, text))
            }
            Found::Absent => Err(Error::transient("the document came and went")),
        }
    }

    async fn enqueue(
        &self,
        cx: &Context,
        submission: &OrderSubmission,
        wait: std::time::Duration,
    ) -> Outcome {
        let (key, submission) = (submission.order.key.clone(), submission.clone());
        let write = self.system.write(cx, "orders.enqueue", Some(key), move |erp, moment| {
            let id = erp.jobs.len() as u64 + 1;
            erp.jobs.insert(id, Job { due: moment.at.plus(wait), submission, done: None });
            Ok(Handle(format!("job-{id}")))
        });
        write.await.map_or_else(Outcome::Failed, Outcome::Accepted)
    }
}

fn outcome(result: Result<Receipt>) -> Outcome {
    result.map_or_else(Outcome::Failed, Outcome::Applied)
}

#[async_trait]
impl OrderSink for ReferenceErp {
    async fn submit_orders(&self, cx: &Context, orders: &[OrderSubmission]) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(orders.len());
        for submission in orders {
            outcomes.push(self.submit_one(cx, submission).await);
        }
        outcomes
    }

    async fn find_order(&self, cx: &Context, key: &Key) -> Result<Found> {
        let wanted = key.clone();
        let read = self
            .system
            .read(cx, "orders.find", Some(key.clone()), move |erp, moment| Ok(erp.found(&wanted, moment.at)));
        let lies = self.system.look(|erp, _| erp.rules.lying_absent);
        match read.await {
            Err(_) if lies => Ok(Found::Absent),
            found => found,
        }
    }

    async fn revise_orders(&self, cx: &Context, revisions: &[OrderRevision]) -> Vec<Outcome> {
        let mut outcomes = Outcomes::with_capacity(revisions.len());
        for revision in revisions.iter().cloned() {
            let key = revision.desired.order.key.clone();
            let write = self
                .system
                .write(cx, "orders.revise", Some(key), move |erp, moment| erp.revise(revision, moment.at));
            outcomes.push(write.await);
        }
        outcomes.into_vec()
    }

    async fn preview_order(&self, cx: &Context, order: &OrderSubmission) -> Result<OrderPreview> {
        let (key, order) = (order.order.key.clone(), order.clone());
        let read = self.system.read(cx, "orders.preview", Some(key), move |erp, _| {
            Ok(OrderPreview::new(Some(erp.holding_of(&order).totals), erp.problems(&order)))
        });
        read.await
    }

    async fn order_outcomes(&self, cx: &Context, handles: &[Handle]) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(handles.len());
        for handle in handles.iter().cloned() {
            let job = handle.0.strip_prefix("job-").and_then(|job| job.parse().ok()).unwrap_or(0u64);
            let read = self.system.read(cx, "orders.outcome", None, move |erp, _| {
                Ok(erp.jobs.get(&job).map(|job| job.done.clone()))
            });
            outcomes.push(match read.await {
                // That a question failed says nothing about the work that was asked after.
                Err(error) => Outcome::Failed(error.with_effect(Effect::Unknown)),
                Ok(None) => {
                    let text = "no such job is known";
                    Outcome::Failed(Error::new(ErrorKind::NotFound, text).with_effect(Effect::Unknown))
                }
                Ok(Some(None)) => Outcome::Accepted(handle),
                Ok(Some(Some(Ok(receipt)))) => Outcome::Applied(receipt),
                Ok(Some(Some(Err((kind, text))))) => Outcome::Failed(Error::new(kind, text)),
            });
        }
        outcomes
    }

    fn order_statement(&self, cx: &Context, window: Window) -> Items<StatementEntry> {
        let (erp, cx) = (self.clone(), cx.clone());
        items(async move {
            let read = erp.system.read(&cx, "orders.statement", None, move |erp, moment| {
                let rows = erp.docs.iter().filter(|(_, doc)| window.contains(doc.dated)).map(|(id, doc)| {
                    let number = native(*id).to_string();
                    let mut entry =
                        StatementEntry::new(doc.key.clone(), native(*id), number, doc.holding.clone());
                    entry.dated = Some(doc.dated);
                    entry
                });
                Ok((rows.collect(), moment.twist))
            });
            read.await
        })
    }
}

#[async_trait]
impl InventorySource for ReferenceErp {
    fn inventory(&self, cx: &Context, query: InventoryQuery) -> Items<InventoryLevel> {
        let (erp, cx) = (self.clone(), cx.clone());
        items(async move {
            let started = erp.system.now();
            let read = erp.system.read(&cx, "inventory.list", None, move |erp, moment| {
                Ok((erp.levels(&query, started), moment.twist))
            });
            read.await
        })
    }

    async fn inventory_of(&self, cx: &Context, skus: &[Sku]) -> Result<Vec<InventoryLevel>> {
        let (skus, started) = (skus.to_vec(), self.system.now());
        let read = self.system.read(cx, "inventory.get", None, move |erp, _| {
            let mut levels = erp.levels(&InventoryQuery::new(), started);
            levels.retain(|level| skus.contains(&level.sku));
            Ok(levels)
        });
        read.await
    }
}

#[async_trait]
impl FulfillmentSource for ReferenceErp {
    fn fulfillment_changes(&self, cx: &Context, since: Option<Watermark>) -> Feed<Fulfillment> {
        let spec = FeedSpec {
            op: "fulfillments.page",
            issuer: Watermark::issuer_of(self.system.id(), "fulfillments", &()),
            page: self.system.look(|erp, _| erp.page),
            overlap: std::time::Duration::ZERO,
            oldest: Timestamp::MIN,
        };
        feed(self.system.clone(), cx.clone(), spec, since, |erp: &ErpState, _| erp.delivery_rows())
    }
}

#[async_trait]
impl CustomerStore for ReferenceErp {
    async fn customer(&self, cx: &Context, id: &NativeId) -> Result<Option<Observed<Customer>>> {
        customers::get(&self.system, cx, id).await
    }

    async fn matching_customers(
        &self,
        cx: &Context,
        identity: &CustomerIdentity,
    ) -> Result<Vec<Observed<Customer>>> {
        customers::matching(&self.system, cx, identity).await
    }

    async fn upsert_customer(
        &self,
        cx: &Context,
        patch: &CustomerPatch,
        expected: Option<&EntityTag>,
    ) -> Result<Receipt> {
        customers::upsert(&self.system, cx, patch, expected).await
    }

    fn customer_changes(&self, cx: &Context, since: Option<Watermark>) -> Feed<Customer> {
        let page = self.system.look(|erp, _| erp.page);
        customers::changes(&self.system, cx, page, since)
    }
}
