//! Operations and their generator: a step is a roll of the dice that the world makes sense of.

use std::time::Duration;

use proptest::prelude::*;

use super::reference::Setup;
use crate::clock::Ttl;
use crate::{PendingPolicy, Timestamp};

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Declare,
    Names,
    Receive,
    Adjust,
    AdjustSet,
    Block,
    Unblock,
    SafetyStock,
    Ship,
    CancelOrder,
    Transfer,
    Retire,
    Reinstate,
    Books,
    Reserve,
    ReserveNamed,
    ReserveWith,
    ReserveBatch,
    ReserveOwned,
    Confirm,
    ConfirmWith,
    Release,
    Extend,
    ConfirmPart,
    ReleasePart,
    BeginPayment,
    PaymentPending,
    Reviews,
    Late,
    Replace,
    Get,
    List,
    RetryAfter,
    Clock,
    Advance,
    Sweep,
    Close,
    Build,
    Channels,
    Backlog,
    Crowd,
    Reenter,
    Again,
}

/// One step: four numbers, so that a list of them shrinks well.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) roll: u16,
    pub(super) a: u16,
    pub(super) b: u16,
    pub(super) c: u32,
}

/// What a case is about.
pub(super) const PROFILES: usize = 10;
pub(super) const STOCK: usize = 1;
pub(super) const OWNERS: usize = 2;
pub(super) const KEYS: usize = 3;
pub(super) const CROWD: usize = 5;
pub(super) const AGES: usize = 7;
pub(super) const PAYING: usize = 8;
pub(super) const BACKLOG: usize = 9;

/// How often each kind comes, for each profile.
const WEIGHTS: [&[(Kind, u16)]; PROFILES] = [
    // 0: everything
    &[],
    // 1: the books
    &[
        (Kind::Receive, 40),
        (Kind::Adjust, 40),
        (Kind::AdjustSet, 30),
        (Kind::Block, 60),
        (Kind::Unblock, 20),
        (Kind::SafetyStock, 20),
        (Kind::Ship, 20),
        (Kind::CancelOrder, 20),
        (Kind::Transfer, 40),
        (Kind::Retire, 20),
        (Kind::Reinstate, 10),
        (Kind::Build, 10),
        (Kind::Declare, 30),
    ],
    // 2: owners
    &[(Kind::ReserveWith, 150), (Kind::ReserveOwned, 30), (Kind::Replace, 60)],
    // 3: keys
    &[
        (Kind::Again, 60),
        (Kind::ReserveWith, 60),
        (Kind::ConfirmWith, 50),
        (Kind::Receive, 30),
        (Kind::Transfer, 15),
        (Kind::Replace, 20),
        (Kind::Reenter, 15),
    ],
    // 4: late payments
    &[(Kind::Late, 90), (Kind::Reserve, 60), (Kind::Clock, 60), (Kind::Get, 30)],
    // 5: a crowd
    &[(Kind::Crowd, 6), (Kind::Reserve, 120), (Kind::ReserveBatch, 40), (Kind::Extend, 30)],
    // 6: closing
    &[(Kind::Close, 4), (Kind::ReserveWith, 20)],
    // 7: ages of time
    &[(Kind::Clock, 90), (Kind::Reserve, 60), (Kind::ReserveWith, 30), (Kind::Advance, 20), (Kind::Extend, 30)],
    // 8: payments
    &[
        (Kind::BeginPayment, 80),
        (Kind::PaymentPending, 80),
        (Kind::Reviews, 30),
        (Kind::Extend, 30),
        (Kind::Get, 40),
        (Kind::Clock, 30),
        (Kind::Reserve, 50),
        (Kind::Replace, 20),
        (Kind::ReserveOwned, 20),
    ],
    // 9: backlogs
    &[(Kind::Backlog, 5)],
];

/// What every profile does too.
const BASE: &[(Kind, u16)] = &[
    (Kind::Declare, 8),
    (Kind::Names, 4),
    (Kind::Receive, 14),
    (Kind::Adjust, 3),
    (Kind::AdjustSet, 5),
    (Kind::Block, 3),
    (Kind::Unblock, 3),
    (Kind::SafetyStock, 3),
    (Kind::Ship, 3),
    (Kind::CancelOrder, 3),
    (Kind::Transfer, 3),
    (Kind::Retire, 2),
    (Kind::Reinstate, 5),
    (Kind::Books, 3),
    (Kind::Reserve, 20),
    (Kind::ReserveNamed, 8),
    (Kind::ReserveWith, 34),
    (Kind::ReserveBatch, 5),
    (Kind::ReserveOwned, 8),
    (Kind::Confirm, 8),
    (Kind::ConfirmWith, 8),
    (Kind::Release, 12),
    (Kind::Extend, 12),
    (Kind::ConfirmPart, 10),
    (Kind::ReleasePart, 10),
    (Kind::BeginPayment, 10),
    (Kind::PaymentPending, 8),
    (Kind::Reviews, 6),
    (Kind::Late, 12),
    (Kind::Replace, 14),
    (Kind::Get, 12),
    (Kind::List, 4),
    (Kind::RetryAfter, 12),
    (Kind::Clock, 16),
    (Kind::Advance, 8),
    (Kind::Sweep, 6),
    (Kind::Build, 4),
    (Kind::Channels, 4),
    (Kind::Reenter, 1),
    (Kind::Again, 6),
];

impl Step {
    pub(super) fn kind(&self, profile: usize) -> Kind {
        let weights = || BASE.iter().chain(WEIGHTS[profile]);
        let total: u32 = weights().map(|(_, weight)| u32::from(*weight)).sum();
        let mut roll = u32::from(self.roll) * total / (1 << 16);
        for (kind, weight) in weights() {
            match roll.checked_sub(u32::from(*weight)) {
                None => return *kind,
                Some(rest) => roll = rest,
            }
        }
        Kind::Sweep
    }

    /// A duration of any size, small ones more often than large ones: 1 ms to 2^`bits` ms.
    pub(super) fn span(&self, bits: u32) -> u64 {
        let size = u32::from(self.b) % bits;
        (1u64 << size) + (u64::from(self.c) & ((1 << size) - 1))
    }
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    any::<(u16, u16, u16, u32)>().prop_map(|(roll, a, b, c)| Step { roll, a, b, c })
}

/// Where the clock starts: also just below the wraps of rings and deadlines.
const STARTS: [u64; 8] = [
    0,
    1,
    (1 << 20) - 40,
    (1 << 30) - 3_000,
    (1 << 36) - 50_000,
    (1 << 37) - 2_000,
    (1 << 40) - 700,
    (1 << 37) - 20 * 86_400_000,
];

/// The dice of a case's settings.
pub(super) type SetupDice = (usize, [u8; 12]);

pub(super) fn setup_dice() -> impl Strategy<Value = SetupDice> {
    (0..STARTS.len(), any::<[u8; 12]>())
}

impl Setup {
    pub(super) fn of(profile: usize, (start, dice): SetupDice) -> Self {
        let one_of = |at: usize, choices: &[u64]| choices[usize::from(dice[at]) % choices.len()];
        let ttl = |millis| Ttl::millis(millis).unwrap_or(Ttl::MAX);
        let sized = |at, choices: &[u64]| usize::try_from(one_of(at, choices)).unwrap_or(usize::MAX);
        let (owners, keys) = (profile == OWNERS, profile == KEYS);
        Setup {
            profile,
            start: STARTS[start],
            lines_max: sized(0, &[3, 4, 6]),
            reservations_max: if profile == BACKLOG {
                3_000
            } else if profile == CROWD {
                1
            } else {
                sized(1, &[1, 8, 30, 60])
            },
            ended_retention: one_of(2, &[0, 50, 1_000, 1_000, 60_000]),
            ended_capacity: sized(3, &[0, 4, 64, 1_000, 16_384]),
            expired_retention: one_of(4, &[0, 200, 60_000, 900_000, 900_000]),
            expired_capacity: sized(5, &[0, 3, 20, 100]),
            life_max: ttl(one_of(6, &[500, 60_000, 3_600_000, 1 << 31, u64::MAX, u64::MAX])),
            payment_ttl: ttl(one_of(7, &[5, 3_000, 60_000])),
            pending_ttl: ttl(one_of(8, &[20, 5_000, 86_400_000])),
            policy: if dice[9] % 2 == 0 || profile == PAYING { PendingPolicy::Review } else { PendingPolicy::Release },
            items_max: sized(10, &[1, 2, 3, 4, 6]),
            metadata_max: 8,
            owners_max: if owners { sized(1, &[1, 2, 3]) } else { sized(1, &[2, 4, 50]) },
            owner_reservations_max: if owners { one_of(2, &[1, 2, 5, u64::MAX]) } else { u64::MAX / 2 },
            owner_units_max: if owners { one_of(3, &[4, 8, 20, u64::MAX / 2]) } else { u64::MAX / 2 },
            owner_line_max: if owners { one_of(4, &[2, 3, 6, u64::MAX / 2]) } else { u64::MAX / 2 },
            keys_max: if keys { sized(5, &[1, 2, 4, 8]) } else { 64 },
            key_window: one_of(11, &[1, 300, 20_000, 900_000]),
            sweep_budget: sized(11, &[1, 3, 8_192, 8_192]),
        }
    }

    pub(super) fn build(&self, clock: impl crate::Clock + 'static) -> Result<crate::Inventory, crate::SettingError> {
        crate::Inventory::builder()
            .clock(clock)
            .lanes(1)
            .lines_max(self.lines_max)
            .reservations_max(self.reservations_max)
            .ended_retention(Duration::from_millis(self.ended_retention))
            .ended_capacity(self.ended_capacity)
            .expired_retention(Duration::from_millis(self.expired_retention))
            .expired_capacity(self.expired_capacity)
            .life_max(self.life_max)
            .payment_ttl(self.payment_ttl)
            .pending_ttl(self.pending_ttl)
            .pending_policy(self.policy)
            .items_max(self.items_max)
            .metadata_bytes_max(self.metadata_max)
            .owners_max(self.owners_max)
            .owner_reservations_max(self.owner_reservations_max)
            .owner_units_max(self.owner_units_max)
            .owner_units_per_line_max(self.owner_line_max)
            .keys_max(self.keys_max)
            .key_window(Duration::from_millis(self.key_window))
            .sweep_budget(self.sweep_budget)
            .build()
    }

    pub(super) fn starts_at(&self) -> Timestamp {
        Timestamp::from_millis(self.start)
    }
}

/// More dice out of one step.
#[derive(Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn of(step: Step) -> Self {
        Self(u64::from(step.c) << 32 | u64::from(step.b) << 16 | u64::from(step.a))
    }

    /// A number below `sides` (SplitMix64).
    pub(super) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ mixed >> 31) % sides
    }

    pub(super) fn word(&mut self) -> u16 {
        self.roll(1 << 16) as u16
    }
}
