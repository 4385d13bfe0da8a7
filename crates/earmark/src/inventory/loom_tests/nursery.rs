//! Slab and wheel together: a thread that marks in its own lane without saying so, beside a nursery pass.

use std::sync::Arc;

use loom::thread;

use crate::lane::{Lane, Lanes};
use crate::loom_explore::explore;
use crate::reservation::phase::{End, PendingPolicy};
use crate::reservation::slab::{Sizes, Slab, Taken};
use crate::reservation::state::Standing;
use crate::wheel::{Budget, Judge, Look, NURSERY_MS, Stamp, Wheel};

const AMPLE: Budget = Budget { looks: 100, ends: 100, ahead: 100 };
/// When a pass begins before it is needed.
const PASS_AT: u64 = NURSERY_MS / 2;
/// Beyond the horizon of that pass: who marks now is young before it and after it.
const DEADLINE: u64 = PASS_AT + NURSERY_MS + 1;

struct Slots {
    slab: Arc<Slab>,
    seen: usize,
    expired: usize,
}

impl Judge for Slots {
    fn look(&mut self, slot: u32, _stamp: Option<Stamp>, now: u64) -> Look {
        let Some(place) = self.slab.get(slot) else { return Look::Gone };
        let seen = place.snapshot();
        match seen.standing() {
            Standing::Claimed | Standing::Live(_) if seen.deadline(now) > now => {
                self.seen += 1;
                Look::Live { generation: seen.generation(), deadline: seen.deadline(now), born: now }
            }
            Standing::Live(_) => {
                let expired = place.update(|seen| seen.expire(seen.generation(), now, PendingPolicy::Release));
                place.unlock(expired.unwrap().ended(End::Expired));
                self.expired += 1;
                Look::Ended
            }
            _ => Look::Gone,
        }
    }

    fn deadline(&mut self, slot: u32, _stamp: Stamp, now: u64) -> Option<u64> {
        let seen = self.slab.get(slot)?.snapshot();
        matches!(seen.standing(), Standing::Claimed | Standing::Live(_)).then(|| seen.deadline(now))
    }
}

/// R9: whatever a pass clears, what an own lane marks in this page and in the next is found.
#[test]
fn loom_r9_an_own_lane_beside_a_nursery_pass() {
    explore("r9_an_own_lane_beside_a_nursery_pass", Some(3), &["seen by the pass", "marked behind it"], || {
        let sizes = Sizes { live: 4, expired: 0, ended: 0, retention_ms: 0, lanes: Lanes::of(1, 1) };
        let (slab, wheel) = (Arc::new(Slab::new(sizes)), Arc::new(Wheel::new(sizes.slots(), 0)));
        let reserve = |slab: &Slab, wheel: &Wheel| {
            let Some(Taken { slot, place, young }) = slab.take(Lane::Own(0), 0) else { panic!("R6: there is room") };
            let generation = place.claim(DEADLINE);
            wheel.push(young, slot, DEADLINE);
            place.publish(generation, DEADLINE);
        };
        reserve(&slab, &wheel); // the first of its page; then the second, and one of the next page
        let (their_slab, their_wheel) = (Arc::clone(&slab), Arc::clone(&wheel));
        let other = thread::spawn(move || (0..2).for_each(|_| reserve(&their_slab, &their_wheel)));
        let mut judge = Slots { slab: Arc::clone(&slab), seen: 0, expired: 0 };
        let _ = wheel.try_sweep().unwrap().run(PASS_AT, AMPLE, &*slab, &mut judge);
        let seen = judge.seen;
        other.join().unwrap();
        assert!(!wheel.settled(DEADLINE), "R9: due, and the bound does not say so");
        let _ = wheel.try_sweep().unwrap().run(DEADLINE, AMPLE, &*slab, &mut judge);
        assert_eq!(judge.expired, 3, "R9: marked in an own lane, and found by no pass");
        if seen == 3 { "seen by the pass" } else { "marked behind it" }
    });
}
