//! Each group's values in order, with how often each is there: MIN and MAX where rows are taken back, and the ground of
//! COLLECT.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{ArrayRef, ArrowPrimitiveType, BooleanArray, Int64Array, PrimitiveArray};
use arrow::datatypes::{ArrowNativeTypeOp, DataType, Int64Type, TimeUnit};
use arrow::error::ArrowError;

use super::bytes::{Codec, Encoded};
use super::*;

/// What values are kept as.
pub trait Kind {
    type Value: Ord;
    type Column<'a>;

    fn read<'a>(&self, column: &'a ArrayRef) -> Result<Self::Column<'a>, ArrowError>;

    /// Adds to the number of a column's value; forgets it when the number is 0.
    fn add(values: &mut BTreeMap<Self::Value, i64>, column: &Self::Column<'_>, row: usize, number: i64);

    fn array<'a>(&'a self, values: impl Iterator<Item = Option<&'a Self::Value>>) -> Result<ArrayRef, ArrowError>
    where
        Self::Value: 'a;
}

/// Numbers, dates and times as they are.
pub struct Primitive<T: ArrowPrimitiveType>(DataType, std::marker::PhantomData<T>);

impl<T: ArrowPrimitiveType> Primitive<T> {
    pub fn of(data_type: &DataType) -> Self {
        Self(data_type.clone(), std::marker::PhantomData)
    }
}

/// A number in the order of all numbers, NaN included.
#[derive(Clone, Copy)]
pub struct Ordered<N>(N);

impl<N: Copy> Ordered<N> {
    pub fn number(self) -> N {
        self.0
    }
}

impl<N: ArrowNativeTypeOp> Ord for Ordered<N> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.compare(other.0)
    }
}

impl<N: ArrowNativeTypeOp> PartialOrd for Ordered<N> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<N: ArrowNativeTypeOp> PartialEq for Ordered<N> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<N: ArrowNativeTypeOp> Eq for Ordered<N> {}

impl<T: ArrowPrimitiveType> Kind for Primitive<T> {
    type Value = Ordered<T::Native>;
    type Column<'a> = &'a PrimitiveArray<T>;

    fn read<'a>(&self, column: &'a ArrayRef) -> Result<Self::Column<'a>, ArrowError> {
        Ok(column.as_primitive())
    }

    fn add(values: &mut BTreeMap<Self::Value, i64>, column: &Self::Column<'_>, row: usize, number: i64) {
        match values.entry(Ordered(column.value(row))) {
            Entry::Vacant(place) => {
                place.insert(number);
            }
            Entry::Occupied(place) if *place.get() == -number => {
                place.remove();
            }
            Entry::Occupied(mut place) => *place.get_mut() += number,
        }
    }

    fn array<'a>(&'a self, values: impl Iterator<Item = Option<&'a Self::Value>>) -> Result<ArrayRef, ArrowError>
    where
        Self::Value: 'a,
    {
        let values: PrimitiveArray<T> = values.map(|value| value.map(|value| value.0)).collect();
        Ok(Arc::new(values.with_data_type(self.0.clone())))
    }
}

impl Kind for Codec {
    type Value = Box<[u8]>;
    type Column<'a> = Encoded<'a>;

    fn read<'a>(&self, column: &'a ArrayRef) -> Result<Self::Column<'a>, ArrowError> {
        self.encode(column)
    }

    fn add(values: &mut BTreeMap<Self::Value, i64>, column: &Self::Column<'_>, row: usize, number: i64) {
        let value = column.value(row);
        match values.get_mut(value) {
            None => {
                values.insert(value.into(), number);
            }
            Some(known) if *known == -number => {
                values.remove(value);
            }
            Some(known) => *known += number,
        }
    }

    fn array<'a>(&'a self, values: impl Iterator<Item = Option<&'a Self::Value>>) -> Result<ArrayRef, ArrowError> {
        self.decode(values.map(|value| value.map(|value| &**value)))
    }
}

/// See the module.
pub struct Multisets<K: Kind> {
    pub kind: K,
    pub groups: Vec<BTreeMap<K::Value, i64>>,
}

impl<K: Kind> Multisets<K> {
    pub fn new(kind: K) -> Self {
        Self { kind, groups: Vec::new() }
    }

    pub fn grow(&mut self, count: usize) {
        self.groups.resize_with(count, BTreeMap::new);
    }

    pub fn add(&mut self, rows: &Rows<'_>, each: i64) -> Result<(), ArrowError> {
        let values = self.kind.read(rows.argument())?;
        rows.for_each(|row, group| K::add(&mut self.groups[group], &values, row, each));
        Ok(())
    }

    /// As two columns of lists: values and numbers.
    pub fn states(&self, which: Which<'_>) -> Result<Vec<ArrayRef>, ArrowError> {
        let all = || refer(&self.groups, which);
        let values = self.kind.array(all().flat_map(BTreeMap::keys).map(Some))?;
        let numbers = Int64Array::from_iter_values(all().flat_map(BTreeMap::values).copied());
        let lengths = || all().map(BTreeMap::len);
        Ok(vec![lists::list(values, lengths()), lists::list(Arc::new(numbers), lengths())])
    }

    pub fn merge(&mut self, groups: &[u32], states: &[ArrayRef]) -> Result<(), ArrowError> {
        let groups = lists::spread(groups, &states[0]);
        let (values, numbers) = (lists::values(&states[0]), lists::values(&states[1]));
        let (values, numbers) = (self.kind.read(&values)?, numbers.as_primitive::<Int64Type>());
        for (row, group) in groups.into_iter().enumerate() {
            K::add(&mut self.groups[group as usize], &values, row, numbers.value(row));
        }
        Ok(())
    }

    pub fn clear(&mut self, groups: &[u32]) {
        groups.iter().for_each(|group| self.groups[*group as usize].clear());
    }

    pub fn bytes(&self) -> usize {
        let values: usize = self.groups.iter().map(BTreeMap::len).sum();
        self.groups.capacity() * 24 + values * (size_of::<K::Value>() + 24)
    }
}

/// An aggregate whose result is made of each group's values, in order and with how often each is there.
pub struct OfValues<K: Kind, F> {
    pub values: Multisets<K>,
    pub result: F,
}

impl<K: Kind, F: Fn(&Multisets<K>, Which<'_>) -> Result<ArrayRef, ArrowError>> Accumulator for OfValues<K, F> {
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
        (self.result)(&self.values, which)
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

/// The values that are there, in order, with their numbers: none that have only been taken back.
pub fn present<V>(values: &BTreeMap<V, i64>) -> impl DoubleEndedIterator<Item = (&V, i64)> {
    values.iter().map(|(value, number)| (value, *number)).filter(|(_, number)| *number > 0)
}

#[derive(Clone, Copy)]
pub enum End {
    Least,
    Greatest,
}

/// MIN or MAX of rows that may be taken back.
pub fn extreme(argument: &DataType, end: End) -> Made {
    fn of<K: Kind + 'static>(kind: K, end: End) -> Made {
        let result = move |values: &Multisets<K>, which: Which<'_>| {
            values.kind.array(refer(&values.groups, which).map(|values| match end {
                End::Least => present(values).next().map(|(value, _)| value),
                End::Greatest => present(values).next_back().map(|(value, _)| value),
            }))
        };
        Some(Box::new(OfValues { values: Multisets::new(kind), result }))
    }
    fn primitive<T: ArrowPrimitiveType>(argument: &DataType, end: End) -> Made {
        of(Primitive::<T>::of(argument), end)
    }
    fn bytes(argument: &DataType, end: End) -> Made {
        of(Codec::new(argument).ok()?, end)
    }
    for_primitive!(argument, primitive(argument, end), bytes(argument, end))
}
