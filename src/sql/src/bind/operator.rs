//! Operators with Flink's result types.

use arrow_schema::DataType;
use sqlparser::ast::{BinaryOperator as Written, UnaryOperator};
use sqlparser::tokenizer::Span;
use tidemill_plan::{BinaryOperator, Expression, Literal};

use super::Typed;
use super::function::call;
use super::literal::{cast_text, string_of};
use super::spans;
use super::typed::binary;
use crate::error::{Result, SqlError};
use crate::types::{self, INTERVAL, common_number, exact, fitted_decimal, is_number, is_whole};

pub(super) fn bind(left: Typed, written: &Written, right: Typed, span: Span) -> Result<Typed> {
    use BinaryOperator::*;
    match written {
        Written::And => logic(left, And, right, span),
        Written::Or => logic(left, Or, right, span),
        Written::Eq => compare(left, Equal, right, span),
        Written::NotEq => compare(left, NotEqual, right, span),
        Written::Lt => compare(left, Less, right, span),
        Written::LtEq => compare(left, LessOrEqual, right, span),
        Written::Gt => compare(left, Greater, right, span),
        Written::GtEq => compare(left, GreaterOrEqual, right, span),
        Written::Plus => arithmetic(left, Plus, right, span),
        Written::Minus => arithmetic(left, Minus, right, span),
        Written::Multiply => arithmetic(left, Multiply, right, span),
        Written::Divide => arithmetic(left, Divide, right, span),
        Written::Modulo => arithmetic(left, Modulo, right, span),
        Written::StringConcat => concat(left, right, span),
        other => Err(SqlError::new(span, format!("the operator {other} is not supported"), "use a function instead")),
    }
}

pub(super) fn unary(operator: &UnaryOperator, value: Typed, span: Span) -> Result<Typed> {
    match operator {
        UnaryOperator::Not => {
            let value = boolean(value, "NOT", span)?;
            Ok(Typed::boolean(Expression::Not(Box::new(value.expression)), value.nullable))
        }
        UnaryOperator::Plus if is_number(&value.data_type) => Ok(value),
        UnaryOperator::Minus if is_number(&value.data_type) => Ok(negative(value)),
        UnaryOperator::Minus if spans::negative(&value).is_some() => Ok(spans::negative(&value).unwrap_or(value)),
        other => Err(not_defined(&format!("{other}"), &[&value.data_type], span)),
    }
}

fn negative(value: Typed) -> Typed {
    let expression = match value.expression {
        Expression::Literal(Literal::Int32(number)) if number != i32::MIN => {
            Expression::Literal(Literal::Int32(-number))
        }
        Expression::Literal(Literal::Int64(number)) if number != i64::MIN => {
            Expression::Literal(Literal::Int64(-number))
        }
        Expression::Literal(Literal::Float64(number)) => Expression::Literal(Literal::Float64(-number)),
        Expression::Literal(Literal::Decimal128 { value, precision, scale }) => {
            Expression::Literal(Literal::Decimal128 { value: -value, precision, scale })
        }
        other => Expression::Negative(Box::new(other)),
    };
    Typed { expression, ..value }
}

/// Checks that something is a condition.
pub(super) fn boolean(value: Typed, what: &str, span: Span) -> Result<Typed> {
    match value.data_type {
        DataType::Boolean | DataType::Null => Ok(value.widened(&DataType::Boolean)),
        other => {
            let message = format!("{what} needs a BOOLEAN but has {}", types::name(&other));
            Err(SqlError::new(span, message, "write a comparison"))
        }
    }
}

fn logic(left: Typed, operator: BinaryOperator, right: Typed, span: Span) -> Result<Typed> {
    let name = if operator == BinaryOperator::And { "AND" } else { "OR" };
    let (left, right) = (boolean(left, name, span)?, boolean(right, name, span)?);
    let nullable = left.nullable || right.nullable;
    Ok(Typed::boolean(binary(left.expression, operator, right.expression), nullable))
}

pub(crate) fn compare(left: Typed, operator: BinaryOperator, right: Typed, span: Span) -> Result<Typed> {
    let (left, right) = match operator {
        // As in Flink, FLOAT and DOUBLE are put in order as DOUBLEs, but equal in the type of the left one.
        BinaryOperator::Equal | BinaryOperator::NotEqual => comparable(left, right, span)?,
        _ if types::is_approximate(&left.data_type) && types::is_approximate(&right.data_type) => {
            let widest = types::widest(&left.data_type, &right.data_type);
            (left.widened(&widest), right.widened(&widest))
        }
        _ => comparable(left, right, span)?,
    };
    let nullable = left.nullable || right.nullable;
    Ok(Typed::boolean(binary(left.expression, operator, right.expression), nullable))
}

/// Brings two values to one type in which they are equal or not.
pub(super) fn comparable(left: Typed, right: Typed, span: Span) -> Result<(Typed, Typed)> {
    let left = as_moment(left, &right.data_type, span)?;
    let right = as_moment(right, &left.data_type, span)?;
    match types::common(&left.data_type, &right.data_type) {
        Some(DataType::Null) => Ok((left.widened(&DataType::Boolean), right.widened(&DataType::Boolean))),
        Some(DataType::Interval(_) | DataType::Struct(_) | DataType::List(_) | DataType::Map(_, _)) | None => {
            let message =
                format!("{} and {} cannot be compared", types::name(&left.data_type), types::name(&right.data_type));
            Err(SqlError::new(span, message, "CAST one side to the type of the other"))
        }
        Some(common) => Ok((left.widened(&common), right.widened(&common))),
    }
}

/// A string constant beside a date or time is one, too.
fn as_moment(value: Typed, beside: &DataType, span: Span) -> Result<Typed> {
    let is_temporal = matches!(beside, DataType::Date32 | DataType::Time32(_) | DataType::Timestamp(_, _));
    match string_of(&value) {
        Some(text) if is_temporal => cast_text(text, beside, span),
        _ => Ok(value),
    }
}

fn concat(left: Typed, right: Typed, span: Span) -> Result<Typed> {
    for side in [&left, &right] {
        if !matches!(side.data_type, DataType::Utf8 | DataType::Null) {
            return Err(not_defined("||", &[&left.data_type, &right.data_type], span));
        }
    }
    let nullable = left.nullable || right.nullable;
    let (left, right) = (left.widened(&DataType::Utf8), right.widened(&DataType::Utf8));
    let expression = binary(left.expression, BinaryOperator::Concat, right.expression);
    Ok(Typed::new(expression, DataType::Utf8, nullable))
}

pub(super) fn arithmetic(left: Typed, operator: BinaryOperator, right: Typed, span: Span) -> Result<Typed> {
    let (left, right) = typed_nulls(left, right);
    if let Some(interval) = spans::computed(&left, operator, &right) {
        return Ok(interval);
    }
    let types = (&left.data_type, &right.data_type);
    let moves_time = matches!(operator, BinaryOperator::Plus | BinaryOperator::Minus);
    match types {
        (DataType::Timestamp(_, _) | DataType::Date32, interval) if *interval == INTERVAL && moves_time => {
            moved(left, operator, right, span)
        }
        (interval, DataType::Timestamp(_, _) | DataType::Date32)
            if *interval == INTERVAL && operator == BinaryOperator::Plus =>
        {
            moved(right, operator, left, span)
        }
        (DataType::Time32(_), interval) if *interval == INTERVAL && moves_time => {
            let months = || not_defined(symbol(operator), &[&left.data_type, &right.data_type], span);
            spans::time_moved(left.clone(), operator, &right, span).unwrap_or_else(|| Err(months()))
        }
        (left_type, interval) if is_number(left_type) && *interval == INTERVAL => {
            let message = "only a constant number can be multiplied by an interval";
            Err(SqlError::new(span, message, "use TIMESTAMPADD(DAY, count, time)"))
        }
        (DataType::Timestamp(_, _), DataType::Timestamp(_, _)) if operator == BinaryOperator::Minus => {
            Err(SqlError::new(span, "timestamps cannot be subtracted", "use TIMESTAMPDIFF(SECOND, from, to)"))
        }
        (left_type, right_type) if is_number(left_type) && is_number(right_type) => {
            numeric(left, operator, right, span)
        }
        (left_type, right_type) => Err(not_defined(symbol(operator), &[left_type, right_type], span)),
    }
}

fn typed_nulls(left: Typed, right: Typed) -> (Typed, Typed) {
    let (left_type, right_type) = (left.data_type.clone(), right.data_type.clone());
    match (&left_type, &right_type) {
        (DataType::Null, other) if is_number(other) => (left.widened(other), right),
        (other, DataType::Null) if is_number(other) => (left, right.widened(other)),
        _ => (left, right),
    }
}

fn moved(moment: Typed, operator: BinaryOperator, interval: Typed, span: Span) -> Result<Typed> {
    let interval = match moment.data_type {
        DataType::Date32 => spans::in_days(interval).ok_or_else(|| {
            let remedy = "CAST the date to TIMESTAMP(3) first";
            SqlError::new(span, "a date moves by constant intervals only", remedy)
        })?,
        _ => interval,
    };
    let nullable = moment.nullable || interval.nullable;
    let data_type = moment.data_type.clone();
    Ok(Typed::new(binary(moment.expression, operator, interval.expression), data_type, nullable))
}

fn numeric(left: Typed, operator: BinaryOperator, right: Typed, span: Span) -> Result<Typed> {
    let nullable = left.nullable || right.nullable;
    let common = common_number(&left.data_type, &right.data_type);
    if let DataType::Decimal128(_, _) = common {
        return decimal(left, operator, right, span);
    }
    if operator == BinaryOperator::Modulo && !is_whole(&common) {
        return Err(not_defined("%", &[&left.data_type, &right.data_type], span));
    }
    let divisor = right.data_type.clone();
    let (left, right) = (left.widened(&common), right.widened(&common));
    let result = Typed::new(binary(left.expression, operator, right.expression), common, nullable);
    // The remainder is no larger than the divisor and has its type.
    Ok(if operator == BinaryOperator::Modulo { result.widened(&divisor) } else { result })
}

/// Exact numbers of which at least one has a fraction. Where no result can have more digits than a DECIMAL, the kernels
/// for whole columns serve, whose types are Flink's.
fn decimal(left: Typed, operator: BinaryOperator, right: Typed, span: Span) -> Result<Typed> {
    let undefined = || not_defined(symbol(operator), &[&left.data_type, &right.data_type], span);
    let (p1, s1) = exact(&left.data_type).ok_or_else(undefined)?;
    let (p2, s2) = exact(&right.data_type).ok_or_else(undefined)?;
    let (whole, scale) = ((i32::from(p1) - i32::from(s1)).max(i32::from(p2) - i32::from(s2)), s1.max(s2));
    let (function, precision, scale) = match operator {
        BinaryOperator::Plus => ("plus_decimal", whole + i32::from(scale) + 1, scale),
        BinaryOperator::Minus => ("minus_decimal", whole + i32::from(scale) + 1, scale),
        BinaryOperator::Multiply => ("times_decimal", i32::from(p1) + i32::from(p2) + 1, s1 + s2),
        BinaryOperator::Divide => ("divide_decimal", i32::MAX, 0),
        _ => ("modulo_decimal", i32::MAX, 0),
    };
    let nullable = left.nullable || right.nullable;
    let (left, right) = (left.widened(&DataType::Decimal128(p1, s1)), right.widened(&DataType::Decimal128(p2, s2)));
    if precision > 38 {
        return call(function, vec![left, right], span);
    }
    let returns = fitted_decimal(precision, scale.into());
    Ok(Typed::new(binary(left.expression, operator, right.expression), returns, nullable))
}

pub(crate) fn symbol(operator: BinaryOperator) -> &'static str {
    match operator {
        BinaryOperator::Equal => "=",
        BinaryOperator::NotEqual => "<>",
        BinaryOperator::Less => "<",
        BinaryOperator::LessOrEqual => "<=",
        BinaryOperator::Greater => ">",
        BinaryOperator::GreaterOrEqual => ">=",
        BinaryOperator::And => "AND",
        BinaryOperator::Or => "OR",
        BinaryOperator::Plus => "+",
        BinaryOperator::Minus => "-",
        BinaryOperator::Multiply => "*",
        BinaryOperator::Divide => "/",
        BinaryOperator::Modulo => "%",
        BinaryOperator::Concat => "||",
    }
}

fn not_defined(operator: &str, operands: &[&DataType], span: Span) -> SqlError {
    let operands: Vec<String> = operands.iter().map(|data_type| types::name(data_type)).collect();
    let message = format!("{operator} is not defined for {}", operands.join(" and "));
    SqlError::new(span, message, "CAST the operands to types it is defined for")
}
