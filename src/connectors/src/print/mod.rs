//! A sink that prints every row, for trying things out: `views> +I[/page/1, 42, 2026-01-02T03:04:05.678]`.
//!
//! Known as `print` (Flink's name) and `log`. Rows go to standard error, or to wherever [`redirect`] says. Options:
//! `print-identifier` (default: the table's name) stands before each row; `standard-error` may only be `true`, because
//! a worker's standard output belongs to the worker.
//!
//! Writing to a slow terminal slows the application: this is no sink for production.

pub(crate) mod text;

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow_schema::SchemaRef;
use tidemill_engine::connector::{
    Committer, Connector, Prepared, Result, Sink, SinkStats, SinkWriter, Source, TaskContext,
};
use tidemill_model::CheckpointId;
use tidemill_model::status::{Problem, ProblemKind};
use tidemill_plan::Table;

use crate::options::{Options, wrong_direction};

type Output = Box<dyn Write + Send>;

/// Where rows go instead of standard error.
static REDIRECTED: Mutex<Option<Output>> = Mutex::new(None);

/// Sends the rows of all print tables of this process there, whole lines at a time. None is standard error again.
pub fn redirect(output: Option<Output>) {
    *REDIRECTED.lock().unwrap_or_else(PoisonError::into_inner) = output;
}

pub struct Print;

impl Connector for Print {
    fn source(&self, table: &Table, _: SchemaRef, _: &TaskContext) -> Result<Arc<dyn Source>> {
        Err(wrong_direction(table, "written", "read"))
    }

    fn sink(&self, table: &Table, _: SchemaRef, _: &TaskContext) -> Result<Arc<dyn Sink>> {
        let options = Options::new(table);
        let name = options.optional("print-identifier").unwrap_or(&table.name).to_string();
        options.choice("standard-error", &[("true", ())])?;
        options.finish()?;
        Ok(Arc::new(PrintSink { table: table.name.clone(), name }))
    }
}

struct PrintSink {
    table: String,
    name: String,
}

impl Sink for PrintSink {
    fn writer(&self, _: u32) -> Result<Box<dyn SinkWriter>> {
        let writer = PrintWriter { table: self.table.clone(), name: self.name.clone(), stats: SinkStats::default() };
        Ok(Box::new(writer))
    }

    fn committer(&self, _: u32) -> Result<Option<Box<dyn Committer>>> {
        Ok(None)
    }
}

struct PrintWriter {
    table: String,
    name: String,
    stats: SinkStats,
}

impl SinkWriter for PrintWriter {
    fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        let lines = text::lines(&self.name, rows).map_err(|error| Problem {
            kind: ProblemKind::Internal,
            object: self.table.clone(),
            message: format!("failed to turn rows into text: {error}"),
            remedy: "please report this with the table's columns".into(),
        })?;
        print(lines.as_bytes());
        self.stats.records += rows.num_rows() as u64;
        self.stats.bytes += lines.len() as u64;
        Ok(())
    }

    fn prepare(&mut self, _: CheckpointId) -> Result<Prepared> {
        Ok(Prepared::Done)
    }

    fn stats(&self) -> SinkStats {
        self.stats.clone()
    }
}

/// A reader that is gone (a closed pipe) is no reason to stop the application.
fn print(lines: &[u8]) {
    let mut redirected = REDIRECTED.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = match redirected.as_mut() {
        Some(output) => output.write_all(lines).and_then(|()| output.flush()),
        None => std::io::stderr().lock().write_all(lines),
    };
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use arrow::array::{ArrayRef, Int64Array};

    use super::*;

    struct Channel(mpsc::Sender<Vec<u8>>);

    impl Write for Channel {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(std::io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn rows_go_where_they_are_redirected() {
        let table =
            Table { name: "out".into(), connector: "log".into(), options: Default::default(), ..Default::default() };
        let context = TaskContext {
            application: "a/b".into(),
            application_uid: "u".into(),
            operator: "o".into(),
            parallelism: 1,
            changelog: Default::default(),
        };
        let batch = RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef)]).unwrap();
        let sink = Print.sink(&table, batch.schema(), &context).unwrap();
        let (sender, receiver) = mpsc::channel();
        redirect(Some(Box::new(Channel(sender))));
        let mut writer = sink.writer(0).unwrap();
        writer.write(&batch).unwrap();
        redirect(None);
        assert_eq!(receiver.recv().unwrap(), b"out> +I[1]\nout> +I[2]\n");
        assert_eq!(writer.stats().records, 2);
    }
}
