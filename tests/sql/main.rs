//! Runs the cases of `tests/sql/*.slt`: each query as a stream, several times, with random batches, threads, epochs and
//! a restore; what its changes add up to must be the rows that the case expects, and those that DataFusion computes all
//! at once. `UPDATE_SQL=1` writes what DataFusion computes into the files, never what the stream gave. See README.md.

mod batch;
mod case;
mod cells;
mod fuzz;
mod stream;
mod summary;
mod values;

use std::path::PathBuf;

use case::{Arrival, Case, Expected, File, Oracle};
use stream::Table;

/// Runs of each case, over 1 to 4 threads.
const RUNS: u64 = 8;

#[tokio::test]
async fn every_case_gives_what_it_must() {
    let (mut cases, mut failures) = (0, Vec::new());
    for path in files() {
        let text = std::fs::read_to_string(&path).expect("the file can be read");
        let file = case::parse(&text).unwrap_or_else(|problem| panic!("{}: {problem}", path.display()));
        let mut updated = text.clone();
        for case in &file.cases {
            cases += 1;
            let name = format!("{} `{}`", path.file_stem().unwrap_or_default().to_string_lossy(), case.name);
            if std::env::var_os("UPDATE_SQL").is_some() {
                update(&file, case, &mut updated).await;
            }
            failures.extend(check(&file, case).await.err().map(|problem| format!("{name}: {problem}")));
        }
        for section in &file.values {
            cases += section.lines.len();
            let problems = values::check(&file, section).into_iter();
            failures.extend(problems.map(|problem| format!("{}: {problem}", path.display())));
        }
        if updated != text {
            std::fs::write(&path, updated).expect("the file can be written");
        }
    }
    summary::note(serde_json::json!({"cases": cases, "failed": failures.len()}));
    assert!(cases > 0, "there are no cases");
    assert!(failures.is_empty(), "{} of {cases} failed:\n{}", failures.len(), failures.join("\n"));
}

fn files() -> Vec<PathBuf> {
    let folder = std::env::var_os("SQL_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("sql"), PathBuf::from);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "slt"));
    files.sort();
    files
}

async fn check(file: &File, case: &Case) -> Result<(), String> {
    let planned = stream::plan(file, &case.sql);
    if let (Some(part), Err(error)) = (&case.refused_here, &planned) {
        return if error.contains(part) { Ok(()) } else { Err(format!("refused with\n{error}\nwhich has no\n{part}")) };
    }
    let (expected, types) = match (&case.expected, planned.as_ref()) {
        (Expected::Refused(part), Err(error)) if error.contains(part) => return Ok(()),
        (Expected::Refused(part), Err(error)) => return Err(format!("refused with\n{error}\nwhich has no\n{part}")),
        (Expected::Refused(_), Ok(_)) => return Err("was planned, but must be refused".to_string()),
        (Expected::Rows { rows, types, .. }, _) => (counted(rows), types),
    };
    let query = planned?;
    if !types.is_empty() && query.types != *types {
        return Err(format!("the columns are {} but must be {}", query.types.join("; "), types.join("; ")));
    }
    if let Some(sql) = &case.batch {
        same("the batch", &batch::run(file, sql).await?, &expected)?;
    }
    for seed in 0..RUNS {
        let parallelism = if case.arrival == Arrival::OneByOne { 1 } else { 1 + seed as usize % 4 };
        let found = stream::run(file, &query.plan, parallelism, seed, case.arrival)
            .map_err(|problem| format!("seed {seed}: {problem}"))?;
        same(&format!("the stream with seed {seed}"), &found, &expected)?;
    }
    Ok(())
}

fn counted(rows: &[Vec<String>]) -> Table {
    let mut table = Table::new();
    for row in rows {
        *table.entry(row.clone()).or_default() += 1;
    }
    table
}

fn same(what: &str, found: &Table, expected: &Table) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    let lines = |table: &Table, other: &Table| -> String {
        let odd = table.iter().filter(|(row, count)| other.get(*row) != Some(count));
        odd.map(|(row, count)| format!("  {count} x {}\n", row.join(" | "))).collect()
    };
    Err(format!("{what} gave\n{}but expected\n{}", lines(found, expected), lines(expected, found)))
}

/// Writes what DataFusion gives for a case's `batch` behind its `expect batch`; what Flink gave stays.
async fn update(file: &File, case: &Case, text: &mut String) {
    let (Some(sql), Expected::Rows { from: Oracle::Batch, .. }) = (&case.batch, &case.expected) else { return };
    let Ok(table) = batch::run(file, sql).await else { return };
    let line = |row: &[String]| row.iter().map(|cell| case::written(cell)).collect::<Vec<_>>().join(" | ") + "\n";
    let rows: String = table.iter().flat_map(|(row, count)| std::iter::repeat_n(line(row), *count as usize)).collect();
    let Some(start) = text.find(sql.as_str()).and_then(|at| Some(at + text[at..].find("\n--- expect")? + 1)) else {
        return;
    };
    let Some(start) = text[start..].find('\n').map(|length| start + length + 1) else { return };
    let end = text[start..].find("\n--- ").map_or(text.len(), |length| start + length + 1);
    let tail = if end < text.len() { format!("{rows}\n") } else { rows };
    text.replace_range(start..end, &tail);
}
