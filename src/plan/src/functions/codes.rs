//! Digests and encodings of strings, which are taken as UTF-8.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use datafusion_common::arrow::array::ArrayRef;
use datafusion_common::{Result, exec_datafusion_err};
use datafusion_expr::ScalarFunctionArgs;
use md5::Md5;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

use super::Nulls::Strict;
use super::Parameter::{Text, Whole};
use super::arguments::{Texts, Wholes, collect_text};
use super::kernel::own;
use super::{Form, Function, Returns, Simple};

const TEXT: Returns = Returns::Type(Simple::Text);
const TEXT_TO_TEXT: &[Form] = &[Form { parameters: &[Text], repeats: false, returns: TEXT }];

pub(super) fn functions() -> Vec<Function> {
    vec![
        own("md5", TEXT_TO_TEXT, "MD5(string)", Strict, |a| each(a, digest::<Md5>)),
        own("sha1", TEXT_TO_TEXT, "SHA1(string)", Strict, |a| each(a, sha1)),
        own("sha224", TEXT_TO_TEXT, "SHA224(string)", Strict, |a| each(a, digest::<Sha224>)),
        own("sha256", TEXT_TO_TEXT, "SHA256(string)", Strict, |a| each(a, digest::<Sha256>)),
        own("sha384", TEXT_TO_TEXT, "SHA384(string)", Strict, |a| each(a, digest::<Sha384>)),
        own("sha512", TEXT_TO_TEXT, "SHA512(string)", Strict, |a| each(a, digest::<Sha512>)),
        own(
            "sha2",
            &[Form { parameters: &[Text, Whole], repeats: false, returns: TEXT }],
            "SHA2(string, 224, 256, 384 or 512)",
            Strict,
            sha2,
        )
        .checked(|constants| match constants.get(1).and_then(Option::as_deref) {
            Some("224" | "256" | "384" | "512") => Ok(()),
            _ => Err("the length must be the constant 224, 256, 384 or 512".to_string()),
        }),
        own("to_base64", TEXT_TO_TEXT, "TO_BASE64(string)", Strict, |a| each(a, |text| STANDARD.encode(text))),
        own("from_base64", TEXT_TO_TEXT, "FROM_BASE64(string)", Strict, from_base64),
        own(
            "hex",
            &[
                Form { parameters: &[Text], repeats: false, returns: TEXT },
                Form { parameters: &[Whole], repeats: false, returns: TEXT },
            ],
            "HEX(string or whole number)",
            Strict,
            hex,
        ),
    ]
}

fn each(arguments: &ScalarFunctionArgs, value: fn(&str) -> String) -> Result<ArrayRef> {
    let texts = Texts::of(arguments, 0)?;
    Ok(collect_text(arguments.number_rows, |row| texts.get(row).map(|text| Cow::Owned(value(text)))))
}

fn digest<D: Digest>(text: &str) -> String {
    in_digits(&D::digest(text))
}

/// Its crate is of another generation than those of the others, and so is its trait.
fn sha1(text: &str) -> String {
    in_digits(&<sha1::Sha1 as sha1::Digest>::digest(text))
}

fn in_digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sha2(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let (texts, lengths) = (Texts::of(arguments, 0)?, Wholes::of(arguments, 1)?);
    Ok(collect_text(arguments.number_rows, |row| {
        let text = texts.get(row)?;
        Some(Cow::Owned(match lengths.get(row)? {
            224 => digest::<Sha224>(text),
            256 => digest::<Sha256>(text),
            384 => digest::<Sha384>(text),
            _ => digest::<Sha512>(text),
        }))
    }))
}

/// What is not base64 fails the job, as in Flink; so does what is then no text.
fn from_base64(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let texts = Texts::of(arguments, 0)?;
    let mut decoded = Vec::with_capacity(arguments.number_rows);
    for row in 0..arguments.number_rows {
        decoded.push(texts.get(row).map(decode).transpose()?);
    }
    Ok(collect_text(arguments.number_rows, |row| decoded[row].as_deref().map(Cow::Borrowed)))
}

fn decode(text: &str) -> Result<String> {
    let bytes = STANDARD.decode(text).map_err(|error| exec_datafusion_err!("`{text}` is not base64: {error}"))?;
    String::from_utf8(bytes).map_err(|_| exec_datafusion_err!("`{text}` is the base64 of bytes that are no text"))
}

/// In capitals. Negative numbers in two's complement of 64 bits.
fn hex(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let rows = arguments.number_rows;
    if let Ok(numbers) = Wholes::of(arguments, 0) {
        return Ok(collect_text(rows, |row| numbers.get(row).map(|number| format!("{number:X}").into())));
    }
    each(arguments, |text| text.bytes().map(|byte| format!("{byte:02X}")).collect())
}
