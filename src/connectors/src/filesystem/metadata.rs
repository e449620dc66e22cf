//! Columns of metadata: what a file's rows tell of the file.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, StringArray, TimestampMillisecondArray};
use arrow::error::ArrowError;
use arrow_schema::{FieldRef, Schema, SchemaRef};
use tidemill_engine::connector::Result;
use tidemill_plan::Table;

use crate::options::Options;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Path,
    Name,
    Size,
    ModificationTime,
}

const KEYS: [(&str, Told); 4] = [
    ("file.path", Told::Path),
    ("file.name", Told::Name),
    ("file.size", Told::Size),
    ("file.modification-time", Told::ModificationTime),
];

/// The columns that tell of a row's file.
#[derive(Clone, Debug, Default)]
pub struct FileColumns(Vec<(FieldRef, Told)>);

/// What is told of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    pub path: String,
    pub bytes: u64,
    /// Milliseconds since 1970.
    pub modified_ms: i64,
}

impl FileColumns {
    pub fn new(table: &Table, schema: &SchemaRef) -> Result<Self> {
        let mut columns = Vec::new();
        for field in schema.fields() {
            let Some(key) = table.metadata.get(field.name()) else { continue };
            columns.push((field.clone(), Options::new(table).metadata(key, &KEYS)?));
        }
        Ok(Self(columns))
    }

    pub fn contain(&self, name: &str) -> bool {
        self.0.iter().any(|(field, _)| field.name() == name)
    }

    /// Whether a file's modification time is asked for.
    pub fn have_times(&self) -> bool {
        self.0.iter().any(|(_, told)| *told == Told::ModificationTime)
    }

    /// The rows with these columns behind their own.
    pub fn beside(&self, rows: &RecordBatch, file: &About) -> std::result::Result<RecordBatch, ArrowError> {
        let count = rows.num_rows();
        let own = rows.schema_ref().fields().iter().cloned();
        let fields: Vec<FieldRef> = own.chain(self.0.iter().map(|(field, _)| field.clone())).collect();
        let told = self.0.iter().map(|(_, told)| told.column(file, count));
        let columns = rows.columns().iter().cloned().chain(told).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
    }
}

impl Told {
    fn column(self, file: &About, rows: usize) -> ArrayRef {
        let text = |text: &str| Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, rows))) as ArrayRef;
        match self {
            Self::Path => text(&file.path),
            Self::Name => text(file.path.rsplit('/').next().unwrap_or_default()),
            Self::Size => Arc::new(Int64Array::from_value(file.bytes as i64, rows)),
            Self::ModificationTime => {
                Arc::new(TimestampMillisecondArray::from_value(file.modified_ms, rows).with_timezone("UTC"))
            }
        }
    }
}
