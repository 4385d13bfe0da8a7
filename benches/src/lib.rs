//! earmark measured against what a user would pick instead.
//!
//! | module | what it is |
//! |---|---|
//! | [`names`] | the lines, and the order in which they are asked for |
//! | [`subjects`] | earmark and its rivals behind one trait |
//! | [`workload`] | what is done with them |
//! | [`judge`] | interleaves them in rounds, compares, and writes it down |
//! | [`machine`] | what this machine asks for an atomic, a clock, a cache miss |
//! | [`crew`] | threads that stay, each on its core |
//! | [`trend`] | what the criterion benches time |
//! | [`alloc`] | an allocator that can count |
//!
//! `cargo xtask bench` runs the judge; `cargo bench` runs the criterion benches in `benches/`, for trends.

pub mod alloc;
pub mod crew;
pub mod judge;
pub mod machine;
pub mod names;
pub mod subjects;
pub mod trend;
pub mod workload;
