//! The dataflow's operators, a folder or file each.

mod assign_windows;
mod calc;
mod expand;
pub mod group;
pub mod window;

use tidemill_model::key_groups::KeyGroupRange;
use tidemill_plan::{NodeKind, PlanNode};

pub use assign_windows::AssignWindowsOperator;
pub use calc::CalcOperator;
pub use expand::ExpandOperator;

use crate::operator::StreamOperator;
use crate::stages::Part;

/// What an operator is made from.
pub struct Spec<'a> {
    pub node: &'a PlanNode,
    pub inputs: &'a [&'a PlanNode],
    pub part: Part,
    /// The key groups of the thread that it is for.
    pub owned: KeyGroupRange,
}

/// An operator, or why this engine cannot run it.
pub type Built = Result<Box<dyn StreamOperator>, String>;

/// Makes the operator of a node, or of a part of it.
pub fn build(node: &PlanNode, inputs: &[&PlanNode], part: Part, owned: KeyGroupRange) -> Built {
    let spec = Spec { node, inputs, part, owned };
    match &node.kind {
        NodeKind::Calc(calc) => CalcOperator::build(calc, &spec),
        NodeKind::AssignWindows(assign) => AssignWindowsOperator::build(assign, &spec),
        NodeKind::Expand(expand) => ExpandOperator::build(expand, &spec),
        NodeKind::GroupAggregate(aggregate) => group::build(aggregate, &spec),
        NodeKind::WindowAggregate(aggregate) => window::build(aggregate, &spec),
        NodeKind::Unnest(_)
        | NodeKind::Over(_)
        | NodeKind::Join(_)
        | NodeKind::IntervalJoin(_)
        | NodeKind::TemporalJoin(_)
        | NodeKind::LookupJoin(_)
        | NodeKind::Rank(_)
        | NodeKind::Deduplicate(_)
        | NodeKind::Normalize(_)
        | NodeKind::Sort(_)
        | NodeKind::Limit(_)
        | NodeKind::MatchRecognize(_) => Err("this engine has no such operator".to_string()),
        NodeKind::Source(_) | NodeKind::Sink(_) | NodeKind::Union => Err("it is no operator".to_string()),
    }
}

/// An error with its causes, as a reason.
pub(crate) fn reason(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", reason(cause)),
        None => error.to_string(),
    }
}
