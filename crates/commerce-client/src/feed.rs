//! Lists and feeds that never skip a row.
//!
//! * [`keyset`]: pages by `entity_id > last`, ascending, always page one. A row's id never changes, so rows that change or
//!   appear between two pages cannot push others past the reader.
//! * [`position`]: what a watermark holds, and which ids between the highest seen have never been seen.
//! * [`changes`]: snapshot, delta by `updated_at`, and the sweep of gaps.

pub(crate) mod changes;
pub(crate) mod keyset;
pub(crate) mod position;

use crate::client::{CommerceClient, RawRow};
use crate::wire::page::{RowHead, Search};
use async_trait::async_trait;
use erp_core::context::Context;
use erp_core::error::Result;
use erp_core::feed::{Observed, Poison};

/// A kind of record that the shop lists by `entity_id` and `updated_at`.
#[async_trait]
pub(crate) trait Shelf: Send + Sync + 'static {
    type Record: Send + Sync + 'static;

    /// After `/V1/`.
    const PATH: &'static str;
    /// For errors.
    const OPERATION: &'static str;
    /// For the watermark's issuer.
    const RECORD: &'static str;
    /// The fields filter that thins rows to what names them.
    const HEAD_FIELDS: &'static str;

    fn client(&self) -> &CommerceClient;

    /// A digestible form of the query, for the watermark's issuer.
    fn query(&self) -> String;

    /// Looks up what the query needs, once, before the first page.
    async fn prepare(&mut self, cx: &Context) -> Result<()>;

    /// Adds the query's own conditions.
    fn restrict(&self, search: Search) -> Search;

    /// Whether a row that came without these conditions meets them.
    fn admits(&self, head: &RowHead) -> bool;

    /// Reads a row. An error ends the feed; what is wrong with the row itself is a poison.
    async fn read(&self, cx: &Context, row: RawRow) -> Result<Read<Self::Record>>;
}

/// What became of a row.
#[derive(Debug)]
pub(crate) enum Read<T> {
    Good(Box<Observed<T>>),
    Bad(Box<Poison>),
}
