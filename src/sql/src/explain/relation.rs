//! Relations as text: what a query means before it is laid out as a plan.

use std::fmt::Write;
use std::sync::Arc;

use arrow_schema::{Field, Schema};
use tidemill_plan::{Calc, Changelog, NamedExpression, NodeKind, PlanNode};

use super::expression::text;
use super::operator::{details, join_name, title};
use crate::relation::{Node, Pending, Relation};
use crate::types;

/// A relation and what it is made of, indented below.
pub(crate) fn relation(of: &Relation, depth: usize, out: &mut String) {
    let schema = schema(of);
    let (name, lines, inputs) = described(of, &schema);
    let indent = "  ".repeat(depth);
    let _ = writeln!(out, "{indent}{name}");
    let columns = of.fields.iter().map(|field| {
        let null = if field.nullable { "" } else { " NOT NULL" };
        format!("{} {}{null}", field.name, types::name(&field.data_type))
    });
    let columns = format!("columns: {}", columns.collect::<Vec<_>>().join(", "));
    for line in lines.into_iter().chain([columns]) {
        let _ = writeln!(out, "{indent}    {line}");
    }
    inputs.into_iter().for_each(|input| relation(input, depth + 1, out));
}

fn described<'a>(of: &'a Relation, schema: &Schema) -> (String, Vec<String>, Vec<&'a Relation>) {
    match &of.node {
        Node::Scan { table, .. } => {
            (format!("scan {} ({})", table.table.name, table.table.connector), Vec::new(), Vec::new())
        }
        Node::Calc { input, filter, projection } => {
            let named = of.fields.iter().zip(projection).map(|(field, expression)| NamedExpression {
                name: field.name.clone(),
                expression: expression.clone(),
            });
            let kind = NodeKind::Calc(Calc { filter: filter.clone(), projection: named.collect() });
            let (name, lines) = operator(kind, schema, &[input]);
            (name, lines, vec![&**input])
        }
        Node::Joined { kind, left, right, conditions } => {
            let both = Schema::new(fields(left).into_iter().chain(fields(right)).collect::<Vec<_>>());
            let conditions = conditions.iter().map(|condition| format!("where: {}", text(condition, &both)));
            (format!("{} join", join_name(*kind)), conditions.collect(), vec![&**left, &**right])
        }
        Node::Pending { pending, input, .. } => {
            let name = match pending {
                Pending::Session { .. } => "put into sessions",
                Pending::Ranking { .. } => "number the rows",
            };
            (name.to_string(), Vec::new(), vec![&**input])
        }
        Node::Operator { kind, inputs } => {
            let below: Vec<&Relation> = inputs.iter().collect();
            let (name, lines) = operator((**kind).clone(), schema, &below);
            (name, lines, below)
        }
    }
}

/// What the same operator of a plan would say of itself.
fn operator(kind: NodeKind, schema: &Schema, inputs: &[&Relation]) -> (String, Vec<String>) {
    let node = PlanNode {
        uid: String::new(),
        inputs: Vec::new(),
        kind,
        schema: Arc::new(schema.clone()),
        changelog: Changelog::Append,
        local_time: None,
    };
    let schemas: Vec<Schema> = inputs.iter().map(|input| self::schema(input)).collect();
    (title(&node), details(&node, &schemas.iter().collect::<Vec<_>>()))
}

fn schema(of: &Relation) -> Schema {
    Schema::new(fields(of))
}

fn fields(of: &Relation) -> Vec<Field> {
    of.fields.iter().map(|field| Field::new(&field.name, field.data_type.clone(), true)).collect()
}
