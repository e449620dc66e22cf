//! All panes of a window aggregation, and how rows and partial results find theirs. Shared by both halves.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch, UInt32Array};
use arrow::buffer::ScalarBuffer;
use arrow::compute::take;
use arrow::datatypes::{Int64Type, TimestampMillisecondType};
use arrow::error::ArrowError;
use tidemill_model::status::{Problem, ProblemKind};
use tidemill_plan::Clock;

use super::pane::{Pane, Scratch};
use super::spec::{AggregateSpec, Times};
use super::time::Slice;
use crate::operator::Result;

type Attempt<T> = std::result::Result<T, ArrowError>;

/// Columns of a partial result before the keys: the pane's end and start, and the number of rows it stands for.
pub(super) const PARTIAL: usize = 3;

pub(super) struct PaneSet {
    pub spec: AggregateSpec,
    pub panes: BTreeMap<Slice, Pane>,
    pub scratch: Scratch,
}

impl PaneSet {
    pub fn new(spec: AggregateSpec) -> Self {
        Self { spec, panes: BTreeMap::new(), scratch: Scratch::default() }
    }

    /// Takes rows in. Those whose windows are all over at `watermark` are dropped; returns how many.
    pub fn update(&mut self, rows: &RecordBatch, watermark: i64) -> Result<u64> {
        let by_pane = match self.spec.times {
            Times::At(column) => {
                let (times, panes) = (times(&self.spec.uid, rows, column)?, self.spec.panes);
                by_pane(
                    times.len(),
                    times.iter().min().zip(times.iter().max()),
                    |row| times[row],
                    |time| panes.pane_of(time),
                )
            }
            Times::Window { start, end } => {
                let (starts, ends) = (times(&self.spec.uid, rows, start)?, times(&self.spec.uid, rows, end)?);
                by_given_pane(&starts, &ends)
            }
        };
        Ok(self.try_update(rows, by_pane, watermark)?)
    }

    fn try_update(&mut self, rows: &RecordBatch, by_pane: ByPane, watermark: i64) -> Attempt<u64> {
        let mut late = 0;
        for (pane, places) in by_pane {
            let count = places.as_ref().map_or(rows.num_rows(), UInt32Array::len);
            match self.open_pane(pane, watermark) {
                None => late += count as u64,
                Some(pane) => {
                    let columns = self.needed(rows, places.as_ref())?;
                    let target = pane_mut(&mut self.panes, &self.spec, pane)?;
                    target.update(&self.spec.keyed, &columns, count, &mut self.scratch)?;
                }
            }
        }
        Ok(late)
    }

    /// Takes in partial results that the local half put out (see [`PaneSet::partial`]).
    pub fn merge(&mut self, partial: &RecordBatch, watermark: i64) -> Result<u64> {
        Ok(self.try_merge(partial, watermark)?)
    }

    fn try_merge(&mut self, partial: &RecordBatch, watermark: i64) -> Attempt<u64> {
        let integers = |place: usize| partial.column(place).as_primitive::<Int64Type>().values();
        let mut late = 0;
        for (pane, places) in by_given_pane(integers(1), integers(0)) {
            let columns = chosen(&partial.columns()[PARTIAL - 1..], places.as_ref())?;
            match self.open_pane(pane, watermark) {
                None => late += columns[0].as_primitive::<Int64Type>().values().iter().sum::<i64>() as u64,
                Some(pane) => {
                    let (keys, states) = columns[1..].split_at(self.spec.key_count());
                    let target = pane_mut(&mut self.panes, &self.spec, pane)?;
                    target.merge(keys, states, columns[0].len(), &mut self.scratch)?;
                }
            }
        }
        Ok(late)
    }

    /// Takes back captured keys and states of a pane.
    pub fn restore(&mut self, pane: Slice, keys: &[ArrayRef], states: &[ArrayRef], rows: usize) -> Attempt<()> {
        let target = pane_mut(&mut self.panes, &self.spec, pane)?;
        target.restore(keys, states, rows, &mut self.scratch)
    }

    /// One pane as a partial result.
    pub fn partial(&self, slice: Slice, pane: &Pane) -> Attempt<Vec<ArrayRef>> {
        let rows_call = self.spec.rows_call.unwrap_or_default();
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![slice.end; pane.len()])),
            Arc::new(Int64Array::from(vec![slice.start; pane.len()])),
            pane.result(rows_call)?,
        ];
        columns.extend(pane.keys()?);
        columns.extend(pane.states()?);
        Ok(columns)
    }

    pub fn bytes(&self) -> usize {
        self.panes.values().map(Pane::bytes).sum()
    }

    /// The pane that rows are taken into; none if they are late. By the machine's clock no row is: one that was slow
    /// to come counts as of now.
    fn open_pane(&self, pane: Slice, watermark: i64) -> Option<Slice> {
        if !self.spec.panes.is_over(pane, watermark) {
            return Some(pane);
        }
        match (self.spec.clock, self.spec.times) {
            (Clock::Processing, Times::At(_)) => watermark.checked_add(1).map(|now| self.spec.panes.pane_of(now)),
            (Clock::Processing | Clock::Event, _) => None,
        }
    }

    /// The input's columns at these places; those that nothing is computed from are left as they are.
    fn needed(&self, rows: &RecordBatch, places: Option<&UInt32Array>) -> Attempt<Vec<ArrayRef>> {
        let Some(places) = places else { return Ok(rows.columns().to_vec()) };
        let keyed = &self.spec.keyed;
        let is_needed = |place: &usize| {
            keyed.keys.contains(place)
                || keyed.calls.iter().any(|call| {
                    call.filter == Some(*place) || call.argument.as_ref().is_some_and(|(argument, _)| argument == place)
                })
        };
        let column = |(place, column): (usize, &ArrayRef)| match is_needed(&place) {
            true => take(column, places, None),
            false => Ok(column.clone()),
        };
        rows.columns().iter().enumerate().map(column).collect()
    }
}

pub(super) fn pane_mut<'a>(
    panes: &'a mut BTreeMap<Slice, Pane>,
    spec: &AggregateSpec,
    slice: Slice,
) -> Attempt<&'a mut Pane> {
    match panes.entry(slice) {
        Entry::Occupied(pane) => Ok(pane.into_mut()),
        Entry::Vacant(place) => Ok(place.insert(Pane::new(&spec.keyed)?)),
    }
}

/// A column's times. A row without one is a fault of the data.
pub fn times(uid: &str, rows: &RecordBatch, column: usize) -> Result<ScalarBuffer<i64>> {
    let column = rows.column(column);
    if column.null_count() > 0 {
        return Err(Problem {
            kind: ProblemKind::ExpressionFailed,
            object: uid.to_string(),
            message: "a row has NULL as its event time".to_string(),
            remedy: "leave such rows out with WHERE … IS NOT NULL, or give the column a value".to_string(),
        }
        .into());
    }
    Ok(column.as_primitive::<TimestampMillisecondType>().values().clone())
}

/// Panes that rows fall into, each with the places of its rows; all rows where there is only one pane, which is by far
/// the commonest case.
type ByPane = Vec<(Slice, Option<UInt32Array>)>;

fn by_pane<T: Ord + Copy>(
    rows: usize,
    extremes: Option<(&T, &T)>,
    time_of: impl Fn(usize) -> T,
    pane_of: impl Fn(T) -> Slice,
) -> ByPane {
    let Some((least, greatest)) = extremes else { return Vec::new() };
    let first = pane_of(*least);
    if first == pane_of(*greatest) {
        return vec![(first, None)];
    }
    let mut panes: BTreeMap<Slice, Vec<u32>> = BTreeMap::new();
    for row in 0..rows {
        panes.entry(pane_of(time_of(row))).or_default().push(row as u32);
    }
    panes.into_iter().map(|(pane, rows)| (pane, Some(UInt32Array::from(rows)))).collect()
}

fn by_given_pane(starts: &[i64], ends: &[i64]) -> ByPane {
    let slice = |row: usize| Slice { end: ends[row], start: starts[row] };
    let is_first = |row: usize| slice(row) == slice(0);
    let extremes = match starts.len() {
        0 => None,
        rows if (0..rows).all(is_first) => Some((slice(0), slice(0))),
        // Any two that differ will do.
        _ => Some((slice(0), Slice { end: i64::MAX, start: i64::MIN })),
    };
    by_pane(starts.len(), extremes.as_ref().map(|(least, greatest)| (least, greatest)), slice, |slice| slice)
}

fn chosen(columns: &[ArrayRef], places: Option<&UInt32Array>) -> Attempt<Vec<ArrayRef>> {
    match places {
        None => Ok(columns.to_vec()),
        Some(places) => columns.iter().map(|column| take(column, places, None)).collect(),
    }
}
