//! The figures: rows, a value for each round, and what is computed from them.

use std::collections::BTreeMap;

/// Nanoseconds for an operation of each thread, all work for expiry inside.
pub(crate) const NS: &str = "ns_per_op";
/// The same without expiry.
pub(crate) const NS_NO_EXPIRY: &str = "ns_no_expiry";
/// Entries that expiry visited for each operation.
pub(crate) const VISITS: &str = "visits_per_op";
/// Half of the single calls.
pub(crate) const P50: &str = "p50_ns";
/// 99 % of the single calls.
pub(crate) const P99: &str = "p99_ns";
/// 99.9 % of the single calls.
pub(crate) const P999: &str = "p999_ns";
/// How many were made (W4), or a second (steady).
pub(crate) const COUNT: &str = "reservations";
/// Resident memory for each that lives.
pub(crate) const BYTES: &str = "bytes_per_reservation";
/// The same by the allocator.
pub(crate) const BYTES_ALLOCATED: &str = "bytes_allocated";
/// Given back for each second of expiry.
pub(crate) const EXPIRIES: &str = "expiries_per_second";
/// The longest call of expiry.
pub(crate) const WORST_MS: &str = "worst_advance_ms";
/// What 99.9 % of the calls of expiry stay below.
pub(crate) const P999_MS: &str = "p999_advance_ms";
/// Entries that a call of expiry visited, at most.
pub(crate) const VISITS_MAX: &str = "visits_max";
/// Resident memory at its highest.
pub(crate) const PEAK: &str = "peak_bytes";
/// The allocator's books at their highest.
pub(crate) const PEAK_ALLOCATED: &str = "peak_allocated";
/// The most that lived at once.
pub(crate) const LIVE_MAX: &str = "live_max";

/// The order in which figures are shown.
pub(crate) const FIGURES: &[&str] = &[
    NS,
    NS_NO_EXPIRY,
    VISITS,
    P50,
    P99,
    P999,
    COUNT,
    BYTES,
    BYTES_ALLOCATED,
    EXPIRIES,
    WORST_MS,
    P999_MS,
    VISITS_MAX,
    PEAK,
    PEAK_ALLOCATED,
    LIVE_MAX,
];

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) workload: &'static str,
    pub(crate) threads: usize,
    /// `id` or `name`.
    pub(crate) by: &'static str,
    pub(crate) subject: &'static str,
}

pub(crate) const fn key(workload: &'static str, threads: usize, by: &'static str, subject: &'static str) -> Key {
    Key { workload, threads, by, subject }
}

/// One subject at one workload; of each figure a value for each round.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) key: Key,
    pub(crate) figures: BTreeMap<&'static str, Vec<f64>>,
}

impl Row {
    /// The median over the rounds.
    pub(crate) fn median(&self, figure: &str) -> Option<f64> {
        self.figures.get(figure).filter(|values| !values.is_empty()).map(|values| median(values))
    }
}

/// All rows, in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) rows: Vec<Row>,
}

impl Table {
    pub(crate) fn add(&mut self, key: Key, figure: &'static str, value: f64) {
        let at = match self.rows.iter().position(|row| row.key == key) {
            Some(at) => at,
            None => {
                self.rows.push(Row { key, figures: BTreeMap::new() });
                self.rows.len() - 1
            }
        };
        self.rows[at].figures.entry(figure).or_default().push(value);
    }

    pub(crate) fn row(&self, key: Key) -> Option<&Row> {
        self.rows.iter().find(|row| row.key == key)
    }

    pub(crate) fn values(&self, key: Key, figure: &str) -> Option<&[f64]> {
        self.row(key)?.figures.get(figure).map(Vec::as_slice)
    }

    pub(crate) fn median(&self, key: Key, figure: &str) -> Option<f64> {
        self.row(key)?.median(figure)
    }

    /// Rows of the same workload, threads and way of asking.
    pub(crate) fn beside(&self, key: Key) -> impl Iterator<Item = &Row> {
        let same =
            move |row: &&Row| (row.key.workload, row.key.threads, row.key.by) == (key.workload, key.threads, key.by);
        self.rows.iter().filter(same)
    }
}

/// The middle of some values, and the lowest and the highest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Spread {
    pub(crate) fn of(values: &[f64]) -> Option<Spread> {
        if values.is_empty() || values.iter().any(|value| !value.is_finite()) {
            return None;
        }
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Some(Spread { median: median(values), low, high })
    }

    /// Of the quotients `above[round] / below[round]`. What ran in fewer rounds is compared in those.
    pub(crate) fn of_ratios(above: &[f64], below: &[f64]) -> Option<Spread> {
        let ratios: Vec<f64> = above.iter().zip(below).map(|(above, below)| above / below).collect();
        Spread::of(&ratios)
    }
}

/// Of an even number of values the mean of the two in the middle.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[half] } else { (sorted[half - 1] + sorted[half]) / 2.0 }
}

/// Of each round the least of several rows.
pub(crate) fn least_of_each(rows: &[&[f64]]) -> Vec<f64> {
    let rounds = rows.iter().map(|row| row.len()).min().unwrap_or(0);
    (0..rounds).map(|round| rows.iter().map(|row| row[round]).fold(f64::INFINITY, f64::min)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    /// A round in which the machine was slow for both says the same as any other; the quotient of medians would not.
    #[test]
    fn ratios_are_of_rounds_not_of_medians() {
        let (ours, theirs) = ([10.0, 40.0, 11.0], [100.0, 400.0, 55.0]);
        let spread = Spread::of_ratios(&theirs, &ours).unwrap();
        assert_eq!(spread, Spread { median: 10.0, low: 5.0, high: 10.0 });
        assert_eq!(Spread::of_ratios(&theirs, &[]), None);
        assert_eq!(Spread::of_ratios(&[1.0], &[0.0]), None, "no figure, no ratio");
    }

    #[test]
    fn the_best_rival_may_be_another_in_each_round() {
        assert_eq!(least_of_each(&[&[3.0, 9.0], &[5.0, 4.0, 1.0]]), [3.0, 4.0]);
        assert_eq!(least_of_each(&[]), [0.0; 0]);
    }

    #[test]
    fn values_gather_in_rows() {
        let mut table = Table::default();
        let [ours, theirs] = ["earmark", "P-int"].map(|subject| key("W1", 1, "id", subject));
        table.add(ours, NS, 10.0);
        table.add(theirs, NS, 30.0);
        table.add(ours, NS, 20.0);
        assert_eq!(table.values(ours, NS), Some(&[10.0, 20.0][..]));
        assert_eq!(table.median(ours, NS), Some(15.0));
        assert_eq!(table.median(ours, BYTES), None);
        assert_eq!(table.beside(ours).count(), 2);
        assert_eq!(table.beside(key("W1", 2, "id", "earmark")).count(), 0);
    }
}
