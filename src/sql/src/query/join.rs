//! Joins: where each condition on them is tested, and which kind of execution they get once all are known.

use sqlparser::tokenizer::Span;
use tidemill_plan::functions::CURRENT_WATERMARK;
use tidemill_plan::{
    BinaryOperator, Clock, Expression, IntervalJoin, Join, JoinKey, JoinKind, JoinOn, JoinTimes, NodeKind,
};

use super::interval::Bounds;
use super::rank;
use crate::bind::no_watermark;
use crate::error::{Result, SqlError};
use crate::expressions::{columns, substitute};
use crate::optimise::is_left_only;
use crate::relation::{Field, Node, Relation, Role, conjunction, is_fallible};

/// Joins two relations; the conditions are over the columns of both. What can be tested on one side goes there.
pub(super) fn joined(kind: JoinKind, left: Relation, right: Relation, conditions: Vec<Expression>) -> Relation {
    let fields = fields(kind, &left, &right, |field| field.clone());
    let width = left.fields.len();
    let (mut left, mut right, mut kept) = (left, right, Vec::new());
    for condition in conditions {
        match side(&condition, width) {
            Some(Side::Left) if matches!(kind, JoinKind::Inner | JoinKind::Right | JoinKind::Semi) => {
                left = absorbed(left, vec![condition]);
            }
            Some(Side::Right) if !matches!(kind, JoinKind::Right | JoinKind::Full) => {
                right = absorbed(right, vec![moved(&condition, width)]);
            }
            Some(_) | None => kept.push(condition),
        }
    }
    let node = Node::Joined { kind, left: Box::new(left), right: Box::new(right), conditions: kept };
    Relation { node, fields }
}

/// Keeps the rows for which all conditions hold. Conditions on a join are tested in it or below it, if they may.
pub(super) fn absorbed(relation: Relation, conditions: Vec<Expression>) -> Relation {
    let Relation { node, fields } = relation;
    let Node::Joined { kind, left, right, conditions: mut joined_by } = node else {
        let (relation, conditions) = rank::bounded(Relation { node, fields }, conditions);
        return match conjunction(conditions) {
            Some(condition) => relation.filtered(condition),
            None => relation,
        };
    };
    let width = left.fields.len();
    let (mut left, mut right, mut above) = (*left, *right, Vec::new());
    for condition in conditions {
        match side(&condition, width) {
            _ if is_fallible(&condition) => above.push(condition),
            Some(Side::Left) if !matches!(kind, JoinKind::Right | JoinKind::Full) => {
                left = absorbed(left, vec![condition]);
            }
            Some(Side::Right) if matches!(kind, JoinKind::Inner | JoinKind::Right) => {
                right = absorbed(right, vec![moved(&condition, width)]);
            }
            None if kind == JoinKind::Inner => joined_by.push(condition),
            Some(_) | None => above.push(condition),
        }
    }
    let node = Node::Joined { kind, left: Box::new(left), right: Box::new(right), conditions: joined_by };
    let relation = Relation { node, fields };
    match conjunction(above) {
        Some(condition) => relation.filtered(condition),
        None => relation,
    }
}

enum Side {
    Left,
    Right,
}

/// The only side that a condition reads; none if it reads both, or neither.
fn side(condition: &Expression, width: usize) -> Option<Side> {
    let read = columns(condition);
    match (read.iter().any(|place| *place < width), read.iter().any(|place| *place >= width)) {
        (true, false) => Some(Side::Left),
        (false, true) => Some(Side::Right),
        (true, true) | (false, false) => None,
    }
}

fn moved(expression: &Expression, width: usize) -> Expression {
    substitute(expression, &|place| Expression::Column(place - width))
}

/// The columns of a join, each first taken through `through`; sides that may be padded may be NULL.
fn fields(kind: JoinKind, left: &Relation, right: &Relation, through: impl Fn(&Field) -> Field) -> Vec<Field> {
    let padded = |field: &Field| Field { role: Role::Plain, ..field.nullable() };
    let side = |relation: &Relation, pads: bool| -> Vec<Field> {
        relation.fields.iter().map(&through).map(|field| if pads { padded(&field) } else { field }).collect()
    };
    let mut fields = side(left, matches!(kind, JoinKind::Right | JoinKind::Full));
    if !is_left_only(kind) {
        fields.extend(side(right, matches!(kind, JoinKind::Left | JoinKind::Full)));
    }
    fields
}

/// Gives the joins of this SELECT the kind of execution that their conditions allow.
pub(super) fn settled(relation: Relation, span: Span) -> Result<Relation> {
    let Relation { node, fields } = relation;
    match node {
        Node::Calc { input, filter, projection } if is_unsettled(&input) => {
            let input = settled(*input, span)?;
            // Roles may have changed below. Only conditions stand above joins here, so columns keep their places.
            let fields =
                fields.into_iter().zip(&input.fields).map(|(field, below)| Field { role: below.role, ..field });
            let fields = fields.collect();
            Ok(Relation { node: Node::Calc { input: Box::new(input), filter, projection }, fields })
        }
        Node::Joined { kind, left, right, conditions } => {
            settle(kind, settled(*left, span)?, settled(*right, span)?, conditions, span)
        }
        node => Ok(Relation { node, fields }),
    }
}

fn is_unsettled(relation: &Relation) -> bool {
    match &relation.node {
        Node::Joined { .. } => true,
        Node::Calc { input, .. } => is_unsettled(input),
        Node::Scan { .. } | Node::Operator { .. } | Node::Pending { .. } => false,
    }
}

fn settle(
    kind: JoinKind,
    left: Relation,
    right: Relation,
    conditions: Vec<Expression>,
    span: Span,
) -> Result<Relation> {
    // The ON of a join is asked before; this is a subquery that is tied to the row outside.
    if conditions.iter().any(|condition| condition.calls(CURRENT_WATERMARK)) {
        return Err(no_watermark(span));
    }
    if let Some(bounds) = Bounds::of(&left, &right, &conditions) {
        let (left, right) = having_waited(left, bounds.left_time, right, bounds.right_time);
        let rest = bounds.without(conditions);
        return Ok(placed(kind, left, right, rest, &|_| true, |on| {
            NodeKind::IntervalJoin(IntervalJoin {
                kind,
                on,
                left_time: bounds.left_time,
                right_time: bounds.right_time,
                lower_ms: bounds.lower_ms,
                upper_ms: bounds.upper_ms,
                times: JoinTimes::OfRows,
            })
        }));
    }
    if let Some((left_end, right_end)) = common_window(&left, &right, &conditions) {
        if !left.only_grows() || !right.only_grows() {
            let message = "rows of windows that may be taken back cannot be joined";
            return Err(SqlError::new(span, message, "join rows that stay, and aggregate afterwards"));
        }
        let (left, right) = having_waited(left, left_end, right, right_end);
        return Ok(placed(kind, left, right, conditions, &|_| true, |on| {
            NodeKind::IntervalJoin(IntervalJoin {
                kind,
                on,
                left_time: left_end,
                right_time: right_end,
                lower_ms: 0,
                upper_ms: 0,
                times: JoinTimes::WindowEnds,
            })
        }));
    }
    let timeless =
        |relation: Relation| Relation { fields: relation.fields.iter().map(Field::timeless).collect(), ..relation };
    Ok(placed(kind, timeless(left), timeless(right), conditions, &|_| true, |on| {
        NodeKind::Join(Join { kind, on, state_ttl_ms: [None, None] })
    }))
}

/// Rows of both sides wait for others of near times, or for the end of their window.
fn having_waited(left: Relation, left_time: usize, right: Relation, right_time: usize) -> (Relation, Relation) {
    let waited = |side: Relation, time| Relation { fields: side.having_waited(time), ..side };
    (waited(left, left_time), waited(right, right_time))
}

/// The window ends of both sides if the conditions say that the windows are the same.
fn common_window(left: &Relation, right: &Relation, conditions: &[Expression]) -> Option<(usize, usize)> {
    let width = left.fields.len();
    let equal = |wanted: fn(Role) -> bool| {
        conditions.iter().find_map(|condition| match equality(condition, width)? {
            (Expression::Column(one), Expression::Column(other)) => {
                let are_wanted = wanted(left.fields[one].role) && wanted(right.fields[other - width].role);
                are_wanted.then_some((one, other - width))
            }
            _ => None,
        })
    };
    equal(|role| matches!(role, Role::WindowStart(Clock::Event)))?;
    equal(|role| matches!(role, Role::WindowEnd(Clock::Event)))
}

/// Takes the equalities whose right sides may be keys out of the conditions. What they compare becomes columns of the
/// sides where it is not yet, and the join is put between. The result has the columns of the sides as they were.
pub(super) fn placed(
    kind: JoinKind,
    left: Relation,
    right: Relation,
    conditions: Vec<Expression>,
    is_key: &dyn Fn(&Expression) -> bool,
    operator: impl FnOnce(JoinOn) -> NodeKind,
) -> Relation {
    let (left_width, right_width) = (left.fields.len(), right.fields.len());
    let output = fields(kind, &left, &right, Field::clone);
    let (mut lefts, mut rights) = (Computed::over(&left), Computed::over(&right));
    let (mut keys, mut rest) = (Vec::new(), Vec::new());
    for condition in conditions {
        match equality(&condition, left_width) {
            Some((one, other)) if is_key(&moved(&other, left_width)) => {
                keys.push(JoinKey {
                    left: lefts.place(one),
                    right: rights.place(moved(&other, left_width)),
                    nulls_equal: false,
                });
            }
            Some(_) | None => rest.push(condition),
        }
    }
    let (left, right) = (lefts.onto(left), rights.onto(right));
    let shift = |place: usize| {
        Expression::Column(if place < left_width { place } else { place - left_width + left.fields.len() })
    };
    let condition = conjunction(rest).map(|condition| substitute(&condition, &shift));
    let joined_fields = fields(kind, &left, &right, Field::clone);
    let places: Vec<usize> = match is_left_only(kind) {
        true => (0..left_width).collect(),
        false => (0..left_width).chain(left.fields.len()..left.fields.len() + right_width).collect(),
    };
    let is_whole = joined_fields.len() == output.len();
    let relation = Relation::operator(operator(JoinOn { keys, condition }), vec![left, right], joined_fields);
    if is_whole { relation } else { Relation { fields: output, ..relation.picked(&places) } }
}

/// The two sides of an equality, the left input's first.
pub(super) fn equality(condition: &Expression, width: usize) -> Option<(Expression, Expression)> {
    let Expression::Binary { left, operator: BinaryOperator::Equal, right } = condition else { return None };
    match (side(left, width)?, side(right, width)?) {
        (Side::Left, Side::Right) => Some(((**left).clone(), (**right).clone())),
        (Side::Right, Side::Left) => Some(((**right).clone(), (**left).clone())),
        (Side::Left, Side::Left) | (Side::Right, Side::Right) => None,
    }
}

/// Columns that are computed behind a relation's own.
pub(super) struct Computed {
    fields: Vec<Field>,
    expressions: Vec<Expression>,
}

impl Computed {
    pub(super) fn over(relation: &Relation) -> Self {
        Self {
            fields: relation.fields.clone(),
            expressions: (0..relation.fields.len()).map(Expression::Column).collect(),
        }
    }

    pub(super) fn place(&mut self, expression: Expression) -> usize {
        let data_type = crate::check::type_over(&expression, &self.fields);
        self.place_as(expression, Field::plain("key", data_type, true))
    }

    /// The column of an expression, which is `field` if it is a new one.
    pub(super) fn place_as(&mut self, expression: Expression, field: Field) -> usize {
        if let Some(place) = self.expressions.iter().position(|known| *known == expression) {
            return place;
        }
        self.fields.push(field);
        self.expressions.push(expression);
        self.expressions.len() - 1
    }

    pub(super) fn onto(self, relation: Relation) -> Relation {
        if self.expressions.len() == relation.fields.len() {
            return relation;
        }
        relation.calc(None, self.expressions, self.fields)
    }
}
