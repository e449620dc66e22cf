//! Pattern matching under the deterministic driver, against a search that goes back and tries every way: random rows,
//! patterns, conditions and skips, batches, threads, and a restart in the middle.
#![allow(clippy::unwrap_used)]

#[path = "pattern/case.rs"]
mod case;
mod common;
#[path = "pattern/search.rs"]
mod search;

use std::collections::BTreeMap;

use case::{After, Case, Extra, Row, Term, batch, batches, plan};
use common::table::{Feed, run, texts};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use search::searched;
use tidemill_engine::driver::Driver;
use tidemill_engine::element::{Element, Watermark};
use tidemill_plan::{BinaryOperator, Clock, Expression, Literal, NodeKind, StreamPlan};

/// The results of each partition, in order.
type Results = BTreeMap<String, Vec<Vec<String>>>;

fn by_key(rows: impl IntoIterator<Item = Vec<String>>) -> Results {
    let mut results = Results::new();
    for mut row in rows {
        let key = row.remove(0);
        results.entry(key).or_default().push(row);
    }
    results
}

fn random_term(random: &mut StdRng) -> Term {
    let quantifier = match random.random_range(0..9) {
        0 => (0, None, true),
        1 => (1, None, true),
        2 => (0, Some(1), true),
        3 => (0, None, false),
        4 => (1, None, false),
        5 => (1, Some(3), random.random_bool(0.5)),
        6 => (2, Some(2), true),
        _ => (1, Some(1), true),
    };
    let extra = match random.random_range(0..12) {
        0 => Extra::Rising,
        1 => Extra::SumBelow(60),
        2 => Extra::AboveFirst,
        3 => Extra::AbovePrevious,
        4 => Extra::FewDistinct(2),
        _ => Extra::None,
    };
    Term { least: quantifier.0, most: quantifier.1, greedy: quantifier.2, extra }
}

fn random_case(random: &mut StdRng, clock: Clock) -> Case {
    let mut terms: Vec<Term> = (0..random.random_range(1..4)).map(|_| random_term(random)).collect();
    terms.push(Term { least: 1, most: Some(1), greedy: true, extra: Extra::None });
    if random.random_bool(0.3) {
        terms.push(Term { least: 0, most: Some(1), greedy: true, extra: Extra::None });
    }
    let last = terms.iter().rposition(|term| term.least == 1 && term.most == Some(1)).unwrap();
    let after = match random.random_range(0..4) {
        0 => After::ToNextRow,
        // Every match has a row for it, and it is the first one only if those before are optional.
        1 if terms[..last].iter().any(|term| term.least > 0) => After::ToLast(last),
        _ => After::PastLastRow,
    };
    let within_ms = random.random_bool(0.3).then(|| random.random_range(5..60));
    Case { terms, after, within_ms, clock }
}

fn random_rows(random: &mut StdRng, letters: usize) -> Vec<Row> {
    let mut time = -50;
    let keys = random.random_range(1..6);
    let both = random.random_range(0.0..0.6);
    (0..random.random_range(0..120))
        .map(|number| {
            time += random.random_range(0..8);
            let letters: String = (b'a'..).take(letters).map(char::from).filter(|_| random.random_bool(both)).collect();
            Row {
                key: random.random_bool(0.9).then(|| format!("k{}", random.random_range(0..keys))),
                letters,
                value: random.random_range(0..20),
                time,
                number,
            }
        })
        .collect()
}

/// One random run: what the operator puts out, and what the search finds.
fn both(seed: u64) -> (Results, Results, String) {
    let mut random = StdRng::seed_from_u64(seed);
    let clock = if random.random_bool(0.8) { Clock::Event } else { Clock::Processing };
    let mut case = random_case(&mut random, clock);
    if clock == Clock::Processing {
        case.within_ms = None;
    }
    let rows = random_rows(&mut random, case.terms.len());
    let parallelism = random.random_range(1..5);
    let elements = batches(&rows, &case, &mut random);
    let feeds = vec![Feed { source: 0, elements }];
    let output = run(&plan(&case), feeds, parallelism, seed, clock == Clock::Processing);
    (by_key(output.iter().flat_map(texts)), by_key(searched(&rows, &case)), format!("{case:?}"))
}

#[test]
fn matches_are_those_of_a_search_that_tries_every_way() {
    let seeds = match std::env::var("SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (0..400).collect::<Vec<u64>>(),
    };
    let mut count = 0;
    for seed in seeds {
        let (output, expected, case) = both(seed);
        assert_eq!(output, expected, "SEED={seed} {case}");
        count += expected.values().map(Vec::len).sum::<usize>();
    }
    println!("{count} matches");
}

fn simple(after: After, within_ms: Option<i64>) -> Case {
    let term = |least, most| Term { least, most, greedy: true, extra: Extra::None };
    Case { terms: vec![term(1, Some(1)), term(0, None), term(1, Some(1))], after, within_ms, clock: Clock::Event }
}

fn rows(letters: &str, first_time: i64) -> Vec<Row> {
    let row = |(number, letters): (usize, &str)| Row {
        key: None,
        letters: letters.to_string(),
        value: 1,
        time: first_time + number as i64,
        number: number as i64,
    };
    letters.split_whitespace().enumerate().map(row).collect()
}

fn feed(driver: &mut Driver, rows: &[Row], watermark: i64) {
    driver.feed(0, 0, Element::Batch(batch(rows))).unwrap();
    driver.watermark(Watermark::At(watermark)).unwrap();
}

fn count(driver: &Driver) -> usize {
    driver.received.iter().map(|(_, rows)| rows.num_rows()).sum()
}

#[test]
fn rows_wait_for_the_watermark_and_later_ones_are_dropped_and_counted() {
    let mut driver = Driver::new(&plan(&simple(After::PastLastRow, None)), 1, 1).unwrap();
    feed(&mut driver, &rows("a b c", 10), 11);
    assert_eq!(count(&driver), 0, "the last row's time has not come");
    feed(&mut driver, &rows("x", 11), 12);
    assert_eq!((count(&driver), driver.late_rows()), (1, 1), "a row of the watermark's time is late");
}

#[test]
fn rows_that_were_late_before_a_restart_are_late_behind_it() {
    let plan = plan(&simple(After::PastLastRow, None));
    let mut driver = Driver::new(&plan, 1, 1).unwrap();
    driver.watermark(Watermark::At(100)).unwrap();
    let snapshot = driver.snapshot().unwrap();
    let mut driver = Driver::new(&plan, 3, 1).unwrap();
    driver.restore(&snapshot).unwrap();
    feed(&mut driver, &rows("a b c", 99), 1_000);
    assert_eq!((count(&driver), driver.late_rows()), (0, 2));
}

#[test]
fn partial_matches_that_are_too_old_are_forgotten_with_their_rows() {
    let mut driver = Driver::new(&plan(&simple(After::PastLastRow, Some(100))), 1, 1).unwrap();
    feed(&mut driver, &rows("a b b b", 0), 50);
    let rows_held = |driver: &mut Driver| driver.snapshot().unwrap()[0].rows[0].num_rows();
    assert_eq!(rows_held(&mut driver), 4);
    driver.watermark(Watermark::At(100)).unwrap();
    // One row more than matches are made of is kept: a measure reads it.
    assert_eq!(rows_held(&mut driver), 1);
}

#[test]
fn a_partition_without_partial_matches_holds_no_more_than_the_row_before() {
    let mut driver = Driver::new(&plan(&simple(After::PastLastRow, None)), 1, 1).unwrap();
    feed(&mut driver, &rows("a b c x x", 0), 50);
    assert_eq!(driver.snapshot().unwrap()[0].rows[0].num_rows(), 1);
}

#[test]
fn skipping_to_the_first_row_of_a_match_fails_the_job() {
    let mut driver = Driver::new(&plan(&simple(After::ToFirst(0), None)), 1, 1).unwrap();
    driver.feed(0, 0, Element::Batch(batch(&rows("a c", 0)))).unwrap();
    let problem = driver.watermark(Watermark::END).unwrap_err();
    assert!(problem.message.contains("cannot skip to `A`: that is the first row"), "{}", problem.message);
}

#[test]
fn skipping_to_a_variable_without_a_row_fails_the_job() {
    let mut driver = Driver::new(&plan(&simple(After::ToLast(1), None)), 1, 1).unwrap();
    driver.feed(0, 0, Element::Batch(batch(&rows("a c", 0)))).unwrap();
    let problem = driver.watermark(Watermark::END).unwrap_err();
    assert!(problem.message.contains("the match has no row for `B`"), "{}", problem.message);
}

#[test]
fn a_pattern_that_cannot_be_run_is_refused_with_the_reason() {
    let mut case = simple(After::PastLastRow, None);
    case.terms.pop();
    let problem = Driver::new(&plan(&case), 1, 1).err().unwrap();
    assert!(problem.message.contains("ends greedily"), "{}", problem.message);
}

/// `A B* C` in which a row for B also needs `100 / value > 1`.
fn dividing() -> StreamPlan {
    let mut plan = plan(&simple(After::PastLastRow, None));
    let NodeKind::MatchRecognize(matching) = &mut plan.nodes[1].kind else { panic!("the second node matches") };
    let condition = matching.variables[1].condition.as_mut().unwrap();
    let number = |value| Box::new(Expression::Literal(Literal::Int64(value)));
    let quotient = Expression::Binary {
        left: number(100),
        operator: BinaryOperator::Divide,
        right: Box::new(Expression::Column(1)),
    };
    let enough = Expression::Binary { left: Box::new(quotient), operator: BinaryOperator::Greater, right: number(1) };
    condition.expression = Expression::Binary {
        left: Box::new(Expression::Column(0)),
        operator: BinaryOperator::And,
        right: Box::new(enough),
    };
    plan
}

fn divided(letters: &str, zero: usize) -> Result<usize, String> {
    let mut driver = Driver::new(&dividing(), 1, 1).unwrap();
    let mut rows = rows(letters, 0);
    rows[zero].value = 0;
    driver.feed(0, 0, Element::Batch(batch(&rows))).unwrap();
    driver.watermark(Watermark::END).map_err(|problem| problem.message)?;
    Ok(count(&driver))
}

#[test]
fn a_condition_fails_only_on_rows_that_it_is_asked_for() {
    assert_eq!(divided("x a b c", 0), Ok(1), "nothing has begun that the row could be taken for B in");
    let message = divided("a b c", 1).unwrap_err();
    assert!(message.contains("Divide by zero"), "{message}");
}

#[test]
fn by_processing_time_a_match_takes_as_long_as_the_machine_says() {
    let matches = |pause_ms: i64| {
        let case = Case { clock: Clock::Processing, ..simple(After::PastLastRow, Some(100)) };
        let mut driver = Driver::new(&plan(&case), 1, 1).unwrap();
        driver.now_ms = 5_000;
        driver.feed(0, 0, Element::Batch(batch(&rows("a b", 0)))).unwrap();
        driver.end_epoch().unwrap();
        driver.now_ms += pause_ms;
        driver.feed(0, 0, Element::Batch(batch(&rows("c", 0)))).unwrap();
        driver.end_epoch().unwrap();
        count(&driver)
    };
    assert_eq!((matches(99), matches(100)), (1, 0));
}

/// A plan whose measures read no row before a match.
fn forgetting() -> StreamPlan {
    let mut plan = plan(&simple(After::PastLastRow, None));
    let NodeKind::MatchRecognize(matching) = &mut plan.nodes[1].kind else { panic!("the second node matches") };
    matching.measures[4].value = matching.measures[0].value.clone();
    plan
}

#[test]
fn partitions_without_rows_are_forgotten_and_those_with_rows_are_not() {
    let mut driver = Driver::new(&forgetting(), 1, 1).unwrap();
    let keyed = |key: i64, letters: &str, time: i64| {
        let mut row = rows(letters, time).remove(0);
        row.key = Some(format!("k{key}"));
        row
    };
    for round in 0..10 {
        let (time, keys) = (round * 100, round * 500..(round + 1) * 500);
        let mut batch: Vec<Row> = keys.clone().map(|key| keyed(key, "a", time)).collect();
        // Every tenth match goes on, and every tenth of those has a row that waits beyond the next watermark.
        batch.extend(keys.clone().filter(|key| key % 10 > 0).map(|key| keyed(key, "c", time + 1)));
        batch.extend(keys.clone().filter(|key| key % 100 == 0).map(|key| keyed(key, "b", time + 150)));
        feed(&mut driver, &batch, time + 50);
    }
    assert_eq!(count(&driver), 4_500);
    assert_eq!(driver.snapshot().unwrap()[0].rows[0].num_rows(), 500 + 45 + 5);
    let last: Vec<Row> = (0..5_000).filter(|key| key % 10 == 0).map(|key| keyed(key, "c", 2_000)).collect();
    feed(&mut driver, &last, 2_000);
    assert_eq!(count(&driver), 5_000);
    let counts: BTreeMap<String, usize> =
        driver.received.iter().flat_map(|(_, rows)| texts(rows)).fold(BTreeMap::new(), |mut counts, row| {
            *counts.entry(row[6].clone()).or_default() += 1;
            counts
        });
    assert_eq!(counts, [("2".to_string(), 4_950), ("3".to_string(), 50)].into());
}
