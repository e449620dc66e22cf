//! FROM: tables, views, subqueries and window functions.

use sqlparser::ast::{
    Expr, Ident, Join, JoinConstraint, JoinOperator, ObjectName, Query, Spanned, TableAlias, TableFactor,
    TableWithJoins,
};
use sqlparser::tokenizer::Span;
use tidemill_plan::{Expression, JoinKind};

use super::join::{joined, settled};
use super::{Planner, alias, correlate, lateral, pattern, temporal, unnest, using, values, window};
use crate::bind::{Binder, Scope};
use crate::error::{Result, SqlError};
use crate::relation::{Relation, conjuncts};
use crate::statement::{TableName, unknown_database};

/// A relation and the names of its columns.
pub(super) struct Source {
    pub relation: Relation,
    pub scope: Scope,
}

impl Planner<'_> {
    pub(super) fn from(&self, from: &[TableWithJoins]) -> Result<Source> {
        let Some((first, others)) = from.split_first() else {
            let relation = values::one_row();
            let scope = Scope::of(&relation, None).with_functions(self.tables.functions());
            return Ok(Source { scope, relation });
        };
        others.iter().try_fold(self.joined(first)?, |left, table| {
            if let Some(unnest) = unnest::Written::of(&table.relation)? {
                let left = self.unnested(JoinKind::Inner, left, &unnest)?;
                return table.joins.iter().try_fold(left, |left, join| self.join(left, join));
            }
            if let Some(call) = correlate::Written::of(&table.relation, &self.tables.functions()) {
                let left = correlate::joined(JoinKind::Inner, settled_source(left, call.span())?, &call)?;
                return table.joins.iter().try_fold(left, |left, join| self.join(left, join));
            }
            if let Some(lateral) = lateral::Written::of(&table.relation) {
                let left = settled_source(left, table.relation.span())?;
                let left = self.lateral(JoinKind::Inner, left, &lateral, &JoinConstraint::None)?;
                return table.joins.iter().try_fold(left, |left, join| self.join(left, join));
            }
            Ok(join(JoinKind::Inner, left, self.joined(table)?, Vec::new()))
        })
    }

    fn joined(&self, table: &TableWithJoins) -> Result<Source> {
        table.joins.iter().try_fold(self.factor(&table.relation)?, |left, join| self.join(left, join))
    }

    fn unnested(&self, kind: JoinKind, left: Source, unnest: &unnest::Written<'_>) -> Result<Source> {
        unnest::joined(kind, settled_source(left, unnest.span())?, unnest)
    }

    fn join(&self, left: Source, written: &Join) -> Result<Source> {
        let (kind, constraint) = kind_of(written)?;
        let span = written.relation.span();
        if let Some(unnest) = unnest::Written::of(&written.relation)? {
            let joined = self.unnested(kind, left, &unnest)?;
            return unnest::restricted(joined, kind, constraint, ("UNNEST", unnest.span()));
        }
        if let Some(call) = correlate::Written::of(&written.relation, &self.tables.functions()) {
            let joined = correlate::joined(kind, settled_source(left, call.span())?, &call)?;
            return unnest::restricted(joined, kind, constraint, ("a table function", call.span()));
        }
        if let Some(lateral) = lateral::Written::of(&written.relation) {
            return self.lateral(kind, settled_source(left, span)?, &lateral, constraint);
        }
        let (joined, pairs) = match temporal::written(&written.relation) {
            Some(time) => {
                let left = settled_source(left, span)?;
                let as_of = temporal::AsOf::of(time, &left)?;
                if let Some(message) = as_of.warning(&left.relation) {
                    self.tables.warn(span, message);
                }
                let right = self.factor(&temporal::timeless(&written.relation))?;
                let (conditions, pairs) = conditions(constraint, &left, &right, span)?;
                let relation = temporal::joined(kind, left.relation, right.relation, conditions, &as_of)?;
                let scope = left.scope.beside(right.scope).with_fields(&relation.fields);
                (Source { relation, scope }, pairs)
            }
            None => {
                let right = self.factor(&written.relation)?;
                let (conditions, pairs) = conditions(constraint, &left, &right, span)?;
                (join(kind, left, right, conditions), pairs)
            }
        };
        using::merged(kind, joined, pairs, span)
    }

    /// A table or what stands for one, where the user's functions can be called.
    fn factor(&self, factor: &TableFactor) -> Result<Source> {
        let Source { relation, scope } = self.bare_factor(factor)?;
        Ok(Source { relation, scope: scope.with_functions(self.tables.functions()) })
    }

    fn bare_factor(&self, factor: &TableFactor) -> Result<Source> {
        if let Some(call) = correlate::Written::of(factor, &self.tables.functions()) {
            return Err(call.alone());
        }
        if let Some(unnest) = unnest::Written::of(factor)? {
            return Err(unnest.alone());
        }
        refuse_modifiers(factor)?;
        match factor {
            TableFactor::Table { name, alias, args: None, .. } => {
                let name = table_name(name)?;
                self.table(&name).and_then(|relation| aliased(relation, alias.as_ref(), Some(&name.name)))
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
            TableFactor::Derived { lateral: false, subquery, alias: None, sample: None } => {
                let relation = self.query(subquery)?;
                Ok(Source { scope: Scope::of(&relation, None).with_owners(alias::owners(subquery)), relation })
            }
            TableFactor::Derived { lateral: false, subquery, alias, sample: None } => {
                aliased(self.query(subquery)?, alias.as_ref(), None)
            }
            TableFactor::NestedJoin { table_with_joins, alias: None } => self.joined(table_with_joins),
            TableFactor::MatchRecognize { table, alias, .. } => {
                let written = pattern::Written::of(factor).ok_or_else(|| refused_factor(factor))?;
                aliased(pattern::matched(self.factor(table)?.relation, &written)?, alias.as_ref(), None)
            }
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

fn aliased(relation: Relation, alias: Option<&TableAlias>, name: Option<&str>) -> Result<Source> {
    let (relation, qualifier) = match alias {
        None => (relation, name),
        Some(alias) => (with_column_names(relation, alias)?, Some(alias.name.value.as_str())),
    };
    Ok(Source { scope: Scope::of(&relation, qualifier), relation })
}

fn join(kind: JoinKind, left: Source, right: Source, conditions: Vec<Expression>) -> Source {
    let relation = joined(kind, left.relation, right.relation, conditions);
    let scope = left.scope.beside(right.scope).with_fields(&relation.fields);
    Source { relation, scope }
}

/// What stands to the left of a join whose kind cannot wait for further conditions.
fn settled_source(source: Source, span: Span) -> Result<Source> {
    let relation = settled(source.relation, span)?;
    let scope = source.scope.with_fields(&relation.fields);
    Ok(Source { relation, scope })
}

/// What a join's constraint demands of the columns of both, and the columns that it makes one of.
fn conditions(
    constraint: &JoinConstraint,
    left: &Source,
    right: &Source,
    span: Span,
) -> Result<(Vec<Expression>, Vec<using::Pair>)> {
    if let JoinConstraint::On(condition) = constraint {
        let both = left.scope.clone().beside(right.scope.clone());
        return Ok((conjuncts(Binder::over(&both).condition(condition, "ON")?.expression), Vec::new()));
    }
    let names = using::names(constraint, &left.scope, &right.scope);
    let pairs = using::pairs(&names, left, right)?;
    Ok((using::equalities(&pairs, span)?, pairs))
}

fn kind_of(join: &Join) -> Result<(JoinKind, &JoinConstraint)> {
    match &join.join_operator {
        JoinOperator::Join(constraint) | JoinOperator::Inner(constraint) | JoinOperator::CrossJoin(constraint) => {
            Ok((JoinKind::Inner, constraint))
        }
        JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint) => Ok((JoinKind::Left, constraint)),
        JoinOperator::Right(constraint) | JoinOperator::RightOuter(constraint) => Ok((JoinKind::Right, constraint)),
        JoinOperator::FullOuter(constraint) => Ok((JoinKind::Full, constraint)),
        _ => {
            let message = format!("this form of join is not supported: {}", join.to_string().trim());
            Err(SqlError::new(join.relation.span(), message, "use JOIN, LEFT JOIN, RIGHT JOIN or FULL JOIN"))
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
    if let Some(time) = temporal::written(factor) {
        let message = "a table can be asked for a time only where it is joined";
        return Err(SqlError::new(time.span(), message, "write it to the right of JOIN"));
    }
    let plain = with_hints.is_empty() && partitions.is_empty() && index_hints.is_empty();
    if !plain || *with_ordinality || version.is_some() || json_path.is_some() || sample.is_some() {
        return Err(SqlError::new(name.span(), "the table has a modifier that is not supported", "use the name alone"));
    }
    Ok(())
}

fn refused_factor(factor: &TableFactor) -> SqlError {
    let (what, remedy) = match factor {
        TableFactor::Derived { lateral: true, .. } => {
            ("LATERAL at the beginning", "write it behind the tables it reads")
        }
        TableFactor::Function { .. } => ("this form of LATERAL", "write LATERAL TABLE(function(…)) AS t (…)"),
        TableFactor::TableFunction { .. } => ("this table function", "use TUMBLE or HOP"),
        _ => ("this form of FROM", "select from one table"),
    };
    SqlError::new(factor.span(), format!("{what} is not supported"), remedy)
}
