//! What is loaded of a table that rows are looked up in.

use arrow::array::cast::AsArray;
use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use tidemill_model::status::ProblemKind;

use super::*;
use crate::filesystem::Filesystem;

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("key", DataType::Int64, true), Field::new("value", DataType::Utf8, true)]))
}

/// All rows as text, or the message of the refusal.
fn loaded(path: &Path, options: &[(&str, &str)]) -> Result<String, String> {
    let uri = format!("file://{}", path.display());
    let table = table(&[&[("path", uri.as_str()), ("lookup.max-retries", "0")], options].concat());
    let lookup = Filesystem.lookup(&table, schema(), &context()).map_err(|problem| problem.message)?;
    let rows = |batch: &RecordBatch| -> Vec<String> {
        let (keys, values) =
            (batch.column(0).as_primitive::<Int64Type>().clone(), batch.column(1).as_string::<i32>().clone());
        let text = |row: usize| match values.is_null(row) {
            true => format!("{} NULL", keys.value(row)),
            false => format!("{} {}", keys.value(row), values.value(row)),
        };
        (0..batch.num_rows()).map(text).collect()
    };
    let batches = lookup.load().map_err(|problem| problem.message)?;
    Ok(batches.iter().flat_map(rows).collect::<Vec<_>>().join(", "))
}

#[test]
fn one_file_is_a_table() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), &[("side input.txt", "1,one\n2,\"t,w\no\"\n3,three"), ("other", "7,seven\n")]);
    let rows = loaded(&folder.path().join("side input.txt"), &[("format", "csv")]);
    assert_eq!(rows.unwrap(), "1 one, 2 t,w\no, 3 three");
}

#[test]
fn a_folder_s_files_are_one_table_but_for_hidden_ones() {
    let folder = tempfile::tempdir().unwrap();
    let row = |key: i64| format!("{{\"key\": {key}, \"other\": [1]}}\n");
    let (one, two, three) = (row(1), row(2), row(3) + "\n" + &row(4));
    let hidden = [("_SUCCESS", "x"), (".part.tmp", "x"), ("_tmp/a.json", "x"), ("b/.c/d.json", "x")];
    put(folder.path(), &[("z.json", &one), ("b/dt=12%3A30/a.json", &two), ("b/c.json", &three)]);
    put(folder.path(), &hidden);
    assert_eq!(loaded(folder.path(), &[("format", "json")]).unwrap(), "3 NULL, 4 NULL, 2 NULL, 1 NULL");
}

#[test]
fn rows_that_do_not_fit_into_one_piece_are_whole() {
    let folder = tempfile::tempdir().unwrap();
    let text: String = (0..400_000).map(|key| format!("{key},\"value\n{key}\"\n")).collect();
    assert!(text.len() > 2 * (4 << 20));
    put(folder.path(), &[("rows.csv", &text)]);
    let rows = loaded(folder.path(), &[("format", "csv")]).unwrap();
    let expected: Vec<String> = (0..400_000).map(|key| format!("{key} value\n{key}")).collect();
    assert!(rows == expected.join(", "), "a row was torn");
}

#[test]
fn what_cannot_be_read_is_told_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), &[("a.csv", "1,one\ntwo,2\n")]);
    let csv = [("format", "csv")];
    let message = loaded(folder.path(), &csv).unwrap_err();
    assert!(message.contains("at byte 6 of") && message.contains("a.csv"), "{message}");
    let skipped = loaded(folder.path(), &[("format", "csv"), ("csv.ignore-parse-errors", "true")]).unwrap();
    assert!(skipped.starts_with("1 one"), "{skipped}");
    let message = loaded(&folder.path().join("none"), &csv).unwrap_err();
    assert!(message.contains("there is no file at `file://"), "{message}");
    assert!(!folder.path().join("none").exists(), "reading makes no folder");
    assert!(loaded(folder.path(), &[("format", "raw")]).unwrap_err().contains("one column"));
    assert!(loaded(folder.path(), &[("format", "csv"), ("lookup.cache", "NONE")]).unwrap_err().contains("no index"));
}

#[test]
fn a_file_that_comes_late_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let uri = format!("file://{}", folder.path().display());
    let lookup = Filesystem.lookup(&table(&[("path", &uri), ("format", "csv")]), schema(), &context()).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(std::time::Duration::from_millis(100));
            put(folder.path(), &[("a.csv", "1,one\n")]);
        });
        assert_eq!(lookup.load().unwrap()[0].num_rows(), 1);
    });
    std::fs::remove_file(folder.path().join("a.csv")).unwrap();
    let table = table(&[("path", &uri), ("format", "csv"), ("lookup.max-retries", "0")]);
    let problem = Filesystem.lookup(&table, schema(), &context()).unwrap().load().unwrap_err();
    assert_eq!(problem.kind, ProblemKind::SourceUnreachable);
}
