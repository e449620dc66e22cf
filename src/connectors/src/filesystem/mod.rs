//! Files of lines of JSON, CSV or text in a folder or an object store: written exactly once, and looked up in.
//!
//! A writer stages its rows; nothing is visible until a checkpoint is committed. Then each slot's rows become objects
//! `part-<application uid>-<operator>-<slot>-<checkpoint>-<n>.json` (or `.csv`, `.txt`) below the table's path. Name and content follow
//! from the checkpoint, so doing a commit again writes the same objects again: no fencing is needed, and a reader that
//! lists the path sees every row once. An object appears whole or not at all; the objects of one checkpoint appear one
//! after the other.
//!
//! Looking up in a table loads all of its files and keeps their rows in memory ([`crate::lookup`]).
//!
//! Options: `path` (`s3://bucket/prefix`, or a folder or file of this machine), `format` = `json`, `csv` or `raw`, the options
//! of the format, those of looking up, and for S3 `s3.endpoint`, `s3.region`, `s3.access-key`, `s3.secret-key`,
//! `s3.session-token` and `s3.path.style.access`. What is not given comes from the worker's AWS environment.

mod committer;
mod files;
mod lookup;
mod options;
mod records;
mod rows;
mod writer;

use std::sync::Arc;

use arrow_schema::SchemaRef;
use object_store::ObjectStore;
use tidemill_engine::connector::{Committer, Connector, Lookup, Result, Sink, SinkWriter, Source, TaskContext};
use tidemill_model::status::{Problem, ProblemKind};
use tidemill_plan::Table;
use tokio::runtime::{Builder, Runtime};

use crate::formats::{csv, raw};
use crate::options::{Options, invalid, wrong_direction};
use files::Files;
use lookup::FileLookup;
use options::{FileFormat, FilesystemOptions};
use rows::Reading;

pub struct Filesystem;

impl Connector for Filesystem {
    fn source(&self, table: &Table, _: SchemaRef, _: &TaskContext) -> Result<Arc<dyn Source>> {
        Err(wrong_direction(table, "written or looked up in", "read"))
    }

    fn lookup(&self, table: &Table, schema: SchemaRef, _: &TaskContext) -> Result<Arc<dyn Lookup>> {
        let FilesystemOptions { storage, format, lookup: options } = FilesystemOptions::read(table)?;
        let reading = Reading { table: table.clone(), schema, format };
        reading.check()?;
        let files = Arc::new(Files::open(&table.name, &storage)?);
        Ok(Arc::new(FileLookup { files, reading, options }))
    }

    fn sink(&self, table: &Table, schema: SchemaRef, context: &TaskContext) -> Result<Arc<dyn Sink>> {
        Options::new(table).only_appends(context)?;
        let FilesystemOptions { storage, format, .. } = FilesystemOptions::read(table)?;
        match format {
            FileFormat::Csv(_) => csv::check(table, &schema)?,
            FileFormat::Raw => raw::check(table, &schema)?,
            FileFormat::Json(_) => {}
        }
        let store = tidemill_storage::open(&storage).map_err(|problem| {
            invalid(table, format!("the path cannot be opened: {}", problem.message), problem.remedy)
        })?;
        Ok(Arc::new(FilesystemSink { table: table.name.clone(), schema, format, store, context: context.clone() }))
    }
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
    format: FileFormat,
    store: Arc<dyn ObjectStore>,
    context: TaskContext,
}

impl Sink for FilesystemSink {
    fn writer(&self, _: u32) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(writer::LinesWriter::new(self.table.clone(), &self.schema, self.format.clone())))
    }

    fn committer(&self, slot: u32) -> Result<Option<Box<dyn Committer>>> {
        let prefix = format!("part-{}-{}-{slot}", self.context.application_uid, self.context.operator);
        Ok(Some(Box::new(committer::PartCommitter::new(
            self.table.clone(),
            self.store.clone(),
            prefix,
            self.format.extension(),
        )?)))
    }
}

#[cfg(test)]
mod tests;
