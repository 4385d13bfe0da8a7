//! The name of a reservation, and its form as text.

use std::fmt;
use std::str::FromStr;

use crate::seeded::{Break, on};

/// Names one reservation of one inventory: a slot, how often the slot was used, and which run of the
/// engine made it. `Copy`, 16 bytes: two registers.
///
/// A stale id never reaches somebody else's reservation (P2): the generation differs. An id of another
/// inventory, or of an earlier run, is answered `NotFound`: the incarnation, random for each inventory,
/// differs. An id is not a secret: it can be guessed, so show it only to whom it belongs.
///
/// As text it is 25 characters, `e` + incarnation, slot, generation and a check byte in hexadecimal:
///
/// ```
/// # use earmark::*;
/// # let inventory = Inventory::new();
/// # let tee = inventory.declare(LineSpec::new("TEE"))?;
/// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
/// let id = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.detach();
/// let text = id.to_string();
/// assert_eq!(text.len(), 25);
/// assert_eq!(text.parse::<ReservationId>()?, id);
/// assert!("e00000000".parse::<ReservationId>().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReservationId {
    incarnation: u32,
    /// Slot above, generation below: with two fields an id travels in registers.
    place: u64,
}

/// Hexadecimal digits of the text form: incarnation 8, slot 8, generation 6, check 2.
const DIGITS: usize = 24;
const PREFIX: u8 = b'e';

impl ReservationId {
    #[inline]
    pub(crate) const fn new(incarnation: u32, slot: u32, generation: u32) -> Self {
        Self { incarnation, place: (slot as u64) << 32 | generation as u64 }
    }

    #[inline]
    pub(crate) const fn incarnation(self) -> u32 {
        self.incarnation
    }

    #[inline]
    pub(crate) const fn slot(self) -> u32 {
        (self.place >> 32) as u32
    }

    #[inline]
    pub(crate) const fn generation(self) -> u32 {
        self.place as u32
    }

    /// The three parts as one number below 2^88, for storing: incarnation, slot, generation.
    ///
    /// ```
    /// # use earmark::*;
    /// # let inventory = Inventory::new();
    /// # let tee = inventory.declare(LineSpec::new("TEE"))?;
    /// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
    /// # let id = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.detach();
    /// let stored: u128 = id.to_bits();
    /// assert!(stored < 1 << 88); // eleven bytes
    /// assert_eq!(ReservationId::from_bits(stored), Some(id));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn to_bits(self) -> u128 {
        (self.incarnation as u128) << 56 | (self.slot() as u128) << 24 | self.generation() as u128
    }

    /// The id of these bits, or `None` if they cannot be one.
    ///
    /// ```
    /// # use earmark::*;
    /// let id = ReservationId::from_bits(7).expect("below 2^88");
    /// assert!(matches!(Inventory::new().confirm(id), Err(ConfirmError::NotFound { .. }))); // of another inventory
    /// assert_eq!(ReservationId::from_bits(u128::MAX), None);
    /// ```
    #[must_use]
    pub const fn from_bits(bits: u128) -> Option<Self> {
        if bits >> 88 != 0 {
            return None;
        }
        let generation = bits as u32 & 0xFF_FFFF;
        Some(Self::new((bits >> 56) as u32, (bits >> 24) as u32, generation))
    }

    fn check(self) -> u8 {
        crc8(&self.to_bits().to_be_bytes())
    }
}

/// CRC-8 with the polynomial x^8 + x^2 + x + 1: finds every error burst of up to eight bits.
fn crc8(bytes: &[u8]) -> u8 {
    bytes
        .iter()
        .fold(0, |crc, byte| (0..8).fold(crc ^ byte, |crc, _| if crc & 0x80 == 0 { crc << 1 } else { crc << 1 ^ 0x07 }))
}

impl fmt::Display for ReservationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:022x}{:02x}", PREFIX as char, self.to_bits(), self.check())
    }
}

impl fmt::Debug for ReservationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ReservationId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let bytes = text.as_bytes();
        if bytes.len() != 1 + DIGITS {
            return Err(ParseIdError::Length { bytes: bytes.len() });
        }
        let mut bits = 0u128;
        for (at, &byte) in bytes.iter().enumerate() {
            let digit = match byte {
                PREFIX if at == 0 => continue,
                b'0'..=b'9' if at > 0 => byte - b'0',
                b'a'..=b'f' if at > 0 => byte - b'a' + 10,
                _ => return Err(ParseIdError::Character { at }),
            };
            bits = bits << 4 | u128::from(digit);
        }
        let id = Self::from_bits(bits >> 8).ok_or(ParseIdError::Check)?;
        if id.check() == bits as u8 || on(Break::IdUnchecked) { Ok(id) } else { Err(ParseIdError::Check) }
    }
}

/// A text that is no [`ReservationId`].
///
/// ```
/// # use earmark::*;
/// let [seven, nine] = [7, 9].map(|bits| ReservationId::from_bits(bits).expect("below 2^88").to_string());
/// let mixed = format!("{}{}", &seven[..23], &nine[23..]);
/// assert_eq!(mixed.parse::<ReservationId>(), Err(ParseIdError::Check));
/// assert_eq!("17".parse::<ReservationId>(), Err(ParseIdError::Length { bytes: 2 }));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseIdError {
    /// It has the wrong length.
    #[error("a reservation id has 25 characters, this text has {bytes} bytes")]
    Length {
        /// Bytes found.
        bytes: usize,
    },
    /// A character that no id contains; upper case is not accepted.
    #[error("a reservation id is `e` and 24 digits 0-9 a-f; character {at} is another")]
    Character {
        /// Position of the first bad byte, from 0.
        at: usize,
    },
    /// The check digits do not fit: mistyped or cut together.
    #[error("the check digits of this reservation id do not fit: it was mistyped")]
    Check,
}

#[cfg(feature = "serde")]
impl serde::Serialize for ReservationId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for ReservationId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl serde::de::Visitor<'_> for Text {
            type Value = ReservationId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a reservation id of 25 characters")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<ReservationId, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(all(test, not(earmark_loom)))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn text_round_trips_and_one_wrong_digit_is_found(
            incarnation: u32, slot: u32, generation in 0u32..1 << 24, at in 1usize..=DIGITS, digit in 0usize..16,
        ) {
            let id = ReservationId::new(incarnation, slot, generation);
            let text = id.to_string();
            prop_assert_eq!(text.parse(), Ok(id));
            let digit = "0123456789abcdef".as_bytes()[digit];
            let mut bytes = text.clone().into_bytes();
            if bytes[at] != digit {
                bytes[at] = digit;
                let wrong = String::from_utf8(bytes).unwrap();
                prop_assert_eq!(wrong.parse::<ReservationId>(), Err(ParseIdError::Check));
            }
        }
    }
}
