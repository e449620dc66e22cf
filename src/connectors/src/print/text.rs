//! Rows in text, as Flink's print connector shows them.

use std::fmt::Write;
use std::ops::Range;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{DataType, TimeUnit};
use tidemill_engine::change::split;
use tidemill_plan::Change;

use crate::formats::time::write_date_time;

/// A line for each row, or for each change of a row.
pub fn lines(name: &str, rows: &RecordBatch) -> Result<String, ArrowError> {
    let options = FormatOptions::default().with_null("null");
    let (columns, changes) = split(rows);
    let columns = columns.iter().map(|array| Cells::new(array, &options)).collect::<Result<Vec<_>, _>>()?;
    let mut lines = String::with_capacity(rows.num_rows() * 64);
    for row in 0..rows.num_rows() {
        let change = changes.map_or(Some(Change::Insert), |changes| Change::of(changes.value(row)));
        let change = change.ok_or_else(|| ArrowError::InvalidArgumentError("a row has an unknown change".into()))?;
        write!(lines, "{name}> {}[", change.symbol()).map_err(failed)?;
        write_list(&columns, 0..columns.len(), &mut lines, |columns, place, out| columns[place].write(row, out))?;
        lines.push_str("]\n");
    }
    Ok(lines)
}

/// Values with commas between them.
fn write_list<T: ?Sized>(
    values: &T,
    places: Range<usize>,
    out: &mut String,
    write: impl Fn(&T, usize, &mut String) -> Result<(), ArrowError>,
) -> Result<(), ArrowError> {
    let first = places.start;
    for place in places {
        if place > first {
            out.push_str(", ");
        }
        write(values, place, out)?;
    }
    Ok(())
}

struct Cells<'a> {
    array: &'a dyn Array,
    kind: Kind<'a>,
}

enum Kind<'a> {
    Timestamps { values: &'a [i64], per_second: i64, zoned: bool },
    Row(Vec<Cells<'a>>),
    Array { offsets: &'a [i32], elements: Box<Cells<'a>> },
    Map { offsets: &'a [i32], keys: Box<Cells<'a>>, values: Box<Cells<'a>> },
    Other(ArrayFormatter<'a>),
}

impl<'a> Cells<'a> {
    fn new(array: &'a dyn Array, options: &FormatOptions<'a>) -> Result<Self, ArrowError> {
        let boxed = |array: &'a dyn Array| Self::new(array, options).map(Box::new);
        let kind = match array.data_type() {
            DataType::Timestamp(unit, zone) => {
                let (values, per_second) = timestamps(array, *unit);
                Kind::Timestamps { values, per_second, zoned: zone.is_some() }
            }
            DataType::Struct(_) => {
                let fields = array.as_struct().columns().iter();
                Kind::Row(fields.map(|field| Self::new(field, options)).collect::<Result<_, _>>()?)
            }
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                Kind::Array { offsets: list.value_offsets(), elements: boxed(list.values())? }
            }
            DataType::Map(_, _) => {
                let map = array.as_map();
                Kind::Map { offsets: map.value_offsets(), keys: boxed(map.keys())?, values: boxed(map.values())? }
            }
            _ => Kind::Other(ArrayFormatter::try_new(array, options)?),
        };
        Ok(Self { array, kind })
    }

    fn write(&self, row: usize, out: &mut String) -> Result<(), ArrowError> {
        let range = |offsets: &[i32]| offsets[row] as usize..offsets[row + 1] as usize;
        match &self.kind {
            _ if self.array.is_null(row) => out.push_str("null"),
            Kind::Timestamps { values, per_second, zoned } => {
                out.push_str(&java_time(values[row], *per_second, *zoned));
            }
            Kind::Row(fields) => {
                out.push_str("+I[");
                write_list(fields, 0..fields.len(), out, |fields, place, out| fields[place].write(row, out))?;
                out.push(']');
            }
            Kind::Array { offsets, elements } => {
                out.push('[');
                write_list(&**elements, range(offsets), out, Cells::write)?;
                out.push(']');
            }
            Kind::Map { offsets, keys, values } => {
                out.push('{');
                write_list(&(keys, values), range(offsets), out, |(keys, values), place, out| {
                    keys.write(place, out)?;
                    out.push('=');
                    values.write(place, out)
                })?;
                out.push('}');
            }
            Kind::Other(formatter) => write!(out, "{}", formatter.value(row)).map_err(failed)?,
        }
        Ok(())
    }
}

fn timestamps(array: &dyn Array, unit: TimeUnit) -> (&[i64], i64) {
    match unit {
        TimeUnit::Second => (array.as_primitive::<TimestampSecondType>().values(), 1),
        TimeUnit::Millisecond => (array.as_primitive::<TimestampMillisecondType>().values(), 1_000),
        TimeUnit::Microsecond => (array.as_primitive::<TimestampMicrosecondType>().values(), 1_000_000),
        TimeUnit::Nanosecond => (array.as_primitive::<TimestampNanosecondType>().values(), 1_000_000_000),
    }
}

fn failed(_: std::fmt::Error) -> ArrowError {
    ArrowError::CastError("a value has no text".into())
}

/// As Java's `LocalDateTime` and `Instant` print themselves: fractions in groups of three digits, and for the former no
/// seconds where they are zero.
fn java_time(value: i64, per_second: i64, zoned: bool) -> String {
    let (seconds, fraction) = (value.div_euclid(per_second), value.rem_euclid(per_second));
    let nanoseconds = fraction * (1_000_000_000 / per_second);
    let mut text = Vec::with_capacity(32);
    write_date_time(&mut text, seconds, b'T');
    if nanoseconds == 0 && seconds.rem_euclid(60) == 0 && !zoned {
        text.truncate(text.len() - 3);
    }
    let mut text = String::from_utf8(text).expect("digits and separators are ASCII");
    if nanoseconds % 1_000 != 0 {
        text.push_str(&format!(".{nanoseconds:09}"));
    } else if nanoseconds % 1_000_000 != 0 {
        text.push_str(&format!(".{:06}", nanoseconds / 1_000));
    } else if nanoseconds != 0 {
        text.push_str(&format!(".{:03}", nanoseconds / 1_000_000));
    }
    if zoned {
        text.push('Z');
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, BooleanArray, Float64Array, StringArray, TimestampMillisecondArray};

    use super::*;

    #[test]
    fn rows_look_as_in_flink() {
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("a", Arc::new(StringArray::from(vec![Some("x, y"), None]))),
            ("b", Arc::new(Float64Array::from(vec![1.0, 2.5]))),
            ("c", Arc::new(BooleanArray::from(vec![true, false]))),
            ("d", Arc::new(TimestampMillisecondArray::from(vec![Some(1_767_323_045_600), None]))),
            ("e", Arc::new(TimestampMillisecondArray::from(vec![0, 1]).with_timezone("UTC"))),
        ];
        let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true))).unwrap();
        assert_eq!(
            lines("t", &batch).unwrap(),
            "t> +I[x, y, 1.0, true, 2026-01-02T03:04:05.600, 1970-01-01T00:00:00Z]\n\
             t> +I[null, 2.5, false, null, 1970-01-01T00:00:00.001Z]\n"
        );
    }

    #[test]
    fn changes_have_their_symbols() {
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("n", Arc::new(arrow::array::Int64Array::from(vec![1, 1, 2, 2]))),
            (tidemill_plan::CHANGE, Arc::new(arrow::array::Int8Array::from(vec![0, 1, 2, 3]))),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        assert_eq!(lines("t", &batch).unwrap(), "t> +I[1]\nt> -U[1]\nt> +U[2]\nt> -D[2]\n");
    }

    #[test]
    fn nested_values_look_as_in_flink() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None]));
        let field = |name: &str, nullable| arrow_schema::Field::new(name, DataType::Utf8, nullable);
        let row = arrow::array::StructArray::from(vec![
            (Arc::new(field("x", true)), texts.clone()),
            (Arc::new(field("y", true)), texts.clone()),
        ]);
        let offsets = arrow::buffer::OffsetBuffer::from_lengths([2, 0]);
        let list = arrow::array::ListArray::new(Arc::new(field("item", true)), offsets, texts.clone(), None);
        let keys: ArrayRef = Arc::new(StringArray::from(vec!["k", "l"]));
        let entries = arrow::array::StructArray::from(vec![
            (Arc::new(field("keys", false)), keys),
            (Arc::new(field("values", true)), texts),
        ]);
        let entries_field = Arc::new(arrow_schema::Field::new("entries", entries.data_type().clone(), false));
        let offsets = arrow::buffer::OffsetBuffer::from_lengths([1, 1]);
        let map = arrow::array::MapArray::new(entries_field, offsets, entries, None, false);
        let columns: Vec<(&str, ArrayRef)> = vec![("r", Arc::new(row)), ("l", Arc::new(list)), ("m", Arc::new(map))];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        assert_eq!(
            lines("t", &batch).unwrap(),
            "t> +I[+I[a, a], [a, null], {k=a}]\nt> +I[+I[null, null], [], {l=null}]\n"
        );
    }

    #[test]
    fn a_whole_minute_has_no_seconds() {
        assert_eq!(java_time(0, 1000, false), "1970-01-01T00:00");
        assert_eq!(java_time(1, 1_000_000, false), "1970-01-01T00:00:00.000001");
    }
}
