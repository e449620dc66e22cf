//! Reading: positions, ends, bad records, outages.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;
use tidemill_engine::connector::{AssignedSplit, Polled, SourceReader};
use tidemill_model::status::{Problem, ProblemKind};

use crate::broker::{End, assigned, broker, read, sorted, to_the_end, views};

const BOUNDED: (&str, &str) = ("scan.bounded.mode", "latest-offset");

fn plain(records: Vec<Option<String>>) -> Vec<String> {
    sorted(records.into_iter().flatten().collect())
}

#[test]
#[ignore = "needs a Kafka broker: TIDEMILL_KAFKA"]
fn a_bounded_table_is_read_to_the_end_it_had_and_no_further() {
    let broker = broker();
    let topic = broker.topic(3);
    for partition in 0..3u64 {
        broker.send(&topic, partition as i32, &views(partition * 5000..(partition + 1) * 5000));
    }
    let source = broker.source(&topic, &[BOUNDED]).unwrap();
    assert!(source.bounded());
    let mut reader = source.reader(assigned(&*source, None)).unwrap();
    broker.send(&topic, 0, &views(90_000..90_010));
    let rows = to_the_end(&mut *reader).unwrap();
    assert_eq!(sorted(rows), plain(views(0..15_000)));
    assert_eq!(reader.positions(), vec![json!({ "offset": 5000, "end": 5000 }); 3]);
    let stats = reader.stats();
    assert_eq!((stats.records, stats.lag_records, stats.millis_behind_latest), (15_000, Some(0), Some(0)));
}

#[test]
#[ignore = "needs a Kafka broker: TIDEMILL_KAFKA"]
fn nothing_is_read_of_a_partition_that_is_held() {
    let broker = broker();
    let topic = broker.topic(3);
    for partition in 0..3u64 {
        broker.send(&topic, partition as i32, &views(partition * 5000..(partition + 1) * 5000));
    }
    let source = broker.source(&topic, &[BOUNDED]).unwrap();
    let mut reader = source.reader(assigned(&*source, None)).unwrap();
    reader.hold(&[false, true, false]);
    let mut rows = read(&mut *reader, |rows| rows.len() >= 10_000).unwrap();
    assert_eq!(reader.positions()[1], json!({ "offset": 0, "end": 5000 }));
    reader.hold(&[]);
    rows.extend(to_the_end(&mut *reader).unwrap());
    assert_eq!(sorted(rows), plain(views(0..15_000)));
}

#[test]
#[ignore = "needs a Kafka broker: TIDEMILL_KAFKA"]
fn an_empty_topic_ends_at_once() {
    let broker = broker();
    let source = broker.source(&broker.topic(2), &[BOUNDED]).unwrap();
    assert_eq!(to_the_end(&mut *source.reader(assigned(&*source, None)).unwrap()).unwrap(), Vec::<String>::new());
}

#[test]
#[ignore = "needs a Kafka broker: TIDEMILL_KAFKA"]
fn each_partition_ends_by_itself_so_that_it_holds_no_watermark_back() {
    let broker = broker();
    let topic = broker.topic(3);
    broker.send(&topic, 0, &views(0..10));
    broker.send(&topic, 2, &views(10..20));
    let source = broker.source(&topic, &[BOUNDED]).unwrap();
    let mut reader = source.reader(assigned(&*source, None)).unwrap();
    reader.hold(&[false, false, true]);
    let (mut ended, mut rows, deadline) = (Vec::new(), [0, 0, 0], Instant::now() + Duration::from_secs(30));
    loop {
        assert!(Instant::now() < deadline, "{ended:?} of {rows:?}");
        match reader.poll(4).unwrap() {
            Polled::Batch { split, rows: batch } => {
                assert!(!ended.contains(&split), "rows of {split} after its end");
                rows[split] += batch.num_rows();
            }
            Polled::Ended { split } => {
                ended.push(split);
                if ended.len() == 2 {
                    assert_eq!(rows, [10, 0, 0]);
                    reader.hold(&[]);
                }
            }
            Polled::Finished => break,
            Polled::Pending | Polled::PendingFor { .. } => {}
        }
    }
    assert_eq!((ended[0], sorted_numbers(&ended), rows), (1, vec![0, 1, 2], [10, 0, 10]));
}

fn sorted_numbers(numbers: &[usize]) -> Vec<usize> {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable();
    sorted
}

#[test]
#[ignore = "needs a Kafka broker: TIDEMILL_KAFKA"]
fn a_restored_reader_goes_on_at_its_positions() {
    let broker = broker();
    let topic = broker.topic(2);
    broker.send(&topic, 0, &views(0..4000));
    broker.send(&topic, 1, &views(4000..8000));
    let source = broker.source(&topic, &[]).unwrap();
    let mut first = source.reader(assigned(&*source, None)).unwrap();
    let mut rows = read(&mut *first, |rows| rows.len() >= 2500).unwrap();
    let positions = first.positions();
    drop(first);
    let mut second = source.reader(assigned(&*source, Some(positions))).unwrap();
    let missing = 8000 - rows.len();
    rows.extend(read(&mut *second, |rows| rows.len() >= missing).unwrap());
    assert_eq!(sorted(rows), plain(views(0..8000)));
    until(&mut *second, "the lag is gone", |reader| {
        let stats = reader.stats();
        stats.lag_records == Some(0) && stats.millis_behind_latest == Some(0)
    });
}

#[test]
#[ignore = "needs a Kafka broker: TIDEMILL_KAFKA"]
fn a_partition_that_is_added_is_read_from_its_beginning() {
    let broker = broker();
    let topic = broker.topic(1);
    broker.send(&topic, 0, &views(0..10));
    let options = [("scan.startup.mode", "latest-offset"), ("scan.topic-partition-discovery.interval", "100 ms")];
    let source = broker.source(&topic, &options).unwrap();
    assert_eq!(source.discovery(), Some(Duration::from_millis(100)));
    let mut reader = source.reader(assigned(&*source, None)).unwrap();
    broker.add_partitions(&topic, 2);
    broker.send(&topic, 1, &views(100..110));
    let begun = Instant::now();
    let added = loop {
        let found = source.splits().unwrap().into_iter().find(|split| split.number == 1);
        assert!(begun.elapsed() < Duration::from_secs(20), "the partition is not found");
        if let Some(found) = found {
            break found;
        }
    };
    let position = source.beginning(&added);
    reader.add(AssignedSplit { id: added.id, number: added.number, position }).unwrap();
    let rows = read(&mut *reader, |rows| rows.len() >= 10).unwrap();
    assert_eq!(sorted(rows), plain(views(100..110)));
    assert_eq!(reader.positions()[1], json!({ "offset": 10 }));
}

#[test]
#[ignore = "needs a Kafka broker: TIDEMILL_KAFKA"]
fn transactions_leave_gaps_and_aborted_records_are_not_seen() {
    let broker = broker();
    let topic = broker.topic(1);
    broker.send_transaction("tx-1", &topic, &views(0..10), End::Commit);
    broker.send_transaction("tx-2", &topic, &views(100..110), End::Abort);
    broker.send_transaction("tx-3", &topic, &views(10..20), End::Commit);
    broker.send_transaction("tx-4", &topic, &views(200..210), End::Abort);
    let source = broker.source(&topic, &[BOUNDED]).unwrap();
    let mut reader = source.reader(assigned(&*source, None)).unwrap();
    assert_eq!(sorted(to_the_end(&mut *reader).unwrap()), plain(views(0..20)));
    assert_eq!(reader.positions(), [json!({ "offset": 44, "end": 44 })]);
    assert_eq!(reader.stats().lag_records, Some(0));
}

#[test]
#[ignore = "needs a Kafka broker: TIDEMILL_KAFKA"]
fn the_end_of_an_open_transaction_is_not_read_before_it_ends() {
    let broker = broker();
    let topic = broker.topic(1);
    broker.send(&topic, 0, &views(0..5));
    let _open = broker.send_transaction("tx-open", &topic, &views(5..10), End::LeaveOpen);
    let source = broker.source(&topic, &[BOUNDED]).unwrap();
    let rows = to_the_end(&mut *source.reader(assigned(&*source, None)).unwrap()).unwrap();
    assert_eq!(sorted(rows), plain(views(0..5)));
}

fn with_poison() -> Vec<Option<String>> {
    let mut records = views(0..10);
    records[4] = Some("{\"page\":".into());
    records[6] = None;
    records[8] = Some(String::new());
    records
}

#[test]
#[ignore = "needs a Kafka broker: TIDEMILL_KAFKA"]
fn a_record_that_cannot_be_decoded_fails_the_table_and_is_named() {
    let broker = broker();
    let topic = broker.topic(1);
    broker.send(&topic, 0, &with_poison());
    let source = broker.source(&topic, &[BOUNDED]).unwrap();
    let problem = to_the_end(&mut *source.reader(assigned(&*source, None)).unwrap()).unwrap_err();
    assert_eq!((problem.kind, problem.object.as_str()), (ProblemKind::UndecodableRecord, "views"));
    assert!(problem.message.contains(&format!("offset 4 of partition 0 of `{topic}`")), "{problem}");
    assert!(problem.remedy.contains("json.ignore-parse-errors"), "{problem}");
}

#[test]
#[ignore = "needs a Kafka broker: TIDEMILL_KAFKA"]
fn records_that_cannot_be_decoded_are_skipped_and_counted_if_the_table_says_so() {
    let broker = broker();
    let topic = broker.topic(1);
    broker.send(&topic, 0, &with_poison());
    let source = broker.source(&topic, &[BOUNDED, ("json.ignore-parse-errors", "true")]).unwrap();
    let mut reader = source.reader(assigned(&*source, None)).unwrap();
    assert_eq!(to_the_end(&mut *reader).unwrap().len(), 7);
    let stats = reader.stats();
    assert_eq!((stats.records, stats.undecodable), (10, 1));
}

#[test]
#[ignore = "needs a Kafka broker: TIDEMILL_KAFKA"]
fn a_first_start_begins_where_the_table_says() {
    let broker = broker();
    let topic = broker.topic(1);
    broker.send(&topic, 0, &views(0..10));
    std::thread::sleep(Duration::from_millis(50));
    let between = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis().to_string();
    std::thread::sleep(Duration::from_millis(50));
    broker.send(&topic, 0, &views(10..20));
    let first = |options: &[(&str, &str)]| {
        let source = broker.source(&topic, options).unwrap();
        source.reader(assigned(&*source, None)).unwrap().positions()[0]["offset"].as_i64().unwrap()
    };
    assert_eq!(first(&[]), 0);
    assert_eq!(first(&[("scan.startup.mode", "latest-offset")]), 20);
    assert_eq!(first(&[("scan.startup.mode", "timestamp"), ("scan.startup.timestamp-millis", &between)]), 10);
    assert_eq!(first(&[("scan.startup.mode", "timestamp"), ("scan.startup.timestamp-millis", "99999999999999")]), 20);
}

#[test]
#[ignore = "needs a Kafka broker: TIDEMILL_KAFKA"]
fn completed_checkpoints_are_committed_to_the_group_and_only_a_first_start_reads_them() {
    let broker = broker();
    let topic = broker.topic(1);
    broker.send(&topic, 0, &views(0..100));
    let options = [("properties.group.id", topic.as_str())];
    let source = broker.source(&topic, &options).unwrap();
    let mut reader = source.reader(assigned(&*source, None)).unwrap();
    assert_eq!(reader.positions(), [json!({ "offset": 0 })]);
    reader.checkpointed(&[json!({ "offset": 42 })]);
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        reader.poll(1).unwrap();
        let other = source.reader(assigned(&*source, None)).unwrap();
        if other.positions() == [json!({ "offset": 42 })] {
            break;
        }
        assert!(Instant::now() < deadline, "{:?}", other.positions());
    }
    let restored = source.reader(assigned(&*source, Some(vec![json!({ "offset": 7 })]))).unwrap();
    assert_eq!(restored.positions(), [json!({ "offset": 7 })]);
}

#[test]
#[ignore = "needs a Kafka broker: TIDEMILL_KAFKA"]
fn a_position_that_retention_has_deleted_is_told_or_passed_over_as_the_table_says() {
    let broker = broker();
    let topic = broker.topic(1);
    broker.send(&topic, 0, &views(0..100));
    broker.delete_before(&topic, 60);
    let at_10 = || Some(vec![json!({ "offset": 10 })]);
    let source = broker.source(&topic, &[]).unwrap();
    let mut reader = source.reader(assigned(&*source, at_10())).unwrap();
    let problem = read(&mut *reader, |_| false).unwrap_err();
    assert_eq!(problem.kind, ProblemKind::SourceUnreachable);
    assert!(problem.message.contains("offset 10 of partition 0"), "{problem}");
    let source = broker.source(&topic, &[("properties.auto.offset.reset", "earliest")]).unwrap();
    let mut reader = source.reader(assigned(&*source, at_10())).unwrap();
    assert_eq!(sorted(read(&mut *reader, |rows| rows.len() >= 40).unwrap()), plain(views(60..100)));
}

fn opening(address: &str, topic: &str) -> (Problem, Duration) {
    let broker = crate::broker::Broker { address: address.into() };
    let since = Instant::now();
    let source = broker.source(topic, &[]);
    (source.and_then(|source| source.splits()).unwrap_err(), since.elapsed())
}

#[test]
#[ignore = "needs a Kafka broker: TIDEMILL_KAFKA"]
fn a_topic_or_broker_that_is_not_there_is_told_in_time() {
    let broker = broker();
    for (address, topic) in [(broker.address.as_str(), "no-such-topic"), ("127.0.0.1:1", "any")] {
        let (problem, elapsed) = opening(address, topic);
        assert_eq!(problem.kind, ProblemKind::SourceUnreachable);
        assert!(problem.message.contains(topic) && problem.remedy.contains(address), "{problem}");
        assert!(elapsed < Duration::from_secs(20), "{elapsed:?}");
    }
}

fn control(what: &str) -> bool {
    let script = std::env::var("TIDEMILL_KAFKA_CONTROL").expect("the broker's control script");
    Command::new("bash").args([&script, what]).status().unwrap().success()
}

/// Stops the broker that all tests use: run it by itself, as `cargo test … -- --ignored`.
#[test]
#[ignore = "stops the broker"]
fn a_reader_outlives_an_outage_and_says_so() {
    let broker = broker();
    let topic = broker.topic(1);
    broker.send(&topic, 0, &views(0..100));
    let source = broker.source(&topic, &[]).unwrap();
    let mut reader = source.reader(assigned(&*source, None)).unwrap();
    let mut rows = read(&mut *reader, |rows| rows.len() >= 100).unwrap();
    assert!(reader.stats().problem.is_none());

    assert!(control("stop"));
    until(&mut *reader, "the outage is told", |reader| reader.stats().problem.is_some());
    assert_eq!(reader.stats().problem.unwrap().kind, ProblemKind::SourceUnreachable);

    assert!(control("start"));
    until(&mut *reader, "the end of the outage is noticed", |reader| reader.stats().problem.is_none());
    broker.send(&topic, 0, &views(100..200));
    rows.extend(read(&mut *reader, |rows| rows.len() >= 100).unwrap());
    assert_eq!(sorted(rows), plain(views(0..200)));
}

fn until(reader: &mut dyn SourceReader, what: &str, is: impl Fn(&dyn SourceReader) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is(reader) {
        assert!(Instant::now() < deadline, "{what}");
        reader.poll(10).unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
}
