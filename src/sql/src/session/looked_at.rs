//! Statements that show something of a text to somebody who looks at it.

use std::collections::BTreeSet;

use super::{Inserted, Script, Session};
use crate::error::{Result, SqlError};
use crate::look::{self, Detail, Stage};
use crate::relation::Field;
use crate::statement::TableName;

impl Session<'_> {
    /// Shows the plan of the inserts since `before`, which then are again those that there are.
    pub(super) fn explain(&mut self, before: Vec<Inserted>, details: &[Detail]) -> Result<()> {
        let stages = self.stages.clone().unwrap_or_default();
        let script = Script {
            inserts: std::mem::replace(&mut self.inserts, before),
            settings: self.settings.clone(),
            warnings: Vec::new(),
            tables_read: BTreeSet::new(),
            tables_written: BTreeSet::new(),
            modules: BTreeSet::new(),
        };
        let all: &[Stage] = if stages.is_empty() { &Stage::ALL } else { &stages };
        self.answers.push(look::plan(&script, all, details)?);
        Ok(())
    }

    pub(super) fn describe(&mut self, name: &TableName) -> Result<()> {
        let shown = match self.views.get(&name.name) {
            Some(view) => look::described(&view.fields, &[]),
            None => {
                let table = self.table(&name.name, name.span)?;
                let fields: Vec<Field> = table.columns.iter().map(|(field, _)| field.clone()).collect();
                look::described(&fields, &table.table.primary_key)
            }
        };
        self.answers.push(shown);
        Ok(())
    }

    pub(super) fn show(&mut self, name: &TableName) -> Result<()> {
        if self.views.contains_key(&name.name) {
            let message = format!("`{}` is a view, whose text is not kept", name.name);
            return Err(SqlError::new(name.span, message, "use DESCRIBE, or EXPLAIN a query that reads it"));
        }
        let table = self.table(&name.name, name.span)?;
        self.answers.push(look::created(&table));
        Ok(())
    }
}
