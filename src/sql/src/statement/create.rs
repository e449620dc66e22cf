//! `CREATE TABLE` and `CREATE VIEW`.

use std::collections::BTreeMap;

use sqlparser::ast::{DataType, Ident};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{IsOptional, Parser};
use sqlparser::tokenizer::{Span, Token};

use super::data_type::parse_data_type;
use super::function::parse_function;
use super::parse::{parse_query, parse_table_name, parser_of, syntax, words};
use super::{
    Column, ColumnSyntax, CreateTable, CreateView, Feature, Like, Merging, Statement, TableName, WatermarkClause,
};
use crate::error::{Result, SqlError};
use crate::hints::Hint;
use crate::tokens;

/// What all kinds of CREATE begin with.
struct Head {
    temporary: bool,
    if_not_exists: bool,
    name: TableName,
}

pub(super) fn parse_create(parser: &mut Parser<'static>) -> Result<Statement> {
    let create = parser.next_token();
    if words(parser, &["OR", "REPLACE"]) {
        return Err(SqlError::new(create.span, "CREATE OR REPLACE is not supported", "create each table once"));
    }
    let temporary = words(parser, &["TEMPORARY"]);
    let is_system = temporary && words(parser, &["SYSTEM", "FUNCTION"]);
    let kind = if is_system { parser.peek_token() } else { parser.next_token() };
    if tokens::is_keyword(Some(&kind), Keyword::TABLE) {
        let head = parse_head(parser, temporary)?;
        return parse_table(parser, head).map(Box::new).map(Statement::CreateTable);
    }
    if tokens::is_keyword(Some(&kind), Keyword::VIEW) {
        let head = parse_head(parser, temporary)?;
        return parse_view(parser, head).map(Box::new).map(Statement::CreateView);
    }
    if is_system || tokens::is_keyword(Some(&kind), Keyword::FUNCTION) {
        let head = parse_head(parser, temporary)?;
        return parse_function(parser, head.name, head.if_not_exists).map(Statement::CreateFunction);
    }
    let message = format!("CREATE {} is not supported", kind.token.to_string().to_uppercase());
    Err(SqlError::new(kind.span, message, "only tables, views and functions can be created"))
}

fn parse_head(parser: &mut Parser<'static>, temporary: bool) -> Result<Head> {
    let if_not_exists = words(parser, &["IF", "NOT", "EXISTS"]);
    Ok(Head { temporary, if_not_exists, name: parse_table_name(parser)? })
}

fn parse_view(parser: &mut Parser<'static>, head: Head) -> Result<CreateView> {
    let columns = parser.parse_parenthesized_column_list(IsOptional::Optional, false).map_err(syntax)?;
    skip_comment(parser)?;
    parser.expect_keyword(Keyword::AS).map_err(syntax)?;
    let query = parse_query(parser)?;
    Ok(CreateView { name: head.name, temporary: head.temporary, if_not_exists: head.if_not_exists, columns, query })
}

fn parse_table(parser: &mut Parser<'static>, head: Head) -> Result<CreateTable> {
    let mut table = CreateTable {
        name: head.name,
        temporary: head.temporary,
        if_not_exists: head.if_not_exists,
        columns: Vec::new(),
        watermark: None,
        primary_key: Vec::new(),
        partition_keys: Vec::new(),
        options: BTreeMap::new(),
        like: None,
    };
    let open = parser.peek_token();
    if parser.consume_token(&Token::LParen) {
        parse_element(parser, &mut table)?;
        while parser.consume_token(&Token::Comma) {
            parse_element(parser, &mut table)?;
        }
        parser.expect_token(&Token::RParen).map_err(syntax)?;
    }
    skip_comment(parser)?;
    if words(parser, &["PARTITIONED", "BY"]) {
        table.partition_keys = parser.parse_parenthesized_column_list(IsOptional::Mandatory, false).map_err(syntax)?;
    }
    refuse_clauses(parser)?;
    if parser.parse_keyword(Keyword::WITH) {
        table.options = parse_options(parser)?;
    }
    if words(parser, &["LIKE"]) {
        table.like = Some(parse_like(parser)?);
    }
    refuse_clauses(parser)?;
    if table.columns.is_empty() && table.like.is_none() {
        let message = format!("the table needs its columns in parentheses but found {}", open.token);
        return Err(SqlError::new(open.span, message, "CREATE TABLE … AS SELECT is not supported"));
    }
    Ok(table)
}

/// `LIKE table (INCLUDING OPTIONS EXCLUDING WATERMARKS …)`.
fn parse_like(parser: &mut Parser<'static>) -> Result<Like> {
    let mut like = Like { table: parse_table_name(parser)?, rules: Vec::new() };
    if !parser.consume_token(&Token::LParen) {
        return Ok(like);
    }
    while !parser.consume_token(&Token::RParen) {
        let span = parser.peek_token_ref().span;
        let merging = [("INCLUDING", Merging::Including), ("EXCLUDING", Merging::Excluding)];
        let merging = merging.into_iter().chain([("OVERWRITING", Merging::Overwriting)]);
        let merging = merging.into_iter().find(|(word, _)| words(parser, &[word])).map(|(_, merging)| merging);
        let feature = FEATURES.iter().find(|(word, _)| words(parser, &[word])).map(|(_, feature)| *feature);
        match (merging, feature) {
            (Some(merging), Some(feature)) => like.rules.push((feature, merging)),
            _ => {
                let message = "LIKE has a rule that is not known";
                return Err(SqlError::new(span, message, "write such as INCLUDING OPTIONS or EXCLUDING WATERMARKS"));
            }
        }
    }
    Ok(like)
}

const FEATURES: [(&str, Option<Feature>); 7] = [
    ("ALL", None),
    ("CONSTRAINTS", Some(Feature::Constraints)),
    ("GENERATED", Some(Feature::Generated)),
    ("OPTIONS", Some(Feature::Options)),
    ("WATERMARKS", Some(Feature::Watermarks)),
    ("METADATA", Some(Feature::Metadata)),
    ("PARTITIONS", Some(Feature::Partitions)),
];

fn refuse_clauses(parser: &Parser<'static>) -> Result<()> {
    let next = parser.peek_token();
    for (word, remedy) in [
        ("PARTITIONED", "write PARTITIONED BY (column, …) once, before WITH"),
        ("DISTRIBUTED", "choose the partitions by the connector's options"),
        ("AS", "create the table with its columns, then INSERT INTO it"),
    ] {
        if next.token.to_string().eq_ignore_ascii_case(word) {
            let message = format!("{word} is not supported here");
            return Err(SqlError::new(next.span, message, remedy));
        }
    }
    Ok(())
}

/// A column, a watermark or a key.
fn parse_element(parser: &mut Parser<'static>, table: &mut CreateTable) -> Result<()> {
    let start = parser.peek_token();
    if words(parser, &["WATERMARK", "FOR"]) {
        let clause = parse_watermark(parser)?;
        if table.watermark.replace(clause).is_some() {
            return Err(SqlError::new(start.span, "the table has a second watermark", "keep one of the two"));
        }
        return Ok(());
    }
    if words(parser, &["CONSTRAINT"]) {
        parser.parse_identifier().map_err(syntax)?;
        return parse_primary_key(parser, table);
    }
    if words(parser, &["UNIQUE"]) {
        return Err(SqlError::new(start.span, "UNIQUE is not supported", "use PRIMARY KEY … NOT ENFORCED"));
    }
    if tokens::is_keyword(Some(&start), Keyword::PRIMARY) {
        return parse_primary_key(parser, table);
    }
    let column = parse_column(parser, table)?;
    table.columns.push(column);
    Ok(())
}

fn parse_watermark(parser: &mut Parser<'static>) -> Result<WatermarkClause> {
    let column = parser.parse_identifier().map_err(syntax)?;
    parser.expect_keyword(Keyword::AS).map_err(syntax)?;
    Ok(WatermarkClause { column, expression: parser.parse_expr().map_err(syntax)? })
}

fn parse_primary_key(parser: &mut Parser<'static>, table: &mut CreateTable) -> Result<()> {
    let span = parser.peek_token_ref().span;
    parser.expect_keywords(&[Keyword::PRIMARY, Keyword::KEY]).map_err(syntax)?;
    let columns = parser.parse_parenthesized_column_list(IsOptional::Mandatory, false).map_err(syntax)?;
    set_primary_key(parser, table, columns, span)
}

fn set_primary_key(
    parser: &mut Parser<'static>,
    table: &mut CreateTable,
    columns: Vec<Ident>,
    span: Span,
) -> Result<()> {
    if !words(parser, &["NOT", "ENFORCED"]) {
        let message = "a primary key of a stream cannot be enforced";
        return Err(SqlError::new(span, message, "write NOT ENFORCED after it"));
    }
    if !table.primary_key.is_empty() {
        return Err(SqlError::new(span, "the table has a second primary key", "keep one of the two"));
    }
    table.primary_key = columns;
    Ok(())
}

fn parse_column(parser: &mut Parser<'static>, table: &mut CreateTable) -> Result<Column> {
    let name = parser.parse_identifier().map_err(syntax)?;
    if parser.parse_keyword(Keyword::AS) {
        let expression = parser.parse_expr().map_err(syntax)?;
        skip_comment(parser)?;
        return Ok(Column { name, kind: ColumnSyntax::Computed(Box::new(expression)) });
    }
    let span = parser.peek_token_ref().span;
    let (data_type, mut not_null) = parse_type(parser)?;
    loop {
        let next = parser.peek_token();
        if words(parser, &["NOT", "NULL"]) {
            not_null = true;
        } else if words(parser, &["PRIMARY", "KEY"]) {
            set_primary_key(parser, table, vec![name.clone()], next.span)?;
        } else if !words(parser, &["NULL"]) {
            break;
        }
    }
    let kind = parse_origin(parser, ColumnSyntax::Physical { data_type, span, not_null })?;
    skip_comment(parser)?;
    Ok(Column { name, kind })
}

/// `METADATA FROM 'key' VIRTUAL` behind a column's type, if it is there.
fn parse_origin(parser: &mut Parser<'static>, column: ColumnSyntax) -> Result<ColumnSyntax> {
    let ColumnSyntax::Physical { data_type, span, not_null } = column else { return Ok(column) };
    if !words(parser, &["METADATA"]) {
        return Ok(ColumnSyntax::Physical { data_type, span, not_null });
    }
    let key = match parser.parse_keyword(Keyword::FROM) {
        true => Some(parse_string(parser, "the metadata's key in single quotes")?),
        false => None,
    };
    let is_virtual = words(parser, &["VIRTUAL"]);
    Ok(ColumnSyntax::Metadata { data_type, span, not_null, key, is_virtual })
}

fn parse_type(parser: &mut Parser<'static>) -> Result<(DataType, bool)> {
    let data_type = parse_data_type(parser).map_err(syntax)?;
    Ok((data_type, words(parser, &["NOT", "NULL"])))
}

/// The type of a catalog table's column, such as `STRING NOT NULL` or `TIMESTAMP_LTZ(3) METADATA FROM 'timestamp'`.
pub(crate) fn parse_column_type(text: &str) -> Result<ColumnSyntax> {
    let mut parser = parser_of(tokens::rewrite(tokens::tokenize(text)?));
    let span = parser.peek_token_ref().span;
    let (data_type, not_null) = parse_type(&mut parser)?;
    let column = parse_origin(&mut parser, ColumnSyntax::Physical { data_type, span, not_null })?;
    match parser.peek_token().token {
        Token::EOF => Ok(column),
        other => Err(SqlError::new(span, format!("`{other}` is not a part of a type"), "give the type alone")),
    }
}

/// The hints of a comment: `NAME(…), NAME(…)`.
pub(crate) fn parse_hints(text: &str) -> Result<Vec<Hint>> {
    let mut parser = parser_of(tokens::tokenize(text)?);
    let mut hints = Vec::new();
    while parser.peek_token_ref().token != Token::EOF {
        let name = parser.parse_identifier().map_err(syntax)?.value;
        let options = match parser.peek_nth_token_ref(1).token {
            Token::SingleQuotedString(_) => Some(parse_options(&mut parser)?),
            _ => {
                skip_arguments(&mut parser)?;
                None
            }
        };
        hints.push(Hint { name, options });
        if !parser.consume_token(&Token::Comma) {
            parser.expect_token(&Token::EOF).map_err(syntax)?;
        }
    }
    Ok(hints)
}

fn skip_arguments(parser: &mut Parser<'static>) -> Result<()> {
    if parser.consume_token(&Token::LParen) {
        while !parser.consume_token(&Token::RParen) {
            if parser.next_token().token == Token::EOF {
                return Err(SqlError::new(Span::empty(), "the hint does not end", "close its parenthesis"));
            }
        }
    }
    Ok(())
}

fn parse_options(parser: &mut Parser<'static>) -> Result<BTreeMap<String, String>> {
    parser.expect_token(&Token::LParen).map_err(syntax)?;
    let mut options = BTreeMap::new();
    loop {
        let span = parser.peek_token_ref().span;
        let key = parse_string(parser, "an option's name in single quotes")?;
        parser.expect_token(&Token::Eq).map_err(syntax)?;
        let value = parse_string(parser, "an option's value in single quotes")?;
        if options.insert(key.clone(), value).is_some() {
            return Err(SqlError::new(span, format!("the option '{key}' is given twice"), "keep one of the two"));
        }
        if !parser.consume_token(&Token::Comma) {
            break;
        }
    }
    parser.expect_token(&Token::RParen).map_err(syntax)?;
    Ok(options)
}

pub(super) fn parse_string(parser: &mut Parser<'static>, what: &str) -> Result<String> {
    let next = parser.next_token();
    match next.token {
        Token::SingleQuotedString(text) => Ok(text),
        other => {
            Err(SqlError::new(next.span, format!("expected {what} but found {other}"), "put it into single quotes"))
        }
    }
}

fn skip_comment(parser: &mut Parser<'static>) -> Result<()> {
    if words(parser, &["COMMENT"]) {
        parse_string(parser, "the comment")?;
    }
    Ok(())
}
