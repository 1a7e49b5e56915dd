use crate::connector::Connector;
use crate::context::Context;
use crate::error::Result;
use crate::feed::{Feed, Watermark};
use crate::model::StockMovement;
use crate::outcome::{Found, Outcome};
use async_trait::async_trait;

/// Where goods come in and are moved about: a warehouse system.
#[async_trait]
pub trait MovementSource: Connector {
    /// Movements since a mark; without one, a snapshot first. A movement comes when it is done, and does not change after.
    fn movement_changes(&self, cx: &Context, since: Option<Watermark>) -> Feed<StockMovement>;
}

/// Where movements of stock are booked, each as a document of its own.
#[async_trait]
pub trait MovementSink: Connector {
    /// Books movements, whose places are in the sink's naming: one outcome per item, in order. A movement is a difference
    /// and no figure, so it is booked once by key. A route that the sink does not know is `Unsupported`.
    async fn submit_movements(&self, cx: &Context, items: &[StockMovement]) -> Vec<Outcome>;

    /// What the sink holds for a movement, found by its key.
    ///
    /// # Errors
    /// Whatever keeps the sink from answering.
    async fn find_movement(&self, cx: &Context, movement: &StockMovement) -> Result<Found>;
}
