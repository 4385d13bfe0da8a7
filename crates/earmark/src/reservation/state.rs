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

use super::phase::{End, PendingPolicy, Phase};
use crate::seeded::{Break, on};
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

/// What the three phase bits say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Never used, or abandoned before anybody was given its id.
    Free,
    /// Being filled, under a deadline: no id of it was given out yet.
    Claimed,
    Live(Phase),
    /// One call is changing items, deadline or end; it alone may leave this.
    Changing,
    /// Expired for good, and a sweep is giving its units back this instant.
    Expiring,
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
/// Not the end yet, though told as such.
const EXPIRING: u64 = 6;

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

/// What a sweep sees at a glance of the two common cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plainly {
    /// It will not expire: it has ended, or another generation lives there.
    Gone,
    /// Reserved, and not due.
    Live {
        deadline: u64,
    },
    Unclear,
}

/// One load of the state word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Snapshot(pub(super) u64);

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
            ENDED if WHEN.of(self.0) == EXPIRING => Standing::Expiring,
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

    /// A slot that serves a new reservation until `deadline`.
    pub(super) const fn claimed(generation: u32, deadline: u64) -> Self {
        Self(WHEN.put(GENERATION.put(0, generation as u64), claimed_until(deadline)))
    }

    /// A slot whose claim came to nothing.
    pub(super) const fn free(generation: u32) -> Self {
        Self(GENERATION.put(0, generation as u64))
    }

    /// A slot whose reservation begins to live.
    pub(super) const fn reserved(generation: u32, deadline: u64) -> Self {
        Self::free(generation).live(Phase::Reserved, deadline)
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

    /// What a reservation of this generation leaves behind.
    pub(crate) const fn ended_as(generation: u32, end: End) -> Self {
        Self::free(generation).ended(end)
    }

    /// An expired reservation of this generation, of which nothing is remembered but that.
    pub(crate) const fn forgotten_as(generation: u32) -> Self {
        Self(WHEN.put(Self::ended_as(generation, End::Expired).0, FORGOTTEN))
    }

    /// The phase, if this generation lives; else who was faster.
    fn alive(self, generation: u32) -> Result<Phase, No> {
        if self.generation() != generation {
            return Err(No::Gone);
        }
        match self.standing() {
            Standing::Live(phase) => Ok(phase),
            Standing::Changing => Err(No::Busy),
            Standing::Expiring => Err(No::Ended(End::Expired)),
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

    /// Whether [`end`](Self::end) would find it in its first phase, and more than `margin` before its deadline: the
    /// common case, in few steps.
    #[inline(always)]
    pub(crate) fn plainly_reserved(self, generation: u32, now: u64, margin: u64) -> bool {
        let reserved = Self::free(generation).0 | PHASE.put(0, RESERVED);
        if on(Break::DeadlineRoundedDown) {
            return false; // the rule has it
        }
        let ahead = WHEN.of(self.0).wrapping_sub(now) & WHEN.max();
        self.0 ^ WHEN.of(self.0) == reserved && ahead > margin && ahead < HALF
    }

    /// Whether [`expire`](Self::expire) would end it out of its first phase: the common case, in few steps.
    #[inline]
    pub(crate) fn plainly_due(self, generation: u32, now: u64) -> bool {
        let reserved = Self::free(generation).0 | PHASE.put(0, RESERVED);
        self.0 ^ WHEN.of(self.0) == reserved && self.deadline(now) <= now
    }

    /// What [`expire`](Self::expire) would find, where that is plain.
    #[inline]
    pub(crate) fn plainly(self, generation: u32, now: u64) -> Plainly {
        if self.generation() != generation {
            return Plainly::Gone;
        }
        match (PHASE.of(self.0), self.deadline(now)) {
            (RESERVED, deadline) if deadline > now => Plainly::Live { deadline },
            (ENDED, _) if WHEN.of(self.0) != EXPIRING => Plainly::Gone,
            _ => Plainly::Unclear,
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
            return Ok(self.expiring());
        }
        if self.generation() == generation && matches!(self.standing(), Standing::Claimed | Standing::Changing) {
            return Err(if self.deadline(now) > now { No::NotDue } else { No::Busy });
        }
        match alive? {
            Phase::InReview => Err(No::Phase(Phase::InReview)),
            _ if self.deadline(now) > now => Err(No::NotDue),
            Phase::PaymentPending if policy == PendingPolicy::Review => Ok(self.live(Phase::InReview, 0)),
            _ => Ok(self.expiring()),
        }
    }

    /// Until the sweep has given its units back.
    pub(crate) const fn expiring(self) -> Self {
        Self(WHEN.put(PHASE.put(self.0, ENDED), EXPIRING))
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

    /// A payment runs, until `deadline`.
    pub(crate) const fn paying(self, deadline: u64) -> Self {
        self.live(Phase::Paying, deadline)
    }

    /// The same with another deadline, while one call tells the wheel of it: from here on nobody else ends it,
    /// and nobody is told of the deadline.
    pub(crate) fn moving(self) -> Self {
        Self(PHASE.put(self.0, CHANGING))
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
            Err(No::Ended(_)) if self.standing() == Standing::Expiring => Err(No::Busy),
            Err(No::Ended(End::Expired)) if WHEN.of(self.0) == EXPIRED => Ok(Self(WHEN.put(self.0, FORGOTTEN))),
            Err(no) => Err(no),
            Ok(phase) => Err(No::Phase(phase)),
        }
    }

    /// Rule: an expired one that is remembered is taken up again, for money that came late.
    pub(crate) fn reopen(self, generation: u32) -> Result<Self, No> {
        match self.alive(generation) {
            Err(No::Ended(_)) if self.standing() == Standing::Expiring => Err(No::Busy),
            Err(No::Ended(End::Expired)) if WHEN.of(self.0) == EXPIRED => Ok(Self(PHASE.put(self.0, CHANGING))),
            Err(no) => Err(no),
            Ok(phase) => Err(No::Phase(phase)),
        }
    }
}

#[cfg(all(test, not(earmark_loom)))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Words of every phase, of this generation and of the next, due about now, at another time, or ended somehow.
    fn words(bits: u64, now: u64, generation: u32) -> impl Iterator<Item = Snapshot> {
        let near = (0..7).map(move |more| serial(now + more - 2));
        let whens: Vec<u64> = near.chain([WHEN.of(bits)]).chain(CONFIRMED..=EXPIRING).collect();
        (0..=PHASE.max())
            .flat_map(move |phase| {
                let of = move |generation: u32| PHASE.put(GENERATION.put(0, u64::from(generation)), phase);
                let whens = whens.clone();
                [generation, generation + 1].into_iter().flat_map(move |generation| {
                    whens.clone().into_iter().map(move |when| WHEN.put(of(generation), when))
                })
            })
            .map(Snapshot)
    }

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

        /// The short way to the common case says what the rules say.
        #[test]
        fn r2_plainly_reserved_is_in_time(bits: u64, now in HALF..1u64 << 61, generation in 1u32..4, margin in 0u64..3) {
            let mut plain = 0;
            for seen in words(bits, now, generation) {
                for policy in [PendingPolicy::Review, PendingPolicy::Release] {
                    let in_time = seen.in_time(generation, now, policy) == Ok(Phase::Reserved);
                    let ahead = in_time && seen.deadline(now) > now + margin;
                    prop_assert_eq!(seen.plainly_reserved(generation, now, margin), ahead);
                    plain += usize::from(ahead);
                }
            }
            prop_assert!(plain > 0, "none was in time");
        }

        /// A glance says what the rules say.
        #[test]
        fn r2_a_glance_says_what_the_rules_say(bits: u64, now in HALF..1u64 << 61, generation in 1u32..4) {
            let (mut gone, mut live, mut due) = (0, 0, 0);
            for seen in words(bits, now, generation) {
                let expire = seen.expire(generation, now, PendingPolicy::Review);
                match seen.plainly(generation, now) {
                    Plainly::Gone => {
                        prop_assert!(matches!(expire, Err(No::Gone | No::Ended(_))), "{:?}", expire);
                        gone += usize::from(seen.generation() == generation);
                    }
                    Plainly::Live { deadline } => {
                        prop_assert_eq!((expire, seen.deadline(now)), (Err(No::NotDue), deadline));
                        prop_assert_eq!(seen.standing(), Standing::Live(Phase::Reserved));
                        live += 1;
                    }
                    Plainly::Unclear => {}
                }
                if seen.plainly_due(generation, now) {
                    prop_assert_eq!(expire, Ok(seen.expiring()));
                    prop_assert_eq!(seen.standing(), Standing::Live(Phase::Reserved));
                    due += 1;
                }
            }
            prop_assert!(gone > 0 && live > 0 && due > 0, "{} gone, {} live, {} due", gone, live, due);
        }

        /// R1 and R2 on the rule itself: whatever the word, ends happen in time and only once.
        #[test]
        fn r1_r2_rules(bits: u64, now in HALF..1u64 << 61, generation in 1u32..4, review: bool) {
            let policy = if review { PendingPolicy::Review } else { PendingPolicy::Release };
            let (mut ended, mut expired) = (0, 0);
            for seen in words(bits, now, generation) {
                if let Ok(next) = seen.end(generation, now, policy, |_| true, End::Confirmed) {
                    prop_assert_eq!(seen.generation(), generation);
                    prop_assert_eq!(next.standing(), Standing::Ended(End::Confirmed));
                    let again = next.end(generation, now, policy, |_| true, End::Released);
                    prop_assert_eq!(again, Err(No::Ended(End::Confirmed)));
                    let timeless = matches!(seen.standing(), Standing::Live(Phase::InReview))
                        || (review && matches!(seen.standing(), Standing::Live(Phase::PaymentPending)));
                    prop_assert!(timeless || seen.deadline(now) > now);
                    ended += 1;
                }
                if let Ok(next) = seen.expire(generation, now, policy) {
                    prop_assert_eq!(seen.generation(), generation);
                    prop_assert!(seen.deadline(now) <= now || seen.standing() == Standing::Overdue);
                    prop_assert!(next.standing() == Standing::Expiring
                        || next.standing() == Standing::Live(Phase::InReview));
                    prop_assert!(seen.end(generation, now, PendingPolicy::Release, |_| true, End::Confirmed).is_err());
                    expired += 1;
                }
            }
            prop_assert!(ended > 0 && expired > 0, "{} ended, {} expired", ended, expired);
        }
    }
}
