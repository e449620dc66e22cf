//! Any plan under the driver: random input in, the table that its changes add up to out.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tidemill_engine::change;
use tidemill_engine::driver::Driver;
use tidemill_engine::element::{Element, Watermark};
use tidemill_plan::StreamPlan;

/// A table's rows as text, with how often each is there.
pub type Table = BTreeMap<Vec<String>, i64>;

/// What changes add up to. Panics if a row is taken back more often than it was there, at any point.
pub fn folded<'a>(batches: impl IntoIterator<Item = &'a RecordBatch>) -> Table {
    let mut table = Table::new();
    for rows in batches {
        let (_, changes) = change::split(rows);
        for (row, texts) in texts(rows).into_iter().enumerate() {
            let count = table.entry(texts.clone()).or_default();
            *count += if change::is_addition(changes, row) { 1 } else { -1 };
            assert!(*count >= 0, "{texts:?} is taken back but was not there");
            if *count == 0 {
                table.remove(&texts);
            }
        }
    }
    table
}

/// What an upsert stream adds up to: the last row of each key, a key being the texts of these columns.
pub fn upserted<'a>(batches: impl IntoIterator<Item = &'a RecordBatch>, key: &[usize]) -> Table {
    let mut rows_by_key: BTreeMap<Vec<String>, Vec<String>> = BTreeMap::new();
    for rows in batches {
        let (_, changes) = change::split(rows);
        for (row, texts) in texts(rows).into_iter().enumerate() {
            let key: Vec<String> = key.iter().map(|column| texts[*column].clone()).collect();
            match change::is_addition(changes, row) {
                true => rows_by_key.insert(key, texts),
                false => rows_by_key.remove(&key),
            };
        }
    }
    rows_by_key.into_values().map(|row| (row, 1)).collect()
}

/// The rows as texts, `NULL` for NULL, without the column that tells of the change.
pub fn texts(rows: &RecordBatch) -> Vec<Vec<String>> {
    let options = FormatOptions::new().with_null("NULL");
    let (columns, _) = change::split(rows);
    let formatters: Vec<ArrayFormatter<'_>> =
        columns.iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options).unwrap()).collect();
    let text = |row| formatters.iter().map(|formatter| formatter.value(row).to_string()).collect();
    (0..rows.num_rows()).map(text).collect()
}

/// What a source of the plan reads, in order.
pub struct Feed {
    /// The source's place in the plan.
    pub source: usize,
    pub elements: Vec<Element>,
}

/// Runs a plan on `parallelism` threads with random epochs, a snapshot and restore somewhere, and the end of all time
/// at the end. Batches of a feed go to random threads unless the order within a feed matters (`in_order`: all to
/// thread 0); watermarks go to all. Returns what the sinks received, in order.
pub fn run(plan: &StreamPlan, feeds: Vec<Feed>, parallelism: usize, seed: u64, in_order: bool) -> Vec<RecordBatch> {
    let mut random = SmallRng::seed_from_u64(seed);
    let mut driver = Driver::new(plan, parallelism, seed).unwrap();
    let mut received = Vec::new();
    let mut queues: Vec<(usize, std::collections::VecDeque<Element>)> =
        feeds.into_iter().map(|feed| (feed.source, feed.elements.into())).collect();
    let total: usize = queues.iter().map(|(_, queue)| queue.len()).sum();
    let restore_at = random.random_range(0..total.max(1));
    for step in 0..total {
        let waiting: Vec<usize> = (0..queues.len()).filter(|place| !queues[*place].1.is_empty()).collect();
        let (source, queue) = &mut queues[waiting[random.random_range(0..waiting.len())]];
        let element = queue.pop_front().unwrap();
        match element {
            Element::Watermark(_) => {
                for thread in 0..parallelism {
                    driver.feed(*source, thread, element.clone()).unwrap();
                }
            }
            Element::Batch(_) => {
                let thread = if in_order { 0 } else { random.random_range(0..parallelism) };
                driver.feed(*source, thread, element).unwrap();
            }
        }
        if random.random_range(0..3) == 0 {
            driver.now_ms += 100;
            driver.end_epoch().unwrap();
        }
        if step == restore_at {
            driver.now_ms += 100;
            driver.end_epoch().unwrap();
            let snapshot = driver.snapshot().unwrap();
            received.extend(std::mem::take(&mut driver.received).into_iter().map(|(_, rows)| rows));
            let now_ms = driver.now_ms;
            driver = Driver::new(plan, parallelism, seed ^ 7).unwrap();
            driver.now_ms = now_ms;
            driver.restore(&snapshot).unwrap();
        }
    }
    driver.now_ms += 100;
    driver.watermark(Watermark::END).unwrap();
    received.extend(driver.received.into_iter().map(|(_, rows)| rows));
    received
}
