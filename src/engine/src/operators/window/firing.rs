//! Windows whose results are put out before their end, and again when rows come after it.
//!
//! What has come for a window since it was last put out is aggregated apart. To put the window out is to take that in:
//! the results before and after it are the changes. So nothing has to be remembered of what was told, and a window that
//! nothing has come for costs nothing. As in Flink every window has aggregates of its own, also where windows overlap.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::datatypes::{DataType, Field, SchemaRef};
use arrow::error::ArrowError;
use tidemill_model::key_groups::KeyGroupRange;
use tidemill_plan::{Changelog, Clock, Firing, LateFiring};

use super::aggregate::{Intake, passed, reached, window_columns};
use super::pane::{Pane, Scratch};
use super::panes::PaneSet;
use super::spec::{AggregateSpec, BuildError};
use super::state;
use super::time::Slice;
use crate::accumulator::KeyedSpec;
use crate::change::batch;
use crate::element::{Element, Watermark};
use crate::operator::{Output, Result, StreamOperator};
use crate::operators::changes::{Changes, Updates, unchanged};
use crate::operators::{Spec, put_out};

type Attempt<T> = std::result::Result<T, ArrowError>;

/// The column of captured windows that says whether it has been told.
const TOLD: usize = 3;

pub struct FiringWindows {
    /// What has come in this epoch.
    fresh: PaneSet,
    windows: BTreeMap<Slice, Open>,
    firing: Firing,
    intake: Intake,
    owned: KeyGroupRange,
    updates: Updates,
    schema: SchemaRef,
    state_schema: SchemaRef,
    /// All windows whose last millisecond is this or earlier have been put out at least once.
    watermark: i64,
    late_rows: u64,
    scratch: Scratch,
}

/// A window that rows may still come for.
struct Open {
    told: Pane,
    /// What has come since.
    untold: Option<Pane>,
    /// When the first of that came; not known before its epoch ends.
    since_ms: Option<i64>,
}

impl FiringWindows {
    pub fn new(
        checked: AggregateSpec,
        firing: Firing,
        intake: Intake,
        spec: &Spec<'_>,
    ) -> std::result::Result<Self, BuildError> {
        let state_schema = state::schema(&checked.keyed, vec![Field::new("told", DataType::Boolean, false)])?;
        let updates = match spec.node.changelog {
            Changelog::Retract => Updates::WithFormer,
            Changelog::Append | Changelog::Upsert { .. } => Updates::Alone,
        };
        Ok(Self {
            fresh: PaneSet::new(checked),
            windows: BTreeMap::new(),
            firing,
            intake,
            owned: spec.owned,
            updates,
            schema: spec.node.batch_schema(),
            state_schema,
            watermark: i64::MIN,
            late_rows: 0,
            scratch: Scratch::default(),
        })
    }

    fn lateness_ms(&self) -> i64 {
        self.firing.late.map_or(0, |LateFiring { lateness_ms, .. }| i64::try_from(lateness_ms).unwrap_or(i64::MAX))
    }

    /// The watermark at which windows are forgotten that end with this millisecond or earlier.
    fn forgotten(&self, watermark: i64) -> i64 {
        match watermark {
            i64::MAX => i64::MAX,
            _ => watermark.saturating_sub(self.lateness_ms()),
        }
    }

    /// Hands what is fresh to its windows.
    fn distribute(&mut self) -> Attempt<()> {
        let forgotten = self.forgotten(self.watermark);
        for (slice, pane) in std::mem::take(&mut self.fresh.panes) {
            let windows = self.fresh.spec.panes.windows(slice);
            for window in windows.into_iter().filter(|window| window.end - 1 > forgotten) {
                let keyed = &self.fresh.spec.keyed;
                let open = open(&mut self.windows, keyed, window)?;
                match &mut open.untold {
                    Some(untold) => untold.take_in(&pane, &mut self.scratch)?,
                    None => {
                        let mut untold = Pane::new(keyed)?;
                        untold.take_in(&pane, &mut self.scratch)?;
                        open.untold = Some(untold);
                    }
                }
            }
        }
        Ok(())
    }

    /// Puts out the windows that have reached their end, and forgets those that nothing may come for any more; what was
    /// still to be told of these is told.
    fn advance(&mut self, watermark: i64, output: &mut Output) -> Attempt<()> {
        if watermark <= self.watermark {
            return Ok(());
        }
        self.distribute()?;
        let (before, forgotten) = (self.watermark, self.forgotten(watermark));
        self.watermark = watermark;
        let reached = Slice { end: watermark.saturating_add(1), start: i64::MAX };
        let passed: Vec<Slice> = self.windows.range(..=reached).map(|(window, _)| *window).collect();
        for window in passed {
            let last = window.end - 1;
            if last > before || last <= forgotten {
                self.fire(window, output)?;
            }
            if last <= forgotten {
                self.windows.remove(&window);
            }
        }
        Ok(())
    }

    /// Tells what has come for a window.
    fn fire(&mut self, window: Slice, output: &mut Output) -> Attempt<()> {
        let Some(open) = self.windows.get_mut(&window) else { return Ok(()) };
        open.since_ms = None;
        let Some(untold) = open.untold.take() else { return Ok(()) };
        let update = open.told.updated(&untold, &mut self.scratch)?;
        let same = unchanged(&update.touched, &update.present, &update.former)?;
        let changes = Changes::of(&update.touched, |_| true, Some(&same), true, self.updates);
        let mut columns = changes.keys(&untold.keys()?)?;
        columns.extend(changes.results(&update.present, &update.former)?);
        let spec = &self.fresh.spec;
        let windows = vec![window; changes.len()];
        columns.extend(window_columns(&windows, &spec.output, &spec.schema, columns.len())?);
        put_out(&batch(&self.schema, columns, Some(changes.kinds))?, output);
        Ok(())
    }

    /// Puts out the windows that have waited long enough.
    fn fire_due(&mut self, now_ms: i64, output: &mut Output) -> Attempt<()> {
        let mut due = Vec::new();
        for (window, open) in self.windows.iter_mut().filter(|(_, open)| open.untold.is_some()) {
            let since = *open.since_ms.get_or_insert(now_ms);
            let delay = match window.end - 1 <= self.watermark {
                true => self.firing.late.map(|late| late.delay_ms),
                false => self.firing.early_ms,
            };
            if delay.is_some_and(|delay| now_ms.saturating_sub(since) >= i64::try_from(delay).unwrap_or(i64::MAX)) {
                due.push(*window);
            }
        }
        due.into_iter().try_for_each(|window| self.fire(window, output))
    }

    fn captured(&self) -> Attempt<Vec<RecordBatch>> {
        let parts = self
            .windows
            .iter()
            .flat_map(|(window, open)| [(window, true, Some(&open.told)), (window, false, open.untold.as_ref())]);
        let parts = parts.filter_map(|(window, told, pane)| Some((window, told, pane.filter(|pane| pane.len() > 0)?)));
        let part = |(window, told, pane): (&Slice, bool, &Pane)| {
            let marks: Vec<ArrayRef> = vec![Arc::new(BooleanArray::from(vec![told; pane.len()]))];
            state::captured(&self.state_schema, *window, marks, pane)
        };
        parts.map(part).collect()
    }

    fn restored(&mut self, rows: &RecordBatch) -> Attempt<()> {
        let (keyed, told) = (&self.fresh.spec.keyed, rows.column(TOLD).as_boolean());
        for part in state::parts(rows, self.owned, keyed, 1, |row| told.value(row))? {
            let open = open(&mut self.windows, keyed, part.time)?;
            let pane = match (part.mark, &mut open.untold) {
                (true, _) => &mut open.told,
                (false, Some(untold)) => untold,
                (false, untold @ None) => untold.insert(Pane::new(keyed)?),
            };
            pane.restore(&part.keys, &part.states, part.rows, &mut self.scratch)?;
        }
        Ok(())
    }
}

fn open<'a>(windows: &'a mut BTreeMap<Slice, Open>, keyed: &KeyedSpec, window: Slice) -> Attempt<&'a mut Open> {
    Ok(match windows.entry(window) {
        Entry::Occupied(open) => open.into_mut(),
        Entry::Vacant(place) => place.insert(Open { told: Pane::new(keyed)?, untold: None, since_ms: None }),
    })
}

impl StreamOperator for FiringWindows {
    fn on_batch(&mut self, _input: usize, rows: RecordBatch, _output: &mut Output) -> Result<()> {
        let forgotten = self.forgotten(self.watermark);
        self.late_rows += match self.intake {
            Intake::Rows => self.fresh.update(&rows, forgotten)?,
            Intake::Partials => self.fresh.merge(&rows, forgotten)?,
        };
        Ok(())
    }

    fn on_watermark(&mut self, watermark: Watermark, output: &mut Output) -> Result<()> {
        if let Some(time) = reached(watermark, self.fresh.spec.clock) {
            self.advance(time, output)?;
        }
        output.push(Element::Watermark(watermark));
        Ok(())
    }

    fn on_epoch_end(&mut self, now_ms: i64, output: &mut Output) -> Result<()> {
        self.distribute()?;
        if self.fresh.spec.clock == Clock::Processing {
            self.advance(passed(now_ms), output)?;
        }
        Ok(self.fire_due(now_ms, output)?)
    }

    fn waits_for_time(&self) -> bool {
        let waits = |delay: Option<u64>| delay.is_some_and(|delay| delay > 0);
        let late = self.firing.late.map(|late| late.delay_ms);
        self.fresh.spec.clock == Clock::Processing || waits(self.firing.early_ms) || waits(late)
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
        Some(format!("firing/1 {}", self.fresh.spec.layout()))
    }

    fn late_rows(&self) -> u64 {
        self.late_rows
    }

    fn state_bytes(&self) -> u64 {
        let panes = self.windows.values().flat_map(|open| [Some(&open.told), open.untold.as_ref()]).flatten();
        (self.fresh.bytes() + panes.map(Pane::bytes).sum::<usize>()) as u64
    }
}
