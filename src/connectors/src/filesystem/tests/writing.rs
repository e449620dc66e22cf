//! Rows become visible with their checkpoint, once, and under names of this application.

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use tidemill_engine::connector::Prepared;
use tidemill_model::CheckpointId;

use super::*;
use crate::filesystem::Filesystem;

fn batch(values: &[i64]) -> RecordBatch {
    RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(values.to_vec())) as ArrayRef)]).unwrap()
}

fn files(folder: &std::path::Path) -> Vec<(String, String)> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|e| (e.file_name().into_string().unwrap(), std::fs::read_to_string(e.path()).unwrap()))
        .collect();
    files.sort();
    files
}

fn staged(writer: &mut dyn SinkWriter, checkpoint: u64) -> Vec<u8> {
    match writer.prepare(CheckpointId(checkpoint)).unwrap() {
        Prepared::Staged(bytes) => bytes,
        Prepared::Done | Prepared::Flush(_) => panic!("a staging writer stages"),
    }
}

#[test]
fn rows_are_invisible_until_committed_and_once_after_any_number_of_commits() {
    let folder = tempfile::tempdir().unwrap();
    let path = format!("file://{}", folder.path().display());
    let sink =
        Filesystem.sink(&table(&[("path", &path), ("format", "json")]), batch(&[]).schema(), &context()).unwrap();
    let mut writer = sink.writer(1).unwrap();
    writer.write(&batch(&[1, 2])).unwrap();
    let chunk = staged(&mut *writer, 5);
    assert_eq!(files(folder.path()), []);

    for _ in 0..2 {
        let mut committer = sink.committer(1).unwrap().unwrap();
        committer.commit(CheckpointId(5), &mut [Ok(chunk.clone())].into_iter()).unwrap();
    }
    let expected = ("part-u1-sink-0-1-5-0.json".to_string(), "{\"n\":1}\n{\"n\":2}\n".to_string());
    assert_eq!(files(folder.path()), [expected]);
}

#[test]
fn rows_become_lines_of_csv_in_files_of_that_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = format!("file://{}", folder.path().display());
    let sink = Filesystem.sink(&table(&[("path", &path), ("format", "csv")]), batch(&[]).schema(), &context()).unwrap();
    let mut writer = sink.writer(0).unwrap();
    writer.write(&batch(&[1, 2])).unwrap();
    let chunk = staged(&mut *writer, 5);
    sink.committer(0).unwrap().unwrap().commit(CheckpointId(5), &mut [Ok(chunk)].into_iter()).unwrap();
    assert_eq!(files(folder.path()), [("part-u1-sink-0-0-5-0.csv".to_string(), "1\n2\n".to_string())]);
}

#[test]
fn rows_that_come_and_go_are_refused() {
    let changing = TaskContext { changelog: tidemill_plan::Changelog::Retract, ..context() };
    let options = table(&[("path", "file:///tmp/x"), ("format", "json")]);
    let problem = Filesystem.sink(&options, batch(&[]).schema(), &changing).map(|_| ()).unwrap_err();
    assert!(problem.message.contains("come and go"), "{}", problem.message);
}

#[test]
fn a_checkpoint_without_rows_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = format!("file://{}", folder.path().display());
    let sink =
        Filesystem.sink(&table(&[("path", &path), ("format", "json")]), batch(&[]).schema(), &context()).unwrap();
    let chunk = staged(&mut *sink.writer(0).unwrap(), 1);
    sink.committer(0).unwrap().unwrap().commit(CheckpointId(1), &mut [Ok(chunk)].into_iter()).unwrap();
    assert_eq!(files(folder.path()), []);
}

#[test]
fn much_output_is_handed_over_before_the_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let path = format!("file://{}", folder.path().display());
    let sink =
        Filesystem.sink(&table(&[("path", &path), ("format", "json")]), batch(&[]).schema(), &context()).unwrap();
    let mut writer = sink.writer(0).unwrap();
    writer.write(&batch(&[1; 1000])).unwrap();
    assert!(writer.take_staged().is_none());
    writer.write(&batch(&[1; 600_000])).unwrap();
    assert!(writer.take_staged().is_some_and(|chunk| chunk.ends_with(b"{\"n\":1}\n")));
    assert_eq!(staged(&mut *writer, 1), b"");
}

#[test]
fn wrong_tables_are_refused() {
    let refusal = |options: &[(&str, &str)]| {
        Filesystem.sink(&table(options), batch(&[]).schema(), &context()).map(|_| ()).unwrap_err().message
    };
    assert_eq!(refusal(&[("format", "json")]), "the option `path` is missing");
    assert_eq!(refusal(&[("path", "file:///tmp/x")]), "the option `format` is missing");
    assert!(refusal(&[("path", "hdfs://x/y"), ("format", "json")]).contains("the scheme is not supported"));
    assert!(refusal(&[("path", "file:///tmp/x"), ("format", "orc")]).contains("`orc`"));
}
