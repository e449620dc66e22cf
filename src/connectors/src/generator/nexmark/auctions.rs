//! The columns of auctions.

use super::super::rows::scale;
use super::Generator;
use super::columns::{FieldKind, Shape, Values};
use super::events::{Event, Kind};
use super::persons::FIRST_PERSON;

pub const FIRST_AUCTION: i64 = 1000;
const FIRST_CATEGORY: i64 = 10;
const CATEGORIES: u64 = 5;
/// An auction lasts as long as so many auctions take to begin, on average.
const IN_FLIGHT: u64 = 100;
/// Six numbers and times of eight bytes.
const FIXED_SIZE: usize = 48;
/// Words are shorter than this.
const NAME: u64 = 20;
const DESCRIPTION: u64 = 100;

pub const FIELDS: &[FieldKind] = &[
    ("id", Shape::Bigint, |g, events| {
        g.numbers(events, Kind::Auction, |event| FIRST_AUCTION + g.timeline.last_auction(event))
    }),
    ("itemName", Shape::String, |g, events| words(g, events, NAME_STREAM, NAME)),
    ("description", Shape::String, |g, events| words(g, events, DESCRIPTION_STREAM, DESCRIPTION)),
    ("initialBid", Shape::Bigint, |g, events| g.numbers(events, Kind::Auction, |event| g.initial_bid(event))),
    ("reserve", Shape::Bigint, |g, events| {
        let stream = g.pools.stream(13);
        g.numbers(events, Kind::Auction, |event| {
            g.initial_bid(event) + g.pools.price(stream.bits(g.timeline.id(event)))
        })
    }),
    ("dateTime", Shape::Timestamp, |g, events| g.numbers(events, Kind::Auction, |event| g.timeline.time_ms(event))),
    ("expires", Shape::Timestamp, |g, events| {
        let stream = g.pools.stream(14);
        g.numbers(events, Kind::Auction, |event| {
            let longest = (g.timeline.auctions_ms(event, IN_FLIGHT) * 2).max(1) as u64;
            g.timeline.time_ms(event) + 1 + scale(stream.bits(g.timeline.id(event)), 64, longest) as i64
        })
    }),
    ("seller", Shape::Bigint, |g, events| {
        let stream = g.pools.stream(15);
        g.numbers(events, Kind::Auction, |event| {
            FIRST_PERSON + g.person_of(event, stream.bits(g.timeline.id(event)), g.spec.hot_sellers, 0)
        })
    }),
    ("category", Shape::Bigint, |g, events| {
        let stream = g.pools.stream(16);
        g.numbers(events, Kind::Auction, |event| {
            FIRST_CATEGORY + scale(stream.bits(g.timeline.id(event)), 64, CATEGORIES) as i64
        })
    }),
    ("extra", Shape::String, extra),
];

const NAME_STREAM: u64 = 10;
const DESCRIPTION_STREAM: u64 = 11;

impl Generator {
    #[inline(always)]
    fn initial_bid(&self, event: Event) -> i64 {
        self.pools.price(self.pools.stream(12).bits(self.timeline.id(event)))
    }
}

fn words(g: &Generator, events: &[Event], stream: u64, limit: u64) -> Values {
    let (stream, mut word) = (g.pools.stream(stream), Vec::new());
    g.texts(events, Kind::Auction, limit as usize, |event, column| {
        stream.sequence(g.timeline.id(event)).trimmed_word(limit, &mut word);
        column.push_ascii(&word);
    })
}

/// Its length depends on those of the two words, which are drawn again for that.
fn extra(g: &Generator, events: &[Event]) -> Values {
    let stream = g.pools.stream(17);
    let (name, description) = (g.pools.stream(NAME_STREAM), g.pools.stream(DESCRIPTION_STREAM));
    let mut word = Vec::new();
    g.texts(events, Kind::Auction, g.spec.auction_size, |event, column| {
        let id = g.timeline.id(event);
        name.sequence(id).trimmed_word(NAME, &mut word);
        let name_size = word.len();
        description.sequence(id).trimmed_word(DESCRIPTION, &mut word);
        let size = FIXED_SIZE + name_size + word.len();
        g.pools.push_padding(g.pools.padding(stream.bits(id), size, g.spec.auction_size), column);
    })
}
