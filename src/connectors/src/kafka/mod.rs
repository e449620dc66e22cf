//! Kafka tables: the records of one topic, read with positions of our own and written with the guarantee asked for.
//!
//! `kafka` tables have rows, or with `format` = `debezium-json` changes of rows. An `upsert-kafka` table holds the last
//! row of each primary key, which is the records' key; a record without value (a tombstone) deletes it. It has
//! `key.format` and `value.format` instead of `format`, and is always read from the topic's beginning. The key's columns
//! are taken from the key, whatever the value says.
//!
//! Options of a format may have `key.` or `value.` before their names, as the option has that names the format.
//!
//! Options, by Flink's names:
//!
//! | option | meaning | default |
//! |---|---|---|
//! | `topic` | one topic | required |
//! | `properties.bootstrap.servers` | brokers | required |
//! | `properties.*` | passed to librdkafka; what this connector must own is refused | |
//! | `format` (or `value.format`) | `json`; see [`crate::formats::json`] for `json.*`. `csv`, `raw`, `avro` ([`crate::formats::avro`]). `debezium-json` with the same options, and `debezium-json.schema-include` | required |
//! | `scan.startup.mode` | `group-offsets`, `earliest-offset`, `latest-offset`, `timestamp` | see below |
//! | `scan.startup.timestamp-millis` | for `timestamp` | |
//! | `scan.bounded.mode` | `unbounded`, `latest-offset` (the end as it is at the first start) | `unbounded` |
//! | `sink.delivery-guarantee` | `at-least-once`, `exactly-once`, `none` | `at-least-once` |
//! | `sink.transactional-id-prefix` | for `exactly-once` | `tidemill` |
//! | `key.fields`, `key.format` | written records have these columns as key; `;` between names, `json`, `csv`, `raw` or `avro` | no key |
//! | `sink.partitioner` | `default` and `round-robin`: by the hash of the key, without one a batch of records at a time. `fixed`: each thread writes to one partition | `default` |
//! | `value.fields-include` | `ALL`, `EXCEPT_KEY` (sinks only): whether the value repeats the key's columns | `ALL` |
//!
//! **Metadata** (columns declared with METADATA): `topic`, `partition`, `headers`, `leader-epoch`, `offset`, `timestamp` and
//! `timestamp-type` are read; `timestamp` and `headers` are written, too. With debezium-json there are also
//! `value.ingestion-timestamp` and `value.source.*`; see [`tidemill_plan::metadata`].
//!
//! **Where reading starts.** Positions live in snapshots, so this is only about a first start. Flink's default is
//! `group-offsets`, which fails there unless `properties.group.id` is set. Here the default is `group-offsets` with a
//! group, and `earliest-offset` without one. A partition for which the group has no offset starts at the earliest
//! record, or where `properties.auto.offset.reset` says. With a group, completed checkpoints are committed to it for
//! lag displays; nothing is ever read back from there once there is a snapshot.
//!
//! **Partitions that are added** while the table is read are found by `scan.topic-partition-discovery.interval` (`5 min`,
//! `0` for never), or at the next start, and are read from their beginning wherever the others began.
//!
//! **What is not there.** TLS and SASL (this build of librdkafka has neither), zstd, topic lists and patterns.

mod beside;
mod client;
mod config;
mod delivery;
mod live;
mod metadata;
mod offsets;
mod options;
mod outbox;
mod partition;
mod queue;
mod reader;
mod records;
mod sink;
mod source;
mod trouble;

use std::sync::Arc;

use arrow_schema::SchemaRef;
use tidemill_engine::connector::{Connector, Result, Sink, Source, TaskContext};
use tidemill_plan::Table;

use crate::options::Options;
use options::{KafkaOptions, Records};

pub struct Kafka;

impl Connector for Kafka {
    fn source(&self, table: &Table, schema: SchemaRef, context: &TaskContext) -> Result<Arc<dyn Source>> {
        let options = KafkaOptions::read(table)?;
        Ok(Arc::new(source::KafkaSource::new(table, schema, options, context)?))
    }

    fn sink(&self, table: &Table, schema: SchemaRef, context: &TaskContext) -> Result<Arc<dyn Sink>> {
        let options = KafkaOptions::read(table)?;
        if options.records == Records::Rows {
            Options::new(table).only_appends(context)?;
        }
        Ok(Arc::new(sink::KafkaSink::new(table, schema, options, context)?))
    }
}
