//! Merges a calculation into the one below it.

use tidemill_plan::Expression;

use crate::expressions::{substitute, uses};
use crate::relation::{Node, Relation, conjunction, conjuncts, is_fallible};

pub(crate) fn merge(relation: Relation) -> Relation {
    let Relation { node, fields } = relation;
    let node = match node {
        Node::Scan { table, columns } => Node::Scan { table, columns },
        Node::Operator { kind, inputs } => Node::Operator { kind, inputs: inputs.into_iter().map(merge).collect() },
        Node::Joined { .. } | Node::Pending { .. } => unreachable!("all is settled before calculations are merged"),
        Node::Calc { input, filter, projection } => {
            let input = merge(*input);
            match input.node {
                Node::Calc { input: below, filter: first, projection: inner }
                    if fits(&filter, &projection, &first, &inner) =>
                {
                    let replace = |expression: &Expression| substitute(expression, &|place| inner[place].clone());
                    let filter = filter.as_ref().map(replace);
                    let projection = projection.iter().map(replace).collect();
                    let conditions = first.into_iter().chain(filter).flat_map(conjuncts).collect();
                    Node::Calc { input: below, filter: conjunction(conditions), projection }
                }
                node => Node::Calc { input: Box::new(Relation { node, ..input }), filter, projection },
            }
        }
    };
    Relation { node, fields }
}

/// Merging must not compute a thing twice, nor test what can fail on rows that the first condition takes out.
fn fits(
    filter: &Option<Expression>,
    projection: &[Expression],
    first: &Option<Expression>,
    inner: &[Expression],
) -> bool {
    let guarded =
        first.is_some() && filter.as_ref().is_some_and(|filter| is_fallible(filter) || reads_fallible(filter, inner));
    let outer = || projection.iter().chain(filter);
    let repeated = inner.iter().enumerate().any(|(place, expression)| {
        !matches!(expression, Expression::Column(_) | Expression::Literal(_))
            && outer().map(|reader| uses(reader, place)).sum::<usize>() > 1
    });
    !guarded && !repeated
}

fn reads_fallible(filter: &Expression, inner: &[Expression]) -> bool {
    crate::expressions::columns(filter).into_iter().any(|place| is_fallible(&inner[place]))
}
