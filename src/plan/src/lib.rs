//! The streaming plan: what the SQL planner hands to the engine, and the scalar functions that both must agree on.
//!
//! A plan is plain data and can be stored: a job keeps running the plan it was started with, whatever the planner of
//! a newer release would make of the same text. For that, expressions have a form of their own ([`Expression`]) and do
//! not depend on a DataFusion version. This crate must never run anything.

mod expression;
pub mod functions;
mod nodes;

pub use expression::{BinaryOperator, Expression, Literal};
pub use nodes::{
    AggregateCall, AggregateFunction, Calc, Fields, Input, NamedExpression, NodeKind, PlanNode, Sink, Source,
    StreamPlan, Table, Watermark, Window, WindowAggregate, WindowOutput,
};
