//! The stream is the same however it is read, and its distributions are those that the page tells.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::{concat_batches, filter_record_batch, is_not_null};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMillisecondType};
use arrow_schema::{DataType, Field, Schema};
use tidemill_engine::connector::{AssignedSplit, Polled, SourceReader};
use tidemill_model::status::{Problem, ProblemKind};

use super::*;

const START_MS: i64 = 1_767_225_600_000;

fn table(options: &[(&str, &str)]) -> Table {
    let options: BTreeMap<String, String> = options.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    Table { name: "events".into(), connector: "nexmark".into(), options, ..Default::default() }
}

const KINDS: [(&str, Kind); 3] = [("person", Kind::Person), ("auction", Kind::Auction), ("bid", Kind::Bid)];

fn flat_schema(kind: &str) -> SchemaRef {
    let (_, kind) = KINDS.into_iter().find(|(name, _)| *name == kind).unwrap();
    Arc::new(Schema::new(columns_of(kind)))
}

fn stream_schema() -> SchemaRef {
    let rows = KINDS.map(|(name, kind)| row(name, columns_of(kind)));
    let event_type = Field::new("event_type", DataType::Int32, true);
    Arc::new(Schema::new(std::iter::once(event_type).chain(rows).collect::<Vec<_>>()))
}

fn row(name: &str, fields: Vec<Field>) -> Field {
    Field::new(name, DataType::Struct(fields.into()), true)
}

fn open(options: &[(&str, &str)], schema: SchemaRef) -> Result<Arc<dyn Source>> {
    let context = TaskContext {
        changelog: tidemill_plan::Changelog::Append,
        application: "a/b".into(),
        application_uid: "u".into(),
        operator: "s".into(),
        parallelism: 1,
    };
    Nexmark.source(&table(options), schema, &context)
}

fn assigned(source: &dyn Source) -> Vec<AssignedSplit> {
    let splits = source.splits().unwrap().into_iter();
    splits.map(|split| AssignedSplit { id: split.id, number: split.number, position: None }).collect()
}

/// At most `limit` batches.
fn read(reader: &mut dyn SourceReader, schema: &SchemaRef, max_rows: usize, limit: usize) -> RecordBatch {
    let mut batches = Vec::new();
    for _ in 0..limit {
        match reader.poll(max_rows).unwrap() {
            Polled::Batch { rows, .. } => batches.push(rows),
            Polled::Finished => break,
            Polled::Pending | Polled::Ended { .. } | Polled::PendingFor { .. } => {}
        }
    }
    concat_batches(schema, &batches).unwrap()
}

/// The whole table in the order of the events, as `splits` = 1 reads it.
fn whole(options: &[(&str, &str)], schema: &SchemaRef) -> RecordBatch {
    let source = open(&[options, &[("splits", "1")]].concat(), schema.clone()).unwrap();
    read(&mut *source.reader(assigned(&*source)).unwrap(), schema, 1000, usize::MAX)
}

fn flat(kind: &str, options: &[(&str, &str)]) -> RecordBatch {
    whole(&[options, &[("nexmark.kind", kind)]].concat(), &flat_schema(kind))
}

fn lines(batch: &RecordBatch) -> Vec<String> {
    crate::print::text::lines("t", batch).unwrap().lines().map(String::from).collect()
}

fn numbers(batch: &RecordBatch, name: &str) -> Vec<i64> {
    let column = batch.column_by_name(name).unwrap();
    match column.data_type() {
        DataType::Int64 => column.as_primitive::<Int64Type>().values().to_vec(),
        _ => column.as_primitive::<TimestampMillisecondType>().values().to_vec(),
    }
}

fn texts(batch: &RecordBatch, name: &str) -> Vec<String> {
    let column = batch.column_by_name(name).unwrap().as_string::<i32>();
    column.iter().map(|text| text.unwrap().to_string()).collect()
}

#[track_caller]
fn check_share(part: usize, of: usize, expected: f64, tolerance: f64) {
    let share = part as f64 / of as f64;
    assert!((share - expected).abs() < tolerance, "{share} instead of {expected}");
}

#[test]
fn a_kinds_table_holds_the_streams_events_of_that_kind() {
    let proportions = [("person.proportion", "2"), ("auction.proportion", "3"), ("bid.proportion", "5")];
    for options in
        [&[("events.num", "3000"), ("seed", "5")][..], &[&proportions[..], &[("events.num", "777")]].concat()]
    {
        let stream = whole(options, &stream_schema());
        for (place, (kind, _)) in KINDS.into_iter().enumerate() {
            let own = is_not_null(stream.column(place + 1)).unwrap();
            let rows = filter_record_batch(&stream, &own).unwrap();
            assert!(rows.column(0).as_primitive::<Int32Type>().values().iter().all(|kind| *kind == place as i32));
            let row = rows.column(place + 1).as_struct();
            let expected = RecordBatch::try_new(flat_schema(kind), row.columns().to_vec()).unwrap();
            assert_eq!(flat(kind, options), expected, "{kind}");
        }
    }
}

#[test]
fn the_rows_are_the_same_for_any_number_of_splits_and_after_a_restore() {
    for (kind, schema) in [("", stream_schema()), ("bid", flat_schema("bid")), ("auction", flat_schema("auction"))] {
        let mut options = vec![("events.num", "5000")];
        if !kind.is_empty() {
            options.push(("nexmark.kind", kind));
        }
        let mut expected = lines(&whole(&options, &schema));
        expected.sort();
        for splits in ["3", "8", "50"] {
            let source = open(&[&options[..], &[("splits", splits)]].concat(), schema.clone()).unwrap();
            let mut first = source.reader(assigned(&*source)).unwrap();
            let mut rows = lines(&read(&mut *first, &schema, 37, 11));
            let splits = assigned(&*source).into_iter().zip(first.positions());
            let splits = splits.map(|(split, position)| AssignedSplit { position: Some(position), ..split }).collect();
            rows.extend(lines(&read(&mut *source.reader(splits).unwrap(), &schema, 97, usize::MAX)));
            rows.sort();
            assert!(rows == expected, "{kind} {}", rows.len());
        }
    }
}

/// Rows of snapshots taken by earlier versions go on in later ones: a change here needs another connector name.
#[test]
fn draws_never_change() {
    let first = |kind| lines(&flat(kind, &[("events.num", "60")]))[0].clone();
    let rows = ["person", "auction", "bid"].map(first).join("\n");
    assert_eq!(rows, include_str!("first_rows.txt").trim_end());
}

#[test]
fn bids_go_to_hot_auctions_and_come_from_hot_bidders_as_often_as_told() {
    let bids = flat("bid", &[("events.num", "200000")]);
    let count = bids.num_rows();
    assert_eq!(count, 184_000);
    let (auctions, bidders) = (numbers(&bids, "auction"), numbers(&bids, "bidder"));
    // Of the cold draws one in a hundred or so meets a hot one by chance.
    check_share(auctions.iter().filter(|auction| *auction % 100 == 0).count(), count, 0.505, 0.01);
    check_share(bidders.iter().filter(|bidder| *bidder % 100 == 1).count(), count, 0.7525, 0.01);
    for (row, (auction, bidder)) in auctions.iter().zip(&bidders).enumerate() {
        let (last_auction, last_person) = (1002 + row as i64 / 46 * 3, 2000 + row as i64 / 46);
        assert!((last_auction - 102..=last_auction + 10).contains(auction), "row {row}: {auction}");
        assert!((last_person - 999..=last_person + 10).contains(bidder), "row {row}: {bidder}");
    }
    assert!(auctions[183_000..].iter().collect::<std::collections::BTreeSet<_>>().len() > 100);
}

#[test]
fn prices_are_even_in_their_logarithm() {
    let prices = numbers(&flat("bid", &[("events.num", "200000")]), "price");
    for decade in 0..6 {
        let range = 10i64.pow(decade + 2)..10i64.pow(decade + 3);
        check_share(prices.iter().filter(|price| range.contains(price)).count(), prices.len(), 1.0 / 6.0, 0.005);
    }
    let pools = Pools::new(1);
    for number in 0..100_000 {
        let bits = pools.stream(99).bits(number);
        let even = (bits as f64) / (u64::MAX as f64);
        let expected = (10f64.powf(even * 6.0) * 100.0).round();
        assert!((pools.price(bits) as f64 - expected).abs() <= 1.0, "{bits}");
    }
}

#[test]
fn channels_and_urls_are_shaped_as_told() {
    let bids = flat("bid", &[("events.num", "100000")]);
    let (channels, urls) = (texts(&bids, "channel"), texts(&bids, "url"));
    let cold: Vec<usize> = (0..channels.len()).filter(|row| channels[*row].starts_with("channel-")).collect();
    check_share(cold.len(), channels.len(), 0.5, 0.01);
    check_share(channels.iter().filter(|channel| *channel == "Apple").count(), channels.len(), 0.125, 0.005);
    let with_id: Vec<&usize> = cold.iter().filter(|row| urls[**row].contains("&channel_id=")).collect();
    check_share(with_id.len(), cold.len(), 0.9, 0.02);
    for row in with_id {
        let number: u32 = channels[*row]["channel-".len()..].parse().unwrap();
        let id = i64::from(number.reverse_bits() as i32).abs();
        assert!(
            urls[*row].trim_start_matches(|c| c != '=').contains(&id.to_string()),
            "{} {}",
            channels[*row],
            urls[*row]
        );
    }
    let (first, second) =
        (channels.iter().position(|c| c == "Baidu").unwrap(), channels.iter().rposition(|c| c == "Baidu").unwrap());
    assert_eq!(urls[first], urls[second]);
    assert!(urls.iter().all(
        |url| url.split('/').count() == 7 && url.split('/').skip(3).take(3).all(|dir| (3..5).contains(&dir.len()))
    ));
}

#[test]
fn padding_brings_each_kind_to_its_size() {
    let options = [("events.num", "100000")];
    let lengths: Vec<usize> = texts(&flat("bid", &options), "extra").iter().map(String::len).collect();
    assert_eq!((lengths.iter().min(), lengths.iter().max()), (Some(&54), Some(&81)));
    for (kind, numbers, average) in [("person", 8, 200.0), ("auction", 48, 500.0)] {
        let rows = flat(kind, &options);
        let mut bytes = 0;
        for (field, column) in rows.schema().fields().iter().zip(rows.columns()) {
            if *field.data_type() == DataType::Utf8 {
                bytes += texts(&rows, field.name()).iter().map(String::len).sum::<usize>();
            } else {
                assert_eq!(column.null_count(), 0);
            }
        }
        let size = numbers as f64 + bytes as f64 / rows.num_rows() as f64;
        assert!((size - average).abs() < average * 0.01, "{kind}: {size}");
    }
    let capitals = texts(&flat("bid", &options), "extra")
        .iter()
        .flat_map(|extra| extra.bytes())
        .filter(|byte| *byte < b'a')
        .count();
    check_share(capitals, lengths.iter().sum(), 0.5 * 25.0 / 26.0, 0.01);
}

#[test]
fn auctions_are_shaped_as_told() {
    let auctions = flat("auction", &[("events.num", "500000")]);
    let count = auctions.num_rows();
    assert_eq!(numbers(&auctions, "id"), (1001..1001 + count as i64).collect::<Vec<_>>());
    let sellers = numbers(&auctions, "seller");
    check_share(sellers.iter().filter(|seller| *seller % 100 == 0).count(), count, 0.7525, 0.01);
    for category in 10..15 {
        let found = numbers(&auctions, "category").iter().filter(|found| **found == category).count();
        check_share(found, count, 0.2, 0.01);
    }
    // 100 auctions take 1666 events, which take 166 ms.
    let lives: Vec<i64> = numbers(&auctions, "expires")
        .iter()
        .zip(numbers(&auctions, "dateTime"))
        .map(|(end, start)| end - start)
        .collect();
    assert_eq!((lives.iter().min(), lives.iter().max()), (Some(&1), Some(&332)));
    check_share(lives.iter().sum::<i64>() as usize, count, 166.5, 2.0);
    assert!(numbers(&auctions, "reserve").iter().zip(numbers(&auctions, "initialBid")).all(|(r, i)| *r >= i + 100));
    let names = texts(&auctions, "itemName");
    assert!(names.iter().all(|name| name.len() < 20 && name.trim() == name));
    let blanks = names.iter().flat_map(|name| name.bytes()).filter(|byte| *byte == b' ').count();
    // Fewer than 1/13, as those at the ends are gone.
    check_share(blanks, names.iter().map(String::len).sum(), 0.064, 0.005);
}

#[test]
fn persons_are_shaped_as_told() {
    let persons = flat("person", &[("events.num", "500000")]);
    // The round's first two ids are left out: so is the first person.
    assert_eq!(numbers(&persons, "id")[..3], [1001, 1002, 1003]);
    let states = texts(&persons, "state");
    check_share(states.iter().filter(|state| *state == "OR").count(), states.len(), 1.0 / 6.0, 0.01);
    assert!(texts(&persons, "creditCard").iter().all(|card| card.len() == 19 && card.split(' ').count() == 4));
    assert!(texts(&persons, "emailAddress").iter().all(|email| email.ends_with(".com") && email.contains('@')));
}

#[test]
fn event_time_goes_with_the_rate() {
    let options = [("events.num", "1000"), ("first-event.rate", "100"), ("next-event.rate", "100")];
    let times = numbers(&flat("bid", &options), "dateTime");
    assert_eq!(times[0], START_MS + 30);
    assert_eq!(times.last(), Some(&(START_MS + 9_980)));
}

#[test]
fn only_what_is_asked_for_is_made() {
    let row = [2, 6].map(|place| columns_of(Kind::Bid)[place].clone()).to_vec();
    let schema = Arc::new(Schema::new(vec![self::row("bid", row)]));
    let pruned = whole(&[("events.num", "100")], &schema);
    let stream = whole(&[("events.num", "100")], &stream_schema());
    let bid = |batch: &RecordBatch, name: &str| -> ArrayRef {
        batch.column_by_name("bid").unwrap().as_struct().column_by_name(name).unwrap().clone()
    };
    assert_eq!(pruned.num_rows(), 100);
    assert_eq!(&bid(&pruned, "price"), &bid(&stream, "price"));
    assert_eq!(&bid(&pruned, "extra"), &bid(&stream, "extra"));
    assert_eq!(whole(&[("events.num", "100")], &Arc::new(Schema::empty())).num_rows(), 100);
}

#[test]
fn every_column_can_be_made_without_changing_what_is_read() {
    let asked_for = columns_of(Kind::Bid)[..2].to_vec();
    for (kind, fields) in [(Some(Kind::Bid), asked_for.clone()), (None, vec![row("bid", asked_for)])] {
        let schema = Arc::new(Schema::new(fields));
        let left: usize = match kind {
            Some(kind) => columns_of(kind).len() - 2,
            None => KINDS.map(|(_, kind)| columns_of(kind).len()).iter().sum::<usize>() - 2,
        };
        assert_eq!(columns::discarded(&schema, kind).len(), left);
        let options =
            [&[("events.num", "100")][..], if kind.is_some() { &[("nexmark.kind", "bid")] } else { &[] }].concat();
        let every = [&options[..], &[("nexmark.every-column", "true")]].concat();
        assert_eq!(whole(&every, &schema), whole(&options, &schema));
    }
}

#[test]
fn a_table_ends_where_its_options_tell() {
    let rows = |options: &[(&str, &str)]| whole(options, &stream_schema()).num_rows();
    assert_eq!(rows(&[("events.num", "100"), ("stop-at", "40")]), 40);
    assert_eq!(rows(&[("events.num", "100"), ("stop-at", "-1")]), 100);
    assert_eq!(flat("person", &[("person.proportion", "0")]).num_rows(), 0);
    assert!(open(&[("events.num", "9")], stream_schema()).unwrap().bounded());
    assert!(!open(&[("events.num", "0")], stream_schema()).unwrap().bounded());
    assert!(!open(&[("events.num", "9"), ("keep-alive", "true")], stream_schema()).unwrap().bounded());
}

#[test]
fn a_rate_holds_a_kinds_rows_back() {
    let options = [("max-emit-speed", "false"), ("nexmark.kind", "bid"), ("splits", "1")];
    let source = open(&options, flat_schema("bid")).unwrap();
    let mut reader = source.reader(assigned(&*source)).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(50));
    let Polled::Batch { rows, .. } = reader.poll(10_000).unwrap() else { panic!("no rows") };
    assert!((460..4600).contains(&rows.num_rows()), "{}", rows.num_rows());
    assert!(matches!(reader.poll(10_000).unwrap(), Polled::PendingFor { .. } | Polled::Batch { .. }));
}

fn refusal(options: &[(&str, &str)], schema: SchemaRef) -> Problem {
    open(options, schema).map(|_| ()).unwrap_err()
}

#[test]
fn wrong_options_and_columns_are_refused_with_a_proposal() {
    let with = |name, value| refusal(&[(name, value)], stream_schema());
    assert_eq!(with("event.num", "1").remedy, "did you mean `events.num`?");
    assert!(with("next-event.rate", "9").message.contains("is not that of `first-event.rate`"));
    assert!(with("rate.limited", "true").remedy.contains("max-emit-speed"));
    assert!(with("bid.avg-size", "1 mile").message.contains("is no size"));
    assert!(with("person.proportion", "2000000").message.contains("is too large"));
    assert!(with("bid.hot-ratio.auctions", "0").message.contains("is too small"));
    assert_eq!(with("nexmark.kind", "bids").kind, ProblemKind::InvalidOption);
    let none = [("person.proportion", "0"), ("auction.proportion", "0"), ("bid.proportion", "0")];
    assert!(refusal(&none, stream_schema()).message.contains("all the proportions are 0"));

    let one = |name: &str, data_type, nullable| Arc::new(Schema::new(vec![Field::new(name, data_type, nullable)]));
    assert_eq!(refusal(&[], one("bids", DataType::Int64, true)).remedy, "did you mean `bid`?");
    assert!(refusal(&[], one("bid", DataType::Int64, true)).message.contains("is of the type ROW"));
    assert!(refusal(&[], one("event_type", DataType::Int64, true)).message.contains("is of the type INT"));
    let row = DataType::Struct(columns_of(Kind::Bid).into());
    assert!(refusal(&[], one("bid", row, false)).remedy.contains("NOT NULL"));
    let bid = [("nexmark.kind", "bid")];
    assert_eq!(refusal(&bid, one("prices", DataType::Int64, true)).remedy, "did you mean `price`?");
    assert!(refusal(&bid, one("price", DataType::Utf8, true)).message.contains("is of the type BIGINT"));
}
