//! Reservations: promises with a deadline.
//!
//! [`id`] names one, [`state`] says what may become of it, [`slab`] is where it lives.

pub(crate) mod id;
pub(crate) mod slab;
pub(crate) mod state;

#[cfg(all(test, earmark_loom))]
mod loom_tests;
