//! VALUES, and SELECT without FROM: rows that stand in the text.
//!
//! They come from a source of as many numbered rows, from which a calculation makes the values: so they may be any
//! expressions, and a job goes on behind the last one that it has read.

use std::collections::BTreeMap;
use std::rc::Rc;

use arrow_schema::DataType;
use sqlparser::ast::{Spanned, Values};
use tidemill_plan::{BinaryOperator, Expression, Literal};

use crate::bind::{Binder, Scope, Typed, unify};
use crate::error::{Result, SqlError};
use crate::relation::{Field, Relation};
use crate::table::Table;
use crate::types;
use crate::user::UserFunctions;

/// The column of the source that numbers its rows.
const NUMBER: &str = "number";

pub(super) fn rows(values: &Values, functions: UserFunctions) -> Result<Relation> {
    let span = values.span();
    let scope = Scope::default().with_functions(functions);
    let binder = Binder::over(&scope);
    let mut columns: Vec<Vec<Typed>> = Vec::new();
    for (place, row) in values.rows.iter().enumerate() {
        let row = row.content.iter().map(|value| binder.bind(value)).collect::<Result<Vec<_>>>()?;
        if place == 0 {
            columns = row.iter().map(|_| Vec::new()).collect();
        }
        if row.len() != columns.len() {
            let message = format!("the rows of VALUES have {} and {} values", columns.len(), row.len());
            return Err(SqlError::new(span, message, "give all rows the same number of values"));
        }
        columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
    }
    let (mut projection, mut fields) = (Vec::new(), Vec::new());
    for (place, column) in columns.into_iter().enumerate() {
        let nullable = column.iter().any(|value| value.nullable);
        let (column, data_type) = unify(column).map_err(|(left, right)| {
            let (left, right) = (types::name(&left), types::name(&right));
            let message = format!("column {} of VALUES is {left} in one row and {right} in another", place + 1);
            SqlError::new(span, message, "CAST one")
        })?;
        projection.push(by_number(column));
        fields.push(Field::plain(format!("EXPR${place}"), data_type, nullable));
    }
    Ok(numbered(values.rows.len()).calc(None, projection, fields))
}

/// One row, whose column has no name that could be written.
pub(super) fn one_row() -> Relation {
    let relation = numbered(1);
    relation.renamed(&[String::new()])
}

fn numbered(rows: usize) -> Relation {
    let numbers: Vec<String> = (0..rows).map(|row| format!(r#"{{"{NUMBER}":{row}}}"#)).collect();
    let number = Field::plain(NUMBER, DataType::Int32, false);
    let table = tidemill_plan::Table {
        // All that are alike are one. No table that is created has this name but one who asks for trouble.
        name: format!("(values {rows})"),
        connector: "values".to_string(),
        options: BTreeMap::from([("rows".to_string(), format!("[{}]", numbers.join(",")))]),
        ..Default::default()
    };
    let table = Table {
        table,
        physical: vec![number.clone()],
        metadata: Vec::new(),
        columns: vec![(number, Expression::Column(0))],
        primary_key: Vec::new(),
        watermark: None,
        in_catalog: false,
    };
    Rc::new(table).scan()
}

/// The value of each row, by the row's number.
fn by_number(values: Vec<Typed>) -> Expression {
    let is = |number: usize| Expression::Binary {
        left: Box::new(Expression::Column(0)),
        operator: BinaryOperator::Equal,
        right: Box::new(Expression::Literal(Literal::Int32(number as i32))),
    };
    let mut values: Vec<Expression> = values.into_iter().map(|value| value.expression).collect();
    let same = values.windows(2).all(|pair| pair[0] == pair[1]);
    match values.pop() {
        Some(last) if same => last,
        last => Expression::Case {
            branches: values.into_iter().enumerate().map(|(number, value)| (is(number), value)).collect(),
            otherwise: last.map(Box::new),
        },
    }
}
