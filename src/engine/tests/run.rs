//! The whole engine on real threads and sockets: several workers in one process, a coordinator played by the test, a
//! source and a sink of its own, checkpoints in a folder.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "run/engine.rs"]
mod engine;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::datatypes::{DataType, Field, Schema};
use common::table::folded;
use common::{Row, plan, recomputed, results};
use engine::{Incarnate, PATIENCE, Restore, SPLITS, Shape, Test, test};
use tidemill_model::CheckpointId;
use tidemill_model::control::{AfterCheckpoint, EngineEvent, PendingCommit};
use tidemill_model::snapshot::Manifest;
use tidemill_model::status::{Problem, ProblemKind};
use tidemill_plan::{
    AggregateCall, AggregateFunction, Alignment, Changelog, GroupAggregate, NodeKind, PlanNode, Source, StreamPlan,
    Table, Window,
};

const WINDOW: Window = Window::Tumble { size_ms: 100, offset_ms: 0 };

fn committed(test: &Test) -> Vec<common::ResultRow> {
    results(test.world.lock().unwrap().values().flatten())
}

/// Runs the rows through incarnations of these shapes, with a stop after each, and compares what was committed.
fn check(count: u64, shapes: &[Shape]) {
    let test = run(plan(WINDOW), count, shapes);
    assert_eq!(committed(&test), recomputed(&test.rows, WINDOW));
}

fn run(plan: StreamPlan, count: u64, shapes: &[Shape]) -> Arc<Test> {
    let storage = tempfile::tempdir().unwrap();
    let test = test(plan, count, 0);
    let mut restore = None;
    for (number, shape) in shapes.iter().enumerate() {
        let number = number as u64 + 1;
        *test.open.lock().unwrap() = (count * number / shapes.len() as u64) as usize;
        let engine = Incarnate::start(&test, storage.path(), shape, number, restore.take());
        engine.await_running();
        if number == shapes.len() as u64 {
            engine.await_all(|event| matches!(event, EngineEvent::Finished).then_some(()));
        } else {
            std::thread::sleep(Duration::from_millis(300));
        }
        engine.checkpoint(storage.path(), number * 10, AfterCheckpoint::Continue);
        engine.commit(number * 10);
        let manifest = engine.checkpoint(storage.path(), number * 10 + 1, AfterCheckpoint::Stop);
        engine.commit(number * 10 + 1);
        restore = Some(Restore { manifest, commit: None });
    }
    test
}

#[test]
fn one_thread() {
    check(20_000, &[Shape { workers: 1, threads: 1 }]);
}

#[test]
fn threads_and_processes_exchange_by_key() {
    check(20_000, &[Shape { workers: 2, threads: 2 }]);
}

#[test]
fn state_moves_when_the_parallelism_changes() {
    let shapes = [(1, 1), (3, 1), (2, 2), (1, 3)].map(|(workers, threads)| Shape { workers, threads });
    check(40_000, &shapes);
}

/// Counts each key's windows, and their rows, as they are put out.
fn plan_of_counts() -> StreamPlan {
    let mut plan = plan(WINDOW);
    let schema = Arc::new(Schema::new(vec![
        Field::new("key", DataType::Utf8, true),
        Field::new("windows", DataType::Int64, true),
        Field::new("rows", DataType::Int64, true),
    ]));
    let call = |function, argument| AggregateCall { function, argument, distinct: false, filter: None };
    let aggregates = vec![call(AggregateFunction::Count, None), call(AggregateFunction::Sum, Some(1))];
    let aggregate = GroupAggregate { keys: vec![0], aggregates, state_ttl_ms: None };
    let mut sink = plan.nodes.pop().unwrap();
    (sink.inputs, sink.schema, sink.changelog) = (vec![2], schema.clone(), Changelog::Retract);
    let kind = NodeKind::GroupAggregate(aggregate);
    plan.nodes.push(PlanNode {
        uid: "counts".into(),
        inputs: vec![1],
        kind,
        schema,
        changelog: Changelog::Retract,
        local_time: None,
    });
    plan.nodes.push(sink);
    plan
}

#[test]
fn what_a_watermark_releases_at_the_end_of_an_epoch_is_part_of_it() {
    // On one thread the source's chain has both aggregations. Watermarks close windows at the end of every epoch.
    let test = run(plan_of_counts(), 20_000, &[(); 3].map(|()| Shape { workers: 1, threads: 1 }));
    let mut expected: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for (key, _, count, _) in recomputed(&test.rows, WINDOW) {
        let sums = expected.entry(key.unwrap()).or_default();
        *sums = (sums.0 + 1, sums.1 + count);
    }
    let expected = expected.into_iter().map(|(key, (windows, rows))| vec![key, windows.to_string(), rows.to_string()]);
    let committed = folded(test.world.lock().unwrap().values().flatten());
    assert_eq!(committed, expected.map(|row| (row, 1)).collect());
}

/// Windows over the rows of two tables, whose splits may not be further apart than 100 ms.
fn plan_of_aligned_tables() -> StreamPlan {
    let mut plan = plan(WINDOW);
    let NodeKind::Source(mut source) = plan.nodes[0].kind.clone() else { panic!("a source comes first") };
    if let Some(watermark) = &mut source.watermark {
        watermark.alignment = Some(Alignment { group: "g".into(), max_drift_ms: 100, update_interval_ms: 20 });
    }
    let slow = Source { table: Table { name: "slow".into(), ..source.table.clone() }, ..source.clone() };
    let table = PlanNode { kind: NodeKind::Source(source), ..plan.nodes[0].clone() };
    let slow = PlanNode { uid: "slow".into(), kind: NodeKind::Source(slow), ..table.clone() };
    let both = PlanNode { uid: "both".into(), inputs: vec![0, 1], kind: NodeKind::Union, ..table.clone() };
    plan.nodes.splice(0..1, [table, slow, both]);
    plan.nodes[3].inputs = vec![2];
    plan.nodes[4].inputs = vec![3];
    plan
}

#[test]
fn a_table_that_is_ahead_waits_for_the_others_of_its_alignment_group() {
    let storage = tempfile::tempdir().unwrap();
    let test = test(plan_of_aligned_tables(), 20_000, 20_000);
    *test.slow.lock().unwrap() = 1_000;
    let engine = Incarnate::start(&test, storage.path(), &Shape { workers: 2, threads: 1 }, 1, None);
    engine.await_running();
    let (mut slow, mut fast) = (0, 0);
    while slow < 1_000 {
        let records = engine.next_records();
        (slow, fast) = (records["slow"], records["in"]);
    }
    assert_eq!(slow, 1_000);
    // Times are the rows' numbers: up to 1000 and the drift, and a batch of each split beyond.
    let most = 1_100 + 64 * SPLITS * SPLITS;
    assert!((1_000..most).contains(&fast), "{fast} rows were read");

    *test.slow.lock().unwrap() = 20_000;
    engine.await_all(|event| matches!(event, EngineEvent::Finished).then_some(()));
    engine.checkpoint_of(storage.path(), 1, AfterCheckpoint::Stop, 2 * SPLITS);
    engine.commit(1);
    let both: Vec<Row> = test.rows.iter().chain(&*test.rows).cloned().collect();
    assert_eq!(committed(&test), recomputed(&both, WINDOW));
}

#[test]
fn a_source_without_rows_is_asked_only_now_and_then() {
    let storage = tempfile::tempdir().unwrap();
    let test = test(plan(WINDOW), 1_000, 0);
    let engine = Incarnate::start(&test, storage.path(), &Shape { workers: 1, threads: 2 }, 1, None);
    engine.await_running();
    let before = test.polls.load(Ordering::SeqCst);
    std::thread::sleep(Duration::from_millis(500));
    let polls = test.polls.load(Ordering::SeqCst) - before;
    assert!((1..=2 * 500 / 5 + 50).contains(&polls), "{polls} times in half a second by two threads");
    engine.checkpoint(storage.path(), 1, AfterCheckpoint::Stop);
}

#[test]
fn output_of_a_claimed_checkpoint_is_committed_after_a_crash() {
    let storage = tempfile::tempdir().unwrap();
    let test = test(plan(WINDOW), 10_000, 5_000);
    let shape = Shape { workers: 2, threads: 1 };
    let engine = Incarnate::start(&test, storage.path(), &shape, 1, None);
    engine.await_running();
    std::thread::sleep(Duration::from_millis(300));
    let manifest = engine.checkpoint(storage.path(), 1, AfterCheckpoint::Stop);
    drop(engine);
    assert!(committed(&test).is_empty(), "nothing is visible before the commit");

    *test.open.lock().unwrap() = 10_000;
    let commit = Some(PendingCommit { checkpoint: CheckpointId(1), manifest: manifest.clone() });
    let engine = Incarnate::start(
        &test,
        storage.path(),
        &Shape { workers: 1, threads: 1 },
        2,
        Some(Restore { manifest, commit }),
    );
    engine.await_committed(1);
    engine.await_all(|event| matches!(event, EngineEvent::Finished).then_some(()));
    engine.checkpoint(storage.path(), 2, AfterCheckpoint::Stop);
    engine.commit(2);
    assert_eq!(committed(&test), recomputed(&test.rows, WINDOW));
}

#[test]
fn a_damaged_state_file_is_refused() {
    let storage = tempfile::tempdir().unwrap();
    let test = test(plan(WINDOW), 1_000, 950);
    let shape = Shape { workers: 1, threads: 1 };
    let engine = Incarnate::start(&test, storage.path(), &shape, 1, None);
    engine.await_running();
    std::thread::sleep(Duration::from_millis(300));
    let manifest = engine.checkpoint(storage.path(), 1, AfterCheckpoint::Stop);
    let read: Manifest = serde_json::from_slice(&std::fs::read(storage.path().join(&manifest)).unwrap()).unwrap();
    let file = storage.path().join(&read.operators[0].files[0].path);
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    std::fs::write(&file, bytes).unwrap();

    let engine = Incarnate::start(&test, storage.path(), &shape, 2, Some(Restore { manifest, commit: None }));
    match engine.events.recv_timeout(PATIENCE).unwrap() {
        (0, EngineEvent::Failed(Problem { kind: ProblemKind::StateUnreadable, object, .. })) => {
            assert_eq!(object, read.operators[0].files[0].path);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_split_that_appears_while_the_job_runs_is_read_once() {
    let storage = tempfile::tempdir().unwrap();
    let mut test = test(plan(WINDOW), 4_000, 4_000);
    let splits = Arc::new(Mutex::new(SPLITS - 1));
    Arc::get_mut(&mut test).unwrap().splits = Some(splits.clone());
    let engine = Incarnate::start(&test, storage.path(), &Shape { workers: 2, threads: 2 }, 1, None);
    engine.await_running();
    std::thread::sleep(Duration::from_millis(300));
    *splits.lock().unwrap() = SPLITS;
    std::thread::sleep(Duration::from_millis(700));
    let manifest = engine.checkpoint(storage.path(), 1, AfterCheckpoint::Stop);
    let read: Manifest = serde_json::from_slice(&std::fs::read(storage.path().join(&manifest)).unwrap()).unwrap();
    let mut positions: Vec<u64> = read.splits.iter().map(|split| split.position.as_u64().unwrap()).collect();
    positions.sort_unstable();
    assert_eq!(positions, [4_000, 4_001, 4_002, 4_003], "all rows of all splits");
}
