//! Stops, with a snapshot and by force, at convenient and inconvenient times.

use tidemill_model::CheckpointId;
use tidemill_model::control::{AfterCheckpoint, EngineCommand, EngineEvent, EngineProgress, ToWorker};
use tidemill_model::status::{JobPhase, SourceStatus, StopMode};

use super::{Drive, problem, spec, version};
use crate::coordinator::state::StorageRequest;
use crate::coordinator::{Refusal, Request};

const SNAPSHOT: Request = Request::Stop(StopMode::Snapshot);
const FORCE: Request = Request::Stop(StopMode::Force);

#[test]
fn a_stop_takes_a_snapshot_commits_and_kills() {
    let mut drive = Drive::running(spec(2));
    drive.ask(SNAPSHOT).unwrap();
    assert_eq!(drive.phase(), JobPhase::Stopping);
    let stop = EngineCommand::Checkpoint { id: CheckpointId(1), then: AfterCheckpoint::Stop };
    assert!(matches!(&drive.sent[..], [(_, ToWorker::Engine { command, .. })] if *command == stop));
    drive.capture(2, 1);
    drive.published(1);
    assert_eq!((drive.phase(), drive.kills()), (JobPhase::Stopping, 0), "sinks have to commit first");
    drive.committed(2, 1);
    assert_eq!(drive.kills(), 2);
    let JobPhase::Stopped { snapshot: Some(snapshot) } = drive.phase() else { panic!("{:?}", drive.phase()) };
    assert_eq!(snapshot.id, CheckpointId(1));
    drive.after(100_000);
    drive.storage.retain(|request| !matches!(request, StorageRequest::CollectGarbage { .. }));
    assert!(drive.storage.is_empty(), "a stopped job stays so");
}

#[test]
fn a_stop_waits_for_the_checkpoint_that_is_under_way() {
    let mut drive = Drive::running(spec(1));
    drive.after(10_000);
    drive.ask(SNAPSHOT).unwrap();
    assert_eq!(drive.checkpoints_asked(), [1]);
    drive.checkpoint(1, 1);
    assert_eq!(drive.checkpoints_asked(), [2]);
    drive.storage.clear();
    drive.checkpoint(1, 2);
    assert!(matches!(drive.phase(), JobPhase::Stopped { snapshot: Some(_) }));
}

#[test]
fn a_stop_in_the_middle_of_a_move_ends_the_job_there() {
    let mut drive = Drive::running(spec(1));
    drive.change(version(1, "v2"));
    drive.ask(SNAPSHOT).unwrap();
    drive.checkpoint(1, 1);
    assert!(matches!(drive.phase(), JobPhase::Stopped { snapshot: Some(_) }));
}

#[test]
fn a_stop_of_a_failing_job_keeps_trying_and_says_so() {
    let mut drive = Drive::running(spec(1));
    drive.engine(0, EngineEvent::Failed(problem("broken")));
    drive.ask(SNAPSHOT).unwrap();
    assert_eq!(drive.phase(), JobPhase::Stopping);
    for _ in 0..3 {
        drive.now += 30_000;
        drive.after(0);
        drive.start(1);
        drive.engine(0, EngineEvent::Failed(problem("broken")));
    }
    let objects: Vec<_> = drive.status().problems.into_iter().map(|problem| problem.object).collect();
    assert_eq!(objects, ["t", "stop"]);
    drive.ask(FORCE).unwrap();
    assert_eq!(drive.phase(), JobPhase::Stopped { snapshot: None });
    assert!(drive.status().problems.is_empty());
}

#[test]
fn a_failed_stop_checkpoint_is_tried_again_in_a_new_incarnation() {
    let mut drive = Drive::running(spec(1));
    drive.ask(SNAPSHOT).unwrap();
    drive.after(60_000);
    assert_eq!((drive.kills(), drive.phase()), (1, JobPhase::Stopping));
    drive.after(200);
    drive.start(1);
    drive.after(1_000);
    drive.checkpoint(1, 1);
    assert!(matches!(drive.phase(), JobPhase::Stopped { snapshot: Some(_) }));
}

#[test]
fn force_stops_at_once_in_every_phase() {
    let mut waiting = Drive::new(spec(2));
    waiting.ask(FORCE).unwrap();
    let mut claiming = Drive::new(spec(1));
    claiming.join(0);
    claiming.ask(FORCE).unwrap();
    claiming.claimed(None);
    let mut running = Drive::running(spec(2));
    running.ask(FORCE).unwrap();
    assert_eq!((waiting.kills(), claiming.sent.len(), running.kills()), (0, 0, 2));
    for drive in [waiting, claiming, running] {
        assert_eq!(drive.phase(), JobPhase::Stopped { snapshot: None });
    }
}

#[test]
fn repeated_stops_do_nothing_new_and_changes_are_refused_meanwhile() {
    let mut drive = Drive::running(spec(1));
    drive.ask(SNAPSHOT).unwrap();
    drive.ask(SNAPSHOT).unwrap();
    assert_eq!(drive.checkpoints_asked(), [1]);
    let change = Request::ChangeJob(Box::new(version(1, "v2")));
    assert!(matches!(drive.ask(change.clone()), Err(Refusal::Conflict(_))));
    drive.checkpoint(1, 1);
    assert!(matches!(drive.ask(change), Err(Refusal::Conflict(_))), "a late repetition must not start the job again");
    drive.ask(SNAPSHOT).unwrap();
    assert!(matches!(drive.phase(), JobPhase::Stopped { snapshot: Some(_) }));
}

#[test]
fn a_job_at_the_end_of_its_inputs_takes_a_last_checkpoint_and_can_then_be_stopped() {
    let mut drive = Drive::running(spec(2));
    for worker in [0, 1] {
        let source = SourceStatus { table: "views".into(), records: 7, ..SourceStatus::default() };
        let late = [("window".to_string(), 2), (format!("rank-{worker}"), 1)].into();
        let progress = EngineProgress { sources: vec![source], late, ..Default::default() };
        drive.engine(worker, EngineEvent::Progress(progress));
    }
    drive.engine(1, EngineEvent::Finished);
    assert_eq!(drive.checkpoints_asked(), [] as [u64; 0]);
    drive.engine(0, EngineEvent::Finished);
    assert_eq!(drive.checkpoints_asked(), [1]);
    drive.checkpoint(2, 1);
    assert_eq!((drive.phase(), drive.kills()), (JobPhase::Finished, 2));
    assert_eq!(drive.status().sources[0].records, 14, "what was read is told after the end, too");
    let late = [("rank-0", 1), ("rank-1", 1), ("window", 4)].map(|(operator, rows)| (operator.to_string(), rows));
    assert_eq!(drive.status().late, late.into());
    drive.ask(SNAPSHOT).unwrap();
    assert!(matches!(drive.phase(), JobPhase::Stopped { snapshot: Some(_) }));
}
