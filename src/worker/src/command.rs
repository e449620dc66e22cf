//! The command line: `supervise` for pods, `engine` for the child that a supervisor starts. `tidemill run` offers the
//! same commands under a hidden name, so that one executable is enough on a laptop.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use tracing::error;
use tracing_subscriber::EnvFilter;

pub use crate::supervisor::PARENT_VARIABLE;
use crate::{engine_child, supervisor};

#[derive(Clone, Debug, Subcommand)]
pub enum WorkerCommand {
    /// Supervise one worker: connect to the coordinator and run engines as it asks. Worker 0 is the coordinator too.
    Supervise(Box<Supervise>),
    /// The engine child. Started by a supervisor, and of no use otherwise.
    #[command(hide = true)]
    Engine(Engine),
}

#[derive(Clone, Debug, Args)]
pub struct Supervise {
    /// The job specification, a JSON file.
    #[arg(long, env = "TIDEMILL_JOB_FILE")]
    pub job_file: PathBuf,
    /// This worker's number, or a pod name that ends in `-<number>`.
    #[arg(long, env = "TIDEMILL_WORKER", value_parser = worker_number)]
    pub worker: u32,
    /// Where the coordinator listens. Worker 0 goes to its own and needs none.
    #[arg(long, env = "TIDEMILL_COORDINATOR", default_value = "")]
    pub coordinator: String,
    /// The address at which other workers reach this one's engines. By default the one that the coordinator sees.
    #[arg(long, env = "TIDEMILL_HOST", default_value = "")]
    pub host: String,
    /// Probes and metrics, on worker 0 the job API too.
    #[arg(long, env = "TIDEMILL_API_LISTEN", default_value = "0.0.0.0:8080")]
    pub api_listen: SocketAddr,
    /// Where worker 0 meets the others.
    #[arg(long, env = "TIDEMILL_COORDINATOR_LISTEN", default_value = "0.0.0.0:8081")]
    pub coordinator_listen: SocketAddr,
    /// What to log, such as `info` or `tidemill_worker=debug`. On standard error.
    #[arg(long, env = "TIDEMILL_LOG", default_value = "info")]
    pub log: String,
    /// The engine's command line instead of this executable's own engine. For tests and for `tidemill run`.
    #[arg(long, env = "TIDEMILL_ENGINE", hide = true, num_args = 1.., allow_hyphen_values = true)]
    pub engine: Vec<OsString>,
    /// End when the process that started this one ends. For `tidemill run`.
    #[arg(long, hide = true)]
    pub die_with_parent: bool,
}

#[derive(Clone, Debug, Args)]
pub struct Engine {
    #[arg(long, env = "TIDEMILL_LOG", default_value = "info")]
    log: String,
}

impl WorkerCommand {
    /// Runs until the process has to end. Errors go to the log.
    pub fn run(self) -> ExitCode {
        match self {
            Self::Supervise(options) => {
                start_log(&options.log);
                finish(supervisor::run(*options))
            }
            Self::Engine(options) => {
                start_log(&options.log);
                finish(engine_child::run())
            }
        }
    }
}

fn start_log(filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|error| {
        eprintln!("tidemill-worker: the log filter `{filter}` is not valid ({error}); logging at `info`");
        EnvFilter::new("info")
    });
    // a second initialisation in the same process, as in tests, changes nothing
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).try_init();
}

fn finish<E: std::error::Error>(outcome: Result<(), E>) -> ExitCode {
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    error!("{}", chain(&error));
    ExitCode::FAILURE
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn worker_number(text: &str) -> Result<u32, String> {
    let number = text.rsplit('-').next().unwrap_or(text);
    number.parse().map_err(|_| format!("`{text}` is neither a number nor a pod name that ends in `-<number>`"))
}

#[cfg(test)]
mod tests {
    use super::worker_number;

    #[test]
    fn a_worker_is_told_by_number_or_by_pod_name() {
        assert_eq!(worker_number("3"), Ok(3));
        assert_eq!(worker_number("page-views-2-workers-11"), Ok(11));
        assert!(worker_number("page-views").is_err());
        assert!(worker_number("").is_err());
    }
}
