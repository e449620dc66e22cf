//! What each operator of a plan does, what it keeps as state and for how long, as lines of text.

use arrow_schema::Schema;
use tidemill_plan::{
    Calc, Clock, Firing, Frame, JoinKind, JoinOn, Keep, NodeKind, OverOrder, PlanNode, Rank, RankEmit, SortKey, Window,
    WindowAggregate, WindowOutput, Windows,
};

use super::call::calls;
use super::expression::{column, text};

pub(super) fn title(node: &PlanNode) -> String {
    match &node.kind {
        NodeKind::Source(source) => format!("read {} ({})", source.table.name, source.table.connector),
        NodeKind::Calc(_) => "calculate".to_string(),
        NodeKind::Expand(expand) => format!("copy each row {} times", expand.projections.len()),
        NodeKind::Unnest(_) => "one row for each element".to_string(),
        NodeKind::Correlate(correlate) => format!("one row for each that {} gives", correlate.function.name),
        NodeKind::AssignWindows(assign) => format!("assign to windows: {}", window(&assign.window)),
        NodeKind::WindowAggregate(aggregate) => format!("aggregate in windows: {}", windows(&aggregate.windows)),
        NodeKind::GroupAggregate(_) => "aggregate".to_string(),
        NodeKind::Over(_) => "aggregate over rows before".to_string(),
        NodeKind::Join(join) => format!("{} join", join_name(join.kind)),
        NodeKind::IntervalJoin(join) => format!("{} join in an interval of time", join_name(join.kind)),
        NodeKind::TemporalJoin(join) => format!("{} join with the version of that time", join_name(join.kind)),
        NodeKind::LookupJoin(join) => format!("{} join by looking up in {}", join_name(join.kind), join.table.name),
        NodeKind::Rank(rank) => format!("rows {} to {} of each partition", rank.first, rank.last),
        NodeKind::Deduplicate(deduplicate) => match deduplicate.keep {
            Keep::First => "the first row of each key".to_string(),
            Keep::Last => "the last row of each key".to_string(),
        },
        NodeKind::Normalize(_) => "tell what updates replace".to_string(),
        NodeKind::Sort(_) => "sort by time".to_string(),
        NodeKind::Limit(limit) => format!("{} rows after the first {}", limit.count, limit.offset),
        NodeKind::MatchRecognize(_) => "match a pattern".to_string(),
        NodeKind::Union => "all rows of all inputs".to_string(),
        NodeKind::Sink(sink) => format!("write {} ({})", sink.table.name, sink.table.connector),
    }
}

pub(super) fn details(node: &PlanNode, inputs: &[&Schema]) -> Vec<String> {
    let input = inputs.first().copied().unwrap_or(&node.schema);
    let keys = |name: &str, keys: &[usize]| format!("{name}: {}", columns(keys, input));
    match &node.kind {
        NodeKind::Source(source) => {
            let watermark = source.watermark.iter().flat_map(|watermark| {
                let idle = watermark.idle_timeout_ms.map(|timeout| format!("idle after: {timeout} ms"));
                let aligned = watermark.alignment.as_ref().map(|alignment| {
                    format!("waits for the group: {}, {} ms ahead", alignment.group, alignment.max_drift_ms)
                });
                let future = watermark.max_future_ms.map(|most| format!("never beyond: now + {most} ms"));
                let more = idle.into_iter().chain(aligned).chain(future);
                std::iter::once(format!("watermark: {}", text(&watermark.expression, input))).chain(more)
            });
            let told = &source.table.metadata;
            let told = input.fields().iter().filter_map(|field| Some((field.name(), told.get(field.name())?)));
            told.map(|(column, key)| format!("metadata: {column} from {key}")).chain(watermark).collect()
        }
        NodeKind::Calc(calc) => calculation(calc, input),
        NodeKind::Expand(expand) => expand
            .projections
            .iter()
            .map(|copy| format!("copy: {}", copy.iter().map(|value| text(value, input)).collect::<Vec<_>>().join(", ")))
            .collect(),
        NodeKind::Unnest(unnest) => vec![format!("elements of: {}", column(unnest.column, input))],
        NodeKind::Correlate(correlate) => {
            let called = format!("function: {}", correlate.function.export);
            vec![
                called,
                keys("arguments", &correlate.arguments),
                format!(
                    "rows without any: {}",
                    match correlate.kind {
                        JoinKind::Left => "once, with NULLs",
                        _ => "dropped",
                    }
                ),
            ]
        }
        NodeKind::AssignWindows(assign) => vec![format!("time: {}", column(assign.time_column, input))],
        NodeKind::WindowAggregate(aggregate) => aggregation(aggregate, input),
        NodeKind::GroupAggregate(aggregate) => {
            vec![keys("keys", &aggregate.keys), calls(&aggregate.aggregates, input)]
        }
        NodeKind::Over(over) => {
            let order = match &over.order {
                OverOrder::EventTime(time) => format!("order: {}", column(*time, input)),
                OverOrder::ProcessingTime(_) => "order: as rows come".to_string(),
                OverOrder::Columns(order) => sort_order(order, input),
            };
            vec![keys("partition", &over.partition), order, frame(over.frame), calls(&over.aggregates, input)]
        }
        NodeKind::Join(join) => joined(&join.on, inputs),
        NodeKind::IntervalJoin(join) => {
            let right = inputs.get(1).copied().unwrap_or(input);
            let (lower, upper) = (duration(join.lower_ms), duration(join.upper_ms));
            let (left, right) = (column(join.left_time, input), column(join.right_time, right));
            let mut lines = joined(&join.on, inputs);
            lines.push(format!("times: {left} between {right} + {lower} and {right} + {upper}"));
            lines
        }
        NodeKind::TemporalJoin(join) => {
            let mut lines = joined(&join.on, inputs);
            lines.push(format!("at: {}", column(join.left_time, input)));
            lines
        }
        NodeKind::LookupJoin(join) => joined(&join.on, &[input, &join.table_schema]),
        NodeKind::Rank(rank) => ranking(rank, input),
        NodeKind::Deduplicate(deduplicate) => {
            vec![keys("keys", &deduplicate.keys), format!("time: {}", column(deduplicate.time_column, input))]
        }
        NodeKind::Normalize(normalize) => vec![keys("keys", &normalize.keys)],
        NodeKind::Sort(sort) => {
            vec![format!("time: {}", column(sort.time_column, input)), sort_order(&sort.then, input)]
        }
        NodeKind::MatchRecognize(matches) => super::pattern::details(matches, input),
        NodeKind::Sink(sink) if !sink.table.partition_keys.is_empty() => {
            vec![format!("folders by: {}", sink.table.partition_keys.join(", "))]
        }
        NodeKind::Limit(_) | NodeKind::Union | NodeKind::Sink(_) => Vec::new(),
    }
}

fn is_by_machine(windows: &Windows) -> bool {
    let (Windows::Of { clock, .. } | Windows::Attached { clock, .. }) = windows;
    *clock == Clock::Processing
}

/// What is kept, and how long.
pub(super) fn state(kind: &NodeKind) -> Option<String> {
    let kept = kept(kind)?;
    let ttl = match kind {
        NodeKind::GroupAggregate(aggregate) => [aggregate.state_ttl_ms; 2],
        NodeKind::Join(join) => join.state_ttl_ms,
        NodeKind::Rank(rank) => [rank.state_ttl_ms; 2],
        NodeKind::Deduplicate(deduplicate) => [deduplicate.state_ttl_ms; 2],
        NodeKind::Normalize(normalize) => [normalize.state_ttl_ms; 2],
        NodeKind::Over(over) => [over.state_ttl_ms; 2],
        _ => [None; 2],
    };
    let shown = |ttl: Option<u64>| ttl.map_or("none".to_string(), |ttl| duration(ttl as i64));
    Some(match ttl {
        [None, None] => kept.to_string(),
        [left, right] if left == right => format!("{}, state TTL {}", kept.replace(FOR_EVER, ""), shown(left)),
        [left, right] => format!("{}, state TTL {} and {}", kept.replace(FOR_EVER, ""), shown(left), shown(right)),
    })
}

const FOR_EVER: &str = ", for ever unless a state TTL is set";

fn kept(kind: &NodeKind) -> Option<&'static str> {
    Some(match kind {
        NodeKind::Source(_) => "one position for each split",
        NodeKind::WindowAggregate(aggregate) if is_by_machine(&aggregate.windows) => {
            "one row for each key in each open window, until the machine's clock passes the window's end"
        }
        NodeKind::WindowAggregate(WindowAggregate { firing: Some(Firing { late: Some(_), .. }), .. }) => {
            "one row for each key in each open window, until the watermark passes the window's end and the lateness"
        }
        NodeKind::WindowAggregate(_) => {
            "one row for each key in each open window, until the watermark passes the window's end"
        }
        NodeKind::GroupAggregate(_) => "one row for each key, for ever unless a state TTL is set",
        NodeKind::Join(_) => "all rows of both sides, for ever unless a state TTL is set",
        NodeKind::IntervalJoin(_) => "rows of both sides, until the watermark says that no match can come",
        NodeKind::TemporalJoin(_) => "the versions that can still be asked for, and rows that wait for the watermark",
        NodeKind::Over(_) => "the rows and sums that the frame needs, for each partition",
        NodeKind::Rank(rank) => match rank.emit {
            RankEmit::Changes => "the rows in the range, or all if rows can be taken back, for each partition",
            RankEmit::AtWindowEnd { .. } => "the rows in the range for each open window",
        },
        NodeKind::Deduplicate(_) | NodeKind::Normalize(_) => "one row for each key, for ever unless a state TTL is set",
        NodeKind::Sort(_) => "the rows that wait for the watermark",
        NodeKind::Limit(_) => "the rows in the range",
        NodeKind::MatchRecognize(_) => "the rows of partial matches",
        NodeKind::Calc(_)
        | NodeKind::Expand(_)
        | NodeKind::Unnest(_)
        | NodeKind::Correlate(_)
        | NodeKind::AssignWindows(_)
        | NodeKind::LookupJoin(_)
        | NodeKind::Union
        | NodeKind::Sink(_) => return None,
    })
}

fn calculation(calc: &Calc, input: &Schema) -> Vec<String> {
    let filter = calc.filter.iter().map(|filter| format!("where: {}", text(filter, input)));
    let select = calc.projection.iter().map(|named| match text(&named.expression, input) {
        same if same == named.name => same,
        computed => format!("{computed} AS {}", named.name),
    });
    let select = select.collect::<Vec<_>>().join(", ");
    filter.chain([format!("select: {select}")]).collect()
}

fn aggregation(aggregate: &WindowAggregate, input: &Schema) -> Vec<String> {
    let (Windows::Of { time_column: time, clock, .. } | Windows::Attached { end: time, clock, .. }) = aggregate.windows;
    let time = match clock {
        Clock::Event => column(time, input),
        Clock::Processing => format!("{} (processing time)", column(time, input)),
    };
    let outputs = aggregate.output.iter().map(|output| match output {
        WindowOutput::Start => "window_start",
        WindowOutput::End => "window_end",
        WindowOutput::Time => "window_time",
    });
    let mut details = vec![
        format!("time: {time}"),
        format!("keys: {}", columns(&aggregate.keys, input)),
        calls(&aggregate.aggregates, input),
        format!("window columns: {}", listed(outputs.map(str::to_string).collect())),
    ];
    details.extend(aggregate.firing.map(fires));
    details
}

fn fires(firing: Firing) -> String {
    let after = |delay: u64| match delay {
        0 => "as rows come".to_string(),
        delay => format!("{} after a row has come", duration(delay as i64)),
    };
    let early = firing.early_ms.map(|delay| format!("before the end, {}", after(delay)));
    let late = firing.late.map(|late| {
        let lateness = duration(late.lateness_ms as i64);
        format!("for {lateness} after the end, {}", after(late.delay_ms))
    });
    format!("put out at the end and {}", early.into_iter().chain(late).collect::<Vec<_>>().join(" and "))
}

fn joined(on: &JoinOn, inputs: &[&Schema]) -> Vec<String> {
    let [left, right] = inputs else { return Vec::new() };
    let keys = on.keys.iter().map(|key| {
        let sign = if key.nulls_equal { "IS NOT DISTINCT FROM" } else { "=" };
        format!("{} {sign} {}", column(key.left, left), column(key.right, right))
    });
    let both = Schema::new(left.fields().iter().chain(right.fields()).cloned().collect::<Vec<_>>());
    let condition = on.condition.iter().map(|condition| format!("where: {}", text(condition, &both)));
    std::iter::once(format!("keys: {}", listed(keys.collect()))).chain(condition).collect()
}

pub(super) fn join_name(kind: JoinKind) -> &'static str {
    match kind {
        JoinKind::Inner => "inner",
        JoinKind::Left => "left",
        JoinKind::Right => "right",
        JoinKind::Full => "full",
        JoinKind::Semi => "semi",
        JoinKind::Anti => "anti",
    }
}

fn ranking(rank: &Rank, input: &Schema) -> Vec<String> {
    let mut lines = vec![format!("partition: {}", columns(&rank.partition, input)), sort_order(&rank.order, input)];
    if let RankEmit::AtWindowEnd { window_end } = rank.emit {
        lines.push(format!("when over: {}", column(window_end, input)));
    }
    if rank.newest_first {
        lines.push("of equal rows: the last that has come is the first".to_string());
    }
    lines
}

pub(super) fn sort_order(order: &[SortKey], input: &Schema) -> String {
    let keys = order.iter().map(|key| {
        let direction = if key.descending { " DESC" } else { "" };
        let nulls = match (key.descending, key.nulls_first) {
            (false, false) => " NULLS LAST",
            (true, true) => " NULLS FIRST",
            _ => "",
        };
        format!("{}{direction}{nulls}", column(key.column, input))
    });
    format!("order: {}", listed(keys.collect()))
}

fn frame(frame: Frame) -> String {
    match frame {
        Frame::Rows { preceding: None } => "frame: all rows before".to_string(),
        Frame::Rows { preceding: Some(rows) } => format!("frame: {rows} rows before"),
        Frame::Range { preceding_ms: None } => "frame: all rows up to this time".to_string(),
        Frame::Range { preceding_ms: Some(preceding) } => format!("frame: {} before", duration(preceding)),
    }
}

fn windows(windows: &Windows) -> String {
    match windows {
        Windows::Of { window: of, .. } => window(of),
        Windows::Attached { .. } => "those that the rows name".to_string(),
    }
}

fn window(window: &Window) -> String {
    let offset =
        |offset_ms: i64| if offset_ms == 0 { String::new() } else { format!(", offset {}", duration(offset_ms)) };
    match window {
        Window::Tumble { size_ms, offset_ms } => format!("TUMBLE size {}{}", duration(*size_ms), offset(*offset_ms)),
        Window::Hop { size_ms, slide_ms, offset_ms } => {
            format!("HOP slide {}, size {}{}", duration(*slide_ms), duration(*size_ms), offset(*offset_ms))
        }
        Window::Cumulate { size_ms, step_ms, offset_ms } => {
            format!("CUMULATE step {}, size {}{}", duration(*step_ms), duration(*size_ms), offset(*offset_ms))
        }
        Window::Session { gap_ms } => format!("SESSION gap {}", duration(*gap_ms)),
    }
}

pub(super) fn duration(ms: i64) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s")];
    let exact = units.iter().find(|(unit, _)| ms % unit == 0 && ms != 0);
    exact.map_or(format!("{ms} ms"), |(unit, name)| format!("{} {name}", ms / unit))
}

pub(super) fn columns(places: &[usize], input: &Schema) -> String {
    listed(places.iter().map(|place| column(*place, input)).collect())
}

pub(super) fn listed(parts: Vec<String>) -> String {
    if parts.is_empty() { "none".to_string() } else { parts.join(", ") }
}
