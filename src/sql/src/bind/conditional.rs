//! CASE and its relatives, membership and patterns.

use arrow_schema::DataType;
use sqlparser::tokenizer::Span;
use tidemill_plan::{BinaryOperator, Expression};

use super::Typed;
use super::literal::string_of;
use super::operator::{boolean, comparable, compare};
use super::typed::{Unified, binary, unify, unify_arguments};
use crate::error::{Result, SqlError};
use crate::types;

/// `CASE WHEN … THEN … [ELSE …] END`.
pub(super) fn case(branches: Vec<(Typed, Typed)>, otherwise: Option<Typed>, span: Span) -> Result<Typed> {
    let (conditions, mut values): (Vec<Typed>, Vec<Typed>) = branches.into_iter().unzip();
    let conditions =
        conditions.into_iter().map(|condition| boolean(condition, "WHEN", span)).collect::<Result<Vec<_>>>()?;
    values.push(otherwise.unwrap_or_else(|| Typed::null(DataType::Null)));
    let (mut values, data_type) = told(unify(values), "the branches of CASE", span)?;
    let nullable = values.iter().any(|value| value.nullable);
    let otherwise = values.pop().map(Typed::boxed);
    let expressions = values.into_iter().map(|value| value.expression);
    let branches = conditions.into_iter().map(|condition| condition.expression).zip(expressions).collect();
    Ok(Typed::new(Expression::Case { branches, otherwise }, data_type, nullable))
}

/// `COALESCE(value, …)`: the first that is not NULL.
pub(crate) fn coalesce(values: Vec<Typed>, span: Span) -> Result<Typed> {
    let nullable = values.iter().all(|value| value.nullable);
    let (mut values, data_type) = told(unify_arguments(values), "the arguments of COALESCE", span)?;
    let Some(last) = values.pop() else {
        return Err(SqlError::new(span, "COALESCE needs an argument", "give it at least one"));
    };
    let branches: Vec<_> = values.into_iter().map(|value| (is_not_null(value.clone()), value.expression)).collect();
    if branches.is_empty() {
        return Ok(last);
    }
    Ok(Typed::new(Expression::Case { branches, otherwise: Some(last.boxed()) }, data_type, nullable))
}

/// `NULLIF(value, other)`: NULL where they are equal.
pub(super) fn null_if(value: Typed, other: Typed, span: Span) -> Result<Typed> {
    let equal = compare(value.clone(), BinaryOperator::Equal, other, span)?;
    case(vec![(equal, Typed::null(DataType::Null))], Some(value), span)
}

fn told(unified: Unified, what: &str, span: Span) -> Result<(Vec<Typed>, DataType)> {
    unified.map_err(|(left, right)| {
        let message = format!("{what} have the types {} and {}", types::name(&left), types::name(&right));
        SqlError::new(span, message, "CAST them to one type")
    })
}

fn is_not_null(value: Typed) -> Expression {
    Expression::Not(Box::new(Expression::IsNull(value.boxed())))
}

pub(super) fn null_test(value: Typed, is_null: bool) -> Typed {
    let value = if value.data_type == DataType::Null { value.widened(&DataType::Boolean) } else { value };
    let expression = if is_null { Expression::IsNull(value.boxed()) } else { is_not_null(value) };
    Typed::boolean(expression, false)
}

/// `IS [NOT] TRUE`, `IS [NOT] FALSE`.
pub(super) fn truth_test(value: Typed, truth: bool, negated: bool, span: Span) -> Result<Typed> {
    let value = boolean(value, "IS TRUE", span)?.boxed();
    let test = if truth { Expression::IsTrue(value) } else { Expression::IsFalse(value) };
    Ok(Typed::boolean(if negated { Expression::Not(Box::new(test)) } else { test }, false))
}

/// `IS [NOT] DISTINCT FROM`: a comparison for which NULL equals NULL.
pub(super) fn distinct(left: Typed, right: Typed, distinct: bool, span: Span) -> Result<Typed> {
    let (left, right) = comparable(left, right, span)?;
    let both_null = binary(
        Expression::IsNull(Box::new(left.expression.clone())),
        BinaryOperator::And,
        Expression::IsNull(Box::new(right.expression.clone())),
    );
    let equal = Expression::IsTrue(Box::new(binary(left.expression, BinaryOperator::Equal, right.expression)));
    let same = binary(equal, BinaryOperator::Or, both_null);
    Ok(Typed::boolean(if distinct { Expression::Not(Box::new(same)) } else { same }, false))
}

/// `value [NOT] BETWEEN low AND high`.
pub(super) fn between(value: Typed, low: Typed, high: Typed, negated: bool, span: Span) -> Result<Typed> {
    let above = compare(value.clone(), BinaryOperator::GreaterOrEqual, low, span)?;
    let below = compare(value, BinaryOperator::LessOrEqual, high, span)?;
    let nullable = above.nullable || below.nullable;
    let inside = binary(above.expression, BinaryOperator::And, below.expression);
    Ok(Typed::boolean(if negated { Expression::Not(Box::new(inside)) } else { inside }, nullable))
}

/// `value [NOT] IN (…)`.
pub(super) fn in_list(value: Typed, list: Vec<Typed>, negated: bool, span: Span) -> Result<Typed> {
    let mut items = Vec::with_capacity(list.len());
    for item in list {
        let (_, item) = comparable(value.clone(), item, span)?;
        items.push(item);
    }
    let all = std::iter::once(value).chain(items).collect();
    let (mut all, _) = told(unify(all), "the value and the list of IN", span)?;
    let nullable = all.iter().any(|value| value.nullable);
    let value = all.remove(0);
    let list = all.into_iter().map(|item| item.expression).collect();
    Ok(Typed::boolean(Expression::InList { expression: value.boxed(), list, negated }, nullable))
}

/// `value [NOT] LIKE pattern [ESCAPE c]`. In the plan a backslash escapes; in Flink nothing does unless ESCAPE says so.
pub(super) fn like(value: Typed, pattern: Typed, escape: Option<char>, negated: bool, span: Span) -> Result<Typed> {
    for side in [&value, &pattern] {
        if !matches!(side.data_type, DataType::Utf8 | DataType::Null) {
            let message = format!("LIKE needs STRING but has {}", types::name(&side.data_type));
            return Err(SqlError::new(span, message, "CAST it to STRING"));
        }
    }
    let nullable = value.nullable || pattern.nullable;
    let (value, pattern) = (value.widened(&DataType::Utf8), pattern.widened(&DataType::Utf8));
    let pattern = match (string_of(&pattern), escape) {
        (Some(text), _) => Typed::text(escaped(text, escape, span)?),
        (None, None) => {
            let pattern_nullable = pattern.nullable;
            let arguments = vec![pattern, Typed::text("\\"), Typed::text("\\\\")];
            Typed::call("replace", arguments, DataType::Utf8, pattern_nullable)
        }
        (None, Some(_)) => {
            let message = "ESCAPE is supported for constant patterns only";
            return Err(SqlError::new(span, message, "write the pattern as a string"));
        }
    };
    let expression = Expression::Like { expression: value.boxed(), pattern: pattern.boxed(), escape: None, negated };
    Ok(Typed::boolean(expression, nullable))
}

fn escaped(pattern: &str, escape: Option<char>, span: Span) -> Result<String> {
    let mut escaped = String::with_capacity(pattern.len() + 4);
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        let literal = if Some(character) == escape {
            let next = characters.next().filter(|next| matches!(next, '%' | '_') || Some(*next) == escape);
            let wrong = || {
                SqlError::new(span, "the pattern escapes nothing", "after the escape character comes %, _ or itself")
            };
            Some(next.ok_or_else(wrong)?)
        } else {
            (character == '\\').then_some(character)
        };
        match literal {
            Some(literal @ ('%' | '_' | '\\')) => escaped.extend(['\\', literal]),
            Some(literal) => escaped.push(literal),
            None => escaped.push(character),
        }
    }
    Ok(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_escape_by_backslash_in_the_plan_only() {
        let check = |pattern, escape, expected: Option<&str>| {
            assert_eq!(escaped(pattern, escape, Span::empty()).ok().as_deref(), expected, "{pattern}");
        };
        check("a%_", None, Some("a%_"));
        check(r"a\_", None, Some(r"a\\_"));
        check("a!_!!%", Some('!'), Some(r"a\_!%"));
        check(r"a\%", Some('\\'), Some(r"a\%"));
        check("a!b", Some('!'), None);
        check("a!", Some('!'), None);
    }
}
