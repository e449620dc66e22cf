//! Supervisors and coordinator as real processes, with a fake engine. After every disturbance, each split's committed
//! output must be without gap and without repetition.
#![allow(clippy::unwrap_used)]

mod harness;

use harness::{Job, SPLITS, eventually, is_alive, kill_process};
use serde_json::json;
use tidemill_model::status::{JobPhase, ProblemKind, SnapshotOutcome, StopMode};
use tidemill_storage::ApplicationStore;

fn storage(job: &Job) -> ApplicationStore {
    ApplicationStore::new(tidemill_storage::open(&job.spec.storage).unwrap(), &job.spec.application)
}

#[tokio::test]
async fn a_job_runs_checkpoints_stops_and_resumes_where_it_stopped() {
    let mut job = Job::start(2, json!({}));
    let running = job.until_running(1).await;
    assert_eq!((running.workers, running.workers_connected, running.restored_from), (2, 2, None));
    let later = job.until_checkpoints(3).await;
    assert!(later.revision > running.revision);
    let stopped = job.stop().await;
    let JobPhase::Stopped { snapshot: Some(snapshot) } = stopped.phase else { panic!("{stopped:?}") };
    let first = job.check_output();
    assert_eq!(first.len() as u64, SPLITS);

    job.start_workers(2);
    let resumed = job.until_running(2).await;
    assert_eq!(resumed.restored_from, Some(snapshot.id));
    job.until_checkpoints(1).await;
    job.stop().await;
    let second = job.check_output();
    assert!(second.iter().all(|(split, records)| *records > first[split]), "{first:?} {second:?}");
}

#[tokio::test]
async fn a_killed_engine_is_replaced_without_loss_or_repetition() {
    let mut job = Job::start(2, json!({}));
    job.until_running(1).await;
    job.until_checkpoints(1).await;
    let pids = [job.engine_pid(1, 0), job.engine_pid(1, 1)];
    kill_process(pids[1]);
    let running = job.until_running(2).await;
    assert_eq!(running.restarts, 1);
    assert!(running.restored_from.is_some());
    assert!(!is_alive(pids[0]), "the other engine of the old incarnation must be gone");
    job.until_checkpoints(1).await;
    job.stop().await;
    job.check_output();
}

#[tokio::test]
async fn a_lost_worker_stops_the_job_until_it_is_back() {
    let mut job = Job::start(2, json!({}));
    job.until_running(1).await;
    job.until_checkpoints(1).await;
    let engine = job.engine_pid(1, 1);
    job.kill_worker(1);
    let lost = job.until("the loss is noticed", |status| status.phase == JobPhase::Restarting).await;
    assert_eq!((lost.workers_connected, lost.problems[0].kind), (1, ProblemKind::WorkerLost));
    eventually("the engine dies with its supervisor", async || (!is_alive(engine)).then_some(())).await;
    job.start_worker(1);
    job.until_running(2).await;
    job.until_checkpoints(1).await;
    job.stop().await;
    job.check_output();
}

#[tokio::test]
async fn a_coordinator_that_is_killed_comes_back_from_storage_alone() {
    let mut job = Job::start(2, json!({}));
    job.until_running(1).await;
    job.until_checkpoints(1).await;
    job.kill_worker(0);
    job.start_worker(0);
    let running = job.until_running(2).await;
    assert!(running.restored_from.is_some());
    job.until_checkpoints(1).await;
    job.stop().await;
    job.check_output();
}

#[tokio::test]
async fn a_job_scales_up_and_down() {
    let mut job = Job::start(1, json!({}));
    job.until_running(1).await;
    job.change(|spec| spec.workers = 3).await;
    job.start_worker(1);
    job.start_worker(2);
    let up = job.until_running(2).await;
    assert_eq!((up.workers, up.restarts), (3, 0));
    job.until_checkpoints(1).await;
    job.change(|spec| spec.workers = 2).await;
    let down = job.until_running(3).await;
    assert_eq!((down.workers, down.restarts), (2, 0));
    job.kill_worker(2);
    job.until_checkpoints(1).await;
    assert_eq!(job.status().await.unwrap().restarts, 0, "worker 2 was not needed any more");
    job.stop().await;
    assert_eq!(job.check_output().len() as u64, SPLITS);
}

#[tokio::test]
async fn a_commit_that_a_crash_cut_off_is_made_up_for() {
    let mut job = Job::start(2, json!({ "crashBeforeCommit": 2 }));
    job.until_running(2).await;
    assert!(job.output().join("crashed").exists());
    job.until_checkpoints(1).await;
    job.stop().await;
    job.check_output();
}

#[tokio::test]
async fn of_two_coordinators_on_the_same_storage_one_is_fenced_and_ends() {
    let mut older = Job::start(1, json!({}));
    older.until_running(1).await;
    older.until_checkpoints(1).await;
    let mut newer = older.twin();
    newer.until_running(2).await;
    older.until("the older one says so", |status| status.phase == JobPhase::Fenced).await;
    assert!(older.wait_for_exit(0).await, "a fenced coordinator ends with an error");
    assert!(!is_alive(older.engine_pid(1, 0)));
    newer.until_checkpoints(2).await;
    newer.stop().await;
    older.check_output();
}

#[tokio::test]
async fn a_bounded_job_finishes_with_all_of_its_output() {
    let job = Job::start(2, json!({ "limit": 500 }));
    job.until("the job finishes", |status| status.phase == JobPhase::Finished).await;
    let output = job.check_output();
    assert_eq!(output.len() as u64, SPLITS);
    assert!(output.values().all(|records| *records == 500), "{output:?}");
}

#[tokio::test]
async fn a_snapshot_stays_while_newer_checkpoints_come_and_go() {
    let mut job = Job::start(1, json!({}));
    job.until_running(1).await;
    for _ in 0..2 {
        let (code, body) = job.post("/v1/job/snapshots", json!({ "name": "keep-me" })).await;
        assert_eq!(code, 202, "{body}");
    }
    let is_taken = |outcome: Option<&SnapshotOutcome>| matches!(outcome, Some(SnapshotOutcome::Completed(_)));
    let status = job.until("the snapshot is taken", |status| is_taken(status.snapshots.get("keep-me"))).await;
    let Some(SnapshotOutcome::Completed(snapshot)) = status.snapshots.get("keep-me") else { panic!() };
    job.until_checkpoints(5).await;
    let store = storage(&job);
    assert_eq!(store.list_pins().await.unwrap()["keep-me"].manifest, snapshot.manifest);
    let manifest = store.read_manifest(&snapshot.manifest).await.unwrap();
    let root = job.folder.path().join("storage");
    assert!(manifest.files().all(|file| root.join(file).exists()));
    eventually("older records are removed", async || (store.read_log().await.unwrap().len() < 5).then_some(())).await;
    job.stop().await;
    job.check_output();
}

#[tokio::test]
async fn a_forced_stop_needs_no_answer_from_the_engine() {
    let folder = tempfile::tempdir().unwrap();
    let silent = folder.path().join("silent");
    std::fs::write(&silent, "").unwrap();
    let job = Job::start(1, json!({ "silentWhile": silent }));
    job.until_running(1).await;
    let engine = job.engine_pid(1, 0);
    job.ask_stop(StopMode::Snapshot).await;
    job.until("it tries to stop", |status| status.phase == JobPhase::Stopping).await;
    job.ask_stop(StopMode::Force).await;
    job.until("it has stopped", |status| status.phase == JobPhase::Stopped { snapshot: None }).await;
    eventually("the engine is gone", async || (!is_alive(engine)).then_some(())).await;
}

#[tokio::test]
async fn storage_that_cannot_be_opened_is_a_problem_and_not_a_crash() {
    let mut job = Job::start(1, json!({}));
    job.until_running(1).await;
    job.stop().await;
    std::fs::rename(job.folder.path().join("storage"), job.folder.path().join("moved")).unwrap();
    job.spec.restore.known_incarnation.0 = 1;
    job.start_workers(1);
    let status = job.until("the loss is reported", |status| !status.problems.is_empty()).await;
    assert_eq!((status.phase, status.problems[0].kind), (JobPhase::Starting, ProblemKind::StateUnreadable));
}

#[tokio::test]
async fn probes_metrics_long_polls_and_refusals() {
    let job = Job::start(1, json!({}));
    let running = job.until_running(1).await;
    assert_eq!(job.get("/healthz").await.0, 200);
    assert_eq!(job.get("/readyz").await.0, 200);
    let has_records = async || {
        let (code, text) = job.get("/metrics").await;
        assert_eq!(code, 200);
        text.contains("tidemill_num_records_in_total{table=\"numbers\"}").then_some(text)
    };
    let metrics = eventually("records are counted", has_records).await;
    assert!(metrics.contains("tidemill_kpus 1"), "{metrics}");

    let (_, body) = job.get(&format!("/v1/job?after={}&waitMs=30000", running.revision)).await;
    let next: tidemill_model::status::JobStatus = serde_json::from_str(&body).unwrap();
    assert!(next.revision > running.revision, "a checkpoint is more than a counter");

    let (code, body) = job.post("/v1/job/snapshots", json!({ "name": "../up" })).await;
    assert_eq!(code, 422);
    assert!(body.contains("does not name a snapshot"), "{body}");
    let (code, body) = job.post("/v1/job/stop", json!({ "mode": "Perhaps" })).await;
    assert_eq!(code, 422);
    assert!(body.contains("error"), "{body}");
    assert_eq!(job.get("/v1/other").await.0, 404);
}
