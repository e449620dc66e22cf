//! Aggregation of groups under the driver, against a recomputation of the final table: random rows that come and go,
//! random batches and epochs, 1 to 4 threads, and a restart in the middle.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int8Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use common::table::{Feed, Table, folded, run, texts, upserted};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tidemill_engine::driver::Driver;
use tidemill_engine::element::Element;
use tidemill_plan::{
    AggregateCall, AggregateFunction as F, Changelog, GroupAggregate, NodeKind, PlanNode, Sink, Source, StreamPlan,
};

/// A row: key, number, text, flag.
type Row = (Option<i64>, Option<i64>, String, Option<bool>);

fn input_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("k", DataType::Int64, true),
        Field::new("n", DataType::Int64, true),
        Field::new("s", DataType::Utf8, true),
        Field::new("f", DataType::Boolean, true),
    ]))
}

fn call(function: F, argument: Option<usize>, distinct: bool, filter: Option<usize>) -> AggregateCall {
    AggregateCall { function, argument, distinct, filter }
}

/// Functions whose results do not depend on the order of rows, with their results' types.
fn unordered() -> Vec<(AggregateCall, DataType)> {
    let number = |call| (call, DataType::Int64);
    vec![
        number(call(F::Count, None, false, None)),
        number(call(F::Count, Some(1), false, Some(3))),
        number(call(F::Sum, Some(1), false, None)),
        number(call(F::Avg, Some(1), false, Some(3))),
        number(call(F::Min, Some(1), false, None)),
        number(call(F::Max, Some(1), true, Some(3))),
        (call(F::Max, Some(2), false, None), DataType::Utf8),
        number(call(F::Count, Some(1), true, None)),
        number(call(F::Count, Some(1), true, Some(3))),
        number(call(F::Sum, Some(1), true, Some(3))),
        number(call(F::Count, Some(2), true, Some(3))),
        number(call(F::ApproxCountDistinct, Some(2), false, None)),
        (call(F::Collect, Some(1), false, None), multiset()),
    ]
}

fn multiset() -> DataType {
    let fields = vec![Field::new("key", DataType::Int64, false), Field::new("value", DataType::Int32, true)];
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(fields.into()), false)), false)
}

/// What [`unordered`] makes of a group's rows.
fn recomputed_unordered(changes: &[(Row, i8)]) -> Vec<String> {
    let rows = left_of(changes, |row| Some(row.clone()));
    let all = || rows.iter().filter_map(|row| row.1);
    let flagged = || rows.iter().filter(|row| row.3 == Some(true));
    let chosen = || flagged().filter_map(|row| row.1);
    let distinct: BTreeSet<i64> = chosen().collect();
    let mut numbers: BTreeMap<i64, i64> = BTreeMap::new();
    all().for_each(|number| *numbers.entry(number).or_default() += 1);
    let entries: Vec<String> = numbers.iter().map(|(number, count)| format!("{number}: {count}")).collect();
    vec![
        rows.len().to_string(),
        chosen().count().to_string(),
        text(all().next().map(|_| all().sum::<i64>())),
        text(chosen().next().map(|_| chosen().sum::<i64>() / chosen().count() as i64)),
        text(all().min()),
        text(chosen().max()),
        text(rows.iter().map(|row| &row.2).max()),
        all().collect::<BTreeSet<_>>().len().to_string(),
        distinct.len().to_string(),
        text(distinct.first().map(|_| distinct.iter().sum::<i64>())),
        flagged().map(|row| &row.2).collect::<BTreeSet<_>>().len().to_string(),
        rows.iter().map(|row| &row.2).collect::<BTreeSet<_>>().len().to_string(),
        format!("{{{}}}", entries.join(", ")),
    ]
}

/// Functions whose results depend on the order of rows.
fn ordered() -> Vec<(AggregateCall, DataType)> {
    let list = F::ListAgg { separator: ",".into() };
    vec![
        (call(F::FirstValue, Some(1), false, None), DataType::Int64),
        (call(F::LastValue, Some(2), false, Some(3)), DataType::Utf8),
        (call(list, Some(2), false, None), DataType::Utf8),
    ]
}

fn recomputed_ordered(changes: &[(Row, i8)]) -> Vec<String> {
    let all = left_of(changes, |row| Some(row.2.clone()));
    vec![
        text(left_of(changes, |row| row.1).first()),
        text(left_of(changes, |row| (row.3 == Some(true)).then(|| row.2.clone())).last()),
        all.join(","),
    ]
}

/// The arguments that are left, in the order in which they came: what is taken back is the first that is equal.
fn left_of<T: PartialEq>(changes: &[(Row, i8)], argument: impl Fn(&Row) -> Option<T>) -> Vec<T> {
    let mut left = Vec::new();
    for (row, change) in changes {
        let Some(value) = argument(row) else { continue };
        if change % 2 == 0 {
            left.push(value);
        } else {
            let first = left.iter().position(|other| *other == value).unwrap();
            left.remove(first);
        }
    }
    left
}

fn text(value: Option<impl ToString>) -> String {
    value.map_or("NULL".to_string(), |value| value.to_string())
}

fn plan(
    keys: &[usize],
    calls: &[(AggregateCall, DataType)],
    input: Changelog,
    output: Changelog,
    state_ttl_ms: Option<u64>,
) -> StreamPlan {
    let table = |name: &str| tidemill_plan::Table {
        name: name.into(),
        connector: "test".into(),
        options: BTreeMap::new(),
        ..Default::default()
    };
    let mut fields: Vec<Field> = keys.iter().map(|key| input_schema().field(*key).clone()).collect();
    for (number, (_, result)) in calls.iter().enumerate() {
        fields.push(Field::new(format!("a{number}"), result.clone(), true));
    }
    let schema = Arc::new(Schema::new(fields));
    let aggregates = calls.iter().map(|(call, _)| call.clone()).collect();
    let aggregate = GroupAggregate { keys: keys.to_vec(), aggregates, state_ttl_ms };
    let node = |uid: &str, inputs, kind, schema: &SchemaRef, changelog: &Changelog| PlanNode {
        uid: uid.into(),
        inputs,
        kind,
        schema: schema.clone(),
        changelog: changelog.clone(),
        local_time: None,
    };
    StreamPlan {
        nodes: vec![
            node(
                "in",
                vec![],
                NodeKind::Source(Source { table: table("in"), watermark: None }),
                &input_schema(),
                &input,
            ),
            node("groups", vec![0], NodeKind::GroupAggregate(aggregate), &schema, &output),
            node("out", vec![1], NodeKind::Sink(Sink { table: table("out") }), &schema, &output),
        ],
    }
}

fn upsert(keys: usize) -> Changelog {
    Changelog::Upsert { key: (0..keys).collect() }
}

fn batch(rows: &[(Row, i8)], changelog: &Changelog) -> RecordBatch {
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|(row, _)| row.0).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|(row, _)| row.1).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|(row, _)| Some(row.2.as_str())).collect::<StringArray>()),
        Arc::new(rows.iter().map(|(row, _)| row.3).collect::<BooleanArray>()),
    ];
    if !changelog.is_append() {
        columns.push(Arc::new(rows.iter().map(|(_, change)| *change).collect::<Int8Array>()));
    }
    RecordBatch::try_new(plan(&[], &[], changelog.clone(), upsert(0), None).nodes[0].batch_schema(), columns).unwrap()
}

/// Random changes; what is taken back is there.
fn random_changes(random: &mut SmallRng, count: usize, input: &Changelog) -> Vec<(Row, i8)> {
    let (mut changes, mut left): (Vec<(Row, i8)>, Vec<Row>) = (Vec::new(), Vec::new());
    let keys = random.random_range(1..8);
    for _ in 0..count {
        if !input.is_append() && !left.is_empty() && random.random_bool(0.45) {
            let row = left.swap_remove(random.random_range(0..left.len()));
            changes.push((row, [1, 3][random.random_range(0..2)]));
            continue;
        }
        let row = (
            random.random_bool(0.9).then(|| random.random_range(0..keys)),
            random.random_bool(0.8).then(|| random.random_range(-5..5)),
            ["a", "b", "", "dd"][random.random_range(0..4)].to_string(),
            [None, Some(false), Some(true)][random.random_range(0..3)],
        );
        left.push(row.clone());
        changes.push((row, [0, 2][random.random_range(0..2)]));
    }
    changes
}

fn feed(random: &mut SmallRng, changes: &[(Row, i8)], input: &Changelog) -> Vec<Feed> {
    let mut elements = Vec::new();
    let mut rest = changes;
    while !rest.is_empty() {
        let (next, others) = rest.split_at(random.random_range(1..=30.min(rest.len())));
        elements.push(Element::Batch(batch(next, input)));
        rest = others;
    }
    vec![Feed { source: 0, elements }]
}

/// The changes of each key's rows; one group without keys.
fn by_key(changes: &[(Row, i8)], keys: &[usize]) -> BTreeMap<Option<Option<i64>>, Vec<(Row, i8)>> {
    let mut groups: BTreeMap<_, Vec<(Row, i8)>> = BTreeMap::new();
    for (row, change) in changes {
        groups.entry((!keys.is_empty()).then_some(row.0)).or_default().push((row.clone(), *change));
    }
    groups.retain(|_, changes| !left_of(changes, |row| Some(row.clone())).is_empty());
    groups
}

fn check(calls: &[(AggregateCall, DataType)], recomputed: fn(&[(Row, i8)]) -> Vec<String>, is_ordered: bool) {
    let given = std::env::var("SEED").ok().map(|seed| seed.parse::<u64>().unwrap());
    for seed in given.map_or(0..150, |seed| seed..seed + 1) {
        let mut random = SmallRng::seed_from_u64(seed);
        let input = if random.random_bool(0.5) { Changelog::Append } else { Changelog::Retract };
        let keys: &[usize] = if calls.is_empty() || random.random_bool(0.8) { &[0] } else { &[] };
        let output = if random.random_bool(0.5) { Changelog::Retract } else { upsert(keys.len()) };
        let count = random.random_range(1..300);
        let changes = random_changes(&mut random, count, &input);
        let plan = plan(keys, calls, input.clone(), output.clone(), None);
        let in_order = is_ordered || !input.is_append();
        let received = run(&plan, feed(&mut random, &changes, &input), 1 + (seed % 4) as usize, seed, in_order);
        let table = match output {
            Changelog::Retract => folded(&received),
            _ => upserted(&received, &(0..keys.len()).collect::<Vec<_>>()),
        };
        let mut expected = Table::new();
        for (key, rows) in by_key(&changes, keys) {
            let mut row: Vec<String> = key.into_iter().map(text).collect();
            row.extend(recomputed(&rows));
            expected.insert(row, 1);
        }
        assert_eq!(table, expected, "SEED={seed} input {input:?} output {output:?} keys {keys:?}");
    }
}

#[test]
fn random_runs_agree_with_a_recomputation() {
    check(&unordered(), recomputed_unordered, false);
}

#[test]
fn random_runs_agree_where_the_order_of_rows_matters() {
    check(&ordered(), recomputed_ordered, true);
}

#[test]
fn distinct_rows_are_told_once() {
    check(&[], |_| Vec::new(), false);
}

/// Feeds batches, an epoch each, and returns what each epoch put out, as changes and texts.
fn epochs(plan: &StreamPlan, batches: &[RecordBatch], step_ms: i64) -> Vec<Vec<String>> {
    let mut driver = Driver::new(plan, 1, 1).unwrap();
    let mut epochs = Vec::new();
    for rows in batches {
        driver.now_ms += step_ms;
        driver.feed(0, 0, Element::Batch(rows.clone())).unwrap();
        driver.end_epoch().unwrap();
        let mut told = Vec::new();
        for (_, rows) in std::mem::take(&mut driver.received) {
            let (_, changes) = tidemill_engine::change::split(&rows);
            for (row, texts) in texts(&rows).into_iter().enumerate() {
                let change = changes.map_or("", |changes| ["+I", "-U", "+U", "-D"][changes.value(row) as usize]);
                told.push(format!("{change} {}", texts.join(" ")).trim().to_string());
            }
        }
        epochs.push(told);
    }
    epochs
}

fn rows(keys_and_numbers: &[(i64, i64, i8)], changelog: &Changelog) -> RecordBatch {
    let row = |(key, number, change): &(i64, i64, i8)| ((Some(*key), Some(*number), String::new(), None), *change);
    batch(&keys_and_numbers.iter().map(row).collect::<Vec<_>>(), changelog)
}

#[test]
fn a_group_is_told_of_once_in_an_epoch_and_only_if_its_result_changed() {
    let max = [(call(F::Max, Some(1), false, None), DataType::Int64)];
    let input = Changelog::Append;
    let batches =
        [rows(&[(1, 5, 0), (1, 7, 0)], &input), rows(&[(1, 6, 0)], &input), rows(&[(1, 8, 0), (1, 9, 0)], &input)];
    let retract = plan(&[0], &max, input.clone(), Changelog::Retract, None);
    assert_eq!(epochs(&retract, &batches, 1), [vec!["+I 1 7"], vec![], vec!["-U 1 7", "+U 1 9"]]);
    let upserts = plan(&[0], &max, input.clone(), upsert(1), None);
    assert_eq!(epochs(&upserts, &batches, 1), [vec!["+I 1 7"], vec![], vec!["+U 1 9"]]);
}

#[test]
fn a_group_without_rows_is_deleted_and_begins_anew() {
    let sum = [(call(F::Sum, Some(1), false, None), DataType::Int64)];
    let input = Changelog::Retract;
    let batches =
        [rows(&[(1, 5, 0)], &input), rows(&[(1, 5, 3), (2, 1, 0), (2, 1, 3)], &input), rows(&[(1, 5, 0)], &input)];
    let plan = plan(&[0], &sum, input, Changelog::Retract, None);
    assert_eq!(epochs(&plan, &batches, 1), [vec!["+I 1 5"], vec!["-D 1 5"], vec!["+I 1 5"]]);
}

#[test]
fn many_groups_that_die_are_forgotten_and_the_others_stay() {
    let count =
        [(call(F::Count, Some(1), true, None), DataType::Int64), (call(F::Max, Some(1), false, None), DataType::Int64)];
    let input = Changelog::Retract;
    let plan = plan(&[0], &count, input.clone(), Changelog::Retract, None);
    let mut driver = Driver::new(&plan, 1, 1).unwrap();
    for round in 0..20 {
        let come: Vec<_> = (round * 1000..(round + 1) * 1000).map(|key| (key, key, 0)).collect();
        let go: Vec<_> =
            come.iter().filter(|(key, ..)| key % 100 != 0).map(|(key, number, _)| (*key, *number, 3)).collect();
        for changes in [come, go] {
            driver.feed(0, 0, Element::Batch(rows(&changes, &input))).unwrap();
            driver.end_epoch().unwrap();
        }
    }
    let table = folded(driver.received.iter().map(|(_, rows)| rows));
    let expected = (0..200).map(|key| (vec![(key * 100).to_string(), "1".into(), (key * 100).to_string()], 1));
    assert_eq!(table, expected.collect());
}

#[test]
fn a_group_is_forgotten_when_nothing_comes_for_it() {
    let count = [(call(F::Count, None, false, None), DataType::Int64)];
    let input = Changelog::Append;
    let batches = [&[(1, 0, 0), (2, 0, 0)][..], &[(1, 0, 0)], &[(1, 0, 0)], &[(1, 0, 0), (2, 0, 0)]];
    let batches: Vec<_> = batches.iter().map(|batch| rows(batch, &input)).collect();
    let plan = plan(&[0], &count, input, Changelog::Retract, Some(250));
    let told = epochs(&plan, &batches, 200);
    assert_eq!(told[0], ["+I 1 1", "+I 2 1"]);
    assert_eq!(told[3], ["-U 1 3", "+U 1 4", "+I 2 1"], "2 begins anew, 1 does not");
}

#[test]
fn an_input_that_does_not_tell_what_it_replaces_is_refused() {
    let refused = |plan: StreamPlan, reason: &str| {
        let Err(problem) = Driver::new(&plan, 1, 1) else { panic!("it was taken") };
        assert!(problem.message.contains(reason), "{}", problem.message);
    };
    let count = [(call(F::Count, None, false, None), DataType::Int64)];
    refused(plan(&[0], &count, upsert(1), Changelog::Retract, None), "what updates replace");
    refused(plan(&[0], &count, Changelog::Append, Changelog::Append, None), "does not tell");
    let sum = [(call(F::Sum, Some(2), false, None), DataType::Utf8)];
    refused(plan(&[0], &sum, Changelog::Append, Changelog::Retract, None), "Sum of Some(Utf8) is not supported");
}
