//! The table of seeded breaks: known bugs that the engine carries when it is built with
//! `--cfg earmark_seeded` and started with `EARMARK_BREAK=<name>`, each with the tests that must go red.
//!
//! A test that no bug turns red proves nothing, and one that is red for another reason proves as little: a
//! row says what the test must say. To add a break: a variant and a name in the engine's `seeded.rs`, the
//! wrong behaviour where the right one is, and a row here. The suite refuses to pass while a name stands in
//! only one of the two places, or while a loom model stands in no row.

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

/// A test, and what it says when it sees the bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Red {
    pub(crate) test: Test,
    /// Stands in the panic of the test; red for another reason is not a catch.
    pub(crate) says: &'static str,
    /// A test that has not gone red by then has not caught the bug.
    pub(crate) limit_s: u64,
}

/// One test in a binary of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Test {
    pub(crate) build: Build,
    /// `lib` for the unit tests, else the name of a file in `crates/earmark/tests/`.
    pub(crate) binary: &'static str,
    /// Its whole path, as the binary names it.
    pub(crate) path: &'static str,
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
        write!(f, "{}", self.test)
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let build = match self.build {
            Build::Loom => "loom",
            Build::Engine => "engine",
        };
        write!(f, "{build} {} `{}`", self.binary, self.path)
    }
}

/// A loom model of the library.
const fn loom(path: &'static str, says: &'static str) -> Red {
    Red { test: Test { build: Build::Loom, binary: "lib", path }, says, limit_s: 60 }
}

/// A test of the optimised engine.
const fn engine(binary: &'static str, path: &'static str, says: &'static str) -> Red {
    Red { test: Test { build: Build::Engine, binary, path }, says, limit_s: 120 }
}

/// The model against a plain map; the short run, and the one of a million operations.
const MODEL: &str = "inventory::model::p1_to_p11_against_a_plain_map";
const MODEL_LONG: &str = "inventory::model::p1_to_p11_against_a_plain_map_a_million_times";

/// What the model says of a step whose answer is wrong: which one comes first is chance.
const A_STEP: &str = ": step ";

pub(crate) const BREAKS: &[Break] = &[
    Break {
        name: "B8_load_then_store",
        bug: "reserve loads and stores its word in place of one compare-exchange",
        red: &[
            loom("inventory::loom_tests::takes::loom_no_double_booking", "P1: one unit, two reservations"),
            loom(
                "inventory::loom_tests::takes::loom_p3_release_races_reserve_of_the_freed_unit",
                "P3: a unit is lost, or there twice",
            ),
            loom("stock::loom_tests::loom_take_takes_the_last_unit_once", "P1: one unit, taken twice or by nobody"),
            loom(
                "stock::loom_tests::loom_release_meets_take_and_no_unit_is_lost",
                "S2: a unit is lost, or there twice",
            ),
            engine("history", "history_of_four_threads_is_clean", "Oversold: "),
        ],
    },
    Break {
        name: "B9_relaxed_publish",
        bug: "a slot is published with Relaxed in place of Release",
        red: &[loom(
            "reservation::loom_tests::loom_r3_who_sees_it_live_sees_what_it_holds",
            "R3: it reads live, and not yet what it holds",
        )],
    },
    Break {
        name: "B10_same_generation",
        bug: "a slot keeps its generation when it is used again",
        red: &[
            loom(
                "reservation::loom_tests::loom_p2_a_stale_id_never_reaches_the_next_reservation",
                "P2: not exactly one ended the first",
            ),
            loom(
                "inventory::loom_tests::ends::loom_p2_slot_reuse_races_a_stale_id",
                "P2: a stale id reached the next reservation",
            ),
            engine("lib", MODEL, "P2: "),
            engine("history", "history_of_four_threads_is_clean", "LateConfirm: "),
        ],
    },
    Break {
        name: "B11_deadline_rounded_down",
        bug: "a deadline is rounded down when it is judged",
        red: &[engine("lib", MODEL, A_STEP)],
    },
    Break {
        name: "B12_wrap_off_by_one",
        bug: "the wheel is off by one level where it wraps",
        red: &[engine(
            "lib",
            "wheel::ring::tests::w1_w2_w5_w7_every_entry_fires_at_its_deadline",
            "an entry is out of its place",
        )],
    },
    Break {
        name: "B20_cap_without_hold",
        bug: "an owner's cap is looked at before and not held while stock is taken",
        red: &[loom(
            "inventory::loom_tests::owners::loom_o1_owner_cap_races_itself",
            "O1: two reservations under a cap of one",
        )],
    },
    Break {
        name: "L_key_unclaimed",
        bug: "a retry key is looked up and not claimed",
        red: &[loom(
            "inventory::loom_tests::takes::loom_p7_same_key_at_once_reserves_once",
            "P7: one key, one reservation",
        )],
    },
    Break {
        name: "L_expire_unchecked",
        bug: "expiry writes what it decided without looking again",
        red: &[
            loom("inventory::loom_tests::expiries::loom_r1_confirm_races_expire", "P2, P3: done"),
            loom("inventory::loom_tests::expiries::loom_r1_release_races_expire", "P2, P3: done"),
            loom("inventory::loom_tests::expiries::loom_r1_confirm_part_races_expire", "P2, P3: done"),
        ],
    },
    Break {
        name: "L_release_twice",
        bug: "release writes what it decided without looking again",
        red: &[
            loom("inventory::loom_tests::ends::loom_r1_confirm_races_release", "P2: two ends of one reservation"),
            engine("history", "history_of_ten_million_calls_is_clean", "DoubleEnd: "),
        ],
    },
    Break {
        name: "L_extend_blind",
        bug: "extend writes what it decided without looking again",
        red: &[loom("inventory::loom_tests::expiries::loom_r1_extend_races_expire", "P2, P3: done")],
    },
    Break {
        name: "L_pending_blind",
        bug: "payment_pending writes what it decided without looking again",
        red: &[loom("inventory::loom_tests::expiries::loom_r1_payment_pending_races_expire", "P2, P3: done")],
    },
    Break {
        name: "L_free_before_return",
        bug: "a released slot is free before its units are read",
        red: &[loom(
            "inventory::loom_tests::ends::loom_r3_release_gives_back_its_own_units",
            "R3: the units of another reservation were given back",
        )],
    },
    Break {
        name: "L_adjust_unchecked",
        bug: "adjust takes units off without looking again",
        red: &[loom("inventory::loom_tests::takes::loom_p1_adjust_down_races_reserve", "books of a line broken (S4)")],
    },
    Break {
        name: "L_cart_unordered",
        bug: "carts take their lines in the order they were asked",
        red: &[loom("inventory::loom_tests::carts::loom_two_carts_crossing", "P4: two carts refuse each other")],
    },
    Break {
        name: "L_cart_unmarked",
        bug: "a cart half-way leaves no mark",
        red: &[
            loom(
                "stock::loom_tests::loom_s3_a_shortage_beside_a_cart_shows_the_mark",
                "S3: sold out, though the cart gives it back",
            ),
            loom(
                "inventory::loom_tests::carts::loom_p4_failing_cart_beside_a_single_reserve",
                "P4: false sold-out beside a failing cart",
            ),
        ],
    },
    Break {
        name: "L_horizon_once",
        bug: "a push looks at the horizon only before it marks",
        red: &[
            loom(
                "wheel::loom_tests::loom_w3_push_young_beside_a_nursery_pass",
                "due, and the bound does not say so (W4)",
            ),
            loom(
                "wheel::loom_tests::loom_w6_push_young_beside_a_pass_ahead_of_its_time",
                "due, and no sweep finds it (W3)",
            ),
            loom(
                "wheel::loom_tests::loom_w3_push_young_beside_an_earlier_pass",
                "due, and the bound does not say so (W4)",
            ),
        ],
    },
    Break {
        name: "L_replace_blind",
        bug: "a replaced reservation stands again",
        red: &[
            loom("inventory::loom_tests::owners::loom_r1_replace_races_confirm", "P2: confirmed and replaced"),
            loom("inventory::loom_tests::owners::loom_r1_replace_races_release", "P3"),
            engine("fuzz_smoke", "operations", "Reserved { line: "),
        ],
    },
    Break {
        name: "L_state_blind",
        bug: "every rule writes what it decided without looking again",
        red: &[
            loom("reservation::loom_tests::loom_r1_confirm_races_release_races_expire", "R1: not exactly one end"),
            loom("inventory::loom_tests::ends::loom_p2_two_reviewers_at_once", "P3"),
        ],
    },
    Break {
        name: "L_page_blind",
        bug: "a slot is taken from its page without looking again",
        red: &[loom("reservation::loom_tests::loom_r4_no_slot_is_given_to_two", "R4: one slot, two holders")],
    },
    Break {
        name: "L_sweep_blind",
        bug: "a sweep raises the bound although somebody pushed meanwhile",
        red: &[loom("wheel::loom_tests::loom_w4_push_soon_beside_a_sweep", "due, and the bound does not say so (W4)")],
    },
    Break {
        name: "L_expire_at_once",
        bug: "a reservation reads expired before its units are back",
        red: &[loom("inventory::loom_tests::carts::loom_p3_late_payment_races_expire", "P3: paid once, or not at all")],
    },
    Break {
        name: "L_stop_the_world",
        bug: "one lock around every reserve",
        red: &[engine("lib", "inventory::progress::progress_reserve", "a thread stopped in reserve at Claimed")],
    },
    Break {
        name: "L_cart_stops_the_world",
        bug: "one lock around every cart",
        red: &[engine("lib", "inventory::progress::progress_cart", "a thread stopped in cart at Claimed")],
    },
    Break {
        name: "L_confirm_stops_the_world",
        bug: "one lock around every confirm",
        red: &[engine(
            "lib",
            "inventory::progress::progress_confirm_and_release",
            "a thread stopped in confirm at Ended",
        )],
    },
    Break {
        name: "L_advance_stops_the_world",
        bug: "one lock around every advance",
        red: &[engine("lib", "inventory::progress::progress_advance", "a thread stopped in advance at Sweeping")],
    },
    Break {
        name: "L_hot_allocation",
        bug: "the hot path allocates",
        red: &[engine("alloc", "the_grown_hot_path_allocates_nothing", "the grown hot path allocates")],
    },
    Break {
        name: "L_id_unchecked",
        bug: "the check digits of an id are not compared",
        red: &[engine("fuzz_smoke", "ids", "a mistyped digit is not found out")],
    },
    Break {
        name: "L_close_blind",
        bug: "a reserve does not look for a close again after taking units",
        red: &[
            loom("inventory::loom_tests::takes::loom_close_races_reserve", "I3: drained, and a reservation lives"),
            loom("inventory::loom_tests::carts::loom_close_races_cart", "I3: drained, and a cart lives"),
        ],
    },
    Break {
        name: "L_sift_late",
        bug: "what lives goes back into the ring a tick after its deadline",
        red: &[engine("lib", MODEL_LONG, A_STEP)],
    },
    Break {
        name: "L_place_lost",
        bug: "whatever comes out of a bucket of a higher circle is looked at",
        red: &[engine("lib", "wheel::ring::tests::w1_w2_w5_w7_every_entry_fires_at_its_deadline", "W7: looked at")],
    },
    Break {
        name: "L_owner_blind",
        bug: "what ends while its owner's book is open stays in it",
        red: &[loom(
            "inventory::loom_tests::owners::loom_o2_end_beside_an_open_book_of_its_owner",
            "O2: an id was left behind",
        )],
    },
    Break {
        name: "L_cursor_left",
        bug: "who goes through an owner's list stays at what was struck out of it meanwhile",
        red: &[engine("lib", "inventory::caps::o4_a_look_at_each_meets_all_that_live_whatever_ends_meanwhile", "O4: ")],
    },
    Break {
        name: "L_side_blind",
        bug: "whose a reservation is, is read without another look under the lock",
        red: &[loom("inventory::loom_tests::owners::loom_x2_a_look_beside_an_end", "X2: told as another's")],
    },
    Break {
        name: "L_key_unheld",
        bug: "a key's record is used again although a reservation names it",
        red: &[loom(
            "inventory::loom_tests::owners::loom_k2_a_look_beside_another_key",
            "K2: told under another's key",
        )],
    },
    Break {
        name: "L_push_late",
        bug: "a reservation is handed to the wheel only after it is published",
        red: &[
            loom(
                "inventory::loom_tests::takes::loom_p4_a_reserve_in_flight_beside_a_refusal",
                "P4: sold out, and the only unit's time was up",
            ),
            engine(
                "lib",
                "inventory::progress::progress_exceptions_of_a_reserve_beyond_its_ttl",
                "P4: beside a reserve beyond its TTL",
            ),
        ],
    },
    Break {
        name: "L_bound_read_late",
        bug: "a refusal reads the bound of what is due only after its word",
        red: &[loom(
            "inventory::loom_tests::takes::loom_p4_refusal_beside_a_sweep_of_the_expired_unit",
            "P4: false sold-out",
        )],
    },
    Break {
        name: "L_bound_read_early",
        bug: "a refusal reads the bound of what is due only before its word",
        red: &[loom(
            "inventory::loom_tests::takes::loom_p4_refusal_between_a_sweep_and_a_late_take",
            "P4: false sold-out",
        )],
    },
    Break {
        name: "L_due_unwritten",
        bug: "who is told expired leaves the reservation as it was",
        red: &[loom(
            "inventory::loom_tests::ends::loom_p2_told_expired_is_final",
            "P2: told expired, and confirmed all the same",
        )],
    },
    Break {
        name: "L_free_relaxed",
        bug: "a slot is given back with Relaxed in place of Release",
        red: &[loom("reservation::loom_tests::loom_r4_no_slot_is_given_to_two", "R4: one id given twice")],
    },
    Break {
        name: "L_release_at_once",
        bug: "a reservation reads released before its units are back",
        red: &[loom(
            "inventory::loom_tests::takes::loom_p4_refusal_after_the_deadline_beside_a_release",
            "P4: false sold-out",
        )],
    },
    Break {
        name: "L_floor_forgotten",
        bug: "an unfinished nursery pass leaves the bound as if it were done",
        red: &[engine("lib", "wheel::tests::w4_w6_the_bound_warns_of_whatever_is_due", " are due")],
    },
    Break {
        name: "L_overdue_lost",
        bug: "a sweep forgets what somebody was told is expired",
        red: &[loom(
            "inventory::loom_tests::expiries::loom_p5_told_expired_beside_a_sweep_of_an_older_time",
            "P5: its unit never comes back",
        )],
    },
    Break {
        name: "L_number_twice",
        bug: "the number of a lane is given to two threads",
        red: &[loom(
            "reservation::loom_tests::loom_h1_an_own_lane_is_handed_on_whole",
            "H1: a slot of an own lane, given to two",
        )],
    },
    Break {
        name: "L_lanes_unseen",
        bug: "a nursery pass does not look at which pages own lanes are",
        red: &[loom(
            "inventory::loom_tests::nursery::loom_r9_an_own_lane_beside_a_nursery_pass",
            "R9: marked in an own lane, and found by no pass",
        )],
    },
    Break {
        name: "L_back_twice",
        bug: "what waits in an own lane is given back, and waits there still",
        red: &[loom(
            "reservation::loom_tests::loom_r8_an_own_lane_beside_a_shared_one",
            "R8: a slot that waited in an own lane is given to two",
        )],
    },
    Break {
        name: "L_refused_hot",
        bug: "a refusal does not close the stripes of a hot line",
        red: &[
            loom("stock::loom_stripes::loom_p4_a_release_beside_a_refusal", "P4: given back, and never seen again"),
            engine("lib", "inventory::hot_tests::p4_the_last_units_lie_in_stripes", "P4: false sold-out"),
        ],
    },
    Break {
        name: "L_tag_unchecked",
        bug: "a stripe is changed whatever line it was given to since",
        red: &[loom("stock::loom_stripes::loom_z2_a_stripe_goes_to_another_line", "Z2: another line's unit was taken")],
    },
    Break {
        name: "L_refill_unmarked",
        bug: "a batch on its way to a stripe leaves no mark",
        red: &[loom(
            "stock::loom_stripes::loom_s3_a_batch_on_its_way_shows_the_mark",
            "P4: false sold-out beside a batch on its way",
        )],
    },
    Break {
        name: "L_cooled_twice",
        bug: "each of several who close the stripes of a line gives their units to its word",
        red: &[
            loom(
                "stock::loom_stripes::loom_p4_the_last_unit_lies_in_another_stripe",
                "P1, P3: a unit is lost, or there twice",
            ),
            loom(
                "stock::loom_stripes::loom_z3_z4_two_close_and_the_line_is_hot_anew",
                "Z3: a unit is lost, or there twice",
            ),
        ],
    },
    Break {
        name: "L_closed_unpinned",
        bug: "a line is hot anew while somebody still closes its stripes",
        red: &[
            loom(
                "stock::loom_stripes::loom_z3_z4_two_close_and_the_line_is_hot_anew",
                "Z3: a unit is lost, or there twice",
            ),
            loom(
                "stock::loom_stripes::loom_z4_z6_a_look_without_the_books_is_exact",
                "Z6: what is reserved was counted wrong",
            ),
        ],
    },
    Break {
        name: "L_opened_early",
        bug: "stripes are open before the line's word says that it is hot",
        red: &[loom(
            "stock::loom_stripes::loom_z5_heat_beside_a_release_and_a_reserve",
            "P4: false sold-out, beside a line that becomes hot",
        )],
    },
    Break {
        name: "L_residue_forgotten",
        bug: "what closed stripes count as reserved is forgotten",
        red: &[loom("stock::loom_stripes::loom_z6_a_fold_beside_ends_is_exact", "Z6: ")],
    },
    Break {
        name: "L_names_head_first",
        bug: "a cell shows its number before its name is in it",
        red: &[loom("stock::loom_tests::loom_n1_a_lookup_beside_a_declaration", "N1: the line of another name")],
    },
    Break {
        name: "L_names_early",
        bug: "a larger table of names takes its place before they are in it",
        red: &[loom(
            "stock::loom_tests::loom_n2_a_lookup_beside_a_table_that_grows",
            "N2: declared before, and not found",
        )],
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
            assert!(seeded.red.iter().all(|red| !red.test.path.is_empty() && !red.says.is_empty() && red.limit_s > 0));
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
