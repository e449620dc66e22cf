//! `PRINTF`: a format as Java's `String.format` has it, filled with values. What Java refuses gives NULL, as in Flink;
//! conversions that depend on Java's objects (`%h`, `%t`, `%a`, `%g`) are refused when planning.

use std::borrow::Cow;

use arrow_schema::DataType;
use datafusion_common::Result;
use datafusion_common::arrow::array::{Array, ArrayRef, AsArray};
use datafusion_common::arrow::compute::cast;
use datafusion_common::arrow::datatypes::{Float32Type, Float64Type, Int64Type, TimestampMillisecondType};
use datafusion_expr::ScalarFunctionArgs;

use super::Nulls::Sometimes;
use super::Parameter::{Single, Text};
use super::arguments::{Texts, collect_text};
use super::cast_text::text_of;
use super::kernel::own;
use super::pattern::format_timestamp;
use super::printf_format::{Format, Value};
use super::{Form, Function, Returns, Simple};

pub(super) fn functions() -> Vec<Function> {
    const TEXT: Returns = Returns::Type(Simple::Text);
    vec![
        own(
            "printf",
            &[
                Form { parameters: &[Text], repeats: false, returns: TEXT },
                Form { parameters: &[Text, Single], repeats: true, returns: TEXT },
            ],
            "PRINTF('format', value, …)",
            Sometimes,
            printf,
        )
        .checked(|constants| {
            let format = constants.first().cloned().flatten().ok_or("the format must be a string constant")?;
            format.parse::<Format>().map(|_| ())
        }),
    ]
}

fn printf(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let rows = arguments.number_rows;
    let formats = Texts::of(arguments, 0)?;
    let values =
        arguments.args[1..].iter().map(|argument| Values::of(argument.to_array(rows)?)).collect::<Result<Vec<_>>>()?;
    let mut written = Vec::with_capacity(rows);
    // The planner has made sure that it is one format for all rows.
    let format = formats.get(0).and_then(|format| format.parse::<Format>().ok());
    for row in 0..rows {
        let values = values.iter().map(|values| value(values, row)).collect::<Result<Vec<_>>>()?;
        written.push(format.as_ref().and_then(|format| format.filled(&values)));
    }
    Ok(collect_text(rows, |row| written[row].as_deref().map(Cow::Borrowed)))
}

/// What Flink hands to Java: dates and times of day as numbers, all whole numbers by their type.
struct Values {
    /// Whole numbers as BIGINT.
    column: ArrayRef,
    /// Of the type that whole numbers had.
    bits: u32,
}

impl Values {
    fn of(values: ArrayRef) -> Result<Self> {
        let (to, bits) = match values.data_type() {
            DataType::Int8 => (DataType::Int64, 8),
            DataType::Int16 => (DataType::Int64, 16),
            DataType::Int32 => (DataType::Int64, 32),
            DataType::Date32 | DataType::Time32(_) => return Self::of(cast(&values, &DataType::Int32)?),
            DataType::Utf8View | DataType::LargeUtf8 => (DataType::Utf8, 64),
            other => (other.clone(), 64),
        };
        Ok(Self { column: cast(&values, &to)?, bits })
    }
}

fn value(Values { column: values, bits }: &Values, row: usize) -> Result<Value> {
    if values.is_null(row) {
        return Ok(Value::Null);
    }
    Ok(match values.data_type() {
        DataType::Int64 => Value::Whole { number: values.as_primitive::<Int64Type>().value(row), bits: *bits },
        DataType::Float32 => {
            let number = values.as_primitive::<Float32Type>().value(row);
            Value::Double { number: number.into(), written: text_of(values, row)? }
        }
        DataType::Float64 => {
            let number = values.as_primitive::<Float64Type>().value(row);
            Value::Double { number, written: text_of(values, row)? }
        }
        DataType::Boolean => Value::Boolean(values.as_boolean().value(row)),
        DataType::Timestamp(_, _) => Value::Text(moment(values.as_primitive::<TimestampMillisecondType>().value(row))),
        _ => Value::Text(text_of(values, row)?),
    })
}

/// As Java writes a local time: without seconds or parts of them where they are zero.
fn moment(millis: i64) -> String {
    let form = match (millis % 60_000, millis % 1000) {
        (0, _) => "yyyy-MM-dd'T'HH:mm",
        (_, 0) => "yyyy-MM-dd'T'HH:mm:ss",
        _ => "yyyy-MM-dd'T'HH:mm:ss.SSS",
    };
    format_timestamp(millis, form)
}
