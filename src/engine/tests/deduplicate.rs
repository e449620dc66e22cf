//! Deduplication under the deterministic driver, against a batch recomputation.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/ordering.rs"]
mod ordering;

use std::collections::BTreeMap;

use common::table::{Feed, Table, folded, run, upserted};
use ordering::{KEY, Row, TIME, batch, cut, epochs, input_schema, plan, random_rows, row};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tidemill_engine::driver::Driver;
use tidemill_plan::{Changelog, Clock, Deduplicate, Keep, NodeKind, StreamPlan};

fn deduplicate(clock: Clock, keep: Keep, changelog: Changelog, state_ttl_ms: Option<u64>) -> StreamPlan {
    let deduplicate = Deduplicate { keys: vec![KEY], time_column: TIME, clock, keep, state_ttl_ms };
    plan(NodeKind::Deduplicate(deduplicate), Changelog::Append, input_schema(), changelog)
}

fn upsert() -> Changelog {
    Changelog::Upsert { key: vec![KEY] }
}

/// What is left of rows that come in this order.
fn recomputed(rows: &[Row], clock: Clock, keep: Keep) -> Table {
    let mut kept: BTreeMap<Option<i64>, &Row> = BTreeMap::new();
    for row in rows {
        let replaces = |known: &Row| match (clock, keep) {
            (Clock::Processing, Keep::First) => false,
            (Clock::Processing, Keep::Last) => true,
            (Clock::Event, Keep::First) => row.time < known.time,
            (Clock::Event, Keep::Last) => row.time >= known.time,
        };
        if kept.get(&row.key).is_none_or(|known| replaces(known)) {
            kept.insert(row.key, row);
        }
    }
    kept.values().map(|row| (row.texts(), 1)).collect()
}

fn check(clock: Clock, keep: Keep, changelog: Changelog) {
    for seed in 0..60 {
        let mut random = SmallRng::seed_from_u64(seed);
        let count = random.random_range(0..400);
        let rows = random_rows(&mut random, count);
        let feed = Feed { source: 0, elements: cut(&mut random, &rows, batch) };
        let plan = deduplicate(clock, keep, changelog.clone(), None);
        let received = run(&plan, vec![feed], random.random_range(1..=4), seed, true);
        let table = match &changelog {
            Changelog::Append | Changelog::Retract => folded(&received),
            Changelog::Upsert { key } => upserted(&received, key),
        };
        assert_eq!(table, recomputed(&rows, clock, keep), "seed {seed}");
    }
}

#[test]
fn the_first_row_of_each_key_by_processing_time() {
    check(Clock::Processing, Keep::First, Changelog::Append);
}

#[test]
fn the_last_row_of_each_key_by_processing_time() {
    check(Clock::Processing, Keep::Last, Changelog::Retract);
    check(Clock::Processing, Keep::Last, upsert());
}

#[test]
fn the_first_row_of_each_key_by_event_time() {
    check(Clock::Event, Keep::First, Changelog::Retract);
    check(Clock::Event, Keep::First, upsert());
}

#[test]
fn the_last_row_of_each_key_by_event_time() {
    check(Clock::Event, Keep::Last, Changelog::Retract);
    check(Clock::Event, Keep::Last, upsert());
}

#[test]
fn a_key_changes_once_in_an_epoch() {
    let batches = || {
        let first = batch(&[row(1, 0, 10, "a"), row(1, 0, 30, "b"), row(1, 0, 20, "c"), row(2, 0, 5, "d")]);
        [first, batch(&[row(1, 0, 30, "e"), row(1, 0, 40, "f")]), batch(&[row(1, 0, 39, "late")])]
    };
    let told = epochs(&deduplicate(Clock::Event, Keep::Last, Changelog::Retract, None), batches());
    assert_eq!(told[0], ["+I 1 0 30 b", "+I 2 0 5 d"]);
    assert_eq!(told[1], ["-U 1 0 30 b", "+U 1 0 40 f"]);
    assert!(told[2].is_empty());
    let told = epochs(&deduplicate(Clock::Event, Keep::Last, upsert(), None), batches());
    assert_eq!(told[1], ["+U 1 0 40 f"]);
}

#[test]
fn of_equal_times_the_last_takes_what_comes_later_and_the_first_what_comes_earlier() {
    let batches = || [batch(&[row(1, 0, 10, "a"), row(1, 0, 10, "b")]), batch(&[row(1, 0, 10, "c")])];
    let last = epochs(&deduplicate(Clock::Event, Keep::Last, upsert(), None), batches());
    assert_eq!(last, [["+I 1 0 10 b"], ["+U 1 0 10 c"]]);
    let first = epochs(&deduplicate(Clock::Event, Keep::First, upsert(), None), batches());
    assert_eq!(first, [vec!["+I 1 0 10 a"], vec![]]);
}

#[test]
fn a_key_that_has_outlived_its_time_is_new_again() {
    for (keep, changelog) in [(Keep::First, Changelog::Append), (Keep::Last, Changelog::Retract)] {
        let plan = deduplicate(Clock::Processing, keep, changelog, Some(200));
        let batches = [1, 2, 2, 1].map(|key| batch(&[row(key, 0, 0, "a")]));
        let told = epochs(&plan, batches);
        assert_eq!(told[3], ["+I 1 0 0 a"], "{keep:?}");
    }
}

#[test]
fn rows_without_an_event_time_fail_the_job() {
    let plan = deduplicate(Clock::Event, Keep::Last, Changelog::Retract, None);
    let mut driver = Driver::new(&plan, 1, 1).unwrap();
    let rows = batch(&[row(1, 0, 0, "a")]);
    let mut columns = rows.columns().to_vec();
    columns[TIME] = arrow::array::new_null_array(columns[TIME].data_type(), 1);
    let rows = arrow::array::RecordBatch::try_new(rows.schema(), columns).unwrap();
    let problem = driver.feed(0, 0, tidemill_engine::element::Element::Batch(rows)).unwrap_err();
    assert_eq!(problem.message, "a row has NULL as its event time");
}

#[test]
fn an_output_without_changes_is_refused_where_rows_may_be_replaced() {
    let plan = deduplicate(Clock::Event, Keep::First, Changelog::Append, None);
    let problem = Driver::new(&plan, 1, 1).err().unwrap();
    assert!(problem.message.contains("its output has changes"), "{}", problem.message);
}
