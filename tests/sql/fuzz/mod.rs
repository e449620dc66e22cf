//! Random queries over random tables: what the stream's changes add up to must be what DataFusion computes of all rows
//! at once. See README.md for what counts as a run, and how to repeat one.

mod aggregate;
mod choices;
mod join;
mod mutate;
mod order;
mod relation;
mod scalar;
mod select;
mod tables;
mod text;
mod window;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use tidemill_plan::StreamPlan;
use tokio::runtime::Runtime;

use crate::case::{Arrival, File, Input};
use crate::{batch, same, stream, summary};
use choices::{Choices, shrunk};
use relation::Generator;
use tables::{Table, base_ms, tables};
use text::Sql;

/// Sets of rows for each query, and runs of the stream for each set.
const ROWS_PER_QUERY: u64 = 3;
const RUNS_PER_ROWS: u64 = 3;
/// Runs unless `FUZZ_RUNS` asks for others: the same everywhere, so that a quick machine tests what a slow one does.
const RUNS: u64 = 90 * ROWS_PER_QUERY * RUNS_PER_ROWS;
const SHRINK_TRIES: usize = 600;
/// Differences after which a look at them says more than going on.
const ENOUGH: usize = 10;

/// A query and the tables that it reads.
struct Query {
    tables: Vec<Table>,
    base_ms: i64,
    sql: Sql,
    shape: String,
}

/// What is wrong with a case.
#[derive(Debug)]
enum Fault {
    Refused(String),
    Differs(String),
    Panicked(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(why) => write!(f, "the query is refused: {why}"),
            Self::Differs(how) => write!(f, "{how}"),
            Self::Panicked(with) => write!(f, "a panic: {with}"),
        }
    }
}

/// What has been seen.
#[derive(Default)]
struct Seen {
    runs: u64,
    queries: u64,
    shapes: BTreeSet<String>,
    /// Queries that DataFusion cannot run, by what it says.
    beyond_batch: BTreeMap<String, u64>,
    differences: Vec<String>,
}

#[test]
fn streams_add_up_to_what_the_batch_computes() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime needs nothing");
    let runs = number("FUZZ_RUNS").unwrap_or(RUNS);
    let first = number("FUZZ_SEED").unwrap_or(1);
    let started = Instant::now();
    let mut seen = Seen::default();
    let mut seed = first;
    while seen.runs < runs && seen.differences.len() < ENOUGH {
        try_query(seed, &runtime, &mut seen);
        seed += 1;
    }
    println!(
        "\nfuzz: seeds {first}..{seed} in {} s: {} queries of {} shapes, {} beyond the batch: {:?}",
        started.elapsed().as_secs(),
        seen.queries,
        seen.shapes.len(),
        seen.beyond_batch.values().sum::<u64>(),
        seen.beyond_batch
    );
    summary::note(serde_json::json!({"fuzz_runs": seen.runs, "fuzz_differences": seen.differences.len()}));
    assert!(seen.runs > 0, "nothing was run");
    assert!(seen.differences.is_empty(), "{}", seen.differences.join("\n\n"));
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}

fn try_query(seed: u64, runtime: &Runtime, seen: &mut Seen) {
    let mut choices = Choices::of_seed(seed);
    let query = Query::of(&mut choices);
    let made = choices.made();
    if std::env::var_os("FUZZ_PRINT").is_some() {
        println!("\n{seed}\n{}\n{}", query.sql.stream, query.sql.batch);
    }
    seen.queries += 1;
    for set in 0..ROWS_PER_QUERY {
        let mut choices = Choices::of_seed(rows_seed(seed, set));
        let inputs = query.rows(&mut choices);
        let rows = choices.made();
        let expected = match runtime.block_on(batch::run(&query.file(inputs.clone()), &query.sql.batch)) {
            Ok(expected) => expected,
            Err(problem) => {
                let problem = problem.chars().take(90).collect();
                *seen.beyond_batch.entry(problem).or_default() += 1;
                return;
            }
        };
        let schedules = schedules(seed, set);
        match run(&query, inputs, &expected, schedules.clone()) {
            Ok(runs) => seen.runs += runs,
            Err(fault) => {
                seen.runs += 1;
                seen.differences.push(report(seed, (&made, &rows), &fault, schedules, runtime));
                return;
            }
        }
    }
    seen.shapes.insert(query.shape);
}

/// Rows and schedules are drawn from other seeds than the query is.
fn rows_seed(seed: u64, set: u64) -> u64 {
    seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(set + 1)
}

fn schedules(seed: u64, set: u64) -> std::ops::Range<u64> {
    let first = rows_seed(seed, set) >> 16;
    first..first + RUNS_PER_ROWS
}

impl Query {
    fn of(choices: &mut Choices) -> Self {
        let tables = tables(choices);
        let base_ms = base_ms(choices);
        let depth = 1 + choices.below(3);
        let mut generator = Generator::new(choices, &tables, base_ms);
        let relation = generator.relation(depth);
        let sql = generator.query(&relation);
        Self { base_ms, sql, shape: relation.shape, tables }
    }

    fn rows(&self, choices: &mut Choices) -> Vec<Input> {
        let most = [12, 30][choices.below(2)];
        self.tables.iter().map(|table| table.filled(choices, self.base_ms, most)).collect()
    }

    fn file(&self, inputs: Vec<Input>) -> File {
        File { inputs, ..File::default() }
    }
}

/// Runs the stream by all schedules; says how often it did.
fn run(
    query: &Query,
    inputs: Vec<Input>,
    expected: &stream::Table,
    schedules: std::ops::Range<u64>,
) -> Result<u64, Fault> {
    let file = query.file(inputs);
    let planned = caught(|| stream::plan(&file, &query.sql.stream))?.map_err(Fault::Refused)?;
    for schedule in schedules.clone() {
        let found = caught(|| played(&file, &planned.plan, schedule))?;
        let found = found.map_err(|problem| Fault::Differs(format!("schedule {schedule}: {problem}")))?;
        same(&format!("the stream by schedule {schedule}"), &found, expected).map_err(Fault::Differs)?;
    }
    Ok(schedules.end - schedules.start)
}

fn played(file: &File, plan: &StreamPlan, schedule: u64) -> Result<stream::Table, String> {
    stream::run(file, plan, 1 + schedule as usize % 4, schedule, Arrival::Any)
}

fn caught<T>(act: impl FnOnce() -> T) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(act)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or(panic.downcast_ref::<&str>().copied());
        Fault::Panicked(text.unwrap_or("without a word").to_string())
    })
}

/// A difference as a file of cases, after it has been made as small as can be.
fn report(
    seed: u64,
    (query, rows): (&[u32], &[u32]),
    fault: &Fault,
    schedules: std::ops::Range<u64>,
    runtime: &Runtime,
) -> String {
    let tried = schedules.start..schedules.start + 4 * RUNS_PER_ROWS;
    let outcome = |query: &[u32], rows: &[u32]| {
        let built = Query::of(&mut Choices::again(query));
        let inputs = built.rows(&mut Choices::again(rows));
        let expected = runtime.block_on(batch::run(&built.file(inputs.clone()), &built.sql.batch)).ok()?;
        let found = run(&built, inputs.clone(), &expected, tried.clone()).err()?;
        Some((built, inputs, expected, found))
    };
    let same_kind = |other: &Fault| std::mem::discriminant(other) == std::mem::discriminant(fault);
    let fails = |query: &[u32], rows: &[u32]| outcome(query, rows).is_some_and(|(_, _, _, found)| same_kind(&found));
    let (mut query, mut rows) = (query.to_vec(), rows.to_vec());
    for _ in 0..2 {
        query = shrunk(query, SHRINK_TRIES, |choices| fails(choices, &rows));
        rows = shrunk(rows, SHRINK_TRIES, |choices| fails(&query, choices));
    }
    let Some((built, inputs, expected, fault)) = outcome(&query, &rows) else {
        return format!("seed {seed}: {fault}\nwhich could not be repeated");
    };
    let tables = inputs.iter().map(|input| {
        let cell = |cell: &Option<String>| cell.clone().unwrap_or("NULL".to_string());
        let row = |row: &Vec<Option<String>>| row.iter().map(cell).collect::<Vec<_>>().join(" | ") + "\n";
        let rows = input.rows.iter().map(row).collect::<String>();
        format!("--- table {}\n{}\n--- rows\n{rows}\n", input.name, input.columns)
    });
    let results = expected.iter().map(|(row, count)| format!("{}\n", row.join(" | ")).repeat(*count as usize));
    format!(
        "FUZZ_SEED={seed}: {fault}\n{}--- query {}\n{}\n--- batch\n{}\n--- expect batch\n{}",
        tables.collect::<String>(),
        built.shape,
        built.sql.stream,
        built.sql.batch,
        results.collect::<String>()
    )
}
