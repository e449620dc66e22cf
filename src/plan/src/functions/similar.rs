//! Patterns of SIMILAR TO: regular expressions with `%` and `_` for any characters, which have to match the whole text.

/// The regular expression that a pattern stands for.
pub(super) fn translated(pattern: &str) -> Result<String, String> {
    let refused = |character: char| {
        format!("the pattern `{pattern}` has `{character}`, which SIMILAR TO gives no meaning here: use REGEXP")
    };
    let mut translated = String::from("^(?s:");
    let mut class = false;
    for character in pattern.chars() {
        match character {
            '%' if !class => translated.push_str(".*"),
            '_' if !class => translated.push('.'),
            '[' if class => return Err(refused('[')),
            '[' => {
                class = true;
                translated.push('[');
            }
            ']' => {
                class = false;
                translated.push(']');
            }
            '\\' => return Err(refused('\\')),
            '.' | '^' | '$' if !class => {
                translated.push('\\');
                translated.push(character);
            }
            other => translated.push(other),
        }
    }
    if class {
        return Err(format!("the pattern `{pattern}` has an open `[`"));
    }
    Ok(translated + ")$")
}

#[cfg(test)]
mod tests {
    use super::translated;

    #[test]
    fn only_wildcards_and_points_change() {
        assert_eq!(translated("(a|b)%_.").as_deref(), Ok(r"^(?s:(a|b).*.\.)$"));
        assert_eq!(translated("[a-c%]+").as_deref(), Ok(r"^(?s:[a-c%]+)$"));
        assert!(translated(r"a\d").is_err() && translated("[a").is_err());
    }
}
