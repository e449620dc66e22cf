//! State that grows without bound: which operators of a plan keep more and more as long as rows with something new in
//! them come, and what would bound it.

use crate::{AggregateCall, AggregateFunction, Frame, NodeKind, OverOrder, PlanNode, RankEmit, StreamPlan};

/// An operator whose state has no bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growth<'a> {
    /// The operator's uid.
    pub operator: &'a str,
    pub with: GrowsWith,
    pub bound: Bound,
}

/// What the state grows with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrowsWith {
    /// Every row that comes and is not taken back.
    Rows,
    /// Every key that has not been there before.
    Keys,
    /// Every value that has not been there before.
    Values,
    /// Every row that a match could begin with.
    PartialMatches,
}

/// What would bound it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// A state TTL, or windows.
    TtlOrWindows,
    /// A state TTL, or a condition that brings the times of both sides together.
    TtlOrTimeCondition,
    Ttl,
    /// A range of time as the frame.
    TimeRange,
    /// `WITHIN`.
    Within,
    /// Nothing here; there are only as many keys as the table has.
    KeysOfTheTable,
}

/// The operators of a plan whose state has no bound, in the plan's order.
pub fn growing(plan: &StreamPlan) -> Vec<Growth<'_>> {
    let grows = |node: &'_ PlanNode| {
        let takes_back = plan.inputs(node).any(|input| !input.changelog.is_append());
        growth(&node.kind, takes_back)
    };
    plan.nodes
        .iter()
        .filter_map(|node| grows(node).map(|(with, bound)| Growth { operator: &node.uid, with, bound }))
        .collect()
}

/// What the state of an operator grows with, if it has no bound. `takes_back` says whether its input takes rows back.
pub fn growth(kind: &NodeKind, takes_back: bool) -> Option<(GrowsWith, Bound)> {
    match kind {
        NodeKind::GroupAggregate(aggregate) if aggregate.state_ttl_ms.is_none() => {
            if !aggregate.keys.is_empty() {
                return Some((GrowsWith::Keys, Bound::TtlOrWindows));
            }
            let keeps_values = aggregate.aggregates.iter().any(|call| keeps_values(call, takes_back));
            keeps_values.then_some((GrowsWith::Values, Bound::TtlOrWindows))
        }
        NodeKind::Join(join) if join.state_ttl_ms.contains(&None) => Some((GrowsWith::Rows, Bound::TtlOrTimeCondition)),
        NodeKind::TemporalJoin(_) => Some((GrowsWith::Keys, Bound::KeysOfTheTable)),
        NodeKind::Rank(rank) if rank.emit == RankEmit::Changes && rank.state_ttl_ms.is_none() => {
            match (takes_back, rank.partition.is_empty()) {
                (true, _) => Some((GrowsWith::Rows, Bound::TtlOrWindows)),
                (false, false) => Some((GrowsWith::Keys, Bound::TtlOrWindows)),
                (false, true) => None,
            }
        }
        NodeKind::Deduplicate(deduplicate) if deduplicate.state_ttl_ms.is_none() => {
            Some((GrowsWith::Keys, Bound::TtlOrWindows))
        }
        NodeKind::Normalize(normalize) if normalize.state_ttl_ms.is_none() => Some((GrowsWith::Keys, Bound::Ttl)),
        NodeKind::Over(over) if over.state_ttl_ms.is_none() => match (&over.order, over.frame) {
            (OverOrder::Columns(_), _) => Some((GrowsWith::Rows, Bound::Ttl)),
            (_, Frame::Range { preceding_ms: Some(_) }) => None,
            _ if !over.partition.is_empty() => Some((GrowsWith::Keys, Bound::TimeRange)),
            _ if over.aggregates.iter().any(|call| keeps_values(call, false)) => {
                Some((GrowsWith::Values, Bound::TimeRange))
            }
            _ => None,
        },
        NodeKind::Limit(_) if takes_back => Some((GrowsWith::Rows, Bound::Ttl)),
        NodeKind::MatchRecognize(matches) if matches.within_ms.is_none() => {
            Some((GrowsWith::PartialMatches, Bound::Within))
        }
        // The others keep nothing, or only what event time has not passed yet, or have a state TTL.
        _ => None,
    }
}

/// Whether an aggregate remembers each value, or each of those that differ.
fn keeps_values(call: &AggregateCall, takes_back: bool) -> bool {
    match call.function {
        AggregateFunction::ListAgg { .. }
        | AggregateFunction::Collect
        | AggregateFunction::ArrayAgg
        | AggregateFunction::Percentile { .. } => true,
        AggregateFunction::Min
        | AggregateFunction::Max
        | AggregateFunction::FirstValue
        | AggregateFunction::LastValue => takes_back || call.distinct,
        _ => call.distinct,
    }
}

impl GrowsWith {
    pub fn text(self) -> &'static str {
        match self {
            Self::Rows => "with every row",
            Self::Keys => "with every new key",
            Self::Values => "with every new value",
            Self::PartialMatches => "with every row that may begin a match",
        }
    }
}

impl Bound {
    pub fn text(self) -> &'static str {
        match self {
            Self::TtlOrWindows => {
                "a state TTL ('table.exec.state.ttl' or the hint STATE_TTL) or windows would bound it"
            }
            Self::TtlOrTimeCondition => {
                "a state TTL ('table.exec.state.ttl' or the hint STATE_TTL), or a condition that brings the event times of \
                 both sides together, would bound it"
            }
            Self::Ttl => "a state TTL ('table.exec.state.ttl') would bound it",
            Self::TimeRange => "a state TTL ('table.exec.state.ttl') or RANGE with an interval would bound it",
            Self::Within => "WITHIN would bound it",
            Self::KeysOfTheTable => "only the number of keys of the versioned table bounds it",
        }
    }
}

impl std::fmt::Display for Growth<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the state of {} grows {}: {}", self.operator, self.with.text(), self.bound.text())
    }
}
