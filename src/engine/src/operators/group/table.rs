//! The groups with their aggregates, and what is known of each group.

use arrow::array::{ArrayRef, BooleanArray, Int8Array};
use arrow::error::ArrowError;

use crate::accumulator::{Aggregates, BuildError, Input, KeyedSpec, additions, keep_only};
use crate::groups::GroupTable;
use crate::hash::hash_rows;

/// Groups up to which forgetting is not worth while.
const FEW: usize = 1024;

pub struct Table {
    pub keys: GroupTable,
    pub aggregates: Aggregates,
    pub marks: Vec<Mark>,
    /// Each group's rows, where rows may be taken back.
    pub rows: Option<Vec<i64>>,
    /// When something last came for each group, by the machine's clock; 0 if that is not known yet.
    pub touched: Option<Vec<i64>>,
    /// Groups without rows; those that have come to life again may be among them.
    dead: usize,
    hashes: Vec<u64>,
    groups: Vec<u32>,
}

/// What is known of a group.
#[derive(Clone, Copy, Default)]
pub struct Mark {
    /// The epoch in which something last came for it.
    epoch: u32,
    /// Whether its result has been put out and not deleted.
    pub is_out: bool,
}

impl Table {
    pub fn new(spec: &KeyedSpec, has_lifetime: bool) -> Result<Self, BuildError> {
        Ok(Self {
            keys: spec.groups()?,
            aggregates: spec.aggregates()?,
            marks: Vec::new(),
            rows: (spec.input == Input::Updating).then(Vec::new),
            touched: has_lifetime.then(Vec::new),
            dead: 0,
            hashes: Vec::new(),
            groups: Vec::new(),
        })
    }

    /// Finds each row's group and makes those that are new. Their aggregates are not touched yet.
    pub fn find(&mut self, keys: &[ArrayRef], rows: usize) -> Result<(), ArrowError> {
        hash_rows(keys, rows, &mut self.hashes);
        self.keys.intern(keys, &self.hashes, &mut self.groups)?;
        self.grow();
        Ok(())
    }

    /// Of the groups found, those that nothing has come for in this epoch before: they are marked.
    pub fn newly_touched(&mut self, epoch: u32) -> Vec<u32> {
        let mut touched = Vec::new();
        for &group in &self.groups {
            let mark = &mut self.marks[group as usize];
            if mark.epoch != epoch {
                mark.epoch = epoch;
                touched.push(group);
            }
        }
        touched
    }

    /// Takes in rows whose groups have been found.
    pub fn update(&mut self, columns: &[ArrayRef], changes: Option<&Int8Array>) -> Result<(), ArrowError> {
        if let Some(rows) = &mut self.rows {
            match changes.map(additions) {
                None => self.groups.iter().for_each(|group| rows[*group as usize] += 1),
                Some(come) => {
                    let each = self.groups.iter().zip(come.iter());
                    each.for_each(|(group, comes)| rows[*group as usize] += if comes { 1 } else { -1 });
                }
            }
        }
        self.aggregates.update(&self.groups, self.marks.len(), columns, changes)
    }

    /// Takes in partial results whose groups have been found.
    pub fn merge(&mut self, states: &[ArrayRef]) -> Result<(), ArrowError> {
        self.aggregates.merge(&self.groups, self.marks.len(), states)
    }

    /// Takes back captured states whose groups have been found and were not here before. Returns the groups.
    pub fn restore(&mut self, states: &[ArrayRef]) -> Result<&[u32], ArrowError> {
        self.aggregates.restore(&self.groups, self.marks.len(), states)?;
        Ok(&self.groups)
    }

    /// Whether rows are left in a group.
    pub fn is_alive(&self, group: u32) -> bool {
        self.rows.as_ref().is_none_or(|rows| rows[group as usize] > 0)
    }

    /// Makes groups without rows as if nothing had ever come for them, so that they can come to life again.
    pub fn bury(&mut self, groups: &[u32]) {
        self.aggregates.clear(groups);
        if let Some(rows) = &mut self.rows {
            groups.iter().for_each(|group| rows[*group as usize] = 0);
        }
        self.dead += groups.len();
    }

    /// Forgets the dead when they are more than the living.
    pub fn tidy(&mut self) -> Result<(), ArrowError> {
        if self.dead * 2 <= self.marks.len().max(FEW) {
            return Ok(());
        }
        let keep: BooleanArray = (0..self.marks.len() as u32).map(|group| Some(self.is_alive(group))).collect();
        self.dead = keep.false_count();
        match self.dead * 2 > self.marks.len() {
            true => self.retain(&keep),
            false => Ok(()),
        }
    }

    pub fn retain(&mut self, keep: &BooleanArray) -> Result<(), ArrowError> {
        self.keys.retain(keep)?;
        self.aggregates.retain(keep)?;
        keep_only(&mut self.marks, keep);
        for values in [&mut self.rows, &mut self.touched].into_iter().flatten() {
            keep_only(values, keep);
        }
        self.dead = 0;
        Ok(())
    }

    pub fn bytes(&self) -> usize {
        self.keys.bytes() + self.aggregates.bytes() + self.marks.capacity() * 24
    }

    fn grow(&mut self) {
        let count = self.keys.len();
        self.marks.resize(count, Mark::default());
        self.aggregates.grow(count);
        for values in [&mut self.rows, &mut self.touched].into_iter().flatten() {
            values.resize(count, 0);
        }
    }
}
