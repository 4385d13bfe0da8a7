//! earmark sets stock aside, fast, and never twice.

mod clock;
mod error;
mod inventory;
#[cfg(all(test, earmark_loom))]
mod loom_explore;
mod marks;
mod paged;
mod quantity;
mod reservation;
mod seeded;
mod sku;
mod stock;
mod sync;
mod wheel;
mod word;

#[cfg(feature = "quanta")]
pub use clock::QuantaClock;
pub use clock::{Clock, ManualClock, SystemClock, Timestamp, Ttl, TtlError};
pub use error::{
    ConfirmError, DeclareError, ExtendError, FullError, KeyError, OwnerCap, PartError, PaymentError, ReacquireError,
    ReleaseError, ReplaceError, RequestError, ReserveError, SettingError, ShortItem, StockError, Table,
};
#[cfg(feature = "tokio")]
pub use inventory::TokioDriver;
pub use inventory::{
    Advanced, Cause, Channel, ChannelCounts, CloseMode, CloseReport, Counts, Difference, Driver, DriverReport, Filter,
    Guard, Inventory, InventoryBuilder, Item, Key, Late, Levels, OwnedGuard, Owner, Reservation, ReserveRequest,
    Reserved, Resolution, Shortage, Snapshot, State, Usage, Verification,
};
pub use quantity::{Quantity, QuantityError, UNITS_MAX};
pub use reservation::id::{ParseIdError, ReservationId};
pub use reservation::state::{End, PendingPolicy, Phase};
pub use sku::{LineName, LineSpec, NAME_BYTES_MAX, NameError, REFERENCE_BYTES_MAX, StockId};
pub use stock::ledger::{BLOCK_REASONS_MAX, LastChange};
