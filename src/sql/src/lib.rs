//! SQL text and a catalog in, a checked and typed streaming plan out.
//!
//! The way of a text: `tokens` (places kept, Flink's special forms rewritten) → `statement` (what was written) →
//! `session` (tables, views and settings so far) → `query` and `bind` (names and types settled, or refused) → `relation`
//! → `optimise` → `lower` (the streaming plan). What cannot be run is refused with its place in the text and what to use
//! instead: binding knows what it can plan, and everything else is an error, so nothing is half-planned.
//!
//! Names and types are settled here and not by DataFusion's planner, because Flink's rules differ from DataFusion's in
//! types (integer averages, decimals), NULLs and functions, and because every error must point into the text.
//! DataFusion's scalar functions serve where they agree. This crate must never run anything, read a file or know a
//! connector.

mod bind;
mod catalog;
mod changelog;
mod check;
mod declared;
mod definition;
mod dialect;
mod error;
mod explain;
mod expressions;
mod firing;
pub mod functions;
mod hints;
mod insert;
mod like;
mod look;
mod lower;
mod metadata;
mod optimise;
mod query;
mod relation;
mod session;
mod settings;
mod statement;
mod table;
mod tokens;
mod types;
mod user;
mod watermark_options;
mod zone;

pub use catalog::{Catalog, ColumnDefinition, ColumnKind, FunctionModule, TableDefinition, WatermarkDefinition};
pub use error::{Place, SqlError, Warning};
pub use look::Stage;

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
    /// Digests of the modules that functions of the text are in.
    pub modules: BTreeSet<String>,
}

/// Plans a text of Flink SQL. `catalog` holds the tables that it may use without creating them, and perhaps modules.
pub fn compile<'a>(text: &str, catalog: impl Into<Catalog<'a>>) -> Result<Compiled, SqlError> {
    let script = session::read(text, catalog.into())?;
    let plan = lower::lower(&script)?;
    debug_assert_eq!(check::violations(&plan), Vec::<String>::new());
    Ok(Compiled {
        plan,
        warnings: script.warnings,
        tables_read: script.tables_read,
        tables_written: script.tables_written,
        modules: script.modules,
    })
}

/// What a text asks to be shown by EXPLAIN, DESCRIBE and SHOW CREATE; the whole plan if it asks for nothing. Without
/// `stages`, EXPLAIN shows all of a plan, and the whole plan is what runs.
pub fn look<'a>(text: &str, catalog: impl Into<Catalog<'a>>, stages: &[Stage]) -> Result<String, SqlError> {
    session::look(text, catalog.into(), stages)
}

/// The columns that a query gives, as name and SQL type, in a text of definitions (tables, views, settings).
pub fn columns(definitions: &str, query: &str) -> Result<Vec<(String, String)>, SqlError> {
    let fields = session::columns(definitions, query)?;
    Ok(fields.into_iter().map(|field| (field.name, types::name(&field.data_type))).collect())
}

/// The plan as a readable tree for each sink: operators with their uid, columns, keys, windows, changelog and state.
pub fn explain(compiled: &Compiled) -> String {
    let warnings: String = compiled.warnings.iter().map(|warning| format!("warning: {warning}\n")).collect();
    warnings + &explain::plan(&compiled.plan)
}
