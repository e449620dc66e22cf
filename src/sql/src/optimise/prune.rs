//! Takes out columns that nothing reads.

use std::collections::{BTreeMap, BTreeSet};

use tidemill_plan::{Expression, NodeKind};

use super::columns::{Origin, origins, reads, renumber, with_calls};
use crate::expressions::{columns, substitute};
use crate::relation::{Field, Node, Relation};

/// The columns to read of each table, by its name, of those that its connector delivers: all that any part of the
/// application needs.
pub(crate) type ScanColumns = BTreeMap<String, BTreeSet<usize>>;

/// Notes which columns of which tables a relation needs for these columns of its own.
pub(crate) fn needed_of_tables(relation: &Relation, needed: &BTreeSet<usize>, tables: &mut ScanColumns) {
    match &relation.node {
        Node::Scan { table, columns: scanned } => {
            let read = tables.entry(table.table.name.clone()).or_default();
            read.extend(needed.iter().map(|place| scanned[*place]));
            read.extend(table.watermark.iter().flat_map(|watermark| columns(&watermark.expression)));
            read.extend(table.always_read());
            // A record is there by what it holds, also where only what stands around it is read.
            if read.first().is_some_and(|place| *place >= table.physical.len()) {
                read.insert(0);
            }
        }
        Node::Calc { input, filter, projection } => {
            needed_of_tables(input, &needed_below(filter.as_ref(), projection, input, needed), tables);
        }
        Node::Operator { kind, inputs } => {
            let (needed, _) = needed_by(kind, inputs, relation.fields.len(), needed);
            inputs.iter().zip(&needed).for_each(|(input, needed)| needed_of_tables(input, needed, tables));
        }
        Node::Joined { .. } | Node::Pending { .. } => unreachable!("all is settled before columns are pruned"),
    }
}

fn needed_below(
    filter: Option<&Expression>,
    projection: &[Expression],
    input: &Relation,
    needed: &BTreeSet<usize>,
) -> BTreeSet<usize> {
    at_least_one(needed.iter().map(|place| &projection[*place]).chain(filter).flat_map(columns).collect(), input)
}

/// Rows without any column could not be counted.
fn at_least_one(mut columns: BTreeSet<usize>, input: &Relation) -> BTreeSet<usize> {
    if columns.is_empty() && !input.fields.is_empty() {
        columns.insert(0);
    }
    columns
}

/// The columns needed of each input, and the operator as far as it is needed.
fn needed_by(
    kind: &NodeKind,
    inputs: &[Relation],
    width: usize,
    needed: &BTreeSet<usize>,
) -> (Vec<BTreeSet<usize>>, NodeKind) {
    let widths: Vec<usize> = inputs.iter().map(|input| input.fields.len()).collect();
    let origins = origins(kind, &widths, width);
    let calls = needed.iter().filter_map(|place| match origins[*place] {
        Origin::Call(call) => Some(call),
        Origin::Input(..) | Origin::Made => None,
    });
    let mut reduced = kind.clone();
    with_calls(&mut reduced, &calls.collect());
    let mut below = reads(&reduced, &widths);
    for place in needed {
        if let Origin::Input(input, column) = origins[*place] {
            below[input].insert(column);
            if matches!(kind, NodeKind::Union) {
                for columns in &mut below {
                    columns.insert(column);
                }
            }
        }
    }
    let below = below.into_iter().zip(inputs).map(|(columns, input)| at_least_one(columns, input)).collect();
    (below, reduced)
}

/// The relation with at least these columns, and where its old columns have gone.
pub(crate) fn prune(
    relation: Relation,
    needed: &BTreeSet<usize>,
    tables: &ScanColumns,
) -> (Relation, BTreeMap<usize, usize>) {
    let Relation { node, fields } = relation;
    match node {
        Node::Scan { table, columns: scanned } => {
            let wanted = tables.get(&table.table.name).cloned().unwrap_or_default();
            let kept: Vec<usize> = (0..scanned.len()).filter(|place| wanted.contains(&scanned[*place])).collect();
            let node = Node::Scan { table, columns: kept.iter().map(|place| scanned[*place]).collect() };
            (Relation { node, fields: pick(&fields, &kept) }, moves(&kept))
        }
        Node::Calc { input, filter, projection } => {
            let below = needed_below(filter.as_ref(), &projection, &input, needed);
            let (input, moved) = prune(*input, &below, tables);
            let remap = |expression: &Expression| substitute(expression, &|place| Expression::Column(moved[&place]));
            let kept: Vec<usize> = needed.iter().copied().collect();
            let node = Node::Calc {
                input: Box::new(input),
                filter: filter.as_ref().map(remap),
                projection: kept.iter().map(|place| remap(&projection[*place])).collect(),
            };
            (Relation { node, fields: pick(&fields, &kept) }, moves(&kept))
        }
        Node::Operator { kind, inputs } => prune_operator(*kind, inputs, &fields, needed, tables),
        Node::Joined { .. } | Node::Pending { .. } => unreachable!("all is settled before columns are pruned"),
    }
}

fn prune_operator(
    kind: NodeKind,
    inputs: Vec<Relation>,
    fields: &[Field],
    needed: &BTreeSet<usize>,
    tables: &ScanColumns,
) -> (Relation, BTreeMap<usize, usize>) {
    let widths: Vec<usize> = inputs.iter().map(|input| input.fields.len()).collect();
    let origins = origins(&kind, &widths, fields.len());
    let (below, mut kind) = needed_by(&kind, &inputs, fields.len(), needed);
    let mut pruned = Vec::with_capacity(inputs.len());
    let mut moved = Vec::with_capacity(inputs.len());
    for (input, needed) in inputs.into_iter().zip(&below) {
        let (input, moves_of_input) = prune(input, needed, tables);
        // What came along unasked goes here: an operator that keeps rows shall not keep columns nobody reads.
        let asked: Vec<usize> = needed.iter().map(|place| moves_of_input[place]).collect();
        let exact =
            asked.len() == input.fields.len() && asked.iter().enumerate().all(|(place, column)| place == *column);
        pruned.push(if exact { input } else { input.picked(&asked) });
        moved.push(moves(&needed.iter().copied().collect::<Vec<_>>()));
    }
    let lookups: Vec<Box<dyn Fn(usize) -> usize>> = moved
        .iter()
        .map(|moves| {
            Box::new(|place: usize| moves.get(&place).copied().unwrap_or_default()) as Box<dyn Fn(usize) -> usize>
        })
        .collect();
    let lookups: Vec<&dyn Fn(usize) -> usize> = lookups.iter().map(AsRef::as_ref).collect();
    let widths: Vec<(usize, usize)> = widths.into_iter().zip(pruned.iter().map(|input| input.fields.len())).collect();
    renumber(&mut kind, &lookups, &widths);
    let kept: Vec<usize> = (0..fields.len())
        .filter(|place| match origins[*place] {
            Origin::Input(input, column) => moved[input].contains_key(&column),
            Origin::Call(_) => needed.contains(place),
            Origin::Made => true,
        })
        .collect();
    (Relation::operator(kind, pruned, pick(fields, &kept)), moves(&kept))
}

fn pick<T: Clone>(all: &[T], kept: &[usize]) -> Vec<T> {
    kept.iter().map(|place| all[*place].clone()).collect()
}

fn moves(kept: &[usize]) -> BTreeMap<usize, usize> {
    kept.iter().enumerate().map(|(new, old)| (*old, new)).collect()
}
