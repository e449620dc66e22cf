//! The stored rows of each key by time, so that a row is compared only with those near its time: each key's time is cut
//! into buckets, found by hash, and each bucket has a list of rows for either side.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use arrow::array::BooleanArray;
use hashbrown::HashTable;

use super::{Side, other};
use crate::rows::{NO_ROW, RowId};

/// Rows of both sides, by group and time.
pub struct Buckets {
    width_ms: i64,
    table: HashTable<u32>,
    buckets: Vec<Bucket>,
    free: Vec<u32>,
    /// The buckets by their number in time.
    by_time: BTreeMap<i64, Vec<u32>>,
    rows: [Vec<TimedRow>; 2],
    /// The last number in time that was emptied, for each side.
    emptied: [i64; 2],
}

struct Bucket {
    group: u32,
    number: i64,
    first: [RowId; 2],
}

#[derive(Clone, Copy)]
struct TimedRow {
    time: i64,
    next: RowId,
}

impl Buckets {
    /// For looking at ranges of times that are `range_ms` apart at most. Half of it as the width means that a look
    /// covers three buckets at most, and rows stay half of it longer than they must.
    pub fn new(range_ms: i64) -> Self {
        Self {
            width_ms: range_ms.max(0) / 2 + 1,
            table: HashTable::new(),
            buckets: Vec::new(),
            free: Vec::new(),
            by_time: BTreeMap::new(),
            rows: [Vec::new(), Vec::new()],
            emptied: [i64::MIN; 2],
        }
    }

    pub fn insert(&mut self, side: Side, group: u32, time: i64, id: RowId) {
        let bucket = self.bucket(group, time.div_euclid(self.width_ms));
        let next = std::mem::replace(&mut self.buckets[bucket as usize].first[side], id);
        let rows = &mut self.rows[side];
        if rows.len() <= id as usize {
            rows.resize(id as usize + 1, TimedRow { time: 0, next: NO_ROW });
        }
        rows[id as usize] = TimedRow { time, next };
    }

    /// The rows of a side and group with these times.
    pub fn rows(&self, side: Side, group: u32, times: RangeInclusive<i64>) -> impl Iterator<Item = RowId> {
        let (from, to) = times.into_inner();
        let numbers = from.div_euclid(self.width_ms)..=to.div_euclid(self.width_ms);
        let is_in_range = move |id: &RowId| (from..=to).contains(&self.rows[side][*id as usize].time);
        numbers
            .filter_map(move |number| self.find(group, number))
            .flat_map(move |bucket| self.list(side, bucket).filter(is_in_range))
    }

    /// All rows of a side, with their groups.
    pub fn all(&self, side: Side) -> impl Iterator<Item = (u32, RowId)> {
        self.by_time.values().flatten().flat_map(move |bucket| {
            let group = self.buckets[*bucket as usize].group;
            self.list(side, *bucket).map(move |id| (group, id))
        })
    }

    /// Takes out the rows of a side in buckets that end at `time` or before.
    pub fn empty_until(&mut self, side: Side, time: i64, mut each: impl FnMut(RowId)) {
        // The bucket that has the next millisecond is the first that stays.
        let last = match time {
            i64::MAX => i64::MAX,
            time => (time + 1).div_euclid(self.width_ms).saturating_sub(1),
        };
        if last <= self.emptied[side] {
            return;
        }
        let due: Vec<i64> =
            self.by_time.range(self.emptied[side].saturating_add(1)..=last).map(|(number, _)| *number).collect();
        self.emptied[side] = last;
        for number in due {
            let list = self.by_time.remove(&number).unwrap_or_default();
            let mut left = Vec::new();
            for bucket in list {
                self.list(side, bucket).for_each(&mut each);
                self.buckets[bucket as usize].first[side] = NO_ROW;
                match self.buckets[bucket as usize].first[other(side)] {
                    NO_ROW => self.forget(bucket),
                    _ => left.push(bucket),
                }
            }
            if !left.is_empty() {
                self.by_time.insert(number, left);
            }
        }
    }

    /// Which of this many groups have rows.
    pub fn live(&self, groups: usize) -> BooleanArray {
        let mut live = vec![false; groups];
        self.by_time.values().flatten().for_each(|bucket| live[self.buckets[*bucket as usize].group as usize] = true);
        BooleanArray::from(live)
    }

    /// Follows [`crate::groups::GroupTable::retain`]: groups that are not kept have no rows.
    pub fn retain(&mut self, keep: &BooleanArray) {
        let mut next = 0;
        let numbers: Vec<u32> = (0..keep.len())
            .map(|group| {
                next += u32::from(keep.value(group));
                next.saturating_sub(1)
            })
            .collect();
        self.table.clear();
        let Self { table, buckets, by_time, .. } = self;
        for place in by_time.values().flatten() {
            let bucket = &mut buckets[*place as usize];
            bucket.group = numbers[bucket.group as usize];
            let hash = mixed(bucket.group, bucket.number);
            table.insert_unique(hash, *place, |place| {
                let bucket = &buckets[*place as usize];
                mixed(bucket.group, bucket.number)
            });
        }
    }

    pub fn bytes(&self) -> usize {
        let rows: usize = self.rows.iter().map(|rows| rows.capacity() * size_of::<TimedRow>()).sum();
        rows + self.buckets.capacity() * (size_of::<Bucket>() + 4) + self.table.capacity() * 5
    }

    fn list(&self, side: Side, bucket: u32) -> impl Iterator<Item = RowId> {
        let there = |id: RowId| (id != NO_ROW).then_some(id);
        let first = there(self.buckets[bucket as usize].first[side]);
        std::iter::successors(first, move |id| there(self.rows[side][*id as usize].next))
    }

    fn find(&self, group: u32, number: i64) -> Option<u32> {
        let is_it = |place: &u32| {
            let bucket = &self.buckets[*place as usize];
            bucket.group == group && bucket.number == number
        };
        self.table.find(mixed(group, number), is_it).copied()
    }

    fn bucket(&mut self, group: u32, number: i64) -> u32 {
        if let Some(bucket) = self.find(group, number) {
            return bucket;
        }
        let bucket = Bucket { group, number, first: [NO_ROW; 2] };
        let place = match self.free.pop() {
            Some(place) => {
                self.buckets[place as usize] = bucket;
                place
            }
            None => {
                self.buckets.push(bucket);
                self.buckets.len() as u32 - 1
            }
        };
        let buckets = &self.buckets;
        self.table.insert_unique(mixed(group, number), place, |place| {
            let bucket = &buckets[*place as usize];
            mixed(bucket.group, bucket.number)
        });
        self.by_time.entry(number).or_default().push(place);
        place
    }

    fn forget(&mut self, place: u32) {
        let bucket = &self.buckets[place as usize];
        if let Ok(found) = self.table.find_entry(mixed(bucket.group, bucket.number), |other| *other == place) {
            found.remove();
        }
        self.free.push(place);
    }
}

/// A hash of two numbers. It never leaves this process.
fn mixed(group: u32, number: i64) -> u64 {
    let product = u128::from(u64::from(group) ^ 0x9e37_79b9_7f4a_7c15)
        * u128::from((number as u64).wrapping_mul(0xa076_1d64_78bd_642f) ^ 0xe703_7ed1_a0b4_28db);
    (product as u64) ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::super::{LEFT, RIGHT};
    use super::*;

    fn found(buckets: &Buckets, side: Side, group: u32, times: RangeInclusive<i64>) -> Vec<RowId> {
        let mut rows: Vec<RowId> = buckets.rows(side, group, times).collect();
        rows.sort();
        rows
    }

    #[test]
    fn rows_are_found_by_their_times_and_emptied_bucket_by_bucket() {
        for range in [0, 1, 2, 9, 10, 1_000, i64::MAX] {
            let mut buckets = Buckets::new(range);
            for (id, time) in (-50..50).enumerate() {
                buckets.insert(LEFT, id as u32 % 2, time, id as RowId);
                buckets.insert(RIGHT, 0, time, id as RowId);
            }
            assert_eq!(found(&buckets, LEFT, 1, -7..=-3), [43, 45, 47], "range {range}");
            assert!(found(&buckets, LEFT, 2, -7..=-3).is_empty());
            let mut gone = Vec::new();
            buckets.empty_until(LEFT, 5, |id| gone.push(i64::from(id) - 50));
            assert!(gone.iter().all(|time| *time <= 5));
            assert!(range > 100 || gone.len() as i64 >= 56 - (range / 2 + 1));
            assert_eq!(found(&buckets, LEFT, 1, 6..=9), [57, 59]);
            assert_eq!(found(&buckets, RIGHT, 0, -50..=49).len(), 100);
            buckets.empty_until(RIGHT, i64::MAX, |_| {});
            buckets.empty_until(LEFT, i64::MAX, |id| gone.push(i64::from(id) - 50));
            assert_eq!((gone.len(), buckets.table.len(), buckets.by_time.len()), (100, 0, 0));
        }
    }

    #[test]
    fn groups_move_up_with_their_rows() {
        let mut buckets = Buckets::new(10);
        [(0, 5), (2, 6), (3, 7)].into_iter().for_each(|(group, time)| buckets.insert(LEFT, group, time, group));
        let live = buckets.live(4);
        assert_eq!(live, BooleanArray::from(vec![true, false, true, true]));
        buckets.retain(&live);
        assert_eq!(found(&buckets, LEFT, 1, 0..=9), [2]);
        assert_eq!(found(&buckets, LEFT, 2, 0..=9), [3]);
        assert!(found(&buckets, LEFT, 3, 0..=9).is_empty());
    }
}
