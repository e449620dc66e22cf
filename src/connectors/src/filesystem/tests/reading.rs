//! Files as splits: every row once, however reading is interrupted.

use std::time::{Duration, Instant};

use arrow::array::cast::AsArray;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use serde_json::Value;
use tidemill_engine::connector::{AssignedSplit, Polled, Source, SourceReader, Split};

use super::*;
use crate::filesystem::Filesystem;

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]))
}

fn open(path: &Path, options: &[(&str, &str)]) -> Result<Arc<dyn Source>, String> {
    let uri = format!("file://{}", path.display());
    let table = table(&[&[("path", uri.as_str()), ("format", "csv")], options].concat());
    Filesystem.source(&table, schema(), &context()).map_err(|problem| problem.message)
}

fn assigned(split: Split, position: Option<Value>) -> AssignedSplit {
    AssignedSplit { id: split.id, number: split.number, position }
}

fn reader(source: &dyn Source) -> Box<dyn SourceReader> {
    let splits = source.splits().unwrap().into_iter().map(|split| assigned(split, None));
    source.reader(splits.collect()).unwrap()
}

/// What comes next that is not nothing.
fn next(reader: &mut dyn SourceReader) -> Polled {
    let begun = Instant::now();
    loop {
        match reader.poll(100).unwrap() {
            Polled::Pending | Polled::PendingFor { .. } => {
                assert!(begun.elapsed() < Duration::from_secs(10), "nothing comes");
                std::thread::sleep(Duration::from_millis(1));
            }
            other => return other,
        }
    }
}

/// Reads up to the end of so many splits: `0:1,2` for a batch of the first split, `0.` for its end.
fn read(reader: &mut dyn SourceReader, ends: usize) -> Vec<String> {
    let (mut told, mut ended) = (Vec::new(), 0);
    while ended < ends {
        match next(reader) {
            Polled::Batch { split, rows } => {
                let numbers: Vec<String> =
                    rows.column(0).as_primitive::<Int64Type>().values().iter().map(i64::to_string).collect();
                told.push(format!("{split}:{}", numbers.join(",")));
            }
            Polled::Ended { split } => {
                ended += 1;
                told.push(format!("{split}."));
            }
            _ => panic!("the reader ended"),
        }
    }
    told
}

#[test]
fn files_are_read_one_after_the_other_and_end() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), &[("b.csv", "3\n4\n"), ("a.csv", "1\n2"), ("c/empty.csv", ""), ("_hidden", "9\n")]);
    let source = open(folder.path(), &[]).unwrap();
    assert!(source.bounded() && source.reads_in_turn() && source.discovery().is_none());
    let mut reader = reader(&*source);
    assert_eq!(read(&mut *reader, 3), ["2.", "0:1,2", "0.", "1:3,4", "1."]);
    assert!(matches!(next(&mut *reader), Polled::Finished));
    let stats = reader.stats();
    assert_eq!((stats.records, stats.bytes), (4, 7));
    assert!(open(&folder.path().join("none"), &[]).unwrap().splits().is_err());
}

#[test]
fn whoever_goes_on_from_a_position_reads_the_rest_and_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let text: String = (0..20_000).map(|number| format!("{number}\n")).collect();
    put(folder.path(), &[("a.csv", &text)]);
    let source = open(folder.path(), &[]).unwrap();
    let split = source.splits().unwrap().remove(0);
    let (mut position, mut numbers, mut times) = (None, Vec::new(), 0);
    loop {
        times += 1;
        let mut reader = source.reader(vec![assigned(split.clone(), position.clone())]).unwrap();
        match next(&mut *reader) {
            Polled::Batch { rows, .. } => {
                numbers.extend(rows.column(0).as_primitive::<Int64Type>().values().iter().copied());
                // What is appended meanwhile is not a part of the table.
                put(folder.path(), &[("a.csv", &format!("{text}99\n"))]);
            }
            Polled::Ended { .. } => break,
            _ => panic!("neither rows nor the end"),
        }
        position = reader.positions().pop();
    }
    assert_eq!(times, 4);
    assert_eq!(numbers, (0..20_000).collect::<Vec<i64>>());
}

#[test]
fn a_file_that_is_gone_is_missed_unless_it_has_been_read() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), &[("a.csv", "1\n2\n")]);
    let source = open(folder.path(), &[]).unwrap();
    source.gone("a.csv", &serde_json::json!({ "byte": 4, "of": 4 })).unwrap();
    let problem = source.gone("a.csv", &serde_json::json!({ "byte": 2, "of": 4 })).unwrap_err();
    assert!(problem.message.contains("up to byte 2 of 4"), "{}", problem.message);
    let split = source.splits().unwrap().remove(0);
    for position in [serde_json::json!({ "offset": 7 }), serde_json::json!({ "byte": 5, "of": 4 })] {
        assert!(source.reader(vec![assigned(split.clone(), Some(position))]).is_err());
    }
}

#[test]
fn further_files_are_found_and_read() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), &[("a.csv", "1\n")]);
    let source = open(folder.path(), &[("source.monitor-interval", "10 ms")]).unwrap();
    assert_eq!((source.bounded(), source.discovery()), (false, Some(Duration::from_millis(10))));
    let mut reader = reader(&*source);
    assert_eq!(read(&mut *reader, 1), ["0:1", "0."]);
    assert!(matches!(reader.poll(1).unwrap(), Polled::PendingFor { .. }), "more may come");
    put(folder.path(), &[("b.csv", "2\n")]);
    let found: Vec<Split> = source.splits().unwrap();
    let added = found.iter().find(|split| split.id.ends_with("b.csv")).unwrap();
    reader.add(assigned(added.clone(), source.beginning(added))).unwrap();
    assert_eq!(read(&mut *reader, 1), ["1:2", "1."]);
    let again = source.splits().unwrap();
    assert_eq!(again, found, "a file's number never changes");
}

#[test]
fn rows_of_a_file_that_has_to_wait_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), &[("a.csv", "1\n"), ("b.csv", "2\n")]);
    let source = open(folder.path(), &[]).unwrap();
    let mut reader = reader(&*source);
    reader.hold(&[true, false]);
    for _ in 0..50 {
        assert!(matches!(reader.poll(1).unwrap(), Polled::PendingFor { .. }));
        std::thread::sleep(Duration::from_millis(1));
    }
    reader.hold(&[]);
    assert_eq!(read(&mut *reader, 2), ["0:1", "0.", "1:2", "1."]);
}

#[test]
fn a_record_that_cannot_be_read_fails_or_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), &[("a.csv", "1\nx\n3\n")]);
    let source = open(folder.path(), &[]).unwrap();
    let mut failing = reader(&*source);
    let begun = Instant::now();
    let problem = loop {
        match failing.poll(1) {
            Err(problem) => break problem,
            Ok(_) => assert!(begun.elapsed() < Duration::from_secs(10)),
        }
    };
    assert!(problem.message.contains("at byte 2 of"), "{}", problem.message);
    let source = open(folder.path(), &[("csv.ignore-parse-errors", "true")]).unwrap();
    let mut skipping = reader(&*source);
    read(&mut *skipping, 1);
    assert_eq!(skipping.stats().undecodable, 1);
}

#[test]
fn rows_tell_of_their_file_beside_what_stands_in_it_and_in_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), &[("day=2/a.csv", "1\n2\n")]);
    let modified = std::fs::metadata(folder.path().join("day=2/a.csv")).unwrap().modified().unwrap();
    let modified = modified.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
    let uri = format!("file://{}", folder.path().display());
    let mut table = table(&[("path", uri.as_str()), ("format", "csv")]);
    table.partition_keys = vec!["day".to_string()];
    let time = DataType::Timestamp(arrow_schema::TimeUnit::Millisecond, Some("UTC".into()));
    let told = [
        ("name", "file.name", DataType::Utf8),
        ("path", "file.path", DataType::Utf8),
        ("size", "file.size", DataType::Int64),
        ("at", "file.modification-time", time),
    ];
    let mut fields = vec![Field::new("n", DataType::Int64, true), Field::new("day", DataType::Int32, true)];
    for (column, key, data_type) in told {
        table.metadata.insert(column.to_string(), key.to_string());
        fields.push(Field::new(column, data_type, true));
    }
    let source = Filesystem.source(&table, Arc::new(Schema::new(fields)), &context()).unwrap();
    let Polled::Batch { rows, .. } = next(&mut *reader(&*source)) else { panic!("no rows") };
    let text = |column: usize| rows.column(column).as_string::<i32>().value(1).to_string();
    assert_eq!((text(2), text(3)), ("a.csv".to_string(), format!("file:{}/day=2/a.csv", folder.path().display())));
    let number = |column: usize| {
        arrow::compute::cast(rows.column(column), &DataType::Int64).unwrap().as_primitive::<Int64Type>().value(1)
    };
    assert_eq!([0, 1, 4, 5].map(number), [2, 2, 4, modified]);
}
