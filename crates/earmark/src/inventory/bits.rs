//! 128 bits as text for `serde`: 32 hexadecimal digits, because a JSON number of that size is read by few.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserializer, Serializer};

const DIGITS: usize = 32;

pub(super) fn serialize<S: Serializer>(bits: &u128, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{bits:0DIGITS$x}"))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
    struct Text;
    impl Visitor<'_> for Text {
        type Value = u128;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text of 32 hexadecimal digits")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<u128, E> {
            let digits = text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            let bits = digits.then(|| u128::from_str_radix(text, 16).ok()).flatten();
            bits.ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
        }
    }
    deserializer.deserialize_str(Text)
}
