//! Columns of lists: the form that state of many values for each group is captured in.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, ListArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::Field;

/// A column of lists with these lengths, one after the other in `values`.
pub fn list(values: ArrayRef, lengths: impl IntoIterator<Item = usize>) -> ArrayRef {
    let item = Arc::new(Field::new("item", values.data_type().clone(), true));
    Arc::new(ListArray::new(item, OffsetBuffer::from_lengths(lengths), values, None))
}

/// The values of all lists, one after the other.
pub fn values(lists: &ArrayRef) -> ArrayRef {
    let lists = lists.as_list::<i32>();
    let offsets = lists.value_offsets();
    let (first, last) = (offsets[0] as usize, offsets[lists.len()] as usize);
    lists.values().slice(first, last - first)
}

/// The group of every value, from the group of every list.
pub fn spread(groups: &[u32], lists: &ArrayRef) -> Vec<u32> {
    let lists = lists.as_list::<i32>();
    let mut spread = Vec::with_capacity(lists.values().len());
    for (row, group) in groups.iter().enumerate() {
        spread.extend(std::iter::repeat_n(*group, lists.value_length(row) as usize));
    }
    spread
}
