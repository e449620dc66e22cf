//! Sort keys: a value for each row that compares as its sort columns do.
//!
//! One column of integers or times makes a number; everything else bytes. Operators are generic over the two.

use std::cmp::Ordering;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef};
use arrow::compute::{SortOptions, cast};
use arrow::datatypes::{DataType, Int64Type, Schema, TimeUnit};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, Rows, SortField};
use tidemill_plan::SortKey;

/// What rows are sorted by, checked against the input.
pub struct Order {
    keys: Vec<SortKey>,
    converter: RowConverter,
    is_number: bool,
}

impl Order {
    pub fn new(keys: &[SortKey], input: &Schema) -> Result<Self, String> {
        let mut fields = Vec::with_capacity(keys.len());
        for key in keys {
            let field = input.fields().get(key.column);
            let field = field.ok_or_else(|| format!("its input has no column {}", key.column))?;
            let options = SortOptions { descending: key.descending, nulls_first: key.nulls_first };
            fields.push(SortField::new_with_options(field.data_type().clone(), options));
        }
        let is_number = match keys {
            [] => true,
            [key] => is_integer(input.field(key.column).data_type()),
            _ => false,
        };
        let converter = RowConverter::new(fields).map_err(|error| error.to_string())?;
        Ok(Self { keys: keys.to_vec(), converter, is_number })
    }

    /// Whether sort keys can be [`Number`]s, else `Box<[u8]>`.
    pub fn is_number(&self) -> bool {
        self.is_number
    }
}

pub fn is_integer(data_type: &DataType) -> bool {
    use DataType as T;
    matches!(data_type, T::Int8 | T::Int16 | T::Int32 | T::Int64 | T::Date32)
        || matches!(data_type, T::Time32(TimeUnit::Millisecond) | T::Timestamp(TimeUnit::Millisecond, _))
}

/// NULL or not, and the value. Not one `u128`, whose alignment would make entries half as large again.
pub type Number = (u64, u64);

/// A row's sort key.
pub trait OrderKey: Ord + Clone + 'static {
    /// The keys of a batch's rows.
    type Batch;

    fn encode(order: &Order, columns: &[ArrayRef], rows: usize) -> Result<Self::Batch, ArrowError>;

    fn of_row(batch: &Self::Batch, row: usize) -> Self;

    /// How a row's key compares with another.
    fn compare(batch: &Self::Batch, row: usize, other: &Self) -> Ordering;
}

impl OrderKey for Number {
    type Batch = Vec<Number>;

    fn encode(order: &Order, columns: &[ArrayRef], rows: usize) -> Result<Vec<Number>, ArrowError> {
        let Some(key) = order.keys.first() else { return Ok(vec![(0, 0); rows]) };
        let column = as_integers(&columns[key.column])?;
        let values = column.as_primitive::<Int64Type>();
        let sign: u64 = if key.descending { !(1 << 63) } else { 1 << 63 };
        // Flipping the sign bit makes signed numbers compare as unsigned ones; flipping the others reverses them.
        let present = |value: &i64| (1, *value as u64 ^ sign);
        let null = if key.nulls_first { (0, 0) } else { (2, 0) };
        Ok(match values.nulls() {
            None => values.values().iter().map(present).collect(),
            Some(nulls) => nulls
                .iter()
                .zip(values.values())
                .map(|(is_present, value)| if is_present { present(value) } else { null })
                .collect(),
        })
    }

    fn of_row(batch: &Vec<Number>, row: usize) -> Number {
        batch[row]
    }

    fn compare(batch: &Vec<Number>, row: usize, other: &Number) -> Ordering {
        batch[row].cmp(other)
    }
}

impl OrderKey for Box<[u8]> {
    type Batch = Rows;

    fn encode(order: &Order, columns: &[ArrayRef], _rows: usize) -> Result<Rows, ArrowError> {
        let columns: Vec<ArrayRef> = order.keys.iter().map(|key| columns[key.column].clone()).collect();
        order.converter.convert_columns(&columns)
    }

    fn of_row(batch: &Rows, row: usize) -> Box<[u8]> {
        batch.row(row).data().into()
    }

    fn compare(batch: &Rows, row: usize, other: &Box<[u8]>) -> Ordering {
        batch.row(row).data().cmp(other)
    }
}

/// The values of a column of integers or times.
pub fn as_integers(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match column.data_type() {
        DataType::Int64 => Ok(column.clone()),
        DataType::Date32 | DataType::Time32(_) => cast(&cast(column, &DataType::Int32)?, &DataType::Int64),
        _ => cast(column, &DataType::Int64),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int32Array, StringArray};
    use arrow::datatypes::Field;

    use super::*;

    /// The order in which rows with these keys stand.
    fn sorted<K: OrderKey>(key: SortKey, column: ArrayRef) -> Vec<usize> {
        let schema = Schema::new(vec![Field::new("n", column.data_type().clone(), true)]);
        let order = Order::new(&[key], &schema).unwrap();
        let batch = K::encode(&order, std::slice::from_ref(&column), column.len()).unwrap();
        let keys: Vec<K> = (0..column.len()).map(|row| K::of_row(&batch, row)).collect();
        let mut rows: Vec<usize> = (0..column.len()).collect();
        rows.sort_by(|one, other| K::compare(&batch, *one, &keys[*other]));
        rows
    }

    #[test]
    fn numbers_and_bytes_sort_alike() {
        let column: ArrayRef =
            Arc::new(Int32Array::from(vec![Some(3), None, Some(-4), Some(i32::MAX), Some(i32::MIN)]));
        for (descending, nulls_first, expected) in [
            (false, false, [4, 2, 0, 3, 1]),
            (false, true, [1, 4, 2, 0, 3]),
            (true, false, [3, 0, 2, 4, 1]),
            (true, true, [1, 3, 0, 2, 4]),
        ] {
            let key = SortKey { column: 0, descending, nulls_first };
            assert_eq!(sorted::<Number>(key, column.clone()), expected);
            assert_eq!(sorted::<Box<[u8]>>(key, column.clone()), expected);
        }
    }

    #[test]
    fn texts_sort_by_their_bytes() {
        let column: ArrayRef = Arc::new(StringArray::from(vec!["b", "", "ab"]));
        let key = SortKey { column: 0, descending: false, nulls_first: false };
        assert_eq!(sorted::<Box<[u8]>>(key, column), [1, 2, 0]);
    }
}
