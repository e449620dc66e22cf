//! The first half of a window aggregation between threads: aggregates an epoch's rows where they are read, so that
//! only one row per key, pane and epoch is exchanged. It holds nothing beyond an epoch and so has no state to capture.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::panes::PaneSet;
use super::spec::{AggregateSpec, BuildError};
use crate::element::Element;
use crate::operator::{Output, Result, StreamOperator};

/// See the module. Its output's first columns are the pane's end and start and the number of rows; then come the keys.
pub struct LocalWindowAggregate {
    panes: PaneSet,
    schema: SchemaRef,
}

impl LocalWindowAggregate {
    pub fn new(spec: AggregateSpec) -> std::result::Result<Self, BuildError> {
        let spec = spec.counting_rows();
        let mut fields: Vec<Field> =
            ["end", "start", "rows"].map(|name| Field::new(name, DataType::Int64, false)).into();
        fields.extend(spec.keyed.keyed_fields()?);
        Ok(Self { panes: PaneSet::new(spec), schema: Arc::new(Schema::new(fields)) })
    }
}

impl StreamOperator for LocalWindowAggregate {
    fn on_batch(&mut self, _input: usize, rows: RecordBatch, _output: &mut Output) -> Result<()> {
        // What is late is for the other half to say: it sees the watermarks of all threads.
        self.panes.update(&rows, i64::MIN)?;
        Ok(())
    }

    fn on_epoch_end(&mut self, _now_ms: i64, output: &mut Output) -> Result<()> {
        for (slice, pane) in std::mem::take(&mut self.panes.panes) {
            let rows = self
                .panes
                .partial(slice, &pane)
                .and_then(|columns| RecordBatch::try_new(self.schema.clone(), columns))?;
            output.push(Element::Batch(rows));
        }
        Ok(())
    }

    fn holds_rows(&self) -> bool {
        !self.panes.panes.is_empty()
    }

    fn state_bytes(&self) -> u64 {
        self.panes.bytes() as u64
    }
}
