//! The hot word, and the table of names, under every interleaving.

use loom::sync::Arc;
use loom::thread;

use super::counter::{Counter, Refused};
use super::names::Names;
use crate::loom_explore::explore;
use crate::sku::StockId;
use crate::sync::apart;
use crate::sync::atomic::Ordering::{Acquire, Release};

#[test]
fn loom_take_takes_the_last_unit_once() {
    explore("take_takes_the_last_unit_once", Some(5), &["the second", "the third", "the first"], || {
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

/// Both names have the same hash and length, and the second is what a cell holds before anything is written to it.
#[test]
fn loom_n1_a_lookup_beside_a_declaration() {
    let model = |asked: &'static str| {
        move || {
            let names = Arc::new(Names::coarse(1, 0));
            names.make_room(0);
            let declaring = Arc::clone(&names);
            let declarer = thread::spawn(move || declaring.insert("a", None, StockId::new(0)));
            let found = names.find(asked, None, |_| true);
            declarer.join().unwrap();
            assert!(asked == "a" || found.is_none(), "N1: the line of another name");
            if found.is_some() { "after" } else { "before" }
        }
    };
    explore("n1_a_lookup_beside_a_declaration", None, &["before", "after"], model("a"));
    explore("n1_a_lookup_of_another_name", None, &["before"], model("\0"));
}

#[test]
fn loom_n2_a_lookup_beside_a_table_that_grows() {
    explore("n2_a_lookup_beside_a_table_that_grows", Some(4), &["before", "after", "told"], || {
        let names = Arc::new(Names::coarse(2, 0));
        names.make_room(0);
        names.insert("a", None, StockId::new(0));
        let told = Arc::new(apart(0));
        let (declaring, telling) = (Arc::clone(&names), Arc::clone(&told));
        let declarer = thread::spawn(move || {
            declaring.make_room(1); // a table has room for one, and another takes its place
            declaring.insert("bb", None, StockId::new(1));
            telling.store(1, Release);
        });
        let told = told.load(Acquire) == 1;
        assert_eq!(names.find("a", None, |_| true), Some(StockId::new(0)), "N2: declared before, and not found");
        let found = names.find("bb", None, |_| true);
        declarer.join().unwrap();
        match (told, found) {
            (true, None) => panic!("N2: told that it is declared, and not found"),
            (true, Some(_)) => "told",
            (false, Some(_)) => "after",
            (false, None) => "before",
        }
    });
}
