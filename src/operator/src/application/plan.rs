//! What to do next for an Application. Pure: a [`World`] comes in, a [`Plan`] comes out that leaves nothing to choose.
//!
//! Every action is one call that may be repeated, and every plan is made from what is there now: an operator that dies
//! between any two calls finds the same or the next plan when it comes back.

use std::time::Duration;

use tidemill_model::job::JobSpec;
use tidemill_model::status::StopMode;

use super::delete;
use super::run;
use super::stop;
use super::world::{JobObservation, World};
use crate::resources::{ApplicationPhase, DesiredState, Operation, OperationKind, StopPolicy};

/// The finalizer by which the operator learns of a deletion in time.
pub const FINALIZER: &str = "tidemill.dev/application";

/// What to do next, and what to say about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// In this order. If one fails, the rest is left to the next reconcile.
    pub actions: Vec<Action>,
    pub phase: ApplicationPhase,
    /// The change under way; none when all is as asked for.
    pub operation: Option<Operation>,
    /// When to look again although nothing was heard of.
    pub look_again: Duration,
    /// The version that has processed all its input, if it has.
    pub finished: Option<String>,
}

/// One call.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    AddFinalizer,
    ApplyServiceAccount,
    ApplyService,
    ApplyJobSecret(Box<JobSpec>),
    ApplyStatefulSet {
        replicas: u32,
    },
    PutJob(Box<JobSpec>),
    StopJob(StopMode),
    CreateFinalSnapshot,
    /// Removes the application's folder in storage, but for what snapshots keep.
    RemoveState,
    RemoveFinalizer,
}

impl Action {
    /// For logs: a job must not get there, for it may hold secrets.
    pub fn name(&self) -> &'static str {
        match self {
            Self::AddFinalizer => "AddFinalizer",
            Self::ApplyServiceAccount => "ApplyServiceAccount",
            Self::ApplyService => "ApplyService",
            Self::ApplyJobSecret(_) => "ApplyJobSecret",
            Self::ApplyStatefulSet { .. } => "ApplyStatefulSet",
            Self::PutJob(_) => "PutJob",
            Self::StopJob(_) => "StopJob",
            Self::CreateFinalSnapshot => "CreateFinalSnapshot",
            Self::RemoveState => "RemoveState",
            Self::RemoveFinalizer => "RemoveFinalizer",
        }
    }
}

/// What the spec asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Goal<'a> {
    Delete,
    Stop(StopMode),
    /// The version's inputs have ended and are processed.
    StayFinished,
    Run(&'a JobSpec),
    /// The spec was not accepted: what runs goes on as it is.
    Keep,
}

/// A step of a change: what to do now, and what is waited for.
pub(super) struct Step {
    pub actions: Vec<Action>,
    /// None if nothing is left to do.
    pub waiting_for: Option<String>,
    pub kind: OperationKind,
}

/// Looks again soon while something is under way.
const LOOK_SOON: Duration = Duration::from_secs(3);
/// Looks again even if all is well, for what passes by time alone.
const LOOK_LATER: Duration = Duration::from_secs(60);

pub fn goal(world: &World) -> Goal<'_> {
    let app = &world.app;
    let mode = match app.spec.stop_policy {
        StopPolicy::Snapshot => StopMode::Snapshot,
        StopPolicy::Force => StopMode::Force,
    };
    let finished = app.status.as_ref().and_then(|status| status.version.finished.as_deref());
    if app.metadata.deletion_timestamp.is_some() {
        Goal::Delete
    } else if app.spec.state == DesiredState::Stopped || app.spec.scaling.kpus == 0 {
        Goal::Stop(mode)
    } else {
        match &world.accepted {
            Ok(compiled) if finished == Some(&compiled.job.version) => Goal::StayFinished,
            Ok(compiled) => Goal::Run(&compiled.job),
            Err(_) => Goal::Keep,
        }
    }
}

/// The plan for an Application.
pub fn plan(world: &World) -> Plan {
    let goal = goal(world);
    match &goal {
        Goal::Delete => delete::plan_delete(world),
        Goal::Stop(mode) => {
            let plan = settle(world, stop::step(world, *mode, stop_kind(*mode)), ApplicationPhase::Ready);
            Plan { finished: previous_finished(world), ..plan }
        }
        Goal::StayFinished => {
            let plan =
                settle(world, stop::step(world, StopMode::Snapshot, OperationKind::Stop), ApplicationPhase::Ready);
            Plan { finished: previous_finished(world), ..plan }
        }
        Goal::Run(job) => {
            let plan = settle(world, run::step(world, job), ApplicationPhase::Running);
            Plan { finished: run::finished(world, job), ..plan }
        }
        Goal::Keep => keep(world),
    }
}

fn stop_kind(mode: StopMode) -> OperationKind {
    match mode {
        StopMode::Snapshot => OperationKind::Stop,
        StopMode::Force => OperationKind::ForceStop,
    }
}

fn keep(world: &World) -> Plan {
    let runs = world.observed.stateful_set.as_ref().is_some_and(|set| set.replicas > 0);
    let phase = match (runs, &world.observed.job) {
        (false, _) => ApplicationPhase::Ready,
        (true, JobObservation::Reachable(_)) => ApplicationPhase::Running,
        (true, JobObservation::NoCoordinator | JobObservation::Unreachable { .. }) => ApplicationPhase::Starting,
    };
    Plan {
        actions: with_finalizer(world, vec![]),
        phase,
        operation: None,
        look_again: LOOK_LATER,
        finished: previous_finished(world),
    }
}

/// Makes a plan of a step: the operation goes on from the one in status if it is the same.
fn settle(world: &World, step: Step, settled: ApplicationPhase) -> Plan {
    let actions = with_finalizer(world, step.actions);
    let Some(waiting_for) = step.waiting_for else {
        return Plan { actions, phase: settled, operation: None, look_again: LOOK_LATER, finished: None };
    };
    let operation = operation(world, step.kind, waiting_for);
    Plan { actions, phase: phase_of(step.kind), operation: Some(operation), look_again: LOOK_SOON, finished: None }
}

pub(super) fn operation(world: &World, kind: OperationKind, step: String) -> Operation {
    let before = world.app.status.as_ref().and_then(|status| status.operation.as_ref());
    let started_at = match before {
        Some(before) if before.kind == kind => before.started_at,
        Some(_) | None => crate::resources::Moment::new(world.now),
    };
    let deadline = crate::resources::Moment::new(started_at.timestamp() + budget(kind));
    Operation { kind, step, started_at, deadline }
}

/// How long a change may take before it counts as stalled.
fn budget(kind: OperationKind) -> Duration {
    let seconds = match kind {
        OperationKind::Start => 300,
        OperationKind::Update | OperationKind::Scale | OperationKind::Replace | OperationKind::Stop => 600,
        OperationKind::ForceStop => 120,
        OperationKind::Delete => delete::BUDGET_SECONDS,
    };
    Duration::from_secs(seconds)
}

fn phase_of(kind: OperationKind) -> ApplicationPhase {
    match kind {
        OperationKind::Start => ApplicationPhase::Starting,
        OperationKind::Update | OperationKind::Replace => ApplicationPhase::Updating,
        OperationKind::Scale => ApplicationPhase::Autoscaling,
        OperationKind::Stop => ApplicationPhase::Stopping,
        OperationKind::ForceStop => ApplicationPhase::ForceStopping,
        OperationKind::Delete => ApplicationPhase::Deleting,
    }
}

/// The finalizer comes before anything that would have to be cleaned up.
fn with_finalizer(world: &World, mut actions: Vec<Action>) -> Vec<Action> {
    if !has_finalizer(world) {
        actions.insert(0, Action::AddFinalizer);
    }
    actions
}

pub(super) fn has_finalizer(world: &World) -> bool {
    world.app.metadata.finalizers.iter().flatten().any(|name| name == FINALIZER)
}

fn previous_finished(world: &World) -> Option<String> {
    world.app.status.as_ref().and_then(|status| status.version.finished.clone())
}
