//! Idempotency keys: same key, same answer, inside the window (P7).
//!
//! The map only finds the cell; what a key stands for is decided under the cell's own lock. Answers
//! decided on stock or caps are remembered; `contended`, busy and full are not.
//!
//! **K1** For one key at most one call runs at a time; others are told that it is in flight.
//! **K2** A cell that left the map is marked dead under its lock; who still has it looks again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crossbeam::queue::SegQueue;
use dashmap::DashMap;
use foldhash::quality::RandomState;

use super::Inventory;
use super::answer::{Levels, Reserved};
use super::facts::Fact;
use super::late::Late;
use super::request::Key;
use crate::error::why::{Refusal, Why};
use crate::error::{
    ConfirmError, FullError, KeyError, PartError, ReacquireError, ReleaseError, ReplaceError, ReserveError, StockError,
    Table,
};
use crate::seeded::{Break, on};
use crate::sync::Mutex;

/// Old keys forgotten beside each new one, so that the table shrinks also without a driver.
const FORGET_BESIDE: usize = 2;
/// Old keys forgotten in one sweep, at most.
pub(super) const FORGET_SWEEP: usize = 1_024;

#[derive(Debug)]
pub(super) struct Keys {
    cells: DashMap<Key, Arc<Mutex<Cell>>, RandomState>,
    len: AtomicUsize,
    /// When a remembered key may be forgotten, in the order they were answered.
    old: SegQueue<(u64, Key)>,
    oldest: Mutex<Option<(u64, Key)>>,
    max: usize,
    window_ms: u64,
}

#[derive(Debug)]
enum Cell {
    Running,
    Done { fingerprint: u128, answer: Answer, until: u64 },
    Dead,
}

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

impl Keys {
    pub(super) fn new(max: usize, window_ms: u64) -> Self {
        Self {
            cells: DashMap::with_hasher(RandomState::default()),
            len: AtomicUsize::new(0),
            old: SegQueue::new(),
            oldest: Mutex::new(None),
            max,
            window_ms,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.cells.len()
    }

    /// The key's cell, and whether this call made it and so runs the command.
    fn find_or_claim(&self, key: Key) -> Result<(Arc<Mutex<Cell>>, bool), FullError> {
        if let Some(cell) = self.cells.get(&key).map(|cell| Arc::clone(&cell)) {
            return Ok((cell, false));
        }
        // Counted first: the cap holds however many calls come at once.
        if self.len.fetch_add(1, Relaxed) >= self.max {
            self.len.fetch_sub(1, Relaxed);
            return Err(FullError { table: Table::Keys, max: self.max });
        }
        let fresh = Arc::new(Mutex::new(Cell::Running));
        let cell = Arc::clone(&self.cells.entry(key).or_insert_with(|| Arc::clone(&fresh)));
        let claimed = Arc::ptr_eq(&cell, &fresh);
        if !claimed {
            self.len.fetch_sub(1, Relaxed);
        }
        Ok((cell, claimed))
    }

    fn remove(&self, key: Key, this: &Arc<Mutex<Cell>>) {
        if self.cells.remove_if(&key, |_, found| Arc::ptr_eq(found, this)).is_some() {
            self.len.fetch_sub(1, Relaxed);
        }
    }

    /// Forgets keys whose window has passed.
    pub(super) fn forget_old(&self, now: u64, budget: usize) {
        let Some(mut oldest) = self.oldest.try_lock() else { return };
        for _ in 0..budget {
            let Some((until, key)) = oldest.take().or_else(|| self.old.pop()) else { return };
            if until > now {
                *oldest = Some((until, key));
                return;
            }
            let Some(shared) = self.cells.get(&key).map(|cell| Arc::clone(&cell)) else { continue };
            let Some(mut cell) = shared.try_lock() else {
                *oldest = Some((until, key)); // in use this instant: next time
                return;
            };
            if matches!(*cell, Cell::Done { until, .. } if until <= now) {
                *cell = Cell::Dead;
                self.remove(key, &shared);
            }
        }
    }
}

/// The one call that runs under a key; dropped without an answer, the key is free again.
struct Running<'a> {
    keys: &'a Keys,
    key: Key,
    cell: Arc<Mutex<Cell>>,
    answered: bool,
}

impl Running<'_> {
    fn answer(mut self, fingerprint: u128, answer: Answer, until: u64) {
        *self.cell.lock() = Cell::Done { fingerprint, answer, until };
        self.keys.old.push((until, self.key));
        self.answered = true;
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if !self.answered {
            *self.cell.lock() = Cell::Dead; // K2
            self.keys.remove(self.key, &self.cell);
        }
    }
}

impl Inventory {
    /// Runs a command, under its key if it has one, or answers what it was answered before; and counts a
    /// refusal, or that an answer was given again.
    pub(super) fn keyed<T: Keyed>(
        &self,
        channel: u16,
        key: Option<Key>,
        fingerprint: impl FnOnce() -> u128,
        run: impl FnOnce() -> T,
    ) -> Told<T> {
        let told = match key {
            Some(key) => self.under_key(key, fingerprint(), run),
            None => Told::First(run()),
        };
        match &told {
            Told::Again(_) => self.record(channel, Fact::Repeated),
            Told::First(answer) => {
                if let Some(why) = answer.why() {
                    self.record(channel, Fact::Refused { why });
                }
            }
        }
        told
    }

    fn under_key<T: Keyed>(&self, key: Key, fingerprint: u128, run: impl FnOnce() -> T) -> Told<T> {
        let now = self.time.now();
        self.keys.forget_old(now, FORGET_BESIDE);
        let running = loop {
            let (shared, claimed) = match self.keys.find_or_claim(key) {
                Ok(found) => found,
                Err(full) => return Told::First(T::full(full)),
            };
            if claimed || on(Break::KeyUnclaimed) {
                break Running { keys: &self.keys, key, cell: shared, answered: false };
            }
            let refuse = |error| Told::First(T::refuse(error));
            let Some(mut cell) = shared.lock_bounded() else { return refuse(KeyError::InFlight) };
            match &*cell {
                Cell::Dead => {
                    drop(cell);
                    self.keys.remove(key, &shared); // K2: who marked it may be stopped before this
                    continue;
                }
                Cell::Running => return refuse(KeyError::InFlight),
                Cell::Done { until, .. } if *until <= now => {
                    *cell = Cell::Running; // its window is over: the key starts anew
                    drop(cell);
                    break Running { keys: &self.keys, key, cell: shared, answered: false };
                }
                Cell::Done { fingerprint: known, answer, .. } => {
                    let same = (*known == fingerprint).then(|| T::replay(answer)).flatten();
                    return same.map_or_else(|| refuse(KeyError::Reused), Told::Again);
                }
            }
        };
        let outcome = run();
        if let Some(answer) = outcome.answer() {
            let until = self.time.arrival(self.tick().max(now)).saturating_add(self.keys.window_ms);
            running.answer(fingerprint, answer, until);
        }
        Told::First(outcome)
    }
}
