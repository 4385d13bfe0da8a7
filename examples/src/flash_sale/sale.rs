//! A sale from the opening of the doors to the closing of the books.

use std::error::Error;
use std::ops::Range;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use earmark_testkit::history::{Call, Recorder};

use super::SaleClock;
use super::agent::Scene;
use super::figures::{Figures, Load};
use super::hammer::{Budget, Hammer};
use super::live::{self, Live};
use super::log::Log;
use super::outcome::{LineOutcome, Outcome, Seen};
use super::picture::{Picture, View};
use super::screen::Screen;
use super::seed::Seed;
use super::shop::{Closing, Delivery, EngineShop, NaiveShop, Shop, TTL_MS};
use super::text::thousands;
use super::worker::{self, Shift};
use super::world::World;

/// How long the doors are open, in real seconds: with the judging, a run stays well below 20 s.
pub(crate) const SECONDS: f64 = 6.0;
/// Calls that the hammer makes: what takes the judge a second or two.
const CALLS_MAX: u64 = 2_400_000;
/// A simulated millisecond in real nanoseconds: agents live 50 times as fast as people.
const TICK_NS: u64 = 20_000;
/// How often an agent comes in a real second, and how many units it then wants: what the stock is
/// measured by.
const VISITS_PER_S: f64 = 11.0;
const UNITS_PER_VISIT: f64 = 1.75;
/// When the hot SKUs are restocked: this part of the sale is over.
const RESTOCK_AT: f64 = 0.6;

/// How the shop sells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Through earmark.
    Earmark,
    /// Read, pay, decrement: the way the problem arises.
    Naive,
}

/// A sale that can be held.
#[derive(Debug, Clone)]
#[allow(clippy::exhaustive_structs, reason = "the settings of an example")]
pub struct Sale {
    /// How the shop sells.
    pub mode: Mode,
    /// What agents want, visit by visit, follows from it; what they meet depends on the threads' race.
    pub seed: u64,
    /// Workers.
    pub threads: usize,
    /// How long the doors are open, in real seconds.
    pub seconds: f64,
    /// Agents over all workers.
    pub agents: usize,
    /// The part of the usual stock that is there, which is measured by what agents are expected to want.
    pub stock: f64,
    /// Calls that the hammer may make; the agents' own are not among them. What is recorded must be judged.
    pub calls_max: u64,
}

impl Sale {
    /// The sale that the example holds by default, on so many threads.
    pub fn new(mode: Mode, threads: usize) -> Sale {
        Sale { mode, seed: 1, threads, seconds: SECONDS, agents: 4_000, stock: 1.0, calls_max: CALLS_MAX }
    }

    /// Holds the sale, shows it on the screen, and has every call judged.
    ///
    /// # Errors
    /// What the engine answers to a setting or a name that it does not take.
    pub fn hold(&self, screen: Screen) -> Result<(Outcome, Vec<Call>), Box<dyn Error>> {
        let demand = self.agents as f64 * self.seconds * VISITS_PER_S * UNITS_PER_VISIT;
        let world = World::new(demand * self.stock);
        let clock = SaleClock::new(TICK_NS);
        match self.mode {
            Mode::Earmark => self.hold_in(&EngineShop::new(&world, &clock)?, &world, &clock, screen),
            Mode::Naive => self.hold_in(&NaiveShop::new(&world), &world, &clock, screen),
        }
    }

    fn hold_in<S: Shop>(
        &self,
        shop: &S,
        world: &World,
        clock: &SaleClock,
        screen: Screen,
    ) -> Result<(Outcome, Vec<Call>), Box<dyn Error>> {
        let recorder = Recorder::new();
        let mut log = Log::new(&recorder, clock);
        for (number, line) in (0..).zip(&world.lines) {
            shop.deliver(number, line.opening, Delivery::Opening, &mut log);
        }
        let lives = |workers: usize| -> Vec<Live> { (0..workers).map(|_| Live::default()).collect() };
        let agents = lives(self.threads);
        let hammers = lives(if S::HAMMERED { self.threads } else { 0 });
        let open_ns = clock.ns();
        let length_ns = (self.seconds * 1e9) as u64;
        let close_ns = open_ns + length_ns;
        let budget = Budget { calls_max: self.calls_max / self.threads as u64, open_ns, close_ns };
        let seed = Seed(self.seed);
        let till = |live| shop.till(Log::new(&recorder, clock), live);
        let tills: Vec<_> = agents.iter().map(till).collect();
        let hammer = |(n, live)| Hammer::new(till(live), live, seed.hammer(n), budget);
        let mut hammering = (0..).zip(&hammers).map(hammer).collect::<Vec<_>>().into_iter();
        let mut view = View { sale: self, world, clock, open_ns, agents: &agents, hammers: &hammers };
        let mut picture = Picture::new(screen);
        std::thread::scope(|scope| {
            let (working, ended) = channel::<()>();
            for (n, (mut till, live)) in tills.into_iter().zip(&agents).enumerate() {
                let scene = Scene { world, live, clock, close_ns };
                let shift = Shift { agents: self.agents_of(n), seed, hammer: hammering.next() };
                let working = working.clone();
                scope.spawn(move || {
                    worker::work(&mut till, scene, shift);
                    drop(working);
                });
            }
            drop(working);
            let restock_ns = open_ns + (length_ns as f64 * RESTOCK_AT) as u64;
            conduct(&ended, &mut picture, &mut view, shop, restock_ns, &mut log);
        });
        let sold_for = Duration::from_nanos(clock.ns() - open_ns);
        wait(clock, clock.ns() + clock.ns_of_ms(TTL_MS)); // whoever forgot is over by then
        picture.paint(&view, shop);
        let closing = shop.close(&log);
        drop(log);

        let calls = recorder.finish()?;
        picture.say(&format!("checking {} calls ...", thousands(calls.len() as u64)));
        // Logs are numbered as they were opened: the deliveries', the agents', the hammers'.
        let load = Load { length: sold_for, hammers_from: 1 + self.threads as u32 };
        let (figures, report) = Figures::of(&calls, &closing.finals, load);
        let lines = world.lines.iter().enumerate().map(|(number, line)| LineOutcome {
            name: line.sku.clone(),
            hot: number < world.hot,
            stock: u64::from(line.opening) + u64::from(line.restock),
            sold: figures.sold_of(number as u32),
            beyond: figures.oversold_of(number as u32),
        });
        let Closing { audit, channels, .. } = closing;
        let outcome = Outcome {
            sale: self.clone(),
            simulated_s: clock.simulated_s(length_ns),
            sold_for,
            lines: lines.collect(),
            seen: Seen::of(&agents, &hammers),
            channels,
            audit,
            figures,
            report,
        };
        Ok((outcome, calls))
    }

    /// Which agents a worker takes, by number.
    fn agents_of(&self, worker: usize) -> Range<u64> {
        let first = |worker: usize| (self.agents * worker / self.threads) as u64;
        first(worker)..first(worker + 1)
    }
}

/// Paints while the workers work, and restocks once.
fn conduct<S: Shop>(
    ended: &Receiver<()>,
    picture: &mut Picture,
    view: &mut View<'_>,
    shop: &S,
    restock_ns: u64,
    log: &mut Log,
) {
    let mut restocked = false;
    while ended.recv_timeout(picture.pause()) == Err(RecvTimeoutError::Timeout) {
        if !restocked && view.clock.ns() >= restock_ns {
            restocked = true;
            for (number, line) in (0..).zip(&view.world.lines).take(view.world.hot) {
                shop.deliver(number, line.restock, Delivery::Restock, log);
            }
        }
        picture.paint(view, shop);
    }
}

/// Waits until the clock shows this instant.
fn wait(clock: &SaleClock, until_ns: u64) {
    while let Some(left) = until_ns.checked_sub(clock.ns()) {
        std::thread::park_timeout(Duration::from_nanos(left.max(1)));
    }
}

impl Seen {
    fn of(agents: &[Live], hammers: &[Live]) -> Seen {
        let live = || agents.iter().chain(hammers);
        Seen {
            reads: live::sum(live(), |live| &live.reads),
            misled: live::sum(live(), |live| &live.misled),
            repeats: live::sum(live(), |live| &live.repeats),
            repeats_alike: live::sum(live(), |live| &live.repeats_alike),
            late: live::sum(live(), |live| &live.late),
            odd: live::sum(live(), |live| &live.odd),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_agent_has_one_worker() {
        for (agents, threads) in [(0, 1), (7, 3), (4_000, 256), (2, 5)] {
            let sale = Sale { agents, ..Sale::new(Mode::Earmark, threads) };
            let numbers: Vec<u64> = (0..threads).flat_map(|worker| sale.agents_of(worker)).collect();
            assert_eq!(numbers, (0..agents as u64).collect::<Vec<_>>());
        }
    }
}
