//! How keyed state is divided: every key belongs to one of [`KEY_GROUPS`] groups for ever, and every engine thread
//! owns a contiguous range of groups. Rescaling hands ranges around; it never splits a group.

use serde::{Deserialize, Serialize};

/// The number of key groups, part of the snapshot format. It bounds an application's parallelism.
pub const KEY_GROUPS: u32 = 4096;

/// The version of the hash that maps keys to key groups, part of the snapshot format: XXH3-64 of the key's canonical
/// bytes (see `tidemill_engine`'s hash module).
pub const HASH_VERSION: u32 = 1;

/// A range of key groups, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyGroupRange {
    pub first: u32,
    pub last: u32,
}

impl KeyGroupRange {
    /// All key groups.
    pub const ALL: Self = Self { first: 0, last: KEY_GROUPS - 1 };

    /// The range that thread `thread` of `threads` owns.
    pub fn of_thread(thread: usize, threads: usize) -> Self {
        let (thread, threads) = (thread as u64, threads as u64);
        let first = (thread * u64::from(KEY_GROUPS)).div_ceil(threads);
        let next = ((thread + 1) * u64::from(KEY_GROUPS)).div_ceil(threads);
        Self { first: first as u32, last: (next - 1) as u32 }
    }

    pub fn contains(&self, group: u32) -> bool {
        (self.first..=self.last).contains(&group)
    }

    pub fn overlaps(&self, other: &Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

/// The key group of a key with this hash.
pub fn key_group(hash: u64) -> u32 {
    (hash >> 52) as u32
}

/// The thread, of `threads`, that owns `group`.
pub fn thread_of(group: u32, threads: usize) -> usize {
    (u64::from(group) * threads as u64 / u64::from(KEY_GROUPS)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_cover_every_group_once_and_agree_with_the_owner() {
        for threads in [1, 2, 3, 5, 7, 16, 64, 1000, 4096] {
            let mut next = 0;
            for thread in 0..threads {
                let range = KeyGroupRange::of_thread(thread, threads);
                assert_eq!(range.first, next);
                for group in range.first..=range.last {
                    assert_eq!(thread_of(group, threads), thread);
                }
                next = range.last + 1;
            }
            assert_eq!(next, KEY_GROUPS);
        }
    }

    #[test]
    fn the_highest_hash_falls_into_the_last_group() {
        assert_eq!(key_group(u64::MAX), KEY_GROUPS - 1);
        assert_eq!(key_group(0), 0);
    }
}
