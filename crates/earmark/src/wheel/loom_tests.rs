//! Pushing beside sweeping, under every interleaving.

use loom::sync::Arc;
use loom::thread;

use super::{Budget, Judge, Look, NURSERY_MS, PASS_MS, Stamp, Wheel};
use crate::loom_explore::explore;
use crate::nursery::{Flat, Nursery};
use crate::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Release},
};

/// More than any of these sweeps needs.
const AMPLE: Budget = Budget { looks: 100, ends: 100, ahead: 100 };
/// The same for what is due alone.
const NO_MORE_THAN_DUE: Budget = Budget { ahead: 0, ..AMPLE };

/// One slot: its deadline once published, 0 before; ends what is due.
struct OneSlot {
    deadline: Arc<AtomicU64>,
    expired_at: Option<u64>,
}

impl Judge for OneSlot {
    fn look(&mut self, _slot: u32, _stamp: Option<Stamp>, now: u64) -> Look {
        match self.deadline.load(Acquire) {
            0 => Look::Gone,
            deadline if deadline <= now => {
                self.expired_at = Some(now);
                Look::Ended
            }
            deadline => Look::Live { generation: 1, deadline, born: 0 },
        }
    }

    fn deadline(&mut self, _slot: u32, _stamp: Stamp, _now: u64) -> Option<u64> {
        let deadline = self.deadline.load(Acquire);
        (deadline != 0 && self.expired_at.is_none()).then_some(deadline)
    }
}

/// A push and a sweep at `sweep_at` run side by side. Whatever the order, whoever asks at the deadline
/// either finds that the bound warns of it, and a sweep then ends it, or it was ended already.
fn push_beside_sweep(name: &str, bound: Option<usize>, outcomes: &[&'static str], deadline: u64, sweep_at: u64) {
    explore(name, bound, outcomes, move || {
        let wheel = Arc::new(Wheel::new(2, 0));
        let young = Arc::new(Flat::new(2));
        let published = Arc::new(AtomicU64::new(0));
        let pusher = {
            let (wheel, young, published) = (Arc::clone(&wheel), Arc::clone(&young), Arc::clone(&published));
            thread::spawn(move || {
                published.store(deadline, Release);
                wheel.push(young.mark(1).unwrap(), 1, deadline);
            })
        };
        let mut judge = OneSlot { deadline: Arc::clone(&published), expired_at: None };
        if let Some(mut sweep) = wheel.try_sweep() {
            let _ = sweep.run(sweep_at, AMPLE, &*young, &mut judge);
        }
        pusher.join().unwrap();
        if judge.expired_at.is_some() {
            "ended"
        } else {
            assert!(!wheel.settled(deadline), "due, and the bound does not say so (W4)");
            let swept = wheel.try_sweep().unwrap().run(deadline, NO_MORE_THAN_DUE, &*young, &mut judge);
            assert!(swept.complete);
            assert!(judge.expired_at.is_some(), "due, and no sweep finds it (W3)");
            "later"
        }
    });
}

#[test]
fn loom_w3_push_young_beside_a_nursery_pass() {
    let outcomes = ["ended", "later"];
    // To the end it takes over a minute.
    push_beside_sweep("w3_push_young_beside_a_nursery_pass", Some(5), &outcomes, NURSERY_MS, NURSERY_MS);
}

#[test]
fn loom_w3_push_young_beside_an_earlier_pass() {
    let (deadline, sweep_at) = (NURSERY_MS + 1, NURSERY_MS);
    // To the end it takes over a minute.
    push_beside_sweep("w3_push_young_beside_an_earlier_pass", Some(5), &["later"], deadline, sweep_at);
}

/// A pass that is begun before anything in it can be due leaves the bound alone.
#[test]
fn loom_w6_push_young_beside_a_pass_ahead_of_its_time() {
    push_beside_sweep("w6_push_young_beside_a_pass_ahead_of_its_time", None, &["later"], NURSERY_MS, PASS_MS);
}

#[test]
fn loom_w4_push_soon_beside_a_sweep() {
    push_beside_sweep("w4_push_soon_beside_a_sweep", None, &["ended", "later"], 2, NURSERY_MS);
}
