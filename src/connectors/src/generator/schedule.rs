//! When a generated table's rows come and where they end, whatever they are; and the options that say so.

use jiff::Timestamp;
use tidemill_engine::connector::Result;

use super::pace::Rate;
use crate::options::Options;

/// Enough for the threads of a few workers; a split costs next to nothing.
pub const DEFAULT_SPLITS: u64 = 8;
const MOST_SPLITS: u64 = 4096;
/// 2026-01-01T00:00:00Z.
const DEFAULT_START_MS: i64 = 1_767_225_600_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Of the whole table. Without one it goes as fast as it can.
    pub rate: Option<Rate>,
    /// Of the whole table.
    pub number_of_rows: Option<u64>,
    /// After the last row the table stays open instead of ending.
    pub keep_alive: bool,
    pub splits: u64,
    pub start: Start,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Milliseconds since 1970.
    At(i64),
    Now,
}

impl Schedule {
    pub fn bounded(&self) -> bool {
        self.number_of_rows.is_some() && !self.keep_alive
    }
}

pub fn splits(options: &Options<'_>) -> Result<u64> {
    Ok(at_most(options, "splits", MOST_SPLITS)?.unwrap_or(DEFAULT_SPLITS))
}

pub fn at_most(options: &Options<'_>, name: &str, most: u64) -> Result<Option<u64>> {
    match options.positive(name)? {
        Some(value) if value > most => {
            Err(options.bad_value(name, &value.to_string(), "is too large", &format!("at most {most}")))
        }
        other => Ok(other),
    }
}

pub fn start(options: &Options<'_>) -> Result<Start> {
    match options.optional("start") {
        None => Ok(Start::At(DEFAULT_START_MS)),
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
