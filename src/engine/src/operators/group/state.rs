//! How groups are captured and taken back, and how they are forgotten when nothing has come for them for long.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Int64Type, UInt32Type};
use arrow::error::ArrowError;
use tidemill_model::key_groups::key_group;

use super::aggregate::GroupAggregateOperator;
use super::table::Table;
use crate::accumulator::{BuildError, KeyedSpec, Which};
use crate::state::KEY_GROUP;

/// Columns of captured groups before the keys.
const LEADING: usize = 3;

pub fn fields(keyed: &KeyedSpec) -> Result<Vec<Field>, BuildError> {
    let mut fields = vec![
        Field::new(KEY_GROUP, DataType::UInt32, false),
        Field::new("rows", DataType::Int64, false),
        Field::new("touched", DataType::Int64, false),
    ];
    fields.extend(keyed.keyed_fields()?);
    Ok(fields)
}

/// All groups that have rows.
pub fn captured(operator: &GroupAggregateOperator) -> Result<RecordBatch, ArrowError> {
    let table = &operator.table;
    let alive: Vec<u32> = (0..table.marks.len() as u32).filter(|group| table.is_alive(*group)).collect();
    let hashes = table.keys.hashes();
    let of = |values: &Option<Vec<i64>>| -> ArrayRef {
        let value = |group: &u32| values.as_ref().map_or(0, |values| values[*group as usize]);
        Arc::new(Int64Array::from_iter_values(alive.iter().map(value)))
    };
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(UInt32Array::from_iter_values(alive.iter().map(|group| key_group(hashes[*group as usize])))),
        of(&table.rows),
        of(&table.touched),
    ];
    columns.extend(table.keys.gather(&alive)?);
    let is_all = alive.len() == table.marks.len();
    columns.extend(table.aggregates.states(if is_all { Which::All } else { Which::These(&alive) })?);
    RecordBatch::try_new(operator.state_schema.clone(), columns)
}

/// Takes groups back that this thread owns.
pub fn restored(operator: &mut GroupAggregateOperator, rows: &RecordBatch) -> Result<(), ArrowError> {
    let key_groups = rows.column(0).as_primitive::<UInt32Type>().values();
    let owned: Vec<u32> =
        (0..rows.num_rows() as u32).filter(|row| operator.owned.contains(key_groups[*row as usize])).collect();
    let owned = UInt32Array::from(owned);
    let columns: Vec<ArrayRef> =
        rows.columns().iter().map(|column| take(column, &owned, None)).collect::<Result<_, _>>()?;
    let (keys, states) = columns[LEADING..].split_at(operator.keyed.keys.len());
    let table = &mut operator.table;
    table.find(keys, owned.len())?;
    let groups = table.restore(states)?.to_vec();
    let integers = |place: usize| columns[place].as_primitive::<Int64Type>().values();
    for (place, group) in groups.iter().enumerate() {
        table.marks[*group as usize].is_out = true;
        for (values, captured) in [(&mut table.rows, integers(1)), (&mut table.touched, integers(2))] {
            if let Some(values) = values {
                values[*group as usize] = captured[place];
            }
        }
    }
    Ok(())
}

/// How long groups live that nothing comes for.
pub struct Lifetime {
    ttl_ms: i64,
    /// When groups are looked through next.
    next_ms: i64,
}

impl Lifetime {
    pub fn new(ttl_ms: u64) -> Self {
        Self { ttl_ms: i64::try_from(ttl_ms).unwrap_or(i64::MAX), next_ms: 0 }
    }

    /// Forgets groups whose time is over. All groups are looked through only so often that one lives a sixteenth too
    /// long at most.
    pub fn end(&mut self, table: &mut Table, now_ms: i64) -> Result<(), ArrowError> {
        let Some(touched) = table.touched.as_mut().filter(|_| now_ms >= self.next_ms) else { return Ok(()) };
        // Groups that were captured by a job without a lifetime begin theirs now.
        touched.iter_mut().filter(|touched| **touched == 0).for_each(|touched| *touched = now_ms);
        let is_young = |touched: &i64| now_ms - *touched < self.ttl_ms;
        let keep: BooleanArray = touched.iter().map(|touched| Some(is_young(touched))).collect();
        let oldest = touched.iter().copied().filter(|touched| is_young(touched)).min().unwrap_or(now_ms);
        self.next_ms = oldest.saturating_add(self.ttl_ms).max(now_ms + self.ttl_ms / 16);
        match keep.true_count() == keep.len() {
            true => Ok(()),
            false => table.retain(&keep),
        }
    }
}
