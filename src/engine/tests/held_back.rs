//! Operators that hold rows back until the end of an epoch hold the watermarks back that come behind them.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/ordering.rs"]
mod ordering;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use common::joins::joined;
use ordering::{KEY, Row, TIME, VALUE, batch, changes, input_schema, plan, row, schema_with, shown};
use tidemill_engine::driver::Driver;
use tidemill_engine::element::{Element, Watermark};
use tidemill_engine::operator::{Chain, Output};
use tidemill_engine::outside::Outside;
use tidemill_engine::stages::cut;
use tidemill_model::key_groups::KeyGroupRange;
use tidemill_plan::{
    AggregateCall, AggregateFunction, Change, Changelog, Clock, Deduplicate, Frame, GroupAggregate, JoinKey, JoinKind,
    JoinOn, Keep, NodeKind, Normalize, Over, OverOrder, PlanNode, Rank, RankEmit, Sink, SortKey, Source, StreamPlan,
    Table, TemporalJoin, Window, WindowAggregate, WindowOutput, Windows,
};

/// The operators behind the plan's source, up to where rows would change between so many threads.
fn chain(plan: &StreamPlan, parallelism: usize) -> Chain {
    let stages = cut(plan, parallelism).unwrap();
    let stage = stages.stages.iter().find(|stage| !stage.links.is_empty()).unwrap();
    stage.chain(plan, KeyGroupRange::ALL, &Outside::default()).unwrap()
}

/// `rows` for some rows, the watermark's time for a watermark.
fn summary(output: Output) -> Vec<String> {
    let text = |element: Element| match element {
        Element::Batch(_) => "rows".to_string(),
        Element::Watermark(Watermark::At(time)) => time.to_string(),
        Element::Watermark(Watermark::Idle) => "idle".to_string(),
    };
    output.into_iter().map(text).collect()
}

fn feed(chain: &mut Chain, element: Element) -> Vec<String> {
    let mut output = Vec::new();
    chain.on_element(0, element, &mut output).unwrap();
    summary(output)
}

fn end_epoch(chain: &mut Chain) -> Vec<String> {
    let mut output = Vec::new();
    chain.on_epoch_end(1_000, &mut output).unwrap();
    summary(output)
}

fn check(mut chain: Chain, rows: impl Fn() -> Element) {
    assert!(feed(&mut chain, rows()).is_empty(), "rows are held back");
    assert!(feed(&mut chain, Element::Watermark(Watermark::At(5))).is_empty());
    assert!(feed(&mut chain, rows()).is_empty());
    assert!(feed(&mut chain, Element::Watermark(Watermark::At(7))).is_empty());
    assert!(feed(&mut chain, Element::Watermark(Watermark::Idle)).is_empty());
    assert_eq!(end_epoch(&mut chain), ["rows", "5", "7", "idle"]);
    assert_eq!(
        feed(&mut chain, Element::Watermark(Watermark::At(9))),
        ["9"],
        "nothing is there that it could overtake"
    );
    assert!(end_epoch(&mut chain).is_empty());
}

fn rows() -> Element {
    Element::Batch(batch(&[row(1, 10, 3, "a"), row(2, 20, 4, "b")]))
}

fn upserts() -> Element {
    Element::Batch(changes(&[(Change::Insert, row(1, 10, 3, "a")), (Change::UpdateAfter, row(2, 20, 4, "b"))]))
}

fn ascending(column: usize) -> Vec<SortKey> {
    vec![SortKey { column, descending: false, nulls_first: true }]
}

fn count() -> AggregateCall {
    AggregateCall { function: AggregateFunction::Count, argument: None, distinct: false, filter: None }
}

fn deduplicate() -> NodeKind {
    let (clock, keep) = (Clock::Event, Keep::Last);
    NodeKind::Deduplicate(Deduplicate { keys: vec![KEY], time_column: TIME, clock, keep, state_ttl_ms: None })
}

#[test]
fn behind_a_deduplication() {
    let plan = plan(deduplicate(), Changelog::Append, input_schema(), Changelog::Retract);
    check(chain(&plan, 1), rows);
}

#[test]
fn behind_a_rank() {
    let rank = NodeKind::Rank(Rank {
        partition: vec![KEY],
        order: ascending(VALUE),
        first: 1,
        last: 1,
        with_number: false,
        emit: RankEmit::Changes,
        newest_first: false,
        state_ttl_ms: None,
    });
    check(chain(&plan(rank, Changelog::Append, input_schema(), Changelog::Retract), 1), rows);
}

#[test]
fn behind_a_normalization() {
    let normalize = NodeKind::Normalize(Normalize { keys: vec![KEY], state_ttl_ms: None });
    let plan = plan(normalize, Changelog::Upsert { key: vec![KEY] }, input_schema(), Changelog::Retract);
    check(chain(&plan, 1), upserts);
}

#[test]
fn behind_aggregates_over_rows() {
    let over = |order, frame| {
        NodeKind::Over(Over { partition: vec![KEY], order, frame, aggregates: vec![count()], state_ttl_ms: None })
    };
    let by_columns = over(OverOrder::Columns(ascending(VALUE)), Frame::Rows { preceding: None });
    let schema = schema_with(&[DataType::Int64]);
    check(chain(&plan(by_columns, Changelog::Append, schema.clone(), Changelog::Retract), 1), rows);
    let by_the_clock = over(OverOrder::ProcessingTime(TIME), Frame::Range { preceding_ms: Some(10) });
    check(chain(&plan(by_the_clock, Changelog::Append, schema, Changelog::Append), 1), rows);
}

#[test]
fn behind_an_aggregation_of_groups() {
    let aggregate = GroupAggregate { keys: vec![KEY], aggregates: vec![count()], state_ttl_ms: None };
    let schema = Arc::new(Schema::new(vec![
        Field::new("key", DataType::Int64, true),
        Field::new("count", DataType::Int64, true),
    ]));
    let plan = plan(NodeKind::GroupAggregate(aggregate), Changelog::Append, schema, Changelog::Retract);
    check(chain(&plan, 1), rows);
    check(chain(&plan, 2), rows);
}

#[test]
fn behind_the_local_half_of_a_window_aggregation() {
    let aggregate = WindowAggregate {
        windows: Windows::Of {
            window: Window::Tumble { size_ms: 10, offset_ms: 0 },
            time_column: TIME,
            clock: Clock::Event,
        },
        keys: vec![KEY],
        aggregates: vec![count()],
        output: vec![WindowOutput::End],
        firing: None,
    };
    let schema = Arc::new(Schema::new(vec![
        Field::new("key", DataType::Int64, true),
        Field::new("count", DataType::Int64, true),
        input_schema().field(TIME).clone(),
    ]));
    let plan = plan(NodeKind::WindowAggregate(aggregate), Changelog::Append, schema, Changelog::Append);
    check(chain(&plan, 2), rows);
}

/// Rows joined with the last row of their key up to their time: the versions go through a deduplication.
fn joined_with_versions() -> StreamPlan {
    let table = |name: &str| Table {
        name: name.into(),
        connector: "test".into(),
        options: Default::default(),
        ..Default::default()
    };
    let node = |uid: &str, inputs, kind, changelog| {
        let schema =
            if uid == "join" || uid == "sink" { joined(&input_schema(), JoinKind::Left) } else { input_schema() };
        PlanNode { uid: uid.into(), inputs, kind, schema, changelog, local_time: None }
    };
    let source = |name: &str| NodeKind::Source(Source { table: table(name), watermark: None });
    let on = JoinOn { keys: vec![JoinKey { left: KEY, right: KEY, nulls_equal: false }], condition: None };
    let join = TemporalJoin { kind: JoinKind::Left, on, left_time: TIME, right_time: TIME };
    let upsert = Changelog::Upsert { key: vec![KEY] };
    StreamPlan {
        nodes: vec![
            node("rows", vec![], source("rows"), Changelog::Append),
            node("versions", vec![], source("versions"), Changelog::Append),
            node("last", vec![1], deduplicate(), upsert),
            node("join", vec![0, 2], NodeKind::TemporalJoin(join), Changelog::Append),
            node("sink", vec![3], NodeKind::Sink(Sink { table: table("out") }), Changelog::Append),
        ],
    }
}

#[test]
fn a_join_does_not_hear_that_versions_are_complete_before_they_are_there() {
    let plan = joined_with_versions();
    for parallelism in 1..=3 {
        let mut driver = Driver::new(&plan, parallelism, 5).unwrap();
        let batch = |row: Row| Element::Batch(batch(&[row]));
        driver.feed(1, 0, batch(row(1, 0, 10, "version"))).unwrap();
        driver.feed(0, 0, batch(row(1, 0, 15, "row"))).unwrap();
        for source in [0, 1] {
            for thread in 0..parallelism {
                driver.feed(source, thread, Element::Watermark(Watermark::At(20))).unwrap();
            }
        }
        driver.end_epoch().unwrap();
        let received: Vec<String> = driver.received.iter().flat_map(|(_, rows)| shown(rows)).collect();
        assert_eq!(received, ["+I 1 0 15 row 1 0 10 version"], "{parallelism} threads");
    }
}
