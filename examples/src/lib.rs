//! What the runnable examples are made of, as a library, so that tests can call it.
//!
//! - [`flash_sale`]: thousands of agents race for a few hot SKUs; a judge looks at what they were told.

#![forbid(unsafe_code)]

pub mod flash_sale;
