//! Datums to rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions, StructArray};
use arrow::error::ArrowError;
use arrow_avro::reader::{Decoder, ReaderBuilder};
use arrow_avro::schema::{AvroSchema, Fingerprint, FingerprintAlgorithm, SchemaStore};
use arrow_schema::{DataType, SchemaRef};
use tidemill_engine::connector::Result as TableResult;
use tidemill_plan::Table;

use super::shape::reshaped;
use super::{AvroOptions, declared, schema_text};
use crate::formats::json::decoder::BadMessage;
use crate::options::invalid;

/// The number that the table's schema has for the codec, which wants it before each datum.
const NUMBER: u64 = u64::from_be_bytes(*b"tidemill");
/// A zero, and the number.
const NUMBERED: [u8; 9] = *b"\0tidemill";

/// Turns the datums of one split into batches. The schema must have all columns of the record, in order.
pub struct AvroDecoder {
    schema: SchemaRef,
    text: String,
    capacity: usize,
    decoder: Decoder,
}

impl AvroDecoder {
    /// A decoder for batches of at most `capacity` rows.
    pub fn new(table: &Table, schema: SchemaRef, options: AvroOptions, capacity: usize) -> TableResult<Self> {
        let text = schema_text(table, &declared(table, &schema)?, options)?;
        let decoder = decoder_of(&text, capacity).map_err(|error| {
            let message = format!("Avro cannot be read into these columns: {error}");
            invalid(table, message, "change the columns' types")
        })?;
        Ok(Self { schema, text, capacity, decoder })
    }

    /// The rows of these datums, and which each is of. What is no datum at all is passed over.
    pub fn decode_noting<'m>(
        &mut self,
        datums: impl Iterator<Item = Option<&'m [u8]>>,
        mut note: impl FnMut(usize),
    ) -> Result<RecordBatch, BadMessage> {
        let mut rows = 0;
        for (index, datum) in datums.enumerate() {
            let Some(datum) = datum else { continue };
            if let Err(reason) = self.append(datum) {
                // What was half read is thrown away with the codec that has it.
                if let Ok(decoder) = decoder_of(&self.text, self.capacity) {
                    self.decoder = decoder;
                }
                return Err(BadMessage { index, reason });
            }
            rows += 1;
            note(index);
        }
        self.finish(rows).map_err(|error| BadMessage { index: 0, reason: error.to_string() })
    }

    /// The codec goes on behind a datum and looks for another with its number: that it finds none is no fault, and that it
    /// finds one would make two rows of one record.
    fn append(&mut self, datum: &[u8]) -> Result<(), String> {
        let before = self.decoder.capacity();
        let numbered = self.decoder.decode(&NUMBERED);
        if !matches!(numbered, Ok(taken) if taken == NUMBERED.len()) || self.decoder.capacity() != before {
            return Err("the record before it ends with the beginning of another".to_string());
        }
        let decoded = self.decoder.decode(datum);
        match (before - self.decoder.capacity(), decoded) {
            (1, _) => Ok(()),
            (0, Ok(_)) => Err("it ends within an Avro record of the table's columns".to_string()),
            (0, Err(error)) => Err(format!("it is no Avro record of the table's columns: {error}")),
            (_, _) => Err("it holds several Avro records".to_string()),
        }
    }

    fn finish(&mut self, count: usize) -> Result<RecordBatch, ArrowError> {
        let flushed = self.decoder.flush().map_err(|error| ArrowError::ExternalError(Box::new(error)))?;
        let Some(rows) = flushed else { return Ok(RecordBatch::new_empty(self.schema.clone())) };
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        if self.schema.fields().is_empty() {
            return RecordBatch::try_new_with_options(self.schema.clone(), Vec::new(), &options);
        }
        let rows: ArrayRef = Arc::new(StructArray::from(rows));
        let reshaped = reshaped(&rows, &DataType::Struct(self.schema.fields().clone()))?;
        let columns = reshaped.as_struct().columns().to_vec();
        RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)
    }
}

fn decoder_of(text: &str, capacity: usize) -> Result<Decoder, String> {
    let mut store = SchemaStore::new_with_type(FingerprintAlgorithm::Id64);
    let stored = store.set(Fingerprint::Id64(NUMBER), AvroSchema::new(text.to_string()));
    stored.map_err(|error| error.to_string())?;
    let builder = ReaderBuilder::new().with_batch_size(capacity.max(1)).with_writer_schema_store(store);
    builder.build_decoder().map_err(|error| error.to_string())
}
