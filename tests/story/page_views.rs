//! The page views of `examples/page-views`: records made from a seed and a number, the example's manifests pointed at the
//! tests' topics, and its result worked out anew in a batch.
//!
//! The batch is DataFusion's: of it the engine under test uses the scalar expressions, and nothing that aggregates.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow::datatypes::{Int64Type, TimestampMillisecondType};
use datafusion::prelude::SessionContext;
use serde_json::{Value, json};

use crate::cluster::{Cluster, setting};
use crate::kafka::PARTITIONS;

/// The Application's name in the example.
pub const NAME: &str = "page-views";
/// The Streams' names in the example.
const INPUT: &str = "page-views";
const OUTPUT: &str = "page-counts";

const SEED: u64 = 20_261_123;
const PAGES: u64 = 100;
/// 2026-01-01T00:00:00Z.
const FIRST_MS: u64 = 1_767_225_600_000;
/// Records come out of order by up to this; the example's watermark waits longer.
const DISORDER_MS: u64 = 2_000;
const WINDOW_MS: u64 = 10_000;

/// The topics of one test.
pub struct PageViews {
    pub input: String,
    pub output: String,
}

impl PageViews {
    pub fn named(test: &str) -> Self {
        Self { input: format!("{test}-views"), output: format!("{test}-counts") }
    }

    /// Applies the example with this test's topics, and settings that suit a test: little to wait for, and room for
    /// three pods on two processors.
    pub async fn apply(&self, cluster: &Cluster) {
        for object in self.manifests() {
            cluster.apply(&object).await;
        }
    }

    pub fn manifests(&self) -> Vec<Value> {
        example().into_iter().map(|object| self.adapt(object)).collect()
    }

    fn adapt(&self, mut object: Value) -> Value {
        match (object["kind"].as_str(), object["metadata"]["name"].as_str()) {
            (Some("Stream"), Some(INPUT)) => redirect(&mut object, &self.input),
            (Some("Stream"), Some(OUTPUT)) => redirect(&mut object, &self.output),
            (Some("Application"), Some(NAME)) => quicken(&mut object),
            (kind, name) => panic!("the example holds an unknown object: {kind:?} {name:?}"),
        }
        object
    }
}

fn example() -> Vec<Value> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/page-views");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect("list the example").flatten().map(|file| file.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    let documents = |file| {
        let text = std::fs::read_to_string(file).expect("read the example");
        text.split("\n---").map(|part| serde_yaml::from_str(part).expect("the example is YAML")).collect::<Vec<Value>>()
    };
    files.iter().flat_map(documents).filter(|object| !object.is_null()).collect()
}

fn redirect(stream: &mut Value, topic: &str) {
    stream["spec"]["kafka"]["bootstrapServers"] = json!(setting("TIDEMILL_TEST_KAFKA_FROM_PODS"));
    stream["spec"]["kafka"]["topic"] = json!(topic);
}

fn quicken(application: &mut Value) {
    application["spec"]["checkpoint"]["interval"] = json!("2s");
    application["spec"]["checkpoint"]["minPause"] = json!("500ms");
    application["spec"]["podTemplate"]["resources"] = json!({"cpu": "500m", "memory": "512Mi"});
}

/// The payload of record `number`.
pub fn record(number: u64) -> String {
    let (page, at) = view(number);
    payload(&page, number, at)
}

/// One record a partition, so late that every window before is closed.
pub fn closing_records(after: u64) -> Vec<(i32, String)> {
    let at = FIRST_MS + after + 3_600_000;
    (0..PARTITIONS).map(|partition| (partition, payload("closing", after, at))).collect()
}

/// How often a page was viewed in a window: what the example writes.
pub type Counts = HashMap<Row, u64>;
/// A row of the output: the window's start, the page, its views.
pub type Row = (String, String, u64);

/// The example's query, worked out in a batch: every row of the output once.
pub async fn recompute(numbers: Range<u64>) -> Counts {
    let (pages, times): (Vec<String>, Vec<i64>) = numbers.map(view).map(|(page, at)| (page, at as i64)).unzip();
    let pages: ArrayRef = Arc::new(StringArray::from(pages));
    let times: ArrayRef = Arc::new(TimestampMillisecondArray::from(times));
    let views = RecordBatch::try_from_iter([("page", pages), ("viewed_at", times)]).expect("the columns are as long");
    let context = SessionContext::new();
    context.register_batch("views", views).expect("the name is free");
    let sql = format!(
        "SELECT date_bin(INTERVAL '{WINDOW_MS} milliseconds', viewed_at) AS window_start, page, COUNT(*) AS views
         FROM views GROUP BY 1, 2"
    );
    let query = context.sql(&sql).await.expect("the batch query is planned");
    query.collect().await.expect("the batch query runs").iter().flat_map(counts).collect()
}

fn counts(rows: &RecordBatch) -> Vec<(Row, u64)> {
    let starts = rows.column(0).as_primitive::<TimestampMillisecondType>();
    let (pages, views) = (rows.column(1).as_string::<i32>(), rows.column(2).as_primitive::<Int64Type>());
    let row = |place: usize| {
        let start = text(starts.value(place) as u64, "%Y-%m-%d %H:%M:%S");
        ((start, pages.value(place).to_owned(), views.value(place) as u64), 1)
    };
    (0..rows.num_rows()).map(row).collect()
}

/// Compares as multisets: the rows that are not there as often as expected, in words.
pub fn differences(expected: &Counts, payloads: &HashMap<String, u64>) -> Vec<String> {
    let mut actual = Counts::new();
    for (payload, times) in payloads {
        *actual.entry(parse(payload)).or_insert(0) += times;
    }
    let times = |rows: &Counts, row| rows.get(row).copied().unwrap_or(0);
    let rows: HashSet<&Row> = expected.keys().chain(actual.keys()).collect();
    (rows.into_iter())
        .filter(|row| times(expected, row) != times(&actual, row))
        .map(|row| format!("{row:?}: {} times, expected {}", times(&actual, row), times(expected, row)))
        .collect()
}

fn view(number: u64) -> (String, u64) {
    let chance = scramble(SEED ^ number);
    (format!("/page/{}", chance % PAGES), FIRST_MS + number + (chance >> 32) % DISORDER_MS)
}

/// Spreads the bits of consecutive numbers (the finaliser of SplitMix64).
fn scramble(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

fn payload(page: &str, user: u64, at_ms: u64) -> String {
    format!(r#"{{"page":"{page}","user_id":{},"viewed_at":"{}"}}"#, user % 10_007, text(at_ms, "%Y-%m-%d %H:%M:%S%.3f"))
}

/// Event time as the JSON format has it: with a fraction in the input, and none in the output, where it would be zero.
fn text(ms: u64, format: &str) -> String {
    let at = jiff::Timestamp::from_millisecond(ms as i64).expect("the year is not that far");
    at.strftime(format).to_string()
}

fn parse(payload: &str) -> Row {
    let row: Value = serde_json::from_str(payload).expect("the output is JSON");
    let text = |name: &str| row[name].as_str().unwrap_or_else(|| panic!("no text {name} in {row}")).to_owned();
    (text("window_start"), text("page"), row["views"].as_u64().expect("the count is a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(counts: &Counts) -> HashMap<String, u64> {
        let payload =
            |(start, page, views): &Row| json!({"window_start": start, "page": page, "views": views}).to_string();
        counts.iter().map(|(row, times)| (payload(row), *times)).collect()
    }

    #[tokio::test]
    async fn every_record_is_counted_in_one_window() {
        let counts = recompute(0..50_000).await;
        assert_eq!(counts.keys().map(|(_, _, views)| views).sum::<u64>(), 50_000);
        assert!(differences(&counts, &output(&counts)).is_empty());
    }

    #[tokio::test]
    async fn a_lost_a_doubled_and_a_miscounted_window_are_found() {
        let counts = recompute(0..1_000).await;
        let payloads = output(&counts);
        let some = payloads.keys().next().expect("there are windows").clone();

        let mut lost = payloads.clone();
        lost.remove(&some);
        assert_eq!(differences(&counts, &lost).len(), 1);

        let mut doubled = payloads.clone();
        doubled.insert(some.clone(), 2);
        assert_eq!(differences(&counts, &doubled).len(), 1);

        let mut miscounted = payloads;
        miscounted.remove(&some);
        let (start, page, views) = parse(&some);
        miscounted.extend(output(&[((start, page, views + 1), 1)].into()));
        assert_eq!(differences(&counts, &miscounted).len(), 2, "one is missing, one is too many");
    }
}
