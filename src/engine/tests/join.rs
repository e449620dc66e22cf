//! Regular joins of random rows that come and go, against a join of what is there at the end, row by row.
#![allow(clippy::unwrap_used)]

mod common;

use common::joins::{Inputs, expected, feeds, plan, random_changes};
use common::table::{folded, run};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tidemill_engine::driver::Driver;
use tidemill_engine::element::Element;
use tidemill_plan::{Change, Changelog, Join, JoinKey, JoinKind, JoinOn, NodeKind, StreamPlan};

const KINDS: [JoinKind; 6] =
    [JoinKind::Inner, JoinKind::Left, JoinKind::Right, JoinKind::Full, JoinKind::Semi, JoinKind::Anti];

fn join(kind: JoinKind, nulls_equal: bool, has_condition: bool) -> Join {
    let keys = vec![JoinKey { left: 0, right: 0, nulls_equal }];
    let condition = has_condition.then(common::joins::condition);
    Join { kind, on: JoinOn { keys, condition }, state_ttl_ms: [None, None] }
}

fn plan_of(join: &Join, changelogs: [Changelog; 2]) -> StreamPlan {
    let never_takes_back =
        changelogs.iter().all(Changelog::is_append) && matches!(join.kind, JoinKind::Inner | JoinKind::Semi);
    let changelog = if never_takes_back { Changelog::Append } else { Changelog::Retract };
    plan(NodeKind::Join(join.clone()), join.kind, changelogs, changelog)
}

fn check(seed: u64) {
    println!("seed {seed}");
    let mut random = SmallRng::seed_from_u64(seed);
    let changelogs = [(); 2].map(|_| if random.random() { Changelog::Append } else { Changelog::Retract });
    let inputs = [0, 1].map(|side: usize| random_changes(&mut random, !changelogs[side].is_append()));
    check_input(&mut random, seed, changelogs, &inputs);
}

fn check_input(random: &mut SmallRng, seed: u64, changelogs: [Changelog; 2], inputs: &Inputs) {
    let join = join(KINDS[random.random_range(0..6)], random.random(), random.random());
    let plan = plan_of(&join, changelogs.clone());
    let feeds = feeds(random, &plan, inputs);
    let parallelism = random.random_range(1..=4);
    let received = run(&plan, feeds, parallelism, seed, true);
    assert_eq!(folded(&received), expected(&join, inputs), "{join:?} {changelogs:?}");
}

#[test]
fn results_add_up_to_the_join_of_what_is_there_at_the_end() {
    (0..400).for_each(check);
}

/// On each side 5000 keys, 600 at a time, of which few stay.
#[test]
fn a_great_many_keys_come_and_go() {
    for seed in 0..12 {
        println!("seed {seed}");
        let mut random = SmallRng::seed_from_u64(seed);
        let rows = |side: i64| {
            let mut changes = Vec::new();
            for key in 0..5_600 {
                if key < 5_000 {
                    changes.push((Some(key), key % 7 + side, Insert));
                }
                if key >= 600 && (key - 600) % 40 != side {
                    changes.push((Some(key - 600), (key - 600) % 7 + side, Delete));
                }
            }
            changes
        };
        check_input(&mut random, seed, [Changelog::Retract, Changelog::Retract], &[rows(0), rows(1)]);
    }
}

fn driver(join: &Join) -> Driver {
    Driver::new(&plan_of(join, [Changelog::Retract, Changelog::Retract]), 1, 1).unwrap()
}

/// Feeds changes of the key 1, side and value and change, a batch each. Returns the results as texts.
fn changes(driver: &mut Driver, steps: &[&[(usize, i64, Change)]]) -> Vec<String> {
    for step in steps {
        let batch: Vec<_> = step.iter().map(|(_, value, change)| (Some(1), *value, *change)).collect();
        let rows = common::joins::batch(&batch, &Changelog::Retract);
        driver.feed(step[0].0, 0, Element::Batch(rows)).unwrap();
        driver.end_epoch().unwrap();
    }
    let received = std::mem::take(&mut driver.received);
    received.iter().flat_map(|(_, rows)| common::joins::changes(rows)).collect()
}

use Change::{Delete, Insert, UpdateAfter, UpdateBefore};

#[test]
fn the_first_match_takes_the_nulls_back_and_losing_the_last_brings_them_again() {
    let mut driver = driver(&join(JoinKind::Left, false, false));
    assert_eq!(changes(&mut driver, &[&[(0, 7, Insert)]]), ["+I 1 7 NULL NULL"]);
    let output = changes(&mut driver, &[&[(1, 8, Insert), (1, 9, Insert)]]);
    assert_eq!(output, ["-D 1 7 NULL NULL", "+I 1 7 1 8", "+I 1 7 1 9"]);
    let output = changes(&mut driver, &[&[(1, 8, Delete)], &[(1, 9, Delete)]]);
    assert_eq!(output, ["-D 1 7 1 8", "-D 1 7 1 9", "+I 1 7 NULL NULL"]);
}

#[test]
fn an_update_within_a_batch_gives_no_more_than_its_changes() {
    let mut driver = driver(&join(JoinKind::Full, false, false));
    changes(&mut driver, &[&[(0, 7, Insert)], &[(1, 8, Insert)]]);
    let output = changes(&mut driver, &[&[(1, 8, UpdateBefore), (1, 9, UpdateAfter)]]);
    assert_eq!(output, ["-D 1 7 1 8", "+I 1 7 NULL NULL", "-D 1 7 NULL NULL", "+I 1 7 1 9"]);
}

#[test]
fn an_inner_join_tells_of_an_update_as_its_input_did() {
    let mut driver = driver(&join(JoinKind::Inner, false, false));
    changes(&mut driver, &[&[(0, 7, Insert)], &[(1, 8, Insert)]]);
    let output = changes(&mut driver, &[&[(0, 7, UpdateBefore), (0, 6, UpdateAfter)]]);
    assert_eq!(output, ["-U 1 7 1 8", "+U 1 6 1 8"]);
}

#[test]
fn a_row_that_is_not_there_is_not_taken_back() {
    for kind in KINDS {
        let mut driver = driver(&join(kind, false, false));
        changes(&mut driver, &[&[(0, 7, Insert)], &[(1, 8, Insert)]]);
        assert!(changes(&mut driver, &[&[(0, 6, Delete)], &[(1, 6, Delete)]]).is_empty(), "{kind:?}");
        let output = changes(&mut driver, &[&[(0, 5, Insert), (0, 5, Delete), (0, 5, Delete)]]);
        assert!(output.len() == 2 || output.is_empty(), "{kind:?} {output:?}");
    }
}

#[test]
fn rows_are_forgotten_after_their_time_to_live() {
    let mut join = join(JoinKind::Left, false, false);
    join.state_ttl_ms = [Some(1_000), None];
    let mut driver = driver(&join);
    driver.now_ms = 500;
    assert_eq!(changes(&mut driver, &[&[(0, 7, Insert)]]), ["+I 1 7 NULL NULL"]);
    driver.now_ms = 1_499;
    assert_eq!(changes(&mut driver, &[&[(1, 8, Insert)]]), ["-D 1 7 NULL NULL", "+I 1 7 1 8"]);
    let snapshot = driver.snapshot().unwrap();
    let mut driver = Driver::new(&plan_of(&join, [Changelog::Retract, Changelog::Retract]), 1, 1).unwrap();
    driver.restore(&snapshot).unwrap();
    driver.now_ms = 1_500;
    driver.end_epoch().unwrap();
    assert!(changes(&mut driver, &[&[(1, 9, Insert)], &[(0, 7, Delete)]]).is_empty());
    assert_eq!(changes(&mut driver, &[&[(0, 6, Insert)]]), ["+I 1 6 1 9", "+I 1 6 1 8"]);
}

#[test]
fn a_semi_join_keeps_one_right_row_of_a_key_if_none_is_taken_back() {
    for (right, kept) in [(Changelog::Append, 1), (Changelog::Retract, 3)] {
        let mut driver =
            Driver::new(&plan_of(&join(JoinKind::Anti, false, false), [Changelog::Append, right.clone()]), 1, 1)
                .unwrap();
        let rows = common::joins::batch(&[(Some(1), 7, Insert), (Some(1), 7, Insert), (Some(1), 8, Insert)], &right);
        driver.feed(1, 0, Element::Batch(rows)).unwrap();
        driver.end_epoch().unwrap();
        let state = driver.snapshot().unwrap();
        let rows: usize = state.iter().flat_map(|captured| &captured.rows).map(|rows| rows.num_rows()).sum();
        assert_eq!(rows, kept);
    }
}

#[test]
fn a_great_many_matches_are_put_out_in_parts() {
    let mut driver = driver(&join(JoinKind::Left, false, false));
    let many: Vec<(usize, i64, Change)> = (0..30_000).map(|value| (1, value, Insert)).collect();
    changes(&mut driver, &[&many]);
    let rows = common::joins::batch(&[(Some(1), 7, Insert), (Some(1), 8, Insert)], &Changelog::Retract);
    driver.feed(0, 0, Element::Batch(rows)).unwrap();
    driver.end_epoch().unwrap();
    assert!(driver.received.iter().all(|(_, rows)| rows.num_rows() <= 8192));
    assert_eq!(driver.received.iter().map(|(_, rows)| rows.num_rows()).sum::<usize>(), 60_000);
}

#[test]
fn what_cannot_be_run_is_refused() {
    let refused = |join: Join, changelogs, changelog| {
        let plan = plan(NodeKind::Join(join.clone()), join.kind, changelogs, changelog);
        Driver::new(&plan, 1, 1).err().expect("it is refused").message
    };
    let append = || [Changelog::Append, Changelog::Append];
    let message = refused(join(JoinKind::Left, false, false), append(), Changelog::Append);
    assert!(message.contains("`join` cannot be run: its rows are taken back"), "{message}");
    let upsert = [Changelog::Append, Changelog::Upsert { key: vec![0] }];
    let message = refused(join(JoinKind::Inner, false, false), upsert, Changelog::Retract);
    assert!(message.contains("normalized first"), "{message}");
    let mut other_types = join(JoinKind::Inner, false, false);
    other_types.on.keys[0].right = 2;
    let message = refused(other_types, append(), Changelog::Append);
    assert!(message.contains("keys of types"), "{message}");
}
