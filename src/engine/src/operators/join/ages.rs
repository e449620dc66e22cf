//! When stored rows came, by the machine's clock, so that they can be forgotten after a time.
//!
//! The clock is told at the end of epochs only: rows are as old as the epoch in which they came.

use std::collections::BTreeMap;

use crate::rows::{RowId, RowStore};

pub struct Ages {
    ttl_ms: i64,
    /// By row; [`i64::MAX`] in the epoch in which it comes.
    born: Vec<i64>,
    newest: Vec<RowId>,
    /// Rows by the time when they came. Some may be gone, and their numbers may be other rows' by now.
    queue: BTreeMap<i64, Vec<RowId>>,
}

impl Ages {
    pub fn new(ttl_ms: u64) -> Self {
        let ttl_ms = i64::try_from(ttl_ms).unwrap_or(i64::MAX);
        Self { ttl_ms, born: Vec::new(), newest: Vec::new(), queue: BTreeMap::new() }
    }

    /// Rows have come.
    pub fn note(&mut self, ids: &[RowId]) {
        ids.iter().for_each(|id| self.set(*id, i64::MAX));
        self.newest.extend_from_slice(ids);
    }

    /// A row comes back from a snapshot.
    pub fn restore(&mut self, id: RowId, born: i64) {
        self.set(id, born);
        self.queue.entry(born).or_default().push(id);
    }

    pub fn of(&self, id: RowId) -> i64 {
        self.born[id as usize]
    }

    /// Ends an epoch at this time. Returns the rows that are too old by now.
    pub fn end_epoch(&mut self, now_ms: i64, rows: &RowStore) -> Vec<RowId> {
        let newest = std::mem::take(&mut self.newest);
        let came: Vec<RowId> = newest
            .into_iter()
            .filter(|id| std::mem::replace(&mut self.born[*id as usize], now_ms) == i64::MAX)
            .collect();
        if !came.is_empty() {
            self.queue.entry(now_ms).or_default().extend(came);
        }
        let mut expired = Vec::new();
        while let Some(entry) = self.queue.first_entry()
            && entry.key().saturating_add(self.ttl_ms) <= now_ms
        {
            let (born, ids) = entry.remove_entry();
            for id in ids {
                // A number that is in the list twice is taken once.
                if rows.contains(id) && self.born[id as usize] == born {
                    self.born[id as usize] = i64::MIN;
                    expired.push(id);
                }
            }
        }
        expired
    }

    pub fn bytes(&self) -> usize {
        let queued: usize = self.queue.values().map(Vec::capacity).sum();
        self.born.capacity() * size_of::<i64>() + (queued + self.newest.capacity()) * size_of::<RowId>()
    }

    fn set(&mut self, id: RowId, born: i64) {
        if self.born.len() <= id as usize {
            self.born.resize(id as usize + 1, born);
        }
        self.born[id as usize] = born;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array};
    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;

    fn insert(rows: &mut RowStore, ages: &mut Ages, count: usize) -> Vec<RowId> {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![0; count]));
        let mut ids = Vec::new();
        rows.insert(&[column], count, &mut ids).unwrap();
        ages.note(&ids);
        ids
    }

    #[test]
    fn rows_are_too_old_when_their_time_to_live_is_over() {
        let mut rows = RowStore::new(Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)])));
        let mut ages = Ages::new(100);
        let first = insert(&mut rows, &mut ages, 2);
        assert!(ages.end_epoch(1_000, &rows).is_empty());
        rows.remove(first[0]);
        let second = insert(&mut rows, &mut ages, 2);
        assert_eq!(second[0], first[0], "the number is another row's");
        assert!(ages.end_epoch(1_099, &rows).is_empty());
        assert_eq!(ages.end_epoch(1_100, &rows), [first[1]]);
        rows.remove(first[1]);
        assert_eq!(ages.end_epoch(1_199, &rows), second);
    }
}
