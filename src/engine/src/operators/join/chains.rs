//! The stored rows of each key: a doubly linked list of row numbers for each group, so that a row is added, found and
//! taken out at the same small cost however many its key has.

use arrow::array::BooleanArray;

use crate::rows::{NO_ROW, RowId};

/// Lists of rows by group. A row is in one list at most.
#[derive(Default)]
pub struct Chains {
    /// Each group's first row.
    heads: Vec<RowId>,
    links: Vec<Link>,
}

#[derive(Clone, Copy)]
struct Link {
    next: RowId,
    /// The row before, or for the first one its group with [`IS_FIRST`] set.
    previous: u32,
}

const IS_FIRST: u32 = 1 << 31;
const UNLINKED: Link = Link { next: NO_ROW, previous: NO_ROW };

impl Chains {
    /// The rows of a group, the newest first.
    pub fn rows(&self, group: u32) -> impl Iterator<Item = RowId> {
        let first = self.heads.get(group as usize).copied().unwrap_or(NO_ROW);
        std::iter::successors((first != NO_ROW).then_some(first), |id| {
            let next = self.links[*id as usize].next;
            (next != NO_ROW).then_some(next)
        })
    }

    pub fn is_empty(&self, group: u32) -> bool {
        self.heads.get(group as usize).is_none_or(|first| *first == NO_ROW)
    }

    pub fn push(&mut self, group: u32, id: RowId) {
        debug_assert!(group < IS_FIRST && id < IS_FIRST, "2³¹ rows of a thread are more than its memory");
        if self.heads.len() <= group as usize {
            self.heads.resize(group as usize + 1, NO_ROW);
        }
        if self.links.len() <= id as usize {
            self.links.resize(id as usize + 1, UNLINKED);
        }
        let next = std::mem::replace(&mut self.heads[group as usize], id);
        if next != NO_ROW {
            self.links[next as usize].previous = id;
        }
        self.links[id as usize] = Link { next, previous: group | IS_FIRST };
    }

    pub fn remove(&mut self, id: RowId) {
        let Link { next, previous } = std::mem::replace(&mut self.links[id as usize], UNLINKED);
        debug_assert!(previous != NO_ROW, "a row is taken out once");
        if previous & IS_FIRST != 0 {
            self.heads[(previous & !IS_FIRST) as usize] = next;
        } else {
            self.links[previous as usize].next = next;
        }
        if next != NO_ROW {
            self.links[next as usize].previous = previous;
        }
    }

    /// Follows [`crate::groups::GroupTable::retain`]: groups that are not kept have no rows.
    pub fn retain(&mut self, keep: &BooleanArray) {
        let mut group = 0;
        self.heads.retain(|_| {
            group += 1;
            keep.value(group - 1)
        });
        for (group, first) in self.heads.iter().enumerate().filter(|(_, first)| **first != NO_ROW) {
            self.links[*first as usize].previous = group as u32 | IS_FIRST;
        }
    }

    pub fn bytes(&self) -> usize {
        self.heads.capacity() * size_of::<RowId>() + self.links.capacity() * size_of::<Link>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(chains: &Chains, expected: &[&[RowId]]) {
        for (group, rows) in expected.iter().enumerate() {
            assert_eq!(chains.rows(group as u32).collect::<Vec<_>>(), *rows, "group {group}");
            assert_eq!(chains.is_empty(group as u32), rows.is_empty());
        }
    }

    fn chains() -> Chains {
        let mut chains = Chains::default();
        [(0, 4), (2, 0), (0, 1), (0, 7)].into_iter().for_each(|(group, id)| chains.push(group, id));
        chains
    }

    #[test]
    fn rows_are_taken_out_at_either_end_and_in_the_middle() {
        let mut chains = chains();
        check(&chains, &[&[7, 1, 4], &[], &[0], &[]]);
        chains.remove(1);
        check(&chains, &[&[7, 4], &[], &[0]]);
        chains.remove(7);
        chains.push(2, 1);
        check(&chains, &[&[4], &[], &[1, 0]]);
        chains.remove(0);
        chains.remove(4);
        check(&chains, &[&[], &[], &[1]]);
    }

    #[test]
    fn groups_move_up_with_their_rows() {
        let mut chains = chains();
        chains.retain(&BooleanArray::from(vec![true, false, true]));
        check(&chains, &[&[7, 1, 4], &[0], &[]]);
        chains.remove(0);
        check(&chains, &[&[7, 1, 4], &[]]);
    }
}
