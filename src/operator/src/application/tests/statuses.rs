use jiff::SignedDuration;
use tidemill_model::status::{JobPhase, Problem, ProblemKind};

use super::fixture::*;
use crate::application::notes::notes;
use crate::application::plan::plan;
use crate::application::status::{settle, status};
use crate::application::world::World;
use crate::compile::{Rejection, RejectionReason};
use crate::resources::{ApplicationPhase, ApplicationStatus, ConditionStatus, DesiredState};

fn said(world: &World) -> ApplicationStatus {
    status(world, &plan(world))
}

/// The conditions as text: type, status, reason.
fn conditions(status: &ApplicationStatus) -> Vec<String> {
    let text = |condition: &crate::resources::Condition| {
        format!("{}={:?} {}", condition.type_, condition.status, condition.reason)
    };
    status.conditions.iter().map(text).collect()
}

fn changed(change: impl FnOnce(&mut World)) -> ApplicationStatus {
    let mut world = converged();
    change(&mut world);
    said(&world)
}

#[test]
fn a_converged_application_says_so_and_writes_nothing_more() {
    let world = converged();
    let status = said(&world);
    assert_eq!(
        conditions(&status),
        [
            "Ready=True Running",
            "Accepted=True Valid",
            "Processing=True RecordsProcessed",
            "StateSafe=True CheckpointComplete",
            "Degraded=False AsExpected"
        ]
    );
    assert_eq!((status.status, status.lag.as_deref()), (ApplicationPhase::Running, Some("<1s")));
    assert_eq!(status.scaling.selector, "app.kubernetes.io/name=tidemill-worker,tidemill.dev/application=a");
    assert_eq!(settle(world.app.status.as_ref(), status, world.now), None);
}

#[test]
fn each_problem_of_a_job_becomes_a_reason_with_its_remedy() {
    for kind in [
        ProblemKind::StorageUnavailable,
        ProblemKind::StorageUnsupported,
        ProblemKind::StateUnreadable,
        ProblemKind::SourceUnreachable,
        ProblemKind::UndecodableRecord,
        ProblemKind::SinkUnreachable,
        ProblemKind::InvalidOption,
        ProblemKind::ExpressionFailed,
        ProblemKind::WorkerLost,
        ProblemKind::Internal,
    ] {
        let status = changed(|world| world.set_job(|job| job.problems = vec![problem(kind)]));
        let degraded = status.conditions.iter().find(|condition| condition.type_ == "Degraded").unwrap();
        assert_eq!((degraded.status, degraded.reason.as_str()), (ConditionStatus::True, kind.name()));
        assert!(degraded.message.contains("check the broker"), "{}", degraded.message);
        let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready").unwrap();
        assert_eq!((ready.status, ready.reason.as_str()), (ConditionStatus::False, kind.name()));
    }
}

#[test]
fn state_that_grows_without_bound_is_a_warning_while_it_does() {
    let status = changed(|world| {
        let Ok(compiled) = &mut world.accepted else { panic!("the fixture is accepted") };
        compiled.growing = vec!["the state of join-x-1 grows with every row: a state TTL would bound it".into()];
    });
    let found = status.conditions.iter().find(|condition| condition.type_ == "StateUnbounded").unwrap();
    assert_eq!((found.status, found.reason.as_str()), (ConditionStatus::True, "GrowsWithoutBound"));
    assert!(found.message.contains("join-x-1"), "{}", found.message);
    assert!(conditions(&status).contains(&"Ready=True Running".to_string()), "it is no fault");
    let bounded = changed(|_| {});
    assert!(!bounded.conditions.iter().any(|condition| condition.type_ == "StateUnbounded"));
}

#[test]
fn wrong_sql_is_stalled_while_the_old_version_runs() {
    let status = changed(|world| {
        world.accepted =
            Err(vec![Rejection::new(RejectionReason::InvalidSql, "line 3, column 7: no such column; mend it")]);
    });
    let conditions = conditions(&status);
    assert!(conditions.contains(&"Accepted=False InvalidSql".to_string()), "{conditions:?}");
    assert!(conditions.contains(&"Stalled=True InvalidSql".to_string()), "{conditions:?}");
    assert!(conditions.contains(&"Ready=False NotAccepted".to_string()), "{conditions:?}");
    assert_eq!(status.status, ApplicationPhase::Running);
    assert_eq!(status.version.running.as_deref(), Some("v1"));
    let accepted = status.conditions.iter().find(|condition| condition.type_ == "Accepted").unwrap();
    assert!(accepted.message.contains("line 3, column 7"));
}

#[test]
fn an_operation_over_its_deadline_is_stalled_and_goes_on() {
    let mut world = converged();
    world.want("v2", 1);
    world.has_tried_for(601);
    let status = said(&world);
    assert!(conditions(&status).contains(&"Stalled=True DeadlineExceeded".to_string()));
    assert!(!plan(&world).actions.is_empty());
}

#[test]
fn pods_that_cannot_run_say_why() {
    let status = changed(|world| {
        world.observed.pods[0].running = false;
        world.observed.pods[0].trouble = Some(("ErrImagePull".into(), "no such image".into()));
        world.observed.job = crate::application::world::JobObservation::NoCoordinator;
    });
    let degraded = status.conditions.iter().find(|condition| condition.type_ == "Degraded").unwrap();
    assert_eq!(degraded.reason, "PodsNotRunning");
    assert!(degraded.message.contains("ErrImagePull"));
}

#[test]
fn a_stopped_application_is_ready_and_tells_what_it_resumes_from() {
    let mut world = converged();
    world.app.spec.state = DesiredState::Stopped;
    world.set_job(|job| job.phase = JobPhase::Stopped { snapshot: Some(checkpoint(8, now())) });
    world.app.status = Some(said(&world));
    world.has_nothing_running();
    let status = said(&world);
    assert_eq!(status.status, ApplicationPhase::Ready);
    assert_eq!(status.state.last_checkpoint.as_ref().unwrap().id, 8);
    assert_eq!(status.scaling.replicas, 0);
    let ready = &status.conditions[0];
    assert_eq!((ready.status, ready.reason.as_str()), (ConditionStatus::True, "Stopped"));
    assert!(ready.message.contains("checkpoint 8"));
}

#[test]
fn numbers_alone_are_written_once_a_minute() {
    let mut world = converged();
    world.set_job(|job| {
        job.last_checkpoint = Some(checkpoint(9, now()));
        job.sources[0].millis_behind_latest = Some(20_000);
    });
    let before = world.app.status.clone().unwrap();
    let after = said(&world);
    assert_eq!(after.lag.as_deref(), Some("<1m"));
    assert_eq!(settle(Some(&before), after.clone(), now()), None);
    let later = now() + SignedDuration::from_secs(60);
    assert_eq!(settle(Some(&before), after.clone(), later), Some(after.clone()));
    let mut worse = after;
    worse.job.as_mut().unwrap().restarts = 1;
    assert!(settle(Some(&before), worse, now()).is_some());
}

#[test]
fn a_condition_keeps_its_time_until_its_status_flips() {
    let mut world = converged();
    let before = world.app.status.clone().unwrap().conditions[0].last_transition_time;
    world.now = now() + SignedDuration::from_secs(30);
    assert_eq!(said(&world).conditions[0].last_transition_time, before);
    world.set_job(|job| job.problems = vec![problem(ProblemKind::SourceUnreachable)]);
    let flipped = said(&world).conditions[0].last_transition_time;
    assert_eq!(before.seconds_until(flipped.timestamp()), 30);
}

#[test]
fn the_incarnation_never_falls() {
    let status = changed(|world| world.set_job(|job| job.incarnation = tidemill_model::Incarnation(0)));
    assert_eq!(status.incarnation.0, 3);
}

#[test]
fn a_user_hears_of_changes_once() {
    let world = converged();
    let status = said(&world);
    assert_eq!(notes(world.app.status.as_ref(), &status), []);
    let first = notes(None, &status);
    assert_eq!(first.iter().map(|note| note.reason.as_str()).collect::<Vec<_>>(), ["Running"]);
    let mut broken = converged();
    broken.set_job(|job| job.problems = vec![problem(ProblemKind::SinkUnreachable)]);
    let degraded = said(&broken);
    let heard = notes(Some(&status), &degraded);
    assert_eq!(heard.len(), 1);
    assert!(heard[0].warning && heard[0].reason == "SinkUnreachable", "{heard:?}");
    assert_eq!(notes(Some(&degraded), &degraded), []);
}

#[test]
fn an_old_checkpoint_of_a_running_job_is_not_safe() {
    let mut world = converged();
    world.now = now() + SignedDuration::from_secs(400);
    assert!(conditions(&said(&world)).contains(&"StateSafe=False CheckpointOverdue".to_string()));
}

#[test]
fn a_fault_that_is_tried_again_and_again_is_written_once() {
    let failing = |attempt: u32| {
        changed(|world| {
            world.set_job(|job| {
                job.last_checkpoint = None;
                let message = format!("failed to write probe/{attempt}.json: connection refused");
                job.problems = vec![Problem { message, ..problem(ProblemKind::StorageUnavailable) }];
            })
        })
    };
    let first = failing(1);
    assert_eq!(settle(Some(&first), failing(2), now() + SignedDuration::from_secs(500)), None);
    let other = changed(|world| {
        world.set_job(|job| {
            let message = "access denied".to_string();
            job.problems = vec![Problem { message, ..problem(ProblemKind::StorageUnavailable) }];
        })
    });
    assert!(settle(Some(&first), other, now()).is_some());
}
