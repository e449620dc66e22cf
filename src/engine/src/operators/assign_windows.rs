//! Rows with the windows that their time falls into behind their columns.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{cast, take};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use tidemill_plan::AssignWindows;

use super::window::time::{PaneClock, Slice};
use super::window::{check_time, times};
use super::{Built, Spec, reason};
use crate::element::Element;
use crate::operator::{Output, Result, StreamOperator};

/// Runs an [`AssignWindows`].
pub struct AssignWindowsOperator {
    uid: String,
    panes: PaneClock,
    time_column: usize,
    /// The input's columns, without that of the change.
    columns: usize,
    schema: SchemaRef,
}

impl AssignWindowsOperator {
    pub fn build(node: &AssignWindows, spec: &Spec<'_>) -> Built {
        let input = spec.inputs.first().ok_or("it has no input")?;
        check_time(&input.schema, node.time_column).map_err(|error| reason(&error))?;
        let (columns, schema) = (input.schema.fields().len(), spec.node.batch_schema());
        if schema.fields().len() != input.batch_schema().fields().len() + 3 {
            return Err("its schema is not its input's and the window's".to_string());
        }
        let panes = PaneClock::new(node.window).ok_or("a session is not known before it is over")?;
        let (uid, time_column) = (spec.node.uid.clone(), node.time_column);
        Ok(Box::new(Self { uid, panes, time_column, columns, schema }))
    }

    /// The rows and their windows, a pair each.
    fn assigned(&self, times: &[i64]) -> (Vec<u32>, Vec<Slice>) {
        let (mut rows, mut windows) = (Vec::with_capacity(times.len()), Vec::with_capacity(times.len()));
        // Rows that follow each other mostly fall into the same windows.
        let mut known: Option<(Slice, Vec<Slice>)> = None;
        for (row, time) in times.iter().enumerate() {
            let pane = self.panes.pane_of(*time);
            let (_, found) = match known.take() {
                Some(same) if same.0 == pane => known.insert(same),
                Some(_) | None => known.insert((pane, self.panes.windows(pane).into_iter().collect())),
            };
            rows.extend(std::iter::repeat_n(row as u32, found.len()));
            windows.extend_from_slice(found);
        }
        (rows, windows)
    }

    fn widened(&self, rows: &RecordBatch, times: &[i64]) -> std::result::Result<RecordBatch, ArrowError> {
        let (places, windows) = self.assigned(times);
        let is_same = places.len() == times.len();
        let places = UInt32Array::from(places);
        let mut columns: Vec<ArrayRef> = rows
            .columns()
            .iter()
            .map(|column| if is_same { Ok(column.clone()) } else { take(column, &places, None) })
            .collect::<std::result::Result<_, _>>()?;
        let changes = columns.split_off(self.columns);
        let parts: [fn(&Slice) -> i64; 3] = [|window| window.start, |window| window.end, |window| window.end - 1];
        for time in parts {
            let times: ArrayRef = Arc::new(Int64Array::from_iter_values(windows.iter().map(time)));
            columns.push(cast(&times, self.schema.field(columns.len()).data_type())?);
        }
        columns.extend(changes);
        let options = RecordBatchOptions::new().with_row_count(Some(windows.len()));
        RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)
    }
}

impl StreamOperator for AssignWindowsOperator {
    fn on_batch(&mut self, _input: usize, rows: RecordBatch, output: &mut Output) -> Result<()> {
        let times = times(&self.uid, &rows, self.time_column)?;
        let rows = self.widened(&rows, &times)?;
        output.push(Element::Batch(rows));
        Ok(())
    }
}
