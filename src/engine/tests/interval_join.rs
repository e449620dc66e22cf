//! Interval and window joins of random rows, against a nested loop over all of them.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use common::joins::{nested_loop, plan_over};
use common::table::{Feed, Table, folded, run, texts};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tidemill_engine::driver::Driver;
use tidemill_engine::element::{Element, Watermark};
use tidemill_plan::{Changelog, IntervalJoin, JoinKey, JoinKind, JoinOn, JoinTimes, NodeKind, StreamPlan};

const KINDS: [JoinKind; 6] =
    [JoinKind::Inner, JoinKind::Left, JoinKind::Right, JoinKind::Full, JoinKind::Semi, JoinKind::Anti];

/// How late rows may be behind others without being late for the watermark.
const DISORDER_MS: i64 = 20;

/// Key, value and time.
type Row = (Option<i64>, i64, Option<i64>);

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("key", DataType::Int64, true),
        Field::new("value", DataType::Int64, true),
        Field::new("time", DataType::Timestamp(TimeUnit::Millisecond, None), true),
    ]))
}

fn batch(rows: &[Row]) -> RecordBatch {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|row| row.0).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|row| Some(row.1)).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|row| row.2).collect::<TimestampMillisecondArray>()),
    ];
    RecordBatch::try_new(schema(), columns).unwrap()
}

fn join(kind: JoinKind, lower_ms: i64, upper_ms: i64, times: JoinTimes) -> IntervalJoin {
    let on = JoinOn { keys: vec![JoinKey { left: 0, right: 0, nulls_equal: false }], condition: None };
    IntervalJoin { kind, on, left_time: 2, right_time: 2, lower_ms, upper_ms, times }
}

fn plan(join: &IntervalJoin) -> StreamPlan {
    let append = || Changelog::Append;
    plan_over(&schema(), NodeKind::IntervalJoin(join.clone()), join.kind, [append(), append()], append())
}

/// Rows of so many keys whose times rise, with some disorder, and watermarks behind which none comes.
fn random_feed(random: &mut SmallRng, source: usize, keys: i64, rows: &mut Vec<Row>) -> Feed {
    let mut elements = Vec::new();
    let mut time = -300;
    for _ in 0..random.random_range(0..30) {
        let mut new = Vec::new();
        for _ in 0..random.random_range(1..20 + keys / 20) {
            time += random.random_range(0..6);
            let at = random.random_bool(0.97).then(|| time - random.random_range(0..DISORDER_MS));
            let key = random.random_bool(0.95).then(|| random.random_range(0..keys));
            new.push((key, random.random_range(0..8), at));
        }
        elements.push(Element::Batch(batch(&new)));
        rows.extend(new);
        if random.random_bool(0.6) {
            elements.push(Element::Watermark(Watermark::At(time - DISORDER_MS)));
        }
    }
    Feed { source, elements }
}

fn expected(join: &IntervalJoin, inputs: &[Vec<Row>; 2]) -> Table {
    let is_match = |left: &Row, right: &Row| match (left, right) {
        ((Some(left_key), left_value, Some(left)), (Some(right_key), right_value, Some(right))) => {
            left_key == right_key
                && (right + join.lower_ms..=right + join.upper_ms).contains(left)
                && (join.on.condition.is_none() || *left_value < right_value + 3)
        }
        _ => false,
    };
    nested_loop(join.kind, &inputs[0], &inputs[1], is_match, |row| texts(&batch(&[*row])).remove(0))
}

fn check(seed: u64, keys: i64) {
    println!("seed {seed}");
    let mut random = SmallRng::seed_from_u64(seed);
    let lower = random.random_range(-60..60);
    let upper = if random.random_bool(0.3) { lower } else { lower + random.random_range(-2..80) };
    let mut join = join(KINDS[random.random_range(0..6)], lower, upper, JoinTimes::OfRows);
    if random.random() {
        join.on.condition = Some(common::joins::condition());
    }
    let mut inputs = [Vec::new(), Vec::new()];
    let feeds = [0, 1].map(|side| random_feed(&mut random, side, keys, &mut inputs[side]));
    let parallelism = random.random_range(1..=4);
    let received = run(&plan(&join), feeds.into(), parallelism, seed, true);
    assert_eq!(folded(&received), expected(&join, &inputs), "{join:?}");
}

#[test]
fn results_are_those_of_a_nested_loop() {
    (0..400).for_each(|seed| check(seed, 6));
}

#[test]
fn a_great_many_keys_come_and_go() {
    (0..12).for_each(|seed| check(seed, 6_000));
}

/// Feeds rows of key 1 by side and time, and watermarks (as side 2). Returns each step's results.
fn steps(join: &IntervalJoin, steps: &[(usize, i64)]) -> (Vec<Vec<String>>, Driver) {
    let mut driver = Driver::new(&plan(join), 1, 1).unwrap();
    let mut results = Vec::new();
    for (side, time) in steps {
        match side {
            2 => driver.watermark(Watermark::At(*time)).unwrap(),
            side => driver.feed(*side, 0, Element::Batch(batch(&[(Some(1), *time, Some(*time))]))).unwrap(),
        }
        driver.end_epoch().unwrap();
        let received = std::mem::take(&mut driver.received);
        let values = |row: Vec<String>| row.chunks(3).map(|row| row[1].clone()).collect::<Vec<_>>().join(" ");
        results.push(received.iter().flat_map(|(_, rows)| texts(rows)).map(values).collect());
    }
    (results, driver)
}

#[test]
fn an_unmatched_row_is_put_out_as_soon_as_no_match_can_come() {
    let join = join(JoinKind::Full, -10, 5, JoinTimes::OfRows);
    // A left row at 100 matches right ones from 95 to 110.
    let (results, _) = steps(&join, &[(0, 100), (2, 109), (2, 110)]);
    assert_eq!(results, [vec![], vec![], vec!["100 NULL"]]);
    // A right row at 100 matches left ones from 90 to 105.
    let (results, _) = steps(&join, &[(1, 100), (2, 104), (2, 105)]);
    assert_eq!(results, [vec![], vec![], vec!["NULL 100"]]);
}

#[test]
fn an_interval_join_joins_late_rows_with_what_is_there() {
    let join = join(JoinKind::Left, -10, 5, JoinTimes::OfRows);
    let (results, driver) = steps(&join, &[(0, 100), (2, 105), (1, 104), (1, 94), (0, 99), (2, 500), (1, 100)]);
    let put_out = |place: usize| results[place].join(", ");
    assert_eq!([2, 3, 4, 5, 6].map(put_out), ["100 104", "", "99 104", "", ""]);
    assert_eq!(driver.late_rows(), 0);
}

#[test]
fn a_window_is_over_for_a_join_when_its_last_millisecond_is() {
    let join = join(JoinKind::Left, 0, 0, JoinTimes::WindowEnds);
    let (results, driver) = steps(&join, &[(0, 100), (2, 98), (1, 100), (2, 99), (0, 100), (0, 101), (2, 100)]);
    assert_eq!(results[2], ["100 100"]);
    assert!(results[3].is_empty() && results[4].is_empty());
    assert_eq!(results[6], ["101 NULL"]);
    assert_eq!(driver.late_rows(), 1);
}

#[test]
fn rows_that_were_late_before_a_restart_are_late_behind_it() {
    let plan = plan(&join(JoinKind::Left, 0, 0, JoinTimes::WindowEnds));
    let mut driver = Driver::new(&plan, 1, 1).unwrap();
    driver.watermark(Watermark::At(200)).unwrap();
    let snapshot = driver.snapshot().unwrap();
    let mut driver = Driver::new(&plan, 3, 1).unwrap();
    driver.restore(&snapshot).unwrap();
    driver.feed(0, 0, Element::Batch(batch(&[(Some(1), 0, Some(100))]))).unwrap();
    driver.watermark(Watermark::END).unwrap();
    assert_eq!((driver.received.len(), driver.late_rows()), (0, 1));
}

#[test]
fn rows_are_forgotten_when_their_time_is_over() {
    let join = join(JoinKind::Inner, -10, 10, JoinTimes::OfRows);
    let mut driver = Driver::new(&plan(&join), 1, 1).unwrap();
    for time in 0..3_000 {
        let rows: Vec<Row> = (0..4).map(|key| (Some(time * 4 + key), 0, Some(time))).collect();
        driver.feed((time % 2) as usize, 0, Element::Batch(batch(&rows))).unwrap();
        driver.watermark(Watermark::At(time - 5)).unwrap();
    }
    let kept: usize =
        driver.snapshot().unwrap().iter().flat_map(|captured| &captured.rows).map(|rows| rows.num_rows()).sum();
    assert!((60..=160).contains(&kept), "{kept} rows");
    driver.watermark(Watermark::END).unwrap();
    assert!(driver.snapshot().unwrap().iter().all(|captured| captured.rows.is_empty()));
}

#[test]
fn changing_inputs_and_other_times_are_refused() {
    let refused = |join: &IntervalJoin, left: Changelog| {
        let kind = NodeKind::IntervalJoin(join.clone());
        let plan = plan_over(&schema(), kind, join.kind, [left, Changelog::Append], Changelog::Append);
        Driver::new(&plan, 1, 1).err().expect("it is refused").message
    };
    let mut join = join(JoinKind::Inner, 0, 0, JoinTimes::OfRows);
    assert!(refused(&join, Changelog::Retract).contains("rows of its inputs are taken back"));
    join.left_time = 1;
    assert!(refused(&join, Changelog::Append).contains("no TIMESTAMP(3) column"));
}
