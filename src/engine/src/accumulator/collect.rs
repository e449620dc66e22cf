//! COLLECT: a multiset, as a MAP from value to its number. Its entries are in the order of the values, so that a result
//! that is taken back is the one that was put out. A group without values has an empty one, as in Flink.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int32Array, MapArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef};
use arrow::error::ArrowError;

use super::bytes::Codec;
use super::multiset::Multisets;
use super::*;

pub fn collect(argument: &DataType, result: &DataType) -> Made {
    let DataType::Map(entries, _) = result else { return None };
    let DataType::Struct(fields) = entries.data_type() else { return None };
    if fields.len() != 2 {
        return None;
    }
    Some(Box::new(Collect { values: Multisets::new(Codec::new(argument).ok()?), entries: entries.clone() }))
}

struct Collect {
    values: Multisets<Codec>,
    entries: FieldRef,
}

/// The values that are there: none that have only been taken back.
fn present(values: &BTreeMap<Box<[u8]>, i64>) -> impl Iterator<Item = (&Box<[u8]>, &i64)> {
    values.iter().filter(|(_, number)| **number > 0)
}

impl Accumulator for Collect {
    fn grow(&mut self, count: usize) {
        self.values.grow(count);
    }

    fn update(&mut self, rows: &Rows<'_>) -> Result<(), ArrowError> {
        self.values.add(rows, 1)
    }

    fn retract(&mut self, rows: &Rows<'_>) -> Result<(), ArrowError> {
        self.values.add(rows, -1)
    }

    fn merge(&mut self, groups: &[u32], states: &[ArrayRef]) -> Result<(), ArrowError> {
        self.values.merge(groups, states)
    }

    fn states(&self, which: Which<'_>) -> Result<Vec<ArrayRef>, ArrowError> {
        self.values.states(which)
    }

    fn width(&self) -> usize {
        2
    }

    fn finish(&self, which: Which<'_>) -> Result<ArrayRef, ArrowError> {
        let all = || refer(&self.values.groups, which).map(present);
        let keys = self.values.kind.decode(all().flatten().map(|(value, _)| Some(&**value)))?;
        let numbers: ArrayRef =
            Arc::new(Int32Array::from_iter_values(all().flatten().map(|(_, number)| *number as i32)));
        let lengths = all().map(Iterator::count);
        let DataType::Struct(fields) = self.entries.data_type() else {
            unreachable!("construction has checked the entries")
        };
        let columns = vec![cast(&keys, fields[0].data_type())?, cast(&numbers, fields[1].data_type())?];
        let entries = StructArray::try_new(fields.clone(), columns, None)?;
        let offsets = OffsetBuffer::from_lengths(lengths);
        Ok(Arc::new(MapArray::try_new(self.entries.clone(), offsets, entries, None, false)?))
    }

    fn clear(&mut self, groups: &[u32]) {
        self.values.clear(groups);
    }

    fn retain(&mut self, keep: &BooleanArray) -> Result<(), ArrowError> {
        keep_only(&mut self.values.groups, keep);
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.values.bytes()
    }
}
