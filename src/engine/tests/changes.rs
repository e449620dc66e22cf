//! The pitfalls of rows that come and go, by name. `README.md` beside this file says where the others are pinned.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/ordering.rs"]
mod ordering;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use common::table::upserted;
use ordering::{KEY, Row, VALUE, batch, changes, epochs, plan, row};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tidemill_engine::driver::Driver;
use tidemill_engine::element::Element;
use tidemill_plan::{
    AggregateCall, AggregateFunction, Change, Changelog, GroupAggregate, NodeKind, PlanNode, Rank, RankEmit, StreamPlan,
};

fn call(function: AggregateFunction, argument: Option<usize>, distinct: bool) -> AggregateCall {
    AggregateCall { function, argument, distinct, filter: None }
}

fn schema(results: usize) -> SchemaRef {
    let results = (0..results).map(|place| Field::new(format!("result_{place}"), DataType::Int64, true));
    let key = Field::new("key", DataType::Int64, true);
    Arc::new(Schema::new(std::iter::once(key).chain(results).collect::<Vec<_>>()))
}

fn aggregate(calls: Vec<AggregateCall>, input: Changelog, state_ttl_ms: Option<u64>) -> StreamPlan {
    let schema = schema(calls.len());
    let aggregate = GroupAggregate { keys: vec![KEY], aggregates: calls, state_ttl_ms };
    plan(NodeKind::GroupAggregate(aggregate), input, schema, Changelog::Retract)
}

#[test]
fn when_the_extreme_is_taken_back_the_next_one_takes_its_place() {
    use Change::{Delete, Insert};
    let calls =
        vec![call(AggregateFunction::Max, Some(VALUE), false), call(AggregateFunction::Min, Some(VALUE), false)];
    let plan = aggregate(calls, Changelog::Retract, None);
    let told = epochs(
        &plan,
        [
            changes(&[(Insert, row(1, 5, 0, "")), (Insert, row(1, 9, 0, "")), (Insert, row(1, 9, 0, ""))]),
            changes(&[(Delete, row(1, 9, 0, ""))]),
            changes(&[(Delete, row(1, 9, 0, ""))]),
            changes(&[(Insert, row(1, 7, 0, "")), (Delete, row(1, 5, 0, ""))]),
            changes(&[(Delete, row(1, 7, 0, ""))]),
        ],
    );
    let none: &[&str] = &[];
    let expected = [&["+I 1 9 5"], none, &["-U 1 9 5", "+U 1 5 5"], &["-U 1 5 5", "+U 1 7 7"], &["-D 1 7 7"]];
    assert_eq!(told, expected, "one of two equal ones is left at first");
}

#[test]
fn nothing_is_counted_of_nulls() {
    let calls = vec![
        call(AggregateFunction::Count, Some(VALUE), true),
        call(AggregateFunction::Count, Some(VALUE), false),
        call(AggregateFunction::Count, None, false),
        call(AggregateFunction::Sum, Some(VALUE), false),
        call(AggregateFunction::Avg, Some(VALUE), false),
    ];
    let null = Row { value: None, ..row(1, 0, 0, "") };
    let told = epochs(&aggregate(calls, Changelog::Append, None), [batch(&[null.clone(), null])]);
    assert_eq!(told[0], ["+I 1 0 0 2  "]);
}

#[test]
fn what_is_taken_back_of_a_group_that_has_outlived_its_time_makes_no_group() {
    use Change::{Delete, Insert};
    let calls = vec![call(AggregateFunction::Count, None, false), call(AggregateFunction::Sum, Some(VALUE), false)];
    let mut driver = Driver::new(&aggregate(calls, Changelog::Retract, Some(1_000)), 1, 1).unwrap();
    driver.now_ms = 10_000;
    let mut told = |after_ms: i64, change, value| -> Vec<String> {
        driver.now_ms += after_ms;
        driver.end_epoch().unwrap();
        driver.feed(0, 0, Element::Batch(changes(&[(change, row(1, value, 0, ""))]))).unwrap();
        driver.end_epoch().unwrap();
        driver.received.drain(..).flat_map(|(_, rows)| ordering::shown(&rows)).collect()
    };
    assert_eq!(told(0, Insert, 5), ["+I 1 1 5"]);
    assert!(told(5_000, Delete, 5).is_empty(), "the group is forgotten");
    assert_eq!(told(0, Insert, 7), ["+I 1 1 7"], "what was taken back does not count against it");
}

/// How many keys there are of each count: rows of an updating stream whose key changes, by the key of a sink.
fn plan_of_changing_keys() -> StreamPlan {
    let mut plan = aggregate(vec![call(AggregateFunction::Count, None, false)], Changelog::Append, None);
    let rank = Rank {
        partition: vec![1],
        order: Vec::new(),
        first: 1,
        last: 1,
        with_number: false,
        emit: RankEmit::Changes,
        newest_first: true,
        state_ttl_ms: None,
    };
    let mut sink = plan.nodes.pop().unwrap();
    let changelog = Changelog::Upsert { key: vec![1] };
    plan.nodes.push(PlanNode {
        uid: "by-count".into(),
        inputs: vec![1],
        kind: NodeKind::Rank(rank),
        schema: schema(1),
        changelog: changelog.clone(),
        local_time: None,
    });
    (sink.inputs, sink.changelog) = (vec![2], changelog);
    plan.nodes.push(sink);
    plan
}

#[test]
fn a_key_that_a_row_leaves_and_another_takes_is_told_by_one_thread() {
    for seed in 0..50 {
        let mut random = SmallRng::seed_from_u64(seed);
        let threads = random.random_range(1..=4);
        let mut driver = Driver::new(&plan_of_changing_keys(), threads, seed).unwrap();
        let mut counts: BTreeMap<i64, i64> = BTreeMap::new();
        for _ in 0..random.random_range(1..60) {
            let key = random.random_range(0..6);
            *counts.entry(key).or_default() += 1;
            driver.feed(0, random.random_range(0..threads), Element::Batch(batch(&[row(key, 0, 0, "")]))).unwrap();
            if random.random_bool(0.3) {
                driver.end_epoch().unwrap();
            }
        }
        driver.end_epoch().unwrap();
        let table = upserted(driver.received.iter().map(|(_, rows)| rows), &[1]);
        let mut told = Vec::new();
        for texts in table.keys() {
            let (key, count): (i64, i64) = (texts[0].parse().unwrap(), texts[1].parse().unwrap());
            assert_eq!(counts[&key], count, "seed {seed}: the row is one that there is");
            told.push(count);
        }
        told.sort_unstable();
        let mut expected: Vec<i64> = counts.into_values().collect();
        expected.sort_unstable();
        expected.dedup();
        assert_eq!(told, expected, "seed {seed}");
    }
}
