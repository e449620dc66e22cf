//! Rows to datums.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StructArray};
use arrow::error::ArrowError;
use arrow_avro::schema::SCHEMA_METADATA_KEY;
use arrow_avro::writer::format::AvroBinaryFormat;
use arrow_avro::writer::{EncodedRows, WriterBuilder};
use arrow_schema::{DataType, Schema, SchemaRef};
use tidemill_engine::connector::Result as TableResult;
use tidemill_plan::Table;

use super::shape::reshaped;
use super::{AvroOptions, declared, schema, schema_text};

/// Writes some columns of a table's rows.
pub struct AvroEncoder {
    columns: Vec<usize>,
    /// As the codec takes them, with the text of the Avro schema.
    schema: Schema,
}

/// A batch's datums.
pub struct AvroRows(EncodedRows);

impl AvroEncoder {
    /// Of the columns of `schema` those at these places.
    pub fn new(table: &Table, schema: &SchemaRef, columns: Vec<usize>, options: AvroOptions) -> TableResult<Self> {
        let fields: Vec<_> = columns.iter().map(|column| schema.fields()[*column].clone()).collect();
        let declared = declared(table, &Arc::new(Schema::new(fields)))?;
        let text = schema_text(table, &declared, options)?;
        let metadata = HashMap::from([(SCHEMA_METADATA_KEY.to_string(), text)]);
        let schema = Schema::new_with_metadata(schema::encoded(&declared, options.timestamps), metadata);
        Ok(Self { columns, schema })
    }

    pub fn rows(&self, batch: &RecordBatch) -> Result<AvroRows, ArrowError> {
        let rows: ArrayRef = Arc::new(StructArray::from(batch.project(&self.columns)?));
        let reshaped = reshaped(&rows, &DataType::Struct(self.schema.fields().clone()))?;
        let columns = reshaped.as_struct().columns().to_vec();
        let rows = RecordBatch::try_new(Arc::new(self.schema.clone()), columns)?;
        let external = |error: arrow_avro::errors::AvroError| ArrowError::ExternalError(Box::new(error));
        let mut encoder =
            WriterBuilder::new(self.schema.clone()).build_encoder::<AvroBinaryFormat>().map_err(external)?;
        encoder.encode(&rows).map_err(external)?;
        Ok(AvroRows(encoder.flush()))
    }
}

impl AvroRows {
    /// Appends one row's datum.
    pub fn write(&self, row: usize, out: &mut Vec<u8>) {
        let offsets = self.0.offsets();
        out.extend_from_slice(&self.0.bytes()[offsets[row]..offsets[row + 1]]);
    }
}
