//! CSV records, with Flink's meaning of its `csv` format: one line each, columns found by their places.
//!
//! Options: `csv.field-delimiter` (`,`), `csv.quote-character` (`"`), `csv.disable-quote-character`, `csv.null-literal`,
//! `csv.ignore-parse-errors`. Rows, arrays and maps have no form here.

mod decoder;
mod encoder;

use arrow_schema::{DataType, SchemaRef};
use tidemill_engine::connector::Result;
use tidemill_plan::Table;

pub use decoder::CsvDecoder;
pub use encoder::{CsvEncoder, CsvRows};

use crate::options::{Options, invalid};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvOptions {
    pub delimiter: u8,
    pub quote: Option<u8>,
    /// Stands for NULL. Without it NULL is written as nothing, and never read.
    pub null_literal: Option<String>,
    pub ignore_parse_errors: bool,
}

impl CsvOptions {
    pub fn read(options: &Options<'_>) -> Result<Self> {
        Self::read_of("csv", options)
    }

    /// `prefix` stands before the names of its options, such as `csv` or `key.csv`.
    pub fn read_of(prefix: &str, options: &Options<'_>) -> Result<Self> {
        let named = |name: &str| format!("{prefix}.{name}");
        for name in ["allow-comments", "escape-character", "array-element-delimiter"] {
            options.refuse(&named(name), "lines are read without comments, escapes and arrays", "leave it out")?;
        }
        let unquoted = options.flag(&named("disable-quote-character"))?;
        let quote = character(options, &named("quote-character"), b'"')?;
        Ok(Self {
            delimiter: character(options, &named("field-delimiter"), b',')?,
            quote: (!unquoted).then_some(quote),
            null_literal: options.optional(&named("null-literal")).map(str::to_string),
            ignore_parse_errors: options.flag(&named("ignore-parse-errors"))?,
        })
    }
}

fn character(options: &Options<'_>, name: &str, default: u8) -> Result<u8> {
    match options.optional(name) {
        None => Ok(default),
        Some("\\t") => Ok(b'\t'),
        Some(text) if text.len() == 1 => Ok(text.as_bytes()[0]),
        Some(text) => Err(options.bad_value(name, text, "is not one ASCII character", "one such as `;`, or `\\t`")),
    }
}

/// Refuses columns that have no form in a line.
pub fn check(table: &Table, schema: &SchemaRef) -> Result<()> {
    let is_nested =
        |data_type: &DataType| matches!(data_type, DataType::Struct(_) | DataType::List(_) | DataType::Map(_, _));
    match schema.fields().iter().find(|field| is_nested(field.data_type())) {
        None => Ok(()),
        Some(field) => Err(invalid(
            table,
            format!("the column `{}` is nested, which CSV has no form for here", field.name()),
            "use the format json, or columns of simple types",
        )),
    }
}

#[cfg(test)]
mod tests;
