//! Walking over the plan's expressions.

use std::collections::BTreeSet;

use tidemill_plan::Expression;

/// The expressions directly below.
pub(crate) fn children(expression: &Expression) -> Vec<&Expression> {
    match expression {
        Expression::Column(_) | Expression::Literal(_) => Vec::new(),
        Expression::Binary { left, right, .. } => vec![left, right],
        Expression::Not(inner)
        | Expression::Negative(inner)
        | Expression::IsNull(inner)
        | Expression::IsTrue(inner)
        | Expression::IsFalse(inner)
        | Expression::Cast { expression: inner, .. }
        | Expression::Required { expression: inner, .. }
        | Expression::Field { expression: inner, .. }
        | Expression::Cardinality(inner) => vec![inner],
        Expression::Element { expression, index } => vec![expression, index],
        Expression::Case { branches, otherwise } => {
            let branches = branches.iter().flat_map(|(condition, value)| [condition, value]);
            branches.chain(otherwise.as_deref()).collect()
        }
        Expression::InList { expression, list, .. } => std::iter::once(&**expression).chain(list).collect(),
        Expression::Like { expression, pattern, .. } => vec![expression, pattern],
        Expression::Construct { parts: inner, .. }
        | Expression::Call { arguments: inner, .. }
        | Expression::UserCall { arguments: inner, .. } => inner.iter().collect(),
    }
}

/// The same expression with others in the places of those directly below it.
pub(crate) fn with_children(expression: &Expression, each: &dyn Fn(&Expression) -> Expression) -> Expression {
    let boxed = |inner: &Expression| Box::new(each(inner));
    match expression {
        Expression::Column(_) | Expression::Literal(_) => expression.clone(),
        Expression::Binary { left, operator, right } => {
            Expression::Binary { left: boxed(left), operator: *operator, right: boxed(right) }
        }
        Expression::Not(inner) => Expression::Not(boxed(inner)),
        Expression::Negative(inner) => Expression::Negative(boxed(inner)),
        Expression::IsNull(inner) => Expression::IsNull(boxed(inner)),
        Expression::IsTrue(inner) => Expression::IsTrue(boxed(inner)),
        Expression::IsFalse(inner) => Expression::IsFalse(boxed(inner)),
        Expression::Cast { expression, to, or_null } => {
            Expression::Cast { expression: boxed(expression), to: to.clone(), or_null: *or_null }
        }
        Expression::Case { branches, otherwise } => Expression::Case {
            branches: branches.iter().map(|(condition, value)| (each(condition), each(value))).collect(),
            otherwise: otherwise.as_deref().map(boxed),
        },
        Expression::InList { expression, list, negated } => Expression::InList {
            expression: boxed(expression),
            list: list.iter().map(each).collect(),
            negated: *negated,
        },
        Expression::Like { expression, pattern, escape, negated } => Expression::Like {
            expression: boxed(expression),
            pattern: boxed(pattern),
            escape: *escape,
            negated: *negated,
        },
        Expression::Required { expression, column } => {
            Expression::Required { expression: boxed(expression), column: column.clone() }
        }
        Expression::Field { expression, place } => Expression::Field { expression: boxed(expression), place: *place },
        Expression::Element { expression, index } => {
            Expression::Element { expression: boxed(expression), index: boxed(index) }
        }
        Expression::Cardinality(inner) => Expression::Cardinality(boxed(inner)),
        Expression::Construct { of, parts } => {
            Expression::Construct { of: of.clone(), parts: parts.iter().map(each).collect() }
        }
        Expression::Call { function, arguments, returns } => Expression::Call {
            function: function.clone(),
            arguments: arguments.iter().map(each).collect(),
            returns: returns.clone(),
        },
        Expression::UserCall { function, arguments, returns } => Expression::UserCall {
            function: function.clone(),
            arguments: arguments.iter().map(each).collect(),
            returns: returns.clone(),
        },
    }
}

/// The same expression with another one in the place of every column.
pub(crate) fn substitute(expression: &Expression, column: &dyn Fn(usize) -> Expression) -> Expression {
    if let Expression::Column(place) = expression {
        return column(*place);
    }
    match with_children(expression, &|inner| substitute(inner, column)) {
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
        other => children(other).into_iter().flat_map(columns).collect(),
    }
}

/// How often an expression reads a column.
pub(crate) fn uses(expression: &Expression, place: usize) -> usize {
    match expression {
        Expression::Column(column) => usize::from(*column == place),
        other => children(other).into_iter().map(|child| uses(child, place)).sum(),
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
