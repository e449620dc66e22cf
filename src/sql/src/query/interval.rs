//! Conditions that hold two rows' times near each other.

use tidemill_plan::{BinaryOperator, Expression, Literal};

use crate::relation::{Relation, Role};

/// `right + lower_ms <= left <= right + upper_ms`, for a rowtime of each side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    pub left_time: usize,
    pub right_time: usize,
    pub lower_ms: i64,
    pub upper_ms: i64,
    left_width: usize,
}

impl Bounds {
    /// The bounds that the conditions set, if they set both, for inputs that only grow.
    pub(super) fn of(left: &Relation, right: &Relation, conditions: &[Expression]) -> Option<Self> {
        if !left.only_grows() || !right.only_grows() {
            return None;
        }
        let width = left.fields.len();
        let is_rowtime = |relation: &Relation, place: usize| relation.fields[place].role == Role::Rowtime;
        let limits: Vec<Limit> = conditions
            .iter()
            .filter_map(|condition| Limit::of(condition, width))
            .filter(|limit| is_rowtime(left, limit.left) && is_rowtime(right, limit.right - width))
            .collect();
        let first = limits.first()?;
        let same = || limits.iter().filter(|limit| (limit.left, limit.right) == (first.left, first.right));
        let lower_ms = same().filter_map(|limit| limit.lower).max()?;
        let upper_ms = same().filter_map(|limit| limit.upper).min()?;
        Some(Self { left_time: first.left, right_time: first.right - width, lower_ms, upper_ms, left_width: width })
    }

    /// The conditions that are left when the bounds are tested elsewhere.
    pub(super) fn without(&self, conditions: Vec<Expression>) -> Vec<Expression> {
        let is_bound = |condition: &Expression| {
            Limit::of(condition, self.left_width)
                .is_some_and(|limit| (limit.left, limit.right) == (self.left_time, self.right_time + self.left_width))
        };
        conditions.into_iter().filter(|condition| !is_bound(condition)).collect()
    }
}

/// What one comparison says of `left - right`, in milliseconds.
struct Limit {
    left: usize,
    right: usize,
    lower: Option<i64>,
    upper: Option<i64>,
}

impl Limit {
    fn of(condition: &Expression, width: usize) -> Option<Self> {
        let Expression::Binary { left, operator, right } = condition else { return None };
        let ((one, one_offset), (other, other_offset)) = (shifted(left)?, shifted(right)?);
        let (left, right, operator, offset) = match (one < width, other < width) {
            (true, false) => (one, other, *operator, other_offset - one_offset),
            (false, true) => (other, one, operator.mirrored(), one_offset - other_offset),
            (true, true) | (false, false) => return None,
        };
        let (lower, upper) = match operator {
            BinaryOperator::Equal => (Some(offset), Some(offset)),
            BinaryOperator::Greater => (Some(offset + 1), None),
            BinaryOperator::GreaterOrEqual => (Some(offset), None),
            BinaryOperator::Less => (None, Some(offset - 1)),
            BinaryOperator::LessOrEqual => (None, Some(offset)),
            _ => return None,
        };
        Some(Self { left, right, lower, upper })
    }
}

/// A column and the milliseconds that are added to it.
fn shifted(expression: &Expression) -> Option<(usize, i64)> {
    match expression {
        Expression::Column(place) => Some((*place, 0)),
        Expression::Binary { left, operator, right } => {
            let (place, offset) = shifted(left)?;
            let Expression::Literal(Literal::Interval { months: 0, days, nanoseconds }) = &**right else { return None };
            let length = i64::from(*days) * 86_400_000 + nanoseconds / 1_000_000;
            match operator {
                BinaryOperator::Plus => Some((place, offset + length)),
                BinaryOperator::Minus => Some((place, offset - length)),
                _ => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minus(place: usize, ms: i64) -> Expression {
        let length = Literal::Interval { months: 0, days: 0, nanoseconds: ms * 1_000_000 };
        compare(Expression::Column(place), BinaryOperator::Minus, Expression::Literal(length))
    }

    fn compare(left: Expression, operator: BinaryOperator, right: Expression) -> Expression {
        Expression::Binary { left: Box::new(left), operator, right: Box::new(right) }
    }

    fn check(condition: &Expression, expected: (Option<i64>, Option<i64>)) {
        let limit = Limit::of(condition, 1).unwrap();
        assert_eq!((limit.lower, limit.upper), expected, "{condition:?}");
    }

    #[test]
    fn comparisons_of_times_limit_their_difference() {
        check(&compare(Expression::Column(0), BinaryOperator::GreaterOrEqual, minus(1, 10)), (Some(-10), None));
        check(&compare(minus(1, 10), BinaryOperator::Less, Expression::Column(0)), (Some(-9), None));
        check(&compare(minus(0, 5), BinaryOperator::LessOrEqual, Expression::Column(1)), (None, Some(5)));
        check(&compare(Expression::Column(1), BinaryOperator::Equal, Expression::Column(0)), (Some(0), Some(0)));
    }

    #[test]
    fn conditions_on_one_side_limit_nothing() {
        assert!(Limit::of(&compare(Expression::Column(0), BinaryOperator::Less, minus(0, 5)), 1).is_none());
    }
}
