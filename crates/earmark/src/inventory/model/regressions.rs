//! Cases that failed once, smallest first found; every run of the model begins with them.

use super::ops::SetupDice;

/// A case: what [`Setup::of`](super::Setup::of) takes, and the numbers of its steps.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) profile: usize,
    pub(super) setup: SetupDice,
    pub(super) steps: &'static [(u16, u16, u16, u32)],
}

pub(super) const KEPT: &[Kept] = &[];
