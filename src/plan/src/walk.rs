//! Walking over expressions.

use super::Expression;

impl Expression {
    /// The expressions directly below.
    pub fn children(&self) -> Vec<&Self> {
        match self {
            Self::Column(_) | Self::Literal(_) => Vec::new(),
            Self::Binary { left, right, .. } => vec![left, right],
            Self::Not(inner)
            | Self::Negative(inner)
            | Self::IsNull(inner)
            | Self::IsTrue(inner)
            | Self::IsFalse(inner)
            | Self::Cast { expression: inner, .. }
            | Self::Required { expression: inner, .. }
            | Self::Field { expression: inner, .. }
            | Self::Cardinality(inner) => vec![inner],
            Self::Element { expression, index } => vec![expression, index],
            Self::Case { branches, otherwise } => {
                let branches = branches.iter().flat_map(|(condition, value)| [condition, value]);
                branches.chain(otherwise.as_deref()).collect()
            }
            Self::InList { expression, list, .. } => std::iter::once(&**expression).chain(list).collect(),
            Self::Like { expression, pattern, .. } => vec![expression, pattern],
            Self::Construct { parts: inner, .. }
            | Self::Call { arguments: inner, .. }
            | Self::UserCall { arguments: inner, .. } => inner.iter().collect(),
        }
    }

    /// The same expression with others in the places of those directly below it.
    pub fn with_children(&self, each: &dyn Fn(&Self) -> Self) -> Self {
        let boxed = |inner: &Self| Box::new(each(inner));
        match self {
            Self::Column(_) | Self::Literal(_) => self.clone(),
            Self::Binary { left, operator, right } => {
                Self::Binary { left: boxed(left), operator: *operator, right: boxed(right) }
            }
            Self::Not(inner) => Self::Not(boxed(inner)),
            Self::Negative(inner) => Self::Negative(boxed(inner)),
            Self::IsNull(inner) => Self::IsNull(boxed(inner)),
            Self::IsTrue(inner) => Self::IsTrue(boxed(inner)),
            Self::IsFalse(inner) => Self::IsFalse(boxed(inner)),
            Self::Cast { expression, to, or_null } => {
                Self::Cast { expression: boxed(expression), to: to.clone(), or_null: *or_null }
            }
            Self::Case { branches, otherwise } => Self::Case {
                branches: branches.iter().map(|(condition, value)| (each(condition), each(value))).collect(),
                otherwise: otherwise.as_deref().map(boxed),
            },
            Self::InList { expression, list, negated } => {
                Self::InList { expression: boxed(expression), list: list.iter().map(each).collect(), negated: *negated }
            }
            Self::Like { expression, pattern, escape, negated } => Self::Like {
                expression: boxed(expression),
                pattern: boxed(pattern),
                escape: *escape,
                negated: *negated,
            },
            Self::Required { expression, column } => {
                Self::Required { expression: boxed(expression), column: column.clone() }
            }
            Self::Field { expression, place } => Self::Field { expression: boxed(expression), place: *place },
            Self::Element { expression, index } => Self::Element { expression: boxed(expression), index: boxed(index) },
            Self::Cardinality(inner) => Self::Cardinality(boxed(inner)),
            Self::Construct { of, parts } => {
                Self::Construct { of: of.clone(), parts: parts.iter().map(each).collect() }
            }
            Self::Call { function, arguments, returns } => Self::Call {
                function: function.clone(),
                arguments: arguments.iter().map(each).collect(),
                returns: returns.clone(),
            },
            Self::UserCall { function, arguments, returns } => Self::UserCall {
                function: function.clone(),
                arguments: arguments.iter().map(each).collect(),
                returns: returns.clone(),
            },
        }
    }

    /// Whether a function of [`crate::functions`] is called anywhere in it.
    pub fn calls(&self, name: &str) -> bool {
        matches!(self, Self::Call { function, .. } if function == name)
            || self.children().into_iter().any(|child| child.calls(name))
    }
}
