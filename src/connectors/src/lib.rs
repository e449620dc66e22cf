//! Sources and sinks for the engine, one folder each, and the record formats that they share ([`formats`]).
//!
//! A connector is a cargo feature of its own name, all of them on by default. Every option of a table is either
//! understood or refused ([`options`]): an option that would be accepted and ignored is worse than an error.
//!
//! This crate must never know Kubernetes or SQL text.

use std::sync::Arc;

use tidemill_engine::connector::Connectors;

#[cfg(feature = "blackhole")]
pub mod blackhole;
#[cfg(feature = "filesystem")]
pub mod filesystem;
pub mod formats;
#[cfg(feature = "generator")]
pub mod generator;
#[cfg(feature = "kafka")]
pub mod kafka;
#[cfg(feature = "filesystem")]
mod lookup;
pub mod options;
#[cfg(feature = "print")]
pub mod print;
#[cfg(feature = "values")]
pub mod values;

mod frames;

/// Every connector of this build, by the name that a table's `connector` option has.
pub fn all() -> Connectors {
    let mut connectors = Connectors::new();
    #[cfg(feature = "blackhole")]
    connectors.insert("blackhole", Arc::new(blackhole::Blackhole));
    #[cfg(feature = "filesystem")]
    connectors.insert("filesystem", Arc::new(filesystem::Filesystem));
    #[cfg(feature = "generator")]
    {
        connectors.insert("generator", Arc::new(generator::Generator));
        connectors.insert("nexmark", Arc::new(generator::nexmark::Nexmark));
    }
    #[cfg(feature = "kafka")]
    {
        connectors.insert("kafka", Arc::new(kafka::Kafka));
        connectors.insert("upsert-kafka", Arc::new(kafka::Kafka));
    }
    #[cfg(feature = "print")]
    {
        connectors.insert("print", Arc::new(print::Print));
        connectors.insert("log", Arc::new(print::Print));
    }
    #[cfg(feature = "values")]
    connectors.insert("values", Arc::new(values::Values));
    connectors
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_connector_is_there_by_its_name() {
        let names: Vec<_> = super::all().into_keys().collect();
        let expected =
            ["blackhole", "filesystem", "generator", "kafka", "log", "nexmark", "print", "upsert-kafka", "values"];
        assert_eq!(names, expected);
    }
}
