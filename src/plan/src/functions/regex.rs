//! Functions on regular expressions in Java's syntax. Patterns are constants, translated to the syntax of the `regex`
//! crate; what that cannot express (look-around, back references, possessive quantifiers) is refused when planning.

use std::borrow::Cow;
use std::sync::Arc;

use datafusion_common::arrow::array::{ArrayRef, BooleanArray};
use datafusion_common::{Result, exec_datafusion_err};
use datafusion_expr::ScalarFunctionArgs;
use regex::{NoExpand, Regex};

use super::Nulls::{Sometimes, Strict};
use super::Parameter::{Text, Whole};
use super::arguments::{Texts, Wholes, collect_text, constant};
use super::kernel::own;
use super::{Form, Function, Returns, Simple};

pub(super) fn functions() -> Vec<Function> {
    vec![
        own(
            "regexp_replace",
            &[Form { parameters: &[Text, Text, Text], repeats: false, returns: Returns::Type(Simple::Text) }],
            "REGEXP_REPLACE(string, 'pattern', replacement)",
            Strict,
            replace,
        )
        .checked(check_pattern),
        own(
            "regexp_extract",
            &[
                Form { parameters: &[Text, Text], repeats: false, returns: Returns::Type(Simple::Text) },
                Form { parameters: &[Text, Text, Whole], repeats: false, returns: Returns::Type(Simple::Text) },
            ],
            "REGEXP_EXTRACT(string, 'pattern' [, group])",
            Sometimes,
            extract,
        )
        .checked(check_pattern),
        own(
            "regexp",
            &[Form { parameters: &[Text, Text], repeats: false, returns: Returns::Type(Simple::Boolean) }],
            "REGEXP(string, 'pattern')",
            Strict,
            matches,
        )
        .checked(check_pattern),
    ]
}

/// Checks a pattern in the second place.
pub(super) fn check_pattern(constants: &[Option<String>]) -> std::result::Result<(), String> {
    check_constant(constants.get(1).and_then(Option::as_deref))
}

/// Checks a pattern, which has to be a constant.
pub(super) fn check_constant(pattern: Option<&str>) -> std::result::Result<(), String> {
    compile(pattern.ok_or("the pattern must be a string constant")?).map(|_| ())
}

/// The replacement is taken as it is: as in Flink, it names no groups.
fn replace(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let (texts, pattern, replacements) = (Texts::of(arguments, 0)?, compiled(arguments, 1)?, Texts::of(arguments, 2)?);
    Ok(collect_text(arguments.number_rows, |row| {
        Some(pattern.replace_all(texts.get(row)?, NoExpand(replacements.get(row)?)))
    }))
}

/// NULL where the pattern is not found or the group took no part.
fn extract(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let (texts, pattern) = (Texts::of(arguments, 0)?, compiled(arguments, 1)?);
    let groups = match arguments.args.len() {
        2 => Wholes::Constant(Some(0)),
        _ => Wholes::of(arguments, 2)?,
    };
    Ok(collect_text(arguments.number_rows, |row| {
        let group = usize::try_from(groups.get(row)?).ok()?;
        let found = pattern.captures(texts.get(row)?)?.get(group)?;
        Some(Cow::Borrowed(found.as_str()))
    }))
}

fn matches(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let (texts, pattern) = (Texts::of(arguments, 0)?, compiled(arguments, 1)?);
    let values = (0..arguments.number_rows).map(|row| texts.get(row).map(|text| pattern.is_match(text)));
    Ok(Arc::new(values.collect::<BooleanArray>()))
}

/// The pattern that is an argument.
pub(super) fn compiled(arguments: &ScalarFunctionArgs, place: usize) -> Result<Arc<Regex>> {
    compiled_text(constant(arguments, place)?)
}

pub(super) fn compiled_text(pattern: &str) -> Result<Arc<Regex>> {
    thread_local! {
        // Compiling costs far more than matching a batch; an application has few patterns.
        static COMPILED: std::cell::RefCell<std::collections::BTreeMap<String, Arc<Regex>>> = Default::default();
    }
    COMPILED.with_borrow_mut(|patterns| match patterns.get(pattern) {
        Some(regex) => Ok(regex.clone()),
        None => {
            let regex = Arc::new(compile(pattern).map_err(|e| exec_datafusion_err!("{e}"))?);
            patterns.insert(pattern.to_string(), regex.clone());
            Ok(regex)
        }
    })
}

fn compile(pattern: &str) -> std::result::Result<Regex, String> {
    Regex::new(&translate_pattern(pattern)?).map_err(|error| {
        let reason = error.to_string();
        let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ").to_string();
        format!("the regular expression `{pattern}` is not supported: {reason}")
    })
}

/// Java's classes `\d`, `\w`, `\s` and its word boundaries know ASCII only.
fn translate_pattern(pattern: &str) -> std::result::Result<String, String> {
    let mut translated = String::with_capacity(pattern.len() + 16);
    let mut characters = pattern.chars().peekable();
    while let Some(character) = characters.next() {
        if matches!(character, '*' | '+' | '?' | '}') && characters.peek() == Some(&'+') {
            return Err(format!("the regular expression `{pattern}` has a possessive quantifier"));
        }
        if character != '\\' {
            translated.push(character);
            continue;
        }
        match characters.next().ok_or(format!("the regular expression `{pattern}` ends with a backslash"))? {
            'd' => translated.push_str("[0-9]"),
            'D' => translated.push_str("[^0-9]"),
            'w' => translated.push_str("[a-zA-Z_0-9]"),
            'W' => translated.push_str("[^a-zA-Z_0-9]"),
            's' => translated.push_str("[ \\t\\n\\x0B\\f\\r]"),
            'S' => translated.push_str("[^ \\t\\n\\x0B\\f\\r]"),
            'b' => translated.push_str("(?-u:\\b)"),
            'Q' | 'E' | 'R' | 'h' | 'H' | 'v' | 'V' | 'X' | 'G' | 'Z' | 'c' | 'k' | 'B' => {
                return Err(format!("the regular expression `{pattern}` uses an escape that is not supported"));
            }
            other => {
                translated.push('\\');
                translated.push(other);
            }
        }
    }
    Ok(translated)
}

#[cfg(test)]
mod tests {
    use super::compile;

    #[test]
    fn classes_know_ascii_only_as_in_java() {
        assert!(compile(r"^\d+$").is_ok_and(|regex| regex.is_match("12") && !regex.is_match("١٢")));
        assert!(compile(r"^[\w.]+$").is_ok_and(|regex| regex.is_match("a.b") && !regex.is_match("é")));
    }

    #[test]
    fn what_cannot_be_expressed_is_refused() {
        for pattern in ["a(?=b)", "a*+", r"(a)\1", r"\Qa\E", "("] {
            assert!(compile(pattern).is_err(), "{pattern}");
        }
    }
}
