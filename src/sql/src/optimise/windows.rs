//! Rows that are assigned to windows only to be aggregated in them need not be copied for every window: the aggregation
//! takes them as they are and assigns them itself.

use arrow_schema::DataType;
use tidemill_plan::{Expression, NodeKind, WindowAggregate, WindowOutput, Windows};

use crate::expressions::columns;
use crate::relation::{Field, Node, Relation};

/// Aggregations of rows that were assigned to windows just before become aggregations in windows of time.
pub(crate) fn assign_late(relation: Relation) -> Relation {
    let Relation { node, mut fields } = relation;
    let node = match node {
        Node::Scan { table, columns } => Node::Scan { table, columns },
        Node::Calc { input, filter, projection } => {
            Node::Calc { input: Box::new(assign_late(*input)), filter, projection }
        }
        Node::Joined { .. } | Node::Pending { .. } => unreachable!("all is settled before"),
        Node::Operator { kind, inputs } => {
            let mut inputs: Vec<Relation> = inputs.into_iter().map(assign_late).collect();
            match (*kind, inputs.pop()) {
                (NodeKind::WindowAggregate(aggregate), Some(input)) => {
                    let (aggregate, input) = over_time(aggregate, input);
                    if let Windows::Of { time_column, .. } = aggregate.windows {
                        retype(&mut fields, &aggregate, &input.fields[time_column].data_type);
                    }
                    Node::Operator { kind: Box::new(NodeKind::WindowAggregate(aggregate)), inputs: vec![input] }
                }
                (kind, last) => {
                    inputs.extend(last);
                    Node::Operator { kind: Box::new(kind), inputs }
                }
            }
        }
    };
    Relation { node, fields }
}

/// The time of an assigned window is of the type of the time that it was assigned by.
fn retype(fields: &mut [Field], aggregate: &WindowAggregate, time: &DataType) {
    let before = aggregate.keys.len() + aggregate.aggregates.len();
    for (field, output) in fields.iter_mut().skip(before).zip(&aggregate.output) {
        if *output == WindowOutput::Time {
            field.data_type = time.clone();
        }
    }
}

fn over_time(aggregate: WindowAggregate, input: Relation) -> (WindowAggregate, Relation) {
    let Windows::Attached { start, end, clock } = aggregate.windows else { return (aggregate, input) };
    let Some((window, time_place, below)) = assigned_below(&input) else { return (aggregate, input) };
    let Node::Calc { filter, projection, .. } = &input.node else { return (aggregate, input) };
    let first = below.fields.len();
    let is_window = |expression: &Expression| columns(expression).iter().any(|place| *place >= first);
    let (bounds, others): (Vec<_>, Vec<_>) =
        projection.iter().enumerate().partition(|(place, _)| *place == start || *place == end);
    let bounds_are_columns = bounds
        .iter()
        .all(|(place, expression)| **expression == Expression::Column(if *place == start { first } else { first + 1 }));
    let calls = aggregate.aggregates.iter().flat_map(|call| call.argument.iter().chain(&call.filter));
    let used = aggregate.keys.iter().chain(calls).any(|column| [start, end].contains(column))
        || others.iter().any(|(_, expression)| is_window(expression))
        || filter.as_ref().is_some_and(is_window);
    if !bounds_are_columns || used {
        return (aggregate, input);
    }
    let time = below.fields[time_place].clone();
    let mut projection = projection.clone();
    let mut fields = input.fields.clone();
    for place in [start, end] {
        projection[place] = Expression::Column(time_place);
        fields[place] = time.named(fields[place].name.clone());
    }
    let windows = Windows::Of { window, time_column: start, clock };
    let input = below.clone().calc(filter.clone(), projection, fields);
    (WindowAggregate { windows, ..aggregate }, input)
}

/// If the relation is a calculation over rows that were just assigned: their windows, their time, and the rows.
fn assigned_below(input: &Relation) -> Option<(tidemill_plan::Window, usize, &Relation)> {
    let Node::Calc { input, .. } = &input.node else { return None };
    let Node::Operator { kind, inputs } = &input.node else { return None };
    match (&**kind, &inputs[..]) {
        (NodeKind::AssignWindows(assign), [below]) => Some((assign.window, assign.time_column, below)),
        _ => None,
    }
}
