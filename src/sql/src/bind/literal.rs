//! Constants as they are written.

use arrow_schema::DataType;
use sqlparser::ast::{DateTimeField, Expr, Interval, Spanned, TypedString, UnaryOperator, Value, ValueWithSpan};
use sqlparser::tokenizer::Span;
use tidemill_plan::functions::written;
use tidemill_plan::{Expression, Literal};

use super::Typed;
use crate::error::{Result, SqlError};
use crate::types::{self, INTERVAL, TIMESTAMP};

const DAY_MS: i64 = 86_400_000;

pub(super) fn value(value: &ValueWithSpan) -> Result<Typed> {
    match &value.value {
        Value::Number(digits, false) => number(digits, value.span),
        Value::SingleQuotedString(text) | Value::UnicodeStringLiteral(text) => Ok(Typed::text(text.clone())),
        Value::Boolean(truth) => Ok(Typed::literal(Literal::Boolean(*truth), DataType::Boolean)),
        Value::Null => Ok(Typed::null(DataType::Null)),
        Value::HexStringLiteral(digits) => bytes(digits, value.span),
        other => {
            let remedy = "use a number, a string in single quotes, TRUE, FALSE or NULL";
            Err(SqlError::new(value.span, format!("the constant {other} is not supported"), remedy))
        }
    }
}

/// Whole numbers are INT if they fit, else BIGINT; with a point DECIMAL; with an exponent DOUBLE.
fn number(digits: &str, span: Span) -> Result<Typed> {
    let wrong = || SqlError::new(span, format!("the number {digits} is too large"), "use at most 38 digits");
    if digits.contains(['e', 'E']) {
        let value = digits.parse().map_err(|_| wrong())?;
        return Ok(Typed::literal(Literal::Float64(value), DataType::Float64));
    }
    if let Ok(value) = digits.parse::<i32>() {
        return Ok(Typed::literal(Literal::Int32(value), DataType::Int32));
    }
    if let Ok(value) = digits.parse::<i64>() {
        return Ok(Typed::literal(Literal::Int64(value), DataType::Int64));
    }
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let value: i128 = format!("{whole}{fraction}").parse().map_err(|_| wrong())?;
    let scale = i8::try_from(fraction.len()).map_err(|_| wrong())?;
    // A zero that is written before the point is a digit, too.
    let before = if whole.is_empty() { 0 } else { whole.trim_start_matches('0').len().max(1) };
    let precision = before + fraction.len();
    let precision = u8::try_from(precision).ok().filter(|precision| *precision <= 38).ok_or_else(wrong)?;
    let data_type = DataType::Decimal128(precision, scale);
    Ok(Typed::literal(Literal::Decimal128 { value, precision, scale }, data_type))
}

fn bytes(digits: &str, span: Span) -> Result<Typed> {
    let pairs = digits.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    let bytes = pairs.collect::<Option<Vec<u8>>>().filter(|_| digits.len().is_multiple_of(2));
    let bytes =
        bytes.ok_or_else(|| SqlError::new(span, "the bytes are not pairs of hex digits", "write such as X'0AFF'"))?;
    Ok(Typed::literal(Literal::Binary(bytes), DataType::Binary))
}

/// `DATE '…'`, `TIME '…'`, `TIMESTAMP '…'`.
pub(super) fn typed_string(typed: &TypedString) -> Result<Typed> {
    let span = typed.value.span;
    let data_type = match (&typed.data_type, types::understand(&typed.data_type)) {
        // The literal's precision is that of its digits.
        (sqlparser::ast::DataType::Timestamp(None, _), _) => TIMESTAMP,
        (_, Ok(understood)) => understood.arrow,
        (_, Err(problem)) => return Err(SqlError::new(span, problem, "use DATE, TIME or TIMESTAMP")),
    };
    let Value::SingleQuotedString(text) = &typed.value.value else {
        return Err(SqlError::new(span, "expected a string", "put the value into single quotes"));
    };
    match is_whole_literal(text, &data_type) {
        true => cast_text(text, &data_type, span),
        false => Err(no_moment(text, &data_type, span)),
    }
}

/// Whether a literal's text says all parts and a day that there is, which CAST does not ask for.
fn is_whole_literal(text: &str, data_type: &DataType) -> bool {
    let (day, clock) = match data_type {
        DataType::Date32 => (Some(text), None),
        DataType::Time32(_) => (None, Some(text)),
        _ => text.split_once(' ').map_or((Some(text), None), |(day, clock)| (Some(day), Some(clock))),
    };
    let is_day = |day: &str| day.matches('-').count() == 2 && !day.contains(' ') && written::date(day).is_some();
    day.is_none_or(is_day) && clock.is_none_or(|clock| clock.matches(':').count() == 2)
}

/// A constant of a time type from its text, which is read as CAST reads it.
pub(super) fn cast_text(text: &str, data_type: &DataType, span: Span) -> Result<Typed> {
    let wrong = || no_moment(text, data_type, span);
    let literal = match data_type {
        DataType::Date32 => Literal::Date32(written::date(text).ok_or_else(wrong)?),
        DataType::Time32(_) => Literal::Time32Millis(written::time(text).ok_or_else(wrong)?),
        DataType::Timestamp(_, zone) => {
            let value = written::timestamp(text).ok_or_else(wrong)?;
            Literal::TimestampMillis { value, zone: zone.as_ref().map(ToString::to_string) }
        }
        _ => return Err(wrong()),
    };
    Ok(Typed::literal(literal, data_type.clone()))
}

fn no_moment(text: &str, data_type: &DataType, span: Span) -> SqlError {
    let message = format!("'{text}' is not a {}", types::name(data_type));
    SqlError::new(span, message, "write such as '2024-12-31', '23:59:59' or '2024-12-31 23:59:59.123'")
}

pub(super) fn interval(interval: &Interval) -> Result<Typed> {
    let (months, millis) = parts(interval)?;
    let (days, rest) = (millis / DAY_MS, millis % DAY_MS);
    let days = i32::try_from(days).map_err(|_| unreadable(interval))?;
    Ok(Typed::literal(Literal::Interval { months, days, nanoseconds: rest * 1_000_000 }, INTERVAL))
}

/// The length of an interval of days or less, for window sizes.
pub(crate) fn interval_ms(expression: &Expr) -> Result<i64> {
    let Expr::Interval(interval) = expression else {
        let message = "expected an interval";
        return Err(SqlError::new(expression.span(), message, "write such as INTERVAL '10' SECOND"));
    };
    match parts(interval)? {
        (0, millis) => Ok(millis),
        _ => Err(SqlError::new(interval.value.span(), "months differ in length", "give the interval in DAY or less")),
    }
}

/// Months and milliseconds.
fn parts(interval: &Interval) -> Result<(i32, i64)> {
    let (text, sign) = quantity(&interval.value).ok_or_else(|| unreadable(interval))?;
    let (sign, text) = text.strip_prefix('-').map_or((sign, text), |rest| (-sign, rest));
    let months = |factor: i64| {
        let count: i64 = text.parse().map_err(|_| unreadable(interval))?;
        let months = count.checked_mul(factor * sign).and_then(|months| i32::try_from(months).ok());
        Ok((months.ok_or_else(|| unreadable(interval))?, 0))
    };
    use DateTimeField as Unit;
    let form = match (&interval.leading_field, &interval.last_field) {
        (Some(Unit::Year | Unit::Years), None) => return months(12),
        (Some(Unit::Month | Unit::Months), None) => return months(1),
        (Some(Unit::Year), Some(Unit::Month)) => {
            let (years, rest) = text.split_once('-').ok_or_else(|| unreadable(interval))?;
            let count = |text: &str| text.parse::<u16>().map(i32::from).map_err(|_| unreadable(interval));
            return Ok((sign as i32 * (count(years)? * 12 + count(rest)?), 0));
        }
        (Some(Unit::Week(None) | Unit::Weeks), None) => return Ok((0, sign * multiplied(interval, text, 7 * DAY_MS)?)),
        (Some(Unit::Day | Unit::Days), None) => return Ok((0, sign * multiplied(interval, text, DAY_MS)?)),
        (Some(Unit::Hour | Unit::Hours), None) => return Ok((0, sign * multiplied(interval, text, 3_600_000)?)),
        (Some(Unit::Minute | Unit::Minutes), None) => return Ok((0, sign * multiplied(interval, text, 60_000)?)),
        (Some(Unit::Second | Unit::Seconds), None) => text.to_string(),
        (Some(Unit::Minute), Some(Unit::Second)) => text.to_string(),
        (Some(Unit::Hour), Some(Unit::Minute)) => format!("{text}:0"),
        (Some(Unit::Hour), Some(Unit::Second)) => text.to_string(),
        (Some(Unit::Day), Some(Unit::Hour)) => format!("{}:0:0", text.replacen(' ', ":", 1)),
        (Some(Unit::Day), Some(Unit::Minute)) => format!("{}:0", text.replacen(' ', ":", 1)),
        (Some(Unit::Day), Some(Unit::Second)) => text.replacen(' ', ":", 1),
        _ => return Err(unreadable(interval)),
    };
    Ok((0, sign * clock(&form).ok_or_else(|| unreadable(interval))?))
}

fn quantity(value: &Expr) -> Option<(&str, i64)> {
    match value {
        Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) => Some((text.trim(), 1)),
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => quantity(expr).map(|(text, sign)| (text, -sign)),
        _ => None,
    }
}

fn multiplied(interval: &Interval, text: &str, unit: i64) -> Result<i64> {
    text.parse::<i64>().ok().and_then(|count| count.checked_mul(unit)).ok_or_else(|| unreadable(interval))
}

/// `[[[days:]hours:]minutes:]seconds[.fraction]` in milliseconds.
fn clock(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits =
        |part: &str| part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse::<i64>().ok()).flatten();
    let mut parts = whole.rsplit(':').map(digits);
    let mut total = parts.next()??.checked_mul(1000)?;
    for unit in [60_000, 3_600_000, DAY_MS] {
        if let Some(part) = parts.next() {
            total = total.checked_add(part?.checked_mul(unit)?)?;
        }
    }
    if parts.next().is_some() || fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(total + format!("{fraction:0<3}").parse::<i64>().ok()?)
}

fn unreadable(interval: &Interval) -> SqlError {
    let message = format!("the interval {interval} is not supported");
    SqlError::new(
        interval.value.span(),
        message,
        "write such as INTERVAL '10' SECOND or INTERVAL '1 12:30' DAY TO MINUTE",
    )
}

/// Whether the expression is a string constant, with its text.
pub(super) fn string_of(typed: &Typed) -> Option<&str> {
    match &typed.expression {
        Expression::Literal(Literal::Utf8(text)) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::parse_expression;

    fn check(sql: &str, expected: Option<i64>) {
        assert_eq!(interval_ms(&parse_expression(sql).unwrap()).ok(), expected, "{sql}");
    }

    #[test]
    fn intervals_are_measured() {
        check("INTERVAL '10' SECOND", Some(10_000));
        check("INTERVAL '0.5' SECOND", Some(500));
        check("INTERVAL '10' MINUTES", Some(600_000));
        check("INTERVAL '1 12:30' DAY TO MINUTE", Some(DAY_MS + 12 * 3_600_000 + 30 * 60_000));
        check("INTERVAL '01:02:03.004' HOUR TO SECOND", Some(3_723_004));
        check("INTERVAL -'5' SECOND", Some(-5000));
        check("INTERVAL '1' MONTH", None);
        check("INTERVAL 'x' SECOND", None);
        check("10", None);
    }

    #[test]
    fn numbers_take_the_least_type() {
        let check =
            |digits, expected| assert_eq!(number(digits, Span::empty()).unwrap().data_type, expected, "{digits}");
        check("2147483647", DataType::Int32);
        check("2147483648", DataType::Int64);
        check("9223372036854775808", DataType::Decimal128(19, 0));
        check("0.908", DataType::Decimal128(4, 3));
        check(".5", DataType::Decimal128(1, 1));
        check("12.50", DataType::Decimal128(4, 2));
        check("1e3", DataType::Float64);
    }
}
