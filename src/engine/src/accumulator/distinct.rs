//! DISTINCT: the values of a column that each group has, kept once for all aggregates of that column whatever their
//! filters. It tells which rows bring a value that is new for a filter (or take its last one back); only those reach
//! the aggregates.
//!
//! An entry is a group and a value, as an integer: the value itself where it is one, else its number in a dictionary.
//! Where rows only come, an entry has a bit for each filter that let the value through; else a count for each.

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, PrimitiveArray};
use arrow::buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use arrow::compute::cast;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit,
    TimestampMillisecondType,
};
use arrow::error::ArrowError;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Place;

use super::{Input, Which, lists};
use crate::groups::GroupTable;
use crate::hash::{hash_rows, is_hashable};

/// Filters that one set can serve.
pub const FILTERS: usize = u32::BITS as usize;

pub struct DistinctSet {
    data_type: DataType,
    filters: usize,
    /// Numbers of values; none where values are integers themselves.
    dictionary: Option<GroupTable>,
    entries: HashTable<Entry>,
    /// Where rows may be taken back.
    counts: Option<Counts>,
    /// The number of groups.
    groups: usize,
    hashes: Vec<u64>,
    ids: Vec<u32>,
}

#[derive(Clone, Copy)]
struct Entry {
    value: i64,
    group: u32,
    /// Bits of filters, or the entry's place among the counts.
    mark: u32,
}

/// For each entry a count for each filter.
#[derive(Default)]
struct Counts {
    counts: Vec<i64>,
    free: Vec<u32>,
    /// Each group's entries.
    of_group: Vec<u32>,
}

impl DistinctSet {
    /// None if values of this type cannot be compared.
    pub fn new(data_type: &DataType, filters: usize, input: Input) -> Option<Self> {
        if !is_hashable(data_type) || filters > FILTERS {
            return None;
        }
        Some(Self {
            data_type: data_type.clone(),
            filters,
            dictionary: if is_integer(data_type) {
                None
            } else {
                Some(GroupTable::new(std::slice::from_ref(data_type)).ok()?)
            },
            entries: HashTable::new(),
            counts: (input == Input::Updating).then(Counts::default),
            groups: 0,
            hashes: Vec::new(),
            ids: Vec::new(),
        })
    }

    pub fn grow(&mut self, count: usize) {
        self.groups = count;
        if let Some(counts) = &mut self.counts {
            counts.of_group.resize(count, 0);
        }
    }

    /// Takes values in; `masks` has the bits of the filters that let each row through. The bits come back of those
    /// for which the group did not have the value before.
    pub fn add(&mut self, groups: &[u32], values: &ArrayRef, masks: &[u32]) -> Result<Vec<u32>, ArrowError> {
        let values = self.integers(values)?;
        let mut fresh = vec![0; groups.len()];
        for (row, (group, mask)) in groups.iter().zip(masks).enumerate().filter(|(_, (_, mask))| **mask != 0) {
            let (value, group) = (values[row], *group);
            let place =
                self.entries.entry(hash(value, group), is(value, group), |entry| hash(entry.value, entry.group));
            fresh[row] = match (place, &mut self.counts) {
                (Place::Occupied(mut entry), None) => {
                    let entry = entry.get_mut();
                    let fresh = mask & !entry.mark;
                    entry.mark |= mask;
                    fresh
                }
                (Place::Vacant(place), None) => {
                    place.insert(Entry { value, group, mark: *mask });
                    *mask
                }
                (Place::Occupied(entry), Some(counts)) => counts.add(entry.get().mark, *mask, self.filters),
                (Place::Vacant(place), Some(counts)) => {
                    let mark = counts.place(group, self.filters);
                    place.insert(Entry { value, group, mark });
                    counts.add(mark, *mask, self.filters)
                }
            };
        }
        Ok(fresh)
    }

    /// Takes values back; the bits come back of the filters for which the group does not have the value any more.
    pub fn remove(&mut self, groups: &[u32], values: &ArrayRef, masks: &[u32]) -> Result<Vec<u32>, ArrowError> {
        let values = self.integers(values)?;
        let mut gone = vec![0; groups.len()];
        let Some(counts) = &mut self.counts else { return Err(super::kept::only_additions()) };
        for (row, (group, mask)) in groups.iter().zip(masks).enumerate().filter(|(_, (_, mask))| **mask != 0) {
            // What was never there is not taken back.
            let Ok(entry) = self.entries.find_entry(hash(values[row], *group), is(values[row], *group)) else {
                continue;
            };
            let mark = entry.get().mark;
            gone[row] = counts.remove(mark, *mask, self.filters);
            if counts.of(mark, self.filters).iter().all(|count| *count == 0) {
                entry.remove();
                counts.free.push(mark);
                counts.of_group[*group as usize] -= 1;
            }
        }
        Ok(gone)
    }

    /// As two columns of lists: values, and for each its bits or counts.
    pub fn states(&self, which: Which<'_>) -> Result<Vec<ArrayRef>, ArrowError> {
        let (places, count) = self.places(which);
        let place = |entry: &Entry| places.as_ref().map_or(entry.group, |places| places[entry.group as usize]);
        let mut entries: Vec<(u32, &Entry)> = self.entries.iter().map(|entry| (place(entry), entry)).collect();
        entries.retain(|(place, _)| *place != u32::MAX);
        entries.sort_unstable_by_key(|(place, entry)| (*place, entry.value));
        let mut lengths = vec![0; count];
        entries.iter().for_each(|(place, _)| lengths[*place as usize] += 1);
        let values: Vec<i64> = entries.iter().map(|(_, entry)| entry.value).collect();
        let (marks, each): (Vec<i64>, usize) = match &self.counts {
            None => (entries.iter().map(|(_, entry)| i64::from(entry.mark)).collect(), 1),
            Some(counts) => {
                let of = |(_, entry): &(u32, &Entry)| counts.of(entry.mark, self.filters).to_vec();
                (entries.iter().flat_map(of).collect(), self.filters)
            }
        };
        let marks = std::sync::Arc::new(Int64Array::from(marks));
        let values = lists::list(self.column(values)?, lengths.iter().copied());
        Ok(vec![values, lists::list(marks, lengths.iter().map(|length| length * each))])
    }

    /// Takes states in as rows: the groups, values and bits of what is new, for the aggregates to take in.
    pub fn merge(&mut self, groups: &[u32], states: &[ArrayRef]) -> Result<(Vec<u32>, ArrayRef, Vec<u32>), ArrowError> {
        let groups = lists::spread(groups, &states[0]);
        let values = lists::values(&states[0]);
        let masks = lists::values(&states[1]);
        let masks: Vec<u32> = masks.as_primitive::<Int64Type>().values().iter().map(|mask| *mask as u32).collect();
        let fresh = self.add(&groups, &values, &masks)?;
        Ok((groups, values, fresh))
    }

    /// Takes back what [`DistinctSet::states`] put out, for groups that have no values yet.
    pub fn restore(&mut self, groups: &[u32], states: &[ArrayRef]) -> Result<(), ArrowError> {
        if self.counts.is_none() {
            return self.merge(groups, states).map(|_| ());
        }
        let groups = lists::spread(groups, &states[0]);
        let values = self.integers(&lists::values(&states[0]))?;
        let marks = lists::values(&states[1]);
        let marks = marks.as_primitive::<Int64Type>().values();
        let counts = self.counts.as_mut().expect("looked at above");
        for (row, (group, value)) in groups.iter().zip(values.iter()).enumerate() {
            let mark = counts.place(*group, self.filters);
            counts.of_mut(mark, self.filters).copy_from_slice(&marks[row * self.filters..(row + 1) * self.filters]);
            let entry = Entry { value: *value, group: *group, mark };
            self.entries.insert_unique(hash(*value, *group), entry, |entry| hash(entry.value, entry.group));
        }
        Ok(())
    }

    /// Forgets what groups have. It costs little for groups that have had everything taken back.
    pub fn clear(&mut self, groups: &[u32]) {
        let has_entries = |group: &&u32| match &self.counts {
            Some(counts) => counts.of_group[**group as usize] > 0,
            None => true,
        };
        let cleared: std::collections::HashSet<u32> = groups.iter().filter(has_entries).copied().collect();
        if cleared.is_empty() {
            return;
        }
        let counts = &mut self.counts;
        self.entries.retain(|entry| {
            let keep = !cleared.contains(&entry.group);
            if let Some(counts) = counts.as_mut().filter(|_| !keep) {
                counts.free.push(entry.mark);
                counts.of_group[entry.group as usize] -= 1;
            }
            keep
        });
    }

    pub fn retain(&mut self, keep: &BooleanArray, input: Input) -> Result<(), ArrowError> {
        let kept: Vec<u32> = (0..self.groups as u32).filter(|group| keep.value(*group as usize)).collect();
        let states = self.states(Which::These(&kept))?;
        *self = Self::new(&self.data_type, self.filters, input).expect("this type was taken before");
        self.grow(kept.len());
        self.restore(&(0..kept.len() as u32).collect::<Vec<_>>(), &states)
    }

    pub fn bytes(&self) -> usize {
        let counts = self.counts.as_ref().map_or(0, |counts| 8 * counts.counts.capacity() + 4 * counts.of_group.len());
        let dictionary = self.dictionary.as_ref().map_or(0, GroupTable::bytes);
        self.entries.capacity() * (size_of::<Entry>() + 1) + counts + dictionary
    }

    /// For every group its place among those wanted, or the highest number; none if all are wanted. And how many are.
    fn places(&self, which: Which<'_>) -> (Option<Vec<u32>>, usize) {
        match which {
            Which::All => (None, self.groups),
            Which::These(groups) => {
                let mut places = vec![u32::MAX; self.groups];
                groups.iter().enumerate().for_each(|(place, group)| places[*group as usize] = place as u32);
                (Some(places), groups.len())
            }
        }
    }

    fn integers(&mut self, values: &ArrayRef) -> Result<ScalarBuffer<i64>, ArrowError> {
        fn widened<T: ArrowPrimitiveType<Native: Into<i64>>>(values: &ArrayRef) -> ScalarBuffer<i64> {
            values.as_primitive::<T>().values().iter().map(|value| (*value).into()).collect()
        }
        if let Some(dictionary) = &mut self.dictionary {
            hash_rows(std::slice::from_ref(values), values.len(), &mut self.hashes);
            dictionary.intern(std::slice::from_ref(values), &self.hashes, &mut self.ids)?;
            return Ok(self.ids.iter().map(|id| i64::from(*id)).collect());
        }
        Ok(match values.data_type() {
            DataType::Int8 => widened::<Int8Type>(values),
            DataType::Int16 => widened::<Int16Type>(values),
            DataType::Int32 => widened::<Int32Type>(values),
            DataType::Date32 => widened::<Date32Type>(values),
            DataType::Timestamp(..) => values.as_primitive::<TimestampMillisecondType>().values().clone(),
            _ => values.as_primitive::<Int64Type>().values().clone(),
        })
    }

    fn column(&self, values: Vec<i64>) -> Result<ArrayRef, ArrowError> {
        if let Some(dictionary) = &self.dictionary {
            let ids: Vec<u32> = values.into_iter().map(|id| id as u32).collect();
            return Ok(dictionary.gather(&ids)?.remove(0));
        }
        Ok(match &self.data_type {
            data_type @ DataType::Timestamp(..) => {
                let values = PrimitiveArray::<TimestampMillisecondType>::from_iter_values(values);
                std::sync::Arc::new(values.with_data_type(data_type.clone()))
            }
            DataType::Date32 => cast(&cast(&Int64Array::from(values), &DataType::Int32)?, &DataType::Date32)?,
            other => cast(&Int64Array::from(values), other)?,
        })
    }
}

impl Counts {
    fn of(&self, mark: u32, filters: usize) -> &[i64] {
        &self.counts[mark as usize * filters..][..filters]
    }

    fn of_mut(&mut self, mark: u32, filters: usize) -> &mut [i64] {
        &mut self.counts[mark as usize * filters..][..filters]
    }

    /// A place for a new entry's counts, all 0.
    fn place(&mut self, group: u32, filters: usize) -> u32 {
        self.of_group[group as usize] += 1;
        if let Some(mark) = self.free.pop() {
            self.of_mut(mark, filters).fill(0);
            return mark;
        }
        self.counts.resize(self.counts.len() + filters, 0);
        (self.counts.len() / filters - 1) as u32
    }

    fn add(&mut self, mark: u32, mask: u32, filters: usize) -> u32 {
        let mut fresh = 0;
        for (bit, count) in self.of_mut(mark, filters).iter_mut().enumerate().filter(|(bit, _)| mask >> bit & 1 == 1) {
            *count += 1;
            fresh |= u32::from(*count == 1) << bit;
        }
        fresh
    }

    fn remove(&mut self, mark: u32, mask: u32, filters: usize) -> u32 {
        let mut gone = 0;
        for (bit, count) in self.of_mut(mark, filters).iter_mut().enumerate().filter(|(bit, _)| mask >> bit & 1 == 1) {
            // What was never there is not taken back.
            if *count > 0 {
                *count -= 1;
                gone |= u32::from(*count == 0) << bit;
            }
        }
        gone
    }
}

/// The bits of the filters that let each row through, which must not be NULL and be among `rows` (none: all).
pub fn masks(values: &ArrayRef, filters: &[Option<&BooleanArray>], rows: Option<&NullBuffer>) -> Vec<u32> {
    let mut masks = vec![0; values.len()];
    for (bit, filter) in filters.iter().enumerate() {
        match super::set::counted(Some(values), *filter, rows) {
            None => masks.iter_mut().for_each(|mask| *mask |= 1 << bit),
            Some(counted) => counted.valid_indices().for_each(|row| masks[row] |= 1 << bit),
        }
    }
    masks
}

/// The rows that have this bit; none if all do.
pub fn with_bit(bits: &[u32], bit: usize) -> NullBuffer {
    NullBuffer::new(BooleanBuffer::collect_bool(bits.len(), |row| bits[row] >> bit & 1 == 1))
}

fn is_integer(data_type: &DataType) -> bool {
    use DataType as T;
    matches!(data_type, T::Int8 | T::Int16 | T::Int32 | T::Int64 | T::Date32 | T::Timestamp(TimeUnit::Millisecond, _))
}

fn is(value: i64, group: u32) -> impl Fn(&Entry) -> bool {
    move |entry| entry.value == value && entry.group == group
}

/// Spreads group and value over all bits: only for tables in memory, never written.
fn hash(value: i64, group: u32) -> u64 {
    let folded = u128::from(value as u64 ^ 0x9e37_79b9_7f4a_7c15) * u128::from(u64::from(group) << 32 | 0xa076_1d65);
    let first = (folded as u64) ^ (folded >> 64) as u64;
    let folded = u128::from(first) * 0xe703_7ed1_a0b4_28db;
    (folded as u64) ^ (folded >> 64) as u64
}
