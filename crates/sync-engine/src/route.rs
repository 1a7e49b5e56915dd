//! Where an order goes in the target, by where it was placed.

use erp_core::model::{Order, RouteTarget};
use serde::{Deserialize, Serialize};

/// One rule. Rules are asked in order; the first that matches counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// A store's or website's code, or `*`.
    pub from: String,
    /// Where its orders go.
    pub to: RouteTarget,
}

/// The target for `order`, if a rule matches.
pub fn find<'a>(routes: &'a [Route], order: &Order) -> Option<&'a RouteTarget> {
    let matches = |route: &&Route| {
        route.from == "*" || route.from == order.channel.store || route.from == order.channel.website
    };
    routes.iter().find(matches).map(|route| &route.to)
}
