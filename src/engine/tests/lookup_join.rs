//! Lookup joins of random rows against a nested loop, and what becomes of them when the table changes.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::{Arc, Mutex};

use arrow::array::RecordBatch;
use common::joins::{Changed, batch, condition, joined, nested_loop, node, random_changes, schema};
use common::table::{Table, folded, texts};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tidemill_engine::connector::{Lookup, Result};
use tidemill_engine::driver::Driver;
use tidemill_engine::element::Element;
use tidemill_engine::outside::Outside;
use tidemill_plan::{Change, Changelog, JoinKey, JoinKind, JoinOn, LookupJoin, NodeKind, Sink, Source, StreamPlan};

struct Rows(Mutex<Vec<RecordBatch>>);

impl Lookup for Rows {
    fn load(&self) -> Result<Vec<RecordBatch>> {
        Ok(self.0.lock().unwrap().clone())
    }
}

fn table(name: &str) -> tidemill_plan::Table {
    tidemill_plan::Table {
        name: name.into(),
        connector: "test".into(),
        options: Default::default(),
        ..Default::default()
    }
}

fn join(kind: JoinKind) -> LookupJoin {
    let on = JoinOn { keys: vec![JoinKey { left: 0, right: 0, nulls_equal: false }], condition: None };
    LookupJoin { kind, table: table("t"), table_schema: schema(), on }
}

/// A source at 0, the join and a sink.
fn plan(join: &LookupJoin, changelog: &Changelog) -> StreamPlan {
    let output = joined(&schema(), join.kind);
    let node = |uid: &str, inputs, kind, schema| node(uid, inputs, kind, schema, changelog.clone());
    StreamPlan {
        nodes: vec![
            node("left", vec![], NodeKind::Source(Source { table: table("l"), watermark: None }), schema()),
            node("join", vec![0], NodeKind::LookupJoin(join.clone()), output.clone()),
            node("sink", vec![1], NodeKind::Sink(Sink { table: table("out") }), output),
        ],
    }
}

fn opened(join: &LookupJoin, rows: &[Changed]) -> Outside {
    // In two batches, as from two files.
    let (one, other) = rows.split_at(rows.len() / 2);
    let batches = [one, other].map(|rows| batch(rows, &Changelog::Append)).to_vec();
    let mut outside = Outside::default();
    outside.lookups.open("join", join, Arc::new(Rows(Mutex::new(batches)))).unwrap();
    outside
}

/// The rows that are left of changes.
fn there(changes: &[Changed]) -> Vec<Changed> {
    let mut rows: Vec<Changed> = Vec::new();
    for change in changes {
        match change.2.is_addition() {
            true => rows.push(*change),
            false => {
                let place = rows.iter().position(|row| (row.0, row.1) == (change.0, change.1)).unwrap();
                rows.swap_remove(place);
            }
        }
    }
    rows
}

fn check(seed: u64) {
    println!("seed {seed}");
    let mut random = SmallRng::seed_from_u64(seed);
    let mut join = join(if random.random() { JoinKind::Inner } else { JoinKind::Left });
    if random.random() {
        join.on.condition = Some(condition());
    }
    let takes_back = random.random();
    let changelog = if takes_back { Changelog::Retract } else { Changelog::Append };
    let (left, right) = (random_changes(&mut random, takes_back), random_changes(&mut random, false));
    let parallelism = random.random_range(1..4);
    let plan = plan(&join, &changelog);
    let mut driver = Driver::within(&plan, parallelism, seed, &opened(&join, &right)).unwrap();
    let mut rest = &left[..];
    while !rest.is_empty() {
        let (first, others) = rest.split_at(random.random_range(1..=rest.len().min(40)));
        // Changes of a row have to stay in order.
        let thread = if takes_back { 0 } else { random.random_range(0..parallelism) };
        driver.feed(0, thread, Element::Batch(batch(first, &changelog))).unwrap();
        rest = others;
    }
    driver.end_epoch().unwrap();
    assert!(driver.snapshot().unwrap().is_empty(), "a lookup join keeps nothing");
    let is_match = |left: &Changed, right: &Changed| {
        left.0.is_some() && left.0 == right.0 && (join.on.condition.is_none() || left.1 < right.1 + 3)
    };
    let text = |row: &Changed| texts(&batch(&[*row], &Changelog::Append)).remove(0);
    let expected: Table = nested_loop(join.kind, &there(&left), &right, is_match, text);
    assert_eq!(folded(driver.received.iter().map(|(_, rows)| rows)), expected);
}

#[test]
fn rows_are_joined_as_in_a_nested_loop() {
    (0..60).for_each(check);
}

#[test]
fn many_matches_come_in_several_batches_and_in_order() {
    let right: Vec<Changed> = (0..20_000).map(|value| (Some(value % 2), value, Change::Insert)).collect();
    let join = join(JoinKind::Left);
    let plan = plan(&join, &Changelog::Append);
    let mut driver = Driver::within(&plan, 1, 1, &opened(&join, &right)).unwrap();
    let left = [(Some(1), 1, Change::Insert), (Some(7), 2, Change::Insert), (Some(0), 3, Change::Insert)];
    driver.feed(0, 0, Element::Batch(batch(&left, &Changelog::Append))).unwrap();
    driver.end_epoch().unwrap();
    let rows: Vec<Vec<String>> = driver.received.iter().flat_map(|(_, rows)| texts(rows)).collect();
    assert!(driver.received.len() > 1);
    assert_eq!(rows.len(), 20_001);
    assert_eq!((rows[0][1].as_str(), rows[0][4].as_str()), ("1", "1"));
    assert_eq!((rows[10_000][1].as_str(), rows[10_000][4].as_str()), ("2", "NULL"));
    assert_eq!((rows[20_000][1].as_str(), rows[20_000][4].as_str()), ("3", "19998"));
}

#[test]
fn plans_that_cannot_be_run_are_refused() {
    let refused = |join: &LookupJoin, outside: &Outside| {
        let plan = plan(join, &Changelog::Append);
        Driver::within(&plan, 1, 1, outside).err().expect("it is refused").message
    };
    let inner = join(JoinKind::Inner);
    assert!(refused(&inner, &Outside::default()).contains("its table is not open"));
    let full = join(JoinKind::Full);
    assert!(refused(&full, &opened(&full, &[])).contains("inner or left, not Full"));
}
