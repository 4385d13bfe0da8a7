//! Slots and pages under every interleaving.

use loom::sync::Arc;
use loom::thread;

use super::phase::{End, PendingPolicy};
use super::slab::{Sizes, Slab};
use super::slot::{Body, Slot};
use super::state::{No, Standing};
use crate::lane::{Lane, Lanes, Numbers};
use crate::loom_explore::explore;

const POLICY: PendingPolicy = PendingPolicy::Release;

fn body(units: u32) -> Body {
    Body { line: 1, units, born: 7, channel: 0, has_extra: false, is_cart: false }
}

#[test]
fn loom_r3_who_sees_it_live_sees_what_it_holds() {
    explore("r3_who_sees_it_live_sees_what_it_holds", None, &["live", "not yet"], || {
        let slot = Arc::new(Slot::new());
        let writer = Arc::clone(&slot);
        let writer = thread::spawn(move || {
            let generation = writer.claim(100);
            writer.fill(body(3));
            writer.publish(generation, 100);
        });
        let read = slot.read(0);
        let live = read.filter(|(seen, _)| matches!(seen.standing(), Standing::Live(_)));
        writer.join().unwrap();
        match live {
            Some((_, found)) => {
                assert_eq!(found, body(3), "R3: it reads live, and not yet what it holds");
                "live"
            }
            None => "not yet",
        }
    });
}

#[test]
fn loom_r1_confirm_races_release_races_expire() {
    let outcomes = ["confirmed", "released", "expired"];
    explore("r1_confirm_races_release_races_expire", Some(3), &outcomes, || {
        let slot = Arc::new(Slot::new());
        let generation = slot.claim(100);
        slot.fill(body(1));
        slot.publish(generation, 100);
        let spawn = |end: End| {
            let slot = Arc::clone(&slot);
            thread::spawn(move || match end {
                End::Expired => match slot.update(|seen| seen.expire(generation, 100, POLICY)) {
                    Ok(before) => {
                        slot.unlock(before.ended(End::Expired));
                        true
                    }
                    Err(_) => false,
                },
                end => slot.update(|seen| seen.end(generation, 99, POLICY, |_| true, end)).is_ok(),
            })
        };
        let others = [spawn(End::Released), spawn(End::Expired)];
        let confirmed = slot.update(|seen| seen.end(generation, 99, POLICY, |_| true, End::Confirmed)).is_ok();
        let won = others.map(|other| other.join().unwrap());
        assert_eq!(won.iter().filter(|&&won| won).count() + usize::from(confirmed), 1, "R1: not exactly one end");
        let told = slot.snapshot().standing();
        match (confirmed, won) {
            (true, _) if told == Standing::Ended(End::Confirmed) => "confirmed",
            (_, [true, _]) if told == Standing::Ended(End::Released) => "released",
            (_, [_, true]) if told == Standing::Ended(End::Expired) => "expired",
            _ => panic!("R1: it reads {told:?}"),
        }
    });
}

#[test]
fn loom_r4_no_slot_is_given_to_two() {
    explore("r4_no_slot_is_given_to_two", Some(3), &["both"], || {
        let slab =
            Arc::new(Slab::new(Sizes { live: 1, expired: 0, ended: 0, retention_ms: 0, lanes: Lanes::for_cores(1) }));
        let take = |slab: &Slab| {
            let mut mine = Vec::new();
            for _ in 0..2 {
                let (slot, place) = slab.take(Lane::Shared(0), 0)?;
                let generation = place.claim(100);
                mine.push((slot, generation));
                if mine.len() == 1 {
                    place.abandon(generation);
                    slab.give_back(Lane::Shared(0), slot, 0);
                }
            }
            Some(mine)
        };
        let other = Arc::clone(&slab);
        let other = thread::spawn(move || take(&other));
        let mine = take(&slab);
        let theirs = other.join().unwrap();
        let (Some(mine), Some(theirs)) = (mine, theirs) else { panic!("R6: there is room for all four") };
        assert_ne!(mine[1].0, theirs[1].0, "R4: one slot, two holders");
        let mut ids: Vec<_> = mine.iter().chain(&theirs).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 4, "R4: one id given twice: {mine:?} {theirs:?}");
        "both"
    });
}

#[test]
fn loom_p2_a_stale_id_never_reaches_the_next_reservation() {
    let outcomes = ["confirmed", "released", "gone"];
    explore("p2_a_stale_id_never_reaches_the_next_reservation", None, &outcomes, || {
        let slot = Arc::new(Slot::new());
        let first = slot.claim(100);
        slot.fill(body(1));
        slot.publish(first, 100);
        let stale = Arc::clone(&slot);
        let stale = thread::spawn(move || stale.update(|seen| seen.end(first, 50, POLICY, |_| true, End::Confirmed)));
        let released = slot.update(|seen| seen.end(first, 50, POLICY, |_| true, End::Released)).is_ok();
        if released {
            let second = slot.claim(100);
            slot.fill(body(2));
            slot.publish(second, 100);
        }
        let confirmed = stale.join().unwrap();
        assert_ne!(confirmed.is_ok(), released, "P2: not exactly one ended the first");
        if released {
            let standing = slot.snapshot().standing();
            assert!(matches!(standing, Standing::Live(_)), "P2: the second was ended by a stale id");
        }
        match confirmed {
            Ok(_) => "confirmed",
            Err(No::Ended(End::Released)) => "released",
            Err(No::Gone) => "gone",
            Err(other) => panic!("P2: {other:?}"),
        }
    });
}
