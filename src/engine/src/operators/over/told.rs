//! The results that were told of rows.

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

use crate::operators::rank::normalize::same_values;
use crate::rows::{RowId, RowStore};

/// The row has not been told.
const UNTOLD: RowId = RowId::MAX;

pub(super) struct ToldResults {
    pub results: RowStore,
    /// By a row's number, that of its results.
    of_rows: Vec<RowId>,
}

impl ToldResults {
    pub fn new(schema: SchemaRef) -> Self {
        Self { results: RowStore::new(schema), of_rows: Vec::new() }
    }

    /// Makes room for rows up to this number.
    pub fn resize(&mut self, capacity: usize) {
        self.of_rows.resize(capacity, UNTOLD);
    }

    /// The number of what was told of a row; none if it has not been told.
    pub fn of_row(&self, row: RowId) -> Option<RowId> {
        Some(self.of_rows[row as usize]).filter(|result| *result != UNTOLD)
    }

    /// These have been told of these rows. What was told before is to be removed by its number.
    pub fn insert(&mut self, rows: &[RowId], results: &[ArrayRef]) -> Result<(), ArrowError> {
        let mut ids = Vec::with_capacity(rows.len());
        self.results.insert(results, rows.len(), &mut ids)?;
        rows.iter().zip(ids).for_each(|(row, result)| self.of_rows[*row as usize] = result);
        Ok(())
    }

    /// The row is no more, and its results have been removed by their number.
    pub fn unlink(&mut self, row: RowId) {
        self.of_rows[row as usize] = UNTOLD;
    }

    /// The row is no more, and nothing is to be told of it.
    pub fn forget(&mut self, row: RowId) {
        if let Some(result) = self.of_row(row) {
            self.results.remove(result);
            self.unlink(row);
        }
    }

    /// Whether these results equal what was told of these rows.
    pub fn are_told(&self, rows: &[RowId], results: &[ArrayRef]) -> Result<Vec<bool>, ArrowError> {
        let told = rows.iter().enumerate().filter_map(|(place, id)| Some((place as u32, self.of_row(*id)?)));
        let (places, told): (Vec<u32>, Vec<RowId>) = told.unzip();
        let mut same = vec![false; rows.len()];
        places.iter().for_each(|place| same[*place as usize] = true);
        let places = UInt32Array::from(places);
        for (column, result) in results.iter().enumerate() {
            let equal = same_values(&self.results.column(column, &told)?, &take(result, &places, None)?)?;
            for (place, equal) in places.values().iter().zip(equal.values().iter()) {
                same[*place as usize] &= equal;
            }
        }
        Ok(same)
    }

    pub fn bytes(&self) -> usize {
        self.results.bytes() + self.of_rows.capacity() * size_of::<RowId>()
    }
}
