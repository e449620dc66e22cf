//! The command line with the real engine: what a newcomer does first, and what goes wrong first.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

const ROWS: u64 = 150_000;

/// Rows come for three seconds; an application that is not stopped finishes then.
fn page_views(folder: &Path) -> String {
    let sql = format!(
        "CREATE TABLE views (page STRING, viewed_at TIMESTAMP(3), WATERMARK FOR viewed_at AS viewed_at - INTERVAL '1' SECOND)
           WITH ('connector' = 'generator', 'kind' = 'page-views', 'rows-per-second' = '50000', 'number-of-rows' = '{ROWS}');
         CREATE TABLE counts (window_start TIMESTAMP(3), page STRING, views BIGINT) WITH ('connector' = 'print');
         INSERT INTO counts SELECT window_start, page, COUNT(*)
           FROM TABLE(TUMBLE(TABLE views, DESCRIPTOR(viewed_at), INTERVAL '1' SECOND))
           GROUP BY window_start, window_end, page;"
    );
    write(folder, "page-views.sql", &sql)
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let file = folder.join(name);
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

fn tidemill(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tidemill")).args(arguments).env("XDG_STATE_HOME", folder).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Counts by window and page. Panics if one comes twice.
fn counts(output: &Output, into: &mut BTreeMap<String, u64>) {
    for line in text(&output.stdout).lines().filter(|line| line.starts_with("counts> +I[")) {
        let (key, views) = line.trim_end_matches(']').rsplit_once(", ").unwrap();
        let earlier = into.insert(key.to_string(), views.parse().unwrap());
        assert_eq!(earlier, None, "{key} was put out twice");
    }
}

#[test]
fn a_run_that_is_stopped_and_resumed_with_more_workers_counts_every_row_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = page_views(folder.path());
    let mut found = BTreeMap::new();

    let stopped = tidemill(folder.path(), &["run", &file, "--seconds", "1", "--report", "json"]);
    assert_eq!(stopped.status.code(), Some(0), "{}", text(&stopped.stderr));
    assert!(text(&stopped.stderr).contains("stopped with checkpoint"), "{}", text(&stopped.stderr));
    let report: serde_json::Value = serde_json::from_str(text(&stopped.stdout).lines().last().unwrap()).unwrap();
    assert!(report["records"].as_u64().unwrap() > 0 && report["checkpoints"] == 1, "{report}");
    counts(&stopped, &mut found);

    let finished = tidemill(folder.path(), &["run", &file, "--workers", "2"]);
    assert_eq!(finished.status.code(), Some(0), "{}", text(&finished.stderr));
    assert!(text(&finished.stderr).contains("finished: all inputs"), "{}", text(&finished.stderr));
    counts(&finished, &mut found);
    assert_eq!(found.values().sum::<u64>(), ROWS, "{found:?}");
}

#[test]
fn a_fresh_run_starts_over() {
    let folder = tempfile::tempdir().unwrap();
    let file = page_views(folder.path());
    for _ in 0..2 {
        let mut found = BTreeMap::new();
        counts(&tidemill(folder.path(), &["run", &file, "--fresh"]), &mut found);
        assert_eq!(found.values().sum::<u64>(), ROWS);
    }
}

#[test]
fn wrong_sql_is_named_with_its_place_and_starts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(
        folder.path(),
        "bad.sql",
        "CREATE TABLE o (page STRING) WITH ('connector' = 'print');\nINSERT INTO o SELECT page FROM nowhere;",
    );
    for command in ["run", "explain", "validate"] {
        let refused = tidemill(folder.path(), &[command, &file]);
        let said = text(&refused.stdout) + &text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(3), "{said}");
        assert!(said.contains("InvalidSql: line 2, column") && said.contains("nowhere"), "{said}");
    }
}

#[test]
fn a_valid_application_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let explained = tidemill(folder.path(), &["explain", &page_views(folder.path())]);
    assert_eq!(explained.status.code(), Some(0));
    let plan = text(&explained.stdout);
    assert!(plan.contains("TUMBLE") && plan.contains("views") && plan.contains("counts"), "{plan}");
}

#[test]
fn missing_files_and_wrong_usage_have_exit_codes_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(tidemill(folder.path(), &["run", "/nonexistent.yaml"]).status.code(), Some(3));
    assert_eq!(tidemill(folder.path(), &["run"]).status.code(), Some(2));
    let empty = tidemill(folder.path(), &["validate", &folder.path().display().to_string()]);
    assert!(text(&empty.stderr).contains("holds no YAML files"));
}
