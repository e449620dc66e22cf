//! The supervisors: started, listened to, ended.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tidemill_model::job::JobSpec;
use tidemill_worker::command::PARENT_VARIABLE;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

#[derive(Debug, thiserror::Error)]
pub enum WorkersError {
    #[error("failed to write the job to `{}`", .path.display())]
    WriteJob {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("failed to find a free port")]
    FindPort(#[source] io::Error),
    #[error("failed to start worker {worker}")]
    Start {
        worker: u32,
        #[source]
        source: io::Error,
    },
}

/// A line that a worker printed.
#[derive(Debug)]
pub enum Line {
    /// A row of a print table.
    Output(String),
    Log(String),
}

/// The running supervisors. Dropping this kills them, and their engines with them.
pub struct Workers {
    pub api: String,
    children: Vec<Child>,
}

pub fn start(spec: &JobSpec, folder: &Path, log: &str) -> Result<(Workers, mpsc::Receiver<Line>), WorkersError> {
    let job_file = folder.join("job.json");
    write_job(spec, &job_file).map_err(|source| WorkersError::WriteJob { path: job_file.clone(), source })?;
    let [api, coordinator] = free_ports().map_err(WorkersError::FindPort)?;
    let (sender, lines) = mpsc::channel(1024);
    let mut children = Vec::new();
    for worker in 0..spec.workers {
        let command = supervise(worker, &job_file, api, coordinator, log);
        let child = command.and_then(|mut command| command.spawn());
        let mut child = child.map_err(|source| WorkersError::Start { worker, source })?;
        forward(child.stdout.take(), Line::Output, &sender);
        forward(child.stderr.take(), Line::Log, &sender);
        children.push(child);
    }
    Ok((Workers { api: format!("http://127.0.0.1:{api}"), children }, lines))
}

fn supervise(worker: u32, job_file: &Path, api: u16, coordinator: u16, log: &str) -> io::Result<Command> {
    let executable = std::env::current_exe()?;
    // port 0 is any free one: nobody asks workers other than 0
    let api = if worker == 0 { api } else { 0 };
    let mut command = Command::new(&executable);
    command
        .args(["worker", "supervise", "--die-with-parent"])
        .arg("--job-file")
        .arg(job_file)
        .args(["--worker", &worker.to_string()])
        .args(["--coordinator", &format!("127.0.0.1:{coordinator}")])
        .args(["--host", "127.0.0.1"])
        .args(["--api-listen", &format!("127.0.0.1:{api}")])
        .args(["--coordinator-listen", &format!("127.0.0.1:{coordinator}")])
        .args(["--log", log])
        .arg("--engine")
        .arg(executable)
        .args(["worker", "engine"])
        .env("TIDEMILL_LOG", log)
        .env(PARENT_VARIABLE, std::process::id().to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // a group of its own: Ctrl-C in the terminal is for this process, which then stops the job properly
        .process_group(0)
        .kill_on_drop(true);
    Ok(command)
}

/// Passes lines on. A slow terminal slows the print tables down, and loses nothing.
fn forward(
    stream: Option<impl AsyncRead + Unpin + Send + 'static>,
    kind: fn(String) -> Line,
    sender: &mpsc::Sender<Line>,
) {
    let Some(stream) = stream else { return };
    let sender = sender.clone();
    tokio::spawn(async move {
        let mut lines = BufReader::new(stream).split(b'\n');
        while let Ok(Some(line)) = lines.next_segment().await {
            if sender.send(kind(String::from_utf8_lossy(&line).into_owned())).await.is_err() {
                return;
            }
        }
    });
}

impl Workers {
    /// Waits until a worker's process ends, and says which one and how.
    pub async fn any_exit(&mut self) -> String {
        let exits = self
            .children
            .iter_mut()
            .enumerate()
            .map(|(worker, child)| Box::pin(async move { (worker, child.wait().await) }));
        let ((worker, status), ..) = futures::future::select_all(exits).await;
        match status {
            Ok(status) => format!("worker {worker} ended: {status}"),
            Err(error) => format!("failed to wait for worker {worker}: {error}"),
        }
    }

    /// Ends all of them now.
    pub async fn kill(&mut self) {
        for child in &mut self.children {
            // an error says that it has ended already
            let _ = child.kill().await;
        }
    }
}

/// Only this user may read it: table options may hold credentials.
fn write_job(spec: &JobSpec, path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(&serde_json::to_vec(spec)?)
}

/// Ports that nobody listens on now. Held together, so that they differ.
fn free_ports<const N: usize>() -> io::Result<[u16; N]> {
    let mut listeners = Vec::new();
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        *port = listener.local_addr()?.port();
        listeners.push(listener);
    }
    Ok(ports)
}
