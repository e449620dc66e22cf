//! The first rows of partitions under the deterministic driver, against a batch recomputation.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/ordering.rs"]
mod ordering;

use std::collections::BTreeMap;

use arrow::datatypes::DataType;
use common::table::{Feed, Table, folded, run, upserted};
use ordering::{
    KEY, Row, TEXT, TIME, VALUE, batch, changes, cut, epochs, input_schema, plan, random_changes, random_rows, row,
    schema_with, with_watermarks,
};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tidemill_engine::driver::Driver;
use tidemill_engine::element::{Element, Watermark};
use tidemill_plan::{Change, Changelog, NodeKind, Rank, RankEmit, SortKey, StreamPlan};

/// By value, highest first; with NULL first, as in Flink.
fn by_value() -> SortKey {
    SortKey { column: VALUE, descending: true, nulls_first: true }
}

fn first(first: u64, last: u64, with_number: bool) -> Rank {
    let (partition, order) = (vec![KEY], vec![by_value()]);
    let emit = RankEmit::Changes;
    Rank { partition, order, first, last, with_number, emit, newest_first: false, state_ttl_ms: None }
}

fn rank_plan(rank: &Rank, input: Changelog, changelog: Changelog) -> StreamPlan {
    let schema = if rank.with_number { schema_with(&[DataType::Int64]) } else { input_schema() };
    plan(NodeKind::Rank(rank.clone()), input, schema, changelog)
}

/// The first rows of what is there in the end.
fn recomputed(rows: &[Row], rank: &Rank) -> Table {
    let mut partitions: BTreeMap<Option<i64>, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        let key = if rank.partition.is_empty() { None } else { row.key };
        partitions.entry(key).or_default().push(row);
    }
    let mut table = Table::new();
    for rows in partitions.values_mut() {
        rows.sort_by_key(|row| {
            let value = row.value.map_or((0, 0), |value| (1, -value));
            (value, if rank.order.len() > 1 { row.text.clone() } else { String::new() })
        });
        for (place, row) in rows.iter().enumerate() {
            let number = place as u64 + 1;
            if (rank.first..=rank.last).contains(&number) {
                let mut texts = row.texts();
                texts.extend(rank.with_number.then(|| number.to_string()));
                *table.entry(texts).or_default() += 1;
            }
        }
    }
    table
}

fn check(rank: &Rank, input: &Changelog, changelog: &Changelog) {
    for seed in 0..60 {
        let mut random = SmallRng::seed_from_u64(seed);
        let count = random.random_range(0..400);
        let rows = random_rows(&mut random, count);
        let (elements, there) = if input.is_append() {
            (cut(&mut random, &rows, batch), rows)
        } else {
            let (all, there) = random_changes(&mut random, rows);
            (cut(&mut random, &all, changes), there)
        };
        let plan = rank_plan(rank, input.clone(), changelog.clone());
        let received = run(&plan, vec![Feed { source: 0, elements }], random.random_range(1..=4), seed, true);
        let table = match changelog {
            Changelog::Append | Changelog::Retract => folded(&received),
            Changelog::Upsert { key } => upserted(&received, key),
        };
        assert_eq!(table, recomputed(&there, rank), "seed {seed}");
    }
}

#[test]
fn first_rows_of_rows_that_only_come() {
    for (from, to) in [(1, 1), (1, 3), (2, 4), (1, 200)] {
        for with_number in [false, true] {
            check(&first(from, to, with_number), &Changelog::Append, &Changelog::Retract);
        }
    }
}

#[test]
fn first_rows_of_rows_that_come_and_go() {
    for (from, to) in [(1, 1), (1, 3), (2, 4), (1, 200)] {
        for with_number in [false, true] {
            check(&first(from, to, with_number), &Changelog::Retract, &Changelog::Retract);
        }
    }
}

#[test]
fn first_rows_of_a_single_large_partition() {
    let rank = Rank { partition: vec![], ..first(1, 150, true) };
    check(&rank, &Changelog::Append, &Changelog::Retract);
    check(&rank, &Changelog::Retract, &Changelog::Retract);
}

#[test]
fn an_order_of_several_columns() {
    let text = SortKey { column: TEXT, descending: false, nulls_first: false };
    let rank = Rank { order: vec![by_value(), text], ..first(1, 3, true) };
    check(&rank, &Changelog::Append, &Changelog::Retract);
    check(&rank, &Changelog::Retract, &Changelog::Retract);
}

#[test]
fn the_last_row_that_has_come_stands_for_its_partition() {
    let rank = Rank { order: Vec::new(), newest_first: true, ..first(1, 1, false) };
    for seed in 0..60 {
        let mut random = SmallRng::seed_from_u64(seed);
        let count = random.random_range(0..400);
        let rows = random_rows(&mut random, count);
        let (all, there) = random_changes(&mut random, rows);
        let elements = cut(&mut random, &all, changes);
        let plan = rank_plan(&rank, Changelog::Retract, Changelog::Retract);
        let received = run(&plan, vec![Feed { source: 0, elements }], random.random_range(1..=4), seed, true);
        let last: BTreeMap<Option<i64>, Vec<String>> = there.iter().map(|row| (row.key, row.texts())).collect();
        let expected: Table = last.into_values().map(|texts| (texts, 1)).collect();
        assert_eq!(folded(&received), expected, "seed {seed}");
    }
}

#[test]
fn updates_are_told_by_place_alone_if_the_place_is_in_the_key() {
    let by_place = Changelog::Upsert { key: vec![KEY, TEXT + 1] };
    check(&first(1, 3, true), &Changelog::Append, &by_place);
    check(&first(2, 3, true), &Changelog::Retract, &by_place);
}

/// Each change of an upsert stream whose key is the partition and the text.
#[test]
fn rows_of_an_upsert_stream_take_the_place_of_those_with_their_key() {
    for seed in 0..60 {
        let mut random = SmallRng::seed_from_u64(seed);
        let rows = random_rows(&mut random, 300)
            .into_iter()
            .map(|row| Row { text: format!("{}", random.random_range(0..4)), ..row });
        let rows: Vec<Row> = rows.collect();
        let (mut all, mut there) = (Vec::new(), Vec::<Row>::new());
        for row in rows {
            there.retain(|other| (other.key, &other.text) != (row.key, &row.text));
            if row.value.is_some_and(|value| value < -10) {
                all.push((Change::Delete, Row { value: None, ..row }));
            } else {
                all.push((Change::UpdateAfter, row.clone()));
                there.push(row);
            }
        }
        let elements = cut(&mut random, &all, changes);
        let key = Changelog::Upsert { key: vec![KEY, TEXT] };
        let rank = first(1, 2, true);
        for output in [Changelog::Retract, key.clone()] {
            let plan = rank_plan(&rank, key.clone(), output.clone());
            let feed = Feed { source: 0, elements: elements.clone() };
            let received = run(&plan, vec![feed], 1 + seed as usize % 4, seed, true);
            let table = match &output {
                Changelog::Append | Changelog::Retract => folded(&received),
                Changelog::Upsert { key } => upserted(&received, key),
            };
            assert_eq!(table, recomputed(&there, &rank), "seed {seed}, {output:?}");
        }
    }
}

#[test]
fn an_epoch_tells_only_what_is_different_at_its_end() {
    let batches = || {
        [
            batch(&[row(1, 5, 0, "a"), row(1, 7, 0, "b"), row(1, 6, 0, "c"), row(1, 7, 0, "d")]),
            batch(&[row(1, 1, 0, "e")]),
            batch(&[row(1, 9, 0, "f"), row(2, 0, 0, "g")]),
        ]
    };
    let told = epochs(&rank_plan(&first(1, 2, true), Changelog::Append, Changelog::Retract), batches());
    assert_eq!(told[0], ["+I 1 7 0 b 1", "+I 1 7 0 d 2"], "equal rows stand in the order in which they came");
    assert!(told[1].is_empty());
    assert_eq!(
        told[2],
        ["-U 1 7 0 b 1", "-U 1 7 0 d 2", "+U 1 9 0 f 1", "+U 1 7 0 b 2", "+I 2 0 0 g 1"],
        "what is taken back comes first"
    );
    let told = epochs(&rank_plan(&first(1, 2, false), Changelog::Append, Changelog::Retract), batches());
    assert_eq!(told[2], ["-D 1 7 0 d", "+I 1 9 0 f", "+I 2 0 0 g"]);
}

#[test]
fn a_row_that_goes_and_comes_again_is_no_change() {
    let batches = [
        changes(&[(Change::Insert, row(1, 5, 0, "a"))]),
        changes(&[(Change::UpdateBefore, row(1, 5, 0, "a")), (Change::UpdateAfter, row(1, 5, 0, "a"))]),
    ];
    let told = epochs(&rank_plan(&first(1, 2, true), Changelog::Retract, Changelog::Retract), batches);
    assert!(told[1].is_empty(), "{told:?}");
}

#[test]
fn a_partition_that_has_outlived_its_time_begins_anew() {
    let rank = Rank { state_ttl_ms: Some(200), ..first(1, 1, true) };
    let batches = [1, 2, 2, 1].map(|key| batch(&[row(key, 5, 0, "a")]));
    let told = epochs(&rank_plan(&rank, Changelog::Append, Changelog::Retract), batches);
    assert_eq!(told[3], ["+I 1 5 0 a 1"]);
}

fn at_window_end() -> Rank {
    Rank { partition: vec![KEY, TIME], emit: RankEmit::AtWindowEnd { window_end: TIME }, ..first(1, 2, true) }
}

#[test]
fn first_rows_of_windows() {
    for seed in 0..60 {
        let mut random = SmallRng::seed_from_u64(seed);
        let mut rows = random_rows(&mut random, 300);
        // The window's end, instead of the row's time.
        rows.iter_mut().for_each(|row| row.time = row.time.div_euclid(50) * 50 + 50);
        let batches = cut(&mut random, &rows, batch);
        // A window is over a millisecond before its end.
        let last_times: Vec<Row> = rows.iter().map(|row| Row { time: row.time - 1, ..row.clone() }).collect();
        let feed = Feed { source: 0, elements: with_watermarks(&mut random, &last_times, batches) };
        let plan = rank_plan(&at_window_end(), Changelog::Append, Changelog::Append);
        let received = run(&plan, vec![feed], random.random_range(1..=4), seed, true);
        let mut expected = Table::new();
        let mut ends: Vec<i64> = rows.iter().map(|row| row.time).collect();
        ends.sort_unstable();
        ends.dedup();
        for end in ends {
            let window: Vec<Row> = rows.iter().filter(|row| row.time == end).cloned().collect();
            expected.extend(recomputed(&window, &at_window_end()));
        }
        assert_eq!(folded(&received), expected, "seed {seed}");
    }
}

#[test]
fn rows_of_a_window_that_is_over_are_dropped_and_counted() {
    let plan = rank_plan(&at_window_end(), Changelog::Append, Changelog::Append);
    let mut driver = Driver::new(&plan, 1, 1).unwrap();
    driver.feed(0, 0, Element::Batch(batch(&[row(1, 5, 100, "a"), row(1, 7, 100, "b")]))).unwrap();
    driver.watermark(Watermark::At(98)).unwrap();
    assert!(driver.received.is_empty());
    driver.watermark(Watermark::At(99)).unwrap();
    let received: Vec<String> = driver.received.drain(..).flat_map(|(_, rows)| ordering::shown(&rows)).collect();
    assert_eq!(received, ["+I 1 7 100 b 1", "+I 1 5 100 a 2"]);
    driver.feed(0, 0, Element::Batch(batch(&[row(1, 9, 100, "late"), row(1, 9, 101, "c")]))).unwrap();
    driver.end_epoch().unwrap();
    assert_eq!(driver.late_rows(), 1);
}

#[test]
fn ranks_that_cannot_be_are_refused() {
    let refusal = |plan: StreamPlan| Driver::new(&plan, 1, 1).err().unwrap().message;
    let plan = rank_plan(&first(0, 3, true), Changelog::Append, Changelog::Retract);
    assert!(refusal(plan).contains("its places, 0 to 3, are none"));
    let plan = rank_plan(&first(1, 3, true), Changelog::Append, Changelog::Append);
    assert!(refusal(plan).contains("its output has changes"));
    let plan = rank_plan(&first(1, 3, true), Changelog::Upsert { key: vec![TEXT] }, Changelog::Retract);
    assert!(refusal(plan).contains("may move between partitions"));
    let plan = rank_plan(&at_window_end(), Changelog::Retract, Changelog::Append);
    assert!(refusal(plan).contains("neither take nor make changes"));
}
