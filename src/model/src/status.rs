//! What a job answers: the body of `GET /v1/job` on worker 0.
//!
//! The job API (HTTP, JSON, no TLS inside the cluster network; port [`JOB_API_PORT`]):
//!
//! | request | answer |
//! |---|---|
//! | `GET /v1/job?after=REVISION&waitMs=MS` | [`JobStatus`]; with `after`, waits until the revision is higher or the time is over |
//! | `PUT /v1/job` + [`crate::job::JobSpec`] | 202; the job moves to the new spec: rescale, new plan or new settings |
//! | `POST /v1/job/stop` + [`StopRequest`] | 202; phase becomes `Stopping`, then `Stopped` |
//! | `POST /v1/job/snapshots` + [`SnapshotRequest`] | 202; the outcome appears in [`JobStatus::snapshots`] |
//! | `GET /healthz`, `GET /readyz`, `GET /metrics` | every worker serves these; `readyz` is 200 once the worker is connected to its coordinator |
//!
//! Requests are idempotent: repeating one whose reply was lost does nothing new. A refused request is answered with
//! 4xx and a [`ErrorBody`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{CheckpointId, Incarnation};

/// The port of the job API, probes and metrics on every worker.
pub const JOB_API_PORT: u16 = 8080;
/// The port on worker 0 where workers meet their coordinator.
pub const COORDINATOR_PORT: u16 = 8081;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobStatus {
    /// Grows with every change of this status that is more than a counter's.
    pub revision: u64,
    pub phase: JobPhase,
    /// The `version` of the spec that runs.
    pub version: String,
    pub incarnation: Incarnation,
    /// Worker processes that the running incarnation uses.
    pub workers: u32,
    pub threads_per_worker: u32,
    /// Worker processes that are connected.
    pub workers_connected: u32,
    /// How often the engine was started anew after a failure since the coordinator started.
    pub restarts: u64,
    /// What is wrong now, worst first. Empty when all is well.
    pub problems: Vec<Problem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_checkpoint: Option<CheckpointSummary>,
    /// The checkpoint that the running incarnation started from; none for an empty start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restored_from: Option<CheckpointId>,
    /// Checkpoints that failed since the coordinator started.
    pub checkpoints_failed: u64,
    pub checkpoints_completed: u64,
    /// When the running incarnation processed its first record, milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_record_at_ms: Option<u64>,
    pub sources: Vec<SourceStatus>,
    pub sinks: Vec<SinkStatus>,
    /// Rows dropped because they came too late, by the uid of the operator that dropped them, as EXPLAIN names it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub late: BTreeMap<String, u64>,
    /// Outcomes of snapshot requests of this coordinator, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub snapshots: BTreeMap<String, SnapshotOutcome>,
}

/// Where a job is in its life.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum JobPhase {
    /// Waiting for workers, reading state, building the dataflow.
    #[default]
    Starting,
    Running,
    /// Moving to another spec: snapshot, then a new incarnation.
    Rescaling,
    /// The engine failed and is being started anew; the reason is in `problems`.
    Restarting,
    /// Taking the last snapshot.
    Stopping,
    /// No engine runs. With the snapshot that a later start resumes from; none after a forced stop.
    Stopped {
        #[serde(skip_serializing_if = "Option::is_none")]
        snapshot: Option<CheckpointSummary>,
    },
    /// All inputs are bounded and have been read to their ends; results are committed.
    Finished,
    /// Another, newer incarnation owns this application: this coordinator has ended its engines and does nothing more.
    Fenced,
}

/// A fault that a person may want to know of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    pub kind: ProblemKind,
    /// The object it is about: a table, a path, a worker.
    pub object: String,
    /// What was attempted and what came of it, lower case, no full stop.
    pub message: String,
    /// What to do about it, one sentence.
    pub remedy: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}): {}; {}", self.object, self.kind.name(), self.message, self.remedy)
    }
}

impl std::error::Error for Problem {}

/// What a problem is about. Each becomes a condition reason of the same name on the Application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ProblemKind {
    /// Checkpoint storage refuses us or cannot be reached.
    StorageUnavailable,
    /// Checkpoint storage does not keep the promise of conditional create, on which correctness rests.
    StorageUnsupported,
    /// The state to start from is missing, damaged or does not fit the plan.
    StateUnreadable,
    SourceUnreachable,
    /// Records that could not be decoded, under the policy `fail`.
    UndecodableRecord,
    SinkUnreachable,
    /// The table's options are wrong in a way only the connector can see.
    InvalidOption,
    /// An expression failed on data, such as a division by zero.
    ExpressionFailed,
    WorkerLost,
    /// A fault of ours: please report it.
    Internal,
}

impl ProblemKind {
    /// The condition reason.
    pub fn name(self) -> &'static str {
        match self {
            Self::StorageUnavailable => "StorageUnavailable",
            Self::StorageUnsupported => "StorageUnsupported",
            Self::StateUnreadable => "StateUnreadable",
            Self::SourceUnreachable => "SourceUnreachable",
            Self::UndecodableRecord => "UndecodableRecord",
            Self::SinkUnreachable => "SinkUnreachable",
            Self::InvalidOption => "InvalidOption",
            Self::ExpressionFailed => "ExpressionFailed",
            Self::WorkerLost => "WorkerLost",
            Self::Internal => "Internal",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckpointSummary {
    pub id: CheckpointId,
    /// When it was complete, milliseconds since 1970.
    pub completed_at_ms: u64,
    pub duration_ms: u64,
    /// Bytes of state and staged output that it refers to.
    pub bytes: u64,
    /// Path of the manifest, relative to the storage root.
    pub manifest: String,
}

/// One table that the job reads.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceStatus {
    pub table: String,
    pub records: u64,
    pub bytes: u64,
    /// Records that could not be decoded and were skipped under the table's policy.
    pub undecodable: u64,
    /// Records between the position read and the end of the source; absent where the source cannot tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag_records: Option<u64>,
    /// Age of the oldest record not yet read, 0 at the end of the source; absent where the source cannot tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub millis_behind_latest: Option<u64>,
    /// The lowest watermark over the source's active splits, milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watermark_ms: Option<i64>,
    /// Every split has been read to its end.
    pub finished: bool,
}

/// One table that the job writes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SinkStatus {
    pub table: String,
    pub records: u64,
    pub bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StopRequest {
    pub mode: StopMode,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopMode {
    /// Take a snapshot, commit the sinks up to it, then stop. Nothing is read twice after a resume.
    Snapshot,
    /// Stop at once. A resume starts from the last completed checkpoint.
    Force,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotRequest {
    /// Names the request; a repeated name is the same request.
    pub name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SnapshotOutcome {
    InProgress,
    Completed(CheckpointSummary),
    Failed(Problem),
}

/// The body of a refused request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    pub error: String,
}
