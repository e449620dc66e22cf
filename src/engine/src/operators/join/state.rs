//! Captured rows of both sides in one schema: the key group, the side, what a join notes of a row, then the columns of
//! both sides, of which the other side's are NULL.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{ArrayRef, Int8Array, RecordBatch, UInt32Array, new_null_array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Int8Type, Schema, SchemaRef, UInt32Type};
use arrow::error::ArrowError;
use tidemill_model::key_groups::{KeyGroupRange, key_group};

use super::{LEFT, Side};
use crate::state::KEY_GROUP;

/// Rows that are captured as one batch.
pub const CAPTURED: usize = 8192;

/// The columns of captured rows.
pub struct StateShape {
    schema: SchemaRef,
    notes: usize,
    left: usize,
    /// For each column [`CAPTURED`] NULLs, which captured rows of the other side share.
    nulls: Vec<ArrayRef>,
}

/// Rows of one side that come back.
pub struct Restored {
    pub rows: usize,
    pub notes: Vec<ArrayRef>,
    pub columns: Vec<ArrayRef>,
}

impl StateShape {
    pub fn new(notes: Vec<Field>, inputs: &[SchemaRef; 2]) -> Self {
        let mut fields =
            vec![Field::new(KEY_GROUP, DataType::UInt32, false), Field::new("side", DataType::Int8, false)];
        let count = notes.len();
        fields.extend(notes);
        let columns = inputs.iter().flat_map(|schema| schema.fields());
        fields.extend(columns.map(|field| field.as_ref().clone().with_nullable(true)));
        let nulls = fields.iter().map(|field| new_null_array(field.data_type(), CAPTURED)).collect();
        Self { schema: Arc::new(Schema::new(fields)), notes: count, left: inputs[LEFT].fields().len(), nulls }
    }

    /// Rows of one side, whose keys have these hashes.
    pub fn rows(
        &self,
        side: Side,
        hashes: impl Iterator<Item = u64>,
        notes: Vec<ArrayRef>,
        columns: Vec<ArrayRef>,
    ) -> Result<RecordBatch, ArrowError> {
        let groups = UInt32Array::from_iter_values(hashes.map(key_group));
        let rows = groups.len();
        let mut all: Vec<ArrayRef> = vec![Arc::new(groups), Arc::new(Int8Array::from(vec![side as i8; rows]))];
        all.extend(notes);
        let first = if side == LEFT { all.len() } else { all.len() + self.left };
        let null = |null: &ArrayRef| match rows <= CAPTURED {
            true => null.slice(0, rows),
            false => new_null_array(null.data_type(), rows),
        };
        all.extend(self.nulls[all.len()..first].iter().map(null));
        all.extend(columns);
        all.extend(self.nulls[all.len()..].iter().map(null));
        RecordBatch::try_new(self.schema.clone(), all)
    }

    /// Those of the captured rows that are of this side and these key groups.
    pub fn restored(&self, rows: &RecordBatch, side: Side, owned: KeyGroupRange) -> Result<Restored, ArrowError> {
        let groups = rows.column(0).as_primitive::<UInt32Type>();
        let sides = rows.column(1).as_primitive::<Int8Type>();
        let is_wanted =
            |row: &u32| sides.value(*row as usize) == side as i8 && owned.contains(groups.value(*row as usize));
        let places: Vec<u32> = (0..rows.num_rows() as u32).filter(is_wanted).collect();
        let places = UInt32Array::from(places);
        let taken = |columns: &[ArrayRef]| -> Result<Vec<ArrayRef>, ArrowError> {
            columns.iter().map(|column| take(column, &places, None)).collect()
        };
        let (notes, columns) = rows.columns()[2..].split_at(self.notes);
        let (left, right) = columns.split_at(self.left);
        let columns = taken(if side == LEFT { left } else { right })?;
        Ok(Restored { rows: places.len(), notes: taken(notes)?, columns })
    }

    /// Names the columns' types for the layout of state.
    pub fn layout(&self) -> String {
        let types: Vec<String> = self.schema.fields()[2..].iter().map(|field| field.data_type().to_string()).collect();
        format!("columns=[{}] left={}", types.join(","), self.left)
    }
}
