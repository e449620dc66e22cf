//! INSERT INTO: a query's columns against a table's.

use sqlparser::ast::{Ident, Query, Select, SelectItem, SetExpr, Spanned};
use sqlparser::tokenizer::Span;
use tidemill_plan::Expression;

use crate::bind::{Binder, Scope, Typed, assign_written};
use crate::error::{Result, SqlError};
use crate::metadata;
use crate::relation::{Field, Relation, conjunction};
use crate::settings::NotNull;
use crate::statement::Insert;
use crate::table::Table;
use crate::types;

/// Brings the query's columns to the table's, by place, with the casts that need no saying.
pub(crate) fn match_columns(relation: Relation, table: &Table, insert: &Insert, not_null: NotNull) -> Result<Relation> {
    metadata::check_written(table, insert.table.span)?;
    let written = table.written();
    let targets = targets(table, &written, insert)?;
    check_count(&relation, &targets, table, insert)?;
    let spans = item_spans(&insert.query, relation.fields.len());
    let mut required = Vec::new();
    let mut projection = Vec::with_capacity(written.len());
    for field in &written {
        if let Some((_, written)) = insert.fixed.iter().find(|(name, _)| name.value == field.name) {
            let value = Binder::over(&Scope::default()).bind(written)?;
            projection.push(assigned(value, field, None, written.span(), table)?.expression);
            continue;
        }
        let source = targets.iter().position(|target| target.name == field.name);
        let (value, span) = match source {
            Some(place) => (column(&relation, place), spans[place]),
            None => (Typed::null(field.data_type.clone()), insert.table.span),
        };
        let described = source.map(|place| relation.fields[place].name.clone());
        let value = assigned(value, field, described.as_deref(), span, table)?;
        if field.nullable || matches!(value.expression, Expression::Literal(_)) && !value.nullable {
            projection.push(value.expression);
            continue;
        }
        if source.is_none() {
            let message =
                format!("the column `{}` of `{}` is NOT NULL but gets no value", field.name, table.table.name);
            return Err(SqlError::new(span, message, "insert a value into it"));
        }
        required.push(projection.len());
        projection.push(match not_null {
            NotNull::FailsTheJob => {
                let column = format!("`{}`.`{}`", table.table.name, field.name);
                Expression::Required { expression: value.boxed(), column }
            }
            NotNull::DropsTheRow => value.expression,
        });
    }
    let relation = relation.calc(None, projection, written);
    let is_there = |place| Expression::Not(Box::new(Expression::IsNull(Box::new(Expression::Column(place)))));
    let relation = match not_null {
        NotNull::FailsTheJob => relation,
        NotNull::DropsTheRow => match conjunction(required.into_iter().map(is_there).collect()) {
            Some(condition) => relation.filtered(condition),
            None => relation,
        },
    };
    metadata::handed_over(relation, table, insert.table.span)
}

fn column(relation: &Relation, place: usize) -> Typed {
    let field = &relation.fields[place];
    Typed::new(Expression::Column(place), field.data_type.clone(), field.nullable)
}

/// The columns that get the query's, in the query's order; of those that are written.
fn targets<'a>(table: &Table, written: &'a [Field], insert: &Insert) -> Result<Vec<&'a Field>> {
    let is_fixed = |name: &str| insert.fixed.iter().any(|(fixed, _)| fixed.value == name);
    let of_name = |name: &Ident| {
        written.iter().find(|field| field.name == name.value).ok_or_else(|| {
            let message = match table.metadata.iter().any(|column| column.field.name == name.value) {
                true => format!("the column `{}` of `{}` is VIRTUAL, so only read", name.value, table.table.name),
                false => format!("`{}` has no stored column `{}`", table.table.name, name.value),
            };
            SqlError::new(name.span, message, format!("it has {}", list(written)))
        })
    };
    for (name, _) in &insert.fixed {
        of_name(name)?;
    }
    if insert.columns.is_empty() {
        return Ok(written.iter().filter(|field| !is_fixed(&field.name)).collect());
    }
    let mut targets: Vec<&Field> = Vec::with_capacity(insert.columns.len());
    for name in &insert.columns {
        let field = of_name(name)?;
        if targets.contains(&field) || is_fixed(&field.name) {
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
    assign_written(value, &field.data_type, span).unwrap_or_else(|| {
        let to = types::name(&field.data_type);
        let what = source.map_or("the value".to_string(), |source| format!("the query's column `{source}`"));
        let message = format!("{what} is {from} but `{}`.`{}` is {to}", table.table.name, field.name);
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
