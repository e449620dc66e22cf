//! What a line means, and what a row becomes.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::util::display::array_value_to_string;
use arrow_schema::{Field, Schema, TimeUnit};

use super::*;

fn table(options: &[(&str, &str)]) -> Table {
    let options = options.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    Table { name: "t".into(), connector: "kafka".into(), options, ..Default::default() }
}

fn schema() -> SchemaRef {
    let timestamp = DataType::Timestamp(TimeUnit::Millisecond, None);
    let columns = [("a", DataType::Int64), ("b", DataType::Utf8), ("c", timestamp)];
    Arc::new(Schema::new(columns.map(|(name, data_type)| Field::new(name, data_type, true)).to_vec()))
}

fn decode(options: &[(&str, &str)], lines: &[&str]) -> std::result::Result<RecordBatch, String> {
    let table = table(options);
    let options = CsvOptions::read(&Options::new(&table)).map_err(|problem| problem.message)?;
    let mut decoder = CsvDecoder::new(&table, schema(), options, 4).map_err(|problem| problem.message)?;
    decoder.decode(lines.iter().map(|line| line.as_bytes())).map_err(|bad| format!("{}: {}", bad.index, bad.reason))
}

/// Each row in text, or the reason why there are none.
fn check_read(options: &[(&str, &str)], lines: &[&str], expected: &[&str]) {
    let show = |rows: RecordBatch| {
        let cell = |column: usize, row: usize| match rows.column(column).is_null(row) {
            true => "NULL".to_string(),
            false => array_value_to_string(rows.column(column), row).unwrap(),
        };
        (0..rows.num_rows()).map(|row| [cell(0, row), cell(1, row), cell(2, row)].join("|")).collect::<Vec<_>>()
    };
    assert_eq!(decode(options, lines).map_or_else(|reason| vec![reason], show), expected);
}

#[test]
fn fields_are_found_by_their_places() {
    let lines = ["1,x,2026-01-02 03:04:05\r\n", "", " 2 ,\"y, \"\"z\"\"\",\"2026-01-02 03:04:05.5\""];
    check_read(&[], &lines, &["1|x|2026-01-02T03:04:05", "2|y, \"z\"|2026-01-02T03:04:05.500"]);
    let options = [("csv.field-delimiter", "\\t"), ("csv.null-literal", "-"), ("csv.disable-quote-character", "true")];
    check_read(&options, &["1\t\"\t-"], &["1|\"|NULL"]);
}

#[test]
fn bad_lines_fail_or_are_mended_as_the_table_says() {
    let lenient = [("csv.ignore-parse-errors", "true")];
    let short = "1: the line has 2 fields, and the table 3 columns";
    check_read(&[], &["1,x,2026-01-02 03:04:05", "2,y"], &[short]);
    check_read(&lenient, &["2,y", "\"open,1"], &["2|y|NULL"]);
    check_read(&[], &["one,x,"], &["0: the field `a` is no whole number that fits the column"]);
    check_read(&lenient, &["one,x,"], &["NULL|x|NULL"]);
    check_read(&[], &["\"a\"b,x,"], &["0: something follows a closing quote"]);
}

#[test]
fn what_is_written_reads_back() {
    let lines = ["1,x,\"2026-01-02 03:04:05\"", "2,\"y, \"\"z\"\"\",-", "3,\"\",-"];
    let table = table(&[("csv.null-literal", "-")]);
    let rows = decode(&[("csv.null-literal", "-")], &lines).unwrap();
    let encoder = CsvEncoder::new(vec![0, 1, 2], CsvOptions::read(&Options::new(&table)).unwrap());
    let mut encoded = encoder.rows(&rows).unwrap();
    for (row, line) in ["1,x,\"2026-01-02 03:04:05\"", "2,\"y, \"\"z\"\"\",-", "3,,-"].iter().enumerate() {
        let mut out = Vec::new();
        encoded.write(row, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), *line);
    }
}

#[test]
fn nested_columns_are_refused() {
    let row = DataType::Struct(vec![Field::new("x", DataType::Int64, true)].into());
    let schema = Arc::new(Schema::new(vec![Field::new("r", row, true)]));
    assert!(check(&table(&[]), &schema).unwrap_err().message.contains("`r` is nested"));
}
