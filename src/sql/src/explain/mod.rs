//! EXPLAIN: a plan as text, for people and for golden files. Sinks stand at the top, what they read is indented below.

mod expression;

use std::collections::BTreeSet;
use std::fmt::Write;

use arrow_schema::Schema;
use tidemill_plan::{
    AggregateCall, AggregateFunction, Calc, NodeKind, PlanNode, StreamPlan, Window, WindowAggregate, WindowOutput,
    Windows,
};

use crate::types;
use expression::{column, text};

pub(crate) fn plan(plan: &StreamPlan) -> String {
    let mut out = String::new();
    let mut shown = BTreeSet::new();
    for (place, _) in plan.nodes.iter().enumerate().filter(|(_, node)| matches!(node.kind, NodeKind::Sink(_))) {
        if !out.is_empty() {
            out.push('\n');
        }
        tree(plan, place, 0, &mut shown, &mut out);
    }
    out
}

fn tree(plan: &StreamPlan, place: usize, depth: usize, shown: &mut BTreeSet<usize>, out: &mut String) {
    let node = &plan.nodes[place];
    let indent = "  ".repeat(depth);
    if !shown.insert(place) {
        line(out, &indent, &format!("{} (see above)", node.uid));
        return;
    }
    line(out, &indent, &format!("{}: {}", node.uid, title(node)));
    for detail in details(plan, node) {
        line(out, &indent, &format!("    {detail}"));
    }
    for input in &node.inputs {
        tree(plan, *input, depth + 1, shown, out);
    }
}

fn line(out: &mut String, indent: &str, text: &str) {
    let _ = writeln!(out, "{indent}{text}");
}

fn title(node: &PlanNode) -> String {
    match &node.kind {
        NodeKind::Source(source) => format!("read {} ({})", source.table.name, source.table.connector),
        NodeKind::Calc(_) => "calculate".to_string(),
        NodeKind::WindowAggregate(aggregate) => format!("aggregate in windows: {}", windows(&aggregate.windows)),
        NodeKind::Sink(sink) => format!("write {} ({})", sink.table.name, sink.table.connector),
        _ => "".to_string(),
    }
}

fn details(plan: &StreamPlan, node: &PlanNode) -> Vec<String> {
    let input = node.inputs.first().map(|input| plan.nodes[*input].schema.clone());
    let input = input.unwrap_or_else(|| node.schema.clone());
    let columns = format!("columns: {}", columns(&node.schema));
    let changelog = "changelog: append".to_string();
    match &node.kind {
        NodeKind::Source(source) => {
            let mut lines = vec![columns];
            if let Some(watermark) = &source.watermark {
                lines.push(format!("watermark: {}", text(&watermark.expression, &input)));
                lines.extend(watermark.idle_timeout_ms.map(|timeout| format!("idle after: {timeout} ms")));
            }
            lines.extend([changelog, "state: one position for each split".to_string()]);
            lines
        }
        NodeKind::Calc(calc) => calculation(calc, &input).into_iter().chain([columns, changelog]).collect(),
        NodeKind::WindowAggregate(aggregate) => {
            let state = "state: one row for each key in each open window, until the watermark passes the window's end";
            let lines = aggregation(aggregate, &input).into_iter();
            lines.chain([columns, changelog, state.to_string()]).collect()
        }
        _ => vec![columns, changelog],
    }
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
    let (Windows::Of { time_column, .. } | Windows::Attached { end: time_column, .. }) = aggregate.windows;
    let keys: Vec<String> = aggregate.keys.iter().map(|key| column(*key, input)).collect();
    let calls: Vec<String> = aggregate.aggregates.iter().map(|aggregate| call(aggregate, input)).collect();
    let outputs = aggregate.output.iter().map(|output| match output {
        WindowOutput::Start => "window_start",
        WindowOutput::End => "window_end",
        WindowOutput::Time => "window_time",
    });
    let none = |list: Vec<String>| if list.is_empty() { "none".to_string() } else { list.join(", ") };
    vec![
        format!("time: {}", column(time_column, input)),
        format!("keys: {}", none(keys)),
        format!("aggregates: {}", none(calls)),
        format!("window columns: {}", none(outputs.map(str::to_string).collect())),
    ]
}

fn call(call: &AggregateCall, input: &Schema) -> String {
    let name = match &call.function {
        AggregateFunction::Count => "COUNT",
        AggregateFunction::Sum => "SUM",
        AggregateFunction::Min => "MIN",
        AggregateFunction::Max => "MAX",
        AggregateFunction::Avg => "AVG",
        other => return format!("{other:?}"),
    };
    let argument = call.argument.map_or("*".to_string(), |place| column(place, input));
    let filter = call.filter.map(|place| format!(" FILTER (WHERE {})", column(place, input)));
    format!("{name}({argument}){}", filter.unwrap_or_default())
}

fn windows(windows: &Windows) -> String {
    match windows {
        Windows::Of { window: of, .. } => window(of),
        Windows::Attached { .. } => "those of the rows".to_string(),
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

fn duration(ms: i64) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s")];
    let exact = units.iter().find(|(unit, _)| ms % unit == 0);
    exact.map_or(format!("{ms} ms"), |(unit, name)| format!("{} {name}", ms / unit))
}

fn columns(schema: &Schema) -> String {
    let columns = schema.fields().iter().map(|field| format!("{} {}", field.name(), types::name(field.data_type())));
    columns.collect::<Vec<_>>().join(", ")
}
