//! EXPLAIN: a plan as text, for people and for golden files. Sinks stand at the top, what they read is indented below.

mod call;
mod expression;
mod operator;
mod pattern;
mod relation;

pub(crate) use relation::relation;

use std::collections::BTreeSet;
use std::fmt::Write;

use arrow_schema::Schema;
use tidemill_plan::{Changelog, NodeKind, PlanNode, StreamPlan, growth};

use crate::types;
use expression::column;
use operator::{details, state, title};

pub(crate) fn plan(plan: &StreamPlan) -> String {
    let mut out = String::new();
    let mut shown = BTreeSet::new();
    for (place, _) in plan.nodes.iter().enumerate().filter(|(_, node)| matches!(node.kind, NodeKind::Sink(_))) {
        if !out.is_empty() {
            out.push('\n');
        }
        tree(plan, place, 0, &mut shown, &mut out);
    }
    let growing = growth::growing(plan);
    if !growing.is_empty() {
        out.push_str("\nstate without bound:\n");
        growing.iter().for_each(|growth| line(&mut out, "  ", &growth.to_string()));
    }
    out
}

/// An expression over stored columns.
pub(crate) fn expression(of: &tidemill_plan::Expression, columns: &[crate::relation::Field]) -> String {
    let fields = columns.iter().map(|field| arrow_schema::Field::new(&field.name, field.data_type.clone(), true));
    expression::text(of, &Schema::new(fields.collect::<Vec<_>>()))
}

fn tree(plan: &StreamPlan, place: usize, depth: usize, shown: &mut BTreeSet<usize>, out: &mut String) {
    let node = &plan.nodes[place];
    let indent = "  ".repeat(depth);
    if !shown.insert(place) {
        line(out, &indent, &format!("{} (see above)", node.uid));
        return;
    }
    let inputs: Vec<&Schema> = plan.inputs(node).map(|input| &*input.schema).collect();
    line(out, &indent, &format!("{}: {}", node.uid, title(node)));
    let common = [format!("columns: {}", columns(&node.schema)), format!("changelog: {}", changelog(node))];
    let state = state(&node.kind).map(|state| format!("state: {state}"));
    let takes_back = plan.inputs(node).any(|input| !input.changelog.is_append());
    let grows = growth::growth(&node.kind, takes_back).map(|(with, _)| format!("grows: {}", with.text()));
    let clock = node.local_time.as_ref().map(|zone| format!("in the local time of: {zone}"));
    for detail in details(node, &inputs).into_iter().chain(clock).chain(common).chain(state).chain(grows) {
        line(out, &indent, &format!("    {detail}"));
    }
    for input in &node.inputs {
        tree(plan, *input, depth + 1, shown, out);
    }
}

fn line(out: &mut String, indent: &str, text: &str) {
    let _ = writeln!(out, "{indent}{text}");
}

fn changelog(node: &PlanNode) -> String {
    match &node.changelog {
        Changelog::Append => "append".to_string(),
        Changelog::Retract => "retract".to_string(),
        Changelog::Upsert { key } => {
            let key: Vec<String> = key.iter().map(|place| column(*place, &node.schema)).collect();
            format!("upsert by ({})", key.join(", "))
        }
    }
}

fn columns(schema: &Schema) -> String {
    let columns = schema.fields().iter().map(|field| format!("{} {}", field.name(), types::name(field.data_type())));
    columns.collect::<Vec<_>>().join(", ")
}
