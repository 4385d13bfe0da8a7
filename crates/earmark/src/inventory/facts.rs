//! The narrow spot: every change of state passes `record`.
//!
//! It is called in the order that a log needs (P6): what takes stock is recorded after the counter
//! fell, what gives stock back before the counter rises. Today it counts, and with the feature
//! `tracing` it tells; a journal hooks in here.

// These count; they order nothing. Plain atomics also in loom models, which need not explore them.
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crossbeam::utils::CachePadded;

use crate::reservation::id::ReservationId;
use crate::reservation::state::{End, Phase};
use crate::sku::StockId;

/// Something that happened.
#[derive(Debug, Clone, Copy)]
#[allow(dead_code, reason = "counted here; read whole by whoever listens")]
pub(crate) enum Fact {
    Reserved {
        id: ReservationId,
        units: u64,
        deadline: u64,
    },
    Ended {
        id: ReservationId,
        end: End,
        units: u64,
    },
    /// A part went back; the reservation goes on.
    PartReleased {
        id: ReservationId,
        units: u64,
    },
    /// Of a reservation confirmed in part: what went back.
    PartReturned {
        id: ReservationId,
        units: u64,
    },
    Extended {
        id: ReservationId,
        deadline: u64,
    },
    /// From another phase.
    Moved {
        id: ReservationId,
        phase: Phase,
        deadline: u64,
    },
    /// Asked for again in the phase where it stands: new time, nothing else.
    Renewed {
        id: ReservationId,
        phase: Phase,
        deadline: u64,
    },
    /// Units came in, left, or changed place inside a line. `committed`: they were confirmed ones.
    Stock {
        line: StockId,
        what: &'static str,
        units: u32,
        committed: bool,
    },
    Refused {
        line: StockId,
        contended: bool,
    },
}

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// How often everything happened since the inventory was made. Exact at rest; under load each
        /// number is a moment of its own.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize))]
        #[non_exhaustive]
        pub struct Counts { $($(#[$doc])* pub $name: u64,)* }

        #[derive(Debug, Default)]
        struct Tally { $($name: AtomicU64,)* }

        impl Tally {
            fn add_to(&self, counts: &mut Counts) {
                $(counts.$name = counts.$name.wrapping_add(self.$name.load(Relaxed));)*
            }
        }

        #[cfg(feature = "metrics")]
        impl Counts {
            /// Each count with its name.
            pub(crate) fn each(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name),)*].into_iter()
            }
        }
    };
}

counts! {
    /// Reservations made.
    reserved,
    /// Units in them.
    reserved_units,
    /// Reservations confirmed, whole or in part.
    confirmed,
    /// Units confirmed, reacquired ones not included.
    confirmed_units,
    /// Reservations released whole.
    released,
    /// Units released, whole or in part.
    released_units,
    /// Reservations that expired.
    expired,
    /// Units of them.
    expired_units,
    /// Reservations replaced by another of their owner.
    replaced,
    /// Units of them; those the new reservation kept included.
    replaced_units,
    /// Expired reservations whose units were taken again for a late payment.
    reacquired,
    /// Units of them.
    reacquired_units,
    /// Deadlines moved.
    extended,
    /// Payments begun; asking again for one that runs does not count.
    payments_begun,
    /// Payments whose outcome became unknown; saying so again does not count.
    payments_pending,
    /// Reservations that came to wait for a person.
    reviews,
    /// Commands on stock that changed something.
    stock_changes,
    /// Confirmed units that were shipped.
    shipped_units,
    /// Confirmed units whose order was cancelled.
    cancelled_units,
    /// Reserve calls refused for want of units.
    refused,
    /// Calls that were answered `contended`.
    contended,
    /// Guards whose drop did not release, because a payment ran or another call was changing the
    /// reservation: left to their deadline.
    drops_left,
    /// Readings that found the tick of a running driver more than `time_slack` behind.
    driver_late,
}

#[derive(Debug)]
pub(crate) struct Facts {
    lanes: Box<[CachePadded<Tally>]>,
}

impl Facts {
    pub(crate) fn new(lanes: usize) -> Self {
        Self { lanes: (0..lanes.max(1)).map(|_| CachePadded::new(Tally::default())).collect() }
    }

    /// The narrow spot.
    #[inline]
    pub(crate) fn record(&self, lane: usize, fact: Fact) {
        let tally = &self.lanes[lane % self.lanes.len()];
        let add = |counter: &AtomicU64, more: u64| {
            counter.fetch_add(more, Relaxed);
        };
        match fact {
            Fact::Reserved { units, .. } => {
                add(&tally.reserved, 1);
                add(&tally.reserved_units, units);
            }
            Fact::Ended { end, units, .. } => {
                let (count, sum) = match end {
                    End::Confirmed => (&tally.confirmed, &tally.confirmed_units),
                    End::Released => (&tally.released, &tally.released_units),
                    End::Expired => (&tally.expired, &tally.expired_units),
                    End::Replaced => (&tally.replaced, &tally.replaced_units),
                    End::Reacquired => (&tally.reacquired, &tally.reacquired_units),
                };
                add(count, 1);
                add(sum, units);
            }
            Fact::PartReleased { units, .. } | Fact::PartReturned { units, .. } => add(&tally.released_units, units),
            Fact::Extended { .. } => add(&tally.extended, 1),
            Fact::Moved { phase, .. } => match phase {
                Phase::Paying => add(&tally.payments_begun, 1),
                Phase::PaymentPending => add(&tally.payments_pending, 1),
                Phase::InReview => add(&tally.reviews, 1),
                Phase::Reserved => {}
            },
            Fact::Renewed { .. } => {} // no payment more than before
            Fact::Stock { what, units, committed, .. } => {
                add(&tally.stock_changes, 1);
                match (committed, what) {
                    (true, "ship") => add(&tally.shipped_units, u64::from(units)),
                    (true, _) => add(&tally.cancelled_units, u64::from(units)),
                    (false, _) => {}
                }
            }
            Fact::Refused { contended: true, .. } => add(&tally.contended, 1),
            Fact::Refused { contended: false, .. } => add(&tally.refused, 1),
        }
        tell(fact);
    }

    pub(crate) fn drop_left(&self, lane: usize) {
        self.lanes[lane % self.lanes.len()].drops_left.fetch_add(1, Relaxed);
    }

    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for lane in &self.lanes {
            lane.add_to(&mut counts);
        }
        counts
    }
}

/// A subscriber is the user's code: if it panics, the change it was told of goes through all the same.
#[cfg(feature = "tracing")]
fn tell(fact: Fact) {
    let told = std::panic::catch_unwind(|| match fact {
        Fact::Refused { contended: true, line } => tracing::debug!(target: "earmark", %line, "contended"),
        Fact::Refused { line, .. } => tracing::debug!(target: "earmark", %line, "refused"),
        other => tracing::trace!(target: "earmark", fact = ?other),
    });
    if let Err(payload) = told {
        std::mem::forget(payload); // its drop is the user's code too
    }
}

#[cfg(not(feature = "tracing"))]
#[inline(always)]
fn tell(_fact: Fact) {}
