//! The table at the end, the totals and the closing line.
//!
//! Counted are single tests as they ran, so a test that ran in two suites counts twice. A test that a
//! suite ignored and another one ran is no skipped test; one that nobody ran is, with its reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::time::Duration;

use crate::parse::{Seen, TestId};
use crate::suite::Suite;

/// Tests ignored for this reason are promised to run in some suite of a full run.
const PROMISED: &str = "heavy: run by cargo xtask test";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    Failed(Vec<String>),
    /// It could not be tried here; says why and what to install.
    NotRun(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Passed => f.write_str("passed"),
            Outcome::Failed(_) => f.write_str("FAILED"),
            Outcome::NotRun(_) => f.write_str("NOT RUN"),
        }
    }
}

/// What became of one suite.
#[derive(Debug)]
pub(crate) struct SuiteReport {
    pub(crate) name: &'static str,
    pub(crate) outcome: Outcome,
    pub(crate) built_for: Duration,
    pub(crate) ran_for: Duration,
    pub(crate) budget: Duration,
    pub(crate) seen: Vec<Seen>,
}

impl SuiteReport {
    pub(crate) fn new(suite: &Suite) -> SuiteReport {
        SuiteReport {
            name: suite.name,
            outcome: Outcome::Passed,
            built_for: Duration::ZERO,
            ran_for: Duration::ZERO,
            budget: Duration::from_secs(suite.budget_s),
            seen: Vec::new(),
        }
    }

    pub(crate) fn fail(&mut self, why: String) {
        match &mut self.outcome {
            Outcome::Failed(reasons) => reasons.push(why),
            outcome => *outcome = Outcome::Failed(vec![why]),
        }
    }

    pub(crate) fn failed(mut self, why: String) -> SuiteReport {
        self.fail(why);
        self
    }

    fn totals(&self) -> Totals {
        let not_run: u64 = self.seen.iter().map(|seen| seen.not_run.len() as u64).sum();
        let passed: u64 = self.seen.iter().map(|seen| seen.passed).sum();
        let mut failed: u64 = self.seen.iter().map(|seen| seen.failed).sum();
        let mut skipped = not_run;
        match self.outcome {
            // A build error or a budget is a failure although no single test failed.
            Outcome::Failed(_) => failed = failed.max(1),
            Outcome::NotRun(_) => skipped += 1,
            Outcome::Passed => {}
        }
        Totals { passed: passed.saturating_sub(not_run), failed, skipped }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Totals {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// Every suite that was played.
pub(crate) struct Report {
    suites: Vec<SuiteReport>,
    full: bool,
}

impl Report {
    /// A full report holds every suite of the table, so it can also say what no suite ran.
    pub(crate) fn new(full: bool) -> Report {
        Report { suites: Vec::new(), full }
    }

    pub(crate) fn add(&mut self, suite: SuiteReport) {
        self.suites.push(suite);
    }

    pub(crate) fn has_passed(&self, suite: &str) -> bool {
        self.suites.iter().any(|known| known.name == suite && known.outcome == Outcome::Passed)
    }

    pub(crate) fn is_green(&self) -> bool {
        self.totals().failed == 0
    }

    /// The table, what was explored, what failed, what was skipped, and the closing line.
    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        let _ = writeln!(out, "{:<9}{:<9}{:>8}{:>8}{:>8}  tests", "suite", "result", "build", "run", "budget");
        for suite in &self.suites {
            let seconds = |time: Duration| format!("{:.1} s", time.as_secs_f64());
            let (built, ran) = (seconds(suite.built_for), seconds(suite.ran_for));
            let budget = format!("{} s", suite.budget.as_secs());
            let (outcome, totals) = (suite.outcome.to_string(), suite.totals());
            let _ = writeln!(out, "{:<9}{outcome:<9}{built:>8}{ran:>8}{budget:>8}  {totals}", suite.name);
        }
        let ran = self.suites.iter().flat_map(|suite| {
            let lines: BTreeSet<&String> = suite.seen.iter().flat_map(|seen| &seen.ran).collect();
            lines.into_iter().map(|line| format!("{}: {line}", suite.name))
        });
        paragraph(&mut out, "what it ran", ran);
        paragraph(&mut out, "failed", self.failures());
        paragraph(&mut out, "skipped", self.skips());
        let _ = writeln!(out, "\n{}", self.totals());
        out
    }

    fn totals(&self) -> Totals {
        let mut sum = Totals::default();
        for suite in self.suites.iter().map(SuiteReport::totals) {
            sum.passed += suite.passed;
            sum.failed += suite.failed;
            sum.skipped += suite.skipped;
        }
        let (promised, left_out) = self.never_ran();
        sum.failed += promised.len() as u64;
        sum.skipped += left_out.len() as u64;
        sum
    }

    fn failures(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for suite in &self.suites {
            if let Outcome::Failed(reasons) = &suite.outcome {
                lines.extend(reasons.iter().map(|why| format!("{}: {why}", suite.name)));
            }
            let tests = suite.seen.iter().flat_map(|seen| &seen.failures);
            lines.extend(tests.map(|test| format!("{}: {test}", suite.name)));
        }
        let promised = self.never_ran().0;
        lines.extend(promised.iter().map(|test| format!("{test}: ignored as \"{PROMISED}\", but no suite runs it")));
        lines
    }

    fn skips(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for suite in &self.suites {
            if let Outcome::NotRun(why) = &suite.outcome {
                lines.push(format!("{}: {why}", suite.name));
            }
            let tests = suite.seen.iter().flat_map(|seen| &seen.not_run);
            lines.extend(tests.map(|(test, why)| format!("{}: {test}: {why}", suite.name)));
        }
        lines.extend(self.never_ran().1.iter().map(|(test, why)| format!("{test}: ignored: {why}")));
        lines
    }

    /// Ignored tests that no suite ran: those that were promised to run, and the others with their
    /// reason. A part of the suites keeps no promise for the rest.
    fn never_ran(&self) -> (Vec<&TestId>, BTreeMap<&TestId, &str>) {
        let seen = || self.suites.iter().flat_map(|suite| &suite.seen);
        let ended: BTreeSet<&TestId> = seen().flat_map(|seen| &seen.ended).collect();
        let left_out: BTreeMap<&TestId, &str> = seen()
            .flat_map(|seen| &seen.ignored)
            .filter(|(test, _)| !ended.contains(test))
            .map(|(test, why)| (test, why.as_str()))
            .collect();
        let (promised, others): (BTreeMap<_, _>, BTreeMap<_, _>) =
            left_out.into_iter().partition(|(_, why)| self.full && *why == PROMISED);
        (promised.into_keys().collect(), others)
    }
}

fn paragraph(out: &mut String, title: &str, lines: impl IntoIterator<Item = String>) {
    let mut lines = lines.into_iter().peekable();
    if lines.peek().is_some() {
        let _ = writeln!(out, "\n{title}:");
        lines.for_each(|line| _ = writeln!(out, "  {line}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::Reader;
    use crate::suite::SUITES;

    fn suite(output: &str) -> SuiteReport {
        let mut reader = Reader::default();
        output.lines().for_each(|line| reader.line(line));
        let mut report = SuiteReport::new(&SUITES[0]);
        report.seen.push(reader.finish());
        report
    }

    fn report(full: bool, suites: impl IntoIterator<Item = SuiteReport>) -> Report {
        let mut report = Report::new(full);
        suites.into_iter().for_each(|suite| report.add(suite));
        report
    }

    const HEAVY_IGNORED: &str = "Running unittests src/lib.rs (target/debug/deps/earmark-1)
test model::walk ... ignored, heavy: run by cargo xtask test
test stock::packs ... ok
test result: ok. 1 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out";
    const HEAVY_RUN: &str = "Running unittests src/lib.rs (target/release/deps/earmark-2)
test model::walk ... ok
test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out";

    #[test]
    fn a_test_ignored_here_and_run_there_is_not_skipped() {
        let report = report(true, [suite(HEAVY_IGNORED), suite(HEAVY_RUN)]);
        assert_eq!(report.totals(), Totals { passed: 2, failed: 0, skipped: 0 });
        assert!(report.is_green());
        assert_eq!(report.text().lines().last(), Some("2 passed, 0 failed, 0 skipped"));
    }

    #[test]
    fn a_heavy_test_that_no_suite_runs_is_a_failure_of_a_full_run() {
        let full = report(true, [suite(HEAVY_IGNORED)]);
        assert_eq!(full.totals(), Totals { passed: 1, failed: 1, skipped: 0 });
        assert!(full.text().contains("but no suite runs it"));
        let part = report(false, [suite(HEAVY_IGNORED)]);
        assert_eq!(part.totals(), Totals { passed: 1, failed: 0, skipped: 1 });
        assert!(part.text().contains("ignored: heavy"));
    }

    #[test]
    fn a_test_that_says_it_did_not_run_is_skipped_and_not_passed() {
        let output = "Running tests/real_data.rs (target/debug/deps/real_data-1)
test replay ... ok
---- replay stdout ----
not run: EARMARK_ONLINE_RETAIL is not set
test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out";
        let report = report(true, [suite(output)]);
        assert_eq!(report.totals(), Totals { passed: 0, failed: 0, skipped: 1 });
        assert!(report.text().contains("real_data replay: EARMARK_ONLINE_RETAIL is not set"));
    }

    #[test]
    fn a_suite_without_a_failed_test_can_still_fail() {
        let broken = SuiteReport::new(&SUITES[0]).failed("does not build".into());
        let report = report(true, [broken]);
        assert!(!report.is_green());
        assert_eq!(report.text().lines().last(), Some("0 passed, 1 failed, 0 skipped"));
    }

    #[test]
    fn a_suite_that_could_not_run_is_skipped_with_its_reason() {
        let mut absent = SuiteReport::new(&SUITES[0]);
        absent.outcome = Outcome::NotRun("no C++ compiler".into());
        let report = report(true, [absent]);
        assert!(report.is_green());
        assert!(report.text().contains("no C++ compiler"));
        assert_eq!(report.text().lines().last(), Some("0 passed, 0 failed, 1 skipped"));
    }
}
