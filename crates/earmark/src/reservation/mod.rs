//! Reservations: promises with a deadline.
//!
//! [`id`] names one, [`phase`] has the words for where it stands, [`state`] says what may become of it, a
//! [`slot`] holds it, and the [`slab`] is where the slots live.

pub(crate) mod id;
pub(crate) mod phase;
pub(crate) mod slab;
pub(crate) mod slot;
pub(crate) mod state;

#[cfg(all(test, earmark_loom))]
mod loom_tests;
