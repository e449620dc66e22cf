//! Lengths of time as values: constants that are computed with when planning, and periods that OVERLAPS compares.

use arrow_schema::DataType;
use sqlparser::ast::{Expr, Spanned};
use sqlparser::tokenizer::Span;
use tidemill_plan::{BinaryOperator, Expression, Literal};

use super::Typed;
use super::expression::Binder;
use super::function::call;
use super::operator::{arithmetic, compare};
use super::typed::binary;
use crate::error::{Result, SqlError};
use crate::types::INTERVAL;

/// Months, days and nanoseconds of a constant interval.
type Parts = (i32, i32, i64);

fn parts(value: &Typed) -> Option<Parts> {
    match value.expression {
        Expression::Literal(Literal::Interval { months, days, nanoseconds }) => Some((months, days, nanoseconds)),
        _ => None,
    }
}

fn interval((months, days, nanoseconds): Parts) -> Typed {
    Typed::literal(Literal::Interval { months, days, nanoseconds }, INTERVAL)
}

/// `interval + interval`, `interval - interval`, `number * interval` or `interval * number`, if both are constants and
/// the result is no longer than intervals can be.
pub(super) fn computed(left: &Typed, operator: BinaryOperator, right: &Typed) -> Option<Typed> {
    let number = |value: &Typed| value.constant()?.parse::<i32>().ok();
    match (operator, parts(left), parts(right)) {
        (BinaryOperator::Plus, Some(left), Some(right)) => sum(left, right, 1),
        (BinaryOperator::Minus, Some(left), Some(right)) => sum(left, right, -1),
        (BinaryOperator::Multiply, Some(one), None) => times(one, number(right)?),
        (BinaryOperator::Multiply, None, Some(one)) => times(one, number(left)?),
        _ => None,
    }
    .map(interval)
}

/// `- interval`.
pub(super) fn negative(value: &Typed) -> Option<Typed> {
    times(parts(value)?, -1).map(interval)
}

fn sum(left: Parts, right: Parts, sign: i32) -> Option<Parts> {
    let right = times(right, sign)?;
    Some((left.0.checked_add(right.0)?, left.1.checked_add(right.1)?, left.2.checked_add(right.2)?))
}

fn times((months, days, nanoseconds): Parts, count: i32) -> Option<Parts> {
    Some((months.checked_mul(count)?, days.checked_mul(count)?, nanoseconds.checked_mul(count.into())?))
}

/// The interval without what is less than a day: a DATE moves by whole days, as in Flink.
pub(super) fn in_days(value: Typed) -> Option<Typed> {
    const DAY_NS: i64 = 86_400_000_000_000;
    let (months, days, nanoseconds) = parts(&value)?;
    let total = i64::from(days).checked_mul(DAY_NS)?.checked_add(nanoseconds)?;
    Some(interval((months, i32::try_from(total / DAY_NS).ok()?, 0)))
}

/// A TIME moved by a constant interval, around midnight if need be; none for an interval with months.
pub(super) fn time_moved(time: Typed, operator: BinaryOperator, by: &Typed, span: Span) -> Option<Result<Typed>> {
    let (0, days, nanoseconds) = parts(by)? else { return None };
    let millis = i64::from(days) * 86_400_000 + nanoseconds / 1_000_000;
    let millis = if operator == BinaryOperator::Minus { -millis } else { millis };
    let count = Typed::literal(Literal::Int64(millis), DataType::Int64);
    Some(call("timestampadd", vec![Typed::text("MILLISECOND"), count, time], span))
}

/// `(start, end) OVERLAPS (start, end)`, where an interval may stand for an end. Periods that only touch overlap, too.
pub(super) fn overlap(binder: &Binder<'_>, left: &Expr, right: &Expr, span: Span) -> Result<Typed> {
    let ((begin, end), (other_begin, other_end)) = (period(binder, left)?, period(binder, right)?);
    let begins = compare(begin, BinaryOperator::LessOrEqual, other_end, span)?;
    let goes_on = compare(other_begin, BinaryOperator::LessOrEqual, end, span)?;
    let nullable = begins.nullable || goes_on.nullable;
    Ok(Typed::boolean(binary(begins.expression, BinaryOperator::And, goes_on.expression), nullable))
}

/// The two ends of a period, the earlier first.
fn period(binder: &Binder<'_>, written: &Expr) -> Result<(Typed, Typed)> {
    let span = written.span();
    let Expr::Tuple(ends) = written else {
        return Err(SqlError::new(span, "OVERLAPS compares periods", "write (start, end) OVERLAPS (start, end)"));
    };
    let [start, end] = ends.as_slice() else {
        return Err(SqlError::new(span, "a period has two ends", "write (start, end) or (start, length)"));
    };
    let (start, end) = (binder.bind(start)?, binder.bind(end)?);
    let end = if end.data_type == INTERVAL { arithmetic(start.clone(), BinaryOperator::Plus, end, span)? } else { end };
    let both = vec![start, end];
    Ok((call("least", both.clone(), span)?, call("greatest", both, span)?))
}
