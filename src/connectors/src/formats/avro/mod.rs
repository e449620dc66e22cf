//! Avro records, with Flink's meaning of its `avro` format: one datum in the binary encoding, without a header and without
//! its schema. The schema that reading and writing go by follows from the table's columns as they are declared, NOT NULL
//! included ([`schema`]): what cannot be NULL has no union around it, so producer and table have to agree about that, too.
//!
//! The `arrow-avro` crate reads and writes; what it has in other Arrow types than tables is reshaped ([`shape`]).
//!
//! | option | meaning | default |
//! |---|---|---|
//! | `avro.encoding` | `binary`; there is no `json` | `binary` |
//! | `avro.timestamp_mapping.legacy` | `true`: a TIMESTAMP is a `timestamp-millis`, and there is no TIMESTAMP_LTZ. `false`: a TIMESTAMP is a `local-timestamp-…`, a TIMESTAMP_LTZ a `timestamp-…` | `true` |
//!
//! A record is read up to the end of its datum, as in Flink: what follows is not looked at. One without a value is none.
//! There is no option to skip records that cannot be read.

mod decoder;
mod encoder;
mod schema;
mod shape;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow_schema::{Field, SchemaRef};
use tidemill_engine::connector::Result;
use tidemill_plan::Table;

use crate::options::{Options, invalid};
pub use decoder::AvroDecoder;
pub use encoder::{AvroEncoder, AvroRows};

/// What timestamps are in Avro.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Timestamps {
    /// Flink's first mapping, in which TIMESTAMP takes the place of TIMESTAMP_LTZ.
    #[default]
    Legacy,
    Standard,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AvroOptions {
    pub timestamps: Timestamps,
}

impl AvroOptions {
    /// `prefix` stands before the names of its options, such as `avro` or `value.avro`.
    pub fn read_of(prefix: &str, options: &Options<'_>) -> Result<Self> {
        options.choice(&format!("{prefix}.encoding"), &[("binary", ())])?;
        options.refuse(&format!("{prefix}.codec"), "records are not compressed one by one", "leave it out")?;
        let legacy = options.parsed::<bool>(&format!("{prefix}.timestamp_mapping.legacy"), "`true` or `false`")?;
        let timestamps = if legacy == Some(false) { Timestamps::Standard } else { Timestamps::Legacy };
        Ok(Self { timestamps })
    }
}

/// The columns of `schema` as they are declared.
fn declared(table: &Table, schema: &SchemaRef) -> Result<Vec<Arc<Field>>> {
    let of = |name: &String| {
        let declared = table.declared.as_ref().and_then(|declared| declared.fields().find(name));
        declared.map(|(_, field)| field.clone()).ok_or_else(|| {
            let message = format!("it is not known how the column `{name}` is declared, by which Avro goes");
            invalid(table, message, "start the application anew from its SQL text")
        })
    };
    schema.fields().iter().map(|field| of(field.name())).collect()
}

/// The Avro schema of these columns, as text.
fn schema_text(table: &Table, columns: &[Arc<Field>], options: AvroOptions) -> Result<String> {
    let schema = schema::record(columns, options.timestamps);
    schema.map(|schema| schema.to_string()).map_err(|unfit| invalid(table, unfit.message, unfit.remedy))
}
