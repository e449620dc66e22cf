//! The half of a window aggregation that owns the keys' state and puts windows out.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef, UInt32Type};
use arrow::error::ArrowError;
use tidemill_model::key_groups::{KeyGroupRange, key_group};
use tidemill_plan::WindowOutput;

use super::pane::{AggregateSpec, BuildError, Pane, PaneSet};
use crate::element::{Element, Watermark};
use crate::operator::{CapturedState, Output, Result, StreamOperator, internal};
use crate::state::KEY_GROUP;

/// What the operator is fed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intake {
    /// The plan node's input.
    Rows,
    /// Partial results of [`super::LocalWindowAggregate`]s.
    Partials,
}

/// Rows of a result that are put out as one batch.
const OUTPUT_ROWS: usize = 8192;

pub struct WindowAggregateOperator {
    panes: PaneSet,
    intake: Intake,
    /// The key groups that this thread owns.
    owned: KeyGroupRange,
    /// All windows whose last millisecond is this or earlier have been put out.
    watermark: i64,
    late_rows: u64,
    state_schema: SchemaRef,
}

impl WindowAggregateOperator {
    pub fn new(spec: AggregateSpec, intake: Intake, owned: KeyGroupRange) -> std::result::Result<Self, BuildError> {
        let mut fields = vec![
            Field::new(KEY_GROUP, DataType::UInt32, false),
            Field::new("pane", DataType::Int64, false),
            Field::new("watermark", DataType::Int64, false),
        ];
        fields.extend(spec.keyed_fields()?);
        let state_schema = Arc::new(Schema::new(fields));
        Ok(Self { panes: PaneSet::new(spec), intake, owned, watermark: i64::MIN, late_rows: 0, state_schema })
    }

    /// Puts out every window that ends after the last watermark and not after the new one.
    fn close_windows(&mut self, watermark: i64, output: &mut Output) -> std::result::Result<(), ArrowError> {
        let clock = self.panes.spec.clock;
        let is_due = |end: &i64| end - 1 > self.watermark && end - 1 <= watermark;
        let due: BTreeSet<i64> =
            self.panes.panes.keys().flat_map(|pane| clock.window_ends(*pane)).filter(is_due).collect();
        for end in due {
            if clock.is_tumbling() {
                if let Some(pane) = self.panes.panes.remove(&clock.window_start(end)) {
                    self.put_out(&pane, end, output)?;
                }
            } else {
                let merged = self.merged(clock.window_start(end), end)?;
                self.put_out(&merged, end, output)?;
            }
            self.panes.panes.retain(|pane, _| !clock.is_over(*pane, end - 1));
        }
        self.watermark = watermark;
        Ok(())
    }

    fn merged(&self, start: i64, end: i64) -> std::result::Result<Pane, ArrowError> {
        let spec = &self.panes.spec;
        let mut merged = spec.new_pane().map_err(|error| ArrowError::ComputeError(error.to_string()))?;
        let mut groups = Vec::new();
        for pane in self.panes.panes.range(start..end).map(|(_, pane)| pane) {
            merged.merge(&pane.keys()?, pane.hashes(), &pane.states(), &mut groups)?;
        }
        Ok(merged)
    }

    fn put_out(&self, window: &Pane, end: i64, output: &mut Output) -> std::result::Result<(), ArrowError> {
        let spec = &self.panes.spec;
        let mut columns = window.keys()?;
        columns.extend(window.results()?);
        for what in &spec.output {
            let time = match what {
                WindowOutput::Start => spec.clock.window_start(end),
                WindowOutput::End => end,
                WindowOutput::Time => end - 1,
            };
            let column: ArrayRef = Arc::new(Int64Array::from(vec![time; window.len()]));
            columns.push(cast(&column, spec.schema.field(columns.len()).data_type())?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(window.len()));
        let rows = RecordBatch::try_new_with_options(spec.schema.clone(), columns, &options)?;
        for start in (0..rows.num_rows()).step_by(OUTPUT_ROWS) {
            output.push(Element::Batch(rows.slice(start, OUTPUT_ROWS.min(rows.num_rows() - start))));
        }
        Ok(())
    }

    fn captured(&self) -> std::result::Result<Vec<RecordBatch>, ArrowError> {
        let mut captured = Vec::with_capacity(self.panes.panes.len());
        for (start, pane) in &self.panes.panes {
            let groups = pane.hashes().iter().map(|hash| key_group(*hash));
            let mut columns: Vec<ArrayRef> = vec![
                Arc::new(UInt32Array::from_iter_values(groups)),
                Arc::new(Int64Array::from(vec![*start; pane.len()])),
                Arc::new(Int64Array::from(vec![self.watermark; pane.len()])),
            ];
            columns.extend(pane.keys()?);
            columns.extend(pane.states());
            captured.push(RecordBatch::try_new(self.state_schema.clone(), columns)?);
        }
        Ok(captured)
    }

    fn restored(&mut self, rows: &RecordBatch) -> std::result::Result<(), ArrowError> {
        let groups = rows.column(0).as_primitive::<UInt32Type>();
        let (panes, watermarks) =
            (rows.column(1).as_primitive::<Int64Type>(), rows.column(2).as_primitive::<Int64Type>());
        let mut owned: std::collections::BTreeMap<i64, Vec<u32>> = Default::default();
        for row in (0..rows.num_rows()).filter(|row| self.owned.contains(groups.value(*row))) {
            self.watermark = self.watermark.max(watermarks.value(row));
            owned.entry(panes.value(row)).or_default().push(row as u32);
        }
        for (pane, places) in owned {
            let places = UInt32Array::from(places);
            let columns: Vec<ArrayRef> = rows.columns()[3..]
                .iter()
                .map(|column| take(column, &places, None))
                .collect::<std::result::Result<_, _>>()?;
            let (keys, states) = columns.split_at(self.panes.spec.key_count());
            self.panes.merge_pane(pane, keys, states)?;
        }
        Ok(())
    }
}

impl StreamOperator for WindowAggregateOperator {
    fn on_batch(&mut self, _input: usize, rows: RecordBatch, _output: &mut Output) -> Result<()> {
        let (clock, watermark) = (self.panes.spec.clock, self.watermark);
        let is_late = |pane| clock.is_over(pane, watermark);
        self.late_rows += match self.intake {
            Intake::Rows => self.panes.update(&rows, is_late)?,
            Intake::Partials => self.panes.merge(&rows, is_late)?,
        };
        Ok(())
    }

    fn on_watermark(&mut self, watermark: Watermark, output: &mut Output) -> Result<()> {
        match watermark {
            Watermark::At(time) if time > self.watermark => {
                self.close_windows(time, output).map_err(|error| internal(&self.panes.spec.uid, error))?;
            }
            Watermark::At(_) | Watermark::Idle => {}
        }
        output.push(Element::Watermark(watermark));
        Ok(())
    }

    fn capture(&mut self) -> Option<Result<CapturedState>> {
        let captured = self.captured().map(|rows| CapturedState { rows });
        Some(captured.map_err(|error| internal(&self.panes.spec.uid, error)))
    }

    fn restore(&mut self, rows: &RecordBatch) -> Result<()> {
        self.restored(rows).map_err(|error| internal(&self.panes.spec.uid, error))
    }

    fn state_layout(&self) -> Option<String> {
        Some(self.panes.spec.layout())
    }

    fn late_rows(&self) -> u64 {
        self.late_rows
    }

    fn state_bytes(&self) -> u64 {
        self.panes.bytes() as u64
    }
}
