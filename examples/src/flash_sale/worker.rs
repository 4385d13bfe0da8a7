//! One thread's loop: takes whoever is due next; where nobody is, hammers or waits.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::SmallRng;

use super::agent::{Agent, Scene};
use super::order::CHANNELS;
use super::shop::Till;
use super::world::World;

/// Pairs between two looks at who is due.
const BURST: usize = 32;
/// The longest wait: agents are late by this much at most, a few simulated ms.
const WAIT_MAX: Duration = Duration::from_micros(200);
/// Within so many simulated ms all agents have come for the first time.
const RUSH_MS: u64 = 2_000;

/// What one worker is given.
#[derive(Debug)]
pub(crate) struct Shift {
    pub(crate) agents: usize,
    pub(crate) rng: SmallRng,
    /// Calls that may be written down until the doors close; the hammer stops there, agents do not.
    pub(crate) calls_max: u64,
}

/// Works until the doors are closed and everybody who was inside has left.
pub(crate) fn work<I: Till>(till: &mut I, scene: Scene<'_>, mut shift: Shift) {
    let rng = &mut shift.rng;
    let mut agents: Vec<Agent<I::Ticket>> =
        (0..shift.agents).map(|n| Agent::new(scene.world, n % CHANNELS.len(), rng)).collect();
    let come = |n| Reverse((scene.clock.ns_of_ms(rng.random_range(0..RUSH_MS)), n));
    let mut due: BinaryHeap<Reverse<(u64, usize)>> = (0..agents.len()).map(come).collect();
    while let Some(Reverse((at, n))) = due.peek().copied() {
        let now = scene.clock.ns();
        if at <= now {
            due.pop();
            if let Some(pause_ms) = agents[n].act(till, scene, rng) {
                due.push(Reverse((now + scene.clock.ns_of_ms(pause_ms), n)));
            }
        } else if may_hammer(till.log().calls(), now, scene.close_ns, shift.calls_max) {
            hammer(till, scene.world, rng);
            std::thread::yield_now(); // with more workers than cores, the agents of the others come first
        } else {
            std::thread::park_timeout(WAIT_MAX.min(Duration::from_nanos(at - now)));
        }
    }
}

/// Whether the calls so far leave room: they are spread evenly over the sale.
fn may_hammer(calls: u64, now: u64, close_ns: u64, calls_max: u64) -> bool {
    now < close_ns && (calls as f64) < calls_max as f64 * now as f64 / close_ns as f64
}

/// Agents that take no time: they reserve and give back, half of them where everybody is.
fn hammer<I: Till>(till: &mut I, world: &World, rng: &mut SmallRng) {
    for _ in 0..BURST {
        let line = match rng.random_ratio(1, 2) {
            true => rng.random_range(0..world.hot) as u32,
            false => world.pick_tail(rng),
        };
        till.pair(line, rng.random_range(1..=2));
    }
}
