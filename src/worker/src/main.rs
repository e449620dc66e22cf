//! `tidemill-worker`: see the library.

use std::process::ExitCode;

use clap::Parser;
use tidemill_worker::WorkerCommand;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs a part of a Tidemill job in a worker pod.
#[derive(Parser)]
#[command(name = "tidemill-worker", version)]
struct Arguments {
    #[command(subcommand)]
    command: WorkerCommand,
}

fn main() -> ExitCode {
    Arguments::parse().command.run()
}
