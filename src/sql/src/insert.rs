//! INSERT INTO: a query's columns against a table's.

use sqlparser::ast::{Query, Select, SelectItem, SetExpr, Spanned};
use sqlparser::tokenizer::Span;
use tidemill_plan::Expression;

use crate::bind::{Typed, assign};
use crate::definition::place_of;
use crate::error::{Result, SqlError, Warning};
use crate::relation::{Field, Relation};
use crate::statement::Insert;
use crate::table::Table;
use crate::types;

#[derive(Debug)]
pub(crate) struct Matched {
    pub relation: Relation,
    pub warnings: Vec<Warning>,
}

/// Brings the query's columns to the table's, by place, with the casts that need no saying.
pub(crate) fn match_columns(relation: Relation, table: &Table, insert: &Insert) -> Result<Matched> {
    let targets = targets(table, insert)?;
    check_count(&relation, &targets, table, insert)?;
    let spans = item_spans(&insert.query, relation.fields.len());
    let mut warnings = Vec::new();
    let mut projection = Vec::with_capacity(table.physical.len());
    for field in &table.physical {
        let source = targets.iter().position(|target| target.name == field.name);
        let (value, span) = match source {
            Some(place) => (column(&relation, place), spans[place]),
            None => (Typed::null(field.data_type.clone()), insert.table.span),
        };
        let described = source.map(|place| relation.fields[place].name.clone());
        let value = assigned(value, field, described.as_deref(), span, table)?;
        if value.nullable && !field.nullable {
            warnings.push(Warning { place: place_of(&insert.table), message: not_null(field, table) });
        }
        projection.push(value.expression);
    }
    Ok(Matched { relation: relation.calc(None, projection, table.physical.clone()), warnings })
}

fn not_null(field: &Field, table: &Table) -> String {
    format!("the column `{}` of `{}` is NOT NULL but may get NULL; that is not checked", field.name, table.table.name)
}

fn column(relation: &Relation, place: usize) -> Typed {
    let field = &relation.fields[place];
    Typed::new(Expression::Column(place), field.data_type.clone(), field.nullable)
}

/// The table's columns that get the query's, in the query's order.
fn targets<'a>(table: &'a Table, insert: &Insert) -> Result<Vec<&'a Field>> {
    if insert.columns.is_empty() {
        return Ok(table.physical.iter().collect());
    }
    let mut targets: Vec<&Field> = Vec::with_capacity(insert.columns.len());
    for name in &insert.columns {
        let found = table.physical.iter().find(|field| field.name == name.value);
        let field = found.ok_or_else(|| {
            let message = format!("`{}` has no stored column `{}`", table.table.name, name.value);
            SqlError::new(name.span, message, format!("it has {}", list(&table.physical)))
        })?;
        if targets.contains(&field) {
            return Err(SqlError::new(
                name.span,
                format!("the column `{}` is named twice", name.value),
                "name it once",
            ));
        }
        targets.push(field);
    }
    Ok(targets)
}

fn check_count(relation: &Relation, targets: &[&Field], table: &Table, insert: &Insert) -> Result<()> {
    if relation.fields.len() == targets.len() {
        return Ok(());
    }
    let targets: Vec<Field> = targets.iter().map(|field| (*field).clone()).collect();
    let message = format!(
        "the query has {} columns ({}) but `{}` takes {} ({})",
        relation.fields.len(),
        list(&relation.fields),
        table.table.name,
        targets.len(),
        list(&targets),
    );
    Err(SqlError::new(insert.table.span, message, "select as many columns, or name the columns after the table"))
}

fn list(fields: &[Field]) -> String {
    fields
        .iter()
        .map(|field| format!("{} {}", field.name, types::name(&field.data_type)))
        .collect::<Vec<_>>()
        .join(", ")
}

fn assigned(value: Typed, field: &Field, source: Option<&str>, span: Span, table: &Table) -> Result<Typed> {
    let from = types::name(&value.data_type);
    assign(value, &field.data_type, span).unwrap_or_else(|| {
        let to = types::name(&field.data_type);
        let source = source.unwrap_or_default();
        let message =
            format!("the query's column `{source}` is {from} but `{}`.`{}` is {to}", table.table.name, field.name);
        Err(SqlError::new(span, message, format!("CAST it to {to}")))
    })
}

/// Where the query's columns are written, if each is written by itself.
fn item_spans(query: &Query, count: usize) -> Vec<Span> {
    let spans: Vec<Span> = match select_of(query) {
        Some(select) => select.projection.iter().map(item_span).collect(),
        None => Vec::new(),
    };
    if spans.len() == count { spans } else { vec![query.span(); count] }
}

fn item_span(item: &SelectItem) -> Span {
    match item {
        SelectItem::UnnamedExpr(expression) | SelectItem::ExprWithAlias { expr: expression, .. } => expression.span(),
        other => other.span(),
    }
}

fn select_of(query: &Query) -> Option<&Select> {
    match &*query.body {
        SetExpr::Select(select) => Some(select),
        SetExpr::Query(query) => select_of(query),
        _ => None,
    }
}
