//! The units of one reservation over time, as two bounds: what it holds at least and at most.
//!
//! **C1** What was confirmed was held without a gap since the reserve returned.
//! **C2** At least: any end takes effect when it is called. At most: when it has returned.
//! **C3** An end that somebody was told of had happened when the answer came.
//! **C4** One end wins: when the winner is known, unanswered ends of another kind had no effect.

use crate::history::Ended;

use super::Ledgers;
use super::act::Act;
use super::book::Weight;
use super::hold::{Bounds, Change, signed};
use super::story::{End, Story};

/// When a reservation's units are held, for all its lines.
#[derive(Debug)]
pub(super) struct Course {
    /// At least: from here, if it is sure at all.
    start: Option<u64>,
    /// At least: units that no confirm kept are held until here, not included.
    end: u64,
    /// Live, and not yet perhaps ended in any way, until here, not included.
    live_end: u64,
    /// At most: from here on there is nothing but what was confirmed.
    over: u64,
    /// Confirmed, as far as anybody knows.
    confirmed: Confirmed,
    /// The earliest call of a confirm that may have won.
    confirm_call: u64,
    /// Since when it surely was confirmed.
    confirmed_by: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Confirmed {
    No,
    Perhaps,
    Surely,
}

/// Bounds of what a confirm kept of a line.
#[derive(Debug, Clone, Copy)]
struct Keep {
    least: u64,
    most: u64,
}

impl Course {
    /// Works out the course of one story.
    pub(super) fn of(story: &Story, lag: u64) -> Course {
        let sure = story.sure_ends();
        let confirm = sure.iter().find(|end| end.how == Ended::Confirmed);
        let give = sure.iter().find(|end| end.how != Ended::Confirmed);
        let told = story.told.first();
        let told_confirmed = told.filter(|told| told.how == Ended::Confirmed);

        let confirmed = match (confirm, give) {
            (Some(_), None) => Confirmed::Surely,
            (Some(_), Some(_)) => Confirmed::Perhaps, // two ends: neither is believed
            (None, Some(_)) => Confirmed::No,
            (None, None) => match told {
                Some(told) if told.how == Ended::Confirmed => Confirmed::Surely,
                Some(_) => Confirmed::No, // C4
                None if confirms(story).next().is_some() => Confirmed::Perhaps,
                None => Confirmed::No,
            },
        };
        let candidates = || confirms(story).filter(|_| confirmed != Confirmed::No);
        let confirm_call = candidates().map(|end| end.act.call).min();
        let confirm_call = confirm_call.unwrap_or(u64::MAX);

        let deadline = story.deadlines.definite_end();
        let gives = story.ends.iter().filter(|end| end.how != Ended::Confirmed);
        let give_call = gives.map(|end| end.act.call).min().unwrap_or(u64::MAX);
        let lost = story.told.iter().any(|told| told.how == Ended::Lost);
        let end = match confirmed {
            Confirmed::Surely => u64::MAX, // C1
            _ if lost => 0,
            _ => give_call.min(deadline.max(late_confirm_proof(story))),
        };
        let any_end = story.ends.iter().map(|end| end.act.call).min();
        let live_end = deadline.min(any_end.unwrap_or(u64::MAX)).min(story.may_be_empty_from()).min(if lost {
            0
        } else {
            u64::MAX
        });

        let natural = story.deadlines.possible_end(lag);
        let over = match (confirm, give, told) {
            (Some(confirm), ..) => confirm.act.after(),
            (None, None, Some(told)) if told.how == Ended::Confirmed => told.act.after(),
            (None, give, told) => {
                let given = give.map_or(u64::MAX, |give| give.act.after());
                let heard = told.map_or(u64::MAX, |told| told.act.after());
                natural.min(given).min(heard)
            }
        };
        Course {
            start: story.begin.ret.or_else(|| proof_of_begin(story)),
            end,
            live_end,
            over,
            confirmed,
            confirm_call,
            confirmed_by: match (confirm, told_confirmed) {
                (Some(confirm), _) => confirm.act.ret,
                (None, Some(told)) => told.act.ret,
                (None, None) => u64::MAX,
            },
        }
    }

    /// Whether the reservation is live at every instant of `[call, ret]`, whatever happened.
    pub(super) fn definitely_live(&self, call: u64, ret: u64) -> bool {
        self.start.is_some_and(|start| start < call) && ret < self.live_end
    }

    /// Enters the reservation's units into the ledgers.
    pub(super) fn enter(&self, story: &Story, bounds: &mut Bounds, ledgers: &mut Ledgers) {
        for item in &story.items {
            let (line, qty) = (item.line, item.qty);
            let keep = self.keep(story, line);

            // C2: calls for the least, returns for the most.
            let least = &mut bounds.least;
            least.begin(self.start.unwrap_or(u64::MAX), qty);
            let most = &mut bounds.most;
            most.begin(story.begin.call, qty);
            for part in story.parts_of(line) {
                least.change(part.act.call, Change::Less(part.qty));
                most.change(part.act.after(), Change::Less(part.qty));
            }
            least.change(self.confirm_call, Change::Cap(keep.least));
            least.change(self.end, Change::Cap(0));
            most.change(self.over, Change::Cap(keep.most));
            for act in &story.cancels {
                least.change(act.call, Change::Cap(0));
                most.change(act.after(), Change::Cap(0));
            }
            least.trace(line, &mut ledgers.tight);
            most.trace(line, &mut ledgers.loose);

            self.enter_given(story, line, qty, keep, ledgers);
            if !ledgers.books.is_empty() {
                self.enter_books(story, line, keep, bounds, ledgers);
            }
        }
    }

    /// Bounds of what a confirm that may have won keeps of a line, parts aside.
    fn keep(&self, story: &Story, line: u32) -> Keep {
        if self.confirmed == Confirmed::No {
            return Keep {
                least: u64::MAX, // never applied: nothing was confirmed at any time
                most: 0,
            };
        }
        let named = story.kept_of(line);
        let kept_by = |confirm: &End| {
            if story.kept.iter().all(|kept| kept.call != confirm.act.index) {
                return u64::MAX; // it named no items: all of them
            }
            let here = named.iter().filter(|kept| kept.call == confirm.act.index);
            here.fold(0_u64, |sum, kept| sum.saturating_add(kept.qty))
        };
        // Told of a confirm that nobody recorded: all of it may have been kept.
        let all = Keep { least: u64::MAX, most: u64::MAX };
        let keeps = confirms(story).map(kept_by).map(|qty| Keep { least: qty, most: qty });
        keeps.reduce(|a, b| Keep { least: a.least.min(b.least), most: a.most.max(b.most) }).unwrap_or(all)
    }

    /// Confirmed units against what is shipped and cancelled, on lines where anything is.
    fn enter_given(&self, story: &Story, line: u32, qty: u64, keep: Keep, ledgers: &mut Ledgers) {
        if self.confirmed == Confirmed::No || !ledgers.given_lines.contains(&line) {
            return;
        }
        let parts = story.parts_of(line);
        let back = |sure_only: bool| {
            let parts = parts.iter().filter(|part| part.act.sure || !sure_only);
            parts.fold(0_u64, |sum, part| sum.saturating_add(part.qty))
        };
        let most = qty.saturating_sub(back(true)).min(keep.most);
        let call = match self.confirm_call {
            u64::MAX => story.begin.call,
            call => call,
        };
        ledgers.given.stock(line, call, signed(most));
        let least = qty.saturating_sub(back(false)).min(keep.least);
        for act in story.ships.iter().chain(&story.cancels) {
            ledgers.given.promised(line, act.ret, signed(least));
        }
    }

    fn enter_books(&self, story: &Story, line: u32, keep: Keep, bounds: &Bounds, ledgers: &mut Ledgers) {
        ledgers.books.enter(line, |book| {
            let t = book.at_ns();
            let (least, most) = (bounds.least.at(t), bounds.most.at(t));
            let sure = self.confirmed == Confirmed::Surely && self.confirmed_by <= t;
            let maybe = self.confirmed != Confirmed::No && self.confirm_call.min(self.confirmed_by) <= t;
            let kept_most = if maybe { most.min(keep.most) } else { 0 };
            let kept_least = if sure { least } else { 0 };
            book.confirmed.add_between(kept_least, kept_most);
            book.reserved.add_between(if maybe { 0 } else { least }, if sure { 0 } else { most });
            for act in &story.ships {
                match Weight::at(t, act.call, act.ret) {
                    Weight::Surely => book.shipped.add_between(kept_least, kept_most),
                    Weight::Perhaps => book.shipped.add_between(0, kept_most),
                    Weight::No => {}
                }
            }
        });
    }
}

/// The confirms that may have won: those answered `Ok`, or else those without an answer.
fn confirms(story: &Story) -> impl Iterator<Item = &End> {
    let is_confirm = |end: &&End| end.how == Ended::Confirmed;
    let sure = story.sure_ends().iter().filter(is_confirm);
    let none = sure.clone().next().is_none();
    let unsure = story.unsure_ends().iter().filter(move |_| none);
    sure.chain(unsure.filter(is_confirm))
}

/// An accepted confirm found the reservation live.
fn late_confirm_proof(story: &Story) -> u64 {
    let sure = story.sure_ends().iter();
    let confirms = sure.filter(|end| end.how == Ended::Confirmed);
    confirms.map(|end| end.act.call).max().unwrap_or(0)
}

/// An unanswered reserve did happen if something later succeeded on its id.
fn proof_of_begin(story: &Story) -> Option<u64> {
    let ends = story.sure_ends().iter().map(|end| end.act);
    let parts = story.parts.iter().map(|part| part.act);
    let acts = ends.chain(parts.filter(|act: &Act| act.sure));
    let moves = story.deadlines.sure().iter().map(|step| step.ret);
    acts.map(|act| act.ret).chain(moves).min()
}
