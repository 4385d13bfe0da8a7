//! Who moves the time: a driver thread.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool,
    Ordering::{Acquire, Release},
};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Advanced, Inventory};
use crate::clock::Timestamp;

/// The shortest and longest pause between two sweeps of a driver.
pub(super) const PERIOD_MIN: Duration = Duration::from_millis(1);
pub(super) const PERIOD_MAX: Duration = Duration::from_secs(1);

/// What a driver did in its life.
///
/// ```
/// # use earmark::*;
/// # use std::{sync::Arc, time::Duration};
/// # let inventory = Arc::new(Inventory::new());
/// let report: DriverReport = Driver::spawn(Arc::clone(&inventory), Duration::from_millis(1))?.stop();
/// assert_eq!((report.expired, report.panics), (0, 0));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct DriverReport {
    /// Sweeps made.
    pub sweeps: u64,
    /// Reservations that expired in them.
    pub expired: u64,
    /// Sweeps in which the clock, or another piece of the user's code, panicked; the driver went on.
    pub panics: u64,
}

/// A thread that sweeps every `period` and keeps the engine's tick moving. Stops and joins on drop.
///
/// It holds a share of the inventory, which lives at least as long.
///
/// ```
/// # use earmark::*;
/// use std::{sync::Arc, time::Duration};
/// let inventory = Arc::new(Inventory::new());
/// let driver = Driver::spawn(Arc::clone(&inventory), Duration::from_millis(1))?;
/// // ... sell ...
/// let report = driver.stop();
/// assert_eq!(report.panics, 0);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Driver {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<DriverReport>>,
}

impl Driver {
    /// Starts the thread. The period is brought between 1 ms and 1 s, and to half of `time_slack` at
    /// most; 1 to 2 ms is what expiry to the tick needs.
    ///
    /// ```
    /// # use earmark::*;
    /// # use std::{sync::Arc, time::Duration};
    /// # let inventory = Arc::new(Inventory::new());
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
    /// let driver = Driver::spawn(Arc::clone(&inventory), Duration::from_millis(1))?;
    /// let _forgotten = inventory.reserve(tee, Quantity::ONE, Ttl::millis(5)?)?.detach();
    /// while inventory.available(tee)? == 0 {
    ///     std::thread::yield_now(); // nobody calls `sweep` here
    /// }
    /// assert_eq!(driver.stop().expired, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// What the operating system says when it cannot start a thread.
    pub fn spawn(inventory: Arc<Inventory>, period: Duration) -> std::io::Result<Self> {
        let period = period_for(&inventory, period);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let mut attached = Attached::new(inventory);
        let thread = std::thread::Builder::new().name("earmark-driver".to_owned()).spawn(move || {
            let mut report = DriverReport::default();
            while !stopped.load(Acquire) {
                if attached.drive(&mut report) {
                    std::thread::park_timeout(period);
                }
            }
            report
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Stops the thread, waits for it and tells what it did.
    ///
    /// ```
    /// # use earmark::*;
    /// # use std::{sync::Arc, time::Duration};
    /// # let inventory = Arc::new(Inventory::new());
    /// let driver = Driver::spawn(Arc::clone(&inventory), Duration::from_millis(1))?;
    /// assert_eq!(Arc::strong_count(&inventory), 2);
    /// let _report = driver.stop();
    /// assert_eq!(Arc::strong_count(&inventory), 1); // its thread is gone, and its share with it
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn stop(mut self) -> DriverReport {
        self.join()
    }

    fn join(&mut self) -> DriverReport {
        self.stop.store(true, Release);
        let Some(thread) = self.thread.take() else { return DriverReport::default() };
        thread.thread().unpark();
        thread.join().unwrap_or_default()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.join();
    }
}

/// A loop of your own that drives: from its first sweep until it is dropped the tick is trusted, as beside a
/// [`Driver`], without a thread.
///
/// For an event loop, a frame, a simulation that comes by anyway. It promises to call [`sweep`](Self::sweep) or
/// [`advance`](Self::advance) at least twice in each `time_slack`, every millisecond or two if units are to be back at
/// once; a loop that is held up is a driver that starves ([`docs::time`](crate::docs::time)).
///
/// ```
/// # use earmark::*;
/// use std::sync::Arc;
/// let clock = ManualClock::default();
/// let inventory = Arc::new(Inventory::builder().clock(clock.clone()).build()?);
/// # let tee = inventory.declare(LineSpec::new("TEE"))?;
/// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
/// let mut driver = LoopDriver::new(Arc::clone(&inventory));
/// let _forgotten = inventory.reserve(tee, Quantity::ONE, Ttl::millis(50)?)?.detach();
/// for frame in 1..=10 {
///     clock.set(Timestamp::from_millis(16 * frame));
///     let _ = driver.sweep();
///     assert_eq!(inventory.available(tee)?, u32::from(frame >= 4)); // 64 ms
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct LoopDriver(Attached);

impl LoopDriver {
    /// Drives this inventory from the first sweep until it is dropped.
    ///
    /// ```
    /// # use earmark::*;
    /// # use std::sync::Arc;
    /// # let inventory = Arc::new(Inventory::new());
    /// let driver = LoopDriver::new(Arc::clone(&inventory));
    /// drop(driver); // from here on calls read the clock
    /// assert_eq!(Arc::strong_count(&inventory), 1);
    /// ```
    #[must_use]
    pub fn new(inventory: Arc<Inventory>) -> Self {
        Self(Attached::new(inventory))
    }

    /// [`Inventory::sweep`]: reads the clock, moves the tick to it, and ends what is due.
    ///
    /// ```
    /// # use earmark::*;
    /// # use std::sync::Arc;
    /// # let inventory = Arc::new(Inventory::new());
    /// let mut driver = LoopDriver::new(inventory);
    /// assert!(driver.sweep().complete);
    /// ```
    ///
    /// # Panics
    /// Where the clock does. Until a sweep has succeeded again the tick is not trusted.
    pub fn sweep(&mut self) -> Advanced {
        let swept = catch_unwind(AssertUnwindSafe(|| self.0.inventory.sweep()));
        self.0.count(swept.is_ok());
        swept.unwrap_or_else(|payload| resume_unwind(payload))
    }

    /// [`Inventory::advance`]: moves the tick to a time that you read from the inventory's clock, and ends what is due.
    ///
    /// ```
    /// # use earmark::*;
    /// # use std::sync::Arc;
    /// # let inventory = Arc::new(Inventory::new());
    /// let mut driver = LoopDriver::new(Arc::clone(&inventory));
    /// assert!(driver.advance(inventory.now()).complete);
    /// ```
    pub fn advance(&mut self, now: Timestamp) -> Advanced {
        let advanced = self.0.inventory.advance(now);
        self.0.count(true);
        advanced
    }
}

/// A tick is trusted up to `time_slack` before a deadline (T2), so it must move more often than that.
pub(super) fn period_for(inventory: &Inventory, period: Duration) -> Duration {
    let slack = inventory.settings.time_slack;
    let longest = if slack.is_zero() { PERIOD_MAX } else { PERIOD_MAX.min(slack / 2) };
    period.clamp(PERIOD_MIN, longest.max(PERIOD_MIN))
}

/// Counts as a driver from its first sweep to its drop, save while the clock panics: then nobody moves the
/// tick, and nobody may trust it. Before the first sweep the tick may be as old as the inventory.
#[derive(Debug)]
pub(super) struct Attached {
    inventory: Arc<Inventory>,
    counted: bool,
}

impl Attached {
    pub(super) fn new(inventory: Arc<Inventory>) -> Self {
        Self { inventory, counted: false }
    }

    fn count(&mut self, counted: bool) {
        if counted != self.counted {
            self.counted = counted;
            if counted { self.inventory.time.attach_driver() } else { self.inventory.time.detach_driver() }
        }
    }

    /// One sweep; whether nothing is left to do before the next period.
    pub(super) fn drive(&mut self, report: &mut DriverReport) -> bool {
        report.sweeps += 1;
        match catch_unwind(AssertUnwindSafe(|| self.inventory.sweep_some())) {
            Ok((advanced, more)) => {
                self.count(true);
                report.expired += advanced.expired as u64;
                if self.inventory.time.is_behind() {
                    let _ = self.inventory.catch_up(); // the clock leapt; the rest in the next period
                }
                !more // if incomplete for another reason, something is being changed: give it a period
            }
            Err(payload) => {
                std::mem::forget(payload); // its drop is the user's code too
                self.count(false);
                report.panics += 1;
                true
            }
        }
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.count(false);
    }
}

#[cfg(all(test, not(earmark_loom)))]
mod tests {
    use std::sync::Arc;

    use super::PERIOD_MIN;
    use crate::*;

    /// Panics once, with a payload whose drop panics too.
    struct Bombs(ManualClock, std::sync::atomic::AtomicU32);

    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }

    impl Clock for Bombs {
        fn now(&self) -> Timestamp {
            if self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 1 {
                std::panic::panic_any(Bomb);
            }
            self.0.now()
        }
    }

    #[test]
    fn a_loop_that_drives_is_trusted_until_it_is_gone_or_its_clock_panics() {
        let clock = Arc::new(Bombs(ManualClock::default(), Default::default()));
        let inventory = Arc::new(Inventory::builder().clock(Arc::clone(&clock)).build().unwrap());
        let ahead = 60_000;
        assert!(!inventory.time.trusted_before(ahead));
        let mut driver = LoopDriver::new(Arc::clone(&inventory));
        assert!(!inventory.time.trusted_before(ahead), "the tick may be old");
        let _ = driver.advance(Timestamp::from_millis(0));
        assert!(inventory.time.trusted_before(ahead));
        let bomb = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| driver.sweep()));
        std::mem::forget(bomb.unwrap_err());
        assert!(!inventory.time.trusted_before(ahead), "its clock panicked");
        assert!(driver.sweep().complete);
        assert!(inventory.time.trusted_before(ahead));
        clock.0.set(Timestamp::from_millis(59_500));
        let _ = driver.advance(clock.0.now());
        assert!(!inventory.time.trusted_before(ahead), "within the slack");
        assert!(inventory.time.trusted_before(2 * ahead));
        drop(driver);
        assert!(!inventory.time.trusted_before(2 * ahead));
    }

    #[test]
    fn a_driver_goes_on_whatever_the_clock_throws() {
        let clock = Arc::new(Bombs(ManualClock::default(), Default::default()));
        let inventory = Arc::new(Inventory::builder().clock(Arc::clone(&clock)).build().unwrap());
        let driver = Driver::spawn(inventory, PERIOD_MIN).unwrap();
        let start = std::time::Instant::now();
        while clock.1.load(std::sync::atomic::Ordering::Relaxed) < 10 {
            assert!(start.elapsed().as_secs() < 30, "the driver is gone");
            std::thread::yield_now();
        }
        let report = driver.stop();
        assert_eq!((report.panics, report.sweeps > 3), (1, true));
    }
}
