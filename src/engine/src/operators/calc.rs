//! Filter and projection in one step.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Schema, SchemaRef};
use tidemill_plan::clock::set_watermark;
use tidemill_plan::functions::CURRENT_WATERMARK;
use tidemill_plan::{CHANGE, Calc, Change, Expression, Literal, NamedExpression};

use super::{Built, Spec, reason};
use crate::element::{Element, Watermark};
use crate::expression::{BuildError, Evaluator};
use crate::operator::{Output, Result, StreamOperator};
use crate::outside::Outside;

/// Runs a [`Calc`].
pub struct CalcOperator {
    uid: String,
    filter: Option<Evaluator>,
    /// The input's columns that the projection reads, when a filter makes it worth dropping the others first.
    kept: Vec<usize>,
    projection: Vec<Column>,
    schema: SchemaRef,
    /// Whether rows are told how far event time has come. It is state then: late rows are not to pass after a restart.
    reads_watermark: bool,
    watermark: Option<i64>,
}

enum Column {
    /// The column at this place of the kept ones, as it is.
    Same(usize),
    Computed(Evaluator),
}

impl CalcOperator {
    /// The operator of a plan's node. What becomes of a row is told by the column behind the others, if there is one; rows
    /// that only come are told to be inserted where others come and go.
    pub fn build(calc: &Calc, spec: &Spec<'_>) -> Built {
        let input = spec.inputs.first().ok_or("it has no input")?;
        let mut calc = calc.clone();
        if !spec.node.changelog.is_append() {
            let change = match input.changelog.is_append() {
                // Rows that stay go among rows that come and go.
                true => Expression::Literal(Literal::Int8(Change::Insert as i8)),
                false => Expression::Column(input.schema.fields().len()),
            };
            calc.projection.push(NamedExpression { name: CHANGE.to_string(), expression: change });
        }
        let operator = Self::new(spec.outside, &spec.node.uid, &calc, &input.batch_schema(), spec.node.batch_schema())
            .map_err(|error| reason(&error))?;
        Ok(Box::new(operator))
    }

    fn new(
        outside: &Outside,
        uid: &str,
        calc: &Calc,
        input: &Schema,
        schema: SchemaRef,
    ) -> std::result::Result<Self, BuildError> {
        let evaluator =
            |expression: &Expression, input: &Schema| Evaluator::with_functions(expression, input, &*outside.functions);
        let kept: Vec<usize> = (0..input.fields().len())
            .filter(|place| calc.projection.iter().any(|column| reads(&column.expression, *place)))
            .collect();
        let narrowed = input.project(&kept).map_err(|_| BuildError::UnknownColumn(input.fields().len()))?;
        let mut projection = Vec::with_capacity(calc.projection.len());
        for column in &calc.projection {
            let expression = renumbered(&column.expression, &kept);
            projection.push(match expression {
                Expression::Column(place) if place < kept.len() => Column::Same(place),
                expression => Column::Computed(evaluator(&expression, &narrowed)?),
            });
        }
        let filter = calc.filter.as_ref().map(|filter| evaluator(filter, input)).transpose()?;
        let mut expressions = calc.projection.iter().map(|column| &column.expression).chain(&calc.filter);
        let reads_watermark = expressions.any(|expression| expression.calls(CURRENT_WATERMARK));
        Ok(Self { uid: uid.to_string(), filter, kept, projection, schema, reads_watermark, watermark: None })
    }

    fn filtered(&self, rows: RecordBatch) -> Result<RecordBatch> {
        let mask = match &self.filter {
            Some(filter) => Some(filter.evaluate(&rows, &self.uid)?),
            None => None,
        };
        let narrowed = rows.project(&self.kept)?;
        let Some(mask) = mask else { return Ok(narrowed) };
        let mask = mask.as_boolean();
        if mask.null_count() == 0 && mask.true_count() == mask.len() {
            return Ok(narrowed);
        }
        Ok(filter_record_batch(&narrowed, mask)?)
    }
}

impl StreamOperator for CalcOperator {
    fn on_batch(&mut self, _input: usize, rows: RecordBatch, output: &mut Output) -> Result<()> {
        set_watermark(self.watermark);
        let rows = self.filtered(rows)?;
        if rows.num_rows() == 0 {
            return Ok(());
        }
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.projection.len());
        for column in &self.projection {
            columns.push(match column {
                Column::Same(place) => rows.column(*place).clone(),
                Column::Computed(evaluator) => evaluator.evaluate(&rows, &self.uid)?,
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        let rows = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
        output.push(Element::Batch(rows));
        Ok(())
    }

    fn on_watermark(&mut self, watermark: Watermark, output: &mut Output) -> Result<()> {
        if let Watermark::At(time) = watermark {
            self.watermark = Some(time);
        }
        output.push(Element::Watermark(watermark));
        Ok(())
    }

    fn watermark(&self) -> Option<i64> {
        self.watermark.filter(|_| self.reads_watermark)
    }

    fn restore_watermark(&mut self, watermark: i64) {
        self.watermark = Some(watermark);
    }

    fn state_layout(&self) -> Option<String> {
        self.reads_watermark.then(|| "watermark/1".to_string())
    }
}

pub(super) fn reads(expression: &Expression, place: usize) -> bool {
    match expression {
        Expression::Column(column) => *column == place,
        other => other.children().into_iter().any(|child| reads(child, place)),
    }
}

/// The expression over the columns `kept`, in that order.
pub(super) fn renumbered(expression: &Expression, kept: &[usize]) -> Expression {
    match expression {
        // A column that is not there stays out of range, so that building refuses it.
        Expression::Column(column) => {
            Expression::Column(kept.iter().position(|place| place == column).unwrap_or(usize::MAX))
        }
        other => other.with_children(&|child| renumbered(child, kept)),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringArray};
    use arrow::datatypes::{DataType, Field, Int64Type};
    use tidemill_plan::{BinaryOperator, Literal};

    use super::*;

    fn binary(left: usize, operator: BinaryOperator, right: i64) -> Expression {
        Expression::Binary {
            left: Box::new(Expression::Column(left)),
            operator,
            right: Box::new(Expression::Literal(Literal::Int64(right))),
        }
    }

    fn run(calc: &Calc) -> Vec<RecordBatch> {
        let rows = RecordBatch::try_from_iter([
            ("unused", Arc::new(StringArray::from(vec!["x", "y", "z"])) as ArrayRef),
            ("a", Arc::new(Int64Array::from(vec![Some(1), None, Some(3)])) as ArrayRef),
        ])
        .unwrap();
        let schema = Arc::new(Schema::new(vec![Field::new("b", DataType::Int64, true)]));
        let mut operator = CalcOperator::new(&Outside::default(), "calc", calc, &rows.schema(), schema).unwrap();
        let mut output = Vec::new();
        operator.on_batch(0, rows, &mut output).unwrap();
        output
            .into_iter()
            .map(|element| match element {
                Element::Batch(rows) => rows,
                Element::Watermark(_) => panic!("a calc makes no watermarks"),
            })
            .collect()
    }

    fn calc(filter: Option<Expression>) -> Calc {
        let projection = vec![NamedExpression { name: "b".into(), expression: binary(1, BinaryOperator::Plus, 10) }];
        Calc { filter, projection }
    }

    #[test]
    fn rows_whose_filter_is_false_or_null_are_dropped() {
        let output = run(&calc(Some(binary(1, BinaryOperator::Greater, 1))));
        assert_eq!(output[0].column(0).as_primitive::<Int64Type>(), &Int64Array::from(vec![13]));
    }

    #[test]
    fn without_a_filter_every_row_is_projected() {
        let output = run(&calc(None));
        assert_eq!(output[0].column(0).as_primitive::<Int64Type>(), &Int64Array::from(vec![Some(11), None, Some(13)]));
    }

    #[test]
    fn nothing_is_put_out_when_no_row_is_left() {
        assert!(run(&calc(Some(binary(1, BinaryOperator::Greater, 9)))).is_empty());
    }
}
