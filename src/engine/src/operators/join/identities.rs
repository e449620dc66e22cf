//! Finds a stored row that is equal to a given one in every column: what a retraction takes back.
//!
//! A row's identity is a 128-bit hash of all its columns' bytes. Two different rows having the same one is so unlikely
//! (about 10⁻²⁴ for ten million rows) that the columns themselves are not compared.

use arrow::array::ArrayRef;
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_128;

use crate::rows::RowId;

pub type Identity = u128;

/// The identities of the rows of a store.
pub struct Identities {
    converter: Option<RowConverter>,
    by_row: Vec<Identity>,
    rows: HashTable<RowId>,
}

impl Identities {
    /// For rows of these columns.
    pub fn new(schema: &Schema) -> Result<Self, String> {
        let fields: Vec<SortField> =
            schema.fields().iter().map(|field| SortField::new(field.data_type().clone())).collect();
        let converter = match fields.is_empty() {
            true => None,
            false => Some(RowConverter::new(fields).map_err(|error| format!("its rows cannot be compared: {error}"))?),
        };
        Ok(Self { converter, by_row: Vec::new(), rows: HashTable::new() })
    }

    pub fn of(&self, columns: &[ArrayRef], rows: usize) -> Result<Vec<Identity>, ArrowError> {
        let Some(converter) = &self.converter else { return Ok(vec![0; rows]) };
        Ok(converter.convert_columns(columns)?.iter().map(|row| xxh3_128(row.as_ref())).collect())
    }

    pub fn insert(&mut self, identity: Identity, id: RowId) {
        if self.by_row.len() <= id as usize {
            self.by_row.resize(id as usize + 1, 0);
        }
        self.by_row[id as usize] = identity;
        let by_row = &self.by_row;
        self.rows.insert_unique(identity as u64, id, |id| by_row[*id as usize] as u64);
    }

    /// Takes out a row of this identity, any of them.
    pub fn take(&mut self, identity: Identity) -> Option<RowId> {
        let by_row = &self.by_row;
        let found = self.rows.find_entry(identity as u64, |id| by_row[*id as usize] == identity).ok()?;
        Some(found.remove().0)
    }

    /// Takes out this row.
    pub fn remove(&mut self, id: RowId) {
        if let Ok(found) = self.rows.find_entry(self.by_row[id as usize] as u64, |other| *other == id) {
            found.remove();
        }
    }

    pub fn bytes(&self) -> usize {
        self.by_row.capacity() * size_of::<Identity>() + self.rows.capacity() * (size_of::<RowId>() + 1)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, RecordBatch, StringArray};

    use super::*;

    #[test]
    fn equal_rows_are_found_as_often_as_they_are_there() {
        let rows = RecordBatch::try_from_iter([
            ("n", Arc::new(Int64Array::from(vec![Some(1), None, Some(1), Some(1)])) as ArrayRef),
            ("s", Arc::new(StringArray::from(vec![Some("a"), Some(""), Some("a"), None])) as ArrayRef),
        ])
        .unwrap();
        let mut identities = Identities::new(rows.schema_ref()).unwrap();
        let values = identities.of(rows.columns(), 4).unwrap();
        values.iter().enumerate().for_each(|(id, identity)| identities.insert(*identity, id as RowId));
        let mut found = [identities.take(values[0]), identities.take(values[2])];
        found.sort();
        assert_eq!(found, [Some(0), Some(2)]);
        assert_eq!((identities.take(values[0]), identities.take(values[1])), (None, Some(1)));
        identities.remove(3);
        assert_eq!(identities.take(values[3]), None);
    }
}
