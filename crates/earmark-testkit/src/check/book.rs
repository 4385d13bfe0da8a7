//! Rule (d): what was seen of a line at rest, beside what the history says.
//!
//! Every figure has a range: a call under way at the moment of the snapshot, or one without an answer, may
//! count or not. At rest the ranges are single numbers.

use std::collections::HashMap;

use super::options::Final;
use super::report::{Report, Violation};

/// At least and at most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Range {
    least: i128,
    most: i128,
}

impl Range {
    /// Adds a quantity that counts surely, perhaps, or not at all.
    pub(super) fn add(&mut self, qty: u64, weight: Weight) {
        self.add_between(if weight == Weight::Surely { qty } else { 0 }, if weight == Weight::No { 0 } else { qty });
    }

    /// Adds a quantity known within bounds.
    pub(super) fn add_between(&mut self, least: u64, most: u64) {
        self.least += i128::from(least);
        self.most += i128::from(most);
    }

    fn plus(self, other: Range) -> Range {
        Range { least: self.least + other.least, most: self.most + other.most }
    }

    fn minus(self, other: Range) -> Range {
        Range { least: self.least - other.most, most: self.most - other.least }
    }
}

/// Whether a call had its effect by the time of the snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    No,
    Perhaps,
    Surely,
}

impl Weight {
    /// Of a call on `[call, ret]` at `t`; `ret` is `u64::MAX` if it was not answered.
    pub(super) fn at(t: u64, call: u64, ret: u64) -> Weight {
        if ret <= t && ret < u64::MAX {
            Weight::Surely
        } else if call <= t {
            Weight::Perhaps
        } else {
            Weight::No
        }
    }
}

/// One line's books at one instant.
#[derive(Debug)]
pub(super) struct Book {
    seen: Final,
    pub(super) gained: Range,
    pub(super) lost: Range,
    pub(super) blocked: Range,
    pub(super) unblocked: Range,
    pub(super) shipped: Range,
    pub(super) cancelled: Range,
    pub(super) reserved: Range,
    pub(super) confirmed: Range,
}

impl Book {
    pub(super) fn at_ns(&self) -> u64 {
        self.seen.at_ns
    }

    fn judge(&self, report: &mut Report) {
        let stock = self.gained.minus(self.lost);
        let blocked = self.blocked.minus(self.unblocked);
        let kept = self.confirmed.minus(self.cancelled);
        let available = stock.minus(blocked).minus(kept.plus(self.reserved));
        let seen = &self.seen;
        let sum = [seen.available, seen.reserved, seen.committed, seen.blocked];
        let sum = sum.into_iter().map(i128::from).sum();
        let equation = Range { least: sum, most: sum };
        for (figure, told, range) in [
            ("on_hand", seen.on_hand, stock.minus(self.shipped)),
            ("available", seen.available, available),
            ("reserved", seen.reserved, self.reserved),
            ("committed", seen.committed, kept.minus(self.shipped)),
            ("blocked", seen.blocked, blocked),
            ("on_hand as the sum of its parts", seen.on_hand, equation),
        ] {
            let told = i128::from(told);
            if told < range.least || told > range.most {
                report.add(Violation::Snapshot { line: seen.line, figure, told, least: range.least, most: range.most });
            }
        }
    }
}

/// The books of all lines that were looked at.
#[derive(Debug, Default)]
pub(super) struct Books {
    books: Vec<Book>,
    by_line: HashMap<u32, Vec<usize>>,
}

impl Books {
    pub(super) fn new(finals: &[Final]) -> Books {
        let mut all = Books::default();
        for seen in finals {
            all.by_line.entry(seen.line).or_default().push(all.books.len());
            all.books.push(Book {
                seen: *seen,
                gained: Range::default(),
                lost: Range::default(),
                blocked: Range::default(),
                unblocked: Range::default(),
                shipped: Range::default(),
                cancelled: Range::default(),
                reserved: Range::default(),
                confirmed: Range::default(),
            });
        }
        all
    }

    pub(super) fn is_empty(&self) -> bool {
        self.books.is_empty()
    }

    /// Enters something into every book of a line.
    pub(super) fn enter(&mut self, line: u32, mut entry: impl FnMut(&mut Book)) {
        for at in self.by_line.get(&line).map_or(&[][..], Vec::as_slice) {
            entry(&mut self.books[*at]);
        }
    }

    pub(super) fn judge(&self, report: &mut Report) {
        for book in &self.books {
            book.judge(report);
        }
    }
}
