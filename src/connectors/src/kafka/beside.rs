//! What is written beside a record's key and value: from columns of metadata to the client's records.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::TimestampMillisecondType;
use arrow_schema::SchemaRef;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::BaseRecord;
use tidemill_engine::connector::Result;
use tidemill_model::status::{Problem, ProblemKind};
use tidemill_plan::Table;

use crate::frames::Beside;
use crate::options::invalid;

/// The columns that are written beside key and value.
#[derive(Clone, Debug, Default)]
pub struct BesideColumns {
    table: String,
    timestamp: Option<usize>,
    headers: Option<usize>,
}

impl BesideColumns {
    pub fn new(table: &Table, schema: &SchemaRef) -> Result<Self> {
        let mut columns = Self { table: table.name.clone(), ..Self::default() };
        for (place, field) in schema.fields().iter().enumerate() {
            let Some(key) = table.metadata.get(field.name()) else { continue };
            match key.as_str() {
                "timestamp" => columns.timestamp = Some(place),
                "headers" => columns.headers = Some(place),
                _ => {
                    let message = format!("the metadata `{key}` of the column `{}` cannot be written", field.name());
                    return Err(invalid(table, message, "declare the column as VIRTUAL"));
                }
            }
        }
        Ok(columns)
    }

    /// Whether a column is one of these.
    pub fn contain(&self, place: usize) -> bool {
        [self.timestamp, self.headers].contains(&Some(place))
    }

    /// A NULL time is the time of sending, NULL headers are none.
    pub fn of(&self, rows: &RecordBatch, row: usize) -> Result<Beside> {
        let timestamp_ms =
            match self.timestamp.map(|place| rows.column(place).as_primitive::<TimestampMillisecondType>()) {
                Some(times) if times.is_valid(row) => Some(self.sendable(times.value(row))?),
                _ => None,
            };
        let mut headers = Vec::new();
        if let Some(maps) = self.headers.map(|place| rows.column(place).as_map())
            && maps.is_valid(row)
        {
            let entries = maps.value(row);
            let (names, values) = (entries.column(0).as_string::<i32>(), entries.column(1).as_binary::<i32>());
            for entry in 0..entries.len() {
                let value = values.is_valid(entry).then(|| values.value(entry).to_vec());
                headers.push((names.value(entry).to_string(), value));
            }
        }
        Ok(Beside { timestamp_ms, headers })
    }

    /// Records have no time before 1970, and the client takes its first millisecond for none.
    fn sendable(&self, time_ms: i64) -> Result<i64> {
        match time_ms > 0 {
            true => Ok(time_ms),
            false => Err(Problem {
                kind: ProblemKind::ExpressionFailed,
                object: self.table.clone(),
                message: format!("{time_ms} ms since 1970 cannot be a record's `timestamp`"),
                remedy: "write a later time, or NULL for the time of sending".into(),
            }),
        }
    }
}

/// Where records go; without a partition, by their key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub topic: String,
    pub partition: Option<i32>,
}

/// A record for the client, with a number for its acknowledgement.
pub fn record<'a>(
    target: &'a Target,
    opaque: usize,
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
    beside: &Beside,
) -> BaseRecord<'a, [u8], [u8], usize> {
    let mut record = BaseRecord::with_opaque_to(&target.topic, opaque);
    record.partition = target.partition;
    (record.key, record.payload, record.timestamp) = (key, value, beside.timestamp_ms);
    if !beside.headers.is_empty() {
        let empty = OwnedHeaders::new_with_capacity(beside.headers.len());
        let headers = beside
            .headers
            .iter()
            .fold(empty, |headers, (key, value)| headers.insert(Header { key, value: value.as_ref() }));
        record.headers = Some(headers);
    }
    record
}
