//! Calls over windows of rows: `SUM(x) OVER (PARTITION BY … ORDER BY … ROWS BETWEEN … PRECEDING AND CURRENT ROW)`.
//!
//! They stand above the aggregation. Calls over the same window share an operator; operators of different windows stand
//! on each other, and each adds its columns behind those that are there. ROW_NUMBER stays pending ([`super::rank`]).

use std::ops::ControlFlow;

use arrow_schema::DataType;
use sqlparser::ast::{Expr, Function, NamedWindowDefinition, Select, visit_expressions};
use sqlparser::tokenizer::Span;
use tidemill_plan::{AggregateFunction, Expression, NodeKind, Over, OverOrder};

use super::call::{BoundCall, bind_call};
use super::frame::BoundWindow;
use super::lag::bind_lag;
use super::slots::Slots;
use crate::bind::{Binder, Grouping, Typed, positional, refuse_clauses};
use crate::error::{Result, SqlError};
use crate::relation::{Field, Node, Pending, Relation, Role};

/// The calls of a SELECT, and what stands for them.
pub(super) struct OverCalls<'a> {
    binder: Binder<'a>,
    named: &'a [NamedWindowDefinition],
    calls: Vec<(BoundOver, Typed)>,
}

struct BoundOver {
    call: BoundCall,
    window: BoundWindow,
    span: Span,
}

impl BoundOver {
    fn is_same_as(&self, other: &Self) -> bool {
        self.call.is_same_as(&other.call) && self.window == other.window
    }
}

/// The relation with the calls' columns behind its own. The binder is that of what the calls stand above.
pub(super) fn plan<'a>(
    select: &'a Select,
    mut relation: Relation,
    binder: Binder<'a>,
) -> Result<(Relation, OverCalls<'a>)> {
    let mut planned = OverCalls { binder, named: &select.named_window, calls: Vec::new() };
    let mut windows: Vec<(BoundWindow, Vec<BoundOver>)> = Vec::new();
    for function in calls_in(select) {
        let bound = planned.bind(&function)?;
        bound.call.check_input(relation.only_grows() && bound.window.time().is_some(), bound.span)?;
        let same = windows.iter_mut().find(|(window, _)| *window == bound.window);
        match same {
            Some((_, calls)) if calls.iter().any(|call| call.is_same_as(&bound)) => {}
            Some((_, calls)) => calls.push(bound),
            None => windows.push((bound.window.clone(), vec![bound])),
        }
    }
    // Rankings come last, so that a condition on them finds them at the top.
    let is_ranking = |call: &BoundOver| call.call.function == AggregateFunction::RowNumber;
    let mut rankings = Vec::new();
    for (window, calls) in windows {
        let (numbers, aggregations): (Vec<_>, Vec<_>) = calls.into_iter().partition(is_ranking);
        if !aggregations.is_empty() {
            relation = planned.aggregated(relation, &window, aggregations);
        }
        rankings.extend(numbers.into_iter().map(|call| (window.clone(), call)));
    }
    for (window, call) in rankings {
        relation = planned.ranking(relation, &window, call);
    }
    Ok((relation, planned))
}

fn calls_in(select: &Select) -> Vec<Function> {
    let mut calls = Vec::new();
    let mut note = |expression: &Expr| {
        if let Expr::Function(function) = expression
            && function.over.is_some()
        {
            calls.push(function.clone());
        }
        ControlFlow::<()>::Continue(())
    };
    let _ = visit_expressions(&select.projection, &mut note);
    let _ = visit_expressions(&select.qualify, &mut note);
    calls
}

impl OverCalls<'_> {
    fn bind(&self, function: &Function) -> Result<BoundOver> {
        let span = function.name.0.first().map_or(Span::empty(), sqlparser::ast::Spanned::span);
        let name = function.name.to_string().to_ascii_lowercase();
        let bare = Function { over: None, ..function.clone() };
        let call = match name.as_str() {
            "row_number" => row_number(&bare, span)?,
            "lag" | "lead" => bind_lag(&bare, name == "lead", self.binder)?,
            "rank" | "dense_rank" | "percent_rank" | "cume_dist" | "ntile" => {
                let message = format!("{} is not supported on a stream", name.to_uppercase());
                return Err(SqlError::new(span, message, "use ROW_NUMBER"));
            }
            _ => bind_call(bare, self.binder)?,
        };
        call.refuse_alone(span)?;
        let window = BoundWindow::of(function, self.named, &call.function, self.binder, span)?;
        Ok(BoundOver { call, window, span })
    }

    /// Adds an operator for the calls over one window.
    fn aggregated(&mut self, relation: Relation, window: &BoundWindow, calls: Vec<BoundOver>) -> Relation {
        let grows = relation.only_grows();
        let mut slots = Slots::behind(&relation);
        let partition = window.partition(&mut slots);
        let keys = window.order(&mut slots);
        let aggregates = calls.iter().map(|call| slots.call(&call.call)).collect();
        // A row that is still to come is known of when it has come: the rows before it change then.
        let looks_ahead = |call: &BoundOver| matches!(call.call.function, AggregateFunction::Lag { offset: ..0, .. });
        let order = match window.time().filter(|_| grows && !calls.iter().any(looks_ahead)) {
            Some(Role::Rowtime) => OverOrder::EventTime(keys[0].column),
            Some(_) => OverOrder::ProcessingTime(keys[0].column),
            None => OverOrder::Columns(keys),
        };
        let input = slots.onto(relation);
        let mut fields = match order {
            OverOrder::EventTime(time) => input.having_waited(time),
            OverOrder::ProcessingTime(_) | OverOrder::Columns(_) => input.fields.clone(),
        };
        for call in calls {
            let nullable = !call.call.counts();
            let column = Typed::new(Expression::Column(fields.len()), call.call.computed.clone(), nullable);
            fields.push(Field::plain(&call.call.name, call.call.computed.clone(), nullable));
            let result = column.widened(&call.call.returns);
            self.calls.push((call, result));
        }
        let over = Over { partition, order, frame: window.frame, aggregates, state_ttl_ms: None };
        Relation::operator(NodeKind::Over(over), vec![input], fields)
    }

    fn ranking(&mut self, relation: Relation, window: &BoundWindow, call: BoundOver) -> Relation {
        let mut slots = Slots::behind(&relation);
        let partition = window.partition(&mut slots);
        let order = window.order(&mut slots);
        let input = slots.onto(relation);
        let mut fields = input.fields.clone();
        let number = Typed::new(Expression::Column(fields.len()), DataType::Int64, false);
        fields.push(Field::plain(&call.call.name, DataType::Int64, false));
        let pending = Pending::Ranking { partition, order };
        let span = call.span;
        self.calls.push((call, number));
        Relation { node: Node::Pending { pending, input: Box::new(input), span }, fields }
    }
}

fn row_number(function: &Function, span: Span) -> Result<BoundCall> {
    refuse_clauses(function, span)?;
    if !positional(function)?.is_empty() {
        return Err(SqlError::new(span, "ROW_NUMBER takes no arguments", "write ROW_NUMBER() OVER (…)"));
    }
    Ok(BoundCall::plain(AggregateFunction::RowNumber, None, DataType::Int64, function))
}

impl Grouping for OverCalls<'_> {
    fn resolve(&self, expression: &Expr) -> Result<Option<(Typed, Role)>> {
        let Expr::Function(function) = expression else { return Ok(None) };
        if function.over.is_none() {
            return Ok(None);
        }
        let bound = self.bind(function)?;
        let found = self.calls.iter().find(|(call, _)| call.is_same_as(&bound));
        Ok(found.map(|(_, typed)| (typed.clone(), Role::Plain)))
    }
}
