//! The way to no pods, with or without a last snapshot. It needs no accepted spec.

use tidemill_model::status::{JobPhase, StopMode};

use super::plan::{Action, Step};
use super::run::trouble;
use super::world::{JobObservation, World};
use crate::resources::OperationKind;

/// How long a stop with a snapshot waits for a coordinator that cannot be reached. Going on without it loses nothing:
/// a resume starts from the last checkpoint.
const UNREACHABLE_SECONDS: i64 = 60;
/// The same while worker 0 has no running container: nobody can take a snapshot then.
const NO_COORDINATOR_SECONDS: i64 = 15;

/// The next step towards no pods.
pub(super) fn step(world: &World, mode: StopMode, kind: OperationKind) -> Step {
    let replicas = world.observed.stateful_set.as_ref().map_or(0, |set| set.replicas);
    let waiting = |actions: Vec<Action>, what: String| Step { actions, waiting_for: Some(what), kind };
    if replicas == 0 {
        return match world.observed.pods.len() {
            0 => Step { actions: vec![], waiting_for: None, kind },
            pods => waiting(vec![], format!("{pods} pods to end")),
        };
    }
    match ask(world, mode, kind) {
        Ask::RemovePods => waiting(vec![Action::ApplyStatefulSet { replicas: 0 }], "pods to end".into()),
        Ask::Stop => waiting(vec![Action::StopJob(mode)], "the job to stop".into()),
        Ask::Wait(what) => waiting(vec![], what),
    }
}

enum Ask {
    RemovePods,
    Stop,
    Wait(String),
}

fn ask(world: &World, mode: StopMode, kind: OperationKind) -> Ask {
    match (&world.observed.job, mode) {
        (JobObservation::Reachable(status), mode) => match (&status.phase, mode) {
            (JobPhase::Stopped { .. } | JobPhase::Finished | JobPhase::Fenced, _) => Ask::RemovePods,
            (JobPhase::Stopping, StopMode::Snapshot) => Ask::Wait(match status.problems.first() {
                Some(problem) => format!("the last snapshot: {problem}; or set stopPolicy: Force"),
                None => "the last snapshot".into(),
            }),
            (JobPhase::Stopping, StopMode::Force)
            | (JobPhase::Starting | JobPhase::Running | JobPhase::Rescaling | JobPhase::Restarting, _) => Ask::Stop,
        },
        (JobObservation::NoCoordinator | JobObservation::Unreachable { .. }, StopMode::Force) => Ask::RemovePods,
        (JobObservation::NoCoordinator, StopMode::Snapshot) => {
            patience(world, kind, NO_COORDINATOR_SECONDS, "worker 0 to run")
        }
        (JobObservation::Unreachable { error }, StopMode::Snapshot) => {
            patience(world, kind, UNREACHABLE_SECONDS, &format!("worker 0 to answer ({error})"))
        }
    }
}

fn patience(world: &World, kind: OperationKind, seconds: i64, what: &str) -> Ask {
    let before = world.app.status.as_ref().and_then(|status| status.operation.as_ref());
    let begun = before.filter(|operation| operation.kind == kind).map(|operation| operation.started_at);
    if begun.is_some_and(|begun| begun.seconds_until(world.now) >= seconds) {
        return Ask::RemovePods;
    }
    let trouble = trouble(world).map(|trouble| format!(": {trouble}")).unwrap_or_default();
    Ask::Wait(format!("{what}, for a last snapshot{trouble}; after {seconds} s it stops at the last checkpoint"))
}
