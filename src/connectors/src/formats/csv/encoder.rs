//! Rows to lines, without their ends.

use arrow::array::{AsArray, RecordBatch};
use arrow::error::ArrowError;
use arrow_schema::DataType;

use super::CsvOptions;
use crate::formats::json::JsonOptions;
use crate::formats::json::encoder::Values;

/// Texts longer than this are put into quotes without looking, as Flink's writer does.
const LOOKED_THROUGH: usize = 24;

/// Writes some columns of a table's rows.
pub struct CsvEncoder {
    columns: Vec<usize>,
    options: CsvOptions,
}

/// A batch made ready for being written row by row.
pub struct CsvRows<'a> {
    options: &'a CsvOptions,
    values: Vec<(Values<'a>, bool)>,
    scratch: Vec<u8>,
}

impl CsvEncoder {
    pub fn new(columns: Vec<usize>, options: CsvOptions) -> Self {
        Self { columns, options }
    }

    pub fn rows<'a>(&'a self, batch: &'a RecordBatch) -> Result<CsvRows<'a>, ArrowError> {
        let values = self.columns.iter().map(|column| {
            let array = batch.column(*column);
            Ok((Values::of(array.as_ref())?, is_text(array.data_type())))
        });
        let values = values.collect::<Result<_, ArrowError>>()?;
        Ok(CsvRows { options: &self.options, values, scratch: Vec::new() })
    }
}

/// Whether values may stand in quotes.
fn is_text(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Utf8 | DataType::Binary | DataType::Date32 | DataType::Time32(_) | DataType::Timestamp(_, _)
    )
}

impl CsvRows<'_> {
    /// Appends one row's line.
    pub fn write(&mut self, row: usize, out: &mut Vec<u8>) {
        for (place, (values, is_text)) in self.values.iter().enumerate() {
            if place > 0 {
                out.push(self.options.delimiter);
            }
            if values.is_null(row) {
                out.extend_from_slice(self.options.null_literal.as_deref().unwrap_or_default().as_bytes());
            } else if let Some(texts) = values.array.as_string_opt::<i32>() {
                write_text(texts.value(row).as_bytes(), self.options, out);
            } else {
                self.scratch.clear();
                values.write(row, JsonOptions::default(), &mut self.scratch);
                match (is_text, self.scratch.as_slice()) {
                    (true, [b'"', text @ .., b'"']) => write_text(text, self.options, out),
                    (_, [b'"', bare @ .., b'"']) | (_, bare) => out.extend_from_slice(bare),
                }
            }
        }
    }
}

fn write_text(text: &[u8], options: &CsvOptions, out: &mut Vec<u8>) {
    let Some(quote) = options.quote else { return out.extend_from_slice(text) };
    let highest = quote.max(options.delimiter).max(b'\r');
    if text.len() <= LOOKED_THROUGH && text.iter().all(|byte| *byte > highest) {
        return out.extend_from_slice(text);
    }
    out.push(quote);
    for byte in text {
        if *byte == quote {
            out.push(quote);
        }
        out.push(*byte);
    }
    out.push(quote);
}
