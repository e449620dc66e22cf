//! What the benchmark's programs share: the rows of the generator with its default options, the way into a topic, and this
//! process's CPU time.

use std::error::Error;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use tidemill_connectors::generator::page_views::{PageViewSpec, PageViews};

/// The generator's defaults: 5 million rows span 500 s of event time, fifty windows of ten seconds.
pub fn page_views(seed: u64) -> PageViews {
    PageViews::new(PageViewSpec {
        seed,
        pages: 1_000,
        start_ms: 1_767_225_600_000,
        events_per_second: 10_000,
        max_out_of_orderness_ms: 0,
    })
}

/// Writes records to an existing topic, round robin over its partitions.
pub struct Loader<'a> {
    producer: BaseProducer,
    topic: &'a str,
    partitions: u64,
    sent: u64,
}

impl<'a> Loader<'a> {
    pub fn new(broker: &str, topic: &'a str, partitions: u64) -> Result<Self, KafkaError> {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", broker)
            .set("enable.idempotence", "true")
            .set("linger.ms", "20")
            .set("batch.size", "262144")
            .create()?;
        Ok(Self { producer, topic, partitions, sent: 0 })
    }

    pub fn send(&mut self, row: &[u8]) -> Result<(), KafkaError> {
        let partition = (self.sent % self.partitions) as i32;
        let mut record = BaseRecord::<(), [u8]>::to(self.topic).partition(partition).payload(row);
        while let Err((error, back)) = self.producer.send(record) {
            match error {
                KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) => {
                    self.producer.poll(Duration::from_millis(10));
                    record = back;
                }
                other => return Err(other),
            }
        }
        self.sent += 1;
        if self.sent.is_multiple_of(1_000) {
            self.producer.poll(Duration::ZERO);
        }
        Ok(())
    }

    /// Waits until all records are there.
    pub fn finish(self) -> Result<(), Box<dyn Error>> {
        self.producer.flush(Duration::from_secs(60))?;
        match self.producer.in_flight_count() {
            0 => Ok(()),
            left => Err(format!("{left} rows could not be written").into()),
        }
    }
}

/// CPU seconds of this process so far, user and system.
pub fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |place: usize| fields.get(place).and_then(|field| field.parse::<f64>().ok()).unwrap_or(f64::NAN);
    (ticks(11) + ticks(12)) / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_the_size_that_the_readme_tells() {
        let views = page_views(1);
        let mut json = Vec::new();
        let rows = 10_000;
        (0..rows).for_each(|row| views.json(row, &mut json));
        let average = json.len() / rows as usize;
        assert!((110..=150).contains(&average), "{average} bytes");
    }
}
