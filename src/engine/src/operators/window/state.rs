//! Windows as state: a row for each key of each window or pane, with its key group, the stretch of time, marks that tell
//! apart what is kept of one stretch, the key and the states of its aggregates.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{ArrayRef, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef, UInt32Type};
use arrow::error::ArrowError;
use tidemill_model::key_groups::{KeyGroupRange, key_group};

use super::pane::Pane;
use super::time::Slice;
use crate::accumulator::{BuildError, KeyedSpec};
use crate::state::KEY_GROUP;

/// Columns before the marks.
const LEADING: usize = 3;

/// What is restored of one stretch of time.
pub struct Part<M> {
    pub time: Slice,
    pub mark: M,
    pub keys: Vec<ArrayRef>,
    pub states: Vec<ArrayRef>,
    pub rows: usize,
}

pub fn schema(keyed: &KeyedSpec, marks: Vec<Field>) -> Result<SchemaRef, BuildError> {
    let mut fields = vec![
        Field::new(KEY_GROUP, DataType::UInt32, false),
        Field::new("end", DataType::Int64, false),
        Field::new("start", DataType::Int64, false),
    ];
    fields.extend(marks);
    fields.extend(keyed.keyed_fields()?);
    Ok(Arc::new(Schema::new(fields)))
}

pub fn captured(schema: &SchemaRef, time: Slice, marks: Vec<ArrayRef>, pane: &Pane) -> Result<RecordBatch, ArrowError> {
    let groups = pane.hashes().iter().map(|hash| key_group(*hash));
    let constant = |value: i64| Arc::new(Int64Array::from(vec![value; pane.len()])) as ArrayRef;
    let mut columns: Vec<ArrayRef> =
        vec![Arc::new(UInt32Array::from_iter_values(groups)), constant(time.end), constant(time.start)];
    columns.extend(marks);
    columns.extend(pane.keys()?);
    columns.extend(pane.states()?);
    RecordBatch::try_new(schema.clone(), columns)
}

/// The captured rows of some key groups by their stretches of time and the marks in each, which stand in `marks` columns.
pub fn parts<M: Ord>(
    rows: &RecordBatch,
    owned: KeyGroupRange,
    keyed: &KeyedSpec,
    marks: usize,
    mark: impl Fn(usize) -> M,
) -> Result<Vec<Part<M>>, ArrowError> {
    let groups = rows.column(0).as_primitive::<UInt32Type>();
    let integers = |place: usize| rows.column(place).as_primitive::<Int64Type>().values();
    let (ends, starts) = (integers(1), integers(2));
    let mut found: BTreeMap<(Slice, M), Vec<u32>> = BTreeMap::new();
    for row in (0..rows.num_rows()).filter(|row| owned.contains(groups.value(*row))) {
        let time = Slice { end: ends[row], start: starts[row] };
        found.entry((time, mark(row))).or_default().push(row as u32);
    }
    let part = |((time, mark), places): ((Slice, M), Vec<u32>)| {
        let places = UInt32Array::from(places);
        let columns = rows.columns()[LEADING + marks..].iter().map(|column| take(column, &places, None));
        let mut keys = columns.collect::<Result<Vec<_>, _>>()?;
        let states = keys.split_off(keyed.keys.len());
        Ok(Part { time, mark, keys, states, rows: places.len() })
    };
    found.into_iter().map(part).collect()
}
