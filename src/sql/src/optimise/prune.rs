//! Takes out columns that nothing reads.

use std::collections::{BTreeMap, BTreeSet};

use tidemill_plan::Expression;

use crate::expressions::{columns, substitute};
use crate::relation::{Aggregate, Call, Node, Relation};

/// The physical columns to read of each table, by its name: all that any part of the application needs.
pub(crate) type ScanColumns = BTreeMap<String, BTreeSet<usize>>;

/// Notes which columns of which tables a relation needs for these columns of its own.
pub(crate) fn needed_of_tables(relation: &Relation, needed: &BTreeSet<usize>, tables: &mut ScanColumns) {
    match &relation.node {
        Node::Scan { table, columns: scanned } => {
            let read = tables.entry(table.table.name.clone()).or_default();
            read.extend(needed.iter().map(|place| scanned[*place]));
            read.extend(table.watermark.iter().flat_map(|watermark| columns(&watermark.expression)));
        }
        Node::Calc { input, filter, projection } => {
            needed_of_tables(input, &needed_below(filter.as_ref(), projection, needed), tables);
        }
        Node::WindowAggregate { input, aggregate } => needed_of_tables(input, &needed_by(aggregate), tables),
    }
}

fn needed_below(filter: Option<&Expression>, projection: &[Expression], needed: &BTreeSet<usize>) -> BTreeSet<usize> {
    needed.iter().map(|place| &projection[*place]).chain(filter).flat_map(columns).collect()
}

fn needed_by(aggregate: &Aggregate) -> BTreeSet<usize> {
    let calls = aggregate.calls.iter().flat_map(|call| call.argument.into_iter().chain(call.filter));
    aggregate.keys.iter().copied().chain([aggregate.time_column]).chain(calls).collect()
}

/// The relation with at least these columns, and where its old columns have gone.
pub(crate) fn prune(
    relation: Relation,
    needed: &BTreeSet<usize>,
    tables: &ScanColumns,
) -> (Relation, BTreeMap<usize, usize>) {
    let Relation { node, fields, window } = relation;
    match node {
        Node::Scan { table, columns: scanned } => {
            let wanted = tables.get(&table.table.name).cloned().unwrap_or_default();
            let kept: Vec<usize> = (0..scanned.len()).filter(|place| wanted.contains(&scanned[*place])).collect();
            let node = Node::Scan { table, columns: kept.iter().map(|place| scanned[*place]).collect() };
            (Relation { node, fields: pick(&fields, &kept), window }, moves(&kept))
        }
        Node::Calc { input, filter, projection } => {
            let (input, moved) = prune(*input, &needed_below(filter.as_ref(), &projection, needed), tables);
            let remap = |expression: &Expression| substitute(expression, &|place| Expression::Column(moved[&place]));
            let kept: Vec<usize> = needed.iter().copied().collect();
            let node = Node::Calc {
                input: Box::new(input),
                filter: filter.as_ref().map(remap),
                projection: kept.iter().map(|place| remap(&projection[*place])).collect(),
            };
            (Relation { node, fields: pick(&fields, &kept), window }, moves(&kept))
        }
        Node::WindowAggregate { input, aggregate } => prune_aggregate(*input, aggregate, &fields, needed, tables),
    }
}

/// Keys stay, for they make the groups; calls and window columns that nobody reads go.
fn prune_aggregate(
    input: Relation,
    aggregate: Aggregate,
    fields: &[crate::relation::Field],
    needed: &BTreeSet<usize>,
    tables: &ScanColumns,
) -> (Relation, BTreeMap<usize, usize>) {
    let keys = aggregate.keys.len();
    let kept: Vec<usize> = (0..fields.len()).filter(|place| *place < keys || needed.contains(place)).collect();
    let kept_calls = aggregate.calls.iter().enumerate().filter(|(place, _)| needed.contains(&(keys + place)));
    let calls: Vec<Call> = kept_calls.map(|(_, call)| call.clone()).collect();
    let first_output = keys + aggregate.calls.len();
    let kept_output = aggregate.output.iter().enumerate().filter(|(place, _)| needed.contains(&(first_output + place)));
    let output = kept_output.map(|(_, output)| *output).collect();
    let aggregate = Aggregate { calls, output, ..aggregate };

    let (input, moved) = prune(input, &needed_by(&aggregate), tables);
    let calls = aggregate.calls.iter().map(|call| Call {
        function: call.function.clone(),
        argument: call.argument.map(|place| moved[&place]),
        filter: call.filter.map(|place| moved[&place]),
    });
    let aggregate = Aggregate {
        calls: calls.collect(),
        keys: aggregate.keys.iter().map(|place| moved[place]).collect(),
        time_column: moved[&aggregate.time_column],
        ..aggregate
    };
    let node = Node::WindowAggregate { input: Box::new(input), aggregate };
    (Relation { node, fields: pick(fields, &kept), window: None }, moves(&kept))
}

fn pick<T: Clone>(all: &[T], kept: &[usize]) -> Vec<T> {
    kept.iter().map(|place| all[*place].clone()).collect()
}

fn moves(kept: &[usize]) -> BTreeMap<usize, usize> {
    kept.iter().enumerate().map(|(new, old)| (*old, new)).collect()
}
