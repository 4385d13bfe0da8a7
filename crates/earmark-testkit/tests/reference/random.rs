//! Chance with a seed that is printed.

/// A small generator whose seed is all there is to know (splitmix64).
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// The seed from `EARMARK_SEED`, or a fixed one; printed, so that a failure can be had again.
    pub(crate) fn seeded(fallback: u64) -> (u64, Random) {
        let named = std::env::var("EARMARK_SEED").ok();
        let seed = named.and_then(|text| text.parse().ok()).unwrap_or(fallback);
        println!("EARMARK_SEED={seed}");
        (seed, Random::new(seed))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}
