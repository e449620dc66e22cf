//! What the engine asks of a connector. Implementations live in `tidemill-connectors`.
//!
//! A connector is made of factories that may block (they run before the dataflow starts, or on a helper thread) and of
//! readers and writers that live on one engine thread each and must return at once: they hand over what is there, and
//! keep I/O on threads of their own.
//!
//! Faults are [`Problem`]s: they name the table and the remedy. A fault that may pass (a broker that is away) is not
//! returned but reported through [`SourceReader::stats`] / [`SinkWriter::stats`] while the connector keeps trying;
//! a returned fault ends the incarnation.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow_schema::SchemaRef;
use serde_json::Value;
use tidemill_model::CheckpointId;
use tidemill_model::status::{Problem, ProblemKind};
use tidemill_plan::{Changelog, Table};

use crate::element::Watermark;

pub type Result<T> = std::result::Result<T, Problem>;

/// All connectors that a worker knows, by the name that the `connector` option has.
pub type Connectors = BTreeMap<&'static str, Arc<dyn Connector>>;

/// One kind of table.
pub trait Connector: Send + Sync {
    /// Opens a table for reading. `schema` holds the columns that readers must deliver, in this order; it is a part of
    /// the table's columns. Checks options; may block, within a timeout.
    fn source(&self, table: &Table, schema: SchemaRef, context: &TaskContext) -> Result<Arc<dyn Source>>;

    /// Opens a table for looking up rows by key. `schema` holds all of the table's stored columns, in table order.
    /// Checks options; may block, within a timeout.
    fn lookup(&self, table: &Table, schema: SchemaRef, context: &TaskContext) -> Result<Arc<dyn Lookup>> {
        let _ = (schema, context);
        Err(Problem {
            kind: ProblemKind::InvalidOption,
            object: table.name.clone(),
            message: format!("a table of the connector `{}` cannot be looked up in", table.connector),
            remedy: "look up in a table of the connector `filesystem`, or join without FOR SYSTEM_TIME AS OF".into(),
        })
    }

    /// Opens a table for writing. `schema` has the rows that writers get. Checks options; may block, within a timeout.
    fn sink(&self, table: &Table, schema: SchemaRef, context: &TaskContext) -> Result<Arc<dyn Sink>>;
}

/// Who is asking. Names that a connector gives to outside things (transactional ids, file names) come from here, so
/// that they are the same after a restart and never another application's.
#[derive(Clone, Debug)]
pub struct TaskContext {
    /// `<namespace>/<name>` of the application, for client ids and messages.
    pub application: String,
    /// Unique over applications, the same over restarts: letters, digits and `-`.
    pub application_uid: String,
    /// The node's uid in the plan.
    pub operator: String,
    /// Engine threads over all workers.
    pub parallelism: usize,
    /// What the rows say that a sink gets, or that a source's readers must deliver: unless they only add, batches have
    /// a last column [`tidemill_plan::CHANGE`] behind those of the schema.
    pub changelog: Changelog,
}

/// A table being read.
pub trait Source: Send + Sync {
    /// The splits there are now, in any order. Called on every worker by itself, so a split's id and number must be
    /// the same everywhere. May block, within a timeout.
    fn splits(&self) -> Result<Vec<Split>>;

    /// A reader of these splits, for one engine thread. An empty list is normal. May block, within a timeout.
    fn reader(&self, splits: Vec<AssignedSplit>) -> Result<Box<dyn SourceReader>>;

    /// Whether every split ends.
    fn bounded(&self) -> bool;

    /// How often [`Source::splits`] is asked while the table is read, for splits that have come since. Readers of such a
    /// source take them by [`SourceReader::add`].
    fn discovery(&self) -> Option<Duration> {
        None
    }

    /// Where a split starts that was not there when the table was read first, however the table starts; none for where
    /// any split starts.
    fn beginning(&self, split: &Split) -> Option<Value> {
        let _ = split;
        None
    }

    /// Whether a reader reads its splits one after the other. Then those that have not begun hold no watermark back.
    fn reads_in_turn(&self) -> bool {
        false
    }

    /// A split that a checkpoint has a position of is not there any more. An error if its rows are missed.
    fn gone(&self, split: &str, position: &Value) -> Result<()> {
        let _ = (split, position);
        Ok(())
    }
}

/// A table that rows are looked up in: the engine loads it whole, keeps it in memory, and finds rows by key itself.
pub trait Lookup: Send + Sync {
    /// All rows that the table holds now. Called before the dataflow starts and on helper threads; may block.
    fn load(&self) -> Result<Vec<RecordBatch>>;

    /// When what was loaded has to be loaded anew; none if it serves for as long as the engine runs.
    fn reload(&self) -> Option<Reload> {
        None
    }
}

/// How often a table is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// So long after the former loading has ended.
    After(Duration),
    /// So long after the former loading has begun, or as soon as it has ended.
    Every(Duration),
}

/// A part of a table that is read in order, such as a Kafka partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    pub id: String,
    /// Split `number` is read by engine thread `number % parallelism`.
    pub number: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct AssignedSplit {
    pub id: String,
    pub number: u64,
    /// Where to go on; none for the table's starting position.
    pub position: Option<Value>,
}

/// Reads some splits on one engine thread.
pub trait SourceReader {
    /// The next rows, at most about `max_rows`. Must not block.
    fn poll(&mut self, max_rows: usize) -> Result<Polled>;

    /// The splits, by their places, that nothing is to be delivered of until this is said anew: they are ahead of others
    /// that they have to wait for. Not all are; at first none is.
    fn hold(&mut self, held: &[bool]);

    /// Where every split stands after the batches handed over so far, in the order of the assignment.
    fn positions(&self) -> Vec<Value>;

    fn stats(&self) -> SourceStats;

    /// Takes one more split, behind those that it has. Must not block.
    fn add(&mut self, split: AssignedSplit) -> Result<()> {
        Err(Problem {
            kind: ProblemKind::Internal,
            object: split.id,
            message: "a split was found for a reader that takes none".to_string(),
            remedy: "please report this with the table's connector".to_string(),
        })
    }

    /// A checkpoint with these positions is complete: a chance to tell the outside, such as by a group commit for lag
    /// displays. Must not block.
    fn checkpointed(&mut self, positions: &[Value]) {
        let _ = positions;
    }
}

pub enum Polled {
    Batch {
        /// The place of the split in the reader's assignment.
        split: usize,
        rows: RecordBatch,
    },
    /// A split has been read to its end and holds no watermark back any more.
    Ended { split: usize },
    /// Nothing at the moment; ask again soon.
    Pending,
    /// Nothing before `ms` milliseconds from now.
    PendingFor { ms: u64 },
    /// All splits have been read to their ends. With no splits at all, only a bounded source says this.
    Finished,
}

/// Counters since the reader was made.
#[derive(Clone, Debug, Default)]
pub struct SourceStats {
    pub records: u64,
    pub bytes: u64,
    pub undecodable: u64,
    pub lag_records: Option<u64>,
    pub millis_behind_latest: Option<u64>,
    /// What goes wrong at the moment while the reader keeps trying.
    pub problem: Option<Problem>,
}

/// A table being written.
pub trait Sink: Send + Sync {
    /// A writer for one engine thread. `slot` is the thread's number. May block, within a timeout.
    fn writer(&self, slot: u32) -> Result<Box<dyn SinkWriter>>;

    /// Makes staged output visible, for sinks whose writers stage ([`Prepared::Staged`]). None for the others.
    fn committer(&self, slot: u32) -> Result<Option<Box<dyn Committer>>>;
}

/// Writes rows on one engine thread.
pub trait SinkWriter {
    /// Takes rows. Must not block: it buffers, and says by [`SinkWriter::ready`] when it has had enough.
    fn write(&mut self, rows: &RecordBatch) -> Result<()>;

    /// Whether the writer wants more. While it does not, the engine holds rows back and thereby slows the sources.
    fn ready(&mut self) -> Result<bool> {
        Ok(true)
    }

    /// Staged bytes that are large enough to be put away; the engine stores them as one chunk. Called after `write`.
    fn take_staged(&mut self) -> Option<Vec<u8>> {
        None
    }

    /// Event time has moved for the rows that are still to come to this writer.
    fn watermark(&mut self, watermark: Watermark) {
        let _ = watermark;
    }

    /// A checkpoint cuts the stream here. Says what has to happen before the checkpoint may complete.
    fn prepare(&mut self, checkpoint: CheckpointId) -> Result<Prepared>;

    fn stats(&self) -> SinkStats;
}

/// What a checkpoint needs of a writer.
pub enum Prepared {
    /// Nothing: everything written is out, or need not be.
    Done,
    /// Wait until everything written so far is out (at-least-once). Runs on a helper thread and may block.
    Flush(Box<dyn FnOnce() -> Result<()> + Send>),
    /// The last staged bytes since the previous checkpoint (possibly none). Together with the chunks of
    /// [`SinkWriter::take_staged`], in order, they go to [`Committer::commit`] once the checkpoint is claimed.
    Staged(Vec<u8>),
}

#[derive(Clone, Debug, Default)]
pub struct SinkStats {
    pub records: u64,
    pub bytes: u64,
    pub problem: Option<Problem>,
}

/// Makes staged output visible, on a helper thread. Commits of a slot come in the order of their checkpoints, and the
/// same one may come again after a restart, at another worker: a committer must then do nothing, or the same thing
/// once more to the same effect. It must also shut out an earlier committer of the same slot that may still be alive.
pub trait Committer: Send {
    fn commit(&mut self, checkpoint: CheckpointId, chunks: &mut dyn Iterator<Item = Result<Vec<u8>>>) -> Result<()>;
}
