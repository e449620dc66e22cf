//! Each group's values in the order in which they came, of which any may be taken back: the first that is equal.
//!
//! Values are numbered once for all groups. What is taken back stays in its place until it is at an end or until half
//! of a group's places are such, so that taking back costs the same for the first value and for one in the middle.

use std::collections::{HashMap, VecDeque};

use arrow::array::{ArrayRef, BooleanArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use super::{Accumulator, Rows, Which, lists};
use crate::groups::GroupTable;
use crate::hash::{hash_rows, is_hashable};

pub struct Sequences {
    data_type: DataType,
    dictionary: GroupTable,
    groups: Vec<Sequence>,
    /// How often a group's value is there and how many of its places are of ones taken back.
    counts: HashMap<(u32, u32), Counts>,
    hashes: Vec<u64>,
    ids: Vec<u32>,
}

#[derive(Clone, Default)]
struct Sequence {
    ids: VecDeque<u32>,
    gone: usize,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    there: u32,
    gone: u32,
}

impl Sequences {
    pub fn new(data_type: &DataType) -> Option<Self> {
        if !is_hashable(data_type) {
            return None;
        }
        Some(Self {
            data_type: data_type.clone(),
            dictionary: GroupTable::new(std::slice::from_ref(data_type)).ok()?,
            groups: Vec::new(),
            counts: HashMap::new(),
            hashes: Vec::new(),
            ids: Vec::new(),
        })
    }

    pub fn grow(&mut self, count: usize) {
        self.groups.resize(count, Sequence::default());
    }

    pub fn add(&mut self, rows: &Rows<'_>) -> Result<(), ArrowError> {
        self.number(rows.argument())?;
        rows.for_each(|row, group| {
            let id = self.ids[row];
            self.groups[group].ids.push_back(id);
            self.counts.entry((group as u32, id)).or_default().there += 1;
        });
        Ok(())
    }

    pub fn remove(&mut self, rows: &Rows<'_>) -> Result<(), ArrowError> {
        self.number(rows.argument())?;
        rows.for_each(|row, group| {
            // What was never there is not taken back.
            if let Some(counts) = self.counts.get_mut(&(group as u32, self.ids[row]))
                && counts.there > 0
            {
                counts.there -= 1;
                counts.gone += 1;
                self.groups[group].gone += 1;
                settle(&mut self.groups[group], group as u32, &mut self.counts);
            }
        });
        if self.dictionary.len() > 2 * self.counts.len() + 1024 {
            self.rebuild(Which::All)?;
        }
        Ok(())
    }

    /// The numbers of the values that are there, in order.
    pub fn ids(&self, group: usize) -> Vec<u32> {
        let sequence = &self.groups[group];
        if sequence.gone == 0 {
            return sequence.ids.iter().copied().collect();
        }
        let mut skipped: HashMap<u32, u32> = HashMap::new();
        let is_there = |id: &u32| {
            let gone = self.counts.get(&(group as u32, *id)).map_or(0, |counts| counts.gone);
            let skipped = skipped.entry(*id).or_default();
            *skipped += 1;
            *skipped > gone
        };
        sequence.ids.iter().copied().filter(is_there).collect()
    }

    pub fn first(&self, group: usize) -> Option<u32> {
        self.groups[group].ids.front().copied()
    }

    pub fn last(&self, group: usize) -> Option<u32> {
        self.groups[group].ids.back().copied()
    }

    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// The values with these numbers; NULL for none.
    pub fn values(&self, ids: &[Option<u32>]) -> Result<ArrayRef, ArrowError> {
        let known: Vec<u32> = ids.iter().flatten().copied().collect();
        let values = self.dictionary.gather(&known)?.remove(0);
        if known.len() == ids.len() {
            return Ok(values);
        }
        let mut next = 0;
        let places: UInt32Array = ids
            .iter()
            .map(|id| {
                next += u32::from(id.is_some());
                id.map(|_| next - 1)
            })
            .collect();
        take(&values, &places, None)
    }

    /// As a column of lists.
    pub fn states(&self, which: Which<'_>) -> Result<Vec<ArrayRef>, ArrowError> {
        let groups: Vec<u32> = match which {
            Which::All => (0..self.len() as u32).collect(),
            Which::These(groups) => groups.to_vec(),
        };
        let ids: Vec<Vec<u32>> = groups.iter().map(|group| self.ids(*group as usize)).collect();
        let values = self.dictionary.gather(&ids.concat())?.remove(0);
        Ok(vec![lists::list(values, ids.iter().map(Vec::len))])
    }

    pub fn merge(&mut self, groups: &[u32], states: &[ArrayRef]) -> Result<(), ArrowError> {
        let groups = lists::spread(groups, &states[0]);
        let values = lists::values(&states[0]);
        self.add(&Rows::new(&groups, Some(&values), None))
    }

    pub fn clear(&mut self, groups: &[u32]) {
        for group in groups {
            for id in std::mem::take(&mut self.groups[*group as usize]).ids {
                self.counts.remove(&(*group, id));
            }
        }
    }

    pub fn retain(&mut self, keep: &BooleanArray) -> Result<(), ArrowError> {
        let kept: Vec<u32> = (0..self.len() as u32).filter(|group| keep.value(*group as usize)).collect();
        self.rebuild(Which::These(&kept))
    }

    pub fn bytes(&self) -> usize {
        let places: usize = self.groups.iter().map(|group| group.ids.capacity()).sum();
        self.dictionary.bytes() + places * 4 + self.groups.capacity() * size_of::<Sequence>() + self.counts.len() * 20
    }

    fn number(&mut self, values: &ArrayRef) -> Result<(), ArrowError> {
        hash_rows(std::slice::from_ref(values), values.len(), &mut self.hashes);
        self.dictionary.intern(std::slice::from_ref(values), &self.hashes, &mut self.ids)
    }

    /// Starts anew with what is there, so that values of no use are forgotten.
    fn rebuild(&mut self, which: Which<'_>) -> Result<(), ArrowError> {
        let states = self.states(which)?;
        let groups: Vec<u32> = (0..states[0].len() as u32).collect();
        *self = Self::new(&self.data_type).expect("this type was taken before");
        self.grow(groups.len());
        self.merge(&groups, &states)
    }
}

/// An aggregate whose result is made of each group's values in the order in which they came.
pub struct InOrder<F> {
    pub values: Sequences,
    pub result: F,
}

impl<F: Fn(&Sequences, Which<'_>) -> Result<ArrayRef, ArrowError>> Accumulator for InOrder<F> {
    fn grow(&mut self, count: usize) {
        self.values.grow(count);
    }

    fn update(&mut self, rows: &Rows<'_>) -> Result<(), ArrowError> {
        self.values.add(rows)
    }

    fn retract(&mut self, rows: &Rows<'_>) -> Result<(), ArrowError> {
        self.values.remove(rows)
    }

    fn merge(&mut self, groups: &[u32], states: &[ArrayRef]) -> Result<(), ArrowError> {
        self.values.merge(groups, states)
    }

    fn states(&self, which: Which<'_>) -> Result<Vec<ArrayRef>, ArrowError> {
        self.values.states(which)
    }

    fn finish(&self, which: Which<'_>) -> Result<ArrayRef, ArrowError> {
        (self.result)(&self.values, which)
    }

    fn clear(&mut self, groups: &[u32]) {
        self.values.clear(groups);
    }

    fn retain(&mut self, keep: &BooleanArray) -> Result<(), ArrowError> {
        self.values.retain(keep)
    }

    fn bytes(&self) -> usize {
        self.values.bytes()
    }
}

/// Drops places of values taken back: at the ends always, in between when they are more than half.
fn settle(sequence: &mut Sequence, group: u32, counts: &mut HashMap<(u32, u32), Counts>) {
    while let Some(id) = sequence.ids.front()
        && counts[&(group, *id)].gone > 0
    {
        drop_place(sequence, (group, *id), counts);
        sequence.ids.pop_front();
    }
    // The places of a value that are not there come before those that are.
    while let Some(id) = sequence.ids.back()
        && counts[&(group, *id)].there == 0
    {
        drop_place(sequence, (group, *id), counts);
        sequence.ids.pop_back();
    }
    if sequence.gone * 2 > sequence.ids.len() {
        for id in std::mem::take(&mut sequence.ids) {
            match counts[&(group, id)].gone {
                0 => sequence.ids.push_back(id),
                _ => drop_place(sequence, (group, id), counts),
            }
        }
    }
}

fn drop_place(sequence: &mut Sequence, key: (u32, u32), counts: &mut HashMap<(u32, u32), Counts>) {
    sequence.gone -= 1;
    let left = counts.get_mut(&key).expect("every place is counted");
    left.gone -= 1;
    if left.gone + left.there == 0 {
        counts.remove(&key);
    }
}
