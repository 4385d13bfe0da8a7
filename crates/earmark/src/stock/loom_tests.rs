//! The hot word under every interleaving.

use loom::sync::Arc;
use loom::thread;

use super::counter::{Counter, Refused};
use crate::loom_explore::explore;

#[test]
fn loom_take_takes_the_last_unit_once() {
    explore("take_takes_the_last_unit_once", None, &["the second", "the third", "the first"], || {
        let counter = Arc::new(Counter::new());
        counter.add(1);
        let takers: Vec<_> = (0..2)
            .map(|_| {
                let counter = Arc::clone(&counter);
                thread::spawn(move || counter.take(1).is_ok())
            })
            .collect();
        let own = counter.take(1).is_ok();
        let taken: Vec<_> = takers.into_iter().map(|taker| taker.join().unwrap()).chain([own]).collect();
        assert_eq!(taken.iter().filter(|&&taken| taken).count(), 1, "P1: one unit, taken twice or by nobody");
        assert_eq!((counter.snapshot().available(), counter.snapshot().reserved()), (0, 1), "S2");
        ["the first", "the second", "the third"][taken.iter().position(|&taken| taken).unwrap()]
    });
}

#[test]
fn loom_release_meets_take_and_no_unit_is_lost() {
    explore("release_meets_take_and_no_unit_is_lost", None, &["both"], || {
        let counter = Arc::new(Counter::new());
        counter.add(2);
        counter.take(1).unwrap();
        let other = Arc::clone(&counter);
        let giver = thread::spawn(move || other.end(0, 1));
        counter.take(1).unwrap();
        giver.join().unwrap();
        let word = counter.snapshot();
        assert_eq!((word.available(), word.reserved()), (1, 1), "S2: a unit is lost, or there twice");
        "both"
    });
}

#[test]
fn loom_s3_a_shortage_beside_a_cart_shows_the_mark() {
    explore("s3_a_shortage_beside_a_cart_shows_the_mark", None, &["there", "marked"], || {
        let lines = Arc::new([Counter::new(), Counter::new()]);
        lines[0].add(1);
        let cart = Arc::clone(&lines);
        let cart = thread::spawn(move || {
            cart[0].take_midway(1).unwrap();
            assert_eq!(cart[1].take_midway(1), Err(Refused::Short { available: 0 }));
            cart[0].leave_midway(1);
        });
        let word = lines[0].snapshot();
        assert!(word.available() == 1 || word.midway() > 0, "S3: sold out, though the cart gives it back: {word:?}");
        cart.join().unwrap();
        if word.midway() > 0 { "marked" } else { "there" }
    });
}
