use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use tidemill_model::CheckpointId;
use tidemill_model::status::{CheckpointSummary, JobPhase, JobStatus, Problem, ProblemKind, SnapshotOutcome};

use super::plan::*;
use crate::application::JobObservation;
use crate::resources::{
    Application, ApplicationSnapshot, ApplicationSnapshotSpec, ApplicationSpec, ApplicationStatus, LastCheckpoint,
    LocalRef, Moment, SnapshotDeletionPolicy, SnapshotPhase,
};

fn now() -> Timestamp {
    "2026-01-01T12:00:00Z".parse().unwrap()
}

fn ago(seconds: i64) -> Option<Time> {
    Some(Time(now() - SignedDuration::from_secs(seconds)))
}

/// A new snapshot of a running application.
fn world() -> SnapshotWorld {
    let spec = ApplicationSnapshotSpec { application_ref: LocalRef { name: "a".into() }, ..Default::default() };
    let mut snapshot = ApplicationSnapshot::new("s", spec);
    snapshot.metadata.uid = Some("12345678-rest".into());
    snapshot.metadata.finalizers = Some(vec![SNAPSHOT_FINALIZER.into()]);
    snapshot.metadata.creation_timestamp = ago(1);
    let mut application = Application::new("a", ApplicationSpec::default());
    application.metadata.uid = Some("u".into());
    let job = JobStatus { phase: JobPhase::Running, version: "v1".into(), ..JobStatus::default() };
    SnapshotWorld {
        snapshot,
        application: Some(application),
        application_has_pods: true,
        job: JobObservation::Reachable(Box::new(job)),
        referenced_by: vec![],
        now: now(),
    }
}

fn with_outcome(outcome: SnapshotOutcome) -> SnapshotWorld {
    let mut world = world();
    let JobObservation::Reachable(job) = &mut world.job else { panic!("the job is reachable") };
    job.snapshots.insert("s-12345678".into(), outcome);
    world
}

fn summary() -> CheckpointSummary {
    CheckpointSummary { id: CheckpointId(4), completed_at_ms: 1000, duration_ms: 1, bytes: 42, manifest: "m4".into() }
}

fn check(world: &SnapshotWorld, phase: SnapshotPhase, reason: &str, actions: &[SnapshotAction]) {
    let plan = plan(world);
    let reasons: Vec<&str> = plan.status.conditions.iter().map(|condition| condition.reason.as_str()).collect();
    assert_eq!((plan.status.phase, reasons.as_slice(), plan.actions.as_slice()), (phase, [reason].as_slice(), actions));
}

#[test]
fn a_running_job_is_asked_once_and_then_waited_for() {
    check(&world(), SnapshotPhase::Creating, "Creating", &[SnapshotAction::Request]);
    check(&with_outcome(SnapshotOutcome::InProgress), SnapshotPhase::Creating, "Creating", &[]);
}

#[test]
fn nothing_is_asked_for_before_the_finalizer_is_there() {
    let mut world = world();
    world.snapshot.metadata.finalizers = None;
    assert_eq!(plan(&world).actions, [SnapshotAction::AddFinalizer]);
}

#[test]
fn a_completed_snapshot_tells_what_it_holds() {
    let plan = plan(&with_outcome(SnapshotOutcome::Completed(summary())));
    let status = plan.status;
    assert_eq!((status.phase, status.manifest.as_deref()), (SnapshotPhase::Ready, Some("m4")));
    assert_eq!((status.checkpoint, status.size_bytes), (Some(4), Some(42)));
    assert_eq!((status.application_uid.as_deref(), status.application_version.as_deref()), (Some("u"), Some("v1")));
}

#[test]
fn a_failed_snapshot_says_why_and_is_not_tried_again() {
    let problem = Problem {
        kind: ProblemKind::StorageUnavailable,
        object: "s3://b".into(),
        message: "failed to write".into(),
        remedy: "grant it".into(),
    };
    let mut world = with_outcome(SnapshotOutcome::Failed(problem));
    check(&world, SnapshotPhase::Failed, "StorageUnavailable", &[]);
    world.snapshot.status = Some(plan(&world).status);
    world.job = JobObservation::NoCoordinator;
    check(&world, SnapshotPhase::Failed, "StorageUnavailable", &[]);
}

#[test]
fn of_a_stopped_application_the_last_checkpoint_is_kept() {
    let mut world = world();
    world.job = JobObservation::NoCoordinator;
    check(&world, SnapshotPhase::Creating, "Creating", &[]);
    world.application_has_pods = false;
    check(&world, SnapshotPhase::Failed, "NoState", &[]);
    let mut status = ApplicationStatus::default();
    status.state.last_checkpoint =
        Some(LastCheckpoint { id: 9, at: Moment::new(now()), bytes: 7, duration_ms: 1, manifest: "m9".into() });
    world.application.as_mut().unwrap().status = Some(status);
    let plan = plan(&world);
    assert_eq!((plan.status.phase, plan.status.manifest.as_deref()), (SnapshotPhase::Ready, Some("m9")));
    assert!(matches!(&plan.actions[..], [SnapshotAction::WritePin(pin)] if pin.manifest == "m9" && pin.bytes == 7));
}

#[test]
fn a_snapshot_of_nothing_fails() {
    let mut world = world();
    world.application = None;
    check(&world, SnapshotPhase::Failed, "UnknownApplication", &[]);
}

#[test]
fn a_deletion_gives_the_pin_up_unless_it_is_in_use_or_to_be_retained() {
    let mut world = world();
    world.snapshot.metadata.deletion_timestamp = ago(1);
    let both = [SnapshotAction::RemovePin, SnapshotAction::RemoveFinalizer];
    check(&world, SnapshotPhase::Deleting, "Deleting", &both);
    world.referenced_by = vec!["b".into()];
    check(&world, SnapshotPhase::Deleting, "InUse", &[]);
    world.referenced_by.clear();
    world.snapshot.spec.deletion_policy = SnapshotDeletionPolicy::Retain;
    check(&world, SnapshotPhase::Deleting, "Deleting", &[SnapshotAction::RemoveFinalizer]);
}

#[test]
fn storage_that_is_away_holds_a_deletion_up_for_a_minute_only() {
    let mut world = world();
    world.snapshot.metadata.deletion_timestamp = ago(60);
    check(&world, SnapshotPhase::Deleting, "Deleting", &[SnapshotAction::RemoveFinalizer]);
}
