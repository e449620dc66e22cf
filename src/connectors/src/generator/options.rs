//! The options of the generator, read once.

use jiff::Timestamp;
use tidemill_engine::connector::Result;
use tidemill_plan::Table;

use super::page_views::PageViewSpec;
use crate::options::Options;

/// Enough for the threads of a few workers; a split costs next to nothing.
pub const DEFAULT_SPLITS: u64 = 8;
const MOST_SPLITS: u64 = 4096;
const MOST_PAGES: u64 = 1_000_000;

#[derive(Clone, Debug, PartialEq)]
pub struct GeneratorOptions {
    pub rows_per_second: Option<u64>,
    pub number_of_rows: Option<u64>,
    pub splits: u64,
    pub start: Start,
    /// With the start still open.
    pub views: PageViewSpec,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Milliseconds since 1970.
    At(i64),
    Now,
}

impl GeneratorOptions {
    pub fn read(table: &Table) -> Result<Self> {
        let options = Options::new(table);
        options.required("kind")?;
        options.choice("kind", &[("page-views", ())])?;
        let rows_per_second = options.positive("rows-per-second")?;
        let read = Self {
            rows_per_second,
            number_of_rows: options.parsed("number-of-rows", "a whole number")?,
            splits: at_most(&options, "splits", MOST_SPLITS)?.unwrap_or(DEFAULT_SPLITS),
            start: start(&options)?,
            views: PageViewSpec {
                seed: options.parsed("seed", "a whole number")?.unwrap_or(1),
                pages: at_most(&options, "pages", MOST_PAGES)?.unwrap_or(1000) as u32,
                start_ms: 0,
                events_per_second: options
                    .positive("events-per-second-of-event-time")?
                    .or(rows_per_second)
                    .unwrap_or(10_000),
                max_out_of_orderness_ms: options
                    .parsed("max-out-of-orderness-ms", "milliseconds, a whole number")?
                    .unwrap_or(0),
            },
        };
        options.finish()?;
        Ok(read)
    }
}

fn at_most(options: &Options<'_>, name: &str, most: u64) -> Result<Option<u64>> {
    match options.positive(name)? {
        Some(value) if value > most => {
            Err(options.bad_value(name, &value.to_string(), "is too large", &format!("at most {most}")))
        }
        other => Ok(other),
    }
}

fn start(options: &Options<'_>) -> Result<Start> {
    match options.optional("start") {
        None => Ok(Start::At(1_767_225_600_000)),
        Some("now") => Ok(Start::Now),
        Some(text) => match text.parse::<Timestamp>() {
            Ok(time) => Ok(Start::At(time.as_millisecond())),
            Err(error) => Err(options.bad_value(
                "start",
                text,
                &format!("is no point in time ({error})"),
                "`now` or a time such as 2026-01-01T00:00:00Z",
            )),
        },
    }
}
