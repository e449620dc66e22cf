//! What a job's processes say to each other.
//!
//! ```text
//! coordinator (in worker 0's supervisor)
//!     ⇅ ToWorker / FromWorker: one TCP connection per worker, a JSON object a line
//! supervisor (one per worker pod)
//!     ⇅ EngineCommand / EngineEvent: the child's standard input and output, a JSON object a line
//! engine child (one per incarnation)
//!     ⇄ engine children of the other workers: record batches, over sockets of their own
//! ```
//!
//! A start: the supervisors say [`FromWorker::Hello`]; once enough have, the coordinator claims an incarnation and
//! sends [`ToWorker::Spawn`]; each child binds a data port and says [`EngineEvent::Listening`]; the coordinator knows
//! all addresses then and sends [`EngineCommand::Start`]; each child says [`EngineEvent::Running`].
//! The loss of a connection, a child or an [`EngineEvent::Failed`] ends the incarnation everywhere: the coordinator
//! sends [`ToWorker::Kill`] and starts the next.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::job::JobSpec;
use crate::snapshot::{Committable, OperatorState, SplitState};
use crate::status::{Problem, SinkStatus, SourceStatus};
use crate::{CheckpointId, Epoch, Incarnation};

/// From a supervisor to the coordinator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum FromWorker {
    /// The first message on a connection. `host` is where other workers reach this worker's children.
    Hello {
        application_uid: String,
        worker: u32,
        host: String,
    },
    Engine {
        incarnation: Incarnation,
        event: EngineEvent,
    },
    /// The child ended, asked or not.
    Exited {
        incarnation: Incarnation,
        detail: String,
    },
    /// Sent every [`HEARTBEAT_MS`], so that a silent loss is noticed.
    Heartbeat,
}

/// From the coordinator to a supervisor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ToWorker {
    /// Start an engine child. A child of an older incarnation is killed first.
    Spawn {
        incarnation: Incarnation,
    },
    Engine {
        incarnation: Incarnation,
        command: EngineCommand,
    },
    Kill {
        incarnation: Incarnation,
    },
    Heartbeat,
}

/// How often both ends of a control connection say that they are there.
pub const HEARTBEAT_MS: u64 = 2_000;
/// A control connection without a word for this long counts as lost.
pub const HEARTBEAT_TIMEOUT_MS: u64 = 10_000;

/// From a supervisor to its engine child.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum EngineCommand {
    Start(Box<EngineStart>),
    /// Take checkpoint `id` at an epoch that the engine chooses and announces in-band. Sent to worker 0 only.
    Checkpoint {
        id: CheckpointId,
        then: AfterCheckpoint,
    },
    /// The checkpoint is claimed: make the output up to it visible.
    Commit {
        id: CheckpointId,
    },
}

/// What a checkpoint is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AfterCheckpoint {
    Continue,
    /// Sources emit nothing after the cut.
    Stop,
}

/// All that an engine child needs to run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EngineStart {
    pub job: JobSpec,
    pub incarnation: Incarnation,
    /// This worker's place in `peers`.
    pub worker: u32,
    /// Where each worker's child listens, by worker.
    pub peers: Vec<SocketAddr>,
    /// Path of the manifest to restore from, relative to the storage root; none for an empty start.
    pub restore: Option<String>,
    /// A checkpoint that was claimed and whose commit is not known to have finished: commit it again, before anything
    /// else is committed. The children report [`EngineEvent::Committed`] for it.
    pub commit: Option<PendingCommit>,
}

/// See [`EngineStart::commit`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingCommit {
    pub checkpoint: CheckpointId,
    /// Path of the manifest, relative to the storage root.
    pub manifest: String,
}

/// From an engine child to its supervisor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum EngineEvent {
    /// The data port is bound on all addresses of the machine.
    Listening { port: u16 },
    /// State is restored and the dataflow runs.
    Running,
    /// Worker 0 tells which epoch the checkpoint was put at.
    CheckpointAt { id: CheckpointId, epoch: Epoch },
    /// This worker's part of the checkpoint is durable.
    Captured { id: CheckpointId, capture: WorkerCapture },
    /// This worker's output up to the checkpoint is visible.
    Committed { id: CheckpointId },
    /// Counters, about once a second. They count from the start of the incarnation.
    Progress(EngineProgress),
    /// All of this worker's splits are bounded and have been read to their ends, and all windows are closed.
    Finished,
    /// The engine cannot go on; the process exits after this.
    Failed(Problem),
}

/// One worker's part of a checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WorkerCapture {
    pub operators: Vec<OperatorState>,
    pub splits: Vec<SplitState>,
    pub committables: Vec<Committable>,
}

/// One worker's counters; the coordinator adds them up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EngineProgress {
    pub epoch: Epoch,
    pub sources: Vec<SourceStatus>,
    pub sinks: Vec<SinkStatus>,
    /// When this incarnation's first record was processed, milliseconds since 1970.
    pub first_record_at_ms: Option<u64>,
    /// Bytes of keyed state held in memory.
    pub state_bytes: u64,
    /// Milliseconds, of the last second, in which sources waited for downstream credit.
    pub back_pressured_ms: u64,
    /// Rows dropped because they came too late, by the operator's uid in the plan.
    #[serde(default)]
    pub late: BTreeMap<String, u64>,
    /// Faults that do not stop the engine, such as a broker that cannot be reached at the moment.
    pub problems: Vec<Problem>,
}
