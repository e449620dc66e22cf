//! Hints: `/*+ OPTIONS('key' = 'value') */` behind a table's name, `/*+ STATE_TTL('table' = '1 d') */` behind SELECT, and
//! what is said of all others.

use std::cell::Cell;
use std::collections::BTreeMap;

use sqlparser::tokenizer::{Location, Span};

use crate::error::{Place, Result, SqlError, Warning};
use crate::settings::duration_ms;
use crate::statement::parse_hints;
use crate::tokens::WrittenHint;

/// Hints that tell Flink how to run a query, whose results stay the same.
const TUNING: [&str; 8] = [
    "BROADCAST",
    "SHUFFLE_HASH",
    "SHUFFLE_MERGE",
    "NEST_LOOP",
    "LOOKUP",
    "MULTI_JOIN",
    "SMJ",
    "JSON_AGGREGATE_WRAPPED",
];

/// One hint with its arguments.
#[derive(Clone, Debug)]
pub(crate) struct Hint {
    pub name: String,
    /// None if its arguments are not `'key' = 'value'`.
    pub options: Option<BTreeMap<String, String>>,
}

/// The options that stand behind tables' names, and the lifetimes of state that stand behind SELECT.
#[derive(Debug, Default)]
pub(crate) struct Hints {
    options: Vec<TableOptions>,
    lifetimes: Vec<Lifetimes>,
}

/// How long what comes from a table is kept as state; for each name of a table in FROM, in milliseconds.
#[derive(Clone, Debug)]
pub(crate) struct Lifetimes {
    select: Location,
    pub at: Location,
    pub of_tables: BTreeMap<String, u64>,
    used: Cell<bool>,
}

#[derive(Debug)]
struct TableOptions {
    table: Location,
    at: Location,
    options: BTreeMap<String, String>,
    used: Cell<bool>,
}

impl Hints {
    /// Understands the hints of a text; warns of those that change nothing here.
    pub(crate) fn read(written: &[WrittenHint]) -> Result<(Self, Vec<Warning>)> {
        let (mut hints, mut warnings) = (Self::default(), Vec::new());
        for comment in written {
            let at = comment.at;
            let parsed = parse_hints(&comment.text).map_err(|error| SqlError { place: Place::from(at), ..error })?;
            for hint in parsed {
                match hint.name.to_uppercase().as_str() {
                    "OPTIONS" => hints.options.push(table_options(hint, comment)?),
                    "STATE_TTL" => hints.lifetimes.push(lifetimes(hint, comment)?),
                    name if TUNING.contains(&name) => {
                        let message = format!("the hint {name} has no effect: it tunes Flink's own engine");
                        warnings.push(Warning { place: Place::from(at), message });
                    }
                    name => {
                        let message = format!("the hint {name} is not known and has no effect");
                        warnings.push(Warning { place: Place::from(at), message });
                    }
                }
            }
        }
        Ok((hints, warnings))
    }

    /// The options for the table whose name stands here.
    pub(crate) fn of(&self, span: Span) -> Option<&BTreeMap<String, String>> {
        let found = self.options.iter().find(|hint| hint.table == span.start)?;
        found.used.set(true);
        Some(&found.options)
    }

    /// The lifetimes of state for the SELECT that stands here.
    pub(crate) fn lifetimes(&self, select: Span) -> Option<&Lifetimes> {
        let found = self.lifetimes.iter().find(|hint| hint.select == select.start)?;
        found.used.set(true);
        Some(found)
    }

    /// Refuses options that no table has taken, and lifetimes that no SELECT has.
    pub(crate) fn finish(&self) -> Result<()> {
        if let Some(hint) = self.lifetimes.iter().find(|hint| !hint.used.get()) {
            return Err(misplaced_lifetimes(hint.at));
        }
        match self.options.iter().find(|hint| !hint.used.get()) {
            None => Ok(()),
            Some(hint) => Err(misplaced(hint.at)),
        }
    }
}

fn table_options(hint: Hint, comment: &WrittenHint) -> Result<TableOptions> {
    let (Some(options), Some(table)) = (hint.options, comment.behind) else {
        return Err(misplaced(comment.at));
    };
    Ok(TableOptions { table, at: comment.at, options, used: Cell::new(false) })
}

fn lifetimes(hint: Hint, comment: &WrittenHint) -> Result<Lifetimes> {
    let (Some(options), Some(select)) = (hint.options, comment.behind) else {
        return Err(misplaced_lifetimes(comment.at));
    };
    let place = Span::new(comment.at, comment.at);
    let each = options.into_iter().map(|(table, ttl)| Ok((table, duration_ms(&ttl, place)?)));
    Ok(Lifetimes { select, at: comment.at, of_tables: each.collect::<Result<_>>()?, used: Cell::new(false) })
}

fn misplaced_lifetimes(at: Location) -> SqlError {
    let remedy = "write SELECT /*+ STATE_TTL('table' = '1 d') */ for a join or an aggregation of the table";
    SqlError::at_location(at, "the hint STATE_TTL does not stand behind SELECT", remedy)
}

fn misplaced(at: Location) -> SqlError {
    let remedy = "write table /*+ OPTIONS('key' = 'value') */ where a table is read or written";
    SqlError::at_location(at, "the hint OPTIONS does not stand behind the name of a table", remedy)
}
