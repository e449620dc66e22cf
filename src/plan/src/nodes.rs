//! The plan's nodes.

use std::collections::BTreeMap;

use arrow_schema::SchemaRef;
use serde::{Deserialize, Serialize};

use crate::Expression;

/// The columns of a node's output.
pub type Fields = SchemaRef;

/// An application's whole dataflow: an acyclic graph in which every node's inputs stand before it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamPlan {
    pub nodes: Vec<PlanNode>,
}

/// The place of a node in [`StreamPlan::nodes`].
pub type Input = usize;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanNode {
    /// Names the operator across versions of the application: its state is found by it. Stable under changes
    /// elsewhere in the text, unique within the plan, made of letters, digits, `-` and `_`.
    pub uid: String,
    pub inputs: Vec<Input>,
    pub kind: NodeKind,
    /// The columns that the node puts out.
    pub schema: Fields,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum NodeKind {
    Source(Source),
    Calc(Calc),
    WindowAggregate(WindowAggregate),
    Sink(Sink),
}

/// A table as a connector sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    pub name: String,
    /// The connector's name: the `connector` option.
    pub connector: String,
    /// All further options, by Flink's names, such as `topic`, `properties.bootstrap.servers`, `format`.
    pub options: BTreeMap<String, String>,
}

/// Reads a table. The node's schema has the physical columns that the rest of the plan needs, in table order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Source {
    pub table: Table,
    pub watermark: Option<Watermark>,
}

/// How a source's watermark follows from its rows: it is the highest value of `expression` (a TIMESTAMP, over the
/// source's columns) seen so far in a split, and the least of these over the splits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Watermark {
    pub expression: Expression,
    /// A split without records for this long does not hold the others back. Never by default, as in Flink.
    pub idle_timeout_ms: Option<u64>,
}

/// Keeps the rows for which `filter` is true and computes `projection` from them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calc {
    pub filter: Option<Expression>,
    pub projection: Vec<NamedExpression>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NamedExpression {
    pub name: String,
    pub expression: Expression,
}

/// Aggregates each key's rows in windows of event time. Its schema is: the keys, one column per aggregate, then the
/// [`WindowOutput`] columns asked for.
///
/// A window `[start, end)` is put out when the watermark reaches `end - 1 ms`; rows that come for it later are dropped
/// and counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WindowAggregate {
    pub window: Window,
    /// The input column, a TIMESTAMP or TIMESTAMP_LTZ of millisecond precision, that assigns rows to windows. Rows in
    /// which it is NULL fail the job, as in Flink.
    pub time_column: usize,
    /// Input columns that make up the key.
    pub keys: Vec<usize>,
    pub aggregates: Vec<AggregateCall>,
    pub output: Vec<WindowOutput>,
}

/// Windows over a time line in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Window {
    Tumble {
        size_ms: i64,
        offset_ms: i64,
    },
    /// A window of `size_ms` starts every `slide_ms`; the size is a multiple of the slide.
    Hop {
        size_ms: i64,
        slide_ms: i64,
        offset_ms: i64,
    },
}

/// A column that tells of the window itself. `Time` is `End - 1 ms`, the window's rowtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WindowOutput {
    Start,
    End,
    Time,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AggregateCall {
    pub function: AggregateFunction,
    /// The input column; none only for `COUNT(*)`.
    pub argument: Option<usize>,
    /// A BOOLEAN input column: rows in which it is not true are left out (`FILTER (WHERE …)`).
    pub filter: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AggregateFunction {
    /// Rows, or rows in which the argument is not NULL. BIGINT, 0 for none.
    Count,
    /// The argument's type; NULL for no rows. The planner casts the argument to BIGINT, DOUBLE or DECIMAL.
    Sum,
    Min,
    Max,
    /// Planned as `Sum` and `Count` of the same argument by the engine; the result has the node's column type.
    Avg,
}

/// Writes a table. The input's columns are the table's, in table order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sink {
    pub table: Table,
}

impl StreamPlan {
    pub fn sources(&self) -> impl Iterator<Item = (&PlanNode, &Source)> {
        self.nodes.iter().filter_map(|node| match &node.kind {
            NodeKind::Source(source) => Some((node, source)),
            NodeKind::Calc(_) | NodeKind::WindowAggregate(_) | NodeKind::Sink(_) => None,
        })
    }

    pub fn sinks(&self) -> impl Iterator<Item = (&PlanNode, &Sink)> {
        self.nodes.iter().filter_map(|node| match &node.kind {
            NodeKind::Sink(sink) => Some((node, sink)),
            NodeKind::Source(_) | NodeKind::Calc(_) | NodeKind::WindowAggregate(_) => None,
        })
    }
}
