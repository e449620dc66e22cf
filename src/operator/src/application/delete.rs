//! The way out: what the deletion policy asks for, within a budget, and then the finalizer goes whatever came of it.

use std::time::Duration;

use tidemill_model::status::StopMode;

use super::plan::{Action, Plan, Step, has_finalizer, operation};
use super::stop;
use super::world::World;
use crate::resources::{ApplicationPhase, DeletionPolicy, Moment, OperationKind, SnapshotPhase};

/// How long a deletion may be held up.
pub(super) const BUDGET_SECONDS: u64 = 60;

pub(super) fn plan_delete(world: &World) -> Plan {
    if !has_finalizer(world) {
        return deleting(world, vec![], "other finalizers to be removed");
    }
    if out_of_time(world) {
        return deleting(world, vec![Action::RemoveFinalizer], "nothing: the time for cleaning up is over");
    }
    let mode = if keeps_last_state(world) { StopMode::Snapshot } else { StopMode::Force };
    let Step { actions, waiting_for, kind: _ } = stop::step(world, mode, OperationKind::Delete);
    match waiting_for {
        Some(what) => deleting(world, actions, &what),
        None => after_stop(world),
    }
}

/// Whether the last state is to be kept under a name of its own, and can be.
fn keeps_last_state(world: &World) -> bool {
    match world.app.spec.deletion_policy {
        DeletionPolicy::SnapshotThenDelete => !world.observed.namespace_deleting,
        DeletionPolicy::RetainState | DeletionPolicy::Delete => false,
    }
}

fn after_stop(world: &World) -> Plan {
    match world.app.spec.deletion_policy {
        DeletionPolicy::RetainState => release(world),
        DeletionPolicy::Delete if world.observed.state_removed => release(world),
        DeletionPolicy::Delete => deleting(world, vec![Action::RemoveState], "the state in storage to be removed"),
        DeletionPolicy::SnapshotThenDelete => {
            match (has_state(world) && keeps_last_state(world), world.observed.final_snapshot) {
                (false, _) | (true, Some(SnapshotPhase::Ready | SnapshotPhase::Failed | SnapshotPhase::Deleting)) => {
                    release(world)
                }
                (true, Some(SnapshotPhase::Creating)) => deleting(world, vec![], "the last snapshot to be kept"),
                (true, None) => deleting(world, vec![Action::CreateFinalSnapshot], "the last snapshot to be kept"),
            }
        }
    }
}

fn release(world: &World) -> Plan {
    deleting(world, vec![Action::RemoveFinalizer], "Kubernetes to remove the rest")
}

fn has_state(world: &World) -> bool {
    world.app.status.as_ref().is_some_and(|status| status.state.last_checkpoint.is_some())
}

/// Whether the deletion's budget is spent.
pub fn out_of_time(world: &World) -> bool {
    let since = world.app.metadata.deletion_timestamp.as_ref().map(|time| Moment::new(time.0));
    since.is_some_and(|since| since.seconds_until(world.now) >= BUDGET_SECONDS as i64)
}

fn deleting(world: &World, actions: Vec<Action>, what: &str) -> Plan {
    Plan {
        actions,
        phase: ApplicationPhase::Deleting,
        operation: Some(operation(world, OperationKind::Delete, what.to_string())),
        look_again: Duration::from_secs(2),
        finished: None,
    }
}
