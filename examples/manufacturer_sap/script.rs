//! What happens in the world on that Monday, by the wall clock.

use crate::systems::ZONE;
use commerce_emulator::Pay;
use commerce_emulator::sample::{DayOptions, OrderScript, ScheduledOrder};
use erp_core::time::{Date, Timestamp, Zone};
use sdk_examples::stage::{self, Options, Trouble};

/// How many orders the two websites take.
const ORDERS: usize = 500;
/// How many payments never come that day.
const UNPAID: usize = 6;
const SEED: u64 = 1123;

/// Something that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Happening {
    /// An order of the script is placed.
    Place(usize),
    Pay(usize),
    Cancel(usize),
    Edit(usize),
    /// Somebody has the order open in a dialog of SAP for twenty minutes, while it is cancelled in the shop.
    Lock(usize),
    Distributor(u32),
    DrawStock,
    PriceChange,
    BlockCredit,
    Slow,
    LoseAnswers,
    Down,
    Up,
    Falsify,
    SaveLedger,
    Hour,
    Minute,
    Kill,
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
    /// Monday, 23 November 2026, in New York.
    pub(crate) fn write(options: &Options) -> Result<Self, Trouble> {
        let zone = Zone::named(ZONE)?;
        let date = Date::parse("2026-11-23")?;
        let at = |hour, minute| date.at_in(hour, minute, &zone);
        let (start, end) = (date.start_in(&zone)?, date.tomorrow().start_in(&zone)?);
        let mut orders =
            OrderScript::day(SEED, &DayOptions::new(date).in_zone(zone.clone()).with_orders(ORDERS));
        for order in &mut orders {
            // SAP taxes freight with the goods, so the shop is set up to do the same.
            if let Some(tax) = order.order.tax.take() {
                order.order.tax = Some(tax.on_shipping());
            }
        }
        let late: Vec<usize> = (0..orders.len()).filter(|n| orders[*n].pays_at.is_some()).collect();
        for index in late.iter().rev().take(UNPAID) {
            orders[*index].pays_at = None;
        }
        let plain = |order: &ScheduledOrder| {
            matches!(order.order.pay, Pay::Authorized) && order.order.lines.len() > 1
        };
        let pick = |from: Timestamp, count: usize| -> Vec<usize> {
            (0..orders.len()).filter(|n| orders[*n].at >= from && plain(&orders[*n])).take(count).collect()
        };
        let mut happenings = Vec::new();
        for index in pick(at(13, 32)?, 2) {
            happenings.push((at(14, 30)?, Happening::Cancel(index)));
        }
        for index in pick(at(9, 0)?, 2) {
            happenings.push((at(10, 59)?, Happening::Lock(index)));
            happenings.push((at(11, 0)?, Happening::Cancel(index)));
        }
        for index in pick(at(10, 0)?, 1) {
            happenings.push((at(11, 20)?, Happening::Edit(index)));
        }
        // One ship-to party that nobody in SAP has heard of.
        let on_account = |order: &ScheduledOrder| order.order.store == "wholesale";
        if let Some(order) = orders.iter_mut().filter(|order| on_account(order)).nth(4) {
            order.order.shipping.erp_party = Some("0010299999".to_owned());
        }
        for (index, order) in orders.iter().enumerate() {
            happenings.push((order.at, Happening::Place(index)));
            if let Some(pays_at) = order.pays_at {
                happenings.push((pays_at, Happening::Pay(index)));
            }
        }
        for number in 0..12u32 {
            let hour = 8 + i8::try_from(number).unwrap_or(0) % 5;
            happenings.push((at(hour, 7)?, Happening::Distributor(number)));
        }
        happenings.extend([
            (at(10, 30)?, Happening::BlockCredit),
            (at(12, 0)?, Happening::PriceChange),
            (at(12, 1)?, Happening::DrawStock),
            (at(13, 10)?, Happening::Slow),
            (at(13, 14)?, Happening::LoseAnswers),
            (at(13, 25)?, Happening::Down),
            (at(15, 40)?, Happening::Up),
        ]);
        for minute in 1..24 * 60 {
            let now = start.plus(std::time::Duration::from_secs(minute * 60));
            happenings.push((now, if minute % 60 == 0 { Happening::Hour } else { Happening::Minute }));
        }
        if options.broken.is_some() {
            happenings.push((at(23, 50)?, Happening::Falsify));
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
