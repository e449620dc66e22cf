//! Binding: from written expressions to typed ones over the columns in scope. Whatever has no rule here is refused.

mod cast;
mod conditional;
mod expression;
mod function;
mod json;
mod literal;
mod nested;
mod operator;
mod rows;
mod scope;
mod spans;
mod typed;

pub(crate) use cast::{assign_written, cast_to};
pub(crate) use conditional::coalesce as first_of;
pub(crate) use expression::{Binder, Grouping, no_watermark};
pub(crate) use function::{
    AGGREGATES, EXTRACTS, JSON_ARRAYAGG, JSON_OBJECTAGG, SPECIAL, aggregate_function, is_aggregate, is_function,
    positional, refuse_clauses,
};
pub(crate) use json::{element as json_element, member as json_member};
pub(crate) use literal::interval_ms;
pub(crate) use operator::{compare, symbol};
pub(crate) use scope::{Merged, Scope, near};
pub(crate) use typed::{Typed, binary, cast, unify};
