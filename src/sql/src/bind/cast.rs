//! Casts. Where Arrow's cast would answer otherwise than Flink's, a function does it; where neither is right, it is
//! refused.

use arrow_schema::{DataType, TimeUnit};
use sqlparser::tokenizer::Span;
use tidemill_plan::functions::casts;
use tidemill_plan::{Expression, Literal};

use super::literal::{cast_text, string_of};
use super::{Typed, nested};
use crate::error::{Result, SqlError};
use crate::types::{self, SqlType, TIME, TIMESTAMP, is_approximate, is_number, is_whole};

const TIMESTAMP_PATTERN: &str = "yyyy-MM-dd HH:mm:ss.SSS";

/// What becomes of values that cannot be cast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnError {
    Fail,
    Null,
}

/// `CAST(value AS to)`, or `TRY_CAST`.
pub(super) fn explicit(value: Typed, to: &SqlType, on_error: OnError, span: Span) -> Result<Typed> {
    if let Some(made) = part_by_part(&value, to, on_error, span)? {
        return Ok(made);
    }
    if to.whole_seconds {
        return whole_seconds(value, on_error, span);
    }
    let value = convert(value, &to.arrow, on_error, span)?;
    match to.length {
        Some(length) if length < i32::MAX as u64 => Ok(shortened(value, length, to.padded)),
        _ => Ok(value),
    }
}

/// A cast of a ROW field by field, or of a constructed ARRAY or MAP part by part; none for other casts.
fn part_by_part(value: &Typed, to: &SqlType, on_error: OnError, span: Span) -> Result<Option<Typed>> {
    if value.data_type == to.arrow && to.parts.iter().all(|part| part.length.is_none()) {
        return Ok(None);
    }
    let parts: Vec<Typed> = match (&value.data_type, &to.arrow, &value.expression) {
        (DataType::Struct(from), DataType::Struct(into), _) if from.len() == into.len() => {
            nested::fields(value).into_iter().map(|(_, part)| part).collect()
        }
        (DataType::List(_), DataType::List(_), Expression::Construct { parts, .. })
        | (DataType::Map(_, _), DataType::Map(_, _), Expression::Construct { parts, .. }) => {
            let types = types::parts_of(&value.data_type, parts.len()).unwrap_or_default();
            parts.iter().zip(types).map(|(part, data_type)| Typed::new(part.clone(), data_type, true)).collect()
        }
        _ => return Ok(None),
    };
    let targets = to.parts.iter().cycle();
    let parts = parts.into_iter().zip(targets).map(|(part, target)| explicit(part, target, on_error, span));
    let made = nested::construct(to.arrow.clone(), parts.collect::<Result<_>>()?);
    Ok(Some(nested::null_with(value.clone(), made)))
}

/// The value for a table's column of this type, if it goes in without a CAST.
pub(super) fn assign(value: Typed, to: &DataType, span: Span) -> Option<Result<Typed>> {
    types::assignable(&value.data_type, to).then(|| explicit(value, &SqlType::of(to), OnError::Fail, span))
}

/// The same for a column that is written: a whole number goes into a STRING too, for which Flink wants a CAST.
pub(crate) fn assign_written(value: Typed, to: &DataType, span: Span) -> Option<Result<Typed>> {
    if is_whole(&value.data_type) && *to == DataType::Utf8 {
        return Some(explicit(value, &SqlType::of(to), OnError::Fail, span));
    }
    assign(value, to, span)
}

/// The value as of this type, if it can be cast at all.
pub(crate) fn cast_to(value: Typed, to: &DataType, span: Span) -> Result<Typed> {
    explicit(value, &SqlType::of(to), OnError::Fail, span)
}

/// A time of day without parts of seconds.
fn whole_seconds(value: Typed, on_error: OnError, span: Span) -> Result<Typed> {
    if let DataType::Timestamp(_, None) = value.data_type {
        return Ok(arrow(arrow(value, &DataType::Time32(TimeUnit::Second), on_error), &TIME, on_error));
    }
    let time = convert(value, &TIME, on_error, span)?;
    Ok(match time.expression {
        Expression::Literal(Literal::Time32Millis(millis)) if millis % 1000 == 0 => time,
        _ => floored(time, "SECOND"),
    })
}

fn floored(value: Typed, unit: &str) -> Typed {
    let (data_type, nullable) = (value.data_type.clone(), value.nullable);
    Typed::call("floor_time", vec![Typed::text(unit), value], data_type, nullable)
}

/// VARCHAR(n) cuts, CHAR(n) also fills up with spaces.
fn shortened(value: Typed, length: u64, padded: bool) -> Typed {
    let nullable = value.nullable;
    let length = Typed::literal(Literal::Int64(length as i64), DataType::Int64);
    let (function, arguments) = match padded {
        true => ("rpad", vec![value, length, Typed::text(" ")]),
        false => ("substring", vec![value, Typed::literal(Literal::Int64(1), DataType::Int64), length]),
    };
    Typed::call(function, arguments, DataType::Utf8, nullable)
}

fn convert(value: Typed, to: &DataType, on_error: OnError, span: Span) -> Result<Typed> {
    use DataType::*;
    let nullable = value.nullable;
    match (&value.data_type.clone(), to) {
        (from, to) if from == to => Ok(value),
        (Null, _) => Ok(value.widened(to)),
        (Utf8, Date32 | Time32(_) | Timestamp(_, _)) if string_of(&value).is_some() && on_error == OnError::Fail => {
            cast_text(string_of(&value).unwrap_or_default(), to, span)
        }
        // What does not fit is NULL, whatever is cast.
        (from, Decimal128(_, _)) if (is_number(from) || matches!(from, Boolean)) && casts::is_flinks(from, to) => {
            let cast = arrow(value.literal_widened(to), to, on_error);
            Ok(Typed { nullable: true, ..cast })
        }
        (from, to) if is_number(from) && is_number(to) => Ok(arrow(value.literal_widened(to), to, on_error)),
        (Utf8, to) if is_number(to) || *to == Boolean => Ok(arrow(value, to, on_error)),
        (Utf8, Timestamp(_, Some(_))) => Ok(arrow(arrow(value, &TIMESTAMP, on_error), to, on_error)),
        (Utf8, Date32 | Time32(_) | Timestamp(_, _) | Binary) | (Binary, Utf8) => Ok(arrow(value, to, on_error)),
        (from, Utf8) if is_whole(from) || matches!(from, Decimal128(_, _) | Date32) => Ok(arrow(value, to, on_error)),
        (from, Utf8) if is_approximate(from) => Ok(Typed::call("number_to_string", vec![value], Utf8, nullable)),
        (Timestamp(_, _), Utf8) => {
            Ok(Typed::call("date_format", vec![value, Typed::text(TIMESTAMP_PATTERN)], Utf8, nullable))
        }
        (from, Boolean) if is_number(from) => Ok(arrow(value, to, on_error)),
        (Boolean, to) if is_number(to) => Ok(arrow(value, to, on_error)),
        (Boolean | List(_) | Map(_, _) | Struct(_), Utf8) => Ok(arrow(value, to, on_error)),
        (from, to) if types::are_maps_alike(from, to) => Ok(arrow(value, to, on_error)),
        // Whole units are cut nowhere: of a TIMESTAMP_LTZ, what is before 1970 is rounded down.
        (Timestamp(_, Some(_)), Date32) => Ok(arrow(floored(arrow(value, &TIMESTAMP, on_error), "DAY"), to, on_error)),
        (Timestamp(_, Some(_)), Time32(_)) | (Date32, Timestamp(_, Some(_))) => {
            Ok(arrow(arrow(value, &TIMESTAMP, on_error), to, on_error))
        }
        (Timestamp(_, _), Timestamp(_, _) | Date32 | Time32(_)) | (Date32, Timestamp(_, None)) => {
            Ok(arrow(value, to, on_error))
        }
        (from, to) => Err(refused(from, to, span)),
    }
}

impl Typed {
    /// Constants that go into the type are converted now.
    fn literal_widened(self, to: &DataType) -> Self {
        match &self.expression {
            Expression::Literal(_) if types::assignable(&self.data_type, to) => self.widened(to),
            _ => self,
        }
    }
}

fn arrow(value: Typed, to: &DataType, on_error: OnError) -> Typed {
    if value.data_type == *to {
        return value;
    }
    let or_null = on_error == OnError::Null;
    let nullable = value.nullable || or_null;
    let expression = Expression::Cast { expression: Box::new(value.expression), to: to.clone(), or_null };
    Typed::new(expression, to.clone(), nullable)
}

fn refused(from: &DataType, to: &DataType, span: Span) -> SqlError {
    let remedy = match (from, to) {
        (DataType::Timestamp(_, _), to) if is_number(to) => "use EXTRACT or TIMESTAMPDIFF",
        (from, DataType::Timestamp(_, _)) if is_number(from) => "use TO_TIMESTAMP_LTZ(number, 3)",
        _ => "choose another type",
    };
    SqlError::new(span, format!("{} cannot be cast to {}", types::name(from), types::name(to)), remedy)
}
