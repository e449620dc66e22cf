//! Aggregates over rows in the order of time. Rows are put out once and for all, so nothing is ever taken back.
//!
//! Rows wait until their time has come. Then they are evaluated together, after what is kept of the rows before them:
//! the columns that aggregates need, of the rows that later frames may reach. If frames begin with the partition, that is
//! only the aggregates so far, and for some aggregates the rows that they were taken from.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::{interleave, take, take_record_batch};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use tidemill_plan::{Frame, Over, OverOrder};

use super::call::{Call, Rows};
use super::folds::Numbers;
use super::frame::{Line, Scope, Stretch};
use super::history::{History, OwnedLine, Times, Wanted};
use super::put_out;
use crate::element::{Element, Watermark};
use crate::operator::{Output, Result, StreamOperator};
use crate::operators::Spec;
use crate::operators::rank::partitions::{Partitions, retain};
use crate::operators::rank::time::{check_time_column, event_times};
use crate::operators::rank::waiting::Waiting;
use crate::rows::{RowId, RowStore};

/// Partitions are looked through for what no frame reaches any more not more often than this.
const SWEEP_MS: i64 = 1000;

/// When rows are evaluated, and in which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// When the watermark reaches their times, in the order of these.
    EventTime(usize),
    /// At once, in the order in which they come.
    Arrival,
    /// At the end of the epoch, so that rows of the same time are evaluated together.
    EpochEnd(usize),
}

/// A row that waits: its partition and number.
pub(super) type WaitingRow = (u32, RowId);

pub(super) struct TimedOver {
    pub uid: String,
    pub over: Over,
    pub turn: Turn,
    pub calls: Vec<Call>,
    /// Input columns that calls need.
    pub needed: Vec<usize>,
    pub partitions: Partitions,
    pub rows: RowStore,
    pub waiting: Waiting<WaitingRow>,
    /// What calls need of rows that have been evaluated.
    pub history: History,
    pub watermark: i64,
    next_sweep: i64,
    empty: usize,
    late_rows: u64,
    changed: Vec<u32>,
    pub schema: SchemaRef,
    pub state_schema: SchemaRef,
    pub groups: Vec<u32>,
}

impl TimedOver {
    pub fn new(
        over: &Over,
        calls: Vec<Call>,
        needed: Vec<usize>,
        spec: &Spec<'_>,
    ) -> std::result::Result<Self, String> {
        let input = &spec.inputs[0].schema;
        if !spec.inputs[0].changelog.is_append() || !spec.node.changelog.is_append() {
            return Err("aggregates over rows in the order of time neither take nor make changes".to_string());
        }
        if calls.iter().any(|call| call.rows_after() > 0) {
            return Err("rows in the order of time are put out before the rows behind them are known".to_string());
        }
        let turn = turn(over);
        if let Turn::EventTime(column) | Turn::EpochEnd(column) = turn {
            check_time_column(input, column)?;
        }
        let history = Schema::new(needed.iter().map(|column| input.field(*column).clone()).collect::<Vec<_>>());
        Ok(Self {
            uid: spec.node.uid.clone(),
            over: over.clone(),
            turn,
            calls,
            needed,
            partitions: Partitions::new(&over.partition, input, over.state_ttl_ms, spec.owned)?,
            rows: RowStore::new(input.clone()),
            waiting: Waiting::default(),
            history: History::new(Arc::new(history)),
            watermark: i64::MIN,
            next_sweep: i64::MIN,
            empty: 0,
            late_rows: 0,
            changed: Vec::new(),
            schema: spec.node.batch_schema(),
            state_schema: super::state::schema(input),
            groups: Vec::new(),
        })
    }

    /// Takes rows in that have come in time.
    pub fn take_in(&mut self, rows: &RecordBatch, times: &[i64]) -> std::result::Result<(), ArrowError> {
        self.partitions.intern(rows.columns(), rows.num_rows(), &mut self.groups)?;
        self.resize();
        let mut ids = Vec::with_capacity(rows.num_rows());
        self.rows.insert(rows.columns(), rows.num_rows(), &mut ids)?;
        let groups = self.groups.iter().copied();
        self.waiting.extend(times.iter().copied().zip(groups.zip(ids)));
        if self.over.state_ttl_ms.is_some() {
            self.changed.extend_from_slice(&self.groups);
        }
        Ok(())
    }

    pub fn resize(&mut self) {
        self.history.resize(self.partitions.len());
        for call in &mut self.calls {
            call.carried.resize(self.partitions.len(), Numbers::default());
        }
    }

    /// Whether partitions have aggregates of all rows so far.
    pub fn has_carried(&self) -> bool {
        self.is_unbounded() || self.calls.iter().any(Call::is_row_number)
    }

    fn is_unbounded(&self) -> bool {
        matches!(self.over.frame, Frame::Rows { preceding: None } | Frame::Range { preceding_ms: None })
    }

    /// Puts out the rows up to this time, with the aggregates of their frames.
    fn evaluate(&mut self, until: i64, output: &mut Output) -> std::result::Result<(), ArrowError> {
        let due = self.waiting.due(until);
        if due.is_empty() {
            return Ok(());
        }
        let mut order: Vec<usize> = (0..due.len()).collect();
        order.sort_by_key(|place| due[*place].1.0);
        let is_unbounded = self.is_unbounded();
        let line = self.line(&due, &order)?;
        let (results, retained) = self.results(&line)?;
        // The results stand in the order of partitions; rows are put out in that of time.
        let mut places = vec![0; due.len()];
        order.iter().enumerate().for_each(|(evaluated, place)| places[*place] = evaluated as u32);
        let places = UInt32Array::from(places);
        let results: Vec<ArrayRef> =
            results.iter().map(|result| take(result, &places, None)).collect::<std::result::Result<_, _>>()?;
        let ids: Vec<RowId> = due.iter().map(|(_, (_, id))| *id).collect();
        put_out(&self.rows, &ids, &results, None, &self.schema, output)?;
        let wanted = self.wanted(until);
        self.history.renew(&line, |place| is_unbounded && retained[place], &wanted)?;
        ids.iter().for_each(|id| self.rows.remove(*id));
        Ok(())
    }

    /// The partitions' rows, those of the past before those that are due.
    fn line(&self, due: &[(i64, WaitingRow)], order: &[usize]) -> std::result::Result<OwnedLine, ArrowError> {
        let mut line = OwnedLine::default();
        let (mut past, mut now, mut sources) = (Vec::new(), Vec::with_capacity(due.len()), Vec::new());
        for places in order.chunk_by(|one, other| due[*one].1.0 == due[*other].1.0) {
            let group = due[places[0]].1.0;
            let start = line.times.len();
            for (time, id) in self.history.of(group) {
                sources.push((0, past.len()));
                past.push(*id);
                line.push(*time, start);
            }
            let from = line.times.len();
            for place in places {
                sources.push((1, now.len()));
                now.push(due[*place].1.1);
                line.push(due[*place].0, start);
            }
            line.stretches.push(Stretch { group, start, from, end: line.times.len() });
        }
        for (place, column) in self.needed.iter().enumerate() {
            let now = self.rows.column(*column, &now)?;
            line.columns.push(match past.is_empty() {
                true => now,
                false => interleave(&[&self.history.store.column(place, &past)?, &now], &sources)?,
            });
        }
        Ok(line)
    }

    fn results(&mut self, line: &OwnedLine) -> std::result::Result<(Vec<ArrayRef>, Vec<bool>), ArrowError> {
        // By arrival no two rows stand at the same place.
        let frame = match (self.turn, self.over.frame) {
            (Turn::Arrival, Frame::Range { .. }) => Frame::Rows { preceding: None },
            (_, frame) => frame,
        };
        let compared = Line { times: &line.times, is_peer: &line.is_peer };
        let scope = Scope::new(frame, line.stretches.clone(), &compared);
        let is_unbounded = self.is_unbounded();
        let mut retained = vec![false; line.times.len()];
        let rows = Rows {
            scope: &scope,
            columns: &line.columns,
            rows: line.times.len(),
            is_unbounded,
            is_carried: is_unbounded,
        };
        let mut results = Vec::with_capacity(self.calls.len());
        for call in &mut self.calls {
            // What is kept in bounded frames does not tell how many rows there were.
            let is_carried = is_unbounded || call.is_row_number();
            results.push(call.evaluate(&Rows { is_carried, ..rows }, &mut retained)?);
        }
        Ok((results, retained))
    }

    /// What later frames may reach, after rows up to this time have been evaluated.
    fn wanted(&self, until: i64) -> Wanted {
        let rows = self.calls.iter().map(Call::rows_before).max().unwrap_or_default();
        match self.over.frame {
            Frame::Rows { preceding: Some(count) } => {
                Wanted { rows: rows.max(usize::try_from(count).unwrap_or(usize::MAX)), times: Times::None }
            }
            Frame::Range { preceding_ms: Some(preceding_ms) } => {
                let times = match self.turn {
                    Turn::EventTime(_) => Times::From(until.saturating_add(1).saturating_sub(preceding_ms)),
                    Turn::Arrival | Turn::EpochEnd(_) => Times::BeforeLast(preceding_ms),
                };
                Wanted { rows, times }
            }
            Frame::Rows { preceding: None } | Frame::Range { preceding_ms: None } => {
                Wanted { rows, times: Times::None }
            }
        }
    }

    /// Forgets what no frame reaches any more also where no rows come.
    fn sweep(&mut self) {
        let Frame::Range { preceding_ms: Some(preceding_ms) } = self.over.frame else { return };
        let is_bounded = self.calls.iter().all(|call| call.rows_before() == 0);
        if self.watermark < self.next_sweep || !is_bounded {
            return;
        }
        self.next_sweep = self.watermark.saturating_add(preceding_ms.max(SWEEP_MS));
        let empty = self.history.forget_before(self.watermark.saturating_sub(preceding_ms));
        self.empty = if self.has_carried() { 0 } else { empty };
    }

    fn forget(&mut self, now_ms: i64) -> std::result::Result<(), ArrowError> {
        for group in self.changed.drain(..) {
            self.partitions.set_changed_ms(group, now_ms);
        }
        let history = &self.history;
        let keep =
            self.partitions.find_kept(now_ms, self.empty, |group| self.empty > 0 && history.of(group).is_empty());
        let Some(keep) = keep else { return Ok(()) };
        let mut keep: Vec<bool> = keep.values().iter().collect();
        self.waiting.iter().for_each(|(_, (group, _))| keep[*group as usize] = true);
        let mut new_groups = Vec::with_capacity(keep.len());
        let mut next = 0;
        for is_kept in &keep {
            new_groups.push(next);
            next += u32::from(*is_kept);
        }
        self.waiting.for_each(|(group, _)| *group = new_groups[*group as usize]);
        let keep = keep.into();
        self.history.retain(&keep);
        self.calls.iter_mut().for_each(|call| retain(&mut call.carried, &keep));
        self.empty = 0;
        self.partitions.retain(&keep)
    }

    fn on_rows(&mut self, rows: &RecordBatch, output: &mut Output) -> Result<()> {
        match self.turn {
            Turn::EventTime(column) => {
                let times = event_times(rows.column(column), &self.uid)?;
                let in_time: Vec<u32> =
                    (0..times.len() as u32).filter(|row| times[*row as usize] > self.watermark).collect();
                if in_time.len() == times.len() {
                    return Ok(self.take_in(rows, &times)?);
                }
                self.late_rows += (times.len() - in_time.len()) as u64;
                let times: Vec<i64> = in_time.iter().map(|row| times[*row as usize]).collect();
                let rows = take_record_batch(rows, &UInt32Array::from(in_time))?;
                Ok(self.take_in(&rows, &times)?)
            }
            Turn::Arrival => {
                let times = vec![0; rows.num_rows()];
                let evaluated = self.take_in(rows, &times).and_then(|()| self.evaluate(0, output));
                Ok(evaluated?)
            }
            Turn::EpochEnd(column) => {
                let times = event_times(rows.column(column), &self.uid)?;
                // A clock that was set back does not bring rows out of order.
                let never_back = |latest: &mut i64, time: &i64| {
                    *latest = (*latest).max(*time);
                    Some(*latest)
                };
                let times: Vec<i64> = times.iter().scan(self.watermark, never_back).collect();
                self.watermark = times.last().copied().unwrap_or(self.watermark);
                Ok(self.take_in(rows, &times)?)
            }
        }
    }
}

fn turn(over: &Over) -> Turn {
    match (&over.order, over.frame) {
        (OverOrder::EventTime(column), _) => Turn::EventTime(*column),
        (OverOrder::ProcessingTime(column), Frame::Range { preceding_ms: Some(_) }) => Turn::EpochEnd(*column),
        (OverOrder::ProcessingTime(_) | OverOrder::Columns(_), _) => Turn::Arrival,
    }
}

impl StreamOperator for TimedOver {
    fn on_batch(&mut self, _input: usize, rows: RecordBatch, output: &mut Output) -> Result<()> {
        self.on_rows(&rows, output)
    }

    fn on_watermark(&mut self, watermark: Watermark, output: &mut Output) -> Result<()> {
        match (watermark, self.turn) {
            (Watermark::At(time), Turn::EventTime(_)) if time > self.watermark => {
                self.watermark = time;
                self.evaluate(time, output)?;
                self.sweep();
            }
            (Watermark::At(_) | Watermark::Idle, _) => {}
        }
        output.push(Element::Watermark(watermark));
        Ok(())
    }

    fn on_epoch_end(&mut self, now_ms: i64, output: &mut Output) -> Result<()> {
        if let Turn::EpochEnd(_) = self.turn {
            self.evaluate(i64::MAX, output)?;
            self.sweep();
        }
        Ok(self.forget(now_ms)?)
    }

    fn holds_rows(&self) -> bool {
        matches!(self.turn, Turn::EpochEnd(_)) && self.waiting.iter().next().is_some()
    }

    fn capture(&mut self) -> Result<Vec<RecordBatch>> {
        Ok(super::state::captured(self)?)
    }

    fn restore(&mut self, rows: &RecordBatch) -> Result<()> {
        Ok(super::state::restored(self, rows)?)
    }

    fn watermark(&self) -> Option<i64> {
        Some(self.watermark)
    }

    fn restore_watermark(&mut self, watermark: i64) {
        self.watermark = self.watermark.max(watermark);
    }

    fn state_layout(&self) -> Option<String> {
        Some(super::state::layout(&self.over, &self.state_schema))
    }

    fn late_rows(&self) -> u64 {
        self.late_rows
    }

    fn state_bytes(&self) -> u64 {
        let carried: usize = self.calls.iter().map(|call| call.carried.capacity() * size_of::<Numbers>()).sum();
        let rows = self.rows.bytes() + self.history.bytes() + self.waiting.bytes();
        (self.partitions.bytes() + rows + carried) as u64
    }
}
