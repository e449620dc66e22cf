//! The join of rows whose times are near each other. Rows only come; those that can match no more are forgotten, and
//! where unmatched rows are results, they are put out at that moment.
//!
//! A row of side `s` at time `t` matches the other side's times from `t + reach[s].0` to `t + reach[s].1`, so its time
//! is over when the watermark gets to `t + reach[s].1`.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow::buffer::ScalarBuffer;
use arrow::compute::{and, filter_record_batch, is_not_null, not};
use arrow::datatypes::{DataType, SchemaRef, TimeUnit, TimestampMillisecondType};
use arrow::error::ArrowError;
use tidemill_model::key_groups::KeyGroupRange;
use tidemill_plan::{Change, IntervalJoin, JoinKind, JoinTimes};

use super::buckets::Buckets;
use super::interval_matching::IntervalMatching;
use super::on::On;
use super::regular::{keeps_unmatched, tracked};
use super::results::{ResultShape, Results};
use super::state::StateShape;
use super::{LEFT, RIGHT, Side, inputs, interval_state, other};
use crate::element::{Element, Watermark};
use crate::groups::GroupTable;
use crate::hash::hash_rows;
use crate::operator::{Output, Result, StreamOperator};
use crate::operators::Spec;
use crate::rows::{NO_ROW, RowId, RowStore};

/// Runs an [`IntervalJoin`].
pub struct IntervalJoinOperator {
    pub(super) kind: JoinKind,
    pub(super) on: On,
    /// The keys of both sides.
    pub(super) groups: GroupTable,
    pub(super) buckets: Buckets,
    pub(super) sides: [IntervalSide; 2],
    pub(super) reach: [(i64, i64); 2],
    pub(super) shape: ResultShape,
    pub(super) state: StateShape,
    pub(super) owned: KeyGroupRange,
    pub(super) watermark: i64,
    kind_of_times: JoinTimes,
    late_rows: u64,
    /// Rows forgotten since groups without rows were looked for.
    removed: usize,
}

pub struct IntervalSide {
    pub rows: RowStore,
    pub time: usize,
    /// Whether each row has had a match (or has been put out without one), where results depend on it.
    pub is_matched: Option<Vec<bool>>,
    /// The rows that have had no match when they came and when their time is over, where they are put out then.
    pub waiting: BinaryHeap<Reverse<(i64, RowId)>>,
}

/// Groups fewer than this are not worth tidying.
const FEW_GROUPS: usize = 1024;

impl IntervalJoinOperator {
    pub fn new(join: &IntervalJoin, spec: &Spec<'_>) -> std::result::Result<Self, String> {
        let (nodes, schemas) = inputs(spec)?;
        if !nodes.iter().all(|node| node.changelog.is_append()) {
            return Err("rows of its inputs are taken back".to_string());
        }
        let on = On::new(spec, &join.on, &schemas)?;
        let tracked = tracked(join.kind);
        let side = |side: Side, time| IntervalSide::new(&schemas[side], time, tracked[side]);
        Ok(Self {
            kind: join.kind,
            groups: GroupTable::new(&on.key_types).map_err(|error| error.to_string())?,
            on,
            buckets: Buckets::new(join.upper_ms.saturating_sub(join.lower_ms)),
            sides: [side(LEFT, join.left_time)?, side(RIGHT, join.right_time)?],
            reach: [(join.upper_ms.saturating_neg(), join.lower_ms.saturating_neg()), (join.lower_ms, join.upper_ms)],
            shape: ResultShape::new(join.kind, spec)?,
            state: StateShape::new(interval_state::notes(), &schemas),
            owned: spec.owned,
            watermark: i64::MIN,
            kind_of_times: join.times,
            late_rows: 0,
            removed: 0,
        })
    }

    /// The rows whose window is not over. The others are counted.
    fn in_time(&mut self, side: Side, rows: RecordBatch) -> std::result::Result<RecordBatch, ArrowError> {
        let times = self.times(side, rows.columns());
        if times.iter().all(|time| *time > self.watermark) {
            return Ok(rows);
        }
        let is_null = rows.column(self.sides[side].time).logical_nulls();
        let is_late = |(row, time): (usize, &i64)| {
            *time <= self.watermark && is_null.as_ref().is_none_or(|nulls| nulls.is_valid(row))
        };
        let late: BooleanArray = times.iter().enumerate().map(|row| Some(is_late(row))).collect();
        self.late_rows += late.true_count() as u64;
        filter_record_batch(&rows, &not(&late)?)
    }

    /// The times that rows of a side go by: the last milliseconds of windows.
    pub(super) fn times(&self, side: Side, columns: &[ArrayRef]) -> ScalarBuffer<i64> {
        let times = columns[self.sides[side].time].as_primitive::<TimestampMillisecondType>().values();
        match self.kind_of_times {
            JoinTimes::OfRows => times.clone(),
            JoinTimes::WindowEnds => times.iter().map(|end| end.saturating_sub(1)).collect(),
        }
    }

    /// The rows that can match: late ones may be dropped, and those with NULLs are put out at once, if at all.
    fn matchable(
        &mut self,
        side: Side,
        mut rows: RecordBatch,
        output: &mut Output,
    ) -> std::result::Result<RecordBatch, ArrowError> {
        if self.kind_of_times == JoinTimes::WindowEnds {
            rows = self.in_time(side, rows)?;
        }
        let times = rows.column(self.sides[side].time);
        let with_key = self.on.matchable(side, rows.columns());
        let matchable = match (with_key, times.null_count()) {
            (None, 0) => return Ok(rows),
            (Some(with_key), 0) => with_key,
            (None, _) => is_not_null(times)?,
            (Some(with_key), _) => and(&with_key, &is_not_null(times)?)?,
        };
        if keeps_unmatched(self.kind, side) {
            let unmatchable = filter_record_batch(&rows, &not(&matchable)?)?;
            output.push(Element::Batch(self.shape.unmatched(side, &unmatchable)?));
        }
        filter_record_batch(&rows, &matchable)
    }

    fn process(&mut self, side: Side, rows: &RecordBatch, output: &mut Output) -> Result<()> {
        let columns = rows.columns();
        let keys = self.on.keys(side, columns);
        let (mut hashes, mut groups) = (Vec::new(), Vec::new());
        hash_rows(&keys, rows.num_rows(), &mut hashes);
        self.groups.intern(&keys, &hashes, &mut groups)?;
        let times = self.times(side, columns);
        let mut matching = IntervalMatching::new(self.kind, &self.on, &self.shape, side, columns);
        // A row that has been put out for want of a match gets none afterwards.
        let earliest = match keeps_unmatched(self.kind, other(side)) {
            true => self.watermark.saturating_sub(self.reach[other(side)].1).saturating_add(1),
            false => i64::MIN,
        };
        let reach = self.reach[side];
        let stored = &mut self.sides[other(side)];
        for (row, (group, time)) in groups.iter().zip(times.iter()).enumerate() {
            let range = time.saturating_add(reach.0).max(earliest)..=time.saturating_add(reach.1);
            for id in self.buckets.rows(other(side), *group, range) {
                matching.pair(row as u32, id, stored, output)?;
            }
        }
        let is_over = |row: usize| times[row].saturating_add(reach.1) <= self.watermark;
        let found = matching.finish(stored, is_over, output)?;
        Ok(self.store(side, columns, &groups, &times, found)?)
    }

    /// Keeps the rows that may match later ones, and whose matches still matter.
    fn store(
        &mut self,
        side: Side,
        columns: &[ArrayRef],
        groups: &[u32],
        times: &[i64],
        found: Option<Vec<bool>>,
    ) -> std::result::Result<(), ArrowError> {
        let reach = self.reach[side].1;
        let is_settled = |row: usize| {
            matches!(self.kind, JoinKind::Semi | JoinKind::Anti) && found.as_ref().is_some_and(|found| found[row])
        };
        let stays = |row: &usize| times[*row].saturating_add(reach) > self.watermark && !is_settled(*row);
        let kept: Vec<usize> = (0..groups.len()).filter(stays).collect();
        let mut ids = Vec::new();
        let own = &mut self.sides[side];
        if kept.len() == groups.len() {
            own.rows.insert(columns, kept.len(), &mut ids)?;
        } else {
            let mask: BooleanArray = (0..groups.len()).map(|row| Some(stays(&row))).collect();
            let columns: Vec<ArrayRef> = columns
                .iter()
                .map(|column| arrow::compute::filter(column, &mask))
                .collect::<std::result::Result<_, _>>()?;
            own.rows.insert(&columns, kept.len(), &mut ids)?;
        }
        let waits = keeps_unmatched(self.kind, side).then_some(reach);
        for (row, id) in kept.into_iter().zip(ids) {
            self.buckets.insert(side, groups[row], times[row], id);
            own.note(id, times[row], found.as_ref().is_some_and(|found| found[row]), waits);
        }
        Ok(())
    }

    /// Puts out the rows that have waited for a match in vain.
    fn put_out_unmatched(&mut self, output: &mut Output) -> std::result::Result<(), ArrowError> {
        for side in [LEFT, RIGHT] {
            let own = &mut self.sides[side];
            let mut results = Results::default();
            while let Some(Reverse((over, id))) = own.waiting.peek().copied()
                && over <= self.watermark
            {
                own.waiting.pop();
                let is_matched = own.is_matched.as_mut().expect("rows wait where matches are noted");
                if !std::mem::replace(&mut is_matched[id as usize], true) {
                    results.push(NO_ROW, id, Change::Insert);
                }
                if results.is_full() {
                    output.push(Element::Batch(self.shape.take(other(side), &[], &own.rows, &mut results)?));
                }
            }
            if !results.is_empty() {
                output.push(Element::Batch(self.shape.take(other(side), &[], &own.rows, &mut results)?));
            }
        }
        Ok(())
    }

    fn forget(&mut self) -> std::result::Result<(), ArrowError> {
        for side in [LEFT, RIGHT] {
            let over = match self.watermark {
                i64::MAX => i64::MAX,
                watermark => watermark.saturating_sub(self.reach[side].1),
            };
            let rows = &mut self.sides[side].rows;
            self.buckets.empty_until(side, over, |id| {
                rows.remove(id);
                self.removed += 1;
            });
        }
        let groups = self.groups.len();
        if groups >= FEW_GROUPS && 2 * self.removed >= groups {
            self.removed = 0;
            let live = self.buckets.live(groups);
            if 2 * live.true_count() < groups {
                self.groups.retain(&live)?;
                self.buckets.retain(&live);
            }
        }
        Ok(())
    }

    /// What can be said of the times in results: a row may be put out as long after the watermark has passed it as it
    /// waits for others.
    fn watermark_behind(&self, time: i64) -> i64 {
        let delay = self.reach.iter().map(|reach| reach.1).max().unwrap_or_default().max(0);
        if time == i64::MAX { time } else { time.saturating_sub(delay) }
    }
}

impl IntervalSide {
    fn new(schema: &SchemaRef, time: usize, is_tracked: bool) -> std::result::Result<Self, String> {
        match schema.fields().get(time).map(|field| field.data_type()) {
            Some(DataType::Timestamp(TimeUnit::Millisecond, _)) => {}
            _ => return Err("a time of it is no TIMESTAMP(3) column".to_string()),
        }
        let is_matched = is_tracked.then(Vec::new);
        Ok(Self { rows: RowStore::new(schema.clone()), time, is_matched, waiting: BinaryHeap::new() })
    }

    /// Notes of a stored row whether it has a match; if not, it may wait for one, which reaches this far beyond its time.
    pub fn note(&mut self, id: RowId, time: i64, is_matched: bool, waits: Option<i64>) {
        let Some(all) = &mut self.is_matched else { return };
        if all.len() <= id as usize {
            all.resize(id as usize + 1, false);
        }
        all[id as usize] = is_matched;
        if let Some(reach) = waits
            && !is_matched
        {
            self.waiting.push(Reverse((time.saturating_add(reach), id)));
        }
    }
}

impl StreamOperator for IntervalJoinOperator {
    fn on_batch(&mut self, input: usize, rows: RecordBatch, output: &mut Output) -> Result<()> {
        let rows = self.matchable(input, rows, output)?;
        if rows.num_rows() == 0 {
            return Ok(());
        }
        self.process(input, &rows, output)
    }

    fn on_watermark(&mut self, watermark: Watermark, output: &mut Output) -> Result<()> {
        let Watermark::At(time) = watermark else {
            output.push(Element::Watermark(watermark));
            return Ok(());
        };
        if time > self.watermark {
            self.watermark = time;
            self.put_out_unmatched(output)?;
            self.forget()?;
        }
        output.push(Element::Watermark(Watermark::At(self.watermark_behind(time))));
        Ok(())
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
        let times = self.sides.each_ref().map(|side| side.time);
        Some(format!("interval-join/2 {:?} {} {} times={times:?}", self.kind, self.on.layout(), self.state.layout()))
    }

    fn late_rows(&self) -> u64 {
        self.late_rows
    }

    fn state_bytes(&self) -> u64 {
        let rows: usize = self.sides.iter().map(|side| side.rows.bytes() + side.waiting.capacity() * 16).sum();
        (rows + self.groups.bytes() + self.buckets.bytes()) as u64
    }
}
