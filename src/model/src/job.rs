//! What the operator (or `tidemill run`) asks a job to do.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Incarnation;

/// One application's job, complete: a coordinator needs nothing else to run it. The operator keeps it in a Secret,
/// because table options may hold credentials, and sends a changed one to the running coordinator by `PUT /v1/job`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JobSpec {
    pub application: ApplicationId,
    /// The hash of the behavioural part of the Application. A change means new code, and restarts the engine.
    pub version: String,
    /// Worker processes: one per KPU. A change rescales the job.
    pub workers: u32,
    /// Engine threads in each worker process (`parallelismPerKpu`). A change rescales the job.
    pub threads_per_worker: u32,
    /// The streaming plan, a `tidemill_plan::StreamPlan` as JSON. It is opaque here so that the words stay free of
    /// the types of the data plane.
    pub plan: serde_json::Value,
    /// The WebAssembly modules whose functions the plan calls: in Base64, by SHA-256 in hexadecimal digits.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub modules: BTreeMap<String, String>,
    pub storage: StorageSpec,
    pub checkpoint: CheckpointSpec,
    #[serde(default)]
    pub restore: RestoreSpec,
    #[serde(default)]
    pub restarts: RestartSpec,
}

impl JobSpec {
    /// Engine threads over all workers.
    pub fn parallelism(&self) -> usize {
        self.workers as usize * self.threads_per_worker as usize
    }
}

/// Which application a job belongs to. `uid` is the Kubernetes uid: an application that is deleted and created again
/// under its old name is another one, and starts with a folder of its own in storage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationId {
    pub namespace: String,
    pub name: String,
    pub uid: String,
}

/// Where checkpoints and snapshots are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StorageSpec {
    /// `s3://bucket/prefix` or `file:///folder`. The application's own folder below it is `<namespace>/<name>/<uid>`.
    pub uri: String,
    /// Options of the object store client, by their names in its documentation, such as `endpoint`, `region`,
    /// `allow_http`, `access_key_id`, `secret_access_key`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckpointSpec {
    /// Time from the start of one checkpoint to the start of the next.
    pub interval_ms: u64,
    /// Least time from the end of one checkpoint to the start of the next.
    pub min_pause_ms: u64,
    /// A checkpoint that takes longer is given up; the next one is tried after `min_pause_ms`.
    pub timeout_ms: u64,
    /// Completed checkpoints to keep, at least 1.
    pub keep: u32,
}

impl Default for CheckpointSpec {
    fn default() -> Self {
        Self { interval_ms: 60_000, min_pause_ms: 5_000, timeout_ms: 600_000, keep: 2 }
    }
}

/// Where a job's state comes from when it starts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoreSpec {
    pub from: RestoreFrom,
    /// A `Snapshot` or `Empty` restore is carried out once per number: the job remembers the highest number that it
    /// has carried out in its log of starts, and otherwise restores from the latest checkpoint.
    #[serde(default)]
    pub number: u64,
    /// The highest incarnation that the operator has seen. If storage knows only lower ones, state has been lost or the
    /// storage is another one: the job then refuses to start rather than start empty.
    #[serde(default)]
    pub known_incarnation: Incarnation,
    /// Start although the snapshot holds state that the plan has no place for; that state is dropped.
    #[serde(default)]
    pub allow_non_restored_state: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RestoreFrom {
    /// The latest checkpoint of this application; an empty start only if it never had one.
    #[default]
    Latest,
    /// The manifest at this path, relative to the storage root.
    Snapshot { manifest: String },
    /// No state: sources begin at their starting positions.
    Empty,
}

/// How failures are answered: restart after a delay that doubles from `initial_delay_ms` to `max_delay_ms` and starts
/// anew once the job ran for `reset_after_ms`. Restarts never stop by themselves; a failing job says so in its status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestartSpec {
    pub initial_delay_ms: u64,
    pub max_delay_ms: u64,
    pub reset_after_ms: u64,
}

impl Default for RestartSpec {
    fn default() -> Self {
        Self { initial_delay_ms: 200, max_delay_ms: 30_000, reset_after_ms: 60_000 }
    }
}
