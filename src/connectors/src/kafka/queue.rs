//! Reading partitions in batches: the one place that calls librdkafka's C functions.
//!
//! librdkafka's batch call hands over thousands of messages at the price of one, with payloads that stay where the
//! network put them. rdkafka's safe interface has only single messages, hence this module. It uses the "simple consumer"
//! calls: each partition is started at an offset into a queue of its own, no group is involved.
//!
//! Lifetimes, which librdkafka demands and `Drop` keeps: messages before their queue, queues before their topic, topics
//! before the client.

use std::ffi::{CStr, CString};
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::Arc;

use rdkafka::bindings::{
    rd_kafka_consume_batch_queue, rd_kafka_consume_start_queue, rd_kafka_consume_stop, rd_kafka_get_watermark_offsets,
    rd_kafka_header_get_all, rd_kafka_last_error, rd_kafka_message_destroy, rd_kafka_message_headers,
    rd_kafka_message_leader_epoch, rd_kafka_message_t, rd_kafka_message_timestamp, rd_kafka_queue_destroy,
    rd_kafka_queue_new, rd_kafka_queue_t, rd_kafka_timestamp_type_t, rd_kafka_topic_destroy, rd_kafka_topic_new,
    rd_kafka_topic_t,
};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::RDKafkaRespErr;

use super::client::Context;
use super::metadata::{Around, SetBy};

/// A topic of a client.
pub struct Topic {
    client: Arc<BaseConsumer<Context>>,
    handle: NonNull<rd_kafka_topic_t>,
    name: CString,
}

/// A partition being read.
pub struct PartitionQueue {
    topic: Rc<Topic>,
    partition: i32,
    queue: NonNull<rd_kafka_queue_t>,
}

/// Messages handed over by librdkafka and not yet given back.
#[derive(Default)]
pub struct Messages {
    handles: Vec<*mut rd_kafka_message_t>,
    /// Those before were given back.
    next: usize,
}

/// One message, or an error in its place.
#[derive(Clone, Copy)]
pub struct Message<'a>(&'a rd_kafka_message_t);

impl Topic {
    pub fn new(client: Arc<BaseConsumer<Context>>, name: &str) -> Result<Self, RDKafkaErrorCode> {
        let name = CString::new(name).map_err(|_| RDKafkaErrorCode::InvalidArgument)?;
        // SAFETY: the client is alive, the name ends with a zero; no configuration is passed.
        let handle = unsafe { rd_kafka_topic_new(client.client().native_ptr(), name.as_ptr(), std::ptr::null_mut()) };
        let handle = NonNull::new(handle).ok_or_else(last_error)?;
        Ok(Self { client, handle, name })
    }

    /// The high watermark that came with the last fetch; does not ask the broker. None before the first fetch.
    pub fn high_watermark(&self, partition: i32) -> Option<i64> {
        let (mut low, mut high) = (-1, -1);
        // SAFETY: the client is alive, the name ends with a zero, both places can be written.
        let error = unsafe {
            let client = self.client.client().native_ptr();
            rd_kafka_get_watermark_offsets(client, self.name.as_ptr(), partition, &mut low, &mut high)
        };
        (error == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0).then_some(high)
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        // SAFETY: made by `new`, destroyed once; the client is still held.
        unsafe { rd_kafka_topic_destroy(self.handle.as_ptr()) }
    }
}

fn last_error() -> RDKafkaErrorCode {
    // SAFETY: reads a thread-local of librdkafka.
    unsafe { rd_kafka_last_error() }.into()
}

impl PartitionQueue {
    /// Begins to read at `offset`.
    pub fn start(topic: &Rc<Topic>, partition: i32, offset: i64) -> Result<Self, RDKafkaErrorCode> {
        // SAFETY: the client is alive.
        let queue = unsafe { rd_kafka_queue_new(topic.client.client().native_ptr()) };
        let queue = NonNull::new(queue).ok_or_else(last_error)?;
        // SAFETY: topic and queue are alive; the partition is started once, since a reader has it once.
        let failed = unsafe { rd_kafka_consume_start_queue(topic.handle.as_ptr(), partition, offset, queue.as_ptr()) };
        if failed != 0 {
            let error = last_error();
            // SAFETY: made above, not used any more.
            unsafe { rd_kafka_queue_destroy(queue.as_ptr()) };
            return Err(error);
        }
        Ok(Self { topic: topic.clone(), partition, queue })
    }

    /// Takes what is there, without waiting, at most `most` messages. All earlier messages must have been given back.
    pub fn take(&self, messages: &mut Messages, most: usize) {
        debug_assert!(messages.is_empty());
        messages.next = 0;
        messages.handles.clear();
        messages.handles.reserve(most);
        // SAFETY: there is room for `most` pointers; librdkafka fills as many as it returns.
        unsafe {
            let count = rd_kafka_consume_batch_queue(self.queue.as_ptr(), 0, messages.handles.as_mut_ptr(), most);
            messages.handles.set_len(usize::try_from(count).unwrap_or(0));
        }
    }
}

impl Drop for PartitionQueue {
    fn drop(&mut self) {
        // SAFETY: started by `start`, stopped and destroyed once; the topic is still held.
        unsafe {
            rd_kafka_consume_stop(self.topic.handle.as_ptr(), self.partition);
            rd_kafka_queue_destroy(self.queue.as_ptr());
        }
    }
}

impl Messages {
    pub fn is_empty(&self) -> bool {
        self.next == self.handles.len()
    }

    /// The messages that were not yet given back, in order.
    pub fn iter(&self) -> impl Iterator<Item = Message<'_>> + Clone {
        // SAFETY: handles from `next` on are alive until given back, which takes `&mut self`.
        self.handles[self.next..].iter().map(|handle| Message(unsafe { &**handle }))
    }

    /// Gives the first `count` messages back to librdkafka.
    pub fn give_back(&mut self, count: usize) {
        let end = self.next + count;
        for handle in &self.handles[self.next..end] {
            // SAFETY: alive, and given back once, since `next` moves past it.
            unsafe { rd_kafka_message_destroy(*handle) };
        }
        self.next = end;
    }
}

impl Drop for Messages {
    fn drop(&mut self) {
        self.give_back(self.handles.len() - self.next);
    }
}

impl<'a> Message<'a> {
    /// What stands here instead of a message.
    pub fn error(self) -> Option<RDKafkaErrorCode> {
        match self.0.err {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => None,
            error => Some(error.into()),
        }
    }

    /// The value; empty for a tombstone. For an error, its text.
    pub fn payload(self) -> &'a [u8] {
        if self.0.payload.is_null() {
            return &[];
        }
        // SAFETY: librdkafka keeps `len` bytes there as long as the message lives.
        unsafe { std::slice::from_raw_parts(self.0.payload.cast(), self.0.len) }
    }

    /// None for a tombstone.
    pub fn value(self) -> Option<&'a [u8]> {
        (!self.0.payload.is_null()).then(|| self.payload())
    }

    pub fn key(self) -> Option<&'a [u8]> {
        // SAFETY: librdkafka keeps `key_len` bytes there as long as the message lives.
        (!self.0.key.is_null()).then(|| unsafe { std::slice::from_raw_parts(self.0.key.cast(), self.0.key_len) })
    }

    pub fn len(self) -> usize {
        self.0.len
    }

    pub fn offset(self) -> i64 {
        self.0.offset
    }

    /// Milliseconds since 1970, as producer or broker set it.
    pub fn timestamp_ms(self) -> Option<i64> {
        self.timestamp().map(|(time, _)| time)
    }

    fn timestamp(self) -> Option<(i64, SetBy)> {
        let mut kind = rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is alive.
        let time = unsafe { rd_kafka_message_timestamp(self.0, &mut kind) };
        let set_by = match kind {
            rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE => return None,
            rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_CREATE_TIME => SetBy::Producer,
            rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME => SetBy::Broker,
        };
        (time >= 0).then_some((time, set_by))
    }

    /// What is told beside key and value. Headers have to be taken apart, so they are only told if they are asked for.
    pub fn around(self, with_headers: bool) -> Around<'a> {
        // SAFETY: the message is alive.
        let epoch = unsafe { rd_kafka_message_leader_epoch(self.0) };
        Around {
            partition: self.0.partition,
            offset: self.0.offset,
            timestamp: self.timestamp(),
            leader_epoch: (epoch >= 0).then_some(epoch),
            headers: if with_headers { self.headers() } else { Vec::new() },
        }
    }

    fn headers(self) -> Vec<(String, Option<&'a [u8]>)> {
        let mut headers = std::ptr::null_mut();
        let mut all = Vec::new();
        // SAFETY: the message is alive and keeps its headers; the place can be written.
        let found = unsafe { rd_kafka_message_headers(self.0, &mut headers) };
        if found != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            return all;
        }
        loop {
            let (mut name, mut value, mut length) = (std::ptr::null(), std::ptr::null(), 0);
            // SAFETY: the headers are alive as long as the message; the places can be written. A name ends with a zero,
            // and `length` bytes lie at a value that is there.
            unsafe {
                let found = rd_kafka_header_get_all(headers, all.len(), &mut name, &mut value, &mut length);
                if found != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                    return all;
                }
                let name = CStr::from_ptr(name).to_string_lossy().into_owned();
                let value = (!value.is_null()).then(|| std::slice::from_raw_parts(value.cast(), length));
                all.push((name, value));
            }
        }
    }
}
