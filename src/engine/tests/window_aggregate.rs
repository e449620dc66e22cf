//! Window aggregation under the deterministic driver, against a batch recomputation: random rows, batches, threads,
//! schedules, and a restart at another parallelism in the middle.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Row, batch, plan, recomputed, results};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tidemill_engine::driver::Driver;
use tidemill_engine::element::{Element, Watermark};
use tidemill_plan::Window;

const TUMBLE: Window = Window::Tumble { size_ms: 100, offset_ms: 0 };
const HOP: Window = Window::Hop { size_ms: 100, slide_ms: 20, offset_ms: 0 };

fn row(key: &str, value: i64, time: i64) -> Row {
    Row { key: Some(key.to_string()), value, time }
}

/// Feeds the rows in order in one batch, with the watermark after each.
fn run(window: Window, steps: &[(&[Row], i64)]) -> (Vec<common::ResultRow>, u64) {
    let mut driver = Driver::new(&plan(window), 1, 1).unwrap();
    for (rows, watermark) in steps {
        driver.feed(0, 0, Element::Batch(batch(rows))).unwrap();
        driver.watermark(Watermark::At(*watermark)).unwrap();
    }
    (results(driver.received.iter().map(|(_, rows)| rows)), driver.late_rows())
}

#[test]
fn a_window_is_put_out_when_its_last_millisecond_is_reached() {
    let rows = [row("a", 1, 5), row("a", 2, 99)];
    assert!(run(TUMBLE, &[(&rows, 98)]).0.is_empty());
    assert_eq!(run(TUMBLE, &[(&rows, 99)]).0, [(Some("a".to_string()), 100, 2, 3)]);
}

#[test]
fn rows_of_a_window_that_was_put_out_are_dropped_and_counted() {
    let (output, late) = run(TUMBLE, &[(&[row("a", 1, 5)], 99), (&[row("a", 9, 99), row("b", 9, 100)], 200)]);
    assert_eq!(output, [(Some("a".to_string()), 100, 1, 1), (Some("b".to_string()), 200, 1, 9)]);
    assert_eq!(late, 1);
}

#[test]
fn a_late_row_still_counts_in_the_hopping_windows_that_are_open() {
    let (output, late) = run(HOP, &[(&[row("a", 1, 10)], 59), (&[row("a", 1, 15)], i64::MAX)]);
    let counts: Vec<(i64, i64)> = output.iter().map(|(_, end, count, _)| (*end, *count)).collect();
    assert_eq!(counts, [(20, 1), (40, 1), (60, 1), (80, 2), (100, 2)]);
    assert_eq!(late, 0);
}

#[test]
fn windows_before_1970_and_null_keys() {
    let rows = [Row { key: None, value: 4, time: -1 }, row("", 1, -100)];
    assert_eq!(run(TUMBLE, &[(&rows, i64::MAX)]).0, recomputed(&rows, TUMBLE));
}

/// One random run: returns whether the streaming result equals the recomputation.
fn agrees(seed: u64) -> bool {
    let mut random = StdRng::seed_from_u64(seed);
    let window = if random.random_bool(0.5) { TUMBLE } else { HOP };
    let rows: Vec<Row> = (0..random.random_range(0..400))
        .map(|number| Row {
            key: random.random_bool(0.95).then(|| format!("k{}", random.random_range(0..12))),
            value: random.random_range(-1000..1000),
            time: number * 3 + random.random_range(-common::DELAY_MS / 2..common::DELAY_MS / 2),
        })
        .collect();
    let cut = random.random_range(0..=rows.len());
    let (mut threads, mut driver) = started(window, &mut random);
    let mut output = Vec::new();
    let mut fed = 0;
    while fed < rows.len() {
        if fed >= cut && output.is_empty() && random.random_bool(0.5) {
            // A restart: the snapshot is taken at the end of an epoch, and another number of threads goes on.
            driver.end_epoch().unwrap();
            let snapshot = driver.snapshot().unwrap();
            output.append(&mut driver.received);
            (threads, driver) = started(window, &mut random);
            driver.restore(&snapshot).unwrap();
        }
        let count = random.random_range(1..40).min(rows.len() - fed);
        let thread = random.random_range(0..threads);
        driver.feed(0, thread, Element::Batch(batch(&rows[fed..fed + count]))).unwrap();
        fed += count;
        if random.random_bool(0.3) {
            let highest = rows[..fed].iter().map(|row| row.time).max().unwrap();
            driver.watermark(Watermark::At(highest - common::DELAY_MS)).unwrap();
        }
    }
    driver.watermark(Watermark::END).unwrap();
    output.append(&mut driver.received);
    results(output.iter().map(|(_, rows)| rows)) == recomputed(&rows, window)
}

fn started(window: Window, random: &mut StdRng) -> (usize, Driver) {
    let threads = random.random_range(1..=4);
    (threads, Driver::new(&plan(window), threads, random.random()).unwrap())
}

#[test]
fn random_runs_agree_with_a_batch_recomputation() {
    let given = std::env::var("SEED").ok().map(|seed| seed.parse::<u64>().unwrap());
    for seed in given.map_or(0..1000, |seed| seed..seed + 1) {
        assert!(agrees(seed), "the results differ; run again with SEED={seed}");
    }
}
