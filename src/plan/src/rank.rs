//! Order: the first rows of each partition, one row for each key, sorted streams.

use serde::{Deserialize, Serialize};

use crate::Clock;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SortKey {
    pub column: usize,
    pub descending: bool,
    pub nulls_first: bool,
}

/// The rows of each partition whose place in the order is from `first` to `last` (counted from 1): the pattern
/// `ROW_NUMBER() OVER (PARTITION BY … ORDER BY …) <= n`. Equal rows keep the order in which they came, or with
/// `newest_first` the other one.
///
/// Its schema is the input's and, with `with_number`, a BIGINT column with the place. Without it, a change of place
/// within the range is no change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rank {
    pub partition: Vec<usize>,
    pub order: Vec<SortKey>,
    pub first: u64,
    pub last: u64,
    pub with_number: bool,
    pub emit: RankEmit,
    /// Only with [`RankEmit::Changes`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub newest_first: bool,
    pub state_ttl_ms: Option<u64>,
}

/// When results are put out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RankEmit {
    /// Changes, at the end of each epoch.
    Changes,
    /// Once for each window, when it is over; the partition has the window's columns. `window_end` is its TIMESTAMP
    /// column. Neither input nor output has changes.
    AtWindowEnd { window_end: usize },
}

/// One row for each key: the first or last in the order of time. The input has no changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deduplicate {
    pub keys: Vec<usize>,
    pub time_column: usize,
    /// By [`Clock::Processing`] rows are in the order in which they come. By [`Clock::Event`] a later row may come
    /// first, and be replaced.
    pub clock: Clock,
    pub keep: Keep,
    pub state_ttl_ms: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Keep {
    /// By processing time the output has no changes.
    First,
    Last,
}

/// Puts rows out in the order of their event time and then of `then`, as the watermark lets them. Later ones are
/// dropped and counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sort {
    pub time_column: usize,
    pub then: Vec<SortKey>,
}

/// The first rows that come, whichever they are; when one of them is taken back, it is replaced by another that is
/// known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limit {
    pub offset: u64,
    pub count: u64,
}

/// The last row of each key of an upsert stream, as a stream in which updates come with what they replace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Normalize {
    pub keys: Vec<usize>,
    pub state_ttl_ms: Option<u64>,
}
