//! ARRAY_AGG: values in the order in which they came, NULLs among them.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, ListArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::DataType;

use super::sequence::{InOrder, Sequences};
use super::{Made, Which};

/// NULL for no values.
pub fn array_agg(argument: &DataType, result: &DataType) -> Made {
    let DataType::List(element) = result else { return None };
    let element = element.clone();
    let result = move |values: &Sequences, which: Which<'_>| {
        let states = values.states(which)?;
        let lists = states[0].as_list::<i32>();
        let nulls = NullBuffer::from_iter((0..lists.len()).map(|row| lists.value_length(row) > 0));
        let (offsets, values) = (lists.offsets().clone(), lists.values().clone());
        Ok(Arc::new(ListArray::try_new(element.clone(), offsets, values, Some(nulls))?) as ArrayRef)
    };
    Some(Box::new(InOrder { values: Sequences::new(argument)?, result }))
}
