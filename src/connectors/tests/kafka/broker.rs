//! What the tests do with the broker beside the connector: topics, records, looking at what is visible.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arrow::array::RecordBatch;
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use tidemill_connectors::formats::json::{JsonOptions, encoder::Encoder};
use tidemill_connectors::generator::page_views::{PageViewSpec, PageViews};
use tidemill_engine::connector::{
    AssignedSplit, Connector, Polled, Prepared, Result, Sink, Source, SourceReader, TaskContext,
};
use tidemill_model::CheckpointId;
use tidemill_plan::Table;

pub struct Broker {
    pub address: String,
}

/// The broker that the environment names.
pub fn broker() -> Broker {
    Broker { address: std::env::var("TIDEMILL_KAFKA").expect("TIDEMILL_KAFKA names a broker") }
}

impl Broker {
    pub fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.address);
        config
    }

    /// A new topic with a name of its own.
    pub fn topic(&self, partitions: i32) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
        let name = format!("test-{since}-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let admin: AdminClient<DefaultClientContext> = self.config().create().unwrap();
        let topic = NewTopic::new(&name, partitions, TopicReplication::Fixed(1));
        let made = futures::executor::block_on(admin.create_topics([&topic], &AdminOptions::new())).unwrap();
        made.into_iter().for_each(|made| drop(made.unwrap()));
        name
    }

    /// Gives a topic more partitions, so that it has `count`.
    pub fn add_partitions(&self, topic: &str, count: usize) {
        let admin: AdminClient<DefaultClientContext> = self.config().create().unwrap();
        let wanted = NewPartitions::new(topic, count);
        let made = futures::executor::block_on(admin.create_partitions([&wanted], &AdminOptions::new())).unwrap();
        made.into_iter().for_each(|made| drop(made.unwrap()));
    }

    /// Throws the records before `offset` away, as retention does.
    pub fn delete_before(&self, topic: &str, offset: i64) {
        let admin: AdminClient<DefaultClientContext> = self.config().create().unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, 0, Offset::Offset(offset)).unwrap();
        futures::executor::block_on(admin.delete_records(&list, &AdminOptions::new())).unwrap();
    }

    pub fn send(&self, topic: &str, partition: i32, records: &[Option<String>]) {
        let producer: BaseProducer = self.config().create().unwrap();
        send(&producer, topic, partition, records);
        producer.flush(Duration::from_secs(20)).unwrap();
    }

    /// Sends in a transaction that is then committed, aborted, or left open.
    pub fn send_transaction(&self, id: &str, topic: &str, records: &[Option<String>], end: End) -> BaseProducer {
        let producer: BaseProducer = self.config().set("transactional.id", id).create().unwrap();
        let timeout = Duration::from_secs(20);
        producer.init_transactions(timeout).unwrap();
        producer.begin_transaction().unwrap();
        send(&producer, topic, 0, records);
        producer.flush(timeout).unwrap();
        match end {
            End::Commit => producer.commit_transaction(timeout).unwrap(),
            End::Abort => producer.abort_transaction(timeout).unwrap(),
            End::LeaveOpen => {}
        }
        producer
    }

    /// Key and value of every visible record of partition 0, in order.
    pub fn visible(&self, topic: &str) -> Vec<(Option<String>, String)> {
        let mut config = self.config();
        config.set("group.id", "look").set("isolation.level", "read_committed").set("enable.partition.eof", "true");
        let consumer: BaseConsumer = config.create().unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
        consumer.assign(&list).unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let mut records = Vec::new();
        loop {
            match consumer.poll(Duration::from_secs(20)).expect("an answer within the time") {
                Ok(message) => records.push((message.key().map(text), text(message.payload().unwrap_or_default()))),
                Err(rdkafka::error::KafkaError::PartitionEOF(_)) => return records,
                Err(error) => panic!("{error}"),
            }
        }
    }

    pub fn table(&self, topic: &str, options: &[(&str, &str)]) -> Table {
        let base = [("topic", topic), ("properties.bootstrap.servers", &self.address), ("format", "json")];
        let options: BTreeMap<String, String> =
            base.iter().chain(options).map(|(k, v)| (k.to_string(), v.to_string())).collect();
        Table { name: "views".into(), connector: "kafka".into(), options, ..Default::default() }
    }

    pub fn source(&self, topic: &str, options: &[(&str, &str)]) -> Result<Arc<dyn Source>> {
        tidemill_connectors::kafka::Kafka.source(&self.table(topic, options), schema(), &context("u"))
    }
}

#[derive(Clone, Copy)]
pub enum End {
    Commit,
    Abort,
    LeaveOpen,
}

fn send(producer: &BaseProducer, topic: &str, partition: i32, records: &[Option<String>]) {
    for record in records {
        let mut sent = BaseRecord::<str, str>::to(topic).partition(partition);
        sent.payload = record.as_deref();
        producer.send(sent).map_err(|(error, _)| error).unwrap();
        producer.poll(Duration::ZERO);
    }
}

pub fn context(uid: &str) -> TaskContext {
    TaskContext {
        application: "default/test".into(),
        application_uid: uid.into(),
        operator: "node-0".into(),
        parallelism: 1,
        changelog: Default::default(),
    }
}

pub fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("page", DataType::Utf8, true),
        Field::new("user_id", DataType::Int64, true),
        Field::new("viewed_at", DataType::Timestamp(TimeUnit::Millisecond, None), true),
        Field::new("referrer", DataType::Utf8, true),
        Field::new("duration_ms", DataType::Int64, true),
    ]))
}

/// Page views as records.
pub fn views(rows: std::ops::Range<u64>) -> Vec<Option<String>> {
    let views = page_views();
    let json = |row| {
        let mut out = Vec::new();
        views.json(row, &mut out);
        Some(String::from_utf8(out).unwrap())
    };
    rows.map(json).collect()
}

pub fn page_views() -> PageViews {
    PageViews::new(PageViewSpec {
        seed: 3,
        pages: 50,
        start_ms: 1_767_225_600_000,
        events_per_second: 1000,
        max_out_of_orderness_ms: 0,
    })
}

/// Assigns every split, at the start or at a position.
pub fn assigned(source: &dyn Source, positions: Option<Vec<serde_json::Value>>) -> Vec<AssignedSplit> {
    let mut positions = positions.map(Vec::into_iter);
    let splits = source.splits().unwrap().into_iter();
    splits
        .map(|split| AssignedSplit {
            id: split.id,
            number: split.number,
            position: positions.as_mut().and_then(Iterator::next),
        })
        .collect()
}

/// Rows as JSON again, so that they can be compared with what was sent.
pub fn lines(batch: &RecordBatch) -> Vec<String> {
    let encoder = Encoder::new(&batch.schema(), (0..batch.num_columns()).collect(), JsonOptions::default());
    let mut rows = encoder.rows(batch).unwrap();
    let line = |row| {
        let mut out = Vec::new();
        rows.write(row, &mut out);
        String::from_utf8(out).unwrap()
    };
    (0..batch.num_rows()).map(line).collect()
}

/// Polls until `enough` says so, the source ends, or half a minute is over.
pub fn read(reader: &mut dyn SourceReader, mut enough: impl FnMut(&[String]) -> bool) -> Result<Vec<String>> {
    let (mut rows, deadline) = (Vec::new(), Instant::now() + Duration::from_secs(30));
    while !enough(&rows) {
        assert!(Instant::now() < deadline, "only {} rows came; {:?}", rows.len(), reader.stats());
        match reader.poll(1000)? {
            Polled::Batch { rows: batch, .. } => rows.extend(lines(&batch)),
            Polled::Finished => break,
            Polled::Pending | Polled::Ended { .. } => {}
            Polled::PendingFor { ms } => std::thread::sleep(Duration::from_millis(ms)),
        }
    }
    Ok(rows)
}

pub fn to_the_end(reader: &mut dyn SourceReader) -> Result<Vec<String>> {
    read(reader, |_| false)
}

pub fn sorted(mut rows: Vec<String>) -> Vec<String> {
    rows.sort();
    rows
}

/// Writes rows and makes them visible, whatever the sink's guarantee asks for.
pub fn write(sink: &dyn Sink, rows: &RecordBatch) {
    let mut writer = sink.writer(0).unwrap();
    writer.write(rows).unwrap();
    match writer.prepare(CheckpointId(1)).unwrap() {
        Prepared::Staged(chunk) => {
            let mut committer = sink.committer(0).unwrap().unwrap();
            committer.commit(CheckpointId(1), &mut [Ok(chunk)].into_iter()).unwrap();
        }
        Prepared::Flush(flush) => std::thread::spawn(flush).join().unwrap().unwrap(),
        Prepared::Done => panic!("nothing is waited for"),
    }
}
