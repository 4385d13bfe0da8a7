//! The engine and the reference side by side: picking what a step is about, and what must hold after it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use super::classes::{self, Tally};
use super::clock::HookClock;
use super::ops::{Kind, Step};
use super::reference::{Reference, Remembered, Setup, Stand};
use super::said::{KeySaid, Said};
use crate::clock::Ttl;
use crate::inventory::{Advanced, Cause, Counts, Inventory, Item, Key, Levels, ReserveRequest, State};
use crate::{End, FullError, LineSpec, ManualClock, Phase, Quantity, ReservationId, ReserveError, StockId, Table};

/// What a step found wrong.
pub(super) type Check = Result<(), String>;

/// Fails the step unless this holds.
macro_rules! ensure {
    ($holds:expr, $($why:tt)+) => {
        if !$holds {
            return Err(format!($($why)+));
        }
    };
}
pub(super) use ensure;

/// What the whole run counts, over all cases.
#[derive(Debug, Default)]
pub(super) struct Run {
    pub(super) tally: Tally,
    pub(super) steps: u64,
    pub(super) cases: u64,
    /// Moves of the clock across a turn of rings 1, 2, 3, 4 and of the deadlines, with reservations alive.
    pub(super) turns: [u64; TURNS.len()],
    pub(super) contended: u64,
    /// Asked for more channels than fit; made when first needed.
    pub(super) crowded: Option<Inventory>,
}

/// Bits of time after which each ring turns, and (37) the deadlines wrap.
pub(super) const TURNS: [u32; 5] = [10, 20, 30, 40, 37];
/// Looks at one entry before its deadline: nursery and three rings.
const LOOKS_EACH: usize = 4;
/// Of the steps one in so many makes a line hot first.
const HOT_EVERY: u32 = 5;
/// Due reservations that a helping reserve looks at; beyond it `contended` is a right answer.
pub(super) const HELP: usize = 256;

/// Commands that a key can repeat.
#[derive(Debug, Clone)]
pub(super) enum Command {
    Reserve(ReserveRequest),
    Confirm(ReservationId, Key),
    Release(ReservationId, Key),
    Part(ReservationId, Vec<Item>, Key, bool),
    Late(ReservationId, Key),
    Replace(ReservationId, ReserveRequest),
    Receive(StockId, Quantity, Cause),
    Transfer(StockId, StockId, Quantity, Cause),
}

/// Reservations beyond the cap and its third: the page of 32 of the one lane, and the page taken last.
const PLACES_SPARE: usize = 64;

pub(super) struct World<'r> {
    pub(super) engine: Arc<Inventory>,
    pub(super) clock: HookClock,
    pub(super) truth: Reference,
    pub(super) run: &'r RefCell<Run>,
    pub(super) foreign: ReservationId,
    pub(super) commands: Vec<Command>,
    /// The last sweep that was complete.
    pub(super) swept: u64,
    /// Lines asked `retry_after` in this tick, and not changed since.
    pub(super) asked: BTreeSet<StockId>,
    pub(super) asked_before: BTreeSet<StockId>,
    pub(super) asked_at: u64,
    /// Places handed to the wheel that it may still look at.
    pub(super) entries: usize,
    /// How many had expired after the last step.
    expired: u64,
    reviews_min: u64,
    /// Answers that were refusals, those given again for their key left out.
    refused: Cell<u64>,
    /// Answers given again for their key.
    repeated: u64,
    steps: u64,
}

impl<'r> World<'r> {
    pub(super) fn new(set: &Setup, run: &'r RefCell<Run>) -> Result<Self, String> {
        let clock = HookClock::new(ManualClock::new(set.starts_at()));
        let engine = set.build(clock.clone()).map_err(|error| error.to_string())?;
        let other = Inventory::new();
        let line = other.declare(LineSpec::new("OTHER")).map_err(|error| error.to_string())?;
        let _ = other.receive(line, Quantity::ONE, &Cause::none());
        let foreign = other.reserve(line, Quantity::ONE, Ttl::MAX).map_err(|error| error.to_string())?.detach();
        run.borrow_mut().cases += 1;
        Ok(Self {
            engine: Arc::new(engine),
            clock,
            truth: Reference::new(set.clone()),
            run,
            foreign,
            commands: Vec::new(),
            swept: set.start,
            asked: BTreeSet::new(),
            asked_before: BTreeSet::new(),
            asked_at: 0,
            entries: 0,
            expired: 0,
            reviews_min: 0,
            refused: Cell::new(0),
            repeated: 0,
            steps: 0,
        })
    }

    /// One step, and everything that must hold after it.
    pub(super) fn step(&mut self, step: Step) -> Check {
        let kind = step.kind(self.truth.set.profile);
        self.steps += 1;
        self.run.borrow_mut().steps += 1;
        if step.c % HOT_EVERY == 0 {
            self.engine.make_hot(self.known_line(step.b)); // whatever the step: a hot line answers as any other
        }
        self.act(kind, step)?;
        self.check()?;
        self.probe(step)?;
        self.check_counts()
    }

    /// Whatever the step was about: one id and one line are asked about (P2, P11).
    fn probe(&mut self, step: Step) -> Check {
        self.get(Step { a: step.b, b: step.a, ..step })?;
        self.retry_after(Step { a: step.b.rotate_left(5), b: step.a, ..step })
    }

    /// Where the case stands, for whoever reads a failure.
    pub(super) fn summary(&self) -> String {
        let Reference { now, live, due, parked, swept_some, .. } = &self.truth;
        let (live, due, known, held) = (live.len(), due.len(), parked.len(), self.engine.slab.parked());
        format!("at {now}: {live} live, {due} due ({swept_some} swept), {known} of {held} remembered;")
    }

    pub(super) fn see(&self, group: &'static str, class: &'static str) {
        self.run.borrow_mut().tally.see(group, class);
        self.refused.update(|refused| refused + u64::from(classes::is_refusal(group, class)));
    }

    /// A refusal that is no class: it was brought about on purpose.
    pub(super) fn refused_unseen(&self) {
        self.refused.update(|refused| refused + 1);
    }

    pub(super) fn see_reserve(&self, outcome: &Result<(), ReserveError>) {
        self.see("reserve", classes::reserve(outcome));
        self.run.borrow_mut().tally.see_inner(outcome.as_ref().err());
    }

    // ---- picking ----

    /// A line; one in sixteen was never declared.
    pub(super) fn line(&self, dice: u16) -> StockId {
        let lines = self.truth.lines.len() as u32;
        let dice = u32::from(dice);
        if lines == 0 || dice % 16 == 0 { StockId::new(lines + dice / 16 % 3) } else { StockId::new(dice / 16 % lines) }
    }

    /// A known line, if there is one.
    pub(super) fn known_line(&self, dice: u16) -> StockId {
        StockId::new(u32::from(dice) % (self.truth.lines.len() as u32).max(1))
    }

    /// Mostly few units; sometimes exactly what there is, one more, or very many.
    pub(super) fn units(&self, line: StockId, dice: u16) -> Quantity {
        let available = self.truth.available(line);
        let units = match dice % 32 {
            0..4 => available,
            4..7 => available + 1,
            7 => crate::UNITS_MAX,
            8..14 => u32::from(dice / 32 % 12),
            _ => u32::from(dice / 32 % 3),
        };
        Quantity::new(units.clamp(1, crate::UNITS_MAX)).unwrap_or(Quantity::ONE)
    }

    pub(super) fn ttl(&self, step: Step) -> Ttl {
        let millis = match step.c % 8 {
            0..3 => 1 + u64::from(step.c >> 3) % 100,
            3..6 => 1 + u64::from(step.c >> 3) % 20_000,
            _ => step.span(35).min(Ttl::MAX.as_millis()),
        };
        let ttl = Ttl::millis(millis).unwrap_or(Ttl::MAX);
        if step.c >> 3 & 15 == 0 { ttl } else { ttl.min(self.truth.set.life_max) }
    }

    /// An id: mostly of one that lives; also of what ended, or was never made here.
    pub(super) fn id(&self, dice: u16) -> ReservationId {
        let (live, order) = (&self.truth.live, &self.truth.order);
        let at = usize::from(dice / 16);
        match dice % 16 {
            0..10 if !live.is_empty() => *live.iter().nth(at % live.len()).unwrap_or(&self.foreign),
            10..13 if !order.is_empty() => order[order.len() - 1 - at % order.len().min(12)],
            13 if !order.is_empty() => {
                let wanted = if at % 5 == 0 { End::Reacquired } else { End::Replaced };
                let ended = |id: &&ReservationId| self.truth.all[*id].state == State::Ended(wanted);
                *order.iter().rev().take(60).find(ended).unwrap_or(&order[at % order.len()])
            }
            0..15 if !order.is_empty() => order[order.len() - 1 - at % order.len().min(12)],
            _ if dice % 32 < 16 => self.foreign,
            _ => {
                let incarnation = self.engine.incarnation;
                ReservationId::new(incarnation, 1 << 20 | u32::from(dice), 1)
            }
        }
    }

    /// A key out of few; mostly none.
    pub(super) fn key(&self, dice: u16) -> Option<Key> {
        let few = if self.truth.set.profile == super::ops::KEYS { 12 } else { 40 };
        let often = if self.truth.set.profile == super::ops::KEYS { 2 } else { 5 };
        (dice % often == 0).then(|| self.engine.key(&format!("key {}", dice / often % few)))
    }

    // ---- answers ----

    pub(super) fn same<T: PartialEq + Debug>(&self, what: &str, found: &T, expected: &T) -> Check {
        ensure!(found == expected, "{what}: answered {found:?}, expected {expected:?}");
        Ok(())
    }

    /// The refusal is one of those that are true.
    pub(super) fn one_of<T: PartialEq + Debug>(&self, what: &str, found: &T, expected: &[T]) -> Check {
        ensure!(expected.contains(found), "{what}: answered {found:?}, expected one of {expected:?}");
        Ok(())
    }

    /// `contended` decided nothing; with one thread only a backlog of expiries is a reason.
    pub(super) fn contended(&mut self, what: &str) -> Check {
        self.run.borrow_mut().contended += 1;
        let backlog = self.truth.due.len() + self.truth.review_due.len();
        // Each entry may be looked at once in the nursery and once for each ring it passes through.
        let looks = LOOKS_EACH * (self.entries + self.engine.wheel.ring_len().unwrap_or(0));
        ensure!(looks >= HELP, "P4: {what} answered contended, with {backlog} due and {looks} looks at most");
        Ok(())
    }

    /// What an id's call must say unless it lives: `None` if the answer was right, else its phase.
    pub(super) fn lost(&mut self, what: &str, id: ReservationId, said: Said) -> Result<Option<Phase>, String> {
        let stand = self.truth.stand(id);
        match (stand, said) {
            (Stand::Live(phase), Said::Other) => return Ok(Some(phase)),
            (Stand::Ended(end, _), Said::Ended(told)) if end == told => {
                if what != "get" {
                    self.see("end", classes::end(&told));
                }
            }
            (Stand::Unknown, Said::NotFound) => {}
            (Stand::Ended(_, true), Said::NotFound) => {
                if let Some(held) = self.truth.all.get_mut(&id) {
                    held.forgotten = true;
                }
            }
            (stand, said) => {
                let held = self.truth.all.get(&id);
                return Err(format!("P2: {what} {id}: it is {stand:?}, the answer was {said:?}; {held:?}"));
            }
        }
        Ok(None)
    }

    // ---- keys ----

    /// `Some`: the key decides, and the answer was right. `None`: the command must be judged anew.
    pub(super) fn keyed<T: Debug>(
        &mut self,
        key: Option<Key>,
        command: &str,
        found: &T,
        refusal: Option<KeySaid>,
    ) -> Result<bool, String> {
        if let Some(KeySaid::Full(full)) = refusal {
            self.see("full", classes::full(&full.table));
        }
        let Some(key) = key else { return Ok(false) };
        let now = self.truth.now;
        let max = self.truth.set.keys_max;
        if let Some(known) = self.truth.keys.get(&key).filter(|known| known.until > now) {
            if known.command == command {
                ensure!(known.answer == format!("{found:?}"), "P7: {command}: {found:?}, before {known:?}");
                self.repeated += 1;
                self.refused.update(|refused| refused - u64::from(known.answer.starts_with("Err")));
            } else {
                ensure!(refusal == Some(KeySaid::Reused), "P7: {command}: {found:?}, the key was for {known:?}");
            }
            return Ok(true);
        }
        ensure!(refusal != Some(KeySaid::Reused), "P7: {command}: {found:?}, no key stands against it");
        let lapsed = self.truth.keys.iter().filter(|(other, _)| **other != key).count();
        let within = self.truth.keys.iter().filter(|(other, known)| **other != key && known.until > now).count();
        if refusal == Some(KeySaid::Full(FullError { table: Table::Keys, max })) {
            ensure!(lapsed >= max, "P10: {command}: {found:?}, with {lapsed} keys");
            return Ok(true);
        }
        let kept = self.truth.keys.contains_key(&key);
        ensure!(within < max || kept, "P10: {command}: {found:?}, with {within} keys in the window");
        Ok(false)
    }

    /// The answer was decided: the key stands for it.
    pub(super) fn remember<T: Debug>(&mut self, key: Option<Key>, command: String, found: &T) {
        if let Some(key) = key {
            let until = self.truth.now + self.truth.set.key_window;
            self.truth.keys.insert(key, Remembered { command, answer: format!("{found:?}"), until });
        }
    }

    // ---- time ----

    /// A sweep said so: what was due is back, if the sweep was complete (P5).
    pub(super) fn after_sweep(&mut self, advanced: Advanced, expired_before: u64) -> Check {
        self.see("advance", classes::advance(&advanced));
        let expired = self.engine.counts().expired;
        self.same("advance: expired", &(advanced.expired as u64), &(expired - expired_before))?;
        if advanced.complete {
            let due = self.truth.due.len() as u64;
            let found = expired - self.truth.counts.expired;
            ensure!(found == due, "P5: {due} due at {}, a complete sweep ended {found}", self.truth.now);
            self.truth.settle();
            self.reviews_min += std::mem::take(&mut self.truth.review_due).len() as u64;
            self.swept = self.swept.max(self.truth.now);
            let now = self.truth.now;
            self.truth.keys.retain(|_, known| known.until > now);
            // P10: memory follows the living, and those remembered for late payments.
            let (extras, live) = (self.engine.extras.len(), self.truth.live.len());
            let held = live + self.truth.parked.len().max(self.truth.set.expired_capacity);
            let budget = self.truth.set.sweep_budget;
            ensure!(extras <= held || budget < 100, "P10: {extras} extras for {held} reservations");
            self.entries = self.truth.live.len();
        }
        Ok(())
    }

    // ---- after each step ----

    fn check(&mut self) -> Check {
        let now = self.engine.now().as_millis();
        self.same("now", &now, &self.truth.now)?;
        self.check_counts()?;
        let snapshot = self.engine.levels_all();
        ensure!(snapshot.settled, "P3: one thread, and the snapshot is not settled");
        self.same("lines", &snapshot.lines.len(), &self.truth.lines.len())?;
        for levels in &snapshot.lines {
            self.check_levels("levels_all", levels)?;
        }
        let (keys, owners) = (self.engine.keys.len(), self.engine.owners.len());
        ensure!(keys <= self.truth.set.keys_max, "P10: {keys} keys");
        ensure!(owners <= self.truth.set.owners_max, "P10: {owners} owners");
        let places = (self.truth.set.reservations_max + PLACES_SPARE) * 4 / 3;
        let live = self.truth.live.len();
        ensure!(live <= places, "P10: {live} live, the cap is {}", self.truth.set.reservations_max);
        if self.steps % 8 == 0 {
            self.check_slowly()?;
        }
        Ok(())
    }

    fn check_slowly(&mut self) -> Check {
        let verified = self.engine.verify();
        ensure!(verified.is_clean(), "P3: verify: {:?}", verified.differences);
        let (live, due) = (self.truth.live.len(), self.truth.due.len());
        ensure!(
            (live..=live + due).contains(&verified.reservations),
            "verify: {verified:?}, {live} live and {due} due"
        );
        let paying = self.truth.live.iter().map(|id| self.truth.all[id].state);
        let paying = paying.filter(|state| !matches!(state, State::Live(Phase::Reserved))).count();
        self.check_paying(paying)?;
        for line in 0..self.truth.lines.len() as u32 {
            let line = StockId::new(line);
            let levels = self.engine.levels(line).map_err(|error| error.to_string())?;
            self.check_levels("levels", &levels)?;
            self.same("available", &self.engine.available(line), &Ok(levels.available))?;
        }
        Ok(())
    }

    fn check_counts(&mut self) -> Check {
        let mut found = self.engine.counts();
        if std::mem::replace(&mut self.expired, found.expired) != found.expired {
            self.asked.clear(); // what expired moved its lines
        }
        let due = self.truth.due.len() as u64;
        let swept = found.expired - self.truth.counts.expired;
        ensure!(swept <= due, "P5: {swept} expired at {}, only {due} are due", self.truth.now);
        let known = self.truth.counts;
        if swept == due {
            self.truth.settle();
        } else {
            self.truth.swept_some = swept as usize;
            found.expired = known.expired;
            found.expired_units = known.expired_units;
        }
        let reviews = self.reviews_min..=self.truth.reviews_max;
        ensure!(reviews.contains(&found.reviews), "reviews: {} counted, {reviews:?} expected", found.reviews);
        found.reviews = self.truth.counts.reviews;
        self.same("counts: refused and contended", &refusals(&found), &self.refused.get())?;
        self.same("counts: repeated", &found.repeated, &self.repeated)?;
        self.same("counts", &unrefused(found), &self.truth.counts)?;
        if swept == due {
            let mut channels = self.engine.channel_counts();
            channels.iter_mut().for_each(|channel| channel.counts = Counts { reviews: 0, ..unrefused(channel.counts) });
            self.same("channel_counts", &channels, &self.truth.channels)?;
        }
        Ok(())
    }

    /// P3: the equation, and each number.
    pub(super) fn check_levels(&self, what: &str, found: &Levels) -> Check {
        let Levels { line, on_hand, available, reserved, committed, blocked, safety_stock, retired, as_of } = *found;
        let sum = available + reserved + committed + blocked + safety_stock;
        ensure!(on_hand == sum, "P3: {what}: {found:?} adds up to {sum}");
        let Some(books) = self.truth.line(line) else { return Err(format!("{what}: {line} is not declared")) };
        let known = (books.on_hand, books.committed, books.blocked(), books.safety, books.retired, self.truth.now);
        let told = (on_hand, committed, blocked, safety_stock, retired, as_of.as_millis());
        ensure!(told == known, "{what}: {found:?}, expected {books:?} at {}", self.truth.now);
        let live = self.truth.reserved(line);
        let most = live + self.truth.unswept(line);
        ensure!((live..=most).contains(&reserved), "P1: {what}: {found:?}, {live} live and {most} with those due");
        Ok(())
    }

    /// A line changed: what `retry_after` computed in this tick may be older.
    pub(super) fn touched(&mut self, lines: impl IntoIterator<Item = StockId>) {
        for line in lines {
            self.asked.remove(&line);
        }
    }
}

/// How many answers were refusals. Which reason counts as which has a test of its own.
fn refusals(found: &Counts) -> u64 {
    let Counts { refused, contended, refused_owner_cap, refused_full, refused_key_reused, .. } = *found;
    let Counts { refused_key_in_flight, refused_closed, refused_request, refused_stock, .. } = *found;
    let keys = refused_key_reused + refused_key_in_flight;
    let asked = refused_closed + refused_request + refused_stock + found.refused_reservation;
    refused + contended + refused_owner_cap + refused_full + keys + asked
}

/// Without what was refused.
fn unrefused(found: Counts) -> Counts {
    Counts {
        refused: 0,
        contended: 0,
        refused_owner_cap: 0,
        refused_full: 0,
        refused_key_reused: 0,
        refused_key_in_flight: 0,
        refused_closed: 0,
        refused_request: 0,
        refused_stock: 0,
        refused_reservation: 0,
        repeated: 0,
        ..found
    }
}

impl World<'_> {
    fn act(&mut self, kind: Kind, step: Step) -> Check {
        match kind {
            Kind::Declare => self.declare(step),
            Kind::Names => self.names(step),
            Kind::Receive => self.receive(step),
            Kind::Adjust | Kind::AdjustSet => self.adjust(step, kind == Kind::AdjustSet),
            Kind::Block | Kind::Unblock => self.block(step, kind == Kind::Block),
            Kind::SafetyStock => self.safety_stock(step),
            Kind::Ship | Kind::CancelOrder => self.ship(step, kind == Kind::Ship),
            Kind::Transfer => self.transfer(step),
            Kind::Retire | Kind::Reinstate => self.retire(step, kind == Kind::Retire),
            Kind::Books => self.books(step),
            Kind::Reserve | Kind::ReserveNamed => self.reserve(step, kind == Kind::ReserveNamed),
            Kind::ReserveWith => self.reserve_with(step),
            Kind::ReserveBatch => self.reserve_batch(step),
            Kind::ReserveOwned => self.reserve_owned(step),
            Kind::Confirm => self.confirm(step),
            Kind::ConfirmWith => self.confirm_with(step),
            Kind::Release => self.release(step),
            Kind::Extend => self.extend(step),
            Kind::ConfirmPart | Kind::ReleasePart => self.part(step, kind == Kind::ConfirmPart),
            Kind::BeginPayment | Kind::PaymentPending => self.payment(step, kind == Kind::BeginPayment),
            Kind::Reviews => self.reviews(step),
            Kind::Late => self.late(step),
            Kind::Replace => self.replace(step),
            Kind::Get => self.get(step),
            Kind::List => self.list(step),
            Kind::RetryAfter => self.retry_after(step),
            Kind::Clock => self.move_clock(step),
            Kind::Advance | Kind::Sweep => self.sweep(step, kind == Kind::Advance),
            Kind::Close => self.close(step),
            Kind::Build => self.build(step),
            Kind::Channels => self.channels(step),
            Kind::Backlog => self.backlog(step),
            Kind::Crowd => self.crowd(step),
            Kind::Reenter => self.reenter(step),
            Kind::Again => self.again(step),
        }
    }
}
