//! Every refusal of every operation in a few words, to be counted.

use super::{
    ChannelError, ConfirmError, DeclareError, ExtendError, FullError, KeyError, PartError, PaymentError,
    ReacquireError, ReleaseError, ReplaceError, ReserveError, ReviewError, StockError,
};

/// Why a call was refused, whatever the operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// Too few units for a reservation.
    Short,
    Contended,
    OwnerCap,
    Full,
    KeyReused,
    KeyInFlight,
    Closed,
    /// The request cannot be served, or names a line that is retired or unknown.
    Request,
    /// A command on stock was refused by what the books say.
    Stock,
    /// The reservation had ended, is unknown, or stands in another phase.
    Reservation,
}

/// A refusal that can be counted.
pub(crate) trait Refusal {
    fn why(&self) -> Why;
}

/// Matches without wildcards: a new variant must be given its place.
macro_rules! why {
    ($($error:ident { $($pattern:pat => $why:expr,)+ })+) => {
        $(impl Refusal for $error {
            fn why(&self) -> Why {
                use $error::*;
                match self { $($pattern => $why,)+ }
            }
        })+
    };
}

why! {
    KeyError {
        Reused => Why::KeyReused,
        InFlight => Why::KeyInFlight,
    }
    ReserveError {
        Insufficient { .. } | OutOfStock { .. } | CartShort { .. } => Why::Short,
        Contended { .. } => Why::Contended,
        Retired { .. } | UnknownLine { .. } | UnknownName { .. } | Request(_) => Why::Request,
        OwnerCap { .. } => Why::OwnerCap,
        Key(error) => error.why(),
        Full(error) => error.why(),
        Closed => Why::Closed,
    }
    ReplaceError {
        NotFound { .. } | Ended { .. } | WrongPhase { .. } | NotOwner { .. } => Why::Reservation,
        Contended { .. } => Why::Contended,
        Reserve(error) => error.why(),
    }
    ConfirmError {
        NotFound { .. } | Ended { .. } => Why::Reservation,
        Contended { .. } => Why::Contended,
        Key(error) => error.why(),
        Full(error) => error.why(),
    }
    ReleaseError {
        NotFound { .. } | Ended { .. } => Why::Reservation,
        Contended { .. } => Why::Contended,
        Key(error) => error.why(),
        Full(error) => error.why(),
    }
    PartError {
        NotFound { .. } | Ended { .. } | NotHeld { .. } | NoItems { .. } | Whole { .. } => Why::Reservation,
        Contended { .. } => Why::Contended,
        Key(error) => error.why(),
        Full(error) => error.why(),
    }
    ExtendError {
        NotFound { .. } | Ended { .. } | LifeUsedUp { .. } | WrongPhase { .. } => Why::Reservation,
        Contended { .. } => Why::Contended,
    }
    PaymentError {
        NotFound { .. } | Ended { .. } | WrongPhase { .. } => Why::Reservation,
        Contended { .. } => Why::Contended,
    }
    ReviewError {
        NotFound { .. } | Ended { .. } | NotInReview { .. } => Why::Reservation,
        Contended { .. } => Why::Contended,
    }
    ReacquireError {
        NotFound { .. } | Ended { .. } => Why::Reservation,
        Contended { .. } => Why::Contended,
        Short { .. } => Why::Short,
        Key(error) => error.why(),
        Full(error) => error.why(),
    }
    StockError {
        UnknownLine { .. } | Short { .. } | NoRoom { .. } | Unexpected { .. } | TooManyReasons { .. } => Why::Stock,
        Retired { .. } | SameLine { .. } | Name(_) => Why::Stock,
        Contended { .. } => Why::Contended,
        Key(error) => error.why(),
        Full(error) => error.why(),
    }
    DeclareError {
        Name(_) | Differs { .. } => Why::Stock,
        Full(error) => error.why(),
    }
    ChannelError {
        Name(_) => Why::Request,
        Full(error) => error.why(),
    }
}

impl Refusal for FullError {
    fn why(&self) -> Why {
        Why::Full
    }
}
