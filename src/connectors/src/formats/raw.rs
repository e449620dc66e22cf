//! Records that are one value as it is: Flink's `raw` format, for STRING (in UTF-8) and BYTES.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, RecordBatch, StringArray};
use arrow_schema::{DataType, SchemaRef};
use tidemill_engine::connector::Result as TableResult;
use tidemill_plan::Table;

use crate::formats::json::decoder::BadMessage;
use crate::options::{Options, invalid};

/// Refuses tables that are not one column of text or bytes, and encodings other than UTF-8.
pub fn check(table: &Table, schema: &SchemaRef) -> TableResult<()> {
    match schema.fields().iter().map(|field| field.data_type()).collect::<Vec<_>>().as_slice() {
        [DataType::Utf8 | DataType::Binary] => Ok(()),
        _ => Err(invalid(
            table,
            "the format `raw` needs a table of one column, which is STRING or BYTES",
            "declare such a column, and CAST it in the query",
        )),
    }
}

/// The options that a table of this format may have.
pub fn read_options(options: &Options<'_>) -> TableResult<()> {
    read_options_of("raw", options)
}

/// `prefix` stands before their names, such as `raw` or `key.raw`.
pub fn read_options_of(prefix: &str, options: &Options<'_>) -> TableResult<()> {
    options.choice(&format!("{prefix}.charset"), &[("UTF-8", ())])?;
    options.refuse(&format!("{prefix}.endianness"), "numbers are not read", "leave it out")
}

/// One row for each record; one without a value is NULL.
pub fn decode<'m>(
    schema: &SchemaRef,
    values: impl Iterator<Item = Option<&'m [u8]>>,
) -> Result<RecordBatch, BadMessage> {
    let column: ArrayRef = match schema.field(0).data_type() {
        DataType::Binary => Arc::new(values.collect::<BinaryArray>()),
        _ => {
            let texts = values.enumerate().map(|(index, value)| {
                let text = value.map(std::str::from_utf8).transpose();
                text.map_err(|_| BadMessage { index, reason: "it is not valid UTF-8".to_string() })
            });
            Arc::new(texts.collect::<Result<StringArray, _>>()?)
        }
    };
    RecordBatch::try_new(schema.clone(), vec![column])
        .map_err(|error| BadMessage { index: 0, reason: error.to_string() })
}

/// A row's value; none for NULL.
pub fn value(rows: &RecordBatch, row: usize) -> Option<&[u8]> {
    use arrow::array::{Array, AsArray};
    let column = rows.column(0);
    if column.is_null(row) {
        return None;
    }
    match column.as_string_opt::<i32>() {
        Some(texts) => Some(texts.value(row).as_bytes()),
        None => column.as_binary_opt::<i32>().map(|bytes| bytes.value(row)),
    }
}
