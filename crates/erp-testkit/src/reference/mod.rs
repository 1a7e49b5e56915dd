//! The reference connector: a shop, an ERP and a warehouse in memory, with every fault at hand and no runtime beneath.
//!
//! It is the model that emulators are compared with, and what a seeded simulation runs against. All waiting is done on
//! the clock handed in, all chance comes from the faults handed in, and everything is iterated in a fixed order, so a
//! run replays exactly. What is sent and not yet done (a late original, a queued job) needs no task: it happens at its
//! time, the next time anybody looks.
//!
//! ```
//! use erp_core::{prelude::*, model::OrderSubmission};
//! use erp_testkit::{clock::VirtualClock, model, reference::{CallFault, ReferenceWorld, ScriptedFaults}};
//! use std::{sync::Arc, time::Duration};
//!
//! let clock = VirtualClock::new(Timestamp::EPOCH);
//! let world = ReferenceWorld::stocked(clock.shared());
//! let key = world.shop.place(model::Sample::new(1).order());
//! let faults = ScriptedFaults::new();
//! faults.once("orders.create", CallFault::LateOriginal(Duration::from_secs(9)));
//! world.erp.set_faults(Arc::new(faults));
//!
//! let order = world.shop.order_now(&key).expect("just placed");
//! let submit = [OrderSubmission::new(order, Default::default())];
//! let outcomes = futures_executor::block_on(world.erp.submit_orders(&Context::new(), &submit));
//! assert_eq!(outcomes[0].error().map(Error::effect), Some(Effect::Unknown));
//! assert!(world.erp.documents_of(&key).is_empty());
//! clock.advance(Duration::from_secs(9));
//! assert_eq!(world.erp.documents_of(&key).len(), 1, "the original came late");
//! ```

mod customers;
mod erp;
mod erp_roles;
mod events;
mod faults;
mod feed;
mod harness;
mod invoices;
mod movements;
mod prices;
mod refunds;
mod shop;
mod shop_roles;
mod system;
mod warehouse;

pub use erp::{HeldDocument, ReferenceErp};
pub use events::{EVENT_AGE_MAX, EVENT_BODY_MAX, EVENT_SECRET};
pub use faults::{Call, CallFault, CallFaults, NoFaults, ScriptedFaults, SeededFaults};
pub use harness::ReferenceHarness;
pub use shop::{COMMIT_LAG_MAX, ReferenceShop, Shipment, StockPut};
pub use warehouse::ReferenceWarehouse;

use crate::model::{LOCATION, SKUS};
use erp_core::connector::{Finding, Need};
use erp_core::context::Context;
use erp_core::time::Clock;
use std::sync::Arc;

/// A shop called `shop`, an ERP called `erp` and a warehouse called `warehouse` on one clock.
#[derive(Debug, Clone)]
pub struct ReferenceWorld {
    /// Where orders come from.
    pub shop: ReferenceShop,
    /// Where they go.
    pub erp: ReferenceErp,
    /// Where goods lie that the ERP keeps the books of.
    pub warehouse: ReferenceWarehouse,
}

impl ReferenceWorld {
    /// All empty.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let shop = ReferenceShop::new("shop", Arc::clone(&clock));
        let warehouse = ReferenceWarehouse::new("warehouse", Arc::clone(&clock));
        Self { shop, erp: ReferenceErp::new("erp", clock), warehouse }
    }

    /// All know the sample [products](SKUS) at [one place](LOCATION), a thousand pieces each.
    pub fn stocked(clock: Arc<dyn Clock>) -> Self {
        let world = Self::new(clock);
        for sku in SKUS {
            world.shop.stock(sku, LOCATION, 1000);
            world.erp.stock(sku, LOCATION, 1000);
            world.warehouse.stock(sku, LOCATION, 1000);
        }
        world
    }

    /// Sets who decides what befalls each request, for all.
    pub fn set_faults(&self, faults: &Arc<dyn CallFaults>) {
        self.shop.set_faults(Arc::clone(faults));
        self.erp.set_faults(Arc::clone(faults));
        self.warehouse.set_faults(Arc::clone(faults));
    }
}

async fn probe<S: system::World>(system: &system::System<S>, cx: &Context, needs: &[Need]) -> Vec<Finding> {
    let mut findings = Vec::with_capacity(needs.len());
    for need in needs {
        let check = format!("{need:?}");
        let tried = system.read(cx, "probe", None, |_, _| Ok(())).await;
        findings.push(match tried {
            Ok(()) => Finding::good(check, "answers"),
            Err(error) => Finding::bad(check, error.to_string(), "look at the fault plan"),
        });
    }
    findings
}
