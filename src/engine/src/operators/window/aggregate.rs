//! The half of a window aggregation that owns the keys' state and puts windows out.

use std::collections::BTreeSet;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use tidemill_model::key_groups::KeyGroupRange;
use tidemill_plan::{Clock, WindowOutput};

use super::pane::Pane;
use super::panes::{PaneSet, pane_mut};
use super::spec::{AggregateSpec, BuildError};
use super::state;
use super::time::{PaneClock, Slice};
use crate::change::batch;
use crate::element::{Element, Watermark};
use crate::operator::{Output, Result, StreamOperator};
use crate::operators::put_out;

/// What the operator is fed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intake {
    /// The plan node's input.
    Rows,
    /// Partial results of [`super::LocalWindowAggregate`]s.
    Partials,
}

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
        let state_schema = state::schema(&spec.keyed, Vec::new())?;
        Ok(Self { panes: PaneSet::new(spec), intake, owned, watermark: i64::MIN, late_rows: 0, state_schema })
    }

    /// Puts out every window that ends after the last watermark and not after the new one.
    fn close_windows(&mut self, watermark: i64, output: &mut Output) -> std::result::Result<(), ArrowError> {
        let panes = self.panes.spec.panes;
        let is_due = |window: &Slice| window.end - 1 > self.watermark && window.end - 1 <= watermark;
        // A pane that ends later is part of no window that is due.
        let reached = Slice { end: watermark.saturating_add(1), start: i64::MAX };
        let due: BTreeSet<Slice> =
            self.panes.panes.range(..=reached).flat_map(|(pane, _)| panes.windows(*pane)).filter(is_due).collect();
        for window in due {
            self.close(window, output)?;
            // Windows that rows name may end together and start apart. Each goes when it is put out.
            if panes != PaneClock::Given {
                self.panes.panes.retain(|pane, _| !panes.is_over(*pane, window.end - 1));
            }
        }
        self.watermark = watermark;
        Ok(())
    }

    fn close(&mut self, window: Slice, output: &mut Output) -> std::result::Result<(), ArrowError> {
        match self.panes.spec.panes {
            PaneClock::Sliding { pane_ms, size_ms, .. } if pane_ms != size_ms => {
                let merged = self.merged(window)?;
                self.put_out(&merged, window, output)
            }
            PaneClock::Sliding { .. } | PaneClock::Given => match self.panes.panes.remove(&window) {
                Some(pane) => self.put_out(&pane, window, output),
                None => Ok(()),
            },
            PaneClock::Growing { .. } => {
                let first = self.folded(window)?;
                self.put_out(&self.panes.panes[&first], window, output)
            }
        }
    }

    fn merged(&mut self, window: Slice) -> std::result::Result<Pane, ArrowError> {
        let mut merged = Pane::new(&self.panes.spec.keyed)?;
        for pane in self.panes.panes.range(within(window)).map(|(_, pane)| pane) {
            merged.take_in(pane, &mut self.panes.scratch)?;
        }
        Ok(merged)
    }

    /// Merges all panes of a window into the first, where those of later windows that start with it need them.
    fn folded(&mut self, window: Slice) -> std::result::Result<Slice, ArrowError> {
        let first = self.panes.spec.panes.pane_of(window.start);
        let others: Vec<Slice> =
            self.panes.panes.range(within(window)).map(|(pane, _)| *pane).filter(|pane| *pane != first).collect();
        for other in others {
            let other = self.panes.panes.remove(&other).expect("it was listed above");
            let target = pane_mut(&mut self.panes.panes, &self.panes.spec, first)?;
            target.take_in(&other, &mut self.panes.scratch)?;
        }
        Ok(first)
    }

    fn put_out(&self, pane: &Pane, window: Slice, output: &mut Output) -> std::result::Result<(), ArrowError> {
        let spec = &self.panes.spec;
        let mut columns = pane.keys()?;
        columns.extend(pane.results()?);
        let windows = vec![window; pane.len()];
        columns.extend(window_columns(&windows, &spec.output, &spec.schema, columns.len())?);
        put_out(&batch(&spec.schema, columns, None)?, output);
        Ok(())
    }

    fn captured(&self) -> std::result::Result<Vec<RecordBatch>, ArrowError> {
        let panes = self.panes.panes.iter();
        panes.map(|(slice, pane)| state::captured(&self.state_schema, *slice, Vec::new(), pane)).collect()
    }

    fn restored(&mut self, rows: &RecordBatch) -> std::result::Result<(), ArrowError> {
        for part in state::parts(rows, self.owned, &self.panes.spec.keyed, 0, |_| ())? {
            self.panes.restore(part.time, &part.keys, &part.states, part.rows)?;
        }
        Ok(())
    }

    fn advance(&mut self, time: i64, output: &mut Output) -> Result<()> {
        if time > self.watermark {
            self.close_windows(time, output)?;
        }
        Ok(())
    }
}

/// The panes that end in a window.
fn within(window: Slice) -> std::ops::RangeInclusive<Slice> {
    Slice { end: window.start + 1, start: i64::MIN }..=Slice { end: window.end, start: i64::MAX }
}

/// Columns that tell of windows, of the types that the schema has from `place` on.
pub(super) fn window_columns(
    windows: &[Slice],
    output: &[WindowOutput],
    schema: &SchemaRef,
    place: usize,
) -> std::result::Result<Vec<ArrayRef>, ArrowError> {
    let column = |(number, what): (usize, &WindowOutput)| {
        let time = |window: &Slice| match what {
            WindowOutput::Start => window.start,
            WindowOutput::End => window.end,
            WindowOutput::Time => window.end - 1,
        };
        cast(&Int64Array::from_iter_values(windows.iter().map(time)), schema.field(place + number).data_type())
    };
    output.iter().enumerate().map(column).collect()
}

/// How far windows' time has come by a watermark: by the machine's clock only the end of all input counts.
pub(super) fn reached(watermark: Watermark, clock: Clock) -> Option<i64> {
    match (watermark, clock) {
        (Watermark::At(time), Clock::Event) | (Watermark::At(time @ i64::MAX), Clock::Processing) => Some(time),
        (Watermark::At(_) | Watermark::Idle, _) => None,
    }
}

/// How far a clock of the machine has come when an epoch ends: rows of this very millisecond may still come.
pub(super) fn passed(now_ms: i64) -> i64 {
    now_ms - 1
}

impl StreamOperator for WindowAggregateOperator {
    fn on_batch(&mut self, _input: usize, rows: RecordBatch, _output: &mut Output) -> Result<()> {
        self.late_rows += match self.intake {
            Intake::Rows => self.panes.update(&rows, self.watermark)?,
            Intake::Partials => self.panes.merge(&rows, self.watermark)?,
        };
        Ok(())
    }

    fn on_watermark(&mut self, watermark: Watermark, output: &mut Output) -> Result<()> {
        if let Some(time) = reached(watermark, self.panes.spec.clock) {
            self.advance(time, output)?;
        }
        output.push(Element::Watermark(watermark));
        Ok(())
    }

    fn on_epoch_end(&mut self, now_ms: i64, output: &mut Output) -> Result<()> {
        match self.panes.spec.clock {
            Clock::Event => Ok(()),
            Clock::Processing => self.advance(passed(now_ms), output),
        }
    }

    fn waits_for_time(&self) -> bool {
        self.panes.spec.clock == Clock::Processing
    }

    fn capture(&mut self) -> Result<Vec<RecordBatch>> {
        Ok(self.captured()?)
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
        Some(self.panes.spec.layout())
    }

    fn late_rows(&self) -> u64 {
        self.late_rows
    }

    fn state_bytes(&self) -> u64 {
        self.panes.bytes() as u64
    }
}
