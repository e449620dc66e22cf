//! MIN, MAX, FIRST_VALUE and LAST_VALUE where no row is taken back: one value is kept for each group.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, BooleanArray};
use arrow::datatypes::{ArrowNativeTypeOp, DataType, TimeUnit};
use arrow::error::ArrowError;

use super::bytes::Codec;
use super::*;

#[derive(Clone, Copy, PartialEq)]
pub enum Wanted {
    Least,
    Greatest,
    First,
    Last,
}

impl Wanted {
    /// Whether a value takes the place of another.
    fn replaces<T: ArrowNativeTypeOp>(self, value: T, kept: T) -> bool {
        match self {
            Self::Least => value.is_lt(kept),
            Self::Greatest => value.is_gt(kept),
            Self::First => false,
            Self::Last => true,
        }
    }

    fn replaces_bytes(self, value: &[u8], kept: &[u8]) -> bool {
        match self {
            Self::Least => value < kept,
            Self::Greatest => value > kept,
            Self::First => false,
            Self::Last => value != kept,
        }
    }
}

pub fn kept(argument: &DataType, wanted: Wanted) -> Made {
    fn primitive<T: ArrowPrimitiveType>(argument: &DataType, wanted: Wanted) -> Made {
        Some(Box::new(Kept::<T> { values: Vec::new(), seen: Vec::new(), data_type: argument.clone(), wanted }))
    }
    fn bytes(argument: &DataType, wanted: Wanted) -> Made {
        let codec = Codec::new(argument).ok()?;
        Some(Box::new(KeptBytes { values: Vec::new(), codec, wanted }))
    }
    for_primitive!(argument, primitive(argument, wanted), bytes(argument, wanted))
}

struct Kept<T: ArrowPrimitiveType> {
    values: Vec<T::Native>,
    seen: Vec<bool>,
    data_type: DataType,
    wanted: Wanted,
}

impl<T: ArrowPrimitiveType> Accumulator for Kept<T> {
    fn grow(&mut self, count: usize) {
        self.values.resize(count, T::Native::default());
        self.seen.resize(count, false);
    }

    fn update(&mut self, rows: &Rows<'_>) -> Result<(), ArrowError> {
        let (kept, seen, wanted) = (&mut self.values[..], &mut self.seen[..], self.wanted);
        let values = &rows.argument().as_primitive::<T>().values()[..];
        rows.for_each(|row, group| {
            if !seen[group] || wanted.replaces(values[row], kept[group]) {
                kept[group] = values[row];
                seen[group] = true;
            }
        });
        Ok(())
    }

    fn retract(&mut self, _rows: &Rows<'_>) -> Result<(), ArrowError> {
        Err(only_additions())
    }

    fn merge(&mut self, groups: &[u32], states: &[ArrayRef]) -> Result<(), ArrowError> {
        self.update(&Rows::new(groups, Some(&states[0]), states[0].nulls()))
    }

    fn states(&self, which: Which<'_>) -> Result<Vec<ArrayRef>, ArrowError> {
        Ok(vec![self.finish(which)?])
    }

    fn finish(&self, which: Which<'_>) -> Result<ArrayRef, ArrowError> {
        Ok(Arc::new(column::<T>(pick(&self.values, which), pick(&self.seen, which), &self.data_type)))
    }

    fn clear(&mut self, groups: &[u32]) {
        groups.iter().for_each(|group| self.seen[*group as usize] = false);
    }

    fn retain(&mut self, keep: &BooleanArray) -> Result<(), ArrowError> {
        keep_only(&mut self.values, keep);
        keep_only(&mut self.seen, keep);
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.values.capacity() * size_of::<T::Native>() + self.seen.capacity()
    }
}

struct KeptBytes {
    values: Vec<Option<Box<[u8]>>>,
    codec: Codec,
    wanted: Wanted,
}

impl Accumulator for KeptBytes {
    fn grow(&mut self, count: usize) {
        self.values.resize(count, None);
    }

    fn update(&mut self, rows: &Rows<'_>) -> Result<(), ArrowError> {
        let (kept, wanted) = (&mut self.values[..], self.wanted);
        let values = self.codec.encode(rows.argument())?;
        rows.for_each(|row, group| {
            let (kept, value) = (&mut kept[group], values.value(row));
            if kept.as_deref().is_none_or(|kept| wanted.replaces_bytes(value, kept)) {
                *kept = Some(value.into());
            }
        });
        Ok(())
    }

    fn retract(&mut self, _rows: &Rows<'_>) -> Result<(), ArrowError> {
        Err(only_additions())
    }

    fn merge(&mut self, groups: &[u32], states: &[ArrayRef]) -> Result<(), ArrowError> {
        self.update(&Rows::new(groups, Some(&states[0]), states[0].nulls()))
    }

    fn states(&self, which: Which<'_>) -> Result<Vec<ArrayRef>, ArrowError> {
        Ok(vec![self.finish(which)?])
    }

    fn finish(&self, which: Which<'_>) -> Result<ArrayRef, ArrowError> {
        self.codec.decode(refer(&self.values, which).map(Option::as_deref))
    }

    fn clear(&mut self, groups: &[u32]) {
        groups.iter().for_each(|group| self.values[*group as usize] = None);
    }

    fn retain(&mut self, keep: &BooleanArray) -> Result<(), ArrowError> {
        keep_only(&mut self.values, keep);
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.values.iter().flatten().map(|value| value.len()).sum::<usize>() + self.values.capacity() * 16
    }
}

/// What an accumulator that cannot take rows back says if it is told to.
pub fn only_additions() -> ArrowError {
    ArrowError::ComputeError("a row is taken back from an aggregate of rows that only come".to_string())
}
