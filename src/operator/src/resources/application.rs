//! The Application: streaming SQL that is to run, and how.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::application_status::ApplicationStatus;
use super::common::LocalRef;
use super::function::FunctionSource;

/// Streaming SQL that the operator runs on workers, one pod per KPU.
///
/// Changes of `code`, `inputs`, `outputs`, `checkpoint`, `restartEpoch` or a new `restore.number` make a new version:
/// the job takes a snapshot and goes on with the new version from there, in the same pods. A change of `scaling`
/// moves the job to another number of pods, state included. A change of `image`, `podTemplate`, `logLevel` or
/// `serviceAccountName` stops the job with a snapshot and starts it in new pods. Other changes interrupt nothing.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "tidemill.dev",
    version = "v1alpha1",
    kind = "Application",
    namespaced,
    cel,
    derive = "PartialEq",
    status = "ApplicationStatus",
    shortname = "tmapp",
    category = "tidemill",
    doc = "Streaming SQL that Tidemill runs: it reads Streams, computes, and writes Streams.",
    scale(
        spec_replicas_path = ".spec.scaling.kpus",
        status_replicas_path = ".status.scaling.replicas",
        label_selector_path = ".status.scaling.selector"
    ),
    printcolumn(name = "STATUS", type_ = "string", json_path = ".status.status"),
    printcolumn(name = "READY", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "VERSION", type_ = "string", json_path = ".status.version.running"),
    printcolumn(name = "KPUS", type_ = "integer", json_path = ".status.scaling.replicas"),
    printcolumn(name = "LAG", type_ = "string", json_path = ".status.lag"),
    printcolumn(name = "CHECKPOINT", type_ = "date", json_path = ".status.state.lastCheckpoint.at"),
    printcolumn(name = "AGE", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "DESIRED", type_ = "string", json_path = ".status.version.desired", priority = 1),
    printcolumn(name = "RESTARTS", type_ = "integer", json_path = ".status.job.restarts", priority = 1),
    printcolumn(
        name = "REASON",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        priority = 1
    ),
    validation = Rule::new("size(self.metadata.name) <= 45")
        .message("an Application's name has at most 45 characters, to leave room for the names of its pods")
)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationSpec {
    /// Which language and runtime the code is written for. `TIDEMILL-1_0` is streaming SQL in Flink's dialect on the
    /// bundled runtime, and the only one at present. Default: `TIDEMILL-1_0`.
    #[serde(default)]
    pub runtime_environment: RuntimeEnvironment,

    /// Whether the application should run. `Stopped` stops it as `stopPolicy` says and leaves no pods; `Running` goes
    /// on exactly where it stopped. Default: `Running`.
    #[serde(default)]
    pub state: DesiredState,

    /// How to stop. `Snapshot` takes a snapshot and commits all output up to it, so that nothing is read twice after a
    /// resume. `Force` stops at once; a resume starts from the last completed checkpoint. It may be changed while a
    /// stop is under way, to end one that is stuck. Default: `Snapshot`.
    #[serde(default)]
    pub stop_policy: StopPolicy,

    /// The SQL. Exactly one of its fields is set.
    pub code: Code,

    /// The Streams that the code reads, each under the name that it has there. Tables can also be created in the SQL
    /// itself; those need no entry. Example: `[{name: page_views, streamRef: {name: page-views}}]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[schemars(length(max = 64))]
    pub inputs: Vec<Input>,

    /// The Streams that the code writes, each under the name that it has there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[schemars(length(max = 64))]
    pub outputs: Vec<Output>,

    /// WebAssembly modules that `CREATE FUNCTION` in the SQL can name, as a class or as a file. They see no clock, files or
    /// network, and together have at most 512 KiB. A change makes a new version.
    /// Example: `[{name: count_char.wasm, configMapKeyRef: {name: my-functions, key: count_char.wasm}}]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[schemars(length(max = 64))]
    pub functions: Vec<FunctionSource>,

    /// How much to run on.
    #[serde(default)]
    pub scaling: Scaling,

    /// Automatic checkpoints, from which the job recovers by itself.
    #[serde(default)]
    pub checkpoint: Checkpoint,

    /// What state to start from. Needed only for departures from the rule that an application goes on from its latest
    /// checkpoint.
    #[serde(default)]
    #[x_kube(validation = Rule::new("self.number >= oldSelf.number").message("restore.number only grows"))]
    pub restore: Restore,

    /// Raise it to restart the job once: it takes a snapshot and goes on from it. An application whose inputs have
    /// ended runs again. Default: 0.
    #[serde(default)]
    #[x_kube(validation = Rule::new("self >= oldSelf").message("restartEpoch only grows"))]
    pub restart_epoch: u32,

    /// What becomes of the state when this object is deleted. `SnapshotThenDelete` takes a last snapshot, kept as an
    /// ApplicationSnapshot named `<application>-final-<uid>`, from which another application can start.
    /// `RetainState` takes none and leaves all checkpoints in storage. `Delete` removes them, except what
    /// ApplicationSnapshots keep. Nothing of it holds the deletion up for more than a minute.
    /// When the whole namespace is deleted, no snapshot is taken, and the checkpoints stay in storage. Default: `SnapshotThenDelete`.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,

    /// The ServiceAccount that the workers run under, for instance one with a cloud identity. Its API token is not
    /// mounted. Default: a ServiceAccount with the application's name and no rights. A change replaces the pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub service_account_name: Option<String>,

    /// The image of the workers. Default: the operator's own. A change replaces the pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub image: Option<String>,

    /// How much the workers log. Default: `Info`. A change replaces the pods.
    #[serde(default)]
    pub log_level: LogLevel,

    /// Settings of the worker pods. A change replaces the pods.
    #[serde(default)]
    pub pod_template: PodTemplate,
}

/// See [`ApplicationSpec::runtime_environment`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RuntimeEnvironment {
    #[default]
    #[serde(rename = "TIDEMILL-1_0")]
    Tidemill1_0,
}

/// See [`ApplicationSpec::state`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DesiredState {
    #[default]
    Running,
    Stopped,
}

/// See [`ApplicationSpec::stop_policy`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum StopPolicy {
    #[default]
    Snapshot,
    Force,
}

/// Where the SQL is.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new("has(self.sql) != has(self.sqlFrom)").message("set exactly one of code.sql and code.sqlFrom"))]
#[serde(rename_all = "camelCase")]
pub struct Code {
    /// The SQL text: statements separated by semicolons. A change makes a new version.
    /// Example: `INSERT INTO page_counts SELECT page, COUNT(*) FROM page_views GROUP BY page`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 102400))]
    pub sql: Option<String>,

    /// Takes the SQL text from another object of the namespace. A change of the text there makes a new version, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sql_from: Option<SqlFrom>,
}

/// An object that holds SQL.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SqlFrom {
    /// A key of a ConfigMap.
    pub config_map_key_ref: ConfigMapKeyRef,
}

/// A key of a ConfigMap of the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigMapKeyRef {
    /// The ConfigMap's name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The key in its `data`, or for a module in its `binaryData`.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// A Stream that is read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// The table's name in the SQL.
    #[schemars(regex(pattern = "^[A-Za-z_][A-Za-z0-9_]*$"), length(max = 63))]
    pub name: String,
    /// The Stream.
    pub stream_ref: LocalRef,
    /// Where the first start begins to read; later starts go on from the application's state. `TrimHorizon` is the
    /// oldest record there is, `Now` the end. Default: what the Stream says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starting_position: Option<StartingPosition>,
    /// Further options of the table, by their Flink names; they win over the Stream's.
    /// Example: `{properties.fetch.min.bytes: "65536"}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
}

/// A Stream that is written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// The table's name in the SQL.
    #[schemars(regex(pattern = "^[A-Za-z_][A-Za-z0-9_]*$"), length(max = 63))]
    pub name: String,
    /// The Stream.
    pub stream_ref: LocalRef,
    /// Further options of the table, by their Flink names; they win over the Stream's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
}

/// Where reading begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum StartingPosition {
    #[default]
    TrimHorizon,
    Now,
}

/// How much an application runs on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Scaling {
    /// Worker pods. This is what `kubectl scale` and a HorizontalPodAutoscaler set. 0 stops the application as
    /// `state: Stopped` does, and it goes on when the number is raised. Default: 1.
    #[serde(default = "one")]
    #[schemars(range(max = 256))]
    pub kpus: u32,

    /// Engine threads in each worker pod. More than one suits work that waits, or pods with more than one processor.
    /// Default: 1.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 8))]
    pub parallelism_per_kpu: u32,
}

fn one() -> u32 {
    1
}

impl Default for Scaling {
    fn default() -> Self {
        Self { kpus: 1, parallelism_per_kpu: 1 }
    }
}

/// How and where checkpoints are taken. Durations are a number and a unit: `500ms`, `60s`, `10m`, `1h`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Checkpoint {
    /// Time from the start of one checkpoint to the start of the next. It is also how long exactly-once output waits
    /// before it becomes visible. Default: `60s`.
    #[serde(default = "Checkpoint::default_interval")]
    #[schemars(regex(pattern = "^[0-9]{1,9}(ms|s|m|h)$"))]
    pub interval: String,

    /// Least time from the end of one checkpoint to the start of the next. Default: `5s`.
    #[serde(default = "Checkpoint::default_min_pause")]
    #[schemars(regex(pattern = "^[0-9]{1,9}(ms|s|m|h)$"))]
    pub min_pause: String,

    /// A checkpoint that takes longer is given up, and the next one tried after `minPause`. Default: `10m`.
    #[serde(default = "Checkpoint::default_timeout")]
    #[schemars(regex(pattern = "^[0-9]{1,9}(ms|s|m|h)$"))]
    pub timeout: String,

    /// Completed checkpoints to keep in storage. Default: 2.
    #[serde(default = "Checkpoint::default_keep")]
    #[schemars(range(min = 1, max = 100))]
    pub keep: u32,

    /// Where checkpoints and snapshots are kept. Default: the storage that the operator was installed with; without
    /// one, it has to be set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage: Option<Storage>,
}

impl Checkpoint {
    fn default_interval() -> String {
        "60s".into()
    }

    fn default_min_pause() -> String {
        "5s".into()
    }

    fn default_timeout() -> String {
        "10m".into()
    }

    fn default_keep() -> u32 {
        2
    }
}

impl Default for Checkpoint {
    fn default() -> Self {
        Self {
            interval: Self::default_interval(),
            min_pause: Self::default_min_pause(),
            timeout: Self::default_timeout(),
            keep: Self::default_keep(),
            storage: None,
        }
    }
}

/// A place in object storage. The store must support conditional create (`If-None-Match: *`), as Amazon S3 does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Storage {
    /// `s3://bucket/prefix`, or `file:///folder` for a folder that all workers share. Many applications may use the
    /// same place; each has a folder of its own in it. A job does not take its state along when this changes.
    #[schemars(regex(pattern = "^(s3|file)://.+$"), length(max = 1024))]
    pub uri: String,

    /// The store's endpoint, for stores other than Amazon S3. Example: `http://store.storage.svc:9000`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub endpoint: Option<String>,

    /// The store's region. Example: `eu-central-1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub region: Option<String>,

    /// A Secret of the namespace with credentials: keys are names of client options, such as `AWS_ACCESS_KEY_ID` and
    /// `AWS_SECRET_ACCESS_KEY`. Default: the workers' own identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalRef>,

    /// Further options of the object store client. Example: `{virtual_hosted_style_request: "true"}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
}

/// What state to start from.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(
    validation = Rule::new("self.from != 'Snapshot' || has(self.snapshotRef)").message("restore.from: Snapshot needs restore.snapshotRef"),
    validation = Rule::new("self.from == 'Latest' || self.number > 0").message("restore.from: Snapshot or Empty needs a restore.number above 0: it is carried out once per number")
)]
#[serde(rename_all = "camelCase")]
pub struct Restore {
    /// `Latest`: the application's latest checkpoint, and an empty start only if it never had one. `Snapshot`: the
    /// snapshot in `snapshotRef`. `Empty`: no state, inputs begin at their starting positions. The latter two are
    /// carried out once per `number`. Default: `Latest`.
    #[serde(default)]
    pub from: RestoreSource,

    /// The ApplicationSnapshot to start from; of this or another application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot_ref: Option<LocalRef>,

    /// Raise it to carry out `from` once more. It never falls. Default: 0.
    #[serde(default)]
    pub number: u32,

    /// Start although the state holds something that the code has no place for any more, and drop that.
    /// Default: false.
    #[serde(default)]
    pub allow_non_restored_state: bool,
}

/// See [`Restore::from`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RestoreSource {
    #[default]
    Latest,
    Snapshot,
    Empty,
}

/// See [`ApplicationSpec::deletion_policy`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    #[default]
    SnapshotThenDelete,
    RetainState,
    Delete,
}

/// See [`ApplicationSpec::log_level`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LogLevel {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
}

/// Settings of the worker pods.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodTemplate {
    /// Labels for the pods, besides Tidemill's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations for the pods.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Labels that a node must have. Example: `{kubernetes.io/arch: amd64}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<String, String>,
    /// Taints of nodes that the pods put up with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub tolerations: Vec<Toleration>,
    /// Secrets with credentials for pulling the image.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub image_pull_secrets: Vec<LocalRef>,
    /// What one KPU is: requested and limited. Default: what the operator was installed with, normally one processor
    /// and 4 GiB of memory.
    #[serde(default)]
    pub resources: KpuResources,
}

/// A taint that pods put up with, as in a pod's `tolerations`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Toleration {
    /// The taint's key; none for every taint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// `Exists` or `Equal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// The taint's value, with `Equal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`; none for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<String>,
    /// For how long a `NoExecute` taint is put up with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub toleration_seconds: Option<i64>,
}

/// What one worker pod gets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KpuResources {
    /// Processors. Example: `500m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[0-9]+(\\.[0-9]+)?m?$"))]
    pub cpu: Option<String>,
    /// Memory. Example: `2Gi`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[0-9]+(\\.[0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)?$"))]
    pub memory: Option<String>,
}
