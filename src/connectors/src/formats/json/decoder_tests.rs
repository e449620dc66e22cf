//! What a JSON message means, and that the flat decoder agrees with arrow's.

use std::sync::Arc;

use arrow::util::pretty::pretty_format_batches;
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;

const CAREFUL: JsonOptions = JsonOptions {
    ignore_parse_errors: false,
    fail_on_missing_field: false,
    timestamps: super::super::TimestampStandard::Sql,
    ignore_null_fields: false,
};
const LENIENT: JsonOptions = JsonOptions { ignore_parse_errors: true, ..CAREFUL };

fn table() -> Table {
    Table { name: "t".into(), connector: "kafka".into(), options: Default::default(), ..Default::default() }
}

fn schema(columns: &[(&str, DataType)]) -> SchemaRef {
    Arc::new(Schema::new(columns.iter().map(|(n, t)| Field::new(*n, t.clone(), true)).collect::<Vec<_>>()))
}

fn decode(options: JsonOptions, schema: SchemaRef, messages: &[&str]) -> (Result<RecordBatch, BadMessage>, u64) {
    let mut decoder = Decoder::new(&table(), schema, options, 16).unwrap();
    let rows = decoder.decode(messages.iter().map(|message| message.as_bytes()));
    (rows, decoder.undecodable())
}

/// One column's value in text, or the reason why there is none.
fn one(data_type: DataType, value: &str) -> String {
    let message = format!(r#"{{"v":{value}}}"#);
    match decode(CAREFUL, schema(&[("v", data_type)]), &[&message]).0 {
        Ok(rows) => arrow::util::display::array_value_to_string(rows.column(0), 0).unwrap(),
        Err(bad) => format!("refused: {}", bad.reason),
    }
}

#[test]
fn values_are_converted_as_flink_does() {
    let timestamp = DataType::Timestamp(TimeUnit::Millisecond, None);
    let instant = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    for (data_type, value, expected) in [
        (DataType::Utf8, r#""a\"b""#, "a\"b"),
        (DataType::Utf8, "12.50", "12.50"),
        (DataType::Utf8, "true", "true"),
        (DataType::Utf8, r#"{"x":[1]}"#, r#"{"x":[1]}"#),
        (DataType::Utf8, "null", ""),
        (DataType::Int64, "12", "12"),
        (DataType::Int64, r#"" 12 ""#, "12"),
        (DataType::Int64, "1.9", "1"),
        (DataType::Int32, "2147483648", "refused: the field `v` is too large for the column"),
        (DataType::Int64, "{}", "refused: the field `v` is an object or array"),
        (DataType::Int64, "true", "refused: the field `v` is no whole number that fits the column"),
        (DataType::Boolean, "false", "false"),
        (DataType::Boolean, r#""TRUE""#, "true"),
        (DataType::Boolean, "1", "refused: the field `v` is no BOOLEAN"),
        (DataType::Float64, "-1.5e3", "-1500.0"),
        (DataType::Decimal128(10, 2), "1.005", "1.01"),
        (DataType::Date32, r#""2026-01-02""#, "2026-01-02"),
        (DataType::Binary, r#""AQL/""#, "0102ff"),
        (timestamp.clone(), r#""2026-01-02 03:04:05.678""#, "2026-01-02T03:04:05.678"),
        (timestamp.clone(), r#""2026-01-02T03:04:05""#, "2026-01-02T03:04:05"),
        (
            timestamp.clone(),
            r#""2026-01-02 03:04:05Z""#,
            "refused: the field `v` has a zone, so its column must be a TIMESTAMP_LTZ",
        ),
        (timestamp, "1767323045678", "refused: the field `v` is a number where a date or time in quotes was expected"),
        (instant.clone(), r#""2026-01-02T03:04:05.678Z""#, "2026-01-02T03:04:05.678Z"),
        (instant.clone(), r#""2026-01-02 05:04:05+02:00""#, "2026-01-02T03:04:05Z"),
        (
            instant,
            r#""2026-01-02 03:04:05""#,
            "refused: the field `v` has no zone, which a TIMESTAMP_LTZ needs; write a `Z` at its end",
        ),
    ] {
        assert_eq!(one(data_type.clone(), value), expected, "{data_type} from {value}");
    }
}

#[test]
fn fields_may_be_missing_unknown_doubled_escaped_and_in_any_order() {
    let columns = schema(&[("a", DataType::Int64), ("b", DataType::Utf8)]);
    let messages = [
        r#"{"a":1,"b":"x"}"#,
        r#" { "b" : "y" , "other" : {"a":9} , "a" : 2 } "#,
        r#"{"a":3}"#,
        "{}",
        r#"{"a":4,"a":5}"#,
        r#"{"\u0061":6,"b":null}"#,
        r#"{"a":1,"b":"x"}"#,
    ];
    let rows = decode(CAREFUL, columns, &messages).0.unwrap();
    let expected = "\
+---+---+
| a | b |
+---+---+
| 1 | x |
| 2 | y |
| 3 |   |
|   |   |
| 5 |   |
| 6 |   |
| 1 | x |
+---+---+";
    assert_eq!(pretty_format_batches(&[rows]).unwrap().to_string(), expected);
}

const BROKEN: [&str; 12] = [
    "{",
    "}",
    r#"{"a"}"#,
    r#"{"a":}"#,
    r#"{"a":1"#,
    r#"{"a":1,}"#,
    r#"{"a":1}{"a":2}"#,
    r#"{"a":1} x"#,
    "[1]",
    "7",
    r#"{"x":tru,"a":1}"#,
    r#"{'a':1}"#,
];

#[test]
fn a_broken_message_fails_and_is_named_by_its_place() {
    for broken in BROKEN {
        let (rows, _) = decode(CAREFUL, schema(&[("a", DataType::Int64)]), &[r#"{"a":1}"#, broken]);
        assert_eq!(rows.unwrap_err().index, 1, "{broken}");
    }
}

#[test]
fn broken_messages_are_skipped_and_counted_when_the_table_says_so() {
    let nested = DataType::List(Arc::new(Field::new("item", DataType::Int64, true)));
    // Arrow's decoder, which nested columns go through, forgives a comma too many.
    let forgiven = r#"{"a":1,}"#;
    for (columns, forgiven) in
        [(schema(&[("a", DataType::Int64)]), ""), (schema(&[("a", DataType::Int64), ("n", nested)]), forgiven)]
    {
        for broken in BROKEN.into_iter().filter(|broken| *broken != forgiven) {
            let (rows, undecodable) =
                decode(LENIENT, columns.clone(), &[r#"{"a":1}"#, broken, "", "null", r#"{"a":2}"#]);
            assert_eq!((rows.unwrap().num_rows(), undecodable), (2, 1), "{broken}");
        }
    }
}

#[test]
fn a_field_that_cannot_be_converted_is_null_and_counted_when_the_table_says_so() {
    let columns = schema(&[("a", DataType::Int64), ("b", DataType::Utf8)]);
    let (rows, undecodable) = decode(LENIENT, columns, &[r#"{"a":"x","b":"kept"}"#]);
    let rows = rows.unwrap();
    assert!(rows.column(0).is_null(0) && rows.column(1).is_valid(0));
    assert_eq!(undecodable, 1);
}

#[test]
fn a_failed_row_leaves_nothing_in_the_columns_before_it() {
    let columns = schema(&[("a", DataType::Utf8), ("b", DataType::Int64)]);
    let mut decoder = FlatDecoder::new(columns, 4).unwrap();
    let rules = FieldRules { null_for_faults: false, missing_is_fault: false };
    decoder.append(br#"{"a":"one","b":1}"#, rules).unwrap();
    decoder.append(br#"{"a":"two","b":"x"}"#, rules).unwrap_err();
    decoder.append(br#"{"a":"three","b":3}"#, rules).unwrap();
    let rows = decoder.finish().unwrap();
    assert_eq!(rows.num_rows(), 2);
    assert_eq!(arrow::util::display::array_value_to_string(rows.column(0), 1).unwrap(), "three");
}

#[test]
fn a_missing_field_fails_only_when_the_table_says_so() {
    let options = JsonOptions { fail_on_missing_field: true, ..CAREFUL };
    let columns = schema(&[("a", DataType::Int64)]);
    assert!(decode(options, columns.clone(), &[r#"{"a":null}"#]).0.is_ok());
    assert_eq!(decode(options, columns, &["{}"]).0.unwrap_err().reason, "the field `a` is missing");
}

#[test]
fn a_table_of_which_no_column_is_asked_for_still_has_rows() {
    let rows = decode(CAREFUL, schema(&[]), &[r#"{"a":1}"#, "", "{}"]).0.unwrap();
    assert_eq!(rows.num_rows(), 2);
}

#[test]
fn text_that_is_not_utf8_is_refused() {
    let mut decoder = Decoder::new(&table(), schema(&[("a", DataType::Utf8)]), CAREFUL, 4).unwrap();
    let bad = decoder.decode([b"{\"a\":\"\xff\"}".as_slice()].into_iter()).unwrap_err();
    assert_eq!(bad.reason, "the field `a` is not valid UTF-8");
}

/// Random messages, written by serde_json, must come out of both decoders alike. `TIDEMILL_SEED` repeats a run.
#[test]
fn the_flat_decoder_agrees_with_arrow() {
    let seed = std::env::var("TIDEMILL_SEED").map_or_else(|_| rand::rng().random(), |seed| seed.parse().unwrap());
    println!("TIDEMILL_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let columns = schema(&[
        ("text", DataType::Utf8),
        ("long", DataType::Int64),
        ("int", DataType::Int32),
        ("double", DataType::Float64),
        ("flag", DataType::Boolean),
        ("at", DataType::Timestamp(TimeUnit::Millisecond, None)),
        ("day", DataType::Date32),
        ("row", row()),
    ]);
    for _ in 0..300 {
        let messages: Vec<Vec<u8>> = (0..random.random_range(1..40)).map(|_| message(&mut random)).collect();
        let slices: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
        let flat = Decoder::new(&table(), columns.clone(), CAREFUL, 8).unwrap().decode(slices.iter().copied()).unwrap();
        let arrow = NestedDecoder::new(columns.clone(), 64, false).unwrap().decode(&slices).unwrap();
        assert_eq!(flat, arrow, "seed {seed}");
    }
}

fn message(random: &mut StdRng) -> Vec<u8> {
    let mut fields: Vec<(&str, serde_json::Value)> = vec![
        ("text", text(random).into()),
        ("long", random.random::<i64>().into()),
        ("int", random.random::<i32>().into()),
        ("double", (random.random::<i32>() as f64 / 1024.0).into()),
        ("flag", random.random::<bool>().into()),
        ("at", timestamp(random).into()),
        ("day", timestamp(random)[..10].into()),
        ("unread", serde_json::json!({"a": [1, "]", {"b": null}], "c": text(random)})),
        ("more", text(random).into()),
        ("row", row_of(random)),
    ];
    fields.retain(|_| random.random_range(0..8) > 0);
    if random.random_range(0..4) == 0 {
        let places = (random.random_range(0..fields.len().max(1)), random.random_range(0..fields.len().max(1)));
        if fields.len() > 1 {
            fields.swap(places.0, places.1);
        }
    }
    for (name, value) in &mut fields {
        if *name != "unread" && random.random_range(0..10) == 0 {
            *value = serde_json::Value::Null;
        }
    }
    let space = if random.random_range(0..3) == 0 { " " } else { "" };
    let fields: Vec<String> = fields.iter().map(|(name, value)| format!("\"{name}\"{space}:{space}{value}")).collect();
    format!("{space}{{{space}{}{space}}}{space}", fields.join(&format!("{space},{space}"))).into_bytes()
}

/// A row of a text and of a row of a number.
fn row() -> DataType {
    let inner = DataType::Struct(vec![Field::new("number", DataType::Int64, true)].into());
    DataType::Struct(vec![Field::new("text", DataType::Utf8, true), Field::new("inner", inner, true)].into())
}

fn row_of(random: &mut StdRng) -> serde_json::Value {
    let inner = [serde_json::json!({"number": random.random::<i64>()}), serde_json::json!({}), serde_json::Value::Null];
    let inner = inner[random.random_range(0..3)].clone();
    match random.random_range(0..3) {
        0 => serde_json::json!({"inner": inner}),
        1 => serde_json::json!({"inner": inner, "unread": [{"text": 1}], "text": text(random)}),
        _ => serde_json::json!({"text": text(random), "number": 7}),
    }
}

fn text(random: &mut StdRng) -> String {
    const PIECES: [&str; 8] = ["a", "page/12", "\"", "\\", "\n", "é", "😀", "longer than eight bytes"];
    (0..random.random_range(0..6)).map(|_| PIECES[random.random_range(0..PIECES.len())]).collect()
}

fn timestamp(random: &mut StdRng) -> String {
    let mut out = Vec::new();
    crate::formats::time::write_date_time(&mut out, random.random_range(0..4_000_000_000), b' ');
    crate::formats::time::write_fraction(&mut out, random.random_range(0..1000u32) * 1_000_000);
    String::from_utf8(out).unwrap()
}

#[test]
fn rows_arrays_and_maps_are_read() {
    let row =
        DataType::Struct(vec![Field::new("x", DataType::Int64, true), Field::new("y", DataType::Utf8, true)].into());
    let array = DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)));
    let entries = vec![Field::new("keys", DataType::Utf8, false), Field::new("values", DataType::Int64, true)];
    let map = DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries.into()), false)), false);
    for (data_type, value, expected) in [
        (row.clone(), r#"{"y":"b","x":7,"z":[]}"#, "{x: 7, y: b}"),
        (row.clone(), r#"{"x":null}"#, "{x: , y: }"),
        (row, "null", ""),
        (array, r#"["a",null]"#, "[a, ]"),
        (map, r#"{"k":1,"l":null}"#, "{k: 1, l: }"),
    ] {
        assert_eq!(one(data_type, value), expected, "{value}");
    }
}

#[test]
fn a_later_row_of_the_same_name_replaces_an_earlier_one() {
    for (value, expected) in [
        (r#"{"text":"a","inner":{"number":1}},"v":{"text":"b"}"#, "{text: b, inner: }"),
        (r#"{"inner":{"number":1},"inner":{}}"#, "{text: , inner: {number: }}"),
        (r#"{"text":"a"},"v":null"#, ""),
        (r#"{"inner":[]}"#, "refused: the field `v.inner` is no object"),
        (r#"{"inner":{"number":"x"}}"#, "refused: the field `v.inner.number` is no whole number that fits the column"),
    ] {
        assert_eq!(one(row(), value), expected, "{value}");
    }
}

#[test]
fn faults_within_rows_follow_the_tables_rules() {
    let columns = schema(&[("v", row()), ("after", DataType::Int64)]);
    let messages = [r#"{"v":{"inner":7,"text":"kept"},"after":1}"#, r#"{"v":"x","after":2}"#];
    let (rows, undecodable) = decode(LENIENT, columns.clone(), &messages);
    let shown = arrow::util::display::array_value_to_string;
    let rows = rows.unwrap();
    assert_eq!(shown(rows.column(0), 0).unwrap(), "{text: kept, inner: }");
    assert!(rows.column(0).is_null(1));
    assert_eq!((shown(rows.column(1), 1).unwrap().as_str(), undecodable), ("2", 2));
    let strict = JsonOptions { fail_on_missing_field: true, ..CAREFUL };
    let reason = |message: &str| decode(strict, columns.clone(), &[message]).0.unwrap_err().reason;
    assert_eq!(reason(r#"{"v":{"inner":null},"after":1}"#), "the field `v.text` is missing");
    assert_eq!(reason(r#"{"v":{"text":"a"},"after":1}"#), "the field `v.inner` is missing");
    assert!(decode(strict, columns.clone(), &[r#"{"v":null,"after":1}"#]).0.is_ok());
}

#[test]
fn bytes_beside_arrays_are_refused() {
    let array = DataType::List(Arc::new(Field::new_list_field(DataType::Binary, true)));
    let refused = Decoder::new(&table(), schema(&[("r", array)]), CAREFUL, 16).err().unwrap();
    assert!(refused.message.contains("BYTES"), "{}", refused.message);
}
