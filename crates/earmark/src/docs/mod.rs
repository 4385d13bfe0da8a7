//! Why the engine is built as it is: six chapters, each with a drawing and the road not taken.
//!
//! | chapter | answers |
//! |---|---|
//! | [`design`] | where units, reservations and deadlines lie, and why there |
//! | [`time`] | who moves the time, whom it is believed, what suspend and leaps do |
//! | [`refusals`] | what has to be known before `OutOfStock` is said, and when it is `Contended` |
//! | [`life`] | phases and ends of a reservation, parts, late payments, what is remembered |
//! | [`speed`] | what each nanosecond is, what was tried and dropped, and what more cores change |
//! | [`proofs`] | what each suite of tests shows, and what it does not |
//!
//! P1 to P11 are the promises on the [front page](crate).

#[doc = include_str!("design.md")]
pub mod design {}

#[doc = include_str!("time.md")]
pub mod time {}

#[doc = include_str!("refusals.md")]
pub mod refusals {}

#[doc = include_str!("life.md")]
pub mod life {}

#[doc = include_str!("proofs.md")]
pub mod proofs {}

#[doc = include_str!("speed.md")]
pub mod speed {}
