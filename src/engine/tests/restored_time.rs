//! How far time had come is known again after a restart, also where no row was there to be kept.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/ordering.rs"]
mod ordering;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use ordering::{KEY, TIME, VALUE, batch, input_schema, plan, row, schema_with};
use tidemill_engine::driver::Driver;
use tidemill_engine::element::{Element, Watermark};
use tidemill_plan::{
    AggregateCall, AggregateFunction, Changelog, Clock, Frame, NodeKind, Over, OverOrder, Rank, RankEmit, Sort,
    SortKey, StreamPlan, Window, WindowAggregate, WindowOutput, Windows,
};

/// A row that is late after a restart with another number of threads, as it would have been before.
fn check(kind: NodeKind, schema: SchemaRef) {
    let plan: StreamPlan = plan(kind, Changelog::Append, schema, Changelog::Append);
    for (before, after) in [(1, 1), (1, 3), (3, 2)] {
        let mut driver = Driver::new(&plan, before, 3).unwrap();
        driver.watermark(Watermark::At(100)).unwrap();
        let snapshot = driver.snapshot().unwrap();
        let mut driver = Driver::new(&plan, after, 3).unwrap();
        driver.restore(&snapshot).unwrap();
        driver.feed(0, 0, Element::Batch(batch(&[row(1, 7, 50, "late"), row(1, 7, 120, "in time")]))).unwrap();
        driver.end_epoch().unwrap();
        assert_eq!(driver.late_rows(), 1, "{before} threads, then {after}");
        driver.watermark(Watermark::END).unwrap();
        let received: usize = driver.received.iter().map(|(_, rows)| rows.num_rows()).sum();
        assert_eq!(received, 1, "{before} threads, then {after}");
    }
}

fn count() -> AggregateCall {
    AggregateCall { function: AggregateFunction::Count, argument: None, distinct: false, filter: None }
}

fn window(window: Window) -> (NodeKind, SchemaRef) {
    let aggregate = WindowAggregate {
        windows: Windows::Of { window, time_column: TIME, clock: Clock::Event },
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
    (NodeKind::WindowAggregate(aggregate), schema)
}

#[test]
fn of_windows() {
    let (kind, schema) = window(Window::Tumble { size_ms: 10, offset_ms: 0 });
    check(kind, schema);
}

#[test]
fn of_sessions() {
    let (kind, schema) = window(Window::Session { gap_ms: 10 });
    check(kind, schema);
}

#[test]
fn of_the_first_rows_of_windows() {
    let rank = Rank {
        partition: vec![TIME],
        order: vec![SortKey { column: VALUE, descending: false, nulls_first: true }],
        first: 1,
        last: 2,
        with_number: false,
        emit: RankEmit::AtWindowEnd { window_end: TIME },
        newest_first: false,
        state_ttl_ms: None,
    };
    check(NodeKind::Rank(rank), input_schema());
}

#[test]
fn of_sorted_rows() {
    check(NodeKind::Sort(Sort { time_column: TIME, then: Vec::new() }), input_schema());
}

#[test]
fn of_aggregates_over_rows() {
    let over = Over {
        partition: vec![KEY],
        order: OverOrder::EventTime(TIME),
        frame: Frame::Rows { preceding: Some(3) },
        aggregates: vec![count()],
        state_ttl_ms: None,
    };
    check(NodeKind::Over(over), schema_with(&[DataType::Int64]));
}
