//! What of an interval join survives a restart: its rows, and whether they have had a match.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::datatypes::{DataType, Field};
use arrow::error::ArrowError;

use super::interval::IntervalJoinOperator;
use super::regular::keeps_unmatched;
use super::state::CAPTURED;
use super::{LEFT, RIGHT};
use crate::hash::hash_rows;
use crate::rows::RowId;

/// The columns of what is noted of a row.
pub fn notes() -> Vec<Field> {
    vec![Field::new("matched", DataType::Boolean, false)]
}

impl IntervalJoinOperator {
    pub(super) fn captured(&self) -> Result<Vec<RecordBatch>, ArrowError> {
        let mut captured = Vec::new();
        for number in [LEFT, RIGHT] {
            let side = &self.sides[number];
            let rows: Vec<(u32, RowId)> = self.buckets.all(number).collect();
            for part in rows.chunks(CAPTURED) {
                let ids: Vec<RowId> = part.iter().map(|(_, id)| *id).collect();
                let hashes = part.iter().map(|(group, _)| self.groups.hashes()[*group as usize]);
                let is_matched = |id: &RowId| side.is_matched.as_ref().is_some_and(|all| all[*id as usize]);
                let is_matched: BooleanArray = ids.iter().map(|id| Some(is_matched(id))).collect();
                let notes: Vec<ArrayRef> = vec![Arc::new(is_matched)];
                captured.push(self.state.rows(number, hashes, notes, side.rows.columns(&ids)?)?);
            }
        }
        Ok(captured)
    }

    pub(super) fn restored(&mut self, rows: &RecordBatch) -> Result<(), ArrowError> {
        for number in [LEFT, RIGHT] {
            let restored = self.state.restored(rows, number, self.owned)?;
            if restored.rows == 0 {
                continue;
            }
            let keys = self.on.keys(number, &restored.columns);
            let (mut hashes, mut groups, mut ids) = (Vec::new(), Vec::new(), Vec::new());
            hash_rows(&keys, restored.rows, &mut hashes);
            self.groups.intern(&keys, &hashes, &mut groups)?;
            let times = self.times(number, &restored.columns);
            let side = &mut self.sides[number];
            side.rows.insert(&restored.columns, restored.rows, &mut ids)?;
            let is_matched = restored.notes[0].as_boolean();
            let waits = keeps_unmatched(self.kind, number).then_some(self.reach[number].1);
            for (row, id) in ids.into_iter().enumerate() {
                self.buckets.insert(number, groups[row], times[row], id);
                side.note(id, times[row], is_matched.value(row), waits);
            }
        }
        Ok(())
    }
}
