//! The formats of one part of a record, its key or value, under one roof: for connectors whose records have such parts.

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use arrow_schema::SchemaRef;
use tidemill_engine::connector::Result as TableResult;
use tidemill_plan::Table;

use super::avro::{AvroDecoder, AvroEncoder, AvroOptions, AvroRows};
use super::csv::{self, CsvDecoder, CsvEncoder, CsvOptions, CsvRows};
use super::json::JsonOptions;
use super::json::decoder::{BadMessage, Decoder};
use super::json::encoder::{Encoder, Rows};
use super::raw;
use crate::options::Options;

/// A format with its options.
#[derive(Clone, Debug, PartialEq)]
pub enum Format {
    Json(JsonOptions),
    Csv(CsvOptions),
    Raw,
    Avro(AvroOptions),
}

#[derive(Clone, Copy)]
enum Named {
    Json,
    Csv,
    Raw,
    Avro,
}

const NAMES: [(&str, Named); 4] =
    [("json", Named::Json), ("csv", Named::Csv), ("raw", Named::Raw), ("avro", Named::Avro)];

impl Default for Format {
    fn default() -> Self {
        Self::Json(JsonOptions::default())
    }
}

impl Format {
    /// The format that an option names, such as `key.format`, if it is there. The format's own options may have `key.`
    /// before their names, too.
    pub fn read(options: &Options<'_>, option: &str) -> TableResult<Option<Self>> {
        if options.optional(option) == Some("avro-confluent") {
            let reason = "is not supported: there is no client for a schema registry";
            return Err(options.bad_value(
                option,
                "avro-confluent",
                reason,
                "`avro`, with records without a schema's number",
            ));
        }
        let Some(named) = options.choice(option, &NAMES)? else { return Ok(None) };
        let prefix = |format: &str| prefixed(options, option, format);
        Ok(Some(match named {
            Named::Json => Self::Json(JsonOptions::read_of(&prefix("json"), options)?),
            Named::Csv => Self::Csv(CsvOptions::read_of(&prefix("csv"), options)?),
            Named::Raw => {
                raw::read_options_of(&prefix("raw"), options)?;
                Self::Raw
            }
            Named::Avro => Self::Avro(AvroOptions::read_of(&prefix("avro"), options)?),
        }))
    }

    /// Whether records that cannot be read are skipped.
    pub fn skips_bad(&self) -> bool {
        match self {
            Self::Json(options) => options.ignore_parse_errors,
            Self::Csv(options) => options.ignore_parse_errors,
            Self::Raw | Self::Avro(_) => false,
        }
    }

    /// What to do about records that cannot be read.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Json(_) => {
                "set 'json.ignore-parse-errors' = 'true' to skip and count such records, or correct the columns"
            }
            Self::Csv(_) => {
                "set 'csv.ignore-parse-errors' = 'true' to skip and count such records, or correct the columns"
            }
            Self::Raw => "declare the column as BYTES",
            Self::Avro(_) => {
                "declare the columns in the order and types of the producer's schema, NOT NULL where it has no null"
            }
        }
    }
}

/// What stands before the names of a format's options: `key.json` for `key.format` if there are such, else `json`.
fn prefixed(options: &Options<'_>, option: &str, format: &str) -> String {
    let part = option.strip_suffix("format").unwrap_or_default();
    let long = format!("{part}{format}");
    let is_used =
        options.table().options.keys().any(|name| name.strip_prefix(&long).is_some_and(|rest| rest.starts_with('.')));
    if is_used { long } else { format.to_string() }
}

/// Turns one part of records into columns.
pub enum PartDecoder {
    Json(Box<Decoder>),
    Csv(Box<CsvDecoder>),
    Raw(SchemaRef),
    Avro(Box<AvroDecoder>),
}

impl PartDecoder {
    /// A decoder for batches of about `capacity` rows.
    pub fn new(table: &Table, schema: SchemaRef, format: &Format, capacity: usize) -> TableResult<Self> {
        Ok(match format {
            Format::Json(options) => Self::Json(Box::new(Decoder::new(table, schema, *options, capacity)?)),
            Format::Csv(options) => Self::Csv(Box::new(CsvDecoder::new(table, schema, options.clone(), capacity)?)),
            Format::Raw => {
                raw::check(table, &schema)?;
                Self::Raw(schema)
            }
            Format::Avro(options) => Self::Avro(Box::new(AvroDecoder::new(table, schema, *options, capacity)?)),
        })
    }

    /// The rows of these parts. Tells for each row which part it is of.
    pub fn decode_noting<'m>(
        &mut self,
        parts: impl Iterator<Item = Option<&'m [u8]>>,
        mut note: impl FnMut(usize),
    ) -> Result<RecordBatch, BadMessage> {
        match self {
            Self::Json(decoder) => decoder.decode_noting(parts.map(Option::unwrap_or_default), note),
            Self::Csv(decoder) => decoder.decode_noting(parts.map(Option::unwrap_or_default), note),
            Self::Raw(schema) => {
                let rows = raw::decode(schema, parts)?;
                (0..rows.num_rows()).for_each(&mut note);
                Ok(rows)
            }
            Self::Avro(decoder) => decoder.decode_noting(parts, note),
        }
    }

    /// Records that were skipped, or of which fields were replaced by NULL, so far.
    pub fn undecodable(&self) -> u64 {
        match self {
            Self::Json(decoder) => decoder.undecodable(),
            Self::Csv(decoder) => decoder.undecodable(),
            Self::Raw(_) | Self::Avro(_) => 0,
        }
    }
}

/// Writes some columns of rows as one part of records.
pub enum PartEncoder {
    Json(Encoder),
    Csv(CsvEncoder),
    /// The one column.
    Raw(usize),
    Avro(AvroEncoder),
}

/// A batch made ready for being written row by row.
pub enum PartRows<'a> {
    Json(Rows<'a>),
    Csv(CsvRows<'a>),
    Raw(RecordBatch),
    Avro(AvroRows),
}

impl PartEncoder {
    /// Of the columns of `schema` those at these places.
    pub fn new(table: &Table, schema: &SchemaRef, columns: Vec<usize>, format: &Format) -> TableResult<Self> {
        let written = || {
            let fields = columns.iter().map(|column| schema.fields()[*column].clone());
            SchemaRef::new(arrow_schema::Schema::new(fields.collect::<Vec<_>>()))
        };
        Ok(match format {
            Format::Json(options) => Self::Json(Encoder::new(schema, columns, *options)),
            Format::Csv(options) => {
                csv::check(table, &written())?;
                Self::Csv(CsvEncoder::new(columns, options.clone()))
            }
            Format::Raw => {
                raw::check(table, &written())?;
                Self::Raw(columns.first().copied().unwrap_or_default())
            }
            Format::Avro(options) => Self::Avro(AvroEncoder::new(table, schema, columns, *options)?),
        })
    }

    pub fn rows<'a>(&'a self, batch: &'a RecordBatch) -> Result<PartRows<'a>, ArrowError> {
        Ok(match self {
            Self::Json(encoder) => PartRows::Json(encoder.rows(batch)?),
            Self::Csv(encoder) => PartRows::Csv(encoder.rows(batch)?),
            Self::Raw(column) => PartRows::Raw(batch.project(&[*column])?),
            Self::Avro(encoder) => PartRows::Avro(encoder.rows(batch)?),
        })
    }
}

impl PartRows<'_> {
    pub fn write(&mut self, row: usize, out: &mut Vec<u8>) {
        match self {
            Self::Json(rows) => rows.write(row, out),
            Self::Csv(rows) => rows.write(row, out),
            Self::Raw(rows) => out.extend_from_slice(raw::value(rows, row).unwrap_or_default()),
            Self::Avro(rows) => rows.write(row, out),
        }
    }

    /// A NULL as it is, is no value.
    pub fn has_value(&self, row: usize) -> bool {
        !matches!(self, Self::Raw(rows) if raw::value(rows, row).is_none())
    }
}
