//! One pane: keys and their aggregates.

use arrow::array::ArrayRef;
use arrow::error::ArrowError;

use crate::accumulator::{Aggregates, KeyedSpec, Which};
use crate::groups::GroupTable;
use crate::hash::hash_rows;
use crate::operators::changes::Touched;

/// The aggregates of one pane.
pub(super) struct Pane {
    groups: GroupTable,
    aggregates: Aggregates,
}

/// Vectors that are used again for every batch.
#[derive(Default)]
pub(super) struct Scratch {
    hashes: Vec<u64>,
    groups: Vec<u32>,
}

/// What becomes of the results of keys: the former ones of those that were there before, the present ones of all.
pub(super) struct Update {
    pub touched: Vec<Touched>,
    pub former: Vec<ArrayRef>,
    pub present: Vec<ArrayRef>,
}

impl Pane {
    pub fn new(spec: &KeyedSpec) -> Result<Self, ArrowError> {
        let aggregates = spec.aggregates().map_err(|error| ArrowError::ComputeError(error.to_string()))?;
        Ok(Self { groups: spec.groups()?, aggregates })
    }

    pub fn len(&self) -> usize {
        self.groups.len()
    }

    pub fn keys(&self) -> Result<Vec<ArrayRef>, ArrowError> {
        self.groups.columns()
    }

    pub fn hashes(&self) -> &[u64] {
        self.groups.hashes()
    }

    pub fn states(&self) -> Result<Vec<ArrayRef>, ArrowError> {
        self.aggregates.states(Which::All)
    }

    /// The results, a column for each call.
    pub fn results(&self) -> Result<Vec<ArrayRef>, ArrowError> {
        self.aggregates.finish(Which::All)
    }

    pub fn result(&self, call: usize) -> Result<ArrayRef, ArrowError> {
        self.aggregates.result(call, Which::All)
    }

    /// Takes in the `rows` rows of the input's columns.
    pub fn update(
        &mut self,
        spec: &KeyedSpec,
        columns: &[ArrayRef],
        rows: usize,
        scratch: &mut Scratch,
    ) -> Result<(), ArrowError> {
        let keys: Vec<ArrayRef> = spec.keys.iter().map(|key| columns[*key].clone()).collect();
        hash_rows(&keys, rows, &mut scratch.hashes);
        self.groups.intern(&keys, &scratch.hashes, &mut scratch.groups)?;
        self.aggregates.update(&scratch.groups, self.groups.len(), columns, None)
    }

    /// Takes in keys and states, `rows` of each. Further state columns are left alone.
    pub fn merge(
        &mut self,
        keys: &[ArrayRef],
        states: &[ArrayRef],
        rows: usize,
        scratch: &mut Scratch,
    ) -> Result<(), ArrowError> {
        hash_rows(keys, rows, &mut scratch.hashes);
        self.groups.intern(keys, &scratch.hashes, &mut scratch.groups)?;
        self.aggregates.merge(&scratch.groups, self.groups.len(), states)
    }

    /// Takes in another pane.
    pub fn take_in(&mut self, other: &Self, scratch: &mut Scratch) -> Result<(), ArrowError> {
        self.groups.intern(&other.keys()?, other.hashes(), &mut scratch.groups)?;
        self.aggregates.merge(&scratch.groups, self.groups.len(), &other.states()?)
    }

    /// Takes in another pane, and says what that makes of the results of its keys, in its order.
    pub fn updated(&mut self, other: &Self, scratch: &mut Scratch) -> Result<Update, ArrowError> {
        let known = self.len() as u32;
        self.groups.intern(&other.keys()?, other.hashes(), &mut scratch.groups)?;
        let groups = &scratch.groups;
        let touched = groups.iter().map(|group| Touched { group: *group, was_out: *group < known }).collect();
        let told: Vec<u32> = groups.iter().copied().filter(|group| *group < known).collect();
        let former = self.aggregates.finish(Which::These(&told))?;
        self.aggregates.merge(groups, self.groups.len(), &other.states()?)?;
        Ok(Update { touched, former, present: self.aggregates.finish(Which::These(groups))? })
    }

    /// Takes back captured keys and states, which are of other keys than those that are here.
    pub fn restore(
        &mut self,
        keys: &[ArrayRef],
        states: &[ArrayRef],
        rows: usize,
        scratch: &mut Scratch,
    ) -> Result<(), ArrowError> {
        hash_rows(keys, rows, &mut scratch.hashes);
        self.groups.intern(keys, &scratch.hashes, &mut scratch.groups)?;
        self.aggregates.restore(&scratch.groups, self.groups.len(), states)
    }

    pub fn bytes(&self) -> usize {
        self.groups.bytes() + self.aggregates.bytes()
    }
}
