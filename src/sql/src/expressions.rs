//! Walking over the plan's expressions.

use std::collections::BTreeSet;

use tidemill_plan::Expression;

/// The same expression with another one in the place of every column.
pub(crate) fn substitute(expression: &Expression, column: &dyn Fn(usize) -> Expression) -> Expression {
    if let Expression::Column(place) = expression {
        return column(*place);
    }
    match expression.with_children(&|inner| substitute(inner, column)) {
        Expression::Field { expression, place } => match *expression {
            Expression::Construct { mut parts, .. } if place < parts.len() => parts.swap_remove(place),
            row => Expression::Field { expression: Box::new(row), place },
        },
        other => other,
    }
}

/// The columns that an expression reads.
pub(crate) fn columns(expression: &Expression) -> BTreeSet<usize> {
    match expression {
        Expression::Column(place) => BTreeSet::from([*place]),
        other => other.children().into_iter().flat_map(columns).collect(),
    }
}

/// How often an expression reads a column.
pub(crate) fn uses(expression: &Expression, place: usize) -> usize {
    match expression {
        Expression::Column(column) => usize::from(*column == place),
        other => other.children().into_iter().map(|child| uses(child, place)).sum(),
    }
}

/// The column whose values an expression hands on as they are.
pub(crate) fn handed_on(expression: &Expression) -> Option<usize> {
    match expression {
        Expression::Column(place) => Some(*place),
        Expression::Required { expression, .. } => handed_on(expression),
        _ => None,
    }
}
