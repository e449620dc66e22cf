//! Deduplication with a row of state for each key: what it keeps may be replaced.
//!
//! Where updates are told without what they replace, only keys and times are kept beyond an epoch.

use arrow::array::RecordBatch;
use arrow::array::cast::AsArray;
use arrow::datatypes::{Field, Int64Type, SchemaRef};
use arrow::error::ArrowError;
use tidemill_plan::{Change, Clock, Deduplicate, Keep};

use super::changes::{Changes, Updates};
use super::first_seen::FirstSeenOperator;
use super::last_rows::{Changed, LastRow, LastRows};
use super::partitions::{Partitions, owned_rows, retain, state_rows, state_schema, type_names};
use super::time::{check_time_column, event_times};
use crate::operator::{Output, Result, StreamOperator};
use crate::operators::{Built, Spec};

/// The operator of a deduplication.
pub fn build(deduplicate: &Deduplicate, spec: &Spec<'_>) -> Built {
    let [input] = spec.inputs else { return Err("it has to have one input".to_string()) };
    if !input.changelog.is_append() {
        return Err("its input has changes, which a deduplication does not take".to_string());
    }
    match (deduplicate.clock, deduplicate.keep) {
        (Clock::Processing, Keep::First) => Ok(Box::new(FirstSeenOperator::new(deduplicate, spec)?)),
        (Clock::Processing, Keep::Last) | (Clock::Event, Keep::First | Keep::Last) => {
            if spec.node.changelog.is_append() {
                return Err("its rows may be replaced, so that its output has changes".to_string());
            }
            Ok(Box::new(DeduplicateOperator::new(deduplicate, spec)?))
        }
    }
}

pub struct DeduplicateOperator {
    uid: String,
    deduplicate: Deduplicate,
    partitions: Partitions,
    /// The event time of each key's row; empty by processing time.
    times: Vec<i64>,
    rows: LastRows,
    changes: Changes,
    updates: Updates,
    schema: SchemaRef,
    state_schema: SchemaRef,
    groups: Vec<u32>,
}

impl DeduplicateOperator {
    pub fn new(deduplicate: &Deduplicate, spec: &Spec<'_>) -> std::result::Result<Self, String> {
        let input = &spec.inputs[0].schema;
        if deduplicate.clock == Clock::Event {
            check_time_column(input, deduplicate.time_column)?;
        }
        let partitions = Partitions::new(&deduplicate.keys, input, deduplicate.state_ttl_ms, spec.owned)?;
        let updates = Updates::of(spec.node);
        let kept: Vec<Field> = match updates {
            Updates::AfterOnly => deduplicate.keys.iter().map(|key| input.field(*key).clone()).collect(),
            Updates::None | Updates::Full => input.fields().iter().map(|field| field.as_ref().clone()).collect(),
        };
        Ok(Self {
            uid: spec.node.uid.clone(),
            deduplicate: deduplicate.clone(),
            partitions,
            times: Vec::new(),
            rows: LastRows::new(input.clone()),
            changes: Changes::default(),
            updates,
            schema: spec.node.batch_schema(),
            state_schema: state_schema(&["changed_ms", "time"], kept),
            groups: Vec::new(),
        })
    }

    fn take_in(&mut self, rows: &RecordBatch, times: Option<&[i64]>) -> std::result::Result<(), ArrowError> {
        self.partitions.intern(rows.columns(), rows.num_rows(), &mut self.groups)?;
        self.rows.resize(self.partitions.len());
        match times {
            None => self.groups.iter().enumerate().for_each(|(row, group)| self.rows.set(*group, row)),
            Some(times) => {
                self.times.resize(self.partitions.len(), 0);
                let keep = self.deduplicate.keep;
                for (row, (group, time)) in self.groups.iter().zip(times).enumerate() {
                    let known = &mut self.times[*group as usize];
                    if !self.rows.has_row(*group) || replaces(keep, *time, *known) {
                        *known = *time;
                        self.rows.set(*group, row);
                    }
                }
            }
        }
        self.rows.end_batch(rows.columns(), rows.num_rows())
    }

    fn tell(&mut self, now_ms: i64, output: &mut Output) -> std::result::Result<(), ArrowError> {
        let changed = self.rows.changed();
        for Changed { group, told, valid } in &changed {
            let LastRow::Stored(valid) = *valid else { continue };
            match *told {
                LastRow::None => self.changes.push(valid, Change::Insert),
                LastRow::Unstored => self.changes.push(valid, Change::UpdateAfter),
                LastRow::Stored(told) => {
                    self.changes.push(told, Change::UpdateBefore);
                    self.changes.push(valid, Change::UpdateAfter);
                }
            }
            self.partitions.set_changed_ms(*group, now_ms);
        }
        self.changes.put_out(&self.rows.store, &self.schema, self.updates, output)?;
        for changed in &changed {
            self.rows.tell(changed);
            if self.updates == Updates::AfterOnly {
                self.rows.unstore(changed.group);
            }
        }
        let Some(keep) = self.partitions.find_kept(now_ms, 0, |_| false) else { return Ok(()) };
        self.rows.retain(&keep);
        retain(&mut self.times, &keep);
        self.partitions.retain(&keep)
    }

    fn captured(&self) -> std::result::Result<RecordBatch, ArrowError> {
        let (groups, columns): (Vec<u32>, _) = match self.updates {
            Updates::AfterOnly => ((0..self.partitions.len() as u32).collect(), self.partitions.keys()?),
            Updates::None | Updates::Full => {
                let (groups, ids): (Vec<u32>, Vec<u32>) = self.rows.rows().unzip();
                (groups, self.rows.store.columns(&ids)?)
            }
        };
        let key_groups = groups.iter().map(|group| self.partitions.key_group(*group)).collect();
        let changed_ms = groups.iter().map(|group| self.partitions.changed_ms(*group)).collect();
        let time = |group: &u32| self.times.get(*group as usize).copied().unwrap_or_default();
        let times = groups.iter().map(time).collect();
        state_rows(&self.state_schema, key_groups, vec![changed_ms, times], columns)
    }

    fn restored(&mut self, rows: &RecordBatch) -> std::result::Result<(), ArrowError> {
        let rows = owned_rows(rows, self.partitions.owned())?;
        let columns = &rows.columns()[3..];
        if self.updates == Updates::AfterOnly {
            self.partitions.intern_keys(columns, rows.num_rows(), &mut self.groups)?;
            self.rows.resize(self.partitions.len());
            self.groups.iter().for_each(|group| self.rows.restore_unstored(*group));
        } else {
            self.partitions.intern(columns, rows.num_rows(), &mut self.groups)?;
            self.rows.resize(self.partitions.len());
            self.groups.iter().enumerate().for_each(|(row, group)| self.rows.set(*group, row));
            self.rows.end_batch(columns, rows.num_rows())?;
            self.rows.restored();
        }
        if self.deduplicate.clock == Clock::Event {
            self.times.resize(self.partitions.len(), 0);
            for (group, time) in self.groups.iter().zip(rows.column(2).as_primitive::<Int64Type>().values()) {
                self.times[*group as usize] = *time;
            }
        }
        self.partitions.restore_changed_ms(&self.groups, rows.column(1));
        Ok(())
    }
}

/// Whether a row of this time takes the place of one that came before it.
fn replaces(keep: Keep, time: i64, known: i64) -> bool {
    match keep {
        Keep::First => time < known,
        Keep::Last => time >= known,
    }
}

impl StreamOperator for DeduplicateOperator {
    fn on_batch(&mut self, _input: usize, rows: RecordBatch, _output: &mut Output) -> Result<()> {
        let times = match self.deduplicate.clock {
            Clock::Event => Some(event_times(rows.column(self.deduplicate.time_column), &self.uid)?),
            Clock::Processing => None,
        };
        Ok(self.take_in(&rows, times.as_deref())?)
    }

    fn on_epoch_end(&mut self, now_ms: i64, output: &mut Output) -> Result<()> {
        Ok(self.tell(now_ms, output)?)
    }

    fn holds_rows(&self) -> bool {
        self.rows.has_changed()
    }

    fn capture(&mut self) -> Result<Vec<RecordBatch>> {
        Ok(vec![self.captured()?])
    }

    fn restore(&mut self, rows: &RecordBatch) -> Result<()> {
        Ok(self.restored(rows)?)
    }

    fn state_layout(&self) -> Option<String> {
        let types = type_names(self.state_schema.fields().iter().map(|field| field.data_type()));
        let Deduplicate { keys, clock, keep, .. } = &self.deduplicate;
        Some(format!("last rows 1: {keys:?} {clock:?} {keep:?} {types}"))
    }

    fn state_bytes(&self) -> u64 {
        (self.partitions.bytes() + self.rows.bytes() + self.times.capacity() * 8) as u64
    }
}
