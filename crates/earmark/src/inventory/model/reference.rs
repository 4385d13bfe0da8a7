//! The plain-map reference: what the documentation says, in code too simple to be wrong.
//!
//! No atomics, no slots, no wheel. What a line has available is computed from what lives, each time.
//! Where the documentation leaves two answers open, the reference knows both.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Ttl;
use crate::error::{FullError, Table};
use crate::inventory::answer::State;
use crate::inventory::request::{Owner, ReserveRequest};
use crate::inventory::sweep::HELP;
use crate::inventory::{ChannelCounts, Counts, Key, Reserved};
use crate::{End, PendingPolicy, Phase, ReservationId, StockId};

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

/// The last change: what, source, reference, when.
type Last = (&'static str, Option<Arc<str>>, Option<Arc<str>>, u64);

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
    pub(super) last: Option<Last>,
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
    /// When that was known for certain.
    known: Option<u64>,
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

    /// A reserve that finds no room ends all that is due: what is full only of that is not full.
    pub(super) fn sweeps_all(&self) -> bool {
        self.due.len() <= HELP.ends
    }

    /// All that is due is swept: its units are back.
    pub(super) fn settle(&mut self) {
        let some = std::mem::take(&mut self.swept_some) > 0;
        for id in std::mem::take(&mut self.due) {
            let Some(held) = self.all.get_mut(&id) else { continue };
            held.known = Some(self.now);
            // Where some were swept before, nobody knows which and when: at the deadline or later.
            held.swept = if some { held.deadline } else { Some(self.now) };
            let units = held.items.values().map(|units| u64::from(*units)).sum::<u64>();
            self.counts.expired += 1;
            self.counts.expired_units += units;
            if let Some(channel) = held.channel {
                let counts = &mut self.channels[channel].counts;
                counts.expired += 1;
                counts.expired_units += units;
            }
            self.parked.push(id);
        }
        self.unpark();
    }

    /// What can be forgotten is at least this: retention over, or more than the capacity.
    pub(super) fn unpark(&mut self) {
        let (now, retention) = (self.now, self.set.expired_retention);
        let mut parked = std::mem::take(&mut self.parked);
        let with_taken_up = parked.len();
        parked.retain(|id| self.all[id].state == State::Ended(End::Expired));
        let over = parked.len().saturating_sub(self.set.expired_capacity);
        // Of those that were swept together any may be the oldest. And what was taken up just now was among
        // them when the call swept, before it took it.
        let over_then = with_taken_up.saturating_sub(self.set.expired_capacity).min(parked.len());
        let last = over_then.checked_sub(1);
        let oldest = last.and_then(|last| self.all[&parked[last]].known);
        for (at, id) in parked.into_iter().enumerate() {
            let Some(held) = self.all.get_mut(&id) else { continue };
            let until = held.swept.unwrap_or(now) + retention;
            if oldest.is_some() && held.known <= oldest {
                held.freed.get_or_insert(now);
            }
            if at < over || until <= now {
                let freed = if at < over { now } else { until };
                held.freed = Some(held.freed.map_or(freed, |known| known.min(freed)));
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
        self.freed.len() + self.swept_some > self.set.ended_capacity
    }

    /// What it held may be forgotten though nobody can know: its time is over, or a sweep was cut short
    /// and more are remembered than the capacity says.
    pub(super) fn perhaps_freed(&self, held: &Held) -> Option<u64> {
        if held.state != State::Ended(End::Expired) {
            return None;
        }
        let since = held.swept.or(held.deadline)?;
        // What is due may be swept, and forgotten, inside the very call.
        let unsure = self.due.len().max(self.swept_some);
        let over = unsure > 0 && self.parked.len() + unsure > self.set.expired_capacity;
        (over || since + self.set.expired_retention <= self.now).then_some(since)
    }

    /// A place may have been used and given back although nothing was made.
    pub(super) fn attempt_failed(&mut self) {
        self.freed.push(self.now);
    }

    // ---- making and ending ----

    pub(super) fn full(&self, table: Table, max: usize) -> FullError {
        FullError { table, max }
    }

    /// The request was served.
    pub(super) fn make(&mut self, reserved: Reserved, request: &ReserveRequest, items: BTreeMap<StockId, u32>) {
        let channel = request.channel.map(|channel| usize::from(channel.0) - 1);
        let units = items.values().map(|units| u64::from(*units)).sum::<u64>();
        self.count(channel, |counts| {
            counts.reserved += 1;
            counts.reserved_units += units;
        });
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
            known: None,
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
        let channel = held.channel;
        self.count(channel, |counts| match end {
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
        });
    }

    /// Counts for all, and for the channel.
    pub(super) fn count(&mut self, channel: Option<usize>, count: impl Fn(&mut Counts)) {
        count(&mut self.counts);
        if let Some(channel) = channel {
            count(&mut self.channels[channel].counts);
        }
    }

    /// Counts for a reservation.
    pub(super) fn count_of(&mut self, id: ReservationId, count: impl Fn(&mut Counts)) {
        self.count(self.all.get(&id).and_then(|held| held.channel), count);
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
