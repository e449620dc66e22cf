//! Moves conditions that read nothing but keys below the aggregation: rows that would be taken out later are never
//! kept as state.

use tidemill_plan::Expression;

use crate::expressions::{columns, substitute};
use crate::relation::{Aggregate, Node, Relation, conjunction, conjuncts, is_fallible};

pub(crate) fn push_filters(relation: Relation) -> Relation {
    let Relation { node, fields, window } = relation;
    let node = match node {
        Node::Scan { table, columns } => Node::Scan { table, columns },
        Node::WindowAggregate { input, aggregate } => {
            Node::WindowAggregate { input: Box::new(push_filters(*input)), aggregate }
        }
        Node::Calc { input, filter, projection } => match (input.node, filter) {
            (Node::WindowAggregate { input: below, aggregate }, Some(filter)) => {
                let (pushed, kept): (Vec<_>, Vec<_>) =
                    conjuncts(filter).into_iter().partition(|condition| reads_keys_only(condition, &aggregate));
                let below = push_filters(filtered(*below, pushed, &aggregate));
                let node = Node::WindowAggregate { input: Box::new(below), aggregate };
                let input = Relation { node, fields: input.fields, window: input.window };
                Node::Calc { input: Box::new(input), filter: conjunction(kept), projection }
            }
            (node, filter) => {
                let input = Relation { node, fields: input.fields, window: input.window };
                Node::Calc { input: Box::new(push_filters(input)), filter, projection }
            }
        },
    };
    Relation { node, fields, window }
}

/// A condition that can fail stays: below, it would be tested on rows of windows that are never put out.
fn reads_keys_only(condition: &Expression, aggregate: &Aggregate) -> bool {
    let read = columns(condition);
    !is_fallible(condition) && !read.is_empty() && read.iter().all(|place| *place < aggregate.keys.len())
}

fn filtered(relation: Relation, conditions: Vec<Expression>, aggregate: &Aggregate) -> Relation {
    let moved =
        conditions.iter().map(|condition| substitute(condition, &|key| Expression::Column(aggregate.keys[key])));
    match conjunction(moved.collect()) {
        Some(condition) => relation.filtered(condition),
        None => relation,
    }
}
