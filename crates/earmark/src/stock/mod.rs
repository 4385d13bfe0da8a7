//! Stock lines: how many units there are, and what they are set aside for.
//!
//! The hot half of a line is one packed word ([`counter`]); the cold half, its books, lies elsewhere
//! behind a lock of its own ([`ledger`]). [`table`] finds both by number, and by name through [`names`]. A line that
//! many threads want at once has [`stripes`] beside its word, each of which is one more ([`stripe`]).

pub(crate) mod counter;
pub(crate) mod ledger;
mod names;
mod stripe;
pub(crate) mod stripes;
pub(crate) mod table;

#[cfg(all(test, earmark_loom))]
mod loom_stripes;
#[cfg(all(test, earmark_loom))]
mod loom_tests;
