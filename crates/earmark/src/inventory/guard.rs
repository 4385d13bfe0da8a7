//! Guards: a reservation that is released unless somebody says otherwise.
//!
//! Dropping a guard never waits for another call, never reads the clock and never panics; with an owner, a
//! key, metadata or several items it takes a shard of a map for a moment. If a payment has begun, or
//! another call is changing the reservation that instant, it is left to its deadline and counted
//! (`Counts::drops_left`).

use std::sync::Arc;

use super::answer::Reserved;
use super::keys::Told;
use super::request::ReserveRequest;
use super::{Inventory, Lost};
use crate::clock::Timestamp;
use crate::error::{ConfirmError, ReleaseError, ReserveError};
use crate::reservation::id::ReservationId;

/// A reservation that borrows its inventory and is released when the guard is dropped.
///
/// Once a payment has begun, dropping the guard no longer releases: money may be on its way, so the
/// reservation is left to the payment's own deadline. Say [`release`](Self::release) when it failed.
/// The guard of an answer given again under its key ([`is_replay`](Self::is_replay)) releases nothing
/// on drop either: the first caller's guard does.
///
/// To keep the reservation beyond the guard, [`detach`](Self::detach) it: the bare id is all that
/// [`Inventory::confirm`] and the others need.
///
/// ```
/// # use earmark::*;
/// # let inventory = Inventory::new();
/// # let tee = inventory.declare(LineSpec::new("TEE"))?;
/// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
/// {
///     let _guard = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?;
///     assert_eq!(inventory.available(tee)?, 0);
/// } // changed our mind
/// assert_eq!(inventory.available(tee)?, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping the guard releases the reservation"]
pub struct Guard<'a> {
    inventory: &'a Inventory,
    reserved: Reserved,
    armed: bool,
    replay: bool,
}

impl<'a> Guard<'a> {
    #[inline]
    pub(super) const fn new(inventory: &'a Inventory, reserved: Reserved) -> Self {
        Self { inventory, reserved, armed: true, replay: false }
    }

    /// Of a repeated answer the first caller's guard is the owner.
    pub(super) const fn served(inventory: &'a Inventory, served: Told<Reserved>) -> Self {
        match served {
            Told::First(reserved) => Self::new(inventory, reserved),
            Told::Again(reserved) => Self { inventory, reserved, armed: false, replay: true },
        }
    }
}

/// A reservation that keeps its inventory alive and is released when the guard is dropped: for tasks
/// and structures that outlive a borrow. Otherwise like [`Guard`].
///
/// ```
/// # use earmark::*;
/// # use std::sync::Arc;
/// # let inventory = Arc::new(Inventory::new());
/// # let tee = inventory.declare(LineSpec::new("TEE"))?;
/// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
/// let request = ReserveRequest::new(Ttl::minutes(5)?).with_item(tee, Quantity::ONE);
/// let guard = inventory.reserve_owned(&request)?;
/// std::thread::spawn(move || guard.confirm()).join().expect("no panic")?;
/// assert_eq!(inventory.levels(tee)?.committed, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping the guard releases the reservation"]
pub struct OwnedGuard {
    inventory: Arc<Inventory>,
    reserved: Reserved,
    armed: bool,
    replay: bool,
}

macro_rules! guard {
    ($guard:ty, $setup:literal, $make:literal, $first:literal, $again:literal) => {
        impl std::fmt::Debug for $guard {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let mut shown = f.debug_struct(stringify!($guard));
                shown.field("reserved", &self.reserved).field("is_replay", &self.replay).finish_non_exhaustive()
            }
        }

        impl $guard {
            /// The reservation's name.
            ///
            /// ```
            #[doc = $setup]
            #[doc = $make]
            /// assert!(inventory.get(guard.id()).is_some());
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            #[must_use]
            pub const fn id(&self) -> ReservationId {
                self.reserved.id
            }

            /// Units set aside over all its lines when it was made; parts released since still count.
            ///
            /// ```
            #[doc = $setup]
            #[doc = $make]
            /// assert_eq!(guard.units(), 1);
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            #[must_use]
            pub const fn units(&self) -> u64 {
                self.reserved.units
            }

            /// When it expires, as of when it was made, on the engine's clock; where it was moved since,
            /// [`Inventory::get`] knows.
            ///
            /// ```
            #[doc = $setup]
            #[doc = $make]
            /// assert!(guard.deadline() > inventory.now());
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            #[must_use]
            pub const fn deadline(&self) -> Timestamp {
                self.reserved.deadline
            }

            /// All three: the answer that a bare reserve would have given.
            ///
            /// ```
            #[doc = $setup]
            #[doc = $make]
            /// assert_eq!(guard.reserved().id, guard.id());
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            pub const fn reserved(&self) -> Reserved {
                self.reserved
            }

            /// Whether this answer was given before, to an earlier call with the same key (P7). The
            /// reservation is that caller's: dropping this guard releases nothing, and it may have ended
            /// since ([`Inventory::get`] knows). `confirm` and `release` act on it all the same.
            ///
            /// ```
            #[doc = $setup]
            /// let request = ReserveRequest::new(Ttl::minutes(5)?).with_item(tee, Quantity::ONE);
            /// let request = request.with_key(inventory.key("checkout-17"));
            #[doc = $first]
            #[doc = $again]
            /// assert_eq!((first.is_replay(), again.is_replay()), (false, true));
            /// drop(again);
            /// assert_eq!(inventory.available(tee)?, 0); // still set aside for the first caller
            /// # drop(first);
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            #[must_use]
            pub const fn is_replay(&self) -> bool {
                self.replay
            }

            /// Confirms the reservation: [`Inventory::confirm`]. Whatever the answer, nothing is released
            /// on drop any more: after `Contended` the reservation stands until it is ended by its id, or
            /// expires.
            ///
            /// ```
            #[doc = $setup]
            #[doc = $make]
            /// guard.confirm()?;
            /// assert_eq!(inventory.levels(tee)?.committed, 1);
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            ///
            /// # Errors
            /// [`ConfirmError`], as with [`Inventory::confirm`].
            #[inline]
            pub fn confirm(mut self) -> Result<(), ConfirmError> {
                self.armed = false; // before the call: also if the user's clock panics in it
                self.inventory.confirm(self.reserved.id)
            }

            /// Releases the reservation and tells how it went: [`Inventory::release`]. After `Contended`
            /// it stands until it is ended by its id, or expires.
            ///
            /// ```
            #[doc = $setup]
            #[doc = $make]
            /// guard.release()?;
            /// assert_eq!(inventory.available(tee)?, 1);
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            ///
            /// # Errors
            /// [`ReleaseError`], as with [`Inventory::release`].
            #[inline]
            pub fn release(mut self) -> Result<(), ReleaseError> {
                self.armed = false;
                self.inventory.release(self.reserved.id)
            }

            /// Gives up the guard and keeps the reservation: it lives until it is ended by its id, or
            /// expires.
            ///
            /// ```
            #[doc = $setup]
            #[doc = $make]
            /// let id = guard.detach();
            /// assert_eq!(inventory.available(tee)?, 0); // still set aside
            /// inventory.confirm(id)?;
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            #[inline]
            #[must_use = "without its id the reservation can only expire"]
            pub fn detach(mut self) -> ReservationId {
                self.armed = false;
                self.reserved.id
            }
        }

        impl Drop for $guard {
            #[inline]
            fn drop(&mut self) {
                if self.armed {
                    self.inventory.drop_guarded(self.reserved.id);
                }
            }
        }
    };
}

guard!(
    Guard<'_>,
    "# use earmark::*;
# let inventory = Inventory::new();
# let tee = inventory.declare(LineSpec::new(\"TEE\"))?;
# inventory.receive(tee, Quantity::ONE, &Cause::none())?;",
    "let guard = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?;",
    "let first = inventory.reserve_with(&request)?;",
    "let again = inventory.reserve_with(&request)?;"
);
guard!(
    OwnedGuard,
    "# use earmark::*;
# let inventory = std::sync::Arc::new(Inventory::new());
# let tee = inventory.declare(LineSpec::new(\"TEE\"))?;
# inventory.receive(tee, Quantity::ONE, &Cause::none())?;
# let request = ReserveRequest::new(Ttl::minutes(5)?).with_item(tee, Quantity::ONE);",
    "let guard = inventory.reserve_owned(&request)?;",
    "let first = inventory.reserve_owned(&request)?;",
    "let again = inventory.reserve_owned(&request)?;"
);

impl Inventory {
    /// [`reserve_with`](Self::reserve_with) for a guard that keeps the inventory alive.
    ///
    /// ```
    /// # use earmark::*;
    /// # use std::sync::Arc;
    /// let inventory = Arc::new(Inventory::new());
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
    /// let request = ReserveRequest::new(Ttl::minutes(5)?).with_item(tee, Quantity::ONE);
    /// let guard: OwnedGuard = inventory.reserve_owned(&request)?;
    /// assert_eq!(guard.units(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ReserveError`]; nothing was taken.
    pub fn reserve_owned(self: &Arc<Self>, request: &ReserveRequest) -> Result<OwnedGuard, ReserveError> {
        let served = self.serve(request)?;
        let replay = matches!(served, Told::Again(_));
        Ok(OwnedGuard { inventory: Arc::clone(self), reserved: served.answer(), armed: !replay, replay })
    }

    /// A guard is gone. That the reservation ended before is fine.
    fn drop_guarded(&self, id: ReservationId) {
        if let Err(Lost::Contended | Lost::Phase(_)) = self.release_at_once(id) {
            self.facts.drop_left();
        }
    }
}

#[cfg(all(test, not(earmark_loom)))]
mod tests {
    use crate::reservation::phase::Phase;
    use crate::*;

    fn stocked() -> (Inventory, StockId) {
        let inventory = Inventory::new();
        let tee = inventory.declare(LineSpec::new("TEE")).unwrap();
        let _ = inventory.receive(tee, Quantity::new(2).unwrap(), &Cause::none()).unwrap();
        (inventory, tee)
    }

    #[test]
    fn drop_releases_and_a_detached_or_ended_one_does_not() {
        let (inventory, tee) = stocked();
        let reserve = || inventory.reserve(tee, Quantity::ONE, Ttl::minutes(1).unwrap()).unwrap();
        drop(reserve());
        assert_eq!(inventory.available(tee).unwrap(), 2);
        let guard = reserve();
        inventory.confirm(guard.id()).unwrap();
        drop(guard);
        let id = reserve().detach();
        assert_eq!(inventory.available(tee).unwrap(), 0);
        inventory.release(id).unwrap();
        assert_eq!((inventory.available(tee).unwrap(), inventory.counts().drops_left), (1, 0));
    }

    #[test]
    fn a_drop_that_meets_another_call_leaves_it_to_the_deadline() {
        let (inventory, tee) = stocked();
        let guard = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(1).unwrap()).unwrap();
        let id = guard.id();
        let locked = inventory.open_live(id, |phase| phase == Phase::Reserved).unwrap();
        drop(guard);
        assert_eq!(inventory.counts().drops_left, 1);
        drop(locked);
        inventory.release(id).unwrap();
    }

    #[test]
    fn a_drop_while_a_payment_runs_leaves_it_to_the_payments_deadline() {
        let (inventory, tee) = stocked();
        let guard = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(1).unwrap()).unwrap();
        let id = guard.id();
        let _ = inventory.begin_payment(id).unwrap();
        drop(guard); // the caller panicked, or was cancelled, while the provider charges
        assert_eq!((inventory.available(tee).unwrap(), inventory.counts().drops_left), (1, 1));
        inventory.confirm(id).unwrap();
    }

    /// The answer was lost and is asked for again: two guards, one reservation. The first one owns it.
    #[test]
    fn p7_the_guard_of_a_repeated_answer_releases_nothing_on_drop() {
        let (inventory, tee) = stocked();
        let inventory = std::sync::Arc::new(inventory);
        let request = ReserveRequest::new(Ttl::minutes(1).unwrap()).with_item(tee, Quantity::ONE);
        let keyed = request.clone().with_key(inventory.key("k"));
        let first = inventory.reserve_with(&keyed).unwrap();
        let again = inventory.reserve_with(&keyed).unwrap();
        assert_eq!((again.reserved(), again.is_replay(), first.is_replay()), (first.reserved(), true, false));
        drop(again);
        drop(inventory.reserve_owned(&keyed).unwrap());
        assert_eq!(inventory.available(tee).unwrap(), 1);
        let id = first.id();
        drop(first);
        assert_eq!((inventory.available(tee).unwrap(), inventory.counts().drops_left), (2, 0));
        // The answer stands, what it tells of has ended.
        assert_eq!(inventory.reserve_with(&keyed).map(|guard| guard.id()), Ok(id));
        assert_eq!(inventory.get(id).map(|found| found.state), Some(State::Ended(End::Released)));
        // Said aloud, it acts on the reservation all the same.
        let other = request.with_key(inventory.key("another"));
        let _kept = inventory.reserve_with(&other).unwrap().detach();
        inventory.reserve_with(&other).unwrap().confirm().unwrap();
        assert_eq!(inventory.levels(tee).unwrap().committed, 1);
    }

    #[test]
    fn what_is_printed_is_short_and_tells_no_secret() {
        let (inventory, tee) = stocked();
        let guard = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(1).unwrap()).unwrap();
        let (shown, id) = (format!("{guard:?} {inventory:?}"), guard.id().to_string());
        assert!(shown.contains(&id) && shown.contains("lines: 1") && shown.len() < 300, "{shown}");
        assert!(!shown.contains("hash_key"));
    }

    #[test]
    fn guards_cross_threads() {
        const fn send_sync<T: Send + Sync>() {}
        send_sync::<Guard<'_>>();
        send_sync::<OwnedGuard>();
    }
}
