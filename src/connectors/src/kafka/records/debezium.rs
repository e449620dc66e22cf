//! Records that tell of changes as Debezium does: `{"before": row, "after": row, "op": "c"}`.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use tidemill_engine::connector::Result as TableResult;
use tidemill_plan::{Change, Table};

use super::captured::{CapturedColumns, Taken, Untold};
use super::{Record, picked, with_changes};
use crate::formats::json::JsonOptions;
use crate::formats::json::decoder::{BadMessage, Decoder};

pub struct DebeziumDecoder {
    /// For records that are wrapped together with their schema.
    wrapper: Option<Decoder>,
    envelope: Decoder,
    rows: Decoder,
    captured: CapturedColumns,
    skips_bad: bool,
    refused: u64,
}

/// A row before or after a change.
struct Image<'a> {
    /// The place of its record, and that of its envelope among those that could be read.
    index: usize,
    envelope: usize,
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
        let captured = CapturedColumns::new(table, schema)?;
        let parts = |texts: &[&str], more: Vec<Field>| {
            let fields = texts.iter().map(|name| Field::new(*name, DataType::Utf8, true)).chain(more);
            Decoder::new(table, Arc::new(Schema::new(fields.collect::<Vec<_>>())), outer, capacity)
        };
        let wrapped: &[&str] = if captured.have_schema() { &["payload", "schema"] } else { &["payload"] };
        Ok(Self {
            wrapper: with_schema.then(|| parts(wrapped, Vec::new())).transpose()?,
            envelope: parts(&["before", "after", "op"], captured.fields())?,
            rows: Decoder::new(table, captured.stored(), options, capacity)?,
            captured,
            skips_bad: options.ignore_parse_errors,
            refused: 0,
        })
    }

    pub fn undecodable(&self) -> u64 {
        let wrapper = self.wrapper.as_ref().map_or(0, Decoder::undecodable);
        wrapper + self.envelope.undecodable() + self.rows.undecodable() + self.refused
    }

    /// Tells for each row which record it is of.
    pub fn decode<'m>(
        &mut self,
        records: impl Iterator<Item = Record<'m>>,
        note: impl FnMut(usize),
    ) -> Result<RecordBatch, BadMessage> {
        let mut indices = Vec::new();
        let values = records.map(|record| record.value.unwrap_or_default());
        let mut schemas = None;
        let envelopes = match &mut self.wrapper {
            None => self.envelope.decode_noting(values, |index| indices.push(index))?,
            Some(wrapper) => {
                let mut wrapped = Vec::new();
                let wrappers = wrapper.decode_noting(values, |index| wrapped.push(index))?;
                let payloads: &StringArray = wrappers.column(0).as_string();
                let values = payloads.iter().map(|payload| payload.unwrap_or_default().as_bytes());
                let mut places = Vec::new();
                let inner = self.envelope.decode_noting(values, |place| places.push(place));
                let texts: Option<&StringArray> = wrappers.column_by_name("schema").map(|texts| texts.as_string());
                let text = |texts: &StringArray, place| texts.is_valid(place).then(|| texts.value(place).to_string());
                schemas = texts.map(|texts| places.iter().map(|place| text(texts, *place)).collect());
                indices = places.into_iter().map(|place| wrapped[place]).collect();
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
        let rows = picked(rows, kept)?;
        let whole: Vec<&Image<'_>> =
            decoded.iter().filter(|place| is_whole(place)).map(|place| &images[*place]).collect();
        let of: Vec<usize> = whole.iter().map(|image| image.envelope).collect();
        let completed = self.captured.completed(&rows, &Taken { envelopes: &envelopes, schemas }, &of);
        let rows = completed.map_err(|Untold { envelope, reason }| {
            let index = indices.get(envelope).copied().unwrap_or_default();
            BadMessage { index, reason }
        })?;
        whole.iter().map(|image| image.index).for_each(note);
        with_changes(&rows, whole.iter().map(|image| image.change as i8).collect())
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
                        envelope: row,
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
