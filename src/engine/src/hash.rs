//! Hashes of keys, the same on every machine and in every release: they decide which key group a key belongs to, and
//! so are part of the snapshot format ([`tidemill_model::key_groups::HASH_VERSION`]).
//!
//! Version 1: a value's hash is XXH3-64 of its canonical bytes (integers, dates and times as 64-bit little-endian;
//! floats as the bits of their double with one zero and one NaN; decimals as 128-bit with trailing zeros dropped;
//! strings and bytes as they are), NULL has a hash of its own, and a row's hash combines its values' in order.

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time32MillisecondType, TimeUnit, TimestampMillisecondType,
};
use xxhash_rust::xxh3::xxh3_64;

const NULL: u64 = 0x9ae1_6a3b_2f90_404f;
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// Whether rows can be keyed by this type.
pub fn is_hashable(data_type: &DataType) -> bool {
    use DataType as T;
    matches!(
        data_type,
        T::Boolean | T::Int8 | T::Int16 | T::Int32 | T::Int64 | T::Float32 | T::Float64 | T::Utf8 | T::Binary
    ) || matches!(
        data_type,
        T::Date32 | T::Time32(TimeUnit::Millisecond) | T::Timestamp(TimeUnit::Millisecond, _) | T::Decimal128(..)
    )
}

/// Puts the hash of each row of `columns` into `hashes`. The types must be [hashable](is_hashable), which the
/// dataflow's construction has checked.
pub fn hash_rows(columns: &[ArrayRef], rows: usize, hashes: &mut Vec<u64>) {
    hashes.clear();
    match columns {
        [] => hashes.resize(rows, xxh3_64(&[])),
        [column] => for_each_hash(column, |_, hash| hashes.push(hash)),
        [first, rest @ ..] => {
            for_each_hash(first, |_, hash| hashes.push(hash));
            for column in rest {
                for_each_hash(column, |row, hash| {
                    hashes[row] = (hashes[row].rotate_left(23) ^ hash).wrapping_mul(FACTOR);
                });
            }
        }
    }
}

macro_rules! integers {
    ($column:expr, $type:ty, $each:expr) => {{
        let values = $column.as_primitive::<$type>();
        for_each_value(values.len(), values, |row| integer(i64::from(values.value(row))), $each)
    }};
}

fn for_each_hash(column: &ArrayRef, each: impl FnMut(usize, u64)) {
    match column.data_type() {
        DataType::Int8 => integers!(column, Int8Type, each),
        DataType::Int16 => integers!(column, Int16Type, each),
        DataType::Int32 => integers!(column, Int32Type, each),
        DataType::Int64 => integers!(column, Int64Type, each),
        DataType::Date32 => integers!(column, Date32Type, each),
        DataType::Time32(TimeUnit::Millisecond) => integers!(column, Time32MillisecondType, each),
        DataType::Timestamp(TimeUnit::Millisecond, _) => integers!(column, TimestampMillisecondType, each),
        DataType::Boolean => {
            let values = column.as_boolean();
            for_each_value(values.len(), values, |row| integer(i64::from(values.value(row))), each);
        }
        DataType::Float32 => {
            let values = column.as_primitive::<Float32Type>();
            for_each_value(values.len(), values, |row| float(f64::from(values.value(row))), each);
        }
        DataType::Float64 => {
            let values = column.as_primitive::<Float64Type>();
            for_each_value(values.len(), values, |row| float(values.value(row)), each);
        }
        DataType::Decimal128(_, scale) => {
            let values = column.as_primitive::<Decimal128Type>();
            for_each_value(values.len(), values, |row| decimal(values.value(row), *scale), each);
        }
        DataType::Utf8 => {
            let values = column.as_string::<i32>();
            for_each_value(values.len(), values, |row| xxh3_64(values.value(row).as_bytes()), each);
        }
        DataType::Binary => {
            let values = column.as_binary::<i32>();
            for_each_value(values.len(), values, |row| xxh3_64(values.value(row)), each);
        }
        other => match cast(column, &DataType::Utf8) {
            Ok(text) => for_each_hash(&text, each),
            Err(_) => unreachable!("a key of type {other} was let through by is_hashable"),
        },
    }
}

fn for_each_value(rows: usize, array: &dyn Array, hash: impl Fn(usize) -> u64, mut each: impl FnMut(usize, u64)) {
    match array.nulls() {
        None => (0..rows).for_each(|row| each(row, hash(row))),
        Some(nulls) => (0..rows).for_each(|row| each(row, if nulls.is_null(row) { NULL } else { hash(row) })),
    }
}

fn integer(value: i64) -> u64 {
    xxh3_64(&value.to_le_bytes())
}

fn float(value: f64) -> u64 {
    let canonical = if value == 0.0 {
        0.0
    } else if value.is_nan() {
        f64::NAN
    } else {
        value
    };
    xxh3_64(&canonical.to_bits().to_le_bytes())
}

fn decimal(mut value: i128, scale: i8) -> u64 {
    let mut scale = scale;
    while scale > 0 && value % 10 == 0 {
        value /= 10;
        scale -= 1;
    }
    xxh3_64(&value.to_le_bytes()) ^ u64::from(scale.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Decimal128Array, Float64Array, Int32Array, Int64Array, StringArray};

    use super::*;

    fn hashes(columns: &[ArrayRef]) -> Vec<u64> {
        let mut hashes = Vec::new();
        hash_rows(columns, columns[0].len(), &mut hashes);
        hashes
    }

    #[test]
    fn hashes_are_those_of_version_1_for_ever() {
        let text: ArrayRef = Arc::new(StringArray::from(vec![Some("/home"), None, Some("")]));
        assert_eq!(hashes(&[text]), [xxh3_64(b"/home"), NULL, 0x2d06800538d394c2]);
        let number: ArrayRef = Arc::new(Int64Array::from(vec![0]));
        assert_eq!(hashes(&[number]), [xxh3_64(&[0; 8])]);
    }

    #[test]
    fn equal_values_hash_equal_whatever_their_type() {
        let narrow: ArrayRef = Arc::new(Int32Array::from(vec![-7]));
        let wide: ArrayRef = Arc::new(Int64Array::from(vec![-7]));
        assert_eq!(hashes(&[narrow]), hashes(&[wide]));
        let zeros = hashes(&[Arc::new(Float64Array::from(vec![0.0, -0.0]))]);
        assert_eq!(zeros[0], zeros[1]);
        let decimals = |value, scale| -> ArrayRef {
            Arc::new(Decimal128Array::from(vec![value]).with_precision_and_scale(10, scale).unwrap())
        };
        assert_eq!(hashes(&[decimals(150, 2)]), hashes(&[decimals(15, 1)]));
        assert_ne!(hashes(&[decimals(150, 2)]), hashes(&[decimals(15, 2)]));
    }

    #[test]
    fn a_sliced_column_hashes_as_its_values() {
        let all: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("b")]));
        assert_eq!(hashes(&[all.slice(1, 2)]), hashes(&[all])[1..]);
    }

    #[test]
    fn order_of_columns_matters() {
        let (a, b): (ArrayRef, ArrayRef) =
            (Arc::new(StringArray::from(vec!["a"])), Arc::new(StringArray::from(vec!["b"])));
        assert_ne!(hashes(&[a.clone(), b.clone()]), hashes(&[b, a]));
    }
}
