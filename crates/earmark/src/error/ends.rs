//! Refusals of calls on a reservation.

use std::sync::Arc;
use std::time::Duration;

use super::{FullError, KeyError, ReserveError, ShortItem, ShortLines};
use crate::reservation::id::ReservationId;
use crate::reservation::phase::{End, Phase};
use crate::sku::StockId;

/// Why a reservation was not confirmed.
///
/// ```
/// # use earmark::*;
/// # let inventory = Inventory::new();
/// # let tee = inventory.declare(LineSpec::new("TEE"))?;
/// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
/// # let id = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.detach();
/// inventory.release(id)?; // by a call that was faster
/// let Err(refused @ ConfirmError::Ended { end: End::Released, .. }) = inventory.confirm(id) else { panic!() };
/// assert!(refused.to_string().ends_with("already released; reserve again if the units are still wanted"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfirmError {
    /// No such reservation, or it ended too long ago to say how.
    #[error("{id}: not found; it was never made here or ended too long ago to say how")]
    NotFound {
        /// The id asked for.
        id: ReservationId,
    },
    /// Another end won, or the deadline has come.
    #[error("{id}: already {end}; {}", after(*.end))]
    Ended {
        /// The id asked for.
        id: ReservationId,
        /// The end that won.
        end: End,
    },
    /// Another call is changing the reservation. Nothing was decided.
    #[error("{id}: contended; ask again shortly")]
    Contended {
        /// The id asked for.
        id: ReservationId,
    },
    /// The idempotency key stands against it.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A table of the engine is full.
    #[error(transparent)]
    Full(#[from] FullError),
}

/// Why a reservation was not released.
///
/// ```
/// # use earmark::*;
/// # let inventory = Inventory::new();
/// # let tee = inventory.declare(LineSpec::new("TEE"))?;
/// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
/// # let id = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.detach();
/// let elsewhere = Inventory::new(); // an id means something to the inventory that made it
/// assert_eq!(elsewhere.release(id), Err(ReleaseError::NotFound { id }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReleaseError {
    /// No such reservation, or it ended too long ago to say how.
    #[error("{id}: not found; it was never made here or ended too long ago to say how")]
    NotFound {
        /// The id asked for.
        id: ReservationId,
    },
    /// Another end won, or the deadline has come: its units are back, or committed.
    #[error("{id}: already {end}; nothing is left to release")]
    Ended {
        /// The id asked for.
        id: ReservationId,
        /// The end that won.
        end: End,
    },
    /// Another call is changing the reservation. Nothing was decided.
    #[error("{id}: contended; ask again shortly")]
    Contended {
        /// The id asked for.
        id: ReservationId,
    },
    /// The idempotency key stands against it.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A table of the engine is full.
    #[error(transparent)]
    Full(#[from] FullError),
}

/// Why only a part could not be confirmed or released. Nothing changed.
///
/// ```
/// # use earmark::*;
/// # let inventory = Inventory::new();
/// # let tee = inventory.declare(LineSpec::new("TEE"))?;
/// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
/// # let id = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.detach();
/// let all = [Item { line: tee, quantity: Quantity::ONE }];
/// assert_eq!(inventory.release_part(id, &all), Err(PartError::Whole { id }));
/// let more = [Item { line: tee, quantity: Quantity::new(2)? }];
/// assert!(matches!(inventory.confirm_part(id, &more), Err(PartError::NotHeld { asked: 2, held: 1, .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PartError {
    /// No such reservation, or it ended too long ago to say how.
    #[error("{id}: not found; it was never made here or ended too long ago to say how")]
    NotFound {
        /// The id asked for.
        id: ReservationId,
    },
    /// Another end won, or the deadline has come.
    #[error("{id}: already {end}; no part of it can be moved")]
    Ended {
        /// The id asked for.
        id: ReservationId,
        /// The end that won.
        end: End,
    },
    /// Another call is changing the reservation. Nothing was decided.
    #[error("{id}: contended; ask again shortly")]
    Contended {
        /// The id asked for.
        id: ReservationId,
    },
    /// More than the reservation holds of a line.
    #[error("{id}: {line}: asked for {asked}, the reservation holds {held}; ask for at most that")]
    NotHeld {
        /// The id asked for.
        id: ReservationId,
        /// The line.
        line: StockId,
        /// Units asked for, equal lines added up.
        asked: u64,
        /// Units the reservation holds of it.
        held: u32,
    },
    /// The part names no line.
    #[error("{id}: the part names no line; name at least one item")]
    NoItems {
        /// The id asked for.
        id: ReservationId,
    },
    /// All of it, where only a part may go.
    #[error("{id}: that is all of it; release the whole reservation instead")]
    Whole {
        /// The id asked for.
        id: ReservationId,
    },
    /// The idempotency key stands against it.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A table of the engine is full.
    #[error(transparent)]
    Full(#[from] FullError),
}

/// Why a deadline was not moved.
///
/// ```
/// # use earmark::*;
/// # let inventory = Inventory::new();
/// # let tee = inventory.declare(LineSpec::new("TEE"))?;
/// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
/// # let id = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.detach();
/// inventory.begin_payment(id)?;
/// let refused = inventory.extend(id, Ttl::minutes(5)?);
/// assert_eq!(refused, Err(ExtendError::WrongPhase { id, phase: Phase::Paying }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExtendError {
    /// No such reservation, or it ended too long ago to say how.
    #[error("{id}: not found; it was never made here or ended too long ago to say how")]
    NotFound {
        /// The id asked for.
        id: ReservationId,
    },
    /// It has ended, or the deadline has come.
    #[error("{id}: already {end}; reserve again")]
    Ended {
        /// The id asked for.
        id: ReservationId,
        /// The end that won.
        end: End,
    },
    /// Another call is changing the reservation. Nothing was decided.
    #[error("{id}: contended; ask again shortly")]
    Contended {
        /// The id asked for.
        id: ReservationId,
    },
    /// Its longest life is used up.
    #[error("{id}: its longest life of {max:?} is used up; confirm it or reserve again")]
    LifeUsedUp {
        /// The id asked for.
        id: ReservationId,
        /// The setting `life_max`.
        max: Duration,
    },
    /// In this phase the deadline is not the holder's to move.
    #[error("{id}: {phase}, where its deadline cannot be extended")]
    WrongPhase {
        /// The id asked for.
        id: ReservationId,
        /// Its phase.
        phase: Phase,
    },
}

/// Why a reservation did not change its phase.
///
/// ```
/// # use earmark::*;
/// # use std::time::Duration;
/// # let clock = ManualClock::default();
/// # let inventory = Inventory::builder().clock(clock.clone()).build()?;
/// # let tee = inventory.declare(LineSpec::new("TEE"))?;
/// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
/// let id = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.detach();
/// clock.advance(Duration::from_secs(5 * 60));
/// match inventory.begin_payment(id) {
///     Ok(until) => panic!("charge the card by {until}"),
///     Err(PaymentError::Ended { end, .. }) => assert_eq!(end, End::Expired), // do not take the money
///     Err(other) => panic!("{other}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PaymentError {
    /// No such reservation, or it ended too long ago to say how.
    #[error("{id}: not found; it was never made here or ended too long ago to say how")]
    NotFound {
        /// The id asked for.
        id: ReservationId,
    },
    /// It has ended, or the deadline has come: do not take the money.
    #[error("{id}: already {end}; do not take the money, reserve again")]
    Ended {
        /// The id asked for.
        id: ReservationId,
        /// The end that won.
        end: End,
    },
    /// Another call is changing the reservation. Nothing was decided.
    #[error("{id}: contended; ask again shortly")]
    Contended {
        /// The id asked for.
        id: ReservationId,
    },
    /// The phase does not lead there.
    #[error("{id}: is {phase} already; a payment begins from `reserved` and is pending until a review")]
    WrongPhase {
        /// The id asked for.
        id: ReservationId,
        /// Its phase.
        phase: Phase,
    },
}

/// Why money that came late found no units.
///
/// ```
/// # use earmark::*;
/// # use std::time::Duration;
/// # let clock = ManualClock::default();
/// # let inventory = Inventory::builder().clock(clock.clone()).build()?;
/// # let tee = inventory.declare(LineSpec::new("TEE"))?;
/// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
/// let late = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.detach();
/// clock.advance(Duration::from_secs(5 * 60));
/// inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.confirm()?; // sold to somebody else
/// let Err(ReacquireError::Short { short, .. }) = inventory.confirm_or_reacquire(late) else { panic!() };
/// assert_eq!((short[0].line, short[0].available), (tee, 0)); // pay the money back
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReacquireError {
    /// No such reservation, or it ended too long ago: forgotten is refused, never guessed. If an earlier
    /// answer was lost, it may have been confirmed: `confirm_or_reacquire_with` knows for its key's window.
    #[error("{id}: not found; how it ended is forgotten. If your records do not show it confirmed, pay back")]
    NotFound {
        /// The id asked for.
        id: ReservationId,
    },
    /// It did not expire but ended otherwise.
    #[error("{id}: already {end}; {}", if matches!(.end, End::Confirmed | End::Reacquired) {
        "the committed units are yours"
    } else {
        "pay the money back, or reserve again"
    })]
    Ended {
        /// The id asked for.
        id: ReservationId,
        /// The end that won.
        end: End,
    },
    /// Another call is changing the reservation, or a shortage could not be settled. Nothing changed.
    #[error("{id}: contended; ask again shortly")]
    Contended {
        /// The id asked for.
        id: ReservationId,
    },
    /// Its units went to others meanwhile.
    #[error("{id}: its units went to others: {}; pay the money back", ShortLines(.short))]
    Short {
        /// The id asked for.
        id: ReservationId,
        /// Every short line.
        short: Arc<[ShortItem]>,
    },
    /// The idempotency key stands against it.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A table of the engine is full.
    #[error(transparent)]
    Full(#[from] FullError),
}

/// Why a review was not resolved.
///
/// ```
/// # use earmark::*;
/// # let inventory = Inventory::new();
/// # let tee = inventory.declare(LineSpec::new("TEE"))?;
/// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
/// # let id = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.detach();
/// let answers = inventory.resolve_reviews(&[id], Resolution::Release);
/// assert_eq!(answers, [Err(ReviewError::NotInReview { id, phase: Phase::Reserved })]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReviewError {
    /// No such reservation, or it ended too long ago to say how.
    #[error("{id}: not found; it was never made here or ended too long ago to say how")]
    NotFound {
        /// The id asked for.
        id: ReservationId,
    },
    /// Somebody resolved it before, or it ended otherwise.
    #[error("{id}: already {end}; nothing is left to resolve")]
    Ended {
        /// The id asked for.
        id: ReservationId,
        /// The end that won.
        end: End,
    },
    /// Another call is changing the reservation. Nothing was decided.
    #[error("{id}: contended; ask again shortly")]
    Contended {
        /// The id asked for.
        id: ReservationId,
    },
    /// It lives, and does not wait for a person.
    #[error("{id}: is {phase}, not in review; confirm or release it as its holder")]
    NotInReview {
        /// The id asked for.
        id: ReservationId,
        /// Its phase.
        phase: Phase,
    },
}

/// Why an owner's reservation was not replaced. The old one stands as it was.
///
/// ```
/// # use earmark::*;
/// # let inventory = Inventory::new();
/// # let tee = inventory.declare(LineSpec::new("TEE"))?;
/// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
/// # let id = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.detach();
/// let request = ReserveRequest::new(Ttl::minutes(5)?).with_item(tee, Quantity::ONE);
/// let bobs = request.with_owner(inventory.owner("bob"));
/// assert_eq!(inventory.replace(id, &bobs), Err(ReplaceError::NotOwner { id }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplaceError {
    /// No such reservation, or it ended too long ago to say how.
    #[error("{id}: not found; it was never made here or ended too long ago to say how")]
    NotFound {
        /// The id asked for.
        id: ReservationId,
    },
    /// It has ended, or the deadline has come.
    #[error("{id}: already {end}; reserve anew")]
    Ended {
        /// The id asked for.
        id: ReservationId,
        /// The end that won.
        end: End,
    },
    /// Another call is changing the reservation. Nothing was decided.
    #[error("{id}: contended; ask again shortly")]
    Contended {
        /// The id asked for.
        id: ReservationId,
    },
    /// A payment runs, or its outcome is unknown: what is being paid is not swapped.
    #[error("{id}: is {phase}; it cannot be replaced any more")]
    WrongPhase {
        /// The id asked for.
        id: ReservationId,
        /// Its phase.
        phase: Phase,
    },
    /// The reservation belongs to somebody else, or to nobody.
    #[error("{id}: does not belong to the owner of the request; replace only one's own")]
    NotOwner {
        /// The id asked for.
        id: ReservationId,
    },
    /// The new one was refused.
    #[error(transparent)]
    Reserve(#[from] ReserveError),
}

/// What to do when a confirm comes after the end.
const fn after(end: End) -> &'static str {
    match end {
        End::Confirmed | End::Reacquired => "the committed units are yours",
        End::Released | End::Expired | End::Replaced => "reserve again if the units are still wanted",
    }
}

#[cfg(all(test, not(earmark_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_confirm_after_the_end_says_whose_the_units_are() {
        let id = ReservationId::from_bits(1).unwrap();
        let text = |end| ConfirmError::Ended { id, end }.to_string();
        assert_eq!(text(End::Confirmed), format!("{id}: already confirmed; the committed units are yours"));
        assert_eq!(text(End::Reacquired), format!("{id}: already reacquired; the committed units are yours"));
        let again = "reserve again if the units are still wanted";
        assert_eq!(text(End::Expired), format!("{id}: already expired; {again}"));
        assert_eq!(text(End::Released), format!("{id}: already released; {again}"));
    }
}
