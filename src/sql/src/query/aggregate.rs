//! GROUP BY: in the windows that rows are in where it lists their bounds, over the whole stream where it does not.

use sqlparser::ast::{Expr, Select};
use tidemill_plan::{
    AggregateCall, AggregateFunction, Clock, Expression, GroupAggregate, NodeKind, WindowAggregate, WindowOutput,
    Windows,
};

use super::call::{BoundCall, bind_call, calls_in};
use crate::bind::{Binder, Grouping, Scope, Typed, is_aggregate};
use crate::error::{Result, SqlError};
use crate::relation::{Field, Relation, Role};
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
    /// Expressions below, and what stands for them above.
    keys: Vec<(Expression, Typed, Role)>,
    calls: Vec<(BoundCall, Typed)>,
}

/// What GROUP BY lists.
struct Key {
    value: Typed,
    name: String,
    role: Role,
}

pub(super) fn plan(select: &Select, group_by: &[Expr], relation: Relation, scope: &Scope) -> Result<Outcome> {
    let written = calls_in(select);
    if written.is_empty() && group_by.is_empty() {
        return Ok(Outcome::Plain(relation));
    }
    let binder = Binder::over(scope);
    let keys = bind_keys(group_by, binder)?;
    let mut calls: Vec<BoundCall> = Vec::new();
    for call in written {
        let bound = bind_call(call, binder)?;
        if !calls.iter().any(|call| call.is_same_as(&bound)) {
            calls.push(bound);
        }
    }
    Ok(Outcome::Aggregated(Box::new(match window_of(&relation, &keys) {
        Some(window) => in_windows(relation, scope, window, keys, calls),
        None => over_all(relation, scope, keys, calls),
    })))
}

/// Each row once.
pub(super) fn distinct(relation: Relation) -> Relation {
    let keys = (0..relation.fields.len()).collect();
    let fields = relation.fields.iter().map(Field::timeless).collect();
    let aggregate = GroupAggregate { keys, aggregates: Vec::new(), state_ttl_ms: None };
    Relation::operator(NodeKind::GroupAggregate(aggregate), vec![relation], fields)
}

fn bind_keys(group_by: &[Expr], binder: Binder<'_>) -> Result<Vec<Key>> {
    let mut keys: Vec<Key> = Vec::new();
    for expression in group_by {
        if let Expr::Value(value) = expression {
            let remedy = "name the columns: Flink takes a number in GROUP BY for a constant";
            return Err(SqlError::new(value.span, "GROUP BY a constant is not supported", remedy));
        }
        let (value, role) = binder.bind_column(expression)?;
        if !keys.iter().any(|key| key.value == value) {
            keys.push(Key { value, name: name_of(expression), role });
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

/// The windows that the rows are in, if the keys have both their bounds and rows are never taken back.
struct RowWindow {
    start: Typed,
    end: Typed,
    clock: Clock,
}

fn window_of(relation: &Relation, keys: &[Key]) -> Option<RowWindow> {
    let bound = |wanted: fn(Role) -> Option<Clock>| {
        keys.iter().find_map(|key| wanted(key.role).map(|clock| (key.value.clone(), clock)))
    };
    let (start, clock) = bound(|role| if let Role::WindowStart(clock) = role { Some(clock) } else { None })?;
    let (end, _) = bound(|role| if let Role::WindowEnd(clock) = role { Some(clock) } else { None })?;
    relation.only_grows().then_some(RowWindow { start, end, clock })
}

/// A projection in which equal expressions share a column.
#[derive(Default)]
struct Slots {
    expressions: Vec<Expression>,
    fields: Vec<Field>,
}

impl Slots {
    fn place(&mut self, value: &Typed, name: &str) -> usize {
        self.place_as(value, &Field::plain(name, value.data_type.clone(), value.nullable))
    }

    fn place_as(&mut self, value: &Typed, field: &Field) -> usize {
        if let Some(place) = self.expressions.iter().position(|expression| *expression == value.expression) {
            return place;
        }
        self.expressions.push(value.expression.clone());
        self.fields.push(field.clone());
        self.expressions.len() - 1
    }
}

/// What keys and calls read, as columns, and the names of these columns.
struct Laid {
    input: Relation,
    keys: Vec<usize>,
    aggregates: Vec<AggregateCall>,
    /// Where the further columns are.
    others: Vec<usize>,
}

fn laid(relation: Relation, keys: &[&Key], calls: &[BoundCall], others: &[(&Typed, &Field)]) -> Laid {
    let mut slots = Slots::default();
    let key_places = keys.iter().map(|key| slots.place(&key.value, &key.name)).collect();
    let others = others.iter().map(|(value, field)| slots.place_as(value, field)).collect();
    let named = |value: &Typed, what: &str, call: &BoundCall| match column_name(&value.expression, &relation) {
        Some(name) => name.to_string(),
        None => format!("{what} of {}", call.name),
    };
    let aggregates = calls
        .iter()
        .map(|call| AggregateCall {
            function: call.function.clone(),
            argument: call.argument.as_ref().map(|argument| slots.place(argument, &named(argument, "argument", call))),
            distinct: call.distinct,
            filter: call.filter.as_ref().map(|filter| slots.place(filter, &named(filter, "filter", call))),
        })
        .collect();
    let input = relation.calc(None, slots.expressions, slots.fields);
    Laid { input, keys: key_places, aggregates, others }
}

/// The columns of keys and calls in the result, as they stand at its beginning.
fn results(keys: &[&Key], calls: Vec<BoundCall>, fields: &mut Vec<Field>) -> Vec<(BoundCall, Typed)> {
    fields.extend(keys.iter().map(|key| Field::plain(&key.name, key.value.data_type.clone(), key.value.nullable)));
    calls
        .into_iter()
        .map(|call| {
            let nullable = call.function != AggregateFunction::Count;
            let column = Typed::new(Expression::Column(fields.len()), call.computed.clone(), nullable);
            fields.push(Field::plain(&call.name, call.computed.clone(), nullable));
            let result = column.widened(&call.returns);
            (call, result)
        })
        .collect()
}

fn over_all(relation: Relation, scope: &Scope, keys: Vec<Key>, calls: Vec<BoundCall>) -> Aggregated {
    let all: Vec<&Key> = keys.iter().collect();
    let laid = laid(relation, &all, &calls, &[]);
    let mut fields = Vec::new();
    let calls = results(&all, calls, &mut fields);
    let standing = keys.iter().enumerate().map(|(place, key)| {
        let output = Typed::new(Expression::Column(place), key.value.data_type.clone(), key.value.nullable);
        (key.value.expression.clone(), output, Role::Plain)
    });
    let groups = Groups { input: scope.clone(), keys: standing.collect(), calls };
    let aggregate = GroupAggregate { keys: laid.keys, aggregates: laid.aggregates, state_ttl_ms: None };
    let relation = Relation::operator(NodeKind::GroupAggregate(aggregate), vec![laid.input], fields);
    Aggregated { relation, groups }
}

fn in_windows(
    relation: Relation,
    scope: &Scope,
    window: RowWindow,
    keys: Vec<Key>,
    calls: Vec<BoundCall>,
) -> Aggregated {
    // The window's time follows the watermark in the result; it is one of the window's columns, not a key.
    let is_window = |key: &Key| match key.role {
        Role::WindowStart(_) | Role::WindowEnd(_) => true,
        Role::Rowtime | Role::Proctime => is_window_time(&key.value, &relation),
        Role::Plain => false,
    };
    let (of_window, plain): (Vec<&Key>, Vec<&Key>) = keys.iter().partition(|key| is_window(key));
    let bound = |name: &str, role| Field { role, ..Field::plain(name, TIMESTAMP, false) };
    let start = bound("window_start", Role::WindowStart(window.clock));
    let end = bound("window_end", Role::WindowEnd(window.clock));
    let laid = laid(relation, &plain, &calls, &[(&window.start, &start), (&window.end, &end)]);
    let mut fields = Vec::new();
    let calls = results(&plain, calls, &mut fields);
    let mut standing: Vec<(Expression, Typed, Role)> = plain
        .iter()
        .enumerate()
        .map(|(place, key)| {
            let output = Typed::new(Expression::Column(place), key.value.data_type.clone(), key.value.nullable);
            (key.value.expression.clone(), output, Role::Plain)
        })
        .collect();
    let mut output = Vec::new();
    for key in of_window {
        let (what, field) = match key.role {
            Role::WindowStart(_) => (WindowOutput::Start, start.clone()),
            Role::WindowEnd(_) => (WindowOutput::End, end.clone()),
            role => {
                let time = Field::plain("window_time", key.value.data_type.clone(), false);
                (WindowOutput::Time, Field { role, ..time })
            }
        };
        let column = Typed::new(Expression::Column(fields.len()), field.data_type.clone(), false);
        standing.push((key.value.expression.clone(), column, field.role));
        fields.push(field);
        output.push(what);
    }
    let groups = Groups { input: scope.clone(), keys: standing, calls };
    let windows = Windows::Attached { start: laid.others[0], end: laid.others[1], clock: window.clock };
    let aggregate = WindowAggregate { windows, keys: laid.keys, aggregates: laid.aggregates, output };
    let relation = Relation::operator(NodeKind::WindowAggregate(aggregate), vec![laid.input], fields);
    Aggregated { relation, groups }
}

/// Whether a key is the time of the rows' windows: the column behind their bounds.
fn is_window_time(value: &Typed, relation: &Relation) -> bool {
    let Expression::Column(place) = value.expression else { return false };
    place.checked_sub(1).is_some_and(|before| matches!(relation.fields[before].role, Role::WindowEnd(_)))
}

/// The name of the column that an expression is, be it cast.
fn column_name<'a>(expression: &Expression, relation: &'a Relation) -> Option<&'a str> {
    match expression {
        Expression::Column(place) => relation.fields.get(*place).map(|field| field.name.as_str()),
        Expression::Cast { expression, .. } => column_name(expression, relation),
        _ => None,
    }
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
        let found = self.keys.iter().find(|(key, _, _)| *key == typed.expression);
        let constant = matches!(typed.expression, Expression::Literal(_)).then_some((typed.clone(), role));
        Ok(found.map(|(_, output, role)| (output.clone(), *role)).or(constant))
    }
}
