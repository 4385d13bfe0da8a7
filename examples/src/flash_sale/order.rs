//! What an agent is going to do: what it wants, and how it will behave.

use rand::RngExt;

use super::world::World;

/// Lines of the longest cart.
const CART_MAX: usize = 5;

/// The channels that agents come through.
pub(crate) const CHANNELS: [&str; 4] = ["web", "app", "marketplace", "agent-api"];

/// What one agent wants in one visit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order {
    items: [(u32, u32); CART_MAX],
    len: usize,
    /// Whose it is: spread over 128 bits.
    pub(crate) owner: u128,
    /// Makes the reserve safe to repeat.
    pub(crate) key: Option<u128>,
    /// Makes the confirm safe to repeat.
    pub(crate) confirm_key: Option<u128>,
    /// Which of [`CHANNELS`].
    pub(crate) channel: usize,
}

/// How an agent's reservation comes to its end, if it gets one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Pays, and confirms.
    Pays,
    /// The payment fails: gives the units back.
    Fails,
    /// Never comes back, with or without having begun to pay.
    Forgets { paying: bool },
    /// The payment takes longer than the shop waits.
    PaysLate,
}

/// How an agent behaves in one visit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    /// Looks at what is there first; the others just ask.
    pub(crate) reads: bool,
    /// The answer to the reserve gets lost on the way.
    pub(crate) loses_reserve: bool,
    /// The answer to the confirm gets lost on the way.
    pub(crate) loses_confirm: bool,
    pub(crate) fate: Fate,
}

impl Order {
    /// Lines and units; a line may come twice.
    pub(crate) fn items(&self) -> &[(u32, u32)] {
        &self.items[..self.len]
    }

    /// Units over all lines.
    pub(crate) fn units(&self) -> u64 {
        self.items().iter().map(|(_, units)| u64::from(*units)).sum()
    }

    /// Something somebody may want: mostly one unit, sometimes a cart.
    pub(crate) fn wish(world: &World, owner: u128, channel: usize, rng: &mut impl RngExt) -> Order {
        let len = if rng.random_ratio(1, 8) { rng.random_range(2..=CART_MAX) } else { 1 };
        let mut items = [(0, 0); CART_MAX];
        for item in &mut items[..len] {
            let units = if rng.random_ratio(1, 6) { rng.random_range(2..=4) } else { 1 };
            *item = (world.pick(rng), units);
        }
        Order { items, len, owner, key: None, confirm_key: None, channel }
    }

    /// One line, one unit: an order for a test.
    #[cfg(test)]
    pub(crate) fn one(line: u32) -> Order {
        let mut items = [(0, 0); CART_MAX];
        items[0] = (line, 1);
        Order { items, len: 1, owner: 1, key: None, confirm_key: None, channel: 0 }
    }

    /// With keys, so that its calls can be repeated.
    pub(crate) fn keyed(mut self, rng: &mut impl RngExt) -> Order {
        self.key = Some(rng.random());
        self.confirm_key = Some(rng.random());
        self
    }
}

impl Manner {
    /// Most agents read, pay, and are done. The rest is what makes shops lose count.
    pub(crate) fn any(rng: &mut impl RngExt) -> Manner {
        let fate = match rng.random_range(0..100) {
            0..8 => Fate::Fails,
            8..11 => Fate::Forgets { paying: false },
            11..13 => Fate::Forgets { paying: true },
            13..15 => Fate::PaysLate,
            _ => Fate::Pays,
        };
        Manner {
            reads: rng.random_ratio(4, 5),
            loses_reserve: rng.random_ratio(1, 25),
            loses_confirm: rng.random_ratio(1, 25),
            fate,
        }
    }

    /// Whether some call will have to be repeated.
    pub(crate) fn repeats(&self) -> bool {
        self.loses_reserve || self.loses_confirm
    }
}
