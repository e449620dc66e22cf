//! Rows of an input that are put out with more columns, each as often as it has something in them.

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use tidemill_plan::CHANGE;

/// The rows at these places of the input with the columns `added` behind their own; what they change stays last.
pub fn beside(
    rows: &RecordBatch,
    places: &UInt32Array,
    added: Vec<ArrayRef>,
    schema: &SchemaRef,
) -> Result<RecordBatch, ArrowError> {
    let has_change = rows.schema_ref().fields().last().is_some_and(|field| field.name() == CHANGE);
    let (own, change) = rows.columns().split_at(rows.num_columns() - usize::from(has_change));
    let taken = |column: &ArrayRef| take(column, places, None);
    let columns = own.iter().map(taken).chain(added.into_iter().map(Ok)).chain(change.iter().map(taken));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    debug_assert_eq!(columns.len(), schema.fields().len(), "the columns added are those of the schema");
    let options = RecordBatchOptions::new().with_row_count(Some(places.len()));
    RecordBatch::try_new_with_options(schema.clone(), columns, &options)
}
