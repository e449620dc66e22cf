//! Order within partitions: the first rows of each, one row for each key, a number of rows.
//!
//! Rows are kept in a [`crate::rows::RowStore`] and named by their numbers. What a batch changes is decided by keys and
//! times alone; only rows that are still wanted at its end are copied. All changes are told at the end of the epoch.

mod changes;
mod deduplicate;
mod first_seen;
mod last_rows;
mod partitions;
mod time;

pub use deduplicate::build as build_deduplicate;
