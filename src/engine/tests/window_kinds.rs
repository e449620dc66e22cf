//! Every kind of window under the driver, against a recomputation from all rows; and what is late in each.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int8Array, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use common::table::{Feed, Table, folded, run, texts};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tidemill_engine::change;
use tidemill_engine::driver::Driver;
use tidemill_engine::element::{Element, Watermark};
use tidemill_plan::{
    AggregateCall, AggregateFunction as F, AssignWindows, Changelog, Clock, Expand, Expression, Firing, LateFiring,
    Literal, NodeKind, PlanNode, Sink, Source, StreamPlan, Window, WindowAggregate, WindowOutput, Windows,
};

/// Key, number, time.
type Row = (String, i64, i64);

const TUMBLE: Window = Window::Tumble { size_ms: 40, offset_ms: 5 };
const HOP: Window = Window::Hop { size_ms: 60, slide_ms: 20, offset_ms: 0 };
const CUMULATE: Window = Window::Cumulate { size_ms: 60, step_ms: 20, offset_ms: 10 };
/// No even times are just this gap apart: whether such rows belong together depends on when the watermark comes.
const ODD_SESSION: Window = Window::Session { gap_ms: 13 };
const SESSION: Window = Window::Session { gap_ms: 12 };

fn time_field(name: &str) -> Field {
    Field::new(name, DataType::Timestamp(TimeUnit::Millisecond, None), true)
}

fn fields() -> Vec<Field> {
    vec![Field::new("k", DataType::Utf8, true), Field::new("n", DataType::Int64, true), time_field("t")]
}

fn table(name: &str) -> tidemill_plan::Table {
    tidemill_plan::Table { name: name.into(), connector: "test".into(), options: BTreeMap::new(), ..Default::default() }
}

fn node(uid: &str, inputs: Vec<usize>, kind: NodeKind, fields: Vec<Field>) -> PlanNode {
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    PlanNode { uid: uid.into(), inputs, kind, schema, changelog: Changelog::Append, local_time: None }
}

fn source() -> PlanNode {
    node("in", vec![], NodeKind::Source(Source { table: table("in"), watermark: None }), fields())
}

fn ended(mut nodes: Vec<PlanNode>) -> StreamPlan {
    let last = nodes.last().unwrap().clone();
    let sink = NodeKind::Sink(Sink { table: table("out") });
    nodes.push(PlanNode { uid: "out".into(), inputs: vec![nodes.len() - 1], kind: sink, ..last });
    StreamPlan { nodes }
}

/// Rows, sum, distinct numbers and their sum, by key and window.
fn aggregate(windows: Windows, input: usize) -> PlanNode {
    let call = |function, argument, distinct| AggregateCall { function, argument, distinct, filter: None };
    let aggregates = vec![
        call(F::Count, None, false),
        call(F::Sum, Some(1), false),
        call(F::Count, Some(1), true),
        call(F::Sum, Some(1), true),
        call(F::Max, Some(1), false),
    ];
    let output = vec![WindowOutput::Start, WindowOutput::End, WindowOutput::Time];
    let mut columns = vec![Field::new("k", DataType::Utf8, true)];
    columns.extend((0..5).map(|number| Field::new(format!("a{number}"), DataType::Int64, true)));
    columns.extend(["start", "end", "time"].map(|name| Field::new(name, DataType::Int64, true)));
    let aggregate = WindowAggregate { windows, keys: vec![0], aggregates, output, firing: None };
    node("windows", vec![input], NodeKind::WindowAggregate(aggregate), columns)
}

fn plan(window: Window, clock: Clock) -> StreamPlan {
    ended(vec![source(), aggregate(Windows::Of { window, time_column: 2, clock }, 0)])
}

/// Windows of event time that are put out more than once.
fn firing_plan(window: Window, early_ms: Option<u64>, late: Option<(u64, u64)>) -> StreamPlan {
    let mut plan = plan(window, Clock::Event);
    let NodeKind::WindowAggregate(aggregate) = &mut plan.nodes[1].kind else { unreachable!("it is one") };
    let late = late.map(|(delay_ms, lateness_ms)| LateFiring { delay_ms, lateness_ms });
    aggregate.firing = Some(Firing { early_ms, late });
    plan.nodes[1..].iter_mut().for_each(|node| node.changelog = Changelog::Retract);
    plan
}

fn assigning(window: Window) -> PlanNode {
    let mut columns = fields();
    columns.extend(["start", "end", "time"].map(time_field));
    node("assign", vec![0], NodeKind::AssignWindows(AssignWindows { window, time_column: 2 }), columns)
}

/// The same in two steps.
fn attached_plan(window: Window) -> StreamPlan {
    let windows = Windows::Attached { start: 3, end: 4, clock: Clock::Event };
    ended(vec![source(), assigning(window), aggregate(windows, 1)])
}

fn batch(rows: &[Row]) -> RecordBatch {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|row| Some(row.0.as_str())).collect::<StringArray>()),
        Arc::new(rows.iter().map(|row| Some(row.1)).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|row| Some(row.2)).collect::<TimestampMillisecondArray>()),
    ];
    RecordBatch::try_new(source().schema, columns).unwrap()
}

/// The windows of a row, start and end; a session's are told by all rows of its key.
fn windows_of(window: Window, row: &Row, rows: &[Row]) -> Vec<(i64, i64)> {
    let is_in = |start: i64, end: i64| start <= row.2 && row.2 < end;
    match window {
        Window::Tumble { size_ms, offset_ms } => {
            windows_of(Window::Hop { size_ms, slide_ms: size_ms, offset_ms }, row, rows)
        }
        Window::Hop { size_ms, slide_ms, offset_ms } => (-100..100)
            .map(|number| (number * slide_ms + offset_ms, number * slide_ms + offset_ms + size_ms))
            .filter(|(start, end)| is_in(*start, *end))
            .collect(),
        Window::Cumulate { size_ms, step_ms, offset_ms } => (-100..100)
            .flat_map(|number| {
                let start = number * size_ms + offset_ms;
                (1..=size_ms / step_ms).map(move |steps| (start, start + steps * step_ms))
            })
            .filter(|(start, end)| is_in(*start, *end))
            .collect(),
        Window::Session { gap_ms } => {
            let times: BTreeSet<i64> = rows.iter().filter(|other| other.0 == row.0).map(|other| other.2).collect();
            let (mut start, mut last) = (row.2, row.2);
            while let Some(before) = times.range(start - gap_ms..start).next() {
                start = *before;
            }
            while let Some(after) = times.range(last + 1..=last + gap_ms).next_back() {
                last = *after;
            }
            vec![(start, last + gap_ms)]
        }
    }
}

fn recomputed(window: Window, rows: &[Row]) -> Table {
    let mut groups: BTreeMap<(String, i64, i64), Vec<i64>> = BTreeMap::new();
    for row in rows {
        for (start, end) in windows_of(window, row, rows) {
            groups.entry((row.0.clone(), start, end)).or_default().push(row.1);
        }
    }
    let result = |((key, start, end), numbers): ((String, i64, i64), Vec<i64>)| {
        let distinct: BTreeSet<i64> = numbers.iter().copied().collect();
        let values = [
            numbers.len() as i64,
            numbers.iter().sum(),
            distinct.len() as i64,
            distinct.iter().sum(),
            *numbers.iter().max().unwrap(),
            start,
            end,
            end - 1,
        ];
        (std::iter::once(key).chain(values.map(|value| value.to_string())).collect(), 1)
    };
    groups.into_iter().map(result).collect()
}

/// Random rows at even times, of which none is late, with watermarks between them.
fn random_input(random: &mut SmallRng) -> (Vec<Row>, Vec<Element>) {
    let (mut rows, mut elements, mut watermark, mut time) = (Vec::new(), Vec::new(), -200, -190);
    for _ in 0..random.random_range(1..25) {
        let count = random.random_range(1..20);
        let new: Vec<Row> = (0..count)
            .map(|_| {
                time = i64::max(watermark + 1, time + random.random_range(-15..18));
                time += time & 1;
                (format!("k{}", random.random_range(0..4)), random.random_range(0..5), time)
            })
            .collect();
        elements.push(Element::Batch(batch(&new)));
        rows.extend(new);
        if random.random_bool(0.4) {
            watermark = i64::max(watermark, time - random.random_range(0..30));
            elements.push(Element::Watermark(Watermark::At(watermark)));
        }
    }
    (rows, elements)
}

fn check(plan: &StreamPlan, window: Window) {
    let given = std::env::var("SEED").ok().map(|seed| seed.parse::<u64>().unwrap());
    for seed in given.map_or(0..150, |seed| seed..seed + 1) {
        let mut random = SmallRng::seed_from_u64(seed);
        let (rows, elements) = random_input(&mut random);
        let received = run(plan, vec![Feed { source: 0, elements }], 1 + (seed % 4) as usize, seed, false);
        assert_eq!(folded(&received), recomputed(window, &rows), "SEED={seed} {window:?}");
    }
}

#[test]
fn random_runs_agree_with_a_recomputation() {
    for window in [TUMBLE, HOP, CUMULATE] {
        check(&plan(window, Clock::Event), window);
        check(&attached_plan(window), window);
    }
}

#[test]
fn random_runs_of_windows_that_fire_more_than_once_agree_with_a_recomputation() {
    for window in [TUMBLE, HOP] {
        for (early, late) in [(Some(0), None), (Some(250), Some((0, 30))), (None, Some((250, 300)))] {
            check(&firing_plan(window, early, late), window);
        }
    }
}

#[test]
fn random_late_rows_count_as_long_as_they_may() {
    for seed in 0..100 {
        let mut random = SmallRng::seed_from_u64(seed);
        // No watermark is further than the lateness, so no row is lost.
        let (rows, elements) = random_input(&mut random);
        let lateness = 10_000;
        let ahead = |element: Element| match element {
            Element::Watermark(Watermark::At(time)) => Element::Watermark(Watermark::At(time + 200)),
            other => other,
        };
        let elements: Vec<Element> = elements.into_iter().map(ahead).collect();
        for (window, early, delay) in [(TUMBLE, None, 0), (HOP, Some(0), 150), (HOP, None, 150)] {
            let plan = firing_plan(window, early, Some((delay, lateness)));
            let feeds = vec![Feed { source: 0, elements: elements.clone() }];
            let received = run(&plan, feeds, 1 + (seed % 4) as usize, seed, false);
            assert_eq!(folded(&received), recomputed(window, &rows), "SEED={seed} {window:?} {early:?} {delay}");
        }
    }
}

#[test]
fn random_sessions_agree_with_a_recomputation() {
    check(&plan(ODD_SESSION, Clock::Event), ODD_SESSION);
}

#[test]
fn by_the_machines_clock_everything_is_out_at_the_end() {
    for window in [TUMBLE, HOP, CUMULATE, SESSION] {
        // The clock of the run starts long after the rows' times: none may be lost.
        for seed in 0..20 {
            let (rows, elements) = random_input(&mut SmallRng::seed_from_u64(seed));
            let received = run(&plan(window, Clock::Processing), vec![Feed { source: 0, elements }], 2, seed, false);
            let least: i64 = if matches!(window, TUMBLE | SESSION) { rows.len() as i64 } else { 0 };
            let counted: i64 = received.iter().flat_map(texts).map(|row| row[1].parse::<i64>().unwrap()).sum();
            assert!(counted == least || least == 0 && counted >= rows.len() as i64, "SEED={seed} {window:?}");
        }
    }
}

/// What a single thread puts out for each step, windows as `key count start end`, and the late rows in all.
fn steps(plan: &StreamPlan, steps: &[(&[(&str, i64)], i64)]) -> (Vec<Vec<String>>, u64) {
    let mut driver = Driver::new(plan, 1, 1).unwrap();
    let mut told = Vec::new();
    for (rows, time) in steps {
        let rows: Vec<Row> = rows.iter().map(|(key, time)| (key.to_string(), 1, *time)).collect();
        driver.feed(0, 0, Element::Batch(batch(&rows))).unwrap();
        driver.now_ms = *time;
        driver.watermark(Watermark::At(*time)).unwrap();
        let received = std::mem::take(&mut driver.received);
        let brief = |row: Vec<String>| format!("{} {} {} {}", row[0], row[1], row[6], row[7]);
        told.push(received.iter().flat_map(|(_, rows)| texts(rows)).map(brief).collect());
    }
    (told, driver.late_rows())
}

#[test]
fn a_late_row_counts_in_the_cumulating_windows_that_are_open() {
    let (told, late) = steps(
        &plan(CUMULATE, Clock::Event),
        &[(&[("a", 15)], 29), (&[("a", 16), ("b", 55)], 48), (&[], 49), (&[("a", 69)], 69), (&[("a", 69)], 200)],
    );
    assert_eq!(told[0], ["a 1 10 30"]);
    assert!(told[1].is_empty());
    assert_eq!(told[2], ["a 2 10 50"]);
    assert_eq!(told[3], ["a 3 10 70", "b 1 10 70"]);
    assert!(told[4].is_empty());
    assert_eq!(late, 1);
}

/// The same with what becomes of each row.
fn changes(plan: &StreamPlan, steps: &[Step<'_>]) -> (Vec<Vec<String>>, u64) {
    let mut driver = Driver::new(plan, 1, 1).unwrap();
    let mut told = Vec::new();
    for Step { rows, now_ms, watermark } in steps {
        let rows: Vec<Row> = rows.iter().map(|(key, time)| (key.to_string(), 1, *time)).collect();
        driver.feed(0, 0, Element::Batch(batch(&rows))).unwrap();
        driver.now_ms = *now_ms;
        match watermark {
            Some(time) => driver.watermark(Watermark::At(*time)).unwrap(),
            None => driver.end_epoch().unwrap(),
        }
        let received = std::mem::take(&mut driver.received);
        let of_batch = |rows: &RecordBatch| {
            let (_, changes) = change::split(rows);
            let signs = changes.unwrap().values().to_vec();
            let line = |(row, sign): (Vec<String>, i8)| {
                let sign = ["+I", "-U", "+U", "-D"][sign as usize];
                format!("{sign} {} {} {} {}", row[0], row[1], row[6], row[7])
            };
            texts(rows).into_iter().zip(signs).map(line).collect::<Vec<_>>()
        };
        told.push(received.iter().flat_map(|(_, rows)| of_batch(rows)).collect());
    }
    (told, driver.late_rows())
}

struct Step<'a> {
    rows: &'a [(&'a str, i64)],
    now_ms: i64,
    watermark: Option<i64>,
}

fn step<'a>(rows: &'a [(&'a str, i64)], now_ms: i64, watermark: Option<i64>) -> Step<'a> {
    Step { rows, now_ms, watermark }
}

#[test]
fn a_window_is_put_out_early_as_long_after_a_row_as_it_may_wait() {
    let (told, _) = changes(
        &firing_plan(TUMBLE, Some(100), None),
        &[
            step(&[("a", 10)], 1000, None),
            step(&[("b", 10)], 1099, None),
            step(&[], 1100, None),
            step(&[("a", 11)], 1150, None),
            step(&[], 1250, None),
            step(&[("b", 12)], 1300, Some(44)),
            step(&[], 2000, None),
        ],
    );
    let expected: [&[&str]; 7] = [
        &[],
        &[],
        &["+I a 1 5 45", "+I b 1 5 45"],
        &[],
        &["-U a 1 5 45", "+U a 2 5 45"],
        &["-U b 1 5 45", "+U b 2 5 45"],
        &[],
    ];
    assert_eq!(told, expected);
}

#[test]
fn late_rows_correct_a_window_until_the_lateness_is_over() {
    let (told, late) = changes(
        &firing_plan(TUMBLE, None, Some((0, 50))),
        &[
            step(&[("a", 10)], 1000, Some(20)),
            step(&[], 1100, Some(44)),
            step(&[("a", 10), ("b", 5)], 1200, Some(93)),
            step(&[("a", 10)], 1300, Some(94)),
            step(&[("a", 10)], 1400, None),
        ],
    );
    let expected: [&[&str]; 5] =
        [&[], &["+I a 1 5 45"], &["-U a 1 5 45", "+U a 2 5 45", "+I b 1 5 45"], &["-U a 2 5 45", "+U a 3 5 45"], &[]];
    assert_eq!((told, late), (expected.map(|lines| lines.iter().map(ToString::to_string).collect()).to_vec(), 1));
}

#[test]
fn a_late_row_counts_in_the_hopping_windows_that_are_kept() {
    // Of the windows from -20, 0 and 20 on, the first is forgotten.
    let (told, late) = changes(
        &firing_plan(HOP, None, Some((0, 10))),
        &[step(&[("a", 30)], 1000, Some(69)), step(&[("a", 30)], 1100, None)],
    );
    assert_eq!(told[0], ["+I a 1 -20 40", "+I a 1 0 60"]);
    assert_eq!(told[1], [] as [&str; 0]);
    assert_eq!(late, 0);
}

#[test]
fn a_row_is_late_for_sessions_if_its_own_is_over_and_it_joins_none() {
    let (told, late) = steps(
        &plan(SESSION, Clock::Event),
        // 12 is just the gap after 0 and belongs to it; 1 is over by then but joins, and what "b" says at 1 does not.
        &[(&[("a", 0)], 8), (&[("a", 12)], 18), (&[("b", 1), ("a", 1)], 22), (&[], 23), (&[("a", 12)], 24)],
    );
    assert_eq!(told, [vec![], vec![], vec![], vec!["a 3 0 24".to_string()], vec![]]);
    assert_eq!(late, 2);
}

#[test]
fn a_row_that_bridges_two_sessions_makes_them_one() {
    let (told, late) = steps(&plan(SESSION, Clock::Event), &[(&[("a", 0), ("a", 20)], 5), (&[("a", 10)], 40)]);
    assert_eq!((&told[1], late), (&vec!["a 3 0 32".to_string()], 0));
}

#[test]
fn windows_of_the_machines_clock_close_with_it() {
    let (told, late) = steps(
        &plan(TUMBLE, Clock::Processing),
        &[(&[("a", 10)], 20), (&[("a", 40)], 45), (&[("a", 40)], 84), (&[], 85)],
    );
    // The last row is slow to come: it counts in the window that is open.
    assert_eq!(told, [vec![], vec!["a 2 5 45".to_string()], vec![], vec!["a 1 45 85".to_string()]]);
    assert_eq!(late, 0);
    let (told, _) = steps(&plan(SESSION, Clock::Processing), &[(&[("a", 10)], 20), (&[], 22)]);
    assert_eq!(told, [vec![], vec!["a 1 10 22".to_string()]]);
}

#[test]
fn rows_are_put_out_with_each_of_their_windows() {
    let mut driver = Driver::new(&ended(vec![source(), assigning(HOP)]), 1, 1).unwrap();
    driver.feed(0, 0, Element::Batch(batch(&[("a".into(), 7, -1), ("b".into(), 8, 20)]))).unwrap();
    driver.end_epoch().unwrap();
    let rows: Vec<Vec<String>> = driver.received.iter().flat_map(|(_, rows)| texts(rows)).collect();
    let brief: Vec<String> = rows.iter().map(|row| format!("{} {} {}", row[0], &row[3][17..], &row[5][17..])).collect();
    let expected =
        ["a 59.940 59.999", "a 59.960 00.019", "a 59.980 00.039", "b 59.980 00.039", "b 00 00.059", "b 00.020 00.079"];
    assert_eq!(brief, expected);
}

#[test]
fn a_row_is_put_out_once_for_each_projection() {
    let null = Expression::Literal(Literal::Null(DataType::Utf8));
    let projections = vec![vec![Expression::Column(0), Expression::Column(1)], vec![null, Expression::Column(1)]];
    let expand = node("expand", vec![0], NodeKind::Expand(Expand { projections }), fields()[..2].to_vec());
    let mut driver = Driver::new(&ended(vec![source(), expand]), 1, 1).unwrap();
    driver.feed(0, 0, Element::Batch(batch(&[("a".into(), 7, 0), ("b".into(), 8, 0)]))).unwrap();
    driver.end_epoch().unwrap();
    let rows: Vec<String> = driver.received.iter().flat_map(|(_, rows)| texts(rows)).map(|row| row.join(" ")).collect();
    assert_eq!(rows, ["a 7", "b 8", "NULL 7", "NULL 8"]);
}

#[test]
fn what_becomes_of_a_row_is_told_of_its_copies() {
    let projections = vec![vec![Expression::Column(0)], vec![Expression::Column(0)]];
    let expand = node("expand", vec![0], NodeKind::Expand(Expand { projections }), fields()[..1].to_vec());
    for operator in [assigning(TUMBLE), expand] {
        let mut plan = ended(vec![source(), operator]);
        plan.nodes.iter_mut().for_each(|node| node.changelog = Changelog::Retract);
        let mut driver = Driver::new(&plan, 1, 1).unwrap();
        let mut columns = batch(&[("a".into(), 7, 0), ("b".into(), 8, 0), ("a".into(), 7, 0)]).columns().to_vec();
        columns.push(Arc::new(Int8Array::from(vec![0, 0, 3])));
        let rows = RecordBatch::try_new(plan.nodes[0].batch_schema(), columns).unwrap();
        driver.feed(0, 0, Element::Batch(rows)).unwrap();
        driver.end_epoch().unwrap();
        let table = folded(driver.received.iter().map(|(_, rows)| rows));
        assert_eq!(table.keys().map(|row| row[0].as_str()).collect::<Vec<_>>(), ["b"]);
    }
}

#[test]
fn windows_of_sessions_are_not_assigned_to_rows() {
    let Err(problem) = Driver::new(&ended(vec![source(), assigning(SESSION)]), 1, 1) else { panic!("it was taken") };
    assert!(problem.message.contains("a session is not known before it is over"), "{}", problem.message);
}

#[test]
fn a_row_without_a_time_fails_the_job() {
    for plan in [plan(SESSION, Clock::Event), plan(HOP, Clock::Event), attached_plan(HOP)] {
        let mut driver = Driver::new(&plan, 1, 1).unwrap();
        let mut columns = batch(&[("a".into(), 7, 0)]).columns().to_vec();
        columns[2] = arrow::array::new_null_array(columns[2].data_type(), 1);
        let rows = RecordBatch::try_new(source().schema, columns).unwrap();
        let problem = driver.feed(0, 0, Element::Batch(rows)).and_then(|()| driver.end_epoch()).unwrap_err();
        assert!(problem.message.contains("NULL"), "{}", problem.message);
    }
}
