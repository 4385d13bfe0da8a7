//! Lanes: a thread's own part of what many threads write to.
//!
//! Every thread that works has a small number, given to it at its first call and given back when it ends.
//! A number belongs to one thread at a time; so the lane of that number is written by one thread at a time,
//! with plain loads and stores, which cost a tenth of a locked instruction. Threads whose number is above
//! the lanes that an inventory keeps for single threads share lanes, by compare-exchange.
//!
//! The numbers are the process's, given by this copy of the crate: two copies linked into one process must not share an
//! inventory. A call must end on the thread on which it began.
//!
//! **H1** No two living threads have the same number.
//! **H2** Who is given a number sees all that its earlier holders wrote to their lanes.

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::seeded::{Break, on};
use crate::sync::Mutex;

/// Which lane a call works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// The caller's alone: plain stores.
    Own(usize),
    /// Shared with other threads: read-modify-writes.
    Shared(usize),
}

/// How many lanes there are of each kind. Own lanes come first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lanes {
    own: usize,
    shared: usize,
}

impl Lanes {
    /// For so many cores: as many shared ones, and room for twice as many threads, and two that manage.
    pub(crate) const fn for_cores(cores: usize) -> Self {
        let shared = if cores == 0 { 1 } else { cores };
        // Models of whole calls know one lane; own lanes have models of their own.
        let own = if cfg!(earmark_loom) { 0 } else { 2 * shared + 2 };
        Self { own, shared }
    }

    #[cfg(all(test, earmark_loom))]
    pub(crate) const fn of(own: usize, shared: usize) -> Self {
        Self { own, shared }
    }

    /// Pages of slots that all lanes together may keep to themselves: one that is taken from, and in an own lane
    /// one that waits to be given back.
    pub(crate) const fn pages(self) -> usize {
        2 * self.own + self.shared
    }

    /// Lanes of both kinds.
    pub(crate) const fn len(self) -> usize {
        self.own + self.shared
    }

    /// Lanes of single threads; they come first.
    pub(crate) const fn own(self) -> usize {
        self.own
    }

    /// The calling thread's lane.
    #[inline]
    pub(crate) fn mine(self) -> Lane {
        let number = MINE.get();
        if number < self.own { Lane::Own(number) } else { self.mine_shared(number) }
    }

    #[cold]
    fn mine_shared(self, number: usize) -> Lane {
        if cfg!(earmark_loom) {
            return Lane::Shared(0); // a model names its own lanes itself
        }
        match number {
            UNKNOWN => self.mine_first(),
            GONE => Lane::Shared(0), // the thread is being torn down
            number => Lane::Shared(number % self.shared),
        }
    }

    fn mine_first(self) -> Lane {
        // Fails where the thread's locals are gone already: any shared lane serves it.
        let _ = HOLD.try_with(|hold| MINE.set(hold.0));
        match MINE.get() {
            UNKNOWN => Lane::Shared(0),
            number if number < self.own => Lane::Own(number),
            number => Lane::Shared(number % self.shared),
        }
    }

    /// Stripes of a hot line: enough for every core's threads, if they came first. One is no stripe.
    pub(crate) const fn stripes(self) -> usize {
        if self.shared == 1 { 1 } else { 2 * self.shared }
    }

    /// Which of the stripes a lane has.
    #[inline]
    pub(crate) const fn stripe(self, lane: Lane) -> usize {
        let (stripes, mut at) = (self.stripes(), self.index(lane));
        while at >= stripes {
            at -= stripes; // twice at most where there is more than one; a division is dearer
        }
        at
    }

    /// Where a lane lies among those of both kinds.
    #[inline]
    pub(crate) const fn index(self, lane: Lane) -> usize {
        match lane {
            Lane::Own(at) => at,
            Lane::Shared(at) => self.own + at,
        }
    }
}

const UNKNOWN: usize = usize::MAX;
const GONE: usize = usize::MAX - 1;

std::thread_local! {
    static MINE: Cell<usize> = const { Cell::new(UNKNOWN) };
    static HOLD: Hold = Hold(NUMBERS.take());
}

static NUMBERS: std::sync::LazyLock<Numbers> = std::sync::LazyLock::new(Numbers::new);

/// A thread's number, given back when the thread ends.
struct Hold(usize);

impl Drop for Hold {
    fn drop(&mut self) {
        MINE.set(GONE); // before the number may be another's: from here on this thread shares
        NUMBERS.give_back(self.0);
    }
}

/// Hands out numbers, the lowest first.
#[derive(Debug)]
pub(crate) struct Numbers(Mutex<Free>);

#[derive(Debug, Default)]
struct Free {
    back: BinaryHeap<Reverse<usize>>,
    next: usize,
}

impl Numbers {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Free::default()))
    }

    /// A number that nobody has (H1). The lock hands on what its last holder wrote (H2).
    pub(crate) fn take(&self) -> usize {
        let mut free = self.0.lock();
        let back = if on(Break::NumberTwice) { free.back.peek().copied() } else { free.back.pop() };
        match back {
            Some(Reverse(number)) => number,
            None => {
                free.next += 1;
                free.next - 1
            }
        }
    }

    pub(crate) fn give_back(&self, number: usize) {
        self.0.lock().back.push(Reverse(number));
    }
}

#[cfg(all(test, not(earmark_loom)))]
mod tests {
    use super::*;

    #[test]
    fn h1_living_threads_have_numbers_of_their_own_and_the_dead_give_theirs_back() {
        let lanes = Lanes::for_cores(1);
        let number = move || {
            let _ = lanes.mine();
            MINE.get()
        };
        let mine = number();
        assert_eq!(number(), mine);
        let all = std::sync::Barrier::new(8);
        let mut numbers: Vec<usize> = std::thread::scope(|scope| {
            let one = || {
                let mine = number();
                all.wait(); // all eight live now
                mine
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 8);
        assert!(!numbers.contains(&mine));
        // Other tests run beside this one: how many numbers are out is theirs to say too.
        for _ in 0..1_000 {
            std::thread::spawn(number).join().unwrap();
        }
        let highest = NUMBERS.0.lock().next;
        assert!(highest < 1_000, "{highest} numbers were needed");
    }

    #[test]
    fn lanes_of_both_kinds_lie_apart() {
        let lanes = Lanes::for_cores(2);
        let all: Vec<usize> =
            (0..6).map(Lane::Own).chain((0..2).map(Lane::Shared)).map(|lane| lanes.index(lane)).collect();
        assert_eq!(all, (0..lanes.len()).collect::<Vec<_>>());
        for (at, lane) in (0..6).map(Lane::Own).chain((0..2).map(Lane::Shared)).enumerate() {
            assert_eq!(lanes.stripe(lane), at % lanes.stripes());
        }
    }
}
