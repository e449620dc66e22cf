//! Stages rows as JSON lines.

use arrow::array::RecordBatch;
use arrow_schema::SchemaRef;
use tidemill_engine::connector::{Prepared, Result, SinkStats, SinkWriter};
use tidemill_model::CheckpointId;
use tidemill_model::status::{Problem, ProblemKind};

use crate::formats::json::{JsonOptions, encoder::Encoder};

/// Staged bytes that are handed over as a chunk.
const CHUNK_BYTES: usize = 4 << 20;

pub struct JsonLinesWriter {
    table: String,
    encoder: Encoder,
    staged: Vec<u8>,
    stats: SinkStats,
}

impl JsonLinesWriter {
    pub fn new(table: String, schema: &SchemaRef, options: JsonOptions) -> Self {
        let encoder = Encoder::new(schema, (0..schema.fields().len()).collect(), options);
        Self { table, encoder, staged: Vec::new(), stats: SinkStats::default() }
    }
}

impl SinkWriter for JsonLinesWriter {
    fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        let before = self.staged.len();
        let mut encoded = self.encoder.rows(rows).map_err(|error| Problem {
            kind: ProblemKind::Internal,
            object: self.table.clone(),
            message: format!("failed to encode rows: {error}"),
            remedy: "please report this with the table's columns".into(),
        })?;
        for row in 0..rows.num_rows() {
            encoded.write(row, &mut self.staged);
            self.staged.push(b'\n');
        }
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
