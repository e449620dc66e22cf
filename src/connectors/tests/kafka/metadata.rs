//! What stands around records: read into columns, and written from them.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{
    ArrayRef, BinaryBuilder, Int64Array, MapBuilder, MapFieldNames, RecordBatch, StringBuilder,
    TimestampMillisecondArray,
};
use arrow_schema::{Field, Schema, SchemaRef};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use tidemill_connectors::kafka::Kafka;
use tidemill_engine::connector::Connector;
use tidemill_plan::{Table, metadata};

use crate::broker::{Broker, assigned, broker, context, to_the_end, write};

/// A table of `number` and these keys of metadata, each under its own name.
fn table(broker: &Broker, topic: &str, keys: &[&str], options: &[(&str, &str)]) -> (Table, SchemaRef) {
    let mut table = broker.table(topic, options);
    let known = metadata::keys(&table);
    let mut fields = vec![Field::new("number", arrow_schema::DataType::Int64, true)];
    for key in keys {
        let data_type = known.iter().find(|known| known.name == *key).unwrap().data_type.clone();
        fields.push(Field::new(*key, data_type, true));
        table.metadata.insert(key.to_string(), key.to_string());
    }
    (table, Arc::new(Schema::new(fields)))
}

fn told(broker: &Broker, topic: &str, keys: &[&str]) -> Vec<String> {
    let (table, schema) = table(broker, topic, keys, &[("scan.bounded.mode", "latest-offset")]);
    let source = Kafka.source(&table, schema, &context("u")).unwrap();
    to_the_end(&mut *source.reader(assigned(&*source, None)).unwrap()).unwrap()
}

#[test]
#[ignore = "needs a Kafka broker: TIDEMILL_KAFKA"]
fn what_is_told_of_a_record_comes_in_its_columns() {
    let broker = broker();
    let topic = broker.topic(2);
    let producer: BaseProducer = broker.config().create().unwrap();
    let value = |text: &'static str| Some(text.as_bytes());
    let headers = OwnedHeaders::new()
        .insert(Header { key: "a", value: value("1") })
        .insert(Header::<&[u8]> { key: "b", value: None })
        .insert(Header { key: "a", value: value("2") });
    for record in [r#"{"number":1}"#, r#"{"number":2}"#] {
        let record = BaseRecord::<str, str>::to(&topic).partition(1).payload(record).timestamp(1_500);
        producer.send(record.headers(headers.clone())).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(Duration::from_secs(20)).unwrap();
    let keys = ["partition", "offset", "leader-epoch", "timestamp", "timestamp-type", "headers", "topic"];
    let expected = |number: i64| {
        let time = r#""timestamp":"1970-01-01 00:00:01.5Z","timestamp-type":"CreateTime""#;
        format!(
            r#"{{"number":{number},"partition":1,"offset":{},"leader-epoch":0,{time},"headers":{{"b":null,"a":"Mg=="}},"topic":"{topic}"}}"#,
            number - 1
        )
    };
    assert_eq!(told(&broker, &topic, &keys), [expected(1), expected(2)]);
}

/// Rows with the times 1 ms and none, and with a header and without any.
fn rows(schema: &SchemaRef) -> RecordBatch {
    let names = MapFieldNames { entry: "entries".into(), key: "keys".into(), value: "values".into() };
    let mut headers = MapBuilder::new(Some(names), StringBuilder::new(), BinaryBuilder::new());
    headers.keys().append_value("kind");
    headers.values().append_value("copy");
    headers.append(true).unwrap();
    headers.append(false).unwrap();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![1, 2])),
        Arc::new(TimestampMillisecondArray::from(vec![Some(1), None]).with_timezone("UTC")),
        Arc::new(headers.finish()),
    ];
    RecordBatch::try_new(schema.clone(), columns).unwrap()
}

#[test]
#[ignore = "needs a Kafka broker: TIDEMILL_KAFKA"]
fn time_and_headers_are_written_whatever_the_guarantee() {
    let broker = broker();
    for guarantee in ["at-least-once", "exactly-once"] {
        let topic = broker.topic(1);
        let options = [("sink.delivery-guarantee", guarantee)];
        let (table, schema) = table(&broker, &topic, &["timestamp", "headers"], &options);
        let sink = Kafka.sink(&table, schema.clone(), &context(&topic)).unwrap();
        write(&*sink, &rows(&schema));
        let told = told(&broker, &topic, &["timestamp", "headers"]);
        assert_eq!(told[0], r#"{"number":1,"timestamp":"1970-01-01 00:00:00.001Z","headers":{"kind":"Y29weQ=="}}"#);
        assert!(told[1].starts_with(r#"{"number":2,"timestamp":"20"#), "sent without a time, so now: {}", told[1]);
        assert!(told[1].ends_with(r#""headers":{}}"#), "{}", told[1]);
    }
}
