//! The Kafka connector against a real broker, whose address is in `TIDEMILL_KAFKA`; without it these tests do nothing
//! and say so. `TIDEMILL_KAFKA_CONTROL` names a script that takes `start` and `stop`, for the test of an outage.

#![allow(clippy::unwrap_used)]
#![cfg(all(feature = "kafka", feature = "generator"))]

mod broker;
mod reading;
mod writing;
