//! One agent: arrives, looks, asks, pays, and comes again. A small state machine; nobody sleeps.
//!
//! ```text
//!            enough there              held                begun
//!   arrive ----------------> ask -----------------> pay ----------> settle --> arrive ...
//!     ^  ^        answer lost |^  short, forgets     | forgets     lost |^
//!     |  |                    v| (same key)          |      (same key)  v|
//!     |  '--------------------+'---------------------'------------------+'
//!     '--- too little there
//! ```

use rand::RngExt;
use rand::rngs::SmallRng;

use super::SaleClock;
use super::live::Live;
use super::order::{CHANNELS, Fate, Manner, Order};
use super::seed::Seed;
use super::shop::{Answer, Attempt, Done, PAYMENT_TTL_MS, Till};
use super::world::World;

/// What lies between a read and a refusal for the read to count as misleading, in simulated ms.
const MISLED_MS: u64 = 1_200;
/// How often an agent asks again when nothing could be decided.
const TRIES_MAX: u32 = 20;
/// Within so many simulated ms all agents have come for the first time.
const RUSH_MS: u64 = 2_000;

/// What all agents of a worker live in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) world: &'a World,
    pub(crate) live: &'a Live,
    pub(crate) clock: &'a SaleClock,
    /// When the doors close: nobody arrives any more.
    pub(crate) close_ns: u64,
}

/// Somebody who buys, again and again. `T` is what the shop gives for units set aside.
#[derive(Debug)]
pub(crate) struct Agent<T> {
    /// Its number, over all workers.
    number: u64,
    seed: Seed,
    visits: u64,
    /// What this visit draws from.
    rng: SmallRng,
    owner: u128,
    order: Order,
    manner: Manner,
    step: Step<T>,
    tries: u32,
    /// When it read that there was enough.
    read_ns: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
enum Step<T> {
    Arrive,
    Ask(Attempt<T>),
    Pay(T),
    Settle(T, Attempt<()>),
}

impl<T: Copy + PartialEq> Agent<T> {
    pub(crate) fn new(world: &World, seed: Seed, number: u64) -> Agent<T> {
        let mut rng = seed.visit(number, 0);
        let owner = rng.random();
        let order = Order::wish(world, owner, 0, &mut rng);
        let manner = Manner::any(&mut rng);
        Agent { number, seed, visits: 0, rng, owner, order, manner, step: Step::Arrive, tries: 0, read_ns: None }
    }

    /// How many simulated ms after the opening it comes first.
    pub(crate) fn comes_after_ms(&mut self) -> u64 {
        self.rng.random_range(0..RUSH_MS)
    }

    /// Takes the next step. Returns how many simulated ms later the one after it is due, or `None`:
    /// the doors are closed.
    pub(crate) fn act<I: Till<Ticket = T>>(&mut self, till: &mut I, scene: Scene<'_>) -> Option<u64> {
        match self.step {
            Step::Arrive => self.arrive(till, scene),
            Step::Ask(attempt) => Some(self.ask(till, scene, attempt)),
            Step::Pay(ticket) => Some(self.pay(till, ticket)),
            Step::Settle(ticket, attempt) => Some(self.settle(till, ticket, attempt)),
        }
    }

    fn arrive<I: Till<Ticket = T>>(&mut self, till: &mut I, scene: Scene<'_>) -> Option<u64> {
        let now = scene.clock.ns();
        if now >= scene.close_ns {
            return None;
        }
        self.choose(scene.world);
        self.tries = 0;
        self.read_ns = None;
        if self.manner.reads {
            if !self.order.items().iter().all(|(line, units)| till.read(*line) >= *units) {
                return Some(self.leave());
            }
            self.read_ns = Some(now);
            scene.live.reads.add(1);
        }
        self.step = Step::Ask(Attempt::First);
        Some(self.rng.random_range(0..400))
    }

    /// Makes up its mind for one more visit, before it has seen anything.
    fn choose(&mut self, world: &World) {
        self.visits += 1;
        self.rng = self.seed.visit(self.number, self.visits);
        let channel = (self.number % CHANNELS.len() as u64) as usize;
        self.order = Order::wish(world, self.owner, channel, &mut self.rng);
        self.manner = Manner::any(&mut self.rng);
        if self.manner.repeats() {
            self.order = self.order.keyed(&mut self.rng);
        }
    }

    fn ask<I: Till<Ticket = T>>(&mut self, till: &mut I, scene: Scene<'_>, attempt: Attempt<T>) -> u64 {
        let asked_ns = scene.clock.ns();
        let answer = till.reserve(&self.order, attempt);
        if attempt == Attempt::First {
            let held = match answer {
                Answer::Held(ticket) => Some(ticket),
                Answer::Short => None,
                Answer::Busy => return self.again_shortly(),
                Answer::No => return self.leave(),
            };
            let misled = |read: u64| held.is_none() && asked_ns - read <= scene.clock.ns_of_ms(MISLED_MS);
            scene.live.misled.add(u64::from(self.read_ns.is_some_and(misled)));
            if self.manner.loses_reserve {
                self.step = Step::Ask(Attempt::Again(held));
                return self.rng.random_range(200..600);
            }
        }
        match answer {
            Answer::Held(_) if self.manner.fate == (Fate::Forgets { paying: false }) => self.leave(),
            Answer::Held(ticket) => {
                self.step = Step::Pay(ticket);
                self.rng.random_range(20..100)
            }
            Answer::Busy => self.again_shortly(),
            Answer::Short | Answer::No => self.leave(),
        }
    }

    fn pay<I: Till<Ticket = T>>(&mut self, till: &mut I, ticket: T) -> u64 {
        match till.begin_payment(ticket) {
            Done::Busy => self.again_shortly(),
            Done::Gone => self.leave(),
            Done::Yes => {
                self.step = Step::Settle(ticket, Attempt::First);
                match self.manner.fate {
                    Fate::Forgets { .. } => self.leave(),
                    Fate::PaysLate => PAYMENT_TTL_MS + self.rng.random_range(0..1_500),
                    Fate::Pays | Fate::Fails => self.rng.random_range(500..=2_000),
                }
            }
        }
    }

    fn settle<I: Till<Ticket = T>>(&mut self, till: &mut I, ticket: T, attempt: Attempt<()>) -> u64 {
        let done = match self.manner.fate {
            Fate::Fails => till.release(ticket),
            _ => till.confirm(ticket, &self.order, attempt),
        };
        let lost = self.manner.loses_confirm && attempt == Attempt::First && self.manner.fate != Fate::Fails;
        match done {
            Done::Busy => self.again_shortly(),
            Done::Yes if lost => {
                self.step = Step::Settle(ticket, Attempt::Again(Some(())));
                self.rng.random_range(100..400)
            }
            Done::Yes | Done::Gone => self.leave(),
        }
    }

    fn again_shortly(&mut self) -> u64 {
        self.tries += 1;
        if self.tries > TRIES_MAX {
            return self.leave();
        }
        self.rng.random_range(5..40)
    }

    fn leave(&mut self) -> u64 {
        self.step = Step::Arrive;
        self.rng.random_range(1_000..5_000)
    }
}

#[cfg(test)]
mod tests {
    use earmark_testkit::history::Recorder;

    use super::super::log::Log;
    use super::super::shop::{Delivery, EngineShop, NaiveShop, Shop};
    use super::*;

    const VISITS: usize = 200;

    /// What an agent wants and how it behaves, visit by visit, in a shop with so many units of each line.
    fn visits<S: Shop>(shop: &S, world: &World, clock: &SaleClock, units: u32) -> Vec<String> {
        let recorder = Recorder::new();
        let live = Live::default();
        let mut log = Log::new(&recorder, clock);
        for line in 0..world.lines.len() as u32 {
            shop.deliver(line, units, Delivery::Opening, &mut log);
        }
        let mut till = shop.till(log, &live);
        let scene = Scene { world, live: &live, clock, close_ns: u64::MAX };
        let mut agent = Agent::new(world, Seed(3), 41);
        let mut seen = Vec::new();
        while seen.len() < VISITS {
            let before = agent.visits;
            agent.act(&mut till, scene);
            if agent.visits > before {
                seen.push(format!("{:?} {:?}", agent.order, agent.manner));
            }
        }
        seen
    }

    /// Plenty and nothing, with an engine and without one: other answers, the same wishes.
    #[test]
    fn the_nth_visit_wants_the_same_whatever_the_shop_answers() {
        let world = World::new(1_000.0);
        let clock = SaleClock::new(20_000);
        let seen = visits(&NaiveShop::new(&world), &world, &clock, 1_000_000);
        assert_eq!(visits(&NaiveShop::new(&world), &world, &clock, 1), seen);
        assert_eq!(visits(&EngineShop::new(&world, &clock).unwrap(), &world, &clock, 1), seen);
        assert_eq!(visits(&EngineShop::new(&world, &clock).unwrap(), &world, &clock, 1_000_000), seen);
    }
}
