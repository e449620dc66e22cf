//! `tidemill`: run, explain and validate Applications on a laptop, from the same YAML that a cluster takes.

mod application;
mod explain;
mod functions;
mod run;
mod validate;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use tidemill_worker::WorkerCommand;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Streaming SQL on your machine, as it runs on Kubernetes.
///
/// Exit codes: 0 done, 1 failed, 2 wrong usage, 3 the files cannot be run as they are, 130 stopped by force.
#[derive(Parser)]
#[command(name = "tidemill", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run an Application here, until Ctrl-C stops it with a snapshot; the next run resumes there.
    ///
    /// Rows of `print` and `log` tables go to standard output; progress and problems go to standard error.
    Run(run::RunOptions),
    /// Show the plan of an Application: its operators, their keys, their state and for how long they keep it.
    ///
    /// What EXPLAIN, DESCRIBE and SHOW CREATE TABLE in the SQL ask for is shown instead, if there is such.
    Explain(explain::ExplainOptions),
    /// Check Applications and Streams, and name everything that is wrong with them.
    Validate(Files),
    /// The worker processes that `run` starts.
    #[command(hide = true, subcommand)]
    Worker(WorkerCommand),
}

/// What to read.
#[derive(Clone, Debug, Args)]
pub struct Files {
    /// YAML files with Applications, Streams, Secrets and ConfigMaps, folders of such files, or one `.sql` file.
    #[arg(required = true, value_name = "FILE_OR_DIR")]
    pub paths: Vec<PathBuf>,
    /// Which Application, if the files hold several.
    #[arg(long, value_name = "NAME")]
    pub application: Option<String>,
    /// A WebAssembly module for CREATE FUNCTION: NAME is the class after AS or the file after USING in the SQL; FUNCTION
    /// says which of the module's functions a class is, if there are several. May be given several times.
    #[arg(long = "function", value_name = "NAME=FILE[#FUNCTION]")]
    pub functions: Vec<functions::Given>,
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Run(options) => run::main(options),
        Command::Explain(options) => explain::main(&options),
        Command::Validate(files) => validate::main(&files),
        Command::Worker(command) => command.run(),
    }
}

/// The files cannot be run as they are.
const REJECTED: u8 = 3;

/// Prints an error with its causes, and says how the process ends.
fn report(error: &dyn std::error::Error, code: u8) -> ExitCode {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    let text = causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
    eprintln!("tidemill: {text}");
    ExitCode::from(code)
}
