//! What the operator says about an Application. It is written only when something changes; the checkpoint and lag
//! at most once a minute. Fast numbers are in Prometheus.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tidemill_model::Incarnation;

use super::common::{Condition, Moment};

/// What is known of an application.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationStatus {
    /// The generation of the spec that this status answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Where the application is in its life, in the words of Amazon's service.
    #[serde(default)]
    pub status: ApplicationPhase,
    #[serde(default)]
    pub version: VersionStatus,
    /// The fencing number of the latest start that the operator has seen. It only grows.
    #[serde(default)]
    #[schemars(with = "u64")]
    pub incarnation: Incarnation,
    /// What is being done at the moment; none when all is as asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
    #[serde(default)]
    pub scaling: ScalingStatus,
    #[serde(default)]
    pub state: StateStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<JobSummary>,
    /// The largest lag of all inputs: how old the oldest record is that has not been read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag: Option<String>,
    /// Lag by input.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<SourceLag>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// Where an application is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ApplicationPhase {
    /// Not running; it can be started.
    #[default]
    Ready,
    Starting,
    Running,
    /// Moving to a new version.
    Updating,
    /// Moving to another number of pods or threads.
    Autoscaling,
    /// Taking a last snapshot, then removing the pods.
    Stopping,
    /// Removing the pods without a snapshot.
    ForceStopping,
    Deleting,
}

/// Versions: short hashes of all in the spec that decides what the job computes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VersionStatus {
    /// The version that the spec asks for; none while the spec is not accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desired: Option<String>,
    /// The version that runs, or ran last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running: Option<String>,
    /// The version whose inputs have all ended and been processed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished: Option<String>,
}

/// A change under way. It is written before its first effect, so that an operator that starts in the middle of it
/// knows what was begun, and since when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    #[serde(rename = "type")]
    pub kind: OperationKind,
    /// What is waited for.
    pub step: String,
    pub started_at: Moment,
    /// After this, the application counts as stalled. The operator goes on trying.
    pub deadline: Moment,
}

/// What a change is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OperationKind {
    Start,
    Update,
    Scale,
    /// New pods: stop with a snapshot, then start.
    Replace,
    Stop,
    ForceStop,
    Delete,
}

/// What the scale subresource shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScalingStatus {
    /// Worker pods there are.
    #[serde(default)]
    pub replicas: u32,
    /// Engine threads over all pods.
    #[serde(default)]
    pub parallelism: u32,
    /// Selects the pods.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub selector: String,
}

/// What the application could be resumed from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StateStatus {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_checkpoint: Option<LastCheckpoint>,
    /// The checkpoint that the running job started from; none for an empty start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restored_from: Option<u64>,
}

/// A completed checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastCheckpoint {
    pub id: u64,
    pub at: Moment,
    pub bytes: u64,
    pub duration_ms: u64,
    /// Its manifest, relative to the storage root.
    pub manifest: String,
}

/// What the running job says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobSummary {
    /// How often the engine was started anew after a failure.
    #[serde(default)]
    pub restarts: u64,
    /// When the running incarnation processed its first record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_record_at: Option<Moment>,
}

/// Lag of one input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SourceLag {
    /// The table's name.
    pub name: String,
    /// `<1s`, `<10s`, `<1m`, `<10m` or `>=10m`.
    pub lag: String,
}
