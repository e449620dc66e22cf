//! The roof under any Kafka job of ours: what the bare client costs, and the client with arrow's own JSON decoder.
//! Reads the whole topic with one consumer and prints one JSON object.
//!
//! usage: bench-roof BROKER TOPIC PARTITIONS ROWS {client|decode}

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use arrow::json::ReaderBuilder;
use arrow::json::reader::Decoder;
use rdkafka::bindings as sys;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tidemill_bench::cpu_seconds;

/// Messages asked for at once, and rows in a decoded batch.
const BATCH: usize = 8_192;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [broker, topic, partitions, rows, mode] = arguments.as_slice() else {
        return Err("usage: bench-roof BROKER TOPIC PARTITIONS ROWS {client|decode}".into());
    };
    let (partitions, rows): (i32, usize) = (partitions.parse()?, rows.parse()?);
    let decoder = match mode.as_str() {
        "client" => None,
        "decode" => Some(ReaderBuilder::new(page_view_schema()).with_batch_size(BATCH).build_decoder()?),
        other => return Err(format!("unknown mode {other}").into()),
    };
    let (started, cpu_before) = (Instant::now(), cpu_seconds());
    let read = read_topic(&consumer(broker, topic, partitions)?, rows, decoder)?;
    let (seconds, cpu) = (started.elapsed().as_secs_f64(), cpu_seconds() - cpu_before);
    let millions = rows as f64 / 1e6;
    println!(
        r#"{{"mode":"{mode}","rows":{},"bytes":{},"events_per_s":{:.0},"cpu_s_per_m":{:.3}}}"#,
        read.rows,
        read.bytes,
        rows as f64 / seconds,
        cpu / millions
    );
    Ok(())
}

fn page_view_schema() -> Arc<Schema> {
    Arc::new(Schema::new(vec![
        Field::new("page", DataType::Utf8, true),
        Field::new("user_id", DataType::Int64, true),
        Field::new("viewed_at", DataType::Timestamp(TimeUnit::Millisecond, None), true),
        Field::new("referrer", DataType::Utf8, true),
        Field::new("duration_ms", DataType::Int64, true),
    ]))
}

fn consumer(broker: &str, topic: &str, partitions: i32) -> Result<BaseConsumer, Box<dyn Error>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", broker)
        .set("group.id", "bench-roof")
        .set("enable.auto.commit", "false")
        .set("fetch.message.max.bytes", "4194304")
        // by default a client whose queue is full does not fetch again for a second
        .set("fetch.queue.backoff.ms", "10")
        .create()?;
    let mut assignment = TopicPartitionList::new();
    for partition in 0..partitions {
        assignment.add_partition_offset(topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&assignment)?;
    Ok(consumer)
}

#[derive(Default)]
struct Read {
    rows: usize,
    bytes: usize,
}

fn read_topic(consumer: &BaseConsumer, rows: usize, mut decoder: Option<Decoder>) -> Result<Read, Box<dyn Error>> {
    // SAFETY: the client outlives the queue, which is destroyed below.
    let queue = unsafe { sys::rd_kafka_queue_get_consumer(consumer.client().native_ptr()) };
    let mut messages = vec![std::ptr::null_mut(); BATCH];
    let mut read = Read::default();
    let mut undecoded = 0;
    while read.rows < rows {
        // SAFETY: `messages` has room for BATCH pointers.
        let count = unsafe { sys::rd_kafka_consume_batch_queue(queue, 1_000, messages.as_mut_ptr(), BATCH) };
        for &message in &messages[..count.max(0) as usize] {
            // SAFETY: librdkafka hands over `count` valid messages; each is destroyed once, after its last use.
            unsafe {
                if (*message).err == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                    let payload = std::slice::from_raw_parts((*message).payload as *const u8, (*message).len);
                    read.rows += 1;
                    read.bytes += payload.len();
                    undecoded += decode(decoder.as_mut(), payload, undecoded)?;
                }
                sys::rd_kafka_message_destroy(message);
            }
            if undecoded >= BATCH {
                undecoded = flush(decoder.as_mut())?;
            }
        }
    }
    flush(decoder.as_mut())?;
    // SAFETY: obtained above, not used again.
    unsafe { sys::rd_kafka_queue_destroy(queue) };
    Ok(read)
}

/// Hands one message to the decoder. Returns the rows it added.
fn decode(decoder: Option<&mut Decoder>, payload: &[u8], undecoded: usize) -> Result<usize, Box<dyn Error>> {
    let Some(decoder) = decoder else { return Ok(0) };
    debug_assert!(undecoded < BATCH);
    match decoder.decode(payload)? {
        taken if taken == payload.len() => Ok(1),
        taken => Err(format!("the decoder took {taken} of {} bytes", payload.len()).into()),
    }
}

/// Makes a batch of what was decoded. Returns the rows that are left: none.
fn flush(decoder: Option<&mut Decoder>) -> Result<usize, Box<dyn Error>> {
    if let Some(decoder) = decoder {
        std::hint::black_box(decoder.flush()?);
    }
    Ok(0)
}
