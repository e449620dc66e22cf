//! More functions on strings: places, letters and what they stand for.

use std::borrow::Cow;
use std::sync::Arc;

use datafusion_common::Result;
use datafusion_common::arrow::array::{ArrayRef, BooleanArray, Int32Array};
use datafusion_expr::ScalarFunctionArgs;

use super::Nulls::{Never, Sometimes, Strict};
use super::Parameter::{Text, Whole};
use super::arguments::{Texts, Wholes, collect_text};
use super::kernel::own;
use super::{Form, Function, Returns, Simple};

const TEXT: Returns = Returns::Type(Simple::Text);
const INT: Returns = Returns::Type(Simple::Int);
const BOOLEAN: Returns = Returns::Type(Simple::Boolean);
const TEXT_TO_BOOLEAN: &[Form] = &[Form { parameters: &[Text], repeats: false, returns: BOOLEAN }];
const TWO_TEXTS_TO_BOOLEAN: &[Form] = &[Form { parameters: &[Text, Text], repeats: false, returns: BOOLEAN }];

pub(super) fn functions() -> Vec<Function> {
    vec![
        own(
            "locate",
            &[
                Form { parameters: &[Text, Text], repeats: false, returns: INT },
                Form { parameters: &[Text, Text, Whole], repeats: false, returns: INT },
            ],
            "LOCATE(search, string [, start])",
            Strict,
            locate,
        ),
        own(
            "translate",
            &[Form { parameters: &[Text, Text, Text], repeats: false, returns: TEXT }],
            "TRANSLATE(string, characters, replacements)",
            Strict,
            translate,
        ),
        own(
            "initcap",
            &[Form { parameters: &[Text], repeats: false, returns: TEXT }],
            "INITCAP(string)",
            Strict,
            |arguments| each_text(arguments, initcap),
        ),
        own("startswith", TWO_TEXTS_TO_BOOLEAN, "STARTSWITH(string, start)", Strict, |arguments| {
            two_tests(arguments, |text, start| text.starts_with(start))
        }),
        own("endswith", TWO_TEXTS_TO_BOOLEAN, "ENDSWITH(string, end)", Strict, |arguments| {
            two_tests(arguments, |text, end| text.ends_with(end))
        }),
        own("ascii", &[Form { parameters: &[Text], repeats: false, returns: INT }], "ASCII(string)", Strict, ascii),
        own("chr", &[Form { parameters: &[Whole], repeats: false, returns: TEXT }], "CHR(number)", Strict, chr),
        own(
            "elt",
            &[Form { parameters: &[Whole, Text], repeats: true, returns: TEXT }],
            "ELT(index from 1, string, …)",
            Sometimes,
            elt,
        ),
        own("is_alpha", TEXT_TO_BOOLEAN, "IS_ALPHA(string)", Never, |arguments| {
            test(arguments, |text| !text.is_empty() && text.chars().all(char::is_alphabetic))
        }),
        own("is_digit", TEXT_TO_BOOLEAN, "IS_DIGIT(string)", Never, |arguments| {
            test(arguments, |text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
        }),
        own("is_decimal", TEXT_TO_BOOLEAN, "IS_DECIMAL(string)", Never, |arguments| test(arguments, is_decimal)),
    ]
}

fn each_text(arguments: &ScalarFunctionArgs, value: fn(&str) -> String) -> Result<ArrayRef> {
    let texts = Texts::of(arguments, 0)?;
    Ok(collect_text(arguments.number_rows, |row| texts.get(row).map(|text| Cow::Owned(value(text)))))
}

/// False where there is no text.
fn test(arguments: &ScalarFunctionArgs, test: fn(&str) -> bool) -> Result<ArrayRef> {
    let texts = Texts::of(arguments, 0)?;
    let values = (0..arguments.number_rows).map(|row| Some(texts.get(row).is_some_and(test)));
    Ok(Arc::new(values.collect::<BooleanArray>()))
}

fn two_tests(arguments: &ScalarFunctionArgs, test: fn(&str, &str) -> bool) -> Result<ArrayRef> {
    let (texts, others) = (Texts::of(arguments, 0)?, Texts::of(arguments, 1)?);
    let values = (0..arguments.number_rows).map(|row| Some(test(texts.get(row)?, others.get(row)?)));
    Ok(Arc::new(values.collect::<BooleanArray>()))
}

/// 0 for what is not there.
fn locate(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let (searches, texts) = (Texts::of(arguments, 0)?, Texts::of(arguments, 1)?);
    let starts = match arguments.args.len() {
        2 => Wholes::Constant(Some(1)),
        _ => Wholes::of(arguments, 2)?,
    };
    let place = |row| Some(located(searches.get(row)?, texts.get(row)?, starts.get(row)?));
    Ok(Arc::new((0..arguments.number_rows).map(place).collect::<Int32Array>()))
}

/// Nothing is found in the first place, wherever it is looked for from; a start before the first place is that.
fn located(search: &str, text: &str, start: i64) -> i32 {
    if search.is_empty() {
        return 1;
    }
    let skip = usize::try_from(start.saturating_sub(1).max(0)).unwrap_or(usize::MAX);
    let Some((begin, _)) = text.char_indices().chain([(text.len(), ' ')]).nth(skip) else { return 0 };
    match text[begin..].find(search) {
        Some(offset) => (skip + text[begin..begin + offset].chars().count() + 1) as i32,
        None => 0,
    }
}

/// Each character becomes the one at its place in the replacements, and none if they end before it.
fn translate(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let (texts, from, to) = (Texts::of(arguments, 0)?, Texts::of(arguments, 1)?, Texts::of(arguments, 2)?);
    Ok(collect_text(arguments.number_rows, |row| {
        let (text, from, to) = (texts.get(row)?, from.get(row)?, to.get(row)?);
        let translated = text.chars().filter_map(|character| match from.chars().position(|known| known == character) {
            Some(place) => to.chars().nth(place),
            None => Some(character),
        });
        Some(Cow::Owned(translated.collect()))
    }))
}

/// Words are of letters and digits of ASCII, which others are between.
fn initcap(text: &str) -> String {
    let mut in_word = false;
    let capital = |character: char| {
        let first = !std::mem::replace(&mut in_word, character.is_ascii_alphanumeric());
        if first { character.to_ascii_uppercase() } else { character.to_ascii_lowercase() }
    };
    text.chars().map(capital).collect()
}

/// The first byte as Java has it, with a sign; 0 for the empty string.
fn ascii(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let texts = Texts::of(arguments, 0)?;
    let code = |text: &str| text.bytes().next().map_or(0, |byte| i32::from(byte as i8));
    Ok(Arc::new((0..arguments.number_rows).map(|row| texts.get(row).map(code)).collect::<Int32Array>()))
}

/// Of the number's lowest eight bits; the empty string for a negative one.
fn chr(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let codes = Wholes::of(arguments, 0)?;
    Ok(collect_text(arguments.number_rows, |row| {
        let code = codes.get(row)?;
        Some(Cow::Owned(if code < 0 { String::new() } else { char::from(code as u8).to_string() }))
    }))
}

/// NULL for an index that is none of them.
fn elt(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let indices = Wholes::of(arguments, 0)?;
    let texts = (1..arguments.args.len()).map(|place| Texts::of(arguments, place)).collect::<Result<Vec<_>>>()?;
    Ok(collect_text(arguments.number_rows, |row| {
        let place = usize::try_from(indices.get(row)?.checked_sub(1)?).ok()?;
        texts.get(place)?.get(row).map(Cow::Borrowed)
    }))
}

/// Whether Java reads it as a number: white space around it, and a letter for the type behind it, do not matter.
fn is_decimal(text: &str) -> bool {
    let text = text.trim();
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, "NaN" | "Infinity") {
        return true;
    }
    let number = unsigned.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(unsigned);
    number.starts_with(|first: char| first.is_ascii_digit() || first == '.') && number.parse::<f64>().is_ok()
}
