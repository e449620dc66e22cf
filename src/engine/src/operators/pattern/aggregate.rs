//! Aggregates over the rows of matches, each match being a group.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array};
use arrow::compute::filter;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use tidemill_plan::AggregateFunction;

use super::values::Value;
use crate::accumulator::accumulator;
use crate::groups::GroupTable;
use crate::hash::{hash_rows, is_hashable};
use crate::operator::{Result, internal};
use crate::rows::{RowId, RowStore};

/// The highest precision of a decimal, and the scale that an average of decimals has at least.
const DECIMAL_PRECISION: u8 = 38;
const AVERAGE_SCALE: i8 = 6;

/// An aggregate, ready to be evaluated.
pub struct RowsAggregate {
    function: AggregateFunction,
    argument: Option<(Value, DataType)>,
    distinct: bool,
    data_type: DataType,
}

impl RowsAggregate {
    /// None if there is no such aggregate, or not of such an argument.
    pub fn new(function: &AggregateFunction, argument: Option<(Value, DataType)>, distinct: bool) -> Option<Self> {
        let argument_type = argument.as_ref().map(|(_, data_type)| data_type);
        let data_type = result_type(function, argument_type)?;
        accumulator(function, argument_type, &data_type)?;
        if distinct && !argument_type.is_some_and(is_hashable) {
            return None;
        }
        Some(Self { function: function.clone(), argument, distinct, data_type })
    }

    pub fn data_type(&self) -> &DataType {
        &self.data_type
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
        let argument_type = self.argument.as_ref().map(|(_, data_type)| data_type);
        let mut accumulator = accumulator(&self.function, argument_type, &self.data_type)
            .ok_or_else(|| internal(uid, format!("no accumulator for {:?}", self.function)))?;
        let argument = self.argument.as_ref().map(|(value, _)| value.of_stored(store, ids, uid)).transpose()?;
        match argument {
            Some(values) if self.distinct => {
                let firsts = firsts(&values, groups).map_err(|error| internal(uid, error))?;
                let values = filter(&values, &firsts).map_err(|error| internal(uid, error))?;
                let groups: Vec<u32> =
                    groups.iter().zip(firsts.values()).filter(|(_, first)| *first).map(|(group, _)| *group).collect();
                accumulator.update(&groups, count, Some(&values), None);
            }
            argument => accumulator.update(groups, count, argument.as_ref(), None),
        }
        accumulator.finish().map_err(|error| internal(uid, error))
    }
}

/// Which values are the first of their kind in their group.
fn firsts(values: &ArrayRef, groups: &[u32]) -> std::result::Result<BooleanArray, ArrowError> {
    let group_column: ArrayRef = Arc::new(groups.iter().map(|group| Some(i64::from(*group))).collect::<Int64Array>());
    let columns = [group_column, values.clone()];
    let mut hashes = Vec::new();
    hash_rows(&columns, groups.len(), &mut hashes);
    let mut table = GroupTable::new(&[DataType::Int64, values.data_type().clone()])?;
    let mut kinds = Vec::new();
    table.intern(&columns, &hashes, &mut kinds)?;
    let mut known = 0;
    let is_first = |kind: u32| {
        let is_first = kind == known;
        known += u32::from(is_first);
        is_first
    };
    Ok(BooleanArray::from(kinds.into_iter().map(is_first).collect::<Vec<bool>>()))
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
