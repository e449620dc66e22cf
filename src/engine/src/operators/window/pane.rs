//! Panes and what they are made of. Shared by both halves of the window aggregation.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch, UInt32Array};
use arrow::buffer::ScalarBuffer;
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef, TimeUnit, TimestampMillisecondType};
use arrow::error::ArrowError;
use tidemill_model::status::{Problem, ProblemKind};
use tidemill_plan::{AggregateFunction, Clock, Window, WindowAggregate, WindowOutput, Windows};

use super::time::PaneClock;
use crate::accumulator::{Accumulator, accumulator};
use crate::groups::GroupTable;
use crate::hash::{hash_rows, is_hashable};
use crate::operator::{Result, internal};

/// A window aggregation, checked against its input's columns.
#[derive(Clone)]
pub struct AggregateSpec {
    pub(super) uid: String,
    pub(super) clock: PaneClock,
    time_column: usize,
    keys: Vec<usize>,
    key_fields: Vec<Field>,
    calls: Vec<Call>,
    /// The call whose state counts rows, if the aggregation was made by [`AggregateSpec::counting_rows`].
    rows_call: Option<usize>,
    pub(super) output: Vec<WindowOutput>,
    pub(super) schema: SchemaRef,
}

#[derive(Clone)]
struct Call {
    function: AggregateFunction,
    argument: Option<(usize, DataType)>,
    filter: Option<usize>,
    result: DataType,
}

/// Why a window aggregation cannot be run. It means that planner and engine disagree.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error("column {0} is not among the input's columns")]
    UnknownColumn(usize),
    #[error("the window's time column is a {0}, not a TIMESTAMP of milliseconds")]
    TimeColumn(DataType),
    #[error("rows cannot be keyed by a column of type {0}")]
    Key(DataType),
    #[error("{function:?} of {argument:?} is not supported")]
    Call { function: AggregateFunction, argument: Option<DataType> },
    #[error("windows of this kind are not supported")]
    Windows,
    #[error("DISTINCT is not supported in a window")]
    Distinct,
    #[error("failed to prepare the table of keys")]
    Keys(#[from] ArrowError),
}

impl AggregateSpec {
    pub fn new(
        uid: &str,
        node: &WindowAggregate,
        input: &Schema,
        schema: SchemaRef,
    ) -> std::result::Result<Self, BuildError> {
        let field = |place: usize| input.fields().get(place).ok_or(BuildError::UnknownColumn(place));
        let Windows::Of { window, time_column, clock: Clock::Event } = node.windows else {
            return Err(BuildError::Windows);
        };
        if let Window::Cumulate { .. } | Window::Session { .. } = window {
            return Err(BuildError::Windows);
        }
        match field(time_column)?.data_type() {
            DataType::Timestamp(TimeUnit::Millisecond, _) => {}
            other => return Err(BuildError::TimeColumn(other.clone())),
        }
        let mut key_fields = Vec::with_capacity(node.keys.len());
        for key in &node.keys {
            let key = field(*key)?;
            if !is_hashable(key.data_type()) {
                return Err(BuildError::Key(key.data_type().clone()));
            }
            key_fields.push(Field::new(key.name(), key.data_type().clone(), true));
        }
        let mut calls = Vec::with_capacity(node.aggregates.len());
        for (place, call) in node.aggregates.iter().enumerate() {
            let argument = match call.argument {
                Some(place) => Some((place, field(place)?.data_type().clone())),
                None => None,
            };
            if call.distinct {
                return Err(BuildError::Distinct);
            }
            let place = node.keys.len() + place;
            let result = schema.fields().get(place).ok_or(BuildError::UnknownColumn(place))?.data_type().clone();
            calls.push(Call { function: call.function.clone(), argument, filter: call.filter, result });
        }
        let spec = Self {
            uid: uid.to_string(),
            clock: PaneClock::new(window),
            time_column,
            keys: node.keys.clone(),
            key_fields,
            calls,
            rows_call: None,
            output: node.output.clone(),
            schema,
        };
        spec.new_pane()?;
        Ok(spec)
    }

    /// The same aggregation, with a count of rows among its states: what the local half computes, so that the other
    /// half can tell how many rows a late partial result stands for.
    pub fn counting_rows(mut self) -> Self {
        let counts_rows =
            |call: &Call| call.function == AggregateFunction::Count && call.argument.is_none() && call.filter.is_none();
        self.rows_call = Some(self.calls.iter().position(counts_rows).unwrap_or_else(|| {
            self.calls.push(Call {
                function: AggregateFunction::Count,
                argument: None,
                filter: None,
                result: DataType::Int64,
            });
            self.calls.len() - 1
        }));
        self
    }

    pub(super) fn new_pane(&self) -> std::result::Result<Pane, BuildError> {
        let types: Vec<DataType> = self.key_fields.iter().map(|field| field.data_type().clone()).collect();
        let mut accumulators = Vec::with_capacity(self.calls.len());
        for call in &self.calls {
            let argument = call.argument.as_ref().map(|(_, data_type)| data_type);
            accumulators.push(
                accumulator(&call.function, argument, &call.result)
                    .ok_or_else(|| BuildError::Call { function: call.function.clone(), argument: argument.cloned() })?,
            );
        }
        Ok(Pane { groups: GroupTable::new(&types)?, accumulators })
    }

    /// The columns of keys and states: what partial results and captured state have in common.
    pub(super) fn keyed_fields(&self) -> std::result::Result<Vec<Field>, BuildError> {
        let mut fields = self.key_fields.clone();
        for (number, state) in self.new_pane()?.states().iter().enumerate() {
            fields.push(Field::new(format!("state_{number}"), state.data_type().clone(), true));
        }
        Ok(fields)
    }

    /// Names everything that captured state depends on.
    pub(super) fn layout(&self) -> String {
        let keys: Vec<String> = self.key_fields.iter().map(|field| field.data_type().to_string()).collect();
        let calls: Vec<String> = self
            .calls
            .iter()
            .map(|call| match &call.argument {
                Some((_, argument)) => format!("{:?}({argument})", call.function),
                None => format!("{:?}(*)", call.function),
            })
            .collect();
        format!(
            "window-aggregate/1 window={} keys=[{}] calls=[{}]",
            self.clock.layout(),
            keys.join(","),
            calls.join(",")
        )
    }

    pub(super) fn key_count(&self) -> usize {
        self.keys.len()
    }
}

/// The aggregates of one pane.
pub(super) struct Pane {
    groups: GroupTable,
    accumulators: Vec<Box<dyn Accumulator>>,
}

impl Pane {
    /// The state columns of all accumulators, a row for each group.
    pub fn states(&self) -> Vec<ArrayRef> {
        self.accumulators.iter().flat_map(|accumulator| accumulator.states()).collect()
    }

    pub fn keys(&self) -> std::result::Result<Vec<ArrayRef>, ArrowError> {
        self.groups.columns()
    }

    pub fn hashes(&self) -> &[u64] {
        self.groups.hashes()
    }

    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// The results, a column for each call.
    pub fn results(&self) -> std::result::Result<Vec<ArrayRef>, ArrowError> {
        self.accumulators.iter().map(|accumulator| accumulator.finish()).collect()
    }

    /// Takes in the keys and states of another pane or partial result. Further state columns are left alone.
    pub fn merge(
        &mut self,
        keys: &[ArrayRef],
        hashes: &[u64],
        states: &[ArrayRef],
        groups: &mut Vec<u32>,
    ) -> std::result::Result<(), ArrowError> {
        self.groups.intern(keys, hashes, groups)?;
        let mut next = 0;
        for accumulator in &mut self.accumulators {
            let width = accumulator.width();
            accumulator.merge(groups, self.groups.len(), &states[next..next + width]);
            next += width;
        }
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.groups.bytes() + self.accumulators.iter().map(|accumulator| accumulator.bytes()).sum::<usize>()
    }
}

/// Panes by their start.
pub(super) struct PaneSet {
    pub spec: AggregateSpec,
    pub panes: BTreeMap<i64, Pane>,
    hashes: Vec<u64>,
    groups: Vec<u32>,
}

impl PaneSet {
    pub fn new(spec: AggregateSpec) -> Self {
        Self { spec, panes: BTreeMap::new(), hashes: Vec::new(), groups: Vec::new() }
    }

    /// Takes rows in. Those of panes for which `is_late` says so are dropped; returns how many.
    pub fn update(&mut self, rows: &RecordBatch, is_late: impl Fn(i64) -> bool) -> Result<u64> {
        let times = self.times(rows)?;
        let clock = self.spec.clock;
        let mut late = 0;
        for (pane, places) in by_pane(&times, |time| clock.pane_of(time)) {
            if is_late(pane) {
                late += places.as_ref().map_or(rows.num_rows(), UInt32Array::len) as u64;
                continue;
            }
            self.update_pane(pane, rows, places.as_ref()).map_err(|error| internal(&self.spec.uid, error))?;
        }
        Ok(late)
    }

    /// Takes in partial results that the local half put out (see [`PaneSet::partial`]).
    pub fn merge(&mut self, partial: &RecordBatch, is_late: impl Fn(i64) -> bool) -> Result<u64> {
        self.try_merge(partial, is_late).map_err(|error| internal(&self.spec.uid, error))
    }

    fn try_merge(
        &mut self,
        partial: &RecordBatch,
        is_late: impl Fn(i64) -> bool,
    ) -> std::result::Result<u64, ArrowError> {
        let starts = partial.column(0).as_primitive::<Int64Type>();
        let mut late = 0;
        for (pane, places) in by_pane(starts.values(), |start| start) {
            let columns = chosen(&partial.columns()[1..], places.as_ref())?;
            if is_late(pane) {
                late += columns[0].as_primitive::<Int64Type>().values().iter().sum::<i64>() as u64;
                continue;
            }
            let (keys, states) = columns[1..].split_at(self.spec.key_count());
            self.merge_pane(pane, keys, states)?;
        }
        Ok(late)
    }

    /// Merges keys and states into one pane.
    pub fn merge_pane(
        &mut self,
        pane: i64,
        keys: &[ArrayRef],
        states: &[ArrayRef],
    ) -> std::result::Result<(), ArrowError> {
        let rows = states.first().or(keys.first()).map_or(0, |column| column.len());
        hash_rows(keys, rows, &mut self.hashes);
        let target = pane_mut(&mut self.panes, &self.spec, pane)?;
        target.merge(keys, &self.hashes, states, &mut self.groups)
    }

    /// One pane as a partial result: its start, the rows it stands for, keys, states.
    pub fn partial(&self, start: i64, pane: &Pane) -> std::result::Result<Vec<ArrayRef>, ArrowError> {
        let rows_call = self.spec.rows_call.unwrap_or_default();
        let mut columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(vec![start; pane.len()]))];
        columns.push(pane.accumulators[rows_call].finish()?);
        columns.extend(pane.keys()?);
        columns.extend(pane.states());
        Ok(columns)
    }

    pub fn bytes(&self) -> usize {
        self.panes.values().map(Pane::bytes).sum()
    }

    fn times(&self, rows: &RecordBatch) -> Result<ScalarBuffer<i64>> {
        let column = rows.column(self.spec.time_column);
        if column.null_count() > 0 {
            return Err(Problem {
                kind: ProblemKind::ExpressionFailed,
                object: self.spec.uid.clone(),
                message: "a row has NULL as its event time".to_string(),
                remedy: "leave such rows out with WHERE … IS NOT NULL, or give the column a value".to_string(),
            });
        }
        Ok(column.as_primitive::<TimestampMillisecondType>().values().clone())
    }

    fn update_pane(
        &mut self,
        pane: i64,
        rows: &RecordBatch,
        places: Option<&UInt32Array>,
    ) -> std::result::Result<(), ArrowError> {
        let column = |place: usize| -> std::result::Result<ArrayRef, ArrowError> {
            let column = rows.column(place);
            places.map_or_else(|| Ok(column.clone()), |places| take(column, places, None))
        };
        let keys = self.spec.keys.iter().map(|key| column(*key)).collect::<std::result::Result<Vec<_>, _>>()?;
        hash_rows(&keys, places.map_or(rows.num_rows(), UInt32Array::len), &mut self.hashes);
        let target = pane_mut(&mut self.panes, &self.spec, pane)?;
        target.groups.intern(&keys, &self.hashes, &mut self.groups)?;
        for (call, accumulator) in self.spec.calls.iter().zip(&mut target.accumulators) {
            let argument = call.argument.as_ref().map(|(place, _)| column(*place)).transpose()?;
            let filter = call.filter.map(column).transpose()?;
            let filter = filter.as_ref().map(|filter| filter.as_boolean());
            accumulator.update(&self.groups, target.groups.len(), argument.as_ref(), filter);
        }
        Ok(())
    }
}

fn pane_mut<'a>(
    panes: &'a mut BTreeMap<i64, Pane>,
    spec: &AggregateSpec,
    start: i64,
) -> std::result::Result<&'a mut Pane, ArrowError> {
    use std::collections::btree_map::Entry;
    match panes.entry(start) {
        Entry::Occupied(pane) => Ok(pane.into_mut()),
        Entry::Vacant(place) => {
            let pane = spec.new_pane().map_err(|error| ArrowError::ComputeError(error.to_string()))?;
            Ok(place.insert(pane))
        }
    }
}

/// The panes that rows fall into, each with the places of its rows; all rows where there is only one pane, which is
/// by far the commonest case.
fn by_pane(times: &[i64], pane_of: impl Fn(i64) -> i64) -> Vec<(i64, Option<UInt32Array>)> {
    let (Some(least), Some(greatest)) = (times.iter().min(), times.iter().max()) else { return Vec::new() };
    let first = pane_of(*least);
    if first == pane_of(*greatest) {
        return vec![(first, None)];
    }
    let mut panes: BTreeMap<i64, Vec<u32>> = BTreeMap::new();
    for (row, time) in times.iter().enumerate() {
        panes.entry(pane_of(*time)).or_default().push(row as u32);
    }
    panes.into_iter().map(|(pane, rows)| (pane, Some(UInt32Array::from(rows)))).collect()
}

fn chosen(columns: &[ArrayRef], places: Option<&UInt32Array>) -> std::result::Result<Vec<ArrayRef>, ArrowError> {
    match places {
        None => Ok(columns.to_vec()),
        Some(places) => columns.iter().map(|column| take(column, places, None)).collect(),
    }
}
