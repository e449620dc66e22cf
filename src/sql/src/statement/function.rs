//! `CREATE FUNCTION name AS 'class or function' [LANGUAGE …] [USING FILE '…']` and `DROP FUNCTION`.

use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Span, Token};

use super::TableName;
use super::create::parse_string;
use super::parse::{parse_table_name, syntax, words};
use crate::error::{Result, SqlError};

/// A function that a module is given for, by a Java class or by a file. The language that is written is of no matter.
#[derive(Clone, Debug)]
pub(crate) struct CreateFunction {
    pub name: TableName,
    pub if_not_exists: bool,
    /// The class, or with a file the function in it.
    pub class: String,
    pub class_span: Span,
    pub files: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct DropFunction {
    pub name: TableName,
    pub if_exists: bool,
}

/// What comes behind the function's name.
pub(super) fn parse_function(
    parser: &mut Parser<'static>,
    name: TableName,
    if_not_exists: bool,
) -> Result<CreateFunction> {
    parser.expect_keyword(Keyword::AS).map_err(syntax)?;
    let class_span = parser.peek_token_ref().span;
    let class = parse_string(parser, "a class or a function of a module in single quotes")?;
    if words(parser, &["LANGUAGE"]) {
        parser.parse_identifier().map_err(syntax)?;
    }
    let mut files = Vec::new();
    if words(parser, &["USING"]) {
        loop {
            parse_kind_of_file(parser)?;
            files.push(parse_string(parser, "a file in single quotes")?);
            if !parser.consume_token(&Token::Comma) {
                break;
            }
        }
    }
    Ok(CreateFunction { name, if_not_exists, class, class_span, files })
}

fn parse_kind_of_file(parser: &mut Parser<'static>) -> Result<()> {
    let span = parser.peek_token_ref().span;
    match ["FILE", "JAR", "ARTIFACT"].iter().any(|kind| words(parser, &[kind])) {
        true => Ok(()),
        false => Err(SqlError::new(span, "USING names no file", "write USING FILE 'module.wasm'")),
    }
}

/// What comes behind DROP [TEMPORARY [SYSTEM]] FUNCTION.
pub(super) fn parse_drop_function(parser: &mut Parser<'static>) -> Result<DropFunction> {
    let if_exists = words(parser, &["IF", "EXISTS"]);
    Ok(DropFunction { name: parse_table_name(parser)?, if_exists })
}
