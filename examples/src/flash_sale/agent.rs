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

use super::SaleClock;
use super::live::Live;
use super::order::{Fate, Manner, Order};
use super::shop::{Answer, Attempt, Done, PAYMENT_TTL_MS, Till};
use super::world::World;

/// What lies between a read and a refusal for the read to count as misleading, in simulated ms.
const MISLED_MS: u64 = 1_200;
/// How often an agent asks again when nothing could be decided.
const TRIES_MAX: u32 = 20;

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
    owner: u128,
    channel: usize,
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
    pub(crate) fn new(world: &World, channel: usize, rng: &mut impl RngExt) -> Agent<T> {
        let owner = rng.random();
        Agent {
            owner,
            channel,
            order: Order::wish(world, owner, channel, rng),
            manner: Manner::any(rng),
            step: Step::Arrive,
            tries: 0,
            read_ns: None,
        }
    }

    /// Takes the next step. Returns how many simulated ms later the one after it is due, or `None`:
    /// the doors are closed.
    pub(crate) fn act<I: Till<Ticket = T>>(
        &mut self,
        till: &mut I,
        scene: Scene<'_>,
        rng: &mut impl RngExt,
    ) -> Option<u64> {
        match self.step {
            Step::Arrive => self.arrive(till, scene, rng),
            Step::Ask(attempt) => Some(self.ask(till, scene, attempt, rng)),
            Step::Pay(ticket) => Some(self.pay(till, ticket, rng)),
            Step::Settle(ticket, attempt) => Some(self.settle(till, ticket, attempt, rng)),
        }
    }

    fn arrive<I: Till<Ticket = T>>(&mut self, till: &mut I, scene: Scene<'_>, rng: &mut impl RngExt) -> Option<u64> {
        let now = scene.clock.ns();
        if now >= scene.close_ns {
            return None;
        }
        self.order = Order::wish(scene.world, self.owner, self.channel, rng);
        self.manner = Manner::any(rng);
        if self.manner.repeats() {
            self.order = self.order.keyed(rng);
        }
        self.tries = 0;
        self.read_ns = None;
        if self.manner.reads {
            if !self.order.items().iter().all(|(line, units)| till.read(*line) >= *units) {
                return Some(self.leave(rng));
            }
            self.read_ns = Some(now);
            scene.live.reads.add(1);
        }
        self.step = Step::Ask(Attempt::First);
        Some(rng.random_range(0..400))
    }

    fn ask<I: Till<Ticket = T>>(
        &mut self,
        till: &mut I,
        scene: Scene<'_>,
        attempt: Attempt<T>,
        rng: &mut impl RngExt,
    ) -> u64 {
        let asked_ns = scene.clock.ns();
        let answer = till.reserve(&self.order, attempt);
        if attempt == Attempt::First {
            let held = match answer {
                Answer::Held(ticket) => Some(ticket),
                Answer::Short => None,
                Answer::Busy => return self.again_shortly(rng),
                Answer::No => return self.leave(rng),
            };
            let misled = |read: u64| held.is_none() && asked_ns - read <= scene.clock.ns_of_ms(MISLED_MS);
            scene.live.misled.add(u64::from(self.read_ns.is_some_and(misled)));
            if self.manner.loses_reserve {
                self.step = Step::Ask(Attempt::Again(held));
                return rng.random_range(200..600);
            }
        }
        match answer {
            Answer::Held(_) if self.manner.fate == (Fate::Forgets { paying: false }) => self.leave(rng),
            Answer::Held(ticket) => {
                self.step = Step::Pay(ticket);
                rng.random_range(20..100)
            }
            Answer::Busy => self.again_shortly(rng),
            Answer::Short | Answer::No => self.leave(rng),
        }
    }

    fn pay<I: Till<Ticket = T>>(&mut self, till: &mut I, ticket: T, rng: &mut impl RngExt) -> u64 {
        match till.begin_payment(ticket) {
            Done::Busy => self.again_shortly(rng),
            Done::Gone => self.leave(rng),
            Done::Yes => {
                self.step = Step::Settle(ticket, Attempt::First);
                match self.manner.fate {
                    Fate::Forgets { .. } => self.leave(rng),
                    Fate::PaysLate => PAYMENT_TTL_MS + rng.random_range(0..1_500),
                    Fate::Pays | Fate::Fails => rng.random_range(500..=2_000),
                }
            }
        }
    }

    fn settle<I: Till<Ticket = T>>(
        &mut self,
        till: &mut I,
        ticket: T,
        attempt: Attempt<()>,
        rng: &mut impl RngExt,
    ) -> u64 {
        let done = match self.manner.fate {
            Fate::Fails => till.release(ticket),
            _ => till.confirm(ticket, &self.order, attempt),
        };
        let lost = self.manner.loses_confirm && attempt == Attempt::First && self.manner.fate != Fate::Fails;
        match done {
            Done::Busy => self.again_shortly(rng),
            Done::Yes if lost => {
                self.step = Step::Settle(ticket, Attempt::Again(Some(())));
                rng.random_range(100..400)
            }
            Done::Yes | Done::Gone => self.leave(rng),
        }
    }

    fn again_shortly(&mut self, rng: &mut impl RngExt) -> u64 {
        self.tries += 1;
        if self.tries > TRIES_MAX {
            return self.leave(rng);
        }
        rng.random_range(5..40)
    }

    fn leave(&mut self, rng: &mut impl RngExt) -> u64 {
        self.step = Step::Arrive;
        rng.random_range(1_000..5_000)
    }
}
