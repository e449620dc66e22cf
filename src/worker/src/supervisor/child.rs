//! One engine child: started, spoken to over its standard input and output, killed. A child's standard error is this
//! process's own.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};

use tidemill_model::Incarnation;
use tidemill_model::control::{EngineCommand, EngineEvent, FromWorker};
use tokio::io::BufReader;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{mpsc, oneshot};
use tracing::{info, warn};

use super::PARENT_VARIABLE;
use crate::wire::{self, Lines, WireError};

/// What to start as an engine.
#[derive(Clone, Debug)]
pub(super) struct EngineProgram {
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
}

/// A running child. Dropping it kills the child.
pub(super) struct EngineChild {
    pub incarnation: Incarnation,
    commands: mpsc::UnboundedSender<EngineCommand>,
    _kill: oneshot::Sender<()>,
}

impl EngineChild {
    /// Starts a child. What it says, and at last that it ended, goes to `said`.
    pub fn spawn(
        program: &EngineProgram,
        incarnation: Incarnation,
        said: mpsc::UnboundedSender<FromWorker>,
    ) -> io::Result<Self> {
        let mut child = Command::new(&program.program)
            .args(&program.arguments)
            .env(PARENT_VARIABLE, std::process::id().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("the child has no pipes"));
        };
        info!(%incarnation, pid = child.id(), "engine started");
        let (commands, commanded) = mpsc::unbounded_channel();
        let (kill, killed) = oneshot::channel();
        tokio::spawn(write_commands(stdin, commanded));
        tokio::spawn(attend(child, stdout, incarnation, killed, said));
        Ok(Self { incarnation, commands, _kill: kill })
    }

    /// Hands a command on. A child that has ended reports that itself.
    pub fn command(&self, command: EngineCommand) {
        let _ = self.commands.send(command);
    }
}

async fn write_commands(mut stdin: ChildStdin, mut commands: mpsc::UnboundedReceiver<EngineCommand>) {
    while let Some(command) = commands.recv().await {
        if wire::write(&mut stdin, &command).await.is_err() {
            return;
        }
    }
}

async fn attend(
    mut child: Child,
    stdout: ChildStdout,
    incarnation: Incarnation,
    mut killed: oneshot::Receiver<()>,
    said: mpsc::UnboundedSender<FromWorker>,
) {
    let mut lines = Lines::new(BufReader::new(stdout));
    loop {
        let event = tokio::select! {
            // an error says that the child's handle was dropped
            _ = &mut killed => {
                let _ = child.start_kill();
                break;
            }
            event = lines.next::<EngineEvent>() => event,
        };
        match event {
            Ok(event) => {
                let _ = said.send(FromWorker::Engine { incarnation, event });
            }
            Err(WireError::Decode(error)) => warn!(%error, "the engine said something that is no event"),
            Err(_) => break,
        }
    }
    let detail = match child.wait().await {
        Ok(status) => describe(status),
        Err(error) => format!("failed to wait for the engine: {error}"),
    };
    info!(%incarnation, detail, "engine ended");
    let _ = said.send(FromWorker::Exited { incarnation, detail });
}

fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.signal(), status.code()) {
        (Some(9), _) => "killed (SIGKILL), perhaps for want of memory".to_string(),
        (Some(signal), _) => format!("ended by signal {signal}"),
        (None, Some(code)) => format!("exit code {code}"),
        (None, None) => status.to_string(),
    }
}
