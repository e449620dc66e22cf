//! The options of the connector `generator`, read once.

use tidemill_engine::connector::Result;
use tidemill_plan::Table;

use super::pace::Rate;
use super::page_views::PageViewSpec;
use super::schedule::{Schedule, at_most, splits, start};
use crate::options::Options;

const MOST_PAGES: u64 = 1_000_000;

#[derive(Clone, Debug, PartialEq)]
pub struct GeneratorOptions {
    pub schedule: Schedule,
    /// With the start still open.
    pub views: PageViewSpec,
}

impl GeneratorOptions {
    pub fn read(table: &Table) -> Result<Self> {
        let options = Options::new(table);
        options.required("kind")?;
        options.choice("kind", &[("page-views", ())])?;
        let rows_per_second = options.positive("rows-per-second")?;
        let read = Self {
            schedule: Schedule {
                rate: rows_per_second.map(Rate::per_second),
                number_of_rows: options.parsed("number-of-rows", "a whole number")?,
                keep_alive: false,
                splits: splits(&options)?,
                start: start(&options)?,
            },
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
