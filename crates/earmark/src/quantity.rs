//! How many units.

use std::fmt;
use std::num::NonZeroU32;

/// Units of one line stay below this: 2^30.
pub const UNITS_MAX: u32 = (1 << 30) - 1;

/// A number of units to take, give or move: 1 to 1,073,741,823 (2^30 − 1), never zero.
///
/// ```
/// use earmark::Quantity;
/// assert_eq!(Quantity::new(3)?.get(), 3);
/// assert!(Quantity::new(0).is_err());
/// assert_eq!(Quantity::ONE.get(), 1);
/// # Ok::<(), earmark::QuantityError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(try_from = "u32", into = "u32"))]
pub struct Quantity(NonZeroU32);

impl Quantity {
    /// One unit.
    pub const ONE: Self = Self(NonZeroU32::MIN);

    /// This many units.
    ///
    /// # Errors
    /// [`QuantityError`] for zero and for more than [`UNITS_MAX`].
    pub const fn new(units: u32) -> Result<Self, QuantityError> {
        match NonZeroU32::new(units) {
            Some(units) if units.get() <= UNITS_MAX => Ok(Self(units)),
            _ => Err(QuantityError { asked: units as u64 }),
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0.get()
    }

    /// The sum, if a line can hold it.
    pub(crate) fn checked_add(self, other: Self) -> Option<Self> {
        Self::new(self.get() + other.get()).ok() // two values below 2^30 cannot overflow 32 bits
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<u32> for Quantity {
    type Error = QuantityError;

    fn try_from(units: u32) -> Result<Self, QuantityError> {
        Self::new(units)
    }
}

impl TryFrom<u64> for Quantity {
    type Error = QuantityError;

    fn try_from(units: u64) -> Result<Self, QuantityError> {
        u32::try_from(units).ok().and_then(|units| Self::new(units).ok()).ok_or(QuantityError { asked: units })
    }
}

impl From<Quantity> for u32 {
    fn from(quantity: Quantity) -> Self {
        quantity.get()
    }
}

/// A number that cannot be a [`Quantity`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{asked} units: choose a quantity from 1 to {UNITS_MAX}")]
#[non_exhaustive]
pub struct QuantityError {
    /// The number that was asked for.
    pub asked: u64,
}
