//! The engine as a process runs it, with a source and a sink of the tests' own; the coordinator's part is played by the
//! test.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use serde_json::{Value, json};
use tidemill_engine::connector::{
    AssignedSplit, Committer, Connector, Connectors, Polled, Prepared, Result, Sink, SinkStats, SinkWriter, Source,
    SourceReader, SourceStats, Split, TaskContext,
};
use tidemill_engine::outside::Outside;
use tidemill_engine::state;
use tidemill_model::control::{AfterCheckpoint, EngineCommand, EngineEvent, EngineStart, PendingCommit, WorkerCapture};
use tidemill_model::job::{ApplicationId, JobSpec, StorageSpec};
use tidemill_model::key_groups::HASH_VERSION;
use tidemill_model::snapshot::{MANIFEST_FORMAT, Manifest};
use tidemill_model::{CheckpointId, Epoch, Incarnation};
use tidemill_plan::{StreamPlan, Table};

use super::common::{Row, batch};

pub const SPLITS: u64 = 4;
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Committed output, shared by all incarnations: the outside world.
pub type World = Arc<Mutex<BTreeMap<(u64, u32), Vec<RecordBatch>>>>;

/// Rows of split `s` are those whose number is `s` modulo the number of splits.
pub fn rows(count: u64) -> Vec<Row> {
    (0..count)
        .map(|number| Row { key: Some(format!("k{}", number % 17)), value: number as i64, time: number as i64 })
        .collect()
}

pub struct Test {
    pub plan: StreamPlan,
    pub rows: Arc<Vec<Row>>,
    /// How many rows may be read: a tap that the test opens.
    pub open: Arc<Mutex<usize>>,
    /// The same for the table `slow`.
    pub slow: Arc<Mutex<usize>>,
    /// How often readers were asked for rows.
    pub polls: Arc<AtomicUsize>,
    pub world: World,
    pub splits: Splits,
}

/// How many splits there are, if a test decides; then the table does not end.
type Splits = Option<Arc<Mutex<u64>>>;

impl Connector for Test {
    fn source(&self, table: &Table, _: SchemaRef, _: &TaskContext) -> Result<Arc<dyn Source>> {
        let open = if table.name == "slow" { &self.slow } else { &self.open };
        let (rows, open, polls) = (self.rows.clone(), open.clone(), self.polls.clone());
        Ok(Arc::new(TestSource { rows, open, polls, splits: self.splits.clone() }))
    }

    fn sink(&self, _: &Table, _: SchemaRef, _: &TaskContext) -> Result<Arc<dyn Sink>> {
        Ok(Arc::new(TestSink { world: self.world.clone() }))
    }
}

struct TestSource {
    rows: Arc<Vec<Row>>,
    open: Arc<Mutex<usize>>,
    polls: Arc<AtomicUsize>,
    splits: Splits,
}

impl Source for TestSource {
    fn splits(&self) -> Result<Vec<Split>> {
        let splits = self.splits.as_ref().map_or(SPLITS, |splits| *splits.lock().unwrap());
        Ok((0..splits).map(|number| Split { id: number.to_string(), number }).collect())
    }

    fn reader(&self, splits: Vec<AssignedSplit>) -> Result<Box<dyn SourceReader>> {
        let next = splits
            .iter()
            .map(|split| split.position.as_ref().map_or(split.number, |position| position.as_u64().unwrap()))
            .collect();
        let (rows, open, polls) = (self.rows.clone(), self.open.clone(), self.polls.clone());
        let bounded = self.bounded();
        Ok(Box::new(TestReader { rows, open, polls, next, held: Vec::new(), read: 0, bounded }))
    }

    fn bounded(&self) -> bool {
        self.splits.is_none()
    }

    fn discovery(&self) -> Option<Duration> {
        self.splits.is_some().then_some(Duration::from_millis(20))
    }

    fn beginning(&self, split: &Split) -> Option<Value> {
        Some(json!(split.number))
    }
}

struct TestReader {
    rows: Arc<Vec<Row>>,
    open: Arc<Mutex<usize>>,
    polls: Arc<AtomicUsize>,
    next: Vec<u64>,
    held: Vec<bool>,
    read: u64,
    bounded: bool,
}

impl SourceReader for TestReader {
    fn poll(&mut self, _max_rows: usize) -> Result<Polled> {
        self.polls.fetch_add(1, Ordering::SeqCst);
        let open = *self.open.lock().unwrap();
        let held = &self.held;
        let is_held = |split: usize| held.get(split) == Some(&true);
        for (split, next) in self.next.iter_mut().enumerate().filter(|(split, _)| !is_held(*split)) {
            let mut taken = Vec::new();
            while taken.len() < 64 && (*next as usize) < open {
                taken.push(self.rows[*next as usize].clone());
                *next += SPLITS;
            }
            if !taken.is_empty() {
                self.read += taken.len() as u64;
                return Ok(Polled::Batch { split, rows: batch(&taken) });
            }
        }
        let finished = self.bounded && self.next.iter().all(|next| *next as usize >= self.rows.len());
        Ok(if finished { Polled::Finished } else { Polled::Pending })
    }

    fn hold(&mut self, held: &[bool]) {
        self.held = held.to_vec();
    }

    fn add(&mut self, split: AssignedSplit) -> Result<()> {
        self.next.push(split.position.unwrap().as_u64().unwrap());
        Ok(())
    }

    fn positions(&self) -> Vec<Value> {
        self.next.iter().map(|next| json!(next)).collect()
    }

    fn stats(&self) -> SourceStats {
        SourceStats { records: self.read, ..SourceStats::default() }
    }
}

struct TestSink {
    world: World,
}

impl Sink for TestSink {
    fn writer(&self, _slot: u32) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(TestWriter { rows: Vec::new() }))
    }

    fn committer(&self, slot: u32) -> Result<Option<Box<dyn Committer>>> {
        Ok(Some(Box::new(TestCommitter { world: self.world.clone(), slot })))
    }
}

struct TestWriter {
    rows: Vec<RecordBatch>,
}

impl SinkWriter for TestWriter {
    fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        self.rows.push(rows.clone());
        Ok(())
    }

    fn prepare(&mut self, _checkpoint: CheckpointId) -> Result<Prepared> {
        let Some(first) = self.rows.first() else { return Ok(Prepared::Staged(Vec::new())) };
        let mut writer = arrow::ipc::writer::StreamWriter::try_new(Vec::new(), first.schema_ref()).unwrap();
        for rows in self.rows.drain(..) {
            writer.write(&rows).unwrap();
        }
        Ok(Prepared::Staged(writer.into_inner().unwrap()))
    }

    fn stats(&self) -> SinkStats {
        SinkStats::default()
    }
}

struct TestCommitter {
    world: World,
    slot: u32,
}

impl Committer for TestCommitter {
    fn commit(&mut self, checkpoint: CheckpointId, chunks: &mut dyn Iterator<Item = Result<Vec<u8>>>) -> Result<()> {
        let mut rows = Vec::new();
        for chunk in chunks {
            rows.extend(state::decode(&chunk?).unwrap());
        }
        self.world.lock().unwrap().insert((checkpoint.0, self.slot), rows);
        Ok(())
    }
}

/// One incarnation: its workers, and the coordinator's end of their pipes.
pub struct Incarnate {
    pub commands: Vec<Sender<EngineCommand>>,
    pub events: Receiver<(usize, EngineEvent)>,
    /// Everything received so far: an event may come before the test asks for it.
    pub seen: RefCell<Vec<(usize, EngineEvent)>>,
    pub job: JobSpec,
}

pub struct Shape {
    pub workers: u32,
    pub threads: u32,
}

impl Incarnate {
    pub fn start(test: &Arc<Test>, storage: &Path, shape: &Shape, number: u64, restore: Option<Restore>) -> Self {
        let job = JobSpec {
            application: ApplicationId { namespace: "n".into(), name: "a".into(), uid: "u".into() },
            version: "v".into(),
            workers: shape.workers,
            threads_per_worker: shape.threads,
            plan: serde_json::to_value(&test.plan).unwrap(),
            modules: Default::default(),
            storage: StorageSpec { uri: format!("file://{}", storage.display()), options: BTreeMap::new() },
            checkpoint: Default::default(),
            restore: Default::default(),
            restarts: Default::default(),
        };
        let listeners: Vec<_> = (0..shape.workers).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let peers: Vec<SocketAddr> = listeners.iter().map(|listener| listener.local_addr().unwrap()).collect();
        let (event_sender, events) = channel();
        let mut commands = Vec::new();
        for (worker, listener) in listeners.into_iter().enumerate() {
            let (sender, receiver) = channel();
            commands.push(sender);
            let start = EngineStart {
                job: job.clone(),
                incarnation: Incarnation(number),
                worker: worker as u32,
                peers: peers.clone(),
                restore: restore.as_ref().map(|restore| restore.manifest.clone()),
                commit: restore.as_ref().and_then(|restore| restore.commit.clone()),
            };
            let connectors: Connectors = BTreeMap::from([("test", test.clone() as Arc<dyn Connector>)]);
            let events = event_sender.clone();
            std::thread::spawn(move || {
                let to_coordinator = events.clone();
                let outcome = tidemill_engine::run(listener, start, Outside::of(connectors), receiver, move |event| {
                    let _ = to_coordinator.send((worker, event));
                });
                if let Err(problem) = outcome {
                    let _ = events.send((worker, EngineEvent::Failed(problem)));
                }
            });
        }
        Self { commands, events, seen: RefCell::default(), job }
    }

    /// Waits until `wanted` has picked something from the events of every worker.
    pub fn await_all<T>(&self, mut wanted: impl FnMut(&EngineEvent) -> Option<T>) -> Vec<T> {
        let deadline = Instant::now() + PATIENCE;
        let mut found: BTreeMap<usize, T> = BTreeMap::new();
        for (worker, event) in self.seen.borrow().iter() {
            found.extend(wanted(event).map(|value| (*worker, value)));
        }
        while found.len() < self.commands.len() {
            match self.events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok((worker, event)) => {
                    assert!(!matches!(event, EngineEvent::Failed(_)), "worker {worker}: {event:?}");
                    found.extend(wanted(&event).map(|value| (worker, value)));
                    self.seen.borrow_mut().push((worker, event));
                }
                Err(RecvTimeoutError::Timeout) => panic!("only {} workers answered in time", found.len()),
                Err(RecvTimeoutError::Disconnected) => panic!("the workers are gone"),
            }
        }
        found.into_values().collect()
    }

    /// The rows that have been read of each table, as every worker reports next.
    pub fn next_records(&self) -> BTreeMap<String, u64> {
        self.seen.borrow_mut().retain(|(_, event)| !matches!(event, EngineEvent::Progress(_)));
        let reports = self.await_all(|event| match event {
            EngineEvent::Progress(progress) => Some(progress.sources.clone()),
            _ => None,
        });
        let mut records = BTreeMap::new();
        for source in reports.into_iter().flatten() {
            *records.entry(source.table).or_default() += source.records;
        }
        records
    }

    pub fn await_running(&self) {
        self.await_all(|event| matches!(event, EngineEvent::Running).then_some(()));
    }

    /// Takes a checkpoint and writes its manifest, as a coordinator does.
    pub fn checkpoint(&self, storage: &Path, id: u64, then: AfterCheckpoint) -> String {
        self.checkpoint_of(storage, id, then, SPLITS)
    }

    pub fn checkpoint_of(&self, storage: &Path, id: u64, then: AfterCheckpoint, splits: u64) -> String {
        self.commands[0].send(EngineCommand::Checkpoint { id: CheckpointId(id), then }).unwrap();
        let captures = self.await_all(|event| match event {
            EngineEvent::Captured { id: captured, capture } if captured.0 == id => Some(capture.clone()),
            _ => None,
        });
        let mut all = WorkerCapture::default();
        for capture in captures {
            all.operators.extend(capture.operators);
            all.splits.extend(capture.splits);
            all.committables.extend(capture.committables);
        }
        assert_eq!(all.splits.len() as u64, splits, "every split has exactly one position");
        let manifest = Manifest {
            format: MANIFEST_FORMAT,
            application: self.job.application.clone(),
            version: self.job.version.clone(),
            incarnation: Incarnation(1),
            checkpoint: CheckpointId(id),
            epoch: Epoch(0),
            parallelism: self.job.parallelism() as u32,
            hash_version: HASH_VERSION,
            created_at_ms: 0,
            operators: all.operators,
            splits: all.splits,
            committables: all.committables,
        };
        let name = format!("manifest-{id}.json");
        std::fs::write(storage.join(&name), serde_json::to_vec(&manifest).unwrap()).unwrap();
        name
    }

    pub fn commit(&self, id: u64) {
        for commands in &self.commands {
            commands.send(EngineCommand::Commit { id: CheckpointId(id) }).unwrap();
        }
        self.await_committed(id);
    }

    pub fn await_committed(&self, id: u64) {
        self.await_all(|event| matches!(event, EngineEvent::Committed { id: done } if done.0 == id).then_some(()));
    }
}

pub struct Restore {
    pub manifest: String,
    pub commit: Option<PendingCommit>,
}

pub fn test(plan: StreamPlan, count: u64, open: usize) -> Arc<Test> {
    Arc::new(Test {
        plan,
        rows: Arc::new(rows(count)),
        open: Arc::new(Mutex::new(open)),
        slow: Arc::default(),
        polls: Arc::default(),
        world: World::default(),
        splits: None,
    })
}
