//! What is counted.
//!
//! Most operations are done on a slab and maps that have grown (`WARM` of the same ones went before, and what
//! they left behind was swept), while time stands still: what is put off until `advance` is counted by
//! operations of its own, `pass_ended`, `pass_living` and `expire`.

use std::time::Duration;

use earmark::{Key, Quantity, ReserveError, ReserveRequest, Ttl};

use crate::world::World;

/// Operations before those that count.
const WARM: u64 = 32_768;
/// Longer than anything is remembered: ends, expired reservations, keys.
const FORGOTTEN: Duration = Duration::from_secs(3_600);
/// Operations that count: no more than slots and room in maps stand ready.
const TIMES: u64 = 8_192;
/// Reservations that pass the nursery, or expire.
const PASSING: u64 = 20_000;
const EXPIRING: u64 = 100_000;
/// Their TTLs: 1 s to 900 s.
const TTL_S_MAX: u64 = 900;
/// Older than a reservation gets in the nursery.
const NURSERY: Duration = Duration::from_secs(10);

/// An operation of the engine.
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    pub(crate) times: u64,
    work: Work,
}

enum Work {
    /// Once for each number.
    Each(fn(&World, u64)),
    /// Made ready for each number, then done for all of them together.
    Together(fn(&World, u64), fn(&World)),
}

const fn each(name: &'static str, work: fn(&World, u64)) -> Operation {
    Operation { name, times: TIMES, work: Work::Each(work) }
}

const fn together(name: &'static str, times: u64, before: fn(&World, u64), work: fn(&World)) -> Operation {
    Operation { name, times, work: Work::Together(before, work) }
}

pub(crate) const OPERATIONS: &[Operation] = &[
    each("reserve_confirm", |world, n| {
        reserve(world, n, world.ttl).confirm().expect("in time");
    }),
    each("reserve_release", |world, n| {
        reserve(world, n, world.ttl).release().expect("in time");
    }),
    each("reserve_drop", |world, n| drop(reserve(world, n, world.ttl))),
    each("reserve_named_confirm", |world, n| {
        let guard = world.inventory.reserve_named(world.name(n), Quantity::ONE, world.ttl).expect("in stock");
        guard.confirm().expect("in time");
    }),
    each("reserve_extend_confirm", |world, n| {
        let guard = reserve(world, n, world.ttl);
        let _ = world.inventory.extend(guard.id(), world.ttl).expect("in time");
        guard.confirm().expect("in time");
    }),
    each("reserve_pay_confirm", |world, n| {
        let guard = reserve(world, n, world.ttl);
        let _ = world.inventory.begin_payment(guard.id()).expect("in time");
        guard.confirm().expect("in time");
    }),
    each("reserve_owner_confirm", |world, n| serve(world, world.owned(n))),
    // The request is made anew: a key serves once.
    each("reserve_key_confirm", |world, n| {
        let request = ReserveRequest::new(world.ttl).with_item(world.line(n), Quantity::ONE);
        serve(world, &request.with_key(Key::from_bits(u128::from(n))));
    }),
    each("cart_confirm", |world, n| serve(world, world.cart(n))),
    each("refusal", |world, _| {
        let refused = world.inventory.reserve(world.sold_out, Quantity::ONE, world.ttl);
        assert!(matches!(refused, Err(ReserveError::OutOfStock { .. })));
    }),
    each("available", |world, n| {
        std::hint::black_box(world.inventory.available(world.line(n)).expect("declared"));
    }),
    each("lookup", |world, n| {
        std::hint::black_box(world.inventory.lookup(world.name(n)).expect("declared"));
    }),
    together(
        "pass_ended",
        PASSING,
        |world, n| reserve(world, n, world.ttl).confirm().expect("in time"),
        |world| world.pass(NURSERY),
    ),
    together(
        "pass_living",
        PASSING,
        |world, n| {
            let _ = reserve(world, n, world.ttl).detach();
        },
        |world| world.pass(NURSERY),
    ),
    together(
        "expire",
        EXPIRING,
        |world, n| {
            let ttl = Ttl::secs(1 + n * 7_919 % TTL_S_MAX).expect("in bounds");
            let _ = reserve(world, n, ttl).detach();
        },
        |world| {
            let free = world.inventory.available(world.line(0)).expect("declared");
            world.pass(Duration::from_secs(TTL_S_MAX));
            assert!(world.inventory.available(world.line(0)).expect("declared") > free, "they expired");
        },
    ),
];

impl Operation {
    pub(crate) fn prepare(&self, world: &World) {
        match self.work {
            Work::Each(work) => {
                (0..WARM).for_each(|n| work(world, n));
                world.pass(FORGOTTEN);
            }
            Work::Together(before, _) => (0..self.times).for_each(|n| before(world, n)),
        }
    }

    /// What counts; with `again`, every so many operations one is done twice.
    pub(crate) fn perform(&self, world: &World, again: Option<u64>) {
        match self.work {
            Work::Each(work) => {
                for n in WARM..WARM + self.times {
                    work(world, n);
                    if again.is_some_and(|again| n % again == 0) {
                        work(world, n + self.times);
                    }
                }
            }
            Work::Together(_, work) => work(world),
        }
    }
}

#[inline]
fn reserve(world: &World, n: u64, ttl: Ttl) -> earmark::Guard<'_> {
    world.inventory.reserve(world.line(n), Quantity::ONE, ttl).expect("in stock")
}

#[inline]
fn serve(world: &World, request: &ReserveRequest) {
    world.inventory.reserve_with(request).expect("in stock").confirm().expect("in time");
}
