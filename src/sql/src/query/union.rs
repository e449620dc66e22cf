//! UNION, INTERSECT and EXCEPT.

use sqlparser::ast::{SetOperator, SetQuantifier};
use sqlparser::tokenizer::Span;
use tidemill_plan::{Expression, Join, JoinKey, JoinKind, JoinOn, NodeKind};

use super::aggregate::distinct;
use crate::bind::Typed;
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
        (operator, quantifier) => {
            let message = format!("{operator} {quantifier} is not supported");
            Err(SqlError::new(span, message, "use UNION ALL, UNION, INTERSECT or EXCEPT"))
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
