//! A sink that writes lines of JSON or CSV to a folder or an object store, exactly once.
//!
//! A writer stages its rows; nothing is visible until a checkpoint is committed. Then each slot's rows become objects
//! `part-<application uid>-<operator>-<slot>-<checkpoint>-<n>.json` (or `.csv`) below the table's path. Name and content follow
//! from the checkpoint, so doing a commit again writes the same objects again: no fencing is needed, and a reader that
//! lists the path sees every row once. An object appears whole or not at all; the objects of one checkpoint appear one
//! after the other.
//!
//! Options: `path` (`s3://bucket/prefix` or `file:///folder`), `format` = `json` or `csv`, the options of the format, and for S3
//! `s3.endpoint`, `s3.region`, `s3.access-key`, `s3.secret-key`, `s3.session-token` and `s3.path.style.access`. What is
//! not given comes from the worker's AWS environment.

mod committer;
mod writer;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use object_store::ObjectStore;
use tidemill_engine::connector::{Committer, Connector, Result, Sink, SinkWriter, Source, TaskContext};
use tidemill_model::job::StorageSpec;
use tidemill_plan::Table;

use crate::formats::csv::{self, CsvOptions};
use crate::formats::json::JsonOptions;
use crate::options::{Options, wrong_direction};
use writer::Lines;

pub struct Filesystem;

impl Connector for Filesystem {
    fn source(&self, table: &Table, _: SchemaRef, _: &TaskContext) -> Result<Arc<dyn Source>> {
        Err(wrong_direction(table, "written", "read"))
    }

    fn sink(&self, table: &Table, schema: SchemaRef, context: &TaskContext) -> Result<Arc<dyn Sink>> {
        let options = Options::new(table);
        options.only_appends(context)?;
        let storage = storage(&options)?;
        options.required("format")?;
        let lines = match options.choice("format", &[("json", false), ("csv", true)])? {
            Some(true) => {
                csv::check(table, &schema)?;
                Lines::Csv(CsvOptions::read(&options)?)
            }
            _ => Lines::Json(JsonOptions::read(&options)?),
        };
        options.finish()?;
        let store = tidemill_storage::open(&storage).map_err(|problem| {
            options.invalid(format!("the path cannot be opened: {}", problem.message), problem.remedy)
        })?;
        Ok(Arc::new(FilesystemSink { table: table.name.clone(), schema, lines, store, context: context.clone() }))
    }
}

/// Flink's names for S3's settings, in the words of the object store client.
fn storage(options: &Options<'_>) -> Result<StorageSpec> {
    let uri = options.required("path")?;
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
    Ok(StorageSpec { uri: uri.into(), options: settings })
}

struct FilesystemSink {
    table: String,
    schema: SchemaRef,
    lines: Lines,
    store: Arc<dyn ObjectStore>,
    context: TaskContext,
}

impl Sink for FilesystemSink {
    fn writer(&self, _: u32) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(writer::LinesWriter::new(self.table.clone(), &self.schema, self.lines.clone())))
    }

    fn committer(&self, slot: u32) -> Result<Option<Box<dyn Committer>>> {
        let prefix = format!("part-{}-{}-{slot}", self.context.application_uid, self.context.operator);
        Ok(Some(Box::new(committer::PartCommitter::new(
            self.table.clone(),
            self.store.clone(),
            prefix,
            self.lines.extension(),
        )?)))
    }
}

#[cfg(test)]
mod tests;
