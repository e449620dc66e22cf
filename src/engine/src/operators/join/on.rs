//! What makes rows of both sides match: equal keys, and a condition over the columns of both.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::compute::{prep_null_mask_filter, take};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use tidemill_plan::JoinOn;

use super::{LEFT, RIGHT, Side};
use crate::expression::Evaluator;
use crate::function::UserFunctions;
use crate::hash::is_hashable;
use crate::operator::Result;
use crate::operators::calc::{reads, renumbered};
use crate::operators::{Spec, reason};
use crate::rows::{RowId, RowStore};

/// A [`JoinOn`], checked against both inputs.
pub struct On {
    uid: String,
    keys: [Vec<usize>; 2],
    /// Places among the keys where NULL equals nothing.
    never_null: Vec<usize>,
    pub key_types: Vec<DataType>,
    condition: Option<Condition>,
}

struct Condition {
    evaluator: Evaluator,
    /// The columns that it reads, of each side, and their fields: the left side's first.
    columns: [Vec<usize>; 2],
    schema: SchemaRef,
}

/// Pairs of rows: one of a batch, by its place, and a stored one.
#[derive(Default)]
pub struct Pairs {
    pub rows: Vec<u32>,
    pub ids: Vec<RowId>,
}

impl On {
    pub fn new(spec: &Spec<'_>, on: &JoinOn, inputs: &[SchemaRef; 2]) -> std::result::Result<Self, String> {
        let mut key_types = Vec::with_capacity(on.keys.len());
        for key in &on.keys {
            let left = inputs[LEFT].fields().get(key.left).ok_or("a key is not among the left columns")?;
            let right = inputs[RIGHT].fields().get(key.right).ok_or("a key is not among the right columns")?;
            if left.data_type() != right.data_type() {
                return Err(format!("keys of types {} and {} are compared", left.data_type(), right.data_type()));
            }
            if !is_hashable(left.data_type()) {
                return Err(format!("it joins on a value of type {}", left.data_type()));
            }
            key_types.push(left.data_type().clone());
        }
        let keys = [on.keys.iter().map(|key| key.left).collect(), on.keys.iter().map(|key| key.right).collect()];
        let never_null = on.keys.iter().enumerate().filter(|(_, key)| !key.nulls_equal).map(|(place, _)| place);
        let condition = Condition::new(on, inputs, &*spec.outside.functions)?;
        Ok(Self { uid: spec.node.uid.clone(), keys, never_null: never_null.collect(), key_types, condition })
    }

    pub fn keys(&self, side: Side, columns: &[ArrayRef]) -> Vec<ArrayRef> {
        self.keys[side].iter().map(|place| columns[*place].clone()).collect()
    }

    /// Which rows have a key that can equal another; none if all have.
    pub fn matchable(&self, side: Side, columns: &[ArrayRef]) -> Option<BooleanArray> {
        let nulls = self.never_null.iter().fold(None, |nulls: Option<NullBuffer>, place| {
            NullBuffer::union(nulls.as_ref(), columns[self.keys[side][*place]].logical_nulls().as_ref())
        });
        nulls.filter(|nulls| nulls.null_count() > 0).map(|nulls| BooleanArray::new(nulls.into_inner(), None))
    }

    /// Keeps the pairs for which the condition is true. `columns` are those of the batch, which is of `side`.
    pub fn keep_matches(&self, side: Side, columns: &[ArrayRef], stored: &RowStore, pairs: &mut Pairs) -> Result<()> {
        let Some(condition) = &self.condition else { return Ok(()) };
        if pairs.ids.is_empty() {
            return Ok(());
        }
        let rows = condition.rows(side, columns, stored, pairs)?;
        let value = condition.evaluator.evaluate(&rows, &self.uid)?;
        let mask = match value.as_boolean() {
            mask if mask.null_count() == 0 => mask.clone(),
            mask => prep_null_mask_filter(mask),
        };
        pairs.retain(&mask);
        Ok(())
    }

    /// Names keys for the layout of state.
    pub fn layout(&self) -> String {
        let keys: Vec<String> = self.key_types.iter().map(DataType::to_string).collect();
        format!("keys=[{}]={:?}/{:?}", keys.join(","), self.keys[LEFT], self.keys[RIGHT])
    }
}

impl Condition {
    fn new(
        on: &JoinOn,
        inputs: &[SchemaRef; 2],
        functions: &dyn UserFunctions,
    ) -> std::result::Result<Option<Self>, String> {
        let Some(expression) = &on.condition else { return Ok(None) };
        let width = inputs[LEFT].fields().len();
        let all: Vec<Arc<Field>> = inputs.iter().flat_map(|schema| schema.fields().iter().cloned()).collect();
        let read: Vec<usize> = (0..all.len()).filter(|place| reads(expression, *place)).collect();
        let schema = Arc::new(Schema::new(
            read.iter().map(|place| all[*place].as_ref().clone().with_nullable(true)).collect::<Vec<_>>(),
        ));
        let evaluator = Evaluator::with_functions(&renumbered(expression, &read), &schema, functions);
        let evaluator = evaluator.map_err(|error| reason(&error))?;
        let (left, right): (Vec<usize>, Vec<usize>) = read.iter().partition(|place| **place < width);
        let columns = [left, right.into_iter().map(|place| place - width).collect()];
        Ok(Some(Self { evaluator, columns, schema }))
    }

    /// The pairs as rows of the columns that are read.
    fn rows(
        &self,
        side: Side,
        columns: &[ArrayRef],
        stored: &RowStore,
        pairs: &Pairs,
    ) -> std::result::Result<RecordBatch, ArrowError> {
        let places = UInt32Array::from(pairs.rows.clone());
        let mut read = Vec::with_capacity(self.schema.fields().len());
        for (of, wanted) in self.columns.iter().enumerate() {
            for column in wanted {
                read.push(match of == side {
                    true => take(&columns[*column], &places, None)?,
                    false => stored.column(*column, &pairs.ids)?,
                });
            }
        }
        let options = RecordBatchOptions::new().with_row_count(Some(pairs.ids.len()));
        RecordBatch::try_new_with_options(self.schema.clone(), read, &options)
    }
}

impl Pairs {
    pub fn push(&mut self, row: u32, id: RowId) {
        self.rows.push(row);
        self.ids.push(id);
    }

    pub fn len(&self) -> usize {
        self.ids.len()
    }

    pub fn clear(&mut self) {
        self.rows.clear();
        self.ids.clear();
    }

    fn retain(&mut self, mask: &BooleanArray) {
        let mut kept = 0;
        for place in mask.values().set_indices() {
            self.rows[kept] = self.rows[place];
            self.ids[kept] = self.ids[place];
            kept += 1;
        }
        self.rows.truncate(kept);
        self.ids.truncate(kept);
    }
}
