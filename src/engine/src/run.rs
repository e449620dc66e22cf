//! Runs one incarnation of a job on the threads of this process, from the start command to the end.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use object_store::ObjectStore;
use tidemill_model::control::{EngineCommand, EngineEvent, EngineStart};
use tidemill_model::key_groups::KeyGroupRange;
use tidemill_model::snapshot::ApplicationPaths;
use tidemill_model::status::Problem;
use tidemill_plan::{Fields, NodeKind, PlanNode, StreamPlan, Watermark};
use tidemill_storage::ApplicationStore;
use tokio::runtime::Runtime;

use crate::checkpoint::{Claims, Collector, CommitJob, Committers, Parts, Uploads};
use crate::connector::{Connectors, Result, Sink, Source, Split, TaskContext};
use crate::discovery::{self, Discovered};
use crate::operator::internal;
use crate::outside::Outside;
use crate::progress::Board;
use crate::restore::{Places, Restored, restore};
use crate::stages::{Stages, cut};
use crate::timely_adapter::{self, Handshake, Place, Requests};

/// How often counters are reported.
const REPORT: Duration = Duration::from_secs(1);
/// How often the main thread looks whether something happened.
const TICK: Duration = Duration::from_millis(20);

/// What the threads of a job share; unchanging but for `shared`.
pub struct Job {
    pub plan: StreamPlan,
    pub stages: Stages,
    pub sources: Vec<OpenSource>,
    pub sinks: Vec<Arc<OpenSink>>,
    pub outside: Outside,
    /// The groups whose sources wait for each other.
    pub alignments: Vec<AlignmentGroup>,
    pub restored: Restored,
    pub shared: Shared,
    /// Operators with state on each thread.
    stateful: usize,
}

pub struct OpenSource {
    pub uid: String,
    pub node: usize,
    pub table: String,
    pub source: Arc<dyn Source>,
    pub splits: Vec<Split>,
    pub discovered: Discovered,
    pub watermark: Option<Watermark>,
    pub schema: Fields,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlignmentGroup {
    pub name: String,
    pub update_interval: Duration,
}

pub struct OpenSink {
    pub uid: String,
    pub node: usize,
    pub table: String,
    pub sink: Arc<dyn Sink>,
}

/// What engine threads tell the rest of the process.
pub struct Shared {
    pub board: Board,
    pub requests: Requests,
    pub parts: Parts,
    pub events: Arc<dyn Fn(EngineEvent) + Send + Sync>,
    failure: Mutex<Option<Problem>>,
    built: AtomicUsize,
}

impl Shared {
    /// Notes a fault that ends the incarnation. The first one is the cause; later ones are mostly consequences.
    pub fn fail(&self, problem: Problem) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(problem);
    }

    pub fn has_failed(&self) -> bool {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn failure(&self) -> Option<Problem> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A thread has built its dataflow.
    pub fn built(&self) {
        self.built.fetch_add(1, Ordering::SeqCst);
    }
}

impl Job {
    /// The place among [`Job::sources`] of a node of the plan.
    pub fn source_place(&self, node: usize) -> usize {
        self.sources.iter().position(|source| source.node == node).expect("every source of the plan is open")
    }

    /// The place among [`Job::sinks`] of a node of the plan.
    pub fn sink_place(&self, node: usize) -> usize {
        self.sinks.iter().position(|sink| sink.node == node).expect("every sink of the plan is open")
    }

    /// Parts that one thread hands over at a checkpoint.
    fn parts_per_thread(&self) -> usize {
        self.sources.len() + self.sinks.len() + self.stateful
    }
}

/// Runs the job until `commands` is closed, or a fault ends it: then the fault is returned, and engine threads are
/// left standing still, for the process is to exit. After a stop, the threads end and commits are still carried out.
///
/// `listener` is where the other workers' engines connect, as announced by [`EngineEvent::Listening`].
pub fn run(
    listener: TcpListener,
    start: EngineStart,
    outside: Outside,
    commands: Receiver<EngineCommand>,
    events: impl Fn(EngineEvent) + Send + Sync + 'static,
) -> Result<()> {
    let events: Arc<dyn Fn(EngineEvent) + Send + Sync> = Arc::new(events);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("engine-io")
        .enable_all()
        .build()
        .map_err(|error| internal("engine", error))?;
    let store = tidemill_storage::open(&start.job.storage)?;
    let (parts, receiver) = Parts::new();
    let job = Arc::new(open(&start, outside, &store, &runtime, parts, events.clone())?);

    let handshake = Handshake::new(&start.job.application.uid, &start.job.version, start.incarnation, start.worker);
    let sockets = timely_adapter::connect(&listener, &start.peers, handshake)?;
    let threads = start.job.threads_per_worker as usize;
    let paths = ApplicationPaths::new(&start.job.application);
    let uploads = Uploads::new(store.clone(), paths, start.incarnation, runtime.handle().clone());
    let problem = uploads.problem.clone();
    let collector = Collector::new(uploads, job.parts_per_thread() * threads);
    let claims = collector.claims();
    background("collector", &job, {
        let events = events.clone();
        move || collector.run(receiver, |event| events(event))
    })?;
    let (commits, jobs) = channel();
    let committers = Committers::new(job.sinks.clone(), store.clone(), runtime.handle().clone());
    background("commits", &job, {
        let events = events.clone();
        move || committers.run(&jobs, |event| events(event))
    })?;
    commit_pending(&start, &store, &runtime, &commits)?;
    discovery::begin(&job)?;

    let guards = timely_adapter::start(job.clone(), Place { worker: start.worker as usize, threads, sockets })?;
    // Joining would block; the threads end by themselves after a stop, and with the process after a fault.
    std::mem::forget(guards);
    attend(&job, threads, &commands, &claims, &commits, &problem)
}

/// Passes commands on and reports, until told to end.
fn attend(
    job: &Job,
    threads: usize,
    commands: &Receiver<EngineCommand>,
    claims: &Claims,
    commits: &Sender<CommitJob>,
    storage_problem: &Mutex<Option<Problem>>,
) -> Result<()> {
    let events = &job.shared.events;
    let (mut running, mut finished) = (false, false);
    let mut reported = Instant::now();
    loop {
        match commands.recv_timeout(TICK) {
            Ok(EngineCommand::Checkpoint { id, then }) => job.shared.requests.push(id, then),
            Ok(EngineCommand::Commit { id }) => {
                let job = CommitJob { checkpoint: id, committables: claims.claim(id) };
                // The other end is gone only after a fault, which is reported below.
                let _ = commits.send(job);
            }
            Ok(EngineCommand::Start(_)) => return Err(internal("engine", "it was told to start twice")),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
        if let Some(problem) = job.shared.failure() {
            return Err(problem);
        }
        if !running && job.shared.built.load(Ordering::SeqCst) == threads {
            running = true;
            events(EngineEvent::Running);
        }
        if running && !finished && job.shared.board.finished() {
            finished = true;
            events(EngineEvent::Progress(job.shared.board.sum()));
            events(EngineEvent::Finished);
        }
        if running && reported.elapsed() >= REPORT {
            reported = Instant::now();
            let mut progress = job.shared.board.sum();
            progress.problems.extend(job.sources.iter().filter_map(|source| source.discovered.problem()));
            progress.problems.extend(job.outside.lookups.problems());
            progress.problems.extend(storage_problem.lock().unwrap_or_else(PoisonError::into_inner).clone());
            events(EngineEvent::Progress(progress));
        }
    }
}

fn open(
    start: &EngineStart,
    mut outside: Outside,
    store: &Arc<dyn ObjectStore>,
    runtime: &Runtime,
    parts: Parts,
    events: Arc<dyn Fn(EngineEvent) + Send + Sync>,
) -> Result<Job> {
    let plan: StreamPlan =
        serde_json::from_value(start.job.plan.clone()).map_err(|error| internal("the job's plan", error))?;
    let stages = cut(&plan, start.job.parallelism()).map_err(|error| internal("plan", error))?;
    let mut sources = Vec::new();
    let mut sinks = Vec::new();
    let Outside { connectors, lookups, .. } = &mut outside;
    for (node, planned) in plan.nodes.iter().enumerate() {
        let context = context(start, planned);
        match &planned.kind {
            NodeKind::Source(source) => {
                let connector = connector(connectors, &source.table)?;
                let opened = connector.source(&source.table, planned.schema.clone(), &context)?;
                sources.push(OpenSource {
                    uid: planned.uid.clone(),
                    node,
                    table: source.table.name.clone(),
                    splits: opened.splits()?,
                    discovered: Discovered::default(),
                    source: opened,
                    watermark: source.watermark.clone(),
                    schema: planned.schema.clone(),
                });
            }
            NodeKind::Sink(sink) => {
                let connector = connector(connectors, &sink.table)?;
                let opened = connector.sink(&sink.table, planned.schema.clone(), &context)?;
                let (uid, table) = (planned.uid.clone(), sink.table.name.clone());
                sinks.push(Arc::new(OpenSink { uid, node, table, sink: opened }));
            }
            NodeKind::LookupJoin(join) => {
                let connector = connector(connectors, &join.table)?;
                let opened = connector.lookup(&join.table, join.table_schema.clone(), &context)?;
                lookups.open(&planned.uid, join, opened)?;
            }
            NodeKind::Calc(_)
            | NodeKind::Expand(_)
            | NodeKind::Unnest(_)
            | NodeKind::Correlate(_)
            | NodeKind::AssignWindows(_)
            | NodeKind::WindowAggregate(_)
            | NodeKind::GroupAggregate(_)
            | NodeKind::Over(_)
            | NodeKind::Join(_)
            | NodeKind::IntervalJoin(_)
            | NodeKind::TemporalJoin(_)
            | NodeKind::Rank(_)
            | NodeKind::Deduplicate(_)
            | NodeKind::Normalize(_)
            | NodeKind::Sort(_)
            | NodeKind::Limit(_)
            | NodeKind::MatchRecognize(_)
            | NodeKind::Union => {}
        }
    }
    let places = places(&plan, &stages, &outside, start)?;
    let stateful = places.layouts.len();
    let restored = match &start.restore {
        None => Restored::default(),
        Some(path) => runtime.block_on(async {
            let manifest = ApplicationStore::new(store.clone(), &start.job.application).read_manifest(path).await?;
            restore(store, path, manifest, &places, owned(start)).await
        })?,
    };
    for source in &mut sources {
        keep_to_checkpoint(source, &restored)?;
    }
    let tables = |names: Vec<&String>| names.into_iter().cloned().collect::<Vec<_>>();
    let board = Board::new(
        start.job.threads_per_worker as usize,
        &tables(sources.iter().map(|source| &source.table).collect()),
        &tables(sinks.iter().map(|sink| &sink.table).collect()),
        stages.stages.len(),
    );
    let shared = Shared {
        board,
        requests: Requests::default(),
        parts,
        events,
        failure: Mutex::new(None),
        built: AtomicUsize::new(0),
    };
    let alignments = alignments(&plan);
    Ok(Job { plan, stages, sources, sinks, outside, alignments, restored, shared, stateful })
}

/// The groups of the plan's sources; each hears of its members as often as the one that wants it most.
fn alignments(plan: &StreamPlan) -> Vec<AlignmentGroup> {
    let mut groups: Vec<AlignmentGroup> = Vec::new();
    let watermarks = plan.sources().filter_map(|(_, source)| source.watermark.as_ref());
    for alignment in watermarks.filter_map(|watermark| watermark.alignment.as_ref()) {
        let update_interval = Duration::from_millis(alignment.update_interval_ms);
        match groups.iter_mut().find(|group| group.name == alignment.group) {
            Some(group) => group.update_interval = group.update_interval.min(update_interval),
            None => groups.push(AlignmentGroup { name: alignment.group.clone(), update_interval }),
        }
    }
    groups
}

/// The splits that a checkpoint makes of those that there are. A table that ends has those that it had when it was read
/// first.
fn keep_to_checkpoint(source: &mut OpenSource, restored: &Restored) -> Result<()> {
    for split in restored.splits(&source.uid) {
        if !source.splits.iter().any(|there| there.id == split.split) {
            source.source.gone(&split.split, &split.position)?;
        }
    }
    if source.source.bounded() && restored.has_source(&source.uid) {
        source.splits.retain(|split| restored.split(&source.uid, &split.id).is_some());
    }
    Ok(())
}

fn context(start: &EngineStart, node: &PlanNode) -> TaskContext {
    let application = &start.job.application;
    TaskContext {
        application: format!("{}/{}", application.namespace, application.name),
        application_uid: application.uid.clone(),
        operator: node.uid.clone(),
        parallelism: start.job.parallelism(),
        changelog: node.changelog.clone(),
    }
}

fn connector<'a>(
    connectors: &'a Connectors,
    table: &tidemill_plan::Table,
) -> Result<&'a Arc<dyn crate::connector::Connector>> {
    connectors.get(table.connector.as_str()).ok_or_else(|| Problem {
        kind: tidemill_model::status::ProblemKind::InvalidOption,
        object: table.name.clone(),
        message: format!("the connector `{}` is unknown", table.connector),
        remedy: format!("use one of {}", connectors.keys().copied().collect::<Vec<_>>().join(", ")),
    })
}

/// What the plan has places for, found by building its chains once.
fn places(plan: &StreamPlan, stages: &Stages, outside: &Outside, start: &EngineStart) -> Result<Places> {
    let mut layouts = std::collections::BTreeMap::new();
    for stage in &stages.stages {
        let chain = stage.chain(plan, KeyGroupRange::ALL, outside).map_err(|error| internal("plan", error))?;
        layouts.extend(chain.layouts().map(|(uid, layout)| (uid.to_string(), layout)));
    }
    let sources: BTreeSet<String> = plan.sources().map(|(node, _)| node.uid.clone()).collect();
    Ok(Places { sources, layouts, allow_non_restored_state: start.job.restore.allow_non_restored_state })
}

/// The key groups that the threads of this process own together.
fn owned(start: &EngineStart) -> KeyGroupRange {
    let (threads, parallelism) = (start.job.threads_per_worker as usize, start.job.parallelism());
    let first = start.worker as usize * threads;
    KeyGroupRange {
        first: KeyGroupRange::of_thread(first, parallelism).first,
        last: KeyGroupRange::of_thread(first + threads - 1, parallelism).last,
    }
}

/// Queues the commit that an earlier incarnation may not have finished: this worker's share of its slots.
fn commit_pending(
    start: &EngineStart,
    store: &Arc<dyn ObjectStore>,
    runtime: &Runtime,
    commits: &Sender<CommitJob>,
) -> Result<()> {
    let Some(pending) = &start.commit else { return Ok(()) };
    let application = ApplicationStore::new(store.clone(), &start.job.application);
    let manifest = runtime.block_on(application.read_manifest(&pending.manifest))?;
    let is_ours = |slot: u32| slot % start.job.workers == start.worker;
    let committables = manifest.committables.into_iter().filter(|each| is_ours(each.slot)).collect();
    commits
        .send(CommitJob { checkpoint: pending.checkpoint, committables })
        .map_err(|_| internal("engine", "the commit thread has ended"))
}

/// Runs `work` on a thread of its own; its failure is the job's.
fn background(name: &str, job: &Arc<Job>, work: impl FnOnce() -> Result<()> + Send + 'static) -> Result<()> {
    let job = job.clone();
    std::thread::Builder::new()
        .name(name.to_string())
        .spawn(move || {
            if let Err(problem) = work() {
                job.shared.fail(problem);
            }
        })
        .map(|_| ())
        .map_err(|error| internal(name, error))
}
