//! The engine child: commands from standard input to the engine, its events to standard output.
//!
//! Standard output belongs to the protocol. Whatever else in this process prints there goes to standard error instead,
//! which the supervisor passes through. Rows of print tables go to the supervisor's own standard output.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use tidemill_engine::outside::Outside;
use tidemill_model::control::{EngineCommand, EngineEvent, EngineStart};
use tidemill_model::status::Problem;
use tracing::error;

use crate::supervisor::{PARENT_VARIABLE, SuperviseError, die_with_parent, install_crypto};
use crate::wire;

#[derive(Debug, thiserror::Error)]
pub enum EngineChildError {
    #[error(transparent)]
    SetUp(#[from] SuperviseError),
    #[error("failed to set standard output aside")]
    Redirect(#[source] io::Error),
    #[error("failed to bind the data port")]
    Bind(#[source] io::Error),
    #[error("the supervisor ended before it said what to run")]
    NotStarted,
    #[error("the engine failed: {0}")]
    Failed(#[source] Problem),
}

pub fn run() -> Result<(), EngineChildError> {
    install_crypto();
    abort_on_panic();
    die_with_parent()?;
    let events = Events::take_stdout()?;
    redirect_prints();
    let listener = TcpListener::bind(("0.0.0.0", 0)).map_err(EngineChildError::Bind)?;
    let port = listener.local_addr().map_err(EngineChildError::Bind)?.port();
    events.send(&EngineEvent::Listening { port });
    let commands = read_commands();
    let Ok(EngineCommand::Start(start)) = commands.recv() else { return Err(EngineChildError::NotStarted) };
    let said = events.clone();
    let outcome = run_engine(listener, *start, commands, move |event| said.send(&event));
    outcome.map_err(|problem| {
        events.send(&EngineEvent::Failed(problem.clone()));
        EngineChildError::Failed(problem)
    })
}

/// A panic on any thread ends the process, in every build: threads that wait for the dead one would wait for ever, and
/// the coordinator knows what to do about a child that is gone.
fn abort_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::abort();
    }));
}

/// The engine, with everything that it can be connected to.
fn run_engine(
    listener: TcpListener,
    start: EngineStart,
    commands: mpsc::Receiver<EngineCommand>,
    events: impl Fn(EngineEvent) + Send + Sync + 'static,
) -> Result<(), Problem> {
    let functions = Arc::new(tidemill_wasm::Functions::of_job(&start.job)?);
    let outside = Outside { functions, ..Outside::of(tidemill_connectors::all()) };
    tidemill_engine::run(listener, start, outside, commands, events)
}

/// Where events go: what was standard output when the process began.
#[derive(Clone)]
struct Events(Arc<Mutex<File>>);

impl Events {
    fn take_stdout() -> Result<Self, EngineChildError> {
        let pipe =
            rustix::io::dup(rustix::stdio::stdout()).map_err(|error| EngineChildError::Redirect(error.into()))?;
        rustix::stdio::dup2_stdout(rustix::stdio::stderr())
            .map_err(|error| EngineChildError::Redirect(error.into()))?;
        Ok(Self(Arc::new(Mutex::new(File::from(pipe)))))
    }

    /// A supervisor that no longer reads has ended, and so must this process: nobody else would ever stop it.
    fn send(&self, event: &EngineEvent) {
        let line = wire::line(event);
        let written = match self.0.lock() {
            Ok(mut pipe) => pipe.write_all(&line),
            Err(_) => Err(io::Error::other("another thread failed while it wrote")),
        };
        if let Err(error) = written {
            error!(%error, "failed to report to the supervisor");
            std::process::exit(1);
        }
    }
}

/// A print table's rows belong on the supervisor's standard output, apart from logs. Where that cannot be opened, such
/// as a socket, they stay on standard error.
fn redirect_prints() {
    let Ok(supervisor) = std::env::var(PARENT_VARIABLE) else { return };
    if let Ok(output) = OpenOptions::new().append(true).open(format!("/proc/{supervisor}/fd/1")) {
        tidemill_connectors::print::redirect(Some(Box::new(output)));
    }
}

/// Reads commands on a thread of its own; the process ends with its supervisor.
fn read_commands() -> mpsc::Receiver<EngineCommand> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(io::stdin()).lines() {
            match line.map_err(|error| error.to_string()).and_then(|line| decode(&line)) {
                Ok(command) => {
                    if sender.send(command).is_err() {
                        return;
                    }
                }
                Err(error) => {
                    error!(error, "failed to read a command");
                    std::process::exit(1);
                }
            }
        }
        std::process::exit(0);
    });
    receiver
}

fn decode(line: &str) -> Result<EngineCommand, String> {
    serde_json::from_str(line).map_err(|error| error.to_string())
}
