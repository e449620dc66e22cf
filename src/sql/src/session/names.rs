//! Tables and views: how names come to mean something, and what they mean.

use std::rc::Rc;

use sqlparser::tokenizer::Span;

use super::Session;
use crate::bind::near;
use crate::definition::{self, Defined};
use crate::error::{Result, SqlError};
use crate::like;
use crate::query::{self, Planner};
use crate::statement::{self, CreateTable, CreateView, TableName};
use crate::table::Table;

impl Session<'_> {
    pub(super) fn create_table(&mut self, create: &CreateTable) -> Result<()> {
        if !self.is_new(&create.name, create.temporary, create.if_not_exists)? {
            return Ok(());
        }
        // A table is read by one source, which goes by its name.
        if self.read_with.get_mut().contains_key(&create.name.name) {
            let message = format!("a former table `{}` has been read", create.name.name);
            return Err(SqlError::new(create.name.span, message, "use another name"));
        }
        let create = match &create.like {
            Some(like) => like::merged(&self.written(&like.table)?, create, like)?,
            None => create.clone(),
        };
        let Defined { table, warnings } = definition::define(&create)?;
        self.warnings.get_mut().extend(warnings);
        self.tables.insert(create.name.name.clone(), Rc::new(table));
        self.created.insert(create.name.name.clone(), create);
        Ok(())
    }

    /// How a table was created that another one is to be like.
    fn written(&self, name: &TableName) -> Result<CreateTable> {
        if let Some(create) = self.created.get(&name.name) {
            return Ok(create.clone());
        }
        if self.views.contains_key(&name.name) {
            return Err(SqlError::new(name.span, format!("`{}` is a view", name.name), "name a table"));
        }
        match self.catalog.tables.iter().find(|table| table.name == name.name) {
            Some(definition) => definition::written(definition),
            None => Err(self.unknown(&name.name, name.span)),
        }
    }

    /// Forgets a table or view of the text. What has been planned with it stays.
    pub(super) fn drop(&mut self, drop: &statement::Drop) -> Result<()> {
        let name = &drop.name.name;
        let dropped = match drop.is_view {
            true => self.views.remove(name).is_some(),
            false => self.created.remove(name).is_some() && self.tables.remove(name).is_some(),
        };
        if dropped || drop.if_exists {
            return Ok(());
        }
        let what = if drop.is_view { "view" } else { "table" };
        let message = format!("the text has created no {what} `{name}`");
        Err(SqlError::new(drop.name.span, message, "leave DROP out, or write IF EXISTS"))
    }

    pub(super) fn create_view(&mut self, create: &CreateView) -> Result<()> {
        if !self.is_new(&create.name, create.temporary, create.if_not_exists)? {
            return Ok(());
        }
        let relation = Planner::new(self).query(&create.query)?;
        let relation = query::renamed(relation, &create.columns, create.name.span)?;
        self.views.insert(create.name.name.clone(), relation);
        Ok(())
    }

    /// A temporary table or view hides one of the catalog.
    fn is_new(&self, name: &TableName, temporary: bool, if_not_exists: bool) -> Result<bool> {
        let created = self.tables.contains_key(&name.name) || self.views.contains_key(&name.name);
        let in_catalog = self.catalog.tables.iter().any(|table| table.name == name.name);
        if !created && (!in_catalog || temporary) {
            return Ok(true);
        }
        if if_not_exists {
            return Ok(false);
        }
        let remedy = match created {
            true => "use another name",
            false => "use another name, or CREATE TEMPORARY to hide the catalog's table",
        };
        Err(SqlError::new(name.span, format!("there is a table or view `{}` already", name.name), remedy))
    }

    pub(super) fn table(&self, name: &str, span: Span) -> Result<Rc<Table>> {
        if let Some(table) = self.tables.get(name) {
            return Ok(table.clone());
        }
        if let Some(table) = self.loaded.borrow().get(name) {
            return Ok(table.clone());
        }
        let Some(definition) = self.catalog.tables.iter().find(|table| table.name == name) else {
            return Err(self.unknown(name, span));
        };
        let Defined { table, warnings } = definition::define_from_catalog(definition)?;
        self.warnings.borrow_mut().extend(warnings);
        let table = Rc::new(table);
        self.loaded.borrow_mut().insert(name.to_string(), table.clone());
        Ok(table)
    }

    pub(super) fn unknown(&self, name: &str, span: Span) -> SqlError {
        let created = self.tables.keys().chain(self.views.keys()).map(String::as_str);
        let all: Vec<&str> = created.chain(self.catalog.tables.iter().map(|table| table.name.as_str())).collect();
        let remedy = match near(name, all.iter().copied()).first() {
            Some(near) => format!("did you mean `{near}`"),
            None if all.is_empty() => "create it, or name a Stream in the Application".to_string(),
            None => format!("create it, or use one of {}", all.join(", ")),
        };
        SqlError::new(span, format!("there is no table or view `{name}`"), remedy)
    }
}
