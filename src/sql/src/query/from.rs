//! FROM: tables, views, subqueries and window functions.

use sqlparser::ast::{
    Expr, Ident, Join, JoinOperator, ObjectName, Query, Spanned, TableAlias, TableFactor, TableWithJoins,
};
use sqlparser::tokenizer::Span;

use super::{Planner, window};
use crate::error::{Result, SqlError};
use crate::relation::Relation;
use crate::statement::{TableName, unknown_database};

/// A relation and the name that may stand before its columns.
pub(super) struct Source {
    pub relation: Relation,
    pub qualifier: Option<String>,
}

impl Planner<'_> {
    pub(super) fn from(&self, from: &[TableWithJoins], select: Span) -> Result<Source> {
        match from {
            [one] => self.joined(one),
            [] => Err(SqlError::new(select, "SELECT without FROM is not supported", "read from a table")),
            [_, second, ..] => Err(join_refused(second.span())),
        }
    }

    fn joined(&self, table: &TableWithJoins) -> Result<Source> {
        if let Some(join) = table.joins.first() {
            return Err(refused_join(join));
        }
        self.factor(&table.relation)
    }

    fn factor(&self, factor: &TableFactor) -> Result<Source> {
        refuse_modifiers(factor)?;
        match factor {
            TableFactor::Table { name, alias, args: None, .. } => {
                let name = table_name(name)?;
                self.table(&name).and_then(|relation| aliased(relation, alias.as_ref(), Some(name.name)))
            }
            TableFactor::Table { name, alias, args: Some(arguments), .. } => {
                let called = window::Called { name: name.to_string(), span: name.span(), arguments: &arguments.args };
                aliased(self.windowed(&called)?, alias.as_ref(), None)
            }
            TableFactor::TableFunction { expr: Expr::Function(function), alias } => {
                let arguments = window::arguments_of(function)?;
                let called = window::Called { name: function.name.to_string(), span: function.name.span(), arguments };
                aliased(self.windowed(&called)?, alias.as_ref(), None)
            }
            TableFactor::Derived { lateral: false, subquery, alias, sample: None } => {
                aliased(self.query(subquery)?, alias.as_ref(), None)
            }
            TableFactor::NestedJoin { table_with_joins, alias: None } => self.joined(table_with_joins),
            other => Err(refused_factor(other)),
        }
    }

    pub(super) fn table(&self, name: &TableName) -> Result<Relation> {
        match self.named.get(&name.name) {
            Some(relation) => Ok(relation.clone()),
            None => self.tables.relation(&name.name, name.span),
        }
    }

    /// The first argument of a window function: a table or a subquery.
    pub(super) fn table_argument(&self, expression: &Expr) -> Result<Relation> {
        let subquery = |query: &Query| self.query(query);
        match expression {
            Expr::Nested(inner) => self.table_argument(inner),
            Expr::Subquery(query) => subquery(query),
            Expr::Identifier(name) => self.table(&table_name(&ObjectName::from(vec![name.clone()]))?),
            Expr::CompoundIdentifier(path) => self.table(&table_name(&ObjectName::from(path.clone()))?),
            other => {
                Err(SqlError::new(other.span(), format!("expected a table but found `{other}`"), "write TABLE name"))
            }
        }
    }
}

fn table_name(name: &ObjectName) -> Result<TableName> {
    TableName::of(name).ok_or_else(|| unknown_database(name.span(), &name.to_string()))
}

fn aliased(relation: Relation, alias: Option<&TableAlias>, name: Option<String>) -> Result<Source> {
    match alias {
        None => Ok(Source { relation, qualifier: name }),
        Some(alias) => {
            let qualifier = Some(alias.name.value.clone());
            Ok(Source { relation: with_column_names(relation, alias)?, qualifier })
        }
    }
}

/// Applies the columns of `AS t (a, b)`.
pub(super) fn with_column_names(relation: Relation, alias: &TableAlias) -> Result<Relation> {
    let names: Vec<Ident> = alias.columns.iter().map(|column| column.name.clone()).collect();
    renamed(relation, &names, alias.name.span)
}

/// Gives all columns new names, unless there are none.
pub(crate) fn renamed(relation: Relation, names: &[Ident], span: Span) -> Result<Relation> {
    if names.is_empty() {
        return Ok(relation);
    }
    if names.len() != relation.fields.len() {
        let message = format!("{} names are given to {} columns", names.len(), relation.fields.len());
        return Err(SqlError::new(span, message, "name every column"));
    }
    let names: Vec<String> = names.iter().map(|name| name.value.clone()).collect();
    Ok(relation.renamed(&names))
}

fn refuse_modifiers(factor: &TableFactor) -> Result<()> {
    let TableFactor::Table {
        name,
        with_hints,
        version,
        with_ordinality,
        partitions,
        json_path,
        sample,
        index_hints,
        ..
    } = factor
    else {
        return Ok(());
    };
    let plain = with_hints.is_empty() && partitions.is_empty() && index_hints.is_empty();
    if !plain || *with_ordinality || version.is_some() || json_path.is_some() || sample.is_some() {
        return Err(SqlError::new(name.span(), "the table has a modifier that is not supported", "use the name alone"));
    }
    Ok(())
}

fn refused_join(join: &Join) -> SqlError {
    match join.join_operator {
        JoinOperator::CrossApply | JoinOperator::OuterApply => {
            SqlError::new(join.relation.span(), "APPLY is not supported", "select from one table")
        }
        _ => join_refused(join.relation.span()),
    }
}

fn join_refused(span: Span) -> SqlError {
    SqlError::new(
        span,
        "joins are not supported",
        "read one table in each query, and join before the stream is written",
    )
}

fn refused_factor(factor: &TableFactor) -> SqlError {
    let (what, remedy) = match factor {
        TableFactor::MatchRecognize { .. } => ("MATCH_RECOGNIZE", "find patterns after this application"),
        TableFactor::UNNEST { .. } => ("UNNEST", "have the producer write one record for each element"),
        TableFactor::Derived { lateral: true, .. } | TableFactor::Function { .. } => {
            ("LATERAL", "select from one table")
        }
        TableFactor::TableFunction { .. } => ("this table function", "use TUMBLE or HOP"),
        _ => ("this form of FROM", "select from one table"),
    };
    SqlError::new(factor.span(), format!("{what} is not supported"), remedy)
}
