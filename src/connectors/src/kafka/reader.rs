//! Reads partitions on an engine thread. librdkafka's threads fetch in the background; a poll takes what they have and
//! decodes it from where it lies. A batch never mixes partitions.
//!
//! Offsets have gaps (transaction markers, compaction), so the end of a partition is not found by counting: librdkafka
//! tells when it has come to the end, and with which offset.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arrow::array::RecordBatch;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};
use serde_json::Value;
use tidemill_engine::connector::{AssignedSplit, Polled, Result, SourceReader, SourceStats};
use tidemill_model::status::{Problem, ProblemKind};
use tidemill_plan::Table;

use super::client::{Context, create, fetch_partitions};
use super::config::group_client;
use super::metadata::MetadataColumns;
use super::offsets::{Offsets, Range, position, read_position};
use super::options::KafkaOptions;
use super::partition::Partition;
use super::queue::{Message, Topic};
use super::records::RecordDecoder;
use super::trouble::Trouble;
use crate::formats::json::decoder::BadMessage;

/// Messages taken from librdkafka at once, and so the most rows of a batch.
const BATCH_ROWS: usize = 8192;
/// How often librdkafka's events (errors, log lines) are looked at.
const EVENTS_EVERY: Duration = Duration::from_millis(50);

pub struct ReaderTable {
    pub application: String,
    pub table: Table,
    pub metadata: Arc<MetadataColumns>,
    pub options: Arc<KafkaOptions>,
    pub client: Arc<BaseConsumer<Context>>,
    pub trouble: Trouble,
}

pub struct KafkaReader {
    /// Before the clients: they must outlive what was taken from them.
    partitions: Vec<Partition>,
    topic: Rc<Topic>,
    table: ReaderTable,
    group: Option<BaseConsumer<Context>>,
    turn: usize,
    /// By partition; empty if none is held.
    held: Vec<bool>,
    events_at: Instant,
    records: u64,
    bytes: u64,
}

/// What came of looking at a partition.
enum Read {
    Rows(RecordBatch),
    /// Something was read, but no row.
    Progress,
    Nothing,
}

impl ReaderTable {
    fn partition(&self, topic: &Rc<Topic>, range: Range) -> Result<Partition> {
        let decoder = RecordDecoder::new(&self.table, self.metadata.recorded(), &self.options, BATCH_ROWS)?;
        Partition::new(topic, range, decoder, self.metadata.clone()).map_err(|error| self.failed(error))
    }

    fn failed(&self, error: RDKafkaErrorCode) -> Problem {
        self.trouble.problem_of(format!("failed to read the topic `{}`: {error}", self.options.topic))
    }
}

impl KafkaReader {
    pub fn new(table: ReaderTable, splits: &[AssignedSplit]) -> Result<Self> {
        let topic = Topic::new(table.client.clone(), &table.options.topic).map_err(|error| table.failed(error))?;
        let topic = Rc::new(topic);
        let offsets = Offsets {
            table: &table.table.name,
            application: &table.application,
            options: &table.options,
            client: &table.client,
            trouble: &table.trouble,
        };
        let ranges = offsets.ranges(splits)?.into_iter();
        let partitions = ranges.map(|range| table.partition(&topic, range)).collect::<Result<Vec<_>>>()?;
        let group = match &table.options.group {
            Some(group) if !splits.is_empty() => {
                Some(create(&group_client(&table.options, &table.application, group), &table.trouble)?)
            }
            _ => None,
        };
        Ok(Self {
            partitions,
            topic,
            table,
            group,
            turn: 0,
            held: Vec::new(),
            events_at: Instant::now(),
            records: 0,
            bytes: 0,
        })
    }

    /// Lets librdkafka tell its errors, and asks after the broker while there are any.
    fn serve_events(&mut self) {
        const MOST: usize = 100;
        self.events_at = Instant::now() + EVENTS_EVERY;
        for client in std::iter::once(&*self.table.client).chain(&self.group) {
            // Errors reach the client's context; what is returned here is the same once more.
            for _ in 0..MOST {
                if client.poll(Duration::ZERO).is_none() {
                    break;
                }
            }
        }
        let (client, topic) = (self.table.client.clone(), self.table.options.topic.clone());
        self.table.trouble.probe(move || fetch_partitions(client.client(), &topic, Duration::from_secs(3)).is_ok());
    }

    fn read(&mut self, split: usize, max_rows: usize) -> Result<Read> {
        let partition = &mut self.partitions[split];
        let Some(queue) = &partition.queue else { return Ok(Read::Nothing) };
        if partition.messages.is_empty() {
            queue.take(&mut partition.messages, BATCH_ROWS);
        }
        let Some(first) = partition.messages.iter().next() else { return Ok(Read::Nothing) };
        if let Some(error) = first.error() {
            return self.event(split, error);
        }
        let run = partition.run(max_rows);
        let rows = partition.decode(run.messages).map_err(|bad| self.undecodable(split, &bad))?;
        self.records += run.messages as u64;
        self.bytes += run.bytes;
        self.table.trouble.clear();
        let partition = &mut self.partitions[split];
        partition.hand_over(run);
        Ok(if rows.num_rows() > 0 { Read::Rows(rows) } else { Read::Progress })
    }

    /// An event that stands in a partition's queue instead of a message.
    fn event(&mut self, split: usize, error: RDKafkaErrorCode) -> Result<Read> {
        let partition = &mut self.partitions[split];
        let Some(message) = partition.messages.iter().next() else { return Ok(Read::Nothing) };
        let text = String::from_utf8_lossy(message.payload()).into_owned();
        let offset = message.offset();
        partition.messages.give_back(1);
        match error {
            RDKafkaErrorCode::PartitionEOF => {
                partition.range.next = partition.range.next.max(offset);
                partition.range.high = partition.range.high.max(Some(offset));
                partition.stop_at_end();
                self.table.trouble.clear();
            }
            RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange => {
                return Err(self.lost(split, &text));
            }
            RDKafkaErrorCode::BadCompression
            | RDKafkaErrorCode::BadMessage
            | RDKafkaErrorCode::NotImplemented
            | RDKafkaErrorCode::InvalidMessage => return Err(self.unreadable(split, &text)),
            _ => self.table.trouble.raise(format!("partition {}: {text}", self.partitions[split].range.partition)),
        }
        Ok(Read::Progress)
    }

    fn undecodable(&self, split: usize, bad: &BadMessage) -> Problem {
        let partition = &self.partitions[split];
        let offset = partition.messages.iter().nth(bad.index).map_or(partition.range.next, Message::offset);
        Problem {
            kind: ProblemKind::UndecodableRecord,
            message: format!(
                "failed to decode the record at offset {offset} of partition {} of `{}`: {}",
                partition.range.partition, self.table.options.topic, bad.reason
            ),
            remedy: self.table.options.value.remedy().into(),
            ..self.table.trouble.problem_of(String::new())
        }
    }

    fn lost(&self, split: usize, text: &str) -> Problem {
        let range = self.partitions[split].range;
        Problem {
            message: format!(
                "offset {} of partition {} of `{}` is not there: {text}",
                range.next, range.partition, self.table.options.topic
            ),
            remedy:
                "the topic's retention may have deleted records not yet read; set 'properties.auto.offset.reset' to \
                     `earliest` or `latest` to go on without them"
                    .into(),
            ..self.table.trouble.problem_of(String::new())
        }
    }

    fn unreadable(&self, split: usize, text: &str) -> Problem {
        let range = self.partitions[split].range;
        Problem {
            message: format!(
                "records after offset {} of partition {} of `{}` cannot be read: {text}",
                range.next, range.partition, self.table.options.topic
            ),
            remedy: "use a compression that this client has: none, gzip, snappy or lz4".into(),
            ..self.table.trouble.problem_of(String::new())
        }
    }

    /// Records between a partition's position and its end, as far as known without asking.
    fn lag(&self, partition: &Partition) -> Option<u64> {
        let high = self.topic.high_watermark(partition.range.partition).max(partition.range.high);
        partition.range.end.or(high).map(|end| (end - partition.range.next).max(0) as u64)
    }

    fn millis_behind(&self) -> Option<u64> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_millis() as i64;
        let behind = self.partitions.iter().map(|partition| match self.lag(partition)? {
            0 => Some(0),
            _ => Some((now - partition.newest_ms?).max(0) as u64),
        });
        behind.collect::<Option<Vec<_>>>()?.into_iter().max()
    }
}

impl SourceReader for KafkaReader {
    fn poll(&mut self, max_rows: usize) -> Result<Polled> {
        if Instant::now() >= self.events_at {
            self.serve_events();
        }
        let mut progress = false;
        for _ in 0..self.partitions.len() {
            let split = self.turn;
            self.turn = (self.turn + 1) % self.partitions.len();
            if self.partitions[split].ends_now() {
                return Ok(Polled::Ended { split });
            }
            if self.held.get(split) == Some(&true) {
                continue;
            }
            match self.read(split, max_rows)? {
                Read::Rows(rows) => return Ok(Polled::Batch { split, rows }),
                Read::Progress => progress = true,
                Read::Nothing => {}
            }
        }
        let ended = self.table.options.bounded && self.partitions.iter().all(|partition| partition.queue.is_none());
        Ok(match (ended, progress) {
            (true, _) => Polled::Finished,
            (false, true) => Polled::Pending,
            (false, false) => Polled::PendingFor { ms: 1 },
        })
    }

    fn hold(&mut self, held: &[bool]) {
        self.held = held.to_vec();
    }

    fn positions(&self) -> Vec<Value> {
        self.partitions.iter().map(|partition| position(partition.range.next, partition.range.end)).collect()
    }

    fn stats(&self) -> SourceStats {
        SourceStats {
            records: self.records,
            bytes: self.bytes,
            undecodable: self.partitions.iter().map(|partition| partition.decoder.undecodable()).sum(),
            lag_records: self.partitions.iter().map(|partition| self.lag(partition)).sum(),
            millis_behind_latest: self.millis_behind(),
            problem: self.table.trouble.problem(),
        }
    }

    fn add(&mut self, split: AssignedSplit) -> Result<()> {
        let position = split.position.unwrap_or_else(|| position(0, None));
        let (next, _) = read_position(&self.table.table.name, &position)?;
        let range = Range { partition: split.number as i32, next, end: None, high: None };
        self.partitions.push(self.table.partition(&self.topic, range)?);
        Ok(())
    }

    fn checkpointed(&mut self, positions: &[Value]) {
        let Some(group) = &self.group else { return };
        let mut offsets = TopicPartitionList::new();
        for (partition, value) in self.partitions.iter().zip(positions) {
            if let Ok((next, _)) = read_position("", value) {
                let added = offsets.add_partition_offset(
                    &self.table.options.topic,
                    partition.range.partition,
                    Offset::Offset(next),
                );
                debug_assert!(added.is_ok(), "offsets are not negative");
            }
        }
        if let Err(error) = group.commit(&offsets, CommitMode::Async) {
            tracing::debug!(table = %self.table.options.topic, %error, "failed to commit offsets to the group");
        }
    }
}
