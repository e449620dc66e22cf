//! Makes relations cheaper without changing their rows: neighbouring calculations become one, conditions on keys go
//! below aggregations, columns that nobody reads go.

mod merge;
mod prune;
mod push;

pub(crate) use merge::merge;
pub(crate) use prune::{ScanColumns, needed_of_tables, prune};
pub(crate) use push::push_filters;
