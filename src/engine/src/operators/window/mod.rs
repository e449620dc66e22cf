//! Window aggregation: each key's rows, aggregated in windows of event or processing time.
//!
//! Time is divided into panes, the longest slices that every window is made of (a tumbling window is one pane; a
//! hopping one is `size / slide` of them), and a row is aggregated once, into its pane. When a window is due, its
//! panes are merged. Between threads the work is split in two: [`LocalWindowAggregate`] aggregates each epoch's rows
//! before they are exchanged, [`WindowAggregateOperator`] owns the keys' state and puts windows out. Sessions have no
//! panes and an operator of their own, [`SessionAggregate`], and so have windows that are put out more than once,
//! [`FiringWindows`].

mod aggregate;
mod firing;
mod local;
mod pane;
mod panes;
mod session;
mod sessions;
mod spec;
mod state;
pub(super) mod time;

pub use aggregate::{Intake, WindowAggregateOperator};
pub use firing::FiringWindows;
pub use local::LocalWindowAggregate;
pub(super) use panes::times;
pub use session::SessionAggregate;
pub(super) use spec::check_time;
pub use spec::{AggregateSpec, BuildError};

use tidemill_plan::{AggregateCall, AggregateFunction, Window, WindowAggregate, Windows};

use super::{Built, Spec, reason};
use crate::operator::StreamOperator;
use crate::stages::Part;

/// Whether rows can be aggregated before they change threads.
pub fn has_local_part(aggregate: &WindowAggregate) -> bool {
    let loses_order =
        |call: &AggregateCall| call.distinct && matches!(call.function, AggregateFunction::ListAgg { .. });
    let is_session = matches!(aggregate.windows, Windows::Of { window: Window::Session { .. }, .. });
    !is_session && !aggregate.aggregates.iter().any(loses_order)
}

/// The operator of a window aggregation.
pub fn build(aggregate: &WindowAggregate, spec: &Spec<'_>) -> Built {
    if let Windows::Of { window: Window::Session { gap_ms }, time_column, clock } = aggregate.windows {
        let operator = SessionAggregate::new(spec, aggregate, (gap_ms, time_column, clock));
        return Ok(Box::new(operator.map_err(|error| reason(&error))?));
    }
    let input = &spec.inputs.first().ok_or("it has no input")?.schema;
    let checked = AggregateSpec::new(&spec.node.uid, aggregate, input, spec.node.schema.clone());
    let intake = match spec.part {
        Part::Local => {
            let local = checked.and_then(LocalWindowAggregate::new).map_err(|error| reason(&error))?;
            return Ok(Box::new(local));
        }
        Part::Whole => Intake::Rows,
        Part::Global => Intake::Partials,
    };
    let operator = checked.and_then(|checked| -> Result<Box<dyn StreamOperator>, BuildError> {
        Ok(match aggregate.firing {
            Some(firing) => Box::new(FiringWindows::new(checked, firing, intake, spec)?),
            None => Box::new(WindowAggregateOperator::new(checked, intake, spec.owned)?),
        })
    });
    operator.map_err(|error| reason(&error))
}
