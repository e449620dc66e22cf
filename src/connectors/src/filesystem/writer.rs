//! Stages rows as lines.

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use arrow_schema::SchemaRef;
use tidemill_engine::connector::{Prepared, Result, SinkStats, SinkWriter};
use tidemill_model::CheckpointId;
use tidemill_model::status::{Problem, ProblemKind};

use super::options::FileFormat;
use crate::formats::csv::CsvEncoder;
use crate::formats::json::encoder::Encoder;
use crate::formats::raw;

/// Staged bytes that are handed over as a chunk.
const CHUNK_BYTES: usize = 4 << 20;

enum LineEncoder {
    Json(Encoder),
    Csv(CsvEncoder),
    Raw,
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
            // A row of NULL is an empty line.
            Self::Raw => each(&mut |row, out| out.extend_from_slice(raw::value(rows, row).unwrap_or_default())),
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
    pub fn new(table: String, schema: &SchemaRef, format: FileFormat) -> Self {
        let columns = (0..schema.fields().len()).collect();
        let encoder = match format {
            FileFormat::Json(options) => LineEncoder::Json(Encoder::new(schema, columns, options)),
            FileFormat::Csv(options) => LineEncoder::Csv(CsvEncoder::new(columns, options)),
            FileFormat::Raw => LineEncoder::Raw,
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
