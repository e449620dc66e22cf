//! The first half of a window aggregation between threads: aggregates an epoch's rows where they are read, so that
//! only one row per key, pane and epoch is exchanged. It holds nothing beyond an epoch and so has no state to capture.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::pane::{AggregateSpec, BuildError, PaneSet};
use crate::element::Element;
use crate::operator::{Output, Result, StreamOperator, internal};

/// See the module. Its output's first two columns are the pane's start and the number of rows; then come the keys.
pub struct LocalWindowAggregate {
    panes: PaneSet,
    schema: SchemaRef,
}

impl LocalWindowAggregate {
    pub fn new(spec: AggregateSpec) -> std::result::Result<Self, BuildError> {
        let spec = spec.counting_rows();
        let mut fields = vec![Field::new("pane", DataType::Int64, false), Field::new("rows", DataType::Int64, false)];
        fields.extend(spec.keyed_fields()?);
        Ok(Self { panes: PaneSet::new(spec), schema: Arc::new(Schema::new(fields)) })
    }

    /// The places of the key columns in the output.
    pub fn key_places(&self) -> Vec<usize> {
        (2..2 + self.panes.spec.key_count()).collect()
    }
}

impl StreamOperator for LocalWindowAggregate {
    fn on_batch(&mut self, _input: usize, rows: RecordBatch, _output: &mut Output) -> Result<()> {
        // What is late is for the other half to say: it sees the watermarks of all threads.
        self.panes.update(&rows, |_| false)?;
        Ok(())
    }

    fn on_epoch_end(&mut self, _now_ms: i64, output: &mut Output) -> Result<()> {
        for (start, pane) in std::mem::take(&mut self.panes.panes) {
            let rows = self
                .panes
                .partial(start, &pane)
                .and_then(|columns| RecordBatch::try_new(self.schema.clone(), columns))
                .map_err(|error| internal(&self.panes.spec.uid, error))?;
            output.push(Element::Batch(rows));
        }
        Ok(())
    }

    fn state_bytes(&self) -> u64 {
        self.panes.bytes() as u64
    }
}
