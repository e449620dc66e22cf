//! The writer of `at-least-once` and `none`: records go to librdkafka's queue as they come, and its threads send them. A
//! checkpoint waits until the broker has acknowledged what was written before it; after a failure, records since the
//! last checkpoint are written again.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use tidemill_engine::connector::{Prepared, Result, SinkStats, SinkWriter};
use tidemill_model::CheckpointId;

use super::beside::{self, Target};
use super::client::{Context, create_with, fetch_partitions};
use super::delivery::{DeliveryContext, Outstanding};
use super::options::Guarantee;
use super::records::RecordEncoder;
use super::trouble::Trouble;
use crate::frames::Beside;
use std::sync::Arc;

/// Records in librdkafka's queue (it takes 100 000) beyond which the writer asks for a pause.
const QUEUE_ENOUGH: i32 = 80_000;
/// How long a checkpoint waits for acknowledgements before it fails.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(120);

type DeliveringProducer = ThreadedProducer<DeliveryContext>;

pub struct LiveWriter {
    target: Target,
    guarantee: Guarantee,
    records: Arc<RecordEncoder>,
    producer: DeliveringProducer,
    trouble: Trouble,
    /// Records that librdkafka had no room for.
    waiting: VecDeque<Waiting>,
    /// Counts checkpoints; see [`Outstanding`].
    interval: usize,
    key: Vec<u8>,
    value: Vec<u8>,
    stats: SinkStats,
}

struct Waiting {
    interval: usize,
    beside: Beside,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
}

impl LiveWriter {
    pub fn new(
        target: Target,
        guarantee: Guarantee,
        config: &ClientConfig,
        records: Arc<RecordEncoder>,
        trouble: &Trouble,
    ) -> Result<Self> {
        let context =
            DeliveryContext { client: Context { trouble: trouble.clone() }, outstanding: Outstanding::default() };
        Ok(Self {
            target,
            guarantee,
            records,
            producer: create_with(config, context, trouble)?,
            trouble: trouble.clone(),
            waiting: VecDeque::new(),
            interval: 0,
            key: Vec::new(),
            value: Vec::new(),
            stats: SinkStats::default(),
        })
    }

    fn outstanding(&self) -> &Outstanding {
        &self.producer.context().outstanding
    }

    /// Sends what waits, as far as there is room.
    fn drain(&mut self) -> Result<()> {
        while let Some(record) = self.waiting.front() {
            let (key, value) = (record.key.as_deref(), record.value.as_deref());
            let record = beside::record(&self.target, record.interval, key, value, &record.beside);
            if !send(&self.producer, record, &self.trouble)? {
                break;
            }
            self.waiting.pop_front();
        }
        Ok(())
    }

    fn check(&self) -> Result<()> {
        given_up(self.outstanding(), &self.target.topic, &self.trouble)
    }
}

/// False if librdkafka's queue is full.
fn send(producer: &DeliveringProducer, record: BaseRecord<'_, [u8], [u8], usize>, trouble: &Trouble) -> Result<bool> {
    match producer.send(record) {
        Ok(()) => Ok(true),
        Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => Ok(false),
        Err((error, record)) => {
            let topic = record.topic;
            Err(trouble.problem_of(format!("failed to write a record to `{topic}`: {error}")))
        }
    }
}

fn given_up(outstanding: &Outstanding, topic: &str, trouble: &Trouble) -> Result<()> {
    match outstanding.failure() {
        None => Ok(()),
        Some(error) => Err(trouble.problem_of(format!("a record for `{topic}` was given up: {error}"))),
    }
}

impl SinkWriter for LiveWriter {
    fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        self.check()?;
        self.drain()?;
        let (records, interval) = (self.records.clone(), self.interval);
        records.each(rows, |beside, write_key, write_value| {
            self.key.clear();
            self.value.clear();
            let has_key = write_key.map(|write| write(&mut self.key)).is_some();
            let has_value = write_value.map(|write| write(&mut self.value)).is_some();
            self.stats.bytes += (self.key.len() + self.value.len()) as u64;
            self.outstanding().add(interval);
            let key = has_key.then_some(self.key.as_slice());
            let value = has_value.then_some(self.value.as_slice());
            let record = beside::record(&self.target, interval, key, value, beside);
            if !self.waiting.is_empty() || !send(&self.producer, record, &self.trouble)? {
                let (key, value) = (key.map(<[u8]>::to_vec), value.map(<[u8]>::to_vec));
                self.waiting.push_back(Waiting { interval, beside: beside.clone(), key, value });
            }
            Ok(())
        })?;
        self.stats.records += rows.num_rows() as u64;
        Ok(())
    }

    fn ready(&mut self) -> Result<bool> {
        self.check()?;
        self.drain()?;
        Ok(self.waiting.is_empty() && self.producer.in_flight_count() < QUEUE_ENOUGH)
    }

    fn prepare(&mut self, _: CheckpointId) -> Result<Prepared> {
        if self.guarantee == Guarantee::None {
            return Ok(Prepared::Done);
        }
        let (producer, interval) = (self.producer.clone(), self.interval);
        let (topic, trouble) = (self.target.topic.clone(), self.trouble.clone());
        self.interval += 1;
        Ok(Prepared::Flush(Box::new(move || {
            let outstanding = &producer.context().outstanding;
            let deadline = Instant::now() + FLUSH_TIMEOUT;
            loop {
                given_up(outstanding, &topic, &trouble)?;
                match outstanding.until(interval) {
                    0 => return Ok(()),
                    left if Instant::now() >= deadline => {
                        let message = format!("failed to write {left} records to `{topic}` within {FLUSH_TIMEOUT:?}");
                        return Err(trouble.problem_of(message));
                    }
                    _ => std::thread::sleep(Duration::from_millis(2)),
                }
            }
        })))
    }

    fn stats(&self) -> SinkStats {
        let (producer, topic) = (self.producer.clone(), self.target.topic.clone());
        self.trouble.probe(move || fetch_partitions(producer.client(), &topic, Duration::from_secs(3)).is_ok());
        SinkStats { problem: self.trouble.problem(), ..self.stats.clone() }
    }
}
