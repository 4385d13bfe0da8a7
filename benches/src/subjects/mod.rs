//! What is measured: earmark, and what a user would write instead, as an expert would write it.
//!
//! All of them do the same: set one unit aside until a deadline, confirm it, give it back, give back what is due,
//! tell how many are there. All take time from one shared number that somebody moves ([`Subject::set_now`]), none
//! reads a clock for each call; `moka` alone insists on its own. Of confirm, release and expire one wins, and a
//! confirm at or after the deadline is refused.
//!
//! [`Subject`] is one small trait, so that every workload is written once and compiled for each.

mod counter;
pub mod dashmap;
mod due;
pub mod earmark;
pub mod moka;
pub mod papaya;
pub mod semaphores;
pub mod sharded;

#[cfg(test)]
mod tests;

use std::borrow::Borrow;
use std::fmt::Debug;
use std::hash::Hash;

use crate::names::{Keys, Names, Texts};

/// What a subject opens with.
#[derive(Debug, Clone, Copy)]
pub struct Shop<'a> {
    /// A line for each name.
    pub names: &'a Names,
    /// Units of each line.
    pub stock: u32,
    /// The TTL of every reservation, for a subject that knows but one and lives in real time.
    pub ttl_ms: u64,
    /// Live reservations that must find room.
    pub room: usize,
}

/// What one call of expiry did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expired {
    /// Reservations whose units went back.
    pub expired: usize,
    /// Entries visited.
    pub looked: usize,
    /// Nothing due is left.
    pub complete: bool,
}

impl Expired {
    /// All that was due.
    pub(crate) const fn all(expired: usize) -> Self {
        Self { expired, looked: expired, complete: true }
    }
}

/// The books over all lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Units that can be reserved.
    pub available: u64,
    /// Units that live reservations hold.
    pub live: u64,
}

/// One way to keep stock and reservations. Every quantity is one unit.
pub trait Subject: Send + Sync + Sized + 'static {
    /// What a line is asked for by: a number or a name.
    type Asked: ?Sized + Sync;
    /// What a thread asks for, step by step.
    type Keys: Keys<Self::Asked>;
    /// A time to live, made before the loop, as who asks for the same one each time would.
    type Ttl: Copy + Send + Sync + 'static;
    /// What names a reservation.
    type Hold: Copy + Debug + PartialEq + Send + Sync + 'static;

    /// With these lines and this stock, at time 0.
    fn open(shop: &Shop<'_>) -> Self;
    /// This sequence of lines as this subject is asked for them.
    fn keys(&self, names: &Names, sequence: &[u32]) -> Self::Keys;
    /// So many milliseconds.
    fn ttl(ttl_ms: u64) -> Self::Ttl;
    /// Sets one unit aside; `None` if there is none.
    fn reserve(&self, line: &Self::Asked, ttl: Self::Ttl) -> Option<Self::Hold>;
    /// Ends a reservation, its unit sold; `false` if it has ended or its time is up.
    fn confirm(&self, hold: Self::Hold) -> bool;
    /// Ends a reservation, its unit back; `false` if it has ended or its time is up.
    fn release(&self, hold: Self::Hold) -> bool;
    /// Units that can be reserved now.
    fn available(&self, line: &Self::Asked) -> u64;
    /// Moves time on.
    fn set_now(&self, now_ms: u64);
    /// One call of what gives back what is due.
    fn expire(&self) -> Expired;
    /// The books, at rest.
    fn totals(&self) -> Totals;
    /// What a thread does once before it calls anything else.
    fn enter(&self) -> impl Sized {}
}

/// How a rival's lines are found.
pub trait By: Send + Sync + 'static {
    /// What a map keeps.
    type Owned: Borrow<Self::Asked> + Clone + Debug + Eq + Hash + Send + Sync + 'static;
    /// What it is asked for.
    type Asked: ?Sized + Eq + Hash + Sync;
    /// What a thread asks for.
    type Keys: Keys<Self::Asked>;

    /// The key under which a line is kept.
    fn owned(names: &Names, line: u32) -> Self::Owned;
    /// A sequence of keys.
    fn keys(names: &Names, sequence: &[u32]) -> Self::Keys;
}

/// By the line's number.
#[derive(Debug)]
pub struct ById;

/// By the line's name.
#[derive(Debug)]
pub struct ByName;

impl By for ById {
    type Owned = u32;
    type Asked = u32;
    type Keys = Vec<u32>;

    fn owned(_: &Names, line: u32) -> u32 {
        line
    }

    fn keys(_: &Names, sequence: &[u32]) -> Vec<u32> {
        sequence.to_vec()
    }
}

impl By for ByName {
    type Owned = Box<str>;
    type Asked = str;
    type Keys = Texts;

    fn owned(names: &Names, line: u32) -> Box<str> {
        names.of(line).into()
    }

    fn keys(names: &Names, sequence: &[u32]) -> Texts {
        Texts::new(names, sequence)
    }
}
