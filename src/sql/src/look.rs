//! Statements for looking at: EXPLAIN, DESCRIBE and SHOW CREATE. They are answered for somebody who reads a text; a
//! running application has no place to answer, so there they are refused.

use std::fmt::Write;
use std::rc::Rc;

use sqlparser::tokenizer::Span;

use crate::explain;
use crate::lower::{lower, optimised};
use crate::metadata::MetadataColumn;
use crate::relation::{Field, Relation, Role};
use crate::session::{Inserted, Script};
use crate::table::Table;
use crate::types;

/// What EXPLAIN shows of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// What the text says, with all names and types settled.
    Logical,
    /// The same rows, with less work.
    Optimised,
    /// What runs: operators with their keys, state and changelogs.
    Physical,
}

impl Stage {
    pub const ALL: [Self; 3] = [Self::Logical, Self::Optimised, Self::Physical];

    fn heading(self) -> &'static str {
        match self {
            Self::Logical => "== Logical ==",
            Self::Optimised => "== Optimised ==",
            Self::Physical => "== Physical ==",
        }
    }
}

/// What a statement asks to know beside the plan, in Flink's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    EstimatedCost,
    /// Always there.
    ChangelogMode,
    /// Always there: what would bound state.
    PlanAdvice,
}

/// The stages of a script's plan.
pub(crate) fn plan(script: &Script, stages: &[Stage], details: &[Detail]) -> crate::error::Result<String> {
    let mut out = String::new();
    for stage in stages {
        if !out.is_empty() {
            out.push('\n');
        }
        let _ = writeln!(out, "{}", stage.heading());
        match stage {
            Stage::Logical => script.inserts.iter().for_each(|inserted| tree(&inserted.relation, inserted, &mut out)),
            Stage::Optimised => {
                optimised(script).into_iter().for_each(|(relation, inserted)| tree(&relation, inserted, &mut out));
            }
            Stage::Physical => out.push_str(&explain::plan(&lower(script)?)),
        }
    }
    if details.contains(&Detail::EstimatedCost) {
        out.push_str("\nestimated cost: none, plans are not chosen by cost\n");
    }
    Ok(out)
}

fn tree(relation: &Relation, inserted: &Inserted, out: &mut String) {
    let _ = writeln!(out, "insert into {}", inserted.table.table.name);
    explain::relation(relation, 1, out);
}

/// A table that a query alone is explained as being put into.
pub(crate) fn result_of(relation: &Relation) -> Rc<Table> {
    let physical: Vec<Field> =
        relation.fields.iter().map(|field| Field { role: Role::Plain, nullable: true, ..field.clone() }).collect();
    let table =
        tidemill_plan::Table { name: "result".to_string(), connector: "print".to_string(), ..Default::default() };
    let columns =
        physical.iter().enumerate().map(|(place, field)| (field.clone(), tidemill_plan::Expression::Column(place)));
    Rc::new(Table {
        table,
        columns: columns.collect(),
        physical,
        metadata: Vec::new(),
        primary_key: Vec::new(),
        watermark: None,
        in_catalog: false,
    })
}

pub(crate) fn inserted(relation: Relation, span: Span) -> Inserted {
    Inserted { table: result_of(&relation), relation, span }
}

/// The columns of a table or view, as DESCRIBE shows them: name, type, NULL, key, what it means for time.
pub(crate) fn described(fields: &[Field], keys: &[String]) -> String {
    let mut rows = vec![["name", "type", "null", "key", "time"].map(str::to_string)];
    for field in fields {
        let key = if keys.contains(&field.name) { format!("PRI({})", keys.join(", ")) } else { String::new() };
        let time = match field.role {
            Role::Rowtime => "event time",
            Role::Proctime => "processing time",
            Role::WindowStart(_) | Role::WindowEnd(_) | Role::Plain => "",
        };
        let null = if field.nullable { "TRUE" } else { "FALSE" };
        rows.push([field.name.clone(), types::name(&field.data_type), null.to_string(), key, time.to_string()]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [0, 1, 2, 3, 4].map(width);
    let line = |row: &[String; 5]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join(" | ").trim_end().to_string() + "\n"
    };
    rows.iter().map(line).collect()
}

/// The statement that would create a table, with expressions as EXPLAIN writes them. Secrets that its options may have are
/// not shown.
pub(crate) fn created(table: &Table) -> String {
    let delivered = table.delivered();
    let columns = table.columns.iter().map(|(field, expression)| {
        let stored = table.physical.iter().any(|physical| physical.name == field.name);
        let told = table.metadata.iter().find(|column| column.field.name == field.name);
        let null = if field.nullable { "" } else { " NOT NULL" };
        match (stored, told) {
            (true, _) => format!("  `{}` {}{null}", field.name, types::name(&field.data_type)),
            (false, Some(MetadataColumn { key, is_virtual, .. })) => {
                let (name, data_type) = (&field.name, types::name(&field.data_type));
                let is_virtual = if *is_virtual { " VIRTUAL" } else { "" };
                format!("  `{name}` {data_type}{null} METADATA FROM '{}'{is_virtual}", key.name)
            }
            (false, None) => format!("  `{}` AS {}", field.name, explain::expression(expression, &delivered)),
        }
    });
    let rowtime = table.columns.iter().find(|(field, _)| field.role == Role::Rowtime);
    let watermark = table.watermark.iter().zip(rowtime).map(|(watermark, (column, _))| {
        format!("  WATERMARK FOR `{}` AS {}", column.name, explain::expression(&watermark.expression, &delivered))
    });
    let keys: Vec<String> = table.table.primary_key.iter().map(|key| format!("`{key}`")).collect();
    let key = (!keys.is_empty()).then(|| format!("  PRIMARY KEY ({}) NOT ENFORCED", keys.join(", ")));
    let lines: Vec<String> = columns.chain(watermark).chain(key).collect();
    let option = |key: &str, value: &str| format!("  '{key}' = '{}'", value.replace('\'', "''"));
    let hides = |key: &str| ["password", "secret", "token", "jaas"].iter().any(|word| key.contains(word));
    let options = table.table.options.iter().map(|(key, value)| option(key, if hides(key) { "******" } else { value }));
    let options: Vec<String> = [option("connector", &table.table.connector)].into_iter().chain(options).collect();
    let folders: Vec<String> = table.table.partition_keys.iter().map(|key| format!("`{key}`")).collect();
    let folders = if folders.is_empty() { String::new() } else { format!(" PARTITIONED BY ({})", folders.join(", ")) };
    let (name, lines, options) = (&table.table.name, lines.join(",\n"), options.join(",\n"));
    format!("CREATE TABLE `{name}` (\n{lines}\n){folders} WITH (\n{options}\n)\n")
}
