//! From connected workers to engines that run.

use tidemill_model::control::{EngineCommand, EngineEvent, ToWorker};
use tidemill_model::status::JobPhase;
use tidemill_model::{CheckpointId, Incarnation};

use super::{Drive, problem, spec};
use crate::coordinator::state::{StartFault, StorageReply, StorageRequest};

#[test]
fn nothing_is_claimed_before_all_workers_are_connected() {
    let mut drive = Drive::new(spec(2));
    drive.join(1);
    drive.join(5);
    assert!(drive.storage.is_empty());
    drive.join(0);
    assert!(matches!(drive.storage.front(), Some(StorageRequest::ClaimStart { .. })));
    assert_eq!(drive.phase(), JobPhase::Starting);
    assert_eq!(drive.status().workers_connected, 3);
}

#[test]
fn engines_start_once_all_of_them_listen_and_extra_workers_stay_idle() {
    let mut drive = Drive::new(spec(2));
    (0..3).for_each(|worker| drive.join(worker));
    drive.claimed(None);
    let spawned: Vec<_> = drive.sent.drain(..).map(|(connection, message)| (connection % 100, message)).collect();
    let spawn = ToWorker::Spawn { incarnation: Incarnation(1) };
    assert_eq!(spawned, [(0, spawn.clone()), (1, spawn)]);

    drive.engine(1, EngineEvent::Listening { port: 71 });
    assert!(drive.sent.is_empty());
    drive.engine(0, EngineEvent::Listening { port: 70 });
    for (worker, (_, message)) in drive.sent.iter().enumerate() {
        let ToWorker::Engine { command: EngineCommand::Start(start), .. } = message else { panic!("{message:?}") };
        assert_eq!(start.worker, worker as u32);
        assert_eq!(start.peers, ["127.0.0.1:70".parse().unwrap(), "127.0.0.1:71".parse().unwrap()]);
    }
    assert_eq!(drive.sent.len(), 2);

    drive.engine(0, EngineEvent::Running);
    assert_eq!(drive.phase(), JobPhase::Starting);
    drive.engine(1, EngineEvent::Running);
    assert_eq!(drive.phase(), JobPhase::Running);
}

#[test]
fn storage_that_refuses_is_a_problem_and_is_asked_again() {
    let mut drive = Drive::new(spec(1));
    drive.join(0);
    drive.storage.clear();
    drive.reply(StorageReply::StartClaimed(Err(StartFault::Failed(problem("no bucket")))));
    assert_eq!(drive.phase(), JobPhase::Starting);
    assert_eq!(drive.status().problems, [problem("no bucket")]);
    assert!(drive.storage.is_empty());
    drive.after(200);
    drive.start(1);
    assert_eq!(drive.phase(), JobPhase::Running);
    assert_eq!(drive.status().restarts, 0, "nothing had run yet");
}

#[test]
fn a_coordinator_that_loses_the_start_ends_its_process() {
    let mut drive = Drive::new(spec(1));
    drive.join(0);
    drive.reply(StorageReply::StartClaimed(Err(StartFault::Fenced { by: Incarnation(8) })));
    assert_eq!(drive.phase(), JobPhase::Fenced);
    assert_eq!(drive.exits.len(), 1);
    assert!(drive.sent.is_empty());
}

#[test]
fn an_unfinished_commit_of_the_last_incarnation_comes_before_any_checkpoint() {
    let mut drive = Drive::new(spec(2));
    (0..2).for_each(|worker| drive.join(worker));
    drive.claimed(Some(4));
    drive.engines(2, &EngineEvent::Listening { port: 9 });
    drive.engine(1, EngineEvent::Committed { id: CheckpointId(4) });
    drive.engines(2, &EngineEvent::Running);
    drive.sent.clear();
    drive.after(20_000);
    assert_eq!(drive.checkpoints_asked(), [] as [u64; 0]);

    drive.engine(0, EngineEvent::Committed { id: CheckpointId(4) });
    drive.recorded();
    assert_eq!(drive.checkpoints_asked(), [1], "the interval had passed long ago");
    assert_eq!(drive.status().checkpoints_completed, 0, "the replay was no checkpoint of ours");
}

#[test]
fn a_worker_lost_while_the_start_is_claimed_starts_over() {
    let mut drive = Drive::new(spec(2));
    (0..2).for_each(|worker| drive.join(worker));
    drive.leave(1);
    drive.claimed(None);
    assert_eq!(drive.phase(), JobPhase::Restarting);
    drive.join(1);
    drive.after(200);
    drive.start(2);
    assert_eq!(drive.status().incarnation, Incarnation(2));
}

#[test]
fn engines_that_hang_at_their_start_are_killed() {
    let mut drive = Drive::new(spec(1));
    drive.join(0);
    drive.claimed(None);
    drive.sent.clear();
    drive.after(60_000);
    assert_eq!(drive.kills(), 1);
    assert_eq!(drive.phase(), JobPhase::Restarting);
}

#[test]
fn missing_workers_are_named_after_a_while() {
    let mut drive = Drive::new(spec(3));
    drive.join(1);
    drive.after(1_000);
    assert!(drive.status().problems.is_empty());
    drive.after(20_000);
    assert_eq!(drive.status().problems[0].object, "worker 0, 2");
}
