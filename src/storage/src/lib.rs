//! Object storage at the edge: opening it, and the reads and writes that the snapshot protocol of
//! [`tidemill_model::snapshot`] asks for. Shared by the coordinator, the engine and the operator, so that one place
//! knows how faults of a store become [`Problem`](tidemill_model::status::Problem)s. It takes no decisions of the
//! protocol itself.

mod application;
mod garbage;
mod log;
mod open;
mod probe;

pub use application::ApplicationStore;
pub use garbage::{Collected, Sweep};
pub use open::{open, open_to_read, problem};
