//! When a row is void: the reference peers as they ran in the study of performance.
//!
//! A rival that is slow here and was fast there was built or run badly, and nothing may be won against it. The
//! figures are the study's medians, the upper end where it gives a range; they are scaled by what an uncontended
//! read-modify-write costs here and cost there.

use super::plan::{P_INT, P_STR};
use super::table::{EXPIRIES, Key, NS, P999, Table, key};

/// What `fetch_sub` cost in the study, in nanoseconds.
const STUDY_RMW_NS: f64 = 2.6;
/// Slower than this many times the study's figure: void.
const SLOWER_MAX: f64 = 1.5;

/// Nanoseconds an operation: workload, by, reference, on 1 thread and on 2.
const NANOSECONDS: &[(&str, &str, &str, f64, f64)] = &[
    ("W1", "id", P_INT, 300.0, 206.0),
    ("W1b", "id", P_INT, 1005.0, 1066.0),
    ("W2", "id", P_INT, 175.0, 123.0),
    ("W3", "id", P_INT, 58.0, 200.0),
    ("W5", "id", P_INT, 14.5, 35.0),
    ("W5r", "id", P_INT, 20.0, 31.0),
    ("W1", "name", P_STR, 497.0, 762.0),
    ("W1b", "name", P_STR, 959.0, 1254.0),
    ("W2", "name", P_STR, 226.0, 196.0),
    ("W3", "name", P_STR, 54.0, 181.0),
    ("W5", "name", P_STR, 25.0, 60.0),
    ("W5r", "name", P_STR, 159.0, 334.0),
];
/// W4 of P-str: nanoseconds of an insert, and of one that expires (1.59 million a second).
const LIFE_INSERT_NS: f64 = 1607.0;
const LIFE_EXPIRY_NS: f64 = 629.0;
/// p999 of P-int on W1 with 2 threads.
const TAIL_NS: f64 = 1040.0;

/// What a machine of this speed must need for a row, at most; `None` if the study has no figure.
fn most(of: Key, figure: &str) -> Option<f64> {
    if of.workload == "W4" && of.subject == P_STR {
        return match figure {
            NS => Some(LIFE_INSERT_NS),
            EXPIRIES => Some(LIFE_EXPIRY_NS),
            _ => None,
        };
    }
    if (of, figure) == (key("W1", 2, "id", P_INT), P999) {
        return Some(TAIL_NS);
    }
    let same = |row: &&(&str, &str, &str, f64, f64)| (row.0, row.1, row.2) == (of.workload, of.by, of.subject);
    let row = NANOSECONDS.iter().find(same).filter(|_| figure == NS)?;
    match of.threads {
        1 => Some(row.3),
        2 => Some(row.4),
        _ => None,
    }
}

/// Why nothing may be won against this row, if so. `rmw` is what a read-modify-write costs here.
pub(crate) fn void(table: &Table, of: Key, figure: &str, rmw: f64) -> Option<String> {
    let most = most(of, figure)?;
    let measured = table.median(of, figure)?;
    let measured = if figure == EXPIRIES { 1e9 / measured } else { measured };
    let limit = most * SLOWER_MAX * rmw / STUDY_RMW_NS;
    (measured > limit).then(|| {
        let Key { subject, workload, threads, .. } = of;
        format!("{subject} took {measured:.0} ns at {workload} on {threads}, and {limit:.0} ns is the most it may take")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_reference_is_void_and_the_machine_is_allowed_for() {
        let of = key("W5", 1, "id", P_INT);
        let with = |ns: f64, rmw: f64| {
            let mut table = Table::default();
            table.add(of, NS, ns);
            void(&table, of, NS, rmw)
        };
        assert_eq!(with(21.0, 2.6), None);
        assert!(with(22.0, 2.6).unwrap().contains("P-int took 22 ns"));
        assert_eq!(with(43.0, 5.2), None, "a machine of half the speed");
        assert!(with(12.0, 1.3).is_some(), "a machine of twice the speed");
    }

    #[test]
    fn expiries_are_judged_by_the_time_of_one() {
        let of = key("W4", 1, "name", P_STR);
        let with = |a_second: f64| {
            let mut table = Table::default();
            table.add(of, EXPIRIES, a_second);
            void(&table, of, EXPIRIES, 2.6)
        };
        assert_eq!(with(1.59e6), None);
        assert!(with(0.9e6).is_some());
    }

    #[test]
    fn what_was_not_run_is_not_void() {
        assert_eq!(void(&Table::default(), key("W1", 1, "id", P_INT), NS, 2.6), None);
    }
}
