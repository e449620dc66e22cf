//! Lines to rows.

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use tidemill_engine::connector::Result as TableResult;
use tidemill_plan::Table;

use super::{CsvOptions, check};
use crate::formats::json::columns::{Cell, Column, Mismatch};
use crate::formats::json::decoder::BadMessage;
use crate::formats::json::scan::RawString;
use crate::options::invalid;

/// Turns the lines of one split into batches. The schema must have all columns of the table, in order.
pub struct CsvDecoder {
    schema: SchemaRef,
    columns: Vec<Column>,
    options: CsvOptions,
    /// The fields of a line without quotes, one after the other.
    text: Vec<u8>,
    cells: Vec<Cell>,
    rows: usize,
    undecodable: u64,
}

impl CsvDecoder {
    pub fn new(table: &Table, schema: SchemaRef, options: CsvOptions, capacity: usize) -> TableResult<Self> {
        check(table, &schema)?;
        let columns: Option<Vec<_>> = schema.fields().iter().map(|field| Column::new(field, capacity)).collect();
        let columns = columns.ok_or_else(|| {
            invalid(table, "CSV cannot be read into the types of these columns", "change the columns' types")
        })?;
        Ok(Self { schema, columns, options, text: Vec::new(), cells: Vec::new(), rows: 0, undecodable: 0 })
    }

    pub fn undecodable(&self) -> u64 {
        self.undecodable
    }

    /// The rows of these lines. Empty lines are none.
    pub fn decode<'m>(&mut self, lines: impl Iterator<Item = &'m [u8]>) -> Result<RecordBatch, BadMessage> {
        self.decode_noting(lines, |_| {})
    }

    /// Likewise, and tells for each row which line it is of.
    pub fn decode_noting<'m>(
        &mut self,
        lines: impl Iterator<Item = &'m [u8]>,
        mut note: impl FnMut(usize),
    ) -> Result<RecordBatch, BadMessage> {
        for (index, line) in lines.enumerate() {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() {
                continue;
            }
            match self.append(line) {
                Ok(()) => {
                    self.rows += 1;
                    note(index);
                }
                Err(reason) => {
                    self.columns.iter_mut().for_each(|column| column.truncate(self.rows));
                    if !self.options.ignore_parse_errors {
                        return Err(BadMessage { index, reason });
                    }
                    self.undecodable += 1;
                }
            }
        }
        self.finish().map_err(|error| BadMessage { index: 0, reason: error.to_string() })
    }

    fn finish(&mut self) -> Result<RecordBatch, arrow::error::ArrowError> {
        let arrays = self.columns.iter_mut().map(Column::finish).collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(std::mem::take(&mut self.rows)));
        RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)
    }

    fn append(&mut self, line: &[u8]) -> Result<(), String> {
        self.take_apart(line)?;
        let (found, wanted) = (self.cells.len(), self.columns.len());
        if found != wanted && !self.options.ignore_parse_errors {
            return Err(format!("the line has {found} fields, and the table {wanted} columns"));
        }
        let mut is_faulty = found != wanted;
        for (place, column) in self.columns.iter_mut().enumerate() {
            let cell = self.cells.get(place).copied().unwrap_or(Cell::Absent);
            if let Err(Mismatch(reason)) = column.append(&self.text, cell) {
                if !self.options.ignore_parse_errors || column.append_null().is_err() {
                    return Err(format!("the field `{}` {reason}", self.schema.field(place).name()));
                }
                is_faulty = true;
            }
        }
        self.undecodable += u64::from(is_faulty);
        Ok(())
    }

    fn take_apart(&mut self, line: &[u8]) -> Result<(), String> {
        self.text.clear();
        self.cells.clear();
        let mut rest = Some(line);
        while let Some(field) = rest {
            let start = self.text.len();
            rest = match self.options.quote {
                Some(quote) if field.first() == Some(&quote) => self.quoted(&field[1..], quote)?,
                _ => {
                    let end = field.iter().position(|byte| *byte == self.options.delimiter).unwrap_or(field.len());
                    self.text.extend_from_slice(&field[..end]);
                    field.get(end + 1..)
                }
            };
            let end = self.text.len();
            let is_null =
                self.options.null_literal.as_ref().is_some_and(|null| null.as_bytes() == &self.text[start..end]);
            self.cells.push(match is_null {
                true => Cell::Null,
                false => Cell::String(RawString { start, end, escaped: false, wide: true }),
            });
        }
        Ok(())
    }

    /// Takes a field up to its closing quote, of which two stand for one; gives what comes behind the delimiter.
    fn quoted<'l>(&mut self, mut rest: &'l [u8], quote: u8) -> Result<Option<&'l [u8]>, String> {
        loop {
            let end = rest.iter().position(|byte| *byte == quote).ok_or("a quote does not end")?;
            self.text.extend_from_slice(&rest[..end]);
            rest = &rest[end + 1..];
            match rest.first() {
                None => return Ok(None),
                Some(next) if *next == quote => {
                    self.text.push(quote);
                    rest = &rest[1..];
                }
                Some(next) if *next == self.options.delimiter => return Ok(Some(&rest[1..])),
                Some(_) => return Err("something follows a closing quote".to_string()),
            }
        }
    }
}
