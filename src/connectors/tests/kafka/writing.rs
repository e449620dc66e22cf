//! Writing: what is visible after commits that are repeated, refused or interrupted.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use rdkafka::producer::Producer;
use tidemill_engine::connector::{Committer, Connector, Prepared, Result, Sink};
use tidemill_model::CheckpointId;
use tidemill_model::status::ProblemKind;

use crate::broker::{Broker, End, broker, context};

const EXACTLY_ONCE: (&str, &str) = ("sink.delivery-guarantee", "exactly-once");

fn batch(numbers: &[i64]) -> RecordBatch {
    let names: Vec<String> = numbers.iter().map(|number| format!("n{number}")).collect();
    RecordBatch::try_from_iter([
        ("number", Arc::new(Int64Array::from(numbers.to_vec())) as ArrayRef),
        ("name", Arc::new(StringArray::from(names)) as ArrayRef),
    ])
    .unwrap()
}

fn sink(broker: &Broker, topic: &str, options: &[(&str, &str)]) -> Result<Arc<dyn Sink>> {
    tidemill_connectors::kafka::Kafka.sink(&broker.table(topic, options), batch(&[]).schema(), &context(topic))
}

/// The staged bytes of a checkpoint that wrote these numbers.
fn staged(sink: &dyn Sink, numbers: &[i64]) -> Vec<u8> {
    let mut writer = sink.writer(0).unwrap();
    writer.write(&batch(numbers)).unwrap();
    match writer.prepare(CheckpointId(0)).unwrap() {
        Prepared::Staged(bytes) => bytes,
        Prepared::Done | Prepared::Flush(_) => panic!("exactly-once stages"),
    }
}

fn commit(committer: &mut dyn Committer, checkpoint: u64, chunks: &[Vec<u8>]) -> Result<()> {
    committer.commit(CheckpointId(checkpoint), &mut chunks.iter().cloned().map(Ok))
}

fn values(broker: &Broker, topic: &str) -> Vec<String> {
    broker.visible(topic).into_iter().map(|(_, value)| value).collect()
}

fn lines(numbers: impl IntoIterator<Item = i64>) -> Vec<String> {
    numbers.into_iter().map(|n| format!("{{\"number\":{n},\"name\":\"n{n}\"}}")).collect()
}

#[test]
#[ignore = "needs a Kafka broker: TIDEMILL_KAFKA"]
fn a_commit_that_is_repeated_by_anyone_shows_its_rows_once() {
    let broker = broker();
    let topic = broker.topic(1);
    let sink = sink(&broker, &topic, &[EXACTLY_ONCE]).unwrap();
    let (first, second) = (staged(&*sink, &[1, 2]), staged(&*sink, &[3]));
    assert_eq!(values(&broker, &topic), Vec::<String>::new());

    let mut committer = sink.committer(0).unwrap().unwrap();
    commit(&mut *committer, 5, std::slice::from_ref(&first)).unwrap();
    commit(&mut *committer, 5, std::slice::from_ref(&first)).unwrap();
    commit(&mut *committer, 6, &[vec![], second.clone()]).unwrap();
    let mut other = sink.committer(0).unwrap().unwrap();
    commit(&mut *other, 5, &[first]).unwrap();
    commit(&mut *other, 6, &[second]).unwrap();
    commit(&mut *other, 7, &[vec![]]).unwrap();
    commit(&mut *other, 9, &[staged(&*sink, &[4])]).unwrap();
    assert_eq!(values(&broker, &topic), lines(1..=4));
}

#[test]
#[ignore = "needs a Kafka broker: TIDEMILL_KAFKA"]
fn slots_and_applications_do_not_shut_each_other_out() {
    let broker = broker();
    let topic = broker.topic(1);
    let sink = sink(&broker, &topic, &[EXACTLY_ONCE]).unwrap();
    let mut committers: Vec<_> = (0..3).map(|slot| sink.committer(slot).unwrap().unwrap()).collect();
    for checkpoint in 1..=2 {
        for (slot, committer) in committers.iter_mut().enumerate() {
            commit(&mut **committer, checkpoint, &[staged(&*sink, &[slot as i64 * 10 + checkpoint as i64])]).unwrap();
        }
    }
    assert_eq!(values(&broker, &topic), lines([1, 11, 21, 2, 12, 22]));
}

#[test]
#[ignore = "needs a Kafka broker: TIDEMILL_KAFKA"]
fn an_older_committer_is_shut_out() {
    let broker = broker();
    let topic = broker.topic(1);
    let sink = sink(&broker, &topic, &[EXACTLY_ONCE]).unwrap();
    let mut old = sink.committer(0).unwrap().unwrap();
    commit(&mut *old, 1, &[staged(&*sink, &[1])]).unwrap();
    let mut new = sink.committer(0).unwrap().unwrap();
    commit(&mut *new, 2, &[staged(&*sink, &[2])]).unwrap();
    for _ in 0..2 {
        let problem = commit(&mut *old, 3, &[staged(&*sink, &[-3])]).unwrap_err();
        assert_eq!(problem.kind, ProblemKind::SinkUnreachable);
    }
    commit(&mut *new, 3, &[staged(&*sink, &[3])]).unwrap();
    assert_eq!(values(&broker, &topic), lines(1..=3));
}

#[test]
#[ignore = "needs a Kafka broker: TIDEMILL_KAFKA"]
fn what_a_dead_committer_left_open_never_becomes_visible() {
    let broker = broker();
    let topic = broker.topic(1);
    let sink = sink(&broker, &topic, &[EXACTLY_ONCE]).unwrap();
    let id = format!("tidemill-{topic}-node-0-0");
    let dead = broker.send_transaction(&id, &topic, &[Some("half".into())], End::LeaveOpen);
    let mut committer = sink.committer(0).unwrap().unwrap();
    commit(&mut *committer, 1, &[staged(&*sink, &[1])]).unwrap();
    assert!(dead.commit_transaction(std::time::Duration::from_secs(5)).is_err());
    assert_eq!(values(&broker, &topic), lines([1]));
}

#[test]
#[ignore = "needs a Kafka broker: TIDEMILL_KAFKA"]
fn chunks_that_cannot_be_read_leave_nothing_open_and_the_commit_can_be_repeated() {
    let broker = broker();
    let topic = broker.topic(1);
    let sink = sink(&broker, &topic, &[EXACTLY_ONCE]).unwrap();
    let mut committer = sink.committer(0).unwrap().unwrap();
    let good = staged(&*sink, &[1]);
    let damaged = good[..good.len() - 1].to_vec();
    assert_eq!(commit(&mut *committer, 1, &[good.clone(), damaged]).unwrap_err().kind, ProblemKind::StateUnreadable);
    commit(&mut *committer, 1, &[good]).unwrap();
    assert_eq!(values(&broker, &topic), lines([1]));
}

#[test]
#[ignore = "needs a Kafka broker: TIDEMILL_KAFKA"]
fn large_output_is_staged_in_chunks_and_committed_whole() {
    let broker = broker();
    let topic = broker.topic(1);
    let sink = sink(&broker, &topic, &[EXACTLY_ONCE]).unwrap();
    let mut writer = sink.writer(0).unwrap();
    let mut chunks = Vec::new();
    for start in (0..300_000).step_by(10_000) {
        writer.write(&batch(&(start..start + 10_000).collect::<Vec<_>>())).unwrap();
        chunks.extend(writer.take_staged());
    }
    let Prepared::Staged(last) = writer.prepare(CheckpointId(1)).unwrap() else { panic!("exactly-once stages") };
    chunks.push(last);
    assert!(chunks.len() > 2, "{}", chunks.len());
    commit(&mut *sink.committer(0).unwrap().unwrap(), 1, &chunks).unwrap();
    assert_eq!(values(&broker, &topic), lines(0..300_000));
}

#[test]
#[ignore = "needs a Kafka broker: TIDEMILL_KAFKA"]
fn a_flush_waits_until_everything_before_it_is_with_the_broker() {
    let broker = broker();
    let topic = broker.topic(1);
    let options = [("key.fields", "number"), ("key.format", "json"), ("value.fields-include", "EXCEPT_KEY")];
    let sink = sink(&broker, &topic, &options).unwrap();
    assert!(sink.committer(0).unwrap().is_none());
    let mut writer = sink.writer(0).unwrap();
    for start in (0..20_000).step_by(1000) {
        while !writer.ready().unwrap() {
            std::thread::yield_now();
        }
        writer.write(&batch(&(start..start + 1000).collect::<Vec<_>>())).unwrap();
    }
    let Prepared::Flush(flush) = writer.prepare(CheckpointId(1)).unwrap() else { panic!("at-least-once flushes") };
    std::thread::spawn(flush).join().unwrap().unwrap();
    let expected: Vec<_> =
        (0..20_000).map(|n| (Some(format!("{{\"number\":{n}}}")), format!("{{\"name\":\"n{n}\"}}"))).collect();
    assert_eq!(broker.visible(&topic), expected);
    assert_eq!(writer.stats().records, 20_000);
}

#[test]
#[ignore = "needs a Kafka broker: TIDEMILL_KAFKA"]
fn more_than_the_queue_holds_waits_and_arrives_in_order() {
    let broker = broker();
    let topic = broker.topic(1);
    let sink = sink(&broker, &topic, &[("properties.queue.buffering.max.messages", "100")]).unwrap();
    let mut writer = sink.writer(0).unwrap();
    writer.write(&batch(&(0..5000).collect::<Vec<_>>())).unwrap();
    assert!(!writer.ready().unwrap());
    let Prepared::Flush(flush) = writer.prepare(CheckpointId(1)).unwrap() else { panic!("at-least-once flushes") };
    let flush = std::thread::spawn(flush);
    while !writer.ready().unwrap() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    flush.join().unwrap().unwrap();
    assert_eq!(values(&broker, &topic), lines(0..5000));
}

#[test]
#[ignore = "needs a Kafka broker: TIDEMILL_KAFKA"]
fn a_topic_that_is_not_there_is_told_when_the_table_is_opened() {
    let broker = broker();
    let problem = sink(&broker, "no-such-topic", &[]).map(|_| ()).unwrap_err();
    assert_eq!(problem.kind, ProblemKind::SinkUnreachable);
    assert!(problem.message.contains("no-such-topic"), "{problem}");
}

#[test]
#[ignore = "needs a Kafka broker: TIDEMILL_KAFKA"]
fn key_fields_must_be_columns() {
    let broker = broker();
    let problem = sink(&broker, "any", &[("key.fields", "nam"), ("key.format", "json")]).map(|_| ()).unwrap_err();
    assert_eq!((problem.kind, problem.remedy.as_str()), (ProblemKind::InvalidOption, "did you mean `name`?"));
}
