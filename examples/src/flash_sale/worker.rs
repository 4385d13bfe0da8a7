//! One thread's loop: takes whoever is due next; where nobody is, hammers or waits.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;
use std::time::Duration;

use super::agent::{Agent, Scene};
use super::hammer::Hammer;
use super::seed::Seed;
use super::shop::Till;

/// The longest wait: agents are late by this much at most, a few simulated ms.
const WAIT_MAX: Duration = Duration::from_micros(200);

/// What one worker is given.
#[derive(Debug)]
pub(crate) struct Shift<'a, I> {
    /// Its agents, by their numbers over all workers.
    pub(crate) agents: Range<u64>,
    pub(crate) seed: Seed,
    pub(crate) hammer: Option<Hammer<'a, I>>,
}

/// Works until the doors are closed and everybody who was inside has left.
pub(crate) fn work<I: Till>(till: &mut I, scene: Scene<'_>, shift: Shift<'_, I>) {
    let Shift { agents, seed, mut hammer } = shift;
    let mut agents: Vec<Agent<I::Ticket>> = agents.map(|number| Agent::new(scene.world, seed, number)).collect();
    let come = |(n, agent): (usize, &mut Agent<_>)| Reverse((scene.clock.ns_of_ms(agent.comes_after_ms()), n));
    let mut due: BinaryHeap<Reverse<(u64, usize)>> = agents.iter_mut().enumerate().map(come).collect();
    while let Some(Reverse((at, n))) = due.peek().copied() {
        let now = scene.clock.ns();
        if at <= now {
            due.pop();
            if let Some(pause_ms) = agents[n].act(till, scene) {
                due.push(Reverse((now + scene.clock.ns_of_ms(pause_ms), n)));
            }
        } else if hammer.as_mut().is_some_and(|hammer| hammer.strike(scene.world, scene.clock, now)) {
            std::thread::yield_now(); // with more workers than cores, the agents of the others come first
        } else {
            std::thread::park_timeout(WAIT_MAX.min(Duration::from_nanos(at - now)));
        }
    }
}
