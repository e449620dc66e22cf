//! What must hold for every plan, computed anew from the plan alone. Used by tests and `debug_assert!`.

use std::collections::BTreeSet;

use arrow_schema::{DataType, Schema, TimeUnit};
use tidemill_plan::functions;
use tidemill_plan::{
    AggregateCall, AggregateFunction, BinaryOperator, Expression, JoinKind, JoinOn, Literal, MatchRecognize, NodeKind,
    PatternExpression, PlanNode, Reference, StreamPlan, WindowAggregate, WindowOutput, Windows,
};

use crate::changelog::read_as;
use crate::optimise::is_left_only;
use crate::relation::Field;
use crate::types::{self, INTERVAL, TIMESTAMP, timestamp_ltz};
use crate::user;

/// Everything that is wrong with a plan; empty for a sound one.
pub(crate) fn violations(plan: &StreamPlan) -> Vec<String> {
    let mut found = Vec::new();
    let mut uids = BTreeSet::new();
    for (place, node) in plan.nodes.iter().enumerate() {
        let well_formed = node.uid.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if !uids.insert(&node.uid) || !well_formed || node.uid.is_empty() {
            found.push(format!("the uid `{}` is not unique or not well formed", node.uid));
        }
        if node.inputs.iter().any(|input| *input >= place) {
            found.push(format!("{} stands before its input", node.uid));
            continue;
        }
        let inputs: Vec<&Schema> = node.inputs.iter().map(|input| &*plan.nodes[*input].schema).collect();
        found.extend(of_node(node, &inputs).err().map(|problem| format!("{}: {problem}", node.uid)));
    }
    found
}

fn of_node(node: &PlanNode, inputs: &[&Schema]) -> Result<(), String> {
    let types: Vec<DataType> = node.schema.fields().iter().map(|field| field.data_type().clone()).collect();
    match (&node.kind, inputs) {
        (NodeKind::Source(source), []) if node.changelog != read_as(&source.table, &node.schema) => {
            Err(format!("its changelog is not that of its table: {:?}", node.changelog))
        }
        (NodeKind::Source(source), []) => match &source.watermark {
            Some(watermark) => expect(&[TIMESTAMP, timestamp_ltz()], &type_of(&watermark.expression, &node.schema)?),
            None => Ok(()),
        },
        (NodeKind::Calc(calc), [input]) => {
            if let Some(filter) = &calc.filter {
                expect(&[DataType::Boolean], &type_of(filter, input)?)?;
            }
            let computed: Vec<DataType> =
                calc.projection.iter().map(|named| type_of(&named.expression, input)).collect::<Result<_, _>>()?;
            same(&types, &computed)
        }
        (NodeKind::Expand(expand), [input]) => expand.projections.iter().try_for_each(|projection| {
            let computed =
                projection.iter().map(|expression| type_of(expression, input)).collect::<Result<Vec<_>, _>>();
            same(&types, &computed?)
        }),
        (NodeKind::WindowAggregate(aggregate), [input]) => same(&types, &in_windows(aggregate, input)?),
        (NodeKind::GroupAggregate(aggregate), [input]) => {
            same(&types, &aggregated(&aggregate.keys, &aggregate.aggregates, input)?)
        }
        (NodeKind::Over(over), [input]) => {
            let every: Vec<usize> = (0..input.fields().len()).collect();
            over.partition.iter().try_for_each(|key| column(input, *key).map(drop))?;
            same(&types, &aggregated(&every, &over.aggregates, input)?)
        }
        (NodeKind::AssignWindows(assign), [input]) => {
            let time = time_column(input, assign.time_column)?;
            same(&types, &[all(input), vec![TIMESTAMP, TIMESTAMP, time]].concat())
        }
        (NodeKind::Join(join), [left, right]) => joined(&types, join.kind, &join.on, left, right),
        (NodeKind::IntervalJoin(join), [left, right]) => {
            time_column(left, join.left_time)?;
            time_column(right, join.right_time)?;
            joined(&types, join.kind, &join.on, left, right)
        }
        (NodeKind::TemporalJoin(join), [left, right]) => {
            time_column(left, join.left_time)?;
            time_column(right, join.right_time)?;
            joined(&types, join.kind, &join.on, left, right)
        }
        (NodeKind::LookupJoin(join), [left]) => joined(&types, join.kind, &join.on, left, &join.table_schema),
        (NodeKind::Rank(rank), [input]) => {
            let keys = rank.partition.iter().copied().chain(rank.order.iter().map(|key| key.column));
            keys.into_iter().try_for_each(|key| column(input, key).map(drop))?;
            let number = rank.with_number.then_some(DataType::Int64);
            same(&types, &all(input).into_iter().chain(number).collect::<Vec<_>>())
        }
        (NodeKind::Deduplicate(_) | NodeKind::Normalize(_) | NodeKind::Sort(_) | NodeKind::Limit(_), [input]) => {
            same(&types, &all(input))
        }
        (NodeKind::Union, [_, ..]) => inputs.iter().try_for_each(|input| same(&types, &all(input))),
        // What these make of a row is known to their own rules only.
        (NodeKind::Unnest(_), [_]) => Ok(()),
        (NodeKind::Correlate(correlate), [input]) => {
            let (parameters, results) = user::types_of(&correlate.function)?;
            let arguments = correlate.arguments.iter().map(|place| column(input, *place));
            same(&parameters, &arguments.collect::<Result<Vec<_>, _>>()?)?;
            same(&types, &[all(input), results].concat())
        }
        (NodeKind::MatchRecognize(matches), [input]) => same(&types, &matched(matches, input)?),
        (NodeKind::Sink(_), [input]) => same(&types, &all(input)),
        _ => Err(format!("has {} inputs", inputs.len())),
    }
}

fn all(input: &Schema) -> Vec<DataType> {
    input.fields().iter().map(|field| field.data_type().clone()).collect()
}

fn time_column(input: &Schema, place: usize) -> Result<DataType, String> {
    let time = column(input, place)?;
    expect(&[TIMESTAMP, timestamp_ltz()], &time).map(|()| time)
}

fn joined(types: &[DataType], kind: JoinKind, on: &JoinOn, left: &Schema, right: &Schema) -> Result<(), String> {
    for key in &on.keys {
        expect(&[column(left, key.left)?], &column(right, key.right)?)?;
    }
    let both = Schema::new(left.fields().iter().chain(right.fields()).cloned().collect::<Vec<_>>());
    if let Some(condition) = &on.condition {
        expect(&[DataType::Boolean], &type_of(condition, &both)?)?;
    }
    same(types, &if is_left_only(kind) { all(left) } else { all(&both) })
}

fn in_windows(aggregate: &WindowAggregate, input: &Schema) -> Result<Vec<DataType>, String> {
    let time = match aggregate.windows {
        Windows::Of { time_column: place, .. } => time_column(input, place)?,
        Windows::Attached { start, end, .. } => {
            expect(&[TIMESTAMP], &column(input, start)?)?;
            column(input, end)?
        }
    };
    let mut types = aggregated(&aggregate.keys, &aggregate.aggregates, input)?;
    types.extend(aggregate.output.iter().map(|output| match output {
        WindowOutput::Start | WindowOutput::End => TIMESTAMP,
        WindowOutput::Time => time.clone(),
    }));
    Ok(types)
}

fn aggregated(keys: &[usize], calls: &[AggregateCall], input: &Schema) -> Result<Vec<DataType>, String> {
    let mut types: Vec<DataType> = keys.iter().map(|key| column(input, *key)).collect::<Result<_, _>>()?;
    for call in calls {
        if let Some(filter) = call.filter {
            expect(&[DataType::Boolean], &column(input, filter)?)?;
        }
        let argument = call.argument.map(|argument| column(input, argument)).transpose()?;
        types.push(result_type(&call.function, argument)?);
    }
    Ok(types)
}

fn result_type(function: &AggregateFunction, argument: Option<DataType>) -> Result<DataType, String> {
    use AggregateFunction::*;
    match (function, argument) {
        (Count | RowNumber | ApproxCountDistinct, _) => Ok(DataType::Int64),
        (Avg, Some(DataType::Decimal128(38, scale))) => Ok(DataType::Decimal128(38, scale.max(6))),
        (Sum | Avg, Some(argument @ (DataType::Int64 | DataType::Float64 | DataType::Decimal128(38, _)))) => {
            Ok(argument)
        }
        (Min | Max | FirstValue | LastValue | Lag { .. }, Some(argument)) => Ok(argument),
        (StddevPop | StddevSamp | VarPop | VarSamp, Some(DataType::Float64)) => Ok(DataType::Float64),
        (ListAgg { .. }, Some(DataType::Utf8)) => Ok(DataType::Utf8),
        (Collect, Some(argument)) => Ok(types::multiset(argument)),
        (ArrayAgg, Some(argument)) => Ok(types::array(argument)),
        (Percentile { .. }, Some(DataType::Float64)) => Ok(DataType::Float64),
        (function, argument) => Err(format!("{function:?} of {argument:?}")),
    }
}

fn matched(matches: &MatchRecognize, input: &Schema) -> Result<Vec<DataType>, String> {
    time_column(input, matches.time_column)?;
    matches.then.iter().try_for_each(|key| column(input, key.column).map(drop))?;
    for condition in matches.variables.iter().filter_map(|variable| variable.condition.as_ref()) {
        expect(&[DataType::Boolean], &of_match(condition, input)?)?;
    }
    let mut types: Vec<DataType> = matches.partition.iter().map(|key| column(input, *key)).collect::<Result<_, _>>()?;
    for measure in &matches.measures {
        types.push(of_match(&measure.value, input)?);
    }
    Ok(types)
}

fn of_match(value: &PatternExpression, input: &Schema) -> Result<DataType, String> {
    type_of(&value.expression, &read_of(value, input)?)
}

/// The columns that an expression of a pattern reads.
pub(crate) fn read_of(value: &PatternExpression, input: &Schema) -> Result<Schema, String> {
    let read = value.references.iter().map(|reference| match reference {
        Reference::Row { value, .. } => type_of(value, input),
        Reference::Aggregate { function, argument, .. } => {
            result_type(function, argument.as_ref().map(|argument| type_of(argument, input)).transpose()?)
        }
    });
    let read = read.map(|found| Ok(arrow_schema::Field::new("", found?, true)));
    Ok(Schema::new(read.collect::<Result<Vec<_>, String>>()?))
}

fn column(input: &Schema, place: usize) -> Result<DataType, String> {
    let field = input.fields().get(place).ok_or(format!("there is no column {place}"))?;
    Ok(field.data_type().clone())
}

fn expect(allowed: &[DataType], found: &DataType) -> Result<(), String> {
    if allowed.contains(found) { Ok(()) } else { Err(format!("{found} is none of {allowed:?}")) }
}

fn same(declared: &[DataType], computed: &[DataType]) -> Result<(), String> {
    if declared == computed { Ok(()) } else { Err(format!("declares {declared:?} but computes {computed:?}")) }
}

/// The type of an expression over these columns.
pub(crate) fn type_over(expression: &Expression, fields: &[Field]) -> DataType {
    let columns = fields.iter().map(|field| arrow_schema::Field::new(&field.name, field.data_type.clone(), true));
    let schema = Schema::new(columns.collect::<Vec<_>>());
    type_of(expression, &schema).unwrap_or_else(|problem| unreachable!("binding gives sound expressions: {problem}"))
}

/// The type that Arrow's kernels give.
pub(crate) fn type_of(expression: &Expression, input: &Schema) -> Result<DataType, String> {
    let of = |inner: &Expression| type_of(inner, input);
    let boolean = |inner: &Expression| of(inner).and_then(|found| expect(&[DataType::Boolean], &found));
    match expression {
        Expression::Column(place) => column(input, *place),
        Expression::Literal(literal) => Ok(literal_type(literal)),
        Expression::Binary { left, operator, right } => binary_type(&of(left)?, *operator, &of(right)?),
        Expression::Not(inner) | Expression::IsTrue(inner) | Expression::IsFalse(inner) => {
            boolean(inner).map(|()| DataType::Boolean)
        }
        Expression::Negative(inner) | Expression::Required { expression: inner, .. } => of(inner),
        Expression::IsNull(inner) => of(inner).map(|_| DataType::Boolean),
        Expression::Cast { expression, to, .. } => of(expression).map(|_| to.clone()),
        Expression::Case { branches, otherwise } => {
            let mut values = Vec::new();
            for (condition, value) in branches {
                boolean(condition)?;
                values.push(of(value)?);
            }
            values.extend(otherwise.iter().map(|value| of(value)).collect::<Result<Vec<_>, _>>()?);
            let first = values.first().cloned().ok_or("CASE has no branches")?;
            values.iter().try_for_each(|value| expect(std::slice::from_ref(&first), value))?;
            Ok(first)
        }
        Expression::InList { expression, list, .. } => {
            let value = of(expression)?;
            list.iter().try_for_each(|item| expect(std::slice::from_ref(&value), &of(item)?))?;
            Ok(DataType::Boolean)
        }
        Expression::Like { expression, pattern, .. } => {
            expect(&[DataType::Utf8], &of(expression)?)?;
            expect(&[DataType::Utf8], &of(pattern)?).map(|()| DataType::Boolean)
        }
        Expression::Field { .. }
        | Expression::Element { .. }
        | Expression::Cardinality(_)
        | Expression::Construct { .. } => nested_type(expression, &of),
        Expression::Call { function, arguments, returns } => call_type(function, arguments, returns, input),
        Expression::UserCall { function, arguments, returns } => {
            let types = arguments.iter().map(of).collect::<Result<Vec<_>, _>>()?;
            let (parameters, results) = user::types_of(function)?;
            same(&parameters, &types)?;
            same(&results, std::slice::from_ref(returns)).map(|()| returns.clone())
        }
    }
}

fn nested_type(
    expression: &Expression,
    of: &dyn Fn(&Expression) -> Result<DataType, String>,
) -> Result<DataType, String> {
    match expression {
        Expression::Field { expression, place } => match of(expression)? {
            DataType::Struct(fields) => {
                let field = fields.get(*place).ok_or(format!("the row has no field {place}"))?;
                Ok(field.data_type().clone())
            }
            other => Err(format!("{other} has no fields")),
        },
        Expression::Element { expression, index } => {
            let nested = of(expression)?;
            let Some((key, element)) = types::element_of(&nested) else {
                return Err(format!("{nested} has no elements"));
            };
            expect(&[key], &of(index)?).map(|()| element)
        }
        Expression::Cardinality(inner) => {
            let nested = of(inner)?;
            types::element_of(&nested).map(|_| DataType::Int32).ok_or(format!("{nested} has no elements"))
        }
        Expression::Construct { of: made, parts } => {
            let wanted = types::parts_of(made, parts.len()).ok_or(format!("{made} is not made of parts"))?;
            same(&wanted, &parts.iter().map(of).collect::<Result<Vec<_>, _>>()?).map(|()| made.clone())
        }
        _ => unreachable!("asked of nested types only"),
    }
}

fn call_type(name: &str, arguments: &[Expression], returns: &DataType, input: &Schema) -> Result<DataType, String> {
    let function = functions::by_registered_name(name).ok_or(format!("there is no function {name}"))?;
    let types: Vec<DataType> = arguments.iter().map(|argument| type_of(argument, input)).collect::<Result<_, _>>()?;
    let takes = |form: &&functions::Form| form.accepts(&types).as_ref() == Some(&types);
    let form = function.forms.iter().find(takes).ok_or(format!("{name} does not take {types:?}"))?;
    same(std::slice::from_ref(returns), &[form.returns.data_type(&types)]).map(|()| returns.clone())
}

fn binary_type(left: &DataType, operator: BinaryOperator, right: &DataType) -> Result<DataType, String> {
    use BinaryOperator::*;
    let equal_types = || expect(std::slice::from_ref(left), right);
    match operator {
        Equal | NotEqual | Less | LessOrEqual | Greater | GreaterOrEqual => equal_types().map(|()| DataType::Boolean),
        And | Or => {
            expect(&[DataType::Boolean], left)?;
            equal_types().map(|()| DataType::Boolean)
        }
        Concat => {
            expect(&[DataType::Utf8], left)?;
            equal_types().map(|()| DataType::Utf8)
        }
        Plus | Minus | Multiply | Divide | Modulo => match (left, right) {
            (DataType::Decimal128(p1, s1), DataType::Decimal128(p2, s2)) => {
                let (p1, s1, p2, s2) = (i32::from(*p1), i32::from(*s1), i32::from(*p2), i32::from(*s2));
                let (precision, scale) = match operator {
                    Multiply => (p1 + p2 + 1, s1 + s2),
                    Plus | Minus => ((p1 - s1).max(p2 - s2) + s1.max(s2) + 1, s1.max(s2)),
                    _ => return Err("decimals are divided".to_string()),
                };
                Ok(DataType::Decimal128(precision.min(38) as u8, scale as i8))
            }
            (DataType::Timestamp(TimeUnit::Millisecond, _) | DataType::Date32, interval) if *interval == INTERVAL => {
                Ok(left.clone())
            }
            _ => equal_types().map(|()| left.clone()),
        },
    }
}

fn literal_type(literal: &Literal) -> DataType {
    match literal {
        Literal::Null(data_type) => data_type.clone(),
        Literal::Boolean(_) => DataType::Boolean,
        Literal::Int8(_) => DataType::Int8,
        Literal::Int16(_) => DataType::Int16,
        Literal::Int32(_) => DataType::Int32,
        Literal::Int64(_) => DataType::Int64,
        Literal::Float32(_) => DataType::Float32,
        Literal::Float64(_) => DataType::Float64,
        Literal::Decimal128 { precision, scale, .. } => DataType::Decimal128(*precision, *scale),
        Literal::Utf8(_) => DataType::Utf8,
        Literal::Binary(_) => DataType::Binary,
        Literal::Date32(_) => DataType::Date32,
        Literal::Time32Millis(_) => DataType::Time32(TimeUnit::Millisecond),
        Literal::TimestampMillis { zone, .. } => {
            DataType::Timestamp(TimeUnit::Millisecond, zone.clone().map(Into::into))
        }
        Literal::Interval { .. } => INTERVAL,
    }
}
