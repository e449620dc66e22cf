//! What options are understood as, and which are refused.

use tidemill_model::status::ProblemKind;

use super::*;

fn read(options: &[(&str, &str)]) -> Result<KafkaOptions> {
    let base = [("topic", "t"), ("properties.bootstrap.servers", "b:9092"), ("format", "json")];
    let all = base.iter().chain(options).map(|(k, v)| (k.to_string(), v.to_string())).collect();
    KafkaOptions::read(&Table { name: "views".into(), connector: "kafka".into(), options: all, ..Default::default() })
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
fn records_are_placed_as_flink_s_names_say() {
    assert_eq!(read(&[("sink.partitioner", "fixed")]).unwrap().partitioner, Partitioner::ByWriter);
    assert_eq!(read(&[("sink.partitioner", "round-robin")]).unwrap().partitioner, Partitioner::ByKey);
    let keyed = [("key.fields", "a"), ("key.format", "raw"), ("sink.partitioner", "round-robin")];
    assert!(refusal(&keyed).contains("not placed in turn"));
    assert!(refusal(&[("sink.partitioner", "org.example.Mine")]).contains("is a class"));
}

#[test]
fn formats_have_their_options_with_or_without_the_part_s_name() {
    let skips = |options: &[(&str, &str)]| read(options).unwrap().value.skips_bad();
    assert!(skips(&[("json.ignore-parse-errors", "true")]));
    assert!(skips(&[("value.format", "json"), ("value.json.ignore-parse-errors", "true")]));
    assert!(skips(&[("value.format", "csv"), ("csv.ignore-parse-errors", "true")]));
    let key = [("key.fields", "a"), ("key.format", "csv"), ("key.csv.ignore-parse-errors", "true")];
    assert!(read(&key).unwrap().key.skips_bad());
    assert!(refusal(&[("json.x", "1")]).contains("no option `json.x`"));
    assert!(refusal(&[("value.format", "avro-confluent")]).contains("schema registry"));
    assert!(refusal(&[("value.format", "avro"), ("value.avro.encoding", "json")]).contains("`binary`"));
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
    let table =
        Table { name: "views".into(), connector: "kafka".into(), options: Default::default(), ..Default::default() };
    assert_eq!(KafkaOptions::read(&table).unwrap_err().message, "the option `topic` is missing");
}
