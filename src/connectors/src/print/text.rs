//! Rows in text, as Flink's print connector shows them.

use std::fmt::Write;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{DataType, TimeUnit};

use crate::formats::time::write_date_time;

/// A line for each row.
pub fn lines(name: &str, rows: &RecordBatch) -> Result<String, ArrowError> {
    let options = FormatOptions::default().with_null("null");
    let columns = rows.columns().iter().map(|array| Cells::new(array, &options)).collect::<Result<Vec<_>, _>>()?;
    let mut lines = String::with_capacity(rows.num_rows() * 64);
    for row in 0..rows.num_rows() {
        write!(lines, "{name}> +I[").map_err(failed)?;
        for (place, column) in columns.iter().enumerate() {
            if place > 0 {
                lines.push_str(", ");
            }
            column.write(row, &mut lines)?;
        }
        lines.push_str("]\n");
    }
    Ok(lines)
}

enum Cells<'a> {
    Timestamps { array: &'a dyn Array, values: &'a [i64], per_second: i64, zoned: bool },
    Other(ArrayFormatter<'a>),
}

impl<'a> Cells<'a> {
    fn new(array: &'a dyn Array, options: &FormatOptions<'a>) -> Result<Self, ArrowError> {
        let DataType::Timestamp(unit, zone) = array.data_type() else {
            return Ok(Self::Other(ArrayFormatter::try_new(array, options)?));
        };
        let (values, per_second): (&[i64], i64) = match unit {
            TimeUnit::Second => (array.as_primitive::<TimestampSecondType>().values(), 1),
            TimeUnit::Millisecond => (array.as_primitive::<TimestampMillisecondType>().values(), 1_000),
            TimeUnit::Microsecond => (array.as_primitive::<TimestampMicrosecondType>().values(), 1_000_000),
            TimeUnit::Nanosecond => (array.as_primitive::<TimestampNanosecondType>().values(), 1_000_000_000),
        };
        Ok(Self::Timestamps { array, values, per_second, zoned: zone.is_some() })
    }

    fn write(&self, row: usize, out: &mut String) -> Result<(), ArrowError> {
        match self {
            Self::Timestamps { array, .. } if array.is_null(row) => out.push_str("null"),
            Self::Timestamps { values, per_second, zoned, .. } => {
                out.push_str(&java_time(values[row], *per_second, *zoned))
            }
            Self::Other(formatter) => write!(out, "{}", formatter.value(row)).map_err(failed)?,
        }
        Ok(())
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
    fn a_whole_minute_has_no_seconds() {
        assert_eq!(java_time(0, 1000, false), "1970-01-01T00:00");
        assert_eq!(java_time(1, 1_000_000, false), "1970-01-01T00:00:00.000001");
    }
}
