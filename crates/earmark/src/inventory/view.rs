//! Looking: reservations one by one and by filter, and what was counted. Changes nothing, save that what is
//! told as expired stays so (P2): a confirm that read the clock before the deadline, and was held up, loses.

use std::sync::Arc;

use super::extras::Kept;
use super::facts::{Counts, Tally};
use super::{Inventory, Item, NO_CHANNEL, Owner, Reservation, State};
use crate::clock::Timestamp;
use crate::quantity::Quantity;
use crate::reservation::id::ReservationId;
use crate::reservation::phase::{End, Phase};
use crate::reservation::slot::{Body, Slot};
use crate::reservation::state::{No, Snapshot, Standing};
use crate::sku::StockId;
use crate::sync::Pause;

/// Which reservations [`Inventory::reservations`] lists. Without a state: those that live.
///
/// ```
/// # use earmark::*;
/// # let inventory = Inventory::new();
/// let expired = Filter::all().with_state(State::Ended(End::Expired));
/// assert_eq!(inventory.reservations(&expired).count(), 0); // none has, so far
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Filter {
    line: Option<StockId>,
    owner: Option<Owner>,
    state: Option<State>,
}

impl Filter {
    /// Every reservation that lives.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
    /// # let id = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.detach();
    /// assert_eq!(inventory.reservations(&Filter::all()).count(), 1);
    /// inventory.release(id)?;
    /// assert_eq!(inventory.reservations(&Filter::all()).count(), 0); // it lives no more
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn all() -> Self {
        Self { line: None, owner: None, state: None }
    }

    /// Only those that hold units of this line. What has ended holds none.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
    /// # let id = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.detach();
    /// let cap = inventory.declare(LineSpec::new("CAP"))?;
    /// let on = |line| inventory.reservations(&Filter::all().with_line(line)).count();
    /// assert_eq!((on(tee), on(cap)), (1, 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn with_line(mut self, line: StockId) -> Self {
        self.line = Some(line);
        self
    }

    /// Only this owner's. What has ended may have forgotten its owner.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
    /// let ada = inventory.owner("ada");
    /// let request = ReserveRequest::new(Ttl::minutes(5)?).with_item(tee, Quantity::ONE).with_owner(ada);
    /// let guard = inventory.reserve_with(&request)?;
    /// let hers: Vec<_> = inventory.reservations(&Filter::all().with_owner(ada)).map(|found| found.id).collect();
    /// assert_eq!(hers, [guard.id()]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn with_owner(mut self, owner: Owner) -> Self {
        self.owner = Some(owner);
        self
    }

    /// Only those that stand here; with an end, those that ended so and are still remembered.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
    /// # let id = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.detach();
    /// inventory.begin_payment(id)?;
    /// let paying = Filter::all().with_state(State::Live(Phase::Paying));
    /// assert!(inventory.reservations(&paying).all(|found| found.id == id));
    /// assert_eq!(inventory.reservations(&Filter::all().with_state(State::Live(Phase::Reserved))).count(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn with_state(mut self, state: State) -> Self {
        self.state = Some(state);
        self
    }

    fn admits(&self, reservation: &Reservation) -> bool {
        let state = match self.state {
            Some(state) => reservation.state == state,
            None => matches!(reservation.state, State::Live(_)),
        };
        state
            && self.owner.is_none_or(|owner| reservation.owner == Some(owner))
            && self.line.is_none_or(|line| reservation.items.iter().any(|item| item.line == line))
    }
}

/// What happened under one channel since the inventory was made.
///
/// ```
/// # use earmark::*;
/// # let inventory = Inventory::new();
/// # let tee = inventory.declare(LineSpec::new("TEE"))?;
/// let request = ReserveRequest::new(Ttl::minutes(5)?).with_item(tee, Quantity::ONE);
/// let request = request.with_channel(inventory.channel("mobile")?);
/// assert!(inventory.reserve_with(&request).is_err()); // nothing was received yet
/// let of_mobile = &inventory.channel_counts()[0];
/// assert_eq!((&*of_mobile.label, of_mobile.counts.reserved, of_mobile.counts.refused), ("mobile", 0, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ChannelCounts {
    /// The channel's label.
    pub label: Arc<str>,
    /// Of [`Counts`] what concerns reservations made under it, and requests that named it. Commands on stock
    /// have no channel, nor have calls by id that are refused or answered again, and guards left to their
    /// deadline: those stay zero.
    pub counts: Counts,
}

/// A channel's label and counts.
#[derive(Debug)]
pub(super) struct ChannelTally {
    label: Arc<str>,
    pub(super) tally: Tally,
}

impl ChannelTally {
    pub(super) fn new(label: Arc<str>) -> Self {
        Self { label, tally: Tally::default() }
    }
}

/// State and content of a slot that belong to the same generation.
#[derive(Debug)]
pub(super) struct Looked {
    pub(super) snapshot: Snapshot,
    pub(super) body: Body,
    pub(super) kept: Kept,
}

impl Looked {
    /// What the slot holds, or held: lines with their units.
    pub(super) fn items(&self) -> impl Iterator<Item = (StockId, u32)> + '_ {
        let cart = if self.body.is_cart { self.kept.items() } else { &[] };
        let single = (!self.body.is_cart).then(|| (StockId::new(self.body.line), self.body.units));
        cart.iter().map(|item| (item.line, item.quantity.get())).chain(single)
    }
}

impl Inventory {
    /// Everything about one reservation; `None` if it was never made here or is forgotten.
    ///
    /// One whose time is up is told as expired, also if no sweep ran. One that another call is changing
    /// at this instant is waited for, a bounded time; if that call was stopped, the answer is
    /// [`Phase::Reserved`] with the items found and no deadline. Reads the clock.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
    /// let id = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.detach();
    /// let found = inventory.get(id).ok_or("not found")?;
    /// assert_eq!(found.state, State::Live(Phase::Reserved));
    /// assert_eq!(found.items, [Item { line: tee, quantity: Quantity::ONE }]);
    /// inventory.release(id)?;
    /// assert_eq!(inventory.get(id).map(|found| found.state), Some(State::Ended(End::Released)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn get(&self, id: ReservationId) -> Option<Reservation> {
        let now = self.read_clock();
        let looked = self.look_to_tell(id.slot(), self.slot(id).ok()?, now)?;
        (looked.snapshot.generation() == id.generation()).then(|| self.describe(id.slot(), &looked, now))?
    }

    /// The reservations that a filter admits, one after the other, in no order that means anything.
    ///
    /// Looks at every slot ever in use, as far as the iterator is driven: for pages and reports, not for the hot
    /// path. What lives of one owner is found in that owner's book, whatever else lives. Each entry is right when it is given; all of them together are no instant. Holds no lock between
    /// two entries. Reads the clock once, here.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::new(2)?, &Cause::none())?;
    /// let guard = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?;
    /// inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.confirm()?;
    /// let on_the_line: Vec<_> = inventory.reservations(&Filter::all().with_line(tee)).take(20).collect();
    /// assert_eq!(on_the_line[0].id, guard.id());
    /// assert_eq!(inventory.reservations(&Filter::all().with_state(State::Ended(End::Confirmed))).count(), 1);
    /// # drop(guard);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reservations<'a>(&'a self, filter: &Filter) -> impl Iterator<Item = Reservation> + use<'a> {
        let (now, filter) = (self.read_clock(), filter.clone());
        let ended = matches!(filter.state, Some(State::Ended(_)));
        let filter_owner = filter.owner.filter(|_| !ended);
        let found = move |index: u32| {
            let slot = self.slab.get(index)?;
            match slot.snapshot().standing() {
                Standing::Free | Standing::Claimed => return None,
                Standing::Ended(_) if !ended => return None,
                _ => {}
            }
            let looked = self.look_to_tell(index, slot, now)?;
            self.describe(index, &looked, now).filter(|found| filter.admits(found))
        };
        let listed = filter_owner.and_then(|owner| self.owned_by(owner));
        let all = if listed.is_some() { 0..0 } else { 0..self.slab.high_water() };
        let listed = listed.into_iter().flatten().map(|id| id.slot());
        listed.chain(all).filter_map(found)
    }

    /// How often everything happened. Sums up a few counters for each lane; no lock.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
    /// inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.confirm()?;
    /// let counts = inventory.counts();
    /// assert_eq!((counts.reserved, counts.confirmed, counts.confirmed_units), (1, 1, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts { driver_late: self.time.late(), ..self.facts.counts() }
    }

    /// The engine's time: the clock's, but never back. Reads the clock.
    ///
    /// ```
    /// # use earmark::*;
    /// let clock = ManualClock::new(Timestamp::from_millis(7));
    /// let inventory = Inventory::builder().clock(clock.clone()).build()?;
    /// assert_eq!(inventory.now(), Timestamp::from_millis(7));
    /// clock.set(Timestamp::from_millis(3));
    /// assert_eq!(inventory.now(), Timestamp::from_millis(7));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.read_clock())
    }

    /// What was counted for each channel, in order of first use. Reservations that named no channel are
    /// only in [`counts`](Self::counts).
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
    /// let mobile = inventory.channel("mobile")?;
    /// let request = ReserveRequest::new(Ttl::minutes(5)?).with_item(tee, Quantity::ONE).with_channel(mobile);
    /// inventory.reserve_with(&request)?.confirm()?;
    /// let counts = inventory.channel_counts();
    /// assert_eq!((&*counts[0].label, counts[0].counts.reserved, counts[0].counts.confirmed), ("mobile", 1, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn channel_counts(&self) -> Vec<ChannelCounts> {
        let named = |&(index, _): &(usize, &ChannelTally)| index != NO_CHANNEL as usize;
        let counts = |(_, channel): (usize, &ChannelTally)| {
            let (label, counts) = (Arc::clone(&channel.label), channel.tally.counts());
            ChannelCounts { label, counts }
        };
        self.channels.iter().filter(named).map(counts).collect()
    }

    /// Sets one counter of the `metrics` facade for each of [`counts`](Self::counts), `earmark_reserved_total`
    /// and so on; the same for each channel with its label, `earmark_channel_reserved_total{channel="mobile"}`;
    /// and a gauge for each number of [`usage`](Self::usage), `earmark_owners`. Call it whenever the numbers
    /// should be fresh, say before a scrape.
    ///
    /// ```
    /// # use earmark::*;
    /// let inventory = Inventory::new();
    /// inventory.publish_metrics(); // goes nowhere until a recorder is installed
    /// ```
    #[cfg(feature = "metrics")]
    pub fn publish_metrics(&self) {
        for (name, count) in self.counts().each() {
            metrics::counter!(format!("earmark_{name}_total")).absolute(count);
        }
        for ChannelCounts { label, counts } in self.channel_counts() {
            for (name, count) in counts.each() {
                let channel = label.to_string();
                metrics::counter!(format!("earmark_channel_{name}_total"), "channel" => channel).absolute(count);
            }
        }
        for (name, number) in self.usage().each() {
            metrics::gauge!(format!("earmark_{name}")).set(number as f64);
        }
    }

    /// Every slot that was ever published. Waits a bounded time at each one that is being changed.
    pub(super) fn slots(&self, now: u64) -> impl Iterator<Item = (u32, Looked)> {
        (0..self.slab.high_water()).filter_map(move |index| {
            let slot = self.slab.get(index)?;
            if matches!(slot.snapshot().standing(), Standing::Free | Standing::Claimed) {
                return None;
            }
            Some((index, self.look(index, slot, now)?))
        })
    }

    /// State, body and extra as they stood together. Waits a bounded time for whoever is changing them;
    /// after that the parts are of one generation, which is `None` only if the slot changes hands.
    pub(super) fn look(&self, index: u32, slot: &Slot, now: u64) -> Option<Looked> {
        let mut pause = Pause::new();
        loop {
            let (snapshot, body) = (slot.snapshot(), slot.body(now));
            let kept = if body.has_extra { self.kept_of(index) } else { Kept::default() };
            let after = slot.snapshot();
            if after == snapshot && snapshot.standing() != Standing::Changing {
                return Some(Looked { snapshot, body, kept });
            }
            if !pause.wait() {
                let same = after.generation() == snapshot.generation();
                return same.then_some(Looked { snapshot, body, kept });
            }
        }
    }

    /// [`look`](Self::look), and what is found overdue is made final before it is told (P2).
    fn look_to_tell(&self, index: u32, slot: &Slot, now: u64) -> Option<Looked> {
        let policy = self.settings.pending_policy;
        loop {
            let looked = self.look(index, slot, now)?;
            let (seen, generation) = (looked.snapshot, looked.snapshot.generation());
            let lives = matches!(seen.standing(), Standing::Live(_));
            if !lives || seen.in_time(generation, now, policy) != Err(No::Due) {
                return Some(looked);
            }
            // Overdue now; or somebody was faster, and it is looked at again.
            let _ = slot.update(|seen| seen.overdue(generation, now, policy));
        }
    }

    fn describe(&self, index: u32, looked: &Looked, now: u64) -> Option<Reservation> {
        let snapshot = looked.snapshot;
        let generation = snapshot.generation();
        let (state, deadline) = match snapshot.standing() {
            Standing::Free | Standing::Claimed => return None,
            Standing::Ended(end) => (State::Ended(end), None),
            Standing::Changing => (State::Live(Phase::Reserved), None),
            Standing::Overdue | Standing::Expiring => (State::Ended(End::Expired), None),
            Standing::Live(_) => match snapshot.in_time(generation, now, self.settings.pending_policy) {
                Ok(Phase::InReview) => (State::Live(Phase::InReview), None),
                Ok(phase) => (State::Live(phase), Some(Timestamp::from_millis(snapshot.deadline(now)))),
                Err(_) => (State::Ended(End::Expired), None),
            },
        };
        let items = match state {
            State::Live(_) => {
                let item = |(line, units)| Some(Item { line, quantity: Quantity::new(units).ok()? });
                looked.items().filter_map(item).collect()
            }
            State::Ended(_) => Vec::new(),
        };
        let channel = (looked.body.channel != NO_CHANNEL).then(|| self.channels.get(looked.body.channel.into()));
        Some(Reservation {
            id: self.id(index, generation),
            state,
            items,
            deadline,
            remaining: deadline.map(|deadline| deadline.since(Timestamp::from_millis(now))),
            born: Timestamp::from_millis(looked.body.born),
            owner: looked.kept.owner,
            channel: channel.flatten().map(|tally| Arc::clone(&tally.label)),
            key: looked.kept.key,
            metadata: looked.kept.metadata(),
        })
    }
}

#[cfg(all(test, not(earmark_loom)))]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Cause, LineSpec, ManualClock, ReserveRequest, Ttl};

    #[test]
    fn a_cart_tells_all_about_itself_and_expires_at_its_deadline() {
        let clock = ManualClock::new(Timestamp::from_millis(1_000));
        let inventory = Inventory::builder().clock(clock.clone()).build().unwrap();
        let lines = ["TEE", "CAP"].map(|sku| inventory.declare(LineSpec::new(sku)).unwrap());
        let mut request = ReserveRequest::new(Ttl::millis(50).unwrap())
            .with_owner(inventory.owner("ada"))
            .with_key(inventory.key("k"))
            .with_channel(inventory.channel("mobile").unwrap())
            .with_metadata("gift");
        for line in lines {
            inventory.receive(line, Quantity::ONE, &Cause::none()).unwrap();
            request = request.with_item(line, Quantity::ONE);
        }
        let id = inventory.reserve_with(&request).unwrap().detach();
        clock.advance(Duration::from_millis(49));
        let found = inventory.get(id).unwrap();
        assert_eq!(found.items, lines.map(|line| Item { line, quantity: Quantity::ONE }));
        assert_eq!((found.owner, found.key), (Some(inventory.owner("ada")), Some(inventory.key("k"))));
        assert_eq!((found.channel.as_deref(), found.metadata.as_deref()), (Some("mobile"), Some("gift")));
        assert_eq!((found.born.as_millis(), found.remaining), (1_000, Some(Duration::from_millis(1))));
        let of = |owner| inventory.reservations(&Filter::all().with_owner(inventory.owner(owner))).collect::<Vec<_>>();
        assert_eq!(of("ada"), [found]);
        assert_eq!(of("bob"), []);
        clock.advance(Duration::from_millis(1));
        let found = inventory.get(id).unwrap();
        assert_eq!((found.state, found.deadline), (State::Ended(End::Expired), None));
        assert!(found.items.is_empty());
        assert_eq!(inventory.reservations(&Filter::all()).count(), 0);
        let expired = Filter::all().with_state(State::Ended(End::Expired));
        assert_eq!(inventory.reservations(&expired).count(), 1);
    }

    #[test]
    fn ids_of_others_are_not_found() {
        let inventory = Inventory::new();
        let id = ReservationId::new(inventory.incarnation, 7, 1);
        assert_eq!(inventory.get(id), None);
        assert_eq!(inventory.get(ReservationId::new(!inventory.incarnation, 7, 1)), None);
    }
}
