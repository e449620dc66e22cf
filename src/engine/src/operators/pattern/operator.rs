//! The operator: rows wait for their turn, are taken in order, and matches are put out.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{SchemaRef, TimestampMillisecondType};
use arrow::error::ArrowError;
use tidemill_model::key_groups::KeyGroupRange;
use tidemill_model::status::{Problem, ProblemKind};
use tidemill_plan::Clock;

use super::matcher::{Found, Matcher, Partition};
use super::state::Restored;
use super::values::{Formula, Site};
use super::waiting::{Order, WaitingRow, due_rows};
use crate::element::{Element, Watermark};
use crate::groups::GroupTable;
use crate::hash::hash_rows;
use crate::operator::{Fault, Output, Result, StreamOperator};
use crate::operators::OUTPUT_ROWS;
use crate::rows::RowId;

/// Partitions that are kept whether or not anything is known of them.
const KEPT_PARTITIONS: usize = 1024;

/// Runs a [`tidemill_plan::MatchRecognize`].
pub struct MatchOperator {
    pub(super) uid: String,
    pub(super) partition: Vec<usize>,
    pub(super) time_column: usize,
    pub(super) clock: Clock,
    pub(super) order: Order,
    pub(super) measures: Vec<Formula>,
    pub(super) schema: SchemaRef,
    pub(super) owned: KeyGroupRange,
    pub(super) layout: String,
    pub(super) groups: GroupTable,
    pub(super) matcher: Matcher,
    /// In the order in which they came.
    pub(super) waiting: Vec<WaitingRow>,
    /// Rows of this time and earlier have been taken. By processing time, when rows were taken last.
    pub(super) time: i64,
    pub(super) late_rows: u64,
    pub(super) restored: Restored,
    /// The number of partitions at which those that nothing is known of are looked for.
    pub(super) crowded_at: usize,
}

impl MatchOperator {
    pub(super) fn new(parts: Parts) -> std::result::Result<Self, ArrowError> {
        let Parts { uid, partition, time_column, clock, order, measures, schema, owned, layout, matcher } = parts;
        let input = matcher.store.schema();
        let types: Vec<_> = partition.iter().map(|column| input.field(*column).data_type().clone()).collect();
        Ok(Self {
            uid,
            partition,
            time_column,
            clock,
            order,
            measures,
            schema,
            owned,
            layout,
            groups: GroupTable::new(&types)?,
            matcher,
            waiting: Vec::new(),
            time: i64::MIN,
            late_rows: 0,
            restored: Restored::default(),
            crowded_at: KEPT_PARTITIONS,
        })
    }

    /// Keeps rows until it is their turn.
    fn wait(&mut self, rows: &RecordBatch) -> Result<()> {
        let times = self.times(rows)?;
        let (ids, groups) = (self.insert(rows)?, self.groups_of(rows)?);
        for (row, (id, group)) in ids.into_iter().zip(groups).enumerate() {
            let time = times.as_ref().map_or(self.time, |times| times[row]);
            if self.clock == Clock::Event && time <= self.time {
                self.late_rows += 1;
                self.matcher.store.remove(id);
                continue;
            }
            self.matcher.partitions[group as usize].waiting += 1;
            self.waiting.push(WaitingRow { id, group, time });
        }
        Ok(())
    }

    pub(super) fn insert(&mut self, rows: &RecordBatch) -> Result<Vec<RowId>> {
        let mut ids = Vec::with_capacity(rows.num_rows());
        self.matcher.store.insert(rows.columns(), rows.num_rows(), &mut ids)?;
        Ok(ids)
    }

    /// Each row's group; a partition is there for each.
    pub(super) fn groups_of(&mut self, rows: &RecordBatch) -> Result<Vec<u32>> {
        let keys: Vec<ArrayRef> = self.partition.iter().map(|column| rows.column(*column).clone()).collect();
        let (mut hashes, mut groups) = (Vec::new(), Vec::new());
        hash_rows(&keys, rows.num_rows(), &mut hashes);
        self.groups.intern(&keys, &hashes, &mut groups)?;
        self.matcher.partitions.resize_with(self.groups.len(), Partition::default);
        Ok(groups)
    }

    /// The rows' event times; none by processing time.
    pub(super) fn times(&self, rows: &RecordBatch) -> Result<Option<Vec<i64>>> {
        if self.clock == Clock::Processing {
            return Ok(None);
        }
        let column = rows.column(self.time_column);
        if column.null_count() > 0 {
            return Err(Problem {
                kind: ProblemKind::ExpressionFailed,
                object: self.uid.clone(),
                message: "a row has NULL as its event time".to_string(),
                remedy: "leave such rows out with WHERE … IS NOT NULL, or give the column a value".to_string(),
            }
            .into());
        }
        Ok(Some(column.as_primitive::<TimestampMillisecondType>().values().to_vec()))
    }

    /// Time has come to `now`: takes the rows whose turn it is, and forgets what has become too old.
    fn advance(&mut self, now: i64, output: &mut Output) -> Result<()> {
        let mut due = due_rows(&mut self.waiting, now);
        if self.clock == Clock::Processing {
            due.iter_mut().for_each(|row| row.time = now);
        }
        self.time = self.time.max(now);
        if !due.is_empty() {
            due.iter().for_each(|row| self.matcher.partitions[row.group as usize].waiting -= 1);
            let sorted = self.order.sorted(&due, &self.matcher.store)?;
            self.matcher.take(&sorted)?;
        }
        self.matcher.expire(now)?;
        self.put_out(output)?;
        self.matcher.forget_rows();
        Ok(self.forget_partitions()?)
    }

    fn put_out(&mut self, output: &mut Output) -> Result<()> {
        let found = std::mem::take(&mut self.matcher.found);
        for found in found.chunks(OUTPUT_ROWS) {
            output.push(Element::Batch(self.result(found)?));
        }
        Ok(())
    }

    fn result(&self, found: &[Found]) -> Result<RecordBatch> {
        let (store, partitions) = (&self.matcher.store, &self.matcher.partitions);
        let ids: Option<Vec<RowId>> =
            found.iter().map(|found| partitions[found.group as usize].log.id(found.found.start)).collect();
        let ids = ids.ok_or_else(|| Fault::Ours("a match's first row was forgotten".to_string()))?;
        let sites: Vec<Site<'_>> = found
            .iter()
            .map(|found| Site { log: &partitions[found.group as usize].log, view: found.found.view() })
            .collect();
        let mut columns = Vec::with_capacity(self.schema.fields().len());
        for column in &self.partition {
            columns.push(store.column(*column, &ids)?);
        }
        for measure in &self.measures {
            columns.push(measure.of_sites(&sites, store)?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(found.len()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
    }

    /// Forgets the partitions that have no rows, now and then.
    fn forget_partitions(&mut self) -> std::result::Result<(), ArrowError> {
        if self.matcher.partitions.len() < self.crowded_at {
            return Ok(());
        }
        let is_kept = |partition: &Partition| partition.waiting > 0 || !partition.log.is_empty();
        let kept: Vec<bool> = self.matcher.partitions.iter().map(is_kept).collect();
        let mut count = 0;
        let numbers: Vec<Option<u32>> = kept.iter().map(|kept| kept.then(|| (count, count += 1).0)).collect();
        if (count as usize) < kept.len() / 2 {
            self.groups.retain(&BooleanArray::from(kept))?;
            self.matcher.forget_partitions(|group| numbers[group as usize]);
            for row in &mut self.waiting {
                row.group = numbers[row.group as usize].unwrap_or(row.group);
            }
        }
        self.crowded_at = KEPT_PARTITIONS.max(2 * self.matcher.partitions.len());
        Ok(())
    }
}

/// What a [`MatchOperator`] is made of.
pub(super) struct Parts {
    pub uid: String,
    pub partition: Vec<usize>,
    pub time_column: usize,
    pub clock: Clock,
    pub order: Order,
    pub measures: Vec<Formula>,
    pub schema: SchemaRef,
    pub owned: KeyGroupRange,
    pub layout: String,
    pub matcher: Matcher,
}

impl StreamOperator for MatchOperator {
    fn on_batch(&mut self, _input: usize, rows: RecordBatch, _output: &mut Output) -> Result<()> {
        self.settle()?;
        self.wait(&rows)
    }

    fn on_watermark(&mut self, watermark: Watermark, output: &mut Output) -> Result<()> {
        self.settle()?;
        match (watermark, self.clock) {
            (Watermark::At(time), Clock::Event) if time > self.time => self.advance(time, output)?,
            // The end of the input does not make its last rows later than they are.
            (Watermark::END, Clock::Processing) => self.advance(self.time, output)?,
            (Watermark::At(_) | Watermark::Idle, _) => {}
        }
        output.push(Element::Watermark(watermark));
        Ok(())
    }

    fn on_epoch_end(&mut self, now_ms: i64, output: &mut Output) -> Result<()> {
        self.settle()?;
        match self.clock {
            Clock::Event => Ok(()),
            Clock::Processing => self.advance(self.time.max(now_ms), output),
        }
    }

    fn waits_for_time(&self) -> bool {
        self.clock == Clock::Processing && self.matcher.rules.within_ms.is_some()
    }

    fn capture(&mut self) -> Result<Vec<RecordBatch>> {
        self.settle()?;
        Ok(vec![self.captured()?])
    }

    fn restore(&mut self, rows: &RecordBatch) -> Result<()> {
        self.take_back(rows)
    }

    fn watermark(&self) -> Option<i64> {
        Some(self.time)
    }

    fn restore_watermark(&mut self, watermark: i64) {
        self.time = watermark;
    }

    fn state_layout(&self) -> Option<String> {
        Some(self.layout.clone())
    }

    fn late_rows(&self) -> u64 {
        self.late_rows
    }

    fn state_bytes(&self) -> u64 {
        (self.matcher.store.bytes() + self.groups.bytes() + self.waiting.capacity() * size_of::<WaitingRow>()) as u64
    }
}
