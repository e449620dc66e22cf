//! What stands above an aggregation for what was written: its keys, its calls, its window and its sets of keys.

use std::collections::BTreeSet;

use arrow_schema::DataType;
use sqlparser::ast::{Expr, Function, Spanned};
use tidemill_plan::{BinaryOperator, Expression, Literal, WindowOutput};

use crate::bind::{Binder, Grouping, Scope, Typed, is_aggregate, positional};
use crate::error::{Result, SqlError};
use crate::query::call::{BoundCall, bind_call};
use crate::query::subquery::visit_outside_subqueries;
use crate::query::window::GroupWindow;
use crate::relation::Role;

/// The result's columns, by what they were written as.
pub(in crate::query) struct Groups {
    /// The scope below the aggregation.
    pub(super) input: Scope,
    /// Expressions below, and what stands for them above.
    pub(super) keys: Vec<(Expression, Typed, Role)>,
    pub(super) calls: Vec<(BoundCall, Typed)>,
    pub(super) window: Option<WrittenWindow>,
    /// Where there are several sets of keys: their number's column, and the sets by their numbers.
    pub(super) sets: Option<Sets>,
}

/// The window of `GROUP BY TUMBLE(…)`, and its columns.
pub(super) struct WrittenWindow {
    pub window: GroupWindow,
    pub columns: Vec<(WindowOutput, Typed, Role)>,
}

pub(super) struct Sets {
    pub number: usize,
    pub keys: Vec<Expression>,
    pub sets: Vec<(i64, BTreeSet<usize>)>,
}

impl Groups {
    /// The result's columns that are counts: 0 for no rows, where others are NULL.
    pub(in crate::query) fn counts(&self) -> BTreeSet<usize> {
        let counts = self.calls.iter().filter(|(call, _)| call.counts());
        let place = |value: &Typed| match value.expression {
            Expression::Column(place) => Some(place),
            _ => None,
        };
        counts.filter_map(|(_, value)| place(value)).collect()
    }

    fn function(&self, expression: &Expr, function: &Function) -> Result<Option<(Typed, Role)>> {
        let binder = Binder::over(&self.input);
        if is_aggregate(expression) {
            let bound = bind_call(function.clone(), binder)?;
            let found = self.calls.iter().find(|(call, _)| call.is_same_as(&bound));
            return Ok(found.map(|(_, typed)| (typed.clone(), Role::Plain)));
        }
        if let Some((window, output)) = GroupWindow::of_call(function, binder)? {
            return self.of_window(function, &window, output).map(Some);
        }
        match function.name.to_string().to_ascii_lowercase().as_str() {
            "grouping" | "grouping_id" => self.left_out(function, binder).map(|typed| Some((typed, Role::Plain))),
            _ => Ok(None),
        }
    }

    /// Whether all of an expression is for the rows that are aggregated: it has no aggregate in it, and nothing that the
    /// aggregation gives.
    fn is_of_rows(&self, expression: &Expr) -> bool {
        let mut all = true;
        visit_outside_subqueries(expression, &mut |part| {
            all &= match part {
                Expr::Function(function) => {
                    function.over.is_none() && matches!(self.function(part, function), Ok(None))
                }
                Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => false,
                _ => true,
            };
        });
        all
    }

    fn of_window(&self, function: &Function, window: &GroupWindow, output: WindowOutput) -> Result<(Typed, Role)> {
        let written = self.window.as_ref().filter(|written| written.window == *window);
        let found = written.into_iter().flat_map(|written| &written.columns).find(|(column, _, _)| *column == output);
        found.map(|(_, typed, role)| (typed.clone(), *role)).ok_or_else(|| {
            let message = format!("{} speaks of a window that GROUP BY does not have", function.name);
            SqlError::new(function.name.span(), message, "give it the same arguments as the window in GROUP BY")
        })
    }

    /// `GROUPING(a, b)`: a bit for each argument, set where rows are not grouped by it.
    fn left_out(&self, function: &Function, binder: Binder<'_>) -> Result<Typed> {
        let zero = Literal::Int64(0);
        let mut places = Vec::new();
        for argument in positional(function)? {
            let value = binder.bind(argument)?;
            if !self.keys.iter().any(|(key, _, _)| *key == value.expression) {
                let message = format!("`{argument}` is no key of GROUP BY");
                return Err(SqlError::new(argument.span(), message, "give a key"));
            }
            // A key of the window's is in every set.
            let place = self.sets.as_ref().and_then(|sets| sets.keys.iter().position(|key| *key == value.expression));
            places.push(place);
        }
        let Some(sets) = self.sets.as_ref().filter(|_| !places.is_empty()) else {
            return Ok(Typed::literal(zero, DataType::Int64));
        };
        let branch = |(number, set): &(i64, BTreeSet<usize>)| {
            let left_out = |place: &Option<usize>| place.is_some_and(|place| !set.contains(&place));
            let bits = places.iter().fold(0i64, |bits, place| bits << 1 | i64::from(left_out(place)));
            let is_set = Expression::Binary {
                left: Box::new(Expression::Column(sets.number)),
                operator: BinaryOperator::Equal,
                right: Box::new(Expression::Literal(Literal::Int64(*number))),
            };
            (is_set, Expression::Literal(Literal::Int64(bits)))
        };
        let branches = sets.sets.iter().map(branch).collect();
        let otherwise = Some(Box::new(Expression::Literal(zero)));
        Ok(Typed::new(Expression::Case { branches, otherwise }, DataType::Int64, false))
    }
}

impl Grouping for Groups {
    fn resolve(&self, expression: &Expr) -> Result<Option<(Typed, Role)>> {
        if let Expr::Function(function) = expression
            && let Some(found) = self.function(expression, function)?
        {
            return Ok(Some(found));
        }
        let (typed, role) = match Binder::over(&self.input).bind_column(expression) {
            Ok(bound) => bound,
            // What is for the rows below is wrong; of its parts, another may be told of first.
            Err(error) if self.is_of_rows(expression) => return Err(error),
            Err(_) => return Ok(None),
        };
        let found = self.keys.iter().find(|(key, _, _)| *key == typed.expression);
        let constant = matches!(typed.expression, Expression::Literal(_)).then_some((typed.clone(), role));
        Ok(found.map(|(_, output, role)| (output.clone(), *role)).or(constant))
    }
}
