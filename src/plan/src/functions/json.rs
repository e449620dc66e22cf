//! Functions on JSON texts. Paths are constants in lax mode: what is not there, or is no JSON, gives no result and is
//! no fault. The clauses ON EMPTY and ON ERROR are not there, and mean what they mean in Flink when left out.

use std::borrow::Cow;
use std::sync::Arc;

use datafusion_common::arrow::array::{ArrayRef, BooleanArray};
use datafusion_common::{Result, exec_datafusion_err};
use datafusion_expr::ScalarFunctionArgs;

use super::Nulls::{Sometimes, Strict};
use super::Parameter::Text;
use super::arguments::{Texts, collect_text, constant};
use super::json_path::JsonPath;
use super::json_value::Json;
use super::kernel::own;
use super::{Form, Function, Returns, Simple};

const TEXT_AT_PATH: &[Form] =
    &[Form { parameters: &[Text, Text], repeats: false, returns: Returns::Type(Simple::Text) }];

pub(super) fn functions() -> Vec<Function> {
    vec![
        own("json_value", TEXT_AT_PATH, "JSON_VALUE(json, 'path')", Sometimes, value).checked(check_path),
        own("json_query", TEXT_AT_PATH, "JSON_QUERY(json, 'path')", Sometimes, query).checked(check_path),
        own(
            "json_exists",
            &[Form { parameters: &[Text, Text], repeats: false, returns: Returns::Type(Simple::Boolean) }],
            "JSON_EXISTS(json, 'path')",
            Strict,
            exists,
        )
        .checked(check_path),
    ]
}

fn check_path(constants: &[Option<String>]) -> std::result::Result<(), String> {
    let path = constants.get(1).cloned().flatten().ok_or("the path must be a string constant")?;
    path.parse::<JsonPath>().map(|_| ())
}

fn path(arguments: &ScalarFunctionArgs) -> Result<JsonPath> {
    constant(arguments, 1)?.parse().map_err(|error: String| exec_datafusion_err!("{error}"))
}

/// NULL where the path leads to nothing, to null, to more than one value, or to an array or object.
fn value(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let (texts, path) = (Texts::of(arguments, 0)?, path(arguments)?);
    Ok(collect_text(arguments.number_rows, |row| {
        let json = Json::parse(texts.get(row)?)?;
        match path.find(&json)[..] {
            [found] => found.scalar_text().map(|text| Cow::Owned(text.into_owned())),
            _ => None,
        }
    }))
}

/// NULL where the path leads to nothing, to more than one value, or to neither an array nor an object.
fn query(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let (texts, path) = (Texts::of(arguments, 0)?, path(arguments)?);
    Ok(collect_text(arguments.number_rows, |row| {
        let json = Json::parse(texts.get(row)?)?;
        match path.find(&json)[..] {
            [found @ (Json::Array(_) | Json::Object(_))] => Some(Cow::Owned(found.to_string())),
            _ => None,
        }
    }))
}

fn exists(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let (texts, path) = (Texts::of(arguments, 0)?, path(arguments)?);
    let exists = |text: &str| Json::parse(text).is_some_and(|json| !path.find(&json).is_empty());
    let values = (0..arguments.number_rows).map(|row| texts.get(row).map(exists));
    Ok(Arc::new(values.collect::<BooleanArray>()))
}
