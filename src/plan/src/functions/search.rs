//! Finding and splitting: functions that count, place and list what regular expressions and separators find.

use std::sync::Arc;

use datafusion_common::arrow::array::{ArrayRef, Int32Array, ListBuilder, StringBuilder};
use datafusion_common::{Result, exec_datafusion_err, internal_err};
use datafusion_expr::ScalarFunctionArgs;

use super::Nulls::{Sometimes, Strict};
use super::Parameter::{Text, Whole};
use super::arguments::{Texts, Wholes, collect_text, constant};
use super::kernel::own;
use super::regex::{check_constant, check_pattern, compiled};
use super::similar::translated;
use super::{Form, Function, Returns, Simple};

const INT: &[Form] = &[Form { parameters: &[Text, Text], repeats: false, returns: Returns::Type(Simple::Int) }];
const TEXT: &[Form] = &[Form { parameters: &[Text, Text], repeats: false, returns: Returns::Type(Simple::Text) }];

pub(super) fn functions() -> Vec<Function> {
    vec![
        own("regexp_count", INT, "REGEXP_COUNT(string, 'pattern')", Strict, count).checked(check_pattern),
        own("regexp_instr", INT, "REGEXP_INSTR(string, 'pattern')", Strict, place).checked(check_pattern),
        own("regexp_substr", TEXT, "REGEXP_SUBSTR(string, 'pattern')", Sometimes, first).checked(check_pattern),
        own(
            "regexp_extract_all",
            &[
                Form { parameters: &[Text, Text], repeats: false, returns: Returns::Texts },
                Form { parameters: &[Text, Text, Whole], repeats: false, returns: Returns::Texts },
            ],
            "REGEXP_EXTRACT_ALL(string, 'pattern' [, group])",
            Sometimes,
            all,
        )
        .checked(check_pattern),
        own(
            "similar_to",
            &[Form { parameters: &[Text, Text], repeats: false, returns: Returns::Type(Simple::Boolean) }],
            "string SIMILAR TO 'pattern'",
            Strict,
            similar,
        )
        .checked(|constants| {
            let pattern = constants.get(1).cloned().flatten().ok_or("the pattern must be a string constant")?;
            check_constant(Some(&translated(&pattern)?))
        }),
        own(
            "split",
            &[Form { parameters: &[Text, Text], repeats: false, returns: Returns::Texts }],
            "SPLIT(string, separator)",
            Strict,
            split,
        ),
    ]
}

fn count(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let (texts, pattern) = (Texts::of(arguments, 0)?, compiled(arguments, 1)?);
    let count = |row| Some(pattern.find_iter(texts.get(row)?).count() as i32);
    Ok(Arc::new((0..arguments.number_rows).map(count).collect::<Int32Array>()))
}

/// In characters from 1; 0 for what is not there.
fn place(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let (texts, pattern) = (Texts::of(arguments, 0)?, compiled(arguments, 1)?);
    let place = |row| {
        let text = texts.get(row)?;
        Some(pattern.find(text).map_or(0, |found| text[..found.start()].chars().count() as i32 + 1))
    };
    Ok(Arc::new((0..arguments.number_rows).map(place).collect::<Int32Array>()))
}

fn first(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let (texts, pattern) = (Texts::of(arguments, 0)?, compiled(arguments, 1)?);
    Ok(collect_text(arguments.number_rows, |row| Some(pattern.find(texts.get(row)?)?.as_str().into())))
}

/// Of group 1 unless said otherwise. NULL for a group that there is not.
fn all(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let (texts, pattern) = (Texts::of(arguments, 0)?, compiled(arguments, 1)?);
    let groups = match arguments.args.len() {
        2 => Wholes::Constant(Some(1)),
        _ => Wholes::of(arguments, 2)?,
    };
    collect_texts(arguments, |row| {
        let group = usize::try_from(groups.get(row)?).ok().filter(|group| *group < pattern.captures_len())?;
        let found = pattern.captures_iter(texts.get(row)?);
        Some(found.map(|captures| captures.get(group).map(|part| part.as_str())).collect())
    })
}

fn similar(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let texts = Texts::of(arguments, 0)?;
    let pattern = translated(constant(arguments, 1)?).map_err(|problem| exec_datafusion_err!("{problem}"))?;
    let pattern = super::regex::compiled_text(&pattern)?;
    let values = (0..arguments.number_rows).map(|row| texts.get(row).map(|text| pattern.is_match(text)));
    Ok(Arc::new(values.collect::<datafusion_common::arrow::array::BooleanArray>()))
}

/// By the separator as it is written; by each character if it is empty. The empty string has no parts.
fn split(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let (texts, separators) = (Texts::of(arguments, 0)?, Texts::of(arguments, 1)?);
    collect_texts(arguments, |row| {
        let (text, separator) = (texts.get(row)?, separators.get(row)?);
        Some(match (text, separator) {
            ("", _) => Vec::new(),
            (_, "") => text.split("").filter(|part| !part.is_empty()).map(Some).collect(),
            _ => text.split(separator).map(Some).collect(),
        })
    })
}

fn collect_texts<'a>(
    arguments: &ScalarFunctionArgs,
    texts: impl Fn(usize) -> Option<Vec<Option<&'a str>>>,
) -> Result<ArrayRef> {
    let arrow_schema::DataType::List(field) = arguments.return_type() else {
        return internal_err!("texts are returned as {}", arguments.return_type());
    };
    let mut builder = ListBuilder::new(StringBuilder::new()).with_field(Arc::clone(field));
    for row in 0..arguments.number_rows {
        builder.append_option(texts(row));
    }
    Ok(Arc::new(builder.finish()))
}
