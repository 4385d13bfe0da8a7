//! Time as a value: instants, durations, and the trait that tells what time it is.
//!
//! The engine never reads a clock of its own; it asks the [`Clock`] it was built with. One tick is one
//! millisecond. What counts is the distance between two readings, never the wall clock.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Latest instant the engine works with, 146 million years of milliseconds; later readings are cut to it.
pub(crate) const TIMESTAMP_MAX: u64 = 1 << 62;

/// An instant on the engine's clock, in milliseconds since a start that the clock chooses.
///
/// ```
/// use earmark::Timestamp;
/// let opening = Timestamp::from_millis(1_000);
/// assert_eq!(opening.as_millis(), 1_000);
/// assert_eq!(opening.since(Timestamp::from_millis(400)), std::time::Duration::from_millis(600));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Timestamp(u64);

impl Timestamp {
    /// The instant `millis` milliseconds after the clock's start.
    ///
    /// ```
    /// # use earmark::*;
    /// let clock = ManualClock::new(Timestamp::from_millis(5_000));
    /// assert_eq!(clock.now().to_string(), "5.000 s");
    /// ```
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the clock's start.
    ///
    /// ```
    /// # use earmark::*;
    /// let stored: u64 = Timestamp::from_millis(1_250).as_millis();
    /// assert_eq!((stored / 1_000, stored % 1_000), (1, 250)); // seconds, and the rest
    /// ```
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to this instant; zero if `earlier` lies ahead.
    ///
    /// ```
    /// # use earmark::*;
    /// # use std::time::Duration;
    /// let (before, after) = (Timestamp::from_millis(400), Timestamp::from_millis(1_000));
    /// assert_eq!(after.since(before), Duration::from_millis(600));
    /// assert_eq!(before.since(after), Duration::ZERO); // never negative
    /// ```
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// The instant `ttl` after this one.
    ///
    /// ```
    /// # use earmark::*;
    /// # let clock = ManualClock::default();
    /// # let inventory = Inventory::builder().clock(clock.clone()).build()?;
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
    /// let ttl = Ttl::minutes(5)?;
    /// let guard = inventory.reserve(tee, Quantity::ONE, ttl)?;
    /// assert_eq!(guard.deadline(), clock.now().after(ttl));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn after(self, ttl: Ttl) -> Self {
        Self(self.0.saturating_add(ttl.as_millis()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03} s", self.0 / 1_000, self.0 % 1_000)
    }
}

/// How long a reservation is asked to live: 1 ms to 400 days, in whole milliseconds.
///
/// ```
/// use earmark::Ttl;
/// use std::time::Duration;
/// assert_eq!(Ttl::minutes(5)?, Ttl::new(Duration::from_secs(300))?);
/// assert!(Ttl::new(Duration::from_micros(10)).is_err());
/// # Ok::<(), earmark::TtlError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(try_from = "u64", into = "u64"))]
pub struct Ttl(u64);

impl Ttl {
    /// The shortest TTL: one millisecond, one tick of the wheel.
    ///
    /// ```
    /// # use earmark::*;
    /// # use std::time::Duration;
    /// assert_eq!(Ttl::MIN.as_duration(), Duration::from_millis(1));
    /// assert!(Ttl::new(Duration::from_micros(999)).is_err());
    /// ```
    pub const MIN: Self = Self(1);
    /// The longest TTL: 400 days.
    ///
    /// ```
    /// # use earmark::*;
    /// assert_eq!(Ttl::MAX.as_duration().as_secs(), 400 * 24 * 60 * 60);
    /// assert!(Ttl::millis(Ttl::MAX.as_millis() + 1).is_err());
    /// ```
    pub const MAX: Self = Self(400 * 24 * 60 * 60 * 1_000);

    /// A TTL of this duration; parts of a millisecond are rounded up.
    ///
    /// ```
    /// # use earmark::*;
    /// # use std::time::Duration;
    /// assert_eq!(Ttl::new(Duration::from_micros(1_001))?, Ttl::millis(2)?); // never shorter than asked for
    /// # Ok::<(), TtlError>(())
    /// ```
    ///
    /// # Errors
    /// [`TtlError`] below 1 ms or above 400 days.
    pub fn new(duration: Duration) -> Result<Self, TtlError> {
        if duration < Duration::from_millis(1) {
            return Err(TtlError { asked: duration });
        }
        let millis = duration.as_nanos().div_ceil(1_000_000);
        match u64::try_from(millis) {
            Ok(millis) if millis <= Self::MAX.0 => Ok(Self(millis)),
            _ => Err(TtlError { asked: duration }),
        }
    }

    /// A TTL of this many milliseconds.
    ///
    /// ```
    /// # use earmark::*;
    /// assert_eq!(Ttl::millis(90_000)?, Ttl::secs(90)?);
    /// assert!(Ttl::millis(0).is_err());
    /// # Ok::<(), TtlError>(())
    /// ```
    ///
    /// # Errors
    /// [`TtlError`] below 1 ms or above 400 days.
    pub fn millis(millis: u64) -> Result<Self, TtlError> {
        Self::new(Duration::from_millis(millis))
    }

    /// A TTL of this many seconds.
    ///
    /// ```
    /// # use earmark::*;
    /// assert_eq!(Ttl::secs(120)?, Ttl::minutes(2)?);
    /// # Ok::<(), TtlError>(())
    /// ```
    ///
    /// # Errors
    /// [`TtlError`] below 1 ms or above 400 days.
    pub fn secs(secs: u64) -> Result<Self, TtlError> {
        Self::new(Duration::from_secs(secs))
    }

    /// A TTL of this many minutes.
    ///
    /// ```
    /// # use earmark::*;
    /// assert_eq!(Ttl::minutes(400 * 24 * 60)?, Ttl::MAX);
    /// assert!(Ttl::minutes(400 * 24 * 60 + 1).is_err());
    /// # Ok::<(), TtlError>(())
    /// ```
    ///
    /// # Errors
    /// [`TtlError`] below 1 ms or above 400 days.
    pub fn minutes(minutes: u64) -> Result<Self, TtlError> {
        Self::new(Duration::from_secs(minutes.saturating_mul(60)))
    }

    /// Whole milliseconds, 1 to 34,560,000,000.
    ///
    /// ```
    /// # use earmark::*;
    /// let stored = Ttl::secs(30)?.as_millis();
    /// assert_eq!(Ttl::millis(stored)?, Ttl::secs(30)?);
    /// # Ok::<(), TtlError>(())
    /// ```
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// As a `Duration`.
    ///
    /// ```
    /// # use earmark::*;
    /// # use std::time::Duration;
    /// let half = Ttl::minutes(10)?.as_duration() / 2; // when to remind the buyer
    /// assert_eq!(half, Duration::from_secs(5 * 60));
    /// # Ok::<(), TtlError>(())
    /// ```
    #[must_use]
    pub const fn as_duration(self) -> Duration {
        Duration::from_millis(self.0)
    }

    /// A constant of this crate, known to be in bounds.
    pub(crate) const fn constant(millis: u64) -> Self {
        assert!(millis >= Self::MIN.0 && millis <= Self::MAX.0);
        Self(millis)
    }
}

impl TryFrom<Duration> for Ttl {
    type Error = TtlError;

    fn try_from(duration: Duration) -> Result<Self, TtlError> {
        Self::new(duration)
    }
}

impl TryFrom<u64> for Ttl {
    type Error = TtlError;

    fn try_from(millis: u64) -> Result<Self, TtlError> {
        Self::millis(millis)
    }
}

impl From<Ttl> for u64 {
    fn from(ttl: Ttl) -> Self {
        ttl.0
    }
}

/// A duration that cannot be a [`Ttl`].
///
/// ```
/// # use earmark::*;
/// # use std::time::Duration;
/// let error = Ttl::secs(0).unwrap_err();
/// assert_eq!(error.asked, Duration::ZERO);
/// assert!(error.to_string().ends_with("choose 1 ms to 400 days"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a TTL of {asked:?} is out of bounds: choose 1 ms to 400 days")]
#[non_exhaustive]
pub struct TtlError {
    /// The duration that was asked for.
    pub asked: Duration,
}

/// Tells the time. Readings should never go back; one that does is taken as standing still.
///
/// A clock must not call the inventory it serves. It is read inside the calls of that inventory, by some
/// while they have an owner's or a line's book open: a call from in there is answered `Contended`, waits for
/// ever, or reads the clock again, which calls again, until the stack is used up.
///
/// A clock that panics breaks nothing: what the call had claimed, taken or opened goes back.
///
/// ```
/// # use earmark::*;
/// use std::time::{Duration, Instant};
///
/// /// Counts from the start of the program.
/// struct SinceStart(Instant);
///
/// impl Clock for SinceStart {
///     fn now(&self) -> Timestamp {
///         Timestamp::from_millis(self.0.elapsed().as_millis() as u64)
///     }
/// }
///
/// let inventory = Inventory::builder().clock(SinceStart(Instant::now())).build()?;
/// assert!(inventory.now().since(Timestamp::default()) < Duration::from_secs(3_600));
/// # Ok::<(), SettingError>(())
/// ```
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }
}

/// The default clock: monotonic, and it counts the time a machine was suspended.
///
/// `CLOCK_BOOTTIME` on Linux; elsewhere the standard library's monotonic clock, which on some systems
/// stands still during suspend. Changes of the wall clock are invisible to it. A reading costs 12–30 ns.
///
/// ```
/// use earmark::{Clock, SystemClock};
/// let clock = SystemClock::new();
/// assert!(clock.now() <= clock.now());
/// ```
#[derive(Debug, Clone)]
pub struct SystemClock {
    #[cfg(not(target_os = "linux"))]
    start: std::time::Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl SystemClock {
    /// The system's clock.
    ///
    /// ```
    /// # use earmark::*;
    /// let clock = SystemClock::new();
    /// let before = clock.now();
    /// let inventory = Inventory::builder().clock(clock).build()?; // what it has by default
    /// assert!(inventory.now() >= before);
    /// # Ok::<(), SettingError>(())
    /// ```
    #[must_use]
    pub fn new() -> Self {
        #[cfg(target_os = "linux")]
        return Self {};
        #[cfg(not(target_os = "linux"))]
        return Self { start: std::time::Instant::now() };
    }
}

impl Clock for SystemClock {
    #[cfg(target_os = "linux")]
    fn now(&self) -> Timestamp {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `time` is a valid, exclusively borrowed timespec for the whole call; the kernel writes it.
        #[allow(unsafe_code, reason = "the standard library has no clock that counts suspend")]
        let failed = unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut time) };
        // Linux has this clock since 2.6.39, so the call cannot fail; a zero would read as standing still.
        debug_assert_eq!(failed, 0);
        Timestamp(time.tv_sec as u64 * 1_000 + time.tv_nsec as u64 / 1_000_000)
    }

    #[cfg(not(target_os = "linux"))]
    fn now(&self) -> Timestamp {
        let elapsed = self.start.elapsed();
        Timestamp(u64::try_from(elapsed.as_millis()).unwrap_or(TIMESTAMP_MAX))
    }
}

/// A clock that stands still until it is told to move. Clones share the time.
///
/// For tests of deadlines run no [`Driver`](crate::Driver) beside it, or set `time_slack` to zero: a driver's
/// tick is believed for up to `time_slack`, while this clock jumps.
///
/// ```
/// use earmark::{Clock, ManualClock, Timestamp};
/// use std::time::Duration;
/// let clock = ManualClock::new(Timestamp::from_millis(0));
/// clock.advance(Duration::from_secs(2));
/// assert_eq!(clock.now().as_millis(), 2_000);
/// ```
#[derive(Debug, Clone, Default)]
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    /// A clock that shows `now`.
    ///
    /// ```
    /// # use earmark::*;
    /// let clock = ManualClock::new(Timestamp::from_millis(7));
    /// let shared = clock.clone();
    /// clock.set(Timestamp::from_millis(10));
    /// assert_eq!(shared.now(), Timestamp::from_millis(10));
    /// ```
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self(Arc::new(AtomicU64::new(now.0)))
    }

    /// Moves the time on and returns the new one. Parts of a millisecond are dropped.
    ///
    /// ```
    /// # use earmark::*;
    /// # use std::time::Duration;
    /// let clock = ManualClock::default();
    /// assert_eq!(clock.advance(Duration::from_micros(2_900)), Timestamp::from_millis(2));
    /// ```
    pub fn advance(&self, by: Duration) -> Timestamp {
        let by = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        let moved = |now: u64| Some(now.saturating_add(by));
        // Relaxed: a test's clock orders nothing.
        let before = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, moved).unwrap_or_else(|now| now);
        Timestamp(before.saturating_add(by))
    }

    /// Shows `now` from here on; may also go back, which the engine takes as standing still.
    ///
    /// ```
    /// # use earmark::*;
    /// # let clock = ManualClock::default();
    /// # let inventory = Inventory::builder().clock(clock.clone()).build()?;
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
    /// let guard = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?;
    /// clock.set(guard.deadline());
    /// assert!(matches!(guard.confirm(), Err(ConfirmError::Ended { end: End::Expired, .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.0, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
}

/// The processor's time stamp counter, through the crate `quanta`: cheaper to read than the system's
/// clock, and on most systems it stands still while the machine is suspended.
///
/// ```
/// use earmark::{Clock, QuantaClock};
/// let clock = QuantaClock::new();
/// assert!(clock.now() <= clock.now());
/// ```
#[cfg(feature = "quanta")]
#[derive(Debug, Clone)]
pub struct QuantaClock {
    clock: quanta::Clock,
    start: quanta::Instant,
}

#[cfg(feature = "quanta")]
impl QuantaClock {
    /// Calibrates the counter, which takes up to 200 ms the first time in a process.
    ///
    /// ```
    /// # use earmark::*;
    /// let inventory = Inventory::builder().clock(QuantaClock::new()).build()?;
    /// assert!(inventory.now() <= inventory.now());
    /// # Ok::<(), SettingError>(())
    /// ```
    #[must_use]
    pub fn new() -> Self {
        let clock = quanta::Clock::new();
        let start = clock.now();
        Self { clock, start }
    }
}

#[cfg(feature = "quanta")]
impl Default for QuantaClock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "quanta")]
impl Clock for QuantaClock {
    fn now(&self) -> Timestamp {
        let elapsed = self.clock.now().duration_since(self.start);
        Timestamp(u64::try_from(elapsed.as_millis()).unwrap_or(TIMESTAMP_MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ttl_bounds() {
        assert_eq!(Ttl::millis(1), Ok(Ttl::MIN));
        assert_eq!(Ttl::new(Ttl::MAX.as_duration()), Ok(Ttl::MAX));
        assert!(Ttl::new(Ttl::MAX.as_duration() + Duration::from_nanos(1)).is_err());
        assert!(Ttl::new(Duration::from_nanos(999_999)).is_err());
        assert_eq!(Ttl::new(Duration::from_nanos(1_000_001)), Ttl::millis(2));
        assert!(Ttl::new(Duration::MAX).is_err());
        assert!(Ttl::minutes(u64::MAX).is_err());
    }
}
