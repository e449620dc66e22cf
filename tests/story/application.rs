//! An Application under test: what a user does with it and sees of it, and what its job answers.

use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tidemill_model::Incarnation;
use tidemill_model::status::{JOB_API_PORT, JobStatus};

use crate::cluster::{Cluster, Kind, home, until};

/// Longer than anything takes, on a machine that is busy with something else, too.
pub const PATIENCE: Duration = Duration::from_secs(120);

pub struct Application<'a> {
    pub cluster: &'a Cluster,
    pub name: &'a str,
}

impl Application<'_> {
    /// `spec.state`, as `kubectl patch` sets it.
    pub async fn set_state(&self, state: &str) {
        self.cluster.patch(Kind::Application, self.name, json!({"spec": {"state": state}})).await;
    }

    pub async fn status(&self) -> Value {
        self.cluster.get(Kind::Application, self.name).await.map_or(Value::Null, |object| object["status"].clone())
    }

    /// Waits until the status is as wanted, and returns it.
    pub async fn until(&self, what: &str, mut wanted: impl FnMut(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            let status = self.status().await;
            if wanted(&status) {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "{} after {PATIENCE:?} still not so: {what}\n{status:#}", self.name);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub async fn until_running(&self) -> Value {
        self.until("it runs", |status| status["status"] == "RUNNING" && condition(status, "Ready").is("True")).await
    }

    /// Names of the worker pods. None are left after a stop.
    pub async fn pods(&self) -> Vec<String> {
        match self.status().await["scaling"]["selector"].as_str() {
            Some(selector) => self.cluster.pods(selector).await,
            None => Vec::new(),
        }
    }

    /// Waits until there are so many pods; returns how long that took.
    pub async fn until_pods(&self, count: u32) -> Duration {
        let start = Instant::now();
        let what = format!("there are {count} pods");
        until(&what, PATIENCE, async || (self.pods().await.len() == count as usize).then_some(())).await;
        start.elapsed()
    }

    /// `kubectl scale`, until it is done.
    pub async fn scale(&self, kpus: u32) {
        self.cluster.scale(self.name, kpus).await;
        let what = format!("it runs on {kpus} KPUs");
        self.until(&what, |status| status["status"] == "RUNNING" && status["scaling"]["parallelism"] == kpus).await;
        self.until_pods(kpus).await;
    }

    /// What the job says; none while its coordinator cannot be reached.
    pub async fn job(&self) -> Option<JobStatus> {
        let pods = self.pods().await;
        let first = pods.iter().find(|pod| pod.ends_with("-0"))?;
        serde_json::from_value(self.cluster.ask(first, JOB_API_PORT, "/v1/job").await?).ok()
    }

    /// The incarnation that runs now.
    pub async fn incarnation(&self) -> Incarnation {
        until("the job answers", PATIENCE, async || self.job().await.map(|job| job.incarnation)).await
    }

    /// Waits until a later incarnation has processed a record; returns when it did, in milliseconds since 1970.
    pub async fn first_record_after(&self, incarnation: Incarnation) -> u64 {
        let what = format!("an incarnation after {incarnation} processes a record");
        until(&what, PATIENCE, async || {
            let job = self.job().await?;
            (job.incarnation > incarnation).then_some(())?;
            job.first_record_at_ms
        })
        .await
    }

    /// Kills one engine process of the application's as a machine short of memory would. Where the tests cannot reach
    /// into the node, the pod has to go instead.
    pub async fn kill_engine(&self) {
        let Some(home) = home() else {
            println!("cannot reach into the nodes of this cluster: deleting a pod in place of killing an engine");
            return self.cluster.delete_pod(self.pods().await.last().expect("there is a pod")).await;
        };
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/cluster/in.sh");
        let kill = ["node-1", "pkill", "-KILL", "-o", "-f", "tidemill-worker engine"];
        let status = Command::new(script).arg(home).args(kill).status().expect("run in.sh");
        assert!(status.success(), "no engine process was found to kill");
    }
}

/// A condition of an object.
pub struct Condition(Value);

/// The condition of that type; an empty one if there is none.
pub fn condition(status: &Value, kind: &str) -> Condition {
    Condition(conditions(status).iter().find(|condition| condition["type"] == kind).cloned().unwrap_or_default())
}

/// The first condition of that reason.
pub fn with_reason(status: &Value, reason: &str) -> Option<Condition> {
    conditions(status).iter().find(|condition| condition["reason"] == reason).cloned().map(Condition)
}

fn conditions(status: &Value) -> &[Value] {
    status["conditions"].as_array().map_or(&[], Vec::as_slice)
}

impl Condition {
    pub fn is(&self, status: &str) -> bool {
        self.0["status"] == status
    }

    pub fn reason(&self) -> &str {
        self.0["reason"].as_str().unwrap_or_default()
    }

    pub fn message(&self) -> &str {
        self.0["message"].as_str().unwrap_or_default()
    }
}

pub fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_millis() as u64
}

/// Seconds from one instant to another, for figures.
pub fn seconds(from_ms: u64, to_ms: u64) -> f64 {
    to_ms.saturating_sub(from_ms) as f64 / 1000.0
}
