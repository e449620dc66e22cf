//! Values that must not be NULL: what a table's NOT NULL asks of what is written to it.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema};
use datafusion_common::{DataFusionError, Result, ScalarValue};
use datafusion_expr::ColumnarValue;
use datafusion_physical_expr::PhysicalExpr;

/// Hands a value on, or fails at a NULL.
#[derive(Debug, Eq)]
pub struct Required {
    value: Arc<dyn PhysicalExpr>,
    column: String,
}

impl Required {
    pub fn new(value: Arc<dyn PhysicalExpr>, column: String) -> Self {
        Self { value, column }
    }
}

impl PartialEq for Required {
    fn eq(&self, other: &Self) -> bool {
        self.value.eq(&other.value) && self.column == other.column
    }
}

impl std::hash::Hash for Required {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.value.hash(state);
        self.column.hash(state);
    }
}

impl PhysicalExpr for Required {
    fn data_type(&self, input: &Schema) -> Result<DataType> {
        self.value.data_type(input)
    }

    fn nullable(&self, _: &Schema) -> Result<bool> {
        Ok(true)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let value = self.value.evaluate(batch)?;
        let nulls = match &value {
            ColumnarValue::Array(array) => array.null_count(),
            ColumnarValue::Scalar(scalar) => usize::from(ScalarValue::is_null(scalar)) * batch.num_rows(),
        };
        match nulls {
            0 => Ok(value),
            nulls => Err(DataFusionError::Execution(format!(
                "the column {} is NOT NULL, but {nulls} of {} rows have NULL for it",
                self.column,
                batch.num_rows()
            ))),
        }
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.value]
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        let value = children.pop().ok_or_else(|| DataFusionError::Internal("a value is missing".to_string()))?;
        Ok(Arc::new(Self { value, column: self.column.clone() }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Required {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} NOT NULL", self.value)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int64Array};
    use tidemill_plan::Expression;

    use super::*;
    use crate::expression::Evaluator;

    #[test]
    fn a_null_fails_the_job_and_names_the_column() {
        let rows = |values: Vec<Option<i64>>| {
            RecordBatch::try_from_iter([("a", Arc::new(Int64Array::from(values)) as ArrayRef)]).unwrap()
        };
        let required = Expression::Required { expression: Box::new(Expression::Column(0)), column: "`s`.`n`".into() };
        let evaluator = Evaluator::new(&required, &rows(vec![]).schema()).unwrap();
        assert_eq!(evaluator.evaluate(&rows(vec![Some(1)]), "calc").unwrap().len(), 1);
        let problem = evaluator.evaluate(&rows(vec![Some(1), None]), "calc").unwrap_err();
        assert_eq!(problem.message, "the column `s`.`n` is NOT NULL, but 1 of 2 rows have NULL for it");
    }
}
