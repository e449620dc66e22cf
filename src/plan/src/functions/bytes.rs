//! Functions between STRING and BYTES.

use std::borrow::Cow;
use std::sync::Arc;

use datafusion_common::arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder};
use datafusion_common::{Result, exec_datafusion_err};
use datafusion_expr::ScalarFunctionArgs;

use super::Nulls::{Sometimes, Strict};
use super::Parameter::{Bytes, Text};
use super::arguments::{Texts, collect_text, constant};
use super::kernel::own;
use super::lists::column;
use super::{Form, Function, Returns, Simple};

const BYTES: Returns = Returns::Type(Simple::Bytes);

pub(super) fn functions() -> Vec<Function> {
    vec![
        own(
            "encode",
            &[Form { parameters: &[Text, Text], repeats: false, returns: BYTES }],
            "ENCODE(string, 'character set')",
            Strict,
            encode,
        )
        .checked(check_set),
        own(
            "decode",
            &[Form { parameters: &[Bytes, Text], repeats: false, returns: Returns::Type(Simple::Text) }],
            "DECODE(bytes, 'character set')",
            Strict,
            decode,
        )
        .checked(check_set),
        own(
            "unhex",
            &[Form { parameters: &[Text], repeats: false, returns: BYTES }],
            "UNHEX(string)",
            Sometimes,
            unhex,
        ),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CharacterSet {
    Ascii,
    Latin1,
    Utf8,
    Utf16Big,
    Utf16Little,
    /// Big-endian, and says so in front; read as the mark in front says.
    Utf16,
}

fn set_named(name: &str) -> std::result::Result<CharacterSet, String> {
    match name.to_ascii_uppercase().as_str() {
        "US-ASCII" => Ok(CharacterSet::Ascii),
        "ISO-8859-1" => Ok(CharacterSet::Latin1),
        "UTF-8" => Ok(CharacterSet::Utf8),
        "UTF-16BE" => Ok(CharacterSet::Utf16Big),
        "UTF-16LE" => Ok(CharacterSet::Utf16Little),
        "UTF-16" => Ok(CharacterSet::Utf16),
        _ => Err(format!(
            "`{name}` is not a character set; known are US-ASCII, ISO-8859-1, UTF-8, UTF-16BE, UTF-16LE and UTF-16"
        )),
    }
}

fn check_set(constants: &[Option<String>]) -> std::result::Result<(), String> {
    set_named(&constants.get(1).cloned().flatten().ok_or("the character set must be a string constant")?).map(|_| ())
}

fn set(arguments: &ScalarFunctionArgs) -> Result<CharacterSet> {
    set_named(constant(arguments, 1)?).map_err(|problem| exec_datafusion_err!("{problem}"))
}

fn collect(rows: usize, value: impl Fn(usize) -> Option<Vec<u8>>) -> ArrayRef {
    let mut builder = BinaryBuilder::new();
    (0..rows).for_each(|row| builder.append_option(value(row)));
    Arc::new(builder.finish())
}

fn encode(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let (texts, set) = (Texts::of(arguments, 0)?, set(arguments)?);
    Ok(collect(arguments.number_rows, |row| texts.get(row).map(|text| set.encode(text))))
}

fn decode(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let (bytes, set) = (column(arguments, 0)?, set(arguments)?);
    let bytes = bytes.as_binary::<i32>();
    Ok(collect_text(arguments.number_rows, |row| bytes.is_valid(row).then(|| set.decode(bytes.value(row)))))
}

/// NULL for what has no hexadecimal digits. A digit alone at the front is a byte.
fn unhex(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let texts = Texts::of(arguments, 0)?;
    Ok(collect(arguments.number_rows, |row| bytes_of(texts.get(row)?)))
}

fn bytes_of(text: &str) -> Option<Vec<u8>> {
    let digits = text.chars().map(|digit| digit.to_digit(16).map(|digit| digit as u8)).collect::<Option<Vec<_>>>()?;
    let (alone, pairs) = digits.split_at(digits.len() % 2);
    let pairs = pairs.chunks(2).map(|pair| pair[0] << 4 | pair[1]);
    // Flink leaves the value of a digit alone out.
    Some(alone.iter().map(|_| 0).chain(pairs).collect())
}

impl CharacterSet {
    /// What the set does not have becomes `?`.
    fn encode(self, text: &str) -> Vec<u8> {
        let within = |most: u32| text.chars().map(move |c| if (c as u32) <= most { c as u8 } else { b'?' }).collect();
        match self {
            Self::Ascii => within(0x7f),
            Self::Latin1 => within(0xff),
            Self::Utf8 => text.as_bytes().to_vec(),
            Self::Utf16Big => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            Self::Utf16Little => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            Self::Utf16 => [0xfe, 0xff].into_iter().chain(text.encode_utf16().flat_map(u16::to_be_bytes)).collect(),
        }
    }

    /// What stands for no character becomes U+FFFD.
    fn decode(self, bytes: &[u8]) -> Cow<'static, str> {
        let wide = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
            let units = bytes.chunks(2).map(|pair| match pair {
                [first, second] => unit([*first, *second]),
                _ => 0xfffd,
            });
            String::from_utf16_lossy(&units.collect::<Vec<u16>>())
        };
        Cow::Owned(match self {
            Self::Ascii => bytes.iter().map(|byte| if byte.is_ascii() { *byte as char } else { '\u{fffd}' }).collect(),
            Self::Latin1 => bytes.iter().map(|byte| *byte as char).collect(),
            Self::Utf8 => String::from_utf8_lossy(bytes).into_owned(),
            Self::Utf16Big => wide(bytes, u16::from_be_bytes),
            Self::Utf16Little => wide(bytes, u16::from_le_bytes),
            Self::Utf16 => match bytes {
                [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
                [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
                _ => wide(bytes, u16::from_be_bytes),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn character_sets_go_there_and_back() {
        for name in ["UTF-8", "UTF-16BE", "utf-16le", "UTF-16"] {
            let set = set_named(name).unwrap();
            assert_eq!(set.decode(&set.encode("aé😀")), "aé😀", "{name}");
        }
        assert_eq!(CharacterSet::Ascii.encode("aé"), b"a?");
        assert_eq!(CharacterSet::Utf16Little.encode("aé"), [0x61, 0, 0xe9, 0]);
    }

    #[test]
    fn hexadecimal_digits_become_bytes() {
        assert_eq!(bytes_of("466C"), Some(vec![0x46, 0x6c]));
        assert_eq!(bytes_of("F"), Some(vec![0]));
        assert_eq!(bytes_of("xy"), None);
    }
}
