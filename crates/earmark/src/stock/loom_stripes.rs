//! Stripes under every interleaving: two lanes, one or two lines.

use loom::sync::Arc;

use super::counter::{Counter, Refused};
use super::stripes::Stripes;
use crate::loom_explore::{explore, race};

/// To the end takes over a minute: this many preemptions.
const THREE: Option<usize> = Some(3);
const LANES: usize = 2;
/// The line that most models are about, and another.
const LINE: usize = 0;
const OTHER: usize = 1;

/// Two lines that share one place for stripes.
struct World {
    pools: [Counter; 2],
    stripes: Stripes,
}

impl World {
    /// So many units of the first line, which is plain, and none of the other.
    fn plain(units: u32) -> Arc<Self> {
        Self::with_lanes(units, LANES)
    }

    fn with_lanes(units: u32, lanes: usize) -> Arc<Self> {
        let world = Self { pools: [Counter::new(), Counter::new()], stripes: Stripes::new(lanes, 1) };
        world.pools[LINE].add(units);
        world.stripes.prepare();
        Arc::new(world)
    }

    /// The same, and the line is hot; all its units are in the pool.
    fn hot(units: u32) -> Arc<Self> {
        let world = Self::plain(units);
        assert!(world.heat(LINE));
        world
    }

    /// Whoever holds the books: one model thread at most.
    fn heat(&self, line: usize) -> bool {
        self.stripes.heat(line as u32, &self.pools[line])
    }

    fn fold(&self, line: usize) {
        self.stripes.fold(line as u32, &self.pools[line]);
    }

    fn take(&self, line: usize, lane: usize, units: u32) -> Result<(), Refused> {
        self.stripes.take(line as u32, &self.pools[line], lane, units, &mut 0)
    }

    fn end(&self, line: usize, lane: usize, settled: u32, returned: u32) {
        self.stripes.end(line as u32, &self.pools[line], lane, settled, returned, &mut 0);
    }

    /// A reserve of one unit with the judgement of a refusal, as the engine makes it; nothing is ever due here.
    fn reserve(&self, lane: usize) -> Reserved {
        let pool = &self.pools[LINE];
        loop {
            if self.take(LINE, lane, 1).is_ok() {
                return Reserved::Yes;
            }
            let word = self.stripes.cooled(LINE as u32, pool);
            if word.available() == 0 {
                return if word.is_unsure() { Reserved::Contended } else { Reserved::Refused };
            }
        }
    }

    /// Available and reserved, after all is said and done.
    fn levels(&self, line: usize) -> (u32, u32) {
        self.fold(line);
        let word = self.pools[line].snapshot();
        (word.available(), word.reserved())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reserved {
    Yes,
    Refused,
    Contended,
}

/// The last unit lies in the stripe of another lane, all through the refusal.
#[test]
fn loom_p4_the_last_unit_lies_in_another_stripe() {
    explore("p4_the_last_unit_lies_in_another_stripe", THREE, &["the first", "the second"], || {
        let world = World::hot(1);
        world.take(LINE, 0, 1).unwrap();
        world.end(LINE, 0, 0, 1); // into the stripe
        let (one, two) = race(&world, |w| w.reserve(0), |w| w.reserve(1));
        assert_eq!(world.levels(LINE), (0, 1), "P1, P3: a unit is lost, or there twice");
        match (one, two) {
            (Reserved::Yes, Reserved::Refused) => "the first",
            (Reserved::Refused, Reserved::Yes) => "the second",
            other => panic!("P4: false sold-out: {other:?}"),
        }
    });
}

/// A release into a stripe beside a refusal of another lane: in time, or after the refusal.
#[test]
fn loom_p4_a_release_beside_a_refusal() {
    explore("p4_a_release_beside_a_refusal", THREE, &["in time", "too late"], || {
        let world = World::hot(1);
        world.take(LINE, 0, 1).unwrap();
        let (told, ()) = race(&world, |w| w.reserve(1), |w| w.end(LINE, 0, 0, 1));
        match told {
            Reserved::Yes => {
                assert_eq!(world.levels(LINE), (0, 1), "P3: a unit is lost, or there twice");
                "in time"
            }
            Reserved::Refused => {
                assert_eq!(world.reserve(1), Reserved::Yes, "P4: given back, and never seen again");
                "too late"
            }
            Reserved::Contended => panic!("P4: nothing was on its way"),
        }
    });
}

/// A batch is on its way to a stripe while another lane is refused.
#[test]
fn loom_s3_a_batch_on_its_way_shows_the_mark() {
    explore("s3_a_batch_on_its_way_shows_the_mark", THREE, &["reserved", "contended"], || {
        let world = World::hot(3); // one for the caller, one in the batch, one left
        let (one, two) = race(
            &world,
            |w| w.reserve(0),
            |w| {
                assert_eq!(w.reserve(1), Reserved::Yes);
                w.reserve(1)
            },
        );
        assert_eq!(one, Reserved::Yes, "P4: false sold-out");
        let taken = 2 + u32::from(two == Reserved::Yes);
        assert_eq!(world.levels(LINE), (3 - taken, taken), "P3: a unit is lost, or there twice");
        match two {
            Reserved::Yes => "reserved",
            Reserved::Contended => "contended",
            Reserved::Refused => panic!("P4: false sold-out beside a batch on its way"),
        }
    });
}

/// Two refusals close the stripes at once; the unit in them is not counted twice, and the line may be hot anew
/// before the slower of them is done.
#[test]
fn loom_z3_z4_two_close_and_the_line_is_hot_anew() {
    explore("z3_z4_two_close_and_the_line_is_hot_anew", THREE, &["hot anew", "pinned"], || {
        let world = World::hot(2);
        world.take(LINE, 0, 1).unwrap();
        world.end(LINE, 0, 0, 1);
        let (hot, ()) = race(
            &world,
            |w| {
                w.stripes.cooled(LINE as u32, &w.pools[LINE]);
                w.heat(LINE)
            },
            |w| {
                let _ = w.stripes.cooled(LINE as u32, &w.pools[LINE]);
            },
        );
        assert_eq!(world.levels(LINE), (2, 0), "Z3: a unit is lost, or there twice");
        if hot { "hot anew" } else { "pinned" }
    });
}

/// A line becomes hot while its unit comes back and is wanted again, by another lane.
#[test]
fn loom_z5_heat_beside_a_release_and_a_reserve() {
    explore("z5_heat_beside_a_release_and_a_reserve", THREE, &["hot", "closed at once"], || {
        let world = World::plain(1);
        world.pools[LINE].take(1).unwrap();
        let (hot, told) = race(
            &world,
            |w| w.heat(LINE),
            |w| {
                w.end(LINE, 0, 0, 1);
                [w.reserve(1), w.reserve(1)]
            },
        );
        assert_eq!(told[0], Reserved::Yes, "P4: false sold-out, beside a line that becomes hot");
        assert_eq!(told[1], Reserved::Refused, "P1: one unit, reserved twice");
        assert_eq!(world.levels(LINE), (0, 1), "P3: a unit is lost, or there twice");
        if hot { "hot" } else { "closed at once" }
    });
}

/// A thread that is stopped on a stripe, which goes to another line meanwhile.
#[test]
fn loom_z2_a_stripe_goes_to_another_line() {
    explore("z2_a_stripe_goes_to_another_line", THREE, &["taken"], || {
        let world = World::hot(1);
        world.pools[OTHER].add(2);
        let ((), ()) = race(
            &world,
            |w| w.take(LINE, 0, 1).unwrap(),
            |w| {
                w.fold(LINE);
                assert!(w.heat(OTHER));
                w.take(OTHER, 0, 1).unwrap();
                w.end(OTHER, 0, 0, 1); // into the stripe that was the first line's
            },
        );
        assert_eq!(world.levels(OTHER), (2, 0), "Z2: another line's unit was taken");
        assert_eq!(world.levels(LINE), (0, 1), "P1, P3");
        "taken"
    });
}

/// Whoever has the books folds the line and reads it, beside a reserve and its end in another lane.
#[test]
fn loom_z6_a_fold_beside_ends_is_exact() {
    let outcomes = ["reserved", "free", "confirmed"];
    explore("z6_a_fold_beside_ends_is_exact", THREE, &outcomes, || {
        let world = World::plain(2);
        world.pools[LINE].take(1).unwrap();
        assert!(world.heat(LINE));
        let (seen, ()) = race(
            &world,
            |w| w.levels(LINE),
            |w| {
                w.end(LINE, 1, 0, 1); // taken in one lane, ended in another
                w.take(LINE, 1, 1).unwrap();
                w.end(LINE, 1, 1, 0);
            },
        );
        assert_eq!(world.levels(LINE), (1, 0), "Z6: the books are wrong in the end");
        match seen {
            (1, 1) => "reserved",
            (2, 0) => "free",
            (1, 0) => "confirmed",
            other => panic!("Z6: what is reserved was counted wrong: {other:?}"),
        }
    });
}

/// Whoever has not the books reads what the line's word would say, beside one who folds it, makes it hot anew and
/// closes it again.
#[test]
fn loom_z4_z6_a_look_without_the_books_is_exact() {
    explore("z4_z6_a_look_without_the_books_is_exact", THREE, &["told"], || {
        let world = World::with_lanes(2, 1); // one stripe is enough, and two are too large a model
        world.pools[LINE].take(1).unwrap();
        assert!(world.heat(LINE));
        world.end(LINE, 0, 0, 1); // less than nothing is reserved in this stripe
        let (seen, ()) = race(
            &world,
            |w| w.stripes.whole(LINE as u32, &w.pools[LINE]),
            |w| {
                w.heat(LINE); // folds, and begins anew
                let _ = w.stripes.cooled(LINE as u32, &w.pools[LINE]);
            },
        );
        let seen = seen.map(|word| (word.available(), word.reserved()));
        assert_eq!(seen, Some((2, 0)), "Z6: what is reserved was counted wrong");
        "told"
    });
}
