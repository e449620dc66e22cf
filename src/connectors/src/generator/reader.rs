//! Hands out the rows of some splits, batch by batch, at the table's rate.

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use arrow_schema::SchemaRef;
use serde_json::{Value, json};
use tidemill_engine::connector::{AssignedSplit, Polled, Result, SourceReader, SourceStats};
use tidemill_model::status::{Problem, ProblemKind};

use super::pace::Pace;
use super::rows::{RowKind, RowRange, Rows};
use super::schedule::{Schedule, Start};

/// Keeps a batch of all columns within a core's cache.
const MOST_ROWS: usize = 8192;

/// A table as its readers need it.
#[derive(Clone)]
pub struct ReaderTable {
    pub name: String,
    pub schedule: Schedule,
    pub schema: SchemaRef,
    pub kind: Arc<dyn RowKind>,
}

pub struct GeneratorReader {
    table: ReaderTable,
    splits: Vec<SplitState>,
    /// Whose turn it is.
    turn: usize,
    /// By split; empty if none is held.
    held: Vec<bool>,
    started: Instant,
    records: u64,
}

struct SplitState {
    number: u64,
    next_row: u64,
    /// Rows put out by this reader: the rate counts from its start.
    handed_over: u64,
    start_ms: i64,
    rows: Box<dyn Rows>,
}

impl GeneratorReader {
    pub fn new(table: ReaderTable, splits: Vec<AssignedSplit>) -> Result<Self> {
        let splits = splits.iter().map(|split| SplitState::new(&table, split)).collect::<Result<_>>()?;
        Ok(Self { table, splits, turn: 0, held: Vec::new(), started: Instant::now(), records: 0 })
    }

    fn batch(&mut self, split: usize, count: usize) -> Result<Polled> {
        let state = &mut self.splits[split];
        let rows = RowRange { first: state.next_row, step: self.table.schedule.splits, count };
        let batch = state.rows.batch(&self.table.schema, rows);
        let rows = batch.map_err(|error| internal(&self.table.name, format!("failed to build a batch: {error}")))?;
        state.next_row += count as u64 * self.table.schedule.splits;
        state.handed_over += count as u64;
        self.records += count as u64;
        Ok(Polled::Batch { split, rows })
    }
}

impl SourceReader for GeneratorReader {
    fn poll(&mut self, max_rows: usize) -> Result<Polled> {
        let elapsed_ms = self.started.elapsed().as_millis() as u64;
        let (mut all_ended, mut wait_ms) = (self.table.schedule.bounded(), u64::MAX);
        for _ in 0..self.splits.len() {
            let split = self.turn;
            self.turn = (self.turn + 1) % self.splits.len();
            let state = &self.splits[split];
            let left = state.rows_left(&self.table.schedule);
            let due = state.rows_due(&self.table.schedule, elapsed_ms);
            let count = (max_rows.clamp(1, MOST_ROWS) as u64).min(left).min(due);
            let is_held = self.held.get(split) == Some(&true);
            if count > 0 && !is_held {
                return self.batch(split, count as usize);
            }
            if left > 0 {
                all_ended = false;
                wait_ms = wait_ms.min(state.wait_ms(&self.table.schedule, elapsed_ms));
            }
        }
        Ok(match (all_ended, wait_ms) {
            (true, _) => Polled::Finished,
            (false, u64::MAX) => Polled::PendingFor { ms: 1000 },
            (false, ms) => Polled::PendingFor { ms },
        })
    }

    fn hold(&mut self, held: &[bool]) {
        self.held = held.to_vec();
    }

    fn positions(&self) -> Vec<Value> {
        self.splits.iter().map(|split| json!({ "row": split.next_row, "start": split.start_ms })).collect()
    }

    fn stats(&self) -> SourceStats {
        let (schedule, elapsed_ms) = (&self.table.schedule, self.started.elapsed().as_millis() as u64);
        let sum = |rows: fn(&SplitState, &Schedule, u64) -> u64| {
            self.splits.iter().map(|split| rows(split, schedule, elapsed_ms)).sum::<u64>()
        };
        let lag_records = match (schedule.rate, schedule.number_of_rows) {
            (Some(_), _) => {
                Some(sum(|split, schedule, elapsed| split.rows_due(schedule, elapsed).min(split.rows_left(schedule))))
            }
            (None, Some(_)) => Some(sum(|split, schedule, _| split.rows_left(schedule))),
            (None, None) => None,
        };
        let millis_behind_latest = schedule.rate.zip(lag_records).map(|(rate, lag)| rate.ms_for(lag.into()));
        SourceStats { records: self.records, lag_records, millis_behind_latest, ..SourceStats::default() }
    }
}

impl SplitState {
    fn new(table: &ReaderTable, split: &AssignedSplit) -> Result<Self> {
        let (next_row, start_ms) = match &split.position {
            Some(position) => read_position(table, split, position)?,
            None => (split.number, start_ms(table.schedule.start)),
        };
        let rows = table.kind.starting(start_ms);
        Ok(Self { number: split.number, next_row, handed_over: 0, start_ms, rows })
    }

    fn rows_left(&self, schedule: &Schedule) -> u64 {
        match schedule.number_of_rows {
            None => u64::MAX,
            Some(end) => end.saturating_sub(self.next_row).div_ceil(schedule.splits),
        }
    }

    fn rows_due(&self, schedule: &Schedule, elapsed_ms: u64) -> u64 {
        self.pace(schedule).map_or(u64::MAX, |pace| pace.due(elapsed_ms).saturating_sub(self.handed_over))
    }

    fn wait_ms(&self, schedule: &Schedule, elapsed_ms: u64) -> u64 {
        self.pace(schedule).map_or(1, |pace| pace.wait_ms(self.handed_over, elapsed_ms))
    }

    fn pace(&self, schedule: &Schedule) -> Option<Pace> {
        Some(Pace { rate: schedule.rate?, splits: schedule.splits, split: self.number })
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
    let row = position["row"].as_u64().filter(|row| row % table.schedule.splits == split.number);
    row.zip(position["start"].as_i64()).ok_or_else(|| Problem {
        kind: ProblemKind::StateUnreadable,
        object: table.name.clone(),
        message: format!("the position {position} does not belong to split {} of {}", split.id, table.schedule.splits),
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
