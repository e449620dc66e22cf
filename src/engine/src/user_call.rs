//! A call of a scalar function of the user's, as DataFusion's expressions need it.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema};
use datafusion_common::{DataFusionError, Result, internal_datafusion_err};
use datafusion_expr::ColumnarValue;
use datafusion_physical_expr::PhysicalExpr;
use tidemill_plan::UserFunction;

use crate::function::BatchFunction;
use crate::nested::evaluated;

#[derive(Debug)]
pub struct UserCall {
    name: UserFunction,
    function: Arc<dyn BatchFunction>,
    arguments: Vec<Arc<dyn PhysicalExpr>>,
    returns: DataType,
}

impl UserCall {
    pub fn new(
        name: UserFunction,
        function: Arc<dyn BatchFunction>,
        arguments: Vec<Arc<dyn PhysicalExpr>>,
        returns: DataType,
    ) -> Self {
        Self { name, function, arguments, returns }
    }
}

impl PhysicalExpr for UserCall {
    fn data_type(&self, _: &Schema) -> Result<DataType> {
        Ok(self.returns.clone())
    }

    fn nullable(&self, _: &Schema) -> Result<bool> {
        Ok(true)
    }

    /// A fault goes up as it is: it says more than an expression could.
    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let arguments = evaluated(&self.arguments, batch)?;
        let returned = self.function.call(&arguments, batch.num_rows());
        let returned = returned.map_err(|problem| DataFusionError::External(Box::new(problem)))?;
        match returned.columns.into_iter().next() {
            Some(column) if column.len() == batch.num_rows() && *column.data_type() == self.returns => {
                Ok(ColumnarValue::Array(column))
            }
            _ => Err(internal_datafusion_err!("{self} gave no column of {}", self.returns)),
        }
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        self.arguments.iter().collect()
    }

    fn with_new_children(self: Arc<Self>, arguments: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        let (name, function) = (self.name.clone(), self.function.clone());
        Ok(Arc::new(Self { name, function, arguments, returns: self.returns.clone() }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for UserCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arguments: Vec<String> = self.arguments.iter().map(ToString::to_string).collect();
        write!(f, "{}({})", self.name.name, arguments.join(", "))
    }
}

/// The module and the export say which function it is.
impl PartialEq for UserCall {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.arguments == other.arguments && self.returns == other.returns
    }
}

impl Eq for UserCall {}

impl Hash for UserCall {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.name.module, &self.name.export, &self.arguments).hash(state);
    }
}
