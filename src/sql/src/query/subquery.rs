//! Subqueries in conditions: IN and EXISTS as semi- and anti-joins, a single value as a join with its one row.
//!
//! A subquery may name columns of the query around it in its own WHERE. These conditions tie its rows to the row
//! outside and become conditions of the join. Names lead to the inner columns first.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, GroupByExpr, Query, Select, SetExpr, Spanned, UnaryOperator, Visit, Visitor, visit_expressions,
};
use sqlparser::tokenizer::Span;
use tidemill_plan::{BinaryOperator, Expression, JoinKind};

use super::call::calls_in;
use super::from::Source;
use super::join::{absorbed, joined, settled};
use super::select::expanded;
use super::{Planner, refuse_clauses};
use crate::bind::{Binder, Grouping, Scope, Typed, compare};
use crate::error::{Result, SqlError};
use crate::expressions::{columns, substitute};
use crate::relation::{Relation, Role, conjuncts};

/// `[NOT] EXISTS (…)`, or `values [NOT] IN (…)`.
struct Membership<'a> {
    query: &'a Query,
    /// None for EXISTS.
    values: Option<Vec<&'a Expr>>,
    negated: bool,
    span: Span,
}

/// A subquery's rows, beside those of the query around it.
pub(super) struct Inner {
    pub relation: Relation,
    /// What it selects, over the columns of both.
    pub values: Vec<Typed>,
    pub names: Vec<String>,
    /// What ties its rows to a row outside, over the columns of both.
    pub ties: Vec<Expression>,
}

impl Planner<'_> {
    /// Keeps the rows for which a condition holds, which may have subqueries.
    pub(super) fn restricted(
        &self,
        relation: Relation,
        binder: Binder<'_>,
        condition: &Expr,
        clause: &str,
    ) -> Result<Relation> {
        if !has_subquery(condition) {
            let condition = binder.condition(condition, clause)?;
            return Ok(absorbed(relation, conjuncts(condition.expression)));
        }
        let (nested, plain): (Vec<_>, Vec<_>) = written_conjuncts(condition).into_iter().partition(|c| has_subquery(c));
        let mut bound = Vec::new();
        for condition in plain {
            bound.extend(conjuncts(binder.condition(condition, clause)?.expression));
        }
        let relation = absorbed(relation, bound);
        nested
            .into_iter()
            .try_fold(relation, |relation, condition| self.restricted_by_subquery(relation, binder, condition, clause))
    }

    fn restricted_by_subquery(
        &self,
        relation: Relation,
        binder: Binder<'_>,
        condition: &Expr,
        clause: &str,
    ) -> Result<Relation> {
        match membership(condition) {
            Some(membership) => self.members(relation, binder, &membership),
            None => self.compared_with_rows(relation, binder, condition, clause),
        }
    }

    fn members(&self, relation: Relation, binder: Binder<'_>, membership: &Membership<'_>) -> Result<Relation> {
        let width = relation.fields.len();
        let outer = binder.grouping.is_none().then_some(binder.scope);
        let Inner { relation: inner, values: selected, ties: mut conditions, names: _ } =
            self.inner(membership.query, outer, width)?;
        if let Some(values) = &membership.values {
            if values.len() != selected.len() {
                let message = format!("{} values are looked for among {} columns", values.len(), selected.len());
                return Err(SqlError::new(membership.span, message, "select as many columns as there are values"));
            }
            for (value, selected) in values.iter().zip(selected) {
                let span = value.span();
                conditions.extend(conjuncts(matching(binder.bind(value)?, selected, membership.negated, span)?));
            }
        }
        let kind = if membership.negated { JoinKind::Anti } else { JoinKind::Semi };
        Ok(joined(kind, relation, inner, conditions))
    }

    /// Plans a subquery by itself, and if it cannot stand by itself with the columns outside in sight.
    pub(super) fn inner(&self, query: &Query, outer: Option<&Scope>, width: usize) -> Result<Inner> {
        match (self.query(query), outer, plain_select(query)) {
            (Err(_), Some(outer), Some(select)) => self.correlated(select, outer, width),
            (planned, _, _) => planned.map(|relation| {
                let column = |(place, field): (usize, &crate::relation::Field)| {
                    Typed::new(Expression::Column(width + place), field.data_type.clone(), field.nullable)
                };
                let values = relation.fields.iter().enumerate().map(column).collect();
                let names = relation.fields.iter().map(|field| field.name.clone()).collect();
                Inner { relation, values, names, ties: Vec::new() }
            }),
        }
    }

    fn correlated(&self, select: &Select, outer: &Scope, width: usize) -> Result<Inner> {
        let start = select.select_token.0.span;
        let Source { relation, scope } = self.from(&select.from)?;
        let both = scope.clone().within(outer, width);
        let written = select.selection.as_ref().map(written_conjuncts).unwrap_or_default();
        let (nested, plain): (Vec<_>, Vec<_>) = written.into_iter().partition(|condition| has_subquery(condition));
        let (mut own, mut ties) = (Vec::new(), Vec::new());
        for condition in plain {
            for condition in conjuncts(Binder::over(&both).condition(condition, "WHERE")?.expression) {
                match columns(&condition).iter().all(|place| *place >= width) {
                    true => own.push(substitute(&condition, &|place| Expression::Column(place - width))),
                    false => ties.push(condition),
                }
            }
        }
        let relation = nested.into_iter().try_fold(absorbed(relation, own), |relation, condition| {
            self.restricted_by_subquery(relation, Binder::over(&scope), condition, "WHERE")
        })?;
        let values = expanded(&select.projection, Binder::over(&both))?;
        let (values, names) = values.into_iter().map(|(typed, _, name)| (typed, name)).unzip();
        Ok(Inner { relation: settled(relation, start)?, values, names, ties })
    }

    /// A condition with subqueries that give one value each, which is NULL while there is no row.
    fn compared_with_rows(
        &self,
        mut relation: Relation,
        binder: Binder<'_>,
        condition: &Expr,
        clause: &str,
    ) -> Result<Relation> {
        let width = relation.fields.len();
        let mut values = RowValues { known: Vec::new(), below: binder.grouping };
        for query in rows_in(condition) {
            let row = self.single_value(&query)?;
            let value = Typed::new(Expression::Column(relation.fields.len()), row.fields[0].data_type.clone(), true);
            values.known.push((Expr::Subquery(Box::new(query)), value));
            relation = joined(JoinKind::Left, relation, row, Vec::new());
        }
        let binder = Binder { grouping: Some(&values), ..Binder::over(binder.scope) };
        let condition = binder.condition(condition, clause)?;
        let relation = absorbed(relation, conjuncts(condition.expression));
        Ok(relation.picked(&(0..width).collect::<Vec<_>>()))
    }

    fn single_value(&self, query: &Query) -> Result<Relation> {
        let relation = self.query(query)?;
        if relation.fields.len() != 1 {
            let message = format!("a subquery that is a value has one column but this has {}", relation.fields.len());
            return Err(SqlError::new(query.body.span(), message, "select one column"));
        }
        if !gives_one_row(query) {
            let message = "the subquery may give more than one row, so it is no value";
            return Err(SqlError::new(query.body.span(), message, "aggregate it without GROUP BY, or use IN"));
        }
        Ok(relation)
    }
}

/// When a value is, or with `negated` may be, the selected one: NOT IN does not hold where one of the two is NULL.
fn matching(value: Typed, selected: Typed, negated: bool, span: Span) -> Result<Expression> {
    let unknown: Vec<Expression> = [&value, &selected]
        .into_iter()
        .filter(|side| negated && side.nullable)
        .map(|side| Expression::IsNull(Box::new(side.expression.clone())))
        .collect();
    let equal = compare(value, BinaryOperator::Equal, selected, span)?.expression;
    Ok(unknown.into_iter().fold(equal, |left, right| Expression::Binary {
        left: Box::new(left),
        operator: BinaryOperator::Or,
        right: Box::new(right),
    }))
}

/// The columns that subqueries in an expression are.
struct RowValues<'a> {
    known: Vec<(Expr, Typed)>,
    below: Option<&'a dyn Grouping>,
}

impl Grouping for RowValues<'_> {
    fn resolve(&self, expression: &Expr) -> Result<Option<(Typed, Role)>> {
        match self.known.iter().find(|(known, _)| known == expression) {
            Some((_, value)) => Ok(Some((value.clone(), Role::Plain))),
            None => self.below.map_or(Ok(None), |below| below.resolve(expression)),
        }
    }

    fn hides_columns(&self) -> bool {
        self.below.is_some_and(Grouping::hides_columns)
    }
}

fn membership(condition: &Expr) -> Option<Membership<'_>> {
    let span = condition.span();
    match condition {
        Expr::Nested(inner) => membership(inner),
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => {
            membership(expr).map(|inner| Membership { negated: !inner.negated, ..inner })
        }
        Expr::Exists { subquery, negated } => {
            Some(Membership { query: subquery, values: None, negated: *negated, span })
        }
        Expr::InSubquery { expr, subquery, negated } => {
            let values = match &**expr {
                Expr::Tuple(values) => values.iter().collect(),
                value => vec![value],
            };
            Some(Membership { query: subquery, values: Some(values), negated: *negated, span })
        }
        _ => None,
    }
}

/// The parts of a condition that AND joins.
fn written_conjuncts(condition: &Expr) -> Vec<&Expr> {
    match condition {
        Expr::Nested(inner) => written_conjuncts(inner),
        Expr::BinaryOp { left, op: sqlparser::ast::BinaryOperator::And, right } => {
            [written_conjuncts(left), written_conjuncts(right)].concat()
        }
        other => vec![other],
    }
}

fn has_subquery(condition: &Expr) -> bool {
    let is_subquery = |expression: &Expr| match expression {
        Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    visit_expressions(condition, is_subquery).is_break()
}

/// The subqueries that are values in a condition, each once.
fn rows_in(condition: &Expr) -> Vec<Query> {
    let mut found: Vec<Query> = Vec::new();
    visit_outside_subqueries(condition, &mut |expression| {
        if let Expr::Subquery(query) = expression
            && !found.contains(&**query)
        {
            found.push((**query).clone());
        }
    });
    found
}

/// Shows all expressions but those within subqueries.
pub(super) fn visit_outside_subqueries(node: &impl Visit, note: &mut dyn FnMut(&Expr)) {
    struct Outside<'a> {
        depth: usize,
        note: &'a mut dyn FnMut(&Expr),
    }
    impl Visitor for Outside<'_> {
        type Break = ();

        fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
            self.depth += 1;
            ControlFlow::Continue(())
        }

        fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
            self.depth -= 1;
            ControlFlow::Continue(())
        }

        fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
            if self.depth == 0 {
                (self.note)(expression);
            }
            ControlFlow::Continue(())
        }
    }
    let _ = node.visit(&mut Outside { depth: 0, note });
}

/// The SELECT that a query is, if it neither aggregates nor has anything around it.
fn plain_select(query: &Query) -> Option<&Select> {
    let select = select_of(query)?;
    let ungrouped = matches!(&select.group_by, GroupByExpr::Expressions(keys, _) if keys.is_empty());
    let plain = query.with.is_none() && ungrouped && select.having.is_none() && calls_in(select).is_empty();
    (plain && refuse_clauses(query).is_ok()).then_some(select)
}

fn gives_one_row(query: &Query) -> bool {
    select_of(query).is_some_and(|select| {
        let ungrouped = matches!(&select.group_by, GroupByExpr::Expressions(keys, _) if keys.is_empty());
        ungrouped && (!calls_in(select).is_empty() || select.from.is_empty())
    })
}

fn select_of(query: &Query) -> Option<&Select> {
    match &*query.body {
        SetExpr::Select(select) => Some(select),
        SetExpr::Query(query) => select_of(query),
        _ => None,
    }
}
