//! Runs the cases of `tests/plans`: `NAME.sql` must give the plan in `NAME.plan`, or the error in `NAME.err`; what
//! `look_NAME.sql` asks to be shown must be `look_NAME.look`. Tables come from `catalog.json` beside it, functions of the
//! user's from `module.wat`: by the file `module.wasm`, or one by the class `com.example.CountChar`. `UPDATE_PLANS=1 cargo test -p tidemill-sql --test plans` writes the files anew;
//! read the difference before committing it.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use tidemill_functions::Module;
use tidemill_sql::{Catalog, FunctionModule, TableDefinition, compile, explain, look};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/plans")
}

/// What all cases may use.
struct Given {
    tables: Vec<TableDefinition>,
    modules: Vec<FunctionModule>,
}

impl Given {
    fn read() -> Self {
        let tables = serde_json::from_str(&fs::read_to_string(folder().join("catalog.json")).unwrap()).unwrap();
        let module = Module::read(&wat::parse_file(folder().join("module.wat")).unwrap()).unwrap();
        let named = |name: &str, function: Option<&str>| FunctionModule {
            name: name.to_string(),
            function: function.map(str::to_string),
            module: module.clone(),
        };
        let modules = vec![named("module.wasm", None), named("com.example.CountChar", Some("count_char"))];
        Self { tables, modules }
    }

    fn catalog(&self) -> Catalog<'_> {
        Catalog { tables: &self.tables, modules: &self.modules }
    }
}

/// What a case gives, and the ending of the file that it belongs into.
fn outcome(case: &Path, sql: &str, catalog: Catalog<'_>) -> (&'static str, String) {
    if case.file_name().is_some_and(|name| name.to_string_lossy().starts_with("look_")) {
        return match look(sql, catalog, &[]) {
            Ok(shown) => ("look", shown),
            Err(error) => ("err", format!("{error}\n")),
        };
    }
    match compile(sql, catalog) {
        Ok(compiled) => {
            let stored = serde_json::to_string(&compiled.plan).unwrap();
            assert_eq!(serde_json::from_str::<tidemill_plan::StreamPlan>(&stored).unwrap(), compiled.plan, "{sql}");
            ("plan", explain(&compiled))
        }
        Err(error) => ("err", format!("{error}\n")),
    }
}

fn cases() -> Vec<PathBuf> {
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|ending| ending == "sql")).collect();
    cases.sort();
    cases
}

#[test]
fn every_case_gives_its_plan_or_error() {
    let (given, update) = (Given::read(), std::env::var_os("UPDATE_PLANS").is_some());
    let mut wrong = Vec::new();
    for case in cases() {
        let (ending, found) = outcome(&case, &fs::read_to_string(&case).unwrap(), given.catalog());
        let golden = case.with_extension(ending);
        if update {
            let others = ["plan", "err", "look"].into_iter().filter(|other| *other != ending);
            others.for_each(|other| drop(fs::remove_file(case.with_extension(other))));
            fs::write(&golden, &found).unwrap();
        }
        let expected = fs::read_to_string(&golden).unwrap_or_else(|_| format!("no {}", golden.display()));
        if expected != found {
            wrong.push(format!("== {}\nexpected:\n{expected}\nfound:\n{found}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The text with a word missing, doubled, or with its end missing.
fn damaged(sql: &str) -> Vec<String> {
    let words = words(sql);
    let without = words.iter().map(|(start, word)| format!("{}{}", &sql[..*start], &sql[start + word.len()..]));
    let doubled = words.iter().map(|(start, word)| format!("{} {word} {}", &sql[..*start], &sql[*start..]));
    let ends = words.iter().map(|(start, _)| sql[..*start].to_string());
    without.chain(doubled).chain(ends).collect()
}

/// Words and single other characters, with where they begin.
fn words(sql: &str) -> Vec<(usize, &str)> {
    let joins = |c: char| c.is_alphanumeric() || c == '_';
    let mut words: Vec<(usize, &str)> = Vec::new();
    for (start, character) in sql.char_indices() {
        let end = start + character.len_utf8();
        match words.last_mut() {
            Some((begin, word)) if joins(character) && word.chars().all(joins) => *word = &sql[*begin..end],
            _ => words.push((start, &sql[start..end])),
        }
    }
    words
}

#[test]
fn damaged_texts_are_refused_with_a_place_in_them_or_planned_soundly() {
    let given = Given::read();
    for case in cases() {
        for text in damaged(&fs::read_to_string(&case).unwrap()) {
            let compiled = std::panic::catch_unwind(|| compile(&text, given.catalog()));
            let compiled = compiled.unwrap_or_else(|_| panic!("this text makes the planner panic:\n{text}"));
            let Err(error) = compiled else { continue };
            let (Some(line), Some(column)) = (error.line(), error.column()) else { continue };
            let lines = text.matches('\n').count() as u64 + 1;
            assert!((1..=lines).contains(&line) && column > 0, "{error} is outside of:\n{text}");
        }
    }
}

#[test]
fn there_are_cases() {
    assert!(cases().len() > 20);
}
