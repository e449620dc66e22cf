//! What records say of rows, and how rows become records.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray};
use arrow_schema::{DataType, Field, Schema};

use super::*;
use crate::print::text::lines;

fn table(connector: &str, options: &[(&str, &str)]) -> Table {
    let always = [("topic", "t"), ("properties.bootstrap.servers", "b:9092")];
    let options = always.iter().chain(options).map(|(k, v)| (k.to_string(), v.to_string())).collect();
    Table {
        name: "t".into(),
        connector: connector.into(),
        options,
        primary_key: vec!["id".into()],
        ..Default::default()
    }
}

fn upserts(options: &[(&str, &str)]) -> Table {
    table("upsert-kafka", &[&[("key.format", "json"), ("value.format", "json")], options].concat())
}

fn debezium(options: &[(&str, &str)]) -> Table {
    table("kafka", &[&[("format", "debezium-json")], options].concat())
}

fn schema() -> SchemaRef {
    let fields = vec![Field::new("name", DataType::Utf8, true), Field::new("id", DataType::Int64, true)];
    Arc::new(Schema::new(fields))
}

fn check(table: &Table, records: &[(Option<&'static str>, Option<&'static str>)], expected: &[&str]) {
    let options = KafkaOptions::read(table).unwrap();
    let mut decoder = RecordDecoder::new(table, schema(), &options, 16).unwrap();
    let part = |text: &Option<&'static str>| text.map(str::as_bytes);
    let rows = decoder.decode(records.iter().map(|(key, value)| Record { key: part(key), value: part(value) }), |_| {});
    let found = match rows {
        Ok(rows) => lines("", &rows).unwrap().lines().map(|line| line[2..].to_string()).collect(),
        Err(bad) => vec![format!("{}: {}", bad.index, bad.reason)],
    };
    assert_eq!(found, expected);
}

const ONE: Option<&str> = Some(r#"{"id":1}"#);

#[test]
fn a_record_without_value_deletes_its_key() {
    let records = [(ONE, Some(r#"{"id":1,"name":"a"}"#)), (ONE, None), (Some(r#"{"id":2}"#), Some(r#"{"name":"b"}"#))];
    check(&upserts(&[]), &records, &["+U[a, 1]", "-D[null, 1]", "+U[b, 2]"]);
    check(&upserts(&[("value.fields-include", "EXCEPT_KEY")]), &records[1..], &["-D[null, 1]", "+U[b, 2]"]);
}

#[test]
fn what_has_no_key_or_cannot_be_read_fails_or_is_skipped() {
    let records = [(ONE, None), (None, Some("{}")), (ONE, Some("x")), (Some("y"), Some("{}")), (ONE, Some("{}"))];
    check(&upserts(&[]), &records[..2], &["1: it has no key"]);
    check(&upserts(&[("json.ignore-parse-errors", "true")]), &records, &["-D[null, 1]", "+U[null, 1]"]);
}

#[test]
fn debezium_tells_of_rows_before_and_after() {
    let records = [
        (None, Some(r#"{"before":null,"after":{"id":1,"name":"a"},"op":"c","ts_ms":5}"#)),
        (None, None),
        (None, Some(r#"{"op":"u","before":{"id":1,"name":"a"},"after":{"id":1,"name":"b"},"source":{"x":[]}}"#)),
        (None, Some(r#"{"before":{"id":1,"name":"b"},"op":"d"}"#)),
    ];
    check(&debezium(&[]), &records, &["+I[a, 1]", "-U[a, 1]", "+U[b, 1]", "-D[b, 1]"]);
    let wrapped = [(None, Some(r#"{"schema":{},"payload":{"after":{"id":7},"op":"r"}}"#))];
    check(&debezium(&[("debezium-json.schema-include", "true")]), &wrapped, &["+I[null, 7]"]);
}

#[test]
fn debezium_without_the_row_before_is_refused() {
    let records =
        [(None, Some(r#"{"after":{"id":1},"op":"c"}"#)), (None, Some(r#"{"before":null,"after":{"id":1},"op":"u"}"#))];
    let refused = "1: it has no `before`; have the database tell whole rows (REPLICA IDENTITY FULL)";
    check(&debezium(&[]), &records, &[refused]);
    check(&debezium(&[("debezium-json.ignore-parse-errors", "true")]), &records, &["+I[null, 1]"]);
}

fn written(table: &Table) -> Vec<String> {
    let names: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), Some("a"), Some("b"), None]));
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 1, 1, 1]));
    let rows = RecordBatch::try_new(schema(), vec![names, ids]).unwrap();
    let rows = with_changes(&rows, vec![0, 1, 2, 3]).unwrap();
    let encoder = RecordEncoder::new(table, &schema(), &KafkaOptions::read(table).unwrap()).unwrap();
    let mut records = Vec::new();
    let text = |write: Option<encode::Write<'_>>| {
        write.map_or("none".to_string(), |write| {
            let mut out = Vec::new();
            write(&mut out);
            String::from_utf8(out).unwrap()
        })
    };
    encoder
        .each(&rows, |_, key, value| {
            records.push(format!("{} {}", text(key), text(value)));
            Ok(())
        })
        .unwrap();
    records
}

#[test]
fn changes_are_written_by_key() {
    let expected = [r#"{"id":1} {"name":"a","id":1}"#, r#"{"id":1} {"name":"b","id":1}"#, r#"{"id":1} none"#];
    assert_eq!(written(&upserts(&[])), expected);
}

#[test]
fn changes_are_written_as_debezium_does() {
    let written = written(&debezium(&[]));
    assert_eq!(written[1], r#"none {"before":{"name":"a","id":1},"after":null,"op":"d"}"#);
    assert_eq!(written[2], r#"none {"before":null,"after":{"name":"b","id":1},"op":"c"}"#);
    assert_eq!(written.len(), 4);
}

#[test]
fn options_that_do_not_go_with_keys_are_refused() {
    for (name, value) in [("format", "json"), ("scan.startup.mode", "latest-offset"), ("key.fields", "id")] {
        let problem = KafkaOptions::read(&upserts(&[(name, value)])).unwrap_err();
        assert!(problem.message.contains(name), "{}", problem.message);
    }
    let keyless = Table { primary_key: Vec::new(), ..upserts(&[]) };
    assert!(KafkaOptions::read(&keyless).unwrap_err().message.contains("no primary key"));
}

#[test]
fn a_raw_record_is_one_value_and_null_is_none() {
    let table = Table { primary_key: Vec::new(), ..table("kafka", &[("format", "raw")]) };
    let options = KafkaOptions::read(&table).unwrap();
    let text: SchemaRef = Arc::new(Schema::new(vec![Field::new("line", DataType::Utf8, true)]));
    let mut decoder = RecordDecoder::new(&table, text.clone(), &options, 16).unwrap();
    let values = [Some(b"a,\"".as_slice()), None, Some(b"")];
    let rows = decoder.decode(values.into_iter().map(|value| Record { key: None, value }), |_| {}).unwrap();
    assert_eq!(lines("", &rows).unwrap(), "> +I[a,\"]\n> +I[null]\n> +I[]\n");
    let mut written = Vec::new();
    let encoder = RecordEncoder::new(&table, &text, &options).unwrap();
    encoder
        .each(&rows, |_, _, value| {
            written.push(value.map(|write| {
                let mut out = Vec::new();
                write(&mut out);
                out
            }));
            Ok(())
        })
        .unwrap();
    assert_eq!(written, values.map(|value| value.map(<[u8]>::to_vec)));
    let bad = [Some([0xff].as_slice())].into_iter().map(|value| Record { key: None, value });
    assert!(decoder.decode(bad, |_| {}).unwrap_err().reason.contains("UTF-8"));
    assert!(RecordDecoder::new(&table, schema(), &options, 16).err().unwrap().message.contains("one column"));
}

/// The table with these columns of metadata.
fn telling(table: Table, metadata: &[(&str, &str, DataType)]) -> (Table, SchemaRef) {
    let (mut table, mut fields) = (table, schema().fields().to_vec());
    for (name, key, data_type) in metadata {
        table.metadata.insert(name.to_string(), key.to_string());
        fields.push(Arc::new(Field::new(*name, data_type.clone(), true)));
    }
    (table, Arc::new(Schema::new(fields)))
}

#[test]
fn debezium_tells_where_a_change_comes_from() {
    let ltz = DataType::Timestamp(arrow_schema::TimeUnit::Millisecond, Some("UTC".into()));
    let metadata = [
        ("captured", "value.ingestion-timestamp", ltz.clone()),
        ("made", "value.source.timestamp", ltz),
        ("db", "value.source.database", DataType::Utf8),
        ("of", "value.source.properties", tidemill_plan::nested::map(DataType::Utf8, DataType::Utf8)),
        ("form", "value.schema", DataType::Utf8),
    ];
    let (table, schema) = telling(debezium(&[("debezium-json.schema-include", "true")]), &metadata);
    let mut decoder = RecordDecoder::new(&table, schema, &KafkaOptions::read(&table).unwrap(), 16).unwrap();
    let source = r#"{"db":"shop","ts_ms":1500,"x":null}"#;
    let update = format!(
        r#"{{"schema":{{"v":1}},"payload":{{"before":{{"id":1}},"after":{{"id":2}},"op":"u","ts_ms":7,"source":{source}}}}}"#
    );
    let bare = r#"{"payload":{"after":{"id":3},"op":"c"}}"#.to_string();
    let of_nothing = r#"{"payload":{"after":{"id":3},"op":"c","source":5}}"#.to_string();
    let records =
        |texts: &'static [String]| texts.iter().map(|text| Record { key: None, value: Some(text.as_bytes()) });
    let mut of = Vec::new();
    let rows = decoder.decode(records(vec![update, bare].leak()), |index| of.push(index)).unwrap();
    let told = "1970-01-01T00:00:00.007Z, 1970-01-01T00:00:01.500Z, shop, {db=shop, ts_ms=1500, x=null}, {\"v\":1}";
    let expected =
        format!("> -U[null, 1, {told}]\n> +U[null, 2, {told}]\n> +I[null, 3, null, null, null, null, null]\n");
    assert_eq!((lines("", &rows).unwrap(), of), (expected, vec![0, 0, 1]));
    let bad = decoder.decode(records(vec![of_nothing].leak()), |_| {}).unwrap_err();
    assert!(bad.reason.contains("its `source` is no object"), "{}", bad.reason);
}

#[test]
fn time_and_headers_are_written_beside_key_and_value() {
    let ltz = DataType::Timestamp(arrow_schema::TimeUnit::Millisecond, Some("UTC".into()));
    let headers = tidemill_plan::nested::map(DataType::Utf8, DataType::Binary);
    let plain = Table { primary_key: Vec::new(), ..table("kafka", &[("format", "csv")]) };
    let (table, schema) = telling(plain, &[("at", "timestamp", ltz), ("h", "headers", headers)]);
    let mut maps = arrow::array::MapBuilder::new(
        Some(arrow::array::MapFieldNames { entry: "entries".into(), key: "keys".into(), value: "values".into() }),
        arrow::array::StringBuilder::new(),
        arrow::array::BinaryBuilder::new(),
    );
    maps.keys().append_value("a");
    maps.values().append_null();
    maps.append(true).unwrap();
    maps.append(false).unwrap();
    let written = |times: Vec<Option<i64>>| {
        let times = arrow::array::TimestampMillisecondArray::from(times).with_timezone("UTC");
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(vec!["x", "y"])),
            Arc::new(Int64Array::from(vec![1, 2])),
            Arc::new(times),
            Arc::new(maps.finish_cloned()),
        ];
        let rows = RecordBatch::try_new(schema.clone(), columns).unwrap();
        let encoder = RecordEncoder::new(&table, &schema, &KafkaOptions::read(&table).unwrap()).unwrap();
        let mut written = Vec::new();
        let done = encoder.each(&rows, |beside, _, value| {
            let mut out = Vec::new();
            value.unwrap()(&mut out);
            written.push((beside.timestamp_ms, beside.headers.clone(), String::from_utf8(out).unwrap()));
            Ok(())
        });
        done.map(|()| written)
    };
    let expected =
        vec![(Some(5), vec![("a".to_string(), None)], "x,1".to_string()), (None, Vec::new(), "y,2".to_string())];
    assert_eq!(written(vec![Some(5), None]).unwrap(), expected);
    assert!(written(vec![Some(5), Some(-1)]).unwrap_err().message.contains("-1 ms since 1970"));
}
