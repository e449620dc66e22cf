//! Aggregation: over whole groups, in windows, and over the rows before a row.

use serde::{Deserialize, Serialize};

use crate::{Literal, SortKey};

/// One aggregate of a group of rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AggregateCall {
    pub function: AggregateFunction,
    /// The input column; none only for `COUNT(*)`.
    pub argument: Option<usize>,
    /// Equal arguments count once (`COUNT(DISTINCT x)`).
    #[serde(default)]
    pub distinct: bool,
    /// A BOOLEAN input column: rows in which it is not true are left out (`FILTER (WHERE …)`).
    pub filter: Option<usize>,
}

/// What is computed of a group's arguments. NULL arguments are left out unless said otherwise, and the result for no
/// rows is NULL except for counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum AggregateFunction {
    /// Rows, or rows in which the argument is not NULL. BIGINT, 0 for none.
    Count,
    /// The argument's type. The planner casts the argument to BIGINT, DOUBLE or DECIMAL(38, s). Integers wrap around.
    Sum,
    Min,
    Max,
    /// Of BIGINT (rounded towards zero), DOUBLE or DECIMAL(38, s); the planner narrows the result.
    Avg,
    /// Of DOUBLE, to DOUBLE: the square root of [`AggregateFunction::VarPop`].
    StddevPop,
    StddevSamp,
    VarPop,
    /// NULL for fewer than two rows.
    VarSamp,
    /// The argument of the row that came first and in which it is not NULL.
    FirstValue,
    LastValue,
    /// The texts, in the order in which they came, with this between them.
    ListAgg {
        separator: String,
    },
    /// A MULTISET of the arguments: a MAP from value to its number.
    Collect,
    /// An ARRAY of the arguments in the order in which they came, NULLs among them.
    ArrayAgg,
    /// Of DOUBLE, to DOUBLE: the value that this part of all (0 to 1) are not above, between two in proportion.
    Percentile {
        fraction: f64,
    },
    /// BIGINT: the number of distinct arguments, about.
    ApproxCountDistinct,
    /// Only in [`Over`]: the argument in the row this many before (after, if negative), or the default where there is
    /// none.
    Lag {
        offset: i64,
        default: Option<Literal>,
    },
    /// Only in [`Over`]: the row's number in its partition, from 1.
    RowNumber,
}

/// Aggregates each key's rows for ever and tells of every change, at most once in an epoch. Its schema is: the keys,
/// then one column per aggregate.
///
/// A group whose rows have all been taken back is deleted. Without keys there is one group; it is there as soon as the
/// first row has come, as in Flink. Whether updates come with what they replace is said by the node's
/// [`crate::Changelog`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupAggregate {
    pub keys: Vec<usize>,
    /// May be none: `SELECT DISTINCT`.
    pub aggregates: Vec<AggregateCall>,
    /// A group that nothing has come for for this long, by the machine's clock, is forgotten without a word.
    pub state_ttl_ms: Option<u64>,
}

/// Aggregates each key's rows in windows. Its schema is: the keys, one column per aggregate, then the
/// [`WindowOutput`] columns asked for. Its input has no changes.
///
/// A window `[start, end)` is put out when its clock reaches `end - 1 ms`; rows that come for it later are dropped
/// and counted. At the end of a bounded input all windows are put out. With a [`Firing`] windows are put out more
/// than once, and the output has changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WindowAggregate {
    pub windows: Windows,
    /// Input columns that make up the key. Columns of the window are not among them.
    pub keys: Vec<usize>,
    pub aggregates: Vec<AggregateCall>,
    pub output: Vec<WindowOutput>,
    pub firing: Option<Firing>,
}

/// When a window's results are put out besides the moment that its clock reaches its end: this long, by the machine's
/// clock, after the first row that they do not tell of yet; with 0 ms at the end of each epoch. Not for sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firing {
    /// Before the end.
    pub early_ms: Option<u64>,
    /// After it.
    pub late: Option<LateFiring>,
}

/// A window of event time is kept, and rows that come for it taken in, until the watermark is `lateness_ms` further than
/// its last millisecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LateFiring {
    pub delay_ms: u64,
    pub lateness_ms: u64,
}

/// Which windows a row is in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Windows {
    /// Those that its time falls into. The column is a TIMESTAMP or TIMESTAMP_LTZ of millisecond precision; rows in
    /// which it is NULL fail the job, as in Flink.
    Of { window: Window, time_column: usize, clock: Clock },
    /// The one that it names itself, in two TIMESTAMP columns that an earlier window operation made.
    Attached { start: usize, end: usize, clock: Clock },
}

/// Windows over a time line in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Window {
    Tumble {
        size_ms: i64,
        offset_ms: i64,
    },
    /// A window of `size_ms` starts every `slide_ms`; the size is a multiple of the slide.
    Hop {
        size_ms: i64,
        slide_ms: i64,
        offset_ms: i64,
    },
    /// Windows that all start where a tumbling window of `size_ms` does and end after one, two, … steps, up to the
    /// size, which is a multiple of the step.
    Cumulate {
        size_ms: i64,
        step_ms: i64,
        offset_ms: i64,
    },
    /// A key's rows without a gap of `gap_ms` between them. Starts at the first row, ends `gap_ms` after the last.
    Session {
        gap_ms: i64,
    },
}

/// What makes time pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Clock {
    /// Watermarks.
    #[default]
    Event,
    /// The machine's clock, looked at when an epoch ends. A bounded input's end is the end of this time, too.
    Processing,
}

/// A column that tells of the window itself. `Time` is `End - 1 ms`, the window's rowtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WindowOutput {
    Start,
    End,
    Time,
}

/// Puts every row out once for each window that its time falls into, with the window's start, end (TIMESTAMP) and time
/// (of the time column's type) behind its columns. Not for sessions, which are known only when they are over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AssignWindows {
    pub window: Window,
    pub time_column: usize,
}

/// Puts every row out with aggregates over the rows before it and itself behind its columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Over {
    pub partition: Vec<usize>,
    pub order: OverOrder,
    pub frame: Frame,
    pub aggregates: Vec<AggregateCall>,
    pub state_ttl_ms: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum OverOrder {
    /// Rows wait for the watermark, are put out in the order of this column, and those that come later are dropped and
    /// counted. The input has no changes, and so has the output.
    EventTime(usize),
    /// The order in which they come; the column is the time of [`Frame::Range`]. The input has no changes, and so has
    /// the output.
    ProcessingTime(usize),
    /// Any order, on any input: a row that comes or goes changes the results of the rows behind it.
    Columns(Vec<SortKey>),
}

/// The rows that an aggregate takes in: those of the partition from so far back up to the current row. With
/// [`Frame::Range`] that includes all rows of the current row's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Frame {
    /// Rows before the current one; none means all.
    Rows { preceding: Option<u64> },
    /// Milliseconds before the current row's time; none means all.
    Range { preceding_ms: Option<i64> },
}
