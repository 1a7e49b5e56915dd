//! Plays the day: the world's script, the engine and the clock, in one thread.

use crate::hops::Hops;
use crate::movers;
use crate::pickers::Pickers;
use crate::report;
use crate::script::{Day, Happening};
use crate::seed::KEY_FIELD;
use crate::systems::{Systems, ZONE};
use erp_core::Decimal;
use erp_core::feed::Window;
use erp_core::time::{Timestamp, Zone};
use erp_testkit::clock::VirtualClock;
use erp_testkit::fault::{Fault, Rule};
use sdk_examples::stage::{self, Options, Progress, Story, Trouble};
use std::sync::Arc;
use std::time::Duration;
use sync_engine::SqliteLedger;
use sync_engine::ledger::Ledger as _;

const HOUR: Duration = Duration::from_secs(3600);

/// Plays the day, or the rest of it, and counts what is unexplained.
pub(crate) async fn run(options: Options) -> Result<u64, Trouble> {
    options.prepare()?;
    let day = Day::write(&options)?;
    let mut progress = Progress::open(&options.dir.join("world.log"))?;
    let begin = progress.last.map_or(day.start, |last| last.plus(Duration::from_secs(60)));
    let clock = VirtualClock::new(begin);
    let story = Arc::new(Story::new(Zone::named(ZONE)?, "NetSuite"));
    let ports = stage::ports(&options.dir);
    let systems = Systems::start(&options.dir, &clock, ports, &day.orders).await?;
    stage::keep_ports(&options.dir, [&systems.shop.base_url(), &systems.netsuite.base_url()])?;
    if progress.last.is_some() {
        story.line(begin, "the process is back; the day goes on");
    }
    systems.netsuite.server.faults().set_down(progress.did("Down") && !progress.did("Up"));
    let ledger = SqliteLedger::open(options.dir.join("sync.db"))?;
    let engine = systems.engine(&clock, &ledger, day.start, &story)?;
    let shelves = systems.wms.halls().shelves.keys().cloned().collect::<Vec<_>>();
    let pickers = Pickers::new(&systems.netsuite.world, shelves.into_iter());
    let world = World {
        day: &day,
        options: &options,
        systems: &systems,
        ledger: &ledger,
        story: &story,
        pickers,
        hops: Hops::default(),
    };
    let script = stage::play(&world, &day.happenings, &mut progress, &clock, day.end);
    stage::live(&engine, &ledger, &clock, script).await?;
    let window = Window::new(day.start, day.end.plus(HOUR));
    let report = report::print(&engine, window, &world);
    let unexplained = stage::meanwhile(&clock, &ledger, report).await?;
    std::fs::write(options.dir.join("finished"), "")?;
    println!("unexplained: {unexplained}");
    Ok(unexplained)
}

/// The world around the systems.
pub(crate) struct World<'a> {
    pub(crate) day: &'a Day,
    pub(crate) options: &'a Options,
    pub(crate) systems: &'a Systems,
    ledger: &'a SqliteLedger,
    story: &'a Story,
    pickers: Pickers,
    pub(crate) hops: Hops,
}

impl stage::World for World<'_> {
    type Happening = Happening;

    async fn happen(
        &self,
        happening: &Happening,
        now: Timestamp,
        progress: &Progress,
    ) -> Result<Option<i64>, Trouble> {
        let (shop, netsuite) = (&self.systems.shop.world, &self.systems.netsuite);
        let say = |text: &str| self.story.line(now, text);
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
                let number = shop.order(id).map(|order| order.increment_id).unwrap_or_default();
                say(&format!("shop: order {number} cancelled"));
            }
            Happening::Break(sku, place, pieces) => {
                let shelf = ((*sku).into(), (*place).into());
                self.systems.wms.halls().break_pieces(shelf, Decimal::from(*pieces))?;
                say(&format!("warehouse: {pieces} of {sku} broke in {place}"));
            }
            Happening::Deliver(lorry) => {
                say(&format!("warehouse: {}", movers::take_in(now, &self.systems.wms, *lorry)?));
            }
            Happening::Carry(sku, from, to, pieces) => {
                let way = (((*sku).into(), (*from).into()), *to);
                if let Some(text) = movers::carry(now, &self.systems.wms, way, Decimal::from(*pieces))? {
                    say(&format!("warehouse: {text}"));
                }
            }
            Happening::LoseReceipts => self.lose("POST", "/!transform/itemReceipt", 1),
            Happening::LoseOrders => self.lose("POST", "/record/v1/salesOrder", 2),
            Happening::LoseShipments => self.lose("POST", "/!transform/itemFulfillment", 2),
            Happening::Down => {
                netsuite.server.faults().set_down(true);
                say("NetSuite is down");
            }
            Happening::Up => {
                netsuite.server.faults().set_down(false);
                say("NetSuite is back");
            }
            Happening::Falsify => self.falsify(),
            Happening::Hour => self.minute(now, true, progress).await?,
            Happening::Minute => self.minute(now, false, progress).await?,
            Happening::SaveLedger => {
                let file = self.options.save_ledger.as_ref().map(|(_, file)| file);
                file.map_or(Ok(()), |file| self.ledger.back_up(file))?;
            }
            Happening::Kill => {
                say("kill -9");
                stage::die();
            }
        }
        Ok(None)
    }
}

impl World<'_> {
    async fn minute(&self, now: Timestamp, hour: bool, progress: &Progress) -> Result<(), Trouble> {
        let away = progress.did("Down") && !progress.did("Up");
        let netsuite = Some(&self.systems.netsuite.world).filter(|_| !away);
        self.pickers.work(now, &self.systems.wms, netsuite)?;
        let health = self.ledger.health().await?;
        self.hops.sample(now, &health);
        if hour {
            self.story.on_the_hour(now);
            self.story.line(now, &self.hops.line(&health));
        }
        Ok(())
    }

    /// NetSuite does what is asked of it, and its answers get lost.
    fn lose(&self, method: &'static str, path: &str, times: usize) {
        let rule = Rule { times, ..Rule::once(Some(method), path, Fault::DropAfterCommit) };
        self.systems.netsuite.server.faults().add(rule);
    }

    /// Somebody does something to NetSuite's books that nobody is told of.
    fn falsify(&self) {
        let netsuite = &self.systems.netsuite.world;
        match self.options.broken.as_deref() {
            Some("lose-one") => {
                let ours = |order: &netsuite_emulator::OrderView| order.body.contains_key(KEY_FIELD);
                if let Some(victim) = netsuite.orders().into_iter().filter(ours).nth(100) {
                    netsuite.delete("salesOrder", victim.id);
                }
            }
            Some("touch-stock") => {
                let item = netsuite.item_id("24-MB01").unwrap_or_default();
                netsuite.set_stock(item, 1, netsuite.stock(item, 1) + Decimal::TWO);
            }
            _ => {}
        }
    }
}
