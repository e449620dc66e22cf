//! Writes seeded page views to an existing topic, round robin over its partitions, and waits until all are there.
//!
//! usage: bench-load BROKER TOPIC PARTITIONS ROWS SEED

use std::error::Error;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use tidemill_bench::page_views;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [broker, topic, partitions, rows, seed] = arguments.as_slice() else {
        return Err("usage: bench-load BROKER TOPIC PARTITIONS ROWS SEED".into());
    };
    let (partitions, rows, seed): (u64, u64, u64) = (partitions.parse()?, rows.parse()?, seed.parse()?);
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", broker)
        .set("enable.idempotence", "true")
        .set("linger.ms", "20")
        .set("batch.size", "262144")
        .create()?;
    let views = page_views(seed);
    let mut row = Vec::new();
    for number in 0..rows {
        row.clear();
        views.json(number, &mut row);
        send(&producer, topic, (number % partitions) as i32, &row)?;
        if number % 1_000 == 0 {
            producer.poll(Duration::ZERO);
        }
    }
    producer.flush(Duration::from_secs(60))?;
    match producer.in_flight_count() {
        0 => Ok(()),
        left => Err(format!("{left} rows could not be written").into()),
    }
}

fn send(producer: &BaseProducer, topic: &str, partition: i32, row: &[u8]) -> Result<(), KafkaError> {
    let mut record = BaseRecord::<(), [u8]>::to(topic).partition(partition).payload(row);
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                producer.poll(Duration::from_millis(10));
                record = back;
            }
            Err((error, _)) => return Err(error),
        }
    }
}
