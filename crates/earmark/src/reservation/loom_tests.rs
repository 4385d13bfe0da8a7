//! Slots and pages under every interleaving.

use loom::sync::Arc;
use loom::thread;

use super::phase::{End, PendingPolicy};
use super::slab::{Sizes, Slab, Taken};
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
                let Taken { slot, place, .. } = slab.take(Lane::Shared(0), 0)?;
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

/// H1 and H2: whoever has a lane's number next goes on where the last one stopped, and nobody beside it.
#[test]
fn loom_h1_an_own_lane_is_handed_on_whole() {
    explore("h1_an_own_lane_is_handed_on_whole", Some(3), &["handed on", "apart"], || {
        let lanes = Lanes::of(2, 1);
        let slab = Arc::new(Slab::new(Sizes { live: 4, expired: 0, ended: 0, retention_ms: 0, lanes }));
        let numbers = Arc::new(Numbers::new());
        let take = |slab: &Slab, numbers: &Numbers| {
            let number = numbers.take();
            let Taken { slot, place, .. } = slab.take(Lane::Own(number), 0)?;
            let generation = place.claim(100);
            numbers.give_back(number);
            Some((number, slot, generation))
        };
        let Some(first) = take(&slab, &numbers) else { panic!("R6: there is room") };
        let (their_slab, their_numbers) = (Arc::clone(&slab), Arc::clone(&numbers));
        let other = thread::spawn(move || take(&their_slab, &their_numbers));
        let mine = take(&slab, &numbers);
        let theirs = other.join().unwrap();
        let (Some(mine), Some(theirs)) = (mine, theirs) else { panic!("R6: there is room for all three") };
        let mut slots = [first.1, mine.1, theirs.1];
        slots.sort_unstable();
        assert!(slots[0] != slots[1] && slots[1] != slots[2], "H1: a slot of an own lane, given to two: {slots:?}");
        if mine.0 == theirs.0 { "handed on" } else { "apart" }
    });
}

/// R8: what ended in an own lane goes back to its page once, whoever takes from that page meanwhile.
#[test]
fn loom_r8_an_own_lane_beside_a_shared_one() {
    explore("r8_an_own_lane_beside_a_shared_one", Some(3), &["again here", "again there"], || {
        let lanes = Lanes::of(2, 1);
        let slab = Arc::new(Slab::new(Sizes { live: 1, expired: 0, ended: 0, retention_ms: 0, lanes }));
        let take = |slab: &Slab, lane: Lane| {
            let Taken { slot, place, .. } = slab.take(lane, 0)?;
            Some((slot, place.claim(100)))
        };
        let ended = |slab: &Slab, lane: Lane, (slot, generation): (u32, u32)| {
            if let Some(place) = slab.get(slot) {
                place.abandon(generation);
            }
            slab.give_back(lane, slot, 0);
        };
        let own = Lane::Own(0);
        // A whole page is taken and given back: both slots wait in the lane, which asks for a page next.
        let whole = [take(&slab, own), take(&slab, own)];
        whole.into_iter().flatten().for_each(|taken| ended(&slab, own, taken));
        let other = Arc::clone(&slab);
        let other = thread::spawn(move || {
            let lane = Lane::Shared(0);
            let first = take(&other, lane)?;
            ended(&other, lane, first);
            take(&other, lane)
        });
        let mine = [take(&slab, own), take(&slab, own)];
        let theirs = other.join().unwrap();
        let mut slots: Vec<u32> = mine.into_iter().chain([theirs]).flatten().map(|(slot, _)| slot).collect();
        assert_eq!(slots.len(), 3, "R6: there is room for all");
        let there = theirs.is_some_and(|(slot, _)| slot < 2);
        slots.sort_unstable();
        slots.dedup();
        assert_eq!(slots.len(), 3, "R8: a slot that waited in an own lane is given to two");
        if there { "again there" } else { "again here" }
    });
}
