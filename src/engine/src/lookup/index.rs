//! The rows of a table by key. Never changes once it is made, so that threads may share it.

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;

use crate::groups::{GroupTable, NO_GROUP};
use crate::hash::hash_rows;
use crate::rows::{RowId, RowStore};

/// See the module.
pub struct LookupIndex {
    groups: GroupTable,
    rows: RowStore,
    /// The numbers of all rows, group after group, in the table's order within each.
    ids: Vec<RowId>,
    /// Where each group's begin, and where the last one's end.
    starts: Vec<u32>,
}

/// The rows of some keys, by the places of the keys.
pub struct FoundRows<'a> {
    index: &'a LookupIndex,
    groups: Vec<u32>,
}

impl LookupIndex {
    /// Rows of `schema`, found by the columns `keys`.
    pub fn new(schema: &SchemaRef, keys: &[usize], batches: &[RecordBatch]) -> Result<Self, ArrowError> {
        let table = concat_batches(schema, batches)?;
        let columns: Vec<ArrayRef> = keys.iter().map(|key| table.column(*key).clone()).collect();
        let types: Vec<DataType> = columns.iter().map(|column| column.data_type().clone()).collect();
        let (mut hashes, mut of, mut ids) = (Vec::new(), Vec::new(), Vec::new());
        let mut groups = GroupTable::new(&types)?;
        hash_rows(&columns, table.num_rows(), &mut hashes);
        groups.intern(&columns, &hashes, &mut of)?;
        let mut rows = RowStore::new(schema.clone());
        rows.insert(table.columns(), table.num_rows(), &mut ids)?;
        let (ids, starts) = by_group(&ids, &of, groups.len());
        Ok(Self { groups, rows, ids, starts })
    }

    /// All rows, as they are found by their numbers.
    pub fn store(&self) -> &RowStore {
        &self.rows
    }

    /// The rows of these keys; those that are not `matchable` have none.
    pub fn find(&self, keys: &[ArrayRef], matchable: Option<&BooleanArray>) -> Result<FoundRows<'_>, ArrowError> {
        let (mut hashes, mut groups) = (Vec::new(), Vec::new());
        hash_rows(keys, keys.first().map_or(0, |key| key.len()), &mut hashes);
        self.groups.find(keys, &hashes, &mut groups)?;
        if let Some(matchable) = matchable {
            let unmatchable = groups.iter_mut().enumerate().filter(|(row, _)| !matchable.value(*row));
            unmatchable.for_each(|(_, group)| *group = NO_GROUP);
        }
        Ok(FoundRows { index: self, groups })
    }
}

impl FoundRows<'_> {
    /// The numbers of the rows that have the key at this place.
    pub fn rows(&self, place: usize) -> &[RowId] {
        match self.groups[place] {
            NO_GROUP => &[],
            group => {
                let starts = &self.index.starts[group as usize..];
                &self.index.ids[starts[0] as usize..starts[1] as usize]
            }
        }
    }
}

/// Rows sorted by their groups, and where each group's begin.
fn by_group(ids: &[RowId], of: &[u32], groups: usize) -> (Vec<RowId>, Vec<u32>) {
    let mut starts = vec![0; groups + 1];
    of.iter().for_each(|group| starts[*group as usize + 1] += 1);
    for group in 0..groups {
        starts[group + 1] += starts[group];
    }
    let mut next = starts.clone();
    let mut sorted = vec![0; ids.len()];
    for (id, group) in ids.iter().zip(of) {
        sorted[next[*group as usize] as usize] = *id;
        next[*group as usize] += 1;
    }
    (sorted, starts)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::cast::AsArray;
    use arrow::array::{Int64Array, StringArray};
    use arrow::datatypes::Int64Type;

    use super::*;

    fn batch(keys: Vec<Option<&str>>, values: Vec<i64>) -> RecordBatch {
        let columns: [(&str, ArrayRef); 2] =
            [("key", Arc::new(StringArray::from(keys))), ("value", Arc::new(Int64Array::from(values)))];
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap()
    }

    #[test]
    fn every_row_of_a_key_is_found_in_the_table_s_order() {
        let batches = [
            batch(vec![Some("a"), Some("b"), None], vec![1, 2, 3]),
            batch(vec![Some("a"), None, Some("a")], vec![4, 5, 6]),
        ];
        let index = LookupIndex::new(&batches[0].schema(), &[0], &batches).unwrap();
        let asked: ArrayRef = Arc::new(StringArray::from(vec![Some("b"), None, Some("a"), Some("c")]));
        let values = |matchable: Option<&BooleanArray>| -> Vec<Vec<i64>> {
            let found = index.find(std::slice::from_ref(&asked), matchable).unwrap();
            let values = |place| {
                let column = index.store().column(1, found.rows(place)).unwrap();
                column.as_primitive::<Int64Type>().values().to_vec()
            };
            (0..4).map(values).collect()
        };
        assert_eq!(values(None), [vec![2], vec![3, 5], vec![1, 4, 6], vec![]]);
        let matchable = BooleanArray::from(vec![true, false, true, true]);
        assert_eq!(values(Some(&matchable)), [vec![2], vec![], vec![1, 4, 6], vec![]]);
    }

    #[test]
    fn nothing_is_found_in_an_empty_table() {
        let schema = batch(vec![], vec![]).schema();
        let index = LookupIndex::new(&schema, &[1], &[]).unwrap();
        let asked: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        assert!(index.find(&[asked], None).unwrap().rows(0).is_empty());
    }
}
