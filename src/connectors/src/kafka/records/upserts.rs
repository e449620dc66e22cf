//! Records of which each takes the place of those of its key.

use std::sync::Arc;

use arrow::array::{RecordBatch, UInt64Array};
use arrow::compute::take;
use arrow_schema::{Schema, SchemaRef};
use tidemill_engine::connector::Result as TableResult;
use tidemill_plan::{Change, Table};

use super::super::options::KafkaOptions;
use super::{Record, failed, picked, with_changes};
use crate::formats::json::decoder::BadMessage;
use crate::formats::part::{Format, PartDecoder};

pub struct UpsertDecoder {
    keys: PartDecoder,
    values: PartDecoder,
    schema: SchemaRef,
    /// For each column where it is found: among the key's, or those of the value.
    columns: Vec<Found>,
    skips_bad: bool,
    without_key: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Key(usize),
    Value(usize),
}

impl UpsertDecoder {
    pub fn new(table: &Table, schema: SchemaRef, options: &KafkaOptions, capacity: usize) -> TableResult<Self> {
        let is_key = |name: &String| table.primary_key.contains(name);
        // What is found by name need not be looked for twice.
        let by_name = matches!(options.value, Format::Json(_));
        let in_value = |name: &String| !is_key(name) || options.key_in_value && !by_name;
        let names = || schema.fields().iter().map(|field| field.name());
        let keys: Vec<&String> = names().filter(|name| is_key(name)).collect();
        let values: Vec<&String> = names().filter(|name| in_value(name)).collect();
        let columns = names().map(|name| match keys.iter().position(|key| *key == name) {
            Some(place) => Found::Key(place),
            None => Found::Value(values.iter().position(|value| *value == name).unwrap_or_default()),
        });
        let part = |wanted: &dyn Fn(&String) -> bool| {
            let fields = schema.fields().iter().filter(|field| wanted(field.name()));
            Arc::new(Schema::new(fields.cloned().collect::<Vec<_>>()))
        };
        Ok(Self {
            columns: columns.collect(),
            keys: PartDecoder::new(table, part(&is_key), &options.key, capacity)?,
            values: PartDecoder::new(table, part(&in_value), &options.value, capacity)?,
            skips_bad: options.key.skips_bad() && options.value.skips_bad(),
            without_key: 0,
            schema,
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
        let keys = records.clone().map(|record| record.key);
        let keys = self.keys.decode_noting(keys, |index| keyed.push(index))?;
        let has_value: Vec<bool> = records.clone().map(|record| record.value.is_some()).collect();
        let present: Vec<usize> = (0..has_value.len()).filter(|index| has_value[*index]).collect();
        let values = records.filter(|record| record.value.is_some()).map(|record| record.value);
        let values = self.values.decode_noting(values, |place| valued.push(present[place]));
        let values = values.map_err(|bad| BadMessage { index: present.get(bad.index).copied().unwrap_or(0), ..bad })?;
        let mut whole = Whole::default();
        for (key, index) in keyed.iter().enumerate() {
            match (has_value[*index], valued.binary_search(index)) {
                (true, Err(_)) => {}
                (true, Ok(value)) => whole.push(*index, key, Some(value)),
                (false, _) => whole.push(*index, key, None),
            }
        }
        let changes = whole.values.iter().map(|value| value.map_or(Change::Delete, |_| Change::UpdateAfter) as i8);
        let rows = self.joined(picked(keys, whole.keys.iter().copied())?, values, &whole)?;
        whole.records.iter().copied().for_each(note);
        with_changes(&rows, changes.collect())
    }

    fn joined(&self, keys: RecordBatch, values: RecordBatch, whole: &Whole) -> Result<RecordBatch, BadMessage> {
        let are_all = values.num_rows() == whole.values.len() && whole.values.iter().all(Option::is_some);
        let places: UInt64Array = whole.values.iter().map(|value| value.map(|value| value as u64)).collect();
        let columns = self.columns.iter().map(|found| match found {
            Found::Key(place) => Ok(keys.column(*place).clone()),
            Found::Value(place) if are_all => Ok(values.column(*place).clone()),
            Found::Value(place) => take(values.column(*place), &places, None),
        });
        let columns = columns.collect::<Result<_, _>>().map_err(|error| failed(&error))?;
        RecordBatch::try_new(self.schema.clone(), columns).map_err(|error| failed(&error))
    }
}

/// Records whose key, and value if they have one, could be read: for each its place, and the rows of its key and value.
#[derive(Default)]
struct Whole {
    records: Vec<usize>,
    keys: Vec<usize>,
    values: Vec<Option<usize>>,
}

impl Whole {
    fn push(&mut self, record: usize, key: usize, value: Option<usize>) {
        self.records.push(record);
        self.keys.push(key);
        self.values.push(value);
    }
}
