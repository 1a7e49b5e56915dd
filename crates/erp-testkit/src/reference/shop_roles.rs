use super::customers;
use super::events;
use super::feed::{FeedSpec, feed};
use super::shop::{COMMIT_LAG_MAX, ReferenceShop, Shipment, ShopState, StockPut};
use super::system::{Moment, Twist, items};
use async_trait::async_trait;
use erp_core::error::FieldError;
use erp_core::model::{
    Basis, Customer, CustomerIdentity, CustomerPatch, FulfillmentSubmission, InventoryLevel, InventoryPut,
    InventoryQuery, Order, OrderLink, OrderQuery, Standing,
};
use erp_core::outcome::Outcomes;
use erp_core::prelude::*;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

#[async_trait]
impl Connector for ReferenceShop {
    fn identity(&self) -> Identity {
        self.system.identity().clone()
    }

    fn capabilities(&self) -> Capabilities {
        let page = u32::try_from(self.system.look(|shop, _| shop.page)).unwrap_or(u32::MAX);
        let horizon = self.system.horizon();
        let mut capabilities = Capabilities::default();
        capabilities.order_source = Some(SourceCapability::new(DeltaKind::ModifiedSince, true, page));
        capabilities.inventory_sink =
            Some(SinkCapability::new(Idempotency::ResendSafe, horizon).with_bulk(100, 4));
        capabilities.fulfillment_sink = Some(SinkCapability::new(Idempotency::LookupThenCreate, horizon));
        capabilities.refund_source = Some(SourceCapability::new(DeltaKind::ModifiedSince, true, page));
        capabilities.invoice_sink = Some(SinkCapability::new(Idempotency::LookupThenCreate, horizon));
        capabilities.price_sink =
            Some(SinkCapability::new(Idempotency::ResendSafe, horizon).with_bulk(100, 4));
        capabilities.customer_store =
            Some(SinkCapability::new(Idempotency::UniqueExternalId, horizon).with_revise());
        capabilities.event_receiver = Some(events::capability(&events::SHOP_RECORDS));
        capabilities
    }

    async fn probe(&self, cx: &Context, needs: &[Need]) -> Vec<Finding> {
        super::probe(&self.system, cx, needs).await
    }

    fn order_source(&self) -> Option<std::sync::Arc<dyn OrderSource>> {
        Some(std::sync::Arc::new(self.clone()))
    }
    fn inventory_sink(&self) -> Option<std::sync::Arc<dyn InventorySink>> {
        Some(std::sync::Arc::new(self.clone()))
    }
    fn fulfillment_sink(&self) -> Option<std::sync::Arc<dyn FulfillmentSink>> {
        Some(std::sync::Arc::new(self.clone()))
    }
    fn refund_source(&self) -> Option<std::sync::Arc<dyn RefundSource>> {
        Some(std::sync::Arc::new(self.clone()))
    }
    fn invoice_sink(&self) -> Option<std::sync::Arc<dyn InvoiceSink>> {
        Some(std::sync::Arc::new(self.clone()))
    }
    fn price_sink(&self) -> Option<std::sync::Arc<dyn PriceSink>> {
        Some(std::sync::Arc::new(self.clone()))
    }
    fn customer_store(&self) -> Option<std::sync::Arc<dyn CustomerStore>> {
        Some(std::sync::Arc::new(self.clone()))
    }
    fn event_receiver(&self) -> Option<std::sync::Arc<dyn EventReceiver>> {
        Some(std::sync::Arc::new(self.clone()))
    }
}

#[async_trait]
impl OrderSource for ReferenceShop {
    fn orders(&self, cx: &Context, query: OrderQuery) -> Items<Observed<Order>> {
        let limit = query.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let start = (self.clone(), cx.clone(), query, 0u64);
        let pages = stream::try_unfold(Some(start), |page| async move {
            let Some((shop, cx, query, after)) = page else { return Ok::<_, Error>(None) };
            let (rows, last, started) = shop.page_of(&cx, query.clone(), after).await?;
            let next = last.map(|last| (shop, cx, query, last));
            Ok(Some((stream::iter(rows.into_iter().map(move |row| observe(row, started))), next)))
        });
        pages.try_flatten().take(limit).boxed()
    }

    async fn order(&self, cx: &Context, key: &Key) -> Result<Option<Observed<Order>>> {
        let (wanted, started) = (key.clone(), self.system.now());
        let read = self.system.read(cx, "orders.get", Some(key.clone()), move |shop, moment| {
            let rows = shop.rows(&OrderQuery::new(), moment.at);
            Ok(rows.into_iter().find(|row| row.key == wanted))
        });
        read.await?.map(|row| observe(row, started)).transpose()
    }

    fn order_changes(&self, cx: &Context, query: OrderQuery, since: Option<Watermark>) -> Feed<Order> {
        let issuer = Watermark::issuer_of(self.system.id(), "orders", &query);
        let spec = self.system.look(|shop, _| FeedSpec {
            op: "orders.page",
            issuer,
            page: shop.page,
            overlap: if shop.skip_late { std::time::Duration::ZERO } else { COMMIT_LAG_MAX },
            oldest: shop.oldest_mark.unwrap_or(Timestamp::MIN),
        });
        let rows = move |shop: &ShopState, now| shop.rows(&query, now);
        feed(self.system.clone(), cx.clone(), spec, since, rows)
    }

    async fn write_back(&self, cx: &Context, links: &[OrderLink]) -> Vec<Outcome> {
        let mut outcomes = Outcomes::with_capacity(links.len());
        for link in links {
            let (key, noted) = (link.key.clone(), link.clone());
            let write = self.system.write(cx, "orders.write_back", Some(key), move |shop, moment| {
                let row = shop.find(&noted.key).ok_or_else(|| missing("order"))?;
                let receipt = Receipt::new(native(&noted.key), row.order.number.clone(), moment.at);
                if !shop.write_backs.contains(&noted) {
                    shop.write_backs.push(noted);
                }
                Ok(receipt)
            });
            outcomes.push(write.await);
        }
        outcomes.into_vec()
    }
}

type OrderPage = (Vec<super::feed::Row<Order>>, Option<u64>, Timestamp);

impl ReferenceShop {
    async fn page_of(&self, cx: &Context, query: OrderQuery, after: u64) -> Result<OrderPage> {
        let started = self.system.now();
        let read = self.system.read(cx, "orders.list", None, move |shop, moment| {
            let mut rows = shop.rows(&query, moment.at);
            rows.retain(|row| row.id > after);
            let more = rows.len() > shop.page;
            rows.truncate(shop.page);
            if moment.twist != Twist::None && moment.twist != Twist::Repeat {
                return Err(Error::transient("the connection broke in mid-answer"));
            }
            let last = rows.last().map(|row| row.id).filter(|_| more);
            Ok((rows, last))
        });
        let (rows, last) = read.await?;
        Ok((rows, last, started))
    }
}

fn observe(row: super::feed::Row<Order>, started: Timestamp) -> Result<Observed<Order>> {
    let order = row.body.map_err(|reason| Error::unreadable(&row.key, reason))?;
    let mut observed = Observed::new(row.key, row.label, started, order);
    observed.version = row.version;
    Ok(observed)
}

fn native(key: &Key) -> NativeId {
    NativeId::from(key.as_str().rsplit(':').next().unwrap_or_default())
}

fn missing(what: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no such {what}"))
}

#[async_trait]
impl InventorySink for ReferenceShop {
    async fn put_inventory(&self, cx: &Context, puts: &[InventoryPut]) -> Vec<Outcome> {
        let mut outcomes = Outcomes::with_capacity(puts.len());
        for put in puts {
            let key = erp_core::roles::level_key(&put.sku, put.location.as_str());
            let put = put.clone();
            let write = self
                .system
                .write(cx, "inventory.put", Some(key), move |shop, moment| shop.put(put, moment.at));
            outcomes.push(write.await);
        }
        outcomes.into_vec()
    }

    async fn remove_inventory(&self, cx: &Context, levels: &[(Sku, LocationId)]) -> Vec<Outcome> {
        let mut outcomes = Outcomes::with_capacity(levels.len());
        for (sku, location) in levels.iter().cloned() {
            let key = erp_core::roles::level_key(&sku, location.as_str());
            let receipt_id = NativeId::from(key.as_str());
            let write = self.system.write(cx, "inventory.remove", Some(key), move |shop, moment| {
                shop.stock.remove(&(sku, location));
                Ok(Receipt::new(receipt_id, "", moment.at))
            });
            outcomes.push(write.await);
        }
        outcomes.into_vec()
    }

    fn inventory_statement(&self, cx: &Context, query: InventoryQuery) -> Items<InventoryLevel> {
        let (shop, cx) = (self.clone(), cx.clone());
        items(async move {
            let read = shop.system.read(&cx, "inventory.statement", None, move |shop, moment| {
                let wanted = |at: &LocationId| query.locations.is_empty() || query.locations.contains(at);
                let level = |((sku, at), quantity): (&(Sku, LocationId), &Decimal)| {
                    let quantity = Quantity::new(*quantity);
                    InventoryLevel::new(sku.clone(), at.clone(), quantity, Basis::OnHand, moment.at)
                };
                Ok((shop.stock.iter().filter(|((_, at), _)| wanted(at)).map(level).collect(), moment.twist))
            });
            read.await
        })
    }
}

impl ShopState {
    fn put(&mut self, put: InventoryPut, at: Timestamp) -> Result<Receipt> {
        if !self.knows(&put.sku) {
            return Err(Error::invalid("sku", "sku.unknown", format!("{} is no product here", put.sku)));
        }
        if !self.has_location(&put.location) {
            let text = format!("{} is no place here", put.location);
            return Err(Error::invalid("location", "location.unknown", text));
        }
        let id = NativeId::from(erp_core::roles::level_key(&put.sku, put.location.as_str()).as_str());
        let quantity = put.quantity.value;
        self.stock.insert((put.sku.clone(), put.location.clone()), quantity);
        self.puts.push(StockPut { at, sku: put.sku, location: put.location, quantity });
        Ok(Receipt::new(id, "", at))
    }

    /// Records a shipment: lines ship, source quantities fall, and a whole order is complete.
    fn ship(&mut self, submission: &FulfillmentSubmission, moment: Moment) -> Result<Receipt> {
        let wanted: Key = Key::from(submission.order.as_str());
        let id = submission.order.as_str().parse().unwrap_or(0u64);
        let by_key = self.orders.iter().find(|(_, row)| row.order.key == wanted).map(|(id, _)| *id);
        let row = self.orders.get_mut(&by_key.unwrap_or(id)).ok_or_else(|| missing("order"))?;
        let mut order = row.order.clone();
        let mut refused = Vec::new();
        for (index, part) in submission.fulfillment.lines.iter().enumerate() {
            let line_id = submission
                .lines
                .iter()
                .find(|link| link.native_line == part.native_line)
                .map(|link| link.line.clone())
                .or_else(|| part.line.clone());
            match order.lines.iter_mut().find(|line| Some(&line.id) == line_id.as_ref()) {
                Some(line) if part.quantity <= line.open() => line.shipped += part.quantity,
                Some(line) => {
                    let text = format!("{} to ship, {} open", part.quantity, line.open());
                    refused.push(FieldError::new(format!("lines[{index}].quantity"), "ship.over", text));
                }
                None => {
                    let text = "no line of the order is meant";
                    refused.push(FieldError::new(format!("lines[{index}]"), "ship.line", text));
                }
            }
        }
        if order.is_cancelled() {
            refused.push(FieldError::new("order", "ship.cancelled", "the order is cancelled"));
        }
        if !refused.is_empty() {
            return Err(Error::invalid_fields("the shipment is refused", refused));
        }
        if order.lines.iter().all(|line| line.open().is_zero()) {
            order.standing = Standing::Complete;
        }
        self.last_shipment += 1;
        let native_id = NativeId::from(self.last_shipment.to_string());
        row.order = order;
        row.touch(moment.at);
        row.shipments.push(Shipment {
            native_id: native_id.clone(),
            fulfillment: submission.fulfillment.clone(),
            at: moment.at,
            notified: submission.notify,
        });
        let location = submission.location.as_ref().or(submission.fulfillment.location.as_ref());
        for part in &submission.fulfillment.lines {
            let place = location
                .and_then(|at| self.stock.get_mut(&(part.sku.clone(), at.clone())).map(|_| at.clone()))
                .or_else(|| {
                    self.stock.keys().find(|(sku, _)| *sku == part.sku).map(|(_, location)| location.clone())
                });
            if let Some(quantity) = place.and_then(|at| self.stock.get_mut(&(part.sku.clone(), at))) {
                *quantity -= part.quantity;
            }
        }
        Ok(Receipt::new(native_id.clone(), native_id.as_str(), moment.at))
    }

    fn shipments_under(&self, key: &Key, at: Timestamp) -> Vec<Receipt> {
        let all = self.orders.values().flat_map(|row| &row.shipments);
        all.filter(|shipment| shipment.fulfillment.key == *key)
            .map(|shipment| Receipt::new(shipment.native_id.clone(), shipment.native_id.as_str(), at))
            .collect()
    }
}

#[async_trait]
impl FulfillmentSink for ReferenceShop {
    async fn submit_fulfillments(&self, cx: &Context, items: &[FulfillmentSubmission]) -> Vec<Outcome> {
        let mut outcomes = Outcomes::with_capacity(items.len());
        for item in items {
            outcomes.push(self.submit_one(cx, item).await);
        }
        outcomes.into_vec()
    }

    async fn find_fulfillment(&self, cx: &Context, key: &Key, _: &NativeId) -> Result<Found> {
        let wanted = key.clone();
        let read = self.system.read(cx, "fulfillments.find", Some(key.clone()), move |shop, moment| {
            Ok(shop.shipments_under(&wanted, moment.at))
        });
        let mut receipts = read.await?;
        Ok(match receipts.len() {
            0 => Found::Absent,
            1 => Found::Whole(receipts.remove(0)),
            _ => Found::Several(receipts),
        })
    }
}

impl ReferenceShop {
    async fn submit_one(&self, cx: &Context, item: &FulfillmentSubmission) -> Result<Receipt> {
        let key = &item.fulfillment.key;
        match self.find_fulfillment(cx, key, &item.order).await? {
            Found::Absent => {
                let item = item.clone();
                let write =
                    self.system.write(cx, "fulfillments.create", Some(key.clone()), move |shop, moment| {
                        shop.ship(&item, moment)
                    });
                write.await
            }
            Found::Partial(receipt) | Found::Whole(receipt) => Ok(receipt),
            Found::Several(_) => Err(Error::new(ErrorKind::Conflict, "several shipments under one key")),
        }
    }
}

#[async_trait]
impl CustomerStore for ReferenceShop {
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
        let page = self.system.look(|shop, _| shop.page);
        customers::changes(&self.system, cx, page, since)
    }
}
