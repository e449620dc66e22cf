//! Reads a table's options: typed, named in every refusal, and with nothing left over.
//!
//! A connector asks for every option it knows and ends with [`Options::finish`], which refuses what it did not ask for.
//! Must never fall back to a default when a value is there but cannot be read.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use tidemill_engine::connector::{Result, TaskContext};
use tidemill_model::status::{Problem, ProblemKind};
use tidemill_plan::Table;

/// The options of one table while they are being read.
pub struct Options<'a> {
    table: &'a Table,
    known: RefCell<BTreeSet<String>>,
}

impl<'a> Options<'a> {
    pub fn new(table: &'a Table) -> Self {
        Self { table, known: RefCell::default() }
    }

    pub fn table(&self) -> &'a Table {
        self.table
    }

    pub fn optional(&self, name: &str) -> Option<&'a str> {
        self.known.borrow_mut().insert(name.to_string());
        self.table.options.get(name).map(String::as_str)
    }

    pub fn required(&self, name: &str) -> Result<&'a str> {
        self.optional(name).ok_or_else(|| {
            self.invalid(
                format!("the option `{name}` is missing"),
                format!("add '{name}' = '…' to the table's options"),
            )
        })
    }

    /// A value that is read by its `FromStr`, such as a number; `wanted` says in words what it should be.
    pub fn parsed<T>(&self, name: &str, wanted: &str) -> Result<Option<T>>
    where
        T: FromStr,
        T::Err: Display,
    {
        let Some(text) = self.optional(name) else { return Ok(None) };
        match text.trim().parse() {
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(self.bad_value(name, text, &format!("is not {wanted} ({error})"), wanted)),
        }
    }

    /// A whole number that is at least 1.
    pub fn positive(&self, name: &str) -> Result<Option<u64>> {
        match self.parsed::<u64>(name, "a whole number of at least 1")? {
            Some(0) => Err(self.bad_value(name, "0", "is too small", "a whole number of at least 1")),
            other => Ok(other),
        }
    }

    /// A time as Flink writes it: `10 s`, `500ms`, `1 min`.
    pub fn duration(&self, name: &str) -> Result<Option<Duration>> {
        let Some(text) = self.optional(name) else { return Ok(None) };
        match measure(text, DURATIONS) {
            Some(millis) => Ok(Some(Duration::from_millis(millis))),
            None => Err(self.bad_value(name, text, "is not a duration", "one such as `10 s`, `500 ms` or `1 min`")),
        }
    }

    /// A number of bytes as Flink writes it: `128MB`, `64 kb`, `1024`.
    pub fn bytes(&self, name: &str) -> Result<Option<u64>> {
        let Some(text) = self.optional(name) else { return Ok(None) };
        match measure(text, SIZES) {
            Some(bytes) => Ok(Some(bytes)),
            None => Err(self.bad_value(name, text, "is not a size", "one such as `128 mb`, `64 kb` or `1 g`")),
        }
    }

    pub fn flag(&self, name: &str) -> Result<bool> {
        Ok(self.parsed::<bool>(name, "`true` or `false`")?.unwrap_or(false))
    }

    /// One of a few words, each with its meaning. Absent is none.
    pub fn choice<T: Copy>(&self, name: &str, choices: &[(&str, T)]) -> Result<Option<T>> {
        let Some(text) = self.optional(name) else { return Ok(None) };
        match choices.iter().find(|(word, _)| *word == text) {
            Some((_, value)) => Ok(Some(*value)),
            None => {
                let words = choices.iter().map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>().join(", ");
                Err(self.bad_value(name, text, "is not supported", &format!("one of {words}")))
            }
        }
    }

    /// All options that begin with `prefix`, without it.
    pub fn prefixed(&self, prefix: &str) -> Vec<(&'a str, &'a str)> {
        let mut known = self.known.borrow_mut();
        let mut found = Vec::new();
        for (name, value) in &self.table.options {
            if let Some(rest) = name.strip_prefix(prefix) {
                known.insert(name.clone());
                found.push((rest, value.as_str()));
            }
        }
        found
    }

    /// Refuses an option that exists elsewhere but cannot be honoured here, with the reason.
    pub fn refuse(&self, name: &str, reason: &str, remedy: &str) -> Result<()> {
        match self.table.options.contains_key(name) {
            true => Err(self.invalid(format!("the option `{name}` is not supported: {reason}"), remedy.to_string())),
            false => Ok(()),
        }
    }

    /// Refuses every option that nobody asked for.
    pub fn finish(&self) -> Result<()> {
        let known = self.known.borrow();
        match self.table.options.keys().find(|name| !known.contains(*name)) {
            None => Ok(()),
            Some(name) => Err(self.unknown(name, "option", known.iter().map(String::as_str))),
        }
    }

    /// The refusal of a name that is not among the known ones: the nearest is proposed, else all are listed.
    pub fn unknown<'n>(&self, name: &str, what: &str, known: impl Iterator<Item = &'n str>) -> Problem {
        let known: Vec<&str> = known.collect();
        let remedy = match nearest(name, &known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the known ones are {}", list(&known)),
        };
        let connector = &self.table.connector;
        self.invalid(format!("the connector `{connector}` has no {what} `{name}`"), remedy)
    }

    /// What a key of metadata stands for.
    pub fn metadata<T: Copy>(&self, key: &str, known: &[(&str, T)]) -> Result<T> {
        let found = known.iter().find(|(name, _)| *name == key);
        let names = known.iter().map(|(name, _)| *name);
        found.map(|(_, meaning)| *meaning).ok_or_else(|| self.unknown(key, "metadata", names))
    }

    /// Refuses rows that come and go, for tables that take only rows that stay.
    pub fn only_appends(&self, context: &TaskContext) -> Result<()> {
        match context.changelog.is_append() {
            true => Ok(()),
            false => Err(self.invalid(
                "the rows that are written come and go, and the table takes only rows that stay",
                "write to a table that takes changes, or aggregate in windows",
            )),
        }
    }

    pub fn bad_value(&self, name: &str, value: &str, fault: &str, wanted: &str) -> Problem {
        self.invalid(format!("the value `{value}` of the option `{name}` {fault}"), format!("set `{name}` to {wanted}"))
    }

    pub fn invalid(&self, message: impl Into<String>, remedy: impl Into<String>) -> Problem {
        invalid(self.table, message, remedy)
    }
}

/// The refusal of a table.
pub fn invalid(table: &Table, message: impl Into<String>, remedy: impl Into<String>) -> Problem {
    Problem {
        kind: ProblemKind::InvalidOption,
        object: table.name.clone(),
        message: message.into(),
        remedy: remedy.into(),
    }
}

/// The refusal of a connector that has only one direction.
#[cfg(any(feature = "blackhole", feature = "generator", feature = "print", feature = "values"))]
pub(crate) fn wrong_direction(table: &Table, can: &str, cannot: &str) -> Problem {
    let connector = &table.connector;
    invalid(
        table,
        format!("a table of the connector `{connector}` can be {can}, not {cannot}"),
        "use a table of another connector there",
    )
}

/// Words for one unit, and how much it is.
type Units = [(&'static [&'static str], u64)];

const DURATIONS: &Units = &[
    (&["", "ms", "milli", "millis", "millisecond", "milliseconds"], 1),
    (&["s", "sec", "secs", "second", "seconds"], 1_000),
    (&["m", "min", "minute", "minutes"], 60_000),
    (&["h", "hour", "hours"], 3_600_000),
    (&["d", "day", "days"], 86_400_000),
];
const SIZES: &Units = &[
    (&["", "b", "bytes"], 1),
    (&["k", "kb", "kibibytes"], 1 << 10),
    (&["m", "mb", "mebibytes"], 1 << 20),
    (&["g", "gb", "gibibytes"], 1 << 30),
    (&["t", "tb", "tebibytes"], 1 << 40),
];

/// A whole number and a unit.
fn measure(text: &str, units: &Units) -> Option<u64> {
    let text = text.trim();
    let (number, unit) = text.split_at(text.bytes().take_while(u8::is_ascii_digit).count());
    let unit = unit.trim().to_ascii_lowercase();
    let (_, factor) = units.iter().find(|(words, _)| words.contains(&unit.as_str()))?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The known name that is most like `name`, if any is like it at all.
pub fn nearest<'n>(name: &str, known: &[&'n str]) -> Option<&'n str> {
    let limit = (name.len() / 3).max(2);
    known
        .iter()
        .map(|candidate| (distance(name, candidate), *candidate))
        .filter(|(d, _)| *d <= limit)
        .min()
        .map(|(_, n)| n)
}

/// Levenshtein's distance over bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(options: &[(&str, &str)]) -> Table {
        Table {
            name: "views".into(),
            connector: "generator".into(),
            options: options.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
            ..Default::default()
        }
    }

    #[test]
    fn an_option_nobody_asked_for_is_refused_with_the_nearest_known_name() {
        let table = table(&[("number-of-row", "3")]);
        let options = Options::new(&table);
        options.positive("number-of-rows").unwrap();
        options.positive("seed").unwrap();
        let problem = options.finish().unwrap_err();
        assert_eq!(problem.kind, ProblemKind::InvalidOption);
        assert_eq!(problem.object, "views");
        assert_eq!(problem.message, "the connector `generator` has no option `number-of-row`");
        assert_eq!(problem.remedy, "did you mean `number-of-rows`?");
    }

    #[test]
    fn an_option_unlike_any_other_is_refused_with_the_list() {
        let table = table(&[("colour", "red")]);
        let options = Options::new(&table);
        options.optional("seed");
        assert_eq!(options.finish().unwrap_err().remedy, "the known ones are `seed`");
    }

    #[test]
    fn a_missing_option_is_named() {
        let table = table(&[]);
        let problem = Options::new(&table).required("topic").unwrap_err();
        assert_eq!(problem.message, "the option `topic` is missing");
    }

    #[test]
    fn a_value_that_cannot_be_read_is_never_a_default() {
        let table = table(&[("seed", "one"), ("rate", "0"), ("on", "yes"), ("mode", "fast")]);
        let options = Options::new(&table);
        assert!(options.positive("seed").unwrap_err().message.contains("`one` of the option `seed`"));
        assert!(options.positive("rate").is_err());
        assert!(options.flag("on").is_err());
        assert!(options.choice("mode", &[("slow", 1)]).unwrap_err().remedy.contains("`slow`"));
    }

    #[test]
    fn times_and_sizes_are_read_as_flink_writes_them() {
        assert_eq!(measure("10 s", DURATIONS), Some(10_000));
        assert_eq!(measure(" 1min ", DURATIONS), Some(60_000));
        assert_eq!(measure("7", DURATIONS), Some(7));
        assert_eq!(measure("128MB", SIZES), Some(128 << 20));
        assert_eq!(measure("5", SIZES), Some(5));
        for wrong in ["", "s", "ten s", "1.5 s", "1 week", "99999999999999999999 d"] {
            assert_eq!(measure(wrong, DURATIONS), None, "{wrong}");
        }
        let table = table(&[("interval", "soon"), ("size", "1 x")]);
        let options = Options::new(&table);
        assert!(options.duration("interval").unwrap_err().message.contains("`soon` of the option `interval`"));
        assert!(options.bytes("size").is_err());
        assert_eq!(options.duration("other").unwrap(), None);
    }

    #[test]
    fn distance_counts_edits() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }
}
