//! The columns of bids.

use std::hint::select_unpredictable;

use super::super::rows::scale;
use super::Generator;
use super::auctions::FIRST_AUCTION;
use super::columns::{FieldKind, Shape};
use super::events::{Event, Kind};

/// Twice what persons have: so it is in the original, and results depend on it.
const FIRST_BIDDER: i64 = 2000;
const IN_FLIGHT: i64 = 100;
const ACTIVE: i64 = 1000;
/// Persons and auctions that are named before they come.
const LEAD: i64 = 10;
/// One in so many persons or auctions is a hot one.
const HOT_EVERY: i64 = 100;
/// Four numbers of eight bytes.
const FIXED_SIZE: usize = 32;

pub const FIELDS: &[FieldKind] = &[
    ("auction", Shape::Bigint, |g, events| {
        let stream = g.pools.stream(0);
        g.numbers(events, Kind::Bid, |event| FIRST_AUCTION + g.bid_auction(event, stream.bits(g.timeline.id(event))))
    }),
    ("bidder", Shape::Bigint, |g, events| {
        let stream = g.pools.stream(1);
        let ratio = g.spec.hot_bidders;
        g.numbers(events, Kind::Bid, |event| {
            FIRST_BIDDER + g.person_of(event, stream.bits(g.timeline.id(event)), ratio, 1)
        })
    }),
    ("price", Shape::Bigint, |g, events| {
        let stream = g.pools.stream(2);
        g.numbers(events, Kind::Bid, |event| g.pools.price(stream.bits(g.timeline.id(event))))
    }),
    ("channel", Shape::String, |g, events| {
        let stream = g.pools.stream(3);
        g.texts(events, Kind::Bid, 16, |event, column| {
            column.push(&g.pools.channel(stream.bits(g.timeline.id(event))).name);
        })
    }),
    ("url", Shape::String, |g, events| {
        // The draw of the channel: it has one URL.
        let stream = g.pools.stream(3);
        g.texts(events, Kind::Bid, 80, |event, column| {
            column.push(&g.pools.channel(stream.bits(g.timeline.id(event))).url);
        })
    }),
    ("dateTime", Shape::Timestamp, |g, events| g.numbers(events, Kind::Bid, |event| g.timeline.time_ms(event))),
    ("extra", Shape::String, |g, events| {
        let stream = g.pools.stream(4);
        let average = g.spec.bid_size;
        g.texts(events, Kind::Bid, average, |event, column| {
            let padding = g.pools.padding(stream.bits(g.timeline.id(event)), FIXED_SIZE, average);
            g.pools.push_padding(padding, column);
        })
    }),
];

impl Generator {
    #[inline(always)]
    fn bid_auction(&self, event: Event, bits: u64) -> i64 {
        let last = self.timeline.last_auction(event);
        let first = (last - IN_FLIGHT).max(0);
        let cold = first + scale(bits & 0xffff_ffff, 32, (last - first + 1 + LEAD) as u64) as i64;
        select_unpredictable(is_hot(bits, self.spec.hot_auctions), last / HOT_EVERY * HOT_EVERY, cold)
    }

    /// A bidder's or seller's number: the hot one, `above` a multiple of 100, or any that is active.
    #[inline(always)]
    pub fn person_of(&self, event: Event, bits: u64, ratio: u64, above: i64) -> i64 {
        let last = self.timeline.last_person(event);
        let active = (last + 1).min(ACTIVE);
        let cold = last + 1 - active + scale(bits & 0xffff_ffff, 32, (active + LEAD) as u64) as i64;
        select_unpredictable(is_hot(bits, ratio), last / HOT_EVERY * HOT_EVERY + above, cold)
    }
}

#[inline(always)]
fn is_hot(bits: u64, ratio: u64) -> bool {
    scale(bits >> 32, 32, ratio) > 0
}
