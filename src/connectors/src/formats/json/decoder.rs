//! Messages to rows, under the table's rules for bad ones. Chooses between the flat and the nested way; knows nothing
//! of where messages come from, so a refusal says which message by its place.

use arrow::array::RecordBatch;
use arrow_schema::{DataType, SchemaRef};
use tidemill_engine::connector::Result as TableResult;
use tidemill_plan::Table;

use super::JsonOptions;
use super::flat::{Appended, FieldRules, FlatDecoder, Refused};
use super::nested::NestedDecoder;
use crate::options::invalid;

/// Turns the messages of one split into batches.
pub struct Decoder {
    way: Way,
    options: JsonOptions,
    undecodable: u64,
}

enum Way {
    Flat(Box<FlatDecoder>),
    Nested(NestedDecoder),
}

/// A message that is no row, where the table's rule is to fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadMessage {
    /// The place among the messages given.
    pub index: usize,
    pub reason: String,
}

impl Decoder {
    /// A decoder for batches of about `capacity` rows.
    pub fn new(table: &Table, schema: SchemaRef, options: JsonOptions, capacity: usize) -> TableResult<Self> {
        let way = match FlatDecoder::new(schema.clone(), capacity) {
            Some(flat) => Way::Flat(Box::new(flat)),
            None if options.fail_on_missing_field => {
                return Err(invalid(
                    table,
                    "`json.fail-on-missing-field` is not supported for tables with arrays or maps",
                    "leave it out, or declare only columns of simple types and rows",
                ));
            }
            None if schema.fields().iter().any(|field| has_bytes(field.data_type())) => {
                return Err(invalid(
                    table,
                    "BYTES in JSON is not supported for tables with arrays or maps",
                    "declare the bytes as STRING, which is their base64 text",
                ));
            }
            None => {
                Way::Nested(NestedDecoder::new(schema, capacity, options.ignore_parse_errors).map_err(|error| {
                    invalid(
                        table,
                        format!("JSON cannot be read into these columns: {error}"),
                        "change the columns' types",
                    )
                })?)
            }
        };
        Ok(Self { way, options, undecodable: 0 })
    }

    /// Messages that were skipped, or of which fields were replaced by NULL, so far.
    pub fn undecodable(&self) -> u64 {
        self.undecodable
    }

    /// The rows of these messages. Empty messages are none.
    pub fn decode<'m>(&mut self, messages: impl Iterator<Item = &'m [u8]> + Clone) -> Result<RecordBatch, BadMessage> {
        self.decode_noting(messages, |_| {})
    }

    /// Likewise, and tells for each row which message it is of.
    pub fn decode_noting<'m>(
        &mut self,
        messages: impl Iterator<Item = &'m [u8]>,
        note: impl FnMut(usize),
    ) -> Result<RecordBatch, BadMessage> {
        match &mut self.way {
            Way::Flat(_) => self.decode_flat(messages, note),
            Way::Nested(_) => self.decode_nested(messages, note),
        }
    }

    fn decode_flat<'m>(
        &mut self,
        messages: impl Iterator<Item = &'m [u8]>,
        mut note: impl FnMut(usize),
    ) -> Result<RecordBatch, BadMessage> {
        let Way::Flat(decoder) = &mut self.way else { unreachable!("asked only for the flat way") };
        let rules = FieldRules {
            null_for_faults: self.options.ignore_parse_errors,
            missing_is_fault: self.options.fail_on_missing_field,
        };
        for (index, message) in messages.enumerate() {
            match decoder.append(message, rules) {
                Ok(Appended::Row) => note(index),
                Ok(Appended::Nothing) => {}
                Ok(Appended::RowWithFaults) => {
                    self.undecodable += 1;
                    note(index);
                }
                Err(_) if self.options.ignore_parse_errors => self.undecodable += 1,
                Err(refused) => return Err(BadMessage { index, reason: refused.to_string() }),
            }
        }
        decoder.finish().map_err(|error| BadMessage { index: 0, reason: error.to_string() })
    }

    /// All at once; if that fails, one by one to find the bad ones.
    fn decode_nested<'m>(
        &mut self,
        messages: impl Iterator<Item = &'m [u8]>,
        note: impl FnMut(usize),
    ) -> Result<RecordBatch, BadMessage> {
        let Way::Nested(decoder) = &self.way else { unreachable!("asked only for the nested way") };
        let mut messages: Vec<(usize, &[u8])> =
            messages.enumerate().filter(|(_, message)| holds_something(message)).collect();
        let plain: Vec<&[u8]> = messages.iter().map(|(_, message)| *message).collect();
        if let Ok(rows) = decoder.decode(&plain) {
            messages.iter().map(|(index, _)| *index).for_each(note);
            return Ok(rows);
        }
        let mut first_fault = None;
        messages.retain(|(index, message)| match decoder.decode(&[message]) {
            Ok(_) => true,
            Err(error) => {
                self.undecodable += 1;
                first_fault.get_or_insert(BadMessage { index: *index, reason: error.to_string() });
                false
            }
        });
        match first_fault {
            Some(bad) if !self.options.ignore_parse_errors => Err(bad),
            _ => {
                let plain: Vec<&[u8]> = messages.iter().map(|(_, message)| *message).collect();
                messages.iter().map(|(index, _)| *index).for_each(note);
                decoder.decode(&plain).map_err(|error| BadMessage { index: 0, reason: error.to_string() })
            }
        }
    }
}

/// Arrow's decoder would take the text of bytes for hexadecimal digits instead of base64.
fn has_bytes(data_type: &DataType) -> bool {
    match data_type {
        DataType::Binary => true,
        DataType::Struct(fields) => fields.iter().any(|field| has_bytes(field.data_type())),
        DataType::List(element) | DataType::Map(element, _) => has_bytes(element.data_type()),
        _ => false,
    }
}

fn holds_something(message: &[u8]) -> bool {
    let text = message.trim_ascii();
    !text.is_empty() && text != b"null"
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Syntax(fault) => write!(f, "{} (byte {})", fault.reason, fault.at),
            Self::Field { name, reason } => write!(f, "the field `{name}` {reason}"),
        }
    }
}

#[cfg(test)]
#[path = "decoder_tests.rs"]
mod tests;
