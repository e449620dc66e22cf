//! Rows to JSON objects, one per row, in the order of the columns, as Flink's `json` format writes them.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time32MillisecondType, Time32SecondType, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use arrow::error::ArrowError;
use arrow_schema::{DataType, SchemaRef, TimeUnit};
use base64::Engine;
use std::io::Write;

use super::{JsonOptions, TimestampStandard};
use crate::formats::time::{write_clock, write_date, write_date_time, write_fraction};

/// Writes some columns of a table's rows.
pub struct Encoder {
    columns: Vec<usize>,
    /// `"name":` of each.
    keys: Vec<Vec<u8>>,
    options: JsonOptions,
}

/// A batch made ready for being written row by row.
pub struct Rows<'a> {
    encoder: &'a Encoder,
    values: Vec<Values<'a>>,
}

impl Encoder {
    /// An encoder of the columns at these places of the schema.
    pub fn new(schema: &SchemaRef, columns: Vec<usize>, options: JsonOptions) -> Self {
        let keys = columns.iter().map(|column| key(schema.field(*column).name())).collect();
        Self { columns, keys, options }
    }

    pub fn rows<'a>(&'a self, batch: &'a RecordBatch) -> Result<Rows<'a>, ArrowError> {
        let values = self.columns.iter().map(|column| Values::of(batch.column(*column).as_ref()));
        Ok(Rows { values: values.collect::<Result<_, ArrowError>>()?, encoder: self })
    }
}

impl Rows<'_> {
    /// Appends one row's object.
    pub fn write(&mut self, row: usize, out: &mut Vec<u8>) {
        write_object(&self.encoder.keys, &self.values, row, self.encoder.options, out);
    }
}

fn write_object(keys: &[Vec<u8>], values: &[Values<'_>], row: usize, options: JsonOptions, out: &mut Vec<u8>) {
    out.push(b'{');
    let mut first = true;
    for (key, values) in keys.iter().zip(values) {
        if options.ignore_null_fields && values.is_null(row) {
            continue;
        }
        if !first {
            out.push(b',');
        }
        first = false;
        out.extend_from_slice(key);
        values.write(row, options, out);
    }
    out.push(b'}');
}

fn key(name: &str) -> Vec<u8> {
    let mut key = Vec::new();
    write_string(&mut key, name);
    key.push(b':');
    key
}

fn separator(options: JsonOptions) -> u8 {
    match options.timestamps {
        TimestampStandard::Sql => b' ',
        TimestampStandard::Iso8601 => b'T',
    }
}

/// One column of a batch that is being written.
pub struct Values<'a> {
    pub array: &'a dyn Array,
    kind: Kind<'a>,
}

enum Kind<'a> {
    Boolean(&'a arrow::array::BooleanArray),
    Int8(&'a [i8]),
    Int16(&'a [i16]),
    Int32(&'a [i32]),
    Int64(&'a [i64]),
    Float32(&'a [f32]),
    Float64(&'a [f64]),
    Decimal(&'a arrow::array::Decimal128Array),
    Date(&'a [i32]),
    Time { values: &'a [i32], per_second: i32 },
    Timestamp { values: &'a [i64], per_second: i64, zoned: bool },
    Utf8(&'a arrow::array::StringArray),
    Binary(&'a arrow::array::BinaryArray),
    Row { keys: Vec<Vec<u8>>, fields: Vec<Values<'a>> },
    Array { offsets: &'a [i32], elements: Box<Values<'a>> },
    Map { offsets: &'a [i32], keys: &'a arrow::array::StringArray, values: Box<Values<'a>> },
    Null,
}

impl<'a> Values<'a> {
    pub fn of(array: &'a dyn Array) -> Result<Self, ArrowError> {
        let kind = match array.data_type() {
            DataType::Null => Kind::Null,
            DataType::Boolean => Kind::Boolean(array.as_boolean()),
            DataType::Int8 => Kind::Int8(array.as_primitive::<Int8Type>().values()),
            DataType::Int16 => Kind::Int16(array.as_primitive::<Int16Type>().values()),
            DataType::Int32 => Kind::Int32(array.as_primitive::<Int32Type>().values()),
            DataType::Int64 => Kind::Int64(array.as_primitive::<Int64Type>().values()),
            DataType::Float32 => Kind::Float32(array.as_primitive::<Float32Type>().values()),
            DataType::Float64 => Kind::Float64(array.as_primitive::<Float64Type>().values()),
            DataType::Decimal128(..) => Kind::Decimal(array.as_primitive::<Decimal128Type>()),
            DataType::Date32 => Kind::Date(array.as_primitive::<Date32Type>().values()),
            DataType::Time32(TimeUnit::Second) => {
                Kind::Time { values: array.as_primitive::<Time32SecondType>().values(), per_second: 1 }
            }
            DataType::Time32(_) => {
                Kind::Time { values: array.as_primitive::<Time32MillisecondType>().values(), per_second: 1000 }
            }
            DataType::Timestamp(unit, zone) => timestamps(array, *unit, zone.is_some()),
            DataType::Utf8 => Kind::Utf8(array.as_string()),
            DataType::Binary => Kind::Binary(array.as_binary()),
            DataType::Struct(fields) => Kind::Row {
                keys: fields.iter().map(|field| key(field.name())).collect(),
                fields: array.as_struct().columns().iter().map(|field| Self::of(field)).collect::<Result<_, _>>()?,
            },
            DataType::List(_) => Kind::Array {
                offsets: array.as_list::<i32>().value_offsets(),
                elements: Box::new(Self::of(array.as_list::<i32>().values())?),
            },
            DataType::Map(_, _) => Kind::Map {
                offsets: array.as_map().value_offsets(),
                keys: array.as_map().keys().as_string_opt().ok_or_else(|| no_json(array.data_type()))?,
                values: Box::new(Self::of(array.as_map().values())?),
            },
            other => return Err(no_json(other)),
        };
        Ok(Self { array, kind })
    }

    #[inline]
    pub fn is_null(&self, row: usize) -> bool {
        matches!(self.kind, Kind::Null) || self.array.is_null(row)
    }

    #[inline]
    pub fn write(&self, row: usize, options: JsonOptions, out: &mut Vec<u8>) {
        match self.is_null(row) {
            true => out.extend_from_slice(b"null"),
            false => self.kind.write(row, options, out),
        }
    }
}

/// The keys of a JSON object are texts.
fn no_json(data_type: &DataType) -> ArrowError {
    ArrowError::SchemaError(format!("{data_type} has no form in JSON"))
}

fn timestamps(array: &dyn Array, unit: TimeUnit, zoned: bool) -> Kind<'_> {
    let (values, per_second): (&[i64], i64) = match unit {
        TimeUnit::Second => (array.as_primitive::<TimestampSecondType>().values(), 1),
        TimeUnit::Millisecond => (array.as_primitive::<TimestampMillisecondType>().values(), 1_000),
        TimeUnit::Microsecond => (array.as_primitive::<TimestampMicrosecondType>().values(), 1_000_000),
        TimeUnit::Nanosecond => (array.as_primitive::<TimestampNanosecondType>().values(), 1_000_000_000),
    };
    Kind::Timestamp { values, per_second, zoned }
}

impl Kind<'_> {
    fn write(&self, row: usize, options: JsonOptions, out: &mut Vec<u8>) {
        match self {
            Self::Boolean(values) => out.extend_from_slice(if values.value(row) { b"true" } else { b"false" }),
            Self::Int8(values) => write_int(out, i64::from(values[row])),
            Self::Int16(values) => write_int(out, i64::from(values[row])),
            Self::Int32(values) => write_int(out, i64::from(values[row])),
            Self::Int64(values) => write_int(out, values[row]),
            // A float keeps its own shortest text: 0.1, not 0.10000000149011612.
            Self::Float32(values) => write_float(out, values[row].is_finite(), &values[row]),
            Self::Float64(values) => write_float(out, values[row].is_finite(), &values[row]),
            Self::Decimal(values) => out.extend_from_slice(values.value_as_string(row).as_bytes()),
            Self::Date(values) => quoted(out, |out| write_date(out, i64::from(values[row]))),
            Self::Time { values, per_second } => quoted(out, |out| write_clock(out, (values[row] / per_second) as u32)),
            Self::Timestamp { values, per_second, zoned } => {
                quoted(out, |out| write_timestamp(out, values[row], *per_second, *zoned, separator(options)));
            }
            Self::Utf8(values) => write_string(out, values.value(row)),
            Self::Binary(values) => quoted(out, |out| {
                out.extend_from_slice(base64::engine::general_purpose::STANDARD.encode(values.value(row)).as_bytes());
            }),
            Self::Row { keys, fields } => write_object(keys, fields, row, options, out),
            Self::Array { offsets, elements } => {
                out.push(b'[');
                for place in offsets[row]..offsets[row + 1] {
                    if place > offsets[row] {
                        out.push(b',');
                    }
                    elements.write(place as usize, options, out);
                }
                out.push(b']');
            }
            Self::Map { offsets, keys, values } => {
                out.push(b'{');
                for place in offsets[row]..offsets[row + 1] {
                    if place > offsets[row] {
                        out.push(b',');
                    }
                    write_string(out, keys.value(place as usize));
                    out.push(b':');
                    values.write(place as usize, options, out);
                }
                out.push(b'}');
            }
            Self::Null => out.extend_from_slice(b"null"),
        }
    }
}

fn quoted(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    write(out);
    out.push(b'"');
}

fn write_timestamp(out: &mut Vec<u8>, value: i64, per_second: i64, zoned: bool, separator: u8) {
    write_date_time(out, value.div_euclid(per_second), separator);
    write_fraction(out, (value.rem_euclid(per_second) * (1_000_000_000 / per_second)) as u32);
    if zoned {
        out.push(b'Z');
    }
}

/// Decimal digits, without going through the formatting machinery.
pub fn write_int(out: &mut Vec<u8>, value: i64) {
    let (mut digits, mut start, mut rest) = ([0u8; 20], 20, value.unsigned_abs());
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        start -= 1;
        digits[start] = b'-';
    }
    out.extend_from_slice(&digits[start..]);
}

/// NaN and the infinities are no JSON numbers and stand in quotes, as in Flink.
fn write_float(out: &mut Vec<u8>, finite: bool, value: &dyn std::fmt::Debug) {
    let quote = if finite { "" } else { "\"" };
    write!(out, "{quote}{value:?}{quote}").expect("writing to a vector cannot fail");
}

/// A JSON string with its quotes.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut written = 0;
    for (place, byte) in bytes.iter().enumerate() {
        if *byte >= 0x20 && *byte != b'"' && *byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[written..place]);
        written = place + 1;
        write_escape(out, *byte);
    }
    out.extend_from_slice(&bytes[written..]);
    out.push(b'"');
}

fn write_escape(out: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        _ => {
            write!(out, "\\u{byte:04X}").expect("writing to a vector cannot fail");
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, ListArray, StringArray,
        TimestampMillisecondArray,
    };
    use arrow::datatypes::Int32Type;

    use super::*;

    fn encoded(options: JsonOptions, columns: Vec<(&str, ArrayRef)>) -> Vec<String> {
        let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true))).unwrap();
        let encoder = Encoder::new(&batch.schema(), (0..batch.num_columns()).collect(), options);
        let mut rows = encoder.rows(&batch).unwrap();
        let write = |row| {
            let mut out = Vec::new();
            rows.write(row, &mut out);
            String::from_utf8(out).unwrap()
        };
        (0..batch.num_rows()).map(write).collect()
    }

    fn columns() -> Vec<(&'static str, ArrayRef)> {
        vec![
            ("page", Arc::new(StringArray::from(vec![Some("/a\"\u{1}"), None]))),
            ("views", Arc::new(Int64Array::from(vec![Some(i64::MIN), Some(7)]))),
            ("at", Arc::new(TimestampMillisecondArray::from(vec![1_767_323_045_600, -1]))),
            ("ltz", Arc::new(TimestampMillisecondArray::from(vec![0, 0]).with_timezone("UTC"))),
            ("share", Arc::new(Float64Array::from(vec![1.0, f64::NAN]))),
            ("sum", Arc::new(Decimal128Array::from(vec![150, -5]).with_precision_and_scale(10, 2).unwrap())),
            ("day", Arc::new(Date32Array::from(vec![0, 20455]))),
            ("new", Arc::new(BooleanArray::from(vec![true, false]))),
            (
                "list",
                Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(vec![Some(1), None]), None])),
            ),
        ]
    }

    #[test]
    fn rows_are_written_as_flink_writes_them() {
        let lines = encoded(JsonOptions::default(), columns());
        assert_eq!(
            lines[0],
            concat!(
                r#"{"page":"/a\"\u0001","views":-9223372036854775808,"at":"2026-01-02 03:04:05.6","#,
                r#""ltz":"1970-01-01 00:00:00Z","share":1.0,"sum":1.50,"day":"1970-01-01","new":true,"list":[1,null]}"#
            )
        );
        assert_eq!(
            lines[1],
            concat!(
                r#"{"page":null,"views":7,"at":"1969-12-31 23:59:59.999","#,
                r#""ltz":"1970-01-01 00:00:00Z","share":"NaN","sum":-0.05,"day":"2026-01-02","new":false,"list":null}"#
            )
        );
    }

    #[test]
    fn nested_values_are_written_by_the_same_rules() {
        use arrow::array::{Int64Builder, MapBuilder, StringBuilder, StructArray};
        use arrow_schema::Field;
        let at: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![Some(1_767_323_045_600), None]));
        let bytes: ArrayRef = Arc::new(arrow::array::BinaryArray::from(vec![b"ab".as_slice(), b"c"]));
        let row = StructArray::from(vec![
            (Arc::new(Field::new("at", at.data_type().clone(), true)), at),
            (Arc::new(Field::new("b", DataType::Binary, true)), bytes),
        ]);
        let mut map = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
        map.keys().append_value("k\"");
        map.values().append_value(1);
        map.append(true).unwrap();
        map.append(false).unwrap();
        let columns: Vec<(&str, ArrayRef)> = vec![("r", Arc::new(row)), ("m", Arc::new(map.finish()))];
        assert_eq!(
            encoded(JsonOptions::default(), columns),
            [
                r#"{"r":{"at":"2026-01-02 03:04:05.6","b":"YWI="},"m":{"k\"":1}}"#,
                r#"{"r":{"at":null,"b":"Yw=="},"m":null}"#
            ]
        );
    }

    #[test]
    fn nulls_may_be_left_out_and_timestamps_be_iso() {
        let options =
            JsonOptions { ignore_null_fields: true, timestamps: TimestampStandard::Iso8601, ..Default::default() };
        let lines = encoded(options, columns().into_iter().take(3).collect());
        assert_eq!(lines[1], r#"{"views":7,"at":"1969-12-31T23:59:59.999"}"#);
    }
}
