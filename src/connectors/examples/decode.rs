//! What reading page views costs, layer by layer: `cargo run -p tidemill-connectors --release --example decode`.
//!
//! Prints records per second of wall time and CPU seconds per million records of this process, for the generator, for
//! decoding alone, and, if `TIDEMILL_KAFKA` names a broker, for the bare librdkafka client, the client with arrow's stock
//! decoder, and this crate's source. `RECORDS` sets how many (1 million by default).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::json::ReaderBuilder;
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use tidemill_connectors::formats::json::JsonOptions;
use tidemill_connectors::formats::json::decoder::Decoder;
use tidemill_connectors::generator::page_views::{PageViewSpec, PageViews};
use tidemill_engine::connector::{AssignedSplit, Connector, Polled, TaskContext};
use tidemill_plan::Table;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const BATCH: usize = 8192;

fn main() -> Outcome<()> {
    let records: u64 = std::env::var("RECORDS").map_or(Ok(1_000_000), |count| count.parse())?;
    let messages = messages(records);
    let bytes: usize = messages.iter().map(Vec::len).sum();
    println!("{records} page views, {} bytes each on average\n", bytes / messages.len());
    println!("{:<46} {:>14} {:>16}", "", "records/s", "CPU-s/million");
    generate("generator, all columns", &all(), records)?;
    generate("generator, page and viewed_at", &two(), records)?;
    for (name, schema) in [("all columns", all()), ("page and viewed_at", two())] {
        measure(&format!("arrow-json, {name}"), records, || stock(&messages, &schema))?;
        measure(&format!("our decoder, {name}"), records, || ours(&messages, &schema))?;
    }
    match std::env::var("TIDEMILL_KAFKA") {
        Ok(broker) => kafka(&broker, &messages)?,
        Err(_) => println!("\nTIDEMILL_KAFKA is not set: nothing was read from a broker"),
    }
    Ok(())
}

fn spec() -> PageViewSpec {
    PageViewSpec {
        seed: 1,
        pages: 1000,
        start_ms: 1_767_225_600_000,
        events_per_second: 10_000,
        max_out_of_orderness_ms: 100,
    }
}

fn messages(records: u64) -> Vec<Vec<u8>> {
    let views = PageViews::new(spec());
    let message = |row| {
        let mut out = Vec::new();
        views.json(row, &mut out);
        out
    };
    (0..records).map(message).collect()
}

fn all() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("page", DataType::Utf8, true),
        Field::new("user_id", DataType::Int64, true),
        Field::new("viewed_at", DataType::Timestamp(TimeUnit::Millisecond, None), true),
        Field::new("referrer", DataType::Utf8, true),
        Field::new("duration_ms", DataType::Int64, true),
    ]))
}

fn two() -> SchemaRef {
    Arc::new(all().project(&[0, 2]).expect("both columns are there"))
}

fn table(connector: &str, options: &[(&str, &str)]) -> Table {
    let options: BTreeMap<_, _> = options.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    Table { name: "views".into(), connector: connector.into(), options, ..Default::default() }
}

fn context() -> TaskContext {
    TaskContext {
        application: "a/b".into(),
        application_uid: "u".into(),
        operator: "o".into(),
        parallelism: 1,
        changelog: Default::default(),
    }
}

/// Runs it twice and prints the second time.
fn measure(name: &str, records: u64, mut act: impl FnMut() -> Outcome<u64>) -> Outcome<()> {
    let mut line = String::new();
    for _ in 0..2 {
        let (cpu, since) = (cpu_seconds()?, Instant::now());
        let done = act()?;
        assert_eq!(done, records, "{name}");
        let (wall, cpu) = (since.elapsed().as_secs_f64(), cpu_seconds()? - cpu);
        line = format!("{name:<46} {:>14.0} {:>16.3}", done as f64 / wall, cpu * 1e6 / done as f64);
    }
    println!("{line}");
    Ok(())
}

/// User and system time of this process, all threads.
fn cpu_seconds() -> Outcome<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    Ok((fields[11].parse::<f64>()? + fields[12].parse::<f64>()?) / 100.0)
}

fn generate(name: &str, schema: &SchemaRef, records: u64) -> Outcome<()> {
    let records = records * 20;
    let count = records.to_string();
    let table = table("generator", &[("kind", "page-views"), ("number-of-rows", &count), ("splits", "1")]);
    measure(name, records, || drain(&tidemill_connectors::generator::Generator, &table, schema))
}

fn drain(connector: &dyn Connector, table: &Table, schema: &SchemaRef) -> Outcome<u64> {
    let source = connector.source(table, schema.clone(), &context())?;
    let splits = source.splits()?.into_iter();
    let splits = splits.map(|split| AssignedSplit { id: split.id, number: split.number, position: None }).collect();
    let mut reader = source.reader(splits)?;
    let mut rows = 0;
    loop {
        match reader.poll(BATCH)? {
            Polled::Batch { rows: batch, .. } => rows += std::hint::black_box(batch).num_rows() as u64,
            Polled::Finished => return Ok(rows),
            Polled::Pending | Polled::Ended { .. } => {}
            Polled::PendingFor { ms } => std::thread::sleep(Duration::from_millis(ms)),
        }
    }
}

fn stock(messages: &[Vec<u8>], schema: &SchemaRef) -> Outcome<u64> {
    let mut decoder = ReaderBuilder::new(schema.clone()).with_batch_size(BATCH).build_decoder()?;
    let mut rows = 0;
    for batch in messages.chunks(BATCH) {
        for message in batch {
            decoder.decode(message)?;
        }
        rows += decoder.flush()?.map_or(0, |batch| std::hint::black_box(batch).num_rows() as u64);
    }
    Ok(rows)
}

fn ours(messages: &[Vec<u8>], schema: &SchemaRef) -> Outcome<u64> {
    let mut decoder = Decoder::new(&table("kafka", &[]), schema.clone(), JsonOptions::default(), BATCH)?;
    let mut rows = 0;
    for batch in messages.chunks(BATCH) {
        let decoded = decoder.decode(batch.iter().map(Vec::as_slice)).map_err(|bad| bad.reason)?;
        rows += std::hint::black_box(decoded).num_rows() as u64;
    }
    Ok(rows)
}

fn kafka(broker: &str, messages: &[Vec<u8>]) -> Outcome<()> {
    let topic = load(broker, messages)?;
    let records = messages.len() as u64;
    measure("librdkafka alone, message by message", records, || client(broker, &topic, records, None))?;
    for (name, schema) in [("all columns", all()), ("page and viewed_at", two())] {
        measure(&format!("librdkafka and arrow-json, {name}"), records, || {
            client(broker, &topic, records, Some(&schema))
        })?;
        let options = [
            ("topic", topic.as_str()),
            ("properties.bootstrap.servers", broker),
            ("format", "json"),
            ("scan.bounded.mode", "latest-offset"),
        ];
        let table = table("kafka", &options);
        measure(&format!("our source, {name}"), records, || {
            drain(&tidemill_connectors::kafka::Kafka, &table, &schema)
        })?;
    }
    Ok(())
}

fn load(broker: &str, messages: &[Vec<u8>]) -> Outcome<String> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker).set("linger.ms", "20");
    let topic = format!("decode-{}", std::process::id());
    let admin: AdminClient<DefaultClientContext> = config.create()?;
    let new = NewTopic::new(&topic, 1, TopicReplication::Fixed(1));
    futures::executor::block_on(admin.create_topics([&new], &AdminOptions::new()))?;
    let producer: BaseProducer = config.create()?;
    for message in messages {
        while producer.send(BaseRecord::<(), [u8]>::to(&topic).payload(message)).is_err() {
            producer.poll(Duration::from_millis(10));
        }
    }
    producer.flush(Duration::from_secs(60))?;
    Ok(topic)
}

/// The client as most programs use it, with or without a stock decoder behind it.
fn client(broker: &str, topic: &str, records: u64, schema: Option<&SchemaRef>) -> Outcome<u64> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker).set("group.id", "decode").set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create()?;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Beginning)?;
    consumer.assign(&list)?;
    let decoder = |schema: &SchemaRef| ReaderBuilder::new(schema.clone()).with_batch_size(BATCH).build_decoder();
    let mut decoder = schema.map(decoder).transpose()?;
    let mut read = 0;
    while read < records {
        let message = consumer.poll(Duration::from_secs(20)).ok_or("no message came")??;
        read += 1;
        let Some(decoder) = &mut decoder else { continue };
        decoder.decode(message.payload().unwrap_or_default())?;
        if read % BATCH as u64 == 0 || read == records {
            std::hint::black_box(decoder.flush()?);
        }
    }
    Ok(read)
}
