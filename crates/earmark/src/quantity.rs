//! How many units.

use std::fmt;
use std::num::NonZeroU32;

/// Units of one line stay below this: 2^30.
///
/// ```
/// # use earmark::*;
/// # let inventory = Inventory::new();
/// # let tee = inventory.declare(LineSpec::new("TEE"))?;
/// inventory.receive(tee, Quantity::new(UNITS_MAX)?, &Cause::none())?;
/// let one_more = inventory.receive(tee, Quantity::ONE, &Cause::none());
/// assert!(matches!(one_more, Err(StockError::NoRoom { room: 0, .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
    ///
    /// ```
    /// # use earmark::*;
    /// assert_eq!(Quantity::new(1), Ok(Quantity::ONE)); // no `?` needed
    /// ```
    pub const ONE: Self = Self(NonZeroU32::MIN);

    /// This many units.
    ///
    /// ```
    /// # use earmark::*;
    /// const DOZEN: Quantity = match Quantity::new(12) {
    ///     Ok(dozen) => dozen,
    ///     Err(_) => panic!(), // at compile time
    /// };
    /// assert_eq!(DOZEN.get(), 12);
    /// ```
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
    ///
    /// ```
    /// # use earmark::*;
    /// let quantity = Quantity::new(3)?;
    /// assert_eq!(u64::from(quantity.get()) * 19_90, 59_70); // price in cents
    /// # Ok::<(), QuantityError>(())
    /// ```
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
///
/// ```
/// # use earmark::*;
/// let error = Quantity::try_from(5_000_000_000u64).unwrap_err();
/// assert_eq!(error.to_string(), "5000000000 units: choose a quantity from 1 to 1073741823");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{asked} units: choose a quantity from 1 to {UNITS_MAX}")]
#[non_exhaustive]
pub struct QuantityError {
    /// The number that was asked for.
    pub asked: u64,
}
