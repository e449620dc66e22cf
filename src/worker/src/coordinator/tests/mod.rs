//! The coordinator's decisions, driven by hand: no sockets, no storage, no clock.

mod change;
mod checkpoint;
mod failure;
mod start;
mod stop;

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};

use tidemill_model::control::{EngineCommand, EngineEvent, PendingCommit, ToWorker, WorkerCapture};
use tidemill_model::job::{ApplicationId, CheckpointSpec, JobSpec, RestartSpec, RestoreSpec, StorageSpec};
use tidemill_model::status::{JobPhase, JobStatus, Problem, ProblemKind};
use tidemill_model::{CheckpointId, Epoch, Incarnation};

use super::request::{Refusal, Request};
use super::state::{Action, ConnectionId, Coordinator, Event, StartClaim, StorageReply, StorageRequest};

pub fn spec(workers: u32) -> JobSpec {
    JobSpec {
        application: ApplicationId { namespace: "shop".into(), name: "views".into(), uid: "u1".into() },
        version: "v1".into(),
        workers,
        threads_per_worker: 1,
        plan: serde_json::Value::Null,
        modules: Default::default(),
        storage: StorageSpec { uri: "file:///nowhere".into(), options: Default::default() },
        checkpoint: CheckpointSpec { interval_ms: 10_000, min_pause_ms: 1_000, timeout_ms: 60_000, keep: 2 },
        restore: RestoreSpec::default(),
        restarts: RestartSpec::default(),
    }
}

pub fn version(workers: u32, version: &str) -> JobSpec {
    JobSpec { version: version.into(), ..spec(workers) }
}

pub fn problem(message: &str) -> Problem {
    Problem { kind: ProblemKind::SinkUnreachable, object: "t".into(), message: message.into(), remedy: "r".into() }
}

/// A coordinator with everything that it asked for.
pub struct Drive {
    coordinator: Coordinator,
    pub now: u64,
    /// Messages by connection; connection of worker `w` is `w + 100 * times joined`.
    pub sent: Vec<(ConnectionId, ToWorker)>,
    pub storage: VecDeque<StorageRequest>,
    pub exits: Vec<String>,
    joins: u64,
    connections: Vec<ConnectionId>,
    pub incarnation: u64,
    sequence: u64,
    last_checkpoint: u64,
}

impl Drive {
    pub fn new(spec: JobSpec) -> Self {
        Self {
            coordinator: Coordinator::new(spec, 1_000),
            now: 1_000,
            sent: Vec::new(),
            storage: VecDeque::new(),
            exits: Vec::new(),
            joins: 0,
            connections: vec![0; 16],
            incarnation: 0,
            sequence: 0,
            last_checkpoint: 0,
        }
    }

    /// A job of so many workers that runs.
    pub fn running(spec: JobSpec) -> Self {
        let workers = spec.workers;
        let mut drive = Self::new(spec);
        (0..workers).for_each(|worker| drive.join(worker));
        drive.start(workers);
        drive
    }

    pub fn step(&mut self, event: Event) {
        let (next, actions) = self.coordinator.clone().step(event, self.now);
        self.coordinator = next;
        for action in actions {
            match action {
                Action::Send { connection, message } => self.sent.push((connection, message)),
                Action::Close { connection: _ } => {}
                Action::Storage { job: _, request } => self.storage.push_back(request),
                Action::Exit { reason } => self.exits.push(reason),
            }
        }
    }

    pub fn join(&mut self, worker: u32) {
        self.joins += 1;
        let connection = u64::from(worker) + 100 * self.joins;
        self.connections[worker as usize] = connection;
        self.step(Event::Joined { worker, connection, address: IpAddr::V4(Ipv4Addr::LOCALHOST) });
    }

    pub fn leave(&mut self, worker: u32) {
        let connection = self.connections[worker as usize];
        self.step(Event::Left { connection, detail: "reset".into() });
    }

    pub fn after(&mut self, ms: u64) {
        self.now += ms;
        self.step(Event::Tick);
    }

    pub fn engine(&mut self, worker: u32, event: EngineEvent) {
        let connection = self.connections[worker as usize];
        self.step(Event::Engine { connection, incarnation: Incarnation(self.incarnation), event });
    }

    pub fn engines(&mut self, workers: u32, event: &EngineEvent) {
        (0..workers).for_each(|worker| self.engine(worker, event.clone()));
    }

    pub fn reply(&mut self, reply: StorageReply) {
        self.step(Event::Storage(reply));
    }

    pub fn ask(&mut self, request: Request) -> Result<(), Refusal> {
        self.coordinator.admit(&request)?;
        self.step(Event::Request(request));
        Ok(())
    }

    pub fn change(&mut self, spec: JobSpec) {
        self.ask(Request::ChangeJob(Box::new(spec))).unwrap();
    }

    /// Answers the claim of a start that must have been asked for.
    pub fn claimed(&mut self, commit: Option<u64>) {
        assert!(
            matches!(self.storage.pop_front(), Some(StorageRequest::ClaimStart { .. })),
            "a claim was not asked for"
        );
        self.incarnation += 1;
        self.sequence += 1;
        let pending = |id| PendingCommit { checkpoint: CheckpointId(id), manifest: format!("m{id}") };
        let claim = StartClaim {
            incarnation: Incarnation(self.incarnation),
            sequence: self.sequence,
            restore: None,
            restored_from: None,
            restore_number: 0,
            last_checkpoint: CheckpointId(self.last_checkpoint),
            commit: commit.map(|id| (self.sequence - 1, pending(id))),
        };
        self.reply(StorageReply::StartClaimed(Ok(claim)));
    }

    /// From the claim to engines that run.
    pub fn start(&mut self, workers: u32) {
        self.claimed(None);
        self.engines(workers, &EngineEvent::Listening { port: 9 });
        self.engines(workers, &EngineEvent::Running);
        self.sent.clear();
    }

    pub fn capture(&mut self, workers: u32, id: u64) {
        self.engine(0, EngineEvent::CheckpointAt { id: CheckpointId(id), epoch: Epoch(id * 10) });
        self.engines(workers, &EngineEvent::Captured { id: CheckpointId(id), capture: WorkerCapture::default() });
    }

    /// Answers the publication that must have been asked for.
    pub fn published(&mut self, id: u64) {
        let Some(StorageRequest::Publish { sequence, manifest, .. }) = self.storage.pop_front() else {
            panic!("nothing to publish");
        };
        self.sequence += 1;
        assert_eq!((sequence, manifest.checkpoint), (self.sequence, CheckpointId(id)));
        self.last_checkpoint = id;
        self.publish_reply(id, Ok(()));
    }

    pub fn publish_reply(&mut self, id: u64, outcome: Result<(), super::state::PublishFault>) {
        let incarnation = Incarnation(self.incarnation);
        self.reply(StorageReply::Published { incarnation, checkpoint: CheckpointId(id), outcome });
    }

    /// All workers commit, and that is put on record.
    pub fn committed(&mut self, workers: u32, id: u64) {
        self.engines(workers, &EngineEvent::Committed { id: CheckpointId(id) });
        self.recorded();
    }

    pub fn recorded(&mut self) {
        let Some(StorageRequest::RecordCommit { incarnation, sequence, pins }) = self.storage.pop_front() else {
            panic!("no commit to record");
        };
        let pins = pins.into_iter().map(|(name, pin)| (name, pin, Ok(()))).collect();
        self.reply(StorageReply::CommitRecorded { incarnation, sequence, pins });
    }

    /// A whole checkpoint that has been asked for.
    pub fn checkpoint(&mut self, workers: u32, id: u64) {
        self.capture(workers, id);
        self.published(id);
        self.committed(workers, id);
    }

    pub fn status(&self) -> JobStatus {
        self.coordinator.status(self.now)
    }

    pub fn phase(&self) -> JobPhase {
        self.status().phase
    }

    /// Commands to worker 0's engine since the last look, shortly.
    pub fn checkpoints_asked(&mut self) -> Vec<u64> {
        let ids = self.sent.iter().filter_map(|(_, message)| match message {
            ToWorker::Engine { command: EngineCommand::Checkpoint { id, .. }, .. } => Some(id.0),
            _ => None,
        });
        let ids = ids.collect();
        self.sent.clear();
        ids
    }

    pub fn kills(&self) -> usize {
        self.sent.iter().filter(|(_, message)| matches!(message, ToWorker::Kill { .. })).count()
    }

    pub fn commits(&self) -> usize {
        let is_commit =
            |message: &ToWorker| matches!(message, ToWorker::Engine { command: EngineCommand::Commit { .. }, .. });
        self.sent.iter().filter(|(_, message)| is_commit(message)).count()
    }
}
