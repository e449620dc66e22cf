//! Rows kept as state: columns in chunks, each row found by a number of its own that never changes while it is there.
//!
//! A batch is taken in as it is, without copying. Small chunks that have piled up are copied together, about log₂ of
//! [`CHUNK_ROWS`] times for each row at worst. Rows that are removed leave holes; when holes outnumber rows, all rows are
//! copied into new chunks. Callers do not notice: only the places behind the numbers change.

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::interleave;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

/// A row's number.
pub type RowId = u32;

/// Rows of a chunk that was made by copying.
const CHUNK_ROWS: usize = 8192;
/// Small chunks that are copied together.
const MERGED: usize = 8;

/// See the module.
pub struct RowStore {
    schema: SchemaRef,
    chunks: Vec<Chunk>,
    /// Each number's place; [`GONE`] for numbers that are free.
    places: Vec<Place>,
    free: Vec<RowId>,
    /// Rows in chunks, removed ones included.
    held: usize,
}

struct Chunk {
    columns: Vec<ArrayRef>,
    /// Whose number each row had when it came. The row is there if the number's place is still here.
    ids: Vec<RowId>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    chunk: u32,
    row: u32,
}

const GONE: Place = Place { chunk: u32::MAX, row: u32::MAX };

impl RowStore {
    /// For rows of these columns.
    pub fn new(schema: SchemaRef) -> Self {
        Self { schema, chunks: Vec::new(), places: Vec::new(), free: Vec::new(), held: 0 }
    }

    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    pub fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One more than the highest number given out so far: the length of a vector with an entry for each row.
    pub fn capacity(&self) -> usize {
        self.places.len()
    }

    /// Takes in `rows` rows and appends their numbers to `ids`. Columns beyond the schema's are left out.
    pub fn insert(&mut self, columns: &[ArrayRef], rows: usize, ids: &mut Vec<RowId>) -> Result<(), ArrowError> {
        if rows == 0 {
            return Ok(());
        }
        let chunk = self.chunks.len() as u32;
        let mut new = Vec::with_capacity(rows);
        for row in 0..rows as u32 {
            let place = Place { chunk, row };
            new.push(match self.free.pop() {
                Some(id) => {
                    self.places[id as usize] = place;
                    id
                }
                None => {
                    self.places.push(place);
                    self.places.len() as RowId - 1
                }
            });
        }
        ids.extend_from_slice(&new);
        self.chunks.push(Chunk { columns: columns[..self.schema.fields().len()].to_vec(), ids: new });
        self.held += rows;
        self.tidy()
    }

    /// Forgets a row. Its number may be given to another.
    pub fn remove(&mut self, id: RowId) {
        debug_assert!(self.places[id as usize] != GONE, "a row is removed once");
        self.places[id as usize] = GONE;
        self.free.push(id);
    }

    /// The numbers of all rows.
    pub fn ids(&self) -> impl Iterator<Item = RowId> {
        let present = |(_, place): &(usize, &Place)| **place != GONE;
        self.places.iter().enumerate().filter(present).map(|(id, _)| id as RowId)
    }

    /// One column of the rows with these numbers, in their order.
    pub fn column(&self, column: usize, ids: &[RowId]) -> Result<ArrayRef, ArrowError> {
        let places: Vec<(usize, usize)> = ids.iter().map(|id| self.place(*id)).collect();
        self.gather(column, &places)
    }

    /// All columns of the rows with these numbers, in their order.
    pub fn columns(&self, ids: &[RowId]) -> Result<Vec<ArrayRef>, ArrowError> {
        let places: Vec<(usize, usize)> = ids.iter().map(|id| self.place(*id)).collect();
        (0..self.schema.fields().len()).map(|column| self.gather(column, &places)).collect()
    }

    /// The rows with these numbers, in their order.
    pub fn batch(&self, ids: &[RowId]) -> Result<RecordBatch, ArrowError> {
        let options = RecordBatchOptions::new().with_row_count(Some(ids.len()));
        RecordBatch::try_new_with_options(self.schema.clone(), self.columns(ids)?, &options)
    }

    /// Bytes held in memory, about.
    pub fn bytes(&self) -> usize {
        let chunks = self.chunks.iter().flat_map(|chunk| &chunk.columns);
        let columns: usize = chunks.map(|column| column.get_array_memory_size()).sum();
        columns + self.places.capacity() * size_of::<Place>()
    }

    fn place(&self, id: RowId) -> (usize, usize) {
        let place = self.places[id as usize];
        debug_assert!(place != GONE, "only rows that are there are read");
        (place.chunk as usize, place.row as usize)
    }

    fn gather(&self, column: usize, places: &[(usize, usize)]) -> Result<ArrayRef, ArrowError> {
        if self.chunks.is_empty() {
            return Ok(arrow::array::new_empty_array(self.schema.field(column).data_type()));
        }
        let chunks: Vec<&dyn arrow::array::Array> =
            self.chunks.iter().map(|chunk| chunk.columns[column].as_ref()).collect();
        interleave(&chunks, places)
    }

    fn tidy(&mut self) -> Result<(), ArrowError> {
        if self.held > CHUNK_ROWS && self.held > 2 * self.len() {
            return self.copy_together(0);
        }
        while let Some(first) = self.chunks.len().checked_sub(MERGED)
            && is_worth_merging(&self.chunks[first..])
        {
            self.copy_together(first)?;
        }
        Ok(())
    }

    /// Copies the chunks from `first` on into new ones.
    fn copy_together(&mut self, first: usize) -> Result<(), ArrowError> {
        let mut ids = Vec::new();
        for (number, chunk) in self.chunks.iter().enumerate().skip(first) {
            let is_here = |(row, id): &(usize, &RowId)| {
                self.places[**id as usize] == Place { chunk: number as u32, row: *row as u32 }
            };
            ids.extend(chunk.ids.iter().enumerate().filter(is_here).map(|(_, id)| *id));
        }
        let mut copies = Vec::with_capacity(ids.len() / CHUNK_ROWS + 1);
        for part in ids.chunks(CHUNK_ROWS) {
            copies.push(Chunk { columns: self.columns(part)?, ids: part.to_vec() });
        }
        self.held -= self.chunks.drain(first..).map(|chunk| chunk.ids.len()).sum::<usize>();
        self.held += ids.len();
        for copy in copies {
            let chunk = self.chunks.len() as u32;
            for (row, id) in copy.ids.iter().enumerate() {
                self.places[*id as usize] = Place { chunk, row: row as u32 };
            }
            self.chunks.push(copy);
        }
        Ok(())
    }
}

/// Small chunks of which none is more than half of all are: then each row copied at least doubles its chunk, but for
/// those of the largest.
fn is_worth_merging(chunks: &[Chunk]) -> bool {
    let largest = chunks.iter().map(|chunk| chunk.ids.len()).max().unwrap_or_default();
    let all: usize = chunks.iter().map(|chunk| chunk.ids.len()).sum();
    largest < CHUNK_ROWS && 2 * largest <= all
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::cast::AsArray;
    use arrow::array::{Int64Array, StringArray};
    use arrow::datatypes::{DataType, Field, Int64Type, Schema};

    use super::*;

    fn store() -> RowStore {
        let fields = vec![Field::new("n", DataType::Int64, true), Field::new("s", DataType::Utf8, true)];
        RowStore::new(Arc::new(Schema::new(fields)))
    }

    fn insert(store: &mut RowStore, values: impl Iterator<Item = i64> + Clone) -> Vec<RowId> {
        let texts: StringArray = values.clone().map(|value| Some(format!("row {value}"))).collect();
        let columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from_iter_values(values)), Arc::new(texts)];
        let mut ids = Vec::new();
        store.insert(&columns, columns[0].len(), &mut ids).unwrap();
        ids
    }

    #[test]
    fn rows_are_found_by_their_numbers_whatever_comes_and_goes() {
        let mut store = store();
        let mut expected = std::collections::BTreeMap::new();
        for round in 0..400_i64 {
            let values = round * 100..round * 100 + 1 + round % 90;
            let ids = insert(&mut store, values.clone());
            expected.extend(ids.into_iter().zip(values));
            if round % 3 == 0 {
                let gone: Vec<RowId> = expected.keys().copied().filter(|id| id % 2 == 0).collect();
                for id in gone {
                    store.remove(id);
                    expected.remove(&id);
                }
            }
        }
        let ids: Vec<RowId> = store.ids().collect();
        assert_eq!(ids, expected.keys().copied().collect::<Vec<_>>());
        let rows = store.batch(&ids).unwrap();
        assert_eq!(
            rows.column(0).as_primitive::<Int64Type>().values(),
            &expected.into_values().collect::<Vec<_>>()[..]
        );
        assert!(store.chunks.len() <= MERGED * 5 + store.held / CHUNK_ROWS, "{} chunks", store.chunks.len());
    }

    #[test]
    fn nothing_can_be_read_from_an_empty_store() {
        assert_eq!(store().batch(&[]).unwrap().num_rows(), 0);
        assert!(store().is_empty());
    }
}
