//! Aggregates over the rows before each row.
//!
//! In the order of time ([`timed`]) every row is put out once, with its results; in any other order ([`columns`]) results
//! change as rows come and go. Both bring the rows of partitions into a line ([`frame`]) and let each call ([`call`])
//! compute its results for all of them at once.

mod call;
mod columns;
mod folds;
mod frame;
mod history;
mod reach;
mod slide;
mod state;
mod timed;
mod told;

use arrow::array::ArrayRef;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use tidemill_plan::{Over, OverOrder};

use super::{Built, OUTPUT_ROWS, Spec};
use crate::change::batch;
use crate::element::Element;
use crate::operator::Output;
use crate::rows::{RowId, RowStore};
use call::Call;
use timed::TimedOver;

/// The operator of aggregates over rows.
pub fn build(over: &Over, spec: &Spec<'_>) -> Built {
    let [input] = spec.inputs else { return Err("it has to have one input".to_string()) };
    let results = spec.node.schema.fields().iter().skip(input.schema.fields().len());
    let mut needed = Vec::new();
    let mut calls = Vec::with_capacity(over.aggregates.len());
    for (call, result) in over.aggregates.iter().zip(results) {
        calls.push(Call::new(call, &input.schema, result.data_type(), &mut needed)?);
    }
    if input.schema.fields().len() + over.aggregates.len() != spec.node.schema.fields().len() {
        return Err("its columns are not its input's and one for each aggregate".to_string());
    }
    match &over.order {
        OverOrder::EventTime(_) | OverOrder::ProcessingTime(_) => {
            Ok(Box::new(TimedOver::new(over, calls, needed, spec)?))
        }
        OverOrder::Columns(order) => columns::build(over, order, calls, needed, spec),
    }
}

/// Puts out rows of the store with results behind them, and what becomes of each.
fn put_out(
    store: &RowStore,
    ids: &[RowId],
    results: &[ArrayRef],
    kinds: Option<&[i8]>,
    schema: &SchemaRef,
    output: &mut Output,
) -> Result<(), ArrowError> {
    for start in (0..ids.len()).step_by(OUTPUT_ROWS) {
        let count = OUTPUT_ROWS.min(ids.len() - start);
        let mut columns = store.columns(&ids[start..start + count])?;
        columns.extend(results.iter().map(|result| result.slice(start, count)));
        let kinds = kinds.map(|kinds| kinds[start..start + count].to_vec());
        output.push(Element::Batch(batch(schema, columns, kinds)?));
    }
    Ok(())
}
