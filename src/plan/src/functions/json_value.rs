//! JSON values as Flink sees them: numbers keep their digits, members come out in the order of their names.

use std::borrow::Cow;
use std::fmt::{self, Write};

use super::json_text::Reader;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Null,
    Boolean(bool),
    /// As it is written out.
    Number(String),
    Text(String),
    Array(Vec<Json>),
    /// No name is there twice.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// None if the text does not begin with JSON; what stands behind it does not matter, as in Flink.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Reader::over(text).value()
    }

    /// A scalar as SQL sees it; none for null, arrays and objects.
    pub(super) fn scalar_text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Number(number) => Some(Cow::Borrowed(number)),
            Self::Boolean(value) => Some(Cow::Borrowed(if *value { "true" } else { "false" })),
            Self::Null | Self::Array(_) | Self::Object(_) => None,
        }
    }

    /// Of members with the same name the last counts.
    pub(super) fn object(members: impl IntoIterator<Item = (String, Json)>) -> Self {
        let mut object: Vec<(String, Json)> = Vec::new();
        let mut places = std::collections::HashMap::new();
        for (name, value) in members {
            match places.get(&name).and_then(|place: &usize| object.get_mut(*place)) {
                Some(member) => member.1 = value,
                None => {
                    places.insert(name.clone(), object.len());
                    object.push((name, value));
                }
            }
        }
        Self::Object(object)
    }
}

/// As short as it can be written.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Number(number) => f.write_str(number),
            Self::Text(text) => f.write_str(&quoted(text)),
            Self::Array(elements) => {
                f.write_char('[')?;
                for (place, element) in elements.iter().enumerate() {
                    write!(f, "{}{element}", if place == 0 { "" } else { "," })?;
                }
                f.write_char(']')
            }
            Self::Object(members) => {
                let mut sorted: Vec<&(String, Json)> = members.iter().collect();
                // By UTF-16 units, as Java compares.
                sorted.sort_by(|left, right| left.0.encode_utf16().cmp(right.0.encode_utf16()));
                f.write_char('{')?;
                for (place, (name, value)) in sorted.into_iter().enumerate() {
                    write!(f, "{}{}:{value}", if place == 0 { "" } else { "," }, quoted(name))?;
                }
                f.write_char('}')
            }
        }
    }
}

/// A text as JSON.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            control if control < ' ' => {
                let _ = write!(quoted, "\\u{:04X}", control as u32);
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// How Java's BigDecimal writes a number that is written like this: with all its digits, and with an exponent only
/// where there would be many zeros.
pub(super) fn decimal_text(written: &str) -> String {
    let (mantissa, exponent) = match written.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.trim_start_matches('+').parse::<i64>().unwrap_or(0)),
        None => (written, 0),
    };
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let digits = match all.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    let scale = fraction.len() as i64 - exponent;
    let adjusted = digits.len() as i64 - 1 - scale;
    let sign = if digits == "0" { "" } else { sign };
    if scale >= 0 && adjusted >= -6 {
        let scale = scale as usize;
        let padded = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = padded.split_at(padded.len() - scale);
        return format!("{sign}{whole}{}{fraction}", if scale == 0 { "" } else { "." });
    }
    let (first, rest) = digits.split_at(1);
    let point = if rest.is_empty() { "" } else { "." };
    format!("{sign}{first}{point}{rest}E{adjusted:+}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_come_by_name_and_the_last_of_a_name_counts() {
        let json = Json::parse(r#" {"b" : [1, 2.50, 1e9, true], "a": "x\"\n", "b": {}, "c": []} "#).unwrap();
        assert_eq!(json.to_string(), r#"{"a":"x\"\n","b":{},"c":[]}"#);
    }

    #[test]
    fn numbers_keep_their_digits() {
        for (written, expected) in [
            ("2.50", "2.50"),
            ("1e3", "1E+3"),
            ("1.5E3", "1.5E+3"),
            ("12345678901234567890", "12345678901234567890"),
            ("-0.0001", "-0.0001"),
            ("1e-7", "1E-7"),
            ("1.0E10", "1.0E+10"),
            ("1.0E-5", "0.000010"),
            ("1.23456789012E11", "123456789012"),
            ("0", "0"),
        ] {
            assert_eq!(decimal_text(written), expected, "{written}");
        }
    }
}
