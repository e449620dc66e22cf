//! Rows to the key and value of records.

use arrow::array::RecordBatch;
use arrow_schema::SchemaRef;
use tidemill_engine::change::split;
use tidemill_engine::connector::Result;
use tidemill_model::status::{Problem, ProblemKind};
use tidemill_plan::{Change, Table};

use super::super::beside::BesideColumns;
use super::super::options::{KafkaOptions, Records};
use crate::formats::part::PartEncoder;
use crate::frames::Beside;
use crate::options::Options;

pub struct RecordEncoder {
    table: String,
    records: Records,
    beside: BesideColumns,
    value: PartEncoder,
    key: Option<PartEncoder>,
}

/// Writes a part of a record.
pub type Write<'a> = &'a mut dyn FnMut(&mut Vec<u8>);

impl RecordEncoder {
    pub fn new(table: &Table, schema: &SchemaRef, options: &KafkaOptions) -> Result<Self> {
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let place = |name: &String| {
            names
                .iter()
                .position(|known| known == name)
                .ok_or_else(|| Options::new(table).unknown(name, "column for `key.fields`", names.iter().copied()))
        };
        let keys = options.key_fields.iter().map(place).collect::<Result<Vec<_>>>()?;
        let beside = BesideColumns::new(table, schema)?;
        let stored = (0..names.len()).filter(|column| !beside.contain(*column));
        let values: Vec<usize> = stored.filter(|column| options.key_in_value || !keys.contains(column)).collect();
        let value = PartEncoder::new(table, schema, values, &options.value)?;
        let key = (!keys.is_empty()).then(|| PartEncoder::new(table, schema, keys, &options.key)).transpose()?;
        Ok(Self { table: table.name.clone(), records: options.records, beside, value, key })
    }

    /// Calls `record` with what stands beside each record, and the writers of its key and value; it has a value unless it
    /// deletes.
    pub fn each(
        &self,
        rows: &RecordBatch,
        mut record: impl FnMut(&Beside, Option<Write<'_>>, Option<Write<'_>>) -> Result<()>,
    ) -> Result<()> {
        let mut values = self.value.rows(rows).map_err(|error| self.failed(error))?;
        let mut keys = self.key.as_ref().map(|key| key.rows(rows)).transpose().map_err(|error| self.failed(error))?;
        let (_, changes) = split(rows);
        for row in 0..rows.num_rows() {
            let change = changes.map_or(Some(Change::Insert), |changes| Change::of(changes.value(row)));
            let change = change.ok_or_else(|| self.failed("a row has an unknown change"))?;
            let has_value = match self.records {
                Records::Upserts if change == Change::UpdateBefore => continue,
                Records::Upserts => change.is_addition(),
                Records::Rows | Records::Debezium { .. } => values.has_value(row),
            };
            let mut value = |out: &mut Vec<u8>| match self.records {
                Records::Debezium { .. } if change.is_addition() => {
                    out.extend_from_slice(br#"{"before":null,"after":"#);
                    values.write(row, out);
                    out.extend_from_slice(br#","op":"c"}"#);
                }
                Records::Debezium { .. } => {
                    out.extend_from_slice(br#"{"before":"#);
                    values.write(row, out);
                    out.extend_from_slice(br#","after":null,"op":"d"}"#);
                }
                Records::Rows | Records::Upserts => values.write(row, out),
            };
            let value = has_value.then_some(&mut value as Write<'_>);
            let beside = self.beside.of(rows, row)?;
            match &mut keys {
                None => record(&beside, None, value)?,
                Some(keys) => record(&beside, Some(&mut |out: &mut Vec<u8>| keys.write(row, out)), value)?,
            }
        }
        Ok(())
    }

    fn failed(&self, error: impl std::fmt::Display) -> Problem {
        failed(&self.table, error)
    }
}

fn failed(table: &str, error: impl std::fmt::Display) -> Problem {
    Problem {
        kind: ProblemKind::Internal,
        object: table.to_string(),
        message: format!("failed to encode rows: {error}"),
        remedy: "please report this with the table's columns".into(),
    }
}
