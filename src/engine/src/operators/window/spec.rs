//! A window aggregation, checked against its input's columns.

use arrow::datatypes::{DataType, Schema, SchemaRef, TimeUnit};
use tidemill_plan::{AggregateFunction, Clock, WindowAggregate, WindowOutput, Windows};

use super::time::PaneClock;
use crate::accumulator::{self, Call, Input, KeyedSpec};

/// See the module.
#[derive(Clone)]
pub struct AggregateSpec {
    pub(super) uid: String,
    pub(super) panes: PaneClock,
    pub(super) clock: Clock,
    pub(super) times: Times,
    pub(super) keyed: KeyedSpec,
    /// The call whose state counts rows, if the aggregation was made by [`AggregateSpec::counting_rows`].
    pub(super) rows_call: Option<usize>,
    pub(super) output: Vec<WindowOutput>,
    pub(super) schema: SchemaRef,
}

/// The input columns that tell which windows a row is in.
#[derive(Clone, Copy)]
pub(super) enum Times {
    At(usize),
    Window { start: usize, end: usize },
}

/// Why a window aggregation cannot be run. It means that planner and engine disagree.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error(transparent)]
    Keyed(#[from] accumulator::BuildError),
    #[error("column {0}, which windows go by, is no TIMESTAMP of milliseconds")]
    TimeColumn(usize),
    #[error("a session has no panes")]
    Session,
}

impl AggregateSpec {
    pub fn new(uid: &str, node: &WindowAggregate, input: &Schema, schema: SchemaRef) -> Result<Self, BuildError> {
        let (panes, clock, times) = match node.windows {
            Windows::Of { window, time_column, clock } => {
                check_time(input, time_column)?;
                (PaneClock::new(window).ok_or(BuildError::Session)?, clock, Times::At(time_column))
            }
            Windows::Attached { start, end, clock } => {
                check_time(input, start)?;
                check_time(input, end)?;
                (PaneClock::Given, clock, Times::Window { start, end })
            }
        };
        let keyed = KeyedSpec::new(&node.keys, &node.aggregates, input, &schema, Input::Append)?;
        let (uid, output) = (uid.to_string(), node.output.clone());
        Ok(Self { uid, panes, clock, times, keyed, rows_call: None, output, schema })
    }

    /// The same aggregation, with a count of rows behind its states: what the local half computes, so that the other
    /// half can tell how many rows a late partial result stands for.
    pub fn counting_rows(mut self) -> Self {
        let counts_rows =
            |call: &Call| call.function == AggregateFunction::Count && call.argument.is_none() && call.filter.is_none();
        self.rows_call = Some(self.keyed.calls.iter().position(counts_rows).unwrap_or_else(|| {
            self.keyed.calls.push(Call {
                function: AggregateFunction::Count,
                argument: None,
                filter: None,
                distinct: false,
                result: DataType::Int64,
            });
            self.keyed.calls.len() - 1
        }));
        self
    }

    /// Names everything that captured state depends on.
    pub(super) fn layout(&self) -> String {
        format!("window-aggregate/3 window={} {}", self.panes.layout(), self.keyed.layout())
    }

    pub(super) fn key_count(&self) -> usize {
        self.keyed.keys.len()
    }
}

/// Whether windows can go by this column.
pub fn check_time(input: &Schema, place: usize) -> Result<(), BuildError> {
    match input.fields().get(place).map(|field| field.data_type()) {
        Some(DataType::Timestamp(TimeUnit::Millisecond, _)) => Ok(()),
        Some(_) | None => Err(BuildError::TimeColumn(place)),
    }
}
