//! The pitfalls of event time, by name. `README.md` beside this file says where each is pinned.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/ordering.rs"]
mod ordering;

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema, TimeUnit};
use common::{Row, batch, plan, recomputed, results};
use ordering::{KEY, TIME, row, schema_with, shown};
use tidemill_engine::driver::Driver;
use tidemill_engine::element::{Element, Watermark};
use tidemill_plan::{Calc, Changelog, Expression, NamedExpression, NodeKind, Over, OverOrder, StreamPlan, Window};

const TUMBLE: Window = Window::Tumble { size_ms: 100, offset_ms: 0 };

fn at(time: i64) -> Row {
    Row { key: Some("k".to_string()), value: 1, time }
}

fn feed(driver: &mut Driver, thread: usize, rows: &[Row], watermark: Watermark) {
    driver.feed(0, thread, Element::Batch(batch(rows))).unwrap();
    driver.feed(0, thread, Element::Watermark(watermark)).unwrap();
    driver.end_epoch().unwrap();
}

fn say(driver: &mut Driver, thread: usize, watermark: Watermark) {
    driver.feed(0, thread, Element::Watermark(watermark)).unwrap();
    driver.end_epoch().unwrap();
}

/// The windows put out since this was asked last: end and count.
fn windows(driver: &mut Driver) -> Vec<(i64, i64)> {
    let received = std::mem::take(&mut driver.received);
    results(received.iter().map(|(_, rows)| rows)).iter().map(|(_, end, count, _)| (*end, *count)).collect()
}

#[test]
fn an_idle_partition_does_not_stop_windows() {
    let mut driver = Driver::new(&plan(TUMBLE), 2, 1).unwrap();
    feed(&mut driver, 0, &[at(10), at(110)], Watermark::At(120));
    assert!(windows(&mut driver).is_empty(), "the other partition may have rows of that time");
    say(&mut driver, 1, Watermark::Idle);
    assert_eq!(windows(&mut driver), [(100, 1)]);
    feed(&mut driver, 0, &[at(200)], Watermark::At(210));
    assert_eq!(windows(&mut driver), [(200, 1)]);
}

#[test]
fn a_partition_that_wakes_up_with_old_rows_is_late_and_brings_time_neither_back_nor_to_a_stand() {
    let mut driver = Driver::new(&plan(TUMBLE), 2, 1).unwrap();
    say(&mut driver, 1, Watermark::Idle);
    feed(&mut driver, 0, &[at(10)], Watermark::At(120));
    assert_eq!(windows(&mut driver), [(100, 1)]);
    feed(&mut driver, 1, &[at(40), at(130)], Watermark::At(90));
    assert_eq!(driver.late_rows(), 1);
    assert!(windows(&mut driver).is_empty());
    say(&mut driver, 0, Watermark::At(199));
    assert_eq!(windows(&mut driver), [(200, 1)], "who wakes up late is not waited for");
    feed(&mut driver, 1, &[at(205)], Watermark::At(205));
    say(&mut driver, 0, Watermark::At(400));
    assert!(windows(&mut driver).is_empty(), "who has caught up is waited for");
    say(&mut driver, 1, Watermark::At(299));
    assert_eq!(windows(&mut driver), [(300, 1)]);
}

#[test]
fn time_stands_still_while_all_partitions_are_idle() {
    let mut driver = Driver::new(&plan(TUMBLE), 2, 1).unwrap();
    feed(&mut driver, 0, &[at(10)], Watermark::At(50));
    say(&mut driver, 0, Watermark::Idle);
    say(&mut driver, 1, Watermark::Idle);
    driver.now_ms += 1_000_000;
    driver.end_epoch().unwrap();
    assert!(windows(&mut driver).is_empty());
    feed(&mut driver, 1, &[at(20)], Watermark::At(60));
    say(&mut driver, 1, Watermark::At(99));
    assert_eq!((windows(&mut driver), driver.late_rows()), (vec![(100, 2)], 0));
}

#[test]
fn the_end_of_the_input_closes_every_window_once() {
    let rows: Vec<Row> = [-250, -1, 0, 5, 99, 100, 1_000_000].map(at).into();
    let mut driver = Driver::new(&plan(TUMBLE), 2, 1).unwrap();
    feed(&mut driver, 0, &rows, Watermark::At(0));
    say(&mut driver, 1, Watermark::END);
    say(&mut driver, 0, Watermark::END);
    let received = std::mem::take(&mut driver.received);
    assert_eq!(results(received.iter().map(|(_, rows)| rows)), recomputed(&rows, TUMBLE));
    driver.watermark(Watermark::END).unwrap();
    assert!(windows(&mut driver).is_empty());
}

#[test]
fn a_row_that_is_late_by_exactly_the_bound_counts_as_long_as_its_window_is_open() {
    // WATERMARK FOR time AS time - INTERVAL '0.050' SECOND: the highest row at 149 makes it 99.
    let mut driver = Driver::new(&plan(TUMBLE), 1, 1).unwrap();
    feed(&mut driver, 0, &[at(148)], Watermark::At(98));
    feed(&mut driver, 0, &[at(98)], Watermark::At(98));
    assert_eq!((windows(&mut driver), driver.late_rows()), (vec![], 0));
    say(&mut driver, 0, Watermark::At(99));
    assert_eq!(windows(&mut driver), [(100, 1)]);
    feed(&mut driver, 0, &[at(99), at(100)], Watermark::At(99));
    assert_eq!(driver.late_rows(), 1, "the last millisecond of a window that was put out");
}

#[test]
fn rows_of_the_same_time_are_of_the_same_windows_and_frames() {
    let count = tidemill_plan::AggregateCall {
        function: tidemill_plan::AggregateFunction::Count,
        argument: None,
        distinct: false,
        filter: None,
    };
    let over = Over {
        partition: vec![KEY],
        order: OverOrder::EventTime(TIME),
        frame: tidemill_plan::Frame::Range { preceding_ms: None },
        aggregates: vec![count],
        state_ttl_ms: None,
    };
    let plan =
        ordering::plan(NodeKind::Over(over), Changelog::Append, schema_with(&[DataType::Int64]), Changelog::Append);
    let mut driver = Driver::new(&plan, 1, 1).unwrap();
    for text in ["a", "b", "c"] {
        driver.feed(0, 0, Element::Batch(ordering::batch(&[row(1, 0, 7, text)]))).unwrap();
        driver.end_epoch().unwrap();
    }
    driver.watermark(Watermark::At(7)).unwrap();
    let told: Vec<String> = driver.received.iter().flat_map(|(_, rows)| shown(rows)).collect();
    assert_eq!(told, ["+I 1 0 7 a 3", "+I 1 0 7 b 3", "+I 1 0 7 c 3"]);
}

#[test]
fn a_row_of_the_far_future_closes_no_window_of_the_others() {
    // Year 9999, and the last moment that there is: the arithmetic of windows holds it.
    for far in [253_402_300_799_999, i64::MAX - 1] {
        let mut driver = Driver::new(&plan(TUMBLE), 2, 1).unwrap();
        feed(&mut driver, 0, &[at(10), at(far)], Watermark::At(far - 50));
        feed(&mut driver, 1, &[at(20)], Watermark::At(20));
        assert!(windows(&mut driver).is_empty(), "the other partition has not come that far");
        say(&mut driver, 1, Watermark::END);
        assert_eq!(windows(&mut driver)[..1], [(100, 2)]);
        say(&mut driver, 0, Watermark::END);
        assert_eq!(driver.late_rows(), 0);
    }
}

#[test]
fn the_machines_time_stands_still_within_an_epoch() {
    let instant = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    let now =
        Expression::Call { function: "current_timestamp".to_string(), arguments: vec![], returns: instant.clone() };
    let calc = Calc { filter: None, projection: vec![NamedExpression { name: "now".to_string(), expression: now }] };
    let schema = Arc::new(Schema::new(vec![arrow::datatypes::Field::new("now", instant, true)]));
    let plan: StreamPlan = ordering::plan(NodeKind::Calc(calc), Changelog::Append, schema, Changelog::Append);
    let mut driver = Driver::new(&plan, 1, 1).unwrap();
    driver.now_ms = 5_000;
    for _ in 0..2 {
        for number in 0..2 {
            driver.feed(0, 0, Element::Batch(ordering::batch(&[row(1, number, 7, "a")]))).unwrap();
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        driver.end_epoch().unwrap();
        driver.now_ms += 100;
    }
    let told: Vec<String> = driver.received.iter().flat_map(|(_, rows)| shown(rows)).collect();
    assert_eq!(told, ["+I 5000", "+I 5000", "+I 5100", "+I 5100"]);
}
