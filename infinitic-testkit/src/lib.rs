//! Testkit of infinitic: the simulation of a worker under seeds.
//!
//! Read [`simulate`] for what is simulated and what is checked; the binary `simulate` runs it.

pub mod simulate;
