//! What Debezium's records tell of a change beside its rows: when it was captured, and where it comes from.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, MapBuilder, MapFieldNames, RecordBatch, StringArray, StringBuilder, TimestampMillisecondArray,
    UInt64Array,
};
use arrow::compute::take;
use arrow::datatypes::Int64Type;
use arrow::error::ArrowError;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use serde_json::{Map, Value};
use tidemill_engine::connector::Result as TableResult;
use tidemill_plan::Table;

use super::super::metadata::OF_FORMAT;
use crate::options::Options;

/// What a column has of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Schema,
    Captured,
    /// When the database made the change.
    Made,
    /// A text of this name of the record's `source`.
    Source(&'static str),
    Properties,
}

const KEYS: [(&str, Told); 7] = [
    ("schema", Told::Schema),
    ("ingestion-timestamp", Told::Captured),
    ("source.timestamp", Told::Made),
    ("source.database", Told::Source("db")),
    ("source.schema", Told::Source("schema")),
    ("source.table", Told::Source("table")),
    ("source.properties", Told::Properties),
];

/// Which columns are told by records instead of standing in their rows.
pub struct CapturedColumns {
    schema: SchemaRef,
    told: Vec<Option<Told>>,
}

/// Records as their decoder has taken them apart.
pub struct Taken<'a> {
    /// `source` as text and `ts_ms`, by these names.
    pub envelopes: &'a RecordBatch,
    /// For each envelope the text of the schema that it was wrapped with.
    pub schemas: Option<StringArray>,
}

/// The envelope that tells no such thing, and why.
#[derive(Debug)]
pub struct Untold {
    pub envelope: usize,
    pub reason: String,
}

impl CapturedColumns {
    pub fn new(table: &Table, schema: SchemaRef) -> TableResult<Self> {
        let told = schema.fields().iter().map(|field| {
            let Some(key) = table.metadata.get(field.name()) else { return Ok(None) };
            let of_format = key.strip_prefix(OF_FORMAT);
            match KEYS.iter().find(|(name, _)| Some(*name) == of_format) {
                Some((_, told)) => Ok(Some(*told)),
                None => Err(Options::new(table).unknown(key, "metadata", KEYS.iter().map(|(name, _)| *name))),
            }
        });
        let told = told.collect::<TableResult<_>>()?;
        Ok(Self { schema, told })
    }

    /// The columns that stand in the rows.
    pub fn stored(&self) -> SchemaRef {
        let fields = self.schema.fields().iter().zip(&self.told);
        let stored = fields.filter(|(_, told)| told.is_none()).map(|(field, _)| field.clone());
        Arc::new(Schema::new(stored.collect::<Vec<_>>()))
    }

    /// What has to be taken out of envelopes for them.
    pub fn fields(&self) -> Vec<Field> {
        let mut fields = Vec::new();
        if self.told.contains(&Some(Told::Captured)) {
            fields.push(Field::new("ts_ms", DataType::Int64, true));
        }
        if self.told.iter().flatten().any(|told| told.is_of_source()) {
            fields.push(Field::new("source", DataType::Utf8, true));
        }
        fields
    }

    pub fn have_schema(&self) -> bool {
        self.told.contains(&Some(Told::Schema))
    }

    /// All columns of the rows, of which each is of the envelope at its place in `of`.
    pub fn completed(&self, rows: &RecordBatch, taken: &Taken<'_>, of: &[usize]) -> Result<RecordBatch, Untold> {
        let failed = |error: ArrowError| Untold { envelope: 0, reason: error.to_string() };
        if self.told.iter().all(Option::is_none) {
            return Ok(rows.clone());
        }
        let sources = sources(taken)?;
        let of: UInt64Array = of.iter().map(|envelope| *envelope as u64).collect();
        let mut stored = rows.columns().iter();
        let mut columns = Vec::with_capacity(self.told.len());
        for told in &self.told {
            match told {
                None => columns.extend(stored.next().cloned()),
                Some(told) => {
                    let column = told.column(taken, &sources)?;
                    columns.push(take(&column, &of, None).map_err(failed)?);
                }
            }
        }
        RecordBatch::try_new(self.schema.clone(), columns).map_err(failed)
    }
}

type Source = Option<Map<String, Value>>;

/// The `source` of each envelope; none where it is missing.
fn sources(taken: &Taken<'_>) -> Result<Vec<Source>, Untold> {
    let Some(texts) = taken.envelopes.column_by_name("source") else { return Ok(Vec::new()) };
    let texts: &StringArray = texts.as_string();
    let parsed = texts.iter().enumerate().map(|(envelope, text)| {
        let parsed = text.map(serde_json::from_str).transpose();
        parsed.map_err(|error| Untold { envelope, reason: format!("its `source` is no object: {error}") })
    });
    parsed.collect()
}

/// A value as text, as Flink takes it; none for null.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

impl Told {
    fn is_of_source(self) -> bool {
        matches!(self, Self::Made | Self::Source(_) | Self::Properties)
    }

    fn column(self, taken: &Taken<'_>, sources: &[Source]) -> Result<ArrayRef, Untold> {
        let of_source = |source: &Source, name: &str| source.as_ref().and_then(|source| text(source.get(name)?));
        Ok(match self {
            Self::Schema => {
                let none = || StringArray::new_null(taken.envelopes.num_rows());
                Arc::new(taken.schemas.clone().unwrap_or_else(none))
            }
            Self::Captured => {
                let times = taken.envelopes.column_by_name("ts_ms").map(|times| times.as_primitive::<Int64Type>());
                times_of(times.into_iter().flatten())
            }
            Self::Made => {
                let times = sources.iter().enumerate().map(|(envelope, source)| {
                    let time = of_source(source, "ts_ms").map(|time| time.parse::<i64>()).transpose();
                    time.map_err(|error| Untold {
                        envelope,
                        reason: format!("the time of its `source` is none: {error}"),
                    })
                });
                times_of(times.collect::<Result<Vec<_>, _>>()?)
            }
            Self::Source(name) => {
                Arc::new(sources.iter().map(|source| of_source(source, name)).collect::<StringArray>())
            }
            Self::Properties => {
                properties(sources).map_err(|error| Untold { envelope: 0, reason: error.to_string() })?
            }
        })
    }
}

fn times_of(times: impl IntoIterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(times.into_iter().collect::<TimestampMillisecondArray>().with_timezone("UTC"))
}

fn properties(sources: &[Source]) -> Result<ArrayRef, ArrowError> {
    let names = MapFieldNames { entry: "entries".into(), key: "keys".into(), value: "values".into() };
    let mut maps = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
    for source in sources {
        for (name, value) in source.iter().flatten() {
            maps.keys().append_value(name);
            maps.values().append_option(text(value));
        }
        maps.append(source.is_some())?;
    }
    Ok(Arc::new(maps.finish()))
}
