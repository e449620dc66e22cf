//! Finding a row that is taken back: rows by what is in them.
//!
//! A row is known by 128 bits of a hash of its values. Two different rows with the same are less likely than a broken
//! machine: with 10⁹ rows, 1 in 10²⁰.

use arrow::array::ArrayRef;
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use hashbrown::HashTable;
use tidemill_plan::{Changelog, PlanNode};
use xxhash_rust::xxh3::xxh3_128;

use crate::rows::RowId;

pub struct RowFinder {
    /// Columns in which a row that is taken back equals the row that came.
    columns: Vec<usize>,
    converter: RowConverter,
    table: HashTable<RowId>,
    /// Each row's identity and turn, by its number.
    known: Vec<(u128, u64)>,
}

impl RowFinder {
    /// For the rows that a node puts out.
    pub fn new(input: &PlanNode) -> Result<Self, String> {
        let columns: Vec<usize> = match &input.changelog {
            Changelog::Append | Changelog::Retract => (0..input.schema.fields().len()).collect(),
            Changelog::Upsert { key } => key.clone(),
        };
        let converter = converter(&columns, &input.schema)?;
        Ok(Self { columns, converter, table: HashTable::new(), known: Vec::new() })
    }

    /// The identity of each row of a batch.
    pub fn identities(&self, columns: &[ArrayRef], rows: usize) -> Result<Vec<u128>, ArrowError> {
        if self.columns.is_empty() {
            return Ok(vec![0; rows]);
        }
        let columns: Vec<ArrayRef> = self.columns.iter().map(|column| columns[*column].clone()).collect();
        let encoded = self.converter.convert_columns(&columns)?;
        Ok(encoded.iter().map(|row| xxh3_128(row.data())).collect())
    }

    /// A row with this identity has come.
    pub fn insert(&mut self, id: RowId, identity: u128, turn: u64) {
        if self.known.len() <= id as usize {
            self.known.resize(id as usize + 1, (0, 0));
        }
        self.known[id as usize] = (identity, turn);
        let known = &self.known;
        self.table.insert_unique(identity as u64, id, |id| known[*id as usize].0 as u64);
    }

    /// The row of this identity that came first, which is not known any more, and its turn.
    pub fn take(&mut self, identity: u128) -> Option<(RowId, u64)> {
        let known = &self.known;
        let found = self.table.iter_hash(identity as u64).filter(|id| known[**id as usize].0 == identity);
        let id = found.copied().min_by_key(|id| known[*id as usize].1)?;
        self.forget(id);
        Some((id, self.known[id as usize].1))
    }

    /// The row is not known any more. Its identity is, until its number goes to another.
    pub fn forget(&mut self, id: RowId) {
        let identity = self.known[id as usize].0;
        if let Ok(entry) = self.table.find_entry(identity as u64, |other| *other == id) {
            entry.remove();
        }
    }

    pub fn identity(&self, id: RowId) -> u128 {
        self.known[id as usize].0
    }

    pub fn bytes(&self) -> usize {
        self.table.capacity() * 5 + self.known.capacity() * size_of::<(u128, u64)>()
    }
}

fn converter(columns: &[usize], schema: &Schema) -> Result<RowConverter, String> {
    let mut fields = Vec::with_capacity(columns.len());
    for column in columns {
        let field = schema.fields().get(*column).ok_or_else(|| format!("its input has no column {column}"))?;
        fields.push(SortField::new(field.data_type().clone()));
    }
    RowConverter::new(fields).map_err(|error| format!("rows of its input cannot be told apart: {error}"))
}
