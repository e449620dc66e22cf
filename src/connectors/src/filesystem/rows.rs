//! The rows of a file, batch by batch, from any place where a record begins. Blocks while it reads.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow_schema::SchemaRef;
use tidemill_engine::connector::Result;
use tidemill_model::status::{Problem, ProblemKind};
use tidemill_plan::Table;

use super::files::{File, Files};
use super::metadata::{About, FileColumns};
use super::options::FileFormat;
use super::partitions::Partitioning;
use super::records::{Quoting, records};
use crate::formats::csv::{self, CsvDecoder};
use crate::formats::json::decoder::{BadMessage, Decoder};
use crate::formats::raw;
use crate::options::invalid;

/// Bytes that are read at once.
const PIECE_BYTES: u64 = 4 << 20;
/// Rows of a batch.
const BATCH_ROWS: usize = 8192;

/// Makes decoders for the files of a table.
#[derive(Clone)]
pub struct Reading {
    pub table: Table,
    /// The columns that are wanted.
    pub schema: SchemaRef,
    pub format: FileFormat,
    pub partitioning: Partitioning,
    pub told: FileColumns,
}

enum RowDecoder {
    Json(Decoder),
    Csv(CsvDecoder),
    Raw(SchemaRef),
}

impl Reading {
    /// Refuses columns that the format has no form for.
    pub fn check(&self) -> Result<()> {
        self.decoder().map(drop)
    }

    fn decoder(&self) -> Result<RowDecoder> {
        let table = &self.table;
        let mut stored = self.partitioning.stored(&self.schema);
        stored.retain(|place| !self.told.contain(self.schema.field(*place).name()));
        let schema = Arc::new(self.schema.project(&stored).map_err(|error| {
            let message = format!("its columns cannot be told apart: {error}");
            invalid(table, message, "please report this with the table's columns")
        })?);
        Ok(match &self.format {
            FileFormat::Json(options) => RowDecoder::Json(Decoder::new(table, schema, *options, BATCH_ROWS)?),
            FileFormat::Csv(options) => {
                csv::check(table, &schema)?;
                RowDecoder::Csv(CsvDecoder::new(table, schema, options.clone(), BATCH_ROWS)?)
            }
            FileFormat::Raw => {
                raw::check(table, &schema)?;
                RowDecoder::Raw(schema)
            }
        })
    }
}

impl RowDecoder {
    fn decode<'m>(
        &mut self,
        records: impl Iterator<Item = &'m [u8]> + Clone,
    ) -> std::result::Result<RecordBatch, BadMessage> {
        match self {
            Self::Json(decoder) => decoder.decode(records),
            Self::Csv(decoder) => decoder.decode(records),
            Self::Raw(schema) => raw::decode(schema, records.map(|record| Some(without_end(record)))),
        }
    }

    fn undecodable(&self) -> u64 {
        match self {
            Self::Json(decoder) => decoder.undecodable(),
            Self::Csv(decoder) => decoder.undecodable(),
            Self::Raw(_) => 0,
        }
    }
}

/// A line without its end.
fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// A file being read.
pub struct FileRows {
    files: Arc<Files>,
    file: File,
    /// The file's folder, below the table's path.
    folder: String,
    schema: SchemaRef,
    partitioning: Partitioning,
    told: FileColumns,
    about: About,
    decoder: RowDecoder,
    quoting: Option<Quoting>,
    /// What has been read and not yet decoded, and where in the file it begins.
    bytes: Vec<u8>,
    at: u64,
    /// The records in it that are whole.
    records: Vec<Range<usize>>,
    next: usize,
}

/// Rows, and where the file goes on behind them.
pub struct Piece {
    pub rows: RecordBatch,
    pub position: u64,
}

impl FileRows {
    /// Begins at this byte, which must be a record's first.
    pub fn new(reading: &Reading, files: Arc<Files>, file: File, position: u64) -> Result<Self> {
        let below = files.below(&file.path);
        Ok(Self {
            folder: below.rsplit_once('/').map_or(String::new(), |(folder, _)| folder.to_string()),
            schema: reading.schema.clone(),
            partitioning: reading.partitioning.clone(),
            about: files.about(&file, reading.told.have_times())?,
            told: reading.told.clone(),
            files,
            file,
            decoder: reading.decoder()?,
            quoting: Quoting::of(&reading.format),
            bytes: Vec::new(),
            at: position,
            records: Vec::new(),
            next: 0,
        })
    }

    pub fn undecodable(&self) -> u64 {
        self.decoder.undecodable()
    }

    /// The next rows; none at the end of the file.
    pub fn next(&mut self) -> Result<Option<Piece>> {
        while self.next == self.records.len() {
            if !self.read_on()? {
                return Ok(None);
            }
        }
        let end = self.records.len().min(self.next + BATCH_ROWS);
        let taken = &self.records[self.next..end];
        let bytes = &self.bytes;
        let rows = self.decoder.decode(taken.iter().map(|range| &bytes[range.clone()]));
        let rows = rows.map_err(|bad| undecodable(&self.files, &self.file, self.at, taken, &bad))?;
        let rows = self.told.beside(&rows, &self.about).and_then(|rows| {
            // Partition columns come out of the folder's name.
            self.partitioning.completed(&rows, &self.schema, &self.folder)
        });
        let rows = rows.map_err(|error| Problem {
            kind: ProblemKind::UndecodableRecord,
            object: self.files.table().to_string(),
            message: format!("the folder of `{}` does not fit the table: {error}", self.file.path),
            remedy: "correct the folder's name, or the type of the column".to_string(),
        })?;
        let position = self.at + taken.last().map_or(0, |range| range.end) as u64;
        self.next = end;
        Ok(Some(Piece { rows, position }))
    }

    /// Reads until there is a whole record, or the file ends; whether there is more to decode.
    fn read_on(&mut self) -> Result<bool> {
        let decoded = self.records.last().map_or(0, |range| range.end);
        self.bytes.drain(..decoded);
        self.at += decoded as u64;
        (self.records, self.next) = (Vec::new(), 0);
        let from = self.at + self.bytes.len() as u64;
        let piece = self.files.read(&self.file, from..from + PIECE_BYTES)?;
        self.bytes.extend_from_slice(&piece);
        let ends_here = self.at + self.bytes.len() as u64 >= self.file.bytes;
        self.records = records(&self.bytes, self.quoting, ends_here);
        Ok(!piece.is_empty() || !self.records.is_empty())
    }
}

fn undecodable(files: &Files, file: &File, at: u64, taken: &[Range<usize>], bad: &BadMessage) -> Problem {
    let byte = at + taken.get(bad.index).map_or(0, |range| range.start) as u64;
    Problem {
        kind: ProblemKind::UndecodableRecord,
        object: files.table().to_string(),
        message: format!("the record at byte {byte} of `{}` cannot be decoded: {}", file.path, bad.reason),
        remedy: "correct the file, or set the format's option `ignore-parse-errors`".to_string(),
    }
}
