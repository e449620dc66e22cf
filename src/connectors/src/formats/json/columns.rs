//! Columns under construction: each takes a value as it stands in the JSON text and converts it to its own type.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Decimal128Array, NullBufferBuilder, PrimitiveArray, StringArray,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{
    ArrowPrimitiveType, Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time32MillisecondType, Time32SecondType, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use arrow::error::ArrowError;
use arrow_schema::{DataType, Field, TimeUnit};
use base64::Engine;

use super::scan::{RawString, unescape};
use crate::formats::numbers::{parse_decimal, parse_float, parse_int};
use crate::formats::time::{Zone, parse_date, parse_date_time, parse_time};

/// What a message has for a field.
#[derive(Clone, Copy, Debug)]
pub enum Cell {
    Absent,
    Null,
    String(RawString),
    /// A number, `true` or `false`.
    Bare {
        start: usize,
        end: usize,
    },
    /// An object or array.
    Nested {
        start: usize,
        end: usize,
    },
}

/// One column of a batch that is being built.
pub struct Column {
    values: Values,
    nulls: NullBufferBuilder,
    nullable: bool,
    /// For strings that have to be unescaped before they are converted.
    scratch: Vec<u8>,
}

enum Values {
    Boolean(Vec<bool>),
    Int8(Vec<i8>),
    Int16(Vec<i16>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Float32(Vec<f32>),
    Float64(Vec<f64>),
    Decimal { values: Vec<i128>, precision: u8, scale: i8 },
    Date(Vec<i32>),
    Time { values: Vec<i32>, unit: TimeUnit },
    Timestamp { values: Vec<i64>, unit: TimeUnit, zone: Option<Arc<str>> },
    Utf8(Texts),
    Binary(Texts),
}

#[derive(Default)]
struct Texts {
    bytes: Vec<u8>,
    offsets: Vec<i32>,
}

/// The value does not have the column's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mismatch(pub &'static str);

impl Column {
    /// A column of the field's type; none if the type is not flat.
    pub fn new(field: &Field, capacity: usize) -> Option<Self> {
        Some(Self {
            values: Values::new(field.data_type(), capacity)?,
            nulls: NullBufferBuilder::new(capacity),
            nullable: field.is_nullable(),
            scratch: Vec::new(),
        })
    }

    /// Appends a value of the message `text`. On a mismatch nothing is appended.
    #[inline]
    pub fn append(&mut self, text: &[u8], cell: Cell) -> Result<(), Mismatch> {
        match cell {
            Cell::Absent | Cell::Null => return self.append_null(),
            Cell::String(raw) => self.append_string(text, raw)?,
            Cell::Bare { start, end } => self.values.push_bare(&text[start..end])?,
            Cell::Nested { start, end } => self.values.push_nested(&text[start..end])?,
        }
        self.nulls.append_non_null();
        Ok(())
    }

    fn append_string(&mut self, text: &[u8], raw: RawString) -> Result<(), Mismatch> {
        let mut value = &text[raw.start..raw.end];
        if raw.escaped {
            self.scratch.clear();
            unescape(value, raw.start, &mut self.scratch).map_err(|fault| Mismatch(fault.reason))?;
            value = &self.scratch;
        }
        if raw.wide && std::str::from_utf8(value).is_err() {
            return Err(Mismatch("is not valid UTF-8"));
        }
        self.values.push_string(value)
    }

    pub fn append_null(&mut self) -> Result<(), Mismatch> {
        if !self.nullable {
            return Err(Mismatch("is NULL or missing, and the column is NOT NULL"));
        }
        self.values.push_default();
        self.nulls.append_null();
        Ok(())
    }

    /// Appends NULL, whatever the column says: for a field of a row that is not there.
    pub fn append_hidden(&mut self) {
        self.values.push_default();
        self.nulls.append_null();
    }

    /// Forgets all rows from `rows` on.
    pub fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows);
        self.nulls.truncate(rows);
    }

    /// The finished column; building starts anew.
    pub fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        let nulls = self.nulls.finish();
        self.values.finish(nulls)
    }
}

impl Values {
    fn new(data_type: &DataType, capacity: usize) -> Option<Self> {
        Some(match data_type {
            DataType::Boolean => Self::Boolean(Vec::with_capacity(capacity)),
            DataType::Int8 => Self::Int8(Vec::with_capacity(capacity)),
            DataType::Int16 => Self::Int16(Vec::with_capacity(capacity)),
            DataType::Int32 => Self::Int32(Vec::with_capacity(capacity)),
            DataType::Int64 => Self::Int64(Vec::with_capacity(capacity)),
            DataType::Float32 => Self::Float32(Vec::with_capacity(capacity)),
            DataType::Float64 => Self::Float64(Vec::with_capacity(capacity)),
            DataType::Decimal128(precision, scale) => {
                Self::Decimal { values: Vec::with_capacity(capacity), precision: *precision, scale: *scale }
            }
            DataType::Date32 => Self::Date(Vec::with_capacity(capacity)),
            DataType::Time32(unit) => Self::Time { values: Vec::with_capacity(capacity), unit: *unit },
            DataType::Timestamp(unit, zone) => {
                Self::Timestamp { values: Vec::with_capacity(capacity), unit: *unit, zone: zone.clone() }
            }
            DataType::Utf8 => Self::Utf8(Texts::new(capacity)),
            DataType::Binary => Self::Binary(Texts::new(capacity)),
            _ => return None,
        })
    }

    #[inline]
    fn push_bare(&mut self, text: &[u8]) -> Result<(), Mismatch> {
        match self {
            Self::Boolean(values) => values.push(match text {
                b"true" => true,
                b"false" => false,
                _ => return Err(Mismatch("is no BOOLEAN")),
            }),
            Self::Utf8(texts) => texts.push(text),
            Self::Date(_) | Self::Time { .. } | Self::Timestamp { .. } => {
                return Err(Mismatch("is a number where a date or time in quotes was expected"));
            }
            Self::Binary(_) => return Err(Mismatch("is no base64 text")),
            _ => self.push_number(text)?,
        }
        Ok(())
    }

    fn push_number(&mut self, text: &[u8]) -> Result<(), Mismatch> {
        let int = || parse_int(text).ok_or(Mismatch("is no whole number that fits the column"));
        let float = || parse_float(text).ok_or(Mismatch("is no number"));
        const NARROW: Mismatch = Mismatch("is too large for the column");
        match self {
            Self::Int64(values) => values.push(int()?),
            Self::Int32(values) => values.push(int()?.try_into().map_err(|_| NARROW)?),
            Self::Int16(values) => values.push(int()?.try_into().map_err(|_| NARROW)?),
            Self::Int8(values) => values.push(int()?.try_into().map_err(|_| NARROW)?),
            Self::Float64(values) => values.push(float()?),
            Self::Float32(values) => values.push(float()? as f32),
            Self::Decimal { values, precision, scale } => {
                values.push(
                    parse_decimal(text, *precision, *scale).ok_or(Mismatch("is no number that fits the DECIMAL"))?,
                );
            }
            _ => return Err(Mismatch("is a number")),
        }
        Ok(())
    }

    #[inline]
    fn push_string(&mut self, text: &[u8]) -> Result<(), Mismatch> {
        match self {
            Self::Utf8(texts) => texts.push(text),
            Self::Timestamp { values, unit, zone } => values.push(timestamp(text, *unit, zone.is_some())?),
            Self::Date(values) => values.push(parse_date(text).ok_or(Mismatch("is no date like 2026-01-02"))?),
            Self::Time { values, unit } => values.push(time(text, *unit)?),
            Self::Boolean(values) => values.push(match text.trim_ascii() {
                word if word.eq_ignore_ascii_case(b"true") => true,
                word if word.eq_ignore_ascii_case(b"false") => false,
                _ => return Err(Mismatch("is no BOOLEAN")),
            }),
            Self::Binary(texts) => {
                let bytes = base64::engine::general_purpose::STANDARD.decode(text);
                texts.push(&bytes.map_err(|_| Mismatch("is no base64 text"))?);
            }
            _ => self.push_number(text.trim_ascii())?,
        }
        Ok(())
    }

    /// An object or array is text to a STRING column, as in Flink, and a mismatch to any other.
    fn push_nested(&mut self, text: &[u8]) -> Result<(), Mismatch> {
        match self {
            Self::Utf8(texts) if std::str::from_utf8(text).is_ok() => texts.push(text),
            Self::Utf8(_) => return Err(Mismatch("is not valid UTF-8")),
            _ => return Err(Mismatch("is an object or array")),
        }
        Ok(())
    }

    fn push_default(&mut self) {
        match self {
            Self::Boolean(values) => values.push(false),
            Self::Int8(values) => values.push(0),
            Self::Int16(values) => values.push(0),
            Self::Int32(values) | Self::Date(values) | Self::Time { values, .. } => values.push(0),
            Self::Int64(values) | Self::Timestamp { values, .. } => values.push(0),
            Self::Float32(values) => values.push(0.0),
            Self::Float64(values) => values.push(0.0),
            Self::Decimal { values, .. } => values.push(0),
            Self::Utf8(texts) | Self::Binary(texts) => texts.push(&[]),
        }
    }

    fn truncate(&mut self, rows: usize) {
        match self {
            Self::Boolean(values) => values.truncate(rows),
            Self::Int8(values) => values.truncate(rows),
            Self::Int16(values) => values.truncate(rows),
            Self::Int32(values) | Self::Date(values) | Self::Time { values, .. } => values.truncate(rows),
            Self::Int64(values) | Self::Timestamp { values, .. } => values.truncate(rows),
            Self::Float32(values) => values.truncate(rows),
            Self::Float64(values) => values.truncate(rows),
            Self::Decimal { values, .. } => values.truncate(rows),
            Self::Utf8(texts) | Self::Binary(texts) => texts.truncate(rows),
        }
    }

    fn finish(&mut self, nulls: Option<NullBuffer>) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            Self::Boolean(values) => {
                let bits = BooleanBuffer::from(values.as_slice());
                values.clear();
                Arc::new(BooleanArray::new(bits, nulls))
            }
            Self::Int8(values) => primitive::<Int8Type>(values, nulls)?,
            Self::Int16(values) => primitive::<Int16Type>(values, nulls)?,
            Self::Int32(values) => primitive::<Int32Type>(values, nulls)?,
            Self::Int64(values) => primitive::<Int64Type>(values, nulls)?,
            Self::Float32(values) => primitive::<Float32Type>(values, nulls)?,
            Self::Float64(values) => primitive::<Float64Type>(values, nulls)?,
            Self::Decimal { values, precision, scale } => {
                Arc::new(Decimal128Array::try_new(taken(values), nulls)?.with_precision_and_scale(*precision, *scale)?)
            }
            Self::Date(values) => primitive::<Date32Type>(values, nulls)?,
            Self::Time { values, unit: TimeUnit::Second } => primitive::<Time32SecondType>(values, nulls)?,
            Self::Time { values, .. } => primitive::<Time32MillisecondType>(values, nulls)?,
            Self::Timestamp { values, unit, zone } => timestamps(values, *unit, zone.clone(), nulls)?,
            Self::Utf8(texts) => {
                let (offsets, bytes) = texts.take();
                Arc::new(StringArray::try_new(offsets, bytes, nulls)?)
            }
            Self::Binary(texts) => {
                let (offsets, bytes) = texts.take();
                Arc::new(BinaryArray::try_new(offsets, bytes, nulls)?)
            }
        })
    }
}

fn timestamp(text: &[u8], unit: TimeUnit, with_zone: bool) -> Result<i64, Mismatch> {
    let parsed = parse_date_time(text).ok_or(Mismatch("is no timestamp like 2026-01-02 03:04:05.678"))?;
    let seconds = match (parsed.zone, with_zone) {
        (Zone::Absent, false) => parsed.seconds,
        (Zone::Offset(offset), true) => parsed.seconds - offset,
        (Zone::Absent, true) => {
            return Err(Mismatch("has no zone, which a TIMESTAMP_LTZ needs; write a `Z` at its end"));
        }
        (Zone::Offset(_), false) => return Err(Mismatch("has a zone, so its column must be a TIMESTAMP_LTZ")),
    };
    let nanoseconds = i64::from(parsed.nanoseconds);
    let scaled = match unit {
        TimeUnit::Second => Some(seconds),
        TimeUnit::Millisecond => Some(seconds * 1_000 + nanoseconds / 1_000_000),
        TimeUnit::Microsecond => Some(seconds * 1_000_000 + nanoseconds / 1_000),
        TimeUnit::Nanosecond => seconds.checked_mul(1_000_000_000).and_then(|value| value.checked_add(nanoseconds)),
    };
    scaled.ok_or(Mismatch("is outside the range of its type"))
}

fn time(text: &[u8], unit: TimeUnit) -> Result<i32, Mismatch> {
    let (seconds, nanoseconds) =
        parse_time(text.strip_suffix(b"Z").unwrap_or(text)).ok_or(Mismatch("is no time like 03:04:05"))?;
    Ok(match unit {
        TimeUnit::Second => seconds as i32,
        _ => (seconds * 1000) as i32 + (nanoseconds / 1_000_000) as i32,
    })
}

/// The values, leaving a vector of the same capacity behind: batches of a stream tend to be alike.
fn taken<T: arrow::datatypes::ArrowNativeType>(values: &mut Vec<T>) -> ScalarBuffer<T> {
    let capacity = values.capacity();
    ScalarBuffer::from(std::mem::replace(values, Vec::with_capacity(capacity)))
}

fn primitive<T: ArrowPrimitiveType>(
    values: &mut Vec<T::Native>,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef, ArrowError> {
    Ok(Arc::new(PrimitiveArray::<T>::try_new(taken(values), nulls)?))
}

fn timestamps(
    values: &mut Vec<i64>,
    unit: TimeUnit,
    zone: Option<Arc<str>>,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef, ArrowError> {
    let values = taken(values);
    Ok(match unit {
        TimeUnit::Second => {
            Arc::new(PrimitiveArray::<TimestampSecondType>::try_new(values, nulls)?.with_timezone_opt(zone))
        }
        TimeUnit::Millisecond => {
            Arc::new(PrimitiveArray::<TimestampMillisecondType>::try_new(values, nulls)?.with_timezone_opt(zone))
        }
        TimeUnit::Microsecond => {
            Arc::new(PrimitiveArray::<TimestampMicrosecondType>::try_new(values, nulls)?.with_timezone_opt(zone))
        }
        TimeUnit::Nanosecond => {
            Arc::new(PrimitiveArray::<TimestampNanosecondType>::try_new(values, nulls)?.with_timezone_opt(zone))
        }
    })
}

impl Texts {
    fn new(capacity: usize) -> Self {
        let mut offsets = Vec::with_capacity(capacity + 1);
        offsets.push(0);
        Self { bytes: Vec::with_capacity(capacity * 16), offsets }
    }

    #[inline]
    fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.offsets.push(self.bytes.len() as i32);
    }

    fn truncate(&mut self, rows: usize) {
        self.offsets.truncate(rows + 1);
        self.bytes.truncate(self.offsets.last().map_or(0, |end| *end as usize));
    }

    fn take(&mut self) -> (OffsetBuffer<i32>, Buffer) {
        let (capacity, room) = (self.offsets.capacity(), self.bytes.len() + self.bytes.len() / 8);
        let mut offsets = Vec::with_capacity(capacity);
        offsets.push(0);
        let offsets = std::mem::replace(&mut self.offsets, offsets);
        let bytes = std::mem::replace(&mut self.bytes, Vec::with_capacity(room));
        (OffsetBuffer::new(ScalarBuffer::from(offsets)), Buffer::from_vec(bytes))
    }
}
