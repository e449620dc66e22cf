//! Expressions: each over the single row of a table, or over none; all of a section in one query while that is right.

use crate::case::{Arrival, File, Value, Values};
use crate::stream;

/// Runs with other batches, threads and epochs: one row has few.
const RUNS: u64 = 2;

/// What is wrong with a section's expressions, each with its text.
pub fn check(file: &File, values: &Values) -> Vec<String> {
    let (good, failing): (Vec<&Value>, Vec<&Value>) = values
        .lines
        .iter()
        .filter(|value| !value.refused_here || stream::plan(file, &query(values, &[value])).is_ok())
        .partition(|value| value.expected.is_some());
    let mut problems = Vec::new();
    if let Err(problem) = compared(file, values, &good) {
        let alone = good.iter().filter_map(|value| {
            let problem = compared(file, values, &[value]).err()?;
            Some(format!("`{}`: {problem}", value.sql))
        });
        problems.extend(alone);
        if problems.is_empty() {
            problems.push(format!("together, not alone: {problem}"));
        }
    }
    for value in failing {
        if let Ok((_, found)) = computed(file, values, &[value], 0) {
            problems.push(format!("`{}` gave {found:?}, but must fail", value.sql));
        }
    }
    problems.into_iter().map(|problem| format!("{}: {problem}", values.name)).collect()
}

fn compared(file: &File, values: &Values, lines: &[&Value]) -> Result<(), String> {
    for seed in 0..RUNS {
        let (types, found) = computed(file, values, lines, seed)?;
        for ((line, found), found_type) in lines.iter().zip(found).zip(types) {
            let Some((value, value_type)) = &line.expected else { continue };
            if (&found, &found_type) != (value, value_type) {
                return Err(format!("gave {found} :: {found_type} but expected {value} :: {value_type}"));
            }
        }
    }
    Ok(())
}

/// The types and values of expressions.
fn computed(file: &File, values: &Values, lines: &[&Value], seed: u64) -> Result<(Vec<String>, Vec<String>), String> {
    if lines.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let query = stream::plan(file, &query(values, lines))?;
    let table = stream::run(file, &query.plan, 1, seed, Arrival::Any)?;
    match table.into_iter().next() {
        Some((row, 1)) => Ok((query.types, row)),
        found => Err(format!("gave not one row but {found:?}")),
    }
}

fn query(values: &Values, lines: &[&Value]) -> String {
    let from = values.table.as_ref().map(|table| format!(" FROM {table}")).unwrap_or_default();
    let expressions: Vec<&str> = lines.iter().map(|line| line.sql.as_str()).collect();
    format!("SELECT {}{from}", expressions.join(",\n"))
}
