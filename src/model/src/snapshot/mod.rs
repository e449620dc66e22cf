//! The snapshot protocol: what lies where in object storage, and who may write it.
//!
//! ```text
//! <storage root>/<namespace>/<name>/<uid>/           the application's folder
//!     log/<sequence>.json            one LogRecord each, created only if absent: the single source of truth
//!     data/<incarnation>/<…>         state files and staged output, written once under unique names
//!     data/<incarnation>/manifest-<checkpoint>.json
//!     committed/<sequence>.json      says that the checkpoint's output is visible
//!     snapshots/<name>.json          a Pin: a user keeps this checkpoint
//! ```
//!
//! **The log decides.** Every incarnation begins by creating the record after the last one it sees, a
//! [`LogRecord::Start`]; every checkpoint is complete when its [`LogRecord::Checkpoint`] has been created at the
//! sequence number after the last record that its incarnation knows. Whoever finds its number taken has been fenced:
//! a newer incarnation exists, and the loser ends without committing anything. There is no clock and no lease in it.
//!
//! An ambiguous reply (the write may or may not have happened) is settled by reading the record back and comparing
//! it with one's own. Old log records are removed by the current incarnation; a stale writer could then create a
//! number that was once taken, so a claim also looks for records *after* its own and yields to them ([`judge_claim`]).

mod log;
mod manifest;
mod paths;

pub use log::{Claim, LogRecord, StartPoint, judge_claim, next_sequence, start_point, superseded};
pub use manifest::{
    Committable, MANIFEST_FORMAT, Manifest, OperatorState, Pin, SplitState, StateFile, least_watermark,
};
pub use paths::ApplicationPaths;
