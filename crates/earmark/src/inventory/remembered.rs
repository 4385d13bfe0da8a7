//! What a key can stand for, and how it is kept: an answer packed beside its key.
//!
//! ```text
//! key 16 bytes | fingerprint 8 | id: slot, generation; kind; flags | until; deadline | next; units      44 in all
//! ```
//!
//! What was reserved, and every plain success, fits: up to 127 units with a deadline up to 37 hours ahead, decided
//! in the first four years of an inventory. All else, refusals above all, lies whole beside the record.

use super::answer::{Levels, Reserved};
use super::index::{NOWHERE, PLACE_BITS, halves, joined, quarters, whole};
use super::late::Late;
use super::request::Key;
use crate::clock::Timestamp;
use crate::error::why::{Refusal, Why};
use crate::error::{
    ConfirmError, FullError, KeyError, PartError, ReacquireError, ReleaseError, ReplaceError, ReserveError, StockError,
};
use crate::reservation::id::ReservationId;
use crate::word::Field;

const SLOT: Field = Field::lowest(32);
const GENERATION: Field = SLOT.above(24);
const KIND: Field = GENERATION.above(4);
/// A reservation names the record as its key.
const HELD: Field = KIND.above(1);
/// The record waits in the line of those that were answered.
const IN_LINE: Field = HELD.above(1);

/// Since the inventory was made, in milliseconds: 4.3 years.
const UNTIL: Field = Field::lowest(37);
/// From the time of the answer to the deadline it told.
const AHEAD: Field = UNTIL.above(27);

const NEXT: Field = Field::lowest(PLACE_BITS);
const UNITS: Field = NEXT.above(7);
const _: () = assert!(IN_LINE.end() <= u64::BITS && AHEAD.end() <= u64::BITS && UNITS.end() <= u32::BITS);

/// A remembered answer.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    Reserve(Result<Reserved, ReserveError>),
    Confirm(Result<(), ConfirmError>),
    Release(Result<(), ReleaseError>),
    Part(Result<(), PartError>),
    Late(Result<Late, ReacquireError>),
    Replace(Result<Reserved, ReplaceError>),
    Stock(Result<Levels, StockError>),
    Transfer(Result<(Levels, Levels), StockError>),
}

/// An answer, and whether it was given before.
#[derive(Debug, Clone, Copy)]
pub(super) enum Told<T> {
    /// This call decided it.
    First(T),
    /// An earlier call with the same key decided it.
    Again(T),
}

impl<T> Told<T> {
    pub(super) fn answer(self) -> T {
        match self {
            Self::First(answer) | Self::Again(answer) => answer,
        }
    }
}

impl<T, E> Told<Result<T, E>> {
    pub(super) fn transpose(self) -> Result<Told<T>, E> {
        match self {
            Self::First(answer) => answer.map(Told::First),
            Self::Again(answer) => answer.map(Told::Again),
        }
    }
}

/// An operation's outcome that a key can remember.
pub(super) trait Keyed: Sized {
    /// The answer to remember; `None` for one that was not decided on stock or caps.
    fn answer(&self) -> Option<Answer>;
    /// The answer given again; `None` if it is of another operation.
    fn replay(answer: &Answer) -> Option<Self>;
    fn refuse(error: KeyError) -> Self;
    fn full(error: FullError) -> Self;
    /// Why it was refused, if it was.
    fn why(&self) -> Option<Why>;
}

/// Whether a refusal was decided on stock, caps, or the reservation: asked again, it would be so again.
const fn decided(why: Why) -> bool {
    match why {
        Why::Contended | Why::Full | Why::KeyReused | Why::KeyInFlight | Why::Closed => false,
        Why::Short | Why::OwnerCap | Why::Request | Why::Stock | Why::Reservation => true,
    }
}

macro_rules! keyed {
    ($ok:ty, $error:ty, $variant:ident, |$e:ident| $wrap:expr) => {
        impl Keyed for Result<$ok, $error> {
            fn answer(&self) -> Option<Answer> {
                self.why().is_none_or(decided).then(|| Answer::$variant(self.clone()))
            }

            fn replay(answer: &Answer) -> Option<Self> {
                match answer {
                    Answer::$variant(answer) => Some(answer.clone()),
                    _ => None,
                }
            }

            fn refuse($e: KeyError) -> Self {
                Err($wrap)
            }

            fn full($e: FullError) -> Self {
                Err($wrap)
            }

            fn why(&self) -> Option<Why> {
                self.as_ref().err().map(Refusal::why)
            }
        }
    };
}

keyed!(Reserved, ReserveError, Reserve, |e| e.into());
keyed!((), ConfirmError, Confirm, |e| e.into());
keyed!((), ReleaseError, Release, |e| e.into());
keyed!((), PartError, Part, |e| e.into());
keyed!(Late, ReacquireError, Late, |e| e.into());
keyed!(Reserved, ReplaceError, Replace, |e| ReplaceError::Reserve(e.into()));
keyed!(Levels, StockError, Stock, |e| e.into());
keyed!((Levels, Levels), StockError, Transfer, |e| e.into());

/// What a record is to its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing any more; what still names the record does so for the key's text.
    Forgotten,
    /// A call runs under the key.
    Running,
    Reserved,
    Replaced,
    Confirmed,
    Released,
    Part,
    InTime,
    Reacquired,
    /// The answer lies beside the records.
    Beside,
}

const KINDS: [Kind; 10] = [
    Kind::Forgotten,
    Kind::Running,
    Kind::Reserved,
    Kind::Replaced,
    Kind::Confirmed,
    Kind::Released,
    Kind::Part,
    Kind::InTime,
    Kind::Reacquired,
    Kind::Beside,
];

/// What packing has to know of the inventory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Basis {
    /// When it was made.
    pub(super) since: u64,
    pub(super) window_ms: u64,
    pub(super) incarnation: u32,
}

/// A key, and what it stands for. Forty-four bytes, in words that need no more room for their alignment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record {
    key: [u32; 4],
    fingerprint: [u32; 2],
    what: [u32; 2],
    times: [u32; 2],
    /// The next in line, and units.
    next: u32,
}
const _: () = assert!(size_of::<Record>() == 44);

impl Record {
    /// A call begins to run under the key.
    pub(super) fn running(key: Key) -> Self {
        let key = quarters(key.to_bits());
        let mut record = Self { key, fingerprint: [0; 2], what: [0; 2], times: [0; 2], next: NOWHERE };
        record.set_kind(Kind::Running);
        record
    }

    pub(super) fn key(&self) -> Key {
        Key::from_bits(joined(self.key))
    }

    pub(super) fn fingerprint(&self) -> u64 {
        whole(self.fingerprint)
    }

    fn put(&mut self, field: Field, value: u64) {
        self.what = halves(field.put(whole(self.what), value));
    }

    pub(super) fn kind(&self) -> Kind {
        KINDS[KIND.of(whole(self.what)) as usize]
    }

    pub(super) fn set_kind(&mut self, kind: Kind) {
        self.put(KIND, kind as u64);
    }

    pub(super) fn is_held(&self) -> bool {
        HELD.of(whole(self.what)) == 1
    }

    pub(super) fn hold(&mut self, held: bool) {
        self.put(HELD, u64::from(held));
    }

    pub(super) fn is_in_line(&self) -> bool {
        IN_LINE.of(whole(self.what)) == 1
    }

    pub(super) fn stand_in_line(&mut self, stands: bool) {
        self.put(IN_LINE, u64::from(stands));
    }

    pub(super) fn next(&self) -> u32 {
        NEXT.of(u64::from(self.next)) as u32
    }

    pub(super) fn set_next(&mut self, next: u32) {
        self.next = NEXT.put(u64::from(self.next), u64::from(next)) as u32;
    }

    /// Until when the answer stands, if it is packed.
    pub(super) fn until(&self, basis: Basis) -> u64 {
        basis.since + UNTIL.of(whole(self.times))
    }

    /// Takes up an answer that fits; `false` if it has to lie beside the record.
    pub(super) fn pack(&mut self, basis: Basis, fingerprint: u64, answer: &Answer, until: u64) -> bool {
        self.fingerprint = halves(fingerprint);
        let packed = self.try_pack(basis, answer, until);
        if packed.is_none() {
            self.set_kind(Kind::Beside);
        }
        packed.is_some()
    }

    fn try_pack(&mut self, basis: Basis, answer: &Answer, until: u64) -> Option<()> {
        let fits = |field: Field, value: u64| (value <= field.max()).then_some(value);
        let (kind, reserved) = match answer {
            Answer::Reserve(Ok(reserved)) => (Kind::Reserved, Some(reserved)),
            Answer::Replace(Ok(reserved)) => (Kind::Replaced, Some(reserved)),
            Answer::Confirm(Ok(())) => (Kind::Confirmed, None),
            Answer::Release(Ok(())) => (Kind::Released, None),
            Answer::Part(Ok(())) => (Kind::Part, None),
            Answer::Late(Ok(Late::InTime)) => (Kind::InTime, None),
            Answer::Late(Ok(Late::Reacquired)) => (Kind::Reacquired, None),
            _ => return None,
        };
        let mut times = UNTIL.put(0, fits(UNTIL, until.checked_sub(basis.since)?)?);
        if let Some(&Reserved { id, units, deadline }) = reserved {
            let answered = until.checked_sub(basis.window_ms)?;
            times = AHEAD.put(times, fits(AHEAD, deadline.as_millis().checked_sub(answered)?)?);
            let units = fits(UNITS, units)?;
            if id.incarnation() != basis.incarnation {
                return None;
            }
            self.next = UNITS.put(u64::from(self.next), units) as u32;
            self.put(SLOT, u64::from(id.slot()));
            self.put(GENERATION, u64::from(id.generation()));
        }
        self.times = halves(times);
        self.set_kind(kind);
        Some(())
    }

    /// The answer, if it is packed.
    pub(super) fn unpack(&self, basis: Basis) -> Option<Answer> {
        let (what, times) = (whole(self.what), whole(self.times));
        let reserved = || {
            let (slot, generation) = (SLOT.of(what) as u32, GENERATION.of(what) as u32);
            let id = ReservationId::new(basis.incarnation, slot, generation);
            let deadline = self.until(basis) - basis.window_ms + AHEAD.of(times);
            Reserved { id, units: UNITS.of(u64::from(self.next)), deadline: Timestamp::from_millis(deadline) }
        };
        Some(match self.kind() {
            Kind::Forgotten | Kind::Running | Kind::Beside => return None,
            Kind::Reserved => Answer::Reserve(Ok(reserved())),
            Kind::Replaced => Answer::Replace(Ok(reserved())),
            Kind::Confirmed => Answer::Confirm(Ok(())),
            Kind::Released => Answer::Release(Ok(())),
            Kind::Part => Answer::Part(Ok(())),
            Kind::InTime => Answer::Late(Ok(Late::InTime)),
            Kind::Reacquired => Answer::Late(Ok(Late::Reacquired)),
        })
    }
}

#[cfg(all(test, not(earmark_loom)))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// P7: what is packed comes back as it was; what does not fit is not packed, whatever it is.
        #[test]
        fn p7_a_packed_answer_is_the_answer(
            since in 0u64..1 << 50, later in 0u64..1 << 38, window_ms in 1u64..1 << 36, units in 1u64..300,
            ahead in -1_000i64..1 << 28, slot: u32, generation in 1u32..1 << 24, key: u128, fingerprint: u64,
            other: bool, replaced: bool,
        ) {
            let basis = Basis { since, window_ms, incarnation: 7 };
            let answered = since + later;
            let deadline = answered.saturating_add_signed(ahead);
            let id = ReservationId::new(7 + u32::from(other), slot, generation);
            let reserved = Reserved { id, units, deadline: Timestamp::from_millis(deadline) };
            let answer = if replaced { Answer::Replace(Ok(reserved)) } else { Answer::Reserve(Ok(reserved)) };
            let mut record = Record::running(Key::from_bits(key));
            record.set_next(3);
            record.hold(true);
            let until = answered + window_ms;
            let packed = record.pack(basis, fingerprint, &answer, until);
            let fits = until - since < 1 << 37 && deadline >= answered && deadline - answered < 1 << 27
                && units < 128 && !other;
            prop_assert_eq!(packed, fits);
            prop_assert_eq!(record.unpack(basis).map(|answer| format!("{answer:?}")), packed.then(|| format!("{answer:?}")));
            prop_assert!(!packed || record.until(basis) == until);
            prop_assert_eq!((record.key().to_bits(), record.fingerprint(), record.next()), (key, fingerprint, 3));
            prop_assert_eq!((record.is_held(), record.is_in_line()), (true, false));
        }
    }
}
