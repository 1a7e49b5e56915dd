use crate::connector::Connector;
use crate::context::Context;
use crate::feed::Items;
use crate::model::{Price, PriceQuery};
use crate::outcome::Outcome;
use async_trait::async_trait;

/// Where prices come from.
#[async_trait]
pub trait PriceSource: Connector {
    /// The prices that match, each once.
    fn prices(&self, cx: &Context, query: PriceQuery) -> Items<Price>;
}

/// Where prices go.
#[async_trait]
pub trait PriceSink: Connector {
    /// Sets prices: one outcome per item, in order.
    async fn put_prices(&self, cx: &Context, prices: &[Price]) -> Vec<Outcome>;

    /// What the sink holds.
    fn price_statement(&self, cx: &Context, query: PriceQuery) -> Items<Price>;
}
