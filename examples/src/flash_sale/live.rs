//! What the picture shows while the sale runs. The report does not come from here but from the history.
//!
//! Every worker counts for itself, agents and hammer apart; a number has one writer, so a load and a store do for an addition.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Buckets of a latency: eight for each doubling, so a figure is right to one part in eight.
const BUCKETS: usize = 64 * 8;

/// A number with one writer and many readers. Relaxed: it is shown, and orders nothing.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    #[inline]
    pub(crate) fn add(&self, more: u64) {
        self.0.store(self.0.load(Relaxed) + more, Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// What one worker's agents or its hammer did, on cache lines of its own.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Live {
    /// Units sold.
    pub(crate) sold: Count,
    /// Reserve calls refused as sold out.
    pub(crate) refused: Count,
    /// Reservations made and ended by their owner.
    pub(crate) pairs: Count,
    /// Reads that showed enough and were followed up.
    pub(crate) reads: Count,
    /// Of those: followed within 1.2 s of simulated time by a refusal.
    pub(crate) misled: Count,
    /// Calls repeated with the key of an answer that was lost.
    pub(crate) repeats: Count,
    /// Of those: answered as the first time.
    pub(crate) repeats_alike: Count,
    /// Confirms refused because the deadline had come.
    pub(crate) late: Count,
    /// Answers that no agent expects.
    pub(crate) odd: Count,
    /// How long a hammer's rushes took, in real time.
    pub(crate) rushed_ns: Count,
    latency: Box<[Count]>,
}

impl Default for Live {
    fn default() -> Live {
        Live {
            sold: Count::default(),
            refused: Count::default(),
            pairs: Count::default(),
            reads: Count::default(),
            misled: Count::default(),
            repeats: Count::default(),
            repeats_alike: Count::default(),
            late: Count::default(),
            odd: Count::default(),
            rushed_ns: Count::default(),
            latency: (0..BUCKETS).map(|_| Count::default()).collect(),
        }
    }
}

impl Live {
    /// Counts a reserve call of this length.
    #[inline]
    pub(crate) fn took(&self, ns: u64) {
        self.latency[bucket(ns)].add(1);
    }
}

/// The sum of one number.
pub(crate) fn sum<'a>(lives: impl IntoIterator<Item = &'a Live>, of: impl Fn(&Live) -> &Count) -> u64 {
    lives.into_iter().map(|live| of(live).get()).sum()
}

/// The length in ns that this share of all reserve calls stayed below, roughly.
pub(crate) fn quantile<'a>(lives: impl IntoIterator<Item = &'a Live> + Clone, share: f64) -> u64 {
    let counts: Vec<u64> = (0..BUCKETS).map(|at| sum(lives.clone(), |live| &live.latency[at])).collect();
    let rank = (counts.iter().sum::<u64>() as f64 * share) as u64;
    let mut seen = 0;
    let found = counts.iter().position(|count| {
        seen += count;
        seen > rank
    });
    found.map_or(0, upper)
}

fn bucket(ns: u64) -> usize {
    match ns.checked_ilog2() {
        None | Some(0..3) => ns as usize,
        Some(log) => (log as usize - 2) * 8 + (ns >> (log - 3)) as usize % 8,
    }
}

/// Where a bucket ends.
fn upper(bucket: usize) -> u64 {
    match bucket {
        0..8 => bucket as u64,
        _ => (8 + bucket as u64 % 8 + 1) << (bucket / 8 - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_what_is_below_its_end() {
        for ns in (0..5_000).chain([1 << 20, (1 << 20) + 1, 1 << 40, u64::MAX >> 4]) {
            let at = bucket(ns);
            assert!(at < BUCKETS, "{ns}");
            assert!(upper(at) >= ns && upper(at) <= ns + ns / 8 + 1, "{ns} in {at}");
        }
    }

    #[test]
    fn a_quantile_is_right_to_an_eighth() {
        let live = Live::default();
        for ns in 1..=1_000 {
            live.took(ns);
        }
        let median = quantile(&[live], 0.5);
        assert!((500..=570).contains(&median), "{median}");
    }
}
