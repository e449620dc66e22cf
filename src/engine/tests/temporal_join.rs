//! Temporal joins of random rows and versions, against a look at all versions for every row.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use common::joins::{node, plan_over};
use common::table::{Feed, Table, folded, run, texts};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tidemill_engine::change;
use tidemill_engine::driver::Driver;
use tidemill_engine::element::{Element, Watermark};
use tidemill_plan::{Change, Changelog, JoinKey, JoinKind, JoinOn, NodeKind, StreamPlan, TemporalJoin};

const DISORDER_MS: i64 = 20;

/// Key, value, time, and what becomes of the row.
type Row = (Option<i64>, i64, Option<i64>, Change);

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("key", DataType::Int64, true),
        Field::new("value", DataType::Int64, true),
        Field::new("time", DataType::Timestamp(TimeUnit::Millisecond, None), true),
    ]))
}

fn batch(rows: &[Row], changelog: &Changelog) -> RecordBatch {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|row| row.0).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|row| Some(row.1)).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|row| row.2).collect::<TimestampMillisecondArray>()),
    ];
    let node = node("", vec![], NodeKind::Union, schema(), changelog.clone());
    let changes = (!changelog.is_append()).then(|| rows.iter().map(|row| row.3 as i8).collect());
    change::batch(&node.batch_schema(), columns, changes).unwrap()
}

fn join(kind: JoinKind) -> TemporalJoin {
    let on = JoinOn { keys: vec![JoinKey { left: 0, right: 0, nulls_equal: false }], condition: None };
    TemporalJoin { kind, on, left_time: 2, right_time: 2 }
}

fn plan(join: &TemporalJoin, left: Changelog, right: Changelog) -> StreamPlan {
    plan_over(&schema(), NodeKind::TemporalJoin(join.clone()), join.kind, [left.clone(), right], left)
}

fn upsert() -> Changelog {
    Changelog::Upsert { key: vec![0] }
}

/// Rows of so many keys whose times rise, with some disorder, and watermarks behind which none comes. `next` says of a row what becomes
/// of it, and may add others.
fn random_feed(
    random: &mut SmallRng,
    (source, keys): (usize, i64),
    changelog: &Changelog,
    rows: &mut Vec<Row>,
    next: impl Fn(&mut SmallRng, Row, &mut Vec<Row>),
) -> Feed {
    let mut elements = Vec::new();
    let mut time = -300;
    for _ in 0..random.random_range(0..30) {
        let mut new = Vec::new();
        for _ in 0..random.random_range(1..20 + keys / 20) {
            time += random.random_range(0..6);
            let at = random.random_bool(0.97).then(|| time - random.random_range(0..DISORDER_MS));
            let key = random.random_bool(0.95).then(|| random.random_range(0..keys));
            let row = (key, random.random_range(0..8), at, Change::Insert);
            next(random, row, &mut new);
        }
        elements.push(Element::Batch(batch(&new, changelog)));
        rows.extend(new);
        if random.random_bool(0.6) {
            elements.push(Element::Watermark(Watermark::At(time - DISORDER_MS)));
        }
    }
    Feed { source, elements }
}

fn left_row(random: &mut SmallRng, row: Row, rows: &mut Vec<Row>, takes_back: bool) {
    rows.push(row);
    if takes_back && random.random_bool(0.4) {
        rows.push((row.0, row.1, row.2, Change::UpdateBefore));
        rows.push((row.0, row.1 + 100, row.2, Change::UpdateAfter));
    }
}

fn right_row(random: &mut SmallRng, row: Row, rows: &mut Vec<Row>, changelog: &Changelog) {
    match random.random_range(0..5) {
        0 if !changelog.is_append() => rows.push((row.0, row.1, row.2, Change::Delete)),
        1 if *changelog == Changelog::Retract => {
            rows.push((row.0, row.1, row.2.map(|time| time - 1_000), Change::UpdateBefore));
            rows.push((row.0, row.1, row.2, Change::UpdateAfter));
        }
        _ => rows.push(row),
    }
}

fn expected(join: &TemporalJoin, left: &[Row], right: &[Row]) -> Table {
    let mut table = Table::new();
    let texts = |row: &Row| texts(&batch(&[*row], &Changelog::Append)).remove(0);
    for row in left {
        let versions = right.iter().filter(|version| {
            version.0.is_some()
                && version.0 == row.0
                && version.3 != Change::UpdateBefore
                && version.2.is_some()
                && version.2 <= row.2
        });
        // Of equal ones, this takes the last.
        let valid = versions.max_by_key(|version| version.2).filter(|version| version.3.is_addition());
        let is_match = |version: &&Row| join.on.condition.is_none() || row.1 < version.1 + 3;
        let right = match valid.filter(is_match) {
            Some(version) => texts(version),
            None if join.kind == JoinKind::Left => vec!["NULL".to_string(); 3],
            None => continue,
        };
        let count = table.entry([texts(row), right].concat()).or_default();
        *count += if row.3.is_addition() { 1 } else { -1 };
    }
    table.retain(|_, count| *count != 0);
    table
}

fn check(seed: u64, keys: i64) {
    println!("seed {seed}");
    let mut random = SmallRng::seed_from_u64(seed);
    let mut join = join(if random.random() { JoinKind::Inner } else { JoinKind::Left });
    if random.random() {
        join.on.condition = Some(common::joins::condition());
    }
    let left = if random.random() { Changelog::Append } else { Changelog::Retract };
    let right = [Changelog::Append, Changelog::Retract, upsert()][random.random_range(0..3)].clone();
    let (mut left_rows, mut right_rows) = (Vec::new(), Vec::new());
    let feeds = vec![
        random_feed(&mut random, (0, keys), &left, &mut left_rows, |random, row, rows| {
            left_row(random, row, rows, !left.is_append());
        }),
        random_feed(&mut random, (1, keys), &right, &mut right_rows, |random, row, rows| {
            right_row(random, row, rows, &right);
        }),
    ];
    let parallelism = random.random_range(1..=4);
    let received = run(&plan(&join, left.clone(), right.clone()), feeds, parallelism, seed, true);
    assert_eq!(folded(&received), expected(&join, &left_rows, &right_rows), "{join:?} {left:?} {right:?}");
}

#[test]
fn each_row_meets_the_version_of_its_time() {
    (0..400).for_each(|seed| check(seed, 6));
}

#[test]
fn a_great_many_keys_come_and_go() {
    (0..12).for_each(|seed| check(seed, 6_000));
}

/// Feeds (side, value, time, change), where side 2 is the watermark. Returns each step's results.
fn steps(steps: &[(usize, i64, i64, Change)]) -> (Vec<String>, Driver) {
    let mut driver = Driver::new(&plan(&join(JoinKind::Left), Changelog::Append, upsert()), 1, 1).unwrap();
    let mut results = Vec::new();
    for (side, value, time, change) in steps {
        let changelog = if *side == 0 { Changelog::Append } else { upsert() };
        match side {
            2 => driver.watermark(Watermark::At(*time)).unwrap(),
            side => {
                let rows = batch(&[(Some(1), *value, Some(*time), *change)], &changelog);
                driver.feed(*side, 0, Element::Batch(rows)).unwrap();
            }
        }
        driver.end_epoch().unwrap();
        let received = std::mem::take(&mut driver.received);
        let values = |row: Vec<String>| row.chunks(3).map(|row| row[1].clone()).collect::<Vec<_>>().join(" ");
        let texts: Vec<String> = received.iter().flat_map(|(_, rows)| texts(rows)).map(values).collect();
        results.push(texts.join(", "));
    }
    (results, driver)
}

use Change::{Delete, Insert, UpdateAfter};

#[test]
fn a_row_waits_until_the_versions_of_its_time_are_known() {
    let (results, _) = steps(&[
        (0, 1, 100, Insert),
        (2, 0, 99, Insert),
        (1, 7, 100, Insert),
        (1, 8, 101, UpdateAfter),
        (2, 0, 100, Insert),
    ]);
    assert_eq!(results, ["", "", "", "", "1 7"]);
}

#[test]
fn a_deleted_row_is_valid_no_more() {
    let (results, mut driver) =
        steps(&[(1, 7, 10, Insert), (1, 7, 20, Delete), (0, 1, 19, Insert), (0, 2, 20, Insert), (2, 0, 30, Insert)]);
    assert_eq!(results[4], "1 7, 2 NULL");
    assert!(driver.snapshot().unwrap().iter().all(|captured| captured.rows.is_empty()), "nothing has to be kept");
}

#[test]
fn the_last_version_stays_for_ever_and_former_ones_do_not() {
    let mut changes: Vec<_> = (0..500).map(|time| (1, time, time, UpdateAfter)).collect();
    changes.extend([(2, 0, 1_000, Insert), (0, 1, 5_000, Insert), (2, 0, 9_000, Insert)]);
    let (results, mut driver) = steps(&changes);
    assert_eq!(results.last().unwrap(), "1 499");
    let rows: usize =
        driver.snapshot().unwrap().iter().flat_map(|captured| &captured.rows).map(|rows| rows.num_rows()).sum();
    assert_eq!(rows, 1);
}

#[test]
fn waiting_rows_keep_their_keys_when_others_are_forgotten() {
    let mut driver = Driver::new(&plan(&join(JoinKind::Left), Changelog::Append, upsert()), 1, 1).unwrap();
    let mut rows: Vec<Row> = (0..3_000).map(|key| (Some(key), key, Some(10), Insert)).collect();
    rows.extend([(Some(5_000), 1, Some(20), Insert), (Some(5_001), 2, Some(20), Insert)]);
    driver.feed(0, 0, Element::Batch(batch(&rows, &Changelog::Append))).unwrap();
    let versions = [(Some(5_001), 7, Some(0), Insert), (Some(5_000), 8, Some(0), Insert)];
    driver.feed(1, 0, Element::Batch(batch(&versions, &upsert()))).unwrap();
    driver.watermark(Watermark::At(10)).unwrap();
    driver.received.clear();
    driver.watermark(Watermark::At(20)).unwrap();
    let received: Vec<String> = texts(&driver.received[0].1).into_iter().map(|row| row.concat()).collect();
    let time = |millis: i64| format!("1970-01-01T00:00:00{}", if millis == 0 { "" } else { ".020" });
    let expected = |key: i64, left: i64, right: i64| format!("{key}{left}{}{key}{right}{}", time(20), time(0));
    assert_eq!(received, [expected(5_000, 1, 8), expected(5_001, 2, 7)]);
}

#[test]
fn other_kinds_are_refused() {
    let plan = plan(&join(JoinKind::Full), Changelog::Append, upsert());
    let message = Driver::new(&plan, 1, 1).err().expect("it is refused").message;
    assert!(message.contains("a temporal join is inner or left, not Full"), "{message}");
}
