use tidemill_model::Incarnation;
use tidemill_model::status::{JobPhase, ProblemKind};

use super::fixture::*;
use crate::application::plan::{Action, plan};
use crate::application::world::{JobObservation, World};
use crate::compile::{Rejection, RejectionReason};
use crate::resources::{DeletionPolicy, DesiredState, SnapshotPhase, StopPolicy};

fn check(change: impl FnOnce(&mut World), expected: &str) {
    let mut world = converged();
    change(&mut world);
    assert_eq!(text(&plan(&world)), expected);
}

fn reject(world: &mut World) {
    world.accepted = Err(vec![Rejection::new(RejectionReason::InvalidSql, "line 1, column 1: no")]);
}

fn stop(world: &mut World) {
    world.app.spec.state = DesiredState::Stopped;
}

#[test]
fn a_converged_application_has_an_empty_plan() {
    check(|_| {}, "Running - []");
}

#[test]
fn a_first_start_makes_the_children_and_then_the_pods() {
    assert_eq!(
        text(&plan(&fresh())),
        "Starting Start [AddFinalizer, ApplyServiceAccount, ApplyService, ApplyJobSecret v1x1, ApplyStatefulSet 1]"
    );
}

#[test]
fn a_start_waits_for_workers_without_writing() {
    check(|world| world.observed.job = JobObservation::NoCoordinator, "Starting Start []");
    check(|world| world.observed.job = JobObservation::Unreachable { error: "refused".into() }, "Starting Start []");
}

#[test]
fn the_incarnation_is_stored_once_it_is_known_and_not_for_every_restart() {
    check(
        |world| {
            let stored = world.observed.stored_job.as_mut().unwrap();
            stored.restore.known_incarnation = Incarnation(0);
        },
        "Running - [ApplyJobSecret v1x1]",
    );
    check(
        |world| world.observed.stored_job.as_mut().unwrap().restore.known_incarnation = Incarnation(1),
        "Running - []",
    );
}

#[test]
fn a_new_version_goes_to_the_running_job() {
    check(|world| world.want("v2", 1), "Updating Update [ApplyJobSecret v2x1, PutJob v2x1]");
}

#[test]
fn the_same_version_keeps_the_plan_that_it_was_started_with() {
    let mut world = converged();
    world.want("v1", 1);
    let crate::compile::CompiledJob { job, .. } = world.accepted.as_mut().unwrap();
    job.plan = serde_json::json!({"nodes": ["from a newer planner"]});
    assert_eq!(text(&plan(&world)), "Running - []");
    world.want("v1", 1);
    world.accepted.as_mut().unwrap().job.threads_per_worker = 2;
    world.accepted.as_mut().unwrap().job.plan = serde_json::json!({"nodes": ["from a newer planner"]});
    let Some(Action::PutJob(job)) = plan(&world).actions.pop() else { panic!("a change of threads is put") };
    assert_eq!(job.plan, serde_json::json!({"nodes": []}));
}

#[test]
fn scaling_up_adds_pods_first_and_then_rescales() {
    check(|world| world.want("v1", 3), "Autoscaling Scale [ApplyJobSecret v1x3, ApplyStatefulSet 3]");
    let secret_written = |world: &mut World| {
        world.want("v1", 3);
        world.observed.stored_job = Some(job("v1", 3));
        world.has_pods(3);
    };
    check(
        |world| {
            secret_written(world);
            world.set_job(|job| job.workers_connected = 2);
        },
        "Autoscaling Scale []",
    );
    check(
        |world| {
            secret_written(world);
            world.set_job(|job| job.workers_connected = 3);
        },
        "Autoscaling Scale [PutJob v1x3]",
    );
}

#[test]
fn scaling_down_rescales_first_and_then_removes_pods() {
    let three = |world: &mut World| {
        world.has_pods(3);
        world.set_job(|job| (job.workers, job.workers_connected) = (3, 3));
    };
    check(
        |world| {
            three(world);
            world.observed.stored_job = Some(job("v1", 3));
        },
        "Autoscaling Scale [ApplyJobSecret v1x1, PutJob v1x1]",
    );
    check(
        |world| {
            three(world);
            world.set_job(|job| job.workers = 1);
        },
        "Autoscaling Scale [ApplyStatefulSet 1]",
    );
    check(
        |world| {
            three(world);
            world.set_job(|job| (job.workers, job.phase) = (1, JobPhase::Starting));
        },
        "Running - []",
    );
    check(
        |world| {
            three(world);
            world.set_job(|job| job.workers = 1);
            world.observed.stateful_set.as_mut().unwrap().replicas = 1;
        },
        "Autoscaling Scale []",
    );
}

#[test]
fn a_coordinator_that_is_away_never_costs_pods() {
    check(
        |world| {
            world.has_pods(3);
            world.observed.job = JobObservation::NoCoordinator;
        },
        "Starting Start []",
    );
}

#[test]
fn a_job_that_restarts_by_itself_is_no_operation() {
    check(
        |world| {
            world.set_job(|job| {
                job.phase = JobPhase::Restarting;
                job.problems = vec![problem(ProblemKind::WorkerLost)];
            })
        },
        "Running - []",
    );
}

#[test]
fn another_pod_template_stops_with_a_snapshot_and_starts_new_pods() {
    let other = |world: &mut World| world.desired.template = "t2".into();
    check(other, "Updating Replace [StopJob Snapshot]");
    check(
        |world| {
            other(world);
            world.set_job(|job| job.phase = JobPhase::Stopped { snapshot: None });
        },
        "Updating Replace [ApplyStatefulSet 0]",
    );
    check(
        |world| {
            other(world);
            world.has_tried_for(5);
            world.has_nothing_running();
        },
        "Updating Replace [ApplyStatefulSet 1]",
    );
}

#[test]
fn a_stop_takes_a_snapshot_and_then_removes_the_pods() {
    check(stop, "Stopping Stop [StopJob Snapshot]");
    check(|world| world.app.spec.scaling.kpus = 0, "Stopping Stop [StopJob Snapshot]");
    check(
        |world| {
            stop(world);
            world.set_job(|job| job.phase = JobPhase::Stopping);
        },
        "Stopping Stop []",
    );
    check(
        |world| {
            stop(world);
            world.set_job(|job| job.phase = JobPhase::Stopped { snapshot: Some(checkpoint(8, now())) });
        },
        "Stopping Stop [ApplyStatefulSet 0]",
    );
    check(
        |world| {
            stop(world);
            world.observed.stateful_set.as_mut().unwrap().replicas = 0;
        },
        "Stopping Stop []",
    );
    check(
        |world| {
            stop(world);
            world.has_nothing_running();
        },
        "Ready - []",
    );
}

#[test]
fn a_stop_needs_no_valid_spec() {
    check(
        |world| {
            stop(world);
            reject(world);
        },
        "Stopping Stop [StopJob Snapshot]",
    );
}

#[test]
fn a_stuck_stop_can_be_forced() {
    check(
        |world| {
            stop(world);
            world.app.spec.stop_policy = StopPolicy::Force;
            world.set_job(|job| job.phase = JobPhase::Stopping);
        },
        "ForceStopping ForceStop [StopJob Force]",
    );
    check(
        |world| {
            stop(world);
            world.app.spec.stop_policy = StopPolicy::Force;
            world.observed.job = JobObservation::Unreachable { error: "timeout".into() };
        },
        "ForceStopping ForceStop [ApplyStatefulSet 0]",
    );
}

#[test]
fn a_stop_without_a_coordinator_waits_and_then_goes_back_to_the_last_checkpoint() {
    for (seconds, expected) in [(5, "Stopping Stop []"), (20, "Stopping Stop [ApplyStatefulSet 0]")] {
        check(
            |world| {
                stop(world);
                world.observed.job = JobObservation::NoCoordinator;
                world.has_tried_for(seconds);
            },
            expected,
        );
    }
    for (seconds, expected) in [(20, "Stopping Stop []"), (61, "Stopping Stop [ApplyStatefulSet 0]")] {
        check(
            |world| {
                stop(world);
                world.observed.job = JobObservation::Unreachable { error: "timeout".into() };
                world.has_tried_for(seconds);
            },
            expected,
        );
    }
}

#[test]
fn a_resume_while_stopping_lets_the_stop_end_and_starts_anew() {
    check(|world| world.set_job(|job| job.phase = JobPhase::Stopping), "Starting Start []");
    check(
        |world| world.set_job(|job| job.phase = JobPhase::Stopped { snapshot: None }),
        "Starting Start [ApplyStatefulSet 0]",
    );
    check(
        |world| {
            world.observed.stateful_set.as_mut().unwrap().replicas = 0;
            world.observed.job = JobObservation::NoCoordinator;
        },
        "Starting Start []",
    );
    check(World::has_nothing_running, "Starting Start [ApplyStatefulSet 1]");
}

#[test]
fn a_fenced_coordinator_is_replaced() {
    check(|world| world.set_job(|job| job.phase = JobPhase::Fenced), "Starting Start [ApplyStatefulSet 0]");
}

#[test]
fn a_finished_job_leaves_no_pods_and_does_not_start_again() {
    let mut world = converged();
    world.set_job(|job| job.phase = JobPhase::Finished);
    let ended = plan(&world);
    assert_eq!(text(&ended), "Stopping Stop [ApplyStatefulSet 0]");
    world.app.status = Some(crate::application::status::status(&world, &ended));
    world.has_nothing_running();
    assert_eq!(text(&plan(&world)), "Ready - []");
    assert_eq!(plan(&world).finished, Some("v1".into()));
    world.want("v2", 1);
    assert_eq!(text(&plan(&world)), "Starting Start [ApplyJobSecret v2x1, ApplyStatefulSet 1]");
}

#[test]
fn a_spec_that_is_not_accepted_leaves_the_running_version_alone() {
    check(reject, "Running - []");
    check(
        |world| {
            reject(world);
            world.app.spec.scaling.kpus = 5;
        },
        "Running - []",
    );
    check(
        |world| {
            reject(world);
            world.has_nothing_running();
        },
        "Ready - []",
    );
}

#[test]
fn a_deletion_takes_a_snapshot_and_keeps_it() {
    let gone = |world: &mut World| {
        world.is_deleted(1);
        world.has_nothing_running();
    };
    check(|world| world.is_deleted(1), "Deleting Delete [StopJob Snapshot]");
    check(gone, "Deleting Delete [CreateFinalSnapshot]");
    for (phase, expected) in [
        (SnapshotPhase::Creating, "Deleting Delete []"),
        (SnapshotPhase::Ready, "Deleting Delete [RemoveFinalizer]"),
        (SnapshotPhase::Failed, "Deleting Delete [RemoveFinalizer]"),
    ] {
        check(
            |world| {
                gone(world);
                world.observed.final_snapshot = Some(phase);
            },
            expected,
        );
    }
}

#[test]
fn a_deletion_never_takes_longer_than_its_budget() {
    for policy in [DeletionPolicy::SnapshotThenDelete, DeletionPolicy::RetainState, DeletionPolicy::Delete] {
        check(
            |world| {
                world.app.spec.deletion_policy = policy;
                world.observed.job = JobObservation::Unreachable { error: "timeout".into() };
                world.is_deleted(60);
            },
            "Deleting Delete [RemoveFinalizer]",
        );
    }
}

#[test]
fn a_deletion_needs_no_status() {
    let mut world = converged();
    world.is_deleted(1);
    world.has_nothing_running();
    world.app.status = None;
    assert_eq!(text(&plan(&world)), "Deleting Delete [RemoveFinalizer]");
}

#[test]
fn the_deletion_policy_decides_what_becomes_of_the_state() {
    let gone = |policy| {
        move |world: &mut World| {
            world.app.spec.deletion_policy = policy;
            world.is_deleted(1);
            world.has_nothing_running();
        }
    };
    check(gone(DeletionPolicy::RetainState), "Deleting Delete [RemoveFinalizer]");
    check(gone(DeletionPolicy::Delete), "Deleting Delete [RemoveState]");
    check(
        |world| {
            gone(DeletionPolicy::Delete)(world);
            world.observed.state_removed = true;
        },
        "Deleting Delete [RemoveFinalizer]",
    );
}

#[test]
fn a_deletion_without_our_finalizer_does_nothing() {
    check(
        |world| {
            world.is_deleted(1);
            world.app.metadata.finalizers = Some(vec!["another/one".into()]);
        },
        "Deleting Delete []",
    );
}

#[test]
fn a_child_that_was_changed_by_others_is_put_right() {
    check(|world| world.observed.service = None, "Running - [ApplyService]");
    check(|world| world.observed.service_account = Some("other".into()), "Running - [ApplyServiceAccount]");
    check(|world| world.has_pods(0), "Starting Start [ApplyStatefulSet 1]");
    check(|world| world.observed.stored_job = None, "Running - [ApplyJobSecret v1x1]");
}

#[test]
fn a_namespace_that_goes_is_not_held_up_for_a_snapshot() {
    let namespace_goes = |world: &mut World| {
        world.is_deleted(1);
        world.observed.namespace_deleting = true;
    };
    check(namespace_goes, "Deleting Delete [StopJob Force]");
    check(
        |world| {
            namespace_goes(world);
            world.has_nothing_running();
        },
        "Deleting Delete [RemoveFinalizer]",
    );
}
