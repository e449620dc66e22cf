//! How the plan's operators deal with columns: which they read, where those of their output come from, and the same
//! operator over inputs whose columns have moved.

use std::collections::BTreeSet;

use tidemill_plan::{
    AggregateCall, Expression, JoinKey, JoinKind, JoinOn, NodeKind, OverOrder, Rank, RankEmit, SortKey, Windows,
};

use crate::expressions::{columns, substitute};

/// Where a column of an operator's output comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It is this input's column at this place.
    Input(usize, usize),
    /// The operator makes it, and needs not do so if nobody reads it.
    Call(usize),
    /// The operator makes it in any case.
    Made,
}

/// The columns that an operator reads of each input to do its work, whoever reads its output. `widths` are the
/// inputs' numbers of columns.
pub(crate) fn reads(kind: &NodeKind, widths: &[usize]) -> Vec<BTreeSet<usize>> {
    let one = |columns: Vec<usize>| vec![columns.into_iter().collect()];
    let join = |on: &JoinOn, times: [Option<usize>; 2]| {
        let left_width = widths.first().copied().unwrap_or_default();
        let condition: BTreeSet<usize> = on.condition.iter().flat_map(columns).collect();
        let side = |of: &dyn Fn(&JoinKey) -> usize, time: Option<usize>| -> BTreeSet<usize> {
            on.keys.iter().map(of).chain(time).collect()
        };
        let mut left = side(&|key| key.left, times[0]);
        let mut right = side(&|key| key.right, times[1]);
        left.extend(condition.iter().filter(|place| **place < left_width));
        right.extend(condition.iter().filter(|place| **place >= left_width).map(|place| place - left_width));
        vec![left, right]
    };
    match kind {
        NodeKind::Unnest(unnest) => one(vec![unnest.column]),
        NodeKind::Correlate(correlate) => one(correlate.arguments.clone()),
        NodeKind::AssignWindows(assign) => one(vec![assign.time_column]),
        NodeKind::WindowAggregate(aggregate) => {
            let windows = match aggregate.windows {
                Windows::Of { time_column, .. } => vec![time_column],
                Windows::Attached { start, end, .. } => vec![start, end],
            };
            one([windows, aggregate.keys.clone(), of_calls(&aggregate.aggregates)].concat())
        }
        NodeKind::GroupAggregate(aggregate) => one([aggregate.keys.clone(), of_calls(&aggregate.aggregates)].concat()),
        NodeKind::Over(over) => {
            let order = match &over.order {
                OverOrder::EventTime(time) | OverOrder::ProcessingTime(time) => vec![*time],
                OverOrder::Columns(keys) => of_keys(keys),
            };
            one([over.partition.clone(), order, of_calls(&over.aggregates)].concat())
        }
        NodeKind::Rank(rank) => one([rank.partition.clone(), of_keys(&rank.order), window_end(rank)].concat()),
        NodeKind::Deduplicate(deduplicate) => one([deduplicate.keys.clone(), vec![deduplicate.time_column]].concat()),
        NodeKind::Normalize(normalize) => one(normalize.keys.clone()),
        NodeKind::Sort(sort) => one([vec![sort.time_column], of_keys(&sort.then)].concat()),
        NodeKind::Join(of) => join(&of.on, [None, None]),
        NodeKind::IntervalJoin(of) => join(&of.on, [Some(of.left_time), Some(of.right_time)]),
        NodeKind::TemporalJoin(of) => join(&of.on, [Some(of.left_time), Some(of.right_time)]),
        NodeKind::MatchRecognize(matches) => {
            let order = [matches.partition.clone(), vec![matches.time_column], of_keys(&matches.then)].concat();
            vec![order.into_iter().chain(matches.values().into_iter().flat_map(columns)).collect()]
        }
        // The looked-up table is no input.
        NodeKind::LookupJoin(of) => join(&of.on, [None, None]).into_iter().take(1).collect(),
        // Everything is read by it: its input keeps all columns.
        NodeKind::Expand(_) => widths.iter().map(|width| (0..*width).collect()).collect(),
        NodeKind::Source(_) | NodeKind::Calc(_) | NodeKind::Limit(_) | NodeKind::Union | NodeKind::Sink(_) => {
            widths.iter().map(|_| BTreeSet::new()).collect()
        }
    }
}

fn of_calls(calls: &[AggregateCall]) -> Vec<usize> {
    calls.iter().flat_map(|call| call.argument.into_iter().chain(call.filter)).collect()
}

fn of_keys(keys: &[SortKey]) -> Vec<usize> {
    keys.iter().map(|key| key.column).collect()
}

fn window_end(rank: &Rank) -> Vec<usize> {
    match rank.emit {
        RankEmit::Changes => Vec::new(),
        RankEmit::AtWindowEnd { window_end } => vec![window_end],
    }
}

/// Where the columns of an operator's output come from; `width` is their number.
pub(crate) fn origins(kind: &NodeKind, widths: &[usize], width: usize) -> Vec<Origin> {
    let left_width = widths.first().copied().unwrap_or_default();
    let behind_input = |calls: usize| -> Vec<Origin> {
        let call =
            |place: usize| if place < left_width + calls { Origin::Call(place - left_width) } else { Origin::Made };
        (0..width).map(|place| if place < left_width { Origin::Input(0, place) } else { call(place) }).collect()
    };
    match kind {
        NodeKind::WindowAggregate(aggregate) => {
            let keys = aggregate.keys.len();
            (0..width).map(|place| if place < keys { Origin::Made } else { Origin::Call(place - keys) }).collect()
        }
        NodeKind::GroupAggregate(aggregate) => {
            let keys = aggregate.keys.len();
            (0..width).map(|place| if place < keys { Origin::Made } else { Origin::Call(place - keys) }).collect()
        }
        NodeKind::Over(over) => behind_input(over.aggregates.len()),
        NodeKind::Rank(rank) => behind_input(usize::from(rank.with_number)),
        NodeKind::Join(_) | NodeKind::IntervalJoin(_) | NodeKind::TemporalJoin(_) => (0..width)
            .map(|place| match place.checked_sub(left_width) {
                None => Origin::Input(0, place),
                Some(place) => Origin::Input(1, place),
            })
            .collect(),
        NodeKind::LookupJoin(_) => {
            (0..width).map(|place| if place < left_width { Origin::Input(0, place) } else { Origin::Made }).collect()
        }
        NodeKind::Expand(_) | NodeKind::MatchRecognize(_) => vec![Origin::Made; width],
        _ => behind_input(0),
    }
}

/// Leaves out the calls that are not `kept` of an operator that has calls.
pub(crate) fn with_calls(kind: &mut NodeKind, kept: &BTreeSet<usize>) {
    let keep = |calls: &mut Vec<AggregateCall>| {
        let mut place = 0;
        calls.retain(|_| {
            place += 1;
            kept.contains(&(place - 1))
        });
    };
    match kind {
        NodeKind::WindowAggregate(aggregate) => {
            let calls = aggregate.aggregates.len();
            let mut place = calls;
            aggregate.output.retain(|_| {
                place += 1;
                kept.contains(&(place - 1))
            });
            keep(&mut aggregate.aggregates);
        }
        NodeKind::GroupAggregate(aggregate) => keep(&mut aggregate.aggregates),
        NodeKind::Over(over) => keep(&mut over.aggregates),
        NodeKind::Rank(rank) => rank.with_number &= kept.contains(&0),
        _ => {}
    }
}

/// The operator over inputs whose columns have moved: `moved[i](place)` is where the column of input `i` has gone.
/// `widths` are the inputs' old and new numbers of columns.
pub(crate) fn renumber(kind: &mut NodeKind, moved: &[&dyn Fn(usize) -> usize], widths: &[(usize, usize)]) {
    let Some(first) = moved.first() else { return };
    let all = |places: &mut Vec<usize>| places.iter_mut().for_each(|place| *place = first(*place));
    let calls = |calls: &mut Vec<AggregateCall>| {
        for call in calls {
            call.argument = call.argument.map(first);
            call.filter = call.filter.map(first);
        }
    };
    let keys = |keys: &mut Vec<SortKey>| keys.iter_mut().for_each(|key| key.column = first(key.column));
    let join = |on: &mut JoinOn, times: Option<(&mut usize, &mut usize)>| {
        // What is looked up is no input, and stays as it is.
        let second = moved.get(1).copied().unwrap_or(&|place| place);
        let (left_old, left_new) = widths[0];
        for key in &mut on.keys {
            (key.left, key.right) = (first(key.left), second(key.right));
        }
        let column = |place: usize| {
            Expression::Column(match place.checked_sub(left_old) {
                None => first(place),
                Some(place) => left_new + second(place),
            })
        };
        on.condition = on.condition.as_ref().map(|condition| substitute(condition, &column));
        if let Some((left, right)) = times {
            (*left, *right) = (first(*left), second(*right));
        }
    };
    match kind {
        NodeKind::Unnest(unnest) => unnest.column = first(unnest.column),
        NodeKind::Correlate(correlate) => all(&mut correlate.arguments),
        NodeKind::AssignWindows(assign) => assign.time_column = first(assign.time_column),
        NodeKind::WindowAggregate(aggregate) => {
            match &mut aggregate.windows {
                Windows::Of { time_column, .. } => *time_column = first(*time_column),
                Windows::Attached { start, end, .. } => (*start, *end) = (first(*start), first(*end)),
            }
            all(&mut aggregate.keys);
            calls(&mut aggregate.aggregates);
        }
        NodeKind::GroupAggregate(aggregate) => {
            all(&mut aggregate.keys);
            calls(&mut aggregate.aggregates);
        }
        NodeKind::Over(over) => {
            all(&mut over.partition);
            calls(&mut over.aggregates);
            match &mut over.order {
                OverOrder::EventTime(time) | OverOrder::ProcessingTime(time) => *time = first(*time),
                OverOrder::Columns(order) => keys(order),
            }
        }
        NodeKind::Rank(rank) => {
            all(&mut rank.partition);
            keys(&mut rank.order);
            if let RankEmit::AtWindowEnd { window_end } = &mut rank.emit {
                *window_end = first(*window_end);
            }
        }
        NodeKind::Deduplicate(deduplicate) => {
            all(&mut deduplicate.keys);
            deduplicate.time_column = first(deduplicate.time_column);
        }
        NodeKind::Normalize(normalize) => all(&mut normalize.keys),
        NodeKind::Sort(sort) => {
            sort.time_column = first(sort.time_column);
            keys(&mut sort.then);
        }
        NodeKind::Join(of) => join(&mut of.on, None),
        NodeKind::IntervalJoin(of) => join(&mut of.on, Some((&mut of.left_time, &mut of.right_time))),
        NodeKind::TemporalJoin(of) => join(&mut of.on, Some((&mut of.left_time, &mut of.right_time))),
        NodeKind::LookupJoin(of) => join(&mut of.on, None),
        NodeKind::MatchRecognize(matches) => {
            all(&mut matches.partition);
            matches.time_column = first(matches.time_column);
            keys(&mut matches.then);
            for value in matches.values_mut() {
                *value = substitute(value, &|place| Expression::Column(first(place)));
            }
        }
        // It reads all columns, so none has moved.
        NodeKind::Expand(_) => {}
        NodeKind::Source(_) | NodeKind::Calc(_) | NodeKind::Limit(_) | NodeKind::Union | NodeKind::Sink(_) => {}
    }
}

/// Whether the output of a join has the columns of its left input alone.
pub(crate) fn is_left_only(kind: JoinKind) -> bool {
    matches!(kind, JoinKind::Semi | JoinKind::Anti)
}
