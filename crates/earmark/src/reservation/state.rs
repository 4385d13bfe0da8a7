//! The state word of a reservation, and the rules of its life.
//!
//! ```text
//!  free --claim--> claimed --publish--> reserved --begin_payment--> paying
//!   ^                 |                    |  \__payment_pending__/   |
//!   +----abandon------+                    |          |               |
//!   |                                      |        pending --due--> in_review
//!   +--- generation + 1 --- ended <--------+----------+---------------+
//!
//!  63 ....... 40  39 .. 37  36 ............. 0
//! [ generation ] [ phase ] [ when            ]   when: the deadline's low 37 bits, or how it ended
//! ```
//!
//! A claimed slot has no id that anybody knows, and its deadline already: the wheel is told of it before
//! units are taken, so that no unit is away under a deadline that the wheel does not know (P4).
//!
//! **R1** Of confirm, release, expire and replace exactly one succeeds per generation (P2): each is a
//! change of this word away from a live phase, and no rule leads back.
//! **R2** Nothing ends as expired before its deadline, nothing is confirmed at or after it (P5).
//! **R3** Quantity and items are written before the phase becomes live, and while it is `Changing` by
//! its owner alone.
//!
//! A generation lasts one use of the slot. After 2^24 − 1 uses the slot retires: no wrap, ever.
//! Deadlines are compared as serial numbers (RFC 1982): right while they lie within 2^36 ms (2.1
//! years) of now, which TTLs of at most 400 days and the engine's clamp on leaps of time ensure.

use crate::seeded::{Break, on};
use crate::sync::apart;
use crate::sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};
use crate::word::Field;

const WHEN: Field = Field::lowest(37);
const PHASE: Field = WHEN.above(3);
const GENERATION: Field = PHASE.above(24);
const _: () = assert!(GENERATION.end() == u64::BITS);

/// The last use of a slot.
pub(crate) const GENERATION_MAX: u32 = GENERATION.max() as u32;
/// Half of the circle of deadlines: 2^36 ms. An instant is told rightly if it lies nearer to now than this.
pub(crate) const HALF: u64 = 1 << 36;

/// The instant, near `now`, whose low 37 bits are `serial`.
pub(crate) const fn near(serial: u64, now: u64) -> u64 {
    let ahead = serial.wrapping_sub(now) & WHEN.max();
    if ahead < HALF { now + ahead } else { now.saturating_sub(WHEN.max() + 1 - ahead) }
}

/// How much later than now an instant of the past may look, because now was read a moment before: 2^20
/// ms, 17 minutes.
const AHEAD: u64 = 1 << 20;

/// The instant at or before `now` whose low 37 bits are `serial`: right for 4.3 years.
pub(crate) const fn past(serial: u64, now: u64) -> u64 {
    let ahead = serial.wrapping_sub(now) & WHEN.max();
    if ahead < AHEAD { now + ahead } else { now.saturating_sub(WHEN.max() + 1 - ahead) }
}

/// The low 37 bits of an instant.
pub(crate) const fn serial(instant: u64) -> u64 {
    instant & WHEN.max()
}

/// What a claimed slot says of its deadline. Zero means free, so there the claim says a millisecond less.
const fn claimed_until(deadline: u64) -> u64 {
    match serial(deadline) {
        0 => WHEN.max(),
        serial => serial,
    }
}

/// How a reservation ended.
///
/// ```
/// # use earmark::*; let inventory = Inventory::new(); let tee = inventory.declare(LineSpec::new("TEE"))?;
/// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
/// # let id = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.detach();
/// inventory.release(id)?;
/// let Err(ConfirmError::Ended { end, .. }) = inventory.confirm(id) else { panic!("it was released") };
/// assert_eq!((end, end.to_string().as_str()), (End::Released, "released"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum End {
    /// Confirmed, whole or in part: its units are committed to an order.
    Confirmed,
    /// Given back by its holder.
    Released,
    /// Its time was up.
    Expired,
    /// Its owner replaced it by another.
    Replaced,
    /// It had expired; a late payment took the units again (`confirm_or_reacquire`).
    Reacquired,
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Confirmed => "confirmed",
            Self::Released => "released",
            Self::Expired => "expired",
            Self::Replaced => "replaced",
            Self::Reacquired => "reacquired",
        })
    }
}

/// Where a live reservation stands.
///
/// ```
/// # use earmark::*; let inventory = Inventory::new(); let tee = inventory.declare(LineSpec::new("TEE"))?;
/// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
/// # let id = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.detach();
/// inventory.begin_payment(id)?;
/// assert_eq!(inventory.get(id).map(|found| found.state), Some(State::Live(Phase::Paying)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Phase {
    /// Units are set aside; no payment runs.
    Reserved,
    /// A payment runs, under a short deadline of its own.
    Paying,
    /// The payment's outcome is unknown, under a long deadline.
    PaymentPending,
    /// A person decides; no deadline.
    InReview,
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Reserved => "reserved",
            Self::Paying => "paying",
            Self::PaymentPending => "payment_pending",
            Self::InReview => "in_review",
        })
    }
}

/// What the three phase bits say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Never used, or abandoned before anybody was given its id.
    Free,
    /// Being filled, under a deadline: no id of it was given out yet.
    Claimed,
    Live(Phase),
    /// One call is changing items or end; it alone may leave this.
    Changing,
    /// Somebody was told that it has expired: nothing but a sweep or a late payment ends it now.
    Overdue,
    Ended(End),
}

const RESERVED: u64 = 1;
const PAYING: u64 = 2;
const PENDING: u64 = 3;
const IN_REVIEW: u64 = 4;
const CHANGING: u64 = 5;
const ENDED: u64 = 6;
const OVERDUE: u64 = 7;

const CONFIRMED: u64 = 0;
const RELEASED: u64 = 1;
const EXPIRED: u64 = 2;
const REPLACED: u64 = 3;
const REACQUIRED: u64 = 4;
/// Expired, and what it held is no longer remembered.
const FORGOTTEN: u64 = 5;

const fn phase_bits(phase: Phase) -> u64 {
    match phase {
        Phase::Reserved => RESERVED,
        Phase::Paying => PAYING,
        Phase::PaymentPending => PENDING,
        Phase::InReview => IN_REVIEW,
    }
}

/// Why a rule said no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum No {
    /// Another generation lives there, or none.
    Gone,
    /// Somebody ended it first.
    Ended(End),
    /// Its deadline has come.
    Due,
    /// Its deadline has not come yet.
    NotDue,
    /// Somebody is changing it this instant.
    Busy,
    /// Not in this phase.
    Phase(Phase),
}

/// What happens to a payment whose outcome is still unknown when its long deadline comes.
///
/// ```
/// # use earmark::*; let clock = ManualClock::default();
/// # let inventory = Inventory::builder().clock(clock.clone()).build()?;
/// # let tee = inventory.declare(LineSpec::new("TEE"))?;
/// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
/// # let id = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.detach();
/// let until = inventory.payment_pending(id)?;
/// clock.set(until); // the outcome is still unknown
/// assert_eq!(PendingPolicy::default(), PendingPolicy::Release);
/// assert_eq!(inventory.get(id).map(|found| found.state), Some(State::Ended(End::Expired)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum PendingPolicy {
    /// The reservation expires and its units go back.
    #[default]
    Release,
    /// It waits, without a deadline, for a person: `reviews`, `resolve_reviews`.
    Review,
}

/// One load of the state word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Snapshot(u64);

impl Snapshot {
    pub(crate) const fn generation(self) -> u32 {
        GENERATION.of(self.0) as u32
    }

    pub(crate) const fn standing(self) -> Standing {
        match PHASE.of(self.0) {
            RESERVED => Standing::Live(Phase::Reserved),
            PAYING => Standing::Live(Phase::Paying),
            PENDING => Standing::Live(Phase::PaymentPending),
            IN_REVIEW => Standing::Live(Phase::InReview),
            CHANGING => Standing::Changing,
            OVERDUE => Standing::Overdue,
            ENDED => Standing::Ended(match WHEN.of(self.0) {
                CONFIRMED => End::Confirmed,
                RELEASED => End::Released,
                REPLACED => End::Replaced,
                REACQUIRED => End::Reacquired,
                _ => End::Expired,
            }),
            _ if WHEN.of(self.0) == 0 => Standing::Free,
            _ => Standing::Claimed,
        }
    }

    /// The deadline of a live, claimed, changing or overdue reservation, as an instant near `now`. One that is
    /// changed in review, or taken up again, has none: what is told then may be any instant.
    pub(crate) fn deadline(self, now: u64) -> u64 {
        let deadline = near(WHEN.of(self.0), now);
        if on(Break::DeadlineRoundedDown) { deadline & !31 } else { deadline }
    }

    const fn live(self, phase: Phase, deadline: u64) -> Self {
        Self(WHEN.put(PHASE.put(self.0, phase_bits(phase)), serial(deadline)))
    }

    pub(crate) const fn ended(self, end: End) -> Self {
        let end = match end {
            End::Confirmed => CONFIRMED,
            End::Released => RELEASED,
            End::Expired => EXPIRED,
            End::Replaced => REPLACED,
            End::Reacquired => REACQUIRED,
        };
        Self(WHEN.put(PHASE.put(self.0, ENDED), end))
    }

    /// The phase, if this generation lives; else who was faster.
    fn alive(self, generation: u32) -> Result<Phase, No> {
        if self.generation() != generation {
            return Err(No::Gone);
        }
        match self.standing() {
            Standing::Live(phase) => Ok(phase),
            Standing::Changing => Err(No::Busy),
            Standing::Overdue => Err(No::Due),
            Standing::Ended(end) => Err(No::Ended(end)),
            Standing::Free | Standing::Claimed => Err(No::Gone),
        }
    }

    /// The phase, if this generation lives and its time is not up. What is in review, or will be once
    /// somebody sweeps, has all the time there is.
    pub(crate) fn in_time(self, generation: u32, now: u64, policy: PendingPolicy) -> Result<Phase, No> {
        let phase = self.alive(generation)?;
        let due = phase != Phase::InReview && self.deadline(now) <= now;
        match (phase, policy) {
            (Phase::PaymentPending, PendingPolicy::Review) if due => Ok(Phase::InReview),
            _ if due => Err(No::Due),
            _ => Ok(phase),
        }
    }

    /// Rule: a holder ends it (R1, R2), out of one of these phases.
    pub(crate) fn end(
        self,
        generation: u32,
        now: u64,
        policy: PendingPolicy,
        from: impl Fn(Phase) -> bool,
        end: End,
    ) -> Result<Self, No> {
        let phase = self.in_time(generation, now, policy)?;
        if from(phase) { Ok(self.ended(end)) } else { Err(No::Phase(phase)) }
    }

    /// Rule: time is up. What waits for a payment may go to review instead.
    pub(crate) fn expire(self, generation: u32, now: u64, policy: PendingPolicy) -> Result<Self, No> {
        let alive = self.alive(generation);
        if alive == Err(No::Due) {
            return Ok(Self(PHASE.put(self.0, CHANGING)));
        }
        if self.generation() == generation && matches!(self.standing(), Standing::Claimed | Standing::Changing) {
            return Err(if self.deadline(now) > now { No::NotDue } else { No::Busy });
        }
        match alive? {
            Phase::InReview => Err(No::Phase(Phase::InReview)),
            _ if self.deadline(now) > now => Err(No::NotDue),
            Phase::PaymentPending if policy == PendingPolicy::Review => Ok(self.live(Phase::InReview, 0)),
            _ => Ok(Self(PHASE.put(self.0, CHANGING))), // until the sweep has given its units back
        }
    }

    /// Rule: before anybody is told that it has expired, this is made final. A call that looked at the
    /// clock just before the deadline, and was held up, can then no longer win (P2).
    pub(crate) fn overdue(self, generation: u32, now: u64, policy: PendingPolicy) -> Result<Self, No> {
        match (self.in_time(generation, now, policy), self.standing()) {
            (Err(No::Due), Standing::Live(_)) => Ok(Self(PHASE.put(self.0, OVERDUE))),
            (Err(no), _) => Err(no),
            (Ok(_), _) => Err(No::NotDue),
        }
    }

    /// Rule: another phase, with a deadline of its own.
    pub(crate) fn move_to(
        self,
        generation: u32,
        now: u64,
        policy: PendingPolicy,
        from: impl Fn(Phase) -> bool,
        to: Phase,
        deadline: impl Fn(u64) -> u64,
    ) -> Result<Self, No> {
        let phase = self.in_time(generation, now, policy)?;
        if !from(phase) {
            return Err(No::Phase(phase));
        }
        Ok(self.live(to, deadline(self.deadline(now))))
    }

    /// Rule: one call may now change items or end; the others wait a little, then say `contended`.
    pub(crate) fn lock(
        self,
        generation: u32,
        now: u64,
        policy: PendingPolicy,
        from: impl Fn(Phase) -> bool,
    ) -> Result<Self, No> {
        let phase = self.in_time(generation, now, policy)?;
        if !from(phase) {
            return Err(No::Phase(phase));
        }
        Ok(Self(PHASE.put(self.0, CHANGING)))
    }

    /// Rule: money came, perhaps late; what still stands is confirmed, overdue or not.
    pub(crate) fn end_late(self, generation: u32, now: u64, policy: PendingPolicy) -> Result<Self, No> {
        match self.in_time(generation, now, policy) {
            Ok(_) => Ok(self.ended(End::Confirmed)),
            Err(No::Due) => Ok(self.ended(End::Reacquired)),
            Err(no) => Err(no),
        }
    }

    /// Rule: what an expired one held is forgotten; from here on its slot may be given back.
    pub(crate) fn forget(self, generation: u32) -> Result<Self, No> {
        match self.alive(generation) {
            Err(No::Ended(End::Expired)) if WHEN.of(self.0) == EXPIRED => Ok(Self(WHEN.put(self.0, FORGOTTEN))),
            Err(no) => Err(no),
            Ok(phase) => Err(No::Phase(phase)),
        }
    }

    /// Rule: an expired one that is remembered is taken up again, for money that came late.
    pub(crate) fn reopen(self, generation: u32) -> Result<Self, No> {
        match self.alive(generation) {
            Err(No::Ended(End::Expired)) if WHEN.of(self.0) == EXPIRED => Ok(Self(PHASE.put(self.0, CHANGING))),
            Err(no) => Err(no),
            Ok(phase) => Err(No::Phase(phase)),
        }
    }
}

/// The state word, and the two words that hold what is reserved.
///
/// Twenty-four bytes. The state decides; the others are read after it (Acquire) and written before it
/// (Release), or by the one call that made it `Changing`.
#[derive(Debug)]
pub(crate) struct Slot {
    state: AtomicU64,
    what: AtomicU64,
    origin: AtomicU64,
}

const LINE: Field = Field::lowest(32);
const UNITS: Field = LINE.above(30);

const BORN: Field = Field::lowest(37);
const CHANNEL: Field = BORN.above(16);
const HAS_EXTRA: Field = CHANNEL.above(1);
const IS_CART: Field = HAS_EXTRA.above(1);
const _: () = assert!(IS_CART.end() <= u64::BITS);

/// What a slot holds besides its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Body {
    pub(crate) line: u32,
    pub(crate) units: u32,
    pub(crate) born: u64,
    pub(crate) channel: u16,
    /// Owner, key, metadata or cart items lie beside the slab.
    pub(crate) has_extra: bool,
    /// The items are in the extra; line and units are unused.
    pub(crate) is_cart: bool,
}

impl Slot {
    pub(crate) fn new() -> Self {
        Self { state: apart(0), what: apart(0), origin: apart(0) }
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        // ORDERING: Acquire pairs with `publish`: who sees a live phase reads what it stands for.
        Snapshot(self.state.load(Acquire))
    }

    /// A new generation takes the slot, for a reservation until `deadline`. Only the thread that was given
    /// the slot calls this.
    pub(crate) fn claim(&self, deadline: u64) -> u32 {
        let seen = Snapshot(self.state.load(Relaxed));
        let generation = if on(Break::SameGeneration) { seen.generation().max(1) } else { seen.generation() + 1 };
        debug_assert!(generation <= GENERATION_MAX);
        // ORDERING: the stores of `fill` are Release, so none is seen before this one: a reader that
        // read a new body finds the old state gone (see `read`).
        let claimed = WHEN.put(GENERATION.put(0, u64::from(generation)), claimed_until(deadline));
        self.state.store(claimed, Release);
        generation
    }

    /// Writes what is reserved. Before `publish`, or while `Changing` (R3).
    pub(crate) fn fill(&self, body: Body) {
        let order = if on(Break::RelaxedPublish) { Relaxed } else { Release };
        let what = UNITS.put(LINE.put(0, u64::from(body.line)), u64::from(body.units));
        let origin = CHANNEL.put(BORN.put(0, serial(body.born)), u64::from(body.channel));
        let origin = HAS_EXTRA.put(origin, u64::from(body.has_extra));
        self.origin.store(IS_CART.put(origin, u64::from(body.is_cart)), order);
        self.what.store(what, order);
    }

    /// The reservation is live from here on.
    pub(crate) fn publish(&self, generation: u32, deadline: u64) {
        let word = Snapshot(GENERATION.put(0, u64::from(generation))).live(Phase::Reserved, deadline);
        // ORDERING: Release pairs with `snapshot`; with Relaxed a sweeper could give back an older
        // reservation's units.
        self.state.store(word.0, if on(Break::RelaxedPublish) { Relaxed } else { Release });
    }

    /// A claim that came to nothing: the generation is used up, and nobody was ever given its id.
    pub(crate) fn abandon(&self, generation: u32) {
        self.state.store(GENERATION.put(0, u64::from(generation)), Release);
    }

    /// Ends the exclusive change that `lock` or `reopen` began.
    pub(crate) fn unlock(&self, next: Snapshot) {
        self.state.store(next.0, Release);
    }

    /// What is reserved. Right for the generation whose state was read before, and still stands after.
    pub(crate) fn body(&self, now: u64) -> Body {
        // ORDERING: Acquire, so that a later look at the state is not older than what is read here.
        let (what, origin) = (self.what.load(Acquire), self.origin.load(Acquire));
        Body {
            line: LINE.of(what) as u32,
            units: UNITS.of(what) as u32,
            born: past(BORN.of(origin), now),
            channel: CHANNEL.of(origin) as u16,
            has_extra: HAS_EXTRA.of(origin) == 1,
            is_cart: IS_CART.of(origin) == 1,
        }
    }

    /// State and body of the same instant, or `None` if they changed meanwhile.
    #[cfg(all(test, earmark_loom))]
    pub(crate) fn read(&self, now: u64) -> Option<(Snapshot, Body)> {
        let before = self.snapshot();
        let body = self.body(now);
        (self.snapshot() == before).then_some((before, body))
    }

    /// The loop around the rules: the only compare-exchange on this word.
    #[inline]
    pub(crate) fn update(&self, rule: impl Fn(Snapshot) -> Result<Snapshot, No>) -> Result<Snapshot, No> {
        if on(Break::StateBlind) {
            return self.update_blind(rule);
        }
        let mut seen = self.snapshot();
        loop {
            let next = rule(seen)?;
            // ORDERING: Acquire pairs with `publish`: the winner goes on to read the body. Release: who
            // sees the end sees what was done before it.
            match self.state.compare_exchange_weak(seen.0, next.0, AcqRel, Acquire) {
                Ok(_) => return Ok(seen),
                Err(newer) => seen = Snapshot(newer),
            }
        }
    }

    /// A seeded break: decide on one look, write without another.
    pub(crate) fn update_blind(&self, rule: impl Fn(Snapshot) -> Result<Snapshot, No>) -> Result<Snapshot, No> {
        let seen = self.snapshot();
        let next = rule(seen)?;
        self.state.store(next.0, Release);
        Ok(seen)
    }
}

#[cfg(all(test, not(earmark_loom)))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Deadlines come back whole across every wrap of 37 bits.
        #[test]
        fn serial_numbers_find_the_instant(now in HALF..1u64 << 61, ahead in 0..HALF, behind in 0..HALF) {
            prop_assert_eq!(near(serial(now + ahead), now), now + ahead);
            prop_assert_eq!(near(serial(now - behind), now), now - behind);
        }

        /// A birth is found again for 4.3 years, and by who read the clock a little before it.
        #[test]
        fn a_birth_is_found_again(now in 1u64 << 38..1 << 61, ago in 0..(1 << 37) - AHEAD, ahead in 0..AHEAD) {
            prop_assert_eq!(past(serial(now - ago), now), now - ago);
            prop_assert_eq!(past(serial(now + ahead), now), now + ahead);
        }

        /// R1 and R2 on the rule itself: whatever the word, ends happen in time and only once.
        #[test]
        fn r1_r2_rules(bits: u64, now in HALF..1u64 << 61, generation in 1u32..4, review: bool) {
            let seen = Snapshot(GENERATION.put(bits, u64::from(generation % 3 + 1)));
            let policy = if review { PendingPolicy::Review } else { PendingPolicy::Release };
            if let Ok(next) = seen.end(generation, now, policy, |_| true, End::Confirmed) {
                prop_assert_eq!(seen.generation(), generation);
                prop_assert_eq!(next.standing(), Standing::Ended(End::Confirmed));
                prop_assert_eq!(next.end(generation, now, policy, |_| true, End::Released), Err(No::Ended(End::Confirmed)));
                let timeless = matches!(seen.standing(), Standing::Live(Phase::InReview))
                    || (review && matches!(seen.standing(), Standing::Live(Phase::PaymentPending)));
                prop_assert!(timeless || seen.deadline(now) > now);
            }
            if let Ok(next) = seen.expire(generation, now, policy) {
                prop_assert!(seen.deadline(now) <= now || seen.standing() == Standing::Overdue);
                prop_assert!(next.standing() == Standing::Changing
                    || next.standing() == Standing::Live(Phase::InReview));
                prop_assert!(seen.end(generation, now, PendingPolicy::Release, |_| true, End::Confirmed).is_err());
            }
        }
    }
}
