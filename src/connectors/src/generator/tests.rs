//! The table's rows are the same however they are read.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampMillisecondType};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use tidemill_engine::connector::Polled;
use tidemill_model::status::{Problem, ProblemKind};

use super::page_views::{PageViewSpec, PageViews};
use super::*;

fn table(options: &[(&str, &str)]) -> Table {
    let mut options: BTreeMap<String, String> = options.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    options.entry("kind".into()).or_insert("page-views".into());
    Table { name: "views".into(), connector: "generator".into(), options, ..Default::default() }
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("page", DataType::Utf8, true),
        Field::new("user_id", DataType::Int64, true),
        Field::new("viewed_at", DataType::Timestamp(TimeUnit::Millisecond, None), true),
        Field::new("referrer", DataType::Utf8, true),
        Field::new("duration_ms", DataType::Int64, true),
    ]))
}

fn context() -> TaskContext {
    TaskContext {
        application: "a/b".into(),
        application_uid: "u".into(),
        operator: "source-0".into(),
        parallelism: 1,
        changelog: Default::default(),
    }
}

fn source(options: &[(&str, &str)]) -> Result<Arc<dyn Source>> {
    Generator.source(&table(options), schema(), &context())
}

fn refusal(options: &[(&str, &str)]) -> Problem {
    source(options).map(|_| ()).unwrap_err()
}

fn assigned(source: &dyn Source) -> Vec<AssignedSplit> {
    let splits = source.splits().unwrap().into_iter();
    splits.map(|split| AssignedSplit { id: split.id, number: split.number, position: None }).collect()
}

/// Each row in text, by the JSON it stands for.
fn lines(batch: &RecordBatch) -> Vec<String> {
    use crate::formats::json::{JsonOptions, encoder::Encoder};
    let encoder = Encoder::new(&batch.schema(), (0..batch.num_columns()).collect(), JsonOptions::default());
    let mut rows = encoder.rows(batch).unwrap();
    let line = |row| {
        let mut out = Vec::new();
        rows.write(row, &mut out);
        String::from_utf8(out).unwrap()
    };
    (0..batch.num_rows()).map(line).collect()
}

/// Reads to the end, at most `limit` batches.
fn read(reader: &mut dyn SourceReader, max_rows: usize, limit: usize) -> Vec<String> {
    let mut read = Vec::new();
    for _ in 0..limit {
        match reader.poll(max_rows).unwrap() {
            Polled::Batch { rows, .. } => read.extend(lines(&rows)),
            Polled::Finished => break,
            Polled::Pending | Polled::Ended { .. } | Polled::PendingFor { .. } => {}
        }
    }
    read
}

fn json_rows(count: u64, spec: PageViewSpec) -> Vec<String> {
    let views = PageViews::new(spec);
    let row = |row| {
        let mut out = Vec::new();
        views.json(row, &mut out);
        String::from_utf8(out).unwrap()
    };
    (0..count).map(row).collect()
}

fn spec() -> PageViewSpec {
    PageViewSpec {
        seed: 7,
        pages: 100,
        start_ms: 1_767_225_600_000,
        events_per_second: 333,
        max_out_of_orderness_ms: 1500,
    }
}

const OPTIONS: [(&str, &str); 5] = [
    ("seed", "7"),
    ("pages", "100"),
    ("events-per-second-of-event-time", "333"),
    ("max-out-of-orderness-ms", "1500"),
    ("number-of-rows", "5000"),
];

#[test]
fn the_rows_are_the_same_for_any_number_of_splits_and_agree_with_their_json() {
    let mut expected = json_rows(5000, spec());
    expected.sort();
    for splits in ["1", "3", "8"] {
        let source = source(&[&OPTIONS[..], &[("splits", splits)]].concat()).unwrap();
        let mut reader = source.reader(assigned(&*source)).unwrap();
        let mut rows = read(&mut *reader, 97, usize::MAX);
        rows.sort();
        assert!(rows == expected, "{splits} splits");
    }
}

#[test]
fn nothing_is_read_of_a_split_that_is_held() {
    let source = source(&[&OPTIONS[..], &[("splits", "3")]].concat()).unwrap();
    let mut reader = source.reader(assigned(&*source)).unwrap();
    let batches = |reader: &mut dyn SourceReader| {
        let mut rows = [0; 3];
        while let Polled::Batch { split, rows: batch } = reader.poll(1000).unwrap() {
            rows[split] += batch.num_rows();
        }
        rows
    };
    reader.hold(&[false, true, false]);
    assert_eq!(batches(&mut *reader), [1667, 0, 1666]);
    assert!(matches!(reader.poll(10).unwrap(), Polled::PendingFor { .. }), "the table has not ended");
    reader.hold(&[]);
    assert_eq!(batches(&mut *reader), [0, 1667, 0]);
    assert!(matches!(reader.poll(10).unwrap(), Polled::Finished));
}

#[test]
fn a_restored_reader_goes_on_where_the_other_stopped() {
    let source = source(&OPTIONS).unwrap();
    let mut first = source.reader(assigned(&*source)).unwrap();
    let mut rows = read(&mut *first, 100, 17);
    let positions = first.positions().into_iter();
    let splits = assigned(&*source).into_iter().zip(positions);
    let splits = splits.map(|(split, position)| AssignedSplit { position: Some(position), ..split }).collect();
    rows.extend(read(&mut *source.reader(splits).unwrap(), 100, usize::MAX));
    rows.sort();
    let mut expected = json_rows(5000, spec());
    expected.sort();
    assert!(rows == expected);
}

#[test]
fn a_position_of_another_number_of_splits_is_refused() {
    let source = source(&[("splits", "4")]).unwrap();
    let position = Some(serde_json::json!({ "row": 6, "start": 0 }));
    let split = AssignedSplit { id: "1".into(), number: 1, position };
    let problem = source.reader(vec![split]).map(|_| ()).unwrap_err();
    assert_eq!(problem.kind, ProblemKind::StateUnreadable);
}

#[test]
fn another_seed_makes_other_rows_and_popular_pages_are_popular() {
    assert_ne!(json_rows(10, spec()), json_rows(10, PageViewSpec { seed: 8, ..spec() }));
    let rows = json_rows(5000, spec());
    let front = rows.iter().filter(|row| row.contains("\"/page/0\"")).count();
    assert!((700..1200).contains(&front), "{front}");
    let direct = rows.iter().filter(|row| row.contains("\"referrer\":null")).count();
    assert!((500..750).contains(&direct), "{direct}");
}

#[test]
fn event_time_follows_the_row_number_within_the_disorder() {
    let views = PageViews::new(spec());
    for row in 0..5000 {
        let due = spec().start_ms + (row * 1000 / 333) as i64;
        assert!((due - 1500..=due).contains(&views.row(row).viewed_at_ms), "row {row}");
    }
}

#[test]
fn only_the_columns_asked_for_are_made() {
    let columns = Arc::new(Schema::new(vec![
        Field::new("duration_ms", DataType::Int64, true),
        Field::new("viewed_at", DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())), true),
    ]));
    let source = Generator.source(&table(&OPTIONS), columns, &context()).unwrap();
    let mut reader = source.reader(assigned(&*source)).unwrap();
    let Polled::Batch { rows, split } = reader.poll(2).unwrap() else { panic!("no rows") };
    let views = PageViews::new(spec());
    let view = views.row(split as u64);
    assert_eq!(rows.column(0).as_primitive::<Int64Type>().value(0), view.duration_ms);
    assert_eq!(rows.column(1).as_primitive::<TimestampMillisecondType>().value(0), view.viewed_at_ms);
    assert_eq!(rows.column(1).len(), 2);
}

#[test]
fn a_rate_holds_rows_back() {
    let source = source(&[("rows-per-second", "1000"), ("splits", "2")]).unwrap();
    let mut reader = source.reader(assigned(&*source)).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(100));
    let mut rows = 0;
    loop {
        match reader.poll(10_000).unwrap() {
            Polled::Batch { rows: batch, .. } => rows += batch.num_rows(),
            Polled::PendingFor { ms } => break assert!((1..=20).contains(&ms), "{ms}"),
            Polled::Pending | Polled::Ended { .. } | Polled::Finished => panic!("neither is expected"),
        }
    }
    assert!((100..1000).contains(&rows), "{rows}");
}

#[test]
fn wrong_options_and_columns_are_refused_with_a_proposal() {
    assert_eq!(refusal(&[("kind", "clicks")]).remedy, "set `kind` to one of `page-views`");
    assert_eq!(refusal(&[("row-per-second", "1")]).remedy, "did you mean `rows-per-second`?");
    assert!(refusal(&[("start", "yesterday")]).message.contains("is no point in time"));
    assert!(refusal(&[("splits", "100000")]).message.contains("is too large"));

    let field = |name: &str, data_type| Arc::new(Schema::new(vec![Field::new(name, data_type, true)]));
    let with = |schema| Generator.source(&table(&[]), schema, &context()).map(|_| ()).unwrap_err();
    assert_eq!(with(field("user", DataType::Int64)).kind, ProblemKind::InvalidOption);
    assert_eq!(with(field("users_id", DataType::Int64)).remedy, "did you mean `user_id`?");
    assert!(with(field("user_id", DataType::Utf8)).message.contains("is a BIGINT"));
}

#[test]
fn a_bounded_table_ends_even_for_a_thread_without_splits() {
    let source = source(&OPTIONS).unwrap();
    assert!(source.bounded());
    assert!(matches!(source.reader(vec![]).unwrap().poll(10).unwrap(), Polled::Finished));
}
