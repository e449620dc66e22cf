//! Stages rows as lines of JSON or CSV.

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use arrow_schema::SchemaRef;
use tidemill_engine::connector::{Prepared, Result, SinkStats, SinkWriter};
use tidemill_model::CheckpointId;
use tidemill_model::status::{Problem, ProblemKind};

use crate::formats::csv::{CsvEncoder, CsvOptions};
use crate::formats::json::{JsonOptions, encoder::Encoder};

/// Staged bytes that are handed over as a chunk.
const CHUNK_BYTES: usize = 4 << 20;

/// How a row becomes a line.
#[derive(Clone, Debug)]
pub enum Lines {
    Json(JsonOptions),
    Csv(CsvOptions),
}

impl Lines {
    /// The end of a file's name.
    pub fn extension(&self) -> &'static str {
        match self {
            Self::Json(_) => "json",
            Self::Csv(_) => "csv",
        }
    }
}

enum LineEncoder {
    Json(Encoder),
    Csv(CsvEncoder),
}

impl LineEncoder {
    fn write(&self, rows: &RecordBatch, out: &mut Vec<u8>) -> std::result::Result<(), ArrowError> {
        let mut each = |write: &mut dyn FnMut(usize, &mut Vec<u8>)| {
            for row in 0..rows.num_rows() {
                write(row, out);
                out.push(b'\n');
            }
        };
        match self {
            Self::Json(encoder) => {
                let mut encoded = encoder.rows(rows)?;
                each(&mut |row, out| encoded.write(row, out));
            }
            Self::Csv(encoder) => {
                let mut encoded = encoder.rows(rows)?;
                each(&mut |row, out| encoded.write(row, out));
            }
        }
        Ok(())
    }
}

pub struct LinesWriter {
    table: String,
    encoder: LineEncoder,
    staged: Vec<u8>,
    stats: SinkStats,
}

impl LinesWriter {
    pub fn new(table: String, schema: &SchemaRef, lines: Lines) -> Self {
        let columns = (0..schema.fields().len()).collect();
        let encoder = match lines {
            Lines::Json(options) => LineEncoder::Json(Encoder::new(schema, columns, options)),
            Lines::Csv(options) => LineEncoder::Csv(CsvEncoder::new(columns, options)),
        };
        Self { table, encoder, staged: Vec::new(), stats: SinkStats::default() }
    }
}

impl SinkWriter for LinesWriter {
    fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        let before = self.staged.len();
        self.encoder.write(rows, &mut self.staged).map_err(|error| Problem {
            kind: ProblemKind::Internal,
            object: self.table.clone(),
            message: format!("failed to encode rows: {error}"),
            remedy: "please report this with the table's columns".into(),
        })?;
        self.stats.records += rows.num_rows() as u64;
        self.stats.bytes += (self.staged.len() - before) as u64;
        Ok(())
    }

    fn take_staged(&mut self) -> Option<Vec<u8>> {
        (self.staged.len() >= CHUNK_BYTES).then(|| std::mem::take(&mut self.staged))
    }

    fn prepare(&mut self, _: CheckpointId) -> Result<Prepared> {
        Ok(Prepared::Staged(std::mem::take(&mut self.staged)))
    }

    fn stats(&self) -> SinkStats {
        self.stats.clone()
    }
}
