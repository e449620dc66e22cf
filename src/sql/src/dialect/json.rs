//! JSON functions with their clauses. What the clauses say goes into the call's `parameters`, a list that no other call
//! has; it is the same for every call of a function.

use sqlparser::ast::{
    CastKind, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Value,
};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Span, Token};

use crate::statement::parse_data_type;

type Parsed<T> = Result<T, ParserError>;

/// Parses the call that begins here, if it is one of these functions.
pub(super) fn parse(parser: &mut Parser, name: &str) -> Option<Parsed<Expr>> {
    Some(match name.to_ascii_uppercase().as_str() {
        "JSON_VALUE" => call(parser, two, |parser| Ok([returning(parser)?, behaviours(parser)?].concat())),
        "JSON_QUERY" => {
            call(parser, two, |parser| Ok([returning(parser)?, wrapper(parser), behaviours(parser)?].concat()))
        }
        "JSON_EXISTS" => call(parser, two, on_error),
        "JSON_OBJECT" => call(parser, members, |parser| Ok(on_null(parser, "NULL"))),
        "JSON_ARRAY" => call(parser, elements, |parser| Ok(on_null(parser, "ABSENT"))),
        "JSON_OBJECTAGG" => call(parser, member, |parser| Ok(on_null(parser, "NULL"))),
        "JSON_ARRAYAGG" => call(parser, one, |parser| Ok(on_null(parser, "ABSENT"))),
        _ => return None,
    })
}

fn call(
    parser: &mut Parser,
    arguments: fn(&mut Parser) -> Parsed<Vec<Expr>>,
    clauses: fn(&mut Parser) -> Parsed<Vec<Expr>>,
) -> Parsed<Expr> {
    let name = parser.parse_identifier()?;
    parser.expect_token(&Token::LParen)?;
    let (arguments, clauses) = (arguments(parser)?, clauses(parser)?);
    parser.expect_token(&Token::RParen)?;
    Ok(function(name, arguments, FunctionArguments::List(list(clauses))))
}

/// A call with plain arguments.
pub(super) fn function(name: sqlparser::ast::Ident, arguments: Vec<Expr>, parameters: FunctionArguments) -> Expr {
    Expr::Function(Function {
        name: vec![name].into(),
        uses_odbc_syntax: false,
        parameters,
        args: FunctionArguments::List(list(arguments)),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

fn list(arguments: Vec<Expr>) -> FunctionArgumentList {
    let args = arguments.into_iter().map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))).collect();
    FunctionArgumentList { duplicate_treatment: None, args, clauses: Vec::new() }
}

fn word(parser: &mut Parser, expected: &[&str]) -> bool {
    crate::statement::words(parser, expected)
}

fn text(value: &str) -> Expr {
    Expr::Value(Value::SingleQuotedString(value.to_string()).with_span(Span::empty()))
}

fn null() -> Expr {
    Expr::Value(Value::Null.with_span(Span::empty()))
}

fn one(parser: &mut Parser) -> Parsed<Vec<Expr>> {
    Ok(vec![parser.parse_expr()?])
}

fn two(parser: &mut Parser) -> Parsed<Vec<Expr>> {
    let json = parser.parse_expr()?;
    parser.expect_token(&Token::Comma)?;
    Ok(vec![json, parser.parse_expr()?])
}

/// `[KEY] name VALUE value` or `name: value`.
fn member(parser: &mut Parser) -> Parsed<Vec<Expr>> {
    word(parser, &["KEY"]);
    let name = parser.parse_expr()?;
    if !word(parser, &["VALUE"]) {
        parser.expect_token(&Token::Colon)?;
    }
    Ok(vec![name, parser.parse_expr()?])
}

/// Members, separated by commas.
fn members(parser: &mut Parser) -> Parsed<Vec<Expr>> {
    let mut parts = Vec::new();
    while !ends(parser) {
        parts.extend(member(parser)?);
        if !parser.consume_token(&Token::Comma) {
            break;
        }
    }
    Ok(parts)
}

fn elements(parser: &mut Parser) -> Parsed<Vec<Expr>> {
    if ends(parser) { Ok(Vec::new()) } else { parser.parse_comma_separated(Parser::parse_expr) }
}

/// Whether no part comes here, but the end or `NULL ON NULL` and the like.
fn ends(parser: &mut Parser) -> bool {
    let is = |place: usize, word: &str| parser.peek_nth_token_ref(place).token.to_string().eq_ignore_ascii_case(word);
    is(0, ")") || (is(0, "NULL") || is(0, "ABSENT")) && is(1, "ON") && is(2, "NULL")
}

fn on_null(parser: &mut Parser, default: &str) -> Vec<Expr> {
    let said = ["NULL", "ABSENT"].into_iter().find(|what| word(parser, &[*what, "ON", "NULL"]));
    vec![text(said.unwrap_or(default))]
}

/// The type as a NULL of it, or a NULL of no type.
fn returning(parser: &mut Parser) -> Parsed<Vec<Expr>> {
    if !parser.parse_keyword(Keyword::RETURNING) {
        return Ok(vec![null()]);
    }
    let (expr, data_type) = (Box::new(null()), parse_data_type(parser)?);
    Ok(vec![Expr::Cast { kind: CastKind::Cast, expr, data_type, array: false, format: None }])
}

fn wrapper(parser: &mut Parser) -> Vec<Expr> {
    let forms: [(&[&str], &str); 4] = [
        (&["WITHOUT"], "WITHOUT"),
        (&["WITH", "CONDITIONAL"], "CONDITIONAL"),
        (&["WITH", "UNCONDITIONAL"], "UNCONDITIONAL"),
        (&["WITH"], "UNCONDITIONAL"),
    ];
    let said = forms.into_iter().find(|(words, _)| word(parser, words));
    if said.is_some() {
        word(parser, &["ARRAY"]);
        word(parser, &["WRAPPER"]);
    }
    vec![text(said.map_or("WITHOUT", |(_, what)| what))]
}

/// What to do if empty and on errors: for each a word and the default, which is NULL unless the word is DEFAULT.
fn behaviours(parser: &mut Parser) -> Parsed<Vec<Expr>> {
    let mut said = [text("NULL"), null(), text("NULL"), null()];
    for _ in 0..2 {
        let (what, default) = if word(parser, &["DEFAULT"]) {
            (text("DEFAULT"), parser.parse_expr()?)
        } else {
            let forms: [&[&str]; 4] = [&["NULL"], &["ERROR"], &["EMPTY", "ARRAY"], &["EMPTY", "OBJECT"]];
            match forms.into_iter().find(|words| word(parser, words)) {
                Some(words) => (text(&words.join(" ")), null()),
                None => break,
            }
        };
        parser.expect_keyword(Keyword::ON)?;
        let place = if word(parser, &["EMPTY"]) { 0 } else { 2 };
        if place == 2 {
            expect(parser, "ERROR")?;
        }
        (said[place], said[place + 1]) = (what, default);
    }
    Ok(said.into())
}

fn on_error(parser: &mut Parser) -> Parsed<Vec<Expr>> {
    let said = ["TRUE", "FALSE", "UNKNOWN", "ERROR"].into_iter().find(|what| word(parser, &[*what, "ON"]));
    if said.is_some() {
        expect(parser, "ERROR")?;
    }
    Ok(vec![text(said.unwrap_or("FALSE"))])
}

fn expect(parser: &mut Parser, expected: &str) -> Parsed<()> {
    if word(parser, &[expected]) { Ok(()) } else { parser.expected_ref(expected, parser.peek_token_ref()) }
}

/// `value IS [NOT] JSON [VALUE | SCALAR | ARRAY | OBJECT]`, as a call of a function that nobody can write.
pub(super) fn parse_test(parser: &mut Parser, left: &Expr) -> Option<Expr> {
    let negated = word(parser, &["IS", "NOT", "JSON"]);
    if !negated && !word(parser, &["IS", "JSON"]) {
        return None;
    }
    let kind = ["VALUE", "SCALAR", "ARRAY", "OBJECT"].into_iter().find(|kind| word(parser, &[*kind]));
    let name = sqlparser::ast::Ident::new(IS_JSON);
    let test = function(name, vec![left.clone(), text(kind.unwrap_or("VALUE"))], FunctionArguments::None);
    Some(match negated {
        true => Expr::UnaryOp { op: sqlparser::ast::UnaryOperator::Not, expr: Box::new(test) },
        false => test,
    })
}

/// The name of the call that tests whether a string is JSON.
pub(crate) const IS_JSON: &str = "is json";
