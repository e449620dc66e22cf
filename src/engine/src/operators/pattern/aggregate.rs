//! Aggregates over the rows of matches, each match being a group.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use tidemill_plan::AggregateFunction;

use super::values::Value;
use crate::accumulator::{Aggregates, Call, Input, Which};
use crate::operator::{Fault, Result};
use crate::rows::{RowId, RowStore};

/// The highest precision of a decimal, and the scale that an average of decimals has at least.
const DECIMAL_PRECISION: u8 = 38;
const AVERAGE_SCALE: i8 = 6;

/// An aggregate, ready to be evaluated.
pub struct RowsAggregate {
    call: Call,
    argument: Option<Value>,
}

impl RowsAggregate {
    /// None if there is no such aggregate, or not of such an argument.
    pub fn new(function: &AggregateFunction, argument: Option<(Value, DataType)>, distinct: bool) -> Option<Self> {
        let (argument, argument_type) = argument.unzip();
        let result = result_type(function, argument_type.as_ref())?;
        let argument_type = argument_type.map(|data_type| (0, data_type));
        let call = Call { function: function.clone(), argument: argument_type, filter: None, distinct, result };
        Aggregates::new(std::slice::from_ref(&call), Input::Append).ok()?;
        Some(Self { call, argument })
    }

    pub fn data_type(&self) -> &DataType {
        &self.call.result
    }

    /// The value for each of `count` groups; `groups` tells which each row belongs to.
    pub fn evaluate(
        &self,
        store: &RowStore,
        ids: &[RowId],
        groups: &[u32],
        count: usize,
        uid: &str,
    ) -> Result<ArrayRef> {
        let mut aggregates = Aggregates::new(std::slice::from_ref(&self.call), Input::Append)
            .map_err(|unsupported| Fault::Ours(unsupported.to_string()))?;
        let argument = self.argument.as_ref().map(|value| value.of_stored(store, ids, uid)).transpose()?;
        let columns: Vec<ArrayRef> = argument.into_iter().collect();
        aggregates.update(groups, count, &columns, None)?;
        Ok(aggregates.result(0, Which::All)?)
    }
}

fn result_type(function: &AggregateFunction, argument: Option<&DataType>) -> Option<DataType> {
    match (function, argument) {
        (AggregateFunction::Count | AggregateFunction::ApproxCountDistinct, _) => Some(DataType::Int64),
        (AggregateFunction::ListAgg { .. }, _) => Some(DataType::Utf8),
        (AggregateFunction::Sum, Some(DataType::Decimal128(_, scale))) => {
            Some(DataType::Decimal128(DECIMAL_PRECISION, *scale))
        }
        (AggregateFunction::Avg, Some(DataType::Decimal128(_, scale))) => {
            Some(DataType::Decimal128(DECIMAL_PRECISION, (*scale).max(AVERAGE_SCALE)))
        }
        (_, argument) => argument.cloned(),
    }
}
