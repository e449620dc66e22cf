//! Queries: from their syntax to relations. Only what has a streaming plan passes; the rest is refused where it stands.

mod aggregate;
mod alias;
mod call;
mod call_types;
mod correlate;
mod frame;
mod from;
mod interval;
mod join;
mod lag;
mod lateral;
mod order;
mod over;
mod pattern;
mod pending;
mod rank;
mod scalar;
mod select;
mod slots;
mod subquery;
mod temporal;
mod ttl;
mod union;
mod unnest;
mod using;
mod values;
mod window;

pub(crate) use from::renamed;
pub(crate) use pending::completed;

use std::collections::BTreeMap;

use sqlparser::ast::{Query, SetExpr, Spanned, With};
use sqlparser::tokenizer::Span;

use crate::error::{Result, SqlError};
use crate::hints::Lifetimes;
use crate::relation::Relation;
use crate::settings::Settings;
use crate::user::UserFunctions;

/// Where names of tables and views lead.
pub(crate) trait Tables {
    fn relation(&self, name: &str, span: Span) -> Result<Relation>;

    /// The functions of the user's that have been created.
    fn functions(&self) -> UserFunctions {
        UserFunctions::default()
    }

    /// Takes in what the user should know although the text can run.
    fn warn(&self, span: Span, message: String) {
        let _ = (span, message);
    }

    /// The settings so far.
    fn settings(&self) -> Settings {
        Settings::default()
    }

    /// The hint for the SELECT that stands here that says how long state is kept.
    fn lifetimes(&self, _: Span) -> Option<&Lifetimes> {
        None
    }
}

#[derive(Clone)]
pub(crate) struct Planner<'a> {
    tables: &'a dyn Tables,
    /// The queries that WITH has named so far.
    named: BTreeMap<String, Relation>,
}

impl<'a> Planner<'a> {
    pub(crate) fn new(tables: &'a dyn Tables) -> Self {
        Self { tables, named: BTreeMap::new() }
    }

    pub(crate) fn query(&self, query: &Query) -> Result<Relation> {
        refuse_clauses(query)?;
        match &query.with {
            Some(with) => self.with(with)?.ordered(query),
            None => self.ordered(query),
        }
    }

    fn with(&self, with: &With) -> Result<Self> {
        if with.recursive {
            return Err(SqlError::new(with.span(), "WITH RECURSIVE is not supported", "write the steps as views"));
        }
        let mut inner = self.clone();
        for cte in &with.cte_tables {
            let relation = inner.query(&cte.query)?;
            let relation = from::with_column_names(relation, &cte.alias)?;
            inner.named.insert(cte.alias.name.value.clone(), relation);
        }
        Ok(inner)
    }

    fn body(&self, body: &SetExpr) -> Result<Relation> {
        match body {
            SetExpr::Select(select) => self.select(select),
            SetExpr::Query(query) => self.query(query),
            SetExpr::SetOperation { op, set_quantifier, left, right } => {
                let quantifier = (*op, *set_quantifier);
                union::combined(quantifier, self.body(left)?, self.body(right)?, right.span())
            }
            SetExpr::Values(values) => values::rows(values, self.tables.functions()),
            other => Err(SqlError::new(other.span(), "only SELECT can be planned here", "write a SELECT")),
        }
    }
}

fn refuse_clauses(query: &Query) -> Result<()> {
    let odd = !query.locks.is_empty() || query.for_clause.is_some();
    let odder = query.settings.is_some() || query.format_clause.is_some() || !query.pipe_operators.is_empty();
    if odd || odder {
        let message = "the query ends with a clause that is not supported";
        return Err(SqlError::new(query.body.span(), message, "end it after LIMIT"));
    }
    Ok(())
}
