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
                let width = inputs.first().map_or(0, |input| input.fields.len());
                let (pushed, kept): (Vec<_>, Vec<_>) =
                    conjuncts(filter).into_iter().partition(|condition| passes(condition, &kind, width));
                let below = |(place, input): (usize, Relation)| match place == 0 || !is_of_left_rows(&kind) {
                    true => push_filters(filtered(input, &pushed, &kind)),
                    false => push_filters(input),
                };
                let inputs = inputs.into_iter().enumerate().map(below).collect();
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

/// Whether a condition on the output can be tested on the inputs: it takes out whole groups, or left rows of a join. One that can fail stays:
/// below, it would be tested on rows of groups that are never put out.
fn passes(condition: &Expression, kind: &NodeKind, width: usize) -> bool {
    let read = columns(condition);
    let is_group = |place: &usize| match kind {
        NodeKind::WindowAggregate(aggregate) => *place < aggregate.keys.len(),
        NodeKind::GroupAggregate(aggregate) => *place < aggregate.keys.len(),
        NodeKind::Rank(rank) => rank.partition.contains(place),
        NodeKind::Over(over) => over.partition.contains(place),
        NodeKind::Deduplicate(deduplicate) => deduplicate.keys.contains(place),
        NodeKind::MatchRecognize(matches) => *place < matches.partition.len(),
        NodeKind::Union => true,
        kind if is_of_left_rows(kind) => *place < width,
        _ => false,
    };
    !is_fallible(condition) && !read.is_empty() && read.iter().all(is_group)
}

/// Whether the left rows of a join come out whole, each for itself, if they come out.
fn is_of_left_rows(kind: &NodeKind) -> bool {
    matches!(kind, NodeKind::TemporalJoin(_) | NodeKind::LookupJoin(_))
}

fn filtered(input: Relation, conditions: &[Expression], kind: &NodeKind) -> Relation {
    let below = |place: usize| {
        Expression::Column(match kind {
            NodeKind::WindowAggregate(aggregate) => aggregate.keys[place],
            NodeKind::GroupAggregate(aggregate) => aggregate.keys[place],
            NodeKind::MatchRecognize(matches) => matches.partition[place],
            _ => place,
        })
    };
    let moved = conditions.iter().map(|condition| substitute(condition, &below));
    match conjunction(moved.collect()) {
        Some(condition) => input.filtered(condition),
        None => input,
    }
}
