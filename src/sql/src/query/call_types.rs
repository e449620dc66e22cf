//! The types of aggregates' arguments and results.

use arrow_schema::DataType;
use sqlparser::tokenizer::Span;
use tidemill_plan::AggregateFunction;

use crate::bind::Typed;
use crate::error::{Result, SqlError};
use crate::types;

/// The argument as the engine takes it, the type that the engine gives, and Flink's.
pub(super) fn result_types(
    kind: &AggregateFunction,
    name: &str,
    argument: Option<Typed>,
    span: Span,
) -> Result<(Option<Typed>, DataType, DataType)> {
    let Some(argument) = argument else {
        return Ok((None, DataType::Int64, DataType::Int64));
    };
    let from = argument.data_type.clone();
    let undefined = || {
        let message = format!("{} is not defined for {}", name.to_uppercase(), types::name(&from));
        SqlError::new(span, message, "CAST the argument")
    };
    match kind {
        AggregateFunction::Count => Ok((Some(argument), DataType::Int64, DataType::Int64)),
        AggregateFunction::Min | AggregateFunction::Max => match from {
            DataType::Binary | DataType::Interval(_) | DataType::Null => Err(undefined()),
            _ => Ok((Some(argument), from.clone(), from)),
        },
        AggregateFunction::Sum | AggregateFunction::Avg => match &from {
            whole if types::is_whole(whole) => Ok((Some(argument.widened(&DataType::Int64)), DataType::Int64, from)),
            number if types::is_approximate(number) => {
                Ok((Some(argument.widened(&DataType::Float64)), DataType::Float64, from))
            }
            DataType::Decimal128(_, scale) => {
                let returned = if *kind == AggregateFunction::Avg { (*scale).max(6) } else { *scale };
                let returns = DataType::Decimal128(38, returned);
                Ok((Some(argument.widened(&DataType::Decimal128(38, *scale))), returns.clone(), returns))
            }
            _ => Err(undefined()),
        },
        // Computed in DOUBLE. As for AVG, the result is of the argument's type, DECIMALs with at least 6 digits.
        AggregateFunction::StddevPop
        | AggregateFunction::StddevSamp
        | AggregateFunction::VarPop
        | AggregateFunction::VarSamp => {
            let returns = match &from {
                number if types::is_whole(number) || types::is_approximate(number) => from,
                DataType::Decimal128(_, scale) => DataType::Decimal128(38, (*scale).max(6)),
                _ => return Err(undefined()),
            };
            Ok((Some(argument.widened(&DataType::Float64)), DataType::Float64, returns))
        }
        AggregateFunction::FirstValue | AggregateFunction::LastValue => match from {
            DataType::Interval(_) | DataType::Null => Err(undefined()),
            _ => Ok((Some(argument), from.clone(), from)),
        },
        AggregateFunction::ListAgg { .. } => match from {
            DataType::Utf8 => Ok((Some(argument), DataType::Utf8, DataType::Utf8)),
            _ => Err(undefined()),
        },
        AggregateFunction::Collect => match from {
            DataType::Interval(_) | DataType::Null => Err(undefined()),
            _ => Ok((Some(argument), types::multiset(from.clone()), types::multiset(from))),
        },
        AggregateFunction::ArrayAgg => match from {
            _ if types::is_nested(&from) => Err(undefined()),
            DataType::Interval(_) | DataType::Null => Err(undefined()),
            _ => Ok((Some(argument), types::array(from.clone()), types::array(from))),
        },
        AggregateFunction::Percentile { .. } => match types::is_number(&from) {
            true => Ok((Some(argument.widened(&DataType::Float64)), DataType::Float64, DataType::Float64)),
            false => Err(undefined()),
        },
        AggregateFunction::ApproxCountDistinct => match from {
            DataType::Interval(_) | DataType::Null => Err(undefined()),
            _ => Ok((Some(argument), DataType::Int64, DataType::Int64)),
        },
        AggregateFunction::Lag { .. } | AggregateFunction::RowNumber => Err(undefined()),
    }
}
