//! Between records and rows: which part of a record holds what, and what it says of the row.

mod captured;
mod debezium;
mod encode;
mod upserts;

use arrow::array::{Int8Array, RecordBatch, UInt64Array};
use arrow::compute::take_record_batch;
use arrow::error::ArrowError;
use arrow_schema::SchemaRef;
use tidemill_engine::connector::Result as TableResult;
use tidemill_plan::{CHANGE, Table};

use super::options::{KafkaOptions, Records};
use crate::formats::json::decoder::BadMessage;
use crate::formats::part::{Format, PartDecoder};
use debezium::DebeziumDecoder;
use upserts::UpsertDecoder;

pub use encode::RecordEncoder;

/// A record's parts as they stand in the topic.
#[derive(Clone, Copy, Debug)]
pub struct Record<'m> {
    pub key: Option<&'m [u8]>,
    pub value: Option<&'m [u8]>,
}

/// Turns the records of one partition into batches.
pub enum RecordDecoder {
    Rows(PartDecoder),
    Upserts(Box<UpsertDecoder>),
    Debezium(Box<DebeziumDecoder>),
}

impl RecordDecoder {
    /// A decoder for batches of about `capacity` rows.
    pub fn new(table: &Table, schema: SchemaRef, options: &KafkaOptions, capacity: usize) -> TableResult<Self> {
        Ok(match (options.records, &options.value) {
            (Records::Upserts, _) => Self::Upserts(Box::new(UpsertDecoder::new(table, schema, options, capacity)?)),
            (Records::Debezium { with_schema }, Format::Json(json)) => {
                Self::Debezium(Box::new(DebeziumDecoder::new(table, schema, *json, with_schema, capacity)?))
            }
            (Records::Rows | Records::Debezium { .. }, format) => {
                Self::Rows(PartDecoder::new(table, schema, format, capacity)?)
            }
        })
    }

    /// The rows of these records. Tells for each row which record it is of.
    pub fn decode<'m>(
        &mut self,
        records: impl Iterator<Item = Record<'m>> + Clone,
        note: impl FnMut(usize),
    ) -> Result<RecordBatch, BadMessage> {
        match self {
            Self::Rows(decoder) => decoder.decode_noting(records.map(|record| record.value), note),
            Self::Upserts(decoder) => decoder.decode(records, note),
            Self::Debezium(decoder) => decoder.decode(records, note),
        }
    }

    /// Records that were skipped, or of which fields were replaced by NULL, so far.
    pub fn undecodable(&self) -> u64 {
        match self {
            Self::Rows(decoder) => decoder.undecodable(),
            Self::Upserts(decoder) => decoder.undecodable(),
            Self::Debezium(decoder) => decoder.undecodable(),
        }
    }
}

/// The rows at these places.
fn picked(rows: RecordBatch, places: impl Iterator<Item = usize>) -> Result<RecordBatch, BadMessage> {
    let places: UInt64Array = places.map(|place| place as u64).collect();
    if places.len() == rows.num_rows() {
        return Ok(rows);
    }
    take_record_batch(&rows, &places).map_err(|error| failed(&error))
}

/// The rows with what becomes of each as their last column.
fn with_changes(rows: &RecordBatch, changes: Vec<i8>) -> Result<RecordBatch, BadMessage> {
    let change = arrow_schema::Field::new(CHANGE, arrow_schema::DataType::Int8, false);
    let fields: Vec<_> = rows.schema_ref().fields().iter().cloned().chain([change.into()]).collect();
    let columns = rows.columns().iter().cloned().chain([std::sync::Arc::new(Int8Array::from(changes)) as _]);
    let schema = std::sync::Arc::new(arrow_schema::Schema::new(fields));
    RecordBatch::try_new(schema, columns.collect()).map_err(|error| failed(&error))
}

fn failed(error: &ArrowError) -> BadMessage {
    BadMessage { index: 0, reason: error.to_string() }
}

#[cfg(test)]
mod tests;
