//! The whole engine on real threads and sockets: several workers in one process, a coordinator played by the test, a
//! source and a sink of its own, checkpoints in a folder.
#![allow(clippy::unwrap_used)]

mod common;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use common::table::folded;
use common::{Row, batch, plan, recomputed, results};
use serde_json::{Value, json};
use tidemill_engine::connector::{
    AssignedSplit, Committer, Connector, Connectors, Polled, Prepared, Result, Sink, SinkStats, SinkWriter, Source,
    SourceReader, SourceStats, Split, TaskContext,
};
use tidemill_engine::state;
use tidemill_model::control::{AfterCheckpoint, EngineCommand, EngineEvent, EngineStart, PendingCommit, WorkerCapture};
use tidemill_model::job::{ApplicationId, JobSpec, StorageSpec};
use tidemill_model::key_groups::HASH_VERSION;
use tidemill_model::snapshot::{MANIFEST_FORMAT, Manifest};
use tidemill_model::status::{Problem, ProblemKind};
use tidemill_model::{CheckpointId, Epoch, Incarnation};
use tidemill_plan::{
    AggregateCall, AggregateFunction, Alignment, Changelog, GroupAggregate, NodeKind, PlanNode,
    Source as PlannedSource, StreamPlan, Table, Window,
};

const WINDOW: Window = Window::Tumble { size_ms: 100, offset_ms: 0 };
const SPLITS: u64 = 4;
const PATIENCE: Duration = Duration::from_secs(30);

/// Committed output, shared by all incarnations: the outside world.
type World = Arc<Mutex<BTreeMap<(u64, u32), Vec<RecordBatch>>>>;

/// Rows of split `s` are those whose number is `s` modulo the number of splits.
fn rows(count: u64) -> Vec<Row> {
    (0..count)
        .map(|number| Row { key: Some(format!("k{}", number % 17)), value: number as i64, time: number as i64 })
        .collect()
}

struct Test {
    plan: StreamPlan,
    rows: Arc<Vec<Row>>,
    /// How many rows may be read: a tap that the test opens.
    open: Arc<Mutex<usize>>,
    /// The same for the table `slow`.
    slow: Arc<Mutex<usize>>,
    /// How often readers were asked for rows.
    polls: Arc<AtomicUsize>,
    world: World,
}

impl Connector for Test {
    fn source(&self, table: &Table, _: SchemaRef, _: &TaskContext) -> Result<Arc<dyn Source>> {
        let open = if table.name == "slow" { &self.slow } else { &self.open };
        Ok(Arc::new(TestSource { rows: self.rows.clone(), open: open.clone(), polls: self.polls.clone() }))
    }

    fn sink(&self, _: &Table, _: SchemaRef, _: &TaskContext) -> Result<Arc<dyn Sink>> {
        Ok(Arc::new(TestSink { world: self.world.clone() }))
    }
}

struct TestSource {
    rows: Arc<Vec<Row>>,
    open: Arc<Mutex<usize>>,
    polls: Arc<AtomicUsize>,
}

impl Source for TestSource {
    fn splits(&self) -> Result<Vec<Split>> {
        Ok((0..SPLITS).map(|number| Split { id: number.to_string(), number }).collect())
    }

    fn reader(&self, splits: Vec<AssignedSplit>) -> Result<Box<dyn SourceReader>> {
        let next = splits
            .iter()
            .map(|split| split.position.as_ref().map_or(split.number, |position| position.as_u64().unwrap()))
            .collect();
        let (rows, open, polls) = (self.rows.clone(), self.open.clone(), self.polls.clone());
        Ok(Box::new(TestReader { rows, open, polls, next, held: Vec::new(), read: 0 }))
    }

    fn bounded(&self) -> bool {
        true
    }
}

struct TestReader {
    rows: Arc<Vec<Row>>,
    open: Arc<Mutex<usize>>,
    polls: Arc<AtomicUsize>,
    next: Vec<u64>,
    held: Vec<bool>,
    read: u64,
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
        let finished = self.next.iter().all(|next| *next as usize >= self.rows.len());
        Ok(if finished { Polled::Finished } else { Polled::Pending })
    }

    fn hold(&mut self, held: &[bool]) {
        self.held = held.to_vec();
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
struct Incarnate {
    commands: Vec<Sender<EngineCommand>>,
    events: Receiver<(usize, EngineEvent)>,
    /// Everything received so far: an event may come before the test asks for it.
    seen: RefCell<Vec<(usize, EngineEvent)>>,
    job: JobSpec,
}

struct Shape {
    workers: u32,
    threads: u32,
}

impl Incarnate {
    fn start(test: &Arc<Test>, storage: &Path, shape: &Shape, number: u64, restore: Option<Restore>) -> Self {
        let job = JobSpec {
            application: ApplicationId { namespace: "n".into(), name: "a".into(), uid: "u".into() },
            version: "v".into(),
            workers: shape.workers,
            threads_per_worker: shape.threads,
            plan: serde_json::to_value(&test.plan).unwrap(),
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
                let outcome = tidemill_engine::run(listener, start, connectors, receiver, move |event| {
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
    fn await_all<T>(&self, mut wanted: impl FnMut(&EngineEvent) -> Option<T>) -> Vec<T> {
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

    fn await_running(&self) {
        self.await_all(|event| matches!(event, EngineEvent::Running).then_some(()));
    }

    /// Takes a checkpoint and writes its manifest, as a coordinator does.
    fn checkpoint(&self, storage: &Path, id: u64, then: AfterCheckpoint) -> String {
        self.checkpoint_of(storage, id, then, SPLITS)
    }

    fn checkpoint_of(&self, storage: &Path, id: u64, then: AfterCheckpoint, splits: u64) -> String {
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

    fn commit(&self, id: u64) {
        for commands in &self.commands {
            commands.send(EngineCommand::Commit { id: CheckpointId(id) }).unwrap();
        }
        self.await_committed(id);
    }

    fn await_committed(&self, id: u64) {
        self.await_all(|event| matches!(event, EngineEvent::Committed { id: done } if done.0 == id).then_some(()));
    }
}

struct Restore {
    manifest: String,
    commit: Option<PendingCommit>,
}

fn test(plan: StreamPlan, count: u64, open: usize) -> Arc<Test> {
    Arc::new(Test {
        plan,
        rows: Arc::new(rows(count)),
        open: Arc::new(Mutex::new(open)),
        slow: Arc::default(),
        polls: Arc::default(),
        world: World::default(),
    })
}

fn committed(test: &Test) -> Vec<common::ResultRow> {
    results(test.world.lock().unwrap().values().flatten())
}

/// Runs the rows through incarnations of these shapes, with a stop after each, and compares what was committed.
fn check(count: u64, shapes: &[Shape]) {
    let test = run(plan(WINDOW), count, shapes);
    assert_eq!(committed(&test), recomputed(&test.rows, WINDOW));
}

fn run(plan: StreamPlan, count: u64, shapes: &[Shape]) -> Arc<Test> {
    let storage = tempfile::tempdir().unwrap();
    let test = test(plan, count, 0);
    let mut restore = None;
    for (number, shape) in shapes.iter().enumerate() {
        let number = number as u64 + 1;
        *test.open.lock().unwrap() = (count * number / shapes.len() as u64) as usize;
        let engine = Incarnate::start(&test, storage.path(), shape, number, restore.take());
        engine.await_running();
        if number == shapes.len() as u64 {
            engine.await_all(|event| matches!(event, EngineEvent::Finished).then_some(()));
        } else {
            std::thread::sleep(Duration::from_millis(300));
        }
        engine.checkpoint(storage.path(), number * 10, AfterCheckpoint::Continue);
        engine.commit(number * 10);
        let manifest = engine.checkpoint(storage.path(), number * 10 + 1, AfterCheckpoint::Stop);
        engine.commit(number * 10 + 1);
        restore = Some(Restore { manifest, commit: None });
    }
    test
}

#[test]
fn one_thread() {
    check(20_000, &[Shape { workers: 1, threads: 1 }]);
}

#[test]
fn threads_and_processes_exchange_by_key() {
    check(20_000, &[Shape { workers: 2, threads: 2 }]);
}

#[test]
fn state_moves_when_the_parallelism_changes() {
    let shapes = [(1, 1), (3, 1), (2, 2), (1, 3)].map(|(workers, threads)| Shape { workers, threads });
    check(40_000, &shapes);
}

/// Counts each key's windows, and their rows, as they are put out.
fn plan_of_counts() -> StreamPlan {
    let mut plan = plan(WINDOW);
    let schema = Arc::new(Schema::new(vec![
        Field::new("key", DataType::Utf8, true),
        Field::new("windows", DataType::Int64, true),
        Field::new("rows", DataType::Int64, true),
    ]));
    let call = |function, argument| AggregateCall { function, argument, distinct: false, filter: None };
    let aggregates = vec![call(AggregateFunction::Count, None), call(AggregateFunction::Sum, Some(1))];
    let aggregate = GroupAggregate { keys: vec![0], aggregates, state_ttl_ms: None };
    let mut sink = plan.nodes.pop().unwrap();
    (sink.inputs, sink.schema, sink.changelog) = (vec![2], schema.clone(), Changelog::Retract);
    let kind = NodeKind::GroupAggregate(aggregate);
    plan.nodes.push(PlanNode { uid: "counts".into(), inputs: vec![1], kind, schema, changelog: Changelog::Retract });
    plan.nodes.push(sink);
    plan
}

#[test]
fn what_a_watermark_releases_at_the_end_of_an_epoch_is_part_of_it() {
    // On one thread the source's chain has both aggregations. Watermarks close windows at the end of every epoch.
    let test = run(plan_of_counts(), 20_000, &[(); 3].map(|()| Shape { workers: 1, threads: 1 }));
    let mut expected: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for (key, _, count, _) in recomputed(&test.rows, WINDOW) {
        let sums = expected.entry(key.unwrap()).or_default();
        *sums = (sums.0 + 1, sums.1 + count);
    }
    let expected = expected.into_iter().map(|(key, (windows, rows))| vec![key, windows.to_string(), rows.to_string()]);
    let committed = folded(test.world.lock().unwrap().values().flatten());
    assert_eq!(committed, expected.map(|row| (row, 1)).collect());
}

/// Windows over the rows of two tables, whose splits may not be further apart than 100 ms.
fn plan_of_aligned_tables() -> StreamPlan {
    let mut plan = plan(WINDOW);
    let NodeKind::Source(mut source) = plan.nodes[0].kind.clone() else { panic!("a source comes first") };
    if let Some(watermark) = &mut source.watermark {
        watermark.alignment = Some(Alignment { group: "g".into(), max_drift_ms: 100, update_interval_ms: 20 });
    }
    let slow = PlannedSource { table: Table { name: "slow".into(), ..source.table.clone() }, ..source.clone() };
    let table = PlanNode { kind: NodeKind::Source(source), ..plan.nodes[0].clone() };
    let slow = PlanNode { uid: "slow".into(), kind: NodeKind::Source(slow), ..table.clone() };
    let both = PlanNode { uid: "both".into(), inputs: vec![0, 1], kind: NodeKind::Union, ..table.clone() };
    plan.nodes.splice(0..1, [table, slow, both]);
    plan.nodes[3].inputs = vec![2];
    plan.nodes[4].inputs = vec![3];
    plan
}

#[test]
fn a_table_that_is_ahead_waits_for_the_others_of_its_alignment_group() {
    let storage = tempfile::tempdir().unwrap();
    let test = test(plan_of_aligned_tables(), 20_000, 20_000);
    *test.slow.lock().unwrap() = 1_000;
    let engine = Incarnate::start(&test, storage.path(), &Shape { workers: 2, threads: 1 }, 1, None);
    engine.await_running();
    std::thread::sleep(Duration::from_millis(1_500));
    let read = |table: &str| -> u64 {
        let seen = engine.seen.borrow();
        let latest = |worker| {
            let of_worker = seen.iter().rev().filter(move |(by, _)| *by == worker);
            of_worker.into_iter().find_map(|(_, event)| match event {
                EngineEvent::Progress(progress) => Some(progress.sources.clone()),
                _ => None,
            })
        };
        let sources = (0..2).filter_map(latest).flatten();
        sources.filter(|source| source.table == table).map(|source| source.records).sum()
    };
    let mut reports = 0;
    engine.await_all(|event| matches!(event, EngineEvent::Progress(_)).then(|| reports += 1));
    assert_eq!(read("slow"), 1_000);
    // Times are the rows' numbers: up to 1000 and the drift, and a batch of each split beyond.
    let most = 1_100 + 64 * SPLITS * SPLITS;
    assert!((1_000..most).contains(&read("in")), "{} rows were read", read("in"));

    *test.slow.lock().unwrap() = 20_000;
    engine.await_all(|event| matches!(event, EngineEvent::Finished).then_some(()));
    engine.checkpoint_of(storage.path(), 1, AfterCheckpoint::Stop, 2 * SPLITS);
    engine.commit(1);
    let both: Vec<Row> = test.rows.iter().chain(&*test.rows).cloned().collect();
    assert_eq!(committed(&test), recomputed(&both, WINDOW));
}

#[test]
fn a_source_without_rows_is_asked_only_now_and_then() {
    let storage = tempfile::tempdir().unwrap();
    let test = test(plan(WINDOW), 1_000, 0);
    let engine = Incarnate::start(&test, storage.path(), &Shape { workers: 1, threads: 2 }, 1, None);
    engine.await_running();
    let before = test.polls.load(Ordering::SeqCst);
    std::thread::sleep(Duration::from_millis(500));
    let polls = test.polls.load(Ordering::SeqCst) - before;
    assert!((1..=2 * 500 / 5 + 50).contains(&polls), "{polls} times in half a second by two threads");
    engine.checkpoint(storage.path(), 1, AfterCheckpoint::Stop);
}

#[test]
fn output_of_a_claimed_checkpoint_is_committed_after_a_crash() {
    let storage = tempfile::tempdir().unwrap();
    let test = test(plan(WINDOW), 10_000, 5_000);
    let shape = Shape { workers: 2, threads: 1 };
    let engine = Incarnate::start(&test, storage.path(), &shape, 1, None);
    engine.await_running();
    std::thread::sleep(Duration::from_millis(300));
    let manifest = engine.checkpoint(storage.path(), 1, AfterCheckpoint::Stop);
    drop(engine);
    assert!(committed(&test).is_empty(), "nothing is visible before the commit");

    *test.open.lock().unwrap() = 10_000;
    let commit = Some(PendingCommit { checkpoint: CheckpointId(1), manifest: manifest.clone() });
    let engine = Incarnate::start(
        &test,
        storage.path(),
        &Shape { workers: 1, threads: 1 },
        2,
        Some(Restore { manifest, commit }),
    );
    engine.await_committed(1);
    engine.await_all(|event| matches!(event, EngineEvent::Finished).then_some(()));
    engine.checkpoint(storage.path(), 2, AfterCheckpoint::Stop);
    engine.commit(2);
    assert_eq!(committed(&test), recomputed(&test.rows, WINDOW));
}

#[test]
fn a_damaged_state_file_is_refused() {
    let storage = tempfile::tempdir().unwrap();
    let test = test(plan(WINDOW), 1_000, 950);
    let shape = Shape { workers: 1, threads: 1 };
    let engine = Incarnate::start(&test, storage.path(), &shape, 1, None);
    engine.await_running();
    std::thread::sleep(Duration::from_millis(300));
    let manifest = engine.checkpoint(storage.path(), 1, AfterCheckpoint::Stop);
    let read: Manifest = serde_json::from_slice(&std::fs::read(storage.path().join(&manifest)).unwrap()).unwrap();
    let file = storage.path().join(&read.operators[0].files[0].path);
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    std::fs::write(&file, bytes).unwrap();

    let engine = Incarnate::start(&test, storage.path(), &shape, 2, Some(Restore { manifest, commit: None }));
    match engine.events.recv_timeout(PATIENCE).unwrap() {
        (0, EngineEvent::Failed(Problem { kind: ProblemKind::StateUnreadable, object, .. })) => {
            assert_eq!(object, read.operators[0].files[0].path);
        }
        other => panic!("{other:?}"),
    }
}
