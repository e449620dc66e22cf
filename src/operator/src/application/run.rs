//! The way to a running job: of this version, on this many pods, with this pod template.

use tidemill_model::Incarnation;
use tidemill_model::job::JobSpec;
use tidemill_model::status::{JobPhase, JobStatus, StopMode};

use super::plan::{Action, Step};
use super::stop;
use super::world::{JobObservation, ObservedSet, World};
use crate::resources::OperationKind;

/// The next step towards running `job`.
pub(super) fn step(world: &World, job: &JobSpec) -> Step {
    let set = match &world.observed.stateful_set {
        Some(set) if set.replicas > 0 => set,
        Some(_) | None => return start(world, job),
    };
    if set.template != world.desired.template {
        return stop::step(world, StopMode::Snapshot, OperationKind::Replace);
    }
    match &world.observed.job {
        JobObservation::NoCoordinator => wait_for_pods(world, job, set, "worker 0 to run"),
        JobObservation::Unreachable { .. } => wait_for_pods(world, job, set, "worker 0 to answer"),
        JobObservation::Reachable(status) => with_coordinator(world, job, set, status),
    }
}

/// The version that has processed all its input: told when its job says so, kept as long as it is wanted.
pub(super) fn finished(world: &World, job: &JobSpec) -> Option<String> {
    let status = world.observed.job.status()?;
    (status.phase == JobPhase::Finished && status.version == job.version).then(|| job.version.clone())
}

fn start(world: &World, job: &JobSpec) -> Step {
    if !world.observed.pods.is_empty() {
        return waiting(OperationKind::Start, vec![], "the former pods to end");
    }
    let mut actions = ensure(world, job);
    actions.push(Action::ApplyStatefulSet { replicas: job.workers });
    waiting(kind_of_start(world), actions, "pods to be created")
}

/// A replacement and a start look alike once the old pods are gone; what was begun goes on under its name.
fn kind_of_start(world: &World) -> OperationKind {
    match world.app.status.as_ref().and_then(|status| status.operation.as_ref()).map(|operation| operation.kind) {
        Some(OperationKind::Replace) => OperationKind::Replace,
        _ => OperationKind::Start,
    }
}

fn wait_for_pods(world: &World, job: &JobSpec, set: &ObservedSet, what: &str) -> Step {
    let mut actions = ensure(world, job);
    // Never fewer: worker pods that a running job still uses are taken away only once it has let go of them.
    if set.replicas < job.workers {
        actions.push(Action::ApplyStatefulSet { replicas: job.workers });
    }
    let kind = current_kind(world).unwrap_or(OperationKind::Start);
    match trouble(world) {
        Some(trouble) => waiting(kind, actions, &format!("{what}: {trouble}")),
        None => waiting(kind, actions, what),
    }
}

fn with_coordinator(world: &World, job: &JobSpec, set: &ObservedSet, status: &JobStatus) -> Step {
    match status.phase {
        JobPhase::Stopped { .. } | JobPhase::Fenced => {
            let kind = current_kind(world).unwrap_or(OperationKind::Start);
            waiting(kind, vec![Action::ApplyStatefulSet { replicas: 0 }], "the former pods to end")
        }
        JobPhase::Finished => waiting(
            OperationKind::Stop,
            vec![Action::ApplyStatefulSet { replicas: 0 }],
            "pods to end: all input is processed",
        ),
        JobPhase::Stopping => waiting(OperationKind::Start, ensure(world, job), "a stop that was begun to end"),
        JobPhase::Starting | JobPhase::Running | JobPhase::Rescaling | JobPhase::Restarting => {
            if runs(job, status) {
                as_asked_for(world, job, set, status)
            } else {
                change(world, job, set, status)
            }
        }
    }
}

/// Whether the coordinator has taken over this spec.
pub(super) fn runs(job: &JobSpec, status: &JobStatus) -> bool {
    status.version == job.version
        && status.workers == job.workers
        && status.threads_per_worker == job.threads_per_worker
}

fn change(world: &World, job: &JobSpec, set: &ObservedSet, status: &JobStatus) -> Step {
    let kind = kind_of_change(world, job, status);
    let mut actions = ensure(world, job);
    if set.replicas < job.workers {
        actions.push(Action::ApplyStatefulSet { replicas: job.workers });
        return waiting(kind, actions, "new workers to connect");
    }
    if status.workers_connected < job.workers {
        let what = match trouble(world) {
            Some(trouble) => format!("workers to connect ({} of {}): {trouble}", status.workers_connected, job.workers),
            None => format!("workers to connect ({} of {})", status.workers_connected, job.workers),
        };
        return waiting(kind, actions, &what);
    }
    actions.push(Action::PutJob(Box::new(with_stored_plan(world, job))));
    waiting(kind, actions, "the job to take a snapshot and go on from it")
}

fn kind_of_change(world: &World, job: &JobSpec, status: &JobStatus) -> OperationKind {
    if status.incarnation == Incarnation(0) {
        current_kind(world).unwrap_or(OperationKind::Start)
    } else if status.version == job.version {
        OperationKind::Scale
    } else {
        OperationKind::Update
    }
}

fn as_asked_for(world: &World, job: &JobSpec, set: &ObservedSet, status: &JobStatus) -> Step {
    let mut actions = ensure(world, job);
    let running = status.phase == JobPhase::Running;
    if set.replicas < job.workers || (running && set.replicas > job.workers) {
        actions.push(Action::ApplyStatefulSet { replicas: job.workers });
        return waiting(current_kind(world).unwrap_or(OperationKind::Scale), actions, "the number of pods to change");
    }
    if running && world.observed.pods.len() > job.workers as usize {
        return waiting(
            current_kind(world).unwrap_or(OperationKind::Scale),
            actions,
            "pods that are no longer needed to end",
        );
    }
    match (running, current_kind(world)) {
        (true, _) => Step { actions, waiting_for: None, kind: OperationKind::Start },
        // A job that has run and restarts by itself is no operation: it says `Degraded`.
        (false, None) if had_run(world) => Step { actions, waiting_for: None, kind: OperationKind::Start },
        (false, kind) => {
            let what = match status.problems.first() {
                Some(problem) => format!("the job to run: {problem}"),
                None => "the job to run".into(),
            };
            waiting(kind.unwrap_or(OperationKind::Start), actions, &what)
        }
    }
}

fn had_run(world: &World) -> bool {
    let status = world.app.status.as_ref();
    status.is_some_and(|status| status.status == crate::resources::ApplicationPhase::Running)
}

fn current_kind(world: &World) -> Option<OperationKind> {
    let kind = world.app.status.as_ref()?.operation.as_ref()?.kind;
    match kind {
        OperationKind::Start | OperationKind::Update | OperationKind::Scale | OperationKind::Replace => Some(kind),
        OperationKind::Stop | OperationKind::ForceStop | OperationKind::Delete => None,
    }
}

/// Brings all children up to date but the StatefulSet, which comes last: its pods need the others.
fn ensure(world: &World, job: &JobSpec) -> Vec<Action> {
    let (desired, observed) = (&world.desired, &world.observed);
    let mut actions = Vec::new();
    if desired.service_account.is_some() && observed.service_account != desired.service_account {
        actions.push(Action::ApplyServiceAccount);
    }
    if observed.service.as_ref() != Some(&desired.service) {
        actions.push(Action::ApplyService);
    }
    let job = with_stored_plan(world, job);
    if !observed.stored_job.as_ref().is_some_and(|stored| is_current(stored, &job)) {
        actions.push(Action::ApplyJobSecret(Box::new(job)));
    }
    actions
}

/// Whether a stored job need not be written anew. The incarnation in it guards against lost storage, for which any but
/// 0 will do: writing each one would cost a write per restart.
fn is_current(stored: &JobSpec, job: &JobSpec) -> bool {
    let known = |job: &JobSpec| job.restore.known_incarnation != Incarnation(0);
    let mut stored_with_known = stored.clone();
    stored_with_known.restore.known_incarnation = job.restore.known_incarnation;
    stored_with_known == *job && (known(stored) || !known(job))
}

/// The same version goes on with the plan and modules that it was started with, whatever this operator's planner makes of the text.
fn with_stored_plan(world: &World, job: &JobSpec) -> JobSpec {
    let mut job = job.clone();
    if let Some(stored) = world.observed.stored_job.as_ref().filter(|stored| stored.version == job.version) {
        job.plan = stored.plan.clone();
        job.modules = stored.modules.clone();
    }
    job
}

/// Why pods do not run, if Kubernetes says so.
pub(super) fn trouble(world: &World) -> Option<String> {
    let pod = world.observed.pods.iter().find(|pod| pod.trouble.is_some())?;
    let (reason, message) = pod.trouble.as_ref()?;
    Some(format!("pod {} is {reason}: {message}", pod.number))
}

fn waiting(kind: OperationKind, actions: Vec<Action>, what: &str) -> Step {
    Step { actions, waiting_for: Some(what.to_string()), kind }
}
