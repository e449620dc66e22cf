//! JSON values, whose members keep the order in which they were written.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Null,
    Boolean(bool),
    Number(Number),
    Text(String),
    Array(Vec<Json>),
    /// No name is there twice.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// None if the text is no JSON.
    pub(super) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// A scalar as SQL sees it; none for null, arrays and objects.
    pub(super) fn scalar_text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Number(_) | Self::Boolean(_) => Some(Cow::Owned(self.to_string())),
            Self::Null | Self::Array(_) | Self::Object(_) => None,
        }
    }
}

/// As short as it can be written.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Number(number) => f.write_str(&written(number)),
            Self::Text(text) => write_text(f, text),
            Self::Array(elements) => {
                for (place, element) in elements.iter().enumerate() {
                    write!(f, "{}{element}", if place == 0 { "[" } else { "," })?;
                }
                f.write_str(if elements.is_empty() { "[]" } else { "]" })
            }
            Self::Object(members) => {
                for (place, (name, value)) in members.iter().enumerate() {
                    f.write_str(if place == 0 { "{" } else { "," })?;
                    write_text(f, name)?;
                    write!(f, ":{value}")?;
                }
                f.write_str(if members.is_empty() { "{}" } else { "}" })
            }
        }
    }
}

fn write_text(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str(&serde_json::to_string(text).map_err(|_| fmt::Error)?)
}

/// Numbers with a point or exponent are doubles, written as Java writes them.
fn written(number: &Number) -> String {
    match number.as_f64().filter(|_| number.is_f64()) {
        Some(value) => super::text::java_double(value),
        None => number.to_string(),
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Number::from_f64(value).map_or(Json::Null, Json::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_string()))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Json, A::Error> {
        let mut array = Vec::new();
        while let Some(element) = elements.next_element()? {
            array.push(element);
        }
        Ok(Json::Array(array))
    }

    /// Of members with the same name the last counts, in the place of the first.
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let mut object: Vec<(String, Json)> = Vec::new();
        let mut places = std::collections::HashMap::new();
        while let Some((name, value)) = members.next_entry::<String, Json>()? {
            let place = *places.entry(name.clone()).or_insert(object.len());
            match object.get_mut(place) {
                Some(member) => member.1 = value,
                None => object.push((name, value)),
            }
        }
        Ok(Json::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_order_and_the_last_of_a_name_counts() {
        let json = Json::parse(r#" {"b" : [1, 2.50, 1e9, true], "a": "x\"\n", "b": {}, "c": []} "#).unwrap();
        assert_eq!(json.to_string(), r#"{"b":{},"a":"x\"\n","c":[]}"#);
    }

    #[test]
    fn numbers_are_written_as_java_writes_them() {
        assert_eq!(Json::parse("[1, 2.50, 1e9, -0.0001]").unwrap().to_string(), "[1,2.5,1.0E9,-1.0E-4]");
    }

    #[test]
    fn what_is_no_json_is_none() {
        for text in ["", "{", "{a:1}", "1 2", "'x'"] {
            assert_eq!(Json::parse(text), None, "{text}");
        }
    }
}
