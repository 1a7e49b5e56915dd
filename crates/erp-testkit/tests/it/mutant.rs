//! A connector that is right but for one bug.

use async_trait::async_trait;
use erp_core::model::*;
use erp_core::prelude::*;
use erp_core::roles::{Hint, Received, Reply, RequestParts};
use erp_testkit::model::EMAIL_MARKER;
use erp_testkit::reference::EVENT_SECRET;
use futures_util::{FutureExt as _, StreamExt as _, future::ready, stream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

#[derive(Debug, Clone)]
pub(crate) struct Mutant {
    inner: Arc<dyn Connector>,
    bug: &'static str,
    count: Arc<AtomicU32>,
    first: Arc<Mutex<Option<Receipt>>>,
}

impl Mutant {
    pub(crate) fn new(inner: Arc<dyn Connector>, bug: &'static str) -> Self {
        Self { inner, bug, count: Arc::default(), first: Arc::default() }
    }

    fn has(&self, bug: &str) -> bool {
        self.bug == bug
    }

    fn next(&self) -> u32 {
        self.count.fetch_add(1, Ordering::Relaxed)
    }

    fn feed<T: Send + 'static>(&self, feed: Feed<T>, resumed: bool) -> Feed<T> {
        let (bug, mut upserts) = (self.bug, 0);
        let feed = feed.filter(move |event| {
            upserts += usize::from(matches!(event, Ok(FeedEvent::Upsert(_))));
            let dropped = match event {
                Ok(FeedEvent::SnapshotEnd) => bug == "no end",
                Ok(FeedEvent::Poison(_)) => bug == "no poison",
                Ok(FeedEvent::Upsert(_)) => bug == "skips on resume" && resumed && upserts == 1,
                Err(_) => bug == "hides breaks",
                Ok(_) => false,
            };
            ready(!dropped)
        });
        feed.boxed()
    }

    fn items<T: Send + 'static>(&self, items: Items<T>) -> Items<T> {
        let hides = self.has("hides breaks");
        items.filter(move |item| ready(!(hides && item.is_err()))).boxed()
    }

    /// A foreign mark that is taken for none.
    fn mark(&self, since: Option<Watermark>) -> Option<Watermark> {
        since.filter(|_| !self.has("takes any mark"))
    }

    fn outcomes(&self, mut outcomes: Vec<Outcome>) -> Vec<Outcome> {
        let effect = match self.bug {
            "claims none" => Effect::None,
            "claims applied" => Effect::Applied,
            "all or nothing" if outcomes.iter().any(|outcome| outcome.error().is_some()) => {
                return outcomes.iter().map(|_| Outcome::Failed(Error::invalid("x", "x", "x"))).collect();
            }
            "reverses" => {
                outcomes.reverse();
                return outcomes;
            }
            _ => return outcomes,
        };
        let claim = |outcome| match outcome {
            Outcome::Failed(error) => Outcome::Failed(error.with_effect(effect)),
            other => other,
        };
        outcomes.into_iter().map(claim).collect()
    }

    /// What was refused is taken.
    fn taken(&self, outcomes: Vec<Outcome>) -> Vec<Outcome> {
        if !self.has("takes any order") {
            return outcomes;
        }
        let taken = |outcome| match outcome {
            Outcome::Failed(_) => Outcome::Applied(Receipt::new("1".into(), "1", Timestamp::EPOCH)),
            other => other,
        };
        outcomes.into_iter().map(taken).collect()
    }

    fn absent<T>(&self, read: Result<T>, nothing: T) -> Result<T> {
        if self.has("error is absence") { read.or(Ok(nothing)) } else { read }
    }

    /// Asks for something at once.
    fn eager(&self, cx: &Context) {
        if self.has("eager") {
            drop(self.inner.probe(cx, &[Need::ReadOrders]).now_or_never());
        }
    }

    fn order_in(&self) -> Arc<dyn OrderSource> {
        self.inner.order_source().unwrap()
    }
    fn order_out(&self) -> Arc<dyn OrderSink> {
        self.inner.order_sink().unwrap()
    }
    fn stock_in(&self) -> Arc<dyn InventorySource> {
        self.inner.inventory_source().unwrap()
    }
    fn stock_out(&self) -> Arc<dyn InventorySink> {
        self.inner.inventory_sink().unwrap()
    }
    fn store(&self) -> Arc<dyn CustomerStore> {
        self.inner.customer_store().unwrap()
    }
}

#[async_trait]
impl Connector for Mutant {
    fn identity(&self) -> Identity {
        let mut identity = self.inner.identity();
        if self.has("no fingerprint") {
            identity.fingerprint.clear();
        }
        identity
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn probe(&self, cx: &Context, needs: &[Need]) -> Vec<Finding> {
        match self.bug {
            "probes nothing" => Vec::new(),
            "probe is blind" => needs.iter().map(|need| Finding::good(format!("{need:?}"), "")).collect(),
            _ => self.inner.probe(cx, needs).await,
        }
    }

    fn order_source(&self) -> Option<Arc<dyn OrderSource>> {
        self.inner.order_source().map(|_| Arc::new(self.clone()) as Arc<dyn OrderSource>)
    }
    fn order_sink(&self) -> Option<Arc<dyn OrderSink>> {
        self.inner.order_sink().map(|_| Arc::new(self.clone()) as Arc<dyn OrderSink>)
    }
    fn inventory_source(&self) -> Option<Arc<dyn InventorySource>> {
        self.inner.inventory_source().map(|_| Arc::new(self.clone()) as Arc<dyn InventorySource>)
    }
    fn inventory_sink(&self) -> Option<Arc<dyn InventorySink>> {
        self.inner.inventory_sink().map(|_| Arc::new(self.clone()) as Arc<dyn InventorySink>)
    }
    fn price_source(&self) -> Option<Arc<dyn PriceSource>> {
        self.inner.price_source().map(|_| Arc::new(self.clone()) as Arc<dyn PriceSource>)
    }
    fn price_sink(&self) -> Option<Arc<dyn PriceSink>> {
        self.inner.price_sink().map(|_| Arc::new(self.clone()) as Arc<dyn PriceSink>)
    }
    fn customer_store(&self) -> Option<Arc<dyn CustomerStore>> {
        let open = !self.has("shut door");
        self.inner.customer_store().filter(|_| open).map(|_| Arc::new(self.clone()) as Arc<dyn CustomerStore>)
    }
    fn event_receiver(&self) -> Option<Arc<dyn EventReceiver>> {
        self.inner.event_receiver().map(|_| Arc::new(self.clone()) as Arc<dyn EventReceiver>)
    }
    fn fulfillment_source(&self) -> Option<Arc<dyn FulfillmentSource>> {
        self.inner.fulfillment_source().map(|_| Arc::new(self.clone()) as Arc<dyn FulfillmentSource>)
    }
    fn fulfillment_sink(&self) -> Option<Arc<dyn FulfillmentSink>> {
        self.inner.fulfillment_sink().map(|_| Arc::new(self.clone()) as Arc<dyn FulfillmentSink>)
    }
    fn invoice_source(&self) -> Option<Arc<dyn InvoiceSource>> {
        self.inner.invoice_source().map(|_| Arc::new(self.clone()) as Arc<dyn InvoiceSource>)
    }
    fn invoice_sink(&self) -> Option<Arc<dyn InvoiceSink>> {
        self.inner.invoice_sink().map(|_| Arc::new(self.clone()) as Arc<dyn InvoiceSink>)
    }
    fn refund_source(&self) -> Option<Arc<dyn RefundSource>> {
        self.inner.refund_source().map(|_| Arc::new(self.clone()) as Arc<dyn RefundSource>)
    }
    fn refund_sink(&self) -> Option<Arc<dyn RefundSink>> {
        self.inner.refund_sink().map(|_| Arc::new(self.clone()) as Arc<dyn RefundSink>)
    }
    fn movement_source(&self) -> Option<Arc<dyn MovementSource>> {
        self.inner.movement_source().map(|_| Arc::new(self.clone()) as Arc<dyn MovementSource>)
    }
    fn movement_sink(&self) -> Option<Arc<dyn MovementSink>> {
        self.inner.movement_sink().map(|_| Arc::new(self.clone()) as Arc<dyn MovementSink>)
    }
}

#[async_trait]
impl EventReceiver for Mutant {
    async fn receive(&self, cx: &Context, parts: &RequestParts, body: &[u8]) -> Received {
        let mut received = self.inner.event_receiver().unwrap().receive(cx, parts, body).await;
        match self.bug {
            "hints at nothing" => received.hints.clear(),
            "takes anything" if received.refusal.is_some() => {
                let records = self.capabilities().event_receiver.unwrap().records;
                return Received::accepted(vec![Hint::new(records[0])], Reply::text(202, "thank you"));
            }
            "tells all" => received.reply = Reply::text(received.reply.status, EVENT_SECRET),
            "keeps quiet" => received.refusal = None,
            _ => {}
        }
        received
    }
}

#[async_trait]
impl OrderSource for Mutant {
    fn orders(&self, cx: &Context, query: OrderQuery) -> Items<Observed<Order>> {
        let again = self.has("lists twice").then(|| self.order_in().orders(cx, query.clone()));
        let gives_up = self.has("gives up behind poison");
        let mut gone = false;
        let list = self.order_in().orders(cx, query).take_while(move |seen| {
            let was_gone = gone;
            gone |= gives_up && seen.is_err();
            ready(!was_gone)
        });
        self.items(list.chain(stream::iter(again).flatten()).boxed())
    }

    async fn order(&self, cx: &Context, key: &Key) -> Result<Option<Observed<Order>>> {
        let mut read = self.absent(self.order_in().order(cx, key).await, None)?;
        if let Some(observed) = read.as_mut().filter(|_| self.has("no links")) {
            observed.record.replaced_by = None;
        }
        Ok(read)
    }

    fn order_changes(&self, cx: &Context, query: OrderQuery, since: Option<Watermark>) -> Feed<Order> {
        self.eager(cx);
        let hides = self.has("hides cancelled");
        let resumed = since.is_some();
        let feed = self.order_in().order_changes(cx, query, self.mark(since)).filter(move |event| {
            let cancelled = matches!(event, Ok(FeedEvent::Upsert(seen)) if seen.record.is_cancelled());
            ready(!(hides && cancelled))
        });
        self.feed(feed.boxed(), resumed)
    }
}

#[async_trait]
impl OrderSink for Mutant {
    async fn submit_orders(&self, cx: &Context, orders: &[OrderSubmission]) -> Vec<Outcome> {
        if self.has("asks for nothing") {
            let _ = self.order_out().find_order(cx, &"x".into()).await;
        }
        let outcomes = self.outcomes(self.order_out().submit_orders(cx, orders).await);
        if self.has("mixes up")
            && let [Outcome::Applied(receipt)] = outcomes.as_slice()
        {
            let first = self.first.lock().unwrap().get_or_insert_with(|| receipt.clone()).clone();
            return vec![Outcome::Applied(first)];
        }
        outcomes
    }

    async fn find_order(&self, cx: &Context, key: &Key) -> Result<Found> {
        let found = self.order_out().find_order(cx, key).await;
        let found = self.absent(found, Found::Absent);
        match (self.bug, found) {
            ("leaks", Err(error)) => Err(error.with_context("buyer", EMAIL_MARKER)),
            ("first of several", Ok(Found::Several(mut all))) => Ok(Found::Whole(all.remove(0))),
            ("absence is an error", Ok(Found::Absent)) => Err(Error::new(ErrorKind::NotFound, "gone")),
            ("loses a line", Ok(Found::Whole(mut receipt))) => {
                if let Some(holding) = &mut receipt.holding {
                    holding.lines.pop();
                }
                Ok(Found::Whole(receipt))
            }
            (_, found) => found,
        }
    }

    async fn revise_orders(&self, cx: &Context, revisions: &[OrderRevision]) -> Vec<Outcome> {
        if self.has("revises nothing") {
            return revisions.iter().map(|one| Outcome::Applied(one.receipt.clone())).collect();
        }
        self.order_out().revise_orders(cx, revisions).await
    }

    fn order_statement(&self, cx: &Context, window: Window) -> Items<StatementEntry> {
        let window = if self.has("any window") { Window::ALL } else { window };
        let (dedups, mut seen) = (self.has("one per key"), std::collections::BTreeSet::new());
        let list = self.items(self.order_out().order_statement(cx, window));
        let once = move |entry: &Result<StatementEntry>| {
            ready(
                !dedups
                    || entry.as_ref().is_err()
                    || entry.as_ref().is_ok_and(|one| seen.insert(one.key.clone())),
            )
        };
        list.filter(once).boxed()
    }
}

#[async_trait]
impl InventorySource for Mutant {
    fn inventory(&self, cx: &Context, query: InventoryQuery) -> Items<InventoryLevel> {
        self.eager(cx);
        let again = self.has("lists twice").then(|| self.stock_in().inventory(cx, query.clone()));
        self.items(self.stock_in().inventory(cx, query).chain(stream::iter(again).flatten()).boxed())
    }

    async fn inventory_of(&self, cx: &Context, skus: &[Sku]) -> Result<Vec<InventoryLevel>> {
        let read = self.stock_in().inventory_of(cx, skus).await.map(|mut levels| {
            levels.truncate(if self.has("reads one") { 1 } else { usize::MAX });
            levels
        });
        self.absent(read, Vec::new())
    }

    fn inventory_changes(
        &self,
        cx: &Context,
        query: InventoryQuery,
        since: Option<Watermark>,
    ) -> Feed<InventoryLevel> {
        self.eager(cx);
        self.feed(self.stock_in().inventory_changes(cx, query, since), false)
    }
}

#[async_trait]
impl InventorySink for Mutant {
    async fn put_inventory(&self, cx: &Context, puts: &[InventoryPut]) -> Vec<Outcome> {
        let mut puts = puts.to_vec();
        match self.bug {
            "adds one" => puts.iter_mut().for_each(|put| put.quantity.value += Decimal::ONE),
            "adds up" => {
                let more = Decimal::from(self.next());
                puts.iter_mut().for_each(|put| put.quantity.value += more);
            }
            "asks for nothing" => {
                drop(self.stock_out().inventory_statement(cx, InventoryQuery::new()).next().await);
            }
            _ => {}
        }
        self.outcomes(self.stock_out().put_inventory(cx, &puts).await)
    }

    fn inventory_statement(&self, cx: &Context, query: InventoryQuery) -> Items<InventoryLevel> {
        let drops = self.has("drops zero");
        let zero =
            |level: &Result<InventoryLevel>| level.as_ref().is_ok_and(|one| one.quantity.value.is_zero());
        self.stock_out()
            .inventory_statement(cx, query)
            .filter(move |level| ready(!(drops && zero(level))))
            .boxed()
    }
}

#[async_trait]
impl PriceSource for Mutant {
    fn prices(&self, cx: &Context, query: PriceQuery) -> Items<Price> {
        let source = self.inner.price_source().unwrap();
        let again = self.has("lists twice").then(|| source.prices(cx, query.clone()));
        self.items(source.prices(cx, query).chain(stream::iter(again).flatten()).boxed())
    }
}

#[async_trait]
impl PriceSink for Mutant {
    async fn put_prices(&self, cx: &Context, prices: &[Price]) -> Vec<Outcome> {
        let mut prices = prices.to_vec();
        if self.has("adds one") {
            prices.iter_mut().for_each(|price| price.price.amount += Decimal::ONE);
        }
        self.outcomes(self.inner.price_sink().unwrap().put_prices(cx, &prices).await)
    }

    fn price_statement(&self, cx: &Context, query: PriceQuery) -> Items<Price> {
        self.inner.price_sink().unwrap().price_statement(cx, query)
    }
}

#[async_trait]
impl CustomerStore for Mutant {
    async fn customer(&self, cx: &Context, id: &NativeId) -> Result<Option<Observed<Customer>>> {
        let mut read = self.absent(self.store().customer(cx, id).await, None)?;
        if let Some(observed) = read.as_mut().filter(|_| self.has("reads no name")) {
            observed.record.first_name.clear();
        }
        Ok(read)
    }

    async fn matching_customers(
        &self,
        cx: &Context,
        identity: &CustomerIdentity,
    ) -> Result<Vec<Observed<Customer>>> {
        self.absent(self.store().matching_customers(cx, identity).await, Vec::new())
    }

    async fn upsert_customer(
        &self,
        cx: &Context,
        patch: &CustomerPatch,
        expected: Option<&EntityTag>,
    ) -> Result<Receipt> {
        let mut patch = patch.clone();
        match self.bug {
            "a key each" => patch.customer.key = Key::from(format!("{}-{}", patch.customer.key, self.next())),
            "wipes out" if patch.customer.last_name.is_empty() => patch.customer.last_name = "-".to_owned(),
            _ => {}
        }
        self.store().upsert_customer(cx, &patch, expected.filter(|_| !self.has("overwrites"))).await
    }

    fn customer_changes(&self, cx: &Context, since: Option<Watermark>) -> Feed<Customer> {
        self.eager(cx);
        let resumed = since.is_some();
        self.feed(self.store().customer_changes(cx, self.mark(since)), resumed)
    }
}

#[async_trait]
impl FulfillmentSource for Mutant {
    fn fulfillment_changes(&self, cx: &Context, since: Option<Watermark>) -> Feed<Fulfillment> {
        self.eager(cx);
        let resumed = since.is_some();
        let source = self.inner.fulfillment_source().unwrap();
        self.feed(source.fulfillment_changes(cx, self.mark(since)), resumed)
    }
}

#[async_trait]
impl FulfillmentSink for Mutant {
    async fn submit_fulfillments(&self, cx: &Context, items: &[FulfillmentSubmission]) -> Vec<Outcome> {
        let sink = self.inner.fulfillment_sink().unwrap();
        let mut items = items.to_vec();
        if self.has("asks for nothing") {
            let _ = sink.find_fulfillment(cx, &"x".into(), &"1".into()).await;
        }
        for item in &mut items {
            if self.has("a key each") {
                item.fulfillment.key = Key::from(format!("{}-{}", item.fulfillment.key, self.next()));
            }
            let too_much = |line: &&mut FulfillmentLine| line.quantity > Decimal::ONE_HUNDRED;
            if let Some(line) = item.fulfillment.lines.iter_mut().find(too_much).filter(|_| self.has("cuts"))
            {
                line.quantity -= Decimal::ONE_HUNDRED;
            }
        }
        self.outcomes(sink.submit_fulfillments(cx, &items).await)
    }

    async fn find_fulfillment(&self, cx: &Context, key: &Key, order: &NativeId) -> Result<Found> {
        let found = self.inner.fulfillment_sink().unwrap().find_fulfillment(cx, key, order).await;
        self.absent(found, Found::Absent)
    }
}

#[async_trait]
impl RefundSource for Mutant {
    fn refund_changes(&self, cx: &Context, since: Option<Watermark>) -> Feed<Refund> {
        self.eager(cx);
        let resumed = since.is_some();
        let source = self.inner.refund_source().unwrap();
        self.feed(source.refund_changes(cx, self.mark(since)), resumed)
    }
}

#[async_trait]
impl RefundSink for Mutant {
    async fn submit_refunds(&self, cx: &Context, items: &[RefundSubmission]) -> Vec<Outcome> {
        let sink = self.inner.refund_sink().unwrap();
        let mut items = items.to_vec();
        if self.has("asks for nothing") {
            let _ = sink.find_refund(cx, &"x".into(), &"1".into()).await;
        }
        for item in &mut items {
            if self.has("a key each") {
                item.refund.key = Key::from(format!("{}-{}", item.refund.key, self.next()));
            }
            if self.has("adds up anew") {
                item.refund = item.refund.clone().with_lines(item.refund.lines.clone());
            }
            let too_much = |line: &&mut RefundLine| line.quantity > Decimal::ONE_HUNDRED;
            if let Some(line) = item.refund.lines.iter_mut().find(too_much).filter(|_| self.has("cuts")) {
                line.quantity -= Decimal::ONE_HUNDRED;
            }
        }
        let outcomes = self.outcomes(sink.submit_refunds(cx, &items).await);
        self.taken(outcomes)
    }

    async fn find_refund(&self, cx: &Context, key: &Key, order: &NativeId) -> Result<Found> {
        let found = self.inner.refund_sink().unwrap().find_refund(cx, key, order).await;
        self.absent(found, Found::Absent)
    }
}

#[async_trait]
impl MovementSource for Mutant {
    fn movement_changes(&self, cx: &Context, since: Option<Watermark>) -> Feed<StockMovement> {
        self.eager(cx);
        let resumed = since.is_some();
        let source = self.inner.movement_source().unwrap();
        self.feed(source.movement_changes(cx, self.mark(since)), resumed)
    }
}

impl Mutant {
    /// A movement as the bug has it.
    fn bent(&self, item: &StockMovement) -> StockMovement {
        let mut item = item.clone();
        match self.bug {
            "a key each" => item.key = Key::from(format!("{}-{}", item.key, self.next())),
            "one per document" => item.key = Key::from(item.key.as_str().trim_end_matches("-again")),
            "books the rest" => item.lines.retain(|line| line.sku.as_str() != "no-such-product"),
            "adds one" if matches!(item.route, MovementRoute::Transfer { .. }) => {
                item.lines.iter_mut().for_each(|line| line.quantity += Decimal::ONE);
            }
            "cuts" => {
                let too_much = |line: &&mut MovementLine| line.quantity > Decimal::ONE_HUNDRED;
                item.lines.iter_mut().filter(too_much).for_each(|line| line.quantity -= Decimal::ONE_HUNDRED);
            }
            "mends" => item.lines.iter_mut().for_each(|line| line.quantity = line.quantity.max(Decimal::ONE)),
            _ => {}
        }
        item
    }
}
impl InvoiceSource for Mutant {
    fn invoice_changes(&self, cx: &Context, since: Option<Watermark>) -> Feed<Invoice> {
        self.eager(cx);
        let resumed = since.is_some();
        let source = self.inner.invoice_source().unwrap();
        self.feed(source.invoice_changes(cx, self.mark(since)), resumed)
    }
}

#[async_trait]
impl MovementSink for Mutant {
    async fn submit_movements(&self, cx: &Context, items: &[StockMovement]) -> Vec<Outcome> {
        let sink = self.inner.movement_sink().unwrap();
        if self.has("asks for nothing") {
            let nothing = StockMovement::transfer("x".into(), "x", ("x", "y"), Timestamp::EPOCH);
            let _ = sink.find_movement(cx, &nothing).await;
        }
        let items: Vec<_> = items.iter().map(|item| self.bent(item)).collect();
        let outcomes = self.outcomes(sink.submit_movements(cx, &items).await);
        self.taken(outcomes)
    }

    async fn find_movement(&self, cx: &Context, movement: &StockMovement) -> Result<Found> {
        let found = self.inner.movement_sink().unwrap().find_movement(cx, movement).await;
        self.absent(found, Found::Absent)
    }
}
#[async_trait]
impl InvoiceSink for Mutant {
    async fn submit_invoices(&self, cx: &Context, items: &[InvoiceSubmission]) -> Vec<Outcome> {
        let sink = self.inner.invoice_sink().unwrap();
        let mut items = items.to_vec();
        if self.has("asks for nothing") {
            let _ = sink.find_invoice(cx, &"x".into(), &"1".into()).await;
        }
        for item in &mut items {
            if self.has("a key each") {
                item.invoice.key = Key::from(format!("{}-{}", item.invoice.key, self.next()));
            }
            if self.has("a key for each order") {
                item.invoice.key = Key::from(format!("order {}", item.order));
            }
            if self.has("adds up anew") {
                item.invoice = item.invoice.clone().with_lines(item.invoice.lines.clone());
            }
            let too_much = |line: &&mut InvoiceLine| line.quantity > Decimal::ONE_HUNDRED;
            if let Some(line) = item.invoice.lines.iter_mut().find(too_much).filter(|_| self.has("cuts")) {
                line.quantity -= Decimal::ONE_HUNDRED;
            }
        }
        let outcomes = self.outcomes(sink.submit_invoices(cx, &items).await);
        self.taken(outcomes)
    }

    async fn find_invoice(&self, cx: &Context, key: &Key, order: &NativeId) -> Result<Found> {
        let found = self.inner.invoice_sink().unwrap().find_invoice(cx, key, order).await;
        self.absent(found, Found::Absent)
    }
}
