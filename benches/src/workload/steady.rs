//! *steady*: a shop at full speed for six minutes of virtual time, on one thread.
//!
//! So many reserves a virtual second with a TTL of 300 s; 95 % end within a second of being made (9 of 10 by confirm,
//! 1 of 10 by release), 5 % are left to expire. Time moves on 10 ms at a time, and at each step `advance` is called
//! until nothing due is left: all work for expiry is inside the figure. In a process of its own; the peak of
//! resident memory is all of it, the lines and the workload's own list of ids included.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{PLENTY, TTL_MS};
use crate::alloc;
use crate::names::{Draw, Keys, LINES, Names, Random, sequence};
use crate::subjects::{Shop, Subject, Totals};
use crate::workload::life::status_bytes;

/// Virtual milliseconds of a step.
const STEP_MS: u64 = 10;
/// Steps of a virtual second.
const STEPS_A_SECOND: u64 = 1_000 / STEP_MS;
/// Of so many reservations one is left to expire.
const LEFT_EACH: u64 = 20;
/// Longer than this it may not take.
const LIMIT: Duration = Duration::from_secs(150);
/// Calls of expiry in a step, at most.
const CALLS_MAX: usize = 1_000_000;

/// What came of it.
#[derive(Debug, Clone)]
pub struct Steady {
    /// Reserve, end and a share of all expiry.
    pub ns_per_op: f64,
    /// Resident memory of the process at its highest.
    pub peak_bytes: f64,
    /// The allocator's books at their highest.
    pub peak_allocated: f64,
    /// The most that lived at once.
    pub live_max: u64,
    /// The longest call of expiry.
    pub worst_advance_ms: f64,
}

/// Plays it: `rate` reserves a virtual second, for so many virtual seconds. `None`: at this rate it would take longer
/// than two and a half minutes here.
///
/// # Panics
/// If the books do not add up at the end.
#[must_use]
pub fn play<S: Subject>(rate: usize, seconds: u64) -> Option<Steady> {
    alloc::start();
    let names = Names::new(LINES);
    // What lives: a second of all, and 5 % of 300 s of them; a little more for what ended and is remembered.
    let room = rate * 2 + rate / LEFT_EACH as usize * (TTL_MS / 1_000 + 30) as usize;
    let subject = S::open(&Shop { names: &names, stock: PLENTY, ttl_ms: TTL_MS, room });
    let _in = subject.enter();
    let keys = subject.keys(&names, &sequence(Draw::Uniform, LINES, 0));
    let each_step = rate / STEPS_A_SECOND as usize;
    let mut random = Random::new(11);
    let mut ending: VecDeque<Vec<S::Hold>> =
        (0..=STEPS_A_SECOND).map(|_| Vec::with_capacity(each_step + each_step / 4)).collect();
    let (mut made, mut confirmed, mut released, mut expired, mut live_max) = (0usize, 0u64, 0u64, 0u64, 0u64);
    let (ttl, mut worst_ms) = (S::ttl(TTL_MS), 0f64);

    let began = Instant::now();
    for step in 1..=seconds * STEPS_A_SECOND {
        if began.elapsed() > LIMIT {
            return None;
        }
        for _ in 0..each_step {
            let hold = subject.reserve(keys.at(made), ttl).expect("there is plenty");
            made += 1;
            let dice = random.next();
            if dice % LEFT_EACH != 0 {
                ending[(dice >> 32) as usize % STEPS_A_SECOND as usize].push(hold);
            }
        }
        let mut now_ending = ending.pop_front().expect("a second of them");
        for hold in now_ending.drain(..) {
            // A tenth goes back; which one does not matter.
            if (confirmed + released) % 10 == 9 {
                assert!(subject.release(hold), "it lives");
                released += 1;
            } else {
                assert!(subject.confirm(hold), "it lives");
                confirmed += 1;
            }
        }
        ending.push_back(now_ending);
        live_max = live_max.max(made as u64 - confirmed - released - expired);
        subject.set_now(step * STEP_MS);
        for call in 0.. {
            assert!(call < CALLS_MAX, "expiry goes on for ever");
            let called = Instant::now();
            let some = subject.expire();
            worst_ms = worst_ms.max(called.elapsed().as_secs_f64() * 1_000.0);
            expired += some.expired as u64;
            if some.complete {
                break;
            }
        }
    }
    let took = began.elapsed();
    let all = u64::from(PLENTY) * LINES as u64;
    let live = made as u64 - confirmed - released - expired;
    assert_eq!(subject.totals(), Totals { available: all - confirmed - live, live }, "the books do not add up");
    assert!(seconds * 1_000 <= TTL_MS || expired > 0, "nothing expired");
    Some(Steady {
        ns_per_op: took.as_nanos() as f64 / made as f64,
        peak_bytes: status_bytes("VmHWM:") as f64,
        peak_allocated: alloc::peak() as f64,
        live_max,
        worst_advance_ms: worst_ms,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subjects::earmark::{Earmark, Id};
    use crate::subjects::sharded::PInt;

    #[test]
    fn books_add_up_after_six_minutes() {
        for steady in [play::<Earmark<Id>>(200, 310), play::<PInt>(200, 310)].map(|played| played.expect("few")) {
            // A twentieth of 300 s, and up to a second of the rest.
            assert!((3_000 - 300..3_000 + 500).contains(&steady.live_max), "{}", steady.live_max);
        }
    }
}
