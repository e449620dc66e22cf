//! `JOIN LATERAL (SELECT … WHERE inner.k = outer.k)`: a subquery that names columns of the rows before it, as a join.

use sqlparser::ast::{Expr, JoinConstraint, Query, SetExpr, Spanned, TableAlias, TableFactor, Value};
use sqlparser::tokenizer::Span;
use tidemill_plan::{Expression, JoinKind, NodeKind};

use super::Planner;
use super::from::{Source, renamed};
use super::join;
use super::subquery::Inner;
use crate::bind::{Binder, Scope};
use crate::error::{Result, SqlError};
use crate::expressions::{columns, substitute};
use crate::relation::{Field, Relation};

/// A subquery that sees the rows before it.
pub(super) struct Written<'a> {
    query: &'a Query,
    alias: Option<&'a TableAlias>,
    span: Span,
}

impl<'a> Written<'a> {
    /// None for anything else.
    pub(super) fn of(factor: &'a TableFactor) -> Option<Self> {
        match factor {
            TableFactor::Derived { lateral: true, subquery, alias, sample: None } => {
                Some(Self { query: subquery, alias: alias.as_ref(), span: subquery.body.span() })
            }
            _ => None,
        }
    }
}

impl Planner<'_> {
    /// The left relation is settled.
    pub(super) fn lateral(
        &self,
        kind: JoinKind,
        left: Source,
        written: &Written<'_>,
        constraint: &JoinConstraint,
    ) -> Result<Source> {
        check(kind, written, constraint)?;
        let width = left.relation.fields.len();
        let inner = self.inner(written.query, Some(&left.scope), width)?;
        let (relation, selected) = joined(kind, left.relation, inner, written.span)?;
        let selected = Relation::operator(NodeKind::Union, Vec::new(), selected);
        let selected = match written.alias {
            Some(alias) => {
                let names: Vec<_> = alias.columns.iter().map(|column| column.name.clone()).collect();
                renamed(selected, &names, alias.name.span)?
            }
            None => selected,
        };
        let qualifier = written.alias.map(|alias| alias.name.value.as_str());
        let scope = left.scope.with_fields(&relation.fields[..width]);
        let scope = scope.beside(Scope::of_fields(&selected.fields, qualifier));
        match constraint {
            JoinConstraint::On(condition) if !is_true(condition) => {
                let condition = Binder::over(&scope).condition(condition, "ON")?;
                Ok(Source { relation: relation.filtered(condition.expression), scope })
            }
            _ => Ok(Source { relation, scope }),
        }
    }
}

fn check(kind: JoinKind, written: &Written<'_>, constraint: &JoinConstraint) -> Result<()> {
    let refused = |message: &str, remedy: &str| Err(SqlError::new(written.span, message, remedy));
    if let SetExpr::Select(select) = &*written.query.body
        && select.distinct.is_some()
    {
        return refused("DISTINCT is not supported in LATERAL", "select DISTINCT around the join");
    }
    if written.query.limit_clause.is_some() || written.query.fetch.is_some() {
        return refused("LIMIT is not supported in LATERAL", "keep the first rows of each key with ROW_NUMBER");
    }
    match (kind, constraint) {
        (JoinKind::Inner, JoinConstraint::None | JoinConstraint::On(_)) => Ok(()),
        (JoinKind::Left, JoinConstraint::On(condition)) if is_true(condition) => Ok(()),
        (JoinKind::Left, _) => refused("a LEFT JOIN with LATERAL has ON TRUE only", "put conditions into its WHERE"),
        _ => refused("LATERAL can be joined by CROSS JOIN and LEFT JOIN … ON TRUE only", "use one of the two"),
    }
}

fn is_true(condition: &Expr) -> bool {
    matches!(condition, Expr::Value(value) if value.value == Value::Boolean(true))
}

/// The left rows with what is selected for each, and the columns of that.
fn joined(kind: JoinKind, left: Relation, inner: Inner, span: Span) -> Result<(Relation, Vec<Field>)> {
    let (width, inner_width) = (left.fields.len(), inner.relation.fields.len());
    let mut computed: Vec<Expression> = (0..inner_width).map(Expression::Column).collect();
    let mut fields = inner.relation.fields.clone();
    let mut output: Vec<Expression> = (0..width).map(Expression::Column).collect();
    let mut selected = Vec::with_capacity(inner.values.len());
    for (value, name) in inner.values.into_iter().zip(inner.names) {
        let field = Field::plain(name, value.data_type, value.nullable || kind == JoinKind::Left);
        // What reads inner columns alone is computed below the join, so that it is NULL where there is no row.
        if columns(&value.expression).iter().all(|place| *place >= width) {
            output.push(Expression::Column(width + computed.len()));
            computed.push(substitute(&value.expression, &|place| Expression::Column(place - width)));
            fields.push(field.clone());
        } else if kind == JoinKind::Left {
            let message = format!("`{}` reads columns outside of a LEFT JOIN's LATERAL", field.name);
            return Err(SqlError::new(span, message, "select it outside"));
        } else {
            output.push(value.expression);
        }
        selected.push(field);
    }
    let right = inner.relation.calc(None, computed, fields);
    let joined = join::settled(join::joined(kind, left, right, inner.ties), span)?;
    let fields = joined.fields[..width].iter().chain(&selected).cloned().collect();
    Ok((joined.calc(None, output, fields), selected))
}
