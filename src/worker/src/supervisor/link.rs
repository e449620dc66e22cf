//! The supervisor's side of the control connection: connects, connects again, and carries out what it is told.
//!
//! A child does not outlive the connection under which it was started: the coordinator gives the incarnation up when
//! the connection is lost, so running on would only waste the machine until the next one starts.

use std::time::Duration;

use tidemill_model::control::{EngineEvent, FromWorker, HEARTBEAT_MS, HEARTBEAT_TIMEOUT_MS, ToWorker};
use tokio::io::BufReader;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tracing::{debug, info, warn};

use super::child::{EngineChild, EngineProgram};
use crate::metrics::WorkerView;
use crate::wire::{self, Lines, WireError};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) struct Link {
    pub coordinator: String,
    pub worker: u32,
    pub host: String,
    pub application_uid: String,
    pub engine: EngineProgram,
    pub view: watch::Sender<WorkerView>,
}

#[derive(Debug, thiserror::Error)]
enum LinkError {
    #[error("failed to connect to the coordinator")]
    Connect(#[source] std::io::Error),
    #[error("the coordinator did not answer in time")]
    Silent,
    #[error("failed to write to the coordinator")]
    Write(#[source] std::io::Error),
    #[error("{0}")]
    Read(#[source] WireError),
}

impl Link {
    /// Stays connected for ever.
    pub async fn run(self) {
        let mut pause = FIRST_PAUSE;
        loop {
            let began = Instant::now();
            match self.connect().await {
                Ok(stream) => {
                    let error = self.converse(stream).await;
                    warn!(coordinator = self.coordinator, ?error, "connection to the coordinator lost");
                }
                Err(error) => debug!(coordinator = self.coordinator, ?error, "the coordinator cannot be reached yet"),
            }
            self.view.send_modify(|view| {
                view.connected = false;
                view.progress = None;
            });
            // a connection that lasted was no part of a series of failures
            pause = if began.elapsed() > LONGEST_PAUSE { FIRST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
            sleep(pause).await;
        }
    }

    async fn connect(&self) -> Result<TcpStream, LinkError> {
        // the name is resolved each time: a coordinator's pod that is replaced gets another address
        let stream =
            timeout(CONNECT_TIMEOUT, TcpStream::connect(&self.coordinator)).await.map_err(|_| LinkError::Silent)?;
        let stream = stream.map_err(LinkError::Connect)?;
        stream.set_nodelay(true).map_err(LinkError::Connect)?;
        Ok(stream)
    }

    /// Talks until the connection is lost. The child ends with this.
    async fn converse(&self, stream: TcpStream) -> LinkError {
        let (reader, mut writer) = stream.into_split();
        let mut lines = Lines::new(BufReader::new(reader));
        let hello = FromWorker::Hello {
            application_uid: self.application_uid.clone(),
            worker: self.worker,
            host: self.host.clone(),
        };
        if let Err(error) = wire::write(&mut writer, &hello).await {
            return LinkError::Write(error);
        }
        let (said, mut says) = mpsc::unbounded_channel();
        let mut child: Option<EngineChild> = None;
        let mut heartbeat = interval(Duration::from_millis(HEARTBEAT_MS));
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = Instant::now();
        loop {
            let message = tokio::select! {
                told = lines.next::<ToWorker>() => match told {
                    Ok(told) => {
                        if !self.view.borrow().connected {
                            info!(coordinator = self.coordinator, "connected to the coordinator");
                            self.view.send_modify(|view| view.connected = true);
                        }
                        heard = Instant::now();
                        self.obey(told, &mut child, &said);
                        continue;
                    }
                    Err(error) => return LinkError::Read(error),
                },
                Some(message) = says.recv() => message,
                _ = heartbeat.tick() => {
                    if heard.elapsed() > Duration::from_millis(HEARTBEAT_TIMEOUT_MS) {
                        return LinkError::Silent;
                    }
                    FromWorker::Heartbeat
                }
            };
            self.observe(&message);
            match timeout(Duration::from_millis(HEARTBEAT_TIMEOUT_MS), wire::write(&mut writer, &message)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return LinkError::Write(error),
                Err(_) => return LinkError::Silent,
            }
        }
    }

    fn obey(&self, told: ToWorker, child: &mut Option<EngineChild>, said: &mpsc::UnboundedSender<FromWorker>) {
        match told {
            ToWorker::Heartbeat => {}
            ToWorker::Spawn { incarnation } => {
                // the older one is killed first; it may still end a moment after the new one starts, on other ports
                *child = None;
                match EngineChild::spawn(&self.engine, incarnation, said.clone()) {
                    Ok(spawned) => *child = Some(spawned),
                    Err(error) => {
                        warn!(%incarnation, %error, "failed to start the engine");
                        let detail = format!("it could not be started: {error}");
                        let _ = said.send(FromWorker::Exited { incarnation, detail });
                    }
                }
            }
            ToWorker::Engine { incarnation, command } => {
                if let Some(child) = child.as_ref().filter(|child| child.incarnation == incarnation) {
                    child.command(command);
                }
            }
            ToWorker::Kill { incarnation } => {
                child.take_if(|child| child.incarnation <= incarnation);
                self.view.send_modify(|view| view.progress = None);
            }
        }
    }

    /// Keeps the child's counters for the metrics.
    fn observe(&self, message: &FromWorker) {
        if let FromWorker::Engine { incarnation, event: EngineEvent::Progress(progress) } = message {
            self.view.send_modify(|view| {
                view.incarnation = *incarnation;
                view.progress = Some(progress.clone());
            });
        }
    }
}
