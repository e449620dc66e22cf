//! Rows kept as state: columns in chunks, each row found by a number of its own that never changes while it is there.
//!
//! A batch is taken in as it is, without copying. Small chunks that have piled up are copied together, about log₂ of
//! [`CHUNK_ROWS`] times for each row at worst. Rows that are removed leave holes: a chunk of nothing but holes is dropped
//! at once, which is what happens to rows that go in about the order in which they came, and when holes outnumber rows,
//! all rows are copied into new chunks. Callers do not notice: only the places behind the numbers change.

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::interleave;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

/// A row's number.
pub type RowId = u32;

/// The number of no row. Where rows are read by their numbers it stands for NULLs.
pub const NO_ROW: RowId = RowId::MAX;

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
    /// Chunks that have been dropped; they keep their numbers until the others are numbered anew.
    dropped: usize,
}

struct Chunk {
    columns: Vec<ArrayRef>,
    /// Whose number each row had when it came. The row is there if the number's place is still here.
    ids: Vec<RowId>,
    /// How many of them are there.
    present: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    chunk: u32,
    row: u32,
}

/// Rows that are about to be read.
struct Found {
    /// The chunks that have them; [`NOT_READ`] for the one of NULLs.
    chunks: Vec<u32>,
    /// Where among the chunks the one of NULLs is, if it is needed.
    nulls: Option<usize>,
    /// Each row's chunk, as a place in `chunks`, and its row there.
    places: Vec<(usize, usize)>,
}

const NOT_READ: u32 = u32::MAX;

const GONE: Place = Place { chunk: u32::MAX, row: u32::MAX };

impl RowStore {
    /// For rows of these columns.
    pub fn new(schema: SchemaRef) -> Self {
        Self { schema, chunks: Vec::new(), places: Vec::new(), free: Vec::new(), held: 0, dropped: 0 }
    }

    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    pub fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    #[cfg(test)]
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
        self.chunks.push(Chunk { columns: columns[..self.schema.fields().len()].to_vec(), ids: new, present: rows });
        self.held += rows;
        self.tidy()
    }

    /// Forgets a row. Its number may be given to another.
    pub fn remove(&mut self, id: RowId) {
        let place = std::mem::replace(&mut self.places[id as usize], GONE);
        debug_assert!(place != GONE, "a row is removed once");
        self.free.push(id);
        let chunk = &mut self.chunks[place.chunk as usize];
        chunk.present -= 1;
        if chunk.present == 0 {
            self.held -= chunk.ids.len();
            self.dropped += 1;
            *chunk = Chunk { columns: Vec::new(), ids: Vec::new(), present: 0 };
        }
    }

    /// Whether there is a row with this number.
    pub fn contains(&self, id: RowId) -> bool {
        self.places.get(id as usize).is_some_and(|place| *place != GONE)
    }

    /// The numbers of all rows.
    #[cfg(test)]
    pub fn ids(&self) -> impl Iterator<Item = RowId> {
        let present = |(_, place): &(usize, &Place)| **place != GONE;
        self.places.iter().enumerate().filter(present).map(|(id, _)| id as RowId)
    }

    /// One column of the rows with these numbers, in their order.
    pub fn column(&self, column: usize, ids: &[RowId]) -> Result<ArrayRef, ArrowError> {
        self.gather(column, &self.found(ids))
    }

    /// All columns of the rows with these numbers, in their order.
    pub fn columns(&self, ids: &[RowId]) -> Result<Vec<ArrayRef>, ArrowError> {
        let found = self.found(ids);
        (0..self.schema.fields().len()).map(|column| self.gather(column, &found)).collect()
    }

    /// The rows with these numbers, in their order.
    pub fn batch(&self, ids: &[RowId]) -> Result<RecordBatch, ArrowError> {
        let options = RecordBatchOptions::new().with_row_count(Some(ids.len()));
        RecordBatch::try_new_with_options(self.schema.clone(), self.columns(ids)?, &options)
    }

    /// All rows with their numbers, a chunk after the other, as they are: nothing is copied but from chunks with holes.
    pub fn chunks(&self) -> impl Iterator<Item = Result<(Vec<ArrayRef>, Vec<RowId>), ArrowError>> {
        let present = self.chunks.iter().enumerate().filter(|(_, chunk)| chunk.present > 0);
        present.map(|(number, chunk)| {
            if chunk.present == chunk.ids.len() {
                return Ok((chunk.columns.clone(), chunk.ids.clone()));
            }
            let ids: Vec<RowId> = self.present_in(number as u32, chunk).collect();
            Ok((self.columns(&ids)?, ids))
        })
    }

    fn present_in<'a>(&'a self, number: u32, chunk: &'a Chunk) -> impl Iterator<Item = RowId> + 'a {
        let is_here =
            move |(row, id): &(usize, &RowId)| self.places[**id as usize] == Place { chunk: number, row: *row as u32 };
        chunk.ids.iter().enumerate().filter(is_here).map(|(_, id)| *id)
    }

    /// Bytes held in memory, about.
    pub fn bytes(&self) -> usize {
        let chunks = self.chunks.iter().flat_map(|chunk| &chunk.columns);
        let columns: usize = chunks.map(|column| column.get_array_memory_size()).sum();
        columns + self.places.capacity() * size_of::<Place>()
    }

    /// Where rows are, as places among the chunks that have any of them: most reads touch few of many.
    fn found(&self, ids: &[RowId]) -> Found {
        let mut numbers = vec![NOT_READ; self.chunks.len()];
        let mut found = Found { chunks: Vec::new(), nulls: None, places: Vec::with_capacity(ids.len()) };
        for id in ids {
            if *id == NO_ROW {
                let nulls = *found.nulls.get_or_insert_with(|| {
                    found.chunks.push(NOT_READ);
                    found.chunks.len() - 1
                });
                found.places.push((nulls, 0));
                continue;
            }
            let place = self.places[*id as usize];
            debug_assert!(place != GONE, "only rows that are there are read");
            let number = &mut numbers[place.chunk as usize];
            if *number == NOT_READ {
                *number = found.chunks.len() as u32;
                found.chunks.push(place.chunk);
            }
            found.places.push((*number as usize, place.row as usize));
        }
        found
    }

    fn gather(&self, column: usize, found: &Found) -> Result<ArrayRef, ArrowError> {
        let data_type = self.schema.field(column).data_type();
        if found.chunks.is_empty() {
            return Ok(arrow::array::new_empty_array(data_type));
        }
        let null = found.nulls.map(|_| new_null_array(data_type, 1));
        let chunks: Vec<&dyn Array> = found
            .chunks
            .iter()
            .map(|chunk| match &null {
                Some(null) if *chunk == NOT_READ => null.as_ref(),
                _ => self.chunks[*chunk as usize].columns[column].as_ref(),
            })
            .collect();
        interleave(&chunks, &found.places)
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
        if self.dropped > MERGED && 2 * self.dropped > self.chunks.len() {
            self.number_chunks_anew();
        }
        Ok(())
    }

    fn number_chunks_anew(&mut self) {
        let mut next = 0;
        let mut numbers = vec![0; self.chunks.len()];
        for (chunk, number) in self.chunks.iter().zip(&mut numbers) {
            *number = next;
            next += u32::from(chunk.present > 0);
        }
        for place in self.places.iter_mut().filter(|place| **place != GONE) {
            place.chunk = numbers[place.chunk as usize];
        }
        self.chunks.retain(|chunk| chunk.present > 0);
        self.dropped = 0;
    }

    /// Copies the chunks from `first` on into new ones.
    fn copy_together(&mut self, first: usize) -> Result<(), ArrowError> {
        let mut ids = Vec::new();
        for (number, chunk) in self.chunks.iter().enumerate().skip(first) {
            ids.extend(self.present_in(number as u32, chunk));
        }
        let mut copies = Vec::with_capacity(ids.len() / CHUNK_ROWS + 1);
        for part in ids.chunks(CHUNK_ROWS) {
            copies.push(Chunk { columns: self.columns(part)?, ids: part.to_vec(), present: part.len() });
        }
        self.dropped -= self.chunks[first..].iter().filter(|chunk| chunk.present == 0).count();
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
        let mut by_chunks = std::collections::BTreeMap::new();
        for chunk in store.chunks() {
            let (columns, ids) = chunk.unwrap();
            by_chunks.extend(ids.into_iter().zip(columns[0].as_primitive::<Int64Type>().values().to_vec()));
        }
        assert_eq!(by_chunks, expected);
        assert_eq!(
            rows.column(0).as_primitive::<Int64Type>().values(),
            &expected.into_values().collect::<Vec<_>>()[..]
        );
        assert!(store.chunks.len() <= MERGED * 5 + store.held / CHUNK_ROWS, "{} chunks", store.chunks.len());
    }

    #[test]
    fn chunks_without_rows_are_dropped_at_once() {
        let mut store = store();
        let mut queue = std::collections::VecDeque::new();
        for round in 0..2_000 {
            queue.push_back(insert(&mut store, round * 10..round * 10 + 10));
            if queue.len() > 300 {
                queue.pop_front().unwrap().into_iter().for_each(|id| store.remove(id));
            }
        }
        assert_eq!(store.len(), 3_000);
        assert!(store.held <= 2 * store.len() && store.chunks.len() < 100, "{} chunks", store.chunks.len());
        let ids: Vec<RowId> = queue.into_iter().flatten().collect();
        let expected: Vec<i64> = (17_000..20_000).collect();
        assert_eq!(store.column(0, &ids).unwrap().as_primitive::<Int64Type>().values(), &expected[..]);
        store.ids().collect::<Vec<_>>().into_iter().for_each(|id| store.remove(id));
        assert_eq!((store.held, store.len()), (0, 0));
    }

    #[test]
    fn the_number_of_no_row_reads_as_nulls() {
        let mut store = store();
        let ids = insert(&mut store, 5..7);
        let rows = store.batch(&[NO_ROW, ids[1], NO_ROW]).unwrap();
        assert_eq!(rows.column(0).as_primitive::<Int64Type>(), &Int64Array::from(vec![None, Some(6), None]));
        assert_eq!(rows.column(1).as_string::<i32>(), &StringArray::from(vec![None, Some("row 6"), None]));
        assert!(store.contains(ids[0]) && !store.contains(NO_ROW));
    }

    #[test]
    fn nothing_can_be_read_from_an_empty_store() {
        assert_eq!(store().batch(&[]).unwrap().num_rows(), 0);
        assert!(store().is_empty());
    }
}
