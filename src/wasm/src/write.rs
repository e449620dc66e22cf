//! Arguments as a module gets them: one block of memory, with addresses counted from its beginning until it is known
//! where it will lie.

use arrow::array::cast::AsArray;
use arrow::array::types::{ArrowPrimitiveType, Float64Type, Int32Type, Int64Type, TimestampMillisecondType};
use arrow::array::{Array, ArrayRef, PrimitiveArray};
use tidemill_functions::Type;

/// Bytes before a batch's columns.
pub const HEAD: usize = 8;
/// Bytes of a column in a batch.
pub const COLUMN: usize = 12;
/// Places of addresses in a column.
pub const VALID: usize = 0;
pub const OFFSETS: usize = 4;
pub const VALUES: usize = 8;

/// Every part begins at a multiple of this, so that code may read numbers directly.
const ALIGNMENT: usize = 8;

/// A batch that is not yet at its place.
pub struct Block {
    bytes: Vec<u8>,
    /// Where in the bytes addresses are.
    addresses: Vec<usize>,
}

impl Block {
    /// The rows of `arguments`, which have these types.
    pub fn new(arguments: &[ArrayRef], types: &[Type], rows: usize) -> Self {
        let mut block = Self { bytes: vec![0; HEAD + arguments.len() * COLUMN], addresses: Vec::new() };
        block.bytes[..4].copy_from_slice(&(rows as u32).to_le_bytes());
        for (number, (column, of)) in arguments.iter().zip(types).enumerate() {
            block.column(HEAD + number * COLUMN, column, *of);
        }
        block
    }

    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The bytes as they are to lie at this address.
    pub fn at(mut self, base: u32) -> Vec<u8> {
        for place in &self.addresses {
            let address = &mut self.bytes[*place..*place + 4];
            let moved = base + u32::from_le_bytes([address[0], address[1], address[2], address[3]]);
            address.copy_from_slice(&moved.to_le_bytes());
        }
        self.bytes
    }

    fn column(&mut self, at: usize, column: &ArrayRef, of: Type) {
        if column.null_count() > 0 {
            self.part(at + VALID, |bytes| bytes.extend((0..column.len()).map(|row| u8::from(column.is_valid(row)))));
        }
        match of {
            Type::Boolean => {
                let values = column.as_boolean();
                self.part(at + VALUES, |bytes| bytes.extend(values.iter().map(|value| u8::from(value == Some(true)))));
            }
            Type::Int => self.numbers(at, column.as_primitive::<Int32Type>(), i32::to_le_bytes),
            Type::BigInt => self.numbers(at, column.as_primitive::<Int64Type>(), i64::to_le_bytes),
            Type::Double => self.numbers(at, column.as_primitive::<Float64Type>(), f64::to_le_bytes),
            Type::Timestamp => self.numbers(at, column.as_primitive::<TimestampMillisecondType>(), i64::to_le_bytes),
            Type::String => self.strings(at, column.as_string::<i32>().iter().map(|value| value.map(str::as_bytes))),
            Type::Bytes => self.strings(at, column.as_binary::<i32>().iter()),
        }
    }

    fn numbers<T: ArrowPrimitiveType, const N: usize>(
        &mut self,
        at: usize,
        column: &PrimitiveArray<T>,
        bytes_of: impl Fn(T::Native) -> [u8; N],
    ) {
        self.part(at + VALUES, |bytes| {
            bytes.reserve(column.len() * N);
            column.iter().for_each(|value| bytes.extend(bytes_of(value.unwrap_or_default())));
        });
    }

    fn strings<'a>(&mut self, at: usize, values: impl Iterator<Item = Option<&'a [u8]>> + Clone) {
        self.part(at + OFFSETS, |bytes| {
            let mut end = 0u32;
            bytes.extend(end.to_le_bytes());
            for value in values.clone() {
                end += value.map_or(0, <[u8]>::len) as u32;
                bytes.extend(end.to_le_bytes());
            }
        });
        self.part(at + VALUES, |bytes| values.flatten().for_each(|value| bytes.extend(value)));
    }

    /// Appends a part, and notes its address at `pointer`.
    fn part(&mut self, pointer: usize, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len().next_multiple_of(ALIGNMENT);
        self.bytes.resize(start, 0);
        write(&mut self.bytes);
        self.bytes[pointer..pointer + 4].copy_from_slice(&(start as u32).to_le_bytes());
        self.addresses.push(pointer);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int32Array, StringArray};

    use super::*;

    #[test]
    fn a_batch_lies_as_it_is_described() {
        let numbers: ArrayRef = Arc::new(Int32Array::from(vec![Some(7), None, Some(-1)]));
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["ä", "", "bc"]));
        let block = Block::new(&[numbers, texts], &[Type::Int, Type::String], 3);
        assert_eq!(block.len(), 76);
        let bytes = block.at(1000);
        let words = |range: std::ops::Range<usize>| -> Vec<i32> {
            bytes[range].chunks(4).map(|word| i32::from_le_bytes(word.try_into().unwrap())).collect()
        };
        assert_eq!(words(0..8), [3, 0], "rows, and the argument rows that they belong to");
        assert_eq!(words(8..20), [1032, 0, 1040], "valid, offsets, values of the numbers");
        assert_eq!(words(20..32), [0, 1056, 1072], "valid, offsets, values of the texts");
        assert_eq!(bytes[32..35], [1, 0, 1]);
        assert_eq!(words(40..52), [7, 0, -1]);
        assert_eq!(words(56..72), [0, 2, 2, 4]);
        assert_eq!(&bytes[72..], "äbc".as_bytes());
    }
}
