//! The Stream: a named, typed end that data flows from or to.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::application::StartingPosition;
use super::common::{Condition, LocalRef};

/// Data outside of Tidemill, with its format and columns, to be read or written by Applications.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "tidemill.dev",
    version = "v1alpha1",
    kind = "Stream",
    namespaced,
    cel,
    derive = "PartialEq",
    status = "StreamStatus",
    shortname = "tmstream",
    category = "tidemill",
    doc = "A named, typed end that data flows from or to. Deleting a Stream never deletes the data it stands for.",
    printcolumn(name = "READY", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "CONNECTOR", type_ = "string", json_path = ".status.connector"),
    printcolumn(name = "AGE", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "REASON",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        priority = 1
    ),
    validation = Rule::new("size(self.metadata.name) <= 63").message("a Stream's name has at most 63 characters")
)]
#[x_kube(validation = Rule::new(
    "[has(self.kafka), has(self.generator), has(self.objectStore), has(self.print), has(self.blackhole)].filter(x, x).size() == 1"
).message("set exactly one of kafka, generator, objectStore, print and blackhole"))]
#[serde(rename_all = "camelCase")]
pub struct StreamSpec {
    /// A topic of Apache Kafka, to read or write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kafka: Option<Kafka>,
    /// Made-up records, to read: for trying things out and for tests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generator: Option<Generator>,
    /// Files in object storage, to write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object_store: Option<ObjectStore>,
    /// The workers' standard output, to write: a line per record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub print: Option<Nothing>,
    /// Nowhere, to write: records are counted and dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blackhole: Option<Nothing>,

    /// How records are written as bytes. Default: JSON.
    #[serde(default)]
    pub format: Format,

    /// The columns, in order. Example:
    /// `[{name: page, type: STRING}, {name: at, type: "TIMESTAMP(3)"}, {name: day, expression: "CAST(at AS DATE)"}]`.
    /// A change makes a new version of the Applications that use the Stream.
    #[schemars(length(min = 1, max = 1000))]
    pub columns: Vec<Column>,

    /// How far event time has come, for windows over this Stream. Default: none, and no windows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watermark: Option<StreamWatermark>,

    /// What is promised of records written here. `ExactlyOnce`: each record becomes visible once, with the checkpoint
    /// that covers it. `AtLeastOnce`: at once, and perhaps again after a failure. `None`: at once, and it may be lost.
    /// Default: what suits the provider: `AtLeastOnce` for Kafka, `ExactlyOnce` for files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery_guarantee: Option<DeliveryGuarantee>,

    /// Further options of the table, by their Flink names. Example: `{scan.watermark.idle-timeout: "5 s"}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
}

/// No settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Nothing {}

/// A Kafka topic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Kafka {
    /// Brokers to connect to first. Example: `kafka.kafka.svc:9092`.
    #[schemars(length(min = 1, max = 1024))]
    pub bootstrap_servers: String,
    /// The topic. It must exist.
    #[schemars(length(min = 1, max = 249))]
    pub topic: String,
    /// Where an application's first start begins to read. `TrimHorizon` is the oldest record there is, `Now` the end.
    /// Default: `TrimHorizon`.
    #[serde(default)]
    pub starting_position: StartingPosition,
    /// Client properties, as in librdkafka. Example: `{security.protocol: SASL_SSL}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, String>,
    /// A Secret of the namespace; each of its keys is a client property, such as `sasl.password`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalRef>,
}

/// Made-up records. They follow from the seed and the record's number, so that two runs make the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Generator {
    /// What the records are about. `PageViews` has the columns `page STRING`, `user_id BIGINT`, `viewed_at TIMESTAMP(3)`,
    /// `referrer STRING` and `duration_ms BIGINT`; `columns` may leave some out. Default: `PageViews`.
    #[serde(default)]
    pub kind: GeneratorKind,
    /// Records a second, over all workers. Default: as fast as possible.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub rows_per_second: Option<u64>,
    /// Records to make before the Stream ends. Default: it never ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number_of_rows: Option<u64>,
    /// Another seed makes other records. Default: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Pages that are viewed, some much more often than others. Default: 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000000))]
    pub pages: Option<u64>,
}

/// See [`Generator::kind`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum GeneratorKind {
    #[default]
    PageViews,
}

/// Files in object storage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectStore {
    /// The folder. Example: `s3://bucket/page-counts`.
    #[schemars(regex(pattern = "^(s3|file)://.+$"), length(max = 1024))]
    pub uri: String,
    /// The store's endpoint, for stores other than Amazon S3.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub endpoint: Option<String>,
    /// The store's region.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub region: Option<String>,
    /// A Secret of the namespace with the keys `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and perhaps
    /// `AWS_SESSION_TOKEN`. Default: the workers' own identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalRef>,
}

/// How records are written as bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Format {
    /// `Json`: an object per record, a member per column. Default: `Json`.
    #[serde(default, rename = "type")]
    pub type_: FormatType,
    /// What to do with what cannot be decoded: `Fail` stops at such a record until somebody acts, `Skip` leaves the
    /// record out, or the one field as NULL, and counts it. Default: `Fail`.
    #[serde(default)]
    pub on_error: ErrorPolicy,
    /// How timestamps look: `Sql` is `2026-01-31 23:59:59.123`, `Iso8601` is `2026-01-31T23:59:59.123`. Default: `Sql`.
    #[serde(default)]
    pub timestamps: TimestampFormat,
}

/// See [`Format::type_`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum FormatType {
    #[default]
    Json,
}

/// See [`Format::on_error`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ErrorPolicy {
    #[default]
    Fail,
    Skip,
}

/// See [`Format::timestamps`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TimestampFormat {
    #[default]
    Sql,
    Iso8601,
}

/// A column: physical, with a type, or computed, with an expression.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new("has(self.type) != has(self.expression)").message("a column has either a type or an expression"))]
#[serde(rename_all = "camelCase")]
pub struct Column {
    /// The column's name.
    #[schemars(length(min = 1, max = 255))]
    pub name: String,
    /// A SQL type, such as `STRING`, `BIGINT`, `DOUBLE`, `BOOLEAN`, `TIMESTAMP(3)`, `TIMESTAMP_LTZ(3)`. What comes beside
    /// a record is told by METADATA behind it, as in CREATE TABLE. Example: `TIMESTAMP_LTZ(3) METADATA FROM 'timestamp'`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub type_: Option<String>,
    /// A SQL expression over the physical columns. Example: `TO_TIMESTAMP_LTZ(at_ms, 3)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub expression: Option<String>,
}

/// How far event time has come, told from the records.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new("!(has(self.delay) && has(self.expression))").message("set at most one of watermark.delay and watermark.expression"))]
#[serde(rename_all = "camelCase")]
pub struct StreamWatermark {
    /// The column with event time: a TIMESTAMP or TIMESTAMP_LTZ.
    #[schemars(length(min = 1, max = 255))]
    pub column: String,
    /// How late records may be. Example: `5s`. Default: `0s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[0-9]{1,9}(ms|s|m|h)$"))]
    pub delay: Option<String>,
    /// A SQL expression in place of `column` minus `delay`. Example: `at - INTERVAL '5' SECOND`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub expression: Option<String>,
}

/// See [`StreamSpec::delivery_guarantee`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeliveryGuarantee {
    ExactlyOnce,
    AtLeastOnce,
    None,
}

/// What is known of a Stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StreamStatus {
    /// The generation of the spec that this status answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The connector that reads or writes it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub connector: String,
    /// Applications that name the Stream.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub used_by: Vec<StreamUse>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// An Application that names a Stream.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct StreamUse {
    /// The Application's name.
    pub application: String,
    /// Whether it reads or writes.
    #[serde(rename = "as")]
    pub as_: String,
}
