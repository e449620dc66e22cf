//! Runs user functions: WebAssembly modules that take batches and give batches.
//!
//! `tidemill-functions` says what a module is and how batches lie in its memory (`ABI.md` there). Here modules are
//! compiled ([`Functions`]), batches are written into a module's memory (`write`) and read out of it (`read`), and calls
//! are kept within [`limits`]. Each call runs in an instance of its own (`instance`): nothing that a function does in one
//! batch can show in another, so results are the same after a restart and wherever rows are.
//!
//! Only what runs a dataflow may depend on this crate: the runtime behind it is large, and neither planner nor operator
//! ever run a module.

mod fault;
mod function;
mod instance;
mod job;
pub mod limits;
mod read;
mod write;

pub use function::{Function, Functions};
