//! What happens in the world on that Saturday, by the wall clock.

use crate::systems::ZONE;
use commerce_emulator::Pay;
use commerce_emulator::sample::{DayOptions, OrderScript, ScheduledOrder};
use erp_core::Decimal;
use erp_core::time::{Date, Timestamp, Zone};
use sdk_examples::stage::{self, Options, Trouble};
use std::time::Duration;

/// How many orders the two websites take, before those with a gift card are left out.
const ORDERS: usize = 360;
const SEED: u64 = 2811;
const MINUTE: Duration = Duration::from_secs(60);

/// Something that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Happening {
    /// An order of the script is placed.
    Place(usize),
    Pay(usize),
    Cancel(usize),
    /// So many pieces of a product fall off a shelf.
    Break(&'static str, &'static str, u8),
    /// A lorry, by its number, brings half of what was bought.
    Deliver(u8),
    /// So many pieces of a product go from one hall to another.
    Carry(&'static str, &'static str, &'static str, u8),
    LoseOrders,
    LoseReceipts,
    LoseShipments,
    Down,
    Up,
    Falsify,
    Hour,
    Minute,
    Kill,
    SaveLedger,
}

impl stage::Happening for Happening {
    fn passing(&self) -> bool {
        matches!(self, Self::Hour | Self::Minute | Self::Kill | Self::SaveLedger)
    }
}

/// The day: its bounds, its orders and what happens.
#[derive(Debug)]
pub(crate) struct Day {
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) orders: Vec<ScheduledOrder>,
    pub(crate) happenings: Vec<(Timestamp, Happening)>,
}

impl Day {
    /// Saturday, 28 November 2026, in Los Angeles.
    pub(crate) fn write(options: &Options) -> Result<Self, Trouble> {
        let zone = Zone::named(ZONE)?;
        let date = Date::parse("2026-11-28")?;
        let at = |hour, minute| date.at_in(hour, minute, &zone);
        let (start, end) = (at(5, 0)?, at(22, 0)?);
        let day = DayOptions::new(date).in_zone(zone.clone()).with_orders(ORDERS);
        let mut orders = OrderScript::day(SEED, &day);
        // A gift card is a tender that this NetSuite does not take.
        orders.retain(|order| order.order.gift_card == Decimal::ZERO);
        let mut happenings = vec![
            (at(7, 20)?, Happening::Deliver(1)),
            (at(8, 15)?, Happening::Carry("24-MB01", "dc_east", "dc_west", 6)),
            (at(9, 2)?, Happening::LoseOrders),
            (at(10, 2)?, Happening::Break("24-MB01", "dc_east", 3)),
            (at(10, 30)?, Happening::LoseShipments),
            (at(12, 0)?, Happening::Down),
            // While NetSuite is away the halls go on working.
            (at(12, 20)?, Happening::Carry("24-WB04", "dc_east", "dc_west", 5)),
            (at(12, 31)?, Happening::Break("24-WB04", "dc_west", 2)),
            (at(13, 10)?, Happening::Up),
            (at(14, 2)?, Happening::LoseReceipts),
            (at(14, 5)?, Happening::Deliver(2)),
            (at(15, 40)?, Happening::Carry("24-UG06", "dc_east", "dc_wholesale", 12)),
            (at(15, 44)?, Happening::Break("24-UG06", "dc_wholesale", 5)),
        ];
        happenings.push((at(18, 30)?, Happening::Carry("24-MB01", "dc_west", "dc_east", 2)));
        for (index, order) in orders.iter().enumerate() {
            happenings.push((order.at, Happening::Place(index)));
            if let Some(pays_at) = order.pays_at {
                happenings.push((pays_at, Happening::Pay(index)));
            }
        }
        // Three buyers think better of it, before anybody picks.
        let plain = |order: &&(usize, &ScheduledOrder)| matches!(order.1.order.pay, Pay::Authorized);
        let ten = at(10, 0)?;
        let regret = orders.iter().enumerate().filter(|(_, order)| order.at >= ten);
        for (index, order) in regret.collect::<Vec<_>>().iter().filter(plain).take(3) {
            happenings.push((order.at.plus(4 * MINUTE), Happening::Cancel(*index)));
        }
        let mut now = start.plus(MINUTE);
        let mut minutes = 1;
        while now < end {
            happenings.push((now, if minutes % 60 == 0 { Happening::Hour } else { Happening::Minute }));
            now = now.plus(MINUTE);
            minutes += 1;
        }
        if options.broken.is_some() {
            happenings.push((at(21, 55)?, Happening::Falsify));
        }
        if let Some((hour, minute)) = options.kill_at {
            happenings.push((at(hour, minute)?, Happening::Kill));
        }
        if let Some(((hour, minute), _)) = &options.save_ledger {
            happenings.push((at(*hour, *minute)?, Happening::SaveLedger));
        }
        happenings.sort_by_key(|(at, _)| *at);
        Ok(Self { start, end, orders, happenings })
    }
}
