//! Rows in folders by value, and folders that are told to be complete.

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use tidemill_engine::connector::{Prepared, Sink};
use tidemill_engine::element::Watermark;
use tidemill_model::CheckpointId;

use super::*;
use crate::filesystem::Filesystem;

fn batch(rows: &[(i64, Option<&str>)]) -> RecordBatch {
    let numbers: ArrayRef = Arc::new(rows.iter().map(|row| Some(row.0)).collect::<Int64Array>());
    let days: ArrayRef = Arc::new(rows.iter().map(|row| row.1).collect::<StringArray>());
    RecordBatch::try_from_iter_with_nullable([("day", days, true), ("n", numbers, true)]).unwrap()
}

fn partitioned(folder: &Path, options: &[(&str, &str)]) -> Table {
    let uri = format!("file://{}", folder.display());
    let options = [&[("path", uri.as_str()), ("format", "csv")], options].concat();
    Table { partition_keys: vec!["day".to_string()], ..table(&options) }
}

fn open(folder: &Path, options: &[(&str, &str)], parallelism: usize) -> Arc<dyn Sink> {
    let context = TaskContext { parallelism, ..context() };
    Filesystem.sink(&partitioned(folder, options), batch(&[]).schema(), &context).unwrap()
}

fn refusal(table: &Table) -> String {
    let problem = Filesystem.sink(table, batch(&[]).schema(), &context()).map(|_| ()).unwrap_err();
    format!("{}; {}", problem.message, problem.remedy)
}

/// The files below a folder with what is in them, but for the notes.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_string();
        match path.is_dir() {
            true if name.starts_with("_tidemill") => {}
            true => found.extend(files(&path).into_iter().map(|below| format!("{name}/{below}"))),
            false => found.push(format!("{name}: {}", std::fs::read_to_string(&path).unwrap().replace('\n', ";"))),
        }
    }
    found.sort();
    found
}

/// What a writer stages at a checkpoint.
fn staged(writer: &mut dyn SinkWriter, checkpoint: u64) -> Vec<u8> {
    match writer.prepare(CheckpointId(checkpoint)).unwrap() {
        Prepared::Staged(bytes) => bytes,
        Prepared::Done | Prepared::Flush(_) => panic!("a staging writer stages"),
    }
}

fn commit(sink: &dyn Sink, slot: u32, checkpoint: u64, chunks: &[Vec<u8>]) {
    let mut committer = sink.committer(slot).unwrap().unwrap();
    committer.commit(CheckpointId(checkpoint), &mut chunks.iter().cloned().map(Ok)).unwrap();
}

#[test]
fn rows_appear_in_the_folders_of_their_values_once() {
    let folder = tempfile::tempdir().unwrap();
    let sink = open(folder.path(), &[("partition.default-name", "none")], 1);
    let mut writer = sink.writer(0).unwrap();
    writer.write(&batch(&[(1, Some("a/b")), (2, None), (3, Some("a/b"))])).unwrap();
    writer.write(&batch(&[(4, Some("")), (5, Some("c"))])).unwrap();
    let chunk = staged(&mut *writer, 7);
    assert!(files(folder.path()).is_empty());
    for _ in 0..2 {
        commit(&*sink, 0, 7, std::slice::from_ref(&chunk));
    }
    let part = "part-u1-sink-0-0-7-0.csv";
    let expected = [("a%2Fb", "1;3;"), ("c", "5;"), ("none", "2;4;")];
    let expected = expected.map(|(day, lines)| format!("day={day}/{part}: {lines}"));
    assert_eq!(files(folder.path()), expected);

    // What has been written is read back, folders and all.
    let lookup = Filesystem.lookup(
        &partitioned(folder.path(), &[("partition.default-name", "none")]),
        batch(&[]).schema(),
        &context(),
    );
    let rows = lookup.unwrap().load().unwrap();
    let read = arrow::compute::concat_batches(&batch(&[]).schema(), &rows).unwrap();
    assert_eq!(read, batch(&[(1, Some("a/b")), (3, Some("a/b")), (5, Some("c")), (2, None), (4, None)]));
}

#[test]
fn a_file_is_closed_when_it_is_large_enough() {
    let folder = tempfile::tempdir().unwrap();
    let sink = open(folder.path(), &[("sink.rolling-policy.file-size", "4 b")], 1);
    let mut writer = sink.writer(0).unwrap();
    let mut chunks = Vec::new();
    for number in 1..=5 {
        writer.write(&batch(&[(number, Some("x")), (number, Some("y"))])).unwrap();
        chunks.extend(writer.take_staged());
    }
    chunks.push(staged(&mut *writer, 1));
    commit(&*sink, 0, 1, &chunks);
    let lines = |day: &str| {
        ["1;2;", "3;4;", "5;"]
            .iter()
            .enumerate()
            .map(|(number, lines)| format!("day={day}/part-u1-sink-0-0-1-{number}.csv: {lines}"))
            .collect::<Vec<_>>()
    };
    assert_eq!(files(folder.path()), [lines("x"), lines("y")].concat());
}

const BY_TIME: [(&str, &str); 3] = [
    ("sink.partition-commit.policy.kind", "success-file"),
    ("sink.partition-commit.trigger", "partition-time"),
    ("sink.partition-commit.delay", "1 s"),
];

/// The folders that are told to be complete.
fn complete(folder: &Path) -> Vec<String> {
    let files = files(folder).into_iter();
    files.filter_map(|file| Some(file.strip_suffix("/_SUCCESS: ")?.to_string())).collect()
}

#[test]
fn a_folder_is_told_to_be_complete_when_the_slowest_slot_is_past_it() {
    let folder = tempfile::tempdir().unwrap();
    let sink = open(folder.path(), &BY_TIME, 2);
    let mut writers = [sink.writer(0).unwrap(), sink.writer(1).unwrap()];
    let mut checkpoint = 0;
    let mut step = |rows: [&[(i64, Option<&str>)]; 2], watermarks: [Watermark; 2]| {
        checkpoint += 1;
        for (slot, writer) in writers.iter_mut().enumerate() {
            writer.write(&batch(rows[slot])).unwrap();
            writer.watermark(watermarks[slot]);
            let chunk = staged(&mut **writer, checkpoint);
            commit(&*sink, slot as u32, checkpoint, &[chunk]);
        }
        complete(folder.path())
    };
    let (one, two) = ("1970-01-01 00:00:01", "1970-01-01 00:00:02");
    let none: &[(i64, Option<&str>)] = &[];
    assert!(step([&[(1, Some(one))], &[(2, Some(two))]], [Watermark::At(5000), Watermark::At(2000)]).is_empty());
    assert_eq!(step([none, none], [Watermark::At(5000), Watermark::At(2001)]), ["day=1970-01-01 00%3A00%3A01"]);
    assert_eq!(step([none, none], [Watermark::Idle, Watermark::At(3000)]).len(), 1);
    // The rows of the first slot are not told before they are there: it commits first.
    assert_eq!(step([&[(3, Some(two))], none], [Watermark::END, Watermark::END]).len(), 2);
    // Whoever goes on with fewer slots takes the others' folders over.
    let fewer = open(folder.path(), &BY_TIME, 1);
    let mut writer = fewer.writer(0).unwrap();
    writer.write(&batch(&[(4, Some("1970-01-01 00:00:03"))])).unwrap();
    writer.watermark(Watermark::END);
    commit(&*fewer, 0, 9, &[staged(&mut *writer, 9)]);
    assert_eq!(complete(folder.path()).len(), 3);
    let notes: Vec<_> = std::fs::read_dir(folder.path().join("_tidemill/u1-sink-0")).unwrap().collect();
    assert_eq!(notes.len(), 1, "the second slot's note has been taken over");
    let note = std::fs::read_to_string(folder.path().join("_tidemill/u1-sink-0/0.json")).unwrap();
    assert!(note.contains(r#""open":{}"#), "{note}");
}

#[test]
fn by_the_machine_s_clock_a_folder_is_complete_with_its_first_rows() {
    let folder = tempfile::tempdir().unwrap();
    let options = [BY_TIME[0], ("sink.partition-commit.success-file.name", "done")];
    let sink = open(folder.path(), &options, 1);
    let mut writer = sink.writer(0).unwrap();
    writer.write(&batch(&[(1, Some("x"))])).unwrap();
    commit(&*sink, 0, 1, &[staged(&mut *writer, 1)]);
    assert!(files(folder.path()).contains(&"day=x/done: ".to_string()));
}

#[test]
fn a_folder_that_tells_no_time_is_a_fault() {
    let folder = tempfile::tempdir().unwrap();
    let sink = open(folder.path(), &BY_TIME, 1);
    let mut writer = sink.writer(0).unwrap();
    writer.write(&batch(&[(1, Some("soon"))])).unwrap();
    let chunk = staged(&mut *writer, 1);
    let mut committer = sink.committer(0).unwrap().unwrap();
    let problem = committer.commit(CheckpointId(1), &mut [Ok(chunk)].into_iter()).unwrap_err();
    assert!(problem.message.contains("tells the time `soon`"), "{}", problem.message);
}

#[test]
fn options_that_cannot_be_kept_are_refused_with_the_reason() {
    let path = Path::new("/tmp/x");
    let refused = |name: &str, value: &str| refusal(&partitioned(path, &[(name, value)]));
    assert!(refused("auto-compaction", "true").contains("not put together"));
    assert!(refused("sink.shuffle-by-partition.enable", "true").contains("each thread"));
    assert!(refused("sink.partition-commit.policy.kind", "metastore,success-file").contains("there is none"));
    assert!(refused("sink.partition-commit.policy.kind", "custom").contains("success-file"));
    assert!(refused("sink.partition-commit.trigger", "partition-time").contains("set `sink.partition-commit.policy"));
    assert!(refused("partition.time-extractor.timestamp-formatter", "yyyy").contains("timestamp-pattern"));
    assert!(refused("sink.partition-commit.watermark-time-zone", "Asia/Tokyo").contains("UTC"));
    assert!(refused("sink.rolling-policy.rollover-interval", "soon").contains("not a duration"));
    assert!(refused("sink.rolling-policy.file-size", "0").contains("too small"));
    let flat = Table { partition_keys: Vec::new(), ..partitioned(path, &[BY_TIME[0]]) };
    assert!(refusal(&flat).contains("PARTITIONED BY"));
}
