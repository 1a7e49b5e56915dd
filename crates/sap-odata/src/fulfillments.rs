//! Fulfilments out of deliveries whose goods issue is posted.
//!
//! Deliveries tell only the *day* of their last change, so a feed begins again on the day before its mark and repeats
//! rather than skips. A delivery that nobody has changed has no such day; its creation day counts then.

use crate::client::SapClient;
use crate::map;
use crate::wire::{Delivery, Row, SalesOrder};
use bytes::Bytes;
use erp_core::context::Context;
use erp_core::error::{Error, ErrorKind, Result};
use erp_core::feed::{Feed, FeedEvent, Observed, Poison, Watermark};
use erp_core::id::{Key, LineId};
use erp_core::model::Fulfillment;
use erp_core::roles::FulfillmentSource;
use erp_core::time::{Date, Timestamp};
use futures_util::{StreamExt as _, stream};
use odata_client::{Filter, Query};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

const FORMAT: u16 = 1;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl FulfillmentSource for SapClient {
    fn fulfillment_changes(&self, cx: &Context, since: Option<Watermark>) -> Feed<Fulfillment> {
        let issuer = Watermark::issuer_of(&self.0.system, "fulfillments", &());
        let from = match &since {
            None => None,
            Some(mark) if mark.issuer == issuer && mark.format == FORMAT => match Date::parse(&mark.token) {
                Ok(day) => Some(day),
                Err(_) => return expired(),
            },
            Some(_) => return expired(),
        };
        // The mark is taken before the read, a day back, in the system's own zone.
        let mark = self.0.http.clock().now().minus(DAY).date_in(&self.config().time_zone);
        let mut ready = VecDeque::new();
        if from.is_none() {
            ready.push_back(Ok(FeedEvent::SnapshotStart));
        }
        let state = State {
            client: self.clone(),
            cx: cx.clone(),
            issuer,
            from,
            mark,
            after: None,
            ready,
            done: false,
        };
        stream::unfold(state, |mut state| async move {
            loop {
                if let Some(event) = state.ready.pop_front() {
                    return Some((event, state));
                }
                if state.done {
                    return None;
                }
                if let Err(error) = Box::pin(state.next_page()).await {
                    state.done = true;
                    state.ready.push_back(Err(error.with_operation("sap.fulfillment_changes")));
                }
            }
        })
        .boxed()
    }
}

fn expired() -> Feed<Fulfillment> {
    let text = "the mark is not one of this feed's";
    stream::iter([Err(Error::new(ErrorKind::WatermarkExpired, text))]).boxed()
}

/// For each sales order: our key of it, and our line ids by its items.
type Orders = BTreeMap<String, (Key, BTreeMap<String, LineId>)>;

struct State {
    client: SapClient,
    cx: Context,
    issuer: String,
    from: Option<Date>,
    mark: Date,
    after: Option<String>,
    ready: VecDeque<Result<FeedEvent<Fulfillment>>>,
    done: bool,
}

impl State {
    async fn next_page(&mut self) -> Result<()> {
        let size = self.client.config().page_size as usize;
        let mut query = Query::new("A_OutbDeliveryHeader")
            .filter(Filter::eq("OverallGoodsMovementStatus", "C"))
            .expand(&["to_DeliveryDocumentItem", "to_HandlingUnitHeaderDelivery"])
            .order_by("DeliveryDocument")
            .top(size as u64);
        if let Some(from) = self.from {
            // Goods issue is a change of its own; whether it also sets the day of the last change is nowhere promised.
            let days = ["LastChangeDate", "CreationDate", "ActualGoodsMovementDate"]
                .map(|day| Filter::ge(day, from));
            query = days.into_iter().reduce(Filter::or).into_iter().fold(query, Query::filter);
        }
        if let Some(after) = &self.after {
            query = query.filter(Filter::gt("DeliveryDocument", after.as_str()));
        }
        let call = self.client.read_call("sap.deliveries");
        let rows = self.client.rows(&self.client.0.deliveries, &self.cx, call, &query).await?;
        let last = rows.last().map(|(row, _)| row.required("DeliveryDocument")).transpose()?;
        let end = rows.len() < size;
        if !end && last == self.after {
            return Err(Error::malformed("SAP sent the same page again"));
        }
        self.after = last.or(self.after.take());
        self.take(rows).await?;
        if end {
            if self.from.is_none() {
                self.ready.push_back(Ok(FeedEvent::SnapshotEnd));
            }
            let mark =
                Watermark { issuer: self.issuer.clone(), format: FORMAT, token: self.mark.to_string() };
            self.ready.push_back(Ok(FeedEvent::Checkpoint(mark)));
            self.done = true;
        }
        Ok(())
    }

    async fn take(&mut self, rows: Vec<(Row, Timestamp)>) -> Result<()> {
        let mut deliveries = Vec::with_capacity(rows.len());
        for (row, at) in rows {
            let number = row.text("DeliveryDocument").unwrap_or_default();
            let raw = row.evidence();
            match Delivery::read(row) {
                Ok(delivery) => deliveries.push((delivery, at)),
                Err(error) => self.poison(number, at, &error, raw),
            }
        }
        let orders = self.orders(&deliveries).await?;
        for (delivery, at) in deliveries {
            let config = self.client.config();
            let made = map::shipped_at(&delivery, &config.time_zone).and_then(|shipped| match shipped {
                Some(shipped) => {
                    map::fulfillment(&config.fulfillments, &self.client.0.system, &delivery, shipped, &orders)
                }
                None => Ok(Vec::new()),
            });
            match made {
                Ok(made) => {
                    for fulfillment in made {
                        let (key, label) = (fulfillment.key.clone(), fulfillment.number.clone());
                        let observed =
                            Observed::new(key, label, at, fulfillment).with_raw(delivery.row.evidence());
                        self.ready.push_back(Ok(FeedEvent::Upsert(Box::new(observed))));
                    }
                }
                Err(error) => {
                    let raw = delivery.row.evidence();
                    self.poison(delivery.delivery_document, at, &error, raw);
                }
            }
        }
        Ok(())
    }

    fn poison(&mut self, number: String, at: Timestamp, error: &Error, raw: Bytes) {
        let key = Key::of(&self.client.0.system, &number);
        let poison = Poison::new(key, number, at, error.message(), raw);
        self.ready.push_back(Ok(FeedEvent::Poison(Box::new(poison))));
    }

    /// The sales orders that the deliveries serve and that are ours.
    async fn orders(&self, deliveries: &[(Delivery, Timestamp)]) -> Result<Orders> {
        let config = &self.client.config().orders;
        let numbers: std::collections::BTreeSet<String> = deliveries
            .iter()
            .flat_map(|(delivery, _)| &delivery.items)
            .filter(|item| !item.reference_sd_document.is_empty())
            .map(|item| map::alpha(&item.reference_sd_document).to_owned())
            .collect();
        let mut orders = Orders::new();
        for filter in Filter::any_of("SalesOrder", numbers) {
            let query = Query::new("A_SalesOrder").filter(filter).expand(&["to_Item"]);
            let call = self.client.read_call("sap.delivered_orders");
            for (row, _) in self.client.rows(&self.client.0.sales_orders, &self.cx, call, &query).await? {
                let key = row.text(&config.key_field)?;
                if !config.owns(&key) {
                    continue;
                }
                let order = SalesOrder::read(row)?;
                let lines = map::links(config, &order)
                    .into_iter()
                    .map(|link| (map::alpha(&link.native_line).to_owned(), link.line))
                    .collect();
                orders.insert(map::alpha(&order.sales_order).to_owned(), (Key::from(key), lines));
            }
        }
        Ok(orders)
    }
}
