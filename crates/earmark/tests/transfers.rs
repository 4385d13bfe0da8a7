//! A settled snapshot is of one instant: what moves between lines is never seen twice, nor missing.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use earmark::*;

const TRANSFERS: usize = 200_000;
const UNITS: u32 = 50;

const JUMPS: usize = 12_000;
const LINES: usize = 4_000;
const PAUSE: usize = 2_000;

#[test]
fn p3_a_settled_snapshot_beside_transfers_adds_up() {
    let inventory = Inventory::new();
    let [a, b] = ["a", "b"].map(|sku| {
        let line = inventory.declare(LineSpec::new(sku)).unwrap();
        let _ = inventory.receive(line, Quantity::new(UNITS).unwrap(), &Cause::none()).unwrap();
        line
    });
    let done = AtomicBool::new(false);
    let settled = std::thread::scope(|scope| {
        let threads = [[a, b], [b, a]].map(|ends| {
            let inventory = &inventory;
            scope.spawn(move || {
                for n in 0..TRANSFERS {
                    let units = Quantity::new(1 + (n / 2 % 3) as u32).unwrap();
                    let (from, to) = (ends[n % 2], ends[(n + 1) % 2]); // there, and back
                    let _ = inventory.transfer(from, to, units, &Cause::none()).unwrap();
                }
            })
        });
        let reader = scope.spawn(|| {
            let mut settled = 0;
            while !done.load(Relaxed) {
                let snapshot = inventory.levels_all();
                let sum: u32 = snapshot.lines.iter().map(|levels| levels.on_hand).sum();
                if snapshot.settled {
                    settled += 1;
                    assert_eq!(sum, 2 * UNITS, "P3: {snapshot:?}");
                }
            }
            settled
        });
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        done.store(true, Relaxed);
        reader.join().unwrap()
    });
    println!("ran: transfers {} of two threads, {settled} settled snapshots beside them", 2 * TRANSFERS);
    assert!(settled > 0, "too tame to prove anything");
    for line in [a, b] {
        assert_eq!(inventory.levels(line).unwrap().on_hand, UNITS, "P3: units were lost, or made");
    }
}

/// A reservation jumps between the first line and the last: the next is made before the one before it is released,
/// so at every instant there is one.
#[test]
fn p3_a_settled_snapshot_beside_reservations_is_of_one_instant() {
    let inventory = Inventory::new();
    let lines: Vec<_> = (0..LINES).map(|at| inventory.declare(LineSpec::new(&format!("{at}"))).unwrap()).collect();
    let ends = [lines[0], lines[LINES - 1]];
    for line in ends {
        let _ = inventory.receive(line, Quantity::ONE, &Cause::none()).unwrap();
    }
    let reserve = |at: usize| inventory.reserve(ends[at % 2], Quantity::ONE, Ttl::MAX).unwrap();
    let done = AtomicBool::new(false);
    let first = reserve(0);
    let settled = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut settled = 0;
            while !done.load(Relaxed) {
                let snapshot = inventory.levels_all();
                if snapshot.settled {
                    settled += 1;
                    let reserved: u32 = snapshot.lines.iter().map(|levels| levels.reserved).sum();
                    assert!((1..=2).contains(&reserved), "P3: {reserved} reserved in one instant");
                }
            }
            settled
        });
        let mut held = first;
        for at in 1..=JUMPS {
            (0..PAUSE).for_each(|_| std::hint::spin_loop()); // so that some snapshots settle
            let next = reserve(at);
            held.release().unwrap();
            held = next;
        }
        done.store(true, Relaxed);
        reader.join().unwrap()
    });
    println!("ran: snapshots beside {JUMPS} reservations, {settled} settled");
    assert!(settled > 0, "too tame to prove anything");
}
