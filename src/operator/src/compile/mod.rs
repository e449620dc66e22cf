//! From resources to a job: an Application, the Streams and other objects that it names, in; a complete [`JobSpec`] or
//! every reason against it, out. Pure, and the same for the operator and for `tidemill run`. Secret values go into the
//! job and nowhere else: no rejection ever quotes one.

mod documents;
mod duration;
mod functions;
mod references;
mod rejection;
mod table;
mod version;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use kube::ResourceExt;
use tidemill_model::Incarnation;
use tidemill_model::job::{ApplicationId, CheckpointSpec, JobSpec, RestartSpec, RestoreFrom, RestoreSpec, StorageSpec};
use tidemill_plan::growth;
use tidemill_sql::{Catalog, FunctionModule, SqlError, TableDefinition};

pub use documents::{Documents, LoadError, load, secret_entries};
pub use duration::parse_millis;
pub use functions::GivenModule;
pub use references::{References, config_map_names, input_streams, secret_names, snapshot_name};
pub use rejection::{Rejection, RejectionReason};
pub use table::{TableUse, connector_name, table_definition};

use crate::resources::{Application, Checkpoint, RestoreSource, Storage, Stream};

/// The namespace of objects that do not say theirs, as in files for `tidemill run`.
pub const DEFAULT_NAMESPACE: &str = "default";

/// An accepted Application: all that can be known before running it.
#[derive(Clone, Debug, PartialEq)]
pub struct CompiledJob {
    /// Ready to be handed to a coordinator. Holds secrets: it must not be logged.
    pub job: JobSpec,
    /// What the user should know although the job can run.
    pub warnings: Vec<String>,
    /// Which operators keep more and more, and what would bound that.
    pub growing: Vec<String>,
}

/// Compiles an Application. Every fault found is named; the list is never empty.
pub fn job(app: &Application, streams: &[Stream], references: &References) -> Result<CompiledJob, Vec<Rejection>> {
    let mut rejections = Vec::new();
    let sql = collect(references::sql_text(app, references), &mut rejections);
    let tables = collect_all(table::catalog(app, streams, references), &mut rejections);
    let modules = collect_all(functions::modules(app, references), &mut rejections);
    let storage = collect(job_storage(app, references), &mut rejections);
    let checkpoint = collect(checkpoint_spec(&app.spec.checkpoint), &mut rejections);
    let restore = collect(restore_spec(app, references), &mut rejections);
    let (Some(sql), Some(tables), Some(modules), Some(storage), Some(checkpoint), Some(restore)) =
        (sql, tables, modules, storage, checkpoint, restore)
    else {
        return Err(rejections);
    };
    let catalog = Catalog { tables: &tables, modules: &modules.catalog };
    let compiled = tidemill_sql::compile(&sql, catalog).map_err(|error| vec![sql_rejection(&error)])?;
    used_as_declared(app, &compiled)?;
    let plan = serde_json::to_value(&compiled.plan).map_err(|error| {
        vec![Rejection::new(RejectionReason::Internal, format!("failed to encode the plan: {error}"))]
    })?;
    let version = version::of(app, &sql, &tables, &modules, &storage, references);
    let warnings = compiled.warnings.iter().map(ToString::to_string).collect();
    let growing = growth::growing(&compiled.plan).iter().map(ToString::to_string).collect();
    let job = JobSpec {
        application: application_id(app),
        version,
        workers: app.spec.scaling.kpus,
        threads_per_worker: app.spec.scaling.parallelism_per_kpu.max(1),
        plan,
        modules: modules.of_job(&compiled).map_err(|rejection| vec![rejection])?,
        storage,
        checkpoint,
        restore,
        restarts: RestartSpec::default(),
    };
    Ok(CompiledJob { job, warnings, growing })
}

/// The SQL of an Application, and what it may use.
pub struct Text {
    pub sql: String,
    pub tables: Vec<TableDefinition>,
    pub modules: Vec<FunctionModule>,
}

impl Text {
    pub fn catalog(&self) -> Catalog<'_> {
        Catalog { tables: &self.tables, modules: &self.modules }
    }
}

/// The SQL of an Application as it stands, for looking at.
pub fn text(app: &Application, streams: &[Stream], references: &References) -> Result<Text, Vec<Rejection>> {
    let mut rejections = Vec::new();
    let sql = collect(references::sql_text(app, references), &mut rejections);
    let tables = collect_all(table::catalog(app, streams, references), &mut rejections);
    let modules = collect_all(functions::modules(app, references), &mut rejections);
    match (sql, tables, modules) {
        (Some(sql), Some(tables), Some(modules)) => Ok(Text { sql, tables, modules: modules.catalog }),
        _ => Err(rejections),
    }
}

/// The application's identity in storage.
pub fn application_id(app: &Application) -> ApplicationId {
    ApplicationId {
        namespace: app.namespace().unwrap_or_else(|| DEFAULT_NAMESPACE.into()),
        name: app.name_any(),
        uid: app.uid().unwrap_or_else(|| "local".into()),
    }
}

/// The storage that an Application keeps its checkpoints in, with credentials.
pub fn job_storage(app: &Application, references: &References) -> Result<StorageSpec, Rejection> {
    resolve_storage(app.spec.checkpoint.storage.as_ref(), references)
}

/// A storage location, or the default one, with credentials.
pub fn resolve_storage(storage: Option<&Storage>, references: &References) -> Result<StorageSpec, Rejection> {
    let Some(storage) = storage else {
        return references.default_storage.clone().ok_or_else(|| {
            Rejection::new(
                RejectionReason::NoStorage,
                "checkpoint.storage is not set and the operator has no default storage; \
                 set checkpoint.storage.uri, or install the operator with a default",
            )
        });
    };
    let mut options = BTreeMap::new();
    if let Some(endpoint) = &storage.endpoint {
        if endpoint.starts_with("http://") {
            options.insert("allow_http".into(), "true".into());
        }
        options.insert("endpoint".into(), endpoint.clone());
    }
    if let Some(region) = &storage.region {
        options.insert("region".into(), region.clone());
    }
    options.extend(storage.options.clone());
    if let Some(secret) = &storage.secret_ref {
        options.extend(references.credentials(&secret.name)?);
    }
    Ok(StorageSpec { uri: storage.uri.clone(), options })
}

fn checkpoint_spec(checkpoint: &Checkpoint) -> Result<CheckpointSpec, Rejection> {
    let millis = |field: &str, text: &str| {
        parse_millis(text).ok_or_else(|| {
            Rejection::new(
                RejectionReason::InvalidSetting,
                format!(
                    "checkpoint.{field}: `{text}` is not a duration; write a number and ms, s, m or h, such as `60s`"
                ),
            )
        })
    };
    let positive = |field: &str, text: &str| match millis(field, text)? {
        0 => Err(Rejection::new(
            RejectionReason::InvalidSetting,
            format!("checkpoint.{field}: `{text}` is no time at all; set more than 0"),
        )),
        millis => Ok(millis),
    };
    Ok(CheckpointSpec {
        interval_ms: positive("interval", &checkpoint.interval)?,
        min_pause_ms: millis("minPause", &checkpoint.min_pause)?,
        timeout_ms: positive("timeout", &checkpoint.timeout)?,
        keep: checkpoint.keep.max(1),
    })
}

/// What to restore from. The incarnation is the one that the status knows of.
fn restore_spec(app: &Application, references: &References) -> Result<RestoreSpec, Rejection> {
    let asked = &app.spec.restore;
    let from = match asked.from {
        RestoreSource::Latest => RestoreFrom::Latest,
        RestoreSource::Empty => RestoreFrom::Empty,
        RestoreSource::Snapshot => RestoreFrom::Snapshot { manifest: references.manifest(app)? },
    };
    let known_incarnation = app.status.as_ref().map_or(Incarnation(0), |status| status.incarnation);
    Ok(RestoreSpec {
        from,
        number: asked.number.into(),
        known_incarnation,
        allow_non_restored_state: asked.allow_non_restored_state,
    })
}

/// Tables read must be among the inputs, and tables written among the outputs.
fn used_as_declared(app: &Application, compiled: &tidemill_sql::Compiled) -> Result<(), Vec<Rejection>> {
    let outputs = app.spec.outputs.iter().map(|output| &output.name);
    let inputs = app.spec.inputs.iter().map(|input| &input.name);
    let read = outputs
        .filter(|name| compiled.tables_read.contains(*name))
        .map(|name| misused(name, "reads", "outputs", "inputs"));
    let written = inputs
        .filter(|name| compiled.tables_written.contains(*name))
        .map(|name| misused(name, "writes", "inputs", "outputs"));
    let rejections: Vec<Rejection> = read.chain(written).collect();
    if rejections.is_empty() { Ok(()) } else { Err(rejections) }
}

fn misused(name: &str, act: &str, is: &str, should: &str) -> Rejection {
    Rejection::new(
        RejectionReason::InvalidSql,
        format!(
            "the SQL {act} `{name}`, which is listed under {is}; list its Stream under {should}, with a name of its own"
        ),
    )
}

/// What an error in the SQL is to the user.
pub fn sql_rejection(error: &SqlError) -> Rejection {
    let place = error.line().zip(error.column());
    Rejection { reason: RejectionReason::InvalidSql, message: error.to_string(), place }
}

/// Checks a Stream by itself: its columns, types, expressions and watermark.
pub fn check_stream(stream: &Stream) -> Result<(), Rejection> {
    const NAME: &str = "this_stream";
    let table = table::table_definition(NAME, stream, &TableUse::Check, &BTreeMap::new())?;
    let sink = TableDefinition {
        name: "checked".into(),
        columns: vec![tidemill_sql::ColumnDefinition {
            name: "one".into(),
            kind: tidemill_sql::ColumnKind::Physical("INT".into()),
        }],
        options: [("connector".to_string(), "blackhole".to_string())].into(),
        ..TableDefinition::default()
    };
    let text = format!("INSERT INTO checked SELECT 1 AS one FROM {NAME}");
    match tidemill_sql::compile(&text, &[table, sink]) {
        Ok(_) => Ok(()),
        Err(error) => {
            let message = error.to_string().replace(&format!("table {NAME}, "), "");
            Err(Rejection { reason: RejectionReason::InvalidStream, message, place: None })
        }
    }
}

fn collect<T>(result: Result<T, Rejection>, rejections: &mut Vec<Rejection>) -> Option<T> {
    result.map_err(|rejection| rejections.push(rejection)).ok()
}

fn collect_all<T>(result: Result<T, Vec<Rejection>>, rejections: &mut Vec<Rejection>) -> Option<T> {
    result.map_err(|more| rejections.extend(more)).ok()
}
