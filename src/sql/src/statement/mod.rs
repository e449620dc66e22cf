//! Flink's statements, parsed: what was written, before any name is looked up.

mod create;
mod data_type;
mod function;
mod parse;

use std::collections::BTreeMap;

use sqlparser::ast::{DataType, Expr, Ident, ObjectName, Query};
use sqlparser::tokenizer::{Location, Span};

use crate::look::Detail;

pub(crate) use create::{parse_column_type, parse_hints};
pub(crate) use data_type::parse_data_type;
pub(crate) use function::{CreateFunction, DropFunction};
pub(crate) use parse::{parse, parse_expression, parse_query_alone, unknown_database, words};

/// A statement and where it begins.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub statement: Statement,
    pub start: Location,
}

#[derive(Clone, Debug)]
pub(crate) enum Statement {
    CreateTable(Box<CreateTable>),
    CreateView(Box<CreateView>),
    CreateFunction(CreateFunction),
    Drop(Drop),
    DropFunction(DropFunction),
    Set(Set),
    Insert(Insert),
    BeginSet,
    EndSet,
    /// EXPLAIN of an INSERT.
    ExplainInsert(Insert, Vec<Detail>),
    /// EXPLAIN of a query; and where that is written.
    ExplainQuery(Box<Query>, Vec<Detail>),
    /// The beginning of a statement set that is explained.
    ExplainSet(Vec<Detail>),
    /// DESCRIBE of a table or view.
    Describe(TableName),
    /// SHOW CREATE of a table or view.
    ShowCreate(TableName),
}

impl Statement {
    /// The word that a statement for looking at begins with.
    pub(crate) fn is_for_looking(&self) -> Option<&'static str> {
        match self {
            Self::ExplainInsert(..) | Self::ExplainQuery(..) | Self::ExplainSet(_) => Some("EXPLAIN"),
            Self::Describe(_) => Some("DESCRIBE"),
            Self::ShowCreate(_) => Some("SHOW"),
            _ => None,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct CreateTable {
    pub name: TableName,
    pub temporary: bool,
    pub if_not_exists: bool,
    pub columns: Vec<Column>,
    pub watermark: Option<WatermarkClause>,
    pub primary_key: Vec<Ident>,
    pub partition_keys: Vec<Ident>,
    pub options: BTreeMap<String, String>,
    pub like: Option<Like>,
}

/// `LIKE table (…)`: the table that the rest is taken from, and the rules in their order; one without a feature is for
/// all.
#[derive(Clone, Debug)]
pub(crate) struct Like {
    pub table: TableName,
    pub rules: Vec<(Option<Feature>, Merging)>,
}

/// A part of a table that LIKE takes over or not. Stored columns always are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Feature {
    Constraints,
    Generated,
    Options,
    Watermarks,
    Metadata,
    Partitions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Merging {
    /// Takes over what the new table does not say itself; that it says it is an error.
    Including,
    Excluding,
    /// Takes over what the new table does not say itself.
    Overwriting,
}

/// `DROP TABLE name`, or a view.
#[derive(Clone, Debug)]
pub(crate) struct Drop {
    pub is_view: bool,
    pub if_exists: bool,
    pub name: TableName,
}

#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub name: Ident,
    pub kind: ColumnSyntax,
}

#[derive(Clone, Debug)]
pub(crate) enum ColumnSyntax {
    Physical {
        data_type: DataType,
        span: Span,
        not_null: bool,
    },
    Computed(Box<Expr>),
    /// `type METADATA FROM 'key' VIRTUAL`; without a key it is the column's name. A virtual one is only read.
    Metadata {
        data_type: DataType,
        span: Span,
        not_null: bool,
        key: Option<String>,
        is_virtual: bool,
    },
}

/// `WATERMARK FOR column AS expression`.
#[derive(Clone, Debug)]
pub(crate) struct WatermarkClause {
    pub column: Ident,
    pub expression: Expr,
}

#[derive(Clone, Debug)]
pub(crate) struct CreateView {
    pub name: TableName,
    pub temporary: bool,
    pub if_not_exists: bool,
    pub columns: Vec<Ident>,
    pub query: Box<Query>,
}

#[derive(Clone, Debug)]
pub(crate) struct Set {
    pub key: String,
    pub value: String,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub(crate) struct Insert {
    pub table: TableName,
    /// Columns with a value for all rows: `PARTITION (column = value)`.
    pub fixed: Vec<(Ident, Expr)>,
    /// Empty for all other columns in the table's order.
    pub columns: Vec<Ident>,
    pub query: Box<Query>,
}

/// A table's name without the default catalog and database.
#[derive(Clone, Debug)]
pub(crate) struct TableName {
    pub name: String,
    pub span: Span,
}

impl TableName {
    /// There is one catalog and one database, which have Flink's names and may be left out.
    pub(crate) fn of(name: &ObjectName) -> Option<Self> {
        let parts: Vec<&Ident> = name.0.iter().map(|part| part.as_ident()).collect::<Option<_>>()?;
        let (last, path) = parts.split_last()?;
        let default = match path {
            [] => true,
            [database] => database.value == "default_database",
            [catalog, database] => catalog.value == "default_catalog" && database.value == "default_database",
            _ => false,
        };
        default.then(|| Self { name: last.value.clone(), span: parts[0].span })
    }
}
