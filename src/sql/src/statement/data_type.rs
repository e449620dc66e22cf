//! Types as Flink writes them, nested ones included: `ROW<a INT, b ARRAY<STRING>>`, `MAP<K, V>`, `MULTISET<T>`, and the
//! older `T ARRAY`.

use sqlparser::ast::{ArrayElemTypeDef, DataType, StructBracketKind, StructField};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use super::parse::words;

type Parsed<T> = Result<T, ParserError>;

/// Parses a type. A MULTISET comes as the MAP from value to number that it is.
pub(crate) fn parse_data_type(parser: &mut Parser) -> Parsed<DataType> {
    let mut parsed = parse_prefix(parser)?;
    loop {
        if words(parser, &["ARRAY"]) {
            parsed = array(DataType::Nullable(Box::new(parsed)));
        } else if words(parser, &["MULTISET"]) {
            parsed = multiset(parsed);
        } else {
            return Ok(parsed);
        }
    }
}

fn parse_prefix(parser: &mut Parser) -> Parsed<DataType> {
    let next = parser.peek_token();
    let opens = matches!(parser.peek_nth_token_ref(1).token, Token::Lt | Token::LParen);
    if opens && words(parser, &["ROW"]) {
        let close = if parser.next_token().token == Token::Lt { Token::Gt } else { Token::RParen };
        return Ok(DataType::Struct(parse_fields(parser, &close)?, StructBracketKind::AngleBrackets));
    }
    for (name, parts) in [("ARRAY", 1), ("MULTISET", 1), ("MAP", 2)] {
        if words(parser, &[name]) {
            let mut parts = parse_parts(parser, parts)?.into_iter();
            let first = parts.next().unwrap_or(DataType::Unspecified);
            return Ok(match (name, parts.next()) {
                (_, Some(value)) => DataType::Map(Box::new(first), Box::new(value)),
                ("ARRAY", None) => array(first),
                _ => multiset(first),
            });
        }
    }
    if words(parser, &["RAW"]) || words(parser, &["VARIANT"]) {
        return parser.expected("a type that Tidemill has (RAW and VARIANT are none)", next);
    }
    parser.parse_data_type()
}

fn parse_fields(parser: &mut Parser, close: &Token) -> Parsed<Vec<StructField>> {
    let mut fields = Vec::new();
    loop {
        let field_name = Some(parser.parse_identifier()?);
        let field_type = parse_part(parser)?;
        fields.push(StructField { field_name, field_type, options: None });
        if let Token::SingleQuotedString(_) = parser.peek_token_ref().token {
            parser.next_token();
        }
        if !parser.consume_token(&Token::Comma) {
            parser.expect_token(close)?;
            return Ok(fields);
        }
    }
}

fn parse_parts(parser: &mut Parser, count: usize) -> Parsed<Vec<DataType>> {
    parser.expect_token(&Token::Lt)?;
    let mut parts = vec![parse_part(parser)?];
    while parts.len() < count {
        parser.expect_token(&Token::Comma)?;
        parts.push(parse_part(parser)?);
    }
    parser.expect_token(&Token::Gt)?;
    Ok(parts)
}

/// A type within another. NOT NULL there is a promise of the outside, like that of a column: what is without it is marked
/// as nullable, so that it is not lost.
fn parse_part(parser: &mut Parser) -> Parsed<DataType> {
    let parsed = parse_data_type(parser)?;
    if words(parser, &["NOT", "NULL"]) {
        return Ok(parsed);
    }
    words(parser, &["NULL"]);
    Ok(DataType::Nullable(Box::new(parsed)))
}

fn array(element: DataType) -> DataType {
    DataType::Array(ArrayElemTypeDef::AngleBracket(Box::new(element)))
}

fn multiset(element: DataType) -> DataType {
    DataType::Map(Box::new(element), Box::new(DataType::Nullable(Box::new(DataType::Int(None)))))
}
