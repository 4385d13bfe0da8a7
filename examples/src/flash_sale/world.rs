//! What is for sale: a few hot SKUs that everybody wants, and a long tail.

use rand::RngExt;
use rand::distr::weighted::WeightedIndex;

/// Each hot SKU: how often it is picked, out of the picks that go to hot ones, and the part of the
/// expected demand that lies in stock when the doors open.
const HOT: &[(&str, u32, f64)] = &[
    ("CONSOLE", 5, 0.25),
    ("SNEAKER-42", 4, 0.35),
    ("FESTIVAL-PASS", 3, 0.3),
    ("GPU-24G", 2, 0.15),
    ("DOLL-LTD", 2, 0.45),
];
/// SKUs of the long tail.
const TAIL: usize = 195;
/// The share of all picks that goes to hot SKUs.
const HOT_SHARE: f64 = 0.6;
/// How fast interest falls along the tail: the n-th SKU is picked as often as n to minus this says.
const TAIL_SLOPE: f64 = 0.7;
/// The same part for the tail.
const TAIL_STOCK: f64 = 0.9;
/// The part of its opening stock that a hot SKU gets again in the middle of the sale.
const RESTOCK: f64 = 0.25;

/// What a sale sells.
#[derive(Debug)]
pub(crate) struct World {
    /// All lines, the hot ones first.
    pub(crate) lines: Vec<Line>,
    /// How many of them are hot.
    pub(crate) hot: usize,
    picks: WeightedIndex<f64>,
}

/// One stock line.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) sku: String,
    /// Units when the doors open.
    pub(crate) opening: u32,
    /// Units that arrive in the middle of the sale.
    pub(crate) restock: u32,
}

impl World {
    /// Lines whose stock fits a demand of so many units in all.
    pub(crate) fn new(demand: f64) -> World {
        let hot_weights: u32 = HOT.iter().map(|(_, weight, _)| weight).sum();
        let tail_weights: Vec<f64> = (1..=TAIL).map(|n| (n as f64).powf(-TAIL_SLOPE)).collect();
        let tail_sum: f64 = tail_weights.iter().sum();
        let hot = HOT.iter().map(|(sku, weight, stock)| {
            let share = HOT_SHARE * f64::from(*weight) / f64::from(hot_weights);
            ((*sku).to_string(), share, *stock, RESTOCK)
        });
        let tail = tail_weights.iter().enumerate().map(|(n, weight)| {
            let share = (1.0 - HOT_SHARE) * weight / tail_sum;
            (format!("TAIL-{:03}", n + 1), share, TAIL_STOCK, 0.0)
        });
        let mut shares = Vec::new();
        let mut lines = Vec::new();
        for (sku, share, stock, restock) in hot.chain(tail) {
            let opening = (demand * share * stock).ceil().clamp(1.0, 1e8);
            let restock = (opening * restock).ceil();
            shares.push(share);
            // Bounded above by the clamp, so both fit.
            lines.push(Line { sku, opening: opening as u32, restock: restock as u32 });
        }
        let picks = WeightedIndex::new(&shares).expect("every share is a positive number");
        World { lines, hot: HOT.len(), picks }
    }

    /// A line that somebody wants, by interest.
    pub(crate) fn pick(&self, rng: &mut impl RngExt) -> u32 {
        rng.sample(&self.picks) as u32
    }

    /// A line of the tail, each as likely as the other.
    pub(crate) fn pick_tail(&self, rng: &mut impl RngExt) -> u32 {
        rng.random_range(self.hot..self.lines.len()) as u32
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    use super::*;

    #[test]
    fn most_picks_go_to_few_lines() {
        let world = World::new(1e6);
        let mut rng = SmallRng::seed_from_u64(1);
        let hot = (0..10_000).filter(|_| (world.pick(&mut rng) as usize) < world.hot).count();
        assert!((5_700..6_300).contains(&hot), "{hot}");
        assert!(world.lines.iter().all(|line| line.opening > 0));
        assert!((0..100).all(|_| world.pick_tail(&mut rng) as usize >= world.hot));
    }
}
