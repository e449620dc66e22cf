//! A Kafka table's options, read and checked once. The same table may be read and written, so all are always allowed.

use std::time::Duration;

use tidemill_engine::connector::Result;
use tidemill_plan::Table;

use super::config;
use crate::formats::csv::CsvOptions;
use crate::formats::json::JsonOptions;
use crate::formats::raw;
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
    pub values: Values,
    pub json: JsonOptions,
    pub guarantee: Guarantee,
    pub transactional_id_prefix: String,
    pub key_fields: Vec<String>,
    pub key_in_value: bool,
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

/// How values are written.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Values {
    #[default]
    Json,
    Csv(CsvOptions),
    Raw,
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
const UNSUPPORTED: [(&str, &str, &str); 7] = [
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
    (
        "sink.partitioner",
        "records are placed by the hash of their key, without one in turn",
        "set `key.fields` instead",
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
        let json = match records {
            Records::Debezium { .. } => JsonOptions::read_of(DEBEZIUM, &options)?,
            _ => JsonOptions::read(&options)?,
        };
        let values = match options.optional("value.format").or(options.optional("format")) {
            Some("csv") => Values::Csv(CsvOptions::read(&options)?),
            Some("raw") => {
                raw::read_options(&options)?;
                Values::Raw
            }
            _ => Values::Json,
        };
        let ends = [("unbounded", false), ("latest-offset", true)];
        let (key_fields, key_in_value) = match records {
            Records::Upserts => (table.primary_key.clone(), in_value(&options)?.unwrap_or(true)),
            _ => key(&options)?,
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
            values,
            json,
            guarantee: options.choice("sink.delivery-guarantee", &guarantees)?.unwrap_or_default(),
            transactional_id_prefix: options.optional("sink.transactional-id-prefix").unwrap_or("tidemill").to_string(),
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

fn format(options: &Options<'_>) -> Result<Records> {
    let formats = [
        ("json", Records::Rows),
        ("csv", Records::Rows),
        ("raw", Records::Rows),
        (DEBEZIUM, Records::Debezium { with_schema: false }),
    ];
    let value = options.choice("value.format", &formats)?;
    if value.is_none() {
        options.required("format")?;
    }
    let records = value.or(options.choice("format", &formats)?).unwrap_or_default();
    match records {
        Records::Debezium { .. } => {
            Ok(Records::Debezium { with_schema: options.flag(&format!("{DEBEZIUM}.schema-include"))? })
        }
        records => Ok(records),
    }
}

/// The options that only a table of changes by key has.
fn upserts(options: &Options<'_>) -> Result<Records> {
    for (name, reason) in [
        ("format", "key and value have their own"),
        ("key.fields", "the key is the primary key"),
        ("scan.startup.mode", "the whole topic is read, from its beginning"),
        ("json.fail-on-missing-field", "a deleted row has only its key"),
        ("sink.buffer-flush.max-rows", "changes are put together before they come here"),
        ("sink.buffer-flush.interval", "changes are put together before they come here"),
    ] {
        options.refuse(name, reason, "leave it out, and set `key.format` and `value.format`")?;
    }
    for name in ["key.format", "value.format"] {
        options.required(name)?;
        options.choice(name, &[("json", ())])?;
    }
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

fn in_value(options: &Options<'_>) -> Result<Option<bool>> {
    options.choice("value.fields-include", &[("ALL", true), ("EXCEPT_KEY", false)])
}

fn key(options: &Options<'_>) -> Result<(Vec<String>, bool)> {
    let fields = options.optional("key.fields");
    let format = options.choice("key.format", &[("json", ())])?;
    let in_value = in_value(options)?;
    match (fields, format) {
        (None, Some(())) => {
            Err(options.invalid("`key.format` without `key.fields`", "add `key.fields`, or leave both out"))
        }
        (Some(_), None) => Err(options.invalid("`key.fields` needs `key.format`", "add 'key.format' = 'json'")),
        (None, None) if in_value == Some(false) => {
            Err(options.invalid("`EXCEPT_KEY` without `key.fields`", "add `key.fields`, or leave both out"))
        }
        (fields, _) => {
            let names = fields.unwrap_or_default().split(';').filter(|name| !name.is_empty());
            Ok((names.map(str::to_string).collect(), in_value.unwrap_or(true)))
        }
    }
}

#[cfg(test)]
mod tests {
    use tidemill_model::status::ProblemKind;

    use super::*;

    fn read(options: &[(&str, &str)]) -> Result<KafkaOptions> {
        let base = [("topic", "t"), ("properties.bootstrap.servers", "b:9092"), ("format", "json")];
        let all = base.iter().chain(options).map(|(k, v)| (k.to_string(), v.to_string())).collect();
        KafkaOptions::read(&Table {
            name: "views".into(),
            connector: "kafka".into(),
            options: all,
            ..Default::default()
        })
    }

    fn refusal(options: &[(&str, &str)]) -> String {
        let problem = read(options).unwrap_err();
        assert_eq!(problem.kind, ProblemKind::InvalidOption);
        format!("{}; {}", problem.message, problem.remedy)
    }

    #[test]
    fn a_table_without_a_group_starts_at_the_earliest_record() {
        assert_eq!(read(&[]).unwrap().startup, Startup::Earliest);
        assert_eq!(read(&[("properties.group.id", "g")]).unwrap().startup, Startup::Group);
        let at = [("scan.startup.mode", "timestamp"), ("scan.startup.timestamp-millis", "5")];
        assert_eq!(read(&at).unwrap().startup, Startup::Timestamp(5));
    }

    #[test]
    fn contradictions_are_refused() {
        assert!(refusal(&[("scan.startup.mode", "group-offsets")]).contains("needs a group"));
        assert!(refusal(&[("scan.startup.mode", "timestamp")]).contains("`scan.startup.timestamp-millis` is missing"));
        assert!(refusal(&[("scan.startup.timestamp-millis", "5")]).contains("only"));
        assert!(refusal(&[("key.fields", "a")]).contains("needs `key.format`"));
        assert!(refusal(&[("value.fields-include", "EXCEPT_KEY")]).contains("without `key.fields`"));
        assert!(refusal(&[("topic", "a;b")]).contains("several topics"));
        assert!(refusal(&[("sink.delivery-guarantee", "exactly_once")]).contains("`exactly-once`"));
    }

    #[test]
    fn what_this_build_cannot_do_is_refused_with_the_reason() {
        assert!(refusal(&[("properties.security.protocol", "SASL_SSL")]).contains("without TLS and SASL"));
        assert!(refusal(&[("properties.ssl.ca.location", "/x")]).contains("without TLS and SASL"));
        assert!(refusal(&[("sink.parallelism", "2")]).contains("the application's parallelism"));
        assert!(refusal(&[("scan.startup.mod", "x")]).contains("did you mean `scan.startup.mode`?"));
    }

    #[test]
    fn what_the_connector_owns_is_refused() {
        for name in ["enable.auto.commit", "transactional.id", "enable.idempotence", "key.deserializer"] {
            assert!(refusal(&[(&format!("properties.{name}"), "x")]).contains(name), "{name}");
        }
        let read = read(&[("properties.isolation.level", "read_uncommitted"), ("properties.fetch.min.bytes", "10")]);
        assert_eq!(read.unwrap().properties.len(), 3);
    }

    #[test]
    fn missing_options_are_named() {
        let table = Table {
            name: "views".into(),
            connector: "kafka".into(),
            options: Default::default(),
            ..Default::default()
        };
        assert_eq!(KafkaOptions::read(&table).unwrap_err().message, "the option `topic` is missing");
    }
}
