//! What to do next for an ApplicationSnapshot. Pure.

use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use tidemill_model::CheckpointId;
use tidemill_model::snapshot::Pin;
use tidemill_model::status::{CheckpointSummary, JobPhase, JobStatus, SnapshotOutcome};

use crate::application::JobObservation;
use crate::resources::{
    Application, ApplicationSnapshot, ApplicationSnapshotStatus, Condition, ConditionStatus, Moment,
    SnapshotDeletionPolicy, SnapshotPhase, set_condition,
};

/// The finalizer by which the pin is given up before the object goes.
pub const SNAPSHOT_FINALIZER: &str = "tidemill.dev/snapshot";

/// One moment of a snapshot.
pub struct SnapshotWorld {
    pub snapshot: ApplicationSnapshot,
    pub application: Option<Application>,
    pub application_has_pods: bool,
    pub job: JobObservation,
    /// Applications that restore from this snapshot.
    pub referenced_by: Vec<String>,
    pub now: Timestamp,
}

/// What to do next, and then say.
#[derive(Clone, Debug, PartialEq)]
pub struct SnapshotPlan {
    pub actions: Vec<SnapshotAction>,
    pub status: ApplicationSnapshotStatus,
    pub look_again: Option<Duration>,
}

/// One call.
#[derive(Clone, Debug, PartialEq)]
pub enum SnapshotAction {
    AddFinalizer,
    /// Asks the running job for it.
    Request,
    WritePin(Pin),
    RemovePin,
    RemoveFinalizer,
}

/// A snapshot that is not there by then has failed.
const CREATE_SECONDS: i64 = 30 * 60;
/// How long a deletion may be held up by storage that is away.
const DELETE_SECONDS: i64 = 60;
const SOON: Option<Duration> = Some(Duration::from_secs(1));

/// The pin's name: unlike the object's, it never comes back for another snapshot.
pub fn pin_name(snapshot: &ApplicationSnapshot) -> String {
    let uid: String = snapshot.uid().unwrap_or_default().chars().take(8).collect();
    format!("{}-{uid}", snapshot.name_any())
}

pub fn plan(world: &SnapshotWorld) -> SnapshotPlan {
    let before = world.snapshot.status.clone().unwrap_or_default();
    if world.snapshot.metadata.deletion_timestamp.is_some() {
        return plan_delete(world, before);
    }
    match before.phase {
        SnapshotPhase::Ready | SnapshotPhase::Failed | SnapshotPhase::Deleting => {
            SnapshotPlan { actions: finalizer(world), status: before, look_again: None }
        }
        SnapshotPhase::Creating => plan_create(world),
    }
}

fn finalizer(world: &SnapshotWorld) -> Vec<SnapshotAction> {
    if has_finalizer(world) { vec![] } else { vec![SnapshotAction::AddFinalizer] }
}

fn has_finalizer(world: &SnapshotWorld) -> bool {
    world.snapshot.finalizers().iter().any(|name| name == SNAPSHOT_FINALIZER)
}

fn plan_create(world: &SnapshotWorld) -> SnapshotPlan {
    // The finalizer comes first, so that no pin is left behind by a deletion.
    if !has_finalizer(world) {
        let status = world.snapshot.status.clone().unwrap_or_default();
        return SnapshotPlan { actions: vec![SnapshotAction::AddFinalizer], status, look_again: SOON };
    }
    let Some(app) = &world.application else {
        return failed(
            world,
            "UnknownApplication",
            "the Application does not exist; correct applicationRef in a new snapshot",
        );
    };
    if age(world) > CREATE_SECONDS {
        return failed(
            world,
            "DeadlineExceeded",
            "no snapshot came about within 30 minutes; see the Application's conditions",
        );
    }
    match world.job.status() {
        Some(job) if is_active(job) => with_job(world, app, job),
        Some(_) | None if world.application_has_pods => going_on(world, vec![], "waiting for the job"),
        Some(_) | None => of_stopped(world, app),
    }
}

fn with_job(world: &SnapshotWorld, app: &Application, job: &JobStatus) -> SnapshotPlan {
    match job.snapshots.get(&pin_name(&world.snapshot)) {
        None => going_on(world, vec![SnapshotAction::Request], "asked for"),
        Some(SnapshotOutcome::InProgress) => going_on(world, vec![], "being taken"),
        Some(SnapshotOutcome::Completed(checkpoint)) => ready(world, app, &job.version, checkpoint),
        Some(SnapshotOutcome::Failed(problem)) => failed(world, problem.kind.name(), &problem.to_string()),
    }
}

fn is_active(job: &JobStatus) -> bool {
    match job.phase {
        JobPhase::Running | JobPhase::Rescaling | JobPhase::Restarting => true,
        JobPhase::Starting | JobPhase::Stopping | JobPhase::Stopped { .. } | JobPhase::Finished | JobPhase::Fenced => {
            false
        }
    }
}

/// Nothing runs, so the last checkpoint is the application's state, and nobody removes it meanwhile.
fn of_stopped(world: &SnapshotWorld, app: &Application) -> SnapshotPlan {
    let status = app.status.clone().unwrap_or_default();
    let Some(last) = status.state.last_checkpoint else {
        return failed(world, "NoState", "the Application has never completed a checkpoint; start it first");
    };
    let at_ms = last.at.timestamp().as_millisecond().max(0) as u64;
    let checkpoint = CheckpointSummary {
        id: CheckpointId(last.id),
        completed_at_ms: at_ms,
        duration_ms: last.duration_ms,
        bytes: last.bytes,
        manifest: last.manifest.clone(),
    };
    let pin = Pin { checkpoint: checkpoint.id, manifest: last.manifest, bytes: last.bytes, created_at_ms: at_ms };
    let version = status.version.running.unwrap_or_default();
    SnapshotPlan { actions: vec![SnapshotAction::WritePin(pin)], ..ready(world, app, &version, &checkpoint) }
}

fn ready(world: &SnapshotWorld, app: &Application, version: &str, checkpoint: &CheckpointSummary) -> SnapshotPlan {
    let mut status = said(
        world,
        SnapshotPhase::Ready,
        ConditionStatus::True,
        "Kept",
        "the state is kept until this object is deleted",
    );
    status.application_uid = app.uid();
    status.application_version = Some(version.to_string());
    status.checkpoint = Some(checkpoint.id.0);
    status.manifest = Some(checkpoint.manifest.clone());
    status.size_bytes = Some(checkpoint.bytes);
    status.taken_at = Some(Moment::from_millis(checkpoint.completed_at_ms));
    status.storage = app.spec.checkpoint.storage.clone();
    SnapshotPlan { actions: vec![], status, look_again: None }
}

fn going_on(world: &SnapshotWorld, actions: Vec<SnapshotAction>, message: &str) -> SnapshotPlan {
    let status = said(world, SnapshotPhase::Creating, ConditionStatus::False, "Creating", message);
    SnapshotPlan { actions, status, look_again: SOON }
}

fn failed(world: &SnapshotWorld, reason: &str, message: &str) -> SnapshotPlan {
    let status = said(world, SnapshotPhase::Failed, ConditionStatus::False, reason, message);
    SnapshotPlan { actions: vec![], status, look_again: None }
}

fn plan_delete(world: &SnapshotWorld, before: ApplicationSnapshotStatus) -> SnapshotPlan {
    if !has_finalizer(world) {
        return SnapshotPlan { actions: vec![], status: before, look_again: None };
    }
    if !world.referenced_by.is_empty() {
        let message = format!("restore.snapshotRef of {} names it; remove that first", world.referenced_by.join(", "));
        let status = said(world, SnapshotPhase::Deleting, ConditionStatus::False, "InUse", &message);
        return SnapshotPlan { actions: vec![], status, look_again: Some(Duration::from_secs(10)) };
    }
    let status =
        said(world, SnapshotPhase::Deleting, ConditionStatus::False, "Deleting", "the state is being given up");
    let keeps = world.snapshot.spec.deletion_policy == SnapshotDeletionPolicy::Retain;
    let actions = if keeps || deleted_for(world) >= DELETE_SECONDS {
        vec![SnapshotAction::RemoveFinalizer]
    } else {
        vec![SnapshotAction::RemovePin, SnapshotAction::RemoveFinalizer]
    };
    SnapshotPlan { actions, status, look_again: SOON }
}

fn age(world: &SnapshotWorld) -> i64 {
    world.snapshot.creation_timestamp().map_or(0, |time| Moment::new(time.0).seconds_until(world.now))
}

fn deleted_for(world: &SnapshotWorld) -> i64 {
    let since = world.snapshot.metadata.deletion_timestamp.as_ref();
    since.map_or(0, |time| Moment::new(time.0).seconds_until(world.now))
}

fn said(
    world: &SnapshotWorld,
    phase: SnapshotPhase,
    status: ConditionStatus,
    reason: &str,
    message: &str,
) -> ApplicationSnapshotStatus {
    let mut said = world.snapshot.status.clone().unwrap_or_default();
    let generation = world.snapshot.metadata.generation.unwrap_or_default();
    said.phase = phase;
    said.observed_generation = Some(generation);
    let condition = Condition {
        type_: "Ready".into(),
        status,
        reason: reason.into(),
        message: message.into(),
        last_transition_time: Moment::new(world.now),
        observed_generation: generation,
    };
    set_condition(&mut said.conditions, condition);
    said
}
