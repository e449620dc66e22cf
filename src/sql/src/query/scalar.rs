//! Subqueries that are values, in SELECT or in conditions: each becomes a column behind the query's own, by a join with the
//! one row that it gives, NULL while there is none. EXISTS where it is no condition of its own is the number of rows.
//!
//! An aggregate may name columns of the query around it in equalities of its WHERE. It is computed for all values of the
//! other sides of these, and joined by them; where no row belongs to the row outside, its counts are 0.

use sqlparser::ast::{Expr, Query, Select, SelectItem, SetExpr, Spanned, Visit};
use sqlparser::tokenizer::Span;
use tidemill_plan::{BinaryOperator, Expression, JoinKind, Literal};

use super::from::Source;
use super::join::{absorbed, equality, joined, settled};
use super::subquery::{plain_select, plain_select_of_groups, visit_outside_subqueries};
use super::{Planner, aggregate, subquery};
use crate::bind::{Binder, Grouping, Scope, Typed, binary};
use crate::error::{Result, SqlError};
use crate::expressions::substitute;
use crate::relation::{Field, Relation, Role};
use crate::statement::parse_expression;

/// The columns that subqueries in an expression are.
pub(super) struct RowValues<'a> {
    known: Vec<(Expr, Typed)>,
    below: Option<&'a dyn Grouping>,
}

impl RowValues<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
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

impl Planner<'_> {
    /// The relation with a column more for each subquery that is a value in what is written.
    pub(super) fn with_values<'b>(
        &self,
        mut relation: Relation,
        binder: Binder<'b>,
        written: &impl Visit,
    ) -> Result<(Relation, RowValues<'b>)> {
        let mut values = RowValues { known: Vec::new(), below: binder.grouping };
        for written in values_in(written) {
            let outer = binder.grouping.is_none().then_some(binder.scope);
            let (with_value, value) = match &written {
                Expr::Exists { subquery, negated } => {
                    let (with_count, count) = self.with_value(relation, outer, &counted(subquery)?)?;
                    (with_count, is_there(count, *negated))
                }
                Expr::Subquery(query) => self.with_value(relation, outer, query)?,
                other => unreachable!("{other} is no value"),
            };
            values.known.push((written, value));
            relation = with_value;
        }
        Ok((relation, values))
    }

    fn with_value(&self, relation: Relation, outer: Option<&Scope>, query: &Query) -> Result<(Relation, Typed)> {
        let width = relation.fields.len();
        match (self.query(query), outer, plain_select_of_groups(query)) {
            (Err(_), Some(outer), Some(select)) => self.with_tied_value(relation, outer, select),
            (planned, _, _) => {
                let row = planned?;
                check_row(query, &row)?;
                let value = Typed::new(Expression::Column(width), row.fields[0].data_type.clone(), true);
                Ok((joined(JoinKind::Left, relation, row, Vec::new()), value))
            }
        }
    }

    fn with_tied_value(&self, relation: Relation, outer: &Scope, select: &Select) -> Result<(Relation, Typed)> {
        let (width, start) = (relation.fields.len(), select.select_token.0.span);
        let Source { relation: inner, scope } = self.from(&select.from)?;
        let both = scope.clone().within(outer, width);
        let subquery::Conditions { own, ties, nested } = subquery::conditions(select, &both, width)?;
        if let Some(condition) = nested.first() {
            let message = "a subquery within one that names columns outside is not supported here";
            return Err(SqlError::new(condition.span(), message, "join the tables, and aggregate by their key"));
        }
        let (outside, keys): (Vec<_>, Vec<_>) =
            ties.iter().map(|tie| sides(tie, width, start)).collect::<Result<_>>()?;
        let inner = settled(absorbed(inner, own), start)?;
        let scope = scope.with_fields(&inner.fields);
        let typed = |key| {
            let data_type = crate::check::type_over(&key, &inner.fields);
            Typed::new(key, data_type, true)
        };
        let keys = keys.into_iter().map(typed).collect();
        let aggregated = aggregate::by_keys(select, inner, &scope, keys)?;
        let binder = Binder { grouping: Some(&aggregated.groups), ..Binder::over(&scope) };
        let value = binder.bind(selected(select)?)?;
        let counts = aggregated.groups.counts();
        let conditions = outside
            .into_iter()
            .enumerate()
            .map(|(place, outside)| binary(outside, BinaryOperator::Equal, Expression::Column(width + place)));
        let relation = joined(JoinKind::Left, relation, aggregated.relation, conditions.collect());
        // Where no row belongs to the one outside, the join has NULLs for all that was aggregated.
        let expression = substitute(&value.expression, &|place| {
            let column = Expression::Column(width + place);
            match counts.contains(&place) {
                true => or_zero(column),
                false => column,
            }
        });
        Ok((relation, Typed::new(expression, value.data_type, true)))
    }
}

/// A query for the number of rows of a plain one.
fn counted(query: &Query) -> Result<Query> {
    let mut counting = Query { order_by: None, ..query.clone() };
    match &mut *counting.body {
        SetExpr::Select(select) => {
            select.projection = vec![SelectItem::UnnamedExpr(parse_expression("COUNT(*)")?)];
            select.distinct = None;
        }
        SetExpr::Query(inner) => **inner = counted(inner)?,
        _ => unreachable!("a plain query is a SELECT"),
    }
    Ok(counting)
}

fn is_there(count: Typed, negated: bool) -> Typed {
    let zero = Expression::Literal(Literal::Int64(0));
    let operator = if negated { BinaryOperator::Equal } else { BinaryOperator::Greater };
    Typed::boolean(binary(or_zero(count.expression), operator, zero), false)
}

fn or_zero(count: Expression) -> Expression {
    let zero = Expression::Literal(Literal::Int64(0));
    let branches = vec![(Expression::IsNull(Box::new(count.clone())), zero)];
    Expression::Case { branches, otherwise: Some(Box::new(count)) }
}

/// What a tie compares: outside, over the columns there, and inside, over those of the subquery.
fn sides(tie: &Expression, width: usize, span: Span) -> Result<(Expression, Expression)> {
    match equality(tie, width) {
        Some((outside, inside)) => Ok((outside, substitute(&inside, &|place| Expression::Column(place - width)))),
        None => {
            let message = "a subquery that is a value is tied to the row outside by more than equalities";
            Err(SqlError::new(span, message, "join the tables, and aggregate by their key"))
        }
    }
}

fn selected(select: &Select) -> Result<&Expr> {
    match select.projection.as_slice() {
        [SelectItem::UnnamedExpr(expression) | SelectItem::ExprWithAlias { expr: expression, .. }] => Ok(expression),
        items => Err(one_column(select.select_token.0.span, items.len())),
    }
}

fn one_column(span: Span, found: usize) -> SqlError {
    let message = format!("a subquery that is a value has one column but this has {found}");
    SqlError::new(span, message, "select one column")
}

fn check_row(query: &Query, relation: &Relation) -> Result<()> {
    let columns: &[Field] = &relation.fields;
    if columns.len() != 1 {
        return Err(one_column(query.body.span(), columns.len()));
    }
    if !subquery::gives_one_row(query) {
        let message = "the subquery may give more than one row, so it is no value";
        return Err(SqlError::new(query.body.span(), message, "aggregate it without GROUP BY, or use IN"));
    }
    Ok(())
}

/// The subqueries that are values, and whether others have rows, each once.
fn values_in(written: &impl Visit) -> Vec<Expr> {
    let mut found: Vec<Expr> = Vec::new();
    visit_outside_subqueries(written, &mut |expression| {
        let is_value = match expression {
            Expr::Subquery(_) => true,
            Expr::Exists { subquery, .. } => {
                let is_whole = subquery.limit_clause.is_none() && subquery.fetch.is_none();
                is_whole && plain_select(subquery).is_some()
            }
            _ => false,
        };
        if is_value && !found.contains(expression) {
            found.push(expression.clone());
        }
    });
    found
}
