//! Event times of a batch.

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::{DataType, Schema, TimeUnit, TimestampMillisecondType};
use tidemill_model::status::{Problem, ProblemKind};

use crate::operator::Result;

/// The values of a TIMESTAMP column. NULL fails the job, as in Flink; `operator` is named then.
pub fn event_times(column: &ArrayRef, operator: &str) -> Result<ScalarBuffer<i64>> {
    if column.null_count() > 0 {
        return Err(Problem {
            kind: ProblemKind::ExpressionFailed,
            object: operator.to_string(),
            message: "a row has NULL as its event time".to_string(),
            remedy: "leave such rows out with WHERE … IS NOT NULL, or give the column a value".to_string(),
        }
        .into());
    }
    Ok(column.as_primitive::<TimestampMillisecondType>().values().clone())
}

/// Refuses a column that holds no times.
pub fn check_time_column(input: &Schema, column: usize) -> std::result::Result<(), String> {
    match input.fields().get(column).map(|field| field.data_type()) {
        Some(DataType::Timestamp(TimeUnit::Millisecond, _)) => Ok(()),
        Some(other) => Err(format!("its time column {column} is of type {other}, not a TIMESTAMP(3)")),
        None => Err(format!("its input has no column {column}")),
    }
}
