//! The only place that names timely: builds a plan's stages as a timely dataflow on every engine thread, and connects
//! the threads of all worker processes.
//!
//! Timely's timestamp is the epoch. A source holds a capability at its epoch and moves on by the thread's clock
//! ([`clock`]); operators behind an exchange order what they receive by epoch ([`aligner`]); a probe behind all sinks
//! tells every thread how far everybody has come, which is the sources' credit.
//!
//! Timely's own cluster start-up is never used: a stray connection panics it. [`mesh`] shakes hands first.

mod align;
mod aligner;
mod clock;
mod control;
mod exchange;
mod mesh;
mod message;
mod sink;
mod source;
mod stage;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::MutexGuard;
use std::time::Instant;

use tidemill_model::CheckpointId;
use tidemill_model::control::EngineEvent;
use tidemill_model::key_groups::KeyGroupRange;
use tidemill_model::status::Problem;
use tidemill_plan::clock::set_now_ms;
use timely::communication::Hooks;
use timely::communication::WorkerGuards;
use timely::communication::allocator::zero_copy::initialize::initialize_networking_from_sockets;
use timely::communication::allocator::{AllocatorBuilder, ProcessBuilder};
use timely::container::NoopBuilder;
use timely::dataflow::operators::generic::OutputBuilderSession;
use timely::dataflow::operators::probe::Handle;
use timely::dataflow::operators::{Capability, Probe};
use timely::dataflow::{Scope, Stream};
use timely::scheduling::Activator;
use timely::worker::Worker;

pub use self::control::Requests;
pub use self::mesh::{Handshake, connect};
pub use self::source::now_ms;

use self::clock::{Announcement, CREDIT, EpochClock, Turn};
use self::message::Message;
use self::sink::SinkTask;
use self::source::{Aligned, SourceTask};
use self::stage::StageTask;
use crate::alignment::{GroupTime, least};
use crate::checkpoint::Part;
use crate::connector::{AssignedSplit, Result, Split};
use crate::element::{Element, Watermark};
use crate::event_time::EventTime;
use crate::operator::{Chain, internal};
use crate::progress::ThreadProgress;
use crate::run::{Job, OpenSource};
use crate::stages::{Stage, StageInput};
use crate::watermark::{SplitRules, SplitWatermarks};

type Builder = NoopBuilder<Message>;

/// Where this process stands among the workers.
pub struct Place {
    pub worker: usize,
    pub threads: usize,
    /// Connections to the other workers, by worker; none at this worker's place.
    pub sockets: Vec<Option<TcpStream>>,
}

/// Starts the engine threads. They run until every source has stopped; a fault leaves them standing still.
pub fn start(job: Arc<Job>, place: Place) -> std::result::Result<WorkerGuards<()>, Problem> {
    let hooks = Hooks::default();
    let local = ProcessBuilder::new_typed_vector(place.threads, hooks.refill.clone(), hooks.spill.clone());
    let failed = |error: String| internal("engine threads", error);
    let (builders, guard): (Vec<AllocatorBuilder>, Box<dyn std::any::Any + Send>) = if place.sockets.len() == 1 {
        (local.into_iter().map(AllocatorBuilder::Process).collect(), Box::new(()))
    } else {
        let (builders, guard) =
            initialize_networking_from_sockets(local, place.sockets, place.worker, place.threads, hooks)
                .map_err(|error| failed(error.to_string()))?;
        (builders.into_iter().map(AllocatorBuilder::Tcp).collect(), Box::new(guard))
    };
    let first = place.worker * place.threads;
    let config = timely::WorkerConfig::default();
    timely::execute::execute_from(builders, guard, config, move |worker| {
        if let Err(problem) = build(worker, &job, worker.index() - first) {
            job.shared.fail(problem);
        }
        job.shared.built();
    })
    .map_err(failed)
}

fn build(worker: &mut Worker, job: &Arc<Job>, local: usize) -> Result<()> {
    let thread = Thread(Rc::new(ThreadState {
        index: worker.index(),
        peers: worker.peers(),
        local,
        clock: RefCell::new(EpochClock::new(Instant::now())),
        began_ms: RefCell::default(),
        alignments: RefCell::new(job.alignments.iter().map(|_| ThreadAlignment::new(worker.peers())).collect()),
        probe: Handle::new(),
        job: Arc::clone(job),
    }));
    // Everything that can fail is made first, so that all threads build the same dataflow or none.
    let mut tasks = Vec::with_capacity(job.stages.stages.len());
    for (number, stage) in job.stages.stages.iter().enumerate() {
        tasks.push(task(job, number, stage, &thread)?);
    }
    worker.dataflow::<u64, _, _>(|scope| connect_tasks(scope, job, tasks, &thread));
    Ok(())
}

struct Task {
    first: First,
    sink: Option<SinkTask>,
}

enum First {
    Source(Box<SourceTask>),
    Stage(StageTask),
}

fn task(job: &Job, number: usize, stage: &Stage, thread: &Thread) -> Result<Task> {
    let owned = KeyGroupRange::of_thread(thread.index(), thread.peers());
    let mut chain = stage.chain(&job.plan, owned, &job.outside).map_err(|error| internal("plan", error))?;
    chain.restore(|operator| job.restored.state(operator))?;
    let first = match stage.source() {
        Some(place) => {
            let place = job.source_place(place);
            First::Source(Box::new(source_task(&job.sources[place], place, number, chain, job, thread)?))
        }
        None => {
            let exchanges = stage.inputs.iter().map(|input| input.keys().map(<[usize]>::to_vec)).collect();
            First::Stage(StageTask { stage: number, chain, exchanges })
        }
    };
    let sink = match stage.sink {
        None => None,
        Some(node) => {
            let place = job.sink_place(node);
            let slot = thread.index() as u32;
            let sink = &job.sinks[place];
            Some(SinkTask { uid: sink.uid.clone(), place, slot, writer: sink.sink.writer(slot)? })
        }
    };
    Ok(Task { first, sink })
}

fn source_task(
    open: &OpenSource,
    place: usize,
    stage: usize,
    chain: Chain,
    job: &Job,
    thread: &Thread,
) -> Result<SourceTask> {
    let watermark = open.watermark.as_ref();
    let mut watermarks = SplitWatermarks::new(SplitRules {
        idle_timeout_ms: watermark.and_then(|watermark| watermark.idle_timeout_ms),
        max_future_ms: watermark.and_then(|watermark| watermark.max_future_ms),
        reads_in_turn: open.source.reads_in_turn(),
    });
    let mut assigned = Vec::new();
    for split in open.splits.iter().filter(|split| thread.reads(split)) {
        let restored = job.restored.split(&open.uid, &split.id);
        watermarks.add(restored.and_then(|state| state.watermark_ms), now_ms());
        assigned.push(AssignedSplit {
            id: split.id.clone(),
            number: split.number,
            position: match restored {
                Some(state) => Some(state.position.clone()),
                None if job.restored.has_source(&open.uid) => open.source.beginning(split),
                None => None,
            },
        });
    }
    let splits = assigned.iter().map(|split| split.id.clone()).collect();
    let event_time = watermark
        .map(|watermark| EventTime::new(&watermark.expression, &open.schema))
        .transpose()
        .map_err(|error| internal(&open.uid, error))?;
    let alignment = watermark.and_then(|watermark| watermark.alignment.as_ref()).and_then(|alignment| {
        let group = job.alignments.iter().position(|group| group.name == alignment.group)?;
        Some(Aligned { group, max_drift_ms: alignment.max_drift_ms })
    });
    if let Some(aligned) = &alignment {
        // It is waited for from the start, also before it has said anything.
        thread.tell_time(aligned.group, place, Watermark::At(i64::MIN));
    }
    Ok(SourceTask {
        uid: open.uid.clone(),
        place,
        stage,
        reader: open.source.reader(assigned)?,
        splits,
        discovered: 0,
        watermarks,
        event_time,
        alignment,
        held: Vec::new(),
        chain,
        epoch: 0,
        waiting_since_ms: None,
        finished: false,
    })
}

fn connect_tasks(scope: Scope<'_, u64>, job: &Job, tasks: Vec<Task>, thread: &Thread) {
    let probe = &thread.0.probe;
    control::build(scope, thread.clone()).probe_with(probe);
    for (place, group) in job.alignments.iter().enumerate() {
        align::build(scope, place, group.update_interval, thread.clone()).probe_with(probe);
    }
    let mut streams: Vec<Stream<'_, u64, Message>> = Vec::with_capacity(tasks.len());
    for (stage, task) in job.stages.stages.iter().zip(tasks) {
        let stream = match task.first {
            First::Source(task) => source::build(scope, *task, thread.clone()),
            First::Stage(task) => {
                let inputs = stage.inputs.iter().filter_map(StageInput::stage).map(|stage| streams[stage].clone());
                stage::build(scope, inputs.collect(), task, thread.clone())
            }
        };
        match task.sink {
            Some(task) => sink::build(stream.clone(), task, thread.clone()).probe_with(probe),
            None => stream.clone().probe_with(probe),
        };
        streams.push(stream);
    }
}

/// What the operators of one thread share.
#[derive(Clone)]
struct Thread(Rc<ThreadState>);

struct ThreadState {
    index: usize,
    peers: usize,
    local: usize,
    clock: RefCell<EpochClock>,
    /// The machine's time when this thread first saw each epoch that is under way.
    began_ms: RefCell<BTreeMap<u64, i64>>,
    /// By the job's alignment groups.
    alignments: RefCell<Vec<ThreadAlignment>>,
    probe: Handle<u64>,
    job: Arc<Job>,
}

/// What a thread knows of an alignment group.
struct ThreadAlignment {
    /// How far its own sources have come, by their places.
    own: BTreeMap<usize, Watermark>,
    time: GroupTime,
}

impl ThreadAlignment {
    fn new(threads: usize) -> Self {
        Self { own: BTreeMap::new(), time: GroupTime::new(threads) }
    }
}

impl Thread {
    /// The thread's number among all threads of all workers.
    fn index(&self) -> usize {
        self.0.index
    }

    fn peers(&self) -> usize {
        self.0.peers
    }

    /// Whether a split is this thread's.
    fn reads(&self, split: &Split) -> bool {
        split.number % self.peers() as u64 == self.index() as u64
    }

    fn turn(&self, now: Instant) -> Turn {
        self.0.clock.borrow_mut().turn(now, |epoch| !self.0.probe.less_than(&epoch))
    }

    /// What follows on this thread is done in this epoch.
    fn handle(&self, epoch: u64) {
        let mut began_ms = self.0.began_ms.borrow_mut();
        set_now_ms(*began_ms.entry(epoch).or_insert_with(|| now_ms() as i64));
        let done = epoch.saturating_sub(2 * CREDIT);
        while began_ms.first_key_value().is_some_and(|(first, _)| *first < done) {
            began_ms.pop_first();
        }
    }

    /// How far one of this thread's sources has come, of an alignment group.
    fn tell_time(&self, group: usize, source: usize, watermark: Watermark) {
        self.0.alignments.borrow_mut()[group].own.insert(source, watermark);
    }

    /// How far this thread's sources of a group have come together.
    fn own_time(&self, group: usize) -> Watermark {
        least(self.0.alignments.borrow()[group].own.values().copied())
    }

    /// How far a thread's sources of a group have come.
    fn hear_time(&self, group: usize, thread: usize, watermark: Watermark) {
        self.0.alignments.borrow_mut()[group].time.tell(thread, watermark);
    }

    /// How far the splits of a source may be.
    fn limit(&self, aligned: &Aligned) -> i64 {
        self.0.alignments.borrow()[aligned.group].time.limit(aligned.max_drift_ms)
    }

    fn announce(&self, announcement: Announcement) {
        self.0.clock.borrow_mut().announce(announcement);
    }

    fn checkpoint_at(&self, epoch: u64) -> Option<Announcement> {
        self.0.clock.borrow().checkpoint_at(epoch)
    }

    fn next_checkpoint(&self, epoch: u64) -> Option<u64> {
        self.0.clock.borrow().next_checkpoint(epoch)
    }

    fn capture_chain(&self, chain: &mut Chain, checkpoint: CheckpointId) -> Result<()> {
        for captured in chain.capture()? {
            self.part(Part::State { checkpoint, thread: self.index() as u32, captured });
        }
        Ok(())
    }

    /// The source at this place among the job's.
    fn source(&self, place: usize) -> &OpenSource {
        &self.0.job.sources[place]
    }

    fn part(&self, part: Part) {
        self.0.job.shared.parts.send(part);
    }

    fn is_staging_full(&self) -> bool {
        self.0.job.shared.parts.is_full()
    }

    fn event(&self, event: EngineEvent) {
        (self.0.job.shared.events)(event);
    }

    fn requests(&self) -> &Requests {
        &self.0.job.shared.requests
    }

    fn board(&self) -> MutexGuard<'_, ThreadProgress> {
        self.0.job.shared.board.thread(self.0.local)
    }

    fn saw_record(&self) {
        let mut board = self.board();
        if board.first_record_at_ms.is_none() {
            board.first_record_at_ms = Some(now_ms());
        }
    }

    fn fail(&self, problem: Problem) {
        self.0.job.shared.fail(problem);
    }

    fn has_failed(&self) -> bool {
        self.0.job.shared.has_failed()
    }

    fn activator(&self, scope: Scope<'_, u64>, address: Rc<[usize]>) -> Activator {
        scope.activator_for(address)
    }
}

/// Sends elements downstream at the capability's epoch.
fn send(
    output: &mut OutputBuilderSession<'_, u64, Builder>,
    capability: &Capability<u64>,
    elements: Vec<Element>,
    thread: &Thread,
) {
    if elements.is_empty() {
        return;
    }
    let mut session = output.session_with_builder(capability);
    for element in elements {
        let mut message = match element {
            Element::Batch(rows) if rows.num_rows() == 0 => continue,
            Element::Batch(rows) => Message::batch(rows),
            Element::Watermark(watermark) => {
                Message::Watermark { from: thread.index() as u32, watermark, copies: thread.peers() as u32 }
            }
        };
        session.give_container(&mut message);
    }
}
