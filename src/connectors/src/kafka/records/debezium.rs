//! Records that tell of changes as Debezium does: `{"before": row, "after": row, "op": "c"}`.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use tidemill_engine::connector::Result as TableResult;
use tidemill_plan::{Change, Table};

use super::{Record, picked, with_changes};
use crate::formats::json::JsonOptions;
use crate::formats::json::decoder::{BadMessage, Decoder};

pub struct DebeziumDecoder {
    /// For records that are wrapped together with their schema.
    wrapper: Option<Decoder>,
    envelope: Decoder,
    rows: Decoder,
    skips_bad: bool,
    refused: u64,
}

/// A row before or after a change.
struct Image<'a> {
    /// The place of its record.
    index: usize,
    text: &'a str,
    change: Change,
}

impl DebeziumDecoder {
    pub fn new(
        table: &Table,
        schema: SchemaRef,
        options: JsonOptions,
        with_schema: bool,
        capacity: usize,
    ) -> TableResult<Self> {
        let outer = JsonOptions { fail_on_missing_field: false, ..options };
        let texts = |names: &[&str]| {
            let fields = names.iter().map(|name| Field::new(*name, DataType::Utf8, true));
            Decoder::new(table, Arc::new(Schema::new(fields.collect::<Vec<_>>())), outer, capacity)
        };
        Ok(Self {
            wrapper: with_schema.then(|| texts(&["payload"])).transpose()?,
            envelope: texts(&["before", "after", "op"])?,
            rows: Decoder::new(table, schema, options, capacity)?,
            skips_bad: options.ignore_parse_errors,
            refused: 0,
        })
    }

    pub fn undecodable(&self) -> u64 {
        let wrapper = self.wrapper.as_ref().map_or(0, Decoder::undecodable);
        wrapper + self.envelope.undecodable() + self.rows.undecodable() + self.refused
    }

    pub fn decode<'m>(&mut self, records: impl Iterator<Item = Record<'m>>) -> Result<RecordBatch, BadMessage> {
        let mut indices = Vec::new();
        let values = records.map(|record| record.value.unwrap_or_default());
        let envelopes = match &mut self.wrapper {
            None => self.envelope.decode_noting(values, |index| indices.push(index))?,
            Some(wrapper) => {
                let mut wrapped = Vec::new();
                let payloads = wrapper.decode_noting(values, |index| wrapped.push(index))?;
                let payloads: &StringArray = payloads.column(0).as_string();
                let values = payloads.iter().map(|payload| payload.unwrap_or_default().as_bytes());
                let inner = self.envelope.decode_noting(values, |index| indices.push(wrapped[index]));
                inner.map_err(|bad| BadMessage { index: wrapped[bad.index], ..bad })?
            }
        };
        let images = self.images(&envelopes, &indices)?;
        let mut decoded = Vec::with_capacity(images.len());
        let texts = images.iter().map(|image| image.text.as_bytes());
        let rows = self.rows.decode_noting(texts, |place| decoded.push(place));
        let rows = rows.map_err(|bad| BadMessage { index: images[bad.index].index, ..bad })?;
        // A change of which one row cannot be read is left out whole.
        let broken: BTreeSet<usize> = (0..images.len())
            .filter(|place| decoded.binary_search(place).is_err())
            .map(|place| images[place].index)
            .collect();
        let is_whole = |place: &usize| !broken.contains(&images[*place].index);
        let kept = (0..decoded.len()).filter(|row| is_whole(&decoded[*row]));
        let changes = decoded.iter().filter(|place| is_whole(place)).map(|place| images[*place].change as i8);
        with_changes(&picked(rows, kept)?, changes.collect())
    }

    fn images<'a>(&mut self, envelopes: &'a RecordBatch, indices: &[usize]) -> Result<Vec<Image<'a>>, BadMessage> {
        let text = |column: usize, row: usize| {
            let texts: &StringArray = envelopes.column(column).as_string();
            texts.is_valid(row).then(|| texts.value(row))
        };
        let mut images = Vec::with_capacity(indices.len());
        for (row, index) in indices.iter().enumerate() {
            match changed(text(0, row), text(1, row), text(2, row)) {
                Ok(changed) => {
                    images.extend(changed.into_iter().flatten().map(|(text, change)| Image {
                        index: *index,
                        text,
                        change,
                    }));
                }
                Err(_) if self.skips_bad => self.refused += 1,
                Err(reason) => return Err(BadMessage { index: *index, reason: reason.to_string() }),
            }
        }
        Ok(images)
    }
}

type Changed<'a> = [Option<(&'a str, Change)>; 2];

/// The rows that a record tells of.
fn changed<'a>(before: Option<&'a str>, after: Option<&'a str>, op: Option<&str>) -> Result<Changed<'a>, &'static str> {
    const NO_BEFORE: &str = "it has no `before`; have the database tell whole rows (REPLICA IDENTITY FULL)";
    let after = || after.ok_or("it has no `after`");
    match op {
        Some("c" | "r") => Ok([Some((after()?, Change::Insert)), None]),
        Some("u") => {
            Ok([Some((before.ok_or(NO_BEFORE)?, Change::UpdateBefore)), Some((after()?, Change::UpdateAfter))])
        }
        Some("d") => Ok([Some((before.ok_or(NO_BEFORE)?, Change::Delete)), None]),
        Some(_) => Err("its `op` is none of c, r, u and d"),
        None => Err("it has no `op`"),
    }
}
