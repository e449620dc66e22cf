//! Rows numbered by `ROW_NUMBER() OVER (PARTITION BY … ORDER BY …)`, of which a condition on the number keeps the
//! first: top-n, or with n = 1 one row for each key.

use std::collections::BTreeSet;

use arrow_schema::DataType;
use sqlparser::tokenizer::Span;
use tidemill_plan::{
    AggregateCall, AggregateFunction, BinaryOperator, Clock, Deduplicate, Expression, Frame, Keep, Literal, NodeKind,
    Over, OverOrder, Rank, RankEmit, SortKey,
};

use crate::error::{Result, SqlError};
use crate::relation::{Field, Node, Pending, Relation, Role};

/// The numbers that conditions let through, which are taken out of them.
struct Range {
    first: u64,
    last: u64,
    rest: Vec<Expression>,
}

/// The relation in which a ranking has the bounds that the conditions give it, and the conditions that are left.
pub(super) fn bounded(relation: Relation, conditions: Vec<Expression>) -> (Relation, Vec<Expression>) {
    let numbers = numbers(&relation);
    match Range::of(&numbers, &conditions) {
        Some(Range { first, last, rest }) => (ranked(relation, first, last), rest),
        None => (relation, conditions),
    }
}

/// The places of a pending ranking's number.
fn numbers(relation: &Relation) -> BTreeSet<usize> {
    match &relation.node {
        Node::Pending { pending: Pending::Ranking { .. }, .. } => BTreeSet::from([relation.fields.len() - 1]),
        Node::Calc { input, projection, .. } => {
            let below = numbers(input);
            let is_number =
                |expression: &Expression| matches!(expression, Expression::Column(place) if below.contains(place));
            (0..projection.len()).filter(|place| is_number(&projection[*place])).collect()
        }
        _ => BTreeSet::new(),
    }
}

impl Range {
    /// None unless the numbers have an end.
    fn of(numbers: &BTreeSet<usize>, conditions: &[Expression]) -> Option<Self> {
        let (mut first, mut last, mut rest) = (1, None, Vec::new());
        for condition in conditions {
            match limit(numbers, condition) {
                Some((lower, upper)) => {
                    first = first.max(lower.unwrap_or(1));
                    last = [last, upper].into_iter().flatten().min();
                }
                None => rest.push(condition.clone()),
            }
        }
        let last = last.filter(|last| *last >= first)?;
        Some(Self { first: u64::try_from(first).ok()?, last: u64::try_from(last).ok()?, rest })
    }
}

/// The least and the greatest number for which a comparison with a constant holds.
fn limit(numbers: &BTreeSet<usize>, condition: &Expression) -> Option<(Option<i64>, Option<i64>)> {
    use BinaryOperator::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual};
    let Expression::Binary { left, operator, right } = condition else { return None };
    let (place, bound, operator) = match (&**left, &**right) {
        (Expression::Column(place), Expression::Literal(Literal::Int64(bound))) => (place, *bound, *operator),
        (Expression::Literal(Literal::Int64(bound)), Expression::Column(place)) => (place, *bound, operator.mirrored()),
        _ => return None,
    };
    if !numbers.contains(place) {
        return None;
    }
    match operator {
        Equal => Some((Some(bound), Some(bound))),
        Less => Some((None, Some(bound.checked_sub(1)?))),
        LessOrEqual => Some((None, Some(bound))),
        Greater => Some((Some(bound.checked_add(1)?), None)),
        GreaterOrEqual => Some((Some(bound), None)),
        _ => None,
    }
}

/// Puts the rank in the place of the ranking below calculations.
fn ranked(relation: Relation, first: u64, last: u64) -> Relation {
    let Relation { node, fields } = relation;
    match node {
        Node::Calc { input, filter, projection } => {
            let input = Box::new(ranked(*input, first, last));
            Relation { node: Node::Calc { input, filter, projection }, fields }
        }
        Node::Pending { pending: Pending::Ranking { partition, order }, input, .. } => {
            top(*input, partition, order, (first, last), fields)
        }
        node => Relation { node, fields },
    }
}

fn top(
    input: Relation,
    partition: Vec<usize>,
    order: Vec<SortKey>,
    (first, last): (u64, u64),
    fields: Vec<Field>,
) -> Relation {
    if first != last {
        return rank(input, partition, order, (first, last), Some(fields));
    }
    // A number that is always the same needs no state and never changes.
    let width = input.fields.len();
    let number = i64::try_from(first).unwrap_or(i64::MAX);
    let kept = match one_by_time(&input, &order).filter(|_| first == 1 && window_end(&input, &partition).is_none()) {
        Some((time_column, clock, keep)) => {
            let deduplicate = Deduplicate { keys: partition, time_column, clock, keep, state_ttl_ms: None };
            let fields = input.fields.clone();
            Relation::operator(NodeKind::Deduplicate(deduplicate), vec![input], fields)
        }
        None => rank(input, partition, order, (first, last), None),
    };
    let columns = (0..width).map(Expression::Column);
    kept.calc(None, columns.chain([Expression::Literal(Literal::Int64(number))]).collect(), fields)
}

/// The rows in a range; `numbered` are the columns if the number is among them.
pub(super) fn rank(
    input: Relation,
    partition: Vec<usize>,
    order: Vec<SortKey>,
    (first, last): (u64, u64),
    numbered: Option<Vec<Field>>,
) -> Relation {
    let (emit, mut fields) = match window_end(&input, &partition) {
        Some(window_end) => (RankEmit::AtWindowEnd { window_end }, input.having_waited(window_end)),
        None => (RankEmit::Changes, input.fields.clone()),
    };
    let with_number = numbered.is_some();
    let rank = Rank { partition, order, first, last, with_number, emit, newest_first: false, state_ttl_ms: None };
    fields.extend(numbered.into_iter().flatten().skip(input.fields.len()));
    Relation::operator(NodeKind::Rank(rank), vec![input], fields)
}

/// The end of the window that all rows of a partition are in, if the rows stay and a watermark ends it.
fn window_end(input: &Relation, partition: &[usize]) -> Option<usize> {
    let with_role = |role: Role| partition.iter().copied().find(|place| input.fields[*place].role == role);
    with_role(Role::WindowStart(Clock::Event))?;
    with_role(Role::WindowEnd(Clock::Event)).filter(|_| input.only_grows())
}

/// The time attribute that rows which stay are ordered by alone, and which of them is the first.
fn one_by_time(input: &Relation, order: &[SortKey]) -> Option<(usize, Clock, Keep)> {
    let [SortKey { column, descending, .. }] = order else { return None };
    let clock = input.fields[*column].role.clock().filter(|_| input.only_grows())?;
    Some((*column, clock, if *descending { Keep::Last } else { Keep::First }))
}

/// Every row with its number: in the order of time a number never changes. In another order it would.
pub(super) fn numbered(
    input: Relation,
    partition: Vec<usize>,
    order: Vec<SortKey>,
    fields: Vec<Field>,
    span: Span,
) -> Result<Relation> {
    let (time, clock) = match one_by_time(&input, &order) {
        Some((time, clock, Keep::First)) => (time, clock),
        _ => {
            let message = "every row that comes would change the ROW_NUMBER of all rows behind it";
            return Err(SqlError::new(span, message, "add a condition such as rn <= 10 in the query around it"));
        }
    };
    let (order, below) = match clock {
        Clock::Event => (OverOrder::EventTime(time), input.having_waited(time)),
        Clock::Processing => (OverOrder::ProcessingTime(time), input.fields.clone()),
    };
    let fields = below.into_iter().chain(fields.into_iter().skip(input.fields.len())).collect::<Vec<_>>();
    let call = AggregateCall { function: AggregateFunction::RowNumber, argument: None, distinct: false, filter: None };
    let frame = Frame::Rows { preceding: None };
    let over = Over { partition, order, frame, aggregates: vec![call], state_ttl_ms: None };
    debug_assert_eq!(fields.last().map(|field| &field.data_type), Some(&DataType::Int64));
    Ok(Relation::operator(NodeKind::Over(over), vec![input], fields))
}
