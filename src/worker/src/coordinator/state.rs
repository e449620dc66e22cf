//! What the coordinator knows, what can happen to it, and what it can ask for. Times are milliseconds since 1970.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use tidemill_model::control::{EngineEvent, EngineProgress, PendingCommit, ToWorker, WorkerCapture};
use tidemill_model::job::JobSpec;
use tidemill_model::snapshot::{LogRecord, Manifest, Pin};
use tidemill_model::status::{CheckpointSummary, Problem, SnapshotOutcome};
use tidemill_model::{CheckpointId, Epoch, Incarnation};
use tidemill_storage::Sweep;

use super::request::Request;

/// Tells connections apart, also two of the same worker.
pub type ConnectionId = u64;

/// Everything that the coordinator knows.
#[derive(Clone, Debug)]
pub struct Coordinator {
    /// The spec that the operator wants to run.
    pub(super) wanted: Arc<JobSpec>,
    /// The spec of the last incarnation that ran: what to go back to while a move has to wait.
    pub(super) previous: Option<Arc<JobSpec>>,
    pub(super) intent: Intent,
    /// Connected workers by number.
    pub(super) workers: BTreeMap<u32, Connected>,
    pub(super) phase: Phase,
    pub(super) snapshots: BTreeMap<String, SnapshotOutcome>,
    /// Names whose checkpoint has not begun.
    pub(super) snapshots_waiting: BTreeSet<String>,
    pub(super) history: History,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Intent {
    Run,
    /// Stop with a snapshot; asked for at this time.
    Stop {
        since: u64,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Connected {
    pub connection: ConnectionId,
    pub address: IpAddr,
}

/// Counters and what went wrong.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    /// The last incarnation that was claimed.
    pub incarnation: Incarnation,
    pub restarts: u64,
    /// Failures since the job last ran for long enough to be called well.
    pub failures_in_a_row: u32,
    pub checkpoints_completed: u64,
    pub checkpoints_failed: u64,
    pub last_checkpoint: Option<CheckpointSummary>,
    /// Why the last incarnation ended, until the present one has proved itself.
    pub failure: Option<Problem>,
    /// Why the last checkpoint failed, until one succeeds.
    pub checkpoint_problem: Option<Problem>,
    /// After a failed checkpoint before a move, the old spec goes on at least until then.
    pub hold_move_until: u64,
    /// The last counters of the job that has ended, by worker: what it has read is of interest after it, too.
    pub progress: BTreeMap<u32, EngineProgress>,
}

#[derive(Clone, Debug)]
pub(super) enum Phase {
    /// No engine runs; the next incarnation begins once enough workers are connected and `not_before` has passed.
    Waiting {
        since: u64,
        not_before: u64,
        cause: Cause,
    },
    /// The start record is being claimed.
    Claiming {
        spec: Arc<JobSpec>,
        cause: Cause,
    },
    /// Engines run or are on their way.
    Engaged(Box<Run>),
    Ended(End),
}

/// Why an incarnation begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Start,
    Failure,
    Move,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    Stopped { snapshot: Option<CheckpointSummary> },
    Finished { snapshot: CheckpointSummary },
    Fenced,
}

/// One incarnation.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub spec: Arc<JobSpec>,
    pub cause: Cause,
    pub claim: StartClaim,
    pub launched_at: u64,
    /// Data ports of the children that listen.
    pub ports: BTreeMap<u32, u16>,
    pub start_sent: bool,
    /// Workers whose children run.
    pub running: BTreeSet<u32>,
    pub running_since: Option<u64>,
    pub next_sequence: u64,
    pub last_checkpoint: CheckpointId,
    pub checkpoint: Option<Checkpoint>,
    pub commit: Option<Commit>,
    /// When the last checkpoint began and ended, or else the time from which intervals count.
    pub checkpoint_began_at: u64,
    pub checkpoint_ended_at: u64,
    pub progress: BTreeMap<u32, EngineProgress>,
    pub finished: BTreeSet<u32>,
    pub swept: bool,
}

/// What follows a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    Continue,
    Stop,
    Move,
    Finish,
}

/// A checkpoint that has not been claimed yet.
#[derive(Clone, Debug)]
pub(super) struct Checkpoint {
    pub id: CheckpointId,
    pub then: Then,
    pub names: Vec<String>,
    pub began_at: u64,
    pub epoch: Option<Epoch>,
    pub captures: BTreeMap<u32, WorkerCapture>,
    pub publishing: Option<CheckpointSummary>,
}

/// A claimed checkpoint whose output is being made visible.
#[derive(Clone, Debug)]
pub(super) struct Commit {
    pub id: CheckpointId,
    pub sequence: u64,
    pub then: Then,
    pub names: Vec<String>,
    pub since: u64,
    /// Workers that have not reported yet.
    pub waiting: BTreeSet<u32>,
    /// None for the replay of an earlier incarnation's commit.
    pub summary: Option<CheckpointSummary>,
    pub recording: bool,
}

/// A start record that is ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartClaim {
    pub incarnation: Incarnation,
    pub sequence: u64,
    pub restore: Option<String>,
    pub restored_from: Option<CheckpointId>,
    pub restore_number: u64,
    pub last_checkpoint: CheckpointId,
    /// With the sequence number that the commit's marker goes under.
    pub commit: Option<(u64, PendingCommit)>,
}

/// What can happen.
#[derive(Clone, Debug)]
pub enum Event {
    Joined {
        worker: u32,
        connection: ConnectionId,
        address: IpAddr,
    },
    Left {
        connection: ConnectionId,
        detail: String,
    },
    Engine {
        connection: ConnectionId,
        incarnation: Incarnation,
        event: EngineEvent,
    },
    Exited {
        connection: ConnectionId,
        incarnation: Incarnation,
        detail: String,
    },
    Storage(StorageReply),
    /// Admitted before by [`Coordinator::admit`].
    Request(Request),
    Tick,
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    Send {
        connection: ConnectionId,
        message: ToWorker,
    },
    Close {
        connection: ConnectionId,
    },
    /// One after the other, in this order. `job` says which storage.
    Storage {
        job: Arc<JobSpec>,
        request: StorageRequest,
    },
    /// End the process with an error.
    Exit {
        reason: String,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub enum StorageRequest {
    ClaimStart {
        now_ms: u64,
    },
    /// Write the manifest, then claim the record.
    Publish {
        sequence: u64,
        manifest: Box<Manifest>,
        record: LogRecord,
    },
    /// Write the marker of the commit, then the pins.
    RecordCommit {
        incarnation: Incarnation,
        sequence: u64,
        pins: Vec<(String, Pin)>,
    },
    CollectGarbage {
        keep: usize,
        incarnation: Incarnation,
        sweep: Sweep,
    },
    ReadPin {
        name: String,
    },
}

#[derive(Clone, Debug)]
pub enum StorageReply {
    StartClaimed(Result<StartClaim, StartFault>),
    Published { incarnation: Incarnation, checkpoint: CheckpointId, outcome: Result<(), PublishFault> },
    CommitRecorded { incarnation: Incarnation, sequence: u64, pins: Vec<(String, Pin, Result<(), Problem>)> },
    PinRead { name: String, outcome: Result<Option<Pin>, Problem> },
}

#[derive(Clone, Debug)]
pub enum StartFault {
    /// Nothing was claimed, or nobody knows.
    Failed(Problem),
    Fenced {
        by: Incarnation,
    },
}

#[derive(Clone, Debug)]
pub enum PublishFault {
    /// Certainly not claimed: the incarnation may go on.
    Declined(Problem),
    /// Perhaps claimed: only the next incarnation can find out.
    Unknown(Problem),
    Fenced {
        by: Incarnation,
    },
}

impl Coordinator {
    pub fn new(spec: JobSpec, now: u64) -> Self {
        Self {
            wanted: Arc::new(spec),
            previous: None,
            intent: Intent::Run,
            workers: BTreeMap::new(),
            phase: Phase::Waiting { since: now, not_before: now, cause: Cause::Start },
            snapshots: BTreeMap::new(),
            snapshots_waiting: BTreeSet::new(),
            history: History::default(),
        }
    }

    /// Whether workers 0 up to `workers` are all connected.
    pub(super) fn has_workers(&self, workers: u32) -> bool {
        (0..workers).all(|worker| self.workers.contains_key(&worker))
    }

    pub(super) fn worker_of(&self, connection: ConnectionId) -> Option<u32> {
        self.workers.iter().find(|(_, connected)| connected.connection == connection).map(|(worker, _)| *worker)
    }
}

impl Run {
    pub fn incarnation(&self) -> Incarnation {
        self.claim.incarnation
    }

    /// The worker numbers that take part.
    pub fn members(&self) -> std::ops::Range<u32> {
        0..self.spec.workers
    }

    pub fn all_finished(&self) -> bool {
        self.finished.len() == self.spec.workers as usize
    }

    /// What the checkpoint or commit under way leads to.
    pub fn heading(&self) -> Option<Then> {
        let checkpoint = self.checkpoint.as_ref().map(|checkpoint| checkpoint.then);
        checkpoint.or(self.commit.as_ref().map(|commit| commit.then))
    }
}
