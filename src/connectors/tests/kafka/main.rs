//! The Kafka connector against a real broker, whose address is in `TIDEMILL_KAFKA`. `make test` runs these with the
//! broker of its cluster; by hand:
//! `TIDEMILL_KAFKA=127.0.0.1:9092 cargo test -p tidemill-connectors --test kafka -- --ignored --skip outage`.
//! The test of an outage stops the broker by a script, `TIDEMILL_KAFKA_CONTROL`, that takes `start` and `stop`.

#![allow(clippy::unwrap_used)]
#![cfg(all(feature = "kafka", feature = "generator"))]

mod broker;
mod formats;
mod metadata;
mod reading;
mod writing;
