//! Functions on strings. Characters are Unicode code points and count from 1, except in `SPLIT_INDEX`, as in Flink.

use std::borrow::Cow;

use datafusion_common::Result;
use datafusion_common::arrow::array::ArrayRef;
use datafusion_expr::ScalarFunctionArgs;
use datafusion_functions::{string, unicode};

use super::Nulls::{Sometimes, Strict};
use super::Parameter::{Approximate, Text, Whole};
use super::arguments::{Doubles, Texts, Values, Wholes, collect_text};
use super::kernel::{borrowed, own};
use super::{Form, Function, Returns, Simple};
use datafusion_common::arrow::datatypes::Float32Type;

const TEXT: Returns = Returns::Type(Simple::Text);
const TEXT_TO_TEXT: &[Form] = &[Form { parameters: &[Text], repeats: false, returns: TEXT }];
const TEXT_AND_WHOLE: &[Form] = &[Form { parameters: &[Text, Whole], repeats: false, returns: TEXT }];
const ONE_OR_TWO_TEXTS: &[Form] = &[
    Form { parameters: &[Text], repeats: false, returns: TEXT },
    Form { parameters: &[Text, Text], repeats: false, returns: TEXT },
];
const PADDING: &[Form] = &[Form { parameters: &[Text, Whole, Text], repeats: false, returns: TEXT }];

pub(super) fn functions() -> Vec<Function> {
    vec![
        borrowed("upper", TEXT_TO_TEXT, "UPPER(string)", string::upper()),
        borrowed("lower", TEXT_TO_TEXT, "LOWER(string)", string::lower()),
        borrowed(
            "char_length",
            &[Form { parameters: &[Text], repeats: false, returns: Returns::Type(Simple::Int) }],
            "CHAR_LENGTH(string)",
            unicode::character_length(),
        )
        .aliased(&["character_length"]),
        own(
            "substring",
            &[
                Form { parameters: &[Text, Whole], repeats: false, returns: TEXT },
                Form { parameters: &[Text, Whole, Whole], repeats: false, returns: TEXT },
            ],
            "SUBSTRING(string FROM start [FOR length])",
            Sometimes,
            substring,
        )
        .aliased(&["substr"]),
        own(
            "concat",
            &[Form { parameters: &[Text], repeats: true, returns: TEXT }],
            "CONCAT(string, …)",
            Strict,
            concat,
        ),
        borrowed(
            "concat_ws",
            &[Form { parameters: &[Text, Text], repeats: true, returns: TEXT }],
            "CONCAT_WS(separator, string, …)",
            string::concat_ws(),
        ),
        own(
            "split_index",
            &[Form { parameters: &[Text, Text, Whole], repeats: false, returns: TEXT }],
            "SPLIT_INDEX(string, separator, index from 0)",
            Sometimes,
            split_index,
        ),
        borrowed(
            "replace",
            &[Form { parameters: &[Text, Text, Text], repeats: false, returns: TEXT }],
            "REPLACE(string, search, replacement)",
            string::replace(),
        ),
        borrowed("btrim", ONE_OR_TWO_TEXTS, "BTRIM(string [, characters])", string::btrim()),
        borrowed("ltrim", ONE_OR_TWO_TEXTS, "LTRIM(string [, characters])", string::ltrim()),
        borrowed("rtrim", ONE_OR_TWO_TEXTS, "RTRIM(string [, characters])", string::rtrim()),
        borrowed(
            "position",
            &[Form { parameters: &[Text, Text], repeats: false, returns: Returns::Type(Simple::Int) }],
            "POSITION(search IN string)",
            unicode::strpos(),
        )
        .aliased(&["instr"]),
        borrowed("reverse", TEXT_TO_TEXT, "REVERSE(string)", unicode::reverse()),
        own(
            "overlay",
            &[
                Form { parameters: &[Text, Text, Whole], repeats: false, returns: TEXT },
                Form { parameters: &[Text, Text, Whole, Whole], repeats: false, returns: TEXT },
            ],
            "OVERLAY(string PLACING other FROM start [FOR length])",
            Strict,
            overlay,
        ),
        own("left", TEXT_AND_WHOLE, "LEFT(string, length)", Strict, left),
        own("right", TEXT_AND_WHOLE, "RIGHT(string, length)", Strict, right),
        own("lpad", PADDING, "LPAD(string, length, padding)", Sometimes, |a| pad(a, Side::Left)),
        own("rpad", PADDING, "RPAD(string, length, padding)", Sometimes, |a| pad(a, Side::Right)),
        own("repeat", TEXT_AND_WHOLE, "REPEAT(string, times)", Strict, repeat),
        own(
            "number_to_string",
            &[Form { parameters: &[Approximate], repeats: false, returns: TEXT }],
            "CAST(number AS STRING)",
            Strict,
            number_to_string,
        ),
    ]
}

/// As Flink: the start counts from 1, 0 means 1, a negative one counts from the end; a negative length gives NULL.
fn substring(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let (texts, starts) = (Texts::of(arguments, 0)?, Wholes::of(arguments, 1)?);
    let lengths = (arguments.args.len() > 2).then(|| Wholes::of(arguments, 2)).transpose()?;
    Ok(collect_text(arguments.number_rows, |row| {
        let (text, start) = (texts.get(row)?, starts.get(row)?);
        let length = match &lengths {
            Some(lengths) => usize::try_from(lengths.get(row)?).ok()?,
            None => usize::MAX,
        };
        Some(Cow::Borrowed(slice(text, skipped(text, start), length)))
    }))
}

/// How many characters stand before the start; all of them if the start lies outside.
fn skipped(text: &str, start: i64) -> usize {
    match start {
        0 => 0,
        1.. => usize::try_from(start - 1).unwrap_or(usize::MAX),
        _ => {
            let characters = text.chars().count();
            let back = usize::try_from(start.unsigned_abs()).unwrap_or(usize::MAX);
            characters.checked_sub(back).unwrap_or(usize::MAX)
        }
    }
}

fn slice(text: &str, skip: usize, take: usize) -> &str {
    if text.is_ascii() {
        let begin = skip.min(text.len());
        return &text[begin..begin + take.min(text.len() - begin)];
    }
    let rest = text.char_indices().nth(skip).map_or("", |(begin, _)| &text[begin..]);
    rest.char_indices().nth(take).map_or(rest, |(end, _)| &rest[..end])
}

/// A start outside of the string changes nothing; a length that is not sensible is that to the end.
fn overlay(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let (texts, others, starts) = (Texts::of(arguments, 0)?, Texts::of(arguments, 1)?, Wholes::of(arguments, 2)?);
    let lengths = (arguments.args.len() > 3).then(|| Wholes::of(arguments, 3)).transpose()?;
    Ok(collect_text(arguments.number_rows, |row| {
        let (text, other, start) = (texts.get(row)?, others.get(row)?, starts.get(row)?);
        let length = match &lengths {
            Some(lengths) => lengths.get(row)?,
            None => other.chars().count() as i64,
        };
        let count = text.chars().count() as i64;
        if start < 1 || start > count {
            return Some(Cow::Borrowed(text));
        }
        let taken = if length < 1 || start - 1 + length > count { count } else { length };
        let (before, rest) = (slice(text, 0, start as usize - 1), (start - 1).saturating_add(taken));
        Some(Cow::Owned(format!("{before}{other}{}", slice(text, rest as usize, usize::MAX))))
    }))
}

fn concat(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let texts = (0..arguments.args.len()).map(|place| Texts::of(arguments, place)).collect::<Result<Vec<_>>>()?;
    Ok(collect_text(arguments.number_rows, |row| {
        texts.iter().map(|text| text.get(row)).collect::<Option<String>>().map(Cow::Owned)
    }))
}

fn split_index(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let (texts, separators) = (Texts::of(arguments, 0)?, Texts::of(arguments, 1)?);
    let indices = Wholes::of(arguments, 2)?;
    Ok(collect_text(arguments.number_rows, |row| {
        let (text, separator, index) = (texts.get(row)?, separators.get(row)?, indices.get(row)?);
        let index = usize::try_from(index).ok()?;
        part(text, separator, index).map(Cow::Borrowed)
    }))
}

/// The empty string has no parts at all; an empty separator stands for white space.
fn part<'a>(text: &'a str, separator: &str, index: usize) -> Option<&'a str> {
    match (text, separator) {
        ("", _) => None,
        (_, "") => text.split(char::is_whitespace).nth(index),
        _ => text.split(separator).nth(index),
    }
}

fn left(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let (texts, lengths) = (Texts::of(arguments, 0)?, Wholes::of(arguments, 1)?);
    Ok(collect_text(arguments.number_rows, |row| {
        let length = usize::try_from(lengths.get(row)?).unwrap_or(0);
        Some(Cow::Borrowed(slice(texts.get(row)?, 0, length)))
    }))
}

fn right(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let (texts, lengths) = (Texts::of(arguments, 0)?, Wholes::of(arguments, 1)?);
    Ok(collect_text(arguments.number_rows, |row| {
        let (text, length) = (texts.get(row)?, usize::try_from(lengths.get(row)?).unwrap_or(0));
        Some(Cow::Borrowed(slice(text, text.chars().count().saturating_sub(length), usize::MAX)))
    }))
}

#[derive(Clone, Copy)]
enum Side {
    Left,
    Right,
}

/// NULL for a negative length, and for nothing to pad with where padding is needed.
fn pad(arguments: &ScalarFunctionArgs, side: Side) -> Result<ArrayRef> {
    let (texts, lengths, paddings) = (Texts::of(arguments, 0)?, Wholes::of(arguments, 1)?, Texts::of(arguments, 2)?);
    Ok(collect_text(arguments.number_rows, |row| {
        let (text, padding) = (texts.get(row)?, paddings.get(row)?);
        let length = usize::try_from(lengths.get(row)?).ok()?;
        let missing = length.saturating_sub(text.chars().count());
        if missing == 0 {
            return Some(Cow::Borrowed(slice(text, 0, length)));
        }
        if padding.is_empty() {
            return None;
        }
        let padding: String = padding.chars().cycle().take(missing).collect();
        Some(Cow::Owned(match side {
            Side::Left => padding + text,
            Side::Right => text.to_string() + &padding,
        }))
    }))
}

fn repeat(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let (texts, times) = (Texts::of(arguments, 0)?, Wholes::of(arguments, 1)?);
    Ok(collect_text(arguments.number_rows, |row| {
        let times = usize::try_from(times.get(row)?).unwrap_or(0);
        Some(Cow::Owned(texts.get(row)?.repeat(times)))
    }))
}

fn number_to_string(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let rows = arguments.number_rows;
    if let Ok(numbers) = Doubles::of(arguments, 0) {
        return Ok(collect_text(rows, |row| numbers.get(row).map(|number| Cow::Owned(java_double(number)))));
    }
    let numbers = Values::<Float32Type>::of(arguments, 0)?;
    Ok(collect_text(rows, |row| {
        let number = numbers.get(row)?;
        Some(Cow::Owned(java_float(number)))
    }))
}

/// How Java writes a float.
pub(super) fn java_float(number: f32) -> String {
    java_number(number.is_finite().then(|| format!("{number:e}")), number.into())
}

/// How Java writes a double.
pub(super) fn java_double(number: f64) -> String {
    java_number(number.is_finite().then(|| format!("{number:e}")), number)
}

/// How Java writes a number, given its shortest digits as `d.ddde-d` (none if it is not finite).
fn java_number(scientific: Option<String>, number: f64) -> String {
    let Some((mantissa, exponent)) = scientific.as_deref().and_then(|text| text.split_once('e')) else {
        return match number {
            f64::INFINITY => "Infinity".to_string(),
            f64::NEG_INFINITY => "-Infinity".to_string(),
            _ => "NaN".to_string(),
        };
    };
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let or_zero = |digits: &str| if digits.is_empty() { "0".to_string() } else { digits.to_string() };
    match exponent {
        0..=6 => {
            let whole = exponent as usize + 1;
            let padded = format!("{digits:0<whole$}");
            format!("{sign}{}.{}", &padded[..whole], or_zero(&padded[whole..]))
        }
        -3..=-1 => format!("{sign}0.{}{digits}", "0".repeat(exponent.unsigned_abs() as usize - 1)),
        _ => format!("{sign}{}.{}E{exponent}", &digits[..1], or_zero(&digits[1..])),
    }
}
