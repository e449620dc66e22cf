//! The columns of persons.

use super::super::rows::scale;
use super::Generator;
use super::columns::{FieldKind, Shape, Values};
use super::events::{Event, Kind};
use super::pools::Stream;

pub const FIRST_PERSON: i64 = 1000;
const FIRST_NAMES: [&str; 11] =
    ["Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter"];
const LAST_NAMES: [&str; 9] = ["Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"];
const CITIES: [&str; 10] =
    ["Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend", "Redmond", "Seattle", "Kent", "Cheyenne"];
const STATES: [&str; 6] = ["AZ", "CA", "ID", "OR", "WA", "WY"];
/// The id, and the card's sixteen digits with their blanks.
const FIXED_SIZE: usize = 8 + 19;

pub const FIELDS: &[FieldKind] = &[
    ("id", Shape::Bigint, |g, events| {
        g.numbers(events, Kind::Person, |event| FIRST_PERSON + g.timeline.last_person(event))
    }),
    ("name", Shape::String, |g, events| texts(g, events, NAME_STREAM, name)),
    ("emailAddress", Shape::String, |g, events| texts(g, events, EMAIL_STREAM, email)),
    ("creditCard", Shape::String, |g, events| texts(g, events, 22, credit_card)),
    ("city", Shape::String, |g, events| texts(g, events, CITY_STREAM, city)),
    ("state", Shape::String, |g, events| texts(g, events, STATE_STREAM, state)),
    ("dateTime", Shape::Timestamp, |g, events| g.numbers(events, Kind::Person, |event| g.timeline.time_ms(event))),
    ("extra", Shape::String, extra),
];

const NAME_STREAM: u64 = 20;
const EMAIL_STREAM: u64 = 21;
const CITY_STREAM: u64 = 23;
const STATE_STREAM: u64 = 24;

type Write = fn(Stream, u64, &mut Vec<u8>);

fn texts(g: &Generator, events: &[Event], stream: u64, write: Write) -> Values {
    let (stream, mut text) = (g.pools.stream(stream), Vec::new());
    g.texts(events, Kind::Person, 24, |event, column| {
        text.clear();
        write(stream, g.timeline.id(event), &mut text);
        column.push_ascii(&text);
    })
}

fn name(stream: Stream, id: u64, out: &mut Vec<u8>) {
    let bits = stream.bits(id);
    out.extend_from_slice(pick(&FIRST_NAMES, bits >> 32).as_bytes());
    out.push(b' ');
    out.extend_from_slice(pick(&LAST_NAMES, bits & 0xffff_ffff).as_bytes());
}

fn email(stream: Stream, id: u64, out: &mut Vec<u8>) {
    let (mut sequence, mut word) = (stream.sequence(id), Vec::new());
    for (limit, end) in [(7, "@"), (5, ".com")] {
        sequence.trimmed_word(limit, &mut word);
        out.extend_from_slice(&word);
        out.extend_from_slice(end.as_bytes());
    }
}

fn credit_card(stream: Stream, id: u64, out: &mut Vec<u8>) {
    let mut sequence = stream.sequence(id);
    for group in 0..4 {
        if group > 0 {
            out.push(b' ');
        }
        let digits = sequence.below(10_000) as u16;
        out.extend([1000, 100, 10, 1].map(|power| b'0' + (digits / power % 10) as u8));
    }
}

fn city(stream: Stream, id: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(pick(&CITIES, stream.bits(id) >> 32).as_bytes());
}

fn state(stream: Stream, id: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(pick(&STATES, stream.bits(id) >> 32).as_bytes());
}

fn pick(texts: &[&'static str], bits: u64) -> &'static str {
    texts[scale(bits, 32, texts.len() as u64) as usize]
}

/// Its length depends on those of the other texts, which are drawn again for that.
fn extra(g: &Generator, events: &[Event]) -> Values {
    let others: [(Stream, Write); 4] =
        [(NAME_STREAM, name as Write), (EMAIL_STREAM, email), (CITY_STREAM, city), (STATE_STREAM, state)]
            .map(|(stream, write)| (g.pools.stream(stream), write));
    let (stream, mut text) = (g.pools.stream(25), Vec::new());
    g.texts(events, Kind::Person, g.spec.person_size, |event, column| {
        let id = g.timeline.id(event);
        text.clear();
        others.iter().for_each(|(stream, write)| write(*stream, id, &mut text));
        let padding = g.pools.padding(stream.bits(id), FIXED_SIZE + text.len(), g.spec.person_size);
        g.pools.push_padding(padding, column);
    })
}
