use crate::connector::Connector;
use crate::context::Context;
use crate::error::Result;
use crate::feed::{Feed, Observed, Watermark};
use crate::id::{EntityTag, NativeId};
use crate::model::{Customer, CustomerIdentity, CustomerPatch};
use crate::outcome::Receipt;
use async_trait::async_trait;

/// Where customers live, read and written.
#[async_trait]
pub trait CustomerStore: Connector {
    /// One customer by the system's own id.
    ///
    /// # Errors
    /// Whatever keeps the system from answering; "not there" is `None`.
    async fn customer(&self, cx: &Context, id: &NativeId) -> Result<Option<Observed<Customer>>>;

    /// Those that may be the same: by key first, then e-mail, then tax number. A match by anything but the key is a
    /// proposal, not a proof.
    ///
    /// # Errors
    /// Whatever keeps the system from answering.
    async fn matching_customers(
        &self,
        cx: &Context,
        identity: &CustomerIdentity,
    ) -> Result<Vec<Observed<Customer>>>;

    /// Creates or updates: reads, merges and writes under `expected`, so that what others wrote stays.
    ///
    /// # Errors
    /// `Conflict` if the record is no longer at `expected`.
    async fn upsert_customer(
        &self,
        cx: &Context,
        patch: &CustomerPatch,
        expected: Option<&EntityTag>,
    ) -> Result<Receipt>;

    /// Changes since a mark; without one, a snapshot first.
    fn customer_changes(&self, cx: &Context, since: Option<Watermark>) -> Feed<Customer>;
}
