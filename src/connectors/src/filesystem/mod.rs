//! Files of lines of JSON, CSV or text in a folder or an object store: written exactly once, read, and
//! looked up in.
//!
//! A writer stages its rows; nothing is visible until a checkpoint is committed. Then each slot's rows become objects
//! `part-<application uid>-<operator>-<slot>-<checkpoint>-<n>.json` (or `.csv`, `.txt`) below the table's path. Name and content follow
//! from the checkpoint, so doing a commit again writes the same objects again: no fencing is needed, and a reader that
//! lists the path sees every row once. An object appears whole or not at all; the objects of one checkpoint appear one
//! after the other.
//!
//! A partitioned table's rows are put into folders by value ([`partitions`]), and a folder may get a file that tells that it
//! is complete ([`completion`]).
//!
//! A table is read file by file, up to the files that are there at the start or for ever ([`source`]).
//!
//! Metadata (columns declared with METADATA) is read: `file.path`, `file.name`, `file.size` and `file.modification-time`.
//!
//! Looking up in a table loads all of its files and keeps their rows in memory ([`crate::lookup`]).
//!
//! Options: `path` (`s3://bucket/prefix`, or a folder or file of this machine), `format` = `json`, `csv` or `raw`, the options
//! of the format, those of looking up, `source.monitor-interval`, `sink.rolling-policy.file-size` (a file is closed by every checkpoint, too, so that
//! the policy's times are always kept), `partition.default-name`, `sink.partition-commit.*` with the policy `success-file`,
//! `partition.time-extractor.timestamp-pattern`, and for S3 `s3.endpoint`, `s3.region`, `s3.access-key`, `s3.secret-key`,
//! `s3.session-token` and `s3.path.style.access`. What is not given comes from the worker's AWS environment.

mod committer;
mod completion;
mod files;
mod lookup;
mod metadata;
mod options;
mod partitions;
mod parts;
mod records;
mod rows;
mod source;
mod writer;

use std::sync::Arc;

use arrow_schema::SchemaRef;
use object_store::ObjectStore;
use tidemill_engine::connector::{Committer, Connector, Lookup, Result, Sink, SinkWriter, Source, TaskContext};
use tidemill_model::status::{Problem, ProblemKind};
use tidemill_plan::Table;
use tokio::runtime::{Builder, Runtime};

use crate::formats::{csv, raw};
use crate::options::{Options, invalid};
use committer::{Completing, PartCommitter};
use files::Files;
use lookup::FileLookup;
use metadata::FileColumns;
use options::{FileFormat, FilesystemOptions};
use rows::Reading;
use source::FileSource;
use writer::{LinesWriter, Staging};

pub struct Filesystem;

impl Connector for Filesystem {
    fn source(&self, table: &Table, schema: SchemaRef, _: &TaskContext) -> Result<Arc<dyn Source>> {
        let options = FilesystemOptions::read(table)?;
        let (files, reading) = opened(table, schema, &options)?;
        Ok(Arc::new(FileSource::new(files, reading, options.monitor)))
    }

    fn lookup(&self, table: &Table, schema: SchemaRef, _: &TaskContext) -> Result<Arc<dyn Lookup>> {
        let options = FilesystemOptions::read(table)?;
        let (files, reading) = opened(table, schema, &options)?;
        Ok(Arc::new(FileLookup { files, reading, options: options.lookup }))
    }

    fn sink(&self, table: &Table, schema: SchemaRef, context: &TaskContext) -> Result<Arc<dyn Sink>> {
        Options::new(table).only_appends(context)?;
        let options = FilesystemOptions::read(table)?;
        let stored = options.partitioning.stored(&schema);
        let stored =
            Arc::new(schema.project(&stored).map_err(|error| invalid(table, error.to_string(), "report this"))?);
        match options.format {
            FileFormat::Csv(_) => csv::check(table, &stored)?,
            FileFormat::Raw => raw::check(table, &stored)?,
            FileFormat::Json(_) => {}
        }
        let store = tidemill_storage::open(&options.storage).map_err(|problem| {
            invalid(table, format!("the path cannot be opened: {}", problem.message), problem.remedy)
        })?;
        Ok(Arc::new(FilesystemSink { table: table.name.clone(), schema, options, store, context: context.clone() }))
    }
}

/// The files of a table that is read, and how they are.
fn opened(table: &Table, schema: SchemaRef, options: &FilesystemOptions) -> Result<(Arc<Files>, Reading)> {
    let FilesystemOptions { storage, format, partitioning, .. } = options.clone();
    let told = FileColumns::new(table, &schema)?;
    let reading = Reading { table: table.clone(), schema, format, partitioning, told };
    reading.check()?;
    Ok((Arc::new(Files::open(&table.name, &storage)?), reading))
}

/// What waits for a store's answers.
fn runtime(table: &str) -> Result<Runtime> {
    Builder::new_current_thread().enable_all().build().map_err(|error| Problem {
        kind: ProblemKind::Internal,
        object: table.to_string(),
        message: format!("failed to start a runtime for reading and writing files: {error}"),
        remedy: "check the process's limits on threads and files".into(),
    })
}

struct FilesystemSink {
    table: String,
    schema: SchemaRef,
    options: FilesystemOptions,
    store: Arc<dyn ObjectStore>,
    context: TaskContext,
}

impl Sink for FilesystemSink {
    fn writer(&self, _: u32) -> Result<Box<dyn SinkWriter>> {
        let FilesystemOptions { format, partitioning, completion, file_bytes, .. } = self.options.clone();
        let staging = Staging { partitioning, has_notes: completion.is_some(), file_bytes, clock: now_ms };
        Ok(Box::new(LinesWriter::new(self.table.clone(), &self.schema, format, staging)))
    }

    fn committer(&self, slot: u32) -> Result<Option<Box<dyn Committer>>> {
        let FilesystemOptions { format, partitioning, completion, file_bytes, .. } = self.options.clone();
        let name = format!("{}-{}", self.context.application_uid, self.context.operator);
        let completing = completion.map(|completion| Completing {
            completion,
            notes: format!("_tidemill/{name}"),
            slot,
            slots: self.context.parallelism as u32,
            clock: now_ms,
        });
        Ok(Some(Box::new(PartCommitter {
            table: self.table.clone(),
            store: self.store.clone(),
            prefix: format!("part-{name}-{slot}"),
            extension: format.extension(),
            file_bytes,
            partitioning,
            completing,
            runtime: runtime(&self.table)?,
        })))
    }
}

fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as i64)
}

#[cfg(test)]
mod tests;
