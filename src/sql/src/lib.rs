//! SQL text and a catalog in, a checked and typed streaming plan out.
//!
//! The way of a text: `tokens` (spans kept, Flink's special forms rewritten) → `statement` (one of Flink's statements)
//! → `session` (tables, views and settings so far) → `query` (names and types, by DataFusion's planner) → `lower` (the
//! streaming plan). What cannot be run is refused with its place in the text and what to use instead; nothing is
//! half-planned. This crate must never run anything, read a file or know a connector.

mod catalog;
mod error;

pub use catalog::{ColumnDefinition, ColumnKind, TableDefinition, WatermarkDefinition};
pub use error::{Place, SqlError, Warning};

use std::collections::BTreeSet;

use tidemill_plan::StreamPlan;

/// What became of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Compiled {
    pub plan: StreamPlan,
    /// What the user should know although the text can run.
    pub warnings: Vec<Warning>,
    /// Names of the catalog's tables that the plan reads.
    pub tables_read: BTreeSet<String>,
    /// Names of the catalog's tables that the plan writes.
    pub tables_written: BTreeSet<String>,
}

/// Plans a text of Flink SQL. `catalog` holds the tables that it may use without creating them.
pub fn compile(text: &str, catalog: &[TableDefinition]) -> Result<Compiled, SqlError> {
    // Being written: the types above are settled.
    let _ = (text, catalog);
    Err(SqlError::at(1, 1, "the planner is not finished", "wait for it"))
}

/// The plan as a readable tree for each sink: operators with their uid, columns, keys, windows, changelog and state.
pub fn explain(compiled: &Compiled) -> String {
    format!("{:#?}", compiled.plan)
}
