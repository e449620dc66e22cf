//! The highest value of a watermark expression over a batch.

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::{cast, max};
use arrow::datatypes::{DataType, Schema, TimeUnit, TimestampMillisecondType};
use tidemill_plan::{BinaryOperator, Expression, Literal};

use crate::connector::Result;
use crate::expression::{BuildError, Evaluator};
use crate::operator::internal;

/// A watermark expression, ready to be evaluated.
pub enum EventTime {
    /// A column of milliseconds less a fixed delay, by far the commonest form: the highest value is that of the highest
    /// row, so that nothing has to be computed for each.
    Delayed {
        column: usize,
        delay_ms: i64,
    },
    Computed(Evaluator),
}

impl EventTime {
    pub fn new(expression: &Expression, input: &Schema) -> std::result::Result<Self, BuildError> {
        match delayed(expression, input) {
            Some((column, delay_ms)) => Ok(Self::Delayed { column, delay_ms }),
            None => Ok(Self::Computed(Evaluator::new(expression, input)?)),
        }
    }

    /// Milliseconds since 1970; none if the expression is NULL in every row. `operator` names where a fault happened.
    pub fn latest(&self, rows: &RecordBatch, operator: &str) -> Result<Option<i64>> {
        match self {
            Self::Delayed { column, delay_ms } => {
                Ok(highest(rows.column(*column)).map(|time| time.saturating_sub(*delay_ms)))
            }
            Self::Computed(evaluator) => {
                let times = evaluator.evaluate(rows, operator)?;
                let times = cast(&times, &DataType::Timestamp(TimeUnit::Millisecond, None))
                    .map_err(|error| internal(operator, error))?;
                Ok(highest(&times))
            }
        }
    }
}

fn highest(times: &ArrayRef) -> Option<i64> {
    let times = times.as_primitive::<TimestampMillisecondType>();
    match times.null_count() {
        0 => times.values().iter().copied().max(),
        _ => max(times),
    }
}

/// The column and the delay, if the expression is a column or a column less an interval of whole milliseconds.
fn delayed(expression: &Expression, input: &Schema) -> Option<(usize, i64)> {
    let (column, delay_ms) = match expression {
        Expression::Column(column) => (*column, 0),
        Expression::Binary { left, operator: BinaryOperator::Minus, right } => match (&**left, &**right) {
            (
                Expression::Column(column),
                Expression::Literal(Literal::Interval { months: 0, days: 0, nanoseconds }),
            ) if nanoseconds % 1_000_000 == 0 => (*column, nanoseconds / 1_000_000),
            _ => return None,
        },
        _ => return None,
    };
    let field = input.fields().get(column)?;
    matches!(field.data_type(), DataType::Timestamp(TimeUnit::Millisecond, _)).then_some((column, delay_ms))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::TimestampMillisecondArray;

    use super::*;

    fn minus(nanoseconds: i64) -> Expression {
        Expression::Binary {
            left: Box::new(Expression::Column(0)),
            operator: BinaryOperator::Minus,
            right: Box::new(Expression::Literal(Literal::Interval { months: 0, days: 0, nanoseconds })),
        }
    }

    fn rows(times: Vec<Option<i64>>) -> RecordBatch {
        RecordBatch::try_from_iter([("t", Arc::new(TimestampMillisecondArray::from(times)) as ArrayRef)]).unwrap()
    }

    /// The short way and the computed one must agree.
    fn check(expression: &Expression, times: Vec<Option<i64>>, expected: Option<i64>) {
        let rows = rows(times);
        let short = EventTime::new(expression, &rows.schema()).unwrap();
        assert!(matches!(short, EventTime::Delayed { .. }));
        assert_eq!(short.latest(&rows, "source").unwrap(), expected);
        let computed = EventTime::Computed(Evaluator::new(expression, &rows.schema()).unwrap());
        assert_eq!(computed.latest(&rows, "source").unwrap(), expected);
    }

    #[test]
    fn a_column_less_a_delay() {
        check(&minus(5_000_000_000), vec![Some(1_000), Some(7_000), Some(-3)], Some(2_000));
        check(&minus(1_000_000), vec![Some(-5), None], Some(-6));
        check(&Expression::Column(0), vec![None, Some(4)], Some(4));
        check(&minus(1_000_000), vec![None], None);
    }

    #[test]
    fn parts_of_a_millisecond_are_left_to_the_evaluator() {
        let rows = rows(vec![Some(1)]);
        assert!(matches!(EventTime::new(&minus(1), &rows.schema()).unwrap(), EventTime::Computed(_)));
    }
}
