//! Lost workers, engines that end, and how the next incarnation comes about.

use tidemill_model::Incarnation;
use tidemill_model::control::{EngineEvent, EngineProgress};
use tidemill_model::status::{JobPhase, ProblemKind};

use super::{Drive, problem, spec};
use crate::coordinator::state::{Event, StorageRequest};

#[test]
fn any_lost_worker_ends_the_incarnation_everywhere() {
    let mut drive = Drive::running(spec(3));
    drive.leave(2);
    assert_eq!((drive.phase(), drive.kills()), (JobPhase::Restarting, 2));
    assert_eq!(drive.status().problems[0].kind, ProblemKind::WorkerLost);
    drive.after(60_000);
    assert!(drive.storage.is_empty(), "worker 2 is missing");
    drive.join(2);
    drive.start(3);
    assert_eq!((drive.phase(), drive.status().restarts), (JobPhase::Running, 1));
}

#[test]
fn a_lost_extra_worker_disturbs_nobody() {
    let mut drive = Drive::running(spec(1));
    drive.join(1);
    drive.leave(1);
    assert_eq!((drive.phase(), drive.kills()), (JobPhase::Running, 0));
}

#[test]
fn a_worker_that_connects_anew_counts_as_lost_first() {
    let mut drive = Drive::running(spec(2));
    drive.join(1);
    assert_eq!(drive.phase(), JobPhase::Restarting);
    assert_eq!(drive.status().workers_connected, 2);
    drive.after(200);
    drive.start(2);
    assert_eq!(drive.phase(), JobPhase::Running);
}

#[test]
fn words_of_an_older_incarnation_are_ignored() {
    let mut drive = Drive::running(spec(1));
    drive.engine(0, EngineEvent::Failed(problem("one")));
    drive.after(200);
    drive.start(1);
    let connection = 100;
    let event = EngineEvent::Failed(problem("late"));
    drive.step(Event::Engine { connection, incarnation: Incarnation(1), event });
    drive.step(Event::Exited { connection, incarnation: Incarnation(1), detail: "exit code 1".into() });
    assert_eq!((drive.phase(), drive.status().restarts), (JobPhase::Running, 1));
}

#[test]
fn restarts_wait_twice_as_long_each_time_until_the_job_ran_well() {
    let mut drive = Drive::running(spec(1));
    for delay in [200, 400, 800, 1_600] {
        drive.engine(0, EngineEvent::Failed(problem("broken")));
        drive.after(delay - 1);
        assert!(drive.storage.is_empty(), "before {delay} ms");
        drive.after(1);
        drive.start(1);
    }
    drive.now += 60_000;
    drive.engine(0, EngineEvent::Failed(problem("broken")));
    drive.after(200);
    assert!(matches!(drive.storage.front(), Some(StorageRequest::ClaimStart { .. })));
    assert_eq!(drive.status().restarts, 5);
}

#[test]
fn delays_never_exceed_the_limit() {
    let restarts = tidemill_model::job::RestartSpec::default();
    for failures in [8, 31, 32, 64, u32::MAX] {
        assert_eq!(crate::coordinator::step::restart_delay(&restarts, failures), 30_000);
    }
}

#[test]
fn the_reason_of_a_failure_is_shown_until_a_checkpoint_or_a_while_of_running() {
    let mut drive = Drive::running(spec(1));
    drive.engine(0, EngineEvent::Failed(problem("broken")));
    assert_eq!(drive.status().problems, [problem("broken")]);
    drive.after(200);
    drive.start(1);
    assert_eq!(drive.status().problems, [problem("broken")], "a failing job must not look well in between");
    drive.after(10_000);
    drive.checkpoint(1, 1);
    assert!(drive.status().problems.is_empty());
}

#[test]
fn faults_that_the_engine_lives_with_are_shown_as_long_as_it_reports_them() {
    let mut drive = Drive::running(spec(2));
    let progress = |problems| EngineEvent::Progress(EngineProgress { problems, ..EngineProgress::default() });
    drive.engines(2, &progress(vec![problem("broker is away")]));
    assert_eq!(drive.status().problems, [problem("broker is away")], "two workers, one problem");
    drive.engines(2, &progress(vec![]));
    assert!(drive.status().problems.is_empty());
}
