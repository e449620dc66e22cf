//! Aggregates over rows under the deterministic driver, against a batch recomputation.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/ordering.rs"]
mod ordering;

use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::{DataType, TimeUnit};
use common::table::{Feed, Table, folded, run, texts};
use ordering::{
    KEY, Row, TEXT, TIME, VALUE, batch, changes, cut, epochs, plan, random_changes, random_rows, row, schema_with,
    with_watermarks,
};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tidemill_engine::driver::Driver;
use tidemill_engine::element::{Element, Watermark};
use tidemill_plan::{
    AggregateCall, AggregateFunction, Change, Changelog, Frame, Literal, NodeKind, Over, OverOrder, SortKey, StreamPlan,
};

/// A call and its result's type.
type Call = (AggregateCall, DataType);

fn call(function: AggregateFunction, argument: Option<usize>, distinct: bool, result: DataType) -> Call {
    (AggregateCall { function, argument, distinct, filter: None }, result)
}

/// All that can be computed in every order.
fn calls() -> Vec<Call> {
    use AggregateFunction as F;
    let time = DataType::Timestamp(TimeUnit::Millisecond, None);
    let lag = F::Lag { offset: 2, default: Some(Literal::Int64(-77)) };
    vec![
        call(F::Count, None, false, DataType::Int64),
        call(F::Count, Some(VALUE), true, DataType::Int64),
        call(F::Sum, Some(VALUE), false, DataType::Int64),
        call(F::Sum, Some(VALUE), true, DataType::Int64),
        call(F::Avg, Some(VALUE), false, DataType::Int64),
        call(F::Min, Some(VALUE), false, DataType::Int64),
        call(F::Max, Some(TEXT), false, DataType::Utf8),
        call(F::Max, Some(TIME), false, time),
        call(F::FirstValue, Some(VALUE), false, DataType::Int64),
        call(F::LastValue, Some(VALUE), false, DataType::Int64),
        call(lag, Some(VALUE), false, DataType::Int64),
        call(F::RowNumber, None, false, DataType::Int64),
    ]
}

fn over(order: OverOrder, frame: Frame, calls: &[Call]) -> Over {
    let aggregates = calls.iter().map(|(call, _)| call.clone()).collect();
    Over { partition: vec![KEY], order, frame, aggregates, state_ttl_ms: None }
}

fn over_plan(over: &Over, calls: &[Call], input: Changelog, output: Changelog) -> StreamPlan {
    let results: Vec<DataType> = calls.iter().map(|(_, result)| result.clone()).collect();
    plan(NodeKind::Over(over.clone()), input, schema_with(&results), output)
}

/// A call's result for a row: of the rows of the frame, which is a part of the partition.
fn result(call: &AggregateCall, partition: &[Row], frame: (usize, usize), place: usize) -> String {
    use AggregateFunction as F;
    let show = |value: Option<i64>| value.map_or("NULL".to_string(), |value| value.to_string());
    let rows = &partition[frame.0..frame.1];
    let mut values: Vec<i64> = rows.iter().filter_map(|row| row.value).collect();
    if call.distinct {
        values = values.into_iter().collect::<BTreeSet<i64>>().into_iter().collect();
    }
    let sum = (!values.is_empty()).then(|| values.iter().sum::<i64>());
    match &call.function {
        F::Count if call.argument.is_none() => rows.len().to_string(),
        F::Count => values.len().to_string(),
        F::Sum => show(sum),
        F::Avg => show(sum.map(|sum| sum / values.len() as i64)),
        F::Min => show(values.iter().min().copied()),
        F::Max if call.argument == Some(TEXT) => rows.iter().map(|row| row.text.clone()).max().unwrap(),
        F::Max => rows.iter().max_by_key(|row| row.time).unwrap().texts()[TIME].clone(),
        F::FirstValue => show(values.first().copied()),
        F::LastValue => show(values.last().copied()),
        F::Lag { offset, .. } => {
            let other = usize::try_from(place as i64 - offset).ok().and_then(|place| partition.get(place));
            show(other.map_or(Some(-77), |row| row.value))
        }
        F::RowNumber => (place + 1).to_string(),
        other => panic!("{other:?} is not recomputed here"),
    }
}

fn is_peer(order: &OverOrder, one: &Row, other: &Row) -> bool {
    match order {
        OverOrder::EventTime(_) | OverOrder::ProcessingTime(_) => one.time == other.time,
        OverOrder::Columns(keys) => keys.iter().all(|key| one.texts()[key.column] == other.texts()[key.column]),
    }
}

/// The rows in their order, each with its results behind it.
fn recomputed(over: &Over, rows: &[Row]) -> Vec<Vec<String>> {
    let mut partitions: BTreeMap<Option<i64>, Vec<Row>> = BTreeMap::new();
    rows.iter().for_each(|row| partitions.entry(row.key).or_default().push(row.clone()));
    let mut results = Vec::new();
    for partition in partitions.values() {
        for (place, row) in partition.iter().enumerate() {
            let mut end = place + 1;
            if let Frame::Range { .. } = over.frame {
                while end < partition.len() && is_peer(&over.order, row, &partition[end]) {
                    end += 1;
                }
            }
            let first = match over.frame {
                Frame::Rows { preceding: Some(count) } => place.saturating_sub(count as usize),
                Frame::Range { preceding_ms: Some(preceding_ms) } => {
                    partition.iter().position(|other| other.time >= row.time - preceding_ms).unwrap()
                }
                Frame::Rows { preceding: None } | Frame::Range { preceding_ms: None } => 0,
            };
            let mut texts = row.texts();
            texts.extend(over.aggregates.iter().map(|call| result(call, partition, (first, end), place)));
            results.push(texts);
        }
    }
    results
}

fn table(rows: Vec<Vec<String>>) -> Table {
    let mut table = Table::new();
    rows.into_iter().for_each(|row| *table.entry(row).or_default() += 1);
    table
}

const FRAMES: [Frame; 6] = [
    Frame::Rows { preceding: None },
    Frame::Rows { preceding: Some(0) },
    Frame::Rows { preceding: Some(4) },
    Frame::Range { preceding_ms: None },
    Frame::Range { preceding_ms: Some(0) },
    Frame::Range { preceding_ms: Some(50) },
];

#[test]
fn aggregates_in_the_order_of_event_time() {
    for frame in FRAMES {
        let over = over(OverOrder::EventTime(TIME), frame, &calls());
        let plan = over_plan(&over, &calls(), Changelog::Append, Changelog::Append);
        for seed in 0..30 {
            let mut random = SmallRng::seed_from_u64(seed);
            let count = random.random_range(0..300);
            let rows = random_rows(&mut random, count);
            let batches = cut(&mut random, &rows, batch);
            let feed = Feed { source: 0, elements: with_watermarks(&mut random, &rows, batches) };
            let received = run(&plan, vec![feed], random.random_range(1..=4), seed, true);
            let mut rows = rows;
            rows.sort_by_key(|row| row.time);
            assert_eq!(folded(&received), table(recomputed(&over, &rows)), "seed {seed}, {frame:?}");
        }
    }
}

#[test]
fn aggregates_in_the_order_of_arrival() {
    for frame in [Frame::Rows { preceding: None }, Frame::Rows { preceding: Some(4) }] {
        let over = over(OverOrder::ProcessingTime(TIME), frame, &calls());
        let plan = over_plan(&over, &calls(), Changelog::Append, Changelog::Append);
        for seed in 0..30 {
            let mut random = SmallRng::seed_from_u64(seed);
            let rows = random_rows(&mut random, 300);
            let feed = Feed { source: 0, elements: cut(&mut random, &rows, batch) };
            let received = run(&plan, vec![feed], random.random_range(1..=4), seed, true);
            assert_eq!(folded(&received), table(recomputed(&over, &rows)), "seed {seed}, {frame:?}");
        }
    }
}

#[test]
fn aggregates_over_a_time_before_the_row_by_the_machines_clock() {
    let over = over(OverOrder::ProcessingTime(TIME), Frame::Range { preceding_ms: Some(50) }, &calls());
    let plan = over_plan(&over, &calls(), Changelog::Append, Changelog::Append);
    for seed in 0..30 {
        let mut random = SmallRng::seed_from_u64(seed);
        let mut rows = random_rows(&mut random, 300);
        // A machine's clock does not go back, and no time is in two epochs.
        (0..).zip(&mut rows).for_each(|(number, row)| row.time = number * 3);
        let feed = Feed { source: 0, elements: cut(&mut random, &rows, batch) };
        let received = run(&plan, vec![feed], random.random_range(1..=4), seed, true);
        assert_eq!(folded(&received), table(recomputed(&over, &rows)), "seed {seed}");
    }
}

fn by(column: usize) -> SortKey {
    SortKey { column, descending: false, nulls_first: true }
}

fn check_columns(order: &[SortKey], frame: Frame, calls: &[Call], input: &Changelog) {
    let over = over(OverOrder::Columns(order.to_vec()), frame, calls);
    let plan = over_plan(&over, calls, input.clone(), Changelog::Retract);
    for seed in 0..30 {
        let mut random = SmallRng::seed_from_u64(seed);
        let rows = random_rows(&mut random, 300);
        let (elements, mut there) = if input.is_append() {
            (cut(&mut random, &rows, batch), rows)
        } else {
            let (all, there) = random_changes(&mut random, rows);
            (cut(&mut random, &all, changes), there)
        };
        let received = run(&plan, vec![Feed { source: 0, elements }], random.random_range(1..=4), seed, true);
        match order {
            [key] if key.column == TIME => there.sort_by_key(|row| row.time),
            _ => there.sort_by_key(|row| (row.value, row.text.clone())),
        }
        assert_eq!(folded(&received), table(recomputed(&over, &there)), "seed {seed}, {frame:?}, {input:?}");
    }
}

#[test]
fn aggregates_in_the_order_of_a_time_on_rows_that_come_and_go() {
    for frame in FRAMES {
        check_columns(&[by(TIME)], frame, &calls(), &Changelog::Retract);
    }
}

#[test]
fn aggregates_in_an_order_of_columns() {
    for frame in &FRAMES[..4] {
        check_columns(&[by(VALUE), by(TEXT)], *frame, &calls(), &Changelog::Append);
        check_columns(&[by(VALUE), by(TEXT)], *frame, &calls(), &Changelog::Retract);
    }
}

#[test]
fn changes_reach_only_as_far_as_the_frame() {
    let without_numbers: Vec<Call> = calls().into_iter().filter(|(call, _)| call.argument.is_some()).collect();
    for preceding in [0, 1, 7] {
        let frame = Frame::Rows { preceding: Some(preceding) };
        check_columns(&[by(TIME)], frame, &without_numbers, &Changelog::Retract);
    }
}

#[test]
fn rows_behind_a_row_are_known_in_an_order_of_columns() {
    let lead = AggregateFunction::Lag { offset: -3, default: Some(Literal::Int64(-77)) };
    let lead = [call(lead, Some(VALUE), false, DataType::Int64)];
    check_columns(&[by(TIME)], Frame::Rows { preceding: Some(1) }, &lead, &Changelog::Retract);
    let over = over(OverOrder::EventTime(TIME), Frame::Rows { preceding: None }, &lead);
    let plan = over_plan(&over, &lead, Changelog::Append, Changelog::Append);
    let problem = Driver::new(&plan, 1, 1).err().unwrap();
    assert!(problem.message.contains("before the rows behind them are known"), "{}", problem.message);
}

/// Shape of Nexmark's query 6: the average of a seller's last ten prices.
#[test]
fn an_epoch_tells_only_results_that_differ() {
    let average = [call(AggregateFunction::Avg, Some(VALUE), false, DataType::Int64)];
    let over = over(OverOrder::Columns(vec![by(TIME)]), Frame::Rows { preceding: Some(1) }, &average);
    let plan = over_plan(&over, &average, Changelog::Retract, Changelog::Retract);
    let insert = |value, time| (Change::Insert, row(1, value, time, "a"));
    let batches = [
        changes(&[insert(10, 1), insert(20, 2), insert(30, 3)]),
        changes(&[(Change::UpdateBefore, row(1, 20, 2, "a")), (Change::UpdateAfter, row(1, 22, 2, "a"))]),
        changes(&[(Change::Delete, row(1, 10, 1, "a"))]),
    ];
    let told = epochs(&plan, batches);
    assert_eq!(told[0], ["+I 1 10 1 a 10", "+I 1 20 2 a 15", "+I 1 30 3 a 25"]);
    assert_eq!(told[1], ["-D 1 20 2 a 15", "-U 1 30 3 a 25", "+I 1 22 2 a 16", "+U 1 30 3 a 26"]);
    assert_eq!(told[2], ["-D 1 10 1 a 10", "-U 1 22 2 a 16", "+U 1 22 2 a 22"]);
}

fn event_time_plan(frame: Frame, calls: &[Call]) -> StreamPlan {
    let over = over(OverOrder::EventTime(TIME), frame, calls);
    over_plan(&over, calls, Changelog::Append, Changelog::Append)
}

/// What comes out after each batch with a watermark behind it.
fn released(plan: &StreamPlan, steps: &[(&[Row], i64)]) -> (Vec<Vec<String>>, u64) {
    let mut driver = Driver::new(plan, 1, 1).unwrap();
    let mut released = Vec::new();
    for (rows, watermark) in steps {
        driver.feed(0, 0, Element::Batch(batch(rows))).unwrap();
        driver.watermark(Watermark::At(*watermark)).unwrap();
        released.push(driver.received.drain(..).flat_map(|(_, rows)| ordering::shown(&rows)).collect());
    }
    (released, driver.late_rows())
}

#[test]
fn rows_come_out_in_order_when_their_time_has_come_and_late_ones_are_dropped() {
    let count = [call(AggregateFunction::Count, None, false, DataType::Int64)];
    let plan = event_time_plan(Frame::Range { preceding_ms: None }, &count);
    let steps: [(&[Row], i64); 2] = [
        (&[row(1, 0, 5, "c"), row(2, 0, 4, "b"), row(1, 0, 5, "d"), row(1, 0, 9, "e"), row(1, 0, 3, "a")], 5),
        (&[row(1, 0, 5, "late"), row(1, 0, 6, "f")], 9),
    ];
    let (released, late) = released(&plan, &steps);
    assert_eq!(released[0], ["+I 1 0 3 a 1", "+I 2 0 4 b 1", "+I 1 0 5 c 3", "+I 1 0 5 d 3"]);
    assert_eq!(released[1], ["+I 1 0 6 f 4", "+I 1 0 9 e 5"]);
    assert_eq!(late, 1);
}

#[test]
fn rows_that_a_filter_leaves_out_do_not_count() {
    // There is no BOOLEAN column in the input, so that the plan computes one first.
    use tidemill_plan::{BinaryOperator, Calc, Expression, NamedExpression, PlanNode};
    let filter = AggregateCall {
        function: AggregateFunction::Sum,
        argument: Some(VALUE),
        distinct: false,
        filter: Some(TEXT + 1),
    };
    let sum = [(filter, DataType::Int64)];
    for (frame, expected) in [(Frame::Rows { preceding: None }, "8"), (Frame::Rows { preceding: Some(1) }, "3")] {
        let mut plan = event_time_plan(frame, &sum);
        let is_positive = Expression::Binary {
            left: Box::new(Expression::Column(VALUE)),
            operator: BinaryOperator::Greater,
            right: Box::new(Expression::Literal(Literal::Int64(0))),
        };
        let column = |place| NamedExpression { name: format!("c{place}"), expression: Expression::Column(place) };
        let mut projection: Vec<NamedExpression> = (0..=TEXT).map(column).collect();
        projection.push(NamedExpression { name: "filter".into(), expression: is_positive });
        let calc = PlanNode {
            uid: "calc".into(),
            inputs: vec![0],
            kind: NodeKind::Calc(Calc { filter: None, projection }),
            schema: schema_with(&[DataType::Boolean]),
            changelog: Changelog::Append,
            local_time: None,
        };
        plan.nodes.insert(1, calc);
        for node in &mut plan.nodes[2..] {
            node.inputs[0] += 1;
            node.schema = schema_with(&[DataType::Boolean, DataType::Int64]);
        }
        let steps: [(&[Row], i64); 2] =
            [(&[row(1, 5, 1, "a"), row(1, -1, 2, "b")], 2), (&[row(1, -7, 3, "c"), row(1, 3, 4, "d")], 4)];
        let (released, _) = released(&plan, &steps);
        let last = released[1].last().unwrap();
        assert!(last.ends_with(&format!("true {expected}")), "{last}");
    }
}

#[test]
fn what_no_frame_reaches_is_forgotten() {
    let sum = [call(AggregateFunction::Sum, Some(VALUE), false, DataType::Int64)];
    let plan = event_time_plan(Frame::Range { preceding_ms: Some(10) }, &sum);
    let mut driver = Driver::new(&plan, 1, 1).unwrap();
    let rows: Vec<Row> = (0..2000).map(|key| row(key, 1, 5, "a")).collect();
    driver.feed(0, 0, Element::Batch(batch(&rows))).unwrap();
    driver.watermark(Watermark::At(6)).unwrap();
    let held = |driver: &mut Driver| {
        driver.snapshot().unwrap().iter().flat_map(|captured| &captured.rows).map(|rows| rows.num_rows()).sum::<usize>()
    };
    assert_eq!(held(&mut driver), 2000);
    driver.watermark(Watermark::At(5000)).unwrap();
    assert_eq!(held(&mut driver), 0);
}

#[test]
fn a_partition_that_has_outlived_its_time_begins_anew() {
    let count = [call(AggregateFunction::Count, None, false, DataType::Int64)];
    let mut over = over(OverOrder::ProcessingTime(TIME), Frame::Rows { preceding: None }, &count);
    over.state_ttl_ms = Some(200);
    let plan = over_plan(&over, &count, Changelog::Append, Changelog::Append);
    let told = epochs(&plan, [1, 1, 2, 2, 1].map(|key| batch(&[row(key, 0, 0, "a")])));
    assert_eq!(told[1], ["+I 1 0 0 a 2"]);
    assert_eq!(told[4], ["+I 1 0 0 a 1"]);
}

#[test]
fn spreads_of_numbers_and_averages_of_decimals() {
    use tidemill_plan::{Calc, Expression, NamedExpression, PlanNode};
    let decimal = DataType::Decimal128(38, 2);
    let (double, exact) = (TEXT + 1, TEXT + 2);
    let sum = |function, argument, result: &DataType| call(function, Some(argument), false, result.clone());
    let calls = [
        sum(AggregateFunction::StddevPop, double, &DataType::Float64),
        sum(AggregateFunction::VarSamp, double, &DataType::Float64),
        sum(AggregateFunction::Avg, double, &DataType::Float64),
        sum(AggregateFunction::Sum, exact, &decimal),
        sum(AggregateFunction::Avg, exact, &decimal),
    ];
    let mut plan = event_time_plan(Frame::Rows { preceding: Some(1) }, &calls);
    let cast = |name: &str, to: &DataType| NamedExpression {
        name: name.into(),
        expression: Expression::Cast {
            expression: Box::new(Expression::Column(VALUE)),
            to: to.clone(),
            or_null: false,
        },
    };
    let column = |place| NamedExpression { name: format!("c{place}"), expression: Expression::Column(place) };
    let mut projection: Vec<NamedExpression> = (0..=TEXT).map(column).collect();
    projection.extend([cast("double", &DataType::Float64), cast("exact", &decimal)]);
    let calc = PlanNode {
        uid: "calc".into(),
        inputs: vec![0],
        kind: NodeKind::Calc(Calc { filter: None, projection }),
        schema: schema_with(&[DataType::Float64, decimal.clone()]),
        changelog: Changelog::Append,
        local_time: None,
    };
    plan.nodes.insert(1, calc);
    let mut types = vec![DataType::Float64, decimal];
    types.extend(calls.iter().map(|(_, result)| result.clone()));
    for node in &mut plan.nodes[2..] {
        node.inputs[0] += 1;
        node.schema = schema_with(&types);
    }
    let steps: [(&[Row], i64); 2] = [(&[row(1, 1000, 1, "a"), row(1, 2, 2, "b")], 2), (&[row(1, 5, 3, "c")], 3)];
    let (released, _) = released(&plan, &steps);
    assert!(released[0][0].ends_with(" 0.0  1000.0 1000.00 1000.00"), "{}", released[0][0]);
    assert!(released[1][0].ends_with(" 1.5 4.5 3.5 7.00 3.50"), "{}", released[1][0]);
}

#[test]
fn output_comes_in_the_order_of_time_also_in_large_numbers() {
    let count = [call(AggregateFunction::Count, None, false, DataType::Int64)];
    let rows: Vec<Row> = (0..20_000).map(|number| row(number % 7, 1, number * 37 % 5000, "a")).collect();
    let mut driver = Driver::new(&event_time_plan(Frame::Rows { preceding: Some(3) }, &count), 1, 1).unwrap();
    driver.feed(0, 0, Element::Batch(batch(&rows))).unwrap();
    driver.watermark(Watermark::END).unwrap();
    let received: Vec<Vec<String>> = driver.received.iter().flat_map(|(_, rows)| texts(rows)).collect();
    assert_eq!(received.len(), rows.len());
    assert!(received.is_sorted_by_key(|row| row[TIME].clone()));
}

#[test]
fn what_cannot_be_computed_over_rows_is_refused() {
    let by_time = OverOrder::Columns(vec![by(TIME)]);
    let refusal = |order: &OverOrder, frame, call: Call, input: &Changelog, output: &Changelog| {
        let calls = [call];
        let plan = over_plan(&over(order.clone(), frame, &calls), &calls, input.clone(), output.clone());
        Driver::new(&plan, 1, 1).err().unwrap().message
    };
    let rows = Frame::Rows { preceding: None };
    let count = || call(AggregateFunction::Count, None, false, DataType::Int64);
    let last = call(AggregateFunction::LastValue, Some(VALUE), true, DataType::Int64);
    let text = call(AggregateFunction::Sum, Some(TEXT), false, DataType::Int64);
    let (append, retract) = (Changelog::Append, Changelog::Retract);
    let upsert = Changelog::Upsert { key: vec![KEY] };
    let event_time = OverOrder::EventTime(TIME);
    assert!(refusal(&event_time, rows, last, &append, &append).contains("cannot be of distinct values"));
    assert!(refusal(&event_time, rows, text, &append, &append).contains("cannot be computed over rows"));
    assert!(refusal(&event_time, rows, count(), &retract, &append).contains("neither take nor make changes"));
    assert!(refusal(&OverOrder::EventTime(VALUE), rows, count(), &append, &append).contains("not a TIMESTAMP(3)"));
    assert!(refusal(&by_time, rows, count(), &upsert, &retract).contains("has to be normalized"));
    assert!(refusal(&by_time, rows, count(), &append, &append).contains("its output has changes"));
    let range = Frame::Range { preceding_ms: Some(1) };
    let by_value = OverOrder::Columns(vec![by(VALUE), by(TIME)]);
    assert!(refusal(&by_value, range, count(), &append, &retract).contains("one ascending time"));
}
