//! A query, run as a stream under the engine's driver: random batches, threads and epochs, a snapshot and restore
//! somewhere.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{ArrayRef, Int8Array, Int32Array, RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, TimeUnit, TimestampMillisecondType};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tidemill_engine::change;
use tidemill_engine::connector::Lookup;
use tidemill_engine::driver::Driver;
use tidemill_engine::element::{Element, Watermark};
use tidemill_engine::expression::Evaluator;
use tidemill_engine::lookup::Lookups;
use tidemill_engine::outside::Outside;
use tidemill_plan::{Change, Changelog, NodeKind, PlanNode, Source, StreamPlan};

use crate::case::{Arrival, File, Input};
use crate::cells;

/// Rows as texts, with how often each is there.
pub type Table = BTreeMap<Vec<String>, i64>;

/// A query's plan and the types of its columns.
pub struct Query {
    pub plan: StreamPlan,
    pub types: Vec<String>,
}

/// Plans a query over a file's tables.
pub fn plan(file: &File, sql: &str) -> Result<Query, String> {
    let tables = file.inputs.iter().map(Input::definition).collect::<String>();
    planned(tables + &file.definitions, sql)
}

fn planned(mut text: String, sql: &str) -> Result<Query, String> {
    let columns = tidemill_sql::columns(&text, sql).map_err(|error| error.to_string())?;
    let types: Vec<String> = columns.into_iter().map(|(_, sql_type)| sql_type).collect();
    let columns: Vec<String> =
        types.iter().enumerate().map(|(place, sql_type)| format!("c{place} {sql_type}")).collect();
    text += &format!("CREATE TABLE result ({}) WITH ('connector' = 'log');\n", columns.join(", "));
    text += &format!("INSERT INTO result {sql};");
    let compiled = tidemill_sql::compile(&text, &[]).map_err(|error| error.to_string())?;
    Ok(Query { plan: compiled.plan, types })
}

/// When a query begins by the machine's time, as expressions are told it: in January 2027.
const BEGINS_MS: i64 = 1_800_000_000_000;

/// What the stream's changes add up to.
pub fn run(file: &File, plan: &StreamPlan, parallelism: usize, seed: u64, arrival: Arrival) -> Result<Table, String> {
    let (mut parallelism, mut random) = (parallelism, SmallRng::seed_from_u64(seed));
    let outside = Outside { lookups: lookups(file, plan)?, ..Outside::default() };
    let opened = |parallelism: usize, seed: u64| {
        Driver::within(plan, parallelism, seed, &outside).map_err(|problem| format!("{problem:?}"))
    };
    let mut driver = opened(parallelism, seed)?;
    driver.now_ms = BEGINS_MS;
    let mut feeds = feeds(file, plan, arrival, &mut random)?;
    let total: usize = feeds.iter().map(|feed| feed.elements.len()).sum();
    let restore_at = random.random_range(0..total.max(1));
    let mut received = Vec::new();
    for step in 0..total {
        let waiting: Vec<usize> = (0..feeds.len()).filter(|place| !feeds[*place].elements.is_empty()).collect();
        let feed = &mut feeds[waiting[random.random_range(0..waiting.len())]];
        let element = feed.elements.pop_front().ok_or("a feed that waits has an element")?;
        let thread = if feed.in_order { 0 } else { random.random_range(0..parallelism) };
        let threads = if matches!(element, Element::Watermark(_)) { 0..parallelism } else { thread..thread + 1 };
        for thread in threads {
            driver.feed(feed.source, thread, element.clone()).map_err(|problem| format!("{problem:?}"))?;
        }
        if random.random_range(0..3) == 0 || step == restore_at {
            driver.now_ms += 100;
            driver.end_epoch().map_err(|problem| format!("{problem:?}"))?;
        }
        if step == restore_at {
            let snapshot = driver.snapshot().map_err(|problem| format!("{problem:?}"))?;
            received.append(&mut driver.received);
            let now_ms = driver.now_ms;
            if !feeds.iter().any(|feed| feed.in_order) {
                parallelism = random.random_range(1..=4);
            }
            driver = opened(parallelism, seed ^ 7)?;
            driver.now_ms = now_ms;
            driver.restore(&snapshot).map_err(|problem| format!("{problem:?}"))?;
        }
    }
    driver.now_ms += 100;
    driver.watermark(Watermark::END).map_err(|problem| format!("{problem:?}"))?;
    received.append(&mut driver.received);
    let changelog = plan.sinks().next().map(|(node, _)| node.changelog.clone()).ok_or("the plan has no sink")?;
    folded(received.iter().map(|(_, rows)| rows), &changelog)
}

/// What a source of the plan reads.
struct Feed {
    source: usize,
    elements: VecDeque<Element>,
    /// Whether one thread reads all of it.
    in_order: bool,
}

/// What each source reads: random batches in order, and after each the watermark that they bring.
fn feeds(file: &File, plan: &StreamPlan, arrival: Arrival, random: &mut SmallRng) -> Result<Vec<Feed>, String> {
    let mut feeds = Vec::new();
    for (place, node) in plan.nodes.iter().enumerate() {
        let NodeKind::Source(source) = &node.kind else { continue };
        let rows = rows_of(file, node, source)?;
        let mut elements = VecDeque::new();
        let mut start = 0;
        let mut reached = i64::MIN;
        while start < rows.num_rows() {
            let length = match arrival {
                Arrival::OneByOne => 1,
                Arrival::Any | Arrival::InOrder => random.random_range(1..=rows.num_rows() - start),
            };
            let batch = rows.slice(start, length);
            start += length;
            // In batches of chance no row may be late, not even one as old as the watermark.
            let early = if arrival == Arrival::OneByOne { 0 } else { 1 };
            let watermark = watermark(source, &batch)?.map(|time| time - early);
            elements.push_back(Element::Batch(batch));
            if let Some(time) = watermark.filter(|time| *time > reached) {
                reached = time;
                elements.push_back(Element::Watermark(Watermark::At(time)));
            }
        }
        feeds.push(Feed { source: place, elements, in_order: arrival != Arrival::Any || !node.changelog.is_append() });
    }
    Ok(feeds)
}

fn watermark(source: &Source, batch: &RecordBatch) -> Result<Option<i64>, String> {
    let Some(watermark) = &source.watermark else { return Ok(None) };
    let evaluator = Evaluator::new(&watermark.expression, &batch.schema()).map_err(|error| error.to_string())?;
    let times = evaluator.evaluate(batch, "watermark").map_err(|problem| format!("{problem:?}"))?;
    let times = cast(&times, &DataType::Timestamp(TimeUnit::Millisecond, None)).map_err(|error| error.to_string())?;
    Ok(arrow::compute::max(times.as_primitive::<TimestampMillisecondType>()))
}

/// A table's rows with the columns that a plan's source reads.
fn rows_of(file: &File, node: &PlanNode, source: &Source) -> Result<RecordBatch, String> {
    if source.table.connector == "values" {
        return numbered(node, source);
    }
    let input = input_of(file, &source.table)?;
    let mut columns = columns_of(input, &node.schema)?;
    if let Some(additions) = &input.additions {
        let changes = additions.iter().map(|added| if *added { Change::Insert } else { Change::Delete } as i8);
        columns.push(Arc::new(changes.collect::<Int8Array>()));
    }
    let options = RecordBatchOptions::new().with_row_count(Some(input.rows.len()));
    RecordBatch::try_new_with_options(node.batch_schema(), columns, &options).map_err(|error| error.to_string())
}

fn input_of<'a>(file: &'a File, table: &tidemill_plan::Table) -> Result<&'a Input, String> {
    file.inputs.iter().find(|input| input.name == table.name).ok_or("the table has no rows".to_string())
}

/// These columns of a table's rows.
fn columns_of(input: &Input, wanted: &Schema) -> Result<Vec<ArrayRef>, String> {
    let all = schema(input)?;
    let column = |field: &Arc<Field>| {
        let place = all.index_of(field.name()).map_err(|error| error.to_string())?;
        cells::parsed(input, place, field.data_type())
    };
    wanted.fields().iter().map(column).collect()
}

/// The tables that a plan looks up in, with the file's rows.
fn lookups(file: &File, plan: &StreamPlan) -> Result<Lookups, String> {
    let mut lookups = Lookups::default();
    for node in &plan.nodes {
        if let NodeKind::LookupJoin(join) = &node.kind {
            let columns = columns_of(input_of(file, &join.table)?, &join.table_schema)?;
            let rows = RecordBatch::try_new(join.table_schema.clone(), columns).map_err(|error| error.to_string())?;
            lookups.open(&node.uid, join, Arc::new(Constant(rows))).map_err(|problem| format!("{problem:?}"))?;
        }
    }
    Ok(lookups)
}

/// Rows that are looked up in, and never change.
struct Constant(RecordBatch);

impl Lookup for Constant {
    fn load(&self) -> tidemill_engine::connector::Result<Vec<RecordBatch>> {
        Ok(vec![self.0.clone()])
    }
}

/// The numbered rows of a query without tables.
fn numbered(node: &PlanNode, source: &Source) -> Result<RecordBatch, String> {
    let rows = source.table.options.get("rows").ok_or("values have rows")?;
    let rows: Vec<serde_json::Value> = serde_json::from_str(rows).map_err(|error| error.to_string())?;
    let numbers: ArrayRef = Arc::new(Int32Array::from_iter_values(0..rows.len() as i32));
    let columns = node.schema.fields().iter().map(|_| numbers.clone()).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    RecordBatch::try_new_with_options(node.schema.clone(), columns, &options).map_err(|error| error.to_string())
}

/// A table's stored columns.
pub fn schema(input: &Input) -> Result<Schema, String> {
    let plan = planned(input.definition(), &format!("SELECT * FROM {}", input.name))?.plan;
    let source = plan.nodes.into_iter().find(|node| matches!(node.kind, NodeKind::Source(_)));
    let source = source.ok_or("a plan that reads a table has a source")?;
    Ok(source.schema.as_ref().clone())
}

/// What changes add up to. Nothing may be taken back that is not there.
pub fn folded<'a>(batches: impl IntoIterator<Item = &'a RecordBatch>, changelog: &Changelog) -> Result<Table, String> {
    let mut table = Table::new();
    for rows in batches {
        let (_, changes) = change::split(rows);
        if changes.is_none() && !changelog.is_append() {
            return Err("rows of a changelog do not say what they change".to_string());
        }
        for (row, texts) in texts(rows).into_iter().enumerate() {
            let count = table.entry(texts.clone()).or_default();
            *count += if change::is_addition(changes, row) { 1 } else { -1 };
            if *count < 0 {
                return Err(format!("{texts:?} is taken back but was not there"));
            }
        }
    }
    table.retain(|_, count| *count != 0);
    Ok(table)
}

/// Rows as texts.
pub fn texts(rows: &RecordBatch) -> Vec<Vec<String>> {
    let columns: Vec<Vec<String>> = change::split(rows).0.iter().map(|column| cells::texts(column)).collect();
    (0..rows.num_rows()).map(|row| columns.iter().map(|column| column[row].clone()).collect()).collect()
}
