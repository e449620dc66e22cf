//! Functions that make JSON texts of values.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write;

use arrow_schema::{DataType, TimeUnit};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use datafusion_common::arrow::array::{Array, ArrayRef, AsArray};
use datafusion_common::arrow::datatypes::{
    Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMillisecondType,
};
use datafusion_common::{Result, exec_datafusion_err, exec_err};
use datafusion_expr::ScalarFunctionArgs;

use super::Nulls::{Sometimes, Strict};
use super::Parameter::{Anything, Map, Text};
use super::arguments::{Texts, collect_text, constant};
use super::json_text::Reader;
use super::json_value::{Json, decimal_text};
use super::kernel::own;
use super::lists::{column, columns, places};
use super::pattern::format_timestamp;
use super::text::{java_double, java_float};
use super::{Form, Function, Returns, Simple};

/// The function that makes an object of a MULTISET of its members, which are rows of a name and a JSON text.
pub const JSON_OF_MEMBERS: &str = "json_of_members";

const TEXT: Returns = Returns::Type(Simple::Text);
const TEXT_TO_TEXT: &[Form] = &[Form { parameters: &[Text], repeats: false, returns: TEXT }];
/// The first argument says what becomes of NULLs, and which values are JSON already.
const PARTS: &[Form] = &[
    Form { parameters: &[Text], repeats: false, returns: TEXT },
    Form { parameters: &[Text, Anything], repeats: true, returns: TEXT },
];

pub(super) fn functions() -> Vec<Function> {
    vec![
        own(
            "json_string",
            &[Form { parameters: &[Anything], repeats: false, returns: TEXT }],
            "JSON_STRING(value)",
            Strict,
            string,
        ),
        own(
            "json_object",
            PARTS,
            "JSON_OBJECT([[KEY] 'name' VALUE value, …] [NULL or ABSENT ON NULL])",
            Strict,
            |arguments| build(arguments, object),
        ),
        own("json_array", PARTS, "JSON_ARRAY([value, …] [NULL or ABSENT ON NULL])", Strict, |arguments| {
            build(arguments, array)
        }),
        own(
            JSON_OF_MEMBERS,
            &[Form { parameters: &[Map], repeats: false, returns: TEXT }],
            "JSON_OBJECTAGG([KEY] name VALUE value [NULL or ABSENT ON NULL])",
            Strict,
            of_members,
        ),
        own("json_quote", TEXT_TO_TEXT, "JSON_QUOTE(string)", Strict, |a| each(a, |text| quoted(text).into())),
        own("json_unquote", TEXT_TO_TEXT, "JSON_UNQUOTE(string)", Sometimes, |a| each(a, unquoted)),
    ]
}

fn each(arguments: &ScalarFunctionArgs, value: for<'a> fn(&'a str) -> Cow<'a, str>) -> Result<ArrayRef> {
    let texts = Texts::of(arguments, 0)?;
    Ok(collect_text(arguments.number_rows, |row| texts.get(row).map(value)))
}

/// In ASCII alone.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' | '/' => quoted.extend(['\\', character]),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            ' '..='~' => quoted.push(character),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    let _ = write!(quoted, "\\u{unit:04x}");
                }
            }
        }
    }
    quoted.push('"');
    quoted
}

/// What is no JSON string stays as it is.
fn unquoted(text: &str) -> Cow<'_, str> {
    let closed = text.len() > 1 && text.starts_with('"') && text.ends_with('"');
    match Reader::over(text).value() {
        Some(Json::Text(inner)) if closed => Cow::Owned(inner),
        _ => Cow::Borrowed(text),
    }
}

fn string(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let values = column(arguments, 0)?;
    let mut texts = Vec::with_capacity(arguments.number_rows);
    for row in 0..arguments.number_rows {
        texts.push(if values.is_valid(row) { Some(json_of(&values, row)?.to_string()) } else { None });
    }
    Ok(collect_text(arguments.number_rows, |row| texts[row].as_deref().map(Cow::Borrowed)))
}

/// Makes one JSON value of each row's parts.
fn build(arguments: &ScalarFunctionArgs, whole: fn(Vec<Json>, bool) -> Json) -> Result<ArrayRef> {
    let (on_null, kinds) = constant(arguments, 0)?.split_once(' ').unwrap_or_default();
    let values = columns(arguments)?;
    let mut texts = Vec::with_capacity(arguments.number_rows);
    for row in 0..arguments.number_rows {
        let mut parts = Vec::with_capacity(values.len());
        for (value, kind) in values[1..].iter().zip(kinds.bytes()) {
            parts.push(match (json_of(value, row)?, kind) {
                (Json::Text(text), b'j') => {
                    Json::parse(&text).ok_or_else(|| exec_datafusion_err!("`{text}` is no JSON"))?
                }
                (json, _) => json,
            });
        }
        texts.push(whole(parts, on_null == "NULL").to_string());
    }
    Ok(collect_text(arguments.number_rows, |row| Some(Cow::Borrowed(texts[row].as_str()))))
}

fn object(parts: Vec<Json>, keeps_nulls: bool) -> Json {
    let mut members = Vec::with_capacity(parts.len() / 2);
    let mut parts = parts.into_iter();
    while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
        if let (Json::Text(name), true) = (name, keeps_nulls || value != Json::Null) {
            members.push((name, value));
        }
    }
    Json::object(members)
}

fn of_members(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let members = column(arguments, 0)?;
    let members = members.as_map();
    let (rows, counts) = (members.keys().as_struct(), members.values().as_primitive::<Int32Type>());
    let (names, values) = (rows.column(0).as_string::<i32>(), rows.column(1).as_string::<i32>());
    let mut texts = Vec::with_capacity(arguments.number_rows);
    for row in 0..arguments.number_rows {
        let mut sorted = BTreeMap::new();
        for place in members.value_offsets()[row] as usize..members.value_offsets()[row + 1] as usize {
            if names.is_null(place) {
                return exec_err!("a name in JSON_OBJECTAGG is NULL");
            }
            let name = names.value(place);
            if sorted.insert(name, values.value(place)).is_some() || counts.value(place) > 1 {
                return exec_err!("the name `{name}` comes twice in JSON_OBJECTAGG");
            }
        }
        let written = sorted.iter().map(|(name, value)| format!("{}:{value}", Json::Text(name.to_string())));
        texts.push(format!("{{{}}}", written.collect::<Vec<_>>().join(",")));
    }
    Ok(collect_text(arguments.number_rows, |row| Some(Cow::Borrowed(texts[row].as_str()))))
}

fn array(parts: Vec<Json>, keeps_nulls: bool) -> Json {
    Json::Array(parts.into_iter().filter(|part| keeps_nulls || *part != Json::Null).collect())
}

/// Whether values of this type can become JSON.
pub fn becomes_json(data_type: &DataType) -> bool {
    match data_type {
        DataType::Date32 | DataType::Time32(_) | DataType::Interval(_) | DataType::Null => false,
        DataType::List(element) => becomes_json(element.data_type()),
        DataType::Struct(fields) => fields.iter().all(|field| becomes_json(field.data_type())),
        DataType::Map(_, _) => crate::nested::element_of(data_type)
            .is_some_and(|(key, value)| key == DataType::Utf8 && becomes_json(&value)),
        _ => true,
    }
}

fn json_of(values: &ArrayRef, row: usize) -> Result<Json> {
    if values.is_null(row) {
        return Ok(Json::Null);
    }
    let whole = |number: i64| Json::Number(number.to_string());
    Ok(match values.data_type() {
        DataType::Null => Json::Null,
        DataType::Boolean => Json::Boolean(values.as_boolean().value(row)),
        DataType::Int8 => whole(values.as_primitive::<Int8Type>().value(row).into()),
        DataType::Int16 => whole(values.as_primitive::<Int16Type>().value(row).into()),
        DataType::Int32 => whole(values.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => whole(values.as_primitive::<Int64Type>().value(row)),
        DataType::Float32 => Json::Number(decimal_text(&java_float(values.as_primitive::<Float32Type>().value(row)))),
        DataType::Float64 => Json::Number(decimal_text(&java_double(values.as_primitive::<Float64Type>().value(row)))),
        DataType::Decimal128(_, _) => {
            Json::Number(decimal_text(&values.as_primitive::<Decimal128Type>().value_as_string(row)))
        }
        DataType::Utf8 => Json::Text(values.as_string::<i32>().value(row).to_string()),
        DataType::Binary => Json::Text(STANDARD.encode(values.as_binary::<i32>().value(row))),
        DataType::Timestamp(TimeUnit::Millisecond, zone) => {
            let millis = values.as_primitive::<TimestampMillisecondType>().value(row);
            let pattern = if millis % 1000 == 0 { "yyyy-MM-dd'T'HH:mm:ss" } else { "yyyy-MM-dd'T'HH:mm:ss.SSS" };
            let zone = if zone.is_some() { "Z" } else { "" };
            Json::Text(format_timestamp(millis, pattern) + zone)
        }
        DataType::List(_) => {
            let list = values.as_list::<i32>();
            let places = places(list, row).unwrap_or_default();
            Json::Array(places.map(|place| json_of(list.values(), place)).collect::<Result<_>>()?)
        }
        DataType::Struct(fields) => {
            let columns = values.as_struct().columns();
            let members =
                fields.iter().zip(columns).map(|(field, column)| Ok((field.name().clone(), json_of(column, row)?)));
            Json::object(members.collect::<Result<Vec<_>>>()?)
        }
        DataType::Map(_, _) => {
            let map = values.as_map();
            let offsets = map.value_offsets();
            let mut members = Vec::new();
            for place in offsets[row] as usize..offsets[row + 1] as usize {
                let name = map.keys().as_string::<i32>().value(place).to_string();
                members.push((name, json_of(map.values(), place)?));
            }
            Json::object(members)
        }
        other => return exec_err!("{other} cannot become JSON"),
    })
}

#[cfg(test)]
mod tests {
    use super::{quoted, unquoted};

    #[test]
    fn quotes_go_on_and_off() {
        assert_eq!(quoted("a\"b\\c\té/"), r#""a\"b\\c\t\u00e9\/""#);
        assert_eq!(unquoted(r#""a\"b\u00e9""#), "a\"bé");
        for same in ["abc", "\"bad", "", "\"", "\"a\" "] {
            assert_eq!(unquoted(same), same);
        }
    }
}
