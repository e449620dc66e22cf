//! The ApplicationSnapshot: a checkpoint that a user keeps. It outlives its Application, so nothing owns it.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::application::Storage;
use super::common::{Condition, LocalRef, Moment};

/// A state of an application, kept until this object is deleted.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "tidemill.dev",
    version = "v1alpha1",
    kind = "ApplicationSnapshot",
    namespaced,
    cel,
    derive = "PartialEq",
    status = "ApplicationSnapshotStatus",
    shortname = "tmsnap",
    category = "tidemill",
    doc = "A state of an Application, kept in storage until this object is deleted; applications can start from it.",
    selectable = ".spec.applicationRef.name",
    selectable = ".status.phase",
    printcolumn(name = "APPLICATION", type_ = "string", json_path = ".spec.applicationRef.name"),
    printcolumn(name = "STATUS", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "CHECKPOINT", type_ = "integer", json_path = ".status.checkpoint"),
    printcolumn(name = "BYTES", type_ = "integer", json_path = ".status.sizeBytes"),
    printcolumn(name = "AGE", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "REASON",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        priority = 1
    ),
    validation = Rule::new("size(self.metadata.name) <= 63").message("a snapshot's name has at most 63 characters")
)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationSnapshotSpec {
    /// The Application whose state is taken: of its running job, or, while it is stopped, its last checkpoint. It cannot
    /// be changed.
    #[x_kube(validation = Rule::new("self == oldSelf").message("applicationRef cannot be changed"))]
    pub application_ref: LocalRef,

    /// Why it was taken, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub description: Option<String>,

    /// Whether the state in storage is given up with this object: `Delete`, or `Retain` to leave it there.
    /// Default: `Delete`.
    #[serde(default)]
    pub deletion_policy: SnapshotDeletionPolicy,
}

/// See [`ApplicationSnapshotSpec::deletion_policy`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SnapshotDeletionPolicy {
    #[default]
    Delete,
    Retain,
}

/// What is known of a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationSnapshotStatus {
    /// The generation of the spec that this status answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    #[serde(default)]
    pub phase: SnapshotPhase,
    /// The uid of the Application it was taken of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application_uid: Option<String>,
    /// The version of the Application that took it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application_version: Option<String>,
    /// The checkpoint's number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<u64>,
    /// Its manifest, relative to the storage root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
    /// Bytes of state and staged output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// When the state was complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken_at: Option<Moment>,
    /// The storage it lies in; none for the operator's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage: Option<Storage>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// Where a snapshot is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SnapshotPhase {
    #[default]
    Creating,
    Ready,
    Deleting,
    Failed,
}
