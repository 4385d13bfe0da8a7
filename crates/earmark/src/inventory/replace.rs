//! Replacing: an owner's new reservation takes the place of the old one, by the difference.
//!
//! While the old one is `Changing`, what the new one needs more is taken as a cart takes it, then the
//! new one is published, the old one ends, and what it held too much goes back. If anything is short the
//! old one stands as it was.

use super::answer::Reserved;
use super::cart::TakeRefused;
use super::owners::{OpenBook, OwnerBusy};
use super::request::{Item, Owner, ReserveRequest, Shortage};
use super::{Fact, Inventory, Lost};
use crate::error::{ReplaceError, RequestError, ReserveError, ShortItem};
use crate::quantity::Quantity;
use crate::reservation::id::ReservationId;
use crate::reservation::phase::{End, Phase};
use crate::seeded::{Break, on};

impl Inventory {
    /// Swaps an owner's reservation for another, atomically and by the difference: units that both hold
    /// are never free in between. The old id answers `Replaced`. The owner's caps are judged as if the
    /// old one were gone already. [`Shortage::TakeRest`](crate::Shortage::TakeRest) is refused here: the new
    /// reservation is made whole or not at all.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::new(3)?, &Cause::none())?;
    /// let request = ReserveRequest::new(Ttl::minutes(5)?).with_owner(inventory.owner("cart-17"));
    /// let two = request.clone().with_item(tee, Quantity::new(2)?);
    /// let three = request.with_item(tee, Quantity::new(3)?);
    /// let old = inventory.reserve_with(&two)?.detach();
    /// let new = inventory.replace(old, &three)?; // takes one more, not three
    /// assert_eq!(new.units, 3);
    /// assert!(matches!(inventory.confirm(old), Err(ConfirmError::Ended { end: End::Replaced, .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ReplaceError`]; the old reservation stands as it was.
    pub fn replace(&self, old: ReservationId, request: &ReserveRequest) -> Result<Reserved, ReplaceError> {
        let channel = request.channel_number();
        let (owner, items) = self.check_replacement(request).inspect_err(|error| self.refused(channel, error))?;
        let fingerprint = || self.hash(&(old.to_bits(), self.fingerprint("replace", request, &items)));
        self.keyed(channel, request.key, fingerprint, || {
            self.check_open()?;
            let now = self.time_to_begin(|time| time.now()).ok_or(ReplaceError::Contended { id: old })?;
            self.sweep_before(now);
            let replaced = self.with_owner(owner, now, |book| self.swap(book, old, request, &items, now));
            replaced.map_err(|busy| match busy {
                OwnerBusy::Contended => ReplaceError::Contended { id: old },
                OwnerBusy::Full(full) => ReserveError::from(full).into(),
            })?
        })
        .answer()
    }

    fn check_replacement(&self, request: &ReserveRequest) -> Result<(Owner, Vec<Item>), ReserveError> {
        let items = self.check_request(request)?;
        if request.shortage != Shortage::Refuse {
            return Err(RequestError::WholeOnly.into());
        }
        Ok((request.owner.ok_or(RequestError::NoOwner)?, items))
    }

    fn swap(
        &self,
        book: &OpenBook<'_>,
        old: ReservationId,
        request: &ReserveRequest,
        items: &[Item],
        now: u64,
    ) -> Result<Reserved, ReplaceError> {
        let lost = |lost| match lost {
            Lost::NotFound => ReplaceError::NotFound { id: old },
            Lost::Ended(end) => ReplaceError::Ended { id: old, end },
            Lost::Contended => ReplaceError::Contended { id: old },
            Lost::Phase(phase) => ReplaceError::WrongPhase { id: old, phase },
        };
        let claim = self.claim(now, request.ttl).map_err(ReserveError::from)?;
        let (changing, body, held, _) = self.open_live(old, |phase| phase == Phase::Reserved).map_err(lost)?;
        if self.owner_of(old.slot()) != request.owner {
            return Err(ReplaceError::NotOwner { id: old });
        }
        self.check_caps(book, items, Some(old), now)?;
        let more = surplus(items, &held);
        // I3: what somebody gives back because of a close is no shortage.
        let refused = |refused| self.check_open().err().unwrap_or_else(|| take_error(refused, items, &held));
        self.take_all(&more).map_err(refused)?;
        self.keep_open(&more)?;
        // Told first: no prefix of the log shows a unit promised to both (P6).
        self.record(body.channel, Fact::Ended { id: old, end: End::Replaced, units: held.units() });
        let reserved = self.publish(claim, items, request.channel_number(), Some(request));
        for back in surplus(&held, items) {
            if let Some(counter) = self.counter(back.line) {
                counter.end(0, back.quantity.get());
            }
        }
        self.leave_all(&more);
        if on(Break::ReplaceBlind) {
            return Ok(reserved); // the old one stands again, though its units went to the new one
        }
        changing.end(End::Replaced);
        self.finish(old, &body, now);
        Ok(reserved)
    }
}

/// What `wanted` has more than `held`, line by line; both in order of line number.
fn surplus(wanted: &[Item], held: &[Item]) -> Vec<Item> {
    let more = |item: &Item| {
        let at = held.binary_search_by_key(&item.line, |held| held.line);
        let held = at.map_or(0, |at| held[at].quantity.get());
        let quantity = Quantity::new(item.quantity.get().saturating_sub(held)).ok()?;
        Some(Item { line: item.line, quantity })
    };
    wanted.iter().filter_map(more).collect()
}

/// The refusal in terms of the whole new reservation: what the old one holds is there for it too.
fn take_error(refused: TakeRefused, items: &[Item], held: &[Item]) -> ReserveError {
    let short = match refused {
        TakeRefused::Contended(line) => return ReserveError::Contended { line },
        TakeRefused::Retired(line) => return ReserveError::Retired { line },
        TakeRefused::Unknown(line) => return ReserveError::UnknownLine { line },
        TakeRefused::Short(short) => short,
    };
    let units =
        |items: &[Item], line| items.binary_search_by_key(&line, |item| item.line).ok().map(|at| items[at].quantity);
    let whole = short.iter().map(|short| ShortItem {
        line: short.line,
        asked: units(items, short.line).unwrap_or(short.asked),
        available: short.available + units(held, short.line).map_or(0, Quantity::get),
    });
    let short: Vec<_> = whole.collect();
    match (items, &*short) {
        ([_], &[ShortItem { line, asked, available: 0 }]) => ReserveError::OutOfStock { line, asked },
        ([_], &[ShortItem { line, asked, available }]) => ReserveError::Insufficient { line, asked, available },
        _ => ReserveError::CartShort { short: short.into() },
    }
}

#[cfg(all(test, not(earmark_loom)))]
mod tests {
    use crate::*;

    /// Refused after a slot was claimed: no id was given, so none is found.
    #[test]
    fn p2_a_refused_call_leaves_no_reservation_behind() {
        let inventory = Inventory::new();
        let lines = ["TEE", "CAP"].map(|sku| inventory.declare(LineSpec::new(sku)).unwrap());
        let _ = inventory.receive(lines[0], Quantity::ONE, &Cause::none()).unwrap();
        let request = ReserveRequest::new(Ttl::MAX).with_owner(inventory.owner("ada"));
        let one = request.clone().with_item(lines[0], Quantity::ONE);
        let old = inventory.reserve_with(&one).unwrap().detach();
        let more = one.clone().with_item(lines[0], Quantity::ONE);
        assert!(matches!(inventory.replace(old, &more), Err(ReplaceError::Reserve(_))));
        let cart = one.with_item(lines[1], Quantity::ONE);
        assert!(matches!(inventory.reserve_with(&cart), Err(ReserveError::CartShort { .. })));
        for end in [End::Confirmed, End::Released, End::Expired, End::Replaced, End::Reacquired] {
            assert_eq!(inventory.reservations(&Filter::all().with_state(State::Ended(end))).count(), 0);
        }
        let slots = 0..inventory.slab.high_water();
        let ids = slots.map(|slot| inventory.id(slot, inventory.slab.get(slot).unwrap().snapshot().generation()));
        let found: Vec<_> = ids.filter_map(|id| inventory.get(id)).map(|found| found.id).collect();
        assert_eq!(found, [old]);
    }
}
