//! Stages rows as lines: all together, or each folder's by themselves.
//!
//! What is staged of a table without folders is its lines. Of one with folders it is frames ([`crate::frames`]): a folder
//! and its lines, and at the end, without a key, the slot's [`Note`] if the table tells when folders are complete.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use arrow_schema::SchemaRef;
use tidemill_engine::connector::{Prepared, Result, SinkStats, SinkWriter};
use tidemill_engine::element::Watermark;
use tidemill_model::CheckpointId;
use tidemill_model::status::{Problem, ProblemKind};

use super::completion::Note;
use super::options::FileFormat;
use super::partitions::Partitioning;
use crate::formats::csv::CsvEncoder;
use crate::formats::json::encoder::Encoder;
use crate::formats::raw;
use crate::frames;

/// Staged bytes that are handed over as a chunk, unless files are to be smaller.
const CHUNK_BYTES: usize = 4 << 20;

enum LineEncoder {
    Json(Encoder),
    Csv(CsvEncoder),
    Raw,
}

impl LineEncoder {
    /// Appends each row's line to one of `outs`: to the one that `of` tells, or to the first.
    fn write(
        &self,
        rows: &RecordBatch,
        outs: &mut [Vec<u8>],
        of: Option<&[usize]>,
    ) -> std::result::Result<(), ArrowError> {
        let mut each = |write: &mut dyn FnMut(usize, &mut Vec<u8>)| {
            for row in 0..rows.num_rows() {
                let out = &mut outs[of.map_or(0, |of| of[row])];
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

/// How a writer stages.
pub struct Staging {
    pub partitioning: Partitioning,
    /// Whether the table tells when its folders are complete.
    pub has_notes: bool,
    /// Chunks need be no larger.
    pub file_bytes: u64,
    /// Milliseconds since 1970.
    pub clock: fn() -> i64,
}

pub struct LinesWriter {
    table: String,
    encoder: LineEncoder,
    staging: Staging,
    /// The lines of each folder. A table without folders has one, without a name.
    staged: BTreeMap<String, Vec<u8>>,
    bytes: usize,
    note: Note,
    stats: SinkStats,
}

impl LinesWriter {
    pub fn new(table: String, schema: &SchemaRef, format: FileFormat, staging: Staging) -> Self {
        let columns = staging.partitioning.stored(schema);
        let encoder = match format {
            FileFormat::Json(options) => LineEncoder::Json(Encoder::new(schema, columns, options)),
            FileFormat::Csv(options) => LineEncoder::Csv(CsvEncoder::new(columns, options)),
            FileFormat::Raw => LineEncoder::Raw,
        };
        let (staged, note, stats) = (BTreeMap::new(), Note::default(), SinkStats::default());
        Self { table, encoder, staging, staged, bytes: 0, note, stats }
    }

    fn stage(&mut self, rows: &RecordBatch) -> std::result::Result<(), ArrowError> {
        if self.staging.partitioning.is_none() {
            let lines = self.staged.entry(String::new()).or_default();
            return self.encoder.write(rows, std::slice::from_mut(lines), None);
        }
        let folders = self.staging.partitioning.folders(rows)?;
        let mut outs: Vec<Vec<u8>> =
            folders.names.iter().map(|name| self.staged.remove(name).unwrap_or_default()).collect();
        self.encoder.write(rows, &mut outs, Some(&folders.of))?;
        for (folder, lines) in folders.names.into_iter().zip(outs) {
            if self.staging.has_notes && !self.note.open.contains_key(&folder) {
                self.note.open.insert(folder.clone(), (self.staging.clock)());
            }
            // NULL and the empty text have one folder.
            self.staged.entry(folder).or_default().extend(lines);
        }
        Ok(())
    }

    fn take_lines(&mut self) -> Vec<u8> {
        self.bytes = 0;
        let staged = std::mem::take(&mut self.staged);
        if self.staging.partitioning.is_none() {
            return staged.into_values().next().unwrap_or_default();
        }
        let mut chunk = Vec::new();
        for (folder, lines) in staged {
            let write = |bytes: Vec<u8>| move |out: &mut Vec<u8>| out.extend_from_slice(&bytes);
            frames::append(&mut chunk, Some(write(folder.into_bytes())), Some(write(lines)));
        }
        chunk
    }
}

impl SinkWriter for LinesWriter {
    fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        let before: usize = self.bytes;
        self.stage(rows).map_err(|error| Problem {
            kind: ProblemKind::Internal,
            object: self.table.clone(),
            message: format!("failed to encode rows: {error}"),
            remedy: "please report this with the table's columns".into(),
        })?;
        self.bytes = self.staged.values().map(Vec::len).sum();
        self.stats.records += rows.num_rows() as u64;
        self.stats.bytes += (self.bytes - before) as u64;
        Ok(())
    }

    fn watermark(&mut self, watermark: Watermark) {
        self.note.reached = watermark.into();
    }

    fn take_staged(&mut self) -> Option<Vec<u8>> {
        let enough = CHUNK_BYTES.min(self.staging.file_bytes as usize);
        (self.bytes >= enough).then(|| self.take_lines())
    }

    fn prepare(&mut self, _: CheckpointId) -> Result<Prepared> {
        let mut chunk = self.take_lines();
        if self.staging.has_notes {
            let reached = self.note.reached;
            let note = std::mem::replace(&mut self.note, Note { reached, ..Note::default() });
            let text = serde_json::to_vec(&note).map_err(|error| Problem {
                kind: ProblemKind::Internal,
                object: self.table.clone(),
                message: format!("failed to write down which folders are open: {error}"),
                remedy: "please report this".into(),
            })?;
            let key: Option<fn(&mut Vec<u8>)> = None;
            frames::append(&mut chunk, key, Some(|out: &mut Vec<u8>| out.extend_from_slice(&text)));
        }
        Ok(Prepared::Staged(chunk))
    }

    fn stats(&self) -> SinkStats {
        self.stats.clone()
    }
}
