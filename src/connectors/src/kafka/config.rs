//! From `properties.*` to librdkafka's configuration: what passes, what is refused, and what we set ourselves.

use rdkafka::ClientConfig;
use tidemill_engine::connector::Result;

use super::options::{KafkaOptions, Reset};
use crate::options::Options;

/// The `properties.*` of a table.
pub struct Properties {
    pub passed: Vec<(String, String)>,
    pub group: Option<String>,
    pub reset: Reset,
}

/// Properties that decide about correctness, and are therefore not a table's to set.
const OWNED: [(&str, &str); 12] = [
    ("enable.auto.commit", "positions are kept in snapshots"),
    ("enable.auto.offset.store", "positions are kept in snapshots"),
    ("enable.partition.eof", "ends of partitions are always asked for"),
    ("group.instance.id", "partitions are assigned by the engine, not by the group"),
    ("partition.assignment.strategy", "partitions are assigned by the engine, not by the group"),
    ("transactional.id", "it follows from the application; see `sink.transactional-id-prefix`"),
    ("enable.idempotence", "it is always on"),
    ("key.deserializer", "it is a class of the Java client; see `format`"),
    ("value.deserializer", "it is a class of the Java client; see `format`"),
    ("key.serializer", "it is a class of the Java client; see `format`"),
    ("value.serializer", "it is a class of the Java client; see `format`"),
    ("partitioner.class", "it is a class of the Java client; see `key.fields`"),
];

pub fn properties(options: &Options<'_>) -> Result<Properties> {
    options.required("properties.bootstrap.servers")?;
    let mut read = Properties { passed: Vec::new(), group: None, reset: Reset::default() };
    for (name, value) in options.prefixed("properties.") {
        check(options, name, value)?;
        match name {
            "group.id" => read.group = Some(value.to_string()),
            "auto.offset.reset" => read.reset = reset(options, value)?,
            "security.protocol" => {}
            _ => read.passed.push((name.to_string(), value.to_string())),
        }
    }
    Ok(read)
}

fn check(options: &Options<'_>, name: &str, value: &str) -> Result<()> {
    if let Some((_, reason)) = OWNED.iter().find(|(owned, _)| *owned == name) {
        return Err(options.invalid(format!("the option `properties.{name}` cannot be set: {reason}"), "leave it out"));
    }
    let secure = name == "security.protocol" && !value.eq_ignore_ascii_case("PLAINTEXT");
    if secure || name.starts_with("ssl.") || name.starts_with("sasl.") || name.starts_with("enable.ssl") {
        return Err(options.invalid(
            format!("the option `properties.{name}` is not supported: the Kafka client is built without TLS and SASL"),
            "use a PLAINTEXT listener, or a proxy that adds the encryption",
        ));
    }
    Ok(())
}

fn reset(options: &Options<'_>, value: &str) -> Result<Reset> {
    match value {
        "earliest" => Ok(Reset::Earliest),
        "latest" => Ok(Reset::Latest),
        "none" => Ok(Reset::Fail),
        _ => Err(options.bad_value(
            "properties.auto.offset.reset",
            value,
            "is unknown",
            "`earliest`, `latest` or `none`",
        )),
    }
}

/// The settings that every client of a table has.
pub fn base(options: &KafkaOptions, application: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("client.id", format!("tidemill-{}", application.replace('/', "-")));
    // A broker that comes back is found again within a second, not ten.
    config.set("reconnect.backoff.max.ms", "1000");
    for (name, value) in &options.properties {
        config.set(name, value);
    }
    config
}

/// A client that reads partitions by [`super::queue`], without a group.
pub fn consumer(options: &KafkaOptions, application: &str, splits: usize) -> ClientConfig {
    let mut config = base(options, application);
    let own = [
        // Each partition has a queue of its own; together they may hold 64 MiB.
        ("queued.max.messages.kbytes", (65_536 / splits.max(1)).max(1024).to_string()),
        // A queue that was full is filled again at once, not after a second.
        ("fetch.queue.backoff.ms", "10".into()),
        ("isolation.level", "read_committed".into()),
    ];
    for (name, value) in own {
        if config.get(name).is_none() {
            config.set(name, value);
        }
    }
    config.set("enable.auto.commit", "false");
    config.set("enable.partition.eof", "true");
    // A lost position is told, not papered over, unless the table says where to go on.
    config.set(
        "auto.offset.reset",
        match options.reset {
            Reset::Unset | Reset::Fail => "error",
            Reset::Earliest => "earliest",
            Reset::Latest => "latest",
        },
    );
    config
}

/// A client that only asks for and keeps offsets of a group.
pub fn group_client(options: &KafkaOptions, application: &str, group: &str) -> ClientConfig {
    let mut config = base(options, application);
    config.set("group.id", group);
    config.set("enable.auto.commit", "false");
    // Also makes the broker wait with its answer while a transaction is still writing the offset (stable offsets).
    config.set("isolation.level", "read_committed");
    config
}

/// A producer without transactions.
pub fn producer(options: &KafkaOptions, application: &str) -> ClientConfig {
    let mut config = base(options, application);
    let own = [
        ("linger.ms", "20"),
        ("queue.buffering.max.kbytes", "65536"),
        // Records wait for a broker that is away as long as it takes: the table reports it meanwhile.
        ("message.timeout.ms", "0"),
        // Places keys as the Java client does.
        ("partitioner", "murmur2_random"),
    ];
    for (name, value) in own {
        if config.get(name).is_none() && !(name == "message.timeout.ms" && config.get("delivery.timeout.ms").is_some())
        {
            config.set(name, value);
        }
    }
    config.set("enable.idempotence", "true");
    config
}

/// A producer of transactions.
pub fn transactional_producer(options: &KafkaOptions, application: &str, id: &str) -> ClientConfig {
    let mut config = producer(options, application);
    config.set("transactional.id", id);
    // Transactions are open only while a checkpoint's records are sent; see `outbox`.
    if !options.properties.iter().any(|(name, _)| name == "transaction.timeout.ms") {
        config.set("transaction.timeout.ms", "300000");
    }
    // librdkafka refuses a message timeout above the transaction's; it limits an endless one itself.
    for name in ["message.timeout.ms", "delivery.timeout.ms"] {
        config.remove(name);
    }
    config
}
