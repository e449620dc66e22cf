//! LAG and LEAD: the value in a row so many rows before or after.

use sqlparser::ast::{Function, Spanned};
use tidemill_plan::{AggregateFunction, Expression};

use super::call::BoundCall;
use super::frame::whole;
use crate::bind::{Binder, Typed, positional, refuse_clauses};
use crate::error::{Result, SqlError};
use crate::types;

/// `LAG(x [, n [, default]])`, or LEAD.
pub(super) fn bind_lag(function: &Function, leads: bool, binder: Binder<'_>) -> Result<BoundCall> {
    let span = function.name.span();
    refuse_clauses(function, span)?;
    let written = positional(function)?;
    let (value, offset, default) = match written.as_slice() {
        [value] => (*value, None, None),
        [value, offset] => (*value, Some(*offset), None),
        [value, offset, default] => (*value, Some(*offset), Some(*default)),
        _ => {
            let message = format!("{function} does not have one to three arguments");
            return Err(SqlError::new(span, message, "write LAG(value [, offset [, default]])"));
        }
    };
    let argument = binder.bind(value)?;
    let rows = offset.map_or(Ok(1), |offset| whole(offset, "a number of rows"))?;
    let rows = i64::try_from(rows).unwrap_or(i64::MAX);
    let default = match default {
        Some(written) => match binder.bind(written)?.widened(&argument.data_type) {
            Typed { expression: Expression::Literal(literal), data_type, .. } if data_type == argument.data_type => {
                Some(literal)
            }
            _ => {
                let message = format!("the default must be a constant of {}", types::name(&argument.data_type));
                return Err(SqlError::new(written.span(), message, "write a constant of that type"));
            }
        },
        None => None,
    };
    let lag = AggregateFunction::Lag { offset: if leads { -rows } else { rows }, default };
    let data_type = argument.data_type.clone();
    Ok(BoundCall::plain(lag, Some(argument), data_type, function))
}
