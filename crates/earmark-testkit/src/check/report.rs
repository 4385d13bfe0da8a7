//! The verdict: what was broken, how often, and the first cases of each.

use std::fmt;

use crate::history::{Call, Ended, Id, Outcome};

/// What a history can break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Rule {
    /// Definitely live and confirmed units exceeded the largest stock there can have been. Counted per stretch of time.
    Oversold,
    /// A refusal as sold out, though the units were there at every instant of the call. Counted per line named.
    FalseSoldOut,
    /// A refusal said how many units there were, and there were never so few.
    WrongAvailable,
    /// A confirm was accepted that began at or after the deadline.
    LateConfirm,
    /// The deadline was moved by a call that began at or after it.
    LateMove,
    /// A call was told "expired" and had returned before the deadline.
    EarlyExpiry,
    /// A reservation was ended successfully once more.
    DoubleEnd,
    /// An answer named an end that cannot have won.
    WrongWinner,
    /// A call succeeded on a reservation that had surely ended before it began.
    AfterEnd,
    /// More units were given back or confirmed than the reservation held. Counted per reservation and line.
    OverRelease,
    /// "Not found" about a reservation that was live all through the call.
    LostReservation,
    /// An answer about an id that was never issued, or not yet.
    UnknownId,
    /// One id was issued twice.
    DuplicateId,
    /// The books do not add up: a snapshot at rest, or more shipped and cancelled than confirmed.
    Conservation,
    /// The record itself makes no sense: it returns before it begins, or lacks what its operation needs.
    Malformed,
}

impl Rule {
    /// Every rule, in the order of a report.
    pub const ALL: [Rule; 15] = [
        Rule::Oversold,
        Rule::FalseSoldOut,
        Rule::WrongAvailable,
        Rule::LateConfirm,
        Rule::LateMove,
        Rule::EarlyExpiry,
        Rule::DoubleEnd,
        Rule::WrongWinner,
        Rule::AfterEnd,
        Rule::OverRelease,
        Rule::LostReservation,
        Rule::UnknownId,
        Rule::DuplicateId,
        Rule::Conservation,
        Rule::Malformed,
    ];
}

/// One broken rule. `call` is the call's place in the history that was checked, from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs)] // the fields are what they are called; the variants are the rules
pub enum Violation {
    /// From `at_ns` on (until `until_ns`) `held` units were promised of at most `stock`; later by up to `worst_by`.
    Oversold { line: u32, at_ns: u64, until_ns: u64, held: i128, stock: i128, worst_by: i128 },
    /// `asked` units were refused, and at least `least_available` were there all the time.
    FalseSoldOut { call: usize, line: u32, asked: u64, least_available: i128 },
    /// The refusal said `told`; it was asked for `asked`, and at least `least_available` were there all the time.
    WrongAvailable { call: usize, line: u32, asked: u64, told: u64, least_available: i128 },
    /// The deadline can have been `deadline_ns` at most.
    LateConfirm { call: usize, id: Id, deadline_ns: u64 },
    /// The deadline can have been `deadline_ns` at most.
    LateMove { call: usize, id: Id, deadline_ns: u64 },
    /// The call returned before any deadline the reservation can have had.
    EarlyExpiry { call: usize, id: Id },
    /// The `call` ended as `second` what had ended as `first`.
    DoubleEnd { call: usize, id: Id, first: Ended, second: Ended },
    /// The `call` was told of the end `told`.
    WrongWinner { call: usize, id: Id, told: Ended },
    /// The reservation had ended by `ended_ns`.
    AfterEnd { call: usize, id: Id, ended_ns: u64 },
    /// Of `held` units `given` were given back or confirmed.
    OverRelease { id: Id, line: u32, held: u64, given: u64 },
    /// The `call` was told "not found".
    LostReservation { call: usize, id: Id },
    /// The `call` got an answer that only an issued id can get.
    UnknownId { call: usize, id: Id },
    /// The `call` issued the id again.
    DuplicateId { call: usize, id: Id },
    /// The snapshot says `told`, the history between `least` and `most`.
    Snapshot { line: u32, figure: &'static str, told: i128, least: i128, most: i128 },
    /// By `at_ns`, `given` units had been shipped or cancelled of at most `confirmed`.
    OverGiven { line: u32, at_ns: u64, given: i128, confirmed: i128 },
    /// The record at `call` makes no sense.
    Malformed { call: usize, what: &'static str },
}

impl Violation {
    /// The rule that is broken.
    pub const fn rule(&self) -> Rule {
        match self {
            Violation::Oversold { .. } => Rule::Oversold,
            Violation::FalseSoldOut { .. } => Rule::FalseSoldOut,
            Violation::WrongAvailable { .. } => Rule::WrongAvailable,
            Violation::LateConfirm { .. } => Rule::LateConfirm,
            Violation::LateMove { .. } => Rule::LateMove,
            Violation::EarlyExpiry { .. } => Rule::EarlyExpiry,
            Violation::DoubleEnd { .. } => Rule::DoubleEnd,
            Violation::WrongWinner { .. } => Rule::WrongWinner,
            Violation::AfterEnd { .. } => Rule::AfterEnd,
            Violation::OverRelease { .. } => Rule::OverRelease,
            Violation::LostReservation { .. } => Rule::LostReservation,
            Violation::UnknownId { .. } => Rule::UnknownId,
            Violation::DuplicateId { .. } => Rule::DuplicateId,
            Violation::Snapshot { .. } | Violation::OverGiven { .. } => Rule::Conservation,
            Violation::Malformed { .. } => Rule::Malformed,
        }
    }
}

/// How the calls were answered: a history of refusals alone breaks nothing and proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Answers {
    /// `Ok`.
    pub ok: u64,
    /// `Insufficient`.
    pub insufficient: u64,
    /// `Contended`.
    pub contended: u64,
    /// Told of an end, `Expired` included.
    pub ended: u64,
    /// `NotFound` and `Refused`.
    pub refused: u64,
    /// `Unknown`.
    pub unknown: u64,
}

/// What [`check`](crate::check) found. Counts are exact, details are capped per rule.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use = "a report that nobody reads judges nothing"]
pub struct Report {
    /// How many calls were judged: all but reads.
    pub calls: u64,
    /// How they were answered.
    pub answers: Answers,
    counts: [u64; Rule::ALL.len()],
    details: Vec<Violation>,
    details_max: usize,
}

impl Report {
    pub(super) fn new(details_max: usize) -> Report {
        Report { details_max, ..Report::default() }
    }

    pub(super) fn answered(&mut self, call: &Call) {
        self.calls += 1;
        let count = match &call.result {
            Outcome::Ok => &mut self.answers.ok,
            Outcome::Insufficient(_) => &mut self.answers.insufficient,
            Outcome::Contended => &mut self.answers.contended,
            Outcome::Expired | Outcome::AlreadyEnded(_) => &mut self.answers.ended,
            Outcome::NotFound | Outcome::Refused => &mut self.answers.refused,
            Outcome::Unknown => &mut self.answers.unknown,
        };
        *count += 1;
    }

    pub(super) fn add(&mut self, violation: Violation) {
        let count = &mut self.counts[violation.rule() as usize];
        *count += 1;
        if *count <= self.details_max as u64 {
            self.details.push(violation);
        }
    }

    /// Whether nothing was broken.
    pub fn is_clean(&self) -> bool {
        self.total() == 0
    }

    /// How often all rules together were broken.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How often a rule was broken.
    pub fn count(&self, rule: Rule) -> u64 {
        self.counts[rule as usize]
    }

    /// How often a line was oversold.
    pub fn oversold(&self) -> u64 {
        self.count(Rule::Oversold)
    }

    /// How often units were refused that were there.
    pub fn false_sold_out(&self) -> u64 {
        self.count(Rule::FalseSoldOut)
    }

    /// How often a confirm was accepted too late.
    pub fn late_confirms(&self) -> u64 {
        self.count(Rule::LateConfirm)
    }

    /// How often "expired" was said too early.
    pub fn early_expiries(&self) -> u64 {
        self.count(Rule::EarlyExpiry)
    }

    /// How often a reservation was ended more than once.
    pub fn double_ends(&self) -> u64 {
        self.count(Rule::DoubleEnd)
    }

    /// How often an id got an answer without having been issued.
    pub fn unknown_ids(&self) -> u64 {
        self.count(Rule::UnknownId)
    }

    /// How often the books did not add up.
    pub fn conservation(&self) -> u64 {
        self.count(Rule::Conservation)
    }

    /// The first violations of every rule, as found.
    pub fn details(&self) -> &[Violation] {
        &self.details
    }
}

/// One line if clean; else the counts that are not zero, then the details.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Answers { ok, insufficient, contended, ended, refused, unknown } = self.answers;
        match self.total() {
            0 => f.write_str("clean")?,
            broken => write!(f, "{broken} VIOLATIONS")?,
        }
        write!(
            f,
            ": {} calls ({ok} ok, {insufficient} insufficient, {contended} contended, {ended} told of an end, \
             {refused} refused, {unknown} unknown)",
            self.calls
        )?;
        for rule in Rule::ALL {
            if self.count(rule) > 0 {
                write!(f, "\n  {rule:?}: {}", self.count(rule))?;
            }
        }
        for violation in &self.details {
            write!(f, "\n    {violation}")?;
        }
        let told = self.details.len() as u64;
        match self.total() - told {
            0 => Ok(()),
            more => write!(f, "\n    and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_exact_and_details_capped_per_rule() {
        let mut report = Report::new(2);
        for call in 0..5 {
            report.add(Violation::Malformed { call, what: "x" });
        }
        report.add(Violation::UnknownId { call: 9, id: Id::from(1_u64) });
        assert_eq!(report.count(Rule::Malformed), 5);
        assert_eq!(report.unknown_ids(), 1);
        assert_eq!(report.details().len(), 3);
        assert!(report.to_string().ends_with("and 3 more"));
    }

    #[test]
    fn rules_are_numbered_as_listed() {
        for (at, rule) in Rule::ALL.into_iter().enumerate() {
            assert_eq!(rule as usize, at);
        }
    }
}
