//! What chance decides follows from the seed: the n-th visit of an agent wants the same in every run.

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// Where all choices begin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seed(pub(crate) u64);

/// Whose choices they are.
#[derive(Debug, Clone, Copy)]
#[repr(u64)]
enum Who {
    Agent,
    Hammer,
}

impl Seed {
    /// The choices of one visit. It draws from nothing else, so it does not matter what came before, how many
    /// threads there are, or what the shop answered; agents are numbered over all workers.
    pub(crate) fn visit(self, agent: u64, nth: u64) -> SmallRng {
        self.of(Who::Agent, agent, nth)
    }

    /// The choices of a worker's hammer.
    pub(crate) fn hammer(self, worker: u64) -> SmallRng {
        self.of(Who::Hammer, worker, 0)
    }

    fn of(self, who: Who, number: u64, nth: u64) -> SmallRng {
        let mix = |seed: u64, part: u64| SmallRng::seed_from_u64(seed).next_u64() ^ part;
        SmallRng::seed_from_u64([who as u64, number, nth].into_iter().fold(self.0, mix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_counts_and_nothing_else() {
        let (one, two) = (Seed(1), Seed(2));
        let firsts = [one.visit(0, 0), two.visit(0, 0), one.visit(1, 0), one.visit(0, 1), one.hammer(0)];
        let mut firsts = firsts.map(|mut rng| rng.next_u64());
        assert_eq!(firsts[3], one.visit(0, 1).next_u64());
        firsts.sort_unstable();
        assert!(firsts.windows(2).all(|pair| pair[0] != pair[1]), "{firsts:?}");
    }
}
