//! The plain-map reference: what the documentation says, in code too simple to be wrong.
//!
//! No atomics, no slots, no wheel. What a line has available is computed from what lives, each time.
//! Where the documentation leaves two answers open, the reference knows both.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Ttl;
use crate::error::{FullError, OwnerCap, RequestError, ReserveError, ShortItem, Table};
use crate::inventory::request::{Owner, ReserveRequest, Shortage, State};
use crate::inventory::{ChannelCounts, Counts, Key, Reserved};
use crate::{End, PendingPolicy, Phase, Quantity, ReservationId, StockId, UNITS_MAX};

/// The settings of one case.
#[derive(Debug, Clone)]
pub(super) struct Setup {
    pub(super) profile: usize,
    pub(super) start: u64,
    pub(super) lines_max: usize,
    pub(super) reservations_max: usize,
    pub(super) ended_retention: u64,
    pub(super) ended_capacity: usize,
    pub(super) expired_retention: u64,
    pub(super) expired_capacity: usize,
    pub(super) life_max: Ttl,
    pub(super) payment_ttl: Ttl,
    pub(super) pending_ttl: Ttl,
    pub(super) policy: PendingPolicy,
    pub(super) items_max: usize,
    pub(super) metadata_max: usize,
    pub(super) owners_max: usize,
    pub(super) owner_reservations_max: u64,
    pub(super) owner_units_max: u64,
    pub(super) owner_line_max: u64,
    pub(super) keys_max: usize,
    pub(super) key_window: u64,
    pub(super) sweep_budget: usize,
}

/// A line's books.
#[derive(Debug, Clone, Default)]
pub(super) struct Line {
    pub(super) sku: String,
    pub(super) location: Option<String>,
    pub(super) category: Option<String>,
    pub(super) on_hand: u32,
    pub(super) safety: u32,
    pub(super) blocked: BTreeMap<String, u32>,
    pub(super) committed: u32,
    pub(super) retired: bool,
    pub(super) last: Option<(&'static str, Option<Arc<str>>, Option<Arc<str>>, u64)>,
}

impl Line {
    pub(super) fn blocked(&self) -> u32 {
        self.blocked.values().sum()
    }
}

/// A reservation, also after its end.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) items: BTreeMap<StockId, u32>,
    pub(super) state: State,
    /// `None`: in review.
    pub(super) deadline: Option<u64>,
    pub(super) born: u64,
    pub(super) owner: Option<Owner>,
    pub(super) channel: Option<usize>,
    pub(super) key: Option<Key>,
    pub(super) metadata: Option<Arc<str>>,
    /// An expired one whose units are back: since when, at the earliest.
    pub(super) swept: Option<u64>,
    /// The earliest moment at which its place may have been given to others, its end still told.
    pub(super) freed: Option<u64>,
    /// It was answered `NotFound`: from here on always.
    pub(super) forgotten: bool,
}

/// What a key stands for.
#[derive(Debug, Clone)]
pub(super) struct Remembered {
    pub(super) command: String,
    pub(super) answer: String,
    pub(super) until: u64,
}

/// What the documentation says about an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stand {
    Live(Phase),
    /// Told as this end; `true`: perhaps as not found.
    Ended(End, bool),
    Unknown,
}

/// What a request to reserve must be answered.
#[derive(Debug)]
pub(super) struct Verdict {
    /// Every refusal that would be true. If there is none, it must succeed.
    pub(super) refusals: Vec<ReserveError>,
    /// A table is full or nearly so: both answers are right.
    pub(super) perhaps: Vec<ReserveError>,
    /// What it takes.
    pub(super) takes: BTreeMap<StockId, u32>,
}

#[derive(Debug)]
pub(super) struct Reference {
    pub(super) set: Setup,
    pub(super) now: u64,
    pub(super) lines: Vec<Line>,
    pub(super) all: BTreeMap<ReservationId, Held>,
    /// Every id ever made, in order.
    pub(super) order: Vec<ReservationId>,
    pub(super) live: BTreeSet<ReservationId>,
    /// Expired; perhaps nobody swept them yet.
    pub(super) due: BTreeSet<ReservationId>,
    /// Expired, swept, and not forgotten for certain; oldest first.
    pub(super) parked: Vec<ReservationId>,
    /// In review; perhaps nobody swept them yet.
    pub(super) review_due: BTreeSet<ReservationId>,
    pub(super) reviews_max: u64,
    pub(super) keys: BTreeMap<Key, Remembered>,
    pub(super) closed: bool,
    pub(super) counts: Counts,
    pub(super) channels: Vec<ChannelCounts>,
    /// Of those due this many are swept, nobody knows which: a sweep was cut short by its budget.
    pub(super) swept_some: usize,
    /// When places were freed, for judging early forgetting.
    freed: Vec<u64>,
}

impl Reference {
    pub(super) fn new(set: Setup) -> Self {
        Self {
            now: set.start,
            set,
            lines: Vec::new(),
            all: BTreeMap::new(),
            order: Vec::new(),
            live: BTreeSet::new(),
            due: BTreeSet::new(),
            parked: Vec::new(),
            review_due: BTreeSet::new(),
            reviews_max: 0,
            keys: BTreeMap::new(),
            closed: false,
            counts: Counts::default(),
            channels: Vec::new(),
            swept_some: 0,
            freed: Vec::new(),
        }
    }

    // ---- time ----

    /// It is `now`; what is due has ended, or waits for a person.
    pub(super) fn tick(&mut self, now: u64) {
        self.now = self.now.max(now);
        let over: Vec<_> = self.live.iter().copied().filter(|id| self.is_due(*id)).collect();
        for id in over {
            let review = self.set.policy == PendingPolicy::Review;
            let Some(held) = self.all.get_mut(&id) else { continue };
            if review && held.state == State::Live(Phase::PaymentPending) {
                held.state = State::Live(Phase::InReview);
                held.deadline = None;
                self.review_due.insert(id);
                self.reviews_max += 1;
            } else {
                held.state = State::Ended(End::Expired);
                self.live.remove(&id);
                self.due.insert(id);
            }
        }
    }

    fn is_due(&self, id: ReservationId) -> bool {
        self.all[&id].deadline.is_some_and(|deadline| deadline <= self.now)
    }

    /// All that is due is swept: its units are back.
    pub(super) fn settle(&mut self) {
        let some = std::mem::take(&mut self.swept_some) > 0;
        for id in std::mem::take(&mut self.due) {
            let Some(held) = self.all.get_mut(&id) else { continue };
            // Where some were swept before, nobody knows which and when: at the deadline or later.
            held.swept = if some { held.deadline } else { Some(self.now) };
            let units = held.items.values().map(|units| u64::from(*units)).sum::<u64>();
            self.counts.expired += 1;
            self.counts.expired_units += units;
            if let Some(channel) = held.channel {
                self.channels[channel].expired += 1;
            }
            self.parked.push(id);
        }
        self.unpark();
    }

    /// What can be forgotten is at least this: retention over, or more than the capacity.
    pub(super) fn unpark(&mut self) {
        let (now, retention) = (self.now, self.set.expired_retention);
        let over = self.parked.len().saturating_sub(self.set.expired_capacity);
        let parked = std::mem::take(&mut self.parked);
        // Of those that were swept together any may be the oldest. ALLOWED: one that was taken up again
        // counts against the capacity until its time is over, so that others go before their turn.
        let taken_up = parked.iter().filter(|id| self.all[id].state != State::Ended(End::Expired)).count();
        let last = (over > 0).then(|| (over + taken_up).min(parked.len() - 1));
        let oldest = last.and_then(|last| self.all[&parked[last]].swept);
        for (at, id) in parked.into_iter().enumerate() {
            let Some(held) = self.all.get_mut(&id) else { continue };
            let until = held.swept.unwrap_or(now) + retention;
            let taken_up = held.state != State::Ended(End::Expired);
            if !taken_up && oldest.is_some() && held.swept <= oldest {
                held.freed = Some(now);
            }
            if taken_up && at >= over && until > now {
                self.parked.push(id);
            } else if taken_up {
                continue;
            } else if at < over || until <= now {
                held.freed = Some(if at < over { now } else { until });
                self.freed.push(now);
            } else {
                self.parked.push(id);
            }
        }
    }

    // ---- what there is ----

    pub(super) fn line(&self, line: StockId) -> Option<&Line> {
        self.lines.get(line.index())
    }

    fn units_of(&self, ids: &BTreeSet<ReservationId>, line: StockId) -> u32 {
        ids.iter().filter_map(|id| self.all[id].items.get(&line)).sum()
    }

    pub(super) fn reserved(&self, line: StockId) -> u32 {
        self.units_of(&self.live, line)
    }

    pub(super) fn unswept(&self, line: StockId) -> u32 {
        if self.due.is_empty() { 0 } else { self.units_of(&self.due, line) }
    }

    /// Units that a reserve gets: expired ones that nobody swept are there (P4).
    pub(super) fn available(&self, line: StockId) -> u32 {
        let Some(books) = self.line(line) else { return 0 };
        let gone = books.safety + books.blocked() + books.committed + self.reserved(line);
        assert!(gone <= books.on_hand, "P1: the reference itself oversold {line}");
        books.on_hand - gone
    }

    /// P11: the earliest time at which this many may be there.
    pub(super) fn retry_after(&self, line: StockId, units: u32) -> Option<u64> {
        if self.lines[line.index()].retired {
            return None;
        }
        let mut there = self.available(line);
        let mut back: Vec<(u64, u32)> = Vec::new();
        for held in self.live.iter().map(|id| &self.all[id]) {
            let never = self.set.policy == PendingPolicy::Review && held.state == State::Live(Phase::PaymentPending);
            if let (Some(deadline), Some(units), false) = (held.deadline, held.items.get(&line), never) {
                back.push((deadline, *units));
            }
        }
        back.sort_unstable();
        let mut at = self.now;
        let mut back = back.into_iter();
        while there < units {
            let (deadline, more) = back.next()?;
            at = deadline;
            there += more;
        }
        Some(at)
    }

    // ---- ids ----

    pub(super) fn stand(&self, id: ReservationId) -> Stand {
        let Some(held) = self.all.get(&id) else { return Stand::Unknown };
        match held.state {
            _ if held.forgotten => Stand::Unknown,
            State::Live(phase) => Stand::Live(phase),
            State::Ended(end) => Stand::Ended(end, self.may_forget(held)),
        }
    }

    /// An end is told for the retention at least, of as many as the capacity says.
    fn may_forget(&self, held: &Held) -> bool {
        let Some(freed) = held.freed.or_else(|| self.perhaps_freed(held)) else { return false };
        if freed + self.set.ended_retention <= self.now {
            return true;
        }
        let recent =
            self.freed.iter().filter(|at| **at + self.set.ended_retention > self.now).count() + self.swept_some;
        recent > self.set.ended_capacity || recent + self.live.len() + self.parked.len() > self.set.reservations_max
    }

    /// One that is due may be swept and forgotten, where a sweep was cut short.
    fn perhaps_freed(&self, held: &Held) -> Option<u64> {
        let due = held.state == State::Ended(End::Expired) && held.swept.is_none() && self.swept_some > 0;
        let deadline = held.deadline.filter(|_| due)?;
        let over = self.parked.len() + self.swept_some > self.set.expired_capacity;
        (over || deadline + self.set.expired_retention <= self.now).then_some(deadline)
    }

    /// A place may have been used and given back although nothing was made.
    pub(super) fn attempt_failed(&mut self) {
        self.freed.push(self.now);
    }

    // ---- making and ending ----

    /// Whether the request can be served, and with what. A key is judged before.
    pub(super) fn judge(&self, request: &ReserveRequest, except: Option<ReservationId>) -> Verdict {
        let mut verdict = Verdict { refusals: Vec::new(), perhaps: Vec::new(), takes: BTreeMap::new() };
        verdict.refusals = self.judge_form(request);
        if !verdict.refusals.is_empty() {
            return verdict;
        }
        let mut wants: BTreeMap<StockId, u32> = BTreeMap::new();
        for item in &request.items {
            *wants.entry(item.line).or_default() += item.quantity.get();
        }
        self.judge_owner(request.owner, &wants, except, &mut verdict);
        let before = verdict.refusals.len();
        for line in wants.keys().copied() {
            match self.line(line) {
                None => verdict.refusals.push(ReserveError::UnknownLine { line }),
                Some(books) if books.retired => verdict.refusals.push(ReserveError::Retired { line }),
                Some(_) => {}
            }
        }
        if verdict.refusals.len() == before {
            self.judge_stock(request.shortage, &wants, except, &mut verdict);
        }
        let parked = self.parked.iter().filter(|id| self.all[id].state == State::Ended(End::Expired)).count();
        let occupied = self.live.len() + self.due.len() + parked;
        if occupied >= self.set.reservations_max {
            verdict.perhaps.push(self.full(Table::Reservations, self.set.reservations_max).into());
        }
        verdict
    }

    /// Refusals that need no look at any stock.
    pub(super) fn judge_form(&self, request: &ReserveRequest) -> Vec<ReserveError> {
        let mut refusals = Vec::new();
        if self.closed {
            refusals.push(ReserveError::Closed);
        }
        let mut refuse = |error: RequestError| refusals.push(error.into());
        if request.ttl > self.set.life_max {
            let (asked, max) = (request.ttl.as_duration(), self.set.life_max.as_duration());
            refuse(RequestError::TtlTooLong { asked, max });
        }
        let (items, max) = (request.items.len(), self.set.items_max);
        if items == 0 {
            refuse(RequestError::NoItems);
        }
        if items > max {
            refuse(RequestError::TooManyItems { items, max });
        }
        let (bytes, max) = (request.metadata.as_ref().map_or(0, |text| text.len()), self.set.metadata_max);
        if bytes > max {
            refuse(RequestError::MetadataTooLong { bytes, max });
        }
        if request.channel.is_some_and(|channel| usize::from(channel.0) > self.channels.len()) {
            refuse(RequestError::UnknownChannel);
        }
        for item in &request.items {
            let same = request.items.iter().filter(|other| other.line == item.line);
            if same.map(|same| u64::from(same.quantity.get())).sum::<u64>() > u64::from(UNITS_MAX) {
                refuse(RequestError::TooManyUnits { line: item.line });
            }
        }
        refusals
    }

    fn judge_owner(
        &self,
        owner: Option<Owner>,
        wants: &BTreeMap<StockId, u32>,
        except: Option<ReservationId>,
        verdict: &mut Verdict,
    ) {
        let Some(owner) = owner else { return };
        let owner_of = |id: &ReservationId| self.all[id].owner;
        let owners: BTreeSet<_> = self.live.iter().filter_map(owner_of).collect();
        let perhaps: BTreeSet<_> = self.live.iter().chain(&self.due).filter_map(owner_of).collect();
        let full = self.full(Table::Owners, self.set.owners_max);
        if !owners.contains(&owner) && owners.len() >= self.set.owners_max {
            verdict.refusals.push(full.into());
        } else if !owners.contains(&owner) && perhaps.len() >= self.set.owners_max {
            verdict.perhaps.push(full.into());
        }
        let mine = self.live.iter().filter(|id| Some(**id) != except && owner_of(id) == Some(owner));
        let mine: Vec<&Held> = mine.map(|id| &self.all[id]).collect();
        let mut cap = |cap, held, asked, max| {
            if held + asked > max {
                verdict.refusals.push(ReserveError::OwnerCap { cap, held, asked, max });
            }
        };
        let sum = |items: &BTreeMap<StockId, u32>| items.values().map(|units| u64::from(*units)).sum::<u64>();
        cap(OwnerCap::Reservations, mine.len() as u64, 1, self.set.owner_reservations_max);
        cap(OwnerCap::Units, mine.iter().map(|held| sum(&held.items)).sum(), sum(wants), self.set.owner_units_max);
        for (line, asked) in wants {
            let held = mine.iter().filter_map(|held| held.items.get(line)).map(|units| u64::from(*units)).sum();
            cap(OwnerCap::UnitsPerLine, held, u64::from(*asked), self.set.owner_line_max);
        }
    }

    fn judge_stock(
        &self,
        shortage: Shortage,
        wants: &BTreeMap<StockId, u32>,
        except: Option<ReservationId>,
        verdict: &mut Verdict,
    ) {
        let old = except.and_then(|id| self.all.get(&id)).filter(|old| matches!(old.state, State::Live(_)));
        let kept = |line| old.and_then(|old| old.items.get(&line)).copied().unwrap_or(0);
        let mut short = Vec::new();
        for (&line, &units) in wants {
            let available = self.available(line) + kept(line);
            if available < units
                && let Ok(asked) = Quantity::new(units)
            {
                short.push(ShortItem { line, asked, available });
            }
            let takes = units.min(available);
            if takes > 0 {
                verdict.takes.insert(line, takes);
            }
        }
        if short.is_empty() || (shortage == Shortage::TakeRest && !verdict.takes.is_empty()) {
            return;
        }
        verdict.refusals.push(match short[..] {
            [ShortItem { line, asked, available: 0 }] if wants.len() == 1 => ReserveError::OutOfStock { line, asked },
            [ShortItem { line, asked, available }] if wants.len() == 1 => {
                ReserveError::Insufficient { line, asked, available }
            }
            _ => ReserveError::CartShort { short: short.into() },
        });
    }

    pub(super) fn full(&self, table: Table, max: usize) -> FullError {
        FullError { table, max }
    }

    /// The request was served.
    pub(super) fn make(&mut self, reserved: Reserved, request: &ReserveRequest, items: BTreeMap<StockId, u32>) {
        let channel = request.channel.map(|channel| usize::from(channel.0) - 1);
        let units = items.values().map(|units| u64::from(*units)).sum::<u64>();
        self.counts.reserved += 1;
        self.counts.reserved_units += units;
        if let Some(channel) = channel {
            self.channels[channel].reserved += 1;
            self.channels[channel].reserved_units += units;
        }
        let held = Held {
            items,
            state: State::Live(Phase::Reserved),
            deadline: Some(reserved.deadline.as_millis()),
            born: self.now,
            owner: request.owner,
            channel,
            key: request.key,
            metadata: request.metadata.clone(),
            swept: None,
            freed: None,
            forgotten: false,
        };
        self.all.insert(reserved.id, held);
        self.order.push(reserved.id);
        self.live.insert(reserved.id);
    }

    /// A live reservation, or an expired one that is taken up again, ends so; `settled` is committed,
    /// the rest is back.
    pub(super) fn end(&mut self, id: ReservationId, end: End, settled: &BTreeMap<StockId, u32>) {
        self.live.remove(&id);
        self.review_due.remove(&id);
        self.freed.push(self.now);
        let Some(held) = self.all.get_mut(&id) else { return };
        held.state = State::Ended(end);
        held.freed = Some(self.now);
        let units = held.items.values().map(|units| u64::from(*units)).sum::<u64>();
        for (line, units) in settled {
            self.lines[line.index()].committed += units;
        }
        let settled = settled.values().map(|units| u64::from(*units)).sum::<u64>();
        let counts = &mut self.counts;
        match end {
            End::Confirmed => {
                counts.confirmed += 1;
                counts.confirmed_units += settled;
                counts.released_units += units - settled;
            }
            End::Released => {
                counts.released += 1;
                counts.released_units += units;
            }
            End::Replaced => {
                counts.replaced += 1;
                counts.replaced_units += units;
            }
            End::Reacquired => {
                counts.reacquired += 1;
                counts.reacquired_units += settled;
            }
            End::Expired => {}
        }
        match (end, held.channel) {
            (End::Confirmed, Some(channel)) => self.channels[channel].confirmed += 1,
            (End::Released, Some(channel)) => self.channels[channel].released += 1,
            _ => {}
        }
    }

    pub(super) fn items(&self, id: ReservationId) -> BTreeMap<StockId, u32> {
        self.all.get(&id).map(|held| held.items.clone()).unwrap_or_default()
    }

    pub(super) fn after(&self, ttl: Ttl) -> u64 {
        self.now + ttl.as_millis()
    }

    pub(super) fn life_max(&self) -> Duration {
        self.set.life_max.as_duration()
    }
}
