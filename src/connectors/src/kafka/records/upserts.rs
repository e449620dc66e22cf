//! Records of which each takes the place of those of its key.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow_schema::SchemaRef;
use tidemill_engine::connector::Result as TableResult;
use tidemill_plan::{Change, Table};

use super::{Record, failed, picked, with_changes};
use crate::formats::json::JsonOptions;
use crate::formats::json::decoder::{BadMessage, Decoder};

pub struct UpsertDecoder {
    keys: Decoder,
    values: Decoder,
    schema: SchemaRef,
    /// For each column, whether it stands in the key.
    in_key: Vec<bool>,
    skips_bad: bool,
    without_key: u64,
}

impl UpsertDecoder {
    pub fn new(table: &Table, schema: SchemaRef, options: JsonOptions, capacity: usize) -> TableResult<Self> {
        let in_key: Vec<bool> = schema.fields().iter().map(|field| table.primary_key.contains(field.name())).collect();
        let part = |wanted: bool| {
            let fields = schema.fields().iter().zip(&in_key).filter(|(_, in_key)| **in_key == wanted);
            Arc::new(arrow_schema::Schema::new(fields.map(|(field, _)| field.clone()).collect::<Vec<_>>()))
        };
        Ok(Self {
            keys: Decoder::new(table, part(true), options, capacity)?,
            values: Decoder::new(table, part(false), options, capacity)?,
            schema,
            in_key,
            skips_bad: options.ignore_parse_errors,
            without_key: 0,
        })
    }

    pub fn undecodable(&self) -> u64 {
        self.keys.undecodable() + self.values.undecodable() + self.without_key
    }

    /// Tells for each row which record it is of.
    pub fn decode<'m>(
        &mut self,
        records: impl Iterator<Item = Record<'m>> + Clone,
        note: impl FnMut(usize),
    ) -> Result<RecordBatch, BadMessage> {
        if let Some(index) = records.clone().position(|record| record.key.is_none())
            && !self.skips_bad
        {
            return Err(BadMessage { index, reason: "it has no key".to_string() });
        }
        self.without_key += records.clone().filter(|record| record.key.is_none()).count() as u64;
        let (mut keyed, mut valued) = (Vec::new(), Vec::new());
        let keys = records.clone().map(|record| record.key.unwrap_or_default());
        let keys = self.keys.decode_noting(keys, |index| keyed.push(index))?;
        let values = records.clone().map(|record| record.value.unwrap_or(b"{}"));
        let values = self.values.decode_noting(values, |index| valued.push(index))?;
        let is_whole = |index: &usize| keyed.binary_search(index).is_ok() && valued.binary_search(index).is_ok();
        let both = |indices: &[usize]| {
            let places = indices.iter().enumerate().filter(|(_, index)| is_whole(index));
            places.map(|(place, _)| place).collect::<Vec<_>>().into_iter()
        };
        let (keys, values) = (picked(keys, both(&keyed))?, picked(values, both(&valued))?);
        let has_value: Vec<bool> = records.map(|record| record.value.is_some()).collect();
        let change = |index: &usize| if has_value[*index] { Change::UpdateAfter } else { Change::Delete };
        let whole: Vec<usize> = keyed.iter().copied().filter(is_whole).collect();
        let changes = whole.iter().map(|index| change(index) as i8).collect();
        whole.into_iter().for_each(note);
        with_changes(&self.joined(&keys, &values)?, changes)
    }

    fn joined(&self, keys: &RecordBatch, values: &RecordBatch) -> Result<RecordBatch, BadMessage> {
        let (mut keys, mut values) = (keys.columns().iter(), values.columns().iter());
        let columns = self.in_key.iter().filter_map(|in_key| if *in_key { keys.next() } else { values.next() });
        RecordBatch::try_new(self.schema.clone(), columns.cloned().collect()).map_err(|error| failed(&error))
    }
}
