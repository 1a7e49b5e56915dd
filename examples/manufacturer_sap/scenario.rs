//! Plays the day: the world's script, the engine and the clock, in one thread.

use crate::report;
use crate::script::{Day, Happening};
use crate::seed;
use crate::systems::{SLUGGISH, Systems, USUAL, ZONE};
use erp_core::Decimal;
use erp_core::feed::Window;
use erp_core::time::{Timestamp, Zone};
use erp_testkit::clock::VirtualClock;
use erp_testkit::fault::{Fault, Rule};
use sdk_examples::stage::{self, Options, Progress, Story, Trouble};
use std::sync::Arc;
use std::time::Duration;
use sync_engine::SqliteLedger;

/// What a load balancer says when nothing answers behind it.
const SORRY: &str = "<html><body><h1>503 Service Unavailable</h1></body></html>";
const HOUR: Duration = Duration::from_secs(3600);

/// Plays the day, or the rest of it, and counts what is unexplained.
pub(crate) async fn run(options: Options) -> Result<u64, Trouble> {
    options.prepare()?;
    let day = Day::write(&options)?;
    let mut progress = Progress::open(&options.dir.join("world.log"))?;
    let begin = progress.last.map_or(day.start, |last| last.plus(Duration::from_secs(60)));
    let clock = VirtualClock::new(begin);
    let story = Arc::new(Story::new(Zone::named(ZONE)?, "SAP"));
    let systems = Systems::start(&options.dir, &clock, stage::ports(&options.dir)).await?;
    stage::keep_ports(&options.dir, [&systems.shop.base_url(), &systems.sap.base_url()])?;
    let resumed = progress.last.is_some();
    if resumed {
        story.line(begin, "the process is back; the day goes on");
    }
    systems.sap.server.faults().set_down(progress.did("Down") && !progress.did("Up"));
    let ledger = SqliteLedger::open(options.dir.join("sync.db"))?;
    let engine = systems.engine(&clock, &ledger, day.start, &story)?;
    let world = World {
        day: &day,
        options: &options,
        systems: &systems,
        ledger: &ledger,
        story: &story,
        zone: Zone::named(ZONE)?,
    };
    let script = stage::play(&world, &day.happenings, &mut progress, &clock, day.end);
    stage::live(&engine, &ledger, &clock, script).await?;
    let window = Window::new(day.start, day.end.plus(HOUR));
    let tie = report::print(&engine, window, &world, &story, resumed);
    let unexplained = stage::meanwhile(&clock, &ledger, tie).await?;
    std::fs::write(options.dir.join("finished"), "")?;
    println!("unexplained: {unexplained}");
    Ok(unexplained)
}

/// The world around the two systems.
pub(crate) struct World<'a> {
    pub(crate) day: &'a Day,
    pub(crate) options: &'a Options,
    pub(crate) systems: &'a Systems,
    ledger: &'a SqliteLedger,
    story: &'a Story,
    zone: Zone,
}

impl stage::World for World<'_> {
    type Happening = Happening;

    async fn happen(
        &self,
        happening: &Happening,
        now: Timestamp,
        progress: &Progress,
    ) -> Result<Option<i64>, Trouble> {
        let (shop, sap) = (&self.systems.shop.world, &self.systems.sap);
        let say = |text: &str| self.story.line(now, text);
        let number = |id: i64| shop.order(id).map(|order| order.increment_id).unwrap_or_default();
        match happening {
            Happening::Place(index) => {
                let newest = shop.orders().last().map(|order| order.entity_id);
                if let Some(id) = progress.unnoted(newest) {
                    return Ok(Some(id));
                }
                return Ok(Some(shop.place_order(self.day.orders[*index].order.clone())?));
            }
            // A payment that is told twice changes nothing.
            Happening::Pay(index) => drop(shop.pay(progress.id(*index)?)),
            Happening::Cancel(index) => {
                let id = progress.id(*index)?;
                let _ = shop.cancel(id);
                say(&format!("shop: order {} cancelled", number(id)));
            }
            Happening::Edit(index) => {
                let id = progress.id(*index)?;
                if let Ok(next) = shop.edit(id, |order| order.lines.truncate(1)) {
                    say(&format!("shop: order {} edited, it is now {}", number(id), number(next)));
                    return Ok(Some(next));
                }
            }
            Happening::Lock(index) => {
                let key = format!("shop:{}", progress.id(*index)?);
                for order in sap.world.order_by_key("PurchaseOrderByShipToParty", &key) {
                    sap.world.lock_order(&order.number, "CLERK7", Some(Duration::from_secs(1200)));
                    say(&format!("SAP: CLERK7 has sales order {} open", order.number));
                }
            }
            Happening::Distributor(count) => {
                // Distributors count as the shop does: their numbers are the shop's.
                let reference = format!("{:09}", count + 1);
                let lines = [("24-MB01", Decimal::from(2 + count % 3)), ("24-WB04", Decimal::ONE)];
                if sap.world.order_by_key("PurchaseOrderByCustomer", &reference).is_empty() {
                    sap.world.place_distributor_order(seed::DISTRIBUTOR, &reference, &lines)?;
                }
            }
            Happening::DrawStock => {
                sap.world.draw_stock("24-MB01", "1710", Decimal::from(40));
                say("SAP: a distributor collects 40 of 24-MB01 past every shop");
            }
            Happening::PriceChange => {
                sap.world.set_price("24-MB01", Decimal::new(3900, 2), now.date_in(&self.zone))?;
                say("SAP: the list price of 24-MB01 is 39.00 from today");
            }
            Happening::BlockCredit => {
                sap.world.block_credit("10100012");
                say("SAP: customer 10100012 is over its credit limit");
            }
            Happening::Slow => {
                sap.world.set_latency(SLUGGISH, 2);
                say("SAP becomes slow");
            }
            Happening::LoseAnswers => {
                let path = "API_SALES_ORDER_SRV/A_SalesOrder";
                let lost =
                    Rule { after: 2, times: 3, ..Rule::once(Some("POST"), path, Fault::DropAfterCommit) };
                sap.server.faults().add(lost);
                let sorry = Rule {
                    after: 1,
                    ..Rule::once(Some("POST"), path, Fault::Answer(503, "text/html", SORRY.into()))
                };
                sap.server.faults().add(sorry);
            }
            Happening::Down => {
                sap.server.faults().set_down(true);
                say("SAP is down");
            }
            Happening::Up => {
                sap.server.faults().clear();
                sap.server.faults().set_down(false);
                sap.world.set_latency(USUAL, 4);
                say("SAP is back");
            }
            Happening::Falsify => self.falsify(),
            Happening::SaveLedger => self.save_ledger()?,
            Happening::Hour => self.story.on_the_hour(now),
            Happening::Minute => {}
            Happening::Kill => {
                say("kill -9");
                stage::die();
            }
        }
        Ok(None)
    }
}

impl World<'_> {
    /// Somebody does something to SAP's books that nobody is told of. An order with a whole cent of tax is taken.
    fn falsify(&self) {
        let sap = &self.systems.sap.world;
        let ours = |order: &sap_emulator::OrderView| {
            order.header.get("PurchaseOrderByShipToParty").is_some_and(|key| key.starts_with("shop:"))
                && order.rejection_status != "C"
                && order.credit_status != "B"
        };
        let Some(victim) = sap.orders().into_iter().filter(ours).nth(100).map(|order| order.number) else {
            return;
        };
        match self.options.broken.as_deref() {
            Some("lose-one") => drop(sap.lose_order(&victim)),
            Some("duplicate-one") => drop(sap.duplicate_order(&victim)),
            Some("skew-a-cent") => drop(sap.skew_cent(&victim)),
            _ => {}
        }
    }

    fn save_ledger(&self) -> Result<(), Trouble> {
        let Some((_, file)) = &self.options.save_ledger else { return Ok(()) };
        Ok(self.ledger.back_up(file)?)
    }
}
