//! What a text may use without creating it, as the outside describes it: tables, which are an Application's Streams, by
//! the SQL text of their columns; and modules of user functions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// All that a text may use without creating it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Catalog<'a> {
    pub tables: &'a [TableDefinition],
    /// What CREATE FUNCTION can be asked for.
    pub modules: &'a [FunctionModule],
}

/// A module of user functions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionModule {
    /// What the text calls it: a class after AS, or a file after USING.
    pub name: String,
    /// The function that is meant where the text says a class; none for the module's only one.
    pub function: Option<String>,
    pub module: tidemill_functions::Module,
}

impl<'a> From<&'a [TableDefinition]> for Catalog<'a> {
    fn from(tables: &'a [TableDefinition]) -> Self {
        Self { tables, modules: &[] }
    }
}

impl<'a> From<&'a Vec<TableDefinition>> for Catalog<'a> {
    fn from(tables: &'a Vec<TableDefinition>) -> Self {
        tables.as_slice().into()
    }
}

impl<'a, const N: usize> From<&'a [TableDefinition; N]> for Catalog<'a> {
    fn from(tables: &'a [TableDefinition; N]) -> Self {
        tables.as_slice().into()
    }
}

/// A table that SQL may use without `CREATE TABLE`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TableDefinition {
    pub name: String,
    pub columns: Vec<ColumnDefinition>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watermark: Option<WatermarkDefinition>,
    /// Columns that identify a row; not enforced. Empty for none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub primary_key: Vec<String>,
    /// The options of the `WITH` clause by Flink's names, `connector` among them.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ColumnDefinition {
    pub name: String,
    #[serde(flatten)]
    pub kind: ColumnKind,
}

/// Where a column's values come from. In JSON `{"name": "a", "type": "BIGINT"}` or `{"name": "b", "expression": "a + 1"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ColumnKind {
    /// Stored in the table; the SQL type, such as `TIMESTAMP(3)` or `STRING NOT NULL`. Or told beside what is stored,
    /// such as `TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL`.
    #[serde(rename = "type")]
    Physical(String),
    /// Computed from the physical columns of the row by a SQL expression.
    #[serde(rename = "expression")]
    Computed(String),
}

/// `WATERMARK FOR column AS expression`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WatermarkDefinition {
    pub column: String,
    /// SQL text, such as `viewed_at - INTERVAL '5' SECOND`.
    pub expression: String,
}
