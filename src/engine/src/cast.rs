//! Casts by Flink's rules, where Arrow's are others.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema};
use datafusion_common::{DataFusionError, Result, ScalarValue};
use datafusion_expr::ColumnarValue;
use datafusion_physical_expr::PhysicalExpr;
use tidemill_plan::functions::casts;

/// A cast of those that [`casts::is_flinks`] names.
#[derive(Debug, Eq)]
pub struct Cast {
    value: Arc<dyn PhysicalExpr>,
    to: DataType,
    /// Whether what cannot be read is NULL; otherwise it fails.
    or_null: bool,
}

impl Cast {
    pub fn new(value: Arc<dyn PhysicalExpr>, to: DataType, or_null: bool) -> Self {
        Self { value, to, or_null }
    }
}

impl PartialEq for Cast {
    fn eq(&self, other: &Self) -> bool {
        self.value.eq(&other.value) && self.to == other.to && self.or_null == other.or_null
    }
}

impl std::hash::Hash for Cast {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.value.hash(state);
        self.to.hash(state);
        self.or_null.hash(state);
    }
}

impl PhysicalExpr for Cast {
    fn data_type(&self, _: &Schema) -> Result<DataType> {
        Ok(self.to.clone())
    }

    fn nullable(&self, _: &Schema) -> Result<bool> {
        Ok(true)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        match self.value.evaluate(batch)? {
            ColumnarValue::Array(values) => Ok(ColumnarValue::Array(casts::cast(&values, &self.to, self.or_null)?)),
            ColumnarValue::Scalar(value) => {
                let one = casts::cast(&value.to_array()?, &self.to, self.or_null)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&one, 0)?))
            }
        }
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.value]
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        let value = children.pop().ok_or_else(|| DataFusionError::Internal("a value is missing".to_string()))?;
        Ok(Arc::new(Self { value, to: self.to.clone(), or_null: self.or_null }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Cast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.or_null { "TRY_CAST" } else { "CAST" };
        write!(f, "{name}({} AS {})", self.value, self.to)
    }
}
