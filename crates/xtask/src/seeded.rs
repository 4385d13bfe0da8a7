//! The table of seeded breaks: known bugs that the engine carries when it is built with
//! `--cfg earmark_seeded` and started with `EARMARK_BREAK=<name>`, each with the tests that must go red.
//!
//! A test that no bug turns red proves nothing. To add a break: a variant and a name in the engine's
//! `seeded.rs`, the wrong behaviour where the right one is, and a row here. The suite refuses to pass
//! while a name stands in only one of the two places.

use std::fmt;

/// A bug and who must catch it.
#[derive(Debug)]
pub(crate) struct Break {
    /// What `EARMARK_BREAK` takes. `B` numbers are those of the list in the contributors' guide.
    pub(crate) name: &'static str,
    /// What is wrong with it on.
    pub(crate) bug: &'static str,
    /// Every one of these must go red, and each is green without the bug.
    pub(crate) red: &'static [Red],
}

/// A test filter in a binary of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Red {
    pub(crate) build: Build,
    /// `lib` for the unit tests, else the name of a file in `crates/earmark/tests/`.
    pub(crate) binary: &'static str,
    pub(crate) filter: &'static str,
    /// A test that has not gone red by then has not caught the bug.
    pub(crate) limit_s: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Build {
    /// Loom's atomics, profile `model`; the same build as the suite `loom`.
    Loom,
    /// The engine as it ships, optimised, real atomics.
    Engine,
}

impl Build {
    pub(crate) fn rustflags(self) -> &'static str {
        match self {
            Build::Loom => "--cfg earmark_loom --cfg earmark_seeded",
            Build::Engine => "--cfg earmark_seeded",
        }
    }

    pub(crate) fn target(self) -> &'static str {
        match self {
            Build::Loom => "loom",
            Build::Engine => "seeded",
        }
    }

    pub(crate) fn profile(self) -> &'static str {
        match self {
            Build::Loom => "model",
            Build::Engine => "release",
        }
    }
}

impl fmt::Display for Red {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let build = match self.build {
            Build::Loom => "loom",
            Build::Engine => "engine",
        };
        write!(f, "{build} {} `{}`", self.binary, self.filter)
    }
}

/// A loom model of the library.
const fn loom(filter: &'static str) -> Red {
    Red {
        build: Build::Loom,
        binary: "lib",
        filter,
        limit_s: 60,
    }
}

/// A test of the optimised engine.
const fn engine(binary: &'static str, filter: &'static str) -> Red {
    Red {
        build: Build::Engine,
        binary,
        filter,
        limit_s: 120,
    }
}

pub(crate) const BREAKS: &[Break] = &[
    Break {
        name: "B8_load_then_store",
        bug: "reserve loads and stores its word in place of one compare-exchange",
        red: &[loom("loom_no_double_booking")],
    },
    Break {
        name: "B9_relaxed_publish",
        bug: "a slot is published with Relaxed in place of Release",
        red: &[loom("loom_slot_reuse")],
    },
    Break {
        name: "B10_same_generation",
        bug: "a slot keeps its generation when it is used again",
        red: &[loom("loom_slot_reuse"), engine("lib", "model::")],
    },
    Break {
        name: "B11_deadline_rounded_down",
        bug: "the wheel rounds a deadline down to its tick",
        red: &[engine("lib", "wheel::")],
    },
    Break {
        name: "B12_wrap_off_by_one",
        bug: "the wheel is off by one level where it wraps",
        red: &[engine("lib", "wheel::")],
    },
    Break {
        name: "B20_cap_without_hold",
        bug: "an owner's cap is looked at before and not held while stock is taken",
        red: &[loom("loom_owner_cap")],
    },
    Break {
        name: "L_key_unclaimed",
        bug: "a retry key is looked up and not claimed",
        red: &[loom("loom_same_key")],
    },
    Break {
        name: "L_expire_unchecked",
        bug: "expiry ends a slot without looking at its generation and deadline",
        red: &[loom("loom_confirm_races_expire")],
    },
    Break {
        name: "L_release_twice",
        bug: "the loser of a release gives the units back too",
        red: &[loom("loom_release")],
    },
    Break {
        name: "L_extend_blind",
        bug: "extend writes the deadline of whatever is in the slot",
        red: &[loom("loom_extend")],
    },
    Break {
        name: "L_pending_blind",
        bug: "a phase before the end is written without looking at the phase there",
        red: &[loom("loom_pending")],
    },
    Break {
        name: "L_free_before_return",
        bug: "a slot is free before its units are back in stock",
        red: &[loom("loom_free")],
    },
    Break {
        name: "L_adjust_unchecked",
        bug: "an adjustment does not look again at what was reserved meanwhile",
        red: &[loom("loom_adjust")],
    },
    Break {
        name: "L_cart_unordered",
        bug: "a cart takes its lines in the order in which they were given",
        red: &[loom("loom_cart")],
    },
    Break {
        name: "L_cart_unmarked",
        bug: "a cart half-way leaves no mark, so a refusal takes it for sold",
        red: &[loom("loom_cart")],
    },
    Break {
        name: "L_horizon_once",
        bug: "the earliest deadline is looked at once in place of after the write",
        red: &[loom("loom_horizon")],
    },
    Break {
        name: "L_replace_blind",
        bug: "a replacement swaps without looking at what the old reservation became",
        red: &[loom("loom_replace")],
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::parse::break_names;

    #[test]
    fn names_are_distinct_and_every_break_has_somebody_to_catch_it() {
        let names: BTreeSet<&str> = BREAKS.iter().map(|seeded| seeded.name).collect();
        assert_eq!(names.len(), BREAKS.len());
        for seeded in BREAKS {
            assert!(!seeded.red.is_empty(), "{}", seeded.name);
            assert!(
                seeded
                    .red
                    .iter()
                    .all(|red| !red.filter.is_empty() && red.limit_s > 0)
            );
        }
    }

    #[test]
    fn every_name_has_the_form_that_the_scan_of_the_engine_finds() {
        for seeded in BREAKS {
            let found = break_names(&format!("(\"{}\", X)", seeded.name));
            assert!(found.contains(seeded.name), "{}", seeded.name);
        }
    }
}
