//! Buying through earmark: the stock, and the thread that expires what is due.

use std::sync::Arc;
use std::time::Duration;

use earmark::{Cause, Channel, Counts, Driver, Inventory, LineSpec, Quantity, StockId, Ttl};
use earmark_testkit::history::{Op, Outcome};

use super::super::SaleClock;
use super::super::live::Live;
use super::super::log::Log;
use super::super::order::CHANNELS;
use super::super::world::World;
use super::engine_till::EngineTill;
use super::words::finals;
use super::{Closing, Delivery, Look, Shop};

/// How long a reservation lives before the payment has begun, in simulated ms.
pub(crate) const TTL_MS: u64 = 5_000;
/// How long the payment may take, in simulated ms.
pub(crate) const PAYMENT_TTL_MS: u64 = 3_000;
/// How often expired reservations are looked for, in real time.
const SWEEP_EVERY: Duration = Duration::from_millis(1);

/// An inventory with a thread that expires what is due.
#[derive(Debug)]
pub(crate) struct EngineShop {
    pub(super) inventory: Arc<Inventory>,
    pub(super) lines: Vec<StockId>,
    pub(super) channels: Vec<Channel>,
    pub(super) ttl: Ttl,
    _driver: Driver,
}

impl EngineShop {
    pub(crate) fn new(world: &World, clock: &SaleClock) -> Result<EngineShop, Box<dyn std::error::Error>> {
        let inventory = Inventory::builder()
            .clock(clock.clone())
            // A simulated second is over in 20 real ms, less than a busy machine may keep the driver
            // waiting: so the clock is read whenever a deadline is judged.
            .time_slack(Duration::ZERO)
            .payment_ttl(Ttl::millis(PAYMENT_TTL_MS)?)
            .build()?;
        let mut lines = Vec::new();
        for line in &world.lines {
            lines.push(inventory.declare(LineSpec::new(&line.sku))?);
        }
        let mut channels = Vec::new();
        for label in CHANNELS {
            channels.push(inventory.channel(label)?);
        }
        let inventory = Arc::new(inventory);
        let driver = Driver::spawn(Arc::clone(&inventory), SWEEP_EVERY);
        Ok(EngineShop { inventory, lines, channels, ttl: Ttl::millis(TTL_MS)?, _driver: driver? })
    }
}

impl Shop for EngineShop {
    type Till<'a> = EngineTill<'a>;

    const HAMMERED: bool = true;

    fn till<'a>(&'a self, log: Log, live: &'a Live) -> EngineTill<'a> {
        EngineTill::new(self, log, live)
    }

    fn deliver(&self, line: u32, units: u32, delivery: Delivery, log: &mut Log) {
        let Ok(quantity) = Quantity::new(units) else {
            return;
        };
        let cause = Cause::none().with_source("flash-sale");
        let (span, answer) = log.time(|| self.inventory.receive(self.lines[line as usize], quantity, &cause));
        let op = match delivery {
            Delivery::Opening => Op::Open,
            Delivery::Restock => Op::Receive,
        };
        let result = answer.map_or(Outcome::Refused, |_| Outcome::Ok);
        log.push(span.call(op).with_item(line, units.into()).with_result(result));
    }

    fn look(&self, line: u32) -> Look {
        let levels = self.inventory.levels(self.lines[line as usize]);
        levels.map_or(Look::default(), |levels| Look {
            left: levels.available.into(),
            held: levels.reserved.into(),
            sold: levels.committed.into(),
        })
    }

    fn expired(&self) -> u64 {
        self.inventory.counts().expired
    }

    fn close(&self, log: &Log) -> Closing {
        while !self.inventory.sweep().complete {}
        let snapshot = self.inventory.levels_all();
        let finals = finals(&snapshot, log.clock().ns());
        let verification = self.inventory.verify();
        let mut audit: Vec<String> = verification.differences.iter().map(ToString::to_string).collect();
        if !snapshot.settled {
            audit.push("the snapshot of all lines did not settle, though nobody bought".into());
        }
        let channels = self.inventory.channel_counts().into_iter().filter(|channel| channel.counts.reserved > 0);
        let channels = channels.map(|channel| {
            let Counts { reserved, confirmed, released, expired, .. } = channel.counts;
            let figures = [reserved, confirmed, released, expired];
            (channel.label.to_string(), figures)
        });
        Closing { finals, audit, channels: channels.collect() }
    }
}
