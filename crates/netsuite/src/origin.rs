//! Which order a document was made from.

use crate::client::NetsuiteClient;
use crate::config::OrderRecord;
use crate::key::key_of;
use crate::suiteql::{Column, SuiteQl};
use erp_core::context::Context;
use erp_core::error::Result;
use erp_core::id::Key;

/// What is known of the transaction that a document was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It is an order that carries this key of ours.
    Ours(Key),
    /// It carries no key of ours, or is no order.
    Others,
    /// It is not shown to this role.
    Hidden,
}

impl Origin {
    /// Our key of the order.
    pub(crate) fn key(self) -> Option<Key> {
        match self {
            Self::Ours(key) => Some(key),
            Self::Others | Self::Hidden => None,
        }
    }

    /// By what an order carries: the custom field that holds our key, and the external id.
    pub(crate) fn of(client: &NetsuiteClient, field: Option<&str>, external: Option<&str>) -> Self {
        let key = field.map(Key::from).or_else(|| external.and_then(key_of));
        let owned = key.filter(|key| client.config().orders.owns(key.as_str()));
        owned.map_or(Self::Others, Self::Ours)
    }
}

impl NetsuiteClient {
    /// Whose order the transaction `id` is.
    pub(crate) async fn origin(&self, cx: &Context, operation: &'static str, id: &str) -> Result<Origin> {
        let mut query = SuiteQl::new("SELECT id, type, externalid");
        if let Some(field) = &self.config().orders.key_field {
            query = query.then(", ").column(&Column::new(field)?).then(" AS ourkey");
        }
        let query = query.then(" FROM transaction WHERE id = ").bind(id);
        let page = self.suiteql_page(cx, operation, &query, 1, 0).await?;
        let Some(row) = page.rows.first() else { return Ok(Origin::Hidden) };
        if row.text("type") != OrderRecord::SalesOrder.kind() {
            return Ok(Origin::Others);
        }
        Ok(Origin::of(self, row.get("ourkey"), row.get("externalid")))
    }
}
