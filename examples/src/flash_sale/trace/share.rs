//! A share as it was written: a decimal number, kept exactly.

use std::fmt;
use std::str::FromStr;

/// Decimals that a share may have.
const DECIMALS_MAX: usize = 9;

/// A part of something, 0 to 1000, with up to nine decimals. `0.57` of 100 is 57, not what is left of it
/// in binary.
///
/// ```
/// use earmark_examples::flash_sale::trace::Share;
/// let share: Share = "0.57".parse()?;
/// assert_eq!(share.floor_of(100), 57);
/// assert_eq!(share.to_string(), "0.57");
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// In units of 10^-9.
    billionths: u64,
}

impl Share {
    /// This part of a number, rounded down.
    pub fn floor_of(self, whole: u64) -> u64 {
        let part = u128::from(self.billionths) * u128::from(whole) / 1_000_000_000;
        u64::try_from(part).unwrap_or(u64::MAX)
    }

    /// As a floating point number, to be shown.
    pub fn to_f64(self) -> f64 {
        self.billionths as f64 / 1e9
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Share, String> {
        let refused = || format!("{text:?}: choose 0 to 1000, with up to {DECIMALS_MAX} decimals");
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if (whole.is_empty() && decimals.is_empty()) || !digits(whole) || !digits(decimals) {
            return Err(refused());
        }
        if decimals.len() > DECIMALS_MAX || whole.len() > 4 {
            return Err(refused());
        }
        let number = format!("0{whole}{decimals:0<DECIMALS_MAX$}");
        match number.parse() {
            Ok(billionths) if billionths <= 1_000_000_000_000 => Ok(Share { billionths }),
            _ => Err(refused()),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_f64().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact() {
        let floor = |share: &str, whole| share.parse::<Share>().unwrap().floor_of(whole);
        assert_eq!(floor("0.9", 10), 9);
        assert_eq!(floor("0.9", 9), 8);
        assert_eq!(floor("1", u64::from(u32::MAX)), u64::from(u32::MAX));
        assert_eq!(floor(".5", 3), 1);
        assert_eq!(floor("1000", 2), 2_000);
    }

    #[test]
    fn what_is_no_share_is_refused() {
        for text in ["", ".", "-1", "1e3", "0,9", "1000.1", "0.1234567891", "NaN", "+1", "10000"] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
    }
}
