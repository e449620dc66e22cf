//! From text to statements' tokens. Flink's forms that the parser does not know are rewritten here, on tokens, so that
//! every token keeps its place in the user's text.

mod partition;

pub(crate) use partition::PARTITION_BY;

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer, Whitespace, Word};

use crate::dialect::FlinkDialect;
use crate::error::{Result, SqlError};

/// The tokens of one statement, never empty, without white space and comments.
#[derive(Clone, Debug)]
pub(crate) struct StatementTokens(pub Vec<TokenWithSpan>);

impl StatementTokens {
    pub(crate) fn start(&self) -> Location {
        self.0.first().map_or(Location { line: 0, column: 0 }, |token| token.span.start)
    }
}

/// The name of a definition that is the length after WITHIN in a MATCH_RECOGNIZE. Nobody can write such a name unquoted.
pub(crate) const WITHIN: &str = "the time within";

/// Words that the parser would stumble over further on, and what to say of them.
const REFUSED: &[(&[&str], &str, &str)] = &[(
    &["{", "-"],
    "exclusion ({- -}) is not supported in a pattern",
    "leave the braces out: only MEASURES are put out anyway",
)];

/// A comment that begins with `+`.
#[derive(Clone, Debug)]
pub(crate) struct WrittenHint {
    /// What stands between `/*+` and `*/`.
    pub text: String,
    pub at: Location,
    /// Where the name begins that stands before it.
    pub behind: Option<Location>,
}

/// The statements of a text, which are separated by semicolons, and its hints.
pub(crate) fn statements(text: &str) -> Result<(Vec<StatementTokens>, Vec<WrittenHint>)> {
    let (tokens, hints) = tokenize_with_hints(text)?;
    let tokens = within_as_definition(rewrite(tokens));
    refuse_words(&tokens)?;
    let parts = tokens.split(|token| token.token == Token::SemiColon);
    let statements = parts.filter(|part| !part.is_empty()).map(|part| StatementTokens(part.to_vec()));
    Ok((statements.collect(), hints))
}

/// The tokens of a piece of SQL, such as an expression.
pub(crate) fn tokenize(text: &str) -> Result<Vec<TokenWithSpan>> {
    let (tokens, hints) = tokenize_with_hints(text)?;
    match hints.first() {
        None => Ok(tokens),
        Some(hint) => Err(SqlError::at_location(hint.at, "a hint cannot stand here", "leave it out")),
    }
}

fn tokenize_with_hints(text: &str) -> Result<(Vec<TokenWithSpan>, Vec<WrittenHint>)> {
    let tokens = Tokenizer::new(&FlinkDialect, text).tokenize_with_location().map_err(|error| {
        let message = format!("the text cannot be read here: {}", error.message);
        SqlError::at_location(error.location, message, "check quotes and comments before this place")
    })?;
    let mut kept = Vec::with_capacity(tokens.len());
    let mut hints = Vec::new();
    for token in tokens {
        match &token.token {
            Token::Whitespace(Whitespace::MultiLineComment(hint)) if hint.starts_with('+') => hints.push(WrittenHint {
                text: hint[1..].to_string(),
                at: token.span.start,
                behind: name_at_end(&kept),
            }),
            Token::Whitespace(_) => {}
            Token::DoubleQuotedString(text) => {
                let message = format!("double quotes have no meaning in Flink SQL: \"{text}\"");
                let remedy = "use single quotes around strings and back quotes around names";
                return Err(SqlError::at_location(token.span.start, message, remedy));
            }
            // Ends two nested types. Flink has no such operator.
            Token::ShiftRight => {
                let half = TokenWithSpan { token: Token::Gt, ..token };
                kept.extend([half.clone(), half]);
            }
            _ => kept.push(token),
        }
    }
    Ok((kept, hints))
}

/// Where the name begins, which may have parts, that the tokens end with.
fn name_at_end(tokens: &[TokenWithSpan]) -> Option<Location> {
    let is_word = |token: &TokenWithSpan| matches!(token.token, Token::Word(_));
    let mut rest = tokens;
    let mut start = None;
    while let [before @ .., last] = rest
        && is_word(last)
    {
        start = Some(last.span.start);
        match before {
            [before @ .., dot] if dot.token == Token::Period => rest = before,
            _ => break,
        }
    }
    start
}

fn refuse_words(tokens: &[TokenWithSpan]) -> Result<()> {
    for place in 0..tokens.len() {
        let stands_here = |words: &[&str]| {
            words.iter().enumerate().all(|(offset, word)| {
                tokens.get(place + offset).is_some_and(|token| token.token.to_string().eq_ignore_ascii_case(word))
            })
        };
        if let Some((_, message, remedy)) = REFUSED.iter().find(|(words, _, _)| stands_here(words)) {
            return Err(SqlError::at_location(tokens[place].span.start, *message, *remedy));
        }
    }
    Ok(())
}

/// Rewrites `TABLE t` as an argument to `t`, `TABLE t PARTITION BY k` to a call,
/// `TIMESTAMP(p) WITH LOCAL TIME ZONE` to `TIMESTAMP_LTZ(p)`, and `TRIM(LEADING FROM s)` to `TRIM(LEADING ' ' FROM s)`.
pub(crate) fn rewrite(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut rewritten: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut position = 0;
    while position < tokens.len() {
        if is_table_argument(rewritten.last(), &tokens[position..]) {
            match partition::partitioned(&tokens[position..]) {
                Some((call, length)) => {
                    rewritten.extend(call);
                    position += length;
                }
                None => position += 1,
            }
        } else if let Some(length) = local_zone(&tokens[position..]) {
            let mut parts = tokens[position..position + length - 4].iter().cloned();
            rewritten.extend(parts.next().map(|token| TokenWithSpan { token: word("TIMESTAMP_LTZ"), ..token }));
            rewritten.extend(parts);
            position += length;
        } else {
            if is_trim_of_spaces(&rewritten, &tokens[position]) {
                let token = Token::SingleQuotedString(" ".to_string());
                rewritten.push(TokenWithSpan { token, span: tokens[position].span });
            }
            rewritten.push(tokens[position].clone());
            position += 1;
        }
    }
    rewritten
}

/// Whether `FROM` comes in a TRIM that does not say what is trimmed.
fn is_trim_of_spaces(before: &[TokenWithSpan], next: &TokenWithSpan) -> bool {
    let [.., trim, opens, side] = before else { return false };
    let is_side =
        [Keyword::LEADING, Keyword::TRAILING, Keyword::BOTH].iter().any(|keyword| is_keyword(Some(side), *keyword));
    let is_from = is_keyword(Some(next), Keyword::FROM);
    is_keyword(Some(trim), Keyword::TRIM) && opens.token == Token::LParen && is_side && is_from
}

/// Moves `WITHIN INTERVAL …` behind a pattern into DEFINE, whose definitions the parser knows.
fn within_as_definition(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut start = 1;
    while start + 1 < tokens.len() {
        let is_within = tokens[start - 1].token == Token::RParen
            && is_keyword(tokens.get(start), Keyword::WITHIN)
            && is_keyword(tokens.get(start + 1), Keyword::INTERVAL);
        let define = (start..tokens.len()).find(|place| is_keyword(tokens.get(*place), Keyword::DEFINE));
        if let (true, Some(define)) = (is_within, define) {
            let span = tokens[start].span;
            let placed = |token| TokenWithSpan { token, span };
            let keyword = |keyword, value: &str| Token::Word(Word { keyword, ..plain_word(value) });
            let name = [word(WITHIN), keyword(Keyword::AS, "AS")].map(placed);
            let mut length: Vec<_> = tokens.drain(start + 1..define).collect();
            let comma = TokenWithSpan { token: Token::Comma, span: length.last().map_or(span, |last| last.span) };
            length.push(comma);
            // WITHIN itself goes; DEFINE takes its place.
            tokens.remove(start);
            tokens.splice(start + 1..start + 1, name.into_iter().chain(length));
        }
        start += 1;
    }
    tokens
}

fn is_table_argument(previous: Option<&TokenWithSpan>, tokens: &[TokenWithSpan]) -> bool {
    let opens = matches!(previous.map(|token| &token.token), Some(Token::LParen | Token::Comma | Token::RArrow));
    let is_word = |token: Option<&TokenWithSpan>| matches!(token.map(|token| &token.token), Some(Token::Word(_)));
    opens && is_keyword(tokens.first(), Keyword::TABLE) && is_word(tokens.get(1))
}

/// The length of a `TIMESTAMP [(p)] WITH LOCAL TIME ZONE` at the start.
fn local_zone(tokens: &[TokenWithSpan]) -> Option<usize> {
    let has_precision = tokens.get(1).is_some_and(|token| token.token == Token::LParen);
    let with = if has_precision { 4 } else { 1 };
    let expected = [Keyword::WITH, Keyword::LOCAL, Keyword::TIME, Keyword::ZONE];
    let follows = expected.iter().enumerate().all(|(place, keyword)| is_keyword(tokens.get(with + place), *keyword));
    (is_keyword(tokens.first(), Keyword::TIMESTAMP) && follows).then_some(with + 4)
}

pub(crate) fn is_keyword(token: Option<&TokenWithSpan>, keyword: Keyword) -> bool {
    matches!(token.map(|token| &token.token), Some(Token::Word(word)) if word.keyword == keyword && word.quote_style.is_none())
}

fn word(value: &str) -> Token {
    Token::Word(plain_word(value))
}

fn plain_word(value: &str) -> Word {
    Word { value: value.to_string(), quote_style: None, keyword: Keyword::NoKeyword }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(tokens: &[TokenWithSpan]) -> String {
        tokens.iter().map(|token| token.token.to_string()).collect::<Vec<_>>().join(" ")
    }

    fn check(sql: &str, expected: &[&str]) {
        let found: Vec<String> = statements(sql).unwrap().0.iter().map(|statement| text(&statement.0)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn statements_are_split_outside_strings_and_comments() {
        check("a; -- b;\n 'c;' ; /* d; */ ;e", &["a", "'c;'", "e"]);
    }

    #[test]
    fn a_table_argument_loses_its_keyword_only() {
        check("TABLE(TUMBLE(TABLE t, x))", &["TABLE ( TUMBLE ( t , x ) )"]);
        check("TUMBLE(DATA => TABLE t)", &["TUMBLE ( DATA => t )"]);
        check("CREATE TABLE t", &["CREATE TABLE t"]);
    }

    #[test]
    fn a_partitioned_table_argument_becomes_a_call() {
        let whole = ["SESSION ( PARTITION BY ( t , a , b ) , DESCRIPTOR ( x ) , y )"];
        check("SESSION(TABLE t PARTITION BY a, b, DESCRIPTOR(x), y)", &whole);
        check("SESSION(TABLE t PARTITION BY (a, b), DESCRIPTOR(x), y)", &whole);
        check("f(DATA => TABLE d.t PARTITION BY a, x => y)", &["f ( DATA => PARTITION BY ( d . t , a ) , x => y )"]);
    }

    #[test]
    fn a_local_time_zone_becomes_one_word() {
        check("c TIMESTAMP(3) WITH LOCAL TIME ZONE,", &["c TIMESTAMP_LTZ ( 3 ) ,"]);
        check("c TIMESTAMP WITH LOCAL TIME ZONE", &["c TIMESTAMP_LTZ"]);
        check("TIMESTAMP(3) WITHOUT TIME ZONE", &["TIMESTAMP ( 3 ) WITHOUT TIME ZONE"]);
    }

    #[test]
    fn within_becomes_a_definition() {
        check(
            "PATTERN (A B) WITHIN INTERVAL '1' HOUR DEFINE A AS TRUE",
            &["PATTERN ( A B ) DEFINE the time within AS INTERVAL '1' HOUR , A AS TRUE"],
        );
        check("f(x) WITHIN GROUP (a)", &["f ( x ) WITHIN GROUP ( a )"]);
    }

    #[test]
    fn places_survive_the_rewrite() {
        let (statements, _) = statements("x;\n  TUMBLE(TABLE t)").unwrap();
        assert_eq!((statements[1].start().line, statements[1].start().column), (2, 3));
        assert_eq!(statements[1].0[2].span.start.column, 16);
    }

    #[test]
    fn a_hint_knows_the_name_before_it() {
        let (statements, hints) = statements("SELECT *\nFROM a.`t` /*+ OPTIONS('a'='b') */ AS u").unwrap();
        assert_eq!(text(&statements[0].0), "SELECT * FROM a . `t` AS u");
        let behind = hints[0].behind.unwrap();
        assert_eq!((hints[0].text.as_str(), behind.line, behind.column), (" OPTIONS('a'='b') ", 2, 6));
    }

    #[test]
    fn hints_in_expressions_and_double_quotes_are_refused_where_they_stand() {
        assert_eq!(tokenize("a\n+ /*+ X */ b").unwrap_err().line(), Some(2));
        assert_eq!(statements("SELECT \"a\"").unwrap_err().column(), Some(8));
    }
}
