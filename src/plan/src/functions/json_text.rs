//! Reading JSON text. By hand, because numbers have to keep their digits, which no common reader offers without
//! changing how every other part of a program reads JSON.

use super::json_value::{Json, decimal_text};

/// No JSON that is nested deeper is read, so that no text can exhaust the stack.
const DEEPEST: usize = 200;

pub(super) struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn over(text: &'a str) -> Self {
        Self { rest: text, depth: 0 }
    }

    /// The value that comes next; none if there is none.
    pub(super) fn value(&mut self) -> Option<Json> {
        self.skip_space();
        match self.rest.bytes().next()? {
            b'{' => self.nested(Self::object),
            b'[' => self.nested(Self::array),
            b'"' => self.text().map(Json::Text),
            b'-' | b'0'..=b'9' => self.number().map(Json::Number),
            _ => self.word(),
        }
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn take(&mut self, character: char) -> bool {
        self.skip_space();
        let found = self.rest.strip_prefix(character);
        self.rest = found.unwrap_or(self.rest);
        found.is_some()
    }

    fn nested(&mut self, read: fn(&mut Self) -> Option<Json>) -> Option<Json> {
        self.depth += 1;
        let value = if self.depth > DEEPEST { None } else { read(self) };
        self.depth -= 1;
        value
    }

    fn object(&mut self) -> Option<Json> {
        self.take('{');
        let mut members = Vec::new();
        if self.take('}') {
            return Some(Json::Object(members));
        }
        loop {
            self.skip_space();
            let name = self.text()?;
            if !self.take(':') {
                return None;
            }
            members.push((name, self.value()?));
            if self.take('}') {
                return Some(Json::object(members));
            }
            if !self.take(',') {
                return None;
            }
        }
    }

    fn array(&mut self) -> Option<Json> {
        self.take('[');
        let mut elements = Vec::new();
        if self.take(']') {
            return Some(Json::Array(elements));
        }
        loop {
            elements.push(self.value()?);
            if self.take(']') {
                return Some(Json::Array(elements));
            }
            if !self.take(',') {
                return None;
            }
        }
    }

    fn word(&mut self) -> Option<Json> {
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        match word {
            "null" => Some(Json::Null),
            "true" => Some(Json::Boolean(true)),
            "false" => Some(Json::Boolean(false)),
            _ => None,
        }
    }

    fn number(&mut self) -> Option<String> {
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let text = self.rest;
        let mut end = usize::from(text.starts_with('-'));
        let whole = digits(&text[end..]);
        if whole == 0 || whole > 1 && text[end..].starts_with('0') {
            return None;
        }
        end += whole;
        if text[end..].starts_with('.') {
            let fraction = digits(&text[end + 1..]);
            end += (fraction > 0).then_some(fraction + 1)?;
        }
        if text[end..].starts_with(['e', 'E']) {
            let sign = usize::from(text[end + 1..].starts_with(['+', '-']));
            let exponent = digits(&text[end + 1 + sign..]);
            end += (exponent > 0).then_some(exponent + sign + 1)?;
        }
        let (number, rest) = text.split_at(end);
        if rest.starts_with(|next: char| next.is_alphanumeric() || next == '.') {
            return None;
        }
        self.rest = rest;
        Some(decimal_text(number))
    }

    fn text(&mut self) -> Option<String> {
        let mut rest = self.rest.strip_prefix('"')?;
        let mut text = String::new();
        loop {
            let plain = rest.find(|c: char| c == '"' || c == '\\' || c < ' ')?;
            text.push_str(&rest[..plain]);
            rest = &rest[plain..];
            if let Some(behind) = rest.strip_prefix('"') {
                self.rest = behind;
                return Some(text);
            }
            let (character, behind) = escaped(rest.strip_prefix('\\')?)?;
            text.push(character);
            rest = behind;
        }
    }
}

/// The character that an escape stands for, and what is behind it.
fn escaped(text: &str) -> Option<(char, &str)> {
    let mut characters = text.chars();
    let plain = match characters.next()? {
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        same @ ('"' | '\\' | '/') => same,
        'u' => return unicode(characters.as_str()),
        _ => return None,
    };
    Some((plain, characters.as_str()))
}

/// Half of a pair without its other half becomes U+FFFD.
fn unicode(text: &str) -> Option<(char, &str)> {
    let unit = |text: &str| u32::from_str_radix(text.get(..4)?, 16).ok();
    let (first, rest) = (unit(text)?, &text[4..]);
    let second = rest.strip_prefix("\\u").and_then(unit).filter(|second| (0xdc00..0xe000).contains(second));
    match (first, second) {
        (0xd800..0xdc00, Some(second)) => {
            let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            Some((char::from_u32(code)?, &rest[6..]))
        }
        _ => Some((char::from_u32(first).unwrap_or('\u{fffd}'), rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(Json::parse(text).map(|json| json.to_string()).as_deref(), expected, "{text}");
    }

    #[test]
    fn what_is_json_is_read() {
        check(" [1, {\"a\" : [ ] , \"b\":{}}, null,true ] ", Some(r#"[1,{"a":[],"b":{}},null,true]"#));
        check(r#""\u0041\u00e9\ud83d\ude00\n\/""#, Some("\"Aé😀\\n/\""));
        check("-1.5e+3", Some("-1.5E+3"));
        check("1 2", Some("1"));
    }

    #[test]
    fn what_is_no_json_is_none() {
        for text in ["", "{", "{a:1}", "'x'", "01", "1.", "1e", "1x", "[1,]", "{\"a\":1,}", "\"a", "\"\\x\"", "tru"] {
            check(text, None);
        }
        check(&"[".repeat(100_000), None);
    }
}
