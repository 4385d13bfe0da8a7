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
    /// Real atomics, optimised, with debug assertions; the same build as the suite `progress`.
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
            Build::Engine => "model",
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
    Red { build: Build::Loom, binary: "lib", filter, limit_s: 60 }
}

/// A test of the optimised engine.
const fn engine(binary: &'static str, filter: &'static str) -> Red {
    Red { build: Build::Engine, binary, filter, limit_s: 120 }
}

pub(crate) const BREAKS: &[Break] = &[
    Break {
        name: "B8_load_then_store",
        bug: "reserve loads and stores its word in place of one compare-exchange",
        red: &[
            loom("loom_no_double_booking"),
            loom("loom_take_takes_the_last_unit_once"),
            loom("loom_release_meets_take"),
            loom("loom_p3_release_races_reserve"),
            engine("history", "history_of_four_threads"),
        ],
    },
    Break {
        name: "B9_relaxed_publish",
        bug: "a slot is published with Relaxed in place of Release",
        red: &[loom("loom_r3_who_sees_it_live")],
    },
    Break {
        name: "B10_same_generation",
        bug: "a slot keeps its generation when it is used again",
        red: &[loom("loom_p2_a_stale_id"), loom("loom_p2_slot_reuse"), engine("lib", "model::")],
    },
    Break {
        name: "B11_deadline_rounded_down",
        bug: "a deadline is rounded down when it is judged",
        red: &[engine("lib", "model::")],
    },
    Break {
        name: "B12_wrap_off_by_one",
        bug: "the wheel is off by one level where it wraps",
        red: &[engine("lib", "w1_w2_w5_every_entry")],
    },
    Break {
        name: "B20_cap_without_hold",
        bug: "an owner's cap is looked at before and not held while stock is taken",
        red: &[loom("loom_o1_owner_cap")],
    },
    Break {
        name: "L_key_unclaimed",
        bug: "a retry key is looked up and not claimed",
        red: &[loom("loom_p7_same_key")],
    },
    Break {
        name: "L_expire_unchecked",
        bug: "expiry writes what it decided without looking again",
        red: &[loom("loom_r1_confirm_races_expire")],
    },
    Break {
        name: "L_release_twice",
        bug: "release writes what it decided without looking again",
        red: &[loom("loom_r1_confirm_races_release")],
    },
    Break {
        name: "L_extend_blind",
        bug: "extend writes what it decided without looking again",
        red: &[loom("loom_r1_extend_races_expire")],
    },
    Break {
        name: "L_pending_blind",
        bug: "payment_pending writes what it decided without looking again",
        red: &[loom("loom_r1_payment_pending")],
    },
    Break {
        name: "L_free_before_return",
        bug: "a released slot is free before its units are read",
        red: &[loom("loom_r3_release_gives_back")],
    },
    Break {
        name: "L_adjust_unchecked",
        bug: "adjust takes units off without looking again",
        red: &[loom("loom_p1_adjust_down")],
    },
    Break {
        name: "L_cart_unordered",
        bug: "carts take their lines in the order they were asked",
        red: &[loom("loom_two_carts_crossing")],
    },
    Break {
        name: "L_cart_unmarked",
        bug: "a cart half-way leaves no mark",
        red: &[loom("loom_s3_a_shortage"), loom("loom_p4_failing_cart")],
    },
    Break {
        name: "L_horizon_once",
        bug: "a push looks at the horizon only before it marks",
        red: &[loom("loom_w3_push_young")],
    },
    Break {
        name: "L_replace_blind",
        bug: "a replaced reservation stands again",
        red: &[loom("loom_r1_replace"), engine("fuzz_smoke", "operations")],
    },
    Break {
        name: "L_state_blind",
        bug: "every rule writes what it decided without looking again",
        red: &[loom("loom_r1_confirm_races_release_races_expire")],
    },
    Break {
        name: "L_page_blind",
        bug: "a slot is taken from its page without looking again",
        red: &[loom("loom_r4_no_slot")],
    },
    Break {
        name: "L_sweep_blind",
        bug: "a sweep raises the bound although somebody pushed meanwhile",
        red: &[loom("loom_w4_push_soon")],
    },
    Break {
        name: "L_expire_at_once",
        bug: "a reservation reads expired before its units are back",
        red: &[loom("loom_p3_late_payment")],
    },
    Break { name: "L_stop_the_world", bug: "one lock around every reserve", red: &[engine("lib", "progress_reserve")] },
    Break {
        name: "L_hot_allocation",
        bug: "the hot path allocates",
        red: &[engine("alloc", "hot_path_allocates_nothing")],
    },
    Break {
        name: "L_id_unchecked",
        bug: "the check digits of an id are not compared",
        red: &[engine("fuzz_smoke", "ids")],
    },
    Break {
        name: "L_close_blind",
        bug: "a reserve does not look for a close again after taking units",
        red: &[loom("loom_close_races_reserve"), loom("loom_close_races_cart")],
    },
    Break {
        name: "L_sift_late",
        bug: "what lives goes back into the ring a tick after its deadline",
        red: &[engine("lib", "model::")],
    },
    Break {
        name: "L_owner_blind",
        bug: "whoever closes an owner's book does not look at what ended meanwhile",
        red: &[loom("loom_o2_end_beside_an_open_book")],
    },
    Break {
        name: "L_push_late",
        bug: "a reservation is handed to the wheel only after it is published",
        red: &[loom("loom_p4_a_reserve_in_flight"), engine("lib", "progress_exceptions")],
    },
    Break {
        name: "L_floor_forgotten",
        bug: "an unfinished nursery pass leaves the bound as if it were done",
        red: &[engine("lib", "w4_w6_the_bound")],
    },
    Break {
        name: "L_overdue_lost",
        bug: "a sweep forgets what somebody was told is expired",
        red: &[loom("loom_p5_told_expired_beside_a_sweep")],
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
            assert!(seeded.red.iter().all(|red| !red.filter.is_empty() && red.limit_s > 0));
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
