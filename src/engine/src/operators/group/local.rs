//! The first half of an aggregation of groups between threads: aggregates an epoch's rows where they are read, so that
//! only one row per group and epoch is exchanged. It holds nothing beyond an epoch and so has no state to capture.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;

use crate::accumulator::{Aggregates, BuildError, KeyedSpec, Which};
use crate::element::Element;
use crate::groups::GroupTable;
use crate::hash::hash_rows;
use crate::operator::{Output, Result, StreamOperator};

/// Groups that are put out without waiting for the epoch's end: more would not stay in the processor's cache.
const GROUPS: usize = 1 << 16;

/// See the module. Its output's columns are the keys, then the states.
pub struct LocalGroupAggregate {
    keyed: KeyedSpec,
    groups: GroupTable,
    aggregates: Aggregates,
    schema: SchemaRef,
    hashes: Vec<u64>,
    places: Vec<u32>,
}

impl LocalGroupAggregate {
    pub fn new(keyed: KeyedSpec) -> std::result::Result<Self, BuildError> {
        let schema = Arc::new(Schema::new(keyed.keyed_fields()?));
        let (groups, aggregates) = (keyed.groups()?, keyed.aggregates()?);
        Ok(Self { keyed, groups, aggregates, schema, hashes: Vec::new(), places: Vec::new() })
    }

    fn take_in(&mut self, rows: &RecordBatch) -> std::result::Result<(), ArrowError> {
        let keys: Vec<ArrayRef> = self.keyed.keys.iter().map(|key| rows.column(*key).clone()).collect();
        hash_rows(&keys, rows.num_rows(), &mut self.hashes);
        self.groups.intern(&keys, &self.hashes, &mut self.places)?;
        self.aggregates.update(&self.places, self.groups.len(), rows.columns(), None)
    }

    fn put_out(&mut self, output: &mut Output) -> std::result::Result<(), ArrowError> {
        if self.groups.len() == 0 {
            return Ok(());
        }
        let mut columns = self.groups.columns()?;
        columns.extend(self.aggregates.states(Which::All)?);
        let options = RecordBatchOptions::new().with_row_count(Some(self.groups.len()));
        let rows = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?;
        output.push(Element::Batch(rows));
        self.groups = self.keyed.groups()?;
        self.aggregates = self.keyed.aggregates().map_err(|error| ArrowError::ComputeError(error.to_string()))?;
        Ok(())
    }
}

impl StreamOperator for LocalGroupAggregate {
    fn on_batch(&mut self, _input: usize, rows: RecordBatch, output: &mut Output) -> Result<()> {
        self.take_in(&rows)?;
        match self.groups.len() {
            0..GROUPS => Ok(()),
            _ => Ok(self.put_out(output)?),
        }
    }

    fn on_epoch_end(&mut self, _now_ms: i64, output: &mut Output) -> Result<()> {
        Ok(self.put_out(output)?)
    }

    fn holds_rows(&self) -> bool {
        self.groups.len() > 0
    }

    fn state_bytes(&self) -> u64 {
        (self.groups.bytes() + self.aggregates.bytes()) as u64
    }
}
