//! The supervisor: a pod's first process. It outlives engines and coordinators, so that a failure costs a second and
//! not a pod's restart. It obeys the coordinator and decides nothing itself.
//!
//! Everything runs on the main thread. That is also what makes children die with it: the kernel's parent-death signal
//! is bound to the thread that started the child.

mod child;
mod link;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use tidemill_model::job::JobSpec;
use tidemill_model::status::JobStatus;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tracing::info;

use crate::command::Supervise;
use crate::coordinator::shell;
use crate::http::{self, JobApi};
use crate::metrics::WorkerView;
use child::EngineProgram;
use link::Link;

/// A fenced coordinator says so for this long before its process ends, so that whoever polls it can read it.
const FENCED_SHOWN: Duration = Duration::from_secs(3);

/// Why a supervisor ends.
#[derive(Debug, thiserror::Error)]
pub enum SuperviseError {
    #[error("failed to read the job file `{}`", .path.display())]
    ReadJob {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("failed to understand the job file `{}`", .path.display())]
    ParseJob {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    #[error("failed to listen on {address}")]
    Listen {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("failed to set the process up: {attempt}")]
    SetUp {
        attempt: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("worker {worker} was not told where its coordinator is (TIDEMILL_COORDINATOR)")]
    NoCoordinator { worker: u32 },
    #[error("the coordinator ended: {reason}")]
    CoordinatorEnded { reason: String },
    #[error("the process that started this one has ended")]
    Orphaned,
}

pub fn run(options: Supervise) -> Result<(), SuperviseError> {
    install_crypto();
    if options.die_with_parent {
        die_with_parent()?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| SuperviseError::SetUp { attempt: "starting the runtime", source })?;
    let outcome = runtime.block_on(supervise(options));
    // storage work may hang in a blocking call; nothing of it matters any more
    runtime.shutdown_background();
    outcome
}

async fn supervise(options: Supervise) -> Result<(), SuperviseError> {
    let mut terminate = signal(SignalKind::terminate())
        .map_err(|source| SuperviseError::SetUp { attempt: "catching SIGTERM", source })?;
    let mut interrupt = signal(SignalKind::interrupt())
        .map_err(|source| SuperviseError::SetUp { attempt: "catching SIGINT", source })?;
    let job = read_job(&options.job_file)?;
    let (view, seen) = watch::channel(WorkerView::default());
    let (coordinator, job_api, coordinating) = start_coordinator(&options, &job).await?;
    let api = listen(options.api_listen).await?;
    info!(worker = options.worker, api = %options.api_listen, coordinator, "supervisor started");
    let link = Link {
        coordinator,
        worker: options.worker,
        host: options.host.clone(),
        application_uid: job.application.uid.clone(),
        engine: engine_program(&options)?,
        view,
    };
    tokio::select! {
        _ = terminate.recv() => { info!("SIGTERM: ending"); Ok(()) }
        _ = interrupt.recv() => { info!("SIGINT: ending"); Ok(()) }
        () = link.run() => Ok(()),
        ended = http::serve(api, seen, job_api) => {
            ended.map_err(|source| SuperviseError::SetUp { attempt: "serving HTTP", source })
        }
        reason = ended(coordinating) => Err(SuperviseError::CoordinatorEnded { reason }),
    }
}

type Coordinating = tokio::task::JoinHandle<String>;

/// On worker 0, starts the coordinator. Says where to connect in any case.
async fn start_coordinator(
    options: &Supervise,
    job: &JobSpec,
) -> Result<(String, Option<JobApi>, Option<Coordinating>), SuperviseError> {
    if options.worker != 0 {
        return match options.coordinator.as_str() {
            "" => Err(SuperviseError::NoCoordinator { worker: options.worker }),
            address => Ok((address.to_string(), None, None)),
        };
    }
    let listener = listen(options.coordinator_listen).await?;
    let address = listener
        .local_addr()
        .map_err(|source| SuperviseError::SetUp { attempt: "asking for the coordinator's own port", source })?;
    let (statuses, status) = watch::channel::<JobStatus>(shell::first_status());
    let (requests, asked) = mpsc::channel(16);
    let coordinating = tokio::spawn(shell::run(job.clone(), listener, asked, statuses, random_name()));
    Ok((format!("127.0.0.1:{}", address.port()), Some(JobApi { status, requests }), Some(coordinating)))
}

/// A name that no other process has. The standard library seeds its hashers from the system's random numbers.
fn random_name() -> String {
    let number = || RandomState::new().build_hasher().finish();
    format!("{:x}-{:016x}", std::process::id(), number())
}

/// Waits until the coordinator has ended and its last status has been there to read for a while. Waiting here and not
/// later keeps the job API answering meanwhile.
async fn ended(coordinating: Option<Coordinating>) -> String {
    let Some(task) = coordinating else { return std::future::pending().await };
    let reason = task.await.unwrap_or_else(|error| error.to_string());
    tokio::time::sleep(FENCED_SHOWN).await;
    reason
}

fn read_job(path: &PathBuf) -> Result<JobSpec, SuperviseError> {
    let text = std::fs::read(path).map_err(|source| SuperviseError::ReadJob { path: path.clone(), source })?;
    serde_json::from_slice(&text).map_err(|source| SuperviseError::ParseJob { path: path.clone(), source })
}

async fn listen(address: SocketAddr) -> Result<TcpListener, SuperviseError> {
    TcpListener::bind(address).await.map_err(|source| SuperviseError::Listen { address, source })
}

fn engine_program(options: &Supervise) -> Result<EngineProgram, SuperviseError> {
    if let Some((program, arguments)) = options.engine.split_first() {
        return Ok(EngineProgram { program: program.into(), arguments: arguments.to_vec() });
    }
    let program = std::env::current_exe()
        .map_err(|source| SuperviseError::SetUp { attempt: "finding this executable", source })?;
    Ok(EngineProgram { program, arguments: vec!["engine".into()] })
}

/// Both `ring` and `aws-lc-rs` may be linked; TLS clients need one that was chosen.
pub(crate) fn install_crypto() {
    // an error means that one is installed already, which is all that matters
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Asks the kernel to kill this process when its parent ends. A parent that has ended already is noticed by its id,
/// which the parent passes on.
pub(crate) fn die_with_parent() -> Result<(), SuperviseError> {
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|source| SuperviseError::SetUp { attempt: "asking to end with the parent", source: source.into() })?;
    let expected = std::env::var(PARENT_VARIABLE).ok().and_then(|id| id.parse::<i32>().ok());
    let actual = getppid().map(|parent| parent.as_raw_nonzero().get());
    match expected {
        Some(expected) if actual != Some(expected) => Err(SuperviseError::Orphaned),
        Some(_) | None => Ok(()),
    }
}

/// Carries the parent's process id to a child.
pub const PARENT_VARIABLE: &str = "TIDEMILL_PARENT_PID";
