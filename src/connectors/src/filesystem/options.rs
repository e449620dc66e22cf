//! A table's options, read and checked once. The same table may be read, written and looked up in, so all are always
//! allowed.

use std::collections::BTreeMap;
use std::time::Duration;

use tidemill_engine::connector::Result;
use tidemill_model::job::StorageSpec;
use tidemill_plan::Table;

use super::completion::{Completion, Trigger};
use super::partitions::Partitioning;
use crate::formats::csv::CsvOptions;
use crate::formats::json::JsonOptions;
use crate::formats::raw;
use crate::lookup::LookupOptions;
use crate::options::Options;

#[derive(Clone, Debug, PartialEq)]
pub struct FilesystemOptions {
    pub storage: StorageSpec,
    pub format: FileFormat,
    pub lookup: LookupOptions,
    /// How often the path is listed for further files; none for a table that ends.
    pub monitor: Option<Duration>,
    pub partitioning: Partitioning,
    /// When folders are told to be complete, if they are.
    pub completion: Option<Completion>,
    /// A file is whole when it has this much.
    pub file_bytes: u64,
}

/// How rows stand in a file.
#[derive(Clone, Debug, PartialEq)]
pub enum FileFormat {
    /// An object on each line.
    Json(JsonOptions),
    Csv(CsvOptions),
    /// Each line is the only column's value.
    Raw,
}

impl FileFormat {
    /// The end of a file's name.
    pub fn extension(&self) -> &'static str {
        match self {
            Self::Json(_) => "json",
            Self::Csv(_) => "csv",
            Self::Raw => "txt",
        }
    }
}

#[derive(Clone, Copy)]
enum Named {
    Json,
    Csv,
    Raw,
}

impl FilesystemOptions {
    pub fn read(table: &Table) -> Result<Self> {
        let options = Options::new(table);
        let storage = storage(&options)?;
        if options.required("format")? == "avro" {
            let reason = "is not supported: files of Avro are containers with blocks, and files here are lines";
            return Err(options.bad_value("format", "avro", reason, "`json` or `csv`"));
        }
        let formats = [("json", Named::Json), ("csv", Named::Csv), ("raw", Named::Raw)];
        let format = match options.choice("format", &formats)?.unwrap_or(Named::Json) {
            Named::Json => FileFormat::Json(JsonOptions::read(&options)?),
            Named::Csv => FileFormat::Csv(CsvOptions::read(&options)?),
            Named::Raw => {
                raw::read_options(&options)?;
                FileFormat::Raw
            }
        };
        let lookup = LookupOptions::read(&options)?;
        let monitor = options.duration("source.monitor-interval")?;
        if monitor == Some(Duration::ZERO) {
            return Err(options.bad_value("source.monitor-interval", "0", "is too short", "one such as `10 s`"));
        }
        options.choice("source.report-statistics", &[("ALL", ()), ("NONE", ())])?;
        let default_name = options.optional("partition.default-name").unwrap_or("__DEFAULT_PARTITION__");
        let partitioning = Partitioning::new(table, default_name.to_string());
        let completion = completion(&options)?;
        let file_bytes = rolling(&options)?;
        for (name, reason) in UNSUPPORTED {
            options.refuse(name, reason, "leave it out")?;
        }
        for (name, reason) in OFF {
            if options.flag(name)? {
                return Err(options.bad_value(name, "true", &format!("is not supported: {reason}"), "`false`"));
            }
        }
        options.finish()?;
        Ok(Self { storage, format, lookup, monitor, partitioning, completion, file_bytes })
    }
}

const UNSUPPORTED: [(&str, &str); 4] = [
    ("compaction.file-size", "files are not put together afterwards"),
    ("compaction.parallelism", "files are not put together afterwards"),
    ("sink.parallelism", "sinks run with the application's parallelism"),
    ("source.path.regex-pattern", "all files below the path are read"),
];

/// What is off by default and cannot be switched on.
const OFF: [(&str, &str); 2] = [
    ("auto-compaction", "files are not put together afterwards"),
    ("sink.shuffle-by-partition.enable", "each thread writes the rows that it has"),
];

/// When a file is whole. Every checkpoint closes all files, so that the times, which can only close them earlier in
/// Flink, too, are always kept.
fn rolling(options: &Options<'_>) -> Result<u64> {
    for name in ["rollover-interval", "inactivity-interval", "check-interval"] {
        options.duration(&format!("sink.rolling-policy.{name}"))?;
    }
    let size = "sink.rolling-policy.file-size";
    match options.bytes(size)?.unwrap_or(128 << 20) {
        0 => Err(options.bad_value(size, "0", "is too small", "one such as `128 mb`")),
        bytes => Ok(bytes),
    }
}

#[derive(Clone, Copy)]
enum NamedTrigger {
    ProcessTime,
    PartitionTime,
}

fn completion(options: &Options<'_>) -> Result<Option<Completion>> {
    let kind = "sink.partition-commit.policy.kind";
    if options.optional(kind).is_some_and(|kinds| kinds.contains("metastore")) {
        return Err(options.invalid(format!("`{kind}` has `metastore`, and there is none"), "set it to `success-file`"));
    }
    let policy = options.choice(kind, &[("success-file", ())])?;
    options.refuse("sink.partition-commit.policy.class", "code cannot be brought along", "use `success-file`")?;
    options.refuse("partition.time-extractor.class", "code cannot be brought along", "use a timestamp-pattern")?;
    let formatter = "partition.time-extractor.timestamp-formatter";
    let remedy = "let `partition.time-extractor.timestamp-pattern` make such as 2026-01-02 03:04:05";
    options.refuse(formatter, "a folder's time is read in one form only", remedy)?;
    options.choice("partition.time-extractor.kind", &[("default", ())])?;
    options.choice("sink.partition-commit.watermark-time-zone", &[("UTC", ())])?;
    let pattern = options.optional("partition.time-extractor.timestamp-pattern").map(str::to_string);
    let triggers = [("process-time", NamedTrigger::ProcessTime), ("partition-time", NamedTrigger::PartitionTime)];
    let trigger = options.choice("sink.partition-commit.trigger", &triggers)?;
    let delay = options.duration("sink.partition-commit.delay")?;
    let file = options.optional("sink.partition-commit.success-file.name").unwrap_or("_SUCCESS").to_string();
    let Some(()) = policy else {
        return match trigger.is_some() || delay.is_some() {
            true => Err(options.invalid(
                format!("it is said when folders are complete, but not by `{kind}` what happens then"),
                format!("set `{kind}` to `success-file`, or leave the other options out"),
            )),
            false => Ok(None),
        };
    };
    if options.table().partition_keys.is_empty() {
        return Err(
            options.invalid(format!("`{kind}` is for tables with folders"), "add PARTITIONED BY, or leave it out")
        );
    }
    let trigger = match trigger.unwrap_or(NamedTrigger::ProcessTime) {
        NamedTrigger::ProcessTime => Trigger::ProcessTime,
        NamedTrigger::PartitionTime => Trigger::PartitionTime { pattern },
    };
    let delay_ms = delay.map_or(0, |delay| i64::try_from(delay.as_millis()).unwrap_or(i64::MAX));
    Ok(Some(Completion { trigger, delay_ms, file }))
}

/// Flink's names for S3's settings, in the words of the object store client.
fn storage(options: &Options<'_>) -> Result<StorageSpec> {
    let uri = uri(options.required("path")?);
    let mut settings = BTreeMap::new();
    let names = [
        ("s3.endpoint", "endpoint"),
        ("s3.region", "region"),
        ("s3.access-key", "access_key_id"),
        ("s3.secret-key", "secret_access_key"),
        ("s3.session-token", "session_token"),
    ];
    for (name, setting) in names {
        if let Some(value) = options.optional(name) {
            settings.insert(setting.to_string(), value.to_string());
        }
    }
    if settings.get("endpoint").is_some_and(|endpoint| endpoint.starts_with("http://")) {
        settings.insert("allow_http".into(), "true".into());
    }
    if let Some(path_style) = options.parsed::<bool>("s3.path.style.access", "`true` or `false`")? {
        settings.insert("virtual_hosted_style_request".into(), (!path_style).to_string());
    }
    Ok(StorageSpec { uri, options: settings })
}

/// The path in the one form that storage takes: Flink's names for S3's clients are the same place, and a path without a
/// scheme is of this machine.
fn uri(path: &str) -> String {
    let local = path.strip_prefix("file:").unwrap_or(path);
    if local.starts_with('/') {
        return format!("file:///{}", local.trim_start_matches('/'));
    }
    match path.strip_prefix("s3a://").or(path.strip_prefix("s3p://")) {
        Some(rest) => format!("s3://{rest}"),
        None => path.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_written_in_several_ways() {
        for path in ["/a/b", "file:/a/b", "file:///a/b"] {
            assert_eq!(uri(path), "file:///a/b");
        }
        for path in ["s3://a/b", "s3a://a/b", "s3p://a/b"] {
            assert_eq!(uri(path), "s3://a/b");
        }
        assert_eq!(uri("hdfs://a/b"), "hdfs://a/b");
    }
}
