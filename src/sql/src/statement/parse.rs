//! Tells statements apart by their first words and parses them. What is not a statement of a streaming application is
//! refused by name.

use sqlparser::ast::{Expr, Ident, Query};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan};

use super::create::{parse_create, parse_string};
use super::function::parse_drop_function;
use super::{Drop, Insert, Placed, Set, Statement, TableName};
use crate::dialect::FlinkDialect;
use crate::error::{Place, Result, SqlError};
use crate::look::Detail;
use crate::tokens::{self, StatementTokens};

const STATEMENTS: &str =
    "an application has CREATE and DROP of tables, views and functions, SET, INSERT INTO and statement sets";

/// Parses the tokens between two semicolons: one statement, or a statement set's first line and the statement after it.
pub(crate) fn parse(tokens: StatementTokens) -> Result<Vec<Placed>> {
    let start = tokens.start();
    let end = tokens.0.last().map_or(start, |token| token.span.end);
    let mut parser = parser_of(tokens.0);
    let mut statements = Vec::new();
    if execute_statement_set(&mut parser).map_err(|error| at_end(error, end))? {
        statements.push(Placed { statement: Statement::BeginSet, start });
        if parser.peek_token_ref().token == Token::EOF {
            return Ok(statements);
        }
    }
    let start = parser.peek_token_ref().span.start;
    let statement = parse_one(&mut parser).map_err(|error| at_end(error, end).or_at(start))?;
    let goes_on = matches!(statement, Statement::ExplainSet(_)) && parser.peek_token_ref().token != Token::EOF;
    statements.push(Placed { statement, start });
    if goes_on {
        let start = parser.peek_token_ref().span.start;
        let statement = parse_one(&mut parser).map_err(|error| at_end(error, end).or_at(start))?;
        statements.push(Placed { statement, start });
    }
    expect_end(&parser)?;
    Ok(statements)
}

/// Parses a query that is nobody's part.
pub(crate) fn parse_query_alone(tokens: StatementTokens) -> Result<Box<Query>> {
    let mut parser = parser_of(tokens.0);
    let query = parse_query(&mut parser)?;
    expect_end(&parser)?;
    Ok(query)
}

/// Parses an expression of a catalog table.
pub(crate) fn parse_expression(text: &str) -> Result<Expr> {
    let mut parser = parser_of(tokens::rewrite(tokens::tokenize(text)?));
    let expression = parser.parse_expr().map_err(syntax)?;
    expect_end(&parser)?;
    Ok(expression)
}

pub(super) fn parser_of(tokens: Vec<TokenWithSpan>) -> Parser<'static> {
    Parser::new(&FlinkDialect).with_tokens_with_locations(tokens)
}

/// `EXECUTE STATEMENT SET BEGIN` stands before the first INSERT without a semicolon.
fn execute_statement_set(parser: &mut Parser<'static>) -> Result<bool> {
    if !words(parser, &["EXECUTE", "STATEMENT", "SET"]) {
        return Ok(false);
    }
    parser.expect_keyword(Keyword::BEGIN).map_err(syntax)?;
    Ok(true)
}

fn parse_one(parser: &mut Parser<'static>) -> Result<Statement> {
    if words(parser, &["BEGIN", "STATEMENT", "SET"]) {
        return Ok(Statement::BeginSet);
    }
    if words(parser, &["END"]) {
        return Ok(Statement::EndSet);
    }
    let first = parser.peek_token();
    let Token::Word(word) = &first.token else {
        return Err(SqlError::new(first.span, format!("a statement cannot begin with `{}`", first.token), STATEMENTS));
    };
    match word.keyword {
        Keyword::CREATE => parse_create(parser),
        Keyword::DROP => parse_drop(parser),
        Keyword::EXPLAIN => parse_explain(parser),
        Keyword::DESCRIBE | Keyword::DESC => {
            parser.next_token();
            parse_table_name(parser).map(Statement::Describe)
        }
        Keyword::SHOW => {
            parser.next_token();
            if words(parser, &["CREATE", "TABLE"]) || words(parser, &["CREATE", "VIEW"]) {
                return parse_table_name(parser).map(Statement::ShowCreate);
            }
            let remedy = "use SHOW CREATE TABLE or DESCRIBE, with `tidemill explain`";
            Err(SqlError::new(first.span, "SHOW is supported for CREATE TABLE and CREATE VIEW only", remedy))
        }
        Keyword::SET => parse_set(parser).map(Statement::Set),
        Keyword::INSERT => parse_insert(parser).map(Statement::Insert),
        Keyword::EXECUTE => {
            parser.next_token();
            parse_insert(parser).map(Statement::Insert)
        }
        Keyword::SELECT | Keyword::WITH | Keyword::VALUES => Err(SqlError::new(
            first.span,
            "a query alone has nowhere to put its rows",
            "write INSERT INTO a table before it",
        )),
        _ => {
            let message = format!("{} is not a statement that an application can have", word.value.to_uppercase());
            Err(SqlError::new(first.span, message, STATEMENTS))
        }
    }
}

/// `EXPLAIN [PLAN FOR | details] INSERT …`, of a query, or of a statement set.
fn parse_explain(parser: &mut Parser<'static>) -> Result<Statement> {
    parser.next_token();
    let details = if words(parser, &["PLAN", "FOR"]) { Vec::new() } else { parse_details(parser)? };
    if words(parser, &["STATEMENT", "SET"]) {
        parser.expect_keyword(Keyword::BEGIN).map_err(syntax)?;
        return Ok(Statement::ExplainSet(details));
    }
    match tokens::is_keyword(Some(&parser.peek_token()), Keyword::INSERT) {
        true => Ok(Statement::ExplainInsert(parse_insert(parser)?, details)),
        false => Ok(Statement::ExplainQuery(parse_query(parser)?, details)),
    }
}

fn parse_details(parser: &mut Parser<'static>) -> Result<Vec<Detail>> {
    const DETAILS: [(&str, Detail); 3] = [
        ("ESTIMATED_COST", Detail::EstimatedCost),
        ("CHANGELOG_MODE", Detail::ChangelogMode),
        ("PLAN_ADVICE", Detail::PlanAdvice),
    ];
    let mut details = Vec::new();
    let next = parser.peek_token();
    if words(parser, &["JSON_EXECUTION_PLAN"]) {
        let remedy = "leave it out: the physical plan is always shown";
        return Err(SqlError::new(next.span, "JSON_EXECUTION_PLAN is a form of Flink's own engine", remedy));
    }
    while let Some((_, detail)) = DETAILS.iter().find(|(name, _)| words(parser, &[name])) {
        details.push(*detail);
        if !parser.consume_token(&Token::Comma) {
            break;
        }
    }
    Ok(details)
}

fn parse_set(parser: &mut Parser<'static>) -> Result<Set> {
    parser.next_token();
    let span = parser.peek_token_ref().span;
    let key = parse_string(parser, "a setting's name in single quotes")?;
    parser.expect_token(&Token::Eq).map_err(syntax)?;
    let value = parse_string(parser, "a setting's value in single quotes")?;
    Ok(Set { key, value, span })
}

fn parse_insert(parser: &mut Parser<'static>) -> Result<Insert> {
    parser.expect_keyword(Keyword::INSERT).map_err(syntax)?;
    let next = parser.peek_token();
    if tokens::is_keyword(Some(&next), Keyword::OVERWRITE) {
        let remedy = "use INSERT INTO: a stream only grows";
        return Err(SqlError::new(next.span, "INSERT OVERWRITE is for bounded data", remedy));
    }
    parser.expect_keyword(Keyword::INTO).map_err(syntax)?;
    let table = parse_table_name(parser)?;
    let fixed = match words(parser, &["PARTITION"]) {
        true => parse_fixed(parser)?,
        false => Vec::new(),
    };
    let columns = match parser.peek_tokens_ref::<2>() {
        [first, second] if first.token == Token::LParen && !begins_query(second) => {
            parser.parse_parenthesized_column_list(sqlparser::parser::IsOptional::Mandatory, false).map_err(syntax)?
        }
        _ => Vec::new(),
    };
    Ok(Insert { table, fixed, columns, query: parse_query(parser)? })
}

/// The values of `PARTITION (column = value, …)`.
fn parse_fixed(parser: &mut Parser<'static>) -> Result<Vec<(Ident, Expr)>> {
    parser.expect_token(&Token::LParen).map_err(syntax)?;
    let mut fixed = Vec::new();
    loop {
        let column = parser.parse_identifier().map_err(syntax)?;
        parser.expect_token(&Token::Eq).map_err(syntax)?;
        fixed.push((column, parser.parse_expr().map_err(syntax)?));
        if !parser.consume_token(&Token::Comma) {
            parser.expect_token(&Token::RParen).map_err(syntax)?;
            return Ok(fixed);
        }
    }
}

fn parse_drop(parser: &mut Parser<'static>) -> Result<Statement> {
    parser.next_token();
    let temporary = words(parser, &["TEMPORARY"]);
    if (temporary && words(parser, &["SYSTEM", "FUNCTION"])) || words(parser, &["FUNCTION"]) {
        return parse_drop_function(parser).map(Statement::DropFunction);
    }
    let kind = parser.next_token();
    let is_view = tokens::is_keyword(Some(&kind), Keyword::VIEW);
    if !is_view && !tokens::is_keyword(Some(&kind), Keyword::TABLE) {
        let message = format!("DROP {} is not supported", kind.token.to_string().to_uppercase());
        return Err(SqlError::new(kind.span, message, "only tables, views and functions can be dropped"));
    }
    let if_exists = words(parser, &["IF", "EXISTS"]);
    Ok(Statement::Drop(Drop { is_view, if_exists, name: parse_table_name(parser)? }))
}

fn begins_query(token: &TokenWithSpan) -> bool {
    let starts = [Keyword::SELECT, Keyword::WITH, Keyword::VALUES];
    token.token == Token::LParen || starts.iter().any(|keyword| tokens::is_keyword(Some(token), *keyword))
}

pub(super) fn parse_query(parser: &mut Parser<'static>) -> Result<Box<Query>> {
    parser.parse_query().map_err(syntax)
}

pub(super) fn parse_table_name(parser: &mut Parser<'static>) -> Result<TableName> {
    let span = parser.peek_token_ref().span;
    let name = parser.parse_object_name(false).map_err(syntax)?;
    TableName::of(&name).ok_or_else(|| unknown_database(span, &name.to_string()))
}

pub(crate) fn unknown_database(span: Span, name: &str) -> SqlError {
    let message = format!("there is no other database than default_catalog.default_database, but the name is `{name}`");
    SqlError::new(span, message, "use the table's name alone, in back quotes if it has a dot")
}

/// Whether these words come next; if so they are taken.
pub(crate) fn words(parser: &mut Parser, expected: &[&str]) -> bool {
    let matches = |(place, word): (usize, &&str)| {
        let token = &parser.peek_nth_token_ref(place).token;
        matches!(token, Token::Word(found) if found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word))
    };
    let all = expected.iter().enumerate().all(matches);
    if all {
        expected.iter().for_each(|_| std::mem::drop(parser.next_token()));
    }
    all
}

fn expect_end(parser: &Parser<'static>) -> Result<()> {
    let next = parser.peek_token();
    match next.token {
        Token::EOF => Ok(()),
        ref other => {
            let message = format!("`{other}` is not expected here");
            Err(SqlError::new(next.span, message, "check the words before it, or end the statement with a semicolon"))
        }
    }
}

/// The parser's error with the place that its message ends with.
pub(super) fn syntax(error: ParserError) -> SqlError {
    let text = match error {
        ParserError::ParserError(text) | ParserError::TokenizerError(text) => text,
        ParserError::RecursionLimitExceeded => "the statement is nested too deeply".to_string(),
    };
    let (message, location) = match text.rsplit_once(" at Line: ") {
        Some((message, place)) => (message.to_string(), place.split_once(", Column: ")),
        None => (text, None),
    };
    let (line, column) = location.unwrap_or_default();
    let message = message.replacen("Expected: ", "expected ", 1).replacen(", found: ", " but found ", 1);
    let (line, column) = (line.parse().unwrap_or(0), column.parse().unwrap_or(0));
    SqlError::at(line, column, message, "correct the syntax here or just before")
}

/// An error at the end of the tokens has no place of its own.
fn at_end(error: SqlError, end: Location) -> SqlError {
    let ends = error.message.ends_with("found EOF") || matches!(error.place, Place::Text { line: 0, .. });
    if !ends {
        return error;
    }
    let message = error.message.replace("found EOF", "the statement ends");
    SqlError { message, place: Place::from(end), ..error }
}
