//! A sink that counts rows and throws them away, for benchmarks.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow_schema::SchemaRef;
use tidemill_engine::connector::{
    Committer, Connector, Prepared, Result, Sink, SinkStats, SinkWriter, Source, TaskContext,
};
use tidemill_model::CheckpointId;
use tidemill_plan::Table;

use crate::options::{Options, wrong_direction};

pub struct Blackhole;

impl Connector for Blackhole {
    fn source(&self, table: &Table, _: SchemaRef, _: &TaskContext) -> Result<Arc<dyn Source>> {
        Err(wrong_direction(table, "written", "read"))
    }

    fn sink(&self, table: &Table, _: SchemaRef, _: &TaskContext) -> Result<Arc<dyn Sink>> {
        Options::new(table).finish()?;
        Ok(Arc::new(BlackholeSink))
    }
}

struct BlackholeSink;

impl Sink for BlackholeSink {
    fn writer(&self, _: u32) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(BlackholeWriter::default()))
    }

    fn committer(&self, _: u32) -> Result<Option<Box<dyn Committer>>> {
        Ok(None)
    }
}

#[derive(Default)]
struct BlackholeWriter {
    stats: SinkStats,
}

impl SinkWriter for BlackholeWriter {
    fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        self.stats.records += rows.num_rows() as u64;
        Ok(())
    }

    fn prepare(&mut self, _: CheckpointId) -> Result<Prepared> {
        Ok(Prepared::Done)
    }

    fn stats(&self) -> SinkStats {
        self.stats.clone()
    }
}
