//! Every subject keeps the same promises, or its figures mean nothing.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::{ById, ByName, Shop, Subject, Totals, dashmap, earmark, moka, papaya, semaphores, sharded};
use crate::names::{Draw, Keys, Names, sequence};

const TTL_MS: u64 = 1_000;
const LINES: usize = 10;

macro_rules! conformance {
    ($($name:ident: $subject:ty, $ttl_ms:expr;)*) => { $(
        mod $name {
            #[test]
            fn never_oversells() {
                super::never_oversells::<$subject>();
            }

            #[test]
            fn books_add_up() {
                super::books_add_up::<$subject>();
            }

            #[test]
            fn one_end_wins() {
                super::one_end_wins::<$subject>();
            }

            #[test]
            fn expiry_gives_back() {
                super::expiry_gives_back::<$subject>($ttl_ms);
            }
        }
    )* };
}

conformance! {
    earmark_id: super::earmark::Earmark<super::earmark::Id>, super::TTL_MS;
    earmark_name: super::earmark::Earmark<super::earmark::Name>, super::TTL_MS;
    earmark_owned: super::earmark::Owned, super::TTL_MS;
    earmark_driven: super::earmark::Driven, 5; // real time: short
    p_int: super::sharded::PInt, super::TTL_MS;
    p_dense: super::sharded::PDense, super::TTL_MS;
    p_str: super::sharded::PStr, super::TTL_MS;
    dashmap_id: super::dashmap::Dash<super::ById>, super::TTL_MS;
    dashmap_name: super::dashmap::Dash<super::ByName>, super::TTL_MS;
    semaphores_id: super::semaphores::Semaphores<super::ById>, super::TTL_MS;
    semaphores_name: super::semaphores::Semaphores<super::ByName>, super::TTL_MS;
    moka_id: super::moka::Moka<super::ById>, 5; // real time: short
    moka_name: super::moka::Moka<super::ByName>, 5;
    papaya_id: super::papaya::Papaya<super::ById>, super::TTL_MS;
    papaya_name: super::papaya::Papaya<super::ByName>, super::TTL_MS;
}

fn open<S: Subject>(stock: u32, ttl_ms: u64) -> (S, S::Keys) {
    let names = Names::new(LINES);
    let subject = S::open(&Shop { names: &names, stock, ttl_ms, room: 1_000 });
    let keys = subject.keys(&names, &sequence(Draw::Hot, LINES, 0));
    (subject, keys)
}

/// Two threads, one line, little stock: some hold at most three at once, none is sold twice.
fn never_oversells<S: Subject>() {
    const STOCK: u32 = 3;
    const TRIES: usize = 5_000;
    const SOLD_MAX: usize = 2;
    let (shop, keys) = open::<S>(STOCK, 600_000);
    let (held, sold) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let too_many = AtomicBool::new(false);
    let buy = || {
        let _in = shop.enter();
        let mut mine = Vec::new();
        for step in 0..TRIES {
            if let Some(hold) = shop.reserve(keys.at(step), S::ttl(600_000)) {
                if held.fetch_add(1, Relaxed) >= STOCK as usize {
                    too_many.store(true, Relaxed);
                }
                mine.push(hold);
            }
            if step % 3 == 2 {
                for hold in mine.drain(..) {
                    // Two are sold at most, so that the line stays contended; a sold one is held for ever.
                    if step % 7 == 0 && sold.fetch_add(1, Relaxed) < SOLD_MAX {
                        assert!(shop.confirm(hold));
                    } else {
                        held.fetch_sub(1, Relaxed); // before it is back
                        assert!(shop.release(hold));
                    }
                }
            }
        }
        for hold in mine {
            held.fetch_sub(1, Relaxed);
            assert!(shop.release(hold));
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(buy);
        scope.spawn(buy);
    });
    assert!(!too_many.load(Relaxed));
    let sold = sold.load(Relaxed).min(SOLD_MAX) as u64;
    let all = u64::from(STOCK) * LINES as u64;
    assert_eq!(shop.totals(), Totals { available: all - sold, live: 0 });
}

fn books_add_up<S: Subject>() {
    let (shop, keys) = open::<S>(5, 600_000);
    let _in = shop.enter();
    let holds: Vec<_> =
        (0..5).map(|step| shop.reserve(keys.at(step), S::ttl(600_000)).expect("there are five")).collect();
    assert_eq!(shop.reserve(keys.at(0), S::ttl(600_000)), None);
    assert_eq!(shop.available(keys.at(0)), 0);
    assert_eq!(shop.totals(), Totals { available: 45, live: 5 });
    assert!(shop.confirm(holds[0]));
    assert!(shop.release(holds[1]));
    assert_eq!(shop.available(keys.at(0)), 1);
    assert_eq!(shop.totals(), Totals { available: 46, live: 3 });
}

fn one_end_wins<S: Subject>() {
    let (shop, keys) = open::<S>(5, 600_000);
    let _in = shop.enter();
    let ends: [fn(&S, S::Hold) -> bool; 2] = [S::confirm, S::release];
    for (step, (first, second)) in [(0, 0), (0, 1), (1, 0), (1, 1)].into_iter().enumerate() {
        let hold = shop.reserve(keys.at(step), S::ttl(600_000)).expect("some are left");
        assert!(ends[first](&shop, hold));
        assert!(!ends[second](&shop, hold));
    }
    assert_eq!(shop.totals(), Totals { available: 48, live: 0 });
}

/// At its deadline a reservation can no longer be confirmed, and its unit comes back.
fn expiry_gives_back<S: Subject>(ttl_ms: u64) {
    let (shop, keys) = open::<S>(1, ttl_ms);
    let _in = shop.enter();
    let late = shop.reserve(keys.at(0), S::ttl(ttl_ms)).expect("there is one");
    shop.set_now(ttl_ms - 1);
    let _ = shop.expire();
    shop.set_now(ttl_ms);
    // In virtual time at once; where time is real, soon.
    let began = Instant::now();
    while shop.available(keys.at(0)) == 0 {
        assert!(began.elapsed() < Duration::from_secs(20), "nothing came back");
        let _ = shop.expire();
        std::thread::yield_now();
    }
    assert!(!shop.confirm(late));
    assert!(!shop.release(late));
    assert_eq!(shop.totals(), Totals { available: LINES as u64, live: 0 });
}

/// Virtual time only: before the deadline nothing comes back, and at it a confirm is refused though nobody swept.
fn deadline_is_exact<S: Subject>() {
    let (shop, keys) = open::<S>(2, TTL_MS);
    let _in = shop.enter();
    let (early, late) = (shop.reserve(keys.at(0), S::ttl(TTL_MS)), shop.reserve(keys.at(0), S::ttl(TTL_MS)));
    shop.set_now(TTL_MS - 1);
    assert_eq!(shop.expire().expired, 0);
    assert!(shop.confirm(early.expect("there are two")));
    shop.set_now(TTL_MS);
    assert!(!shop.confirm(late.expect("there are two")));
    let mut expired = 0;
    loop {
        let some = shop.expire();
        expired += some.expired;
        if some.complete {
            break;
        }
    }
    assert_eq!(expired, 1);
    assert_eq!(shop.totals(), Totals { available: 2 * LINES as u64 - 1, live: 0 });
}

#[test]
fn deadlines_are_exact_in_virtual_time() {
    deadline_is_exact::<earmark::Earmark<earmark::Id>>();
    deadline_is_exact::<sharded::PInt>();
    deadline_is_exact::<sharded::PStr>();
    deadline_is_exact::<dashmap::Dash<ById>>();
    deadline_is_exact::<semaphores::Semaphores<ByName>>();
    deadline_is_exact::<papaya::Papaya<ById>>();
}

/// What moka answers in real time is what the others answer in virtual time: refused at the deadline.
#[test]
fn moka_refuses_what_is_over() {
    let (shop, keys) = open::<moka::Moka<ById>>(1, 1);
    let hold = shop.reserve(keys.at(0), 1).expect("there is one");
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(3) {
        std::hint::spin_loop();
    }
    assert!(!shop.confirm(hold));
}
