//! Rows written in each format and read back, with both guarantees and a restore in the middle.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int8Array, Int32Array, RecordBatch, StringArray};
use arrow::datatypes::Int8Type;
use arrow::util::display::array_value_to_string;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use serde_json::Value;
use tidemill_connectors::kafka::Kafka;
use tidemill_engine::connector::{Connector, Polled, Source, TaskContext};
use tidemill_plan::{CHANGE, Change, Changelog, Table};

use crate::broker::{Broker, assigned, broker, context, write};

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("id", DataType::Utf8, true), Field::new("n", DataType::Int32, true)]))
}

/// A table of `id STRING NOT NULL` and `n INT` in these options.
fn table(broker: &Broker, connector: &str, topic: &str, options: &[(&str, &str)]) -> Table {
    let base = [("topic", topic), ("properties.bootstrap.servers", &broker.address)];
    let declared = vec![Field::new("id", DataType::Utf8, false), Field::new("n", DataType::Int32, true)];
    Table {
        name: "rows".into(),
        connector: connector.into(),
        options: base.iter().chain(options).map(|(k, v)| (k.to_string(), v.to_string())).collect(),
        primary_key: if connector == "upsert-kafka" { vec!["id".into()] } else { Vec::new() },
        declared: Some(Arc::new(Schema::new(declared))),
        ..Default::default()
    }
}

type Row = (Change, &'static str, Option<i32>);

const ROWS: [Row; 6] = [
    (Change::Insert, "a", Some(1)),
    (Change::Insert, "b", None),
    (Change::UpdateBefore, "a", Some(1)),
    (Change::UpdateAfter, "a", Some(2)),
    (Change::Delete, "b", None),
    (Change::Insert, "c,\"ä", Some(-3)),
];

fn batch(rows: &[Row], changelog: &Changelog) -> RecordBatch {
    let mut fields = schema().fields().to_vec();
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|row| Some(row.1)).collect::<StringArray>()),
        Arc::new(rows.iter().map(|row| row.2).collect::<Int32Array>()),
    ];
    if !changelog.is_append() {
        fields.push(Arc::new(Field::new(CHANGE, DataType::Int8, false)));
        columns.push(Arc::new(rows.iter().map(|row| Some(row.0 as i8)).collect::<Int8Array>()));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

fn write_to(table: &Table, rows: &RecordBatch, context: &TaskContext) {
    let columns: Vec<usize> =
        (0..rows.num_columns()).filter(|place| rows.schema().field(*place).name() != CHANGE).collect();
    let schema = Arc::new(rows.schema().project(&columns).unwrap());
    write(&*Kafka.sink(table, schema, context).unwrap(), rows);
}

/// Rows as Flink's print connector shows them.
fn texts(rows: &RecordBatch) -> Vec<String> {
    let changes = rows.column_by_name(CHANGE).map(|changes| changes.as_primitive::<Int8Type>().clone());
    let width = rows.num_columns() - usize::from(changes.is_some());
    let text = |row: usize| {
        let mark = match changes.as_ref().and_then(|changes| Change::of(changes.value(row))) {
            None | Some(Change::Insert) => "+I",
            Some(Change::UpdateBefore) => "-U",
            Some(Change::UpdateAfter) => "+U",
            Some(Change::Delete) => "-D",
        };
        let value = |column: &ArrayRef| match column.is_null(row) {
            true => "null".to_string(),
            false => array_value_to_string(column, row).unwrap(),
        };
        format!("{mark}[{}]", rows.columns()[..width].iter().map(value).collect::<Vec<_>>().join(", "))
    };
    (0..rows.num_rows()).map(text).collect()
}

/// Reads to the end, at most two records at a time, each time with a reader restored from where the last one stood.
fn read_with_restores(source: &dyn Source) -> Vec<String> {
    let (mut shown, mut positions): (Vec<String>, Option<Vec<Value>>) = (Vec::new(), None);
    loop {
        let mut reader = source.reader(assigned(source, positions.take())).unwrap();
        loop {
            match reader.poll(2).unwrap() {
                Polled::Batch { rows, .. } => {
                    assert!(rows.num_rows() <= 4, "a change is two rows at most");
                    shown.extend(texts(&rows));
                    break;
                }
                Polled::Finished => return shown,
                Polled::Ended { .. } | Polled::Pending => {}
                Polled::PendingFor { ms } => std::thread::sleep(std::time::Duration::from_millis(ms)),
            }
        }
        positions = Some(reader.positions());
    }
}

fn check(connector: &str, options: &[(&str, &str)], rows: &[Row], changelog: Changelog, expected: &[&str]) {
    let broker = broker();
    for guarantee in ["at-least-once", "exactly-once"] {
        let topic = broker.topic(1);
        let more = [("sink.delivery-guarantee", guarantee), ("scan.bounded.mode", "latest-offset")];
        let table = table(&broker, connector, &topic, &[options, &more].concat());
        let context = TaskContext { changelog: changelog.clone(), ..context(&topic) };
        write_to(&table, &batch(rows, &changelog), &context);
        let source = Kafka.source(&table, schema(), &context).unwrap();
        assert_eq!(read_with_restores(&*source), expected, "{options:?}, {guarantee}");
    }
}

#[test]
#[ignore = "needs a Kafka broker: TIDEMILL_KAFKA"]
fn changes_by_key_come_back_with_their_tombstones() {
    let expected = ["+U[a, 1]", "+U[b, null]", "+U[a, 2]", "-D[b, null]", "+U[c,\"ä, -3]"];
    let upserts = || Changelog::Upsert { key: vec![0] };
    for (key, value) in [("json", "json"), ("raw", "json"), ("avro", "avro"), ("csv", "avro"), ("raw", "csv")] {
        for fields in ["ALL", "EXCEPT_KEY"] {
            let mut options = vec![("key.format", key), ("value.format", value), ("value.fields-include", fields)];
            if value == "csv" {
                options.push(("value.csv.null-literal", "-"));
            }
            check("upsert-kafka", &options, &ROWS, upserts(), &expected);
        }
    }
}

#[test]
#[ignore = "needs a Kafka broker: TIDEMILL_KAFKA"]
fn changes_come_back_as_debezium_tells_them() {
    let expected = ["+I[a, 1]", "+I[b, null]", "-D[a, 1]", "+I[a, 2]", "-D[b, null]", "+I[c,\"ä, -3]"];
    check("kafka", &[("format", "debezium-json")], &ROWS, Changelog::Retract, &expected);
}

#[test]
#[ignore = "needs a Kafka broker: TIDEMILL_KAFKA"]
fn rows_that_stay_come_back_in_every_format() {
    let rows = [ROWS[0], ROWS[1], ROWS[3], ROWS[5]];
    let expected = ["+I[a, 1]", "+I[b, null]", "+I[a, 2]", "+I[c,\"ä, -3]"];
    for options in [
        &[("format", "json")][..],
        &[("format", "csv"), ("csv.null-literal", "-")],
        &[("format", "avro")],
        &[("value.format", "avro"), ("key.format", "avro"), ("key.fields", "id;n")],
        &[("value.format", "avro"), ("key.format", "raw"), ("key.fields", "id")],
    ] {
        check("kafka", options, &rows, Changelog::Append, &expected);
    }
}

#[test]
#[ignore = "needs a Kafka broker: TIDEMILL_KAFKA"]
fn a_raw_value_is_its_bytes_and_null_is_no_value() {
    let broker = broker();
    let topic = broker.topic(1);
    let options = [("format", "raw"), ("scan.bounded.mode", "latest-offset")];
    let table = table(&broker, "kafka", &topic, &options);
    let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a\nä"), None, Some("")]));
    let rows = RecordBatch::try_from_iter_with_nullable([("line", texts, true)]).unwrap();
    write_to(&table, &rows, &context(&topic));
    let source = Kafka.source(&table, rows.schema(), &context(&topic)).unwrap();
    assert_eq!(read_with_restores(&*source), ["+I[a\nä]", "+I[null]", "+I[]"]);
}

#[test]
#[ignore = "needs a Kafka broker: TIDEMILL_KAFKA"]
fn a_fixed_partitioner_puts_what_a_thread_writes_into_one_partition() {
    let broker = broker();
    for guarantee in ["at-least-once", "exactly-once"] {
        let topic = broker.topic(4);
        let options = [("format", "json"), ("sink.partitioner", "fixed"), ("sink.delivery-guarantee", guarantee)];
        let table = table(&broker, "kafka", &topic, &options);
        write_to(&table, &batch(&ROWS, &Changelog::Append), &context(&topic));
        assert_eq!(broker.visible(&topic).len(), ROWS.len(), "thread 0 writes to partition 0");
    }
}
