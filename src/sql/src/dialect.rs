//! How Flink writes names, strings and calls.

mod json;

pub(crate) use json::IS_JSON;

use sqlparser::ast::{BinaryOperator, CastKind, Expr, FunctionArguments, UnaryOperator};
use sqlparser::dialect::{Dialect, Precedence};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use crate::statement::parse_data_type;

/// Back quotes for names, single quotes for strings, nothing that other systems add.
#[derive(Debug)]
pub(crate) struct FlinkDialect;

impl Dialect for FlinkDialect {
    fn is_delimited_identifier_start(&self, character: char) -> bool {
        character == '`'
    }

    fn is_identifier_start(&self, character: char) -> bool {
        character.is_alphabetic() || character == '_'
    }

    fn is_identifier_part(&self, character: char) -> bool {
        character.is_alphanumeric() || character == '_' || character == '$'
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_group_by_expr(&self) -> bool {
        true
    }

    fn supports_named_fn_args_with_rarrow_operator(&self) -> bool {
        true
    }

    fn supports_unicode_string_literal(&self) -> bool {
        true
    }

    /// `FOR SYSTEM_TIME AS OF`.
    fn supports_table_versioning(&self) -> bool {
        true
    }

    fn supports_match_recognize(&self) -> bool {
        true
    }

    /// Casts to types that the stock parser does not know, and `MAP[key, value, …]`.
    fn parse_prefix(&self, parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        let opens = parser.peek_nth_token_ref(1).token.clone();
        let Token::Word(word) = &parser.peek_token_ref().token else { return None };
        let parsed = match (word.keyword, opens) {
            _ if word.quote_style.is_some() => return None,
            (Keyword::CAST, Token::LParen) => parse_cast(parser, CastKind::Cast),
            (Keyword::TRY_CAST, Token::LParen) => parse_cast(parser, CastKind::TryCast),
            (Keyword::MAP, Token::LBracket) => parse_map(parser),
            (_, Token::LParen) => {
                let name = word.value.clone();
                json::parse(parser, &name)?
            }
            _ => return None,
        };
        Some(parsed.and_then(|root| parser.parse_compound_expr(root, Vec::new())))
    }

    /// The stock parser takes everything after `IS DISTINCT FROM`, `AND` included, for its right side.
    fn parse_infix(&self, parser: &mut Parser, left: &Expr, _precedence: u8) -> Option<Result<Expr, ParserError>> {
        if let Some(test) = json::parse_test(parser, left) {
            return Some(Ok(test));
        }
        if let Some(negated) = between_with_symmetry(parser) {
            return Some(self.parse_between(parser, left, negated));
        }
        let distinct = parser.parse_keywords(&[Keyword::IS, Keyword::DISTINCT, Keyword::FROM]);
        if !distinct && !parser.parse_keywords(&[Keyword::IS, Keyword::NOT, Keyword::DISTINCT, Keyword::FROM]) {
            return None;
        }
        let right = parser.parse_subexpr(self.prec_value(Precedence::Is));
        let build = if distinct { Expr::IsDistinctFrom } else { Expr::IsNotDistinctFrom };
        Some(right.map(|right| build(Box::new(left.clone()), Box::new(right))))
    }
}

impl FlinkDialect {
    /// What follows `[NOT] BETWEEN`, which has been read. The bounds of `BETWEEN SYMMETRIC` may stand in any order.
    fn parse_between(&self, parser: &mut Parser, left: &Expr, negated: bool) -> Result<Expr, ParserError> {
        let is_symmetric = parser.next_token().token.to_string().eq_ignore_ascii_case(SYMMETRIC);
        let bound = |parser: &mut Parser| parser.parse_subexpr(self.prec_value(Precedence::Between));
        let low = bound(parser)?;
        parser.expect_keyword(Keyword::AND)?;
        let high = bound(parser)?;
        let between = |negated, low: &Expr, high: &Expr| Expr::Between {
            expr: Box::new(left.clone()),
            negated,
            low: Box::new(low.clone()),
            high: Box::new(high.clone()),
        };
        if !is_symmetric {
            return Ok(between(negated, &low, &high));
        }
        let (left, right) = (Box::new(between(false, &low, &high)), Box::new(between(false, &high, &low)));
        let either = Expr::Nested(Box::new(Expr::BinaryOp { left, op: BinaryOperator::Or, right }));
        Ok(match negated {
            true => Expr::Nested(Box::new(Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(either) })),
            false => either,
        })
    }
}

const SYMMETRIC: &str = "SYMMETRIC";

/// Reads `[NOT] BETWEEN` if SYMMETRIC or ASYMMETRIC follows, and says whether NOT is there.
fn between_with_symmetry(parser: &mut Parser) -> Option<bool> {
    let is = |parser: &Parser, place: usize, words: &[&str]| {
        let token = parser.peek_nth_token_ref(place).token.to_string();
        words.iter().any(|word| token.eq_ignore_ascii_case(word))
    };
    let negated = is(parser, 0, &["NOT"]);
    let place = usize::from(negated);
    let found = is(parser, place, &["BETWEEN"]) && is(parser, place + 1, &[SYMMETRIC, "ASYMMETRIC"]);
    found.then(|| {
        (0..=place).for_each(|_| {
            parser.next_token();
        });
        negated
    })
}

fn parse_cast(parser: &mut Parser, kind: CastKind) -> Result<Expr, ParserError> {
    parser.next_token();
    parser.expect_token(&Token::LParen)?;
    let expr = Box::new(parser.parse_expr()?);
    parser.expect_keyword(Keyword::AS)?;
    let data_type = parse_data_type(parser)?;
    parser.expect_token(&Token::RParen)?;
    Ok(Expr::Cast { kind, expr, data_type, array: false, format: None })
}

/// As a call of a function MAP.
fn parse_map(parser: &mut Parser) -> Result<Expr, ParserError> {
    let name = parser.parse_identifier()?;
    parser.expect_token(&Token::LBracket)?;
    let parts = parser.parse_comma_separated0(Parser::parse_expr, Token::RBracket)?;
    parser.expect_token(&Token::RBracket)?;
    Ok(json::function(name, parts, FunctionArguments::None))
}
