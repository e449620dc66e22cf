//! The plan's nodes.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use crate::{
    AssignWindows, CHANGE, Changelog, Deduplicate, Expression, GroupAggregate, IntervalJoin, Join, JoinKind, Limit,
    LookupJoin, MatchRecognize, Normalize, Over, Rank, Sort, TemporalJoin, UserFunction, WindowAggregate,
};

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
    /// What the rows that the node puts out say. A sink's is that of its input.
    #[serde(default)]
    pub changelog: Changelog,
    /// The time zone in whose local time the node's windows are, if not in that of its watermarks. What is over is told
    /// by what clocks there have shown; see [`crate::Zone::reached`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_time: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum NodeKind {
    Source(Source),
    Calc(Calc),
    Expand(Expand),
    Unnest(Unnest),
    Correlate(Correlate),
    AssignWindows(AssignWindows),
    WindowAggregate(WindowAggregate),
    GroupAggregate(GroupAggregate),
    Over(Over),
    Join(Join),
    IntervalJoin(IntervalJoin),
    TemporalJoin(TemporalJoin),
    LookupJoin(LookupJoin),
    Rank(Rank),
    Deduplicate(Deduplicate),
    Normalize(Normalize),
    Sort(Sort),
    Limit(Limit),
    MatchRecognize(MatchRecognize),
    /// All rows of all inputs, which have the same columns.
    Union,
    Sink(Sink),
}

/// A table as a connector sees it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Table {
    pub name: String,
    /// The connector's name: the `connector` option.
    pub connector: String,
    /// All further options, by Flink's names, such as `topic`, `properties.bootstrap.servers`, `format`.
    pub options: BTreeMap<String, String>,
    /// The columns that tell the table's rows apart, if it says so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub primary_key: Vec<String>,
    /// The columns by whose values the table's files are put into folders, in this order. They do not stand in the files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partition_keys: Vec<String>,
    /// The columns that do not stand in the records, each with the key of what it has in their place; see
    /// [`crate::metadata`]. Their type is the key's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// The stored columns as they are declared: which cannot be NULL, in all depths, and how fine timestamps are. Only
    /// where the table's format goes by it; the engine's columns are as in the nodes' schemas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<Fields>,
}

/// Reads a table. The node's schema has the columns that the rest of the plan needs: stored ones in table order, then
/// those of metadata.
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alignment: Option<Alignment>,
    /// A split's watermark is never further than this beyond the machine's time, whatever its rows say. Unlimited by
    /// default, as in Flink.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_future_ms: Option<u64>,
}

/// Keeps sources together: a split waits while its watermark is further than `max_drift_ms` ahead of that of the source
/// in the group that is furthest behind. Idle sources are not waited for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alignment {
    pub group: String,
    pub max_drift_ms: u64,
    /// How often sources hear of each other.
    pub update_interval_ms: u64,
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

/// Puts every row out once for each of `projections`: the copies that GROUPING SETS group by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expand {
    pub projections: Vec<Vec<Expression>>,
}

/// Puts every row out once for each element of an ARRAY (or entry of a MAP, or value of a MULTISET) in it, with the
/// element's columns behind its own: a ROW's fields, a MAP's key and value, else the element itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unnest {
    pub column: usize,
    /// Inner, or left: then a row without elements comes once, with NULLs.
    pub kind: JoinKind,
    /// Whether an INT column with the element's number, from 1, comes last.
    pub with_ordinality: bool,
}

/// Puts every row out once for each row that a table function gives for it, with that row's columns behind its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Correlate {
    pub function: UserFunction,
    /// The columns that the function is called with, which have the types that its export says.
    pub arguments: Vec<usize>,
    /// Inner, or left: then a row for which the function gives none comes once, with NULLs.
    pub kind: JoinKind,
}

/// Writes a table. The input's columns are the table's, in table order, without metadata that is only read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sink {
    pub table: Table,
}

impl StreamPlan {
    pub fn sources(&self) -> impl Iterator<Item = (&PlanNode, &Source)> {
        self.nodes
            .iter()
            .filter_map(|node| if let NodeKind::Source(source) = &node.kind { Some((node, source)) } else { None })
    }

    pub fn sinks(&self) -> impl Iterator<Item = (&PlanNode, &Sink)> {
        self.nodes
            .iter()
            .filter_map(|node| if let NodeKind::Sink(sink) = &node.kind { Some((node, sink)) } else { None })
    }

    /// The nodes that a node reads, in order.
    pub fn inputs<'a>(&'a self, node: &'a PlanNode) -> impl Iterator<Item = &'a PlanNode> {
        node.inputs.iter().map(|input| &self.nodes[*input])
    }
}

impl PlanNode {
    /// The columns of the batches that the node puts out: its own and, where rows change, [`CHANGE`].
    pub fn batch_schema(&self) -> Fields {
        if self.changelog.is_append() {
            return self.schema.clone();
        }
        let mut fields: Vec<_> = self.schema.fields().iter().cloned().collect();
        fields.push(Arc::new(Field::new(CHANGE, DataType::Int8, false)));
        Arc::new(Schema::new(fields))
    }
}
