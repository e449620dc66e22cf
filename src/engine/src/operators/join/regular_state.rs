//! What of a regular join survives a restart: the rows of both sides, with their matches and when they came.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type};
use arrow::error::ArrowError;

use super::regular::JoinOperator;
use super::side::JoinSide;
use super::{LEFT, RIGHT};
use crate::hash::hash_rows;
use crate::rows::RowId;

/// The columns of what is noted of a row.
pub fn notes() -> Vec<Field> {
    ["matches", "born_ms"].map(|name| Field::new(name, DataType::Int64, true)).into()
}

impl JoinOperator {
    pub(super) fn captured(&self) -> Result<Vec<RecordBatch>, ArrowError> {
        let mut captured = Vec::new();
        for (number, side) in self.sides.iter().enumerate() {
            let mut hashes = vec![0; side.rows.capacity()];
            for (group, hash) in self.groups.hashes().iter().enumerate() {
                side.chains.rows(group as u32).for_each(|id| hashes[id as usize] = *hash);
            }
            for chunk in side.rows.chunks() {
                let (columns, ids) = chunk?;
                let hashes = ids.iter().map(|id| hashes[*id as usize]);
                captured.push(self.state.rows(number, hashes, notes_of(side, &ids), columns)?);
            }
        }
        Ok(captured)
    }

    pub(super) fn restored(&mut self, rows: &RecordBatch) -> Result<(), ArrowError> {
        for number in [LEFT, RIGHT] {
            let restored = self.state.restored(rows, number, self.owned)?;
            let keys = self.on.keys(number, &restored.columns);
            let (mut hashes, mut groups, mut ids) = (Vec::new(), Vec::new(), Vec::new());
            hash_rows(&keys, restored.rows, &mut hashes);
            self.groups.intern(&keys, &hashes, &mut groups)?;
            let side = &mut self.sides[number];
            side.rows.insert(&restored.columns, restored.rows, &mut ids)?;
            groups.iter().zip(&ids).for_each(|(group, id)| side.chains.push(*group, *id));
            if let Some(identities) = &mut side.identities {
                let values = identities.of(&restored.columns, restored.rows)?;
                values.iter().zip(&ids).for_each(|(value, id)| identities.insert(*value, *id));
            }
            restore_notes(side, &ids, &restored.notes);
        }
        Ok(())
    }
}

fn notes_of(side: &JoinSide, ids: &[RowId]) -> Vec<ArrayRef> {
    let matches = side.matches.as_ref();
    let matches: Int64Array = ids.iter().map(|id| matches.map(|matches| i64::from(matches[*id as usize]))).collect();
    let born: Int64Array = ids.iter().map(|id| side.ages.as_ref().map(|ages| ages.of(*id))).collect();
    vec![Arc::new(matches), Arc::new(born)]
}

fn restore_notes(side: &mut JoinSide, ids: &[RowId], notes: &[ArrayRef]) {
    let (counts, born) = (notes[0].as_primitive::<Int64Type>(), notes[1].as_primitive::<Int64Type>());
    if let Some(matches) = &mut side.matches {
        matches.resize(side.rows.capacity(), 0);
        ids.iter().enumerate().for_each(|(row, id)| matches[*id as usize] = counts.value(row) as u32);
    }
    if let Some(ages) = &mut side.ages {
        for (row, id) in ids.iter().enumerate() {
            match born.is_valid(row) {
                true => ages.restore(*id, born.value(row)),
                // There was no time to live before: the row is as old as the restart.
                false => ages.note(std::slice::from_ref(id)),
            }
        }
    }
}
