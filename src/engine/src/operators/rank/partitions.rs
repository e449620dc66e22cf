//! Partitions: a dense number for each key, when each was last changed, and the frame of captured state.
//!
//! Shared by the operators that keep rows by key. What an operator keeps by partition is numbered as here; when
//! partitions are forgotten, the others are numbered anew, and the operator filters its own in the same way.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef, UInt32Type};
use arrow::error::ArrowError;
use tidemill_model::key_groups::{KeyGroupRange, key_group};

use crate::groups::GroupTable;
use crate::hash::{hash_rows, is_hashable};
use crate::state::KEY_GROUP;

/// A time of change that is not known yet: it becomes that of the next look.
const UNKNOWN: i64 = i64::MIN;
/// State is looked through for what has expired this many times in its lifetime, so it may live a tenth longer.
const LOOKS: i64 = 10;
/// Empty partitions that are not worth forgetting.
const FEW: usize = 1024;

pub struct Partitions {
    columns: Vec<usize>,
    table: GroupTable,
    owned: KeyGroupRange,
    ttl_ms: Option<i64>,
    /// When each partition was last changed; empty without a lifetime.
    changed_ms: Vec<i64>,
    next_look_ms: i64,
    hashes: Vec<u64>,
}

impl Partitions {
    pub fn new(columns: &[usize], input: &Schema, ttl_ms: Option<u64>, owned: KeyGroupRange) -> Result<Self, String> {
        let mut types = Vec::with_capacity(columns.len());
        for column in columns {
            let field = input.fields().get(*column).ok_or_else(|| format!("its input has no column {column}"))?;
            if !is_hashable(field.data_type()) {
                return Err(format!("rows cannot be keyed by `{}` of type {}", field.name(), field.data_type()));
            }
            types.push(field.data_type().clone());
        }
        Ok(Self {
            columns: columns.to_vec(),
            table: GroupTable::new(&types).map_err(|error| error.to_string())?,
            owned,
            ttl_ms: ttl_ms.map(|ttl| i64::try_from(ttl).unwrap_or(i64::MAX)),
            changed_ms: Vec::new(),
            next_look_ms: UNKNOWN,
            hashes: Vec::new(),
        })
    }

    /// Puts each row's partition into `groups`; `columns` are the input's.
    pub fn intern(&mut self, columns: &[ArrayRef], rows: usize, groups: &mut Vec<u32>) -> Result<(), ArrowError> {
        let keys: Vec<ArrayRef> = self.columns.iter().map(|column| columns[*column].clone()).collect();
        self.intern_keys(&keys, rows, groups)
    }

    /// Puts each key's partition into `groups`.
    pub fn intern_keys(&mut self, keys: &[ArrayRef], rows: usize, groups: &mut Vec<u32>) -> Result<(), ArrowError> {
        hash_rows(keys, rows, &mut self.hashes);
        self.table.intern(keys, &self.hashes, groups)
    }

    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// The keys, a row for each partition.
    pub fn keys(&self) -> Result<Vec<ArrayRef>, ArrowError> {
        self.table.columns()
    }

    pub fn key_group(&self, group: u32) -> u32 {
        key_group(self.table.hashes()[group as usize])
    }

    /// When the partition was last changed, for [`Partitions::set_changed_ms`].
    pub fn changed_ms(&self, group: u32) -> i64 {
        self.changed_ms.get(group as usize).copied().unwrap_or(UNKNOWN)
    }

    pub fn set_changed_ms(&mut self, group: u32, time_ms: i64) {
        if self.ttl_ms.is_some() {
            self.changed_ms.resize(self.table.len(), UNKNOWN);
            self.changed_ms[group as usize] = time_ms;
        }
    }

    /// Which partitions to keep, if any have outlived their time or if most are empty.
    pub fn find_kept(&mut self, now_ms: i64, empty: usize, is_empty: impl Fn(u32) -> bool) -> Option<BooleanArray> {
        let expired = self.expired(now_ms);
        if expired.is_none() && (empty < FEW || 2 * empty < self.len()) {
            return None;
        }
        let is_expired = |group: u32| expired.as_ref().is_some_and(|expired| expired[group as usize]);
        let keep = (0..self.len() as u32).map(|group| !is_expired(group) && !is_empty(group));
        Some(keep.collect::<Vec<bool>>().into())
    }

    /// Forgets the other partitions.
    pub fn retain(&mut self, keep: &BooleanArray) -> Result<(), ArrowError> {
        retain(&mut self.changed_ms, keep);
        self.table.retain(keep)
    }

    /// The key groups whose keys come here.
    pub fn owned(&self) -> KeyGroupRange {
        self.owned
    }

    /// Takes back captured times of change, one for each of `groups`.
    pub fn restore_changed_ms(&mut self, groups: &[u32], captured: &ArrayRef) {
        for (group, time_ms) in groups.iter().zip(captured.as_primitive::<Int64Type>().values()) {
            self.set_changed_ms(*group, *time_ms);
        }
    }

    pub fn bytes(&self) -> usize {
        self.table.bytes() + self.changed_ms.capacity() * 8
    }

    fn expired(&mut self, now_ms: i64) -> Option<Vec<bool>> {
        let ttl_ms = self.ttl_ms?;
        if now_ms < self.next_look_ms {
            return None;
        }
        self.next_look_ms = now_ms.saturating_add(ttl_ms / LOOKS);
        self.changed_ms.resize(self.table.len(), UNKNOWN);
        for time in self.changed_ms.iter_mut().filter(|time| **time == UNKNOWN) {
            *time = now_ms;
        }
        let expired: Vec<bool> = self.changed_ms.iter().map(|time| time.saturating_add(ttl_ms) <= now_ms).collect();
        expired.contains(&true).then_some(expired)
    }
}

/// Keeps the values of the partitions that are kept.
pub fn retain<T>(values: &mut Vec<T>, keep: &BooleanArray) {
    let mut group = 0;
    values.retain(|_| {
        group += 1;
        keep.value(group - 1)
    });
}

/// Captured rows: the key group, BIGINT columns of these names, then further columns.
pub fn state_schema(numbers: &[&str], columns: impl IntoIterator<Item = Field>) -> SchemaRef {
    let mut fields = vec![Field::new(KEY_GROUP, DataType::UInt32, false)];
    fields.extend(numbers.iter().map(|name| Field::new(*name, DataType::Int64, false)));
    fields.extend(columns.into_iter().enumerate().map(|(place, field)| {
        // Names may repeat in a query's columns, and the state has names of its own.
        Field::new(format!("column_{place}"), field.data_type().clone(), true)
    }));
    Arc::new(Schema::new(fields))
}

/// Rows of a [`state_schema`].
pub fn state_rows(
    schema: &SchemaRef,
    key_groups: Vec<u32>,
    numbers: Vec<Vec<i64>>,
    columns: Vec<ArrayRef>,
) -> Result<RecordBatch, ArrowError> {
    let mut all: Vec<ArrayRef> = vec![Arc::new(UInt32Array::from(key_groups))];
    all.extend(numbers.into_iter().map(|numbers| Arc::new(Int64Array::from(numbers)) as ArrayRef));
    all.extend(columns);
    RecordBatch::try_new(schema.clone(), all)
}

/// The captured rows that belong to these key groups.
pub fn owned_rows(rows: &RecordBatch, owned: KeyGroupRange) -> Result<RecordBatch, ArrowError> {
    let groups = rows.column(0).as_primitive::<UInt32Type>().values();
    let is_owned: Vec<bool> = groups.iter().map(|group| owned.contains(*group)).collect();
    if is_owned.iter().all(|owned| *owned) {
        return Ok(rows.clone());
    }
    filter_record_batch(rows, &BooleanArray::from(is_owned))
}

/// The types of columns, for the name of a state's layout.
pub fn type_names<'a>(fields: impl IntoIterator<Item = &'a DataType>) -> String {
    fields.into_iter().map(DataType::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partitions(ttl_ms: Option<u64>) -> (Partitions, Vec<u32>) {
        let schema = Schema::new(vec![Field::new("n", DataType::Int64, true)]);
        let mut partitions = Partitions::new(&[0], &schema, ttl_ms, KeyGroupRange::ALL).unwrap();
        let mut groups = Vec::new();
        let keys: ArrayRef = Arc::new(Int64Array::from(vec![7, 8, 7, 9]));
        partitions.intern(&[keys], 4, &mut groups).unwrap();
        (partitions, groups)
    }

    #[test]
    fn partitions_expire_when_nothing_has_changed_them_for_their_lifetime() {
        let (mut partitions, groups) = partitions(Some(100));
        assert_eq!(groups, [0, 1, 0, 2]);
        partitions.set_changed_ms(0, 1000);
        assert_eq!(partitions.find_kept(1050, 0, |_| false), None);
        partitions.set_changed_ms(1, 1090);
        let keep = partitions.find_kept(1100, 0, |_| false).unwrap();
        assert_eq!(keep, BooleanArray::from(vec![false, true, true]), "the third counts from the first look");
        partitions.retain(&keep).unwrap();
        assert_eq!((partitions.len(), partitions.changed_ms(0)), (2, 1090));
    }

    #[test]
    fn without_a_lifetime_nothing_expires() {
        let (mut partitions, _) = partitions(None);
        assert_eq!(partitions.find_kept(i64::MAX, 0, |_| false), None);
    }

    #[test]
    fn rows_cannot_be_keyed_by_a_column_that_is_not_there() {
        let schema = Schema::empty();
        let refused = Partitions::new(&[0], &schema, None, KeyGroupRange::ALL).err();
        assert_eq!(refused.unwrap(), "its input has no column 0");
    }
}
