//! Rows once for each of several projections.

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use tidemill_plan::Expand;

use super::{Built, Spec, reason};
use crate::element::Element;
use crate::expression::Evaluator;
use crate::operator::{Output, Result, StreamOperator};

/// Runs an [`Expand`].
pub struct ExpandOperator {
    uid: String,
    projections: Vec<Vec<Evaluator>>,
    /// The input's column that tells of the change, if there is one.
    change: Option<usize>,
    schema: SchemaRef,
}

impl ExpandOperator {
    pub fn build(expand: &Expand, spec: &Spec<'_>) -> Built {
        let input = spec.inputs.first().ok_or("it has no input")?;
        let mut projections = Vec::with_capacity(expand.projections.len());
        for projection in &expand.projections {
            let columns = projection
                .iter()
                .map(|expression| Evaluator::with_functions(expression, &input.schema, &*spec.outside.functions));
            projections.push(columns.collect::<std::result::Result<_, _>>().map_err(|error| reason(&error))?);
        }
        let change = (!input.changelog.is_append()).then_some(input.schema.fields().len());
        if change.is_none() != spec.node.changelog.is_append() {
            return Err("its output does not tell of changes as its input does".to_string());
        }
        Ok(Box::new(Self { uid: spec.node.uid.clone(), projections, change, schema: spec.node.batch_schema() }))
    }
}

impl StreamOperator for ExpandOperator {
    fn on_batch(&mut self, _input: usize, rows: RecordBatch, output: &mut Output) -> Result<()> {
        for projection in &self.projections {
            let mut columns: Vec<ArrayRef> = Vec::with_capacity(projection.len() + 1);
            for column in projection {
                columns.push(column.evaluate(&rows, &self.uid)?);
            }
            columns.extend(self.change.map(|place| rows.column(place).clone()));
            let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
            let copy = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?;
            output.push(Element::Batch(copy));
        }
        Ok(())
    }
}
