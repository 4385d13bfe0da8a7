//! The table of suites. To add one, add a row; `cargo xtask test --list` shows it.
//!
//! A suite's budget is for *running*; building has a limit of its own, so that a cold build does not
//! make a slow test look fast enough, nor a fast one slow. Going over the budget fails the suite. Nothing
//! is left out because it is not there: a test target that does not exist, or a filter that no test
//! matches, is a failure.

use std::fmt::Write as _;
use std::io;

use crate::seeded::{BREAKS, Build};
use crate::stage::Stage;
use crate::{counts, fuzz, must_fail, rules};

/// One row.
#[derive(Debug)]
pub(crate) struct Suite {
    pub(crate) name: &'static str,
    /// What question the suite answers.
    pub(crate) asks: &'static str,
    pub(crate) work: Work,
    /// Seconds its tests may run, without building.
    pub(crate) budget_s: u64,
    /// What some line of the output must say; else the suite did not do what it is for.
    pub(crate) must_print: &'static [Said],
}

/// A text, and the least that the number behind it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Said {
    text: &'static str,
    least: u64,
}

const fn said(text: &'static str, least: u64) -> Said {
    Said { text, least }
}

impl Said {
    /// Whether this line says it.
    pub(crate) fn is_in(self, line: &str) -> bool {
        let Some((_, behind)) = line.split_once(self.text) else {
            return false;
        };
        let digits: String = behind.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u64>().is_ok_and(|number| number >= self.least)
    }
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}N`, N at least {}", self.text, self.least)
    }
}

#[derive(Debug)]
pub(crate) enum Work {
    /// `cargo test` calls, one after the other.
    Tests(&'static [CargoTest]),
    /// Code of our own.
    Own(fn(&mut Stage<'_>) -> io::Result<()>),
}

/// One call of `cargo test`.
#[derive(Debug)]
pub(crate) struct CargoTest {
    /// What to build.
    pub(crate) build: &'static [&'static str],
    /// What the test binaries get, behind `--`.
    pub(crate) tests: &'static [&'static str],
    /// Compiler flags and the target directory that belongs to them.
    pub(crate) flags: Flags,
    pub(crate) expect: Expect,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flags {
    Plain,
    /// The models: loom's atomics, and the breaks, so that both suites share one build.
    Loom,
    /// The engine with the breaks and the steps built in.
    Engine,
}

impl Flags {
    pub(crate) fn rustflags(self) -> &'static str {
        match self {
            Flags::Plain => "",
            Flags::Loom => Build::Loom.rustflags(),
            Flags::Engine => Build::Engine.rustflags(),
        }
    }

    pub(crate) fn target(self) -> Option<&'static str> {
        match self {
            Flags::Plain => None,
            Flags::Loom => Some(Build::Loom.target()),
            Flags::Engine => Some(Build::Engine.target()),
        }
    }
}

/// Which emptiness is a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expect {
    /// The call as a whole must run a test; a crate without one is fine.
    SomeTest,
    /// Each binary must run a test: each was named on purpose.
    EveryBinary,
}

/// Shows what passing tests print, in the order of the tests.
const SHOW: &str = "--show-output";

pub(crate) const SUITES: &[Suite] = &[
    Suite {
        name: "rules",
        asks: "does the tree keep the rules of the house that no compiler checks?",
        work: Work::Own(rules::suite),
        budget_s: 60,
        must_print: &[],
    },
    Suite {
        name: "unit",
        asks: "do all crates do what they say, every feature on?",
        work: Work::Tests(&[CargoTest {
            build: &["--workspace", "--all-features", "--lib", "--bins", "--tests", "--examples"],
            tests: &[SHOW],
            flags: Flags::Plain,
            expect: Expect::SomeTest,
        }]),
        budget_s: 300,
        must_print: &[],
    },
    Suite {
        name: "default",
        asks: "does the engine do so with its default features alone?",
        work: Work::Tests(&[CargoTest {
            build: &["-p", "earmark", "--lib", "--tests"],
            tests: &[SHOW],
            flags: Flags::Plain,
            expect: Expect::SomeTest,
        }]),
        budget_s: 240,
        must_print: &[],
    },
    Suite {
        name: "docs",
        asks: "do the examples of the documentation run?",
        work: Work::Tests(&[CargoTest {
            build: &["--workspace", "--doc", "--all-features"],
            tests: &[SHOW],
            flags: Flags::Plain,
            expect: Expect::SomeTest,
        }]),
        budget_s: 240, // documentation tests are compiled as they run
        must_print: &[],
    },
    Suite {
        name: "release",
        asks: "does the engine as it ships hold under load, over a million operations, with nobody helping?",
        work: Work::Tests(&[
            CargoTest {
                build: &["--release", "-p", "earmark", "--lib"],
                tests: &["model::", "--include-ignored", SHOW],
                flags: Flags::Plain,
                expect: Expect::EveryBinary,
            },
            // The heavy integration tests: every file under crates/earmark/tests/ with a test that is
            // ignored as heavy stands here.
            CargoTest {
                build: &["--release", "-p", "earmark", "--test", "history", "--test", "alloc"],
                tests: &["--include-ignored", SHOW],
                flags: Flags::Plain,
                expect: Expect::EveryBinary,
            },
        ]),
        budget_s: 300,
        must_print: &[said("ran: model ", 1_000_000), said("ran: history ", 10_000_000), said("ran: alloc ", 1)],
    },
    Suite {
        name: "progress",
        asks: "does a thread stopped inside a call leave the others working?",
        work: Work::Tests(&[CargoTest {
            build: &["-p", "earmark", "--lib", "--profile", "model"],
            tests: &["progress_", "--test-threads", "1", "--nocapture"],
            flags: Flags::Engine,
            expect: Expect::EveryBinary,
        }]),
        budget_s: 60,
        must_print: &[
            said("ran: progress reserve at Taken: ", 100_000),
            said("ran: progress cart at CartMidway: ", 100_000),
            said("ran: progress confirm at Ended: ", 100_000),
            said("ran: progress advance at Sweeping: ", 100_000),
        ],
    },
    Suite {
        name: "loom",
        asks: "does every interleaving of two or three threads keep the promises?",
        work: Work::Tests(&[CargoTest {
            build: &["-p", "earmark", "--lib", "--profile", "model"],
            tests: &["loom_", "--include-ignored", "--test-threads", "2", "--nocapture"],
            flags: Flags::Loom,
            expect: Expect::EveryBinary,
        }]),
        budget_s: 480,
        // The races that the engine was built around; what else there is comes on top.
        must_print: &[
            said("ran: loom no_double_booking ", 2),
            said("ran: loom p7_same_key_at_once_reserves_once ", 2),
            said("ran: loom r1_confirm_races_expire ", 2),
            said("ran: loom r1_confirm_races_release ", 2),
            said("ran: loom r1_extend_races_expire ", 2),
            said("ran: loom r1_payment_pending_races_expire ", 2),
            said("ran: loom p3_release_races_reserve_of_the_freed_unit ", 2),
            said("ran: loom p1_adjust_down_races_reserve ", 2),
            said("ran: loom p2_slot_reuse_races_a_stale_id ", 2),
            said("ran: loom two_carts_crossing ", 2),
            said("ran: loom p4_failing_cart_beside_a_single_reserve ", 2),
            said("ran: loom w4_push_soon_beside_a_sweep ", 2),
            said("ran: loom o1_owner_cap_races_itself ", 2),
            said("ran: loom r1_replace_races_confirm ", 2),
        ],
    },
    Suite {
        name: "seeded",
        asks: "is each known bug, built in on purpose, caught by the test meant for it?",
        work: Work::Own(must_fail::suite),
        budget_s: 540, // half of it for models that are green already, if the suite `loom` ran before
        must_print: &[],
    },
    Suite {
        name: "counts",
        asks: "does each hot operation take as many instructions as was recorded?",
        work: Work::Own(counts::suite),
        budget_s: 60,
        must_print: &[said("ran: counts ", 10)],
    },
    Suite {
        name: "fuzz",
        asks: "do the fuzz targets still compile? (their bodies run on stable in `unit`)",
        work: Work::Own(fuzz::suite),
        budget_s: 60,
        must_print: &[],
    },
];

/// What `--list` prints.
pub(crate) fn list() -> String {
    let mut out = String::new();
    for suite in SUITES {
        let _ = writeln!(out, "{:<9}{} [{} s]", suite.name, suite.asks, suite.budget_s);
        if let Work::Tests(calls) = suite.work {
            for call in calls {
                let _ = writeln!(out, "         {}", call.shown());
            }
        }
        for said in suite.must_print {
            let _ = writeln!(out, "         must print {said}");
        }
    }
    let _ = writeln!(out, "\nseeded breaks: {}", BREAKS.len());
    for seeded in BREAKS {
        let red: Vec<String> = seeded.red.iter().map(ToString::to_string).collect();
        let _ = writeln!(out, "  {:<27}{} -> {}", seeded.name, seeded.bug, red.join(", "));
    }
    out
}

impl CargoTest {
    /// The command as one would type it.
    pub(crate) fn shown(&self) -> String {
        let flags = match self.flags.rustflags() {
            "" => String::new(),
            flags => format!("RUSTFLAGS=\"{flags}\" "),
        };
        let target = self.flags.target().map(|own| format!("CARGO_TARGET_DIR=target/{own} ")).unwrap_or_default();
        format!("{flags}{target}cargo test {} -- {}", self.build.join(" "), self.tests.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_distinct_and_budgets_are_set() {
        let names: BTreeSet<&str> = SUITES.iter().map(|suite| suite.name).collect();
        assert_eq!(names.len(), SUITES.len());
        assert!(SUITES.iter().all(|suite| suite.budget_s > 0));
    }

    #[test]
    fn a_line_with_too_small_a_number_or_none_does_not_say_it() {
        let said = said("ran: model ", 1_000);
        assert!(said.is_in("test a ... ran: model 1000 operations"));
        for line in ["ran: model 999 operations", "ran: model many", "ran: models 1000", "model 1000"] {
            assert!(!said.is_in(line), "{line}");
        }
    }

    #[test]
    fn other_flags_have_a_target_directory_of_their_own() {
        for flags in [Flags::Plain, Flags::Loom, Flags::Engine] {
            assert_eq!(flags.rustflags().is_empty(), flags.target().is_none());
        }
    }

    #[test]
    fn the_list_names_every_suite_and_every_break() {
        let list = list();
        assert!(SUITES.iter().all(|suite| list.contains(suite.name)));
        assert!(BREAKS.iter().all(|seeded| list.contains(seeded.name)));
        assert!(list.contains("cargo test -p earmark --lib --profile model -- loom_"));
    }
}
