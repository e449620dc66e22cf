//! What a plan becomes in the session's time zone: planning is done as if that were UTC, and here everything that
//! depends on it is told so.
//!
//! Expressions get the zone where a TIMESTAMP_LTZ meets local time: in casts, constants, and functions of the calendar.
//! Windows over a TIMESTAMP_LTZ are windows of local time, as in Flink: their rows get local times, so that a day has 23
//! or 25 hours where clocks are changed, and an hour that comes twice is one window.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};
use tidemill_plan::functions::{INSTANT_OF, LOCAL_OF};
use tidemill_plan::{
    AggregateFunction, Calc, Expression, JoinOn, JoinTimes, Literal, NamedExpression, NodeKind, PlanNode, RankEmit,
    StreamPlan, Twice, WindowOutput, Windows, Zone,
};

use crate::check::type_of;
use crate::types::{TIMESTAMP, timestamp_ltz};

/// The plan in a time zone; or why it cannot be.
pub(crate) fn localised(plan: StreamPlan, name: &str) -> Result<StreamPlan, String> {
    let Some(zone) = Zone::named(name).filter(|zone| !zone.is_utc()) else { return Ok(plan) };
    let session = Session { name, zone };
    let mut laid = Laid { session, old: &plan, nodes: Vec::new(), moved: Vec::new(), bounds: Vec::new() };
    for place in 0..plan.nodes.len() {
        laid.node(place)?;
    }
    Ok(StreamPlan { nodes: laid.nodes })
}

struct Session<'a> {
    name: &'a str,
    zone: Zone,
}

struct Laid<'a> {
    session: Session<'a>,
    old: &'a StreamPlan,
    nodes: Vec<PlanNode>,
    /// Where the old nodes are now.
    moved: Vec<usize>,
    /// The columns of the old nodes that are bounds of windows of local time.
    bounds: Vec<BTreeSet<usize>>,
}

impl Laid<'_> {
    fn node(&mut self, place: usize) -> Result<(), String> {
        let plan = self.old;
        let inputs: Vec<&Schema> = plan.inputs(&plan.nodes[place]).map(|input| &*input.schema).collect();
        let mut node = plan.nodes[place].clone();
        self.session.rewrite(&mut node, &inputs);
        let bounds = self.bounds_of(&node);
        self.set_local_time(&mut node)?;
        node.inputs = node.inputs.iter().map(|input| self.moved[*input]).collect();
        let place = match time_of(&node, &self.nodes) {
            Some(column) => self.windowed(node, column),
            None => self.push(node),
        };
        self.moved.push(place);
        self.bounds.push(bounds);
        Ok(())
    }

    fn push(&mut self, node: PlanNode) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// A node that puts rows into windows by their TIMESTAMP_LTZ: they get their local time before, and the windows'
    /// time becomes a TIMESTAMP_LTZ again behind.
    fn windowed(&mut self, mut node: PlanNode, column: usize) -> usize {
        let input = self.nodes[node.inputs[0]].clone();
        let width = input.schema.fields().len();
        let name = format!("{} in local time", input.schema.field(column).name());
        let field = Arc::new(Field::new(name, TIMESTAMP, true));
        let mut columns: Vec<Expression> = (0..width).map(Expression::Column).collect();
        columns.push(self.session.local_of(Expression::Column(column)));
        let fields = input.schema.fields().iter().cloned().chain([field.clone()]).collect();
        let before = self.calc(&format!("local-{}", node.uid), node.inputs[0], columns, fields);
        node.inputs = vec![before];
        let uid = node.uid.clone();
        let wanted = node.schema.clone();
        let (times, dropped) = match &mut node.kind {
            NodeKind::AssignWindows(assign) => {
                assign.time_column = width;
                (vec![width + 2], Some(width))
            }
            NodeKind::WindowAggregate(aggregate) => {
                if let Windows::Of { time_column, .. } = &mut aggregate.windows {
                    *time_column = width;
                }
                let first = aggregate.keys.len() + aggregate.aggregates.len();
                let outputs = aggregate.output.iter().enumerate();
                let times =
                    outputs.filter(|(_, output)| **output == WindowOutput::Time).map(|(place, _)| first + place);
                (times.collect(), None)
            }
            _ => unreachable!("only these put rows into windows by their time"),
        };
        // What the node puts out: local times, and for windows assigned to rows the time that they were assigned by.
        let mut fields: Vec<Arc<Field>> = wanted.fields().iter().cloned().collect();
        for time in &times {
            fields[*time] = Arc::new(Field::new(fields[*time].name(), TIMESTAMP, true));
        }
        if let Some(place) = dropped {
            fields.insert(place, field);
        }
        node.schema = Arc::new(Schema::new(fields));
        let node = self.push(node);
        if times.is_empty() && dropped.is_none() {
            return node;
        }
        let columns = (0..wanted.fields().len()).map(|place| {
            let from = if dropped.is_some_and(|dropped| place >= dropped) { place + 1 } else { place };
            let value = Expression::Column(from);
            if times.contains(&place) { self.session.instant_of(value) } else { value }
        });
        let columns = columns.collect();
        self.calc(&format!("instant-{uid}"), node, columns, wanted.fields().iter().cloned().collect())
    }

    fn calc(&mut self, uid: &str, input: usize, columns: Vec<Expression>, fields: Vec<Arc<Field>>) -> usize {
        let named = fields.iter().zip(columns);
        let projection = named.map(|(field, expression)| NamedExpression { name: field.name().clone(), expression });
        let kind = NodeKind::Calc(Calc { filter: None, projection: projection.collect() });
        let changelog = self.nodes[input].changelog.clone();
        let schema = Arc::new(Schema::new(fields));
        self.push(PlanNode { uid: uid.to_string(), inputs: vec![input], kind, schema, changelog, local_time: None })
    }

    /// Tells an operator that its windows are of local time, if they are.
    fn set_local_time(&self, node: &mut PlanNode) -> Result<(), String> {
        let is_bound = |input: usize, column: &usize| self.bounds[node.inputs[input]].contains(column);
        let is_local = match &node.kind {
            NodeKind::WindowAggregate(aggregate) => match &aggregate.windows {
                Windows::Of { time_column, .. } => {
                    *self.old.nodes[node.inputs[0]].schema.field(*time_column).data_type() == timestamp_ltz()
                }
                Windows::Attached { end, .. } => is_bound(0, end),
            },
            NodeKind::Rank(rank) => match &rank.emit {
                RankEmit::AtWindowEnd { window_end } => is_bound(0, window_end),
                RankEmit::Changes => false,
            },
            NodeKind::IntervalJoin(join) if join.times == JoinTimes::WindowEnds => {
                match (is_bound(0, &join.left_time), is_bound(1, &join.right_time)) {
                    (left, right) if left == right => left,
                    _ => {
                        let problem = "windows over a TIMESTAMP are joined with windows over a TIMESTAMP_LTZ, which are of \
                                       local time";
                        return Err(problem.to_string());
                    }
                }
            }
            _ => false,
        };
        if is_local {
            node.local_time = Some(self.session.name.to_string());
        }
        Ok(())
    }

    /// The columns of a node that are bounds of windows of local time.
    fn bounds_of(&self, node: &PlanNode) -> BTreeSet<usize> {
        let below = |input: usize| self.bounds[node.inputs[input]].clone();
        let width = |input: usize| self.old.nodes[node.inputs[input]].schema.fields().len();
        match &node.kind {
            NodeKind::Source(_) => BTreeSet::new(),
            NodeKind::Calc(calc) => picked(&below(0), calc.projection.iter().map(|named| &named.expression)),
            NodeKind::Expand(expand) => match expand.projections.first() {
                Some(first) => picked(&below(0), first.iter()),
                None => BTreeSet::new(),
            },
            NodeKind::AssignWindows(assign) => {
                let is_local =
                    *self.old.nodes[node.inputs[0]].schema.field(assign.time_column).data_type() == timestamp_ltz();
                let own = if is_local { vec![width(0), width(0) + 1] } else { Vec::new() };
                below(0).into_iter().chain(own).collect()
            }
            NodeKind::WindowAggregate(aggregate) => {
                let is_local = match &aggregate.windows {
                    Windows::Of { time_column, .. } => {
                        *self.old.nodes[node.inputs[0]].schema.field(*time_column).data_type() == timestamp_ltz()
                    }
                    Windows::Attached { end, .. } => below(0).contains(end),
                };
                let first = aggregate.keys.len() + aggregate.aggregates.len();
                let outputs = aggregate.output.iter().enumerate();
                let own = outputs.filter(|(_, output)| is_local && **output != WindowOutput::Time);
                own.map(|(place, _)| first + place).collect()
            }
            NodeKind::GroupAggregate(aggregate) => {
                let below = below(0);
                let keys = aggregate.keys.iter().enumerate();
                keys.filter(|(_, key)| below.contains(key)).map(|(place, _)| place).collect()
            }
            NodeKind::Join(_) | NodeKind::IntervalJoin(_) | NodeKind::TemporalJoin(_) => {
                let right = below(1).into_iter().map(|place| place + width(0));
                below(0).into_iter().chain(right).filter(|place| *place < node.schema.fields().len()).collect()
            }
            NodeKind::MatchRecognize(_) => BTreeSet::new(),
            NodeKind::Unnest(_)
            | NodeKind::Correlate(_)
            | NodeKind::Over(_)
            | NodeKind::LookupJoin(_)
            | NodeKind::Rank(_)
            | NodeKind::Deduplicate(_)
            | NodeKind::Normalize(_)
            | NodeKind::Sort(_)
            | NodeKind::Limit(_)
            | NodeKind::Union
            | NodeKind::Sink(_) => below(0),
        }
    }
}

/// The places of those of the columns that are one of these below.
fn picked<'e>(below: &BTreeSet<usize>, columns: impl Iterator<Item = &'e Expression>) -> BTreeSet<usize> {
    let is_bound = |expression: &Expression| matches!(expression, Expression::Column(place) if below.contains(place));
    columns.enumerate().filter(|(_, expression)| is_bound(expression)).map(|(place, _)| place).collect()
}

/// The TIMESTAMP_LTZ by which a node puts rows into windows.
fn time_of(node: &PlanNode, nodes: &[PlanNode]) -> Option<usize> {
    let column = match &node.kind {
        NodeKind::AssignWindows(assign) => assign.time_column,
        NodeKind::WindowAggregate(aggregate) => match aggregate.windows {
            Windows::Of { time_column, .. } => time_column,
            Windows::Attached { .. } => return None,
        },
        _ => return None,
    };
    let input = &nodes[*node.inputs.first()?].schema;
    (*input.field(column).data_type() == timestamp_ltz()).then_some(column)
}

impl Session<'_> {
    fn local_of(&self, instant: Expression) -> Expression {
        self.call(LOCAL_OF, instant, TIMESTAMP)
    }

    fn instant_of(&self, local: Expression) -> Expression {
        self.call(INSTANT_OF, local, timestamp_ltz())
    }

    fn call(&self, function: &str, value: Expression, returns: DataType) -> Expression {
        let arguments = vec![value, self.name()];
        Expression::Call { function: function.to_string(), arguments, returns }
    }

    fn name(&self) -> Expression {
        Expression::Literal(Literal::Utf8(self.name.to_string()))
    }

    /// The expressions of a node.
    fn rewrite(&self, node: &mut PlanNode, inputs: &[&Schema]) {
        let own = node.schema.clone();
        let input = inputs.first().copied().unwrap_or(&own);
        let both = || Schema::new(inputs.iter().flat_map(|input| input.fields()).cloned().collect::<Vec<_>>());
        let each = |expression: &mut Expression, schema: &Schema| *expression = self.expression(expression, schema);
        let on =
            |on: &mut JoinOn, schema: &Schema| on.condition.iter_mut().for_each(|condition| each(condition, schema));
        match &mut node.kind {
            NodeKind::Source(source) => {
                source.watermark.iter_mut().for_each(|watermark| each(&mut watermark.expression, &own));
            }
            NodeKind::Calc(calc) => {
                calc.filter.iter_mut().for_each(|filter| each(filter, input));
                calc.projection.iter_mut().for_each(|named| each(&mut named.expression, input));
            }
            NodeKind::Expand(expand) => {
                expand.projections.iter_mut().flatten().for_each(|expression| each(expression, input));
            }
            NodeKind::Join(join) => on(&mut join.on, &both()),
            NodeKind::IntervalJoin(join) => on(&mut join.on, &both()),
            NodeKind::TemporalJoin(join) => on(&mut join.on, &both()),
            NodeKind::LookupJoin(join) => {
                let fields = input.fields().iter().chain(join.table_schema.fields());
                let schema = Schema::new(fields.cloned().collect::<Vec<_>>());
                on(&mut join.on, &schema);
            }
            NodeKind::MatchRecognize(matches) => {
                matches.values_mut().into_iter().for_each(|value| each(value, input));
                let variables = matches.variables.iter_mut().filter_map(|variable| variable.condition.as_mut());
                for value in variables.chain(matches.measures.iter_mut().map(|measure| &mut measure.value)) {
                    if let Ok(read) = crate::check::read_of(value, input) {
                        each(&mut value.expression, &read);
                    }
                }
            }
            NodeKind::Over(over) => {
                for call in &mut over.aggregates {
                    if let AggregateFunction::Lag { default: Some(default), .. } = &mut call.function {
                        *default = self.literal(default.clone());
                    }
                }
            }
            _ => {}
        }
    }

    /// The expression over columns of a schema.
    fn expression(&self, expression: &Expression, schema: &Schema) -> Expression {
        let made = expression.with_children(&|inner| self.expression(inner, schema));
        let type_of = |inner: &Expression| type_of(inner, schema).unwrap_or(DataType::Null);
        match (expression, made) {
            (_, Expression::Literal(literal)) => Expression::Literal(self.literal(literal)),
            (Expression::Cast { expression: before, .. }, Expression::Cast { expression: value, to, or_null }) => {
                let cast = |value, to| Expression::Cast { expression: Box::new(value), to, or_null };
                match (type_of(before), to) {
                    (from, to) if from == timestamp_ltz() && to == TIMESTAMP => self.local_of(*value),
                    (from, to) if from == timestamp_ltz() && to != from => cast(self.local_of(*value), to),
                    (from, to) if from == TIMESTAMP && to == timestamp_ltz() => self.instant_of(*value),
                    (from, to) if from != to && to == timestamp_ltz() => self.instant_of(cast(*value, TIMESTAMP)),
                    (_, to) => cast(*value, to),
                }
            }
            (Expression::Call { arguments: before, .. }, Expression::Call { function, arguments, returns }) => {
                let types: Vec<DataType> = before.iter().map(type_of).collect();
                self.called(function, arguments, &types, returns)
            }
            (_, other) => other,
        }
    }

    fn called(
        &self,
        function: String,
        mut arguments: Vec<Expression>,
        types: &[DataType],
        returns: DataType,
    ) -> Expression {
        let call = |function: &str, arguments: Vec<Expression>, returns: DataType| Expression::Call {
            function: function.to_string(),
            arguments,
            returns,
        };
        let now = || self.local_of(call("current_timestamp", Vec::new(), timestamp_ltz()));
        let text = |text: &str| Expression::Literal(Literal::Utf8(text.to_string()));
        let place = types.iter().position(|data_type| *data_type == timestamp_ltz());
        match (function.as_str(), place) {
            ("date_format" | "extract", Some(place)) => {
                arguments[place] = self.local_of(arguments[place].clone());
                call(&function, arguments, returns)
            }
            ("floor_time" | "ceil_time", Some(_)) => {
                arguments.push(self.name());
                call(&function, arguments, returns)
            }
            ("localtimestamp", _) => now(),
            ("current_date", _) => Expression::Cast { expression: Box::new(now()), to: returns, or_null: false },
            ("current_time", _) => {
                let seconds = call("floor_time", vec![text("SECOND"), now()], TIMESTAMP);
                Expression::Cast { expression: Box::new(seconds), to: returns, or_null: false }
            }
            ("from_unixtime", _) => {
                let mut arguments = arguments.into_iter();
                let seconds = arguments.next().into_iter().chain([Expression::Literal(Literal::Int64(0))]);
                let instant = call("to_timestamp_ltz", seconds.collect(), timestamp_ltz());
                let pattern = arguments.next().unwrap_or_else(|| text("yyyy-MM-dd HH:mm:ss"));
                call("date_format", vec![self.local_of(instant), pattern], returns)
            }
            ("unix_timestamp", _) if !arguments.is_empty() => {
                if arguments.len() < 2 {
                    arguments.push(text("yyyy-MM-dd HH:mm:ss"));
                }
                arguments.push(self.name());
                call(&function, arguments, returns)
            }
            _ => call(&function, arguments, returns),
        }
    }

    /// A TIMESTAMP_LTZ is written as what clocks show.
    fn literal(&self, literal: Literal) -> Literal {
        match literal {
            Literal::TimestampMillis { value, zone: Some(zone) } => {
                let value = self.zone.instant_of(value, Twice::First);
                Literal::TimestampMillis { value, zone: Some(zone) }
            }
            other => other,
        }
    }
}
