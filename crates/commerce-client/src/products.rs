//! Which products the shop has: asked before stock or prices are written, because the shop itself takes stock for
//! products that do not exist.

use erp_core::time::Timestamp;

/// A product as it was seen, or not.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) at: Timestamp,
    pub(crate) product: Option<Product>,
}

/// How the shop spells a SKU, and what type it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Product {
    pub(crate) sku: String,
    pub(crate) type_id: String,
}
