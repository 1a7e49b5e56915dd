use crate::fault::Fault;
use crate::model::Sample;
use async_trait::async_trait;
use erp_core::connector::Connector;
use erp_core::id::{Key, LocationId, Sku};
use erp_core::model::{
    Customer, FulfillmentSubmission, InventoryLevel, InvoiceSubmission, Order, OrderSubmission, Price,
    RefundSubmission, RouteTarget, StockMovement,
};
use erp_core::money::{Currency, Money};
use erp_core::roles::{RecordKind, RequestParts};
use erp_core::{Decimal, error::Error};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Why a trial failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure(pub String);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(format!("a call failed that should not: {error} ({error:?})"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a trial ended.
pub type Verdict<T = ()> = Result<T, Failure>;

/// Where a fault strikes: what the connector is doing, in the words of the roles. A harness knows which requests these
/// are in its vendor's API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Spot {
    /// A page of orders.
    ReadOrders,
    /// The look-up of an order by key in a sink.
    FindOrder,
    /// The create of an order in a sink.
    CreateOrder,
    /// The statement of a sink's orders.
    OrderStatement,
    /// A page of stock.
    ReadInventory,
    /// The write of a stock figure.
    PutInventory,
    /// A page of prices.
    ReadPrices,
    /// The write of a price.
    PutPrice,
    /// A page or match of customers.
    ReadCustomers,
    /// A page of fulfilments.
    ReadFulfillments,
    /// The create of a fulfilment in a sink.
    CreateFulfillment,
    /// A page of refunds.
    ReadRefunds,
    /// The creates that a refund takes in a sink, each of them.
    CreateRefund,
    /// A page of movements of stock.
    ReadMovements,
    /// The creates that a movement of stock takes in a sink, each of them.
    CreateMovement,
    /// A page of invoices.
    ReadInvoices,
    /// The creates that an invoice takes in a sink, each of them.
    CreateInvoice,
}

fn lacking<T>(what: &str) -> Verdict<T> {
    Err(Failure(format!("this harness does not know how to {what}; implement it or waive the trial")))
}

/// A connector under test, together with the world behind it. A fresh one is made for each trial.
///
/// Implement what the connector's roles need; a trial that asks for more fails and says so. Build the connector with
/// **small pages** (two or three rows) and short waits between its own tries, else the paging trials prove little.
#[async_trait]
pub trait Harness: fmt::Debug + Send + Sync + 'static {
    /// The connector. All of a harness's connectors see the same world.
    fn connector(&self) -> Arc<dyn Connector>;

    /// How many requests have reached the world so far.
    fn requests(&self) -> usize;

    /// Of the requests at `spot`, lets `after` pass and befalls the next `times`. `false` if the world cannot.
    fn inject(&self, spot: Spot, after: usize, times: usize, fault: Fault) -> bool;

    /// Forgets the faults that have not struck.
    fn clear_faults(&self);

    /// Takes the world down, or brings it back.
    fn set_down(&self, down: bool);

    /// Lets this much of the world's time go by.
    async fn pass(&self, span: Duration);

    /// Runs beside the trial, for worlds whose clock must be moved while calls wait (see
    /// [`VirtualClock::pace`](crate::clock::VirtualClock::pace)). Never returns.
    async fn drive(&self) {
        std::future::pending::<()>().await;
    }

    /// Secrets of the connector, which no error and no `Debug` may show. The samples' own markers are always looked for.
    fn secrets(&self) -> Vec<String> {
        Vec::new()
    }

    /// Trials that this connector cannot pass, each with the reason. They are listed as ignored.
    fn waives(&self) -> Vec<(&'static str, &'static str)> {
        Vec::new()
    }

    /// An order that the sink can take, from the samples.
    fn sample_order(&self, sample: &mut Sample) -> Order {
        sample.order_of(2)
    }

    /// Where sample orders go.
    fn route(&self) -> RouteTarget {
        RouteTarget::new()
    }

    /// An order on its way to the sink.
    fn submission(&self, order: Order) -> OrderSubmission {
        OrderSubmission::new(order, self.route())
    }

    /// A product that the world does not know.
    fn unknown_sku(&self) -> Sku {
        "no-such-product".into()
    }

    /// Places an order in the source. The world chooses key, number and times.
    async fn place_order(&self, _order: Order) -> Verdict<Key> {
        lacking("place an order")
    }

    /// Places an order that carries this instant and becomes visible this much later.
    async fn place_order_late(&self, _order: Order, _lag: Duration) -> Verdict<Key> {
        lacking("commit an order late")
    }

    /// The longest lag that the connector's feeds bear: what they read again. Trials let this much pass often, so a world
    /// on a real clock states a short one.
    fn commit_lag(&self) -> Duration {
        Duration::from_secs(30)
    }

    /// Cancels an order in the source.
    async fn cancel_order(&self, _key: &Key) -> Verdict {
        lacking("cancel an order")
    }

    /// Edits an order in the source, so that another replaces it; returns the other's key.
    async fn edit_order(&self, _key: &Key) -> Verdict<Key> {
        lacking("edit an order")
    }

    /// Makes an order in the source unreadable.
    async fn poison_order(&self, _key: &Key) -> Verdict {
        lacking("make an order unreadable")
    }

    /// How many documents the sink's world holds under a key, seen behind the connector's back.
    async fn documents(&self, _key: &Key) -> Verdict<usize> {
        lacking("count documents")
    }

    /// Makes a second document under a key that has one.
    async fn duplicate_document(&self, _key: &Key) -> Verdict {
        lacking("duplicate a document")
    }

    /// Products and places that the world knows, at least two, none with open orders.
    fn stocked(&self) -> Vec<(Sku, LocationId)> {
        Vec::new()
    }

    /// Sets what lies at a place of an inventory source.
    async fn set_stock(&self, _sku: &Sku, _location: &LocationId, _quantity: Decimal) -> Verdict {
        lacking("set stock")
    }

    /// The stock figures as a sink's world has them on hand, behind the connector's back.
    async fn stock(&self) -> Verdict<Vec<InventoryLevel>> {
        lacking("read stock")
    }

    /// Prices that the sink can take and the source may have: one base price and one from ten pieces on, of each of
    /// two products.
    fn sample_prices(&self) -> Vec<Price> {
        let skus = self.stocked().into_iter().map(|(sku, _)| sku).take(2);
        let of = |sku: Sku| {
            let money = |cents| Money::new(Decimal::new(cents, 2), Currency::EUR);
            let tier = Price::new(sku.clone(), money(1_790));
            [Price::new(sku, money(1_999)), tier.with_quantities(Decimal::TEN, Decimal::ONE)]
        };
        skus.flat_map(of).collect()
    }

    /// Sets a price in a price source.
    async fn set_price(&self, _price: Price) -> Verdict {
        lacking("set a price")
    }

    /// A customer that the store can take; `number` tells them apart.
    fn sample_customer(&self, number: u64) -> Customer {
        let mut customer = Sample::new(number).customer();
        customer.key = Key::from(format!("elsewhere:{number}"));
        customer.email = format!("{}.{number}@example.test", crate::model::EMAIL_MARKER);
        customer
    }

    /// Adds a customer behind the connector's back; returns the key under which the connector shows it.
    async fn register(&self, _customer: Customer) -> Verdict<Key> {
        lacking("add a customer")
    }

    /// Posts a delivery in a fulfilment source; returns its key.
    async fn post_delivery(&self) -> Verdict<Key> {
        lacking("post a delivery")
    }

    /// Places an order in a fulfilment sink and returns a submission that ships all of it.
    async fn shippable(&self) -> Verdict<FulfillmentSubmission> {
        lacking("place an order that can be shipped")
    }

    /// Gives money back for an order in a refund source; returns the refund's key.
    async fn post_refund(&self) -> Verdict<Key> {
        lacking("give money back")
    }

    /// Places an order in a refund sink, ships it, and returns a refund of its goods. Another one each time.
    async fn refundable(&self) -> Verdict<RefundSubmission> {
        lacking("ship an order that can be refunded")
    }

    /// How many refunds the sink's world holds under a key; where one takes several documents, how many there are of that
    /// of which there are most.
    async fn refunds(&self, _key: &Key) -> Verdict<usize> {
        lacking("count refunds")
    }

    /// Moves goods in a movement source; returns the movement's key.
    async fn post_movement(&self) -> Verdict<Key> {
        lacking("move goods in a warehouse")
    }

    /// Prepares a movement sink and returns what it can book: a transfer between two of its places, and a receipt of all
    /// that one of its documents awaits. [`stock`](Self::stock) tells all places of both. Others each time.
    async fn movable(&self) -> Verdict<(StockMovement, StockMovement)> {
        lacking("order goods that can be received, and stock two places")
    }

    /// How many movements of stock the sink's world holds under a key.
    async fn movements(&self, _key: &Key) -> Verdict<usize> {
        lacking("count movements of stock")
    }

    /// Bills an order in an invoice source; returns the invoice's key.
    async fn post_invoice(&self) -> Verdict<Key> {
        lacking("bill an order")
    }

    /// Places an order of two lines or more in an invoice sink and returns a submission that bills all of it. Another one each
    /// time.
    async fn billable(&self) -> Verdict<InvoiceSubmission> {
        lacking("place an order that can be billed")
    }

    /// How many invoices the sink's world holds under a key.
    async fn invoices(&self, _key: &Key) -> Verdict<usize> {
        lacking("count invoices")
    }

    /// What the world sends, genuine and just now, when a record of this kind has changed: head and body of the request.
    /// Another one each time.
    async fn event(&self, _record: RecordKind) -> Verdict<(RequestParts, Vec<u8>)> {
        lacking("announce a change")
    }

    /// How many shipments the sink's world holds under a key.
    async fn shipments(&self, _key: &Key) -> Verdict<usize> {
        lacking("count shipments")
    }
}
