//! `[flows.X]`: what moves, from where, to where, how often.

use super::near::hint;
use super::section::{Section, kind};
use crate::fail::Failure;
use erp_core::Decimal;
use erp_core::model::RouteTarget;
use erp_core::money::{Currency, Side};
use erp_core::time::{Date, Timestamp, Zone};
use std::collections::BTreeMap;
use std::time::Duration;
use sync_engine::flow::Namesake;
use sync_engine::release::{ReleasePolicy, ReleaseWhen, Start};
use sync_engine::trigger::Trigger;
use toml::Value;

const RECORDS: [&str; 8] =
    ["orders", "customers", "inventory", "prices", "fulfillments", "refunds", "movements", "invoices"];
const LATER: [&str; 2] = ["companies", "products"];

/// One flow.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FlowConfig {
    /// Its name.
    pub name: String,
    /// The source's name.
    pub from: String,
    /// The target's name.
    pub to: String,
    /// When the source is read.
    pub triggers: Vec<Trigger>,
    /// How late a record may be before somebody is told.
    pub late_after: Option<Duration>,
    /// What becomes of guests; a setting of the target.
    pub guests: Option<String>,
    /// What moves.
    pub moves: Moves,
}

/// What moves, with what only that kind needs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Moves {
    /// Orders of a shop into an ERP.
    Orders {
        /// Which orders it takes.
        start: Start,
        /// When an order may go.
        release: ReleasePolicy,
        /// Where orders go, by store or website.
        routes: Vec<(String, RouteTarget)>,
        /// Which of the two currencies counts.
        side: Side,
        /// How far money may lie apart.
        rounding: Vec<(Currency, Decimal)>,
        /// Orders of one customer go one at a time.
        one_at_a_time: bool,
        /// The flow that gives buyers their number in the target.
        customers_by: Option<String>,
    },
    /// Customers of one system into another.
    Customers {
        /// Which customers it takes.
        start: Start,
        /// What becomes of somebody whose e-mail the target has already.
        namesake: Namesake,
        /// Groups of the source, and what they are in the target.
        groups: Vec<(String, String)>,
    },
    /// Stock into a shop, or counts of a warehouse into an ERP.
    Inventory {
        /// Places of the source and what they are in the target.
        locations: Vec<(String, String)>,
        /// The flow of the shop's orders into the source.
        orders_by: Option<String>,
        /// The flows that move goods between the same systems: of a count only what they leave over is told.
        movements_by: Vec<String>,
    },
    /// Prices into a shop.
    Prices {
        /// Price lists of the source, and the customer group of the shop that each is for.
        groups: Vec<(String, String)>,
        /// Customers of the source, and the customer group of the shop that each one's prices are for.
        customers: Vec<(String, String)>,
        /// The one currency that goes.
        currency: Option<Currency>,
        /// Where a day begins.
        zone: Option<Zone>,
    },
    /// Goods that left, told to the shop, or by a warehouse to the ERP that it works for.
    Fulfillments {
        /// Which shipments it takes; all of them without it.
        start: Option<Start>,
        /// Places of the source and what they are in the target.
        locations: Vec<(String, String)>,
        /// The flow whose orders are fulfilled.
        orders_by: Option<String>,
        /// The source names the target's own orders.
        orders_of_the_sink: bool,
        /// Buyers are told of what left at most so long ago.
        notify_within: Option<Duration>,
    },
    /// Money given back, booked where the orders went.
    Refunds {
        /// Which refunds it takes.
        start: Start,
        /// The flow whose orders are refunded.
        orders_by: Option<String>,
    },
    /// What came into a warehouse and was moved about in it, booked by the ERP that it works for.
    Movements {
        /// Which movements it takes.
        start: Start,
        /// Places of the source and what they are in the target; others are called the same.
        locations: Vec<(String, String)>,
    },
    /// What was billed, told to the shop.
    Invoices {
        /// Which invoices it takes.
        start: Start,
        /// The flow whose orders are billed.
        orders_by: Option<String>,
        /// The shop takes the money of each.
        capture: bool,
        /// Buyers are told of what was billed at most so long ago.
        notify_within: Option<Duration>,
    },
}

impl Moves {
    /// What a config calls it.
    pub const fn record(&self) -> &'static str {
        match self {
            Self::Orders { .. } => "orders",
            Self::Customers { .. } => "customers",
            Self::Inventory { .. } => "inventory",
            Self::Prices { .. } => "prices",
            Self::Fulfillments { .. } => "fulfillments",
            Self::Refunds { .. } => "refunds",
            Self::Movements { .. } => "movements",
            Self::Invoices { .. } => "invoices",
        }
    }
}

impl FlowConfig {
    pub(super) fn read(name: &str, mut section: Section) -> Result<Self, Failure> {
        let record = section.need("record", "\"orders\"")?;
        let from = section.need("from", "\"shop\"")?;
        let to = section.need("to", "\"sap\"")?;
        let triggers = triggers(&mut section)?;
        let late_after = section.span("late_after")?;
        let mut guests = None;
        let moves = match record.as_str() {
            "orders" => {
                guests = section.text("guests")?;
                orders(&mut section)?
            }
            "customers" => customers(&mut section)?,
            "inventory" => Moves::Inventory {
                locations: section.texts("locations")?,
                orders_by: section.text("orders_by")?,
                movements_by: names(&mut section, "movements_by")?,
            },
            "prices" => prices(&mut section)?,
            "fulfillments" => fulfillments(&mut section)?,
            "refunds" => refunds(&mut section)?,
            "movements" => movements(&mut section)?,
            "invoices" => invoices(&mut section)?,
            later if LATER.contains(&later) => {
                let why =
                    format!("flows of {later} are not in this build yet; there are {}", RECORDS.join(", "));
                return Err(section.bad("record", why));
            }
            other => {
                return Err(section.bad("record", format!("{other:?} is no record{}", hint(other, RECORDS))));
            }
        };
        for key in ["routes", "release_when", "guests", "customers_by"] {
            if section.has(key) {
                return Err(section.bad(key, "belongs to flows of orders"));
            }
        }
        if section.has("start") {
            let why = "belongs to flows of orders, customers, fulfillments, refunds, movements and invoices";
            return Err(section.bad("start", why));
        }
        section.done()?;
        Ok(Self { name: name.to_owned(), from, to, triggers, late_after, guests, moves })
    }
}

fn triggers(section: &mut Section) -> Result<Vec<Trigger>, Failure> {
    let mut triggers: Vec<Trigger> = section.span("every")?.map(Trigger::Every).into_iter().collect();
    let daily = match section.take("daily") {
        None => Vec::new(),
        Some(Value::Array(times)) => times,
        Some(one) => vec![one],
    };
    for time in daily {
        let Value::String(text) = &time else {
            return Err(section.bad("daily", format_args!("must be a text, and is a {}", kind(&time))));
        };
        triggers.push(Trigger::daily(text).map_err(|error| section.bad("daily", error.message()))?);
    }
    if triggers.is_empty() {
        return Err(section.missing("every", "say every = \"15m\" or daily = \"02:00 Europe/Berlin\""));
    }
    Ok(triggers)
}

fn prices(section: &mut Section) -> Result<Moves, Failure> {
    let (groups, customers) = (section.texts("groups")?, section.texts("customers")?);
    let currency = match section.text("currency")? {
        None => None,
        Some(code) => Some(Currency::new(&code).map_err(|_| {
            section.bad("currency", format!("{code:?} is no currency; say currency = \"USD\""))
        })?),
    };
    let zone = match section.text("zone")? {
        None => None,
        Some(name) => Some(Zone::named(&name).map_err(|error| section.bad("zone", error.message()))?),
    };
    Ok(Moves::Prices { groups, customers, currency, zone })
}

fn orders(section: &mut Section) -> Result<Moves, Failure> {
    let start = start(section)?;
    let release = release(section)?;
    let routes = routes(section)?;
    let side = match section.text("currency_side")?.as_deref() {
        None | Some("order") => Side::Order,
        Some("base") => Side::Base,
        Some(other) => {
            return Err(section.bad("currency_side", format!("{other:?} is neither order nor base")));
        }
    };
    let mut rounding = Vec::new();
    for (currency, limit) in section.texts("rounding")? {
        let bad = || section.bad("rounding", format!("{currency} must be a limit such as USD = \"0.02\""));
        let code = Currency::new(&currency).map_err(|_| bad())?;
        let limit: Decimal = limit.parse().map_err(|_| bad())?;
        if limit.is_sign_negative() {
            return Err(bad());
        }
        rounding.push((code, limit));
    }
    let one_at_a_time = section.yes("one_at_a_time_per_customer")?;
    let customers_by = section.text("customers_by")?;
    Ok(Moves::Orders { start, release, routes, side, rounding, one_at_a_time, customers_by })
}

fn fulfillments(section: &mut Section) -> Result<Moves, Failure> {
    let orders_by = section.text("orders_by")?;
    let orders_of_the_sink = section.yes("orders_of_the_sink")?;
    if orders_of_the_sink && orders_by.is_some() {
        return Err(section.bad(
            "orders_by",
            "contradicts orders_of_the_sink: either a flow knows the orders or the source does",
        ));
    }
    // The warehouse's history would be posted where no flow of orders says what is ours.
    let start = if section.has("start") || orders_of_the_sink {
        Some(uncounted(section, "shipments")?)
    } else {
        None
    };
    Ok(Moves::Fulfillments {
        start,
        locations: section.texts("locations")?,
        orders_by,
        orders_of_the_sink,
        notify_within: section.span("notify_within")?,
    })
}

/// A list of names.
fn names(section: &mut Section, key: &'static str) -> Result<Vec<String>, Failure> {
    let names =
        section.array(key)?.into_iter().map(|value| match value {
            Value::String(name) => Ok(name),
            other => Err(section
                .bad(key, format!("must be a list of names, and one of them is of type {}", kind(&other)))),
        });
    names.collect()
}

fn customers(section: &mut Section) -> Result<Moves, Failure> {
    let start = start(section)?;
    if matches!(start, Start::AfterNumber(_)) {
        return Err(section.bad("start", "is \"now\" or a time for customers, who have no numbers in order"));
    }
    let namesake = match section.text("same_email")?.as_deref() {
        None | Some("hold") => Namesake::Hold,
        Some("take") => Namesake::Take,
        Some("ignore") => Namesake::Ignore,
        Some(other) => {
            let hint = hint(other, ["hold", "take", "ignore"]);
            return Err(section.bad("same_email", format!("{other:?} is not known{hint}")));
        }
    };
    Ok(Moves::Customers { start, namesake, groups: section.texts("groups")? })
}

fn refunds(section: &mut Section) -> Result<Moves, Failure> {
    Ok(Moves::Refunds { start: uncounted(section, "refunds")?, orders_by: section.text("orders_by")? })
}

fn movements(section: &mut Section) -> Result<Moves, Failure> {
    Ok(Moves::Movements { start: uncounted(section, "movements")?, locations: section.texts("locations")? })
}

/// The start of a flow whose records have no numbers in order.
fn uncounted(section: &mut Section, records: &str) -> Result<Start, Failure> {
    let start = start(section)?;
    if matches!(start, Start::AfterNumber(_)) {
        let why = format!("is \"now\" or a time for {records}, which are not counted as orders are");
        return Err(section.bad("start", why));
    }
    Ok(start)
}

fn invoices(section: &mut Section) -> Result<Moves, Failure> {
    let start = uncounted(section, "invoices")?;
    let (orders_by, capture) = (section.text("orders_by")?, section.yes("capture")?);
    Ok(Moves::Invoices { start, orders_by, capture, notify_within: section.span("notify_within")? })
}

const START: &str = "say start = \"now\", a time such as \"2026-11-01\", or { after = { default = \"000123456\" } }, so that the first run does not post years of history";

fn start(section: &mut Section) -> Result<Start, Failure> {
    match section.take("start") {
        None => Err(section.missing("start", START)),
        Some(Value::String(text)) => match text.as_str() {
            "now" => Ok(Start::Now),
            "link-existing" => Err(section.bad(
                "start",
                "link-existing is not built; say the time from which on orders count, then: commerce-sync adopt",
            )),
            text => instant(text).map(Start::At).ok_or_else(|| section.bad("start", format!("{text:?} is no start; {START}"))),
        },
        Some(Value::Datetime(time)) => {
            let text = time.to_string();
            instant(&text).map(Start::At).ok_or_else(|| section.bad("start", format!("{text} has no zone; add Z or +01:00")))
        }
        Some(value) => {
            let mut inner = Section::new(section.at("start"), value)?;
            let after = inner.texts("after")?;
            inner.done()?;
            if after.is_empty() {
                return Err(section.bad("start", format!("names no store; {START}")));
            }
            Ok(Start::AfterNumber(after.into_iter().collect()))
        }
    }
}

/// An instant, or the beginning of a day in UTC.
pub(crate) fn instant(text: &str) -> Option<Timestamp> {
    Timestamp::parse(text).ok().or_else(|| Date::parse(text).ok()?.start_in(&Zone::UTC).ok())
}

fn release(section: &mut Section) -> Result<ReleasePolicy, Failure> {
    let mut policy = ReleasePolicy::default();
    let Some(mut inner) = section.section("release_when")? else { return Ok(policy) };
    for (key, slot) in
        [("terms", &mut policy.terms), ("offline", &mut policy.offline), ("card", &mut policy.card)]
    {
        let Some(text) = inner.text(key)? else { continue };
        *slot = match text.as_str() {
            "placed" => ReleaseWhen::Placed,
            "authorized" => ReleaseWhen::Authorized,
            "captured" => ReleaseWhen::Captured,
            other => {
                let hint = hint(other, ["placed", "authorized", "captured"]);
                return Err(inner.bad(key, format!("{other:?} is not known{hint}")));
            }
        };
    }
    inner.done()?;
    Ok(policy)
}

fn routes(section: &mut Section) -> Result<Vec<(String, RouteTarget)>, Failure> {
    let mut routes = Vec::new();
    for (index, value) in section.array("routes")?.into_iter().enumerate() {
        let path = format!("{}[{index}]", section.at("routes"));
        let words: BTreeMap<String, String> = Section::new(&path, value)?.into_texts()?.into_iter().collect();
        let mut target = RouteTarget::new();
        let mut store = None;
        for (word, value) in words {
            if word == "store" {
                store = Some(value);
            } else {
                target = target.with(word, value);
            }
        }
        let store = store.ok_or_else(|| {
            Failure::usage(format!("{path}.store: is missing; name a store or website, or \"*\""))
        })?;
        routes.push((store, target));
    }
    if routes.is_empty() {
        return Err(
            section.missing("routes", "say routes = [ { store = \"*\", sales_area = \"1710/10/00\" } ]")
        );
    }
    Ok(routes)
}
