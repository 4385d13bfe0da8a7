//! Hot lines seen from outside: what they promise is what any line promises.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use super::hot::{COOL_EVERY_MS, HEAT, HEAT_EVERY_MS, UNITS_PER_LANE, WINDOW_MS};
use crate::*;

const LANES: usize = 2;
/// Threads that buy in the stress tests, more than there are lanes.
const BUYERS: u32 = 3;

fn shop(units: u32) -> (Inventory, ManualClock, StockId) {
    let clock = ManualClock::new(Timestamp::from_millis(1_000));
    let inventory = Inventory::builder().clock(clock.clone()).lanes(LANES).build().unwrap();
    let line = inventory.declare(LineSpec::new("TEE")).unwrap();
    let _ = inventory.receive(line, self::units(units), &Cause::none()).unwrap();
    (inventory, clock, line)
}

fn units(units: u32) -> Quantity {
    Quantity::new(units).unwrap()
}

fn reserve(inventory: &Inventory, line: StockId, count: u32) -> Result<ReservationId, ReserveError> {
    inventory.reserve(line, units(count), Ttl::minutes(5).unwrap()).map(Guard::detach)
}

/// Counts a thread out, also if it panics: the others must not wait for it.
struct Leaving<'a>(&'a AtomicU32);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// A unit of a hot line that was given back lies in a stripe; all of them together are wanted.
#[test]
fn p4_the_last_units_lie_in_stripes() {
    let (inventory, _, line) = shop(40);
    assert!(inventory.make_hot(line));
    let id = reserve(&inventory, line, 1).unwrap(); // and a batch for the stripe
    inventory.release(id).unwrap();
    let pool = inventory.counter(line).unwrap().snapshot();
    assert!(pool.hot() && pool.available() < 40, "{pool:?}");
    assert_eq!(inventory.available(line), Ok(40));
    let all = reserve(&inventory, line, 40);
    assert!(all.is_ok(), "P4: false sold-out: {all:?}");
    assert_eq!(inventory.usage().hot_lines, 1); // closed, and not folded yet
    let none = reserve(&inventory, line, 1);
    assert_eq!(none, Err(ReserveError::OutOfStock { line, asked: Quantity::ONE }));
    inventory.confirm(all.unwrap()).unwrap();
    assert_eq!(inventory.levels(line).unwrap().committed, 40);
    assert_eq!(inventory.usage().hot_lines, 0);
}

/// Carts take from the line's word, parts and late ends go there: the stripes hold less than nothing then.
#[test]
fn p3_what_is_taken_here_and_ended_there_adds_up() {
    let (inventory, clock, line) = shop(1_000);
    let cap = inventory.declare(LineSpec::new("CAP")).unwrap();
    let _ = inventory.receive(cap, units(9), &Cause::none()).unwrap();
    let cart = ReserveRequest::new(Ttl::minutes(5).unwrap()).with_item(line, units(3)).with_item(cap, units(1));
    let before = inventory.reserve_with(&cart).unwrap().detach();
    assert!(inventory.make_hot(line));
    inventory.confirm(before).unwrap(); // taken from the word, ended in a stripe
    let split = reserve(&inventory, line, 4).unwrap();
    inventory.confirm_part(split, &[Item { line, quantity: units(3) }]).unwrap();
    let _late = inventory.reserve_with(&cart).unwrap().detach();
    let kept = reserve(&inventory, line, 600).unwrap(); // more than a stripe can hold
    inventory.release(kept).unwrap();
    clock.advance(Duration::from_secs(300));
    assert_eq!(inventory.sweep().expired, 1);
    assert!(inventory.counter(line).unwrap().snapshot().hot());
    assert_eq!(inventory.available(line), Ok(994));
    let levels = inventory.levels(line).unwrap();
    assert_eq!((levels.available, levels.reserved, levels.committed, levels.on_hand), (994, 0, 6, 1_000));
    assert!(inventory.verify().is_clean());
}

/// What looks into the books finds one word that says all.
#[test]
fn p3_every_look_into_the_books_folds() {
    let looks: [fn(&Inventory, StockId); 7] = [
        |inventory, line| assert_eq!(inventory.levels(line).unwrap().reserved, 5),
        |inventory, line| assert_eq!(inventory.levels_all().lines[line.index()].reserved, 5),
        |inventory, _| assert!(inventory.verify().is_clean()),
        |inventory, line| assert_eq!(inventory.block(line, units(95), "all", &Cause::none()).unwrap().reserved, 5),
        |inventory, line| assert!(inventory.retire(line, &Cause::none()).unwrap().retired),
        |inventory, line| {
            let refused = inventory.adjust(line, -96, &Cause::none());
            assert_eq!(refused, Err(StockError::Short { line, short_by: 1 }));
        },
        |inventory, line| {
            let after = inventory.retry_after(line, units(100)).unwrap();
            assert_eq!(after, Some(inventory.now().after(Ttl::minutes(5).unwrap())));
        },
    ];
    for (at, look) in looks.into_iter().enumerate() {
        let (inventory, _, line) = shop(100);
        assert!(inventory.make_hot(line));
        let [_held, freed] = [5, 7].map(|count| reserve(&inventory, line, count).unwrap());
        inventory.release(freed).unwrap();
        look(&inventory, line);
        let word = inventory.counter(line).unwrap().snapshot();
        assert!(!word.hot(), "look {at}: {word:?}");
        assert_eq!(inventory.levels(line).unwrap().on_hand, 100);
    }
}

#[test]
fn a_close_sees_what_lies_in_stripes() {
    let (inventory, _, line) = shop(100);
    assert!(inventory.make_hot(line));
    let id = reserve(&inventory, line, 1).unwrap();
    let report = inventory.close(CloseMode::Drain);
    assert_eq!((report.reserved, report.changing), (1, 0));
    inventory.confirm(id).unwrap();
    assert!(inventory.close(CloseMode::Drain).is_drained());
}

#[test]
fn a_crowd_makes_a_line_hot_and_quiet_makes_it_plain() {
    let enough = UNITS_PER_LANE * LANES as u32;
    let (inventory, clock, line) = shop(enough - 1);
    let hot = || inventory.usage().hot_lines;
    let counter = || inventory.counter(line).unwrap();
    let crowd = |lost: u64| (0..lost).for_each(|_| inventory.warm(line, counter(), 0, 1));
    crowd(2 * HEAT);
    assert_eq!(hot(), 0, "too little to go round");
    let _ = inventory.receive(line, units(1), &Cause::none()).unwrap();
    crowd(HEAT - 1);
    clock.advance(Duration::from_millis(WINDOW_MS + 1));
    let _ = inventory.sweep();
    crowd(HEAT - 1);
    assert_eq!(hot(), 0, "two small crowds");
    crowd(1);
    assert_eq!(hot(), 1);
    let _ = inventory.levels(line).unwrap();
    crowd(HEAT);
    assert_eq!(hot(), 0, "hot a moment ago");
    clock.advance(Duration::from_millis(HEAT_EVERY_MS));
    let _ = inventory.sweep();
    crowd(HEAT);
    assert_eq!(hot(), 1);
    for quiet in 0..4 {
        assert_eq!(hot(), 1, "after {quiet} looks");
        let id = reserve(&inventory, line, 1).unwrap(); // this lane alone
        inventory.release(id).unwrap();
        clock.advance(Duration::from_millis(COOL_EVERY_MS));
        let _ = inventory.sweep();
        if hot() == 0 {
            assert!(quiet > 1, "not before two looks that found it quiet");
            break;
        }
    }
    assert_eq!(hot(), 0);
    assert_eq!(inventory.levels(line).unwrap().available, enough);
}

/// As many as there is room for, whatever lines they are; none where none are allowed.
#[test]
fn p10_hot_lines_are_bounded() {
    for max in [0, 1, 3] {
        let inventory = Inventory::builder().lanes(LANES).hot_lines_max(max).build().unwrap();
        let lines: Vec<_> = (0..5).map(|n| inventory.declare(LineSpec::new(&format!("LINE {n}"))).unwrap()).collect();
        for line in &lines {
            let _ = inventory.receive(*line, units(100), &Cause::none()).unwrap();
        }
        let hot = lines.iter().filter(|line| inventory.make_hot(**line)).count();
        assert_eq!((hot, inventory.usage().hot_lines), (max, max));
        let _ = inventory.levels(lines[0]).unwrap();
        assert_eq!(inventory.make_hot(lines[4]), max > 0, "its place is free again");
    }
}

/// Sold out to the last unit by several threads, refused, restocked, read and made hot by others, over and over.
#[test]
fn stress_sold_out_to_the_last_unit_and_restocked() {
    const ROUNDS: u32 = 30;
    const UNITS: u32 = 4_000;
    let (inventory, _, line) = shop(1);
    let sold = AtomicU32::new(0);
    let buy = |buyer: u32| {
        let mut last = None;
        for n in buyer.. {
            match reserve(&inventory, line, 1 + n % 3) {
                Ok(id) if n % 2 == 0 => {
                    inventory.confirm(id).unwrap();
                    sold.fetch_add(1 + n % 3, Relaxed);
                }
                Ok(id) => last.replace(id).into_iter().for_each(|id| inventory.release(id).unwrap()),
                Err(ReserveError::Contended { .. }) => {}
                Err(ReserveError::OutOfStock { .. } | ReserveError::Insufficient { .. }) => break,
                Err(other) => panic!("{other}"),
            }
        }
        last.into_iter().for_each(|id| inventory.release(id).unwrap());
    };
    let (mut received, mut hot) = (1, 0);
    for round in 0..ROUNDS {
        let _ = inventory.receive(line, units(UNITS), &Cause::none()).unwrap();
        received += UNITS;
        hot += u32::from(inventory.make_hot(line));
        let buyers = AtomicU32::new(BUYERS);
        std::thread::scope(|scope| {
            for buyer in 0..BUYERS {
                let (buy, buyers) = (&buy, &buyers);
                scope.spawn(move || {
                    let _leaving = Leaving(buyers);
                    buy(buyer);
                });
            }
            scope.spawn(|| {
                while buyers.load(Relaxed) > 0 && round % 2 == 0 {
                    let levels = inventory.levels(line).unwrap();
                    let sum = levels.available + levels.reserved + levels.committed;
                    assert_eq!((sum, levels.on_hand), (received, received), "P3: {levels:?}");
                    assert!(inventory.available(line).unwrap() <= 2 * received);
                    inventory.make_hot(line);
                }
            });
        });
        // Alone now: whatever is left can be had, wherever it lies, and not one unit more.
        if round % 4 == 0 {
            inventory.make_hot(line);
        }
        while sold.load(Relaxed) < received {
            let id = reserve(&inventory, line, 1);
            inventory.confirm(id.unwrap_or_else(|told| panic!("P4: round {round}: {told}"))).unwrap();
            sold.fetch_add(1, Relaxed);
        }
        assert_eq!(sold.load(Relaxed), received, "P1: oversold");
        let none = reserve(&inventory, line, 1);
        assert_eq!(none, Err(ReserveError::OutOfStock { line, asked: Quantity::ONE }));
        let levels = inventory.levels(line).unwrap();
        assert_eq!((levels.available, levels.reserved, levels.committed), (0, 0, received), "P3: round {round}");
    }
    assert_eq!(hot, ROUNDS, "each round began hot");
    assert!(inventory.verify().is_clean());
}

/// Units for everybody, on a line that is made hot and closed all the time: whoever is refused one was told an
/// untruth, and so was who asked for too many and heard of too few.
#[test]
fn stress_p4_units_enough_for_all_are_refused_to_nobody() {
    enough_for_all(BUYERS); // no batches: all that lies in stripes was given back there
    enough_for_all(5 * BUYERS);
}

fn enough_for_all(count: u32) {
    const TIMES: u32 = 20_000;
    const LEVELS_EVERY: u32 = 64;
    let (inventory, _, line) = shop(count);
    let (buyers, served, settled) = (AtomicU32::new(BUYERS), AtomicU32::new(0), AtomicU32::new(0));
    let mut hot = 0;
    std::thread::scope(|scope| {
        for _ in 0..BUYERS {
            scope.spawn(|| {
                let _leaving = Leaving(&buyers);
                for _ in 0..TIMES {
                    match reserve(&inventory, line, 1) {
                        Ok(id) => {
                            served.fetch_add(1, Relaxed);
                            inventory.release(id).unwrap();
                        }
                        Err(ReserveError::Contended { .. }) => {}
                        Err(told) => panic!("P4: false sold-out: {told}"),
                    }
                }
            });
        }
        scope.spawn(|| {
            while buyers.load(Relaxed) > 0 || settled.load(Relaxed) == 0 {
                match reserve(&inventory, line, count + 1) {
                    Err(ReserveError::OutOfStock { .. }) => {
                        settled.fetch_add(1, Relaxed);
                        assert_eq!(count, BUYERS, "P4: none of {count}");
                    }
                    Err(ReserveError::Insufficient { available, .. }) => {
                        settled.fetch_add(1, Relaxed);
                        assert!((count - BUYERS..=count).contains(&available), "P4: {available} of {count}");
                    }
                    Err(ReserveError::Contended { .. }) => {}
                    other => panic!("P1, P4: {other:?}"),
                }
            }
        });
        for turn in 0.. {
            if buyers.load(Relaxed) == 0 && hot > 0 {
                break;
            }
            if !inventory.counter(line).unwrap().snapshot().hot() {
                hot += u32::from(inventory.make_hot(line));
            }
            if turn % LEVELS_EVERY == 0 {
                let levels = inventory.levels(line).unwrap();
                assert_eq!((levels.available + levels.reserved, levels.committed), (count, 0), "P3: {levels:?}");
            }
        }
    });
    let [served, settled] = [served, settled].map(AtomicU32::into_inner);
    println!("ran: {served} served, {settled} refusals settled, made hot {hot} times");
    assert!(served > 0 && settled > 0 && hot > 0, "{served} {settled} {hot}");
    let levels = inventory.levels(line).unwrap();
    assert_eq!((levels.available, levels.reserved), (count, 0), "P3");
}
