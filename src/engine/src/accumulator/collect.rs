//! COLLECT: a multiset, as a MAP from value to its number. Its entries are in the order of the values, so that a result
//! that is taken back is the one that was put out. A group without values has an empty one, as in Flink.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, MapArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef};
use arrow::error::ArrowError;

use super::bytes::Codec;
use super::multiset::{Multisets, OfValues, present};
use super::{Made, Which, refer};

pub fn collect(argument: &DataType, result: &DataType) -> Made {
    let DataType::Map(entries, _) = result else { return None };
    let DataType::Struct(fields) = entries.data_type() else { return None };
    if fields.len() != 2 {
        return None;
    }
    let (values, entries) = (Multisets::new(Codec::new(argument).ok()?), entries.clone());
    let result = move |values: &Multisets<Codec>, which: Which<'_>| maps(values, which, &entries);
    Some(Box::new(OfValues { values, result }))
}

fn maps(values: &Multisets<Codec>, which: Which<'_>, entries: &FieldRef) -> Result<ArrayRef, ArrowError> {
    let all = || refer(&values.groups, which).map(present);
    let keys = values.kind.decode(all().flatten().map(|(value, _)| Some(&**value)))?;
    let numbers: ArrayRef = Arc::new(Int32Array::from_iter_values(all().flatten().map(|(_, number)| number as i32)));
    let lengths = all().map(Iterator::count);
    let DataType::Struct(fields) = entries.data_type() else { unreachable!("construction has checked the entries") };
    let columns = vec![cast(&keys, fields[0].data_type())?, cast(&numbers, fields[1].data_type())?];
    let rows = StructArray::try_new(fields.clone(), columns, None)?;
    Ok(Arc::new(MapArray::try_new(entries.clone(), OffsetBuffer::from_lengths(lengths), rows, None, false)?))
}
