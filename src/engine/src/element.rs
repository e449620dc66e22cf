//! What flows between operators.

use arrow::array::RecordBatch;

/// One thing on an edge of the dataflow.
#[derive(Clone, Debug)]
pub enum Element {
    Batch(RecordBatch),
    Watermark(Watermark),
}

/// How far event time has come on an edge. It never goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watermark {
    /// No row with this time (milliseconds since 1970) or an earlier one is to be expected.
    At(i64),
    /// Nothing flows here at the moment, and others need not wait for it.
    Idle,
}

impl Watermark {
    /// The end of all time: what a bounded input says when it has been read to its end.
    pub const END: Self = Self::At(i64::MAX);
}
