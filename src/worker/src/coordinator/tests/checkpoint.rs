//! Periodic checkpoints, snapshots, and what may happen at the same time.

use tidemill_model::control::{EngineEvent, WorkerCapture};
use tidemill_model::status::{JobPhase, SnapshotOutcome};
use tidemill_model::{CheckpointId, Epoch, Incarnation};

use super::{Drive, problem, spec};
use crate::coordinator::state::{PublishFault, StorageReply, StorageRequest};
use crate::coordinator::{Refusal, Request};

const NONE: [u64; 0] = [];

#[test]
fn checkpoints_begin_at_the_interval_and_commit_after_the_claim() {
    let mut drive = Drive::running(spec(2));
    drive.after(9_999);
    assert_eq!(drive.checkpoints_asked(), NONE);
    drive.after(1);
    assert_eq!(drive.checkpoints_asked(), [1]);
    drive.capture(2, 1);
    assert_eq!(drive.commits(), 0, "nothing is visible before the claim");
    drive.now += 300;
    drive.published(1);
    assert_eq!(drive.commits(), 2);
    drive.committed(2, 1);
    assert!(matches!(drive.storage.pop_front(), Some(StorageRequest::CollectGarbage { keep: 2, .. })));
    let last = drive.status().last_checkpoint.unwrap();
    assert_eq!((last.id, last.duration_ms), (CheckpointId(1), 300));
    drive.sent.clear();
    drive.after(9_700);
    assert_eq!(drive.checkpoints_asked(), [2], "intervals count from beginning to beginning");
}

#[test]
fn there_is_never_a_second_checkpoint_nor_one_during_a_commit() {
    let mut drive = Drive::running(spec(2));
    drive.after(10_000);
    assert_eq!(drive.checkpoints_asked(), [1]);
    drive.after(10_000);
    drive.capture(2, 1);
    drive.after(10_000);
    drive.published(1);
    drive.after(10_000);
    drive.engine(0, EngineEvent::Committed { id: CheckpointId(1) });
    drive.after(10_000);
    assert_eq!(drive.checkpoints_asked(), NONE);
    drive.engine(1, EngineEvent::Committed { id: CheckpointId(1) });
    drive.after(10_000);
    assert_eq!(drive.checkpoints_asked(), NONE, "the commit is not on record yet");
    drive.recorded();
    assert_eq!(drive.checkpoints_asked(), [2]);
}

#[test]
fn a_checkpoint_needs_every_worker_and_its_epoch() {
    let mut drive = Drive::running(spec(2));
    drive.after(10_000);
    let captured = EngineEvent::Captured { id: CheckpointId(1), capture: WorkerCapture::default() };
    drive.engines(2, &captured);
    assert!(drive.storage.is_empty());
    drive.engine(0, EngineEvent::CheckpointAt { id: CheckpointId(1), epoch: Epoch(7) });
    let Some(StorageRequest::Publish { manifest, .. }) = drive.storage.front() else { panic!() };
    assert_eq!((manifest.epoch, manifest.parallelism), (Epoch(7), 2));
}

#[test]
fn a_checkpoint_that_takes_too_long_is_given_up_and_late_captures_are_ignored() {
    let mut drive = Drive::running(spec(2));
    drive.after(10_000);
    drive.engine(0, EngineEvent::CheckpointAt { id: CheckpointId(1), epoch: Epoch(7) });
    drive.after(60_000);
    assert_eq!((drive.status().checkpoints_failed, drive.phase()), (1, JobPhase::Running));
    assert_eq!(drive.status().problems.len(), 1);
    drive.sent.clear();
    drive.after(999);
    assert_eq!(drive.checkpoints_asked(), NONE);
    drive.after(1);
    assert_eq!(drive.checkpoints_asked(), [2]);
    drive.capture(2, 1);
    assert!(drive.storage.is_empty());
    drive.checkpoint(2, 2);
    assert!(drive.status().problems.is_empty());
}

#[test]
fn a_manifest_that_cannot_be_written_declines_the_checkpoint_only() {
    let mut drive = Drive::running(spec(1));
    drive.after(10_000);
    drive.capture(1, 1);
    drive.storage.clear();
    drive.publish_reply(1, Err(PublishFault::Declined(problem("slow down"))));
    assert_eq!((drive.phase(), drive.kills(), drive.commits()), (JobPhase::Running, 0, 0));
    assert_eq!(drive.status().problems, [problem("slow down")]);
}

#[test]
fn a_claim_of_unknown_outcome_ends_the_incarnation_without_a_commit() {
    let mut drive = Drive::running(spec(1));
    drive.after(10_000);
    drive.capture(1, 1);
    drive.storage.clear();
    drive.publish_reply(1, Err(PublishFault::Unknown(problem("timed out"))));
    assert_eq!((drive.phase(), drive.kills(), drive.commits()), (JobPhase::Restarting, 1, 0));
}

#[test]
fn a_fenced_coordinator_kills_commits_nothing_and_ends_its_process() {
    let mut drive = Drive::running(spec(2));
    drive.after(10_000);
    drive.capture(2, 1);
    drive.storage.clear();
    drive.publish_reply(1, Err(PublishFault::Fenced { by: Incarnation(9) }));
    assert_eq!((drive.phase(), drive.kills(), drive.commits()), (JobPhase::Fenced, 2, 0));
    assert_eq!(drive.exits.len(), 1);
    drive.after(100_000);
    assert!(drive.storage.is_empty(), "it must not claim again");
}

#[test]
fn a_snapshot_is_a_checkpoint_at_once_that_is_pinned() {
    let mut drive = Drive::running(spec(1));
    drive.after(10);
    drive.ask(Request::Snapshot { name: "before-change".into() }).unwrap();
    drive.storage.clear();
    drive.reply(StorageReply::PinRead { name: "before-change".into(), outcome: Ok(None) });
    assert_eq!(drive.checkpoints_asked(), [1]);
    assert_eq!(drive.status().snapshots["before-change"], SnapshotOutcome::InProgress);
    drive.capture(1, 1);
    drive.published(1);
    drive.engine(0, EngineEvent::Committed { id: CheckpointId(1) });
    let Some(StorageRequest::RecordCommit { pins, .. }) = drive.storage.front() else { panic!() };
    assert_eq!(pins[0].0, "before-change");
    drive.recorded();
    let SnapshotOutcome::Completed(summary) = &drive.status().snapshots["before-change"] else { panic!() };
    assert_eq!(summary.id, CheckpointId(1));

    drive.storage.clear();
    drive.ask(Request::Snapshot { name: "before-change".into() }).unwrap();
    assert!(drive.storage.is_empty(), "a repeated request does nothing new");
}

#[test]
fn a_snapshot_that_storage_knows_is_not_taken_again() {
    let mut drive = Drive::running(spec(1));
    drive.ask(Request::Snapshot { name: "a".into() }).unwrap();
    let pin = tidemill_model::snapshot::Pin {
        checkpoint: CheckpointId(3),
        manifest: "m3".into(),
        bytes: 5,
        created_at_ms: 1,
    };
    drive.reply(StorageReply::PinRead { name: "a".into(), outcome: Ok(Some(pin)) });
    assert!(matches!(drive.status().snapshots["a"], SnapshotOutcome::Completed(_)));
    assert_eq!(drive.checkpoints_asked(), NONE);
}

#[test]
fn a_snapshot_survives_a_failure_of_the_engine() {
    let mut drive = Drive::running(spec(1));
    drive.ask(Request::Snapshot { name: "a".into() }).unwrap();
    drive.storage.clear();
    drive.reply(StorageReply::PinRead { name: "a".into(), outcome: Ok(None) });
    drive.engine(0, EngineEvent::Failed(problem("broken")));
    drive.after(200);
    drive.start(1);
    drive.after(0);
    drive.checkpoint(1, 1);
    assert!(matches!(drive.status().snapshots["a"], SnapshotOutcome::Completed(_)));
}

#[test]
fn a_snapshot_name_that_is_no_object_name_is_refused() {
    let mut drive = Drive::running(spec(1));
    for name in ["", "../up", "a/b", "Upper", ".hidden"] {
        let refused = drive.ask(Request::Snapshot { name: name.into() });
        assert!(matches!(refused, Err(Refusal::Invalid(_))), "{name}");
    }
}
