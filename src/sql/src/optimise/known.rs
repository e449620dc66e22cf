//! What a calculation's condition tells of the rows that pass: where it asks for `kind = 2`, a CASE on `kind` has only one
//! branch left.

use tidemill_plan::{BinaryOperator, Expression, Literal};

use crate::relation::{Node, Relation, conjuncts};

/// Columns that have one value in all rows that pass.
type Facts<'a> = Vec<(usize, &'a Literal)>;

pub(crate) fn simplified(relation: Relation) -> Relation {
    let Relation { node, fields } = relation;
    let node = match node {
        Node::Calc { input, filter, projection } => {
            let conditions = filter.clone().map(conjuncts).unwrap_or_default();
            let facts: Facts<'_> = conditions.iter().filter_map(fact).collect();
            let projection = projection.iter().map(|expression| told(expression, &facts)).collect();
            Node::Calc { input: Box::new(simplified(*input)), filter, projection }
        }
        Node::Operator { kind, inputs } => {
            Node::Operator { kind, inputs: inputs.into_iter().map(simplified).collect() }
        }
        Node::Scan { .. } | Node::Joined { .. } | Node::Pending { .. } => node,
    };
    Relation { node, fields }
}

/// Floats and decimals may be equal and not look alike, so they tell nothing.
fn fact(condition: &Expression) -> Option<(usize, &Literal)> {
    match comparison(condition)? {
        (_, Literal::Null(_) | Literal::Float32(_) | Literal::Float64(_) | Literal::Decimal128 { .. }) => None,
        fact => Some(fact),
    }
}

/// The column and the constant of which a condition asks whether they are equal.
fn comparison(condition: &Expression) -> Option<(usize, &Literal)> {
    let Expression::Binary { left, operator: BinaryOperator::Equal, right } = condition else { return None };
    match (&**left, &**right) {
        (Expression::Column(place), Expression::Literal(value))
        | (Expression::Literal(value), Expression::Column(place)) => Some((*place, value)),
        _ => None,
    }
}

fn told(expression: &Expression, facts: &Facts<'_>) -> Expression {
    if facts.is_empty() {
        return expression.clone();
    }
    match expression.with_children(&|inner| told(inner, facts)) {
        Expression::Case { branches, otherwise } => case(branches, otherwise),
        other => match answer(&other, facts) {
            Some(answer) => Expression::Literal(Literal::Boolean(answer)),
            None => other,
        },
    }
}

fn answer(condition: &Expression, facts: &Facts<'_>) -> Option<bool> {
    let (place, asked) = comparison(condition)?;
    let (_, value) = facts.iter().find(|(of, _)| *of == place)?;
    let is_comparable = std::mem::discriminant(asked) == std::mem::discriminant(*value);
    (is_comparable && !matches!(asked, Literal::Null(_))).then(|| asked == *value)
}

/// Without the branches that are never taken, and those behind one that always is.
fn case(branches: Vec<(Expression, Expression)>, otherwise: Option<Box<Expression>>) -> Expression {
    let is = |answer: bool| {
        move |(condition, _): &(Expression, Expression)| *condition == Expression::Literal(Literal::Boolean(answer))
    };
    let all = branches.clone();
    let mut left: Vec<(Expression, Expression)> = branches.into_iter().filter(|branch| !is(false)(branch)).collect();
    let mut last = otherwise;
    if let Some(place) = left.iter().position(is(true)) {
        last = left.drain(place..).next().map(|(_, value)| Box::new(value));
    }
    match (left.is_empty(), last) {
        (true, Some(value)) => *value,
        // It is NULL, of a type that only its branches tell.
        (true, None) => Expression::Case { branches: all, otherwise: None },
        (false, last) => Expression::Case { branches: left, otherwise: last },
    }
}
