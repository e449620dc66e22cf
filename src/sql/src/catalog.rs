//! Tables as the outside describes them: an Application's Streams, by the SQL text of their columns.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

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
