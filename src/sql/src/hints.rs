//! Hints: `/*+ OPTIONS('key' = 'value') */` behind a table's name, and what is said of all others.

use std::cell::Cell;
use std::collections::BTreeMap;

use sqlparser::tokenizer::{Location, Span};

use crate::error::{Place, Result, SqlError, Warning};
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

/// The options that stand behind tables' names.
#[derive(Debug, Default)]
pub(crate) struct Hints {
    options: Vec<TableOptions>,
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
                    "STATE_TTL" => {
                        let remedy = "SET 'table.exec.state.ttl' for all operators instead";
                        return Err(SqlError::at_location(at, "the hint STATE_TTL is not supported", remedy));
                    }
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

    /// Refuses options that no table has taken.
    pub(crate) fn finish(&self) -> Result<()> {
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

fn misplaced(at: Location) -> SqlError {
    let remedy = "write table /*+ OPTIONS('key' = 'value') */ where a table is read or written";
    SqlError::at_location(at, "the hint OPTIONS does not stand behind the name of a table", remedy)
}
