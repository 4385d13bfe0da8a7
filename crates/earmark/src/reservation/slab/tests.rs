//! Slots and pages, one thread at a time.

use super::*;
use crate::reservation::state::{GENERATION_MAX, Standing};

const SHARED: Lane = Lane::Shared(0);

fn slab(reservations: usize) -> Slab {
    Slab::new(Sizes { live: reservations, expired: 0, ended: 0, retention_ms: 0, lanes: Lanes::for_cores(1) })
}

#[test]
fn r4_every_slot_once_and_the_promised_number_fits() {
    let slab = slab(1_000);
    let mut seen = std::collections::HashSet::new();
    while let Some(Taken { slot, .. }) = slab.take(SHARED, 0) {
        assert!(seen.insert(slot));
    }
    assert!(seen.len() >= 1_000, "{}", seen.len());
}

#[test]
fn whatever_order_slots_come_back_in_the_promised_number_fits_again() {
    let slab = slab(200);
    let mut held: Vec<_> = std::iter::from_fn(|| slab.take(SHARED, 0)).map(|taken| (taken.slot, taken.place)).collect();
    // Give back all but 199 in an order that leaves every page with some.
    held.sort_by_key(|(slot, _)| (slot % 32, *slot));
    for (slot, place) in held.split_off(199) {
        let generation = place.claim(5);
        place.publish(generation, 5);
        place.abandon(generation);
        slab.give_back(SHARED, slot, 0);
    }
    assert!(slab.take(SHARED, 0).is_some());
}

/// R6, with ends remembered in every page: the cap holds to a page of each lane.
#[test]
fn r6_no_more_than_the_cap_and_a_page_are_in_use() {
    let sizes = Sizes { live: 100, expired: 500, ended: 500, retention_ms: 1_000, lanes: Lanes::for_cores(1) };
    let slab = Slab::new(sizes);
    let mut live = Vec::new();
    for round in 0..40 {
        while let Some(Taken { slot, place, .. }) = slab.take(SHARED, round) {
            place.publish(place.claim(5), 5);
            live.push((slot, place));
            assert!(live.len() < sizes.live + PAGE_LEN, "{} in use", live.len());
        }
        assert!(live.len() >= sizes.live, "{} in use in round {round}", live.len());
        // All but a few of each page come back, some are remembered as expired first.
        let (back, kept): (Vec<_>, Vec<_>) = live.into_iter().partition(|(slot, _)| slot % 8 != 0);
        for (slot, place) in back {
            place.abandon(place.snapshot().generation());
            if slot % 5 == 0 {
                slab.park();
                slab.unpark();
            }
            slab.give_back(SHARED, slot, round);
        }
        live = kept;
        if live.len() >= sizes.live {
            break;
        }
    }
}

/// R7: what another thread is moving into its lane is neither in use nor free.
#[test]
fn r7_who_is_refused_waits_for_what_is_on_its_way() {
    let slab = Slab::new(Sizes { live: 8, expired: 0, ended: 0, retention_ms: 0, lanes: Lanes::for_cores(2) });
    let Taken { slot, place, .. } = slab.take(SHARED, 0).unwrap();
    place.abandon(place.claim(5));
    slab.give_back(SHARED, slot, 0);
    let shared = slab.lanes.index(SHARED);
    while slab.pages_of[shared].word.load(Relaxed) & MASK_FULL != 0 {
        let Taken { slot, place, .. } = slab.take(SHARED, 0).unwrap();
        place.abandon(place.claim(5));
        slab.give_back(SHARED, slot, 0);
    }
    let stopped = slab.take_page(SHARED, 0).unwrap(); // all 32 are on their way to lane 0
    assert!(stopped.free.count_ones() == 32 && slab.take(Lane::Shared(1), 0).is_none(), "they count as in use");
    let (page, free, mut moving) = (stopped.page as usize, stopped.free, Some(stopped.move_of));
    let mut waits = 0;
    let taken = slab.take_patiently(Lane::Shared(1), 0, || {
        waits += 1;
        if waits == 3 {
            slab.give_bits(None, page, free);
            moving = None;
        }
        true
    });
    assert_eq!((taken.is_some(), waits), (true, 3));
    let _all = slab.take_page(SHARED, 0);
    assert!(slab.take_patiently(SHARED, 0, || false).is_none(), "the wait is bounded");
}

/// R5: while no more wait than are to be remembered, only what ended long ago is used again; when
/// more do, the oldest end of a few pages goes first.
#[test]
fn r5_recent_ends_stay_until_more_wait_than_are_to_be_remembered() {
    let sizes = Sizes { live: 64, expired: 0, ended: 640, retention_ms: 1_000, lanes: Lanes::for_cores(1) };
    let slab = Slab::new(sizes);
    let mut seen = std::collections::HashSet::new();
    for now in 0..640u64 {
        let Taken { slot, place, .. } = slab.take(SHARED, now).unwrap();
        assert!(seen.insert(slot), "slot {slot} is used again at {now}");
        place.publish(place.claim(5), 5);
        place.abandon(place.snapshot().generation());
        slab.give_back(SHARED, slot, now);
    }
    // The 64 of the first two pages are over their retention; later ones are not.
    let again: Vec<_> = (0..64).map(|_| slab.take(SHARED, 1_064).unwrap().slot).collect();
    assert!(again.iter().all(|&slot| !(64..640).contains(&slot)), "{again:?}");
}

#[test]
fn a_slot_retires_before_its_generation_wraps() {
    let slab = slab(1);
    let Taken { slot, place, .. } = slab.take(SHARED, 0).unwrap();
    place.abandon(GENERATION_MAX);
    slab.give_back(SHARED, slot, 0);
    assert_eq!(slab.retired(), 1);
    assert_eq!(place.snapshot().standing(), Standing::Free);
}
