//! Random tables and their rows.

use super::choices::Choices;
use super::text::moment;
use crate::case::Input;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Int,
    Big,
    Double,
    /// A DOUBLE that may be NaN or infinite. Nothing is computed with it.
    Odd,
    Decimal,
    Text,
    Bool,
    Time,
    Date,
}

pub const KINDS: [Kind; 9] =
    [Kind::Int, Kind::Text, Kind::Big, Kind::Double, Kind::Decimal, Kind::Bool, Kind::Time, Kind::Date, Kind::Odd];

/// Times are near one of these: now, the epoch, before it.
const BASES_MS: [i64; 4] = [1_767_225_600_000, 0, -30_000, -1_000_000_020_000];
const TEXTS: [&str; 7] = ["a", "b", "ab", "B", "", "é", "a b"];
const DAY_MS: i64 = 86_400_000;

impl Kind {
    pub fn stream_type(self) -> &'static str {
        match self {
            Self::Int => "INT",
            Self::Big => "BIGINT",
            Self::Double | Self::Odd => "DOUBLE",
            Self::Decimal => "DECIMAL(9, 2)",
            Self::Text => "STRING",
            Self::Bool => "BOOLEAN",
            Self::Time => "TIMESTAMP(3)",
            Self::Date => "DATE",
        }
    }

    pub fn batch_type(self) -> &'static str {
        match self {
            Self::Text => "VARCHAR",
            Self::Time => "TIMESTAMP",
            other => other.stream_type(),
        }
    }

    /// A value as a cell has it.
    pub fn cell(self, choices: &mut Choices, base_ms: i64) -> String {
        match self {
            Self::Int | Self::Big => format!("{}", choices.below(9) as i64 - 3),
            Self::Double => format!("{}", (choices.below(17) as i64 - 4) as f64 / 4.0),
            Self::Odd => choices.pick(&["1.5", "0.0", "NaN", "Infinity", "-Infinity"]).to_string(),
            Self::Decimal => format!("{:.2}", (choices.below(17) as i64 - 4) as f64 / 4.0),
            Self::Text => choices.pick(&TEXTS).to_string(),
            Self::Bool => format!("{}", choices.below(2) == 0),
            Self::Time => moment(base_ms + 1000 * choices.below(30) as i64),
            Self::Date => moment(base_ms + DAY_MS * choices.below(3) as i64)[..10].to_string(),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Table {
    pub name: String,
    /// Without the number that all tables begin with and the time that they end with.
    pub columns: Vec<(String, Kind)>,
    /// How far rows may come behind the latest one.
    pub bound_s: usize,
    /// Whether two rows may have the same time.
    pub ties: bool,
}

/// Two tables.
pub fn tables(choices: &mut Choices) -> Vec<Table> {
    let table = |number: usize| {
        let mut columns = vec![("k".to_string(), choices.pick(&[Kind::Int, Kind::Text, Kind::Big]))];
        let extra = 1 + choices.below(4);
        columns.extend((0..extra).map(|place| (format!("v{place}"), choices.pick(&KINDS))));
        Table {
            name: format!("t{number}"),
            columns,
            bound_s: [5, 0, 1, 10][choices.below(4)],
            ties: choices.below(3) == 2,
        }
    };
    (0..2).map(table).collect()
}

impl Table {
    pub fn all_columns(&self) -> Vec<(String, Kind)> {
        let mut all = vec![("id".to_string(), Kind::Big)];
        all.extend(self.columns.iter().cloned());
        all.push(("ts".to_string(), Kind::Time));
        all
    }

    /// The table with random rows.
    pub fn filled(&self, choices: &mut Choices, base_ms: i64, most: usize) -> Input {
        let mut columns: Vec<String> =
            self.all_columns().iter().map(|(name, kind)| format!("{name} {}", kind.stream_type())).collect();
        columns.push(format!("WATERMARK FOR ts AS ts - INTERVAL '{}' SECOND", self.bound_s));
        let mut rows = Vec::new();
        let mut times = Vec::new();
        let (mut latest_ms, bound_ms) = (base_ms, self.bound_s as i64 * 1000);
        // Every row makes as many choices as every other, so that leaving one out leaves the others alone.
        while rows.len() < most && choices.below(most) != 0 {
            let step_ms = choices.pick(&[0, 1000, 2000, 5000, 1, 499, 999, 12_000]);
            let behind = choices.below(6);
            let cells = self.columns.iter().map(|(_, kind)| {
                let is_null = choices.once_in(6);
                let cell = kind.cell(choices, base_ms);
                (!is_null).then_some(cell)
            });
            let cells: Vec<_> = cells.collect();
            latest_ms += step_ms;
            let mut time = latest_ms - [0, 0, 0, bound_ms, bound_ms / 2, bound_ms.min(1)][behind];
            while !self.ties && times.contains(&time) {
                time += 1;
            }
            latest_ms = latest_ms.max(time);
            times.push(time);
            let mut row = vec![Some(format!("{}", rows.len() + 1))];
            row.extend(cells);
            row.push(Some(moment(time)));
            rows.push(row);
        }
        Input { name: self.name.clone(), columns: columns.join(", "), rows, additions: None }
    }
}

/// The time that the rows of a case are near.
pub fn base_ms(choices: &mut Choices) -> i64 {
    choices.pick(&BASES_MS)
}
