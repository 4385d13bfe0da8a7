//! What every public type is to threads.

use earmark::*;

const fn crosses<T: Send + Sync + ?Sized>() {}

macro_rules! cross {
    ($($what:ty,)+) => { $(crosses::<$what>();)+ };
}

#[test]
fn every_public_type_is_send_and_sync() {
    cross! {
        Inventory, InventoryBuilder, Guard<'static>, OwnedGuard, Driver, DriverReport,
        ManualClock, SystemClock, dyn Clock + 'static, Timestamp, Ttl, Box<dyn Clock>,
        LineSpec, LineName, StockId, Quantity, Count, Cause, Levels, Snapshot, LastChange,
        ReserveRequest, Item, Shortage, Owner, Key, Channel, ChannelCounts, Reserved, ReservationId,
        Reservation, State, Phase, End, PendingPolicy, Resolution, Late, Filter,
        Advanced, CloseMode, CloseReport, Counts, Usage, Verification, Difference, ShortItem, OwnerCap, Table,
        ReserveError, RequestError, KeyError, FullError, DeclareError, ChannelError, StockError, SettingError,
        ConfirmError, ReleaseError, PartError, ExtendError, PaymentError, ReviewError, ReacquireError, ReplaceError,
        NameError, QuantityError, TtlError, ParseIdError,
    }
    #[cfg(feature = "tokio")]
    crosses::<TokioDriver>();
    #[cfg(feature = "quanta")]
    crosses::<QuantaClock>();
}
