//! JSON records, with Flink's meaning of its `json` format.
//!
//! - [`decoder::Decoder`] turns messages into columns. Schemas of simple types and rows go through a decoder that looks only
//!   at the fields asked for ([`flat`]); schemas with arrays or maps go through arrow's ([`nested`]).
//! - [`encoder::Encoder`] writes rows.
//!
//! Where this differs from Flink: a text after the first JSON value of a record makes the record undecodable (Flink
//! ignores it), both timestamp standards are read whichever is set, and a TIMESTAMP_LTZ may have any offset.

pub(super) mod columns;
pub mod decoder;
pub mod encoder;
mod flat;
mod layout;
mod nested;
pub(super) mod scan;

pub(crate) use scan::is_number;

use tidemill_engine::connector::Result;

use crate::options::Options;

/// The `json.*` options of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JsonOptions {
    /// A record that cannot be decoded is skipped, and a field that cannot is NULL; both are counted.
    pub ignore_parse_errors: bool,
    pub fail_on_missing_field: bool,
    pub timestamps: TimestampStandard,
    /// Written rows leave out fields that are NULL.
    pub ignore_null_fields: bool,
}

/// How timestamps are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimestampStandard {
    /// `2026-01-02 03:04:05.678`
    #[default]
    Sql,
    /// `2026-01-02T03:04:05.678`
    Iso8601,
}

impl JsonOptions {
    pub fn read(options: &Options<'_>) -> Result<Self> {
        Self::read_of("json", options)
    }

    /// The options of a format that is made of this one, by its name.
    pub fn read_of(format: &str, options: &Options<'_>) -> Result<Self> {
        let flag = |name: &str| options.flag(&format!("{format}.{name}"));
        let standard = format!("{format}.timestamp-format.standard");
        let standards = [("SQL", TimestampStandard::Sql), ("ISO-8601", TimestampStandard::Iso8601)];
        let read = Self {
            ignore_parse_errors: flag("ignore-parse-errors")?,
            fail_on_missing_field: flag("fail-on-missing-field")?,
            timestamps: options.choice(&standard, &standards)?.unwrap_or_default(),
            ignore_null_fields: flag("encode.ignore-null-fields")?,
        };
        if read.ignore_parse_errors && read.fail_on_missing_field {
            return Err(options.invalid(
                "`json.ignore-parse-errors` and `json.fail-on-missing-field` cannot both be true",
                "set one of them to false",
            ));
        }
        Ok(read)
    }
}
