//! The words that both sides of Tidemill share: what the operator asks a job to do ([`job`]), what a job answers
//! ([`status`]), what the coordinator and the engine children say to each other ([`control`]), how state is divided
//! ([`key_groups`]) and the snapshot protocol's facts and decisions ([`snapshot`]).
//!
//! Everything here is a value or a pure function. This crate must never do I/O, and knows neither Kubernetes nor
//! Arrow nor an async runtime; that is what lets the protocol be tested exhaustively and the operator stay small.

pub mod control;
pub mod job;
pub mod key_groups;
pub mod snapshot;
pub mod status;

mod ids;

pub use ids::{CheckpointId, Epoch, Incarnation};
