//! The system's allocator, with a counter that can be switched on.
//!
//! The judge's allocator. It counts only in a child process that measures memory ([`start`]); elsewhere an
//! allocation costs one load of a word that nobody writes, for earmark and rivals alike. [`overhead`] measures that.

#![allow(unsafe_code, reason = "a global allocator is unsafe to implement, however little it adds")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};
use std::time::Instant;

static COUNTING: AtomicBool = AtomicBool::new(false);
static BYTES: AtomicI64 = AtomicI64::new(0);
static PEAK: AtomicI64 = AtomicI64::new(0);

/// Passes everything on to the system's allocator.
#[derive(Debug)]
pub struct Counting;

// ORDERING: statistics, Relaxed throughout: read by the thread that did the work.
fn count(by: i64) {
    let bytes = BYTES.fetch_add(by, Relaxed) + by;
    PEAK.fetch_max(bytes, Relaxed);
}

// SAFETY: every method hands its arguments to `System` unchanged and returns what `System` returns; the counting
// beside it touches atomics only, allocates nothing and cannot unwind.
unsafe impl GlobalAlloc for Counting {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if COUNTING.load(Relaxed) {
            count(layout.size() as i64);
        }
        // SAFETY: the caller keeps the contract of `alloc`, which is that of `System`.
        unsafe { System.alloc(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        if COUNTING.load(Relaxed) {
            count(-(layout.size() as i64));
        }
        // SAFETY: as above; `place` came from `System`, since all of this allocator's memory does.
        unsafe { System.dealloc(place, layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if COUNTING.load(Relaxed) {
            count(layout.size() as i64);
        }
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if COUNTING.load(Relaxed) {
            count(size as i64 - layout.size() as i64);
        }
        // SAFETY: as above.
        unsafe { System.realloc(place, layout, size) }
    }
}

/// Counts from here on, from zero.
pub fn start() {
    BYTES.store(0, Relaxed);
    PEAK.store(0, Relaxed);
    COUNTING.store(true, Relaxed);
}

/// Bytes allocated since [`start`] and not freed; negative if more of what was there before was freed.
#[must_use]
pub fn bytes() -> i64 {
    BYTES.load(Relaxed)
}

/// The most that [`bytes`] has been.
#[must_use]
pub fn peak() -> i64 {
    PEAK.load(Relaxed)
}

/// Nanoseconds for taking and giving back 64 bytes: directly from the system, and through [`Counting`] at rest.
#[must_use]
pub fn overhead() -> (f64, f64) {
    const TIMES: u32 = 200_000;
    const ROUNDS: usize = 5;
    let layout = Layout::new::<[u64; 8]>();
    let time = |allocator: &dyn Fn() -> *mut u8, free: &dyn Fn(*mut u8)| {
        let began = Instant::now();
        for _ in 0..TIMES {
            free(std::hint::black_box(allocator()));
        }
        began.elapsed().as_nanos() as f64 / f64::from(TIMES)
    };
    let mut least = (f64::INFINITY, f64::INFINITY);
    for _ in 0..ROUNDS {
        // SAFETY: the layout is not empty, and each block goes back, with its layout, to where it came from.
        let plain = time(&|| unsafe { System.alloc(layout) }, &|place| unsafe { System.dealloc(place, layout) });
        // SAFETY: the same.
        let through = time(&|| unsafe { Counting.alloc(layout) }, &|place| unsafe { Counting.dealloc(place, layout) });
        least = (least.0.min(plain), least.1.min(through));
    }
    least
}
