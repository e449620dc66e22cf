//! The streaming plan: what the SQL planner hands to the engine, and the scalar functions that both must agree on.
//!
//! A plan is plain data and can be stored: a job keeps running the plan it was started with, whatever the planner of
//! a newer release would make of the same text. For that, expressions have a form of their own ([`Expression`]) and do
//! not depend on a DataFusion version. This crate must never run anything.

mod aggregate;
mod changelog;
pub mod clock;
mod expression;
pub mod functions;
pub mod growth;
mod join;
pub mod metadata;
pub mod nested;
mod nodes;
mod pattern;
mod rank;
mod type_name;
mod walk;
mod zone;

pub use aggregate::{
    AggregateCall, AggregateFunction, AssignWindows, Clock, Firing, Frame, GroupAggregate, LateFiring, Over, OverOrder,
    Window, WindowAggregate, WindowOutput, Windows,
};
pub use changelog::{CHANGE, Change, Changelog};
pub use expression::{BinaryOperator, Expression, Literal, UserFunction};
pub use join::{IntervalJoin, Join, JoinKey, JoinKind, JoinOn, JoinTimes, LookupJoin, TemporalJoin};
pub use nodes::{
    Alignment, Calc, Correlate, Expand, Fields, Input, NamedExpression, NodeKind, PlanNode, Sink, Source, StreamPlan,
    Table, Unnest, Watermark,
};
pub use pattern::{AfterMatch, MatchRecognize, Measure, Pattern, PatternExpression, Position, Reference, Variable};
pub use rank::{Deduplicate, Keep, Limit, Normalize, Rank, RankEmit, Sort, SortKey};
pub use type_name::type_name;
pub use zone::{Stretch, Twice, Zone};
