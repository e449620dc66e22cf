//! Joins. Unless said otherwise the columns of a join are the left input's, then the right one's.

use serde::{Deserialize, Serialize};

use crate::{Expression, Fields, Table};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum JoinKind {
    Inner,
    /// Left rows without a match come with NULLs. So do right rows in a right join, and both in a full one.
    Left,
    Right,
    Full,
    /// Left rows with a match, each once, with the left columns alone.
    Semi,
    /// Left rows without a match, with the left columns alone.
    Anti,
}

/// Columns of both sides that have to be equal. They are of the same type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinKey {
    pub left: usize,
    pub right: usize,
    /// Whether NULL equals NULL (`IS NOT DISTINCT FROM`); otherwise it equals nothing.
    pub nulls_equal: bool,
}

/// What makes a pair of rows a match: equal keys, and a condition over the columns of both sides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JoinOn {
    pub keys: Vec<JoinKey>,
    pub condition: Option<Expression>,
}

/// Joins two inputs whose rows may come and go, for ever. Both sides are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Join {
    pub kind: JoinKind,
    pub on: JoinOn,
    /// Rows older than this, by the machine's clock, are forgotten, left and right.
    pub state_ttl_ms: [Option<u64>; 2],
}

/// Joins rows of two inputs without changes whose times are near each other:
/// `right + lower_ms <= left <= right + upper_ms`. Rows are forgotten when the watermark says that no match can come
/// any more; then an outer join puts out those that had none. A window join is the case of equal windows: the times are
/// the windows' ends, and both bounds are 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IntervalJoin {
    pub kind: JoinKind,
    pub on: JoinOn,
    /// Time columns of millisecond precision. Rows in which they are NULL match nothing.
    pub left_time: usize,
    pub right_time: usize,
    pub lower_ms: i64,
    pub upper_ms: i64,
    pub times: JoinTimes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum JoinTimes {
    /// The rows' own. Rows for which the watermark has passed already are still joined with what is there.
    OfRows,
    /// The ends of their windows. A window is over when its last millisecond is; rows that come later are dropped and
    /// counted.
    WindowEnds,
}

/// Joins each left row with the version of the right table that was valid at the left row's time: the row of its key
/// with the highest time not after it. The right input is an upsert or append stream; `right_time` says from when on a
/// row is valid. Left rows wait for the watermark.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TemporalJoin {
    /// Inner or left.
    pub kind: JoinKind,
    pub on: JoinOn,
    pub left_time: usize,
    pub right_time: usize,
}

/// Joins each row with what a table holds at that moment, asked of its connector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LookupJoin {
    /// Inner or left.
    pub kind: JoinKind,
    pub table: Table,
    /// The columns of the table that are read; they come behind the input's.
    pub table_schema: Fields,
    /// `right` is a place in `table_schema`.
    pub on: JoinOn,
}
