//! What an aggregation by keys is made of, checked against its input's columns.

use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use tidemill_plan::AggregateCall;

use super::{Aggregates, Call, Input, Unsupported, Which};
use crate::groups::GroupTable;
use crate::hash::is_hashable;

/// Keys and calls.
#[derive(Clone, Debug)]
pub struct KeyedSpec {
    /// The key's input columns.
    pub keys: Vec<usize>,
    pub key_fields: Vec<Field>,
    pub calls: Vec<Call>,
    pub input: Input,
}

/// Why an aggregation cannot be run. It means that planner and engine disagree.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error("column {0} is not among the input's columns, or not of the type that is needed")]
    Column(usize),
    #[error("the schema has no column {0} for an aggregate")]
    Result(usize),
    #[error("rows cannot be keyed by a column of type {0}")]
    Key(DataType),
    #[error(transparent)]
    Call(#[from] Unsupported),
    #[error("failed to prepare the table of keys")]
    Keys(#[from] ArrowError),
}

impl KeyedSpec {
    /// `schema` has the keys, then a column for each call.
    pub fn new(
        keys: &[usize],
        aggregates: &[AggregateCall],
        columns: &Schema,
        schema: &Schema,
        input: Input,
    ) -> Result<Self, BuildError> {
        let of = |place: usize| columns.fields().get(place).map(|field| field.data_type().clone());
        let mut key_fields = Vec::with_capacity(keys.len());
        for key in keys {
            let field = columns.fields().get(*key).ok_or(BuildError::Column(*key))?;
            if !is_hashable(field.data_type()) {
                return Err(BuildError::Key(field.data_type().clone()));
            }
            key_fields.push(Field::new(field.name(), field.data_type().clone(), true));
        }
        let mut calls = Vec::with_capacity(aggregates.len());
        for (place, call) in (keys.len()..).zip(aggregates) {
            let result = schema.fields().get(place).ok_or(BuildError::Result(place))?;
            calls.push(Call::new(call, of, result.data_type()).map_err(BuildError::Column)?);
        }
        let spec = Self { keys: keys.to_vec(), key_fields, calls, input };
        spec.aggregates()?;
        Ok(spec)
    }

    pub fn groups(&self) -> Result<GroupTable, ArrowError> {
        let types: Vec<DataType> = self.key_fields.iter().map(|field| field.data_type().clone()).collect();
        GroupTable::new(&types)
    }

    pub fn aggregates(&self) -> Result<Aggregates, Unsupported> {
        Aggregates::new(&self.calls, self.input)
    }

    /// The columns of keys and states: what partial results and captured state have in common.
    pub fn keyed_fields(&self) -> Result<Vec<Field>, BuildError> {
        let mut fields = self.key_fields.clone();
        for (number, state) in self.aggregates()?.states(Which::All)?.iter().enumerate() {
            fields.push(Field::new(format!("state_{number}"), state.data_type().clone(), true));
        }
        Ok(fields)
    }

    /// Names everything that captured state depends on.
    pub fn layout(&self) -> String {
        let keys: Vec<String> = self.key_fields.iter().map(|field| field.data_type().to_string()).collect();
        let calls: Vec<String> = self.calls.iter().map(Call::layout).collect();
        format!("input={:?} keys=[{}] calls=[{}]", self.input, keys.join(","), calls.join(","))
    }

    /// Whether partial results can be brought together.
    pub fn can_merge(&self) -> bool {
        self.input == Input::Append && self.calls.iter().all(Call::can_merge)
    }
}
