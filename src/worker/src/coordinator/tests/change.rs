//! Moves to another spec: rescaling, new code, new settings.

use tidemill_model::control::EngineEvent;
use tidemill_model::job::{JobSpec, RestoreFrom, RestoreSpec};
use tidemill_model::status::JobPhase;
use tidemill_model::{CheckpointId, Incarnation};

use super::{Drive, problem, spec, version};
use crate::coordinator::request::needs_new_incarnation;
use crate::coordinator::state::StorageRequest;
use crate::coordinator::{Refusal, Request};

const NONE: [u64; 0] = [];

#[test]
fn a_scale_up_goes_on_with_the_old_workers_until_the_new_ones_are_there() {
    let mut drive = Drive::running(spec(1));
    drive.change(spec(3));
    drive.join(1);
    assert_eq!((drive.phase(), drive.checkpoints_asked()), (JobPhase::Running, NONE.to_vec()));
    drive.join(2);
    assert_eq!((drive.phase(), drive.checkpoints_asked()), (JobPhase::Rescaling, vec![1]));
    drive.checkpoint(1, 1);
    assert_eq!((drive.phase(), drive.kills()), (JobPhase::Rescaling, 1));
    drive.storage.retain(|request| matches!(request, StorageRequest::ClaimStart { .. }));
    drive.after(0);
    drive.start(3);
    let status = drive.status();
    assert_eq!((status.phase, status.workers, status.restarts), (JobPhase::Running, 3, 0));
}

#[test]
fn a_scale_down_needs_no_waiting() {
    let mut drive = Drive::running(spec(3));
    drive.change(spec(2));
    assert_eq!(drive.checkpoints_asked(), [1]);
    drive.checkpoint(3, 1);
    drive.storage.retain(|request| matches!(request, StorageRequest::ClaimStart { .. }));
    drive.after(0);
    drive.start(2);
    assert_eq!(drive.status().workers, 2);
    drive.leave(2);
    assert_eq!(drive.phase(), JobPhase::Running);
}

#[test]
fn new_settings_apply_without_a_restart() {
    let mut drive = Drive::running(spec(1));
    let mut faster = spec(1);
    faster.checkpoint.interval_ms = 2_000;
    faster.restore.known_incarnation = Incarnation(1);
    drive.change(faster);
    assert_eq!(drive.checkpoints_asked(), NONE);
    drive.after(2_000);
    assert_eq!(drive.checkpoints_asked(), [1]);
    assert_eq!(drive.phase(), JobPhase::Running);
}

#[test]
fn a_repeated_change_does_nothing_new() {
    let mut drive = Drive::running(spec(1));
    drive.change(version(1, "v2"));
    assert_eq!(drive.checkpoints_asked(), [1]);
    drive.change(version(1, "v2"));
    assert_eq!(drive.checkpoints_asked(), NONE);
}

#[test]
fn if_the_checkpoint_before_a_move_fails_the_old_version_goes_on_and_the_move_is_tried_again() {
    let mut drive = Drive::running(spec(1));
    drive.change(version(1, "v2"));
    assert_eq!(drive.checkpoints_asked(), [1]);
    drive.after(60_000);
    assert_eq!(drive.kills(), 1, "its sources have stopped");
    drive.after(200);
    drive.start(1);
    assert_eq!(drive.status().version, "v1");
    assert!(!drive.status().problems.is_empty());
    drive.after(10_000);
    assert_eq!(drive.checkpoints_asked(), [1], "numbers of checkpoints that were never claimed are free");
    drive.checkpoint(1, 1);
    drive.storage.retain(|request| matches!(request, StorageRequest::ClaimStart { .. }));
    drive.after(0);
    drive.start(1);
    assert_eq!(drive.status().version, "v2");
}

#[test]
fn a_failing_version_is_replaced_at_once() {
    let mut drive = Drive::running(spec(1));
    for _ in 0..6 {
        drive.engine(0, EngineEvent::Failed(problem("broken")));
        drive.now += 20_000;
        if drive.storage.is_empty() {
            drive.after(0);
        }
        drive.start(1);
    }
    drive.engine(0, EngineEvent::Failed(problem("broken")));
    assert!(drive.storage.is_empty());
    drive.change(version(1, "v2"));
    drive.start(1);
    assert_eq!(drive.status().version, "v2");
}

#[test]
fn a_failure_while_a_scale_up_waits_restarts_the_old_size() {
    let mut drive = Drive::running(spec(1));
    drive.change(spec(2));
    drive.engine(0, EngineEvent::Failed(problem("broken")));
    drive.after(200);
    drive.start(1);
    assert_eq!((drive.phase(), drive.status().workers), (JobPhase::Running, 1));
}

#[test]
fn what_takes_a_restart_and_what_does_not() {
    let old = spec(2);
    let changed = |change: fn(&mut JobSpec)| {
        let mut new = spec(2);
        change(&mut new);
        needs_new_incarnation(&old, &new)
    };
    assert!(changed(|spec| spec.workers = 3));
    assert!(changed(|spec| spec.threads_per_worker = 2));
    assert!(changed(|spec| spec.version = "v2".into()));
    assert!(changed(|spec| spec.plan = serde_json::json!({"nodes": []})));
    assert!(changed(|spec| {
        spec.storage.options.insert("region".into(), "x".into());
    }));
    assert!(changed(
        |spec| spec.restore = RestoreSpec { from: RestoreFrom::Empty, number: 1, ..RestoreSpec::default() }
    ));
    assert!(!changed(|spec| spec.restore.known_incarnation = Incarnation(7)));
    assert!(
        !changed(|spec| spec.restore.from = RestoreFrom::Empty),
        "it was carried out, or waits for a higher number"
    );
    assert!(!changed(|spec| spec.checkpoint.keep = 9));
    assert!(!changed(|spec| spec.restarts.max_delay_ms = 9));
}

#[test]
fn specs_that_cannot_run_or_belong_elsewhere_are_refused() {
    let mut drive = Drive::running(spec(1));
    let mut foreign = spec(1);
    foreign.application.uid = "u2".into();
    assert!(matches!(drive.ask(Request::ChangeJob(Box::new(foreign))), Err(Refusal::Conflict(_))));
    for workers in [0, 5_000] {
        assert!(matches!(drive.ask(Request::ChangeJob(Box::new(spec(workers)))), Err(Refusal::Invalid(_))));
    }
    assert_eq!(drive.phase(), JobPhase::Running);
}

#[test]
fn a_finished_job_takes_new_code_and_runs_again() {
    let mut drive = Drive::running(spec(1));
    drive.engine(0, EngineEvent::Finished);
    drive.checkpoint(1, 1);
    assert_eq!(drive.phase(), JobPhase::Finished);
    assert_eq!(drive.status().last_checkpoint.unwrap().id, CheckpointId(1));
    drive.storage.clear();
    drive.change(spec(1));
    assert_eq!(drive.phase(), JobPhase::Finished, "a repeated spec is nothing new");
    drive.change(version(1, "v2"));
    drive.start(1);
    assert_eq!(drive.phase(), JobPhase::Running);
}
