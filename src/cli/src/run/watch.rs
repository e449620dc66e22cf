//! Watches a run: passes rows and problems on, shows progress, and stops the job when asked to.

use std::io;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tidemill_model::job::JobSpec;
use tidemill_model::status::{JobPhase, JobStatus, Problem, StopMode};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::client::{Client, ClientError};
use super::display::Display;
use super::progress::Progress;
use super::workers::{Line, Workers};
use super::{Report, RunOptions};

const POLL: Duration = Duration::from_millis(500);
/// Signals so close together are one request: `timeout` sends two.
const SAME_STOP: Duration = Duration::from_millis(500);

#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    #[error("failed to listen for Ctrl-C")]
    Signals(#[source] io::Error),
    #[error("{0}; its messages are above")]
    WorkerEnded(String),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("another run of this application has taken over; only one can run at a time on the same storage")]
    Fenced,
    #[error("failed to write to standard output")]
    Output(#[source] io::Error),
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Stopped,
    Finished,
    Forced,
}

pub async fn run(
    options: &RunOptions,
    spec: &JobSpec,
    mut workers: Workers,
    mut lines: mpsc::Receiver<Line>,
) -> Result<Ending, WatchError> {
    let mut watch = Watch::new(options, Client::new(&workers.api));
    watch.greet(spec);
    let outcome = watch.until_end(&mut workers, &mut lines).await;
    workers.kill().await;
    // what the workers printed last
    while let Ok(Some(line)) = tokio::time::timeout(Duration::from_millis(500), lines.recv()).await {
        watch.pass_on(line)?;
    }
    let ending = outcome?;
    watch.part(ending);
    Ok(ending)
}

struct Watch<'a> {
    options: &'a RunOptions,
    client: Client,
    display: Display,
    progress: Progress,
    known_problems: Vec<Problem>,
    running_since: Option<Instant>,
    stops_asked: u32,
    stop_asked_at: Option<Instant>,
    last: JobStatus,
}

impl<'a> Watch<'a> {
    fn new(options: &'a RunOptions, client: Client) -> Self {
        Self {
            options,
            client,
            display: Display::new(),
            progress: Progress::default(),
            known_problems: Vec::new(),
            running_since: None,
            stops_asked: 0,
            stop_asked_at: None,
            last: JobStatus::default(),
        }
    }

    async fn until_end(
        &mut self,
        workers: &mut Workers,
        lines: &mut mpsc::Receiver<Line>,
    ) -> Result<Ending, WatchError> {
        let mut interrupts = signals(SignalKind::interrupt())?;
        let mut terminations = signals(SignalKind::terminate())?;
        let mut polls = interval(POLL);
        polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                Some(line) = lines.recv() => self.pass_on(line)?,
                _ = interrupts.recv() => self.stop().await?,
                _ = terminations.recv() => self.stop().await?,
                ended = workers.any_exit() => return Err(WatchError::WorkerEnded(ended)),
                _ = polls.tick() => {
                    if let Some(ending) = self.poll().await? {
                        return Ok(ending);
                    }
                }
            }
        }
    }

    /// Looks at the job; says if it has ended.
    async fn poll(&mut self) -> Result<Option<Ending>, WatchError> {
        let Some(status) = self.client.status().await else { return Ok(None) };
        self.progress.observe(status.clone(), now_ms());
        self.tell_problems(&status);
        self.last = status;
        match &self.last.phase {
            JobPhase::Stopped { snapshot: Some(_) } => return Ok(Some(Ending::Stopped)),
            JobPhase::Stopped { snapshot: None } => return Ok(Some(Ending::Forced)),
            JobPhase::Finished => return Ok(Some(Ending::Finished)),
            JobPhase::Fenced => return Err(WatchError::Fenced),
            JobPhase::Running => {
                self.running_since.get_or_insert_with(Instant::now);
            }
            JobPhase::Starting | JobPhase::Rescaling | JobPhase::Restarting | JobPhase::Stopping => {}
        }
        self.display.progress(&self.progress.line());
        if self.stops_asked == 0 && self.time_is_over() {
            self.stop().await?;
        }
        Ok(None)
    }

    fn time_is_over(&self) -> bool {
        match (self.options.seconds, self.running_since) {
            (Some(seconds), Some(since)) => since.elapsed() >= Duration::from_secs(seconds),
            (Some(_), None) | (None, _) => false,
        }
    }

    /// The first time with a snapshot, the second time by force. A run that has not read anything yet has nothing to
    /// lose, and may be one that never gets to a snapshot.
    async fn stop(&mut self) -> Result<(), WatchError> {
        if self.stop_asked_at.is_some_and(|asked| asked.elapsed() < SAME_STOP) {
            return Ok(());
        }
        self.stop_asked_at = Some(Instant::now());
        self.stops_asked += 1;
        if self.stops_asked == 1 && self.running_since.is_some() {
            self.display.note("stopping with a snapshot; Ctrl-C again stops by force");
            return Ok(self.client.stop(StopMode::Snapshot).await?);
        }
        self.display.note("stopping by force");
        Ok(self.client.stop(StopMode::Force).await?)
    }

    fn tell_problems(&mut self, status: &JobStatus) {
        for problem in status.problems.iter().filter(|problem| !self.known_problems.contains(problem)) {
            self.display.note(&format!("problem: {problem}"));
        }
        if !self.known_problems.is_empty() && status.problems.is_empty() && status.phase == JobPhase::Running {
            self.display.note("all is well again");
        }
        self.known_problems = status.problems.clone();
    }

    fn pass_on(&mut self, line: Line) -> Result<(), WatchError> {
        match line {
            Line::Output(line) => self.display.output(&line).map_err(WatchError::Output),
            Line::Log(line) => {
                self.display.note(&line);
                Ok(())
            }
        }
    }

    fn greet(&mut self, spec: &JobSpec) {
        let (workers, threads) = (spec.workers, spec.threads_per_worker);
        self.display.note(&format!(
            "running {} on {workers} worker{} with {threads} thread{}; checkpoints in {}; Ctrl-C stops with a snapshot",
            spec.application.name,
            plural(workers),
            plural(threads),
            spec.storage.uri,
        ));
    }

    fn part(&mut self, ending: Ending) {
        self.display.note(&self.progress.line());
        let text = match (ending, &self.last.phase) {
            (Ending::Stopped, JobPhase::Stopped { snapshot: Some(snapshot) }) => {
                format!("stopped with checkpoint {}; run it again to go on from there", snapshot.id)
            }
            (Ending::Stopped, _) => "stopped; run it again to go on".to_string(),
            (Ending::Finished, _) => "finished: all inputs have been read to their ends".to_string(),
            (Ending::Forced, _) => "stopped by force; the next run goes on from the last checkpoint".to_string(),
        };
        self.display.note(&text);
        if self.options.report == Some(Report::Json) {
            // as the last line, and if nobody reads it, nobody misses it
            let _ = self.display.output(&self.progress.report().to_string());
        }
    }
}

fn signals(kind: SignalKind) -> Result<Signal, WatchError> {
    signal(kind).map_err(WatchError::Signals)
}

fn plural(number: u32) -> &'static str {
    if number == 1 { "" } else { "s" }
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
