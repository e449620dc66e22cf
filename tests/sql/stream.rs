//! A query, run as a stream under the engine's driver: random batches, threads and epochs, a snapshot and restore
//! somewhere.

use std::collections::BTreeMap;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampMillisecondType};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tidemill_engine::change;
use tidemill_engine::driver::Driver;
use tidemill_engine::element::{Element, Watermark};
use tidemill_engine::expression::Evaluator;
use tidemill_plan::{Changelog, NodeKind, PlanNode, Source, StreamPlan};

use crate::case::File;

/// Rows as texts, with how often each is there.
pub type Table = BTreeMap<Vec<String>, i64>;

/// Plans a query over a file's tables.
pub fn plan(file: &File, sql: &str) -> Result<StreamPlan, String> {
    let mut text = file
        .inputs
        .iter()
        .map(|input| format!("CREATE TABLE {} ({}) WITH ('connector' = 'test');\n", input.name, input.columns))
        .collect::<String>();
    text += &file.definitions;
    let columns = tidemill_sql::columns(&text, sql).map_err(|error| error.to_string())?;
    let columns: Vec<String> =
        columns.iter().enumerate().map(|(place, (_, sql_type))| format!("c{place} {sql_type}")).collect();
    text += &format!("CREATE TABLE result ({}) WITH ('connector' = 'log');\n", columns.join(", "));
    text += &format!("INSERT INTO result {sql};");
    tidemill_sql::compile(&text, &[]).map(|compiled| compiled.plan).map_err(|error| error.to_string())
}

/// What the stream's changes add up to.
pub fn run(file: &File, plan: &StreamPlan, parallelism: usize, seed: u64, ordered: bool) -> Result<Table, String> {
    let mut random = SmallRng::seed_from_u64(seed);
    let mut driver = Driver::new(plan, parallelism, seed).map_err(|problem| format!("{problem:?}"))?;
    let mut feeds = feeds(file, plan, &mut random)?;
    let total: usize = feeds.iter().map(|feed| feed.1.len()).sum();
    let restore_at = random.random_range(0..total.max(1));
    let mut received = Vec::new();
    for step in 0..total {
        let waiting: Vec<usize> = (0..feeds.len()).filter(|place| !feeds[*place].1.is_empty()).collect();
        let (source, elements) = &mut feeds[waiting[random.random_range(0..waiting.len())]];
        let element = elements.remove(0);
        let thread = if ordered { 0 } else { random.random_range(0..parallelism) };
        let threads = if matches!(element, Element::Watermark(_)) { 0..parallelism } else { thread..thread + 1 };
        for thread in threads {
            driver.feed(*source, thread, element.clone()).map_err(|problem| format!("{problem:?}"))?;
        }
        if random.random_range(0..3) == 0 || step == restore_at {
            driver.now_ms += 100;
            driver.end_epoch().map_err(|problem| format!("{problem:?}"))?;
        }
        if step == restore_at {
            let snapshot = driver.snapshot().map_err(|problem| format!("{problem:?}"))?;
            received.append(&mut driver.received);
            let now_ms = driver.now_ms;
            driver = Driver::new(plan, parallelism, seed ^ 7).map_err(|problem| format!("{problem:?}"))?;
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

/// What each source of the plan reads: random batches in order, and after each the watermark that they bring.
fn feeds(file: &File, plan: &StreamPlan, random: &mut SmallRng) -> Result<Vec<(usize, Vec<Element>)>, String> {
    let mut feeds = Vec::new();
    for (place, node) in plan.nodes.iter().enumerate() {
        let NodeKind::Source(source) = &node.kind else { continue };
        let rows = rows_of(file, node, source)?;
        let mut elements = Vec::new();
        let mut start = 0;
        let mut reached = i64::MIN;
        while start < rows.num_rows() {
            let length = random.random_range(1..=rows.num_rows() - start);
            let batch = rows.slice(start, length);
            start += length;
            let watermark = watermark(source, &batch)?;
            elements.push(Element::Batch(batch));
            if let Some(time) = watermark.filter(|time| *time > reached) {
                reached = time;
                elements.push(Element::Watermark(Watermark::At(time)));
            }
        }
        feeds.push((place, elements));
    }
    Ok(feeds)
}

fn watermark(source: &Source, batch: &RecordBatch) -> Result<Option<i64>, String> {
    let Some(watermark) = &source.watermark else { return Ok(None) };
    let evaluator = Evaluator::new(&watermark.expression, &batch.schema()).map_err(|error| error.to_string())?;
    let times = evaluator.evaluate(batch, "watermark").map_err(|problem| format!("{problem:?}"))?;
    let times = cast(&times, &DataType::Timestamp(TimeUnit::Millisecond, None)).map_err(|error| error.to_string())?;
    // A row as old as the watermark is not late yet, as in Flink.
    Ok(arrow::compute::max(times.as_primitive::<TimestampMillisecondType>()).map(|time| time - 1))
}

/// A table's rows with the columns that a plan's source reads.
fn rows_of(file: &File, node: &PlanNode, source: &Source) -> Result<RecordBatch, String> {
    let input = file.inputs.iter().find(|input| input.name == source.table.name).ok_or("the table has no rows")?;
    let all = columns(input)?;
    let columns: Vec<ArrayRef> = node
        .schema
        .fields()
        .iter()
        .map(|field| {
            let place = all.iter().position(|(name, _)| name == field.name()).ok_or("a column is not declared")?;
            parsed(input, place, field.data_type())
        })
        .collect::<Result<_, String>>()?;
    RecordBatch::try_new(node.schema.clone(), columns).map_err(|error| error.to_string())
}

/// The names and types of a table's stored columns.
pub fn columns(input: &crate::case::Input) -> Result<Vec<(String, String)>, String> {
    let definition = format!("CREATE TABLE t ({}) WITH ('connector' = 'test');", input.columns);
    let width = input.rows.first().map_or(usize::MAX, Vec::len);
    let columns = tidemill_sql::columns(&definition, "SELECT * FROM t").map_err(|error| error.to_string())?;
    // Computed columns stand behind the stored ones in these files.
    Ok(columns.into_iter().take(width).collect())
}

/// A column of a table's rows.
pub fn parsed(input: &crate::case::Input, place: usize, data_type: &DataType) -> Result<ArrayRef, String> {
    let texts: arrow::array::StringArray = input.rows.iter().map(|row| row.get(place).cloned().flatten()).collect();
    let column = cast(&texts, data_type).map_err(|error| error.to_string())?;
    if column.null_count() > texts.null_count() {
        return Err(format!("a cell in column {place} of {} is no {data_type}", input.name));
    }
    Ok(column)
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
    let options = FormatOptions::new().with_null("NULL").with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.3f"));
    let (columns, _) = change::split(rows);
    let formatters: Vec<ArrayFormatter<'_>> = columns
        .iter()
        .map(|column| ArrayFormatter::try_new(column.as_ref(), &options).expect("every type can be shown"))
        .collect();
    let text = |row| formatters.iter().map(|formatter| formatter.value(row).to_string()).collect();
    (0..rows.num_rows()).map(text).collect()
}
