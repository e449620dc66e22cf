//! `tidemill run`: the same processes as on a cluster, started here.
//!
//! One supervisor per worker, on free ports, with the job in a file that only this user can read. This process plays
//! the operator's part: it watches the job over its API, and stops it with a snapshot.

mod client;
mod display;
mod job;
mod progress;
mod watch;
mod workers;

use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::application::{self, ApplicationError};
use crate::{Files, REJECTED, report};
use watch::Ending;

#[derive(Clone, Debug, Args)]
pub struct RunOptions {
    #[command(flatten)]
    pub files: Files,
    /// Where to keep checkpoints: `file:///folder` or `s3://bucket/prefix`. By default a folder of this user's, by
    /// application: $XDG_STATE_HOME/tidemill or ~/.local/state/tidemill.
    #[arg(long, value_name = "URI")]
    pub storage: Option<String>,
    /// Worker processes, instead of the Application's `scaling.kpus`.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub workers: Option<u32>,
    /// Threads in each worker, instead of the Application's `scaling.parallelismPerKpu`.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub threads: Option<u32>,
    /// Stop with a snapshot after the job has run for so long.
    #[arg(long, value_name = "N")]
    pub seconds: Option<u64>,
    /// Start without state, as if for the first time, instead of where the last run stopped.
    #[arg(long)]
    pub fresh: bool,
    /// Print figures of the run as the last line of standard output.
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub report: Option<Report>,
    /// What the workers log, such as `info` or `tidemill_engine=debug`.
    #[arg(long, value_name = "FILTER", default_value = "error")]
    pub log: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Report {
    Json,
}

#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error(transparent)]
    Application(#[from] ApplicationError),
    #[error(transparent)]
    Prepare(#[from] job::PrepareError),
    #[error(transparent)]
    Workers(#[from] workers::WorkersError),
    #[error(transparent)]
    Watch(#[from] watch::WatchError),
    #[error("failed to start the runtime")]
    Runtime(#[source] std::io::Error),
}

/// Stopped by force, as shells say it of an interrupted program.
const FORCED: u8 = 130;

pub fn main(options: RunOptions) -> ExitCode {
    match run(&options) {
        Ok(Ending::Stopped | Ending::Finished) => ExitCode::SUCCESS,
        Ok(Ending::Forced) => ExitCode::from(FORCED),
        Err(error @ RunError::Application(_)) => report(&error, REJECTED),
        Err(error) => report(&error, 1),
    }
}

fn run(options: &RunOptions) -> Result<Ending, RunError> {
    let documents = application::load(&options.files)?;
    let app = application::choose(&documents, &options.files)?;
    let folder = job::state_folder(app.metadata.name.as_deref().unwrap_or("application"))?;
    let storage = job::storage(options.storage.as_deref(), &folder);
    let compiled = application::compile(&app, &documents, storage)?;
    for warning in &compiled.warnings {
        eprintln!("warning: {warning}");
    }
    let spec = job::adapt(compiled.job, options);
    // one thread, the main one: workers are bound to the life of the thread that starts them
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(RunError::Runtime)?;
    let outcome = runtime.block_on(async {
        let (workers, lines) = workers::start(&spec, &folder, &options.log)?;
        watch::run(options, &spec, workers, lines).await.map_err(RunError::from)
    });
    runtime.shutdown_background();
    outcome
}
