//! The name of a reservation as callers saw it: 128 bits, compared and nothing else.

use std::fmt;
use std::str::FromStr;

/// A reservation's id. Shown as 32 hexadecimal digits; a UUID's dashes are accepted when read.
///
/// ```
/// use earmark_testkit::history::Id;
///
/// let id: Id = "0000000000000000000000000000001f".parse()?;
/// assert_eq!(id, Id::from(0x1f_u64));
/// assert_eq!(id.to_string().parse(), Ok(id));
/// # Ok::<(), earmark_testkit::history::ParseIdError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Id {
    // Two words, not a `u128`: 8 bytes of alignment keep a call small.
    high: u64,
    low: u64,
}

impl Id {
    /// An id from its upper and lower 64 bits.
    pub const fn from_parts(high: u64, low: u64) -> Id {
        Id { high, low }
    }

    /// The upper and lower 64 bits.
    pub const fn parts(self) -> (u64, u64) {
        (self.high, self.low)
    }
}

impl From<u64> for Id {
    fn from(low: u64) -> Id {
        Id { high: 0, low }
    }
}

impl From<u128> for Id {
    fn from(bits: u128) -> Id {
        Id { high: (bits >> 64) as u64, low: bits as u64 }
    }
}

impl From<Id> for u128 {
    fn from(id: Id) -> u128 {
        (u128::from(id.high) << 64) | u128::from(id.low)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.high, self.low)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({:#x})", u128::from(*self))
    }
}

/// The text is not 32 hexadecimal digits, with or without a UUID's dashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id is 32 hexadecimal digits, perhaps with a UUID's dashes")]
pub struct ParseIdError;

impl FromStr for Id {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Id, ParseIdError> {
        let bytes = text.as_bytes();
        let dashed = match bytes.len() {
            32 => false,
            36 => true,
            _ => return Err(ParseIdError),
        };
        let mut bits: u128 = 0;
        for (at, byte) in bytes.iter().enumerate() {
            if dashed && matches!(at, 8 | 13 | 18 | 23) {
                if *byte != b'-' {
                    return Err(ParseIdError);
                }
                continue;
            }
            let digit = char::from(*byte).to_digit(16).ok_or(ParseIdError)?;
            bits = (bits << 4) | u128::from(digit);
        }
        Ok(Id::from(bits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_one_id() {
        let plain: Id = "00112233445566778899aabbccddeeff".parse().unwrap();
        let uuid: Id = "00112233-4455-6677-8899-AABBCCDDEEFF".parse().unwrap();
        assert_eq!(plain, uuid);
        assert_eq!(plain.parts(), (0x0011_2233_4455_6677, 0x8899_aabb_ccdd_eeff));
        assert_eq!(Id::from(u128::from(plain)), plain);
    }

    #[test]
    fn other_text_is_no_id() {
        for text in [
            "",
            "7",
            "0011223344556677 899aabbccddeeff",
            "00112233-4455-6677-8899-AABBCCDDEEF-",
            "+0112233445566778899aabbccddeeff",
        ] {
            assert_eq!(text.parse::<Id>(), Err(ParseIdError), "{text}");
        }
    }
}
