//! Wrong queries: right ones with a few tokens lost, doubled, swapped or replaced. The planner must refuse them with a
//! place in the text, or plan them; it must never panic.

use tidemill_sql::{Place, SqlError};

use super::choices::Choices;
use super::{Query, caught, number};
use crate::summary;

/// Unless `FUZZ_RUNS` says otherwise: what fits into about two seconds.
const QUERIES: u64 = 150;
const MUTANTS_PER_QUERY: u64 = 6;

/// What stands nowhere, or stands for much.
const ODD: [&str; 52] = [
    "(",
    ")",
    ",",
    ".",
    "*",
    ";",
    "'",
    "\"",
    "`",
    "--",
    "/*",
    "*/",
    "@",
    "?",
    "[",
    "]",
    "{",
    "=>",
    "||",
    "::",
    "\u{0}",
    "é",
    "99999999999999999999999",
    "1e400",
    "0x",
    "NULL",
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP BY",
    "HAVING",
    "ORDER BY",
    "LIMIT",
    "OVER",
    "PARTITION BY",
    "INTERVAL",
    "DESCRIPTOR",
    "TABLE",
    "TUMBLE",
    "SESSION",
    "CASE",
    "END",
    "CAST",
    "AS",
    "JOIN",
    "ON",
    "EXISTS",
    "IN",
    "ROW",
    "ARRAY",
    "MATCH_RECOGNIZE",
    "FOR SYSTEM_TIME AS OF",
];

#[test]
fn wrong_queries_are_refused_with_a_place() {
    let first = number("FUZZ_SEED").unwrap_or(1);
    let queries = number("FUZZ_RUNS").map_or(QUERIES, |runs| runs / MUTANTS_PER_QUERY);
    let (mut refused, mut planned, mut faults) = (0, 0, Vec::new());
    for seed in first..first + queries {
        let query = Query::of(&mut Choices::of_seed(seed));
        for mutant in 0..MUTANTS_PER_QUERY {
            let mut choices = Choices::of_seed(seed << 8 | mutant);
            let wrong = match mutant {
                0 => with_unknown_column(&query.sql.stream, &mut choices),
                _ => Wrong { text: mutated(&query.sql.stream, &mut choices), unknown_at: None },
            };
            match judged(&query, &wrong) {
                Ok(true) => planned += 1,
                Ok(false) => refused += 1,
                Err(fault) => faults.push(format!("FUZZ_SEED={seed} mutant {mutant}: {fault}\n{}", wrong.text)),
            }
        }
    }
    println!("\nfuzz: seeds {first}..{}: {refused} wrong queries refused, {planned} still right", first + queries);
    summary::note(serde_json::json!({"fuzz_refused": refused}));
    assert!(refused > planned, "hardly anything was wrong");
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

struct Wrong {
    text: String,
    /// Where a name stands that nothing has, counted in characters.
    unknown_at: Option<usize>,
}

/// Whether a query is planned; an error if it is neither that nor refused as it should be.
fn judged(query: &Query, wrong: &Wrong) -> Result<bool, String> {
    let mut definitions = String::new();
    for table in &query.tables {
        let input = table.filled(&mut Choices::again(&[]), 0, 1);
        definitions += &format!("CREATE TABLE {} ({}) WITH ('connector' = 'test');\n", input.name, input.columns);
    }
    let text = format!(
        "{definitions}CREATE VIEW wrong AS {};\nCREATE TABLE sink (c BIGINT) WITH ('connector' = 'log');\n\
                        INSERT INTO sink SELECT COUNT(*) FROM wrong;",
        wrong.text
    );
    let outcome = caught(|| tidemill_sql::compile(&text, &[])).map_err(|fault| fault.to_string())?;
    match (outcome, wrong.unknown_at) {
        (Ok(_), None) => Ok(true),
        (Ok(_), Some(_)) => Err("was planned with a column that is not there".to_string()),
        (Err(error), None) => in_text(&error, &text).map(|()| false),
        (Err(error), Some(at)) => {
            let column = "CREATE VIEW wrong AS ".chars().count() + at + 1;
            let line = definitions.lines().count() + 1;
            match error.place == (Place::Text { line: line as u64, column: column as u64 }) {
                true => Ok(false),
                false => Err(format!("the unknown column stands at line {line}, column {column}, but: {error}")),
            }
        }
    }
}

fn in_text(error: &SqlError, text: &str) -> Result<(), String> {
    let (Some(line), Some(column)) = (error.line(), error.column()) else {
        return Err(format!("the error has no place in the text: {error}"));
    };
    let width = text.split('\n').nth(line as usize - usize::from(line > 0)).map(|line| line.chars().count() as u64);
    match line > 0 && column > 0 && width.is_some_and(|width| column <= width + 1) {
        true => Ok(()),
        false => Err(format!("the error's place is not in the text: {error}")),
    }
}

/// Words, numbers, texts in quotes, and single other characters.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let length = match first {
            '\'' => rest[1..].find('\'').map_or(rest.len(), |end| end + 2),
            c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            c => c.len_utf8(),
        };
        tokens.push(rest[..length].to_string());
        rest = &rest[length..];
    }
    tokens
}

fn mutated(text: &str, choices: &mut Choices) -> String {
    let mut tokens = tokens(text);
    for _ in 0..1 + choices.below(3) {
        let (place, other) = (choices.below(tokens.len()), choices.below(tokens.len()));
        match choices.below(6) {
            0 => tokens[place] = String::new(),
            1 => tokens[place] = format!("{0} {0}", tokens[place]),
            2 => tokens.swap(place, other),
            3 => tokens[place] = tokens[other].clone(),
            4 => tokens[place] = format!(" {} ", choices.pick(&ODD)),
            _ => {
                let (from, to) = (place.min(other), place.max(other).min(place.min(other) + 12));
                tokens.drain(from..to);
            }
        }
        if tokens.is_empty() {
            tokens.push(choices.pick(&ODD).to_string());
        }
    }
    tokens.concat()
}

/// The query with a column's name put wrong somewhere.
fn with_unknown_column(text: &str, choices: &mut Choices) -> Wrong {
    let mut tokens = tokens(text);
    let names = |place: &usize| *place >= 2 && tokens[place - 1] == "." && tokens[place - 2].starts_with('q');
    let places: Vec<usize> = (0..tokens.len()).filter(names).collect();
    let Some(place) = (!places.is_empty()).then(|| choices.pick(&places)) else {
        return Wrong { text: mutated(text, choices), unknown_at: None };
    };
    tokens[place] = "nowhere".to_string();
    let at = tokens[..place - 2].concat().chars().count();
    Wrong { text: tokens.concat(), unknown_at: Some(at) }
}
