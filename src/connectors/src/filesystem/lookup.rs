//! All rows of a table's files, for looking up in.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use tidemill_engine::connector::{Lookup, Reload, Result};

use super::files::Files;
use super::rows::{FileRows, Reading};
use crate::lookup::LookupOptions;

/// How long to wait before loading is tried again, for the first time; each further time twice as long.
const PAUSE: Duration = Duration::from_millis(500);

pub struct FileLookup {
    pub files: Arc<Files>,
    pub reading: Reading,
    pub options: LookupOptions,
}

impl FileLookup {
    fn read_all(&self) -> Result<Vec<RecordBatch>> {
        let mut batches = Vec::new();
        let (mut bytes, mut undecodable) = (0, 0);
        for file in self.files.list_some()? {
            let mut rows = FileRows::new(&self.reading, self.files.clone(), file, 0)?;
            let mut read = 0;
            while let Some(piece) = rows.next()? {
                read = piece.position;
                batches.push(piece.rows);
            }
            bytes += read;
            undecodable += rows.undecodable();
        }
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        tracing::info!(table = self.files.table(), rows, bytes, undecodable, "table loaded to be looked up in");
        Ok(batches)
    }
}

impl Lookup for FileLookup {
    fn load(&self) -> Result<Vec<RecordBatch>> {
        let mut pause = PAUSE;
        for _ in 0..self.options.max_retries {
            if let Ok(batches) = self.read_all() {
                return Ok(batches);
            }
            std::thread::sleep(pause);
            pause *= 2;
        }
        self.read_all()
    }

    fn reload(&self) -> Option<Reload> {
        self.options.reload
    }
}
