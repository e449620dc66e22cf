//! Sorting, limiting and normalizing under the deterministic driver, against a batch recomputation.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/ordering.rs"]
mod ordering;

use std::collections::BTreeMap;

use common::table::{Feed, Table, folded, run, texts, upserted};
use ordering::{
    KEY, Row, TEXT, TIME, VALUE, batch, changes, cut, epochs, input_schema, plan, random_changes, random_rows, row,
    with_watermarks,
};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tidemill_engine::driver::Driver;
use tidemill_engine::element::{Element, Watermark};
use tidemill_plan::{Change, Changelog, Limit, NodeKind, Normalize, Sort, SortKey, StreamPlan};

fn sort_plan(then: &[SortKey]) -> StreamPlan {
    let sort = Sort { time_column: TIME, then: then.to_vec() };
    plan(NodeKind::Sort(sort), Changelog::Append, input_schema(), Changelog::Append)
}

#[test]
fn rows_come_out_in_the_order_of_time_and_then_of_further_columns() {
    let by_value = SortKey { column: VALUE, descending: false, nulls_first: true };
    for seed in 0..60 {
        let mut random = SmallRng::seed_from_u64(seed);
        let mut rows = random_rows(&mut random, 300);
        rows.iter_mut().for_each(|row| row.time = row.time.div_euclid(8) * 8);
        let batches = cut(&mut random, &rows, batch);
        let elements = with_watermarks(&mut random, &rows, batches);
        for then in [vec![], vec![by_value]] {
            let feed = Feed { source: 0, elements: elements.clone() };
            let received = run(&sort_plan(&then), vec![feed], 1 + seed as usize % 4, seed, true);
            let mut expected = rows.clone();
            expected.sort_by_key(|row| (row.time, row.value.filter(|_| !then.is_empty())));
            if then.is_empty() {
                expected.sort_by_key(|row| row.time);
            }
            let received: Vec<Vec<String>> = received.iter().flat_map(texts).collect();
            assert_eq!(received, expected.iter().map(Row::texts).collect::<Vec<_>>(), "seed {seed}");
        }
    }
}

#[test]
fn rows_that_come_after_their_time_are_dropped_and_counted() {
    let mut driver = Driver::new(&sort_plan(&[]), 1, 1).unwrap();
    driver.watermark(Watermark::At(10)).unwrap();
    driver.feed(0, 0, Element::Batch(batch(&[row(1, 0, 11, "b"), row(1, 0, 10, "late"), row(1, 0, 12, "a")]))).unwrap();
    driver.watermark(Watermark::At(11)).unwrap();
    let received: Vec<String> = driver.received.drain(..).flat_map(|(_, rows)| ordering::shown(&rows)).collect();
    assert_eq!(received, ["+I 1 0 11 b"]);
    assert_eq!(driver.late_rows(), 1);
}

fn limit_plan(offset: u64, count: u64, changelog: Changelog) -> StreamPlan {
    plan(NodeKind::Limit(Limit { offset, count }), changelog.clone(), input_schema(), changelog)
}

#[test]
fn a_limit_lets_the_first_rows_pass() {
    for seed in 0..40 {
        let mut random = SmallRng::seed_from_u64(seed);
        let rows = random_rows(&mut random, 100);
        let (offset, count) = (random.random_range(0..60), random.random_range(0..60));
        let feed = Feed { source: 0, elements: cut(&mut random, &rows, batch) };
        let plan = limit_plan(offset, count, Changelog::Append);
        let received = run(&plan, vec![feed], 1 + seed as usize % 4, seed, true);
        let received: Vec<Vec<String>> = received.iter().flat_map(texts).collect();
        let expected = rows.iter().skip(offset as usize).take(count as usize);
        assert_eq!(received, expected.map(Row::texts).collect::<Vec<_>>(), "seed {seed}");
    }
}

#[test]
fn a_limit_replaces_rows_that_are_taken_back() {
    for seed in 0..40 {
        let mut random = SmallRng::seed_from_u64(seed);
        let rows = random_rows(&mut random, 300);
        let (all, there) = random_changes(&mut random, rows);
        let (offset, count) = (random.random_range(0..60), random.random_range(0..60));
        let feed = Feed { source: 0, elements: cut(&mut random, &all, changes) };
        let plan = limit_plan(offset, count, Changelog::Retract);
        let received = run(&plan, vec![feed], 1 + seed as usize % 4, seed, true);
        let mut expected = Table::new();
        for row in there.iter().skip(offset as usize).take(count as usize) {
            *expected.entry(row.texts()).or_default() += 1;
        }
        assert_eq!(folded(&received), expected, "seed {seed}");
    }
}

fn normalize_plan(output: Changelog, state_ttl_ms: Option<u64>) -> StreamPlan {
    let normalize = Normalize { keys: vec![KEY, TEXT], state_ttl_ms };
    let input = Changelog::Upsert { key: vec![KEY, TEXT] };
    plan(NodeKind::Normalize(normalize), input, input_schema(), output)
}

#[test]
fn an_upsert_stream_tells_what_it_replaces() {
    for seed in 0..60 {
        let mut random = SmallRng::seed_from_u64(seed);
        let mut all = Vec::new();
        let mut there: BTreeMap<(Option<i64>, String), Row> = BTreeMap::new();
        for row in random_rows(&mut random, 500) {
            let row = Row { text: random.random_range(0..4).to_string(), time: row.time / 50, ..row };
            let key = (row.key, row.text.clone());
            if random.random_bool(0.3) {
                there.remove(&key);
                all.push((Change::Delete, Row { value: None, ..row }));
            } else {
                there.insert(key, row.clone());
                all.push((if random.random_bool(0.5) { Change::Insert } else { Change::UpdateAfter }, row));
            }
        }
        let elements = cut(&mut random, &all, changes);
        let expected: Table = there.values().map(|row| (row.texts(), 1)).collect();
        let upsert = Changelog::Upsert { key: vec![KEY, TEXT] };
        for output in [Changelog::Retract, upsert] {
            let feed = Feed { source: 0, elements: elements.clone() };
            let received = run(&normalize_plan(output.clone(), None), vec![feed], 1 + seed as usize % 4, seed, true);
            let table = match &output {
                Changelog::Append | Changelog::Retract => folded(&received),
                Changelog::Upsert { key } => upserted(&received, key),
            };
            assert_eq!(table, expected, "seed {seed}, {output:?}");
        }
    }
}

#[test]
fn a_row_that_replaces_an_equal_one_is_no_change() {
    let batches = [
        changes(&[(Change::Insert, row(1, 5, 0, "a")), (Change::Insert, row(2, 5, 0, "a"))]),
        changes(&[(Change::UpdateAfter, row(1, 5, 0, "a")), (Change::UpdateAfter, row(2, 6, 0, "a"))]),
        changes(&[(Change::Delete, row(1, 0, 0, "a")), (Change::Delete, row(3, 0, 0, "a"))]),
        changes(&[(Change::Insert, row(4, 0, 0, "a")), (Change::Delete, row(4, 0, 0, "a"))]),
    ];
    let told = epochs(&normalize_plan(Changelog::Retract, None), batches);
    assert_eq!(told[1], ["-U 2 5 0 a", "+U 2 6 0 a"]);
    assert_eq!(told[2], ["-D 1 5 0 a"], "what goes is told as it was");
    assert!(told[3].is_empty());
}

#[test]
fn a_key_that_has_outlived_its_time_is_new_again() {
    let change = |key| changes(&[(Change::UpdateAfter, row(key, 5, 0, "a"))]);
    let told = epochs(&normalize_plan(Changelog::Retract, Some(200)), [1, 2, 2, 1].map(change));
    assert_eq!(told[3], ["+I 1 5 0 a"]);
}
