//! Prints a topic's committed records, one a line, up to where each partition ends.
//!
//! usage: bench-dump BROKER TOPIC PARTITIONS

use std::error::Error;
use std::io::Write;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [broker, topic, partitions] = arguments.as_slice() else {
        return Err("usage: bench-dump BROKER TOPIC PARTITIONS".into());
    };
    let partitions: i32 = partitions.parse()?;
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", broker)
        .set("group.id", "bench-dump")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", "read_committed")
        .create()?;
    let mut assignment = TopicPartitionList::new();
    for partition in 0..partitions {
        assignment.add_partition_offset(topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&assignment)?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut open = partitions;
    while open > 0 {
        match consumer.poll(Duration::from_secs(30)) {
            None => return Err(format!("topic {topic} was silent for 30 s before its end").into()),
            Some(Ok(message)) => {
                out.write_all(message.payload().unwrap_or_default())?;
                out.write_all(b"\n")?;
            }
            Some(Err(KafkaError::PartitionEOF(_))) => open -= 1,
            Some(Err(error)) => return Err(error.into()),
        }
    }
    out.flush()?;
    Ok(())
}
