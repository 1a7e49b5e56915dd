use crate::connector::Connector;
use crate::context::Context;
use crate::error::{Error, FieldError, Result};
use crate::feed::{Feed, Items, Observed, Watermark, Window};
use crate::id::Key;
use crate::model::{
    Components, Order, OrderLink, OrderQuery, OrderRevision, OrderSubmission, RouteTarget, StatementEntry,
};
use crate::outcome::{Found, Handle, Outcome};
use async_trait::async_trait;

/// Where orders come from.
#[async_trait]
pub trait OrderSource: Connector {
    /// The orders that match, each once, as they are now. One that cannot be read is an
    /// [`unreadable`](Error::unreadable) error in its place, and the others follow; any other error ends the list.
    fn orders(&self, cx: &Context, query: OrderQuery) -> Items<Observed<Order>>;

    /// One order, or `None` if the source says that it is not there.
    ///
    /// # Errors
    /// Whatever keeps the source from answering.
    async fn order(&self, cx: &Context, key: &Key) -> Result<Option<Observed<Order>>>;

    /// Changes since a mark; without one, a snapshot first.
    ///
    /// Late releases, cancellations and replacements must be seen: an order that changes comes again.
    fn order_changes(&self, cx: &Context, query: OrderQuery, since: Option<Watermark>) -> Feed<Order>;

    /// Writes the target's numbers onto the source's orders: the riskiest write there is, so flows have it off.
    async fn write_back(&self, cx: &Context, links: &[OrderLink]) -> Vec<Outcome> {
        let _ = cx;
        links.iter().map(|_| Outcome::Failed(Error::unsupported("this source takes no write-back"))).collect()
    }
}

/// Where orders go.
///
/// # Contract
/// * **Sequential idempotence is yours.** A submit looks up by key before *every* create, the first one too, unless the
///   target itself refuses a second record under the key. Concurrency and late originals are the engine's.
/// * A submit of what the target holds *partially* completes it.
/// * `find_order` tells the whole truth, and its receipts carry what the target holds.
/// * The order's own date in its store's zone is what the target prices and dates by, also after an outage.
#[async_trait]
pub trait OrderSink: Connector {
    /// Checks a route's words when a flow is built.
    ///
    /// # Errors
    /// `Config` naming the word and what would be right.
    fn check_route(&self, route: &RouteTarget) -> Result<()> {
        let _ = route;
        Ok(())
    }

    /// Creates orders: one outcome per item, in order.
    async fn submit_orders(&self, cx: &Context, orders: &[OrderSubmission]) -> Vec<Outcome>;

    /// What the target holds under `key`.
    ///
    /// # Errors
    /// Whatever keeps the target from answering. An unreachable target is never `Absent`.
    async fn find_order(&self, cx: &Context, key: &Key) -> Result<Found>;

    /// Cancels or amends orders that the target holds.
    async fn revise_orders(&self, cx: &Context, revisions: &[OrderRevision]) -> Vec<Outcome> {
        let _ = cx;
        revisions
            .iter()
            .map(|_| Outcome::Failed(Error::unsupported("this sink cannot change an order")))
            .collect()
    }

    /// What would become of an order. Reads only.
    ///
    /// # Errors
    /// `Unsupported` where the target offers no such thing.
    async fn preview_order(&self, cx: &Context, order: &OrderSubmission) -> Result<OrderPreview> {
        let _ = (cx, order);
        Err(Error::unsupported("this sink previews nothing"))
    }

    /// What became of queued work. Only sinks that answer `Accepted` need it.
    async fn order_outcomes(&self, cx: &Context, handles: &[Handle]) -> Vec<Outcome> {
        let _ = cx;
        handles.iter().map(|_| Outcome::Failed(Error::unsupported("this sink queues nothing"))).collect()
    }

    /// What the target holds by our keys for orders placed in `window`, one entry per document: two documents under one
    /// key are two entries. One that cannot be read is an [`unreadable`](Error::unreadable) error under its key, and the
    /// others follow; any other error ends the list.
    fn order_statement(&self, cx: &Context, window: Window) -> Items<StatementEntry>;
}

/// What would become of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OrderPreview {
    /// What the target would make it cost, if it says.
    pub totals: Option<Components>,
    /// What would keep it from being taken.
    pub problems: Vec<FieldError>,
}

impl OrderPreview {
    /// A preview with totals and problems.
    #[must_use]
    pub fn new(totals: Option<Components>, problems: Vec<FieldError>) -> Self {
        Self { totals, problems }
    }
}
