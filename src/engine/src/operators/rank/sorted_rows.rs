//! A partition's rows in their order: a sorted vector while they are few, a tree when they are many.

use std::collections::BTreeMap;

use crate::rows::RowId;

/// Where a row stands: its sort key, then its turn in the order of arrival.
pub type Place<K> = (K, u64);

/// More rows than this are kept in a tree.
const FEW: usize = 128;

pub enum SortedRows<K> {
    Few(Vec<(Place<K>, RowId)>),
    Many(BTreeMap<Place<K>, RowId>),
}

impl<K> Default for SortedRows<K> {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl<K: Ord> SortedRows<K> {
    pub fn len(&self) -> usize {
        match self {
            Self::Few(rows) => rows.len(),
            Self::Many(rows) => rows.len(),
        }
    }

    pub fn insert(&mut self, place: Place<K>, id: RowId) {
        match self {
            Self::Few(rows) if rows.len() < FEW => {
                let at = rows.partition_point(|(other, _)| *other < place);
                rows.insert(at, (place, id));
            }
            Self::Few(rows) => {
                let mut rows: BTreeMap<Place<K>, RowId> = rows.drain(..).collect();
                rows.insert(place, id);
                *self = Self::Many(rows);
            }
            Self::Many(rows) => {
                rows.insert(place, id);
            }
        }
    }

    pub fn get_mut(&mut self, place: &Place<K>) -> Option<&mut RowId> {
        match self {
            Self::Few(rows) => {
                let at = rows.binary_search_by(|(other, _)| other.cmp(place)).ok()?;
                Some(&mut rows[at].1)
            }
            Self::Many(rows) => rows.get_mut(place),
        }
    }

    pub fn remove(&mut self, place: &Place<K>) -> Option<RowId> {
        match self {
            Self::Few(rows) => {
                let at = rows.binary_search_by(|(other, _)| other.cmp(place)).ok()?;
                Some(rows.remove(at).1)
            }
            Self::Many(rows) => rows.remove(place),
        }
    }

    pub fn last(&self) -> Option<&Place<K>> {
        match self {
            Self::Few(rows) => rows.last().map(|(place, _)| place),
            Self::Many(rows) => rows.last_key_value().map(|(place, _)| place),
        }
    }

    pub fn pop_last(&mut self) -> Option<(Place<K>, RowId)> {
        match self {
            Self::Few(rows) => rows.pop(),
            Self::Many(rows) => rows.pop_last(),
        }
    }

    /// All rows in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Place<K>, RowId)> {
        let (few, many) = match self {
            Self::Few(rows) => (&rows[..], None),
            Self::Many(rows) => (&[][..], Some(rows.iter())),
        };
        few.iter().map(|(place, id)| (place, *id)).chain(many.into_iter().flatten().map(|(place, id)| (place, *id)))
    }

    /// The rows from this place on, in order.
    pub fn from(&self, place: &Place<K>) -> impl Iterator<Item = (&Place<K>, RowId)> {
        let (few, many) = match self {
            Self::Few(rows) => (&rows[rows.partition_point(|(other, _)| other < place)..], None),
            Self::Many(rows) => (&[][..], Some(rows.range(place..))),
        };
        few.iter().map(|(place, id)| (place, *id)).chain(many.into_iter().flatten().map(|(place, id)| (place, *id)))
    }

    /// The rows before this place, the nearest first.
    pub fn before(&self, place: &Place<K>) -> impl Iterator<Item = (&Place<K>, RowId)> {
        let (few, many) = match self {
            Self::Few(rows) => (&rows[..rows.partition_point(|(other, _)| other < place)], None),
            Self::Many(rows) => (&[][..], Some(rows.range(..place).rev())),
        };
        let few = few.iter().rev().map(|(place, id)| (place, *id));
        few.chain(many.into_iter().flatten().map(|(place, id)| (place, *id)))
    }

    pub fn bytes(&self) -> usize {
        match self {
            Self::Few(rows) => rows.capacity() * size_of::<(Place<K>, RowId)>(),
            Self::Many(rows) => rows.len() * size_of::<(Place<K>, RowId)>() * 3 / 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_and_many_rows_are_found_alike() {
        for count in [10, FEW as u64 * 3] {
            let mut rows = SortedRows::default();
            for turn in 0..count {
                rows.insert((turn * 7 % count / 2, turn), turn as RowId);
            }
            let mut expected: Vec<(u64, u64)> = (0..count).map(|turn| (turn * 7 % count / 2, turn)).collect();
            expected.sort_unstable();
            assert!(rows.iter().map(|(place, _)| *place).eq(expected.iter().copied()));
            let middle = expected[5];
            assert!(rows.from(&middle).map(|(place, _)| *place).eq(expected[5..].iter().copied()));
            assert!(rows.before(&middle).map(|(place, _)| *place).eq(expected[..5].iter().rev().copied()));
            assert_eq!(rows.remove(&middle), Some(middle.1 as RowId));
            assert_eq!(rows.remove(&middle), None);
            assert_eq!(rows.pop_last().map(|(place, _)| place), expected.last().copied());
            assert_eq!(rows.len() as u64, count - 2);
        }
    }
}
