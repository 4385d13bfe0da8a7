//! `std` or `loom`, chosen here and nowhere else.
//!
//! The cfg is our own (`earmark_loom`), because compiler flags reach every dependency. What differs
//! between the two is wrapped, so that the engine is written once.

#[cfg(not(earmark_loom))]
pub(crate) use std::sync::atomic;

/// A mark that is set once and read often. Loom's own: without the `turn` below, two readers stay
/// independent, and no model grows by it.
#[cfg(earmark_loom)]
pub(crate) use loom::sync::atomic::AtomicBool;
#[cfg(not(earmark_loom))]
pub(crate) use std::sync::atomic::AtomicBool;

/// Loom's atomic, with every access made visible to its scheduler.
///
/// Loom 0.7.3 decides which orders to explore from the *last* access to an object alone. A thread that
/// loads and then exchanges hides, by its own load, that its exchange conflicts with another thread's
/// earlier load, and the other order is never tried: a load against a load-and-exchange is explored once.
/// So each access first touches `turn` with a relaxed read-modify-write, which orders nothing but always
/// counts as a conflict. The access itself keeps its ordering and may still read an old value.
#[cfg(earmark_loom)]
pub(crate) mod atomic {
    pub(crate) use loom::sync::atomic::Ordering;

    #[derive(Debug)]
    pub(crate) struct AtomicU64 {
        value: loom::sync::atomic::AtomicU64,
        turn: loom::sync::atomic::AtomicU64,
        apart: bool,
    }

    std::thread_local! {
        /// Whether the model that runs on this thread leaves alone what has models of its own.
        static LEAVE_APART: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
    }

    /// For models of whole calls: slab, marks and bounds of the wheel are explored by their own models.
    #[cfg(test)]
    pub(crate) fn leave_apart(leave: bool) {
        LEAVE_APART.set(leave);
    }

    impl AtomicU64 {
        pub(crate) fn new(value: u64) -> Self {
            let new = loom::sync::atomic::AtomicU64::new;
            Self { value: new(value), turn: new(0), apart: false }
        }

        pub(crate) fn new_apart(value: u64) -> Self {
            Self { apart: true, ..Self::new(value) }
        }

        fn seen(&self) -> &loom::sync::atomic::AtomicU64 {
            if !(self.apart && LEAVE_APART.get()) {
                self.turn.fetch_or(0, Ordering::Relaxed);
            }
            &self.value
        }

        pub(crate) fn load(&self, order: Ordering) -> u64 {
            self.seen().load(order)
        }

        pub(crate) fn store(&self, value: u64, order: Ordering) {
            self.seen().store(value, order);
        }

        pub(crate) fn swap(&self, value: u64, order: Ordering) -> u64 {
            self.seen().swap(value, order)
        }

        pub(crate) fn fetch_add(&self, value: u64, order: Ordering) -> u64 {
            self.seen().fetch_add(value, order)
        }

        pub(crate) fn fetch_sub(&self, value: u64, order: Ordering) -> u64 {
            self.seen().fetch_sub(value, order)
        }

        pub(crate) fn fetch_or(&self, value: u64, order: Ordering) -> u64 {
            self.seen().fetch_or(value, order)
        }

        pub(crate) fn fetch_and(&self, value: u64, order: Ordering) -> u64 {
            self.seen().fetch_and(value, order)
        }

        pub(crate) fn compare_exchange(
            &self,
            seen: u64,
            next: u64,
            done: Ordering,
            failed: Ordering,
        ) -> Result<u64, u64> {
            self.seen().compare_exchange(seen, next, done, failed)
        }

        pub(crate) fn compare_exchange_weak(
            &self,
            seen: u64,
            next: u64,
            done: Ordering,
            failed: Ordering,
        ) -> Result<u64, u64> {
            self.seen().compare_exchange(seen, next, done, failed)
        }
    }
}

use atomic::{AtomicU64, Ordering};

/// Mutual exclusion for cold state. `parking_lot` normally, so that a panic poisons nothing.
#[derive(Debug)]
pub(crate) struct Mutex<T>(Inner<T>);

#[cfg(earmark_loom)]
type Inner<T> = loom::sync::Mutex<T>;
#[cfg(not(earmark_loom))]
type Inner<T> = parking_lot::Mutex<T>;

#[cfg(earmark_loom)]
pub(crate) type MutexGuard<'a, T> = loom::sync::MutexGuard<'a, T>;
#[cfg(not(earmark_loom))]
pub(crate) type MutexGuard<'a, T> = parking_lot::MutexGuard<'a, T>;

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Inner::new(value))
    }

    /// Waits. Only for cold commands on stock, which say so in their documentation.
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        #[cfg(earmark_loom)]
        return self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        #[cfg(not(earmark_loom))]
        return self.0.lock();
    }

    /// Takes the lock if nobody has it.
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        #[cfg(earmark_loom)]
        return self.0.try_lock().ok();
        #[cfg(not(earmark_loom))]
        return self.0.try_lock();
    }

    /// Tries for a bounded time (`BOUNDED_SPINS` looks, yielding between them), so that a holder who
    /// was stopped cannot stop others for ever: they say `contended`.
    pub(crate) fn lock_bounded(&self) -> Option<MutexGuard<'_, T>> {
        #[cfg(earmark_loom)]
        return Some(self.lock()); // a model explores every order; spinning would only add branches
        #[cfg(not(earmark_loom))]
        {
            let mut pause = Pause::new();
            loop {
                if let Some(guard) = self.0.try_lock() {
                    return Some(guard);
                }
                if !pause.wait() {
                    return None;
                }
            }
        }
    }
}

/// Looks at a busy thing before the answer is `contended`. The first `SPINS_HOT` burn a few
/// processor cycles, the others give the processor away.
pub(crate) const BOUNDED_SPINS: u32 = if cfg!(earmark_loom) { 0 } else { 200 };
const SPINS_HOT: u32 = 7;

/// A bounded wait: spins, then yields, then says stop.
#[derive(Debug)]
pub(crate) struct Pause(u32);

impl Pause {
    pub(crate) fn new() -> Self {
        Self(0)
    }

    /// Waits a little; `false` when the bound is reached.
    pub(crate) fn wait(&mut self) -> bool {
        if self.0 == BOUNDED_SPINS {
            return false;
        }
        #[cfg(not(earmark_loom))]
        if self.0 < SPINS_HOT {
            for _ in 0..1 << self.0 {
                std::hint::spin_loop();
            }
        } else {
            std::thread::yield_now();
        }
        #[cfg(earmark_loom)]
        let _ = SPINS_HOT;
        self.0 += 1;
        true
    }
}

/// An atomic of a part that has loom models of its own, which larger models need not explore again.
pub(crate) fn apart(value: u64) -> AtomicU64 {
    #[cfg(earmark_loom)]
    return AtomicU64::new_apart(value);
    #[cfg(not(earmark_loom))]
    return AtomicU64::new(value);
}

/// The second half of "I wrote A, then looked at B", where somebody else writes B and then looks at A,
/// and at least one of the two must see the other.
///
/// ORDERING: on hardware the sequentially consistent total order decides it: A was written by a SeqCst
/// read-modify-write. Loom takes SeqCst accesses for AcqRel, so there it is a read-modify-write, which
/// always sees the newest value.
pub(crate) fn look(cell: &AtomicU64) -> u64 {
    #[cfg(earmark_loom)]
    return cell.fetch_or(0, Ordering::AcqRel);
    #[cfg(not(earmark_loom))]
    return cell.load(Ordering::SeqCst);
}
