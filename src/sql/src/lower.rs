//! Lays relations out as a streaming plan: nodes, their columns and their uids.
//!
//! A uid is made of what the node does and the table it does it for: `source-<table>`, `sink-<table>`,
//! `window-<sink's table>-<n>` counted from the sources. So a change to one INSERT moves no other's state. A table is
//! read by one source, whoever reads it; a second INSERT into a table counts on: `sink-<table>-2`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_schema::{Schema, SchemaRef};
use tidemill_plan::{
    AggregateCall, Calc, Changelog, Clock, Expression, NamedExpression, NodeKind, PlanNode, Sink, Source, StreamPlan,
    Watermark, WindowAggregate, Windows,
};

use crate::expressions::substitute;
use crate::optimise::{ScanColumns, merge, needed_of_tables, prune, push_filters};
use crate::relation::{Aggregate, Field, Node, Relation};
use crate::session::{Inserted, Script};
use crate::settings::Settings;
use crate::table::Table;

pub(crate) fn lower(script: &Script) -> StreamPlan {
    let merged: Vec<(Relation, &Inserted)> = script
        .inserts
        .iter()
        .map(|inserted| (merge(push_filters(merge(inserted.relation.clone()))), inserted))
        .collect();
    let mut tables = ScanColumns::new();
    for (relation, _) in &merged {
        needed_of_tables(relation, &all_columns(relation), &mut tables);
    }
    for columns in tables.values_mut().filter(|columns| columns.is_empty()) {
        // Rows without any column could not be counted.
        columns.insert(0);
    }
    let mut layout =
        Layout { nodes: Vec::new(), uids: BTreeSet::new(), sources: BTreeMap::new(), settings: &script.settings };
    for (relation, inserted) in merged {
        let needed = all_columns(&relation);
        let (relation, _) = prune(relation, &needed, &tables);
        layout.sink(relation, &inserted.table);
    }
    StreamPlan { nodes: layout.nodes }
}

fn all_columns(relation: &Relation) -> BTreeSet<usize> {
    (0..relation.fields.len()).collect()
}

struct Layout<'a> {
    nodes: Vec<PlanNode>,
    uids: BTreeSet<String>,
    /// The node that reads a table.
    sources: BTreeMap<String, usize>,
    settings: &'a Settings,
}

impl Layout<'_> {
    fn sink(&mut self, relation: Relation, table: &Table) {
        let name = &table.table.name;
        let input = self.place(relation, name, Names::AreRead);
        let uid = self.unique(&format!("sink-{}", word(name)), Numbering::FromTwo);
        let schema = schema_of(&table.physical);
        self.push(PlanNode {
            uid,
            inputs: vec![input],
            kind: NodeKind::Sink(Sink { table: table.table.clone() }),
            schema,
            changelog: Changelog::Append,
        });
    }

    fn place(&mut self, relation: Relation, sink: &str, names: Names) -> usize {
        let schema = schema_of(&relation.fields);
        match relation.node {
            Node::Scan { table, columns } => self.source(&table, &columns, schema),
            Node::Calc { input, filter, projection } => {
                let input = self.place(*input, sink, Names::AreNot);
                if filter.is_none() && changes_nothing(&projection, &schema, &self.nodes[input].schema, names) {
                    return input;
                }
                let named = schema.fields().iter().zip(projection);
                let projection = named
                    .map(|(field, expression)| NamedExpression { name: field.name().clone(), expression })
                    .collect();
                let uid = self.unique(&format!("calc-{}", word(sink)), Numbering::FromOne);
                self.push(PlanNode {
                    uid,
                    inputs: vec![input],
                    kind: NodeKind::Calc(Calc { filter, projection }),
                    schema,
                    changelog: Changelog::Append,
                })
            }
            Node::WindowAggregate { input, aggregate } => {
                let input = self.place(*input, sink, Names::AreNot);
                let uid = self.unique(&format!("window-{}", word(sink)), Numbering::FromOne);
                let kind = NodeKind::WindowAggregate(window_aggregate(aggregate));
                self.push(PlanNode { uid, inputs: vec![input], kind, schema, changelog: Changelog::Append })
            }
        }
    }

    fn source(&mut self, table: &Table, columns: &[usize], schema: SchemaRef) -> usize {
        let name = &table.table.name;
        if let Some(place) = self.sources.get(name) {
            return *place;
        }
        let moved =
            |place: usize| Expression::Column(columns.iter().position(|column| *column == place).unwrap_or_default());
        let watermark = table.watermark.as_ref().map(|watermark| Watermark {
            expression: substitute(&watermark.expression, &moved),
            idle_timeout_ms: watermark.idle_timeout_ms.or(self.settings.idle_timeout_ms),
        });
        let uid = self.unique(&format!("source-{}", word(name)), Numbering::FromTwo);
        let kind = NodeKind::Source(Source { table: table.table.clone(), watermark });
        let place = self.push(PlanNode { uid, inputs: Vec::new(), kind, schema, changelog: Changelog::Append });
        self.sources.insert(name.clone(), place);
        place
    }

    fn push(&mut self, node: PlanNode) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn unique(&mut self, stem: &str, numbering: Numbering) -> String {
        let plain = (numbering == Numbering::FromTwo).then(|| stem.to_string());
        let first = if numbering == Numbering::FromTwo { 2 } else { 1 };
        let mut candidates = plain.into_iter().chain((first..).map(|number| format!("{stem}-{number}")));
        let uid = candidates.find(|uid| !self.uids.contains(uid)).unwrap_or_default();
        self.uids.insert(uid.clone());
        uid
    }
}

/// Whether the first of a kind has a number.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Numbering {
    FromOne,
    FromTwo,
}

/// A table's name in letters that a uid may have. Names that needed changing get a hash, so that they stay apart.
fn word(name: &str) -> String {
    let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
    if plain == name { plain } else { format!("{plain}_{:08x}", fnv(name.as_bytes())) }
}

/// FNV-1a. State is found by names made of it, so it must never change.
fn fnv(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

fn window_aggregate(aggregate: Aggregate) -> WindowAggregate {
    let call = |call: crate::relation::Call| AggregateCall {
        function: call.function,
        argument: call.argument,
        distinct: false,
        filter: call.filter,
    };
    WindowAggregate {
        windows: Windows::Of { window: aggregate.window, time_column: aggregate.time_column, clock: Clock::Event },
        keys: aggregate.keys,
        aggregates: aggregate.calls.into_iter().map(call).collect(),
        output: aggregate.output,
    }
}

/// Whether what comes after goes by the names of columns, as sinks do, or by their places.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Names {
    AreRead,
    AreNot,
}

fn changes_nothing(projection: &[Expression], schema: &SchemaRef, input: &SchemaRef, names: Names) -> bool {
    let in_place = |(place, expression): (usize, &Expression)| *expression == Expression::Column(place);
    let fits = input.fields().len() == projection.len() && (names == Names::AreNot || schema == input);
    fits && projection.iter().enumerate().all(in_place)
}

/// Columns are all nullable: NOT NULL is a promise of the outside that the engine does not rest on.
fn schema_of(fields: &[Field]) -> SchemaRef {
    let mut names = BTreeSet::new();
    let unique = |field: &Field| {
        let candidates =
            std::iter::once(field.name.clone()).chain((0..).map(|number| format!("{}{number}", field.name)));
        let name = candidates.into_iter().find(|name| names.insert(name.clone())).unwrap_or_default();
        arrow_schema::Field::new(name, field.data_type.clone(), true)
    };
    Arc::new(Schema::new(fields.iter().map(unique).collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids_have_letters_digits_and_underscores_and_stay_apart() {
        assert_eq!(word("page_views"), "page_views");
        assert_ne!(word("page.views"), word("page views"));
        assert!(word("größe").chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
    }
}
