//! What an answer says about its id and its key, whatever the operation.

use crate::{End, FullError};

/// What an answer says about an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    NotFound,
    Ended(End),
    Other,
}

/// What an answer says about its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeySaid {
    Reused,
    InFlight,
    Full(FullError),
}

/// Reads `NotFound` and `Ended` out of an answer, of this id.
macro_rules! said {
    ($error:ident, $found:expr, $id:expr) => {
        match $found {
            Err($error::NotFound { id }) if *id == $id => Said::NotFound,
            Err($error::Ended { id, end }) if *id == $id => Said::Ended(*end),
            _ => Said::Other,
        }
    };
}
pub(super) use said;

/// Reads what an answer says about its key.
macro_rules! key_said {
    ($error:ident, $found:expr) => {
        match $found {
            Err($error::Key(crate::KeyError::Reused)) => Some(KeySaid::Reused),
            Err($error::Key(crate::KeyError::InFlight)) => Some(KeySaid::InFlight),
            Err($error::Full(full)) => Some(KeySaid::Full(*full)),
            _ => None,
        }
    };
}
pub(super) use key_said;
