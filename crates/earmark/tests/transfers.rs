//! Units on their way between two lines are never seen twice, nor missing.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use earmark::*;

const TRANSFERS: usize = 20_000;
const UNITS: u32 = 50;

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
