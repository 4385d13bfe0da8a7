//! Taking: from a request to a promise.
//!
//! A single line is one compare-exchange on its word, the last step that can fail. Carts: `cart`.
//!
//! **I1** A slot is claimed, and its deadline known to the wheel, before units are taken; it is published
//! after. What fails in between gives back both. So whoever finds units gone finds a bound at or below
//! the deadline under which they went, also if the thread that took them is stopped (P4).
//! **I2** `insufficient` only after `judge_shortage` found, between two looks at the earliest deadline,
//! that the units were short, the line not hot, no cart midway, and nothing due (P4).
//! **I3** Between taking and publishing a reserve looks once more whether a close has come. The close
//! marks itself first and then meets the word of every line: of the two, one knows of the other.

use super::answer::Reserved;
use super::extras::keeps;
use super::guard::Guard;
use super::keys;
use super::owners::OwnerBusy;
use super::plain::Told;
use super::request::{Item, ReserveRequest, Shortage};
use super::time::Time;
use super::{Fact, Inventory, NO_CHANNEL, sum_items};
use crate::clock::{Timestamp, Ttl};
use crate::error::{FullError, RequestError, ReserveError, Table};
use crate::lane::Lane;
use crate::nursery::Mark;
use crate::quantity::Quantity;
use crate::reservation::slab::Taken;
use crate::reservation::slot::{Body, Slot};
use crate::seeded::{Break, Step, on, step};
use crate::sku::StockId;
use crate::stock::counter::{Counter, Refused};
use crate::sync::Pause;

/// Looks at a line after a close, for units that come back from a reserve that met it: a microsecond or two.
const CLOSE_LOOKS: usize = 64;

/// What a closer look at a shortage says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shortfall {
    /// Something changed; try again.
    Retry,
    /// The units were really not there.
    Settled { available: u32 },
    /// It could not be settled in bounded work.
    Contended,
}

/// A slot of one's own that is not published yet; dropped so, it is given back (I1).
#[derive(Debug)]
pub(super) struct Claim<'a> {
    inventory: &'a Inventory,
    lane: Lane,
    pub(super) slot: u32,
    pub(super) place: &'a Slot,
    young: Mark<'a>,
    pub(super) generation: u32,
    /// When the reservation begins and when it expires.
    now: u64,
    deadline: u64,
    published: bool,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if !self.published {
            self.place.abandon(self.generation);
            self.inventory.slab.give_back_unused(self.lane, self.slot);
        }
    }
}

impl Inventory {
    /// Sets units of one line aside: the hot path. Lock-free, allocates nothing once the slab has grown.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
    /// let guard = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?;
    /// assert!(matches!(
    ///     inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?),
    ///     Err(ReserveError::OutOfStock { .. })
    /// ));
    /// guard.confirm()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ReserveError`]; nothing was taken. `Insufficient` and `OutOfStock` are true at some moment
    /// inside the call (P4); `Contended` decided nothing.
    #[inline]
    pub fn reserve(&self, line: StockId, quantity: Quantity, ttl: Ttl) -> Result<Guard<'_>, ReserveError> {
        let units = quantity.get();
        match self.reserve_plain(line, units, ttl.as_millis()).told() {
            Told::Taken { slot, generation, deadline } => {
                let (id, deadline) = (self.id(slot, generation), Timestamp::from_millis(deadline));
                Ok(Guard::new(self, Reserved { id, units: u64::from(units), deadline }))
            }
            Told::Short { available: 0 } => Err(ReserveError::OutOfStock { line, asked: quantity }),
            Told::Short { available } => Err(ReserveError::Insufficient { line, asked: quantity, available }),
            Told::LongWay => match self.reserve_the_long_way(Item { line, quantity }, ttl) {
                // Field by field: a guard that never lies in memory costs nothing.
                Ok(Reserved { id, units, deadline }) => Ok(Guard::new(self, Reserved { id, units, deadline })),
                Err(error) => Err(error),
            },
        }
    }

    #[cold]
    fn reserve_the_long_way(&self, item: Item, ttl: Ttl) -> Result<Reserved, ReserveError> {
        self.reserve_bare(item, ttl).inspect_err(|error| self.refused(NO_CHANNEL, error))
    }

    /// [`reserve`](Self::reserve) by name: lock-free too. The name costs about a hundred instructions and, where there
    /// are many lines, a cache miss; who sells the same line again keeps its [`StockId`].
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
    /// let guard = inventory.reserve_named("TEE", Quantity::ONE, Ttl::minutes(5)?)?;
    /// assert_eq!(inventory.available(tee)?, 0);
    /// let unknown = inventory.reserve_named("TIE", Quantity::ONE, Ttl::minutes(5)?);
    /// assert!(matches!(unknown, Err(ReserveError::UnknownName { .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ReserveError`], `UnknownName` among them.
    #[inline]
    pub fn reserve_named(&self, sku: &str, quantity: Quantity, ttl: Ttl) -> Result<Guard<'_>, ReserveError> {
        self.reserve_found(sku, None, quantity, ttl)
    }

    /// [`reserve`](Self::reserve) by SKU and location.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// let berlin = inventory.declare(LineSpec::new("TEE").with_location("berlin"))?;
    /// inventory.receive(berlin, Quantity::ONE, &Cause::none())?;
    /// inventory.reserve_named_at("TEE", "berlin", Quantity::ONE, Ttl::minutes(5)?)?.confirm()?;
    /// let Err(refused) = inventory.reserve_named_at("TEE", "paris", Quantity::ONE, Ttl::MIN) else { panic!() };
    /// assert_eq!(refused.to_string(), "no line is called \"TEE\" at \"paris\"; declare it first");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ReserveError`], `UnknownName` among them.
    #[inline]
    pub fn reserve_named_at(
        &self,
        sku: &str,
        location: &str,
        quantity: Quantity,
        ttl: Ttl,
    ) -> Result<Guard<'_>, ReserveError> {
        self.reserve_found(sku, Some(location), quantity, ttl)
    }

    /// Serves a whole request: a cart, an owner, a key, a channel, metadata.
    ///
    /// With a key the same request is answered the same way inside the window (P7), also when it was
    /// refused on stock or caps. The reservation is the first caller's: the guard of a repeated answer
    /// ([`Guard::is_replay`]) releases nothing on drop.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::new(5)?, &Cause::none())?;
    /// let request = ReserveRequest::new(Ttl::minutes(5)?)
    ///     .with_item(tee, Quantity::new(2)?)
    ///     .with_owner(inventory.owner("ada"))
    ///     .with_key(inventory.key("cart 17"));
    /// let guard = inventory.reserve_with(&request)?;
    /// let again = inventory.reserve_with(&request)?; // the first answer was lost on its way
    /// assert_eq!((again.id(), again.is_replay()), (guard.id(), true));
    /// assert_eq!(inventory.available(tee)?, 3); // taken once
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ReserveError`]; nothing was taken. A cart's `CartShort` lists every short line.
    pub fn reserve_with(&self, request: &ReserveRequest) -> Result<Guard<'_>, ReserveError> {
        self.serve(request).map(|served| Guard::served(self, served))
    }

    /// Serves several requests, each for itself, in order. Bare answers: nothing is released on drop.
    /// No atomicity over all of them: that is a cart, one request with several items.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::new(3)?, &Cause::none())?;
    /// let two = ReserveRequest::new(Ttl::minutes(5)?).with_item(tee, Quantity::new(2)?);
    /// let answers = inventory.reserve_batch(&[two.clone(), two]);
    /// assert_eq!(answers[0].as_ref().map(|reserved| reserved.units), Ok(2));
    /// assert!(matches!(answers[1], Err(ReserveError::Insufficient { available: 1, .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// For each request [`ReserveError`], as with [`reserve_with`](Self::reserve_with): of that one nothing was
    /// taken, and the others stand.
    pub fn reserve_batch(&self, requests: &[ReserveRequest]) -> Vec<Result<Reserved, ReserveError>> {
        requests.iter().map(|request| self.serve(request).map(keys::Told::answer)).collect()
    }

    fn reserve_bare(&self, item: Item, ttl: Ttl) -> Result<Reserved, ReserveError> {
        self.check_ttl(ttl)?;
        self.check_open()?;
        self.reserve_one(item, ttl, NO_CHANNEL, None, Shortage::Refuse)
    }

    #[inline]
    fn reserve_found(
        &self,
        sku: &str,
        location: Option<&str>,
        quantity: Quantity,
        ttl: Ttl,
    ) -> Result<Guard<'_>, ReserveError> {
        match self.lines.lookup(sku, location) {
            Some(line) => self.reserve(line, quantity, ttl),
            None => Err(self.unknown_name(sku, location)),
        }
    }

    #[cold]
    fn unknown_name(&self, sku: &str, location: Option<&str>) -> ReserveError {
        let unknown = ReserveError::UnknownName { sku: sku.into(), location: location.map(Into::into) };
        self.refused(NO_CHANNEL, &unknown);
        unknown
    }

    pub(super) fn serve(&self, request: &ReserveRequest) -> Result<keys::Told<Reserved>, ReserveError> {
        let channel = request.channel_number();
        let items = self.check_request(request).inspect_err(|error| self.refused(channel, error))?;
        let fingerprint = || self.fingerprint("reserve", request, &items);
        self.keyed(channel, request.key, fingerprint, || self.serve_owned(request, &items)).transpose()
    }

    /// The decoded command as a number: what a key's second use is compared with.
    pub(super) fn fingerprint(&self, what: &str, request: &ReserveRequest, items: &[Item]) -> u128 {
        let items: Vec<_> = items.iter().map(|item| (item.line.raw(), item.quantity.get())).collect();
        let owner = request.owner.map(super::Owner::to_bits);
        let channel = request.channel.map(|channel| channel.0);
        let rest = request.shortage == Shortage::TakeRest;
        self.hash(&(what, items, request.ttl.as_millis(), owner, channel, &request.metadata, rest))
    }

    fn serve_owned(&self, request: &ReserveRequest, items: &[Item]) -> Result<Reserved, ReserveError> {
        self.check_open()?; // here: what was answered before the close is answered again after it (P7)
        let Some(owner) = request.owner else { return self.take(request, items) };
        let Some(now) = self.time_to_begin(Time::now) else {
            return Err(ReserveError::Contended { line: items[0].line });
        };
        if on(Break::CapWithoutHold) {
            let judged = self.with_owner(owner, now, |book| self.check_caps(book, items, None, now));
            judged.map_err(|busy| owner_busy(busy, items))??;
            return self.take(request, items);
        }
        let served = self.with_owner(owner, now, |book| {
            let now = now.max(self.tick()); // a leap may have been followed since
            self.check_caps(book, items, None, now)?;
            self.take(request, items)
        });
        served.map_err(|busy| owner_busy(busy, items))?
    }

    fn take(&self, request: &ReserveRequest, items: &[Item]) -> Result<Reserved, ReserveError> {
        match items {
            [item] => self.reserve_one(*item, request.ttl, request.channel_number(), Some(request), request.shortage),
            _ => self.reserve_cart(request, items),
        }
    }

    /// One line.
    fn reserve_one(
        &self,
        item: Item,
        ttl: Ttl,
        channel: u16,
        request: Option<&ReserveRequest>,
        shortage: Shortage,
    ) -> Result<Reserved, ReserveError> {
        let Item { line, quantity } = item;
        let _world = on(Break::StopTheWorld).then(crate::seeded::stop_the_world);
        if on(Break::HotAllocation) {
            drop(std::hint::black_box(Box::new(item)));
        }
        let Some(counter) = self.counter(line) else { return Err(ReserveError::UnknownLine { line }) };
        // May panic with the user's clock: nothing is claimed yet.
        let now = self.time_to_begin(|time| time.before(ttl.as_millis()));
        let Some(now) = now else { return Err(ReserveError::Contended { line }) };
        let mut asked = quantity;
        let mut pause = Pause::new();
        loop {
            // Sold out is found by a load alone, before a slot is claimed.
            if counter.snapshot().may_take(asked.get()).is_ok() {
                let claim = self.claim(now, ttl)?;
                step(Step::Claimed);
                if self.take_units(line, counter, asked.get()).is_ok() {
                    step(Step::Taken);
                    if self.is_closed() && !on(Break::CloseBlind) {
                        counter.end(0, asked.get()); // I3
                        return Err(ReserveError::Closed);
                    }
                    return Ok(self.publish(claim, &[Item { line, quantity: asked }], channel, request));
                }
                // What was claimed goes back: a sweep of this call's own must not wait for it.
            }
            asked = self.less_or_refuse(counter, Item { line, quantity }, asked, shortage, &mut pause)?;
        }
    }

    /// The units to try next: as many as before, or, where that is wanted, what there is of them.
    #[cold]
    fn less_or_refuse(
        &self,
        counter: &Counter,
        wanted: Item,
        asked: Quantity,
        shortage: Shortage,
        pause: &mut Pause,
    ) -> Result<Quantity, ReserveError> {
        let Item { line, quantity } = wanted;
        let Err(refused) = counter.snapshot().take_here(asked.get()) else { return Ok(asked) };
        let Some(available) = self.explain(line, counter, refused, asked, pause)? else { return Ok(asked) };
        match (shortage, Quantity::new(available)) {
            (_, Err(_)) => Err(ReserveError::OutOfStock { line, asked: quantity }),
            (Shortage::TakeRest, Ok(rest)) => Ok(rest),
            (Shortage::Refuse, Ok(_)) => Err(ReserveError::Insufficient { line, asked: quantity, available }),
        }
    }

    /// Turns a refusal of the word into `None` (try again) or the settled number of available units.
    fn explain(
        &self,
        line: StockId,
        counter: &Counter,
        refused: Refused,
        asked: Quantity,
        pause: &mut Pause,
    ) -> Result<Option<u32>, ReserveError> {
        match refused {
            Refused::Retired => Err(ReserveError::Retired { line }),
            Refused::Crowded if pause.wait() => Ok(None),
            Refused::Crowded => Err(ReserveError::Contended { line }),
            Refused::Short { .. } | Refused::Hot => {
                if self.lines.line(line).is_none() {
                    return Err(ReserveError::UnknownLine { line });
                }
                match self.judge_shortage(line, counter, asked.get(), pause) {
                    Shortfall::Retry => Ok(None),
                    Shortfall::Settled { available } => {
                        self.check_open()?; // what somebody gives back because of a close (I3) is no shortage
                        Ok(Some(available))
                    }
                    Shortfall::Contended => Err(ReserveError::Contended { line }),
                }
            }
        }
    }

    /// I2: is the shortage real? Closes the line's stripes if it is hot, sweeps a little if something is due,
    /// waits a little if a cart is midway. Never takes the lock of a line's books.
    pub(super) fn judge_shortage(&self, line: StockId, counter: &Counter, units: u32, pause: &mut Pause) -> Shortfall {
        let before = if on(Break::BoundReadLate) { Some(u64::MAX) } else { self.wheel.earliest() };
        let word = counter.snapshot();
        if word.available() >= units {
            return Shortfall::Retry;
        }
        if word.is_unsure() {
            // Closed now, and looked at again: a line is not made hot so often that this could go on.
            let sure = word.hot() && !self.hot.cooled(line, counter).is_unsure();
            return if sure || pause.wait() { Shortfall::Retry } else { Shortfall::Contended };
        }
        let after = if on(Break::BoundReadEarly) { before } else { self.wheel.earliest() };
        let now = match (before, after) {
            (Some(before), Some(after)) => {
                // Nothing known was due while the word was read, if the bound lies ahead of a time read later.
                let bound = before.min(after);
                let now = self.time.toward(bound);
                if self.time.is_behind() {
                    return if self.catch_up() { Shortfall::Retry } else { Shortfall::Contended };
                }
                if bound > now {
                    if self.is_closed() && self.comes_back(line, counter, units) {
                        return Shortfall::Retry;
                    }
                    return Shortfall::Settled { available: word.available() };
                }
                now
            }
            _ => self.time.now(),
        };
        match self.help_sweep(now) {
            // Complete: what is due by now is back. Time goes on, so this too is tried a bounded number of times.
            Some(true) | None if pause.wait() => Shortfall::Retry,
            // Not complete, but enough is back.
            _ if counter.snapshot().available() >= units && pause.wait() => Shortfall::Retry,
            _ => Shortfall::Contended,
        }
    }

    /// After a close: whether a reserve that met it gives the units back this instant (I3). A brief look; who is
    /// held up between the two is taken to have held them.
    #[cold]
    fn comes_back(&self, line: StockId, counter: &Counter, units: u32) -> bool {
        let Some(word) = self.hot.whole(line, counter) else { return false };
        units - word.available().min(units) <= word.reserved()
            && (0..CLOSE_LOOKS).any(|_| {
                std::hint::spin_loop();
                counter.snapshot().available() >= units
            })
    }

    /// A slot of one's own, for a reservation that begins `now`; the wheel knows of it from here on (I1).
    pub(super) fn claim(&self, now: u64, ttl: Ttl) -> Result<Claim<'_>, FullError> {
        let lane = self.lane();
        let Taken { slot, place, young } = match self.slab.take(lane, now) {
            Some(taken) => taken,
            None => self.claim_after_sweep()?,
        };
        let now = now.max(self.tick()); // a leap may have been followed since
        let deadline = now + ttl.as_millis();
        let claim = Claim {
            inventory: self,
            lane,
            slot,
            place,
            young,
            generation: place.claim(deadline),
            now,
            deadline,
            published: false,
        };
        if !on(Break::PushLate) {
            self.wheel.push(young, slot, deadline);
        }
        Ok(claim)
    }

    /// The slab is full: perhaps of reservations whose time is up and that nobody swept.
    #[cold]
    fn claim_after_sweep(&self) -> Result<Taken<'_>, FullError> {
        let full = FullError { table: Table::Reservations, max: self.settings.reservations_max };
        let now = self.time_to_begin(Time::now).ok_or(full)?;
        self.help_sweep(now);
        let mut pause = Pause::new();
        self.slab.take_patiently(self.lane(), now, || pause.wait()).ok_or(full)
    }

    /// Fills and publishes a slot whose units were taken.
    pub(super) fn publish(
        &self,
        mut claim: Claim<'_>,
        items: &[Item],
        channel: u16,
        request: Option<&ReserveRequest>,
    ) -> Reserved {
        let is_cart = items.len() > 1;
        let kept = request.filter(|request| keeps(request, items));
        let has_extra = kept.is_some();
        let (line, units) = if is_cart { (0, 0) } else { (items[0].line.raw(), items[0].quantity.get()) };
        let units_all = items.iter().map(|item| u64::from(item.quantity.get())).sum();
        let deadline = claim.deadline;
        let id = self.id(claim.slot, claim.generation);
        claim.place.fill(Body { line, units, born: claim.now, channel, has_extra, is_cart });
        if let Some(request) = kept {
            self.keep(claim.slot, request, items);
        }
        // After the counter fell, and before anybody can end it.
        self.record(channel, Fact::Reserved { id, units: units_all, deadline });
        claim.published = true;
        claim.place.publish(claim.generation, deadline);
        step(Step::Published);
        if on(Break::PushLate) {
            self.wheel.push(claim.young, claim.slot, deadline);
        }
        Reserved { id, units: units_all, deadline: Timestamp::from_millis(deadline) }
    }

    #[inline]
    pub(super) fn check_open(&self) -> Result<(), ReserveError> {
        if self.is_closed() { Err(ReserveError::Closed) } else { Ok(()) }
    }

    #[inline]
    fn check_ttl(&self, ttl: Ttl) -> Result<(), ReserveError> {
        if ttl > self.settings.life_max {
            let (asked, max) = (ttl.as_duration(), self.settings.life_max.as_duration());
            return Err(RequestError::TtlTooLong { asked, max }.into());
        }
        Ok(())
    }

    /// Whether the request can be served at all; its items, equal lines added up.
    pub(super) fn check_request(&self, request: &ReserveRequest) -> Result<Vec<Item>, ReserveError> {
        self.check_ttl(request.ttl)?;
        let (items, max) = (request.items.len(), self.settings.items_max);
        if items == 0 {
            return Err(RequestError::NoItems.into());
        }
        if items > max {
            return Err(RequestError::TooManyItems { items, max }.into());
        }
        let (bytes, max) = (request.metadata.as_ref().map_or(0, |text| text.len()), self.settings.metadata_bytes_max);
        if bytes > max {
            return Err(RequestError::MetadataTooLong { bytes, max }.into());
        }
        if request.channel.is_some_and(|channel| self.channels.get(usize::from(channel.0)).is_none()) {
            return Err(RequestError::UnknownChannel.into());
        }
        Ok(sum_items(&request.items)?)
    }
}

fn owner_busy(busy: OwnerBusy, items: &[Item]) -> ReserveError {
    match busy {
        OwnerBusy::Full(full) => full.into(),
        OwnerBusy::Contended => ReserveError::Contended { line: items[0].line },
    }
}

#[cfg(all(test, not(earmark_loom)))]
mod tests {
    use crate::*;

    #[test]
    fn p7_an_answer_given_before_the_close_is_given_again_after_it() {
        let inventory = Inventory::new();
        let tee = inventory.declare(LineSpec::new("TEE")).unwrap();
        let _ = inventory.receive(tee, Quantity::ONE, &Cause::none()).unwrap();
        let ttl = Ttl::minutes(1).unwrap();
        let request = ReserveRequest::new(ttl).with_item(tee, Quantity::ONE).with_owner(inventory.owner("ada"));
        let keyed = |key: &str| request.clone().with_key(inventory.key(key));
        let first = inventory.reserve_with(&keyed("reserve")).unwrap().detach();
        let second = inventory.replace(first, &keyed("replace")).unwrap();
        let _ = inventory.close(CloseMode::Drain);
        assert_eq!(inventory.reserve_with(&keyed("reserve")).map(|guard| guard.detach()), Ok(first));
        assert_eq!(inventory.replace(first, &keyed("replace")), Ok(second));
        assert_eq!(inventory.reserve_with(&keyed("new")).map(|guard| guard.detach()), Err(ReserveError::Closed));
        let closed = Err(ReplaceError::Reserve(ReserveError::Closed));
        assert_eq!(inventory.replace(second.id, &keyed("another")), closed);
        assert_eq!(inventory.replace(second.id, &request), closed);
    }
}
