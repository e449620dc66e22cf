//! Names that Flink does not let a query use where it is plain what they mean: Nexmark's q6 is written with them.
//!
//! - WHERE on a call over rows that the same SELECT names: `SELECT *, ROW_NUMBER() OVER (…) AS n FROM t WHERE n <= 3`. It
//!   means what it would in QUALIFY. A column of FROM goes before such a name.
//! - A subquery in FROM without a name of its own: its columns keep the table's name that its SELECT gives before them.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, Expr, Ident, Query, Select, SelectItem, SetExpr, visit_expressions, visit_expressions_mut,
};

use crate::bind::Scope;

/// The SELECT with those conditions in QUALIFY; none if there are none.
pub(super) fn qualified(select: &Select, scope: &Scope) -> Option<Select> {
    let named: BTreeMap<&str, &Expr> = select.projection.iter().filter_map(over_rows).collect();
    let is_meant =
        |name: &Ident| named.contains_key(&*name.value) && scope.resolve(std::slice::from_ref(name)).is_err();
    let (moved, kept): (Vec<Expr>, Vec<Expr>) = conjuncts(select.selection.as_ref()?)
        .into_iter()
        .cloned()
        .partition(|condition| names_any(condition, &is_meant));
    if moved.is_empty() {
        return None;
    }
    let moved = moved.into_iter().map(|mut condition| {
        let _ = visit_expressions_mut(&mut condition, |expression| {
            if let Expr::Identifier(name) = expression
                && is_meant(name)
            {
                *expression = Expr::Nested(Box::new(named[&*name.value].clone()));
            }
            ControlFlow::<()>::Continue(())
        });
        condition
    });
    let qualify = conjunction(select.qualify.iter().cloned().chain(moved));
    Some(Select { selection: conjunction(kept), qualify, ..select.clone() })
}

/// The name and expression of an item that calls over rows.
fn over_rows(item: &SelectItem) -> Option<(&str, &Expr)> {
    let SelectItem::ExprWithAlias { expr, alias } = item else { return None };
    let is_call = |expression: &Expr| match expression {
        Expr::Function(function) if function.over.is_some() => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    visit_expressions(expr, is_call).is_break().then_some((&*alias.value, expr))
}

fn names_any(condition: &Expr, is_meant: &impl Fn(&Ident) -> bool) -> bool {
    let found = visit_expressions(condition, |expression| match expression {
        Expr::Identifier(name) if is_meant(name) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    found.is_break()
}

fn conjuncts(condition: &Expr) -> Vec<&Expr> {
    match condition {
        Expr::Nested(inner) => conjuncts(inner),
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => [conjuncts(left), conjuncts(right)].concat(),
        other => vec![other],
    }
}

fn conjunction(conditions: impl IntoIterator<Item = Expr>) -> Option<Expr> {
    conditions.into_iter().reduce(|left, right| Expr::BinaryOp {
        left: Box::new(left),
        op: BinaryOperator::And,
        right: Box::new(right),
    })
}

/// The names of tables that a query writes before its columns, if each column is written by itself.
pub(super) fn owners(query: &Query) -> Vec<Option<String>> {
    let SetExpr::Select(select) = &*query.body else { return Vec::new() };
    let owner = |item: &SelectItem| match item {
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(path)) if path.len() == 2 => Some(Some(path[0].value.clone())),
        SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. } => Some(None),
        _ => None,
    };
    select.projection.iter().map(owner).collect::<Option<Vec<_>>>().unwrap_or_default()
}
