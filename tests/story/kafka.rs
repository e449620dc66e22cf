//! Topics of the broker under test: made, filled at a steady rate, and read to the end with `read_committed`.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};

use crate::cluster::setting;

/// Partitions of every topic that the tests make.
pub const PARTITIONS: i32 = 4;

/// Makes the topic anew, empty.
pub async fn create_topic(name: &str) {
    let admin: AdminClient<DefaultClientContext> = config().create().expect("connect to Kafka");
    let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(30)));
    admin.delete_topics(&[name], &options).await.expect("delete the topic of an earlier run");
    let topic = NewTopic::new(name, PARTITIONS, TopicReplication::Fixed(1));
    for _ in 0..50 {
        let made = admin.create_topics([&topic], &options).await.expect("create a topic").remove(0);
        match made {
            Ok(_) => return,
            // A deletion may still be under way.
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => tokio::time::sleep(Duration::from_millis(100)).await,
            Err((name, code)) => panic!("failed to create the topic {name}: {code}"),
        }
    }
    panic!("the topic {name} of an earlier run does not go away");
}

/// Writes records and waits until the broker has them all.
pub fn send(topic: &str, records: impl IntoIterator<Item = (i32, String)>) {
    let producer: BaseProducer = config().create().expect("connect to Kafka");
    for (partition, payload) in records {
        push(&producer, topic, partition, &payload);
    }
    producer.flush(Duration::from_secs(60)).expect("write all records");
}

/// A thread that writes record after record, so many a second, until it is told to stop.
pub struct Filler {
    written: Arc<AtomicU64>,
    /// Go on to this number as fast as possible, then end.
    last: Arc<AtomicU64>,
    hurry: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Filler {
    /// Record `n` goes to partition `n % PARTITIONS`.
    pub fn start(topic: &str, per_second: u64, record: impl Fn(u64) -> String + Send + 'static) -> Self {
        let (written, last) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(u64::MAX)));
        let hurry = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let (topic, written, last, hurry) = (topic.to_owned(), written.clone(), last.clone(), hurry.clone());
            move || {
                let producer: BaseProducer = config().create().expect("connect to Kafka");
                let start = Instant::now();
                for number in 0.. {
                    if number >= last.load(Relaxed) {
                        break;
                    }
                    while !hurry.load(Relaxed) && number > start.elapsed().as_millis() as u64 * per_second / 1000 {
                        producer.poll(Duration::from_millis(5));
                    }
                    push(&producer, &topic, (number % PARTITIONS as u64) as i32, &record(number));
                    written.store(number + 1, Relaxed);
                }
                producer.flush(Duration::from_secs(60)).expect("write all records");
            }
        });
        Self { written, last, hurry, thread }
    }

    pub fn written(&self) -> u64 {
        self.written.load(Relaxed)
    }

    /// Ends once there are at least so many records; returns how many there are.
    pub fn finish(self, at_least: u64) -> u64 {
        self.last.store(at_least.max(self.written() + 1), Relaxed);
        self.hurry.store(true, Relaxed);
        self.thread.join().expect("the filler ends well");
        self.written.load(Relaxed)
    }
}

/// How often each payload is in the topic now, as a consumer sees it that reads committed records alone.
pub fn read_committed(topic: &str) -> HashMap<String, u64> {
    let consumer: BaseConsumer = config()
        .set("group.id", "tidemill-tests")
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .create()
        .expect("connect to Kafka");
    let mut partitions = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        partitions.add_partition_offset(topic, partition, Offset::Beginning).expect("the offset is valid");
    }
    consumer.assign(&partitions).expect("assign all partitions");
    let (mut records, mut ended) = (HashMap::new(), 0);
    while ended < PARTITIONS {
        match consumer.poll(Duration::from_secs(30)).expect("Kafka answers") {
            Ok(message) => {
                let payload = message.payload().expect("records have payloads");
                *records.entry(String::from_utf8_lossy(payload).into_owned()).or_insert(0) += 1;
            }
            Err(KafkaError::PartitionEOF(_)) => ended += 1,
            Err(error) => panic!("failed to read {topic}: {error}"),
        }
    }
    records
}

fn push(producer: &BaseProducer, topic: &str, partition: i32, payload: &str) {
    let mut record = BaseRecord::<str, str>::to(topic).partition(partition).payload(payload);
    while let Err((error, returned)) = producer.send(record) {
        assert_eq!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::QueueFull), "failed to write to {topic}");
        producer.poll(Duration::from_millis(20));
        record = returned;
    }
}

fn config() -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", setting("TIDEMILL_TEST_KAFKA"))
        .set("linger.ms", "20")
        .set("queue.buffering.max.messages", "500000");
    config
}
