//! Expiry seen from the inventory: what is due gives its units back.
//!
//! Whoever holds the right to sweep is the only one who ends a reservation as expired; a late confirm
//! is refused, but leaves the ending to a sweep. So while `earliest` lies ahead, no unit is on its way
//! back (P4). Until its units are back a reservation is `Expiring`: it is told as expired, and nobody takes
//! it up again, or uses its slot, while the sweep still reads what it held.
//!
//! An expired reservation stays *parked* for a while with what it held, so that a late payment can take
//! it up again; then it is forgotten and its slot is free.

use std::collections::VecDeque;

use crossbeam::queue::SegQueue;

use super::keys::FORGET_SWEEP;
use super::{Fact, Inventory, NO_CHANNEL};
use crate::clock::Timestamp;
use crate::lane::Lane;
use crate::reservation::phase::{End, Phase};
use crate::reservation::slot::{Body, Slot};
use crate::reservation::state::{No, Plainly, Snapshot, Standing};
use crate::seeded::{Break, Step, on, step};
use crate::sku::StockId;
use crate::sync::Mutex;
use crate::wheel::{Budget, Judge, Look, Stamp, Sweep, Swept};

/// What a call does on behalf of everybody before it says `contended`.
pub(super) const HELP: Budget = Budget { looks: 8_192, ends: 256, ahead: 0 };
/// Sweeps by which a call follows a clock that leapt, each 395 days: 69 years in all.
const LEAPS_MAX: usize = 64;
/// Parked reservations that are handled together, so that the processor waits for their memory once.
const TOGETHER: usize = 32;
/// Entries of what was taken up again that may lie among the remembered, besides as many as those.
const PARKED_SPARE: u64 = 64;

/// What one `advance` did.
///
/// ```
/// # use earmark::*;
/// # use std::time::Duration;
/// # let clock = ManualClock::default();
/// # let inventory = Inventory::builder().clock(clock.clone()).build()?;
/// # let tee = inventory.declare(LineSpec::new("TEE"))?;
/// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
/// let _forgotten = inventory.reserve(tee, Quantity::ONE, Ttl::millis(50)?)?.detach();
/// clock.advance(Duration::from_millis(50));
/// let Advanced { expired, complete, .. } = inventory.sweep();
/// assert_eq!((expired, complete), (1, true)); // not complete: call again
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[must_use]
#[non_exhaustive]
pub struct Advanced {
    /// Reservations that expired.
    pub expired: usize,
    /// Slots looked at.
    pub looked: usize,
    /// Everything due was handled, and time stands where it was asked to. If not, the budget was used
    /// up, a reservation was being changed, or time leapt further than one sweep can follow: call again.
    pub complete: bool,
}

/// Expired reservations that can still be taken up again, oldest first.
#[derive(Debug)]
pub(super) struct Parked {
    queue: Mutex<VecDeque<ParkedSlot>>,
    /// Old ones that a late payment was taking up when their turn came: back to the front with them.
    back: SegQueue<ParkedSlot>,
}

#[derive(Debug, Clone, Copy)]
struct ParkedSlot {
    slot: u32,
    generation: u32,
    until: u64,
}

impl ParkedSlot {
    const NONE: Self = Self { slot: 0, generation: 0, until: 0 };
}

impl Parked {
    pub(super) fn new() -> Self {
        Self { queue: Mutex::new(VecDeque::new()), back: SegQueue::new() }
    }
}

impl Inventory {
    /// Moves time on to `now` and ends what is due, looking at `sweep_budget` slots at most. Call it
    /// every millisecond or two, or let a [`Driver`](crate::Driver) do so. A `now` before the last one
    /// counts as the last one; one more than 395 days after the last complete sweep is cut to that, and
    /// the next call goes on from there. Calls in between still read the inventory's own clock.
    ///
    /// ```
    /// # use earmark::*;
    /// let clock = ManualClock::new(Timestamp::from_millis(0));
    /// let inventory = Inventory::builder().clock(clock.clone()).build()?;
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
    /// let _forgotten = inventory.reserve(tee, Quantity::ONE, Ttl::millis(50)?)?.detach();
    /// assert_eq!(inventory.advance(Timestamp::from_millis(49)).expired, 0);
    /// assert_eq!(inventory.advance(Timestamp::from_millis(50)).expired, 1);
    /// assert_eq!(inventory.available(tee)?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn advance(&self, now: Timestamp) -> Advanced {
        let now = self.time.publish(now.as_millis()).max(self.time.follow());
        self.sweep_now(now).0
    }

    /// [`advance`](Self::advance) to what the clock says.
    ///
    /// ```
    /// # use earmark::*;
    /// # use std::time::Duration;
    /// # let clock = ManualClock::default();
    /// # let inventory = Inventory::builder().clock(clock.clone()).build()?;
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
    /// let _forgotten = inventory.reserve(tee, Quantity::ONE, Ttl::millis(50)?)?.detach();
    /// clock.advance(Duration::from_millis(50));
    /// assert_eq!(inventory.available(tee)?, 0); // over, and nobody looked yet
    /// while !inventory.sweep().complete {}
    /// assert_eq!(inventory.available(tee)?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn sweep(&self) -> Advanced {
        self.sweep_some().0
    }

    /// [`sweep`](Self::sweep), and whether it stopped because its budget was used up.
    pub(super) fn sweep_some(&self) -> (Advanced, bool) {
        self.sweep_now(self.time.now().max(self.time.follow()))
    }

    fn sweep_now(&self, now: u64) -> (Advanced, bool) {
        let _world = on(Break::AdvanceStopsTheWorld).then(crate::seeded::stop_the_world);
        let budget = self.settings.sweep_budget;
        let Some(sweep) = self.wheel.sweep_bounded() else { return (Advanced::default(), false) };
        let budgets = Budget { looks: budget, ends: budget, ahead: budget };
        let (mut advanced, more) = self.sweep_with(sweep, now, budgets);
        let forgot = self.forget_parked(now, budget);
        advanced.complete &= forgot && !self.time.is_behind();
        self.keys.forget_old(now, FORGET_SWEEP);
        self.cool_lines(now);
        (advanced, more || !forgot)
    }

    /// Sweeps a little on behalf of everybody, if nobody else does: whether everything due was handled.
    pub(super) fn help_sweep(&self, now: u64) -> Option<bool> {
        let sweep = self.wheel.try_sweep()?;
        let complete = self.sweep_with(sweep, now, HELP).0.complete;
        self.forget_parked(now, HELP.ends);
        Some(complete)
    }

    /// Follows a clock that leapt further than time may run ahead of a sweep (T3): whether nothing is
    /// left of the leap. Does not read the clock.
    #[cold]
    pub(super) fn catch_up(&self) -> bool {
        for _ in 0..LEAPS_MAX {
            let now = self.time.follow();
            if !self.time.is_behind() {
                return true;
            }
            if self.help_sweep(now).is_none() {
                return false;
            }
        }
        false
    }

    fn sweep_with(&self, mut sweep: Sweep<'_>, now: u64, budget: Budget) -> (Advanced, bool) {
        step(Step::Sweeping);
        let mut judge =
            Expiry { inventory: self, lane: self.lane(), expired: 0, parked: [ParkedSlot::NONE; TOGETHER], len: 0 };
        let Swept { complete, more, looked } = sweep.run(now, budget, &self.slab, &mut judge);
        judge.park_all();
        drop(sweep);
        if complete {
            self.time.note_swept(now);
        }
        (Advanced { expired: judge.expired, looked, complete }, more)
    }

    /// Forgets parked reservations whose retention is over, and the oldest beyond the capacity; up to
    /// `budget` of them. `false`: more are left.
    fn forget_parked(&self, now: u64, budget: usize) -> bool {
        {
            let Some(mut queue) = self.parked.queue.try_lock() else { return true }; // somebody else does it
            while let Some(parked) = self.parked.back.pop() {
                queue.push_front(parked);
            }
        }
        let lane = self.lane();
        let mut left = budget;
        while left > 0 {
            // A few at a time: the lock is not held while slots are given back.
            let mut together = [ParkedSlot::NONE; TOGETHER];
            let mut len = 0;
            {
                let Some(mut queue) = self.parked.queue.try_lock() else { return true };
                let mut over = self.slab.parked().saturating_sub(self.settings.expired_capacity as u64);
                while len < left.min(TOGETHER) {
                    match queue.front() {
                        Some(first) if over > 0 || first.until <= now => over = over.saturating_sub(1),
                        _ => break,
                    }
                    let Some(parked) = queue.pop_front() else { break };
                    together[len] = parked;
                    len += 1;
                }
            }
            let parked = &together[..len];
            if parked.is_empty() {
                return true;
            }
            for place in parked.iter().filter_map(|parked| self.slab.foresee(parked.slot)) {
                place.touch();
            }
            for &parked in parked {
                self.forget(lane, parked, now);
            }
            left -= len;
        }
        false
    }

    #[cfg(all(test, not(earmark_loom)))]
    pub(super) fn parked_entries(&self) -> usize {
        self.parked.queue.lock().len() + self.parked.back.len()
    }

    /// Whether it is still remembered, or is being taken up this instant.
    fn is_parked(&self, parked: &ParkedSlot) -> bool {
        let Some(place) = self.slab.get(parked.slot) else { return false };
        let seen = place.snapshot();
        let remembered =
            matches!(seen.standing(), Standing::Ended(End::Expired) | Standing::Changing | Standing::Expiring);
        seen.generation() == parked.generation && remembered
    }

    fn forget(&self, lane: Lane, parked: ParkedSlot, now: u64) {
        let ParkedSlot { slot, generation, .. } = parked;
        let Some(place) = self.slab.get(slot) else { return };
        match place.update(|seen| seen.forget(generation)) {
            Ok(_) => {
                let body = place.body(now);
                if body.has_extra {
                    self.let_go(slot, &body);
                }
                self.slab.unpark();
                self.slab.give_back_place(lane, slot, place, self.time.arrival(now));
            }
            // A late payment is taking it up this instant: look again at the next sweep.
            Err(No::Busy) => self.parked.back.push(parked),
            // Taken up again: whoever did so has given the slot back.
            Err(_) => {}
        }
    }
}

/// Answers the wheel for one sweep.
struct Expiry<'a> {
    inventory: &'a Inventory,
    lane: Lane,
    expired: usize,
    /// What expired and is not in the queue of the parked yet: some are put there together.
    parked: [ParkedSlot; TOGETHER],
    len: usize,
}

impl Drop for Expiry<'_> {
    fn drop(&mut self) {
        self.park_all(); // also where the sweep panicked
    }
}

impl Expiry<'_> {
    /// A plain reservation whose time is up gives its unit back; the state is this sweep's alone until `unlock`.
    fn expire_plain(&mut self, slot: u32, generation: u32, place: &Slot, (line, units): (u32, u32), now: u64) {
        let inventory = self.inventory;
        let id = inventory.id(slot, generation);
        inventory.record_on(self.lane, NO_CHANNEL, Fact::Ended { id, end: End::Expired, units: u64::from(units) });
        if let Some(counter) = inventory.counter(StockId::new(line)) {
            inventory.end_units(StockId::new(line), counter, 0, units);
        }
        self.unlock_expired(slot, generation, place, None, now);
    }

    /// What it held is back, and still readable: from here on a late payment may take it up again.
    fn unlock_expired(&mut self, slot: u32, generation: u32, place: &Slot, extra: Option<&Body>, now: u64) {
        let inventory = self.inventory;
        self.expired += 1;
        if inventory.settings.remembers_expired() {
            inventory.slab.park(); // before anybody can take it up again
            place.unlock(Snapshot::ended_as(generation, End::Expired));
            if let Some(body) = extra {
                inventory.strike_dead(slot, generation, body);
            }
            self.park(slot, generation, now);
        } else {
            place.unlock(Snapshot::forgotten_as(generation));
            if let Some(body) = extra {
                inventory.strike_dead(slot, generation, body);
                inventory.let_go(slot, body);
            }
            inventory.slab.give_back_place(self.lane, slot, place, inventory.time.arrival(now));
        }
    }

    fn park(&mut self, slot: u32, generation: u32, now: u64) {
        let retention = self.inventory.settings.expired_retention.as_millis() as u64;
        let until = self.inventory.time.arrival(now).saturating_add(retention);
        self.parked[self.len] = ParkedSlot { slot, generation, until };
        self.len += 1;
        if self.len == TOGETHER {
            self.park_all();
        }
    }

    fn park_all(&mut self) {
        let len = std::mem::take(&mut self.len);
        self.inventory.park(self.lane, &self.parked[..len]);
    }
}

impl Judge for Expiry<'_> {
    fn foresee(&mut self, slots: impl Iterator<Item = u32> + Clone, due: bool) {
        let (slab, lines) = (&self.inventory.slab, &self.inventory.lines);
        for place in slots.clone().filter_map(|slot| slab.get(slot)) {
            place.touch();
        }
        if !due {
            return;
        }
        for place in slots.filter_map(|slot| slab.get(slot)) {
            if let Some(counter) = lines.counter(StockId::new(place.touch())) {
                let _ = counter.snapshot();
            }
        }
    }

    fn look(&mut self, slot: u32, stamp: Option<Stamp>, now: u64) -> Look {
        let inventory = self.inventory;
        let policy = inventory.settings.pending_policy;
        let Some(place) = inventory.slab.get(slot) else { return Look::Gone };
        let seen = place.snapshot();
        let generation = seen.generation();
        if stamp.is_some_and(|stamp| stamp != Stamp::of(generation)) {
            return Look::Gone; // reused: the newcomer marked itself
        }
        match seen.plainly(generation, now) {
            Plainly::Gone if !crate::seeded::any() => return Look::Gone,
            Plainly::Live { deadline } if !on(Break::OverdueLost) => {
                let born = place.born(now);
                // Read for this state, if it still stands: else the long way looks again.
                if place.snapshot() == seen {
                    return Look::Live { generation, deadline, born };
                }
            }
            _ => {}
        }
        let broken = on(Break::ExpireUnchecked) || on(Break::ExpireAtOnce);
        if seen.plainly_due(generation, now) && !broken && place.change(seen, seen.expiring()) {
            step(Step::Expired);
            match place.plain() {
                Some(held) => self.expire_plain(slot, generation, place, held, now),
                None => self.expire_rest(slot, generation, place, now),
            }
            return Look::Ended;
        }
        let ended = if on(Break::ExpireUnchecked) {
            place.update_blind(|seen| seen.expire(generation, now, policy))
        } else {
            place.update(|seen| seen.expire(generation, now, policy))
        };
        match ended {
            Ok(before) => {
                let id = inventory.id(slot, generation);
                if on(Break::ExpireAtOnce) {
                    place.unlock(before.ended(End::Expired));
                }
                let body = place.body(now);
                if before.standing() == Standing::Live(Phase::PaymentPending) && policy == crate::PendingPolicy::Review
                {
                    inventory.record(body.channel, Fact::Moved { id, phase: Phase::InReview, deadline: 0 });
                    return Look::Ended;
                }
                step(Step::Expired);
                self.expire_rest(slot, generation, place, now);
                Look::Ended
            }
            Err(No::NotDue) => {
                let (seen, born) = (place.snapshot(), place.body(now).born);
                let deadline = seen.deadline(now);
                // Between the rule and this look much may have happened, also at a time later than `now`.
                match seen.standing() {
                    _ if seen.generation() != generation => Look::Gone, // reused: the newcomer marked itself
                    Standing::Free | Standing::Expiring | Standing::Ended(_) => Look::Gone,
                    Standing::Live(Phase::InReview) => Look::Gone,
                    Standing::Live(_) => Look::Live { generation, deadline, born },
                    Standing::Overdue if on(Break::OverdueLost) => Look::Gone,
                    // What is claimed has not written since when; it is as young as can be.
                    Standing::Claimed | Standing::Changing | Standing::Overdue if deadline > now => {
                        Look::Live { generation, deadline, born: now }
                    }
                    Standing::Claimed | Standing::Changing | Standing::Overdue => Look::Busy,
                }
            }
            Err(No::Busy) => Look::Busy,
            Err(_) => Look::Gone,
        }
    }

    fn deadline(&mut self, slot: u32, stamp: Stamp, now: u64) -> Option<u64> {
        let seen = self.inventory.slab.get(slot)?.snapshot();
        match seen.standing() {
            _ if Stamp::of(seen.generation()) != stamp => None,
            Standing::Live(Phase::InReview) | Standing::Free | Standing::Expiring | Standing::Ended(_) => None,
            Standing::Live(_) | Standing::Claimed => Some(seen.deadline(now)),
            Standing::Changing | Standing::Overdue => Some(now), // whatever becomes of it
        }
    }
}

impl Expiry<'_> {
    /// A reservation whose time is up, whatever it holds.
    #[cold]
    fn expire_rest(&mut self, slot: u32, generation: u32, place: &Slot, now: u64) {
        let inventory = self.inventory;
        let (id, body) = (inventory.id(slot, generation), place.body(now));
        inventory.settle_ended(id, &body, End::Expired, false);
        self.unlock_expired(slot, generation, place, Some(&body).filter(|body| body.has_extra), now);
    }
}

impl Inventory {
    /// Expired reservations wait for a late payment.
    fn park(&self, lane: Lane, parked: &[ParkedSlot]) {
        if parked.is_empty() {
            return;
        }
        if let Some(mut queue) = self.parked.queue.lock_bounded() {
            queue.extend(parked);
            // What was taken up again is passed over when its turn comes; but memory follows what is
            // remembered (P10), at a constant cost for each entry.
            if queue.len() as u64 > 2 * self.slab.parked() + PARKED_SPARE {
                queue.retain(|parked| self.is_parked(parked));
            }
        } else {
            for &parked in parked {
                self.forget(lane, parked, self.tick());
            }
        }
    }
}
