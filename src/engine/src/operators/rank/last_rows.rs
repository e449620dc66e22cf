//! One row for each partition: the one that is valid now, and the one that was last told of.
//!
//! Rows are compared and replaced by their places in a batch; only those that are still valid at its end are taken into
//! the store. Between the ends of epochs nothing is told, so a partition changes once in an epoch at most.

use arrow::array::{ArrayRef, BooleanArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

use super::partitions::retain;
use crate::rows::{RowId, RowStore};

/// There is no row.
const NONE: RowId = RowId::MAX;
/// There is a row that was told of, but its values are not needed any more.
const UNSTORED: RowId = RowId::MAX - 1;
/// Set in the place of a row in the current batch, which has no number in the store yet.
const IN_BATCH: RowId = 1 << 31;

pub struct LastRows {
    pub store: RowStore,
    valid: Vec<RowId>,
    told: Vec<RowId>,
    is_changed: Vec<bool>,
    changed: Vec<u32>,
    /// Partitions whose valid row is, or was, in the current batch.
    in_batch: Vec<u32>,
    empty: usize,
}

/// A partition's row, as seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastRow {
    None,
    Unstored,
    Stored(RowId),
}

impl From<RowId> for LastRow {
    fn from(id: RowId) -> Self {
        match id {
            NONE => Self::None,
            UNSTORED => Self::Unstored,
            id => Self::Stored(id),
        }
    }
}

/// A partition that is not as it was told.
#[derive(Clone, Copy, Debug)]
pub struct Changed {
    pub group: u32,
    pub told: LastRow,
    pub valid: LastRow,
}

impl LastRows {
    pub fn new(schema: SchemaRef) -> Self {
        Self {
            store: RowStore::new(schema),
            valid: Vec::new(),
            told: Vec::new(),
            is_changed: Vec::new(),
            changed: Vec::new(),
            in_batch: Vec::new(),
            empty: 0,
        }
    }

    /// Makes room for so many partitions.
    pub fn resize(&mut self, groups: usize) {
        self.empty += groups.saturating_sub(self.valid.len());
        self.valid.resize(groups, NONE);
        self.told.resize(groups, NONE);
        self.is_changed.resize(groups, false);
    }

    pub fn has_row(&self, group: u32) -> bool {
        self.valid[group as usize] != NONE
    }

    /// The row at this place of the batch is valid from now on.
    pub fn set(&mut self, group: u32, row: usize) {
        self.release(group);
        self.empty -= usize::from(self.valid[group as usize] == NONE);
        if !is_in_batch(self.valid[group as usize]) {
            self.in_batch.push(group);
        }
        self.valid[group as usize] = IN_BATCH | row as RowId;
    }

    /// There is no valid row from now on.
    pub fn clear(&mut self, group: u32) {
        if self.has_row(group) {
            self.release(group);
            self.valid[group as usize] = NONE;
            self.empty += 1;
        }
    }

    /// Takes the batch's valid rows into the store.
    pub fn end_batch(&mut self, columns: &[ArrayRef], rows: usize) -> Result<(), ArrowError> {
        let mut places = Vec::with_capacity(self.in_batch.len());
        let mut groups = Vec::with_capacity(self.in_batch.len());
        for group in self.in_batch.drain(..) {
            let place = self.valid[group as usize];
            // A partition whose row was taken back, and perhaps came again, is here without one, or twice.
            if is_in_batch(place) {
                places.push(place ^ IN_BATCH);
                groups.push(group);
                self.valid[group as usize] = UNSTORED;
            }
        }
        let mut ids = Vec::with_capacity(places.len());
        if places.len() == rows && places.iter().enumerate().all(|(row, place)| row as u32 == *place) {
            self.store.insert(columns, rows, &mut ids)?;
        } else {
            let places = UInt32Array::from(places);
            let width = self.store.schema().fields().len();
            let taken: Vec<ArrayRef> =
                columns[..width].iter().map(|column| take(column, &places, None)).collect::<Result<_, _>>()?;
            self.store.insert(&taken, places.len(), &mut ids)?;
        }
        for (group, id) in groups.into_iter().zip(ids) {
            self.valid[group as usize] = id;
        }
        Ok(())
    }

    /// Whether something has come since changes were last told.
    pub fn has_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Partitions that have changed since they were told of. Each has to be answered by [`LastRows::tell`].
    pub fn changed(&mut self) -> Vec<Changed> {
        let changed = std::mem::take(&mut self.changed);
        for group in &changed {
            self.is_changed[*group as usize] = false;
        }
        let of = |group: u32| Changed {
            group,
            told: self.told[group as usize].into(),
            valid: self.valid[group as usize].into(),
        };
        changed.into_iter().map(of).filter(|changed| changed.told != changed.valid).collect()
    }

    /// The change has been told; what was valid before is forgotten.
    pub fn tell(&mut self, changed: &Changed) {
        let group = changed.group as usize;
        if let LastRow::Stored(id) = changed.told {
            self.store.remove(id);
        }
        self.told[group] = self.valid[group];
    }

    /// Forgets the values of a row that has been told; that there is one is still known.
    pub fn unstore(&mut self, group: u32) {
        let group = group as usize;
        if let LastRow::Stored(id) = self.valid[group].into() {
            self.store.remove(id);
            self.valid[group] = UNSTORED;
            self.told[group] = UNSTORED;
        }
    }

    /// The partition has a row that was told of, whose values are not kept.
    pub fn restore_unstored(&mut self, group: u32) {
        self.empty -= usize::from(self.valid[group as usize] == NONE);
        self.valid[group as usize] = UNSTORED;
        self.told[group as usize] = UNSTORED;
    }

    /// What has come so far was told of before a restart.
    pub fn restored(&mut self) {
        for group in std::mem::take(&mut self.changed) {
            self.told[group as usize] = self.valid[group as usize];
            self.is_changed[group as usize] = false;
        }
    }

    /// Partitions that have a row, with its number; at the end of an epoch.
    pub fn rows(&self) -> impl Iterator<Item = (u32, RowId)> {
        self.valid.iter().enumerate().filter(|(_, id)| **id < IN_BATCH).map(|(group, id)| (group as u32, *id))
    }

    pub fn empty(&self) -> usize {
        self.empty
    }

    /// Forgets partitions, at the end of an epoch.
    pub fn retain(&mut self, keep: &BooleanArray) {
        for (_, id) in self.rows().filter(|(group, _)| !keep.value(*group as usize)).collect::<Vec<_>>() {
            self.store.remove(id);
        }
        retain(&mut self.valid, keep);
        retain(&mut self.told, keep);
        retain(&mut self.is_changed, keep);
        self.empty = self.valid.iter().filter(|id| **id == NONE).count();
    }

    pub fn bytes(&self) -> usize {
        self.store.bytes() + self.valid.capacity() * 9
    }

    /// Lets go of the valid row, unless it may have to be taken back.
    fn release(&mut self, group: u32) {
        let (valid, told) = (self.valid[group as usize], self.told[group as usize]);
        if valid < IN_BATCH && valid != told {
            self.store.remove(valid);
        }
        if !self.is_changed[group as usize] {
            self.is_changed[group as usize] = true;
            self.changed.push(group);
        }
    }
}

fn is_in_batch(id: RowId) -> bool {
    (IN_BATCH..UNSTORED).contains(&id)
}
