//! ARRAY columns row by row, for functions whose results are made of elements that are there already.
//!
//! Such a function never looks at a value: it compares [`Keys`], and says where in its inputs each element of its
//! result stands.

use std::sync::Arc;

use arrow_schema::{DataType, SortOptions};
use datafusion_common::Result;
use datafusion_common::arrow::array::{Array, ArrayRef, AsArray, ListArray};
use datafusion_common::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion_common::arrow::compute::interleave;
use datafusion_common::arrow::row::{Row, RowConverter, Rows, SortField};
use datafusion_expr::ScalarFunctionArgs;

/// An argument's value for every row.
pub(super) fn column(arguments: &ScalarFunctionArgs, place: usize) -> Result<ArrayRef> {
    arguments.args[place].to_array(arguments.number_rows)
}

pub(super) fn columns(arguments: &ScalarFunctionArgs) -> Result<Vec<ArrayRef>> {
    (0..arguments.args.len()).map(|place| column(arguments, place)).collect()
}

/// Where the elements of a row's array stand; none if it is NULL.
pub(super) fn places(list: &ListArray, row: usize) -> Option<std::ops::Range<usize>> {
    let offsets = list.value_offsets();
    list.is_valid(row).then(|| offsets[row] as usize..offsets[row + 1] as usize)
}

/// Values of several columns as bytes that are equal, and in order, as the values are. NULL equals NULL and comes first.
pub(super) struct Keys(Vec<Rows>);

impl Keys {
    pub(super) fn of(columns: &[&ArrayRef]) -> Result<Self> {
        let options = SortOptions { descending: false, nulls_first: true };
        let data_type = columns.first().map_or(DataType::Null, |column| column.data_type().clone());
        let converter = RowConverter::new(vec![SortField::new_with_options(data_type, options)])?;
        let rows = columns.iter().map(|column| converter.convert_columns(&[Arc::clone(column)]));
        Ok(Self(rows.collect::<std::result::Result<_, _>>()?))
    }

    pub(super) fn get(&self, (column, place): Place) -> Row<'_> {
        self.0[column].row(place)
    }
}

/// A column among several, and a place in it.
pub(super) type Place = (usize, usize);

/// Arrays of the elements that stand at these places of `sources`, for every row.
pub(super) fn collect(
    returns: &DataType,
    sources: &[&ArrayRef],
    rows: usize,
    elements: impl Fn(usize) -> Option<Vec<Place>>,
) -> Result<ArrayRef> {
    let mut picked = Vec::new();
    let (mut lengths, mut valid) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    for row in 0..rows {
        let found = elements(row);
        valid.push(found.is_some());
        let found = found.unwrap_or_default();
        lengths.push(found.len());
        picked.extend(found);
    }
    let arrays: Vec<&dyn Array> = sources.iter().map(|source| &***source).collect();
    let values = interleave(&arrays, &picked)?;
    let DataType::List(field) = returns else {
        return datafusion_common::internal_err!("an array is returned as {returns}");
    };
    let nulls = NullBuffer::from(valid);
    Ok(Arc::new(ListArray::try_new(Arc::clone(field), OffsetBuffer::from_lengths(lengths), values, Some(nulls))?))
}

/// The elements of an array column.
pub(super) fn elements(list: &ArrayRef) -> &ArrayRef {
    list.as_list::<i32>().values()
}
