//! Expiry: which reservations are due.
//!
//! ```text
//! push --> young: a bit per slot   --looked at once--> ring --its tick--> judge
//!      \-> soon:  a bit per slot   --next sweep------> ring
//! ```
//!
//! Most reservations end within seconds of a deadline minutes away. So a new one only marks its slot
//! as *young*; the nursery pass looks at it when it is `NURSERY_MS / 2` to `NURSERY_MS` old and moves
//! it to the ring only if it still lives. One whose deadline comes before the next pass is done
//! (`horizon`) marks itself *soon* instead. A pass is begun two seconds before anything in it can be due, and
//! may take many sweeps: what is due elsewhere does not wait for it. The marks are bits over slots: memory
//! follows the slots, not the history, and no queue can overflow.
//!
//! `earliest` is a lower bound of every deadline in here. A refusal may be given only while it lies
//! ahead of now (P4); while somebody sweeps it says so instead.
//!
//! **W3** Whoever's `push` has returned is in `young` with a deadline at or after `horizon`, or in
//! `soon`, or in the ring, or was judged after the push.
//! **W4** `earliest` is a bound, not a guess: it is at or below every deadline known here, or it
//! says that a sweep is under way.
//! **W6** It is at or below the floor: what stands in `young` and was not visited by the pass under way has a
//! deadline at or after the horizon that stood before that pass.
//!
//! The wheel knows no stock and no slots: it asks `Judge` about each slot it touches.

mod ring;

#[cfg(all(test, earmark_loom))]
mod loom_tests;

use std::ops::ControlFlow;

pub(crate) use ring::Stamp;
use ring::{Entry, Ring, Sifted};

use crate::marks::{Marks, WORD};
use crate::nursery::{GROUP, Mark, Nursery};
use crate::seeded::{Break, on};
use crate::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, SeqCst},
};
use crate::sync::{Mutex, MutexGuard, apart, look};

/// A reservation whose deadline is at least this far away waits in the nursery first.
pub(crate) const NURSERY_MS: u64 = if cfg!(earmark_loom) { 4 } else { 4_000 };
/// Time between two nursery passes; a survivor this old goes to the ring.
const PASS_MS: u64 = NURSERY_MS / 2;

/// Entries that are taken out of the ring together, to be foreseen.
const TOGETHER: usize = 32;
/// Entries that go on to lower circles at the price of one look: to move one is to copy eight bytes.
const MOVES_A_LOOK: usize = 8;
/// Entries that a sweep sifts if it put none into the ring itself.
const SIFT_LOOKS: usize = 512;

/// `earliest` while a sweep is under way.
const SWEEPING: u64 = u64::MAX;
/// The same, and somebody pushed a reservation that is due soon meanwhile.
const SWEEPING_DIRTY: u64 = u64::MAX - 1;
/// Not a state but the highest bound.
const BOUND_MAX: u64 = u64::MAX - 2;

/// What stands in a slot, as far as the wheel cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// Nothing that will expire: ended, reused, or without a deadline.
    Gone,
    /// Its time was up: this look ended it.
    Ended,
    /// Lives until `deadline`.
    Live { generation: u32, deadline: u64, born: u64 },
    /// Due, but somebody is changing it this instant: ask again at the next sweep.
    Busy,
}

/// Answers the wheel's questions; ends what is due.
pub(crate) trait Judge {
    /// These will be looked at in a moment, and most of them ended, if they are `due`: what can be read of them
    /// beforehand is read for all together, so that the processor waits for memory once, not once for each.
    fn foresee(&mut self, slots: impl Iterator<Item = u32> + Clone, due: bool) {
        let _ = (slots, due);
    }

    /// Looks at a slot (only at a generation with this stamp, if one is given) and ends it if its time is up.
    fn look(&mut self, slot: u32, stamp: Option<Stamp>, now: u64) -> Look;

    /// Whether an entry is still worth keeping, without ending anything: when it is due, or `None` if it has ended.
    fn deadline(&mut self, slot: u32, stamp: Stamp, now: u64) -> Option<u64>;
}

/// How much one sweep may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Budget {
    /// Slots looked at, at most (one word of marks more); moves within the ring count an eighth each.
    pub(crate) looks: usize,
    /// Reservations ended, at most (one word of marks more).
    pub(crate) ends: usize,
    /// Of the looks, those that may go to a nursery pass before it is needed.
    pub(crate) ahead: usize,
}

/// How a sweep ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) struct Swept {
    /// Everything due at `now` was judged.
    pub(crate) complete: bool,
    /// It was not, because the budget was used up.
    pub(crate) more: bool,
    /// Slots looked at.
    pub(crate) looked: usize,
}

#[derive(Debug)]
pub(crate) struct Wheel {
    soon: Marks,
    horizon: AtomicU64,
    earliest: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    ring: Ring,
    /// Slots that were being changed when they came due.
    busy: Vec<u32>,
    /// When the next nursery pass begins.
    pass_due: u64,
    /// The word at which an unfinished nursery pass goes on.
    pass_at: Option<usize>,
    /// The horizon before that pass (W6).
    pass_floor: u64,
}

impl Wheel {
    /// A wheel over `slots` slots that starts at `now`.
    pub(crate) fn new(slots: usize, now: u64) -> Self {
        let horizon = now.saturating_add(NURSERY_MS).min(BOUND_MAX);
        let state =
            State { ring: Ring::new(now), busy: Vec::new(), pass_due: now + PASS_MS, pass_at: None, pass_floor: 0 };
        Self { soon: Marks::new(slots), horizon: apart(horizon), earliest: apart(horizon), state: Mutex::new(state) }
    }

    /// Makes sure that a published slot is looked at when `deadline` has come. Also after a deadline
    /// moved to an earlier time; not needed when it moved to a later one.
    #[inline(always)]
    pub(crate) fn push(&self, young: Mark<'_>, slot: u32, deadline: u64) {
        if deadline >= self.horizon.load(Acquire) {
            young.set();
            // ORDERING: mark, then look (SeqCst), against the pass: raise the horizon, then collect.
            // Without the second look a pass that began in between misses this one (W3).
            if on(Break::HorizonOnce) || deadline >= look(&self.horizon) {
                return;
            }
        }
        self.push_soon(slot, deadline);
    }

    #[cold]
    #[inline(never)]
    fn push_soon(&self, slot: u32, deadline: u64) {
        self.soon.set(slot as usize);
        // ORDERING: mark, then look (SeqCst), against the sweep: say that it sweeps, then collect (W4).
        let mut seen = look(&self.earliest);
        loop {
            let next = match seen {
                SWEEPING => SWEEPING_DIRTY,
                SWEEPING_DIRTY => return,
                bound if bound <= deadline => return,
                _ => deadline,
            };
            match self.earliest.compare_exchange(seen, next, SeqCst, SeqCst) {
                Ok(_) => return,
                Err(newer) => seen = newer,
            }
        }
    }

    /// Whether nothing in here was due at `now`, for certain (W4). `false` means: sweep, or wait.
    #[inline]
    pub(crate) fn settled(&self, now: u64) -> bool {
        let bound = self.earliest.load(SeqCst);
        bound > now && bound <= BOUND_MAX
    }

    /// The earliest tick at which anything in here can be due; `None` while somebody sweeps.
    #[inline]
    pub(crate) fn earliest(&self) -> Option<u64> {
        let bound = self.earliest.load(SeqCst);
        (bound <= BOUND_MAX).then_some(bound)
    }

    /// Entries in the ring, dead ones included; `None` while somebody sweeps.
    pub(crate) fn ring_len(&self) -> Option<usize> {
        self.state.try_lock().map(|state| state.ring.len())
    }

    /// The right to sweep, if nobody else has it.
    pub(crate) fn try_sweep(&self) -> Option<Sweep<'_>> {
        Some(Sweep { wheel: self, state: self.state.try_lock()? })
    }

    /// The right to sweep, waiting a bounded time for it.
    pub(crate) fn sweep_bounded(&self) -> Option<Sweep<'_>> {
        Some(Sweep { wheel: self, state: self.state.lock_bounded()? })
    }
}

impl State {
    /// Nothing that is marked young is due before this (W6).
    fn floor(&self, wheel: &Wheel) -> u64 {
        let pass = self.pass_at.is_some() && !on(Break::FloorForgotten);
        if pass { self.pass_floor } else { wheel.horizon.load(Acquire) }
    }
}

/// The right to sweep; one thread has it.
#[derive(Debug)]
pub(crate) struct Sweep<'a> {
    wheel: &'a Wheel,
    state: MutexGuard<'a, State>,
}

impl Sweep<'_> {
    /// Judges everything due at `now`, within the budget; what is left of it goes to the nursery pass, and to
    /// dropping what has ended from the ring (P10).
    pub(crate) fn run(&mut self, now: u64, budget: Budget, young: &impl Nursery, judge: &mut impl Judge) -> Swept {
        let mut left = Left { budget, looked: 0, ended: 0, moved: 0, inserted: 0 };
        let due = if self.wheel.settled(now) { Due::Done } else { self.run_due(now, &mut left, young, judge) };
        let (mut complete, more) = (due == Due::Done, due == Due::More);
        if complete && budget.ahead > 0 {
            self.run_ahead(now, &mut left, young, judge);
            complete = self.state.busy.is_empty();
        }
        self.sift(now, &mut left, judge);
        Swept { complete, more, looked: left.looked }
    }

    /// A part of the nursery pass before it is needed. The bound stands meanwhile: it is at or below the floor
    /// (W6), and so at or below the deadline of whatever moves to the ring.
    fn run_ahead(&mut self, now: u64, left: &mut Left, young: &impl Nursery, judge: &mut impl Judge) {
        let state = &mut *self.state;
        if state.pass_at.is_none() && now < state.pass_due {
            return;
        }
        let looks = left.budget.looks;
        left.budget.looks = looks.min(left.spent() + left.budget.ahead);
        let _ = Self::pass(self.wheel, state, now, left, young, judge);
        left.budget.looks = looks;
        if !state.busy.is_empty() {
            self.wheel.earliest.store(SWEEPING, SeqCst);
        }
    }

    fn run_due(&mut self, now: u64, left: &mut Left, young: &impl Nursery, judge: &mut impl Judge) -> Due {
        // Never behind the ring: what was due for the last sweep is due for this one.
        let now = now.max(self.state.ring.now());
        self.wheel.earliest.store(SWEEPING, SeqCst);
        while let ControlFlow::Continue(()) = self.round(now, left, young, judge) {
            if !self.state.busy.is_empty() {
                return Due::Busy;
            }
            let bound = self.state.ring.next_start().unwrap_or(BOUND_MAX);
            let bound = bound.min(self.state.floor(self.wheel)).min(BOUND_MAX);
            if bound <= now {
                continue; // what ended just now was a pass that an earlier sweep began: another is due
            }
            if on(Break::SweepBlind) {
                self.wheel.earliest.store(bound, SeqCst);
                return Due::Done;
            }
            // ORDERING: SeqCst, see `push_soon`. Only a sweep that nobody disturbed may raise the bound.
            if self.wheel.earliest.compare_exchange(SWEEPING, bound, SeqCst, SeqCst).is_ok() {
                return Due::Done;
            }
            self.wheel.earliest.store(SWEEPING, SeqCst);
            left.looked += 1;
        }
        Due::More
    }

    /// Drops some of what has ended from the ring. Two looks for each entry that this run put in are
    /// done whatever the budget, so that the ring cannot outgrow its sifting; else few, because others
    /// may wait for the right to sweep.
    fn sift(&mut self, now: u64, left: &mut Left, judge: &mut impl Judge) {
        let ring = &mut self.state.ring;
        let mut looks = left.budget.looks.saturating_sub(left.spent()).min(SIFT_LOOKS).max(2 * left.inserted);
        let mut together = [Sifted::NONE; TOGETHER];
        while looks > 0 && ring.wants_sifting() {
            let mut len = 0;
            while len < looks.min(TOGETHER) {
                let Some(sifted) = ring.sift() else { break };
                together[len] = sifted;
                len += 1;
            }
            let sifted = &together[..len];
            judge.foresee(sifted.iter().map(|sifted| sifted.entry().slot), false);
            for &sifted in sifted {
                let Entry { slot, stamp } = sifted.entry();
                match judge.deadline(slot, stamp, now) {
                    Some(deadline) if on(Break::SiftLate) => {
                        ring.insert(sifted.entry(), (deadline + 1).max(sifted.start));
                    }
                    Some(_) => ring.put_back(sifted), // W5
                    None => {}
                }
            }
            if len == 0 {
                return;
            }
            looks -= len;
            left.looked += len;
        }
    }

    /// Each place once; `Break` when the budget is used up.
    fn round(&mut self, now: u64, left: &mut Left, young: &impl Nursery, judge: &mut impl Judge) -> ControlFlow<()> {
        let state = &mut *self.state;
        let looked = left.looked;
        for slot in std::mem::take(&mut state.busy) {
            left.settle(state, slot, judge.look(slot, None, now));
        }
        left.looked = looked; // as many as are being changed: they keep nobody else from being looked at
        let mut from = 0;
        while let Some(leaf) = self.wheel.soon.next(from) {
            left.check()?;
            for slot in slots_of(leaf * WORD, self.wheel.soon.take_word(leaf)) {
                left.settle(state, slot, judge.look(slot, None, now));
            }
            from = leaf + 1;
        }
        while state.ring.open_next(now) {
            let mut together = [Entry::NONE; TOGETHER];
            loop {
                let room = left.room().min(TOGETHER);
                let (len, moved) = state.ring.take_due(now, &mut together[..room], room * MOVES_A_LOOK);
                if len + moved == 0 {
                    break;
                }
                left.moved += moved;
                let entries = &together[..len];
                judge.foresee(entries.iter().map(|entry| entry.slot), true);
                for &Entry { slot, stamp } in entries {
                    left.settle(state, slot, judge.look(slot, Some(stamp), now));
                }
                left.check()?;
            }
        }
        if state.floor(self.wheel) <= now {
            return Self::pass(self.wheel, state, now, left, young, judge); // what is young may be due
        }
        ControlFlow::Continue(())
    }

    /// The nursery pass, begun or gone on with.
    fn pass<N: Nursery>(
        wheel: &Wheel,
        state: &mut State,
        now: u64,
        left: &mut Left,
        young: &N,
        judge: &mut impl Judge,
    ) -> ControlFlow<()> {
        let mut from = match state.pass_at {
            Some(from) => from,
            None => {
                state.pass_due = now.saturating_add(PASS_MS);
                // Before the collecting: see `push`. A swap, because a pusher's look must not pass it.
                let horizon = now.saturating_add(NURSERY_MS).min(BOUND_MAX);
                state.pass_floor = wheel.horizon.swap(horizon, SeqCst);
                0
            }
        };
        state.pass_at = Some(from);
        let horizon = wheel.horizon.load(Acquire);
        while let Some(group) = young.next_group(from / GROUP) {
            from = from.max(group * GROUP);
            state.pass_at = Some(from);
            left.check()?;
            let words = young.open_group(group);
            let behind = (1 << (from % GROUP)) - 1; // looked at by an earlier sweep of this pass
            young.close_group(group, words & behind);
            let mut words = words & !behind;
            while words != 0 {
                let at = group * GROUP + words.trailing_zeros() as usize;
                state.pass_at = Some(at);
                if left.check().is_break() {
                    young.close_group(group, words);
                    return ControlFlow::Break(());
                }
                words &= words - 1;
                let Some(word) = young.word(at) else { continue };
                let mut still_young = 0;
                for slot in slots_of(at * N::WIDTH, word.swap(0, SeqCst)) {
                    match judge.look(slot, None, now) {
                        Look::Live { deadline, born, .. }
                            if deadline >= horizon && born.saturating_add(PASS_MS) > now =>
                        {
                            left.looked += 1;
                            still_young |= 1 << (slot as usize % N::WIDTH);
                        }
                        other => left.settle(state, slot, other),
                    }
                }
                if still_young != 0 {
                    word.fetch_or(still_young, SeqCst);
                    young.close_group(group, 1 << (at % GROUP));
                }
            }
            from = (group + 1) * GROUP;
        }
        state.pass_at = None;
        ControlFlow::Continue(())
    }
}

/// How far a sweep came with what is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Done,
    /// Some is being changed this instant.
    Busy,
    /// The budget is used up.
    More,
}

/// What a sweep has done of what it may do.
#[derive(Debug)]
struct Left {
    budget: Budget,
    looked: usize,
    ended: usize,
    /// Entries that went to lower circles without a look.
    moved: usize,
    /// Entries put into the ring.
    inserted: usize,
}

impl Left {
    /// Counts a look, and puts the slot where it belongs after it.
    fn settle(&mut self, state: &mut State, slot: u32, look: Look) {
        self.looked += 1;
        match look {
            Look::Gone => {}
            Look::Ended => self.ended += 1,
            Look::Live { generation, deadline, .. } => {
                state.ring.insert(Entry { slot, stamp: Stamp::of(generation) }, deadline);
                self.inserted += 1;
            }
            Look::Busy => state.busy.push(slot),
        }
    }

    /// Looks that are left, at least one.
    fn room(&self) -> usize {
        let looks = self.budget.looks.saturating_sub(self.spent());
        looks.min(self.budget.ends.saturating_sub(self.ended)).max(1)
    }

    /// Looks, and moves at their price in looks.
    const fn spent(&self) -> usize {
        self.looked + self.moved / MOVES_A_LOOK
    }

    fn check(&self) -> ControlFlow<()> {
        if self.spent() >= self.budget.looks || self.ended >= self.budget.ends {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}

/// The slots of a word of marks, which begins at `first`.
fn slots_of(first: usize, mut bits: u64) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let bit = bits.trailing_zeros();
        bits &= bits.wrapping_sub(1);
        (bit < u64::BITS).then(|| first as u32 + bit)
    })
}

#[cfg(all(test, not(earmark_loom)))]
mod tests {
    use std::collections::BTreeMap;
    use std::rc::Rc;

    use proptest::prelude::*;

    use super::*;
    use crate::nursery::Flat;

    /// Slots with a deadline each; ends what is due.
    #[derive(Default)]
    struct Slots {
        young: Option<Rc<Flat>>,
        live: BTreeMap<u32, (u64, u64)>,
        ended: Vec<(u32, u64)>,
    }

    impl Judge for Slots {
        fn look(&mut self, slot: u32, _stamp: Option<Stamp>, now: u64) -> Look {
            match self.live.get(&slot) {
                None => Look::Gone,
                Some((deadline, _)) if *deadline <= now => {
                    self.live.remove(&slot);
                    self.ended.push((slot, now));
                    Look::Ended
                }
                Some(&(deadline, born)) => Look::Live { generation: 1, deadline, born },
            }
        }

        fn deadline(&mut self, slot: u32, _stamp: Stamp, _now: u64) -> Option<u64> {
            self.live.get(&slot).map(|(deadline, _)| *deadline)
        }
    }

    impl Slots {
        fn young(&mut self) -> Rc<Flat> {
            Rc::clone(self.young.get_or_insert_with(|| Rc::new(Flat::new(1 << 17))))
        }
    }

    fn sweep(wheel: &Wheel, now: u64, budget: Budget, slots: &mut Slots) -> Swept {
        let young = slots.young();
        wheel.try_sweep().unwrap().run(now, budget, &*young, slots)
    }

    const SLOTS: u32 = 1_000;

    proptest! {
        /// W3, W4, W6 whatever comes when, however little each sweep may do: where nothing is due for certain
        /// nothing is, and a sweep that calls itself complete has ended all that is due.
        #[test]
        fn w4_w6_the_bound_warns_of_whatever_is_due(
            steps in proptest::collection::vec((0u8..10, 0..SLOTS, 1u64..12_000, 1usize..400, 0usize..200), 1..300),
        ) {
            let (wheel, mut slots, mut now) = (Wheel::new(SLOTS as usize, 0), Slots::default(), 0);
            for (kind, slot, ttl, looks, ahead) in steps {
                match kind {
                    0..5 => {
                        // Many at once, so that a pass outlasts its sweep.
                        for slot in slot..SLOTS.min(slot + 70) {
                            if let std::collections::btree_map::Entry::Vacant(free) = slots.live.entry(slot) {
                                free.insert((now + ttl, now));
                                wheel.push(slots.young().mark(slot).unwrap(), slot, now + ttl);
                            }
                        }
                    }
                    5 => drop(slots.live.remove(&slot)),
                    6 => now += ttl / 4,
                    _ => {
                        now += ttl / 100;
                        let swept = sweep(&wheel, now, Budget { looks, ends: looks, ahead }, &mut slots);
                        let due = slots.live.values().filter(|(deadline, _)| *deadline <= now).count();
                        prop_assert!(!swept.complete || due == 0, "complete at {}, and {} are due", now, due);
                        prop_assert!(swept.complete || swept.more, "nobody changes anything here");
                    }
                }
                let due = slots.live.values().filter(|(deadline, _)| *deadline <= now).count();
                prop_assert!(!wheel.settled(now) || due == 0, "settled at {}, and {} are due", now, due);
            }
            let budget = Budget { looks: usize::MAX, ends: usize::MAX, ahead: 0 };
            prop_assert!(sweep(&wheel, now + 12_000, budget, &mut slots).complete);
            prop_assert!(slots.live.is_empty(), "lost: {:?}", slots.live);
        }
    }

    /// However many are young, what is due is ended at its time, and nobody is told that a sweep is under way.
    #[test]
    fn what_is_due_does_not_wait_for_the_young() {
        const YOUNG: u32 = 100_000;
        let (wheel, mut slots) = (Wheel::new(YOUNG as usize + 1, 0), Slots::default());
        let budget = Budget { looks: 1_000, ends: 1_000, ahead: 1_000 };
        for slot in 0..=YOUNG {
            let deadline = if slot == YOUNG { 2_050 } else { 60_000 };
            slots.live.insert(slot, (deadline, 0));
            wheel.push(slots.young().mark(slot).unwrap(), slot, deadline);
        }
        for now in 1..=2_100 {
            let swept = sweep(&wheel, now, budget, &mut slots);
            assert!(swept.complete && wheel.settled(now), "at {now}");
        }
        assert_eq!(slots.ended, [(YOUNG, 2_050)]);
        assert_eq!(wheel.ring_len(), Some(YOUNG as usize), "the pass was done beside it");
    }
}
