//! GROUP BY: in the windows that rows are in where it lists their bounds, over the whole stream where it does not.

mod groups;
mod keys;
mod laid;
mod windows;

pub(super) use groups::Groups;

use sqlparser::ast::{Function, GroupByExpr, Select, Spanned};
use tidemill_plan::{Expression, GroupAggregate, NodeKind};

use super::call::{BoundCall, bind_call, calls_in};
use crate::bind::{Binder, Scope, Typed};
use crate::error::Result;
use crate::relation::{Field, Relation, Role};
use crate::settings::Settings;
use groups::Sets;
use keys::Grouping;
use laid::{Laid, key_field, number_field, numbers};
use windows::RowWindow;

pub(super) enum Outcome {
    /// The query does not aggregate.
    Plain(Relation),
    Aggregated(Box<Aggregated>),
}

pub(super) struct Aggregated {
    pub relation: Relation,
    pub groups: Groups,
}

pub(super) fn plan(select: &Select, relation: Relation, scope: &Scope, settings: &Settings) -> Result<Outcome> {
    let written = calls_in(select);
    let no_keys = match &select.group_by {
        GroupByExpr::Expressions(keys, modifiers) => keys.is_empty() && modifiers.is_empty(),
        GroupByExpr::All(_) => false,
    };
    if written.is_empty() && no_keys {
        return Ok(Outcome::Plain(relation));
    }
    let binder = Binder::over(scope);
    let grouping = Grouping::of(select, binder)?;
    let calls = bound_calls(written, &relation, binder)?;
    let (window, relation) = RowWindow::of(relation, &grouping, &calls)?;
    let firing = match &window {
        Some(window) => window.firing(&grouping, settings, select.select_token.0.span)?,
        None => None,
    };
    Ok(Outcome::Aggregated(Box::new(match window {
        Some(window) => window.aggregated(relation, scope, &grouping, calls, firing),
        None => over_all(relation, scope, &grouping, calls),
    })))
}

/// Aggregates by keys that are not written: those that tie a subquery to the row outside.
pub(super) fn by_keys(select: &Select, relation: Relation, scope: &Scope, keys: Vec<Typed>) -> Result<Aggregated> {
    let calls = bound_calls(calls_in(select), &relation, Binder::over(scope))?;
    Ok(over_all(relation, scope, &Grouping::by(keys), calls))
}

/// The calls over a relation's rows, each once.
fn bound_calls(written: Vec<Function>, relation: &Relation, binder: Binder<'_>) -> Result<Vec<BoundCall>> {
    let mut calls: Vec<BoundCall> = Vec::new();
    for call in written {
        let span = call.name.span();
        let bound = bind_call(call, binder)?;
        bound.check_input(relation.only_grows(), span)?;
        if !calls.iter().any(|call| call.is_same_as(&bound)) {
            calls.push(bound);
        }
    }
    Ok(calls)
}

/// Each row once.
pub(super) fn distinct(relation: Relation) -> Relation {
    let keys = (0..relation.fields.len()).collect();
    let fields = relation.fields.iter().map(Field::timeless).collect();
    let aggregate = GroupAggregate { keys, aggregates: Vec::new(), state_ttl_ms: None };
    Relation::operator(NodeKind::GroupAggregate(aggregate), vec![relation], fields)
}

fn over_all(relation: Relation, scope: &Scope, grouping: &Grouping, calls: Vec<BoundCall>) -> Aggregated {
    let keys: Vec<usize> = (0..grouping.keys.len()).collect();
    let laid = Laid::of(relation, grouping, &keys, &calls, &[]);
    let Results { fields, keys, calls, sets } = results(grouping, &keys, calls);
    let groups = Groups { input: scope.clone(), keys, calls, window: None, sets };
    let aggregate = GroupAggregate { keys: laid.keys, aggregates: laid.aggregates, state_ttl_ms: None };
    Aggregated { relation: Relation::operator(NodeKind::GroupAggregate(aggregate), vec![laid.input], fields), groups }
}

/// The columns of keys and calls as they stand at the beginning of the result.
struct Results {
    fields: Vec<Field>,
    keys: Vec<(Expression, Typed, Role)>,
    calls: Vec<(BoundCall, Typed)>,
    sets: Option<Sets>,
}

fn results(grouping: &Grouping, keys: &[usize], calls: Vec<BoundCall>) -> Results {
    let mut fields: Vec<Field> = keys.iter().map(|key| key_field(grouping, *key)).collect();
    let written = |key: &usize| grouping.keys[*key].value.expression.clone();
    let standing = keys.iter().zip(&fields).enumerate().map(|(place, (key, field))| {
        let output = Typed::new(Expression::Column(place), field.data_type.clone(), field.nullable);
        (written(key), output, Role::Plain)
    });
    let standing = standing.collect();
    let sets = grouping.has_sets().then(|| {
        fields.push(number_field());
        Sets {
            number: fields.len() - 1,
            keys: (0..grouping.keys.len()).map(|key| written(&key)).collect(),
            sets: numbers(grouping).into_iter().zip(grouping.sets.iter().cloned()).collect(),
        }
    });
    let calls = calls.into_iter().map(|call| {
        let nullable = !call.counts();
        let column = Typed::new(Expression::Column(fields.len()), call.computed.clone(), nullable);
        fields.push(Field::plain(&call.name, call.computed.clone(), nullable));
        let result = call.finished(column);
        (call, result)
    });
    let calls = calls.collect();
    Results { fields, keys: standing, calls, sets }
}
