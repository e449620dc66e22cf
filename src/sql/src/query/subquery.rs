//! Subqueries in conditions: IN and EXISTS as semi- and anti-joins. Those that are values are `scalar`'s.
//!
//! A subquery may name columns of the query around it in its own WHERE. These conditions tie its rows to the row
//! outside and become conditions of the join. Names lead to the inner columns first.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, GroupByExpr, LimitClause, Query, Select, SetExpr, Spanned, UnaryOperator, Value, Visit, Visitor,
    visit_expressions,
};
use sqlparser::tokenizer::Span;
use tidemill_plan::{BinaryOperator, Expression, JoinKind};

use super::call::calls_in;
use super::from::Source;
use super::join::{absorbed, joined, settled};
use super::select::expanded;
use super::{Planner, refuse_clauses};
use crate::bind::{Binder, Scope, Typed, compare};
use crate::error::{Result, SqlError};
use crate::expressions::{columns, substitute};
use crate::relation::{Relation, conjuncts};

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
        let Conditions { own, ties, nested } = conditions(select, &both, width)?;
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
        relation: Relation,
        binder: Binder<'_>,
        condition: &Expr,
        clause: &str,
    ) -> Result<Relation> {
        let width = relation.fields.len();
        let (relation, values) = self.with_values(relation, binder, condition)?;
        let binder = Binder { grouping: Some(&values), ..Binder::over(binder.scope) };
        let condition = binder.condition(condition, clause)?;
        let relation = absorbed(relation, conjuncts(condition.expression));
        Ok(relation.picked(&(0..width).collect::<Vec<_>>()))
    }
}

/// The conditions of a subquery's WHERE.
pub(super) struct Conditions<'a> {
    /// On its own rows, over its own columns.
    pub own: Vec<Expression>,
    /// What ties its rows to a row outside, over the columns of both.
    pub ties: Vec<Expression>,
    /// Those with subqueries.
    pub nested: Vec<&'a Expr>,
}

/// `both` are the `width` columns outside and those of the subquery.
pub(super) fn conditions<'a>(select: &'a Select, both: &Scope, width: usize) -> Result<Conditions<'a>> {
    let written = select.selection.as_ref().map(written_conjuncts).unwrap_or_default();
    let (nested, plain): (Vec<_>, Vec<_>) = written.into_iter().partition(|condition| has_subquery(condition));
    let mut conditions = Conditions { own: Vec::new(), ties: Vec::new(), nested };
    for condition in plain {
        for condition in conjuncts(Binder::over(both).condition(condition, "WHERE")?.expression) {
            match columns(&condition).iter().all(|place| *place >= width) {
                true => conditions.own.push(substitute(&condition, &|place| Expression::Column(place - width))),
                false => conditions.ties.push(condition),
            }
        }
    }
    Ok(conditions)
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
            Some(Membership { query: subquery, values: Some(values_of(expr)), negated: *negated, span })
        }
        Expr::AnyOp { left, compare_op: sqlparser::ast::BinaryOperator::Eq, right, .. } => {
            query_of(right).map(|query| Membership { query, values: Some(values_of(left)), negated: false, span })
        }
        Expr::AllOp { left, compare_op: sqlparser::ast::BinaryOperator::NotEq, right } => {
            query_of(right).map(|query| Membership { query, values: Some(values_of(left)), negated: true, span })
        }
        _ => None,
    }
}

fn values_of(value: &Expr) -> Vec<&Expr> {
    match value {
        Expr::Tuple(values) => values.iter().collect(),
        value => vec![value],
    }
}

fn query_of(value: &Expr) -> Option<&Query> {
    match value {
        Expr::Subquery(query) => Some(query),
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
pub(super) fn plain_select(query: &Query) -> Option<&Select> {
    let select = select_of(query)?;
    let ungrouped = matches!(&select.group_by, GroupByExpr::Expressions(keys, _) if keys.is_empty());
    let plain = query.with.is_none() && ungrouped && select.having.is_none() && calls_in(select).is_empty();
    (plain && refuse_clauses(query).is_ok()).then_some(select)
}

/// The SELECT that a query is, if it aggregates all rows as one group and has nothing around it.
pub(super) fn plain_select_of_groups(query: &Query) -> Option<&Select> {
    let select = select_of(query)?;
    let ungrouped = matches!(&select.group_by, GroupByExpr::Expressions(keys, _) if keys.is_empty());
    let bare = query.order_by.is_none() && query.limit_clause.is_none() && query.fetch.is_none();
    let plain = query.with.is_none() && ungrouped && select.having.is_none() && select.distinct.is_none();
    (bare && plain && !calls_in(select).is_empty() && refuse_clauses(query).is_ok()).then_some(select)
}

/// Whether a query gives no more than one row.
pub(super) fn gives_one_row(query: &Query) -> bool {
    if let Some(LimitClause::LimitOffset { limit: Some(Expr::Value(limit)), .. }) = &query.limit_clause
        && matches!(&limit.value, Value::Number(number, _) if number == "1")
    {
        return true;
    }
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
