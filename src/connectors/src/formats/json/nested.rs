//! JSON for schemas with arrays or maps, by arrow's own decoder. Messages are fed one by one; the number of rows
//! must come out as the number of messages, otherwise a message held none or several objects.

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use arrow::json::reader::{Decoder, ReaderBuilder};
use arrow_schema::SchemaRef;

pub struct NestedDecoder {
    schema: SchemaRef,
    capacity: usize,
    null_for_faults: bool,
}

impl NestedDecoder {
    pub fn new(schema: SchemaRef, capacity: usize, null_for_faults: bool) -> Result<Self, ArrowError> {
        let decoder = Self { schema, capacity, null_for_faults };
        decoder.fresh()?;
        Ok(decoder)
    }

    fn fresh(&self) -> Result<Decoder, ArrowError> {
        ReaderBuilder::new(self.schema.clone())
            .with_batch_size(self.capacity.max(1))
            .with_coerce_primitive(true)
            .with_ignore_type_conflicts(self.null_for_faults)
            .build_decoder()
    }

    /// All messages as one batch. An error says only that some message is bad; the caller then asks one by one.
    pub fn decode(&self, messages: &[&[u8]]) -> Result<RecordBatch, ArrowError> {
        let mut decoder = self.fresh()?;
        for message in messages {
            let read = decoder.decode(message)?;
            if read != message.len() || decoder.has_partial_record() {
                return Err(ArrowError::JsonError("the record does not hold exactly one object".into()));
            }
        }
        let rows = decoder.flush()?.unwrap_or_else(|| RecordBatch::new_empty(self.schema.clone()));
        match rows.num_rows() == messages.len() {
            true => Ok(rows),
            false => Err(ArrowError::JsonError("the record does not hold exactly one object".into())),
        }
    }
}
