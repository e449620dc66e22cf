//! Calls of JSON functions, which have clauses.

use arrow_schema::DataType;
use sqlparser::ast::{Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Spanned};
use sqlparser::tokenizer::Span;
use tidemill_plan::functions::becomes_json;
use tidemill_plan::{Expression, nested};

use super::conditional::{case, coalesce};
use super::expression::Binder;
use super::function::{call, positional};
use super::{Typed, cast};
use crate::error::{Result, SqlError};
use crate::types::{self, SqlType};

/// Binds a call that has clauses; none for all other calls.
pub(super) fn bind(binder: &Binder<'_>, function: &Function, name: &str, span: Span) -> Option<Result<Typed>> {
    let FunctionArguments::List(clauses) = &function.parameters else { return None };
    let clauses: Vec<&Expr> = clauses
        .args
        .iter()
        .filter_map(|clause| match clause {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(clause)) => Some(clause),
            _ => None,
        })
        .collect();
    Some(match name {
        "json_value" => value(binder, function, &clauses, span),
        "json_query" => query(binder, function, &clauses, span),
        "json_exists" => arguments(binder, function).and_then(|mut values| {
            values.extend(clauses.iter().map(|clause| binder.bind(clause)).collect::<Result<Vec<_>>>()?);
            call("json_exists", values, span)
        }),
        "json_object" | "json_array" => built(binder, function, name, &clauses, span),
        _ => return None,
    })
}

fn arguments(binder: &Binder<'_>, function: &Function) -> Result<Vec<Typed>> {
    positional(function)?.into_iter().map(|argument| binder.bind(argument)).collect()
}

fn value(binder: &Binder<'_>, function: &Function, clauses: &[&Expr], span: Span) -> Result<Typed> {
    let [returns, empty, on_empty, error, on_error] = clauses else { unreachable!("the parser gives five") };
    let returns = match binder.bind(returns)?.data_type {
        DataType::Null => DataType::Utf8,
        asked => asked,
    };
    let name = match returns {
        DataType::Utf8 => "json_value",
        DataType::Int32 => "json_value_int",
        DataType::Float64 => "json_value_double",
        DataType::Boolean => "json_value_boolean",
        other => {
            let message = format!("JSON_VALUE cannot return {}", types::name(&other));
            return Err(SqlError::new(
                span,
                message,
                "use RETURNING STRING, BOOLEAN, INTEGER or DOUBLE, and CAST that",
            ));
        }
    };
    let default = |written: &Expr| {
        let value = binder.bind(written)?;
        let kept = if returns == DataType::Int32 { DataType::Int64 } else { returns.clone() };
        match value.data_type {
            DataType::Null => Ok(Typed::null(kept)),
            _ => cast::explicit(value, &SqlType::of(&kept), cast::OnError::Fail, written.span()),
        }
    };
    let mut values = arguments(binder, function)?;
    values.extend([binder.bind(empty)?, default(on_empty)?, binder.bind(error)?, default(on_error)?]);
    refuse_behaviours(&values, 2, &["NULL", "ERROR", "DEFAULT"], "JSON_VALUE", span)?;
    call(name, values, span)
}

fn query(binder: &Binder<'_>, function: &Function, clauses: &[&Expr], span: Span) -> Result<Typed> {
    let [returns, wrapper, empty, _, error, _] = clauses else { unreachable!("the parser gives six") };
    let name = match binder.bind(returns)?.data_type {
        DataType::Null | DataType::Utf8 => "json_query",
        asked if asked == nested::array(DataType::Utf8) => "json_query_array",
        other => {
            let message = format!("JSON_QUERY cannot return {}", types::name(&other));
            return Err(SqlError::new(span, message, "use RETURNING STRING or ARRAY<STRING>"));
        }
    };
    let mut values = arguments(binder, function)?;
    values.extend([binder.bind(wrapper)?, binder.bind(empty)?, binder.bind(error)?]);
    refuse_behaviours(&values, 3, &["NULL", "ERROR", "EMPTY ARRAY", "EMPTY OBJECT"], "JSON_QUERY", span)?;
    if name == "json_query_array" && values.iter().any(|value| value.constant().as_deref() == Some("EMPTY OBJECT")) {
        let message = "an empty object is no ARRAY<STRING>";
        return Err(SqlError::new(span, message, "write EMPTY ARRAY"));
    }
    call(name, values, span)
}

/// What the function cannot do where there is no result.
fn refuse_behaviours(values: &[Typed], from: usize, known: &[&str], name: &str, span: Span) -> Result<()> {
    let said = values[from..].iter().filter_map(Typed::constant);
    let words = ["EMPTY ARRAY", "EMPTY OBJECT", "DEFAULT"];
    match said.into_iter().find(|said| words.contains(&said.as_str()) && !known.contains(&said.as_str())) {
        None => Ok(()),
        Some(said) => {
            let message = format!("{name} does not take {said}");
            Err(SqlError::new(span, message, format!("use {}", known.join(", "))))
        }
    }
}

/// `JSON_OBJECT` and `JSON_ARRAY`. Values that another such call has made, or `JSON(text)`, go in as the JSON that they
/// are, and all others as what they are in JSON.
fn built(binder: &Binder<'_>, function: &Function, name: &str, clauses: &[&Expr], span: Span) -> Result<Typed> {
    let on_null = clauses.first().map(|clause| binder.bind(clause)).transpose()?.and_then(|said| said.constant());
    let (mut kinds, mut values) = (String::new(), Vec::new());
    for (place, written) in positional(function)?.into_iter().enumerate() {
        let (is_json, value) = match json_text(written) {
            Some(text) => (true, binder.bind(text)?),
            None => (false, binder.bind(written)?),
        };
        let is_name = name == "json_object" && place % 2 == 0;
        let is_text = matches!(&value.expression, Expression::Literal(_)) && value.data_type == DataType::Utf8;
        if is_name && !is_text {
            let message = "the names in JSON_OBJECT are string constants";
            return Err(SqlError::new(written.span(), message, "write JSON_OBJECT('name' VALUE value)"));
        }
        if value.data_type != DataType::Null && !becomes_json(&value.data_type) {
            let message = format!("{} does not become JSON", types::name(&value.data_type));
            return Err(SqlError::new(written.span(), message, "CAST it to STRING"));
        }
        kinds.push(if is_json || is_built(&value.expression) { 'j' } else { 'v' });
        values.push(if value.data_type == DataType::Null { Typed::null(DataType::Utf8) } else { value });
    }
    let how = format!("{} {kinds}", on_null.unwrap_or_default());
    let values = std::iter::once(Typed::text(how)).chain(values).collect();
    call(name, values, span).map(|made| Typed { nullable: false, ..made })
}

/// What JSON_OBJECTAGG puts into its object for a name and a value: a row of the name and a JSON text; NULL for what it
/// leaves out.
pub(crate) fn member(binder: &Binder<'_>, function: &Function, name: &Expr, value: &Expr) -> Result<Typed> {
    let bound = binder.bind(name)?;
    if bound.data_type != DataType::Utf8 {
        let message = format!("a name in JSON_OBJECTAGG is of {}", types::name(&bound.data_type));
        return Err(SqlError::new(name.span(), message, "CAST it to STRING"));
    }
    let value = element(binder, function, value)?;
    let left_out = Typed::boolean(Expression::IsNull(Box::new(value.expression.clone())), false);
    let member = super::nested::row(vec![bound, value], name.span())?;
    let nothing = Typed::null(member.data_type.clone());
    case(vec![(left_out, nothing)], Some(member), name.span())
}

/// What JSON_ARRAYAGG puts into its array for a value; NULL for what it leaves out.
pub(crate) fn element(binder: &Binder<'_>, function: &Function, written: &Expr) -> Result<Typed> {
    let keeps_null = match &function.parameters {
        FunctionArguments::List(clauses) => clauses.to_string().contains("'NULL'"),
        _ => false,
    };
    let (is_json, value) = match json_text(written) {
        Some(text) => (true, binder.bind(text)?),
        None => (false, binder.bind(written)?),
    };
    if !becomes_json(&value.data_type) {
        let message = format!("{} does not become JSON", types::name(&value.data_type));
        return Err(SqlError::new(written.span(), message, "CAST it to STRING"));
    }
    let span = written.span();
    let made = is_json || is_built(&value.expression);
    let text = if made { value } else { call("json_string", vec![value], span)? };
    match keeps_null {
        true => coalesce(vec![text, Typed::text("null")], span),
        false => Ok(text),
    }
}

fn is_built(expression: &Expression) -> bool {
    matches!(expression, Expression::Call { function, .. } if matches!(function.as_str(), "json_object" | "json_array"))
}

/// The text in `JSON(text)`.
fn json_text(written: &Expr) -> Option<&Expr> {
    let Expr::Function(function) = written else { return None };
    match positional(function).ok()?.as_slice() {
        [text] if function.name.to_string().eq_ignore_ascii_case("json") => Some(text),
        _ => None,
    }
}
