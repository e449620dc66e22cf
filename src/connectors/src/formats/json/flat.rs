//! A JSON decoder for schemas without nesting, driven by the schema: it finds the end of every value, but converts
//! only the fields asked for. Messages of a topic tend to name their fields in the same order, so it first compares a
//! message's next field with the one that stood there last time.
//!
//! A message is first taken apart into [`Cell`]s, one per column, and only then appended: a later field of the same
//! name replaces an earlier one, as in Flink, and a message that turns out to be broken leaves no trace.

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use arrow_schema::SchemaRef;

use super::columns::{Cell, Column, Mismatch};
use super::scan::{Fault, Scanned, skip_space, skip_value, string, unescape};

pub struct FlatDecoder {
    schema: SchemaRef,
    columns: Vec<Column>,
    cells: Vec<Cell>,
    /// What the last message had as its first, second … field.
    expected: Vec<ExpectedKey>,
    rows: usize,
}

struct ExpectedKey {
    /// With quotes and colon.
    text: Vec<u8>,
    column: Option<usize>,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    Row,
    /// A row in which NULL stands for fields that could not be converted.
    RowWithFaults,
    /// The message is empty or `null`: no row.
    Nothing,
}

/// Why a message gave no row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    Syntax(Fault),
    Field { name: String, reason: &'static str },
}

/// What is done about a field that cannot be converted or is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldRules {
    pub null_for_faults: bool,
    pub missing_is_fault: bool,
}

impl FlatDecoder {
    /// A decoder for the schema; none if one of its types is nested.
    pub fn new(schema: SchemaRef, capacity: usize) -> Option<Self> {
        let columns: Option<Vec<_>> = schema.fields().iter().map(|field| Column::new(field, capacity)).collect();
        let columns = columns?;
        Some(Self { cells: vec![Cell::Absent; columns.len()], columns, schema, expected: Vec::new(), rows: 0 })
    }

    /// Appends a message as a row. A refused message appends nothing.
    pub fn append(&mut self, message: &[u8], rules: FieldRules) -> Result<Appended, Refused> {
        self.cells.fill(Cell::Absent);
        if !self.take_apart(message).map_err(Refused::Syntax)? {
            return Ok(Appended::Nothing);
        }
        let appended = self.append_cells(message, rules);
        match appended {
            Ok(_) => self.rows += 1,
            Err(_) => self.columns.iter_mut().for_each(|column| column.truncate(self.rows)),
        }
        appended
    }

    fn append_cells(&mut self, message: &[u8], rules: FieldRules) -> Result<Appended, Refused> {
        let mut appended = Appended::Row;
        for (place, (column, cell)) in self.columns.iter_mut().zip(&self.cells).enumerate() {
            let missing = rules.missing_is_fault && matches!(cell, Cell::Absent);
            let outcome = if missing { Err(Mismatch("is missing")) } else { column.append(message, *cell) };
            if let Err(Mismatch(reason)) = outcome {
                if !rules.null_for_faults || column.append_null().is_err() {
                    return Err(Refused::Field { name: self.schema.field(place).name().clone(), reason });
                }
                appended = Appended::RowWithFaults;
            }
        }
        Ok(appended)
    }

    /// The rows so far; decoding starts anew.
    pub fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        let arrays = self.columns.iter_mut().map(Column::finish).collect::<Result<Vec<_>, _>>()?;
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(self.rows));
        self.rows = 0;
        RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)
    }

    /// Finds the message's fields. False for a message that holds nothing.
    fn take_apart(&mut self, text: &[u8]) -> Scanned<bool> {
        let mut at = skip_space(text, 0);
        match text.get(at) {
            None => return Ok(false),
            Some(b'{') => at = skip_space(text, at + 1),
            Some(b'n') if text[at..].trim_ascii_end() == b"null" => return Ok(false),
            Some(_) => return Err(Fault { at, reason: "the record is no JSON object" }),
        }
        let mut nth = 0;
        let mut more = text.get(at) != Some(&b'}');
        while more {
            let (column, value) = self.key(text, at, nth)?;
            let end = self.value(text, value, column)?;
            at = skip_space(text, end);
            more = match text.get(at) {
                Some(b',') => true,
                Some(b'}') => false,
                Some(_) => return Err(Fault { at, reason: "neither a comma nor a bracket follows a value" }),
                None => return Err(Fault { at, reason: "the record ends within an object" }),
            };
            if more {
                at = skip_space(text, at + 1);
            }
            nth += 1;
        }
        let end = skip_space(text, at + 1);
        if end < text.len() {
            return Err(Fault { at: end, reason: "something follows the object" });
        }
        Ok(true)
    }

    /// The column that the key at `at` names, and where its value begins.
    #[inline]
    fn key(&mut self, text: &[u8], at: usize, nth: usize) -> Scanned<(Option<usize>, usize)> {
        if let Some(expected) = self.expected.get(nth)
            && text[at..].starts_with(&expected.text)
        {
            return Ok((expected.column, skip_space(text, at + expected.text.len())));
        }
        self.other_key(text, at, nth)
    }

    fn other_key(&mut self, text: &[u8], at: usize, nth: usize) -> Scanned<(Option<usize>, usize)> {
        if text.get(at) != Some(&b'"') {
            return Err(Fault { at, reason: "a field has no name in quotes" });
        }
        let raw = string(text, at)?;
        let name = &text[raw.start..raw.end];
        let column = match raw.escaped {
            false => self.column_named(name),
            true => {
                let mut plain = Vec::new();
                unescape(name, raw.start, &mut plain)?;
                self.column_named(&plain)
            }
        };
        let colon = skip_space(text, raw.end + 1);
        if text.get(colon) != Some(&b':') {
            return Err(Fault { at: colon, reason: "no colon follows a field's name" });
        }
        self.expect(nth, &text[at..colon + 1], column);
        Ok((column, skip_space(text, colon + 1)))
    }

    fn column_named(&self, name: &[u8]) -> Option<usize> {
        self.schema.fields().iter().position(|field| field.name().as_bytes() == name)
    }

    fn expect(&mut self, nth: usize, text: &[u8], column: Option<usize>) {
        const MOST: usize = 256;
        let key = ExpectedKey { text: text.to_vec(), column };
        if let Some(place) = self.expected.get_mut(nth) {
            *place = key;
        } else if nth == self.expected.len() && nth < MOST {
            self.expected.push(key);
        }
    }

    /// Notes the value at `at` for its column and says where it ends.
    #[inline]
    fn value(&mut self, text: &[u8], at: usize, column: Option<usize>) -> Scanned<usize> {
        let Some(column) = column else { return skip_value(text, at) };
        let (cell, end) = match text.get(at) {
            Some(b'"') => {
                let raw = string(text, at)?;
                (Cell::String(raw), raw.end + 1)
            }
            Some(b'{' | b'[') => {
                let end = skip_value(text, at)?;
                (Cell::Nested { start: at, end }, end)
            }
            Some(b'n') => (Cell::Null, skip_value(text, at)?),
            _ => {
                let end = skip_value(text, at)?;
                (Cell::Bare { start: at, end }, end)
            }
        };
        self.cells[column] = cell;
        Ok(end)
    }
}
