//! Statement after statement: the tables, views and settings so far, and the rows that are inserted.

mod looked_at;
mod names;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use sqlparser::tokenizer::{Location, Span};
use tidemill_plan::Watermark;

use crate::catalog::Catalog;
use crate::definition;
use crate::error::{Place, Result, SqlError, Warning};
use crate::hints::{Hints, Lifetimes};
use crate::insert;
use crate::look::{self, Detail, Stage};
use crate::query::{self, Planner, Tables};
use crate::relation::{Field, Relation, Role};
use crate::settings::Settings;
use crate::statement::{self, CreateTable, Insert, Placed, Statement};
use crate::table::Table;
use crate::tokens;
use crate::user::UserFunctions;

/// What a text comes to.
#[derive(Debug)]
pub(crate) struct Script {
    pub inserts: Vec<Inserted>,
    pub settings: Settings,
    pub warnings: Vec<Warning>,
    pub tables_read: BTreeSet<String>,
    pub tables_written: BTreeSet<String>,
    pub modules: BTreeSet<String>,
}

/// Rows with the table's stored columns, in the table's order.
#[derive(Debug)]
pub(crate) struct Inserted {
    pub relation: Relation,
    pub table: Rc<Table>,
    /// Where the table is named.
    pub span: Span,
}

pub(crate) fn read(text: &str, catalog: Catalog<'_>) -> Result<Script> {
    executed(text, catalog, None)?.finish(text)
}

/// What a text asks to be shown; the stages of its whole plan if it asks for nothing.
pub(crate) fn look(text: &str, catalog: Catalog<'_>, stages: &[Stage]) -> Result<String> {
    let mut session = executed(text, catalog, Some(stages))?;
    if session.answers.is_empty() {
        let script = session.finish(text)?;
        let warnings: String = script.warnings.iter().map(|warning| format!("warning: {warning}\n")).collect();
        let stages = if stages.is_empty() { &[Stage::Physical] } else { stages };
        return Ok(warnings + &look::plan(&script, stages, &[])?);
    }
    if let Some(start) = session.open_set {
        return Err(SqlError::at_location(start, "the statement set is not ended", "write END; after its last INSERT"));
    }
    session.hints.finish()?;
    Ok(std::mem::take(&mut session.answers).join("\n"))
}

/// Runs the statements of a text. With `stages`, statements for looking at are answered.
fn executed<'a>(text: &str, catalog: Catalog<'a>, stages: Option<&[Stage]>) -> Result<Session<'a>> {
    let (statements, hints) = tokens::statements(text)?;
    let (hints, warnings) = Hints::read(&hints)?;
    let mut session = Session::new(catalog, hints, warnings);
    session.stages = stages.map(<[Stage]>::to_vec);
    for tokens in statements {
        for placed in statement::parse(tokens)? {
            let start = placed.start;
            session.execute(placed).map_err(|error| error.or_at(start))?;
        }
    }
    Ok(session)
}

/// The columns of a query behind a text of definitions.
pub(crate) fn columns(definitions: &str, query: &str) -> Result<Vec<Field>> {
    let mut session = executed(definitions, Catalog::default(), None)?;
    let (statements, hints) = tokens::statements(query)?;
    (session.hints, _) = Hints::read(&hints)?;
    let mut fields = Vec::new();
    for tokens in statements {
        fields = Planner::new(&session).query(&*statement::parse_query_alone(tokens)?)?.fields;
    }
    Ok(fields)
}

/// A table's options, and the idle timeout of its watermark.
type ReadWith = (BTreeMap<String, String>, Option<Watermark>);

struct Session<'a> {
    catalog: Catalog<'a>,
    hints: Hints,
    functions: UserFunctions,
    tables: BTreeMap<String, Rc<Table>>,
    /// How the tables of the text were created.
    created: BTreeMap<String, CreateTable>,
    /// The options that tables are read with.
    read_with: RefCell<BTreeMap<String, ReadWith>>,
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
    /// What is shown to somebody who looks at the text; none if it is run.
    stages: Option<Vec<Stage>>,
    /// What has been shown.
    answers: Vec<String>,
    /// The statement set that is open is explained: what is asked beside the plan, and the inserts before it.
    explained_set: Option<(Vec<Detail>, Vec<Inserted>)>,
}

impl<'a> Session<'a> {
    fn new(catalog: Catalog<'a>, hints: Hints, warnings: Vec<Warning>) -> Self {
        Self {
            catalog,
            hints,
            functions: UserFunctions::default(),
            tables: BTreeMap::new(),
            created: BTreeMap::new(),
            read_with: RefCell::default(),
            views: BTreeMap::new(),
            loaded: RefCell::default(),
            read: RefCell::default(),
            written: BTreeSet::new(),
            warnings: RefCell::new(warnings),
            settings: Settings::default(),
            inserts: Vec::new(),
            open_set: None,
            stages: None,
            answers: Vec::new(),
            explained_set: None,
        }
    }

    fn execute(&mut self, placed: Placed) -> Result<()> {
        let start = placed.start;
        if let (Some(word), None) = (placed.statement.is_for_looking(), &self.stages) {
            let message = format!("{word} is for looking at, and an application runs");
            return Err(SqlError::at_location(start, message, "leave it out, and run `tidemill explain` on the file"));
        }
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
            Statement::CreateFunction(create) => {
                outside_set("CREATE FUNCTION")?;
                self.functions.create(&create, self.catalog.modules)
            }
            Statement::DropFunction(drop) => outside_set("DROP").and_then(|()| self.functions.drop(&drop)),
            Statement::Drop(drop) => outside_set("DROP").and_then(|()| self.drop(&drop)),
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
            Statement::ExplainInsert(insert, details) => {
                let before = std::mem::take(&mut self.inserts);
                self.insert(&insert)?;
                self.explain(before, &details)
            }
            Statement::ExplainQuery(query, details) => {
                let relation = query::completed(Planner::new(self).query(&query)?)?;
                let inserted = look::inserted(relation, Span::new(start, start));
                let before = std::mem::replace(&mut self.inserts, vec![inserted]);
                self.explain(before, &details)
            }
            Statement::ExplainSet(details) => {
                outside_set("EXPLAIN STATEMENT SET")?;
                self.open_set = Some(start);
                self.explained_set = Some((details, std::mem::take(&mut self.inserts)));
                Ok(())
            }
            Statement::Describe(name) => self.describe(&name),
            Statement::ShowCreate(name) => self.show(&name),
            Statement::EndSet => match self.open_set.take() {
                Some(_) => match self.explained_set.take() {
                    Some((details, before)) => self.explain(before, &details),
                    None => Ok(()),
                },
                None => Err(SqlError::at_location(start, "there is no statement set to end", "remove END")),
            },
        }
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
        let mut table = self.table(&name.name, name.span)?;
        if let Some(options) = self.hints.of(name.span) {
            table = Rc::new(definition::with_options(&table, options, name.span)?);
        }
        let relation = query::completed(Planner::new(self).query(&insert.query)?)?;
        let relation = insert::match_columns(relation, &table, insert, self.settings.not_null)?;
        if table.in_catalog {
            self.written.insert(name.name.clone());
        }
        self.inserts.push(Inserted { relation, table, span: name.span });
        Ok(())
    }

    fn finish(self, text: &str) -> Result<Script> {
        if let Some(start) = self.open_set {
            return Err(SqlError::at_location(
                start,
                "the statement set is not ended",
                "write END; after its last INSERT",
            ));
        }
        self.hints.finish()?;
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
            modules: self.functions.modules().map(str::to_string).collect(),
        })
    }
}

impl Tables for Session<'_> {
    fn functions(&self) -> UserFunctions {
        self.functions.clone()
    }

    fn lifetimes(&self, select: Span) -> Option<&Lifetimes> {
        self.hints.lifetimes(select)
    }

    fn settings(&self) -> Settings {
        self.settings.clone()
    }

    fn relation(&self, name: &str, span: Span) -> Result<Relation> {
        if let Some(view) = self.views.get(name) {
            return Ok(view.clone());
        }
        let mut table = self.table(name, span)?;
        if let Some(options) = self.hints.of(span) {
            table = Rc::new(definition::with_options(&table, options, span)?);
        }
        let options: ReadWith = (table.table.options.clone(), table.watermark.clone());
        if *self.read_with.borrow_mut().entry(name.to_string()).or_insert_with(|| options.clone()) != options {
            let message =
                format!("`{name}` is read with other options elsewhere in the text, and a table is read once");
            return Err(SqlError::new(
                span,
                message,
                "give the same hint everywhere, or create a second table LIKE it",
            ));
        }
        if table.in_catalog {
            self.read.borrow_mut().insert(name.to_string());
        }
        debug_assert!(table.watermark.is_some() || table.columns.iter().all(|(field, _)| field.role != Role::Rowtime));
        Ok(table.scan())
    }

    fn warn(&self, span: Span, message: String) {
        self.warnings.borrow_mut().push(Warning { place: Place::from(span.start), message });
    }
}
