//! Functions that read JSON texts. Paths are constants. The clauses ON EMPTY, ON ERROR, RETURNING and WRAPPER come as
//! further arguments of the functions, which the planner makes of them.

use std::sync::Arc;

use arrow_schema::DataType;
use datafusion_common::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int32Array, ListBuilder, StringBuilder,
};
use datafusion_common::{Result, exec_datafusion_err, exec_err, internal_err};
use datafusion_expr::ScalarFunctionArgs;

use super::Nulls::{Never, Sometimes};
use super::Parameter::{Boolean, Double, SameAs, Text, Whole};
use super::arguments::{Texts, constant};
use super::json_path::{Found, JsonPath, Mode};
use super::json_value::Json;
use super::kernel::own;
use super::lists::column;
use super::{Form, Function, Parameter, Returns, Simple};

/// Arguments of JSON_VALUE: json, path, what to do if empty, the default then, what to do on errors, the default then.
/// The defaults are of the type that is returned.
const fn value_form(parameters: &'static [Parameter], returns: Simple) -> Form {
    Form { parameters, repeats: false, returns: Returns::Type(returns) }
}

pub(super) fn functions() -> Vec<Function> {
    const TEXTS: &[Form] = &[
        value_form(&[Text, Text], Simple::Text),
        value_form(&[Text, Text, Text, Text, Text, SameAs(3)], Simple::Text),
    ];
    const INTS: &[Form] = &[value_form(&[Text, Text, Text, Whole, Text, SameAs(3)], Simple::Int)];
    const DOUBLES: &[Form] = &[value_form(&[Text, Text, Text, Double, Text, SameAs(3)], Simple::Double)];
    const BOOLEANS: &[Form] = &[value_form(&[Text, Text, Text, Boolean, Text, SameAs(3)], Simple::Boolean)];
    const BOOLEAN: Returns = Returns::Type(Simple::Boolean);
    const TEXT: Returns = Returns::Type(Simple::Text);
    vec![
        own(
            "json_value",
            TEXTS,
            "JSON_VALUE(json, 'path' [RETURNING type] [NULL, ERROR or DEFAULT value ON EMPTY] [… ON ERROR])",
            Sometimes,
            value,
        )
        .checked(check_path),
        own("json_value_int", INTS, "JSON_VALUE(json, 'path' RETURNING INTEGER)", Sometimes, value).checked(check_path),
        own("json_value_double", DOUBLES, "JSON_VALUE(json, 'path' RETURNING DOUBLE)", Sometimes, value)
            .checked(check_path),
        own("json_value_boolean", BOOLEANS, "JSON_VALUE(json, 'path' RETURNING BOOLEAN)", Sometimes, value)
            .checked(check_path),
        own(
            "json_query",
            &[
                Form { parameters: &[Text, Text], repeats: false, returns: TEXT },
                Form { parameters: &[Text, Text, Text, Text, Text], repeats: false, returns: TEXT },
            ],
            "JSON_QUERY(json, 'path' [RETURNING type] [WITH [UNCONDITIONAL] WRAPPER] \
             [NULL, ERROR, EMPTY ARRAY or EMPTY OBJECT ON EMPTY] [… ON ERROR])",
            Sometimes,
            query,
        )
        .checked(check_path),
        own(
            "json_query_array",
            &[Form { parameters: &[Text, Text, Text, Text, Text], repeats: false, returns: Returns::Texts }],
            "JSON_QUERY(json, 'path' RETURNING ARRAY<STRING>)",
            Sometimes,
            query_array,
        )
        .checked(check_path),
        own(
            "json_exists",
            &[
                Form { parameters: &[Text, Text], repeats: false, returns: BOOLEAN },
                Form { parameters: &[Text, Text, Text], repeats: false, returns: BOOLEAN },
            ],
            "JSON_EXISTS(json, 'path' [TRUE, FALSE, UNKNOWN or ERROR ON ERROR])",
            Sometimes,
            exists,
        )
        .checked(check_path),
        own(
            "is_json",
            &[Form { parameters: &[Text, Text], repeats: false, returns: BOOLEAN }],
            "string IS JSON [VALUE, SCALAR, ARRAY or OBJECT]",
            Never,
            is_json,
        ),
    ]
}

fn check_path(constants: &[Option<String>]) -> std::result::Result<(), String> {
    let path = constants.get(1).cloned().flatten().ok_or("the path must be a string constant")?;
    path.parse::<JsonPath>().map(|_| ())
}

fn path(arguments: &ScalarFunctionArgs) -> Result<JsonPath> {
    constant(arguments, 1)?.parse().map_err(|error: String| exec_datafusion_err!("{error}"))
}

/// What to do where there is no result; `place` is that of the argument that says it.
fn behaviour<'a>(arguments: &'a ScalarFunctionArgs, path: &JsonPath) -> Result<(&'a str, usize)> {
    let (empty, error) = match arguments.args.len() {
        2 => return Ok(("NULL", 0)),
        5 => (3, 4),
        _ => (2, 4),
    };
    let place = if path.mode() == Mode::Lax { empty } else { error };
    Ok((constant(arguments, place)?, place))
}

/// A lax path that leads to no scalar is empty, a strict one is in error.
fn value(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let (texts, path) = (Texts::of(arguments, 0)?, path(arguments)?);
    let (behaviour, place) = behaviour(arguments, &path)?;
    // Flink holds a strict path that leads nowhere for empty here, too.
    let fails = behaviour == "ERROR" || arguments.args.len() > 2 && constant(arguments, 2)? == "ERROR";
    let default = if behaviour == "DEFAULT" { Some(column(arguments, place + 1)?) } else { None };
    let mut found = Vec::with_capacity(arguments.number_rows);
    for row in 0..arguments.number_rows {
        let Some(text) = texts.get(row) else {
            found.push(Value::Null);
            continue;
        };
        let json = Json::parse(text);
        let scalar = match path.find(json.as_ref()) {
            Found::One(one) => one.scalar_text().map(|scalar| (one, scalar.into_owned())),
            Found::Many(_) | Found::Nothing => None,
        };
        found.push(match scalar {
            Some((json, scalar)) => Value::Scalar(json.clone(), scalar),
            None if fails => return exec_err!("JSON_VALUE has no result for `{text}`"),
            None if default.is_some() => Value::Default,
            None => Value::Null,
        });
    }
    collect(arguments.return_type(), found, default)
}

enum Value {
    Null,
    Default,
    Scalar(Json, String),
}

fn collect(returns: &DataType, found: Vec<Value>, default: Option<ArrayRef>) -> Result<ArrayRef> {
    let default = match default {
        Some(default) => Some(datafusion_common::arrow::compute::cast(&default, returns)?),
        None => None,
    };
    macro_rules! each {
        ($array:ty, $default:expr, $scalar:expr) => {{
            let mut values = Vec::with_capacity(found.len());
            for (row, value) in found.into_iter().enumerate() {
                values.push(match (value, &default) {
                    (Value::Scalar(json, text), _) => Some($scalar(json, text)?),
                    (Value::Default, Some(default)) if default.is_valid(row) => Some($default(default, row)),
                    (Value::Default | Value::Null, _) => None,
                });
            }
            Arc::new(values.into_iter().collect::<$array>())
        }};
    }
    let wrong = |text: &str, to: &str| exec_datafusion_err!("JSON_VALUE found `{text}`, which is no {to}");
    Ok(match returns {
        DataType::Int32 => each!(
            Int32Array,
            |default: &ArrayRef, row| default
                .as_primitive::<datafusion_common::arrow::datatypes::Int32Type>()
                .value(row),
            |json, text: String| match json {
                Json::Number(number) => number.parse::<i32>().map_err(|_| wrong(&text, "INTEGER")),
                _ => Err(wrong(&text, "INTEGER")),
            }
        ),
        DataType::Float64 => each!(
            Float64Array,
            |default: &ArrayRef, row| {
                default.as_primitive::<datafusion_common::arrow::datatypes::Float64Type>().value(row)
            },
            |json, text: String| match json {
                Json::Number(number) => number.parse::<f64>().map_err(|_| wrong(&text, "DOUBLE")),
                _ => Err(wrong(&text, "DOUBLE")),
            }
        ),
        DataType::Boolean => {
            each!(BooleanArray, |default: &ArrayRef, row| default.as_boolean().value(row), |json, text: String| {
                match json {
                    Json::Boolean(value) => Ok(value),
                    _ => Err(wrong(&text, "BOOLEAN")),
                }
            })
        }
        _ => each!(
            datafusion_common::arrow::array::StringArray,
            |default: &ArrayRef, row| default.as_string::<i32>().value(row).to_string(),
            |_, text: String| Ok::<_, datafusion_common::DataFusionError>(text)
        ),
    })
}

/// What a path leads to, wrapped into an array as asked for; none if that is no array or object.
fn wrapped(found: Found<'_>, wrapper: &str) -> Option<Json> {
    let found = match found {
        Found::Nothing => return None,
        Found::One(one) => one.clone(),
        Found::Many(many) => Json::Array(many.into_iter().cloned().collect()),
    };
    match (wrapper, &found) {
        ("UNCONDITIONAL", _) => Some(Json::Array(vec![found])),
        (_, Json::Array(_)) => Some(found),
        ("CONDITIONAL", _) => Some(Json::Array(vec![found])),
        (_, Json::Object(_)) => Some(found),
        _ => None,
    }
}

fn queried(arguments: &ScalarFunctionArgs) -> Result<Vec<Option<Json>>> {
    let (texts, path) = (Texts::of(arguments, 0)?, path(arguments)?);
    let (behaviour, _) = behaviour(arguments, &path)?;
    let wrapper = if arguments.args.len() > 2 { constant(arguments, 2)? } else { "WITHOUT" };
    let mut found = Vec::with_capacity(arguments.number_rows);
    for row in 0..arguments.number_rows {
        let Some(text) = texts.get(row) else {
            found.push(None);
            continue;
        };
        let json = Json::parse(text);
        found.push(match (wrapped(path.find(json.as_ref()), wrapper), behaviour) {
            (Some(json), _) => Some(json),
            (None, "EMPTY ARRAY") => Some(Json::Array(Vec::new())),
            (None, "EMPTY OBJECT") => Some(Json::Object(Vec::new())),
            (None, "ERROR") => return exec_err!("JSON_QUERY has no result for `{text}`"),
            (None, _) => None,
        });
    }
    Ok(found)
}

fn query(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let found = queried(arguments)?;
    Ok(super::arguments::collect_text(arguments.number_rows, |row| {
        found[row].as_ref().map(|json| json.to_string().into())
    }))
}

/// The elements of the array that is found: texts as they are, others as JSON. An object is no array, and so NULL.
fn query_array(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let DataType::List(field) = arguments.return_type() else { return internal_err!("an array is returned") };
    let mut builder = ListBuilder::new(StringBuilder::new()).with_field(Arc::clone(field));
    for found in queried(arguments)? {
        let elements = match found {
            Some(Json::Array(elements)) => Some(elements),
            _ => None,
        };
        builder.append_option(elements.map(|elements| {
            elements.into_iter().map(|element| match element {
                Json::Null => None,
                Json::Text(text) => Some(text),
                other => Some(other.to_string()),
            })
        }));
    }
    Ok(Arc::new(builder.finish()))
}

fn exists(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let (texts, path) = (Texts::of(arguments, 0)?, path(arguments)?);
    let on_error = if arguments.args.len() > 2 { constant(arguments, 2)? } else { "FALSE" };
    let mut values = Vec::with_capacity(arguments.number_rows);
    for row in 0..arguments.number_rows {
        values.push(match texts.get(row) {
            None => None,
            Some(text) => {
                let json = Json::parse(text);
                match (path.find(json.as_ref()), path.mode(), on_error) {
                    (Found::One(_) | Found::Many(_), _, _) => Some(true),
                    (Found::Nothing, Mode::Strict, "TRUE") => Some(true),
                    (Found::Nothing, Mode::Strict, "UNKNOWN") => None,
                    (Found::Nothing, Mode::Strict, "ERROR") => {
                        return exec_err!("JSON_EXISTS finds nothing in `{text}`");
                    }
                    (Found::Nothing, _, _) => Some(false),
                }
            }
        });
    }
    Ok(Arc::new(values.into_iter().collect::<BooleanArray>()))
}

/// NULL is no JSON.
fn is_json(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let (texts, kind) = (Texts::of(arguments, 0)?, constant(arguments, 1)?);
    let test = |row: usize| {
        let json = texts.get(row).and_then(Json::parse);
        Some(json.is_some_and(|json| match kind {
            "OBJECT" => matches!(json, Json::Object(_)),
            "ARRAY" => matches!(json, Json::Array(_)),
            "SCALAR" => !matches!(json, Json::Object(_) | Json::Array(_)),
            _ => true,
        }))
    };
    Ok(Arc::new((0..arguments.number_rows).map(test).collect::<BooleanArray>()))
}
