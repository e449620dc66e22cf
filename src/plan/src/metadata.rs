//! What the records of a table tell beside its columns, by Flink's keys: where and when a record came, what stands around
//! a row. A column of a table may be declared to have it. The planner checks columns by these lists, and connectors
//! deliver what is in them.
//!
//! The keys of a value's format stand behind `value.` where a record has a key, too.

use arrow_schema::{DataType, TimeUnit};

use crate::{Table, nested};

/// One thing that can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub name: &'static str,
    /// What connectors deliver and take. A column of another type is cast.
    pub data_type: DataType,
    /// Whether it can be written, too.
    pub is_written: bool,
}

/// All keys of a table's connector and format; empty if it tells nothing.
pub fn keys(table: &Table) -> Vec<Key> {
    let format = table.options.get("value.format").or(table.options.get("format"));
    match table.connector.as_str() {
        "kafka" if format.is_some_and(|format| format == "debezium-json") => [kafka(), debezium()].concat(),
        "kafka" | "upsert-kafka" => kafka(),
        "filesystem" => files(),
        _ => Vec::new(),
    }
}

fn read_only(name: &'static str, data_type: DataType) -> Key {
    Key { name, data_type, is_written: false }
}

fn kafka() -> Vec<Key> {
    vec![
        read_only("topic", DataType::Utf8),
        read_only("partition", DataType::Int32),
        Key { name: "headers", data_type: nested::map(DataType::Utf8, DataType::Binary), is_written: true },
        read_only("leader-epoch", DataType::Int32),
        read_only("offset", DataType::Int64),
        Key { name: "timestamp", data_type: time(), is_written: true },
        // `CreateTime`, `LogAppendTime` or `NoTimestampType`.
        read_only("timestamp-type", DataType::Utf8),
    ]
}

fn debezium() -> Vec<Key> {
    vec![
        // The text of the schema that a record is wrapped together with.
        read_only("value.schema", DataType::Utf8),
        // When the change was captured.
        read_only("value.ingestion-timestamp", time()),
        // When the database made the change.
        read_only("value.source.timestamp", time()),
        read_only("value.source.database", DataType::Utf8),
        read_only("value.source.schema", DataType::Utf8),
        read_only("value.source.table", DataType::Utf8),
        read_only("value.source.properties", nested::map(DataType::Utf8, DataType::Utf8)),
    ]
}

fn files() -> Vec<Key> {
    vec![
        read_only("file.path", DataType::Utf8),
        read_only("file.name", DataType::Utf8),
        read_only("file.size", DataType::Int64),
        read_only("file.modification-time", time()),
    ]
}

/// TIMESTAMP_LTZ(3).
fn time() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
}
