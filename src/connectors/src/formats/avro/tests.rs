//! What bytes a row becomes, and that rows come back.

use arrow::array::{
    ArrayRef, Decimal128Array, Int8Array, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray,
};
use arrow_schema::{DataType, Fields, Schema, TimeUnit};
use tidemill_plan::nested::{array, map};

use super::*;
use crate::formats::json::decoder::Decoder;
use crate::formats::json::{JsonOptions, encoder::Encoder};

const STANDARD: AvroOptions = AvroOptions { timestamps: Timestamps::Standard };

/// A table with columns that are declared so, and its columns as the engine has them.
fn table(declared: Vec<Field>) -> (Table, SchemaRef) {
    let columns: Vec<Field> = declared
        .iter()
        .map(|field| field.clone().with_data_type(plain(field.data_type())).with_nullable(true))
        .collect();
    let table = Table { name: "t".into(), declared: Some(Arc::new(Schema::new(declared))), ..Default::default() };
    (table, Arc::new(Schema::new(columns)))
}

/// The type as the engine has it: all may be NULL, and timestamps have milliseconds.
fn plain(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Struct(fields) => {
            let plain = |field: &Arc<Field>| (field.name().clone(), plain(field.data_type()));
            tidemill_plan::nested::row(fields.iter().map(plain))
        }
        DataType::List(element) => array(plain(element.data_type())),
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Millisecond, zone.clone()),
        other => other.clone(),
    }
}

fn encoded(table: &Table, schema: &SchemaRef, rows: &RecordBatch, options: AvroOptions) -> Vec<Vec<u8>> {
    let encoder = AvroEncoder::new(table, schema, (0..schema.fields().len()).collect(), options).unwrap();
    let encoded = encoder.rows(rows).unwrap();
    let datum = |row| {
        let mut out = Vec::new();
        encoded.write(row, &mut out);
        out
    };
    (0..rows.num_rows()).map(datum).collect()
}

fn decoded(
    table: &Table,
    schema: &SchemaRef,
    datums: &[Option<&[u8]>],
    options: AvroOptions,
) -> std::result::Result<RecordBatch, String> {
    let mut decoder = AvroDecoder::new(table, schema.clone(), options, 16).map_err(|problem| problem.message)?;
    let decoded = decoder.decode_noting(datums.iter().copied(), |_| {});
    decoded.map_err(|bad| format!("{}: {}", bad.index, bad.reason))
}

fn orders() -> (Table, SchemaRef) {
    table(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("name", DataType::Utf8, true),
        Field::new("at", DataType::Timestamp(TimeUnit::Millisecond, None), true),
        Field::new("price", DataType::Decimal128(5, 2), true),
        Field::new("tiny", DataType::Int8, false),
    ])
}

/// What the specification makes of the rows below.
const ONE: &[u8] = &[0x0e, 0x02, 0x04, b'a', b'b', 0x02, 0x02, 0x02, 0x04, 0x00, 0x96, 0x03];
const TWO: &[u8] = &[0x01, 0x00, 0x00, 0x00, 0x00];

fn rows(schema: &SchemaRef) -> RecordBatch {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![7, -1])),
        Arc::new(StringArray::from(vec![Some("ab"), None])),
        Arc::new(TimestampMillisecondArray::from(vec![Some(1), None])),
        Arc::new(Decimal128Array::from(vec![Some(150), None]).with_precision_and_scale(5, 2).unwrap()),
        Arc::new(Int8Array::from(vec![-2, 0])),
    ];
    RecordBatch::try_new(schema.clone(), columns).unwrap()
}

#[test]
fn a_row_is_one_datum_with_unions_where_it_may_be_null() {
    let (table, schema) = orders();
    let rows = rows(&schema);
    assert_eq!(encoded(&table, &schema, &rows, AvroOptions::default()), [ONE, TWO]);
    let longer = [ONE, &[1, 2, 3]].concat();
    let datums = [Some(longer.as_slice()), None, Some(TWO)];
    assert_eq!(decoded(&table, &schema, &datums, AvroOptions::default()).unwrap(), rows);
}

#[test]
fn what_is_no_datum_fails_and_leaves_nothing_behind() {
    let (table, schema) = orders();
    let mut decoder = AvroDecoder::new(&table, schema.clone(), AvroOptions::default(), 16).unwrap();
    let half = [Some(ONE), Some(&ONE[..5])];
    let bad = decoder.decode_noting(half.into_iter(), |_| {}).unwrap_err();
    assert_eq!(bad.index, 1, "{}", bad.reason);
    let several = [ONE, b"\0tidemill", TWO].concat();
    let bad = decoder.decode_noting([Some(several.as_slice())].into_iter(), |_| {}).unwrap_err();
    assert!(bad.reason.contains("several"), "{}", bad.reason);
    let open = [ONE, b"\0tidemill"].concat();
    let bad = decoder.decode_noting([Some(open.as_slice()), Some(TWO)].into_iter(), |_| {}).unwrap_err();
    assert!(bad.reason.contains("the record before it"), "{}", bad.reason);
    for wrong in [&[][..], &[0x0e, 0x04, 0x00][..], &[0x0e, 0x02, 0x01][..]] {
        assert!(decoder.decode_noting([Some(wrong)].into_iter(), |_| {}).is_err(), "{wrong:?}");
    }
    let tiny = [&ONE[..11], &[0x80, 0x02]].concat();
    let bad = decoder.decode_noting([Some(tiny.as_slice())].into_iter(), |_| {}).unwrap_err();
    assert!(bad.reason.contains("128"), "{}", bad.reason);
    assert_eq!(decoder.decode_noting([Some(TWO)].into_iter(), |_| {}).unwrap(), rows(&schema).slice(1, 1));
}

#[test]
fn columns_of_every_type_come_back() {
    let micros = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let inner =
        Fields::from(vec![Field::new("n", DataType::Int32, false), Field::new("of", array(DataType::Utf8), true)]);
    let (table, schema) = table(vec![
        Field::new("yes", DataType::Boolean, true),
        Field::new("small", DataType::Int16, true),
        Field::new("number", DataType::Int32, true),
        Field::new("single", DataType::Float32, true),
        Field::new("double", DataType::Float64, true),
        Field::new("day", DataType::Date32, true),
        Field::new("hour", DataType::Time32(TimeUnit::Millisecond), true),
        Field::new("local", DataType::Timestamp(TimeUnit::Millisecond, None), true),
        Field::new("instant", micros, true),
        Field::new("row", DataType::Struct(inner), true),
        Field::new("rest", array(DataType::Int64), false),
        Field::new("map", map(DataType::Utf8, DataType::Float64), true),
    ]);
    let texts = [
        r#"{"yes":true,"small":-3,"number":4,"single":1.5,"double":-2.25,"day":"1969-12-31","hour":"23:59:59.123",
            "local":"1969-12-31 23:59:59.999","instant":"2026-01-02 03:04:05.678Z","row":{"n":1,"of":["a",null]},
            "rest":[1,null],"map":{"a":1.0,"b":null}}"#,
        r#"{"rest":[],"row":{"n":2}}"#,
    ];
    // JSON's decoder makes the rows, and its encoder shows them.
    let mut json = Decoder::new(&table, schema.clone(), JsonOptions::default(), 16).unwrap();
    let rows = json.decode(texts.iter().map(|text| text.as_bytes())).unwrap();
    let datums = encoded(&table, &schema, &rows, STANDARD);
    let datums: Vec<Option<&[u8]>> = datums.iter().map(|datum| Some(datum.as_slice())).collect();
    let back = decoded(&table, &schema, &datums, STANDARD).unwrap();
    assert_eq!(shown(&back), shown(&rows));
    assert_eq!(back.schema(), schema);
}

fn shown(rows: &RecordBatch) -> Vec<String> {
    let encoder = Encoder::new(&rows.schema(), (0..rows.num_columns()).collect(), JsonOptions::default());
    let mut encoded = encoder.rows(rows).unwrap();
    let line = |row| {
        let mut out = Vec::new();
        encoded.write(row, &mut out);
        String::from_utf8(out).unwrap()
    };
    (0..rows.num_rows()).map(line).collect()
}

#[test]
fn the_schema_is_the_one_that_flink_derives() {
    let inner = Fields::from(vec![Field::new("n", DataType::Int32, false)]);
    let (table, schema) =
        table(vec![Field::new("id", DataType::Int64, false), Field::new("row", DataType::Struct(inner), true)]);
    let text = schema_text(&table, &declared(&table, &schema).unwrap(), AvroOptions::default()).unwrap();
    let expected = r#"{"type":"record","name":"org.apache.flink.avro.generated.record","fields":[
        {"name":"id","type":"long"},
        {"name":"row","default":null,"type":["null",{"type":"record","name":"org.apache.flink.avro.generated.record_row",
            "fields":[{"name":"n","type":"int"}]}]}]}"#;
    let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(parsed(&text), parsed(expected));
}

#[test]
fn columns_that_have_no_form_are_refused() {
    let refusal = |field: Field, options| {
        let (table, schema) = table(vec![field]);
        AvroDecoder::new(&table, schema, options, 1).err().map(|problem| problem.message).unwrap_or_default()
    };
    let instant = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    assert!(refusal(Field::new("t", instant, true), AvroOptions::default()).contains("TIMESTAMP_LTZ"));
    let fine = |unit| Field::new("t", DataType::Timestamp(unit, None), true);
    assert!(refusal(fine(TimeUnit::Microsecond), AvroOptions::default()).contains("finer"));
    assert_eq!(refusal(fine(TimeUnit::Microsecond), STANDARD), "");
    assert!(refusal(fine(TimeUnit::Nanosecond), STANDARD).contains("finer"));
    assert!(refusal(Field::new("a-b", DataType::Int32, true), STANDARD).contains("`a-b` is no name"));
    assert!(refusal(Field::new("m", map(DataType::Int32, DataType::Int32), true), STANDARD).contains("no STRING"));
}
