//! Who moves the time: a task of a tokio runtime.

use std::panic::catch_unwind;
use std::sync::Arc;
use std::time::Duration;

use super::Inventory;
use super::driver::{Attached, DriverReport, period_for};
use crate::sync::Mutex;

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
#[derive(Debug)]
pub struct TokioDriver {
    wake: Arc<tokio::sync::Notify>,
    /// Locked for each sweep; empty once nobody drives any more.
    attached: Arc<Mutex<Option<Attached>>>,
    task: Option<tokio::task::JoinHandle<DriverReport>>,
}

/// The task's share; whatever ends the task, from there on nobody drives.
struct Shared(Arc<Mutex<Option<Attached>>>);

impl Drop for Shared {
    fn drop(&mut self) {
        drop(self.0.lock().take());
    }
}

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

impl Drop for TokioDriver {
    fn drop(&mut self) {
        self.detach();
    }
}

#[cfg(all(test, not(earmark_loom)))]
mod tests {
    use std::sync::Arc;

    use crate::inventory::driver::PERIOD_MAX;
    use crate::*;

    /// The runtime is never run again: the drop does not need it.
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

    #[test]
    fn a_runtime_without_timers_is_refused() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let inventory = Arc::new(Inventory::new());
        let spawned = runtime.block_on(async { TokioDriver::spawn(Arc::clone(&inventory), PERIOD_MAX) });
        assert_eq!(spawned.unwrap_err().kind(), std::io::ErrorKind::Unsupported);
        assert_eq!(Arc::strong_count(&inventory), 1);
    }
}
