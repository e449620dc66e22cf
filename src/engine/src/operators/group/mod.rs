//! Aggregation of whole groups: every change of a group's result is told, at most once in an epoch.
//!
//! [`GroupAggregateOperator`] owns the groups' state. Where rows only come, [`LocalGroupAggregate`] aggregates each
//! epoch's rows before they change threads.

mod aggregate;
mod local;
mod state;
mod table;

pub use aggregate::GroupAggregateOperator;
pub use local::LocalGroupAggregate;

use tidemill_plan::{AggregateCall, AggregateFunction, Changelog, GroupAggregate};

use super::{Built, Spec, reason};
use crate::accumulator::{Input, KeyedSpec};
use crate::stages::Part;

/// Whether rows of such an input can be aggregated before they change threads.
pub fn has_local_part(aggregate: &GroupAggregate, input: &Changelog) -> bool {
    let loses_order =
        |call: &AggregateCall| call.distinct && matches!(call.function, AggregateFunction::ListAgg { .. });
    input.is_append() && !aggregate.aggregates.iter().any(loses_order)
}

/// The operator of an aggregation of groups, or of a part of it.
pub fn build(aggregate: &GroupAggregate, spec: &Spec<'_>) -> Built {
    let input = spec.inputs.first().ok_or("it has no input")?;
    let changes = match input.changelog {
        Changelog::Append => Input::Append,
        Changelog::Retract => Input::Updating,
        Changelog::Upsert { .. } => return Err("its input does not tell what updates replace".to_string()),
    };
    let keyed = KeyedSpec::new(&aggregate.keys, &aggregate.aggregates, &input.schema, &spec.node.schema, changes)
        .map_err(|error| reason(&error))?;
    if spec.part == Part::Local {
        return Ok(Box::new(LocalGroupAggregate::new(keyed).map_err(|error| reason(&error))?));
    }
    if spec.node.changelog.is_append() && (changes == Input::Updating || !keyed.calls.is_empty()) {
        return Err("its results change, which its output does not tell".to_string());
    }
    let operator = GroupAggregateOperator::new(spec, keyed, aggregate.state_ttl_ms).map_err(|error| reason(&error))?;
    Ok(Box::new(operator))
}
