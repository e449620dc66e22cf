//! Batches of changes: rows with a last column that tells what becomes of each ([`tidemill_plan::Change`]).

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{ArrayRef, Int8Array, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Int8Type, SchemaRef};
use arrow::error::ArrowError;
use tidemill_plan::{CHANGE, Change};

/// A batch's columns without the change, and the change of each row; none if the batch only adds rows.
pub fn split(rows: &RecordBatch) -> (&[ArrayRef], Option<&Int8Array>) {
    match rows.schema_ref().fields().last() {
        Some(last) if last.name() == CHANGE => {
            let (change, columns) = rows.columns().split_last().expect("a batch has its schema's columns");
            (columns, Some(change.as_primitive::<Int8Type>()))
        }
        _ => (rows.columns(), None),
    }
}

/// Whether the row at this place is there afterwards.
pub fn is_addition(changes: Option<&Int8Array>, row: usize) -> bool {
    changes.is_none_or(|changes| matches!(Change::of(changes.value(row)), Some(Change::Insert | Change::UpdateAfter)))
}

/// A batch of `schema`, which has the change column if there are `changes`.
pub fn batch(
    schema: &SchemaRef,
    mut columns: Vec<ArrayRef>,
    changes: Option<Vec<i8>>,
) -> Result<RecordBatch, ArrowError> {
    let rows = changes.as_ref().map(Vec::len).or(columns.first().map(|column| column.len())).unwrap_or_default();
    columns.extend(changes.map(|changes| Arc::new(Int8Array::from(changes)) as ArrayRef));
    RecordBatch::try_new_with_options(schema.clone(), columns, &RecordBatchOptions::new().with_row_count(Some(rows)))
}
