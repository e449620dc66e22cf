//! What survives a restart: the rows that partial matches have taken or that wait for their turn, and from which row
//! on matches may begin. Partial matches themselves are not kept: they follow from the rows, which are taken again.
//!
//! That brings back just what was there. A match that was put out, or its skip, moved the row that matches begin at
//! past its own first row, so it is not found again; and any other match that is complete waits for a partial one that
//! began earlier, and will wait for it again.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, UInt32Type};
use arrow::error::ArrowError;
use tidemill_model::key_groups::key_group;

use super::matcher::Due;
use super::operator::MatchOperator;
use super::waiting::WaitingRow;
use crate::operator::Result;
use crate::rows::RowId;
use crate::state::KEY_GROUP;

/// Columns before those of the input.
const OWN_COLUMNS: usize = 4;

/// Rows that came before the restart, not yet put in order.
#[derive(Default)]
pub struct Restored(Vec<RestoredRow>);

struct RestoredRow {
    place: i64,
    row: WaitingRow,
    /// None for a row that still waits.
    taken: Option<Taken>,
}

#[derive(Clone, Copy)]
struct Taken {
    at: i64,
    may_begin: bool,
}

/// The rows of a capture, column by column.
#[derive(Default)]
struct Capture {
    groups: Vec<u32>,
    places: Vec<i64>,
    /// None for rows that still wait.
    taken_at: Vec<Option<i64>>,
    may_begin: Vec<bool>,
    ids: Vec<RowId>,
}

impl Capture {
    fn push(&mut self, group: u32, id: RowId, taken_at: Option<i64>, may_begin: bool) {
        self.groups.push(group);
        self.places.push(self.places.len() as i64);
        self.taken_at.push(taken_at);
        self.may_begin.push(may_begin);
        self.ids.push(id);
    }
}

impl MatchOperator {
    pub(super) fn captured(&self) -> std::result::Result<RecordBatch, ArrowError> {
        let mut capture = Capture::default();
        for (group, partition) in self.matcher.partitions.iter().enumerate() {
            let begins_at = partition.search.begins_at(partition.log.next());
            for (number, row) in partition.log.iter() {
                capture.push(group as u32, row.id, Some(row.time), number >= begins_at);
            }
        }
        for row in &self.waiting {
            capture.push(row.group, row.id, None, true);
        }
        let hashes = self.groups.hashes();
        let key_groups = capture.groups.iter().map(|group| key_group(hashes[*group as usize]));
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(UInt32Array::from_iter_values(key_groups)),
            Arc::new(Int64Array::from(capture.places)),
            Arc::new(Int64Array::from(capture.taken_at)),
            Arc::new(BooleanArray::from(capture.may_begin)),
        ];
        columns.extend(self.matcher.store.columns(&capture.ids)?);
        RecordBatch::try_new(Arc::new(self.state_schema()), columns)
    }

    fn state_schema(&self) -> Schema {
        let mut fields = vec![
            Arc::new(Field::new(KEY_GROUP, DataType::UInt32, false)),
            Arc::new(Field::new("place", DataType::Int64, false)),
            Arc::new(Field::new("taken_at", DataType::Int64, true)),
            Arc::new(Field::new("may_begin", DataType::Boolean, false)),
        ];
        fields.extend(self.matcher.store.schema().fields().iter().cloned());
        Schema::new(fields)
    }

    /// Takes captured rows back, to be put in order by [`MatchOperator::settle`].
    pub(super) fn take_back(&mut self, rows: &RecordBatch) -> Result<()> {
        let key_groups = rows.column(0).as_primitive::<UInt32Type>();
        let is_owned = |row: &u32| self.owned.contains(key_groups.value(*row as usize));
        let owned: Vec<u32> = (0..rows.num_rows() as u32).filter(is_owned).collect();
        let rows = take_record_batch(rows, &UInt32Array::from(owned))?;
        let input = rows.project(&(OWN_COLUMNS..rows.num_columns()).collect::<Vec<_>>())?;
        let event_times = self.times(&input)?;
        let groups = self.groups_of(&input)?;
        let ids = self.insert(&input)?;
        let integers = |column: usize| rows.column(column).as_primitive::<Int64Type>();
        let (places, taken_at) = (integers(1), integers(2));
        let may_begin = rows.column(3).as_boolean();
        for (row, (id, group)) in ids.into_iter().zip(groups).enumerate() {
            let time = event_times.as_ref().map_or(0, |times| times[row]);
            let taken =
                (!taken_at.is_null(row)).then(|| Taken { at: taken_at.value(row), may_begin: may_begin.value(row) });
            let row = RestoredRow { place: places.value(row), row: WaitingRow { id, group, time }, taken };
            self.restored.0.push(row);
        }
        Ok(())
    }

    /// Takes the rows again that were taken before a restart. Nothing that follows from them is put out.
    pub(super) fn settle(&mut self) -> Result<()> {
        if self.restored.0.is_empty() {
            return Ok(());
        }
        let mut rows = std::mem::take(&mut self.restored.0);
        rows.sort_by_key(|restored| (restored.row.group, restored.place));
        let mut due = Due::default();
        for RestoredRow { row, taken, .. } in rows {
            let partition = &mut self.matcher.partitions[row.group as usize];
            let Some(taken) = taken else {
                partition.waiting += 1;
                self.waiting.push(row);
                continue;
            };
            if !taken.may_begin {
                partition.search.begin_later();
            }
            due.ids.push(row.id);
            due.groups.push(row.group);
            due.times.push(taken.at);
        }
        self.matcher.take(&due)?;
        debug_assert!(self.matcher.found.is_empty(), "matches that were put out are not found again");
        self.matcher.found.clear();
        self.matcher.forget_rows();
        Ok(())
    }
}
