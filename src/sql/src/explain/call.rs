//! Calls of aggregates as text.

use arrow_schema::Schema;
use tidemill_plan::{AggregateCall, AggregateFunction, Expression};

use super::expression::{column, text};
use super::operator::listed;

pub(super) fn calls(calls: &[AggregateCall], input: &Schema) -> String {
    format!("aggregates: {}", listed(calls.iter().map(|aggregate| call(aggregate, input)).collect()))
}

fn call(call: &AggregateCall, input: &Schema) -> String {
    let distinct = if call.distinct { "DISTINCT " } else { "" };
    let argument = call.argument.map_or("*".to_string(), |place| column(place, input));
    let filter = call.filter.map(|place| format!(" FILTER (WHERE {})", column(place, input)));
    let more = parameters(&call.function);
    format!("{}({distinct}{argument}{more}){}", function(&call.function), filter.unwrap_or_default())
}

/// What a function is told beside its argument, where it is not what it is by default.
fn parameters(function: &AggregateFunction) -> String {
    match function {
        AggregateFunction::ListAgg { separator } if separator != "," => {
            format!(", '{}'", separator.replace('\'', "''"))
        }
        AggregateFunction::Percentile { fraction } => format!(", {fraction}"),
        AggregateFunction::Lag { offset, default: Some(default) } => {
            format!(", {}, {}", offset.abs(), text(&Expression::Literal(default.clone()), &Schema::empty()))
        }
        AggregateFunction::Lag { offset, default: None } if offset.abs() != 1 => format!(", {}", offset.abs()),
        _ => String::new(),
    }
}

pub(super) fn function(function: &AggregateFunction) -> &'static str {
    match function {
        AggregateFunction::Count => "COUNT",
        AggregateFunction::Sum => "SUM",
        AggregateFunction::Min => "MIN",
        AggregateFunction::Max => "MAX",
        AggregateFunction::Avg => "AVG",
        AggregateFunction::StddevPop => "STDDEV_POP",
        AggregateFunction::StddevSamp => "STDDEV_SAMP",
        AggregateFunction::VarPop => "VAR_POP",
        AggregateFunction::VarSamp => "VAR_SAMP",
        AggregateFunction::FirstValue => "FIRST_VALUE",
        AggregateFunction::LastValue => "LAST_VALUE",
        AggregateFunction::ListAgg { .. } => "LISTAGG",
        AggregateFunction::Collect => "COLLECT",
        AggregateFunction::ArrayAgg => "ARRAY_AGG",
        AggregateFunction::Percentile { .. } => "PERCENTILE",
        AggregateFunction::ApproxCountDistinct => "APPROX_COUNT_DISTINCT",
        AggregateFunction::Lag { offset, .. } if *offset < 0 => "LEAD",
        AggregateFunction::Lag { .. } => "LAG",
        AggregateFunction::RowNumber => "ROW_NUMBER",
    }
}
