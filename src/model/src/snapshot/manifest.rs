//! What one checkpoint consists of.

use serde::{Deserialize, Serialize};

use crate::job::ApplicationId;
use crate::key_groups::KeyGroupRange;
use crate::{CheckpointId, Epoch, Incarnation};

/// The version of the manifest and of the state files it refers to.
pub const MANIFEST_FORMAT: u32 = 1;

/// A checkpoint, complete: positions of the sources, state of the operators, staged output of the sinks, all at one
/// consistent cut. Immutable once written. Paths are relative to the storage root, so that a snapshot can be read by
/// another application on the same storage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    pub format: u32,
    pub application: ApplicationId,
    /// The application's version that took it.
    pub version: String,
    pub incarnation: Incarnation,
    pub checkpoint: CheckpointId,
    pub epoch: Epoch,
    /// Engine threads that took it.
    pub parallelism: u32,
    /// See [`crate::key_groups::HASH_VERSION`].
    pub hash_version: u32,
    /// Milliseconds since 1970.
    pub created_at_ms: u64,
    pub operators: Vec<OperatorState>,
    pub splits: Vec<SplitState>,
    pub committables: Vec<Committable>,
}

impl Manifest {
    /// Bytes of the files that the manifest refers to.
    pub fn bytes(&self) -> u64 {
        let state = self.operators.iter().flat_map(|operator| &operator.files);
        let staged = self.committables.iter().flat_map(|committable| &committable.chunks);
        state.chain(staged).map(|file| file.bytes).sum()
    }

    /// Every file that the manifest refers to; none of them may be removed while the manifest is needed.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        let state = self.operators.iter().flat_map(|operator| &operator.files);
        let staged = self.committables.iter().flat_map(|committable| &committable.chunks);
        state.chain(staged).map(|file| file.path.as_str())
    }
}

/// The state of one operator on one or more threads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OperatorState {
    /// The operator's uid in the plan.
    pub operator: String,
    /// Names the layout of the operator's state: kind, key and accumulator types. State of another layout is refused.
    pub layout: String,
    pub files: Vec<StateFile>,
    /// How far time had come for the operator on the thread furthest behind, milliseconds since 1970; none for an
    /// operator that does not go by time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watermark_ms: Option<i64>,
}

impl OperatorState {
    /// Takes in what other threads have of the same operator.
    pub fn add(&mut self, other: Self) {
        self.files.extend(other.files);
        self.watermark_ms = least_watermark(self.watermark_ms, other.watermark_ms);
    }
}

/// How far time has come where it has come this far on two threads. One that has none does not hold it back.
pub fn least_watermark(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    one.into_iter().chain(other).min()
}

/// A file in object storage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StateFile {
    pub path: String,
    pub bytes: u64,
    pub rows: u64,
    /// CRC-32 (IEEE) of the content.
    pub crc32: u32,
    /// The key groups that the file may hold rows of.
    pub key_groups: KeyGroupRange,
}

/// How far one split of a source has been read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SplitState {
    /// The source's uid in the plan.
    pub source: String,
    /// The split's id, such as a Kafka partition's number.
    pub split: String,
    /// Where to go on, in the connector's own form.
    pub position: serde_json::Value,
    /// The split's watermark, milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watermark_ms: Option<i64>,
}

/// Output that a sink staged up to the cut, to be made visible once the checkpoint is claimed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Committable {
    /// The sink's uid in the plan.
    pub sink: String,
    /// The engine thread that wrote it. Commits of one slot are made in the order of their checkpoints.
    pub slot: u32,
    pub chunks: Vec<StateFile>,
}

/// Keeps a checkpoint although newer ones exist: the content of `snapshots/<name>.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pin {
    pub checkpoint: CheckpointId,
    pub manifest: String,
    pub bytes: u64,
    pub created_at_ms: u64,
}
