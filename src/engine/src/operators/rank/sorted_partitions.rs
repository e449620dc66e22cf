//! The rows of all partitions, each in their order. Of rows that only come, those that are pushed out are forgotten.

use std::cmp::Ordering;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

use super::order::OrderKey;
use super::sorted_rows::SortedRows;
use crate::rows::{RowId, RowStore};

/// In the place of the number of a row that is not in the store yet.
const IN_BATCH: RowId = RowId::MAX;

pub struct SortedPartitions<K> {
    pub sorted: Vec<SortedRows<K>>,
    pub store: RowStore,
    /// The next row's turn in the order of arrival.
    pub next_turn: u64,
    in_batch: Vec<(u32, u32)>,
}

/// What happens while rows are taken in.
pub trait Observer<K> {
    /// The partition is about to change.
    fn before_change(&mut self, group: u32, rows: &SortedRows<K>);

    /// A row of an earlier batch is not among the first any more.
    fn pushed_out(&mut self, store: &mut RowStore, id: RowId, turn: u64);
}

impl<K: OrderKey> SortedPartitions<K> {
    pub fn new(schema: SchemaRef) -> Self {
        Self { sorted: Vec::new(), store: RowStore::new(schema), next_turn: 0, in_batch: Vec::new() }
    }

    /// Takes rows in, of which `last` in each partition are kept. `groups` are their partitions.
    pub fn take_in(
        &mut self,
        columns: &[ArrayRef],
        keys: &K::Batch,
        groups: &[u32],
        last: usize,
        observer: &mut impl Observer<K>,
    ) -> Result<(), ArrowError> {
        let first_turn = self.next_turn;
        self.next_turn += groups.len() as u64;
        for (row, group) in groups.iter().enumerate() {
            let sorted = &mut self.sorted[*group as usize];
            let is_full = sorted.len() >= last;
            if is_full && sorted.last().is_some_and(|worst| K::compare(keys, row, &worst.0) != Ordering::Less) {
                continue;
            }
            observer.before_change(*group, sorted);
            if is_full
                && let Some(((_, turn), id)) = sorted.pop_last()
                && turn < first_turn
            {
                observer.pushed_out(&mut self.store, id, turn);
            }
            sorted.insert((K::of_row(keys, row), first_turn + row as u64), IN_BATCH);
            self.in_batch.push((*group, row as u32));
        }
        self.store_batch(columns, keys, first_turn, groups.len())
    }

    /// Puts the batch's rows that are still among the first into the store.
    fn store_batch(
        &mut self,
        columns: &[ArrayRef],
        keys: &K::Batch,
        first_turn: u64,
        rows: usize,
    ) -> Result<(), ArrowError> {
        let mut entered = std::mem::take(&mut self.in_batch);
        let place = |row: u32| (K::of_row(keys, row as usize), first_turn + u64::from(row));
        entered.retain(|(group, row)| self.sorted[*group as usize].get_mut(&place(*row)).is_some());
        let mut ids = Vec::with_capacity(entered.len());
        if entered.len() == rows {
            self.store.insert(columns, rows, &mut ids)?;
        } else {
            let places = UInt32Array::from_iter_values(entered.iter().map(|(_, row)| *row));
            let width = self.store.schema().fields().len();
            let taken: Vec<ArrayRef> =
                columns[..width].iter().map(|column| take(column, &places, None)).collect::<Result<_, _>>()?;
            self.store.insert(&taken, places.len(), &mut ids)?;
        }
        for ((group, row), id) in entered.iter().zip(ids) {
            if let Some(stored) = self.sorted[*group as usize].get_mut(&place(*row)) {
                *stored = id;
            }
        }
        entered.clear();
        self.in_batch = entered;
        Ok(())
    }

    pub fn bytes(&self) -> usize {
        self.store.bytes() + self.sorted.iter().map(|rows| size_of_val(rows) + rows.bytes()).sum::<usize>()
    }
}
