//! Moves conditions below operators that they do not depend on: rows that would be taken out later are never kept as
//! state.

use tidemill_plan::{Expression, NodeKind};

use crate::expressions::{columns, substitute};
use crate::relation::{Node, Relation, conjunction, conjuncts, is_fallible};

pub(crate) fn push_filters(relation: Relation) -> Relation {
    let Relation { node, fields } = relation;
    let node = match node {
        Node::Scan { table, columns } => Node::Scan { table, columns },
        Node::Operator { kind, inputs } => {
            Node::Operator { kind, inputs: inputs.into_iter().map(push_filters).collect() }
        }
        Node::Joined { .. } | Node::Pending { .. } => unreachable!("all is settled before conditions are moved"),
        Node::Calc { input, filter, projection } => match (input.node, filter) {
            (Node::Operator { kind, inputs }, Some(filter)) => {
                let (pushed, kept): (Vec<_>, Vec<_>) =
                    conjuncts(filter).into_iter().partition(|condition| passes(condition, &kind));
                let below = |input: Relation| push_filters(filtered(input, &pushed, &kind));
                let inputs = inputs.into_iter().map(below).collect();
                let input = Relation { node: Node::Operator { kind, inputs }, fields: input.fields };
                Node::Calc { input: Box::new(input), filter: conjunction(kept), projection }
            }
            (node, filter) => {
                let input = Relation { node, fields: input.fields };
                Node::Calc { input: Box::new(push_filters(input)), filter, projection }
            }
        },
    };
    Relation { node, fields }
}

/// Whether a condition on the output can be tested on the inputs: it takes out whole groups. One that can fail stays:
/// below, it would be tested on rows of groups that are never put out.
fn passes(condition: &Expression, kind: &NodeKind) -> bool {
    let read = columns(condition);
    let is_group = |place: &usize| match kind {
        NodeKind::WindowAggregate(aggregate) => *place < aggregate.keys.len(),
        NodeKind::GroupAggregate(aggregate) => *place < aggregate.keys.len(),
        NodeKind::Rank(rank) => rank.partition.contains(place),
        NodeKind::Over(over) => over.partition.contains(place),
        NodeKind::Deduplicate(deduplicate) => deduplicate.keys.contains(place),
        NodeKind::Union => true,
        _ => false,
    };
    !is_fallible(condition) && !read.is_empty() && read.iter().all(is_group)
}

fn filtered(input: Relation, conditions: &[Expression], kind: &NodeKind) -> Relation {
    let below = |place: usize| {
        Expression::Column(match kind {
            NodeKind::WindowAggregate(aggregate) => aggregate.keys[place],
            NodeKind::GroupAggregate(aggregate) => aggregate.keys[place],
            _ => place,
        })
    };
    let moved = conditions.iter().map(|condition| substitute(condition, &below));
    match conjunction(moved.collect()) {
        Some(condition) => input.filtered(condition),
        None => input,
    }
}
