//! PATTERN: which rows follow each other.

use sqlparser::ast::{Ident, MatchRecognizePattern as Written, MatchRecognizeSymbol as Symbol, RepetitionQuantifier};
use sqlparser::tokenizer::Span;
use tidemill_plan::Pattern;

use crate::error::{Result, SqlError};

/// A pattern and its variables, in its order.
#[derive(Debug)]
pub(super) struct Sequence {
    pub pattern: Pattern,
    pub names: Vec<Ident>,
}

/// One variable and how often.
struct Element {
    name: Ident,
    least: u32,
    most: Option<u32>,
    greedy: bool,
}

pub(super) fn of(written: &Written, span: Span) -> Result<Sequence> {
    let span = first_name(written).map_or(span, |name| name.span);
    let mut elements = Vec::new();
    collect(written, span, &mut elements)?;
    for (place, element) in elements.iter().enumerate() {
        if elements[..place].iter().any(|before| before.name.value == element.name.value) {
            let message = format!("the variable `{}` stands twice in the pattern", element.name.value);
            return Err(SqlError::new(element.name.span, message, "give each place a variable of its own"));
        }
    }
    if elements.iter().all(|element| element.least == 0) {
        return Err(SqlError::new(span, "the pattern matches no rows, too", "let one variable be there at least once"));
    }
    if let Some(last) = elements.last()
        && last.greedy
        && last.most != Some(last.least)
        && (last.least, last.most) != (0, Some(1))
    {
        let message = format!("nothing ends the greedy `{}` at the pattern's end", last.name.value);
        let remedy = "let a variable follow that is defined by the opposite condition, or make it reluctant with ?";
        return Err(SqlError::new(last.name.span, message, remedy));
    }
    let patterns = elements.iter().enumerate().map(|(place, element)| element.pattern(place)).collect();
    let names = elements.into_iter().map(|element| element.name).collect();
    Ok(Sequence { pattern: Pattern::Sequence(patterns), names })
}

/// Whether the first variable takes exactly one row.
pub(super) fn begins_with_one_row(pattern: &Pattern) -> bool {
    match pattern {
        Pattern::Variable(_) => true,
        Pattern::Sequence(patterns) => patterns.first().is_some_and(begins_with_one_row),
        Pattern::Repeat { .. } => false,
    }
}

impl Element {
    fn pattern(&self, place: usize) -> Pattern {
        match (self.least, self.most) {
            (1, Some(1)) => Pattern::Variable(place),
            (least, most) => {
                Pattern::Repeat { pattern: Box::new(Pattern::Variable(place)), least, most, greedy: self.greedy }
            }
        }
    }
}

fn collect(written: &Written, span: Span, elements: &mut Vec<Element>) -> Result<()> {
    let span = first_name(written).map_or(span, |name| name.span);
    match written {
        Written::Concat(parts) => parts.iter().try_for_each(|part| collect(part, span, elements)),
        Written::Group(inner) => collect(inner, span, elements),
        Written::Symbol(Symbol::Named(name)) => {
            elements.push(Element { name: name.clone(), least: 1, most: Some(1), greedy: true });
            Ok(())
        }
        Written::Repetition(inner, quantifier) => {
            elements.push(repeated(inner, quantifier, span)?);
            Ok(())
        }
        Written::Symbol(Symbol::Start | Symbol::End) => {
            Err(SqlError::new(span, "^ and $ are not supported in a pattern", "leave them out: a stream has no end"))
        }
        Written::Alternation(_) => {
            let remedy = "define one variable by both conditions with OR, or write a query for each";
            Err(SqlError::new(span, "alternation (|) is not supported in a pattern", remedy))
        }
        Written::Exclude(_) => {
            let remedy = "leave the braces out: only MEASURES are put out anyway";
            Err(SqlError::new(span, "exclusion ({- -}) is not supported in a pattern", remedy))
        }
        Written::Permute(_) => {
            Err(SqlError::new(span, "PERMUTE is not supported in a pattern", "write a query for each order"))
        }
    }
}

/// `A*?` comes as `(A*)?` does but for the group.
fn repeated(inner: &Written, quantifier: &RepetitionQuantifier, span: Span) -> Result<Element> {
    if let Written::Repetition(inner, of) = inner
        && *quantifier == RepetitionQuantifier::AtMostOne
        && !matches!(&**inner, Written::Repetition(_, _))
    {
        let element = repeated(inner, of, span)?;
        if (element.least, element.most) == (0, Some(1)) {
            let message = "a reluctant optional variable is not supported";
            return Err(SqlError::new(span, message, "write it as greedy (?) or leave it out"));
        }
        return Ok(Element { greedy: false, ..element });
    }
    let Some(name) = alone(inner) else {
        let message = "a quantifier for a group of variables is not supported";
        return Err(SqlError::new(span, message, "put quantifiers behind single variables"));
    };
    let (least, most) = match quantifier {
        RepetitionQuantifier::ZeroOrMore => (0, None),
        RepetitionQuantifier::OneOrMore => (1, None),
        RepetitionQuantifier::AtMostOne => (0, Some(1)),
        RepetitionQuantifier::Exactly(times) => (*times, Some(*times)),
        RepetitionQuantifier::AtLeast(least) => (*least, None),
        RepetitionQuantifier::AtMost(most) => (0, Some(*most)),
        RepetitionQuantifier::Range(least, most) => (*least, Some(*most)),
    };
    if most.is_some_and(|most| most == 0 || most < least) {
        let message = format!("`{}{quantifier}` can never be there", name.value);
        return Err(SqlError::new(name.span, message, "let the upper bound be above zero and not below the lower one"));
    }
    Ok(Element { name: name.clone(), least, most, greedy: true })
}

/// The only variable of a part.
fn alone(written: &Written) -> Option<&Ident> {
    match written {
        Written::Symbol(Symbol::Named(name)) => Some(name),
        Written::Group(inner) => alone(inner),
        _ => None,
    }
}

fn named(symbol: &Symbol) -> Option<&Ident> {
    match symbol {
        Symbol::Named(name) => Some(name),
        Symbol::Start | Symbol::End => None,
    }
}

/// What a part of a pattern begins with; parts have no places of their own.
fn first_name(written: &Written) -> Option<&Ident> {
    match written {
        Written::Symbol(symbol) | Written::Exclude(symbol) => named(symbol),
        Written::Permute(symbols) => symbols.iter().find_map(named),
        Written::Concat(parts) | Written::Alternation(parts) => parts.iter().find_map(first_name),
        Written::Group(inner) | Written::Repetition(inner, _) => first_name(inner),
    }
}
