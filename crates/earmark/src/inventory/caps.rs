//! Tests of owners: caps, the list in an owner's book, and what becomes of both (O1 to O4).

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::owners::{LOOKS, OpenBook};
use crate::*;

fn units(units: u32) -> Quantity {
    Quantity::new(units).unwrap()
}

fn stocked(builder: InventoryBuilder, on_hand: u32) -> (Inventory, StockId) {
    let inventory = builder.expired_capacity(0).build().unwrap();
    let tee = inventory.declare(LineSpec::new("TEE")).unwrap();
    let _ = inventory.receive(tee, units(on_hand), &Cause::none()).unwrap();
    (inventory, tee)
}

fn of(owner: u128, line: StockId) -> ReserveRequest {
    ReserveRequest::new(Ttl::minutes(1).unwrap()).with_item(line, units(1)).with_owner(Owner::from_bits(owner))
}

#[test]
fn o2_what_ends_while_its_book_is_open_leaves_it_without_a_sweep() {
    let (inventory, tee) = stocked(Inventory::builder(), 3);
    let take = || inventory.reserve_with(&of(1, tee)).unwrap().detach();
    for _ in 0..1_000 {
        let (one, two) = (take(), take());
        let ends = |_: &OpenBook<'_>| [one, two].map(|id| inventory.release(id).unwrap());
        inventory.with_owner(Owner::from_bits(1), 0, ends).unwrap();
    }
    assert_eq!(inventory.usage().owners, 0);
}

/// What is remembered as expired still tells whose it was, and counts for nothing.
#[test]
fn o2_a_book_stays_as_long_as_something_names_it() {
    let clock = ManualClock::default();
    let inventory = Inventory::builder().clock(clock.clone()).expired_capacity(2).build().unwrap();
    let tee = inventory.declare(LineSpec::new("TEE")).unwrap();
    let _ = inventory.receive(tee, units(9), &Cause::none()).unwrap();
    let (ada, sums) = (Owner::from_bits(1), || inventory.owners.sums(Owner::from_bits(1)));
    let ids: Vec<_> = (0..3).map(|_| inventory.reserve_with(&of(1, tee)).unwrap().detach()).collect();
    clock.advance(Duration::from_secs(60));
    assert_eq!((sums(), inventory.sweep().expired), (Some((3, 3, 0)), 3));
    assert_eq!(inventory.usage().owners, 0);
    assert_eq!(sums(), Some((0, 0, 2)), "the oldest is forgotten already");
    assert_eq!(ids.iter().filter(|id| inventory.get(**id).unwrap().owner == Some(ada)).count(), 2);
    assert_eq!(inventory.confirm_or_reacquire(ids[2]), Ok(Late::Reacquired));
    assert_eq!(sums(), Some((0, 0, 1)));
    let next = inventory.reserve_with(&of(1, tee)).unwrap().detach();
    assert_eq!((sums(), inventory.usage().owners), (Some((1, 1, 1)), 1));
    inventory.release(next).unwrap();
    clock.advance(Duration::from_secs(3_600));
    let _ = inventory.sweep();
    assert_eq!((sums(), inventory.usage().owners, inventory.usage().extras), (None, 0, 0));
}

/// The list is gone through in steps. What ends between two of them moves the rest up, and the cursor on.
#[test]
fn o4_a_look_at_each_meets_all_that_live_whatever_ends_meanwhile() {
    for ends_each_time in 1..70 {
        let at_once = Inventory::builder().ended_retention(Duration::ZERO).ended_capacity(0); // slots are used again
        let (inventory, tee) = stocked(at_once, 200);
        let ids: Vec<_> = (0..200).map(|_| inventory.reserve_with(&of(1, tee)).unwrap().detach()).collect();
        let (mut met, mut ended) = (HashSet::new(), HashSet::new());
        let look = |book: &OpenBook<'_>| {
            book.each(|id| {
                assert!(ids.contains(&id), "O4: another's reservation in the list");
                assert!(met.insert(id), "O4: met twice");
                let around = ids.iter().rev().skip(met.len() % 41).filter(|id| !ended.contains(*id));
                let ending: Vec<_> = around.take(ends_each_time % 7).copied().collect();
                for id in ending {
                    inventory.release(id).unwrap();
                    let _ = inventory.reserve_with(&of(2, tee)).unwrap().detach();
                    ended.insert(id);
                }
            });
        };
        inventory.with_owner(Owner::from_bits(1), 0, look).unwrap();
        assert!(ids.iter().all(|id| met.contains(id) || ended.contains(id)), "O4: {ends_each_time}: one was missed");
        ids.iter().filter(|id| !ended.contains(*id)).for_each(|id| inventory.release(*id).unwrap());
        assert_eq!(inventory.owners.sums(Owner::from_bits(1)), None);
        let others = inventory.owners.sums(Owner::from_bits(2)).map_or(0, |(ids, ..)| ids as usize);
        assert_eq!(others, ended.len());
    }
}

/// Books against what the reservations say, after everything that moves them was done at once.
#[test]
fn o3_sums_are_exact_at_rest() {
    const TURNS: u32 = 4_000;
    let clock = ManualClock::default();
    let builder = Inventory::builder().clock(clock.clone()).owner_units_max(60).owner_units_per_line_max(40);
    let inventory = builder.expired_capacity(3).ended_retention(Duration::ZERO).ended_capacity(0).build().unwrap();
    let lines = ["TEE", "CAP"].map(|sku| inventory.declare(LineSpec::new(sku)).unwrap());
    for line in lines {
        let _ = inventory.receive(line, units(100_000), &Cause::none()).unwrap();
    }
    let turns = |seed: u32| {
        let (mut held, mut random) = (Vec::new(), seed);
        for turn in 0..TURNS {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let (pick, line) = (random >> 16, lines[(random >> 8) as usize % 2]);
            let ttl = Ttl::millis(if pick % 5 == 0 { 3 } else { 600_000 }).unwrap();
            let request = ReserveRequest::new(ttl).with_owner(Owner::from_bits(u128::from(pick % 3)));
            let request = request.with_item(line, units(1 + pick % 9));
            let request = if pick % 4 == 0 { request.with_item(lines[0], units(2)) } else { request };
            let request = if pick % 2 == 0 { request.with_key(Key::from_bits(u128::from(random))) } else { request };
            let one = [Item { line, quantity: units(1) }];
            let some: Option<ReservationId> = held.pop();
            match (some, pick % 7) {
                (Some(id), 0) => _ = inventory.replace(id, &request).map(|new| held.push(new.id)),
                (Some(id), 1) => {
                    let _ = inventory.release_part(id, &one);
                    held.push(id);
                }
                (Some(id), 2) => _ = inventory.confirm_part(id, &one),
                (Some(id), 3) => _ = inventory.confirm_or_reacquire(id),
                (Some(id), 4) => _ = inventory.release(id),
                (some, _) => {
                    held.extend(some);
                    held.extend(inventory.reserve_with(&request).map(Guard::detach));
                }
            }
            if turn % 64 == 0 {
                clock.advance(Duration::from_millis(1));
                let _ = inventory.sweep();
                let owned = inventory.reservations(&Filter::all().with_owner(Owner::from_bits(1)));
                assert!(owned.count() < 100);
            }
        }
    };
    std::thread::scope(|scope| (1..5).for_each(|seed| drop(scope.spawn(move || turns(seed)))));
    assert!(inventory.verify().is_clean());
    clock.advance(Duration::from_millis(3));
    while !inventory.sweep().complete {}
    for owner in (0..3).map(Owner::from_bits) {
        let mine = Filter::all().with_owner(owner);
        let found: Vec<_> = inventory.reservations(&mine).map(|found| found.items).collect();
        let sum: u64 = found.iter().flatten().map(|item| u64::from(item.quantity.get())).sum();
        assert!(sum <= 60, "O1: {sum}");
        let (ids, units, _) = inventory.owners.sums(owner).unwrap_or_default();
        assert_eq!((ids as usize, units), (found.len(), sum), "O3");
        let all = Filter::all();
        let walked = inventory.reservations(&all).filter(|found| found.owner == Some(owner)).count();
        assert_eq!(walked, found.len(), "O2: the list has all");
    }
    for _ in 0..2 {
        clock.advance(Duration::from_secs(86_400)); // what lives expires, and is then forgotten
        while !inventory.sweep().complete || inventory.usage().keys > 0 {}
    }
    let usage = inventory.usage();
    assert_eq!((usage.owners, usage.extras, usage.expired_remembered), (0, 0, 0), "P10");
}

#[test]
fn o2_one_owner_on_four_threads_leaves_nothing() {
    let (inventory, tee) = stocked(Inventory::builder(), 1_000);
    let turns = || {
        for _ in 0..5_000 {
            match inventory.reserve_with(&of(1, tee)).map(Guard::detach) {
                Ok(id) => inventory.release(id).unwrap(),
                Err(error) => assert!(matches!(error, ReserveError::Contended { .. }), "{error}"),
            }
        }
    };
    std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(turns))));
    assert_eq!(inventory.usage().owners, 0);
    assert!(inventory.verify().is_clean());
}

#[test]
fn owners_who_hold_nothing_but_what_is_overdue_make_room() {
    let clock = ManualClock::default();
    let (inventory, tee) = stocked(Inventory::builder().clock(clock.clone()).owners_max(2), 9);
    let _ada = inventory.reserve_with(&of(1, tee)).unwrap().detach();
    let _bob = inventory.reserve_with(&of(2, tee)).unwrap().detach();
    clock.advance(Duration::from_secs(59));
    let full = ReserveError::Full(FullError { table: Table::Owners, max: 2 });
    assert_eq!(inventory.reserve_with(&of(3, tee)).map(Guard::detach), Err(full.clone()));
    clock.advance(Duration::from_secs(1));
    let eve = inventory.reserve_with(&of(3, tee)).unwrap().detach();
    assert_eq!(inventory.usage().owners, 1);
    let _dan = inventory.reserve_with(&of(4, tee)).unwrap().detach();
    assert_eq!(inventory.reserve_with(&of(5, tee)).map(Guard::detach), Err(full));
    inventory.release(eve).unwrap();
    let _fay = inventory.reserve_with(&of(5, tee)).unwrap().detach();
}

fn looks(run: impl FnOnce()) -> usize {
    let before = LOOKS.get();
    run();
    LOOKS.get() - before
}

#[test]
fn o3_a_reserve_far_from_the_caps_looks_at_nothing() {
    let builder = Inventory::builder();
    let builder = builder.owner_reservations_max(20_000).owner_units_max(20_000).owner_units_per_line_max(20_000);
    let (inventory, tee) = stocked(builder, 30_000);
    let take = || inventory.reserve_with(&of(1, tee)).unwrap().detach();
    let mut ids: Vec<_> = (0..10_000).map(|_| take()).collect();
    let further = looks(|| {
        for id in &mut ids[..1_000] {
            take();
            inventory.release(*id).unwrap();
            *id = inventory.replace(take(), &of(1, tee)).unwrap().id;
        }
    });
    assert_eq!(further, 0, "10,000 live reservations, 3,000 more");
    ids.into_iter().for_each(|id| inventory.release(id).unwrap());
    assert_eq!(inventory.owners.sums(Owner::from_bits(1)), Some((1_000, 1_000, 0)));
}

/// The sums know of parts, so that no look is needed.
#[test]
fn o3_what_was_given_back_in_part_counts_no_more() {
    let (inventory, tee) = stocked(Inventory::builder().owner_units_max(1_000), 9_000);
    let ten = ReserveRequest::new(Ttl::minutes(1).unwrap()).with_owner(Owner::from_bits(1));
    let ten = ten.with_item(tee, units(10));
    for _ in 0..100 {
        let id = inventory.reserve_with(&ten).unwrap().detach();
        inventory.release_part(id, &[Item { line: tee, quantity: units(9) }]).unwrap();
    }
    let further = looks(|| {
        for _ in 0..900 {
            let _ = inventory.reserve_with(&of(1, tee)).unwrap().detach();
        }
    });
    assert_eq!(further, 0);
    let refused = inventory.reserve_with(&of(1, tee)).map(Guard::detach);
    let (cap, held, asked, max) = (OwnerCap::Units, 1_000, 1, 1_000);
    assert_eq!(refused, Err(ReserveError::OwnerCap { cap, held, asked, max }));
}

#[test]
fn o3_a_cap_of_a_line_is_judged_by_that_line() {
    let builder = Inventory::builder().owner_units_per_line_max(3);
    let (inventory, tee) = stocked(builder, 9);
    let mug = inventory.declare(LineSpec::new("MUG")).unwrap();
    let _ = inventory.receive(mug, units(9), &Cause::none()).unwrap();
    let take = |line, wanted| inventory.reserve_with(&of(1, line).with_item(line, units(wanted))).map(Guard::detach);
    let old = take(tee, 1).unwrap();
    take(mug, 2).unwrap();
    let (cap, held, asked, max) = (OwnerCap::UnitsPerLine, 2, 2, 3);
    assert_eq!(take(tee, 1), Err(ReserveError::OwnerCap { cap, held, asked, max }));
    assert_eq!(inventory.replace(old, &of(1, tee).with_item(tee, units(2))).unwrap().units, 3);
}

/// A clock that panics at one of its readings.
#[derive(Clone, Default)]
struct Fragile(Arc<AtomicU64>);

impl Clock for Fragile {
    fn now(&self) -> Timestamp {
        assert_ne!(self.0.fetch_sub(1, Relaxed), 0, "the clock fell");
        Timestamp::from_millis(0)
    }
}

#[test]
fn o2_a_clock_that_panics_leaves_no_book_behind() {
    let clock = Fragile(Arc::new(AtomicU64::new(u64::MAX)));
    let (inventory, tee) = stocked(Inventory::builder().clock(clock.clone()), 9);
    let mut fell = 0;
    for reading in 0..4 {
        clock.0.store(reading, Relaxed);
        let taken = catch_unwind(AssertUnwindSafe(|| inventory.reserve_with(&of(1, tee)).map(drop)));
        clock.0.store(u64::MAX, Relaxed);
        fell += usize::from(taken.is_err());
        assert_eq!(inventory.usage().owners, 0, "reading {reading}");
        assert!(inventory.verify().is_clean());
    }
    assert_eq!(fell, 2, "one reading before the book is opened, one inside");
}

/// A clock that asks the inventory it serves, once, at one of its readings.
#[derive(Clone, Default)]
struct Curious(Arc<std::sync::OnceLock<std::sync::Weak<Inventory>>>, Arc<AtomicU64>);

impl Clock for Curious {
    fn now(&self) -> Timestamp {
        let asks = self.1.fetch_sub(1, Relaxed) == 0;
        if let Some(inventory) = self.0.get().filter(|_| asks).and_then(std::sync::Weak::upgrade) {
            let inner = inventory.reserve_with(&of(1, StockId::new(0))).map(drop);
            assert_eq!(inner, Err(ReserveError::Contended { line: StockId::new(0) }));
            self.1.store(u64::MAX, Relaxed);
        }
        Timestamp::from_millis(0)
    }
}

/// Documented as forbidden; the wait is bounded all the same.
#[test]
fn a_clock_that_calls_its_inventory_finds_the_book_open() {
    let clock = Curious(Arc::default(), Arc::new(AtomicU64::new(u64::MAX)));
    let (inventory, tee) = stocked(Inventory::builder().clock(clock.clone()), 9);
    let inventory = Arc::new(inventory);
    clock.0.set(Arc::downgrade(&inventory)).unwrap();
    clock.1.store(1, Relaxed); // the second reading: the book is open
    inventory.reserve_with(&of(1, tee)).unwrap().release().unwrap();
    assert_eq!((inventory.counts().reserved, inventory.usage().owners), (1, 0));
}
