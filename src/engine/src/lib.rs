//! The stream processor: runs a [`tidemill_plan::StreamPlan`] on Arrow batches, distributed over threads and
//! processes, with exactly-once snapshots.
//!
//! What a reader needs to know first:
//!
//! - **Epochs.** Sources cut the stream into epochs of about 100 ms. An operator handles the data of its current epoch
//!   as it comes and parks data of later ones, so the end of every epoch is a consistent cut: any of them can be a
//!   checkpoint. Event time is something else: it travels inside the stream as watermarks ([`element::Watermark`]).
//! - **Operators** ([`operator::StreamOperator`]) know nothing of threads, networks or timely. `timely_adapter` is
//!   the only module that names timely; [`driver`] runs the same operators single-threaded and deterministically.
//! - **Stages** ([`stages`]): the plan is cut where rows change threads; all operators of a stage are one chain that
//!   hands batches on by plain calls.
//! - **Connectors** ([`connector`]) live elsewhere and never block an engine thread. So does what runs the user's
//!   functions ([`function`]); both come in as [`outside::Outside`].
//!
//! This crate must never name a broker or Kubernetes.

mod cast;
pub mod change;
pub mod connector;
pub mod driver;
pub mod element;
pub mod expression;
pub mod function;
pub mod hash;
pub mod lookup;
mod nested;
pub mod operator;
pub mod operators;
pub mod outside;
pub mod stages;
pub mod state;
pub mod watermark;

mod accumulator;
mod alignment;
mod checkpoint;
mod discovery;
mod event_time;
mod groups;
mod progress;
mod required;
mod restore;
mod rows;
mod run;
mod timely_adapter;
mod user_call;

pub use run::run;
