//! The end of planning: what is still pending gets the plan that it has by itself, or is refused where it is written.

use super::rank;
use crate::error::{Result, SqlError};
use crate::relation::{Node, Pending, Relation};

/// The relation without anything pending.
pub(crate) fn completed(relation: Relation) -> Result<Relation> {
    let Relation { node, fields } = relation;
    let boxed = |relation: Box<Relation>| completed(*relation).map(Box::new);
    let node = match node {
        Node::Scan { table, columns } => Node::Scan { table, columns },
        Node::Calc { input, filter, projection } => Node::Calc { input: boxed(input)?, filter, projection },
        Node::Joined { kind, left, right, conditions } => {
            Node::Joined { kind, left: boxed(left)?, right: boxed(right)?, conditions }
        }
        Node::Operator { kind, inputs } => {
            Node::Operator { kind, inputs: inputs.into_iter().map(completed).collect::<Result<_>>()? }
        }
        Node::Pending { pending: Pending::Session { .. }, span, .. } => {
            let message = "rows in SESSION windows are not aggregated in them";
            let remedy = "aggregate them: GROUP BY window_start, window_end and the columns of PARTITION BY";
            return Err(SqlError::new(span, message, remedy));
        }
        Node::Pending { pending: Pending::Ranking { partition, order }, input, span } => {
            return rank::numbered(completed(*input)?, partition, order, fields, span);
        }
    };
    Ok(Relation { node, fields })
}
