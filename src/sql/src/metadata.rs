//! Columns that have metadata: what stands in no record, but around it. They are checked by what the table's connector
//! tells.

use arrow_schema::DataType;
use tidemill_plan::Expression;
use tidemill_plan::metadata::{Key, keys};

use crate::bind::{Typed, cast_to, near};
use crate::error::{Result, SqlError};
use crate::relation::{Field, Relation, Role};
use crate::table::Table;
use crate::types;
use sqlparser::tokenizer::Span;

/// A column of metadata, checked.
#[derive(Clone, Debug)]
pub(crate) struct MetadataColumn {
    /// As it is declared.
    pub field: Field,
    pub key: Key,
    /// Whether it is only read.
    pub is_virtual: bool,
    /// The column, over those that the connector delivers.
    pub value: Expression,
}

/// How a column of metadata is declared.
pub(crate) struct Declared<'a> {
    pub field: Field,
    /// The key; without it the column's name is one.
    pub key: Option<&'a str>,
    pub is_virtual: bool,
    /// Where its type stands.
    pub span: Span,
    /// Its place among the columns that the connector delivers.
    pub place: usize,
}

pub(crate) fn check(declared: Declared<'_>, table: &tidemill_plan::Table) -> Result<MetadataColumn> {
    let Declared { field, key, is_virtual, span, place } = declared;
    let known = keys(table);
    let name = key.unwrap_or(&field.name);
    let Some(key) = known.iter().find(|key| key.name == name).cloned() else {
        let message = format!("the connector `{}` tells no metadata `{name}` of `{}`", table.connector, table.name);
        return Err(SqlError::new(span, message, among(&known, name)));
    };
    let told = Typed::new(Expression::Column(place), key.data_type.clone(), true);
    let value = cast_to(told, &field.data_type, span).map_err(|_| {
        let (has, declared) = (types::name(&key.data_type), types::name(&field.data_type));
        let message = format!("`{}` is {declared}, but the metadata `{name}` is {has}", field.name);
        SqlError::new(span, message, format!("declare it as {has}"))
    })?;
    Ok(MetadataColumn { field, key, is_virtual, value: value.expression })
}

fn among(known: &[Key], name: &str) -> String {
    let names = known.iter().map(|key| key.name);
    match (near(name, names.clone()).first(), known.is_empty()) {
        (Some(near), _) => format!("did you mean `{near}`"),
        (None, true) => "leave the column out; behind LIKE, write EXCLUDING METADATA".to_string(),
        (None, false) => {
            let all = known.iter().map(|key| format!("{} {}", key.name, types::name(&key.data_type)));
            format!("there is {}", all.collect::<Vec<_>>().join(", "))
        }
    }
}

impl MetadataColumn {
    /// What the connector delivers.
    pub(crate) fn delivered(&self) -> Field {
        Field { role: Role::Plain, nullable: true, ..self.field_of(self.key.data_type.clone()) }
    }

    fn field_of(&self, data_type: DataType) -> Field {
        Field { data_type, ..self.field.clone() }
    }
}

/// Refuses to write a table with metadata that can only be read and is not declared so.
pub(crate) fn check_written(table: &Table, span: Span) -> Result<()> {
    match table.metadata.iter().find(|column| !column.is_virtual && !column.key.is_written) {
        None => Ok(()),
        Some(column) => {
            let (table, name, key) = (&table.table.name, &column.field.name, column.key.name);
            let message = format!("`{table}`.`{name}` is the metadata `{key}`, which cannot be written");
            Err(SqlError::new(span, message, "declare the column as VIRTUAL: then it is only read"))
        }
    }
}

/// The rows that are written with metadata as the connector takes it.
pub(crate) fn handed_over(relation: Relation, table: &Table, span: Span) -> Result<Relation> {
    let mut fields = relation.fields.clone();
    let mut projection: Vec<Expression> = (0..fields.len()).map(Expression::Column).collect();
    for column in table.metadata.iter().filter(|column| !column.is_virtual) {
        let Some(place) = fields.iter().position(|field| field.name == column.field.name) else { continue };
        let value = Typed::new(Expression::Column(place), fields[place].data_type.clone(), fields[place].nullable);
        let value = cast_to(value, &column.key.data_type, span).map_err(|error| {
            let message =
                format!("`{}`.`{}` cannot be written: {}", table.table.name, column.field.name, error.message);
            SqlError { message, remedy: format!("declare it as {}", types::name(&column.key.data_type)), ..error }
        })?;
        projection[place] = value.expression;
        fields[place].data_type = column.key.data_type.clone();
    }
    let changes = projection.iter().enumerate().any(|(place, value)| *value != Expression::Column(place));
    Ok(if changes { relation.calc(None, projection, fields) } else { relation })
}
