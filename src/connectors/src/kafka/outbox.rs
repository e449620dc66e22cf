//! The writer and committer of `exactly-once`: an outbox.
//!
//! Rows are staged as bytes and stored with the checkpoint. Once the checkpoint is claimed, the committer sends them in
//! one transaction, together with an offset: the checkpoint's number, as the committed offset of a private consumer
//! group named like the transactional id, on partition 0 of the topic. Rows and number become visible together or not
//! at all. Whoever commits first makes itself known to the broker under the transactional id, which aborts what an older
//! committer of that id left open and shuts it out for good; then it reads the number. If it is this checkpoint's or a
//! later one, the rows are already visible and nothing is done. So every checkpoint's rows become visible exactly once,
//! however often and wherever its commit is repeated.
//!
//! The usual way, a transaction that stays open from checkpoint to checkpoint and is committed afterwards, loses data if
//! a job stays down for longer than the transaction's timeout: the broker aborts what the checkpoint already counts as
//! written. Here a transaction is open only while a commit runs and what it sends is kept in the checkpoint, so there
//! is no such window, whatever the timeout. It also spares readers the wait for transactions as long as a checkpoint
//! interval. The price is that output is written twice, and visible a little later than the checkpoint is complete.
//!
//! What remains: the number is kept by the broker as long as offsets of idle groups are (`offsets.retention.minutes`, a
//! week by default). A job that dies between a transaction and the note in its own log that the commit is done, and then
//! stays down for longer than that, repeats that one checkpoint's rows.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{Producer, ThreadedProducer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tidemill_engine::connector::{Committer, Prepared, Result, SinkStats, SinkWriter};
use tidemill_model::CheckpointId;
use tidemill_model::status::{Problem, ProblemKind};

use super::beside::{Target, record};
use super::client::{Context, create, create_with, retry};
use super::delivery::{DeliveryContext, Outstanding};
use super::records::RecordEncoder;
use super::trouble::Trouble;
use crate::frames;

/// Staged bytes that are handed over as a chunk.
const CHUNK_BYTES: usize = 4 << 20;
/// Chunks up to this much are kept in memory while they are sent, so that an aborted transaction can be done again at
/// once. Beyond it, an abort ends the incarnation, which commits again from storage.
const KEPT_BYTES: usize = 64 << 20;
/// How long a commit may take, outages included.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(120);
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a transaction is tried. A record that the broker will never take fails every time.
const ATTEMPTS: u32 = 5;

/// Stages records.
pub struct OutboxWriter {
    records: Arc<RecordEncoder>,
    staged: Vec<u8>,
    stats: SinkStats,
}

impl OutboxWriter {
    pub fn new(records: Arc<RecordEncoder>) -> Self {
        Self { records, staged: Vec::new(), stats: SinkStats::default() }
    }
}

impl SinkWriter for OutboxWriter {
    fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        let before = self.staged.len();
        self.records.each(rows, |beside, key, value| {
            frames::append_beside(&mut self.staged, beside);
            frames::append(&mut self.staged, key, value);
            Ok(())
        })?;
        self.stats.records += rows.num_rows() as u64;
        self.stats.bytes += (self.staged.len() - before) as u64;
        Ok(())
    }

    fn take_staged(&mut self) -> Option<Vec<u8>> {
        (self.staged.len() >= CHUNK_BYTES).then(|| std::mem::take(&mut self.staged))
    }

    fn prepare(&mut self, _: CheckpointId) -> Result<Prepared> {
        Ok(Prepared::Staged(std::mem::take(&mut self.staged)))
    }

    fn stats(&self) -> SinkStats {
        self.stats.clone()
    }
}

/// Where a slot's records go, and under which transactional id and group.
#[derive(Clone, Debug)]
pub struct OutboxNames {
    pub target: Target,
    pub id: String,
}

pub struct OutboxCommitter {
    names: OutboxNames,
    producer: ClientConfig,
    marker: ClientConfig,
    trouble: Trouble,
    state: State,
}

enum State {
    New,
    Open(Box<Open>),
    /// Another committer of this id took over, or the client broke: this one must not send again.
    Shut(Problem),
}

struct Open {
    /// With a thread that takes acknowledgements: to commit and to abort, librdkafka waits until all are taken.
    producer: ThreadedProducer<DeliveryContext>,
    /// Holds the group's name for the transaction; reads the number once.
    group: BaseConsumer<Context>,
    committed: Option<u64>,
}

/// Why a transaction did not come about.
enum Failed {
    /// It can be aborted and done again.
    Abort(String),
    /// The producer is of no use any more.
    Shut(String),
    /// The chunks could not be read.
    Chunks(Problem),
}

impl Failed {
    fn message(self) -> String {
        match self {
            Self::Abort(message) | Self::Shut(message) => message,
            Self::Chunks(problem) => problem.message,
        }
    }
}

impl OutboxCommitter {
    pub fn new(names: OutboxNames, producer: ClientConfig, marker: ClientConfig, trouble: Trouble) -> Self {
        Self { names, producer, marker, trouble, state: State::New }
    }

    /// Becomes the one committer of the id, then learns what was committed: in this order, so that nothing of an older
    /// one can still be under way when the number is read.
    fn open(&mut self) -> Result<&mut Open> {
        if let State::New = self.state {
            let context = DeliveryContext {
                client: Context { trouble: self.trouble.clone() },
                outstanding: Outstanding::default(),
            };
            let producer: ThreadedProducer<DeliveryContext> = create_with(&self.producer, context, &self.trouble)?;
            call(Instant::now() + COMMIT_TIMEOUT, || producer.init_transactions(CALL_TIMEOUT)).map_err(|failed| {
                let (id, error) = (&self.names.id, failed.message());
                self.trouble.problem_of(format!("failed to take over the transactional id `{id}`: {error}"))
            })?;
            let group: BaseConsumer<Context> = create(&self.marker, &self.trouble)?;
            let committed = self.read_marker(&group)?;
            self.state = State::Open(Box::new(Open { producer, group, committed }));
        }
        match &mut self.state {
            State::Open(open) => Ok(open),
            State::Shut(problem) => Err(problem.clone()),
            State::New => unreachable!("opened above"),
        }
    }

    fn read_marker(&self, group: &BaseConsumer<Context>) -> Result<Option<u64>> {
        let what = format!("read the last committed checkpoint of `{}`", self.names.id);
        let list = marker(&self.names.target.topic, Offset::Invalid).map_err(|error| self.trouble.problem_of(error))?;
        retry(&self.trouble, &what, COMMIT_TIMEOUT, |timeout| {
            let read = group.committed_offsets(list.clone(), timeout).map_err(|error| error.to_string())?;
            let found = read.find_partition(&self.names.target.topic, 0).ok_or("the answer lacks the partition")?;
            found.error().map_err(|error| error.to_string())?;
            Ok(match found.offset() {
                Offset::Offset(number) => u64::try_from(number).ok(),
                _ => None,
            })
        })
    }

    fn shut(&mut self, message: String) -> Problem {
        let problem = Problem {
            kind: ProblemKind::SinkUnreachable,
            message: format!("failed to commit to `{}`: {message}", self.names.target.topic),
            ..self.trouble.problem_of(String::new())
        };
        self.state = State::Shut(problem.clone());
        problem
    }
}

fn marker(topic: &str, offset: Offset) -> std::result::Result<TopicPartitionList, String> {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, offset).map_err(|error| error.to_string())?;
    Ok(list)
}

impl Committer for OutboxCommitter {
    fn commit(&mut self, checkpoint: CheckpointId, chunks: &mut dyn Iterator<Item = Result<Vec<u8>>>) -> Result<()> {
        let target = self.names.target.clone();
        let topic = &target.topic;
        let open = self.open()?;
        if open.committed.is_some_and(|committed| committed >= checkpoint.0) {
            return Ok(());
        }
        let mut chunks = Chunks::new(chunks);
        if chunks.next().transpose()?.is_none() {
            return Ok(());
        }
        open.serve_events();
        let deadline = Instant::now() + COMMIT_TIMEOUT;
        for attempt in 1.. {
            chunks.rewind();
            let message = match open.transaction(&target, checkpoint, &mut chunks, deadline) {
                Ok(()) => {
                    open.committed = Some(checkpoint.0);
                    return Ok(());
                }
                Err(Failed::Chunks(problem)) => {
                    // Left open, it would keep readers waiting until its timeout.
                    open.abort(deadline).unwrap_or_else(|error| tracing::warn!(error, "failed to abort a transaction"));
                    return Err(problem);
                }
                Err(Failed::Shut(message)) => return Err(self.shut(message)),
                Err(Failed::Abort(message)) => {
                    let first = open.producer.context().outstanding.failure();
                    first.map_or(message.clone(), |record| format!("{message}; the first record that failed: {record}"))
                }
            };
            tracing::warn!(topic, %checkpoint, message, "a transaction is aborted and done again");
            let aborted = open.abort(deadline);
            if aborted.is_err() || attempt == ATTEMPTS || !chunks.can_rewind() || Instant::now() >= deadline {
                return Err(self.shut(aborted.err().unwrap_or(message)));
            }
            std::thread::sleep(Duration::from_millis(100) * attempt);
        }
        unreachable!("the last attempt returns")
    }
}

impl Open {
    /// Takes what the consumer has said since the last commit, so that it does not pile up.
    fn serve_events(&self) {
        const MOST: usize = 10_000;
        for _ in 0..MOST {
            if self.group.poll(Duration::ZERO).is_none() {
                break;
            }
        }
    }

    fn transaction(
        &self,
        target: &Target,
        checkpoint: CheckpointId,
        chunks: &mut Chunks<'_>,
        deadline: Instant,
    ) -> std::result::Result<(), Failed> {
        call(deadline, || self.producer.begin_transaction())?;
        while let Some(chunk) = chunks.next() {
            self.send_chunk(target, chunk.map_err(Failed::Chunks)?, deadline)?;
        }
        let group = self.group.group_metadata().ok_or_else(|| Failed::Shut("the consumer has no group".into()))?;
        let number =
            i64::try_from(checkpoint.0).map_err(|_| Failed::Shut("the checkpoint's number is too large".into()))?;
        let offsets = marker(&target.topic, Offset::Offset(number)).map_err(Failed::Shut)?;
        self.producer.flush(left(deadline)).map_err(|error| Failed::Abort(error.to_string()))?;
        call(deadline, || self.producer.send_offsets_to_transaction(&offsets, &group, CALL_TIMEOUT))?;
        call(deadline, || self.producer.commit_transaction(CALL_TIMEOUT))
    }

    fn send_chunk(&self, target: &Target, chunk: &[u8], deadline: Instant) -> std::result::Result<(), Failed> {
        for frame in frames::read(chunk) {
            let frame = frame.map_err(|frames::Damaged| {
                Failed::Chunks(Problem {
                    kind: ProblemKind::StateUnreadable,
                    object: target.topic.clone(),
                    message: "staged output is damaged".into(),
                    remedy: "restore from another snapshot".into(),
                })
            })?;
            self.producer.context().outstanding.add(0);
            loop {
                match self.producer.send(record(target, 0, frame.key, frame.value, &frame.beside)) {
                    Ok(()) => break,
                    Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _))
                        if Instant::now() < deadline =>
                    {
                        std::thread::sleep(Duration::from_millis(2));
                    }
                    Err((error, _)) => return Err(Failed::Abort(error.to_string())),
                }
            }
        }
        Ok(())
    }

    fn abort(&self, deadline: Instant) -> std::result::Result<(), String> {
        call(deadline, || self.producer.abort_transaction(CALL_TIMEOUT)).map_err(Failed::message)
    }
}

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now()).max(CALL_TIMEOUT)
}

/// Calls until it works, the client says that it cannot, or the time is over.
fn call(
    deadline: Instant,
    mut act: impl FnMut() -> std::result::Result<(), KafkaError>,
) -> std::result::Result<(), Failed> {
    loop {
        match act() {
            Ok(()) => return Ok(()),
            Err(KafkaError::Transaction(error)) if error.is_fatal() => return Err(Failed::Shut(error.to_string())),
            Err(KafkaError::Transaction(error)) if error.txn_requires_abort() => {
                return Err(Failed::Abort(error.to_string()));
            }
            Err(KafkaError::Transaction(error)) if error.is_retriable() && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(100));
            }
            Err(error) => return Err(Failed::Shut(error.to_string())),
        }
    }
}

/// Chunks that can be gone through again as long as they are few.
struct Chunks<'a> {
    rest: &'a mut dyn Iterator<Item = Result<Vec<u8>>>,
    kept: Vec<Vec<u8>>,
    kept_bytes: usize,
    next: usize,
    complete: bool,
}

impl<'a> Chunks<'a> {
    fn new(rest: &'a mut dyn Iterator<Item = Result<Vec<u8>>>) -> Self {
        Self { rest, kept: Vec::new(), kept_bytes: 0, next: 0, complete: true }
    }

    fn can_rewind(&self) -> bool {
        self.complete
    }

    fn rewind(&mut self) {
        debug_assert!(self.complete);
        self.next = 0;
    }

    /// The next chunk that holds anything.
    fn next(&mut self) -> Option<Result<&[u8]>> {
        while self.next == self.kept.len() {
            match self.rest.next()? {
                Ok(chunk) if chunk.is_empty() => {}
                Ok(chunk) => self.keep(chunk),
                Err(problem) => return Some(Err(problem)),
            }
        }
        self.next += 1;
        Some(Ok(&self.kept[self.next - 1]))
    }

    fn keep(&mut self, chunk: Vec<u8>) {
        self.kept_bytes += chunk.len();
        if self.kept_bytes > KEPT_BYTES {
            self.complete = false;
            self.kept.clear();
            self.next = 0;
        }
        self.kept.push(chunk);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(chunks: &mut Chunks<'_>) -> Vec<usize> {
        std::iter::from_fn(|| chunks.next().map(|chunk| chunk.unwrap().len())).collect()
    }

    #[test]
    fn few_chunks_can_be_gone_through_again_and_empty_ones_are_none() {
        let mut source = [Ok(vec![0; 1]), Ok(vec![]), Ok(vec![0; 3])].into_iter();
        let mut chunks = Chunks::new(&mut source);
        assert_eq!(chunks.next().unwrap().unwrap().len(), 1);
        for _ in 0..2 {
            chunks.rewind();
            assert_eq!(all(&mut chunks), [1, 3]);
        }
        assert!(chunks.can_rewind());
    }

    #[test]
    fn many_chunks_pass_once_and_are_not_kept() {
        let mut source = (0..10).map(|_| Ok(vec![0; KEPT_BYTES / 4]));
        let mut chunks = Chunks::new(&mut source);
        assert_eq!(all(&mut chunks).len(), 10);
        assert!(!chunks.can_rewind() && chunks.kept_bytes > KEPT_BYTES && chunks.kept.len() <= 4);
    }
}
