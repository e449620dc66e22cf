//! What aggregates over rows in the order of time leave in a snapshot: rows that wait, what is kept of rows that were
//! put out, and aggregates so far.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{ArrayRef, BinaryArray, RecordBatch, UInt32Array, new_null_array};
use arrow::compute::{filter_record_batch, take};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use arrow::error::ArrowError;
use tidemill_plan::Over;

use super::folds::{NUMBERS_BYTES, Numbers};
use super::timed::{TimedOver, Turn};
use crate::operators::rank::partitions::{owned_rows, state_rows, state_schema, type_names};
use crate::rows::RowId;

/// Columns before the input's: the key group, then these.
const NUMBERS: [&str; 3] = ["kind", "changed_ms", "time"];
const FIRST_COLUMN: usize = 1 + NUMBERS.len();

/// What a captured row is.
const WAITING: i64 = 0;
const PAST: i64 = 1;
const CARRIED: i64 = 2;

/// The captured rows' columns. The last has a partition's aggregates so far.
pub(super) fn schema(input: &Schema) -> SchemaRef {
    let columns = input.fields().iter().map(|field| field.as_ref().clone());
    state_schema(&NUMBERS, columns.chain([Field::new("carried", DataType::Binary, true)]))
}

pub(super) fn layout(over: &Over, schema: &Schema) -> String {
    let Over { partition, order, frame, aggregates, .. } = over;
    let types = type_names(schema.fields().iter().map(|field| field.data_type()));
    format!("over 2: {partition:?} {order:?} {frame:?} {aggregates:?} {types}")
}

pub(super) fn captured(over: &TimedOver) -> Result<Vec<RecordBatch>, ArrowError> {
    let width = over.rows.schema().fields().len();
    let mut captured = Vec::new();

    let waiting: Vec<(i64, (u32, RowId))> = over.waiting.iter().copied().collect();
    let ids: Vec<RowId> = waiting.iter().map(|(_, (_, id))| *id).collect();
    let groups = waiting.iter().map(|(time, (group, _))| (*time, *group)).collect();
    let columns = over.rows.columns(&ids)?.into_iter().map(Some).chain([None]).collect();
    captured.push(rows(over, WAITING, groups, columns)?);

    let of_past = |(group, past): (usize, &Vec<(i64, RowId)>)| {
        past.iter().map(|(time, id)| ((*time, group as u32), *id)).collect::<Vec<_>>()
    };
    let (groups, ids): (Vec<(i64, u32)>, Vec<RowId>) = over.history.iter().enumerate().flat_map(of_past).unzip();
    let mut columns = keys(over, &groups)?;
    for (place, column) in over.needed.iter().enumerate() {
        columns[*column] = Some(over.history.store.column(place, &ids)?);
    }
    captured.push(rows(over, PAST, groups, columns)?);

    if !over.has_carried() {
        return Ok(captured);
    }
    let groups: Vec<(i64, u32)> = (0..over.partitions.len() as u32).map(|group| (0, group)).collect();
    let mut columns = keys(over, &groups)?;
    columns[width] = Some(Arc::new(carried(over)));
    captured.push(rows(over, CARRIED, groups, columns)?);
    Ok(captured)
}

/// The key columns of these partitions among the input's.
fn keys(over: &TimedOver, groups: &[(i64, u32)]) -> Result<Vec<Option<ArrayRef>>, ArrowError> {
    let mut columns = vec![None; over.rows.schema().fields().len() + 1];
    let places = UInt32Array::from_iter_values(groups.iter().map(|(_, group)| *group));
    for (column, key) in over.over.partition.iter().zip(over.partitions.keys()?) {
        columns[*column] = Some(take(&key, &places, None)?);
    }
    Ok(columns)
}

fn carried(over: &TimedOver) -> BinaryArray {
    let of_group =
        |group: usize| over.calls.iter().flat_map(|call| call.carried[group].to_bytes()).collect::<Vec<u8>>();
    BinaryArray::from_iter_values((0..over.partitions.len()).map(of_group))
}

/// Rows of one kind, with their times and partitions; columns that are not given are NULL.
fn rows(
    over: &TimedOver,
    kind: i64,
    groups: Vec<(i64, u32)>,
    columns: Vec<Option<ArrayRef>>,
) -> Result<RecordBatch, ArrowError> {
    let (times, groups): (Vec<i64>, Vec<u32>) = groups.into_iter().unzip();
    let key_groups = groups.iter().map(|group| over.partitions.key_group(*group)).collect();
    let changed_ms = groups.iter().map(|group| over.partitions.changed_ms(*group)).collect();
    let numbers = vec![vec![kind; times.len()], changed_ms, times];
    let fields = over.state_schema.fields().iter().skip(FIRST_COLUMN);
    let columns = fields
        .zip(columns)
        .map(|(field, column)| column.unwrap_or_else(|| new_null_array(field.data_type(), groups.len())));
    let columns = columns.collect();
    state_rows(&over.state_schema, key_groups, numbers, columns)
}

pub(super) fn restored(over: &mut TimedOver, rows: &RecordBatch) -> Result<(), ArrowError> {
    let rows = owned_rows(rows, over.partitions.owned())?;
    for kind in [WAITING, PAST, CARRIED] {
        let kinds = rows.column(1).as_primitive::<Int64Type>().values();
        let is_of_kind: Vec<bool> = kinds.iter().map(|other| *other == kind).collect();
        let rows = filter_record_batch(&rows, &is_of_kind.into())?;
        if rows.num_rows() > 0 {
            restored_kind(over, kind, &rows)?;
        }
    }
    Ok(())
}

fn restored_kind(over: &mut TimedOver, kind: i64, rows: &RecordBatch) -> Result<(), ArrowError> {
    let columns = &rows.columns()[FIRST_COLUMN..];
    let (carried, columns) = columns.split_last().ok_or_else(|| damaged("no columns"))?;
    over.partitions.intern(columns, rows.num_rows(), &mut over.groups)?;
    over.resize();
    over.partitions.restore_changed_ms(&over.groups, rows.column(2));
    let times = rows.column(3).as_primitive::<Int64Type>().values();
    let groups = over.groups.clone();
    let mut ids = Vec::with_capacity(rows.num_rows());
    if kind == WAITING {
        over.rows.insert(columns, rows.num_rows(), &mut ids)?;
        over.waiting.extend(times.iter().copied().zip(groups.into_iter().zip(ids)));
    } else if kind == PAST {
        let needed: Vec<ArrayRef> = over.needed.iter().map(|column| columns[*column].clone()).collect();
        over.history.store.insert(&needed, rows.num_rows(), &mut ids)?;
        for ((group, time), id) in groups.iter().zip(times).zip(ids) {
            over.history.push(*group, *time, id);
            if let Turn::EpochEnd(_) = over.turn {
                // By the machine's clock, threads may have come further than the one furthest behind.
                over.watermark = over.watermark.max(*time);
            }
        }
    } else {
        let carried = carried.as_binary::<i32>();
        for (row, group) in groups.iter().enumerate() {
            let states = carried.value(row).chunks(NUMBERS_BYTES);
            for (call, bytes) in over.calls.iter_mut().zip(states) {
                let state = Numbers::from_bytes(bytes).ok_or_else(|| damaged("a cut aggregate"))?;
                call.carried[*group as usize] = state;
            }
        }
    }
    Ok(())
}

fn damaged(what: &str) -> ArrowError {
    ArrowError::ParseError(format!("the state of aggregates over rows has {what}"))
}
