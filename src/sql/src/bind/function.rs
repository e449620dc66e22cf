//! Calls of functions, and what only looks like one.

use arrow_schema::DataType;
use sqlparser::ast::{Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Spanned};
use sqlparser::tokenizer::Span;
use tidemill_functions::Returns;
use tidemill_plan::functions::{self, CURRENT_WATERMARK, Nulls};
use tidemill_plan::{AggregateFunction, BinaryOperator, Expression};

use super::conditional::{case, coalesce, null_if};
use super::expression::Binder;
use super::operator::arithmetic;
use super::scope::near;
use super::typed::unify_arguments;
use super::{Typed, json, nested};
use crate::dialect::IS_JSON;
use crate::error::{Result, SqlError};
use crate::relation::Role;
use crate::types;
use crate::user;

/// Forms that are no functions of their own in the plan: name, how they are called, what they give.
pub(crate) const SPECIAL: [(&str, &str, &str); 12] = [
    ("coalesce", "COALESCE(value, …)", "the first value that is not NULL"),
    ("ifnull", "IFNULL(value, other)", "the value, or the other one where it is NULL"),
    ("nullif", "NULLIF(value, other)", "the value, or NULL where it equals the other one"),
    ("if", "IF(condition, value, otherwise)", "the value where the condition is true, else the other one"),
    ("typeof", "TYPEOF(value)", "the name of its type"),
    ("mod", "MOD(number, divisor)", "the remainder, with the sign of the number; also `number % divisor`"),
    (
        "timestampadd",
        "TIMESTAMPADD(unit, count, time)",
        "the time moved by so many units; a DATE becomes a TIMESTAMP for HOUR and less",
    ),
    ("row", "ROW(value, …)", "a ROW of the values"),
    ("array", "ARRAY[value, …]", "an ARRAY of the values"),
    ("map", "MAP[key, value, …]", "a MAP of the pairs"),
    (
        "element of",
        "value[index]",
        "an ARRAY's element, counted from 1, or the value of a MAP's key; NULL where there is none",
    ),
    ("cardinality", "CARDINALITY(array or map)", "how many elements or entries there are"),
];
/// Functions of one time argument that are short for EXTRACT.
pub(crate) const EXTRACTS: [(&str, &str); 10] = [
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
/// Name, function, how it is called, what it gives.
type Aggregate = (&'static str, AggregateFunction, &'static str, &'static str);
pub(crate) static AGGREGATES: [Aggregate; 20] = [
    (
        "count",
        AggregateFunction::Count,
        "COUNT(*) or COUNT([DISTINCT] value)",
        "how many rows there are, or values that are not NULL",
    ),
    ("sum", AggregateFunction::Sum, "SUM([DISTINCT] number)", "the sum"),
    ("min", AggregateFunction::Min, "MIN(value)", "the least value"),
    ("max", AggregateFunction::Max, "MAX(value)", "the greatest value"),
    ("avg", AggregateFunction::Avg, "AVG([DISTINCT] number)", "the average, in the type of the numbers"),
    ("stddev_pop", AggregateFunction::StddevPop, "STDDEV_POP([DISTINCT] number)", "the standard deviation of all"),
    (
        "stddev_samp",
        AggregateFunction::StddevSamp,
        "STDDEV_SAMP([DISTINCT] number)",
        "the standard deviation of a sample",
    ),
    ("stddev", AggregateFunction::StddevSamp, "STDDEV([DISTINCT] number)", "the same as `STDDEV_SAMP`"),
    ("var_pop", AggregateFunction::VarPop, "VAR_POP([DISTINCT] number)", "the variance of all"),
    ("var_samp", AggregateFunction::VarSamp, "VAR_SAMP([DISTINCT] number)", "the variance of a sample"),
    ("variance", AggregateFunction::VarSamp, "VARIANCE([DISTINCT] number)", "the same as `VAR_SAMP`"),
    ("first_value", AggregateFunction::FirstValue, "FIRST_VALUE(value)", "the value that came first"),
    ("last_value", AggregateFunction::LastValue, "LAST_VALUE(value)", "the value that came last"),
    ("collect", AggregateFunction::Collect, "COLLECT([DISTINCT] value)", "a MULTISET of the values"),
    (
        "array_agg",
        AggregateFunction::ArrayAgg,
        "ARRAY_AGG([DISTINCT] value) [IGNORE NULLS]",
        "an ARRAY of the values in the order in which they came, NULLs among them",
    ),
    (
        "json_arrayagg",
        AggregateFunction::ListAgg { separator: String::new() },
        "JSON_ARRAYAGG(value [NULL or ABSENT ON NULL])",
        "a JSON array of the values in the order in which they came",
    ),
    (
        "json_objectagg",
        AggregateFunction::Collect,
        "JSON_OBJECTAGG([KEY] name VALUE value [NULL or ABSENT ON NULL])",
        "a JSON object of the values; a name that comes twice fails the job",
    ),
    (
        "percentile",
        AggregateFunction::Percentile { fraction: 0.0 },
        "PERCENTILE(number, fraction)",
        "the value that this part of all (a constant from 0 to 1) are not above, between two in proportion",
    ),
    (
        "approx_count_distinct",
        AggregateFunction::ApproxCountDistinct,
        "APPROX_COUNT_DISTINCT(value)",
        "how many different values there are, within about 1 %",
    ),
    (
        "listagg",
        AggregateFunction::ListAgg { separator: String::new() },
        "LISTAGG(string [, 'separator'])",
        "the strings with a separator between them",
    ),
];

pub(crate) fn aggregate_function(function: &Function) -> Option<AggregateFunction> {
    let name = function.name.to_string().to_ascii_lowercase();
    if name == "listagg" || name == JSON_ARRAYAGG {
        return Some(AggregateFunction::ListAgg { separator: ",".to_string() });
    }
    AGGREGATES.iter().find(|(known, ..)| *known == name).map(|(_, function, ..)| function.clone())
}

/// The aggregate that is a LISTAGG of JSON.
pub(crate) const JSON_ARRAYAGG: &str = "json_arrayagg";
/// The aggregate that is a COLLECT of rows of a name and JSON.
pub(crate) const JSON_OBJECTAGG: &str = "json_objectagg";

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
    if let Some(bound) = json::bind(binder, function, &name, span) {
        return bound;
    }
    refuse_clauses(function, span)?;
    if name == "timestampdiff" {
        return timestamp_difference(binder, function, span);
    }
    if name == "timestampadd" {
        return timestamp_sum(binder, function, span);
    }
    let arguments = positional(function)?;
    if let (CURRENT_WATERMARK, [argument]) = (name.as_str(), arguments.as_slice()) {
        return current_watermark(binder.bind_column(argument)?, argument);
    }
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
        ("greatest" | "least", 1..) => call(&name, comparable(values, &name, span)?, span),
        ("round" | "truncate", 1 | 2) => shortened(&name, values, span),
        ("to_timestamp_ltz", 1..=3) if values[0].data_type == DataType::Utf8 => instant(values, span),
        ("typeof", 1) => Ok(Typed::text(described(&values[0]))),
        (IS_JSON, 2) => call("is_json", values, span),
        ("mod", 2) => two(values, |left, right| arithmetic(left, BinaryOperator::Modulo, right, span)),
        ("if", 3) => {
            let [condition, value, otherwise] = three(values, span)?;
            case(vec![(condition, value)], Some(otherwise), span)
        }
        _ => match (functions::find(&name), binder.scope.functions().forms(&name)) {
            (Some(found), _) => call(found.name, values, span),
            (None, Some(forms)) => users(forms, values, span),
            (None, None) => Err(unknown(&name, span)),
        },
    }
}

fn current_watermark((time, role): (Typed, Role), written: &Expr) -> Result<Typed> {
    if role == Role::Rowtime {
        return call(CURRENT_WATERMARK, vec![time], written.span());
    }
    let message = format!("CURRENT_WATERMARK is asked of {written}, which is no event time here");
    Err(SqlError::new(written.span(), message, "name the column that the table's WATERMARK is for, in SELECT or WHERE"))
}

/// A call of a scalar function of the user's.
fn users(forms: &[user::Form], values: Vec<Typed>, span: Span) -> Result<Typed> {
    let (form, arguments) = user::chosen(forms, values, span)?;
    let function = form.function.clone();
    match &form.signature.returns {
        Returns::Value(of) => {
            let (arguments, returns) = (arguments.into_iter().map(|value| value.expression).collect(), of.data_type());
            Ok(Typed::new(Expression::UserCall { function, arguments, returns: returns.clone() }, returns, true))
        }
        Returns::Table(_) => {
            let message = format!("{} is a table function", function.name);
            let remedy = format!("call it in FROM: LATERAL TABLE({}(…)) AS t (…)", function.name);
            Err(SqlError::new(span, message, remedy))
        }
    }
}

/// Whether a function of our own has this name, in lower case.
pub(crate) fn is_function(name: &str) -> bool {
    let special = SPECIAL.iter().map(|(name, ..)| *name).chain(EXTRACTS.iter().map(|(name, _)| *name));
    let mut named = special.chain(AGGREGATES.iter().map(|(name, ..)| *name));
    functions::find(name).is_some() || named.any(|known| known == name)
}

/// Values of one type that has an order.
fn comparable(values: Vec<Typed>, name: &str, span: Span) -> Result<Vec<Typed>> {
    let message = |left: &DataType, right: &DataType| {
        format!("{} is asked of {} and {}", name.to_uppercase(), types::name(left), types::name(right))
    };
    let (values, common) = unify_arguments(values)
        .map_err(|(left, right)| SqlError::new(span, message(&left, &right), "CAST them to one type"))?;
    match types::is_nested(&common) {
        true => Err(SqlError::new(span, message(&common, &common), "compare what is in them")),
        false => Ok(values),
    }
}

/// ROUND or TRUNCATE to a number of digits. A DECIMAL has as many digits then as are left.
fn shortened(name: &str, values: Vec<Typed>, span: Span) -> Result<Typed> {
    let DataType::Decimal128(precision, scale) = values[0].data_type else { return call(name, values, span) };
    let digits = match values.get(1) {
        None => Some(0),
        Some(digits) => digits.constant().and_then(|digits| digits.parse::<i64>().ok()),
    };
    let Some(digits) = digits else {
        let message = format!("{} of a DECIMAL needs a constant number of digits", name.to_uppercase());
        return Err(SqlError::new(span, message, "write a whole number"));
    };
    let kept = digits.clamp(0, scale.into()) as i8;
    let precision =
        if digits >= scale.into() { precision.into() } else { i32::from(precision) + 1 - i32::from(scale - kept) };
    let result = call(name, values, span)?;
    let to = types::SqlType::of(&DataType::Decimal128(precision.clamp(1, 38) as u8, kept));
    super::cast::explicit(result, &to, super::cast::OnError::Fail, span)
}

/// `TO_TIMESTAMP_LTZ(string [, 'pattern' [, 'zone']])`; the zone is UTC, whatever the session's is.
fn instant(mut values: Vec<Typed>, span: Span) -> Result<Typed> {
    let zone = if values.len() == 3 { values.pop() } else { None };
    let local = call("to_timestamp", values, span)?;
    call(functions::INSTANT_OF, vec![local, zone.unwrap_or_else(|| Typed::text("UTC"))], span)
}

/// A type as TYPEOF names it.
fn described(value: &Typed) -> String {
    let null = if value.nullable || value.data_type == DataType::Null { "" } else { " NOT NULL" };
    format!("{}{null}", types::name(&value.data_type))
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

/// `TIMESTAMPADD(unit, count, time)`: the time moved by so many intervals.
fn timestamp_sum(binder: &Binder<'_>, function: &Function, span: Span) -> Result<Typed> {
    let arguments = positional(function)?;
    let wrong = || SqlError::new(span, "TIMESTAMPADD does not fit", "write TIMESTAMPADD(DAY, count, time)");
    let [Expr::Identifier(unit), count, time] = arguments.as_slice() else { return Err(wrong()) };
    let (count, time) = (binder.bind(count)?, binder.bind(time)?);
    let unit_of_days = ["YEAR", "QUARTER", "MONTH", "WEEK", "DAY"].contains(&unit.value.to_ascii_uppercase().as_str());
    let time = match time.data_type {
        DataType::Date32 if !unit_of_days => time.widened(&types::TIMESTAMP),
        _ => time,
    };
    call("timestampadd", vec![Typed::text(unit.value.clone()), count, time], span)
}

/// Calls a function of the registry, by one of the forms that it has.
pub(super) fn call(name: &str, values: Vec<Typed>, span: Span) -> Result<Typed> {
    let Some(function) = functions::by_registered_name(name) else {
        return Err(unknown(name, span));
    };
    let found: Vec<DataType> = values.iter().map(|value| value.data_type.clone()).collect();
    let Some((form, types)) = function.forms.iter().find_map(|form| Some((form, form.accepts(&found)?))) else {
        let found: Vec<String> = found.iter().map(types::name).collect();
        let message = format!("{} does not take ({})", function.usage, found.join(", "));
        return Err(SqlError::new(span, message, "CAST the arguments"));
    };
    let constants: Vec<Option<String>> = values.iter().map(Typed::constant).collect();
    (function.check)(&constants)
        .map_err(|problem| SqlError::new(span, problem, format!("the form is {}", function.usage)))?;
    let nullable = match function.nulls {
        Nulls::Strict => values.iter().any(|value| value.nullable),
        Nulls::Sometimes => true,
        Nulls::Never => false,
    };
    let returns = form.returns.data_type(&types);
    let values = values.into_iter().zip(&types).map(|(value, data_type)| value.widened(data_type)).collect();
    Ok(Typed::call(function.name, values, returns, nullable))
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
    let callable = scalar.filter(|name| functions::find(name).is_some()).chain(SPECIAL.map(|(name, ..)| name));
    let callable = callable.chain(EXTRACTS.map(|(name, _)| name)).chain(AGGREGATES.iter().map(|(name, ..)| *name));
    let near: Vec<String> = near(name, callable).into_iter().map(str::to_uppercase).collect();
    let remedy = match near.is_empty() {
        true => "see the table of functions in src/sql/FUNCTIONS.md".to_string(),
        false => format!("did you mean {}", near.join(", ")),
    };
    let of_window = ["tumble_", "hop_", "session_"].into_iter().find(|stem| name.starts_with(stem));
    let remedy = match of_window {
        Some(stem) => format!("{}START and the like need a GROUP BY of that window", stem.to_uppercase()),
        None => remedy,
    };
    SqlError::new(span, format!("there is no function {}", name.to_uppercase()), remedy)
}
