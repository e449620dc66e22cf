//! Which group a key is: a hash table from keys to dense numbers, with fast paths for one text or one integer column.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, StringBuilder};
use arrow::compute::{cast, filter};
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// The group of a key that is not known.
pub const NO_GROUP: u32 = u32::MAX;

/// Numbers the distinct keys from 0 in the order of their first appearance.
pub struct GroupTable {
    table: HashTable<u32>,
    hashes: Vec<u64>,
    keys: Keys,
}

enum Keys {
    /// No key columns: one group.
    Unit,
    Text {
        bytes: Vec<u8>,
        ends: Vec<usize>,
        null: Option<u32>,
    },
    Integer {
        values: Vec<i64>,
        null: Option<u32>,
        data_type: DataType,
    },
    /// Several columns, or one of another type, in arrow's row format, one behind the other.
    Rows {
        converter: RowConverter,
        bytes: Vec<u8>,
        ends: Vec<usize>,
    },
}

impl GroupTable {
    pub fn new(key_types: &[DataType]) -> Result<Self, ArrowError> {
        let keys = match key_types {
            [] => Keys::Unit,
            [DataType::Utf8] => Keys::Text { bytes: Vec::new(), ends: Vec::new(), null: None },
            [data_type @ (DataType::Int64 | DataType::Int32 | DataType::Timestamp(TimeUnit::Millisecond, _))] => {
                Keys::Integer { values: Vec::new(), null: None, data_type: data_type.clone() }
            }
            types => {
                let fields = types.iter().cloned().map(SortField::new).collect();
                Keys::Rows { converter: RowConverter::new(fields)?, bytes: Vec::new(), ends: Vec::new() }
            }
        };
        Ok(Self { table: HashTable::new(), hashes: Vec::new(), keys })
    }

    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Each group's hash, by group.
    pub fn hashes(&self) -> &[u64] {
        &self.hashes
    }

    /// Puts each row's group into `groups`, making groups of keys not seen before. `hashes` are the rows' hashes.
    pub fn intern(&mut self, columns: &[ArrayRef], hashes: &[u64], groups: &mut Vec<u32>) -> Result<(), ArrowError> {
        groups.clear();
        groups.reserve(hashes.len());
        let (table, known) = (&mut self.table, &mut self.hashes);
        match &mut self.keys {
            Keys::Unit => {
                if known.is_empty() && !hashes.is_empty() {
                    known.push(hashes[0]);
                }
                groups.resize(hashes.len(), 0);
            }
            Keys::Text { bytes, ends, null } => {
                let values = columns[0].as_string::<i32>();
                for (row, &hash) in hashes.iter().enumerate() {
                    if values.is_null(row) {
                        groups.push(*null.get_or_insert_with(|| {
                            ends.push(bytes.len());
                            appended(known, hash)
                        }));
                        continue;
                    }
                    let value = values.value(row).as_bytes();
                    let is_same = |group: u32| {
                        *null != Some(group) && known[group as usize] == hash && at(bytes, ends, group) == value
                    };
                    groups.push(match lookup(table, known, hash, is_same) {
                        Found::Group(group) => group,
                        Found::New => {
                            bytes.extend_from_slice(value);
                            ends.push(bytes.len());
                            inserted(table, known, hash)
                        }
                    });
                }
            }
            Keys::Integer { values: stored, null, .. } => {
                let column = cast(&columns[0], &DataType::Int64)?;
                let values = column.as_primitive::<Int64Type>();
                for (row, &hash) in hashes.iter().enumerate() {
                    if values.is_null(row) {
                        groups.push(*null.get_or_insert_with(|| {
                            stored.push(0);
                            appended(known, hash)
                        }));
                        continue;
                    }
                    let value = values.value(row);
                    let is_same = |group: u32| *null != Some(group) && stored[group as usize] == value;
                    groups.push(match lookup(table, known, hash, is_same) {
                        Found::Group(group) => group,
                        Found::New => {
                            stored.push(value);
                            inserted(table, known, hash)
                        }
                    });
                }
            }
            Keys::Rows { converter, bytes, ends } => {
                let rows = converter.convert_columns(columns)?;
                for (row, &hash) in hashes.iter().enumerate() {
                    let value = rows.row(row).data();
                    let is_same = |group: u32| known[group as usize] == hash && at(bytes, ends, group) == value;
                    groups.push(match lookup(table, known, hash, is_same) {
                        Found::Group(group) => group,
                        Found::New => {
                            bytes.extend_from_slice(value);
                            ends.push(bytes.len());
                            inserted(table, known, hash)
                        }
                    });
                }
            }
        }
        Ok(())
    }

    /// Puts each row's group into `groups`, [`NO_GROUP`] for a key that has none.
    pub fn find(&self, columns: &[ArrayRef], hashes: &[u64], groups: &mut Vec<u32>) -> Result<(), ArrowError> {
        groups.clear();
        let found = |hash: u64, is_same: &dyn Fn(u32) -> bool| {
            self.table.find(hash, |group| is_same(*group)).copied().unwrap_or(NO_GROUP)
        };
        let rows = hashes.iter().copied().enumerate();
        match &self.keys {
            Keys::Unit => groups.resize(hashes.len(), if self.hashes.is_empty() { NO_GROUP } else { 0 }),
            Keys::Text { bytes, ends, null } => {
                let values = columns[0].as_string::<i32>();
                groups.extend(rows.map(|(row, hash)| match values.is_null(row) {
                    true => null.unwrap_or(NO_GROUP),
                    false => found(hash, &|group| {
                        self.hashes[group as usize] == hash && at(bytes, ends, group) == values.value(row).as_bytes()
                    }),
                }));
            }
            Keys::Integer { values: stored, null, .. } => {
                let column = cast(&columns[0], &DataType::Int64)?;
                let values = column.as_primitive::<Int64Type>();
                groups.extend(rows.map(|(row, hash)| match values.is_null(row) {
                    true => null.unwrap_or(NO_GROUP),
                    false => found(hash, &|group| stored[group as usize] == values.value(row)),
                }));
            }
            Keys::Rows { converter, bytes, ends } => {
                let values = converter.convert_columns(columns)?;
                groups.extend(rows.map(|(row, hash)| {
                    found(hash, &|group| {
                        self.hashes[group as usize] == hash && at(bytes, ends, group) == values.row(row).data()
                    })
                }));
            }
        }
        Ok(())
    }

    /// Forgets groups: those for which `keep` is false. The others are numbered anew, in their order; what is kept by
    /// group elsewhere has to be filtered in the same way.
    pub fn retain(&mut self, keep: &BooleanArray) -> Result<(), ArrowError> {
        let columns = self.columns()?;
        let kept: Vec<ArrayRef> = columns.iter().map(|column| filter(column, keep)).collect::<Result<_, _>>()?;
        let hashes: Vec<u64> =
            self.hashes.iter().enumerate().filter(|(group, _)| keep.value(*group)).map(|(_, hash)| *hash).collect();
        let types: Vec<DataType> = columns.iter().map(|column| column.data_type().clone()).collect();
        let mut renewed = Self::new(&types)?;
        renewed.intern(&kept, &hashes, &mut Vec::new())?;
        *self = renewed;
        Ok(())
    }

    /// The keys as columns, a row for each group.
    pub fn columns(&self) -> Result<Vec<ArrayRef>, ArrowError> {
        self.gather(&(0..self.len() as u32).collect::<Vec<_>>())
    }

    /// The keys of these groups as columns.
    pub fn gather(&self, groups: &[u32]) -> Result<Vec<ArrayRef>, ArrowError> {
        Ok(match &self.keys {
            Keys::Unit => Vec::new(),
            Keys::Text { bytes, ends, null } => {
                let mut builder = StringBuilder::with_capacity(groups.len(), 16 * groups.len());
                for &group in groups {
                    if *null == Some(group) {
                        builder.append_null();
                    } else {
                        // Only whole strings were taken in, so this never replaces anything.
                        builder.append_value(String::from_utf8_lossy(at(bytes, ends, group)));
                    }
                }
                vec![Arc::new(builder.finish())]
            }
            Keys::Integer { values, null, data_type } => {
                let value = |group: &u32| (*null != Some(*group)).then(|| values[*group as usize]);
                vec![cast(&groups.iter().map(value).collect::<Int64Array>(), data_type)?]
            }
            Keys::Rows { converter, bytes, ends } => {
                let parser = converter.parser();
                converter.convert_rows(groups.iter().map(|group| parser.parse(at(bytes, ends, *group))))?
            }
        })
    }

    pub fn bytes(&self) -> usize {
        let keys = match &self.keys {
            Keys::Unit => 0,
            Keys::Text { bytes, ends, .. } | Keys::Rows { bytes, ends, .. } => bytes.capacity() + ends.capacity() * 8,
            Keys::Integer { values, .. } => values.capacity() * 8,
        };
        keys + self.hashes.capacity() * 8 + self.table.capacity() * 5
    }
}

enum Found {
    Group(u32),
    New,
}

fn lookup(table: &mut HashTable<u32>, hashes: &[u64], hash: u64, is_same: impl Fn(u32) -> bool) -> Found {
    debug_assert!(table.len() <= hashes.len());
    table.find(hash, |group| is_same(*group)).map_or(Found::New, |group| Found::Group(*group))
}

/// Makes a group that the table finds.
fn inserted(table: &mut HashTable<u32>, hashes: &mut Vec<u64>, hash: u64) -> u32 {
    let group = hashes.len() as u32;
    hashes.push(hash);
    match table.entry(hash, |_| false, |group| hashes[*group as usize]) {
        Entry::Vacant(vacant) => vacant.insert(group),
        Entry::Occupied(_) => unreachable!("nothing is equal"),
    };
    group
}

/// Makes a group that the table does not know: the NULL key's.
fn appended(hashes: &mut Vec<u64>, hash: u64) -> u32 {
    hashes.push(hash);
    hashes.len() as u32 - 1
}

fn at<'a>(bytes: &'a [u8], ends: &[usize], group: u32) -> &'a [u8] {
    let group = group as usize;
    let start = if group == 0 { 0 } else { ends[group - 1] };
    &bytes[start..ends[group]]
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int32Array, StringArray};

    use super::*;
    use crate::hash::hash_rows;

    fn intern(table: &mut GroupTable, columns: &[ArrayRef]) -> Vec<u32> {
        let (mut hashes, mut groups) = (Vec::new(), Vec::new());
        hash_rows(columns, columns.first().map_or(2, |column| column.len()), &mut hashes);
        table.intern(columns, &hashes, &mut groups).unwrap();
        groups
    }

    fn check(columns: Vec<ArrayRef>, groups: &[u32]) {
        let types: Vec<DataType> = columns.iter().map(|column| column.data_type().clone()).collect();
        let mut table = GroupTable::new(&types).unwrap();
        assert_eq!(intern(&mut table, &columns), groups);
        assert_eq!(intern(&mut table, &columns), groups, "known keys keep their groups");
        let keys = table.columns().unwrap();
        for (row, group) in groups.iter().enumerate() {
            for (key, column) in keys.iter().zip(&columns) {
                assert_eq!(key.slice(*group as usize, 1).as_ref(), column.slice(row, 1).as_ref());
            }
        }
    }

    #[test]
    fn text_keys() {
        check(vec![Arc::new(StringArray::from(vec![Some("a"), None, Some(""), Some("a"), None]))], &[0, 1, 2, 0, 1]);
        check(vec![Arc::new(StringArray::from(vec![None, Some("")]))], &[0, 1]);
    }

    #[test]
    fn integer_keys() {
        check(vec![Arc::new(Int32Array::from(vec![Some(7), Some(0), None, Some(7)]))], &[0, 1, 2, 0]);
    }

    #[test]
    fn keys_of_several_columns() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), Some("a"), None, Some("a")]));
        let flags: ArrayRef = Arc::new(BooleanArray::from(vec![true, false, true, true]));
        check(vec![texts, flags], &[0, 1, 2, 0]);
    }

    #[test]
    fn known_keys_are_found_and_others_are_not() {
        let texts = |texts: Vec<Option<&str>>| Arc::new(StringArray::from(texts)) as ArrayRef;
        let numbers = |numbers: Vec<Option<i32>>| Arc::new(Int32Array::from(numbers)) as ArrayRef;
        let check = |known: Vec<ArrayRef>, asked: Vec<ArrayRef>, expected: &[u32]| {
            let types: Vec<DataType> = known.iter().map(|column| column.data_type().clone()).collect();
            let mut table = GroupTable::new(&types).unwrap();
            let (mut hashes, mut groups) = (Vec::new(), Vec::new());
            hash_rows(&asked, asked.first().map_or(1, |column| column.len()), &mut hashes);
            table.find(&asked, &hashes, &mut groups).unwrap();
            assert!(groups.iter().all(|group| *group == NO_GROUP), "nothing is known yet");
            intern(&mut table, &known);
            table.find(&asked, &hashes, &mut groups).unwrap();
            assert_eq!(groups, expected);
        };
        let asked = vec![Some("b"), None, Some(""), Some("a")];
        check(vec![texts(vec![Some("a"), Some(""), None])], vec![texts(asked.clone())], &[NO_GROUP, 2, 1, 0]);
        check(vec![texts(vec![Some("a")])], vec![texts(asked)], &[NO_GROUP, NO_GROUP, NO_GROUP, 0]);
        check(vec![numbers(vec![None, Some(7)])], vec![numbers(vec![Some(7), Some(0), None])], &[1, NO_GROUP, 0]);
        let pair = |text: &str, number: i32| vec![texts(vec![Some(text)]), numbers(vec![Some(number)])];
        check(pair("a", 1), pair("a", 1), &[0]);
        check(pair("a", 1), pair("a", 2), &[NO_GROUP]);
        check(vec![], vec![], &[0]);
    }

    #[test]
    fn no_key_is_one_group() {
        let mut table = GroupTable::new(&[]).unwrap();
        assert_eq!(intern(&mut table, &[]), [0, 0]);
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn groups_are_forgotten_and_the_others_move_up() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("c"), Some("d")]));
        let mut table = GroupTable::new(&[DataType::Utf8]).unwrap();
        intern(&mut table, std::slice::from_ref(&texts));
        table.retain(&BooleanArray::from(vec![false, true, false, true])).unwrap();
        assert_eq!(intern(&mut table, &[texts]), [2, 0, 3, 1]);
    }

    #[test]
    fn many_keys_survive_growth() {
        let values: ArrayRef = Arc::new(Int64Array::from_iter_values(0..50_000));
        let mut table = GroupTable::new(&[DataType::Int64]).unwrap();
        let first = intern(&mut table, std::slice::from_ref(&values));
        assert_eq!(first, (0..50_000).collect::<Vec<u32>>());
        assert_eq!(intern(&mut table, &[values]), first);
    }
}
