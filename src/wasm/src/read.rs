//! Results as a module gives them. Nothing of them is trusted: every address is checked against the memory.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Float64Array, Int32Array, Int64Array, StringArray, TimestampMillisecondArray,
};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use tidemill_functions::Type;

use crate::fault::Fault;
use crate::write::{COLUMN, HEAD, OFFSETS, VALID, VALUES};

/// A result in a module's memory.
pub struct Batch<'a> {
    memory: &'a [u8],
    address: u32,
    pub rows: usize,
}

impl<'a> Batch<'a> {
    pub fn at(memory: &'a [u8], address: u32) -> Result<Self, Fault> {
        let batch = Self { memory, address, rows: 0 };
        let rows = word(batch.bytes(address, HEAD, "its result")?, 0) as usize;
        Ok(Self { rows, ..batch })
    }

    /// The argument row, of so many, that each row belongs to.
    pub fn of(&self, arguments: usize) -> Result<Vec<u32>, Fault> {
        let address = word(self.bytes(self.address, HEAD, "its result")?, 4);
        let of: Vec<u32> = self.words(address, self.rows, "the numbers of argument rows")?.collect();
        match of.is_sorted() && of.last().is_none_or(|last| (*last as usize) < arguments) {
            true => Ok(of),
            false => Err(Fault::Order),
        }
    }

    /// The column at this place.
    pub fn column(&self, place: usize, of: Type) -> Result<ArrayRef, Fault> {
        let at = (HEAD + place * COLUMN) as u32;
        let at = self.address.checked_add(at).ok_or(Fault::Outside("its result's columns"))?;
        let column = self.bytes(at, COLUMN, "its result's columns")?;
        let (offsets, values) = (word(column, OFFSETS), word(column, VALUES));
        let nulls = match word(column, VALID) {
            0 => None,
            address => {
                let valid = self.bytes(address, self.rows, "what says which rows are NULL")?;
                Some(NullBuffer::from_iter(valid.iter().map(|byte| *byte != 0)))
            }
        };
        Ok(match of {
            Type::Boolean => {
                let values = self.bytes(values, self.rows, "values")?;
                Arc::new(BooleanArray::new(values.iter().map(|byte| *byte != 0).collect(), nulls))
            }
            Type::Int => Arc::new(Int32Array::new(self.numbers(values, i32::from_le_bytes)?, nulls)),
            Type::BigInt => Arc::new(Int64Array::new(self.numbers(values, i64::from_le_bytes)?, nulls)),
            Type::Double => Arc::new(Float64Array::new(self.numbers(values, f64::from_le_bytes)?, nulls)),
            Type::Timestamp => {
                Arc::new(TimestampMillisecondArray::new(self.numbers(values, i64::from_le_bytes)?, nulls))
            }
            Type::String => {
                let (offsets, values) = self.strings(offsets, values)?;
                Arc::new(StringArray::try_new(offsets, values, nulls).map_err(|_| Fault::NotText)?)
            }
            Type::Bytes => {
                let (offsets, values) = self.strings(offsets, values)?;
                Arc::new(BinaryArray::new(offsets, values, nulls))
            }
        })
    }

    fn numbers<T: arrow::datatypes::ArrowNativeType, const N: usize>(
        &self,
        address: u32,
        of: impl Fn([u8; N]) -> T,
    ) -> Result<ScalarBuffer<T>, Fault> {
        let bytes = self.bytes(address, self.rows.saturating_mul(N), "values")?;
        let (values, _) = bytes.as_chunks::<N>();
        Ok(values.iter().map(|value| of(*value)).collect())
    }

    /// Offsets from the first value on, and the values.
    fn strings(&self, offsets: u32, values: u32) -> Result<(OffsetBuffer<i32>, Buffer), Fault> {
        let offsets: Vec<u32> = self.words(offsets, self.rows.saturating_add(1), "offsets")?.collect();
        let (Some(first), Some(last)) = (offsets.first().copied(), offsets.last().copied()) else {
            return Err(Fault::Offsets);
        };
        if !offsets.is_sorted() {
            return Err(Fault::Offsets);
        }
        let start = values.checked_add(first).ok_or(Fault::Outside("values"))?;
        let bytes = self.bytes(start, (last - first) as usize, "values")?;
        // They fit: the memory has far fewer bytes than an i32 can count.
        let offsets: Vec<i32> = offsets.iter().map(|offset| (offset - first) as i32).collect();
        Ok((OffsetBuffer::new(offsets.into()), Buffer::from(bytes)))
    }

    fn words(&self, address: u32, count: usize, what: &'static str) -> Result<impl Iterator<Item = u32> + 'a, Fault> {
        let (words, _) = self.bytes(address, count.saturating_mul(4), what)?.as_chunks::<4>();
        Ok(words.iter().map(|word| u32::from_le_bytes(*word)))
    }

    fn bytes(&self, address: u32, count: usize, what: &'static str) -> Result<&'a [u8], Fault> {
        let start = address as usize;
        let end = start.checked_add(count).ok_or(Fault::Outside(what))?;
        self.memory.get(start..end).ok_or(Fault::Outside(what))
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
