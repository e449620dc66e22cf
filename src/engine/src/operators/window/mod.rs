//! Window aggregation: each key's rows, aggregated in windows of event time.
//!
//! Time is divided into panes, the longest slices that every window is made of (a tumbling window is one pane; a
//! hopping one is `size / slide` of them), and a row is aggregated once, into its pane. When a window is due, its
//! panes are merged. Between threads the work is split in two: [`LocalWindowAggregate`] aggregates each epoch's rows
//! before they are exchanged, [`WindowAggregateOperator`] owns the keys' state and puts windows out.

mod accumulator;
mod aggregate;
mod groups;
mod local;
mod pane;
mod time;

pub use aggregate::{Intake, WindowAggregateOperator};
pub use local::LocalWindowAggregate;
pub use pane::{AggregateSpec, BuildError};
