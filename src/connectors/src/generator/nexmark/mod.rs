//! The events of the Nexmark auction benchmark: the connector `nexmark`, made by columns.
//!
//! Row `i` is a pure function of the options and `i`. Its distributions are those of the public benchmark's generator
//! (repository nexmark/nexmark) at parallelism 1, so that counts per key, sizes and event times are the same; the single
//! random draws are not, for that generator takes another seed each time.
//!
//! **Events and their ids.** Event `i` has the id `i + 2` and the time `start + ⌊⌊(i + 1) · delay⌋ / 1000⌋` ms, where
//! `delay` is 10⁶ / `first-event.rate` µs as a double. Ids come in rounds of person + auction + bid proportions: the first ids of a
//! round are persons, the next auctions, the rest bids. Persons and auctions are numbered in the order of their ids;
//! all the numbers below begin at 0 and have 1000 added in the table (a bidder, by an oddity of the original, 2000).
//!
//! **Bid.** With the chance 1 − 1/`bid.hot-ratio.auctions` it is for the hot auction: the last auction's number rounded down to a
//! multiple of 100; else for one of the last 101 auctions or the 10 to come, evenly. With 1 − 1/`bid.hot-ratio.bidders` the
//! bidder is the hot one: one above the last person's number rounded down to a multiple of 100; else one of the last 1000
//! persons or the 10 to come. The price is 100 · 10^(6u), u even in [0, 1), rounded. Half of the bids come through four well-known
//! channels, each with one URL; the others through 10,000 numbered ones, each with one URL that in nine cases of ten
//! names a channel id (the absolute value of the number's reversed 32 bits). URLs have three short random folders.
//!
//! **Auction.** With the chance 1 − 1/`auction.hot-ratio.sellers` the seller is the last person's number rounded down to a
//! multiple of 100, else drawn as a cold bidder is. One of five categories from 10. First bid and reserve above it are prices as above. It
//! expires 1 ms to twice the time that 100 auctions take after it began. Name and description are random words of 3–19 and
//! 3–99 characters, each a blank with the chance 1/13, trimmed.
//!
//! **Person.** 11 first and 9 last names, 10 cities and 6 states, all drawn apart; an e-mail address of two random words of 3–6 and 3–4
//! characters; a card number of four times four digits.
//!
//! **Padding.** `extra` fills an event up to its `avg-size` with even lengths ±20 % of what is missing, where numbers and times
//! count eight bytes; the text is cut from a megabyte of noise, which has six characters from each random 32-bit number, going
//! down from `a` when it is negative.
//!
//! Options (those of the benchmark's own connector where it has them):
//!
//! | option | meaning | default |
//! |---|---|---|
//! | `first-event.rate`, `next-event.rate` | events per second of event time; the two must be equal | 10000 |
//! | `events.num` | events of all kinds after which it ends; 0 is never | 0 |
//! | `stop-at` | ends earlier, at so many events; −1 does not | −1 |
//! | `keep-alive` | stays open after the last event | false |
//! | `max-emit-speed` | `false`: events come as their times tell | true |
//! | `person.proportion`, `auction.proportion`, `bid.proportion` | of a round | 1, 3, 46 |
//! | `person.avg-size`, `auction.avg-size`, `bid.avg-size` | such as `200b` | 200b, 500b, 100b |
//! | `bid.hot-ratio.auctions`, `bid.hot-ratio.bidders`, `auction.hot-ratio.sellers` | see above | 2, 4, 4 |
//! | `nexmark.kind` | `bid`, `auction` or `person`: only these events, each column of the row a column of the table | all, as rows |
//! | `nexmark.every-column` | for comparisons with an engine that makes all columns: make and throw away what is not asked for | false |
//! | `seed` | another seed, other draws | 1 |
//! | `splits` | as in the connector `generator` | 8 |
//! | `start` | the time that event times count from, RFC 3339, or `now` | 2026-01-01T00:00:00Z |
//!
//! A table may have any of the columns `event_type` (0 person, 1 auction, 2 bid), `person`, `auction` and `bid`, and the
//! rows any of their fields, by name; what is not asked for is not made. A row of another kind is NULL.

mod auctions;
mod bids;
mod columns;
mod events;
mod options;
mod persons;
mod pools;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use arrow_schema::{FieldRef, SchemaRef};
use tidemill_engine::connector::{Connector, Result, Sink, Source, TaskContext};
use tidemill_plan::Table;

use super::GeneratorSource;
use super::reader::ReaderTable;
use super::rows::{RowKind, RowRange, Rows};
use crate::options::wrong_direction;
use columns::Column;
use events::Timeline;
use options::{NexmarkOptions, NexmarkSpec};
use pools::Pools;

pub use columns::columns_of;
pub use events::Kind;

pub struct Nexmark;

impl Connector for Nexmark {
    fn source(&self, table: &Table, schema: SchemaRef, _: &TaskContext) -> Result<Arc<dyn Source>> {
        let options = NexmarkOptions::read(table)?;
        let kind = EventKind {
            columns: columns::columns(table, &schema, options.kind)?,
            discarded: if options.every_column { columns::discarded(&schema, options.kind) } else { Vec::new() },
            pools: Arc::new(Pools::new(options.spec.seed)),
            spec: options.spec,
            kind: options.kind,
        };
        let (name, schedule) = (table.name.clone(), options.schedule);
        Ok(Arc::new(GeneratorSource(ReaderTable { name, schedule, schema, kind: Arc::new(kind) })))
    }

    fn sink(&self, table: &Table, _: SchemaRef, _: &TaskContext) -> Result<Arc<dyn Sink>> {
        Err(wrong_direction(table, "read", "written"))
    }
}

/// A table's options and columns.
struct EventKind {
    spec: NexmarkSpec,
    /// None for the stream of all kinds.
    kind: Option<Kind>,
    columns: Vec<Column>,
    discarded: Vec<(Column, FieldRef)>,
    pools: Arc<Pools>,
}

impl RowKind for EventKind {
    fn starting(&self, start_ms: i64) -> Box<dyn Rows> {
        let generator = Generator {
            timeline: Timeline::new(&self.spec, start_ms),
            spec: self.spec.clone(),
            pools: self.pools.clone(),
        };
        let (columns, discarded) = (self.columns.clone(), self.discarded.clone());
        Box::new(EventRows { generator, kind: self.kind, columns, discarded })
    }
}

/// What every column is made from.
struct Generator {
    spec: NexmarkSpec,
    timeline: Timeline,
    pools: Arc<Pools>,
}

struct EventRows {
    generator: Generator,
    kind: Option<Kind>,
    columns: Vec<Column>,
    discarded: Vec<(Column, FieldRef)>,
}

impl Rows for EventRows {
    fn batch(&self, schema: &SchemaRef, rows: RowRange) -> std::result::Result<RecordBatch, ArrowError> {
        let events = self.generator.timeline.events(self.kind, rows);
        for (column, field) in &self.discarded {
            std::hint::black_box(self.generator.column(column, field, &events)?);
        }
        let columns = self.columns.iter().zip(schema.fields());
        let arrays = columns.map(|(column, field)| self.generator.column(column, field, &events));
        let arrays = arrays.collect::<std::result::Result<Vec<_>, ArrowError>>()?;
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows.count));
        RecordBatch::try_new_with_options(schema.clone(), arrays, &options)
    }
}

#[cfg(test)]
mod tests;
