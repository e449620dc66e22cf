//! The dataflow's operators, a folder or file each.

mod assign_windows;
mod beside;
mod calc;
mod changes;
mod correlate;
mod expand;
pub mod group;
mod join;
mod local_time;
mod over;
mod pattern;
mod rank;
mod sort;
mod unnest;
pub mod window;

use std::sync::Arc;

use arrow::array::RecordBatch;
use tidemill_model::key_groups::KeyGroupRange;
use tidemill_plan::{NodeKind, PlanNode, Zone};

pub use assign_windows::AssignWindowsOperator;
pub use calc::CalcOperator;
pub use expand::ExpandOperator;

use crate::element::Element;
use crate::lookup::LookupTable;
use crate::operator::{Output, StreamOperator};
use crate::outside::Outside;
use crate::stages::Part;
use local_time::InLocalTime;

/// What an operator is made from.
pub struct Spec<'a> {
    pub node: &'a PlanNode,
    pub inputs: &'a [&'a PlanNode],
    pub part: Part,
    /// The key groups of the thread that it is for.
    pub owned: KeyGroupRange,
    pub outside: &'a Outside,
}

impl Spec<'_> {
    /// The table that it looks up in, if it does.
    fn lookup(&self) -> Option<&Arc<LookupTable>> {
        self.outside.lookups.of(&self.node.uid)
    }
}

/// An operator, or why this engine cannot run it.
pub type Built = Result<Box<dyn StreamOperator>, String>;

/// Makes the operator of a node, or of a part of it.
pub fn build(spec: &Spec<'_>) -> Built {
    let operator = operator(spec)?;
    match &spec.node.local_time {
        None => Ok(operator),
        Some(name) => {
            let zone = Zone::named(name).ok_or(format!("there is no time zone `{name}`"))?;
            Ok(Box::new(InLocalTime::new(operator, zone)))
        }
    }
}

fn operator(spec: &Spec<'_>) -> Built {
    match &spec.node.kind {
        NodeKind::Calc(calc) => CalcOperator::build(calc, spec),
        NodeKind::AssignWindows(assign) => AssignWindowsOperator::build(assign, spec),
        NodeKind::Expand(expand) => ExpandOperator::build(expand, spec),
        NodeKind::GroupAggregate(aggregate) => group::build(aggregate, spec),
        NodeKind::WindowAggregate(aggregate) => window::build(aggregate, spec),
        NodeKind::Join(join) => join::build_regular(join, spec),
        NodeKind::MatchRecognize(matching) => pattern::build(matching, spec),
        NodeKind::Deduplicate(deduplicate) => rank::build_deduplicate(deduplicate, spec),
        NodeKind::Rank(rank) => rank::build_rank(rank, spec),
        NodeKind::Normalize(normalize) => rank::build_normalize(normalize, spec),
        NodeKind::Limit(limit) => rank::build_limit(limit, spec),
        NodeKind::Sort(sort) => sort::build(sort, spec),
        NodeKind::Over(over) => over::build(over, spec),
        NodeKind::IntervalJoin(join) => join::build_interval(join, spec),
        NodeKind::TemporalJoin(join) => join::build_temporal(join, spec),
        NodeKind::Unnest(unnest) => unnest::UnnestOperator::build(unnest, spec),
        NodeKind::Correlate(correlate) => correlate::CorrelateOperator::build(correlate, spec),
        NodeKind::LookupJoin(join) => join::build_lookup(join, spec),
        NodeKind::Source(_) | NodeKind::Sink(_) | NodeKind::Union => Err("it is no operator".to_string()),
    }
}

/// The most rows that are put out as one batch.
const OUTPUT_ROWS: usize = 8192;

fn put_out(rows: &RecordBatch, output: &mut Output) {
    for start in (0..rows.num_rows()).step_by(OUTPUT_ROWS) {
        output.push(Element::Batch(rows.slice(start, OUTPUT_ROWS.min(rows.num_rows() - start))));
    }
}

/// An error with its causes, as a reason.
pub(crate) fn reason(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", reason(cause)),
        None => error.to_string(),
    }
}
