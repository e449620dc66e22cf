//! `TABLE t PARTITION BY a, b` as an argument. The parser takes an expression there, so it becomes a call that has the
//! table and the columns as its arguments: `PARTITION BY(t, a, b)`, whose name nobody can write.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::{is_keyword, word};

/// The name of the call.
pub(crate) const PARTITION_BY: &str = "PARTITION BY";

/// What takes the place of a partitioned table at the start, and the number of tokens that it takes the place of.
pub(super) fn partitioned(tokens: &[TokenWithSpan]) -> Option<(Vec<TokenWithSpan>, usize)> {
    let name = name_length(&tokens[1..])?;
    let by = 1 + name;
    if !is_keyword(tokens.get(by), Keyword::PARTITION) || !is_keyword(tokens.get(by + 1), Keyword::BY) {
        return None;
    }
    let (columns, length) = columns(&tokens[by + 2..])?;
    let at = |token: Token, like: &TokenWithSpan| TokenWithSpan { token, span: like.span };
    let (first, last) = (&tokens[by], columns.last()?.clone());
    let mut call = vec![at(word(PARTITION_BY), first), at(Token::LParen, first)];
    call.extend(tokens[1..by].iter().cloned());
    for column in columns {
        call.extend([at(Token::Comma, &column), column]);
    }
    call.push(at(Token::RParen, &last));
    Some((call, by + 2 + length))
}

/// The length of `name` or `path.to.name` at the start.
fn name_length(tokens: &[TokenWithSpan]) -> Option<usize> {
    let is_word = |place: usize| matches!(tokens.get(place).map(|token| &token.token), Some(Token::Word(_)));
    let is_period = |place: usize| tokens.get(place).is_some_and(|token| token.token == Token::Period);
    let mut length = is_word(0).then_some(1)?;
    while is_period(length) && is_word(length + 1) {
        length += 2;
    }
    Some(length)
}

/// The columns at the start, in parentheses or not, and the number of their tokens. Without parentheses the list ends
/// before the first argument that is no plain name.
fn columns(tokens: &[TokenWithSpan]) -> Option<(Vec<TokenWithSpan>, usize)> {
    let token = |place: usize| tokens.get(place).map(|token| &token.token);
    let is_word = |place: usize| matches!(token(place), Some(Token::Word(_)));
    let open = usize::from(token(0) == Some(&Token::LParen));
    let mut place = open;
    let mut found = Vec::new();
    loop {
        if !is_word(place) {
            return None;
        }
        found.push(tokens[place].clone());
        place += 1;
        let another = token(place) == Some(&Token::Comma)
            && is_word(place + 1)
            && matches!(token(place + 2), Some(Token::Comma | Token::RParen));
        if !another {
            break;
        }
        place += 1;
    }
    (open == 0 || token(place) == Some(&Token::RParen)).then_some((found, place + open))
}
