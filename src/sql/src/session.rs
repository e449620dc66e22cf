//! Statement after statement: the tables, views and settings so far, and the rows that are inserted.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use sqlparser::tokenizer::{Location, Span};

use crate::bind::near;
use crate::catalog::TableDefinition;
use crate::definition::{self, Defined};
use crate::error::{Place, Result, SqlError, Warning};
use crate::insert;
use crate::query::{self, Planner, Tables};
use crate::relation::{Field, Relation, Role};
use crate::settings::Settings;
use crate::statement::{self, CreateTable, CreateView, Insert, Placed, Statement, TableName};
use crate::table::Table;
use crate::tokens;

/// What a text comes to.
#[derive(Debug)]
pub(crate) struct Script {
    pub inserts: Vec<Inserted>,
    pub settings: Settings,
    pub warnings: Vec<Warning>,
    pub tables_read: BTreeSet<String>,
    pub tables_written: BTreeSet<String>,
}

/// Rows with the table's stored columns, in the table's order.
#[derive(Debug)]
pub(crate) struct Inserted {
    pub relation: Relation,
    pub table: Rc<Table>,
    /// Where the table is named.
    pub span: Span,
}

pub(crate) fn read(text: &str, catalog: &[TableDefinition]) -> Result<Script> {
    let mut session = Session::new(catalog);
    for tokens in tokens::statements(text)? {
        for placed in statement::parse(tokens)? {
            let start = placed.start;
            session.execute(placed).map_err(|error| error.or_at(start))?;
        }
    }
    session.finish(text)
}

/// The columns of a query behind a text of definitions.
pub(crate) fn columns(definitions: &str, query: &str) -> Result<Vec<Field>> {
    let mut session = Session::new(&[]);
    for tokens in tokens::statements(definitions)? {
        for placed in statement::parse(tokens)? {
            session.execute(placed)?;
        }
    }
    let mut fields = Vec::new();
    for tokens in tokens::statements(query)? {
        fields = Planner::new(&session).query(&*statement::parse_query_alone(tokens)?)?.fields;
    }
    Ok(fields)
}

struct Session<'a> {
    catalog: &'a [TableDefinition],
    tables: BTreeMap<String, Rc<Table>>,
    views: BTreeMap<String, Relation>,
    /// Tables of the catalog, checked when they are first used: an unused one may be wrong.
    loaded: RefCell<BTreeMap<String, Rc<Table>>>,
    read: RefCell<BTreeSet<String>>,
    written: BTreeSet<String>,
    warnings: RefCell<Vec<Warning>>,
    settings: Settings,
    inserts: Vec<Inserted>,
    /// Where the open statement set begins.
    open_set: Option<Location>,
}

impl<'a> Session<'a> {
    fn new(catalog: &'a [TableDefinition]) -> Self {
        Self {
            catalog,
            tables: BTreeMap::new(),
            views: BTreeMap::new(),
            loaded: RefCell::default(),
            read: RefCell::default(),
            written: BTreeSet::new(),
            warnings: RefCell::default(),
            settings: Settings::default(),
            inserts: Vec::new(),
            open_set: None,
        }
    }

    fn execute(&mut self, placed: Placed) -> Result<()> {
        let start = placed.start;
        let outside_set = |what: &str| match self.open_set {
            None => Ok(()),
            Some(_) => Err(SqlError::at_location(
                start,
                format!("{what} cannot stand in a statement set"),
                "move it before the set",
            )),
        };
        match placed.statement {
            Statement::CreateTable(create) => outside_set("CREATE TABLE").and_then(|()| self.create_table(&create)),
            Statement::CreateView(create) => outside_set("CREATE VIEW").and_then(|()| self.create_view(&create)),
            Statement::Set(set) => outside_set("SET").and_then(|()| self.set(&set)),
            Statement::Insert(insert) => self.insert(&insert),
            Statement::BeginSet => match self.open_set.replace(start) {
                None => Ok(()),
                Some(_) => Err(SqlError::at_location(
                    start,
                    "a statement set cannot stand in another",
                    "end the first with END;",
                )),
            },
            Statement::EndSet => match self.open_set.take() {
                Some(_) => Ok(()),
                None => Err(SqlError::at_location(start, "there is no statement set to end", "remove END")),
            },
        }
    }

    fn create_table(&mut self, create: &CreateTable) -> Result<()> {
        if !self.is_new(&create.name, create.temporary, create.if_not_exists)? {
            return Ok(());
        }
        let Defined { table, warnings } = definition::define(create)?;
        self.warnings.get_mut().extend(warnings);
        self.tables.insert(create.name.name.clone(), Rc::new(table));
        Ok(())
    }

    fn create_view(&mut self, create: &CreateView) -> Result<()> {
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
        let in_catalog = self.catalog.iter().any(|table| table.name == name.name);
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

    fn set(&mut self, set: &statement::Set) -> Result<()> {
        if !self.inserts.is_empty() {
            let message = "a setting after INSERT would not hold for it: all statements run as one job";
            return Err(SqlError::new(set.span, message, "move it to the beginning"));
        }
        if let Some(message) = self.settings.apply(set)? {
            self.warnings.get_mut().push(Warning { place: Place::from(set.span.start), message });
        }
        Ok(())
    }

    fn insert(&mut self, insert: &Insert) -> Result<()> {
        let name = &insert.table;
        if self.views.contains_key(&name.name) {
            return Err(SqlError::new(name.span, format!("`{}` is a view", name.name), "insert into a table"));
        }
        let table = self.table(&name.name, name.span)?;
        let relation = query::completed(Planner::new(self).query(&insert.query)?)?;
        let matched = insert::match_columns(relation, &table, insert)?;
        self.warnings.get_mut().extend(matched.warnings);
        if table.in_catalog {
            self.written.insert(name.name.clone());
        }
        self.inserts.push(Inserted { relation: matched.relation, table, span: name.span });
        Ok(())
    }

    fn table(&self, name: &str, span: Span) -> Result<Rc<Table>> {
        if let Some(table) = self.tables.get(name) {
            return Ok(table.clone());
        }
        if let Some(table) = self.loaded.borrow().get(name) {
            return Ok(table.clone());
        }
        let Some(definition) = self.catalog.iter().find(|table| table.name == name) else {
            return Err(self.unknown(name, span));
        };
        let Defined { table, warnings } = definition::define_from_catalog(definition)?;
        self.warnings.borrow_mut().extend(warnings);
        let table = Rc::new(table);
        self.loaded.borrow_mut().insert(name.to_string(), table.clone());
        Ok(table)
    }

    fn unknown(&self, name: &str, span: Span) -> SqlError {
        let created = self.tables.keys().chain(self.views.keys()).map(String::as_str);
        let all: Vec<&str> = created.chain(self.catalog.iter().map(|table| table.name.as_str())).collect();
        let remedy = match near(name, all.iter().copied()).first() {
            Some(near) => format!("did you mean `{near}`"),
            None if all.is_empty() => "create it, or name a Stream in the Application".to_string(),
            None => format!("create it, or use one of {}", all.join(", ")),
        };
        SqlError::new(span, format!("there is no table or view `{name}`"), remedy)
    }

    fn finish(self, text: &str) -> Result<Script> {
        if let Some(start) = self.open_set {
            return Err(SqlError::at_location(
                start,
                "the statement set is not ended",
                "write END; after its last INSERT",
            ));
        }
        if self.inserts.is_empty() {
            let line = text.lines().count().max(1) as u64;
            return Err(SqlError::at(
                line,
                1,
                "the text inserts nothing, so there is nothing to run",
                "add an INSERT INTO",
            ));
        }
        Ok(Script {
            inserts: self.inserts,
            settings: self.settings,
            warnings: self.warnings.into_inner(),
            tables_read: self.read.into_inner(),
            tables_written: self.written,
        })
    }
}

impl Tables for Session<'_> {
    fn relation(&self, name: &str, span: Span) -> Result<Relation> {
        if let Some(view) = self.views.get(name) {
            return Ok(view.clone());
        }
        let table = self.table(name, span)?;
        if table.in_catalog {
            self.read.borrow_mut().insert(name.to_string());
        }
        debug_assert!(table.watermark.is_some() || table.columns.iter().all(|(field, _)| field.role != Role::Rowtime));
        Ok(table.scan())
    }
}
