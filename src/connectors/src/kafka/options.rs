//! A Kafka table's options, read and checked once. The same table may be read and written, so all are always allowed.

use std::time::Duration;

use tidemill_engine::connector::Result;
use tidemill_plan::Table;

use super::config;
use crate::formats::json::JsonOptions;
use crate::formats::part::Format;
use crate::options::Options;

#[derive(Clone, Debug, PartialEq)]
pub struct KafkaOptions {
    pub topic: String,
    /// librdkafka's properties, the group and the reset policy taken out.
    pub properties: Vec<(String, String)>,
    pub group: Option<String>,
    pub reset: Reset,
    pub startup: Startup,
    pub bounded: bool,
    /// How often the topic is looked at for further partitions; none for never.
    pub discovery: Option<Duration>,
    pub records: Records,
    /// How values are written. Those that tell of changes have rows in this format.
    pub value: Format,
    /// How keys are written; of no table without keys.
    pub key: Format,
    pub guarantee: Guarantee,
    pub transactional_id_prefix: String,
    pub key_fields: Vec<String>,
    pub key_in_value: bool,
    pub partitioner: Partitioner,
}

/// Which partition a written record goes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Partitioner {
    /// By the hash of its key; without a key to any, a batch of records at a time.
    #[default]
    ByKey,
    /// All that one thread writes goes to the same.
    ByWriter,
}

/// What records mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Records {
    /// Each is one row more.
    #[default]
    Rows,
    /// Each takes the place of those of its key; without a value it deletes them.
    Upserts,
    /// Each tells of a change; `with_schema` if it is wrapped together with its schema.
    Debezium { with_schema: bool },
}

/// Where a first start begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Startup {
    Group,
    Earliest,
    Latest,
    /// The first record of this time or later, milliseconds since 1970.
    Timestamp(i64),
}

/// What happens if a position is no longer there, or a group has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reset {
    /// A lost position is a fault; a group without offsets starts at the earliest record.
    #[default]
    Unset,
    Fail,
    Earliest,
    Latest,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Guarantee {
    None,
    #[default]
    AtLeastOnce,
    ExactlyOnce,
}

/// How often the topic is looked at for further partitions, as in Flink.
const DISCOVERY: Duration = Duration::from_secs(300);

/// Options of Flink's connector that cannot be honoured, with the reason and a way out.
const UNSUPPORTED: [(&str, &str, &str); 6] = [
    ("topic-pattern", "a table reads one topic", "name it by `topic`"),
    ("scan.startup.specific-offsets", "positions come from snapshots", "use `timestamp` or `earliest-offset`"),
    (
        "scan.bounded.specific-offsets",
        "only the latest offset can be the end",
        "use `scan.bounded.mode` = `latest-offset`",
    ),
    (
        "scan.bounded.timestamp-millis",
        "only the latest offset can be the end",
        "use `scan.bounded.mode` = `latest-offset`",
    ),
    ("sink.parallelism", "sinks run with the application's parallelism", "leave it out"),
    ("key.fields-prefix", "key columns have their own names", "leave it out"),
];

/// The connector whose records are changes by key.
const UPSERTS: &str = "upsert-kafka";
const DEBEZIUM: &str = "debezium-json";

impl KafkaOptions {
    pub fn read(table: &Table) -> Result<Self> {
        let options = Options::new(table);
        for (name, reason, remedy) in UNSUPPORTED {
            options.refuse(name, reason, remedy)?;
        }
        let topic = topic(&options)?;
        let properties = config::properties(&options)?;
        let records = if table.connector == UPSERTS { upserts(&options)? } else { format(&options)? };
        let startup = match records {
            Records::Upserts => Startup::Earliest,
            _ => startup(&options, properties.group.is_some())?,
        };
        let value = match records {
            Records::Debezium { .. } => Format::Json(JsonOptions::read_of(DEBEZIUM, &options)?),
            Records::Rows | Records::Upserts => value_format(&options)?,
        };
        let key_format = Format::read(&options, "key.format")?;
        let has_key_format = key_format.is_some();
        let key = key_format.unwrap_or(Format::Raw);
        let ends = [("unbounded", false), ("latest-offset", true)];
        let (key_fields, key_in_value) = match records {
            Records::Upserts => (table.primary_key.clone(), in_value(&options)?.unwrap_or(true)),
            _ => key_columns(&options, has_key_format)?,
        };
        let guarantees = [
            ("at-least-once", Guarantee::AtLeastOnce),
            ("exactly-once", Guarantee::ExactlyOnce),
            ("none", Guarantee::None),
        ];
        let discovery = options.duration("scan.topic-partition-discovery.interval")?.unwrap_or(DISCOVERY);
        let read = Self {
            topic,
            properties: properties.passed,
            group: properties.group,
            reset: properties.reset,
            startup,
            bounded: options.choice("scan.bounded.mode", &ends)?.unwrap_or(false),
            discovery: (discovery > Duration::ZERO).then_some(discovery),
            records,
            value,
            key,
            guarantee: options.choice("sink.delivery-guarantee", &guarantees)?.unwrap_or_default(),
            transactional_id_prefix: options.optional("sink.transactional-id-prefix").unwrap_or("tidemill").to_string(),
            partitioner: partitioner(&options, &key_fields)?,
            key_fields,
            key_in_value,
        };
        options.finish()?;
        Ok(read)
    }
}

fn topic(options: &Options<'_>) -> Result<String> {
    let topic = options.required("topic")?;
    if topic.contains(';') {
        return Err(options.bad_value("topic", topic, "names several topics", "one topic, and use a table for each"));
    }
    Ok(topic.to_string())
}

/// The option that names the format of values.
fn format_option(options: &Options<'_>) -> &'static str {
    let (_, part) = (options.optional("format"), options.optional("value.format"));
    if part.is_some() { "value.format" } else { "format" }
}

fn format(options: &Options<'_>) -> Result<Records> {
    let name = format_option(options);
    if options.required(name)? == "avro-confluent" {
        // Refused with its reason when the format is read.
        return Ok(Records::Rows);
    }
    let formats = [("json", false), ("csv", false), ("raw", false), ("avro", false), (DEBEZIUM, true)];
    match options.choice(name, &formats)? {
        Some(true) => Ok(Records::Debezium { with_schema: options.flag(&format!("{DEBEZIUM}.schema-include"))? }),
        Some(false) | None => Ok(Records::Rows),
    }
}

fn value_format(options: &Options<'_>) -> Result<Format> {
    let name = if options.optional("value.format").is_some() { "value.format" } else { "format" };
    match Format::read(options, name)? {
        Some(format) => Ok(format),
        None => {
            Err(options.required(name).err().unwrap_or_else(|| options.invalid("it has no format", "set `format`")))
        }
    }
}

/// The options that only a table of changes by key has.
fn upserts(options: &Options<'_>) -> Result<Records> {
    for (name, reason) in [
        ("format", "key and value have their own"),
        ("key.fields", "the key is the primary key"),
        ("scan.startup.mode", "the whole topic is read, from its beginning"),
        ("sink.buffer-flush.max-rows", "changes are put together before they come here"),
        ("sink.buffer-flush.interval", "changes are put together before they come here"),
    ] {
        options.refuse(name, reason, "leave it out, and set `key.format` and `value.format`")?;
    }
    options.required("key.format")?;
    options.required("value.format")?;
    if options.table().primary_key.is_empty() {
        return Err(options.invalid("the table has no primary key", "add PRIMARY KEY (…) NOT ENFORCED"));
    }
    Ok(Records::Upserts)
}

fn startup(options: &Options<'_>, has_group: bool) -> Result<Startup> {
    let at: Option<i64> = options.parsed("scan.startup.timestamp-millis", "milliseconds since 1970")?;
    let modes = [
        ("group-offsets", Startup::Group),
        ("earliest-offset", Startup::Earliest),
        ("latest-offset", Startup::Latest),
        ("timestamp", Startup::Timestamp(at.unwrap_or(0))),
    ];
    match (options.choice("scan.startup.mode", &modes)?, at) {
        (None, None) => Ok(if has_group { Startup::Group } else { Startup::Earliest }),
        (Some(Startup::Group), None) if !has_group => {
            Err(options.invalid("`group-offsets` needs a group", "set `properties.group.id`, or use `earliest-offset`"))
        }
        (Some(Startup::Timestamp(_)), None) => {
            options.required("scan.startup.timestamp-millis").map(|_| Startup::Earliest)
        }
        (Some(Startup::Timestamp(at)), Some(_)) => Ok(Startup::Timestamp(at)),
        (_, Some(_)) => Err(options.invalid(
            "`scan.startup.timestamp-millis` is for `scan.startup.mode` = `timestamp` only",
            "set that mode, or leave the time out",
        )),
        (Some(mode), None) => Ok(mode),
    }
}

fn partitioner(options: &Options<'_>, key_fields: &[String]) -> Result<Partitioner> {
    const NAME: &str = "sink.partitioner";
    let named =
        [("default", Partitioner::ByKey), ("round-robin", Partitioner::ByKey), ("fixed", Partitioner::ByWriter)];
    if options.optional(NAME) == Some("round-robin") && !key_fields.is_empty() {
        return Err(options
            .invalid("records with a key are not placed in turn", "leave `key.fields` or `sink.partitioner` out"));
    }
    if let Some(class) = options.optional(NAME).filter(|name| name.contains('.')) {
        return Err(options.bad_value(
            NAME,
            class,
            "is a class, and code cannot be brought along",
            "`default` or `fixed`",
        ));
    }
    Ok(options.choice(NAME, &named)?.unwrap_or_default())
}

fn in_value(options: &Options<'_>) -> Result<Option<bool>> {
    options.choice("value.fields-include", &[("ALL", true), ("EXCEPT_KEY", false)])
}

fn key_columns(options: &Options<'_>, has_format: bool) -> Result<(Vec<String>, bool)> {
    let fields = options.optional("key.fields");
    let in_value = in_value(options)?;
    match (fields, has_format) {
        (None, true) => {
            Err(options.invalid("`key.format` without `key.fields`", "add `key.fields`, or leave both out"))
        }
        (Some(_), false) => Err(options.invalid("`key.fields` needs `key.format`", "add 'key.format' = 'json'")),
        (None, false) if in_value == Some(false) => {
            Err(options.invalid("`EXCEPT_KEY` without `key.fields`", "add `key.fields`, or leave both out"))
        }
        (fields, _) => {
            let names = fields.unwrap_or_default().split(';').filter(|name| !name.is_empty());
            Ok((names.map(str::to_string).collect(), in_value.unwrap_or(true)))
        }
    }
}

#[cfg(test)]
#[path = "options_tests.rs"]
mod tests;
