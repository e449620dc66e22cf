//! The coordinator: decides when engines start, checkpoint, commit, move and stop. One runs in worker 0's supervisor.
//!
//! ```text
//! connections, storage replies, API requests, time ─► Event ─► step (pure) ─► Action ─► shell: sockets, storage
//!                                                        │
//!                                                   JobStatus (pure, derived)
//! ```
//!
//! [`step`] takes every decision and does no I/O: the tests in `tests/coordinator` drive it by hand. Each event first
//! updates the facts; then one look at all the facts decides what to do next, so that it does not matter in which
//! order things become known. [`shell`] carries actions out and decides nothing.
//!
//! It keeps nothing that is not in object storage: a new coordinator reads the log and goes on.
//!
//! **Fencing.** A coordinator that finds its log number taken by another incarnation kills its engines, says `Fenced`
//! and ends its process with an error. Normally that means that its pod was declared lost and replaced, and the
//! kubelet restarting the old one does no harm: it starts only once all the job's workers have connected to it,
//! and they connect to whom the job's name in DNS points.

mod checkpoint;
mod connections;
mod keeper;
mod launch;
mod manifest;
mod request;
pub mod shell;
pub mod state;
mod status;
mod step;

pub use request::{Refusal, Request};
pub use state::{Action, Coordinator, Event};

#[cfg(test)]
mod tests;
