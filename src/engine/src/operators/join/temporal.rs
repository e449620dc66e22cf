//! The join of rows with the version of a table that was valid at their time. Left rows wait until the watermark says
//! that all versions up to their time are known; versions wait until no left row can ask for them.

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::{filter_record_batch, not};
use arrow::datatypes::{DataType, SchemaRef, TimeUnit, TimestampMillisecondType};
use arrow::error::ArrowError;
use tidemill_model::key_groups::KeyGroupRange;
use tidemill_plan::{Change, JoinKind, TemporalJoin};

use super::on::{On, Pairs};
use super::results::{ResultShape, Results};
use super::state::StateShape;
use super::versions::Versions;
use super::waiting::{Waiting, WaitingRow};
use super::{LEFT, PAIRS, RIGHT, Side, inputs, temporal_state};
use crate::change::split;
use crate::element::{Element, Watermark};
use crate::groups::GroupTable;
use crate::hash::hash_rows;
use crate::operator::{Output, Result, StreamOperator};
use crate::operators::Spec;
use crate::rows::{NO_ROW, RowId, RowStore};

/// Runs a [`TemporalJoin`].
pub struct TemporalJoinOperator {
    kind: JoinKind,
    pub(super) on: On,
    /// The keys of both sides.
    pub(super) groups: GroupTable,
    pub(super) rows: [RowStore; 2],
    pub(super) times: [usize; 2],
    pub(super) waiting: Waiting,
    pub(super) versions: Versions,
    shape: ResultShape,
    pub(super) state: StateShape,
    pub(super) owned: KeyGroupRange,
    pub(super) watermark: i64,
    /// Rows forgotten since groups without rows were looked for.
    removed: usize,
}

/// Groups fewer than this are not worth tidying.
const FEW_GROUPS: usize = 1024;

impl TemporalJoinOperator {
    pub fn new(join: &TemporalJoin, spec: &Spec<'_>) -> std::result::Result<Self, String> {
        let (nodes, schemas) = inputs(spec)?;
        if !matches!(join.kind, JoinKind::Inner | JoinKind::Left) {
            return Err(format!("a temporal join is inner or left, not {:?}", join.kind));
        }
        if spec.node.changelog.is_append() && !nodes[LEFT].changelog.is_append() {
            return Err("its rows are taken back, which its output has no column for".to_string());
        }
        let times = [join.left_time, join.right_time];
        for (schema, time) in schemas.iter().zip(times) {
            check_time(schema, time)?;
        }
        let on = On::new(spec, &join.on, &schemas)?;
        Ok(Self {
            kind: join.kind,
            groups: GroupTable::new(&on.key_types).map_err(|error| error.to_string())?,
            on,
            times,
            waiting: Waiting::default(),
            versions: Versions::default(),
            shape: ResultShape::new(join.kind, spec)?,
            state: StateShape::new(temporal_state::notes(), &schemas),
            rows: schemas.map(RowStore::new),
            owned: spec.owned,
            watermark: i64::MIN,
            removed: 0,
        })
    }

    /// The rows that matter: those whose key and time have no NULLs. A left join puts the others out at once.
    fn matchable(
        &self,
        side: Side,
        rows: RecordBatch,
        output: &mut Output,
    ) -> std::result::Result<RecordBatch, ArrowError> {
        let times = rows.column(self.times[side]);
        let with_key = self.on.matchable(side, rows.columns());
        let (_, changes) = split(&rows);
        let is_former = |row: usize| {
            side == RIGHT && changes.is_some_and(|changes| changes.value(row) == Change::UpdateBefore as i8)
        };
        if with_key.is_none() && times.null_count() == 0 && (side == LEFT || changes.is_none()) {
            return Ok(rows);
        }
        let matches = |row: usize| {
            // A former row ends when the next one begins; that it is taken back tells nothing new.
            times.is_valid(row) && with_key.as_ref().is_none_or(|with_key| with_key.value(row)) && !is_former(row)
        };
        let matchable: BooleanArray = (0..rows.num_rows()).map(|row| Some(matches(row))).collect();
        if side == LEFT && self.kind == JoinKind::Left && matchable.false_count() > 0 {
            let unmatchable = filter_record_batch(&rows, &not(&matchable)?)?;
            output.push(Element::Batch(self.shape.unmatched(side, &unmatchable)?));
        }
        filter_record_batch(&rows, &matchable)
    }

    /// Stores rows of a side; `change` tells of each what becomes of it.
    pub(super) fn store(
        &mut self,
        side: Side,
        columns: &[ArrayRef],
        rows: usize,
        change: impl Fn(usize) -> Change,
    ) -> std::result::Result<(), ArrowError> {
        let keys = self.on.keys(side, columns);
        let (mut hashes, mut groups, mut ids) = (Vec::new(), Vec::new(), Vec::new());
        hash_rows(&keys, rows, &mut hashes);
        self.groups.intern(&keys, &hashes, &mut groups)?;
        self.rows[side].insert(columns, rows, &mut ids)?;
        let times = columns[self.times[side]].as_primitive::<TimestampMillisecondType>().values();
        let rows = groups.into_iter().zip(times).zip(ids).enumerate();
        if side == LEFT {
            let waiting =
                rows.map(|(row, ((group, time), id))| WaitingRow { group, time: *time, id, change: change(row) });
            self.waiting.push(waiting.collect());
            return Ok(());
        }
        for (row, ((group, time), id)) in rows {
            let is_end = !change(row).is_addition();
            if let Some(replaced) = self.versions.insert(group, id, *time, is_end) {
                self.rows[RIGHT].remove(replaced);
            }
        }
        Ok(())
    }

    /// Puts out the results of left rows, in the order in which they came.
    fn put_out(&mut self, due: &[WaitingRow], output: &mut Output) -> Result<()> {
        let wanted: Vec<(u32, i64)> = due.iter().map(|row| (row.group, row.time)).collect();
        let valid = self.versions.valid(&wanted);
        for (due, valid) in due.chunks(PAIRS).zip(valid.chunks(PAIRS)) {
            let ids: Vec<RowId> = due.iter().map(|row| row.id).collect();
            let columns = self.rows[LEFT].columns(&ids)?;
            let mut pairs = Pairs::default();
            for (row, id) in valid.iter().enumerate().filter(|(_, id)| **id != NO_ROW) {
                pairs.push(row as u32, *id);
            }
            self.on.keep_matches(LEFT, &columns, &self.rows[RIGHT], &mut pairs)?;
            let mut matches = vec![NO_ROW; due.len()];
            pairs.rows.iter().zip(&pairs.ids).for_each(|(row, id)| matches[*row as usize] = *id);
            let mut results = Results::default();
            for (row, id) in matches.into_iter().enumerate() {
                if id != NO_ROW || self.kind == JoinKind::Left {
                    results.push(row as u32, id, due[row].change);
                }
            }
            if !results.is_empty() {
                let rows = self.shape.take(LEFT, &columns, &self.rows[RIGHT], &mut results)?;
                output.push(Element::Batch(rows));
            }
        }
        Ok(())
    }

    /// Forgets keys without rows once they outnumber the others.
    fn forget_groups(&mut self) -> std::result::Result<(), ArrowError> {
        let groups = self.groups.len();
        if groups < FEW_GROUPS || 2 * self.removed < groups {
            return Ok(());
        }
        self.removed = 0;
        let mut live: Vec<bool> = (0..groups).map(|group| !self.versions.is_empty(group as u32)).collect();
        self.waiting.rows_mut().for_each(|row| live[row.group as usize] = true);
        let mut next = 0;
        let numbers: Vec<u32> = live
            .iter()
            .map(|is_live| {
                next += u32::from(*is_live);
                next.saturating_sub(1)
            })
            .collect();
        if 2 * (next as usize) < groups {
            let live = BooleanArray::from(live);
            self.groups.retain(&live)?;
            self.versions.retain(&live, &numbers);
            self.waiting.rows_mut().for_each(|row| row.group = numbers[row.group as usize]);
        }
        Ok(())
    }

    fn advance(&mut self, time: i64, output: &mut Output) -> Result<()> {
        self.watermark = time;
        let due = self.waiting.take_until(time);
        self.put_out(&due, output)?;
        self.removed += due.len();
        due.iter().for_each(|row| self.rows[LEFT].remove(row.id));
        let Self { versions, rows, removed, .. } = self;
        versions.forget_until(time, |id| {
            rows[RIGHT].remove(id);
            *removed += 1;
        });
        Ok(self.forget_groups()?)
    }
}

fn check_time(schema: &SchemaRef, time: usize) -> std::result::Result<(), String> {
    match schema.fields().get(time).map(|field| field.data_type()) {
        Some(DataType::Timestamp(TimeUnit::Millisecond, _)) => Ok(()),
        _ => Err("a time of it is no TIMESTAMP(3) column".to_string()),
    }
}

impl StreamOperator for TemporalJoinOperator {
    fn on_batch(&mut self, input: usize, rows: RecordBatch, output: &mut Output) -> Result<()> {
        let rows = self.matchable(input, rows, output)?;
        let (columns, changes) = split(&rows);
        let change = |row| changes.and_then(|changes| Change::of(changes.value(row))).unwrap_or(Change::Insert);
        match rows.num_rows() {
            0 => Ok(()),
            count => Ok(self.store(input, columns, count, change)?),
        }
    }

    fn on_watermark(&mut self, watermark: Watermark, output: &mut Output) -> Result<()> {
        if let Watermark::At(time) = watermark
            && time > self.watermark
        {
            self.advance(time, output)?;
        }
        output.push(Element::Watermark(watermark));
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
        Some(format!("temporal-join/2 {} {} times={:?}", self.on.layout(), self.state.layout(), self.times))
    }

    fn state_bytes(&self) -> u64 {
        let rows: usize = self.rows.iter().map(RowStore::bytes).sum();
        (rows + self.groups.bytes() + self.versions.bytes() + self.waiting.bytes()) as u64
    }
}
