//! Ends are remembered whichever thread they were ended by (P2, R5), also if another has filled what there is.

mod common;

use std::sync::{Arc, mpsc};
use std::time::Duration;

use common::stocked;
use earmark::*;

fn end(inventory: &Inventory, tee: StockId) -> ReservationId {
    let id = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(1).unwrap()).unwrap().detach();
    inventory.release(id).unwrap();
    id
}

fn known<'a>(inventory: &Inventory, ids: impl Iterator<Item = &'a ReservationId>) -> usize {
    ids.filter(|&&id| inventory.get(id).is_some()).count()
}

#[test]
fn a_dead_threads_older_ends_are_forgotten_first() {
    let (clock, inventory, tee) = stocked();
    let _mine = end(&inventory, tee); // this thread has a lane and a page of its own
    let other = Arc::clone(&inventory);
    std::thread::spawn(move || (0..40_000).for_each(|_| _ = end(&other, tee))).join().unwrap();
    clock.advance(Duration::from_millis(500)); // half of the retention
    let mine: Vec<_> = (0..1_000).map(|_| end(&inventory, tee)).collect();
    assert_eq!(known(&inventory, mine.iter()), 1_000);
}

#[test]
fn who_joins_late_is_remembered_as_long() {
    const EACH: usize = 100;
    let (clock, inventory, tee) = stocked();
    let ((go, went), (tell, told)) = (mpsc::sync_channel::<()>(0), mpsc::sync_channel(1));
    let other = Arc::clone(&inventory);
    let thread = std::thread::spawn(move || {
        while went.recv().is_ok() {
            tell.send((0..EACH).map(|_| end(&other, tee)).collect::<Vec<_>>()).unwrap();
        }
    });
    let _first = end(&inventory, tee);
    let (mut theirs, mut mine) = (Vec::new(), Vec::new());
    for ms in 0..1_500 {
        clock.advance(Duration::from_millis(1));
        let _ = inventory.sweep();
        go.send(()).unwrap();
        theirs.extend(told.recv().unwrap());
        if ms >= 500 {
            mine.extend((0..EACH).map(|_| end(&inventory, tee)));
        }
    }
    drop(go);
    thread.join().unwrap();
    // There is room for the ends of 80 ms.
    for ids in [theirs, mine] {
        let last = known(&inventory, ids.iter().rev().take(50 * EACH));
        assert!(last >= 35 * EACH, "of the last {} ends {last} are known", 50 * EACH);
    }
}
