//! What happens to a checkpoint off the engine threads: parts are encoded and uploaded in the background, and staged
//! output is committed once the checkpoint has been claimed.

mod collector;
mod commit;
mod parts;
mod staged;

pub use collector::{Claims, Collector, Uploads};
pub use commit::{CommitJob, Committers, read_file};
pub use parts::{Part, Parts};
