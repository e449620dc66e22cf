//! Functions of the user's on the command line: the example as it is, and a class that a module is given for.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Output};

fn tidemill(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tidemill")).args(arguments).env("XDG_STATE_HOME", folder).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The rows of print tables, in order.
fn rows(output: &Output) -> Vec<String> {
    let printed = text(&output.stdout);
    let mut rows: Vec<String> = printed.lines().filter(|line| line.contains("> +I[")).map(str::to_string).collect();
    rows.sort();
    rows
}

#[test]
fn the_example_runs_functions_in_rust_and_in_c() {
    let folder = tempfile::tempdir().unwrap();
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/functions");
    let valid = tidemill(folder.path(), &["validate", example]);
    assert_eq!(text(&valid.stdout).lines().next(), Some("Application functions: valid"), "{}", text(&valid.stderr));
    let run = tidemill(folder.path(), &["run", example, "--fresh"]);
    assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
    let rows = rows(&run);
    assert_eq!(rows.len(), 8 + 7 + 1 + 3, "{rows:?}");
    for expected in [
        "all_words> +I[, null, null]",
        "all_words> +I[It ebbs, and the wheel stands still, ebbs,, 5]",
        "all_words> +I[The tide comes in and the wheel turns, wheel, 5]",
        "lines> +I[, 0, ]",
        "lines> +I[The tide comes in and the wheel turns, 6, Ttciatwt]",
        "lines> +I[It ebbs, and the wheel stands still, 4, Ieatwss]",
    ] {
        assert!(rows.iter().any(|row| row == expected), "no {expected} in {rows:#?}");
    }
}

/// A text as it is written for Flink.
const SQL: &str = "CREATE FUNCTION same AS 'com.example.udf.Same';
    CREATE TABLE o (n INT) WITH ('connector' = 'print');
    INSERT INTO o SELECT same(n) FROM (VALUES (1), (2), (CAST(NULL AS INT))) AS t (n);";

#[test]
fn a_class_is_mapped_to_a_module_or_refused_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let (file, module) = (folder.path().join("same.sql"), folder.path().join("probe.wasm"));
    std::fs::write(&file, SQL).unwrap();
    let probe = concat!(env!("CARGO_MANIFEST_DIR"), "/../wasm/tests/probe.wat");
    std::fs::write(&module, wat::parse_file(probe).unwrap()).unwrap();
    let file = file.display().to_string();
    for command in ["run", "explain", "validate"] {
        let refused = tidemill(folder.path(), &[command, &file]);
        let said = text(&refused.stdout) + &text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(3), "{said}");
        assert!(
            said.contains("line 1, column 25: no WebAssembly module is given for `com.example.udf.Same`"),
            "{said}"
        );
        assert!(said.contains("--function 'com.example.udf.Same=FILE.wasm'"), "{said}");
    }
    let given = format!("com.example.udf.Same={}#same", module.display());
    let explained = tidemill(folder.path(), &["explain", &file, "--function", &given]);
    assert!(text(&explained.stdout).contains("same("), "{}", text(&explained.stderr));
    let run = tidemill(folder.path(), &["run", &file, "--fresh", "--function", &given]);
    assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
    assert_eq!(rows(&run), ["o> +I[1]", "o> +I[2]", "o> +I[null]"]);
    let missing = tidemill(folder.path(), &["validate", &file, "--function", "com.example.udf.Same=/nonexistent.wasm"]);
    assert!(text(&missing.stderr).contains("failed to read `/nonexistent.wasm`"), "{}", text(&missing.stderr));
}
