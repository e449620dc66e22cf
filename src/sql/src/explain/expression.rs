//! Expressions as SQL-like text.

use arrow_schema::Schema;
use tidemill_plan::functions::format_timestamp;
use tidemill_plan::{Expression, Literal};

use crate::bind::symbol;
use crate::types;

pub(super) fn column(place: usize, input: &Schema) -> String {
    match input.fields().get(place) {
        Some(field) => field.name().clone(),
        None => format!("column {place}"),
    }
}

pub(super) fn text(expression: &Expression, input: &Schema) -> String {
    let show = |inner: &Expression| text(inner, input);
    let not = |negated: &bool| if *negated { "NOT " } else { "" };
    match expression {
        Expression::Column(place) => column(*place, input),
        Expression::Literal(value) => literal(value),
        Expression::Binary { left, operator, right } => {
            format!("({} {} {})", show(left), symbol(*operator), show(right))
        }
        Expression::Not(inner) => match &**inner {
            Expression::IsNull(tested) => format!("({} IS NOT NULL)", show(tested)),
            other => format!("NOT {}", show(other)),
        },
        Expression::Negative(inner) => format!("-{}", show(inner)),
        Expression::IsNull(inner) => format!("({} IS NULL)", show(inner)),
        Expression::IsTrue(inner) => format!("({} IS TRUE)", show(inner)),
        Expression::IsFalse(inner) => format!("({} IS FALSE)", show(inner)),
        Expression::Cast { expression, to, or_null } => {
            let name = if *or_null { "TRY_CAST" } else { "CAST" };
            format!("{name}({} AS {})", show(expression), types::name(to))
        }
        Expression::Case { branches, otherwise } => {
            let branches = branches.iter().map(|(when, then)| format!(" WHEN {} THEN {}", show(when), show(then)));
            let otherwise = otherwise.iter().map(|value| format!(" ELSE {}", show(value)));
            format!("CASE{} END", branches.chain(otherwise).collect::<String>())
        }
        Expression::InList { expression, list, negated } => {
            let list: Vec<String> = list.iter().map(show).collect();
            format!("({} {}IN ({}))", show(expression), not(negated), list.join(", "))
        }
        Expression::Like { expression, pattern, negated, .. } => {
            format!("({} {}LIKE {})", show(expression), not(negated), show(pattern))
        }
        Expression::Required { expression, .. } => format!("{} NOT NULL", show(expression)),
        Expression::Field { expression, place } => {
            let name = match crate::check::type_of(expression, input) {
                Ok(arrow_schema::DataType::Struct(fields)) if *place < fields.len() => fields[*place].name().clone(),
                _ => place.to_string(),
            };
            format!("{}.{name}", show(expression))
        }
        Expression::Element { expression, index } => format!("{}[{}]", show(expression), show(index)),
        Expression::Cardinality(inner) => format!("CARDINALITY({})", show(inner)),
        Expression::Construct { of, parts } => {
            let parts = parts.iter().map(show).collect::<Vec<_>>().join(", ");
            match of {
                arrow_schema::DataType::Struct(_) => format!("ROW({parts})"),
                arrow_schema::DataType::Map(_, _) => format!("MAP[{parts}]"),
                _ => format!("ARRAY[{parts}]"),
            }
        }
        Expression::Call { function, arguments, .. } => {
            let arguments: Vec<String> = arguments.iter().map(show).collect();
            format!("{}({})", function.to_uppercase(), arguments.join(", "))
        }
        Expression::UserCall { function, arguments, .. } => {
            let arguments: Vec<String> = arguments.iter().map(show).collect();
            format!("{}({})", function.name, arguments.join(", "))
        }
    }
}

fn literal(literal: &Literal) -> String {
    match literal {
        Literal::Null(_) => "NULL".to_string(),
        Literal::Boolean(value) => value.to_string().to_uppercase(),
        Literal::Int8(value) => value.to_string(),
        Literal::Int16(value) => value.to_string(),
        Literal::Int32(value) => value.to_string(),
        Literal::Int64(value) => value.to_string(),
        Literal::Float32(value) => format!("{value:?}"),
        Literal::Float64(value) => format!("{value:?}"),
        Literal::Decimal128 { value, scale, .. } => decimal(*value, *scale),
        Literal::Utf8(text) => format!("'{}'", text.replace('\'', "''")),
        Literal::Binary(bytes) => format!("X'{}'", bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>()),
        Literal::Date32(days) => format!("DATE '{}'", format_timestamp(i64::from(*days) * 86_400_000, "yyyy-MM-dd")),
        Literal::Time32Millis(millis) => format!("TIME '{}'", format_timestamp((*millis).into(), "HH:mm:ss.SSS")),
        Literal::TimestampMillis { value, zone: None } => {
            format!("TIMESTAMP '{}'", format_timestamp(*value, "yyyy-MM-dd HH:mm:ss.SSS"))
        }
        Literal::TimestampMillis { value, zone: Some(_) } => {
            format!("TIMESTAMP_LTZ '{}'", format_timestamp(*value, "yyyy-MM-dd HH:mm:ss.SSS"))
        }
        Literal::Interval { months, days, nanoseconds } => interval(*months, *days, *nanoseconds),
    }
}

fn decimal(value: i128, scale: i8) -> String {
    let scale = usize::try_from(scale).unwrap_or(0);
    let digits = format!("{:0>width$}", value.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if value < 0 { "-" } else { "" };
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

fn interval(months: i32, days: i32, nanoseconds: i64) -> String {
    let millis = nanoseconds / 1_000_000;
    let parts = [(i64::from(months), "month"), (i64::from(days), "day"), (millis, "ms")];
    let parts: Vec<String> =
        parts.iter().filter(|(count, _)| *count != 0).map(|(count, unit)| format!("{count} {unit}")).collect();
    if parts.is_empty() { "INTERVAL 0 ms".to_string() } else { format!("INTERVAL {}", parts.join(" ")) }
}
