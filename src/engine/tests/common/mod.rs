//! A plan that counts and sums values per key in windows, its input, and what a batch recomputation makes of it.
#![allow(dead_code, clippy::unwrap_used)]

pub mod joins;
pub mod table;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef, TimeUnit, TimestampMillisecondType};
use tidemill_plan::{
    AggregateCall, AggregateFunction, BinaryOperator, Changelog, Clock, Expression, Literal, NodeKind, PlanNode, Sink,
    Source, StreamPlan, Table, Watermark, Window, WindowAggregate, WindowOutput, Windows,
};

pub const DELAY_MS: i64 = 50;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    pub key: Option<String>,
    pub value: i64,
    pub time: i64,
}

/// key, window end, count, sum.
pub type ResultRow = (Option<String>, i64, i64, i64);

pub fn input_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("key", DataType::Utf8, true),
        Field::new("value", DataType::Int64, true),
        Field::new("time", DataType::Timestamp(TimeUnit::Millisecond, None), true),
    ]))
}

pub fn batch(rows: &[Row]) -> RecordBatch {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|row| row.key.as_deref()).collect::<StringArray>()),
        Arc::new(rows.iter().map(|row| Some(row.value)).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|row| Some(row.time)).collect::<TimestampMillisecondArray>()),
    ];
    RecordBatch::try_new(input_schema(), columns).unwrap()
}

pub fn plan(window: Window) -> StreamPlan {
    let table = |name: &str| Table {
        name: name.into(),
        connector: "test".into(),
        options: BTreeMap::new(),
        ..Default::default()
    };
    let output = Arc::new(Schema::new(vec![
        Field::new("key", DataType::Utf8, true),
        Field::new("count", DataType::Int64, true),
        Field::new("sum", DataType::Int64, true),
        Field::new("window_end", DataType::Timestamp(TimeUnit::Millisecond, None), true),
    ]));
    let watermark = Watermark {
        expression: Expression::Binary {
            left: Box::new(Expression::Column(2)),
            operator: BinaryOperator::Minus,
            right: Box::new(Expression::Literal(Literal::Interval {
                months: 0,
                days: 0,
                nanoseconds: DELAY_MS * 1_000_000,
            })),
        },
        idle_timeout_ms: None,
        alignment: None,
        max_future_ms: None,
    };
    let aggregate = WindowAggregate {
        windows: Windows::Of { window, time_column: 2, clock: Clock::Event },
        keys: vec![0],
        aggregates: vec![
            AggregateCall { function: AggregateFunction::Count, argument: None, distinct: false, filter: None },
            AggregateCall { function: AggregateFunction::Sum, argument: Some(1), distinct: false, filter: None },
        ],
        output: vec![WindowOutput::End],
        firing: None,
    };
    let node = |uid: &str, inputs, kind, schema: &SchemaRef| PlanNode {
        uid: uid.into(),
        inputs,
        kind,
        schema: schema.clone(),
        changelog: Changelog::Append,
        local_time: None,
    };
    StreamPlan {
        nodes: vec![
            node(
                "source",
                vec![],
                NodeKind::Source(Source { table: table("in"), watermark: Some(watermark) }),
                &input_schema(),
            ),
            node("aggregate", vec![0], NodeKind::WindowAggregate(aggregate), &output),
            node("sink", vec![1], NodeKind::Sink(Sink { table: table("out") }), &output),
        ],
    }
}

/// What the plan has to put out, computed all at once.
pub fn recomputed(rows: &[Row], window: Window) -> Vec<ResultRow> {
    let (size, slide) = match window {
        Window::Tumble { size_ms, .. } => (size_ms, size_ms),
        Window::Hop { size_ms, slide_ms, .. } => (size_ms, slide_ms),
        Window::Cumulate { .. } | Window::Session { .. } => panic!("not recomputed here"),
    };
    let mut results: BTreeMap<(Option<String>, i64), (i64, i64)> = BTreeMap::new();
    for row in rows {
        let mut end = row.time.div_euclid(slide) * slide + slide;
        while end <= row.time + size {
            let result = results.entry((row.key.clone(), end)).or_default();
            result.0 += 1;
            result.1 = result.1.wrapping_add(row.value);
            end += slide;
        }
    }
    results.into_iter().map(|((key, end), (count, sum))| (key, end, count, sum)).collect()
}

pub fn results<'a>(batches: impl IntoIterator<Item = &'a RecordBatch>) -> Vec<ResultRow> {
    let mut results = Vec::new();
    for rows in batches {
        let keys = rows.column(0).as_string::<i32>();
        let counts = rows.column(1).as_primitive::<Int64Type>();
        let sums = rows.column(2).as_primitive::<Int64Type>();
        let ends = rows.column(3).as_primitive::<TimestampMillisecondType>();
        for (row, key) in keys.iter().enumerate() {
            results.push((key.map(str::to_string), ends.value(row), counts.value(row), sums.value(row)));
        }
    }
    results.sort();
    results
}
