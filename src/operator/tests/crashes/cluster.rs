//! A model of what happens around the operator: pods come and go with their StatefulSet, and worker 0's coordinator
//! runs the job of the Secret, moves to a job it is handed, stops and takes snapshots. One [`Cluster::tick`] is one step
//! of all of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use k8s_openapi::ByteString;
use serde_json::{Value, json};
use tidemill_model::job::JobSpec;
use tidemill_model::status::{CheckpointSummary, JobPhase, JobStatus, SnapshotOutcome, StopMode};
use tidemill_model::{CheckpointId, Incarnation};
use tidemill_operator::job_api::{JobApi, JobApiError, LongPoll};

use crate::api_server::ApiServer;
use crate::fuse::Fuse;

pub const APP: &str = "a";

pub struct Cluster {
    server: Arc<ApiServer>,
    fuse: Arc<Fuse>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The coordinator in worker 0, by the uid of its pod.
    coordinator: Option<(String, Coordinator)>,
    incarnation: u64,
    checkpoint: u64,
    /// What must never happen.
    violations: Vec<String>,
}

struct Coordinator {
    spec: JobSpec,
    running: Option<JobSpec>,
    phase: JobPhase,
    snapshots: BTreeMap<String, SnapshotOutcome>,
}

impl Cluster {
    pub fn new(server: Arc<ApiServer>, fuse: Arc<Fuse>) -> Arc<Self> {
        Arc::new(Self { server, fuse, state: Mutex::default() })
    }

    pub fn violations(&self) -> Vec<String> {
        self.state.lock().unwrap().violations.clone()
    }

    /// What runs, in a line.
    pub fn summary(&self) -> String {
        let state = self.state.lock().unwrap();
        let pods = self.server.list("pods").len();
        match &state.coordinator {
            None => format!("{pods} pods, no job"),
            Some((_, coordinator)) => match &coordinator.running {
                Some(job) => format!("{pods} pods, {:?} {} workers", coordinator.phase, job.workers),
                None => format!("{pods} pods, {:?}", coordinator.phase),
            },
        }
    }

    pub fn version(&self) -> Option<String> {
        let state = self.state.lock().unwrap();
        state
            .coordinator
            .as_ref()
            .and_then(|(_, coordinator)| coordinator.running.as_ref())
            .map(|job| job.version.clone())
    }

    pub fn incarnation(&self) -> u64 {
        self.state.lock().unwrap().incarnation
    }

    /// Everything around the operator goes one step further.
    pub fn tick(&self) {
        let mut state = self.state.lock().unwrap();
        self.move_pods(&mut state);
        self.move_coordinator(&mut state);
    }

    fn move_pods(&self, state: &mut State) {
        let set = self.server.get("statefulsets", APP);
        let wanted = set.as_ref().and_then(|set| set["spec"]["replicas"].as_u64()).unwrap_or(0) as usize;
        for number in 0..wanted {
            if self.server.get("pods", &pod_name(number)).is_none() {
                self.server.put("pods", pod(number, set.as_ref().expect("a StatefulSet wants pods")));
            }
        }
        let pods = self.server.list("pods").len();
        if pods > wanted {
            let used = state.coordinator.as_ref().and_then(|(_, coordinator)| coordinator.uses()).unwrap_or(0);
            if used > wanted
                && self
                    .server
                    .get("applications", APP)
                    .is_some_and(|app| app["metadata"]["deletionTimestamp"].is_null())
            {
                state.violations.push(format!("{used} workers run, and pods are cut to {wanted}"));
            }
            (wanted..pods).for_each(|number| self.server.delete("pods", &pod_name(number), "2026-01-01T00:00:00Z"));
        }
    }

    fn move_coordinator(&self, state: &mut State) {
        let Some(pod) = self.server.get("pods", &pod_name(0)) else {
            state.coordinator = None;
            return;
        };
        let uid = pod["metadata"]["uid"].as_str().unwrap().to_string();
        if state.coordinator.as_ref().is_none_or(|(known, _)| *known != uid) {
            state.coordinator = self.stored_job().map(|spec| {
                (uid, Coordinator { spec, running: None, phase: JobPhase::Starting, snapshots: BTreeMap::new() })
            });
            return;
        }
        let connected = self.server.list("pods").len() as u32;
        let Some((_, coordinator)) = &mut state.coordinator else { return };
        for outcome in coordinator.snapshots.values_mut().filter(|outcome| **outcome == SnapshotOutcome::InProgress) {
            state.checkpoint += 1;
            *outcome = SnapshotOutcome::Completed(checkpoint(state.checkpoint));
        }
        match &coordinator.phase {
            JobPhase::Stopping => {
                state.checkpoint += 1;
                coordinator.phase = JobPhase::Stopped { snapshot: Some(checkpoint(state.checkpoint)) };
            }
            JobPhase::Starting | JobPhase::Rescaling if connected >= coordinator.spec.workers => {
                if coordinator.spec.restore.known_incarnation.0 > state.incarnation {
                    state.violations.push("the operator knows of an incarnation that never was".into());
                }
                state.incarnation += 1;
                state.checkpoint += 1;
                coordinator.running = Some(coordinator.spec.clone());
                coordinator.phase = JobPhase::Running;
            }
            _ => {}
        }
    }

    fn stored_job(&self) -> Option<JobSpec> {
        let secret = self.server.get("secrets", &format!("{APP}-job"))?;
        let data: ByteString = serde_json::from_value(secret["data"]["job.json"].clone()).ok()?;
        serde_json::from_slice(&data.0).ok()
    }

    fn order(&self, order: impl FnOnce(&mut Coordinator)) -> Result<(), JobApiError> {
        let dead = || refused("the operator is dead");
        self.fuse.before().map_err(|_| dead())?;
        if let Some((_, coordinator)) = &mut self.state.lock().unwrap().coordinator {
            order(coordinator);
        }
        self.fuse.after().map_err(|_| dead())
    }

    fn status(&self) -> Result<JobStatus, JobApiError> {
        self.fuse.check().map_err(|_| refused("the operator is dead"))?;
        let state = self.state.lock().unwrap();
        let Some((_, coordinator)) = &state.coordinator else { return Err(refused("connection refused")) };
        let running = coordinator.running.as_ref();
        Ok(JobStatus {
            phase: coordinator.phase.clone(),
            version: running.map(|job| job.version.clone()).unwrap_or_default(),
            incarnation: Incarnation(running.map_or(0, |_| state.incarnation)),
            workers: running.map_or(0, |job| job.workers),
            threads_per_worker: running.map_or(0, |job| job.threads_per_worker),
            workers_connected: self.server.list("pods").len() as u32,
            last_checkpoint: (state.checkpoint > 0).then(|| checkpoint(state.checkpoint)),
            snapshots: coordinator.snapshots.clone(),
            ..JobStatus::default()
        })
    }
}

impl Coordinator {
    /// Workers that would be missed.
    fn uses(&self) -> Option<usize> {
        match self.phase {
            JobPhase::Running | JobPhase::Stopping => self.running.as_ref().map(|job| job.workers as usize),
            _ => None,
        }
    }
}

impl JobApi for Cluster {
    fn status<'a>(&'a self, _: &'a str, poll: Option<LongPoll>) -> BoxFuture<'a, Result<JobStatus, JobApiError>> {
        match poll {
            // The scenario decides when to look.
            Some(_) => Box::pin(futures::future::pending()),
            None => Box::pin(async { self.status() }),
        }
    }

    fn put_job<'a>(&'a self, _: &'a str, job: &'a JobSpec) -> BoxFuture<'a, Result<(), JobApiError>> {
        let put = self.order(|coordinator| {
            if coordinator.spec != *job && coordinator.phase != JobPhase::Stopping {
                coordinator.spec = job.clone();
                coordinator.phase = JobPhase::Rescaling;
            }
        });
        Box::pin(async { put })
    }

    fn stop<'a>(&'a self, _: &'a str, mode: StopMode) -> BoxFuture<'a, Result<(), JobApiError>> {
        let stop = self.order(|coordinator| {
            coordinator.phase = match mode {
                StopMode::Snapshot => JobPhase::Stopping,
                StopMode::Force => JobPhase::Stopped { snapshot: None },
            }
        });
        Box::pin(async { stop })
    }

    fn snapshot<'a>(&'a self, _: &'a str, name: &'a str) -> BoxFuture<'a, Result<(), JobApiError>> {
        let asked = self.order(|coordinator| {
            coordinator.snapshots.entry(name.to_string()).or_insert(SnapshotOutcome::InProgress);
        });
        Box::pin(async { asked })
    }
}

fn refused(message: &str) -> JobApiError {
    JobApiError::Refused { address: "model".into(), message: message.into() }
}

fn checkpoint(id: u64) -> CheckpointSummary {
    CheckpointSummary {
        id: CheckpointId(id),
        completed_at_ms: id,
        duration_ms: 1,
        bytes: 1,
        manifest: format!("m{id}"),
    }
}

fn pod_name(number: usize) -> String {
    format!("{APP}-{number}")
}

fn pod(number: usize, set: &Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": pod_name(number),
            "labels": set["spec"]["template"]["metadata"]["labels"],
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": APP, "uid": set["metadata"]["uid"]}],
        },
        "status": {
            "podIP": "10.0.0.1",
            "containerStatuses": [{
                "name": "worker", "image": "i", "imageID": "i", "ready": true, "restartCount": 0,
                "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
            }],
        },
    })
}
