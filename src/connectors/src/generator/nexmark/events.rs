//! Which kind each event is, its number among its kind, and its time. Arithmetic only, no draws.

use super::super::rows::RowRange;
use super::options::NexmarkSpec;

/// Ids of the events begin here, not at 0.
const FIRST_ID: u64 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Person,
    Auction,
    Bid,
}

/// How many events of each kind a round has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proportions {
    pub person: u64,
    pub auction: u64,
    pub bid: u64,
}

/// An event by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    pub round: u64,
    /// Within the round.
    pub offset: u64,
}

/// Event times, and where in the rounds the events of a table are.
#[derive(Clone, Debug)]
pub struct Timeline {
    pub proportions: Proportions,
    start_ms: i64,
    delay_us: f64,
}

impl Proportions {
    pub fn total(self) -> u64 {
        self.person + self.auction + self.bid
    }

    /// The offset of a kind's first event in a round, and how many there are; of all events without a kind.
    pub fn span(self, kind: Option<Kind>) -> (u64, u64) {
        match kind {
            None => (0, self.total()),
            Some(Kind::Person) => (0, self.person),
            Some(Kind::Auction) => (self.person, self.auction),
            Some(Kind::Bid) => (self.person + self.auction, self.bid),
        }
    }

    #[inline(always)]
    pub fn kind(self, event: Event) -> Kind {
        if event.offset >= self.person + self.auction {
            Kind::Bid
        } else if event.offset >= self.person {
            Kind::Auction
        } else {
            Kind::Person
        }
    }

    /// Events of the kind among the first so many events.
    pub fn among_first(self, kind: Option<Kind>, events: u64) -> u64 {
        self.below(kind, FIRST_ID.saturating_add(events)) - self.below(kind, FIRST_ID)
    }

    /// Events of the kind whose ids are below this one.
    fn below(self, kind: Option<Kind>, id: u64) -> u64 {
        let (first, width) = self.span(kind);
        id / self.total() * width + (id % self.total()).saturating_sub(first).min(width)
    }
}

impl Timeline {
    pub fn new(spec: &NexmarkSpec, start_ms: i64) -> Self {
        Self { proportions: spec.proportions, start_ms, delay_us: 1_000_000.0 / spec.events_per_second as f64 }
    }

    /// The events that are these rows of a table that has one kind, or all.
    pub fn events(&self, kind: Option<Kind>, rows: RowRange) -> Vec<Event> {
        let (first, width) = self.proportions.span(kind);
        let row = rows.first + self.proportions.below(kind, FIRST_ID);
        let (mut round, mut offset) = (row / width, row % width);
        let (step_rounds, step_offset) = (rows.step / width, rows.step % width);
        let mut events = Vec::with_capacity(rows.count);
        for _ in 0..rows.count {
            events.push(Event { round, offset: first + offset });
            // Counted on, because a division for each event would cost as much as drawing a column.
            (round, offset) = (round + step_rounds, offset + step_offset);
            if offset >= width {
                (round, offset) = (round + 1, offset - width);
            }
        }
        events
    }

    #[inline(always)]
    pub fn id(&self, event: Event) -> u64 {
        event.round * self.proportions.total() + event.offset
    }

    /// The number of the person that this event is, or of the last before it.
    #[inline(always)]
    pub fn last_person(&self, event: Event) -> i64 {
        let person = self.proportions.person as i64;
        event.round as i64 * person + (event.offset as i64).min(person - 1)
    }

    /// The number of the auction that this event is, or of the last before it; −1 when there was none.
    #[inline(always)]
    pub fn last_auction(&self, event: Event) -> i64 {
        let Proportions { person, auction, .. } = self.proportions;
        let offset = event.offset as i64 - person as i64;
        event.round as i64 * auction as i64 + offset.clamp(-1, auction as i64 - 1)
    }

    #[inline(always)]
    pub fn time_ms(&self, event: Event) -> i64 {
        self.time_of_number(self.id(event) - 1)
    }

    /// How long until so many further auctions have begun.
    #[inline(always)]
    pub fn auctions_ms(&self, event: Event, auctions: u64) -> i64 {
        let Proportions { auction, .. } = self.proportions;
        let events = auctions * self.proportions.total() / auction;
        self.time_of_number(self.id(event) - 1 + events) - self.time_ms(event)
    }

    #[inline(always)]
    fn time_of_number(&self, number: u64) -> i64 {
        self.start_ms + (number as f64 * self.delay_us) as i64 / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeline(person: u64, auction: u64, bid: u64) -> Timeline {
        Timeline { proportions: Proportions { person, auction, bid }, start_ms: 0, delay_us: 100.0 }
    }

    fn rows(first: u64, step: u64, count: usize) -> RowRange {
        RowRange { first, step, count }
    }

    #[test]
    fn a_tables_rows_are_the_streams_events_of_its_kind() {
        for timeline in [timeline(1, 3, 46), timeline(5, 1, 2), timeline(2, 0, 3), timeline(0, 0, 1)] {
            let all = timeline.events(None, rows(0, 1, 1000));
            assert_eq!(timeline.id(all[0]), 2);
            for kind in [Kind::Person, Kind::Auction, Kind::Bid] {
                let is_kind = |event: &&Event| timeline.proportions.kind(**event) == kind;
                let expected: Vec<Event> = all.iter().filter(is_kind).copied().collect();
                let count = timeline.proportions.among_first(Some(kind), 1000) as usize;
                assert_eq!(count, expected.len());
                if count > 0 {
                    assert_eq!(timeline.events(Some(kind), rows(0, 1, count)), expected);
                }
                if count > 8 {
                    let third: Vec<Event> = expected.iter().skip(2).step_by(3).copied().collect();
                    assert_eq!(timeline.events(Some(kind), rows(2, 3, third.len())), third);
                }
            }
        }
    }

    #[test]
    fn the_last_ones_are_the_largest_numbers_so_far() {
        let timeline = timeline(2, 3, 4);
        let (mut person, mut auction) = (-1, -1);
        for event in timeline.events(None, rows(0, 1, 500)) {
            // Ids 0 and 1, which are not events, would have been persons 0 and 1.
            match timeline.proportions.kind(event) {
                Kind::Person => person = timeline.last_person(event),
                Kind::Auction => auction += 1,
                Kind::Bid => {}
            }
            assert_eq!(timeline.last_person(event), person.max(1));
            assert_eq!(timeline.last_auction(event), auction);
        }
    }

    #[test]
    fn event_time_goes_with_the_rate_from_the_second_step_on() {
        let timeline = timeline(1, 3, 46);
        let times: Vec<i64> = timeline.events(None, rows(0, 1, 21)).into_iter().map(|e| timeline.time_ms(e)).collect();
        assert_eq!((times[0], times[8], times[9], times[18], times[19]), (0, 0, 1, 1, 2));
    }
}
