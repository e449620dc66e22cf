//! Rows that are compared as wholes: `(a, b) = (1, 2)` and `(a, b) IN ((1, 2), (3, 4))`.

use sqlparser::ast::{Expr, Spanned};
use sqlparser::tokenizer::Span;
use tidemill_plan::{BinaryOperator, Expression};

use super::Typed;
use super::expression::Binder;
use super::operator::compare;
use super::typed::binary;
use crate::error::{Result, SqlError};

/// Whether each of the values equals its counterpart.
pub(super) fn equal(binder: &Binder<'_>, left: &[Expr], right: &[Expr], span: Span) -> Result<Typed> {
    if left.len() != right.len() {
        let message = format!("rows of {} and {} values are compared", left.len(), right.len());
        return Err(SqlError::new(span, message, "give both as many values"));
    }
    let pairs = left.iter().zip(right);
    let equal =
        pairs.map(|(left, right)| compare(binder.bind(left)?, BinaryOperator::Equal, binder.bind(right)?, span));
    joined(equal.collect::<Result<_>>()?, BinaryOperator::And)
        .ok_or_else(|| SqlError::new(span, "rows of no values are compared", "give them values"))
}

/// Whether one of the rows is equal.
pub(super) fn in_list(binder: &Binder<'_>, row: &[Expr], list: &[Expr], span: Span) -> Result<Typed> {
    let equal = list.iter().map(|item| match item {
        Expr::Tuple(values) => equal(binder, row, values, item.span()),
        other => Err(SqlError::new(other.span(), "a row is looked for among values", "write rows: ((1, 2), (3, 4))")),
    });
    joined(equal.collect::<Result<_>>()?, BinaryOperator::Or)
        .ok_or_else(|| SqlError::new(span, "a row is looked for among none", "write rows: ((1, 2), (3, 4))"))
}

pub(super) fn not(condition: Typed) -> Typed {
    Typed::boolean(Expression::Not(Box::new(condition.expression)), condition.nullable)
}

fn joined(conditions: Vec<Typed>, operator: BinaryOperator) -> Option<Typed> {
    let both = |left: Typed, right: Typed| {
        let nullable = left.nullable || right.nullable;
        Typed::boolean(binary(left.expression, operator, right.expression), nullable)
    };
    conditions.into_iter().reduce(both)
}
