//! Calls of functions, and what only looks like one.

use arrow_schema::DataType;
use sqlparser::ast::{Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Spanned};
use sqlparser::tokenizer::Span;
use tidemill_plan::functions::{self, Form, Nulls, Parameter};
use tidemill_plan::{AggregateFunction, BinaryOperator};

use super::conditional::{case, coalesce, null_if};
use super::expression::Binder;
use super::operator::arithmetic;
use super::scope::near;
use super::{Typed, nested};
use crate::error::{Result, SqlError};
use crate::types;

/// Forms that are no functions of their own in the plan.
const SPECIAL: [&str; 8] = ["coalesce", "ifnull", "nullif", "if", "mod", "row", "cardinality", "map"];
/// Functions of one time argument that are short for EXTRACT.
const EXTRACTS: [(&str, &str); 10] = [
    ("year", "YEAR"),
    ("quarter", "QUARTER"),
    ("month", "MONTH"),
    ("week", "WEEK"),
    ("dayofyear", "DOY"),
    ("dayofmonth", "DAY"),
    ("dayofweek", "DOW"),
    ("hour", "HOUR"),
    ("minute", "MINUTE"),
    ("second", "SECOND"),
];
const AGGREGATES: [(&str, AggregateFunction); 15] = [
    ("count", AggregateFunction::Count),
    ("sum", AggregateFunction::Sum),
    ("min", AggregateFunction::Min),
    ("max", AggregateFunction::Max),
    ("avg", AggregateFunction::Avg),
    ("stddev_pop", AggregateFunction::StddevPop),
    ("stddev_samp", AggregateFunction::StddevSamp),
    ("stddev", AggregateFunction::StddevSamp),
    ("var_pop", AggregateFunction::VarPop),
    ("var_samp", AggregateFunction::VarSamp),
    ("variance", AggregateFunction::VarSamp),
    ("first_value", AggregateFunction::FirstValue),
    ("last_value", AggregateFunction::LastValue),
    ("collect", AggregateFunction::Collect),
    ("approx_count_distinct", AggregateFunction::ApproxCountDistinct),
];

pub(crate) fn aggregate_function(function: &Function) -> Option<AggregateFunction> {
    let name = function.name.to_string().to_ascii_lowercase();
    if name == "listagg" {
        return Some(AggregateFunction::ListAgg { separator: ",".to_string() });
    }
    AGGREGATES.iter().find(|(known, _)| *known == name).map(|(_, function)| function.clone())
}

pub(crate) fn is_aggregate(expression: &Expr) -> bool {
    matches!(expression, Expr::Function(function) if aggregate_function(function).is_some() && function.over.is_none())
}

/// Whether a call gives the time attribute of the machine's clock.
pub(super) fn is_proctime(function: &Function) -> bool {
    function.name.to_string().eq_ignore_ascii_case("proctime")
}

pub(super) fn bind(binder: &Binder<'_>, function: &Function) -> Result<Typed> {
    let span = function.name.span();
    let name = function.name.to_string().to_ascii_lowercase();
    if function.over.is_some() {
        let message = "a call with OVER can stand in SELECT only";
        return Err(SqlError::new(span, message, "compute it in a subquery, and use its result"));
    }
    if aggregate_function(function).is_some() {
        let message = format!("the aggregate {} cannot stand here", name.to_uppercase());
        return Err(SqlError::new(span, message, "aggregate in a subquery, and use its result"));
    }
    refuse_clauses(function, span)?;
    if name == "timestampdiff" {
        return timestamp_difference(binder, function, span);
    }
    let arguments = positional(function)?;
    let values = arguments.iter().map(|argument| binder.bind(argument)).collect::<Result<Vec<_>>>()?;
    if let Some((_, field)) = EXTRACTS.iter().find(|(known, _)| *known == name) {
        let with_field = std::iter::once(Typed::text(*field)).chain(values).collect();
        return call("extract", with_field, span);
    }
    match (name.as_str(), values.len()) {
        ("coalesce", _) | ("ifnull", 2) => coalesce(values, span),
        ("row", 1..) => nested::row(values, span),
        ("map", _) => nested::map(values, span),
        ("cardinality", 1) => nested::cardinality(values.into_iter().next().unwrap_or_else(|| Typed::text("")), span),
        ("nullif", 2) => two(values, |left, right| null_if(left, right, span)),
        ("mod", 2) => two(values, |left, right| arithmetic(left, BinaryOperator::Modulo, right, span)),
        ("if", 3) => {
            let [condition, value, otherwise] = three(values, span)?;
            case(vec![(condition, value)], Some(otherwise), span)
        }
        _ => match functions::find(&name) {
            Some(found) => call(found.name, values, span),
            None => Err(unknown(&name, span)),
        },
    }
}

/// What an aggregate may have and a scalar function may not.
pub(crate) fn refuse_clauses(function: &Function, span: Span) -> Result<()> {
    let distinct = matches!(&function.args, FunctionArguments::List(list)
        if list.duplicate_treatment.is_some() || !list.clauses.is_empty());
    let odd = function.filter.is_some() || function.null_treatment.is_some() || !function.within_group.is_empty();
    if distinct || odd || function.parameters != FunctionArguments::None {
        let message = "the call has a clause that its function does not take";
        return Err(SqlError::new(span, message, "give the arguments only"));
    }
    Ok(())
}

/// The arguments, which must be plain expressions.
pub(crate) fn positional(function: &Function) -> Result<Vec<&Expr>> {
    let list = match &function.args {
        FunctionArguments::None => return Ok(Vec::new()),
        FunctionArguments::List(list) => list,
        FunctionArguments::Subquery(query) => {
            return Err(SqlError::new(query.span(), "a subquery cannot be an argument", "select from it instead"));
        }
    };
    list.args
        .iter()
        .map(|argument| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => Ok(expression),
            other => {
                Err(SqlError::new(other.span(), format!("the argument {other} is not supported"), "give expressions"))
            }
        })
        .collect()
}

/// The unit is a bare word, which the parser takes for a column.
fn timestamp_difference(binder: &Binder<'_>, function: &Function, span: Span) -> Result<Typed> {
    let arguments = positional(function)?;
    let [Expr::Identifier(unit), from, to] = arguments.as_slice() else {
        return Err(SqlError::new(span, "TIMESTAMPDIFF does not fit", "write TIMESTAMPDIFF(SECOND, from, to)"));
    };
    let values = vec![Typed::text(unit.value.clone()), binder.bind(from)?, binder.bind(to)?];
    call("timestampdiff", values, span)
}

/// Calls a function of the registry, by one of the forms that it has.
pub(super) fn call(name: &str, values: Vec<Typed>, span: Span) -> Result<Typed> {
    let Some(function) = functions::by_registered_name(name) else {
        return Err(unknown(name, span));
    };
    let Some((form, types)) = function.forms.iter().find_map(|form| Some((form, accepted(form, &values)?))) else {
        let found: Vec<String> = values.iter().map(|value| types::name(&value.data_type)).collect();
        let message = format!("{} does not take ({})", function.usage, found.join(", "));
        return Err(SqlError::new(span, message, "CAST the arguments"));
    };
    let constants: Vec<Option<String>> = values.iter().map(Typed::constant).collect();
    (function.check)(&constants)
        .map_err(|problem| SqlError::new(span, problem, format!("the form is {}", function.usage)))?;
    let nullable = function.nulls == Nulls::Sometimes || values.iter().any(|value| value.nullable);
    let returns = form.returns.data_type(&types);
    let values = values.into_iter().zip(&types).map(|(value, data_type)| value.widened(data_type)).collect();
    Ok(Typed::call(function.name, values, returns, nullable))
}

fn accepted(form: &Form, values: &[Typed]) -> Option<Vec<DataType>> {
    let accept =
        |(place, value): (usize, &Typed)| form.parameter(place).and_then(|p: Parameter| p.accepts(&value.data_type));
    if !form.takes(values.len()) {
        return None;
    }
    values.iter().enumerate().map(accept).collect()
}

fn two(values: Vec<Typed>, apply: impl FnOnce(Typed, Typed) -> Result<Typed>) -> Result<Typed> {
    let mut values = values.into_iter();
    match (values.next(), values.next()) {
        (Some(left), Some(right)) => apply(left, right),
        _ => Err(SqlError::new(Span::empty(), "the call needs two arguments", "give two")),
    }
}

fn three(values: Vec<Typed>, span: Span) -> Result<[Typed; 3]> {
    values.try_into().map_err(|_| SqlError::new(span, "the call needs three arguments", "give three"))
}

fn unknown(name: &str, span: Span) -> SqlError {
    let scalar = functions::all()
        .iter()
        .flat_map(|function| std::iter::once(function.name).chain(function.aliases.iter().copied()));
    let callable = scalar.filter(|name| functions::find(name).is_some()).chain(SPECIAL);
    let callable = callable.chain(EXTRACTS.map(|(name, _)| name)).chain(AGGREGATES.map(|(name, _)| name));
    let near: Vec<String> = near(name, callable).into_iter().map(str::to_uppercase).collect();
    let remedy = match near.is_empty() {
        true => "see the list of functions in the documentation".to_string(),
        false => format!("did you mean {}", near.join(", ")),
    };
    let of_window = ["tumble_", "hop_", "session_"].into_iter().find(|stem| name.starts_with(stem));
    let remedy = match of_window {
        Some(stem) => format!("{}START and the like need a GROUP BY of that window", stem.to_uppercase()),
        None => remedy,
    };
    SqlError::new(span, format!("there is no function {}", name.to_uppercase()), remedy)
}
