//! Counts records on their way to the broker, by the checkpoint interval in which they were written: a checkpoint waits
//! for its own records and earlier ones, not for those that come meanwhile.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;

use super::client::Context;

/// An interval's counter is used again by the interval so much later. Two that share one wait for each other, which is
/// harmless; checkpoints do not lag behind that far.
const SLOTS: usize = 16;
/// Intervals that may already have begun when a checkpoint waits for its own.
const AHEAD: usize = 2;

#[derive(Default)]
pub struct Outstanding {
    slots: [AtomicU64; SLOTS],
    failed: AtomicBool,
    failure: Mutex<Option<String>>,
}

impl Outstanding {
    pub fn add(&self, interval: usize) {
        self.slots[interval % SLOTS].fetch_add(1, Ordering::Relaxed);
    }

    fn done(&self, interval: usize) {
        self.slots[interval % SLOTS].fetch_sub(1, Ordering::Release);
    }

    fn fail(&self, message: String) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(message);
        self.failed.store(true, Ordering::Release);
    }

    /// Records of this interval and the ones before it that are not yet with the broker.
    pub fn until(&self, interval: usize) -> u64 {
        (0..SLOTS - AHEAD).map(|back| self.slots[(interval + SLOTS - back) % SLOTS].load(Ordering::Acquire)).sum()
    }

    /// The first record that was given up, if any was.
    pub fn failure(&self) -> Option<String> {
        match self.failed.load(Ordering::Acquire) {
            true => self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            false => None,
        }
    }
}

/// The context of a producer that counts its deliveries.
pub struct DeliveryContext {
    pub client: Context,
    pub outstanding: Outstanding,
}

impl ClientContext for DeliveryContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.client.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.client.error(error, reason);
    }
}

impl ProducerContext for DeliveryContext {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, interval: usize) {
        match result {
            Ok(_) => self.client.trouble.clear(),
            Err((error, _)) => self.outstanding.fail(error.to_string()),
        }
        self.outstanding.done(interval);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_waits_for_its_interval_and_earlier_ones_only() {
        let outstanding = Outstanding::default();
        for interval in [6, 7, 7, 8] {
            outstanding.add(interval);
        }
        assert_eq!((outstanding.until(6), outstanding.until(7), outstanding.until(8)), (1, 3, 4));
        outstanding.done(7);
        outstanding.done(6);
        assert_eq!(outstanding.until(7), 1);
        outstanding.done(7);
        assert_eq!(outstanding.until(7), 0);
    }

    #[test]
    fn the_first_failure_is_kept() {
        let outstanding = Outstanding::default();
        assert_eq!(outstanding.failure(), None);
        outstanding.fail("one".into());
        outstanding.fail("two".into());
        assert_eq!(outstanding.failure().unwrap(), "one");
    }
}
