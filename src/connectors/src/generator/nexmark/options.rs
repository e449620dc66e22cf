//! The options of the connector `nexmark`, read once.

use tidemill_engine::connector::Result;
use tidemill_plan::Table;

use super::super::pace::Rate;
use super::super::schedule::{Schedule, at_most, splits, start};
use super::events::{Kind, Proportions};
use crate::options::Options;

/// Keeps every number of a kind within 64 bits.
const MOST_PROPORTION: u64 = 1_000_000;
const MOST_RATE: u64 = 1_000_000_000;
/// Half of the noise that padding is cut from.
const MOST_SIZE: u64 = 512 * 1024;

/// What distinguishes one stream of events from another, besides its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NexmarkSpec {
    pub seed: u64,
    pub proportions: Proportions,
    /// Of event time.
    pub events_per_second: u64,
    pub person_size: usize,
    pub auction_size: usize,
    pub bid_size: usize,
    pub hot_auctions: u64,
    pub hot_bidders: u64,
    pub hot_sellers: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct NexmarkOptions {
    pub spec: NexmarkSpec,
    pub kind: Option<Kind>,
    /// Columns that nobody asked for are made too, and thrown away.
    pub every_column: bool,
    pub schedule: Schedule,
}

impl NexmarkOptions {
    pub fn read(table: &Table) -> Result<Self> {
        let options = Options::new(table);
        let spec = spec(&options)?;
        let kinds = [("bid", Kind::Bid), ("auction", Kind::Auction), ("person", Kind::Person)];
        let kind = options.choice("nexmark.kind", &kinds)?;
        let every_column = options.flag("nexmark.every-column")?;
        let schedule = schedule(&options, &spec, kind)?;
        for name in ["rate.shape", "rate.period"] {
            options.refuse(name, "events come at one rate", "leave it out")?;
        }
        options.refuse("rate.limited", "it has no effect", "set 'max-emit-speed' = 'false' to have a rate kept")?;
        options.finish()?;
        Ok(Self { spec, kind, every_column, schedule })
    }
}

fn spec(options: &Options<'_>) -> Result<NexmarkSpec> {
    Ok(NexmarkSpec {
        seed: options.parsed("seed", "a whole number")?.unwrap_or(1),
        proportions: proportions(options)?,
        events_per_second: rate(options)?,
        person_size: size(options, "person.avg-size")?.unwrap_or(200),
        auction_size: size(options, "auction.avg-size")?.unwrap_or(500),
        bid_size: size(options, "bid.avg-size")?.unwrap_or(100),
        hot_auctions: at_most(options, "bid.hot-ratio.auctions", MOST_PROPORTION)?.unwrap_or(2),
        hot_bidders: at_most(options, "bid.hot-ratio.bidders", MOST_PROPORTION)?.unwrap_or(4),
        hot_sellers: at_most(options, "auction.hot-ratio.sellers", MOST_PROPORTION)?.unwrap_or(4),
    })
}

fn proportions(options: &Options<'_>) -> Result<Proportions> {
    let one = |name: &str, default| match options.parsed::<u64>(name, "a whole number")? {
        Some(value) if value > MOST_PROPORTION => {
            Err(options.bad_value(name, &value.to_string(), "is too large", &format!("at most {MOST_PROPORTION}")))
        }
        value => Ok(value.unwrap_or(default)),
    };
    let proportions = Proportions {
        person: one("person.proportion", 1)?,
        auction: one("auction.proportion", 3)?,
        bid: one("bid.proportion", 46)?,
    };
    match proportions.total() {
        0 => Err(options.invalid("all the proportions are 0", "set one of them to at least 1")),
        _ => Ok(proportions),
    }
}

fn rate(options: &Options<'_>) -> Result<u64> {
    let first = at_most(options, "first-event.rate", MOST_RATE)?.unwrap_or(10_000);
    let next = options.positive("next-event.rate")?.unwrap_or(first);
    match first == next {
        true => Ok(first),
        false => Err(options.bad_value(
            "next-event.rate",
            &next.to_string(),
            "is not that of `first-event.rate`",
            "the same number: events come at one rate",
        )),
    }
}

fn schedule(options: &Options<'_>, spec: &NexmarkSpec, kind: Option<Kind>) -> Result<Schedule> {
    let events = match options.parsed::<u64>("events.num", "a whole number")? {
        None | Some(0) => None,
        number => number,
    };
    let stop_at = match options.parsed::<i64>("stop-at", "a whole number, or -1")? {
        Some(stop) if stop >= 0 => Some(stop as u64),
        _ => None,
    };
    let (_, width) = spec.proportions.span(kind);
    let rate = Rate { rows: spec.events_per_second * width, seconds: spec.proportions.total() };
    let at_full_speed = options.parsed::<bool>("max-emit-speed", "`true` or `false`")?.unwrap_or(true);
    let last = events.into_iter().chain(stop_at).min();
    Ok(Schedule {
        rate: (!at_full_speed && width > 0).then_some(rate),
        // Of a kind that does not occur the table is empty, whenever the others end.
        number_of_rows: match width {
            0 => Some(0),
            _ => last.map(|events| spec.proportions.among_first(kind, events)),
        },
        keep_alive: options.flag("keep-alive")?,
        splits: splits(options)?,
        start: start(options)?,
    })
}

/// A size such as `200b`, `200 bytes` or `1kb`.
fn size(options: &Options<'_>, name: &str) -> Result<Option<usize>> {
    let Some(text) = options.optional(name) else { return Ok(None) };
    let lower = text.trim().to_ascii_lowercase();
    let digits = lower.find(|character: char| !character.is_ascii_digit()).unwrap_or(lower.len());
    let unit = match lower[digits..].trim() {
        "" | "b" | "byte" | "bytes" => Some(1),
        "k" | "kb" | "kibibytes" => Some(1024),
        _ => None,
    };
    let number = lower[..digits].parse::<u64>().ok();
    match number.zip(unit).and_then(|(number, unit)| number.checked_mul(unit)) {
        Some(size) if size <= MOST_SIZE => Ok(Some(size as usize)),
        _ => Err(options.bad_value(name, text, "is no size", "a number of bytes such as `200b`, at most `512kb`")),
    }
}
