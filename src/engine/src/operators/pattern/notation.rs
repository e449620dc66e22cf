//! Patterns as text, for tests: `A B+ C*? D{2,4} E?`, the letters being variables in the order of the alphabet.

use tidemill_plan::Pattern;

pub fn pattern(text: &str) -> Pattern {
    Pattern::Sequence(text.split_whitespace().map(element).collect())
}

fn element(text: &str) -> Pattern {
    let variable = Pattern::Variable((text.as_bytes()[0] - b'A') as usize);
    let quantifier = &text[1..];
    let (bounds, greedy) = match quantifier.strip_suffix('?').filter(|bounds| !bounds.is_empty()) {
        Some(bounds) => (bounds, false),
        None => (quantifier, true),
    };
    let number = |text: &str| text.parse::<u32>().unwrap();
    let (least, most) = match bounds {
        "" => return variable,
        "*" => (0, None),
        "+" => (1, None),
        "?" => (0, Some(1)),
        braces => match braces.trim_matches(['{', '}']).split_once(',') {
            None => (number(braces.trim_matches(['{', '}'])), Some(number(braces.trim_matches(['{', '}'])))),
            Some((least, "")) => (number(least), None),
            Some((least, most)) => (number(least), Some(number(most))),
        },
    };
    Pattern::Repeat { pattern: Box::new(variable), least, most, greedy }
}
