//! Hands out the rows of some splits, batch by batch, at the table's rate.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use arrow_schema::SchemaRef;
use serde_json::{Value, json};
use tidemill_engine::connector::{AssignedSplit, Polled, Result, SourceReader, SourceStats};
use tidemill_model::status::{Problem, ProblemKind};

use super::options::{GeneratorOptions, Start};
use super::pace::Pace;
use super::page_views::{Column, PageViewSpec, PageViews, RowRange};

/// Keeps a batch of all columns within a core's cache.
const MOST_ROWS: usize = 8192;

pub struct ReaderTable {
    pub name: String,
    pub options: GeneratorOptions,
    pub schema: SchemaRef,
    pub columns: Vec<Column>,
}

pub struct GeneratorReader {
    table: ReaderTable,
    splits: Vec<SplitState>,
    /// Whose turn it is.
    turn: usize,
    started: Instant,
    records: u64,
}

struct SplitState {
    number: u64,
    next_row: u64,
    /// Rows put out by this reader: the rate counts from its start.
    handed_over: u64,
    start_ms: i64,
    views: PageViews,
}

impl GeneratorReader {
    pub fn new(table: ReaderTable, splits: Vec<AssignedSplit>) -> Result<Self> {
        let splits = splits.iter().map(|split| SplitState::new(&table, split)).collect::<Result<_>>()?;
        Ok(Self { table, splits, turn: 0, started: Instant::now(), records: 0 })
    }

    fn batch(&mut self, split: usize, count: usize) -> Result<Polled> {
        let state = &mut self.splits[split];
        let rows = RowRange { first: state.next_row, step: self.table.options.splits, count };
        let batch = state.views.batch(&self.table.schema, &self.table.columns, rows);
        let rows = batch.map_err(|error| internal(&self.table.name, format!("failed to build a batch: {error}")))?;
        state.next_row += count as u64 * self.table.options.splits;
        state.handed_over += count as u64;
        self.records += count as u64;
        Ok(Polled::Batch { split, rows })
    }
}

impl SourceReader for GeneratorReader {
    fn poll(&mut self, max_rows: usize) -> Result<Polled> {
        let elapsed_ms = self.started.elapsed().as_millis() as u64;
        let (mut all_ended, mut wait_ms) = (self.table.options.number_of_rows.is_some(), u64::MAX);
        for _ in 0..self.splits.len() {
            let split = self.turn;
            self.turn = (self.turn + 1) % self.splits.len();
            let state = &self.splits[split];
            let left = state.rows_left(&self.table.options);
            let due = state.rows_due(&self.table.options, elapsed_ms);
            let count = (max_rows.clamp(1, MOST_ROWS) as u64).min(left).min(due);
            if count > 0 {
                return self.batch(split, count as usize);
            }
            if left > 0 {
                all_ended = false;
                wait_ms = wait_ms.min(state.wait_ms(&self.table.options, elapsed_ms));
            }
        }
        Ok(match (all_ended, wait_ms) {
            (true, _) => Polled::Finished,
            (false, u64::MAX) => Polled::PendingFor { ms: 1000 },
            (false, ms) => Polled::PendingFor { ms },
        })
    }

    fn positions(&self) -> Vec<Value> {
        self.splits.iter().map(|split| json!({ "row": split.next_row, "start": split.start_ms })).collect()
    }

    fn stats(&self) -> SourceStats {
        let (options, elapsed_ms) = (&self.table.options, self.started.elapsed().as_millis() as u64);
        let sum = |rows: fn(&SplitState, &GeneratorOptions, u64) -> u64| {
            self.splits.iter().map(|split| rows(split, options, elapsed_ms)).sum::<u64>()
        };
        let lag_records = match (options.rows_per_second, options.number_of_rows) {
            (Some(_), _) => {
                Some(sum(|split, options, elapsed| split.rows_due(options, elapsed).min(split.rows_left(options))))
            }
            (None, Some(_)) => Some(sum(|split, options, _| split.rows_left(options))),
            (None, None) => None,
        };
        let millis_behind_latest = options
            .rows_per_second
            .zip(lag_records)
            .map(|(rate, lag)| (u128::from(lag) * 1000 / u128::from(rate)) as u64);
        SourceStats { records: self.records, lag_records, millis_behind_latest, ..SourceStats::default() }
    }
}

impl SplitState {
    fn new(table: &ReaderTable, split: &AssignedSplit) -> Result<Self> {
        let (next_row, start_ms) = match &split.position {
            Some(position) => read_position(table, split, position)?,
            None => (split.number, start_ms(table.options.start)),
        };
        let views = PageViews::new(PageViewSpec { start_ms, ..table.options.views.clone() });
        Ok(Self { number: split.number, next_row, handed_over: 0, start_ms, views })
    }

    fn rows_left(&self, options: &GeneratorOptions) -> u64 {
        match options.number_of_rows {
            None => u64::MAX,
            Some(end) => end.saturating_sub(self.next_row).div_ceil(options.splits),
        }
    }

    fn rows_due(&self, options: &GeneratorOptions, elapsed_ms: u64) -> u64 {
        self.pace(options).map_or(u64::MAX, |pace| pace.due(elapsed_ms).saturating_sub(self.handed_over))
    }

    fn wait_ms(&self, options: &GeneratorOptions, elapsed_ms: u64) -> u64 {
        self.pace(options).map_or(1, |pace| pace.wait_ms(self.handed_over, elapsed_ms))
    }

    fn pace(&self, options: &GeneratorOptions) -> Option<Pace> {
        let rows_per_second = options.rows_per_second?;
        Some(Pace { rows_per_second, splits: options.splits, split: self.number })
    }
}

fn start_ms(start: Start) -> i64 {
    match start {
        Start::At(ms) => ms,
        Start::Now => SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64),
    }
}

/// A position that does not belong to this split would make rows appear twice or not at all: it is refused.
fn read_position(table: &ReaderTable, split: &AssignedSplit, position: &Value) -> Result<(u64, i64)> {
    let row = position["row"].as_u64().filter(|row| row % table.options.splits == split.number);
    row.zip(position["start"].as_i64()).ok_or_else(|| Problem {
        kind: ProblemKind::StateUnreadable,
        object: table.name.clone(),
        message: format!("the position {position} does not belong to split {} of {}", split.id, table.options.splits),
        remedy: "set the option `splits` to what it was when the snapshot was taken".into(),
    })
}

fn internal(table: &str, message: String) -> Problem {
    Problem {
        kind: ProblemKind::Internal,
        object: table.into(),
        message,
        remedy: "please report this with the table's options".into(),
    }
}
