//! Aggregation in windows: GROUP BY window_start, window_end over rows that a window function has marked.

use sqlparser::ast::{Expr, Select, Spanned};
use sqlparser::tokenizer::Span;
use tidemill_plan::{AggregateFunction, Expression, Window, WindowOutput};

use super::call::{BoundCall, bind_call, calls_in};
use crate::bind::{Binder, Grouping, Scope, Typed, is_aggregate};
use crate::error::{Result, SqlError};
use crate::relation::{Aggregate, Call, Field, Node, Relation, Role};
use crate::types::TIMESTAMP;

pub(super) enum Outcome {
    /// The query does not aggregate.
    Plain(Relation),
    Aggregated(Box<Aggregated>),
}

pub(super) struct Aggregated {
    pub relation: Relation,
    pub groups: Groups,
}

/// The result's columns, by what they were written as.
pub(super) struct Groups {
    /// The scope below the aggregation.
    input: Scope,
    keys: Vec<(Expression, Role, Typed, Role)>,
    calls: Vec<(BoundCall, Typed)>,
}

/// What GROUP BY lists.
#[derive(Default)]
struct Keys {
    plain: Vec<(Typed, String)>,
    window: Vec<WindowOutput>,
}

pub(super) fn plan(select: &Select, group_by: &[Expr], relation: Relation, scope: &Scope) -> Result<Outcome> {
    let written = calls_in(select);
    if written.is_empty() && group_by.is_empty() {
        return Ok(Outcome::Plain(relation));
    }
    let span =
        group_by.first().map(Spanned::span).or(written.first().map(|call| call.name.span())).unwrap_or(Span::empty());
    let binder = Binder::over(scope);
    let keys = bind_keys(group_by, binder)?;
    let window = checked_window(&relation, &keys, group_by.is_empty(), span)?;
    let mut calls: Vec<BoundCall> = Vec::new();
    for call in written {
        let bound = bind_call(call, binder)?;
        if !calls.iter().any(|call| call.is_same_as(&bound)) {
            calls.push(bound);
        }
    }
    Ok(Outcome::Aggregated(Box::new(build(relation, scope, window, keys, calls))))
}

fn bind_keys(group_by: &[Expr], binder: Binder<'_>) -> Result<Keys> {
    let mut keys = Keys::default();
    for expression in group_by {
        if let Expr::Value(value) = expression {
            let remedy = "name the columns: Flink takes a number in GROUP BY for a constant";
            return Err(SqlError::new(value.span, "GROUP BY a constant is not supported", remedy));
        }
        let (typed, role) = binder.bind_column(expression)?;
        let is_new = !keys.plain.iter().any(|(key, _)| *key == typed);
        match role {
            Role::Window(output) if !keys.window.contains(&output) => keys.window.push(output),
            Role::Plain | Role::Rowtime if is_new => keys.plain.push((typed, name_of(expression))),
            Role::Window(_) | Role::Plain | Role::Rowtime => {}
        }
    }
    Ok(keys)
}

fn name_of(expression: &Expr) -> String {
    match expression {
        Expr::CompoundIdentifier(path) => path.last().map(|name| name.value.clone()).unwrap_or_default(),
        Expr::Identifier(name) => name.value.clone(),
        other => other.to_string(),
    }
}

fn checked_window(relation: &Relation, keys: &Keys, global: bool, span: Span) -> Result<Window> {
    let Some(window) = relation.window else {
        let message = match global {
            true => "an aggregate over the whole stream is not supported: it would never be final",
            false => "GROUP BY without windows is not supported: its results would never be final",
        };
        let remedy = "read FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(time), INTERVAL '1' MINUTE)) and GROUP BY window_start, window_end";
        return Err(SqlError::new(span, message, remedy));
    };
    for (output, name) in [(WindowOutput::Start, "window_start"), (WindowOutput::End, "window_end")] {
        if !keys.window.contains(&output) {
            let message = format!("GROUP BY does not have {name}, so it is no aggregation in windows");
            return Err(SqlError::new(span, message, "GROUP BY window_start, window_end and your keys"));
        }
    }
    Ok(window)
}

/// A projection in which equal expressions share a column.
#[derive(Default)]
struct Slots {
    expressions: Vec<Expression>,
    fields: Vec<Field>,
}

impl Slots {
    fn place(&mut self, value: &Typed, name: &str) -> usize {
        if let Some(place) = self.expressions.iter().position(|expression| *expression == value.expression) {
            return place;
        }
        self.expressions.push(value.expression.clone());
        self.fields.push(Field::plain(name, value.data_type.clone(), value.nullable));
        self.expressions.len() - 1
    }
}

fn build(relation: Relation, scope: &Scope, window: Window, keys: Keys, calls: Vec<BoundCall>) -> Aggregated {
    let mut slots = Slots::default();
    let key_places: Vec<usize> = keys.plain.iter().map(|(key, name)| slots.place(key, name)).collect();
    let time = time_of(&relation);
    let time_column = slots.place(&time, "rowtime");
    let named = |value: &Typed, what: &str, call: &BoundCall| match column_name(&value.expression, &relation) {
        Some(name) => name.to_string(),
        None => format!("{what} of {}", call.name),
    };
    let placed: Vec<Call> = calls
        .iter()
        .map(|call| Call {
            function: call.function.clone(),
            argument: call.argument.as_ref().map(|argument| slots.place(argument, &named(argument, "argument", call))),
            filter: call.filter.as_ref().map(|filter| slots.place(filter, &named(filter, "filter", call))),
        })
        .collect();

    let mut fields: Vec<Field> =
        keys.plain.iter().map(|(key, name)| Field::plain(name, key.data_type.clone(), key.nullable)).collect();
    let mut group_keys = Vec::new();
    for (place, (key, _)) in keys.plain.iter().enumerate() {
        let output = Typed::new(Expression::Column(place), key.data_type.clone(), key.nullable);
        // A key may be the row's time itself; in the result it no longer follows the watermark.
        group_keys.push((key.expression.clone(), Role::Plain, output, Role::Plain));
    }
    let mut group_calls = Vec::new();
    for call in calls {
        let nullable = call.function != AggregateFunction::Count;
        let column = Typed::new(Expression::Column(fields.len()), call.computed.clone(), nullable);
        fields.push(Field::plain(&call.name, call.computed.clone(), nullable));
        let result = column.widened(&call.returns);
        group_calls.push((call, result));
    }
    for output in &keys.window {
        let (name, data_type, role) = match output {
            WindowOutput::Start => ("window_start", TIMESTAMP, Role::Plain),
            WindowOutput::End => ("window_end", TIMESTAMP, Role::Plain),
            WindowOutput::Time => ("window_time", time.data_type.clone(), Role::Rowtime),
        };
        let typed = Typed::new(Expression::Column(fields.len()), data_type.clone(), false);
        fields.push(Field { role, ..Field::plain(name, data_type, false) });
        group_keys.push((Expression::Column(0), Role::Window(*output), typed, role));
    }
    let aggregate = Aggregate { window, time_column, keys: key_places, calls: placed, output: keys.window };
    let input = relation.calc(None, slots.expressions, slots.fields);
    let node = Node::WindowAggregate { input: Box::new(Relation { window: None, ..input }), aggregate };
    let relation = Relation { node, fields, window: None };
    Aggregated { relation, groups: Groups { input: scope.clone(), keys: group_keys, calls: group_calls } }
}

/// The name of the column that an expression is, be it cast.
fn column_name<'a>(expression: &Expression, relation: &'a Relation) -> Option<&'a str> {
    match expression {
        Expression::Column(place) => relation.fields.get(*place).map(|field| field.name.as_str()),
        Expression::Cast { expression, .. } => column_name(expression, relation),
        _ => None,
    }
}

/// The column that holds the rows' time: any of the window's, for GROUP BY names one.
fn time_place(relation: &Relation) -> usize {
    let is_window = |field: &Field| matches!(field.role, Role::Window(_));
    relation.fields.iter().position(is_window).unwrap_or_default()
}

fn time_of(relation: &Relation) -> Typed {
    let place = time_place(relation);
    Typed::new(Expression::Column(place), relation.fields[place].data_type.clone(), false)
}

impl Grouping for Groups {
    fn resolve(&self, expression: &Expr) -> Result<Option<(Typed, Role)>> {
        let binder = Binder::over(&self.input);
        if let Expr::Function(function) = expression
            && is_aggregate(expression)
        {
            let bound = bind_call(function.clone(), binder)?;
            let found = self.calls.iter().find(|(call, _)| call.is_same_as(&bound));
            return Ok(found.map(|(_, typed)| (typed.clone(), Role::Plain)));
        }
        // What cannot be bound below the aggregation has an aggregate in it, or an error that its parts will show.
        let Ok((typed, role)) = binder.bind_column(expression) else {
            return Ok(None);
        };
        let found = self.keys.iter().find(|(key, key_role, _, _)| match (role, key_role) {
            (Role::Window(asked), Role::Window(has)) => asked == *has,
            (Role::Plain | Role::Rowtime, Role::Plain) => *key == typed.expression,
            _ => false,
        });
        let constant = matches!(typed.expression, Expression::Literal(_)).then_some((typed, Role::Plain));
        Ok(found.map(|(_, _, output, role)| (output.clone(), *role)).or(constant))
    }
}
