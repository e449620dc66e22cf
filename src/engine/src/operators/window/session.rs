//! Aggregation in sessions: windows that the rows themselves make, known only when they are over.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{Int64Type, Schema, SchemaRef, UInt32Type};
use arrow::error::ArrowError;
use tidemill_model::key_groups::{KeyGroupRange, key_group};
use tidemill_plan::{Clock, WindowAggregate, WindowOutput};

use super::aggregate::{passed, reached, window_columns};
use super::panes::times;
use super::sessions::{Found, Sessions};
use super::spec::{BuildError, check_time};
use super::state;
use super::time::Slice;
use crate::accumulator::{Aggregates, Input, KeyedSpec, Which};
use crate::change::batch;
use crate::element::{Element, Watermark};
use crate::groups::GroupTable;
use crate::hash::hash_rows;
use crate::operator::{Output, Result, StreamOperator};
use crate::operators::{Spec, put_out};

type Attempt<T> = std::result::Result<T, ArrowError>;

/// Sessions that are over and whose place is not worth taking back.
const FEW: usize = 1024;

/// Columns of captured sessions before the keys.
const LEADING: usize = 3;

pub struct SessionAggregate {
    uid: String,
    keyed: KeyedSpec,
    gap_ms: i64,
    time_column: usize,
    clock: Clock,
    output: Vec<WindowOutput>,
    schema: SchemaRef,
    state_schema: SchemaRef,
    owned: KeyGroupRange,
    keys: GroupTable,
    sessions: Sessions,
    aggregates: Aggregates,
    watermark: i64,
    late_rows: u64,
    hashes: Vec<u64>,
    key_of: Vec<u32>,
}

impl SessionAggregate {
    pub fn new(
        spec: &Spec<'_>,
        node: &WindowAggregate,
        (gap_ms, time_column, clock): (i64, usize, Clock),
    ) -> std::result::Result<Self, BuildError> {
        let input: &Schema =
            spec.inputs.first().map(|input| &*input.schema).ok_or(BuildError::TimeColumn(time_column))?;
        check_time(input, time_column)?;
        let keyed = KeyedSpec::new(&node.keys, &node.aggregates, input, &spec.node.schema, Input::Append)?;
        Ok(Self {
            uid: spec.node.uid.clone(),
            gap_ms,
            time_column,
            clock,
            output: node.output.clone(),
            schema: spec.node.schema.clone(),
            state_schema: state::schema(&keyed, Vec::new())?,
            owned: spec.owned,
            keys: keyed.groups().map_err(crate::accumulator::BuildError::from)?,
            sessions: Sessions::default(),
            aggregates: keyed.aggregates().map_err(crate::accumulator::BuildError::from)?,
            watermark: i64::MIN,
            late_rows: 0,
            hashes: Vec::new(),
            key_of: Vec::new(),
            keyed,
        })
    }

    /// Takes rows in that all belong to some session, or a single row.
    fn take_in(&mut self, rows: &RecordBatch, times: &[i64]) -> Attempt<()> {
        let keys: Vec<ArrayRef> = self.keyed.keys.iter().map(|key| rows.column(*key).clone()).collect();
        hash_rows(&keys, rows.num_rows(), &mut self.hashes);
        self.keys.intern(&keys, &self.hashes, &mut self.key_of)?;
        let (mut groups, mut merged) = (vec![0; rows.num_rows()], Vec::new());
        for (time, run) in runs(&self.key_of, times, self.gap_ms) {
            let key = self.key_of[run[0] as usize];
            if time.end - 1 <= self.watermark && !self.sessions.touches(key, time) {
                debug_assert_eq!(rows.num_rows(), 1, "rows that may be late come one by one");
                self.late_rows += 1;
                return Ok(());
            }
            let slot = self.sessions.place(key, time, &mut merged);
            run.iter().for_each(|row| groups[*row as usize] = slot);
        }
        self.merge(&merged)?;
        self.aggregates.update(&groups, self.sessions.slots(), rows.columns(), None)
    }

    /// Moves what the sessions of some slots have to those that they have become part of.
    fn merge(&mut self, merged: &[(u32, u32)]) -> Attempt<()> {
        if merged.is_empty() {
            return Ok(());
        }
        let (from, to): (Vec<u32>, Vec<u32>) = merged.iter().copied().unzip();
        self.aggregates.grow(self.sessions.slots());
        let states = self.aggregates.states(Which::These(&from))?;
        self.aggregates.merge(&to, self.sessions.slots(), &states)
    }

    fn advance(&mut self, time: i64, output: &mut Output) -> Result<()> {
        if time <= self.watermark {
            return Ok(());
        }
        self.watermark = time;
        Ok(self.close(output).and_then(|()| self.tidy())?)
    }

    fn close(&mut self, output: &mut Output) -> Attempt<()> {
        let closed = self.sessions.close(self.watermark);
        if closed.is_empty() {
            return Ok(());
        }
        let (keys, slots) = keys_and_slots(&closed);
        let mut columns = self.keys.gather(&keys)?;
        columns.extend(self.aggregates.finish(Which::These(&slots))?);
        let windows: Vec<Slice> = closed.iter().map(|found| found.time).collect();
        columns.extend(window_columns(&windows, &self.output, &self.schema, columns.len())?);
        put_out(&batch(&self.schema, columns, None)?, output);
        Ok(())
    }

    /// Forgets sessions that are over, and keys without others, when they are more than the open ones.
    fn tidy(&mut self) -> Attempt<()> {
        if self.sessions.dead() * 2 <= self.sessions.slots().max(FEW) {
            return Ok(());
        }
        let mut has_session = vec![false; self.keys.len()];
        self.sessions.open().for_each(|found| has_session[found.key as usize] = true);
        let (new_key, new_slot) = (numbers(&has_session), numbers(self.sessions.open_slots()));
        self.aggregates.grow(self.sessions.slots());
        self.aggregates.retain(&BooleanArray::from(self.sessions.open_slots().to_vec()))?;
        self.keys.retain(&BooleanArray::from(has_session))?;
        self.sessions.renumber(|key| new_key[key as usize], |slot| new_slot[slot as usize]);
        Ok(())
    }

    fn captured(&self) -> Attempt<RecordBatch> {
        let open: Vec<Found> = self.sessions.open().collect();
        let (keys, slots) = keys_and_slots(&open);
        let hashes = self.keys.hashes();
        let integers =
            |value: fn(&Found) -> i64| Arc::new(Int64Array::from_iter_values(open.iter().map(value))) as ArrayRef;
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(UInt32Array::from_iter_values(keys.iter().map(|key| key_group(hashes[*key as usize])))),
            integers(|found| found.time.end),
            integers(|found| found.time.start),
        ];
        columns.extend(self.keys.gather(&keys)?);
        columns.extend(self.aggregates.states(Which::These(&slots))?);
        RecordBatch::try_new(self.state_schema.clone(), columns)
    }

    fn restored(&mut self, rows: &RecordBatch) -> Attempt<()> {
        let key_groups = rows.column(0).as_primitive::<UInt32Type>().values();
        let owned: Vec<u32> =
            (0..rows.num_rows() as u32).filter(|row| self.owned.contains(key_groups[*row as usize])).collect();
        let owned = UInt32Array::from(owned);
        let columns: Vec<ArrayRef> =
            rows.columns().iter().map(|column| take(column, &owned, None)).collect::<Attempt<_>>()?;
        let (keys, states) = columns[LEADING..].split_at(self.keyed.keys.len());
        hash_rows(keys, owned.len(), &mut self.hashes);
        self.keys.intern(keys, &self.hashes, &mut self.key_of)?;
        let integers = |place: usize| columns[place].as_primitive::<Int64Type>().values();
        let (ends, starts) = (integers(1), integers(2));
        let mut slots = Vec::with_capacity(owned.len());
        for (row, key) in self.key_of.iter().enumerate() {
            let time = Slice { end: ends[row], start: starts[row] };
            slots.push(self.sessions.place(*key, time, &mut Vec::new()));
        }
        self.aggregates.restore(&slots, self.sessions.slots(), states)
    }
}

/// Stretches of time that rows of a key fill without a gap, with the rows. As in Flink, rows that are just the gap apart
/// belong together.
fn runs(key_of: &[u32], times: &[i64], gap_ms: i64) -> Vec<(Slice, Vec<u32>)> {
    let mut rows: Vec<u32> = (0..times.len() as u32).collect();
    rows.sort_unstable_by_key(|row| (key_of[*row as usize], times[*row as usize]));
    let mut runs: Vec<(Slice, Vec<u32>)> = Vec::new();
    for row in rows {
        let (key, time) = (key_of[row as usize], times[row as usize]);
        match runs.last_mut() {
            Some((slice, run)) if key_of[run[0] as usize] == key && time <= slice.end => {
                slice.end = time.saturating_add(gap_ms);
                run.push(row);
            }
            Some(_) | None => runs.push((Slice { end: time.saturating_add(gap_ms), start: time }, vec![row])),
        }
    }
    runs
}

fn keys_and_slots(found: &[Found]) -> (Vec<u32>, Vec<u32>) {
    found.iter().map(|found| (found.key, found.slot)).unzip()
}

/// The new number of each that is kept.
fn numbers(keep: &[bool]) -> Vec<u32> {
    let mut next = 0;
    keep.iter()
        .map(|keep| {
            next += u32::from(*keep);
            next.saturating_sub(1)
        })
        .collect()
}

impl StreamOperator for SessionAggregate {
    fn on_batch(&mut self, _input: usize, rows: RecordBatch, _output: &mut Output) -> Result<()> {
        let times = times(&self.uid, &rows, self.time_column)?;
        let first = self.watermark.saturating_add(1);
        let taken = match self.clock {
            // By the machine's clock no row is late: one that was slow to come counts as of now.
            Clock::Processing => {
                let times: Vec<i64> = times.iter().map(|time| (*time).max(first)).collect();
                self.take_in(&rows, &times)
            }
            Clock::Event if times.iter().all(|time| time.saturating_add(self.gap_ms) > first) => {
                self.take_in(&rows, &times)
            }
            // Whether a row is late may depend on those before it.
            Clock::Event => {
                (0..rows.num_rows()).try_for_each(|row| self.take_in(&rows.slice(row, 1), &times[row..=row]))
            }
        };
        Ok(taken?)
    }

    fn on_watermark(&mut self, watermark: Watermark, output: &mut Output) -> Result<()> {
        if let Some(time) = reached(watermark, self.clock) {
            self.advance(time, output)?;
        }
        output.push(Element::Watermark(watermark));
        Ok(())
    }

    fn on_epoch_end(&mut self, now_ms: i64, output: &mut Output) -> Result<()> {
        match self.clock {
            Clock::Event => Ok(()),
            Clock::Processing => self.advance(passed(now_ms), output),
        }
    }

    fn waits_for_time(&self) -> bool {
        self.clock == Clock::Processing
    }

    fn capture(&mut self) -> Result<Vec<RecordBatch>> {
        Ok(vec![self.captured()?])
    }

    fn restore(&mut self, rows: &RecordBatch) -> Result<()> {
        Ok(self.restored(rows)?)
    }

    fn watermark(&self) -> Option<i64> {
        Some(self.watermark)
    }

    fn restore_watermark(&mut self, watermark: i64) {
        self.watermark = watermark;
    }

    fn state_layout(&self) -> Option<String> {
        Some(format!("session-aggregate/2 gap={} {}", self.gap_ms, self.keyed.layout()))
    }

    fn late_rows(&self) -> u64 {
        self.late_rows
    }

    fn state_bytes(&self) -> u64 {
        (self.keys.bytes() + self.aggregates.bytes() + self.sessions.slots() * 64) as u64
    }
}
