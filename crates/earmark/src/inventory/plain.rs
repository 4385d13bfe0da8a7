//! The common case in few steps: one item, of no channel, with nothing kept beside the slab; in time, and with
//! nobody in the way.
//!
//! Each function here takes and answers in registers. It does the whole of the common case, or nothing: then
//! the caller goes the long way, which judges for itself and says what is wrong. The steps, and so the
//! invariants (I1 to I3, R1), are those of the long way.

use super::facts::Fact;
use super::{Inventory, NO_CHANNEL};
use crate::error::why::Why;
use crate::lane::Lane;
use crate::reservation::phase::{End, Phase};
use crate::reservation::slab::Taken;
use crate::reservation::slot::Slot;
use crate::reservation::state::Snapshot;
use crate::seeded::{Break, Step, on, step};
use crate::sku::StockId;
use crate::stock::counter::{Counter, Refused, Tried};

/// What a plain reserve came to, in two registers.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub(super) struct Plain {
    /// Slot above and generation below; without a deadline, the available units.
    what: u64,
    deadline: u64,
}

/// The same in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// Reserved.
    Taken { slot: u32, generation: u32, deadline: u64 },
    /// Short, for certain; so many are available.
    Short { available: u32 },
    /// Nothing was done.
    LongWay,
}

impl Plain {
    const LONG_WAY: Self = Self { what: u64::MAX, deadline: 0 };

    #[inline(always)]
    const fn taken(slot: u32, generation: u32, deadline: u64) -> Self {
        Self { what: (slot as u64) << 32 | generation as u64, deadline } // no deadline is zero: a TTL is not
    }

    #[inline(always)]
    const fn short(available: u32) -> Self {
        Self { what: available as u64, deadline: 0 }
    }

    #[inline(always)]
    pub(super) const fn told(self) -> Told {
        match self {
            Self { what, deadline: 0 } if what == u64::MAX => Told::LongWay,
            Self { what, deadline: 0 } => Told::Short { available: what as u32 },
            Self { what, deadline } => Told::Taken { slot: (what >> 32) as u32, generation: what as u32, deadline },
        }
    }
}

impl Inventory {
    /// Reserves, or refuses for certain.
    #[inline(never)]
    pub(super) fn reserve_plain(&self, line: StockId, units: u32, ttl_ms: u64) -> Plain {
        let Some(counter) = self.counter(line) else { return Plain::LONG_WAY };
        let lane = self.lane();
        // Sold out is found by a load alone, before anything else: all that a refusal costs is here.
        let word = counter.snapshot();
        if word.available() < units && !word.hot() {
            return self.refuse_plain(lane, line, counter, units, ttl_ms);
        }
        match lane {
            // The lane's kind is known in what is inlined there: plain stores, and no question asked twice.
            Lane::Own(at) => self.reserve_plain_own(at, counter, line, units, ttl_ms),
            shared => self.reserve_plain_shared(shared, counter, line, units, ttl_ms),
        }
    }

    #[inline(never)]
    fn reserve_plain_own(&self, at: usize, counter: &Counter, line: StockId, units: u32, ttl_ms: u64) -> Plain {
        self.reserve_in(Lane::Own(at), counter, line, units, ttl_ms)
    }

    #[inline(never)]
    fn reserve_plain_shared(&self, lane: Lane, counter: &Counter, line: StockId, units: u32, ttl_ms: u64) -> Plain {
        self.reserve_in(lane, counter, line, units, ttl_ms)
    }

    #[inline(always)]
    fn reserve_in(&self, lane: Lane, counter: &Counter, line: StockId, units: u32, ttl_ms: u64) -> Plain {
        let _world = on(Break::StopTheWorld).then(crate::seeded::stop_the_world);
        if on(Break::HotAllocation) {
            drop(std::hint::black_box(Box::new(ttl_ms)));
        }
        if self.is_closed() || ttl_ms > self.settings.life_max.as_millis() {
            return Plain::LONG_WAY;
        }
        let seen = counter.snapshot();
        let next = match seen.take(units) {
            Ok(next) => Some(next),
            Err(Refused::Hot) => None,
            Err(_) => return Plain::LONG_WAY,
        };
        // May panic with the user's clock: nothing is claimed yet.
        let now = self.time.before(ttl_ms);
        if self.time.is_behind() {
            return Plain::LONG_WAY;
        }
        let Some(taken) = self.slab.take(lane, now) else { return Plain::LONG_WAY };
        let Taken { slot, place, young } = taken;
        let now = now.max(self.tick()); // a leap may have been followed since
        let deadline = now + ttl_ms;
        let generation = place.claim(deadline);
        if !on(Break::PushLate) {
            self.wheel.push(young, slot, deadline); // I1
        }
        step(Step::Claimed);
        let taken = match next {
            Some(next) if counter.change_once(seen, next) => true,
            Some(_) => self.take_beside_others(line, counter, units, Tried::Lost).is_ok(),
            None => self.take_beside_others(line, counter, units, Tried::Parted).is_ok(),
        };
        if taken {
            step(Step::Taken);
        }
        if !taken || (self.is_closed() && !on(Break::CloseBlind)) {
            return self.give_back_claim(lane, (slot, place, generation), counter, if taken { units } else { 0 });
        }
        place.fill_plain(line.raw(), units, now);
        // After the counter fell, and before anybody can end it.
        let id = self.id(slot, generation);
        self.record_on(lane, NO_CHANNEL, Fact::Reserved { id, units: u64::from(units), deadline });
        place.publish(generation, deadline);
        step(Step::Published);
        if on(Break::PushLate) {
            self.wheel.push(young, slot, deadline);
        }
        Plain::taken(slot, generation, deadline)
    }

    /// What was claimed goes back, and the units that were taken before a close came (I3): a sweep of this call's
    /// own must not wait for it.
    #[cold]
    #[inline(never)]
    fn give_back_claim(
        &self,
        lane: Lane,
        (slot, place, generation): (u32, &Slot, u32),
        counter: &Counter,
        units: u32,
    ) -> Plain {
        if units > 0 {
            counter.end(0, units);
        }
        place.abandon(generation);
        self.slab.give_back_unused(lane, slot);
        Plain::LONG_WAY
    }

    /// I2 in a few loads: short, no cart midway, and nothing can be due.
    #[inline(always)]
    fn refuse_plain(&self, lane: Lane, line: StockId, counter: &Counter, units: u32, ttl_ms: u64) -> Plain {
        let Some(before) = self.wheel.earliest() else { return Plain::LONG_WAY };
        let word = counter.snapshot();
        let Some(after) = self.wheel.earliest() else { return Plain::LONG_WAY };
        let (bound, available) = (before.min(after), word.available());
        let sure = available < units && word.is_quiet() && self.lines.is_declared(line);
        // The breaks of refusals are in the closer look.
        if !sure || self.is_closed() || ttl_ms > self.settings.life_max.as_millis() || crate::seeded::any() {
            return Plain::LONG_WAY;
        }
        match (self.time.trusted_before(bound), lane) {
            (true, Lane::Own(_)) => self.refused_plain(lane, available),
            _ => self.refuse_by_clock(lane, bound, available),
        }
    }

    #[inline(never)]
    fn refuse_by_clock(&self, lane: Lane, bound: u64, available: u32) -> Plain {
        if bound <= self.time.toward(bound) {
            return Plain::LONG_WAY;
        }
        self.refused_plain(lane, available)
    }

    #[inline(always)]
    fn refused_plain(&self, lane: Lane, available: u32) -> Plain {
        if self.time.is_behind() {
            return Plain::LONG_WAY;
        }
        self.record_on(lane, NO_CHANNEL, Fact::Refused { why: Why::Short });
        Plain::short(available)
    }

    /// Confirms; `false`: nothing was done.
    #[inline(never)]
    pub(super) fn confirm_plain(&self, slot: u32, generation: u32) -> bool {
        match self.lane() {
            Lane::Own(at) => self.confirm_in(Lane::Own(at), slot, generation),
            shared => self.confirm_plain_shared(shared, slot, generation),
        }
    }

    #[inline(never)]
    fn confirm_plain_shared(&self, lane: Lane, slot: u32, generation: u32) -> bool {
        self.confirm_in(lane, slot, generation)
    }

    #[inline(always)]
    fn confirm_in(&self, lane: Lane, slot: u32, generation: u32) -> bool {
        let _world = on(Break::ConfirmStopsTheWorld).then(crate::seeded::stop_the_world);
        let Some(place) = self.slab.get(slot) else { return false };
        let Some(now) = self.end_plain(place, generation, |seen| seen.ended(End::Confirmed)) else { return false };
        step(Step::Ended);
        // Read after it ended: until then a part may have been released.
        let Some((line, units)) = place.plain() else {
            self.settle_rest(slot, place, generation, now);
            return true;
        };
        let id = self.id(slot, generation);
        self.record_on(lane, NO_CHANNEL, Fact::Ended { id, end: End::Confirmed, units: u64::from(units) });
        if let Some(counter) = self.counter(StockId::new(line)) {
            self.end_units(StockId::new(line), counter, units, 0);
        }
        step(Step::Settled);
        self.slab.give_back_place(lane, slot, place, now);
        true
    }

    #[cold]
    fn settle_rest(&self, slot: u32, place: &Slot, generation: u32, now: u64) {
        let (id, body) = (self.id(slot, generation), place.body(now));
        self.settle_ended(id, &body, End::Confirmed, true);
        step(Step::Settled);
        self.finish(id, &body, now);
    }

    /// Releases; `false`: nothing was done. As [`release_live`](Self::release_live) it is `Changing` until its
    /// units are back.
    #[inline(never)]
    pub(super) fn release_plain(&self, slot: u32, generation: u32) -> bool {
        match self.lane() {
            Lane::Own(at) => self.release_in(Lane::Own(at), slot, generation),
            shared => self.release_plain_shared(shared, slot, generation),
        }
    }

    #[inline(never)]
    fn release_plain_shared(&self, lane: Lane, slot: u32, generation: u32) -> bool {
        self.release_in(lane, slot, generation)
    }

    #[inline(always)]
    fn release_in(&self, lane: Lane, slot: u32, generation: u32) -> bool {
        if on(Break::ReleaseTwice) || on(Break::ReleaseAtOnce) || on(Break::FreeBeforeReturn) {
            return false;
        }
        let Some(place) = self.slab.get(slot) else { return false };
        let Some(now) = self.end_plain(place, generation, Snapshot::moving) else { return false };
        step(Step::Ended);
        let ended = Snapshot::ended_as(generation, End::Released);
        let id = self.id(slot, generation);
        let Some((line, units)) = place.plain() else {
            let body = place.body(now);
            self.settle_ended(id, &body, End::Released, false);
            step(Step::Settled);
            place.unlock(ended);
            self.finish(id, &body, now);
            return true;
        };
        // What gives stock back is told before the counter rises (P6).
        self.record_on(lane, NO_CHANNEL, Fact::Ended { id, end: End::Released, units: u64::from(units) });
        if let Some(counter) = self.counter(StockId::new(line)) {
            self.end_units(StockId::new(line), counter, 0, units);
        }
        step(Step::Settled);
        place.unlock(ended);
        self.slab.give_back_place(lane, slot, place, now);
        true
    }

    /// R1 for the common case: reserved, in time, and nobody else at it. `None`: nothing was done. Else the time
    /// it was judged by; what it held is now the caller's to settle.
    #[inline(always)]
    fn end_plain(&self, place: &Slot, generation: u32, next: impl Fn(Snapshot) -> Snapshot) -> Option<u64> {
        let seen = place.snapshot();
        let now = self.time.plainly_before(|tick, margin| seen.plainly_reserved(generation, tick, margin))?;
        debug_assert!(seen.in_time(generation, now, self.settings.pending_policy) == Ok(Phase::Reserved));
        place.change(seen, next(seen)).then_some(now)
    }
}
