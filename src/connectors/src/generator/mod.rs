//! Makes rows for demonstrations and benchmarks: seeded, exact and fast.
//!
//! Row `i` of the table is a pure function of the options and `i`, whatever the number of splits, threads or restarts.
//! Split `s` of `n` holds the rows with `i % n == s`, in order; its position is the number of its next row.
//!
//! Options of the kind `page-views`:
//!
//! | option | meaning | default |
//! |---|---|---|
//! | `kind` | which rows: `page-views` | required |
//! | `rows-per-second` | of the whole table; a source that was held up catches up | as fast as it goes |
//! | `number-of-rows` | of the whole table, after which it ends | without end |
//! | `seed` | another seed, other rows | 1 |
//! | `splits` | how many threads can share the work. It is part of the positions: a job cannot go on with another number | 8 |
//! | `pages` | distinct pages, the most popular first (Zipf) | 1000 |
//! | `start` | event time of row 0, RFC 3339, or `now` | 2026-01-01T00:00:00Z |
//! | `events-per-second-of-event-time` | how fast event time goes with the rows | `rows-per-second`, else 10000 |
//! | `max-out-of-orderness-ms` | rows lie up to this much before the time their number gives | 0 |
//!
//! With `start = now` each split takes the time of its own first start and keeps it in its position; two runs then
//! differ in their event times.

pub mod nexmark;
mod options;
mod pace;
pub mod page_views;
mod reader;
mod rows;
mod schedule;
mod zipf;

use std::sync::Arc;

use arrow_schema::SchemaRef;
use tidemill_engine::connector::{AssignedSplit, Connector, Result, Sink, Source, SourceReader, Split, TaskContext};
use tidemill_plan::Table;

use crate::options::wrong_direction;
use options::GeneratorOptions;
use page_views::PageViewKind;
use reader::{GeneratorReader, ReaderTable};

pub use rows::RowRange;
pub use schedule::DEFAULT_SPLITS;

pub struct Generator;

impl Connector for Generator {
    fn source(&self, table: &Table, schema: SchemaRef, _: &TaskContext) -> Result<Arc<dyn Source>> {
        let options = GeneratorOptions::read(table)?;
        let kind = PageViewKind { spec: options.views, columns: page_views::columns(table, &schema)? };
        let (name, schedule) = (table.name.clone(), options.schedule);
        Ok(Arc::new(GeneratorSource(ReaderTable { name, schedule, schema, kind: Arc::new(kind) })))
    }

    fn sink(&self, table: &Table, _: SchemaRef, _: &TaskContext) -> Result<Arc<dyn Sink>> {
        Err(wrong_direction(table, "read", "written"))
    }
}

/// The source of a table of any kind.
struct GeneratorSource(ReaderTable);

impl Source for GeneratorSource {
    fn splits(&self) -> Result<Vec<Split>> {
        Ok((0..self.0.schedule.splits).map(|number| Split { id: number.to_string(), number }).collect())
    }

    fn reader(&self, splits: Vec<AssignedSplit>) -> Result<Box<dyn SourceReader>> {
        Ok(Box::new(GeneratorReader::new(self.0.clone(), splits)?))
    }

    fn bounded(&self) -> bool {
        self.0.schedule.bounded()
    }
}

#[cfg(test)]
mod tests;
