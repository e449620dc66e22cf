//! Result rows of a join: noted as pairs of numbers while rows are matched, put together column by column afterwards.

use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array, new_null_array};
use arrow::buffer::NullBuffer;
use arrow::compute::take;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use tidemill_plan::{Change, JoinKind, PlanNode};

use super::{LEFT, PAIRS, RIGHT, Side, inputs, other};
use crate::change;
use crate::operators::Spec;
use crate::rows::{NO_ROW, RowId, RowStore};

/// Result rows, each of a row of the batch under way and a stored row of the other side. [`NO_ROW`] in either stands for
/// NULLs.
#[derive(Default)]
pub struct Results {
    rows: Vec<u32>,
    ids: Vec<RowId>,
    changes: Vec<i8>,
}

/// Where the columns of a result come from.
pub struct ResultShape {
    schema: SchemaRef,
    types: [Vec<DataType>; 2],
    has_right: bool,
    has_changes: bool,
}

impl Results {
    pub fn push(&mut self, row: u32, id: RowId, change: Change) {
        self.rows.push(row);
        self.ids.push(id);
        self.changes.push(change as i8);
    }

    /// Rows that only come, all at once.
    pub fn extend(&mut self, rows: &[u32], ids: &[RowId]) {
        self.rows.extend_from_slice(rows);
        self.ids.extend_from_slice(ids);
        self.changes.resize(self.rows.len(), Change::Insert as i8);
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether there are enough of them to be put out.
    pub fn is_full(&self) -> bool {
        self.rows.len() >= PAIRS
    }
}

impl ResultShape {
    pub fn new(kind: JoinKind, spec: &Spec<'_>) -> Result<Self, String> {
        let (_, schemas) = inputs(spec)?;
        Self::of(kind, schemas, spec)
    }

    /// Likewise, for a join whose sides have these columns.
    pub fn of(kind: JoinKind, schemas: [SchemaRef; 2], spec: &Spec<'_>) -> Result<Self, String> {
        let types = schemas.map(|schema| schema.fields().iter().map(|field| field.data_type().clone()).collect());
        let has_right = !matches!(kind, JoinKind::Semi | JoinKind::Anti);
        let shape = Self { schema: spec.node.batch_schema(), types, has_right, has_changes: has_changes(spec.node) };
        let columns = shape.types[LEFT].len() + if has_right { shape.types[RIGHT].len() } else { 0 };
        if columns != spec.node.schema.fields().len() {
            return Err(format!("it puts out {columns} columns, not {}", spec.node.schema.fields().len()));
        }
        Ok(shape)
    }

    /// The results, which are taken away. `columns` are those of the batch, which is of `side`.
    pub fn take(
        &self,
        side: Side,
        columns: &[ArrayRef],
        stored: &RowStore,
        results: &mut Results,
    ) -> Result<RecordBatch, ArrowError> {
        let Results { rows, ids, changes } = std::mem::take(results);
        let sides = if self.has_right { &[LEFT, RIGHT][..] } else { &[LEFT][..] };
        let mut put_out = Vec::with_capacity(self.schema.fields().len());
        for of in sides {
            match *of == side {
                true => put_out.extend(self.of_batch(side, columns, &rows)?),
                false => put_out.extend(self.of_store(other(side), stored, &ids)?),
            }
        }
        if !self.has_changes && put_out.is_empty() {
            // Without columns nothing else tells how many rows there are.
            let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows.len()));
            return RecordBatch::try_new_with_options(self.schema.clone(), put_out, &options);
        }
        change::batch(&self.schema, put_out, self.has_changes.then_some(changes))
    }

    /// Rows of this side, each without a match.
    pub fn unmatched(&self, side: Side, rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let (columns, changes) = change::split(rows);
        let mut put_out = columns.to_vec();
        if self.has_right {
            let nulls = self.nulls(other(side), rows.num_rows());
            put_out = if side == LEFT { [put_out, nulls] } else { [nulls, put_out] }.concat();
        }
        let change = |row| if change::is_addition(changes, row) { Change::Insert } else { Change::Delete };
        let changes = self.has_changes.then(|| (0..rows.num_rows()).map(|row| change(row) as i8).collect());
        change::batch(&self.schema, put_out, changes)
    }

    fn of_batch(&self, side: Side, columns: &[ArrayRef], rows: &[u32]) -> Result<Vec<ArrayRef>, ArrowError> {
        let nulls = rows.iter().filter(|row| **row == NO_ROW).count();
        if nulls == rows.len() {
            return Ok(self.nulls(side, rows.len()));
        }
        // Very often every row of a batch has exactly one match.
        if columns.first().is_some_and(|column| column.len() == rows.len()) && is_counting(rows) {
            return Ok(columns.to_vec());
        }
        let present = (nulls > 0).then(|| NullBuffer::from_iter(rows.iter().map(|row| *row != NO_ROW)));
        let places = UInt32Array::new(rows.to_vec().into(), present);
        columns.iter().map(|column| take(column, &places, None)).collect()
    }

    fn of_store(&self, side: Side, stored: &RowStore, ids: &[RowId]) -> Result<Vec<ArrayRef>, ArrowError> {
        match ids.iter().all(|id| *id == NO_ROW) {
            true => Ok(self.nulls(side, ids.len())),
            false => stored.columns(ids),
        }
    }

    fn nulls(&self, side: Side, rows: usize) -> Vec<ArrayRef> {
        self.types[side].iter().map(|data_type| new_null_array(data_type, rows)).collect()
    }
}

fn has_changes(node: &PlanNode) -> bool {
    !node.changelog.is_append()
}

fn is_counting(rows: &[u32]) -> bool {
    rows.iter().enumerate().all(|(place, row)| *row as usize == place)
}
