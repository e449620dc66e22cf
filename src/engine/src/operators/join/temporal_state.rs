//! What of a temporal join survives a restart: the left rows that wait, in their order, and the versions that may be
//! needed.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{ArrayRef, Int8Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int8Type};
use arrow::error::ArrowError;
use tidemill_plan::Change;

use super::state::CAPTURED;
use super::temporal::TemporalJoinOperator;
use super::{LEFT, RIGHT, Side};
use crate::rows::RowId;

/// The columns of what is noted of a row.
pub fn notes() -> Vec<Field> {
    vec![Field::new("change", DataType::Int8, false)]
}

impl TemporalJoinOperator {
    pub(super) fn captured(&self) -> Result<Vec<RecordBatch>, ArrowError> {
        let left = self.waiting.rows().map(|row| (row.group, row.id, row.change));
        let mut captured = self.captured_side(LEFT, &left.collect::<Vec<_>>())?;
        let right = self
            .versions
            .all()
            .map(|(group, id, version)| (group, id, if version.is_end { Change::Delete } else { Change::Insert }));
        let mut right: Vec<_> = right.collect();
        // The oldest first: so each version that comes back has its place at the head of its list.
        right.reverse();
        captured.extend(self.captured_side(RIGHT, &right)?);
        Ok(captured)
    }

    fn captured_side(&self, side: Side, rows: &[(u32, RowId, Change)]) -> Result<Vec<RecordBatch>, ArrowError> {
        let mut captured = Vec::with_capacity(rows.len() / CAPTURED + 1);
        for part in rows.chunks(CAPTURED) {
            let ids: Vec<RowId> = part.iter().map(|(_, id, _)| *id).collect();
            let hashes = part.iter().map(|(group, ..)| self.groups.hashes()[*group as usize]);
            let changes = Int8Array::from_iter_values(part.iter().map(|(.., change)| *change as i8));
            let notes: Vec<ArrayRef> = vec![Arc::new(changes)];
            captured.push(self.state.rows(side, hashes, notes, self.rows[side].columns(&ids)?)?);
        }
        Ok(captured)
    }

    pub(super) fn restored(&mut self, rows: &RecordBatch) -> Result<(), ArrowError> {
        for side in [LEFT, RIGHT] {
            let restored = self.state.restored(rows, side, self.owned)?;
            if restored.rows == 0 {
                continue;
            }
            let changes = restored.notes[0].as_primitive::<Int8Type>();
            let change = |row| Change::of(changes.value(row)).unwrap_or(Change::Insert);
            self.store(side, &restored.columns, restored.rows, change)?;
        }
        Ok(())
    }
}
