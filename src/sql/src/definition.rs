//! Checks tables: from `CREATE TABLE` or the catalog's text to [`Table`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_schema::{DataType, Schema, SchemaRef};
use sqlparser::ast::{Ident, Spanned};
use sqlparser::tokenizer::Span;
use tidemill_plan::{Expression, Watermark};

use crate::bind::{Binder, Scope};
use crate::catalog::{ColumnKind, TableDefinition};
use crate::changelog::{FILESYSTEM, UPSERT_KAFKA};
use crate::declared;
use crate::error::{Result, SqlError, Warning};
use crate::expressions::substitute;
use crate::metadata::{self, Declared, MetadataColumn};
use crate::relation::{Field, Role};
use crate::statement::{
    Column, ColumnSyntax, CreateTable, TableName, WatermarkClause, parse_column_type, parse_expression,
};
use crate::table::Table;
use crate::types::{self, TIMESTAMP, timestamp_ltz};
use crate::watermark_options::WatermarkOptions;

/// A table and what its user should know of it.
#[derive(Debug)]
pub(crate) struct Defined {
    pub table: Table,
    pub warnings: Vec<Warning>,
}

/// Where a table's text stands, for errors.
#[derive(Clone, Copy)]
enum Origin<'a> {
    Text,
    Catalog(&'a str),
}

impl Origin<'_> {
    fn place(self, error: SqlError, part: impl FnOnce() -> String) -> SqlError {
        match self {
            Self::Text => error,
            Self::Catalog(table) => error.in_table(table, part()),
        }
    }
}

pub(crate) fn define(create: &CreateTable) -> Result<Defined> {
    check(create, Origin::Text)
}

/// Checks a table of the catalog. Its errors name the table and its part.
pub(crate) fn define_from_catalog(definition: &TableDefinition) -> Result<Defined> {
    check(&written(definition)?, Origin::Catalog(&definition.name))
}

/// A table of the catalog as it would be created.
pub(crate) fn written(definition: &TableDefinition) -> Result<CreateTable> {
    let part = |part: String| move |error: SqlError| error.in_table(&definition.name, part);
    let mut columns = Vec::with_capacity(definition.columns.len());
    for column in &definition.columns {
        let kind = match &column.kind {
            ColumnKind::Physical(data_type) => parse_column_type(data_type),
            ColumnKind::Computed(expression) => parse_expression(expression).map(Box::new).map(ColumnSyntax::Computed),
        };
        let kind = kind.map_err(part(format!("column {}", column.name)))?;
        columns.push(Column { name: Ident::new(&column.name), kind });
    }
    let watermark = match &definition.watermark {
        Some(watermark) => Some(WatermarkClause {
            column: Ident::new(&watermark.column),
            expression: parse_expression(&watermark.expression).map_err(part("watermark".to_string()))?,
        }),
        None => None,
    };
    Ok(CreateTable {
        name: TableName { name: definition.name.clone(), span: Span::empty() },
        temporary: false,
        if_not_exists: false,
        columns,
        watermark,
        primary_key: definition.primary_key.iter().map(Ident::new).collect(),
        partition_keys: Vec::new(),
        options: definition.options.clone(),
        like: None,
    })
}

fn check(create: &CreateTable, origin: Origin<'_>) -> Result<Defined> {
    check_names(create).map_err(|error| origin.place(error, || "columns".to_string()))?;
    let (physical, mut warnings) = physical_columns(create, origin)?;
    check_primary_key(create, &physical).map_err(|error| origin.place(error, || "primary key".to_string()))?;
    check_partition_keys(create, &physical)?;
    let (mut table, rules) = options(create).map_err(|error| origin.place(error, || "options".to_string()))?;
    let metadata = metadata_columns(create, physical.len(), &table, origin, &mut warnings)?;
    table.metadata = metadata.iter().map(|column| (column.field.name.clone(), column.key.name.to_string())).collect();
    table.declared = declared::is_asked_for(&table).then(|| declared_columns(create, &physical));
    let columns = all_columns(create, &physical, &metadata, origin)?;
    let (columns, watermark) = match &create.watermark {
        Some(clause) => {
            let (columns, expression) =
                watermark(clause, columns).map_err(|error| origin.place(error, || "watermark".to_string()))?;
            let mut watermark = Watermark { expression, idle_timeout_ms: None, alignment: None, max_future_ms: None };
            rules.apply(&mut watermark);
            (columns, Some(watermark))
        }
        None => {
            if rules != WatermarkOptions::default() {
                let message = format!("`{}` has no WATERMARK, so its options scan.watermark.* do nothing", table.name);
                let place = origin.place(SqlError::new(create.name.span, "", ""), || "options".to_string()).place;
                warnings.push(Warning { place, message });
            }
            (columns, None)
        }
    };
    let in_catalog = matches!(origin, Origin::Catalog(_));
    let place = |key: &Ident| physical.iter().position(|field| field.name == key.value);
    let primary_key = create.primary_key.iter().filter_map(place).collect();
    Ok(Defined { table: Table { table, physical, metadata, columns, primary_key, watermark, in_catalog }, warnings })
}

fn check_names(create: &CreateTable) -> Result<()> {
    let mut names = BTreeSet::new();
    for column in &create.columns {
        if !names.insert(&column.name.value) {
            let message = format!("the column `{}` is there twice", column.name.value);
            return Err(SqlError::new(column.name.span, message, "rename one of the two"));
        }
    }
    Ok(())
}

fn physical_columns(create: &CreateTable, origin: Origin<'_>) -> Result<(Vec<Field>, Vec<Warning>)> {
    let (mut fields, mut warnings) = (Vec::new(), Vec::new());
    for column in &create.columns {
        let ColumnSyntax::Physical { data_type, span, not_null } = &column.kind else {
            continue;
        };
        let name = &column.name.value;
        let arrow = type_of(name, (data_type, *span), origin, &mut warnings)?;
        let in_key = create.primary_key.iter().any(|key| key.value == *name);
        fields.push(Field::plain(name, arrow, !not_null && !in_key));
    }
    if fields.is_empty() {
        let error = SqlError::new(
            create.name.span,
            "the table has no stored columns",
            "declare at least one column with a type",
        );
        return Err(origin.place(error, || "columns".to_string()));
    }
    Ok((fields, warnings))
}

/// The stored columns as they are declared.
fn declared_columns(create: &CreateTable, physical: &[Field]) -> SchemaRef {
    let columns = create.columns.iter().filter_map(|column| match &column.kind {
        ColumnSyntax::Physical { data_type, .. } => Some((&column.name.value, declared::declared(data_type)?)),
        ColumnSyntax::Computed(_) | ColumnSyntax::Metadata { .. } => None,
    });
    let fields = columns
        .zip(physical)
        .map(|((name, data_type), field)| arrow_schema::Field::new(name, data_type, field.nullable));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// A column's type. Warns of precision that is lost.
fn type_of(
    name: &str,
    (written, span): (&sqlparser::ast::DataType, Span),
    origin: Origin<'_>,
    warnings: &mut Vec<Warning>,
) -> Result<DataType> {
    let part = || format!("column {name}");
    let understood = types::understand(written)
        .map_err(|problem| origin.place(SqlError::new(span, problem, "choose another type"), part))?;
    if let Some(precision) = understood.lost_precision {
        let message = format!("the column `{name}` has precision {precision} but is kept in milliseconds");
        let place = origin.place(SqlError::new(span, "", ""), part).place;
        warnings.push(Warning { place, message });
    }
    Ok(understood.arrow)
}

/// The columns of metadata, which are delivered behind `stored` others.
fn metadata_columns(
    create: &CreateTable,
    stored: usize,
    table: &tidemill_plan::Table,
    origin: Origin<'_>,
    warnings: &mut Vec<Warning>,
) -> Result<Vec<MetadataColumn>> {
    let mut columns = Vec::new();
    for column in &create.columns {
        let ColumnSyntax::Metadata { data_type, span, not_null, key, is_virtual } = &column.kind else {
            continue;
        };
        let name = &column.name.value;
        let arrow = type_of(name, (data_type, *span), origin, warnings)?;
        let declared = Declared {
            field: Field::plain(name, arrow, !not_null),
            key: key.as_deref(),
            is_virtual: *is_virtual,
            span: *span,
            place: stored + columns.len(),
        };
        let checked = metadata::check(declared, table);
        columns.push(checked.map_err(|error| origin.place(error, || format!("column {name}")))?);
    }
    Ok(columns)
}

/// The columns in the table's order, each over those that are delivered.
fn all_columns(
    create: &CreateTable,
    physical: &[Field],
    metadata: &[MetadataColumn],
    origin: Origin<'_>,
) -> Result<Vec<(Field, Expression)>> {
    let stored = physical.iter().enumerate().map(|(place, field)| (field.clone(), Expression::Column(place)));
    let told = metadata.iter().map(|column| (column.field.clone(), column.value.clone()));
    let (fields, values): (Vec<Field>, Vec<Expression>) = stored.chain(told).unzip();
    let scope = Scope::of_fields(&fields, None);
    let mut columns = Vec::with_capacity(create.columns.len());
    for column in &create.columns {
        let name = &column.name.value;
        columns.push(match &column.kind {
            ColumnSyntax::Physical { .. } | ColumnSyntax::Metadata { .. } => {
                let place = fields.iter().position(|field| field.name == *name).unwrap_or_default();
                (fields[place].clone(), values[place].clone())
            }
            ColumnSyntax::Computed(expression) => {
                let (typed, role) = Binder::over(&scope)
                    .bind_column(expression)
                    .map_err(|error| origin.place(error.or_at(expression.span().start), || format!("column {name}")))?;
                let value = substitute(&typed.expression, &|place| values[place].clone());
                (Field { role, ..Field::plain(name, typed.data_type, typed.nullable) }, value)
            }
        });
    }
    Ok(columns)
}

fn check_primary_key(create: &CreateTable, physical: &[Field]) -> Result<()> {
    for key in &create.primary_key {
        if !physical.iter().any(|field| field.name == key.value) {
            let message = format!("the primary key's column `{}` is not a stored column", key.value);
            return Err(SqlError::new(key.span, message, "name stored columns"));
        }
    }
    Ok(())
}

/// Flink would let any table be divided, but puts rows into folders only where they become files.
fn check_partition_keys(create: &CreateTable, physical: &[Field]) -> Result<()> {
    let Some(first) = create.partition_keys.first() else { return Ok(()) };
    let connector = create.options.get("connector");
    if let Some(connector) = connector.filter(|connector| *connector != FILESYSTEM) {
        let message = format!("a table of the connector `{connector}` cannot be PARTITIONED BY columns");
        return Err(SqlError::new(first.span, message, "leave it out: only files are put into folders by value"));
    }
    for (place, key) in create.partition_keys.iter().enumerate() {
        let Some(field) = physical.iter().find(|field| field.name == key.value) else {
            let message = format!("the column `{}` that the table is partitioned by is not a stored column", key.value);
            return Err(SqlError::new(key.span, message, "name stored columns"));
        };
        if create.partition_keys[..place].contains(key) {
            return Err(SqlError::new(key.span, format!("the column `{}` is named twice", key.value), "name it once"));
        }
        let is_plain = matches!(field.data_type, DataType::Utf8 | DataType::Boolean | DataType::Date32);
        if !is_plain && !field.data_type.is_signed_integer() {
            let message =
                format!("a folder cannot be named by `{}`, which is {}", key.value, types::name(&field.data_type));
            return Err(SqlError::new(
                key.span,
                message,
                "partition by a STRING, such as DATE_FORMAT(ts, 'yyyy-MM-dd')",
            ));
        }
    }
    match create.partition_keys.len() == physical.len() {
        true => Err(SqlError::new(first.span, "no column is left to stand in the files", "add a column")),
        false => Ok(()),
    }
}

/// The columns with the watermark's marked, and the watermark over the columns that are delivered.
fn watermark(
    clause: &WatermarkClause,
    mut columns: Vec<(Field, Expression)>,
) -> Result<(Vec<(Field, Expression)>, Expression)> {
    let fields: Vec<Field> = columns.iter().map(|(field, _)| field.clone()).collect();
    let scope = Scope::of_fields(&fields, None);
    let (column, _) = scope.resolve(std::slice::from_ref(&clause.column))?;
    if column.data_type != TIMESTAMP && column.data_type != timestamp_ltz() {
        let message =
            format!("the watermark is for `{}`, which is {}", clause.column.value, types::name(&column.data_type));
        return Err(SqlError::new(clause.column.span, message, "it must be TIMESTAMP(3) or TIMESTAMP_LTZ(3)"));
    }
    let typed = Binder::over(&scope).bind(&clause.expression)?;
    if typed.data_type != column.data_type {
        let (has, needs) = (types::name(&typed.data_type), types::name(&column.data_type));
        let message = format!("the watermark is {has} but its column is {needs}");
        return Err(SqlError::new(clause.expression.span(), message, "write such as ts - INTERVAL '5' SECOND"));
    }
    let expression = substitute(&typed.expression, &|place| columns[place].1.clone());
    if let Some((field, _)) = columns.iter_mut().find(|(field, _)| field.name == clause.column.value) {
        field.role = Role::Rowtime;
    }
    Ok((columns, expression))
}

/// The table for its connector, and what its watermark goes by, which is not the connector's business.
fn options(create: &CreateTable) -> Result<(tidemill_plan::Table, WatermarkOptions)> {
    let span = create.name.span;
    let mut options = create.options.clone();
    let Some(connector) = options.remove("connector") else {
        let message = format!("the table `{}` has no 'connector' option", create.name.name);
        return Err(SqlError::new(span, message, "add WITH ('connector' = '…')"));
    };
    let rules = WatermarkOptions::take(&mut options, span)?;
    let primary_key: Vec<String> = create.primary_key.iter().map(|key| key.value.clone()).collect();
    let partition_keys = create.partition_keys.iter().map(|key| key.value.clone()).collect();
    let name = create.name.name.clone();
    let table = tidemill_plan::Table { name, connector, options, primary_key, partition_keys, ..Default::default() };
    if table.connector == UPSERT_KAFKA && table.primary_key.is_empty() {
        let message = format!("the table `{}` of the connector `{UPSERT_KAFKA}` has no primary key", table.name);
        return Err(SqlError::new(span, message, "add PRIMARY KEY (…) NOT ENFORCED: it is the key of the records"));
    }
    Ok((table, rules))
}

/// The table with the options of a hint in the place of its own.
pub(crate) fn with_options(table: &Table, hint: &BTreeMap<String, String>, span: Span) -> Result<Table> {
    let mut options = hint.clone();
    if options.contains_key("connector") {
        let message = "a hint cannot change the connector of a table";
        return Err(SqlError::new(span, message, "create another table"));
    }
    let rules = WatermarkOptions::take(&mut options, span)?;
    let mut table = table.clone();
    table.table.options.extend(options);
    match &mut table.watermark {
        Some(watermark) => rules.apply(watermark),
        None if rules == WatermarkOptions::default() => {}
        None => {
            let message =
                format!("`{}` has no WATERMARK that the options scan.watermark.* could be for", table.table.name);
            return Err(SqlError::new(span, message, "leave them out of the hint, or declare WATERMARK FOR a column"));
        }
    }
    Ok(table)
}
