//! Who moves the time: a driver thread or task; and closing.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool,
    Ordering::{Acquire, Release},
};
use std::thread::JoinHandle;
use std::time::Duration;

use super::Inventory;
use crate::reservation::id::ReservationId;
use crate::reservation::state::{Phase, Slot, Standing};
#[cfg(feature = "tokio")]
use crate::sync::Mutex;
use crate::sync::Pause;

/// Looks that a close takes before it says that something is on its way.
const CLOSE_LOOKS: usize = 5;
/// The shortest and longest pause between two sweeps of a driver.
const PERIOD_MIN: Duration = Duration::from_millis(1);
const PERIOD_MAX: Duration = Duration::from_secs(1);

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

/// A tick is trusted up to `time_slack` before a deadline (T2), so it must move more often than that.
fn period_for(inventory: &Inventory, period: Duration) -> Duration {
    let slack = inventory.settings.time_slack;
    let longest = if slack.is_zero() { PERIOD_MAX } else { PERIOD_MAX.min(slack / 2) };
    period.clamp(PERIOD_MIN, longest.max(PERIOD_MIN))
}

/// Counts as a driver from its making to its drop, save while the clock panics: then nobody moves the
/// tick, and nobody may trust it.
#[derive(Debug)]
struct Attached {
    inventory: Arc<Inventory>,
    counted: bool,
}

impl Attached {
    fn new(inventory: Arc<Inventory>) -> Self {
        inventory.time.attach_driver();
        Self { inventory, counted: true }
    }

    fn count(&mut self, counted: bool) {
        if counted != self.counted {
            self.counted = counted;
            if counted { self.inventory.time.attach_driver() } else { self.inventory.time.detach_driver() }
        }
    }

    /// One sweep; whether nothing is left to do before the next period.
    fn drive(&mut self, report: &mut DriverReport) -> bool {
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

/// The same as a task of a tokio runtime. A drop stops it and waits, without the runtime's help, for a sweep
/// under way, so that nothing of it touches the inventory afterwards; [`stop`](Self::stop) waits for the task
/// itself and tells what it did.
///
/// A sweep takes up to about half a millisecond of the worker it runs on (`sweep_budget`).
///
/// ```
/// # use earmark::*;
/// use std::{sync::Arc, time::Duration};
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
/// # runtime.block_on(async {
/// let inventory = Arc::new(Inventory::new());
/// let driver = TokioDriver::spawn(Arc::clone(&inventory), Duration::from_millis(1))?;
/// // ... sell ...
/// let report = driver.stop().await;
/// assert_eq!(report.panics, 0);
/// # Ok::<(), std::io::Error>(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[cfg(feature = "tokio")]
#[derive(Debug)]
pub struct TokioDriver {
    wake: Arc<tokio::sync::Notify>,
    /// Locked for each sweep; empty once nobody drives any more.
    attached: Arc<Mutex<Option<Attached>>>,
    task: Option<tokio::task::JoinHandle<DriverReport>>,
}

/// The task's share; whatever ends the task, from there on nobody drives.
#[cfg(feature = "tokio")]
struct Shared(Arc<Mutex<Option<Attached>>>);

#[cfg(feature = "tokio")]
impl Drop for Shared {
    fn drop(&mut self) {
        drop(self.0.lock().take());
    }
}

#[cfg(feature = "tokio")]
impl TokioDriver {
    /// Starts the task on the current runtime. The period is brought between 1 ms and 1 s, and to half of
    /// `time_slack` at most.
    ///
    /// ```
    /// # use earmark::*;
    /// # use std::{sync::Arc, time::Duration};
    /// # let inventory = Arc::new(Inventory::new());
    /// let outside = TokioDriver::spawn(Arc::clone(&inventory), Duration::from_millis(1));
    /// assert_eq!(outside.unwrap_err().kind(), std::io::ErrorKind::NotConnected);
    /// let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    /// let _inside = runtime.enter();
    /// assert!(TokioDriver::spawn(inventory, Duration::from_millis(1)).is_ok());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// `NotConnected` outside of a runtime, `Unsupported` in one whose time driver is not enabled.
    pub fn spawn(inventory: Arc<Inventory>, period: Duration) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Handle::try_current()
            .map_err(|error| std::io::Error::new(std::io::ErrorKind::NotConnected, error))?;
        // A runtime says only by a panic that it has no timers.
        if catch_unwind(|| drop(tokio::time::sleep(Duration::ZERO))).is_err() {
            let why = "the runtime's time driver is not enabled; build it with `enable_time`";
            return Err(std::io::Error::new(std::io::ErrorKind::Unsupported, why));
        }
        let period = period_for(&inventory, period);
        let wake = Arc::new(tokio::sync::Notify::new());
        let woken = Arc::clone(&wake);
        let attached = Arc::new(Mutex::new(Some(Attached::new(inventory))));
        let shared = Shared(Arc::clone(&attached));
        let task = runtime.spawn(async move {
            let mut report = DriverReport::default();
            loop {
                let swept = shared.0.lock().as_mut().map(|attached| attached.drive(&mut report));
                match swept {
                    None => return report,
                    Some(false) => tokio::task::yield_now().await,
                    Some(true) => drop(tokio::time::timeout(period, woken.notified()).await),
                }
            }
        });
        Ok(Self { wake, attached, task: Some(task) })
    }

    /// Stops the task, waits for it and tells what it did.
    ///
    /// ```
    /// # use earmark::*;
    /// # use std::{sync::Arc, time::Duration};
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    /// # runtime.block_on(async {
    /// # let inventory = Arc::new(Inventory::new());
    /// let driver = TokioDriver::spawn(Arc::clone(&inventory), Duration::from_millis(1))?;
    /// tokio::task::yield_now().await;
    /// assert!(driver.stop().await.sweeps > 0);
    /// assert_eq!(Arc::strong_count(&inventory), 1); // the task's share is gone
    /// # Ok::<(), std::io::Error>(())
    /// # })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub async fn stop(mut self) -> DriverReport {
        self.detach();
        match self.task.take() {
            Some(task) => task.await.unwrap_or_default(),
            None => DriverReport::default(),
        }
    }

    fn detach(&self) {
        drop(self.attached.lock().take());
        self.wake.notify_one(); // it finds nothing to drive, and ends
    }
}

#[cfg(feature = "tokio")]
impl Drop for TokioDriver {
    fn drop(&mut self) {
        self.detach();
    }
}

/// What a close does with what is still reserved.
///
/// ```
/// # use earmark::*;
/// # let inventory = Inventory::new();
/// # let tee = inventory.declare(LineSpec::new("TEE"))?;
/// # inventory.receive(tee, Quantity::new(2)?, &Cause::none())?;
/// let paying = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.detach();
/// inventory.begin_payment(paying)?;
/// let _idle = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.detach();
/// let report = inventory.close(CloseMode::Release);
/// assert_eq!((report.released, report.paying), (1, 1)); // money on its way is not cut off
/// inventory.confirm(paying)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseMode {
    /// Nothing: it may still be confirmed, released, or expire. Ask again to see what is left.
    Drain,
    /// Release what no payment runs for.
    Release,
}

/// What a close found and did.
///
/// ```
/// # use earmark::*;
/// # let inventory = Inventory::new();
/// # let tee = inventory.declare(LineSpec::new("TEE"))?;
/// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
/// # let id = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.detach();
/// let report = inventory.close(CloseMode::Drain);
/// assert_eq!((report.released, report.reserved, report.changing), (0, 1, 0));
/// inventory.confirm(id)?; // what lives may still end well
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[must_use]
#[non_exhaustive]
pub struct CloseReport {
    /// Reservations released by this close.
    pub released: usize,
    /// Still reserved.
    pub reserved: usize,
    /// Still paying.
    pub paying: usize,
    /// Still waiting for the outcome of a payment.
    pub pending: usize,
    /// Still waiting for a person.
    pub in_review: usize,
    /// Being changed this instant; if nothing else is left, one for all that calls under way are making or
    /// giving back.
    pub changing: usize,
}

impl CloseReport {
    /// Whether nothing lives any more, and nothing will.
    ///
    /// ```
    /// # use earmark::*;
    /// # use std::time::Duration;
    /// # let clock = ManualClock::default();
    /// # let inventory = Inventory::builder().clock(clock.clone()).build()?;
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
    /// let id = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.detach();
    /// inventory.begin_payment(id)?; // and the buyer walks away
    /// while !inventory.close(CloseMode::Release).is_drained() {
    ///     clock.advance(Duration::from_secs(1)); // with a real clock: wait a little, or give up after a while
    /// }
    /// assert_eq!(inventory.available(tee)?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn is_drained(&self) -> bool {
        self.reserved + self.paying + self.pending + self.in_review + self.changing == 0
    }
}

impl Inventory {
    /// Takes no new reservations from here on, and tells what still lives. Ends, payments and commands
    /// on stock go on. Call it again until the report is drained: then nothing lives, and no reserve that
    /// was under way when it began can still succeed. Such a reserve is answered `Closed`, or shows in the
    /// report. One pass over lines and slots in use, up to five while calls are under way.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
    /// let id = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.detach();
    /// assert_eq!(inventory.close(CloseMode::Drain).reserved, 1);
    /// assert!(matches!(inventory.reserve(tee, Quantity::ONE, Ttl::MIN), Err(ReserveError::Closed)));
    /// inventory.confirm(id)?;
    /// assert!(inventory.close(CloseMode::Drain).is_drained());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn close(&self, mode: CloseMode) -> CloseReport {
        // ORDERING: Release, met by the lines' words (I3).
        self.closed.store(true, Release);
        while !self.sweep().complete {
            // Something due is being changed, or the backlog is long: a bounded look, then report it as it is.
            if self.sweep().expired == 0 {
                break;
            }
        }
        let mut report = CloseReport::default();
        for look in 0..CLOSE_LOOKS {
            report = CloseReport { released: report.released, ..CloseReport::default() };
            if !self.look_for_living(mode, &mut report) {
                return report;
            }
            let mut pause = Pause::new();
            while look + 1 < CLOSE_LOOKS && pause.wait() {}
        }
        report.changing += 1;
        report
    }

    /// One pass. Whether something is on its way although no slot shows it: units that were reserved
    /// when the line was met, after the close was marked (I3), and lie in no slot.
    fn look_for_living(&self, mode: CloseMode, report: &mut CloseReport) -> bool {
        self.lines.meet();
        let reserved: u64 = self.lines.iter().map(|(counter, _)| u64::from(counter.meet().reserved())).sum();
        let mut overdue = 0;
        for at in 0..self.slab.high_water() {
            let Some(slot) = self.slab.get(at) else { continue };
            let seen = slot.snapshot();
            let id: ReservationId = self.id(at, seen.generation());
            match seen.standing() {
                Standing::Live(Phase::Reserved)
                    if mode == CloseMode::Release
                        && self.release_live(id, |phase| phase == Phase::Reserved).is_ok() =>
                {
                    report.released += 1;
                }
                Standing::Live(Phase::Reserved) => report.reserved += 1,
                Standing::Live(Phase::Paying) => report.paying += 1,
                Standing::Live(Phase::PaymentPending) => report.pending += 1,
                Standing::Live(Phase::InReview) => report.in_review += 1,
                Standing::Changing => report.changing += 1,
                Standing::Overdue => overdue += self.units_overdue(at, slot),
                Standing::Free | Standing::Claimed | Standing::Ended(_) => {}
            }
        }
        report.is_drained() && reserved != overdue
    }

    /// Units that expired, told so, and not swept yet; none if that changed meanwhile.
    fn units_overdue(&self, at: u32, slot: &Slot) -> u64 {
        let looked = self.look(at, slot, self.tick());
        let overdue = looked.filter(|looked| looked.snapshot.standing() == Standing::Overdue);
        overdue.map_or(0, |looked| looked.items().map(|(_, units)| u64::from(units)).sum())
    }
}

#[cfg(all(test, not(earmark_loom)))]
mod tests {
    use std::sync::{Arc, Mutex};

    #[cfg(feature = "tokio")]
    use super::PERIOD_MAX;
    use super::PERIOD_MIN;
    use crate::inventory::model::clock::HookClock;
    use crate::*;

    /// A close comes between a reserve's first look and its taking: one of the two must know of the other.
    #[test]
    fn what_was_reported_drained_stays_so() {
        for items in [1, 2] {
            let clock = HookClock::new(ManualClock::default());
            let inventory = Arc::new(Inventory::builder().clock(clock.clone()).build().unwrap());
            let mut request = ReserveRequest::new(Ttl::MAX);
            for sku in ["TEE", "CAP"].into_iter().take(items) {
                let line = inventory.declare(LineSpec::new(sku)).unwrap();
                let _ = inventory.receive(line, Quantity::ONE, &Cause::none()).unwrap();
                request = request.with_item(line, Quantity::ONE);
            }
            let (closing, told) = (Arc::downgrade(&inventory), Arc::new(Mutex::new(None)));
            let report = Arc::clone(&told);
            clock.at_reading(0, move || {
                *report.lock().unwrap() = Some(closing.upgrade().unwrap().close(CloseMode::Drain));
            });
            let reserved = inventory.reserve_with(&request).map(|guard| guard.detach());
            assert!(told.lock().unwrap().unwrap().is_drained());
            assert_eq!(reserved, Err(ReserveError::Closed), "{items} items");
            for levels in inventory.levels_all().lines {
                assert_eq!((levels.available, levels.reserved), (1, 0));
            }
        }
    }

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
    fn a_driver_goes_on_whatever_the_clock_throws() {
        let clock = Arc::new(Bombs(ManualClock::default(), Default::default()));
        let inventory = Arc::new(Inventory::builder().clock(Arc::clone(&clock)).build().unwrap());
        let driver = Driver::spawn(inventory, PERIOD_MIN).unwrap();
        while clock.1.load(std::sync::atomic::Ordering::Relaxed) < 10 {
            std::thread::yield_now();
        }
        let report = driver.stop();
        assert_eq!((report.panics, report.sweeps > 3), (1, true));
    }

    /// The runtime is never run again: the drop does not need it.
    #[cfg(feature = "tokio")]
    #[test]
    fn a_dropped_task_touches_the_inventory_no_more() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let inventory = Arc::new(Inventory::new());
        let driver = runtime.block_on(async {
            let driver = TokioDriver::spawn(Arc::clone(&inventory), PERIOD_MAX).unwrap();
            tokio::task::yield_now().await;
            driver
        });
        assert_eq!(Arc::strong_count(&inventory), 2);
        drop(driver);
        assert_eq!(Arc::strong_count(&inventory), 1);
    }

    /// A tick that nobody moves any more must not be believed (P5).
    #[cfg(feature = "tokio")]
    #[test]
    fn a_runtime_that_is_gone_drives_no_more() {
        let clock = ManualClock::default();
        let inventory = Arc::new(Inventory::builder().clock(clock.clone()).build().unwrap());
        let tee = inventory.declare(LineSpec::new("TEE")).unwrap();
        let _ = inventory.receive(tee, Quantity::ONE, &Cause::none()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _driver = runtime.block_on(async { TokioDriver::spawn(Arc::clone(&inventory), PERIOD_MAX).unwrap() });
        let id = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5).unwrap()).unwrap().detach();
        drop(runtime);
        clock.advance(std::time::Duration::from_secs(600));
        assert_eq!(inventory.confirm(id), Err(ConfirmError::Ended { id, end: End::Expired }));
    }

    #[cfg(feature = "tokio")]
    #[test]
    fn a_runtime_without_timers_is_refused() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let inventory = Arc::new(Inventory::new());
        let spawned = runtime.block_on(async { TokioDriver::spawn(Arc::clone(&inventory), PERIOD_MAX) });
        assert_eq!(spawned.unwrap_err().kind(), std::io::ErrorKind::Unsupported);
        assert_eq!(Arc::strong_count(&inventory), 1);
    }

    /// Units are taken, and no reservation shows yet.
    #[test]
    fn what_is_being_made_is_not_drained() {
        let inventory = Inventory::new();
        let tee = inventory.declare(LineSpec::new("TEE")).unwrap();
        let _ = inventory.receive(tee, Quantity::ONE, &Cause::none()).unwrap();
        let counter = inventory.counter(tee).unwrap();
        counter.take(1).unwrap();
        let report = inventory.close(CloseMode::Release);
        assert_eq!((report.is_drained(), report.changing), (false, 1));
        counter.end(0, 1);
        assert!(inventory.close(CloseMode::Release).is_drained());
    }
}
