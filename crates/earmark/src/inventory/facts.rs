//! The narrow spot: every change of state passes `record`.
//!
//! It is called in the order that a log needs (P6): what takes stock is recorded after the counter
//! fell, what gives stock back before the counter rises. Today it counts, over all and for the channel
//! of the reservation, and with the feature `tracing` it tells; a journal hooks in here.

// These count; they order nothing. Plain atomics also in loom models, which need not explore them.
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crossbeam::utils::CachePadded;

use super::{Inventory, NO_CHANNEL};
use crate::error::why::{Refusal, Why};
use crate::lane::{Lane, Lanes};
use crate::reservation::id::ReservationId;
use crate::reservation::phase::{End, Phase};
use crate::sku::StockId;

/// How a line's books changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StockChange {
    Received,
    AdjustedUp,
    AdjustedDown,
    Blocked,
    Unblocked,
    /// Into the safety stock, or out of it.
    Buffered,
    Unbuffered,
    Shipped,
    OrderCancelled,
    TransferredOut,
    TransferredIn,
    Retired,
    Reinstated,
}

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
    /// Units came in, left, or changed place inside a line; or the line was closed, or opened.
    Stock {
        line: StockId,
        change: StockChange,
        units: u32,
    },
    Declared {
        line: StockId,
    },
    /// The inventory takes no new reservations.
    Closed,
    /// Nothing changed.
    Refused {
        why: Why,
    },
    /// A key stood for an answer, which was given again.
    Repeated,
}

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// How often everything happened since the inventory was made. Exact at rest; under load each
        /// number is a moment of its own.
        ///
        /// ```
        /// # use earmark::*;
        /// # let inventory = Inventory::new();
        /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
        /// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
        /// # let id = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.detach();
        /// let before = inventory.counts();
        /// inventory.confirm(id)?;
        /// assert!(inventory.confirm(id).is_err());
        /// let Counts { confirmed, refused_reservation, .. } = inventory.counts();
        /// assert_eq!((confirmed - before.confirmed, refused_reservation), (1, 1)); // rates are differences
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize))]
        #[non_exhaustive]
        pub struct Counts { $($(#[$doc])* pub $name: u64,)* }

        /// Counts that many threads add to.
        #[derive(Debug, Default)]
        pub(crate) struct Tally { $($name: AtomicU64,)* }

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
    /// Units received.
    received_units,
    /// Units that corrections brought into the books.
    adjusted_up_units,
    /// Units that corrections took off the books.
    adjusted_down_units,
    /// Units blocked.
    blocked_units,
    /// Units unblocked.
    unblocked_units,
    /// Units moved from one line to another.
    transferred_units,
    /// Lines declared.
    declared,
    /// Reservations refused for want of units.
    refused,
    /// Calls that were answered `contended`.
    contended,
    /// Reservations refused because of a cap of their owner.
    refused_owner_cap,
    /// Calls refused because a table is full.
    refused_full,
    /// Calls refused because their key was used for another command.
    refused_key_reused,
    /// Calls refused because another call with their key had not answered yet.
    refused_key_in_flight,
    /// Reservations refused because the inventory is closed.
    refused_closed,
    /// Reservations refused for what they asked: too many items, a TTL too long, a line that is retired or
    /// unknown.
    refused_request,
    /// Commands on stock refused by what the books say, or for what they asked.
    refused_stock,
    /// Calls on a reservation refused because it had ended, is unknown, or stands in another phase.
    refused_reservation,
    /// Calls answered again by what their key stands for.
    repeated,
    /// Guards whose drop did not release, because a payment ran or another call was changing the
    /// reservation: left to their deadline.
    drops_left,
    /// Readings that found the tick of a running driver more than `time_slack` behind.
    driver_late,
}

impl Tally {
    /// Counts a fact, from one thread of many.
    #[inline(never)]
    pub(crate) fn note(&self, fact: Fact) {
        self.count(fact, |counter, more| {
            counter.fetch_add(more, Relaxed);
        });
    }

    /// Counts a fact. Nobody else counts here: no locked instruction.
    #[inline(always)]
    fn note_own(&self, fact: Fact) {
        self.count(fact, |counter, more| counter.store(counter.load(Relaxed).wrapping_add(more), Relaxed));
    }

    /// Inlined, because the kind of fact is known where it is told: what is left is an addition or two.
    #[inline(always)]
    fn count(&self, fact: Fact, add: impl Fn(&AtomicU64, u64)) {
        match fact {
            Fact::Reserved { units, .. } => {
                add(&self.reserved, 1);
                add(&self.reserved_units, units);
            }
            Fact::Ended { end, units, .. } => {
                let (count, sum) = match end {
                    End::Confirmed => (&self.confirmed, &self.confirmed_units),
                    End::Released => (&self.released, &self.released_units),
                    End::Expired => (&self.expired, &self.expired_units),
                    End::Replaced => (&self.replaced, &self.replaced_units),
                    End::Reacquired => (&self.reacquired, &self.reacquired_units),
                };
                add(count, 1);
                add(sum, units);
            }
            Fact::PartReleased { units, .. } | Fact::PartReturned { units, .. } => add(&self.released_units, units),
            Fact::Extended { .. } => add(&self.extended, 1),
            Fact::Moved { phase, .. } => match phase {
                Phase::Paying => add(&self.payments_begun, 1),
                Phase::PaymentPending => add(&self.payments_pending, 1),
                Phase::InReview => add(&self.reviews, 1),
                Phase::Reserved => {}
            },
            Fact::Renewed { .. } | Fact::Closed => {} // no payment more than before, no reservation less
            Fact::Stock { change, units, .. } => {
                add(&self.stock_changes, 1);
                let sum = match change {
                    StockChange::Received => &self.received_units,
                    StockChange::AdjustedUp => &self.adjusted_up_units,
                    StockChange::AdjustedDown => &self.adjusted_down_units,
                    StockChange::Blocked => &self.blocked_units,
                    StockChange::Unblocked => &self.unblocked_units,
                    StockChange::Shipped => &self.shipped_units,
                    StockChange::OrderCancelled => &self.cancelled_units,
                    StockChange::TransferredIn => &self.transferred_units,
                    StockChange::TransferredOut | StockChange::Buffered | StockChange::Unbuffered => return,
                    StockChange::Retired | StockChange::Reinstated => return,
                };
                add(sum, u64::from(units));
            }
            Fact::Declared { .. } => add(&self.declared, 1),
            Fact::Refused { why } => {
                let count = match why {
                    Why::Short => &self.refused,
                    Why::Contended => &self.contended,
                    Why::OwnerCap => &self.refused_owner_cap,
                    Why::Full => &self.refused_full,
                    Why::KeyReused => &self.refused_key_reused,
                    Why::KeyInFlight => &self.refused_key_in_flight,
                    Why::Closed => &self.refused_closed,
                    Why::Request => &self.refused_request,
                    Why::Stock => &self.refused_stock,
                    Why::Reservation => &self.refused_reservation,
                };
                add(count, 1);
            }
            Fact::Repeated => add(&self.repeated, 1),
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        self.add_to(&mut counts);
        counts
    }
}

#[derive(Debug)]
pub(crate) struct Facts {
    tallies: Box<[CachePadded<Tally>]>,
    lanes: Lanes,
}

impl Facts {
    pub(crate) fn new(lanes: Lanes) -> Self {
        Self { tallies: (0..lanes.len()).map(|_| CachePadded::new(Tally::default())).collect(), lanes }
    }

    /// The narrow spot.
    #[inline(always)]
    pub(crate) fn record(&self, lane: Lane, fact: Fact) {
        if let Some(tally) = self.tallies.get(self.lanes.index(lane)) {
            match lane {
                Lane::Own(_) => tally.note_own(fact),
                Lane::Shared(_) => tally.note(fact),
            }
        }
        tell(fact);
    }

    pub(crate) fn drop_left(&self) {
        // The first shared lane: rare enough.
        self.tallies[self.lanes.index(Lane::Shared(0))].drops_left.fetch_add(1, Relaxed);
    }

    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for tally in &self.tallies {
            tally.add_to(&mut counts);
        }
        counts
    }
}

impl Inventory {
    /// Records something that happened, for all and for its channel.
    #[inline]
    pub(super) fn record(&self, channel: u16, fact: Fact) {
        self.record_on(self.lane(), channel, fact);
    }

    /// [`record`](Self::record) of a call that knows its lane.
    #[inline(always)]
    pub(super) fn record_on(&self, lane: Lane, channel: u16, fact: Fact) {
        self.facts.record(lane, fact);
        if channel != NO_CHANNEL {
            self.record_of_channel(channel, fact);
        }
    }

    #[cold]
    fn record_of_channel(&self, channel: u16, fact: Fact) {
        if let Some(channel) = self.channels.get(usize::from(channel)) {
            channel.tally.note(fact);
        }
    }

    /// Records a refusal; every public call that changes something does so once, where it answers.
    #[cold]
    pub(super) fn refused(&self, channel: u16, refusal: &impl Refusal) {
        self.record(channel, Fact::Refused { why: refusal.why() });
    }
}

/// A subscriber is the user's code: if it panics, the change it was told of goes through all the same.
#[cfg(feature = "tracing")]
fn tell(fact: Fact) {
    let told = std::panic::catch_unwind(|| match fact {
        Fact::Refused { .. } => tracing::debug!(target: "earmark", fact = ?fact),
        other => tracing::trace!(target: "earmark", fact = ?other),
    });
    if let Err(payload) = told {
        std::mem::forget(payload); // its drop is the user's code too
    }
}

#[cfg(not(feature = "tracing"))]
#[inline(always)]
fn tell(_fact: Fact) {}
