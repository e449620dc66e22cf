//! UNION, INTERSECT and EXCEPT.

use arrow_schema::DataType;
use sqlparser::ast::{SetOperator, SetQuantifier};
use sqlparser::tokenizer::Span;
use tidemill_plan::{
    AggregateCall, AggregateFunction, BinaryOperator, Expression, GroupAggregate, Join, JoinKey, JoinKind, JoinOn,
    Literal, NodeKind, Unnest,
};

use super::aggregate::distinct;
use crate::bind::{Typed, binary, cast};
use crate::error::{Result, SqlError};
use crate::relation::{Field, Relation, Role};
use crate::types;

/// Two queries as one.
pub(super) fn combined(
    (operator, quantifier): (SetOperator, SetQuantifier),
    left: Relation,
    right: Relation,
    span: Span,
) -> Result<Relation> {
    let (left, right) = alike(left, right, span)?;
    match (operator, quantifier) {
        (SetOperator::Union, SetQuantifier::All) => Ok(union(left, right)),
        (SetOperator::Union, SetQuantifier::None | SetQuantifier::Distinct) => Ok(distinct(union(left, right))),
        (SetOperator::Intersect, SetQuantifier::None | SetQuantifier::Distinct) => {
            Ok(matched(JoinKind::Semi, distinct(left), right))
        }
        (SetOperator::Except, SetQuantifier::None | SetQuantifier::Distinct) => {
            Ok(matched(JoinKind::Anti, distinct(left), right))
        }
        (SetOperator::Intersect, SetQuantifier::All) => Ok(repeated(left, right, Times::AsOftenAsInBoth)),
        (SetOperator::Except, SetQuantifier::All) => Ok(repeated(left, right, Times::AsOftenAsLeftOver)),
        (operator, quantifier) => {
            let message = format!("{operator} {quantifier} is not supported");
            Err(SqlError::new(span, message, "use UNION, INTERSECT or EXCEPT, with ALL or without"))
        }
    }
}

/// Brings two relations to the same columns: the left one's names, and types that all values go into.
fn alike(left: Relation, right: Relation, span: Span) -> Result<(Relation, Relation)> {
    if left.fields.len() != right.fields.len() {
        let message = format!("the queries have {} and {} columns", left.fields.len(), right.fields.len());
        return Err(SqlError::new(span, message, "give both the same columns"));
    }
    let mut fields = Vec::with_capacity(left.fields.len());
    for (place, (one, other)) in left.fields.iter().zip(&right.fields).enumerate() {
        let data_type = types::common(&one.data_type, &other.data_type).ok_or_else(|| {
            let (one, other) = (types::name(&one.data_type), types::name(&other.data_type));
            SqlError::new(
                span,
                format!("column {} is {one} in one query and {other} in the other", place + 1),
                "CAST one",
            )
        })?;
        let role = if one.role == other.role { one.role } else { Role::Plain };
        let nullable = one.nullable || other.nullable;
        fields.push(Field { name: one.name.clone(), data_type, nullable, role });
    }
    Ok((converted(left, &fields), converted(right, &fields)))
}

fn converted(relation: Relation, fields: &[Field]) -> Relation {
    let value = |(place, (from, to)): (usize, (&Field, &Field))| {
        Typed::new(Expression::Column(place), from.data_type.clone(), from.nullable).widened(&to.data_type).expression
    };
    let projection = relation.fields.iter().zip(fields).enumerate().map(value).collect();
    relation.calc(None, projection, fields.to_vec())
}

fn union(left: Relation, right: Relation) -> Relation {
    let fields = left.fields.clone();
    let mut inputs = Vec::new();
    for side in [left, right] {
        match side.node {
            // A union of unions is one.
            crate::relation::Node::Operator { kind, inputs: parts } if matches!(*kind, NodeKind::Union) => {
                inputs.extend(parts);
            }
            node => inputs.push(Relation { node, fields: side.fields }),
        }
    }
    Relation::operator(NodeKind::Union, inputs, fields)
}

/// The left rows that have, or have not, an equal row on the right; NULLs are equal.
fn matched(kind: JoinKind, left: Relation, right: Relation) -> Relation {
    let fields = left.fields.clone();
    let keys = (0..fields.len()).map(|place| JoinKey { left: place, right: place, nulls_equal: true }).collect();
    let join = Join { kind, on: JoinOn { keys, condition: None }, state_ttl_ms: [None, None] };
    Relation::operator(NodeKind::Join(join), vec![left, right], fields)
}

#[derive(Clone, Copy)]
enum Times {
    AsOftenAsInBoth,
    AsOftenAsLeftOver,
}

/// Each row as often as it is there on both sides, or on the left more often than on the right: INTERSECT ALL and EXCEPT
/// ALL. The rows of each side are counted, and put out anew from a multiset of one value, which has the number.
fn repeated(left: Relation, right: Relation, times: Times) -> Relation {
    let width = left.fields.len();
    let fields: Vec<Field> = left.fields.iter().map(Field::timeless).collect();
    let (mark, no_mark) = (Literal::Int32(1), Literal::Null(DataType::Int32));
    let marked = |side: Relation, marks: [&Literal; 2]| {
        let own = (0..width).map(Expression::Column);
        let projection = own.chain(marks.map(|mark| Expression::Literal(mark.clone()))).collect();
        let marks = ["left", "right"].map(|name| Field::plain(name, DataType::Int32, true));
        side.calc(None, projection, fields.iter().cloned().chain(marks).collect())
    };
    let both = union(marked(left, [&mark, &no_mark]), marked(right, [&no_mark, &mark]));
    let count = |place| AggregateCall {
        function: AggregateFunction::Count,
        argument: Some(place),
        distinct: false,
        filter: None,
    };
    let aggregates = vec![count(width), count(width + 1)];
    let aggregate = GroupAggregate { keys: (0..width).collect(), aggregates, state_ttl_ms: None };
    let counts = ["left", "right"].map(|name| Field::plain(name, DataType::Int64, false));
    let counted_fields = fields.iter().cloned().chain(counts).collect();
    let counted = Relation::operator(NodeKind::GroupAggregate(aggregate), vec![both], counted_fields);
    let number = times.number(Expression::Column(width), Expression::Column(width + 1));
    let zero = Expression::Literal(Literal::Int64(0));
    let present = binary(number.clone(), BinaryOperator::Greater, zero);
    let bag_type = types::multiset(DataType::Int32);
    let parts = vec![Expression::Literal(mark), cast(number, &DataType::Int32)];
    let bag = Expression::Construct { of: bag_type.clone(), parts };
    let with_bag = fields.iter().cloned().chain([Field::plain("times", bag_type, false)]).collect::<Vec<_>>();
    let unnested = with_bag.iter().cloned().chain([Field::plain("mark", DataType::Int32, true)]).collect();
    let bags =
        counted.filtered(present).calc(None, (0..width).map(Expression::Column).chain([bag]).collect(), with_bag);
    let unnest = Unnest { column: width, kind: JoinKind::Inner, with_ordinality: false };
    let rows = Relation::operator(NodeKind::Unnest(unnest), vec![bags], unnested);
    rows.picked(&(0..width).collect::<Vec<_>>())
}

impl Times {
    fn number(self, left: Expression, right: Expression) -> Expression {
        match self {
            Self::AsOftenAsLeftOver => binary(left, BinaryOperator::Minus, right),
            Self::AsOftenAsInBoth => {
                let is_less = binary(left.clone(), BinaryOperator::Less, right.clone());
                Expression::Case { branches: vec![(is_less, left)], otherwise: Some(Box::new(right)) }
            }
        }
    }
}
