//! A converged Application, and short ways to change it.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use tidemill_model::job::{ApplicationId, CheckpointSpec, JobSpec, RestartSpec, RestoreSpec, StorageSpec};
use tidemill_model::status::{CheckpointSummary, JobPhase, JobStatus, Problem, ProblemKind, SourceStatus};
use tidemill_model::{CheckpointId, Incarnation};

use crate::application::plan::{Action, FINALIZER, Plan, plan};
use crate::application::status::status;
use crate::application::world::{DesiredChildren, JobObservation, Observed, ObservedPod, ObservedSet, World};
use crate::compile::CompiledJob;
use crate::resources::{Application, ApplicationSpec};

pub fn now() -> Timestamp {
    "2026-01-01T12:00:00Z".parse().unwrap()
}

pub fn seconds_ago(seconds: i64) -> Timestamp {
    now() - SignedDuration::from_secs(seconds)
}

pub fn job(version: &str, workers: u32) -> JobSpec {
    JobSpec {
        application: ApplicationId { namespace: "shop".into(), name: "a".into(), uid: "u1".into() },
        version: version.into(),
        workers,
        threads_per_worker: 1,
        plan: serde_json::json!({"nodes": []}),
        modules: Default::default(),
        storage: StorageSpec { uri: "s3://b".into(), options: Default::default() },
        checkpoint: CheckpointSpec::default(),
        restore: RestoreSpec { known_incarnation: Incarnation(3), ..RestoreSpec::default() },
        restarts: RestartSpec::default(),
    }
}

pub fn checkpoint(id: u64, at: Timestamp) -> CheckpointSummary {
    CheckpointSummary {
        id: CheckpointId(id),
        completed_at_ms: at.as_millisecond() as u64,
        duration_ms: 5,
        bytes: 100,
        manifest: format!("m{id}"),
    }
}

pub fn problem(kind: ProblemKind) -> Problem {
    Problem {
        kind,
        object: "page_views".into(),
        message: "failed to connect".into(),
        remedy: "check the broker".into(),
    }
}

pub fn job_status(version: &str, workers: u32) -> JobStatus {
    JobStatus {
        revision: 9,
        phase: JobPhase::Running,
        version: version.into(),
        incarnation: Incarnation(3),
        workers,
        threads_per_worker: 1,
        workers_connected: workers,
        last_checkpoint: Some(checkpoint(7, seconds_ago(10))),
        first_record_at_ms: Some(1),
        sources: vec![SourceStatus {
            table: "page_views".into(),
            millis_behind_latest: Some(5),
            ..SourceStatus::default()
        }],
        ..JobStatus::default()
    }
}

pub fn pods(count: u32) -> Vec<ObservedPod> {
    let pod = |number| ObservedPod { number, ip: Some("10.0.0.1".into()), running: true, ..ObservedPod::default() };
    (0..count).map(pod).collect()
}

/// Runs version `v1` on one pod, as asked for, and says so.
pub fn converged() -> World {
    let mut world = unsettled();
    let plan = plan(&world);
    world.app.status = Some(status(&world, &plan));
    world
}

fn unsettled() -> World {
    let mut app = Application::new("a", ApplicationSpec::default());
    app.metadata.namespace = Some("shop".into());
    app.metadata.uid = Some("u1".into());
    app.metadata.generation = Some(1);
    app.metadata.finalizers = Some(vec![FINALIZER.into()]);
    World {
        app,
        accepted: Ok(CompiledJob { job: job("v1", 1), warnings: vec![], growing: vec![] }),
        desired: DesiredChildren { service_account: Some("sa".into()), service: "svc".into(), template: "t1".into() },
        observed: Observed {
            service_account: Some("sa".into()),
            service: Some("svc".into()),
            stored_job: Some(job("v1", 1)),
            stateful_set: Some(ObservedSet { replicas: 1, template: "t1".into() }),
            pods: pods(1),
            job: JobObservation::Reachable(Box::new(job_status("v1", 1))),
            final_snapshot: None,
            state_removed: false,
            namespace_deleting: false,
        },
        now: now(),
    }
}

/// Nothing but the Application itself.
pub fn fresh() -> World {
    let mut world = unsettled();
    world.app.metadata.finalizers = None;
    world.observed = Observed::default();
    let Ok(compiled) = &mut world.accepted else { panic!("the fixture is accepted") };
    compiled.job.restore.known_incarnation = Incarnation(0);
    world
}

impl World {
    pub fn set_job(&mut self, change: impl FnOnce(&mut JobStatus)) {
        let JobObservation::Reachable(status) = &mut self.observed.job else { panic!("the job is reachable") };
        change(status);
    }

    pub fn want(&mut self, version: &str, workers: u32) {
        self.app.spec.scaling.kpus = workers;
        self.accepted = Ok(CompiledJob { job: job(version, workers), warnings: vec![], growing: vec![] });
    }

    pub fn has_pods(&mut self, count: u32) {
        if let Some(set) = &mut self.observed.stateful_set {
            set.replicas = count;
        }
        self.observed.pods = pods(count);
    }

    pub fn has_nothing_running(&mut self) {
        self.has_pods(0);
        self.observed.job = JobObservation::NoCoordinator;
    }

    pub fn is_deleted(&mut self, seconds: i64) {
        self.app.metadata.deletion_timestamp = Some(Time(seconds_ago(seconds)));
        self.accepted = Err(vec![]);
    }

    /// The operation in status began so long ago.
    pub fn has_tried_for(&mut self, seconds: i64) {
        let plan = plan(self);
        let mut status = status(self, &plan);
        let operation = status.operation.as_mut().expect("something is under way");
        operation.started_at = crate::resources::Moment::new(seconds_ago(seconds));
        self.app.status = Some(status);
    }
}

/// A plan in a line.
pub fn text(plan: &Plan) -> String {
    let actions: Vec<String> = plan.actions.iter().map(action_text).collect();
    let operation = plan.operation.as_ref().map(|operation| format!("{:?}", operation.kind));
    format!("{:?} {} [{}]", plan.phase, operation.unwrap_or_else(|| "-".into()), actions.join(", "))
}

fn action_text(action: &Action) -> String {
    match action {
        Action::ApplyStatefulSet { replicas } => format!("ApplyStatefulSet {replicas}"),
        Action::ApplyJobSecret(job) => format!("ApplyJobSecret {}x{}", job.version, job.workers),
        Action::PutJob(job) => format!("PutJob {}x{}", job.version, job.workers),
        Action::StopJob(mode) => format!("StopJob {mode:?}"),
        other => other.name().to_string(),
    }
}
