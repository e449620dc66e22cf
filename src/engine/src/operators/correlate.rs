//! Puts a row out once for each row that a table function gives for it.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use tidemill_plan::{Correlate, JoinKind};

use super::beside::beside;
use super::{Built, OUTPUT_ROWS, Spec};
use crate::element::Element;
use crate::function::BatchFunction;
use crate::operator::{Output, Result, StreamOperator};

/// Runs a [`Correlate`].
pub struct CorrelateOperator {
    uid: String,
    function: Arc<dyn BatchFunction>,
    arguments: Vec<usize>,
    /// Whether a row for which the function gives none comes once.
    keeps_empty: bool,
    schema: SchemaRef,
}

impl CorrelateOperator {
    pub fn build(correlate: &Correlate, spec: &Spec<'_>) -> Built {
        let input = &spec.inputs.first().ok_or("it has no input")?.schema;
        if correlate.arguments.iter().any(|place| *place >= input.fields().len()) {
            return Err("an argument is not among the input's columns".to_string());
        }
        let keeps_empty = match correlate.kind {
            JoinKind::Inner => false,
            JoinKind::Left => true,
            other => return Err(format!("rows are correlated inner or left, not {other:?}")),
        };
        let function = spec.outside.functions.find(&correlate.function).map_err(|problem| problem.to_string())?;
        Ok(Box::new(Self {
            uid: spec.node.uid.clone(),
            function,
            arguments: correlate.arguments.clone(),
            keeps_empty,
            schema: spec.node.batch_schema(),
        }))
    }

    /// The rows at these places of the input, each with the row at the place of what was given, or with NULLs.
    fn put_together(
        &self,
        rows: &RecordBatch,
        given: &[ArrayRef],
        pairs: &[(u32, Option<u32>)],
    ) -> std::result::Result<RecordBatch, ArrowError> {
        let of: UInt32Array = pairs.iter().map(|(row, _)| *row).collect::<Vec<_>>().into();
        let places: UInt32Array = pairs.iter().map(|(_, place)| *place).collect::<Vec<_>>().into();
        let given = given.iter().map(|column| take(column, &places, None));
        beside(rows, &of, given.collect::<std::result::Result<_, _>>()?, &self.schema)
    }
}

impl StreamOperator for CorrelateOperator {
    fn on_batch(&mut self, _input: usize, rows: RecordBatch, output: &mut Output) -> Result<()> {
        let arguments: Vec<ArrayRef> = self.arguments.iter().map(|place| rows.column(*place).clone()).collect();
        let returned = self
            .function
            .call(&arguments, rows.num_rows())
            .map_err(|problem| tidemill_model::status::Problem { object: self.uid.clone(), ..problem })?;
        let pairs = paired(&returned.of, rows.num_rows(), self.keeps_empty);
        for pairs in pairs.chunks(OUTPUT_ROWS) {
            output.push(Element::Batch(self.put_together(&rows, &returned.columns, pairs)?));
        }
        Ok(())
    }
}

/// The argument rows with the places of what was given for them, in order. `of` has the argument rows of what was given.
fn paired(of: &[u32], rows: usize, keeps_empty: bool) -> Vec<(u32, Option<u32>)> {
    let mut pairs = Vec::with_capacity(of.len());
    let mut given = of.iter().zip(0u32..).peekable();
    for row in 0..rows as u32 {
        let before = pairs.len();
        while let Some((_, place)) = given.next_if(|(of, _)| **of == row) {
            pairs.push((row, Some(place)));
        }
        if pairs.len() == before && keeps_empty {
            pairs.push((row, None));
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_paired_with_what_was_given_for_them() {
        let of = [1, 1, 3];
        assert_eq!(paired(&of, 4, false), [(1, Some(0)), (1, Some(1)), (3, Some(2))]);
        let kept = [(0, None), (1, Some(0)), (1, Some(1)), (2, None), (3, Some(2))];
        assert_eq!(paired(&of, 4, true), kept);
        assert_eq!(paired(&[], 2, true), [(0, None), (1, None)]);
        assert!(paired(&[], 2, false).is_empty());
    }
}
