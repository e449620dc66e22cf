//! A partition being read: the messages that wait, how far it has been read, and where it ends.

use std::rc::Rc;
use std::sync::Arc;

use arrow::array::RecordBatch;
use rdkafka::error::RDKafkaErrorCode;

use super::metadata::MetadataColumns;
use super::offsets::Range;
use super::queue::{Messages, PartitionQueue, Topic};
use super::records::{Record, RecordDecoder};
use crate::formats::json::decoder::BadMessage;

/// A batch ends once it has decoded this much, so that its columns stay near a core's cache.
const BATCH_BYTES: usize = 1 << 20;

pub struct Partition {
    pub messages: Messages,
    /// None once the partition has been read to its end.
    pub queue: Option<PartitionQueue>,
    pub decoder: RecordDecoder,
    pub metadata: Arc<MetadataColumns>,
    pub range: Range,
    /// The time of the newest message read.
    pub newest_ms: Option<i64>,
    /// Whether the engine has been told that it has ended.
    pub has_told_end: bool,
}

/// Messages in a row that become one batch.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    pub messages: usize,
    pub bytes: u64,
}

impl Partition {
    pub fn new(
        topic: &Rc<Topic>,
        range: Range,
        decoder: RecordDecoder,
        metadata: Arc<MetadataColumns>,
    ) -> std::result::Result<Self, RDKafkaErrorCode> {
        let at_end = range.end.is_some_and(|end| range.next >= end);
        let queue = match at_end {
            true => None,
            false => Some(PartitionQueue::start(topic, range.partition, range.next)?),
        };
        Ok(Self {
            messages: Messages::default(),
            queue,
            decoder,
            metadata,
            range,
            newest_ms: None,
            has_told_end: false,
        })
    }

    /// The messages from the front up to the next event, the partition's end or a batch's size.
    pub fn run(&self, max_rows: usize) -> Run {
        let mut run = Run { messages: 0, bytes: 0 };
        for message in self.messages.iter().take(max_rows.max(1)) {
            let beyond = self.range.end.is_some_and(|end| message.offset() >= end);
            if message.error().is_some() || beyond || run.bytes >= BATCH_BYTES as u64 {
                break;
            }
            run.messages += 1;
            run.bytes += message.len() as u64;
        }
        run
    }

    pub fn decode(&mut self, messages: usize) -> std::result::Result<RecordBatch, BadMessage> {
        let messages = self.messages.iter().take(messages);
        let records = messages.clone().map(|message| Record { key: message.key(), value: message.value() });
        if self.metadata.is_empty() {
            return self.decoder.decode(records, |_| {});
        }
        let mut decoded = Vec::new();
        let rows = self.decoder.decode(records, |index| decoded.push(index))?;
        let messages: Vec<_> = messages.collect();
        let of_rows = decoded.into_iter().map(|index| messages[index]);
        let completed = self.metadata.beside(&rows, of_rows);
        completed.map_err(|error| BadMessage { index: 0, reason: error.to_string() })
    }

    /// Notes that a run is out. A message beyond the end, in front of all others, ends the partition.
    pub fn hand_over(&mut self, run: Run) {
        if let Some(last) = run.messages.checked_sub(1).and_then(|last| self.messages.iter().nth(last)) {
            self.range.next = last.offset() + 1;
            self.newest_ms = last.timestamp_ms();
        }
        let next = self.messages.iter().nth(run.messages).filter(|message| message.error().is_none());
        if let (Some(message), Some(end)) = (next, self.range.end)
            && message.offset() >= end
        {
            self.range.next = end;
        }
        self.messages.give_back(run.messages);
        self.stop_at_end();
    }

    /// Whether it has ended and nobody has been told; true only once.
    pub fn ends_now(&mut self) -> bool {
        self.queue.is_none() && !std::mem::replace(&mut self.has_told_end, true)
    }

    pub fn stop_at_end(&mut self) {
        if self.range.end.is_some_and(|end| self.range.next >= end) {
            self.messages = Messages::default();
            self.queue = None;
        }
    }
}
