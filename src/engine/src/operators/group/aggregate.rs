//! The operator that owns the groups' state.

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use tidemill_model::key_groups::KeyGroupRange;
use tidemill_plan::{AggregateFunction, Changelog};

use super::state::{self, Lifetime};
use super::table::Table;
use crate::accumulator::{BuildError, Input, KeyedSpec, Which};
use crate::change;
use crate::operator::{Output, Result, StreamOperator};
use crate::operators::changes::{Changes, Former, Touched, Updates, unchanged};
use crate::operators::{Spec, put_out};
use crate::stages::Part;

pub struct GroupAggregateOperator {
    pub(super) keyed: KeyedSpec,
    pub(super) table: Table,
    part: Part,
    updates: Updates,
    retelling: Retelling,
    has_changes: bool,
    schema: SchemaRef,
    pub(super) state_schema: SchemaRef,
    /// The key groups that this thread owns.
    pub(super) owned: KeyGroupRange,
    /// Counts from 1; groups are marked with it.
    epoch: u32,
    touched: Vec<Touched>,
    former: Former,
    lifetime: Option<Lifetime>,
}

/// What can be said of a group that something comes for again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Retelling {
    /// Its result is the same: it has none but the keys.
    Never,
    /// Its result is another: rows are counted.
    Always,
    /// Its former result has to be compared.
    IfDifferent,
}

impl GroupAggregateOperator {
    pub fn new(spec: &Spec<'_>, keyed: KeyedSpec, ttl_ms: Option<u64>) -> std::result::Result<Self, BuildError> {
        let updates = match spec.node.changelog {
            Changelog::Retract => Updates::WithFormer,
            Changelog::Append | Changelog::Upsert { .. } => Updates::Alone,
        };
        Ok(Self {
            table: Table::new(&keyed, ttl_ms.is_some())?,
            part: spec.part,
            updates,
            retelling: retelling(&keyed),
            has_changes: !spec.node.changelog.is_append(),
            schema: spec.node.batch_schema(),
            state_schema: SchemaRef::new(Schema::new(state::fields(&keyed)?)),
            owned: spec.owned,
            epoch: 1,
            touched: Vec::new(),
            former: Former::default(),
            lifetime: ttl_ms.map(Lifetime::new),
            keyed,
        })
    }

    fn take_in(&mut self, rows: &RecordBatch) -> std::result::Result<(), ArrowError> {
        let (columns, changes) = change::split(rows);
        let keys: Vec<ArrayRef> = match self.part {
            Part::Global => columns[..self.keyed.keys.len()].to_vec(),
            Part::Whole | Part::Local => self.keyed.keys.iter().map(|key| columns[*key].clone()).collect(),
        };
        self.table.find(&keys, rows.num_rows())?;
        self.touch()?;
        match self.part {
            Part::Global => self.table.merge(&columns[self.keyed.keys.len()..]),
            Part::Whole | Part::Local => self.table.update(columns, changes),
        }
    }

    /// Notes the groups that something has come for, and their results as long as they are the former ones.
    fn touch(&mut self) -> std::result::Result<(), ArrowError> {
        let groups = self.table.newly_touched(self.epoch);
        let mut out = Vec::new();
        for group in groups {
            let was_out = self.table.marks[group as usize].is_out;
            self.touched.push(Touched { group, was_out });
            if was_out {
                out.push(group);
            }
        }
        if self.needs_former() && !out.is_empty() {
            self.former.push(self.table.aggregates.finish(Which::These(&out))?);
        }
        Ok(())
    }

    fn needs_former(&self) -> bool {
        !self.keyed.calls.is_empty()
            && (self.updates == Updates::WithFormer || self.retelling == Retelling::IfDifferent)
    }

    fn put_out(&mut self, output: &mut Output) -> std::result::Result<(), ArrowError> {
        let touched = std::mem::take(&mut self.touched);
        if touched.is_empty() {
            return Ok(());
        }
        let groups: Vec<u32> = touched.iter().map(|touched| touched.group).collect();
        let present = self.table.aggregates.finish(Which::These(&groups))?;
        let former = self.former.take()?;
        let same = match self.retelling {
            Retelling::Never | Retelling::IfDifferent => Some(unchanged(&touched, &present, &former)?),
            Retelling::Always => None,
        };
        let former_known = self.needs_former() || self.retelling == Retelling::Never;
        let is_alive = |group| self.table.is_alive(group);
        let changes = Changes::of(&touched, is_alive, same.as_ref(), former_known, self.updates);
        let mut columns = changes.keys(&self.table.keys.gather(&groups)?)?;
        columns.extend(changes.results(&present, &former)?);
        self.settle(&touched);
        self.emit(columns, changes, output)
    }

    fn emit(
        &self,
        columns: Vec<ArrayRef>,
        changes: Changes,
        output: &mut Output,
    ) -> std::result::Result<(), ArrowError> {
        let rows = match self.has_changes {
            true => change::batch(&self.schema, columns, Some(changes.kinds))?,
            false => change::batch(&self.schema, columns, None)?,
        };
        put_out(&rows, output);
        Ok(())
    }

    /// Notes what has been told.
    fn settle(&mut self, touched: &[Touched]) {
        let mut dead = Vec::new();
        for Touched { group, .. } in touched {
            let is_alive = self.table.is_alive(*group);
            self.table.marks[*group as usize].is_out = is_alive;
            if !is_alive {
                dead.push(*group);
            }
        }
        self.table.bury(&dead);
    }

    fn end_epoch(&mut self, now_ms: i64, output: &mut Output) -> std::result::Result<(), ArrowError> {
        if let Some(touched) = &mut self.table.touched {
            self.touched.iter().for_each(|group| touched[group.group as usize] = now_ms);
        }
        self.put_out(output)?;
        self.epoch = self.epoch.wrapping_add(1).max(1);
        self.table.tidy()?;
        match &mut self.lifetime {
            Some(lifetime) => lifetime.end(&mut self.table, now_ms),
            None => Ok(()),
        }
    }
}

fn retelling(keyed: &KeyedSpec) -> Retelling {
    let counts_rows = |call: &crate::accumulator::Call| {
        call.function == AggregateFunction::Count && call.argument.is_none() && call.filter.is_none()
    };
    match keyed.input {
        _ if keyed.calls.is_empty() => Retelling::Never,
        Input::Append if keyed.calls.iter().any(counts_rows) => Retelling::Always,
        Input::Append | Input::Updating => Retelling::IfDifferent,
    }
}

impl StreamOperator for GroupAggregateOperator {
    fn on_batch(&mut self, _input: usize, rows: RecordBatch, _output: &mut Output) -> Result<()> {
        Ok(self.take_in(&rows)?)
    }

    fn on_epoch_end(&mut self, now_ms: i64, output: &mut Output) -> Result<()> {
        Ok(self.end_epoch(now_ms, output)?)
    }

    fn holds_rows(&self) -> bool {
        !self.touched.is_empty()
    }

    fn waits_for_time(&self) -> bool {
        self.lifetime.is_some()
    }

    fn capture(&mut self) -> Result<Vec<RecordBatch>> {
        Ok(vec![state::captured(self)?])
    }

    fn restore(&mut self, rows: &RecordBatch) -> Result<()> {
        Ok(state::restored(self, rows)?)
    }

    fn state_layout(&self) -> Option<String> {
        Some(format!("group-aggregate/1 {}", self.keyed.layout()))
    }

    fn state_bytes(&self) -> u64 {
        self.table.bytes() as u64
    }
}
