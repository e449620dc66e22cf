//! The operator's executable: runs the controllers, or prints the CRDs.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use futures::FutureExt;
use tidemill_operator::job_api::HttpJobApi;
use tidemill_operator::leader::Elector;
use tidemill_operator::metrics::Metrics;
use tidemill_operator::settings::Settings;
use tidemill_operator::{controllers, crds, server};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

#[derive(Parser)]
#[command(name = "tidemill-operator", version, about = "Runs streaming SQL applications on Kubernetes")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the controllers.
    Run(Box<Settings>),
    /// Print the custom resource definitions, or write them below a checkout's root.
    Crds {
        /// The checkout's root; without it, definitions go to standard output.
        #[arg(long)]
        out: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Run(settings) => run(*settings),
        Command::Crds { out } => write_crds(out.as_deref()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tidemill-operator: {}", controllers::chain(&*error));
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(settings: Settings) -> Result<(), Box<dyn Error>> {
    let filter = EnvFilter::try_from_env("TIDEMILL_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().json().with_env_filter(filter).init();
    let client = kube::Client::try_default().await?;
    let jobs = Arc::new(HttpJobApi::new()?);
    let (context, triggers) = controllers::context(client.clone(), jobs, settings.clone(), Metrics::default());
    let server = tokio::spawn(server::serve(settings.listen, context.clone()));
    let shutdown = terminated()?.shared();

    let controllers = async {
        context.metrics.leads(true);
        controllers::run(context.clone(), triggers, shutdown.clone()).await;
    };
    if settings.lease_namespace.is_empty() {
        tokio::select! {
            () = controllers => return Ok(()),
            ended = server => return Err(server_ended(ended)),
        }
    }
    let mut elector = Elector::new(client, &settings.lease_namespace, &settings.identity);
    tokio::select! {
        () = elector.acquire() => tracing::info!(identity = settings.identity, "leading"),
        () = shutdown.clone() => return Ok(()),
    }
    let outcome = tokio::select! {
        () = controllers => Ok(()),
        // Another process may act now: end at once, whatever is under way.
        () = elector.hold() => Err("the Lease was lost".into()),
        ended = server => Err(server_ended(ended)),
    };
    if outcome.is_ok() {
        elector.release().await;
    }
    outcome
}

fn server_ended(ended: Result<std::io::Result<()>, tokio::task::JoinError>) -> Box<dyn Error> {
    match ended {
        Ok(Ok(())) => "the HTTP server ended".into(),
        Ok(Err(error)) => error.into(),
        Err(error) => error.into(),
    }
}

fn terminated() -> std::io::Result<impl Future<Output = ()> + Send + Sync> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

fn write_crds(out: Option<&Path>) -> Result<(), Box<dyn Error>> {
    for file in crds::files()? {
        match out {
            Some(root) => {
                let path = root.join(&file.path);
                if let Some(folder) = path.parent() {
                    std::fs::create_dir_all(folder)?;
                }
                std::fs::write(path, file.text)?;
            }
            None if file.path.starts_with("crds/") => println!("---\n{}", file.text),
            None => {}
        }
    }
    Ok(())
}
