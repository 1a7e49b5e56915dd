//! From a config to clients, flows and an engine.

use crate::config::{Config, FlowConfig, Moves};
use crate::fail::Failure;
use erp_core::connector::{Connector, Need};
use erp_core::model::PriceScope;
use std::collections::BTreeMap;
use std::sync::Arc;
use sync_engine::flow::OrderFlow;
use sync_engine::{Flow, IntoFlow as _, Narrate, SqliteLedger, SyncEngine};
use sync_server::Inbound;

/// Clients of all systems of a config.
pub(crate) struct Plan<'a> {
    pub(crate) config: &'a Config,
    systems: BTreeMap<&'a str, Arc<dyn Connector>>,
}

impl<'a> Plan<'a> {
    pub(crate) fn new(config: &'a Config) -> Result<Self, Failure> {
        let systems = config.systems.iter().map(|(name, system)| Ok((name.as_str(), system.connector()?)));
        Ok(Self { config, systems: systems.collect::<Result<_, Failure>>()? })
    }

    pub(crate) fn connector(&self, name: &str) -> Result<&Arc<dyn Connector>, Failure> {
        self.config.system(name)?;
        self.systems.get(name).ok_or_else(|| Failure::usage(format!("there is no system {name}")))
    }

    /// The builder of an order flow, for rehearsals too.
    pub(crate) fn order_flow(&self, flow: &FlowConfig) -> Result<OrderFlow, Failure> {
        let Moves::Orders { start, release, routes, side, rounding, one_at_a_time, customers_by } =
            &flow.moves
        else {
            return Err(Failure::usage(format!(
                "flow {} moves {}, not orders",
                flow.name,
                flow.moves.record()
            )));
        };
        let source = self.connector(&flow.from)?.order_source();
        let source = source.ok_or_else(|| lacks(flow, "from", &flow.from, "gives no orders"))?;
        let sink = self.connector(&flow.to)?.order_sink();
        let sink = sink.ok_or_else(|| lacks(flow, "to", &flow.to, "takes no orders"))?;
        let mut built = Flow::orders_between(source, sink)
            .named(&flow.name)
            .starting(start.clone())
            .release(release.clone())
            .currency_side(*side);
        for (from, to) in routes {
            built = built.route(from, to.clone());
        }
        for (currency, limit) in rounding {
            built = built.rounding(*currency, *limit);
        }
        if *one_at_a_time {
            built = built.one_at_a_time_per_customer();
        }
        if let Some(customers) = customers_by {
            self.config.flow(customers)?;
            built = built.customers_by(customers);
        }
        for trigger in &flow.triggers {
            built = built.on(trigger.clone());
        }
        if let Some(late) = flow.late_after {
            built = built.late_after(late);
        }
        Ok(built)
    }

    fn flow(&self, flow: &FlowConfig) -> Result<Flow, Failure> {
        let (from, to) = (self.connector(&flow.from)?, self.connector(&flow.to)?);
        macro_rules! shared {
            ($built:expr, $locations:expr) => {{
                let mut built = shared!($built);
                for (source, shop) in $locations {
                    built = built.location(source.as_str(), shop.as_str());
                }
                built
            }};
            ($built:expr) => {{
                let mut built = $built.named(&flow.name);
                for trigger in &flow.triggers {
                    built = built.on(trigger.clone());
                }
                if let Some(late) = flow.late_after {
                    built = built.late_after(late);
                }
                built
            }};
        }
        let built = match &flow.moves {
            Moves::Orders { .. } => self.order_flow(flow)?.into_flow(),
            Moves::Customers { start, namesake, groups } => {
                let source = from
                    .customer_store()
                    .ok_or_else(|| lacks(flow, "from", &flow.from, "gives no customers"))?;
                let target =
                    to.customer_store().ok_or_else(|| lacks(flow, "to", &flow.to, "keeps no customers"))?;
                let built =
                    Flow::customers_between(source, target).starting(start.clone()).same_email(*namesake);
                let mut built = shared!(built);
                for (source, target) in groups {
                    built = built.group(source.as_str(), target.as_str());
                }
                built.into_flow()
            }
            Moves::Inventory { locations, orders_by, movements_by } => {
                let source = from
                    .inventory_source()
                    .ok_or_else(|| lacks(flow, "from", &flow.from, "gives no stock"))?;
                let sink =
                    to.inventory_sink().ok_or_else(|| lacks(flow, "to", &flow.to, "takes no stock"))?;
                let mut built = shared!(Flow::inventory_between(source, sink), locations);
                if let Some(orders) = orders_by {
                    self.config.flow(orders)?;
                    built = built.orders_by(orders);
                }
                for movements in movements_by {
                    if !["fulfillments", "movements"].contains(&self.config.flow(movements)?.moves.record()) {
                        let what = "must be a flow of fulfillments or movements";
                        return Err(lacks(flow, "movements_by", movements, what));
                    }
                    built = built.movements_by(movements);
                }
                built.into_flow()
            }
            Moves::Prices { groups, customers, currency, zone } => {
                let source =
                    from.price_source().ok_or_else(|| lacks(flow, "from", &flow.from, "gives no prices"))?;
                let sink = to.price_sink().ok_or_else(|| lacks(flow, "to", &flow.to, "takes no prices"))?;
                let mut built = shared!(Flow::prices_between(source, sink));
                for (list, group) in groups {
                    built = built.scope(PriceScope::Group(list.clone()), PriceScope::Group(group.clone()));
                }
                for (number, group) in customers {
                    built =
                        built.scope(PriceScope::Customer(number.clone()), PriceScope::Group(group.clone()));
                }
                if let Some(currency) = currency {
                    built = built.currency(*currency);
                }
                if let Some(zone) = zone {
                    built = built.zone(zone.clone());
                }
                built.into_flow()
            }
            Moves::Fulfillments { start, locations, orders_by, orders_of_the_sink, notify_within } => {
                let source = from
                    .fulfillment_source()
                    .ok_or_else(|| lacks(flow, "from", &flow.from, "gives no fulfilments"))?;
                let sink = to
                    .fulfillment_sink()
                    .ok_or_else(|| lacks(flow, "to", &flow.to, "takes no fulfilments"))?;
                let mut built = shared!(Flow::fulfillments_between(source, sink), locations);
                if let Some(orders) = orders_by {
                    self.config.flow(orders)?;
                    built = built.orders_by(orders);
                }
                if let Some(start) = start {
                    built = built.starting(start.clone());
                }
                if *orders_of_the_sink {
                    built = built.orders_of_the_sink();
                }
                if let Some(span) = notify_within {
                    built = built.notify_within(*span);
                }
                built.into_flow()
            }
            Moves::Refunds { start, orders_by } => {
                let source = from
                    .refund_source()
                    .ok_or_else(|| lacks(flow, "from", &flow.from, "gives no refunds"))?;
                let sink = to.refund_sink().ok_or_else(|| lacks(flow, "to", &flow.to, "takes no refunds"))?;
                let mut built = shared!(Flow::refunds_between(source, sink).starting(start.clone()));
                if let Some(orders) = orders_by {
                    self.config.flow(orders)?;
                    built = built.orders_by(orders);
                }
                built.into_flow()
            }
            Moves::Movements { start, locations } => {
                let source = from
                    .movement_source()
                    .ok_or_else(|| lacks(flow, "from", &flow.from, "gives no movements of stock"))?;
                let sink = to
                    .movement_sink()
                    .ok_or_else(|| lacks(flow, "to", &flow.to, "takes no movements of stock"))?;
                let built = Flow::movements_between(source, sink).starting(start.clone());
                shared!(built, locations).into_flow()
            }
            Moves::Invoices { start, orders_by, capture, notify_within } => {
                let source = from
                    .invoice_source()
                    .ok_or_else(|| lacks(flow, "from", &flow.from, "gives no invoices"))?;
                let sink =
                    to.invoice_sink().ok_or_else(|| lacks(flow, "to", &flow.to, "takes no invoices"))?;
                let mut built = shared!(Flow::invoices_between(source, sink).starting(start.clone()));
                if let Some(orders) = orders_by {
                    self.config.flow(orders)?;
                    built = built.orders_by(orders);
                }
                if *capture {
                    built = built.capture();
                }
                if let Some(span) = notify_within {
                    built = built.notify_within(*span);
                }
                built.into_flow()
            }
        };
        built.map_err(|error| {
            Failure::from(error).at(format_args!("{}: flows.{}", self.config.file.display(), flow.name))
        })
    }

    /// All flows, checked.
    pub(crate) fn flows(&self) -> Result<Vec<Flow>, Failure> {
        if self.config.flows.is_empty() {
            return Err(Failure::usage(format!("{}: there is no [flows.…]", self.config.file.display())));
        }
        self.config.flows.values().map(|flow| self.flow(flow)).collect()
    }

    pub(crate) fn engine(&self, narrate: Arc<dyn Narrate>) -> Result<SyncEngine, Failure> {
        let flows = self.flows()?;
        let ledger = SqliteLedger::open(&self.config.ledger)?;
        // Each live target was asked for its own permission when the config was read.
        let mut builder = SyncEngine::builder().ledger(ledger).narrate(narrate).allow_live_writes();
        for flow in flows {
            builder = builder.flow(flow);
        }
        Ok(builder.build()?)
    }

    /// The doors for what systems announce, and where they are; nothing if the config has no server.
    pub(crate) fn inbound(&self) -> Result<Option<(Inbound, &'a str)>, Failure> {
        let Some(listen) = self.config.listen.as_deref() else { return Ok(None) };
        let mut receivers = self.systems.values().filter(|system| system.event_receiver().is_some());
        let inbound =
            receivers.try_fold(Inbound::new(), |inbound, system| inbound.system(system.as_ref()))?;
        if inbound.is_empty() {
            let text = "server.listen: no system takes announcements; set its events, or take [server] away";
            return Err(Failure::usage(text));
        }
        Ok(Some((inbound, listen)))
    }

    /// What the flows need of a system.
    pub(crate) fn needs(&self, system: &str) -> Vec<Need> {
        let mut needs = Vec::new();
        for flow in self.config.flows.values() {
            let (read, write) = match flow.moves {
                Moves::Orders { .. } => (Need::ReadOrders, Need::WriteOrders),
                Moves::Customers { .. } => (Need::ReadCustomers, Need::WriteCustomers),
                Moves::Inventory { .. } => (Need::ReadInventory, Need::WriteInventory),
                Moves::Prices { .. } => (Need::ReadPrices, Need::WritePrices),
                Moves::Fulfillments { .. } => (Need::ReadFulfillments, Need::WriteFulfillments),
                Moves::Refunds { .. } => (Need::ReadRefunds, Need::WriteRefunds),
                Moves::Movements { .. } => (Need::ReadMovements, Need::WriteMovements),
                Moves::Invoices { .. } => (Need::ReadInvoices, Need::WriteInvoices),
            };
            if flow.from == system {
                needs.push(read);
            }
            if flow.to == system {
                needs.push(write);
            }
        }
        needs.sort_unstable();
        needs.dedup();
        needs
    }
}

fn lacks(flow: &FlowConfig, key: &str, system: &str, what: &str) -> Failure {
    Failure::usage(format!("flows.{}.{key}: {system} {what}", flow.name))
}

/// The ledger of a config, which must be there already.
pub(crate) fn ledger(config: &Config) -> Result<SqliteLedger, Failure> {
    if !config.ledger.exists() {
        return Err(Failure::usage(format!(
            "there is no ledger at {} yet; it is made by: commerce-sync run",
            config.ledger.display()
        )));
    }
    Ok(SqliteLedger::open(&config.ledger)?)
}
