//! The versions of each key's row: from when on which one is valid, until the next one is.

use arrow::array::BooleanArray;

use crate::rows::{NO_ROW, RowId};

/// Versions by group, the newest first.
#[derive(Default)]
pub struct Versions {
    newest: Vec<RowId>,
    rows: Vec<Version>,
    /// Groups that may have versions which are needed no more, some of them more than once.
    crowded: Vec<u32>,
}

#[derive(Clone, Copy)]
pub struct Version {
    pub time: i64,
    /// Whether from then on there is no row.
    pub is_end: bool,
    older: RowId,
}

impl Versions {
    /// Takes in a version. Returns the one of the same time that it replaces.
    pub fn insert(&mut self, group: u32, id: RowId, time: i64, is_end: bool) -> Option<RowId> {
        if self.newest.len() <= group as usize {
            self.newest.resize(group as usize + 1, NO_ROW);
        }
        if self.rows.len() <= id as usize {
            self.rows.resize(id as usize + 1, Version { time: 0, is_end: false, older: NO_ROW });
        }
        let (mut newer, mut older) = (NO_ROW, self.newest[group as usize]);
        while older != NO_ROW && self.rows[older as usize].time > time {
            newer = older;
            older = self.rows[older as usize].older;
        }
        let replaced = (older != NO_ROW && self.rows[older as usize].time == time).then_some(older);
        let older = replaced.map_or(older, |replaced| self.rows[replaced as usize].older);
        self.rows[id as usize] = Version { time, is_end, older };
        match newer {
            NO_ROW => self.newest[group as usize] = id,
            newer => self.rows[newer as usize].older = id,
        }
        if is_end || older != NO_ROW || newer != NO_ROW {
            self.crowded.push(group);
        }
        replaced
    }

    /// The row that is valid for each of these groups and times, or [`NO_ROW`].
    pub fn valid(&self, wanted: &[(u32, i64)]) -> Vec<RowId> {
        let mut valid = vec![NO_ROW; wanted.len()];
        let mut order: Vec<u32> = (0..wanted.len() as u32).collect();
        // Latest first, as versions are: then each group's list is gone through once.
        order.sort_unstable_by_key(|place| {
            let (group, time) = wanted[*place as usize];
            (group, std::cmp::Reverse(time))
        });
        let (mut of, mut version) = (None, NO_ROW);
        for place in order {
            let (group, time) = wanted[place as usize];
            if of != Some(group) {
                of = Some(group);
                version = self.newest.get(group as usize).copied().unwrap_or(NO_ROW);
            }
            while version != NO_ROW && self.rows[version as usize].time > time {
                version = self.rows[version as usize].older;
            }
            if version != NO_ROW && !self.rows[version as usize].is_end {
                valid[place as usize] = version;
            }
        }
        valid
    }

    /// Forgets the versions that are not valid at `time` or later.
    pub fn forget_until(&mut self, time: i64, mut each: impl FnMut(RowId)) {
        let mut crowded = std::mem::take(&mut self.crowded);
        crowded.sort_unstable();
        crowded.dedup();
        crowded.retain(|group| {
            let newest = self.newest[*group as usize];
            let (mut newer, mut valid) = (NO_ROW, newest);
            while valid != NO_ROW && self.rows[valid as usize].time > time {
                newer = valid;
                valid = self.rows[valid as usize].older;
            }
            if valid == NO_ROW {
                return newer != newest || newer != NO_ROW && self.rows[newer as usize].is_end;
            }
            let mut forgotten = match self.rows[valid as usize].is_end {
                // Before the next version there is no row, which is what it means when there is nothing.
                true => self.cut(*group, newer, valid),
                false => std::mem::replace(&mut self.rows[valid as usize].older, NO_ROW),
            };
            while forgotten != NO_ROW {
                each(forgotten);
                forgotten = self.rows[forgotten as usize].older;
            }
            newer != NO_ROW
        });
        self.crowded = crowded;
    }

    pub fn is_empty(&self, group: u32) -> bool {
        self.newest.get(group as usize).is_none_or(|newest| *newest == NO_ROW)
    }

    /// All versions, with their groups.
    pub fn all(&self) -> impl Iterator<Item = (u32, RowId, Version)> {
        let there = |id: RowId| (id != NO_ROW).then_some(id);
        self.newest.iter().enumerate().flat_map(move |(group, newest)| {
            std::iter::successors(there(*newest), move |id| there(self.rows[*id as usize].older))
                .map(move |id| (group as u32, id, self.rows[id as usize]))
        })
    }

    /// Follows [`crate::groups::GroupTable::retain`]; `numbers` has each kept group's new number.
    pub fn retain(&mut self, keep: &BooleanArray, numbers: &[u32]) {
        let mut group = 0;
        self.newest.retain(|_| {
            group += 1;
            keep.value(group - 1)
        });
        self.crowded.retain(|group| keep.value(*group as usize));
        self.crowded.iter_mut().for_each(|group| *group = numbers[*group as usize]);
    }

    pub fn bytes(&self) -> usize {
        (self.newest.capacity() + self.crowded.capacity()) * size_of::<RowId>()
            + self.rows.capacity() * size_of::<Version>()
    }

    /// Cuts off the list from `valid` on, which follows `newer`. Returns its first.
    fn cut(&mut self, group: u32, newer: RowId, valid: RowId) -> RowId {
        match newer {
            NO_ROW => self.newest[group as usize] = NO_ROW,
            newer => self.rows[newer as usize].older = NO_ROW,
        }
        valid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions() -> Versions {
        let mut versions = Versions::default();
        for (id, time) in [(0, 10), (1, 30), (2, 20), (3, 40)] {
            assert_eq!(versions.insert(1, id, time, id == 3), None);
        }
        versions
    }

    #[test]
    fn the_version_with_the_highest_time_not_after_is_valid() {
        let versions = versions();
        let wanted = [(1, 25), (1, 9), (1, 10), (0, 10), (1, 39), (1, 40), (2, 5), (1, 30)];
        assert_eq!(versions.valid(&wanted), [2, NO_ROW, 0, NO_ROW, 1, NO_ROW, NO_ROW, 1]);
    }

    #[test]
    fn a_version_replaces_that_of_its_time() {
        let mut versions = versions();
        assert_eq!(versions.insert(1, 4, 20, false), Some(2));
        assert_eq!(versions.valid(&[(1, 20), (1, 19)]), [4, 0]);
    }

    #[test]
    fn versions_that_nothing_can_need_are_forgotten() {
        let mut versions = versions();
        let mut forgotten = |time| {
            let mut gone = Vec::new();
            versions.forget_until(time, |id| gone.push(id));
            (gone, versions.all().count(), versions.crowded.len())
        };
        assert_eq!(forgotten(9), (vec![], 4, 1));
        assert_eq!(forgotten(29), (vec![0], 3, 1));
        assert_eq!(forgotten(40), (vec![3, 1, 2], 0, 0), "nothing is left of a row that was deleted");
    }
}
